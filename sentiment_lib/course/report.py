"""The report of a run: results with intervals, figures, the model card, all lessons, and a comparison with another run.

The report is a folder of plain HTML pages that work offline.
"""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pandas as pd

from ..errors import DataError, MissingResult, ModelError
from ..evaluation.results import load_metrics
from ..evaluation.significance import compare
from ..evaluation.uncertainty import Interval
from ..run.environment import needs_extra
from ..run.files import replacing
from ..run.paths import RunPaths, lessons_dir
from .lesson_page import lesson_title, write_lesson
from .pages import EXPLORER, Book, reader
from .run_page import CORPUS, write_run_page
from .series import GLOSSARY, lessons

with needs_extra("lessons"):
    from PIL import Image

MEASURES = {
    "accuracy": "accuracy",
    "precision": "precision",
    "recall": "recall",
    "f1": "F1",
    "average_precision": "average precision",
    "roc_auc": "area under the ROC curve",
}


def write_report(paths: RunPaths, other: RunPaths | None = None, *, explorer: bool = True) -> Path:
    """Write ``results/<run>/report/``. An older report is replaced only when the new one is complete.

    Parameters
    ----------
    paths : RunPaths
        A run with lesson 04 done. The report has those figures and lessons that exist.
    other : RunPaths, optional
        Another run, compared with the first on a separate page.
    explorer : bool
        Whether the report has the explorer with the run's model (33 MB for the bundled one). Where the model does not
        fit into a page, the report says why.

    Returns
    -------
    pathlib.Path
        The path of ``index.html``.

    Raises
    ------
    MissingResult
        If lesson 04 of one of the runs has not been run.
    DataError
        If the runs have no test reviews of both labels in common.
    """
    load_metrics(paths)  # an error comes before any work
    compared = comparison(paths, other) if other else None
    executed = [path for path in lessons() if (paths.notebooks / path.name).is_file()]
    with replacing(paths.results / "report") as folder:
        first = [("index.html", "Results"), ("model_card.html", "Model card")]
        first += [("comparison.html", f"Beside {other.run}")] if other else []
        book = Book(folder, f"Run {paths.run}", {"Results": first, "Lessons": lesson_pages(executed)})
        write_run(book, paths, "index.html", explorer=explorer)
        if compared:
            book.write("comparison.html", "comparison", **compared)
        write_lessons(book, [paths.notebooks / path.name for path in executed])
        book.finish()
    return paths.results / "report" / "index.html"


def lesson_pages(notebooks: list[Path]) -> list[tuple[str, str]]:
    """File and title of the page of each lesson, and of the glossary if there is a lesson."""
    pages = [(f"{path.stem}.html", lesson_title(path)) for path in notebooks]
    return [*pages, ("glossary.html", "Glossary")] if pages else []


def write_lessons(book: Book, notebooks: list[Path], addresses: dict[str, str] | None = None) -> dict[str, str]:
    """Write the pages of executed lessons, with their diagrams and the glossary; the pages of all notebooks.

    Parameters
    ----------
    addresses : dict of str to str, optional
        Pages of other files in the repository that they may link to.
    """
    shutil.copytree(lessons_dir() / "images", book.folder / "images", dirs_exist_ok=True)
    paths = [*notebooks, lessons_dir() / GLOSSARY] if notebooks else []
    written = {f"notebooks/{path.name}": f"{path.stem}.html" for path in paths}
    for path in paths:
        write_lesson(book, path, written | (addresses or {}))
    return written


def write_run(
    book: Book, paths: RunPaths, file: str, *, explorer: bool = True, corpus_size: int = CORPUS, note: str = ""
) -> str:
    """Write a run's results, figures, model card and explorer; why there is no explorer, or nothing.

    Parameters
    ----------
    file : str
        The page of the results.
    note : str
        A sentence at the top of this page.
    """
    (book.folder / "figures").mkdir(parents=True)
    reason = _write_explorer(book, paths, corpus_size) if explorer else "left out (--no-model)"
    values = {"run": paths.run, "no_explorer": reason, "note": note, "figures": list(_figures(book, paths))}
    book.write(file, "results", **values, **results(load_metrics(paths)))
    book.write("model_card.html", "document", content=_card(paths))
    return reason


def _write_explorer(book: Book, paths: RunPaths, corpus_size: int) -> str:
    """Write the explorer of the run's model; why there is none, or nothing."""
    pages = next(iter(book.contents.values()))
    pages.append((EXPLORER, "Explorer"))
    try:
        write_run_page(
            paths,
            book.folder / "explorer",
            corpus_size=corpus_size,
            frame=lambda content: book.page(EXPLORER, "document", content=content),
        )
    except (MissingResult, ModelError) as error:
        pages.pop()
        return str(error)
    return ""


