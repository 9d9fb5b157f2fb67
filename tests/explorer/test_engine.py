"""The page's own engine, run in Node: its tokens are the tokenizer's, and its numbers are those of PyTorch."""

import json
import shutil
import subprocess

import numpy as np
import pytest
import torch
from support import CHECKOUT, missing
from support.hostile import HOSTILE

from sentiment_lib import Classifier
from sentiment_lib.attention import attention_maps, pair_texts, patch_sets, silence_each, silence_sets
from sentiment_lib.data import encode
from sentiment_lib.data.sources import read_snippets
from sentiment_lib.errors import ArgumentError, ModelError
from sentiment_lib.explorer import packed_model
from sentiment_lib.settings import Encoding

ENGINE = CHECKOUT / "sentiment_lib" / "explorer" / "engine"
SCRIPTS = [str(ENGINE / name) for name in ("word_pieces.js", "bert_encoder.js", "model_file.js")]
TEXTS = [
    "A joy from start to finish.",
    "Not bad at all; I expected nothing.",
    "Dull.",
    "The film is really good, and so is she.",
    "unputdownable",
]


@pytest.fixture(scope="module")
def engine(tmp_path_factory):
    """A function that lets the engine do jobs with a model."""
    if not shutil.which("node"):
        missing("node is not installed")

    def work(model, tokenizer, jobs, weights="float16"):
        file = tmp_path_factory.mktemp("engine") / "model.json"
        file.write_text(json.dumps(packed_model(model, tokenizer, weights)), encoding="utf-8")
        task = json.dumps({"scripts": SCRIPTS, "model": str(file), "jobs": jobs})
        command = ["node", CHECKOUT / "tests" / "support" / "engine.mjs"]
        done = subprocess.run(command, input=task, capture_output=True, text=True, encoding="utf-8", check=False)
        assert done.returncode == 0, done.stderr[-2000:]
        return json.loads(done.stdout)

    return work


@pytest.fixture(scope="module")
def as_stored(bundled):
    """The bundled checkpoint with some head, its matrices rounded to what float16 holds."""
    import copy

    model, tokenizer = copy.deepcopy(bundled[0]), bundled[1]
    for weights in model.parameters():
        if weights.ndim > 1:
            weights.data = weights.data.half().float()
    return model.eval(), tokenizer


def ids_of(texts, tokenizer, length=64):
    return encode(texts, tokenizer, length)


@pytest.mark.slow
def test_tokens_of_ten_thousand_sentences_are_those_of_the_tokenizer(engine, bundled):
    texts = read_snippets()["text"].tolist()[:10_000]
    assert len(texts) == 10_000
    ((found),) = engine(*bundled, [{"tokens": texts, "length": 64}], "int8")
    assert [one["ids"] for one in found] == ids_of(texts, bundled[1])


def test_tokens_of_hostile_texts_are_those_of_the_tokenizer(engine, bundled):
    texts = [
        *HOSTILE,
        "[CLS] inside [SEP] and [MASK]", "ÀÉÎõü ẞ Σίσυφος İstanbul", "漢字かな交じり文", "a\u0300 e\u0301", "\u00ad\u200b\ufffd",
        "x" * 150, "don't (really) — “quoted” … 100%", "tab\tand\nnewline\r\u2028\u00a0end", "👍🏽 so good 👨‍👩‍👧", "##ing ## #", " ",
        "word " * 200,
    ]  # fmt: skip
    lengths = (8, 33, 60, 64, 128)
    found = engine(*bundled, [{"tokens": texts, "length": length} for length in lengths], "int8")
    for length, answers in zip(lengths, found, strict=True):
        expected = ids_of(texts, bundled[1], length)
        for text, answer, ids in zip(texts, answers, expected, strict=True):
            assert answer["ids"] == ids, (text, length)
            assert len(answer["words"]) == len(answer["tokens"]) == len(ids)


def test_logits_and_maps_are_those_of_torch(engine, as_stored):
    model, tokenizer = as_stored
    all_ids = ids_of(TEXTS, tokenizer)
    found = engine(model, tokenizer, [{"run": ids, "maps": True} for ids in all_ids])
    classifier = Classifier(model, tokenizer, Encoding(64, "head+tail"), "float32")
    for text, ids, answer, logit in zip(TEXTS, all_ids, found, classifier.logits(TEXTS), strict=True):
        assert answer["logit"] == pytest.approx(logit, abs=2e-4)
        maps = attention_maps(text, model, tokenizer).weights
        np.testing.assert_allclose(np.reshape(answer["maps"], (6, 12, len(ids), len(ids))), maps, atol=2e-5)


