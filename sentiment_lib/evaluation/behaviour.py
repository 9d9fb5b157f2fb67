"""Behavioural tests: capabilities that a review classifier should have, tested with cases from templates (lesson 05).

The method is CheckList's (Ribeiro et al., Beyond accuracy: behavioral testing of NLP models with CheckList, ACL 2020);
the templates are ours.
"""

import itertools
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike

from ..data.labels import LABEL_NAMES
from ..errors import ArgumentError
from . import behaviour_templates as t
from .predictions import as_numbers
from .uncertainty import share_intervals

TOLERANCE = 0.1  # by how much a probability may move against the expected direction
_MAX_CASES = 60  # of one capability


@dataclass(frozen=True)
class Case:
    """One case of a behavioural test.

    Attributes
    ----------
    capability : str
    kind : {"MFT", "INV", "DIR"}
        Minimum functionality: the label of one text is known. Invariance: two texts must get the same label.
        Direction: the probability of positive must not move the wrong way from the first text to the second.
    texts : tuple of str
        One text for MFT, the original and the changed one for INV and DIR.
    expected : int or None
        MFT: the label, 0 or 1. DIR: +1, must not fall, or -1, must not rise. INV: None.
    """

    capability: str
    kind: str
    texts: tuple[str, ...]
    expected: int | None = None


@dataclass(frozen=True)
class BehaviourReport:
    """What a model did with every case.

    Attributes
    ----------
    table : pandas.DataFrame
        One row per case: ``capability``, ``kind``, ``text``, ``changed`` (None for MFT), ``expected``,
        ``probability``, ``probability_changed`` (NaN for MFT), ``failed`` and ``size``: how badly, from 0 to 1.
    """

    table: pd.DataFrame

    def summary(self) -> pd.DataFrame:
        """One row per capability: ``kind``, ``cases``, ``failures``, ``failure_rate``, its interval ``low``, ``high``.

        The 95 % Wilson interval treats the cases as independent. Cases of one template resemble each other, so the
        interval is too narrow for a statement about the language.
        """
        groups = self.table.groupby("capability", sort=False)
        summary = groups.agg(kind=("kind", "first"), cases=("failed", "size"), failures=("failed", "sum"))
        summary["failure_rate"] = summary["failures"] / summary["cases"]
        summary["low"], summary["high"] = share_intervals(summary["failures"], summary["cases"])
        return summary

    def by_label(self) -> pd.DataFrame:
        """The summary of the minimum functionality tests for each expected label: negated praise is all negative.

        The index has ``capability`` and ``label``.
        """
        known = self.table[self.table["kind"] == "MFT"]
        groups = known.groupby(
            ["capability", known["expected"].map(dict(enumerate(LABEL_NAMES))).rename("label")], sort=False
        )
        summary = groups.agg(cases=("failed", "size"), failures=("failed", "sum"))
        summary["failure_rate"] = summary["failures"] / summary["cases"]
        summary["low"], summary["high"] = share_intervals(summary["failures"], summary["cases"])
        return summary

    def examples(self, capability: str, n: int = 3) -> pd.DataFrame:
        """The `n` worst failures of a capability: texts, probabilities and, for MFT, the expected label."""
        cases = self.table[self.table["capability"] == capability]
        if cases.empty:
            known = ", ".join(map(repr, self.table["capability"].unique()))
            raise ArgumentError(f"capability={capability!r} was not tested; there are {known}.")
        worst = cases[cases["failed"]].sort_values("size", ascending=False, kind="stable", ignore_index=True).head(n)
        if (cases["kind"] == "MFT").all():
            return worst[["text", "probability"]].assign(expected=worst["expected"].map(dict(enumerate(LABEL_NAMES))))
        return worst[["text", "changed", "probability", "probability_changed"]]

    def to_dict(self) -> dict[str, Any]:
        """The summary as plain data, ready for JSON, with up to two failures of each capability."""
        rows = self.summary().to_dict("index")
        for capability, row in rows.items():
            texts = self.examples(capability, 2).filter(["text", "changed"])
            row["examples"] = [[text for text in pair if text] for pair in texts.to_numpy().tolist()]
        return rows


def behavioural_cases() -> list[Case]:
    """All cases, capability by capability, always the same."""
    return [*_minimum(), *_invariance(), *_direction()]


def case_texts(cases: Sequence[Case] | None = None) -> list[str]:
    """Every different text of the cases, in the order of first use."""
    cases = behavioural_cases() if cases is None else cases
    return list(dict.fromkeys(text for case in cases for text in case.texts))


def capabilities(cases: Sequence[Case] | None = None) -> pd.DataFrame:
    """One row per capability: ``kind``, ``cases``, ``the model`` (what it must do) and an ``example``."""
    cases = behavioural_cases() if cases is None else cases
    rows: dict[str, dict[str, Any]] = {}
    for case in cases:
        new = {
            "kind": case.kind,
            "cases": 0,
            "the model": _EXPECTED[case.capability],
            "example": " → ".join(case.texts),
        }
        rows.setdefault(case.capability, new)["cases"] += 1
    return pd.DataFrame(rows).T


