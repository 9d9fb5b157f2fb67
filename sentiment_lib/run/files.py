"""Files written under a temporary name and then renamed, so that none is seen half written; and errors that help."""

from __future__ import annotations

import errno
import hashlib
import json
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, is_dataclass
from pathlib import Path
from typing import Any

from ..errors import StorageError

_MEANING = {
    errno.ENOSPC: "the disk is full; free some space",
    errno.EDQUOT: "your share of the disk is used up; free some space",
    errno.EROFS: "the disk is read-only; allow writing there",
    errno.EACCES: "writing is not allowed there; change the rights",
    errno.EPERM: "writing is not allowed there; change the rights",
    errno.ENAMETOOLONG: "the path is too long for this system; take a shorter one",
    errno.ENOTDIR: "a part of the path is a file, not a folder; move it away",
    errno.EEXIST: "a part of the path is a file, not a folder; move it away",
}
_WORDS = {"no space left": errno.ENOSPC, "quota exceeded": errno.EDQUOT, "read-only file system": errno.EROFS}
_WORDS |= {"pytorchstreamwriter failed writing": errno.ENOSPC}  # PyTorch does not say why


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """Yield a temporary path to write a file or folder to; when the block succeeds, it replaces `path`.

    While the block runs, and if it fails or is killed, `path` stays as it was.

    Raises
    ------
    StorageError
        When the disk is full, read-only or closed to this user, or when the path is too long.
    """
    with explained(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        restore(path)
        temporary, old = hidden_sibling(path, "part"), hidden_sibling(path, "old")
        _remove(temporary)
        try:
            yield temporary
        except BaseException:
            with suppress(OSError):  # report the cause, not the failed clean-up
                _remove(temporary)
            raise
        if path.is_dir():  # a folder that is not empty cannot be replaced in one step
            _remove(old)
            path.replace(old)
        temporary.replace(path)
        _remove(old)


def hidden_sibling(path: Path, purpose: str) -> Path:
    """A hidden name next to `path` for a file of ours; a file ``x.old`` may be somebody's backup."""
    return path.with_name(f".{path.name}.{purpose}")


def restore(path: Path) -> None:
    """Restore a folder that :func:`replacing` had renamed when it was killed between its two renames."""
    old = hidden_sibling(path, "old")
    with suppress(OSError):
        if old.exists() and not path.exists():
            old.replace(path)


@contextmanager
def explained(path: Path, variable: str = "SENTIMENT_LIB_HOME") -> Iterator[None]:
    """Explain a failed write to `path`, for a block that does nothing but write there.

    Parameters
    ----------
    path : pathlib.Path
        The file or folder. Its hidden siblings and its parent folders count as part of it.
    variable : str
        The environment variable that moves such files to another place.

    Raises
    ------
    StorageError
        For an error of the file system, even if a library wraps it; it names the file that failed. Every other error
        passes unchanged, and so does one that names a file elsewhere.
    """
    try:
        yield
    except StorageError:
        raise
    except Exception as error:
        code = error.errno if isinstance(error, OSError) else None
        code = code or next((code for words, code in _WORDS.items() if words in str(error).lower()), None)
        # an error of a full disk names no file; an open file may have a number only
        named = getattr(error, "filename", None)
        failed = Path(os.fsdecode(named)) if isinstance(named, (str, bytes, os.PathLike)) else path
        if code not in _MEANING or not _is_part_of(failed, path):
            raise
        raise StorageError(
            f"{str(failed)[:300]} cannot be written: {_MEANING[code]}, or set {variable} to a folder with room "
            "where you may write. What was there before is untouched."
        ) from error


def _is_part_of(file: Path, path: Path) -> bool:
    """Whether `file` is `path`, lies in it or in a hidden sibling of it, or is one of its parent folders."""
    for absolute in (os.path.abspath, os.path.realpath):  # some libraries resolve links, some do not
        ours, found = Path(absolute(path)), Path(absolute(file))
        hidden = f".{ours.name}."
        sibling = any(p.parent == ours.parent and p.name.startswith(hidden) for p in (found, *found.parents))
        if sibling or found.is_relative_to(ours) or ours.is_relative_to(found):
            return True
    return False


def check_writable(folder: Path, needed: int = 0) -> None:
    """Check that files can be written to `folder` and that `needed` bytes are free; create the folder if necessary.

    Raises
    ------
    StorageError
        If not, so that no long work begins.
    """
    with explained(folder):
        folder.mkdir(parents=True, exist_ok=True)
        probe = folder / ".writable"
        try:
            probe.write_bytes(b"x")
        finally:
            with suppress(OSError):
                probe.unlink(missing_ok=True)
    free = shutil.disk_usage(folder).free
    if free < needed:
        raise StorageError(
            f"{folder} has {free / 1e6:,.0f} MB free, but about {needed / 1e6:,.0f} MB are needed: free some space, or "
            "set SENTIMENT_LIB_HOME to a folder with room."
        )


def sha256(path: Path) -> str | None:
    """The SHA-256 of a file in hexadecimal, or None if there is no file."""
    if not path.is_file():
        return None
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _remove(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


def write_json(path: Path, data: Any) -> Path:
    """Write `data` as JSON; an existing file is replaced only by a complete one.

    Dataclasses become objects; arrays and numbers of numpy become plain ones. NaN and infinity, which JSON does not
    have, are a ValueError.
    """
    text = json.dumps(plain(data), indent=2, ensure_ascii=False, allow_nan=False)
    with replacing(path) as temporary:
        temporary.write_text(text + "\n", encoding="utf-8")
    return path


def plain(data: Any) -> Any:
    """The data as what JSON can hold: dataclasses as objects, arrays and numbers of numpy as plain ones."""
    if is_dataclass(data) and not isinstance(data, type):
        data = asdict(data)
    if hasattr(data, "tolist"):  # an array or number of numpy
        data = data.tolist()
    if isinstance(data, dict):
        return {key: plain(value) for key, value in data.items()}
    if isinstance(data, (list, tuple)):
        return [plain(value) for value in data]
    return data