def test_gates_are_those_of_torch_and_only_later_layers_are_computed(engine, as_stored):
    model, tokenizer = as_stored
    sets, jobs = [[(0, 3)], [(3, 9), (5, 9)], [(5, 0)]], []
    (ids,) = ids_of(TEXTS[1:2], tokenizer)
    for heads in sets:
        gates = {}
        for layer, head in heads:
            gates.setdefault(layer, [1.0] * 12)[head] = 0.0
        jobs.append({"run": ids, "gates": gates, "from": min(gates)})
    found = [answer["logit"] for answer in engine(model, tokenizer, jobs)]
    classifier = Classifier(model, tokenizer, Encoding(64, "head+tail"), "float32")
    np.testing.assert_allclose(found, silence_sets(sets, TEXTS[1:2], classifier)[:, 0], atol=2e-4)


def test_the_need_of_every_head_is_that_of_torch(engine, as_stored):
    model, tokenizer = as_stored
    (needs,) = engine(model, tokenizer, [{"needs": ids_of(TEXTS[:1], tokenizer)[0]}])
    classifier = Classifier(model, tokenizer, Encoding(64, "head+tail"), "float32")
    effects = silence_each([*TEXTS[:1], TEXTS[2]], [1, 0], classifier)
    np.testing.assert_allclose(needs, effects.without[:, :, 0] - effects.baseline[0], atol=3e-4)


def test_patching_heads_is_that_of_torch(engine, as_stored):
    model, tokenizer = as_stored
    first, second, heads = "The film is really good.", "The film is not good.", [(2, 1), (3, 9), (5, 9)]
    ids = ids_of([first, second], tokenizer)
    (found,) = engine(model, tokenizer, [{"patch": ids[0], "into": ids[1], "heads": heads}])
    patched = patch_sets(model, pair_texts(tokenizer, [first], [second]), [heads])
    np.testing.assert_allclose(found, [patched.first[0], patched.second[0], patched.patched[0, 0]], atol=3e-4)


def test_one_byte_per_weight_changes_logits_little(engine, bundled):
    """The head is new, so that logits are small; a fine-tuned model is measured in the benchmark."""
    model, tokenizer = bundled
    found = engine(model, tokenizer, [{"run": ids} for ids in ids_of(TEXTS, tokenizer)], "int8")
    expected = Classifier(model, tokenizer, Encoding(64, "head+tail"), "float32").logits(TEXTS)
    np.testing.assert_allclose([answer["logit"] for answer in found], expected, atol=0.05)


def test_models_of_other_kinds_are_refused(bundled, tiny):
    from transformers import DistilBertConfig, DistilBertForSequenceClassification

    model, tokenizer = bundled
    with pytest.raises(ArgumentError, match="weights='int4' is not one of 'int8', 'float16'"):
        packed_model(model, tokenizer, "int4")
    other = DistilBertForSequenceClassification(
        DistilBertConfig(n_layers=1, dim=8, n_heads=2, hidden_dim=8, vocab_size=9)
    )
    with pytest.raises(ModelError, match="this is a DistilBertForSequenceClassification"):
        packed_model(other, tokenizer)
    model.config.hidden_act, kept = "relu", model.config.hidden_act
    try:
        with pytest.raises(ModelError, match="hidden_act='gelu'; this one has 'relu'"):
            packed_model(model, tokenizer)
    finally:
        model.config.hidden_act = kept


def test_stored_weights_are_as_close_as_their_kind_allows(bundled):
    import base64

    packed = packed_model(*bundled, "int8")["tensors"]["bert.encoder.layer.0.output.dense.weight"]
    integers = np.frombuffer(base64.b64decode(packed["data"]), dtype="i1").reshape(packed["shape"])
    scales = np.frombuffer(base64.b64decode(packed["scales"]), dtype="<f4")[:, None]
    weight = bundled[0].bert.encoder.layer[0].output.dense.weight.detach().numpy()
    assert np.abs(integers * scales - weight).max() <= scales.max() / 2 * 1.001
    assert torch.isfinite(torch.tensor(scales)).all()
