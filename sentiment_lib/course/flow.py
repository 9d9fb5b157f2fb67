"""The diagram at the top of each lesson, which shows its place in the flow of data."""

from __future__ import annotations

from html import escape

# Lesson number: name, and left and top of its box. FILES, between the boxes, are what a lesson leaves for the next.
BOXES = {
    "01": ("Prepare data", 128, 92),
    "02": ("Baselines", 378, 24),
    "03": ("Fine-tune", 378, 92),
    "06": ("Explore attention", 378, 160),
    "07": ("Test the heads", 378, 228),
    "04": ("Measure", 628, 92),
    "05": ("Find the failures", 628, 160),
    "08": ("Design an experiment", 628, 24),
    "09": ("Where to go next", 628, 228),
}
WIDTH, HEIGHT = 160, 44
FILES = {"reviews": (54, 114), "splits": (333, 114), "model": (583, 114), "metrics.json": (845, 114)}
ARROWS = [
    [(92, 114), (128, 114)],
    [(288, 114), (308, 114)],
    [(358, 114), (378, 114)],
    [(345, 102), (345, 46), (378, 46)],
    [(538, 114), (558, 114)],
    [(608, 114), (628, 114)],
    [(583, 126), (583, 148), (458, 148), (458, 160)],
    [(458, 204), (458, 228)],
    [(708, 136), (708, 160)],
    [(788, 182), (845, 182), (845, 126)],
    [(538, 46), (583, 46), (583, 82), (660, 82), (660, 92)],
    [(788, 114), (802, 114)],
    [(845, 102), (845, 46), (788, 46)],
    [(870, 126), (870, 250), (788, 250)],
]
BLUE, GREY = "#005b96", "#5f5f5f"


def alternative_text(lesson: str) -> str:
    """The diagram in words."""
    position = f"; here: {lesson} {BOXES[lesson][0]}" if lesson in BOXES else ""
    return (
        "The flow of data: reviews go through 01 Prepare data into splits; 02 Baselines and 03 Fine-tune learn from "
        "them; 04 Measure judges both and writes metrics.json, 05 Find the failures adds to it, 08 Design an "
        "experiment builds on it, and 09 Where to go next sets it beside other models; 06 Explore attention and "
        f"07 Test the heads look into the model{position}."
    )


def diagram(lesson: str) -> str:
    """The diagram as SVG, with the box of `lesson` filled. Lesson ``"00"`` has no box."""
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 900 296" width="900" height="296" role="img" '
        f'font-family="Helvetica, Arial, sans-serif" font-size="14"><title>{escape(alternative_text(lesson))}</title>',
        '<defs><marker id="tip" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="7" markerHeight="7" orient="auto">'
        f'<path d="M0,0 L8,4 L0,8 z" fill="{GREY}"/></marker></defs>',
        '<rect width="900" height="296" fill="#ffffff"/>',
    ]
    for points in ARROWS:
        line = " ".join(f"{x},{y}" for x, y in points)
        parts.append(
            f'<polyline points="{line}" fill="none" stroke="{GREY}" stroke-width="1.4" marker-end="url(#tip)"/>'
        )
    for name, (x, y) in FILES.items():
        parts.append(f'<text x="{x}" y="{y + 5}" text-anchor="middle" font-style="italic" fill="#222222">{name}</text>')
    for number, (name, left, top) in BOXES.items():
        center = left + WIDTH / 2
        fill, color = (BLUE, "#ffffff") if number == lesson else ("#ffffff", "#222222")
        parts.append(
            f'<rect x="{left}" y="{top}" width="{WIDTH}" height="{HEIGHT}" rx="7" fill="{fill}" stroke="{BLUE}"/>'
            f'<text x="{center}" y="{top + 18}" text-anchor="middle" fill="{color}" font-weight="bold">{number}</text>'
            f'<text x="{center}" y="{top + 35}" text-anchor="middle" fill="{color}">{name}</text>'
        )
    return "\n".join([*parts, "</svg>", ""])
