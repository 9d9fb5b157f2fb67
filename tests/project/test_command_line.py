import csv
import json
import os
import subprocess
import sys

import pandas as pd
import pytest
from support import write_reviews

from sentiment_lib import Classifier
from sentiment_lib.cli import main, make_parser, settings_from
from sentiment_lib.course.series import parameters_of
from sentiment_lib.errors import SettingsError
from sentiment_lib.model.training import save_training
from sentiment_lib.run.files import write_json
from sentiment_lib.settings import make_settings


def settings_of(*options):
    return settings_from(make_parser().parse_args(["run", *options]))


def test_options_become_settings(tmp_path, monkeypatch):
    (tmp_path / "mine.csv").write_text("text,label\n")
    monkeypatch.chdir(tmp_path)
    settings = settings_of(
        "--preset",
        "imdb",
        "--source",
        "mine.csv",
        "--set",
        "epochs=1",
        "train_size=50",
        "--set",
        "seed=3",
        "--name",
        "x",
    )
    assert (settings.preset, settings.epochs, settings.train_size, settings.seed) == ("imdb", 1.0, 50, 3)
    assert (settings.run, settings.source) == ("x", str(tmp_path / "mine.csv"))
    assert settings_of("--model", "org/name").model == "org/name"


def test_a_continued_run_keeps_its_settings(home, tmp_path):
    source = tmp_path / "mine.csv"
    source.write_text("review,label\n")
    original = settings_of(
        "--preset", "imdb", "--name", "mine", "--source", str(source), "--set", "text_column=review", "epochs=1"
    )
    write_json(original.paths.series, {"parameters": parameters_of(original), "code": "", "done": {}})
    for options in (
        ["--resume"],
        ["--from", "04"],
        ["--resume", "--set", "epochs=1"],
        ["--resume", "--preset", "imdb"],
    ):
        assert settings_of("--name", "mine", *options) == original
    assert settings_of("--name", "mine", "--from", "06", "--set", "seed=7") == make_settings(
        "imdb", run="mine", source=str(source), text_column="review", epochs=1, seed=7
    )
    assert settings_of("--name", "mine").source == "snippets"  # starts again
    for options, named in ((["--set", "seed=7"], r"seed=7 \(was 0\)"), (["--preset", "quick"], "preset='quick'")):
        with pytest.raises(SettingsError, match=f"Run 'mine' was made with other settings.*{named}"):
            settings_of("--name", "mine", "--resume", *options)
    assert settings_of("--name", "new", "--resume").run == "new"  # there is no run to continue


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["run", "--preset", "fast"], "Unknown preset 'fast'"),
        (["run", "--set", "epochs"], "--set takes KEY=VALUE; got 'epochs'"),
        (["run", "--set", "epoch=1"], "Did you mean 'epochs'?"),
        (["run", "--source", "nowhere.csv"], "There is no source 'nowhere.csv'"),
        (["run", "--from", "99"], "There is no lesson '99'"),
        (["run", "--set", "run=x"], "--set does not take 'run'; give --name x"),
        (["run", "--set", "preset=imdb"], "--set does not take 'preset'; give --preset imdb"),
        (["predict"], "Give either texts (- for standard input) or --input FILE"),
        (["predict", "--input", "a.csv"], "--input and --output go together"),
    ],
)
def test_wrong_calls_exit_with_2_and_a_reason(home, capsys, arguments, message):
    assert main(arguments) == 2
    assert message in capsys.readouterr().err
    assert not (home / "results").exists()


def test_predict_before_training_says_what_to_run(home, capsys):
    assert main(["predict", "A text"]) == 1
    assert "Run lesson 03 first" in capsys.readouterr().err


def a_run(model, tokenizer, **changes):
    """The settings of a run that has a model, though the model has learned nothing."""
    from sentiment_lib.model.training import TrainingResult, save_model

    settings = make_settings(max_length=32, **changes)
    save_model(model, tokenizer, settings.paths.model)
    save_training(TrainingResult(pd.DataFrame(), 1, 1, 1.0, 1.0, None, None), settings)
    return settings


@pytest.fixture
def trained(home, tiny):
    return a_run(*tiny, truncation="tail")


