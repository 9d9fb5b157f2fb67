"""Wrong input: each case ends in an error that names the value and the remedy, or is handled as documented."""

import json
import shutil

import numpy as np
import pandas as pd
import pytest

from sentiment_lib import Classifier, Encoding, evaluate, initialize_model_and_tokenizer, predict
from sentiment_lib.data.preparation import load_and_prepare_dataset
from sentiment_lib.data.tokenization import encode
from sentiment_lib.errors import DataError, ModelError, SettingsError
from sentiment_lib.model.file_prediction import predict_file
from sentiment_lib.settings import make_settings

GOOD = [f"Scene {i} is a fine piece of film." for i in range(20)]
BAD = [f"Scene {i} is a waste of time." for i in range(20)]
ROWS = [(text, "neg") for text in BAD] + [(text, "pos") for text in GOOD]


def csv(rows=ROWS, header="text,label"):
    return "\n".join([header, *(",".join(map(str, row)) for row in rows)]) + "\n"


def lines(rows=ROWS, **more):
    return "\n".join(json.dumps({"text": t, "label": n, **more}) for t, n in rows) + "\n"


def parquet(**columns):
    def write(path):
        pd.DataFrame(columns).to_parquet(path)

    return write


def cut_parquet(path):
    pd.DataFrame({"text": GOOD, "label": ["pos"] * 20}).to_parquet(path)
    path.write_bytes(path.read_bytes()[:-200])


def arrow(**columns):
    """Parquet with Arrow types such as lists and bytes."""

    def write(path):
        import pyarrow as pa
        import pyarrow.parquet as pq

        pq.write_table(pa.table(columns), path)

    return write


def folder(**files):
    def write(path):
        path.mkdir()
        for name, content in files.items():
            (path / name.replace("_dot_", ".")).write_text(content)

    return write


TEXTS, LABELS = [t for t, _ in ROWS], [n for _, n in ROWS]
SWAPPED = [(t, {"neg": "0", "pos": "1"}[n]) for t, n in ROWS]

