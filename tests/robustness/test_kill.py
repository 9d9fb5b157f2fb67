"""Training and file prediction, killed at random moments: the result is that of a run that was never killed."""

import json
import os
import shutil
import subprocess
import sys
import time

import numpy as np
import pandas as pd
import pytest
from safetensors.numpy import load_file
from support import write_reviews
from support.killing import KILLS, kill_until, no_leftovers, run

pytestmark = pytest.mark.slow  # other processes

TRAIN = """
import sys
from pathlib import Path
from sentiment_lib import fine_tune, initialize_model_and_tokenizer, make_settings
from sentiment_lib.data import prepare
from sentiment_lib.model.training import save_training
settings = make_settings(run="killed", source=sys.argv[1], model=sys.argv[2], epochs=20, learning_rate=1e-3, batch_size=8,
                         first_length=8, dropout=0.1)
dataset, _ = prepare(settings)
model, tokenizer = initialize_model_and_tokenizer(settings.model, dropout=settings.dropout)
print("ready", flush=True)
result = fine_tune(model, tokenizer, dataset, settings)
save_training(result, settings)
print("resumed" if result.resumed_from else "anew", result.seconds)
"""
PREDICT = """
import sys
from pathlib import Path
import torch
from sentiment_lib import Classifier, Encoding, initialize_model_and_tokenizer
from sentiment_lib.model.file_prediction import predict_file
model, tokenizer = initialize_model_and_tokenizer(sys.argv[1])
print("ready", flush=True)
predict_file(Path(sys.argv[2]), Path(sys.argv[3]), Classifier(model, tokenizer, Encoding(16)), text_column="text")
"""
SMALL = "import sentiment_lib.model.file_prediction as s; s.ROWS = 64\n"


def test_a_killed_training_ends_as_one_that_was_not(tiny_checkpoint, tmp_path):
    source = write_reviews(tmp_path)
    homes = {name: tmp_path / name for name in ("reference", "killed")}
    environments = {name: os.environ | {"SENTIMENT_LIB_HOME": str(home)} for name, home in homes.items()}
    command = ["-c", TRAIN, str(source), str(tiny_checkpoint)]
    seconds = float(run(command, env=environments["reference"]).split()[-1])

    def results(home):
        folder = home / "results" / "killed"
        training = json.loads((folder / "training.json").read_text())
        return load_file(folder / "model" / "model.safetensors"), training["history"], training["best_step"]

    expected = results(homes["reference"])
    rounds = []

    def compare():
        weights, history, best = results(homes["killed"])
        assert weights.keys() == expected[0].keys()
        assert all(np.allclose(weights[name], expected[0][name], atol=1e-6) for name in weights)
        assert (history, best) == expected[1:]
        no_leftovers(homes["killed"])
        rounds.append(1)
        shutil.rmtree(homes["killed"])

    moments = kill_until(command, KILLS, seconds, compare, ready="ready", env=environments["killed"])
    print(f"training: {len(moments)} kills in {len(rounds)} rounds, {seconds:.1f} s each")


@pytest.mark.parametrize("ending", [".csv", ".parquet"])
def test_a_killed_file_prediction_has_the_same_rows_none_twice(tiny_checkpoint, tmp_path, ending):
    source = tmp_path / "reviews.csv"
    rows = 20_000 if KILLS > 2 else 8_000
    pd.DataFrame({"id": range(rows), "text": [f"scene {i} of {i % 7} films" for i in range(rows)]}).to_csv(
        source, index=False
    )
    targets = {name: tmp_path / f"{name}{ending}" for name in ("reference", "killed")}

    def command(name):
        return ["-c", SMALL + PREDICT, str(tiny_checkpoint), str(source), str(targets[name])]

    run(command("reference"))
    expected, rounds = targets["reference"].read_bytes(), []

    def compare():
        assert targets["killed"].read_bytes() == expected
        no_leftovers(tmp_path)
        assert sorted(path.name for path in tmp_path.iterdir()) == sorted(
            ["reviews.csv", *(t.name for t in targets.values())]
        )
        rounds.append(1)
        targets["killed"].unlink()

    moments = kill_until(command("killed"), KILLS, 4.0, compare, seed=1, ready="ready")
    print(f"file prediction, {ending}: {len(moments)} kills in {len(rounds)} rounds")
    read = pd.read_csv if ending == ".csv" else pd.read_parquet
    assert read(targets["reference"])["id"].astype(int).tolist() == list(range(rows))


def test_a_killed_writer_leaves_the_old_file_whole(tmp_path):
    path = tmp_path / "numbers.json"
    code = (
        "import sys; from pathlib import Path; from sentiment_lib.run.files import write_json\n"
        "for n in range(3000):\n"
        "    write_json(Path(sys.argv[1]), {'n': n, 'more': list(range(20000))})\n"
        "    if not n: print('ready', flush=True)"
    )
    for turn in range(KILLS * 3):
        process = subprocess.Popen([sys.executable, "-c", code, str(path)], stdout=subprocess.PIPE)
        process.stdout.readline()
        time.sleep(0.05 + 0.03 * turn)
        process.kill()
        process.wait()
        found = json.loads(path.read_text())
        assert found["more"][-1] == 19999


def test_a_folder_that_was_moved_aside_comes_back(home):
    """After a kill between the two renames of ``replacing``, the next access restores the old folder."""
    from sentiment_lib.run.files import replacing
    from sentiment_lib.run.paths import RunPaths

    paths = RunPaths("mine")
    paths.model.mkdir(parents=True)
    (paths.model / "a").write_text("old")
    paths.model.replace(paths.model.with_name(".model.old"))
    assert (paths.require(paths.model, "03") / "a").read_text() == "old"
    paths.model.replace(paths.model.with_name(".model.old"))
    with replacing(paths.model) as temporary:
        assert (paths.model / "a").read_text() == "old"
        temporary.mkdir()
        (temporary / "a").write_text("new")
    assert (paths.model / "a").read_text() == "new"
    no_leftovers(home)
