"""The workbook's look, and how a figure gets into a notebook and a file."""

from __future__ import annotations

import io
import itertools
import textwrap
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import matplotlib
import numpy as np
import PIL.Image
from IPython.display import Image
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.colors import LinearSegmentedColormap
from matplotlib.figure import Figure
from PIL.PngImagePlugin import PngInfo

from ..run.files import replacing

# Okabe and Ito's colours, distinguishable with any kind of colour blindness.
BLUE, ORANGE, GREEN, GREY = "#0072B2", "#D55E00", "#009E73", "#6E6E6E"
PURPLE, SKY, YELLOW = "#CC79A7", "#56B4E9", "#B8860B"
_LOOKS = ((BLUE, "o"), (ORANGE, "s"), (GREEN, "^"), (PURPLE, "D"), (SKY, "v"), (YELLOW, "P"), (GREY, "X"))
# A method looks the same in every figure.
_KNOWN = {"BERT": 0, "TF-IDF + logistic regression": 1, "linear probe": 2, "VADER lexicon": 3, "majority class": 6}
_KNOWN |= {"BERT, 64 tokens": 4, "BERT, 128 tokens": 0, "BERT, 256 tokens": 5}
DPI = 150
_STYLE: dict[Any, Any] = {
    "font.size": 11,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.titlesize": 12,
    "axes.titlelocation": "left",
    "axes.grid": True,
    "axes.axisbelow": True,
    "grid.color": "#E4E4E4",
    "legend.frameon": False,
    "text.parse_math": False,  # a dollar sign in a text is a dollar sign
}
in_house_style = matplotlib.rc_context(_STYLE)  # a decorator: other figures of the process do not see the style


class DescribedFigure(Figure):
    """A figure with its alternative text."""

    alt: str = ""


def looks(names: Iterable[str]) -> dict[str, tuple[str, str]]:
    """A colour and a marker for each name: the usual ones for known methods, for others unused ones while they last."""
    names = list(names)
    free = [look for i, look in enumerate(_LOOKS) if i not in {_KNOWN.get(name) for name in names}]
    others = itertools.cycle(free or _LOOKS)
    return {name: _LOOKS[_KNOWN[name]] if name in _KNOWN else next(others) for name in names}


def signed_colors() -> LinearSegmentedColormap:
    """A colour map from orange (less) by white to blue (more)."""
    return LinearSegmentedColormap.from_list("signed", [ORANGE, "#F5F5F5", BLUE])


def new_figure(
    width: float, height: float, rows: int = 1, columns: int = 1, **grid: Any
) -> tuple[DescribedFigure, np.ndarray]:
    """An empty figure (inches) and its axes, shape ``(rows, columns)``; pyplot's state is not touched."""
    figure = DescribedFigure(figsize=(width, height), dpi=DPI, layout="constrained")
    return figure, figure.subplots(rows, columns, squeeze=False, **grid)


def add_note(figure: DescribedFigure, note: str) -> None:
    """Write a sentence below a figure and into its alternative text; an empty one changes nothing."""
    if note:
        figure.supxlabel(textwrap.fill(note, round(13 * figure.get_figwidth())), fontsize=9)
        figure.alt = f"{figure.alt} {note}"


def show(figure: DescribedFigure, path: Path | None = None) -> Image:
    """The figure as an image with alternative text for a notebook; also written as a PNG file if `path` is given."""
    png = to_png(figure)
    if path is not None:
        with replacing(path) as temporary:
            temporary.write_bytes(png)
    # an image of 150 dots per inch, shown at 96, is sharp on a high-resolution screen too
    return Image(data=png, alt=figure.alt, width=round(figure.get_figwidth() * 96))


def to_png(figure: DescribedFigure) -> bytes:
    """The figure as the bytes of a PNG file, the same bytes for the same figure.

    A palette of 256 colours takes a third of the space, without a visible difference.
    """
    buffer, info = io.BytesIO(), PngInfo()
    canvas = FigureCanvasAgg(figure)
    canvas.draw()
    picture = PIL.Image.fromarray(np.asarray(canvas.buffer_rgba())).convert("RGB")
    info.add_itxt("Description", figure.alt)
    small = picture.quantize(256, method=PIL.Image.Quantize.MEDIANCUT, dither=PIL.Image.Dither.NONE)
    small.save(buffer, "png", optimize=True, pnginfo=info, dpi=(DPI, DPI))
    return buffer.getvalue()
