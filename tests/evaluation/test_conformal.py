import itertools

import numpy as np
import pytest
from scipy.stats import binom

from sentiment_lib.errors import ArgumentError
from sentiment_lib.evaluation import prediction_sets


def drawn(n, rng, sharpness=3.0):
    """Probabilities of a calibrated model, and labels."""
    p = 1 / (1 + np.exp(-rng.normal(0, sharpness, n)))
    return (rng.random(n) < p).astype(int), p


@pytest.mark.parametrize("level", [0.8, 0.9, 0.97])
@pytest.mark.parametrize("by_label", [False, True])
def test_sets_hold_the_true_label_as_often_as_promised(level, by_label):
    """Over calibration splits, coverage is exact: between the level and the level + 1 / (n + 1)."""
    rng = np.random.default_rng(0)
    held, count = np.zeros(2), np.zeros(2)
    for _ in range(400):
        labels, p = drawn(100, rng)
        new_labels, new = drawn(50, rng)
        sets = prediction_sets(labels, p, new, level, by_label=by_label)
        for label in (0, 1):
            some = new_labels == label
            held[label] += sets.members[some, label].sum()
            count[label] += some.sum()
    shares = held / count if by_label else held.sum(keepdims=True) / count.sum(keepdims=True)
    calibration = 50 if by_label else 100
    for share in shares:
        assert level - 0.01 <= share <= level + 1 / (calibration + 1) + 0.02


def test_coverage_on_one_test_split_lies_within_its_binomial_interval():
    rng = np.random.default_rng(1)
    labels, p = drawn(5000, rng)
    new_labels, new = drawn(2000, rng)
    coverage = prediction_sets(labels, p, new, 0.9).coverage(new_labels)
    low, high = binom.interval(0.9999, 2000, 0.9)
    assert low / 2000 <= coverage.estimate <= high / 2000
    assert coverage.low < coverage.estimate < coverage.high


def test_a_known_answer():
    labels, p = [1, 1, 1, 0, 0, 0, 1, 0, 1], [0.9, 0.8, 0.7, 0.1, 0.2, 0.3, 0.6, 0.45, 0.4]
    sets = prediction_sets(labels, p, [0.95, 0.5, 0.55, 0.3], level=0.8)  # 8 of 9 true labels have at least 0.55
    assert sets.smallest.tolist() == [0.55, 0.55]
    assert sets.members.tolist() == [[False, True], [False, False], [False, True], [True, False]]
    assert sets.size.tolist() == [1, 0, 1, 1]


def test_a_higher_level_never_takes_a_label_out():
    rng = np.random.default_rng(2)
    labels, p = drawn(300, rng)
    members = [prediction_sets(labels, p, np.linspace(0, 1, 101), level).members for level in (0.5, 0.8, 0.95, 0.99)]
    for lower, higher in itertools.pairwise(members):
        assert (higher >= lower).all()


def test_sets_are_those_of_mapie():
    from mapie.classification import SplitConformalClassifier
    from sklearn.base import BaseEstimator, ClassifierMixin

    class Given(ClassifierMixin, BaseEstimator):
        """A classifier whose input is its answer."""

        def fit(self, x, y):
            self.classes_, self.n_features_in_ = np.array([0, 1]), 1
            return self

        def predict_proba(self, x):
            return np.column_stack([1 - x[:, 0], x[:, 0]])

        def predict(self, x):
            return (x[:, 0] >= 0.5).astype(int)

    rng = np.random.default_rng(3)
    labels, p = drawn(501, rng)
    _, new = drawn(1000, rng)
    model = Given().fit(p[:, None], labels)
    theirs = SplitConformalClassifier(model, confidence_level=0.9, conformity_score="lac", prefit=True)
    theirs.conformalize(p[:, None], labels)
    _, sets = theirs.predict_set(new[:, None])
    assert (prediction_sets(labels, p, new, 0.9).members == sets[:, :, 0]).all()


@pytest.mark.parametrize("new", [[0.5, np.nan], [2.0], [{"label": "POSITIVE", "score": 0.5}]])
def test_new_probabilities_that_are_none_are_an_error(new):
    with pytest.raises(ArgumentError, match="probabilities"):
        prediction_sets([0, 1] * 10, [0.2, 0.8] * 10, new, 0.9)


@pytest.mark.parametrize(("level", "message"), [(0.99, "needs at least 99"), (0, "between 0 and 1"), (1.2, "1.2")])
def test_a_level_that_cannot_be_promised_is_an_error(level, message):
    with pytest.raises(ArgumentError, match=message):
        prediction_sets([0, 1] * 10, [0.2, 0.8] * 10, [0.5], level)
