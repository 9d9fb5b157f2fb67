import dataclasses
import json
import os
import shutil
from pathlib import Path

import nbformat
import pandas as pd
import pytest
from support import read_records
from support.killing import KILLS, kill_until

from sentiment_lib import evaluate
from sentiment_lib.course import series
from sentiment_lib.course.series import lessons, parameters_of, run_series
from sentiment_lib.errors import LessonError, SettingsError
from sentiment_lib.settings import make_settings

FIGURES = """
    review_lengths baselines baselines_agreement imdb_learning_curves training_curve confusion_matrix differences
    precision_recall_curve roc_curve thresholds probabilities reliability slices word_effects behaviour
    attention_weights attention_norms attention_pair head_statistics head_importance heads_left patching_positions
    patching_heads attributions deletion_curves comprehensiveness learning_curve ablation imdb_learning_curves_all
""".split()  # noqa: SIM905


def test_all_lessons_run_in_order(small_run):
    settings, done = small_run
    assert [lesson.name for lesson in done] == [path.stem for path in lessons()]
    assert all(lesson.notebook.is_file() and lesson.seconds > 0 for lesson in done)
    for name in ("glossary.ipynb", "images/flow_03.svg"):
        assert (settings.paths.notebooks / name).is_file()


def test_keys_and_values_of_metrics_json(small_run, tiny_checkpoint):
    settings, _ = small_run
    metrics = json.loads(settings.paths.metrics.read_text())
    assert {"preset", "source", "model", "settings", "seed", "versions", "train", "test"} <= set(metrics)
    assert (metrics["source"], metrics["model"]) == (settings.source, str(tiny_checkpoint))
    assert metrics["settings"] == settings.to_dict()
    assert metrics["versions"]["torch"]
    assert metrics["train"]["examples"] == 86
    assert metrics["train"]["seconds"] > 0
    assert metrics["train"]["examples_per_second"] == pytest.approx(86 * 3 / metrics["train"]["seconds"])
    expected = {"examples", "accuracy", "precision", "recall", "f1", "average_precision", "roc_auc", "confusion_matrix"}
    assert expected <= set(metrics["test"])


def test_metrics_json_has_intervals_comparisons_calibration_slices_and_behaviour(small_run):
    settings, _ = small_run
    metrics = json.loads(settings.paths.metrics.read_text())
    for name in ("accuracy", "f1", "average_precision", "roc_auc"):
        interval = metrics["intervals"][name]
        assert interval["estimate"] == pytest.approx(metrics["test"][name], abs=1e-9)
        assert interval["low"] <= interval["estimate"] <= interval["high"]
    baselines = ["majority class", "VADER lexicon", "TF-IDF + logistic regression", "linear probe"]
    assert [row["second"] for row in metrics["comparisons"]] == baselines == list(metrics["baselines"])
    assert all(0 <= row["p_mcnemar"] <= row["p_holm"] <= 1 for row in metrics["comparisons"])
    assert {"temperature", "slope", "shift", "as trained", "temperature scaled"} <= set(metrics["calibration"])
    assert {"ece_width", "ece_mass", "brier", "p_width"} <= set(metrics["calibration"]["as trained"])
    assert metrics["thresholds"][0]["aim"] == "f1"
    assert {"subject", "slice", "count", "accuracy", "low", "high", "p_holm", "verdict"} <= set(metrics["slices"][0])
    assert list(metrics["behaviour"]) == ["BERT", *baselines[1:], "shortcut"]
    assert [row["promised"] for row in metrics["prediction_sets"]] == [0.9]  # too few reviews for 0.95
    assert 0 <= metrics["label_issues"]["suspicious"] < metrics["label_issues"]["of"]
    assert set(metrics["threshold_gains"]) == {"validation", "test"}
    assert len(metrics["behaviour"]["BERT"]) >= 12


def test_the_model_card_quotes_the_run(small_run):
    from huggingface_hub import ModelCard

    settings, _ = small_run
    metrics = json.loads(settings.paths.metrics.read_text())
    card = ModelCard.load(settings.paths.model / "README.md")
    quoted = {result.metric_type: result.metric_value for result in card.data.eval_results}
    assert quoted["accuracy"] == round(metrics["test"]["accuracy"], 4)
    assert f"Trained on {metrics['train']['examples']} reviews" in card.text
    assert str(settings.source) not in card.text


