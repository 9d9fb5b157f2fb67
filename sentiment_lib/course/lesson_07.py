"""Exercises of lesson 07."""

from __future__ import annotations

import math

import numpy as np

from .exercises import Wrong, exercise


@exercise(
    "07.1",
    "What halves an interval",
    "predict",
    task="""
    A model has an accuracy of 0.86 on 2,000 test reviews. Predict: half the width of its 95 % interval in points (one
    point is 0.01 of accuracy); how many test reviews make it half as wide; and, for a mean over 3 seeds, how many seeds
    make *its* interval half as wide, if only the standard error counts and the *t* factor is left out of account.
    """,
    code="""
half_width = 1.5  #| answer
tests_needed = 8000  #| answer
seeds_needed = 12  #| answer
""",
    answer="half_width, tests_needed, seeds_needed",
    hints=(
        "The standard error of an accuracy p on n reviews is √(p(1 − p)/n); half the width is 1.96 of these. How does "
        "it depend on n?",
        "√(0.86 · 0.14 / 2,000) = 0.0078, times 1.96. And n is under a root: for half the width, √n must double. "
        "The same holds for seeds.",
    ),
    wrong=[
        ("half_width, tests_needed, seeds_needed = 3.04, 8000, 12", "whole width"),
        ("half_width, tests_needed, seeds_needed = 0.78, 8000, 12", "one standard error"),
        ("half_width, tests_needed, seeds_needed = 1.5, 4000, 12", "Twice as many reviews"),
        ("half_width, tests_needed, seeds_needed = 1.5, 8000, 6", "Twice as many seeds"),
    ],
)
def _what_halves(half_width, reviews, seeds):
    half_width, reviews, seeds = float(half_width), float(reviews), float(seeds)
    points = half_width if half_width > 0.1 else 100 * half_width  # 0.015 is the same as 1.5 points
    if 2.6 <= points <= 3.4:
        raise Wrong("That is the whole width, from low to high. Half of it is asked for.")
    if 0.7 <= points <= 0.85:
        raise Wrong("That is one standard error. For a 95 % interval it is multiplied by a factor.")
    if not 1.3 <= points <= 1.7:
        raise Wrong(f"Half the width is not {half_width:g} points. Begin with the standard error, √(p(1 − p)/n).")
    if np.isclose(reviews, 4000):
        raise Wrong("Twice as many reviews make the interval narrower by √2 only.")
    if not 7900 <= reviews <= 8100:
        raise Wrong(f"{reviews:g} test reviews do not halve it. The width goes with 1/√n.")
    if np.isclose(seeds, 6):
        raise Wrong("Twice as many seeds make the standard error smaller by √2 only.")
    if not np.isclose(seeds, 12):
        raise Wrong(f"{seeds:g} seeds do not halve the standard error of a mean over 3. It goes with 1/√n as well.")
    return "With the t factor, which falls from 4.30 to 2.78, five seeds are enough. The first few are worth most."


