"""Exercises of lesson 04."""

from __future__ import annotations

import numpy as np
from scipy.stats import binomtest, chi2

from sentiment_lib.evaluation import prediction_sets

from .checking import number_of, refuse
from .exercise import Wrong, exercise


@exercise(
    "04.1",
    "Everything is positive",
    "predict",
    task="""
    A model calls *every* review positive. Of {reviews:,} reviews, {positive} are positive. Predict its precision,
    its recall and its F1 (for the positive class) before you compute anything.
    """,
    hints=(
        "Fill the confusion matrix first: how many reviews are in each of the four cells? Two of them are empty.",
        "Precision: of the 2,000 that were *called* positive, how many are? Recall: of the 800 that *are*, how many "
        "were found? F1 is the harmonic mean of the two, 2pr / (p + r).",
    ),
)
def everything_positive(*, reviews=2000, positive=800):
    precision = positive / reviews  # answer
    recall = 1.0  # answer
    f1 = 2 * precision * recall / (precision + recall)  # answer
    return precision, recall, f1


everything_positive.wrong(
    "Precision and recall are swapped",
    lambda n: (1.0, n.positive / n.reviews, 2 * n.positive / (n.positive + n.reviews)),
)
everything_positive.wrong("arithmetic mean", lambda n: (n.positive / n.reviews, 1.0, (1 + n.positive / n.reviews) / 2))
everything_positive.wrong("precision is not", lambda n: (0.5, 1.0, 2 / 3))


