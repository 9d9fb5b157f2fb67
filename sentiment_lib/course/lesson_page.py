"""A lesson as a page: prose, code, outputs, questions, and exercises with their hints folded away."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Mapping
from itertools import groupby
from pathlib import Path
from typing import Any

from ..run.environment import needs_extra
from .pages import Book, highlighted, reader, with_named_headers
from .question_bank import QUESTIONS

with needs_extra("lessons"):
    import nbformat

_WIDGET = "application/vnd.jupyter.widget-view+json"


def lesson_title(path: Path) -> str:
    """The first heading of a notebook."""
    first = "".join(json.loads(path.read_text(encoding="utf-8"))["cells"][0]["source"]).splitlines()[0]
    return first.removeprefix("# ")


def write_lesson(book: Book, path: Path, addresses: Mapping[str, str]) -> None:
    """Write the page of a notebook that was executed."""
    read = reader(f"notebooks/{path.name}", addresses, safe=False)
    book.write(f"{path.stem}.html", "lesson", cells=list(_cells(path, read)))


def _cells(path: Path, read: Callable[[str], str]) -> Iterator[dict[str, Any]]:
    questions = {question.name: question for question in QUESTIONS}
    for cell in nbformat.read(path, as_version=4).cells:
        name, _, part = cell.metadata.get("course", "").partition(" ")
        if part == "question" and name in questions:
            yield {"question": questions[name]}
        elif cell.cell_type == "markdown":
            yield {"prose": read(cell.source)}
        elif cell.cell_type == "code" and part != "form":
            yield {"code": highlighted(cell.source), "outputs": list(_outputs(cell.outputs))}


def _outputs(outputs: list[Any]) -> Iterator[dict[str, Any]]:
    for is_stream, group in groupby(outputs, lambda output: output.output_type == "stream"):
        if is_stream:
            yield {"is_widget": False, "text": _plain("".join(output.text for output in group))}
        else:
            yield from map(_output, group)


def _output(output: Any) -> dict[str, Any]:
    """The best form of an output that a page without a kernel can show."""
    data = output.get("data", {})
    shown = {"is_widget": _WIDGET in data}
    if "text/html" in data:
        has_prose = re.search(r"<td[^>]*>[^<]{40}", data["text/html"]) is not None  # numbers stand right, prose left
        return shown | {"html": with_named_headers(data["text/html"]), "has_prose": has_prose}
    if "image/png" in data:
        return shown | {"png": data["image/png"], **output.metadata.get("image/png", {})}
    if output.output_type == "error":
        return shown | {"text": _plain("\n".join(output.traceback))}
    return shown | {"text": "" if shown["is_widget"] else _plain(data.get("text/plain", ""))}


def _plain(text: str) -> str:
    """Text without the codes that colour it in a terminal."""
    return re.sub(r"\x1b\[[0-9;]*m", "", text).rstrip("\n")
