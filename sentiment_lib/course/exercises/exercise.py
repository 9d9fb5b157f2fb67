"""What an exercise is: a solution, wrong answers and a check, all of them code that runs.

The solution is decorated with what the lesson says about it; its check and wrong answers are added to it::

    @exercise("04.2", "F1 from counts", "write", task="...", hints=("...", "..."))
    def f1_from_counts(true_positive, false_positive, false_negative):
        '''F1 of the positive class.'''
        return 2 * true_positive / (2 * true_positive + false_positive + false_negative)

    f1_from_counts.wrong("arithmetic mean", lambda true_positive, false_positive, false_negative: ...)

    @f1_from_counts.checker
    def _(f1): ...  # raises Wrong

The cells of the lesson are cut from the source of the solution. The stub has three dots in the place of its body. A
solution without parameters is a cell that assigns values, and it returns those that go to the check; in its stub, three
dots take the place of the values in lines that end with ``# answer``. Either cell begins with the imports of its
module that it uses.

What learners find out in runs of their own is checked by what the runs gave. Such a solution uses variables of its
lesson: it names them as keyword-only parameters, or in `call`.

For grading, exercises vary. One that asks for values has its numbers as keyword-only parameters with defaults; its
task, check and wrong answers use them, and a function draws others::

    @everything_positive.varied
    def _(rng):
        return {"reviews": 1000 * rng.integers(3, 9), "positive": 100 * rng.integers(11, 19)}

One that asks for a function is probed: what a probe returns for the answer must be what it returns for the solution::

    @f1_from_counts.probed()
    def _(f1, rng):
        return [f1(*counts) for counts in rng.integers(1, 60, (8, 3))]
"""

from __future__ import annotations

import ast
import contextlib
import copy
import functools
import html
import inspect
import io
import re
import sys
import textwrap
import warnings
from collections.abc import Callable
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any

LEVELS = {
    "predict": "Predict, then check.",
    "write": "Write it yourself.",
    "investigate": "Investigate.",
}
_ANSWER = re.compile(r"^(.*? =) (.*)  # answer$", re.MULTILINE)


class Wrong(Exception):
    """An answer that is not right. The message says what kind of mistake it is, never the solution."""


class NotAttempted(Exception):
    """A stub as it came."""


