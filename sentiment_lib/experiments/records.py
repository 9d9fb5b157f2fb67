"""Experiments: many trials, each kept as a ``metrics.json``, and tables made from those files.

Taught in lesson 07.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..data.preparation import fingerprint, training_subset
from ..errors import MissingResult
from ..evaluation.results import load_metrics
from ..evaluation.uncertainty import mean_interval
from ..run.files import write_json
from ..run.paths import shipped_file, short_path
from ..settings import Settings
from .trials import BERT, LinearProbe, Trial, Work, compute_trial, trial_settings

if TYPE_CHECKING:
    import pandas as pd
    from datasets import Dataset, DatasetDict


OF_A_TRIAL = ("training",)  # parts of the settings that a trial depends on; its data are compared by their content

# computes trials, in any order, and yields each with its result as soon as it is there
Spread = Callable[[Work, Sequence[Trial]], Iterable[tuple[Trial, dict[str, Any]]]]


def _one_by_one(work: Work, trials: Sequence[Trial]) -> Iterator[tuple[Trial, dict[str, Any]]]:
    for trial in trials:
        yield trial, compute_trial(work, trial)


def run_trials(
    trials: Iterable[Trial],
    dataset: DatasetDict,
    settings: Settings,
    folder: Path,
    *,
    test_reviews: int | None = None,
    spread: Spread = _one_by_one,
) -> Iterator[dict[str, Any]]:
    """Run the trials that have no result yet; yields each one's ``metrics.json``, first those that were there.

    A trial's file is written when it is done. Stopped at any moment, the same call goes on where it was.

    Parameters
    ----------
    trials : iterable of Trial
    dataset : datasets.DatasetDict
        All trials draw from its training split and share validation and test.
    settings : Settings
        Of the run; a trial changes train_size, seed, epochs (small sets get more of them, so that at least
        :data:`FEWEST_SEEN` reviews are seen) and its `changes`.
    folder : pathlib.Path
        A folder a trial is made in it.
    test_reviews : int, optional
        Use the first reviews of the test split only (they are in random order).
    spread : callable
        How the trials that are left are computed: one after another here, or by workers on this and other
        machines (:func:`sentiment_lib.experiments.over_workers`).

    Raises
    ------
    DataError
        For a size larger than the training split.
    SettingsError
        For changes that are no settings; before anything is trained.
    """
    trials = list(trials)
    for trial in trials:
        trial_settings(trial, settings)
        if not 2 <= trial.train_size <= len(dataset["train"]):
            training_subset(dataset["train"], trial.train_size, trial.seed)  # raises
    work = Work(dataset["train"], dataset["validation"], _test(dataset, test_reviews), settings)
    data = fingerprint([work.train, work.validation, work.test])
    left = []
    for trial in trials:
        path = folder / trial.name / "metrics.json"
        done = json.loads(path.read_text(encoding="utf-8")) if path.is_file() else None
        if done and _fits(done["ticket"], _ticket(trial, settings, data)):
            yield done
        else:
            left.append(trial)
    for trial, result in spread(work, left):
        done = {"ticket": _ticket(trial, settings, data), "trial": asdict(trial), **result}
        write_json(folder / trial.name / "metrics.json", done)
        yield done


def _test(dataset: DatasetDict, reviews: int | None) -> Dataset:
    return dataset["test"].select(range(min(reviews or len(dataset["test"]), len(dataset["test"]))))


def _ticket(trial: Trial, settings: Settings, data: str) -> dict[str, Any]:
    """What a result depends on; a result with another ticket is computed again."""
    if trial.method == BERT:
        relevant = trial_settings(trial, settings).affecting(*OF_A_TRIAL)
        del relevant["seed"]  # the trial has its own
    else:
        relevant = {"model": settings.model, **(settings.encoding if trial.method == LinearProbe.name else {})}
    return {"data": data, **relevant}


def _fits(found: dict[str, Any], wanted: dict[str, Any]) -> bool:
    """Whether a result has the ticket wanted; a setting that did not exist yet had its default of today."""
    defaults = {name: value for name, value in Settings().to_dict().items() if name in wanted}
    return {**defaults, **found} == wanted


def read_records(folder: Path) -> list[dict[str, Any]]:
    """What the ``metrics.json`` files of all trials in `folder` hold.

    Raises
    ------
    MissingResult
        When there is no result under `folder`.
    """
    files = sorted(Path(folder).glob("*/metrics.json"))
    if not files:
        raise MissingResult(f"There are no results of trials (*/metrics.json) in {short_path(folder)}.")
    return [json.loads(path.read_text(encoding="utf-8")) for path in files]


def shipped_records(name: str) -> list[dict[str, Any]]:
    """Results of trials that come with the workbook, because they take minutes to hours.

    Parameters
    ----------
    name : {"snippets", "imdb"}

    Notes
    -----
    They are the trials' ``metrics.json``, collected by ``benchmarks/measure.py``, without file paths and times.
    """
    return json.loads(shipped_file(f"measured/{name}.json").read_text(encoding="utf-8"))


def same_experiment(
    records: Iterable[dict[str, Any]], dataset: DatasetDict, settings: Settings, test_reviews: int | None = None
) -> list[dict[str, Any]]:
    """Those records that :func:`run_trials` would repeat: same reviews, same settings."""
    data = fingerprint([dataset["train"], dataset["validation"], _test(dataset, test_reviews)])
    return [one for one in records if _fits(one["ticket"], _ticket(Trial(**one["trial"]), settings, data))]


def own_record(settings: Settings) -> dict[str, Any]:
    """The run's own model as a trial, from its ``metrics.json`` (lesson 04)."""
    metrics = load_metrics(settings.paths)
    trial = Trial(BERT, metrics["train"]["examples"], metrics["seed"])
    return {"trial": asdict(trial), "versions": metrics["versions"], "test": metrics["test"]}


def table_of_runs(records: Iterable[Mapping[str, Any]]) -> pd.DataFrame:
    """One row a trial, made from what the ``metrics.json`` files hold and from nothing else.

    Returns
    -------
    pandas.DataFrame
        ``method``, ``train_size``, ``seed``, a column for each setting that some trial changed (NaN where a trial
        did not), ``accuracy``, ``f1``, ``average_precision``, ``roc_auc`` and ``test_examples``.
    """
    import pandas as pd

    records = list(records)
    plain, measures = ["method", "train_size", "seed"], ["accuracy", "f1", "average_precision", "roc_auc"]
    changed = list(dict.fromkeys(name for record in records for name in record["trial"]["changes"]))
    rows = [
        record["test"] | record["trial"] | record["trial"]["changes"] | {"test_examples": record["test"]["examples"]}
        for record in records
    ]
    table = pd.DataFrame(rows).reindex(columns=[*plain, *changed, *measures, "test_examples"])
    return table.sort_values(plain, kind="stable", ignore_index=True)


def summarise(table: pd.DataFrame, by: Sequence[str], measure: str = "accuracy") -> pd.DataFrame:
    """Mean of a measure over seeds with Student's t interval: ``runs``, ``mean``, ``low``, ``high``.

    The interval is about seeds (which reviews were drawn, how training went); of a single run it is NaN.
    """
    import pandas as pd

    rows = []
    for key, group in table.groupby(list(by), dropna=False):
        interval = mean_interval(group[measure])
        named = dict(zip(by, key, strict=True))
        rows.append(
            {**named, "runs": len(group), **dict(zip(("mean", "low", "high"), asdict(interval).values(), strict=True))}
        )
    return pd.DataFrame(rows)