def comparison(paths: RunPaths, other: RunPaths) -> dict[str, Any]:
    """The values of the comparison page: metrics of both runs, paired differences, and settings that differ."""
    runs, metrics = (paths, other), [load_metrics(paths), load_metrics(other)]
    first, second = (
        pd.read_parquet(run.require(run.predictions, "04")).drop_duplicates("text").set_index("text") for run in runs
    )
    common = first.index[first.index.isin(second.index)]
    common = common[(first.loc[common, "label"] == second.loc[common, "label"]).to_numpy()]
    labels = first.loc[common, "label"].to_numpy()
    if len(set(labels)) < 2:
        raise DataError(
            f"The runs {paths.run!r} and {other.run!r} have no test reviews of both labels in common and cannot "
            "be compared. Compare runs on the same source with the same split_seed."
        )
    names = (paths.run, other.run)
    test = compare(labels, first.loc[common, "probability"], second.loc[common, "probability"], names)
    settings = [run["settings"] for run in metrics]
    differ = [name for name in settings[0] if settings[0][name] != settings[1].get(name) and name != "run"]
    return {
        "names": names,
        "settings": [(name, settings[0][name], settings[1].get(name)) for name in differ],
        "measures": [
            (label, *(_interval(run["intervals"][name]) for run in metrics), str(test.differences[name]))
            for name, label in MEASURES.items()
        ],
        "common": len(common),
        "test_sizes": [run["test"]["examples"] for run in metrics],
        "test": test,
        "seconds": [run["train"]["seconds"] for run in metrics],
    }


def results(metrics: dict[str, Any]) -> dict[str, Any]:
    """The values of the page of results."""
    from ..settings import make_settings

    defaults = make_settings(metrics["preset"]).to_dict()
    changed = {k: v for k, v in metrics["settings"].items() if defaults.get(k) != v and k not in ("run", "preset")}
    baselines = []
    for row in metrics.get("comparisons", []):
        name, gain = row["second"], _interval(row["differences"]["accuracy"])
        baselines.append((name, f"{metrics['baselines'][name]['accuracy']:.3f}", gain, f"{row['p_holm']:.1e}"))
    weakest = sorted(metrics.get("slices", []), key=lambda row: row["accuracy"])[:5]
    return {
        "metrics": metrics,
        "source": Path(metrics["source"]).name,  # without the folders of the user's disk
        "model": Path(metrics["model"]).name if Path(metrics["model"]).is_absolute() else metrics["model"],
        "measures": [(label, _interval(metrics["intervals"][name])) for name, label in MEASURES.items()],
        "changed": changed,
        "baselines": baselines,
        "weakest": [
            (f"{row['subject']}: {row['slice']}", row["count"], _interval(row | {"estimate": row["accuracy"]}))
            for row in weakest
        ],
    }


def _interval(values: dict[str, Any]) -> str:
    """The text form of an interval that was read from JSON."""
    return str(Interval(values["estimate"], values["low"], values["high"]))


def _figures(book: Book, paths: RunPaths) -> Iterator[dict[str, Any]]:
    """Each figure with the alternative text in its file and, as caption, the paragraph before it in its lesson."""
    from ..plots.style import DPI

    titles = dict(book.pages)
    addresses = {f"notebooks/{Path(file).stem}.ipynb": file for file in titles}
    for path in lessons():
        caption, previous = reader(f"notebooks/{path.name}", addresses), ""
        for cell in json.loads(path.read_text(encoding="utf-8"))["cells"]:
            source = "".join(cell["source"])
            if cell["cell_type"] == "markdown":
                previous = source
                continue
            for name in re.findall(r'figures / "(\w+)\.png"', source):
                file = paths.figures / f"{name}.png"
                if not file.is_file():
                    continue
                shutil.copy(file, book.folder / "figures")
                with Image.open(file) as picture:
                    alt = getattr(picture, "text", {}).get("Description", "")
                    width, height = (round(side * 96 / DPI) for side in picture.size)
                yield {
                    "file": f"figures/{file.name}", "alt": alt, "width": width, "height": height,
                    "caption": caption(previous.strip().split("\n\n")[-1]),
                    "lesson": path.stem, "title": titles.get(f"{path.stem}.html"),
                }  # fmt: skip


def _card(paths: RunPaths) -> str:
    path = paths.model / "README.md"
    text = path.read_text(encoding="utf-8") if path.is_file() else "Lesson 05 writes the model card."
    return reader()(re.sub(r"\A---\n.*?\n---\n", "", text, flags=re.DOTALL))
