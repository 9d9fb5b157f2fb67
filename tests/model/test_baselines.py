import numpy as np
import pytest
from sklearn.model_selection import GridSearchCV

from sentiment_lib import Classifier, Encoding
from sentiment_lib.model import baselines
from sentiment_lib.model.baselines import fit_probe, fit_tfidf, frozen_embedding

GOOD, BAD = "a wonderful and moving film", "a dreadful and boring film"
TEXTS = [f"{t} number {i}" for i in range(30) for t in (GOOD, BAD)] + ["so so"] * 20
LABELS = [1, 0] * 30 + [1] * 20
HELD_OUT, HELD_LABELS = [GOOD, BAD, "wonderful", "dreadful"], np.array([1, 0, 1, 0])


def flags(texts):
    return np.array([[float("wonderful" in text), float("dreadful" in text), len(text)] for text in texts])


def test_tfidf_learns_words_and_its_settings_were_chosen_by_cross_validation(monkeypatch):
    searches = []

    class Spy(GridSearchCV):
        def fit(self, texts, labels):
            searches.append(self)
            return super().fit(texts, labels)

    monkeypatch.setattr(baselines, "GridSearchCV", Spy)
    fitted = fit_tfidf(TEXTS, LABELS)
    assert ((fitted.predict_proba(HELD_OUT)[:, 1] >= 0.5) == HELD_LABELS).all()
    (search,) = searches
    assert search.cv == 5
    losses = -search.cv_results_["mean_test_score"]
    best = search.cv_results_["params"][int(np.argmin(losses))]
    assert {name: fitted.get_params()[name] for name in best} == best
    assert {params["words__ngram_range"] for params in search.cv_results_["params"]} == {(1, 1), (1, 2)}
    weights = dict(zip(fitted["words"].get_feature_names_out(), fitted["classifier"].coef_[0], strict=True))
    assert weights["wonderful"] > 0 > weights["dreadful"]


def test_settings_are_chosen_with_the_first_texts_and_all_are_learned_from(monkeypatch):
    monkeypatch.setattr(baselines, "CHOOSE_WITH", 20)
    late = fit_tfidf([*TEXTS, *["zebra"] * 40], [*LABELS, *[1] * 40])
    assert late.predict_proba(["zebra"])[0, 1] > 0.6


def test_the_more_texts_there_are_the_more_choose_the_settings(monkeypatch):
    asked = []

    class Spy(GridSearchCV):
        def fit(self, texts, labels):
            asked.append(len(texts))
            return super().fit(texts, labels)

    monkeypatch.setattr(baselines, "GridSearchCV", Spy)
    monkeypatch.setattr(baselines, "CHOOSE_WITH", 30)
    for repeats in (1, 10):
        fit_tfidf(TEXTS * repeats, LABELS * repeats)
    assert asked == [30, len(TEXTS) * 10 // 4]


@pytest.mark.parametrize("count", [2, 4])
def test_few_texts_leave_fewer_folds_or_no_choice(count):
    fitted = fit_tfidf(TEXTS[:count], LABELS[:count])
    assert fitted.predict_proba([GOOD])[0, 1] > 0.5


def test_the_probe_reads_what_the_embedding_holds():
    fitted = fit_probe(TEXTS, LABELS, flags)
    assert ((fitted.predict_proba(HELD_OUT)[:, 1] >= 0.5) == HELD_LABELS).all()


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
        Classifier,
        "embed",
        lambda _, texts, *__, **___: asked.extend(texts) or np.array([[len(t), 1.0] for t in texts]),
    )
    vectors = frozen_embedding(Classifier(*tiny, Encoding(64)))
    first = vectors(["a", "bb", "a"])
    assert first[:, 0].tolist() == [1, 2, 1]
    assert vectors(["bb", "ccc"])[:, 0].tolist() == [2, 3]
    assert asked == ["a", "bb", "ccc"]