def test_predict_uses_the_settings_of_the_run(home, tiny, tmp_path, monkeypatch):
    a_run(*tiny, text_column="review", precision="float32", device="cpu")
    (tmp_path / "in.csv").write_text("review\nA joy\nDull\n")
    received = {}
    predict = Classifier.predict

    def spy(classifier, texts, **options):
        received.update(classifier.encoding, precision=classifier.precision)
        return predict(classifier, texts, **options)

    monkeypatch.setattr(Classifier, "predict", spy)
    command = ["predict", "--input", str(tmp_path / "in.csv"), "--output", str(tmp_path / "out.csv")]
    assert main(command) == 0
    assert (received["precision"], received["max_length"]) == ("float32", 32)
    assert main([*command, "--device", "gpu"]) == 1


def test_predict_prints_one_line_per_text(trained, capsys):
    assert main(["predict", "A joy.", "Dull <b>."]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.split("  ")[-1] for line in lines] == ["A joy.", "Dull <b>."]
    assert all(line.split()[0] in ("positive", "negative") for line in lines)


def test_predict_a_file(trained, tmp_path, capsys):
    (tmp_path / "in.csv").write_text("Review;id\nA joy, really;1\nDull, slow;2\n", encoding="utf-8")
    command = ["predict", "--input", str(tmp_path / "in.csv"), "--output", str(tmp_path / "out.jsonl")]
    assert main([*command, "--text-column", "text"]) == 1
    assert "There is no column 'text'" in capsys.readouterr().err
    assert main(command) == 0
    assert "2 texts of column 'Review' (semicolons) classified" in capsys.readouterr().out
    rows = [json.loads(line) for line in (tmp_path / "out.jsonl").read_text().splitlines()]
    assert [row["Review"] for row in rows] == ["A joy, really", "Dull, slow"]


def test_predict_reads_standard_input_and_writes_standard_output(trained, tmp_path):
    def run(*arguments, text=None):
        command = [sys.executable, "-m", "sentiment_lib", "predict", *arguments]
        return subprocess.run(command, input=text, capture_output=True, text=True, check=True, env=os.environ)

    lines = "A joy, really.\n\nDull. “Quoted”\n"
    assert [line[17:] for line in run("-", text=lines).stdout.splitlines()] == ["A joy, really.", "", "Dull. “Quoted”"]
    done = run("--input", "-", "--output", "-", text=lines)
    assert [row["text"] for row in csv.DictReader(done.stdout.splitlines())] == ["A joy, really.", "", "Dull. “Quoted”"]
    assert "3 texts of column 'text' (one text per line) classified" in done.stderr
    (tmp_path / "in.jsonl").write_text('{"sentence": "A joy"}\n')
    done = run("--input", str(tmp_path / "in.jsonl"), "--output", "-")
    assert json.loads(done.stdout)["predicted"] in ("negative", "positive")


def test_predict_can_be_told_how_a_file_is_written(trained, tmp_path, capsys):
    (tmp_path / "in.csv").write_bytes("a§b\nnaïve, slow§1\n".encode("mac_roman"))
    command = [
        "predict",
        "--input",
        str(tmp_path / "in.csv"),
        "--output",
        str(tmp_path / "out.csv"),
        "--text-column",
        "a",
    ]
    assert main([*command, "--set", "delimiter=§", "encoding=mac_roman", "header=true"]) == 0
    assert pd.read_csv(tmp_path / "out.csv")["a"].tolist() == ["naïve, slow"]
    assert main([*command, "--set", "epochs=1"]) == 2
    assert "predict --set takes delimiter, encoding, header, quotes; got 'epochs'" in capsys.readouterr().err


@pytest.mark.slow
def test_train_says_what_it_read(home, tiny_checkpoint, tmp_path, capsys):
    source = write_reviews(tmp_path)
    source.write_text(source.read_text() + "So so,neutral\n")
    command = ["train", "--source", str(source), "--model", str(tiny_checkpoint), "--set", "max_length=16"]
    assert main(command) == 1
    assert "drop_label=neutral" in capsys.readouterr().err
    assert main([*command, "drop_label=neutral"]) == 0
    printed = capsys.readouterr().out
    for said in (
        "reviews.csv: 41 rows",
        "labels from column 'label'",
        "dropped: label 'neutral': 1",
        "test: 8 reviews",
    ):
        assert said in printed


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["--help"], ["run", "predict"]),
        (
            ["run", "--help"],
            ["--preset", "--source", "--model", "--set", "--name", "--from", "learning_rate", "examples:"],
        ),
        (["predict", "--help"], ["--input", "--output", "--text-column"]),
    ],
)
def test_help_as_a_user_calls_it(arguments, expected):
    command = [sys.executable, "-m", "sentiment_lib", *arguments]
    done = subprocess.run(command, capture_output=True, text=True, check=True, env=os.environ)
    for text in expected:
        assert text in done.stdout
