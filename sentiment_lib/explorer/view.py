"""The attention view: HTML that shows every head for a text, without a kernel and without a network.

Used in lessons 06 and 07. ``front_end/`` draws it and answers the user: plain JavaScript without any dependency, shared
with the explorer (:mod:`sentiment_lib.explorer.attention_explorer`, :mod:`sentiment_lib.explorer.page`).
"""

import base64
import hashlib
import html
import json
import zlib
from collections.abc import Iterable, Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

from ..attention.maps import AttentionMaps
from ..errors import ArgumentError, check_choice
from ..run.files import replacing
from .kernel_engine import LONG, codes_of

VIEWS = ("bipartite", "heatmap", "overview")
STATE = ("view", "layer", "head", "more_heads", "special", "words", "difference", "silenced")  # what can be set
FLOOR = 0.002  # in long texts, weights below it are left out so that the view stays small


def source(name: str) -> str:
    """A file of the front end or of the page engine as text."""
    return (Path(__file__).parent / name).read_text(encoding="utf-8")


@cache
def front_end() -> str:
    """The JavaScript of the view, with its style."""
    style = f"const ATTENTION_VIEW_STYLE = {json.dumps(source('front_end/attention_view.css'))};"
    return "\n".join([style, *(source(f"front_end/attention_{part}.js") for part in ("data", "view"))])


@cache
def explorer_front_end() -> str:
    """The JavaScript of the explorer, with that of the view and both styles."""
    style = f"const EXPLORER_STYLE = {json.dumps(source('front_end/explorer.css'))};"
    return "\n".join([front_end(), style, source("front_end/explorer.js")])


def json_for_page(data: Any) -> str:
    """Data as JSON that can stand in an HTML page: a text in it may contain ``</script>``."""
    return json.dumps(data, ensure_ascii=True).replace("<", "\\u003c")


def pack_panel(maps: AttentionMaps, title: str = "") -> tuple[dict[str, Any], bytes]:
    """What the front end needs to know about some maps, and their packed weights.

    A weight is stored in one byte (:func:`codes_of`). The bytes are deflated: 64 tokens with 6 layers x 12 heads take
    about 200 kB.
    """
    is_long = len(maps.tokens) > LONG
    floor = FLOOR if is_long else 0.0
    weights = np.where(maps.weights < floor, 0, maps.weights) if is_long else maps.weights
    panel = {"title": title, "tokens": list(maps.tokens), "words": list(maps.words), "layers": maps.layers}
    panel |= {"word_texts": list(maps.word_texts), "windows": list(maps.windows)}
    packed = zlib.compress(codes_of(weights).tobytes(), 1 if is_long else 6)
    return panel | {"heads": maps.heads, "floor": floor}, packed


class AttentionView:
    """A view, made by :func:`attention_view`, for JupyterLab, VS Code, classic viewers and exported pages."""

    def __init__(self, panels: list[tuple[dict[str, Any], bytes]], state: dict[str, Any], alt: str) -> None:
        self._panels, self._state, self.alt = panels, state, alt

    def __repr__(self) -> str:
        return f"AttentionView({self.alt})"

    def _repr_html_(self) -> str:
        panels = [panel | {"packed": base64.b64encode(packed).decode()} for panel, packed in self._panels]
        text = json_for_page({"panels": panels, "state": self._state})
        name = hashlib.sha256(text.encode()).hexdigest()[:16]
        return (
            f'<div data-attention-view="{name}"><p>{html.escape(self.alt)} The view itself needs JavaScript; in '
            "JupyterLab, trust the notebook or run the cell.</p>"
            f'<script type="application/json">{text}</script></div>\n<script>(() => {{\n{front_end()}\n'
            f"""for (const host of document.querySelectorAll('[data-attention-view="{name}"]:not([data-mounted])')) {{
  host.dataset.mounted = "yes";
  const data = JSON.parse(host.querySelector("script").textContent);
  Promise.all(data.panels.map(async (panel) => ({{ ...panel, weights: await inflated(bytesOf(panel.packed)) }})))
    .then((panels) => createAttentionView(host, {{ panels, state: data.state }}));
}}
}})();</script>"""
        )

    def save(self, path: str | Path) -> Path:
        """Write the view as one HTML page that needs neither a network nor a kernel."""
        path = Path(path)
        with replacing(path) as temporary:
            temporary.write_text(
                '<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8"><title>Attention</title>'
                '<meta name="viewport" content="width=device-width"><style>:root { color-scheme: light dark; } '
                f"body {{ margin: 16px; }}</style></head><body>\n{self._repr_html_()}\n</body></html>\n",
                encoding="utf-8",
            )
        return path


def attention_view(
    maps: AttentionMaps | Mapping[str, AttentionMaps],
    *,
    view: str = "bipartite",
    layer: int = 0,
    head: int = 0,
    more_heads: Sequence[int] = (),
    special: bool = True,
    words: bool = False,
    difference: bool = False,
    silenced: Sequence[tuple[int, int]] = (),
) -> AttentionView:
    """All attention weights of a text, to explore in one self-contained piece of HTML.

    It has three views: lines between tokens (one colour per head), the heatmap of a head, and an overview of all heads.
    A token that has the pointer or the focus shows only its own weights, as numbers.

    Parameters
    ----------
    maps : AttentionMaps or mapping of str to AttentionMaps
        From :func:`sentiment_lib.attention_maps`; or two maps of the same tokens, with titles, to compare side by side.
    view : {"bipartite", "heatmap", "overview"}
        What is shown first. This and all that follows can be changed in the view.
    layer, head : int
        Counted from 0.
    more_heads : sequence of int
        Further heads of this layer in the bipartite view.
    special : bool
        Show special tokens. Without them, the rest of each row is divided by its sum, and the view says so.
    words : bool
        Join word pieces.
    difference : bool
        Show the second of two maps minus the first.
    silenced : sequence of (layer, head)
        Heads marked as switched off.

    Returns
    -------
    AttentionView
        Make it the last expression of a cell to see it; ``.save(path)`` writes it as a page.

    Raises
    ------
    ArgumentError
        For an unknown view, a layer or head that does not exist, and two maps of different tokens.
    """
    named = dict(maps) if isinstance(maps, Mapping) else {"": maps}
    first, *others = named.values()
    if len(others) > 1:
        raise ArgumentError(f"There are {len(named)} maps, {', '.join(map(repr, named))}; the view compares two.")
    for other in others:
        if other.tokens != first.tokens or other.weights.shape != first.weights.shape:
            raise ArgumentError(
                "The two maps are of different texts or models; only maps of the same tokens can be compared."
            )
    check_choice("view", view, VIEWS)
    check_range("layer", [layer, *(pair[0] for pair in silenced)], first.layers)
    check_range("head", [head, *more_heads, *(pair[1] for pair in silenced)], first.heads)
    state = {"view": view, "layer": int(layer), "head": int(head), "more_heads": [int(h) for h in more_heads]}
    state |= {"special": special, "words": words, "difference": difference}
    state["silenced"] = [[int(layer), int(head)] for layer, head in silenced]
    alt = f"Attention of {first.layers} layers with {first.heads} heads each for {len(first.tokens)} tokens."
    alt = f"{alt} {first.note}".rstrip()
    return AttentionView([pack_panel(each, title) for title, each in named.items()], state, alt)


def check_range(name: str, values: Iterable[int], count: int, error: type[Exception] = ArgumentError) -> None:
    """Raise `error` for a number of a layer or head that the model does not have."""
    for value in values:
        if not 0 <= value < count:
            raise error(f"{name}={value} is out of range; this model has {name}s 0 to {count - 1}.")