# file name, content (text, bytes or a function that writes it), options, part of the expected message
WRONG_TABLES = {
    "empty file": ("r.csv", "", {}, "r.csv is empty"),
    "blank lines only": ("r.csv", "\n\n\n", {}, "holds no rows"),
    "header only": ("r.csv", "text,label\n", {}, "holds no rows"),
    "empty JSON lines": ("r.jsonl", "", {}, "r.jsonl is empty"),
    "JSON lines of blanks": ("r.jsonl", "\n \n", {}, "holds no rows"),
    "empty Parquet": ("r.parquet", "", {}, "r.parquet is empty"),
    "Parquet without rows": ("r.parquet", parquet(text=[], label=[]), {}, "holds no rows"),
    "no such text column": ("r.csv", csv(), {"text_column": "review"}, "no column 'review'"),
    "another case": ("r.csv", csv(header="Text,Label"), {"text_column": "text"}, "Did you mean 'Text'?"),
    "names that say nothing": ("r.parquet", parquet(a=[1, 2], b=[3, 4]), {}, "usual name for texts or labels"),
    "text column twice": ("r.csv", csv([(t, t, n) for t, n in ROWS], "text,text,label"), {}, "column 'text' twice"),
    "label column twice": ("r.csv", csv([(t, n, n) for t, n in ROWS], "text,label,label"), {}, "column 'label' twice"),
    "one column for both": ("r.csv", csv(), {"text_column": "text", "label_column": "text"}, "text_column and label_column are both 'text'"),
    "a key twice in a JSON line": ("r.jsonl", '{"text": "a", "text": "b", "label": 1}\n', {}, "Line 1 of"),
    "all texts empty": ("r.csv", csv([("", n) for _, n in ROWS]), {}, "needs reviews of both labels"),
    "unknown label": ("r.csv", csv([*ROWS, ("so so", "meh")]), {}, "Unknown labels: 'meh' (1 of 41"),
    "labels of two kinds and a third": ("r.csv", csv([*ROWS, ("a", "1"), ("b", "2")]), {}, "Unknown labels: '2'"),
    "stars": ("r.csv", csv([(t, i % 5 + 1) for i, (t, _) in enumerate(ROWS)]), {}, "Unknown labels: '2', '3', '4', '5'"),
    "half a label": ("r.jsonl", lines([("a", 0.5), ("b", 1)]), {}, "Unknown labels: '0.5'"),
    "empty label": ("r.csv", csv([*ROWS, ("a", "")]), {}, "Unknown labels: ''"),
    "missing label": ("r.jsonl", lines([*ROWS, ("a", None)]), {}, "1 of 41 reviews have no label"),
    "label is NaN": ("r.parquet", parquet(text=["a", "b"], label=[1.0, np.nan]), {}, "1 of 2 reviews have no label"),
    "label is a list": ("r.jsonl", lines([("a", ["pos"])]), {}, "Unknown labels: \"['pos']\""),
    "one class": ("r.csv", csv(ROWS[:20]), {}, "needs reviews of both labels"),
    "one row": ("r.csv", csv(ROWS[:1]), {}, "needs reviews of both labels"),
    "two rows": ("r.csv", csv([ROWS[0], ROWS[-1]]), {}, "needs reviews of both labels"),
    "the same texts with both labels": (
        "r.csv", csv(ROWS + [(t, {"neg": "pos", "pos": "neg"}[n]) for t, n in ROWS]), {}, "needs reviews of both labels"),
    "one text forty times": ("r.csv", csv([("a", "pos")] * 40), {}, "needs reviews of both labels"),
    "Latin-1 in JSON lines": ("r.jsonl", '{"text": "très", "label": 1}\n'.encode("latin-1"), {}, "is not UTF-8"),
    "a row with a comma too many": ("r.csv", csv([*ROWS, ("Well, well", "pos")]), {}, "Expected 2 fields in line 42, saw 3"),
    "all rows with a comma too many": ("r.csv", csv([(t, "x", n) for t, n in ROWS]), {}, "more fields than columns"),
    "a row that ends early": ("r.csv", csv() + "no label\n", {}, "Unknown labels: '' (1 of 41"),
    "a quote that is never closed": ("r.csv", csv([(f'"{t}, yes"', n) for t, n in ROWS]) + '"open, too,pos\n', {}, "Line 42 of"),
    "truncated Parquet": ("r.parquet", cut_parquet, {}, "could not be read as parquet"),
    "CSV that is called Parquet": ("r.parquet", csv(), {}, "could not be read as parquet"),
    "Parquet that is called CSV": ("r.csv", lambda p: parquet(text=TEXTS, label=LABELS)(p), {}, "r.csv"),
    "a bad JSON line": ("r.jsonl", lines()[:-1] + '\n{"text": "a", \n', {}, "Line 41 of"),
    "a JSON number": ("r.jsonl", lines() + "7\n", {}, "Line 41 of"),
    "a JSON document over many lines": ("r.jsonl", json.dumps({"text": "a"}, indent=1), {}, "Line 1 of"),
    "texts that are lists": ("r.jsonl", lines([(["a", "b"], 1), ("c", 0)]), {}, "'text' holds a list in row 1"),
    "texts that are bytes": ("r.parquet", arrow(text=[b"a", b"b"], label=[1, 0]), {}, "'text' holds bytes in row 1"),
    "texts that are objects": ("r.jsonl", lines([("c", 0), ({"en": "a"}, 1)]), {}, "'text' holds a dict in row 2"),
    "an empty folder": ("f", folder(), {}, "found nothing"),
    "a folder with a test file only": ("f", folder(test_dot_csv=csv()), {}, "No training file in"),
    "a folder of texts": ("f", folder(train_dot_txt="a"), {}, "usual name for labels"),
    "a folder with several tables": ("f", folder(a_dot_csv=csv(), b_dot_csv=csv()), {}, "found a.csv, b.csv"),
    "test reviews are the training reviews": (
        "f", folder(train_dot_csv=csv(), test_dot_csv=csv()), {}, "The train split of"),
    "a folder whose files differ": (
        "f", folder(train_dot_csv=csv(), test_dot_csv=csv(header="review,label")), {}, "(test)"),
    "a spreadsheet": ("r.xlsx", "PK", {}, "could not be read as excel"),
    "a compressed file": ("r.csv.gz", "x", {}, "could not be read as csv"),
    "no ending": ("reviews", csv(), {}, "it should end in .csv"),
    "more training reviews than there are": ("r.csv", csv(), {"train_size": 500}, "train_size=500, but"),
    "the same name for both labels": (
        "r.csv", csv(), {"label_names": ("pos", "POS")}, "both labels are called 'pos'"),
}  # fmt: skip


