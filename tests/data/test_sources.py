"""Folders, columns and labels of one's own reviews: used together, used as they are meant, or refused."""

import pandas as pd
import pytest
from datasets import ClassLabel, Dataset, DatasetDict, Features, Value

from sentiment_lib.data import load_and_prepare_dataset, read_source
from sentiment_lib.data.columns import find_label_column, find_text_column, has_header, split_column
from sentiment_lib.data.labels import KNOWN_LABELS, read_labels
from sentiment_lib.data.preparation import prepare
from sentiment_lib.errors import DataError, SettingsError
from sentiment_lib.settings import make_settings


def reviews(start=0, count=40, label="label", text="text", names=(0, 1)):
    rows = [
        {text: f"Scene {i} is a {['dull', 'wonderful'][i % 2]} piece of film.", label: names[i % 2]}
        for i in range(start, start + count)
    ]
    return pd.DataFrame(rows)


def files(folder, *names):
    for number, name in enumerate(names):
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        table = reviews(100 * number)
        if path.suffix == ".parquet":
            table.to_parquet(path)
        else:
            table.to_csv(path, index=False, sep="\t" if ".tsv" in name else ",")
    return folder


LAYOUTS = {
    "plain": (["train.csv", "test.csv"], {"train": 40, "test": 40}),
    "validation": (["train.csv", "dev.csv", "test.csv"], {"train": 40, "validation": 40, "test": 40}),
    "long names": (["training.csv", "testing.csv"], {"train": 40, "test": 40}),
    "a name in front": (["imdb_train.csv", "imdb_test.csv"], {"train": 40, "test": 40}),
    "a name in camel case": (["imdbTrain.tsv", "imdbTest.tsv"], {"train": 40, "test": 40}),
    "a name behind": (["train-imdb.csv", "val-imdb.csv"], {"all": 40, "validation": 40}),
    "folders": (["train/data.csv", "test/data.csv"], {"train": 40, "test": 40}),
    "the hub's shards": (["data/train-00000-of-00002.parquet", "data/train-00001-of-00002.parquet", "data/test-00000-of-00001.parquet"], {"train": 80, "test": 40}),
    "compressed": (["train.csv.gz", "test.tsv.bz2"], {"train": 40, "test": 40}),
    "one file": (["reviews.csv"], {"all": 40}),
    "one file beside others": (["train.csv", "notes.csv"], {"all": 40}),
    "hidden copies": (["train.csv", ".ipynb_checkpoints/train-checkpoint.csv"], {"all": 40}),
}  # fmt: skip


@pytest.mark.parametrize("case", LAYOUTS)
def test_files_of_a_folder(case, tmp_path):
    names, rows = LAYOUTS[case]
    found = read_source(str(files(tmp_path, *names)))
    assert {split: len(table) for split, table in found.tables.items()} == rows
    if case == "one file beside others":
        assert "left out: notes.csv" in found.notes


AMBIGUOUS = {
    "an old copy": (["train.csv", "train_old.csv"], r"several files for train: train\.csv, train_old\.csv"),
    "two kinds": (["train.csv", "train.parquet"], r"several files for train: train\.csv, train\.parquet"),
    "parts that are no shards": (["train1.csv", "train2.csv"], r"several files for train: train1\.csv, train2\.csv"),
    "two configurations": (["a/train.csv", "b/train.csv", "b/test.csv"], r"several data sets: .*Give the folder of one: .*a, .*b;"),
    "halves of two": (["a/train.csv", "b/test.csv"], r"several data sets: a/train\.csv, b/test\.csv"),
    "two names": (["imdb_train.csv", "yelp_test.csv"], r"do not belong together: imdb_train\.csv, yelp_test\.csv"),
    "a shard is missing": (["train-00000-of-00002.parquet"], "1 of the 2 shards"),
    "no split": (["a.csv", "b.csv"], r"No training file in .*found a\.csv, b\.csv"),
    "only a test file": (["test.csv"], r"No training file in .*found test\.csv"),
}  # fmt: skip


