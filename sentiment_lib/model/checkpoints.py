"""Checkpoints of a training that may be killed at any moment: only whole ones are gone on from.

The Trainer writes a checkpoint file by file. It counts when all is there, which an empty file ``whole`` in it says, and
only then are older ones deleted.
"""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..run.files import aside, explained, write_json
from ..run.processes import is_first, wait_for_all

if TYPE_CHECKING:
    from transformers import PreTrainedModel

_WHOLE = "whole"


def checkpoint_callback():
    """A callback that marks each checkpoint as whole and then deletes all but the last and the best one.

    It must come after all others that write into a checkpoint.
    """
    from transformers import TrainerCallback

    from ._trainer import checkpoint_folder

    class Checkpoints(TrainerCallback):
        def on_save(self, args, state, control, **_):
            wait_for_all()  # each process writes its part
            if is_first():
                last = checkpoint_folder(args, state)
                with explained(last):
                    (last / _WHOLE).touch()
                kept = {last, Path(state.best_model_checkpoint or last)}
                for older in set(last.parent.glob("checkpoint-*")) - kept:
                    shutil.rmtree(older, ignore_errors=True)

    return Checkpoints()


def last_checkpoint(folder: Path, ticket: dict[str, Any], resume: bool = True) -> Path | None:
    """The last whole checkpoint in `folder` that was made with what `ticket` says; None when there is none.

    What is no whole checkpoint of this training is deleted, and the ticket written.
    """
    shutil.rmtree(_leftovers(folder), ignore_errors=True)
    note = folder / "settings.json"
    whole = []
    if resume and note.is_file() and json.loads(note.read_text(encoding="utf-8")) == ticket:
        for path in folder.glob("checkpoint-*"):
            if re.fullmatch(r"checkpoint-\d+", path.name) and (path / _WHOLE).is_file():
                whole.append(path)
            else:
                shutil.rmtree(path, ignore_errors=True)
    if whole:
        return max(whole, key=lambda path: int(path.name.partition("-")[2]))
    remove_checkpoints(folder)
    write_json(note, ticket)
    return None


def remove_checkpoints(folder: Path) -> None:
    """Delete all checkpoints: renamed first, so that none is ever found half deleted."""
    gone = _leftovers(folder)
    shutil.rmtree(gone, ignore_errors=True)
    if folder.exists():
        with explained(folder):
            folder.replace(gone)
        shutil.rmtree(gone, ignore_errors=True)


def _leftovers(folder: Path) -> Path:
    return aside(folder, "old")


def bytes_needed(model: PreTrainedModel, trained: int) -> int:
    """Room for the model and for three checkpoints (last, best, and the one being written).

    A checkpoint holds all weights and two float32 moments of AdamW for each of the `trained` ones.
    """
    weights = 4 * sum(parameter.numel() for parameter in model.parameters())
    return 4 * weights + 3 * 2 * 4 * trained
