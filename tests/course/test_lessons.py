"""The lessons as committed, and the results that they wrote when nbval ran them with the preset quick."""

import itertools
import json
import re
import statistics

import nbformat
import pandas as pd
import pytest

from sentiment_lib.course.series import lessons
from sentiment_lib.course.site import write_site
from sentiment_lib.experiments import shipped_records

NOTEBOOKS = {path.stem: nbformat.read(path, as_version=4) for path in lessons()}
every_lesson = pytest.mark.parametrize("name", NOTEBOOKS)


def code_cells(name):
    return [cell for cell in NOTEBOOKS[name].cells if cell.cell_type == "code"]


def prose(name):
    return "\n\n".join(cell.source for cell in NOTEBOOKS[name].cells if cell.cell_type == "markdown")


def test_the_lessons_are_complete_and_each_links_to_the_next():
    assert [name[:2] for name in NOTEBOOKS] == [f"0{i}" for i in range(10)]
    names = list(NOTEBOOKS)
    for name, following in itertools.pairwise(names):
        assert f"({following}.ipynb)" in NOTEBOOKS[name].cells[-1].source + NOTEBOOKS[name].cells[-2].source


@every_lesson
def test_each_lesson_has_its_introduction_and_summary(name):
    first, last = NOTEBOOKS[name].cells[0].source, NOTEBOOKS[name].cells[-1].source
    assert first.startswith(f"# {name[:2]} · ")
    assert f"](images/flow_{name[:2]}.svg)" in first
    for part in ("ou will be able to**", "**You need first:**", "**Time:**", "**Key terms:**"):
        assert part in first, part
    assert re.search(r"\d+ minutes", first)
    assert last.startswith("## Summary")
    reading = last.partition("## Further reading")[2].partition("**Next:**")[0]
    assert len(re.findall(r"^- .*\*.+\*.*(19|20)\d\d", reading, re.MULTILINE)) >= 2  # a title in italics and a year
    assert "?" in last.partition("**Next:**")[2]


@every_lesson
def test_admonitions_have_known_kinds_and_include_a_common_mistake(name):
    text = prose(name)
    kinds = re.findall(r"^> \*\*([A-Z][a-z ]+)\.\*\*", text, re.MULTILINE)
    assert set(kinds) <= {"Note", "Tip", "Warning", "Common mistake"}
    assert "Common mistake" in kinds
    assert len(kinds) >= 2
    quotes = re.findall(r"(?:^|\n\n)> (.*)", text)
    assert all(quote.startswith("**") for quote in quotes)


@every_lesson
def test_length_of_the_prose_and_levels_of_headings(name):
    assert len(prose(name).split()) >= 700
    levels = [len(mark) for mark in re.findall(r"^(#+) ", prose(name), re.MULTILINE)]
    assert levels[0] == 1
    assert levels.count(1) == 1
    assert all(after <= before + 1 for before, after in itertools.pairwise(levels))  # no level is skipped


@every_lesson
def test_code_cells_are_short_and_follow_prose(name):
    for before, cell in itertools.pairwise(NOTEBOOKS[name].cells):
        if cell.cell_type == "code":
            assert before.cell_type == "markdown", cell.source
            assert len(cell.source.splitlines()) <= 20, cell.source
    assert statistics.median(len(cell.source.splitlines()) for cell in code_cells(name)) <= 8


def test_key_terms_are_in_the_glossary_which_is_sorted():
    glossary = nbformat.read(lessons()[0].parent / "glossary.ipynb", as_version=4)
    headings = re.findall(r"^## (.+)$", "\n".join(cell.source for cell in glossary.cells), re.MULTILINE)
    assert len(headings) >= 50
    assert headings == sorted(headings, key=str.lower)
    anchors = {heading.replace(" ", "-") for heading in headings}
    cells = {cell.id for cell in glossary.cells}
    assert {anchor.lower() for anchor in anchors} <= cells
    for name in NOTEBOOKS:
        # links name the cell, not the heading: JupyterLab cannot find a heading before the notebook is fully rendered
        linked = re.findall(r"\(glossary\.ipynb#cell-id=([^)]+)\)", prose(name))
        assert len(linked) >= 5
        assert set(linked) <= cells, set(linked) - cells
    text = "\n".join(cell.source for cell in glossary.cells)
    assert set(re.findall(r"\(#([^)]+)\)", text)) <= anchors
    assert set(re.findall(r"\((\d\d_\w+)\.ipynb\)", text)) <= set(NOTEBOOKS)


