"""How much each head moves from token to token, and not only where it looks (lesson 06)."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import torch

from ..model.encoder import (
    activations_kept,
    encoder_layers,
    layer_inputs_changed,
    output_projections,
    queries_keys_values,
)
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
    width = model.config.num_attention_heads
    modules = zip(encoder_layers(model), output_projections(model), strict=True)
    with torch.inference_mode():
        with activations_kept(model, layer_inputs_changed) as states:
            maps = attention_maps(text, model, tokenizer, **encoding)
        lengths = []
        for layer, (module, projection) in enumerate(modules):
            values = queries_keys_values(module)[2](states[layer])
            values = values.unflatten(-1, (width, -1))  # (1, tokens, heads, size)
            weight = projection.weight.unflatten(-1, (width, -1))  # (hidden size, heads, size)
            moved = torch.einsum("bths,ohs->bhto", values, weight)  # f(x): (1, heads, tokens, hidden size)
            lengths.append(moved.norm(dim=-1)[0])
    length = torch.stack(lengths).float().cpu().numpy()
    return maps, maps.weights * length[:, :, None, :]
