import subprocess
import sys

import numpy as np
import pytest
import torch

from sentiment_lib import Classifier, Encoding, attention_maps
from sentiment_lib.attention.statistics import (
    STATISTICS,
    HeadStatistics,
    _statistics,
    attention_change,
    head_statistics,
    peculiar_texts,
    sentiment_lexicon,
)

TEXTS = ["A good film.", "An unbelievably bad, tearjerking film that never ends.", "Dull.", "Never boring, never loud."]
ENCODING = Encoding(32)


def hand_made():
    """Two tokens that look at themselves, at each other, or evenly; and a third position that is padding."""
    heads = torch.zeros(1, 3, 3, 3)
    heads[0, 0, :2, :2] = torch.eye(2)
    heads[0, 1, :2, :2] = torch.eye(2).flip(0)
    heads[0, 2, :2, :2] = 0.5
    heads[0, :, 2] = 1 / 3  # a padded query must not count
    mask = torch.tensor([[1.0, 1.0, 0.0]])
    keys = torch.tensor([[[1.0, 0, 0], [0, 1, 1], [0, 0, 0]]])  # [CLS], [SEP], sentiment word
    return dict(zip(STATISTICS, _statistics(heads, mask, keys)[0].numpy(), strict=True))


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("entropy", [0, 0, np.log(2)]),
        ("relative entropy", [0, 0, 1]),
        ("distance", [0, 1, 0.5]),
        ("[CLS]", [0.5, 0.5, 0.5]),
        ("[SEP]", [0.5, 0.5, 0.5]),
        ("sentiment words", [0.5, 0.5, 0.5]),
        ("itself", [1, 0, 0.5]),
        ("previous token", [0, 1, 0.5]),
        ("next token", [0, 1, 0.5]),
    ],
)
def test_a_hand_made_tensor(name, expected):
    np.testing.assert_allclose(hand_made()[name], expected, atol=1e-6)


def test_the_entropy_of_local_attention_is_relative_to_what_a_token_sees():
    """Four tokens that see one token to each side: evenly spread over what they see, the relative entropy is 1."""
    near = (torch.arange(5)[:, None] - torch.arange(5)).abs() <= 1
    near[:, 4] = False  # padding
    weights = (near / near.sum(dim=1, keepdim=True).clamp(min=1))[None, None]
    mask = torch.tensor([[1.0, 1, 1, 1, 0]])
    keys = torch.zeros(1, 5, 3)
    local, everywhere = (
        dict(zip(STATISTICS, _statistics(weights, mask, keys, window)[0, :, 0].tolist(), strict=True))
        for window in (1, None)
    )
    assert local["relative entropy"] == pytest.approx(1)
    assert everywhere["relative entropy"] == pytest.approx((2 * np.log(2) + 2 * np.log(3)) / 4 / np.log(4))
    assert {**local, "relative entropy": 0} == {**everywhere, "relative entropy": 0}


def test_real_texts_against_one_text_at_a_time(tiny):
    """Batches, padding and masks change nothing: the same from each text's own maps, by plain NumPy."""
    found = head_statistics(TEXTS, Classifier(*tiny, ENCODING), per_text=True)
    for i, text in enumerate(TEXTS):
        maps = attention_maps(text, *tiny, max_length=32)
        w, n = maps.weights.astype(float), len(maps.tokens)
        expected = {
            "entropy": -(w * np.log(w)).sum(-1).mean(-1),
            "distance": (w * np.abs(np.subtract.outer(range(n), range(n)))).sum(-1).mean(-1),
            "[CLS]": w[..., 0].mean(-1),
            "[SEP]": w[..., -1].mean(-1),
            "itself": np.diagonal(w, axis1=2, axis2=3).mean(-1),
            "previous token": np.diagonal(w, -1, 2, 3).mean(-1),
            "next token": np.diagonal(w, 1, 2, 3).mean(-1),
        }
        for name, values in expected.items():
            np.testing.assert_allclose(found.per_text[i, STATISTICS.index(name)], values, atol=1e-5, err_msg=name)
        assert found.uniform_per_text[i, STATISTICS.index("entropy")] == pytest.approx(np.log(n), abs=1e-5)
        assert found.uniform_per_text[i, STATISTICS.index("[SEP]")] == pytest.approx(1 / n, abs=1e-6)
    np.testing.assert_allclose(found.mean, found.per_text.mean(axis=0), atol=1e-5)
    np.testing.assert_allclose(found.spread, found.per_text.std(axis=0, ddof=1), atol=1e-4)


