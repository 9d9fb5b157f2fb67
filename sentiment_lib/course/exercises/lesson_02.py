"""Exercises of lesson 02."""

from __future__ import annotations

from typing import Any

import numpy as np
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline

from .checking import number_of, refuse
from .exercise import exercise


@exercise(
    "02.1",
    "Always the same answer",
    "predict",
    task="""
    The majority classifier of this lesson is fitted on training reviews of which {share} % are negative. The test split
    has {tests} reviews, {negative} of them negative. Predict the probability of *positive* that it gives each text, its
    accuracy on test (a text with 0.5 or more is called positive), and its *recall* on test: the share of the
    positive reviews that it calls positive.
    """,
    hints=(
        "The probability comes from the training reviews, the other two numbers from the test reviews.",
        "The share of positives in training is below 0.5. So what is every text called, and how often is that right?",
    ),
)
def same_answer(*, share=70, tests=200, negative=120):
    probability = 1 - share / 100  # answer
    accuracy = negative / tests  # answer
    recall = 0.0  # answer
    return probability, accuracy, recall


same_answer.wrong("probability of negative", lambda n: (n.share / 100, n.negative / n.tests, 0.0))
same_answer.wrong("answers with a share", lambda n: (0.0, n.negative / n.tests, 0.0))
same_answer.wrong("accuracy on the training reviews", lambda n: (1 - n.share / 100, n.share / 100, 0.0))
same_answer.wrong("recall is not", lambda n: (1 - n.share / 100, n.negative / n.tests, 1 - n.negative / n.tests))


@same_answer.varied
def _(rng):
    tests = 50 * rng.integers(5, 20)
    return {
        "share": rng.choice([66, 75, 78, 85]),
        "tests": tests,
        "negative": tests * rng.choice([52, 56, 58, 62]) // 100,
    }


@same_answer.checker
def _(probability, accuracy, recall, n):
    share = n.share / 100
    refuse(
        *((not 0 <= x <= 1, f"Give numbers between 0 and 1; {x} is not.") for x in (probability, accuracy, recall)),
        (np.isclose(probability, share), "That is the probability of negative; asked is that of positive."),
        (np.isclose(probability, 0), "It answers with a share of the training reviews, not with the label itself."),
        (
            not np.isclose(probability, 1 - share),
            f"The probability is not {probability}. What did fit() count, and where?",
        ),
        (np.isclose(accuracy, share), "That is its accuracy on the training reviews. On test the classes differ."),
        (
            not np.isclose(accuracy, n.negative / n.tests, atol=5e-4),
            f"The accuracy on test is not {accuracy}. Which label does each text get?",
        ),
        (not np.isclose(recall, 0), f"The recall is not {recall}. How many positive reviews are called positive?"),
    )
    return (
        f"An accuracy of {accuracy:.0%} can hide that one class is never found: this is why recall is reported for "
        "each class."
    )


@exercise(
    "02.2",
    "TF-IDF by hand",
    "write",
    task="""
    Write TF-IDF as scikit-learn has it before it normalises: the count of a word in a text (the lesson's model takes 1
    + ln of the count instead), times a weight. The weight is ln((1 + n) / (1 + df)) + 1, where n is how many
    `documents` there are, df is in how many of them the word occurs (`documents_with_word`), and ln is the natural
    logarithm. Counts and df may be numbers or NumPy arrays.
    """,
    hints=(
        "Compute the weight of the word first (the idf). The count comes in last, as a factor.",
        "`np.log` is the natural logarithm and takes arrays. The last + 1 belongs to the weight, outside it.",
    ),
)
def tf_idf(counts, documents_with_word, documents):
    """Counts of words, weighed down for words that occur in most documents."""
    idf = np.log((1 + documents) / (1 + documents_with_word)) + 1
    return counts * idf


tf_idf.wrong("two 1s", lambda tf, df, n: tf * (np.log(n / df) + 1))
tf_idf.wrong("base 10", lambda tf, df, n: tf * (np.log10((1 + n) / (1 + df)) + 1))
tf_idf.wrong("weighs nothing", lambda tf, df, n: tf * np.log((1 + n) / (1 + df)))
tf_idf.wrong("Brackets", lambda tf, df, n: tf * np.log((1 + n) / (1 + df)) + 1)
tf_idf.wrong("The count is missing", lambda tf, df, n: np.log((1 + n) / (1 + df)) + 1)


