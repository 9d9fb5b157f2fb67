"""Properties of any input, tested with thousands of examples (Hypothesis)."""

import os
import random
from collections import Counter
from unittest.mock import patch

import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st
from sklearn import metrics as sk

from sentiment_lib import Classifier, Encoding, evaluate
from sentiment_lib.data.labels import read_labels
from sentiment_lib.data.preparation import clean_text, load_and_prepare_dataset
from sentiment_lib.data.tables import read_table, table_parts
from sentiment_lib.data.tokenization import encode, encode_with_words
from sentiment_lib.errors import DataError
from sentiment_lib.model import inference
from sentiment_lib.model.file_prediction import harmless
from sentiment_lib.settings import TRUNCATIONS

FUZZ = int(os.environ.get("FUZZ", "600"))  # damaged files; "make soak" takes 20,000
settings.register_profile("ours", deadline=None, suppress_health_check=list(HealthCheck), derandomize=True)
settings.load_profile("ours")
TEXT = st.text(max_size=300)  # with surrogates, controls, anything
LISTS = st.lists(TEXT, max_size=12)


@given(TEXT, st.integers(3, 40), st.sampled_from(TRUNCATIONS), st.floats(0, 1))
def test_a_text_is_cut_to_its_head_and_tail(tiny, text, length, truncation, share):
    tokenizer = tiny[1]
    (ids,) = encode([text], tokenizer, length, truncation, share)
    (full,) = encode([text], tokenizer, 128, "head")
    assert len(ids) <= length
    assert (ids[0], ids[-1]) == (tokenizer.cls_token_id, tokenizer.sep_token_id)
    if len(full) < 128:  # the tokenizer's own limit did not cut
        room, inner = length - 2, full[1:-1]
        kept = ids[1:-1]
        assert len(kept) == min(room, len(inner))
        if len(inner) <= room:
            assert kept == inner
        else:
            head = {"head": room, "tail": 0}.get(truncation, round(room * share))
            assert kept == inner[:head] + inner[len(inner) - (room - head) :]
    again, words, _ = encode_with_words(text, tokenizer, length, truncation, share)
    assert again == ids
    assert len(words) == len(ids)
    inside = [word for word in words if word >= 0]
    assert inside == sorted(inside)


