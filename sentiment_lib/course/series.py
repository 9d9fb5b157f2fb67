"""Runs the lessons in order with papermill."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import time
from collections.abc import Callable, Collection, Iterator
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
from ..settings import Settings, make_settings

CELL_TIMEOUT = 12 * 3600  # seconds per cell, enough for training overnight
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
        If the package was installed without its checkout.
    """
    return sorted(lessons_dir().glob("[0-9][0-9]_*.ipynb"))


def parameters_of(settings: Settings) -> dict[str, Any]:
    """The values of the parameters cell with which a lesson makes these settings."""
    defaults = make_settings(settings.preset).to_dict()
    changed = {k: v for k, v in settings.to_dict().items() if defaults[k] != v and k not in PARAMETERS}
    return {"preset": settings.preset, "run": settings.run, "overrides": changed}


def kept_parameters(settings: Settings) -> dict[str, Any] | None:
    """The parameters that the run of this name was made with, or None if there is no such run."""
    return _read_record(settings).get("parameters")


def run_series(
    settings: Settings,
    start: str = "00",
    leave_out: Collection[str] = (),
    *,
    resume: bool = False,
    tell: Callable[[str], object] = lambda _: None,
) -> Iterator[LessonRun]:
    """Run the lessons from `start` on and yield each one when it is done.

    Model and reviews are checked before the first lesson. When a lesson is done, its executed notebook is in
    ``results/<run>/notebooks/`` and it is recorded in ``results/<run>/series.json``.

    Parameters
    ----------
    settings : Settings
    start : str
        Number of the first lesson to run. The results of the lessons before it must exist.
    leave_out : collection of str
        Numbers of lessons to skip. Their results must exist.
    resume : bool
        Skip the lessons that an earlier, interrupted run of this name has done, if settings, lessons and code have not
        changed since.
    tell : callable
        Called before the first lesson with each text from :func:`sentiment_lib.course.check_run`.

    Raises
    ------
    SettingsError, ModelError, DataError, HubUnreachable
        From :func:`sentiment_lib.course.check_run`; SettingsError also if there is no lesson with the number `start`.
    BusyError
        If another process is working on a run of this name.
    StorageError
        If results cannot be written.
    LessonError
        If a lesson fails. Its notebook is kept up to the error, which it shows.
    """
    todo = [path for path in lessons() if path.name[:2] >= start and path.name[:2] not in leave_out]
    numbers = [path.name[:2] for path in lessons()]
    if start not in numbers:
        raise SettingsError(f"There is no lesson {start!r} to start from. Lessons: {', '.join(numbers)}.")
    for path in todo:
        _check_parameters(path)
    with only_this(settings):
        check_writable(settings.paths.notebooks)
        made_with = {"parameters": parameters_of(settings), "code": _code_hash()}
        done = lessons_done(settings, made_with)
        if not (resume and done):  # they were checked when the run began
            from .preflight import check_run

            for sentence in check_run(settings):
                tell(sentence)
        _copy_companions(settings.paths.notebooks)
        for path in todo:
            target, source = settings.paths.notebooks / path.name, _source_hash(path)
            if resume and done.get(path.stem) == source and target.is_file():
                continue
            began = time.perf_counter()
            done = {name: value for name, value in done.items() if name < path.stem}  # later ones depend on it
            write_json(settings.paths.series, {**made_with, "done": done})
            _execute(path, target, parameters_of(settings))
            done[path.stem] = source
            write_json(settings.paths.series, {**made_with, "done": done})
            yield LessonRun(path.stem, target, time.perf_counter() - began)


def _copy_companions(target: Path) -> None:
    """Copy the diagrams that the lessons show and the glossary that they link to."""
    target.mkdir(parents=True, exist_ok=True)
    for path in (*lessons_dir().glob("images/*.svg"), *lessons_dir().glob(GLOSSARY)):
        copy = target / path.relative_to(lessons_dir())
        copy.parent.mkdir(exist_ok=True)
        shutil.copy(path, copy)


def only_this(settings: Settings) -> AbstractContextManager[None]:
    """Lock the name of a run while its files are written; other processes get a BusyError."""
    return only_one(settings.paths.results, f"Run {settings.run!r}", "Wait for it, or give this one another --name.")


def lessons_done(settings: Settings, made_with: dict[str, Any] | None = None) -> dict[str, str]:
    """The lessons done by a run with this name, these settings and this code, each with a hash of its cells."""
    made_with = made_with or {"parameters": parameters_of(settings), "code": _code_hash()}
    record = _read_record(settings)
    return dict(record["done"]) if {**record, "done": None} == {**made_with, "done": None} else {}


def _read_record(settings: Settings) -> dict[str, Any]:
    """The content of the run's ``series.json``, empty if the file is missing or damaged."""
    try:
        return json.loads(settings.paths.series.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}


def _code_hash() -> str:
    """A hash of this package. Lessons run with other code do not count as done."""
    package = Path(__file__).parents[1]
    files = sorted(path for path in package.rglob("*") if path.suffix in (".py", ".js", ".css"))
    return hashlib.sha256(b"".join(path.read_bytes() for path in files)).hexdigest()


def _source_hash(path: Path) -> str:
    """A hash of the cells of a lesson without their outputs."""
    cells = json.loads(path.read_text(encoding="utf-8"))["cells"]
    return hashlib.sha256(json.dumps([cell["source"] for cell in cells]).encode()).hexdigest()


def _execute(path: Path, target: Path, parameters: dict[str, Any]) -> None:
    with needs_extra("lessons"):
        import papermill
        from nbclient.exceptions import DeadKernelError
        from papermill.exceptions import PapermillExecutionError

    bar = {"desc": path.stem, "unit": "cell", "leave": False} if progress_wanted() else False
    running = target.with_name(f"running_{target.name}")  # papermill saves in place after each cell
    try:
        with _kernel_environment():
            papermill.execute_notebook(
                path,
                running,
                parameters=parameters,
                cwd=path.parent,
                kernel_name="python3",
                progress_bar=bar,
                iopub_timeout=60,
                extra_arguments=["--IPKernelApp.log_level=40"],  # errors only
                execution_timeout=CELL_TIMEOUT,
            )
    except DeadKernelError as error:
        running.replace(target)
        raise LessonError(
            f"Lesson {path.stem} failed: its kernel died, most likely because memory ran out. Close other "
            "programs, or use fewer or shorter reviews (--set train_size=2000 max_length=128).\n"
            f"The notebook up to the error: {short_path(target)}"
        ) from error
    except PapermillExecutionError as error:
        running.replace(target)
        raise LessonError(
            f"Lesson {path.stem} failed in cell {error.exec_count}: {error.ename}: {error.evalue}\n"
            f"The notebook up to the error: {short_path(target)}\n"
            f"After fixing the cause, continue with: python -m sentiment_lib run --from {path.name[:2]} ..."
        ) from error
    running.replace(target)


@contextmanager
def _kernel_environment() -> Iterator[None]:
    """Start kernels without progress bars and with the project folder of this process."""
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
    """Check that the parameters cell is complete. papermill would only warn and use the defaults of the lesson."""
    with needs_extra("lessons"):
        import papermill

    missing = set(PARAMETERS) - set(papermill.inspect_notebook(path))
    if missing:
        raise LessonError(
            f"{path.name} needs a cell tagged 'parameters' that sets {', '.join(PARAMETERS)}; "
            f"missing: {', '.join(sorted(missing))}."
        )
