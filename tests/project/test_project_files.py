"""The files around the code agree with each other, and the ways in that the README names work."""

import importlib
import json
import re
import runpy
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import nbformat
import pytest
import yaml
from support import CHECKOUT, missing
from support.killing import KILLS
from support.version_bounds import lowest, requirements

import sentiment_lib

PROJECT = tomllib.loads((CHECKOUT / "pyproject.toml").read_text())["project"]


def canonical(name):
    return re.sub(r"[-_.]+", "-", name).lower()


def constraints():
    lines = (CHECKOUT / "constraints.txt").read_text().splitlines()
    pins = [line.split("==") for line in lines if line and not line.startswith("#")]
    return {canonical(name): version for name, version in pins}


def environment():
    return yaml.safe_load((CHECKOUT / "environment.yml").read_text())


def test_constraints_pin_every_dependency_within_its_range():
    pins = constraints()
    assert pins["torch"] == "2.13.0"
    for requirement in requirements(CHECKOUT, "test", "bench"):
        if requirement.name != "pip":  # which cannot replace itself while it installs
            assert requirement.specifier.contains(pins[canonical(requirement.name)]), requirement
    lines = [line for line in (CHECKOUT / "constraints.txt").read_text().splitlines() if line and line[0] != "#"]
    assert len(lines) == len(pins)
    assert lines == sorted(lines, key=lambda line: line.partition("==")[0].lower())


def test_what_runs_here_is_what_is_pinned():
    from importlib.metadata import version

    for name in sorted({requirement.name for requirement in requirements(CHECKOUT)} - {"pip"}):
        if version(name).partition("+")[0] != constraints()[canonical(name)]:
            pytest.skip(f"{name} {version(name)} is installed, not the pinned {constraints()[canonical(name)]}")


def test_environment_yml_is_in_step_with_pyproject():
    conda = environment()
    assert conda["channels"] == ["conda-forge", "nodefaults"]
    packages = [entry for entry in conda["dependencies"] if isinstance(entry, str)]
    assert packages == ["python=3.11", "pip"]  # one list of dependencies: pyproject.toml
    assert conda["dependencies"][-1]["pip"] == ["-c constraints.txt", "-e .[lessons]"]
    lowest = PROJECT["requires-python"].removeprefix(">=")
    assert f"python={lowest}" in packages


