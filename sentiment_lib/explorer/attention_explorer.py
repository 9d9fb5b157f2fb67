"""The attention explorer: a live model, its heads and its prediction, with ipywidgets.

Used in lessons 06 and 07. The same JavaScript as in :mod:`sentiment_lib.explorer.view` draws the picture; here a kernel
computes new weights.
"""

import html
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path

import pandas as pd
from transformers import PreTrainedModel, PreTrainedTokenizerBase

from .. import plots
from ..attention.maps import AttentionMaps, attention_maps, condense
from ..attention.silencing import silenced
from ..attention.statistics import HeadStatistics, head_statistics, peculiar_texts
from ..errors import ArgumentError
from ..model.inference import Classifier
from ..plots.style import DescribedFigure
from ..run.environment import needs_extra
from ..run.paths import short_path
from ..settings import Encoding
from .rendering import FONT, TEXT, render_prediction
from .view import STATE, VIEWS, AttentionCanvas, AttentionView, attention_view, check_range, pack_panel

with needs_extra("lessons"):
    import ipywidgets as ipw
    import traitlets

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
        Longest text in tokens, up to the model's limit; longer texts are cut (head+tail).
    before : transformers.PreTrainedModel, optional
        The checkpoint before fine-tuning, to compare with.
    corpus : sequence of str
        Texts to search for those that are peculiar for a head.
    folder : pathlib.Path, optional
        Where :meth:`save` writes its files. Default: the current folder.

    Attributes
    ----------
    text : str
    view, layer, head, more_heads, special, words, difference
        As in :func:`sentiment_lib.attention_view`. Code can read and set them, like all attributes but `maps`.
    silenced : list of (int, int)
        Heads that are switched off, as (layer, head).
    compare : {"nothing", "before fine-tuning", "all heads on"}
        What is shown for comparison.
    maps : AttentionMaps
        All weights for the text, and its prediction, with the silenced heads off.
    """

    text = traitlets.Unicode()
    layer = traitlets.Int()
    head = traitlets.Int()
    view = traitlets.Enum(VIEWS, VIEWS[0])
    more_heads = traitlets.List(traitlets.Int())
    special = traitlets.Bool(True)
    words = traitlets.Bool(False)
    silenced: traitlets.List = traitlets.List()
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
        self._model, self._tokenizer, self._before = model, tokenizer, before
        self._max_length = min(max_length, tokenizer.model_max_length)
        self._corpus, self._folder = list(corpus), Path(folder) if folder else Path()
        self._statistics: HeadStatistics | None = None
        self._baseline: tuple[str, AttentionMaps] | None = None  # the latest text, with all heads on
        self._shape = {"layer": model.config.num_hidden_layers, "head": model.config.num_attention_heads}
        self._reviews = dict(reviews)
        self.canvas = AttentionCanvas()
        self._prediction, self._message = ipw.HTML(), ipw.HTML()
        super().__init__(self._make_controls())
        self._wire()
        self.text = next(iter(self._reviews.values()))
        self._read()

    def __repr__(self) -> str:
        off = f", silenced={self.silenced}" if self.silenced else ""
        return f"AttentionExplorer(layer={self.layer}, head={self.head}, text={self.text[:60]!r}{off})"

    def _repr_mimebundle_(self, **kwargs):
        """The widget, and what it shows now as a picture, for readers who cannot run widgets."""
        figure = self.figure()
        bundle = super()._repr_mimebundle_(**kwargs) | {"image/png": plots.to_png(figure)}
        return bundle, {"image/png": {"alt": figure.alt}}

    def _make_controls(self) -> list[ipw.Widget]:
        def box(width: str, height: str | None = None) -> dict:
            return {"style": {"description_width": "70px"}, "layout": ipw.Layout(width=width, height=height)}

        def button(text: str, action: Callable[[], object], tip: str) -> ipw.Button:
            control = ipw.Button(description=text, tooltip=tip, layout=ipw.Layout(width="auto"))
            control.on_click(lambda _: action())
            return control

        last = {name: count - 1 for name, count in self._shape.items()}
        compare = [_NOTHING, *([_BEFORE] if self._before is not None else []), _ALL_ON]
        self.controls = c = {
            "review": ipw.Dropdown(
                options=[*self._reviews.items(), (_OWN_TEXT, "")], description="review", **box("560px")
            ),
            "text": ipw.Textarea(
                description="or type", placeholder="Type a review of your own", continuous_update=True,
                **box("760px", "64px"),
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
        all_on = button("all heads on", lambda: self.set_trait("silenced", []), "switch all heads on again")
        peculiar = button("reviews peculiar for this head", self._offer_peculiar, "on which it behaves least typically")
        peculiar.layout.display = None if self._corpus else "none"
        png, page = (
            button(f"save {kind.upper()}", partial(self._save_as, kind), f"what is shown, as .{kind}")
            for kind in ("png", "html")
        )
        self.buttons = {"all on": all_on, "peculiar": peculiar, "png": png, "html": page}
        return [
            ipw.HBox([c["review"], peculiar]),
            c["text"],
            ipw.HBox([c["layer"], c["head"], c["play"]]),
            ipw.HBox([c["view"], c["special"], c["words"], c["compare"], c["difference"]]),
            ipw.HBox([c["off"], all_on, png, page]),
            self._message,
            self._prediction,
            self.canvas,
        ]

    def _wire(self) -> None:
        c = self.controls
        # observed first, so that the prediction is on its way before the picture is redrawn
        self.observe(lambda _: self._read(), ["text", "silenced", "compare"])
        for name in ("text", "layer", "head", "view", "special", "words", "compare", "difference"):
            ipw.link((self, name), (c[name], "value"))
        for name in ("view", "special", "words", "difference", "more_heads", "silenced"):
            ipw.link((self, name), (self.canvas, name))
        # sliders and picture are linked in the browser, without the kernel
        self._links = [ipw.jslink((c[name], "value"), (self.canvas, name)) for name in ("layer", "head")]
        self._links.append(ipw.jslink((c["play"], "value"), (c["head"], "value")))
        c["review"].observe(lambda change: change.new and self.set_trait("text", change.new), "value")
        c["off"].observe(lambda change: self._switch(change.new), "value")
        self.observe(lambda _: self._show_switch(), ["layer", "head", "silenced"])

    @traitlets.validate("layer", "head", "more_heads", "silenced")
    def _in_range(self, proposal):
        name, value = proposal.trait.name, proposal.value
        if name == "silenced":
            value = sorted({(int(layer), int(head)) for layer, head in value})
            numbers = {"layer": [layer for layer, _ in value], "head": [head for _, head in value]}
        else:
            numbers = {"head": value} if name == "more_heads" else {name: [value]}
        for part, values in numbers.items():
            check_range(part, values, self._shape[part], traitlets.TraitError)
        return value

    @traitlets.validate("compare")
    def _comparable(self, proposal):
        if proposal.value == _BEFORE and self._before is None:
            raise traitlets.TraitError(
                f"compare={_BEFORE!r} needs the other model: AttentionExplorer(..., before=model)."
            )
        return proposal.value

    def _switch(self, off: bool) -> None:
        shown = (self.layer, self.head)
        if off != (shown in self.silenced):
            self.silenced = [*self.silenced, shown] if off else [pair for pair in self.silenced if pair != shown]

    def _show_switch(self) -> None:
        self.controls["off"].value = (self.layer, self.head) in self.silenced
        names = ", ".join(f"layer {layer} head {head}" for layer, head in self.silenced)
        self._show_message(f"switched off: {names or 'no head'}")

    def _show_message(self, text: str) -> None:
        self._message.value = f'<span style="{FONT};color:{TEXT}">{text}</span>'

    def _maps(self, model: PreTrainedModel, off: Sequence[tuple[int, int]] = ()) -> AttentionMaps:
        with silenced(model, off):
            return attention_maps(self.text, model, self._tokenizer, max_length=self._max_length)

    def _read(self) -> None:
        """Run the model on the text: new prediction, new weights."""
        if self._baseline is None or self._baseline[0] != self.text:
            self._baseline = self.text, self._maps(self._model)
        baseline = self._baseline[1]
        self.maps = self._maps(self._model, self.silenced) if self.silenced else baseline
        self._prediction.value = render_prediction(
            self.maps.probability, baseline.probability if self.silenced else None
        )
        self.controls["review"].value = self.text if self.text in self._reviews.values() else ""
        self._shown = {"": self.maps}
        if self.compare == _BEFORE and self._before is not None:
            self._shown = {_BEFORE: self._maps(self._before), "now": self.maps}
        elif self.compare == _ALL_ON:
            self._shown = {_ALL_ON: baseline, "now": self.maps}
        packed = [pack_panel(maps, title) for title, maps in self._shown.items()]
        self.canvas.panels = [{**panel, "packed": weights} for panel, weights in packed]

    def _offer_peculiar(self) -> None:
        rows = self.peculiar()
        title = f"peculiar for {self.layer}·{self.head}"
        named = {f"{title}: {row.what} {row.value:.2f}, usually {row.usual:.2f} ({i + 1})":
                 row.text for i, row in enumerate(rows.itertuples())}  # fmt: skip
        self._reviews |= named
        self.controls["review"].options = [*self._reviews.items(), (_OWN_TEXT, "")]
        self.text = rows["text"][0]
        self.controls["review"].value = self.text

    def peculiar(self, n: int = 5) -> pd.DataFrame:
        """The reviews of the corpus on which the chosen head is most peculiar.

        The first call reads the corpus (500 short reviews: about 3 s on two cores).

        Returns
        -------
        pandas.DataFrame
            As from :func:`sentiment_lib.attention.peculiar_texts`, with the ``text``.
        """
        if not self._corpus:
            raise ArgumentError("There is no corpus to search: AttentionExplorer(..., corpus=texts).")
        if self._statistics is None:
            classifier = Classifier(self._model, self._tokenizer, Encoding(self._max_length))
            self._statistics = head_statistics(self._corpus, classifier, per_text=True)
        found = peculiar_texts(self._statistics, self.layer, self.head, n)
        return found.assign(text=[self._corpus[i] for i in found["place"]])

    def figure(self) -> DescribedFigure:
        """What is shown, as a matplotlib figure."""
        maps = {title: condense(maps, words=self.words, special=self.special) for title, maps in self._shown.items()}
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
            Ends in ``.png`` (a picture) or ``.html`` (an interactive page that needs no kernel).
        """
        path = self._folder / name
        if path.suffix == ".html":
            return self.page().save(path)
        if path.suffix != ".png":
            raise ArgumentError(f"name={name!r} should end in .png or .html.")
        plots.show(self.figure(), path)
        return path

    def _save_as(self, kind: str) -> None:
        path = self.save(f"explorer_{self.view}_layer{self.layer}_head{self.head}.{kind}")
        self._show_message(f"saved {html.escape(short_path(path))}")
