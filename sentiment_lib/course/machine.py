"""Checks of this machine: whether it is ready, which preset suits it and how long that takes. Used in lesson 00."""

from __future__ import annotations

import html
import os
import platform
import shutil
import time
from contextlib import nullcontext

import pandas as pd

from ..model.compute import choose_compute, keep_freed_memory
from ..model.pretrained import initialize_model_and_tokenizer
from ..run.environment import needs_extra, versions
from ..run.paths import home
from ..settings import PRESETS, make_settings

with needs_extra("lessons"):
    import ipywidgets as ipw

# What a preset needs: memory and free disk in GB, padded tokens of its average training review, training reviews, and
# the compute cost of an epoch relative to the bundled checkpoint with whole inputs (for `imdb`, whose inputs grow, from
# the speeds in benchmarks/RESULTS.md; for `full`, 85 against 10.6 million parameters in the layers).
NEEDS = {"quick": (4, 1, 32, 6_846, 1), "imdb": (10, 3, 264, 22_361, 0.7), "full": (16, 6, 264, 22_361, 8)}
SERIES_PER_TRAINING = 8.0  # time of the whole series of `quick` over that of its training (7.0 on Zen 4, 9.6 on Zen 5)
LOWEST = {"python": (3, 11), "torch": (2, 6), "transformers": (5, 6), "datasets": (4, 0), "ipywidgets": (8, 1)}


def check_environment() -> pd.DataFrame:
    """One row per requirement of the lessons: what this machine has, whether it is enough, and the remedy if not."""
    import torch

    installed, compute = versions(), choose_compute()
    rows: dict[str, tuple[object, bool, str]] = {}
    for name, lowest in LOWEST.items():
        enough = _version_numbers(installed[name]) >= lowest
        command = "and run make again" if name == "python" else f"pip install --upgrade {name}"
        rows[name] = (installed[name], enough, f"install {'.'.join(map(str, lowest))} or newer: {command}")
    threads = torch.get_num_threads()
    rows["threads"] = (threads, threads >= 2, "one thread: everything takes about twice as long")
    fast = compute.precision == "bfloat16"
    rows["bfloat16"] = ("yes" if fast else "no", fast, "training takes two to three times as long as stated")
    rows["device"] = (compute.device, True, "")
    free = free_disk_gb()
    rows["free disk (GB)"] = (round(free), free >= NEEDS["quick"][1], "set SENTIMENT_LIB_HOME to a larger disk")
    memory = memory_gb()
    enough = memory is None or memory >= 3.5
    rows["memory (GB)"] = (memory or "unknown", enough, "close other programs; use train_size=2000")
    table = {
        name: (str(value), "✓" if enough else "!", "" if enough else remedy)
        for name, (value, enough, remedy) in rows.items()
    }
    return pd.DataFrame(table, index=["here", "will do", "what to do"]).T


def _version_numbers(version: str) -> tuple[int, ...]:
    parts = version.partition("+")[0].split(".")[:2]
    return tuple(int(part) if part.isdigit() else 0 for part in parts)


def preset_times(seconds: float = 1.5) -> pd.DataFrame:
    """One row per preset: its training time on this machine, what it needs, and whether to use it.

    Times are estimated from a few training steps of the bundled model, at the length of each preset's average review:
    reviews times epochs, divided by reviews per second. They may be off by a third.

    Parameters
    ----------
    seconds : float
        Time to measure for, at each of the two lengths.
    """
    memory = memory_gb()
    free = free_disk_gb()
    speed = {tokens: _reviews_per_second(tokens, seconds) for tokens in {need[2] for need in NEEDS.values()}}
    on_gpu = choose_compute().device != "cpu"
    rows = {}
    for preset in PRESETS:
        needed_memory, needed_disk, tokens, reviews, cost = NEEDS[preset]
        training = reviews * make_settings(preset).epochs * cost / speed[tokens]
        fits = (memory is None or memory >= 0.9 * needed_memory) and free >= needed_disk
        advice = "too little memory or disk" if not fits else _advice(preset, training, on_gpu)
        rows[preset] = {
            "training": _duration(training),
            "whole series": _duration(training * SERIES_PER_TRAINING) if preset == "quick" else "",
            "memory (GB)": needed_memory,
            "hub": "not needed" if preset == "quick" else "needed, or local files",
            "advice": advice,
        }
    return pd.DataFrame(rows).T


