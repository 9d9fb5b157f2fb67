import dataclasses
import json

import numpy as np
import pandas as pd
import pytest
import torch
from support import CHECKOUT

from sentiment_lib import Classifier, initialize_model_and_tokenizer
from sentiment_lib.data.preparation import prepare, training_subset
from sentiment_lib.errors import ArgumentError, DataError, SettingsError
from sentiment_lib.evaluation import crossed_interval
from sentiment_lib.evaluation.predictions import unpacked
from sentiment_lib.experiments import records as records_module
from sentiment_lib.experiments import trials as trials_module
from sentiment_lib.experiments.records import (
    answers,
    run_trials,
    same_experiment,
    shipped_records,
    summarise,
    table_of_runs,
)
from sentiment_lib.experiments.trials import BERT, METHODS, Trial, grid, trial_settings
from sentiment_lib.settings import make_settings


@pytest.fixture(scope="module")
def small(tiny_checkpoint, tmp_path_factory):
    """Reviews in which one word decides, and settings for a tiny model."""
    folder = tmp_path_factory.mktemp("small")
    texts = [f"Scene {i} is a {word} piece of film." for i in range(60) for word in ("wonderful", "dreadful")]
    pd.DataFrame({"text": texts, "label": ["pos", "neg"] * 60}).to_csv(folder / "reviews.csv", index=False)
    settings = make_settings(
        run="small", source=str(folder / "reviews.csv"), model=str(tiny_checkpoint), learning_rate=3e-3, batch_size=8
    )
    return settings, prepare(settings)[0]


def test_a_grid_has_every_combination_and_linear_methods_once_on_everything():
    found = grid([10, 80], [0, 1], everything=80, max_length=16)
    assert len(found) == 3 * 2 + 2 + 1 + 1
    assert [t.seed for t in found if t.train_size == 80 and t.method == BERT] == [0, 1]
    assert {t.method: dict(t.changes) for t in found} == {BERT: {"max_length": 16}, METHODS[1]: {}, METHODS[2]: {}}
    assert len({t.name for t in found}) == len(found)


def test_the_name_of_a_trial_is_a_folder_on_any_system():
    assert Trial(BERT, 100, 1, {"truncation": "head+tail", "learning_rate": 2e-4}).name == (
        "bert_n100_seed1_learning_rate-0.0002_truncation-head+tail"
    )
    assert Trial(METHODS[1], 100).name == "tf-idf+logistic-regression_n100_seed0"
    with pytest.raises(ValueError, match="method='SVM' is not one of 'BERT', 'TF-IDF"):
        Trial("SVM", 100)


def test_subsets_keep_the_labels_proportion_and_grow(small):
    _, dataset = small
    train = dataset["train"]
    ten, forty = training_subset(train, 10, 3), training_subset(train, 40, 3)
    assert np.mean(ten["label"]) == pytest.approx(np.mean(train["label"]), abs=0.06)
    assert set(ten["text"]) < set(forty["text"]) < set(train["text"])
    assert set(ten["text"]) != set(training_subset(train, 10, 4)["text"])
    assert training_subset(train, len(train), 5)["text"] == train["text"]
    with pytest.raises(DataError, match="size=1000 must lie between 2 and the 86 training reviews"):
        training_subset(train, 1000, 0)


def test_trials_learn_are_kept_and_are_not_run_twice(small, tmp_path, monkeypatch):
    settings, dataset = small
    trials = grid([80], [0], METHODS)
    first = list(run_trials(trials, dataset, settings, tmp_path))
    assert [record["trial"]["method"] for record in first] == list(METHODS)
    assert [record["test"]["accuracy"] for record in first] == [1.0] * 3  # one word decides
    assert sorted(p.name for p in tmp_path.iterdir()) == sorted(t.name for t in trials)
    assert [p.name for p in (tmp_path / trials[0].name).iterdir()] == ["metrics.json"]  # no model, no checkpoints
    monkeypatch.setattr(trials_module, "fine_tune_unsaved", lambda *_, **__: pytest.fail("trained again"))
    monkeypatch.setattr(trials_module, "fit_tfidf", lambda *_: pytest.fail("trained again"))
    assert list(run_trials(trials, dataset, settings, tmp_path)) == first
    assert same_experiment(first, dataset, settings) == first


