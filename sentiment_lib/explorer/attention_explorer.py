"""The attention explorer: a live model, its heads and its prediction, with ipywidgets.

Used in lessons 05 and 06. The picture is drawn by the same JavaScript as the attention view
(:mod:`sentiment_lib.explorer.attention_view`); here it hangs on a kernel that computes new weights.
"""

from __future__ import annotations

import html
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from .. import plots
from ..attention.maps import AttentionMaps, attention_maps, condense
from ..attention.silencing import silenced
from ..attention.statistics import HeadStatistics, head_statistics, peculiar_texts
from ..errors import ArgumentError
from ..model.inference import Classifier
from ..run.environment import needs_extra
from ..run.paths import short_path
from ..settings import Encoding
from .rendering import FONT, TEXT, render_prediction
from .view import STATE, VIEWS, AttentionCanvas, AttentionView, attention_view, pack_panel

with needs_extra("lessons"):
    import ipywidgets as ipw
    import traitlets

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure
    from transformers import PreTrainedModel, PreTrainedTokenizerBase

_OWN_TEXT = "(a text of your own)"
_NOTHING, _BEFORE, _ALL_ON = "nothing", "before fine-tuning", "all heads on"


class AttentionExplorer(ipw.VBox):
    """Choose or type a review, look at any head, switch heads off, and see attention and prediction change.

    Parameters
    ----------
    model, tokenizer
        From :func:`sentiment_lib.initialize_model_and_tokenizer`.
    reviews : mapping of str to str
        Title and text of the reviews to choose from.
    max_length : int
        Longest text in tokens; what is longer is cut (head+tail).
    before : transformers.PreTrainedModel, optional
        The checkpoint before fine-tuning, to compare with.
    corpus : sequence of str
        Texts among which those are found that are peculiar for a head.
    folder : pathlib.Path, optional
        Where :meth:`save` puts its files; default: the current folder.

    Attributes
    ----------
    text : str
    layer, head : int
        What is shown, counted from 0; like all that follow readable and settable from code.
    view : {"bipartite", "heatmap", "overview"}
    more_heads : list of int
        Further heads of the layer in the bipartite view.
    special, words : bool
        Show special tokens; put word pieces together.
    silenced : list of (int, int)
        Heads that are switched off, as (layer, head).
    compare : {"nothing", "before fine-tuning", "all heads on"}
        What is shown beside it.
    difference : bool
        Show the difference to that instead.
    maps : AttentionMaps
        All weights of the text, and its prediction, with the silenced heads off.
    """

    text = traitlets.Unicode()
    layer = traitlets.Int()
    head = traitlets.Int()
    view = traitlets.Enum(VIEWS, VIEWS[0])
    more_heads = traitlets.List(traitlets.Int())
    special = traitlets.Bool(True)
    words = traitlets.Bool(False)
    silenced = traitlets.List()
    compare = traitlets.Enum((_NOTHING, _BEFORE, _ALL_ON), _NOTHING)
    difference = traitlets.Bool(False)

    def __init__(
        self,
        model: PreTrainedModel,
        tokenizer: PreTrainedTokenizerBase,
        reviews: Mapping[str, str],
        *,
        max_length: int = 64,
        before: PreTrainedModel | None = None,
        corpus: Sequence[str] = (),
        folder: Path | None = None,
    ) -> None:
        if not reviews:
            raise ArgumentError("reviews is empty; give at least one title with its text.")
        self._model, self._tokenizer, self._max_length, self._before = model, tokenizer, max_length, before
        self._corpus, self._folder = list(corpus), Path(folder) if folder else Path()
        self._statistics: HeadStatistics | None = None
        self._whole: tuple[str, AttentionMaps] | None = None  # the text last read, with all heads on
        self._shape = {"layer": model.config.num_hidden_layers, "head": model.config.num_attention_heads}
        self._reviews = dict(reviews)
        self.canvas = AttentionCanvas()
        self._prediction, self._said = ipw.HTML(), ipw.HTML()
        super().__init__(self._make_controls())
        self._wire()
        self.text = next(iter(self._reviews.values()))
        self._read()

    def __repr__(self) -> str:
        off = f", silenced={self.silenced}" if self.silenced else ""
        return f"AttentionExplorer(layer={self.layer}, head={self.head}, text={self.text[:60]!r}{off})"

    def _repr_mimebundle_(self, **kwargs):
        """The widget, and what it shows now as a picture for readers who cannot run widgets."""
        figure = self.figure()
        bundle = super()._repr_mimebundle_(**kwargs) | {"image/png": plots.to_png(figure)}
        return bundle, {"image/png": {"alt": figure.alt}}

    def _make_controls(self) -> list[ipw.Widget]:
        wide = {"style": {"description_width": "70px"}}

        def box(width: str) -> dict:
            return wide | {"layout": ipw.Layout(width=width)}

        def button(text: str, action, tip: str, width: str = "auto") -> ipw.Button:
            made = ipw.Button(description=text, tooltip=tip, layout=ipw.Layout(width=width))
            made.on_click(lambda _: action())
            return made

        last = {name: count - 1 for name, count in self._shape.items()}
        compare = [_NOTHING, *([_BEFORE] if self._before is not None else []), _ALL_ON]
        self.controls = c = {
            "review": ipw.Dropdown(
                options=[*self._reviews.items(), (_OWN_TEXT, "")], description="review", **box("560px")
            ),
            "text": ipw.Textarea(
                description="or type", placeholder="Type a review of your own", continuous_update=True,
                **wide | {"layout": ipw.Layout(width="760px", height="64px")},
            ),
            "layer": ipw.IntSlider(max=last["layer"], description="layer", **box("330px")),
            "head": ipw.IntSlider(max=last["head"], description="head", **box("330px")),
            "play": ipw.Play(max=last["head"], interval=900, show_repeat=True),
            "view": ipw.Dropdown(options=[("lines", "bipartite"), ("heatmap", "heatmap"), ("all heads", "overview")],
                                 description="view", **box("220px")),
            "special": ipw.Checkbox(description="special tokens", indent=False, layout=ipw.Layout(width="130px")),
            "words": ipw.Checkbox(description="whole words", indent=False, layout=ipw.Layout(width="120px")),
            "compare": ipw.Dropdown(options=compare, description="compare with", style={"description_width": "90px"},
                                    layout=ipw.Layout(width="270px")),
            "difference": ipw.Checkbox(description="as difference", indent=False, layout=ipw.Layout(width="130px")),
            "off": ipw.ToggleButton(description="switch this head off", tooltip="off: its output is 0",
                                    layout=ipw.Layout(width="190px")),
        }  # fmt: skip
        every = button("all heads on", lambda: self.set_trait("silenced", []), "undo all switching off")
        odd = button("reviews peculiar for this head", self._offer_peculiar, "where it does least what it usually does")
        odd.layout.display = None if self._corpus else "none"
        png, page = (
            button(f"save {kind.upper()}", lambda kind=kind: self._save_and_say(kind), f"what is shown, as .{kind}")
            for kind in ("png", "html")
        )
        self.buttons = {"all on": every, "peculiar": odd, "png": png, "html": page}
        return [
            ipw.HBox([c["review"], odd]),
            c["text"],
            ipw.HBox([c["layer"], c["head"], c["play"]]),
            ipw.HBox([c["view"], c["special"], c["words"], c["compare"], c["difference"]]),
            ipw.HBox([c["off"], every, png, page]),
            self._said,
            self._prediction,
            self.canvas,
        ]

    def _wire(self) -> None:
        c = self.controls
        # first of all, so that the prediction is on its way before the picture is drawn anew
        self.observe(lambda _: self._read(), ["text", "silenced", "compare"])
        for name in ("text", "layer", "head", "view", "special", "words", "compare", "difference"):
            ipw.link((self, name), (c[name], "value"))
        for name in ("view", "special", "words", "difference", "more_heads", "silenced"):
            ipw.link((self, name), (self.canvas, name))
        # sliders and picture are linked in the browser: no way round by the kernel
        self._links = [ipw.jslink((c[name], "value"), (self.canvas, name)) for name in ("layer", "head")]
        self._links.append(ipw.jslink((c["play"], "value"), (c["head"], "value")))
        c["review"].observe(lambda change: change.new and self.set_trait("text", change.new), "value")
        c["off"].observe(lambda change: self._switch(change.new), "value")
        self.observe(lambda _: self._show_switch(), ["layer", "head", "silenced"])

    @traitlets.validate("layer", "head")
    def _in_range(self, proposal):
        self._check(proposal.trait.name, proposal.value)
        return proposal.value

    @traitlets.validate("more_heads")
    def _heads_in_range(self, proposal):
        for head in proposal.value:
            self._check("head", head)
        return proposal.value

    @traitlets.validate("silenced")
    def _pairs_in_range(self, proposal):
        for layer, head in proposal.value:
            self._check("layer", layer)
            self._check("head", head)
        return sorted({(int(layer), int(head)) for layer, head in proposal.value})

    @traitlets.validate("compare")
    def _comparable(self, proposal):
        if proposal.value == _BEFORE and self._before is None:
            raise traitlets.TraitError(
                f"compare={_BEFORE!r} needs the other model: AttentionExplorer(..., before=model)."
            )
        return proposal.value

    def _check(self, name: str, value: int) -> None:
        if not 0 <= value < self._shape[name]:
            raise traitlets.TraitError(
                f"{name}={value} is out of range; this model has {name}s 0 to {self._shape[name] - 1}."
            )

    def _switch(self, off: bool) -> None:
        here = (self.layer, self.head)
        if off != (here in self.silenced):
            self.silenced = [*self.silenced, here] if off else [pair for pair in self.silenced if pair != here]

    def _show_switch(self) -> None:
        self.controls["off"].value = (self.layer, self.head) in self.silenced
        names = ", ".join(f"layer {layer} head {head}" for layer, head in self.silenced)
        self._say(f"switched off: {names or 'no head'}")

    def _say(self, text: str) -> None:
        self._said.value = f'<span style="{FONT};color:{TEXT}">{text}</span>'

    def _maps(self, model: PreTrainedModel, off: Sequence[tuple[int, int]] = ()) -> AttentionMaps:
        with silenced(model, off):
            return attention_maps(self.text, model, self._tokenizer, max_length=self._max_length)

    def _read(self) -> None:
        """Run the model on the text: new prediction, new weights."""
        if self._whole is None or self._whole[0] != self.text:
            self._whole = self.text, self._maps(self._model)
        whole = self._whole[1]
        self.maps = self._maps(self._model, self.silenced) if self.silenced else whole
        self._prediction.value = render_prediction(self.maps.probability, whole.probability if self.silenced else None)
        self.controls["review"].value = self.text if self.text in self._reviews.values() else ""
        other = {_BEFORE: lambda: self._maps(self._before), _ALL_ON: lambda: whole}.get(self.compare)
        self._shown = {self.compare: other(), "now": self.maps} if other else {"": self.maps}
        packed = [pack_panel(maps, title) for title, maps in self._shown.items()]
        self.canvas.panels = [{**panel, "packed": weights} for panel, weights in packed]

    def _offer_peculiar(self) -> None:
        rows = self.peculiar()
        here = f"peculiar for {self.layer}·{self.head}"
        named = {f"{here}: {row.what} {row.value:.2f}, usually {row.usual:.2f} ({i + 1})":
                 row.text for i, row in enumerate(rows.itertuples())}  # fmt: skip
        self._reviews |= named
        self.controls["review"].options = [*self._reviews.items(), (_OWN_TEXT, "")]
        self.text = rows["text"][0]
        self.controls["review"].value = self.text

    def peculiar(self, n: int = 5) -> pd.DataFrame:
        """The reviews of the corpus on which the chosen head is most peculiar.

        The corpus is read when this is first called (500 short reviews: about 3 s on two cores).

        Returns
        -------
        pandas.DataFrame
            As from :func:`sentiment_lib.attention.peculiar_texts`, with the ``text``.
        """
        if not self._corpus:
            raise ArgumentError("There is no corpus to look in: AttentionExplorer(..., corpus=texts).")
        if self._statistics is None:
            classifier = Classifier(self._model, self._tokenizer, Encoding(self._max_length))
            self._statistics = head_statistics(self._corpus, classifier, per_text=True)
        found = peculiar_texts(self._statistics, self.layer, self.head, n)
        return found.assign(text=[self._corpus[i] for i in found["place"]])

    def figure(self) -> Figure:
        """What is shown, as a matplotlib figure."""
        maps = {title: condense(one, words=self.words, special=self.special) for title, one in self._shown.items()}
        state = {name: getattr(self, name) for name in STATE if name not in ("special", "words", "view")}
        return plots.attention(maps, self.view, **state)

    def page(self) -> AttentionView:
        """What is shown, as an attention view that needs no kernel."""
        return attention_view(self._shown, **{name: getattr(self, name) for name in STATE})

    def save(self, name: str) -> Path:
        """Write what is shown into the explorer's folder.

        Parameters
        ----------
        name : str
            Ends in ``.png`` (a picture) or ``.html`` (a page that can be played with, without a kernel).

        Returns
        -------
        pathlib.Path
        """
        path = self._folder / name
        if path.suffix == ".html":
            return self.page().save(path)
        if path.suffix != ".png":
            raise ArgumentError(f"name={name!r} should end in .png or .html.")
        plots.show(self.figure(), path)
        return path

    def _save_and_say(self, kind: str) -> None:
        path = self.save(f"explorer_{self.view}_layer{self.layer}_head{self.head}.{kind}")
        self._say(f"saved {html.escape(short_path(path))}")
