"""The page's own engine, run in Node: its tokens are the tokenizer's, and its numbers are those of PyTorch."""

import copy
import json
import shutil
import subprocess

import numpy as np
import pytest
import torch
from support import CHECKOUT, architectures, missing
from support.browser import chromium_page, listen
from support.hostile import HOSTILE

from sentiment_lib import Classifier, initialize_model_and_tokenizer
from sentiment_lib.attention import attention_maps, pair_texts, patch_sets, silence_each, silence_sets
from sentiment_lib.attention.attribution import leave_one_word_out, rollout
from sentiment_lib.attention.norms import moved_norms
from sentiment_lib.attention.patching import patch_heads
from sentiment_lib.attention.silencing import silenced
from sentiment_lib.attention.word_pairs import strongest_pairs
from sentiment_lib.data import encode
from sentiment_lib.data.sources import read_snippets
from sentiment_lib.errors import ArgumentError, ModelError
from sentiment_lib.explorer import packed_model
from sentiment_lib.explorer.page_model import engine_scripts
from sentiment_lib.settings import Encoding

PAGE, SCRIPTS = engine_scripts()
TEXT, OTHER = "The film is really good, and unputdownable.", "The film is hardly good, and unputdownable."
LONG = "Not bad at all; I expected nothing. " * 12
OFF = [(3, 9), (1, 2), (5, 0)]


@pytest.fixture(scope="module")
def in_node(tmp_path_factory):
    """A function that lets the engine do jobs in Node; tests/support/engine.mjs says which."""
    if not shutil.which("node"):
        missing("node is not installed")
    files = {}

    def work(model, tokenizer, jobs, weights="float16", **settings):
        file = files.get((id(model), weights))
        if file is None:
            file = files[id(model), weights] = tmp_path_factory.mktemp("engine") / "model.json"
            file.write_text(json.dumps(packed_model(model, tokenizer, weights)), encoding="utf-8")
        task = {"page": PAGE, "scripts": SCRIPTS, "model": str(file), "corpus": [], "length": 64, "jobs": jobs}
        command = ["node", CHECKOUT / "tests" / "support" / "engine.mjs"]
        text = json.dumps(task | settings)
        done = subprocess.run(command, input=text, capture_output=True, text=True, encoding="utf-8", check=False)
        assert done.returncode == 0, done.stderr[-2000:]
        return json.loads(done.stdout)

    return work


@pytest.fixture(scope="module")
def as_stored(bundled):
    """The bundled checkpoint with some head, its matrices rounded to what float16 holds."""
    return rounded(bundled[0]), bundled[1]


def rounded(model):
    model = copy.deepcopy(model).eval()
    for name, weights in model.named_parameters():
        if weights.ndim > 1 and "position" not in name and "token_type" not in name:
            weights.data = weights.data.half().float()
    return model


def classifier_of(model, tokenizer):
    return Classifier(model, tokenizer, Encoding(64, "head+tail"), "float32")


def ask(kind, text=TEXT, **args):
    return {"ask": kind, "args": {"text": text, **args}}


def of_heads(codes, layers=6, heads=12):
    """Weights from the bytes that stand for them."""
    n = round((len(codes) / layers / heads) ** 0.5)
    return ((np.array(codes) / 255) ** 2).reshape(layers, heads, n, n)


@pytest.mark.slow
def test_tokens_of_ten_thousand_sentences_are_those_of_the_tokenizer(in_node, bundled):
    texts = read_snippets()["text"].tolist()[:10_000]
    assert len(texts) == 10_000
    ((found),) = in_node(*bundled, [{"tokens": texts, "length": 64}], "int8")
    assert [one["ids"] for one in found] == encode(texts, bundled[1], 64)


def test_tokens_of_hostile_texts_are_those_of_the_tokenizer(in_node, bundled):
    texts = [
        *HOSTILE,
        "[CLS] inside [SEP] and [MASK]", "ÀÉÎõü ẞ Σίσυφος İstanbul", "漢字かな交じり文", "a\u0300 e\u0301", "\u00ad\u200b\ufffd",
        "x" * 150, "don't (really) — “quoted” … 100%", "tab\tand\nnewline\r\u2028\u00a0end", "👍🏽 so good 👨‍👩‍👧", "##ing ## #", " ",
        "word " * 200, "half \ud83d a pair \udc4d",
    ]  # fmt: skip
    lengths = (8, 33, 60, 64, 128)
    found = in_node(*bundled, [{"tokens": texts, "length": length} for length in lengths], "int8")
    for length, answers in zip(lengths, found, strict=True):
        expected = encode(texts, bundled[1], length)
        for text, answer, ids in zip(texts, answers, expected, strict=True):
            assert answer["ids"] == ids, (text, length)
            assert len(answer["words"]) == len(answer["tokens"]) == len(ids)


