"""Files from the Hugging Face hub: complete and verified, or a clear error within reasonable time.

The library huggingface_hub downloads and caches them, and resumes interrupted downloads. This module adds a limit to
retries, verifies checksums, and turns every failure into one error that says what to do.
"""

from __future__ import annotations

import glob
import hashlib
import json
import re
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from pathlib import Path
from threading import Thread
from typing import TypeVar
from urllib.parse import quote

from huggingface_hub import HfApi, cached_assets_path, constants, get_session, snapshot_download
from huggingface_hub.errors import (
    GatedRepoError,
    HFValidationError,
    LocalEntryNotFoundError,
    RepositoryNotFoundError,
    RevisionNotFoundError,
)
from huggingface_hub.utils import filter_repo_objects, logging

from ..errors import HubUnreachable, NotOnHub, StorageError
from ..run.files import explained, replacing
from ..run.progress import library_bars
from ._huggingface_hub import without_xet, wrapped_clients
from .patience import TRY_AGAIN, GaveUp, Patience, patient_client

PROBE_SECONDS = 5.0
PATIENCE = 12.0  # seconds of retries without progress
STALLED = 5  # seconds without a byte
_COMMIT = re.compile(r"[0-9a-f]{40}")
_Result = TypeVar("_Result")


def hub_error() -> str | None:
    """Why the hub cannot be used now, as the end of a sentence; None if it answers within 5 s.

    The endpoint is that of huggingface_hub (variable ``HF_ENDPOINT``). In its offline mode (``HF_HUB_OFFLINE``) no
    request is sent.
    """
    if constants.HF_HUB_OFFLINE:
        return "the hub is switched off by HF_HUB_OFFLINE."
    problem: str | None = "no answer"

    def probe() -> None:
        nonlocal problem
        try:
            get_session().head(constants.ENDPOINT, timeout=PROBE_SECONDS)
            problem = None
        except Exception as error:
            problem = f"{type(error).__name__}: {error}"

    thread = Thread(target=probe, daemon=True)  # an unresponsive name server can block it for a minute
    thread.start()
    thread.join(2 * PROBE_SECONDS)
    return problem and f"the hub at {constants.ENDPOINT} cannot be reached ({problem})."


def fetch(name: str, kind: str, revision: str | None, files: Sequence[str], remedy: str) -> Path:
    """The local folder of a repository's files, which are downloaded unless they are cached.

    Parameters
    ----------
    name : str
        Such as ``stanfordnlp/imdb``.
    kind : {"dataset", "model"}
    revision : str or None
        Commit or tag; None: the newest commit.
    files : sequence of str
        Patterns of the files to fetch.
    remedy : str
        What to do without the hub, the end of the error message.

    Returns
    -------
    pathlib.Path
        The snapshot in huggingface_hub's cache. Its files have the checksums that the hub named when they were
        downloaded: SHA-256 of large files, git's SHA-1 of small ones.

    Raises
    ------
    HubUnreachable
        Within half a minute, when the hub delivers nothing new and the cache has no complete copy.
    NotOnHub
        For a repository or revision that does not exist, or that this user may not read.
    """
    return _fetch(name, kind, revision, files, hub_error(), remedy)


@dataclass(frozen=True)
class Repository:
    """A repository on the hub at one commit, as :func:`open_repository` found it.

    Attributes
    ----------
    name, kind, remedy
        As in :func:`fetch`.
    commit : str
        40 hexadecimal digits.
    files : tuple of str
        The paths of all its files.
    problem : str or None
        Why the hub cannot be used; its files then come from the local cache only.
    """

    name: str
    kind: str
    commit: str
    files: tuple[str, ...]
    remedy: str
    problem: str | None

    def fetch(self, files: Sequence[str]) -> list[Path]:
        """The local paths of some of :attr:`files`, with the checks and the errors of :func:`fetch`."""
        patterns = [glob.escape(file) for file in files]
        folder = _fetch(self.name, self.kind, self.commit, patterns, self.problem, self.remedy)
        paths = [folder / file for file in files]
        for path in paths:  # before release 2, huggingface_hub takes any cached snapshot for complete
            if not path.is_file():
                reason = self.problem or "the hub did not deliver it."
                raise HubUnreachable(
                    f"The {self.kind} {self.name!r}: {path.relative_to(folder)} is not on this machine yet, and "
                    f"{reason} {self.remedy}"
                )
        return paths


