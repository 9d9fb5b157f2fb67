import numpy as np
import pytest
import torch

from sentiment_lib import Classifier, Encoding, predict
from sentiment_lib.model import has_bfloat16, inference

TEXTS = [f"{'a long and winding sentence ' * (i % 7)}number {i}" for i in range(60)]


def one_by_one(texts, model, tokenizer):
    with torch.no_grad():
        logits = [model(**tokenizer(text, return_tensors="pt")).logits[0] for text in texts]
    return torch.stack(logits).softmax(-1)[:, 1].numpy()


def test_batched_and_sorted_equals_one_by_one_in_order(tiny):
    expected = one_by_one(TEXTS, *tiny)
    assert expected.std() > 1e-4
    for batch_size in (1, 7, 64):
        found = predict(TEXTS, *tiny, max_length=128, batch_size=batch_size, precision="float32")
        np.testing.assert_allclose(found, expected, atol=1e-6)
    assert found.dtype == np.float64


def test_chunks_do_not_change_the_answer(tiny, monkeypatch):
    expected = predict(TEXTS, *tiny, max_length=128, precision="float32")
    monkeypatch.setattr(inference, "CHUNK", 13)
    np.testing.assert_allclose(predict(TEXTS, *tiny, max_length=128, precision="float32"), expected, atol=1e-6)


def test_bfloat16_stays_close(bundled):
    exact = predict(TEXTS, *bundled, precision="float32")
    np.testing.assert_allclose(predict(TEXTS, *bundled, precision="bfloat16"), exact, atol=0.02)


def test_a_text_has_the_same_probability_alone_as_in_any_list(bundled):
    """Up to rounding in the same precision: "auto" depends on the device only, not on the number of texts."""
    together = predict(TEXTS, *bundled)
    alone = np.array([predict([text], *bundled)[0] for text in TEXTS[:7]])
    exact = predict(TEXTS[:7], *bundled, precision="float32")
    np.testing.assert_allclose(alone, together[:7], atol=0.004)
    if has_bfloat16("cpu"):
        assert np.abs(alone - exact).max() > 1e-5
        np.testing.assert_allclose(alone, predict(TEXTS[:7], *bundled, precision="bfloat16"), atol=0.004)
    else:
        np.testing.assert_allclose(alone, exact, atol=1e-6)


def test_no_texts(tiny):
    assert predict([], *tiny).shape == (0,)


def test_a_model_in_training_stays_in_training(tiny):
    model, tokenizer = tiny
    model.train()
    try:
        first, second = (predict(["same"], model, tokenizer)[0] for _ in range(2))
        assert first == second  # no dropout while predicting
        assert model.training
    finally:
        model.eval()


def test_extreme_logits_do_not_overflow(tiny, monkeypatch):
    monkeypatch.setattr(inference.Classifier, "logits", lambda *_, **__: np.array([2000.0, -2000.0, 0.0]))
    assert predict(["a", "b", "c"], *tiny).tolist() == [1.0, 0.0, 0.5]


def test_one_string_or_a_number_is_an_error(tiny):
    with pytest.raises(TypeError, match="takes a list of texts"):
        predict("a text", *tiny)
    with pytest.raises(TypeError, match=r"texts\[1\] is None"):
        predict(["a", None], *tiny)
    with pytest.raises(ValueError, match="precision='half' is not one of"):
        predict(["a"], *tiny, precision="half")


def test_batches_hold_little_padding_and_are_not_too_small(bundled):
    texts = ["A fine film " * (1 + i**2 % 31) for i in range(300)]
    batches = list(Classifier(*bundled, Encoding(128), batch_size=32).batches(texts))
    assert sorted(row for rows, _ in batches for row in rows) == list(range(300))
    masks = [batch["attention_mask"] for _, batch in batches]
    assert all(1024 <= mask.numel() <= 4096 for mask in masks[:-1])
    assert sum(mask.numel() for mask in masks) < 1.1 * sum(int(mask.sum()) for mask in masks)
    lengths = [int(length) for mask in masks for length in mask.sum(dim=1)]
    assert lengths == sorted(lengths, reverse=True)  # so that a lack of memory shows at once
