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
from typing import Any

LEVELS = {
    "predict": "Predict, then check.",
    "change": "Change a value.",
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
    title, level, task : str
        `level` is one of :data:`LEVELS`, rising; `task` is Markdown.
    hints : tuple of str
        Two, the second one saying more.
    function : callable
        The solution.
    extra_imports : tuple of str
        Imported names that the cells have although the solution does not use them.
    call : str
        What the lesson hands to :func:`check` where that is not the function itself, such as ``"overfit(model)"``.
    check : callable
        Takes the answers; raises :class:`Wrong`; may return a sentence for those who are right.
    wrong_answers : list of (str, tuple)
        For the tests: a part of the message, and plausible wrong answers that must get it.
    """

    name: str
    title: str
    level: str
    task: str
    hints: tuple[str, str]
    function: Callable[..., Any]
    extra_imports: tuple[str, ...] = ()
    call: str = ""
    check: Callable[..., str | None] = field(init=False)
    wrong_answers: list[tuple[str, tuple[Any, ...]]] = field(default_factory=list)

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Call the solution."""
        return self.function(*args, **kwargs)

    def checker(self, check: Callable[..., str | None]) -> Callable[..., str | None]:
        """Take a function as the check; a decorator."""
        self.check = check
        return check

    def wrong(self, message: str, *answers: Any) -> Any:
        """Add wrong answers, and a part of the message that they must get. Without answers it is a decorator."""

        def add(*answers: Any) -> Any:
            self.wrong_answers.append((message, answers))
            return answers[0]

        return add(*answers) if answers else add

    @property
    def assigns(self) -> bool:
        """Whether the cell assigns values; otherwise it defines a function."""
        return all(p.kind is p.KEYWORD_ONLY for p in inspect.signature(self.function).parameters.values())

    @property
    def own_run(self) -> bool:
        """Whether the cell needs variables of its lesson, so that it runs only there."""
        return bool(self.call or (self.assigns and inspect.signature(self.function).parameters))

    @property
    def answer(self) -> str:
        """What the lesson hands to :func:`check`: names, with commas between them."""
        if not self.assigns:
            return self.call or self.function.__name__
        return ast.unparse(self._definition.body[-1]).removeprefix("return ").strip("()")

    @property
    def stub(self) -> str:
        """The cell as the lesson has it."""
        if self.assigns:
            code = _ANSWER.sub(r"\1 ...", self._cell()) + "\n\n"
        else:
            code = self._cell(upto=self._definition.body[0]) + "\n    ...\n\n\n"
        return f'{code}check("{self.name}", {self.answer})'

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
    paragraph = textwrap.fill(" ".join(task.split()), 100)  # the level comes before it
    return lambda function: Exercise(name, title, level, paragraph, hints, function, extra_imports, call)


def judge(exercise: Exercise, *answers: Any) -> tuple[str, str]:
    """``("open" | "wrong" | "solved", what to tell the learner)``; nothing is printed or kept."""
    try:
        if any(answer is ... or _is_stub(answer) for answer in answers):
            raise NotAttempted
        if exercise.call and answers[0] is None:  # the cell calls the function itself
            return "open", "not attempted yet. (The function returns nothing: it needs a `return`.)"
        # what the learner's code prints, and what NumPy warns of, while it is tried with odd values
        with contextlib.redirect_stdout(io.StringIO()), warnings.catch_warnings(action="ignore"):
            praise = exercise.check(*(_guarded(copy.copy(answer)) for answer in answers))
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

    @functools.wraps(answer)
    def call(*args, **kwargs):
        given = ", ".join(_short(value) for value in [*args, *kwargs.values()])
        try:
            returned = answer(*args, **kwargs)
        except Exception as error:
            raise Wrong(f"It raises {type(error).__name__}: {error}. It was called with ({given}).") from error
        if returned is None or returned is ...:
            raise Wrong(f"It returns nothing. Does it end with return? It was called with ({given}).")
        return returned

    return call


def _short(value: Any) -> str:
    text = " ".join(repr(value).split())
    return text if len(text) <= 60 else f"{text[:57]}..."
