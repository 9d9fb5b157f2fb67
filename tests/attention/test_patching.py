import numpy as np
import pytest
import torch
from transformers import GPT2Config, GPT2Model

from sentiment_lib.attention.patching import Patched, pair_texts, patch_heads, patch_positions, patch_sets
from sentiment_lib.attention.silencing import all_heads
from sentiment_lib.errors import ArgumentError, ModelError
from sentiment_lib.model.encoder import layer_inputs_changed, layer_outputs_changed

FIRST, SECOND = ["A really good film.", "The plot is very bad here."], ["A not good film.", "The plot is not bad here."]


@pytest.fixture(scope="module")
def pairs(tiny):
    return pair_texts(tiny[1], FIRST, SECOND)


def test_patching_a_text_into_itself_changes_nothing(tiny):
    same = pair_texts(tiny[1], FIRST, FIRST)
    for patch in (patch_positions, patch_heads):
        found = patch(tiny[0], same)
        assert np.ptp(found.patched.reshape(len(FIRST), -1), axis=1) == pytest.approx(0, abs=1e-5)
        assert found.first == pytest.approx(found.second, abs=1e-6)


def test_patching_everything_gives_the_other_texts_logit(tiny, pairs):
    found = patch_sets(tiny[0], pairs, [all_heads(tiny[0]), []])
    alone = patch_heads(tiny[0], pairs)
    assert found.patched[:, 1] == pytest.approx(found.second, abs=1e-5)
    assert (found.first, found.second) == (pytest.approx(alone.first), pytest.approx(alone.second))
    states = {}
    with layer_inputs_changed(tiny[0], {0: lambda seen: states.setdefault("first", seen)}), torch.inference_mode():
        tiny[0](input_ids=pairs.first, attention_mask=pairs.mask)
    with layer_inputs_changed(tiny[0], {0: lambda _: states["first"]}), torch.inference_mode():
        logits = tiny[0](input_ids=pairs.second, attention_mask=pairs.mask).logits
    assert (logits[:, 1] - logits[:, 0]).numpy() == pytest.approx(found.first, abs=1e-5)


def test_all_positions_of_the_last_layers_input_can_be_told_apart(tiny, pairs):
    found = patch_positions(tiny[0], pairs)
    layers, tokens = tiny[0].config.num_hidden_layers, pairs.first.shape[1]
    assert found.patched.shape == (2, layers, tokens)
    different = (pairs.first != pairs.second).numpy()
    before_attention = found.patched[:, 0]  # what the first layer reads differs where the words differ
    assert before_attention[different] == pytest.approx(found.first, abs=1e-5)
    assert before_attention[~different] == pytest.approx(np.repeat(found.second, tokens - 1), abs=1e-5)


def test_beyond_the_end_of_a_pair_nothing_changes(tiny):
    pairs = pair_texts(tiny[1], [FIRST[0], "Good."], [SECOND[0], "Bad."])
    found = patch_positions(tiny[0], pairs)
    beyond = pairs.mask[1] == 0
    assert beyond.any()
    assert found.patched[1][:, beyond.numpy()] == pytest.approx(found.second[1], abs=1e-5)


def test_several_heads_together_are_what_they_are_alone_if_there_is_one(tiny, pairs):
    heads = all_heads(tiny[0])
    together = patch_sets(tiny[0], pairs, [[head] for head in heads])
    assert together.patched == pytest.approx(patch_heads(tiny[0], pairs).patched.reshape(2, -1), abs=1e-5)


def test_the_recovered_share_is_a_ratio_of_means():
    found = Patched(np.array([2.0, 4.0]), np.array([0.0, 0.0]), np.array([[1.0, 0.0], [2.0, 4.0]]))
    assert found.recovered == pytest.approx([0.5, 2 / 3])


def test_intervals_draw_whole_templates():
    rng = np.random.default_rng(0)
    of_template = np.repeat(rng.normal(0.5, 0.3, 12), 20)  # what comes back depends on the template alone
    found = Patched(np.ones(240), np.zeros(240), np.stack([of_template, np.full(240, 0.25)], axis=1))
    templates = np.repeat([f"template {i}" for i in range(12)], 20)
    low, high = found.intervals(templates)
    spread = of_template.reshape(12, 20)[:, 0].std(ddof=1) / 12**0.5
    assert high[0] - low[0] == pytest.approx(2 * 1.96 * spread, rel=0.2)
    assert (low[1], high[1]) == pytest.approx((0.25, 0.25))
    assert low[0] < found.recovered[0] < high[0]
    singly = found.intervals([str(i) for i in range(240)])
    assert singly[1][0] - singly[0][0] < (high[0] - low[0]) / 3  # too narrow: as if all pairs were independent
    other = Patched(-found.first, -found.second, 0.5 * -found.patched)  # the other direction brings back half as much
    both = found.intervals(templates, also=[other])
    np.testing.assert_allclose(both, 0.75 * np.array([low, high]), rtol=1e-9)
    with pytest.raises(ArgumentError, match="There are 2 groups for 240 pairs"):
        found.intervals(["a", "b"])


def test_pairs_of_different_lengths_are_refused(tiny):
    with pytest.raises(ArgumentError, match=r"'A good film.' has 6 tokens and 'A not good film.' has 7"):
        pair_texts(tiny[1], ["A good film."], ["A not good film."])
    with pytest.raises(ArgumentError, match="1 first and 2 second texts"):
        pair_texts(tiny[1], ["One."], ["One.", "Two."])


def test_unknown_heads_and_models_are_refused(tiny, pairs):
    with pytest.raises(ArgumentError, match=r"There is no head \(9, 0\); this model's heads are \(0, 0\) to \(1, 1\)"):
        patch_sets(tiny[0], pairs, [[(9, 0)]])
    decoder = GPT2Model(GPT2Config(n_layer=1, n_embd=8, n_head=2, vocab_size=16))
    for changed in (layer_inputs_changed, layer_outputs_changed):
        with pytest.raises(ModelError, match="layers of a GPT2Model cannot be reached"), changed(decoder, {}):
            pass


@pytest.mark.parametrize("seed", range(3))
def test_every_architecture_is_patched_alike(each_checkpoint, seed):
    from sentiment_lib import initialize_model_and_tokenizer

    model, tokenizer = initialize_model_and_tokenizer(str(each_checkpoint))
    order = np.random.default_rng(seed)
    words = [order.permutation(["good", "bad", "dull", "fine"]) for _ in range(2)]
    pairs = pair_texts(tokenizer, *[[" ".join(["a", *text])] for text in words])
    found = patch_positions(model, pairs)
    everything = found.patched[:, 0]
    assert found.patched.shape[1] == model.config.num_hidden_layers
    assert np.isfinite(everything).all()
    heads = patch_sets(model, pairs, [[]])
    assert heads.patched[:, 0] == pytest.approx(found.second, abs=1e-4)
