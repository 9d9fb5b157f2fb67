"""A full disk, a read-only one, odd and very long paths: an error that names file and remedy; the old stays."""

import errno
import json
import shutil
import subprocess
import sys

import pytest
from support import missing, write_reviews
from transformers import TrainerCallback

from sentiment_lib import Classifier, Encoding, fine_tune, initialize_model_and_tokenizer, make_settings
from sentiment_lib.cli import main
from sentiment_lib.data.preparation import prepare
from sentiment_lib.errors import StorageError
from sentiment_lib.model.file_prediction import predict_file
from sentiment_lib.run.files import check_writable, explained, write_json

# Run in a mount namespace of its own, with a small file system at sys.argv[1].
TRY = """
import json, os, sys
from pathlib import Path
os.environ["SENTIMENT_LIB_HOME"] = sys.argv[1]
home, source, checkpoint, kind = Path(sys.argv[1]), sys.argv[2], sys.argv[3], sys.argv[4]
import numpy as np, pandas as pd
from sentiment_lib import Classifier, Encoding, fine_tune, initialize_model_and_tokenizer, make_settings, plots
from sentiment_lib.data import prepare
from sentiment_lib.run.files import write_json
from sentiment_lib.data import save_dataset; from sentiment_lib.model import save_training
from sentiment_lib.model.file_prediction import predict_file
from sentiment_lib.model.training import save_model
import sentiment_lib.model.training as training

settings = make_settings(run="r", source=source, epochs=1, batch_size=8)
dataset, _ = prepare(settings)
model, tokenizer = initialize_model_and_tokenizer(checkpoint)
save_dataset(dataset, settings)
write_json(home / "old.json", {"old": True})
(home / "scored.csv").write_text("old")
figure = plots.confusion_matrix([[1, 2], [3, 4]])
plots.show(figure, home / "figure.png")
before = {p: p.read_bytes() for p in home.rglob("*") if p.is_file()}
if kind == "full":
    for size in (4096, 1):
        with open(home / f"filler{size}", "wb", buffering=0) as filler:
            try:
                while filler.write(b"x" * size):
                    pass
            except OSError:
                pass
else:
    os.system(f"mount -o remount,ro '{home}'")
def train():
    fine_tune(model, tokenizer, dataset, settings)
def train_without_asking_first():
    training.bytes_needed = lambda *a: 0
    training.check_writable = lambda *a, **k: None
    train()
big = {"new": list(range(10_000))}
attempts = {
    "write_json": lambda: write_json(home / "old.json", big),
    "save_dataset": lambda: save_dataset(dataset, settings),
    "save_model": lambda: save_model(model, tokenizer, home / "results" / "r" / "model"),
    "predict_file": lambda: predict_file(Path(source), home / "scored.csv", Classifier(model, tokenizer, Encoding(16)), text_column="text"),
    "a figure": lambda: plots.show(figure, home / "figure.png"),
    "train": train,
    "train until the disk is full": train_without_asking_first,
}
found = {}
for name, attempt in attempts.items():
    try:
        attempt()
        found[name] = ["no error", ""]
    except BaseException as error:
        found[name] = [type(error).__name__, str(error)]
    found[name].append(all(p.is_file() and p.read_bytes() == content for p, content in before.items()))
print("FOUND", json.dumps(found))
"""


def small_disk(place, size, command):
    """Run a command that sees a file system of this size at `place`."""
    if sys.platform != "linux":
        pytest.skip("only Linux lets a test mount a disk of its own")
    if shutil.which("unshare") is None:
        missing("no unshare(1) on this machine to mount a small disk with")
    script = 'mount -t tmpfs -o size="$1" none "$2" || exit 77; shift 2; exec "$@"'
    words = ["unshare", "--map-root-user", "--mount", "sh", "-c", script, "sh", size, str(place), *command]
    done = subprocess.run(words, capture_output=True, text=True, timeout=300)
    if done.returncode == 77 or "unshare failed" in done.stderr:
        missing("this user may not mount a small disk")
    return done


@pytest.mark.slow
@pytest.mark.parametrize(("kind", "meaning"), [("full", "the disk is full"), ("read-only", "the disk is read-only")])
def test_nothing_is_lost_on_a_disk_that_cannot_be_written(tiny_checkpoint, tmp_path, kind, meaning):
    source, place = write_reviews(tmp_path), tmp_path / "small disk"
    place.mkdir()
    done = small_disk(place, "6m", [sys.executable, "-c", TRY, str(place), str(source), str(tiny_checkpoint), kind])
    assert "FOUND" in done.stdout, done.stderr[-3000:]
    found = json.loads(done.stdout.partition("FOUND ")[2])
    assert len(found) == 7
    for name, (error, message, untouched) in found.items():
        assert error == "StorageError", (name, error, message)
        assert str(place) in message, name
        assert meaning in message or "MB are needed" in message, (name, message)
        assert "SENTIMENT_LIB_HOME" in message
        assert untouched, name


def denied(path):
    return PermissionError(errno.EACCES, "Permission denied", str(path))


@pytest.mark.parametrize(
    ("name", "named"),
    [
        ("model", "model"),
        ("model/config.json", "model/config.json"),
        (".model.part/config.json", ".model.part/config.json"),
        (".", ""),
        (None, "model"),
    ],
)
def test_a_failed_write_is_explained_by_the_file_that_failed(tmp_path, name, named):
    error = denied(tmp_path / name) if name else OSError(errno.EACCES, "Permission denied")
    with pytest.raises(StorageError) as caught, explained(tmp_path / "model"):
        raise error
    assert str(caught.value).startswith(f"{tmp_path / named} cannot be written: writing is not allowed there")


