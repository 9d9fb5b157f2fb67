"""The metrics and predictions of a run, as files for later lessons and for others."""

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

    If lesson 03 has not been run, a MissingResult says so.

    Parameters
    ----------
    predictions : pandas.DataFrame
        From :func:`sentiment_lib.evaluation.prediction_table`.
    evaluation : Evaluation
        Of these predictions.
    settings : Settings
    **parts
        Further results by name, such as ``intervals``, ``calibration``, ``comparisons``. Dataclasses, mappings
        and lists of them become plain data.
    """
    training = load_training(settings.paths)
    metrics = {
        **{name: getattr(settings, name) for name in ("preset", "run", "source", "model", "seed")},
        "settings": training["settings"],
        "versions": versions(),
        "train": {key: training[key] for key in ("examples", "steps", "seconds", "examples_per_second", "best_step")},
        "test": evaluation.to_dict(),
        **parts,
    }
    with replacing(settings.paths.predictions) as temporary:
        predictions.to_parquet(temporary, index=False)
    write_json(settings.paths.metrics, metrics)
    return load_metrics(settings.paths)


def add_to_metrics(settings: Settings, **parts: Any) -> dict[str, Any]:
    """Add further results to ``metrics.json``, each in the place of an earlier one of its name; return what it holds.

    If lesson 04 has not been run, a MissingResult says so.
    """
    write_json(settings.paths.metrics, load_metrics(settings.paths) | parts)
    return load_metrics(settings.paths)


def load_metrics(paths: RunPaths) -> dict[str, Any]:
    """What :func:`save_evaluation` wrote to ``metrics.json``, or a MissingResult if lesson 04 has not been run."""
    return json.loads(paths.require(paths.metrics, "04").read_text(encoding="utf-8"))
