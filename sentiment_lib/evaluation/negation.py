"""Minimal pairs for one question: does "not" turn the answer around? (lessons 05, 07 and 08)

The two sentences of a pair differ in one word before an adjective, an adverb of degree or "not", and have the same
number of tokens. All sentences are ours. No template and no adjective belongs to two parts, so what was found on one
part can be tested on another.
"""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING

import pandas as pd

from ..errors import ArgumentError, check_choice

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

# Part -> templates, words of praise, words of blame. In a template, {} is the adverb and {word} the adjective.
_PARTS: dict[str, tuple[tuple[str, ...], tuple[str, ...], tuple[str, ...]]] = {
    "explore": (
        (
            "The film is {} {word}.",
            "This story was {} {word}.",
            "It is {} {word} from start to finish.",
            "I found the acting {} {word}.",
            "The jokes are {} {word}.",
            "What we get to see is {} {word}.",
            "The ending felt {} {word} to me.",
            "Her performance is {} {word}.",
        ),
        ("good", "funny", "clever", "exciting"),
        ("bad", "boring", "stupid", "slow"),
    ),
    "confirm": (
        (
            "The dialogue is {} {word}.",
            "As a comedy it is {} {word}.",
            "The camera work was {} {word}.",
            "Its first hour is {} {word}.",
            "I thought the plot was {} {word}.",
            "The music sounds {} {word}.",
            "A thriller that is {} {word}.",
            "The whole cast is {} {word} here.",
        ),
        ("original", "moving", "charming", "interesting"),
        ("dull", "silly", "clumsy", "predictable"),
    ),
    "sealed": (
        (
            "This remake is {} {word}.",
            "The script is {} {word} in places.",
            "We all thought it was {} {word}.",
            "His new film is {} {word}.",
            "The fights are {} {word}.",
            "To my mind it is {} {word}.",
            "The second half was {} {word}.",
            "The main character is {} {word}.",
        ),
        ("great", "enjoyable", "convincing", "beautiful"),
        ("awful", "tedious", "confusing", "lame"),
    ),
    "training": (
        (
            "The picture is {} {word}.",
            "I thought it was {} {word}.",
            "The scenes at sea are {} {word}.",
            "My evening at the cinema was {} {word}.",
            "The direction is {} {word}.",
            "They made a film that is {} {word}.",
            "The twist is {} {word}.",
            "A sequel that is {} {word}.",
            "The costumes look {} {word}.",
            "Nobody told me that it is {} {word}.",
            "The songs were {} {word}.",
            "Its idea is {} {word}.",
        ),
        ("fresh", "lively", "entertaining", "memorable", "believable", "thoughtful", "inspired", "pleasant"),
        ("weak", "ugly", "pointless", "shallow", "messy", "annoying", "unoriginal", "forgettable"),
    ),
}
PARTS = tuple(_PARTS)
ADVERBS = ("really", "very", "so", "quite")
_OTHERS = ("too", "all", "now", "extremely", "a bit", "most of all", "as ever", "very much", "quite simply")


def negation_pairs(part: str, tokenizer: PreTrainedTokenizerBase | None = None) -> pd.DataFrame:
    """The minimal pairs of a part: every template with every word.

    Parameters
    ----------
    part : {"explore", "confirm", "sealed", "training"}
        The first three have 8 templates and 8 words each, the last one has 12 and 16.
    tokenizer : transformers.PreTrainedTokenizerBase, optional
        Of a model whose activations are patched: only pairs of sentences with the same number of tokens. In a BERT
        these are all; another tokenizer may cut "really" and "not" into different numbers of pieces, and then another
        adverb takes its place.

    Returns
    -------
    pandas.DataFrame
        One row per pair: ``template``, ``word``, ``label`` of the sentence without "not" (1 for praise), ``plain``
        ("The film is really good.") and ``negated`` ("The film is not good.").

    Raises
    ------
    ArgumentError
        For another part, and if no adverb has as many tokens as "not".
    """
    check_choice("part", part, _PARTS)
    templates, praise, blame = _PARTS[part]
    rows = [
        {
            "template": template,
            "word": word,
            "label": label,
            "plain": template.format(adverb, word=word),
            "negated": template.format("not", word=word),
        }
        for (template, adverb), (word, label) in itertools.product(
            zip(templates, itertools.cycle(ADVERBS), strict=False), [(w, 1) for w in praise] + [(w, 0) for w in blame]
        )
    ]
    pairs = pd.DataFrame(rows)
    return pairs if tokenizer is None else _of_equal_length(pairs, tokenizer)


def _of_equal_length(pairs: pd.DataFrame, tokenizer: PreTrainedTokenizerBase) -> pd.DataFrame:
    """The pairs with the same number of tokens, with other adverbs where the template's has another number."""

    def lengths(texts: list[str]) -> list[int]:
        return [len(ids) for ids in tokenizer(texts)["input_ids"]]

    kept = []
    for row, wanted in zip(pairs.to_dict("records"), lengths(pairs["negated"].tolist()), strict=True):
        others = [row["template"].format(adverb, word=row["word"]) for adverb in (*ADVERBS, *_OTHERS)]
        candidates = [row["plain"], *others]
        fitting = [text for text, n in zip(candidates, lengths(candidates), strict=True) if n == wanted]
        if fitting:
            kept.append(row | {"plain": fitting[0]})
    if not kept:
        raise ArgumentError('This tokenizer cuts "not" into a number of pieces that no adverb of the pairs has.')
    return pd.DataFrame(kept)