def test_a_file_behind_a_link_is_known_by_both_names(tmp_path):
    (tmp_path / "real").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "real")
    for folder, file in (("link", "real/a"), ("real", "link/a")):
        with pytest.raises(StorageError), explained(tmp_path / folder):
            raise denied(tmp_path / file)


@pytest.mark.parametrize("name", ["other.csv", "models/config.json", ".other.part", "model.part"])
def test_an_error_of_a_file_elsewhere_keeps_its_type(tmp_path, name):
    error = denied(tmp_path / name)
    with pytest.raises(PermissionError) as caught, explained(tmp_path / "model"):
        raise error
    assert caught.value is error


@pytest.mark.parametrize(
    "error", [denied("/secret/lexicon.txt"), OSError(errno.ENOSPC, "No space left on device"), ValueError("a bug")]
)
@pytest.mark.parametrize("moment", ["on_step_end", "on_save"])
def test_training_is_not_blamed_for_an_error_of_a_callback(tmp_path, tiny_checkpoint, review_file, error, moment):
    class Mine(TrainerCallback):
        pass

    def fail(*_, **__):
        raise error

    setattr(Mine, moment, fail)
    model, tokenizer = initialize_model_and_tokenizer(str(tiny_checkpoint))
    settings = make_settings(source=str(review_file), epochs=1, max_length=16)
    with pytest.raises(type(error)) as caught:
        fine_tune(model, tokenizer, prepare(settings)[0], settings, output_dir=tmp_path / "model", callbacks=[Mine()])
    assert caught.value is error


def test_a_checkpoint_that_cannot_be_written_is_named(tmp_path, tiny_checkpoint, review_file, monkeypatch):
    def full(state, file, *_, **__):
        raise RuntimeError("[enforce fail at inline_container.cc:672] . PytorchStreamWriter failed writing file data/0")

    monkeypatch.setattr("torch.save", full)
    model, tokenizer = initialize_model_and_tokenizer(str(tiny_checkpoint))
    settings = make_settings(source=str(review_file), epochs=1, max_length=16)
    with pytest.raises(StorageError, match=r"\.model\.checkpoints cannot be written: the disk is full"):
        fine_tune(model, tokenizer, prepare(settings)[0], settings, output_dir=tmp_path / "model")


def test_too_little_room_is_said_before_the_work(tmp_path):
    with pytest.raises(StorageError, match=r"MB free, but about 1,000,000,000 MB are needed: free some space"):
        check_writable(tmp_path, needed=10**15)


def test_a_file_where_a_folder_should_be(tmp_path, monkeypatch, capsys, review_file):
    (tmp_path / "results").write_text("a file")
    monkeypatch.setenv("SENTIMENT_LIB_HOME", str(tmp_path))
    assert main(["train", "--source", str(review_file)]) == 1
    assert "is a file, not a folder; move it away" in capsys.readouterr().err
    assert (tmp_path / "results").read_text() == "a file"


@pytest.mark.parametrize("command", [["train"], ["run"]])
def test_a_path_that_is_too_long(tmp_path, monkeypatch, capsys, review_file, command):
    monkeypatch.setenv("SENTIMENT_LIB_HOME", str(tmp_path.joinpath(*["long" * 50] * 25)))
    assert main([*command, "--source", str(review_file)]) == 1
    message = capsys.readouterr().err
    assert "the path is too long for this system" in message
    assert len(message) < 1000


def test_a_long_path_with_blanks_and_other_letters_works(tmp_path, monkeypatch, tiny_checkpoint):
    home = tmp_path.joinpath(*["Übung 日本 – été" * 5] * 9)  # 1,300 bytes
    home.mkdir(parents=True)
    monkeypatch.setenv("SENTIMENT_LIB_HOME", str(home))
    source = write_reviews(home)
    words = ["--source", str(source), "--model", str(tiny_checkpoint), "--set", "epochs=1"]
    assert main(["train", *words]) == 0
    assert main(["predict", "--input", str(source), "--output", str(home / "é.csv")]) == 0
    assert (home / "results" / "quick" / "model" / "model.safetensors").is_file()


def test_files_of_others_beside_ours_are_left_alone(tmp_path, tiny_checkpoint, review_file):
    theirs = [tmp_path / name for name in ("scored.csv.old", "scored.csv.part", "scored.csv.parts", "model.old/a")]
    theirs += [tmp_path / "checkpoints" / "my_other_project.pt", tmp_path / "checkpoints.old" / "b"]
    for path in theirs:
        path.parent.mkdir(exist_ok=True)
        path.write_text("theirs")
    model, tokenizer = initialize_model_and_tokenizer(str(tiny_checkpoint))
    write_json(tmp_path / "scored.csv", {})
    predict_file(review_file, tmp_path / "scored.csv", Classifier(model, tokenizer, Encoding(16)), text_column="text")
    settings = make_settings(source=str(review_file), epochs=1, batch_size=8)
    fine_tune(model, tokenizer, prepare(settings)[0], settings, output_dir=tmp_path / "model")
    assert all(path.read_text() == "theirs" for path in theirs)
    assert sorted(path.name for path in tmp_path.glob(".*")) == []
