"""Tests and lessons under test keep their files in a folder of their own, never in the user's results."""

import os
import shutil
import tempfile
from pathlib import Path

CHECKOUT = Path(__file__).parent


def pytest_configure(config):
    home = Path(os.environ.get("SENTIMENT_LIB_TEST_HOME") or tempfile.mkdtemp(prefix="sentiment-tests-"))
    config.stash_home = home
    os.environ["SENTIMENT_LIB_HOME"] = str(home)
    os.environ["SENTIMENT_LIB_PROGRESS"] = "off"
    downloaded = CHECKOUT / "data" / "snippets"
    if downloaded.is_dir():
        shutil.copytree(downloaded, home / "data" / "snippets", dirs_exist_ok=True)


def pytest_unconfigure(config):
    if not os.environ.get("SENTIMENT_LIB_TEST_HOME"):
        shutil.rmtree(config.stash_home, ignore_errors=True)