@tf_idf.checker
def _(tf_idf):
    many, df = np.array([[3, 0, 1, 0], [1, 1, 0, 0], [1, 0, 4, 0]]), np.array([5, 1, 2, 0])
    cases: list[tuple[Any, Any]] = [(4, 2), (1, 1), (3, 5), (2, 0), (many[0], df), (many[:, 2], 2), (many, df)]
    for tf, n in cases:
        idf = np.log(6 / (1 + n))
        right, found = np.asarray(tf * (idf + 1)), np.asarray(tf_idf(tf, n, 5), dtype=float)
        if found.shape == right.shape and np.allclose(found, right):
            continue
        refuse((found.shape != right.shape, f"For tf_idf({tf}, {n}, 5), {found.shape} is not the right shape."))
        refuse(
            (np.allclose(found, tf * (np.log(5 / np.maximum(n, 1)) + 1)), "The two 1s in the fraction are missing."),
            (np.allclose(found, tf * (idf / np.log(10) + 1)), "That is the logarithm to base 10, not the natural one."),
            (np.allclose(found, tf * idf), "In yours, a word that is in every document weighs nothing."),
            (np.allclose(found, tf * idf + 1), "Brackets: the last + 1 belongs to the weight, not to the product."),
            (np.allclose(found, idf + 1), "The count is missing; what you return is the weight alone."),
            (np.allclose(found, tf * (1 - idf)), "The fraction is upside down: rare words get the small weights."),
            (True, f"tf_idf({tf}, {n}, 5) is not {found.round(4)}."),
        )
    return "A word that is in every document keeps its plain count, and the rarer a word is, the more it is raised."


@tf_idf.probed()
def _(tf_idf, rng):
    return [tf_idf(rng.integers(0, 9, (3, 5)), rng.integers(0, 30, 5), int(rng.integers(30, 90))) for _ in range(3)]


@exercise(
    "02.3",
    "The length as a baseline",
    "write",
    task="""
    Write a baseline that sees only how many words a text has (`len(text.split())`). A text is *long* when it has more
    words than the median training text. Return an array with one probability for each of `texts`: for a long text the
    share of positives among the long training texts, for the others the share among the other training texts. Where no
    training text is long, use the share among all of them. `train_labels` is an array of 0 (negative) and 1.
    """,
    hints=(
        "All that is learned are three numbers of the training texts: the median and two shares. Compute them first.",
        "With `long = lengths > np.median(lengths)`, a share is `train_labels[long].mean()`. And if no text is long?",
    ),
)
def length_baseline(train_texts, train_labels, texts):
    """The probability that each text is positive, told from its length alone."""
    lengths = np.array([len(text.split()) for text in train_texts])
    median = np.median(lengths)
    long = lengths > median
    if_long = train_labels[long].mean() if long.any() else train_labels.mean()
    if_short = train_labels[~long].mean()
    return np.array([if_long if len(text.split()) > median else if_short for text in texts])


def _words(texts):
    return np.array([len(text.split()) for text in texts])


def _median(texts):
    return np.median(_words(texts))


def _shares(train, labels, texts, limit, longer=np.greater):
    long = longer(_words(train), limit)
    return np.where(longer(_words(texts), limit), labels[long].mean(), labels[~long].mean())


length_baseline.wrong("not of `texts`", lambda train, labels, texts: _shares(train, labels, texts, _median(texts)))
length_baseline.wrong("returns labels", lambda train, labels, texts: length_baseline(train, labels, texts) >= 0.5)
length_baseline.wrong("mean length", lambda train, labels, texts: _shares(train, labels, texts, _words(train).mean()))
length_baseline.wrong(
    "exactly the median", lambda train, labels, texts: _shares(train, labels, texts, _median(train), np.greater_equal)
)
length_baseline.wrong("share of nothing", lambda train, labels, texts: _shares(train, labels, texts, _median(train)))


