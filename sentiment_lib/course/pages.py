"""What the pages of the report and of the site share: their frame, their style, and Markdown with its links."""

from __future__ import annotations

import posixpath
import re
import shutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from html import escape, unescape
from pathlib import Path
from typing import Any
from urllib.parse import unquote

from ..run.environment import needs_extra
from .search_index import write_search_index

with needs_extra("lessons"):
    import jinja2
    import mistune
    from pygments import highlight
    from pygments.formatters import HtmlFormatter
    from pygments.lexers import PythonLexer

TEMPLATES = Path(__file__).parent / "templates"
EXPLORER = "explorer/index.html"


@dataclass(frozen=True)
class Book:
    """A folder of pages with the same navigation.

    Attributes
    ----------
    folder : pathlib.Path
    name : str
        What stands at the top of every page and in its title.
    contents : dict
        Headings, each with its pages: file and title.
    """

    folder: Path
    name: str
    contents: dict[str, list[tuple[str, str]]]

    @property
    def pages(self) -> list[tuple[str, str]]:
        """File and title of every page, in the order of reading."""
        return [page for pages in self.contents.values() for page in pages]

    def page(self, file: str, template: str, **values: Any) -> str:
        """A page as HTML."""
        environment = jinja2.Environment(
            loader=jinja2.FileSystemLoader(TEMPLATES),
            autoescape=True,
            trim_blocks=True,
            lstrip_blocks=True,
            undefined=jinja2.StrictUndefined,
        )
        environment.filters["inline"] = inline
        frame = {"book": self, "file": file, "root": "../" * file.count("/"), "title": dict(self.pages)[file]}
        return environment.get_template(f"{template}.html").render(**frame, **values)

    def write(self, file: str, template: str, **values: Any) -> None:
        """Write a page."""
        (self.folder / file).write_text(self.page(file, template, **values), encoding="utf-8")

    def finish(self) -> None:
        """Add the style, the script and the index to search, once all pages are written."""
        for name in ("pages.css", "pages.js"):
            shutil.copy(TEMPLATES / name, self.folder)
        write_search_index(self.folder, [(file, title) for file, title in self.pages if file != EXPLORER])


def inline(text: str) -> str:
    """Plain text as HTML, with code between backticks."""
    return re.sub(r"`([^`]+)`", r"<code>\1</code>", escape(text))


def highlighted(code: str) -> str:
    """Python code as HTML with a class for each kind of token."""
    return highlight(code, PythonLexer(), HtmlFormatter(nowrap=True))


def with_named_headers(table: str) -> str:
    """A table in HTML whose empty header cells are plain cells: a header without a name says nothing to a reader."""
    return re.sub(r"<th([^>]*)>(?:\s|&nbsp;)*</th>", r"<td\1></td>", table)


def reader(source: str = "", addresses: Mapping[str, str] | None = None, *, safe: bool = True) -> Callable[[str], str]:
    """A function that converts Markdown to HTML.

    Parameters
    ----------
    source : str
        Path of the text in the repository. Relative links start from there.
    addresses : mapping of str to str
        Pages of files in the repository. A link to a file without a page becomes text.
    safe : bool
        Show HTML in the text as text. Only our own lessons may contain HTML.
    """
    convert = mistune.create_markdown(renderer=_Renderer(source, addresses or {}, safe), plugins=["table"])
    return lambda text: str(convert(text))


class _Renderer(mistune.HTMLRenderer):
    def __init__(self, source: str, addresses: Mapping[str, str], safe: bool) -> None:
        super().__init__(escape=safe)
        self._source, self._addresses = source, addresses
        self._anchors: set[str] = set()

    def heading(self, text: str, level: int, **attrs: Any) -> str:
        """A heading with GitHub's anchor, unless an earlier heading has it."""
        words = re.sub(r"[^\w\- ]", "", unescape(re.sub("<[^>]*>", "", text)))
        anchor = words.strip().lower().replace(" ", "-")
        if anchor in self._anchors:
            anchor = f"{anchor}-{len(self._anchors)}"
        self._anchors.add(anchor)
        return super().heading(text, level, id=anchor)

    def link(self, text: str, url: str, title: str | None = None) -> str:
        """A link to a page, to an anchor or to the web; the text alone where none of these is meant."""
        if not re.match(r"[a-z][a-z0-9+.-]*:|//", url, re.IGNORECASE):
            path, _, anchor = url.partition("#")
            target = posixpath.normpath(posixpath.join(posixpath.dirname(self._source), path))
            file = self._addresses.get(target) if path else ""
            if file is None:
                return text
            url = f"{file}#{unquote(anchor).removeprefix('cell-id=').lower()}" if anchor else file
        return super().link(text, url, title)

    def block_code(self, code: str, info: str | None = None) -> str:
        """Code, with colours if it is Python."""
        shown = highlighted(code) if info == "python" else escape(code)
        return f'<pre class="code"><code>{shown}</code></pre>\n'

    def table(self, text: str) -> str:
        """A table that scrolls where it is too wide."""
        return f'<div class="scroll"><table>\n{with_named_headers(text)}</table></div>\n'
