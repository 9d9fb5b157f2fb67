"""Draws figures/explorer.png, the README's picture of the explorer, from the page of the run quick.

Run: ``python -m sentiment_lib page --name quick && .venv/bin/python docs/explorer_picture.py``
"""

import json
import sys
import urllib.parse
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "tests"))
from support.browser import chromium_page

from sentiment_lib.settings import make_settings

LAST = 5
STATE = {
    "text": "The film is really boring.",
    "other": "The film is not boring.",
    "compare": "second text",
    "taken": json.dumps([[LAST, head] for head in range(12)]),
    "grid": "patches",
    "view": "heatmap",
    "layer": "3",
    "head": "9",
}


def main() -> None:
    """Open the page, wait for its grid and keep what is seen."""
    page_file = make_settings().paths.results / "page" / "index.html"
    with chromium_page(offline=True, device_scale_factor=1.5) as page:
        page.set_viewport_size({"width": 1120, "height": 800})
        page.goto(f"{page_file.resolve().as_uri()}#{urllib.parse.urlencode(STATE)}")
        page.wait_for_function(
            "() => JSON.parse(document.querySelector('#explorer')?.dataset.grid ?? '{}').layers === 6"
            " && document.querySelector('#explorer').dataset.shown"
        )
        page.screenshot(path=Path(__file__).parents[1] / "figures" / "explorer.png", full_page=True)


if __name__ == "__main__":
    main()
