"""What tests share: the checkout, what to do when something is missing, and a small file of reviews."""

import json
import os
from pathlib import Path

import pytest

CHECKOUT = Path(__file__).resolve().parents[2]


def missing(reason: str):
    """Skip the test on a user's machine, but fail in CI, where every test must run."""
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


def read_records(folder: Path) -> list[dict]:
    """The records of all trials that were kept in `folder`."""
    return [json.loads(path.read_text(encoding="utf-8")) for path in sorted(folder.glob("*/metrics.json"))]