@pytest.mark.slow
def test_the_pip_section_of_environment_yml_installs(tmp_path):
    """As conda does it: the pip section becomes a requirements file beside environment.yml.

    pip says what it would install; ``make soak`` installs it, and imports it.
    """
    checkout = tmp_path / "checkout"
    left_out = (".venv", ".git", "results", "node_modules", "snippets", ".*_cache", "__pycache__")
    shutil.copytree(CHECKOUT, checkout, ignore=shutil.ignore_patterns(*left_out))
    requirements = checkout / "condaenv.requirements.txt"
    requirements.write_text("\n".join(environment()["dependencies"][-1]["pip"]) + "\n")

    def pip(python, *options):
        command = [python, "-m", "pip", "install", "--quiet", *options, "-r", requirements.name]
        done = subprocess.run(command, cwd=checkout, capture_output=True, text=True)
        if done.returncode and "No matching distribution" in done.stderr + done.stdout:
            missing("pip reaches no package index")
        assert done.returncode == 0, done.stderr[-2000:]

    report = tmp_path / "report.json"
    pip(sys.executable, "--dry-run", "--ignore-installed", "--report", report)
    found = {canonical(one["metadata"]["name"]): one for one in json.loads(report.read_text())["install"]}
    assert found["sentiment-lib"]["download_info"]["url"] == checkout.as_uri()
    assert found["torch"]["metadata"]["version"].startswith("2.13.0")
    assert {"papermill", "jupyterlab"} <= set(found)
    assert not {"playwright", "pytest", "distributed"} & set(found)
    if KILLS <= 2:
        return
    subprocess.run([sys.executable, "-m", "venv", tmp_path / "env"], check=True)
    python = tmp_path / "env" / "bin" / "python"
    pip(python)
    code = "import sentiment_lib, torch, transformers, papermill; print(sentiment_lib.__file__, torch.__version__)"
    said = subprocess.run([python, "-c", code], capture_output=True, text=True, check=True, cwd=tmp_path).stdout.split()
    assert Path(said[0]).is_relative_to(checkout)
    assert said[1].startswith("2.13.0")
    subprocess.run([python, "-m", "pip", "check"], check=True, capture_output=True)


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no make")
@pytest.mark.parametrize("target", ["run", "lab", "check", "test", "notebooks"])
def test_make_targets_of_the_documents_exist(target):
    assert any(f"make {target}" in (CHECKOUT / name).read_text() for name in ("README.md", "CONTRIBUTING.md"))
    done = subprocess.run(["make", "-n", target], cwd=CHECKOUT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def test_the_readme_shows_the_table_that_was_made_from_the_records():
    results = (CHECKOUT / "benchmarks" / "RESULTS.md").read_text()
    (table,) = re.findall(r"## Beside simpler methods\n\n((?:\|.*\n)+)", results)
    assert table in (CHECKOUT / "README.md").read_text()


def test_readme_and_lesson_00_give_the_same_times():
    def times(text):
        return dict(re.findall(r"^\| \[(\d\d) [^|]*\|.*\| ([^|]+) \|$", text, re.MULTILINE))

    lesson = nbformat.read(CHECKOUT / "notebooks" / "00_start_here.ipynb", as_version=4)
    in_lesson = times("\n".join(cell.source for cell in lesson.cells))
    in_readme = times((CHECKOUT / "README.md").read_text())
    assert len(in_lesson) == 9
    assert in_lesson.items() <= in_readme.items()


def test_the_library_has_few_rooms():
    entries = {path.name for path in (CHECKOUT / "sentiment_lib").iterdir()} - {"__pycache__"}
    assert len(entries) <= 16


def test_a_room_imports_only_rooms_above_it():
    """The layers are contracts of import-linter in pyproject.toml: of the rooms, and of the modules in each room."""
    from importlinter.cli import lint_imports

    rooms = {path.parent.relative_to(CHECKOUT) for path in (CHECKOUT / "sentiment_lib").rglob("__init__.py")}
    contracts = tomllib.loads((CHECKOUT / "pyproject.toml").read_text())["tool"]["importlinter"]["contracts"]
    containers = {name for contract in contracts for name in contract["containers"]}
    assert containers == {".".join(room.parts) for room in rooms}
    assert all(contract["exhaustive"] for contract in contracts)
    assert lint_imports(config_filename=str(CHECKOUT / "pyproject.toml"), cache_dir=None) == 0


def test_the_picture_of_the_rooms_is_that_of_the_imports():
    drawn = runpy.run_path(str(CHECKOUT / "docs" / "house.py"))
    assert (CHECKOUT / "docs" / "house.svg").read_text() == drawn["picture"](), "run python docs/house.py"
    contracts = tomllib.loads((CHECKOUT / "pyproject.toml").read_text())["tool"]["importlinter"]["contracts"]
    assert ("__main__", *reversed(drawn["ROOMS"])) == tuple(contracts[0]["layers"])


def test_each_room_offers_what_its_stub_lists():
    for room in sorted((CHECKOUT / "sentiment_lib").glob("*/__init__.pyi")):
        imported = re.findall(r"import (.*)", room.read_text())
        assert imported == [
            f"{name} as {name}" for name in (line.split()[0] for line in imported)
        ]  # type checkers see it
        module = importlib.import_module(f"sentiment_lib.{room.parent.name}")
        assert module.__doc__
        for name in module.__all__:
            assert getattr(module, name) is not None
            assert name in dir(module)


def test_lessons_import_from_rooms():
    for path in sorted((CHECKOUT / "notebooks").glob("*.ipynb")):
        for cell in json.loads(path.read_text())["cells"]:
            for module in re.findall(r"^\s*from (sentiment_lib\S*) import", "".join(cell["source"]), re.MULTILINE):
                assert module.count(".") <= 1, f"{path.name} imports from {module}"


def test_each_promise_of_reliability_md_names_a_test_that_is_there():
    text = (CHECKOUT / "docs" / "reliability.md").read_text()
    code = {path.name: path.read_text() for path in (CHECKOUT / "tests").rglob("test_*.py")}
    names = set(re.findall(r"\btest_\w+", text)) - {name.removesuffix(".py") for name in code}
    assert len(names) >= 25
    for name in names:
        assert any(f"def {name}(" in source for source in code.values()), name
    for name in re.findall(r"tests/([\w/]+\.py)", text):
        assert (CHECKOUT / "tests" / name).is_file(), name
    rows = [
        line
        for line in text.partition("## The same numbers")[0].splitlines()
        if line.startswith("| ") and "promise" not in line
    ]
    assert all("test" in row.rpartition(" | ")[2] for row in rows)


DOCUMENTS = [
    CHECKOUT / name for name in ("README.md", "CHANGELOG.md", "CONTRIBUTING.md", "LICENSES.md", "data/README.md")
]
DOCUMENTS += sorted((CHECKOUT / "docs").glob("*.md"))


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: path.relative_to(CHECKOUT).as_posix())
def test_links_of_documents_lead_somewhere(path):
    def anchors(target):
        headings = re.findall(r"^#+ (.*)$", target.read_text(encoding="utf-8"), re.MULTILINE)
        return {re.sub(r"[^\w\- ]", "", heading).lower().replace(" ", "-") for heading in headings}

    for link, anchor in re.findall(r"\]\(([^)#\s]*)(?:#([^)\s]+))?\)", path.read_text(encoding="utf-8")):
        if "://" not in link:
            target = path.parent / link if link else path
            assert target.exists(), link
            assert not anchor or anchor in anchors(target), f"{link}#{anchor}"


def test_the_readme_is_short_and_the_index_of_documents_is_complete():
    assert len((CHECKOUT / "README.md").read_text(encoding="utf-8").split()) <= 900
    index = (CHECKOUT / "docs" / "README.md").read_text(encoding="utf-8")
    for path in (CHECKOUT / "docs").glob("*.md"):
        assert path.name == "README.md" or f"({path.name})" in index, path.name


def test_the_citation_names_the_version():
    cited = yaml.safe_load((CHECKOUT / "CITATION.cff").read_text(encoding="utf-8"))
    assert cited["version"] == sentiment_lib.__version__


def test_the_lowest_versions_are_those_of_pyproject():
    from sentiment_lib.course.machine import LOWEST

    found = dict(line.split("==") for line in lowest(CHECKOUT))
    assert found["torch"] == "2.6"
    assert set(found) == {requirement.name for requirement in requirements(CHECKOUT, "test")} - {"pip"}
    assert tuple(map(int, PROJECT["requires-python"].removeprefix(">=").split("."))) == LOWEST["python"]
    for name in set(LOWEST) - {"python"}:
        assert tuple(map(int, found[name].split(".")[:2])) == LOWEST[name], name
