import pytest
import torch
from transformers import AttentionInterface, BertConfig, BertModel

from sentiment_lib.model.lean_attention import lean_attention, padding_mask, register_lean_attention

TEXTS, HEADS, TOKENS, SIZE = 3, 4, 20, 8
SCALING = SIZE**-0.5


class Layer:
    training = True


def states(queries: int = TOKENS, dtype=torch.float64, grown: float = 1.0):
    """Query, key and value; the second head's scores are `grown` times as large."""
    torch.manual_seed(0)
    query, key, value = (torch.randn(TEXTS, HEADS, n, SIZE, dtype=dtype) for n in (queries, TOKENS, TOKENS))
    query[:, 1] *= grown
    return [tensor.requires_grad_() for tensor in (query, key + 2, value)]  # keys of BERT are not around zero


def mask_of(kind: str, queries: int = TOKENS):
    """None, padding at the end of the second text, or a row for each query (none looks ahead)."""
    lowest = torch.finfo(torch.float32).min
    if kind == "none":
        return None
    if kind == "padding":
        mask = torch.zeros(TEXTS, 1, 1, TOKENS)
        mask[1, ..., 15:] = lowest
        return mask
    return torch.full((queries, TOKENS), lowest).triu(1).expand(TEXTS, 1, -1, -1)


def reference(query, key, value, mask, scaling):
    scores = query @ key.transpose(2, 3) * scaling
    if mask is not None:
        scores = scores + mask.to(scores.dtype)
    return (scores.softmax(dim=-1) @ value).transpose(1, 2)


@pytest.mark.parametrize("grown", [1.0, 60.0, 1e4])  # beyond 60, exponentials of float32's range and more
@pytest.mark.parametrize("kind", ["none", "padding", "causal"])
@pytest.mark.parametrize("queries", [TOKENS, 1])
def test_it_is_attention_with_the_same_gradients(queries, kind, grown):
    inputs, mask = states(queries, grown=grown), mask_of(kind, queries)
    found, weights = lean_attention(Layer, *inputs, mask, SCALING)
    expected = reference(*inputs, mask, SCALING)
    assert weights is None
    assert found.is_contiguous()
    torch.testing.assert_close(found, expected, atol=1e-10, rtol=1e-8)
    direction = torch.randn_like(found)
    for ours, theirs in zip(
        *(torch.autograd.grad(tensor, inputs, direction) for tensor in (found, expected)), strict=True
    ):
        torch.testing.assert_close(ours, theirs, atol=1e-10, rtol=1e-7)


@pytest.mark.parametrize("grown", [1.0, 1e4])
@pytest.mark.parametrize("kind", ["none", "padding", "causal"])
@pytest.mark.parametrize("heads", [1, 5, 100])  # of 12 at a time; 5 leave a smaller last part
def test_the_size_of_a_part_changes_nothing(monkeypatch, heads, kind, grown):
    monkeypatch.setattr("sentiment_lib.model.lean_attention._CACHED", heads * TOKENS**2)
    inputs, mask = states(grown=grown), mask_of(kind)
    expected = reference(*inputs, mask, SCALING)
    found = lean_attention(Layer, *inputs, mask, SCALING)[0]
    direction = torch.randn_like(found)
    for ours, theirs in zip(
        *(torch.autograd.grad(tensor, inputs, direction) for tensor in (found, expected)), strict=True
    ):
        torch.testing.assert_close(ours, theirs, atol=1e-10, rtol=1e-7)
    with torch.inference_mode():  # where nothing is kept for gradients
        found = lean_attention(Layer, *inputs, mask, SCALING)[0]
    torch.testing.assert_close(found, expected, atol=1e-10, rtol=1e-8)


