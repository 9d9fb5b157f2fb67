"""The attention weights of a model for a text (lesson 06)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch

from ..data.tokenization import joined_pieces, readable_tokens
from ..errors import ArgumentError, ArgumentTypeError, ModelError
from ..model.architectures import attention_windows
from ..model.compute import device_of
from ..model.encoder import evaluating

if TYPE_CHECKING:
    from transformers import PreTrainedModel, PreTrainedTokenizerBase


@dataclass(frozen=True)
class AttentionMaps:
    """One text as the model saw it, and where each head looked.

    Attributes
    ----------
    tokens : list of str
        The word pieces, special tokens included, as :func:`sentiment_lib.data.readable_tokens` shows them.
    weights : numpy.ndarray
        Shape ``(layers, heads, tokens, tokens)``, float32: ``weights[l, h, i, j]`` is how much of head `h` of
        layer `l` token `i` (the query) gives to token `j` (the key). Each row sums to 1. Layers and heads
        count from 0.
    probability : float
        The model's probability that the text is positive.
    words : tuple of int
        Index of the word that each token is a piece of, and -1 for special tokens. Empty: each token is a word.
    word_texts : tuple of str
        The word that each token is a piece of. Empty: its pieces, joined without ``##``.
    windows : tuple of int or None
        For each layer, how many tokens to each side a token can look at; all other weights are 0. None: at all tokens.
        Empty: all layers are None.
    """

    tokens: list[str]
    weights: np.ndarray
    probability: float
    words: tuple[int, ...] = ()
    word_texts: tuple[str, ...] = ()
    windows: tuple[int | None, ...] = ()

    def __post_init__(self) -> None:
        n = len(self.tokens)
        if not self.words:
            object.__setattr__(self, "words", tuple(range(n)))
        if not self.word_texts and len(self.words) == n:
            object.__setattr__(self, "word_texts", tuple(joined_pieces(self.tokens, self.words)))
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

    @property
    def note(self) -> str:
        """Which layers have local attention, as a sentence; empty if none has."""
        return local_attention(self.windows)


def local_attention(windows: Sequence[int | None]) -> str:
    """The layers with local attention as a sentence, from :func:`sentiment_lib.model.attention_windows`, or nothing."""
    layers = [layer for layer, tokens in enumerate(windows) if tokens is not None]
    if not layers:
        return ""
    listed = f"Layer{'s' * (len(layers) > 1)} {', '.join(map(str, layers))} ({len(layers)} of {len(windows)})"
    return (
        f"{listed}: local attention. A token sees at most {windows[layers[0]]} tokens to each side; all other weights "
        "are 0."
    )


def attention_maps(
    text: str,
    model: PreTrainedModel,
    tokenizer: PreTrainedTokenizerBase,
    *,
    max_length: int | None = None,
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
        As in :func:`sentiment_lib.data.encode`. Default length: 64, or the model's limit if that is lower. The
        weights take ``4 * layers * heads * tokens ** 2`` bytes: 1.1 MiB for 64 tokens of the bundled model.

    Raises
    ------
    ArgumentTypeError
        If the text is not a string.
    ModelError
        If the model does not return its attention weights.
    """
    if not isinstance(text, str):
        raise ArgumentTypeError(f"text is {text!r}, not a string.")
    length = min(64, tokenizer.model_max_length) if max_length is None else max_length
    read = readable_tokens(text, tokenizer, length, truncation, head_share)
    with eager(model), torch.inference_mode():
        output = model(torch.tensor([read.ids], device=device_of(model)), output_attentions=True)
    if len(output.attentions or ()) != model.config.num_hidden_layers:
        raise ModelError(
            f"{type(model).__name__} returned {len(output.attentions or ())} attention maps for "
            f"{model.config.num_hidden_layers} layers; use a model that supports attn_implementation='eager'."
        )
    weights = torch.cat(output.attentions).float().cpu().numpy()
    probability = torch.softmax(output.logits[0].cpu().double(), dim=-1)[1].item()
    windows = attention_windows(model.config)
    return AttentionMaps(read.tokens, weights, probability, read.words, tuple(read.word_texts), windows)


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
    firsts = [unit[0] for unit in units]
    names = maps.word_texts if words else maps.tokens
    return AttentionMaps(
        [names[i] for i in firsts],
        weights,
        maps.probability,
        tuple(maps.words[i] for i in firsts),
        tuple(maps.word_texts[i] for i in firsts),
        maps.windows,
    )


@contextmanager
def eager(model: PreTrainedModel) -> Iterator[None]:
    """The model in evaluation mode, with the attention kernel that returns its weights, until the block ends."""
    from ..model._transformers import attention_kernel, set_attention_kernel

    kernel = attention_kernel(model.config)
    set_attention_kernel(model.config, "eager")
    try:
        with evaluating(model):
            yield
    finally:
        set_attention_kernel(model.config, kernel)
