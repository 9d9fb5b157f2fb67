import json

import pandas as pd
import pytest
from support import write_reviews

from sentiment_lib.cli import main
from sentiment_lib.errors import MissingExtra, SettingsError
from sentiment_lib.experiments.sweep import variations, workers
from sentiment_lib.settings import make_settings

pytestmark = pytest.mark.slow  # other processes


@pytest.fixture
def command(home, tiny_checkpoint):
    """A sweep of four trainings that take a second each."""
    review_file = write_reviews(home)
    return [
        "sweep", "--source", str(review_file), "--model", str(tiny_checkpoint), "--name", "small",
        "--set", "batch_size=4", "validation_size=0.2", "precision=float32",
        "--vary", "learning_rate=1e-6,5e-3", "epochs=30", "--seeds", "0,1", "--sizes", "20",
    ]  # fmt: skip


def test_every_combination_is_one_trial():
    settings = make_settings()
    trials = variations({"learning_rate": [1e-5, 1e-4], "batch_size": [8, 16]}, [100, 200], [0, 1, 2], settings)
    assert len({trial.name for trial in trials}) == 2 * 2 * 2 * 3
    assert variations({}, [50], [7], settings)[0].name == "bert_n50_seed7"
    with pytest.raises(SettingsError, match="learning_rate=5"):
        variations({"learning_rate": [1e-4, 5.0]}, [100], [0], settings)
    with pytest.raises(SettingsError, match="cannot vary 'seed'"):
        variations({"seed": [1, 2]}, [100], [0], settings)


def test_a_sweep_compares_on_validation_and_continues_after_a_stop(command, capsys, monkeypatch):
    assert main(command) == 0
    printed = capsys.readouterr().out
    assert "4 of 4" in printed
    folder = make_settings(run="small").paths.sweep / "validation"
    table = pd.read_csv(folder / "trials.csv")
    assert len(table) == 4
    means = table.groupby("learning_rate")["accuracy"].mean()
    assert means[5e-3] > 0.8 > means[1e-6]
    means_printed = printed.split("Accuracy on validation")[1]
    assert means_printed.index(" 0.005 ") < means_printed.index(" 1e-06 ")  # the best comes first
    assert set(table["test_examples"]) == {6}  # validation reviews, not the 8 of the test split

    monkeypatch.setattr("sentiment_lib.experiments.records.compute_trial", lambda *_: pytest.fail("computed again"))
    assert main(command) == 0


def test_workers_find_what_one_process_finds(command):
    assert main(command) == 0
    folder = make_settings(run="small").paths.sweep / "validation"
    alone = pd.read_csv(folder / "trials.csv")
    for path in folder.glob("*/metrics.json"):
        path.unlink()
    assert main([*command, "--workers", "2"]) == 0
    records = [json.loads(path.read_text()) for path in folder.glob("*/metrics.json")]
    assert len({record["worker"] for record in records}) == 2  # both took part
    shared = pd.read_csv(folder / "trials.csv")
    keys = ["learning_rate", "seed"]
    both = alone.merge(shared, on=keys, suffixes=("_alone", "_shared"))
    assert len(both) == 4
    assert (both["accuracy_alone"] - both["accuracy_shared"]).abs().max() <= 1 / 6  # sums in another order


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        (["--vary", "learning_rat=1"], "Did you mean 'learning_rate'"),
        (["--vary", "preset=imdb"], "cannot vary 'preset'"),
        (["--vary", "test_size=0.1,0.2"], "cannot vary 'test_size'"),
        (["--vary", "truncation=middle"], "truncation='middle' is not one of"),
        (["--seeds", "0,x"], "--seeds takes whole numbers"),
        (["--scheduler", "tcp://127.0.0.1:9"], "No Dask scheduler answers at 'tcp://127.0.0.1:9'"),
    ],
)
def test_errors_of_a_sweep(command, capsys, changed, message, monkeypatch):
    monkeypatch.setattr("sentiment_lib.experiments.records.compute_trial", lambda *_: pytest.fail("work began"))
    monkeypatch.setattr("sentiment_lib.experiments.sweep.PATIENCE", "1s")
    assert main([*command, *changed]) == 2
    assert message in capsys.readouterr().err


def test_without_dask_the_remedy_is_named(monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "distributed", None)
    with pytest.raises(MissingExtra, match=r"pip install -e \".+\[sweep\]\""), workers():
        pass
