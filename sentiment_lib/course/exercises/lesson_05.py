"""Exercises of lesson 05."""

from __future__ import annotations

import numpy as np

from .checking import number_of, refuse
from .exercise import Wrong, exercise


@exercise(
    "05.1",
    "A shortcut, by label",
    "predict",
    task="""
    A model calls every sentence with a negation negative and makes no other mistake. A behavioural test has
    {praise} cases of negated praise (*not good*, negative), {blame} of negated blame (*not bad*, positive) and {plain}
    without any negation. Predict its failure rate on negated praise, on negated blame, and on all cases.
    """,
    hints=(
        "Which of the two kinds of negated sentences does the shortcut get right, and why?",
        "It never fails on what is negative with a negation and always on what is positive with one. Count the "
        "failures among all cases.",
    ),
)
def shortcut_rates(*, praise=40, blame=40, plain=20):
    negated_praise = 0.0  # answer
    negated_blame = 1.0  # answer
    all_cases = blame / (praise + blame + plain)  # answer
    return negated_praise, negated_blame, all_cases


def _of_all(n, *failed):
    return sum(failed) / (n.praise + n.blame + n.plain)


shortcut_rates.wrong("swapped", lambda n: (1.0, 0.0, _of_all(n, n.blame)))
shortcut_rates.wrong("accuracy", lambda n: (1.0, 0.0, _of_all(n, n.praise, n.plain)))
shortcut_rates.wrong("of all negated", lambda n: (0.0, 1.0, n.blame / (n.praise + n.blame)))
shortcut_rates.wrong("both kinds", lambda n: (1.0, 1.0, _of_all(n, n.praise, n.blame)))


@shortcut_rates.varied
def _(rng):
    return {"praise": rng.integers(50, 70), "blame": rng.integers(25, 45), "plain": rng.integers(10, 20)}


@shortcut_rates.checker
def _(praise, blame, everything, n):
    praise, blame = number_of(praise, "negated_praise"), number_of(blame, "negated_blame")
    everything = number_of(everything, "all_cases")
    accuracy, of_negated = _of_all(n, n.praise, n.plain), n.blame / (n.praise + n.blame)
    refuse(
        (np.isclose(everything, accuracy, atol=0.002), "That is the accuracy. A failure rate counts what is wrong."),
        (praise == blame == 1, "It does not fail on both kinds: one of them is negative, as the shortcut says."),
        (praise == 1 and blame == 0, "They are swapped: negated praise is negative, and so says the shortcut."),
        (praise != 0, f"On negated praise the rate is not {praise:g}. What does the model answer, and what is right?"),
        (blame != 1, f"On negated blame the rate is not {blame:g}. What does the model answer, and what is right?"),
        (
            np.isclose(everything, of_negated, atol=0.002),
            f"That is the rate of all negated cases; {n.plain} cases have no negation.",
        ),
        (
            not np.isclose(everything, _of_all(n, n.blame), atol=0.002),
            f"On all cases the rate is not {everything:g}. Count the failures.",
        ),
    )
    return "On the first row alone, this model understands negation perfectly."


@exercise(
    "05.2",
    "The worst slice by luck",
    "write",
    task="""
    A model has the same accuracy on every kind of review. You look at slices with `sizes` reviews each (an array of
    whole numbers; slices do not overlap) and notice the worst one. Simulate `draws` such tables with random numbers
    that depend on `seed` only. Return the lowest slice accuracy that is still ordinary: in 5 % of the tables the worst
    slice is below it.
    """,
    hints=(
        "How many of a slice's reviews are right by luck? `rng.binomial(sizes, accuracy)` draws a whole table.",
        "With `size=(draws, len(sizes))` it draws all tables. Divide by `sizes`, take the minimum of each table, then "
        "`np.quantile(worst, 0.05)`.",
    ),
)
def worst_by_luck(accuracy, sizes, draws=2000, seed=0):
    """The 5 % quantile of the worst slice's accuracy if nothing differs."""
    rng = np.random.default_rng(seed)
    right = rng.binomial(sizes, accuracy, size=(draws, len(sizes)))
    worst = (right / sizes).min(axis=1)
    return np.quantile(worst, 0.05)


def _tables(accuracy, sizes, draws=2000, seed=0):
    return np.random.default_rng(seed).binomial(sizes, accuracy, size=(draws, len(sizes))) / sizes