def test_other_settings_or_reviews_are_another_experiment(small, tmp_path):
    settings, dataset = small
    trial = Trial(METHODS[1], 20)
    (full,) = run_trials([trial], dataset, settings, tmp_path)
    (shorter,) = run_trials([trial], dataset, settings, tmp_path, test_reviews=10)
    assert (full["test"]["examples"], shorter["test"]["examples"]) == (len(dataset["test"]), 10)
    assert json.loads((tmp_path / trial.name / "metrics.json").read_text()) == shorter
    assert same_experiment([full, shorter], dataset, settings, test_reviews=10) == [shorter]
    longer = dataclasses.replace(settings, max_length=32)
    bert, probe = Trial(BERT, 20), Trial(METHODS[2], 20)
    inputs = [[records_module._inputs(t, s, "data") for s in (settings, longer)] for t in (trial, bert, probe)]
    assert [first == second for first, second in inputs] == [True, False, False]


def test_an_experiment_that_was_stopped_continues(small, tmp_path, monkeypatch):
    settings, dataset = small
    trials = grid([20, 40], [0, 1], METHODS[1:2])
    stopped = run_trials(trials, dataset, settings, tmp_path)
    first = [next(stopped), next(stopped)]
    stopped.close()
    computed = []
    fit = trials_module.fit_tfidf
    monkeypatch.setattr(trials_module, "fit_tfidf", lambda *data: computed.append(1) or fit(*data))
    done = list(run_trials(trials, dataset, settings, tmp_path))
    assert (len(done), len(computed)) == (4, 2)
    assert done[:2] == first


def test_changes_reach_the_training(small, tmp_path, monkeypatch):
    settings, dataset = small
    seen = []

    def spy(model, tokenizer, data, own, *, output_dir, resume, validate):
        seen.append((own.trained_layers, own.epochs, own.seed, len(data["train"]), validate, list(data)))
        output_dir.mkdir(parents=True)

    monkeypatch.setattr("sentiment_lib.model.training.fine_tune", spy)
    trials = [Trial(BERT, 20, 3), Trial(BERT, 80, 1, {"trained_layers": 1}), Trial(BERT, 40, 0, {"epochs": 4.0})]
    list(run_trials(trials, dataset, settings, tmp_path))
    assert seen == [
        (None, 50.0, 3, 20, False, ["train"]),  # 50 epochs, so that 1,000 reviews are seen
        (1, 13.0, 1, 80, False, ["train"]),
        (None, 4.0, 0, 40, False, ["train"]),
    ]


def test_mistakes_show_before_anything_is_trained(small, tmp_path, monkeypatch):
    settings, dataset = small
    monkeypatch.setattr(trials_module, "fine_tune_unsaved", lambda *_, **__: pytest.fail("trained"))
    good = Trial(BERT, 20)
    with pytest.raises(DataError, match="size=5000 must lie between 2 and the 86"):
        list(run_trials([good, Trial(BERT, 5000)], dataset, settings, tmp_path))
    with pytest.raises(SettingsError, match="learning_rate=-1"):
        list(run_trials([good, Trial(BERT, 20, 0, {"learning_rate": -1})], dataset, settings, tmp_path))
    with pytest.raises(SettingsError, match="Unknown setting 'layers'"):
        list(run_trials([good, Trial(BERT, 20, 0, {"layers": 2})], dataset, settings, tmp_path))
    with pytest.raises(SettingsError, match=r"'seed' is in the changes of trial .*; give it as Trial\(..., seed=...\)"):
        list(run_trials([good, Trial(BERT, 20, 0, {"seed": 1})], dataset, settings, tmp_path))
    with pytest.raises(SettingsError, match=r"learning_rate=\[\] in trial .* leaves nothing to choose from"):
        list(run_trials([good, Trial(BERT, 20, 0, {"learning_rate": []})], dataset, settings, tmp_path))
    assert not list(tmp_path.iterdir())


def record(method, size, seed, accuracy, **changes):
    metrics = dict.fromkeys(("f1", "average_precision", "roc_auc"), 0.5)
    trial = {"method": method, "train_size": size, "seed": seed, "changes": changes}
    return {"trial": trial, "test": {"accuracy": accuracy, "examples": 50, **metrics}}


