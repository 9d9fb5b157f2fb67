from collections import Counter

import numpy as np
import pytest
import torch

from sentiment_lib import Classifier, Encoding, initialize_model_and_tokenizer, predict
from sentiment_lib.attention.heads import (
    HeadEffects,
    chance_of,
    head_importance,
    least_first,
    random_sets,
    silence_each,
    silence_in_order,
    silence_sets,
)
from sentiment_lib.attention.silencing import all_heads, gated, silenced
from sentiment_lib.errors import ArgumentError, ModelError

TEXTS = ["A good film.", "A bad film, and a long one at that.", "Dull.", "Never boring, never loud."]
LABELS = [1, 0, 0, 1]
ENCODING = Encoding(32)


def gaps(model, tokenizer):
    batch = tokenizer(TEXTS, padding=True, return_tensors="pt")
    with torch.no_grad():
        logits = model(**batch).logits
    return (logits[:, 1] - logits[:, 0]).numpy()


@pytest.fixture
def own_tiny(tiny_checkpoint):
    """A tiny model that a test may change."""
    return initialize_model_and_tokenizer(str(tiny_checkpoint))


def test_hooks_are_gone_after_an_error(tiny):
    model, tokenizer = tiny
    before = gaps(model, tokenizer)
    with pytest.raises(RuntimeError, match="oops"), silenced(model, [(0, 0)]):
        raise RuntimeError("oops")
    np.testing.assert_array_equal(gaps(model, tokenizer), before)


def test_gates_of_each_text(tiny):
    model, tokenizer = tiny
    gate = torch.ones(4, 2)
    gate[2, 1] = 0
    with gated(model, {1: gate}):
        found = gaps(model, tokenizer)
    with silenced(model, [(1, 1)]):
        off = gaps(model, tokenizer)
    baseline = gaps(model, tokenizer)
    np.testing.assert_allclose(found, np.where(np.arange(4) == 2, off, baseline), atol=1e-6)


def test_a_head_that_is_not_there_and_a_model_that_is_not_known(tiny):
    with (
        pytest.raises(ValueError, match=r"There is no head \(2, 0\); this model has 2 layers of 2 heads"),
        silenced(tiny[0], [(2, 0)]),
    ):
        pass
    from transformers import GPT2Config, GPT2ForSequenceClassification

    gpt = GPT2ForSequenceClassification(GPT2Config(n_embd=8, n_layer=1, n_head=2, vocab_size=10))
    with (
        pytest.raises(ModelError, match="The layers of a GPT2ForSequenceClassification cannot be reached"),
        silenced(gpt, [(0, 0)]),
    ):
        pass


@pytest.fixture
def idle_head(own_tiny):
    """A model that ignores head (1, 1)."""
    with torch.no_grad():
        own_tiny[0].bert.encoder.layer[1].attention.output.dense.weight[:, 16:] = 0
    return own_tiny


def test_silence_each_is_what_predict_says_without_the_head(idle_head):
    effects = silence_each(TEXTS, LABELS, Classifier(*idle_head, ENCODING, "float32"))
    assert effects.without.shape == (2, 2, 4)
    for layer, head in all_heads(idle_head[0]):
        with silenced(idle_head[0], [(layer, head)]):
            p = predict(TEXTS, *idle_head, max_length=32, precision="float32")
        np.testing.assert_allclose(1 / (1 + np.exp(-effects.without[layer, head])), p, atol=1e-6)


def test_a_head_the_output_does_not_depend_on_shows_no_effect(idle_head):
    effects = silence_each(TEXTS, LABELS, Classifier(*idle_head, ENCODING, "float32"))
    table = effects.table(resamples=100).set_index(["layer", "head"])
    assert effects.importance[1, 1] == 0
    assert (effects.importance.ravel()[:3] > 0).all()
    row = table.loc[1, 1]
    assert (row["change"], row["logit"], row["logit_low"], row["logit_high"], row["p_holm"]) == (0, 0, 0, 0, 1)
    importance = head_importance(TEXTS, LABELS, Classifier(*idle_head, ENCODING))
    assert importance[1, 1] == 0
    np.testing.assert_allclose(np.linalg.norm(importance, axis=1), 1)
    assert least_first(importance)[0] == (1, 1)


def test_importance_is_the_slope_of_the_loss_by_the_gate(tiny):
    """Against finite differences of each text's own loss."""
    model, tokenizer = tiny
    found = head_importance(TEXTS, LABELS, Classifier(model, tokenizer, ENCODING, batch_size=3))
    slopes = np.zeros((2, 2))
    for layer, head in all_heads(model):
        losses = []
        for step in (1e-2, -1e-2):
            gate = torch.ones(2)
            gate[head] += step
            with gated(model, {layer: gate}):
                losses.append(np.logaddexp(0, -gaps(model, tokenizer) * np.where(np.array(LABELS) == 1, 1, -1)))
        slopes[layer, head] = np.abs((losses[0] - losses[1]) / 2e-2).mean()
    np.testing.assert_allclose(found, slopes / np.linalg.norm(slopes, axis=1, keepdims=True), atol=0.02)


def test_importance_leaves_the_model_as_it_was(own_tiny):
    model, tokenizer = own_tiny
    model.train()
    head_importance(TEXTS, LABELS, Classifier(model, tokenizer, ENCODING))
    assert model.training
    assert all(parameter.grad is None for parameter in model.parameters())