@pytest.mark.parametrize("case", AMBIGUOUS)
def test_files_that_may_not_belong_together(case, tmp_path):
    names, message = AMBIGUOUS[case]
    with pytest.raises(DataError, match=message):
        read_source(str(files(tmp_path, *names)))


def text_folders(root, names):
    for split in names:
        for label in names[split]:
            folder = root / split / label
            folder.mkdir(parents=True)
            for i in range(20):
                (folder / f"{i}_{9 if label == 'pos' else 2}.txt").write_text(f"{split} {label} {i} is a text")


def test_the_archive_of_imdb(tmp_path):
    text_folders(tmp_path / "aclImdb", {"train": ["pos", "neg", "unsup"], "test": ["pos", "neg"]})
    for root in (tmp_path, tmp_path / "aclImdb"):
        dataset, summary = load_and_prepare_dataset(str(root))
        assert summary.read == {"train": 40, "test": 40}
        assert "left out: 20 reviews without labels (the folder unsup)" in summary.describe()
        assert {(row["label"], row["stars"]) for row in dataset["test"]} == {(0, 2.0), (1, 9.0)}


def test_folders_of_texts_without_splits_or_stars(tmp_path):
    text_folders(tmp_path, {"": ["pos", "neg"]})
    (tmp_path / "pos" / "0_9.txt").rename(tmp_path / "pos" / "cv000.txt")
    dataset, summary = load_and_prepare_dataset(str(tmp_path))
    assert summary.read == {"all": 40}
    assert dataset["train"].column_names == ["text", "label"]
    (tmp_path / "pos" / "latin.txt").write_bytes("naïve".encode("cp1252"))
    with pytest.raises(DataError, match=r"latin\.txt is not UTF-8.*encoding=cp1252"):
        load_and_prepare_dataset(str(tmp_path))
    assert prepare(make_settings(source=str(tmp_path), encoding="cp1252"))[1].read == {"all": 41}


def test_saved_datasets(tmp_path):
    features = Features({"text": Value("string"), "label": ClassLabel(names=["pos", "neg"])})
    parts = {
        name: Dataset.from_pandas(reviews(start), features=features)
        for name, start in (("train", 0), ("test", 100), ("extra", 200))
    }
    DatasetDict(parts).save_to_disk(tmp_path / "d")
    dataset, summary = load_and_prepare_dataset(str(tmp_path / "d"))
    assert summary.read == {"train": 40, "test": 40}
    assert "left out: the split extra" in summary.notes
    assert {"dull" in row["text"] for row in dataset["train"] if row["label"] == 1} == {True}  # 0 is called pos
    DatasetDict({"a": parts["train"], "b": parts["test"]}).save_to_disk(tmp_path / "e")
    with pytest.raises(DataError, match="No training split: the splits are a, b"):
        load_and_prepare_dataset(str(tmp_path / "e"))


def test_a_column_that_names_the_split(tmp_path):
    table = reviews(count=60).assign(part=["train"] * 20 + ["Test"] * 20 + ["dev"] * 20)
    table.to_csv(tmp_path / "r.csv", index=False)
    _, summary = load_and_prepare_dataset(str(tmp_path / "r.csv"))
    assert summary.read == {"train": 20, "validation": 20, "test": 20}
    assert "splits by the column 'part'" in summary.describe()
    assert split_column(pd.DataFrame({"a": ["train"] * 3, "b": ["test"] * 3, "c": ["train", "test", "film"]})) is None


