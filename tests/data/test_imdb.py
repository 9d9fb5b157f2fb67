"""Preparation and training on the real IMDB corpus, as far as the shared folder holds it."""

import numpy as np
import pytest

from sentiment_lib import fine_tune, initialize_model_and_tokenizer, predict
from sentiment_lib.data.preparation import prepare
from sentiment_lib.settings import make_settings


def test_the_known_flaws_of_the_corpus_are_found_and_handled(imdb_folder):
    dataset, summary = prepare(make_settings("imdb", source=str(imdb_folder)))
    assert summary.read == {"train": 25000, "test": 12500}
    assert summary.duplicates["train"] >= 96
    assert summary.leaked["train"] > 0
    texts = {split: set(rows["text"]) for split, rows in dataset.items()}
    assert not texts["train"] & texts["test"]
    assert not texts["validation"] & texts["test"]
    assert not texts["train"] & texts["validation"]
    assert 0.45 < np.mean(dataset["train"]["label"][:500]) < 0.55  # the files are sorted by label
    assert not any("<br" in text for text in dataset["train"]["text"][:2000])


@pytest.mark.slow
def test_a_short_fine_tuning_on_imdb_beats_guessing_by_far(imdb_folder, home):
    settings = make_settings(
        "imdb", run="short", source=str(imdb_folder), train_size=640, max_length=96, epochs=2, validation_size=0.01
    )
    dataset, _ = prepare(settings)
    model, tokenizer = initialize_model_and_tokenizer(dropout=0.0)
    fine_tune(model, tokenizer, dataset, settings)
    test = dataset["test"].select(range(600))
    accuracy = np.mean((predict(test["text"], model, tokenizer, max_length=96) > 0.5) == np.array(test["label"]))
    assert accuracy > 0.74
