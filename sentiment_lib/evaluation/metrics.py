"""How good predictions are: scikit-learn's metrics and curves, and the choice of a threshold (lesson 04)."""

import re
from collections.abc import Sequence
from dataclasses import asdict, dataclass

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike
from sklearn import metrics as skl

from ..data.labels import LABEL_NAMES
from ..errors import ArgumentError
from .predictions import PlainData, check_predictions

_AIM = re.compile(r"(precision|recall) *>= *(0?\.\d+|[01](?:\.0*)?)")


@dataclass(frozen=True)
class ClassReport:
    """Precision, recall and F1 of one class, and its number of examples."""

    precision: float
    recall: float
    f1: float
    examples: int


@dataclass(frozen=True)
class Evaluation(PlainData):
    """The metrics of one set of predictions.

    Attributes
    ----------
    threshold : float
        Smallest probability that counts as positive.
    accuracy : float
        Share of correct predictions.
    precision, recall, f1 : float
        Of the positive class.
    macro_precision, macro_recall, macro_f1 : float
        Unweighted means over both classes.
    average_precision : float
        Area under the precision-recall curve, as a step function (no interpolation).
    roc_auc : float
        Area under the ROC curve: how often a positive text gets a higher probability than a negative one.
    confusion_matrix : list of list of int
        Shape ``(2, 2)``: rows are true labels, columns predicted ones, negative first.
    """

    examples: int
    threshold: float
    accuracy: float
    precision: float
    recall: float
    f1: float
    macro_precision: float
    macro_recall: float
    macro_f1: float
    average_precision: float
    roc_auc: float
    confusion_matrix: list[list[int]]
    per_class: dict[str, ClassReport]

    def to_frame(self) -> pd.DataFrame:
        """One row per class and one for their macro mean: precision, recall, F1 and number of examples."""
        macro = ClassReport(self.macro_precision, self.macro_recall, self.macro_f1, self.examples)
        rows = {name: asdict(report) for name, report in (self.per_class | {"macro mean": macro}).items()}
        return pd.DataFrame(rows).T.astype({"examples": int})


def evaluate(labels: ArrayLike, probabilities: ArrayLike, threshold: float = 0.5) -> Evaluation:
    """All metrics of a set of predictions.

    Parameters
    ----------
    labels : array of int, shape (n,)
        0 negative, 1 positive. Both must occur.
    probabilities : array of float, shape (n,)
        Probability of the positive class.
    threshold : float
        Smallest probability that counts as positive.

    Raises
    ------
    ArgumentError
        If the arrays differ in length, if labels are not 0 and 1 or only one of them occurs, or if probabilities
        are not numbers in [0, 1].
    """
    labels, probabilities = check_predictions(labels, probabilities)
    predicted = (probabilities >= threshold).astype(int)
    precision, recall, f1, support = skl.precision_recall_fscore_support(
        labels, predicted, labels=[0, 1], zero_division=0.0
    )
    scores = zip(precision.tolist(), recall.tolist(), f1.tolist(), support.tolist(), strict=True)
    per_class = dict(zip(LABEL_NAMES, (ClassReport(*score) for score in scores), strict=True))
    return Evaluation(
        examples=len(labels),
        threshold=threshold,
        accuracy=float(skl.accuracy_score(labels, predicted)),
        precision=per_class["positive"].precision,
        recall=per_class["positive"].recall,
        f1=per_class["positive"].f1,
        macro_precision=float(precision.mean()),
        macro_recall=float(recall.mean()),
        macro_f1=float(f1.mean()),
        average_precision=float(skl.average_precision_score(labels, probabilities)),
        roc_auc=float(skl.roc_auc_score(labels, probabilities)),
        confusion_matrix=skl.confusion_matrix(labels, predicted, labels=[0, 1]).tolist(),
        per_class=per_class,
    )


def precision_recall_curve(labels: ArrayLike, probabilities: ArrayLike) -> pd.DataFrame:
    """Columns ``threshold`` (rising), ``precision`` and ``recall`` of the positive class.

    The last row is the curve's end point at recall 0, precision 1, which belongs to no threshold (NaN).
    """
    precision, recall, threshold = skl.precision_recall_curve(*check_predictions(labels, probabilities))
    return pd.DataFrame({"threshold": np.append(threshold, np.nan), "precision": precision, "recall": recall})


def roc_curve(labels: ArrayLike, probabilities: ArrayLike) -> pd.DataFrame:
    """Columns ``threshold`` (falling, the first is infinite), ``false_positive_rate``, ``true_positive_rate``."""
    false, true, threshold = skl.roc_curve(*check_predictions(labels, probabilities))
    return pd.DataFrame({"threshold": threshold, "false_positive_rate": false, "true_positive_rate": true})


@dataclass(frozen=True)
class ThresholdChoice:
    """A threshold, what it was chosen for, and what it reached on the predictions it was chosen on."""

    aim: str
    threshold: float
    precision: float
    recall: float
    f1: float


def choose_threshold(labels: ArrayLike, probabilities: ArrayLike, aim: str = "f1") -> ThresholdChoice:
    """The threshold that serves an aim best. Choose it on the validation split, report its effect on test.

    Parameters
    ----------
    labels, probabilities
        As in :func:`evaluate`.
    aim : str
        ``"f1"``: the largest F1; ``"precision>=0.9"``: the largest recall at a precision of at least 0.9;
        ``"recall>=0.9"``: the largest precision at a recall of at least 0.9. 0.9 may be any other share.

    Raises
    ------
    ArgumentError
        If the aim has another form, or if no threshold reaches it.
    """
    curve = precision_recall_curve(labels, probabilities).iloc[:-1]
    precision, recall = curve["precision"], curve["recall"]
    f1 = 2 * precision * recall / (precision + recall).where(precision + recall > 0, 1)
    bound = _AIM.fullmatch(aim)
    if aim == "f1":
        best = f1.idxmax()
    elif bound:
        bounded, other = (precision, recall) if bound[1] == "precision" else (recall, precision)
        enough = bounded >= float(bound[2])
        if not enough.any():
            raise ArgumentError(
                f"No threshold reaches {aim}; the largest {bound[1]} is {bounded.max():.3f}. Ask for less."
            )
        best = other[enough].idxmax()
    else:
        raise ArgumentError(f"aim={aim!r} is not understood; say 'f1', 'precision>=0.9' or 'recall>=0.9'.")
    return ThresholdChoice(aim, *(float(column[best]) for column in (curve["threshold"], precision, recall, f1)))


def prediction_table(
    texts: Sequence[str], labels: ArrayLike, probabilities: ArrayLike, threshold: float = 0.5
) -> pd.DataFrame:
    """One row per text: ``text``, ``label``, ``probability`` (of positive) and ``predicted`` (0 or 1)."""
    labels, probabilities = check_predictions(labels, probabilities)
    predicted = (probabilities >= threshold).astype("int64")
    return pd.DataFrame({"text": list(texts), "label": labels, "probability": probabilities, "predicted": predicted})
