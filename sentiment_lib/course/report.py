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

from ..errors import MissingResult, ModelError
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
    metrics = load_metrics(paths)
    compared = comparison(paths, other) if other else None
    executed = [path for path in lessons() if (paths.notebooks / path.name).is_file()]
    titles = {path.stem: _title(path) for path in executed}
    folder = paths.results / "report"
    with replacing(folder) as temporary:
        (temporary / "figures").mkdir(parents=True)
        shutil.copy(_TEMPLATES / "report.css", temporary)
        # Diagrams are not embedded by nbconvert, because that would break <details>.
        shutil.copytree(lessons_dir() / "images", temporary / "images")
        pages = [("index.html", "Results"), ("model_card.html", "Model card")]
        pages += [("comparison.html", f"Beside {other.run}")] if other else []
        pages += [(f"{name}.html", title) for name, title in titles.items()]
        pages += [("glossary.html", "Glossary")] if executed else []
        reason = _explorer(paths, temporary / "explorer") if explorer else "left out (--no-model)"
        pages += [] if reason else [("explorer/index.html", "Explorer")]
        layout = {"run": paths.run, "pages": pages, "no_explorer": reason}
        figures = list(_figures(paths, temporary / "figures", titles))
        _write(temporary / "index.html", "index", **layout, **_results(metrics), figures=figures)
        _write(temporary / "model_card.html", "card", **layout, card=_card(paths))
        if compared:
            _write(temporary / "comparison.html", "comparison", **layout, **compared)
        notebooks = [paths.notebooks / path.name for path in executed]
        for path in [*notebooks, lessons_dir() / GLOSSARY] if executed else []:
            (temporary / f"{path.stem}.html").write_text(_lesson(path, layout), encoding="utf-8")
    return folder / "index.html"


def _explorer(paths: RunPaths, folder: Path) -> str:
    """Write the explorer of the run's model; why there is none, or nothing."""
    from .run_page import write_run_page

    try:
        write_run_page(paths, folder, back=("../index.html", f"Report of run {paths.run}"))
    except (MissingResult, ModelError) as error:
        return str(error)
    return ""


def comparison(paths: RunPaths, other: RunPaths) -> dict[str, Any]:
    """The values of the comparison page: metrics of both runs, paired differences, and settings that differ."""
    import pandas as pd

    from ..errors import DataError
    from ..evaluation.significance import compare

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


def _results(metrics: dict[str, Any]) -> dict[str, Any]:
    """The values of the results page."""
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


def _figures(paths: RunPaths, target: Path, titles: dict[str, str]) -> Iterator[dict[str, Any]]:
    """Each figure with the alternative text in its file and, as caption, the paragraph before it in its lesson."""
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
    text = path.read_text(encoding="utf-8") if path.is_file() else "Lesson 05 writes the model card."
    return _markdown(re.sub(r"\A---\n.*?\n---\n", "", text, flags=re.DOTALL))


def _title(path: Path) -> str:
    first = "".join(json.loads(path.read_text(encoding="utf-8"))["cells"][0]["source"]).splitlines()[0]
    return first.removeprefix("# ")


def _markdown(text: str) -> str:
    """Convert Markdown to HTML. HTML in it is untrusted and is shown as text."""
    html = mistune.create_markdown(escape=True, plugins=["table"])(text)
    return re.sub(r'href="(\w+)\.ipynb', r'href="\1.html', str(html))


def _write(path: Path, template: str, **values: Any) -> None:
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(_TEMPLATES),
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
        undefined=jinja2.StrictUndefined,
    )
    path.write_text(environment.get_template(f"{template}.html").render(page=path.name, **values), encoding="utf-8")


def _lesson(path: Path, layout: dict[str, Any]) -> str:
    """An executed lesson as an HTML page that works offline."""
    notebook = nbformat.read(path, as_version=4)
    notebook.metadata.pop("widgets", None)  # widgets need a kernel; without them nbconvert exports their pictures
    for cell in notebook.cells:
        if cell.cell_type == "markdown":
            cell.source = re.sub(r"\((\w+)\.ipynb", r"(\1.html", cell.source)
    exporter = HTMLExporter(
        extra_loaders=[jinja2.FileSystemLoader(_TEMPLATES)], template_file="lesson.html.j2", anchor_link_text=""
    )
    page = f"{path.stem}.html"
    title = dict(layout["pages"])[page]
    resources = {"metadata": {"name": title}, "report": {**layout, "page": page}}
    html, _ = exporter.from_notebook_node(notebook, resources=resources)
    return html
