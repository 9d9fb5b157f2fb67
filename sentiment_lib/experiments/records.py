"""Experiments: many trials, a record (``metrics.json``) of each, and tables of the records. Taught in lesson 08."""

import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from datasets import Dataset, DatasetDict

from ..data.preparation import fingerprint, training_subset
from ..evaluation.predictions import unpacked
from ..evaluation.uncertainty import mean_interval
from ..run.files import write_json
from ..run.paths import shipped_file
from ..settings import Settings
from .trials import BERT, PROBE, Trial, Work, compute_trial, trial_settings

OF_A_TRIAL = ("training",)  # the parts of the settings that a trial depends on; its data are compared by their content

# a function that computes trials in any order, and yields each with its result when it is done
Spread = Callable[[Work, Sequence[Trial]], Iterable[tuple[Trial, dict[str, Any]]]]


def one_by_one(work: Work, trials: Sequence[Trial]) -> Iterator[tuple[Trial, dict[str, Any]]]:
    """Compute trials in this process, one after the other."""
    for trial in trials:
        yield trial, compute_trial(work, trial)


def run_trials(
    trials: Iterable[Trial],
    dataset: DatasetDict,
    settings: Settings,
    folder: Path,
    *,
    test_reviews: int | None = None,
    spread: Spread = one_by_one,
) -> Iterator[dict[str, Any]]:
    """Run the trials that have no record yet; yields the record of each trial, first those that exist.

    A trial's record is written when it is done. After a stop at any moment, the same call continues.

    Parameters
    ----------
    trials : iterable of Trial
    dataset : datasets.DatasetDict
        All trials draw from its training split and share validation and test.
    settings : Settings
        Of the run. A trial changes train_size, seed, epochs (small sets get more of them, so that at least
        :data:`FEWEST_SEEN` reviews are seen) and its `changes`.
    folder : pathlib.Path
        Holds one folder per trial, with its ``metrics.json``.
    test_reviews : int, optional
        Use only the first reviews of the test split (they are in random order).
    spread : callable
        How the remaining trials are computed: one after the other in this process, or by workers on this and other
        machines (:func:`sentiment_lib.experiments.over_workers`).

    Raises
    ------
    DataError
        For a size larger than the training split.
    SettingsError
        For changes that are not settings, before anything is trained.
    """
    trials = list(trials)
    for trial in trials:
        trial_settings(trial, settings)
        if not 2 <= trial.train_size <= len(dataset["train"]):
            training_subset(dataset["train"], trial.train_size, trial.seed)  # raises
    work = Work(dataset["train"], dataset["validation"], _test(dataset, test_reviews), settings)
    data = fingerprint([work.train, work.validation, work.test])
    remaining = []
    for trial in trials:
        path = folder / trial.name / "metrics.json"
        record = json.loads(path.read_text(encoding="utf-8")) if path.is_file() else None
        if record and _matches(record["ticket"], _inputs(trial, settings, data)):
            yield record
        else:
            remaining.append(trial)
    for trial, result in spread(work, remaining):
        record = {"ticket": _inputs(trial, settings, data), "trial": asdict(trial), **result}
        write_json(folder / trial.name / "metrics.json", record)
        yield record


def _test(dataset: DatasetDict, reviews: int | None) -> Dataset:
    return dataset["test"].select(range(min(reviews or len(dataset["test"]), len(dataset["test"]))))


def _inputs(trial: Trial, settings: Settings, data: str) -> dict[str, Any]:
    """Everything that a result depends on; a result with other inputs is computed again."""
    if trial.method == BERT:
        relevant = trial_settings(trial, settings).affecting(*OF_A_TRIAL)
        del relevant["seed"]  # the trial has its own
    else:
        relevant = {"model": settings.model, **(settings.encoding if trial.method == PROBE else {})}
    return {"data": data, **relevant}


def _matches(found: dict[str, Any], expected: dict[str, Any]) -> bool:
    """Whether a result has the expected inputs; a setting that it does not name had today's default."""
    defaults = {name: value for name, value in Settings().to_dict().items() if name in expected}
    return {**defaults, **found} == expected


def shipped_records(name: str) -> list[dict[str, Any]]:
    """Records that come with the workbook because they take minutes to hours.

    Parameters
    ----------
    name : {"snippets", "imdb", "snippets_curve", "imdb_curve", "hour", "three_ways", "negation", "lora"}
        The trials on these corpora, which ``benchmarks/measure.py`` collected from each ``metrics.json``, without file
        paths and times. The curves hold the trials of lesson 08's learning curves, with the answer to every test
        review. ``"hour"``: what an hour of training on IMDB buys, one record per system (``benchmarks/hour.py``). The
        record of the preset `imdb` has its accuracy on the test split, alone and together with a linear model, on the
        reviews that readers read again, and on the snippets. The others are single records. ``"three_ways"``: plain
        PyTorch, the Trainer and :func:`sentiment_lib.fine_tune` on the same sentences. ``"negation"``: a plan, and for
        eight seeds which heads carry a negation and what a repair did. ``"lora"``: LoRA beside full fine-tuning. Their
        programs in ``benchmarks/`` have the same names.
    """
    return json.loads(shipped_file(f"measured/{name}.json").read_text(encoding="utf-8"))


def same_experiment(
    records: Iterable[dict[str, Any]], dataset: DatasetDict, settings: Settings, test_reviews: int | None = None
) -> list[dict[str, Any]]:
    """Those records that :func:`run_trials` would make again: same reviews, same settings."""
    data = fingerprint([dataset["train"], dataset["validation"], _test(dataset, test_reviews)])
    return [r for r in records if _matches(r["ticket"], _inputs(Trial(**r["trial"]), settings, data))]


def answers(records: Iterable[Mapping[str, Any]]) -> np.ndarray:
    """Which test reviews the trials of some records got right, shape ``(trials, reviews)``: 1 if right, else 0."""
    return np.stack([unpacked(record["right"], record["test"]["examples"]) for record in records])


def table_of_runs(records: Iterable[Mapping[str, Any]]) -> pd.DataFrame:
    """One row per record, made only from what the records hold.

    Returns
    -------
    pandas.DataFrame
        ``method``, ``train_size``, ``seed``, one column for each setting that some trial changed (NaN where a trial
        did not), ``accuracy``, ``f1``, ``average_precision``, ``roc_auc`` and ``test_examples``.
    """
    records = list(records)
    trial, metrics = ["method", "train_size", "seed"], ["accuracy", "f1", "average_precision", "roc_auc"]
    changed = list(dict.fromkeys(name for record in records for name in record["trial"]["changes"]))
    rows = [
        record["test"] | record["trial"] | record["trial"]["changes"] | {"test_examples": record["test"]["examples"]}
        for record in records
    ]
    table = pd.DataFrame(rows).reindex(columns=[*trial, *changed, *metrics, "test_examples"])
    return table.sort_values(trial, kind="stable", ignore_index=True)


def summarise(table: pd.DataFrame, by: Sequence[str], measure: str = "accuracy") -> pd.DataFrame:
    """Mean of a metric over seeds with Student's t interval: ``runs``, ``mean``, ``low``, ``high``.

    The interval covers the variation between seeds (which reviews were drawn, how training went); for a single run it
    is NaN.
    """
    rows = []
    for key, group in table.groupby(list(by), dropna=False):
        mean = mean_interval(group[measure])
        statistics = {"runs": len(group), "mean": mean.estimate, "low": mean.low, "high": mean.high}
        rows.append(dict(zip(by, key, strict=True)) | statistics)
    return pd.DataFrame(rows)
