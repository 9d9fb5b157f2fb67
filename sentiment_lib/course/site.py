"""The course as a site: the lessons as they are committed, and the results and the model of a run.

The pages work from disk and from any folder of a server, and make no requests to other servers.
"""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from ..evaluation.results import load_metrics
from ..model import load_training
from ..run.files import replacing
from ..run.paths import RunPaths, home, lessons_dir
from .exercises import exercises
from .pages import Book, reader
from .question_bank import QUESTIONS
from .report import lesson_pages, results, write_lessons, write_run
from .run_page import CORPUS
from .series import lessons

NAME = "Fine-tune BERT, properly"
NOTE = (
    "The lessons show the outputs that are committed with them. This page, the model card and the explorer come from "
    "the run that the site was made with, so that numbers may differ a little."
)
DOCUMENTS = {  # pages beside the lessons: file in the repository, page, title
    "docs/teaching.md": ("teaching.html", "For the teacher"),
    "data/README.md": ("data_card.html", "Data card"),
    "docs/use.md": ("use.html", "Your own data and model"),
    "LICENSES.md": ("licences.html", "Licences"),
}


def write_site(paths: RunPaths, folder: Path | None = None, *, explorer: bool = True) -> Path:
    """Write the site.

    The explorer holds validation reviews only if they are those of the source ``snippets``, whose licence allows it.

    Parameters
    ----------
    paths : RunPaths
        A run with lesson 04 done.
    folder : pathlib.Path, optional
        Default: ``site`` in the project's folder. Replaced as a whole, once the new one is complete.
    explorer : bool
        Whether the site has the explorer with the run's model.

    Returns
    -------
    pathlib.Path
        The path of ``index.html``.

    Raises
    ------
    MissingResult
        If lesson 04 of the run has not been run.
    NeedsClone
        If the package was installed without its checkout.
    """
    metrics, repository, folder = load_metrics(paths), lessons_dir().parent, folder or home() / "site"
    may_be_passed_on = load_training(paths)["settings"]["source"] == "snippets"
    contents = {
        "The course": [("index.html", "Overview")],
        "Lessons": lesson_pages(lessons()),
        f"Run {paths.run}": [("results.html", "Results"), ("model_card.html", "Model card")],
        "About": list(DOCUMENTS.values()),
    }
    addresses = {source: file for source, (file, _) in DOCUMENTS.items()} | {"README.md": "index.html"}
    with replacing(folder) as temporary:
        book = Book(temporary, NAME, contents)
        corpus_size = CORPUS if may_be_passed_on else 0
        reason = write_run(book, paths, "results.html", explorer=explorer, corpus_size=corpus_size, note=NOTE)
        addresses |= write_lessons(book, lessons(), addresses)
        for source, (file, _) in DOCUMENTS.items():
            text = (repository / source).read_text(encoding="utf-8")
            book.write(file, "document", content=reader(source, addresses)(text))
        shutil.copy(repository / "figures" / "explorer.png", temporary / "images")
        book.write("index.html", "home", no_explorer=reason, **_home(repository), **results(metrics))
        book.finish()
    return folder / "index.html"


def _home(repository: Path) -> dict[str, Any]:
    """What the first page says about the course."""
    numbers = [path.name[:2] for path in lessons()]
    return {
        "lessons": list(_rows((repository / "README.md").read_text(encoding="utf-8"))),
        "exercises": sum(len(exercises(number)) for number in numbers),
        "questions": len(QUESTIONS),
    }


def _rows(readme: str) -> Iterator[dict[str, str]]:
    """The README's table of lessons: number, title, page, what one learns, and how long it runs."""
    for number, title, name, learned, time in re.findall(
        r"^\| \[(\d\d) ([^]]+)\]\(notebooks/(\w+)\.ipynb\) \| (.+) \| (.+) \|$", readme, re.MULTILINE
    ):
        yield {"number": number, "title": title, "file": f"{name}.html", "learned": learned, "time": time}
