"""Heads of each supported architecture: switched off, described and explained."""

import numpy as np
import pytest
import torch
from support.architectures import ARCHITECTURES, HEADS, HIDDEN, LAYERS, tiny_checkpoint
from transformers import AutoModelForSequenceClassification

from sentiment_lib import Classifier, Encoding, initialize_model_and_tokenizer
from sentiment_lib.attention.attribution import METHODS, attribute, words_seen
from sentiment_lib.attention.erasure import faithfulness
from sentiment_lib.attention.heads import head_importance, silence_each
from sentiment_lib.attention.maps import attention_maps
from sentiment_lib.attention.permuting import permuted_attention
from sentiment_lib.attention.silencing import all_heads, gated, silenced
from sentiment_lib.attention.statistics import head_statistics
from sentiment_lib.model.architectures import attention_windows

TEXTS = ["A wonderful film, moving and superb.", "Dull.", "Not bad at all, and never boring, not for one minute of it!"]
LABELS = [1, 0, 1]
ENCODING = Encoding(64)
# where each architecture keeps the output projection of a layer; written down apart from the library's own list
OUTPUTS = {
    "bert": "bert.encoder.layer.{}.attention.output.dense",
    "roberta": "roberta.encoder.layer.{}.attention.output.dense",
    "xlm-roberta": "roberta.encoder.layer.{}.attention.output.dense",
    "camembert": "roberta.encoder.layer.{}.attention.output.dense",
    "data2vec-text": "data2vec_text.encoder.layer.{}.attention.output.dense",
    "roberta-prelayernorm": "roberta_prelayernorm.encoder.layer.{}.attention.output.dense",
    "xlm-roberta-xl": "roberta.encoder.layer.{}.attention.output.dense",
    "ernie": "ernie.encoder.layer.{}.attention.output.dense",
    "megatron-bert": "bert.encoder.layer.{}.attention.output.dense",
    "rembert": "rembert.encoder.layer.{}.attention.output.dense",
    "distilbert": "distilbert.transformer.layer.{}.attention.out_lin",
    "electra": "electra.encoder.layer.{}.attention.output.dense",
    "albert": "albert.encoder.albert_layer_groups.{}.albert_layers.0.attention.dense",
    "mpnet": "mpnet.encoder.layer.{}.attention.attn.o",
    "deberta-v2": "deberta.encoder.layer.{}.attention.output.dense",
    "modernbert": "model.layers.{}.attn.Wo",
}


@pytest.fixture
def loaded(each_checkpoint):
    return initialize_model_and_tokenizer(str(each_checkpoint))


def logits_of(model, batch):
    with torch.inference_mode():
        return model(**batch).logits


def with_layers_of_their_own(folder):
    """The model as transformers computes it; in an ALBERT, each layer gets a copy of the shared weights."""
    model = AutoModelForSequenceClassification.from_pretrained(folder, attn_implementation="eager").eval()
    if model.config.model_type != "albert":
        return model
    weights = model.state_dict()
    shared = "albert_layer_groups.0."
    for name in [name for name in weights if shared in name]:
        for layer in range(1, LAYERS):
            weights[name.replace(shared, f"albert_layer_groups.{layer}.")] = weights[name]
    model.config.num_hidden_groups = LAYERS
    separate = AutoModelForSequenceClassification.from_config(model.config, attn_implementation="eager").eval()
    separate.load_state_dict(weights)
    return separate


@pytest.mark.parametrize("heads", [[(0, 1)], [(1, 0)], [(2, 3)], [(0, 0), (0, 2), (2, 1)]])
def test_silencing_equals_zeroing_the_heads_columns_in_the_output_projection_of_its_layer(
    each_checkpoint, loaded, heads
):
    model, tokenizer = loaded
    batch = tokenizer(TEXTS, padding=True, return_tensors="pt")
    complete = logits_of(model, batch)
    with silenced(model, heads):
        found = logits_of(model, batch)
        again = logits_of(model, batch)
    assert (found - complete).abs().max() > 1e-4  # it had an effect, and it is undone afterwards
    assert torch.equal(logits_of(model, batch), complete)
    assert torch.equal(again, found)
    reference, size = with_layers_of_their_own(each_checkpoint), HIDDEN // HEADS
    with torch.no_grad():
        for layer, head in heads:
            projection = reference.get_submodule(OUTPUTS[model.config.model_type].format(layer))
            projection.weight[:, head * size : (head + 1) * size] = 0
    torch.testing.assert_close(found, logits_of(reference, batch), atol=1e-5, rtol=1e-4)


