"""The layers of a BERT-like encoder, and ways to get the same results with less computation. Taught in lesson 03."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from functools import partial
from typing import TYPE_CHECKING, Any
from weakref import WeakKeyDictionary

from ..errors import ArgumentError
from ._torch import can_pack, packed_linear
from .compute import device_of

if TYPE_CHECKING:
    from transformers import PreTrainedModel

_PARTS = ("query", "key", "value")
_reads_first: WeakKeyDictionary[PreTrainedModel, bool] = WeakKeyDictionary()


def encoder_layers(model: PreTrainedModel):
    """The encoder's layers as a ``torch.nn.ModuleList``, found in any architecture; None if there is no such list."""
    from torch.nn import ModuleList

    number = model.config.num_hidden_layers
    return next((m for m in model.base_model.modules() if isinstance(m, ModuleList) and len(m) == number), None)


def part_of(layer, *names: str):
    """The module of `layer` under the first of these names that it has, or None; architectures use different names."""
    parts = dict(layer.named_modules())
    return next((parts[name] for name in names if name in parts), None)


def query_and_key(layer):
    """The two linear layers that compute queries and keys from the layer's input, all heads side by side.

    Raises
    ------
    ArgumentError
        For a layer that uses neither the names of BERT nor those of DistilBERT.
    """
    query = part_of(layer, "attention.self.query", "attention.q_lin")
    key = part_of(layer, "attention.self.key", "attention.k_lin")
    if query is None or key is None:
        raise ArgumentError(
            f"A {type(layer).__name__} has no queries and keys under known names; use a BERT, RoBERTa or DistilBERT."
        )
    return query, key


@contextmanager
def first_token_only(model: PreTrainedModel) -> Iterator[None]:
    """Compute the last layer only for the first token while the block runs.

    A classifier on [CLS] reads one vector of the last layer. The layer's queries, outputs and feed-forward network for
    all other tokens are not used; with 6 layers, they are about a seventh of all computation. Logits and gradients
    stay the same. A model that reads more than the first token (this is tested once per model), or whose layers have
    another structure than BERT's, is computed as usual. A nested block changes nothing.
    """
    last = (encoder_layers(model) or [None])[-1]
    with ExitStack() as stack:
        if last is not None and "forward" not in vars(last) and _reads_first_token_only(model, last):
            stack.enter_context(_short_last_layer(model, last))
        yield


@contextmanager
def _short_last_layer(model: PreTrainedModel, layer: Any) -> Iterator[None]:
    layer.forward = partial(_first_token, layer, model.config)
    try:
        yield
    finally:
        del layer.forward


def _first_token(layer, config, hidden_states, attention_mask=None, *_, **kwargs):
    """A BERT layer for the first token: ``(texts, tokens, size)`` to ``(texts, 1, size)``."""
    from ._transformers import attention_function
    from .lean_attention import lean_attention

    attention = layer.attention.self
    first = hidden_states[:, :1]
    query, key, value = (
        getattr(attention, part)(states).unflatten(-1, (-1, attention.attention_head_size)).transpose(1, 2)
        for part, states in zip(_PARTS, (first, hidden_states, hidden_states), strict=True)
    )
    if attention_mask is not None and attention_mask.dim() == 4:
        attention_mask = attention_mask[:, :, :1]
    kwargs |= {"dropout": attention.dropout.p if attention.training else 0.0, "scaling": attention.scaling}
    compute = attention_function(config, lean_attention)
    mixed, _ = compute(attention, query, key, value, attention_mask, **kwargs)
    attended = layer.attention.output(mixed.flatten(2), first)
    return layer.output(layer.intermediate(attended), attended)


def _reads_first_token_only(model: PreTrainedModel, layer: Any) -> bool:
    """Whether the logits stay the same without the last layer's other tokens; tested once per model on fixed ids."""
    import torch

    if model not in _reads_first:
        needed = [f"attention.self.{part}" for part in _PARTS] + ["attention.output", "intermediate", "output"]
        modules = dict(layer.named_modules())
        same = all(name in modules for name in needed) and hasattr(modules["attention.self"], "scaling")
        if same and not model.config.is_decoder:
            ids = torch.arange(16, device=device_of(model)).reshape(2, 8) % model.config.vocab_size
            mask = torch.ones_like(ids)
            mask[1, 5:] = 0
            training = model.training
            model.eval()
            with torch.inference_mode():
                expected = model(input_ids=ids, attention_mask=mask).logits
                with _short_last_layer(model, layer):
                    found = model(input_ids=ids, attention_mask=mask).logits
            model.train(training)
            same = torch.allclose(expected, found, atol=1e-2 if found.dtype == torch.bfloat16 else 1e-4)
        _reads_first[model] = same
    return _reads_first[model]


@contextmanager
def bfloat16_hidden_states(model: PreTrainedModel) -> Iterator[None]:
    """Keep the hidden states between the layers in bfloat16 while the block runs, where autocast is on.

    Autocast computes matrix products in bfloat16, but adds and normalises in float32, the precision of the embeddings,
    and so casts each layer's states back and forth. This works on a CPU; other devices are unchanged.
    """
    import torch

    def cast(_, __, states):
        enabled = states.device.type == "cpu" and torch.is_autocast_enabled("cpu")
        return states.to(torch.bfloat16) if enabled else states

    embeddings = getattr(model.base_model, "embeddings", None)
    with ExitStack() as stack:
        if embeddings is not None:
            stack.callback(embeddings.register_forward_hook(cast).remove)
        yield


@contextmanager
def packed_weights(model: PreTrainedModel) -> Iterator[None]:
    """Cast the encoder's weights to bfloat16 and reorder them once for the block instead of in every batch.

    For prediction on a CPU, because no gradients are computed. The order is oneDNN's, which also computes the GELU
    while the matrix product is still in the cache. A PyTorch without these operations computes as usual.
    """
    import torch

    layers = encoder_layers(model)
    forwards: dict[Any, Callable] = {}
    if layers is not None and can_pack() and device_of(model).type == "cpu":
        gelu = getattr(model.config, "hidden_act", None) == "gelu"
        for part in layers.modules():
            if type(part) is torch.nn.Linear:
                forwards[part] = packed_linear(part, "none")
            elif gelu and hasattr(part, "intermediate_act_fn") and type(part.dense) is torch.nn.Linear:
                forwards[part] = packed_linear(part.dense, "gelu")
    with ExitStack() as stack:
        for module, forward in forwards.items():
            module.forward = forward
            stack.callback(delattr, module, "forward")
        yield
