"""Everything interactive: ipywidgets in front of the library.

Used in lesson 05. What a widget shows is made by pure functions (text in, HTML out), so that tests and static
pictures see what the learner sees.
"""

from __future__ import annotations

import base64
import html
import io
from collections.abc import Mapping
from typing import TYPE_CHECKING

import ipywidgets as ipw
import numpy as np
import traitlets

from .attention import AttentionMaps, attention_maps
from .data import LABEL_NAMES

if TYPE_CHECKING:
    from transformers import PreTrainedModel, PreTrainedTokenizerBase

_NEGATIVE, _POSITIVE = "#D55E00", "#0072B2"
_TEXT = "var(--jp-content-font-color1, #222)"
_OWN_TEXT = "(a text of your own)"
_FONT = "font-family: var(--jp-content-font-family, sans-serif)"


def render_prediction(probability: float) -> str:
    """The prediction as a bar, in HTML: orange for negative, blue for positive."""
    label = LABEL_NAMES[int(probability >= 0.5)]
    color = _POSITIVE if probability >= 0.5 else _NEGATIVE
    return (
        f'<div role="img" aria-label="{label}, probability of positive {probability:.3f}" style="{_FONT}">'
        f'<div style="font-size:15px"><b style="color:{color}">{label}</b> '
        f'<span style="color:{_TEXT}">probability of positive: {probability:.3f}</span></div>'
        '<div style="width:300px;height:12px;border-radius:6px;background:#D0D0D0;position:relative">'
        f'<div style="width:{probability:.1%};height:12px;border-radius:6px;background:{color}"></div>'
        '<div style="position:absolute;left:50%;top:-3px;height:18px;border-left:2px solid #888"></div></div></div>'
    )


def render_tokens(maps: AttentionMaps, layer: int, head: int) -> str:
    """The text, each token shaded by the attention it receives in one head (mean over all other tokens)."""
    received = maps.weights[layer, head].mean(axis=0)
    top = max(float(received.max()), 1e-9)
    spans = []
    for token, share in zip(maps.tokens, received, strict=True):
        text, gap = (token[2:], "0") if token.startswith("##") else (token, "4px")
        spans.append(
            f'<span title="{share:.1%} of the attention" style="background:rgba(240,200,0,{share / top:.2f});'
            f'margin-left:{gap};padding:1px 1px;border-radius:3px">{html.escape(text)}</span>'
        )
    return (
        f'<div style="{_FONT};color:{_TEXT};line-height:1.9;max-width:760px">{"".join(spans)}'
        f'<div style="font-size:12px;opacity:.75">shaded by the attention a token receives in this head; the '
        f"darkest gets {top:.0%}</div></div>"
    )