def test_sentiment_words_are_whole_words_of_the_lexicon(bundled):
    maps = attention_maps(TEXTS[1], *bundled, max_length=32)
    bad = maps.tokens.index("bad")
    found = head_statistics([TEXTS[1]], Classifier(*bundled, ENCODING))
    np.testing.assert_allclose(found["sentiment words"], maps.weights[..., bad].mean(-1), atol=1e-5)
    pieces = [i for i, token in enumerate(maps.tokens) if maps.words[i] == maps.words[maps.tokens.index("un")]]
    found = head_statistics([TEXTS[1]], Classifier(*bundled, ENCODING), lexicon={"unbelievably"})
    np.testing.assert_allclose(found["sentiment words"], maps.weights[..., pieces].sum(-1).mean(-1), atol=1e-5)
    assert len(pieces) > 2
    assert {"good", "bad", "boring"} <= sentiment_lexicon()


def statistics_with(**shares):
    mean = np.full((len(STATISTICS), 1, 1), 0.1)
    for name, value in shares.items():
        mean[STATISTICS.index(name)] = value
    return HeadStatistics(1, mean, mean, mean[:, 0, 0])


def test_kinds_of_heads():
    assert statistics_with(**{"[CLS]": 0.6}).kinds()[0, 0] == "[CLS]"
    assert statistics_with(**{"[SEP]": 0.6, "itself": 0.7}).kinds()[0, 0] == "itself"
    assert statistics_with(**{"relative entropy": 0.95}).kinds()[0, 0] == "broad"
    assert statistics_with().kinds()[0, 0] == "mixed"
    assert list(statistics_with().table()) == ["layer", "head", *STATISTICS]
    with pytest.raises(KeyError, match="There is no statistic 'colour'"):
        statistics_with()["colour"]


def test_peculiar_texts_differ_from_those_of_their_length():
    rng = np.random.default_rng(0)
    per_text = rng.normal(0.3, 0.01, (60, len(STATISTICS), 2, 2))
    uniform = np.tile(np.log(np.arange(20, 80))[:, None], (1, len(STATISTICS)))
    per_text[17, STATISTICS.index("next token"), 1, 0] = 0.9
    per_text[:, STATISTICS.index("[SEP]")] += np.linspace(1, 0, 60)[:, None, None]  # falls with the length
    found = HeadStatistics(60, per_text.mean(0), per_text.std(0), uniform[0], per_text, uniform)
    table = peculiar_texts(found, 1, 0, n=3)
    assert (table["place"][0], table["what"][0]) == (17, "next token")
    assert table["value"][0] == pytest.approx(0.9)
    assert table["usual"][0] == pytest.approx(0.3, abs=0.05)
    assert peculiar_texts(found, 0, 0, n=1)["place"][0] != 17
    with pytest.raises(ValueError, match="per_text=True"):
        peculiar_texts(statistics_with(), 0, 0)


def test_change_of_attention(tiny, tiny_checkpoint):
    from sentiment_lib import initialize_model_and_tokenizer

    model, tokenizer = tiny
    assert attention_change(
        TEXTS, Classifier(model, tokenizer, ENCODING), Classifier(model, tokenizer, ENCODING)
    ).max() == pytest.approx(0, abs=1e-6)
    other, _ = initialize_model_and_tokenizer(str(tiny_checkpoint))
    with torch.no_grad():  # head (1, 0) gets different queries: only it can change
        other.bert.encoder.layer[1].attention.self.query.weight[:16] *= -3
    found = attention_change(TEXTS, Classifier(model, tokenizer, ENCODING), Classifier(other, tokenizer, ENCODING))
    assert found[1, 0] > 0.001
    assert found.ravel()[[0, 1, 3]].max() < 1e-6


def test_nothing_of_the_computation_leaks_out(tiny):
    model, tokenizer = tiny
    model.train()
    head_statistics(TEXTS, Classifier(model, tokenizer, ENCODING))
    attention_change(TEXTS, Classifier(model, tokenizer, ENCODING), Classifier(model, tokenizer, ENCODING))
    assert model.training
    assert not torch.is_inference_mode_enabled()
    model.eval()


def test_no_texts_are_an_error(tiny):
    with pytest.raises(ValueError, match="texts is empty"):
        head_statistics([], Classifier(*tiny, ENCODING))


MEMORY = """
import resource
from sentiment_lib import Classifier, Encoding, initialize_model_and_tokenizer
from sentiment_lib.attention.statistics import head_statistics
model, tokenizer = initialize_model_and_tokenizer()
texts = ["A film with good scenes, a slow middle part and a bad end, but I did not regret the evening. " * (i % 3 + 1)
         for i in range(1500)]
for part in (texts[:500], texts):
    head_statistics(part, Classifier(model, tokenizer, Encoding(64)))
    print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024)
"""


@pytest.mark.slow
def test_peak_memory_does_not_grow_with_the_number_of_reviews():
    """Three times as many reviews; the weights of the new ones would take 500 MB. (The allocator grows a little.)"""
    done = subprocess.run([sys.executable, "-c", MEMORY], capture_output=True, text=True, check=True)
    few, many = map(float, done.stdout.split())
    assert many < few + 100
