"""The course around the lessons: exercises, questions, progress, checks of the machine, series and report.

- :mod:`~sentiment_lib.course.flow`: the diagram at the top of each lesson
- :mod:`~sentiment_lib.course.attempts`: the answers that a learner has given
- :mod:`~sentiment_lib.course.exercises`: exercises that check themselves
- :mod:`~sentiment_lib.course.grading`: the exercises as assignments of nbgrader
- :mod:`~sentiment_lib.course.question_bank`: all quiz questions
- :mod:`~sentiment_lib.course.quizzes`: interactive forms for the questions
- :mod:`~sentiment_lib.course.practice`: short trainings and spoiled data for the learner's own trials
- :mod:`~sentiment_lib.course.machine`: whether this machine is ready and which preset suits it
- :mod:`~sentiment_lib.course.preflight`: what the lessons need from a model and from reviews
- :mod:`~sentiment_lib.course.series`: runs the lessons with papermill
- :mod:`~sentiment_lib.course.learner`: what the learner has solved
- :mod:`~sentiment_lib.course.run_page`: the explorer of a run's model as a page
- :mod:`~sentiment_lib.course.search_index`, :mod:`~sentiment_lib.course.pages`,
  :mod:`~sentiment_lib.course.lesson_page`: what the report and the site have in common
- :mod:`~sentiment_lib.course.report`: the report of a run as HTML pages
- :mod:`~sentiment_lib.course.site`: the course as a site
- :mod:`~sentiment_lib.course.build`: brings the cells of the lessons up to date

What the room offers is listed in ``__init__.pyi``. Names are loaded when they are first used.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
