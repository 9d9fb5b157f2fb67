"""Quiz questions: a form to click with a kernel, and the same question with reasons to unfold without one."""

from __future__ import annotations

import html
from dataclasses import dataclass

from ..run.environment import needs_extra
from .exercises import pick
from .learner import note_attempt

with needs_extra("lessons"):
    import ipywidgets as ipw
    import traitlets


@dataclass(frozen=True)
class Question:
    """One question.

    Attributes
    ----------
    name : str
        Lesson and letter, such as ``"04.a"``.
    text : str
        Plain text.
    options : tuple of (str, bool, str)
        What can be chosen, whether it is right, and why or why not.
    """

    name: str
    text: str
    options: tuple[tuple[str, bool, str], ...]

    @property
    def multiple(self) -> bool:
        """Whether more than one option is right."""
        return sum(right for _, right, _ in self.options) > 1


QUESTIONS: dict[str, Question] = {}


def question(name: str, text: str, *options: tuple[str, bool, str]) -> Question:
    """Register a question; each option is (text, whether it is right, why or why not)."""
    QUESTIONS[name] = Question(name, text, options)
    return QUESTIONS[name]


def questions(lesson: str) -> list[Question]:
    """The questions of a lesson such as ``"04"``, in order."""
    from . import question_bank  # noqa: F401 - it registers them

    return [one for name, one in sorted(QUESTIONS.items()) if name.startswith(f"{lesson}.")]


def quiz(name: str) -> Quiz:
    """The form for a question.

    Raises
    ------
    ValueError
        For a name that no question has.
    """
    return Quiz(pick(name, questions(str(name)[:2]), "question", "04.a"))


class Quiz(ipw.VBox):
    """Options to choose, a button, and for each chosen option why it is right or wrong.

    Attributes
    ----------
    chosen : list of int
        Options that are chosen, counted from 0; readable and settable.
    answered : {"", "wrong", "solved"}
        After :meth:`answer`.
    """

    chosen = traitlets.List(traitlets.Int())
    answered = traitlets.Unicode("")

    def __init__(self, asked: Question) -> None:
        self.question = asked
        self._boxes, self._showing = [], False
        wide = ipw.Layout(width="auto", max_width="800px")
        labels = [text for text, _, _ in asked.options]
        if asked.multiple:
            self._boxes = [ipw.Checkbox(description=text, indent=False, layout=wide) for text in labels]
            choices = ipw.VBox(self._boxes)
            for box in self._boxes:
                box.observe(lambda _: self._read(), "value")
        else:
            choices = self._radio = ipw.RadioButtons(
                options=[(text, i) for i, text in enumerate(labels)], value=None, layout=wide
            )
            choices.observe(lambda _: self._read(), "value")
        button = ipw.Button(description="Answer", tooltip=f"answer question {asked.name}")
        button.on_click(lambda _: self.answer())
        self._said = ipw.HTML()
        hint = ipw.HTML("<i>More than one is right.</i>" if asked.multiple else "")
        super().__init__([*([hint] if asked.multiple else []), choices, button, self._said])
        self.observe(lambda _: self._show(), "chosen")

    def __repr__(self) -> str:
        return f"Quiz({self.question.name}, {len(self.question.options)} options)"

    def _read(self) -> None:
        if self._showing:  # the boxes change one after the other
            return
        if self._boxes:
            self.chosen = [i for i, box in enumerate(self._boxes) if box.value]
        else:
            self.chosen = [] if self._radio.value is None else [self._radio.value]

    def _show(self) -> None:
        self._showing = True
        for i, box in enumerate(self._boxes):
            box.value = i in self.chosen
        if not self._boxes:
            self._radio.value = self.chosen[0] if self.chosen else None
        self._showing = False

    def answer(self) -> None:
        """Judge what is chosen, say why, and note it."""
        options = self.question.options
        if not self.chosen:
            self._said.value = "Choose first."
            return
        wanted = {i for i, (_, right, _) in enumerate(options) if right}
        self.answered = "solved" if set(self.chosen) == wanted else "wrong"
        shown = range(len(options)) if self.answered == "solved" else self.chosen
        lines = [self._line(*options[i]) for i in shown]
        if self.answered == "wrong" and set(self.chosen) < wanted:
            lines.append("<li>What you chose is right, but something is missing.</li>")
        verdict = "Right." if self.answered == "solved" else "Not right yet."
        self._said.value = f'<div role="status"><b>{verdict}</b><ul style="margin:0">{"".join(lines)}</ul></div>'
        note_attempt(self.question.name, self.answered)

    @staticmethod
    def _line(text: str, right: bool, reason: str) -> str:
        mark = "✓" if right else "✗"
        return f"<li>{mark} <i>{html.escape(text.removesuffix('.'))}.</i> {html.escape(reason)}</li>"


def question_text(one: Question) -> str:
    """The question as Markdown, with options and reasons folded away for readers without a kernel."""
    many = " *(more than one is right)*" if one.multiple else ""
    folded = f"<details><summary>Options and reasons, to read without a kernel ({one.name})</summary>"
    lines = [f"**Question {one.name}.** {one.text}{many}", "", folded, ""]
    verdict = {True: "Right.", False: "Wrong."}
    lines += [f"- *{text.removesuffix('.')}.* **{verdict[right]}** {reason}" for text, right, reason in one.options]
    return "\n".join([*lines, "", "</details>"])
