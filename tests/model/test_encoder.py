import pytest
import torch
from transformers import AutoModelForSequenceClassification, BertConfig, DistilBertConfig, RobertaConfig

from sentiment_lib.attention.silencing import silenced
from sentiment_lib.model import _torch, encoder
from sentiment_lib.model.encoder import (
    bfloat16_hidden_states,
    encoder_layers,
    first_token_only,
    packed_weights,
)
from sentiment_lib.model.lean_attention import register_lean_attention

SIZES = {"vocab_size": 50, "hidden_size": 16, "num_attention_heads": 2, "intermediate_size": 32, "num_labels": 2}
DISTIL = {"vocab_size": 50, "dim": 16, "n_heads": 2, "hidden_dim": 32, "n_layers": 3, "num_labels": 2}
FAMILIES = {
    "bert": BertConfig(num_hidden_layers=3, **SIZES),
    "roberta": RobertaConfig(num_hidden_layers=3, **SIZES),
    "distilbert": DistilBertConfig(**DISTIL),
}


def make_model(family: str, kernel: str, dropout: float = 0.0):
    torch.manual_seed(0)
    register_lean_attention()
    config = FAMILIES[family]
    for name in ("hidden_dropout_prob", "attention_probs_dropout_prob", "dropout", "attention_dropout"):
        if hasattr(config, name):
            setattr(config, name, dropout)
    return AutoModelForSequenceClassification.from_config(config, attn_implementation=kernel).eval()


@pytest.fixture
def batch():
    torch.manual_seed(1)
    mask = torch.ones(4, 12, dtype=torch.long)
    mask[1, 9:] = mask[3, 2:] = 0
    return {"input_ids": torch.randint(3, 50, (4, 12)), "attention_mask": mask, "labels": torch.tensor([0, 1, 1, 0])}


def gradients(model):
    return {name: parameter.grad for name, parameter in model.named_parameters()}


@pytest.mark.parametrize("family", FAMILIES)
def test_lean_attention_computes_what_eager_does(family, batch):
    models = [make_model(family, kernel) for kernel in ("eager", "lean")]
    outputs = [model(**batch) for model in models]
    for output in outputs:
        output.loss.backward()
    torch.testing.assert_close(outputs[1].logits, outputs[0].logits, atol=1e-6, rtol=1e-5)
    eager, lean = map(gradients, models)
    for name in eager:
        torch.testing.assert_close(lean[name], eager[name], atol=1e-6, rtol=1e-4)


def test_lean_attention_stays_in_bfloat16_and_eager_does_not(batch):
    dtypes = {"eager": set(), "lean": set()}
    for kernel, seen in dtypes.items():
        model = make_model("bert", kernel)

        def look(tensor, seen=seen):
            if tensor.is_floating_point() and tensor.shape[-2:] == (12, 12):  # a number for each pair of tokens
                seen.add(tensor.dtype)
            return tensor

        with torch.autocast("cpu", dtype=torch.bfloat16), torch.autograd.graph.saved_tensors_hooks(look, lambda t: t):
            logits = model(**batch).logits
        assert logits.isfinite().all()
    assert dtypes["lean"] == {torch.bfloat16}
    assert torch.float32 in dtypes["eager"]


def test_lean_attention_drops_weights_in_training_only(batch):
    model = make_model("bert", "lean", dropout=0.5)
    assert torch.equal(model(**batch).logits, model(**batch).logits)
    model.train()
    for module in model.modules():  # only the attention's dropout is left on
        if isinstance(module, torch.nn.Dropout):
            module.train(module is model.bert.encoder.layer[0].attention.self.dropout)
    model.bert.encoder.layer[0].attention.self.train()
    assert not torch.equal(model(**batch).logits, model(**batch).logits)


@pytest.mark.parametrize("kernel", ["lean", "eager", "sdpa"])
@pytest.mark.parametrize("family", ["bert", "roberta"])
def test_the_last_layer_for_the_first_token_gives_the_same_logits_and_gradients(family, kernel, batch):
    models = [make_model(family, kernel) for _ in range(2)]
    seen = []
    models[1].base_model.register_forward_hook(lambda _, __, output: seen.append(output.last_hidden_state.shape[1]))
    complete = models[0](**batch)
    with first_token_only(models[1]):
        short = models[1](**batch)
    assert seen[-1] == 1  # it had an effect
    torch.testing.assert_close(short.logits, complete.logits, atol=1e-6, rtol=1e-5)
    complete.loss.backward()
    short.loss.backward()
    expected, found = map(gradients, models)
    for name in expected:
        torch.testing.assert_close(found[name], expected[name], atol=1e-6, rtol=1e-4)
    assert models[1].base_model(batch["input_ids"]).last_hidden_state.shape[1] == 12  # and ends with the block


