"""Which pairs of tokens a head connects, over many texts, beside what chance would give (lesson 06)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from ..errors import ArgumentError

DRAWS = 99
COLUMNS = ["first", "second", "mean", "count", "text", "row", "column", "weight"]
FEW = 30  # in fewer texts, a pair that occurs twice counts


@dataclass(frozen=True)
class HeadPairs:
    """The pairs of tokens that a head connects.

    Attributes
    ----------
    table : pandas.DataFrame
        One row per pair of tokens, the strongest first: ``first`` looks at ``second``; ``mean`` weight over the
        ``count`` places where the two occur in this order; and its best example: ``text``, ``row``, ``column`` and
        ``weight``. Places are counted among all tokens of a text.
    chance : float
        The 95th percentile of the highest mean if each row's weights are shuffled, from 99 draws. A pair above it is
        connected by more than luck; the highest of all pairs is compared, so that searching many does no harm.
    texts : int
        How many texts were searched.
    """

    table: pd.DataFrame
    chance: float
    texts: int


def strongest_pairs(
    tokens: Sequence[Sequence[str]],
    weights: Sequence[np.ndarray],
    special: Sequence[Sequence[bool]],
    *,
    top: int = 10,
    seed: int = 0,
) -> HeadPairs:
    """The pairs of tokens between which a head has the highest mean weight.

    A token looks at every other place of its text; special tokens are left out. Pairs of the same two tokens are put
    together, if they occur three times at least (twice in fewer than 30 texts).

    Parameters
    ----------
    tokens : sequence of sequence of str
        Of each text.
    weights : sequence of numpy.ndarray
        One head's attention weights for each text, shape ``(tokens, tokens)``.
    special : sequence of sequence of bool
        Which tokens are special.
    top : int
        How many pairs are returned.

    Raises
    ------
    ArgumentError
        If tokens and weights do not belong together.
    """
    names: dict[str, int] = {}
    rows, shuffled, found = [], [], []
    for text, (words, matrix, marks) in enumerate(zip(tokens, weights, special, strict=True)):
        if matrix.shape != (len(words), len(words)):
            raise ArgumentError(f"text {text} has {len(words)} tokens and weights of shape {matrix.shape}.")
        inside = np.flatnonzero(~np.asarray(marks, dtype=bool))
        if len(inside) < 2:
            continue
        ids = np.array([names.setdefault(words[i], len(names)) for i in inside.tolist()])
        others = np.array([[j for j in range(len(inside)) if j != i] for i in range(len(inside))])
        near = matrix[np.ix_(inside, inside)]
        shuffled.append(np.take_along_axis(near, others, axis=1))
        found.append((np.repeat(ids, len(inside) - 1), ids[others].ravel()))
        place = np.repeat(inside, len(inside) - 1), inside[others].ravel()
        rows.append(np.stack([np.full(others.size, text), *place], axis=1))
    if not rows:
        return HeadPairs(pd.DataFrame(columns=COLUMNS), 0.0, len(tokens))
    first, second = (np.concatenate(part) for part in zip(*found, strict=True))
    values = np.concatenate([part.ravel() for part in shuffled])
    keys, group, count = np.unique(first * len(names) + second, return_inverse=True, return_counts=True)
    often = count >= (2 if len(tokens) < FEW else 3)
    kept = often[group]
    means = np.bincount(group, values) / count
    generator = np.random.default_rng(seed)
    highest = []
    for _ in range(DRAWS if often.any() else 0):
        draw = np.concatenate([generator.permuted(part, axis=1).ravel() for part in shuffled])
        highest.append((np.bincount(group[kept], draw[kept], len(keys)) / count)[often].max())
    spelled, places, best = list(names), np.concatenate(rows), []
    for pair in np.flatnonzero(often)[np.argsort(-means[often], kind="stable")][:top]:
        at = np.flatnonzero(group == pair)
        example = at[values[at].argmax()]
        one, other = divmod(int(keys[pair]), len(names))
        best.append((spelled[one], spelled[other], means[pair], count[pair], *places[example], values[example]))
    chance = float(np.quantile(highest, 0.95)) if highest else 0.0
    return HeadPairs(pd.DataFrame(best, columns=COLUMNS), chance, len(tokens))
