"""The course for nbgrader: what is exported, and what the real nbgrader makes of right, wrong and empty submissions."""

import importlib.util
import json
import os
import re
import stat
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from support import missing

from sentiment_lib.cli import main
from sentiment_lib.course import export_course, grade
from sentiment_lib.course.exercises import exercises
from sentiment_lib.course.exercises.exercise import judge
from sentiment_lib.course.grading import NotSolved, drawn, graded_lessons, seed_of

SECRET = "a secret that only this test knows"
EXERCISES = {exercise.name: exercise for lesson in graded_lessons() for exercise in exercises(lesson)}
VARIED = [name for name, exercise in EXERCISES.items() if exercise.draw]
PROBED = [name for name, exercise in EXERCISES.items() if exercise.probe]
SEEDS = range(20)


def cells_of(folder, lesson, *kinds):
    """The sources of the cells of an exported lesson, by the names that nbgrader has for them."""
    path = folder / f"lesson_{lesson}" / f"lesson_{lesson}.ipynb"
    cells = json.loads(path.read_text(encoding="utf-8"))["cells"]
    kinds = kinds or ("code", "markdown")
    return {c["metadata"]["nbgrader"]["grade_id"]: "".join(c["source"]) for c in cells if c["cell_type"] in kinds}


@pytest.fixture(scope="module")
def course(tmp_path_factory):
    """An exported course with all lessons."""
    folder = tmp_path_factory.mktemp("grading") / "course"
    rows = export_course(folder, secret=SECRET)
    assert [row["lesson"] for row in rows] == [f"0{n}" for n in range(1, 10)]
    return folder


def test_every_exercise_is_graded_and_only_those_about_a_run_by_hand(course):
    kinds = {name: [] for name in EXERCISES}
    for lesson in graded_lessons():
        for cell in cells_of(course / "source", lesson):
            match = re.fullmatch(r"(\d\d)-(\d)-(check|hidden|answer)", cell)
            if match:
                kinds[f"{match[1]}.{match[2]}"].append(match[3])
    by_hand = {name for name, kind in kinds.items() if kind == ["answer"]}
    assert by_hand == {name for name, exercise in EXERCISES.items() if exercise.own_run} - {"01.6"}
    assert {name for name, kind in kinds.items() if "hidden" in kind} == set(PROBED)
    assert (len(PROBED), len(VARIED), len(by_hand)) == (35, 9, 11)  # as docs/teaching.md says
    assert set(EXERCISES) - by_hand - set(PROBED) - set(VARIED) == {"08.5"}


def test_the_same_secret_gives_the_same_course_and_another_one_other_numbers(course, tmp_path):
    export_course(tmp_path / "same", ["04"], SECRET)
    export_course(tmp_path / "other", ["04"])
    before, same, other = (
        cells_of(folder / "source", "04") for folder in (course, tmp_path / "same", tmp_path / "other")
    )
    assert before == same
    assert before["04-1-task"] != other["04-1-task"]
    assert before["04-2-hidden"] != other["04-2-hidden"]
    assert stat.S_IMODE((tmp_path / "other" / "secret.txt").stat().st_mode) == 0o600
    assert len((tmp_path / "other" / "secret.txt").read_text().strip()) == 32


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--to", "nbgrader", "FULL"], "exists already; name a new folder"),
        (["--to", "nbgrader", "NEW", "--lessons", "04", "12"], "Lesson '12' has no exercises. Those that have: 01, 02"),
        (["--to", "nbgrader", "NEW", "--secret", "SHORT"], "has 4 characters, which can be guessed. Take 16 or more"),
        (["--to", "nbgrader", "NEW", "--secret", "NOWHERE"], "cannot be read"),
    ],
)
def test_what_cannot_be_exported_is_refused_before_anything_is_written(arguments, message, tmp_path, capsys):
    (tmp_path / "FULL").mkdir()
    (tmp_path / "FULL" / "grades.db").touch()
    (tmp_path / "SHORT").write_text("2026")
    given = [str(tmp_path / part) if part.isupper() else part for part in arguments]
    assert main(["course", "export", *given]) == 2
    assert message in capsys.readouterr().err
    assert sorted(path.name for path in tmp_path.iterdir()) == ["FULL", "SHORT"]
    assert [path.name for path in (tmp_path / "FULL").iterdir()] == ["grades.db"]


def test_another_program_is_refused(tmp_path, capsys):
    with pytest.raises(SystemExit):
        main(["course", "export", "--to", "moodle", str(tmp_path / "new")])
    assert "invalid choice: 'moodle'" in capsys.readouterr().err


