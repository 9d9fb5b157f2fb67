"""What one lesson leaves for the next, and a run for others: splits, training, predictions, metrics."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .data import DATA_SETTINGS, DataError
from .environment import versions
from .files import replacing, write_json
from .paths import RunPaths
from .settings import Settings

if TYPE_CHECKING:
    import pandas as pd
    from datasets import DatasetDict

    from .metrics import Evaluation
    from .training import TrainingResult


def save_dataset(dataset: DatasetDict, settings: Settings) -> Path:
    """Keep the splits in ``results/<run>/dataset`` for the lessons that follow, with the settings they depend on."""
    folder = settings.paths.dataset
    with replacing(folder) as beside, _without_bars():
        dataset.save_to_disk(beside)
        write_json(beside / "settings.json", _data_settings(settings))
    return folder


@contextmanager
def _without_bars() -> Iterator[None]:
    """Without the datasets library's own progress bars, for work that takes no time."""
    import datasets

    shown = datasets.is_progress_bar_enabled()
    datasets.disable_progress_bars()
    try:
        yield
    finally:
        if shown:
            datasets.enable_progress_bars()


def load_dataset(settings: Settings) -> DatasetDict:
    """The splits that :func:`save_dataset` kept, in memory.

    Raises
    ------
    FileNotFoundError
        When lesson 01 has not been run.
    DataError
        When it was run with other settings; the message names them.
    """
    from datasets import load_from_disk

    folder = settings.paths.require(settings.paths.dataset, "01")
    kept = json.loads((folder / "settings.json").read_text(encoding="utf-8"))
    other = {k: v for k, v in _data_settings(settings).items() if kept.get(k) != v}
    if other:
        named = ", ".join(f"{k}={v!r} (lesson 01 had {kept.get(k)!r})" for k, v in other.items())
        raise DataError(f"The kept dataset was prepared with other settings: {named}. Run lesson 01 again first.")
    return load_from_disk(folder, keep_in_memory=True)


def _data_settings(settings: Settings) -> dict[str, Any]:
    return {key: getattr(settings, key) for key in DATA_SETTINGS}


def save_training(result: TrainingResult, settings: Settings) -> Path:
    """Write ``training.json``: how the model was trained, and the settings that ``predict`` needs again."""
    return write_json(settings.paths.training, {"settings": settings.to_dict(), **result.to_dict()})


def load_training(paths: RunPaths) -> dict[str, Any]:
    """What :func:`save_training` wrote.

    Raises
    ------
    FileNotFoundError
        When lesson 03 has not been run; the message says so.
    """
    return json.loads(paths.require(paths.training, "03").read_text(encoding="utf-8"))


def save_evaluation(predictions: pd.DataFrame, evaluation: Evaluation, settings: Settings) -> dict[str, Any]:
    """Write ``predictions.parquet`` and ``metrics.json`` and return what the latter holds.

    Raises
    ------
    FileNotFoundError
        When lesson 03 has not been run.
    """
    training = load_training(settings.paths)
    metrics = {
        "preset": settings.preset,
        "run": settings.run,
        "source": settings.source,
        "model": settings.model,
        "seed": settings.seed,
        "settings": training["settings"],
        "versions": versions(),
        "train": {key: training[key] for key in ("examples", "steps", "seconds", "examples_per_second", "best_step")},
        "test": evaluation.to_dict(),
    }
    with replacing(settings.paths.predictions) as beside:
        predictions.to_parquet(beside, index=False)
    write_json(settings.paths.metrics, metrics)
    return metrics
