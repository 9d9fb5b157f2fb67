"""The layers of a BERT-like encoder, and ways to compute the same with less work.

Taught in lesson 03.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from functools import partial
from typing import TYPE_CHECKING, Any
from weakref import WeakKeyDictionary

from ..errors import ArgumentError
from ._torch import can_pack, packed_linear
from ._transformers import attention_function

if TYPE_CHECKING:
    from transformers import PreTrainedModel

_PARTS = ("query", "key", "value")
_reads_first: WeakKeyDictionary[PreTrainedModel, bool] = WeakKeyDictionary()


def encoder_layers(model: PreTrainedModel):
    """The encoder's stack of layers, wherever this architecture keeps it; None where it is not found."""
    from torch.nn import ModuleList

    wanted = model.config.num_hidden_layers
    stacks = (m for m in model.base_model.modules() if isinstance(m, ModuleList) and len(m) == wanted)
    return next(stacks, None)


def part_of(layer, *names: str):
    """The first module of these names that `layer` has, since BERT and DistilBERT name theirs differently; or None."""
    parts = dict(layer.named_modules())
    return next((parts[name] for name in names if name in parts), None)


def query_and_key(layer):
    """The two linear layers that make queries and keys of what `layer` reads, all heads side by side.

    Raises
    ------
    ArgumentError
        For a layer that names them neither as BERT does nor as DistilBERT.
    """
    query = part_of(layer, "attention.self.query", "attention.q_lin")
    key = part_of(layer, "attention.self.key", "attention.k_lin")
    if query is None or key is None:
        raise ArgumentError(
            f"A {type(layer).__name__} has no queries and keys by known names; use a BERT, RoBERTa or DistilBERT."
        )
    return query, key


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
    from .lean_attention import lean_attention

    this = layer.attention.self
    first = hidden_states[:, :1]
    query, key, value = (
        getattr(this, part)(states).unflatten(-1, (-1, this.attention_head_size)).transpose(1, 2)
        for part, states in zip(_PARTS, (first, hidden_states, hidden_states), strict=True)
    )
    if attention_mask is not None and attention_mask.dim() == 4:
        attention_mask = attention_mask[:, :, :1]
    attend = attention_function(config, lean_attention)
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


@contextmanager
def bfloat16_hidden_states(model: PreTrainedModel) -> Iterator[None]:
    """Pass bfloat16 from layer to layer too, as long as the block lasts, where autocast is on.

    Autocast computes matrix products in bfloat16, but adds and normalises in the precision of the embeddings,
    float32, and so casts each layer's states back and forth. For a CPU; other devices are left as they are.
    """
    import torch

    embeddings = getattr(model.base_model, "embeddings", None)
    if embeddings is None:
        yield
        return

    def shorten(_, __, states):
        short = states.device.type == "cpu" and torch.is_autocast_enabled("cpu")
        return states.to(torch.bfloat16) if short else states

    hook = embeddings.register_forward_hook(shorten)
    try:
        yield
    finally:
        hook.remove()


@contextmanager
def packed_weights(model: PreTrainedModel) -> Iterator[None]:
    """Cast and reorder the encoder's weights for bfloat16 once instead of at every batch, as long as the block lasts.

    For prediction on a CPU: no gradient passes. The order is oneDNN's; with it comes a GELU that is computed
    while the matrix product is still in the cache. A PyTorch without these operations computes as ever.
    """
    import torch

    layers = encoder_layers(model)
    if layers is None or not can_pack() or next(layers.parameters()).device.type != "cpu":
        yield
        return
    forwards: dict[Any, Callable] = {
        part: packed_linear(part, "none") for part in layers.modules() if type(part) is torch.nn.Linear
    }
    if getattr(model.config, "hidden_act", None) == "gelu":
        wide = [part for part in layers.modules() if hasattr(part, "intermediate_act_fn")]
        forwards |= {part: packed_linear(part.dense, "gelu") for part in wide if type(part.dense) is torch.nn.Linear}
    with ExitStack() as stack:
        for module, forward in forwards.items():
            module.forward = forward
            stack.callback(delattr, module, "forward")
        yield
