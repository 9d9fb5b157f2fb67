"""Exercises: one source gives stub, check, hints, solution, and wrong answers for the tests.

Each lesson's exercises are in ``lesson_0N.py``. In their code, lines between ``#| solution`` and ``#| end`` become
``...`` in the stub, and so does what follows the equals sign in a line that ends with ``#| answer``.
"""

from __future__ import annotations

import contextlib
import copy
import html
import importlib
import io
import re
import textwrap
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from .attempts import note_attempt

LEVELS = {
    "predict": "Predict, then check.",
    "change": "Change a value.",
    "write": "Write it yourself.",
    "investigate": "Investigate.",
}
_BLOCK = re.compile(r"^( *)#\| solution\n(.*?)^ *#\| end\n", re.MULTILINE | re.DOTALL)
_LINE = re.compile(r"^(.*?=) .*?  #\| answer$", re.MULTILINE)


class Wrong(Exception):
    """An answer that is not right. The message says what kind of mistake it is, never the solution."""


class NotAttempted(Exception):
    """A stub as it came."""


@dataclass(frozen=True)
class Exercise:
    """One exercise.

    Attributes
    ----------
    name : str
        Lesson and number, such as ``"04.2"``.
    title, level, task : str
        `level` is one of :data:`LEVELS`, rising; `task` is Markdown.
    code : str
        Stub and solution in one (see the module).
    answer : str
        What the lesson hands to :func:`check`: names, with commas between them.
    hints : tuple of str
        Two, the second one saying more.
    wrong : tuple of (str, str)
        Plausible wrong answers for the tests: code in the place of the solution, and a part of the message it must get.
    checker : callable
        Takes the answers; raises :class:`Wrong`; may return a sentence for those who are right.
    """

    name: str
    title: str
    level: str
    task: str
    code: str
    answer: str
    hints: tuple[str, str]
    wrong: tuple[tuple[str, str], ...]
    checker: Callable[..., str | None]

    @property
    def stub(self) -> str:
        """The cell as the lesson has it."""
        code = _LINE.sub(r"\1 ...", _BLOCK.sub(lambda found: f"{found[1]}...\n" if found[1] else "", self.code))
        code = code.strip()
        gap = "\n\n\n" if code.splitlines()[-1].startswith(" ") else "\n\n"  # as after any function
        return f'{code}{gap}check("{self.name}", {self.answer})'

    @property
    def solution(self) -> str:
        """What is to be put in the place of the stub's code."""
        code = re.sub(r"  #\| answer$", "", self.code, flags=re.MULTILINE)
        return re.sub(r"^( *#\| (solution|end)|\w+ = \.\.\.)\n", "", code, flags=re.MULTILINE).strip()

    def with_answer(self, body: str) -> str:
        """The stub's code with another body in the place of the solution; for line answers, added after it."""
        if not _BLOCK.search(self.code):
            return _LINE.sub(r"\1 ...", self.code).strip() + "\n" + textwrap.dedent(body)
        body = textwrap.dedent(body).strip("\n") + "\n"
        return _BLOCK.sub(lambda found: textwrap.indent(body, found[1]), self.code).strip()


REGISTRY: dict[str, Exercise] = {}


def exercise(
    name: str, title: str, level: str, *, task: str, code: str, answer: str, hints: tuple[str, str],
    wrong: Sequence[tuple[str, str]],
) -> Callable[[Callable[..., str | None]], Callable[..., str | None]]:  # fmt: skip
    """Register an exercise; decorates its checker."""

    def register(checker):
        tidy = textwrap.fill(" ".join(task.split()), 100)  # one paragraph; the level comes before it
        REGISTRY[name] = Exercise(name, title, level, tidy, code.lstrip("\n"), answer, hints, tuple(wrong), checker)
        return checker

    return register


def exercises(lesson: str) -> list[Exercise]:
    """The exercises of a lesson such as ``"04"``, in order."""
    for path in sorted(Path(__file__).parent.glob(f"lesson_{lesson}*.py")):  # a long one is in two files
        importlib.import_module(f"{__package__}.{path.stem}")
    return [one for name, one in sorted(REGISTRY.items()) if name.startswith(f"{lesson}.")]


