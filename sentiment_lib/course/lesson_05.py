"""Exercises of lesson 05."""

from __future__ import annotations

import numpy as np

from .checking import array_of, random_maps
from .exercises import Wrong, exercise


@exercise(
    "05.1",
    "Count the weights",
    "predict",
    task="""
    A BERT with 6 layers of 12 heads reads a text of 30 tokens. How many attention weights does it compute? What do
    *all* of them sum to? And by what factor does their number grow when the text is twice as long?
    """,
    code="""
weights = 6 * 12 * 30 * 30  #| answer
total = 6 * 12 * 30  #| answer
factor = 4  #| answer
""",
    answer="weights, total, factor",
    hints=(
        "One head is a table of tokens by tokens. How many tables are there, and what does a row of each sum to?",
        "There are 6 · 12 tables of 30 · 30 weights. Each of the 30 rows of a table sums to 1. With 60 tokens both "
        "sides of a table are twice as long.",
    ),
    wrong=[
        ("weights, total, factor = 6 * 12 * 30, 6 * 12 * 30, 4", "one weight for each token"),
        ("weights, total, factor = 6 * 12 * 900, 6 * 12, 4", "a whole table"),
        ("weights, total, factor = 6 * 12 * 900, 6 * 12 * 30, 2", "both sides"),
    ],
)
def _count_the_weights(weights, total, factor):
    weights, total, factor = map(float, (weights, total, factor))
    if weights == 6 * 12 * 30:
        raise Wrong("That is one weight for each token; a token has one for every token that it may look at.")
    if weights in (900, 12 * 900, 6 * 900):
        raise Wrong("Count all heads of all layers.")
    if weights != 64_800:
        raise Wrong(f"The number of weights is not {weights:,.0f}.")
    if total in (72, 1):
        raise Wrong("Not a whole table sums to 1, but each of its rows.")
    if total != 2160:
        raise Wrong(f"They do not sum to {total:g}. What does one row sum to, and how many rows are there?")
    if factor == 2:
        raise Wrong("Twice as long means twice as many rows *and* columns: both sides of each table grow.")
    if factor != 4:
        raise Wrong(f"The number does not grow by a factor of {factor:g}.")
    return "This square is why 512 tokens are a limit, and why cutting a review saves more than its share."


@exercise(
    "05.2",
    "Attention, padding included",
    "write",
    task="""
    One head by hand: `queries` and `keys` have the shape *(tokens, size)*, `mask` has one number a token, 1 for real
    tokens and 0 for padding. Return the weights, *(tokens, tokens)*: the softmax over the keys of query · key / √size.
    No token gives weight to padding, and every row sums to 1.
    """,
    code='''
import numpy as np


def attention(queries, keys, mask):
    """Attention weights of one head."""
    #| solution
    scores = queries @ keys.T / queries.shape[1] ** 0.5
    scores = np.where(np.asarray(mask) == 1, scores, -np.inf)
    weights = np.exp(scores - scores.max(axis=1, keepdims=True))
    return weights / weights.sum(axis=1, keepdims=True)
    #| end
''',
    answer="attention",
    hints=(
        "Padding must be out of the softmax altogether: what score becomes a weight of 0?",
        "Set the scores in the columns of padding to −∞ (`np.where(mask == 1, scores, -np.inf)`) before the softmax, "
        "which divides each row by its sum: `axis=1, keepdims=True`.",
    ),
    wrong=[
        (
            """
            scores = np.where(np.asarray(mask) == 1, queries @ keys.T, -np.inf)
            weights = np.exp(scores - scores.max(axis=1, keepdims=True))
            return weights / weights.sum(axis=1, keepdims=True)
            """,
            "root of the size",
        ),
        (
            """
            weights = np.exp(queries @ keys.T / queries.shape[1] ** 0.5)
            return weights / weights.sum(axis=1, keepdims=True)
            """,
            "Padding still gets",
        ),
        (
            """
            weights = np.exp(queries @ keys.T / queries.shape[1] ** 0.5)
            return weights / weights.sum(axis=1, keepdims=True) * np.asarray(mask)
            """,
            "after the softmax",
        ),
        (
            """
            weights = np.exp(queries @ keys.T / queries.shape[1] ** 0.5)
            return weights / weights.sum(axis=0, keepdims=True)
            """,
            "The columns sum",
        ),
        (
            """
            scores = queries @ keys.T / queries.shape[1] ** 0.5 * np.asarray(mask)
            weights = np.exp(scores - scores.max(axis=1, keepdims=True))
            return weights / weights.sum(axis=1, keepdims=True)
            """,
            "a score of 0",
        ),
        (
            """
            scores = np.where(np.asarray(mask) == 1, keys @ queries.T / queries.shape[1] ** 0.5, -np.inf)
            weights = np.exp(scores - scores.max(axis=1, keepdims=True))
            return weights / weights.sum(axis=1, keepdims=True)
            """,
            "change places",
        ),
    ],
)
def _attention(attention):
    rng = np.random.default_rng(0)
    for tokens, size, padding in ((5, 4, 0), (6, 16, 2), (4, 1, 1)):
        queries, keys = rng.normal(size=(2, tokens, size))
        mask = np.array([1] * (tokens - padding) + [0] * padding)
        found = array_of(attention(queries, keys, mask), (tokens, tokens), "The result")

        def softmax(scores, mask=mask, hidden=-np.inf):
            scores = np.where(mask == 1, scores, hidden)
            weights = np.exp(scores - scores.max(axis=1, keepdims=True))
            return weights / weights.sum(axis=1, keepdims=True)

        right = softmax(queries @ keys.T / size**0.5)
        if np.allclose(found, right, atol=1e-6):
            continue
        if np.allclose(found.sum(axis=0), 1) and not np.allclose(found.sum(axis=1), 1):
            raise Wrong("The columns sum to 1; it should be the rows: the softmax goes over the keys of each query.")
        if np.allclose(found, softmax(queries @ keys.T)):
            raise Wrong("The scores are not divided by the root of the size.")
        if not np.allclose(found.sum(axis=1), 1):
            raise Wrong(
                f"Rows sum to {found.sum(axis=1).round(2)}. What is taken away after the softmax is missing there."
            )
        if np.allclose(found, softmax(keys @ queries.T / size**0.5)):
            raise Wrong("Queries and keys change places: the row of a token belongs to its query.")
        if padding and np.allclose(found, softmax(queries @ keys.T / size**0.5, hidden=0)):
            raise Wrong("Padding has a score of 0 now, and the softmax makes of that a weight like many others.")
        if padding and found[:, -padding:].max() > 1e-6:
            raise Wrong("Padding still gets weight: the last columns should be 0.")
        raise Wrong(f"With {tokens} tokens of size {size}, {padding} of them padding, the weights are others.")
    return "These few lines, twelve times a layer, are all the attention there is in BERT."


