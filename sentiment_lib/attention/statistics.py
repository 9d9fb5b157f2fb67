"""What heads look at, over many texts: entropy, distance, and shares of attention (lesson 07)."""

import itertools
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from string import punctuation
from typing import NamedTuple

import numpy as np
import pandas as pd
import torch

from ..data.tokenization import encode_with_words
from ..errors import ArgumentError
from ..model.architectures import attention_windows
from ..model.inference import Classifier
from .maps import eager, local_attention

PATTERNS = ("[CLS]", "[SEP]", "itself", "previous token", "next token")
STATISTICS = ("entropy", "relative entropy", "distance", *PATTERNS, "sentiment words")
NEIGHBOURS = 40  # texts of similar length that a text is compared with
_CHUNK = 1000  # texts that are tokenised and sorted at a time
_CELLS = 16_000_000  # weights of all heads that are held at a time, 64 MB


@dataclass(frozen=True)
class HeadStatistics:
    """Means over texts of what each head does; every text counts the same.

    Attributes
    ----------
    mean, spread : numpy.ndarray
        Mean and standard deviation between texts, shape ``(len(STATISTICS), layers, heads)``. Entropy is in nats;
        relative entropy is divided by that of uniform attention to all tokens that the layer sees (0 to 1); distance
        is in tokens; the others are shares of attention (0 to 1).
    uniform : numpy.ndarray
        What uniform attention to all tokens would give on these texts, shape ``(len(STATISTICS),)``.
    per_text : numpy.ndarray or None
        Shape ``(texts, len(STATISTICS), layers, heads)``, if requested.
    uniform_per_text : numpy.ndarray or None
        `uniform` for each text, shape ``(texts, len(STATISTICS))``, if requested.
    windows : tuple of int or None
        As in :class:`sentiment_lib.attention.AttentionMaps`.
    """

    texts: int
    mean: np.ndarray
    spread: np.ndarray
    uniform: np.ndarray
    per_text: np.ndarray | None = None
    uniform_per_text: np.ndarray | None = None
    windows: tuple[int | None, ...] = ()

    @property
    def note(self) -> str:
        """Which layers have local attention, as a sentence; empty if none has. Their heads cannot look far."""
        return local_attention(self.windows)

    def __getitem__(self, name: str) -> np.ndarray:
        """The means of one statistic, shape ``(layers, heads)``."""
        if name not in STATISTICS:
            raise KeyError(f"There is no statistic {name!r}; there are {', '.join(STATISTICS)}.")
        return self.mean[STATISTICS.index(name)]

    def table(self) -> pd.DataFrame:
        """One row per head: ``layer``, ``head`` and the mean of every statistic."""
        layer, head = np.indices(self.mean.shape[1:]).reshape(2, -1)
        columns = {name: self[name].ravel() for name in STATISTICS}
        return pd.DataFrame({"layer": layer, "head": head} | columns)

    def kinds(self, share: float = 0.5, broad: float = 0.9) -> np.ndarray:
        """What each head does most, as words, shape ``(layers, heads)``.

        A pattern of :data:`PATTERNS` that takes more than `share` of the attention; ``"broad"`` for a relative
        entropy above `broad`; else ``"mixed"`` (Clark et al. 2019, section 3, named heads by such patterns).
        """
        kinds = np.where(self["relative entropy"] > broad, "broad", "mixed").astype(object)
        shares = np.stack([self[name] for name in PATTERNS])
        strongest = np.array(PATTERNS, dtype=object)[shares.argmax(axis=0)]
        return np.where(shares.max(axis=0) > share, strongest, kinds)


def sentiment_lexicon() -> frozenset[str]:
    """Words that VADER's lexicon (Hutto and Gilbert 2014) gives a valence, in lower case."""
    from vaderSentiment.vaderSentiment import SentimentIntensityAnalyzer

    return frozenset(word.lower() for word in SentimentIntensityAnalyzer().lexicon)


