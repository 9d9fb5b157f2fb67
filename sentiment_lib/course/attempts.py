"""The answers that a learner has given, kept in one file of their own and nowhere else."""

from __future__ import annotations

import json
from collections import Counter
from datetime import datetime
from pathlib import Path

from ..run.paths import home, short_path


def progress_file() -> Path:
    """``results/progress.jsonl``: a line for every answer given. Delete it to start again."""
    return home() / "results" / "progress.jsonl"


def note_attempt(name: str, state: str) -> None:
    """Add a line; `state` is "solved" or "wrong". Where nothing can be written, say so and go on."""
    line = json.dumps({"name": name, "state": state, "at": datetime.now().isoformat(timespec="seconds")})
    path = progress_file()
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("a", encoding="utf-8") as file:
            file.write(line + "\n")
    except OSError as error:
        print(f"  (not noted in {short_path(path)}: {error.strerror})")


def answers_given() -> tuple[set[str], Counter[str]]:
    """Names of what is solved, and how often each was tried. Damaged lines are skipped."""
    solved: set[str] = set()
    tried: Counter[str] = Counter()
    try:
        lines = progress_file().read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return solved, tried
    for line in lines:
        try:
            note = json.loads(line)
            name, state = str(note["name"]), note["state"]
        except (ValueError, TypeError, KeyError):
            continue
        tried[name] += 1
        if state == "solved":
            solved.add(name)
    return solved, tried