def write(path, content):
    if callable(content):
        content(path)
    elif isinstance(content, bytes):
        path.write_bytes(content)
    else:
        path.write_text(content)
    return str(path)


@pytest.mark.parametrize("case", WRONG_TABLES)
def test_a_wrong_table_is_an_error(tmp_path, case):
    name, content, options, message = WRONG_TABLES[case]
    with pytest.raises(DataError) as caught:
        load_and_prepare_dataset(write(tmp_path / name, content), **options)
    assert message in str(caught.value)
    assert len(str(caught.value)) < 1000


# a text that is added to forty good reviews, and what is kept of it
ODD_TEXTS = {
    "an empty text": ("", None),
    "blanks": (" \t\u00a0\u2003 ", None),
    "control characters only": ("\x00\x07\x1b", None),
    "NUL": ("nul\x00byte", "nul byte"),
    "escape sequences": ("\x1b[31mred\x1b[0m", "[31mred [0m"),
    "right to left": ("פילם נהדר — رائع", "פילם נהדר — رائع"),
    "overriding direction": ("\u202eevil\u202c", "\u202eevil\u202c"),
    "combining characters": ("e" + "\u0301" * 500, "\u00e9" + "\u0301" * 499),
    "emoji": ("👍🏽 👨‍👩‍👧‍👦", "👍🏽 👨‍👩‍👧‍👦"),
    "a lone surrogate": ("half \ud83d pair", "half pair"),
    "a megabyte": ("good " * 200_000, ("good " * 200_000).strip()),
    "a word of a megabyte": ("a" * 1_000_000, "a" * 1_000_000),
    "markup": ("<script>alert(1)</script><br>", "<script>alert(1)</script>"),
    "private use and noncharacters": ("\ue000 \uffff \U0010ffff", "\ue000 \uffff \U0010ffff"),
    "line separators": ("a\u2028b\u2029c\x85d", "a b c d"),
    "a byte order mark inside": ("a\ufeffb", "a\ufeffb"),
    "nothing but punctuation": ("?!…", "?!…"),
    "a number": (3.5, "3.5"),
    "null": (None, None),
}


@pytest.mark.parametrize("case", ODD_TEXTS)
def test_an_odd_text_is_read_cleaned_and_classified(tmp_path, tiny, case):
    text, kept = ODD_TEXTS[case]
    path = tmp_path / "r.jsonl"
    path.write_text(lines([*ROWS, (text, "pos")]))
    dataset, summary = load_and_prepare_dataset(str(path))
    found = [text for split in dataset.values() for text in split["text"] if text not in TEXTS]
    assert found == ([] if kept is None else [kept])
    assert summary.empty == (kept is None)
    if isinstance(text, str):
        probability = predict([text, *GOOD[:2]], *tiny, max_length=32)
        assert np.isfinite(probability).all()


