"""Heads switched off, or their output scaled, for a while (lesson 06)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING

import torch

from ..errors import ArgumentError, ModelError
from ..model.compute import device_of
from ..model.encoder import encoder_layers, part_of

if TYPE_CHECKING:
    from transformers import PreTrainedModel


def all_heads(model: PreTrainedModel) -> list[tuple[int, int]]:
    """Every head as ``(layer, head)``, counted from 0."""
    config = model.config
    return [(layer, head) for layer in range(config.num_hidden_layers) for head in range(config.num_attention_heads)]


@contextmanager
def gated(model: PreTrainedModel, gates: Mapping[int, torch.Tensor]) -> Iterator[None]:
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
        If the model's attention is not found.
    """
    layers, heads = encoder_layers(model), model.config.num_attention_heads

    def multiply_by(gate: torch.Tensor):
        def hook(_, inputs):
            mixed = inputs[0]  # (texts, tokens, heads * size of a head)
            split = mixed.reshape(*mixed.shape[:-1], heads, -1)
            return ((split * gate.to(mixed.dtype)[..., None, :, None]).reshape(mixed.shape), *inputs[1:])

        return hook

    with ExitStack() as stack:
        for layer, gate in gates.items():
            projection = part_of(layers[layer], "attention.output.dense", "attention.out_lin")
            if projection is None:
                raise ModelError(
                    f"Heads cannot be switched off in a {type(layers[layer]).__name__}; use a BERT, RoBERTa or "
                    "DistilBERT."
                )
            stack.callback(projection.register_forward_pre_hook(multiply_by(gate)).remove)
        yield


@contextmanager
def silenced(model: PreTrainedModel, heads: Iterable[tuple[int, int]]) -> Iterator[None]:
    """The model with some heads, each ``(layer, head)``, switched off (their output is 0), until the block ends.

    A head that the model does not have is an ArgumentError.
    """
    layers, width = model.config.num_hidden_layers, model.config.num_attention_heads
    gates: dict[int, torch.Tensor] = {}
    for layer, head in heads:
        if not (0 <= layer < layers and 0 <= head < width):
            raise ArgumentError(f"There is no head ({layer}, {head}); this model has {layers} layers of {width} heads.")
        gates.setdefault(layer, torch.ones(width, device=device_of(model)))[head] = 0
    with gated(model, gates):
        yield
