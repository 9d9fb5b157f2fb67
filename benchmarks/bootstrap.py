"""Bootstrap intervals of ten measures: the library against a loop over scikit-learn, in turn, three times.

python benchmarks/bootstrap.py        1 minute on two cores
"""

import time

import numpy as np
from sklearn import metrics as skl

from sentiment_lib.evaluation.uncertainty import metric_intervals

PREDICTIONS, RESAMPLES, LOOPED = 2000, 10_000, 200


def by_loop(labels: np.ndarray, probabilities: np.ndarray, resamples: int) -> None:
    """What a user would write: draw, index, call scikit-learn."""
    rng = np.random.default_rng(0)
    members = [np.flatnonzero(labels == label) for label in (0, 1)]
    for _ in range(resamples):
        drawn = np.concatenate([rng.choice(places, len(places)) for places in members])
        y, p = labels[drawn], probabilities[drawn]
        called = p >= 0.5
        skl.accuracy_score(y, called)
        skl.precision_recall_fscore_support(y, called)
        skl.average_precision_score(y, p)
        skl.roc_auc_score(y, p)
        skl.brier_score_loss(y, p)


def main() -> None:
    """Time both in turn and print seconds and the ratio."""
    rng = np.random.default_rng(0)
    labels = rng.integers(0, 2, PREDICTIONS)
    probabilities = np.clip(0.5 + 0.25 * (2 * labels - 1) + rng.normal(0, 0.3, PREDICTIONS), 0, 1)
    ours, theirs = [], []
    for _ in range(3):
        began = time.perf_counter()
        metric_intervals(labels, probabilities, resamples=RESAMPLES)
        ours.append(time.perf_counter() - began)
        began = time.perf_counter()
        by_loop(labels, probabilities, LOOPED)
        theirs.append((time.perf_counter() - began) * RESAMPLES / LOOPED)
    a, b = np.median(ours), np.median(theirs)
    print(f"{RESAMPLES:,} resamples of {PREDICTIONS:,} predictions: {a:.2f} s")
    print(f"a loop over scikit-learn: {b:.0f} s (from {LOOPED} resamples); {b / a:.0f} times as long")


if __name__ == "__main__":
    main()