def test_prediction_keeps_the_scores_of_one_part_only(monkeypatch):
    monkeypatch.setattr("sentiment_lib.model.lean_attention._CACHED", 2 * TOKENS**2)
    made, real = [], torch.Tensor.new_empty

    def watched(self, *shape, **options):
        made.append(shape)
        return real(self, *shape, **options)

    monkeypatch.setattr(torch.Tensor, "new_empty", watched)
    inputs = [tensor.detach() for tensor in states()]
    lean_attention(Layer, *inputs, None, SCALING)
    assert (2, TOKENS, TOKENS) in made
    assert (TEXTS * HEADS, TOKENS, TOKENS) not in made


@pytest.mark.parametrize("grown", [1.0, 60.0])
def test_in_bfloat16_it_is_as_accurate_as_the_softmax(grown):
    exact = [tensor.detach() for tensor in states(grown=grown)]
    exact_output = reference(*exact, None, SCALING)
    short = [tensor.bfloat16() for tensor in exact]
    errors = [
        (found.double() - exact_output).abs().mean()
        for found in (lean_attention(Layer, *short, None, SCALING)[0], reference(*short, None, SCALING))
    ]
    assert errors[0] < 1.2 * errors[1]


def test_a_text_of_padding_alone_is_finite_and_affects_no_other():
    mask = mask_of("padding")
    mask[2] = torch.finfo(torch.float32).min
    inputs = states(dtype=torch.float32)
    found = lean_attention(Layer, *inputs, mask, SCALING)[0]
    torch.testing.assert_close(found, reference(*inputs, mask, SCALING), atol=1e-5, rtol=1e-4)


@pytest.mark.parametrize("kind", ["padding", "local"])
def test_a_row_that_is_all_masked_is_finite_in_bfloat16(kind):
    """The lowest float32 is minus infinity in bfloat16. With local attention, padding can see nothing but padding."""
    mask = mask_of("padding")
    mask[2] = torch.finfo(torch.float32).min
    if kind == "local":
        distance = (torch.arange(TOKENS)[:, None] - torch.arange(TOKENS)).abs()
        mask = torch.where(distance > 2, torch.finfo(torch.float32).min, mask)
    inputs = states(dtype=torch.bfloat16)
    found = lean_attention(Layer, *inputs, mask, SCALING)[0]
    torch.testing.assert_close(
        found.float(), reference(*(x.float() for x in inputs), mask, SCALING), atol=0.1, rtol=0.05
    )


def test_nan_is_not_hidden():
    query, key, value = states()
    with torch.no_grad():
        value[0, 0, 0, 0] = torch.nan
    found = lean_attention(Layer, query, key, value, None, SCALING)[0]
    assert found[0, :, 0, 0].isnan().all()
    assert found[1:].isfinite().all()


def test_the_mask_is_one_row_per_text_and_none_without_padding():
    register_lean_attention()
    seen = []

    def spy(module, query, key, value, mask, **options):
        seen.append(mask)
        return lean_attention(module, query, key, value, mask, **options)

    model = BertModel(BertConfig(vocab_size=9, hidden_size=8, num_attention_heads=2, intermediate_size=8))
    model.config._attn_implementation = "lean"
    attention_mask = torch.ones(2, 5, dtype=torch.long)
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(AttentionInterface._global_mapping, "lean", spy)
        model(torch.ones(2, 5, dtype=torch.long), attention_mask)
        attention_mask[1, 3:] = 0
        model(torch.ones(2, 5, dtype=torch.long), attention_mask)
    layers = model.config.num_hidden_layers
    assert seen[:layers] == [None] * layers
    assert {tuple(mask.shape) for mask in seen[layers:]} == {(2, 1, 1, 5)}
    assert seen[-1][1, 0, 0].tolist() == [0, 0, 0, *2 * [torch.finfo(torch.float32).min]]


def test_other_kinds_of_masks_are_left_to_transformers():
    from transformers.masking_utils import causal_mask_function

    query = {"q_length": 3, "cache_position": torch.arange(3)}  # older versions of transformers ask for positions
    mask = padding_mask(batch_size=1, kv_length=3, mask_function=causal_mask_function, **query)
    assert (mask[0, 0] == 0).tolist() == [[True, False, False], [True, True, False], [True, True, True]]
