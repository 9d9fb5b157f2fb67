"""Runs the lessons one after the other with papermill."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import time
from collections.abc import Collection, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..errors import LessonError, SettingsError
from ..run.environment import needs_extra
from ..run.files import check_writable, write_json
from ..run.locks import only_one
from ..run.paths import HOME_VARIABLE, home, lessons_dir, short_path
from ..run.progress import PROGRESS_VARIABLE, progress_wanted
from ..settings import Settings

CELL_TIMEOUT = 12 * 3600  # seconds that one cell may take: the longest training somebody leaves alone
GLOSSARY = "glossary.ipynb"
PARAMETERS = ("preset", "run", "overrides")


@dataclass(frozen=True)
class LessonRun:
    """One executed lesson: its name, the executed notebook and the seconds it took."""

    name: str
    notebook: Path
    seconds: float


def lessons() -> list[Path]:
    """The notebooks of the course in order.

    Raises
    ------
    NeedsClone
        When the package was installed without its checkout.
    """
    return sorted(lessons_dir().glob("[0-9][0-9]_*.ipynb"))


def parameters_of(settings: Settings) -> dict[str, Any]:
    """What papermill hands to each lesson so that it makes the same settings again."""
    from ..settings import make_settings

    plain = make_settings(settings.preset).to_dict()
    changed = {k: v for k, v in settings.to_dict().items() if plain[k] != v and k not in PARAMETERS}
    return {"preset": settings.preset, "run": settings.run, "overrides": changed}


def kept_parameters(settings: Settings) -> dict[str, Any] | None:
    """The parameters with which the run of this name was made; None where there is none."""
    return _note(settings).get("parameters")


def run_series(
    settings: Settings, start: str = "00", leave_out: Collection[str] = (), *, resume: bool = False
) -> Iterator[LessonRun]:
    """Run the lessons from `start` on; yields each as it is done.

    Executed notebooks go to ``results/<run>/notebooks/``, each when its lesson is over, and a note of it to
    ``results/<run>/series.json``.

    Parameters
    ----------
    settings : Settings
    start : str
        Number of the lesson to begin with; the results of those before must be there.
    leave_out : collection of str
        Numbers of lessons that are not run; what they make must be there.
    resume : bool
        Leave out the lessons that a run of this name has done before it was stopped, if settings, lessons and code are
        the same as then.

    Raises
    ------
    SettingsError
        For a lesson number that does not exist.
    BusyError
        When another process works on a run of this name.
    StorageError
        When results cannot be written.
    LessonError
        When a lesson fails. Its notebook is kept as far as it got, with the error in it.
    """
    todo = [path for path in lessons() if path.name[:2] >= start and path.name[:2] not in leave_out]
    numbers = [path.name[:2] for path in lessons()]
    if start not in numbers:
        raise SettingsError(f"There is no lesson {start!r} to start from; there are {', '.join(numbers)}.")
    for path in todo:
        _check_parameters(path)
    with only_this(settings):
        check_writable(settings.paths.notebooks)
        _copy_companions(settings.paths.notebooks)
        made_with = {"parameters": parameters_of(settings), "code": _code()}
        done = lessons_done(settings, made_with)
        for path in todo:
            target, source = settings.paths.notebooks / path.name, _source(path)
            if resume and done.get(path.stem) == source and target.is_file():
                continue
            began = time.perf_counter()
            done = {name: value for name, value in done.items() if name < path.stem}  # the later ones stand on this
            write_json(settings.paths.series, {**made_with, "done": done})
            _execute(path, target, parameters_of(settings))
            done[path.stem] = source
            write_json(settings.paths.series, {**made_with, "done": done})
            yield LessonRun(path.stem, target, time.perf_counter() - began)


def _copy_companions(target: Path) -> None:
    """What the lessons show and link to beside each other: diagrams and glossary."""
    target.mkdir(parents=True, exist_ok=True)
    for path in (*lessons_dir().glob("images/*.svg"), *lessons_dir().glob(GLOSSARY)):
        copy = target / path.relative_to(lessons_dir())
        copy.parent.mkdir(exist_ok=True)
        shutil.copy(path, copy)


def only_this(settings: Settings) -> AbstractContextManager[None]:
    """The lock of a run's name: held while its files are written, refused to others."""
    return only_one(settings.paths.results, f"Run {settings.run!r}", "Wait for it, or give this one another --name.")