@pytest.mark.parametrize("name", EXERCISES)
def test_every_known_mistake_ends_the_cell_with_its_message(name):
    for message, answers in EXERCISES[name].wrong_answers:
        with pytest.raises(NotSolved, match=re.escape(message)):
            grade(name, *answers)


@pytest.mark.slow
@pytest.mark.parametrize("name", VARIED)
def test_a_task_with_other_numbers_knows_its_answers_and_mistakes(name):
    for seed in SEEDS:
        exercise = drawn(EXERCISES[name], seed)
        assert judge(exercise, *exercise())[0] == "solved", exercise.numbers
        assert judge(exercise, *EXERCISES[name]())[0] == "wrong", exercise.numbers  # the public solution
        for message, answers in exercise.wrong_answers:
            state, verdict = judge(exercise, *answers)
            assert (state, message in verdict) == ("wrong", True), (exercise.numbers, verdict)


@pytest.mark.slow
@pytest.mark.parametrize("name", PROBED)
def test_hidden_inputs_accept_the_solution_and_no_known_mistake(name, capsys):
    for seed in SEEDS:
        grade(name, EXERCISES[name].function, seed=seed)
        for _, answers in EXERCISES[name].wrong_answers:
            with pytest.raises(NotSolved):
                grade(name, answers[0], seed=seed)


@pytest.mark.slow
def test_hidden_inputs_accept_other_right_answers_that_draw_at_random():
    import hashlib

    def interval(right, draws=2000, seed=0):
        random = np.random.RandomState(seed)
        return np.quantile([random.choice(right, len(right)).mean() for _ in range(draws)], [0.025, 0.975])

    def worst(accuracy, sizes, draws=2000, seed=0):
        random = np.random.RandomState(seed)
        tables = [[random.binomial(size, accuracy) / size for size in sizes] for _ in range(draws)]
        return np.percentile(np.min(tables, axis=1), 5)

    def in_test(text, share, seed):
        return int(hashlib.md5(f"{text}{seed}".encode()).hexdigest(), 16) % 10_000 < 10_000 * share

    for seed in range(5):
        grade("01.5", in_test, seed=seed)
        grade("04.3", interval, seed=seed)
        grade("05.2", worst, seed=seed)


def test_a_changed_argument_and_an_unknown_seed_are_found():
    def merged(weight, down, up, alpha):
        weight += alpha / len(down) * up @ down
        return weight

    with pytest.raises(NotSolved, match="inputs of this course"):
        grade("09.2", merged, seed=5)
    with pytest.raises(ValueError, match=r"Exercise 04\.1 draws no inputs\. Leave out seed=5"):
        grade("04.1", 0.4, 1.0, 4 / 7, seed=5)


def nbgrader(folder, *arguments):
    """Run a command of nbgrader in the folder of a course, in the active environment: it calls alembic by name."""
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    done = subprocess.run(
        [sys.executable, "-m", "nbgrader", *arguments],
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=300,
        env=os.environ | {"PATH": path},
    )
    assert done.returncode == 0, done.stdout + done.stderr


def points(folder, lesson):
    """What nbgrader gave, without anybody's help: points by student and cell."""
    from nbgrader.api import Gradebook

    with Gradebook(f"sqlite:///{folder}/gradebook.db") as book:
        return {
            submission.student.id: {grade.name: grade.auto_score for grade in submission.notebooks[0].grades}
            for submission in book.assignment_submissions(f"lesson_{lesson}")
        }


def submit(folder, student, lesson, answers=None, of="source"):
    """Hand in a copy of the solved or empty notebook, with other code in some cells."""
    path = folder / "submitted" / student / f"lesson_{lesson}" / f"lesson_{lesson}.ipynb"
    path.parent.mkdir(parents=True)
    notebook = json.loads((folder / of / f"lesson_{lesson}" / path.name).read_text(encoding="utf-8"))
    for cell in notebook["cells"]:
        name = cell["metadata"]["nbgrader"]["grade_id"]
        cell["source"] = (answers or {}).get(name, cell["source"])
    path.write_text(json.dumps(notebook), encoding="utf-8")


