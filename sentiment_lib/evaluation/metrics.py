"""How good the predictions are: the usual measures, the curves, and the choice of a threshold.

Taught in lesson 04. All measures are scikit-learn's; "positive" is class 1.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from ..data.labels import LABEL_NAMES
from ..errors import ArgumentError

if TYPE_CHECKING:
    import pandas as pd

_AIM = re.compile(r"(precision|recall) *>= *(0?\.\d+|[01](?:\.0*)?)")


@dataclass(frozen=True)
class ClassReport:
    """Precision, recall and F1 of one class, and how many examples of it there are."""

    precision: float
    recall: float
    f1: float
    examples: int


@dataclass(frozen=True)
class Evaluation:
    """The measures of one set of predictions.

    Attributes
    ----------
    examples : int
    threshold : float
        Probability from which on a text is called positive.
    accuracy : float
        Share of right predictions.
    precision, recall, f1 : float
        Of the positive class.
    macro_precision, macro_recall, macro_f1 : float
        Plain means over both classes.
    average_precision : float
        Area under the precision-recall curve, as a step function (no interpolation).
    roc_auc : float
        Area under the ROC curve: how often a positive text gets a higher probability than a negative one.
    confusion_matrix : list of list of int
        Shape ``(2, 2)``: rows are true labels, columns predicted ones, negative first.
    per_class : dict of str to ClassReport
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

    def to_dict(self) -> dict[str, Any]:
        """The measures as plain data, ready for JSON."""
        return asdict(self)

    def to_frame(self) -> pd.DataFrame:
        """Precision, recall and F1 a class, and their macro mean: one row each."""
        import pandas as pd

        rows = {name: asdict(report) for name, report in self.per_class.items()}
        rows["macro mean"] = {
            "precision": self.macro_precision,
            "recall": self.macro_recall,
            "f1": self.macro_f1,
            "examples": self.examples,
        }
        return pd.DataFrame(rows).T.astype({"examples": int})


def evaluate(labels: Sequence[int], probabilities: Sequence[float], threshold: float = 0.5) -> Evaluation:
    """All measures of a set of predictions.

    Parameters
    ----------
    labels : array of int, shape (n,)
        0 negative, 1 positive. Both must occur.
    probabilities : array of float, shape (n,)
        Probability of the positive class.
    threshold : float
        A text is called positive from this probability on.

    Returns
    -------
    Evaluation

    Raises
    ------
    ArgumentError
        For arrays of different or no length, labels other than 0 and 1 or of one class only, and
        probabilities that are not numbers in [0, 1].
    """
    from sklearn import metrics as skl

    labels, probabilities = check_predictions(labels, probabilities)
    predicted = (probabilities >= threshold).astype(int)
    precision, recall, f1, support = skl.precision_recall_fscore_support(
        labels, predicted, labels=[0, 1], zero_division=0.0
    )
    reports = {
        name: ClassReport(float(precision[i]), float(recall[i]), float(f1[i]), int(support[i]))
        for i, name in enumerate(LABEL_NAMES)
    }
    return Evaluation(
        examples=len(labels),
        threshold=threshold,
        accuracy=float(skl.accuracy_score(labels, predicted)),
        precision=reports["positive"].precision,
        recall=reports["positive"].recall,
        f1=reports["positive"].f1,
        macro_precision=float(precision.mean()),
        macro_recall=float(recall.mean()),
        macro_f1=float(f1.mean()),
        average_precision=float(skl.average_precision_score(labels, probabilities)),
        roc_auc=float(skl.roc_auc_score(labels, probabilities)),
        confusion_matrix=skl.confusion_matrix(labels, predicted, labels=[0, 1]).tolist(),
        per_class=reports,
    )


def precision_recall_curve(labels: Sequence[int], probabilities: Sequence[float]) -> pd.DataFrame:
    """Precision and recall of the positive class at every threshold.

    Returns
    -------
    pandas.DataFrame
        Columns ``threshold`` (rising), ``precision``, ``recall``. The last row is the curve's end point at
        recall 0, precision 1, which belongs to no threshold (NaN).
    """
    import pandas as pd
    from sklearn.metrics import precision_recall_curve as curve

    labels, probabilities = check_predictions(labels, probabilities)
    precision, recall, threshold = curve(labels, probabilities)
    return pd.DataFrame({"threshold": np.append(threshold, np.nan), "precision": precision, "recall": recall})


