"""The workflows of GitHub and .ci/run: the checkers find nothing, and each command works as far as can be tried here."""

import os
import shlex
import subprocess
import sys
import tomllib

import pytest
import yaml
from support import CHECKOUT, static_checks

PROJECT = tomllib.loads((CHECKOUT / "pyproject.toml").read_text(encoding="utf-8"))
WORKFLOWS = {
    path.stem: yaml.safe_load(path.read_text(encoding="utf-8"))
    for path in sorted((CHECKOUT / ".github" / "workflows").glob("*.yml"))
}
STEPS = [
    pytest.param(job.get("env", {}), step["run"], id=f"{name}-{job_name}-{step['name']}")
    for name, workflow in WORKFLOWS.items()
    for job_name, job in workflow["jobs"].items()
    for step in job["steps"]
    if "run" in step
]

needs_make = pytest.mark.skipif(sys.platform != "linux", reason="make and bash as on Linux")


def check(name, *files):
    """Run a checker over these files, or over the workflows that are there."""
    options = [word for word in static_checks.COMMANDS[name] if not word.endswith(".yml")]
    files = files or static_checks.WORKFLOWS
    return static_checks.run([*options, *map(str, files)], capture_output=True, text=True)


@pytest.mark.parametrize("name", ["workflows", "schema"])
def test_the_checkers_find_nothing(name):
    assert len(static_checks.WORKFLOWS) == len(WORKFLOWS) == 4
    done = check(name)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize(
    ("name", "right", "wrong"),
    [
        ("workflows", "@3d3c42e5aac5ba805825da76410c181273ba90b1 # v7.0.1", "@v7"),
        ("workflows", "persist-credentials: false", "fetch-depth: 1"),
        ("schema", "timeout-minutes: 90", "timeout-minutes: long"),
    ],
)
def test_the_checkers_find_a_fault(tmp_path, name, right, wrong):
    text = (CHECKOUT / ".github" / "workflows" / "ci.yml").read_text(encoding="utf-8")
    assert right in text
    (tmp_path / "ci.yml").write_text(text.replace(right, wrong), encoding="utf-8")
    assert check(name, tmp_path / "ci.yml").returncode != 0


def test_the_matrix_has_the_pythons_of_pyproject():
    pythons = WORKFLOWS["ci"]["jobs"]["test"]["strategy"]["matrix"]["python"]
    assert PROJECT["project"]["requires-python"] == f">={pythons[0]}"
    minors = [int(python.removeprefix("3.")) for python in pythons]
    assert minors == list(range(minors[0], 14))
    for workflow in WORKFLOWS.values():
        for job in workflow["jobs"].values():
            versions = [
                step["with"]["python-version"] for step in job["steps"] if "setup-python" in step.get("uses", "")
            ]
            assert len(versions) == any("run" in step for step in job["steps"])
            assert set(versions) <= {*pythons, "${{ matrix.python }}"}


@needs_make
def test_check_on_windows_does_what_make_check_does():
    commands = [step["run"] for step in WORKFLOWS["ci"]["jobs"]["check"]["steps"] if "run" in step]
    made = dry_run("check", "VENV=.venv").replace(".venv/bin/python", "python").replace("OMP_NUM_THREADS=1 ", "")
    assert commands[-2:] == made.splitlines()[-2:]
    assert WORKFLOWS["ci"]["jobs"]["check"]["env"]["OMP_NUM_THREADS"] == "1"


def test_the_series_keeps_what_a_run_leaves(home):
    from sentiment_lib.run.paths import RunPaths

    paths = RunPaths("quick")
    left = [paths.notebooks, paths.results / "report", paths.metrics, paths.figures]
    (kept,) = [
        step["with"]["path"]
        for step in WORKFLOWS["series"]["jobs"]["series"]["steps"]
        if step.get("name", "").startswith("Keep")
    ]
    assert kept.split() == [path.relative_to(home).as_posix() for path in left]


def test_the_site_that_is_built_is_the_one_that_is_published():
    build, publish = WORKFLOWS["site"]["jobs"].values()
    (folder,) = [step["with"]["path"] for step in build["steps"] if "upload-pages-artifact" in step.get("uses", "")]
    assert f"/{folder}/\n" in "/" + (CHECKOUT / ".gitignore").read_text(encoding="utf-8").replace("\n", "\n/")
    assert dry_run("site", "VENV=.venv").splitlines()[-1].strip() == ".venv/bin/python -m sentiment_lib site"
    assert set(publish["permissions"]) == {"pages", "id-token"}
    assert publish["needs"] == "build"


