"""Exercises of lesson 05, continued: heads by counting, words from pieces, what has moved."""

from __future__ import annotations

import numpy as np

from .checking import array_of, random_maps
from .exercises import Wrong, exercise


@exercise(
    "05.4",
    "Find a head by counting",
    "write",
    task="""
    `weights` has the shape *(layers, heads, tokens, tokens)*. Return `(layer, head)`, counted from 0, of the head that
    gives the largest mean weight to the *previous* token. (The first token has none and is left out of the mean.)
    """,
    code='''
import numpy as np


def previous_token_head(weights):
    """Layer and head that look most at the token before."""
    #| solution
    share = np.diagonal(weights, offset=-1, axis1=2, axis2=3).mean(axis=-1)
    layer, head = np.unravel_index(share.argmax(), share.shape)
    return int(layer), int(head)
    #| end
''',
    answer="previous_token_head",
    hints=(
        "Where in the table is the weight of token *i* on token *i − 1*? Just below the diagonal.",
        "`np.diagonal(weights, offset=-1, axis1=2, axis2=3)` has the shape (layers, heads, tokens − 1); its mean over "
        "the last axis is a number a head. `np.unravel_index` turns the place of the largest into layer and head.",
    ),
    wrong=[
        (
            """
            share = np.diagonal(weights, offset=1, axis1=2, axis2=3).mean(axis=-1)
            return np.unravel_index(share.argmax(), share.shape)
            """,
            "next token",
        ),
        (
            """
            share = np.diagonal(weights, offset=-1, axis1=2, axis2=3).mean(axis=-1)
            layer, head = np.unravel_index(share.argmax(), share.shape)
            return head, layer
            """,
            "swapped",
        ),
        (
            "return np.diagonal(weights, offset=-1, axis1=2, axis2=3).mean(axis=-1).argmax()",
            "two numbers",
        ),
        (
            """
            share = np.diagonal(weights, axis1=2, axis2=3).mean(axis=-1)
            return np.unravel_index(share.argmax(), share.shape)
            """,
            "itself",
        ),
    ],
)
def _previous_token_head(find):
    for seed in range(3):
        maps = np.stack([random_maps(4, 7, 7, seed=seed * 10 + layer) for layer in range(5)])
        rows = np.arange(7)
        for layer, head, shift in ((4, 1, -1), (2, 3, 1), (0, 2, 0)):  # heads for previous, next and the same token
            maps[layer, head] *= 0.1
            maps[layer, head, rows, np.clip(rows + shift, 0, 6)] += 0.9
        given = np.roll(maps, seed, axis=1)
        found = np.asarray(find(given))
        if found.shape != (2,):
            raise Wrong(f"Return two numbers, layer and head; yours is {found.tolist()}.")
        found = tuple(int(number) for number in found)
        places = {
            name: (layer, (head + seed) % 4) for name, layer, head in (("right", 4, 1), ("next", 2, 3), ("same", 0, 2))
        }
        if found == places["right"]:
            continue
        if found == places["next"]:
            raise Wrong(
                "That head looks at the next token. Rows look at columns: the previous one is below the diagonal."
            )
        if found == places["same"]:
            raise Wrong("That head looks at the token itself: it is the diagonal, without an offset.")
        if found == places["right"][::-1]:
            raise Wrong("Layer and head are swapped.")
        raise Wrong(f"For these maps of 5 layers with 4 heads, it is not {found}.")
    return "Counting finds what eyes find, and also says how much, and on how many texts."