def test_a_text_is_read_as_in_torch(in_node, as_stored):
    texts = [TEXT, LONG, "Dull.", "", "[CLS] inside [SEP]"]
    found = in_node(*as_stored, [ask("read", text) for text in texts])["found"]
    for text, answer in zip(texts, (one["answer"] for one in found), strict=True):
        maps = attention_maps(text, *as_stored)
        assert (answer["tokens"], answer["word_texts"]) == (maps.tokens, list(maps.word_texts))
        assert answer["words"] == list(maps.words)
        assert answer["cut"] == len(as_stored[1](text)["input_ids"]) - len(maps.tokens)
        np.testing.assert_allclose(of_heads(answer["weights"]), maps.weights, atol=0.004)
        codes = np.reshape(answer["weights"], maps.weights.shape)
        np.testing.assert_allclose(codes, np.sqrt(maps.weights) * 255, atol=0.6)
        assert answer["probability"] == pytest.approx(maps.probability, abs=1e-4)
    logits = classifier_of(*as_stored).logits(texts)
    np.testing.assert_allclose([one["answer"]["logit"] for one in found], logits, atol=2e-4)
    assert found[1]["answer"]["cut"] > 0


def test_heads_that_are_off_change_the_same_as_in_torch(in_node, as_stored):
    """One after the other, so that each question starts from the layers of the one before."""
    sets = [OFF[:1], OFF, OFF[:2], [], [(0, 0)], OFF[2:]]
    found = in_node(*as_stored, [ask("read", off=heads) for heads in sets], worker=True)["found"]
    expected = silence_sets(sets, [TEXT], classifier_of(*as_stored))[:, 0]
    np.testing.assert_allclose([one["answer"]["logit"] for one in found], expected, atol=2e-4)
    with silenced(as_stored[0], OFF[:2]):
        maps = attention_maps(TEXT, *as_stored).weights
    np.testing.assert_allclose(of_heads(found[2]["answer"]["weights"]), maps, atol=0.004)


def test_questions_about_a_text_have_the_answers_of_torch(in_node, as_stored):
    model, tokenizer = as_stored
    classifier, off = classifier_of(model, tokenizer), {"off": OFF}
    kinds = ("norms", "rollout", "leaveOut", "needs")
    jobs = [ask(kind, **more) for more in ({}, off) for kind in kinds]
    jobs += [ask("patches", other=OTHER, **more) for more in ({}, off)]
    *found, patched, without = in_node(model, tokenizer, jobs)["found"]
    for heads, answers in ([], found[:4]), (OFF, found[4:]):
        norms, shares, left_out, needs = (one["answer"] for one in answers)
        with silenced(model, heads):
            maps, lengths = moved_norms(TEXT, model, tokenizer)
            (words,) = leave_one_word_out([TEXT], classifier.predict)
        assert norms["top"] == pytest.approx(lengths.max(), rel=1e-3)
        np.testing.assert_allclose(of_heads(norms["norms"]) * norms["top"], lengths, atol=0.004 * lengths.max())
        np.testing.assert_allclose(shares["shares"], rollout(maps.weights)[0], atol=1e-5)
        assert left_out["words"] == list(words.words)
        np.testing.assert_allclose(left_out["effects"], words.effects, atol=3e-4)
        assert answers[2]["parts"][-1] == {"done": 7, "of": 7}
        some = [(layer, head) for layer in range(6) for head in (layer, 9)]
        logits = silence_sets([heads, *([*heads, one] for one in some)], [TEXT], classifier)[:, 0]
        np.testing.assert_allclose([needs[layer][head] for layer, head in some], logits[1:] - logits[0], atol=3e-4)
        assert [needs[layer][head] for layer, head in heads] == [0] * len(heads)
        assert [part["layer"] for part in answers[3]["parts"]] == [5, 4, 3, 2, 1, 0]
        assert [part["values"] for part in answers[3]["parts"]] == needs[::-1]
    expected = patch_heads(model, pair_texts(tokenizer, [OTHER], [TEXT]))
    np.testing.assert_allclose(patched["answer"], expected.patched[0] - expected.second[0], atol=3e-4)
    assert np.abs(patched["answer"]).max() > 3e-3
    assert [without["answer"][layer][head] for layer, head in OFF] == [0] * 3