def open_repository(name: str, kind: str, revision: str | None, remedy: str, problem: str | None) -> Repository:
    """The files that a repository has now, or had when the hub was last asked.

    Parameters
    ----------
    name, kind, revision, remedy
        As in :func:`fetch`; a revision may also be a branch.
    problem : str or None
        The answer of :func:`hub_error`. If it is not None, no request is sent.

    Raises
    ------
    HubUnreachable, NotOnHub
        As :func:`fetch`.
    """
    cached = _cached_listing(name, kind, revision)
    if cached and _COMMIT.fullmatch(revision or ""):  # a commit does not change
        return Repository(name, kind, *cached, remedy, problem)
    try:
        commit, files = _patiently(lambda: _listing(name, kind, revision, problem))
    except Exception as error:
        failure = _explained(error, f"The {kind} {name!r}", revision, problem, remedy)
        if isinstance(failure, HubUnreachable) and cached:
            reason = problem or f"the hub at {constants.ENDPOINT} could not list its files."
            return Repository(name, kind, *cached, remedy, reason)
        raise failure from error
    with suppress(OSError, ValueError), replacing(_listing_file(name, kind, revision)) as temporary:
        temporary.write_text(json.dumps({"commit": commit, "files": files}), encoding="utf-8")
    return Repository(name, kind, commit, files, remedy, None)


def _listing(name: str, kind: str, revision: str | None, problem: str | None) -> tuple[str, tuple[str, ...]]:
    if problem:
        raise LocalEntryNotFoundError("No list of the repository's files is cached.")
    api = HfApi()
    commit = revision
    if commit is None or not _COMMIT.fullmatch(commit):
        commit = api.repo_info(name, repo_type=kind, revision=revision).sha
    assert commit is not None  # the hub names the commit of every repository
    return commit, tuple(sorted(api.list_repo_files(name, repo_type=kind, revision=commit)))


def _listing_file(name: str, kind: str, revision: str | None) -> Path:
    folder = cached_assets_path("sentiment_lib", f"{kind}s/{name}", "listings")
    return folder / f"{quote(revision or constants.DEFAULT_REVISION, safe='')}.json"


def _cached_listing(name: str, kind: str, revision: str | None) -> tuple[str, tuple[str, ...]] | None:
    try:
        found = json.loads(_listing_file(name, kind, revision).read_text(encoding="utf-8"))
        return found["commit"], tuple(found["files"])
    except (OSError, ValueError, KeyError, TypeError):  # none yet, or damaged
        return None


def _fetch(name: str, kind: str, revision: str | None, files: Sequence[str], problem: str | None, remedy: str) -> Path:
    for _ in range(1 if problem else 2):
        try:
            folder = _snapshot(name, kind, revision, files, problem)
        except StorageError:
            raise
        except Exception as error:
            raise _explained(error, f"The {kind} {name!r}", revision, problem, remedy) from error
        found = [path for path in sorted(folder.rglob("*")) if path.is_file()]
        used = filter_repo_objects(
            found, allow_patterns=list(files), key=lambda path: path.relative_to(folder).as_posix()
        )
        damaged = [path for path in used if not _is_intact(path)]
        if not damaged:
            return folder
        for path in damaged:  # otherwise the next run would use it
            path.resolve().unlink()
            path.unlink(missing_ok=True)
    raise HubUnreachable(
        f"The {kind} {name!r}: {damaged[0].name} is not the file that the hub named (its checksum differs) and was "
        f"deleted{': ' + problem if problem else ', twice.'} Try again later. {remedy}"
    )


