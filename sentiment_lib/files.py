"""Writing that is never seen half done: beside its place first, then renamed."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, is_dataclass
from pathlib import Path
from typing import Any


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """Yield a path to write a file or folder to; when the block ends well, it takes the place of `path`.

    What was at `path` stays as it was while the block runs, and when it fails.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    beside, old = (path.with_name(path.name + ending) for ending in (".part", ".old"))
    _remove(beside)
    try:
        yield beside
    except BaseException:
        _remove(beside)
        raise
    if path.is_dir():  # a folder that is not empty cannot be replaced in one step
        _remove(old)
        path.replace(old)
    beside.replace(path)
    _remove(old)


def _remove(path: Path) -> None:
    if path.is_dir():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


def write_json(path: Path, data: Any) -> Path:
    """Write `data` as JSON; a file that was there is replaced only by a whole one.

    Dataclasses become objects and numpy's arrays and numbers plain ones. What JSON has no word for, such as NaN, is a
    ValueError.
    """
    text = json.dumps(_plain(data), indent=2, ensure_ascii=False, allow_nan=False)
    with replacing(path) as beside:
        beside.write_text(text + "\n", encoding="utf-8")
    return path


def _plain(data: Any) -> Any:
    if is_dataclass(data) and not isinstance(data, type):
        data = asdict(data)
    if hasattr(data, "tolist"):  # an array or number of numpy
        data = data.tolist()
    if isinstance(data, dict):
        return {key: _plain(value) for key, value in data.items()}
    if isinstance(data, (list, tuple)):
        return [_plain(value) for value in data]
    return data
