"""What a learner has solved, and what to try next."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .attempts import answers_given
from .exercises import exercises
from .quizzes import questions
from .series import lessons

if TYPE_CHECKING:
    import pandas as pd


def solved_table() -> pd.DataFrame:
    """One row per lesson: exercises and questions solved, the next to try, and the number of answers given."""
    import pandas as pd

    solved, tried = answers_given()
    rows = {}
    for path in lessons():
        lesson = path.name[:2]
        tasks = [exercise.name for exercise in exercises(lesson)]
        asked = [question.name for question in questions(lesson)]
        rows[path.stem] = {
            "exercises": f"{len(solved & set(tasks))} of {len(tasks)}" if tasks else "",
            "questions": f"{len(solved & set(asked))} of {len(asked)}" if asked else "",
            "next": next((name for name in [*asked, *tasks] if name not in solved), "all solved"),
            "answers given": sum(tried[name] for name in [*tasks, *asked]),
        }
    return pd.DataFrame(rows).T
