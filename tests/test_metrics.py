import numpy as np
import pandas as pd
import pytest

from sentiment_lib import evaluate
from sentiment_lib.metrics import example_predictions, precision_recall_curve, prediction_table

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


def test_examples_of_each_kind():
    predictions = prediction_table([f"text {i}" for i in range(10)], LABELS, PROBABILITIES)
    assert list(predictions) == ["text", "label", "probability", "predicted"]
    wrong = example_predictions(predictions, "most confident wrong")
    assert wrong["text"].tolist() == ["text 5", "text 4", "text 6"]
    assert wrong.loc[0, ["label", "predicted"]].tolist() == ["negative", "positive"]
    assert wrong["confidence"].tolist() == pytest.approx([0.95, 0.6, 0.55])
    right = example_predictions(predictions, "most confident right", n=2)
    assert right["text"].tolist() == ["text 0", "text 9"]
    assert example_predictions(predictions, "least confident", n=1)["text"].tolist() == ["text 6"]
    with pytest.raises(ValueError, match="kind='worst' is not one of"):
        example_predictions(predictions, "worst")


@pytest.mark.parametrize(
    ("labels", "probabilities", "message"),
    [
        ([0, 1], [0.1], r"same length; their shapes are \(2,\) and \(1,\)"),
        ([], [], "labels must hold both 0 and 1"),
        ([1, 1], [0.1, 0.2], r"labels must hold both 0 and 1; found \[1\]"),
        ([0, 2], [0.1, 0.2], "labels must be 0 or 1; found 2"),
        ([0, 1], [0.1, 1.2], "number 1 is 1.2"),
        ([0, 1], [float("nan"), 0.5], "number 0 is nan"),
    ],
)
def test_bad_predictions(labels, probabilities, message):
    with pytest.raises(ValueError, match=message):
        evaluate(labels, probabilities)


def test_it_is_plain_data():
    import json

    assert json.loads(json.dumps(evaluate(LABELS, PROBABILITIES).to_dict()))["per_class"]["positive"]["examples"] == 5
    assert isinstance(prediction_table(["a", "b"], [0, 1], [0.1, 0.9]), pd.DataFrame)
