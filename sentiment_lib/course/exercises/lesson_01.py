"""Exercises of lesson 01."""

from __future__ import annotations

import hashlib
import itertools
import random

import numpy as np
from datasets import Dataset, concatenate_datasets

from sentiment_lib.course import suspects, train_briefly

from ..practice import SPOILINGS
from .checking import number_of, refers_to, refuse, stored_run
from .exercise import exercise


@exercise(
    "01.1",
    "Predict a batch",
    "predict",
    task="""
    A batch holds three texts. Without `[CLS]` and `[SEP]` they have {short}, {middle} and {long} tokens. You call
    `tokenizer(texts, padding=True, truncation=True, max_length={most})`. Predict how many columns `input_ids` has, how
    many values of `attention_mask` are 1, and how many of the texts' own tokens are lost.
    """,
    hints=(
        "First add the special tokens, then cut what is longer than 16. What is the longest text of the batch now?",
        "With `[CLS]` and `[SEP]`, the texts have 5, 12 and 32 tokens. The last is cut to 16, special tokens included.",
    ),
)
def predict_a_batch(*, short=3, middle=10, long=30, most=16):
    columns = most  # answer
    ones = short + 2 + middle + 2 + most  # answer
    lost = long - (most - 2)  # answer
    return columns, ones, lost


predict_a_batch.wrong("special tokens", lambda n: (n.most, n.short + n.middle + n.most - 2, n.long - n.most + 2))
predict_a_batch.wrong("longest text before", lambda n: (n.long + 2, n.short + n.middle + n.most + 4, n.most))
predict_a_batch.wrong("padding is 1", lambda n: (n.most, 3 * n.most, n.long - n.most + 2))
predict_a_batch.wrong("leaves room for", lambda n: (n.most, n.short + n.middle + n.most + 4, n.most - 2))


@predict_a_batch.varied
def _(rng):
    most = rng.integers(17, 29)
    return {
        "short": rng.integers(4, 8),
        "middle": rng.integers(9, 14),
        "long": 2 * most + rng.integers(2, 20),
        "most": most,
    }


@predict_a_batch.checker
def _(columns, ones, lost, n):
    columns, ones, lost = number_of(columns, "columns"), number_of(ones, "ones"), number_of(lost, "lost")
    own = n.short + n.middle + n.most - 2
    refuse(
        (columns in (n.long, n.long + 2), "That is the longest text before it is cut. max_length comes first."),
        (columns == n.most + 2, "max_length includes the special tokens; they are not added to it."),
        (columns != n.most, f"The batch does not have {columns:g} columns. All texts are padded to the longest one."),
        (ones == 3 * n.most, "In yours the mask of the padding is 1 as well. It is 0 there, so that nothing reads it."),
        (ones == own, "The special tokens are tokens, too: the mask is 1 for them."),
        (ones != own + 6, f"The mask does not have {ones:g} ones. Count the real tokens of each text."),
        (
            lost == n.most - 2,
            f"The limit leaves room for {n.most - 2} of the last text's own tokens; that many are kept.",
        ),
        (
            lost != n.long - n.most + 2,
            f"Not {lost:g} tokens are lost. How many of {n.long} fit between [CLS] and [SEP]?",
        ),
    )
    return f"More than half of the longest text is lost, and {1 - ones / (3 * n.most):.0%} of the batch is padding."


