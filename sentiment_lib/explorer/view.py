"""The attention view: a piece of HTML that shows every head of a text, without a kernel and without a network.

Used in lessons 05 and 06. What is drawn and how it answers is in ``front_end/``: plain JavaScript without any
dependency, shared with the explorer of :mod:`sentiment_lib.explorer.attention_explorer`.
"""

from __future__ import annotations

import base64
import hashlib
import html
import json
import zlib
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

from ..attention.maps import AttentionMaps
from ..errors import ArgumentError
from ..run.environment import needs_extra
from ..run.files import replacing

with needs_extra("lessons"):
    import anywidget
    import traitlets

VIEWS = ("bipartite", "heatmap", "overview")
STATE = ("view", "layer", "head", "more_heads", "special", "words", "difference", "silenced")  # what can be set
LONG = 128  # tokens; in longer texts, weights below FLOOR are left out so that the view stays small
FLOOR = 0.002


@cache
def front_end() -> str:
    """The JavaScript of the view, its style included."""
    folder = Path(__file__).parent / "front_end"
    style, data, view = (
        (folder / name).read_text(encoding="utf-8")
        for name in ("attention_view.css", "attention_data.js", "attention_view.js")
    )
    return f"const ATTENTION_VIEW_STYLE = {json.dumps(style)};\n{data}\n{view}"


def pack_panel(maps: AttentionMaps, title: str = "") -> tuple[dict[str, Any], bytes]:
    """What the front end needs to know of some maps, and their weights, packed.

    A weight is one byte, ``round(255 * sqrt(weight))``: at most 0.004 off, and small weights less. The bytes
    are deflated. 64 tokens of 6 layers x 12 heads take about 200 kB.
    """
    floor = FLOOR if len(maps.tokens) > LONG else 0.0
    weights = np.where(maps.weights < floor, 0, maps.weights) if floor else maps.weights
    codes = np.rint(255 * np.sqrt(np.clip(weights, 0, 1))).astype(np.uint8)
    panel = {"title": title, "tokens": list(maps.tokens), "words": list(maps.words)}
    panel |= {"layers": maps.layers, "heads": maps.heads, "floor": floor}
    return panel, zlib.compress(codes.tobytes(), 6 if len(maps.tokens) <= LONG else 1)


class AttentionCanvas(anywidget.AnyWidget):
    """The picture of the explorer, drawn in the browser; what it shows is set by the explorer."""

    _esm = (
        front_end()
        + """
export default {
  async render({ model, el }) {
    const keys = """
        + json.dumps(STATE)
        + """;
    const unpack = () => Promise.all(model.get("panels").map((panel) => unpackPanel(panel, panel.packed)));
    const state = () => Object.fromEntries(keys.map((key) => [key, model.get(key)]));
    const onChange = (part) => {
      for (const [key, value] of Object.entries(part)) model.set(key, value);
      model.save_changes();
    };
    const view = createAttentionView(el, { panels: await unpack(), state: state(), toolbar: false, onChange });
    let newest = 0; // texts typed fast: only the last answer counts
    model.on("change:panels", async () => {
      const mine = (newest += 1), panels = await unpack();
      if (mine === newest) view.load(panels, state());
    });
    for (const key of keys) model.on(`change:${key}`, () => view.set({ [key]: model.get(key) }));
  },
};
"""
    )
    panels = traitlets.List().tag(sync=True)
    view = traitlets.Unicode(VIEWS[0]).tag(sync=True)
    layer = traitlets.Int().tag(sync=True)
    head = traitlets.Int().tag(sync=True)
    more_heads = traitlets.List().tag(sync=True)
    special = traitlets.Bool(True).tag(sync=True)
    words = traitlets.Bool(False).tag(sync=True)
    difference = traitlets.Bool(False).tag(sync=True)
    silenced = traitlets.List().tag(sync=True)


