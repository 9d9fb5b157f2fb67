"""Two runs at once: with different names they do not disturb each other; with the same name the second is refused."""

import json
import os
import signal
import subprocess
import sys
import time

import pytest
from support import write_reviews

from sentiment_lib import Classifier, Encoding
from sentiment_lib.errors import BusyError
from sentiment_lib.run.files import check_writable
from sentiment_lib.run.locks import only_one

pytestmark = pytest.mark.slow  # other processes

HOLDER = (
    "import sys, time; from pathlib import Path; from sentiment_lib.run.locks import only_one\n"
    "with only_one(Path(sys.argv[1]), 'Run', 'Wait.'):\n    print('held', flush=True); time.sleep(60)"
)


@pytest.fixture
def holder(tmp_path):
    """Another process that holds the lock of tmp_path/thing."""
    process = subprocess.Popen(
        [sys.executable, "-c", HOLDER, str(tmp_path / "thing")], stdout=subprocess.PIPE, text=True
    )
    assert process.stdout.readline() == "held\n"
    yield process
    process.kill()
    process.wait()


def test_the_second_is_refused_and_told_by_whom(holder, tmp_path):
    with (
        pytest.raises(
            BusyError, match=rf"^Run 'x' is being worked on by process {holder.pid} on .* since 20.*\. Wait\.$"
        ),
        only_one(tmp_path / "thing", "Run 'x'", "Wait."),
    ):
        pytest.fail("both hold it")
    with only_one(tmp_path / "other", "Run 'y'", "Wait."):
        pass


def test_a_holder_that_is_killed_holds_nothing(holder, tmp_path):
    holder.kill()
    holder.wait()
    with only_one(tmp_path / "thing", "Run 'x'", "Wait."):
        assert json.loads((tmp_path / ".thing.holder.json").read_text())["process"] == os.getpid()
    assert list(tmp_path.iterdir()) == []


def test_a_lock_is_free_again_after_an_error(tmp_path):
    for _ in range(2):
        with pytest.raises(ZeroDivisionError), only_one(tmp_path / "thing", "Run", "Wait."):
            raise ZeroDivisionError


def start(arguments, home):
    command = [sys.executable, "-m", "sentiment_lib", *arguments]
    environment = os.environ | {"SENTIMENT_LIB_HOME": str(home)}
    return subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


@pytest.mark.skipif(not hasattr(signal, "SIGSTOP"), reason="Windows cannot suspend a process")
def test_two_runs_at_once(tiny_checkpoint, tmp_path):
    source = write_reviews(tmp_path)
    arguments = ["train", "--source", str(source), "--model", str(tiny_checkpoint), "--set", "epochs=2", "batch_size=8"]
    first, other = start([*arguments, "--name", "one"], tmp_path), start([*arguments, "--name", "two"], tmp_path)
    holder_file = tmp_path / "results" / ".one.holder.json"
    while not holder_file.exists():
        assert first.poll() is None, first.communicate()
        time.sleep(0.05)
    first.send_signal(signal.SIGSTOP)  # it holds the name for as long as the others need to be refused
    try:
        for command in (
            ["train", "--name", "one"],
            ["run", "--name", "one"],
            ["sweep", "--name", "one", "--sizes", "8"],
        ):
            refused = start([*command, *arguments[1:]], tmp_path)
            _, errors = refused.communicate(timeout=600)
            assert refused.returncode == 1, errors
            assert f"error: Run 'one' is being worked on by process {first.pid}" in errors
            assert "another --name" in errors
    finally:
        first.send_signal(signal.SIGCONT)
    for process in (first, other):
        _, errors = process.communicate(timeout=600)
        assert process.returncode == 0, errors[-2000:]
    trained = [(tmp_path / "results" / name / "model" / "model.safetensors").read_bytes() for name in ("one", "two")]
    assert trained[0] == trained[1]
    assert {path.name for path in (tmp_path / "results").iterdir()} == {"one", "two"}


def test_two_file_predictions_to_one_target(tiny, tmp_path):
    from sentiment_lib.model.file_prediction import predict_file

    (tmp_path / "r.csv").write_text("text\na\n")
    target = tmp_path / "o.csv"
    with only_one(target, "It", "Wait."), pytest.raises(BusyError, match=r"o\.csv is being worked on by process"):
        predict_file(tmp_path / "r.csv", target, Classifier(*tiny, Encoding(16)), text_column="text")
    assert predict_file(tmp_path / "r.csv", target, Classifier(*tiny, Encoding(16)), text_column="text") == 1


def test_a_folder_that_can_be_written(tmp_path):
    check_writable(tmp_path / "a" / "b")
    assert list((tmp_path / "a" / "b").iterdir()) == []
