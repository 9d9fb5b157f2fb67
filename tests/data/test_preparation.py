import hashlib
import json
import shutil

import pandas as pd
import pytest

from sentiment_lib.data import preparation, sources
from sentiment_lib.data.labels import read_labels
from sentiment_lib.data.preparation import (
    clean_text,
    example_reviews,
    load_and_prepare_dataset,
    load_dataset,
    prepare,
    save_dataset,
    sealed_reviews,
)
from sentiment_lib.errors import DataError, HubUnreachable
from sentiment_lib.settings import make_settings


def reviews(n, word, start=0):
    return [f"{word} review number {i}" for i in range(start, start + n)]


def write(path, texts, labels):
    table = pd.DataFrame({"text": texts, "label": labels})
    if path.suffix == ".csv":
        table.to_csv(path, index=False)
    elif path.suffix == ".jsonl":
        table.to_json(path, orient="records", lines=True)
    else:
        table.to_parquet(path)
    return str(path)


@pytest.fixture(scope="module")
def snippets():
    return load_and_prepare_dataset("snippets")


def test_snippets_counts(snippets):
    dataset, summary = snippets
    assert summary.read == {"all": 10605}
    assert (summary.neutral, summary.duplicates, summary.leaked) == (37, {"all": 2}, {"validation": 0, "train": 0})
    assert {split: len(rows) for split, rows in dataset.items()} == {"train": 6846, "validation": 761, "test": 1902}
    assert sum(sum(kept.values()) for kept in summary.kept.values()) == 10605 - 37 - 2 - 1057
    assert summary.to_frame().loc["kept (test)", "reviews"] == 1902


def test_snippets_labels_are_the_sign_of_the_rating(snippets):
    table = pd.concat(split.to_pandas() for split in snippets[0].values())
    assert ((table["rating"] > 0) == (table["label"] == 1)).all()
    assert table["rating"].between(-4, 4).all()
    assert (table["rating_std"] >= 0).all()


def test_snippets_splits_share_no_text_and_are_stratified_and_shuffled(snippets):
    tables = {name: split.to_pandas() for name, split in snippets[0].items()}
    texts = [set(table["text"]) for table in tables.values()]
    assert sum(map(len, texts)) == len(set.union(*texts))
    for table in tables.values():
        assert table["label"].mean() == pytest.approx(0.496, abs=0.01)
        assert 0.4 < table["label"].head(100).mean() < 0.6


def test_the_splits_are_these_on_any_machine(snippets):
    test = "\n".join(sorted(snippets[0]["test"]["text"]))
    assert hashlib.sha256(test.encode()).hexdigest()[:16] == "b93213af16e24e7b"


def test_the_rows_of_a_split_are_not_in_the_order_by_which_it_was_cut_off(snippets):
    """Else the rows nearest to the cut come first, which is at another place for each label."""
    train = snippets[0]["train"].to_pandas()
    by_cut = preparation._shuffled(train, 0)["text"].tolist()
    assert by_cut[:200] != train["text"].tolist()[:200]
    assert len(set(by_cut[:200]) & set(train["text"][:200])) < 20


def test_the_seed_and_nothing_else_decides_the_splits(tmp_path):
    texts, labels = reviews(40, "good") + reviews(40, "bad"), [1] * 40 + [0] * 40
    first = write(tmp_path / "a.csv", texts, labels)
    reversed_file = write(tmp_path / "b.csv", texts[::-1], labels[::-1])
    expected, _ = load_and_prepare_dataset(first, seed=3)
    other_order, _ = load_and_prepare_dataset(reversed_file, seed=3)
    other_seed, _ = load_and_prepare_dataset(first, seed=4)
    for split in expected:
        assert expected[split]["text"] == other_order[split]["text"]
    assert set(expected["test"]["text"]) != set(other_seed["test"]["text"])


def test_a_smaller_training_set_is_part_of_a_larger_one_and_leaves_the_test_split_alone(tmp_path):
    path = write(tmp_path / "a.csv", reviews(60, "good") + reviews(60, "bad"), [1] * 60 + [0] * 60)
    small, summary = load_and_prepare_dataset(path, train_size=10)
    large, _ = load_and_prepare_dataset(path, train_size=40)
    assert len(small["train"]) == 10
    assert summary.unused == 86 - 10
    assert set(small["train"]["text"]) < set(large["train"]["text"])
    assert small["test"]["text"] == large["test"]["text"]
    assert sum(small["train"]["label"]) == 5


