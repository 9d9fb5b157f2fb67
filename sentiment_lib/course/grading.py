"""The exercises as assignments of nbgrader: :func:`export_course` writes them, and their cells call :func:`grade`."""

from __future__ import annotations

import copy
import hashlib
import json
import pkgutil
import secrets
import textwrap
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from ..errors import ArgumentError, SettingsError
from ..run.files import replacing
from . import exercises as room
from .exercises import exercises, pick
from .exercises.exercise import LEVELS, Exercise, Wrong, judge

POINTS = 3  # of each exercise
HIDDEN_POINTS = 2  # of these, where other data are tried
CONFIG = """\
c = get_config()
c.CourseDirectory.course_id = "sentiment"
c.ClearSolutions.code_stub = {"python": "# Replace the dots above with your answer."}
c.ClearSolutions.text_stub = "*Replace this line with your answer.*"
c.Execute.timeout = 60  # seconds for each cell
# c.LateSubmissionPlugin.penalty_method = "zero"
"""
INTRODUCTION = """\
# Lesson {lesson} · graded exercises

Each exercise counts {points} points. Replace the dots with your answers, and leave all other cells as they are.
The cell below an answer checks it: it ends with an error that says what kind of mistake it is, or says that the answer
is right. Hints are in the lesson."""
NOTES = {
    "numbers": "The numbers differ from those in the lesson.",
    "hidden": f"The check below counts {POINTS - HIDDEN_POINTS} of {POINTS} points, a hidden test with other inputs "
    "the rest.",
    "fixed": "This exercise is the same as in the lesson.",
    "run": "Solve it in the lesson, where its variables are. Put your guess (if one is asked for), your code, what the "
    "check said, and a conclusion in two sentences into the next cell. A person grades it.",
}


class NotSolved(Exception):
    """What a graded cell ends with unless the answer is right. A notebook shows the message without a traceback."""

    def _render_traceback_(self) -> list[str]:
        return textwrap.wrap(str(self), 100)


def grade(name: str, *answers: Any, seed: int | None = None, **numbers: Any) -> None:
    """Accept a right answer; end the cell with the kind of mistake otherwise, so that nbgrader gives no points.

    Parameters
    ----------
    name : str
        Lesson and number of the exercise, such as ``"04.2"``.
    *answers
        What the exercise asks for.
    seed : int, optional
        Compare the answer, a function, with the solution on inputs drawn from this seed, instead of checking it.
    **numbers
        Of the task, where they are not those of the lesson.

    Raises
    ------
    NotSolved
        For an answer that is wrong or missing.
    ArgumentError
        For a name that no exercise has.
    """
    exercise = pick(name, exercises(str(name)[:2]), "exercise", "04.2")
    if numbers:
        exercise = exercise.with_numbers(numbers)
    if seed is not None:
        exercise = _comparing(exercise, seed)
    state, verdict = judge(exercise, *answers)
    if state != "solved":
        raise NotSolved(f"Exercise {name}: {verdict}")
    print("\n".join(textwrap.wrap(f"✓ Exercise {name}: {verdict}", 100)))


def _comparing(exercise: Exercise, seed: int) -> Exercise:
    """The exercise with a check that compares with the solution on drawn inputs."""
    probe = exercise.probe
    if probe is None:
        raise ArgumentError(f"Exercise {exercise.name} draws no inputs. Leave out seed={seed}.")

    def check(answer: Any) -> None:
        found, right = (probe(function, np.random.default_rng(seed)) for function in (answer, exercise.function))
        if not _alike(found, right, exercise.within):
            raise Wrong("For the hidden inputs of this course, its results are wrong.")

    other = copy.copy(exercise)
    other.check = check
    return other


def _alike(found: Any, right: Any, within: float) -> bool:
    """Whether two results agree, part by part."""
    if isinstance(right, str):
        return isinstance(found, str) and found == right
    if isinstance(right, list | tuple):
        return len(found) == len(right) and all(_alike(*pair, within) for pair in zip(found, right, strict=True))
    found, right = np.asarray(found), np.asarray(right)
    return found.shape == right.shape and np.allclose(found, right, rtol=1e-6, atol=within)


def graded_lessons() -> list[str]:
    """The lessons that have exercises, such as ``"04"``, in order."""
    return sorted(module.name[-2:] for module in pkgutil.iter_modules(room.__path__) if "lesson_" in module.name)


def export_course(folder: Path, lessons: Sequence[str] = (), secret: str | None = None) -> list[dict[str, Any]]:
    """Write a course for nbgrader: ``source/lesson_04/lesson_04.ipynb`` and so on, its configuration, and the secret.

    Parameters
    ----------
    folder : pathlib.Path
        A new one.
    lessons : sequence of str
        Such as ``"04"``; all, if there are none.
    secret : str, optional
        What numbers and hidden inputs are drawn from; the same secret gives the same course. One is drawn by default.

    Returns
    -------
    list of dict
        For each lesson its exercises, points, and the points that a person gives.

    Raises
    ------
    SettingsError
        For a folder that exists, a lesson that has no exercises, or a secret that can be guessed.
    StorageError
        When the folder cannot be written.
    """
    known = graded_lessons()
    if unknown := [lesson for lesson in lessons if lesson not in known]:
        raise SettingsError(f"Lesson {unknown[0]!r} has no exercises. Those that have: {', '.join(known)}.")
    if folder.exists():
        raise SettingsError(f"{folder} exists already; name a new folder. A course is never written over other files.")
    secret = secrets.token_hex(16) if secret is None else secret.strip()
    if len(secret) < 16:
        raise SettingsError(f"The secret has {len(secret)} characters, which can be guessed. Take 16 or more.")
    notebooks = {lesson: _notebook(lesson, secret) for lesson in lessons or known}
    with replacing(folder) as temporary:
        _write(temporary, notebooks, secret)
    return [_summary(lesson, notebook) for lesson, notebook in notebooks.items()]


