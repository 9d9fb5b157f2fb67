"""The whole series with tiny random models of other architectures and vocabularies.

By default for three of them, with the cells of all lessons run in this process; in `make soak` for all, with the
command line and papermill.
"""

import ast
import json
import os
import re

import nbformat
import pandas as pd
import pytest
from support.architectures import HEADS, LAYERS, SERIES, tiny_checkpoint
from support.killing import KILLS, run
from support.lessons import run_lesson
from transformers import AutoConfig

from sentiment_lib.course.preflight import check_run
from sentiment_lib.course.series import lessons, parameters_of
from sentiment_lib.data.tokenization import SPACE
from sentiment_lib.model.architectures import architecture_of
from sentiment_lib.settings import make_settings

SOAK = KILLS > 2
WORD_PIECE = ("bert", "distilbert", "electra", "mpnet")
CHANGES = {"epochs": 1, "learning_rate": 3e-3, "batch_size": 32, "max_length": 48}


@pytest.fixture
def reviews(tmp_path):
    """A hundred reviews of different lengths, with letters and signs that vocabularies cut into bytes."""
    starts = (
        "I saw it in Zürich:",
        "Well … the café scene",
        "After two hours 😀",
        "The plot, they say,",
        "My friends and I",
    )
    ends = ("", " again", " and nobody laughed", " from beginning to end, in a cinema without a single empty seat")
    texts = [
        f"{start} number {i} is a {word} piece of film{end}."
        for i in range(5)
        for start, end in zip(starts, (*ends, ends[0]), strict=True)
        for word in ("wonderful", "dreadful", "superb", "awful")
    ]
    path = tmp_path / "reviews.csv"
    pd.DataFrame({"text": texts, "label": ["pos", "neg"] * 50}).to_csv(path, index=False)
    return path


@pytest.mark.slow
@pytest.mark.parametrize("model_type", SERIES if SOAK else ("distilbert", "modernbert"))
def test_the_series_runs_with(model_type, reviews, tmp_path, monkeypatch):
    monkeypatch.setenv("SENTIMENT_LIB_HOME", str(tmp_path))
    folder = tiny_checkpoint(model_type, tmp_path / "model")
    settings = make_settings(run="tiny", source=str(reviews), model=str(folder), **CHANGES)
    shown = (by_papermill if SOAK else in_this_process)(settings, monkeypatch)
    assert list(shown) == [path.name for path in lessons()]
    metrics = json.loads(settings.paths.metrics.read_text())
    assert (metrics["model"], metrics["train"]["examples"]) == (str(folder), 72)
    heads = json.loads(settings.paths.heads.read_text())
    assert len(heads["heads"]) == LAYERS * HEADS
    assert max(abs(head["logit"]) for head in heads["heads"]) > 0  # switched off, they make a difference
    check_tokens(model_type, shown)
    check_attention(AutoConfig.from_pretrained(settings.paths.model), shown)


def check_tokens(model_type, shown):
    """What the lessons show of tokens is text: all of the review, without the signs of a vocabulary."""
    for name, text in shown.items():
        assert not re.search(r"[Ġ▁ÃĊ]|\\u0120|\\u2581", text), name
    listed = re.search(r"^tokens  (\[.*\])$", shown["06_explore_attention.ipynb"], re.MULTILINE)[1]
    tokens = ast.literal_eval(listed)[1:-1]
    assert any(token.startswith("##") for token in tokens) == (model_type in WORD_PIECE)
    text = "Not bad at all. I expected nothing and got an evening I will not forget.".replace(" ", "")
    joined = "".join(token.removeprefix("##") for token in tokens if token != SPACE)
    assert joined == (text.lower() if model_type in WORD_PIECE else text)


def check_attention(config, shown):
    """The head computed by hand is that of the model, or it is said why not; local attention is named."""
    text, positions = shown["06_explore_attention.ipynb"], architecture_of(config).positions
    assert f"the model's own weights, up to rounding: {not positions}" in text
    assert ("scores also depend on positions" in text) == bool(positions)
    assert ("local attention. A token sees at most 4 tokens" in text) == (config.model_type == "modernbert")
    assert "the same logits: True" in shown["07_test_the_heads.ipynb"]


def in_this_process(settings, monkeypatch):
    """What each lesson shows, by the name of its file."""
    from sentiment_lib.course import machine
    from sentiment_lib.experiments import trials

    monkeypatch.setattr(machine, "_reviews_per_second", lambda tokens, seconds: 100.0)  # of the bundled model
    monkeypatch.setattr(trials, "FEWEST_SEEN", 50)  # lesson 08 trains ten times
    check_run(settings)
    with pd.option_context("display.max_colwidth", 50):
        return {path.name: run_lesson(path, parameters_of(settings)) for path in lessons()}


def by_papermill(settings, _):
    command = ["-m", "sentiment_lib", "run", "--name", settings.run, "--source", settings.source]
    command += ["--model", settings.model, "--set", *(f"{key}={value}" for key, value in CHANGES.items())]
    run(command, env=os.environ | {"OMP_NUM_THREADS": "1"})
    return {path.name: outputs(settings.paths.notebooks / path.name) for path in lessons()}


def outputs(path):
    cells = [cell for cell in nbformat.read(path, as_version=4).cells if cell.cell_type == "code"]
    found = [output for cell in cells for output in cell.outputs]
    assert not [output for output in found if output.output_type == "error"]
    texts = [output.get("text", "") for output in found]
    data = [output.get("data", {}) for output in found]
    return "\n".join([*texts, *(part[kind] for part in data for kind in ("text/plain", "text/html") if kind in part)])
