"""Trials: small trainings, each with its test, that can be computed on any machine. Taught in lesson 08."""

import itertools
import math
import re
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import lru_cache
from typing import Any

import numpy as np
from datasets import Dataset
from sklearn.metrics import log_loss
from sklearn.model_selection import StratifiedKFold

from ..data.preparation import training_subset
from ..errors import SettingsError, check_choice
from ..evaluation.metrics import evaluate
from ..evaluation.predictions import packed
from ..model.baselines import PROBE, TFIDF, fit_probe, fit_tfidf, frozen_embedding
from ..model.inference import Classifier
from ..model.training import fine_tune_unsaved, starting_model
from ..run.environment import versions
from ..settings import Settings, refuse_unknown

BERT = "BERT"
METHODS = (BERT, TFIDF, PROBE)
FEWEST_SEEN = 1000  # reviews that BERT sees at least: a smaller training set gets more epochs
FOLDS = 3  # of the cross-validation that chooses among several values of a setting


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
        For BERT: settings that differ from those of the run. A list of values is a choice: cross-validation on the
        trial's own training reviews picks the one with the best log loss. ``steps`` instead of ``epochs`` gives the
        number of optimiser steps. For the linear probe: ``pooling``, as in
        :meth:`sentiment_lib.model.Classifier.embed`.
    """

    method: str
    train_size: int
    seed: int = 0
    changes: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        check_choice("method", self.method, METHODS)

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

    With the complete training set, whose size is `everything`, the linear methods give the same result for every seed,
    so that they get only one trial. `changes` are settings of BERT that differ from those of the run, such as
    ``trained_layers=2``.
    """
    return [
        Trial(method, size, seed, changes if method == BERT else {})
        for size in sizes
        for method in methods
        for seed in (seeds[:1] if size == everything and method != BERT else seeds)
    ]


def trial_settings(trial: Trial, settings: Settings) -> Settings:
    """The settings of a run with a trial's changes; a SettingsError if they are no settings or out of range."""
    for name, value in trial.changes.items():
        if name in ("seed", "train_size"):
            raise SettingsError(f"{name!r} is in the changes of trial {trial.name}; give it as Trial(..., {name}=...).")
        if value == []:
            raise SettingsError(f"{name}=[] in trial {trial.name} leaves nothing to choose from; give values.")
    if trial.method != BERT:
        if unknown := set(trial.changes) - ({"pooling"} if trial.method == PROBE else set()):
            raise SettingsError(f"Unknown setting {min(unknown)!r} in the changes of trial {trial.name}.")
        return replace(settings, train_size=trial.train_size, seed=trial.seed)
    first, *_ = [_with_changes(option, settings) for option in _options(trial)]  # checks them all
    return first


def _options(trial: Trial) -> list[Trial]:
    """The trial with each combination of the values that it leaves open."""
    values = [value if isinstance(value, list) else [value] for value in trial.changes.values()]
    return [
        replace(trial, changes=dict(zip(trial.changes, chosen, strict=True))) for chosen in itertools.product(*values)
    ]


def _with_changes(trial: Trial, settings: Settings) -> Settings:
    changes = dict(trial.changes)
    batches = math.ceil(trial.train_size / changes.get("batch_size", settings.batch_size))
    epochs = max(settings.epochs, math.ceil(FEWEST_SEEN / trial.train_size))
    if "steps" in changes:
        epochs = changes.pop("steps") / batches
    changes = {"epochs": float(epochs), **changes}
    refuse_unknown(changes)
    if "model" in changes:
        changes.setdefault("model_revision", None)  # the run's revision belongs to the run's model
    return replace(settings, train_size=trial.train_size, seed=trial.seed, **changes)


def compute_trial(work: Work, trial: Trial) -> dict[str, Any]:
    """Train and test.

    No method uses the validation split: with 100 training reviews, nobody has 800 more to choose with. What a trial
    leaves open is chosen by cross-validation on its training reviews.

    Returns
    -------
    dict
        ``versions``, ``seconds``, ``test`` (the metrics on the test reviews), ``right`` (which test reviews were
        classified correctly, for :func:`sentiment_lib.evaluation.predictions.unpacked`) and ``chosen`` (the settings
        that were left open).
    """
    began = time.perf_counter()
    train, texts = training_subset(work.train, trial.train_size, trial.seed), list(work.test["text"])
    chosen: dict[str, Any] = {}
    if trial.method == BERT:
        best = _best_option(train, trial, work.settings)
        chosen = {name: best.changes[name] for name, value in trial.changes.items() if isinstance(value, list)}
        probabilities = _trained_on(train, best, work.settings, texts)
    else:
        known = list(train["text"]), list(train["label"])
        pooling = trial.changes.get("pooling", "mean")
        fitted = fit_tfidf(*known) if trial.method == TFIDF else fit_probe(*known, _embedding(work.settings, pooling))
        probabilities = fitted.predict_proba(texts)[:, 1]
    labels = np.array(work.test["label"])
    return {
        "versions": versions(),
        "seconds": time.perf_counter() - began,
        "test": evaluate(labels, probabilities).to_dict(),
        "right": packed((probabilities >= 0.5) == (labels == 1)),
        "chosen": chosen,
    }


def _trained_on(train: Dataset, trial: Trial, settings: Settings, texts: list[str]) -> np.ndarray:
    """Fine-tune as a trial says; the probabilities of positive for other texts, shape ``(texts,)``."""
    own = trial_settings(replace(trial, train_size=len(train)), settings)
    model, tokenizer = starting_model(own)
    fine_tune_unsaved(model, tokenizer, train, own)
    return Classifier(model, tokenizer, own.encoding, own.precision).predict(texts)


def _best_option(train: Dataset, trial: Trial, settings: Settings) -> Trial:
    """The trial with the values that have the best log loss in cross-validation on its training reviews."""
    labels = np.array(train["label"])
    folds = min(FOLDS, *np.bincount(labels, minlength=2).tolist())
    options = _options(trial)
    if len(options) == 1 or folds < 2:  # too few reviews of a label leave no choice
        return options[0]
    losses = []
    for option in options:
        found = np.empty(len(labels))
        for rest, fold in StratifiedKFold(folds, shuffle=True, random_state=trial.seed).split(labels, labels):
            held_out = [train["text"][i] for i in fold]
            found[fold] = _trained_on(train.select(rest), option, settings, held_out)
        losses.append(log_loss(labels, found, labels=[0, 1]))
    return options[int(np.argmin(losses))]


@lru_cache(maxsize=2)
def _embedding(settings: Settings, pooling: str) -> Callable:
    """The frozen checkpoint, kept from one trial to the next."""
    model, tokenizer = starting_model(settings)
    return frozen_embedding(Classifier(model, tokenizer, settings.encoding, settings.precision), pooling)
