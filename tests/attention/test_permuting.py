import numpy as np
import pytest
import torch

from sentiment_lib import Classifier
from sentiment_lib.attention import permuted_attention
from sentiment_lib.attention.permuting import _orders
from sentiment_lib.errors import ArgumentError
from sentiment_lib.settings import Encoding

TEXTS = ["A wonderful film.", "Bad, bad, bad, and far too long for what it has to say.", "Good."]


def test_the_first_row_is_the_models_own_answer_and_draws_differ(tiny):
    classifier = Classifier(*tiny, Encoding(32, "head"), "float32")
    for layer in (0, 1, -1):
        own, *dealt = permuted_attention(TEXTS, classifier, layer=layer, draws=3)
        np.testing.assert_allclose(own, classifier.logits(TEXTS), atol=1e-5)
        assert len({tuple(np.round(draw, 6)) for draw in dealt}) == 3
    again = permuted_attention(TEXTS, classifier, draws=3)
    np.testing.assert_array_equal(again[1:], dealt)


def test_only_a_texts_own_tokens_change_places():
    mask = torch.tensor([[1, 1, 1, 0, 0], [1, 1, 1, 1, 1]])
    order = _orders(mask, 7, torch.Generator().manual_seed(0))
    assert (order[0, :, 3:] == torch.tensor([3, 4])).all()
    assert (order[0, :, :3].sort(dim=-1).values == torch.arange(3)).all()
    assert (order[1].sort(dim=-1).values == torch.arange(5)).all()
    assert len({tuple(row) for row in order[1].tolist()}) > 3


def test_a_head_that_spreads_evenly_cannot_be_permuted(tiny):
    """With even weights, dealing them out anew changes nothing: a known answer."""
    model, tokenizer = tiny
    layer = model.base_model.encoder.layer[1].attention.self
    kept = layer.query.weight.data.clone(), layer.query.bias.data.clone()
    layer.query.weight.data.zero_()
    layer.query.bias.data.zero_()
    try:
        own, *dealt = permuted_attention(TEXTS, Classifier(model, tokenizer, Encoding(32, "head"), "float32"), draws=4)
    finally:
        layer.query.weight.data, layer.query.bias.data = kept
    for draw in dealt:
        np.testing.assert_allclose(draw, own, atol=1e-5)


def test_a_layer_that_the_model_lacks_is_an_error(tiny):
    with pytest.raises(ArgumentError, match="There is no layer 9; this model has the layers 0 to 1"):
        permuted_attention(TEXTS, Classifier(*tiny, Encoding(32, "head"), "float32"), layer=9)
