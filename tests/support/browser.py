"""JupyterLab on loopback and headless Chromium, for the tests and the benchmarks."""

import os
import re
import secrets
import shutil
import socket
import subprocess
import sys
import time
import urllib.request
from contextlib import contextmanager

import nbformat
import pytest

from support import CHECKOUT, missing

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-component-update"]


# How many heads have a picture of their own in the canvas that shows all of them: a canvas and [layers, heads].
HEADS_DRAWN = """(canvas, [layers, heads]) => {
  const [width, height] = [canvas.width / heads, canvas.height / layers], pen = canvas.getContext("2d");
  const part = (i) => pen.getImageData((i % heads) * width, Math.floor(i / heads) * height, width, height).data;
  return new Set(Array.from({ length: layers * heads }, (_, i) => part(i).join())).size;
}"""


@contextmanager
def chromium_page(**context):
    """A tab of headless Chromium; `context` is what Playwright's new_context takes."""
    if CHROMIUM is None:
        missing("no Chromium on this machine (Debian: apt-get install chromium)")
    playwright = pytest.importorskip("playwright.sync_api")
    with playwright.sync_playwright() as engine:
        browser = engine.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        tab = browser.new_context(viewport={"width": 1400, "height": 1300}, **context).new_page()
        tab.set_default_timeout(60_000)
        yield tab
        browser.close()


def listen(page):
    """The requests of a page and its errors: two lists that grow."""
    requested, errors = [], []
    page.on("request", lambda request: requested.append(request.url))
    page.on("pageerror", lambda error: errors.append(str(error)))
    page.on("console", lambda message: message.type == "error" and errors.append(message.text))
    return requested, errors


def serious(page, *also):
    """What axe-core finds in a page: serious and critical violations, and those of the rules in `also`."""
    return [rule for rule, impact in violations(page) if impact in ("serious", "critical") or rule[0] in also]


def violations(page):
    """All that axe-core finds in a page: rule, number of elements and the first of them, each with its impact."""
    script = CHECKOUT / "node_modules" / "axe-core" / "axe.min.js"
    if not script.is_file():
        missing("axe-core is not there (npm ci, or make lint, fetches it)")
    page.evaluate(script.read_text(encoding="utf-8"))
    found = page.evaluate("axe.run(document, {resultTypes: ['violations']})")["violations"]
    return [
        ((rule["id"], len(rule["nodes"]), [node["target"] for node in rule["nodes"]][:3]), rule["impact"])
        for rule in found
    ]


@contextmanager
def jupyterlab(folder, program="jupyterlab"):
    """Start JupyterLab, or Notebook 7 (``notebook``), with copies of the lessons; yields a lesson's address, to format."""
    for path in (CHECKOUT / "notebooks").glob("*.ipynb"):
        notebook = nbformat.read(path, as_version=4)
        notebook.metadata.pop("widgets", None)
        for cell in notebook.cells:  # all outputs shall come from the kernel of this test
            cell.update({"outputs": [], "execution_count": None} if cell.cell_type == "code" else {})
        (folder / "notebooks").mkdir(exist_ok=True)
        nbformat.write(notebook, folder / "notebooks" / path.name)
    shutil.copytree(CHECKOUT / "notebooks" / "images", folder / "notebooks" / "images")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    token = secrets.token_hex(16)
    command = [sys.executable, "-m", program, "--no-browser", "--ip=127.0.0.1", f"--port={port}", "--allow-root"]
    command += [f"--IdentityProvider.token={token}", f"--ServerApp.root_dir={folder / 'notebooks'}"]
    environment = os.environ | {
        "JUPYTER_CONFIG_DIR": str(folder / "config"),
        "JUPYTERLAB_SETTINGS_DIR": str(folder / "s"),
    }
    log = (folder / "log.txt").open("w")
    server = subprocess.Popen(command, env=environment, stdout=log, stderr=log)
    try:
        for _ in range(120):
            try:
                urllib.request.urlopen(f"http://127.0.0.1:{port}/api?token={token}", timeout=2)
                break
            except OSError:
                time.sleep(0.5)
        place = "lab/workspaces/{0}/tree" if program == "jupyterlab" else "notebooks"
        yield f"http://127.0.0.1:{port}/{place}/{{0}}.ipynb?token={token}"
    finally:
        server.terminate()
        server.wait(20)
        log.close()


def run_all_cells(page, address):
    """Open a lesson and run all its cells."""
    page.goto(address)
    page.wait_for_selector(".jp-NotebookPanel .jp-Cell", state="attached")
    page.get_by_text(re.compile(r"Python 3 \(ipykernel\)( \| Idle)?$")).filter(visible=True).first.wait_for()
    page.get_by_role("menuitem", name="Run", exact=True).click()
    page.locator(".lm-Menu-itemLabel", has_text=re.compile("^Run All Cells$")).click()
    page.wait_for_function(
        "() => { const c = document.querySelectorAll('.jp-CodeCell .jp-InputPrompt');"
        " return c.length && [...c].every(p => /\\[\\d+\\]/.test(p.textContent)); }",
        timeout=240_000,
    )


def drawn(page, **expected):
    """Wait until the explorer's picture, the last view on the page, is in the expected state."""
    page.wait_for_function(
        "expected => { const view = [...document.querySelectorAll('[data-drawn]')].at(-1);"
        " const state = JSON.parse(view?.dataset.drawn ?? '{}');"
        " return Object.entries(expected).every(([key, value]) => state[key] === value); }",
        arg=expected,
    )