ODD_TABLES = {
    "numbers as labels": ("r.csv", csv(SWAPPED), {}),
    "floats as labels": ("r.parquet", parquet(text=TEXTS, label=[float(n == "pos") for n in LABELS]), {}),
    "booleans as labels": ("r.parquet", parquet(text=TEXTS, label=[n == "pos" for n in LABELS]), {}),
    "labels with blanks and capitals": ("r.csv", csv([(t, f" {n.upper()} ") for t, n in ROWS]), {}),
    "a byte order mark": ("r.csv", "\ufeff" + csv(), {}),
    "a byte order mark in JSON lines": ("r.jsonl", "\ufeff" + lines(), {}),
    "Windows line ends": ("r.csv", csv().replace("\n", "\r\n").encode(), {}),
    "an index column": ("r.csv", csv([(i, *row) for i, row in enumerate(ROWS)], ",text,label"), {}),
    "a column of the default name that is not the chosen one": (
        "r.csv", csv([("title", t, n) for t, n in ROWS], "text,review,label"), {"text_column": "review"}),
    "columns whose names are swapped": (
        "r.csv", csv(header="label,text"), {"text_column": "label", "label_column": "text"}),
    "a rating that is not a number": ("r.csv", csv([(*row, "5 stars") for row in ROWS], "text,label,rating"), {}),
    "other columns in later lines": ("r.jsonl", lines(ROWS[:39]) + lines(ROWS[39:], extra=1), {}),
    "categories of Arrow": (
        "r.parquet", lambda p: pd.DataFrame({"text": TEXTS, "label": pd.Categorical(LABELS)}).to_parquet(p), {}),
    "columns in capitals": ("r.csv", csv(header="Text,Label"), {}),
    "a blank before a column's name": ("r.csv", csv(header="text, label"), {}),
    "other usual names": ("r.csv", csv(header="review,stars"), {}),
    "semicolons": ("r.csv", csv().replace(",", ";"), {}),
    "UTF-16": ("r.csv", csv().encode("utf-16"), {}),
    "a JSON array": ("r.jsonl", json.dumps([{"text": t, "label": n} for t, n in ROWS]), {}),
    "a folder with one table": ("f", folder(all_dot_csv=csv()), {}),
    "a folder that is called .csv": ("f.csv", folder(all_dot_csv=csv()), {}),
    "capitals in the ending": ("R.CSV", csv(), {}),
    "blanks and letters of the world in the path": ("日本 très.csv", csv(), {}),
}  # fmt: skip


@pytest.mark.parametrize("case", ODD_TABLES)
def test_an_odd_table_is_read(tmp_path, case):
    name, content, options = ODD_TABLES[case]
    dataset, _ = load_and_prepare_dataset(write(tmp_path / name, content), **options)
    found = {(t, n) for split in dataset.values() for t, n in zip(split["text"], split["label"], strict=True)}
    assert found == {(t, int(n == "pos")) for t, n in ROWS}


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ("nowhere.csv", "There is no source 'nowhere.csv'"),
        ("x" * 5000, "There is no source 'xxx"),
        ("a/" * 3000, "There is no source 'a/a/"),
        ("nul\x00.csv", "There is no source 'nul\\x00.csv'"),
        ("", "There is no source ''"),
    ],
    ids=["not there", "long name", "long path", "NUL", "empty"],
)
def test_a_wrong_path_is_an_error(source, message):
    with pytest.raises(DataError) as caught:
        load_and_prepare_dataset(source)
    assert message in str(caught.value)
    assert len(str(caught.value)) < 1000


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("learning_rate", "nan", "must be a finite number"),
        ("learning_rate", float("inf"), "must be a finite number"),
        ("learning_rate", -1e-4, "out of range"),
        ("learning_rate", "fast", "is not a number"),
        ("epochs", 0, "out of range"),
        ("epochs", -1, "out of range"),
        ("epochs", True, "must be of type float"),
        ("batch_size", 0, "out of range"),
        ("batch_size", "8.5", "is not a whole number"),
        ("batch_size", 10**9, "out of range"),
        ("max_length", 2, "out of range"),
        ("max_length", 10**6, "out of range"),
        ("max_length", -64, "out of range"),
        ("head_share", 1.5, "out of range"),
        ("truncation", "middle", "is not one of head, tail, head+tail"),
        ("train_size", 1, "out of range"),
        ("test_size", 0, "out of range"),
        ("validation_size", 1, "out of range"),
        ("seed", -1, "out of range"),
        ("seed", 2**40, "out of range"),
        ("seed", "1e3", "is not a whole number"),
        ("dropout", 1, "out of range"),
        ("warmup", "nan", "must be a finite number"),
        ("warmup", 1.0, "out of range"),
        ("trained_layers", -1, "out of range"),
        ("precision", "float8", "is not one of auto, bfloat16, float32"),
        ("device", "tpu", "is not one of auto, cpu"),
        ("text_column", " ", "must not be empty"),
        ("negative_label", "bad", "Give negative_label and positive_label together"),
        ("leaning_rate", 1e-4, "Did you mean 'learning_rate'?"),
    ],
)
def test_a_wrong_setting_is_an_error(name, value, message):
    with pytest.raises(SettingsError) as caught:
        make_settings(**{name: value})
    assert message in str(caught.value)
    assert name in str(caught.value)