@everything_positive.varied
def _(rng):
    reviews = 200 * rng.integers(7, 20)
    return {"reviews": reviews, "positive": reviews * rng.choice([15, 20, 25, 30, 35]) // 100}


@everything_positive.checker
def _(precision, recall, f1, n):
    share = n.positive / n.reviews
    right = 2 * share / (1 + share)
    refuse(
        (
            np.isclose(precision, 1) and np.isclose(recall, share),
            "Precision and recall are swapped: precision looks at what was called, recall at what is.",
        ),
        (
            not np.isclose(precision, share),
            f"The precision is not {precision}. How many were called positive, and how many of these are?",
        ),
        (not np.isclose(recall, 1), f"The recall is not {recall}. Which positive reviews were missed?"),
        (
            np.isclose(f1, (1 + share) / 2),
            "That F1 is the arithmetic mean. F1 is the harmonic one, which lies nearer to the smaller number.",
        ),
        (not np.isclose(f1, right, atol=0.002), f"With these two, F1 is not {f1}."),
    )
    return f"Without any skill, F1 is {right:.2f} here: never read an F1 without the base rate."


@exercise(
    "04.2",
    "F1 from counts",
    "write",
    task="""
    Write F1 for the positive class from three counts. When nothing was found (no true positive), it is 0, and nothing
    must be divided by 0.
    """,
    hints=(
        "Compute precision and recall from the counts, then their harmonic mean.",
        "Begin with the special case: `if true_positive == 0: return 0.0`. Then no denominator can be 0.",
    ),
)
def f1_from_counts(true_positive, false_positive, false_negative):
    """F1 of the positive class."""
    if true_positive == 0:
        return 0.0
    precision = true_positive / (true_positive + false_positive)
    recall = true_positive / (true_positive + false_negative)
    return 2 * precision * recall / (precision + recall)


@f1_from_counts.wrong("arithmetic mean")
def _(true_positive, false_positive, false_negative):
    if true_positive == 0:
        return 0.0
    precision = true_positive / (true_positive + false_positive)
    recall = true_positive / (true_positive + false_negative)
    return (precision + recall) / 2


@f1_from_counts.wrong("nothing was found")
def _(true_positive, false_positive, false_negative):
    if true_positive + false_positive == 0:
        return 1.0
    return 2 * true_positive / (2 * true_positive + false_positive + false_negative)


f1_from_counts.wrong("Jaccard", lambda tp, fp, fn: tp / (tp + fp + fn or 1))


@f1_from_counts.wrong("ZeroDivisionError")
def _(true_positive, false_positive, false_negative):
    precision = true_positive / (true_positive + false_positive)
    recall = true_positive / (true_positive + false_negative)
    return 2 * precision * recall / (precision + recall)


@f1_from_counts.checker
def _(f1):
    for tp, fp, fn in ((30, 10, 20), (1, 0, 9), (5, 45, 0), (7, 3, 3)):
        found, right = f1(tp, fp, fn), 2 * tp / (2 * tp + fp + fn)
        if np.isclose(found, right):
            continue
        if np.isclose(found, (tp / (tp + fp) + tp / (tp + fn)) / 2):
            raise Wrong("That is the arithmetic mean of precision and recall; F1 is the harmonic one.")
        if np.isclose(found, tp / (tp + fp + fn)):
            raise Wrong("That is the Jaccard index, which counts what was found once; F1 counts it twice.")
        raise Wrong(f"For {tp} true positives, {fp} false positives and {fn} false negatives, F1 is not {found:.3f}.")
    for counts in ((0, 0, 5), (0, 4, 5), (0, 0, 0)):
        if f1(*counts) != 0:
            raise Wrong(f"Where nothing was found, F1 is 0; for the counts {counts} yours is {f1(*counts)}.")
    return "True negatives do not occur in it: F1 does not care how many bad reviews were left alone."


@f1_from_counts.probed()
def _(f1, rng):
    counts = rng.integers(1, 90, (8, 3)).tolist()
    return [f1(*some) for some in [*counts, (0, *counts[0][1:]), (0, 0, counts[1][2]), (0, 0, 0)]]


@exercise(
    "04.3",
    "An interval without a formula",
    "write",
    task="""
    `right` is an array of bool: was the prediction right or not? Draw as many reviews as there are, *with replacement*,
    and compute the accuracy; do this `draws` times, with random numbers that depend on `seed` only. Return `(low,
    high)`; the middle 95 % of the accuracies lie between these two.
    """,
    hints=(
        "The lesson draws five resamples in a loop. Keep the accuracy of each in a list, and make the list longer.",
        "`rng.integers(0, len(right), len(right))` draws with replacement. Of all accuracies, cut off 2.5 % at each "
        "end: `np.percentile(accuracies, [2.5, 97.5])`.",
    ),
)
def bootstrap_interval(right, draws=2000, seed=0):
    """95 % percentile interval of the accuracy."""
    rng = np.random.default_rng(seed)
    drawn = rng.integers(0, len(right), (draws, len(right)))
    low, high = np.percentile(right[drawn].mean(axis=1), [2.5, 97.5])
    return low, high


def _accuracies(right, draws=2000, seed=0, replace=True):
    rng = np.random.default_rng(seed)
    return [rng.choice(right, len(right), replace=replace).mean() for _ in range(draws)]


def _percentiles(*given, at=(2.5, 97.5), **luck):
    return np.percentile(_accuracies(*given, **luck), at)


bootstrap_interval.wrong("has no width", lambda *given, **luck: _percentiles(*given, replace=False, **luck))
bootstrap_interval.wrong("middle 90 %", lambda *given, **luck: _percentiles(*given, at=(5, 95), **luck))
bootstrap_interval.wrong("0 to 100", lambda *given, **luck: _percentiles(*given, at=(0.025, 0.975), **luck))
bootstrap_interval.wrong("single reviews", lambda right, **_: right.mean() + np.array([-1.96, 1.96]) * right.std())


@bootstrap_interval.checker
def _(bootstrap):
    right = np.random.default_rng(7).random(600) < 0.86
    accuracy, usual = right.mean(), 2 * 1.96 * right.std() / np.sqrt(len(right))
    found = bootstrap(right)
    if np.shape(found) != (2,):
        raise Wrong("It must return two numbers, low and high.")
    low, high = map(float, found)
    if low > high:
        raise Wrong("The first number is the larger one: low comes first.")
    if low == high:
        raise Wrong("The interval has no width. Does every draw hold the same reviews, in another order?")
    if high - low > 4 * usual:
        raise Wrong("Far too wide: that is the spread of single reviews. An accuracy is a mean of many.")
    if not low <= accuracy <= high:
        raise Wrong(
            f"The accuracy, {accuracy:.3f}, is not between {low:.3f} and {high:.3f}. np.percentile counts from 0 to "
            "100, np.quantile from 0 to 1."
        )
    if 0.78 < (high - low) / usual < 0.9:
        raise Wrong("A little too narrow, as the middle 90 % of the accuracies are. How much is left out at each end?")
    if not 0.9 <= (high - low) / usual <= 1.11:
        raise Wrong(
            f"Its width is {high - low:.3f}; from the binomial standard error one expects about {usual:.3f}. Does "
            "every draw have as many reviews as there are, and do 95 % of the accuracies lie inside?"
        )
    if not np.allclose(bootstrap(right), found):
        raise Wrong("The same seed gives another interval the second time. Make the random numbers from `seed`.")
    if len({tuple(np.round(bootstrap(right, draws=25, seed=seed), 6)) for seed in range(5)}) == 1:
        raise Wrong("Five seeds give exactly the same interval. Is `seed` used, and does chance play a part at all?")
    if np.ptp(bootstrap(right, draws=1)) > 0:
        raise Wrong("With draws=1 there is one accuracy, so low and high are equal. Is `draws` used?")
    few = np.arange(20) < 19
    if max(bootstrap(few)) > 1:
        raise Wrong("With 19 of 20 right, yours goes beyond 1, which no draw can. Take percentiles of the accuracies.")
    if not np.allclose(bootstrap(few | True), 1):
        raise Wrong("If all predictions are right, they are in every draw, so low and high are 1.")
    return f"{low:.3f} to {high:.3f}, as the binomial formula says; but this works for F1 and other measures as well."


@bootstrap_interval.probed(within=0.3)
def _(bootstrap, rng):
    right = rng.random(900) < rng.uniform(0.6, 0.9)
    low, high = bootstrap(right, draws=4000, seed=int(rng.integers(10**6)))
    error = right.std() / np.sqrt(len(right))
    return (high - low) / error, ((high + low) / 2 - right.mean()) / error


@exercise(
    "04.4",
    "A threshold for a recall",
    "write",
    task="""
    Find the *highest* threshold at which at least the share `recall` of the positive reviews is called positive. A
    review is called positive if its probability is the threshold or more. Return one of the
    `probabilities`. `labels` (0 or 1) and `probabilities` are arrays.
    """,
    hints=(
        "Recall looks at the positive reviews only: `probabilities[labels == 1]`. How many of them reach a threshold?",
        "Try every probability as a threshold. `(positives >= threshold).mean()` is its recall; of those with "
        "enough recall, return the largest.",
    ),
    extra_imports=("np",),
)
def threshold_for_recall(labels, probabilities, recall=0.95):
    """The highest threshold that finds this share of the positives."""
    positives = probabilities[labels == 1]
    reached = [one for one in probabilities if (positives >= one).mean() >= recall]
    return max(reached)


threshold_for_recall.wrong("Every review is called positive", lambda labels, p, recall=0.95: min(p))
threshold_for_recall.wrong("of all reviews", lambda labels, p, recall=0.95: np.quantile(p, 1 - recall, method="lower"))
threshold_for_recall.wrong(
    "not one of the probabilities", lambda labels, p, recall=0.95: np.quantile(p[labels == 1], 1 - recall)
)


@threshold_for_recall.wrong("greater than the threshold")
def _(labels, probabilities, recall=0.95):
    positives = probabilities[labels == 1]
    return max([t for t in probabilities if (positives > t).mean() >= recall] or [0.0])


@threshold_for_recall.wrong("too few")
def _(labels, probabilities, recall=0.95):
    positives = np.sort(probabilities[labels == 1])[::-1]
    return positives[int(recall * len(positives)) - 2]


@threshold_for_recall.checker
def _(threshold_for):
    for positive, negative, recall in ((37, 30, 0.95), (40, 60, 0.95), (9, 40, 0.5), (8, 20, 0.8), (12, 8, 1.0)):
        labels = np.random.default_rng(positive).permutation(np.arange(positive + negative) < positive).astype(int)
        noise = np.random.default_rng(negative).normal(0, 0.15, len(labels))
        probabilities = np.clip(np.round(0.35 + 0.3 * labels + noise, 3), 0.001, 0.999)
        positives = probabilities[labels == 1]
        right = max(p for p in probabilities if (positives >= p).mean() >= recall)
        found = float(threshold_for(labels, probabilities, recall))
        share, rank = (positives >= found).mean(), int(np.ceil(recall * len(labels))) - 1
        if np.isclose(found, right):
            continue
        if found <= probabilities.min():
            raise Wrong(
                f"Every review is called positive from {found:.3f} on. The highest such threshold is asked for."
            )
        if np.isclose(found, [np.sort(probabilities)[::-1][rank], np.quantile(probabilities, 1 - recall)]).any():
            raise Wrong("That is a quantile of all reviews. Recall is a share of the positive ones.")
        if not np.isclose(found, probabilities).any():
            raise Wrong(f"{found:.4f} is not one of the probabilities. (np.quantile interpolates between two of them.)")
        if share < recall:
            raise Wrong(
                f"At {found:.3f}, {share:.1%} of {positive} positives are called positive, too few for {recall:.0%}."
            )
        if found == max((p for p in probabilities if (positives > p).mean() >= recall), default=None):
            raise Wrong("That fits a probability greater than the threshold. Here a review that equals it counts too.")
        raise Wrong(f"{found:.3f} reaches a recall of {recall:.0%} with {positive} positives, but so do higher ones.")
    if not np.isclose(threshold_for(labels, probabilities), threshold_for(labels, probabilities, 0.95)):
        raise Wrong("Without a third argument, recall is 0.95.")
    return "Choose it on validation: on other reviews it keeps about this recall, and its interval says how nearly."


@threshold_for_recall.probed()
def _(threshold_for, rng):
    draws = [(rng.integers(0, 2, 60), rng.random(60).round(2), rng.uniform(0.5, 0.97)) for _ in range(5)]
    return [
        threshold_for(labels, (probabilities + labels).clip(0.01, 1.5) / 2, recall)
        for labels, probabilities, recall in draws
    ]


@exercise(
    "04.5",
    "The calibration error",
    "write",
    task="""
    Write the expected calibration error. Sort the reviews into `bins` bins of equal width over [0, 1] by their
    probability; 1.0 belongs to the last bin. In each bin, take the absolute difference of the share of positives and
    the mean probability. Return the mean of these, weighted by the number of reviews; empty bins do not count.
    """,
    hints=(
        "Which bin? With ten bins, 0.37 is in bin 3: multiply and cut off the decimals. Only 1.0 needs care.",
        "For each bin with reviews: `inside = number == one`. Its weight is `inside.mean()`, its gap "
        "`abs(labels[inside].mean() - probabilities[inside].mean())`. Add up weight times gap.",
    ),
)
def calibration_error(labels, probabilities, bins=10):
    """Expected calibration error, bins of equal width."""
    number = np.minimum((probabilities * bins).astype(int), bins - 1)
    error = 0.0
    for one in range(bins):
        inside = number == one
        if inside.any():
            error += inside.mean() * abs(labels[inside].mean() - probabilities[inside].mean())
    return error


def _gaps(labels, probabilities, number, bins):
    """Share of the reviews, and share of positives less mean probability, of each bin with reviews."""
    for inside in (number == index for index in range(bins)):
        if inside.any():
            yield inside.mean(), labels[inside].mean() - probabilities[inside].mean()


@calibration_error.wrong("counts as much as")
def _(labels, probabilities, bins=10):
    number = np.minimum((probabilities * bins).astype(int), bins - 1)
    return np.mean([abs(gap) for _, gap in _gaps(labels, probabilities, number, bins)])


@calibration_error.wrong("middle of the bin")
def _(labels, probabilities, bins=10):
    number = np.minimum((probabilities * bins).astype(int), bins - 1)
    return sum(share * abs(gap) for share, gap in _gaps(labels, (number + 0.5) / bins, number, bins))


@calibration_error.wrong("cancel")
def _(labels, probabilities, bins=10):
    number = np.minimum((probabilities * bins).astype(int), bins - 1)
    return abs(sum(share * gap for share, gap in _gaps(labels, probabilities, number, bins)))


@calibration_error.wrong("exactly 1.0")
def _(labels, probabilities, bins=10):
    number = (probabilities * bins).astype(int)
    return sum(share * abs(gap) for share, gap in _gaps(labels, probabilities, number, bins))


@calibration_error.checker
def _(error_of):
    from ...evaluation.calibration import expected_calibration_error

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
        mistakes = _calibration_mistakes(labels, probabilities, bins)
        refuse(*((np.isclose(found, value, atol=1e-9), message) for value, message in mistakes))
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
    unweighted = "In your mean, a bin of one review counts as much as a bin of hundreds. Weight each by its reviews."
    yield from ((value, unweighted) for value in (plain.mean(), plain.sum() / bins, plain.sum()))
    yield weight @ np.abs(share - centre), "That compares with the middle of the bin. Take its mean probability."
    for value in (weight @ (share - mean), weight @ (mean - share), abs(weight @ (share - mean))):
        yield value, "Too high in one bin and too low in another cancel here. Take the absolute value in each bin."
    own, share, mean, _ = gaps(number)
    for inside in (slice(None), slice(-1)):
        yield own[inside] @ np.abs(share - mean)[inside], "A probability of exactly 1.0 is not in the last bin."
    hits = (probabilities >= 0.5) == labels
    gap = np.abs(np.bincount(kept, hits - probabilities, bins)).sum() / len(labels)
    yield gap, "That takes the share of right predictions. Take the share of positives in each bin."


@calibration_error.probed()
def _(error_of, rng):
    draws = [(rng.beta(0.6, 0.5, 200).round(4), int(bins)) for bins in rng.integers(2, 20, 4)]
    return [
        error_of((rng.random(200) < 0.5 * p + 0.2).astype(int), np.append(p[20:], np.ones(20)), bins)
        for p, bins in draws
    ]


@exercise(
    "04.6",
    "Is one of them better?",
    "investigate",
    task="""
    Two models have read the same reviews. `first_right` and `second_right` are arrays of bool. Return the two-sided p
    value of the exact McNemar test, which looks at the reviews on which exactly one of them is right. If there is no
    such review, it is 1.0. You may use `binomtest`. Then try it: what does p do if all counts are ten times as large?
    """,
    hints=(
        "If both are equally good, which of them is right on a review where they differ is the toss of a coin.",
        "Count `only_first` and `only_second` with `&` and `~`. Then `binomtest(only_first, only_first + only_second, "
        "0.5).pvalue`, and 1.0 where the sum is 0.",
    ),
    extra_imports=("np",),
)
def mcnemar(first_right, second_right):
    """Two-sided p value that both models err equally often."""
    only_first = int((first_right & ~second_right).sum())
    only_second = int((second_right & ~first_right).sum())
    if only_first + only_second == 0:
        return 1.0
    return binomtest(only_first, only_first + only_second, 0.5).pvalue


def _p(count, of, side="two-sided"):
    return binomtest(count, of, 0.5, side).pvalue if of else 1.0


mcnemar.wrong("one-sided", lambda first, second: _p((first & ~second).sum(), (first != second).sum(), "greater"))
mcnemar.wrong("among all reviews", lambda first, second: _p((first & ~second).sum(), len(first)))
mcnemar.wrong("agree", lambda first, second: _p((first & second).sum(), (first == second).sum()))
mcnemar.wrong("raises ValueError", lambda a, b: binomtest((a & ~b).sum(), (a != b).sum(), 0.5).pvalue)


@mcnemar.checker
def _(mcnemar):
    for both, only_first, only_second, neither in (
        (150, 30, 16, 20),
        (40, 9, 21, 12),
        (50, 5, 5, 9),
        (20, 0, 6, 3),
        (30, 0, 0, 8),
    ):
        order = np.random.default_rng(both).permutation(both + only_first + only_second + neither)
        first = np.repeat([True, True, False, False], (both, only_first, only_second, neither))[order]
        second = np.repeat([True, False, True, False], (both, only_first, only_second, neither))[order]
        one_right = f"{only_first} the first only, {only_second} the second only"
        case = f"({both} times both are right, {one_right}, {neither} neither)"
        try:
            found = float(mcnemar(first, second))
        except Wrong as failed:
            raise Wrong(f"{failed} The case {case}.") from failed
        right = binomtest(only_first, only_first + only_second).pvalue if only_first + only_second else 1.0
        if np.isclose(found, right, atol=0):
            continue
        if only_first + only_second == 0:
            raise Wrong(f"Where the models never differ, p is 1.0 and not {found:.4g}.")
        sides = [
            binomtest(only_first, only_first + only_second, alternative=side).pvalue for side in ("less", "greater")
        ]
        if np.isclose(found, sides, atol=0).any():
            raise Wrong(f"That is the one-sided p value. Either model may be the better one {case}.")
        if found > 1:
            raise Wrong(f"A p value is never greater than 1; yours is {found:.3f} {case}.")
        everyone = both + only_first + only_second + neither
        if np.isclose(
            found, [binomtest(k, everyone).pvalue for k in (only_first, only_second, only_first + only_second)], atol=0
        ).any():
            raise Wrong(f"You count among all reviews. Where both are right, no coin is tossed {case}.")
        if np.isclose(found, binomtest(both, both + neither).pvalue, atol=0):
            raise Wrong(f"You count reviews on which the models agree. These do not say which is better {case}.")
        if np.isclose(found, binomtest(both + only_first, 2 * both + only_first + only_second).pvalue, atol=0):
            raise Wrong(f"You compare all right answers of the one with all of the other {case}. Use what is paired.")
        squares = [(abs(only_first - only_second) - cut) ** 2 / (only_first + only_second) for cut in (0, 1)]
        if np.isclose(found, chi2.sf(squares, 1), atol=0).any():
            raise Wrong(f"That is the approximation by chi-square; the exact test is asked for {case}.")
        raise Wrong(f"The p value is not {found:.4g} {case}.")
    return "5 against 10 gives p = 0.30, 50 against 100 gives 0.00005: the same ratio, but more differing reviews."


@mcnemar.probed()
def _(mcnemar, rng):
    pairs = [(rng.random(90) < 0.8, rng.random(90) < share) for share in (0.72, 0.78, 0.85)]
    return [mcnemar(first, second) for first, second in [*pairs, (pairs[0][0], pairs[0][0])]]


@exercise(
    "04.7",
    "Buy certainty",
    "investigate",
    task="""
    A person can read one in ten reviews again: those on which the model abstains, because both labels are in their set.
    Which level can you promise? Guess first. Then compute, with the numbers of your own run, the share of *validation*
    reviews on which the model would abstain at each of the levels, and choose the level that comes nearest to one in
    ten.
    """,
    hints=(
        "A set with two labels has `size == 2`. A share is the mean of an array of bool.",
        "`prediction_sets(validation_labels, validation_probabilities, validation_probabilities, level)` for every "
        "level, in a dict from level to share. Then `min(..., key=lambda level: abs(...))`.",
    ),
)
def buy_certainty(*, validation_labels, validation_probabilities):
    levels = np.round(np.arange(0.8, 0.99, 0.005), 3).tolist()
    given = validation_labels, validation_probabilities, validation_probabilities
    shares = {level: (prediction_sets(*given, level).size == 2).mean() for level in levels}  # answer
    chosen = min(levels, key=lambda level: abs(shares[level] - 0.1))  # answer
    return shares, chosen


_SHARES = {0.8: 0.0, 0.85: 0.0, 0.9: 0.04, 0.925: 0.09, 0.95: 0.18, 0.98: 0.41}

buy_certainty.wrong("falls", {level: 1 - share for level, share in _SHARES.items()}, 0.95)
buy_certainty.wrong("Counts", {level: 800 * share for level, share in _SHARES.items()}, 0.925)
buy_certainty.wrong("is a share", _SHARES, 0.09)
buy_certainty.wrong("comes nearer", _SHARES, 0.95)
buy_certainty.wrong("one level only", {0.95: 0.18}, 0.95)


@buy_certainty.checker
def _(abstaining, chosen):
    refuse((not isinstance(abstaining, dict) or not abstaining, "`shares` should be a dict from level to share."))
    chosen = number_of(chosen, "chosen")
    levels = sorted(abstaining)
    shares = np.array([number_of(abstaining[level], "Each share") for level in levels])
    refuse(
        (len(levels) < 2, "There is one level only. Try several before you choose."),
        ((shares > 1).any(), "Counts are no shares: take the mean."),
        ((np.diff(shares) < -1e-9).any(), "Your share falls as the level rises. Which sets mean 'I do not know'?"),
        (chosen not in levels and chosen in shares.tolist(), f"{chosen:g} is a share. Return the level."),
        (chosen not in levels, f"{chosen:g} is none of the levels."),
    )
    nearest = min(levels, key=lambda level: abs(abstaining[level] - 0.1))
    refuse(
        (
            abs(abstaining[chosen] - 0.1) > abs(abstaining[nearest] - 0.1) + 1e-9,
            f"At {chosen:g} it abstains on {abstaining[chosen]:.1%}. Another level comes nearer to one in ten.",
        ),
    )
    return f"At {chosen:g} it abstains on {abstaining[chosen]:.1%}. You chose without any label of the test split."
