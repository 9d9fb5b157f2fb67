"""Behavioural tests: abilities that a classifier of reviews should have, each tested with cases from templates.

Taught in lesson 04. The method is CheckList's (Ribeiro et al., Beyond accuracy: behavioral testing of NLP models with
CheckList, ACL 2020); the templates are ours.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from ..data.labels import LABEL_NAMES
from ..errors import ArgumentError
from . import behaviour_templates as t

if TYPE_CHECKING:
    import pandas as pd

TOLERANCE = 0.1  # by how much a probability may move against the expected direction
_MOST = 60  # cases of one capability


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
    expected: int | None


@dataclass(frozen=True)
class BehaviourReport:
    """What a model did with every case.

    Attributes
    ----------
    table : pandas.DataFrame
        A row a case: ``capability``, ``kind``, ``text``, ``changed`` (None for MFT), ``expected``,
        ``probability``, ``probability_changed`` (NaN for MFT), ``failed`` and ``size``: how badly, from 0 to 1.
    """

    table: pd.DataFrame

    def summary(self) -> pd.DataFrame:
        """A row a capability: ``kind``, ``cases``, ``failures``, ``failure_rate`` and its interval ``low``, ``high``.

        The 95 % Wilson interval takes the cases as independent. Cases of one template resemble each other, so as
        a statement about the language it is too narrow.
        """
        from statsmodels.stats.proportion import proportion_confint

        groups = self.table.groupby("capability", sort=False)
        found = groups.agg(kind=("kind", "first"), cases=("failed", "size"), failures=("failed", "sum"))
        found["failure_rate"] = found["failures"] / found["cases"]
        found["low"], found["high"] = proportion_confint(found["failures"], found["cases"], method="wilson")
        return found

    def examples(self, capability: str, n: int = 3) -> pd.DataFrame:
        """The `n` worst failures of a capability: texts, probabilities and, for MFT, the expected label.

        Raises
        ------
        ArgumentError
            For a capability that was not tested.
        """
        known = list(dict.fromkeys(self.table["capability"]))
        if capability not in known:
            raise ArgumentError(f"capability={capability!r} was not tested; there are {', '.join(map(repr, known))}.")
        failed = self.table[(self.table["capability"] == capability) & self.table["failed"]]
        shown = failed.sort_values("size", ascending=False, kind="stable").head(n).reset_index(drop=True)
        if (self.table.loc[self.table["capability"] == capability, "kind"] == "MFT").all():
            names = shown["expected"].map(dict(enumerate(LABEL_NAMES)))
            return shown[["text", "probability"]].assign(expected=names)
        return shown[["text", "changed", "probability", "probability_changed"]]

    def to_dict(self) -> dict[str, Any]:
        """The summary as plain data, ready for JSON, with up to two failures of each capability."""
        rows = self.summary().to_dict("index")
        for name, row in rows.items():
            texts = self.examples(name, 2)
            changed = texts["changed"] if "changed" in texts else [None] * len(texts)
            row["examples"] = [[a, b] if b else [a] for a, b in zip(texts.get("text", []), changed, strict=True)]
        return rows


def behavioural_cases() -> list[Case]:
    """All cases, capability by capability, always the same."""
    return [case for made in (_minimum(), _invariance(), _direction()) for case in made]


def case_texts(cases: Sequence[Case] | None = None) -> list[str]:
    """Every different text of the cases, in the order of their first use."""
    cases = behavioural_cases() if cases is None else cases
    return list(dict.fromkeys(text for case in cases for text in case.texts))


def capabilities(cases: Sequence[Case] | None = None) -> pd.DataFrame:
    """A row a capability: ``kind``, ``cases``, ``the model`` (what it must do) and an ``example``."""
    import pandas as pd

    cases = behavioural_cases() if cases is None else cases
    rows = {}
    for case in cases:
        row = rows.setdefault(
            case.capability, {"kind": case.kind, "cases": 0, "the model": _EXPECTED[case.capability], "example": ""}
        )
        row["cases"] += 1
        row["example"] = row["example"] or " → ".join(case.texts)
    return pd.DataFrame(rows).T


def run_behavioural_tests(
    predict: Callable[[list[str]], Sequence[float]], cases: Sequence[Case] | None = None
) -> BehaviourReport:
    """Let a model answer all cases.

    A case fails when a text gets the wrong label (MFT), when two texts get different labels (INV), and when the
    probability moves the wrong way by more than :data:`TOLERANCE` (DIR).

    Parameters
    ----------
    predict : callable
        Takes a list of texts and returns the probability of positive for each; called once.
    cases : sequence of Case, optional
        Default: :func:`behavioural_cases`.

    Raises
    ------
    ArgumentError
        When `predict` returns another number of probabilities, or something that is none.
    """
    import pandas as pd

    cases = behavioural_cases() if cases is None else list(cases)
    texts = case_texts(cases)
    found = np.asarray(predict(texts), dtype=float)
    if found.shape != (len(texts),):
        raise ArgumentError(f"predict returned an array of shape {found.shape} for {len(texts)} texts.")
    if not ((found >= 0) & (found <= 1)).all():
        worst = int(np.argmin((found >= 0) & (found <= 1)))
        raise ArgumentError(f"predict returned {found[worst]} for {texts[worst]!r}; a probability lies in [0, 1].")
    probability = dict(zip(texts, found.tolist(), strict=True))
    return BehaviourReport(pd.DataFrame([_judge(case, *(probability[text] for text in case.texts)) for case in cases]))


def _judge(case: Case, before: float, after: float = float("nan")) -> dict[str, Any]:
    if case.kind == "MFT":
        failed, size = int(before >= 0.5) != case.expected, abs(before - case.expected)
    elif case.kind == "INV":
        failed, size = (before >= 0.5) != (after >= 0.5), abs(after - before)
    else:
        size = max(0.0, case.expected * (before - after))
        failed = size > TOLERANCE
    return {
        "capability": case.capability,
        "kind": case.kind,
        "text": case.texts[0],
        "changed": case.texts[1] if len(case.texts) > 1 else None,
        "expected": case.expected,
        "probability": before,
        "probability_changed": after,
        "failed": bool(failed),
        "size": size,
    }


def _fill(template: str) -> Iterator[str]:
    """The template with every combination of words in its slots."""
    slots = list(dict.fromkeys(re.findall(r"\{([^}]+)\}", template)))
    for words in itertools.product(*(t.WORDS[slot] for slot in slots)):
        text = template
        for slot, word in zip(slots, words, strict=True):
            text = text.replace(f"{{{slot}}}", word)
        yield re.sub(r"\b([Aa]) (?=[aeiou])", r"\1n ", text)


def _spread(items: Sequence, most: int) -> list:
    """At most `most` items, evenly spread over the sequence."""
    if len(items) <= most:
        return list(items)
    return [items[i * len(items) // most] for i in range(most)]


def _minimum() -> Iterator[Case]:
    for capability, (_, negative, positive) in t.MINIMUM.items():
        share = _MOST // (bool(negative) + bool(positive))
        for label, templates in ((0, negative), (1, positive)):
            for template in templates:
                for text in _spread(list(_fill(template)), share // len(templates)):
                    yield Case(capability, "MFT", (text,), label)


def _invariance() -> Iterator[Case]:
    for capability, slot, names in (
        ("names of people", "{person}", t.PEOPLE),
        ("names of places", "{place}", t.PLACES),
    ):
        for template in t.REVIEWS:
            if slot in template:
                for first, second in itertools.pairwise(names):
                    yield Case(capability, "INV", tuple(template.replace(slot, name) for name in (first, second)), None)
    he = {"he": "she", "his": "her", "him": "her", "himself": "herself"}
    for template in t.DIRECTORS:
        men = {**{k: k for k in he}, **{k.capitalize(): k.capitalize() for k in he}}
        women = {**he, **{k.capitalize(): v.capitalize() for k, v in he.items()}}
        for ending in ("", " The rest is routine."):
            pair = template.format(**men) + ending, template.format(**women) + ending
            yield Case("he and she", "INV", pair, None)
    for text in t.PLAIN_REVIEWS:
        for changed in _typos(text):
            yield Case("typing mistakes", "INV", (text, changed), None)
    pairs = [(text, _contracted(text)) for text in (*t.PLAIN_REVIEWS, *case_texts(list(_minimum())))]
    for pair in _spread([(text, short) for text, short in pairs if text != short], _MOST):
        yield Case("contractions", "INV", pair, None)
    for text, addition in itertools.product(t.PLAIN_REVIEWS, t.ADDITIONS):
        yield Case("a neutral sentence added", "INV", (text, f"{text} {addition}"), None)


def _contracted(text: str) -> str:
    for long, short in t.CONTRACTIONS:
        text = text.replace(long, short)
    return text


def _typos(text: str) -> Iterator[str]:
    """Copies with two neighbouring letters of one word swapped, in three of the longer words."""
    words = text.split(" ")
    for place in _spread([i for i, word in enumerate(words) if len(word.strip(".,")) >= 5], 3):
        word = words[place]
        middle = len(word.strip(".,")) // 2
        swapped = word[: middle - 1] + word[middle] + word[middle - 1] + word[middle + 1 :]
        if swapped != word:
            yield " ".join([*words[:place], swapped, *words[place + 1 :]])


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
    "typing mistakes": "bears two swapped letters",
    "contractions": "reads isn't as is not",
    "a neutral sentence added": "is not swayed by what says nothing",
    "praise added": "does not become more negative by praise",
    "blame added": "does not become more positive by blame",
    "stronger words": "does not become less sure by emphasis",
}
