"""Heads switched off, or turned up and down, for a while.

Taught in lesson 06.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING

from ..errors import ArgumentError, ModelError
from ..model.compute import device_of
from ..model.encoder import encoder_layers, part_of

if TYPE_CHECKING:
    import torch
    from transformers import PreTrainedModel


def all_heads(model: PreTrainedModel) -> list[tuple[int, int]]:
    """Every head as ``(layer, head)``, counted from 0."""
    config = model.config
    return [(layer, head) for layer in range(config.num_hidden_layers) for head in range(config.num_attention_heads)]


@contextmanager
def gated(model: PreTrainedModel, gates: Mapping[int, torch.Tensor]) -> Iterator[None]:
    """The model with the output of its heads multiplied by gates, for as long as the block lasts.

    Parameters
    ----------
    model
        From :func:`sentiment_lib.initialize_model_and_tokenizer`.
    gates : mapping of int to torch.Tensor
        For a layer a tensor of shape ``(heads,)``, or ``(texts, heads)`` with gates of each text's own.

    Raises
    ------
    ModelError
        For a model whose attention is not found.

    Notes
    -----
    The gate is set between a layer's heads and its output projection. transformers 5 ignores the argument
    ``head_mask`` of older recipes without a word, so that no head would seem to matter.
    """
    layers, hooks = encoder_layers(model), []
    heads = model.config.num_attention_heads

    def multiply(gate):
        def hook(_, inputs):
            mixed = inputs[0]  # (texts, tokens, heads * size of a head)
            split = mixed.reshape(*mixed.shape[:-1], heads, -1)
            return ((split * gate.to(mixed.dtype)[..., None, :, None]).reshape(mixed.shape), *inputs[1:])

        return hook

    try:
        for layer, gate in gates.items():
            hooks.append(_output_projection(layers[layer]).register_forward_pre_hook(multiply(gate)))
        yield
    finally:
        for hook in hooks:
            hook.remove()


def _output_projection(layer):
    """The linear layer that mixes what the heads of a layer bring."""
    found = part_of(layer, "attention.output.dense", "attention.out_lin")
    if found is None:
        raise ModelError(
            f"Heads cannot be switched off in a {type(layer).__name__}; use a BERT, RoBERTa or DistilBERT."
        )
    return found


@contextmanager
def silenced(model: PreTrainedModel, heads: Iterable[tuple[int, int]]) -> Iterator[None]:
    """The model with some heads switched off (their output is 0) for as long as the block lasts.

    Parameters
    ----------
    model
        From :func:`sentiment_lib.initialize_model_and_tokenizer`.
    heads : iterable of (layer, head)
        Counted from 0.

    Raises
    ------
    ArgumentError
        For a head that is not there.
    """
    import torch

    layers, width = model.config.num_hidden_layers, model.config.num_attention_heads
    gates = {}
    for layer, head in heads:
        if not (0 <= layer < layers and 0 <= head < width):
            raise ArgumentError(f"There is no head ({layer}, {head}); this model has {layers} layers of {width} heads.")
        gates.setdefault(layer, torch.ones(width, device=device_of(model)))[head] = 0
    with gated(model, gates):
        yield
