"""Exercises, questions and diagrams of the lessons, with right and wrong answers as a learner might give them."""

import copy
import json
import re
import subprocess
import sys
from types import SimpleNamespace

import nbformat
import numpy as np
import pytest

from sentiment_lib.course import check, quiz, solved_table
from sentiment_lib.course.attempts import progress_file
from sentiment_lib.course.build import course_cells, main, refreshed
from sentiment_lib.course.exercises import exercises, judge
from sentiment_lib.course.exercises.checking import refers_to
from sentiment_lib.course.quizzes import questions
from sentiment_lib.course.series import lessons
from sentiment_lib.settings import make_settings

NOTEBOOKS = {path.name[:2]: nbformat.read(path, as_version=4) for path in lessons()}
EXERCISES = {exercise.name: exercise for lesson in NOTEBOOKS for exercise in exercises(lesson)}
QUESTIONS = {question.name: question for lesson in NOTEBOOKS for question in questions(lesson)}
WRONG = [(name, i) for name, exercise in EXERCISES.items() for i in range(len(exercise.wrong_answers))]
every_exercise = pytest.mark.parametrize("name", EXERCISES)
every_question = pytest.mark.parametrize("name", QUESTIONS)


def cell(name, part):
    """The source of a generated cell in its lesson."""
    (match,) = [c for c in NOTEBOOKS[name[:2]].cells if c.metadata.get("course") == f"{name} {part}"]
    return match.source


def test_number_and_levels_of_exercises_and_questions():
    assert len(EXERCISES) >= 56
    assert len(QUESTIONS) >= 30
    for lesson in NOTEBOOKS:
        assert len(questions(lesson)) >= 3
        levels = [exercise.level for exercise in exercises(lesson)]
        assert lesson == "00" or len(levels) >= 4
        assert lesson == "00" or (levels[0] == "predict" and {"write", "investigate"} & set(levels[-1:]))
    assert sum(question.multiple for question in QUESTIONS.values()) >= 5


def test_the_generated_cells_of_the_lessons_are_up_to_date():
    for path in lessons():
        notebook = json.loads(path.read_text(encoding="utf-8"))
        assert refreshed(copy.deepcopy(notebook["cells"]), path.name[:2]) == notebook["cells"], path.name
        keys = [c["metadata"]["course"] for c in notebook["cells"] if "course" in c["metadata"]]
        assert sorted(keys) == sorted(course_cells(path.name[:2]))
        names = [key.split()[0] for key in keys]
        for kind in (r"\d\d\.\d", r"\d\d\.[a-z]"):
            in_order = [name for name in names if re.fullmatch(kind, name)]
            assert in_order == sorted(in_order)


def test_building_again_changes_nothing(tmp_path):
    for path in lessons():
        (tmp_path / path.name).write_bytes(path.read_bytes())
    main(tmp_path)
    for path in lessons():
        assert (tmp_path / path.name).read_bytes() == path.read_bytes()
        image = f"flow_{path.name[:2]}.svg"
        assert (tmp_path / "images" / image).read_bytes() == (path.parent / "images" / image).read_bytes()


@pytest.fixture(scope="module")
def lesson_variables(tiny_checkpoint, tiny, bundled):
    """What the cells of exercises may use of their lessons, with a tiny model."""
    import torch
    from transformers import AutoModel

    from sentiment_lib.data import prepare

    settings = make_settings("quick", run="exercises", model=str(tiny_checkpoint), learning_rate=3e-3)
    dataset, _ = prepare(settings)
    variables = {"settings": settings, "dataset": dataset, "torch": torch, "tokenizer": tiny[1]}
    variables |= {name: dataset[name].to_pandas() for name in ("train", "validation")}
    variables["body"] = AutoModel.from_pretrained(tiny_checkpoint).eval()
    imports = "import numpy as np\nfrom sklearn.linear_model import LogisticRegression\n"
    exec(f"{imports}from sklearn.pipeline import make_pipeline", variables)
    for source in (c.source for c in NOTEBOOKS["02"].cells if c.id in ("02-vectors", "02-probe")):
        exec(source, variables)
    batch = bundled[1](dataset["train"]["text"][:16], padding=True, return_tensors="pt")
    batch["labels"] = torch.tensor(dataset["train"]["label"][:16])
    draw = np.random.default_rng(0)
    labels = draw.integers(0, 2, 400)
    variables |= {"validation_labels": labels, "validation_probabilities": draw.beta(2 + 6 * labels, 8 - 6 * labels)}
    variables["classifier"] = TakesNegationsForBlame()
    variables |= of_lessons_06_to_09(settings, dataset, tiny)
    return variables | {"fresh_model": lambda: copy.deepcopy(bundled[0]), "batches": [batch]}


