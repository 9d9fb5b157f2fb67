"""Callbacks of the Trainer: complete checkpoints, and the moving average of the weights (a setting of preset ``imdb``).

A training may be killed at any moment, and the Trainer writes a checkpoint file by file. An empty file ``whole`` marks
a complete one, and only complete ones are resumed.
"""
# ruff: noqa: D102  (TrainerCallback documents its methods)

import json
import re
import shutil
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file, save_file
from transformers import PreTrainedModel, TrainerCallback

from ..run.files import explained, hidden_sibling, write_json
from ..run.processes import is_first, wait_for_all
from ._trainer import checkpoint_folder

_COMPLETE = "whole"
_TRAINED = "trained_weights.safetensors"


class CompleteCheckpoints(TrainerCallback):
    """Mark each checkpoint as complete, then delete all but the latest and the best one.

    It must come after all callbacks that write into a checkpoint.
    """

    def on_save(self, args, state, control, **_):
        wait_for_all()  # each process writes its part
        if is_first():
            last = checkpoint_folder(args, state)
            with explained(last):
                (last / _COMPLETE).touch()
            kept = {last, Path(state.best_model_checkpoint or last)}
            for older in set(last.parent.glob("checkpoint-*")) - kept:
                shutil.rmtree(older, ignore_errors=True)


def last_checkpoint(folder: Path, fingerprint: dict[str, Any], resume: bool = True) -> Path | None:
    """The latest complete checkpoint in `folder` of a training with this `fingerprint`; None if there is none.

    Everything else in `folder` is deleted, and the fingerprint is written.
    """
    shutil.rmtree(hidden_sibling(folder, "old"), ignore_errors=True)
    note = folder / "settings.json"
    complete = []
    if resume and note.is_file() and json.loads(note.read_text(encoding="utf-8")) == fingerprint:
        for path in folder.glob("checkpoint-*"):
            if re.fullmatch(r"checkpoint-\d+", path.name) and (path / _COMPLETE).is_file():
                complete.append(path)
            else:
                shutil.rmtree(path, ignore_errors=True)
    if complete:
        return max(complete, key=lambda path: int(path.name.partition("-")[2]))
    remove_checkpoints(folder)
    write_json(note, fingerprint)
    return None


def remove_checkpoints(folder: Path) -> None:
    """Delete all checkpoints. The folder is renamed first, so that a half-deleted checkpoint is never found."""
    renamed = hidden_sibling(folder, "old")
    shutil.rmtree(renamed, ignore_errors=True)
    if folder.exists():
        with explained(folder):
            folder.replace(renamed)
        shutil.rmtree(renamed, ignore_errors=True)


class MovingAverage(TrainerCallback):
    """Evaluate, save and finally keep the moving average of the weights instead of the latest weights.

    After each step, the average moves by ``1 - decay`` towards the weights: 0.99 remembers about 100 steps. The first
    steps move it faster, by ``9 / (10 + step)``, so that it forgets the initial weights. Training itself continues
    from the trained weights, which each checkpoint stores next to its averaged model.

    Parameters
    ----------
    model : transformers.PreTrainedModel
        The model in training.
    decay : float
        Between 0 and 1.
    checkpoint : pathlib.Path, optional
        The checkpoint that training resumes from.
    """

    def __init__(self, model: PreTrainedModel, decay: float, checkpoint: Path | None = None) -> None:
        self.model, self.decay, self.checkpoint = model, decay, checkpoint
        self.swapped = False  # whether the model holds the average, and `stored` the trained weights

    @torch.no_grad()
    def on_train_begin(self, *_, **__):
        named = self.model.named_parameters()
        self.weights = {name: weight.detach() for name, weight in named if weight.requires_grad}
        self.stored = {name: weight.clone() for name, weight in self.weights.items()}
        if self.checkpoint is not None:
            for name, trained in load_file(self.checkpoint / _TRAINED).items():
                self.weights[name].copy_(trained)

    def on_step_begin(self, *_, **__):
        self._swap(to_average=False)

    def on_step_end(self, args, state, control, **_):
        share = max(1 - self.decay, 9 / (10 + state.global_step))
        for name, weight in self.weights.items():
            self.stored[name].lerp_(weight, share)
        self.on_epoch_end(args, state, control)

    def on_epoch_end(self, args, state, control, **_):
        if control.should_evaluate or control.should_save:
            self._swap(to_average=True)

    def on_save(self, args, state, control, **_):
        if is_first():
            file = checkpoint_folder(args, state) / _TRAINED
            with explained(file):
                save_file(self.stored, file)

    def on_train_end(self, *_, **__):
        self._swap(to_average=True)

    @torch.no_grad()
    def _swap(self, to_average: bool) -> None:
        if self.swapped != to_average:
            for name, weight in self.weights.items():
                previous = weight.clone()
                weight.copy_(self.stored[name])
                self.stored[name].copy_(previous)
            self.swapped = to_average