@pytest.mark.parametrize("run", ["../up", "a/b", "", ".hidden", "nul\x00", "x" * 101, "-rf", "a b", "a\n"])
def test_a_run_cannot_leave_its_folder(run):
    with pytest.raises(SettingsError, match=r"cannot name a folder|must not be empty"):
        make_settings(run=run or " ")


def test_labels_must_differ():
    with pytest.raises(SettingsError, match="both labels are called 'good'"):
        make_settings(negative_label="good", positive_label=" GOOD")


def without(name):
    return lambda folder: (folder / name).unlink()


def change(name, function):
    def damage(folder):
        path = folder / name
        path.write_bytes(function(path.read_bytes()))

    return damage


def config(**values):
    return change("config.json", lambda content: json.dumps(json.loads(content) | values).encode())


def larger_vocabulary(folder):
    from transformers import AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(folder)
    tokenizer.add_tokens([f"new{i}" for i in range(10)])
    tokenizer.save_pretrained(folder)


def three_labels(folder):
    from transformers import AutoConfig, AutoModelForSequenceClassification

    changed = AutoConfig.from_pretrained(folder, num_labels=3)
    AutoModelForSequenceClassification.from_config(changed).save_pretrained(folder)


def other_model(folder):
    from transformers import GPT2Config, GPT2Model

    GPT2Model(GPT2Config(n_embd=8, n_layer=1, n_head=1)).save_pretrained(folder)


WRONG_MODELS = {
    "no config.json": (without("config.json"), "has weights, but no config.json"),
    "no weights": (without("model.safetensors"), "has a config.json, but no weights"),
    "config.json is not JSON": (change("config.json", lambda c: c[:-5]), "could not be loaded"),
    "config.json is empty": (change("config.json", lambda c: b""), "could not be loaded"),
    "truncated weights": (change("model.safetensors", lambda c: c[: len(c) // 2]), "could not be loaded"),
    "weights that are not weights": (change("model.safetensors", lambda c: b"PK" * 1000), "could not be loaded"),
    "weights of another size": (config(hidden_size=48, intermediate_size=96), "could not be loaded"),
    "an unknown kind of model": (config(model_type="bart9000"), "could not be loaded"),
    "a model with its own code": (
        config(auto_map={"AutoConfig": "evil.Config"}, model_type="evil"), "code that comes with a model is not run"),
    "no tokenizer": (lambda f: [p.unlink() for p in f.glob("*token*")] and None, "could not be loaded"),
    "tokenizer.json is not JSON": (change("tokenizer.json", lambda c: c[:-50]), "could not be loaded"),
    "a tokenizer with a larger vocabulary": (larger_vocabulary, "do not belong together"),
    "three labels": (three_labels, "was trained for 3 labels"),
    "a model that is not an encoder": (other_model, "it is a decoder"),
}  # fmt: skip


@pytest.mark.parametrize("case", WRONG_MODELS)
def test_a_wrong_model_is_an_error(tiny_checkpoint, tmp_path, case):
    damage, message = WRONG_MODELS[case]
    folder = tmp_path / "model"
    shutil.copytree(tiny_checkpoint, folder)
    damage(folder)
    with pytest.raises(ModelError) as caught:
        initialize_model_and_tokenizer(str(folder))
    assert message in str(caught.value)
    assert str(folder) in str(caught.value)


@pytest.mark.parametrize(
    "name", ["./nothing", "/no/such/folder", "~/nothing", "a/b/c", "C:\\models\\x", "a" * 300, "a b"]
)
def test_a_model_that_is_not_there(name, monkeypatch):
    from huggingface_hub import constants

    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    with pytest.raises((ModelError, ConnectionError)) as caught:
        initialize_model_and_tokenizer(name)
    assert "folder" in str(caught.value)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"max_length": 2}, "leaves no room for a word; use at least 3"),
        ({"max_length": 4096}, "longer than the 128 tokens this model can read"),
        ({"truncation": "middle"}, "is not one of 'head', 'tail', 'head+tail'"),
    ],
)
def test_wrong_lengths_are_errors(tiny, options, message):
    with pytest.raises(ValueError, match=r"max_length|truncation") as caught:
        encode(["a text"], tiny[1], **({"max_length": 32} | options))
    assert message in str(caught.value)


