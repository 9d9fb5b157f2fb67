"""Single predictions worth reading: the most and the least confident ones, and doubtful labels (lesson 05)."""

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike
from scipy.stats import norm

from ..data.labels import LABEL_NAMES
from ..errors import check_choice

EXAMPLE_KINDS = ("most confident right", "least confident", "most confident wrong")
RATERS = 20  # people who rated each snippet


def example_predictions(predictions: pd.DataFrame, kind: str, n: int = 5) -> pd.DataFrame:
    """The first `n` predictions of a kind.

    Parameters
    ----------
    predictions : pandas.DataFrame
        From :func:`sentiment_lib.evaluation.prediction_table`; further columns are kept.
    kind : {"most confident right", "least confident", "most confident wrong"}
        Any other kind is an ArgumentError.

    Returns
    -------
    pandas.DataFrame
        ``text``, ``label`` and ``predicted`` as words, and ``confidence``: the probability of the predicted label.
        The further columns follow.
    """
    check_choice("kind", kind, EXAMPLE_KINDS)
    probability, predicted, label = (predictions[name] for name in ("probability", "predicted", "label"))
    names = dict(enumerate(LABEL_NAMES))
    confidence = np.where(predicted == 1, probability, 1 - probability)
    table = predictions.assign(label=label.map(names), predicted=predicted.map(names), confidence=confidence)
    if kind != "least confident":
        table = table[(predicted == label) == (kind == "most confident right")]
    table = table.sort_values("confidence", ascending=kind == "least confident", kind="stable", ignore_index=True)
    shown = ["text", "label", "predicted", "confidence"]
    return table.head(n)[[*shown, *predictions.columns.drop([*shown[:3], "probability"])]]


def label_flip_probability(rating: ArrayLike, rating_std: ArrayLike, raters: int = RATERS) -> np.ndarray:
    """How likely other raters would have given the other label, which is the sign of a mean rating.

    The mean of `raters` ratings is normal around the true one with the standard error
    ``rating_std / sqrt(raters)``. We saw one such mean. A second panel's mean differs from it by the standard
    error times the square root of two.

    Parameters
    ----------
    rating : array of float, shape (n,)
        Mean rating of each text; 0 is neutral.
    rating_std : array of float, shape (n,)
        Standard deviation of each text's ratings.

    Returns
    -------
    numpy.ndarray
        Shape ``(n,)``, in [0, 0.5]. Its mean is the share of texts that no model can get right for both panels.
    """
    spread = np.asarray(rating_std, dtype=float) * np.sqrt(2 / raters)
    distance = np.abs(np.asarray(rating, dtype=float))
    unanimous = np.where(distance == 0, 0.0, np.inf)
    return norm.sf(np.divide(distance, spread, out=unanimous, where=spread != 0))