def test_the_table_has_one_row_per_record_and_one_column_per_change():
    table = table_of_runs(
        [record(BERT, 20, 1, 0.8), record(BERT, 20, 0, 0.7, trained_layers=2), record(METHODS[1], 10, 0, 0.6)]
    )
    assert list(table)[:4] == ["method", "train_size", "seed", "trained_layers"]
    assert table["accuracy"].tolist() == [0.7, 0.8, 0.6]
    assert table["trained_layers"].isna().tolist() == [False, True, True]


def test_the_summary_is_mean_and_students_interval_over_seeds():
    table = table_of_runs(
        [record(BERT, 20, seed, value) for seed, value in enumerate((0.7, 0.8, 0.9))] + [record(BERT, 40, 0, 0.95)]
    )
    found = summarise(table, ["method", "train_size"]).set_index("train_size")
    assert found.loc[20, ["runs", "mean"]].tolist() == [3, pytest.approx(0.8)]
    assert found.loc[20, "high"] - 0.8 == pytest.approx(4.302653 * 0.1 / 3**0.5, abs=1e-6)
    assert found.loc[40, "runs"] == 1
    assert np.isnan(found.loc[40, "low"])


def test_the_shipped_records_are_complete_and_hold_no_paths():
    imdb = table_of_runs(shipped_records("imdb"))
    bert = imdb[imdb["method"] == BERT]
    assert {64, 128, 256} <= set(bert["max_length"])
    assert {100, 300, 1000, 4000} <= set(bert["train_size"])
    assert set(bert["truncation"].dropna()) == {"head", "tail"}
    assert imdb["test_examples"].eq(2000).all()
    assert not imdb.duplicated(["method", "train_size", "seed", "max_length", "truncation"]).any()
    assert imdb["accuracy"].between(0.5, 0.96).all()
    assert "/" not in json.dumps([r["ticket"] for r in shipped_records("imdb")])


def test_the_shipped_trials_are_those_of_the_preset_quick():
    settings = make_settings()
    dataset, _ = prepare(settings)
    found = same_experiment(shipped_records("snippets"), dataset, settings)
    assert [Trial(**r["trial"]).name for r in found] == [f"bert_n6846_seed{seed}" for seed in (1, 2, 3)]
    assert all(0.83 < r["test"]["accuracy"] < 0.88 for r in found)


def test_a_setting_takes_precedence_over_a_metric_of_the_same_name():
    test = {"precision": 0.7, "accuracy": 0.8, "f1": 0.8, "average_precision": 0.9, "roc_auc": 0.9, "examples": 10}
    changed = [
        {"trial": {"method": BERT, "train_size": 9, "seed": 0, "changes": {"precision": value}}, "test": test}
        for value in ("float32", "bfloat16")
    ]
    assert table_of_runs(changed)["precision"].tolist() == ["float32", "bfloat16"]


def test_another_model_does_not_get_the_runs_revision():
    settings = make_settings("full")
    assert settings.model_revision
    assert trial_settings(Trial(BERT, 100), settings).model_revision == settings.model_revision
    other = trial_settings(Trial(BERT, 100, 0, {"model": "org/other"}), settings)
    assert (other.model, other.model_revision) == ("org/other", None)


def test_a_setting_that_is_left_open_is_chosen_within_the_training_sample(small, tmp_path, monkeypatch):
    settings, dataset = small
    seen = []

    def learns_only_with_the_larger_rate(train, trial, own, texts):
        seen.append((len(train), trial.changes["learning_rate"], set(texts) & set(dataset["test"]["text"]) != set()))
        right = np.array(["wonderful" in text for text in texts], dtype=float)
        return 0.1 + 0.8 * right if trial.changes["learning_rate"] == 3e-3 else np.full(len(texts), 0.5)

    monkeypatch.setattr(trials_module, "_trained_on", learns_only_with_the_larger_rate)
    (record,) = run_trials([Trial(BERT, 60, 0, {"learning_rate": [1e-6, 3e-3]})], dataset, settings, tmp_path)
    assert record["chosen"] == {"learning_rate": 3e-3}
    assert [size for size, _, _ in seen] == [40] * 6 + [60]
    assert [on_test for _, _, on_test in seen] == [False] * 6 + [True]
    assert answers([record]).tolist() == [[1.0] * len(dataset["test"])]
    seen.clear()
    assert list(run_trials([Trial(BERT, 60, 0, {"learning_rate": [1e-6, 3e-3]})], dataset, settings, tmp_path)) == [
        record
    ]
    assert not seen


