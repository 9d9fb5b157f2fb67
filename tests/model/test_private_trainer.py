"""What sentiment_lib.model._trainer relies on, with the transformers that is installed."""

import inspect
import json

import pytest
import torch
from transformers import Trainer, TrainerCallback, TrainingArguments

from sentiment_lib.errors import StorageError
from sentiment_lib.model._trainer import OneDeviceArguments, QuietTrainer, checkpoint_folder, epochs_done


class Model(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.layer = torch.nn.Linear(1, 1)

    def forward(self, x):
        return {"loss": self.layer(x).square().mean()}


def trainer(folder, *callbacks):
    arguments = OneDeviceArguments(
        str(folder), per_device_train_batch_size=4, num_train_epochs=2, save_strategy="epoch", logging_steps=1,
        use_cpu=True, report_to="none", disable_tqdm=True,
    )  # fmt: skip
    rows = [{"x": torch.ones(1)} for _ in range(8)]
    return QuietTrainer(Model(), arguments, train_dataset=rows, callbacks=list(callbacks))


def test_all_files_of_a_checkpoint_are_written_by_one_method_before_callbacks_are_told(tmp_path, monkeypatch):
    assert list(inspect.signature(Trainer._save_checkpoint).parameters) == ["self", "model", "trial"]
    real, after, told = Trainer._save_checkpoint, [], []

    def noted(self, model, trial):
        real(self, model, trial)
        after.append(sorted(path for path in tmp_path.rglob("*")))

    class Told(TrainerCallback):
        def on_save(self, args, state, control, **_):
            told.append(sorted(path for path in tmp_path.rglob("*")))
            assert checkpoint_folder(args, state).is_dir()

    monkeypatch.setattr(Trainer, "_save_checkpoint", noted)
    run = trainer(tmp_path, Told())
    run.train()
    assert after == told
    assert len(told) == 2
    assert sorted(tmp_path.rglob("*")) == told[-1]
    last = checkpoint_folder(run.args, run.state)
    assert {"optimizer.pt", "scheduler.pt", "trainer_state.json"} < {path.name for path in last.iterdir()}


@pytest.mark.parametrize("writer", ["torch.save", "transformers.trainer_callback.TrainerState.save_to_json"])
def test_a_checkpoint_that_cannot_be_written_is_explained(tmp_path, monkeypatch, writer):
    def full(*_, **__):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(writer, full)
    with pytest.raises(StorageError, match="the disk is full") as caught:
        trainer(tmp_path).train()
    assert str(tmp_path) in str(caught.value)


def test_it_prints_nothing(tmp_path, capsys):
    trainer(tmp_path).train()
    assert capsys.readouterr().out == ""


def test_epochs_done(tmp_path):
    run = trainer(tmp_path)
    run.train()
    last = checkpoint_folder(run.args, run.state)
    assert epochs_done(last) == 2
    assert json.loads((last / "trainer_state.json").read_text())["global_step"] == 4


def test_with_two_gpus_the_model_stays_whole_and_a_batch_has_its_size(tmp_path, monkeypatch):
    """The Trainer asks the arguments how many GPUs there are."""
    monkeypatch.setattr(TrainingArguments, "n_gpu", property(lambda self: 2))
    run = trainer(tmp_path)
    assert (run.args.train_batch_size, run.args.eval_batch_size) == (4, 8)

    class Spread(torch.nn.DataParallel):
        def __init__(self, *_, **__):
            pytest.fail("the model was spread")

    monkeypatch.setattr(torch.nn, "DataParallel", Spread)
    run.train()
    assert run.state.global_step == 4


def test_arguments_can_be_read_from_a_checkpoint(tmp_path):
    run = trainer(tmp_path)
    run.train()
    kept = torch.load(checkpoint_folder(run.args, run.state) / "training_args.bin", weights_only=False)
    assert isinstance(kept, OneDeviceArguments)
