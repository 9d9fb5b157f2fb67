"""Datasets by name, through the hub's real client code, from a stand-in on loopback."""

import gzip
import json
import shutil
import time

import pandas as pd
import pytest
from support.hub_stand_in import Hub, Page, Stall, Status, run_python

pytestmark = pytest.mark.slow  # other processes

COMMIT = "{:040x}".format
README = """---
configs:
- config_name: default
  data_files:
  - split: train
    path: data/train-*
  - split: test
    path: data/test-*
dataset_info:
  features:
  - name: text
    dtype: string
  - name: label
    dtype:
      class_label:
        names:
          '0': pos
          '1': neg
---
# Reviews
"""
SEVERAL = """---
configs:
- config_name: emoji
  data_files: emoji.csv
- config_name: sentiment
  data_files: sentiment.csv
dataset_info:
- config_name: emoji
  features: [{name: label, dtype: {class_label: {names: [heart, sun]}}}]
- config_name: sentiment
  features: [{name: label, dtype: {class_label: {names: [bad, good]}}}]
---
"""
FILES = {
    "acme/listed": {
        "README.md": README,
        "data/train-00000-of-00002.parquet": "",
        "data/train-00001-of-00002.parquet": "",
        "data/test-00000-of-00001.parquet": "",
        "data/raw-00000-of-00001.parquet": "",
        "train.csv": "",
    },
    "acme/several": {"README.md": SEVERAL, "emoji.csv": "", "sentiment.csv": ""},
    "acme/preferred": {
        "README.md": SEVERAL.replace("  data_files: s", "  default: true\n  data_files: s"),
        "sentiment.csv": "",
    },
    "acme/folders": {"emoji/train.csv": "", "sentiment/train.csv": "", "sentiment/test.csv": ""},
    "acme/tables": {"README.md": "# Reviews", "train.csv": "", "dev.csv.gz": "", "notes.csv": "", "picture.png": ""},
    "acme/copies": {"train.csv": "", "train_before_fix.csv": ""},
    "acme/converted": {"converted.py": "raise SystemExit", "raw/train.csv": ""},
    "acme/program": {"README.md": "---\nlicense: mit\n---\n", "program.py": "raise SystemExit"},
    "acme/pictures": {"cat.png": "", ".gitattributes": ""},
    "acme/empty": {},
    "acme/garbled": {"README.md": "---\nconfigs: [\n---\n", "train.csv": ""},
    "acme/missing_split": {"README.md": README, "data/train-00000-of-00001.parquet": ""},
}
BRANCHES = {
    ("acme/converted", "refs/convert/parquet"): {"plain/train/0000.parquet": "", "plain/extra/0000.parquet": ""},
    ("acme/tables", "v1"): {"train.csv": ""},
}
LOCATE = """
import json, sys, pathlib
from sentiment_lib.data.hub_datasets import class_names, fetch_dataset, parse_name
from sentiment_lib.errors import WorkbookError
for source in sys.argv[1:]:
    try:
        name = parse_name(source)
        found = fetch_dataset(name, "Give a path.")
        parts = [path.parts for paths in found.values() for path in paths]
        at = parts[0].index("snapshots")
        splits = {split: ["/".join(path.parts[at + 2:]) for path in paths] for split, paths in found.items()}
        rows = sum(path.stat().st_size for paths in found.values() for path in paths)
        print(json.dumps({"splits": splits, "commit": parts[0][at + 1], "classes": class_names(name), "bytes": rows}))
    except WorkbookError as error:
        print(json.dumps({"error": type(error).__name__, "message": str(error)}))
"""
SOON = "import sentiment_lib.data.hub as h; h.PATIENCE = 3; h.STALLED = 2\n"


def write(folder, files):
    for name, text in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        if name.endswith(".parquet"):
            pd.DataFrame({"text": [name], "label": [1]}).to_parquet(path)
        elif name.endswith(".gz"):
            path.write_bytes(gzip.compress(b"text,label\nx,1\n"))
        else:
            path.write_text(text or f"text,label\n{name},1\n")


@pytest.fixture(scope="module")
def hub(tmp_path_factory):
    server = Hub({})
    for number, (name, files) in enumerate(FILES.items()):
        folder = tmp_path_factory.mktemp("hub")
        write(folder, files)
        server.repositories["datasets", name] = (folder, COMMIT(number + 1))
    for number, ((name, branch), files) in enumerate(BRANCHES.items()):
        folder = tmp_path_factory.mktemp("hub")
        write(folder, files)
        server.branches["datasets", name, branch] = (folder, COMMIT(number + 100))
    yield server
    server.close()


@pytest.fixture
def faulty(hub):
    yield hub
    hub.fault = lambda method, path: None


def locate(endpoint, cache, *sources, code=LOCATE, **variables):
    done = run_python(code, endpoint, cache, *sources, **variables)
    assert done.returncode == 0, done.stderr[-3000:]
    assert done.stderr == ""
    return dict(zip(sources, map(json.loads, done.stdout.splitlines()), strict=True))


