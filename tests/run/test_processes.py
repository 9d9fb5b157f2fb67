import json
import os
import re
import subprocess
import sys

import numpy as np
import pandas as pd
import pytest
from support import write_reviews

from sentiment_lib import make_settings
from sentiment_lib.cli import main
from sentiment_lib.errors import SettingsError
from sentiment_lib.model.training import share_of_batch
from sentiment_lib.run.processes import first_goes_first, is_first, process_count, wait_for_all
from sentiment_lib.run.progress import progress_wanted

pytestmark = pytest.mark.slow  # other processes

TRAINING = ["--set", "epochs=6", "batch_size=4", "learning_rate=5e-3", "validation_size=0.2", "precision=float32"]


def in_processes(*arguments: str, processes: int = 2) -> subprocess.CompletedProcess:
    """Run the command in several processes, as the README tells users to."""
    command = [sys.executable, "-m", "torch.distributed.run", "--nproc_per_node", str(processes), "-m", "sentiment_lib"]
    return subprocess.run([*command, *arguments], capture_output=True, text=True, timeout=600, env=dict(os.environ))


def trained(run: str) -> dict:
    return json.loads(make_settings(run=run).paths.training.read_text())


@pytest.fixture(scope="module")
def two_runs(tmp_path_factory, tiny_checkpoint):
    """The same training by one process and by two: the home of both runs, the reviews, and the second command."""
    home = tmp_path_factory.mktemp("home")
    review_file = write_reviews(home)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SENTIMENT_LIB_HOME", str(home))
        data = ["--source", str(review_file), "--model", str(tiny_checkpoint), *TRAINING]
        assert main(["train", *data, "--name", "one"]) == 0
        done = in_processes("train", *data, "--name", "two")
        assert done.returncode == 0, done.stderr
    return home, review_file, done


@pytest.fixture
def at_home(two_runs, monkeypatch):
    monkeypatch.setenv("SENTIMENT_LIB_HOME", str(two_runs[0]))


@pytest.mark.usefixtures("at_home")
def test_two_processes_train_as_one_does(two_runs):
    one, two = trained("one"), trained("two")
    assert two["steps"] == one["steps"] == 6 * 7
    assert two["examples"] == one["examples"]
    losses = [pd.DataFrame(run["history"])["loss"].dropna().to_numpy(float) for run in (one, two)]
    assert losses[0][-1] < 0.3
    assert losses[1][-1] < 0.3
    accuracies = [pd.DataFrame(run["history"])["validation_accuracy"].max() for run in (one, two)]
    assert min(accuracies) >= 0.8


@pytest.mark.usefixtures("at_home")
def test_only_the_first_process_prints_and_writes(two_runs):
    done = two_runs[2]
    assert len(re.findall(r"reviews/s in 2 processes", done.stdout)) == 1
    paths = [make_settings(run=name).paths for name in ("one", "two")]
    files = [sorted(p.relative_to(path.results) for p in path.results.rglob("*")) for path in paths]
    assert files[0] == files[1]  # no checkpoint and no incomplete file is left


@pytest.mark.usefixtures("at_home")
def test_two_processes_predict_a_file_as_one_does(tmp_path):
    texts = [f"a {('dull', 'moving')[i % 2]} film, number {i}" for i in range(2500)]  # three parts
    source, alone, shared = tmp_path / "in.csv", tmp_path / "one.csv", tmp_path / "two.csv"
    pd.DataFrame({"id": range(len(texts)), "text": texts}).to_csv(source, index=False)
    assert main(["predict", "--input", str(source), "--output", str(alone), "--name", "one"]) == 0
    done = in_processes("predict", "--input", str(source), "--output", str(shared), "--name", "one")
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("2,500 texts of column 'text' classified") == 1
    tables = [pd.read_csv(path) for path in (alone, shared)]
    assert list(tables[1]["id"]) == list(range(2500))
    np.testing.assert_allclose(tables[1]["probability"], tables[0]["probability"], atol=0.02)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["in.csv", "one.csv", "two.csv"]


@pytest.mark.usefixtures("at_home")
def test_the_lessons_take_a_model_that_was_trained_with_their_settings_only(two_runs, capsys, tiny_checkpoint):
    data = ["--source", str(two_runs[1]), "--model", str(tiny_checkpoint), *TRAINING]
    assert main(["run", *data, "--set", "epochs=7", "--name", "two", "--trained"]) == 2
    assert "epochs=7.0 (was 6.0)" in capsys.readouterr().err
    assert main(["run", *data, "--name", "three", "--trained"]) == 1
    assert "three" in capsys.readouterr().err


def test_a_batch_that_cannot_be_divided_is_refused_before_any_work(monkeypatch):
    monkeypatch.setenv("WORLD_SIZE", "3")
    assert share_of_batch(make_settings(batch_size=6)) == 2
    with pytest.raises(SettingsError, match=r"batch_size=32 cannot be divided among 3 processes.*such as 33"):
        share_of_batch(make_settings())
    with pytest.raises(SettingsError, match="such as 3"):
        share_of_batch(make_settings(batch_size=2))


def test_several_processes_predict_files_only(monkeypatch, capsys):
    monkeypatch.setenv("WORLD_SIZE", "2")
    assert main(["predict", "--input", "a.csv", "--output", "-"]) == 2
    assert "give --input and --output a path each, instead of -" in capsys.readouterr().err


def test_one_process_does_not_wait():
    assert (process_count(), is_first()) == (1, True)
    with first_goes_first():
        wait_for_all()


def test_the_other_processes_show_no_bar(monkeypatch):
    monkeypatch.setattr("sys.stderr.isatty", lambda: True, raising=False)
    monkeypatch.delenv("SENTIMENT_LIB_PROGRESS", raising=False)
    assert progress_wanted()
    monkeypatch.setenv("RANK", "1")
    assert not progress_wanted()
