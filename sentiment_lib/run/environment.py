"""What this machine is and which versions are installed."""

from __future__ import annotations

import platform
from importlib.metadata import PackageNotFoundError, version
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    pass

PACKAGES = ("torch", "transformers", "datasets", "scikit-learn", "numpy", "pandas", "matplotlib", "ipywidgets")


def versions() -> dict[str, str]:
    """Versions of Python, this package and what its results depend on."""
    from .. import __version__

    found = {"python": platform.python_version(), "sentiment_lib": __version__}
    for name in PACKAGES:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            found[name] = "missing"
    return found