def render_heatmap(maps: AttentionMaps, layer: int, head: int) -> str:
    """The weights of one head as an SVG picture: rows look, columns are looked at.

    The cells are one small image, a pixel a weight, so that the answer stays small: about 10 kB for 64 tokens.
    """
    import matplotlib
    from PIL import Image

    weights, n = maps.weights[layer, head], len(maps.tokens)
    top = max(0.3, float(weights.max()))
    pixels = Image.fromarray(matplotlib.colormaps["viridis"](weights / top, bytes=True)[..., :3])
    buffer = io.BytesIO()
    pixels.save(buffer, format="png")
    picture = base64.b64encode(buffer.getvalue()).decode()

    cell = max(9, min(24, 620 // n))
    font = max(8, min(13, cell - 1))
    left = 12 + round(0.62 * font * max(map(len, maps.tokens)))
    size = cell * n
    query, key = np.unravel_index(int(weights.argmax()), weights.shape)
    names = [html.escape(token) for token in maps.tokens]
    rows = "".join(f'<text x="{left - 5}" y="{left + (i + 0.7) * cell:.1f}">{t}</text>' for i, t in enumerate(names))
    columns = "".join(
        f'<text transform="translate({left + (i + 0.7) * cell:.1f},{left - 5}) rotate(-90)">{t}</text>'
        for i, t in enumerate(names)
    )
    caption = f"Layer {layer}, head {head}: a row's token looks at the columns' tokens; yellow is {top:.2f}, dark is 0."
    return (
        f'<div style="{_FONT};color:{_TEXT}">{caption}</div>'
        f'<svg role="img" xmlns="http://www.w3.org/2000/svg" width="{left + size + 4}" height="{left + size + 4}" '
        f'style="{_FONT};font-size:{font}px;max-width:none">'
        f"<title>Layer {layer}, head {head}: strongest weight {weights.max():.2f}, from {names[query]} to "
        f"{names[key]}</title>"
        f'<image x="{left}" y="{left}" width="{size}" height="{size}" preserveAspectRatio="none" '
        f'style="image-rendering:pixelated" href="data:image/png;base64,{picture}"/>'
        f'<g fill="{_TEXT}" text-anchor="end">{rows}</g><g fill="{_TEXT}">{columns}</g></svg>'
    )


class AttentionExplorer(ipw.VBox):
    """Choose or type a review, choose a layer and a head, and see attention and prediction change.

    Parameters
    ----------
    model, tokenizer
        From :func:`sentiment_lib.initialize_model_and_tokenizer`.
    reviews : mapping of str to str
        Title and text of the reviews to choose from.
    max_length : int
        Longest text in tokens; what is longer is cut (head+tail).

    Attributes
    ----------
    text : str
    layer, head : int
        What is shown, counted from 0; readable and settable from code.
    maps : AttentionMaps
        All weights of the text, and its prediction.
    """

    text = traitlets.Unicode()
    layer = traitlets.Int()
    head = traitlets.Int()

    def __init__(
        self,
        model: PreTrainedModel,
        tokenizer: PreTrainedTokenizerBase,
        reviews: Mapping[str, str],
        *,
        max_length: int = 64,
    ) -> None:
        if not reviews:
            raise ValueError("reviews is empty; give at least one title with its text.")
        self._model, self._tokenizer, self._max_length = model, tokenizer, max_length
        self._layers, self._heads = model.config.num_hidden_layers, model.config.num_attention_heads
        wide = {"description_width": "70px"}
        self._reviews = list(reviews.values())
        self._choose = ipw.Dropdown(
            options=[*reviews.items(), (_OWN_TEXT, "")],
            description="review",
            layout=ipw.Layout(width="560px"),
            style=wide,
        )
        self._type = ipw.Textarea(
            value=self._reviews[0],
            description="or type",
            placeholder="Type a review of your own",
            layout=ipw.Layout(width="760px", height="64px"),
            style=wide,
        )
        self._layer = ipw.IntSlider(max=self._layers - 1, description="layer", style=wide)
        self._head = ipw.IntSlider(max=self._heads - 1, description="head", style=wide)
        self._prediction, self._shaded, self._heatmap = ipw.HTML(), ipw.HTML(), ipw.HTML()
        super().__init__(
            [
                self._choose,
                self._type,
                ipw.HBox([self._layer, self._head]),
                self._prediction,
                self._shaded,
                self._heatmap,
            ]
        )
        self.text = self._reviews[0]
        ipw.link((self, "text"), (self._type, "value"))
        ipw.link((self, "layer"), (self._layer, "value"))
        ipw.link((self, "head"), (self._head, "value"))
        self._choose.observe(lambda change: change.new and self.set_trait("text", change.new), "value")
        self.observe(lambda _: self._read(), "text")
        self.observe(lambda _: self._draw(), ["layer", "head"])
        self._read()

    def __repr__(self) -> str:
        return f"AttentionExplorer(layer={self.layer}, head={self.head}, text={self.text[:60]!r})"

    @traitlets.validate("layer", "head")
    def _in_range(self, proposal):
        name, value = proposal.trait.name, proposal.value
        last = (self._layers if name == "layer" else self._heads) - 1
        if not 0 <= value <= last:
            raise traitlets.TraitError(f"{name}={value} is out of range; this model has {name}s 0 to {last}.")
        return value

    def _read(self) -> None:
        """Run the model on the text: new weights, new prediction."""
        self._choose.value = self.text if self.text in self._reviews else ""
        self.maps = attention_maps(self.text, self._model, self._tokenizer, max_length=self._max_length)
        self._prediction.value = render_prediction(self.maps.probability)
        self._draw()

    def _draw(self) -> None:
        """Show the chosen head of the weights that are there."""
        self._shaded.value = render_tokens(self.maps, self.layer, self.head)
        self._heatmap.value = render_heatmap(self.maps, self.layer, self.head)
