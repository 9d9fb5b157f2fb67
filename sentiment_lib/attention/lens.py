"""What the classifier would answer if the network ended after each layer (lesson 07)."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import TYPE_CHECKING

import numpy as np
import torch

from ..errors import ArgumentError
from ..model.compute import device_of
from ..model.encoder import activations_kept, evaluating, layer_inputs_changed, layer_outputs_changed
from ..model.inference import logit_difference

if TYPE_CHECKING:
    from transformers import PreTrainedModel, PreTrainedTokenizerBase


@torch.inference_mode()
def layer_logits(
    model: PreTrainedModel, tokenizer: PreTrainedTokenizerBase, texts: Sequence[str], max_length: int | None = None
) -> np.ndarray:
    """The logit of positive minus that of negative when the classification head reads the states of each layer.

    The head was trained on the last layer's states only. What it says about earlier ones shows how far they already
    point to the answer, in the last layer's terms (nostalgebraist, Interpreting GPT: the logit lens, 2020; Belrose et
    al., Eliciting latent predictions from transformers with the tuned lens, 2023, on what may be wrong with it).

    Returns
    -------
    numpy.ndarray
        Shape ``(texts, layers + 1)``: after the embeddings, and after each layer. The last column is the model's own
        answer.

    Raises
    ------
    ModelError
        If the model's architecture is unknown.
    """
    if not texts:
        raise ArgumentError("texts is empty; give one text at least.")
    limit = tokenizer.model_max_length if max_length is None else max_length
    batch = tokenizer(list(texts), padding=True, truncation=True, max_length=limit, return_tensors="pt")
    batch = batch.to(device_of(model))
    layers = model.config.num_hidden_layers

    found = []
    with evaluating(model):
        with activations_kept(model, layer_inputs_changed) as states:
            own = logit_difference(model, batch)
        for layer in range(layers):
            with layer_outputs_changed(model, {layers - 1: partial(lambda kept, _: kept, states[layer])}):
                found.append(logit_difference(model, batch))
    return torch.stack([*found, own], dim=1).cpu().numpy()
