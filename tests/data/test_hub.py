"""The hub's real client code against a stand-in on loopback: what is pinned, and what happens without it."""

import json
import os
import re
import subprocess
import sys
import time

import pandas as pd
import pytest
from support.hub_stand_in import Cut, Hub, Page, Stall, Status, Wrong
from support.hub_stand_in import run_python as python
from support.killing import KILLS

from sentiment_lib.data.sources import IMDB, IMDB_REVISION
from sentiment_lib.errors import WorkbookError
from sentiment_lib.settings import PRESETS

pytestmark = pytest.mark.slow  # other processes

CARD = """---
configs:
- config_name: plain_text
  data_files:
  - split: train
    path: plain_text/train-*
  - split: test
    path: plain_text/test-*
  - split: unsupervised
    path: plain_text/unsupervised-*
---
"""
FULL = PRESETS["full"]
LOAD_DATA = "from sentiment_lib.data import load_and_prepare_dataset as load; d, s = load('imdb'); print(s.read, len(d['test']))"
LOAD_MODEL = (
    "from sentiment_lib import initialize_model_and_tokenizer as load; "
    f"m, t = load({FULL['model']!r}, revision={FULL['model_revision']!r}); print(m.config.hidden_size, len(t))"
)


@pytest.fixture(scope="module")
def hub(tmp_path_factory, tiny_checkpoint):
    folder = tmp_path_factory.mktemp("hub")
    (folder / "plain_text").mkdir()
    (folder / "README.md").write_text(CARD)
    for split, n, labels in (("train", 40, (0, 1)), ("test", 20, (0, 1)), ("unsupervised", 5, (-1,))):
        rows = [{"text": f"{split} review {i} of {label}", "label": label} for label in labels for i in range(n)]
        pd.DataFrame(rows).to_parquet(folder / "plain_text" / f"{split}-00000-of-00001.parquet")
    repositories = {("datasets", IMDB): (folder, IMDB_REVISION)}
    repositories["models", FULL["model"]] = (tiny_checkpoint, FULL["model_revision"])
    server = Hub(repositories)
    yield server
    server.close()


@pytest.fixture(scope="module")
def cache(tmp_path_factory):
    return tmp_path_factory.mktemp("cache")


@pytest.mark.parametrize(("code", "expected"), [(LOAD_DATA, "{'train': 80, 'test': 40} 40"), (LOAD_MODEL, "32 30522")])
def test_from_the_hub_then_from_the_cache_without_it(hub, cache, code, expected):
    first = python(code, hub.url, cache)
    assert expected in first.stdout, first.stderr[-3000:]
    for variables in ({}, {"HF_HUB_OFFLINE": "1"}):
        again = python(code, "http://127.0.0.1:9", cache, **variables)
        assert expected in again.stdout, again.stderr[-3000:]


def test_data_and_model_are_pinned_by_revision(hub, cache):
    python(LOAD_DATA, hub.url, cache)
    python(LOAD_MODEL, hub.url, cache)
    fetched = [path for _, path in hub.requests if "/resolve/" in path and path.endswith((".parquet", ".safetensors"))]
    assert fetched
    for path in fetched:
        assert f"/resolve/{IMDB_REVISION}/" in path or f"/resolve/{FULL['model_revision']}/" in path


@pytest.mark.parametrize("code", [LOAD_DATA, LOAD_MODEL])
@pytest.mark.parametrize("variables", [{}, {"HF_HUB_OFFLINE": "1"}])
def test_without_hub_and_cache_one_clear_error(tmp_path, code, variables):
    done = python(code, "http://127.0.0.1:9", tmp_path, **variables)
    last = done.stderr.strip().splitlines()[-1]
    assert done.returncode == 1
    assert last.startswith("sentiment_lib.errors.HubUnreachable: ")
    assert "is not on this machine yet, or not complete, and the hub" in last
    assert "preset quick" in last or "use the model 'bundled'" in last


def test_a_model_that_the_hub_does_not_have(hub, tmp_path):
    code = "from sentiment_lib import initialize_model_and_tokenizer as load; load('nobody/nothing')"
    done = python(code, hub.url, tmp_path)
    assert "sentiment_lib.errors.ModelError: The model 'nobody/nothing' is not on the hub" in done.stderr