def run_behavioural_tests(
    predict: Callable[[list[str]], ArrayLike], cases: Sequence[Case] | None = None
) -> BehaviourReport:
    """Let a model answer all cases.

    A case fails if a text gets the wrong label (MFT), if two texts get different labels (INV), or if the probability
    moves the wrong way by more than :data:`TOLERANCE` (DIR).

    Parameters
    ----------
    predict : callable
        Takes a list of texts and returns the probability of positive for each; called once.
    cases : sequence of Case, optional
        Default: :func:`behavioural_cases`.

    Raises
    ------
    ArgumentError
        If `predict` returns another number of values, or values that are not probabilities.
    """
    cases = behavioural_cases() if cases is None else cases
    texts = case_texts(cases)
    found = as_numbers(predict(texts))
    if found.shape != (len(texts),):
        raise ArgumentError(f"predict returned an array of shape {found.shape} for {len(texts)} texts.")
    outside = ~((found >= 0) & (found <= 1))
    if outside.any():
        first = int(np.argmax(outside))
        raise ArgumentError(f"predict returned {found[first]} for {texts[first]!r}; a probability lies in [0, 1].")
    probability = dict(zip(texts, found.tolist(), strict=True))
    return BehaviourReport(pd.DataFrame([_judge(case, *(probability[text] for text in case.texts)) for case in cases]))


def _judge(case: Case, before: float, after: float = float("nan")) -> dict[str, Any]:
    """A row of :attr:`BehaviourReport.table`."""
    expected = case.expected or 0  # INV has none and needs none
    if case.kind == "MFT":
        failed, size = int(before >= 0.5) != expected, abs(before - expected)
    elif case.kind == "INV":
        failed, size = (before >= 0.5) != (after >= 0.5), abs(after - before)
    else:
        size = max(0.0, expected * (before - after))
        failed = size > TOLERANCE
    text, changed = (*case.texts, None)[:2]
    row = {"capability": case.capability, "kind": case.kind, "text": text, "changed": changed}
    values = {"expected": case.expected, "probability": before, "probability_changed": after}
    return {**row, **values, "failed": failed, "size": size}


def _fill(template: str) -> Iterator[str]:
    """The template with every combination of words in its slots."""
    slots = list(dict.fromkeys(re.findall(r"\{([^}]+)\}", template)))
    for words in itertools.product(*(t.WORDS[slot] for slot in slots)):
        text = template.format(**dict(zip(slots, words, strict=True)))
        yield re.sub(r"\b([Aa]) (?=[aeiou])", r"\1n ", text)


def _spread(items: Sequence, most: int) -> list:
    """At most `most` items, evenly spread over the sequence."""
    most = min(most, len(items))
    return [items[i * len(items) // most] for i in range(most)]


def _minimum() -> Iterator[Case]:
    for capability, (_, negative, positive) in t.MINIMUM.items():
        share = _MAX_CASES // (bool(negative) + bool(positive))
        for label, templates in ((0, negative), (1, positive)):
            for template in templates:
                for text in _spread(list(_fill(template)), share // len(templates)):
                    yield Case(capability, "MFT", (text,), label)


def _invariance() -> Iterator[Case]:
    slots = ("names of people", "{person}", t.PEOPLE), ("names of places", "{place}", t.PLACES)
    for capability, slot, names in slots:
        for template in t.REVIEWS:
            if slot in template:
                for pair in itertools.pairwise(template.replace(slot, name) for name in names):
                    yield Case(capability, "INV", pair)
    women = {"he": "she", "his": "her", "him": "her", "himself": "herself", "He": "She", "His": "Her"}
    for template in t.DIRECTORS:
        for ending in ("", " The rest is routine."):
            review = template + ending
            yield Case("he and she", "INV", (review.format(**{he: he for he in women}), review.format(**women)))
    for text in t.PLAIN_REVIEWS:
        for changed in _typos(text):
            yield Case("typing mistakes", "INV", (text, changed))
    pairs = [(text, _contracted(text)) for text in (*t.PLAIN_REVIEWS, *case_texts(list(_minimum())))]
    for pair in _spread([(text, short) for text, short in pairs if text != short], _MAX_CASES):
        yield Case("contractions", "INV", pair)
    for text, addition in itertools.product(t.PLAIN_REVIEWS, t.ADDITIONS):
        yield Case("a neutral sentence added", "INV", (text, f"{text} {addition}"))


def _contracted(text: str) -> str:
    for long, short in t.CONTRACTIONS:
        text = text.replace(long, short)
    return text


def _typos(text: str) -> Iterator[str]:
    """Copies with two neighbouring letters of one word swapped, in three of the longer words."""
    words = text.split(" ")
    for i in _spread([i for i, word in enumerate(words) if len(word.strip(".,")) >= 5], 3):
        word = words[i]
        middle = len(word.strip(".,")) // 2
        swapped = word[: middle - 1] + word[middle] + word[middle - 1] + word[middle + 1 :]
        if swapped != word:
            yield " ".join([*words[:i], swapped, *words[i + 1 :]])


def _direction() -> Iterator[Case]:
    for capability, sentences, expected in (
        ("praise added", t.PRAISE_SENTENCES, 1),
        ("blame added", t.BLAME_SENTENCES, -1),
    ):
        for text, sentence in itertools.product(t.PLAIN_REVIEWS, sentences):
            yield Case(capability, "DIR", (text, f"{text} {sentence}"), expected)
    for expected, words in ((1, t.WORDS["mild praise"]), (-1, t.WORDS["mild blame"])):
        for word, part in itertools.product(words, t.WORDS["part"]):
            pair = f"The {part} is {word}.", f"The {part} is really very {word}."
            yield Case("stronger words", "DIR", pair, expected)


_EXPECTED = {name: description for name, (description, _, _) in t.MINIMUM.items()} | {
    "names of people": "does not care who plays",
    "names of places": "does not care where it is set",
    "he and she": "does not care whether the director is a man or a woman",
    "typing mistakes": "copes with two swapped letters",
    "contractions": "reads isn't as is not",
    "a neutral sentence added": "is not swayed by what says nothing",
    "praise added": "does not become more negative by praise",
    "blame added": "does not become more positive by blame",
    "stronger words": "does not become less sure by emphasis",
}
