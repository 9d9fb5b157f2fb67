import numpy as np
import pytest
import torch

from sentiment_lib import attention_maps, initialize_model_and_tokenizer, predict
from sentiment_lib.model import Compute

TEXT = "Not bad at all, and <b>never</b> boring."


def test_shapes_tokens_and_rows(bundled):
    maps = attention_maps(TEXT, *bundled)
    n = len(maps.tokens)
    assert maps.weights.shape == (6, 12, n, n)
    assert (maps.layers, maps.heads) == (6, 12)
    assert maps.weights.dtype == np.float32
    assert (maps.tokens[0], maps.tokens[-1]) == ("[CLS]", "[SEP]")
    np.testing.assert_allclose(maps.weights.sum(-1), 1, atol=1e-5)


def test_they_are_the_models_own_weights(bundled):
    model, tokenizer = bundled
    with torch.no_grad():
        output = model(**tokenizer(TEXT, return_tensors="pt"), output_attentions=True)
    expected = torch.cat(output.attentions).numpy()
    np.testing.assert_allclose(attention_maps(TEXT, model, tokenizer).weights, expected, atol=1e-6)


def test_by_hand_from_queries_and_keys(tiny):
    model, tokenizer = tiny
    with torch.no_grad():
        hidden = model.bert.embeddings(tokenizer(TEXT, return_tensors="pt")["input_ids"])
        layer = model.bert.encoder.layer[0].attention.self
        query, key = (f(hidden)[0].view(-1, 2, 16).transpose(0, 1) for f in (layer.query, layer.key))
        expected = (query @ key.transpose(1, 2) / 4).softmax(-1).numpy()
    np.testing.assert_allclose(attention_maps(TEXT, model, tokenizer).weights[0], expected, atol=1e-6)


def test_a_model_with_another_kernel_and_in_training_is_given_back_so(tiny_checkpoint):
    model, tokenizer = initialize_model_and_tokenizer(str(tiny_checkpoint), compute=Compute("cpu", "float32", "sdpa"))
    model.train()
    maps = attention_maps(TEXT, model, tokenizer)
    assert maps.weights.shape[:2] == (2, 2)
    np.testing.assert_allclose(maps.weights.sum(-1), 1, atol=1e-5)  # no dropout in the weights
    assert (model.config._attn_implementation, model.training) == ("sdpa", True)


def test_its_prediction_is_that_of_predict(tiny):
    assert attention_maps(TEXT, *tiny).probability == pytest.approx(predict([TEXT], *tiny)[0], abs=1e-6)


def test_long_and_empty_texts(tiny):
    assert attention_maps("word " * 500, *tiny, max_length=32).weights.shape == (2, 2, 32, 32)
    assert attention_maps("", *tiny).tokens == ["[CLS]", "[SEP]"]
    with pytest.raises(TypeError, match="text is None, not a string"):
        attention_maps(None, *tiny)