def test_the_stand_in_speaks_as_the_hub_does(hub):
    status, headers, _ = hub.find("HEAD", f"/datasets/{IMDB}/resolve/{IMDB_REVISION}/imdb.py", b"")
    assert (status, headers["X-Error-Code"], headers["X-Repo-Commit"]) == (404, "EntryNotFound", IMDB_REVISION)
    _, _, body = hub.find("GET", f"/api/datasets/{IMDB}/tree/{IMDB_REVISION}/plain_text?recursive=true", b"")
    assert len(json.loads(body)) == 3


def always(what, fault):
    """`fault` for all requests whose path holds `what`."""
    return lambda method, path: fault if what in path else None


def at_first(times, what, fault, only="GET"):
    """`fault` for the first requests only."""
    left = [times]

    def answer(method, path):
        if what in path and method == only and left[0]:
            left[0] -= 1
            return fault
        return None

    return answer


def everything(fault):
    return lambda method, path: fault if path != "/" else None


SOON = "import sentiment_lib.data.hub as h; h.PATIENCE = 3; h.STALLED = 2\n"
BIG = {LOAD_DATA: "train-00000-of-00001.parquet", LOAD_MODEL: "model.safetensors"}
ERRORS = {
    "401": (lambda big: everything(Status(401)), "is not on the hub, or you may not read it (HTTP 401)"),
    "403": (lambda big: everything(Status(403)), "or you may not read it (HTTP 403)"),
    "404": (lambda big: everything(Status(404)), "is not on the hub"),
    "429, come back in an hour": (lambda big: everything(Status(429, {"Retry-After": "3600"})), "come back in 3600 s"),
    "429, a limit until the hour is over": (
        lambda big: everything(Status(429, {"RateLimit": '"api";r=0;t=3600'})),
        "come back in 3600 s",
    ),
    "429, on and on": (lambda big: everything(Status(429)), "at last: HTTP 429"),
    "500, on and on": (lambda big: everything(Status(500)), "HTTP 500"),
    "503 for the large file": (lambda big: always(big, Status(503)), "could not be fetched from the hub"),
    "no answer at all": (lambda big: everything(Stall(-1)), "could not be fetched from the hub"),
    "no answer for any file": (lambda big: always("/resolve/", Stall(-1)), "in 3 s of retries; at last: no answer"),
    "a body that stalls": (lambda big: always(big, Stall(0.3)), "could not be fetched from the hub"),
    "a body that is cut short, always at once": (
        lambda big: always(big, Cut(0.0)),
        "could not be fetched from the hub",
    ),
    "another file of the same size": (lambda big: always(big, Wrong()), "(its checksum differs) and was deleted"),
    "a login page instead of the hub": (lambda big: everything(Page()), "could not be fetched from the hub"),
}
MENDED = {
    "500 twice": lambda big: at_first(2, "/api/", Status(500)),
    "429 twice": lambda big: at_first(2, "/api/", Status(429, {"Retry-After": "1"})),
    "503 twice for the large file": lambda big: at_first(2, big, Status(503)),
    "a body that stalls once": lambda big: at_first(1, big, Stall(0.3)),
    "a body that is cut short twice": lambda big: at_first(2, big, Cut(0.4)),
    "another file of the same size, once": lambda big: at_first(1, big, Wrong()),
}


@pytest.fixture
def faulty(hub):
    yield hub
    hub.fault = lambda method, path: None


@pytest.mark.parametrize(
    ("name", "code"),
    [(name, LOAD_DATA) for name in ERRORS]
    + [(name, LOAD_MODEL) for name in ("401", "500, on and on", "a body that stalls", "another file of the same size")],
)
def test_a_fault_of_the_hub_is_one_clear_error_and_the_next_run_works(faulty, tmp_path, code, name):
    fault, expected = ERRORS[name]
    faulty.fault = fault(BIG[code])
    began = time.monotonic()
    done = python(SOON + code, faulty.url, tmp_path)
    assert time.monotonic() - began < 120  # it gives up, and does not wait for the default of minutes
    assert done.returncode == 1
    last = done.stderr.strip().splitlines()[-1]
    assert re.match(
        r"sentiment_lib\.errors\.(HubUnreachable|NotOnHub|DataError|ModelError): The (dataset|model) '", last
    )
    assert expected in last
    assert "preset quick" in last or "use the model 'bundled'" in last
    faulty.fault = lambda method, path: None
    again = python(code, faulty.url, tmp_path)
    assert again.returncode == 0, again.stderr[-3000:]


