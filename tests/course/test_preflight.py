"""What is refused before the first lesson, and what is said about a model."""

import pandas as pd
import pytest
from support.architectures import tiny_checkpoint as checkpoint_of
from support.architectures import tiny_tokenizer

from sentiment_lib.cli import main
from sentiment_lib.course.preflight import check_run
from sentiment_lib.course.series import run_series
from sentiment_lib.errors import DataError, ModelError, SettingsError
from sentiment_lib.settings import make_settings


def test_nothing_is_said_about_a_bert(tiny_checkpoint, review_file):
    assert check_run(make_settings(model=str(tiny_checkpoint), source=str(review_file)))[1:] == []


def test_what_lessons_show_differently_is_said(tmp_path):
    said = check_run(make_settings(model=str(checkpoint_of("modernbert", tmp_path))))
    assert any(sentence.startswith("Attention is local in layers 1: a token") for sentence in said)
    assert any("rotated by angles" in sentence for sentence in said)


@pytest.mark.parametrize(
    ("changes", "error", "message"),
    [
        (
            {"max_length": 200},
            SettingsError,
            r"max_length=200, but .* reads at most 128 tokens\. Use --set max_length=128",
        ),
        ({"trained_layers": 3}, SettingsError, "trained_layers=3, but .* has 2 layers"),
        ({"source": "one label"}, DataError, "needs reviews of both labels"),
        ({"source": "one word"}, DataError, "Hardly any test review of .* has two words"),
        ({"train_size": 1000}, DataError, "train_size=1000, but .* has 29 training reviews"),
        ({"model": "one layer"}, ModelError, "has 1 layer, but lesson 08 trains the last 2"),
        ({"model": "no special tokens"}, ModelError, "does not put one special token before a text and one after it"),
    ],
)
def test_what_a_lesson_cannot_do_is_refused_before_the_first(
    changes, error, message, tiny_checkpoint, review_file, home, monkeypatch
):
    sources = {"one label": (["pos"] * 40, "a film"), "one word": (["pos", "neg"] * 20, "film")}
    if changes.get("source") in sources:
        labels, text = sources[changes["source"]]
        path = home / "other.csv"
        pd.DataFrame({"text": [f"{text}{i}" for i in range(40)], "label": labels}).to_csv(path, index=False)
        changes = {"source": str(path)}
    elif changes.get("model") == "one layer":
        changes = {"model": str(checkpoint_of("bert", home / "model", num_hidden_layers=1))}
    elif changes.get("model") == "no special tokens":
        folder = checkpoint_of("modernbert", home / "model")
        bare = tiny_tokenizer("modernbert").backend_tokenizer.from_file(str(folder / "tokenizer.json"))
        bare.post_processor = None
        bare.save(str(folder / "tokenizer.json"))
        changes = {"model": str(folder)}
    settings = make_settings(run="mine", **{"model": str(tiny_checkpoint), "source": str(review_file)} | changes)
    monkeypatch.setattr("sentiment_lib.course.series._execute", lambda *_: pytest.fail("a lesson was run"))
    with pytest.raises(error, match=message):
        list(run_series(settings))
    assert list(settings.paths.notebooks.iterdir()) == []


def test_some_layers_of_a_model_that_shares_them_cannot_be_trained(home, review_file):
    folder = checkpoint_of("albert", home / "model")
    settings = make_settings(model=str(folder), source=str(review_file), trained_layers=1)
    with pytest.raises(ModelError, match="share their weights; None trains all, 0 only the head"):
        check_run(settings)


def test_the_command_line_says_it_in_one_line(home, review_file, tiny_checkpoint, capsys):
    command = ["run", "--name", "mine", "--source", str(review_file), "--model", str(tiny_checkpoint)]
    assert main([*command, "--set", "max_length=200"]) == 2
    said = capsys.readouterr().err
    assert said.startswith("error: max_length=200, but ")
    assert said.count("\n") == 1
