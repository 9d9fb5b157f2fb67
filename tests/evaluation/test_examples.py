"""Telling examples, doubtful labels, and the words that drive a prediction."""

import numpy as np
import pytest

from sentiment_lib.attention.attribution import leave_one_word_out
from sentiment_lib.evaluation.examples import example_predictions, label_flip_probability
from sentiment_lib.evaluation.metrics import prediction_table

LABELS = [1, 1, 1, 1, 1, 0, 0, 0, 0, 0]
PROBABILITIES = [0.9, 0.8, 0.7, 0.6, 0.4, 0.95, 0.55, 0.3, 0.2, 0.1]


def test_examples_of_each_kind():
    predictions = prediction_table([f"text {i}" for i in range(10)], LABELS, PROBABILITIES)
    assert list(predictions) == ["text", "label", "probability", "predicted"]
    wrong = example_predictions(predictions.assign(rating=np.arange(10)), "most confident wrong")
    assert wrong["text"].tolist() == ["text 5", "text 4", "text 6"]
    assert wrong["rating"].tolist() == [5, 4, 6]  # further columns stay with their rows
    assert wrong.loc[0, ["label", "predicted"]].tolist() == ["negative", "positive"]
    assert wrong["confidence"].tolist() == pytest.approx([0.95, 0.6, 0.55])
    right = example_predictions(predictions, "most confident right", n=2)
    assert right["text"].tolist() == ["text 0", "text 9"]
    assert list(right) == ["text", "label", "predicted", "confidence"]
    assert example_predictions(predictions, "least confident", n=1)["text"].tolist() == ["text 6"]
    with pytest.raises(ValueError, match="kind='worst' is not one of"):
        example_predictions(predictions, "worst")


def test_how_likely_a_second_panel_gives_the_other_label():
    found = label_flip_probability([0.0, 1.0, -1.0, 2.0, 0.0, 1.0], [1.0, 2.0, 2.0, 0.5, 0.0, 0.0], raters=20)
    # at a mean of 1 with standard deviation 2: z = 1 / (2 sqrt(2 / 20)) = 1.5811, upper tail 0.0569
    assert found.tolist() == pytest.approx([0.5, 0.05692, 0.05692, 0.0, 0.5, 0.0], abs=1e-5)


def test_it_agrees_with_drawing_two_panels():
    rng = np.random.default_rng(0)
    truth = rng.normal(0, 1, 200_000)  # a wide and nearly flat distribution of texts
    first, second = (truth + rng.normal(0, 1.5 / np.sqrt(20), truth.size) for _ in range(2))
    near = np.abs(first - 0.3) < 0.02
    expected = np.mean(second[near] < 0)
    assert label_flip_probability([0.3], [1.5], 20)[0] == pytest.approx(expected, abs=0.02)


def by_words(texts):
    """A classifier whose logit is the sum of known word weights."""
    weights = {"good": 2.0, "bad": -3.0, "very": 0.5}
    logits = np.array([sum(weights.get(word, 0) for word in text.split()) for text in texts])
    return 1 / (1 + np.exp(-logits))


def test_leaving_out_a_word_finds_its_weight():
    calls = []
    first, second = leave_one_word_out(
        ["a very good film", "bad"], lambda texts: calls.append(texts) or by_words(texts)
    )
    assert first.words == ("a", "very", "good", "film")
    assert first.effects == pytest.approx((0, 0.5, 2.0, 0))
    assert first.probability == pytest.approx(by_words(["very good"])[0])
    assert second.effects == pytest.approx((-3.0,))
    assert len(calls) == 1
    assert first.driving(2) == ["good", "very"]
    assert second.driving() == ["bad"]


def test_driving_words_speak_for_what_was_predicted_only():
    (mixed,) = leave_one_word_out(["good but bad"], by_words)
    assert mixed.probability < 0.5
    assert mixed.driving(3) == ["bad"]


def test_a_text_without_words_is_named():
    with pytest.raises(ValueError, match=r"texts\[1\] is '  ': there is no word to leave out"):
        leave_one_word_out(["a", "  "], by_words)
