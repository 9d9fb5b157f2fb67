"""What a run leaves for others to read: ``training.json``, ``predictions.parquet`` and ``metrics.json``."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .environment import versions
from .settings import RunPaths, Settings, write_json

if TYPE_CHECKING:
    import pandas as pd

    from .metrics import Evaluation
    from .training import TrainingResult


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
    target = settings.paths.predictions
    beside = target.with_name(target.name + ".part")
    predictions.to_parquet(beside, index=False)
    os.replace(beside, target)
    write_json(settings.paths.metrics, metrics)
    return metrics