def of_lessons_06_to_09(settings, dataset, tiny):
    """What the exercises of these lessons use, small or invented."""
    from sentiment_lib import Classifier
    from sentiment_lib.attention import moved_norms
    from sentiment_lib.data import published_results
    from sentiment_lib.evaluation import negation_pairs
    from sentiment_lib.experiments import repair_set, train_further

    model, tokenizer = tiny
    draw = np.random.default_rng(1)
    maps, norms = moved_norms("a wonderful and a dreadful film", model, tokenizer)
    variables = {"maps": maps, "norms": norms, "model": model, "each": draw.normal(size=(2, 6))}
    variables |= {"negation_pairs": negation_pairs, "both_ways": lambda table: [table, table]}
    variables["patch_heads"] = lambda *_: SimpleNamespace(recovered=draw.normal(size=(2, 6)))
    variables |= {
        "repair_set": repair_set,
        "train_further": train_further,
        "negation": {"plan": {"learning_rate": 1e-3, "epochs": 0.2}},
    }
    variables["trained_model"] = lambda *_: (copy.deepcopy(model), tokenizer)
    variables["repaired"] = {"negated": Classifier(model, tokenizer, settings.encoding)}
    return variables | {"metrics": {"test": {"examples": 1902}}, "published": published_results()}


class TakesNegationsForBlame:
    """A classifier with the shortcut of lesson 05."""

    def predict(self, texts):
        return np.array([0.1 if re.search(r"\b(?:not|nothing)\b", text.lower()) else 0.9 for text in texts])


def variables_of(name, request):
    """The names that the cell of an exercise finds when it runs."""
    own_run = EXERCISES[name].own_run
    return {"check": check} | (request.getfixturevalue("lesson_variables") if own_run else {})


@every_exercise
def test_the_stub_runs_and_reports_that_it_is_not_attempted(name, home, capsys, request):
    source = cell(name, "stub")
    assert len(source.splitlines()) <= 20
    exec(source, variables_of(name, request))
    assert capsys.readouterr().out.startswith(f"○ Exercise {name}: not attempted yet.")
    assert not progress_file().exists()


@every_exercise
def test_the_solution_in_the_lesson_passes(name, home, capsys, request):
    text = cell(name, "help")
    assert text.count("<details>") == 3
    assert text.count("<summary>Hint") == 2
    (solution,) = re.findall(r"```python\n(.*?)\n```", text.split("<summary>Solution")[1], re.DOTALL)
    assert "# answer" not in solution
    call = cell(name, "stub").splitlines()[-1]
    exec(f"{solution}\n{call}", variables_of(name, request))
    assert capsys.readouterr().out.startswith(f"✓ Exercise {name}: right.")
    assert json.loads(progress_file().read_text())["state"] == "solved"


@pytest.mark.parametrize(("name", "index"), WRONG, ids=[f"{name}-{i}" for name, i in WRONG])
def test_a_wrong_answer_gets_its_own_hint_only(name, index):
    exercise = EXERCISES[name]
    hint, answers = exercise.wrong_answers[index]
    state, verdict = judge(exercise, *answers)
    assert state == "wrong"
    assert hint in verdict
    others = [other for i, (other, _) in enumerate(exercise.wrong_answers) if i != index]
    assert others
    assert all(other not in verdict for other in others), verdict


