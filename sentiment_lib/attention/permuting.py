"""Attention weights dealt out anew: does the model need to look where it looks? (lesson 07)"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

import numpy as np
import torch

from ..errors import ArgumentError
from ..model.encoder import (
    activations_kept,
    encoder_layers,
    head_outputs_changed,
    layer_inputs_changed,
    queries_keys_values,
)
from ..model.inference import Classifier
from .maps import eager


def permuted_attention(
    texts: Sequence[str], classifier: Classifier, *, layer: int = -1, draws: int = 10, seed: int = 0
) -> np.ndarray:
    """The logit of positive when the attention weights of one layer are dealt out anew.

    In every head of the layer, the weights of each token go to other tokens of the text, by a random permutation of the
    text's tokens that all rows of the head share (Jain and Wallace, Attention is not Explanation, NAACL 2019, section
    4.2, for a model with a single layer of attention).

    Parameters
    ----------
    layer : int
        Counted from 0; -1 is the last one.
    draws : int
        How many permutations of each text are tried.

    Returns
    -------
    numpy.ndarray
        Shape ``(draws + 1, texts)``; the first row is computed with the weights in their places.

    Raises
    ------
    ArgumentError
        For a layer that the model does not have.
    ModelError
        If the model's architecture is unknown.
    """
    model, layers = classifier.model, classifier.model.config.num_hidden_layers
    if not -layers <= layer < layers:
        raise ArgumentError(f"There is no layer {layer}; this model has the layers 0 to {layers - 1}.")
    number = layer % layers
    width = model.config.num_attention_heads
    values_of = queries_keys_values(encoder_layers(model)[number])[2]
    generator = torch.Generator().manual_seed(seed)
    found = np.empty((draws + 1, len(texts)))
    for rows, batch in classifier.batches(texts):
        with eager(model), torch.inference_mode():
            with activations_kept(model, layer_inputs_changed) as states:
                weights = model(**batch, output_attentions=True).attentions[number]  # (texts, heads, tokens, tokens)
            values = values_of(states[number]).unflatten(-1, (width, -1))  # (texts, tokens, heads, size)
            for draw in range(draws + 1):
                dealt = weights
                if draw:
                    order = _orders(batch["attention_mask"], width, generator)
                    dealt = weights.gather(-1, order[:, :, None].expand_as(weights))
                outputs = torch.einsum("bhij,bjhs->bihs", dealt, values).flatten(-2)
                with head_outputs_changed(model, {number: partial(lambda kept, _: kept, outputs)}):
                    found[draw, rows] = classifier.difference(batch).cpu().numpy()
    return found


def _orders(mask: torch.Tensor, heads: int, generator: torch.Generator) -> torch.Tensor:
    """Random orders of each text's tokens, padding last, shape ``(texts, heads, tokens)``."""
    keys = torch.rand(mask.shape[0], heads, mask.shape[1], generator=generator).to(mask.device)
    padding = mask[:, None, :] == 0
    places = torch.arange(mask.shape[1], device=mask.device) + 2.0  # padding stays where it is
    return torch.where(padding, places, keys).argsort(dim=-1)