def test_test_reviews_without_labels_are_set_aside(tmp_path):
    for name, table in {
        "train.csv": reviews(),
        "test.csv": reviews(100).assign(label=-1),
        "dev.csv": reviews(200).drop(columns="label"),
    }.items():
        table.to_csv(tmp_path / name, index=False)
    dataset, summary = load_and_prepare_dataset(str(tmp_path))
    assert summary.set_aside == {"test": 40, "validation": 40}
    assert sum(map(len, dataset.values())) == 40
    assert "set aside: no labels (test): 40" in summary.describe()
    reviews(100, names=(-1, 1)).to_csv(tmp_path / "test.csv", index=False)
    with pytest.raises(DataError, match=r"Unknown labels: '-1' \(20 of 40"):
        load_and_prepare_dataset(str(tmp_path))
    reviews().drop(columns="label").to_csv(tmp_path / "train.csv", index=False)
    with pytest.raises(DataError, match="usual name for labels; its columns are 'text'"):
        load_and_prepare_dataset(str(tmp_path))


PROSE = ["A film that I liked a lot", "Dull, slow and far too long"] * 10
FEW = ["good", "bad"] * 10
COLUMNS = {
    "the defaults": ({"text": PROSE, "review": PROSE, "label": FEW, "stars": FEW}, "text", "label"),
    "usual names": ({"id": range(20), "Review": PROSE, "Rating": FEW}, "Review", "Rating"),
    "several words": ({"review_id": range(20), "Review Text": PROSE, "star_rating": FEW}, "Review Text", "star_rating"),
    "the last word": ({"SentimentText": PROSE, "airline_sentiment": FEW, "sentiment_gold": PROSE}, "SentimentText", "airline_sentiment"),
    "by content": ({"1": FEW, "2": [f"u{i}" for i in range(20)], "3": ["Mon Apr 06 22:19:45 PDT 2009"] * 20, "4": PROSE}, "4", "1"),
    "Chinese": ({"1": ["这部电影非常好看演员的表演很精彩"] * 20, "2": FEW}, "1", "2"),
    "labels that are understood": ({"text": PROSE, "sentiment": ["pos", "neg"] * 10, "rating": range(20)}, "text", "sentiment"),
    "only one": ({"words": ["Fine", "Poor"]}, "words", None),
    "nothing": ({"a": range(20), "b": range(20)}, None, None),
}  # fmt: skip


@pytest.mark.parametrize("case", COLUMNS)
def test_columns_are_found_when_there_is_no_doubt(case):
    values, text, label = COLUMNS[case]
    table = pd.DataFrame(values)
    assert find_text_column(table) == text
    assert find_label_column(table, text, KNOWN_LABELS) == label


def test_columns_in_doubt():
    with pytest.raises(DataError, match=r"Several columns may hold the texts: 'review', 'sentence'\. Say which with"):
        find_text_column(pd.DataFrame({"review": PROSE, "sentence": PROSE}))
    with pytest.raises(DataError, match="Several columns may hold the labels: 'stars', 'score'"):
        find_label_column(pd.DataFrame({"stars": FEW, "score": FEW}), None, KNOWN_LABELS)


def test_all_missing_columns_come_in_one_error(tmp_path):
    reviews(label="verdict", text="words").to_csv(tmp_path / "r.csv", index=False)
    with pytest.raises(DataError, match=r"no column 'a' and 'b' in .*its columns are 'words', 'verdict'"):
        load_and_prepare_dataset(str(tmp_path / "r.csv"), text_column="a", label_column="b")
    reviews(count=8).rename(columns={"text": "a", "label": "b"}).assign(a=range(8), b=range(8)).to_parquet(
        tmp_path / "r.parquet"
    )
    with pytest.raises(
        DataError, match=r"usual name for texts or labels; .*Say which with text_column and label_column"
    ):
        load_and_prepare_dataset(str(tmp_path / "r.parquet"))


@pytest.mark.parametrize(
    ("rows", "expected"),
    [
        ([["Kommentar", "Urteil"], *([["Sehr guter Film", "gut"], ["Kein guter Film", "schlecht"]] * 10)], True),
        ([["name", "points"], ["a", "1"], ["b", "2"]], True),
        ([["2", "fine"], ["1", "poor"], ["2", "good"]], False),
        ([["gut", "So ein schöner Film"], ["schlecht", "Nein"], ["gut", "Ja"]], False),
        ([["A film that I liked a lot"], ["Poor"]], False),
        ([["Great text", "1"], ["Poor", "0"], ["Fine", "1"]], False),
    ],
)
def test_headers(rows, expected):
    assert has_header(rows, (), "x") is expected


