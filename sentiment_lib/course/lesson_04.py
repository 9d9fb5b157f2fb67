"""Exercises of lesson 04."""

from __future__ import annotations

import numpy as np

from .exercises import Wrong, exercise


@exercise(
    "04.1",
    "Everything is positive",
    "predict",
    task="""
    A model calls *every* review positive. Of 2,000 reviews 800 are. Predict its precision, its recall and its F1 (for
    the positive class) before you compute anything.
    """,
    code="""
precision = 0.4  #| answer
recall = 1.0  #| answer
f1 = 0.8 / 1.4  #| answer
""",
    answer="precision, recall, f1",
    hints=(
        "Fill the confusion matrix first: how many reviews are in each of the four cells? Two of them are empty.",
        "Precision: of the 2,000 that were *called* positive, how many are? Recall: of the 800 that *are*, how many "
        "were found? F1 is the harmonic mean of the two, 2pr / (p + r).",
    ),
    wrong=[
        ("precision, recall, f1 = 1.0, 0.4, 0.8 / 1.4", "Precision and recall are swapped"),
        ("precision, recall, f1 = 0.4, 1.0, 0.7", "arithmetic mean"),
        ("precision, recall, f1 = 0.5, 1.0, 2 / 3", "precision is not"),
    ],
)
def _everything_positive(precision, recall, f1):
    if np.isclose(precision, 1) and np.isclose(recall, 0.4):
        raise Wrong("Precision and recall are swapped: precision looks at what was called, recall at what is.")
    if not np.isclose(precision, 0.4):
        raise Wrong(f"The precision is not {precision}. How many were called positive, and how many of these are?")
    if not np.isclose(recall, 1):
        raise Wrong(f"The recall is not {recall}. Which positive reviews were missed?")
    if np.isclose(f1, 0.7):
        raise Wrong("That F1 is the arithmetic mean. F1 is the harmonic one, which lies nearer to the smaller number.")
    if not np.isclose(f1, 0.8 / 1.4, atol=0.002):
        raise Wrong(f"With these two, F1 is not {f1}.")
    return "Without any skill, F1 is 0.57 here: never read an F1 without the base rate."


@exercise(
    "04.2",
    "F1 from counts",
    "write",
    task="""
    Write F1 for the positive class from three counts. When nothing was found (no true positive), it is 0, and nothing
    must be divided by 0.
    """,
    code='''
def f1_from_counts(true_positive, false_positive, false_negative):
    """F1 of the positive class."""
    #| solution
    if true_positive == 0:
        return 0.0
    precision = true_positive / (true_positive + false_positive)
    recall = true_positive / (true_positive + false_negative)
    return 2 * precision * recall / (precision + recall)
    #| end
''',
    answer="f1_from_counts",
    hints=(
        "Compute precision and recall from the counts, then their harmonic mean.",
        "Begin with the special case: `if true_positive == 0: return 0.0`. Then no denominator can be 0.",
    ),
    wrong=[
        (
            """
            if true_positive == 0:
                return 0.0
            precision = true_positive / (true_positive + false_positive)
            recall = true_positive / (true_positive + false_negative)
            return (precision + recall) / 2
            """,
            "arithmetic mean",
        ),
        (
            """
            if true_positive + false_positive == 0:
                return 1.0
            return 2 * true_positive / (2 * true_positive + false_positive + false_negative)
            """,
            "nothing was found",
        ),
        ("return true_positive / (true_positive + false_positive + false_negative or 1)", "Jaccard"),
        (
            """
            precision = true_positive / (true_positive + false_positive)
            recall = true_positive / (true_positive + false_negative)
            return 2 * precision * recall / (precision + recall)
            """,
            "ZeroDivisionError",
        ),
    ],
)
def _f1_from_counts(f1):
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


