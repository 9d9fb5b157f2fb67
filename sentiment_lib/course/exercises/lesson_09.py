"""Exercises of lesson 09."""

from __future__ import annotations

import numpy as np
import pandas as pd

from .checking import array_of, number_of, refuse
from .exercise import Wrong, exercise


@exercise(
    "09.1",
    "How thin is an adapter?",
    "predict",
    task="""
    A BERT with 6 layers and hidden size 384 gets LoRA of rank {rank} on the projections of queries and values, each a
    matrix of 384 × 384. How many numbers do the adapters have in all? What share is that of the 22.7 million parameters
    of the model? And by what factor does their number grow with rank {larger}?
    """,
    hints=(
        "A matrix gets the product of two thin ones: 384 × 8 and 8 × 384. How many matrices are adapted?",
        "Each adapted matrix adds 2 · 8 · 384 numbers, and there are 6 · 2 of them.",
    ),
)
def adapter_size(*, rank=8, larger=32):
    numbers = 6 * 2 * 2 * rank * 384  # answer
    share = numbers / 22_700_000  # answer
    factor = larger / rank  # answer
    return numbers, share, factor


def _adapter(n, numbers=1.0, share=1.0, factor=1.0):
    """The right values times these factors."""
    right = adapter_size.function(**vars(n))
    return tuple(value * times for value, times in zip(right, (numbers, share, factor), strict=True))


adapter_size.wrong("two matrices per layer", lambda n: _adapter(n, numbers=0.5, share=0.5))
adapter_size.wrong("Adapters are", lambda n: _adapter(n, numbers=192 / n.rank, share=192 / n.rank))
adapter_size.wrong("not a percentage", lambda n: _adapter(n, share=100))
adapter_size.wrong("grows in proportion", lambda n: _adapter(n, factor=n.larger / n.rank))


@adapter_size.varied
def _(rng):
    rank = rng.integers(9, 30)
    return {"rank": rank, "larger": rank * rng.choice([3, 5, 6])}


@adapter_size.checker
def _(numbers, share, factor, n):
    numbers, share, factor = (number_of(one, "Each answer") for one in (numbers, share, factor))
    right, right_share, right_factor = _adapter(n)
    refuse(
        (
            np.isclose(numbers, 6 * 2 * 384 * 384),
            "That is the size of the adapted matrices. Adapters are the thin ones.",
        ),
        (numbers == right / 2, "Queries and values are two matrices per layer, and each gets two thin ones."),
        (numbers != right, f"The adapters do not have {numbers:,.0f} numbers."),
        (np.isclose(share, 100 * right_share, rtol=0.03), "A share, please, and not a percentage."),
        (not np.isclose(share, right_share, rtol=0.02), f"The share is not {share}."),
        (factor != right_factor, f"Not {factor:g}: the number grows in proportion to the rank."),
    )
    return f"That is {right_share:.2%}. The record of this lesson also trains the pooler and the classifier."


@exercise(
    "09.2",
    "Merge an adapter",
    "write",
    task="""
    After training, LoRA's matrices can be added to the weights, so that prediction costs nothing extra. `weight` has
    the shape *(out, in)*, `down` *(rank, in)* and `up` *(out, rank)*; the layer computes *W x + (alpha / rank) · up ·
    down · x*. Return the merged weight. Do not change `weight` itself.
    """,
    hints=(
        "Which product of the two thin matrices has the shape of `weight`?",
        "`weight + alpha / rank * up @ down`, with the rank from a shape. `+=` would change `weight`.",
    ),
)
def merged(weight, down, up, alpha):
    """The weight with its adapter added."""
    return weight + alpha / down.shape[0] * up @ down


merged.wrong("divided by the rank", lambda weight, down, up, alpha: weight + alpha * up @ down)
merged.wrong("factor of alpha", lambda weight, down, up, alpha: weight + up @ down)
merged.wrong("instead of adding", lambda weight, down, up, alpha: alpha / down.shape[0] * up @ down)


@merged.wrong("has changed")
def _(weight, down, up, alpha):
    weight += alpha / down.shape[0] * up @ down
    return weight


@merged.checker
def _(merged):
    rng = np.random.default_rng(9)
    for out, into, rank, alpha in ((5, 7, 2, 4.0), (6, 3, 1, 3.0)):
        weight, down, up = rng.normal(size=(out, into)), rng.normal(size=(rank, into)), rng.normal(size=(out, rank))
        kept = weight.copy()
        found = array_of(merged(weight, down, up, alpha), weight.shape, "The merged weight")
        product = up @ down
        refuse(
            (not np.array_equal(weight, kept), "The weight that was handed over has changed."),
            (np.allclose(found, kept + alpha * product) and rank > 1, "alpha is divided by the rank."),
            (np.allclose(found, kept + product), "The factor of alpha is missing."),
            (np.allclose(found, alpha / rank * product), "That is the adapter instead of adding it to the weight."),
            (not np.allclose(found, kept + alpha / rank * product), "That is not the merged weight."),
        )
    return "Merged, it is a model like any other: fast, but no longer one body with many small adapters."