def test_the_results_of_lesson_07_are_kept(small_run):
    settings, _ = small_run
    found = json.loads(settings.paths.heads.read_text())
    assert sum(found["kinds"].values()) == len(found["heads"]) == 4
    assert set(found["pruned"]) == {"by need", "by gradient"}
    for measure in ("comprehensiveness", "sufficiency", "compared"):
        for row in found[measure].values():
            assert row["low"] <= row["estimate"] <= row["high"]
    # a single word decides the label, so leaving it out must matter
    assert found["comprehensiveness"]["leave one out"]["low"] > found["comprehensiveness"]["random"]["high"]
    assert found["rank_agreement"]["random"]["low"] <= 0 <= found["rank_agreement"]["random"]["high"]
    register = json.loads((settings.paths.results / "register.json").read_text())
    assert {name[:14] for name in register} == {"negation heads", "previous token", "repair"}
    assert "cost" in register["repair"]["outcomes"][-1]["deviations"]  # this corpus has no sealed reviews


def test_the_trials_of_lesson_08_are_kept(small_run):
    from sentiment_lib.experiments.records import table_of_runs

    settings, _ = small_run
    table = table_of_runs(read_records(settings.paths.experiments))
    assert {"BERT", "TF-IDF + logistic regression", "linear probe"} == set(table["method"])
    assert 2.0 in set(table["trained_layers"])
    assert set(table["train_size"]) == {43}


def test_the_metrics_are_those_of_the_saved_predictions(small_run):
    settings, _ = small_run
    predictions = pd.read_parquet(settings.paths.predictions)
    assert list(predictions) == ["text", "label", "probability", "predicted"]
    metrics = json.loads(settings.paths.metrics.read_text())
    assert evaluate(predictions["label"], predictions["probability"]).to_dict() == metrics["test"]
    assert metrics["test"]["accuracy"] > 0.9  # a single word decides the label, which even a tiny model learns


def test_the_figures_are_saved(small_run):
    settings, _ = small_run
    for name in FIGURES:
        assert (settings.paths.figures / f"{name}.png").stat().st_size > 5000


def test_executed_lessons_have_outputs_and_no_errors_even_in_widgets(small_run):
    _settings, done = small_run
    for lesson in done:
        notebook = nbformat.read(lesson.notebook, as_version=4)
        cells = [cell for cell in notebook.cells if cell.cell_type == "code"]
        assert any(cell.outputs for cell in cells)
        text = json.dumps(notebook)
        assert '"output_type": "error"' not in text
        assert "injected-parameters" in text


def test_a_later_lesson_can_be_run_by_itself(small_run):
    settings, _ = small_run
    times = {path: path.stat().st_mtime_ns for path in settings.paths.experiments.glob("*/metrics.json")}
    assert [lesson.name[:2] for lesson in run_series(settings, "08")] == ["08", "09"]
    assert {path: path.stat().st_mtime_ns for path in times} == times  # no trial was run again


def test_a_killed_series_ends_as_one_that_was_not(small_run, tiny_checkpoint, tmp_path):
    """Kill `run --resume` once in the second half of the series (in `make soak` 20 times, from the start)."""
    settings, done = small_run
    source = Path(settings.source)
    environment = os.environ | {"SENTIMENT_LIB_HOME": str(tmp_path)}
    command = ["-m", "sentiment_lib", "run", "--resume", "--name", "small", "--source", str(source)]
    command += ["--model", str(tiny_checkpoint), "--set", "epochs=3", "learning_rate=3e-3", "batch_size=8"]
    reference, rounds = settings.paths, []
    soak = KILLS > 2
    if not soak:
        copy_first_half(reference.results, tmp_path / "results" / "small")

    def compare():
        folder = tmp_path / "results" / "small"
        pd.testing.assert_frame_equal(
            pd.read_parquet(folder / "predictions.parquet"), pd.read_parquet(reference.predictions), atol=1e-6
        )
        for name in ("metrics.json", "heads.json"):
            actual, expected = (json.loads((parent / name).read_text()) for parent in (folder, reference.results))
            assert without_times(actual) == without_times(expected)
        names = {path.name for path in (folder / "notebooks").iterdir()}
        assert names == {f"{lesson.name}.ipynb" for lesson in done} | {"glossary.ipynb", "images"}
        assert_no_errors(folder / "notebooks")
        rounds.append(1)
        shutil.rmtree(tmp_path / "results")

    # Lessons 04 to 09 take less time than before, as the trials of lesson 08 are there; in half of it they are at work.
    longest, rest = max(lesson.seconds for lesson in done), sum(lesson.seconds for lesson in done[4:])
    seconds = 1.5 * longest if soak else rest / 2
    moments = kill_until(command, KILLS if soak else 1, seconds, compare, seed=2, env=environment)
    print(f"series: {len(moments)} kills in {len(rounds)} rounds, after {[round(m) for m in moments]} s")


