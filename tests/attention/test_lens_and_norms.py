import numpy as np
import pytest
import torch

from sentiment_lib import initialize_model_and_tokenizer
from sentiment_lib.attention import attention_maps, layer_logits, moved_norms
from sentiment_lib.errors import ArgumentError
from sentiment_lib.model.compute import Compute
from sentiment_lib.model.encoder import encoder_layers, head_outputs_changed, output_projections

TEXTS = ["a fine film", "dull and long , and not even funny"]


@pytest.fixture
def each(each_checkpoint):
    return initialize_model_and_tokenizer(str(each_checkpoint), compute=Compute("cpu", "float32", "eager"))


def own_logits(model, tokenizer, texts):
    batch = tokenizer(list(texts), padding=True, return_tensors="pt")
    with torch.inference_mode():
        logits = model.eval()(**batch).logits
    return (logits[:, 1] - logits[:, 0]).numpy()


def test_at_the_last_layer_the_lens_shows_the_models_own_answer(each):
    model, tokenizer = each
    found = layer_logits(model.train(), tokenizer, TEXTS)
    assert model.training
    assert found.shape == (2, model.config.num_hidden_layers + 1)
    np.testing.assert_allclose(found[:, -1], own_logits(model, tokenizer, TEXTS), atol=1e-5)
    assert np.unique(found[0].round(6)).size > 2


def test_the_lens_shows_what_a_model_with_fewer_layers_answers(tiny):
    model, tokenizer = tiny
    model.eval()
    found = layer_logits(model, tokenizer, TEXTS)
    layers = encoder_layers(model)
    for count in range(len(layers)):
        model.bert.encoder.layer = torch.nn.ModuleList(list(layers)[:count])
        try:
            shorter = own_logits(model, tokenizer, TEXTS)
        finally:
            model.bert.encoder.layer = layers
        np.testing.assert_allclose(found[:, count], shorter, atol=1e-5)


def test_a_lens_needs_a_text(tiny):
    with pytest.raises(ArgumentError, match="texts is empty"):
        layer_logits(*tiny, [])


def test_what_heads_move_adds_up_to_what_the_layer_puts_out(each):
    """The sum of the moved vectors over tokens and heads, plus the bias, is what the output projection returns."""
    model, tokenizer = each
    seen, given = {}, {}

    def look(layer):
        def change(outputs):
            seen[layer] = outputs.clone()
            return outputs

        return change

    count = model.config.num_hidden_layers
    text = "a fine film"
    with head_outputs_changed(model, {layer: look(layer) for layer in range(count)}):
        maps, norms = moved_norms(text, model.eval(), tokenizer)
    assert norms.shape == maps.weights.shape
    assert (norms >= 0).all()
    # With one head's weights on a single token, the norm is that of the head's part of the projected output.
    for layer in range(count):
        projection = output_projections(model)[layer]
        width = model.config.num_attention_heads
        heads = seen[layer].unflatten(-1, (width, -1))[0]  # (tokens, heads, size)
        weight = projection.weight.unflatten(-1, (width, -1))
        with torch.inference_mode():
            parts = torch.einsum("ths,ohs->tho", heads, weight)
        given[layer] = parts.norm(dim=-1).numpy()  # (tokens, heads): of the sum over the tokens looked at
        sums = norms[layer].sum(axis=-1).T  # (tokens, heads): of single vectors; a sum is at most as long
        assert (given[layer] <= sums + 1e-4).all()


def test_norms_are_those_of_single_vectors(tiny):
    """By hand for a BERT: value projection, output projection, weight."""
    model, tokenizer = tiny
    model.eval()
    maps, norms = moved_norms("a fine film", model, tokenizer)
    ids = tokenizer("a fine film", return_tensors="pt")
    with torch.inference_mode():
        states = model(**ids, output_hidden_states=True).hidden_states
    width = model.config.num_attention_heads
    size = model.config.hidden_size // width
    for number, layer in enumerate(encoder_layers(model)):
        for head in range(width):
            own = slice(head * size, (head + 1) * size)
            with torch.inference_mode():
                value = layer.attention.self.value(states[number][0])[:, own]
                vectors = value @ layer.attention.output.dense.weight[:, own].T  # (tokens, hidden size)
            for i in range(len(maps.tokens)):
                expected = (torch.tensor(maps.weights[number, head, i])[:, None] * vectors).norm(dim=-1)
                np.testing.assert_allclose(norms[number, head, i], expected, atol=1e-5)


def test_maps_are_unchanged(tiny):
    np.testing.assert_array_equal(
        moved_norms("a fine film", *tiny)[0].weights, attention_maps("a fine film", *tiny).weights
    )
