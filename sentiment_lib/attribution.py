"""Which words a prediction rests on.

Taught in lesson 04.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from .metrics import logit


@dataclass(frozen=True)
class WordEffects:
    """What each word of a text does to a prediction.

    Attributes
    ----------
    words : tuple of str
        The text, split at white space.
    effects : tuple of float
        By how much the logit of positive falls when the word is left out: above 0 the word speaks for
        positive, below 0 for negative.
    probability : float
        Of positive, for the whole text.
    """

    words: tuple[str, ...]
    effects: tuple[float, ...]
    probability: float

    def driving(self, n: int = 3) -> list[str]:
        """The `n` words that speak most for the prediction that was made, the strongest first."""
        side = 1 if self.probability >= 0.5 else -1
        order = np.argsort(-side * np.array(self.effects), kind="stable")[:n]
        return [self.words[i] for i in order if side * self.effects[i] > 0]


def leave_one_word_out(texts: Sequence[str], predict: Callable[[list[str]], Sequence[float]]) -> list[WordEffects]:
    """Leave out each word in turn and see what the prediction becomes.

    It works for any classifier and asks it once a word. It sees what single words do; where two words say the
    same, leaving out one may change nothing.

    Parameters
    ----------
    texts : sequence of str
    predict : callable
        Takes a list of texts and returns the probability of positive for each; called once.

    Returns
    -------
    list of WordEffects
        One a text.

    Raises
    ------
    ValueError
        For a text without words.

    References
    ----------
    Li et al., Understanding neural networks through representation erasure, 2016.
    """
    split = [text.split() for text in texts]
    for i, words in enumerate(split):
        if not words:
            raise ValueError(f"texts[{i}] is {texts[i]!r}: there is no word to leave out.")
    variants = [" ".join(words[:i] + words[i + 1 :]) for words in split for i in range(len(words))]
    logits = logit(predict([*(" ".join(words) for words in split), *variants]))
    found, place = [], len(split)
    for words, whole in zip(split, logits, strict=False):
        effects = whole - logits[place : place + len(words)]
        place += len(words)
        found.append(WordEffects(tuple(words), tuple(effects.tolist()), float(1 / (1 + np.exp(-whole)))))
    return found
