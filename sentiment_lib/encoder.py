"""The layers of a BERT-like encoder, and two ways to compute the same with less work.

Taught in lesson 03.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from typing import TYPE_CHECKING, Any
from weakref import WeakKeyDictionary

if TYPE_CHECKING:
    import torch
    from transformers import PreTrainedModel

LEAN = "lean"
_PARTS = ("query", "key", "value")
_reads_first = WeakKeyDictionary()


def encoder_layers(model: PreTrainedModel):
    """The encoder's stack of layers, wherever this architecture keeps it; None where it is not found."""
    from torch.nn import ModuleList

    wanted = model.config.num_hidden_layers
    stacks = (m for m in model.base_model.modules() if isinstance(m, ModuleList) and len(m) == wanted)
    return next(stacks, None)


def register_lean_attention() -> str:
    """Make :func:`lean_attention` known to transformers; the name under which a model asks for it."""
    from transformers import AttentionInterface, AttentionMaskInterface
    from transformers.masking_utils import eager_mask

    AttentionInterface.register(LEAN, lean_attention)
    AttentionMaskInterface.register(LEAN, eager_mask)
    return LEAN


def lean_attention(
    module: torch.nn.Module,
    query: torch.Tensor,
    key: torch.Tensor,
    value: torch.Tensor,
    attention_mask: torch.Tensor | None,
    scaling: float,
    dropout: float = 0.0,
    **_: Any,
) -> tuple[torch.Tensor, torch.Tensor]:
    """Scaled dot-product attention that never leaves the precision of its inputs.

    The eager attention of transformers scales the scores, adds a float32 mask to them, and from there on
    computes on float32 copies of the largest tensors of the model. Here the queries are scaled, which are
    smaller, and the mask is added in place. (PyTorch computes the softmax of bfloat16 in float32 inside.)

    Parameters
    ----------
    module
        The attention layer; only whether it is in training is looked at.
    query, key, value : torch.Tensor
        Shapes ``(texts, heads, tokens, size of a head)``; the query may have fewer tokens.
    attention_mask : torch.Tensor or None
        Added to the scores, shape ``(texts, 1, tokens of the query, tokens)``.
    scaling : float
        Usually one by the root of the size of a head.
    dropout : float
        Share of the attention weights that is dropped in training.

    Returns
    -------
    torch.Tensor
        Shape ``(texts, tokens of the query, heads, size of a head)``.
    torch.Tensor
        The attention weights, shape ``(texts, heads, tokens of the query, tokens)``.
    """
    from torch.nn import functional

    scores = (query * scaling) @ key.transpose(2, 3)
    if attention_mask is not None:
        scores += attention_mask.to(scores.dtype)  # without: a float32 copy of the scores
    weights = functional.dropout(functional.softmax(scores, dim=-1), p=dropout, training=module.training)
    return (weights @ value).transpose(1, 2).contiguous(), weights


@contextmanager
def first_token_only(model: PreTrainedModel) -> Iterator[None]:
    """Compute the last layer for the first token only, as long as the block lasts.

    A classifier on [CLS] reads one vector of the last layer. Its queries, its output and its feed-forward
    network for all other tokens are work that nobody looks at: for 6 layers about a seventh of everything.
    The logits and the gradients stay the same. A model whose classifier reads more than the first token (it
    is tried), or whose layers are built otherwise, is computed as ever.
    """
    layers = encoder_layers(model)
    if layers is None or _is_short(layers[-1]) or not _reads_first_token_only(model, layers[-1]):
        yield  # a block inside such a block changes nothing
        return
    with _short_last_layer(model, layers[-1]):
        yield


def _is_short(layer) -> bool:
    return "forward" in vars(layer)


@contextmanager
def _short_last_layer(model, layer) -> Iterator[None]:
    layer.forward = partial(_first_token, layer, model.config)
    try:
        yield
    finally:
        del layer.forward


def _first_token(layer, config, hidden_states, attention_mask=None, *_, **kwargs):
    """A layer of BERT for the first token: ``(texts, tokens, size)`` to ``(texts, 1, size)``."""
    from transformers import AttentionInterface

    this = layer.attention.self
    first = hidden_states[:, :1]
    query, key, value = (
        getattr(this, part)(states).unflatten(-1, (-1, this.attention_head_size)).transpose(1, 2)
        for part, states in zip(_PARTS, (first, hidden_states, hidden_states), strict=True)
    )
    if attention_mask is not None and attention_mask.dim() == 4:
        attention_mask = attention_mask[:, :, :1]
    attend = AttentionInterface().get_interface(config._attn_implementation, lean_attention)
    dropout = this.dropout.p if this.training else 0.0
    mixed, _ = attend(this, query, key, value, attention_mask, dropout=dropout, scaling=this.scaling, **kwargs)
    attended = layer.attention.output(mixed.flatten(2), first)
    return layer.output(layer.intermediate(attended), attended)


def _reads_first_token_only(model, layer) -> bool:
    """Whether the logits are the same without the last layer's other tokens; tried once a model, on random ids."""
    import torch

    if model not in _reads_first:
        wanted = [f"attention.self.{part}" for part in _PARTS] + ["attention.output", "intermediate", "output"]
        modules = dict(layer.named_modules())
        alike = all(name in modules for name in wanted) and hasattr(modules["attention.self"], "scaling")
        if alike and not model.config.is_decoder:
            device = next(model.parameters()).device
            ids = torch.arange(16, device=device).reshape(2, 8) % model.config.vocab_size
            mask = torch.ones_like(ids)
            mask[1, 5:] = 0
            training = model.training
            model.eval()
            with torch.inference_mode():
                whole = model(input_ids=ids, attention_mask=mask).logits
                with _short_last_layer(model, layer):
                    short = model(input_ids=ids, attention_mask=mask).logits
            model.train(training)
            alike = torch.allclose(whole, short, atol=1e-2 if short.dtype == torch.bfloat16 else 1e-4)
        _reads_first[model] = alike
    return _reads_first[model]
