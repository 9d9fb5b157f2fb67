import json
import os
import subprocess
import sys
from collections import defaultdict

import pandas as pd
import pytest

from sentiment_lib.__main__ import main, settings_from
from sentiment_lib.command_line import make_parser
from sentiment_lib.results import save_training
from sentiment_lib.settings import make_settings


def asked(*words):
    return settings_from(make_parser(defaultdict(str)).parse_args(["run", *words]))


def test_options_become_settings(tmp_path, monkeypatch):
    (tmp_path / "mine.csv").write_text("text,label\n")
    monkeypatch.chdir(tmp_path)
    settings = asked(
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
    assert asked("--model", "org/name").model == "org/name"


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["run", "--preset", "fast"], "Unknown preset 'fast'"),
        (["run", "--set", "epochs"], "--set takes KEY=VALUE; got 'epochs'"),
        (["run", "--set", "epoch=1"], "Did you mean 'epochs'?"),
        (["run", "--source", "nowhere.csv"], "There is no source 'nowhere.csv'"),
        (["run", "--from", "99"], "There is no lesson '99'"),
        (["predict"], "Give either texts or --input FILE"),
        (["predict", "--input", "a.csv"], "--input and --output go together"),
    ],
)
def test_wrong_calls_end_with_2_and_say_why(home, capsys, words, message):
    assert main(words) == 2
    assert message in capsys.readouterr().err
    assert not (home / "results").exists()


def test_predict_before_training_says_what_to_run(home, capsys):
    assert main(["predict", "A text"]) == 1
    assert "Run lesson 03 first" in capsys.readouterr().err


@pytest.fixture
def trained(home, tiny):
    """A run whose model is there, though it has learned nothing."""
    from sentiment_lib.training import TrainingResult, save_model

    settings = make_settings(max_length=32, truncation="tail")
    save_model(*tiny, settings.paths.model)
    save_training(TrainingResult(pd.DataFrame(), 1, 1, 1.0, 1.0, None, None), settings)
    return settings


def test_predict_prints_a_line_a_text(trained, capsys):
    assert main(["predict", "A joy.", "Dull <b>."]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.split("  ")[-1] for line in lines] == ["A joy.", "Dull <b>."]
    assert all(line.split()[0] in ("positive", "negative") for line in lines)


def test_predict_a_file(trained, tmp_path, capsys):
    (tmp_path / "in.csv").write_text("review\nA joy\nDull\n")
    words = ["predict", "--input", str(tmp_path / "in.csv"), "--output", str(tmp_path / "out.jsonl")]
    assert main(words) == 1
    assert "There is no column 'text'" in capsys.readouterr().err
    assert main([*words, "--text-column", "review"]) == 0
    assert [json.loads(line)["review"] for line in (tmp_path / "out.jsonl").read_text().splitlines()] == [
        "A joy",
        "Dull",
    ]


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["--help"], ["run", "predict"]),
        (
            ["run", "--help"],
            ["--preset", "--source", "--model", "--set", "--name", "--from", "learning_rate", "examples:"],
        ),
        (["predict", "--help"], ["--input", "--output", "--text-column"]),
    ],
)
def test_help_as_a_user_calls_it(words, expected):
    command = [sys.executable, "-m", "sentiment_lib", *words]
    done = subprocess.run(command, capture_output=True, text=True, check=True, env=os.environ)
    for text in expected:
        assert text in done.stdout
