"""How good the predictions are: the usual measures, the curves, and examples to look at.

Taught in lesson 04. All measures are scikit-learn's; "positive" is class 1.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from .data import LABEL_NAMES

if TYPE_CHECKING:
    import pandas as pd

EXAMPLE_KINDS = ("most confident right", "least confident", "most confident wrong")


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
    ValueError
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


def prediction_table(
    texts: Sequence[str], labels: Sequence[int], probabilities: Sequence[float], threshold: float = 0.5
) -> pd.DataFrame:
    """One row a text: ``text``, ``label``, ``probability`` (of positive) and ``predicted`` (0 or 1)."""
    import pandas as pd

    labels, probabilities = check_predictions(labels, probabilities)
    predicted = (probabilities >= threshold).astype("int64")
    return pd.DataFrame({"text": list(texts), "label": labels, "probability": probabilities, "predicted": predicted})


def example_predictions(predictions: pd.DataFrame, kind: str, n: int = 5) -> pd.DataFrame:
    """The `n` most telling rows of a kind.

    Parameters
    ----------
    predictions : pandas.DataFrame
        From :func:`prediction_table`.
    kind : {"most confident right", "least confident", "most confident wrong"}
    n : int

    Returns
    -------
    pandas.DataFrame
        ``text``, ``label`` and ``predicted`` as words, and ``confidence``: the probability that the model
        gave to what it predicted.

    Raises
    ------
    ValueError
        For an unknown kind.
    """
    if kind not in EXAMPLE_KINDS:
        raise ValueError(f"kind={kind!r} is not one of {', '.join(map(repr, EXAMPLE_KINDS))}.")
    probability, predicted = predictions["probability"], predictions["predicted"]
    table = predictions.assign(confidence=np.where(predicted == 1, probability, 1 - probability))
    right = table["predicted"] == table["label"]
    if kind != "least confident":
        table = table[right if kind == "most confident right" else ~right]
    table = table.sort_values("confidence", ascending=kind == "least confident", kind="stable").head(n)
    names = dict(enumerate(LABEL_NAMES))
    table = table.assign(label=table["label"].map(names), predicted=table["predicted"].map(names))
    return table[["text", "label", "predicted", "confidence"]].reset_index(drop=True)


def check_predictions(labels: Sequence[int], probabilities: Sequence[float]) -> tuple[np.ndarray, np.ndarray]:
    """Both as arrays, or a ValueError that names what is wrong with them."""
    labels, probabilities = np.asarray(labels), np.asarray(probabilities, dtype=float)
    if labels.ndim != 1 or labels.shape != probabilities.shape:
        raise ValueError(
            f"labels and probabilities must be two lists of the same length; their shapes are {labels.shape} "
            f"and {probabilities.shape}."
        )
    strange = sorted(set(labels.tolist()) - {0, 1}, key=str)
    if strange:
        raise ValueError(f"labels must be 0 or 1; found {', '.join(map(repr, strange[:5]))}.")
    if len(set(labels.tolist())) < 2:
        raise ValueError(
            f"labels must hold both 0 and 1; found {sorted(set(labels.tolist()))} in {len(labels)} labels."
        )
    outside = ~((probabilities >= 0) & (probabilities <= 1))
    if outside.any():
        first = int(np.argmax(outside))
        raise ValueError(f"probabilities must lie in [0, 1]; number {first} is {probabilities[first]}.")
    return labels.astype("int64"), probabilities