@every_exercise
def test_answers_of_unexpected_types_are_wrong_without_a_traceback(name):
    exercise = EXERCISES[name]
    count = len(exercise.answer.split(",")) if not exercise.call else len(exercise.wrong_answers[0][1])
    for unexpected in (
        *([] if exercise.call else [None]),
        "seven",
        [],
        float("nan"),
        lambda *given: "seven",
        lambda: None,
    ):
        state, verdict = judge(exercise, *[unexpected] * count)
        assert state == "wrong"
        assert "Traceback" not in verdict


def test_use_of_pythons_hash_is_found_in_helper_functions_without_patching_it():
    def number(text):
        return [hash(part) for part in text]

    def in_test(text, share, seed):
        return sum(map(number, text)) % 100 < 100 * share

    def digest(text, share, seed):
        return text.hash(digest) + seed

    original = hash
    assert refers_to(in_test, hash)
    assert not refers_to(digest, hash)
    assert "Python's hash() of a text" in judge(EXERCISES["01.5"], in_test)[1]
    assert hash is original


def test_the_verdict_names_a_missing_return_and_an_exception():
    def no_return(tp, fp, fn):
        2 * tp / (2 * tp + fp + fn + 1e-9)

    def divides(tp, fp, fn):
        return tp / 0

    assert "Does it end with return?" in judge(EXERCISES["04.2"], no_return)[1]
    verdict = judge(EXERCISES["04.2"], divides)[1]
    assert "ZeroDivisionError: division by zero. It was called with (30, 10, 20)" in verdict


def test_unknown_names_are_refused():
    with pytest.raises(ValueError, match=r"no exercise '04.99'; there are 04.1, 04.2"):
        check("04.99", 1)
    with pytest.raises(ValueError, match=r"no question '11.a'"):
        quiz("11.a")


@every_question
def test_every_option_of_a_question_and_its_reason_are_in_the_markdown(name):
    question = QUESTIONS[name]
    assert 3 <= len(question.options) <= 5
    assert {right for _, right, _ in question.options} == {True, False}
    text = cell(name, "question")
    assert text.startswith(f"**Question {name}.** ")
    for option, _, reason in question.options:
        assert len(reason.split()) >= 4
        assert option.removesuffix(".") in text
        assert reason in text


@every_question
def test_a_form_grades_every_choice(name, home):
    options = QUESTIONS[name].options
    right = [i for i, (_, good, _) in enumerate(options) if good]
    form = quiz(name)
    form.answer()
    assert form.answered == ""
    assert "Choose first" in form._feedback.value
    for i, (_, good, _) in enumerate(options):
        form.chosen = [i]
        form.answer()
        assert form.answered == ("solved" if right == [i] else "wrong")
        assert ("✓" if good else "✗") in form._feedback.value
        if form.answered == "wrong":  # other options are not revealed
            assert form._feedback.value.count("<i>") == 1
    form.chosen = right
    form.answer()
    assert form.answered == "solved"
    assert form._feedback.value.count("<i>") == len(options)
    states = [json.loads(line)["state"] for line in progress_file().read_text().splitlines()]
    assert states[-1] == "solved"


def test_the_widgets_of_a_form_set_the_chosen_options():
    single = next(question for question in QUESTIONS.values() if not question.multiple)
    form = quiz(single.name)
    form._radio.value = 1
    assert form.chosen == [1]
    multiple = next(question for question in QUESTIONS.values() if question.multiple)
    form = quiz(multiple.name)
    form._boxes[0].value = form._boxes[2].value = True
    assert form.chosen == [0, 2]


def test_progress_is_kept_in_one_file_and_damaged_lines_are_skipped(home, capsys):
    check("04.1", 1.0, 0.4, 0.5)
    check("04.1", 0.4, 1.0, 0.8 / 1.4)
    with progress_file().open("a", encoding="utf-8") as file:
        file.write('{"name": "04.2", "sta\nnonsense\n[1]\n\x00\n')
    form = quiz("04.a")
    form.chosen = [1]
    form.answer()
    row = solved_table().loc["04_measure"]
    assert row["exercises"] == f"1 of {len(exercises('04'))}"
    assert row["questions"] == "1 of 3"
    assert row["next"] == "04.b"
    assert row["answers given"] == 3
    assert [path.name for path in (home / "results").iterdir()] == ["progress.jsonl"]
    text = capsys.readouterr().out
    assert "✗ Exercise 04.1" in text
    assert "✓ Exercise 04.1" in text


