"""Single predictions worth reading: the surest, the most doubtful, the wrong ones, and doubtful labels.

Taught in lesson 04.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from ..data.labels import LABEL_NAMES
from ..errors import ArgumentError

if TYPE_CHECKING:
    import pandas as pd

EXAMPLE_KINDS = ("most confident right", "least confident", "most confident wrong")
RATERS = 20  # people who rated each snippet


def example_predictions(predictions: pd.DataFrame, kind: str, n: int = 5) -> pd.DataFrame:
    """The `n` most telling rows of a kind.

    Parameters
    ----------
    predictions : pandas.DataFrame
        From :func:`sentiment_lib.evaluation.prediction_table`; further columns are kept.
    kind : {"most confident right", "least confident", "most confident wrong"}
    n : int

    Returns
    -------
    pandas.DataFrame
        ``text``, ``label`` and ``predicted`` as words, and ``confidence``: the probability that the model
        gave to what it predicted; then the further columns.

    Raises
    ------
    ArgumentError
        For an unknown kind.
    """
    if kind not in EXAMPLE_KINDS:
        raise ArgumentError(f"kind={kind!r} is not one of {', '.join(map(repr, EXAMPLE_KINDS))}.")
    probability, predicted = predictions["probability"], predictions["predicted"]
    table = predictions.assign(confidence=np.where(predicted == 1, probability, 1 - probability))
    right = table["predicted"] == table["label"]
    if kind != "least confident":
        table = table[right if kind == "most confident right" else ~right]
    table = table.sort_values("confidence", ascending=kind == "least confident", kind="stable").head(n)
    names = dict(enumerate(LABEL_NAMES))
    table = table.assign(label=table["label"].map(names), predicted=table["predicted"].map(names))
    shown = ["text", "label", "predicted", "confidence"]
    return table[[*shown, *(c for c in predictions if c not in (*shown, "probability"))]].reset_index(drop=True)


def label_flip_probability(rating: Sequence[float], rating_std: Sequence[float], raters: int = RATERS) -> np.ndarray:
    """How likely the label, the sign of a mean rating, would be the other one with other raters.

    The mean of `raters` ratings is normal around the true one with the standard error
    ``rating_std / sqrt(raters)``, and we saw one such mean; a second panel's mean differs from it by the
    standard error times the square root of two.

    Parameters
    ----------
    rating : array of float, shape (n,)
        Mean rating of each text; 0 is neutral.
    rating_std : array of float, shape (n,)
        Standard deviation of the single ratings.
    raters : int

    Returns
    -------
    numpy.ndarray
        Shape ``(n,)``, in [0, 0.5]. Its mean is the share of texts that no model can get right for both
        panels.
    """
    from scipy.stats import norm

    spread = np.asarray(rating_std, dtype=float) * np.sqrt(2 / raters)
    distance = np.abs(np.asarray(rating, dtype=float))
    certain = spread == 0
    ratio = np.divide(distance, spread, out=np.full(distance.shape, np.inf), where=~certain)
    ratio[certain & (distance == 0)] = 0
    return norm.sf(ratio)
