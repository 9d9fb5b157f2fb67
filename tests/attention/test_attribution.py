from dataclasses import replace

import numpy as np
import pytest
import torch

from sentiment_lib import Classifier, Encoding, predict
from sentiment_lib.attention.attribution import (
    METHODS,
    UNSIGNED,
    WordEffects,
    attribute,
    lexicon_effects,
    rollout,
    words_seen,
)
from sentiment_lib.attention.maps import eager

TEXTS = ["A truly tearjerking film.", "Bad, and long at that, with $5 seats."]
ENCODING = Encoding(48)


def test_rollout_of_two_layers_worked_by_hand():
    """Layer 1 looks crosswise, layer 2 evenly; with the residual half, by hand:
    first [[.5, .5], [.5, .5]], second [[.75, .25], [.25, .75]], product [[.5, .5], [.5, .5]]."""
    crosswise, evenly = [[0.0, 1.0], [1.0, 0.0]], [[0.5, 0.5], [0.5, 0.5]]
    np.testing.assert_allclose(rollout(np.array([[crosswise], [evenly]])), [[0.5, 0.5], [0.5, 0.5]])
    to_first = [[1.0, 0.0], [1.0, 0.0]]  # mixed with the residual: [[1, 0], [.5, .5]], squared [[1, 0], [.75, .25]]
    np.testing.assert_allclose(rollout(np.array([[to_first], [to_first]])), [[1, 0], [0.75, 0.25]])
    # the order counts: [[.75, .25], [.25, .75]] after [[1, 0], [.5, .5]]
    np.testing.assert_allclose(rollout(np.array([[to_first], [evenly]])), [[0.875, 0.125], [0.625, 0.375]])


def test_rollout_takes_the_mean_of_the_heads():
    heads = np.array([[[[0.0, 1.0], [1.0, 0.0]], [[1.0, 0.0], [0.0, 1.0]]]])
    np.testing.assert_allclose(rollout(heads), [[0.75, 0.25], [0.25, 0.75]])


def gap(text, model, tokenizer):
    with torch.no_grad():
        logits = model(**tokenizer(text, return_tensors="pt")).logits[0]
    return float(logits[1] - logits[0])


def test_every_method_speaks_of_the_same_words(tiny):
    found = attribute(TEXTS, Classifier(*tiny, ENCODING, "float32"))
    assert tuple(found) == METHODS
    probabilities = predict(TEXTS, *tiny, max_length=48, precision="float32")
    for name, effects in found.items():
        for text, p, explained in zip(TEXTS, probabilities, effects, strict=True):
            assert explained.words == tuple(text.split()), name
            assert len(explained.effects) == len(explained.words)
            assert explained.probability == pytest.approx(p, abs=1e-5)
            assert explained.signed == (name not in UNSIGNED)
            assert explained.signed or min(explained.effects) >= 0
            assert (explained.gap is None) == (name != "integrated gradients")
            assert np.std(explained.effects) > 0, name


def test_attention_is_that_of_the_last_layer_summed_over_pieces(tiny):
    from sentiment_lib import attention_maps

    (found,) = attribute(TEXTS[:1], Classifier(*tiny, ENCODING), methods=["attention"])["attention"]
    maps = attention_maps(TEXTS[0], *tiny, max_length=48)
    from_cls = maps.weights[-1, :, 0].mean(axis=0)
    assert maps.tokens[3:6] == ["tear", "##jer", "##king"]
    np.testing.assert_allclose(found.effects, [from_cls[1], from_cls[2], from_cls[3:6].sum(), from_cls[6:8].sum()], atol=1e-6)  # fmt: skip


def test_integrated_gradients_are_complete(tiny):
    """Their sum over all tokens is the difference between the outputs for this text and for one of [PAD]."""
    from sentiment_lib.attention.attribution import _inside

    model, tokenizer = tiny
    for text in TEXTS:
        values, _, missing = _inside(text, Classifier(model, tokenizer, ENCODING), ["integrated gradients"], 64)
        ids = tokenizer(text, return_tensors="pt")["input_ids"]
        blank = ids.clone()
        blank[0, 1:-1] = tokenizer.pad_token_id
        with torch.no_grad():
            embedded = model.get_input_embeddings()(blank)
            logits = model(inputs_embeds=embedded, attention_mask=torch.ones_like(blank)).logits[0]
        difference = gap(text, model, tokenizer) - float(logits[1] - logits[0])
        assert abs(difference) > 0.05
        assert values["integrated gradients"].sum() == pytest.approx(difference, abs=0.02 * abs(difference))
        assert missing == pytest.approx(values["integrated gradients"].sum() - difference, abs=1e-4)
        assert values["integrated gradients"][[0, -1]] == pytest.approx(0)  # special tokens are the same in both


