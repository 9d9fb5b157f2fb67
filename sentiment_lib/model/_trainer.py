"""What this package uses of transformers' Trainer beyond its documented interface.

``tests/model/test_private_trainer.py`` fails when a release of transformers works otherwise.
"""

from __future__ import annotations

from pathlib import Path

from transformers import PrinterCallback, Trainer, TrainerState, TrainingArguments
from transformers.trainer import TRAINER_STATE_NAME
from transformers.trainer_utils import PREFIX_CHECKPOINT_DIR

from ..run.files import explained


class OneDeviceArguments(TrainingArguments):
    """Arguments of a Trainer that uses one GPU per process.

    Where a single process sees several GPUs, the Trainer would spread the model over all of them, with batches as many
    times as large.
    """

    @property
    def n_gpu(self) -> int:
        """Number of GPUs of this process: 0 or 1."""
        return min(1, super().n_gpu)


class QuietTrainer(Trainer):
    """A Trainer that prints nothing and says what to do when a checkpoint cannot be written."""

    def __init__(self, *args, **options) -> None:
        super().__init__(*args, **options)
        self.remove_callback(PrinterCallback)  # what it would print is in ``state.log_history``

    def _save_checkpoint(self, model, trial) -> None:
        with explained(checkpoint_folder(self.args, self.state).parent):
            super()._save_checkpoint(model, trial)


def checkpoint_folder(arguments: TrainingArguments, state: TrainerState) -> Path:
    """The folder of the checkpoint of this step."""
    return Path(str(arguments.output_dir)) / f"{PREFIX_CHECKPOINT_DIR}-{state.global_step}"


def epochs_done(checkpoint: Path | None) -> float:
    """How many epochs a checkpoint has behind it; 0 without one."""
    if checkpoint is None:
        return 0
    return TrainerState.load_from_json(str(checkpoint / TRAINER_STATE_NAME)).epoch or 0