LABELS = {
    "stars": ([1, 2, 3, 4, 5.0], (["1", "2"], ["4", "5"]), (), None, [0, 0, -1, 1, 1], {"3": 1}),
    "one dropped": (["neg", "neutral", "pos"], None, ["neutral"], None, [0, -1, 1], {"neutral": 1}),
    "names, the other way round": ([0, 1], None, (), ["pos", "neg"], [1, 0], {}),
    "names that say nothing": ([0, 1], None, (), ["LABEL_0", "LABEL_1"], [0, 1], {}),
    "numbers of named classes": ([0, 1], ("0", "1"), (), ["bad", "good"], [0, 1], {}),
    "names of classes": ([0, 1, 2], ("bad", "good"), ["so so"], ["good", "so so", "bad"], [1, -1, 0], {"so so": 1}),
    "classes named by numbers": ([0, 2, 4], (["1", "2"], ["4", "5"]), (), list("12345"), [0, -1, 1], {"3": 1}),
    "fastText": (["__label__1", "__label__2"], ("1", "2"), (), None, [0, 1], {}),
}  # fmt: skip


@pytest.mark.parametrize("case", LABELS)
def test_labels_mean_what_they_say(case):
    labels, names, dropped, classes, expected, counts = LABELS[case]
    found, others = read_labels(pd.Series(labels, dtype=object), names, dropped, classes)
    assert found.tolist() == expected
    assert others == counts


@pytest.mark.parametrize(
    ("labels", "names", "dropped", "classes", "message"),
    [
        ([0, 1], ("0", "1"), (), ["pos", "neg"], "call the label 0 negative, but in the file 0 means 'pos'"),
        ([0, 1], None, (), ["toxic", "ok"], r"The labels are 'toxic' \(1\), 'ok' \(1\)"),
        (
            [0, 4],
            (["1"], ["4"]),
            (),
            ["1 star", "2 star", "3 star", "4 star", "5 star"],
            "not certain what '1', '4' mean",
        ),
        (["good", "bad", "meh"], ("bad", "good"), (), None, r"Unknown labels: 'meh' .*leave them out: drop_label=meh"),
        (["good", "bad"], ("bad", "good"), ["bad"], None, "'bad' is both to be kept and to be dropped"),
        ([1, 5], (["2"], ["4", "5"]), (), None, "Unknown labels: '1'"),
        ([1, 5], (["1"], ["1", "5"]), (), None, "both labels are called '1'"),
    ],
)
def test_labels_that_contradict_are_refused(labels, names, dropped, classes, message):
    with pytest.raises(DataError, match=message):
        read_labels(pd.Series(labels, dtype=object), names, dropped, classes)


def test_lists_of_labels_in_settings():
    settings = make_settings(negative_label="1, 2", positive_label="5", drop_label="3,4", header="no", delimiter="\t")
    assert settings.label_names == (["1", "2"], "5")
    assert settings.drop_labels == ["3", "4"]
    assert settings.table_options == {
        "delimiter": "tab",
        "encoding": None,
        "header": False,
        "quotes": None,
        "columns": (),
    }
    assert make_settings(encoding="cp1252").file_encoding == "cp1252"
    for wrong in ({"negative_label": "1,,2", "positive_label": "3"}, {"header": "maybe"}, {"drop_label": ","}):
        with pytest.raises(SettingsError):
            make_settings(**wrong)
    with pytest.raises(SettingsError, match="both labels are called '2'"):
        make_settings(negative_label="1,2", positive_label="2,3")
    assert read_labels(pd.Series([1, 5]), (["1"], ["5"]))[0].tolist() == [0, 1]