@every_lesson
def test_nothing_in_a_lesson_is_loaded_from_the_network(name):
    for cell in NOTEBOOKS[name].cells:
        shown = [cell.source, *(str(output.get("data", "")) for output in cell.get("outputs", []))]
        for text in shown:
            assert not re.search(r"(src|href)=[\"']?(https?:)?//|!\[[^]]*\]\(https?:|@import|url\(['\"]?http", text)


@every_lesson
def test_the_parameters_cell_is_the_same_in_all_lessons(name):
    tagged = [cell for cell in code_cells(name) if "parameters" in cell.metadata.get("tags", [])]
    assert len(tagged) == 1
    values = {}
    exec(tagged[0].source, values)
    assert (values["preset"], values["run"], values["overrides"]) == ("quick", None, {})


@every_lesson
def test_lessons_are_committed_with_outputs_of_a_run_in_order_without_errors(name):
    assert [cell.execution_count for cell in code_cells(name)] == list(range(1, len(code_cells(name)) + 1))
    assert all(output.output_type != "error" for cell in code_cells(name) for output in cell.outputs)
    assert NOTEBOOKS[name].metadata.kernelspec.name == "python3"


@every_lesson
def test_only_tags_that_papermill_and_nbval_know(name):
    tags = {tag for cell in NOTEBOOKS[name].cells for tag in cell.metadata.get("tags", [])}
    assert tags <= {"parameters", "nbval-ignore-output"}


@every_lesson
def test_a_lesson_is_small_and_contains_no_local_paths(name):
    path = next(p for p in lessons() if p.stem == name)
    assert path.stat().st_size < 1_000_000
    text = path.read_text()
    assert not re.search(r"/(home|root|tmp|work|Users)/", text)


@every_lesson
def test_every_picture_has_alternative_text(name):
    for cell in code_cells(name):
        for output in cell.outputs:
            if "image/png" in output.get("data", {}):
                assert len(output.metadata["image/png"]["alt"]) > 40


@every_lesson
def test_links_between_lessons_have_a_target(name):
    links = re.findall(r"\]\(([^)#]+\.ipynb)\)", "\n".join(cell.source for cell in NOTEBOOKS[name].cells))
    assert links
    assert {link.removesuffix(".ipynb") for link in links} <= {*NOTEBOOKS, "glossary"}


# Bounds on the results of cells tagged nbval-ignore-output, which nbval does not compare.


def test_quick_reaches_its_stated_accuracy(quick_run):
    metrics = json.loads(quick_run.metrics.read_text())
    assert metrics["test"]["examples"] == 1902
    assert metrics["train"]["examples"] == 6846
    assert metrics["test"]["accuracy"] > 0.84
    assert metrics["test"]["average_precision"] > 0.91
    assert metrics["test"]["roc_auc"] > 0.91
    assert 0.4 < metrics["test"]["confusion_matrix"][0][0] / 959 < 1


def test_predictions_of_quick_are_balanced(quick_run):
    predictions = pd.read_parquet(quick_run.predictions)
    assert 0.4 < predictions["predicted"].mean() < 0.6
    wrong = predictions[predictions["predicted"] != predictions["label"]]
    assert 0.05 < len(wrong) / len(predictions) < 0.16


def test_the_training_history_of_quick_is_a_learning_curve(quick_run):
    training = json.loads(quick_run.training.read_text())
    losses = [row["loss"] for row in training["history"] if row["loss"] is not None]
    assert losses[0] == pytest.approx(0.69, abs=0.06)
    assert losses[-1] < 0.3
    assert max(row["validation_accuracy"] or 0 for row in training["history"]) > 0.84


def test_quick_saved_its_figures(quick_run):
    names = {path.stem for path in quick_run.figures.glob("*.png")}
    assert {
        "training_curve",
        "confusion_matrix",
        "precision_recall_curve",
        "attention_weights",
        "review_lengths",
    } <= names