def head_statistics(
    texts: Sequence[str], classifier: Classifier, *, lexicon: Collection[str] | None = None, per_text: bool = False
) -> HeadStatistics:
    """Statistics of every head over texts, in batches, with memory that does not grow with their number.

    Parameters
    ----------
    texts : sequence of str
        At least one, else an ArgumentError.
    classifier : Classifier
        Its precision is not used: attention is computed in float32.
    lexicon : collection of str, optional
        The sentiment-bearing words, in lower case; default: :func:`sentiment_lexicon`.
    per_text : bool
        Also keep the statistics of every text (about 3 kB each for 6 layers of 12 heads).

    References
    ----------
    Clark et al., What Does BERT Look At?, 2019, sections 3.1 to 3.3.
    """
    n, config = len(texts), classifier.model.config
    if not n:
        raise ArgumentError("texts is empty; statistics need at least one text.")
    lexicon = sentiment_lexicon() if lexicon is None else lexicon
    shape = (len(STATISTICS), config.num_hidden_layers, config.num_attention_heads)
    total, squares, uniform = np.zeros(shape), np.zeros(shape), np.zeros(len(STATISTICS))
    kept = np.empty((n if per_text else 0, *shape), dtype=np.float32)
    kept_uniform = np.empty((len(kept), len(STATISTICS)))
    windows = attention_windows(config)
    for batch in attention_batches(texts, classifier):
        mask, keys = batch.mask, _key_groups(batch, classifier.tokenizer, lexicon)
        pairs = zip(batch.attentions, windows, strict=True)
        layers = [_statistics(weights, mask, keys, window) for weights, window in pairs]
        values = torch.stack(layers, dim=2).cpu().double().numpy()  # (texts, statistics, layers, heads)
        total += values.sum(axis=0)
        squares += (values**2).sum(axis=0)
        flat = mask[:, None, None, :] / mask.sum(dim=1)[:, None, None, None]
        flat = flat.expand(-1, 1, mask.shape[1], -1)
        expected = _statistics(flat, mask, keys)[..., 0].cpu().double().numpy()
        uniform += expected.sum(axis=0)
        if per_text:
            kept[batch.texts], kept_uniform[batch.texts] = values, expected
    spread = np.sqrt(np.maximum(squares - total**2 / n, 0) / max(n - 1, 1))
    each = {"per_text": kept, "uniform_per_text": kept_uniform} if per_text else {}
    return HeadStatistics(n, total / n, spread, uniform / n, **each, windows=windows)


class AttentionBatch(NamedTuple):
    """Attention weights of some texts of similar length, in float32."""

    texts: list[int]  # their indices
    attentions: tuple[torch.Tensor, ...]  # for each layer, shape (texts, heads, tokens, tokens)
    mask: torch.Tensor  # 1 for tokens and 0 for padding, float32, shape (texts, tokens)
    words: list[tuple[int, ...]]  # each text's word indices, as in AttentionMaps.words
    ids: list[list[int]]  # each text's token ids


