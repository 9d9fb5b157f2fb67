"""Whether one model is better than another, or only luckier: paired tests, corrected for their number (lesson 04)."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike
from scipy.stats import binomtest

from ..errors import ArgumentError
from .predictions import PlainData
from .uncertainty import (
    RESAMPLES,
    Interval,
    ResampledMetrics,
    bootstrap,
    bootstrap_means,
    crossed_interval,
    crossed_p,
    percentile_interval,
)


@dataclass(frozen=True)
class Comparison(PlainData):
    """Two models on the same texts.

    Attributes
    ----------
    first, second : str
        Names of the models.
    only_first_right, only_second_right : int
        Texts that one model gets right and the other wrong; only these say which is better.
    differences : dict of str to Interval
        First minus second, with paired bootstrap intervals.
    p_mcnemar : float
        Exact two-sided McNemar test of the hypothesis that both err equally often.
    p_bootstrap : float
        Two-sided, for the difference in accuracy.
    p_holm : float
        `p_mcnemar` corrected for all comparisons made together.
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


def holm(p_values: ArrayLike) -> list[float]:
    """P values corrected for their number (Holm 1979), in their order."""
    p = np.asarray(p_values, dtype=float)
    order, corrected = np.argsort(p), np.empty(p.size)
    corrected[order] = np.minimum(1, np.maximum.accumulate(p[order] * np.arange(p.size, 0, -1)))
    return corrected.tolist()


def mcnemar(only_first: int, only_second: int) -> float:
    """P value of the exact two-sided McNemar test, from the numbers of texts that only one model gets right."""
    decisive = int(only_first + only_second)
    return float(binomtest(int(only_first), decisive).pvalue) if decisive else 1.0


def compare(
    labels: ArrayLike,
    first: ArrayLike,
    second: ArrayLike,
    names: tuple[str, str] = ("first", "second"),
    *,
    resamples: int = RESAMPLES,
    seed: int = 0,
) -> Comparison:
    """Whether one of two models is better, from their probabilities for the same texts.

    Both are resampled together, text by text, so that texts which are hard for both do not blur the difference.

    References
    ----------
    McNemar, Note on the sampling error of the difference between correlated proportions, 1947; Dietterich,
    Approximate statistical tests for comparing supervised classification learning algorithms, 1998.
    """
    labels = np.asarray(labels)
    metrics = ResampledMetrics(labels, first), ResampledMetrics(labels, second)
    first_right, second_right = ((np.asarray(p) >= 0.5) == (labels == 1) for p in (first, second))
    only_first, only_second = int((first_right & ~second_right).sum()), int((second_right & ~first_right).sum())

    def difference(weights: np.ndarray) -> np.ndarray:
        return metrics[0](weights) - metrics[1](weights)

    (estimates,) = difference(np.ones((1, len(labels))))
    resampled = bootstrap(difference, labels, resamples, seed).T
    columns = zip(ResampledMetrics.NAMES, estimates, resampled, strict=True)
    tail = min((resampled[0] <= 0).sum(), (resampled[0] >= 0).sum())  # of the accuracy
    p_mcnemar = mcnemar(only_first, only_second)
    return Comparison(
        *names,
        examples=len(labels),
        only_first_right=only_first,
        only_second_right=only_second,
        differences={name: percentile_interval(estimate, values) for name, estimate, values in columns},
        p_mcnemar=p_mcnemar,
        p_bootstrap=float(min(1.0, 2 * (tail + 1) / (resamples + 1))),
        p_holm=p_mcnemar,
    )


def compare_with(
    labels: ArrayLike, name: str, probabilities: Mapping[str, ArrayLike], **options: Any
) -> list[Comparison]:
    """One model, by its name, against all others; `p_holm` corrects for the number of comparisons.

    `options` are those of :func:`compare`.
    """
    if name not in probabilities:
        raise ArgumentError(f"There is no model {name!r}; there are {', '.join(map(repr, probabilities))}.")
    comparisons = [
        compare(labels, probabilities[name], other, (name, other_name), **options)
        for other_name, other in probabilities.items()
        if other_name != name
    ]
    corrected = holm([comparison.p_mcnemar for comparison in comparisons])
    return [replace(comparison, p_holm=p) for comparison, p in zip(comparisons, corrected, strict=True)]


def compare_means(
    values: Mapping[str, ArrayLike],
    pairs: Sequence[tuple[str, str]],
    *,
    resamples: int = RESAMPLES,
    seed: int = 0,
) -> pd.DataFrame:
    """Whether the means of two quantities differ, both measured on the same texts; for several pairs at once.

    Parameters
    ----------
    values : mapping of str to array, shape (texts,)
        Quantities by name.
    pairs : sequence of (str, str)
        Names that are compared.

    Returns
    -------
    pandas.DataFrame
        One row per pair, index ``first - second``: ``estimate`` (mean difference) with its paired 95 % bootstrap
        interval ``low``, ``high``; ``p``, two-sided, from random changes of the signs of the differences (Fisher, The
        Design of Experiments, 1935, section 21); ``p_holm``, corrected for the number of pairs.

    Raises
    ------
    ArgumentError
        For a name that is not among the values.
    """
    if unknown := [name for pair in pairs for name in pair if name not in values]:
        raise ArgumentError(f"{unknown[0]!r} is not among {', '.join(map(repr, values))}.")
    differences = np.stack([np.asarray(values[a], float) - np.asarray(values[b], float) for a, b in pairs])
    mean, low, high = bootstrap_means(differences, resamples=resamples, seed=seed)
    signs = np.random.default_rng(seed).choice([-1.0, 1.0], (resamples, differences.shape[1]))
    by_chance = np.abs(signs @ differences.T) / differences.shape[1]  # (resamples, pairs)
    p = (1 + (by_chance >= np.abs(mean) - 1e-12).sum(axis=0)) / (1 + resamples)
    index = [f"{first} - {second}" for first, second in pairs]
    return pd.DataFrame({"estimate": mean, "low": low, "high": high, "p": p, "p_holm": holm(p)}, index=index)


def compare_crossed(differences: Mapping[str, ArrayLike]) -> pd.DataFrame:
    """Whether differences hold for other seeds *and* other texts; for several comparisons at once.

    Parameters
    ----------
    differences : mapping of str to array, shape (seeds, texts)
        For each comparison what one method gets on a text minus what the other gets, both trained with the same seed.

    Returns
    -------
    pandas.DataFrame
        One row per comparison: ``estimate``, ``low``, ``high`` (:func:`sentiment_lib.evaluation.crossed_interval`),
        ``p``, two-sided, and ``p_holm``, corrected for the number of comparisons.
    """
    rows = {
        name: {**crossed_interval(values).to_dict(), "p": crossed_p(values)} for name, values in differences.items()
    }
    table = pd.DataFrame.from_dict(rows, orient="index", columns=["estimate", "low", "high", "p"])
    return table.assign(p_holm=holm(table["p"]))