def _write(folder: Path, notebooks: dict[str, dict[str, Any]], secret: str) -> None:
    for lesson, notebook in notebooks.items():
        path = folder / "source" / f"lesson_{lesson}" / f"lesson_{lesson}.ipynb"
        path.parent.mkdir(parents=True)
        path.write_text(json.dumps(notebook, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    (folder / "nbgrader_config.py").write_text(CONFIG, encoding="utf-8")
    kept = folder / "secret.txt"
    kept.touch(mode=0o600)
    kept.write_text(f"{secret}\n", encoding="utf-8")


def _summary(lesson: str, notebook: dict[str, Any]) -> dict[str, Any]:
    graded = [role for cell in notebook["cells"] if (role := cell["metadata"]["nbgrader"])["grade"]]
    by_hand = sum(role["points"] for role in graded if role["solution"])
    points = sum(role["points"] for role in graded)
    return {"lesson": lesson, "exercises": len(exercises(lesson)), "points": points, "by hand": by_hand}


def _notebook(lesson: str, secret: str) -> dict[str, Any]:
    introduction = INTRODUCTION.format(lesson=lesson, points=POINTS)
    cells = [_cell(f"{lesson}-introduction", introduction, "markdown", locked=True)]
    for exercise in exercises(lesson):
        cells += _cells(exercise, seed_of(exercise.name, secret))
    kernel = {"display_name": "Python 3", "language": "python", "name": "python3"}
    return {"cells": cells, "metadata": {"kernelspec": kernel}, "nbformat": 4, "nbformat_minor": 5}


def seed_of(name: str, secret: str) -> int:
    """The seed of one exercise. It tells nothing about the secret, nor about the seeds of others."""
    return int.from_bytes(hashlib.sha256(f"{secret} {name}".encode()).digest()[:8], "big")


def drawn(exercise: Exercise, seed: int) -> Exercise:
    """The exercise with numbers of its task drawn from a seed, or as it is if it has none."""
    if exercise.draw is None:
        return exercise
    return exercise.with_numbers({name: int(n) for name, n in exercise.draw(np.random.default_rng(seed)).items()})


def kind_of(exercise: Exercise) -> str:
    """How an exercise varies; the key of its note."""
    if exercise.draw is not None:
        return "numbers"
    return "hidden" if exercise.probe else "run" if exercise.own_run else "fixed"


def _cells(exercise: Exercise, seed: int) -> list[dict[str, Any]]:
    """Task, answer and checks of an exercise. The answer has the solution in it, which nbgrader takes out."""
    exercise, prefix = drawn(exercise, seed), exercise.name.replace(".", "-")
    kind = kind_of(exercise)
    title = f"## Exercise {exercise.name} · {exercise.title}"
    task = f"{title}\n\n*{LEVELS[exercise.level]}* {exercise.task}\n\n*{NOTES[kind]}*"
    cells = [_cell(f"{prefix}-task", task, "markdown", locked=True)]
    if kind == "run":
        answer = f"### BEGIN SOLUTION\n```python\n{exercise.solution}\n```\n### END SOLUTION"
        return [*cells, _cell(f"{prefix}-answer", answer, "markdown", solution=True, points=POINTS)]
    cells.append(_cell(f"{prefix}-answer", _with_solution(exercise), solution=True))
    if kind != "hidden":
        return [*cells, _cell(f"{prefix}-check", _call(exercise, exercise.numbers), locked=True, points=POINTS)]
    hidden = f"### BEGIN HIDDEN TESTS\n{_call(exercise, {'seed': seed})}\n### END HIDDEN TESTS"
    return [
        *cells,
        _cell(f"{prefix}-check", _call(exercise, {}), locked=True, points=POINTS - HIDDEN_POINTS),
        _cell(f"{prefix}-hidden", f"# Other inputs are tried here.\n{hidden}", locked=True, points=HIDDEN_POINTS),
    ]


def _call(exercise: Exercise, options: dict[str, int]) -> str:
    """The code of a cell that grades."""
    answers = exercise.answer if exercise.assigns else exercise.function.__name__
    given = ", ".join([f'"{exercise.name}"', answers, *(f"{name}={value}" for name, value in options.items())])
    return f"from sentiment_lib.course import grade\n\ngrade({given})"


def _with_solution(exercise: Exercise) -> str:
    """The stub, and after it the solution between the lines that nbgrader looks for."""
    solution, indent = exercise.solution, "" if exercise.assigns else "    "
    if not exercise.assigns:
        solution = solution.removeprefix(exercise.blank.removesuffix("    ..."))
    return f"{exercise.blank}\n{indent}### BEGIN SOLUTION\n{solution}\n{indent}### END SOLUTION"


def _cell(name: str, source: str, kind: str = "code", points: int | None = None, **roles: bool) -> dict[str, Any]:
    """A cell with what nbgrader has to know about it."""
    role: dict[str, Any] = {"grade_id": name, "schema_version": 3, "task": False, "grade": points is not None}
    role |= {"locked": False, "solution": False} | roles | ({} if points is None else {"points": points})
    cell = {"cell_type": kind, "id": name, "metadata": {"nbgrader": role}, "source": source.splitlines(keepends=True)}
    return cell | ({"execution_count": None, "outputs": []} if kind == "code" else {})
