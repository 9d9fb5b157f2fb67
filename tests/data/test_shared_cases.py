"""The small inputs in shared/cases, one row per input: what is read, or with which words it is refused."""

import os
import shutil

import pandas as pd
import pytest
from support import CHECKOUT, missing

from sentiment_lib.data import read_table
from sentiment_lib.data.preparation import prepare
from sentiment_lib.errors import DataError
from sentiment_lib.model.file_prediction import predict_file
from sentiment_lib.settings import Encoding, make_settings

STARS = {"negative_label": "1,2", "positive_label": "4,5"}
# input, settings, rows read per split, and what the description of the data must say
READ = [
    ("02_aclimdb/aclImdb", {}, {"train": 240, "test": 120}, "left out: 20 reviews without labels"),
    ("02_aclimdb/aclImdb", {"preset": "imdb"}, {"train": 240, "test": 120}, "left out: 20 reviews without labels"),
    ("02_aclimdb", {}, {"train": 240, "test": 120}, "left out: 20 reviews without labels"),
    ("04_old_copy/mine/train.csv", {}, {"all": 300}, "train.csv: 300 rows"),
    ("04_old_copy/tweet_eval_like/sentiment", {}, {"train": 300, "test": 80}, "train-00000-of-00001.parquet: 300 rows"),
    ("05_sst2_hub/sst2", {}, {"train": 300, "validation": 80, "test": 20}, "set aside: no labels (test): 20"),
    ("05_sst2_hub/sst2", {}, {"train": 300, "validation": 80, "test": 20}, "texts from column 'sentence'"),
    ("06_glue_sst2_tsv/SST-2", {}, {"train": 300, "validation": 60, "test": 10}, "set aside: no labels (test): 10"),
    ("07_tsv_quotes/reviews.csv", {}, {"all": 300}, "quotes that enclose no value are part of it"),
    ("07_tsv_quotes/reviews.tsv", {}, {"all": 300}, "quotes that enclose no value are part of it"),
    ("09_sentiment140/training.1600000.processed.noemoticon.csv", {"negative_label": "0", "positive_label": "4"},
        {"all": 300}, "(cp1252, no header)"),
    ("09_sentiment140/utf8.csv", {"negative_label": "0", "positive_label": "4"}, {"all": 300}, "(no header)"),
    ("10_yelp_polarity_csv/train.csv", {"negative_label": "1", "positive_label": "2"}, {"all": 300}, "(no header)"),
    ("10_yelp_polarity_csv/with_header.csv", {"negative_label": "1", "positive_label": "2"}, {"all": 300}, "'2' 150"),
    ("11_yelp_json/array.json", {}, {"all": 300}, "'negative' 150, 'positive' 150"),
    ("11_yelp_json/renamed.jsonl", STARS, {"all": 300}, "dropped: label '3.0': 12"),
    ("11_yelp_json/yelp_academic_dataset_review.json", STARS, {"all": 300}, "labels from column 'stars'"),
    ("12_stars_csv/reviews.csv", STARS, {"all": 300}, "dropped: label '3': 12"),
    ("12_stars_csv/one_and_five.csv", {"negative_label": "1", "positive_label": "5"}, {"all": 300}, "'1' 150, '5' 150"),
    ("12_stars_csv/one_and_five.csv", STARS, {"all": 300}, "'1' 150, '5' 150"),
    ("12_stars_csv/yelp_full.parquet", STARS, {"all": 300}, "'1 star' 150, '5 star' 150"),
    ("12_stars_csv/yelp_full.parquet", {"negative_label": "0,1", "positive_label": "3,4"}, {"all": 300}, "'1 star' 150"),
    ("13_csv_gz/Books_5.json.gz", STARS, {"all": 300}, "texts from column 'reviewText', labels from column 'overall'"),
    ("13_csv_gz/archive.zip", {}, {"all": 300}, "archive.zip: 300 rows"),
    ("13_csv_gz/reviews.csv.gz", {}, {"all": 300}, "reviews.csv.gz: 300 rows"),
    ("15_semicolon/bewertungen.csv", {}, {"all": 300}, "(semicolons)"),
    ("16_cp1252/reviews.csv", {}, {"all": 300}, "(cp1252)"),
    ("16_cp1252/reviews.csv", {"encoding": "cp1252"}, {"all": 300}, "(cp1252)"),
    ("18_three_class/Tweets.csv", {"drop_label": "neutral"}, {"all": 360}, "dropped: label 'neutral': 60"),
    ("19_save_to_disk/my_dataset", {}, {"train": 300, "test": 80}, "my_dataset/train: 300 rows"),
    ("19_save_to_disk/one_split", {}, {"all": 300}, "one_split: 300 rows"),
    ("21_inverted_labels/zero_is_pos.parquet", {}, {"all": 300}, "'neg' 150"),
    ("21_inverted_labels/wiki.tsv", {"negative_label": "1", "positive_label": "0"}, {"all": 300}, "'SentimentText'"),
    ("23_na_texts/reviews.csv", {}, {"all": 305}, "dropped: empty after cleaning: 1"),
]  # fmt: skip
REFUSED = [
    ("04_old_copy/mine", {}, r"several files for train: train\.csv, train_before_fix\.csv"),
    ("04_old_copy/tweet_eval_like", {}, r"Give the folder of one: .*irony, .*sentiment;"),
    ("09_sentiment140/utf8.csv", {}, r"The labels are '0' \(150\), '4' \(150\).*negative_label and positive_label"),
    (
        "10_yelp_polarity_csv/train.csv",
        {},
        r"The labels are '1' \(150\), '2' \(150\).*negative_label and positive_label",
    ),
    ("10_yelp_polarity_csv/cut.csv", {"negative_label": "1", "positive_label": "2"}, "Line 301 of .*a quote opens"),
    (
        "12_stars_csv/yelp_full.parquet",
        {"negative_label": "1", "positive_label": "4"},
        "It is not certain what '1', '4'",
    ),
    ("18_three_class/Tweets.csv", {}, r"'negative' \(150\), 'neutral' \(60\), 'positive' \(150\).*drop_label=neutral"),
    ("19_save_to_disk", {}, "give one of them: .*my_dataset, .*one_split"),
    (
        "21_inverted_labels/zero_is_pos.parquet",
        {"negative_label": "0", "positive_label": "1"},
        "but in the file 0 means",
    ),
]
SCORED = {
    "array.json": 20, "cp1252.csv": 20, "lines.txt": 20, "new.csv.gz": 20, "new.xlsx": 20, "no_label.csv": 20,
    "noheader.csv": 20, "numeric_text.csv": 6, "other_column.csv": 20, "semicolon.csv": 20,
}  # fmt: skip


