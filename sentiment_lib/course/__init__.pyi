from .exercises import check
from .learner import solved_table
from .machine import HubButton, check_environment, describe_machine, preset_times
from .quizzes import quiz
from .report import write_report
from .series import LessonRun, lessons, run_series
from .speed import measure_all, reviews_per_second

__all__ = [
    "HubButton",
    "LessonRun",
    "check",
    "check_environment",
    "describe_machine",
    "lessons",
    "measure_all",
    "preset_times",
    "quiz",
    "reviews_per_second",
    "run_series",
    "solved_table",
    "write_report",
]
