"""Experiments: many small trainings, each kept as a ``metrics.json``, and tables made from those files.

Taught in lesson 07.
"""

from __future__ import annotations

import json
import math
import re
import shutil
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from .baselines import LinearProbe, TfidfLogistic, frozen_embedding
from .data import DATA_SETTINGS, fingerprint, training_subset
from .environment import versions
from .files import write_json
from .inference import predict
from .metrics import evaluate
from .model import choose_compute, initialize_model_and_tokenizer
from .paths import lessons_dir, short_path
from .results import load_metrics
from .settings import Settings, SettingsError
from .training import fine_tune
from .uncertainty import mean_interval

if TYPE_CHECKING:
    import pandas as pd
    from datasets import Dataset, DatasetDict

BERT = "BERT"
METHODS = (BERT, TfidfLogistic.name, LinearProbe.name)
FEWEST_SEEN = 1000  # reviews that even the smallest training set shows BERT, by more epochs
# Settings that a trial does not depend on. The data are compared by their content; seed and size are the trial's.
_IRRELEVANT = {"preset", "run", "device", "seed", "best_by", "early_stopping", *DATA_SETTINGS}


@dataclass(frozen=True)
class Trial:
    """One training and its test: a cell of an experiment.

    Attributes
    ----------
    method : {"BERT", "TF-IDF + logistic regression", "linear probe"}
    train_size : int
        Training reviews.
    seed : int
        Which reviews are drawn, and the seed of BERT's new weights and training order.
    changes : dict
        Settings that differ from the run's, for BERT only.
    """

    method: str
    train_size: int
    seed: int = 0
    changes: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if self.method not in METHODS:
            raise ValueError(f"method={self.method!r} is not one of {', '.join(map(repr, METHODS))}.")

    @property
    def name(self) -> str:
        """Name of the trial's folder."""
        parts = [self.method, f"n{self.train_size}", f"seed{self.seed}"]
        parts += [f"{key}-{value}" for key, value in sorted(self.changes.items())]
        return re.sub(r"[^a-z0-9.+_-]+", "-", "_".join(parts).lower().replace(" + ", "+"))


def grid(
    sizes: Sequence[int],
    seeds: Sequence[int],
    methods: Sequence[str] = METHODS,
    everything: int | None = None,
    **changes,
) -> list[Trial]:
    """A trial for every method, size and seed.

    Parameters
    ----------
    sizes, seeds, methods
    everything : int, optional
        Size of the whole training set: drawn whole, the linear methods come out the same for every seed, so
        that one seed is enough for them.
    **changes
        Settings of BERT that differ from the run's, such as ``trained_layers=2``.
    """
    return [
        Trial(method, size, seed, changes if method == BERT else {})
        for size in sizes
        for method in methods
        for seed in (seeds[:1] if size == everything and method != BERT else seeds)
    ]


def run_trials(
    trials: Iterable[Trial],
    dataset: DatasetDict,
    settings: Settings,
    folder: Path,
    *,
    test_reviews: int | None = None,
) -> Iterator[dict[str, Any]]:
    """Run the trials that have no result yet; yields each one's ``metrics.json``, old or new.

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

    Raises
    ------
    DataError
        For a size larger than the training split.
    SettingsError
        For changes that are no settings; before anything is trained.
    """
    trials = list(trials)
    for trial in trials:
        _trial_settings(trial, settings)
        if not 2 <= trial.train_size <= len(dataset["train"]):
            training_subset(dataset["train"], trial.train_size, trial.seed)  # raises
    test = _test(dataset, test_reviews)
    data = fingerprint([dataset["train"], dataset["validation"], test])
    embedding: list[Callable] = []  # the frozen checkpoint, loaded when it is first needed
    for trial in trials:
        ticket = _ticket(trial, settings, data)
        path = folder / trial.name / "metrics.json"
        done = json.loads(path.read_text(encoding="utf-8")) if path.is_file() else None
        if done is None or done["ticket"] != ticket:
            began = time.perf_counter()
            train = training_subset(dataset["train"], trial.train_size, trial.seed)
            if trial.method == BERT:
                probabilities = _fine_tuned(trial, train, test, settings, path.parent)
            else:
                probabilities = _linear(trial, train, dataset["validation"], test, settings, embedding)
            done = {
                "ticket": ticket,
                "trial": asdict(trial),
                "versions": versions(),
                "seconds": time.perf_counter() - began,
                "test": evaluate(test["label"], probabilities).to_dict(),
            }
            write_json(path, done)
        yield done