def test_bert_is_significantly_better_than_word_counts(quick_run):
    metrics = json.loads(quick_run.metrics.read_text())
    comparisons = {row["second"]: row for row in metrics["comparisons"]}
    gap = comparisons["TF-IDF + logistic regression"]["differences"]["accuracy"]
    assert gap["estimate"] > 0.06
    assert gap["low"] > 0.04
    assert comparisons["TF-IDF + logistic regression"]["p_holm"] < 1e-6
    assert comparisons["linear probe"]["p_holm"] < 1e-4
    accuracy = {name: row["accuracy"] for name, row in metrics["baselines"].items()}
    assert 0.74 < accuracy["TF-IDF + logistic regression"] < 0.80
    assert 0.62 < accuracy["VADER lexicon"] < 0.70
    assert accuracy["majority class"] < 0.53


def test_calibration_improves_with_temperature_and_with_slope_and_shift(quick_run):
    calibration = json.loads(quick_run.metrics.read_text())["calibration"]
    methods = ("as trained", "temperature scaled", "slope and shift")
    trained, scaled, shifted = (calibration[name]["ece_width"] for name in methods)
    assert 1.1 < calibration["temperature"] < 2.5
    assert 0.03 < trained["estimate"] < 0.1
    assert scaled["estimate"] < 0.8 * trained["estimate"]
    assert shifted["estimate"] < 0.7 * trained["estimate"]
    assert calibration["temperature scaled"]["log_loss"] < calibration["as trained"]["log_loss"]


def test_slices_and_behaviour_of_quick_match_lesson_05(quick_run):
    metrics = json.loads(quick_run.metrics.read_text())
    slices = {row["slice"]: row for row in metrics["slices"]}
    assert metrics["slices"][0]["slice"] == "rated 0 to 0.5 from neutral"
    assert slices["rated 2 to 4 from neutral"]["verdict"] == "better"
    assert slices["with a contrast (but, although, ...)"]["accuracy"] < metrics["test"]["accuracy"]
    rates = {name: row["failure_rate"] for name, row in metrics["behaviour"]["BERT"].items()}
    assert rates["plain words"] < 0.1
    assert rates["negated praise"] < 0.2
    assert rates["negated blame"] > 0.4
    assert len(rates) >= 12


def test_what_lesson_07_kept(quick_run):
    found = json.loads(quick_run.heads.read_text())
    assert sum(found["kinds"].values()) == len(found["heads"]) == 72
    assert {"by need", "by gradient"} == set(found["pruned"])
    assert all(0.01 <= row["p"] <= row["p_holm"] <= 1 for row in found["pruned"].values())
    negation = found["negation"]
    assert len(negation["named"]) == 5
    assert 0.5 < negation["low"] < negation["recovered"] < negation["high"] < 1
    assert negation["p"] == 0.01
    assert all(row["low"] <= row["estimate"] <= row["high"] for row in found["compared"].values())


def test_the_register_keeps_what_was_refuted(quick_run):
    entries = json.loads((quick_run.results / "register.json").read_text())
    verdicts = {name[:14]: entry["outcomes"][-1]["verdict"] for name, entry in entries.items()}
    assert verdicts == {"negation heads": "confirmed", "previous token": "refuted", "repair": "confirmed"}
    assert all(entry["outcomes"][-1]["deviations"] == {} for entry in entries.values())
    assert entries["repair"]["opened"] >= entries["repair"]["sealed"]
    (shipped,) = shipped_records("negation")
    assert entries["repair"]["plan"] == shipped["plan"]


def test_the_fine_tuned_model_separates_plain_praise_from_blame(quick_run):
    from sentiment_lib import initialize_model_and_tokenizer, predict

    model, tokenizer = initialize_model_and_tokenizer(str(quick_run.model))
    good, bad = predict(["A wonderful film.", "A terrible film."], model, tokenizer)
    assert good > 0.9
    assert bad < 0.1


def test_the_site_with_the_bundled_model_stays_below_48_megabytes(quick_run, tmp_path):
    folder = write_site(quick_run, tmp_path / "site").parent
    assert 30e6 < sum(path.stat().st_size for path in folder.rglob("*") if path.is_file()) < 48e6
    assert '"corpus": ["' in (folder / "explorer" / "index.html").read_text()  # snippets may be passed on
