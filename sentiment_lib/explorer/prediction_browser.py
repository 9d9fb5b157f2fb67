"""A table of predictions to filter and to read, with ipywidgets. Used in lesson 05."""

import html
from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd

from ..data.labels import LABEL_NAMES
from ..errors import ArgumentError
from ..evaluation.examples import label_flip_probability
from ..run.environment import needs_extra

with needs_extra("lessons"):
    import ipywidgets as ipw
    import traitlets

ROWS = 8  # predictions on a page
WHICH = ("all", "wrong", "wrong: called positive", "wrong: called negative", "right")
ORDERS = ("most confident first", "least confident first", "shortest first", "longest first")
EVERYWHERE = "all reviews"
POSITIVE, NEGATIVE = "#0072B2", "#D55E00"
TEXT = "var(--jp-content-font-color1, #222)"
FONT = "font-family: var(--jp-content-font-family, sans-serif)"


class PredictionBrowser(ipw.VBox):
    """Filter predictions by outcome, words, confidence and slice, and read them page by page.

    Parameters
    ----------
    predictions : pandas.DataFrame
        From :func:`sentiment_lib.evaluation.prediction_table`. With columns ``rating`` and ``rating_std``, the human
        rating and the doubt about the label are shown, too.
    slices : mapping of (str, str) to array of bool, optional
        From :func:`sentiment_lib.evaluation.make_slices`.

    Attributes
    ----------
    which, order, slice : str
    contains : str
        Show only reviews that contain this text, in upper or lower case.
    confidence : tuple of float
        Lowest and highest confidence shown.
    page : int
        Counted from 1.
    selected : pandas.DataFrame
        All rows that pass the filters, in the chosen order.
    """

    which = traitlets.Enum(WHICH, default_value="wrong")
    order = traitlets.Enum(ORDERS, default_value=ORDERS[0])
    slice = traitlets.Unicode(EVERYWHERE)
    contains = traitlets.Unicode("")
    confidence = traitlets.Tuple(traitlets.Float(), traitlets.Float(), default_value=(0.5, 1.0))
    page = traitlets.Int(1)

    def __init__(
        self, predictions: pd.DataFrame, slices: Mapping[tuple[str, str], Sequence[bool]] | None = None
    ) -> None:
        if not len(predictions):
            raise ArgumentError("predictions is empty; there is nothing to browse.")
        probability = predictions["probability"]
        self._table = predictions.assign(confidence=np.maximum(probability, 1 - probability))
        if {"rating", "rating_std"} <= set(predictions):
            self._table["doubt"] = label_flip_probability(predictions["rating"], predictions["rating_std"])
        self._slices = {f"{subject}: {name}": np.asarray(mask) for (subject, name), mask in (slices or {}).items()}
        wide = {"style": {"description_width": "80px"}, "layout": ipw.Layout(width="430px")}
        self._controls = {
            "which": ipw.Dropdown(options=WHICH, description="which", **wide),
            "order": ipw.Dropdown(options=ORDERS, description="order", **wide),
            "slice": ipw.Dropdown(options=[EVERYWHERE, *self._slices], description="slice", **wide),
            "contains": ipw.Text(description="contains", placeholder="a word, such as not", **wide),
            "confidence": ipw.FloatRangeSlider(min=0.5, max=1, step=0.01, description="confidence", **wide),
            "page": ipw.BoundedIntText(min=1, max=1, description="page", **wide),
        }
        self._shown = ipw.HTML()
        c = self._controls
        columns = [
            ipw.VBox([c["which"], c["slice"], c["contains"]]),
            ipw.VBox([c["order"], c["confidence"], c["page"]]),
        ]
        super().__init__([ipw.HBox(columns), self._shown])
        for name, control in self._controls.items():
            ipw.link((self, name), (control, "value"))
        self.observe(lambda _: self._filter(), ["which", "order", "slice", "contains", "confidence"])
        self.observe(lambda _: self._draw(), "page")
        self._filter()

    def __repr__(self) -> str:
        return f"PredictionBrowser(which={self.which!r}, {len(self.selected)} of {len(self._table)} reviews)"

    def _repr_mimebundle_(self, **kwargs):
        """The widget, and the current page as plain HTML, for readers who cannot run widgets."""
        bundle = super()._repr_mimebundle_(**kwargs)
        return bundle | {"text/html": self._shown.value} if isinstance(bundle, dict) else bundle

    @traitlets.validate("slice")
    def _known_slice(self, proposal):
        if proposal.value != EVERYWHERE and proposal.value not in self._slices:
            known = ", ".join(map(repr, [EVERYWHERE, *self._slices]))
            raise traitlets.TraitError(f"slice={proposal.value!r} is not known; there are {known}.")
        return proposal.value

    @traitlets.validate("page")
    def _in_range(self, proposal):
        return min(max(1, proposal.value), self._controls["page"].max)

    def _filter(self) -> None:
        """Select the rows again and go to the first page."""
        table = self._table
        right, called = table["predicted"] == table["label"], table["predicted"] == 1
        outcome = {
            "all": right | ~right,
            "wrong": ~right,
            "wrong: called positive": ~right & called,
            "wrong: called negative": ~right & ~called,
            "right": right,
        }[self.which]
        low, high = self.confidence
        keep = outcome & table["confidence"].between(low - 1e-9, high + 1e-9)
        if self.slice != EVERYWHERE:
            keep &= self._slices[self.slice]
        if self.contains:
            keep &= table["text"].str.contains(self.contains, case=False, regex=False)
        length = self.order in ORDERS[2:]
        key = table["text"].str.len() if length else table["confidence"]
        rising = self.order in (ORDERS[1], ORDERS[2])
        self.selected = table[keep].loc[key[keep].sort_values(ascending=rising, kind="stable").index]
        self._controls["page"].max = max(1, -(-len(self.selected) // ROWS))
        self.page = 1
        self._draw()

    def _draw(self) -> None:
        """Show the page."""
        first = (self.page - 1) * ROWS
        rows = self.selected.iloc[first : first + ROWS]
        caption = f"{len(self.selected):,} of {len(self._table):,} reviews"
        if len(rows):
            caption += f"; shown are {first + 1} to {first + len(rows)}"
        self._shown.value = render_predictions(rows, caption)


def render_predictions(table: pd.DataFrame, caption: str) -> str:
    """Rows of predictions as an HTML table. The text of a review is shown; markup in it never runs.

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
