"""Sets of labels that hold the true one as often as promised, and abstaining where a set has both (lesson 04)."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from ..errors import ArgumentError
from .predictions import check_predictions, check_probabilities
from .uncertainty import Interval, share_intervals


@dataclass(frozen=True)
class PredictionSets:
    """For each text the labels that were not ruled out.

    Attributes
    ----------
    level : float
        The promised share of sets that hold the true label.
    smallest : numpy.ndarray
        The smallest probability that a label may have without being ruled out: for negative and for positive, shape
        ``(2,)``.
    members : numpy.ndarray
        Whether each label is in each set, bool, shape ``(texts, 2)``.
    """

    level: float
    smallest: np.ndarray
    members: np.ndarray

    @property
    def size(self) -> np.ndarray:
        """How many labels each set has: 2 means "I do not know", 0 means that both labels were ruled out."""
        return self.members.sum(axis=1)

    def coverage(self, labels: ArrayLike) -> Interval:
        """The share of sets that hold the true label (`labels`, shape ``(texts,)``), with its 95 % Wilson interval."""
        held = self.members[np.arange(len(self.members)), np.asarray(labels)]
        (low,), (high,) = share_intervals(held.sum(), held.size)
        return Interval(float(held.mean()), float(low), float(high))


def prediction_sets(
    labels: ArrayLike, probabilities: ArrayLike, new: ArrayLike, level: float = 0.9, *, by_label: bool = False
) -> PredictionSets:
    """Split conformal prediction with the score 1 minus the probability of the label.

    If the texts of the calibration split and the new ones were drawn in the same way, then a set holds the true label
    with at least the probability `level`, whatever the model (Vovk, Gammerman and Shafer, Algorithmic Learning in a
    Random World, 2005; the score is that of Sadinle, Lei and Wasserman, Least ambiguous set-valued classifiers with
    bounded error levels, JASA 2019). The promise is about an average over texts and over calibration splits, and not
    about each kind of text.

    Parameters
    ----------
    labels, probabilities : array, shape (n,)
        Labels (0, 1) and probabilities of positive of texts that the model was not trained on.
    new : array of float, shape (m,)
        Probabilities of positive of the texts that get the sets.
    level : float
        Between 0 and 1. Below the accuracy of the model, some sets are empty.
    by_label : bool
        Promise the level for the negative texts and for the positive ones, each with a threshold of its own.

    Raises
    ------
    ArgumentError
        For too few calibration texts: `level` of 0.9 needs 9, in general ``level / (1 - level)``; for a level that is
        not between 0 and 1; for labels and probabilities that are none.
    """
    labels, probabilities = check_predictions(labels, probabilities)
    if not 0 < level < 1:
        raise ArgumentError(f"level={level} must lie between 0 and 1, such as 0.9.")
    of_label = np.where(labels == 1, probabilities, 1 - probabilities)
    groups = [of_label[labels == label] for label in (0, 1)] if by_label else [of_label, of_label]
    smallest = np.array([_smallest(group, level) for group in groups])
    new = check_probabilities(new)
    return PredictionSets(level, smallest, np.stack([1 - new, new], axis=1) >= smallest)


def _smallest(of_label: np.ndarray, level: float) -> float:
    """The probability that at least ``level * (n + 1)`` of the true labels reach."""
    n = of_label.size
    rank = int(np.ceil(round(level * (n + 1), 9)))
    if rank > n:
        raise ArgumentError(
            f"level={level} needs at least {int(np.ceil(round(level / (1 - level), 9)))} calibration texts; there are "
            f"{n}. Give more, or lower the level."
        )
    return float(np.sort(of_label)[n - rank])
