"""What one lesson leaves for the next, and a run for others: splits, training, predictions, metrics."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .data import DATA_SETTINGS, DataError
from .environment import versions
from .files import replacing, write_json
from .paths import RunPaths
from .progress import library_bars
from .settings import Settings, SettingsError

if TYPE_CHECKING:
    import pandas as pd
    from datasets import DatasetDict

    from .metrics import Evaluation
    from .training import TrainingResult


def save_dataset(dataset: DatasetDict, settings: Settings) -> Path:
    """Keep the splits in ``results/<run>/dataset`` for the lessons that follow, with the settings they depend on."""
    folder = settings.paths.dataset
    with replacing(folder) as beside, library_bars(False):
        dataset.save_to_disk(beside)
        write_json(beside / "settings.json", _data_settings(settings))
    return folder


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


def check_trained(settings: Settings) -> None:
    """Nothing, when the run's model was trained with these settings.

    Raises
    ------
    FileNotFoundError
        When there is no model.
    SettingsError
        When it was trained with others; the message names them.
    """
    kept = load_training(settings.paths)["settings"]
    other = {k: v for k, v in settings.to_dict().items() if kept.get(k) != v}
    if other:
        named = ", ".join(f"{k}={v!r} (trained with {kept.get(k)!r})" for k, v in other.items())
        raise SettingsError(f"The model of run {settings.run!r} was trained with other settings: {named}.")


def save_baselines(predictions: Mapping[str, pd.DataFrame], tuning: Mapping[str, Any], settings: Settings) -> Path:
    """Keep what the baselines predict, for lesson 04.

    Parameters
    ----------
    predictions : mapping of str to pandas.DataFrame
        For ``"validation"``, ``"test"`` and ``"behaviour"``: a column ``text`` and one of probabilities a baseline.
    tuning : mapping of str to list of dict
        What each baseline tried on the validation split.
    settings : Settings
    """
    folder = settings.paths.baselines
    with replacing(folder) as beside:
        beside.mkdir()
        for name, table in predictions.items():
            table.to_parquet(beside / f"{name}.parquet", index=False)
        write_json(beside / "baselines.json", {"model": settings.model, **settings.encoding, "tuning": dict(tuning)})
    return folder


def load_baselines(texts: Sequence[str], name: str, settings: Settings) -> pd.DataFrame:
    """Probabilities of the baselines for `texts`, a column a baseline, in the order of the texts.

    Parameters
    ----------
    texts : sequence of str
        All must be among those that lesson 02 predicted.
    name : {"validation", "test", "behaviour"}
    settings : Settings

    Raises
    ------
    FileNotFoundError
        When lesson 02 has not been run.
    DataError
        When it was run with another model or on other texts.
    """
    import pandas as pd

    folder = settings.paths.require(settings.paths.baselines, "02")
    kept = json.loads((folder / "baselines.json").read_text(encoding="utf-8"))
    for key, value in {"model": settings.model, **settings.encoding}.items():
        if kept[key] != value:
            raise DataError(f"Lesson 02 was run with {key}={kept[key]!r}, not {value!r}. Run lesson 02 again first.")
    table = pd.read_parquet(folder / f"{name}.parquet").drop_duplicates("text").set_index("text")
    new = [text for text in texts if text not in table.index]
    if new:
        raise DataError(
            f"Lesson 02 has not seen {len(new)} of {len(texts)} texts ({name}), the first is {new[0][:80]!r}. "
            "Run lesson 02 again first."
        )
    return table.loc[list(texts)].reset_index(drop=True)


def save_evaluation(
    predictions: pd.DataFrame, evaluation: Evaluation, settings: Settings, **parts: Any
) -> dict[str, Any]:
    """Write ``predictions.parquet`` and ``metrics.json`` and return what the latter holds.

    Parameters
    ----------
    predictions : pandas.DataFrame
        From :func:`sentiment_lib.metrics.prediction_table`.
    evaluation : Evaluation
        Of these predictions.
    settings : Settings
    **parts
        Further results by name, such as ``intervals``, ``calibration``, ``comparisons``; dataclasses, mappings
        and lists of them become plain data.

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
    FileNotFoundError
        When lesson 04 has not been run; the message says so.
    """
    return json.loads(paths.require(paths.metrics, "04").read_text(encoding="utf-8"))