@pytest.mark.parametrize(
    ("texts", "error", "message"),
    [
        ("a text", TypeError, "for a single text, use predict([text]"),
        ([None], TypeError, "texts[0] is None"),
        (["a", 3], TypeError, "texts[1] is 3"),
        ([b"a"], TypeError, "texts[0] is b'a'"),
    ],
)
def test_what_cannot_be_classified(tiny, texts, error, message):
    with pytest.raises(error) as caught:
        predict(texts, *tiny, max_length=16)
    assert message in str(caught.value)


def test_no_texts_have_no_probabilities(tiny):
    assert predict([], *tiny, max_length=16).shape == (0,)
    assert predict([""], *tiny, max_length=16).shape == (1,)


@pytest.mark.parametrize(
    ("name", "content", "target", "message"),
    [
        ("r.csv", csv(header="review,label"), "o.csv", "no column 'text'"),
        ("r.csv", csv(header="text,probability"), "o.csv", "already has a column 'probability'"),
        ("r.csv", "text\n", "o.csv", "holds no rows"),
        ("r.csv", "", "o.csv", "is empty"),
        ("r.csv", csv([(t, t) for t in TEXTS], "text,text"), "o.csv", "column 'text' twice"),
        ("r.csv", csv(), "o.docx", "it should end in .csv"),
        ("r.csv", csv(), "r.csv", "is the file that is read"),
        ("r.csv", csv() + "a,b,c\n", "o.csv", "Expected 2 fields in line 42, saw 3"),
        ("r.jsonl", '{"text": "très"}\n'.encode("latin-1"), "o.csv", "is not UTF-8"),
        ("r.jsonl", lines() + "{]\n", "o.csv", "Line 41 of"),
        ("r.jsonl", lines([(["a"], 1)]), "o.csv", "'text' holds a list in row 1"),
        ("r.jsonl", lines([("a", 1), ("b", [1])]), "o.parquet", "mixed types"),
        ("r.parquet", cut_parquet, "o.csv", "could not be read as parquet"),
        ("none.csv", None, "o.csv", "There is no file"),
    ],
)
def test_a_wrong_file_is_not_classified(tiny, tmp_path, monkeypatch, name, content, target, message):
    monkeypatch.setattr(Classifier, "predict", lambda *a, **k: pytest.fail("prediction began"))
    if content is not None:
        write(tmp_path / name, content)
    before = {path.name for path in tmp_path.iterdir()}
    with pytest.raises(DataError) as caught:
        predict_file(tmp_path / name, tmp_path / target, Classifier(*tiny, Encoding(16)), text_column="text")
    assert message in str(caught.value)
    assert {path.name for path in tmp_path.iterdir()} == before


@pytest.mark.parametrize(
    ("labels", "probabilities"),
    [
        ([0, 1], [0.5, np.nan]),
        ([0, 1], [0.5, 1.5]),
        ([0, 1], [0.5, -0.1]),
        ([0, 1], [0.5]),
        ([], []),
        ([0, 2], [0.5, 0.5]),
        ([0, np.nan], [0.5, 0.5]),
        (["neg", "pos"], [0.5, 0.5]),
    ],
)
def test_what_cannot_be_evaluated(labels, probabilities):
    with pytest.raises(ValueError, match=r"label|probabilit|length|review"):
        evaluate(np.array(labels), np.array(probabilities))


def test_there_are_enough_cases():
    tables = [WRONG_TABLES, ODD_TEXTS, ODD_TABLES, WRONG_MODELS]
    assert sum(map(len, tables)) >= 80