def attention_batches(texts: Sequence[str], classifier: Classifier) -> Iterator[AttentionBatch]:
    """Attention weights of many texts, computed in evaluation mode; a batch holds at most 64 MB of them."""
    model, tokenizer = classifier.model, classifier.tokenizer
    heads = model.config.num_hidden_layers * model.config.num_attention_heads
    for start in range(0, len(texts), _CHUNK):
        encoded = [encode_with_words(text, tokenizer, **classifier.encoding) for text in texts[start : start + _CHUNK]]
        order = sorted(range(len(encoded)), key=lambda i: -len(encoded[i][0]))
        while order:
            longest = len(encoded[order[0]][0])
            size = max(1, min(64, _CELLS // (heads * longest**2)))
            rows, order = order[:size], order[size:]
            ids, words = [encoded[i][0] for i in rows], [encoded[i][1] for i in rows]
            batch = tokenizer.pad({"input_ids": ids}, return_tensors="pt").to(classifier.device)
            with eager(model), torch.inference_mode():  # never around a yield: the caller would compute in it too
                attentions = tuple(layer.float() for layer in model(**batch, output_attentions=True).attentions)
            mask = batch["attention_mask"].float()
            yield AttentionBatch([start + i for i in rows], attentions, mask, words, ids)


def _key_groups(batch: AttentionBatch, tokenizer, lexicon: Collection[str]) -> torch.Tensor:
    """Which tokens are [CLS], [SEP] and pieces of sentiment-bearing words, shape ``(texts, tokens, 3)``."""
    groups = torch.zeros(*batch.mask.shape, 3)
    for row, (ids, words) in enumerate(zip(batch.ids, batch.words, strict=True)):
        special = [i for i, word in enumerate(words) if word < 0]
        groups[row, special[0], 0] = groups[row, special[-1], 1] = 1
        for word, group in itertools.groupby(range(len(words)), key=words.__getitem__):
            pieces = list(group)
            text = tokenizer.decode([ids[i] for i in pieces]).strip().lower()
            if word >= 0 and (text in lexicon or text.strip(punctuation) in lexicon):
                groups[row, pieces, 2] = 1  # some tokenizers do not split punctuation from words
    return groups.to(batch.mask.device)


def _statistics(
    weights: torch.Tensor, mask: torch.Tensor, keys: torch.Tensor, window: int | None = None
) -> torch.Tensor:
    """All statistics of one layer, shape ``(texts, len(STATISTICS), heads)``; padding never counts."""
    position = torch.arange(mask.shape[1], device=mask.device, dtype=torch.float32)
    pad = torch.nn.functional.pad

    def mean(values: torch.Tensor, queries: torch.Tensor = mask) -> torch.Tensor:  # over a text's tokens
        return (values * queries[:, None]).sum(dim=-1) / queries.sum(dim=1).clamp(min=1)[:, None]

    entropy = mean(torch.special.entr(weights).sum(dim=-1))
    distance = mean((weights * (position[:, None] - position).abs()).sum(dim=-1))
    to_cls, to_sep, to_sentiment = (mean(share) for share in (weights @ keys[:, None]).unbind(dim=-1))
    later = mask.clone()
    later[:, 0] = 0  # the first token has no previous one
    earlier = pad(mask[:, 1:], (0, 1))  # the last token has no next one
    itself = mean(weights.diagonal(dim1=2, dim2=3))
    previous = mean(pad(weights.diagonal(-1, 2, 3), (1, 0)), later)
    following = mean(pad(weights.diagonal(1, 2, 3), (0, 1)), earlier)
    if window is None:
        most = mask.sum(dim=1).log()[:, None]
    else:  # the entropy of even weights on the tokens that each token sees
        near = ((position[:, None] - position).abs() <= window).to(mask.dtype)
        most = mean((mask @ near).clamp(min=1).log()[:, None])
    parts = [entropy, entropy / most, distance]
    return torch.stack([*parts, to_cls, to_sep, itself, previous, following, to_sentiment], dim=1)


def peculiar_texts(statistics: HeadStatistics, layer: int, head: int, n: int = 5) -> pd.DataFrame:
    """The texts on which a head behaves least typically.

    What a head does depends on the length of a text: in a short one, every token's share is larger. Each text is
    therefore compared with the :data:`NEIGHBOURS` texts nearest to it in length. Its score is the root mean square of
    how far its relative entropy and shares are from their means, in units of their standard deviation.

    Parameters
    ----------
    statistics : HeadStatistics
        Made with ``per_text=True``.

    Returns
    -------
    pandas.DataFrame
        The `n` most peculiar: ``place`` (index of the text), ``score``, ``what`` (the statistic that is farthest
        from its mean), its ``value`` here and its mean among the neighbours, ``usual``.
    """
    if statistics.per_text is None or statistics.uniform_per_text is None:
        raise ArgumentError("The statistics were made without per_text=True, so nothing is known about single texts.")
    names = [name for name in STATISTICS if name not in ("entropy", "distance")]
    rows = [STATISTICS.index(name) for name in names]
    values = statistics.per_text[:, rows, layer, head].astype(float)
    by_length = np.argsort(statistics.uniform_per_text[:, STATISTICS.index("entropy")], kind="stable")
    usual, deviation = np.zeros_like(values), np.zeros_like(values)
    for i, text in enumerate(by_length):
        near = values[by_length[max(0, i - NEIGHBOURS // 2) : i + NEIGHBOURS // 2 + 1]]
        usual[text], spread = near.mean(axis=0), near.std(axis=0)
        np.divide(values[text] - usual[text], spread, out=deviation[text], where=spread > 1e-6)
    score = np.sqrt((deviation**2).mean(axis=1))
    first = np.argsort(-score, kind="stable")[:n]
    most = np.abs(deviation[first]).argmax(axis=1)
    columns = {"place": first, "score": score[first], "what": [names[i] for i in most]}
    return pd.DataFrame(columns | {"value": values[first, most], "usual": usual[first, most]})


def attention_change(texts: Sequence[str], before: Classifier, after: Classifier) -> np.ndarray:
    """How far each head's attention moved between two models: mean Jensen-Shannon divergence, in nats.

    Shape ``(layers, heads)``, between 0 and ln 2 = 0.693. The models have the same shape, tokenizer and encoding.
    """
    total = np.zeros((before.model.config.num_hidden_layers, before.model.config.num_attention_heads))
    for first, second in zip(attention_batches(texts, before), attention_batches(texts, after), strict=True):
        mask = first.mask
        for layer, (old, new) in enumerate(zip(first.attentions, second.attentions, strict=True)):
            ends = (torch.special.entr(old) + torch.special.entr(new)) / 2
            divergence = (torch.special.entr((old + new) / 2) - ends).sum(dim=-1).clamp(min=0) * mask[:, None]
            mean = divergence.sum(dim=-1) / mask.sum(dim=1)[:, None]  # over a text's tokens
            total[layer] += mean.sum(dim=0).cpu().double().numpy()
    return total / len(texts)
