"""Which versions are installed, and which extra brings what is not."""

from __future__ import annotations

import platform
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.metadata import PackageNotFoundError, version

from ..errors import MissingExtra
from .paths import checkout

PACKAGES = ("torch", "transformers", "datasets", "scikit-learn", "numpy", "pandas", "matplotlib", "ipywidgets")


def versions() -> dict[str, str]:
    """Versions of Python, this package and what its results depend on."""
    from .. import __version__

    found = {"python": platform.python_version(), "sentiment_lib": __version__}
    for name in PACKAGES:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            found[name] = "missing"
    return found


@contextmanager
def needs_extra(extra: str) -> Iterator[None]:
    """A block of imports that the library does without until they are needed.

    Parameters
    ----------
    extra : {"lessons", "sweep"}
        The extra of ``pyproject.toml`` that installs them.

    Raises
    ------
    MissingExtra
        When one of them is not installed.
    """
    try:
        yield
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] == __package__.partition(".")[0]:
            raise  # a module of our own
        project = checkout()
        wanted = f'"sentiment-lib[{extra}]"' if project is None else f'-e "{project}[{extra}]"'
        raise MissingExtra(
            f"This needs the extra {extra!r} ({error.name} is not installed): python -m pip install {wanted}"
        ) from error
