"""What a learner has tried and solved, kept in one file of their own and nowhere else."""

from __future__ import annotations

import json
from collections import Counter
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

from ..run.paths import home, short_path

if TYPE_CHECKING:
    import pandas as pd


def progress_file() -> Path:
    """``results/progress.jsonl``: a line for every answer given. Delete it to begin anew."""
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


def answers_given() -> tuple[set[str], Counter]:
    """Names of what is solved, and how often each was tried. Lines that are no notes are passed over."""
    solved, tried = set(), Counter()
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


def solved_table() -> pd.DataFrame:
    """A row a lesson: exercises and questions solved, the next one to try, and how often one was tried."""
    import pandas as pd

    from .exercises import exercises
    from .quizzes import questions
    from .series import lessons

    solved, tried = answers_given()
    rows = {}
    for path in lessons():
        lesson = path.name[:2]
        names = [one.name for one in exercises(lesson)]
        asked = [one.name for one in questions(lesson)]
        rows[path.stem] = {
            "exercises": f"{len(solved & set(names))} of {len(names)}" if names else "",
            "questions": f"{len(solved & set(asked))} of {len(asked)}" if asked else "",
            "next": next((name for name in [*asked, *names] if name not in solved), "all solved"),
            "answers given": sum(tried[name] for name in [*names, *asked]),
        }
    return pd.DataFrame(rows).T
