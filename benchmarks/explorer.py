"""Response times of the attention explorer, measured in the page.

Runs lesson 06 in JupyterLab and headless Chromium and measures, for a text of 64 tokens, the time

- from a key on a slider (layer or head) until the new picture is painted, for each view;
- from a click that switches a head off until the new prediction is shown.

Needs the results of lessons 01 to 03 with the preset quick (``make run``) and the extra ``test``.

Run: ``.venv/bin/python benchmarks/explorer.py``
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "tests"))
from support.browser import chromium_page, drawn, jupyterlab, run_all_cells

from sentiment_lib.run.paths import HOME_VARIABLE, home

TEXT = "A tearjerking, wonderful and never boring film about two old friends. " * 6
# time from an event to the first frame after the change that it caused
WATCH = """([selector, event, attribute]) => {
  const picture = [...document.querySelectorAll(selector)].at(-1);
  window.spent = [];
  let start = null;
  document.addEventListener(event, () => (start = performance.now()), true);
  const seen = () => requestAnimationFrame(() => setTimeout(() => {
    if (start !== null) window.spent.push(performance.now() - start);
    start = null;
  }));
  const what = attribute ? { attributes: true, attributeFilter: [attribute] } : { childList: true, subtree: true };
  new MutationObserver(seen).observe(picture, what);
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
        widget.locator("textarea").fill(TEXT)
        page.wait_for_function(
            "() => [...document.querySelectorAll('[data-drawn]')].at(-1).shadowRoot"
            ".querySelectorAll('.left .token').length === 64"
        )
        page.evaluate(WATCH, ["[data-drawn]", "keydown", "data-drawn"])
        for view, label in (("heatmap", "heatmap"), ("bipartite", "lines"), ("overview", "all heads")):
            widget.get_by_role("combobox").nth(1).select_option(label)
            drawn(page, view=view)
            for slider, keys in ((0, ["ArrowLeft", "ArrowRight"] * 10), (1, ["ArrowLeft"] * 10 + ["ArrowRight"] * 10)):
                page.wait_for_timeout(500)
                page.evaluate("() => (window.spent = [])")
                widget.locator(".noUi-handle").nth(slider).focus()
                for key in keys:
                    page.keyboard.press(key)
                    page.wait_for_timeout(250)
                report(
                    f"{'head' if slider else 'layer'} slider to picture, {label}", page.evaluate("() => window.spent")
                )
        prediction = ".jp-OutputArea-output:has(.noUi-handle) .widget-html:has([aria-label*='probability'])"
        page.evaluate(WATCH, [prediction, "pointerdown", None])
        for label in ("heatmap", "lines", "all heads"):
            widget.get_by_role("combobox").nth(1).select_option(label)
            page.wait_for_timeout(1000)
            page.evaluate("() => (window.spent = [])")
            for _ in range(20):
                widget.get_by_role("button", name="switch this head off").click()
                page.wait_for_timeout(400)
            report(f"head switched off to prediction, {label}", page.evaluate("() => window.spent"))


if __name__ == "__main__":
    main()
