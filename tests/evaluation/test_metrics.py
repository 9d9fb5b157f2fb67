import numpy as np
import pandas as pd
import pytest
from scipy.integrate import trapezoid

from sentiment_lib import evaluate
from sentiment_lib.errors import ArgumentError
from sentiment_lib.evaluation.metrics import choose_threshold, precision_recall_curve, prediction_table, roc_curve
from sentiment_lib.evaluation.uncertainty import metric_intervals

# Ten predictions worked by hand at threshold 0.5: TP 4, FN 1, FP 2, TN 3.
LABELS = [1, 1, 1, 1, 1, 0, 0, 0, 0, 0]
PROBABILITIES = [0.9, 0.8, 0.7, 0.6, 0.4, 0.95, 0.55, 0.3, 0.2, 0.1]


def test_every_measure_against_a_worked_example():
    found = evaluate(LABELS, PROBABILITIES)
    assert found.confusion_matrix == [[3, 2], [1, 4]]
    assert (found.examples, found.threshold) == (10, 0.5)
    assert found.accuracy == pytest.approx(7 / 10)
    assert (found.precision, found.recall) == (pytest.approx(4 / 6), pytest.approx(4 / 5))
    assert found.f1 == pytest.approx(2 * (4 / 6) * (4 / 5) / (4 / 6 + 4 / 5))
    negative = found.per_class["negative"]
    assert (negative.precision, negative.recall, negative.examples) == (pytest.approx(3 / 4), pytest.approx(3 / 5), 5)
    assert found.macro_f1 == pytest.approx((found.f1 + negative.f1) / 2)
    # 25 pairs of a positive and a negative: each positive text wins against those negatives it exceeds
    wins = sum(p > q for p in PROBABILITIES[:5] for q in PROBABILITIES[5:])
    assert found.roc_auc == pytest.approx(wins / 25)
    # precision at each newly found positive, in order of probability: 1/2, 2/3, 3/4, 4/5, 5/7
    assert found.average_precision == pytest.approx(np.mean([1 / 2, 2 / 3, 3 / 4, 4 / 5, 5 / 7]))


def test_the_threshold_moves_precision_and_recall_only():
    low, high = evaluate(LABELS, PROBABILITIES, 0.35), evaluate(LABELS, PROBABILITIES, 0.99)
    assert (low.recall, low.precision) == (1.0, pytest.approx(5 / 7))
    assert (high.recall, high.precision, high.f1) == (0.0, 0.0, 0.0)
    assert low.roc_auc == high.roc_auc


def test_a_probability_at_the_threshold_is_positive():
    assert evaluate([0, 1], [0.5, 0.5]).confusion_matrix == [[0, 1], [0, 1]]


def test_the_table_of_classes():
    table = evaluate(LABELS, PROBABILITIES).to_frame()
    assert table.index.tolist() == ["negative", "positive", "macro mean"]
    assert table["examples"].tolist() == [5, 5, 10]


def test_the_curve_ends_where_it_must():
    curve = precision_recall_curve(LABELS, PROBABILITIES)
    assert curve.iloc[0][["precision", "recall"]].tolist() == [0.5, 1.0]
    assert curve.iloc[-1][["precision", "recall"]].tolist() == [1.0, 0.0]
    assert np.isnan(curve.iloc[-1]["threshold"])
    at_half = curve[curve["threshold"] >= 0.5].iloc[0]
    assert (at_half["precision"], at_half["recall"]) == (pytest.approx(4 / 6), pytest.approx(4 / 5))
    step = -np.sum(np.diff(curve["recall"]) * curve["precision"].to_numpy()[:-1])
    assert step == pytest.approx(evaluate(LABELS, PROBABILITIES).average_precision)


def test_the_roc_curve_runs_from_corner_to_corner_and_holds_its_area():
    curve = roc_curve(LABELS, PROBABILITIES)
    ends = curve[["false_positive_rate", "true_positive_rate"]].iloc[[0, -1]]
    assert ends.to_numpy().tolist() == [[0, 0], [1, 1]]
    area = trapezoid(curve["true_positive_rate"], curve["false_positive_rate"])
    assert area == pytest.approx(evaluate(LABELS, PROBABILITIES).roc_auc)