@dataclass(eq=False)
class Exercise:
    """One exercise. Called like a function, it is its own solution.

    Attributes
    ----------
    name : str
        Lesson and number, such as ``"04.2"``.
    title, level, template : str
        `level` is one of :data:`LEVELS`, rising; `template` is the task in Markdown, with its numbers in braces.
    hints : tuple of str
        Two, the second one saying more.
    function : callable
        The solution.
    extra_imports : tuple of str
        Imported names that the cells have although the solution does not use them.
    call : str
        What the lesson hands to :func:`check` where that is not the function itself, such as ``"overfit(model)"``.
    check : callable
        Takes the answers, and after them the numbers if it has any; raises :class:`Wrong`; may return a sentence for
        those who are right.
    numbers : dict
        Of the task.
    draw : callable, optional
        Takes a random generator, returns other numbers.
    probe : callable, optional
        Takes a function and a random generator, returns what the function makes of drawn inputs.
    within : float
        How far results of the probe may differ.
    """

    name: str
    title: str
    level: str
    template: str
    hints: tuple[str, str]
    function: Callable[..., Any]
    extra_imports: tuple[str, ...] = ()
    call: str = ""
    check: Callable[..., str | None] = field(init=False)
    numbers: dict[str, Any] = field(init=False)
    draw: Callable[[Any], dict[str, Any]] | None = field(init=False, default=None)
    probe: Callable[[Any, Any], Any] | None = field(init=False, default=None)
    within: float = field(init=False, default=1e-6)
    _wrong: list[tuple[str, tuple[Any, ...]]] = field(init=False, default_factory=list)

    def __post_init__(self) -> None:
        self.numbers = {p.name: p.default for p in self._keywords if p.default is not p.empty}

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Call the solution."""
        return self.function(*args, **self.numbers, **kwargs)

    def with_numbers(self, numbers: dict[str, Any]) -> Exercise:
        """The same exercise with other numbers in its task."""
        other = copy.copy(self)
        other.numbers = numbers
        return other

    def checker(self, check: Callable[..., str | None]) -> Callable[..., str | None]:
        """Take a function as the check; a decorator."""
        self.check = check
        return check

    def varied(self, draw: Callable[[Any], dict[str, Any]]) -> Callable[[Any], dict[str, Any]]:
        """Take a function that draws numbers for the task; a decorator."""
        self.draw = draw
        return draw

    def probed(self, within: float = 1e-6) -> Callable[[Callable[[Any, Any], Any]], Callable[[Any, Any], Any]]:
        """Take a function as the probe; a decorator."""

        def take(probe: Callable[[Any, Any], Any]) -> Callable[[Any, Any], Any]:
            self.probe, self.within = probe, within
            return probe

        return take

    def wrong(self, message: str, *answers: Any) -> Any:
        """Add wrong answers, and a part of the message that they must get. Without answers it is a decorator.

        If the task has numbers, the one answer is a function of them that returns all values.
        """

        def add(*answers: Any) -> Any:
            self._wrong.append((message, answers))
            return answers[0]

        return add(*answers) if answers else add

    @property
    def wrong_answers(self) -> list[tuple[str, tuple[Any, ...]]]:
        """For the tests: a part of the message, and plausible wrong answers that must get it."""
        return [(part, answers[0](*self.given) if self.numbers else answers) for part, answers in self._wrong]

    @property
    def given(self) -> tuple[SimpleNamespace, ...]:
        """What the check gets after the answers: the numbers of the task, if it has any."""
        return (SimpleNamespace(**self.numbers),) if self.numbers else ()

    @property
    def task(self) -> str:
        """What is to be done, with its numbers, in lines of 100 characters as the level comes before it."""
        text = self.template.format(**self.numbers) if self.numbers else self.template
        return textwrap.fill(" ".join(text.split()), 100)

    @property
    def _keywords(self) -> list[inspect.Parameter]:
        return [p for p in inspect.signature(self.function).parameters.values() if p.kind is p.KEYWORD_ONLY]

    @property
    def assigns(self) -> bool:
        """Whether the cell assigns values; otherwise it defines a function."""
        return len(self._keywords) == len(inspect.signature(self.function).parameters)

    @property
    def own_run(self) -> bool:
        """Whether the cell needs variables of its lesson, so that it runs only there."""
        return bool(self.call) or (self.assigns and any(p.default is p.empty for p in self._keywords))

    @property
    def answer(self) -> str:
        """What the lesson hands to :func:`check`: names, with commas between them."""
        if not self.assigns:
            return self.call or self.function.__name__
        return ast.unparse(self._definition.body[-1]).removeprefix("return ").strip("()")

    @property
    def blank(self) -> str:
        """The solution's code with dots in the place of what is asked for."""
        if self.assigns:
            return _ANSWER.sub(r"\1 ...", self._cell())
        return self._cell(upto=self._definition.body[0]) + "\n    ..."

    @property
    def stub(self) -> str:
        """The cell as the lesson has it."""
        gap = "\n\n" if self.assigns else "\n\n\n"
        return f'{self.blank}{gap}check("{self.name}", {self.answer})'

    @property
    def solution(self) -> str:
        """What is to be put in the place of the stub's code."""
        return _ANSWER.sub(r"\1 \2", self._cell())

    @functools.cached_property
    def _definition(self) -> ast.FunctionDef:
        (definition,) = ast.parse(inspect.getsource(self.function)).body
        assert isinstance(definition, ast.FunctionDef)
        return definition

    def _cell(self, upto: ast.stmt | None = None) -> str:
        """The imports that the solution needs, and its source down to a statement."""
        body = self._definition.body
        first, last = (body[0], body[-2]) if self.assigns else (self._definition, upto or body[-1])
        lines = inspect.getsource(self.function).splitlines()[first.lineno - 1 : last.end_lineno]
        code = textwrap.dedent("\n".join(lines))
        if self.numbers:
            code = re.sub(rf"\b({'|'.join(self.numbers)})\b", lambda name: str(self.numbers[name[0]]), code)
        used = {node.id for part in body for node in ast.walk(part) if isinstance(node, ast.Name)}
        imports = []
        for node in ast.parse(inspect.getsource(sys.modules[self.function.__module__])).body:
            if isinstance(node, ast.Import | ast.ImportFrom):
                node.names = [name for name in node.names if (name.asname or name.name) in used | {*self.extra_imports}]
                imports += [ast.unparse(node)] if node.names else []
        gap = "\n\n" if self.assigns else "\n\n\n"
        own = [line for line in imports if line.startswith("from sentiment_lib")]
        blocks = ["\n".join(lines) for lines in ([line for line in imports if line not in own], own) if lines]
        return gap.join([*filter(None, ["\n\n".join(blocks)]), code])


