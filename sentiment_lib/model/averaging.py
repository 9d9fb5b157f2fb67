"""The moving average of a model's weights during training.

A setting of the preset ``imdb``.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from ..run.files import explained
from ..run.processes import is_first

if TYPE_CHECKING:
    from transformers import PreTrainedModel

_TRAINED = "trained_weights.safetensors"


def averaging_callback(model: PreTrainedModel, decay: float, checkpoint: Path | None = None):
    """A callback that evaluates, saves and leaves behind the moving average of the weights instead of the last ones.

    After each step, the average moves by ``1 - decay`` towards the weights: 0.99 remembers about 100 steps. Early
    it moves faster, by ``9 / (10 + step)``, not to hold on to the weights of the start. The steps themselves go on
    from the trained weights, which each checkpoint keeps beside its averaged model.

    Parameters
    ----------
    model
        The model in training.
    decay : float
        Between 0 and 1.
    checkpoint : pathlib.Path, optional
        The checkpoint that training goes on from.
    """
    import torch
    from safetensors.torch import load_file, save_file
    from transformers import TrainerCallback

    from ._trainer import checkpoint_folder

    class Averaging(TrainerCallback):
        average: dict  # what is not in the model now: the average between steps, the trained weights after an exchange
        exchanged = False

        @torch.no_grad()
        def on_train_begin(self, *_, **__):
            self.weights = {name: weight.detach() for name, weight in model.named_parameters() if weight.requires_grad}
            self.average = {name: weight.clone() for name, weight in self.weights.items()}
            if checkpoint is not None:
                for name, trained in load_file(checkpoint / _TRAINED).items():
                    self.weights[name].copy_(trained)

        def on_step_begin(self, *_, **__):
            if self.exchanged:
                self._exchange()

        def on_step_end(self, args, state, control, **_):
            share = max(1 - decay, 9 / (10 + state.global_step))
            for name, weight in self.weights.items():
                self.average[name].lerp_(weight, share)
            self._show(control)

        def on_epoch_end(self, args, state, control, **_):
            self._show(control)

        def on_save(self, args, state, control, **_):
            if is_first():
                file = checkpoint_folder(args, state) / _TRAINED
                with explained(file):
                    save_file(self.average, file)

        def on_train_end(self, *_, **__):
            if not self.exchanged:
                self._exchange()

        def _show(self, control):
            if (control.should_evaluate or control.should_save) and not self.exchanged:
                self._exchange()

        @torch.no_grad()
        def _exchange(self):
            for name, weight in self.weights.items():
                kept = weight.clone()
                weight.copy_(self.average[name])
                self.average[name].copy_(kept)
            self.exchanged = not self.exchanged

    return Averaging()
