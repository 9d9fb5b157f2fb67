"""Exercises of lesson 04, continued: calibration, and two models on the same reviews."""

from __future__ import annotations

import numpy as np

from .exercises import Wrong, exercise


@exercise(
    "04.5",
    "The calibration error",
    "write",
    task="""
    Write the expected calibration error. Sort the reviews into `bins` bins of equal width over [0, 1] by their
    probability; 1.0 belongs to the last bin. In each bin, take the absolute difference of the share of positives and
    the mean probability. Return the mean of these, weighted by the number of reviews; empty bins do not count.
    """,
    code='''
import numpy as np


def calibration_error(labels, probabilities, bins=10):
    """Expected calibration error, bins of equal width."""
    #| solution
    number = np.minimum((probabilities * bins).astype(int), bins - 1)
    error = 0.0
    for one in range(bins):
        inside = number == one
        if inside.any():
            error += inside.mean() * abs(labels[inside].mean() - probabilities[inside].mean())
    return error
    #| end
''',
    answer="calibration_error",
    hints=(
        "Which bin? With ten bins, 0.37 is in bin 3: multiply and cut off the decimals. Only 1.0 needs care.",
        "For each bin with reviews: `inside = number == one`. Its weight is `inside.mean()`, its gap "
        "`abs(labels[inside].mean() - probabilities[inside].mean())`. Add up weight times gap.",
    ),
    wrong=[
        (
            """
            number = np.minimum((probabilities * bins).astype(int), bins - 1)
            filled = [number == one for one in range(bins) if (number == one).any()]
            return np.mean([abs(labels[one].mean() - probabilities[one].mean()) for one in filled])
            """,
            "counts as much as",
        ),
        (
            """
            number = np.minimum((probabilities * bins).astype(int), bins - 1)
            filled = [one for one in range(bins) if (number == one).any()]
            gaps = [abs(labels[number == one].mean() - (one + 0.5) / bins) for one in filled]
            return sum((number == one).mean() * gap for one, gap in zip(filled, gaps))
            """,
            "middle of the bin",
        ),
        (
            """
            number = np.minimum((probabilities * bins).astype(int), bins - 1)
            filled = [number == one for one in range(bins) if (number == one).any()]
            return abs(sum(one.mean() * (labels[one].mean() - probabilities[one].mean()) for one in filled))
            """,
            "cancel",
        ),
        (
            """
            number = (probabilities * bins).astype(int)
            filled = [number == one for one in range(bins) if (number == one).any()]
            return sum(one.mean() * abs(labels[one].mean() - probabilities[one].mean()) for one in filled)
            """,
            "exactly 1.0",
        ),
    ],
)
def _calibration_error(error_of):
    from ..evaluation.calibration import expected_calibration_error

    for count, bins in ((400, 10), (400, 5), (7, 10), (60, 1)):
        rng = np.random.default_rng(count + bins)
        probabilities = rng.beta(0.7, 0.5, count)
        probabilities[: count // 7] = 1.0
        labels = (rng.random(count) < 0.2 + 0.55 * probabilities).astype(int)
        found = float(error_of(labels, probabilities, bins))
        right = expected_calibration_error(labels, probabilities, bins)
        if np.isclose(found, right, atol=1e-9):
            continue
        if np.isnan(found):
            raise Wrong(f"It is not a number for {count} reviews in {bins} bins. What is the mean of an empty bin?")
        for value, said in _calibration_mistakes(labels, probabilities, bins):
            if np.isclose(found, value, atol=1e-9):
                raise Wrong(said)
        raise Wrong(f"For {count} reviews in {bins} bins, the error is not {found:.4f}.")
    if not np.isclose(error_of(labels, probabilities), error_of(labels, probabilities, 10)):
        raise Wrong("Without a third argument there are 10 bins.")
    return "An error near 0 says that a probability means what it says, not that the model is often right."


def _calibration_mistakes(labels, probabilities, bins):
    """Values of plausible mistakes, and what to say about each."""
    number = (probabilities * bins).astype(int)  # 1.0 gets a number of its own here
    kept = np.minimum(number, bins - 1)

    def gaps(number):
        count = np.bincount(number, minlength=bins + 1)
        filled = count > 0
        share, mean = (np.bincount(number, of, bins + 1)[filled] / count[filled] for of in (labels, probabilities))
        return count[filled] / len(labels), share, mean, (np.flatnonzero(filled) + 0.5) / bins

    weight, share, mean, centre = gaps(kept)
    plain = np.abs(share - mean)
    yield from ((plain.mean(), _UNWEIGHTED), (plain.sum() / bins, _UNWEIGHTED), (plain.sum(), _UNWEIGHTED))
    yield weight @ np.abs(share - centre), "That compares with the middle of the bin. Take its mean probability."
    for value in (weight @ (share - mean), weight @ (mean - share), abs(weight @ (share - mean))):
        yield value, "Too high in one bin and too low in another cancel here. Take the absolute value in each bin."
    own, share, mean, _ = gaps(number)
    for inside in (slice(None), slice(-1)):
        yield own[inside] @ np.abs(share - mean)[inside], "A probability of exactly 1.0 is not in the last bin."
    hits = (probabilities >= 0.5) == labels
    gap = np.abs(np.bincount(kept, hits - probabilities, bins)).sum() / len(labels)
    yield gap, "That takes the share of right predictions. Take the share of positives in each bin."


_UNWEIGHTED = "In your mean, a bin of one review counts as much as a bin of hundreds. Weight each by its reviews."


@exercise(
    "04.6",
    "Is one of them better?",
    "investigate",
    task="""
    Two models have read the same reviews. `first_right` and `second_right` are arrays of bool. Return the two-sided p
    value of the exact McNemar test, which looks at the reviews on which exactly one of them is right. If there is no
    such review, it is 1.0. You may use `binomtest`. Then try it: what does p do if all counts are ten times as large?
    """,
    code='''
import numpy as np
from scipy.stats import binomtest


def mcnemar(first_right, second_right):
    """Two-sided p value that both models err equally often."""
    #| solution
    only_first = int((first_right & ~second_right).sum())
    only_second = int((second_right & ~first_right).sum())
    if only_first + only_second == 0:
        return 1.0
    return binomtest(only_first, only_first + only_second, 0.5).pvalue
    #| end
''',
    answer="mcnemar",
    hints=(
        "If both are equally good, which of them is right on a review where they differ is the toss of a coin.",
        "Count `only_first` and `only_second` with `&` and `~`. Then `binomtest(only_first, only_first + only_second, "
        "0.5).pvalue`, and 1.0 where the sum is 0.",
    ),
    wrong=[
        (
            """
            one, two = int((first_right & ~second_right).sum()), int((second_right & ~first_right).sum())
            return binomtest(one, one + two, 0.5, alternative="greater").pvalue if one + two else 1.0
            """,
            "one-sided",
        ),
        (
            """
            only_first = int((first_right & ~second_right).sum())
            return binomtest(only_first, len(first_right), 0.5).pvalue
            """,
            "among all reviews",
        ),
        (
            """
            both, none = int((first_right & second_right).sum()), int((~first_right & ~second_right).sum())
            return binomtest(both, both + none, 0.5).pvalue
            """,
            "agree",
        ),
        (
            """
            one, two = int((first_right & ~second_right).sum()), int((second_right & ~first_right).sum())
            return binomtest(one, one + two, 0.5).pvalue
            """,
            "raises ValueError",
        ),
    ],
)
def _mcnemar(mcnemar):
    from scipy.stats import binomtest, chi2

    for both, one, two, none in ((150, 30, 16, 20), (40, 9, 21, 12), (50, 5, 5, 9), (20, 0, 6, 3), (30, 0, 0, 8)):
        order = np.random.default_rng(both).permutation(both + one + two + none)
        first = np.repeat([True, True, False, False], (both, one, two, none))[order]
        second = np.repeat([True, False, True, False], (both, one, two, none))[order]
        case = f"({both} times both are right, {one} the first only, {two} the second only, {none} neither)"
        try:
            found = float(mcnemar(first, second))
        except Wrong as failed:
            raise Wrong(f"{failed} The case {case}.") from failed
        right = binomtest(one, one + two).pvalue if one + two else 1.0
        if np.isclose(found, right, atol=0):
            continue
        if one + two == 0:
            raise Wrong(f"Where the models never differ, p is 1.0 and not {found:.4g}.")
        sides = [binomtest(one, one + two, alternative=side).pvalue for side in ("less", "greater")]
        if np.isclose(found, sides, atol=0).any():
            raise Wrong(f"That is the one-sided p value. Either model may be the better one {case}.")
        if found > 1:
            raise Wrong(f"A p value is never greater than 1; yours is {found:.3f} {case}.")
        everyone = both + one + two + none
        if np.isclose(found, [binomtest(k, everyone).pvalue for k in (one, two, one + two)], atol=0).any():
            raise Wrong(f"You count among all reviews. Where both are right, no coin is tossed {case}.")
        if np.isclose(
            found, [binomtest(both, both + none).pvalue, binomtest(both + none, everyone).pvalue], atol=0
        ).any():
            raise Wrong(f"You count reviews on which the models agree. These do not say which is better {case}.")
        if np.isclose(found, binomtest(both + one, 2 * both + one + two).pvalue, atol=0):
            raise Wrong(f"You compare all right answers of the one with all of the other {case}. Use what is paired.")
        squares = [(abs(one - two) - cut) ** 2 / (one + two) for cut in (0, 1)]
        if np.isclose(found, chi2.sf(squares, 1), atol=0).any():
            raise Wrong(f"That is the approximation by chi-square; the exact test is asked for {case}.")
        raise Wrong(f"The p value is not {found:.4g} {case}.")
    return "5 against 10 gives p = 0.30, 50 against 100 gives 0.00005: the same ratio, but more differing reviews."
