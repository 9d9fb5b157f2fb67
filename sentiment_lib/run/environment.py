"""Which versions are installed, and which extra installs what is missing."""

import platform
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.metadata import PackageNotFoundError, version

from ..errors import MissingExtra
from .paths import checkout

PACKAGES = ("torch", "transformers", "datasets", "scikit-learn", "numpy", "pandas", "matplotlib", "ipywidgets")


def versions() -> dict[str, str]:
    """Versions of Python, of this package, and of the packages that its results depend on."""
    from .. import __version__

    found = {"python": platform.python_version(), "sentiment_lib": __version__}
    for name in PACKAGES:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            found[name] = "missing"
    return found


@contextmanager
def needs_extra(extra: str) -> Iterator[None]:
    """Import packages in the block that an optional extra of ``pyproject.toml`` installs.

    Parameters
    ----------
    extra : {"lessons", "excel", "sweep"}

    Raises
    ------
    MissingExtra
        When one of the packages is not installed. The message has the command that installs them.
    """
    try:
        yield
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] == __package__.partition(".")[0]:
            raise  # a module of our own
        project = checkout()
        target = f'"sentiment-lib[{extra}]"' if project is None else f'-e "{project}[{extra}]"'
        raise MissingExtra(
            f"This needs the extra {extra!r} ({error.name} is not installed): python -m pip install {target}"
        ) from error