def test_gradient_methods_against_finite_differences(tiny):
    model, tokenizer = tiny
    found = attribute(
        TEXTS[:1], Classifier(model, tokenizer, ENCODING), methods=["gradient × input", "gradient × attention"]
    )
    ids = tokenizer(TEXTS[0], return_tensors="pt")["input_ids"]
    embedded = model.get_input_embeddings()(ids).detach()

    def output(scale):  # the embedding of "truly", scaled
        changed = embedded.clone()
        changed[0, 2] *= scale
        with torch.no_grad():
            logits = model(inputs_embeds=changed, attention_mask=torch.ones_like(ids)).logits[0]
        return float(logits[1] - logits[0])

    slope = (output(1.01) - output(0.99)) / 0.02
    assert found["gradient × input"][0].effects[1] == pytest.approx(slope, rel=0.02, abs=1e-4)
    # scaling the weights that [CLS] gives to a token scales that token's part of the heads' output
    values = model.bert.encoder.layer[1].attention.self
    captured = {}
    hooks = [values.value.register_forward_hook(lambda m, i, o: captured.update(v=o.detach()))]
    hooks.append(values.register_forward_hook(lambda m, i, o: captured.update(a=o[1].detach())))
    with torch.no_grad(), eager(model):
        model(ids, attention_mask=torch.ones_like(ids), output_attentions=True)
    for hook in hooks:
        hook.remove()
    part = torch.cat([captured["a"][0, h, 0, 2] * captured["v"][0, 2, 16 * h : 16 * h + 16] for h in range(2)])
    dense = model.bert.encoder.layer[1].attention.output.dense

    def nudged(step):
        def hook(_, inputs):
            mixed = inputs[0].clone()
            mixed[0, 0] += step * part
            return (mixed,)

        handle = dense.register_forward_pre_hook(hook)
        try:
            return gap(TEXTS[0], model, tokenizer)
        finally:
            handle.remove()

    slope = (nudged(0.01) - nudged(-0.01)) / 0.02
    assert found["gradient × attention"][0].effects[1] == pytest.approx(slope, rel=0.02, abs=1e-4)


def test_random_is_the_same_for_a_seed_and_only_then(tiny):
    first, same, other = (
        attribute(TEXTS, Classifier(*tiny, ENCODING), methods=["random", "attention"], seed=s)["random"]
        for s in (0, 0, 1)
    )
    assert first == same != other


def test_a_long_text_is_explained_by_the_words_that_are_seen(tiny):
    tokenizer = tiny[1]
    text = " ".join(f"tearjerking w{i}." for i in range(60))
    for truncation in ("head", "tail", "head+tail"):
        encoding = replace(ENCODING, truncation=truncation)
        words = words_seen(text, Classifier(None, tokenizer, encoding))
        used = len(tokenizer(" ".join(words))["input_ids"])
        assert 40 <= used <= 48
        assert (words[:1] == text.split()[:1]) == (truncation != "tail")
        assert (words[-1:] == text.split()[-1:]) == (truncation != "head")
        found = attribute([text], Classifier(*tiny, encoding), methods=["attention", "leave one out", "random"])
        assert found["attention"][0].words == found["leave one out"][0].words == tuple(words)
    assert words_seen("Short one.", Classifier(None, tokenizer, ENCODING)) == ["Short", "one."]
    assert words_seen(" ", Classifier(None, tokenizer, ENCODING)) == []


def test_a_lexicon_knows_its_words_and_nothing_else(tiny):
    text = "A good, GREAT film; horrible tabletop."
    (found,) = lexicon_effects([text], Classifier(*tiny, ENCODING))
    assert found.words == tuple(text.split())
    assert [effect > 0 for effect in found.effects] == [False, True, True, False, False, False]
    assert [effect < 0 for effect in found.effects] == [False, False, False, False, True, False]
    assert found.probability == pytest.approx(predict([text], *tiny, max_length=48)[0], abs=1e-3)


def test_what_cannot_be_explained_is_an_error(tiny):
    with pytest.raises(ValueError, match="There is no method 'magic'; there are 'attention'"):
        attribute(TEXTS, Classifier(*tiny, ENCODING), methods=["magic"])
    with pytest.raises(ValueError, match="' ' has no word that fits"):
        attribute([TEXTS[0], " "], Classifier(*tiny, ENCODING))


def test_the_model_is_left_as_it_was(tiny):
    model, tokenizer = tiny
    model.train()
    attribute(
        TEXTS[:1], Classifier(model, tokenizer, ENCODING), methods=["integrated gradients", "gradient × attention"]
    )
    assert model.training
    assert all(p.grad is None for p in model.parameters())
    model.eval()


def test_word_effects_name_the_words_that_drive_the_prediction():
    assert WordEffects(("a", "b"), (0.5, -0.2), 0.9).driving() == ["a"]
