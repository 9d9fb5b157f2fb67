"""Predictions as HTML: pure functions, so that tests and static pages see what the widgets show.

The text of a review is shown; markup in it never runs.
"""

import html

import pandas as pd

from ..data.labels import LABEL_NAMES
from ..evaluation.predictions import logit

NEGATIVE, POSITIVE = "#D55E00", "#0072B2"
TEXT = "var(--jp-content-font-color1, #222)"
FONT = "font-family: var(--jp-content-font-family, sans-serif)"


def render_prediction(probability: float, baseline: float | None = None) -> str:
    """The prediction as a bar in HTML: orange for negative, blue for positive.

    Parameters
    ----------
    probability : float
        Probability of positive.
    baseline : float, optional
        Probability of positive with all heads on. The bar marks it, and the text states the change.
    """
    label = LABEL_NAMES[int(probability >= 0.5)]
    color = POSITIVE if probability >= 0.5 else NEGATIVE
    change = mark = ""
    if baseline is not None:
        difference = float(logit([probability])[0] - logit([baseline])[0])
        change = (
            f" · with all heads on {baseline:.3f}; switching off changed the logit of positive by {difference:+.2f}"
        )
        style = f"position:absolute;left:{baseline:.1%};top:-5px;height:22px;border-left:3px solid #009E73"
        mark = f'<div style="{style}"></div>'
    return (
        f'<div role="img" aria-label="{label}, probability of positive {probability:.3f}{change}" style="{FONT}">'
        f'<div style="font-size:15px"><b style="color:{color}">{label}</b> '
        f'<span style="color:{TEXT}">probability of positive: {probability:.3f}{change}</span></div>'
        '<div style="width:300px;height:12px;border-radius:6px;background:#D0D0D0;position:relative">'
        f'<div style="width:{probability:.1%};height:12px;border-radius:6px;background:{color}"></div>'
        '<div style="position:absolute;left:50%;top:-3px;height:18px;border-left:2px solid #888"></div>'
        f"{mark}</div></div>"
    )


def render_predictions(table: pd.DataFrame, caption: str) -> str:
    """Rows of predictions as an HTML table.

    Parameters
    ----------
    table : pandas.DataFrame
        ``text``, ``label``, ``predicted`` (0 or 1) and ``confidence``; optionally ``rating`` and ``doubt``.
    caption : str
    """
    extra = [name for name in ("rating", "doubt") if name in table]
    titles = {"rating": "human rating", "doubt": "doubt about the label"}
    heads = ["review", "label", "predicted", "confidence", *(titles[name] for name in extra)]
    cell = 'style="text-align:left;vertical-align:top;padding:4px 8px;white-space:normal"'
    rows = []
    for row in table.to_dict("records"):
        right = row["label"] == row["predicted"]
        mark = f'<b style="color:{POSITIVE if right else NEGATIVE}">{"✓" if right else "✗"}</b>'
        values = [html.escape(row["text"]), LABEL_NAMES[row["label"]], f"{mark} {LABEL_NAMES[row['predicted']]}"]
        values.append(f"{row['confidence']:.3f}")
        values += [f"{row[name]:+.2f}" if name == "rating" else f"{row[name]:.0%}" for name in extra]
        rows.append("<tr>" + "".join(f"<td {cell}>{value}</td>" for value in values) + "</tr>")
    head = "".join(f'<th scope="col" {cell}>{name}</th>' for name in heads)
    return (
        f'<table style="{FONT};color:{TEXT};line-height:1.35;max-width:960px;border-collapse:collapse">'
        f'<caption style="text-align:left;padding:4px 8px">{html.escape(caption)}</caption>'
        f"<thead><tr>{head}</tr></thead><tbody>{''.join(rows)}</tbody></table>"
    )
