"""A run as pages to read: results with their intervals, figures, the model card, every lesson; and two runs compared.

All of it is one folder of plain HTML that asks no network for anything.
"""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from ..evaluation.results import load_metrics
from ..evaluation.uncertainty import Interval
from ..run.environment import needs_extra
from ..run.files import replacing
from ..run.paths import RunPaths, lessons_dir
from .series import GLOSSARY, lessons

with needs_extra("lessons"):
    import jinja2
    import mistune
    import nbformat
    from nbconvert import HTMLExporter
    from PIL import Image

MEASURES = {
    "accuracy": "accuracy",
    "precision": "precision",
    "recall": "recall",
    "f1": "F1",
    "average_precision": "average precision",
    "roc_auc": "area under the ROC curve",
}
_TEMPLATES = Path(__file__).parent / "templates"
# Pictures instead of widgets, which need a kernel.
_SHOWN = ["text/html", "text/markdown", "image/svg+xml", "image/png", "image/jpeg", "text/plain"]


def write_report(paths: RunPaths, other: RunPaths | None = None) -> Path:
    """Write ``results/<run>/report/``; an older report is replaced only by a whole one.

    Parameters
    ----------
    paths : RunPaths
        A run whose lesson 04 is done. Of figures and lessons, those are shown that are there.
    other : RunPaths, optional
        Another run to set beside it, on a page of its own.

    Returns
    -------
    pathlib.Path
        ``index.html``.

    Raises
    ------
    MissingResult
        When lesson 04 of one of the runs has not been run.
    DataError
        When the runs have no test review in common.
    """
    metrics = load_metrics(paths)
    compared = comparison(paths, other) if other else None
    executed = [path for path in lessons() if (paths.notebooks / path.name).is_file()]
    titles = {path.stem: _title(path) for path in executed}
    folder = paths.results / "report"
    with replacing(folder) as beside:
        (beside / "figures").mkdir(parents=True)
        shutil.copy(_TEMPLATES / "report.css", beside)
        shutil.copytree(lessons_dir() / "images", beside / "images")  # nbconvert would embed them, but close <details>
        pages = [("index.html", "Results"), ("model_card.html", "Model card")]
        pages += [("comparison.html", f"Beside {other.run}")] if other else []
        pages += [(f"{name}.html", title) for name, title in titles.items()]
        pages += [("glossary.html", "Glossary")] if executed else []
        around = {"run": paths.run, "pages": pages}
        shown = list(_figures(paths, beside / "figures", titles))
        _write(beside / "index.html", "index", **around, **_results(metrics), figures=shown)
        _write(beside / "model_card.html", "card", **around, card=_card(paths))
        if compared:
            _write(beside / "comparison.html", "comparison", **around, **compared)
        notebooks = [paths.notebooks / path.name for path in executed]
        for path in [*notebooks, lessons_dir() / GLOSSARY] if executed else []:
            (beside / f"{path.stem}.html").write_text(_lesson(path, around), encoding="utf-8")
    return folder / "index.html"


def comparison(paths: RunPaths, other: RunPaths) -> dict[str, Any]:
    """What the page shows that sets two runs side by side: measures, their paired difference, settings that differ."""
    import pandas as pd

    from ..errors import DataError
    from ..evaluation.significance import compare

    runs, found = (paths, other), [load_metrics(paths), load_metrics(other)]
    first, second = (
        pd.read_parquet(one.require(one.predictions, "04")).drop_duplicates("text").set_index("text") for one in runs
    )
    both = first.index[first.index.isin(second.index)]
    both = both[(first.loc[both, "label"] == second.loc[both, "label"]).to_numpy()]
    labels = first.loc[both, "label"].to_numpy()
    if len(set(labels)) < 2:
        raise DataError(
            f"The runs {paths.run!r} and {other.run!r} have no test reviews of both labels in common and cannot "
            "be compared. Compare runs on the same source with the same split_seed."
        )
    one = compare(labels, first.loc[both, "probability"], second.loc[both, "probability"], (paths.run, other.run))
    settings = [metrics["settings"] for metrics in found]
    differ = [name for name in settings[0] if settings[0][name] != settings[1].get(name) and name != "run"]
    return {
        "names": [one.run for one in runs],
        "settings": [(name, settings[0][name], settings[1].get(name)) for name in differ],
        "measures": [
            (label, *(_interval(metrics["intervals"][name]) for metrics in found), str(one.differences[name]))
            for name, label in MEASURES.items()
        ],
        "common": len(both),
        "tests": [metrics["test"]["examples"] for metrics in found],
        "test": one,
        "seconds": [metrics["train"]["seconds"] for metrics in found],
    }


