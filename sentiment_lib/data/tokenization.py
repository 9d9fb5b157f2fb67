"""Texts to token ids, and what is kept of a review that is too long. Taught in lesson 01."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from ..errors import ArgumentError
from ..settings import TRUNCATIONS

if TYPE_CHECKING:
    from datasets import Dataset
    from transformers import PreTrainedTokenizerBase


def encode(
    texts: Sequence[str],
    tokenizer: PreTrainedTokenizerBase,
    max_length: int,
    truncation: str = "head+tail",
    head_share: float = 0.25,
) -> list[list[int]]:
    """Token ids of each text, special tokens included, never longer than `max_length`.

    Parameters
    ----------
    texts : sequence of str
    tokenizer : transformers.PreTrainedTokenizerBase
        A fast tokenizer.
    max_length : int
        Longest sequence in tokens, special tokens included.
    truncation : {"head", "tail", "head+tail"}
        Which part of a longer text is kept: its beginning, its end, or both with the middle left out
        (Sun et al., How to Fine-Tune BERT for Text Classification?, 2019, section 5.3.1).
    head_share : float
        Share of the kept tokens that ``head+tail`` takes from the beginning. Sun et al. took 128 of 510.

    Returns
    -------
    list of list of int
        One list per text. The tokenizer itself cuts both ends, so that no longer list is ever built.

    Raises
    ------
    ArgumentError
        For an unknown truncation, and for a `max_length` that leaves no room for a word or that exceeds what the
        tokenizer's model can read.
    """
    room = max_length - tokenizer.num_special_tokens_to_add()
    if truncation not in TRUNCATIONS:
        raise ArgumentError(f"truncation={truncation!r} is not one of {', '.join(TRUNCATIONS)}.")
    if room < 1:
        raise ArgumentError(f"max_length={max_length} leaves no room for a word; use at least {max_length - room + 1}.")
    if max_length > tokenizer.model_max_length:
        raise ArgumentError(
            f"max_length={max_length} is longer than the {tokenizer.model_max_length} tokens this model can read."
        )
    # no tokenizer takes half of a surrogate pair: a question mark stands for it
    texts = [text.encode("utf-8", "replace").decode() for text in texts]
    head = _head_length(room, truncation, head_share)
    kept = _cut(texts, tokenizer, room, "right" if head else "left")
    if 0 < head < room:
        full = [i for i, ids in enumerate(kept) if len(ids) == room]
        tails = _cut([texts[i] for i in full], tokenizer, room - head, "left")
        for i, tail in zip(full, tails, strict=True):
            kept[i] = kept[i][:head] + tail
    before, after = _special_tokens(tokenizer)
    return [before + ids + after for ids in kept]


def encode_with_words(
    text: str,
    tokenizer: PreTrainedTokenizerBase,
    max_length: int,
    truncation: str = "head+tail",
    head_share: float = 0.25,
) -> tuple[list[int], tuple[int, ...]]:
    """Token ids of one text as :func:`encode` returns them, and for each token the word it belongs to.

    A tokenizer splits a text into words before it cuts the words into pieces: at white space and, for BERT, at
    punctuation. Words are numbered from 0 in the complete text; special tokens have the number -1.
    """
    (ids,) = encode([text], tokenizer, max_length, truncation, head_share)
    words = tokenizer(text, add_special_tokens=False, verbose=False).word_ids()
    before, after = _special_tokens(tokenizer)
    kept = len(ids) - len(before) - len(after)
    if kept < len(words):
        head = _head_length(kept, truncation, head_share)
        words = words[:head] + words[len(words) - (kept - head) :]
    return ids, (-1,) * len(before) + tuple(words) + (-1,) * len(after)


def _head_length(room: int, truncation: str, head_share: float) -> int:
    """How many of the `room` tokens that are kept of a longer text come from its beginning."""
    return {"head": room, "tail": 0}.get(truncation, round(room * head_share))


def _special_tokens(tokenizer) -> tuple[list[int], list[int]]:
    """The ids that the tokenizer puts before and after a text; for BERT ``[CLS]`` and ``[SEP]``."""
    bare = tokenizer("a", add_special_tokens=False)["input_ids"]
    full = tokenizer("a")["input_ids"]
    start = next(i for i in range(len(full)) if full[i : i + len(bare)] == bare)
    return full[:start], full[start + len(bare) :]


def _cut(texts: list[str], tokenizer, length: int, side: str) -> list[list[int]]:
    """Ids without special tokens; longer texts lose their end (`side` is right) or their beginning (left)."""
    if not texts:
        return []
    previous_side, tokenizer.truncation_side = tokenizer.truncation_side, side
    try:
        return tokenizer(
            texts,
            add_special_tokens=False,
            truncation=True,
            max_length=length,
            return_attention_mask=False,
            return_token_type_ids=False,
        )["input_ids"]
    finally:
        tokenizer.truncation_side = previous_side


def token_lengths(texts: Sequence[str], tokenizer: PreTrainedTokenizerBase) -> np.ndarray:
    """Length of each text in tokens before any truncation, special tokens included; shape ``(texts,)``."""
    backend = tokenizer.backend_tokenizer
    backend.no_truncation()
    backend.no_padding()
    texts = list(texts)
    chunks = (backend.encode_batch_fast(texts[i : i + 1000]) for i in range(0, len(texts), 1000))
    return np.array([len(encoding) for chunk in chunks for encoding in chunk], dtype=np.int64)


def encode_dataset(dataset: Dataset, tokenizer: PreTrainedTokenizerBase, **encoding) -> Dataset:
    """A split as the model reads it: columns ``input_ids``, ``length`` (in tokens) and ``labels``.

    `encoding` is what :func:`encode` takes: max_length, truncation, head_share.
    """
    from datasets import Dataset

    ids = encode(dataset["text"], tokenizer, **encoding)
    return Dataset.from_dict({"input_ids": ids, "length": [len(i) for i in ids], "labels": dataset["label"]})