def exercise(
    name: str,
    title: str,
    level: str,
    *,
    task: str,
    hints: tuple[str, str],
    extra_imports: tuple[str, ...] = (),
    call: str = "",
) -> Callable[[Callable[..., Any]], Exercise]:
    """Make an exercise of its solution; a decorator."""
    return lambda function: Exercise(name, title, level, task, hints, function, extra_imports, call)


def judge(exercise: Exercise, *answers: Any) -> tuple[str, str]:
    """``("open" | "wrong" | "solved", what to tell the learner)``; nothing is printed or kept."""
    try:
        if any(answer is ... or _is_stub(answer) for answer in answers):
            raise NotAttempted
        if exercise.call and answers[0] is None:  # the cell calls the function itself
            return "open", "not attempted yet. (The function returns nothing: it needs a `return`.)"
        # what the learner's code prints, and what NumPy warns of, while it is tried with odd values
        with contextlib.redirect_stdout(io.StringIO()), warnings.catch_warnings(action="ignore"):
            praise = exercise.check(*(_guarded(copy.copy(answer)) for answer in answers), *exercise.given)
    except NotAttempted:
        return "open", "not attempted yet. Replace the dots with your answer and run the cell again."
    except Wrong as mistake:
        return "wrong", f"not right yet. {mistake}"
    except Exception as error:
        return "wrong", f"not right yet. This answer cannot be checked: {type(error).__name__}: {error}."
    return "solved", f"right. {praise or ''}".strip()


def help_text(exercise: Exercise) -> str:
    """Hints and solution as Markdown, each folded away."""
    parts = [(f"Hint {i}", hint) for i, hint in enumerate(exercise.hints, start=1)]
    parts.append(("Solution", f"```python\n{exercise.solution}\n```"))
    return "\n\n".join(
        f"<details><summary>{html.escape(title)} for {exercise.name}</summary>\n\n{text}\n\n</details>"
        for title, text in parts
    )


def _empty(*_):
    """A stub."""
    ...


def _is_stub(answer: Any) -> bool:
    """Whether a function has a body of three dots only."""
    code = getattr(answer, "__code__", None)
    if code is None or code.co_code != _empty.__code__.co_code:
        return False
    return all(constant in (None, ..., answer.__doc__) for constant in code.co_consts)  # no "return 5"


def _guarded(answer: Any) -> Any:
    """A function whose faults, and whose missing return, become messages about the answer."""
    if not hasattr(answer, "__code__"):
        return answer

    def called_with(args, kwargs):
        return f"It was called with ({', '.join(_short(value) for value in [*args, *kwargs.values()])})."

    @functools.wraps(answer)
    def call(*args, **kwargs):
        try:
            returned = answer(*args, **kwargs)
        except Exception as error:
            raise Wrong(f"It raises {type(error).__name__}: {error}. {called_with(args, kwargs)}") from error
        if returned is None or returned is ...:
            raise Wrong(f"It returns nothing. Does it end with return? {called_with(args, kwargs)}")
        return returned

    return call


def _short(value: Any) -> str:
    text = " ".join(repr(value).split())
    return text if len(text) <= 60 else f"{text[:57]}..."