def test_heads_take_their_outputs_from_another_text(in_node, as_stored):
    model, tokenizer = as_stored
    heads = [(2, 1), (3, 9), (5, 9)]
    take = {"text": OTHER, "heads": heads}
    jobs = [ask("read", take=take), ask("read", off=[(5, 9)], take=take)]
    both, without = (one["answer"]["logit"] for one in in_node(model, tokenizer, jobs)["found"])
    pairs = pair_texts(tokenizer, [OTHER], [TEXT])
    assert both == pytest.approx(patch_sets(model, pairs, [heads]).patched[0, 0], abs=3e-4)
    with silenced(model, [(5, 9)]):
        expected = patch_sets(model, pairs, [heads[:2]]).patched[0, 0]
    assert without == pytest.approx(expected, abs=3e-4)


def test_webassembly_and_plain_javascript_agree(in_node, bundled, tiny):
    ids = encode([TEXT, LONG, "Dull."], bundled[1], 64)
    for model, tolerance in ((bundled, 1e-5), (tiny, 1e-5)):
        for one in in_node(*model, [{"compare": some} for some in ids], "int8"):
            assert one["kinds"] == ["JavaScript", "WebAssembly"]
            assert 0 < one["largest"] < tolerance
    jobs = [ask("read")]
    fast, plain = (in_node(*bundled, jobs, "int8", without=names) for names in ([], ["WebAssembly"]))
    assert plain["found"][0]["answer"]["logit"] == pytest.approx(fast["found"][0]["answer"]["logit"], abs=1e-5)


@pytest.mark.parametrize("worker", [True, False, "blocked"])
def test_a_quick_question_does_not_wait_and_a_long_one_can_be_cancelled(in_node, bundled, worker):
    jobs = [{"during": "needs", "args": {"text": TEXT}}, {"cancel": "needs", "args": {"text": TEXT}}]
    done = in_node(*bundled, jobs, "int8", worker=worker)
    during, cancelled = done["found"]
    assert during["order"] == ["part", "read", *["part"] * 5, "answer"]
    assert cancelled["error"] == "AbortError: The question needs was cancelled."
    assert len(cancelled["parts"]) == 1
    assert np.shape(cancelled["again"]) == (6, 12)
    assert cancelled["sent"] == (7 if worker is True else 0)  # nothing more of what was cancelled
    assert done["closed"] == "AbortError: The engine was closed."
    can = {"needs": True, "patches": True, "norms": True, "leaveOut": True, "rollout": True}
    can["search"] = "There are no texts to search."
    assert done["info"] == {"layers": 6, "heads": 12, "length": 64, "can": can}


def test_the_search_finds_what_a_head_looks_at(in_node, tiny):
    """Head 0 of layer 0 looks at "joke", head 1 at everything alike."""
    model, tokenizer = copy.deepcopy(tiny[0]).eval(), tiny[1]
    embeddings, attention = model.bert.embeddings, model.bert.encoder.layer[0].attention.self
    with torch.no_grad():
        joke = embeddings.word_embeddings.weight[tokenizer.vocab["joke"]]
        for part in (attention.query, attention.key):
            part.weight.zero_()
            part.bias.zero_()
        attention.query.bias[0] = 20
        attention.key.weight[0] = joke / joke.norm()
    words, rng = ["film", "story", "actor", "scene", "plot", "music", "joke", "end"], np.random.default_rng(0)
    texts = [" ".join(rng.choice(words, 9)) for _ in range(40)]
    jobs = [{"ask": "search", "args": {"layer": 0, "head": head, "top": 5}} for head in (0, 1, 0)]
    *found, again = in_node(model, tokenizer, jobs, corpus=texts)["found"]
    assert found[0]["answer"] == again["answer"]
    assert [part["read"] for part in found[0]["parts"]] == list(range(1, 41))
    assert found[1]["parts"] == []
    maps = [attention_maps(text, model, tokenizer) for text in texts]
    special = [[word < 0 for word in one.words] for one in maps]
    for head, answer in enumerate(one["answer"] for one in found):
        weights = [one.weights[0, head] for one in maps]
        expected = strongest_pairs([one.tokens for one in maps], weights, special, top=100)
        assert answer["texts"] == 40
        assert answer["chance"] == pytest.approx(expected.chance, rel=0.05)  # with other random numbers
        assert [pair["mean"] for pair in answer["pairs"]] == pytest.approx(expected.table["mean"][:5], abs=0.004)
        for pair in answer["pairs"]:
            table, example = expected.table, pair["example"]
            (row,) = table[(table["first"] == pair["from"]) & (table["second"] == pair["to"])].to_dict("records")
            assert (pair["mean"], pair["count"]) == (pytest.approx(row["mean"], abs=0.004), row["count"])
            assert example["weight"] == pytest.approx(row["weight"], abs=0.004)
            weight = weights[example["text"]][example["row"], example["column"]]
            assert weight == pytest.approx(example["weight"], abs=0.004)
            tokens = maps[example["text"]].tokens
            assert (tokens[example["row"]], tokens[example["column"]]) == (pair["from"], pair["to"])
    looks, uniform = (one["answer"] for one in found)
    assert {pair["to"] for pair in looks["pairs"]} == {"joke"}
    assert all(pair["mean"] > looks["chance"] for pair in looks["pairs"])
    assert all(pair["mean"] <= uniform["chance"] + 1e-6 for pair in uniform["pairs"])


