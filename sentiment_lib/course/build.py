"""Bring the lessons up to date with the exercises, questions and diagrams that are defined here.

python -m sentiment_lib.course.build

Cells that belong to an exercise or a question say so in their metadata (``"course": "04.2 stub"``); their source is
written anew, their place is kept. What has no cells yet comes before the summary of its lesson.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from ..run.files import replacing
from ..run.paths import lessons_dir, short_path
from .exercises import LEVELS, Exercise, exercises, help_text
from .flow import diagram
from .quizzes import Question, question_text, questions
from .series import lessons


def _task(one: Exercise) -> str:
    return f"### Exercise {one.name} · {one.title}\n\n*{LEVELS[one.level]}* {one.task}"


def _form(one: Question) -> str:
    return f'from sentiment_lib.course import quiz\n\nquiz("{one.name}")'


PARTS: dict[str, tuple[str, Callable[[Any], str], list[str]]] = {  # kind of cell, source, tags
    "task": ("markdown", _task, []),
    "stub": ("code", lambda one: one.stub, []),
    "help": ("markdown", help_text, []),
    "question": ("markdown", question_text, []),
    "form": ("code", _form, ["nbval-ignore-output"]),
}


def course_cells(lesson: str) -> dict[str, dict[str, Any]]:
    """The cells of a lesson that are made here, by what their metadata say, in order."""
    wanted: list[tuple[str, Any]] = []
    for asked in questions(lesson):
        wanted += [(f"{asked.name} {part}", asked) for part in ("question", "form")]
    for one in exercises(lesson):
        wanted += [(f"{one.name} {part}", one) for part in ("task", "stub", "help")]
    return {key: _cell(key, one) for key, one in wanted}


def _cell(key: str, one: Exercise | Question) -> dict[str, Any]:
    name, part = key.split()
    kind, source, tags = PARTS[part]
    cell = {
        "cell_type": kind,
        "id": f"{name.replace('.', '-')}-{part}",
        "metadata": {"course": key} | ({"tags": tags} if tags else {}),
        "source": source(one).splitlines(keepends=True),
    }
    return cell | ({"execution_count": None, "outputs": []} if kind == "code" else {})


def refreshed(cells: list[dict[str, Any]], lesson: str) -> list[dict[str, Any]]:
    """The cells of a lesson with those that are made here brought up to date; outputs of unchanged code are kept."""
    made = course_cells(lesson)
    there = {cell["metadata"].get("course") for cell in cells}
    found = []
    for cell in cells:
        key = cell["metadata"].get("course")
        if key is None:
            if "".join(cell["source"]).startswith("## Summary"):
                found += [new for name, new in made.items() if name not in there]
            found.append(cell)
        elif key in made:
            found.append(cell if cell["source"] == made[key]["source"] else made[key])
    return found


def main(folder: Path | None = None) -> None:
    """Write lessons and diagrams; each file is replaced only by a whole one, and only where something changed."""
    folder = folder or lessons_dir()
    (folder / "images").mkdir(exist_ok=True)
    for path in lessons():
        lesson, path = path.name[:2], folder / path.name
        notebook = json.loads(path.read_text(encoding="utf-8"))
        notebook["cells"] = refreshed(notebook["cells"], lesson)
        text = json.dumps(notebook, indent=1, ensure_ascii=False) + "\n"
        for file, content in ((path, text), (folder / "images" / f"flow_{lesson}.svg", diagram(lesson))):
            if not file.is_file() or file.read_text(encoding="utf-8") != content:
                with replacing(file) as beside:
                    beside.write_text(content, encoding="utf-8")
                print(short_path(file))


if __name__ == "__main__":
    main()