def test_effects_by_hand():
    """Two texts, one head that helps the first by 2 and takes the second one's right answer."""
    effects = HeadEffects(np.array([1, 0]), np.array([1.0, -1.0]), np.array([[[-1.0, -1.0]], [[1.0, 1.0]]]))
    assert effects.margin_change.tolist() == [[[-2, 0]], [[0, -2]]]
    assert effects.table()["accuracy"].tolist() == [0.5, 0.5]
    assert effects.importance.tolist() == [[1], [1]]
    table = effects.table(resamples=200)
    assert table["change"].tolist() == [-0.5, -0.5]
    assert table["logit"].tolist() == [-1, -1]


@pytest.mark.slow
def test_intervals_of_heads_cover_the_truth():
    """A head that lowers the right logit by 0.3 on average, seen on 150 texts, 200 times."""
    rng = np.random.default_rng(0)
    inside = 0
    for seed in range(200):
        labels = rng.integers(0, 2, 150)
        baseline = rng.normal(size=150)
        without = baseline + np.where(labels == 1, 1, -1) * rng.normal(-0.3, 1, 150)
        row = HeadEffects(labels, baseline, without[None, None]).table(resamples=500, seed=seed).iloc[0]
        inside += row["logit_low"] <= -0.3 <= row["logit_high"]
    assert 0.89 <= inside / 200 <= 0.99


def test_silencing_in_order(tiny):
    order = all_heads(tiny[0])
    curve = silence_in_order(order, [0, 2, 4], TEXTS, LABELS, Classifier(*tiny, ENCODING, "float32"))
    assert curve["silenced"].tolist() == [0, 2, 4]
    assert (curve["change"][0], curve["p"][0]) == (0, 1)
    with silenced(tiny[0], order[:2]):
        right = (predict(TEXTS, *tiny, max_length=32, precision="float32") >= 0.5) == (np.array(LABELS) == 1)
    assert curve["accuracy"][1] == right.mean()
    with pytest.raises(ValueError, match="counts go from 0 to 5; the order has 4 heads"):
        silence_in_order(order, [0, 5], TEXTS, LABELS, Classifier(*tiny, ENCODING))


def test_labels_are_checked_before_any_work(tiny):
    with pytest.raises(ValueError, match="label"):
        silence_each(TEXTS, [1, 0, 2, 1], Classifier(*tiny, ENCODING))
    with pytest.raises(ValueError, match="4"):
        silence_each(TEXTS, [1, 0], Classifier(*tiny, ENCODING))


def test_layers_below_a_silenced_head_are_not_computed_again(idle_head):
    model, tokenizer = idle_head
    classifier = Classifier(model, tokenizer, ENCODING, "float32")
    classifier.logits(TEXTS)  # finds out, once, whether the last layer is needed for [CLS] only
    calls = []
    hooks = [
        layer.attention.register_forward_hook(lambda *_, number=number: calls.append(number))
        for number, layer in enumerate(model.bert.encoder.layer[:-1])  # the last one is computed for [CLS] only
    ]
    try:
        silence_each(TEXTS, LABELS, classifier)
    finally:
        for hook in hooks:
            hook.remove()
    heads, layers = model.config.num_attention_heads, model.config.num_hidden_layers
    assert Counter(calls) == {number: 1 + heads * (number + 1) for number in range(layers - 1)}
    assert all("forward" not in vars(layer) for layer in model.bert.encoder.layer)


def test_sets_of_heads_are_what_predict_says_without_them(idle_head):
    model, tokenizer = idle_head
    classifier = Classifier(model, tokenizer, ENCODING, "float32")
    sets = [[], [(1, 0)], [(0, 1), (1, 1)], all_heads(model)]
    found = silence_sets(sets, TEXTS, classifier)
    for heads, logits in zip(sets, found, strict=True):
        with silenced(model, heads):
            np.testing.assert_allclose(logits, classifier.logits(TEXTS), atol=1e-5)


def test_random_sets_have_the_wanted_size_and_layers():
    heads = [(layer, head) for layer in range(6) for head in range(12)]
    sets = random_sets(heads, 24, 99)
    assert all(len(set(one)) == 24 for one in sets)
    assert len({tuple(sorted(one)) for one in sets}) == 99
    often = Counter(head for one in sets for head in one)
    assert min(often[head] for head in heads) >= 15  # 33 on average
    chosen = [(4, 3), (4, 7), (5, 0)]
    for one in random_sets(heads, 3, 50, like=chosen):
        assert sorted(layer for layer, _ in one) == [4, 4, 5]
    assert random_sets(heads, 24, 5, seed=1) == random_sets(heads, 24, 5, seed=1)


def test_sets_that_cannot_be_drawn_are_errors():
    heads = [(0, 0), (0, 1)]
    with pytest.raises(ArgumentError, match="size=3 is more than the 2 heads"):
        random_sets(heads, 3, 1)
    with pytest.raises(ArgumentError, match="like has 1 heads, not 2"):
        random_sets(heads, 2, 1, like=[(0, 0)])


def test_chance_counts_what_was_found_as_a_draw():
    assert chance_of(1.0, np.zeros(99)) == 0.01
    assert chance_of(0.0, [0.0, 1.0, -1.0]) == 0.75