@needs_make
def test_nightly_fixes_no_version():
    environment = WORKFLOWS["nightly"]["jobs"]["newest"]["env"]
    lines = dry_run("everything", "VENV=none", **environment).splitlines()
    (install,) = (line for line in lines if " pip install " in line)
    assert "-c /dev/null " in install


def dry_run(*words, **environment):
    """What make would do, one command a line, whatever a make around this test was told."""
    around = {name: value for name, value in os.environ.items() if name not in ("MAKEFLAGS", "MFLAGS", "MAKELEVEL")}
    done = subprocess.run(
        ["make", "-n", *words], cwd=CHECKOUT, env=around | environment, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


@needs_make
@pytest.mark.parametrize(("environment", "script"), STEPS)
def test_each_step_of_a_workflow(environment, script):
    done = subprocess.run(["bash", "-n"], input=script, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    for line in script.splitlines():
        command = shlex.split(line)
        match command:
            case ["make", *words]:
                assert dry_run(*words, **environment)
            case ["bash", ".ci/run"]:
                pass  # tested below
            case ["sudo", "sysctl", "--write", setting]:
                assert setting == "kernel.apparmor_restrict_unprivileged_userns=0"
            case ["python", "-m", "pip", "install", "-c", constraints, "-e", target]:
                assert (CHECKOUT / constraints).is_file()
                extras = target.removeprefix(".[").removesuffix("]").split(",")
                assert set(extras) <= set(PROJECT["project"]["optional-dependencies"])
            case ["python", "-m", "pytest", *words]:
                done = subprocess.run(
                    [sys.executable, *command[1:], "--collect-only", "tests/project/test_workflows.py"],
                    cwd=CHECKOUT, capture_output=True, text=True,
                )  # fmt: skip
                assert done.returncode == 0, done.stdout
                marks = {mark.partition(":")[0] for mark in PROJECT["tool"]["pytest"]["ini_options"]["markers"]}
                assert set(words[words.index("-m") + 1].split()) <= marks | {"not", "and"}
            case ["python", "-c", _]:
                done = subprocess.run([sys.executable, *command[1:]], cwd=CHECKOUT, capture_output=True, text=True)
                assert done.returncode == 0, done.stderr
            case ["python", path]:
                assert (CHECKOUT / path).samefile(static_checks.__file__)  # its parts are tested in this file
            case _:
                pytest.fail(f"no test knows what {line!r} does")


@needs_make
@pytest.mark.parametrize("there", [["chromium", "npm"], ["chromium"], []])
def test_ci_installs_what_a_new_machine_lacks(tmp_path, there):
    programs, log = tmp_path / "bin", tmp_path / "log"
    programs.mkdir()
    for name in ("make", "apt-get", "sudo", *there):
        shim = programs / name
        shim.write_text(f'#!/bin/bash\necho "${{0##*/}} $*${{CI:+ in CI}}" >> "{log}"\n')
        shim.chmod(0o755)
    (programs / "dirname").symlink_to("/usr/bin/dirname")
    environment = {"PATH": str(programs)}
    subprocess.run(["/bin/bash", CHECKOUT / ".ci" / "run"], env=environment, check=True, stdin=subprocess.DEVNULL)
    *installed, last = log.read_text().splitlines()
    assert last == "make test in CI"
    needed = " ".join(["chromium"] * ("chromium" not in there) + ["nodejs npm"] * ("npm" not in there))
    commands = ["apt-get update -qq", f"apt-get install -y -qq {needed}"] if needed else []
    assert [line.removeprefix("sudo ") for line in installed] == commands


@pytest.mark.parametrize(
    ("script", "code", "said"), [("pass", 0, "all checks passed"), ("exit(3)", 1, "failed: style")]
)
def test_a_failed_check_fails_the_checks(monkeypatch, capsys, script, code, said):
    monkeypatch.setattr(static_checks, "COMMANDS", {"style": [sys.executable, "-c", script]})
    assert static_checks.main() == code
    assert capsys.readouterr().out.splitlines()[-1] == said


@pytest.mark.parametrize(("ci", "failures"), [("true", 1), ("", 0)])
def test_only_ci_needs_npm(monkeypatch, capsys, ci, failures):
    monkeypatch.setenv("CI", ci)
    monkeypatch.setenv("PATH", "")
    monkeypatch.setattr(static_checks, "COMMANDS", {"JavaScript": static_checks.COMMANDS["JavaScript"]})
    assert static_checks.main() == failures
    assert "JavaScript not checked: npm is not installed" in capsys.readouterr().out


def test_the_lock_of_npm_names_no_registry():
    text = (CHECKOUT / "package-lock.json").read_text(encoding="utf-8")
    assert '"resolved"' not in text
    assert "registry" not in text
