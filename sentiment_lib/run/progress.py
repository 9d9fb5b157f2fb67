"""Progress bars for people; none where nobody looks (papermill, nbval, scripts without a terminal)."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from .processes import is_first

PROGRESS_VARIABLE = "SENTIMENT_LIB_PROGRESS"


def progress_wanted() -> bool:
    """Whether somebody looks: in a notebook or a terminal, unless ``SENTIMENT_LIB_PROGRESS`` is ``off``.

    Of several processes, the first shows it.
    """
    if not is_first():
        return False
    if os.environ.get(PROGRESS_VARIABLE, "").lower() in ("off", "0", "false"):
        return False
    ipython = sys.modules.get("IPython")
    in_notebook = ipython is not None and hasattr(ipython.get_ipython(), "kernel")
    return in_notebook or sys.stderr.isatty()


def progress_bar(iterable: Any = None, **options: Any):
    """A tqdm bar that vanishes when it is done, or shows nothing where nobody looks."""
    from tqdm.auto import tqdm

    return tqdm(iterable, disable=not progress_wanted(), leave=False, **options)


@contextmanager
def library_bars(wanted: bool | None = None) -> Iterator[None]:
    """The bars of datasets and huggingface_hub: shown where somebody looks (or as `wanted`), else not."""
    from huggingface_hub.utils import are_progress_bars_disabled, disable_progress_bars, enable_progress_bars

    if progress_wanted() if wanted is None else wanted:
        yield
        return
    datasets = sys.modules.get("datasets")  # a second to import, and bars that nobody shows before that
    shown, hub_shown = datasets and datasets.is_progress_bar_enabled(), not are_progress_bars_disabled()
    if shown:
        datasets.disable_progress_bars()
    disable_progress_bars()
    try:
        yield
    finally:
        if shown:
            datasets.enable_progress_bars()
        if hub_shown:
            enable_progress_bars()


def training_progress():
    """A callback of the Trainer: a bar of steps with the last losses."""
    from transformers import TrainerCallback

    class Progress(TrainerCallback):
        def on_train_begin(self, args, state, control, **kwargs):
            self.bar = progress_bar(total=state.max_steps, initial=state.global_step, desc="fine-tuning", unit="step")

        def on_step_end(self, args, state, control, **kwargs):
            self.bar.update(state.global_step - self.bar.n)

        def on_log(self, args, state, control, logs=None, **kwargs):
            shown = {k: f"{v:.3f}" for k, v in (logs or {}).items() if k in ("loss", "eval_loss", "eval_accuracy")}
            self.bar.set_postfix(shown)

        def on_train_end(self, args, state, control, **kwargs):
            self.bar.close()

    return Progress()