@merged.probed()
def _(merged, rng):
    out, into, rank = rng.integers(2, 9, 3)
    weight, down, up = rng.normal(size=(out, into)), rng.normal(size=(rank, into)), rng.normal(size=(out, rank))
    return merged(weight, down, up, rng.uniform(2, 9)), weight


@exercise(
    "09.3",
    "Weights as small integers",
    "write",
    task="""
    Write symmetric int8 quantisation per row. `weight` has the shape *(out, in)*. Each row gets a scale: its largest
    absolute value divided by 127. Return `(integers, scales)`: rounded whole numbers from −127 to 127 as `np.int8`, and
    the scales, shape *(out, 1)*, so that `integers * scales` is close to the weight. A row of zeros gets the scale 1.
    """,
    hints=(
        "Where would you divide by zero? And when does rounding come: before or after dividing by the scale?",
        "`np.abs(weight).max(axis=1, keepdims=True) / 127`, `np.where(scales == 0, 1, scales)`, then `np.rint`.",
    ),
)
def quantised(weight):
    """Whole numbers of one byte, and one scale per row."""
    scales = np.abs(weight).max(axis=1, keepdims=True) / 127
    scales = np.where(scales == 0, 1.0, scales)
    return np.rint(weight / scales).astype(np.int8), scales


@quantised.wrong("one scale for all")
def _(weight):
    scale = max(np.abs(weight).max() / 127, 1e-12)
    return np.rint(weight / scale).astype(np.int8), np.full((len(weight), 1), scale)


@quantised.wrong("cut off")
def _(weight):
    _, scales = quantised(weight)
    return (weight / scales).astype(np.int8), scales


@quantised.wrong("row of zeros")
def _(weight):
    with np.errstate(all="ignore"):
        scales = np.abs(weight).max(axis=1, keepdims=True) / 127
        return np.nan_to_num(np.rint(weight / scales)).astype(np.int8), scales


@quantised.wrong("np.int8")
def _(weight):
    integers, scales = quantised(weight)
    return integers.astype(float), scales


@quantised.checker
def _(quantised):
    weight = np.random.default_rng(3).normal(0, 1, (4, 9)) * np.array([[0.01], [1], [30], [0]])
    integers, scales = quantised(weight.copy())
    integers, scales = np.asarray(integers), array_of(scales, (4, 1), "The scales")
    largest = np.abs(weight).max(axis=1, keepdims=True) / 127
    refuse(
        (integers.shape != weight.shape, f"The integers should have the shape {weight.shape}."),
        (integers.dtype != np.int8, "The integers should be of type np.int8: one byte each."),
        (np.ptp(scales) == 0, "That is one scale for all rows: small rows lose nearly everything."),
        (scales[3, 0] != 1, "A row of zeros should get the scale 1."),
        (not np.allclose(scales[:3], largest[:3]), "A scale is the row's largest absolute value, divided by 127."),
    )
    error = np.abs(integers * scales - weight) / scales
    refuse(
        (0.5001 < error.max() < 1, "The numbers are cut off. Round to the nearest whole number."),
        (error.max() > 0.5001, "integers * scales is not close to the weight."),
    )
    return "At most half a step is lost. What that does to predictions, only your own texts can tell."


@quantised.probed()
def _(quantised, rng):
    weight = rng.normal(size=(5, 8)) * rng.permutation([0.01, 0.5, 2, 40, 0])[:, None]
    integers, scales = quantised(weight)
    return np.asarray(integers).dtype.name, integers, scales


@exercise(
    "09.4",
    "Has it read this review?",
    "write",
    task="""
    A language model got the beginning of a review and continued it. How much of the true rest did it repeat word by
    word? Return the length of the longest run of words that both share, in the same order without a gap, divided by the
    number of words of the true rest. Split at white space; case counts. An empty rest gives 0.
    """,
    hints=(
        "A run is made of neighbours in both texts. Compare every start in one text with every start in the other.",
        "`difflib.SequenceMatcher(None, a, b, autojunk=False).find_longest_match()` on two lists of words has `.size`.",
    ),
)
def repeated(rest, continuation):
    """Share of the rest that the longest common run of words covers."""
    from difflib import SequenceMatcher

    true, given = rest.split(), continuation.split()
    if not true:
        return 0.0
    return SequenceMatcher(None, true, given, autojunk=False).find_longest_match().size / len(true)


