"""Bring the lessons up to date with the exercises, questions and diagrams that are defined here.

python -m sentiment_lib.course.build

The metadata of a cell name the exercise or question it belongs to (``"course": "04.2 stub"``). Such a cell stays in
place and its source is replaced. New cells are inserted before the summary of their lesson.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from ..run.files import replacing
from ..run.paths import lessons_dir, short_path
from .exercises import exercises
from .exercises.exercise import LEVELS, Exercise, help_text
from .flow import diagram
from .question_bank import Question
from .quizzes import question_text, questions
from .series import lessons


def _task(exercise: Exercise) -> str:
    return f"### Exercise {exercise.name} · {exercise.title}\n\n*{LEVELS[exercise.level]}* {exercise.task}"


def _quiz_call(question: Question) -> str:
    return f'from sentiment_lib.course import quiz\n\nquiz("{question.name}")'


PARTS: dict[str, tuple[str, Callable[[Any], str], list[str]]] = {  # cell type, source, tags
    "task": ("markdown", _task, []),
    "stub": ("code", lambda exercise: exercise.stub, []),
    "help": ("markdown", help_text, []),
    "question": ("markdown", question_text, []),
    "form": ("code", _quiz_call, ["nbval-ignore-output"]),
}


def course_cells(lesson: str) -> dict[str, dict[str, Any]]:
    """The generated cells of a lesson in order; the keys are the names in their metadata."""
    parts: list[tuple[Question | Exercise, str]] = []
    parts += [(question, part) for question in questions(lesson) for part in ("question", "form")]
    parts += [(exercise, part) for exercise in exercises(lesson) for part in ("task", "stub", "help")]
    return {f"{item.name} {part}": _cell(item, part) for item, part in parts}


def _cell(item: Exercise | Question, part: str) -> dict[str, Any]:
    kind, source, tags = PARTS[part]
    cell = {
        "cell_type": kind,
        "id": f"{item.name.replace('.', '-')}-{part}",
        "metadata": {"course": f"{item.name} {part}"} | ({"tags": tags} if tags else {}),
        "source": source(item).splitlines(keepends=True),
    }
    return cell | ({"execution_count": None, "outputs": []} if kind == "code" else {})


def refreshed(cells: list[dict[str, Any]], lesson: str) -> list[dict[str, Any]]:
    """The cells of a lesson with its generated cells brought up to date. Outputs of unchanged cells are kept."""
    generated = course_cells(lesson)
    present = {cell["metadata"].get("course") for cell in cells}
    result = []
    for cell in cells:
        key = cell["metadata"].get("course")
        if key is None:
            if "".join(cell["source"]).startswith("## Summary"):
                result += [new for name, new in generated.items() if name not in present]
            result.append(cell)
        elif key in generated:
            result.append(cell if cell["source"] == generated[key]["source"] else generated[key])
    return result


def main(folder: Path | None = None) -> None:
    """Write lessons and diagrams. Unchanged files are not rewritten."""
    folder = folder or lessons_dir()
    (folder / "images").mkdir(exist_ok=True)
    for path in lessons():
        lesson, path = path.name[:2], folder / path.name
        notebook = json.loads(path.read_text(encoding="utf-8"))
        notebook["cells"] = refreshed(notebook["cells"], lesson)
        text = json.dumps(notebook, indent=1, ensure_ascii=False) + "\n"
        for file, content in ((path, text), (folder / "images" / f"flow_{lesson}.svg", diagram(lesson))):
            if not file.is_file() or file.read_text(encoding="utf-8") != content:
                with replacing(file) as temporary:
                    temporary.write_text(content, encoding="utf-8")
                print(short_path(file))


if __name__ == "__main__":
    main()