FOUND = {
    "acme/listed": {
        "train": ["data/train-00000-of-00002.parquet", "data/train-00001-of-00002.parquet"],
        "test": ["data/test-00000-of-00001.parquet"],
    },
    "acme/several:sentiment": {"train": ["sentiment.csv"]},
    "acme/preferred": {"train": ["sentiment.csv"]},
    "acme/folders:sentiment": {"test": ["sentiment/test.csv"], "train": ["sentiment/train.csv"]},
    "acme/tables": {"validation": ["dev.csv.gz"], "train": ["train.csv"]},
    "acme/tables@v1": {"train": ["train.csv"]},
    f"acme/tables@{COMMIT(101)}": {"train": ["train.csv"]},
    "acme/converted": {"extra": ["plain/extra/0000.parquet"], "train": ["plain/train/0000.parquet"]},
    "acme/converted:plain@refs/convert/parquet": {
        "extra": ["plain/extra/0000.parquet"],
        "train": ["plain/train/0000.parquet"],
    },
    f"acme/converted@{COMMIT(7)}": {"train": ["raw/train.csv"]},
}
REFUSED = {
    "acme/several": ("DataError", "has several configurations: emoji, sentiment. Choose one, as in --source acme/several:emoji."),
    "acme/several:sentimant": ("DataError", "no configuration 'sentimant'; it has emoji, sentiment. Did you mean 'sentiment'?"),
    "acme/folders": ("DataError", "has several configurations: emoji, sentiment. Choose one"),
    "acme/tables:other": ("DataError", "no configuration 'other'; it has default."),
    "acme/copies": ("DataError", "'acme/copies', train: there are several files, and nothing says that they belong together: "
                    "train.csv, train_before_fix.csv"),
    "acme/program": ("DataError", "consists of a program (program.py), which is not run, and has no data files. The hub has no copy"),
    f"acme/program@{COMMIT(8)}": ("DataError", "--source acme/program@refs/convert/parquet"),
    "acme/pictures": ("DataError", "has no files that can be read (.parquet, .arrow, .jsonl, .ndjson, .json, .csv, .tsv, .txt, "
                      "also compressed); it holds cat.png. Give a path."),
    "acme/empty": ("DataError", "it holds nothing. Give a path."),
    "acme/garbled": ("DataError", "the front matter of its README.md cannot be read"),
    "acme/missing_split": ("DataError", "its README names data/test-* for test, but there is no such file"),
    "acme/tables@v2": ("NotOnHub", "The dataset 'acme/tables' has no revision 'v2' on the hub. Give a path."),
    "acme/nothing": ("NotOnHub", "The dataset 'acme/nothing' is not on the hub, or you may not read it (HTTP 404)"),
    "acme/no--name": ("NotOnHub", "The dataset 'acme/no--name' cannot be a name on the hub"),
}  # fmt: skip


@pytest.fixture(scope="module")
def cache(tmp_path_factory):
    return tmp_path_factory.mktemp("cache")


@pytest.fixture(scope="module")
def online(hub, cache):
    return locate(hub.url, cache, *FOUND, *REFUSED)


@pytest.mark.parametrize("source", FOUND)
def test_the_files_of_each_split_are_found(online, source):
    assert online[source].get("splits") == FOUND[source], online[source]
    assert list(online[source]["splits"]) == list(FOUND[source])


def test_a_revision_has_its_own_commit(online):
    commits = [online[source]["commit"] for source in ("acme/tables", "acme/tables@v1", f"acme/tables@{COMMIT(101)}")]
    assert commits == [COMMIT(5), COMMIT(101), COMMIT(101)]
    assert online["acme/converted"]["commit"] == COMMIT(100)


@pytest.mark.parametrize("source", REFUSED)
def test_what_cannot_be_read_is_one_error_that_says_why(online, source):
    kind, message = REFUSED[source]
    assert online[source]["error"] == kind
    assert message in online[source]["message"]


def test_class_names_are_those_of_the_readme_and_the_configuration(online):
    assert online["acme/listed"]["classes"] == {"label": ["pos", "neg"]}
    assert online["acme/several:sentiment"]["classes"] == {"label": ["bad", "good"]}
    assert online["acme/tables"]["classes"] == {}


def test_only_the_files_of_the_configuration_are_downloaded(hub, tmp_path):
    hub.requests.clear()
    locate(hub.url, tmp_path, "acme/listed", "acme/several:emoji", "acme/converted")
    downloaded = [
        path.partition("/resolve/")[2][41:] for method, path in hub.requests if "/resolve/" in path and method == "GET"
    ]
    splits = [FOUND["acme/listed"], {"": ["README.md"]}, {"": ["emoji.csv", "README.md"]}, FOUND["acme/converted"]]
    assert sorted(downloaded) == sorted(file for found in splits for files in found.values() for file in files)


@pytest.mark.parametrize("variables", [{}, {"HF_HUB_OFFLINE": "1"}])
def test_the_next_time_the_cache_is_enough(online, cache, variables):
    assert locate("http://127.0.0.1:9", cache, *FOUND, **variables) == {source: online[source] for source in FOUND}