class AttentionView:
    """Shows itself in JupyterLab, VS Code, classic viewers and exported pages. Made by :func:`attention_view`."""

    def __init__(self, panels: list[tuple[dict[str, Any], bytes]], state: dict[str, Any], alt: str) -> None:
        self._panels, self._state, self.alt = panels, state, alt

    def __repr__(self) -> str:
        return f"AttentionView({self.alt})"

    def _repr_html_(self) -> str:
        data = {"panels": [], "state": self._state}
        for panel, packed in self._panels:
            data["panels"].append({**panel, "packed": base64.b64encode(packed).decode()})
        # a text may hold "</script>": as JSON, "<" can be written in another way
        text = json.dumps(data, ensure_ascii=True).replace("<", "\\u003c")
        name = hashlib.sha256(text.encode()).hexdigest()[:16]
        return (
            f'<div data-attention-view="{name}"><p>{html.escape(self.alt)} The view itself needs JavaScript; in '
            "JupyterLab, trust the notebook or run the cell.</p>"
            f'<script type="application/json">{text}</script></div>\n<script>(() => {{\n{front_end()}\n'
            f"""for (const host of document.querySelectorAll('[data-attention-view="{name}"]:not([data-mounted])')) {{
  host.dataset.mounted = "yes";
  const data = JSON.parse(host.querySelector("script").textContent);
  Promise.all(data.panels.map((panel) => unpackPanel(panel, bytesOf(panel.packed))))
    .then((panels) => createAttentionView(host, {{ panels, state: data.state }}));
}}
}})();</script>"""
        )

    def save(self, path: str | Path) -> Path:
        """Write the view as one HTML page that needs neither a network nor a kernel."""
        path = Path(path)
        with replacing(path) as beside:
            beside.write_text(
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
    """All attention weights of a text, to look at and to play with, in one self-contained piece of HTML.

    Three views: lines between tokens (a colour a head), the heatmap of a head, and all heads at a glance. A
    token that is pointed at or focused shows its own weights alone, as numbers.

    Parameters
    ----------
    maps : AttentionMaps or mapping of str to AttentionMaps
        From :func:`sentiment_lib.attention_maps`; or two of the same tokens with their titles, to be compared
        side by side.
    view : {"bipartite", "heatmap", "overview"}
        What is shown first; like all that follow it can be changed in the view.
    layer, head : int
        Counted from 0.
    more_heads : sequence of int
        Further heads of this layer in the bipartite view.
    special : bool
        Show special tokens; if not, the rest of each row is divided by its sum, and the view says so.
    words : bool
        Put word pieces together.
    difference : bool
        Of two maps show the second minus the first.
    silenced : sequence of (layer, head)
        Heads marked as switched off.

    Returns
    -------
    AttentionView
        Put it last in a cell to see it; ``.save(path)`` writes it as a page.

    Raises
    ------
    ArgumentError
        For an unknown view, a layer or head that is not there, and two maps of different tokens.
    """
    named = dict(maps) if isinstance(maps, Mapping) else {"": maps}
    first, *others = named.values()
    if len(others) > 1:
        raise ArgumentError(f"There are {len(named)} maps, {', '.join(map(repr, named))}; the view compares two.")
    for other in others:
        if other.tokens != first.tokens or other.weights.shape != first.weights.shape:
            raise ArgumentError("The two maps are of different texts or models; only maps of the same tokens compare.")
    if view not in VIEWS:
        raise ArgumentError(f"view={view!r} is not one of {', '.join(VIEWS)}.")
    _check_place("layer", [layer, *(at for at, _ in silenced)], first.layers)
    _check_place("head", [head, *more_heads, *(at for _, at in silenced)], first.heads)
    state = {"view": view, "layer": int(layer), "head": int(head), "more_heads": [int(h) for h in more_heads]}
    state |= {"special": special, "words": words, "difference": difference}
    state["silenced"] = [[int(at), int(h)] for at, h in silenced]
    alt = f"Attention of {first.layers} layers with {first.heads} heads each for {len(first.tokens)} tokens."
    return AttentionView([pack_panel(one, title) for title, one in named.items()], state, alt)


def _check_place(name: str, wanted: Sequence[int], there: int) -> None:
    for value in wanted:
        if not 0 <= value < there:
            raise ArgumentError(f"{name}={value} is out of range; this model has {name}s 0 to {there - 1}.")
