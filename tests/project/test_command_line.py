import json
import os
import subprocess
import sys

import pandas as pd
import pytest

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
        (["predict"], "Give either texts or --input FILE"),
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
    (tmp_path / "in.csv").write_text("review\nA joy\nDull\n")
    command = ["predict", "--input", str(tmp_path / "in.csv"), "--output", str(tmp_path / "out.jsonl")]
    assert main(command) == 1
    assert "There is no column 'text'" in capsys.readouterr().err
    assert main([*command, "--text-column", "review"]) == 0
    assert [json.loads(line)["review"] for line in (tmp_path / "out.jsonl").read_text().splitlines()] == [
        "A joy",
        "Dull",
    ]


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