worst_by_luck.wrong("a single slice", lambda p, sizes, **luck: np.quantile(_tables(p, sizes[:1], **luck), 0.05))
worst_by_luck.wrong("on average", lambda *given, **luck: _tables(*given, **luck).min(axis=1).mean())
worst_by_luck.wrong(
    "the mean over the slices", lambda *given, **luck: np.quantile(_tables(*given, **luck).mean(axis=1), 0.05)
)
worst_by_luck.wrong("The same seed", lambda *given, **luck: worst_by_luck(*given, **luck | {"seed": None}))


@worst_by_luck.checker
def _(worst):
    for accuracy, given in ((0.85, [100] * 30), (0.7, [100, 40, 400]), (0.9, [80])):
        sizes = np.array(given)
        found = number_of(worst(accuracy, sizes), "The result")
        shares = np.random.default_rng(9).binomial(sizes, accuracy, size=(20_000, len(sizes))) / sizes
        lowest = shares.min(axis=1)
        low, right, high = np.quantile(lowest, [0.03, 0.05, 0.07])
        if low - 1e-9 <= found <= high + 1e-9 or abs(found - right) < 0.012:
            continue
        one, everything = np.quantile(shares[:, 0], 0.05), np.quantile(shares.mean(axis=1), 0.05)
        where = f"For an accuracy of {accuracy} and {len(sizes)} slices"
        refuse(
            (abs(found - everything) < 0.01, "That is the mean over the slices of a table, not the worst of them."),
            (abs(found - lowest.mean()) < 0.01, "That is the worst slice on average. Every second table has a worse."),
            (abs(found - one) < 0.012, "That is what a single slice does. The worst of many lies lower."),
            (True, f"{where}, the limit is not {found:.3f}."),
        )
    sizes = np.array([9973] * 12)
    if worst(0.85, sizes, draws=20, seed=3) != worst(0.85, sizes, draws=20, seed=3):
        raise Wrong("The same seed gives another result the second time. Make the random numbers from `seed`.")
    return "With twelve slices of 50 reviews, a slice at 0.70 is ordinary, although nothing differs."


@worst_by_luck.probed(within=0.012)
def _(worst, rng):
    low = worst(rng.uniform(0.65, 0.9), rng.integers(80, 300, 25), draws=5000, seed=int(rng.integers(999)))
    sizes, seed = rng.integers(9000, 9999, 12), int(rng.integers(999))
    return low, len({float(worst(0.8, sizes, draws=20, seed=seed)) for _ in range(3)})


@exercise(
    "05.3",
    "Confident learning",
    "write",
    task="""
    Write the list of suspicious labels. `labels` are 0 or 1, `probabilities` those of label 1 by models that did not
    learn from the review itself. First, how sure is the model usually? For each label, take the mean probability that
    it gives to this label over the reviews that have it. A review is suspicious if the probability of the *other* label
    is above one half and at least the usual one of that other label. Return the positions of the suspicious reviews,
    in any order.
    """,
    hints=(
        "There are two means: that of `probabilities` over the reviews of label 1, and of `1 - probabilities` over "
        "those of label 0.",
        "A review of label 0 is suspicious if `probabilities` is at least the first mean. A review of label 1 is if "
        "`1 - probabilities` is at least the second. `np.flatnonzero` gives positions.",
    ),
)
def wrong_labels(labels, probabilities):
    """Positions of reviews whose label is suspicious."""
    usual_1 = probabilities[labels == 1].mean()
    usual_0 = (1 - probabilities[labels == 0]).mean()
    listed_0 = (labels == 0) & (probabilities > 0.5) & (probabilities >= usual_1)
    listed_1 = (labels == 1) & (probabilities < 0.5) & (1 - probabilities >= usual_0)
    return np.flatnonzero(listed_0 | listed_1)


@wrong_labels.wrong("every mistake")
def _(labels, probabilities):
    return np.flatnonzero((probabilities >= 0.5) != (labels == 1))


@wrong_labels.wrong("of their own label")
def _(labels, probabilities):
    usual_1, usual_0 = probabilities[labels == 1].mean(), (1 - probabilities[labels == 0]).mean()
    return np.flatnonzero(np.where(labels == 0, 1 - probabilities < usual_0, probabilities < usual_1))


@wrong_labels.wrong("one mean for both")
def _(labels, probabilities):
    usual = np.where(labels == 1, probabilities, 1 - probabilities).mean()
    other = np.where(labels == 1, 1 - probabilities, probabilities)
    return np.flatnonzero((other >= usual) & (other > 0.5))


