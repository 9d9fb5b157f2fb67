from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import torch
from datasets import Dataset, DatasetDict
from support.architectures import tiny_checkpoint as tiny_checkpoint_of

from sentiment_lib import fine_tune, initialize_model_and_tokenizer, predict
from sentiment_lib.data.preparation import prepare
from sentiment_lib.errors import DataError, MissingResult, SettingsError
from sentiment_lib.model import training
from sentiment_lib.model.training import check_trained, load_training, save_training, trained_model
from sentiment_lib.run.files import hidden_sibling
from sentiment_lib.settings import make_settings


@pytest.fixture
def small(home, review_file, tiny_checkpoint):
    """Settings, splits, model and tokenizer of a run that takes a second."""
    settings = make_settings(
        run="small", source=str(review_file), model=str(tiny_checkpoint), epochs=6, batch_size=4, learning_rate=5e-3,
        validation_size=0.2,
    )  # fmt: skip
    dataset, _ = prepare(settings)
    return settings, dataset, *initialize_model_and_tokenizer(settings.model, dropout=0.0)


def test_it_learns_and_keeps_a_model_that_plain_transformers_loads(small):
    from transformers import AutoModelForSequenceClassification, AutoTokenizer

    settings, dataset, model, tokenizer = small
    result = fine_tune(model, tokenizer, dataset, settings)
    losses = result.history["loss"].dropna()
    assert losses.iloc[0] == pytest.approx(np.log(2), abs=0.25)  # an untrained head knows nothing
    assert losses.iloc[-1] < 0.3
    assert result.steps == 6 * 7  # 26 training reviews in batches of 4, six times
    assert result.examples_per_second == pytest.approx(26 * 6 / result.seconds)

    texts, labels = dataset["test"]["text"], np.array(dataset["test"]["label"])
    ours = predict(texts, model, tokenizer, precision="float32")
    assert ((ours > 0.5) == labels).mean() >= 0.9
    plain = AutoModelForSequenceClassification.from_pretrained(settings.paths.model).eval()
    batch = AutoTokenizer.from_pretrained(settings.paths.model)(list(texts), padding=True, return_tensors="pt")
    with torch.no_grad():
        theirs = plain(**batch).logits.softmax(-1)[:, 1].numpy()
    np.testing.assert_allclose(ours, theirs, atol=1e-5)
    assert plain.config.id2label == {0: "negative", 1: "positive"}
    assert sorted(p.name for p in settings.paths.results.iterdir()) == ["model"]  # no checkpoints are left


def test_the_model_of_a_run_is_refused_where_settings_or_reviews_have_changed_since(small):
    settings, dataset, model, tokenizer = small
    with pytest.raises(MissingResult, match="Run lesson 03 first"):
        trained_model(settings, dataset)
    save_training(fine_tune(model, tokenizer, dataset, settings), settings)
    assert check_trained(replace(settings, device="cpu", run=settings.run)) == load_training(settings.paths)
    found, _ = trained_model(settings, dataset)
    assert torch.equal(found.classifier.weight, model.classifier.weight)
    with pytest.raises(
        SettingsError, match=r"trained with other settings: epochs=7.0 \(was 6.0\). Run lesson 03 again"
    ):
        trained_model(replace(settings, epochs=7.0), dataset)
    fewer = DatasetDict(dataset | {"train": dataset["train"].select(range(20))})
    with pytest.raises(DataError, match="trained on other reviews than those that lesson 01 has prepared since"):
        trained_model(settings, fewer)
    trained_model(settings)  # without the reviews, nothing is known of them


def test_training_does_not_use_the_test_split(small):
    settings, dataset, model, tokenizer = small
    weights = []
    for keep_test in (True, False):
        model, _ = initialize_model_and_tokenizer(settings.model, dropout=0.0)
        splits = dataset if keep_test else {k: v for k, v in dataset.items() if k != "test"}
        fine_tune(model, tokenizer, splits, settings, resume=False)
        weights.append(model.classifier.weight.detach())
    assert torch.equal(*weights)


def test_history_has_one_row_per_logged_step_and_the_ends_of_epochs(small):
    settings, dataset, model, tokenizer = small
    history = fine_tune(model, tokenizer, dataset, settings).history
    assert list(history) == ["step", "epoch", "loss", "learning_rate", "validation_loss", "validation_accuracy"]
    assert history["step"].is_monotonic_increasing
    assert history["step"].is_unique
    assert history.dropna(subset="validation_loss")["epoch"].tolist() == [1, 2, 3, 4, 5, 6]
    peak = history["learning_rate"].idxmax()
    assert 0 < peak < len(history) / 2  # it rises first, then falls
    assert history["learning_rate"].dropna().iloc[-1] < 1e-3