@length_baseline.checker
def _(baseline):
    def predict(train, labels, texts, middle=np.median, sizes=_words, of=None):
        limit = middle(sizes(of or train))
        long = sizes(train) > limit
        shares = [labels[group].mean() if group.any() else labels.mean() for group in (long, ~long)]
        return np.where(sizes(texts) > limit, *shares)

    for train_lengths, train_labels, lengths in [
        ((1, 2, 3, 4, 12), (0, 0, 1, 1, 0), (3, 4, 6, 9, 20)),
        ((2, 6, 7, 3, 4, 5), (1, 0, 0, 0, 1, 1), (4, 5, 30)),
        ((2, 5, 9), (1, 0, 1), (7,)),
        ((3, 3, 3, 3), (1, 0, 0, 0), (1, 3, 8)),
    ]:
        case = (
            f"For training texts of {train_lengths} words with the labels {train_labels} and texts of {lengths} words"
        )
        train, texts = ([" ".join(["x" * (60 // n**2 + 1)] * n) for n in some] for some in (train_lengths, lengths))
        labels = np.array(train_labels)
        right = predict(train, labels, texts)
        found = np.asarray(baseline(list(train), labels.copy(), list(texts)), dtype=float)
        if found.shape == right.shape and np.allclose(found, right):
            continue
        refuse((found.shape != right.shape, f"{case}, it returns the shape {found.shape}. Give each text a number."))
        other: dict[str, dict[str, Any]] = {
            "The median must be that of the training texts, not of `texts`.": {"of": texts},
            "The limit is the mean length; the median is asked for.": {"middle": np.mean},
            "A text of exactly the median length is not long.": {"middle": lambda sizes: np.median(sizes) - 0.25},
            "It counts characters. Count words.": {"sizes": lambda texts: np.array([*map(len, texts)])},
        }
        refuse(
            (np.isnan(found).any(), f"{case}, one probability is no number: the share of nothing. Is a text long?"),
            (np.allclose(found, right >= 0.5), "It returns labels. Return the shares themselves, as probabilities."),
            *((np.allclose(found, predict(train, labels, texts, **changed)), hint) for hint, changed in other.items()),
            (True, f"{case}, it returns {found.round(3).tolist()}."),
        )
    return "If it did well on your data, length would give the label away, and BERT could be using that as well."


@length_baseline.probed()
def _(baseline, rng):
    def texts(lengths):
        return [" ".join(["word"] * length) for length in lengths]

    cases = [*(rng.geometric(0.1, n) for n in (7, 9, 11, 16)), np.full(5, rng.integers(3, 30))]
    return [
        baseline(
            texts(lengths),
            rng.integers(0, 2, len(lengths)),
            texts([*lengths, max(lengths) + 1, *rng.geometric(0.06, 6)]),
        )
        for lengths in cases
    ]


@exercise(
    "02.4",
    "Learn nonsense",
    "predict",
    task="""
    The labels of the training reviews are shuffled, so they have nothing to do with the texts. Guess first: what
    accuracy does TF-IDF with a weak penalty reach on the reviews it learned from, measured with the shuffled labels,
    and what accuracy on the validation reviews? Write down both guesses, then fit `model` and measure.
    """,
    hints=(
        "`model.score(texts, labels)` is an accuracy. On the training reviews the labels it learned are `shuffled`.",
        'First `model.fit(train["text"], shuffled)`; `fit` returns the model, so `.score` can follow.',
    ),
)
def learn_nonsense(*, train, validation):
    shuffled = np.random.default_rng(0).permutation(train["label"])
    model = make_pipeline(TfidfVectorizer(), LogisticRegression(C=100.0, max_iter=1000))
    accuracy_train = model.fit(train["text"], shuffled).score(train["text"], shuffled)  # answer
    accuracy_validation = model.score(validation["text"], validation["label"])  # answer
    return accuracy_train, accuracy_validation


# As found with the preset quick.
learn_nonsense.wrong("with their own labels", 0.494, 0.480)
learn_nonsense.wrong("were not shuffled", 0.9997, 0.766)
learn_nonsense.wrong("with the shuffled labels of the training", 0.999, 0.999)


@learn_nonsense.checker
def _(accuracy_train, accuracy_validation):
    seen, held_out = number_of(accuracy_train, "accuracy_train"), number_of(accuracy_validation, "accuracy_validation")
    refuse(
        *((not 0 <= x <= 1, f"Give accuracies between 0 and 1; {x:g} is not.") for x in (seen, held_out)),
        (
            held_out > 0.9,
            "Labels without a meaning cannot be predicted that well. Did you measure with the shuffled labels of the "
            "training reviews?",
        ),
        (
            held_out > 0.65,
            "The validation accuracy is far above one half: the labels that were learned were not shuffled.",
        ),
        (
            seen < 0.65,
            "On the training reviews you measured with their own labels. It learned the shuffled ones; what does it "
            "reach on those?",
        ),
        (seen < 0.8, f"On the reviews it learned from, it reaches more than {seen:.2f} with C=100."),
    )
    return "A model with a weight for each word can learn labels that mean nothing. Only held-out reviews show it."


@exercise(
    "02.5",
    "How far does a *not* reach?",
    "investigate",
    task="""
    Return the sum of the scores of all `words` (a list) in the dictionary `lexicon`; a word that is not in it scores 0.
    The sign of a word's score is flipped when at least one of the up to three words right before it is in the set
    `negations`. Two negations do not cancel each other. Then try it: which sentence with *not* does it get wrong?
    """,
    hints=(
        "For each position i, look at a window that ends before i. Near the beginning the window is shorter.",
        "The window is `words[max(0, i - 3) : i]`. Flip when `any(before in negations for before in window)`.",
    ),
)
def lexicon_score(words, lexicon, negations):
    """Sum of the words' scores; the sign is flipped where a negation is close before a word."""
    score = 0
    for i, word in enumerate(words):
        negated = any(before in negations for before in words[max(0, i - 3) : i])
        score += -lexicon.get(word, 0) if negated else lexicon.get(word, 0)
    return score


def _looking_at(window, flips=any):
    """A solution that looks for negations in a window of the words, around word i."""

    def score(words, lexicon, negations):
        negated = [flips(word in negations for word in words[window(i)]) for i in range(len(words))]
        return sum(lexicon.get(word, 0) * (-1) ** flip for word, flip in zip(words, negated, strict=True))

    return score


def _three_before(i):
    return slice(max(0, i - 3), i)


lexicon_score.wrong("reaches to the end", _looking_at(lambda i: slice(i)))
lexicon_score.wrong("right before it only", _looking_at(lambda i: slice(max(0, i - 1), i)))
lexicon_score.wrong("stand before the negation", _looking_at(lambda i: slice(i + 1, i + 4)))
lexicon_score.wrong("cancel", _looking_at(_three_before, lambda hits: sum(hits) % 2))
lexicon_score.wrong("negative", _looking_at(lambda i: slice(i - 3, i)))


@lexicon_score.checker
def _(score):
    lexicon, negations = {"good": 1.9, "bad": -2.5, "dull": -1.2, "great": 3.1}, {"not", "never", "no"}
    texts = (
        "",
        "a good film",
        "not good at all , really",
        "it was not a very good film",
        "not at all a good film",
        "dull",
        "good , but not great",
        "never not good , great",
        "no , not bad and never was dull or good , it is great",
        "good good not good and then a good bad dull film",
        "never no not bad",
        "dull as it was not",
    )

    def scores(score):
        return np.array([score(text.split(), dict(lexicon), set(negations)) for text in texts], dtype=float)

    known = {
        "It ignores the negations.": lambda i: slice(0),
        "A negation reaches to the end of the text in yours.": lambda i: slice(i),
        "It looks at the word right before it only. Take up to three.": lambda i: slice(max(0, i - 1), i),
        "Four words before are looked at. Take up to three.": lambda i: slice(max(0, i - 4), i),
        "It flips words that stand before the negation.": lambda i: slice(i + 1, i + 4),
        "For the first words i - 3 is negative; a slice then counts from the end.": lambda i: slice(i - 3, i),
    }
    found, right = scores(score), scores(_looking_at(_three_before))
    if not np.allclose(found, right):
        at = int(np.argmax(~np.isclose(found, right)))
        cancelling = scores(_looking_at(_three_before, lambda hits: sum(hits) % 2))
        refuse(
            *((np.allclose(found, scores(_looking_at(window))), hint) for hint, window in known.items()),
            (np.allclose(found, cancelling), "Two negations cancel in yours."),
            (True, f"For {texts[at]!r}, the score is not {found[at]:g}."),
        )
    return "VADER looks back three words, too. A 'not' that stands farther away, or comes later, is lost on both."


@lexicon_score.probed()
def _(score, rng):
    words = [f"w{number}" for number in rng.permutation(1000)[:7]]
    lexicon, negations = dict(zip(words[:4], rng.normal(0, 2, 4), strict=True)), set(words[4:6])
    return [score(rng.choice(words, 14).tolist(), dict(lexicon), set(negations)) for _ in range(20)]


@exercise(
    "02.6",
    "Which layer knows most?",
    "investigate",
    task="""
    The lesson's probe reads the last layer. Guess first: does the accuracy rise with every layer? And what does the
    `[CLS]` vector say before the first layer? Then measure with 400 training reviews: `pairs` has the vectors of the
    training and of the validation reviews for each layer (layer 0 is the output of the embeddings). Make a
    list of accuracies, one per layer, for `[CLS]` and one for the mean. `vectors` and `probe_accuracy` are those of the
    lesson. It takes less than a minute.
    """,
    hints=(
        '`pairs = [(vectors(few, n), vectors(validation["text"], n)) for n in layers]` gives all vectors.',
        '`[probe_accuracy(seen["mean"], held_out["mean"]) for seen, held_out in pairs]`, and so for `[CLS]`.',
    ),
)
def layer_by_layer(*, body, train, validation, vectors, probe_accuracy):
    few, layers = train["text"][:400], range(body.config.num_hidden_layers + 1)
    pairs = [(vectors(few, layer), vectors(validation["text"], layer)) for layer in layers]  # answer
    cls = [probe_accuracy(seen["[CLS]"], held_out["[CLS]"]) for seen, held_out in pairs]  # answer
    mean = [probe_accuracy(seen["mean"], held_out["mean"]) for seen, held_out in pairs]  # answer
    return cls, mean


# As found with the preset quick.
_CLS = [0.504, 0.622, 0.66, 0.657, 0.644, 0.66, 0.646]
_MEAN = [0.698, 0.701, 0.717, 0.723, 0.734, 0.722, 0.711]
layer_by_layer.wrong("the same layer", _CLS[-1:] * 7, _MEAN[-1:] * 7)
layer_by_layer.wrong("are swapped", _MEAN, _CLS)
layer_by_layer.wrong("the embeddings are missing", _CLS[1:], _MEAN[1:])
layer_by_layer.wrong("one number per layer", [_CLS[0]], [_MEAN[0]])


@layer_by_layer.checker
def _(cls, mean):
    cls, mean = np.ravel(np.asarray(cls, dtype=float)), np.ravel(np.asarray(mean, dtype=float))
    refuse(
        (len(cls) < 3 or len(cls) != len(mean), "Give two lists of the same length, with one number per layer."),
        *((not 0 <= x <= 1, f"Give accuracies between 0 and 1; {x:g} is not.") for x in (*cls, *mean)),
    )
    refuse(
        (np.ptp(mean) == 0, "All accuracies are equal: is it the same layer each time?"),
        (abs(mean[0] - 0.5) < 0.03 < cls[0] - 0.5, "The two lists are swapped."),
        (
            abs(cls[0] - 0.5) > 0.03,
            "Before the first layer the [CLS] vector is the same for every text, so that it cannot tell them apart. In "
            "your list the embeddings are missing.",
        ),
    )
    best = int(np.argmax(mean))
    return (
        "[CLS] is the same for every text until attention has carried something to it. The mean is best at layer "
        f"{best} here, on the reviews that you chose it with."
    )
