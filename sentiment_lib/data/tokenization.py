"""Texts to token ids, and what is kept of a review that is too long. Taught in lesson 01."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, NamedTuple

from ..errors import ArgumentError, check_choice
from ..settings import TRUNCATIONS

if TYPE_CHECKING:
    from datasets import Dataset
    from transformers import PreTrainedTokenizerBase

_AT_ONCE = 1000  # texts that are tokenised together
SPACE = "␣"  # shown for a token that is nothing but white space


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
        One list per text.

    Raises
    ------
    ArgumentError
        For an unknown truncation, and for a `max_length` that leaves no room for a word or that exceeds what the
        tokenizer's model can read.
    """
    room = max_length - tokenizer.num_special_tokens_to_add()
    check_choice("truncation", truncation, TRUNCATIONS)
    if room < 1:
        raise ArgumentError(f"max_length={max_length} leaves no room for a word; use at least {max_length - room + 1}.")
    if max_length > tokenizer.model_max_length:
        raise ArgumentError(
            f"max_length={max_length} is longer than the {tokenizer.model_max_length} tokens this model can read."
        )
    head = _head_length(room, truncation, head_share)
    before, after = _special_tokens(tokenizer)
    encodings = _encodings(list(texts), tokenizer)
    return [before + _ends(encoding.ids, room, head) + after for encoding in encodings]


def shortening(
    tokenizer: PreTrainedTokenizerBase, max_length: int, truncation: str = "head+tail", head_share: float = 0.25
) -> Callable[[list[int]], list[int]]:
    """A function that shortens the ids which :func:`encode` made to those that it makes with a lower `max_length`."""
    before, after = _special_tokens(tokenizer)
    room = max_length - len(before) - len(after)
    head = _head_length(room, truncation, head_share)

    def shorten(ids: list[int]) -> list[int]:
        return before + _ends(ids[len(before) : len(ids) - len(after)], room, head) + after

    return shorten


class ReadableTokens(NamedTuple):
    """The tokens of one text in a form that people can read. Each field has one entry per token."""

    ids: list[int]
    words: tuple[int, ...]  # as from encode_with_words
    tokens: list[str]
    word_texts: list[str]  # the word that the token is a piece of; for a special token its own name


def readable_tokens(
    text: str,
    tokenizer: PreTrainedTokenizerBase,
    max_length: int | None = None,
    truncation: str = "head+tail",
    head_share: float = 0.25,
) -> ReadableTokens:
    """The tokens that :func:`encode` makes of one text, as people can read them.

    The pieces of a WordPiece vocabulary, such as BERT's, are shown as they are, ``##`` included. Byte-level and
    SentencePiece vocabularies have signs of their own for spaces and bytes (``Ġ``, ``▁``, ``ðŁĺ``). Instead of these,
    the part of the text that a token stands for is shown, and :data:`SPACE` for white space.

    Parameters
    ----------
    text, tokenizer, truncation, head_share
        As in :func:`encode`.
    max_length : int, optional
        As in :func:`encode`. Default: the longest text that the tokenizer's model can read.
    """
    text = _without_half_pairs(text)
    length = tokenizer.model_max_length if max_length is None else max_length
    ids, words, spans = encode_with_words(text, tokenizer, length, truncation, head_share)
    tokens = list(tokenizer.convert_ids_to_tokens(ids))
    if type(tokenizer.backend_tokenizer.model).__name__ == "WordPiece":
        return ReadableTokens(ids, words, tokens, joined_pieces(tokens, words))
    word_texts = list(tokens)
    for word, group in itertools.groupby(range(len(ids)), key=words.__getitem__):
        if word < 0:
            continue
        pieces = list(group)
        start, end = min(spans[i][0] for i in pieces), max(spans[i][1] for i in pieces)
        for i in pieces:
            word_texts[i] = text[start:end].strip() or SPACE
            if ids[i] not in tokenizer.all_special_ids:  # which include that of an unknown piece
                is_space = not tokens[i].strip("Ġ▁")
                tokens[i] = SPACE if is_space else text[slice(*spans[i])].strip() or SPACE
    return ReadableTokens(ids, words, tokens, word_texts)


