"""Pairs of texts with opposite labels that differ as little as possible (lesson 05)."""

from collections.abc import Callable

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike

from ..errors import ArgumentError
from .predictions import check_predictions
from .uncertainty import share_intervals


def pair_report(table: pd.DataFrame, predict: Callable[[list[str]], ArrayLike]) -> pd.DataFrame:
    """How often a model is right on one text of a pair, on the other, and on both.

    A model that knows only how texts of a label usually look is right on many originals and on few of their revisions
    (Kaushik, Hovy and Lipton, Learning the difference that makes a difference with counterfactually-augmented data,
    ICLR 2020; Gardner et al., Evaluating models' local decision boundaries via contrast sets, Findings of EMNLP 2020).

    Parameters
    ----------
    table : pandas.DataFrame
        Columns ``text``, ``label`` (0, 1) and ``pair``: two rows for each pair, the original first, with opposite
        labels.
    predict : callable
        Takes a list of texts and returns the probability of positive for each.

    Returns
    -------
    pandas.DataFrame
        Rows ``original``, ``revised`` and ``both``: ``right``, ``pairs``, ``accuracy`` with its 95 % Wilson interval
        ``low``, ``high``.

    Raises
    ------
    ArgumentError
        If a column is missing, a pair does not have two rows, or its labels are the same.
    """
    if missing := {"text", "label", "pair"} - set(table.columns):
        raise ArgumentError(f"The table of pairs has no column {sorted(missing)[0]!r}; it needs text, label and pair.")
    if table["pair"].isna().any():
        raise ArgumentError(f"Row {int(table['pair'].isna().argmax())} of the table names no pair; each row needs one.")
    groups = table.groupby("pair", sort=False)["label"]
    for pair, wrong in (groups.size() != 2).items():
        if wrong:
            raise ArgumentError(f"The pair {pair!r} has {groups.size()[pair]} rows; each pair needs two.")
    for pair, wrong in (groups.nunique() != 2).items():
        if wrong:
            raise ArgumentError(f"Both texts of the pair {pair!r} have the same label; a pair has opposite ones.")
    ordered = table.assign(place=table.groupby("pair", sort=False).cumcount()).sort_values(
        ["pair", "place"], kind="stable"
    )
    labels, probabilities = check_predictions(ordered["label"], predict(ordered["text"].tolist()))
    right = ((probabilities >= 0.5) == (labels == 1)).reshape(-1, 2)
    counts = {"original": right[:, 0], "revised": right[:, 1], "both": right.all(axis=1)}
    hits = np.array([values.sum() for values in counts.values()])
    low, high = share_intervals(hits, [len(right)] * 3)
    columns = {"right": hits, "pairs": len(right), "accuracy": hits / len(right), "low": low, "high": high}
    return pd.DataFrame(columns, index=pd.Index(counts, name="text"))