def test_the_best_checkpoint_is_kept_not_the_last(small):
    settings, dataset, model, tokenizer = small
    result = fine_tune(model, tokenizer, dataset, settings)
    ends = result.history.dropna(subset="validation_accuracy").set_index("step")["validation_accuracy"]
    assert ends[result.best_step] == ends.max()
    validation = np.array(dataset["validation"]["label"])
    kept, _ = initialize_model_and_tokenizer(str(settings.paths.model))
    accuracy = ((predict(dataset["validation"]["text"], kept, tokenizer) > 0.5) == validation).mean()
    assert accuracy == pytest.approx(ends.max(), abs=0.15)


def test_early_stopping_ends_before_the_last_epoch(small):
    settings, dataset, model, tokenizer = small
    patient = make_settings(**{**settings.to_dict(), "preset": "quick", "early_stopping": 1, "epochs": 30.0})
    assert fine_tune(model, tokenizer, dataset, patient).history["epoch"].max() < 30


def stopped_at(step, *arguments):
    """Fine-tune and stop after `step` steps."""
    from transformers import Trainer

    real_step = Trainer.training_step

    def step_until_stopped(self, *args, **kwargs):
        if self.state.global_step == step:
            raise KeyboardInterrupt
        return real_step(self, *args, **kwargs)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Trainer, "training_step", step_until_stopped)
        with pytest.raises(KeyboardInterrupt):
            fine_tune(*arguments)


def test_an_interrupted_run_resumes_and_ends_like_an_uninterrupted_one(small):
    settings, dataset, model, tokenizer = small
    uninterrupted_run = fine_tune(model, tokenizer, dataset, settings)
    uninterrupted = model.classifier.weight.detach().clone()
    second, _ = initialize_model_and_tokenizer(settings.model, dropout=0.0)
    stopped_at(17, second, tokenizer, dataset, settings)

    third, _ = initialize_model_and_tokenizer(settings.model, dropout=0.0)
    resumed = fine_tune(third, tokenizer, dataset, settings)
    assert resumed.resumed_from.endswith("checkpoint-14")
    assert resumed.steps == uninterrupted_run.steps
    torch.testing.assert_close(third.classifier.weight.detach(), uninterrupted, atol=1e-3, rtol=0)
    seen = resumed.examples_per_second * resumed.seconds / resumed.examples  # epochs since it went on
    assert 0 < seen < settings.epochs - 0.5


def test_a_checkpoint_of_other_settings_is_not_resumed(small):
    settings, dataset, model, tokenizer = small
    stopped_at(8, model, tokenizer, dataset, settings)
    assert list(hidden_sibling(settings.paths.model, "checkpoints").glob("checkpoint-*"))
    other = make_settings(**{**settings.to_dict(), "learning_rate": 1e-3})
    assert fine_tune(model, tokenizer, dataset, other).resumed_from is None


def test_the_trainer_prints_nothing(small, capsys):
    settings, dataset, model, tokenizer = small
    fine_tune(model, tokenizer, dataset, settings)
    assert capsys.readouterr().out == ""


def test_frozen_layers_stay_as_they_were(tiny_checkpoint, home, review_file):
    settings = make_settings(
        run="frozen", source=str(review_file), model=str(tiny_checkpoint), trained_layers=1, epochs=1, batch_size=4
    )
    dataset, _ = prepare(settings)
    model, tokenizer = initialize_model_and_tokenizer(str(tiny_checkpoint))
    before = {name: parameter.detach().clone() for name, parameter in model.named_parameters()}
    fine_tune(model, tokenizer, dataset, settings)
    moved = {name for name, parameter in model.named_parameters() if not (parameter == before[name]).all()}
    assert moved
    assert not any("embeddings" in name or ".layer.0." in name for name in moved)


def test_without_validation_the_last_weights_are_kept(tiny_checkpoint, home, review_file):
    settings = make_settings(run="blind", source=str(review_file), model=str(tiny_checkpoint), epochs=2)
    dataset, _ = prepare(settings)
    model, tokenizer = initialize_model_and_tokenizer(str(tiny_checkpoint))
    result = fine_tune(model, tokenizer, {"train": dataset["train"]}, settings, validate=False)
    assert result.best_step is None
    assert result.history["validation_loss"].isna().all()
    again, _ = initialize_model_and_tokenizer(str(settings.paths.model))
    kept = dict(again.named_parameters())
    assert all((parameter == kept[name]).all() for name, parameter in model.named_parameters())


