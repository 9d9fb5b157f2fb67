"""Files from the Hugging Face hub: fetched in reasonable time or not at all, whole, and verified.

The library huggingface_hub fetches and keeps them, and goes on with a download that was interrupted. What is added
here: patience has an end, checksums are compared, and every failure becomes one error that says what to do.
"""

from __future__ import annotations

import hashlib
import re
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from threading import Thread

from ..errors import HubUnreachable, NotOnHub, StorageError
from ..run.files import explained
from ..run.progress import library_bars

PROBE_SECONDS = 5.0
PATIENCE = 12.0  # seconds of retries that bring nothing new
STALLED = 5  # seconds without a byte


def hub_error() -> str | None:
    """Why the hub cannot be used now, as the end of a sentence; None when it answers.

    One request with a time limit of 5 s. The endpoint is huggingface_hub's own (variable ``HF_ENDPOINT``),
    and its offline mode (``HF_HUB_OFFLINE``) is respected without asking anything.
    """
    from huggingface_hub import constants, get_session

    if constants.HF_HUB_OFFLINE:
        return "the hub is switched off by HF_HUB_OFFLINE."
    said: list[str] = []

    def ask() -> None:
        try:
            get_session().head(constants.ENDPOINT, timeout=PROBE_SECONDS)
            said.append("")
        except Exception as error:
            said.append(f" ({type(error).__name__}: {error})")

    asking = Thread(target=ask, daemon=True)  # a name server that does not answer keeps a thread for a minute
    asking.start()
    asking.join(2 * PROBE_SECONDS)
    if said == [""]:
        return None
    return f"the hub at {constants.ENDPOINT} cannot be reached{said[0] if said else ' (no answer)'}."


def fetch(name: str, kind: str, revision: str | None, files: Sequence[str], remedy: str) -> Path:
    """The local folder of a repository's files, downloaded where they are not there yet.

    Parameters
    ----------
    name : str
        Such as ``stanfordnlp/imdb``.
    kind : {"dataset", "model"}
    revision : str or None
        Commit or tag; None: the newest.
    files : sequence of str
        Patterns of the files that are wanted; others are not fetched.
    remedy : str
        What to do without the hub, the end of the error.

    Returns
    -------
    pathlib.Path
        The snapshot in huggingface_hub's cache. Its files have the checksums that the hub named when they were
        downloaded: SHA-256 of large files, git's SHA-1 of small ones.

    Raises
    ------
    HubUnreachable
        Within half a minute, when nothing new comes from the hub, and there is no whole copy in the cache.
    NotOnHub
        For a repository, revision or right that is missing.
    """
    problem = hub_error()
    for again in (False, True):
        try:
            folder = _snapshot(name, kind, revision, files, problem)
        except StorageError:
            raise
        except Exception as error:
            raise _explained(error, f"The {kind} {name!r}", revision, problem, remedy) from error
        damaged = [path for path in sorted(folder.rglob("*")) if path.is_file() and not _is_whole(path)]
        if not damaged:
            return folder
        for path in damaged:  # else it would be taken for good the next time
            path.resolve().unlink()
            path.unlink(missing_ok=True)
        if again or problem:
            raise HubUnreachable(
                f"The {kind} {name!r}: {damaged[0].name} is not the file that the hub named (its checksum differs) and "
                f"was deleted{': ' + problem if problem else ', twice.'} Try again later. {remedy}"
            )
    raise AssertionError("not reached")


def _snapshot(name: str, kind: str, revision: str | None, files: Sequence[str], problem: str | None) -> Path:
    from huggingface_hub import constants, snapshot_download

    from .patience import TRY_AGAIN

    pause = 1.0
    with explained(Path(constants.HF_HUB_CACHE), "HF_HOME"), library_bars(), _patience():
        while True:
            try:
                found = snapshot_download(
                    name,
                    repo_type=kind,
                    revision=revision,
                    allow_patterns=list(files),
                    local_files_only=problem is not None,
                    etag_timeout=STALLED,
                    max_workers=2,
                )
                return Path(found)
            except Exception as error:  # the library does not retry every kind of request
                if _status(error) not in TRY_AGAIN:
                    raise
                time.sleep(pause)  # ends when patience does, with another error
                pause = min(2 * pause, 4)


@contextmanager
def _patience() -> Iterator[None]:
    """Let huggingface_hub give up after :data:`PATIENCE` while the block runs, and without a warning per retry."""
    from huggingface_hub.utils import logging

    from ._huggingface_hub import wrapped_clients
    from .patience import Patience, patient_client

    patience, level = Patience(PATIENCE, STALLED), logging.get_verbosity()
    logging.set_verbosity_error()  # what came of the retries is our error
    try:
        with wrapped_clients(lambda client: patient_client(client, patience)):
            yield
    finally:
        logging.set_verbosity(level)


def _status(error: BaseException) -> int | None:
    return getattr(getattr(error, "response", None), "status_code", None)


def _is_whole(path: Path) -> bool:
    """Whether a file of the cache has the checksum that is its name there (unknown on systems without links)."""
    named = path.resolve().name
    start = {64: hashlib.sha256, 40: lambda: hashlib.sha1(b"blob %d\0" % path.stat().st_size)}.get(len(named))
    if start is None or not re.fullmatch(r"[0-9a-f]+", named):
        return True
    with path.open("rb") as file:
        return hashlib.file_digest(file, start).hexdigest() == named


def _explained(error: Exception, what: str, revision: str | None, problem: str | None, remedy: str) -> Exception:
    """Whatever the library raised, as one error of ours."""
    from huggingface_hub.errors import GatedRepoError, HFValidationError, RepositoryNotFoundError, RevisionNotFoundError

    from .patience import GaveUp

    causes: list[BaseException] = [error]
    while (cause := causes[-1].__cause__ or causes[-1].__context__) and cause not in causes:
        causes.append(cause)
    for one in causes:
        status = _status(one)
        if isinstance(one, RevisionNotFoundError):
            return NotOnHub(f"{what} has no revision {revision!r} on the hub. {remedy}")
        if isinstance(one, HFValidationError):
            return NotOnHub(f"{what} cannot be a name on the hub: {one} {remedy}")
        if isinstance(one, (RepositoryNotFoundError, GatedRepoError)) or status in (401, 403):
            return NotOnHub(
                f"{what} is not on the hub, or not for you to read (HTTP {status}): check the name; if it is private, "
                f"log in with 'hf auth login'. {remedy}"
            )
    if problem:
        return HubUnreachable(f"{what} is not on this machine yet, or not whole, and {problem} {remedy}")
    gave_up = next((one for one in causes if isinstance(one, GaveUp)), error)
    text = " ".join(str(gave_up).split())
    return HubUnreachable(f"{what} could not be fetched from the hub: {text[:400].rstrip('.')}. {remedy}")