def test_a_prediction_inside_a_training_leaves_the_training_as_it_was(batch):
    model = make_model("bert", "lean")
    with first_token_only(model):
        with first_token_only(model):
            inner = model.bert(batch["input_ids"]).last_hidden_state
        outer = model.bert(batch["input_ids"]).last_hidden_state
    assert inner.shape[1] == outer.shape[1] == 1
    assert model.bert(batch["input_ids"]).last_hidden_state.shape[1] == 12


def test_a_silenced_head_of_the_last_layer_stays_silent(batch):
    model = make_model("bert", "lean")
    with silenced(model, [(2, 0)]):
        complete = model(**batch).logits
        with first_token_only(model):
            short = model(**batch).logits
    torch.testing.assert_close(short, complete, atol=1e-6, rtol=1e-5)
    assert not torch.allclose(short, model(**batch).logits, atol=1e-6)


def test_a_classifier_that_reads_more_than_the_first_token_is_left_alone(batch):
    model = make_model("bert", "lean")
    pooler = model.bert.pooler
    pooler.forward = lambda states: pooler.activation(pooler.dense(states.mean(dim=1)))
    expected = model(**batch).logits
    with first_token_only(model):
        assert torch.equal(model(**batch).logits, expected)


def test_layers_of_another_structure_are_left_alone(batch):
    model = make_model("distilbert", "lean")
    expected = model(**batch).logits
    with first_token_only(model):
        assert "forward" not in vars(encoder_layers(model)[-1])
        assert torch.equal(model(**batch).logits, expected)


def seen_dtypes(model, batch, context):
    seen = []
    hooks = [layer.register_forward_hook(lambda _, __, out: seen.append(out.dtype)) for layer in encoder_layers(model)]
    with torch.autocast("cpu", dtype=torch.bfloat16):
        with context(model):
            model(**batch)
        model(**batch)
    for hook in hooks:
        hook.remove()
    return seen


def test_hidden_states_are_bfloat16_inside_the_block_under_autocast_only(batch):
    model = make_model("bert", "lean")
    expected = model(**batch).logits
    assert seen_dtypes(model, batch, bfloat16_hidden_states) == 3 * [torch.bfloat16] + 3 * [torch.float32]
    with bfloat16_hidden_states(model):
        assert torch.equal(model(**batch).logits, expected)  # no autocast, no change


@pytest.mark.parametrize("family", FAMILIES)
def test_packed_weights_give_the_same_logits_as_autocast_and_go_with_the_block(family, batch):
    if not _torch.can_pack():
        pytest.skip("this PyTorch has no packed matrix products for bfloat16")
    model = make_model(family, "lean")
    with torch.inference_mode():
        exact = model(**batch).logits
        with torch.autocast("cpu", dtype=torch.bfloat16):
            plain = model(**batch).logits
            with packed_weights(model):
                patched = [part for part in encoder_layers(model).modules() if "forward" in vars(part)]
                packed = model(**batch).logits
        assert torch.equal(model(**batch).logits, exact)
    linear = [part for part in encoder_layers(model).modules() if type(part) is torch.nn.Linear]
    assert len(patched) == len(linear) + (0 if family == "distilbert" else 3)  # with the GELU of three layers
    torch.testing.assert_close(packed.float(), plain.float(), atol=2e-3, rtol=0)


def test_pytorch_still_has_its_private_packed_products():
    """When this fails, PyTorch has changed what sentiment_lib/model/_torch.py uses: prediction is a fifth slower."""
    if not torch.backends.mkldnn.is_available():
        pytest.skip("this PyTorch is built without oneDNN")
    assert _torch.can_pack()


def test_a_silenced_head_stays_silent_with_packed_weights(batch):
    model = make_model("bert", "lean")
    with torch.inference_mode(), silenced(model, [(1, 0), (1, 1), (2, 0)]):
        complete = model(**batch).logits
        with torch.autocast("cpu", dtype=torch.bfloat16), packed_weights(model):
            packed = model(**batch).logits
    torch.testing.assert_close(packed.float(), complete, atol=5e-3, rtol=0)


def test_a_pytorch_without_packed_products_computes_as_usual(batch, monkeypatch):
    monkeypatch.setattr(_torch, "packed_linear", lambda *_: torch.ops.mkldnn._no_such_operation)
    _torch.can_pack.cache_clear()
    try:
        model = make_model("bert", "lean")
        expected = model(**batch).logits
        with packed_weights(model):
            assert torch.equal(model(**batch).logits, expected)
        assert not _torch.can_pack()
    finally:
        _torch.can_pack.cache_clear()


def test_a_layer_with_other_names_is_an_error():
    with pytest.raises(ValueError, match="A Linear has no queries and keys under known names"):
        encoder.queries_keys_values(torch.nn.Linear(2, 2))
