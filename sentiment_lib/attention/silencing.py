"""Heads switched off, or their output scaled, for a while (lesson 07)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from contextlib import AbstractContextManager
from functools import partial
from typing import TYPE_CHECKING

import torch

from ..errors import ArgumentError
from ..model.compute import device_of
from ..model.encoder import head_outputs_changed

if TYPE_CHECKING:
    from transformers import PreTrainedModel


def all_heads(model: PreTrainedModel) -> list[tuple[int, int]]:
    """Every head as ``(layer, head)``, counted from 0."""
    config = model.config
    return [(layer, head) for layer in range(config.num_hidden_layers) for head in range(config.num_attention_heads)]


def gated(model: PreTrainedModel, gates: Mapping[int, torch.Tensor]) -> AbstractContextManager[None]:
    """The model with the output of its heads multiplied by gates, until the block ends.

    The gates act between a layer's heads and its output projection. transformers 5 silently ignores the argument
    ``head_mask`` of older recipes, so that no head would seem to matter.

    Parameters
    ----------
    gates : mapping of int to torch.Tensor
        For a layer a tensor of shape ``(heads,)``, or ``(texts, heads)`` with separate gates for each text.

    Raises
    ------
    ModelError
        If the model's architecture is unknown.
    """

    def multiplied(gate: torch.Tensor, outputs: torch.Tensor) -> torch.Tensor:  # (texts, tokens, heads * size)
        split = outputs.unflatten(-1, (model.config.num_attention_heads, -1))
        return (split * gate.to(outputs.dtype)[..., None, :, None]).flatten(-2)

    return head_outputs_changed(model, {layer: partial(multiplied, gate) for layer, gate in gates.items()})


def silenced(model: PreTrainedModel, heads: Iterable[tuple[int, int]]) -> AbstractContextManager[None]:
    """The model with some heads, each ``(layer, head)``, switched off (their output is 0), until the block ends.

    A head that the model does not have is an ArgumentError.
    """
    layers, width = model.config.num_hidden_layers, model.config.num_attention_heads
    gates: dict[int, torch.Tensor] = {}
    for layer, head in heads:
        if not (0 <= layer < layers and 0 <= head < width):
            raise ArgumentError(f"There is no head ({layer}, {head}); this model has {layers} layers of {width} heads.")
        gates.setdefault(layer, torch.ones(width, device=device_of(model)))[head] = 0
    return gated(model, gates)
