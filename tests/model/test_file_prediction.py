"""Files of reviews: any size, rows in order, and resumption after an interruption."""

import itertools
import json
import subprocess
import sys

import numpy as np
import pandas as pd
import pytest

from sentiment_lib import Classifier, Encoding, initialize_model_and_tokenizer, predict
from sentiment_lib.data.tables import table_parts
from sentiment_lib.errors import DataError
from sentiment_lib.model import file_prediction
from sentiment_lib.model.file_prediction import predict_file

TEXTS = [f"{'a long and winding sentence ' * (i % 7)}number {i}" for i in range(60)]
ENCODING = Encoding(64)
FORMATS = (".csv", ".tsv", ".jsonl", ".parquet")


def read(path):
    if path.suffix == ".parquet":
        return pd.read_parquet(path)
    if path.suffix == ".jsonl":
        return pd.DataFrame([json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()])
    return pd.read_csv(path, sep="," if path.suffix == ".csv" else "\t", keep_default_na=False)


def write(table, path):
    if path.suffix == ".parquet":
        table.to_parquet(path, index=False)
    elif path.suffix == ".jsonl":
        path.write_text("".join(json.dumps(row) + "\n" for row in table.to_dict("records")), encoding="utf-8")
    else:
        table.to_csv(path, index=False, sep="," if path.suffix == ".csv" else "\t")


@pytest.mark.parametrize(("source", "target"), list(itertools.product(FORMATS, FORMATS)))
def test_every_format_to_every_format_part_by_part(tiny, tmp_path, monkeypatch, source, target):
    monkeypatch.setattr(file_prediction, "ROWS", 7)
    texts = [text + ', "quoted"\tand\nbroken é' for text in TEXTS]
    write(pd.DataFrame({"id": range(60), "text": texts}), tmp_path / f"in{source}")
    out = tmp_path / "new folder" / f"out{target}"
    assert predict_file(tmp_path / f"in{source}", out, Classifier(*tiny, ENCODING, "float32"), text_column="text") == 60
    found = read(out)
    assert list(found) == ["id", "text", "probability", "predicted"]
    assert found["text"].tolist() == texts
    assert found["id"].astype(int).tolist() == list(range(60))
    expected = predict([" ".join(text.split()) for text in texts], *tiny, max_length=64, precision="float32")
    np.testing.assert_allclose(found["probability"].astype(float), expected, atol=1e-6)
    assert ((found["probability"].astype(float) >= 0.5) == (found["predicted"] == "positive")).all()
    assert [path.name for path in out.parent.iterdir()] == [out.name]  # no part is left behind


def test_types_of_a_parquet_file_are_kept(tiny, tmp_path, monkeypatch):
    import pyarrow as pa
    import pyarrow.parquet as pq

    monkeypatch.setattr(file_prediction, "ROWS", 2)
    columns = {"text": ["a", "b", None, "d", "e"], "n": pa.array([None, None, 3, 4, 5], pa.int32())}
    columns |= {"when": pa.array([1, 2, 3, 4, None], pa.timestamp("ms")), "tags": [["x"], [], None, ["y", "z"], ["w"]]}
    source = pa.table(columns)
    pq.write_table(source, tmp_path / "in.parquet")
    predict_file(
        tmp_path / "in.parquet", tmp_path / "out.parquet", Classifier(*tiny, ENCODING, "float32"), text_column="text"
    )
    found = pq.read_table(tmp_path / "out.parquet")
    assert found.select(source.column_names).cast(source.schema).equals(source)
    assert found.schema.field("n").type == pa.int32()
    assert found.schema.field("tags").type == source.schema.field("tags").type


def test_values_of_json_lines_are_kept(tiny, tmp_path, monkeypatch):
    monkeypatch.setattr(file_prediction, "ROWS", 2)
    rows = [
        {"text": "a", "n": 1},
        {"text": "b", "n": 2.5, "more": {"k": [1]}},
        {"text": "c", "n": 3, "date": "2024-01-01", "small": 1.25e-12, "exact": 0.123456789012345},
    ]
    (tmp_path / "in.jsonl").write_text("\n".join(map(json.dumps, rows)) + "\n\n")
    predict_file(
        tmp_path / "in.jsonl", tmp_path / "out.jsonl", Classifier(*tiny, ENCODING, "float32"), text_column="text"
    )
    found = [json.loads(line) for line in (tmp_path / "out.jsonl").read_text().splitlines()]
    for row, kept in zip(rows, found, strict=True):
        assert row.items() <= kept.items()
        assert isinstance(kept["n"], type(row["n"]))