@pytest.mark.parametrize("ending", [".csv", ".jsonl", ".parquet"])
def test_all_file_formats_are_read_alike(tmp_path, ending):
    texts = [*reviews(20, "good, even «great»"), *reviews(19, "bad"), 'one "bad"\nreview']
    dataset, summary = load_and_prepare_dataset(write(tmp_path / f"r{ending}", texts, [1] * 20 + [0] * 20))
    assert summary.read == {"all": 40}
    assert {n: len(s) for n, s in dataset.items()} == {"train": 29, "validation": 3, "test": 8}
    everything = [text for split in dataset.values() for text in split["text"]]
    assert 'one "bad" review' in everything


def test_a_folder_with_splits_keeps_its_test_split_and_leaks_leave_training(tmp_path):
    train = [*reviews(30, "good"), *reviews(30, "bad"), "good review number 0", "shared text", "bad  review number 1"]
    write(tmp_path / "train.parquet", train, [1] * 30 + [0] * 30 + [1, 1, 0])
    test = [*reviews(5, "fine"), *reviews(5, "poor"), "shared<br />text", "fine review number 0"]
    write(tmp_path / "test-00000-of-00001.parquet", test, [1] * 5 + [0] * 5 + [1, 1])
    dataset, summary = load_and_prepare_dataset(str(tmp_path))
    assert summary.duplicates == {"train": 2}
    assert summary.leaked == {"validation": 1, "train": 0}  # it had been drawn for validation
    assert len(dataset["test"]) == 12
    assert "shared text" in dataset["test"]["text"]
    assert "shared text" not in [*dataset["train"]["text"], *dataset["validation"]["text"]]
    assert len(dataset["train"]) + len(dataset["validation"]) == 60


def test_a_published_test_split_stays_whole_unless_it_is_to_be_cleaned(tmp_path):
    write(tmp_path / "train.csv", [*reviews(30, "good"), *reviews(30, "bad")], [1] * 30 + [0] * 30)
    test = [
        *reviews(4, "fine"),
        *reviews(4, "poor"),
        "fine review number 0",
        "unclear",
        "unclear",
        "bad review number 2",
    ]
    write(tmp_path / "test.csv", test, [1] * 4 + [0] * 4 + [1, 0, 1, 0])
    dataset, summary = load_and_prepare_dataset(str(tmp_path))
    assert sorted(dataset["test"]["text"]) == sorted(test)
    assert summary.left_in_test == {"duplicates": 1, "contradictory texts": 2}
    assert "1 duplicates and 2 contradictory texts; clean_test=true drops them" in summary.describe()
    assert summary.leaked["train"] + summary.leaked["validation"] == 1  # training gives way

    cleaned, summary = load_and_prepare_dataset(str(tmp_path), clean_test=True)
    assert sorted(cleaned["test"]["text"]) == sorted(set(test) - {"unclear"})
    assert (summary.duplicates["test"], summary.contradictory, summary.left_in_test) == (1, 2, {})
    assert cleaned["train"]["text"] == dataset["train"]["text"]
    assert "stays whole" not in summary.describe()


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"split_seed": 1},
        {"split_seed": 2},
        {"split_seed": 3},
        {"validation_size": 0.3},
        {"test_size": 0.4},
        {"train_size": 100},
        {"source": "snippets"},
    ],
)
def test_no_setting_brings_a_sealed_review_into_a_split(snippets, changes):
    settings = make_settings("quick", **changes)
    sealed = set(sealed_reviews(settings)["text"])
    assert sealed == set(sealed_reviews(make_settings("quick"))["text"])
    dataset, summary = prepare(settings)
    assert summary.sealed == len(sealed) == 1057
    assert summary.to_frame().loc["sealed for the last experiment", "reviews"] == -1057
    for split in (*dataset.values(), *snippets[0].values()):
        assert not sealed & set(split["text"])


def test_sealed_reviews_have_both_labels_as_the_others_do():
    sealed = sealed_reviews(make_settings("quick"))
    assert sum(sealed["label"]) / len(sealed) == pytest.approx(0.496, abs=0.001)
    assert "rating" in sealed.column_names


def test_another_share_can_be_sealed_or_nothing(snippets):
    assert load_and_prepare_dataset("snippets", sealed_size=0.0)[1].sealed == 0
    more = set(sealed_reviews(make_settings("quick", sealed_size=0.2))["text"])
    assert len(more) == 2113
    assert set(sealed_reviews(make_settings("quick"))["text"]) < more
    for share in (0, 0.00001):
        with pytest.raises(DataError, match="Nothing was sealed: of snippets"):
            sealed_reviews(make_settings("quick", sealed_size=share))


