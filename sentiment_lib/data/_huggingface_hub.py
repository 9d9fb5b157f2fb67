"""What this package uses of huggingface_hub beyond its documented interface, checked in releases 1.3 to 2.4.

``tests/data/test_private_huggingface_hub.py`` fails when a later release works otherwise.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from huggingface_hub import constants, set_client_factory
from huggingface_hub.utils import _http

# the HTTP library whose clients huggingface_hub uses: httpx2, or httpx before release 2
httpx: Any = vars(_http).get("httpx2") or vars(_http)["httpx"]


@contextmanager
def wrapped_clients(wrap: Callable[[Any], Any]) -> Iterator[None]:
    """Let huggingface_hub use ``wrap(client)`` in place of each of its HTTP clients while the block runs.

    The clients come from the current factory of huggingface_hub or the user, which is restored afterwards.
    huggingface_hub has a function that sets the factory, but none that returns it.
    """
    factory = _http._GLOBAL_CLIENT_FACTORY
    set_client_factory(lambda: wrap(factory()))  # also closes the client in use
    try:
        yield
    finally:
        set_client_factory(factory)


@contextmanager
def without_xet() -> Iterator[None]:
    """Let huggingface_hub download over HTTP while the block runs, even if hf-xet is installed.

    hf-xet sends requests of its own, to which time limits of huggingface_hub's clients do not apply. The documented
    switch, the environment variable ``HF_HUB_DISABLE_XET``, is read once, when huggingface_hub is imported, into the
    constant that is set here.
    """
    before = constants.HF_HUB_DISABLE_XET
    constants.HF_HUB_DISABLE_XET = True
    try:
        yield
    finally:
        constants.HF_HUB_DISABLE_XET = before
