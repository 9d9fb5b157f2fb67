"""What this package uses of transformers' Trainer, and of Accelerate under it, beyond their documented interface.

``tests/model/test_private_trainer.py`` and ``test_private_accelerate.py`` fail when a release works otherwise.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from torch.nn import Module
from transformers import PrinterCallback, Trainer, TrainerState, TrainingArguments
from transformers.trainer import TRAINER_STATE_NAME
from transformers.trainer_utils import PREFIX_CHECKPOINT_DIR

from ..run.files import explained

# What Accelerate adds to a model: a forward that computes in the precision of the training, the forward that it
# replaced, and a mark that keeps Accelerate from preparing the model again.
_ADDED_BY_ACCELERATE = ("forward", "_original_forward", "_is_accelerate_prepared")


class OneDeviceArguments(TrainingArguments):
    """Arguments of a Trainer that uses one GPU per process.

    Where a single process sees several GPUs, the Trainer would otherwise replicate the model on all of them and
    multiply the batch size by their number.
    """

    @property
    def n_gpu(self) -> int:
        """Number of GPUs of this process: 0 or 1."""
        return min(1, super().n_gpu)


class QuietTrainer(Trainer):
    """A Trainer that prints nothing and says what to do when a checkpoint cannot be written."""

    def __init__(self, *args, **options) -> None:
        super().__init__(*args, **options)
        self.remove_callback(PrinterCallback)  # ``state.log_history`` has what it would print

    def _save_checkpoint(self, model, trial) -> None:
        with explained(checkpoint_folder(self.args, self.state).parent):
            super()._save_checkpoint(model, trial)


def checkpoint_folder(arguments: TrainingArguments, state: TrainerState) -> Path:
    """The folder of the checkpoint of the current step."""
    return Path(str(arguments.output_dir)) / f"{PREFIX_CHECKPOINT_DIR}-{state.global_step}"


def epochs_done(checkpoint: Path) -> float:
    """Number of epochs completed at a checkpoint."""
    return TrainerState.load_from_json(str(checkpoint / TRAINER_STATE_NAME)).epoch or 0


@contextmanager
def unprepared_afterwards(model: Module) -> Iterator[None]:
    """Let Accelerate prepare `model` while the block runs, and undo that at the end.

    Otherwise the model would predict in the precision of the training, and a second training would compute in float32.
    """
    attributes = vars(model)
    before = {name: attributes[name] for name in _ADDED_BY_ACCELERATE if name in attributes}
    try:
        yield
    finally:
        for name in _ADDED_BY_ACCELERATE:
            attributes.pop(name, None)
        attributes.update(before)