@exercise(
    "07.2",
    "The same draws, the same seeds",
    "write",
    task="""
    `first` and `second` are arrays: the accuracies of two methods, in the same order of seeds, at least two. Return
    `(mean, low, high)`: the mean of the paired differences, first minus second, and its 95 % interval by Student's *t*.
    """,
    code='''
import numpy as np
from scipy import stats


def paired_interval(first, second):
    """Mean of first - second over seeds, and its 95 % interval."""
    #| solution
    difference = first - second
    error = difference.std(ddof=1) / np.sqrt(len(difference))
    half = stats.t.ppf(0.975, len(difference) - 1) * error
    return difference.mean(), difference.mean() - half, difference.mean() + half
    #| end
''',
    answer="paired_interval",
    hints=(
        "Take the differences first. What is left is the interval of one mean: n numbers, n − 1 degrees of freedom.",
        "Half the width is `stats.t.ppf(0.975, n - 1)` times the standard error, which is `difference.std(ddof=1)` "
        "divided by `np.sqrt(n)`.",
    ),
    wrong=[
        (
            """
            n = len(first)
            error = np.sqrt(first.var(ddof=1) / n + second.var(ddof=1) / n)
            mean, half = first.mean() - second.mean(), stats.t.ppf(0.975, 2 * n - 2) * error
            return mean, mean - half, mean + half
            """,
            "not paired",
        ),
        (
            """
            difference = first - second
            mean, half = difference.mean(), 1.96 * difference.std(ddof=1) / np.sqrt(len(difference))
            return mean, mean - half, mean + half
            """,
            "normal distribution",
        ),
        (
            """
            difference, n = first - second, len(first)
            mean, half = difference.mean(), stats.t.ppf(0.975, n - 1) * difference.std() / np.sqrt(n)
            return mean, mean - half, mean + half
            """,
            "ddof",
        ),
        (
            """
            difference, n = first - second, len(first)
            mean, half = difference.mean(), stats.t.ppf(0.975, n - 1) * difference.std(ddof=1)
            return mean, mean - half, mean + half
            """,
            "single differences",
        ),
    ],
)
def _paired_interval(paired):
    from scipy import stats

    from ..evaluation.uncertainty import mean_interval

    for n in (3, 5, 2, 10):
        rng = np.random.default_rng(n)
        luck = rng.normal(0, 0.03, n)
        first, second = 0.82 + luck + rng.normal(0, 0.004, n), 0.80 + luck + rng.normal(0, 0.004, n)
        given = first.copy(), second.copy()
        found = paired(*given)
        if np.shape(found) != (3,):
            raise Wrong("It must return three numbers: mean, low, high.")
        mean, low, high = map(float, found)
        right, difference = mean_interval(first - second), first - second
        if np.isclose(mean, -right.estimate):
            raise Wrong("The sign is turned: first minus second is asked for.")
        if not np.isclose(mean, right.estimate):
            raise Wrong(f"For {n} seeds the mean of the differences is not {mean:.4f}. The order is mean, low, high.")
        if np.allclose([low, high], [right.low, right.high]):
            continue
        t, error = stats.t.ppf(0.975, n - 1), stats.sem(difference)
        pooled = np.sqrt((first.var(ddof=1) + second.var(ddof=1)) / n)
        welch = stats.ttest_ind(first, second, equal_var=False).confidence_interval()
        apart = [t * pooled, 1.96 * pooled, stats.t.ppf(0.975, 2 * n - 2) * pooled, (welch.high - welch.low) / 2]
        for half, said in (
            (apart, "That is not paired: the luck of the draw, which both share, is still in it."),
            ([1.96 * error, stats.norm.ppf(0.975) * error], "1.96 is the factor of the normal distribution."),
            ([t * difference.std() / np.sqrt(n)], "Your standard deviation divides by n, not by n − 1. Look up ddof."),
            ([t * difference.std(ddof=1)], "That is the spread of single differences, not of their mean."),
            ([stats.t.ppf(0.95, n - 1) * error], "5 % are left out at each end; of a 95 % interval it is 5 % in all."),
            ([stats.t.ppf(0.975, n) * error], "The degrees of freedom are one too many."),
        ):
            if np.isclose((high - low) / 2, half).any():
                raise Wrong(f"{said} (Seen with {n} seeds.)")
        raise Wrong(f"With {n} seeds, {low:.4f} to {high:.4f} is not the interval. Are both ends equally far away?")
    return "Pairing takes out what both methods share; here the unpaired interval would be several times as wide."


@exercise(
    "07.3",
    "How many reviews a claim needs",
    "write",
    task="""
    Write the formula of the lesson: how many test reviews find a `difference` *d* of two accuracies in 8 of 10 cases at
    the 5 % level, if the models disagree on the share `disagree`, *q*, of the reviews? It is
    (1.96 + 0.84)² · (q − d²) / d². Both are shares, such as 0.02 and 0.23. Return an int, rounded up.
    """,
    code='''
import math


def reviews_needed(difference, disagree):
    """Test reviews that a difference needs to be seen."""
    #| solution
    squared = difference**2
    return math.ceil((1.96 + 0.84) ** 2 * (disagree - squared) / squared)
    #| end
''',
    answer="reviews_needed",
    hints=(
        "Write it down as it stands, with brackets. d is squared in two places, and so is the sum.",
        "`(1.96 + 0.84) ** 2 * (disagree - difference**2) / difference**2`, in `math.ceil(...)`, which rounds up.",
    ),
    wrong=[
        ("return math.ceil((1.96 + 0.84) * (disagree - difference**2) / difference**2)", "a square is missing"),
        ("return math.ceil(7.84 * (difference - disagree**2) / disagree**2)", "swapped"),
        ("return int(7.84 * (disagree - difference**2) / difference**2)", "rounded down"),
        ("return 7.84 * (disagree - difference**2) / difference**2", "not a whole number"),
    ],
)
def _reviews_needed(needed):
    def formula(d, q, factor=7.84):
        return factor * (q - d**2) / d**2

    for d, q in ((0.02, 0.2262), (0.05, 0.2262), (0.013, 0.1), (0.3, 0.4), (0.0051, 0.07)):
        found, right = float(needed(d, q)), formula(d, q)
        exact = formula(d, q, (1.959964 + 0.841621) ** 2)
        if found in (math.ceil(right), math.ceil(exact)):
            continue
        case = f"For a difference of {d} and a disagreement of {q}"
        if np.isclose(found, [right, exact], rtol=1e-9).any() and found != round(found):
            raise Wrong(f"{case}, {found:.2f} is not a whole number.")
        if found in (math.floor(right), round(right)):
            raise Wrong(f"{case} it is rounded down; then there is one review too few.")
        if np.isclose(found, formula(q, d), atol=1):
            raise Wrong(f"{case}: difference and disagreement are swapped.")
        missing = formula(d, q, 2.8), 7.84 * (q - d**2) / d, 7.84 * (q - d) / d**2, 7.84 * (q - d) / d
        if np.isclose(found, missing, atol=1).any():
            raise Wrong(f"{case} it is not {found:g}: a square is missing.")
        raise Wrong(f"{case} it is not {found:g}. Compare the brackets with those of the formula.")
    return "Half the difference needs four times the reviews, and models that agree more often need fewer."