@pytest.mark.parametrize(
    ("name", "code"), [(name, LOAD_DATA) for name in MENDED] + [("a body that is cut short twice", LOAD_MODEL)]
)
def test_a_fault_that_passes_is_overcome(faulty, tmp_path, code, name):
    faulty.fault = MENDED[name](BIG[code])
    done = python(code, faulty.url, tmp_path)
    assert done.returncode == 0, done.stderr[-3000:]
    assert done.stderr == ""


def test_patience_counts_from_the_first_failure_however_long_the_download_took(faulty, tmp_path):
    slow, busy = at_first(1, "/api/", 4), at_first(1, BIG[LOAD_DATA], Status(503))

    def fault(method, path):
        time.sleep(slow(method, path) or 0)
        return busy(method, path)

    faulty.fault = fault
    done = python("import sentiment_lib.data.hub as h; h.PATIENCE = 3\n" + LOAD_DATA, faulty.url, tmp_path)
    assert (done.returncode, done.stderr) == (0, ""), done.stderr[-3000:]


@pytest.mark.parametrize("fault", [everything(Status(500)), everything(Stall(-1))], ids=["500", "no answer"])
def test_patience_as_it_is_ends_within_half_a_minute(faulty, tmp_path, fault):
    faulty.fault = fault
    began = time.monotonic()
    done = python(LOAD_DATA, faulty.url, tmp_path)
    assert (done.returncode, time.monotonic() - began < 30) == (1, True)


def test_a_name_that_is_not_resolved(tmp_path):
    done = python(LOAD_DATA, "http://hub.invalid", tmp_path)
    assert "HubUnreachable: The dataset 'stanfordnlp/imdb' is not on this machine yet" in done.stderr
    assert "the hub at http://hub.invalid cannot be reached" in done.stderr


@pytest.mark.parametrize("code", BIG, ids=["data", "model"])
def test_a_download_that_was_killed_resumes_or_is_reported_as_incomplete(faulty, tmp_path, code):
    faulty.fault = always(BIG[code], Stall(0.5))
    environment = os.environ | {"HF_ENDPOINT": faulty.url, "HF_HOME": str(tmp_path)}
    running = subprocess.Popen([sys.executable, "-c", code], env=environment, stderr=subprocess.DEVNULL)
    before = len(faulty.requests)
    while not any(method == "GET" and BIG[code] in path for method, path in faulty.requests[before:]):
        assert running.poll() is None
        time.sleep(0.05)
    time.sleep(0.5)
    running.kill()
    running.wait()
    assert list(tmp_path.rglob("snapshots"))  # the other files are in the cache
    offline = python(code, "http://127.0.0.1:9", tmp_path)
    assert "is not on this machine yet, or not complete" in offline.stderr.splitlines()[-1]
    faulty.fault = lambda method, path: None
    assert python(code, faulty.url, tmp_path).returncode == 0


@pytest.mark.parametrize(
    ("variable", "code"),
    [("HF_HUB_OFFLINE", LOAD_DATA), ("HF_DATASETS_OFFLINE", LOAD_DATA), ("TRANSFORMERS_OFFLINE", LOAD_MODEL)],
)
def test_offline_variables_with_and_without_a_cache(hub, cache, tmp_path, variable, code):
    python(code, hub.url, cache)
    with_one = python(code, "http://127.0.0.1:9", cache, **{variable: "1"})
    assert with_one.returncode == 0, with_one.stderr[-3000:]
    without = python(code, "http://127.0.0.1:9", tmp_path, **{variable: "1"})
    assert "is not on this machine yet" in without.stderr.splitlines()[-1]


def test_a_file_that_was_damaged_on_the_disk_is_fetched_again(hub, tmp_path):
    python(LOAD_DATA, hub.url, tmp_path)
    (blob,) = (path.resolve() for path in tmp_path.rglob(BIG[LOAD_DATA]))
    blob.write_bytes(blob.read_bytes()[:-9] + b"damaged!!")
    offline = python(LOAD_DATA, "http://127.0.0.1:9", tmp_path)
    assert "is not the file that the hub named" in offline.stderr
    assert python(LOAD_DATA, hub.url, tmp_path).returncode == 0