def roc_curve(labels: Sequence[int], probabilities: Sequence[float]) -> pd.DataFrame:
    """The ROC curve: share of negatives wrongly called positive against share of positives found.

    Returns
    -------
    pandas.DataFrame
        Columns ``threshold`` (falling, the first is infinite), ``false_positive_rate``, ``true_positive_rate``.
    """
    import pandas as pd
    from sklearn.metrics import roc_curve as curve

    false_positive, true_positive, threshold = curve(*check_predictions(labels, probabilities))
    names = ("threshold", "false_positive_rate", "true_positive_rate")
    return pd.DataFrame(dict(zip(names, (threshold, false_positive, true_positive), strict=True)))


@dataclass(frozen=True)
class ThresholdChoice:
    """A threshold, what it was chosen for, and what it reached on the predictions it was chosen on."""

    aim: str
    threshold: float
    precision: float
    recall: float
    f1: float


def choose_threshold(labels: Sequence[int], probabilities: Sequence[float], aim: str = "f1") -> ThresholdChoice:
    """The threshold that serves an aim best. Choose it on the validation split, report its effect on test.

    Parameters
    ----------
    labels, probabilities
        As in :func:`evaluate`.
    aim : str
        ``"f1"``: the largest F1; ``"precision>=0.9"``: the largest recall at a precision of at least 0.9;
        ``"recall>=0.9"``: the largest precision at a recall of at least 0.9. Any share may stand for 0.9.

    Raises
    ------
    ArgumentError
        For another aim, and for one that no threshold reaches.
    """
    curve = precision_recall_curve(labels, probabilities).iloc[:-1]
    precision, recall = curve["precision"], curve["recall"]
    f1 = (2 * precision * recall / (precision + recall).where(precision + recall > 0, 1)).rename("f1")
    wanted = _AIM.fullmatch(aim)
    if aim == "f1":
        best = f1.idxmax()
    elif wanted:
        asked, other = (precision, recall) if wanted[1] == "precision" else (recall, precision)
        enough = asked >= float(wanted[2])
        if not enough.any():
            raise ArgumentError(
                f"No threshold reaches {aim}; the largest {wanted[1]} is {asked.max():.3f}. Ask for less."
            )
        best = other[enough].idxmax()
    else:
        raise ArgumentError(f"aim={aim!r} is not understood; say 'f1', 'precision>=0.9' or 'recall>=0.9'.")
    return ThresholdChoice(aim, *(float(column[best]) for column in (curve["threshold"], precision, recall, f1)))


def prediction_table(
    texts: Sequence[str], labels: Sequence[int], probabilities: Sequence[float], threshold: float = 0.5
) -> pd.DataFrame:
    """One row a text: ``text``, ``label``, ``probability`` (of positive) and ``predicted`` (0 or 1)."""
    import pandas as pd

    labels, probabilities = check_predictions(labels, probabilities)
    predicted = (probabilities >= threshold).astype("int64")
    return pd.DataFrame({"text": list(texts), "label": labels, "probability": probabilities, "predicted": predicted})


def logit(probabilities: Sequence[float]) -> np.ndarray:
    """Log odds of probabilities, which are kept 1e-12 away from 0 and 1 so that all of them are finite."""
    kept = np.clip(np.asarray(probabilities, dtype=float), 1e-12, 1 - 1e-12)
    return np.log(kept) - np.log1p(-kept)


def check_predictions(labels: Sequence[int], probabilities: Sequence[float]) -> tuple[np.ndarray, np.ndarray]:
    """Both as arrays, or a ValueError that names what is wrong with them."""
    labels, probabilities = np.asarray(labels), np.asarray(probabilities, dtype=float)
    if labels.ndim != 1 or labels.shape != probabilities.shape:
        raise ArgumentError(
            f"labels and probabilities must be two lists of the same length; their shapes are {labels.shape} "
            f"and {probabilities.shape}."
        )
    strange = sorted(set(labels.tolist()) - {0, 1}, key=str)
    if strange:
        raise ArgumentError(f"labels must be 0 or 1; found {', '.join(map(repr, strange[:5]))}.")
    if len(set(labels.tolist())) < 2:
        raise ArgumentError(
            f"labels must hold both 0 and 1; found {sorted(set(labels.tolist()))} in {len(labels)} labels."
        )
    outside = ~((probabilities >= 0) & (probabilities <= 1))
    if outside.any():
        first = int(np.argmax(outside))
        raise ArgumentError(f"probabilities must lie in [0, 1]; number {first} is {probabilities[first]}.")
    return labels.astype("int64"), probabilities