def copy_first_half(results, target):
    """Copy the results of a run as they were after lesson 03, but with the trials of lesson 08."""
    shutil.copytree(results, target, ignore=shutil.ignore_patterns("report", "0[4-9]_*.ipynb"))
    for name in ("metrics.json", "predictions.parquet", "heads.json", "model/README.md"):
        (target / name).unlink()
    record = json.loads((target / "series.json").read_text())
    record["done"] = {name: value for name, value in record["done"].items() if name < "04"}
    (target / "series.json").write_text(json.dumps(record))


def without_times(value):
    """The value without the measured times in it, and with rounded numbers."""
    if isinstance(value, dict):
        return {k: without_times(v) for k, v in value.items() if "second" not in k or k in ("second", "second_right")}
    if isinstance(value, list):
        return [without_times(item) for item in value]
    return round(value, 6) if isinstance(value, float) else value


def assert_no_errors(folder):
    for path in folder.glob("*.ipynb"):
        assert '"output_type": "error"' not in path.read_text()


def test_lessons_done_are_skipped_unless_settings_or_code_changed(small_run, monkeypatch):
    settings, done = small_run
    assert list(series.lessons_done(settings)) == [lesson.name for lesson in done]
    assert list(run_series(settings, resume=True)) == []
    assert series.lessons_done(dataclasses.replace(settings, epochs=2.0)) == {}
    monkeypatch.setattr(series, "_code_hash", lambda: "changed")
    assert series.lessons_done(settings) == {}


def test_an_unknown_lesson_is_refused(home):
    with pytest.raises(SettingsError, match=r"There is no lesson '17' to start from\. Lessons: 00, 01, 02, 03"):
        list(run_series(make_settings(), "17"))


def test_settings_can_be_made_again_from_their_parameters():
    settings = make_settings("imdb", run="mine", epochs=1, train_size=100)
    parameters = parameters_of(settings)
    assert parameters == {"preset": "imdb", "run": "mine", "overrides": {"epochs": 1.0, "train_size": 100}}
    assert make_settings(parameters["preset"], run=parameters["run"], **parameters["overrides"]) == settings


def write_lesson(folder, *sources, tags=("parameters",)):
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(source) for source in sources])
    notebook.cells[0].metadata["tags"] = list(tags)
    notebook.metadata["kernelspec"] = {"name": "python3", "display_name": "Python 3", "language": "python"}
    nbformat.write(notebook, folder / "00_broken.ipynb")


def test_the_error_of_a_failing_lesson_names_its_cell_and_the_notebook_is_kept(home, monkeypatch):
    write_lesson(home, "preset = 'quick'\nrun = None\noverrides = {}", "print('so far')", "1 / 0", "print('never')")
    monkeypatch.setattr(series, "lessons_dir", lambda: home)
    with pytest.raises(LessonError) as caught:
        list(run_series(make_settings(run="broken")))
    message = str(caught.value)
    assert "Lesson 00_broken failed in cell" in message
    assert "ZeroDivisionError: division by zero" in message
    kept = home / "results" / "broken" / "notebooks" / "00_broken.ipynb"
    assert "results/broken/notebooks/00_broken.ipynb" in message
    text = kept.read_text()
    assert "so far" in text
    assert "ZeroDivisionError" in text
    assert "never\\n" not in text


def test_the_error_of_a_dead_kernel_gives_the_likely_cause(home, monkeypatch):
    write_lesson(
        home, "preset = 'quick'\nrun = None\noverrides = {}", "print('so far')", "import os\nos.kill(os.getpid(), 9)"
    )
    monkeypatch.setattr(series, "lessons_dir", lambda: home)
    with pytest.raises(
        LessonError, match="Lesson 00_broken failed: its kernel died, most likely because memory ran out"
    ):
        list(run_series(make_settings(run="broken")))
    kept = home / "results" / "broken" / "notebooks"
    assert [path.name for path in kept.glob("*.ipynb")] == ["00_broken.ipynb"]
    assert "so far" in (kept / "00_broken.ipynb").read_text()


def test_a_missing_parameter_is_an_error_before_any_lesson_runs(home, monkeypatch):
    write_lesson(home, "preset = 'quick'", "1 / 0")
    monkeypatch.setattr(series, "lessons_dir", lambda: home)
    with pytest.raises(LessonError, match="missing: overrides, run"):
        list(run_series(make_settings(run="broken")))
    assert not (home / "results").exists()


def test_the_environment_is_restored(home, monkeypatch):
    before = dict(os.environ)
    with series._kernel_environment():
        assert os.environ["SENTIMENT_LIB_PROGRESS"] == "off"
    assert dict(os.environ) == before
