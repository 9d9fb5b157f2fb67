"""Response times of the attention explorer, measured in the page.

Runs lesson 06 in JupyterLab and headless Chromium and measures, for a text of 64 tokens, the time

- from a key on a slider (layer or head) until the new picture is painted, for each view;
- from the key that switches a head off until the new prediction is shown.

Needs the results of lessons 01 to 03 with the preset quick (``make run``) and the extra ``test``.

Run: ``.venv/bin/python benchmarks/explorer.py``
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "tests"))
from support.browser import chromium_page, jupyterlab, run_all_cells

from sentiment_lib.run.paths import HOME_VARIABLE, home

TEXT = "A tearjerking, wonderful and never boring film about two old friends. " * 6
# time from a key to the first frame after the change that it caused
WATCH = """([inner, attribute]) => {
  const explorer = [...document.querySelectorAll('[data-shown]')].at(-1);
  const watched = inner ? explorer.shadowRoot.querySelector('[data-drawn]') : explorer;
  window.spent = [];
  let start = null;
  document.addEventListener('keydown', () => (start = performance.now()), true);
  const seen = () => requestAnimationFrame(() => setTimeout(() => {
    if (start !== null) window.spent.push(performance.now() - start);
    start = null;
  }));
  window.watching?.disconnect(); // one thing at a time
  window.watching = new MutationObserver(seen);
  window.watching.observe(watched, { attributes: true, attributeFilter: [attribute] });
}"""


def report(name: str, spent: list[float]) -> None:
    """Print median and 95th percentile in milliseconds."""
    median, slow = np.percentile(spent, [50, 95])
    print(f"{name:38s} median {median:5.0f} ms, 95th percentile {slow:5.0f} ms  ({len(spent)} times)", flush=True)


def main() -> None:
    """Measure and print."""
    import os

    os.environ[HOME_VARIABLE] = str(home())
    with tempfile.TemporaryDirectory() as folder, jupyterlab(Path(folder)) as address, chromium_page() as page:
        run_all_cells(page, address.format("06_explore_attention"))
        widget = page.locator(".jp-OutputArea-output:has(.noUi-handle)").last
        explorer = page.locator("[data-shown]").last
        explorer.get_by_label("text of the review").fill(TEXT)
        page.wait_for_function("() => document.querySelector('[data-shown]').dataset.shown.includes('tearjerking')")
        page.evaluate(WATCH, [True, "data-drawn"])
        for view, label in (("heatmap", "heatmap"), ("bipartite", "lines"), ("overview", "all heads")):
            explorer.get_by_label("view", exact=True).select_option(view)
            for slider, keys in ((0, ["ArrowLeft", "ArrowRight"] * 10), (1, ["ArrowLeft"] * 10 + ["ArrowRight"] * 10)):
                page.wait_for_timeout(500)
                page.evaluate("() => (window.spent = [])")
                widget.locator(".noUi-handle").nth(slider).focus()
                for key in keys:
                    page.keyboard.press(key)
                    page.wait_for_timeout(250)
                name = f"{'head' if slider else 'layer'} slider to picture, {label}"
                report(name, page.evaluate("() => window.spent"))
        page.evaluate(WATCH, [False, "data-shown"])
        for view in ("heatmap", "bipartite", "overview"):
            explorer.get_by_label("view", exact=True).select_option(view)
            explorer.locator(".cell[aria-current]").first.focus()
            page.wait_for_timeout(1000)
            page.evaluate("() => (window.spent = [])")
            for _ in range(20):
                page.keyboard.press("o")
                page.wait_for_timeout(500)
            report(f"head switched off to prediction, {view}", page.evaluate("() => window.spent"))


if __name__ == "__main__":
    main()