@pytest.mark.parametrize("target", FORMATS)
def test_a_column_that_comes_late_stays_in_its_place(tiny, tmp_path, monkeypatch, target):
    monkeypatch.setattr(file_prediction, "ROWS", 2)
    rows = [{"text": "a"}, {"text": "b"}, {"id": 7, "text": "c", "late": "x"}, {"text": "d"}]
    (tmp_path / "in.jsonl").write_text("\n".join(map(json.dumps, rows)))
    predict_file(
        tmp_path / "in.jsonl", tmp_path / f"out{target}", Classifier(*tiny, ENCODING, "float32"), text_column="text"
    )
    found = read(tmp_path / f"out{target}")
    assert list(found) == ["text", "id", "late", "probability", "predicted"]
    assert found["text"].tolist() == ["a", "b", "c", "d"]
    assert found["late"][2] == "x"
    assert float(found["id"][2]) == 7
    assert found["late"].fillna("").tolist() == ["", "", "x", ""]


class Stopped(BaseException):
    """Stands for Ctrl-C."""


@pytest.fixture
def stopped_job(tiny, tmp_path, monkeypatch):
    """A file of 60 rows in parts of 10, stopped in the fourth; and a list of what is predicted from then on."""
    monkeypatch.setattr(file_prediction, "ROWS", 10)
    write(pd.DataFrame({"text": TEXTS}), tmp_path / "in.csv")
    calls = []

    plain = Classifier.predict

    def counting(classifier, texts, **options):
        calls.append(list(texts))
        if len(calls) == 4 and not hasattr(counting, "go_on"):
            raise Stopped
        return plain(classifier, texts, **options)

    monkeypatch.setattr(Classifier, "predict", counting)
    (tmp_path / "out.csv").write_text("the previous content")
    with pytest.raises(Stopped):
        predict_file(
            tmp_path / "in.csv", tmp_path / "out.csv", Classifier(*tiny, ENCODING, "float32"), text_column="text"
        )
    assert (tmp_path / "out.csv").read_text() == "the previous content"
    counting.go_on = True
    calls.clear()
    return tmp_path, calls


def test_it_resumes_where_it_was_stopped(stopped_job, tiny):
    folder, calls = stopped_job
    assert (
        predict_file(folder / "in.csv", folder / "out.csv", Classifier(*tiny, ENCODING, "float32"), text_column="text")
        == 60
    )
    assert [text for part in calls for text in part] == [" ".join(text.split()) for text in TEXTS[30:]]
    found = read(folder / "out.csv")
    assert found["text"].tolist() == TEXTS
    np.testing.assert_allclose(
        found["probability"], predict(TEXTS, *tiny, max_length=64, precision="float32"), atol=1e-6
    )
    assert sorted(path.name for path in folder.iterdir()) == ["in.csv", "out.csv"]


def test_another_model_text_or_setting_starts_anew(stopped_job, tiny, tiny_checkpoint):
    import torch

    folder, calls = stopped_job
    other, tokenizer = initialize_model_and_tokenizer(str(tiny_checkpoint))
    with torch.no_grad():
        other.classifier.bias += 1
    predict_file(
        folder / "in.csv", folder / "out.csv", Classifier(other, tokenizer, ENCODING, "float32"), text_column="text"
    )
    assert len(calls) == 6
    np.testing.assert_allclose(
        read(folder / "out.csv")["probability"],
        predict(TEXTS, other, tokenizer, max_length=64, precision="float32"),
        atol=1e-6,
    )


@pytest.mark.parametrize("change", ["text", "setting"])
def test_another_text_or_setting_starts_anew(stopped_job, tiny, change):
    folder, calls = stopped_job
    if change == "text":
        write(pd.DataFrame({"text": ["new", *TEXTS[1:]]}), folder / "in.csv")
    predict_file(
        folder / "in.csv",
        folder / "out.csv",
        Classifier(*tiny, Encoding(32) if change == "setting" else ENCODING, "float32"),
        text_column="text",
    )
    assert len(calls) == 6
    assert read(folder / "out.csv")["text"][0] == ("new" if change == "text" else TEXTS[0])


def test_a_source_that_changes_meanwhile_is_noticed(tiny, tmp_path, monkeypatch):
    write(pd.DataFrame({"text": TEXTS}), tmp_path / "in.csv")

    plain = Classifier.predict

    def meddling(classifier, texts, **options):
        write(pd.DataFrame({"text": [*TEXTS, "one more"]}), tmp_path / "in.csv")
        return plain(classifier, texts, **options)

    monkeypatch.setattr(Classifier, "predict", meddling)
    with pytest.raises(DataError, match="changed while it was read"):
        predict_file(
            tmp_path / "in.csv", tmp_path / "out.csv", Classifier(*tiny, ENCODING, "float32"), text_column="text"
        )
    assert not (tmp_path / "out.csv").exists()