@wrong_labels.wrong("array of bool")
def _(labels, probabilities):
    found = np.zeros(len(labels), dtype=bool)
    found[wrong_labels(labels, probabilities)] = True
    return found


@wrong_labels.checker
def _(wrong_labels):
    from ...evaluation.label_quality import label_issues

    for seed, lean in ((0, 0.9), (1, 0.0), (2, -0.8)):
        rng = np.random.default_rng(seed)
        truth = rng.integers(0, 2, 300)
        labels = np.where(rng.random(300) < 0.08, 1 - truth, truth)
        probabilities = 1 / (1 + np.exp(-(3 * truth - 1.5 + lean + rng.normal(0, 1.2, 300))))
        answer = np.asarray(wrong_labels(labels, probabilities))
        if answer.dtype == bool:
            raise Wrong("That is an array of bool. Return positions, such as np.flatnonzero makes.")
        found, right = set(answer.tolist()), set(label_issues(labels, probabilities).tolist())
        if found == right:
            continue
        usual_1, usual_0 = probabilities[labels == 1].mean(), (1 - probabilities[labels == 0]).mean()
        other = np.where(labels == 1, 1 - probabilities, probabilities)
        usual = np.where(labels == 1, probabilities, 1 - probabilities).mean()
        own = np.where(labels == 0, 1 - probabilities < usual_0, probabilities < usual_1)
        refuse(
            (found == set(np.flatnonzero(other > 0.5)), "That lists every mistake of the model, the unsure ones, too."),
            (found == set(np.flatnonzero(own)), "That looks how unsure it is of their own label. Look at the other."),
            (
                found == set(np.flatnonzero((other >= usual) & (other > 0.5))),
                "You use one mean for both labels. The model may be surer of one label than of the other.",
            ),
            (found - right, f"{len(found - right)} reviews are on your list that should not be."),
            (True, f"{len(right - found)} reviews are missing on your list."),
        )
    return "A model that leans to one label gets two limits, so it does not accuse the reviews of the other one."


@wrong_labels.probed()
def _(wrong_labels, rng):
    truth, lean = rng.integers(0, 2, 300), rng.uniform(0.4, 1) * rng.choice([-1, 1])
    labels = np.where(rng.random(300) < 0.1, 1 - truth, truth)
    return np.sort(wrong_labels(labels, 1 / (1 + np.exp(1.5 - 3 * truth - lean - rng.normal(0, 1.2, 300)))))


@exercise(
    "05.4",
    "Both of a pair",
    "write",
    task="""
    A contrast set has pairs of reviews: an original, and a revision with the opposite label. `labels` has the labels
    (0 or 1) of the originals; `original` and `revised` are the model's probabilities of positive. Return three
    shares: of the originals that are right, of the revisions that are right, and of the pairs that are right on both.
    A review is called positive from one half on.
    """,
    hints=(
        "What is the label of a revision? Make two arrays of bool first: right on the original, right on the revision.",
        "`first = (original >= 0.5) == (labels == 1)`, `second = (revised >= 0.5) == (labels == 0)`. Both: `&`.",
    ),
)
def pair_shares(labels, original, revised):
    """Accuracy on originals, on revisions, and on whole pairs."""
    first = (original >= 0.5) == (labels == 1)
    second = (revised >= 0.5) == (labels == 0)
    return first.mean(), second.mean(), (first & second).mean()


@pair_shares.wrong("opposite label")
def _(labels, original, revised):
    first, second = ((side >= 0.5) == (labels == 1) for side in (original, revised))
    return first.mean(), second.mean(), (first & second).mean()


@pair_shares.wrong("product")
def _(labels, original, revised):
    first, second, _ = pair_shares(labels, original, revised)
    return first, second, first * second


@pair_shares.wrong("answers differ")
def _(labels, original, revised):
    first, second, _ = pair_shares(labels, original, revised)
    return first, second, ((original >= 0.5) != (revised >= 0.5)).mean()


@pair_shares.wrong("mean of the two")
def _(labels, original, revised):
    first, second, _ = pair_shares(labels, original, revised)
    return first, second, (first + second) / 2


