"""What makes the lessons a course.

Exercises that check themselves, questions, the learner's progress, the check of the machine, the series under
papermill and the report of a run.

- :mod:`~sentiment_lib.course.flow`: the diagram at the head of each lesson
- :mod:`~sentiment_lib.course.attempts`: the answers that a learner has given
- :mod:`~sentiment_lib.course.exercises`: exercises that check themselves
- :mod:`~sentiment_lib.course.question_bank`: all quiz questions
- :mod:`~sentiment_lib.course.quizzes`: forms for the questions
- :mod:`~sentiment_lib.course.speed`: what makes training fast
- :mod:`~sentiment_lib.course.machine`: whether this machine is ready
- :mod:`~sentiment_lib.course.series`: the lessons under papermill
- :mod:`~sentiment_lib.course.learner`: what a learner has solved
- :mod:`~sentiment_lib.course.report`: a run as pages
- :mod:`~sentiment_lib.course.build`: brings the cells of the lessons up to date

What the room offers is listed in ``__init__.pyi``. Names are loaded when they are first used.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
