"""The attention explorer in a notebook: a live model, its heads and its prediction (lessons 06 and 07).

``front_end/explorer.js`` draws it and answers the user; :class:`~sentiment_lib.explorer.kernel_engine.KernelEngine`
computes what it asks. The same component with a model of its own is the page of :mod:`sentiment_lib.explorer.page`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd

from .. import plots
from ..attention.maps import AttentionMaps, condense
from ..attention.statistics import HeadStatistics, head_statistics, peculiar_texts
from ..errors import ArgumentError, WorkbookError
from ..model.inference import Classifier
from ..plots.style import DescribedFigure
from ..run.environment import needs_extra
from ..run.paths import short_path
from ..settings import Encoding
from .kernel_engine import KernelEngine
from .view import STATE, VIEWS, AttentionView, attention_view, check_range, explorer_front_end, source

with needs_extra("lessons"):
    import anywidget
    import ipywidgets as ipw
    import traitlets

if TYPE_CHECKING:
    from transformers import PreTrainedModel, PreTrainedTokenizerBase

NOTHING, ALL_ON, BEFORE, SECOND = COMPARE = ("nothing", "all heads on", "before fine-tuning", "second text")
MEASURES = ("weights", "norms")
GRIDS = ("maps", "needs", "patches")
CHIPS = ("head", "leaveOut", "rollout")


def _pairs() -> Any:
    return traitlets.List().tag(sync=True)


class ExplorerComponent(anywidget.AnyWidget):
    """The explorer in the browser. What it shows are its traits; what it asks, its owner answers."""

    _esm = f"{explorer_front_end()}\n{source('front_end/explorer_widget.js')}\nexport default {{ render }};\n"
    info = traitlets.Dict().tag(sync=True)
    reviews, pairs = _pairs(), _pairs()
    text, other = traitlets.Unicode().tag(sync=True), traitlets.Unicode().tag(sync=True)
    layer, head = traitlets.Int().tag(sync=True), traitlets.Int().tag(sync=True)
    silenced, taken, more_heads = _pairs(), _pairs(), _pairs()
    view = traitlets.Unicode(VIEWS[0]).tag(sync=True)
    compare = traitlets.Unicode(NOTHING).tag(sync=True)
    measure = traitlets.Unicode(MEASURES[0]).tag(sync=True)
    grid = traitlets.Unicode(GRIDS[0]).tag(sync=True)
    chips = traitlets.Unicode(CHIPS[0]).tag(sync=True)
    special = traitlets.Bool(True).tag(sync=True)
    words = traitlets.Bool(False).tag(sync=True)
    difference = traitlets.Bool(False).tag(sync=True)


class AttentionExplorer(ipw.VBox):
    """Choose or type a review, look at any head, switch heads off, and see attention and prediction change.

    Parameters
    ----------
    model, tokenizer
        From :func:`sentiment_lib.initialize_model_and_tokenizer`.
    reviews : mapping of str to str
        Title and text of the reviews to choose from.
    pairs : mapping of str to (str, str), optional
        Title and texts of pairs to choose from; the second text is compared with the first.
    max_length : int
        Longest text in tokens, up to the model's limit; longer texts are cut (head+tail).
    before : transformers.PreTrainedModel, optional
        The checkpoint before fine-tuning, to compare with.
    corpus : sequence of str
        Texts to search: for those that are peculiar for a head, and for the words that it connects.
    folder : pathlib.Path, optional
        Where :meth:`save` writes its files. Default: the current folder.

    Attributes
    ----------
    text, other : str
        The review, and a second text to compare with (empty: none). Code can read and set them, like all attributes
        but `maps`.
    view, layer, head, more_heads, special, words, difference
        As in :func:`sentiment_lib.attention_view`.
    silenced : list of (int, int)
        Heads that are switched off, as (layer, head).
    taken : list of (int, int)
        Heads whose outputs are taken from the second text, which must have as many tokens.
    compare : {"nothing", "all heads on", "before fine-tuning", "second text"}
        What is shown for comparison.
    measure : {"weights", "norms"}
        Attention weights, or the norms of what they move (:func:`sentiment_lib.attention.moved_norms`).
    grid : {"maps", "needs", "patches"}
        What the picture of all heads shows: their weights, or what switching off, or taking over, each of them does.
    chips : {"head", "leaveOut", "rollout"}
        What colours the words.
    maps : AttentionMaps
        All weights for the text, and its prediction, with the changes that are made.
    """

    text, other = traitlets.Unicode(), traitlets.Unicode()
    layer, head = traitlets.Int(), traitlets.Int()
    view = traitlets.Enum(VIEWS, VIEWS[0])
    more_heads = traitlets.List(traitlets.Int())
    special, words = traitlets.Bool(True), traitlets.Bool(False)
    silenced: traitlets.List = traitlets.List()
    taken: traitlets.List = traitlets.List()
    compare = traitlets.Enum(COMPARE, NOTHING)
    difference = traitlets.Bool(False)
    measure = traitlets.Enum(MEASURES, MEASURES[0])
    grid = traitlets.Enum(GRIDS, GRIDS[0])
    chips = traitlets.Enum(CHIPS, CHIPS[0])

    def __init__(
        self,
        model: PreTrainedModel,
        tokenizer: PreTrainedTokenizerBase,
        reviews: Mapping[str, str],
        *,
        pairs: Mapping[str, tuple[str, str]] | None = None,
        max_length: int = 64,
        before: PreTrainedModel | None = None,
        corpus: Sequence[str] = (),
        folder: Path | None = None,
    ) -> None:
        if not reviews:
            raise ArgumentError("reviews is empty; give at least one title with its text.")
        length = min(max_length, tokenizer.model_max_length)
        self.engine = KernelEngine(model, tokenizer, max_length=length, before=before, corpus=corpus)
        self._folder = Path(folder) if folder else Path()
        self._statistics: HeadStatistics | None = None
        self._shape = {"layer": model.config.num_hidden_layers, "head": model.config.num_attention_heads}
        first = next(iter(reviews.values()))
        self.component = ExplorerComponent(
            info=self.engine.info,
            reviews=[list(row) for row in reviews.items()],
            pairs=[[title, *texts] for title, texts in (pairs or {}).items()],
            text=first,
        )
        self.component.on_msg(self._answer)

        def slider(name: str) -> ipw.IntSlider:
            layout, style = ipw.Layout(width="330px"), {"description_width": "50px"}
            return ipw.IntSlider(max=self._shape[name] - 1, description=name, layout=layout, style=style)

        play = ipw.Play(max=self._shape["head"] - 1, interval=900, show_repeat=True)
        self.controls = {"layer": slider("layer"), "head": slider("head"), "play": play}
        row = ipw.HBox(list(self.controls.values()), layout=ipw.Layout(flex_flow="row wrap"))
        super().__init__([row, self.component])
        self.text = first
        for name in ("layer", "head"):
            ipw.link((self, name), (self.controls[name], "value"))
        for name in ({*STATE} - {"layer", "head"}) | {"text", "other", "taken", "compare", "measure", "grid", "chips"}:
            ipw.link((self, name), (self.component, name))
        # Sliders and picture are linked in the browser only: there the picture need not wait for the kernel, and no
        # late message of a busy kernel sets a slider back.
        self._links = [ipw.jslink((self.controls[name], "value"), (self.component, name)) for name in ("layer", "head")]
        self._links.append(ipw.jslink((play, "value"), (self.controls["head"], "value")))

    def __repr__(self) -> str:
        off = f", silenced={self.silenced}" if self.silenced else ""
        return f"AttentionExplorer(layer={self.layer}, head={self.head}, text={self.text[:60]!r}{off})"

    def _repr_mimebundle_(self, **kwargs):
        """The widget, and what it shows now as a picture, for readers who cannot run widgets."""
        figure = self.figure()
        bundle = super()._repr_mimebundle_(**kwargs) | {"image/png": plots.to_png(figure)}
        return bundle, {"image/png": {"alt": figure.alt}}

    @traitlets.validate("layer", "head", "more_heads", "silenced", "taken")
    def _in_range(self, proposal):
        name, value = proposal.trait.name, proposal.value
        if name in ("silenced", "taken"):
            value = sorted({(int(layer), int(head)) for layer, head in value})
            numbers = {"layer": [layer for layer, _ in value], "head": [head for _, head in value]}
        else:
            numbers = {"head": value} if name == "more_heads" else {name: [value]}
        for part, values in numbers.items():
            check_range(part, values, self._shape[part], traitlets.TraitError)
        return value

    @traitlets.validate("compare")
    def _comparable(self, proposal):
        if proposal.value == BEFORE and self.engine.before is None:
            raise traitlets.TraitError(
                f"compare={BEFORE!r} needs the other model: AttentionExplorer(..., before=model)."
            )
        if proposal.value == SECOND and not self.other:
            raise traitlets.TraitError(f"compare={SECOND!r} needs a second text: set explorer.other first.")
        return proposal.value

    @property
    def maps(self) -> AttentionMaps:
        """All weights for the text, and its prediction, with the changes that are made."""
        take = {"text": self.other, "heads": self.taken} if self.taken and self.other else None
        return self.engine.maps(self.text, self.silenced, take)

    def _shown(self) -> dict[str, AttentionMaps]:
        maps, title = self.engine.maps, self.compare
        if title == ALL_ON:
            return {title: maps(self.text), "now": self.maps}
        if title == BEFORE:
            return {title: maps(self.text, which="before"), "now": self.maps}
        second = maps(self.other) if title == SECOND else None
        if second is None or len(second.tokens) != len(self.maps.tokens):
            return {"": self.maps}
        both = {"review": self.maps, title: second}
        pairs = zip(self.maps.tokens, second.tokens, strict=True)
        tokens = [one if one == other else f"{one} / {other}" for one, other in pairs]
        words = self.maps.words
        return {name: replace(one, tokens=tokens, words=words, word_texts=()) for name, one in both.items()}

    def _answer(self, _: Any, content: dict[str, Any], __: Any) -> None:
        """Answer what the component in the browser asks; an error is shown there."""
        reply: dict[str, Any] = {"id": content.get("id")}
        buffers: dict[str, bytes] = {}
        try:
            if content.get("kind") == "save":
                name = f"explorer_{self.view}_layer{self.layer}_head{self.head}.{content['args']['kind']}"
                of = " (its attention weights)" if self.measure == "norms" else ""
                reply["answer"] = {"said": f"saved {short_path(self.save(name))}{of}"}
            else:
                reply["answer"], buffers = self.engine.answer(content["kind"], content["args"])
        except Exception as error:  # whatever it is, the browser waits for an answer
            self.component.send({**reply, "names": [], "error": str(error) or type(error).__name__}, [])
            if not isinstance(error, (WorkbookError, OSError)):
                raise
            return
        self.component.send({**reply, "names": list(buffers)}, list(buffers.values()))

    def peculiar(self, n: int = 5) -> pd.DataFrame:
        """The reviews of the corpus on which the chosen head is most peculiar.

        The first call reads the corpus (500 short reviews: about 3 s on two cores).

        Returns
        -------
        pandas.DataFrame
            As from :func:`sentiment_lib.attention.peculiar_texts`, with the ``text``.
        """
        engine = self.engine
        if not engine.corpus:
            raise ArgumentError("There is no corpus to search: AttentionExplorer(..., corpus=texts).")
        if self._statistics is None:
            classifier = Classifier(engine.model, engine.tokenizer, Encoding(engine.length))
            self._statistics = head_statistics(engine.corpus, classifier, per_text=True)
        found = peculiar_texts(self._statistics, self.layer, self.head, n)
        return found.assign(text=[engine.corpus[i] for i in found["place"]])

    def figure(self) -> DescribedFigure:
        """What is shown, as a matplotlib figure of attention weights."""
        maps = {title: condense(one, words=self.words, special=self.special) for title, one in self._shown().items()}
        state = {name: getattr(self, name) for name in STATE if name not in ("special", "words", "view")}
        return plots.attention(maps, self.view, **state)

    def page(self) -> AttentionView:
        """What is shown, as an attention view that needs no kernel."""
        return attention_view(self._shown(), **{name: getattr(self, name) for name in STATE})

    def save(self, name: str) -> Path:
        """Write the attention weights that are shown into the explorer's folder, also when the browser shows norms.

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
