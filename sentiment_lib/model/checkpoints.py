"""Checkpoints of a training that may be killed at any moment: only complete ones are resumed.

The Trainer writes a checkpoint file by file. An empty file ``whole`` marks it as complete, and only then are older ones
deleted.
"""
# ruff: noqa: D102  (TrainerCallback documents its methods)

import json
import re
import shutil
from pathlib import Path
from typing import Any

from transformers import TrainerCallback

from ..run.files import aside, explained, write_json
from ..run.processes import is_first, wait_for_all
from ._trainer import checkpoint_folder

_COMPLETE = "whole"


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
    shutil.rmtree(aside(folder, "old"), ignore_errors=True)
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
    renamed = aside(folder, "old")
    shutil.rmtree(renamed, ignore_errors=True)
    if folder.exists():
        with explained(folder):
            folder.replace(renamed)
        shutil.rmtree(renamed, ignore_errors=True)
