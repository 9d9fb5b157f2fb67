"""How much each head moves from token to token, and not only where it looks (lesson 06)."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

import numpy as np
import torch

from ..model.encoder import encoder_layers, layer_inputs_changed, output_projections, queries_keys_values
from .maps import AttentionMaps, attention_maps

if TYPE_CHECKING:
    from transformers import PreTrainedModel, PreTrainedTokenizerBase


def moved_norms(
    text: str, model: PreTrainedModel, tokenizer: PreTrainedTokenizerBase, **encoding
) -> tuple[AttentionMaps, np.ndarray]:
    """The attention weights for a text, and the length of the vector that each weight moves.

    Head `h` of layer `l` adds to token `i` the vectors ``weight[l, h, i, j] * f(x_j)`` of all tokens `j`, where ``f``
    is the head's value transformation followed by its share of the output projection. A head that gives much weight to
    a token with a short ``f(x)`` moves little from it (Kobayashi, Kuribayashi, Yokoi and Inui, Attention is not only a
    weight: analyzing transformers with vector norms, EMNLP 2020, section 3). The bias of the output projection belongs
    to no head and is left out.

    Parameters
    ----------
    **encoding
        As in :func:`attention_maps`.

    Returns
    -------
    maps : AttentionMaps
    norms : numpy.ndarray
        ``‖weight · f(x)‖``, the shape of ``maps.weights``, float32.
    """
    lengths: dict[int, torch.Tensor] = {}
    width, layers, projections = model.config.num_attention_heads, encoder_layers(model), output_projections(model)

    def keep(layer: int, states: torch.Tensor) -> torch.Tensor:
        if states.shape[0] == 1:
            lengths[layer] = _transformed(layers[layer], projections[layer], states, width).norm(dim=-1)[0]
        return states

    with torch.inference_mode(), layer_inputs_changed(model, {i: partial(keep, i) for i in range(len(layers))}):
        maps = attention_maps(text, model, tokenizer, **encoding)
    length = torch.stack([lengths[layer] for layer in range(len(layers))]).float().cpu().numpy()
    return maps, maps.weights * length[:, :, None, :]


def _transformed(layer: torch.nn.Module, projection: torch.nn.Linear, states: torch.Tensor, width: int) -> torch.Tensor:
    """``f(x)`` for each head and token, shape ``(texts, heads, tokens, hidden size)``."""
    values = queries_keys_values(layer)[2](states).unflatten(-1, (width, -1))  # (texts, tokens, heads, size)
    weight = projection.weight.unflatten(-1, (width, -1))  # (hidden size, heads, size)
    return torch.einsum("bths,ohs->bhto", values, weight)
