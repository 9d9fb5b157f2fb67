"""The prepared splits of a run on disk, for the lessons after the first."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

from ..errors import DataError
from ..run.files import replacing, write_json
from ..run.progress import library_bars
from ..settings import Settings

if TYPE_CHECKING:
    from datasets import DatasetDict


def save_dataset(dataset: DatasetDict, settings: Settings) -> Path:
    """Keep the splits in ``results/<run>/dataset`` for the lessons that follow, with the settings they depend on."""
    folder = settings.paths.dataset
    with replacing(folder) as beside, library_bars(False):
        dataset.save_to_disk(beside)
        write_json(beside / "settings.json", settings.affecting("data"))
    return folder


def load_dataset(settings: Settings) -> DatasetDict:
    """The splits that :func:`save_dataset` kept, in memory.

    Raises
    ------
    MissingResult
        When lesson 01 has not been run.
    DataError
        When it was run with other settings; the message names them.
    """
    from datasets import load_from_disk

    folder = settings.paths.require(settings.paths.dataset, "01")
    kept = json.loads((folder / "settings.json").read_text(encoding="utf-8"))
    if other := settings.differences(kept, "data"):
        raise DataError(f"The kept dataset was prepared with other settings: {other}. Run lesson 01 again first.")
    return load_from_disk(folder, keep_in_memory=True)
