import numpy as np
import pytest
import torch
from support.architectures import tiny_checkpoint as checkpoint_of

from sentiment_lib import attention_maps, initialize_model_and_tokenizer, predict
from sentiment_lib.attention.maps import AttentionMaps, condense, eager
from sentiment_lib.model.compute import Compute

TEXT = "Not bad at all, and <b>never</b> boring."


@pytest.fixture(scope="module")
def tiny_modernbert(tmp_path_factory):
    return initialize_model_and_tokenizer(str(checkpoint_of("modernbert", tmp_path_factory.mktemp("modernbert"))))


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
    with torch.no_grad(), eager(model):
        output = model(**tokenizer(TEXT, return_tensors="pt"), output_attentions=True)
    expected = torch.cat(output.attentions).numpy()
    np.testing.assert_allclose(attention_maps(TEXT, model, tokenizer).weights, expected, atol=1e-5)


def test_by_hand_from_queries_and_keys(tiny):
    model, tokenizer = tiny
    with torch.no_grad():
        hidden = model.bert.embeddings(tokenizer(TEXT, return_tensors="pt")["input_ids"])
        layer = model.bert.encoder.layer[0].attention.self
        query, key = (f(hidden)[0].view(-1, 2, 16).transpose(0, 1) for f in (layer.query, layer.key))
        expected = (query @ key.transpose(1, 2) / 4).softmax(-1).numpy()
    np.testing.assert_allclose(attention_maps(TEXT, model, tokenizer).weights[0], expected, atol=1e-6)


def test_a_model_in_training_with_another_kernel_is_left_as_it_was(tiny_checkpoint):
    model, tokenizer = initialize_model_and_tokenizer(str(tiny_checkpoint), compute=Compute("cpu", "float32", "sdpa"))
    model.train()
    maps = attention_maps(TEXT, model, tokenizer)
    assert maps.weights.shape[:2] == (2, 2)
    np.testing.assert_allclose(maps.weights.sum(-1), 1, atol=1e-5)  # no dropout in the weights
    assert (model.config._attn_implementation, model.training) == ("sdpa", True)


def test_its_prediction_is_that_of_predict(tiny):
    assert attention_maps(TEXT, *tiny).probability == pytest.approx(
        predict([TEXT], *tiny, precision="float32")[0], abs=1e-6
    )


def test_long_and_empty_texts(tiny):
    assert attention_maps("word " * 500, *tiny, max_length=32).weights.shape == (2, 2, 32, 32)
    assert attention_maps("", *tiny).tokens == ["[CLS]", "[SEP]"]
    with pytest.raises(TypeError, match="text is None, not a string"):
        attention_maps(None, *tiny)


def three_pieces():
    """[CLS] un ##even [SEP], one head, weights that are easy to add up."""
    weights = np.array([[[[0.4, 0.1, 0.2, 0.3], [0.5, 0.2, 0.2, 0.1], [0.1, 0.3, 0.5, 0.1], [1, 0, 0, 0]]]], "float32")
    return AttentionMaps(["[CLS]", "un", "##even", "[SEP]"], weights, 0.5, (-1, 0, 0, -1))


def test_to_a_word_the_sum_and_from_it_the_mean():
    words = condense(three_pieces())
    assert words.tokens == ["[CLS]", "uneven", "[SEP]"]
    assert words.words == (-1, 0, -1)
    np.testing.assert_allclose(words.weights[0, 0], [[0.4, 0.3, 0.3], [0.3, 0.6, 0.1], [1, 0, 0]], atol=1e-6)


def test_without_special_tokens_the_rest_is_renormalised():
    pieces = condense(three_pieces(), words=False, special=False)
    assert pieces.tokens == ["un", "##even"]
    np.testing.assert_allclose(pieces.weights[0, 0], [[0.5, 0.5], [0.375, 0.625]], atol=1e-6)
    nothing = AttentionMaps(["[CLS]", "a"], np.array([[[[1, 0], [1, 0]]]], "float32"), 0.5, (-1, 0))
    assert condense(nothing, special=False).weights.tolist() == [[[[0]]]]  # no weight is left to divide


def test_two_words_side_by_side_are_not_one():
    maps = AttentionMaps(["a", "b"], np.full((1, 1, 2, 2), 0.5, "float32"), 0.5)
    assert condense(maps).tokens == ["a", "b"]


def test_the_words_of_a_real_text(bundled):
    maps = attention_maps("An unbelievably tearjerking film", *bundled)
    assert condense(maps).tokens == ["[CLS]", "an", "unbelievably", "tearjerking", "film", "[SEP]"]
    np.testing.assert_allclose(condense(maps).weights.sum(-1), 1, atol=1e-5)


def test_words_of_a_cut_text_are_those_of_its_tokens(tiny):
    text = " ".join(f"tearjerking{'x' * (i % 3)} w{i}" for i in range(60))
    for truncation in ("head", "tail", "head+tail"):
        maps = attention_maps(text, *tiny, max_length=32, truncation=truncation)
        assert len(maps.words) == len(maps.tokens) == 32
        joined = condense(maps, special=False)
        for name in joined.tokens:  # a piece of a cut word may be left
            assert name.removeprefix("##") in text.lower()


def test_words_are_those_of_the_text_where_pieces_have_no_marks():
    weights = np.full((1, 1, 4, 4), 0.25, "float32")
    maps = AttentionMaps(["<s>", "😀", "😀", "</s>"], weights, 0.5, (-1, 0, 0, -1), ("<s>", "😀", "😀", "</s>"))
    joined = condense(maps)
    assert (joined.tokens, joined.word_texts) == (["<s>", "😀", "</s>"], ("<s>", "😀", "</s>"))
    assert condense(maps, words=False, special=False).tokens == ["😀", "😀"]
    assert condense(condense(maps, words=False, special=False)).tokens == ["😀"]


def test_local_attention_is_named(tiny_modernbert):
    model, tokenizer = tiny_modernbert
    maps = attention_maps(TEXT, model, tokenizer)
    assert maps.windows == (None, 4, None)
    expected = "Layer 1 (1 of 3): local attention. A token sees at most 4 tokens to each side; all other weights are 0."
    assert maps.note == condense(maps).note == expected
    positions = np.arange(len(maps.tokens))
    far = np.abs(positions[:, None] - positions) > 4
    assert far.any()
    assert maps.weights[1][:, far].max() == 0 < min(maps.weights[0][:, far].min(), maps.weights[2][:, far].min())
    assert attention_maps(TEXT, *tiny_modernbert, max_length=8).windows == maps.windows


def test_all_layers_of_a_bert_see_everything(tiny):
    assert (attention_maps(TEXT, *tiny).windows, attention_maps(TEXT, *tiny).note) == ((None, None), "")


def test_weights_that_do_not_fit_the_tokens_are_an_error():
    with pytest.raises(ValueError, match="do not fit 1 tokens"):
        AttentionMaps(["a"], np.zeros((1, 1, 2, 2)), 0.5)