@exercise(
    "01.2",
    "A leak pays",
    "predict",
    task="""
    Spoil your own data. The lines in the cell put 200 validation reviews and 400 training reviews into one training
    set, `spoiled`. First write down your guess: when a model has trained on these 600 reviews for six epochs, by how
    many points will its accuracy on the copied reviews be higher than on the rest of the validation reviews? Then train
    (`train_briefly` takes half a minute and keeps nothing on disk; hint 1 shows the call) and measure both accuracies.
    What it returns has `right`, whether each validation review was classified correctly, and `seen`, whether it was
    among the training reviews.
    """,
    hints=(
        '`train_briefly(settings, {"train": spoiled, "validation": dataset["validation"]}, epochs=6)` trains.',
        "`trained.right[trained.seen]` are the copied reviews, `trained.right[~trained.seen]` the rest. Take means.",
    ),
)
def leak_pays(*, dataset, settings):
    validation, train = dataset["validation"], dataset["train"]
    copied = validation.select(range(min(200, len(validation) // 2)))
    spoiled = concatenate_datasets([copied, train.select(range(min(400, len(train))))])
    trained = train_briefly(settings, {"train": spoiled, "validation": dataset["validation"]}, epochs=6)  # answer
    accuracy_copied = trained.right[trained.seen].mean()  # answer
    accuracy_rest = trained.right[~trained.seen].mean()  # answer
    return trained, accuracy_copied, accuracy_rest


# What was found with the preset quick: of the 561 other reviews and of the 200 copied ones, so many were right; and
# of all 761 after a training without copies.
_LEAKING, _CLEAN = stored_run(455, 200, 200), stored_run(554)

leak_pays.wrong("are swapped", _LEAKING, 455 / 561, 1.0)
leak_pays.wrong("on all validation reviews", _LEAKING, _LEAKING.accuracy, 455 / 561)
leak_pays.wrong("part of your second accuracy", _LEAKING, 1.0, _LEAKING.accuracy)
leak_pays.wrong("was among the training reviews of this run", _CLEAN, 0.0, _CLEAN.accuracy)


@leak_pays.checker
def _(trained, copied, rest):
    right, seen = np.asarray(trained.right, dtype=bool), np.asarray(trained.seen, dtype=bool)
    copied, rest = number_of(copied, "accuracy_copied"), number_of(rest, "accuracy_rest")
    refuse(
        (not seen.any(), "Nothing was copied: no validation review was among the training reviews of this run."),
        (seen.all(), "Every validation review was among the training reviews, so that there is nothing to compare."),
        *((not 0 <= x <= 1, f"Give accuracies between 0 and 1; {x:g} is not.") for x in (copied, rest)),
    )
    expected = right[seen].mean(), right[~seen].mean()
    refuse(
        (np.allclose((copied, rest), expected[::-1]), "The two are swapped: the copied reviews are those with `seen`."),
        (np.isclose(copied, right.mean()), "That is the accuracy on all validation reviews. Take those with `seen`."),
        (not np.isclose(copied, expected[0]), f"Of the copied reviews, not {copied:.3f} are classified correctly."),
        (np.isclose(rest, right.mean()), "The copied reviews are part of your second accuracy. Leave them out."),
        (not np.isclose(rest, expected[1]), f"Of the rest, not {rest:.3f} are classified correctly."),
    )
    gap = 100 * (expected[0] - expected[1])
    return f"The copies gain {gap:.0f} points. Whoever measures on leaked reviews reports that as a better model."


@exercise(
    "01.3",
    "Head and tail",
    "write",
    task="""
    Write the function that cuts a review. `ids` is a list with `[CLS]` (101) in front and `[SEP]` (102) at its end.
    Return it unchanged if it has at most `max_length` ids. Otherwise return exactly `max_length` ids: `[CLS]`, the
    head, the tail, `[SEP]`. The head has `round(room * head_share)` ids, where `room` is `max_length` without the two
    special ids, and the tail fills the rest of the room. Any `head_share` from 0 to 1 must work.
    """,
    hints=(
        "Take the special ids off, cut what is between them, and put them back. Then try a `head_share` of 1.",
        "`inner = ids[1:-1]` and `room = max_length - 2`. The head is `inner[:head]`. The tail is "
        "`inner[len(inner) - tail:]`; the shorter `inner[-tail:]` is the whole list when `tail` is 0.",
    ),
)
def truncate(ids, max_length, head_share=0.25):
    """At most max_length ids: both ends of the review between [CLS] and [SEP]."""
    if len(ids) <= max_length:
        return ids
    inner, room = ids[1:-1], max_length - 2
    head = round(room * head_share)
    tail = room - head
    return ids[:1] + inner[:head] + inner[len(inner) - tail :] + ids[-1:]


truncate.wrong("[SEP] is not at the end", lambda ids, max_length, head_share=0.25: ids[:max_length])
truncate.wrong(
    "Only the head",
    lambda ids, max_length, head_share=0.25: ids if len(ids) <= max_length else ids[: max_length - 1] + ids[-1:],
)


@truncate.wrong("short enough")
def _(ids, max_length, head_share=0.25):
    head = round((max_length - 2) * head_share)
    return ids[: 1 + head] + ids[head + 1 - max_length :]


@truncate.wrong("tail of 0 ids")
def _(ids, max_length, head_share=0.25):
    inner, room = ids[1:-1], max_length - 2
    head = round(room * head_share)
    return [101, *inner[:head], *inner[-(room - head) :], 102] if len(inner) > room else ids


@truncate.wrong("Do not count [CLS]")
def _(ids, max_length, head_share=0.25):
    head = round(max_length * head_share)
    return ids[:head] + ids[head - max_length :]


@truncate.checker
def _(truncate):
    cases = [(50, 16, 0.25), (10, 16, 0.25), (14, 16, 0.25), (15, 16, 0.25), (0, 16, 0.25), (9, 7, 0.5), (30, 12, 0.8)]
    for length, most, share in [*cases, (30, 12, 0.0), (30, 12, 1.0), (5, 3, 0.25), (4, 3, 1.0)]:
        ids = [101, *range(2000, 2000 + length), 102]
        head, inner = round((most - 2) * share), ids[1:-1]
        right = ids if len(ids) <= most else [101, *inner[:head], *inner[length - (most - 2 - head) :], 102]
        given = (list(ids), most) if share == 0.25 else (list(ids), most, share)
        found = np.ravel(np.asarray(truncate(*given))).tolist()
        if found == right:
            continue
        case, whole = f"{len(ids)} ids, max_length={most}, head_share={share}", round(most * share)
        refuse(
            (len(ids) <= most, f"{len(ids)} ids are short enough for max_length={most} and must stay as they are."),
            (found[:1] != [101], f"[CLS] is not in front of what is returned ({case})."),
            (found[-1:] != [102], f"[SEP] is not at the end of what is returned ({case})."),
            (len(found) > most and share == 1, f"A tail of 0 ids is wanted here ({case}). What is [-n:] when n is 0?"),
            (len(found) != most, f"It returns {len(found)} ids for {case}. The special ids need places, too."),
            (found == [*ids[: most - 1], 102], f"Only the head is kept ({case}). Where is the tail?"),
            (found == [101, *ids[1 - most :]], f"Only the tail is kept ({case}). Where is the head?"),
            (
                found == ids[:whole] + ids[whole - most :],
                f"The length of the head is wrong ({case}). Do not count [CLS].",
            ),
            (True, f"For {case}, these are not the right ids: {found}. Is the head round(room * head_share) ids long?"),
        )
    return "The model cannot see where the cut is: the last id of the head and the first of the tail are neighbours."


@truncate.probed()
def _(truncate, rng):
    ids, shares = [101, *rng.integers(1000, 30_000, 50).tolist(), 102], [0.0, 1.0, *rng.random(8).tolist()]
    return [truncate(list(ids), most, share) for share in shares for most in (int(rng.integers(5, 40)), 60)]


@exercise(
    "01.4",
    "Take out the leaks",
    "write",
    task="""
    Return a list of the training texts that are not in `test` (both are lists of strings). Two texts count as the same
    when they differ only in upper and lower case or in white space: any run of spaces, tabs and line breaks counts as
    one space, and at the two ends it does not count at all. What is kept keeps its order and its spelling, and is kept
    as often as it was there. Change neither `train` nor `test`.
    """,
    hints=(
        "Bring every text into a normal form first, and compare these forms. Return the texts, not the forms.",
        'The form is `" ".join(text.lower().split())`. Keep those of `test` in a set, and go through `train` in order.',
    ),
)
def without_leaks(train, test):
    """The training texts that do not occur in test."""
    held_out = {" ".join(text.lower().split()) for text in test}
    return [text for text in train if " ".join(text.lower().split()) not in held_out]


def _normal(texts):
    return [" ".join(text.lower().split()) for text in texts]


without_leaks.wrong("upper and lower case", lambda train, test: [text for text in train if text not in test])


@without_leaks.wrong("white space")
def _(train, test):
    held_out = [text.lower() for text in test]
    return [text for text in train if text.lower() not in held_out]


@without_leaks.wrong("in their own form")
def _(train, test):
    held_out = _normal(test)
    return [text for text in _normal(train) if text not in held_out]


@without_leaks.wrong("often")
def _(train, test):
    return list(dict.fromkeys(without_leaks(train, test)))


@without_leaks.wrong("only a part")
def _(train, test):
    held_out = " ".join(_normal(test))
    return [text for text, normal in zip(train, _normal(train), strict=True) if normal not in held_out]


@without_leaks.wrong("itself was changed")
def _(train, test):
    test[:] = [text for text in test if text not in train]
    return train


@without_leaks.checker
def _(without_leaks):
    cases = [
        (["Fine.", "Dull.", "Odd."], ["Dull.", "Loud."], "Only what is in test must go"),
        (["Fine.", "DULL."], ["dull.", "FINE."], "Texts that differ only in upper and lower case are the same"),
        (["A  fine\tfilm.", "So\n dull."], ["a fine film.", "so dull."], "A run of white space counts as one space"),
        ([" Fine.\n"], ["Fine.  "], "At the two ends of a text, spaces and line breaks do not count"),
        (["Bad.", "So good."], ["So good. So long.", "Not bad."], "It is only a part of a test text"),
        (["So good. So long."], ["So good."], "A test text is only a piece of this training text"),
        (["It is now here.", "Dull"], ["It is nowhere.", "Dull."], "Only case and runs of white space are ignored"),
        (["B.", "A.", "B.", "b."], ["C."], "A text stays as often as it was there, each time in its own spelling"),
        (["Zest.", "Art.", "Mood.", "Art!"], ["art."], "Punctuation counts"),
        (["One.", "Two."], [], "Where test is empty, everything is kept"),
    ]
    for train, test, hint in cases:
        given, held_out = (list(train), list(test)), [text.lower().split() for text in test]
        found, right = list(without_leaks(*given)), [text for text in train if text.lower().split() not in held_out]
        case = f"For train={train} and test={test} it returns {found}."
        refuse(
            (given != (train, test), "`train` or `test` itself was changed. Leave both alone and return a new list."),
            (not set(found) <= set(train), f"Return training texts in their own form. {case}"),
            (found != right and sorted(found) == sorted(right), f"The order of the training texts must stay. {case}"),
            (found != right, f"{hint}. {case}"),
        )
    return "The texts go out of training, never out of test: the test stays what everybody else reports on."


@without_leaks.probed()
def _(without_leaks, rng):
    words = [f"Film{number}" for number in rng.permutation(1000)[:9]]
    some = [" ".join(rng.choice(words, rng.integers(1, 4))) for _ in range(20)]
    test, leaks = [*some[:5], " ".join(words)], [some[0].upper(), some[1].lower(), f" {some[2]}\n\t", some[3]]
    train = [*some[5:], *leaks, *some[5:8], *words[:3]]
    return without_leaks(train, test), train, test


@exercise(
    "01.5",
    "A place of its own",
    "write",
    task="""
    Decide for one text whether it belongs to the test split. Return True for about `share` of all texts (0: for none,
    1: for all), else False. The answer may depend on the whole text, on `seed` and on `share`, and on nothing else: not
    on other texts, not on the order, not on the day or the computer. Another seed gives another, unrelated split.
    """,
    hints=(
        "A hash turns a text into a number that looks random but is always the same. Scale it to lie between 0 and 1.",
        'Is `int(hashlib.sha256(f"{seed} {text}".encode()).hexdigest(), 16) / 2**256`, from 0 to 1, less than `share`?',
    ),
)
def in_test(text, share, seed):
    """Whether this text belongs to the test split."""
    digest = hashlib.sha256(f"{seed} {text}".encode()).digest()
    number = int.from_bytes(digest[:8], "big") / 2**64
    return number < share


def _number(text):
    return int(hashlib.md5(text.encode()).hexdigest(), 16)


in_test.wrong("Asked again", lambda text, share, seed: random.random() < share)
in_test.wrong("same answer for every text", lambda text, share, seed: random.Random(seed).random() < share)
in_test.wrong("each time Python starts", lambda text, share, seed: hash((seed, text)) % 1000 < 1000 * share)
in_test.wrong("ignores the seed", lambda text, share, seed: _number(text) % 1000 < 1000 * share)
in_test.wrong("unrelated is 50%", lambda text, share, seed: (_number(text) + seed) % 1000 < 1000 * share)
in_test.wrong("whatever the share", lambda text, share, seed: _number(f"{seed}{text}") % 2 == 0)
in_test.wrong("the same letters", lambda text, share, seed: (len(text) * 37 + seed * 11) % 100 < 100 * share)


@in_test.checker
def _(in_test):
    texts = [f"Review {i}: {'very ' * (i % 40)}good." for i in range(1996)] + ["", "Été à l’île", "好电影", "🎬 \n"]
    anagrams = [f"For a long time I {''.join(order)} have liked it." for order in itertools.permutations("seldom")]

    def ask(texts, share, seed):
        found = [in_test(text, share, seed) for text in texts]
        refuse(*((value not in (True, False), f"It returns {value!r}, neither True nor False.") for value in found))
        return np.array(found, dtype=bool)

    python_hash = "Python's hash() of a text is another number each time Python starts. Use hashlib."
    refuse((refers_to(in_test, hash), python_hash))
    half = ask(texts, 0.5, 0)
    means = {share: (half if share == 0.5 else ask(texts, share, 0)).mean() for share in (0.5, 0.2, 0.03, 0, 1)}
    refuse(
        ((half != ask(texts[::-1], 0.5, 0)[::-1]).any(), "Asked again, in another order, a text gets another answer."),
        (len(set(half)) == 1, f"For share=0.5 and seed=0 it gives the same answer for every text: {half[0]}."),
        (np.ptp([*means.values()]) < 0.01, f"{half.mean():.0%} of the texts are in test, whatever the share."),
        (
            0.1 < half.mean() < 0.9 and len(set(ask(anagrams, 0.5, 0))) == 1,
            "Texts of the same letters in another order all get the same answer. Does the whole text count?",
        ),
    )
    for share, mean in means.items():
        far = abs(mean - share) > 4.5 * np.sqrt(share * (1 - share) / len(texts))
        refuse((far, f"With share={share}, {mean:.1%} of 2,000 texts are in test."))
    for first, second in ((0, 1), (1, 2024)):
        same = (ask(texts, 0.5, first) == ask(texts, 0.5, second)).mean()
        refuse(
            (same == 1, f"It ignores the seed: seeds {first} and {second} give the same split."),
            (abs(same - 0.5) > 0.06, f"Seeds {first} and {second} agree on {same:.1%} of the texts; unrelated is 50%."),
        )
    return "A review that is added tomorrow gets its own place, and moves no other."


@in_test.probed(within=0.07)
def _(in_test, rng):
    texts, share, seed = (
        [f"{n} of them" for n in rng.integers(10**9, size=2000)],
        rng.uniform(0.15, 0.35),
        rng.integers(999),
    )
    anagrams = ["".join(rng.permutation(list("wonderful"))) for _ in range(1000)]

    def ask(texts, seed):
        return np.array([in_test(text, share, int(seed)) for text in texts], dtype=bool)

    first = ask(texts, seed)
    again, other = ask(texts[::-1], seed)[::-1], ask(texts, seed + 1)
    return (
        first.mean(),
        (first == again).mean(),
        (first == other).mean(),
        ask(anagrams, seed).mean(),
        refers_to(in_test, hash),
    )


@exercise(
    "01.6",
    "How was each copy spoiled?",
    "investigate",
    task="""
    `suspects(dataset, seed=1)` makes three copies of your data. One has validation reviews among its training reviews
    (`"leak"`). One was cut from a file that was sorted by label (`"sorted"`). In one, a fifth of the training labels
    are inverted (`"wrong labels"`). Write a function that finds out which: it gets the splits of a copy and the
    original splits, and returns one of the three names. A split has the columns `text` and `label`. The check tries it
    on all three copies.
    """,
    hints=(
        "Compare texts between splits, count labels, and compare the labels of equal texts. Each finds one kind.",
        "A set of the texts of validation finds the leak. A share of positives far from that of validation finds the "
        "sorted file. A dictionary from text to label, built from the original training split, finds inverted labels.",
    ),
    extra_imports=("suspects",),
    call="what_is_wrong, suspects(dataset, seed=1), dataset",
)
def what_is_wrong(copy, original):
    """How a copy was spoiled: leak, sorted or wrong labels."""
    held_out = set(copy["validation"]["text"])
    if any(text in held_out for text in copy["train"]["text"]):
        return "leak"
    labels = dict(zip(original["train"]["text"], original["train"]["label"], strict=True))
    if any(labels[text] != label for text, label in zip(copy["train"]["text"], copy["train"]["label"], strict=True)):
        return "wrong labels"
    return "sorted"


def _example(seed=3):
    """Splits of made-up reviews, and their three spoiled copies."""
    kinds = ("dull", "fine")
    rows = [{"text": f"Review {i} is {kinds[i % 2]}.", "label": i % 2} for i in range(240)]
    splits = {"train": Dataset.from_list(rows[:200]), "validation": Dataset.from_list(rows[200:])}
    return suspects(splits, seed), splits


def _by_share(copy, original):
    share = np.mean(copy["train"]["label"])
    return "sorted" if abs(share - 0.5) > 0.2 else "leak"


what_is_wrong.wrong("'wrong labels' is called 'leak'", _by_share, *_example())
what_is_wrong.wrong("is called 'sorted'", lambda copy, original: "sorted", *_example())
what_is_wrong.wrong("none of the three names", lambda copy, original: "bad", *_example())


@what_is_wrong.checker
def _(what_is_wrong, *given):
    copies, original = given or _example()
    found = {name: what_is_wrong(copy, original) for name, copy in copies.items()}
    for name, answer in found.items():
        right = copies.spoiling[name]
        refuse(
            (answer not in SPOILINGS, f"For copy {name} it returns {answer!r}, none of the three names."),
            (
                answer != right and answer in ("leak", "sorted"),
                f"The copy spoiled by {right!r} is called {answer!r}. What is different about its "
                f"{'labels' if right != 'leak' else 'texts'}?",
            ),
            (answer != right, f"The copy spoiled by {right!r} is called {answer!r}. Look at what makes it different."),
        )
    return "Each kind needs a check of its own."


@what_is_wrong.probed()
def _(what_is_wrong, rng):
    copies, original = _example(int(rng.integers(4, 10**6)))
    return [what_is_wrong(copy, original) for copy in copies.values()]
