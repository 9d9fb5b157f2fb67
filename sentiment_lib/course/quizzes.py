"""Quiz questions: an interactive form, and Markdown with the reasons folded away for readers without a kernel."""

from __future__ import annotations

import html

from ..run.environment import needs_extra
from .attempts import note_attempt
from .exercises import pick
from .question_bank import QUESTIONS, Question

with needs_extra("lessons"):
    import ipywidgets as ipw
    import traitlets


def questions(lesson: str) -> list[Question]:
    """The questions of a lesson such as ``"04"``, in order."""
    return [question for question in QUESTIONS if question.name.startswith(f"{lesson}.")]


def quiz(name: str) -> Quiz:
    """The form for a question.

    Raises
    ------
    ArgumentError
        If there is no question of this name.
    """
    return Quiz(pick(name, questions(str(name)[:2]), "question", "04.a"))


class Quiz(ipw.VBox):
    """A form with options and a button, which explains why each chosen option is right or wrong.

    Attributes
    ----------
    chosen : list of int
        Indices of the chosen options; can be set.
    answered : {"", "wrong", "solved"}
        Set by :meth:`answer`.
    """

    chosen = traitlets.List(traitlets.Int())
    answered = traitlets.Unicode("")

    def __init__(self, question: Question) -> None:
        self.question = question
        self._boxes: list[ipw.Checkbox] = []
        self._updating = False
        layout = ipw.Layout(width="auto", max_width="800px")
        labels = [text for text, _, _ in question.options]
        if question.multiple:
            self._boxes = [ipw.Checkbox(description=text, indent=False, layout=layout) for text in labels]
            choices = ipw.VBox(self._boxes)
            for box in self._boxes:
                box.observe(lambda _: self._read_widgets(), "value")
        else:
            choices = self._radio = ipw.RadioButtons(
                options=[(text, i) for i, text in enumerate(labels)], value=None, layout=layout
            )
            choices.observe(lambda _: self._read_widgets(), "value")
        button = ipw.Button(description="Answer", tooltip=f"answer question {question.name}")
        button.on_click(lambda _: self.answer())
        self._feedback = ipw.HTML()
        hint = [ipw.HTML("<i>More than one is right.</i>")] if question.multiple else []
        super().__init__([*hint, choices, button, self._feedback])
        self.observe(lambda _: self._show_chosen(), "chosen")

    def __repr__(self) -> str:
        return f"Quiz({self.question.name}, {len(self.question.options)} options)"

    def _read_widgets(self) -> None:
        if self._updating:  # the boxes change one by one
            return
        if self._boxes:
            self.chosen = [i for i, box in enumerate(self._boxes) if box.value]
        else:
            self.chosen = [] if self._radio.value is None else [self._radio.value]

    def _show_chosen(self) -> None:
        self._updating = True
        for i, box in enumerate(self._boxes):
            box.value = i in self.chosen
        if not self._boxes:
            self._radio.value = self.chosen[0] if self.chosen else None
        self._updating = False

    def answer(self) -> None:
        """Grade the chosen options, explain the verdict and record the attempt."""
        options = self.question.options
        if not self.chosen:
            self._feedback.value = "Choose first."
            return
        correct = {i for i, (_, right, _) in enumerate(options) if right}
        self.answered = "solved" if set(self.chosen) == correct else "wrong"
        shown = range(len(options)) if self.answered == "solved" else self.chosen
        lines = [self._line(*options[i]) for i in shown]
        if self.answered == "wrong" and set(self.chosen) < correct:
            lines.append("<li>What you chose is right, but something is missing.</li>")
        verdict = "Right." if self.answered == "solved" else "Not right yet."
        self._feedback.value = f'<div role="status"><b>{verdict}</b><ul style="margin:0">{"".join(lines)}</ul></div>'
        note_attempt(self.question.name, self.answered)

    @staticmethod
    def _line(text: str, right: bool, reason: str) -> str:
        mark = "✓" if right else "✗"
        return f"<li>{mark} <i>{html.escape(text.removesuffix('.'))}.</i> {html.escape(reason)}</li>"


def question_text(question: Question) -> str:
    """The question as Markdown, with options and reasons folded away."""
    many = " *(more than one is right)*" if question.multiple else ""
    folded = (
        f"<details><summary>Options and answers, in case the form below does not appear ({question.name})</summary>"
    )
    lines = [f"**Question {question.name}.** {question.text}{many}", "", folded, ""]
    for text, right, reason in question.options:
        lines.append(f"- *{text.removesuffix('.')}.* **{'Right.' if right else 'Wrong.'}** {reason}")
    return "\n".join([*lines, "", "</details>"])
