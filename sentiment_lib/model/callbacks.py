"""Callbacks of the Trainer: complete checkpoints, and inputs that grow (a setting of preset ``imdb``).

A training may be killed at any moment, and the Trainer writes a checkpoint file by file. An empty file ``whole`` marks
a complete one, and only complete ones are resumed.
"""
# ruff: noqa: D102  (TrainerCallback documents its methods)

import json
import re
import shutil
from pathlib import Path
from typing import Any

from transformers import TrainerCallback

from ..data.tokenization import shortening
from ..run.files import explained, hidden_sibling, write_json
from ..run.processes import is_first, wait_for_all
from ..settings import Encoding
from ._trainer import checkpoint_folder

_COMPLETE = "whole"


class CompleteCheckpoints(TrainerCallback):
    """Mark each checkpoint as complete, then delete all but the latest and the best one."""

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


class GrowingInputs(TrainerCallback):
    """Cut the inputs of the first epochs shorter than those of the last (Press et al., Shortformer, ACL 2021).

    The longest has `first_length` tokens, doubled in each epoch. The collator's ``shorten`` is set at the beginning of
    each epoch and taken back at its end, before the evaluation.
    """

    def __init__(self, collator, tokenizer, encoding: Encoding, first_length: int) -> None:
        self.collator, self.tokenizer, self.encoding, self.first_length = collator, tokenizer, encoding, first_length

    def on_epoch_begin(self, args, state, control, **_):
        longest = self.first_length * 2 ** int(state.epoch)
        self.collator.shorten = shortening(self.tokenizer, **(dict(self.encoding) | {"max_length": longest}))

    def on_epoch_end(self, *_, **__):
        self.collator.shorten = None
