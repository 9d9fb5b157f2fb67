"""The answers that a learner has given, kept in a single local file."""

from __future__ import annotations

import json
from collections import Counter
from datetime import datetime
from pathlib import Path

from ..run.paths import home, short_path


def progress_file() -> Path:
    """``results/progress.jsonl``, one line per answer given. Delete it to start again."""
    return home() / "results" / "progress.jsonl"


def note_attempt(name: str, state: str) -> None:
    """Add a line to the file; `state` is "solved" or "wrong". If that fails, print a message and continue."""
    line = json.dumps({"name": name, "state": state, "at": datetime.now().isoformat(timespec="seconds")})
    path = progress_file()
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("a", encoding="utf-8") as file:
            file.write(line + "\n")
    except OSError as error:
        print(f"  (not noted in {short_path(path)}: {error.strerror})")


def answers_given() -> tuple[set[str], Counter[str]]:
    """Names of the solved exercises and questions, and the number of attempts at each. Damaged lines are skipped."""
    solved: set[str] = set()
    attempts: Counter[str] = Counter()
    try:
        lines = progress_file().read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return solved, attempts
    for line in lines:
        try:
            record = json.loads(line)
            name, state = str(record["name"]), record["state"]
        except (ValueError, TypeError, KeyError):
            continue
        attempts[name] += 1
        if state == "solved":
            solved.add(name)
    return solved, attempts
