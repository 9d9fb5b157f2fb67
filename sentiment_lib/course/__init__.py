"""What makes the lessons a course: exercises that check themselves, quiz questions, and what a learner has solved."""

from .exercises import check
from .learner import solved_table
from .quizzes import quiz

__all__ = ["check", "quiz", "solved_table"]
