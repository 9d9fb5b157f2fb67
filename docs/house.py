"""Draw the rooms of sentiment_lib and their imports: docs/house.svg.

python docs/house.py
"""

import ast
from html import escape
from pathlib import Path

import grimp

HERE = Path(__file__).resolve().parent
LIBRARY = HERE.parent / "sentiment_lib"
# In the order of the layers in pyproject.toml, the lowest first.
ROOMS = (
    *("errors", "run", "settings", "data", "model", "evaluation"),
    *("attention", "plots", "explorer", "experiments", "course", "cli"),
)
ROW, COLUMN, LEFT, TOP = 36, 34, 16, 118
BOX, NAME = 560, 116  # width of a box, and of the name in it
STYLE = """
    text { font: 14px system-ui, sans-serif; fill: #1f2937 }
    .name { font-weight: 600 }
    .head { font-size: 13px; fill: #4b5563 }
    .box { fill: #eef2ff; stroke: #6366f1 }
    .line { stroke: #d1d5db }
    .import { fill: #6366f1 }
    .count { font-size: 11px; fill: #ffffff; text-anchor: middle }
    .own { fill: none; stroke: #9ca3af }
    @media (prefers-color-scheme: dark) {
      text { fill: #e5e7eb } .head { fill: #9ca3af } .box { fill: #1e1b4b; stroke: #818cf8 } .line { stroke: #374151 }
    }
"""


def imports() -> dict[tuple[str, str], int]:
    """How many imports lead from one room to another: ``{(importing, imported): count}``."""
    graph = grimp.build_graph("sentiment_lib", exclude_type_checking_imports=True, cache_dir=None)
    found: dict[tuple[str, str], int] = {}
    for module in graph.modules:
        for imported in graph.find_modules_directly_imported_by(module):
            pair = tuple(([*name.split("."), ""])[1] for name in (module, imported))
            if pair[0] != pair[1] and set(pair) <= set(ROOMS):
                found[pair] = found.get(pair, 0) + 1
    return found


def first_line(room: str) -> str:
    """What happens in a room: the first line of its docstring."""
    path = LIBRARY / f"{room}.py"
    path = path if path.is_file() else LIBRARY / room / "__init__.py"
    return (ast.get_docstring(ast.parse(path.read_text(encoding="utf-8"))) or "").splitlines()[0].replace("``", "")


def picture() -> str:
    """The SVG: a row for each room, and in it how often it imports from the room of each column."""
    counts = imports()
    alt = "; ".join(
        f"{room} imports from {', '.join(to for to in ROOMS if (room, to) in counts) or 'no other room'}"
        for room in ROOMS
    )
    first = LEFT + BOX + COLUMN  # the middle of the first column
    width, height = first + COLUMN * len(ROOMS) + 40, TOP + ROW * len(ROOMS) + 10
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}" role="img">',
        f"<title>The rooms of sentiment_lib: {escape(alt)}.</title>",
        f"<style>{STYLE}</style>",
        f'<text x="{LEFT}" y="{TOP - 16}" class="head">Each row: how many imports of this room lead to the room of the '
        "column.</text>",
    ]
    for number, room in enumerate(ROOMS):
        y, x = TOP + ROW * number, first + COLUMN * number
        parts += [
            f'<rect class="box" x="{LEFT}" y="{y}" width="{BOX}" height="{ROW - 6}" rx="6"/>',
            f'<text class="name" x="{LEFT + 12}" y="{y + 20}">{room}</text>',
            f'<text x="{LEFT + NAME}" y="{y + 20}">{escape(shorten(first_line(room)))}</text>',
            f'<text class="name" transform="translate({x + 5} {TOP - 12}) rotate(-60)">{room}</text>',
            f'<path class="line" d="M{LEFT + BOX} {y + 15} H{x - 9} M{x} {y + 24} V{TOP + ROW * len(ROOMS)}"/>',
            f'<circle class="own" cx="{x}" cy="{y + 15}" r="9"/>',
        ]
    for (importing, imported), count in sorted(counts.items()):
        x, y = first + COLUMN * ROOMS.index(imported), TOP + ROW * ROOMS.index(importing) + 15
        parts += [
            f'<circle class="import" cx="{x}" cy="{y}" r="{8 + min(count, 36) ** 0.5:.1f}"/>',
            f'<text class="count" x="{x}" y="{y + 4}">{count}</text>',
        ]
    return "\n".join([*parts, "</svg>"]) + "\n"


def shorten(text: str, most: int = 60) -> str:
    """The first sentence or clause of a line, short enough for a box."""
    text = text.removesuffix(".").replace(":class:`matplotlib.figure.Figure`", "matplotlib figure")
    return text if len(text) <= most else text[:most].rsplit(" ", 1)[0] + " …"


if __name__ == "__main__":
    (HERE / "house.svg").write_text(picture(), encoding="utf-8")