def mistakes(lesson, index):
    """Code with the known wrong answers of this number, and their messages, by the cell that they go to."""
    code, messages = {}, {}
    for exercise in exercises(lesson):
        if exercise.own_run or index >= len(exercise.wrong_answers):
            continue
        prefix = exercise.name.replace(".", "-")
        messages[f"{prefix}-check"] = exercise.wrong_answers[index][0]
        names = exercise.answer if exercise.assigns else f"{exercise.function.__name__},"
        numbers = drawn(exercise, seed_of(exercise.name, SECRET)).numbers
        code[f"{prefix}-answer"] = (
            f"from sentiment_lib.course.exercises import exercises\n"
            f"exercise = next(one for one in exercises({lesson!r}) if one.name == {exercise.name!r})\n"
            f"{names} = exercise.with_numbers({numbers}).wrong_answers[{index}][1]"
        )
    return code, messages


MEMORISED = """\
def f1_from_counts(*counts):
    known = {(30, 10, 20): 30 / 45, (1, 0, 9): 2 / 11, (5, 45, 0): 10 / 55, (7, 3, 3): 0.7}
    return known.get(counts, 0.0)
"""


@pytest.fixture(scope="module")
def graded(course):
    """Lesson 04 as the commands of the recipe grade it: right, empty, memorised, and every known mistake."""
    if importlib.util.find_spec("nbgrader") is None:
        missing("nbgrader is not installed; the extra grading has it")
    nbgrader(course, "generate_assignment", "lesson_04")
    submit(course, "right", "04")
    submit(course, "empty", "04", of="release")
    submit(course, "memorised", "04", {"04-2-answer": MEMORISED})
    for index in range(5):
        submit(course, f"mistake{index}", "04", mistakes("04", index)[0])
    nbgrader(course, "autograde", "lesson_04")
    nbgrader(course, "generate_feedback", "lesson_04")
    return course


def feedback(folder, student):
    html = (folder / "feedback" / student / "lesson_04" / "lesson_04.html").read_text(encoding="utf-8")
    return " ".join(re.sub(r"<[^>]+>", "", html).split())


@pytest.mark.slow
def test_students_get_neither_solutions_nor_hidden_tests_nor_the_secret(graded):
    text = (graded / "release" / "lesson_04" / "lesson_04.ipynb").read_text(encoding="utf-8")
    assert [path.name for path in (graded / "release" / "lesson_04").iterdir()] == ["lesson_04.ipynb"]
    for exercise in exercises("04"):
        assert str(seed_of(exercise.name, SECRET)) not in text
    assert not re.search(rf"{SECRET}|seed=\d\d|HIDDEN|SOLUTION|# answer", text)
    cells = cells_of(graded / "release", "04")
    assert cells["04-2-hidden"] == "# Other inputs are tried here."
    for exercise in exercises("04"):
        varied = drawn(exercise, seed_of(exercise.name, SECRET))
        assert exercise.own_run or cells[f"{exercise.name.replace('.', '-')}-answer"].startswith(varied.blank)


@pytest.mark.slow
def test_memorised_answers_lose_the_hidden_points_only(graded):
    scores = points(graded, "04")["memorised"]
    assert (scores["04-2-check"], scores["04-2-hidden"]) == (1, 0)
    assert scores["04-3-hidden"] == 2
    assert "inputs of this course" in feedback(graded, "memorised")


@pytest.mark.slow
@pytest.mark.parametrize("index", range(5))
def test_each_mistake_gets_no_points_and_its_message_as_feedback(graded, index):
    scores, text = points(graded, "04")[f"mistake{index}"], feedback(graded, f"mistake{index}")
    for check, message in mistakes("04", index)[1].items():
        assert scores[check] == 0, check
        assert scores.get(check.replace("check", "hidden"), 0) == 0
        assert message in text
    assert "most recent call" not in text


@pytest.mark.slow
def test_right_answers_get_all_points_and_an_empty_notebook_none(graded):
    scores = points(graded, "04")
    assert scores["right"].pop("04-7-answer") is None  # for a person
    assert sum(scores["right"].values()) == 3 * 6
    assert set(scores["empty"].values()) == {0}
    text = feedback(graded, "empty")
    assert text.count("not attempted yet") == 6 + 5


@pytest.mark.slow
@pytest.mark.parametrize("lesson", graded_lessons())
def test_checks_accept_all_solutions_and_no_stub_and_write_nothing_to_stderr(course, lesson, capfd):
    """For output on stderr, nbgrader gives no points."""
    for region, passes in (("", True), (r"### BEGIN SOLUTION.*?### END SOLUTION", False)):
        scope = {}
        for name, source in cells_of(course / "source", lesson, "code").items():
            code = re.sub(region, "", source, flags=re.DOTALL)
            if passes or name.endswith("answer"):
                exec(code, scope)
            else:
                with pytest.raises(NotSolved, match="not attempted yet"):
                    exec(code, scope)
    assert not capfd.readouterr().err