@pytest.mark.parametrize("preset", ["imdb", "full"])
def test_the_presets_of_the_hub_train_and_predict(hub, cache, tmp_path, preset):
    environment = os.environ | {"HF_ENDPOINT": hub.url, "HF_HOME": str(cache), "SENTIMENT_LIB_HOME": str(tmp_path)}
    small = ["--set", "epochs=1", "max_length=64", "batch_size=8"]
    for words in (["train", "--preset", preset, *small], ["predict", "--name", preset, "A fine film."]):
        command = [sys.executable, "-m", "sentiment_lib", *words]
        done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=300)
        assert done.returncode == 0, done.stderr[-3000:]
    assert "A fine film." in done.stdout
    settings = json.loads((tmp_path / "results" / preset / "training.json").read_text())["settings"]
    assert settings["source"] == "imdb"


def test_files_in_xet_storage_are_fetched_over_http_where_the_limits_apply(hub, tmp_path, monkeypatch):
    pytest.importorskip("hf_xet")
    monkeypatch.setattr(hub, "xet", True)
    hub.requests.clear()
    done = python(LOAD_DATA, hub.url, tmp_path / "ours")
    assert (done.returncode, done.stderr) == (0, ""), done.stderr[-3000:]
    assert not any("xet-read-token" in path for _, path in hub.requests)
    plain = (
        f"import huggingface_hub as h; h.snapshot_download({IMDB!r}, repo_type='dataset', revision={IMDB_REVISION!r})"
    )
    with pytest.raises(subprocess.TimeoutExpired):  # without us, the storage is asked, and waited for
        python(plain, hub.url, tmp_path / "plain", timeout=10)
    assert any("xet-read-token" in path for _, path in hub.requests)


@pytest.mark.skipif(KILLS < 20, reason="takes minutes: make soak")
@pytest.mark.parametrize("preset", ["full", "imdb"])
def test_the_complete_series_from_the_hub(hub, cache, tmp_path, preset):
    """Of `full`, the stand-in has a tiny BERT; `imdb` uses the bundled one."""
    environment = os.environ | {"HF_ENDPOINT": hub.url, "HF_HOME": str(cache), "SENTIMENT_LIB_HOME": str(tmp_path)}
    command = [sys.executable, "-m", "sentiment_lib", "run", "--preset", preset]
    command += ["--set", "epochs=1", "max_length=64", "batch_size=8"]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=1500)
    assert done.returncode == 0, done.stderr[-3000:]
    metrics = json.loads((tmp_path / "results" / preset / "metrics.json").read_text())
    assert (metrics["source"], metrics["test"]["examples"]) == ("imdb", 40)


@pytest.mark.parametrize(
    ("error", "kind", "said"),
    [
        (
            PermissionError(13, "Permission denied", "CACHE/models--a--b/blobs"),
            "StorageError",
            "CACHE/models--a--b/blobs",
        ),
        (OSError(28, "No space left on device"), "StorageError", "CACHE cannot be written: the disk is full"),
        (PermissionError(13, "Permission denied", "/somewhere/token"), "HubUnreachable", "/somewhere/token"),
    ],
)
def test_a_failed_write_to_the_cache_names_the_file_and_nothing_else_is_taken_for_one(
    monkeypatch, tmp_path, error, kind, said
):
    from huggingface_hub import constants

    from sentiment_lib.data import hub

    if error.filename:
        error.filename = error.filename.replace("CACHE", str(tmp_path))

    def fail(*_, **__):
        raise error

    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path))
    monkeypatch.setattr(hub, "snapshot_download", fail)
    monkeypatch.setattr(hub, "hub_error", lambda: None)
    with pytest.raises(WorkbookError) as caught:
        hub.fetch("a/b", "model", None, ["*"], "Do something else.")
    assert type(caught.value).__name__ == kind
    assert said.replace("CACHE", str(tmp_path)) in str(caught.value)
    assert ("HF_HOME" in str(caught.value)) == (kind == "StorageError")
