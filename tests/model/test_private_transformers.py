"""What sentiment_lib.model._transformers relies on, with the transformers that is installed."""

import pytest
import torch
from transformers import AttentionInterface, AttentionMaskInterface, BertConfig, BertModel, ModernBertModel
from transformers.masking_utils import create_bidirectional_mask, create_causal_mask

from sentiment_lib.model._transformers import (
    attention_function,
    attention_kernel,
    eager_mask,
    sees_all_tokens,
    set_attention_kernel,
)

SIZES = {"vocab_size": 9, "hidden_size": 8, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 8}


@pytest.mark.parametrize("kernel", ["eager", "sdpa"])
def test_the_kernel_is_the_one_that_was_set(kernel):
    model = BertModel(BertConfig(**SIZES))
    model.set_attn_implementation(kernel)
    assert attention_kernel(model.config) == kernel


@pytest.mark.parametrize("kind", [BertModel, ModernBertModel])
def test_a_kernel_that_is_set_is_the_one_that_computes(kind):
    model = kind(kind.config_class(**SIZES | {"num_hidden_layers": 2, "vocab_size": 50, "pad_token_id": 0}))
    AttentionInterface.register("nothing", lambda module, query, *_, **__: (0 * query.transpose(1, 2), None))
    AttentionMaskInterface.register("nothing", eager_mask)
    ids = torch.tensor([[1, 2, 3]])
    set_attention_kernel(model.config, "eager")
    usual = model.eval()(ids).last_hidden_state
    set_attention_kernel(model.config, "nothing")
    assert attention_kernel(model.config) == "nothing"
    assert not torch.allclose(model(ids).last_hidden_state, usual)
    set_attention_kernel(model.config, "eager")
    assert torch.equal(model(ids).last_hidden_state, usual)


def test_the_function_is_the_one_that_the_model_computes_with():
    used = []

    def mine(module, query, key, value, mask, **options):
        used.append(options["scaling"])
        return query.transpose(1, 2), None

    model = BertModel(BertConfig(**SIZES))
    assert attention_function(model.config, mine) is AttentionInterface()["sdpa"]
    AttentionInterface.register("mine", mine)
    model.set_attn_implementation("mine")
    assert attention_function(model.config, max) is mine
    model(torch.ones(1, 3, dtype=torch.long))
    assert used == [0.5]  # 1 / sqrt(4), the size of a head
    model.set_attn_implementation("eager")
    assert attention_function(model.config, max) is max


@pytest.mark.parametrize(("create", "all_tokens"), [(create_bidirectional_mask, True), (create_causal_mask, False)])
def test_masks_are_made_by_a_function_that_tells_what_they_hide(create, all_tokens):
    seen = []

    def mask(**options):
        seen.append(sees_all_tokens(options["mask_function"]))
        return eager_mask(**options)

    AttentionMaskInterface.register("mine", mask)
    AttentionInterface.register("mine", max)
    config = BertConfig(**SIZES)
    config._attn_implementation = "mine"
    attention_mask = torch.tensor([[1, 1, 1], [1, 1, 0]])
    made = create(config=config, inputs_embeds=torch.ones(2, 3, 8), attention_mask=attention_mask, past_key_values=None)
    assert seen == [all_tokens]
    assert made.shape == (2, 1, 3, 3)
    lowest = torch.finfo(torch.float32).min
    hidden = attention_mask[:, None, None, :].expand(2, 1, 3, 3) == 0
    if not all_tokens:
        hidden = hidden | torch.ones(3, 3, dtype=torch.bool).triu(1)
    assert torch.equal(made, torch.zeros(2, 1, 3, 3).masked_fill(hidden, lowest))