def _snapshot(name: str, kind: str, revision: str | None, files: Sequence[str], problem: str | None) -> Path:
    return _patiently(
        lambda: Path(
            snapshot_download(
                name,
                repo_type=kind,
                revision=revision,
                allow_patterns=list(files),
                local_files_only=problem is not None,
                etag_timeout=STALLED,
                max_workers=2,
            )
        )
    )


def _patiently(call: Callable[[], _Result]) -> _Result:
    """The result of a function of huggingface_hub, which is called again while it fails for a temporary reason."""
    pause, patience, level = 1.0, Patience(PATIENCE, STALLED), logging.get_verbosity()
    with ExitStack() as stack:
        stack.enter_context(explained(Path(constants.HF_HUB_CACHE), "HF_HOME"))
        stack.enter_context(library_bars())
        stack.enter_context(wrapped_clients(lambda client: patient_client(client, patience)))
        stack.enter_context(without_xet())
        stack.callback(logging.set_verbosity, level)
        logging.set_verbosity_error()  # retries without warnings: a failure becomes an error of ours
        while True:
            try:
                return call()
            except Exception as error:  # the library does not retry all requests
                causes = _causes(error)
                refused = any(_status(cause) in TRY_AGAIN for cause in causes)
                if not refused or any(isinstance(cause, GaveUp) for cause in causes):
                    raise
                time.sleep(pause)  # until patience ends with another error
                pause = min(2 * pause, 4)


def _causes(error: BaseException) -> list[BaseException]:
    """An error and the errors that led to it."""
    causes = [error]
    while (cause := causes[-1].__cause__ or causes[-1].__context__) and cause not in causes:
        causes.append(cause)
    return causes


def _status(error: BaseException) -> int | None:
    return getattr(getattr(error, "response", None), "status_code", None)


def _is_intact(path: Path) -> bool:
    """Whether a cached file has the checksum that is its name in the cache (unknown on systems without links)."""
    expected = path.resolve().name
    start = {64: hashlib.sha256, 40: lambda: hashlib.sha1(b"blob %d\0" % path.stat().st_size)}.get(len(expected))
    if start is None or not re.fullmatch(r"[0-9a-f]+", expected):
        return True
    with path.open("rb") as file:
        return hashlib.file_digest(file, start).hexdigest() == expected


def _explained(error: Exception, what: str, revision: str | None, problem: str | None, remedy: str) -> Exception:
    """Translate any error of the library into one of ours."""
    causes = _causes(error)
    for cause in causes:
        status = _status(cause)
        if isinstance(cause, RevisionNotFoundError):
            return NotOnHub(f"{what} has no revision {revision!r} on the hub. {remedy}")
        if isinstance(cause, HFValidationError):
            return NotOnHub(f"{what} cannot be a name on the hub: {cause} {remedy}")
        if isinstance(cause, GatedRepoError):
            return NotOnHub(
                f"{what} is gated (HTTP {status}): accept its conditions on its page at {constants.ENDPOINT}, then log "
                f"in with 'hf auth login'. {remedy}"
            )
        if isinstance(cause, RepositoryNotFoundError) or status in (401, 403):
            return NotOnHub(
                f"{what} is not on the hub, or you may not read it (HTTP {status}): check the name; if it is private, "
                f"log in with 'hf auth login'. {remedy}"
            )
    if problem:
        return HubUnreachable(f"{what} is not on this machine yet, or not complete, and {problem} {remedy}")
    gave_up = next((cause for cause in causes if isinstance(cause, GaveUp)), error)
    text = " ".join(str(gave_up).split())
    return HubUnreachable(f"{what} could not be fetched from the hub: {text[:400].rstrip('.')}. {remedy}")
