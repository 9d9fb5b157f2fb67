"""Datasets on the hub as sources of a run: from the stand-in on loopback to clean splits, or one clear error."""

import pandas as pd
import pytest
from datasets import ClassLabel, Dataset, Features, Value
from support.hub_stand_in import Hub, run_python

pytestmark = pytest.mark.slow  # other processes

README = """---
configs:
- config_name: default
  data_files:
  - {split: train, path: train.csv}
  - {split: test, path: test.csv}
dataset_info:
  features:
  - name: label
    dtype: {class_label: {names: [pos, neg]}}
---
"""
CODE = """
import sys
from sentiment_lib.data.preparation import prepare
from sentiment_lib.errors import WorkbookError
from sentiment_lib.settings import make_settings
try:
    dataset, summary = prepare(make_settings(source=sys.argv[1]))
    print(summary.describe())
    print({(row["label"], "dull" in row["text"]) for split in dataset.values() for row in split})
except WorkbookError as error:
    print(type(error).__name__, error)
"""


def reviews(start, count, column="text"):
    words = ["dull", "wonderful"]
    return pd.DataFrame(
        {
            column: [f"Scene {i} is a {words[i % 2]} piece." for i in range(start, start + count)],
            "label": [1 - i % 2 for i in range(count)],
        }
    )  # 0 is wonderful


@pytest.fixture(scope="module")
def hub(tmp_path_factory):
    sst2, csv, several = (tmp_path_factory.mktemp("hub") for _ in range(3))
    features = Features({"sentence": Value("string"), "label": ClassLabel(names=["pos", "neg"])})
    (sst2 / "data").mkdir()
    for split, start in (("train", 0), ("validation", 100), ("test", 200)):
        table = reviews(start, 40, "sentence").assign(**({"label": -1} if split == "test" else {}))
        Dataset.from_pandas(table, features=features).to_parquet(sst2 / "data" / f"{split}-00000-of-00001.parquet")
    reviews(0, 40).to_csv(csv / "train.csv", index=False)
    reviews(100, 40).to_csv(csv / "test.csv", index=False)
    (csv / "README.md").write_text(README)
    for name in ("irony", "sentiment"):
        (several / name).mkdir()
        reviews(0, 40).replace({"label": {0: "pos", 1: "neg"}}).to_csv(several / name / "train.csv", index=False)
    folders = {"acme/sst2": sst2, "acme/csv": csv, "acme/several": several}
    server = Hub({("datasets", name): (path, f"{i + 1:040x}") for i, (name, path) in enumerate(folders.items())})
    yield server
    server.close()


@pytest.mark.parametrize(
    ("source", "said"),
    [
        ("acme/sst2", ["texts from column 'sentence'", "set aside: no labels (test): 40", "{(0, True), (1, False)}"]),
        ("acme/csv", ["train.csv: 40 rows", "{(0, True), (1, False)}"]),  # the README names the classes
        ("acme/csv@" + f"{2:040x}", ["train.csv: 40 rows"]),
        ("acme/several:sentiment", ["train.csv: 40 rows", "{(0, True), (1, False)}"]),
        ("acme/several", ["DataError", "several configurations: irony, sentiment", "--source acme/several:irony"]),
        (
            "acme/nothing",
            ["DataError", "'acme/nothing' is not on the hub", "There is no file or folder 'acme/nothing'"],
        ),
    ],
)
def test_a_dataset_of_the_hub_is_a_source(hub, tmp_path, source, said):
    done = run_python(CODE, hub.url, tmp_path / "cache", source)
    for text in said:
        assert text in done.stdout.replace("{(1, False), (0, True)}", "{(0, True), (1, False)}"), (
            done.stdout + done.stderr
        )
