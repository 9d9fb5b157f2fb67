"""Files that may be compressed: ``.gz``, ``.bz2``, ``.xz``, and ``.zip`` with one file in it."""

from __future__ import annotations

import bz2
import gzip
import lzma
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

from ..errors import DataError, listed

_OPENERS: dict[str, Any] = {".gz": gzip.open, ".bz2": bz2.open, ".xz": lzma.open}
COMPRESSIONS = (*_OPENERS, ".zip")


def inner_name(path: Path) -> str:
    """The file's name without the ending of its compression; for a zip archive, the name of the one file in it.

    Raises
    ------
    DataError
        For a zip archive that cannot be read, or holds no file or several.
    """
    ending = path.suffix.lower()
    if ending == ".zip":
        return Path(_only_member(path)).name
    return path.stem if ending in _OPENERS else path.name


@contextmanager
def opened(path: Path) -> Iterator[IO[bytes]]:
    """The bytes of a file, decompressed."""
    ending = path.suffix.lower()
    if ending == ".zip":
        with zipfile.ZipFile(path) as archive, archive.open(_only_member(path)) as file:
            yield file
    else:
        with _OPENERS.get(ending, open)(path, "rb") as file:
            yield file


def _only_member(path: Path) -> str:
    try:
        with zipfile.ZipFile(path) as archive:
            names = [entry.filename for entry in archive.infolist() if not entry.is_dir()]
    except (zipfile.BadZipFile, OSError) as error:
        raise DataError(f"{path} could not be read as a zip archive: {error}") from error
    # macOS adds hidden files of its own
    names = [name for name in names if not any(part.startswith((".", "__MACOSX")) for part in Path(name).parts)]
    if len(names) != 1:
        shown = listed(names, 5) or "none"
        raise DataError(f"{path} should hold one file, but holds {len(names)}: {shown}. Unpack it, and give one.")
    return names[0]
