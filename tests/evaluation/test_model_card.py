import yaml

from sentiment_lib.evaluation.model_card import model_card, write_model_card
from sentiment_lib.run.paths import RunPaths

INTERVAL = {"estimate": 0.85, "low": 0.83, "high": 0.87}
METRICS = {
    "run": "mine",
    "source": "/somebody/at/home/reviews.csv",
    "model": "bundled",
    "settings": {
        "max_length": 64,
        "truncation": "head+tail",
        "epochs": 2.0,
        "learning_rate": 1e-4,
        "batch_size": 32,
        "weight_decay": 0.01,
        "dropout": 0.0,
        "seed": 7,
    },
    "versions": {"torch": "2.13.0", "transformers": "5.23.0"},
    "train": {"examples": 7608, "steps": 476},
    "test": {
        "examples": 2113,
        **dict.fromkeys(("accuracy", "precision", "recall", "f1", "average_precision", "roc_auc"), 0.85123456),
    },
    "intervals": dict.fromkeys(("accuracy", "precision", "recall", "f1", "average_precision", "roc_auc"), INTERVAL),
    "comparisons": [{"second": "TF-IDF", "differences": {"accuracy": INTERVAL}, "p_holm": 3e-12}],
    "calibration": {"temperature": 1.5, "as trained": {"ece_width": INTERVAL}, "temperature scaled": {"ece_width": INTERVAL}},
    "slices": [
        {"subject": "contrast", "slice": "with a contrast", "accuracy": 0.7, "low": 0.65, "high": 0.75, "count": 300, "verdict": "worse"},
        {"subject": "length", "slice": "short", "accuracy": 0.9, "low": 0.85, "high": 0.95, "count": 300, "verdict": "better"},
    ],
    "behaviour": {"BERT": {"irony": {"failure_rate": 0.5, "failures": 20, "cases": 40}, "praise": {"failure_rate": 0.0, "failures": 0, "cases": 40}}},
}  # fmt: skip


def head_of(card):
    _, head, body = card.split("---\n", 2)
    return yaml.safe_load(head), body


def test_the_head_is_what_the_hub_reads():
    from huggingface_hub import ModelCard

    head, _ = head_of(model_card(METRICS))
    assert head["pipeline_tag"] == "text-classification"
    assert head["base_model"] == "sentence-transformers/all-MiniLM-L6-v2"
    (result,) = head["model-index"][0]["results"]
    assert {m["type"]: m["value"] for m in result["metrics"]}["accuracy"] == 0.8512
    assert result["dataset"]["split"] == "test"
    again = ModelCard(model_card(METRICS))  # the hub's own reader
    assert again.data.eval_results[0].metric_type == "accuracy"


def test_the_body_says_data_use_limits_and_measures_with_intervals():
    _, body = head_of(model_card(METRICS))
    for part in ("## Data", "## Measures", "## Intended use", "## Limits", "## How it was trained"):
        assert part in body
    assert "| accuracy | 0.851 | 0.830 to 0.870 |" in body
    assert "Trained on 7,608 reviews, measured on 2,113" in body
    assert "against TF-IDF: accuracy +0.850 (+0.830 to +0.870)" in body
    assert "p = 3e-12" in body
    assert "divided by the temperature 1.50" in body
    assert "contrast, with a contrast: accuracy 0.700 (0.650 to 0.750) on 300 reviews" in body
    assert "irony: fails 20 of 40 cases" in body
    assert "short" not in body
    assert "praise" not in body
    assert "seed 7; 476 optimiser steps" in body


def test_it_does_not_tell_where_files_lie_on_a_disk():
    card = model_card(METRICS | {"model": "/somebody/at/home/checkpoint"})
    assert "/somebody" not in card
    assert "`reviews.csv`" in card
    assert "`checkpoint`" in card
    assert "base_model" not in head_of(card)[0]


def test_known_corpora_and_hub_models_are_linked():
    head, body = head_of(model_card(METRICS | {"source": "imdb", "model": "google-bert/bert-base-uncased"}))
    assert head["datasets"] == ["stanfordnlp/imdb"]
    assert head["base_model"] == "google-bert/bert-base-uncased"
    assert "Maas et al." in body


def test_a_run_without_the_further_parts_has_a_card_too():
    plain = {
        k: v for k, v in METRICS.items() if k not in ("intervals", "comparisons", "calibration", "slices", "behaviour")
    }
    assert "| accuracy | 0.851 | not computed |" in model_card(plain)


def test_it_is_written_beside_the_model(home):
    import json

    paths = RunPaths("mine")
    paths.model.mkdir(parents=True)
    paths.metrics.write_text(json.dumps(METRICS))
    path = write_model_card(paths)
    assert path == paths.model / "README.md"
    assert path.read_text() == model_card(METRICS)


def test_only_of_known_reviews_it_says_that_they_are_english_film_reviews():
    head, body = head_of(model_card({**METRICS, "source": "imdb"}))
    assert (head["language"], "film-reviews" in head["tags"]) == ("en", True)
    assert "an English film review is positive" in body
    head, body = head_of(model_card(METRICS))
    assert "language" not in head
    assert head["tags"] == ["sentiment-analysis"]
    assert "film" not in body.replace("film-reviews", "")
