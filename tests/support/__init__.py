"""What tests share: where the checkout is, what to do without something, and small files of reviews."""

import os
from pathlib import Path

import pytest

CHECKOUT = Path(__file__).resolve().parents[2]


def missing(reason: str):
    """Skip on a user's machine, fail in CI: a test that silently does not run proves nothing."""
    if os.environ.get("CI") == "true":
        pytest.fail(f"CI must not skip this: {reason}")
    pytest.skip(reason)


def write_reviews(folder: Path) -> Path:
    import pandas as pd

    good = [f"Scene {i} is a wonderful, moving and clever piece of film." for i in range(20)]
    bad = [f"Scene {i} is a dull, clumsy and awful waste of time." for i in range(20)]
    table = pd.DataFrame({"text": bad + good, "label": ["neg"] * 20 + ["pos"] * 20})
    path = folder / "reviews.csv"
    table.to_csv(path, index=False)
    return path