@repeated.wrong("whatever their order")
def _(rest, continuation):
    true, given = rest.split(), continuation.split()
    return len(set(true) & set(given)) / len(true) if true else 0.0


@repeated.wrong("letters")
def _(rest, continuation):
    from difflib import SequenceMatcher

    return SequenceMatcher(None, rest, continuation).find_longest_match().size / max(1, len(rest))


@repeated.wrong("from the beginning only")
def _(rest, continuation):
    true, given = rest.split(), continuation.split()
    same = [a == b for a, b in zip(true, given, strict=False)]
    return [*same, False].index(False) / len(true) if true else 0.0


@repeated.wrong("number of words of the true rest")
def _(rest, continuation):
    return repeated(continuation, rest)


@repeated.checker
def _(repeated):
    from difflib import SequenceMatcher

    cases = [
        ("and I laughed until the end of it", "well , I laughed until the lights went on again in there"),
        ("a dull film with a dull end", "end dull film dull"),
        ("", "nothing to repeat"),
        ("one two three four", "one two three four"),
    ]
    for rest, continuation in cases:
        true, given = rest.split(), continuation.split()
        longest = SequenceMatcher(None, true, given, autojunk=False).find_longest_match().size
        right = longest / len(true) if true else 0.0
        found = number_of(repeated(rest, continuation), "The share")
        if np.isclose(found, right):
            continue
        letters = SequenceMatcher(None, rest, continuation).find_longest_match().size / max(1, len(rest))
        refuse(
            (not true, "An empty rest gives 0."),
            (np.isclose(found, len(set(true) & set(given)) / len(true)), "You count words whatever their order."),
            (np.isclose(found, letters), "You compare letters. A run is made of words."),
            (np.isclose(found, longest / len(given)), "Divide by the number of words of the true rest."),
            (found == 0, "Runs count wherever they begin; yours are looked for from the beginning only."),
            (True, f"For {rest!r} and {continuation!r} it is not {found:.3f}."),
        )
    return "A long run proves that the text was read. A short one proves nothing."


@repeated.probed()
def _(repeated, rng):
    words = [f"w{number}" for number in rng.permutation(1000)[:6]]
    texts = [[" ".join(rng.choice(words, count)) for count in (0, *rng.integers(5, 16, 4))] for _ in range(2)]
    return [repeated(rest, continuation) for rest, continuation in zip(texts[0], texts[1][::-1], strict=True)]


@exercise(
    "09.5",
    "Which rows can you compare with?",
    "investigate",
    task="""
    Your run has an accuracy, and the table of published results has many. Which rows were measured on the *same test
    reviews* as yours? An equal number is not enough: remarks say who drew test reviews of their own. Give the source
    of your run, your number of test reviews, and the rows of `published` that you may compare with, as a table (perhaps
    an empty one).
    """,
    hints=(
        "The published numbers are about IMDB. What is `settings.source`? And which rows used the whole test split?",
        "Rows qualify if your source is IMDB and both of you used all 25,000 test reviews. For any other source, no "
        "row does: `published[[False] * len(published)]`.",
    ),
)
def comparable(*, settings, metrics, published):
    source = settings.source  # answer
    tested = metrics["test"]["examples"]  # answer
    rows = published[(published["test reviews"] == 25_000) & (source == "imdb") & (tested == 25_000)]  # answer
    return source, tested, rows


def _rows(*tests):
    return pd.DataFrame({"test reviews": tests})


comparable.wrong("tested on others", "snippets", 1902, _rows(25000, 10000))
comparable.wrong("all of IMDB's test split", "imdb", 25000, _rows(25000, 10000))
comparable.wrong("a part of the split", "imdb", 10000, _rows(10000))
comparable.wrong("No row is left", "imdb", 25000, _rows())


@comparable.checker
def _(source, tested, rows):
    if not isinstance(source, str) or "test reviews" not in getattr(rows, "columns", ()):
        raise Wrong("Give the name of the source, a number, and rows of the table published.")
    tested = number_of(tested, "The number of test reviews")
    counts = np.asarray(rows["test reviews"], dtype=float)
    refuse(
        (
            source != "imdb" and len(rows),
            "The published rows are about IMDB; your model was tested on others.",
        ),
        (
            source == "imdb" and tested == 25_000 and (counts != tested).any(),
            "Some rows were not measured on all of IMDB's test split.",
        ),
        (
            source == "imdb" and tested != 25_000 and len(rows),
            "Your test reviews are a part of the split, and not theirs.",
        ),
        (source == "imdb" and tested == 25_000 and not len(rows), "No row is left, but some used your test reviews."),
    )
    if source != "imdb":
        return "None. Accuracies on other reviews say nothing about yours: sentences are harder than long reviews."
    return f"{len(rows)} rows. Of these, read what else differs: tokens, epochs, and who saw the test reviews."