@exercise(
    "05.3",
    "Entropy of a row",
    "write",
    task="""
    How widely does a token look? Return the entropy of each row in nats, −Σ w ln w. `weights` has the shape *(…,
    tokens)*, the result *(…)*. A weight of 0 counts as 0.
    """,
    code='''
import numpy as np


def entropy(weights):
    """Entropy of each row in nats."""
    #| solution
    weights = np.asarray(weights, dtype=float)
    logarithms = np.log(weights, where=weights > 0, out=np.zeros_like(weights))
    return -(weights * logarithms).sum(axis=-1)
    #| end
''',
    answer="entropy",
    hints=(
        "Only the last axis is summed. The trouble is ln 0, which is −∞, and 0 · −∞ is nan.",
        "`np.log(np.where(w > 0, w, 1))` is 0 where the weight is 0, since ln 1 = 0.",
    ),
    wrong=[
        ("weights = np.asarray(weights)\nreturn -(weights * np.log2(np.where(weights > 0, weights, 1))).sum(axis=-1)", "bits"),
        ("return -(np.asarray(weights) * np.log(weights)).sum(axis=-1)", "0 times"),
        ("weights = np.asarray(weights)\nreturn -(weights * np.log(np.where(weights > 0, weights, 1))).sum()", "shape"),
        ("weights = np.asarray(weights)\nreturn (weights * np.log(np.where(weights > 0, weights, 1))).sum(axis=-1)", "negative"),
        ("weights = np.asarray(weights)\nreturn -(weights * np.log(np.where(weights > 0, weights, 1))).sum(axis=-2)", "columns"),
    ],
)  # fmt: skip
def _entropy(entropy):
    sharp, even = np.eye(4), np.full((2, 3, 8), 1 / 8)
    for weights in (random_maps(3, 5, 5, seed=1), even, sharp, np.array([0.5, 0.5, 0.0])):
        safe = np.where(weights > 0, weights, 1)
        right = -(weights * np.log(safe)).sum(axis=-1)
        found = array_of(entropy(weights), right.shape, f"For weights of shape {weights.shape} the result")
        if np.allclose(found, right, atol=1e-6):
            continue
        if np.isnan(found).any():
            raise Wrong("There is a nan: 0 times the logarithm of 0. Leave weights of 0 out of it.")
        if np.allclose(found, right / np.log(2), atol=1e-6):
            raise Wrong("That is the entropy in bits (logarithm to base 2); asked for is nats.")
        square = weights.ndim > 1 and weights.shape[-1] == weights.shape[-2]
        if square and np.allclose(found, -(weights * np.log(safe)).sum(axis=-2), atol=1e-6):
            raise Wrong("Those are the entropies of the columns; a token's weights are in its row, the last axis.")
        if np.allclose(found, -right, atol=1e-6):
            raise Wrong("It is negative. Logarithms of weights below 1 are negative, hence the minus sign.")
        raise Wrong(f"For the row {np.atleast_2d(weights.reshape(-1, weights.shape[-1]))[0].round(2)} it is another.")
    return "The most it can be is ln n, for a head that looks at all n tokens alike."