def test_reviews_of_ones_own_are_sealed_on_demand(review_file):
    assert prepare(make_settings(source=str(review_file)))[1].sealed == 0
    with pytest.raises(DataError, match=r"Nothing was sealed: of .*reviews"):
        sealed_reviews(make_settings(source=str(review_file)))
    assert len(sealed_reviews(make_settings(source=str(review_file), sealed_size=0.2))) > 0


def test_a_published_test_split_is_not_sealed_and_what_is_in_it_is_not_either(tmp_path):
    texts = reviews(60, "up") + reviews(60, "down")
    write(tmp_path / "train.csv", texts, [1] * 60 + [0] * 60)
    write(tmp_path / "test.csv", texts[:10] + texts[60:70], [1] * 10 + [0] * 10)
    settings = make_settings(source=str(tmp_path), sealed_size=0.4)
    sealed = set(sealed_reviews(settings)["text"])
    dataset, summary = prepare(settings)
    assert len(dataset["test"]) == 20
    assert 0 < len(sealed) == summary.sealed <= 48
    assert not sealed & {text for split in dataset.values() for text in split["text"]}


def test_old_copies_in_hidden_folders_are_not_read(tmp_path):
    write(tmp_path / "train.csv", [*reviews(20, "good"), *reviews(20, "bad")], [1] * 20 + [0] * 20)
    (tmp_path / ".ipynb_checkpoints").mkdir()
    write(tmp_path / ".ipynb_checkpoints" / "train-checkpoint.csv", reviews(20, "good"), [0] * 20)
    assert load_and_prepare_dataset(str(tmp_path))[1].read == {"all": 40}


def test_a_folder_may_bring_its_validation_split(tmp_path):
    for split, n in (("train", 9), ("dev", 4), ("test", 5)):
        write(tmp_path / f"{split}.csv", reviews(n, f"{split} up") + reviews(n, f"{split} down"), [1] * n + [0] * n)
    dataset, _ = load_and_prepare_dataset(str(tmp_path))
    assert {name: len(split) for name, split in dataset.items()} == {"train": 18, "validation": 8, "test": 10}


def test_the_same_text_with_both_labels_is_dropped_altogether(tmp_path):
    path = write(
        tmp_path / "r.csv", reviews(20, "good") + reviews(20, "bad") + ["unclear"] * 3, [1] * 20 + [0] * 22 + [1]
    )
    dataset, summary = load_and_prepare_dataset(path)
    assert summary.contradictory == 3
    assert all("unclear" not in split["text"] for split in dataset.values())


@pytest.mark.parametrize(
    ("dirty", "clean"),
    [
        ("One.<br /><br>Two.<BR/>Three.", "One. Two. Three."),
        ("  a\t\tb\u00a0c\n", "a b c"),
        ("cafe\u0301", "caf\u00e9"),
        ("nul\x00byte and \x1b escape", "nul byte and escape"),
        ("lone \ud800 surrogate", "lone surrogate"),
        ("<b>markup stays</b> 3 < 4", "<b>markup stays</b> 3 < 4"),
    ],
)
def test_cleaning(dirty, clean):
    assert clean_text(dirty) == clean


def test_labels_of_several_types_in_one_file(tmp_path):
    rows = zip(reviews(40, "fine"), [1, "negative", 0, "positive"] * 10, strict=True)
    path = tmp_path / "reviews.jsonl"
    path.write_text("".join(json.dumps({"text": text, "label": label}) + "\n" for text, label in rows))
    _, summary = load_and_prepare_dataset(str(path))
    assert summary.labels["all"] == {"0": 10, "1": 10, "negative": 10, "positive": 10}


def test_labels_of_many_kinds():
    labels = [0, 1, "neg", "Positive", True, False, "1.0"]
    assert read_labels(pd.Series(labels, dtype=object))[0].tolist() == [0, 1, 0, 1, 1, 0, 1]
    assert read_labels(pd.Series(["bad", "Good"]), ("bad", "good"))[0].tolist() == [0, 1]


def test_own_label_and_column_names(tmp_path):
    table = pd.DataFrame(
        {"review": reviews(20, "x") + reviews(20, "y"), "verdict": ["thumbs up"] * 20 + ["thumbs down"] * 20}
    )
    table.to_csv(tmp_path / "mine.csv", index=False)
    settings = make_settings(
        source=str(tmp_path / "mine.csv"), text_column="review", label_column="verdict",
        negative_label="thumbs down", positive_label="thumbs up",
    )  # fmt: skip
    dataset, _ = prepare(settings)
    assert all(
        (label == 1) == ("x" in text)
        for text, label in zip(dataset["train"]["text"], dataset["train"]["label"], strict=True)
    )