@exercise(
    "05.5",
    "From pieces to words",
    "write",
    task="""
    `weights` has the shape *(tokens, tokens)*; `words` says which word each token is a piece of, such as `[0, 1, 1,
    2]`. Return the weights from word to word: attention *to* a word is the sum over its pieces, attention *from* a word
    the mean over its pieces.
    """,
    code='''
import numpy as np


def to_words(weights, words):
    """Attention from word to word; rows still sum to 1."""
    #| solution
    member = np.asarray(words) == np.arange(max(words) + 1)[:, None]  # (words, tokens)
    to = np.asarray(weights) @ member.T
    return member @ to / member.sum(axis=1, keepdims=True)
    #| end
''',
    answer="to_words",
    hints=(
        "Columns first: add up the columns of the same word. Then rows: take their mean.",
        "Make a table `member` of shape (words, tokens) that is True where a token belongs to a word. `weights @ "
        "member.T` adds up columns, `member @ ...` adds up rows; divide these by the number of pieces.",
    ),
    wrong=[
        (
            """
            member = np.asarray(words) == np.arange(max(words) + 1)[:, None]
            return member @ weights @ member.T
            """,
            "sum to more than 1",
        ),
        (
            """
            member = np.asarray(words) == np.arange(max(words) + 1)[:, None]
            mean = member / member.sum(axis=1, keepdims=True)
            return mean @ weights @ mean.T
            """,
            "mean in both directions",
        ),
        (
            """
            first = np.unique(words, return_index=True)[1]
            return weights[np.ix_(first, first)]
            """,
            "first piece",
        ),
    ],
)
def _to_words(to_words):
    for words in ([0, 1, 1, 2], [0, 0, 0, 1, 2, 2], [0, 1, 2]):
        weights = random_maps(1, len(words), len(words), seed=len(words))[0]
        member = np.array([[word == one for word in words] for one in range(max(words) + 1)], dtype=float)
        mean = member / member.sum(axis=1, keepdims=True)
        right = mean @ weights @ member.T
        found = array_of(to_words(weights, list(words)), right.shape, f"For words={words} the result")
        if np.allclose(found, right, atol=1e-6):
            continue
        first = [words.index(word) for word in range(max(words) + 1)]
        if np.allclose(found, weights[np.ix_(first, first)], atol=1e-6):
            raise Wrong("That takes only the first piece of each word; the other pieces look and are looked at, too.")
        if np.allclose(found, mean @ weights @ mean.T, atol=1e-6):
            raise Wrong("That is the mean in both directions, so that a row no longer sums to 1.")
        if found.sum(axis=1).max() > 1.001:
            raise Wrong(f"Rows sum to more than 1: {found.sum(axis=1).round(2).tolist()}, for words={words}.")
        raise Wrong(f"For words={words} it is not right. Rows sum to {found.sum(axis=1).round(2).tolist()}.")
    return "To sum here and to average there is not a whim: it is what keeps rows at 1."


@exercise(
    "05.6",
    "How much has moved?",
    "investigate",
    task="""
    Two maps of the same text, before and after some change, each of shape *(heads, tokens, tokens)*. Return the share
    of attention that moved, one number from 0 to 1: half the sum of a row's absolute differences, averaged over heads
    and rows.
    """,
    code='''
import numpy as np


def moved(before, after):
    """Share of the attention that moved."""
    #| solution
    return (np.abs(np.asarray(after) - np.asarray(before)).sum(axis=-1) / 2).mean()
    #| end
''',
    answer="moved",
    hints=(
        "What leaves one column of a row arrives in others, so a sum of absolute differences counts it twice.",
        "Sum over the last axis first, take half, then the mean of all rows of all heads.",
    ),
    wrong=[
        ("return np.abs(after - before).sum(axis=-1).mean()", "twice"),
        ("return (after - before).sum(axis=-1).mean() / 2", "cancel"),
        ("return np.abs(after - before).mean() / 2", "over the columns as well"),
    ],
)
def _moved(moved):
    for heads, tokens in ((2, 5), (12, 9)):
        before, after = random_maps(heads, tokens, tokens, seed=1), random_maps(heads, tokens, tokens, seed=2)
        right = np.abs(after - before).sum(axis=-1).mean() / 2
        found = float(array_of(moved(before, after), (), "The result"))
        if np.isclose(found, right, atol=1e-6):
            continue
        if np.isclose(found, 2 * right):
            raise Wrong("It counts what moves twice: where it leaves, and where it arrives.")
        if np.isclose(found, 0, atol=1e-9):
            raise Wrong("It is 0: without absolute values, what leaves and what arrives cancel.")
        if np.isclose(found, right / tokens) or np.isclose(found, 2 * right / tokens):
            raise Wrong("The mean is taken over the columns as well; a row's differences are summed.")
        raise Wrong(f"For two random maps of {heads} heads and {tokens} tokens it is not {found:.3f}.")
    full, other = np.eye(3)[None], np.roll(np.eye(3), 1, axis=1)[None]
    if not np.isclose(float(moved(full, other)), 1):
        raise Wrong("Where every token looks at another one than before, all of it has moved: 1.")
    return "Statisticians call it the total variation distance, averaged over rows."
