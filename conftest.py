"""Tests, and lessons run by nbval, write to a separate project folder and never to the user's results."""

import os
import shutil
import tempfile
from pathlib import Path

CHECKOUT = Path(__file__).parent


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
