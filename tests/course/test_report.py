"""The report of a run: contents, use offline, accessibility, and hostile texts in the data."""

import html
import json
import re
import shutil

import numpy as np
import pytest
from PIL import Image
from PIL.PngImagePlugin import PngInfo
from support.browser import chromium_page, listen, serious
from support.hostile import HOSTILE, check_page
from support.pages import dead_links, links

from sentiment_lib.cli import main
from sentiment_lib.course.report import comparison, write_report
from sentiment_lib.course.series import lessons
from sentiment_lib.errors import DataError, ModelError
from sentiment_lib.run.paths import RunPaths


@pytest.fixture(scope="module")
def other(small_run):
    """A second run: the results of the first with three predictions changed."""
    import pandas as pd

    settings, _ = small_run
    paths = RunPaths("other")
    shutil.copytree(settings.paths.results, paths.results, ignore=shutil.ignore_patterns("report", "experiments"))
    metrics = json.loads(paths.metrics.read_text())
    metrics["settings"]["epochs"] = 1.0
    paths.metrics.write_text(json.dumps(metrics))
    predictions = pd.read_parquet(paths.predictions)
    predictions.loc[:2, "probability"] = 1 - predictions.loc[:2, "probability"]
    predictions.to_parquet(paths.predictions)
    return paths


@pytest.fixture(scope="module")
def report(small_run, other, tmp_path_factory):
    """A copy of the report with a comparison: other tests write the run's own report anew."""
    settings, _ = small_run
    written = write_report(settings.paths, other).parent
    return shutil.copytree(written, tmp_path_factory.mktemp("übung 日本") / "report")


def pages(report):
    return sorted(report.glob("*.html"))


def test_the_pages_are_complete_and_link_to_each_other(report):
    names = {path.name for path in pages(report)}
    fixed = {"index.html", "model_card.html", "comparison.html", "glossary.html"}
    assert names == fixed | {f"{path.stem}.html" for path in lessons()}
    for path in pages(report):
        assert names | {"explorer/index.html"} <= {link.partition("#")[0] for link in links(path)}, path.name
    assert dead_links(report) == []


def test_the_headline_numbers_are_those_of_the_run(report, small_run):
    settings, _ = small_run
    intervals = json.loads(settings.paths.metrics.read_text())["intervals"]
    text = (report / "index.html").read_text()
    for name in ("accuracy", "precision", "recall", "f1", "average_precision", "roc_auc"):
        row = intervals[name]
        assert f"{row['estimate']:.3f} [{row['low']:.3f}, {row['high']:.3f}]" in text
    assert "TF-IDF + logistic regression" in text


def test_every_figure_has_an_alternative_text_and_a_caption(report, small_run):
    settings, _ = small_run
    shown = re.findall(
        r'<img src="figures/(\w+)\.png" alt="([^"]+)".*?<figcaption>(.*?)</figcaption>',
        (report / "index.html").read_text(),
        re.DOTALL,
    )
    assert {name for name, _, _ in shown} == {path.stem for path in settings.paths.figures.glob("*.png")}
    for name, alt, caption in shown:
        assert len(alt) > 40, name
        assert len(re.sub("<.*?>", "", caption)) > 40, name


def test_key_terms_link_to_the_glossary_and_diagrams_are_shown(report):
    anchors = set(re.findall(r'id="([^"]+)"', (report / "glossary.html").read_text()))
    for path in lessons():
        text = (report / f"{path.stem}.html").read_text()
        linked = re.findall(r'href="glossary\.html#([^"]+)"', text)
        assert len(linked) >= 5
        assert {html.unescape(link) for link in linked} <= anchors
        assert 'alt="The flow of data' in text
        assert f'src="images/flow_{path.name[:2]}.svg"' in text


@pytest.mark.browser
def test_keyboard_navigation_and_print_layout(report):
    with chromium_page(offline=True) as page:
        page.goto(f"file://{report / 'index.html'}")
        page.keyboard.press("Tab")
        assert page.evaluate("document.activeElement.textContent") == "Skip to the content"
        page.keyboard.press("Tab")
        assert page.evaluate("document.activeElement.getAttribute('href')") == "index.html"
        assert page.locator("nav a[aria-current=page]").text_content() == "Results"
        page.emulate_media(media="print")
        assert not page.locator("nav.menu").is_visible()
        assert page.locator("h1").is_visible()


@pytest.mark.browser
def test_axe_finds_no_serious_violations(report):
    with chromium_page(offline=True) as page:
        violations = {}
        for name in ("index.html", "comparison.html"):  # the other pages are also those of the site
            page.goto(f"file://{report / name}")
            violations[name] = serious(page, "heading-order", "image-alt")
    violations = {name: rules for name, rules in violations.items() if rules}
    assert not violations, json.dumps(violations, indent=1)


@pytest.mark.browser
def test_the_report_has_the_explorer_with_its_model(report):
    with chromium_page(offline=True) as page:
        requested, errors = listen(page)
        page.goto(f"file://{report / 'index.html'}")
        page.get_by_role("link", name="Explorer").first.click()
        page.wait_for_selector("[data-shown]")
        page.get_by_role("link", name="Run small").click()
        page.wait_for_selector("text=Results of run small")
        assert [url for url in requested if not url.startswith(("file:", "blob:"))] == []
        assert errors == []


