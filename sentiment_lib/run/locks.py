"""Locks: only one process at a time works on a run, a model or an output file.

The operating system holds the locks (through the library filelock), so that a lock is free again when its process ends,
however it ends.
"""

import json
import os
import socket
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import datetime
from pathlib import Path

from ..errors import BusyError
from .files import explained, write_json


@contextmanager
def only_one(path: Path, what: str, remedy: str) -> Iterator[None]:
    """Hold the lock of `path` (a file ``.<name>.lock`` in its folder) while the block runs.

    Parameters
    ----------
    path : pathlib.Path
        The file or folder that will be written. Its parent folder is created.
    what, remedy : str
        For the error message: what is being written, and what to do about it.

    Raises
    ------
    BusyError
        At once, when another process holds the lock. The message names its process id, machine, start and command.
    """
    from filelock import FileLock, Timeout

    lock_file, holder_file = (path.parent / f".{path.name}.{ending}" for ending in ("lock", "holder.json"))
    with explained(lock_file):
        path.parent.mkdir(parents=True, exist_ok=True)
        lock = FileLock(lock_file)
        try:
            lock.acquire(timeout=0)
        except Timeout:
            raise BusyError(f"{what} is being worked on by {_holder(holder_file)}. {remedy}") from None
    try:
        now = datetime.now().isoformat(sep=" ", timespec="seconds")
        facts = {"process": os.getpid(), "machine": socket.gethostname(), "since": now}
        write_json(holder_file, facts | {"command": " ".join(sys.argv)[:200]})
        yield
    finally:
        for file in (holder_file, lock_file):  # leave nothing of ours beside the user's files
            with suppress(OSError):  # Windows does not delete a lock file that is held
                file.unlink(missing_ok=True)
        lock.release()


def _holder(holder_file: Path) -> str:
    try:
        facts = json.loads(holder_file.read_text(encoding="utf-8"))
        return "process {process} on {machine} since {since} ({command})".format(**facts)
    except (OSError, ValueError, KeyError):
        return "another process"