def test_steps_are_the_same_at_every_size(small):
    settings, _ = small
    for size in (20, 43, 80):
        own = trial_settings(Trial(BERT, size, 0, {"steps": 30}), settings)
        assert own.epochs * -(-size // settings.batch_size) == pytest.approx(30)
    with pytest.raises(SettingsError, match="learning_rate=-1"):
        trial_settings(Trial(BERT, 20, 0, {"learning_rate": [1e-4, -1]}), settings)


def test_the_probe_can_read_the_first_token(small, tmp_path):
    settings, dataset = small
    first, mean = run_trials(
        [Trial(METHODS[2], 60, 0, {"pooling": "first"}), Trial(METHODS[2], 60)], dataset, settings, tmp_path
    )
    assert first["trial"]["changes"] == {"pooling": "first"}
    assert first["test"]["accuracy"] == mean["test"]["accuracy"] == 1.0  # one word decides
    model, tokenizer = initialize_model_and_tokenizer(settings.model)
    texts = list(dataset["test"]["text"][:4])
    embed = Classifier(model, tokenizer, settings.encoding, "float32").embed
    with torch.inference_mode():
        states = model.base_model(**tokenizer(texts, padding=True, return_tensors="pt")).last_hidden_state
    np.testing.assert_allclose(embed(texts, "first"), states[:, 0], atol=1e-5)
    assert np.abs(embed(texts) - embed(texts, "first")).max() > 1e-3
    with pytest.raises(ArgumentError, match="pooling='last' is not one of 'mean', 'first'"):
        embed(texts, "last")
    with pytest.raises(SettingsError, match="Unknown setting 'pooling'"):
        list(run_trials([Trial(METHODS[1], 60, 0, {"pooling": "first"})], dataset, settings, tmp_path))


def test_the_shipped_curves_are_those_that_lesson_08_plans(monkeypatch):
    monkeypatch.syspath_prepend(str(CHECKOUT / "benchmarks"))
    curve_of = __import__("measure").curve_of
    settings = make_settings()
    dataset, _ = prepare(settings)
    found = same_experiment(shipped_records("snippets_curve"), dataset, settings)
    names = {Trial(**record["trial"]).name for record in found}
    planned = {trial.name for trial in curve_of("snippets_curve", len(dataset["train"]))}
    assert names == planned
    for record in found:
        assert answers([record]).mean() == pytest.approx(record["test"]["accuracy"])
    imdb = {Trial(**record["trial"]).name for record in shipped_records("imdb_curve")}
    missing = {trial.name for trial in curve_of("imdb_curve", 22361)} - imdb
    assert {name.split("_learning")[0] for name in missing} == {f"bert_n22361_seed{seed}" for seed in range(3)}
    assert "/" not in json.dumps([record["ticket"] for record in shipped_records("imdb_curve")])


def test_the_record_of_the_negation_keeps_its_plan_and_its_verdict():
    (record,) = shipped_records("negation")
    plan, seeds = record["plan"], record["seeds"]
    assert len(seeds) == plan["seeds"]
    blame = {arm: [seed[arm]["pairs"]["sealed, negated blame"] for seed in seeds] for arm in ("negated", "plain")}
    effect = crossed_interval(np.subtract(blame["negated"], blame["plain"]))
    assert effect.low > plan["smallest_effect"]
    right = {arm: [unpacked(seed[arm]["reviews"], seed["sealed"]) for seed in seeds] for arm in ("before", "negated")}
    assert crossed_interval(np.subtract(right["negated"], right["before"])).low > -plan["largest_cost"]
    assert all(seed["before"]["heads"][heads]["p"] == 0.01 for seed in seeds for heads in ("named", "pilot"))


@pytest.mark.slow
def test_the_shipped_trials_are_what_todays_code_gives(tmp_path):
    """A known answer: if the code no longer gives it, the records of the curves have to be measured again."""
    settings = make_settings()
    dataset, _ = prepare(settings)
    known = {Trial(**record["trial"]).name: record for record in shipped_records("snippets_curve")}
    trials = [Trial(METHODS[1], 300, 2), Trial(METHODS[2], 100, 1), Trial(METHODS[2], 1000, 0, {"pooling": "first"})]
    for record in run_trials(trials, dataset, settings, tmp_path):
        shipped = known[Trial(**record["trial"]).name]
        agree = answers([record]) == answers([shipped])
        assert agree.mean() > 0.995, record["trial"]  # the features of the probe were computed on a GPU
