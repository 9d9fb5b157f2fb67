"""The hub's real client code against a stand-in on loopback: what is pinned, and what happens without it."""

import json
import os
import subprocess
import sys

import pandas as pd
import pytest
from hub_stand_in import Hub

from sentiment_lib.settings import PRESETS
from sentiment_lib.sources import IMDB, IMDB_REVISION

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


def python(code, endpoint, cache, **variables):
    """Run `code` as a new process that knows no other hub than `endpoint` and no other cache than `cache`."""
    environment = os.environ | {"HF_ENDPOINT": endpoint, "HF_HOME": str(cache)} | variables
    command = [sys.executable, "-c", code]
    return subprocess.run(command, capture_output=True, text=True, env=environment, timeout=60)


@pytest.mark.parametrize(("code", "said"), [(LOAD_DATA, "{'train': 80, 'test': 40} 40"), (LOAD_MODEL, "32 30522")])
def test_from_the_hub_then_from_the_cache_without_it(hub, cache, code, said):
    first = python(code, hub.url, cache)
    assert said in first.stdout, first.stderr[-3000:]
    for variables in ({}, {"HF_HUB_OFFLINE": "1"}):
        again = python(code, "http://127.0.0.1:9", cache, **variables)
        assert said in again.stdout, again.stderr[-3000:]


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
    assert last.startswith("sentiment_lib.hub.HubUnreachable: ")
    assert "is not on this machine yet and the hub" in last
    assert "preset quick" in last or "use the model 'bundled'" in last


def test_a_model_that_the_hub_does_not_have(hub, tmp_path):
    code = "from sentiment_lib import initialize_model_and_tokenizer as load; load('nobody/nothing')"
    done = python(code, hub.url, tmp_path)
    assert "sentiment_lib.model.ModelError: The model 'nobody/nothing' could not be loaded" in done.stderr


def test_the_stand_in_speaks_as_the_hub_does(hub):
    status, headers, _ = hub.find("HEAD", f"/datasets/{IMDB}/resolve/{IMDB_REVISION}/imdb.py", b"")
    assert (status, headers["X-Error-Code"], headers["X-Repo-Commit"]) == (404, "EntryNotFound", IMDB_REVISION)
    _, _, body = hub.find("GET", f"/api/datasets/{IMDB}/tree/{IMDB_REVISION}/plain_text?recursive=true", b"")
    assert len(json.loads(body)) == 3
