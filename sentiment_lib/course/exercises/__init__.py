"""Exercises that check themselves.

Each is defined once, by a solution that runs (:mod:`~sentiment_lib.course.exercises.exercise`); those of a lesson are
in its module ``lesson_0N``.
"""

from __future__ import annotations

import importlib
import pkgutil
import textwrap
from collections.abc import Iterable
from typing import Any

from ...errors import ArgumentError
from ..attempts import note_attempt
from .exercise import Exercise, judge


def exercises(lesson: str) -> list[Exercise]:
    """The exercises of a lesson such as ``"04"``, in order."""
    name = f"lesson_{lesson}"
    if name not in {module.name for module in pkgutil.iter_modules(__path__)}:
        return []
    module = importlib.import_module(f"{__name__}.{name}")
    return [value for value in vars(module).values() if isinstance(value, Exercise)]


def check(name: str, *answers: Any) -> None:
    """Say whether an answer is right and, where it is wrong, what kind of mistake it is; note it for lesson 00.

    Parameters
    ----------
    name : str
        Lesson and number of the exercise, such as ``"04.2"``.
    *answers
        What the exercise asks for. ``...`` in its place means: not attempted yet.

    Raises
    ------
    ArgumentError
        For a name that no exercise has.
    """
    state, verdict = judge(pick(name, exercises(str(name)[:2]), "exercise", "04.2"), *answers)
    head = {"open": "○", "wrong": "✗", "solved": "✓"}[state] + f" Exercise {name}"
    print("\n".join(textwrap.wrap(f"{head}: {verdict}", 100, subsequent_indent="  ")))
    if state != "open":
        note_attempt(name, state)


def pick(name: str, candidates: Iterable[Any], kind: str, example: str) -> Any:
    """The exercise or question of this name among those of its lesson, or an error that lists them."""
    by_name = {candidate.name: candidate for candidate in candidates}
    if name not in by_name:
        known = ", ".join(by_name) or f"none of this lesson; names look like '{example}'"
        raise ArgumentError(f"There is no {kind} {name!r}; there are {known}.")
    return by_name[name]