def test_an_answer_is_graded_even_if_it_cannot_be_recorded(home, capsys):
    (home / "results").write_text("a file in the way")
    check("04.1", 0.4, 1.0, 0.8 / 1.4)
    printed = capsys.readouterr().out
    assert printed.startswith("✓")
    assert "not noted in" in printed


def test_checking_numbers_does_not_import_torch():
    code = (
        "import sys; from sentiment_lib.course import check; check('04.1', 0.4, 1.0, 4 / 7); "
        "sys.exit('torch' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert "✓" in done.stdout
    assert done.returncode == 0, "torch was imported"


def test_checks_of_the_environment_and_advice_on_presets():
    from sentiment_lib.course.machine import HubButton, check_environment, preset_times

    table = check_environment()
    assert {"python", "torch", "threads", "bfloat16", "free disk (GB)", "memory (GB)"} <= set(table.index)
    assert set(table["will do"]) <= {"✓", "!"}
    times = preset_times(seconds=0.2)
    assert list(times.index) == ["quick", "imdb", "full"]
    assert re.fullmatch(r"\d+ (s|min|h)", times.loc["quick", "training"])
    assert times.loc["quick", "advice"].startswith("begin here")
    assert "Not asked" in HubButton()._message.value


def test_the_hub_is_asked_only_when_the_button_is_pressed(monkeypatch):
    from sentiment_lib.course.machine import HubButton
    from sentiment_lib.data import hub

    asked = []
    monkeypatch.setattr(hub, "hub_error", lambda: asked.append(1) or "the hub <b>is</b> not there.")
    button = HubButton()
    assert not asked
    button._button.click()
    assert asked == [1]
    assert "&lt;b&gt;" in button._message.value
    monkeypatch.setattr(hub, "hub_error", lambda: None)
    assert button.ask() is True
    assert "It answers" in button._message.value


def test_remedies_and_advice_for_a_small_machine(monkeypatch):
    from sentiment_lib.course import machine

    monkeypatch.setattr(machine, "memory_gb", lambda: 2)
    monkeypatch.setattr(machine, "versions", lambda: {**dict.fromkeys(machine.LOWEST, "1.0")})
    table = machine.check_environment()
    assert table.loc["torch", "will do"] == "!"
    lowest = ".".join(map(str, machine.LOWEST["torch"]))
    assert f"install {lowest} or newer" in table.loc["torch", "what to do"]
    assert "train_size" in table.loc["memory (GB)", "what to do"]
    monkeypatch.setattr(machine, "_reviews_per_second", lambda tokens, seconds: 5.0)
    times = machine.preset_times()
    assert set(times["advice"]) == {"too little memory or disk"}
    monkeypatch.setattr(machine, "memory_gb", lambda: 64)
    times = machine.preset_times()
    assert "train_size" in times.loc["quick", "advice"]
    assert times.loc["full", "advice"] in ("not without a GPU", "a large GPU")
    monkeypatch.setattr(machine, "memory_gb", lambda: None)
    assert machine.check_environment().loc["memory (GB)"].tolist() == ["unknown", "✓", ""]
    assert machine.describe_machine().loc["memory (GB)", "value"] == "unknown"


@pytest.mark.parametrize(
    ("changes", "message"),
    [({"learning_rat": 1.0}, "Did you mean 'learning_rate'"), ({"size": 4000}, "is more than 6,000 reviews")],
)
def test_a_brief_training_refuses_what_it_cannot_do_before_it_begins(changes, message):
    from sentiment_lib.course import train_briefly
    from sentiment_lib.settings import make_settings

    with pytest.raises(ValueError, match=message):
        train_briefly(make_settings("quick"), {}, **changes)
