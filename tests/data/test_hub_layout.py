"""Which files of a repository are read together, by its README and by their names."""

import pytest

from sentiment_lib.data.hub_datasets import HubName, parse_name
from sentiment_lib.data.hub_layout import data_files, listed_splits, one_table, splits_by_name
from sentiment_lib.errors import DataError


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("stanfordnlp/sst2", HubName("stanfordnlp/sst2")),
        ("nyu-mll/glue:sst2", HubName("nyu-mll/glue", "sst2")),
        ("a/b@refs/convert/parquet", HubName("a/b", None, "refs/convert/parquet")),
        ("a/b.c-d_e:en-US@v1.0", HubName("a/b.c-d_e", "en-US", "v1.0")),
    ],
)
def test_a_name_has_a_configuration_and_a_revision(source, expected):
    assert parse_name(source) == expected
    assert parse_name(f" {source}\n") == expected
    assert str(expected) == source


@pytest.mark.parametrize(
    "source",
    [
        "imdb",
        "",
        "/data/reviews",
        "./a/b",
        "../a/b",
        "~/a",
        "a/b/c",
        "a/",
        "a/b:",
        "a/b@",
        "a/b@x@y",
        "a b/c",
        "C:/reviews",
    ],
)
def test_another_text_is_no_name(source):
    assert parse_name(source) is None


@pytest.mark.parametrize("file", ["train.csv", "TRAIN.CSV", "train.jsonl.gz", "reviews.xlsx", "train.parquet@v1"])
def test_what_may_be_a_path_is_no_name(file):
    assert parse_name(f"data/{file}") is None


LISTED = [
    "train.csv",
    "data/train-00000-of-00001.parquet",
    "data/test.parquet",
    "en/a/x.jsonl",
    "en/y.jsonl.gz",
    "z[1].csv",
]


@pytest.mark.parametrize(
    ("entry", "expected"),
    [
        ({"data_files": "train.csv"}, {"train": ["train.csv"]}),
        ({"data_files": "./train.csv"}, {"train": ["train.csv"]}),
        ({"data_files": ["en/*", "en/*/*"]}, {"train": ["en/a/x.jsonl", "en/y.jsonl.gz"]}),
        ({"data_files": "en/**"}, {"train": ["en/a/x.jsonl", "en/y.jsonl.gz"]}),
        ({"data_files": "**/*.jsonl"}, {"train": ["en/a/x.jsonl"]}),
        ({"data_files": "*.csv"}, {"train": ["train.csv", "z[1].csv"]}),
        ({"data_files": "z[[]1].csv"}, {"train": ["z[1].csv"]}),
        ({"data_files": "[!z]*.csv"}, {"train": ["train.csv"]}),
        (
            {
                "data_files": [
                    {"split": "fit", "path": "data/train-*"},
                    {"split": "test", "path": ["data/t??t.parquet"]},
                ]
            },
            {"fit": ["data/train-00000-of-00001.parquet"], "test": ["data/test.parquet"]},
        ),
        ({"data_files": {"train": "train.csv", "dev": ["z*"]}}, {"train": ["train.csv"], "dev": ["z[1].csv"]}),
        ({"data_files": {"split": "dev", "path": "z*"}}, {"dev": ["z[1].csv"]}),
        ({"data_dir": "en", "data_files": "*.gz"}, {"train": ["en/y.jsonl.gz"]}),
        (
            {"data_dir": "./data/"},
            {"train": ["data/train-00000-of-00001.parquet"], "test": ["data/test.parquet"]},
        ),
        ({"data_dir": "."}, {"train": ["data/train-00000-of-00001.parquet"]}),
    ],
)
def test_the_readme_lists_files_as_patterns(entry, expected):
    assert listed_splits(entry, LISTED, "It") == expected


@pytest.mark.parametrize(
    ("entry", "message"),
    [
        ({"data_files": "dev.csv"}, "It: its README names dev.csv for train, but there is no such file"),
        ({"data_files": "t*.CSV"}, "no such file"),
        ({"data_files": "data/*/*"}, "no such file"),
        ({"data_dir": "en"}, "It, train: there are several files, and nothing says that they belong together"),
        ({"data_dir": "fr"}, "It: its README names the folder 'fr', which has no files"),
        ({"data_files": ["train.csv", {"split": "test"}]}, "data_files that cannot be read: train.csv"),
        ({"data_files": [{"split": "test", "path": []}]}, "data_files that cannot be read"),
        ({"data_files": 3}, "data_files that cannot be read: 3"),
        ({"data_files": "https://elsewhere/train.csv"}, "names a file elsewhere, https://elsewhere/train.csv"),
    ],
)
def test_a_readme_that_lists_what_is_not_there(entry, message):
    with pytest.raises(DataError, match=message):
        listed_splits(entry, LISTED, "It")


def shards(name, number):
    return [f"{name}-{i:05d}-of-{number:05d}.parquet" for i in range(number)]


