"""Bootstrap intervals of ten metrics: the library against a loop over scikit-learn, three times in turn.

python benchmarks/bootstrap.py        1 minute on two cores
"""

import time

import numpy as np
from sklearn import metrics as skl

from sentiment_lib.evaluation.uncertainty import metric_intervals

PREDICTIONS, RESAMPLES, LOOPED = 2000, 10_000, 200


def by_loop(labels: np.ndarray, probabilities: np.ndarray, resamples: int) -> None:
    """The obvious way to write it: resample, index and call scikit-learn."""
    rng = np.random.default_rng(0)
    positions = [np.flatnonzero(labels == label) for label in (0, 1)]
    for _ in range(resamples):
        drawn = np.concatenate([rng.choice(group, len(group)) for group in positions])
        y, p = labels[drawn], probabilities[drawn]
        predicted = p >= 0.5
        skl.accuracy_score(y, predicted)
        skl.precision_recall_fscore_support(y, predicted)
        skl.average_precision_score(y, p)
        skl.roc_auc_score(y, p)
        skl.brier_score_loss(y, p)


def main() -> None:
    """Time both in turn and print seconds and their ratio."""
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
