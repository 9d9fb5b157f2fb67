"""What learners try for themselves: short trainings and spoiled data, of which nothing is kept on disk."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from ..errors import ArgumentError
from ..settings import Settings, refuse_unknown

if TYPE_CHECKING:
    from datasets import Dataset, DatasetDict

SPOILINGS = ("leak", "sorted", "wrong labels")
_SEEN = 6000  # of the largest training: reviews times epochs


@dataclass(frozen=True)
class BriefRun:
    """What a short training has led to.

    Attributes
    ----------
    accuracy : float
        On the validation reviews.
    right : numpy.ndarray
        Whether each validation review was classified correctly, shape ``(reviews,)``.
    seen : numpy.ndarray
        Whether each validation review was among the training reviews, shape ``(reviews,)``.
    losses : tuple of float
        Training losses in nats, from the first to the last step, each a mean over a tenth of an epoch.
    settings : Settings
        With what was changed.
    train_size : int
    """

    accuracy: float
    right: np.ndarray
    seen: np.ndarray
    losses: tuple[float, ...]
    settings: Settings
    train_size: int


def train_briefly(
    settings: Settings, dataset: Mapping[str, Dataset], *, size: int = 600, epochs: float = 2.0, **changes: Any
) -> BriefRun:
    """Fine-tune on a few hundred reviews, measure on the validation reviews, and keep nothing on disk.

    Inputs are cut to 64 tokens, so that it takes seconds.

    Parameters
    ----------
    settings : Settings
        Of the lesson. The model of its run is not touched.
    dataset : mapping of str to datasets.Dataset
        Training and validation reviews.
    size : int
        How many training reviews are used: the first ones, or all if there are fewer.
    epochs : float
    **changes
        Other settings, such as ``learning_rate=1e-3``.

    Raises
    ------
    ArgumentError
        When `size` times `epochs` is more than 6,000 reviews, which would take minutes.
    SettingsError
        For a change that is not a setting, or out of range.
    """
    from ..model.inference import Classifier
    from ..model.training import fine_tune_unsaved, starting_model

    if size * epochs > _SEEN:
        raise ArgumentError(
            f"size={size} times epochs={epochs:g} is more than {_SEEN:,} reviews. Take fewer of either."
        )
    refuse_unknown(changes)
    own = replace(settings, run="brief", max_length=min(64, settings.max_length), first_length=None, epochs=epochs)
    own = replace(own, **changes)
    train = dataset["train"].select(range(min(size, len(dataset["train"]))))
    validation = dataset["validation"]
    model, tokenizer = starting_model(own)
    result = fine_tune_unsaved(model, tokenizer, train, own)
    probabilities = Classifier(model, tokenizer, own.encoding, own.precision).predict(validation["text"])
    right = (probabilities >= 0.5) == np.array(validation["label"])
    texts = set(train["text"])
    return BriefRun(
        accuracy=float(right.mean()),
        right=right,
        seen=np.array([text in texts for text in validation["text"]]),
        losses=tuple(result.history["loss"].dropna()),
        settings=own,
        train_size=len(train),
    )


class Suspects(dict):
    """Three copies of a data set, called A, B and C, each spoiled in one of the ways :data:`SPOILINGS`.

    Attributes
    ----------
    spoiling : dict of str to str
        How each copy was spoiled: the answer, for the check.
    """

    spoiling: dict[str, str]

    def __repr__(self) -> str:
        return f"Suspects({', '.join(self)})"


def suspects(dataset: DatasetDict, seed: int) -> Suspects:
    """Spoil a data set in three ways, in an order that depends on the seed.

    - ``leak``: a tenth of the training reviews are copies of validation reviews, with their labels.
    - ``sorted``: the training reviews are the first half of a file that was sorted by label.
    - ``wrong labels``: a fifth of the training labels are inverted.

    Each copy has the splits train and validation with the columns text and label.
    """
    from datasets import Dataset, DatasetDict

    random = np.random.default_rng(seed)
    train, validation = (
        dataset[name].select_columns(["text", "label"]).to_pandas() for name in ("train", "validation")
    )
    leaking = train.copy()
    copies = min(len(train) // 10, len(validation))
    places = random.choice(len(train), copies, replace=False)
    leaking.iloc[places] = validation.iloc[random.choice(len(validation), copies, replace=False)].to_numpy()
    leaking = leaking.astype({"label": int})
    in_order = train.sort_values("label", kind="stable", ascending=bool(random.integers(2)))
    half = in_order.head(len(train) // 2).sample(frac=1, random_state=seed)
    inverted = train.copy()
    wrong = random.choice(len(train), len(train) // 5, replace=False)
    inverted.loc[wrong, "label"] = 1 - inverted.loc[wrong, "label"]
    made = dict(zip(SPOILINGS, (leaking, half, inverted), strict=True))
    found = Suspects()
    found.spoiling = dict(zip("ABC", (str(kind) for kind in random.permutation(SPOILINGS)), strict=True))
    for name, kind in found.spoiling.items():
        found[name] = DatasetDict(
            train=Dataset.from_pandas(made[kind], preserve_index=False),
            validation=Dataset.from_pandas(validation, preserve_index=False),
        )
    return found