@pytest.mark.parametrize(
    ("files", "expected"),
    [
        (["train.csv", "test.csv", "notes.csv"], {"default": {"train": ["train.csv"], "test": ["test.csv"]}}),
        (["imdb_train.csv", "imdb_test.csv"], {"default": {"train": ["imdb_train.csv"], "test": ["imdb_test.csv"]}}),
        (["Training.csv", "dev.csv"], {"default": {"train": ["Training.csv"], "validation": ["dev.csv"]}}),
        (["latest.csv", "retrain.csv"], {"default": {"train": ["latest.csv", "retrain.csv"]}}),
        (["train/a.csv", "eval/b.csv"], {"default": {"train": ["train/a.csv"], "test": ["eval/b.csv"]}}),
        (
            ["sets/train.csv", "sets/valid.csv"],
            {"sets": {"train": ["sets/train.csv"], "validation": ["sets/valid.csv"]}},
        ),
        (["reviews.csv"], {"default": {"train": ["reviews.csv"]}}),
        (
            ["en/reviews.csv", "de/reviews.csv"],
            {"en": {"train": ["en/reviews.csv"]}, "de": {"train": ["de/reviews.csv"]}},
        ),
        (
            [*shards("data/train", 2), *shards("data/extra", 1), "train.csv", "old/test.csv"],
            {"data": {"train": shards("data/train", 2), "extra": shards("data/extra", 1)}},
        ),
        (
            ["emoji/test.parquet", *shards("sentiment/train", 1), *shards("sentiment/unlabelled", 1)],
            {
                "emoji": {"test": ["emoji/test.parquet"]},
                "sentiment": {"train": shards("sentiment/train", 1), "unlabelled": shards("sentiment/unlabelled", 1)},
            },
        ),
        (
            ["plain/train/0000.parquet", "plain/extra/0000.parquet", "other/train/0000.parquet"],
            {
                "plain": {"train": ["plain/train/0000.parquet"], "extra": ["plain/extra/0000.parquet"]},
                "other": {"train": ["other/train/0000.parquet"]},
            },
        ),
        (
            ["train/en/1.csv", "train/de/1.csv"],
            {"en": {"train": ["train/en/1.csv"]}, "de": {"train": ["train/de/1.csv"]}},
        ),
        ([], {}),
    ],
)
def test_names_of_files_and_folders_say_what_is_what(files, expected):
    assert splits_by_name(files) == expected


@pytest.mark.parametrize(
    "files",
    [
        ["train.csv"],
        shards("data/train", 3),
        ["train-00000-of-00002-a1b2.parquet", "train-00001-of-00002-c3d4.parquet"],
        ["train-00001-of-00002.csv.gz", "train-00002-of-00002.csv.gz"],
        ["train/0000.parquet", "train/0001.parquet"],
        ["train_1.csv", "train_2.csv"],
        [f"train_{i}.csv" for i in range(12)],
    ],
)
def test_shards_are_one_table(files):
    assert one_table(files, "It") == sorted(files)


@pytest.mark.parametrize(
    "files",
    [
        ["train.csv", "train_before_fix.csv"],
        ["train.csv", "train_1.csv"],
        ["train.csv", "train (1).csv"],
        ["train_2019.csv", "train_2020.csv"],
        ["train_0.csv", "train_2.csv"],
        ["train-00000-of-00003.parquet", "train-00001-of-00003.parquet"],
        ["train-00000-of-00001-a1b2.parquet", "train-00000-of-00001-c3d4.parquet"],
        ["a/train_0.csv", "b/train_1.csv"],
        ["train.csv", "train_extra.jsonl"],
        ["train_0.csv", "train_1.jsonl"],
    ],
)
def test_other_files_are_not_joined(files):
    with pytest.raises(DataError, match=r"It: there are several files.*Download the one") as error:
        one_table(files, "It")
    assert all(file in str(error.value) for file in files)


@pytest.mark.parametrize(
    ("files", "taken"),
    [
        (["train.csv", "train.parquet", "train.json"], ["train.parquet"]),
        (["train.csv", "train.jsonl.gz"], ["train.jsonl.gz"]),
        ([*shards("train", 2), "train.csv"], shards("train", 2)),
    ],
)
def test_of_copies_in_several_formats_one_is_read(files, taken):
    assert one_table(files, "It") == taken


def test_which_files_may_hold_reviews():
    kept = ["a.parquet", "b/c.CSV", "d.tsv.gz", "e.json.xz", "f.txt", "g.arrow", "v1.0.jsonl"]
    left = [
        "README.md",
        "a.jsonl.zst",
        "a.py",
        "a.zip",
        "a.tar.gz",
        "a.gz",
        ".a.csv",
        ".b/c.csv",
        "__b/c.csv",
        "b/dataset_info.json",
    ]
    assert data_files([*left, *kept, "LICENSE.txt", "csv", "state.json"]) == kept