def _advice(preset: str, training: float, on_gpu: bool) -> str:
    if preset == "quick":
        return (
            "begin here" if training < 1800 else 'begin here, with run = "small" and overrides = {"train_size": 2000}'
        )
    if training < 4 * 3600:
        return "when you have the time"
    return "overnight" if training < 12 * 3600 else ("a large GPU" if on_gpu else "not without a GPU")


def _duration(seconds: float) -> str:
    if seconds < 90:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 90 * 60 else f"{seconds / 3600:.0f} h"


def _reviews_per_second(tokens: int, seconds: float) -> float:
    """Speed of the bundled model in training steps like those of `fine_tune`, on reviews of `tokens` tokens."""
    import torch

    from ..model.encoder import bfloat16_hidden_states, first_token_only

    compute = choose_compute()
    model, _ = initialize_model_and_tokenizer("bundled", dropout=0.0, compute=compute)
    batch = max(4, 1024 // tokens)
    ids = torch.randint(1000, 20_000, (batch, tokens), device=model.device)
    labels = torch.arange(batch, device=model.device) % 2
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-6, fused=True)
    mixed = compute.precision == "bfloat16"
    autocast = torch.autocast(compute.device, torch.bfloat16) if mixed else nullcontext()
    model.train()
    if compute.device == "cpu":
        keep_freed_memory()  # as fine_tune does
    steps, began = -1, time.perf_counter()
    with first_token_only(model), bfloat16_hidden_states(model):
        while steps < 2 or time.perf_counter() - began < seconds:
            with autocast:
                loss = model(input_ids=ids, attention_mask=torch.ones_like(ids), labels=labels).loss
            loss.backward()
            optimizer.step()
            optimizer.zero_grad()
            steps += 1
            if steps == 0:  # the first step is a warm-up
                began = time.perf_counter()
    return steps * batch / (time.perf_counter() - began)


class HubButton(ipw.HBox):
    """A button that checks whether the hub can be reached. No lesson uses the network until it is pressed."""

    def __init__(self) -> None:
        self._button = ipw.Button(description="Is the hub there?", tooltip="asks the hub once; takes seconds at most")
        self._message = ipw.HTML("<span>Not asked. Only the presets imdb and full need it.</span>")
        self._button.on_click(lambda _: self.ask())
        super().__init__([self._button, self._message])

    def __repr__(self) -> str:
        return "HubButton(press it to ask the hub)"

    def ask(self) -> bool:
        """Show and return whether the hub answers."""
        from ..data.hub import hub_error

        problem = hub_error()
        message = (
            "It answers."
            if problem is None
            else f"No: {problem} The preset quick needs no hub; the others take local files."
        )
        self._message.value = f'<span role="status">{html.escape(message)}</span>'
        return problem is None


def describe_machine() -> pd.DataFrame:
    """One row per fact that decides how fast the lessons run: CPU cores, memory (GB), disk (GB), precision."""
    import torch

    compute = choose_compute()
    facts = {
        "system": f"{platform.system()} {platform.machine()}",
        "processor cores in use": torch.get_num_threads(),
        "memory (GB)": memory_gb() or "unknown",
        "free disk (GB)": round(free_disk_gb()),
        "device": compute.device,
        "arithmetic for training": compute.precision,
        "attention kernel": compute.attention or "as transformers chooses",
    } | {f"version of {name}": number for name, number in versions().items()}
    return pd.DataFrame({"value": {name: str(value) for name, value in facts.items()}})


def free_disk_gb() -> float:
    """Free disk space, in GB, where results are kept."""
    existing = next(path for path in (home(), *home().parents) if path.exists())
    return shutil.disk_usage(existing).free / 1e9


def memory_gb() -> int | None:
    """Memory of this machine in GB, or None if the system does not report it."""
    try:
        return round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 1e9)
    except (AttributeError, ValueError, OSError):
        return None
