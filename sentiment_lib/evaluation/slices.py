"""Where the model is good and where it is not: accuracy on parts of the test split (lesson 05)."""

import itertools
import re
from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike
from scipy.stats import fisher_exact

from ..errors import ArgumentError
from .significance import holm
from .uncertainty import share_intervals

TOO_WIDE = 0.1  # half-width of an interval above which a slice has too few texts for a verdict
NEGATION = re.compile(
    r"\b(not|no|never|nothing|nobody|nowhere|none|neither|nor|without|hardly|barely|scarcely|cannot)\b|n['’]t\b",
    re.IGNORECASE,
)
CONTRAST = re.compile(
    r"\b(but|however|although|though|yet|despite|in spite of|nevertheless|nonetheless|whereas)\b", re.IGNORECASE
)


def make_slices(
    texts: Sequence[str], rating: ArrayLike | None = None, rating_std: ArrayLike | None = None
) -> dict[tuple[str, str], np.ndarray]:
    """Overlapping parts of a set of texts.

    Parameters
    ----------
    texts : sequence of str, length n
    rating : array of float, shape (n,), optional
        Mean human rating from -4 to +4. Without it there are no slices by strength.
    rating_std : array of float, shape (n,), optional
        How much the raters disagreed: the standard deviation of their ratings.

    Returns
    -------
    dict of (str, str) to numpy.ndarray
        Subject and name of each slice, such as ``("length", "up to 13 words")``, and a mask, bool, shape ``(n,)``.
    """
    slices = _quarters("length", np.array([len(text.split()) for text in texts]), "{} words")
    slices |= {
        ("negation", "with a negation"): np.array([bool(NEGATION.search(text)) for text in texts]),
        ("contrast", "with a contrast (but, although, ...)"): np.array([bool(CONTRAST.search(text)) for text in texts]),
    }
    if rating is not None:
        strength = np.abs(np.asarray(rating, dtype=float))
        for low, high in itertools.pairwise([0, 0.5, 1, 2, 4.01]):
            name = f"rated {low:g} to {min(high, 4):g} from neutral"
            slices["strength of the rating", name] = (strength >= low) & (strength < high)
    if rating_std is not None:
        disagreement = np.asarray(rating_std, dtype=float)
        slices |= _quarters("disagreement of the raters", disagreement, "raters spread {} points")
    return {key: mask for key, mask in slices.items() if mask.any()}


def _quarters(subject: str, values: np.ndarray, name: str) -> dict[tuple[str, str], np.ndarray]:
    """Four slices of about equal size, cut at the quartiles. Edges have three digits, or as many as tell them apart."""
    edges = np.quantile(values, [0.25, 0.5, 0.75])
    edges = np.floor(edges) if values.dtype.kind == "i" else edges
    quarter = np.searchsorted(edges, values)  # a value equal to an edge belongs below it
    forms = [[f"{edge:,.{digits}g}" for edge in edges] for digits in range(3, 17)]
    told_apart = (form for form in forms if "e" not in "".join(form) and len(set(form)) == len(set(edges)))
    named = next(told_apart, forms[-1])
    between = [f"{low} to {high}" for low, high in itertools.pairwise(named)]
    ranges = [f"up to {named[0]}", *between, f"over {named[-1]}"]
    return {(subject, name.format(values_in)): quarter == i for i, values_in in enumerate(ranges)}


def slice_report(right: ArrayLike, slices: Mapping[tuple[str, str], ArrayLike]) -> pd.DataFrame:
    """Accuracy of every slice, the worst first.

    Parameters
    ----------
    right : array of bool, shape (n,)
        Whether each prediction is right.
    slices : mapping of (str, str) to array of bool, shape (n,)
        From :func:`make_slices`, or your own. A slice without a text or of another length is an ArgumentError.

    Returns
    -------
    pandas.DataFrame
        ``subject``, ``slice``, ``count``, ``accuracy``, its 95 % Wilson interval ``low``, ``high``, ``p_holm``
        (Fisher's exact test against all texts outside the slice, corrected for the number of slices) and
        ``verdict``: worse, better, or, where p_holm is 0.05 or more, no clear difference or too few to say (an
        interval wider than 2 x :data:`TOO_WIDE`).
    """
    right = np.asarray(right, dtype=bool)
    rows, p_values = [], []
    for (subject, name), mask in slices.items():
        mask = np.asarray(mask, dtype=bool)
        if mask.shape != right.shape or not mask.any():
            raise ArgumentError(f"The slice {name!r} marks {mask.sum()} of {mask.size} texts; there are {right.size}.")
        inside, outside = right[mask], right[~mask]
        (low,), (high,) = share_intervals(inside.sum(), inside.size)
        rows.append((subject, name, inside.size, inside.mean(), low, high))
        counts = [[inside.sum(), (~inside).sum()], [outside.sum(), (~outside).sum()]]
        p_values.append(fisher_exact(counts).pvalue)
    table = pd.DataFrame(rows, columns=["subject", "slice", "count", "accuracy", "low", "high"])
    table["p_holm"] = holm(p_values)
    direction = np.where(table["accuracy"] < right.mean(), "worse", "better")
    wide = (table["high"] - table["low"]) / 2 > TOO_WIDE
    unclear = np.where(wide, "too few to say", "no clear difference")
    table["verdict"] = np.where(table["p_holm"] < 0.05, direction, unclear)
    return table.sort_values("accuracy", kind="stable", ignore_index=True)
