"""The attention weights of a model for a text (lesson 05)."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch

from ..data.tokenization import encode_with_words
from ..errors import ArgumentError, ArgumentTypeError, ModelError
from ..model.compute import device_of

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
    words : tuple of int
        Index of the word that each token is a piece of, and -1 for special tokens. Empty: each token is a word.
    """

    tokens: list[str]
    weights: np.ndarray
    probability: float
    words: tuple[int, ...] = ()

    def __post_init__(self) -> None:
        n = len(self.tokens)
        if not self.words:
            object.__setattr__(self, "words", tuple(range(n)))
        if self.weights.ndim != 4 or self.weights.shape[2:] != (n, n) or len(self.words) != n:
            raise ArgumentError(
                f"weights of shape {self.weights.shape} and {len(self.words)} word indices do not fit {n} tokens; the "
                f"shape should be (layers, heads, {n}, {n})."
            )

    @property
    def layers(self) -> int:
        """Number of layers."""
        return self.weights.shape[0]

    @property
    def heads(self) -> int:
        """Number of heads per layer."""
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
    model, tokenizer
        From :func:`sentiment_lib.initialize_model_and_tokenizer`.
    max_length, truncation, head_share
        As in :func:`sentiment_lib.data.encode`. The weights take
        ``4 * layers * heads * tokens ** 2`` bytes: 1.1 MiB for 64 tokens of the bundled model.

    Raises
    ------
    ArgumentTypeError
        If the text is not a string.
    ModelError
        If the model does not return its attention weights.
    """
    if not isinstance(text, str):
        raise ArgumentTypeError(f"text is {text!r}, not a string.")
    ids, words = encode_with_words(text, tokenizer, max_length, truncation, head_share)
    with eager(model), torch.inference_mode():
        output = model(torch.tensor([ids], device=device_of(model)), output_attentions=True)
    if len(output.attentions or ()) != model.config.num_hidden_layers:
        raise ModelError(
            f"{type(model).__name__} returned {len(output.attentions or ())} attention maps for "
            f"{model.config.num_hidden_layers} layers; use a model that supports attn_implementation='eager'."
        )
    weights = torch.cat(output.attentions).float().cpu().numpy()
    probability = torch.softmax(output.logits[0].cpu().double(), dim=-1)[1].item()
    return AttentionMaps(list(tokenizer.convert_ids_to_tokens(ids)), weights, probability, words)


def condense(maps: AttentionMaps, *, words: bool = True, special: bool = True) -> AttentionMaps:
    """The same maps with word pieces joined to words, or without the special tokens, or both.

    Attention *to* a split word is the sum over its pieces, attention *from* it their mean (Clark et al., What
    Does BERT Look At?, 2019, section 4.1). Without special tokens the rest of each row is divided by its sum,
    so that rows sum to 1 again; a row that has nothing left stays 0.

    Parameters
    ----------
    words : bool
        Join word pieces.
    special : bool
        Keep the special tokens.
    """
    units: list[list[int]] = []
    for i, word in enumerate(maps.words):
        if word < 0 and not special:
            continue
        if words and units and word >= 0 and maps.words[units[-1][-1]] == word:
            units[-1].append(i)
        else:
            units.append([i])
    member = np.zeros((len(units), len(maps.tokens)), dtype=np.float32)
    for row, tokens in zip(member, units, strict=True):
        row[tokens] = 1
    weights = (member / np.maximum(member.sum(axis=1, keepdims=True), 1)) @ maps.weights @ member.T
    if not special:
        total = weights.sum(axis=-1, keepdims=True)
        weights = np.divide(weights, total, out=np.zeros_like(weights), where=total > 0)
    names = ["".join([maps.tokens[u[0]], *(maps.tokens[i].removeprefix("##") for i in u[1:])]) for u in units]
    return AttentionMaps(names, weights, maps.probability, tuple(maps.words[unit[0]] for unit in units))


@contextmanager
def eager(model: PreTrainedModel) -> Iterator[None]:
    """The model in evaluation mode, with the attention kernel that returns its weights, until the block ends."""
    from ..model._transformers import attention_kernel, set_attention_kernel

    training, kernel = model.training, attention_kernel(model.config)
    model.eval()
    set_attention_kernel(model.config, "eager")
    try:
        yield
    finally:
        set_attention_kernel(model.config, kernel)
        model.train(training)
