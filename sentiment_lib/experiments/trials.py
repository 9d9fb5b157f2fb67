"""Trials: small trainings, each with its test, that can be computed on any machine. Taught in lesson 08."""

import math
import re
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import lru_cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from datasets import Dataset

from ..data.preparation import training_subset
from ..errors import ArgumentError, SettingsError
from ..evaluation.metrics import evaluate
from ..model.baselines import PROBE, TFIDF, fit_probe, fit_tfidf, frozen_embedding
from ..model.compute import choose_compute
from ..model.inference import Classifier
from ..model.pretrained import initialize_model_and_tokenizer
from ..model.training import fine_tune
from ..run.environment import versions
from ..settings import Settings

BERT = "BERT"
METHODS = (BERT, TFIDF, PROBE)
FEWEST_SEEN = 1000  # reviews that BERT sees at least: a smaller training set gets more epochs


@dataclass(frozen=True)
class Trial:
    """One training and its test.

    Attributes
    ----------
    method : {"BERT", "TF-IDF + logistic regression", "linear probe"}
    train_size : int
        Training reviews.
    seed : int
        Seed of the reviews that are drawn, and of BERT's new weights and training order.
    changes : dict
        Settings that differ from those of the run, for BERT only.
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
    """The data and settings that trials are computed from; it can be sent to another machine."""

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
    """One trial for every method, size and seed.

    Parameters
    ----------
    sizes, seeds, methods
    everything : int, optional
        Size of the complete training set. With that size, the linear methods give the same result for every seed, so
        that they get only one trial.
    **changes
        Settings of BERT that differ from those of the run, such as ``trained_layers=2``.
    """
    return [
        Trial(method, size, seed, changes if method == BERT else {})
        for size in sizes
        for method in methods
        for seed in (seeds[:1] if size == everything and method != BERT else seeds)
    ]


def trial_settings(trial: Trial, settings: Settings) -> Settings:
    """The settings of a run with a trial's changes.

    Raises
    ------
    SettingsError
        For changes that are not settings, and for values out of range.
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
    """Train and test; returns the versions, the seconds and the metrics on the test reviews.

    No method uses the validation split: with 100 training reviews, nobody has 800 more to choose with. The linear
    methods choose their settings by cross-validation on the training reviews.
    """
    began = time.perf_counter()
    train, texts = training_subset(work.train, trial.train_size, trial.seed), work.test["text"]
    if trial.method == BERT:
        own = trial_settings(trial, work.settings)
        compute = choose_compute(own.device, own.precision, own.attention)
        model, tokenizer = initialize_model_and_tokenizer(
            own.model, revision=own.model_revision, dropout=own.dropout, compute=compute, seed=own.seed
        )
        with TemporaryDirectory() as folder:
            fine_tune(model, tokenizer, {"train": train}, own, output_dir=Path(folder) / "model", validate=False)
            probabilities = Classifier(model, tokenizer, own.encoding, own.precision).predict(texts)
    else:
        known = list(train["text"]), list(train["label"])
        fitted = fit_tfidf(*known) if trial.method == TFIDF else fit_probe(*known, _embedding(work.settings))
        probabilities = fitted.predict_proba(list(texts))[:, 1]
    test = evaluate(work.test["label"], probabilities).to_dict()
    return {"versions": versions(), "seconds": time.perf_counter() - began, "test": test}


@lru_cache(maxsize=1)
def _embedding(settings: Settings) -> Callable:
    """The frozen checkpoint, kept from one trial to the next."""
    model, tokenizer = initialize_model_and_tokenizer(
        settings.model, revision=settings.model_revision, compute=choose_compute(settings.device)
    )
    return frozen_embedding(Classifier(model, tokenizer, settings.encoding, settings.precision))
