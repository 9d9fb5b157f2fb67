"""The one place that decides where files are, the same from a notebook, the command line and a test."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from ..errors import MissingResult, NeedsClone
from .files import restore

HOME_VARIABLE = "SENTIMENT_LIB_HOME"


def home() -> Path:
    """The project's folder, the same whatever the current folder is.

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
    """A file of the project's folder ``data`` that a wheel holds too.

    Parameters
    ----------
    name : str
        Its path in that folder, such as ``"example_reviews.csv"``.
    """
    folder = checkout()
    return (folder / "data" if folder else Path(__file__).resolve().parents[1] / "shipped") / name


@dataclass(frozen=True)
class RunPaths:
    """The files of one run. Folders are made when something is written, not before."""

    run: str

    @property
    def results(self) -> Path:
        """The run's folder of results."""
        return home() / "results" / self.run

    @property
    def figures(self) -> Path:
        """The run's figures."""
        return home() / "figures" / self.run

    @property
    def dataset(self) -> Path:
        """The prepared splits (lesson 01)."""
        return self.results / "dataset"

    @property
    def baselines(self) -> Path:
        """What the baselines predict (lesson 02)."""
        return self.results / "baselines"

    @property
    def experiments(self) -> Path:
        """A folder for every trial of an experiment (lesson 07)."""
        return self.results / "experiments"

    @property
    def sweep(self) -> Path:
        """A folder for every training of a sweep."""
        return self.results / "sweep"

    @property
    def model(self) -> Path:
        """The fine-tuned model and its tokenizer (lesson 03)."""
        return self.results / "model"

    @property
    def training(self) -> Path:
        """How the model was trained (lesson 03)."""
        return self.results / "training.json"

    @property
    def metrics(self) -> Path:
        """All measures of the run (lesson 04)."""
        return self.results / "metrics.json"

    @property
    def predictions(self) -> Path:
        """Every test prediction (lesson 04)."""
        return self.results / "predictions.parquet"

    @property
    def heads(self) -> Path:
        """What lesson 06 found about the heads and the explanations."""
        return self.results / "heads.json"

    @property
    def notebooks(self) -> Path:
        """The executed lessons."""
        return self.results / "notebooks"

    @property
    def series(self) -> Path:
        """Which lessons a run has done, so that it can go on."""
        return self.results / "series.json"

    def require(self, path: Path, lesson: str) -> Path:
        """`path` if it exists; else an error that names the lesson that makes it.

        Raises
        ------
        MissingResult
        """
        restore(path)
        if not path.exists():
            raise MissingResult(
                f"{short_path(path)} is not there yet. Run lesson {lesson} first, with the same preset and "
                f"run name (this run is called {self.run!r}), or the whole series: python -m sentiment_lib run"
            )
        return path


def data_dir() -> Path:
    """Where downloaded corpora are kept: ``data/`` in :func:`home`."""
    return home() / "data"


def short_path(path: Path | str) -> str:
    """`path` relative to :func:`home` where it lies in it, with forward slashes."""
    path = Path(path)
    try:
        return path.resolve().relative_to(home()).as_posix()
    except ValueError:
        return str(path)
