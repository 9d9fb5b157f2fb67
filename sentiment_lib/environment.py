"""What this machine is and which versions are installed."""

from __future__ import annotations

import os
import platform
import shutil
from importlib.metadata import PackageNotFoundError, version
from typing import TYPE_CHECKING

from .model import choose_compute
from .paths import home

if TYPE_CHECKING:
    import pandas as pd

PACKAGES = ("torch", "transformers", "datasets", "scikit-learn", "numpy", "pandas", "matplotlib", "ipywidgets")


def versions() -> dict[str, str]:
    """Versions of Python, this package and what its results depend on."""
    from . import __version__

    found = {"python": platform.python_version(), "sentiment_lib": __version__}
    for name in PACKAGES:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            found[name] = "missing"
    return found


def describe_machine() -> pd.DataFrame:
    """One row a fact that decides how fast the lessons run: processor, memory (GB), disk (GB), arithmetic."""
    import pandas as pd
    import torch

    compute = choose_compute()
    facts = {
        "system": f"{platform.system()} {platform.machine()}",
        "processor cores in use": torch.get_num_threads(),
        "memory (GB)": memory_gb(),
        "free disk (GB)": round(free_disk_gb()),
        "device": compute.device,
        "arithmetic for training": compute.precision,
        "attention kernel": compute.attention or "as transformers chooses",
    } | {f"version of {name}": number for name, number in versions().items()}
    return pd.DataFrame({"value": {name: str(value) for name, value in facts.items()}})


def free_disk_gb() -> float:
    """Free space in GB where results are kept."""
    there = next(path for path in (home(), *home().parents) if path.exists())
    return shutil.disk_usage(there).free / 1e9


def memory_gb() -> int | str:
    """Memory of this machine in GB, or "unknown" where the system does not say."""
    try:
        return round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 1e9)
    except (AttributeError, ValueError, OSError):
        return "unknown"