def test_without_hub_and_cache_one_clear_error(online, cache, tmp_path):
    for folder in (tmp_path, cache):
        answer = locate("http://127.0.0.1:9", folder, "acme/unseen")["acme/unseen"]
        assert answer["error"] == "HubUnreachable"
        assert "'acme/unseen' is not on this machine yet, or not complete, and the hub" in answer["message"]


def test_a_cached_configuration_does_not_stand_for_another(hub, tmp_path):
    locate(hub.url, tmp_path, "acme/folders:sentiment", "acme/several:sentiment")
    offline = locate(
        "http://127.0.0.1:9", tmp_path, "acme/folders", "acme/folders:emoji", "acme/several", "acme/several:emoji"
    )
    assert "has several configurations: emoji, sentiment" in offline["acme/folders"]["message"]
    assert "has several configurations: emoji, sentiment" in offline["acme/several"]["message"]
    for source in ("acme/folders:emoji", "acme/several:emoji"):
        assert offline[source]["error"] == "HubUnreachable"


def test_a_split_that_is_not_in_the_cache_is_not_left_out(hub, tmp_path):
    locate(hub.url, tmp_path, "acme/folders:sentiment")
    (path,) = tmp_path.rglob("sentiment/test.csv")
    path.unlink()
    offline = locate("http://127.0.0.1:9", tmp_path, "acme/folders:sentiment")["acme/folders:sentiment"]
    assert offline["error"] == "HubUnreachable"
    assert "on this machine yet" in offline["message"]


def test_the_newest_commit_is_read_when_the_hub_answers(hub, tmp_path):
    old = hub.repositories["datasets", "acme/tables"]
    try:
        folder = tmp_path / "newer"
        shutil.copytree(old[0], folder)
        first = locate(hub.url, tmp_path / "cache", "acme/tables")
        (folder / "test.csv").write_text("text,label\nnew,1\n")
        hub.repositories["datasets", "acme/tables"] = (folder, COMMIT(999))
        second = locate(hub.url, tmp_path / "cache", "acme/tables")
    finally:
        hub.repositories["datasets", "acme/tables"] = old
    assert "test" not in first["acme/tables"]["splits"]
    assert second["acme/tables"]["splits"]["test"] == ["test.csv"]
    assert second["acme/tables"]["commit"] == COMMIT(999)


GATED = {"X-Error-Code": "GatedRepo"}
FAULTS = {
    "gated, not logged in": ("/resolve/", Status(401, GATED), "NotOnHub", "is gated (HTTP 401): accept its conditions"),
    "gated, not accepted": ("/resolve/", Status(403, GATED), "NotOnHub", "is gated (HTTP 403): accept its conditions"),
    "gated from the start": ("/api/", Status(401, GATED), "NotOnHub", "log in with 'hf auth login'. Give a path."),
    "private": (
        "/api/",
        Status(401),
        "NotOnHub",
        "or you may not read it (HTTP 401): check the name; if it is private",
    ),
    "the list is busy": ("/tree/", Status(429), "HubUnreachable", "could not be fetched from the hub"),
    "the list has an error": ("/api/", Status(500), "HubUnreachable", "at last: HTTP 500. Give a path."),
    "the list never comes": ("/tree/", Stall(-1), "HubUnreachable", "could not be fetched from the hub"),
    "the list stalls": ("/tree/", Stall(0.5), "HubUnreachable", "could not be fetched from the hub"),
    "the list is a login page": ("/tree/", Page(), "HubUnreachable", "could not be fetched from the hub"),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_a_fault_of_the_hub_is_one_clear_error_and_the_next_time_works(faulty, tmp_path, fault):
    where, answer, kind, message = FAULTS[fault]
    faulty.fault = lambda method, path: answer if where in path and "acme/listed" in path else None
    began = time.monotonic()
    found = locate(faulty.url, tmp_path, "acme/listed", code=SOON + LOCATE)["acme/listed"]
    assert time.monotonic() - began < 30
    assert found["error"] == kind
    assert message in found["message"]
    faulty.fault = lambda method, path: None
    assert locate(faulty.url, tmp_path, "acme/listed")["acme/listed"]["splits"] == FOUND["acme/listed"]


def test_a_list_that_fails_now_is_taken_from_the_cache(faulty, tmp_path):
    first = locate(faulty.url, tmp_path, "acme/listed", "acme/converted")
    faulty.fault = lambda method, path: Status(500) if "/api/" in path else None
    assert locate(faulty.url, tmp_path, *first, code=SOON + LOCATE) == first


def test_a_list_in_the_cache_that_is_damaged_is_fetched_again(hub, tmp_path):
    first = locate(hub.url, tmp_path, "acme/listed")
    for path in (tmp_path / "assets").rglob("*.json"):
        path.write_text("{")
    assert locate(hub.url, tmp_path, "acme/listed") == first
    assert locate("http://127.0.0.1:9", tmp_path, "acme/listed") == first