@pair_shares.checker
def _(shares):
    for seed in range(3):
        rng = np.random.default_rng(seed)
        labels = rng.integers(0, 2, 90)
        original = np.clip(0.5 + (labels - 0.5) * 0.7 + rng.normal(0, 0.25, 90), 0, 1)
        revised = np.clip(0.5 - (labels - 0.5) * 0.3 + rng.normal(0, 0.25, 90), 0, 1)
        original[0], revised[0] = 0.5, 0.5
        found = tuple(number_of(one, "Each share") for one in shares(labels, original, revised))
        first, second = (original >= 0.5) == (labels == 1), (revised >= 0.5) == (labels == 0)
        right = first.mean(), second.mean(), (first & second).mean()
        if len(found) == 3 and np.allclose(found, right):
            continue
        if len(found) != 3:
            raise Wrong("It must return three shares.")
        differ = ((original >= 0.5) != (revised >= 0.5)).mean()
        refuse(
            (np.isclose(found[1], 1 - second.mean()), "A revision has the opposite label of its original."),
            (not np.isclose(found[0], right[0]), f"The share of right originals is not {found[0]:.3f}."),
            (not np.isclose(found[1], right[1]), f"The share of right revisions is not {found[1]:.3f}."),
            (np.isclose(found[2], right[0] * right[1]), "That is the product of the two: count the pairs instead."),
            (np.isclose(found[2], differ), "That counts where the answers differ. Both may be wrong there."),
            (np.isclose(found[2], (right[0] + right[1]) / 2), "That is the mean of the two shares."),
            (True, f"The share of pairs that are right on both is not {found[2]:.3f}."),
        )
    return "A model with 0.92 and 0.76 may be right on both texts of anything from 0.68 to 0.76 of the pairs."


@pair_shares.probed()
def _(shares, rng):
    labels, luck = rng.integers(0, 2, (4, 90)), rng.random((2, 4, 90)).round(1)
    return [shares(*given) for given in zip(labels, 0.6 * luck[0] + 0.4 * labels, luck[1], strict=True)]


@exercise(
    "05.5",
    "Turn your own model around",
    "investigate",
    task="""
    Find one addition that turns the model of your run around: put in front of these five sentences, it must make the
    model call at least three of them negative, although a reader still calls all of them positive. At most seven words,
    and none that VADER's lexicon rates at −2 or below. Predict first: what has this lesson found that the model often
    takes for blame?
    """,
    hints=(
        "The model often takes a negation for blame. What would an enthusiast deny?",
        "*There is no* … *Nothing here is* …: deny something that only a bad film would be.",
    ),
)
def turn_around(*, classifier):
    positive = [
        "The film is wonderful.",
        "I enjoyed it.",
        "It is a good comedy.",
        "She plays very well.",
        "A fine story.",
    ]
    addition = "Nothing here is routine or dull."  # answer
    answers = classifier.predict([f"{addition} {text}" for text in positive])  # answer
    return addition, answers


turn_around.wrong("words", "You will not be sorry that you went to see it.", [0.1, 0.2, 0.2, 0.1, 0.3])
turn_around.wrong("'awful'", "Not awful at all.", [0.1, 0.2, 0.2, 0.1, 0.3])
turn_around.wrong("only 2 of them", "I will not forget it.", [0.9, 0.2, 0.6, 0.4, 0.8])
turn_around.wrong("five probabilities", "I will not forget it.", [0.2, 0.4])
turn_around.wrong("adds nothing", " ", [0.9, 0.9, 0.9, 0.8, 0.9])


@turn_around.checker
def _(addition, probabilities):
    from vaderSentiment.vaderSentiment import SentimentIntensityAnalyzer

    if not isinstance(addition, str):
        raise Wrong(f"The addition should be a string; yours is of type {type(addition).__name__}.")
    probabilities = np.asarray(probabilities, dtype=float)
    words = addition.split()
    lexicon = SentimentIntensityAnalyzer().lexicon
    blame = [word for word in words if lexicon.get(word.strip(".,;:!?'\"").lower(), 0) <= -2]
    negative = int((probabilities < 0.5).sum())
    refuse(
        (not words, "It adds nothing."),
        (len(words) > 7, f"It has {len(words)} words. Seven are enough."),
        (
            blame,
            f"{blame[0] if blame else ''!r} is a word of blame in VADER's lexicon. The model may well react to it.",
        ),
        (probabilities.shape != (5,), "There should be five probabilities, one for each sentence."),
        (not ((probabilities >= 0) & (probabilities <= 1)).all(), "Probabilities lie between 0 and 1."),
        (negative < 3, f"The model calls only {negative} of them negative. What did the behavioural tests find?"),
    )
    return f"{negative} of 5. Would a reader agree that all five are positive? If not, the model may be right."
