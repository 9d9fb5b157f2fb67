"""Progress bars for people; none where nobody watches (papermill, nbval, scripts without a terminal)."""

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from .processes import is_first

PROGRESS_VARIABLE = "SENTIMENT_LIB_PROGRESS"


def progress_wanted() -> bool:
    """Whether somebody watches: in a notebook or a terminal, unless ``SENTIMENT_LIB_PROGRESS`` is ``off``.

    Of several processes, only the first shows progress.
    """
    if not is_first() or os.environ.get(PROGRESS_VARIABLE, "").lower() in ("off", "0", "false"):
        return False
    ipython = sys.modules.get("IPython")
    in_notebook = ipython is not None and hasattr(ipython.get_ipython(), "kernel")
    return in_notebook or sys.stderr.isatty()


def progress_bar(iterable: Any = None, **options: Any):
    """A tqdm bar that disappears when it is done, and is not shown at all where nobody watches."""
    from tqdm.auto import tqdm

    return tqdm(iterable, disable=not progress_wanted(), leave=False, **options)


@contextmanager
def library_bars(wanted: bool | None = None) -> Iterator[None]:
    """Hide the progress bars of datasets and huggingface_hub unless they are `wanted` (None: if somebody watches)."""
    import huggingface_hub.utils

    hidden = []
    if not (progress_wanted() if wanted is None else wanted):
        # datasets takes a second to import; before that, it shows no bars
        libraries = (huggingface_hub.utils, sys.modules.get("datasets"))
        hidden = [library for library in libraries if library and not library.are_progress_bars_disabled()]
    for library in hidden:
        library.disable_progress_bars()
    try:
        yield
    finally:
        for library in hidden:
            library.enable_progress_bars()


def training_progress():
    """A callback of the Trainer that shows a bar of steps with the latest losses."""
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
