"""A summary of what the learner has solved and what to try next."""

import pandas as pd

from .attempts import answers_given
from .exercises import exercises
from .quizzes import questions
from .series import lessons


def solved_table() -> pd.DataFrame:
    """One row per lesson: exercises and questions solved, the next one to try, and the number of answers given."""
    solved, attempts = answers_given()
    rows = {}
    for path in lessons():
        lesson = path.name[:2]
        exercise_names = [exercise.name for exercise in exercises(lesson)]
        question_names = [question.name for question in questions(lesson)]
        rows[path.stem] = {
            "exercises": f"{len(solved & set(exercise_names))} of {len(exercise_names)}" if exercise_names else "",
            "questions": f"{len(solved & set(question_names))} of {len(question_names)}" if question_names else "",
            "next": next((name for name in [*question_names, *exercise_names] if name not in solved), "all solved"),
            "answers given": sum(attempts[name] for name in [*exercise_names, *question_names]),
        }
    return pd.DataFrame(rows).T