def test_few_texts_and_a_cancelled_search(in_node, tiny):
    texts = ["a good film", "a good story", "a good good end", ""]
    search = {"layer": 1, "head": 1, "top": 99, "text": "x"}
    jobs = [{"cancel": "search", "args": search}, {"ask": "search", "args": search}]
    cancelled, found = in_node(*tiny, jobs, corpus=texts, worker=True)["found"]
    assert cancelled["error"] == "AbortError: The question search was cancelled."
    assert [part["read"] for part in cancelled["parts"]] == [1]
    assert cancelled["sent"] == 4  # no text is read twice
    assert found == {"answer": cancelled["again"], "parts": []}
    counts = {(pair["from"], pair["to"]): pair["count"] for pair in found["answer"]["pairs"]}
    assert counts == {
        ("a", "good"): 4,
        ("good", "a"): 4,
        ("good", "good"): 2,
        ("good", "end"): 2,
        ("end", "good"): 2,
    }


def test_wrong_questions_are_answered_with_what_is_wrong(in_node, tiny):
    heads = [[0, 0]]
    wrong = {
        "There is no question sing; there are read, norms, rollout, leaveOut, patches, needs, search.": ask("sing"),
        "The text is 3, not a string.": ask("read", 3),
        "There is no head (2, 0); this model has 2 layers of 2 heads.": ask("needs", off=[[2, 0]]),
        "There is no head (0, 1.5); this model has 2 layers of 2 heads.": ask("read", off=[[0, 1.5]]),
        "There is no head (9, 0); this model has 2 layers of 2 heads.": ask("search", layer=9, head=0),
        "There are no texts to search.": ask("search", layer=0, head=0),
        "The text has no word to leave out.": ask("leaveOut", " \n"),
        "No word can be left out while heads take outputs from another text.": ask(
            "leaveOut", take={"text": TEXT, "heads": heads}
        ),
        "The two texts have 3 and 4 tokens. A head can take its outputs from another text only if both have the same "
        "number of tokens.": ask("read", "good", take={"text": "so good", "heads": heads}),
        "The two texts have 4 and 3 tokens. A head can take its outputs from another text only if both have the same "
        "number of tokens.": ask("patches", "so good", other="good"),
    }
    found = in_node(*tiny, list(wrong.values()))["found"]
    assert [one["error"] for one in found] == [f"Error: {message}" for message in wrong]
    for length in (2, 129, 8.5):
        failed = in_node(*tiny, [ask("read")], length=length, worker=True)
        assert failed["error"] == f"Error: length={length} does not fit; this model reads 3 to 128 tokens."