def test_a_report_without_the_explorer_says_why(small_run, monkeypatch, capsys):
    settings, _ = small_run
    assert main(["report", "--name", "small", "--no-model"]) == 0
    folder = settings.paths.results / "report"
    assert not (folder / "explorer").exists()
    assert "This report has no explorer: left out (--no-model)" in (folder / "index.html").read_text()

    def refuse(*_, **__):
        raise ModelError("A page computes another kind of model.")

    monkeypatch.setattr("sentiment_lib.course.run_page.write_page", refuse)
    write_report(settings.paths)
    assert "This report has no explorer: A page computes another kind of model." in (folder / "index.html").read_text()


def test_the_page_command(small_run, tmp_path, capsys):
    settings, _ = small_run
    assert main(["page", "--name", "small"]) == 0
    assert capsys.readouterr().out.strip() == "results/small/page/index.html"
    folder = settings.paths.results / "page"
    data = data_of(folder / "index.html")
    assert 0 < len(data["corpus"]) <= 200
    assert np.shape(data["changed"]) == (2, 2)
    assert all(len(pair) == 3 for pair in data["pairs"])
    assert any(title.startswith("validation 1: ") for title, _ in data["reviews"])

    other = tmp_path / "mine"
    assert main(["page", "--name", "small", "--output", str(other), "--corpus", "0", "--weights", "float16"]) == 0
    data = data_of(other / "index.html")
    assert data["corpus"] == []
    assert not any(title.startswith("validation") for title, _ in data["reviews"])
    assert main(["page", "--name", "small", "--output", str(other)]) == 0  # a page is replaced
    (tmp_path / "thesis.txt").write_text("mine")
    assert main(["page", "--name", "small", "--output", str(tmp_path)]) == 2
    assert "holds other files" in capsys.readouterr().err
    assert (tmp_path / "thesis.txt").read_text() == "mine"
    assert main(["page", "--name", "small", "--corpus", "-1"]) == 2
    assert main(["page", "--name", "nobody"]) == 1
    assert "Run lesson 03 first" in capsys.readouterr().err


def data_of(page):
    return json.loads(re.search(r'<script type="application/json" id="data">(.*?)</script>', page.read_text())[1])


def test_the_comparison_page(report, small_run, other):
    settings, _ = small_run
    text = (report / "comparison.html").read_text()
    assert "small and other side by side" in text
    assert re.search(r"<th scope=\"row\">epochs</th><td>3.0</td><td>1.0</td>", text)
    values = comparison(settings.paths, other)
    assert values["test"].only_first_right + values["test"].only_second_right == 3
    assert f"{values['common']} common reviews" in text


def test_runs_without_common_reviews_cannot_be_compared(small_run, other):
    import pandas as pd

    settings, _ = small_run
    original = other.predictions.read_bytes()
    predictions = pd.read_parquet(other.predictions)
    predictions.assign(text=predictions["text"] + "!").to_parquet(other.predictions)
    try:
        with pytest.raises(DataError, match="have no test reviews of both labels in common"):
            write_report(settings.paths, other)
    finally:
        other.predictions.write_bytes(original)


def test_the_command(small_run, capsys):
    assert main(["report", "--name", "small"]) == 0
    assert capsys.readouterr().out.strip() == "results/small/report/index.html"
    assert main(["report", "--name", "nobody"]) == 1
    assert "Run lesson 04 first" in capsys.readouterr().err


@pytest.mark.browser
def test_hostile_texts_are_escaped_in_the_report(small_run):
    settings, _ = small_run
    paths = RunPaths("hostile")
    shutil.copytree(
        settings.paths.results, paths.results, ignore=shutil.ignore_patterns("report", "experiments", "dataset")
    )
    shutil.copytree(settings.paths.figures, paths.figures)
    metrics = json.loads(paths.metrics.read_text())
    metrics |= {"source": HOSTILE[0], "model": HOSTILE[1], "versions": {text: text for text in HOSTILE}}
    metrics["settings"] |= {"source": HOSTILE[3], "text_column": HOSTILE[4]}
    metrics["slices"] = [
        row | {"subject": text, "slice": text} for row, text in zip(metrics["slices"], HOSTILE, strict=False)
    ]
    paths.metrics.write_text(json.dumps(metrics))
    (paths.model / "README.md").write_text("# Card\n\n" + "\n\n".join(HOSTILE))
    for path in paths.figures.glob("*.png"):
        with Image.open(path) as picture:
            info = PngInfo()
            info.add_itxt("Description", " ".join(HOSTILE))
            picture.save(path, pnginfo=info)
    folder = write_report(paths, settings.paths).parent
    for name in ("index.html", "model_card.html", "comparison.html"):
        content = html.unescape(check_page(folder / name))
        assert "onerror" in content
        assert (folder / name).read_text().count("<script") == 1  # our own
