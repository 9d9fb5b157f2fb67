"""The workbook's look, and how a figure gets into a notebook and a file."""

from __future__ import annotations

import functools
import io
from collections.abc import Callable, Iterable
from pathlib import Path

import numpy as np

from ..run.environment import needs_extra
from ..run.files import replacing

with needs_extra("lessons"):
    import matplotlib
    from IPython.display import Image
    from matplotlib.figure import Figure

# Okabe and Ito's colours, told apart by people with any kind of colour blindness.
BLUE, ORANGE, GREEN, GREY = "#0072B2", "#D55E00", "#009E73", "#6E6E6E"
PURPLE, SKY, YELLOW = "#CC79A7", "#56B4E9", "#B8860B"
_LOOKS = ((BLUE, "o"), (ORANGE, "s"), (GREEN, "^"), (PURPLE, "D"), (SKY, "v"), (YELLOW, "P"), (GREY, "X"))
# A method looks the same in every figure.
_KNOWN = {"BERT": 0, "TF-IDF + logistic regression": 1, "linear probe": 2, "VADER lexicon": 3, "majority class": 6}
_KNOWN |= {"BERT, 64 tokens": 4, "BERT, 128 tokens": 0, "BERT, 256 tokens": 5}
DPI = 150
_STYLE = {
    "font.size": 11,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.titlesize": 12,
    "axes.titlelocation": "left",
    "axes.grid": True,
    "axes.axisbelow": True,
    "grid.color": "#E4E4E4",
    "legend.frameon": False,
}


def in_house_style(draw: Callable[..., Figure]) -> Callable[..., Figure]:
    """A drawing function: `draw` with the workbook's style, which other figures of the same process do not see."""

    @functools.wraps(draw)
    def styled(*args, **kwargs) -> Figure:
        with matplotlib.rc_context(_STYLE):
            return draw(*args, **kwargs)

    return styled


def looks(names: Iterable[str]) -> dict[str, tuple[str, str]]:
    """A colour and a marker for each name: the usual ones for known methods, unused ones for the others."""
    names = list(names)
    free = [i for i in range(len(_LOOKS)) if i not in {_KNOWN.get(name) for name in names}]
    return {name: _LOOKS[_KNOWN[name] if name in _KNOWN else free.pop(0)] for name in names}


def signed_colors():
    """A colour map from orange (less) by white to blue (more)."""
    from matplotlib.colors import LinearSegmentedColormap

    return LinearSegmentedColormap.from_list("signed", [ORANGE, "#F5F5F5", BLUE])


def new_figure(width: float, height: float, rows: int = 1, columns: int = 1, **grid) -> tuple[Figure, np.ndarray]:
    """An empty figure (inches) and its axes, shape ``(rows, columns)``; pyplot's state is not touched."""
    figure = Figure(figsize=(width, height), dpi=DPI, layout="constrained")
    return figure, figure.subplots(rows, columns, squeeze=False, **grid)


def show(figure: Figure, path: Path | None = None) -> Image:
    """The figure as a picture with alternative text for a notebook; kept as a PNG file where `path` is given."""
    png = to_png(figure)
    if path is not None:
        with replacing(path) as beside:
            beside.write_bytes(png)
    # a picture of 150 dots an inch, shown at 96, is sharp on a fine screen too
    return Image(data=png, alt=figure.alt, width=round(figure.get_figwidth() * 96))


def to_png(figure: Figure) -> bytes:
    """The figure as the bytes of a PNG file, the same bytes for the same figure.

    With a palette of 256 colours it takes a third of the room, and nobody sees the difference.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from PIL import Image
    from PIL.PngImagePlugin import PngInfo

    buffer, info = io.BytesIO(), PngInfo()
    canvas = FigureCanvasAgg(figure)
    canvas.draw()
    picture = Image.fromarray(np.asarray(canvas.buffer_rgba())).convert("RGB")
    info.add_itxt("Description", figure.alt)
    small = picture.quantize(256, method=Image.Quantize.MEDIANCUT, dither=Image.Dither.NONE)
    small.save(buffer, "png", optimize=True, pnginfo=info, dpi=(DPI, DPI))
    return buffer.getvalue()
