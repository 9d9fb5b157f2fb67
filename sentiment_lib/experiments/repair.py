"""The experiment of lesson 08: can a few sentences repair the model's shortcut, and at what cost?

A fine-tuned model is trained a little further on sentences from templates, mixed with reviews that it knows. In one arm
the sentences hold a negation, in the control arm they are the same sentences without it (Liu, Schwartz and Smith,
Inoculation by fine-tuning, NAACL 2019).
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from datasets import Dataset

from ..errors import check_choice
from ..evaluation.behaviour import behavioural_cases, run_behavioural_tests
from ..evaluation.negation import negation_pairs
from ..model.inference import Classifier
from ..model.training import fine_tune_unsaved
from ..settings import Settings

if TYPE_CHECKING:
    from transformers import PreTrainedModel, PreTrainedTokenizerBase

ARMS = ("negated", "plain")
KNOWN = 400  # reviews of the training split that are mixed in, so that the model does not forget


def repair_set(train: Dataset, arm: str, seed: int, known: int = KNOWN) -> Dataset:
    """What a model is trained further on: template sentences of an arm and reviews of the training split, shuffled.

    Parameters
    ----------
    arm : {"negated", "plain"}
        Sentences with "not", or the same ones with another adverb. Any other arm is an ArgumentError.
    seed : int
        Which reviews, and which order.
    known : int
        How many reviews of the training split.

    Returns
    -------
    datasets.Dataset
        Columns ``text`` and ``label``.
    """
    check_choice("arm", arm, ARMS)
    pairs = negation_pairs("training")
    labels = 1 - pairs["label"] if arm == "negated" else pairs["label"]
    sentences = pd.DataFrame({"text": pairs[arm], "label": labels})
    reviews = train.select_columns(["text", "label"]).to_pandas().sample(min(known, len(train)), random_state=seed)
    mixed = pd.concat([sentences, reviews]).sample(frac=1, random_state=seed)
    return Dataset.from_pandas(mixed, preserve_index=False)


def train_further(
    model: PreTrainedModel, tokenizer: PreTrainedTokenizerBase, reviews: Dataset, settings: Settings, **changes: Any
) -> Classifier:
    """Train a fine-tuned model further, in place and without a trace on disk.

    Parameters
    ----------
    settings : Settings
        Of the run whose model it is.
    **changes
        Other settings, such as ``learning_rate=2e-5``.
    """
    own = replace(settings, run="further", first_length=None, **changes)
    fine_tune_unsaved(model, tokenizer, reviews, own)
    return Classifier(model, tokenizer, own.encoding, own.precision)


def measure_repair(classifier: Classifier, reviews: Dataset) -> dict[str, Any]:
    """What a repair is judged by.

    Returns
    -------
    dict
        ``right``: for each of `reviews` whether it was classified correctly, bool; ``pairs``: for each part of the
        templates, each side and each label of the plain sentence, such as ``"sealed, negated blame"``, the share of
        right answers for each template; ``behaviour``: the failure rate of each behavioural test by label.
    """
    right = (classifier.predict(reviews["text"], progress=False) >= 0.5) == np.array(reviews["label"])
    shares: dict[str, list[float]] = {}
    for part in ("explore", "confirm", "sealed"):
        pairs = negation_pairs(part)
        for side, wanted in (("plain", pairs["label"]), ("negated", 1 - pairs["label"])):
            hits = (classifier.predict(pairs[side].tolist(), progress=False) >= 0.5) == wanted.to_numpy()
            by_template = pd.Series(hits).groupby([pairs["label"], pairs["template"]], sort=False).mean()
            for label, word in ((1, "praise"), (0, "blame")):
                shares[f"{part}, {side} {word}"] = by_template[label].tolist()
    behaviour = run_behavioural_tests(lambda texts: classifier.predict(texts, progress=False), behavioural_cases())
    rates = behaviour.by_label()["failure_rate"]
    return {
        "right": right,
        "pairs": shares,
        "behaviour": {f"{capability}, {label}": float(rate) for (capability, label), rate in rates.items()},
    }
