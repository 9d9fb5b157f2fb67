"""The index that a folder of pages is searched with: a script, since a page on disk may load no other data."""

from __future__ import annotations

import json
from collections.abc import Sequence
from html.parser import HTMLParser
from pathlib import Path

LEFT_OUT = {"details", "nav", "pre", "script", "style", "svg"}  # among them solutions and answers
HEADINGS = {"h1", "h2", "h3"}
APART = {*HEADINGS, "p", "li", "td", "th", "div", "figcaption", "caption", "br"}


class _Sections(HTMLParser):
    """Collects the text of a page's main part: for each heading its anchor, its words and what follows."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[list[str]] = [["", "", ""]]
        self._is_main = False
        self._field = 2  # of the section: 1 for the heading, 2 for the text
        self._skipped, self._depth = "", 0  # the element that is left out, and how many of its kind are open

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        self._is_main |= tag == "main"
        if self._skipped:
            self._depth += tag == self._skipped
        elif tag in LEFT_OUT or "output" in (given.get("class") or "").split():
            self._skipped, self._depth = tag, 1
        elif tag in HEADINGS and self._is_main:
            self.found.append([given.get("id") or "", "", ""])
            self._field = 1
        self._space(tag)

    def handle_endtag(self, tag: str) -> None:
        self._is_main &= tag != "main"
        if tag == self._skipped:
            self._depth -= 1
            self._skipped = self._skipped if self._depth else ""
        elif tag in HEADINGS:
            self._field = 2
        self._space(tag)

    def handle_data(self, data: str) -> None:
        if self._is_main and not self._skipped:
            self.found[-1][self._field] += data

    def _space(self, tag: str) -> None:
        if tag in APART:
            self.handle_data(" ")


def sections(page: str) -> list[list[str]]:
    """Anchor, heading and text of each section of a page, without code, outputs and what is folded away."""
    parser = _Sections()
    parser.feed(page)
    parser.close()
    cleaned = [[anchor, *(" ".join(part.split()) for part in parts)] for anchor, *parts in parser.found]
    return [section for section in cleaned if any(section[1:])]


def write_search_index(folder: Path, pages: Sequence[tuple[str, str]]) -> None:
    """Write ``search_index.js``: for each page its file, its title and its sections."""
    index = [[file, title, sections((folder / file).read_text(encoding="utf-8"))] for file, title in pages]
    text = json.dumps(index, ensure_ascii=False, separators=(",", ":"))
    (folder / "search_index.js").write_text(f"globalThis.SEARCH_INDEX = {text};\n", encoding="utf-8")
