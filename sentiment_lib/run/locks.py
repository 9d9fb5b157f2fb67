"""One at a time: a run, a training or a target file belongs to one process, which the others are told about.

The lock is the operating system's (through the library filelock): when a process ends, however it ends, its locks are
free again.
"""

from __future__ import annotations

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
def only_one(place: Path, what: str, remedy: str) -> Iterator[None]:
    """Hold the lock of `place` (a file ``.<name>.lock`` in its folder) while the block runs.

    Parameters
    ----------
    place : pathlib.Path
        The file or folder that is to be written. Its parent folder is made.
    what, remedy : str
        For the error: what is being made, and what to do about it.

    Raises
    ------
    BusyError
        At once, when another process holds it; the message names its number, machine, start and command.
    """
    from filelock import FileLock, Timeout

    lock, note = (place.parent / f".{place.name}.{ending}" for ending in ("lock", "holder.json"))
    with explained(lock):
        place.parent.mkdir(parents=True, exist_ok=True)
        held = FileLock(lock)
        try:
            held.acquire(timeout=0)
        except Timeout:
            raise BusyError(f"{what} is being worked on by {_holder(note)}. {remedy}") from None
    try:
        now = datetime.now().isoformat(sep=" ", timespec="seconds")
        facts = {"process": os.getpid(), "machine": socket.gethostname(), "since": now, "command": _command()}
        write_json(note, facts)
        yield
    finally:
        for file in (note, lock):  # no litter beside the user's files; Windows keeps a lock that is held
            with suppress(OSError):
                file.unlink(missing_ok=True)
        held.release()


def _command() -> str:
    return " ".join(sys.argv)[:200]


def _holder(note: Path) -> str:
    try:
        facts = json.loads(note.read_text(encoding="utf-8"))
        return "process {process} on {machine} since {since} ({command})".format(**facts)
    except (OSError, ValueError, KeyError):
        return "another process"
