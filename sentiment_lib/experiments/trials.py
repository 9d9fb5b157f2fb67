"""A trial: one small training with its test, which can be computed anywhere.

Taught in lesson 07.
"""

from __future__ import annotations

import math
import re
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import lru_cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

from ..data.preparation import training_subset
from ..errors import ArgumentError, SettingsError
from ..evaluation.metrics import evaluate
from ..model.baselines import LinearProbe, TfidfLogistic, frozen_embedding
from ..model.compute import choose_compute
from ..model.inference import Classifier
from ..model.pretrained import initialize_model_and_tokenizer
from ..model.training import fine_tune
from ..run.environment import versions
from ..settings import Settings

if TYPE_CHECKING:
    import numpy as np
    from datasets import Dataset

BERT = "BERT"
METHODS = (BERT, TfidfLogistic.name, LinearProbe.name)
FEWEST_SEEN = 1000  # reviews that even the smallest training set shows BERT, by more epochs


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
            raise ArgumentError(f"method={self.method!r} is not one of {', '.join(map(repr, METHODS))}.")

    @property
    def name(self) -> str:
        """Name of the trial's folder."""
        parts = [self.method, f"n{self.train_size}", f"seed{self.seed}"]
        parts += [f"{key}-{value}" for key, value in sorted(self.changes.items())]
        return re.sub(r"[^a-z0-9.+_-]+", "-", "_".join(parts).lower().replace(" + ", "+"))


@dataclass(frozen=True)
class Work:
    """What trials are computed from; it can be sent to another machine."""

    train: Dataset
    validation: Dataset
    test: Dataset
    settings: Settings


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


def trial_settings(trial: Trial, settings: Settings) -> Settings:
    """A run's settings with what a trial changes.

    Raises
    ------
    SettingsError
        For changes that are no settings, or out of range.
    """
    epochs = max(settings.epochs, math.ceil(FEWEST_SEEN / trial.train_size))
    changes = {"epochs": float(epochs), **trial.changes}
    unknown = set(changes) - set(settings.to_dict())
    if unknown:
        raise SettingsError(f"Unknown setting {sorted(unknown)[0]!r} in the changes of trial {trial.name}.")
    if "model" in changes:
        changes.setdefault("model_revision", None)  # the run's revision belongs to the run's model
    return replace(settings, train_size=trial.train_size, seed=trial.seed, **changes)


def compute_trial(work: Work, trial: Trial) -> dict[str, Any]:
    """Train and test: versions, seconds and the measures of the test reviews."""
    began = time.perf_counter()
    train = training_subset(work.train, trial.train_size, trial.seed)
    with TemporaryDirectory() as folder:
        if trial.method == BERT:
            probabilities = _fine_tuned(trial, train, work.test, work.settings, Path(folder))
        else:
            probabilities = _linear(trial, train, work.validation, work.test, work.settings)
    test = evaluate(work.test["label"], probabilities).to_dict()
    return {"versions": versions(), "seconds": time.perf_counter() - began, "test": test}


def _fine_tuned(trial, train: Dataset, test: Dataset, settings: Settings, folder: Path) -> np.ndarray:
    """Probabilities of the test reviews by a BERT that was fine-tuned for this trial; the model is not kept.

    The validation split is not used: who has 100 training reviews has no 800 to pick a checkpoint with.
    """
    own = trial_settings(trial, settings)
    compute = choose_compute(own.device, own.precision, own.attention)
    model, tokenizer = initialize_model_and_tokenizer(
        own.model, revision=own.model_revision, dropout=own.dropout, compute=compute, seed=own.seed
    )
    fine_tune(model, tokenizer, {"train": train}, own, output_dir=folder / "model", validate=False)
    return Classifier(model, tokenizer, own.encoding, own.precision).predict(test["text"])


def _linear(trial, train: Dataset, validation, test, settings: Settings) -> np.ndarray:
    """Probabilities of the test reviews by a baseline."""
    if trial.method == TfidfLogistic.name:
        return TfidfLogistic().fit(train, validation).predict(test["text"])
    return LinearProbe(_embedding(settings)).fit(train, validation).predict(test["text"])


@lru_cache(maxsize=1)
def _embedding(settings: Settings) -> Callable:
    """The frozen checkpoint, loaded when it is first needed."""
    model, tokenizer = initialize_model_and_tokenizer(
        settings.model, revision=settings.model_revision, compute=choose_compute(settings.device)
    )
    return frozen_embedding(Classifier(model, tokenizer, settings.encoding, settings.precision))