def _results(metrics: dict[str, Any]) -> dict[str, Any]:
    from ..settings import make_settings

    plain = make_settings(metrics["preset"]).to_dict()
    changed = {k: v for k, v in metrics["settings"].items() if plain.get(k) != v and k not in ("run", "preset")}
    against = []
    for one in metrics.get("comparisons", []):
        accuracy = metrics["baselines"][one["second"]]["accuracy"]
        against.append(
            (one["second"], f"{accuracy:.3f}", _interval(one["differences"]["accuracy"]), f"{one['p_holm']:.1e}")
        )
    weakest = sorted(metrics.get("slices", []), key=lambda row: row["accuracy"])[:5]
    return {
        "metrics": metrics,
        "source": Path(metrics["source"]).name,  # not where it lies on somebody's disk
        "model": Path(metrics["model"]).name if Path(metrics["model"]).is_absolute() else metrics["model"],
        "measures": [(label, _interval(metrics["intervals"][name])) for name, label in MEASURES.items()],
        "changed": changed,
        "against": against,
        "weakest": [
            (f"{row['subject']}: {row['slice']}", row["count"], _interval(row | {"estimate": row["accuracy"]}))
            for row in weakest
        ],
    }


def _interval(found: dict[str, Any]) -> str:
    """An interval that was kept as JSON, as it prints itself."""
    return str(Interval(found["estimate"], found["low"], found["high"]))


def _figures(paths: RunPaths, target: Path, titles: dict[str, str]) -> Iterator[dict[str, Any]]:
    """Each figure with its alternative text, kept in the file, and as caption what its lesson says of it."""
    from ..plots.style import DPI

    for path in lessons():
        previous = ""
        for cell in json.loads(path.read_text(encoding="utf-8"))["cells"]:
            source = "".join(cell["source"])
            if cell["cell_type"] == "markdown":
                previous = source
                continue
            for name in re.findall(r'figures / "(\w+)\.png"', source):
                file = paths.figures / f"{name}.png"
                if not file.is_file():
                    continue
                shutil.copy(file, target)
                with Image.open(file) as picture:
                    alt = getattr(picture, "text", {}).get("Description", "")
                    width, height = (round(side * 96 / DPI) for side in picture.size)
                yield {
                    "file": f"figures/{file.name}", "alt": alt, "width": width, "height": height,
                    "caption": _markdown(previous.strip().split("\n\n")[-1]),
                    "lesson": path.stem, "title": titles.get(path.stem),
                }  # fmt: skip


def _card(paths: RunPaths) -> str:
    path = paths.model / "README.md"
    text = path.read_text(encoding="utf-8") if path.is_file() else "Lesson 04 writes the model card."
    return _markdown(re.sub(r"\A---\n.*?\n---\n", "", text, flags=re.DOTALL))


def _title(path: Path) -> str:
    first = "".join(json.loads(path.read_text(encoding="utf-8"))["cells"][0]["source"]).splitlines()[0]
    return first.removeprefix("# ")


def _markdown(text: str) -> str:
    """Markdown as HTML; HTML in it, which nobody of us wrote, is shown as text."""
    html = mistune.create_markdown(escape=True, plugins=["table"])(text)
    return re.sub(r'href="(\w+)\.ipynb', r'href="\1.html', html)


def _write(path: Path, template: str, **values: Any) -> None:
    loader = jinja2.FileSystemLoader(_TEMPLATES)
    pages = jinja2.Environment(
        loader=loader, autoescape=True, trim_blocks=True, lstrip_blocks=True, undefined=jinja2.StrictUndefined
    )
    path.write_text(pages.get_template(f"{template}.html").render(page=path.name, **values), encoding="utf-8")


def _lesson(path: Path, around: dict[str, Any]) -> str:
    """An executed lesson as a page, without anything from a network."""
    notebook = nbformat.read(path, as_version=4)
    notebook.metadata.pop("widgets", None)
    for cell in notebook.cells:
        if cell.cell_type == "markdown":
            cell.source = re.sub(r"\((\w+)\.ipynb", r"(\1.html", cell.source)
    exporter = HTMLExporter(
        extra_loaders=[jinja2.FileSystemLoader(_TEMPLATES)], template_file="lesson.html.j2", anchor_link_text=""
    )
    exporter.display_data_priority = _SHOWN
    page = f"{path.stem}.html"
    title = dict(around["pages"])[page]
    resources = {"metadata": {"name": title}, "report": {**around, "page": page}}
    html, _ = exporter.from_notebook_node(notebook, resources=resources)
    return html