def test_a_forward_pass_that_fails_leaves_the_next_one_right(loaded):
    model, tokenizer = loaded
    batch = tokenizer(TEXTS, padding=True, return_tensors="pt")
    with silenced(model, [(1, 0)]):
        expected = logits_of(model, batch)
        handle = model.get_submodule(OUTPUTS[model.config.model_type].format(0)).register_forward_hook(lambda *_: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            model(**batch)
        handle.remove()
        assert torch.equal(logits_of(model, batch), expected)


def test_importance_is_the_derivative_by_each_heads_gate(loaded):
    """Compared with differences of each text's loss for a small change of the gate."""
    model, tokenizer = loaded
    found = head_importance(TEXTS, LABELS, Classifier(model, tokenizer, ENCODING))
    model.double()
    batch, slopes = tokenizer(TEXTS, padding=True, return_tensors="pt"), np.zeros((LAYERS, HEADS))
    for layer, head in all_heads(model):
        losses = []
        for step in (-1e-5, 1e-5):  # small, since the ReLU in a head of DistilBERT has a kink
            gate = torch.ones(HEADS, dtype=torch.float64)
            gate[head] += step
            with gated(model, {layer: gate}):
                losses.append(-logits_of(model, batch).log_softmax(dim=-1)[range(len(LABELS)), LABELS])
        slopes[layer, head] = (losses[1] - losses[0]).abs().sum()
    np.testing.assert_allclose(found, slopes / np.linalg.norm(slopes, axis=1, keepdims=True), atol=5e-3)


def test_maps_show_each_head_and_the_window_of_local_attention(loaded):
    model, tokenizer = loaded
    maps = attention_maps(TEXTS[2], model, tokenizer)
    n = len(maps.tokens)
    assert maps.weights.shape == (LAYERS, HEADS, n, n)
    np.testing.assert_allclose(maps.weights.sum(axis=-1), 1, atol=1e-5)
    assert maps.weights.std(axis=-1).mean() > 0.01  # not uniform
    distance = np.abs(np.subtract.outer(np.arange(n), np.arange(n)))
    for layer, window in enumerate(attention_windows(model.config)):
        assert ((maps.weights[layer] > 0) == (distance <= (n if window is None else window))).all()
    expected = Classifier(model, tokenizer, ENCODING, "float32").predict(TEXTS[2:])
    np.testing.assert_allclose(maps.probability, expected[0], atol=1e-5)


def test_statistics_of_heads(loaded):
    classifier = Classifier(*loaded, ENCODING, "float32")
    statistics = head_statistics(TEXTS, classifier, lexicon={"wonderful", "bad"})
    assert statistics.mean.shape[1:] == (LAYERS, HEADS)
    assert np.isfinite(statistics.mean).all()
    assert (statistics["relative entropy"] <= 1 + 1e-6).all()
    assert (statistics["sentiment words"] > 0).any()
    one_by_one = np.mean([head_statistics([text], classifier, lexicon={"wonderful", "bad"}).mean for text in TEXTS], 0)
    np.testing.assert_allclose(statistics.mean, one_by_one, atol=1e-4)  # padding does not count


def test_permuting_weights_begins_with_the_models_own_answer(loaded):
    classifier = Classifier(*loaded, ENCODING, "float32")
    for layer in (0, -1):
        own, *dealt = permuted_attention(TEXTS, classifier, layer=layer, draws=2)
        np.testing.assert_allclose(own, classifier.logits(TEXTS), atol=1e-4)
        assert np.isfinite(dealt).all()
        assert np.abs(dealt[0] - own).max() > 1e-6


def test_each_head_switched_off_alone(loaded):
    classifier = Classifier(*loaded, ENCODING, "float32")
    effects = silence_each(TEXTS, LABELS, classifier)
    assert (effects.importance > 0).all()
    with silenced(classifier.model, [(1, 2)]):
        np.testing.assert_allclose(effects.without[1, 2], classifier.logits(TEXTS), atol=1e-6)


def test_attribution_and_faithfulness(loaded):
    classifier = Classifier(*loaded, ENCODING, "float32")
    found = attribute(TEXTS, classifier, steps=8)
    assert set(found) == set(METHODS)
    for effects in found.values():
        for text, explained in zip(TEXTS, effects, strict=True):
            assert explained.words == tuple(text.split())
            assert np.isfinite(explained.effects).all()
            assert np.any(explained.effects)
    gains = [sum(explained.effects) for explained in found["attention"]]
    assert all(0 < gain < 1 for gain in gains)  # the rest is on special tokens
    table = faithfulness(found, classifier.predict).table("comprehensiveness")
    assert np.isfinite(table["estimate"]).all()


@pytest.mark.parametrize("truncation", ["head", "tail", "head+tail"])
def test_words_seen_are_not_cut_again(loaded, truncation):
    model, tokenizer = loaded
    classifier = Classifier(model, tokenizer, Encoding(24, truncation))
    text = " ".join(TEXTS * 3)
    words = words_seen(text, classifier)
    assert 0 < len(words) < len(text.split())
    assert len(tokenizer(" ".join(words))["input_ids"]) <= 24
    assert attribute([text], classifier, methods=["gradient × input"])["gradient × input"][0].words == tuple(words)


def test_a_head_that_reads_the_mean_of_all_tokens_is_explained_by_all_rows(tmp_path):
    folder = tiny_checkpoint("modernbert", tmp_path, classifier_pooling="mean", labels=("negative", "positive"))
    model, tokenizer = initialize_model_and_tokenizer(str(folder))
    found = attribute([TEXTS[1]], Classifier(model, tokenizer, ENCODING), methods=["attention"])["attention"][0]
    maps = attention_maps(TEXTS[1], model, tokenizer)
    np.testing.assert_allclose(sum(found.effects), maps.weights[-1].mean(axis=(0, 1))[1:-1].sum(), rtol=1e-4)


def test_all_outputs_are_listed():
    assert set(OUTPUTS) == set(ARCHITECTURES)
