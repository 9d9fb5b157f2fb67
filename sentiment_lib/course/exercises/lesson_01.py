"""Exercises of lesson 01."""

from __future__ import annotations

import hashlib
import itertools
import random

import numpy as np

from .checking import refers_to, refuse
from .exercise import exercise


@exercise(
    "01.1",
    "The first thousand",
    "predict",
    task="""
    A file has 25,000 reviews, sorted by label: first 12,500 negative ones, then 12,500 positive ones. Somebody trains
    on its first 1,000. The model learns one thing: to give, for every text, the most frequent label of its training
    set. Predict the share of positive reviews in this training set, the model's accuracy on the same 1,000 reviews, and
    its accuracy on a test split that has as many negative as positive reviews. All three lie between 0 and 1.
    """,
    hints=(
        "Which reviews are the first 1,000 of this file? Nobody shuffled it.",
        "They all have one label, so the model gives it to every text. How many reviews of each set have this label?",
    ),
)
def first_thousand():
    share_positive = 0.0  # answer
    accuracy_train = 1.0  # answer
    accuracy_test = 0.5  # answer
    return share_positive, accuracy_train, accuracy_test


first_thousand.wrong("The whole file is balanced", 0.5, 0.5, 0.5)
first_thousand.wrong("does not carry over", 0.0, 1.0, 1.0)
first_thousand.wrong("its own training set", 0.0, 0.5, 0.5)
first_thousand.wrong("each half of the test", 0.0, 1.0, 0.0)


@first_thousand.checker
def _(share, train, test):
    refuse(
        *((not 0 <= x <= 1, f"Give shares as numbers between 0 and 1; {x} is not.") for x in (share, train, test)),
        (np.isclose(share, 0.5), "The whole file is balanced. Is this piece of it, too? Where is it taken from?"),
        (share > 1e-6, f"The share of positives is not {share}. Where in the file does the first positive one stand?"),
        (train < 1 - 1e-6, f"The accuracy on its own training set is not {train}. Which label is there to get wrong?"),
        (np.isclose(test, 1), "What was reached in training does not carry over: test has other labels as well."),
        (
            not np.isclose(test, 0.5),
            f"The accuracy on test is not {test}. How does each half of the test reviews fare?",
        ),
    )
    return "Perfect in training and no better than a coin in test: look at the labels before you look at the loss."


@exercise(
    "01.2",
    "Count what is kept",
    "change",
    task="""
    The lesson cut a review to 16 tokens by head+tail. Change the review: this one has 50 tokens of its own, before BERT
    adds `[CLS]` and `[SEP]`. The limit of 16 includes these two. Of the room that is left, `head_share` goes to the
    head, made a whole number by Python's `round`; the tail gets the rest. How many of the review's own tokens are kept
    from its head, how many from its tail, and how many are lost? You may write numbers or compute them.
    """,
    hints=(
        "First find the room: how many of the 16 places are left for the review itself?",
        "The room is 16 − 2 = 14. The head gets `round(14 * 0.25)`, the tail the rest of 14. Of 50, 14 are not lost.",
    ),
)
def count_kept():
    max_length, head_share, own_tokens = 16, 0.25, 50
    from_head = round((max_length - 2) * head_share)  # answer
    from_tail = (max_length - 2) - from_head  # answer
    lost = own_tokens - from_head - from_tail  # answer
    return from_head, from_tail, lost


count_kept.wrong("two special tokens", 4, 12, 34)
count_kept.wrong("cut in the middle", 7, 7, 36)
count_kept.wrong("rounded down", 3, 11, 36)
count_kept.wrong("swapped", 10, 4, 36)


@count_kept.checker
def _(head, tail, lost):
    both = head + tail
    refuse(
        (np.isclose(both, 16), "Head and tail fill all 16 places. The two special tokens need a place each."),
        (not np.isclose(both, 14), f"Head and tail are {both} tokens. How many fit between [CLS] and [SEP]?"),
        (np.isclose(head, 7), "That is cut in the middle: as much head as tail. head_share says otherwise."),
        (np.isclose(head, 10), "Head and tail are swapped: head_share is what the head gets."),
        (np.isclose(head, 3), "The head is rounded down. What does round() make of this number?"),
        (not np.isclose(head, 4), f"The head does not get {head} tokens. Take head_share of the room, then round it."),
        (not np.isclose(lost, 36), f"The number lost is not {lost}. Of the review's own 50 tokens, how many are kept?"),
    )
    return "Almost three quarters of this review are gone, and BERT is never told that anything is missing."


@exercise(
    "01.3",
    "Head and tail",
    "write",
    task="""
    Write the cut. `ids` is a list with `[CLS]` (101) in front and `[SEP]` (102) at its end. Return it as it is where it
    has at most `max_length` ids. Otherwise return exactly `max_length` ids: `[CLS]`, the head, the tail, `[SEP]`. The
    head has `round(room * head_share)` ids, where `room` is `max_length` without the two special ids, and the tail
    fills the rest of the room. Any `head_share` from 0 to 1 must work.
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
        "A hash turns a text into a number that looks random but is always the same. Make a number from 0 to 1 of it.",
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