def joined_pieces(tokens: Sequence[str], words: Sequence[int]) -> list[str]:
    """For each token of a WordPiece vocabulary the word that it is a piece of: all pieces, joined without ``##``."""
    found: list[str] = []
    for word, group in itertools.groupby(range(len(tokens)), key=words.__getitem__):
        pieces = [tokens[i] for i in group]
        joined = "".join([pieces[0], *(piece.removeprefix("##") for piece in pieces[1:])])
        found += pieces if word < 0 else [joined] * len(pieces)
    return found


def encode_with_words(
    text: str,
    tokenizer: PreTrainedTokenizerBase,
    max_length: int,
    truncation: str = "head+tail",
    head_share: float = 0.25,
) -> tuple[list[int], tuple[int, ...], list[tuple[int, int]]]:
    """For each token of a text its id, its word, and the characters of the text that it covers, as ``(start, end)``.

    The ids are those of :func:`encode`. A tokenizer splits a text into words before it cuts the words into pieces: at
    white space and, for BERT, at punctuation. Words are numbered from 0 in the complete text; special tokens have the
    number -1 and cover nothing, ``(0, 0)``.
    """
    (ids,) = encode([text], tokenizer, max_length, truncation, head_share)
    encoding = tokenizer(
        _without_half_pairs(text), add_special_tokens=False, return_offsets_mapping=True, verbose=False
    )
    words, spans = encoding.word_ids(), encoding["offset_mapping"]
    before, after = (len(special) for special in _special_tokens(tokenizer))
    kept = len(ids) - before - after
    if kept < len(words):
        head = _head_length(kept, truncation, head_share)
        words, spans = (part[:head] + part[len(part) - (kept - head) :] for part in (words, spans))
    return ids, (-1,) * before + tuple(words) + (-1,) * after, [(0, 0)] * before + spans + [(0, 0)] * after


def _without_half_pairs(text: str) -> str:
    """The text with a question mark for each half of a surrogate pair, which no tokenizer takes."""
    return text.encode("utf-8", "replace").decode()


def _head_length(room: int, truncation: str, head_share: float) -> int:
    """How many of the `room` tokens that are kept of a longer text come from its beginning."""
    return {"head": room, "tail": 0}.get(truncation, round(room * head_share))


def _special_tokens(tokenizer) -> tuple[list[int], list[int]]:
    """The ids that the tokenizer puts before and after a text; for BERT ``[CLS]`` and ``[SEP]``."""
    bare = tokenizer("a", add_special_tokens=False)["input_ids"]
    full = tokenizer("a")["input_ids"]
    start = next(i for i in range(len(full)) if full[i : i + len(bare)] == bare)
    return full[:start], full[start + len(bare) :]


def _encodings(texts: Sequence[str], tokenizer: PreTrainedTokenizerBase) -> Iterator:
    """What the tokenizer's backend makes of each text: uncut, without special tokens, padding and offsets."""
    backend = tokenizer.backend_tokenizer
    for start in range(0, len(texts), _AT_ONCE):
        part = [_without_half_pairs(text) for text in texts[start : start + _AT_ONCE]]
        backend.no_truncation()
        backend.no_padding()
        yield from backend.encode_batch_fast(part, add_special_tokens=False)


def _ends(ids: list[int], room: int, head: int) -> list[int]:
    """The first `head` ids and the last ``room - head``, or all of them if they are no more than `room`."""
    return ids if len(ids) <= room else ids[:head] + ids[len(ids) - (room - head) :]


def padding_multiple(tokenizer: PreTrainedTokenizerBase) -> int | None:
    """Multiple of tokens to pad batches to: 8 for speed, None for a model whose longest input is no multiple of 8."""
    return None if tokenizer.model_max_length % 8 else 8


def encode_dataset(dataset: Dataset, tokenizer: PreTrainedTokenizerBase, **encoding) -> Dataset:
    """A split as the model reads it: columns ``input_ids``, ``length`` (in tokens) and ``labels``.

    `encoding` is what :func:`encode` takes: max_length, truncation, head_share.
    """
    from datasets import Dataset

    ids = encode(dataset["text"], tokenizer, **encoding)
    return Dataset.from_dict({"input_ids": ids, "length": [len(i) for i in ids], "labels": dataset["label"]})