@pytest.fixture(scope="module")
def cases():
    if os.environ.get("GITHUB_ACTIONS") == "true":
        pytest.skip("the shared inputs are not available on GitHub")
    folder = CHECKOUT.parent / "shared" / "cases"
    if not folder.is_dir():
        missing("the inputs of shared/cases are not beside this checkout")
    return folder


@pytest.mark.parametrize(("name", "settings", "rows", "said"), READ)
def test_it_is_read(cases, name, settings, rows, said):
    dataset, summary = prepare(make_settings(source=str(cases / name), **settings))
    assert summary.read == rows
    assert said in summary.describe()
    shared = {row["text"]: row["label"] for split in dataset.values() for row in split}
    meant = {"kept me smiling all evening": 1, "bored me within minutes": 0}  # of the made-up texts
    found = {label for text, label in shared.items() for words in meant if words in text.lower()}
    assert found == {0, 1}
    wrong = [
        text for text, label in shared.items() for words, right in meant.items() if words in text and label != right
    ]
    assert wrong == []


@pytest.mark.parametrize(("name", "settings", "message"), REFUSED)
def test_it_is_refused_with_the_remedy(cases, name, settings, message):
    with pytest.raises(DataError, match=message):
        prepare(make_settings(source=str(cases / name), **settings))


def test_what_the_descriptions_do_not_show(cases):
    dataset, _ = prepare(make_settings(source=str(cases / "02_aclimdb" / "aclImdb")))
    assert set(dataset["train"]["stars"]) == {2.0, 9.0}
    names = ["reviews.tsv", "reviews.csv"]
    quoted = [read_table(cases / "07_tsv_quotes" / name)["text"].str.startswith('"').sum() for name in names]
    assert quoted == [6, 4]
    first = read_table(cases / "09_sentiment140" / "utf8.csv").iloc[0]
    assert first["2"] == "1467810369"
    assert "“très” fine…" in read_table(cases / "16_cp1252" / "reviews.csv")["text"][0]
    assert {"NA", "null"} <= set(read_table(cases / "23_na_texts" / "reviews.csv")["text"])


@pytest.mark.parametrize("name", [*SCORED, "../07_tsv_quotes/reviews.tsv", "../19_save_to_disk/one_split"])
def test_as_many_rows_come_out_as_go_in_and_in_their_order(cases, name, tiny, tmp_path):
    from sentiment_lib import Classifier

    source = cases / "22_predict_inputs" / name
    target = tmp_path / "scored.csv"
    count = predict_file(source, target, Classifier(*tiny, Encoding(16)))
    scored = pd.read_csv(target, dtype=str, keep_default_na=False)
    assert len(scored) == count == SCORED.get(source.name, 300)
    texts = read_table(source).astype(object).fillna("").astype(str)
    pd.testing.assert_frame_equal(scored[list(texts)], texts, check_dtype=False)


def test_predictions_are_not_overwritten(cases, tiny, tmp_path):
    from sentiment_lib import Classifier

    shutil.copy(cases / "22_predict_inputs" / "scored_before.csv", tmp_path / "in.csv")
    with pytest.raises(DataError, match="already has a column 'predicted'"):
        predict_file(tmp_path / "in.csv", tmp_path / "out.csv", Classifier(*tiny, Encoding(16)))
