"""Is this machine ready, which preset suits it, and how long will that take? Used in lesson 00."""

from __future__ import annotations

import html
import os
import platform
import shutil
import time
from typing import TYPE_CHECKING

from ..model.compute import choose_compute
from ..model.pretrained import initialize_model_and_tokenizer
from ..run.environment import needs_extra, versions
from ..run.paths import home
from ..settings import PRESETS, make_settings
from .speed import training_step

with needs_extra("lessons"):
    import ipywidgets as ipw

if TYPE_CHECKING:
    import pandas as pd

# What a preset needs: memory and free disk in GB, padded tokens of its average training review, training reviews, and
# by how much its checkpoint is heavier to compute than the bundled one (parameters of its layers: 85 to 10.6 million).
NEEDS = {"quick": (4, 1, 32, 7_608, 1), "imdb": (10, 3, 264, 22_361, 1), "full": (16, 6, 264, 22_361, 8)}
SERIES = 8.0  # the whole series of `quick` in units of its training (7.0 on Zen 4, 9.6 on Zen 5)
LOWEST = {"python": (3, 11), "torch": (2, 6), "transformers": (5, 6), "datasets": (4, 0), "ipywidgets": (8, 1)}


def check_environment() -> pd.DataFrame:
    """A row a thing that the lessons need: what is here, whether it will do, and what to do about it if not."""
    import pandas as pd
    import torch

    here, compute = versions(), choose_compute()
    rows = {}
    for name, lowest in LOWEST.items():
        wanted = ".".join(map(str, lowest))
        enough = _numbers(here[name]) >= lowest
        remedy = "and run make again" if name == "python" else f"pip install --upgrade {name}"
        rows[name] = (here[name], enough, f"install {wanted} or newer: {remedy}")
    threads = torch.get_num_threads()
    rows["threads"] = (threads, threads >= 2, "one thread: everything takes about twice as long")
    fast = compute.precision == "bfloat16"
    rows["bfloat16"] = ("yes" if fast else "no", fast, "training takes two to three times as long as stated")
    rows["device"] = (compute.device, True, "")
    free = free_disk_gb()
    rows["free disk (GB)"] = (round(free), free >= NEEDS["quick"][1], "set SENTIMENT_LIB_HOME to a larger disk")
    memory = memory_gb()
    rows["memory (GB)"] = (memory, memory == "unknown" or memory >= 3.5, "close other programs; use train_size=2000")
    table = {
        name: (str(value), "✓" if good else "!", "" if good else todo) for name, (value, good, todo) in rows.items()
    }
    return pd.DataFrame(table, index=["here", "will do", "what to do"]).T


def _numbers(version: str) -> tuple[int, ...]:
    parts = version.partition("+")[0].split(".")[:2]
    return tuple(int(part) if part.isdigit() else 0 for part in parts)


def preset_times(seconds: float = 1.5) -> pd.DataFrame:
    """For each preset: does it fit, how long training takes here, and the advice.

    Times come from a few training steps of the bundled model on this machine, at the length of each preset's average
    review: reviews times epochs by reviews a second. They may be off by a third.

    Parameters
    ----------
    seconds : float
        How long to measure for each of the two lengths.
    """
    import pandas as pd

    memory = memory_gb()
    free = free_disk_gb()
    speed = {tokens: _reviews_per_second(tokens, seconds) for tokens in {need[2] for need in NEEDS.values()}}
    on_gpu = choose_compute().device != "cpu"
    rows = {}
    for preset in PRESETS:
        wants_memory, wants_disk, tokens, reviews, heavier = NEEDS[preset]
        training = reviews * make_settings(preset).epochs * heavier / speed[tokens]
        fits = (memory == "unknown" or memory >= 0.9 * wants_memory) and free >= wants_disk
        advice = "too little memory or disk" if not fits else _advice(preset, training, on_gpu)
        rows[preset] = {
            "training": _duration(training), "whole series": _duration(training * SERIES) if preset == "quick" else "",
            "memory (GB)": wants_memory, "hub": "not needed" if preset == "quick" else "needed, or local files",
            "advice": advice,
        }  # fmt: skip
    return pd.DataFrame(rows).T


def _advice(preset: str, training: float, on_gpu: bool) -> str:
    if preset == "quick":
        return "begin here" if training < 1800 else 'begin here, with overrides = {"train_size": 2000}'
    if training < 4 * 3600:
        return "when you have the time"
    return "over night" if training < 12 * 3600 else ("a large GPU" if on_gpu else "not without a GPU")


def _duration(seconds: float) -> str:
    if seconds < 90:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 90 * 60 else f"{seconds / 3600:.0f} h"


def _reviews_per_second(tokens: int, seconds: float) -> float:
    """Reviews of this length a second in training steps of the bundled model as `fine_tune` does them."""
    import torch

    from ..model.encoder import bfloat16_hidden_states, first_token_only

    compute = choose_compute()
    model, _ = initialize_model_and_tokenizer("bundled", dropout=0.0, compute=compute)
    batch = max(4, 1024 // tokens)
    ids = torch.randint(1000, 20_000, (batch, tokens), device=model.device)
    labels = torch.arange(batch, device=model.device) % 2
    step = training_step(model, compute)
    done, began = -1, time.perf_counter()
    with first_token_only(model), bfloat16_hidden_states(model):
        while done < 2 or time.perf_counter() - began < seconds:
            step(input_ids=ids, attention_mask=torch.ones_like(ids), labels=labels)
            done += 1
            if done == 0:  # the first one warms up
                began = time.perf_counter()
    return done * batch / (time.perf_counter() - began)


class HubButton(ipw.HBox):
    """Asks the hub whether it is there, and only when it is pressed: no lesson asks a network by itself."""

    def __init__(self) -> None:
        self._button = ipw.Button(description="Is the hub there?", tooltip="asks the hub once; takes seconds at most")
        self._said = ipw.HTML("<span>Not asked. Only the presets imdb and full need it.</span>")
        self._button.on_click(lambda _: self.ask())
        super().__init__([self._button, self._said])

    def __repr__(self) -> str:
        return "HubButton(press it to ask the hub)"

    def ask(self) -> bool:
        """Ask now; shows and returns whether the hub answers."""
        from ..data.hub import hub_error

        problem = hub_error()
        said = (
            "It answers."
            if problem is None
            else f"No: {problem} The preset quick needs no hub; the others take local files."
        )
        self._said.value = f'<span role="status">{html.escape(said)}</span>'
        return problem is None


def describe_machine() -> pd.DataFrame:
    """One row a fact that decides how fast the lessons run: processor, memory (GB), disk (GB), arithmetic."""
    import pandas as pd
    import torch

    compute = choose_compute()
    facts = {
        "system": f"{platform.system()} {platform.machine()}",
        "processor cores in use": torch.get_num_threads(),
        "memory (GB)": memory_gb(),
        "free disk (GB)": round(free_disk_gb()),
        "device": compute.device,
        "arithmetic for training": compute.precision,
        "attention kernel": compute.attention or "as transformers chooses",
    } | {f"version of {name}": number for name, number in versions().items()}
    return pd.DataFrame({"value": {name: str(value) for name, value in facts.items()}})


def free_disk_gb() -> float:
    """Free space in GB where results are kept."""
    there = next(path for path in (home(), *home().parents) if path.exists())
    return shutil.disk_usage(there).free / 1e9


def memory_gb() -> int | str:
    """Memory of this machine in GB, or "unknown" where the system does not say."""
    try:
        return round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 1e9)
    except (AttributeError, ValueError, OSError):
        return "unknown"
