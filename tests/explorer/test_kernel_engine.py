"""What the kernel answers the explorer: the numbers of the library's own functions."""

import zlib

import numpy as np
import pytest

from sentiment_lib import Classifier, initialize_model_and_tokenizer
from sentiment_lib.attention import (
    attention_maps,
    leave_one_word_out,
    moved_norms,
    pair_texts,
    patch_heads,
    rollout,
    silence_each,
    silence_sets,
)
from sentiment_lib.explorer import kernel_engine
from sentiment_lib.explorer.kernel_engine import KernelEngine, codes_of
from sentiment_lib.settings import Encoding

TEXT, OTHER = "A good film, well acted.", "A bad film, well acted."
CORPUS = ["A film with good scenes and bad scenes.", "Never. Never. Not ever.", "A good film."] * 4


@pytest.fixture
def engine(tiny):
    return KernelEngine(*tiny, max_length=64, corpus=CORPUS)


@pytest.fixture
def classifier(tiny):
    return Classifier(*tiny, Encoding(64, "head+tail"), "float32")


def ask(engine, kind, **args):
    values, arrays = engine.answer(kind, {"text": TEXT, "off": [], "take": None, **args})
    return values, {name: np.frombuffer(zlib.decompress(packed), "u1") for name, packed in arrays.items()}


def test_reading_gives_weights_and_prediction(engine, tiny, classifier):
    values, arrays = ask(engine, "read", layer=0)
    maps = attention_maps(TEXT, *tiny)
    assert (values["tokens"], values["words"]) == (maps.tokens, list(maps.words))
    assert values["logit"] == pytest.approx(classifier.logits([TEXT])[0], abs=1e-5)
    assert values["cut"] == 0
    np.testing.assert_allclose((arrays["weights"].reshape(maps.weights.shape) / 255.0) ** 2, maps.weights, atol=0.004)
    assert ask(engine, "read", text="film " * 100, layer=0)[0]["cut"] == 38
    changed, _ = ask(engine, "read", layer=0, off=[[0, 1]])
    assert changed["whole"] == values["logit"] != changed["logit"]
    alone, _ = ask(engine, "logit", off=[[0, 1]])
    assert alone == pytest.approx({"logit": changed["logit"], "whole": changed["whole"]}, abs=1e-5)
    assert ask(engine, "logit")[0] == pytest.approx({"logit": values["logit"]}, abs=1e-5)


def test_needs_are_those_of_switching_off_each_head(engine, classifier):
    effects = silence_each([TEXT, OTHER], [1, 0], classifier)
    for layer in range(2):
        values, _ = ask(engine, "needs", layer=layer)
        np.testing.assert_allclose(values["values"], effects.without[layer, :, 0] - effects.baseline[0], atol=1e-5)
    off = [[0, 1]]
    values, _ = ask(engine, "needs", layer=1, off=off)
    one, both = silence_sets([[(0, 1)], [(0, 1), (1, 0)]], [TEXT], classifier)[:, 0]
    assert values["values"][0] == pytest.approx(both - one, abs=1e-5)
    assert ask(engine, "needs", layer=0, off=off)[0]["values"][1] == 0  # it is off already


def test_patches_are_those_of_patch_heads(engine, tiny):
    patched = patch_heads(tiny[0], pair_texts(tiny[1], [OTHER], [TEXT]))
    for layer in range(2):
        values, _ = ask(engine, "patches", other=OTHER, layer=layer)
        np.testing.assert_allclose(values["values"], patched.patched[0, layer] - patched.second[0], atol=1e-5)
    taken = engine.maps(TEXT, take={"text": OTHER, "heads": [(0, 1)]})
    assert np.log(taken.probability / (1 - taken.probability)) == pytest.approx(patched.patched[0, 0, 1], abs=1e-4)


def test_norms_rollout_and_left_out_words_are_those_of_the_library(engine, tiny, classifier):
    maps, norms = moved_norms(TEXT, *tiny)
    values, arrays = ask(engine, "norms", layer=0)
    assert values["top"] == pytest.approx(norms.max())
    np.testing.assert_array_equal(arrays["weights"], codes_of(norms, norms.max()).ravel())
    assert ask(engine, "rollout")[0]["shares"] == pytest.approx(rollout(maps.weights)[0].tolist(), abs=1e-6)
    (effects,) = leave_one_word_out([TEXT], classifier.predict)
    values, _ = ask(engine, "leaveOut")
    assert values["words"] == list(effects.words)
    assert values["effects"] == pytest.approx(effects.effects, abs=1e-5)
    assert ask(engine, "leaveOut", text="")[0] == {"words": [], "effects": []}


def test_of_a_long_text_one_layer_comes_at_a_time(engine, monkeypatch):
    monkeypatch.setattr(kernel_engine, "LONG", 60)
    text = "good film " * 100
    assert len(engine.maps(text).tokens) == 64
    values, arrays = ask(engine, "read", text=text, layer=1)
    weights = engine.maps(text).weights
    np.testing.assert_array_equal(arrays["weights"], codes_of(weights[1]).ravel())
    assert arrays["small"].shape == (2 * 2 * 48 * 48,)
    assert arrays["small"].max() == codes_of(weights).max()
    again, one = engine.answer("layer", values["asked"] | {"layer": 0})
    np.testing.assert_array_equal(np.frombuffer(zlib.decompress(one["weights"]), "u1"), codes_of(weights[0]).ravel())
    assert again == {}


def test_the_search_reads_the_corpus_and_names_pairs(engine):
    values, _ = ask(engine, "search", layer=1, head=0, top=5)
    assert values["texts"] == len(CORPUS)
    means = [pair["mean"] for pair in values["pairs"]]
    assert means == sorted(means, reverse=True)
    example = values["pairs"][0]["example"]
    maps = engine.maps(example["content"])
    assert maps.weights[1, 0, example["row"], example["column"]] == pytest.approx(example["weight"], abs=0.004)
    assert maps.tokens[example["row"]] == values["pairs"][0]["from"]
    assert maps.tokens[example["column"]] == values["pairs"][0]["to"]


def test_every_architecture_answers(each_checkpoint):
    model, tokenizer = initialize_model_and_tokenizer(str(each_checkpoint))
    engine = KernelEngine(model, tokenizer, max_length=32, corpus=CORPUS)
    layers, heads = engine.info["layers"], engine.info["heads"]
    whole = ask(engine, "read", layer=0)[0]["logit"]
    effects = silence_each([TEXT, OTHER], [1, 0], Classifier(model, tokenizer, Encoding(32, "head+tail"), "float32"))
    needs = [ask(engine, "needs", layer=layer)[0]["values"] for layer in range(layers)]
    np.testing.assert_allclose(needs, effects.without[:, :, 0] - effects.baseline[0], atol=1e-4)
    every = [[layer, head] for layer in range(layers) for head in range(heads)]
    same, _ = ask(engine, "read", layer=0, take={"text": TEXT, "heads": every})
    assert same["logit"] == pytest.approx(whole, abs=1e-4)  # taken from itself, nothing changes
    assert np.abs(ask(engine, "patches", other=TEXT, layer=0)[0]["values"]).max() < 1e-4
    _, arrays = ask(engine, "norms", layer=0)
    assert arrays["weights"].size == engine.maps(TEXT).weights.size
    assert len(ask(engine, "leaveOut")[0]["effects"]) == len(TEXT.split())
    assert sum(ask(engine, "rollout")[0]["shares"]) == pytest.approx(1, abs=1e-4)
    assert ask(engine, "search", layer=0, head=0)[0]["pairs"]
