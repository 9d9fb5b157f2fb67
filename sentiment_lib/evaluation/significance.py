"""Whether one model is better than another, or only luckier: paired tests, corrected for their number.

Taught in lesson 04.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np

from ..errors import ArgumentError
from .uncertainty import RESAMPLES, Interval, ResampledMetrics, bootstrap, percentile_interval


@dataclass(frozen=True)
class Comparison:
    """Two models on the same texts.

    Attributes
    ----------
    first, second : str
        Names of the models.
    examples : int
    only_first_right, only_second_right : int
        Texts that one model gets right and the other wrong; only these say which is better.
    differences : dict of str to Interval
        First minus second, with paired bootstrap intervals.
    p_mcnemar : float
        Exact two-sided McNemar test that both err equally often.
    p_bootstrap : float
        Two-sided, of the accuracy's difference.
    p_holm : float
        `p_mcnemar` corrected for all comparisons that were made together.
    """

    first: str
    second: str
    examples: int
    only_first_right: int
    only_second_right: int
    differences: dict[str, Interval]
    p_mcnemar: float
    p_bootstrap: float
    p_holm: float

    def to_dict(self) -> dict[str, Any]:
        """The comparison as plain data, ready for JSON."""
        return asdict(self)


def holm(p_values: Sequence[float]) -> list[float]:
    """P values corrected for having been many (Holm 1979), in their order."""
    from statsmodels.stats.multitest import multipletests

    return [float(p) for p in multipletests(p_values, method="holm")[1]] if len(p_values) else []


def compare(
    labels: Sequence[int],
    first: Sequence[float],
    second: Sequence[float],
    names: tuple[str, str] = ("first", "second"),
    *,
    resamples: int = RESAMPLES,
    seed: int = 0,
) -> Comparison:
    """Two models' probabilities for the same texts: is one better?

    Both are resampled together, text by text: what is hard for both then does not blur the difference.

    References
    ----------
    McNemar, Note on the sampling error of the difference between correlated proportions, 1947; Dietterich,
    Approximate statistical tests for comparing supervised classification learning algorithms, 1998.
    """
    from statsmodels.stats.contingency_tables import mcnemar

    labels = np.asarray(labels)
    statistics = ResampledMetrics(labels, first), ResampledMetrics(labels, second)
    right = [(np.asarray(p) >= 0.5) == (labels == 1) for p in (first, second)]
    only_first, only_second = int((right[0] & ~right[1]).sum()), int((right[1] & ~right[0]).sum())
    table = [[int((right[0] & right[1]).sum()), only_first], [only_second, int((~right[0] & ~right[1]).sum())]]

    def difference(weights: np.ndarray) -> np.ndarray:
        return statistics[0](weights) - statistics[1](weights)

    (estimates,) = difference(np.ones((1, len(labels))))
    resampled = bootstrap(difference, labels, resamples, seed)
    accuracy = resampled[:, 0]
    tail = min((accuracy <= 0).sum(), (accuracy >= 0).sum())
    p_mcnemar = float(mcnemar(table, exact=True).pvalue)
    return Comparison(
        first=names[0],
        second=names[1],
        examples=len(labels),
        only_first_right=only_first,
        only_second_right=only_second,
        differences={
            name: percentile_interval(estimates[i], resampled[:, i]) for i, name in enumerate(ResampledMetrics.NAMES)
        },
        p_mcnemar=p_mcnemar,
        p_bootstrap=float(min(1.0, 2 * (tail + 1) / (resamples + 1))),
        p_holm=p_mcnemar,
    )


def compare_with(
    labels: Sequence[int], name: str, probabilities: Mapping[str, Sequence[float]], **how
) -> list[Comparison]:
    """One model, by its name, against all others; `p_holm` corrects for the number of comparisons."""
    if name not in probabilities:
        raise ArgumentError(f"There is no model {name!r}; there are {', '.join(map(repr, probabilities))}.")
    found = [
        compare(labels, probabilities[name], other, (name, other_name), **how)
        for other_name, other in probabilities.items()
        if other_name != name
    ]
    corrected = holm([one.p_mcnemar for one in found])
    return [replace(one, p_holm=p) for one, p in zip(found, corrected, strict=True)]