def test_a_distilbert_answers_as_in_torch(in_node, tmp_path):
    architectures.tiny_checkpoint("distilbert", tmp_path, labels=("negative", "positive"))
    model, tokenizer = initialize_model_and_tokenizer(str(tmp_path))
    text, model = "good bad film", rounded(model)
    read, needs, norms = in_node(model, tokenizer, [ask("read", text), ask("needs", text), ask("norms", text)])["found"]
    maps, lengths = moved_norms(text, model, tokenizer)
    np.testing.assert_allclose(of_heads(read["answer"]["weights"], 3, 4), maps.weights, atol=0.004)
    assert norms["answer"]["top"] == pytest.approx(lengths.max(), rel=1e-3)
    effects = silence_each([text, text], [1, 0], classifier_of(model, tokenizer))
    assert read["answer"]["logit"] == pytest.approx(effects.baseline[0], abs=1e-4)
    np.testing.assert_allclose(needs["answer"], effects.without[:, :, 0] - effects.baseline[0], atol=1e-4)
    model.config.activation = "relu"
    with pytest.raises(ModelError, match="activation='gelu'; this one has 'relu'"):
        packed_model(model, tokenizer)


def test_models_of_other_kinds_are_refused(bundled, tmp_path):
    model, tokenizer = copy.deepcopy(bundled[0]), bundled[1]
    with pytest.raises(ArgumentError, match="weights='int4' is not one of 'int8', 'float16'"):
        packed_model(model, tokenizer, "int4")
    architectures.tiny_checkpoint("electra", tmp_path, labels=("negative", "positive"))
    with pytest.raises(ModelError, match=r"or a DistilBert\w+; this is a ElectraForSequenceClassification"):
        packed_model(*initialize_model_and_tokenizer(str(tmp_path)))
    model.config.hidden_act = "relu"
    with pytest.raises(ModelError, match="hidden_act='gelu'; this one has 'relu'"):
        packed_model(model, tokenizer)


@pytest.mark.parametrize("which", ["bundled", "tiny"])
def test_one_byte_per_weight_is_read_as_it_was_stored(in_node, request, which):
    """What that does to the logits of a fine-tuned model is measured in benchmarks/page_engine.py."""
    model, tokenizer = request.getfixturevalue(which)
    expected = copy.deepcopy(model).eval()
    for name, weights in expected.named_parameters():
        if weights.ndim > 1 and "position" not in name and "token_type" not in name:
            blocks = weights.data.reshape(-1, 64 if weights.shape[1] % 64 == 0 else weights.shape[1])
            scales = blocks.abs().amax(dim=1, keepdim=True) / 127
            weights.data = (torch.round(blocks / scales).nan_to_num() * scales).reshape(weights.shape)
    (found,) = in_node(model, tokenizer, [ask("read")], "int8")["found"]
    (logit,) = classifier_of(expected, tokenizer).logits([TEXT])
    assert found["answer"]["logit"] == pytest.approx(logit, abs=4e-5)
    assert abs(logit - classifier_of(model, tokenizer).logits([TEXT])[0]) > 1e-4  # otherwise this test shows nothing


@pytest.mark.browser
def test_a_page_without_a_network_has_answers_from_a_worker(bundled, tmp_path):
    packed = json.dumps(packed_model(*bundled))
    (tmp_path / "model.js").write_text(f"const PACKED = {packed};", encoding="utf-8")
    scripts = json.dumps(SCRIPTS).replace("<", "\\u003c")
    page = f'<!DOCTYPE html><script src="model.js"></script><script>{PAGE}\nconst SCRIPTS = {scripts};</script>'
    (tmp_path / "page.html").write_text(page, encoding="utf-8")
    with chromium_page(offline=True) as tab:
        requested, errors = listen(tab)
        tab.goto((tmp_path / "page.html").as_uri())
        found = tab.evaluate(
            """async ([text, off]) => {
              const RealWorker = Worker, made = [];
              window.Worker = class extends RealWorker {
                constructor(address) { super(address); made.push(address.slice(0, 5)); }
              };
              const engine = await createPageEngine({ scripts: SCRIPTS, packed: PACKED });
              const order = [], needs = engine.ask("needs", { text }, () => order.push("part"));
              const read = await engine.ask("read", { text, off });
              order.push("read");
              await needs;
              engine.close();
              return { made, order, logit: read.logit, kind: read.weights.constructor.name };
            }""",
            [TEXT, OFF],
        )
    with silenced(bundled[0], OFF):
        (expected,) = classifier_of(*bundled).logits([TEXT])
    assert found["logit"] == pytest.approx(expected, abs=0.05)
    assert (found["made"], found["kind"]) == (["blob:"], "Uint8Array")
    assert found["order"].index("read") < 3
    assert not errors
    assert {address.split(":")[0] for address in requested} <= {"file", "blob"}
