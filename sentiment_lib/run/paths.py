"""Where files are: the same from a notebook, the command line and a test."""

import os
from dataclasses import dataclass
from pathlib import Path

from ..errors import MissingResult, NeedsClone
from .files import restore

HOME_VARIABLE = "SENTIMENT_LIB_HOME"


def home() -> Path:
    """The project's folder, whatever the current folder is.

    It is the folder in the environment variable ``SENTIMENT_LIB_HOME`` if that is set, else the checkout
    that holds this package, else (for a package installed without its checkout) ``~/sentiment_lib``.
    """
    chosen = os.environ.get(HOME_VARIABLE)
    if chosen:
        return Path(chosen).expanduser().resolve()
    return checkout() or Path.home() / "sentiment_lib"


def checkout() -> Path | None:
    """The clone of the project that holds this package; None for a package installed without one."""
    folder = Path(__file__).resolve().parents[2]
    return folder if (folder / "pyproject.toml").is_file() and (folder / "notebooks").is_dir() else None


def lessons_dir() -> Path:
    """The folder of the lessons, which belongs to the checkout and not to :func:`home`.

    Raises
    ------
    NeedsClone
        When the package was installed without its checkout.
    """
    folder = checkout()
    if folder is None:
        raise NeedsClone(
            "The lessons are not part of the installed package, because they are notebooks to open and change. "
            'Run this from a clone of the project, installed with: python -m pip install -e ".[lessons]"'
        )
    return folder / "notebooks"


def shipped_file(name: str) -> Path:
    """A file of the project's folder ``data`` that is also in the wheel, such as ``"example_reviews.csv"``."""
    folder = checkout()
    return (folder / "data" if folder else Path(__file__).resolve().parents[1] / "shipped") / name


class _Result:
    """A file or folder in a run's folder of results, as an attribute of :class:`RunPaths`."""

    def __init__(self, name: str) -> None:
        self.name = name

    def __get__(self, paths: "RunPaths", owner: type) -> Path:
        return paths.results / self.name


@dataclass(frozen=True)
class RunPaths:
    """The files of one run. Folders are created when something is written, not before."""

    run: str

    dataset = _Result("dataset")  # the prepared splits (lesson 01)
    baselines = _Result("baselines")  # predictions of the baselines (lesson 02)
    model = _Result("model")  # the fine-tuned model and its tokenizer (lesson 03)
    training = _Result("training.json")  # how the model was trained (lesson 03)
    metrics = _Result("metrics.json")  # all metrics of the run (lesson 04)
    predictions = _Result("predictions.parquet")  # every test prediction (lesson 04)
    heads = _Result("heads.json")  # what lesson 07 found about the heads and the explanations
    experiments = _Result("experiments")  # one folder per trial of an experiment (lesson 08)
    sweep = _Result("sweep")  # one folder per training of a sweep
    notebooks = _Result("notebooks")  # the executed lessons
    series = _Result("series.json")  # which lessons are done, so that the run can be resumed

    @property
    def results(self) -> Path:
        """The run's folder of results."""
        return home() / "results" / self.run

    @property
    def figures(self) -> Path:
        """The run's folder of figures."""
        return home() / "figures" / self.run

    def require(self, path: Path, lesson: str) -> Path:
        """Return `path` if it exists.

        Raises
        ------
        MissingResult
            When it does not exist. The message names the lesson that makes it.
        """
        restore(path)
        if not path.exists():
            raise MissingResult(
                f"{short_path(path)} is not there yet. Run lesson {lesson} first, with the same preset and "
                f"run name (this run is called {self.run!r}), or the whole series: python -m sentiment_lib run"
            )
        return path


def short_path(path: Path | str) -> str:
    """`path` relative to :func:`home` if it lies in that folder, with forward slashes."""
    path = Path(path)
    try:
        return path.resolve().relative_to(home()).as_posix()
    except ValueError:
        return str(path)