def lessons_done(settings: Settings, made_with: dict[str, Any] | None = None) -> dict[str, str]:
    """Lessons that a run of this name, settings and code has done, with a hash of their cells."""
    made_with = made_with or {"parameters": parameters_of(settings), "code": _code()}
    kept = _note(settings)
    return dict(kept["done"]) if {**kept, "done": None} == {**made_with, "done": None} else {}


def _note(settings: Settings) -> dict[str, Any]:
    """What ``series.json`` of the run holds; nothing where it is not there or not whole."""
    try:
        return json.loads(settings.paths.series.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}


def _code() -> str:
    """A hash of this package: lessons that other code has made are not taken over."""
    package = Path(__file__).parents[1]
    files = sorted(path for path in package.rglob("*") if path.suffix in (".py", ".js", ".css"))
    return hashlib.sha256(b"".join(path.read_bytes() for path in files)).hexdigest()


def _source(path: Path) -> str:
    """A hash of what a lesson does, whatever outputs it was saved with."""
    cells = json.loads(path.read_text(encoding="utf-8"))["cells"]
    return hashlib.sha256(json.dumps([cell["source"] for cell in cells]).encode()).hexdigest()


def _execute(path: Path, target: Path, parameters: dict[str, Any]) -> None:
    with needs_extra("lessons"):
        import papermill
        from nbclient.exceptions import DeadKernelError
        from papermill.exceptions import PapermillExecutionError

    bar = {"desc": path.stem, "unit": "cell", "leave": False} if progress_wanted() else False
    beside = target.with_name(f"running_{target.name}")  # papermill saves after each cell, in place
    try:
        with _kernel_environment():
            papermill.execute_notebook(
                path,
                beside,
                parameters=parameters,
                cwd=path.parent,
                kernel_name="python3",
                progress_bar=bar,
                iopub_timeout=60,
                extra_arguments=["--IPKernelApp.log_level=40"],  # errors only
                execution_timeout=CELL_TIMEOUT,
            )
    except DeadKernelError as error:
        beside.replace(target)
        raise LessonError(
            f"Lesson {path.stem} failed: its kernel died, as a rule because memory ran out. Close other "
            "programs, or take fewer or shorter reviews (--set train_size=2000 max_length=128).\n"
            f"The notebook as far as it got: {short_path(target)}"
        ) from error
    except PapermillExecutionError as error:
        beside.replace(target)
        raise LessonError(
            f"Lesson {path.stem} failed in cell {error.exec_count}: {error.ename}: {error.evalue}\n"
            f"The notebook as far as it got: {short_path(target)}\n"
            f"When the cause is mended, go on with: python -m sentiment_lib run --from {path.name[:2]} ..."
        ) from error
    beside.replace(target)


@contextmanager
def _kernel_environment() -> Iterator[None]:
    """Kernels that show no progress bars and keep their files where we keep ours."""
    wanted = {PROGRESS_VARIABLE: "off", HOME_VARIABLE: str(home())}
    before = {name: os.environ.get(name) for name in wanted}
    os.environ.update(wanted)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value


def _check_parameters(path: Path) -> None:
    """papermill only warns of a missing parameters cell, and then runs the defaults: that is an error here."""
    with needs_extra("lessons"):
        import papermill

    there = set(papermill.inspect_notebook(path))
    missing = set(PARAMETERS) - there
    if missing:
        raise LessonError(
            f"{path.name} needs a cell tagged 'parameters' that sets {', '.join(PARAMETERS)}; "
            f"missing: {', '.join(sorted(missing))}."
        )