def test_the_threshold_with_the_best_f1_is_the_best_of_all():
    found = choose_threshold(LABELS, PROBABILITIES)
    every = [evaluate(LABELS, PROBABILITIES, threshold).f1 for threshold in PROBABILITIES]
    assert found.f1 == pytest.approx(max(every))
    expected = evaluate(LABELS, PROBABILITIES, found.threshold)
    assert (found.precision, found.recall, found.f1) == pytest.approx(
        (expected.precision, expected.recall, expected.f1)
    )


def test_a_promised_precision_is_kept_with_the_largest_recall():
    found = choose_threshold(LABELS, PROBABILITIES, "precision>=0.75")
    assert found.threshold == 0.6  # 4 of the 5 above are positive; at 0.55 it is 4 of 6
    assert (found.precision, found.recall) == (pytest.approx(0.8), pytest.approx(0.8))
    other = choose_threshold(LABELS, PROBABILITIES, "recall >= 1")
    assert (other.threshold, other.recall) == (0.4, 1.0)


def test_aims_that_cannot_be_met_or_read():
    with pytest.raises(ValueError, match=r"No threshold reaches precision>=0.9; the largest precision is 0.800"):
        choose_threshold(LABELS, PROBABILITIES, "precision>=0.9")
    with pytest.raises(ValueError, match="aim='accuracy' is not understood; say 'f1'"):
        choose_threshold(LABELS, PROBABILITIES, "accuracy")
    with pytest.raises(ValueError, match="aim='precision>=9' is not understood"):
        choose_threshold(LABELS, PROBABILITIES, "precision>=9")


@pytest.mark.parametrize(
    ("labels", "probabilities", "message"),
    [
        ([0, 1], [0.1], r"same length; their shapes are \(2,\) and \(1,\)"),
        ([], [], "labels must be 0 or 1, and both must occur; found no labels"),
        ([1, 1], [0.1, 0.2], "labels must be 0 or 1, and both must occur; found 1"),
        ([0, 2], [0.1, 0.2], "labels must be 0 or 1, and both must occur; found 0, 2"),
        ([0, 1], [0.1, 1.2], "number 1 is 1.2"),
        ([0, 1], [float("nan"), 0.5], "number 0 is nan"),
    ],
)
def test_bad_predictions(labels, probabilities, message):
    with pytest.raises(ValueError, match=message):
        evaluate(labels, probabilities)


@pytest.mark.parametrize(
    ("found", "names"),
    [
        ([{"label": "POSITIVE", "score": 0.9}, {"label": "NEGATIVE", "score": 0.8}], "'POSITIVE'"),
        ([{"label": "LABEL_1", "score": 0.9}, {"label": "LABEL_0", "score": 0.8}], "'LABEL_1'"),
        (
            [[{"label": "pos", "score": 0.9}, {"label": "neg", "score": 0.1}],
             [{"label": "neg", "score": 0.8}, {"label": "pos", "score": 0.2}]],
            "'pos'",
        ),
    ],
)  # fmt: skip
def test_the_dicts_of_a_pipeline_are_refused_with_the_line_that_converts_them(found, names):
    with pytest.raises(ArgumentError) as caught:
        evaluate([1, 0], found)
    line = str(caught.value).partition("probabilities = ")[2]
    assert names in line
    assert eval(line, {"found": found}) == pytest.approx([0.9, 0.2])
    with pytest.raises(ArgumentError, match="dicts of a pipeline"):
        metric_intervals([1, 0], found)


def test_probabilities_that_are_no_numbers_are_refused():
    with pytest.raises(ArgumentError, match=r"must be numbers, one per text; they begin with 'high'"):
        evaluate([1, 0], ["high", "low"])
    with pytest.raises(ArgumentError, match=r"they begin with \{'score': 0.9\}"):
        evaluate([1, 0], [{"score": 0.9}, {"score": 0.2}])


def test_it_is_plain_data():
    import json

    assert json.loads(json.dumps(evaluate(LABELS, PROBABILITIES).to_dict()))["per_class"]["positive"]["examples"] == 5
    assert isinstance(prediction_table(["a", "b"], [0, 1], [0.1, 0.9]), pd.DataFrame)
