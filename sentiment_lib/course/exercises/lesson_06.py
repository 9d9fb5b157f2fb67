"""Exercises of lesson 06."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np

from .checking import array_of, random_maps, refuse
from .exercise import Wrong, exercise


@exercise(
    "06.1",
    "Count the weights",
    "predict",
    task="""
    A BERT with {layers} layers of {heads} heads reads a text of {tokens} tokens. How many attention weights does it
    compute? What do *all* of them sum to? And by what factor does their number grow when the text is twice as long?
    """,
    hints=(
        "One head is a table of tokens by tokens. How many tables are there, and what does a row of each sum to?",
        "There are 6 · 12 tables of 30 · 30 weights. Each of the 30 rows of a table sums to 1. With 60 tokens both "
        "sides of a table are twice as long.",
    ),
)
def count_the_weights(*, layers=6, heads=12, tokens=30):
    weights = layers * heads * tokens * tokens  # answer
    total = layers * heads * tokens  # answer
    factor = 4  # answer
    return weights, total, factor


def _of_heads(n, weights, total, factor):
    return n.layers * n.heads * weights, n.layers * n.heads * total, factor


count_the_weights.wrong("one weight for each token", lambda n: _of_heads(n, n.tokens, n.tokens, 4))
count_the_weights.wrong("a whole table", lambda n: _of_heads(n, n.tokens**2, 1, 4))
count_the_weights.wrong("both sides", lambda n: _of_heads(n, n.tokens**2, n.tokens, 2))


@count_the_weights.varied
def _(rng):
    return {"layers": rng.choice([3, 4, 8, 10]), "heads": rng.choice([2, 8, 16]), "tokens": rng.integers(31, 60)}


@count_the_weights.checker
def _(weights, total, factor, n):
    weights, total, factor = map(float, (weights, total, factor))
    table, tables = n.tokens**2, n.layers * n.heads
    refuse(
        (
            weights == tables * n.tokens,
            "That is one weight for each token; a token has one for every token that it may look at.",
        ),
        (weights in (table, n.heads * table, n.layers * table), "Count all heads of all layers."),
        (weights != tables * table, f"The number of weights is not {weights:,.0f}."),
        (total in (tables, 1), "Not a whole table sums to 1, but each of its rows."),
        (
            total != tables * n.tokens,
            f"They do not sum to {total:g}. What does one row sum to, and how many rows are there?",
        ),
        (
            factor == 2,
            "Twice as long means twice as many rows *and* columns: both sides of each table grow.",
        ),
        (factor != 4, f"The number does not grow by a factor of {factor:g}."),
    )
    return "This square is why 512 tokens are a limit, and why cutting a review saves more than its share."


@exercise(
    "06.2",
    "Attention, padding included",
    "write",
    task="""
    One head by hand: `queries` and `keys` have the shape *(tokens, size)*, `mask` has one number per token, 1 for real
    tokens and 0 for padding. Return the weights, *(tokens, tokens)*: the softmax over the keys of query · key / √size.
    No token gives weight to padding, and every row sums to 1.
    """,
    hints=(
        "Padding must be out of the softmax altogether: what score becomes a weight of 0?",
        "Set the scores in the columns of padding to −∞ (`np.where(mask == 1, scores, -np.inf)`) before the softmax, "
        "which divides each row by its sum: `axis=1, keepdims=True`.",
    ),
)
def attention(queries, keys, mask):
    """Attention weights of one head."""
    scores = queries @ keys.T / queries.shape[1] ** 0.5
    scores = np.where(np.asarray(mask) == 1, scores, -np.inf)
    weights = np.exp(scores - scores.max(axis=1, keepdims=True))
    return weights / weights.sum(axis=1, keepdims=True)


@attention.wrong("Padding still gets")
def _(queries, keys, mask):
    weights = np.exp(queries @ keys.T / queries.shape[1] ** 0.5)
    return weights / weights.sum(axis=1, keepdims=True)


attention.wrong(
    "root of the size", lambda queries, keys, mask: attention(queries * queries.shape[1] ** 0.5, keys, mask)
)
attention.wrong("after the softmax", lambda queries, keys, mask: attention(queries, keys, np.ones_like(mask)) * mask)
attention.wrong("change places", lambda queries, keys, mask: attention(keys, queries, mask))


@attention.wrong("The columns sum")
def _(queries, keys, mask):
    weights = np.exp(queries @ keys.T / queries.shape[1] ** 0.5)
    return weights / weights.sum(axis=0, keepdims=True)


@attention.wrong("a score of 0")
def _(queries, keys, mask):
    scores = queries @ keys.T / queries.shape[1] ** 0.5 * mask
    weights = np.exp(scores - scores.max(axis=1, keepdims=True))
    return weights / weights.sum(axis=1, keepdims=True)


@attention.checker
def _(attention):
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


@attention.probed()
def _(attention, rng):
    given = [(*rng.normal(size=(2, 8, int(size))), np.arange(8) < real) for size, real in rng.integers(3, 7, (4, 2))]
    return [attention(queries, keys, mask.astype(int)) for queries, keys, mask in given]


@exercise(
    "06.3",
    "Entropy of a row",
    "write",
    task="""
    How widely does a token look? Return the entropy of each row in nats, −Σ w ln w. `weights` has the shape *(…,
    tokens)*, the result *(…)*. A weight of 0 counts as 0.
    """,
    hints=(
        "Only the last axis is summed. The trouble is ln 0, which is −∞, and 0 · −∞ is nan.",
        "`np.log(np.where(w > 0, w, 1))` is 0 where the weight is 0, since ln 1 = 0.",
    ),
)
def entropy(weights):
    """Entropy of each row in nats."""
    weights = np.asarray(weights, dtype=float)
    logarithms = np.log(weights, where=weights > 0, out=np.zeros_like(weights))
    return -(weights * logarithms).sum(axis=-1)


entropy.wrong("bits", lambda weights: -(weights * np.log2(np.where(weights > 0, weights, 1))).sum(axis=-1))
entropy.wrong("0 times", lambda weights: -(weights * np.log(weights)).sum(axis=-1))
entropy.wrong("shape", lambda weights: entropy(weights).sum())
entropy.wrong("negative", lambda weights: -entropy(weights))
entropy.wrong("columns", lambda weights: -(weights * np.log(np.where(weights > 0, weights, 1))).sum(axis=-2))


@entropy.checker
def _(entropy):
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


@entropy.probed()
def _(entropy, rng):
    weights = np.tril(rng.random((3, 6, 6)) + 0.01)
    return [entropy(weights / weights.sum(axis=-1, keepdims=True)), entropy(random_maps(2, 7, 7, seed=rng))]


@exercise(
    "06.4",
    "Find a head by counting",
    "write",
    task="""
    `weights` has the shape *(layers, heads, tokens, tokens)*. Return `(layer, head)`, counted from 0, of the head that
    gives the largest mean weight to the *previous* token. (The first token has none and is left out of the mean.)
    """,
    hints=(
        "Where in the table is the weight of token *i* on token *i − 1*? Just below the diagonal.",
        "`np.diagonal(weights, offset=-1, axis1=2, axis2=3)` has the shape (layers, heads, tokens − 1); its mean over "
        "the last axis is one number per head. `np.unravel_index` turns the place of the largest into layer and head.",
    ),
)
def previous_token_head(weights):
    """Layer and head that look most at the token before."""
    share = np.diagonal(weights, offset=-1, axis1=2, axis2=3).mean(axis=-1)
    layer, head = np.unravel_index(share.argmax(), share.shape)
    return int(layer), int(head)


@previous_token_head.wrong("next token")
def _(weights):
    share = np.diagonal(weights, offset=1, axis1=2, axis2=3).mean(axis=-1)
    return np.unravel_index(share.argmax(), share.shape)


@previous_token_head.wrong("itself")
def _(weights):
    share = np.diagonal(weights, axis1=2, axis2=3).mean(axis=-1)
    return np.unravel_index(share.argmax(), share.shape)


@previous_token_head.wrong("two numbers")
def _(weights):
    return np.diagonal(weights, offset=-1, axis1=2, axis2=3).mean(axis=-1).argmax()


previous_token_head.wrong("swapped", lambda weights: previous_token_head(weights)[::-1])


@previous_token_head.checker
def _(find):
    for seed in range(3):
        maps = np.stack([random_maps(4, 7, 7, seed=seed * 10 + layer) for layer in range(5)])
        rows = np.arange(7)
        for layer, head, shift in ((4, 1, -1), (2, 3, 1), (0, 2, 0)):  # heads for previous, next and the same token
            maps[layer, head] *= 0.1
            maps[layer, head, rows, np.clip(rows + shift, 0, 6)] += 0.9
        given = np.roll(maps, seed, axis=1)
        answer = np.asarray(find(given))
        if answer.shape != (2,):
            raise Wrong(f"Return two numbers, layer and head; yours is {answer.tolist()}.")
        found = tuple(int(number) for number in answer)
        right, after, same = ((layer, (head + seed) % 4) for layer, head in ((4, 1), (2, 3), (0, 2)))
        if found == right:
            continue
        if found == after:
            raise Wrong(
                "That head looks at the next token. Rows look at columns: the previous one is below the diagonal."
            )
        if found == same:
            raise Wrong("That head looks at the token itself: it is the diagonal, without an offset.")
        if found == right[::-1]:
            raise Wrong("Layer and head are swapped.")
        raise Wrong(f"For these maps of 5 layers with 4 heads, it is not {found}.")
    return "Counting finds what eyes find, and also says how much, and on how many texts."


@previous_token_head.probed()
def _(find, rng):
    return [find(random_maps(*rng.integers(3, 7, 2), 8, 8, seed=rng)) for _ in range(6)]


@exercise(
    "06.5",
    "From pieces to words",
    "write",
    task="""
    `weights` has the shape *(tokens, tokens)*; `words` says which word each token is a piece of, such as `[0, 1, 1,
    2]`. Return the weights from word to word: attention *to* a word is the sum over its pieces, attention *from* a word
    the mean over its pieces.
    """,
    hints=(
        "Columns first: add up the columns of the same word. Then rows: take their mean.",
        "Make a table `member` of shape (words, tokens) that is True where a token belongs to a word. `weights @ "
        "member.T` adds up columns, `member @ ...` adds up rows; divide these by the number of pieces.",
    ),
)
def to_words(weights, words):
    """Attention from word to word; rows still sum to 1."""
    member = np.asarray(words) == np.arange(max(words) + 1)[:, None]  # (words, tokens)
    to = np.asarray(weights) @ member.T
    return member @ to / member.sum(axis=1, keepdims=True)


@to_words.wrong("sum to more than 1")
def _(weights, words):
    member = np.asarray(words) == np.arange(max(words) + 1)[:, None]
    return member @ weights @ member.T


@to_words.wrong("mean in both directions")
def _(weights, words):
    member = np.asarray(words) == np.arange(max(words) + 1)[:, None]
    mean = member / member.sum(axis=1, keepdims=True)
    return mean @ weights @ mean.T


@to_words.wrong("first piece")
def _(weights, words):
    first = np.unique(words, return_index=True)[1]
    return weights[np.ix_(first, first)]


@to_words.checker
def _(to_words):
    for words in ([0, 1, 1, 2], [0, 0, 0, 1, 2, 2], [0, 1, 2]):
        weights = random_maps(1, len(words), len(words), seed=len(words))[0]
        member = (np.array(words) == np.arange(max(words) + 1)[:, None]).astype(float)
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


@to_words.probed()
def _(to_words, rng):
    texts = [np.repeat(range(6), [1, 3, *rng.integers(1, 4, 4)]).tolist() for _ in range(3)]
    return [to_words(random_maps(len(words), len(words), seed=rng), words) for words in texts]


@exercise(
    "06.6",
    "How much has moved?",
    "investigate",
    task="""
    Two maps of the same text, before and after some change, each of shape *(heads, tokens, tokens)*. Return the share
    of attention that moved, one number from 0 to 1: half the sum of a row's absolute differences, averaged over heads
    and rows.
    """,
    hints=(
        "What leaves one column of a row arrives in others, so a sum of absolute differences counts it twice.",
        "Sum over the last axis first, take half, then the mean of all rows of all heads.",
    ),
)
def moved(before, after):
    """Share of the attention that moved."""
    return (np.abs(np.asarray(after) - np.asarray(before)).sum(axis=-1) / 2).mean()


moved.wrong("twice", lambda before, after: np.abs(after - before).sum(axis=-1).mean())
moved.wrong("cancel", lambda before, after: (after - before).sum(axis=-1).mean() / 2)
moved.wrong("over the columns as well", lambda before, after: np.abs(after - before).mean() / 2)


@moved.checker
def _(moved):
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


@moved.probed()
def _(moved, rng):
    return [moved(*random_maps(2, heads, tokens, tokens, seed=rng)) for heads, tokens in rng.integers(2, 9, (4, 2))]


@exercise(
    "06.7",
    "Where it looks and what it moves",
    "investigate",
    task="""
    In your own model and for the lesson's text: for which head do the weights mislead most about the first token?
    `weights` and `norms` have the shape *(layers, heads, tokens, tokens)*. Compute for each head the mean over rows of
    the first token's share of the weight, and of its share of what is moved (each row of the norms divided by its sum).
    Give the two tables, shape *(layers, heads)*, and layer and head with the largest difference, weight minus moved.
    """,
    hints=(
        "Rows of `weights` sum to 1 already, rows of `norms` do not. The first token is the first *column*.",
        "`looked = weights[..., 0].mean(axis=-1)`; for `moved`, divide `norms` by `norms.sum(axis=-1, keepdims=True)` "
        "first. `np.unravel_index` turns the place of the largest difference into layer and head.",
    ),
    call="maps.weights, norms, looked, moved_share, found",
)
def misleading_head(*, maps, norms):
    looked = maps.weights[..., 0].mean(axis=-1)  # answer
    moved_share = (norms[..., 0] / norms.sum(axis=-1)).mean(axis=-1)  # answer
    found = np.unravel_index((looked - moved_share).argmax(), looked.shape)  # answer
    return maps.weights, norms, looked, moved_share, found


_MAPS = SimpleNamespace(weights=random_maps(2, 3, 5, 5, seed=3))
_WEIGHTS, _NORMS, _LOOKED, _SHARE, _FOUND = misleading_head(
    maps=_MAPS, norms=_MAPS.weights * np.random.default_rng(4).uniform(0.1, 3, (2, 3, 1, 5))
)
misleading_head.wrong("first row", _WEIGHTS, _NORMS, _WEIGHTS[:, :, 0].mean(axis=-1), _SHARE, _FOUND)
misleading_head.wrong("divided by its sum", _WEIGHTS, _NORMS, _LOOKED, _NORMS[..., 0].mean(axis=-1), _FOUND)
misleading_head.wrong(
    "turned around", _WEIGHTS, _NORMS, _LOOKED, _SHARE, np.unravel_index((_SHARE - _LOOKED).argmax(), _LOOKED.shape)
)


@misleading_head.checker
def _(weights, norms, looked, share, found):
    weights, norms = np.asarray(weights, dtype=float), np.asarray(norms, dtype=float)
    if weights.ndim != 4 or weights.shape != norms.shape:
        raise Wrong("Hand over the weights and norms of the lesson as they are.")
    right = weights[..., 0].mean(axis=-1), (norms[..., 0] / norms.sum(axis=-1)).mean(axis=-1)
    looked, share = (array_of(one, right[0].shape, "Each table") for one in (looked, share))
    difference = right[0] - right[1]
    largest = np.unravel_index(difference.argmax(), difference.shape)
    given = tuple(np.asarray(found, dtype=int).ravel().tolist())
    refuse(
        (np.allclose(looked, weights[:, :, 0].mean(axis=-1)), "That is the first row: where the first token looks."),
        (not np.allclose(looked, right[0], atol=1e-5), "The first token's share of the weight is not right."),
        (np.allclose(share, norms[..., 0].mean(axis=-1)), "A share: each row of the norms is divided by its sum."),
        (not np.allclose(share, right[1], atol=1e-5), "The first token's share of what is moved is not right."),
        (given == np.unravel_index(difference.argmin(), difference.shape), "The difference is turned around."),
        (given != largest, f"Head {given} does not have the largest difference."),
    )
    return f"Head {given}: {right[0][largest]:.2f} of the weight and {right[1][largest]:.2f} of what is moved."
