"""Tests, and lessons run by nbval, write to a separate project folder and never to the user's results.

nbval compares the outputs of a lesson's cells; what its prose claims about them is checked here.
"""

import os
import shutil
import tempfile
import time
from pathlib import Path

import pytest
from support.claims import check_cell, in_kernel, read_page

CHECKOUT = Path(__file__).parent
PAGES = pytest.StashKey[dict]()


def pytest_configure(config):
    home = Path(os.environ.get("SENTIMENT_LIB_TEST_HOME") or tempfile.mkdtemp(prefix="sentiment-tests-"))
    config.test_home = home
    os.environ["SENTIMENT_LIB_HOME"] = str(home)
    os.environ["SENTIMENT_LIB_PROGRESS"] = "off"
    snippets = CHECKOUT / "data" / "snippets"
    if snippets.is_dir():
        shutil.copytree(snippets, home / "data" / "snippets", dirs_exist_ok=True)


def pytest_unconfigure(config):
    if not os.environ.get("SENTIMENT_LIB_TEST_HOME"):
        shutil.rmtree(config.test_home, ignore_errors=True)


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup(item):
    """Lesson 07 runs beside the other lessons (`tests/conftest.py`), and may come up before lesson 03 has trained."""
    beside = item.path.name.startswith("07_") and hasattr(item.config, "workerinput")
    if beside and any(other.path.name.startswith("03_") for other in item.session.items):
        training = item.config.test_home / "results" / "quick" / "training.json"
        for _ in range(1800):
            if training.is_file():
                break
            time.sleep(1)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call(item):
    """After a cell of a lesson under nbval: do the values bear out what the prose says about them?"""
    outcome = yield
    if type(item).__name__ == "IPyNbCell":
        pages = item.config.stash.setdefault(PAGES, {})
        page = pages[item.path] = pages.get(item.path) or read_page(item.path)
        check_cell(page, item.cell.id, in_kernel(item.parent.kernel.kc), item.config.test_home)
    return outcome