@given(LISTS, st.integers(1, 5), st.sampled_from([0, 20, 40]))
def test_batches_hold_every_text_once_and_pad_to_the_longest(tiny, texts, size, tokens):
    model, tokenizer = tiny
    classifier = Classifier(model, tokenizer, Encoding(16), batch_size=size)
    expected, seen = encode(texts, tokenizer, **classifier.encoding), []
    with patch.object(inference, "TOKENS", tokens):
        batches = list(classifier.batches(texts))
    for rows, batch in batches:
        width = batch["input_ids"].shape[1]
        assert width == max(len(expected[i]) for i in rows)
        assert 1 <= len(rows) <= max(size, tokens // width)
        for row, ids, mask in zip(rows, batch["input_ids"].tolist(), batch["attention_mask"].tolist(), strict=True):
            assert ids[: sum(mask)] == expected[row]
        seen += rows
    assert sorted(seen) == list(range(len(texts)))


@given(st.lists(st.tuples(st.booleans(), st.floats(0, 1)), min_size=1, max_size=60))
def test_metrics_are_those_of_scikit_learn(pairs):
    labels, probabilities = np.array([int(a) for a, _ in pairs]), np.array([b for _, b in pairs])
    assume(0 < labels.sum() < len(labels))  # otherwise evaluate raises an error
    ours, predicted = evaluate(labels, probabilities), (probabilities >= 0.5).astype(int)
    assert ours.accuracy == pytest.approx(sk.accuracy_score(labels, predicted))
    assert np.array(ours.confusion_matrix).tolist() == sk.confusion_matrix(labels, predicted, labels=[0, 1]).tolist()
    for name, theirs in (("precision", sk.precision_score), ("recall", sk.recall_score), ("f1", sk.f1_score)):
        assert getattr(ours, name) == pytest.approx(theirs(labels, predicted, zero_division=0), abs=1e-12)
    assert ours.roc_auc == pytest.approx(sk.roc_auc_score(labels, probabilities), abs=1e-9)
    assert ours.average_precision == pytest.approx(sk.average_precision_score(labels, probabilities), abs=1e-9)


@given(TEXT)
def test_a_clean_text_can_be_stored_and_stays_as_it_is(text):
    clean = clean_text(text)
    clean.encode()
    assert clean == clean.strip()
    assert clean_text(clean) == clean
    assert not any(ord(letter) < 32 for letter in clean)


@given(st.lists(st.sampled_from(["pos", "neg", " POS", "0", "1.0", "True", "false"]), min_size=1))
def test_labels_keep_their_order(labels):
    found, _ = read_labels(pd.Series(labels))
    assert found.tolist() == [int(label.strip().lower() in ("pos", "1.0", "true")) for label in labels]


STORED = st.text(st.characters(exclude_categories=["Cs"]), max_size=60)


@given(
    rows=st.lists(st.tuples(STORED, STORED), min_size=1, max_size=30),
    ending=st.sampled_from([".csv", ".tsv", ".jsonl", ".parquet"]),
    part=st.integers(1, 7),
)
def test_what_is_written_is_read_again(tmp_path_factory, rows, ending, part):
    assume(
        ending not in (".csv", ".tsv") or all("\x00" not in cell and "\r" not in cell for row in rows for cell in row)
    )
    assume(ending not in (".csv", ".tsv") or not any(a == b == "" for a, b in rows))  # a blank line
    table = pd.DataFrame(rows, columns=["text", "other"])
    path = tmp_path_factory.mktemp("tables") / f"t{ending}"
    if ending == ".jsonl":
        import json

        path.write_text("".join(json.dumps({"text": a, "other": b}) + "\n" for a, b in rows), encoding="utf-8")
    elif ending == ".parquet":
        table.to_parquet(path)
    else:
        table.to_csv(path, index=False, sep="," if ending == ".csv" else "\t")
    assert [tuple(row) for row in read_table(path).itertuples(index=False)] == rows
    parts = list(table_parts(path, part))
    assert all(len(table) <= part for table in parts)
    assert [tuple(row) for table in parts for row in table.itertuples(index=False)] == rows


@given(st.lists(STORED, min_size=1, max_size=20))
def test_no_text_of_a_harmless_table_begins_a_formula(texts):
    made = harmless(pd.DataFrame({"text": texts}))["text"]
    for before, after in zip(texts, made, strict=True):
        assert after in (before, f"'{before}")
        begins = after.lstrip()[:1] in tuple("=+-@＝＋－＠") or after[:1] in tuple("\t\r\n")
        if begins and after:
            float(after)  # a number is not a formula
    assert harmless(pd.DataFrame({"text": made}))["text"].tolist() == made.tolist()


def damaged(content, random_source):
    """The content with some bytes changed, left out, doubled or cut off."""
    content = bytearray(content)
    for _ in range(random_source.randint(1, 4)):
        at, length = random_source.randrange(len(content) or 1), random_source.choice([1, 1, 4, 40])
        kind = random_source.randrange(5)
        if kind == 0:
            content[at : at + length] = bytes(random_source.randrange(256) for _ in range(length))
        elif kind == 1:
            del content[at : at + length]
        elif kind == 2:
            content[at:at] = content[at : at + length]
        elif kind == 3:
            del content[at:]
        else:
            content[at:at] = random_source.choice(
                [b'"', b",", b"\n", b"\x00", b"\r", b"{", b"\xff\xfe", "\u2028".encode(), b"\\"]
            )
    return bytes(content)


@pytest.mark.parametrize("ending", [".csv", ".jsonl", ".parquet"])
def test_damaged_files_are_read_or_refused(tmp_path, ending):
    """There is no other error, and the message fits on a screen."""
    random_source = random.Random(ending)
    table = pd.DataFrame({"text": [f'Scene {i}, a "fine" piece.' for i in range(24)], "label": ["pos", "neg"] * 12})
    path = tmp_path / f"intact{ending}"
    if ending == ".csv":
        table.to_csv(path, index=False)
    elif ending == ".jsonl":
        table.to_json(path, orient="records", lines=True)
    else:
        table.to_parquet(path)
    intact, outcomes, longest = path.read_bytes(), Counter(), 0
    path = tmp_path / f"damaged{ending}"
    for _ in range(FUZZ // 3):
        path.write_bytes(damaged(intact, random_source))
        for name, read in {
            "at once": lambda: load_and_prepare_dataset(str(path)),
            "in parts": lambda: sum(map(len, table_parts(path, 5))),
        }.items():
            try:
                read()
                outcomes[f"{name}: read"] += 1
            except DataError as error:
                outcomes[f"{name}: refused"] += 1
                longest = max(longest, len(str(error)))
    print(f"{FUZZ // 3} damaged {ending} files: {dict(outcomes)}")
    assert sum(outcomes.values()) == 2 * (FUZZ // 3)
    assert longest < 1000
