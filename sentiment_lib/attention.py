"""The attention weights of a model for a text.

Taught in lesson 05.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from .model import device_of
from .tokenization import encode

if TYPE_CHECKING:
    from transformers import PreTrainedModel, PreTrainedTokenizerBase


@dataclass(frozen=True)
class AttentionMaps:
    """One text as the model saw it, and where each head looked.

    Attributes
    ----------
    tokens : list of str
        The word pieces, special tokens included.
    weights : numpy.ndarray
        Shape ``(layers, heads, tokens, tokens)``, float32: ``weights[l, h, i, j]`` is how much of head `h` of
        layer `l` token `i` (the query) gives to token `j` (the key). Each row sums to 1. Layers and heads
        count from 0.
    probability : float
        The model's probability that the text is positive.
    """

    tokens: list[str]
    weights: np.ndarray
    probability: float

    @property
    def layers(self) -> int:
        """Number of layers."""
        return self.weights.shape[0]

    @property
    def heads(self) -> int:
        """Number of heads in a layer."""
        return self.weights.shape[1]


def attention_maps(
    text: str,
    model: PreTrainedModel,
    tokenizer: PreTrainedTokenizerBase,
    *,
    max_length: int = 64,
    truncation: str = "head+tail",
    head_share: float = 0.25,
) -> AttentionMaps:
    """The attention weights of all layers and heads for one text, and the prediction they belong to.

    Computed in float32 and in evaluation mode, so that every row sums to 1 (Vaswani et al., Attention Is All
    You Need, 2017, equation 1).

    Parameters
    ----------
    text : str
    model, tokenizer
        From :func:`sentiment_lib.initialize_model_and_tokenizer`.
    max_length, truncation, head_share
        As in :func:`sentiment_lib.tokenization.encode`. The weights take
        ``4 * layers * heads * tokens ** 2`` bytes: 1.1 MiB for 64 tokens of the bundled model.

    Returns
    -------
    AttentionMaps

    Raises
    ------
    TypeError
        For a text that is not a string.
    RuntimeError
        For a model that does not give its attention weights.
    """
    import torch

    if not isinstance(text, str):
        raise TypeError(f"text is {text!r}, not a string.")
    ids = encode([text], tokenizer, max_length, truncation, head_share)[0]
    with _eager(model), torch.inference_mode():
        output = model(torch.tensor([ids], device=device_of(model)), output_attentions=True)
    if not output.attentions or len(output.attentions) != model.config.num_hidden_layers:
        raise RuntimeError(
            f"{type(model).__name__} returned {len(output.attentions or ())} attention maps for "
            f"{model.config.num_hidden_layers} layers; use a model that supports attn_implementation='eager'."
        )
    weights = torch.stack([layer[0] for layer in output.attentions]).float().cpu().numpy()
    probability = torch.softmax(output.logits[0].double(), dim=-1)[1].item()
    return AttentionMaps(tokenizer.convert_ids_to_tokens(ids), weights, probability)


@contextmanager
def _eager(model: PreTrainedModel) -> Iterator[None]:
    """The model in evaluation mode with the attention kernel that keeps its weights; then as it was before."""
    training, kernel = model.training, model.config._attn_implementation
    model.eval()
    if kernel != "eager":
        model.set_attn_implementation("eager")
    try:
        yield
    finally:
        if kernel != "eager":
            model.set_attn_implementation(kernel)
        model.train(training)
