"""What one lesson leaves for the next, and a run for others: splits, training, predictions, metrics."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from ..model.training import load_training
from ..run.environment import versions
from ..run.files import replacing, write_json
from ..run.paths import RunPaths
from ..settings import Settings

if TYPE_CHECKING:
    import pandas as pd

    from .metrics import Evaluation


def save_evaluation(
    predictions: pd.DataFrame, evaluation: Evaluation, settings: Settings, **parts: Any
) -> dict[str, Any]:
    """Write ``predictions.parquet`` and ``metrics.json`` and return what the latter holds.

    Parameters
    ----------
    predictions : pandas.DataFrame
        From :func:`sentiment_lib.evaluation.prediction_table`.
    evaluation : Evaluation
        Of these predictions.
    settings : Settings
    **parts
        Further results by name, such as ``intervals``, ``calibration``, ``comparisons``; dataclasses, mappings
        and lists of them become plain data.

    Raises
    ------
    MissingResult
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
        **parts,
    }
    with replacing(settings.paths.predictions) as beside:
        predictions.to_parquet(beside, index=False)
    write_json(settings.paths.metrics, metrics)
    return load_metrics(settings.paths)


def load_metrics(paths: RunPaths) -> dict[str, Any]:
    """What :func:`save_evaluation` wrote to ``metrics.json``.

    Raises
    ------
    MissingResult
        When lesson 04 has not been run; the message says so.
    """
    return json.loads(paths.require(paths.metrics, "04").read_text(encoding="utf-8"))