@pytest.mark.parametrize(
    ("content", "options", "message"),
    [
        ("text,label\n", {}, "holds no rows"),
        ("", {}, "reviews.csv is empty"),
        ("review,label\na,1\nb,0\n", {"text_column": "text"}, "There is no column 'text' in"),
        (
            "text,label\na,1\nb,meh\n",
            {},
            "Unknown labels: 'meh' (1 of 2 reviews). The labels are '1' (1), 'meh' (1); understood are '0', 'neg'",
        ),
        ("text,label\na,1\nb,1\nc,1\n", {}, "needs reviews of both labels"),
        ("text,label\na,1\nb,0\n", {"train_size": 50}, "train_size=50, but"),
    ],
)
def test_errors_name_what_is_wrong(tmp_path, content, options, message):
    path = tmp_path / "reviews.csv"
    path.write_text(content)
    with pytest.raises(DataError) as caught:
        load_and_prepare_dataset(str(path), **options)
    assert message in str(caught.value)


def test_missing_labels_are_an_error(tmp_path):
    path = write(tmp_path / "r.parquet", ["a", "b", "c"], [1, None, 0])
    with pytest.raises(DataError, match="1 of 3 reviews have no label"):
        load_and_prepare_dataset(path)


def test_an_unknown_source_is_an_error_that_lists_the_sources():
    with pytest.raises(DataError, match="neither 'snippets' nor 'imdb' nor an existing path"):
        load_and_prepare_dataset("imbd")


def test_saved_splits_come_back_and_other_settings_are_refused(home, review_file):
    settings = make_settings(run="mine", source=str(review_file))
    dataset, _ = prepare(settings)
    save_dataset(dataset, settings)
    save_dataset(dataset, settings)  # the second call replaces the files of the first
    assert load_dataset(settings)["test"]["text"] == dataset["test"]["text"]
    with pytest.raises(DataError, match=r"train_size=9 \(was None\)\. Run lesson 01 again"):
        load_dataset(make_settings(run="mine", source=str(review_file), train_size=9))


def test_without_lesson_01_there_is_nothing_to_load(home):
    with pytest.raises(FileNotFoundError, match="Run lesson 01 first"):
        load_dataset(make_settings(run="new"))


def test_our_own_reviews_cover_the_hard_kinds():
    ours = example_reviews()
    assert len(ours) >= 20
    assert {"sarcasm", "negation", "mixed"} <= set(ours["kind"])
    assert set(ours["label"]) == {"negative", "positive"}
    assert ours["title"].is_unique


@pytest.mark.slow
def test_a_damaged_copy_of_the_snippets_is_fetched_again(home, monkeypatch):
    folder = sources.fetch_snippets()
    name = next(iter(sources.SNIPPETS_FILES))
    good = (folder / name).read_bytes()
    package = home / "package.tar.gz"
    shutil.copy(sources._pip_download(home), package)
    monkeypatch.setattr(sources, "_pip_download", lambda scratch: package)
    (folder / name).write_bytes(good[:1000])
    assert (sources.fetch_snippets() / name).read_bytes() == good


@pytest.mark.slow
def test_a_package_with_another_corpus_is_refused(home, monkeypatch):
    monkeypatch.setitem(sources.SNIPPETS_FILES, "movieReviewSnippets_GroundTruth.txt", "0" * 64)
    with pytest.raises(DataError, match="not the published file"):
        sources.fetch_snippets()
    assert not (home / "data" / "snippets" / "movieReviewSnippets_GroundTruth.txt").exists()


def test_pip_without_a_network_says_what_to_do(home, monkeypatch):
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(home))
    with pytest.raises(DataError, match=r"pip could not download vaderSentiment==3\.3\.2.*pass the path of your own"):
        sources.fetch_snippets()


def test_an_unreachable_hub_is_reported_at_once_with_remedies(home, monkeypatch):
    import time

    from huggingface_hub import constants

    monkeypatch.setattr(constants, "ENDPOINT", "http://127.0.0.1:9")
    began = time.perf_counter()
    with pytest.raises(HubUnreachable, match=r"imdb' is not on this machine yet.*--source PATH.*preset quick"):
        load_and_prepare_dataset("imdb")
    assert time.perf_counter() - began < 30  # not minutes of retries