@pytest.mark.parametrize(
    ("source", "target", "column", "message"),
    [
        ("in.csv", "out.xlsx", "text", "should end in .csv, .tsv, .jsonl, .ndjson, .parquet"),
        ("missing.csv", "out.csv", "text", "There is no file"),
        ("in.csv", "in.csv", "text", "is the file that is read; give another one"),
        ("in.csv", "out.csv", "review", "There is no column 'review' in .*; its columns are 'text', 'predicted'"),
        ("in.csv", "out.csv", "text", "already has a column 'predicted'"),
        ("empty.csv", "out.csv", "text", "holds no rows"),
        ("late.jsonl", "out.csv", "text", "Line 41 of .*late.jsonl is not JSON"),
        ("list.jsonl", "out.csv", "text", r"Line 2 of .* is '\[1\]', not an object with columns"),
        ("mixed.jsonl", "out.parquet", "text", "mixed types, which Parquet cannot hold"),
        ("cut.parquet", "out.csv", "text", "cut.parquet could not be read as parquet"),
    ],
)
def test_files_that_cannot_be_classified(tiny, tmp_path, monkeypatch, source, target, column, message):
    (tmp_path / "in.csv").write_text("text,predicted\na,b\n")
    (tmp_path / "empty.csv").write_text("text\n")
    (tmp_path / "late.jsonl").write_text('{"text": "a"}\n' * 40 + '{"text": ')
    (tmp_path / "list.jsonl").write_text('{"text": "a"}\n[1]\n')
    (tmp_path / "mixed.jsonl").write_text('{"text": "a", "x": 1}\n{"text": "a", "x": "one"}\n')
    pd.DataFrame({"text": TEXTS}).to_parquet(tmp_path / "complete.parquet")
    (tmp_path / "cut.parquet").write_bytes((tmp_path / "complete.parquet").read_bytes()[:-100])
    monkeypatch.setattr(Classifier, "predict", lambda *_, **__: pytest.fail("computed before the file was checked"))
    before = (tmp_path / source).read_bytes() if (tmp_path / source).exists() else None
    names = {path.name for path in tmp_path.iterdir()}
    with pytest.raises(DataError, match=message):
        predict_file(tmp_path / source, tmp_path / target, Classifier(*tiny), text_column=column)
    assert {path.name for path in tmp_path.iterdir()} == names
    assert before is None or (tmp_path / source).read_bytes() == before


def test_parts_joined_are_the_complete_table(tmp_path):
    from sentiment_lib.data.tables import read_table

    table = pd.DataFrame({"text": TEXTS, "id": [f"{i:03d}" for i in range(60)]})
    for ending in FORMATS:
        write(table, tmp_path / f"in{ending}")
        parts = list(table_parts(tmp_path / f"in{ending}", 25))
        assert [len(part) for part in parts] == [25, 25, 10]
        joined = pd.concat(parts, ignore_index=True)
        table_read = read_table(tmp_path / f"in{ending}")
        assert joined["text"].tolist() == table_read["text"].tolist() == TEXTS
        assert joined["id"].tolist() == table["id"].tolist()


MEMORY = """
import resource, sys
from pathlib import Path
from sentiment_lib import Classifier, Encoding, initialize_model_and_tokenizer
from sentiment_lib.model.file_prediction import predict_file
model, tokenizer = initialize_model_and_tokenizer(sys.argv[1])
for name in ("few", "many"):
    source = Path(sys.argv[2]) / f"{name}.csv"
    predict_file(source, source.with_suffix(".parquet"), Classifier(model, tokenizer, Encoding(16)), text_column="text")
    print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024)
"""


@pytest.mark.slow
def test_memory_does_not_grow_with_the_file(tiny_checkpoint, tmp_path):
    """Eight times as many rows, 40 MB instead of 5 MB of text."""
    line = f'"{"A long review of a long film. " * 80}"\n'
    for name, rows in (("few", 2_000), ("many", 16_000)):
        with (tmp_path / f"{name}.csv").open("w") as file:
            file.write("text\n")
            file.writelines(itertools.repeat(line, rows))
    command = [sys.executable, "-c", MEMORY, str(tiny_checkpoint), str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    few, many = map(float, done.stdout.split())
    assert many < 1.1 * few