def find(name: str) -> Exercise:
    """The exercise of this name.

    Raises
    ------
    ValueError
        For a name that no exercise has.
    """
    return pick(name, exercises(str(name)[:2]), "exercise", "04.2")


def pick(name: str, ones: Sequence[Any], kind: str, example: str) -> Any:
    """The one of this name among the exercises or questions of a lesson, or an error that lists them."""
    there = {one.name: one for one in ones}
    if name not in there:
        known = ", ".join(there) or f"none of this lesson; names look like '{example}'"
        raise ValueError(f"There is no {kind} {name!r}; there are {known}.")
    return there[name]


def check(name: str, *answers: Any) -> None:
    """Say whether an answer is right and, where it is wrong, what kind of mistake it is; note it for lesson 00.

    Parameters
    ----------
    name : str
        Lesson and number of the exercise, such as ``"04.2"``.
    *answers
        What the exercise asks for. ``...`` in its place means: not attempted yet.
    """
    one = find(name)
    state, said = judge(one, *answers)
    head = {"open": "○", "wrong": "✗", "solved": "✓"}[state] + f" Exercise {name}"
    print("\n".join(textwrap.wrap(f"{head}: {said}", 100, subsequent_indent="  ")))
    if state != "open":
        note_attempt(name, state)


def judge(one: Exercise, *answers: Any) -> tuple[str, str]:
    """``("open" | "wrong" | "solved", what to tell the learner)``; nothing is printed or kept."""
    try:
        if any(answer is ... or _is_stub(answer) for answer in answers):
            raise NotAttempted
        # what the learner's code prints, and what NumPy warns of, while it is tried with odd values
        with contextlib.redirect_stdout(io.StringIO()), warnings.catch_warnings(action="ignore"):
            praise = one.checker(*(_guarded(copy.copy(answer)) for answer in answers))
    except NotAttempted:
        return "open", "not attempted yet. Put your answer in the place of the dots and run the cell again."
    except Wrong as mistake:
        return "wrong", f"not right yet. {mistake}"
    except Exception as error:
        return "wrong", f"not right yet. This answer cannot be checked: {type(error).__name__}: {error}."
    return "solved", f"right. {praise or ''}".strip()


def help_text(one: Exercise) -> str:
    """Hints and solution as Markdown, each folded away."""
    parts = [(f"Hint {i}", hint) for i, hint in enumerate(one.hints, start=1)]
    parts.append(("Solution", f"```python\n{one.solution}\n```"))
    return "\n\n".join(
        f"<details><summary>{html.escape(title)} for {one.name}</summary>\n\n{text}\n\n</details>"
        for title, text in parts
    )


def _empty(*_):
    """A stub."""
    ...


def _is_stub(answer: Any) -> bool:
    """Whether a function, or every method of a class, has a body of three dots only."""
    if isinstance(answer, type):
        methods = [value for value in vars(answer).values() if callable(value) and hasattr(value, "__code__")]
        return bool(methods) and all(map(_is_stub, methods))
    code = getattr(answer, "__code__", None)
    if code is None or code.co_code != _empty.__code__.co_code:
        return False
    return all(constant in (None, ..., answer.__doc__) for constant in code.co_consts)  # no "return 5"


def _guarded(answer: Any) -> Any:
    """A function whose faults, and whose missing return, become messages about the answer."""
    if isinstance(answer, type) or not callable(answer) or not hasattr(answer, "__code__"):
        return answer

    def call(*args, **kwargs):
        given = ", ".join(_short(value) for value in [*args, *kwargs.values()])
        try:
            found = answer(*args, **kwargs)
        except Exception as error:
            raise Wrong(f"It raises {type(error).__name__}: {error}. It was called with ({given}).") from error
        if found is None or found is ...:
            raise Wrong(f"It returns nothing. Does it end with return? It was called with ({given}).")
        return found

    return call


def _short(value: Any) -> str:
    text = " ".join(repr(value).split())
    return text if len(text) <= 60 else f"{text[:57]}..."