def _test(dataset: DatasetDict, reviews: int | None) -> Dataset:
    return dataset["test"].select(range(min(reviews or len(dataset["test"]), len(dataset["test"]))))


def _trial_settings(trial: Trial, settings: Settings) -> Settings:
    epochs = max(settings.epochs, math.ceil(FEWEST_SEEN / trial.train_size))
    changes = {"epochs": float(epochs), **trial.changes}
    unknown = set(changes) - set(settings.to_dict())
    if unknown:
        raise SettingsError(f"Unknown setting {sorted(unknown)[0]!r} in the changes of trial {trial.name}.")
    return replace(settings, train_size=trial.train_size, seed=trial.seed, **changes)


def _ticket(trial: Trial, settings: Settings, data: str) -> dict[str, Any]:
    """What a result depends on; a result with another ticket is computed again."""
    relevant = _trial_settings(trial, settings).to_dict() if trial.method == BERT else {"model": settings.model}
    if trial.method == LinearProbe.name:
        relevant |= settings.encoding
    return {"data": data, **{k: v for k, v in relevant.items() if k not in _IRRELEVANT}}


def _fine_tuned(trial, train: Dataset, test: Dataset, settings: Settings, folder: Path) -> np.ndarray:
    """Probabilities of the test reviews by a BERT that was fine-tuned for this trial; the model is not kept.

    The validation split is not used: who has 100 training reviews has no 800 to pick a checkpoint with.
    """
    own = _trial_settings(trial, settings)
    compute = choose_compute(own.device, own.precision, own.attention)
    model, tokenizer = initialize_model_and_tokenizer(
        own.model, revision=own.model_revision, dropout=own.dropout, compute=compute, seed=own.seed
    )
    fine_tune(model, tokenizer, {"train": train}, own, output_dir=folder / "model", validate=False)
    probabilities = predict(test["text"], model, tokenizer, **own.encoding, precision=own.precision)
    shutil.rmtree(folder / "model")
    return probabilities


def _linear(trial, train: Dataset, validation, test, settings: Settings, embedding: list[Callable]) -> np.ndarray:
    """Probabilities of the test reviews by a baseline."""
    if trial.method == TfidfLogistic.name:
        return TfidfLogistic().fit(train, validation).predict(test["text"])
    if not embedding:
        model, tokenizer = initialize_model_and_tokenizer(
            settings.model, revision=settings.model_revision, compute=choose_compute(settings.device)
        )
        embedding.append(frozen_embedding(model, tokenizer, settings))
    return LinearProbe(embedding[0]).fit(train, validation).predict(test["text"])


def read_records(folder: Path) -> list[dict[str, Any]]:
    """What the ``metrics.json`` files of all trials in `folder` hold.

    Raises
    ------
    FileNotFoundError
        When there is no result under `folder`.
    """
    files = sorted(Path(folder).glob("*/metrics.json"))
    if not files:
        raise FileNotFoundError(f"There are no results of trials (*/metrics.json) in {short_path(folder)}.")
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
    path = lessons_dir().parent / "data" / "measured" / f"{name}.json"
    return json.loads(path.read_text(encoding="utf-8"))


def same_experiment(
    records: Iterable[dict[str, Any]], dataset: DatasetDict, settings: Settings, test_reviews: int | None = None
) -> list[dict[str, Any]]:
    """Those records that :func:`run_trials` would repeat: same reviews, same settings."""
    data = fingerprint([dataset["train"], dataset["validation"], _test(dataset, test_reviews)])
    return [one for one in records if one["ticket"] == _ticket(Trial(**one["trial"]), settings, data)]


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
        record["trial"] | record["trial"]["changes"] | record["test"] | {"test_examples": record["test"]["examples"]}
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