@exercise(
    "04.3",
    "An interval without a formula",
    "write",
    task="""
    `right` is an array of bool: was the prediction right or not? Draw as many reviews as there are, *with
    replacement*, and compute the accuracy; do this `draws` times, with random numbers that depend on `seed` only.
    Return `(low, high)`: between these two lie the middle 95 % of the accuracies.
    """,
    code='''
import numpy as np


def bootstrap_interval(right, draws=2000, seed=0):
    """95 % percentile interval of the accuracy."""
    #| solution
    rng = np.random.default_rng(seed)
    drawn = rng.integers(0, len(right), (draws, len(right)))
    low, high = np.percentile(right[drawn].mean(axis=1), [2.5, 97.5])
    return low, high
    #| end
''',
    answer="bootstrap_interval",
    hints=(
        "The lesson draws five resamples in a loop. Keep the accuracy of each in a list, and make the list longer.",
        "`rng.integers(0, len(right), len(right))` draws with replacement. Of all accuracies, cut off 2.5 % at each "
        "end: `np.percentile(accuracies, [2.5, 97.5])`.",
    ),
    wrong=[
        (
            """
            rng = np.random.default_rng(seed)
            accuracies = [rng.permutation(right).mean() for _ in range(draws)]
            return np.percentile(accuracies, [2.5, 97.5])
            """,
            "has no width",
        ),
        (
            """
            rng = np.random.default_rng(seed)
            accuracies = [rng.choice(right, len(right)).mean() for _ in range(draws)]
            return np.percentile(accuracies, [5, 95])
            """,
            "middle 90 %",
        ),
        ("return right.mean() - 1.96 * right.std(), right.mean() + 1.96 * right.std()", "single reviews"),
        (
            """
            rng = np.random.default_rng(seed)
            accuracies = [rng.choice(right, len(right)).mean() for _ in range(draws)]
            return np.percentile(accuracies, [0.025, 0.975])
            """,
            "0 to 100",
        ),
    ],
)
def _bootstrap_interval(bootstrap):
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


@exercise(
    "04.4",
    "A threshold for a recall",
    "write",
    task="""
    Find the *highest* threshold at which at least the share `recall` of the positive reviews is called positive. A
    review is called positive if its probability is the threshold or more. Return one of the `probabilities`; both
    arguments are arrays, labels are 0 or 1.
    """,
    code='''
import numpy as np


def threshold_for_recall(labels, probabilities, recall=0.95):
    """The highest threshold that finds this share of the positives."""
    #| solution
    positives = probabilities[labels == 1]
    reached = [one for one in probabilities if (positives >= one).mean() >= recall]
    return max(reached)
    #| end
''',
    answer="threshold_for_recall",
    hints=(
        "Recall looks at the positive reviews only: `probabilities[labels == 1]`. How many of them reach a threshold?",
        "Try every probability as a threshold. `(positives >= threshold).mean()` is its recall; of those with "
        "enough recall, return the largest.",
    ),
    wrong=[
        ("return min(probabilities)", "Every review is called positive"),
        ("return np.sort(probabilities)[::-1][int(np.ceil(recall * len(probabilities))) - 1]", "of all reviews"),
        (
            """
            positives = probabilities[labels == 1]
            return max([t for t in probabilities if (positives > t).mean() >= recall] or [0.0])
            """,
            "greater than the threshold",
        ),
        (
            """
            positives = np.sort(probabilities[labels == 1])[::-1]
            return positives[int(recall * len(positives)) - 2]
            """,
            "too few",
        ),
        ("return np.quantile(probabilities[labels == 1], 1 - recall)", "not one of the probabilities"),
    ],
)
def _threshold_for_recall(threshold_for):
    for positive, negative, recall in ((37, 30, 0.95), (40, 60, 0.95), (9, 40, 0.5), (8, 20, 0.8), (12, 8, 1.0)):
        labels = np.random.default_rng(positive).permutation(np.arange(positive + negative) < positive).astype(int)
        noise = np.random.default_rng(negative).normal(0, 0.15, len(labels))
        probabilities = np.clip(np.round(0.35 + 0.3 * labels + noise, 3), 0.001, 0.999)
        positives = probabilities[labels == 1]
        right = max(one for one in probabilities if (positives >= one).mean() >= recall)
        found = float(threshold_for(labels, probabilities, recall))
        share, place = (positives >= found).mean(), int(np.ceil(recall * len(labels))) - 1
        if np.isclose(found, right):
            continue
        if found <= probabilities.min():
            raise Wrong(
                f"Every review is called positive from {found:.3f} on. The highest such threshold is asked for."
            )
        if np.isclose(found, [np.sort(probabilities)[::-1][place], np.quantile(probabilities, 1 - recall)]).any():
            raise Wrong("That is a quantile of all reviews. Recall is a share of the positive ones.")
        if not np.isclose(found, probabilities).any():
            raise Wrong(f"{found:.4f} is not one of the probabilities. (np.quantile interpolates between two of them.)")
        if share < recall:
            raise Wrong(
                f"At {found:.3f}, {share:.1%} of {positive} positives are called positive, too few for {recall:.0%}."
            )
        if found == max((one for one in probabilities if (positives > one).mean() >= recall), default=None):
            raise Wrong("That fits a probability greater than the threshold. Here a review that equals it counts too.")
        raise Wrong(f"{found:.3f} reaches a recall of {recall:.0%} with {positive} positives, but so do higher ones.")
    if not np.isclose(threshold_for(labels, probabilities), threshold_for(labels, probabilities, 0.95)):
        raise Wrong("Without a third argument, recall is 0.95.")
    return "Choose it on validation: on other reviews it keeps about this recall, and its interval says how nearly."
