import numpy as np
import pytest

from sentiment_lib.attention.attribution import WordEffects
from sentiment_lib.attention.erasure import faithfulness, means_table, rank_agreement

WORTH = {"good": 2.0, "fine": 1.0, "bad": -2.0, "film": 0.0, "the": 0.0}


def predict(texts):
    """A model whose logit is the sum of its words' worth, so that leaving out a word changes it by that worth."""
    return [1 / (1 + np.exp(-sum(WORTH[word] for word in text.split()))) for text in texts]


def explained(text, effects):
    return WordEffects(tuple(text.split()), tuple(effects), predict([text])[0])


def true(text):
    return explained(text, [WORTH[word] for word in text.split()])


def reversed_(text):
    return explained(text, [-WORTH[word] for word in text.split()])


TEXTS = ["the good film", "the bad film", "fine good bad good the"]
ATTRIBUTIONS = {"true": [true(t) for t in TEXTS], "reversed": [reversed_(t) for t in TEXTS]}


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


def test_by_hand():
    found = faithfulness({"true": [true("the good film")]}, predict, fractions=(0.1, 0.5, 1.0))
    complete = sigmoid(2)  # a tenth of three words is one word, a half is two, all are three
    np.testing.assert_allclose(found.without["true"], [[complete - 0.5] * 3])
    np.testing.assert_allclose(found.alone["true"], [[0, 0, 0]], atol=1e-12)
    np.testing.assert_allclose(found.comprehensiveness["true"], [complete - 0.5])


def test_a_negative_prediction_is_explained_by_what_speaks_for_negative():
    found = faithfulness({"true": [true("the bad film")]}, predict, fractions=(0.1,))
    np.testing.assert_allclose(found.without["true"], [[sigmoid(2) - 0.5]])


def test_a_method_without_signs_names_what_matters_for_either_label():
    signed = explained("the bad film", [0.1, -0.8, 0.1])
    assert signed.support.tolist() == [-0.1, 0.8, -0.1]
    wrong_sign = explained("the bad film", [0.1, 0.8, 0.1])
    found = faithfulness({"signed": [wrong_sign], "not": [wrong_sign.without_signs()]}, predict, fractions=(0.1,))
    np.testing.assert_allclose(found.without["not"], [[sigmoid(2) - 0.5]])
    np.testing.assert_allclose(found.without["signed"], [[0]], atol=1e-12)
    assert signed.without_signs().support.tolist() == [0.1, 0.8, 0.1]


def test_the_true_explanation_wins_over_the_reversed_one():
    found = faithfulness(ATTRIBUTIONS, predict)
    assert (found.comprehensiveness["true"] > found.comprehensiveness["reversed"]).all()
    assert (found.sufficiency["true"] < found.sufficiency["reversed"]).all()
    table = found.table("comprehensiveness", minus="reversed")
    assert list(table.index) == ["true"]
    expected = found.comprehensiveness["true"] - found.comprehensiveness["reversed"]
    assert table.loc["true", "estimate"] == pytest.approx(expected.mean())
    assert table.loc["true", "low"] <= table.loc["true", "estimate"] <= table.loc["true", "high"]
    curve = found.curve("without")
    assert set(curve["method"]) == {"true", "reversed"}
    assert len(curve) == 2 * 5


def test_the_model_is_asked_once_and_for_each_text_once():
    calls = []

    def counting(texts):
        calls.append(texts)
        return predict(texts)

    faithfulness(ATTRIBUTIONS, counting)
    assert len(calls) == 1
    assert len(set(calls[0])) == len(calls[0])


def test_rank_agreement_counts_magnitudes_and_ties():
    words = "the good film fine".split()  # noqa: SIM905
    reference = [WordEffects(tuple(words), (0.0, 2.0, 0.1, -1.0), 0.9)]
    same = [WordEffects(tuple(words), (0.1, 4.0, 0.2, 2.0), 0.9)]
    opposite = [WordEffects(tuple(words), (9.0, 0.1, 3.0, 1.0), 0.9)]
    flat = [WordEffects(tuple(words), (1.0, 1.0, 1.0, 1.0), 0.9)]
    found = rank_agreement({"same": same, "opposite": opposite, "flat": flat, "leave one out": reference})
    assert found["same"] == pytest.approx([1])
    assert found["opposite"] == pytest.approx([-1])
    assert np.isnan(found["flat"]).all()
    tied = [WordEffects(tuple(words), (1.0, 4.0, 1.0, 2.0), 0.9)]  # one of six pairs is tied
    assert rank_agreement({"tied": tied, "leave one out": reference})["tied"] == pytest.approx([5 / np.sqrt(5 * 6)])
    with pytest.raises(ValueError, match="reference='leave one out' is not among 'same'"):
        rank_agreement({"same": same})


def test_texts_without_an_answer_are_left_out_of_the_means():
    table = means_table({"a": np.array([1.0, np.nan, 3.0]), "b": np.array([1.0, 5.0, 1.0])})
    assert table["estimate"].tolist() == [2, 1]
    assert table["texts"].tolist() == [2, 2]


def test_impossible_shares():
    for fraction in (0, 1.5):
        with pytest.raises(ValueError, match=f"fractions holds {fraction}"):
            faithfulness(ATTRIBUTIONS, predict, fractions=(0.5, fraction))
