import numpy as np
import pytest

from sentiment_lib import Classifier, Encoding
from sentiment_lib.model.baselines import (
    LinearProbe,
    MajorityClass,
    TfidfLogistic,
    VaderLexicon,
    fit_baselines,
    frozen_embedding,
)

GOOD, BAD = "a wonderful and moving film", "a dreadful and boring film"
TRAIN = {
    "text": [f"{t} number {i}" for i in range(30) for t in (GOOD, BAD)] + ["so so"] * 20,
    "label": [1, 0] * 30 + [1] * 20,
}
HELD_OUT = {"text": [GOOD, BAD, "wonderful", "dreadful"], "label": [1, 0, 1, 0]}


def test_the_majority_class_is_the_share_of_positives():
    assert MajorityClass().fit(TRAIN, HELD_OUT).predict(["x", "y"]).tolist() == [50 / 80] * 2


def test_vader_hears_negation_and_its_score_becomes_a_probability():
    vader = VaderLexicon().fit(TRAIN, HELD_OUT)
    good, not_good, nothing = vader.scores(["A good film.", "Not a good film.", "A film."])[:, 0]
    assert good == pytest.approx(0.4404)  # the value in the package's own documentation for "good"
    assert not_good < 0 == nothing
    assert (np.diff(vader.predict(["awful", "a film", "wonderful"])) > 0).all()


def test_tfidf_learns_words_and_keeps_the_best_on_validation():
    tfidf = TfidfLogistic().fit(TRAIN, HELD_OUT)
    probabilities = tfidf.predict(HELD_OUT["text"])
    assert ((probabilities >= 0.5) == np.array(HELD_OUT["label"])).all()
    losses = [row["log_loss"] for row in tfidf.tuning]
    best = tfidf.tuning[int(np.argmin(losses))]
    assert tfidf.chosen == {"words": best["words"], "C": best["C"]}
    assert {row["words"] for row in tfidf.tuning} == {1, 2}
    from sklearn.metrics import log_loss

    assert min(losses) == pytest.approx(log_loss(HELD_OUT["label"], probabilities))
    weights = tfidf.weights()
    assert weights["wonderful"] > 0 > weights["dreadful"]
    assert list(weights.values()) == sorted(weights.values())


def test_fitting_again_forgets_the_first_time():
    tfidf = TfidfLogistic().fit(TRAIN, HELD_OUT)
    tried = len(tfidf.tuning)
    turned = {"text": TRAIN["text"], "label": [1 - label for label in TRAIN["label"]]}
    tfidf.fit(turned, {"text": HELD_OUT["text"], "label": [0, 1, 0, 1]})
    assert len(tfidf.tuning) == tried
    assert tfidf.predict(["wonderful"])[0] < 0.5


def test_an_embedding_is_the_mean_over_real_tokens_only(tiny):
    import torch

    model, tokenizer = tiny
    texts = ["short", "a much longer text about a film that nobody has seen"]
    found = Classifier(model, tokenizer, Encoding(32), "float32").embed(texts)
    assert found.shape == (2, 32)
    for text, vector in zip(texts, found, strict=True):
        batch = tokenizer([text], return_tensors="pt")
        with torch.no_grad():
            expected = model.base_model(**batch).last_hidden_state[0].mean(dim=0)
        assert vector == pytest.approx(expected.numpy(), abs=1e-5)


def test_a_text_is_embedded_once(tiny, monkeypatch):
    asked = []
    monkeypatch.setattr(
        Classifier, "embed", lambda _, texts, **__: asked.extend(texts) or np.array([[len(t), 1.0] for t in texts])
    )
    vectors = frozen_embedding(Classifier(*tiny, Encoding(64)))
    first = vectors(["a", "bb", "a"])
    assert first[:, 0].tolist() == [1, 2, 1]
    assert vectors(["bb", "ccc"])[:, 0].tolist() == [2, 3]
    assert asked == ["a", "bb", "ccc"]


def test_the_probe_reads_what_the_embedding_holds():
    def vectors(texts):
        return np.array([[float("wonderful" in text), float("dreadful" in text), len(text)] for text in texts])

    probe = LinearProbe(vectors).fit(TRAIN, HELD_OUT)
    assert ((probe.predict(HELD_OUT["text"]) >= 0.5) == np.array(HELD_OUT["label"])).all()
    assert len(probe.tuning) == 5


def test_all_baselines_share_one_interface(tiny):
    found = fit_baselines({"train": TRAIN, "validation": HELD_OUT}, frozen_embedding(Classifier(*tiny, Encoding(64))))
    assert list(found) == ["majority class", "VADER lexicon", "TF-IDF + logistic regression", "linear probe"]
    for name, baseline in found.items():
        probabilities = baseline.predict(["one", "two", "three"])
        assert probabilities.shape == (3,), name
        assert ((probabilities >= 0) & (probabilities <= 1)).all(), name
        assert baseline.name == name