def test_a_model_that_is_trained_again_computes_in_the_same_precision(small):
    settings, dataset, model, tokenizer = small
    settings = replace(settings, precision="bfloat16", epochs=1)
    seen = []

    def note(module, _, output):
        if module.training:
            seen.append(output.dtype)

    model.bert.encoder.layer[0].intermediate.register_forward_hook(note)
    for _ in range(2):
        seen.clear()
        fine_tune(model, tokenizer, dataset, settings, resume=False, validate=False)
        assert set(seen) == {torch.bfloat16}


def trained(small, **changes):
    """The model after a training with these settings changed."""
    settings, dataset, _, tokenizer = small
    model, _ = initialize_model_and_tokenizer(settings.model, dropout=0.0)
    fine_tune(model, tokenizer, dataset, replace(settings, **changes), resume=False)
    return model


def test_training_does_not_depend_on_the_callers_random_state(small):
    settings, dataset, _, tokenizer = small
    found = []
    for seed in (1, 2):
        model, _ = initialize_model_and_tokenizer(settings.model, dropout=0.1)
        torch.manual_seed(seed)
        fine_tune(model, tokenizer, dataset, replace(settings, epochs=1), resume=False)
        found.append(model.classifier.weight.detach())
    assert torch.equal(*found)


def test_a_training_that_was_stopped_leaves_the_model_with_its_own_forward(small):
    settings, dataset, model, tokenizer = small
    before = set(vars(model))
    stopped_at(1, model, tokenizer, dataset, replace(settings, precision="bfloat16"))
    assert set(vars(model)) == before


def longest_inputs(model):
    """A list that is filled with the longest input of each batch, in training and in evaluation."""
    seen = {True: [], False: []}
    model.base_model.register_forward_pre_hook(lambda base, inputs: seen[base.training].append(inputs[0].shape[1]))
    return seen


def test_inputs_grow_in_training_and_stay_whole_in_evaluation(home, small):
    settings, _, model, tokenizer = small
    texts = [f"{word} film {'that goes on and on ' * 12}{i}" for i in range(24) for word in ("wonderful", "dull")]
    split = Dataset.from_dict({"text": texts, "label": [1, 0] * 24})
    seen = longest_inputs(model)
    growing = replace(settings, epochs=4, max_length=40, first_length=16)
    fine_tune(model, tokenizer, DatasetDict(train=split, validation=split), growing, resume=False)
    steps = len(seen[True]) // 4
    assert [max(seen[True][epoch * steps : (epoch + 1) * steps]) for epoch in range(4)] == [16, 32, 40, 40]
    assert set(seen[False]) == {8, 40}  # 8: where it is tested that only the first token counts


def test_growing_inputs_resume_with_the_length_of_the_epoch(home, small):
    from transformers import TrainerCallback

    class Stop(TrainerCallback):
        def on_epoch_begin(self, args, state, control, **_):
            if state.epoch and round(state.epoch) == 2:
                raise KeyboardInterrupt

    settings, dataset, model, tokenizer = small
    changed = replace(settings, max_length=32, first_length=8)
    uninterrupted_run = trained(small, max_length=32, first_length=8)
    with pytest.raises(KeyboardInterrupt):
        fine_tune(model, tokenizer, dataset, changed, callbacks=[Stop()])
    again, _ = initialize_model_and_tokenizer(settings.model, dropout=0.0)
    seen = longest_inputs(again)
    assert fine_tune(again, tokenizer, dataset, changed).resumed_from
    assert min(seen[True]) > 8  # the third epoch
    for (name, weight), expected in zip(again.named_parameters(), uninterrupted_run.parameters(), strict=True):
        torch.testing.assert_close(weight, expected, msg=name)


def test_padding_stays_within_the_positions_of_the_model(home, tmp_path):
    """A model that reads 37 tokens gets no batch of 40."""
    folder = tiny_checkpoint_of("roberta", tmp_path / "model", max_position_embeddings=39)
    texts = [f"{word} film {'that goes on and on ' * 8}{i}" for i in range(48) for word in ("wonderful", "dull")]
    source = home / "long.csv"
    pd.DataFrame({"text": texts, "label": ["pos", "neg"] * 48}).to_csv(source, index=False)
    settings = make_settings(run="long", source=str(source), model=str(folder), epochs=1, max_length=37)
    model, tokenizer = initialize_model_and_tokenizer(str(folder))
    assert tokenizer.model_max_length == 37
    assert fine_tune(model, tokenizer, prepare(settings)[0], settings).steps > 1


def test_one_process_trains_on_one_gpu(tmp_path, monkeypatch):
    """With two, the Trainer would make each step from twice as many reviews."""
    from transformers import TrainingArguments

    monkeypatch.setattr(TrainingArguments, "n_gpu", property(lambda self: 2))
    arguments = training._training_arguments(make_settings(batch_size=16), tmp_path, 100, False)
    assert arguments.train_batch_size == 16
