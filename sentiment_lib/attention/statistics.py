"""What heads look at, over many texts: entropy, distance, and shares of attention, layer by head.

Taught in lesson 06.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from ..data.tokenization import encode_with_words
from ..errors import ArgumentError
from ..model.inference import Classifier
from .maps import eager

if TYPE_CHECKING:
    import pandas as pd
    import torch

STATISTICS = (
    *("entropy", "relative entropy", "distance"),
    *("[CLS]", "[SEP]", "itself", "previous token", "next token", "sentiment words"),
)
PATTERNS = ("[CLS]", "[SEP]", "itself", "previous token", "next token")
NEIGHBOURS = 40  # texts of similar length that a text is compared with
_CHUNK = 1000  # texts that are tokenised and sorted at a time
_CELLS = 16_000_000  # weights of all heads that are held at a time, 64 MB


@dataclass(frozen=True)
class HeadStatistics:
    """Means over texts of what each head does; every text counts the same.

    Attributes
    ----------
    texts : int
    mean, spread : numpy.ndarray
        Mean and standard deviation between texts, shape ``(len(STATISTICS), layers, heads)``. Entropy is in nats,
        relative entropy divided by that of looking everywhere alike (0 to 1), distance in tokens; the others
        are shares of attention (0 to 1).
    uniform : numpy.ndarray
        What a head that looks everywhere alike would have on these texts, shape ``(len(STATISTICS),)``.
    per_text : numpy.ndarray or None
        Shape ``(texts, len(STATISTICS), layers, heads)``, if it was asked for.
    uniform_per_text : numpy.ndarray or None
        `uniform` for each text, shape ``(texts, len(STATISTICS))``, if it was asked for.
    """

    texts: int
    mean: np.ndarray
    spread: np.ndarray
    uniform: np.ndarray
    per_text: np.ndarray | None = None
    uniform_per_text: np.ndarray | None = None

    def __getitem__(self, name: str) -> np.ndarray:
        """The means of one statistic, shape ``(layers, heads)``."""
        if name not in STATISTICS:
            raise KeyError(f"There is no statistic {name!r}; there are {', '.join(STATISTICS)}.")
        return self.mean[STATISTICS.index(name)]

    def table(self) -> pd.DataFrame:
        """A row a head: ``layer``, ``head`` and the mean of every statistic."""
        import pandas as pd

        place = np.indices(self.mean.shape[1:]).reshape(2, -1)
        columns = {name: self[name].ravel() for name in STATISTICS}
        return pd.DataFrame({"layer": place[0], "head": place[1]} | columns)

    def kinds(self, share: float = 0.5, broad: float = 0.9) -> np.ndarray:
        """What each head does most, as words, shape ``(layers, heads)``.

        A pattern of :data:`PATTERNS` that takes more than `share` of the attention; ``"broad"`` for a relative
        entropy above `broad`; else ``"mixed"`` (Clark et al. 2019, section 3, called heads by such patterns).
        """
        found = np.where(self["relative entropy"] > broad, "broad", "mixed").astype(object)
        shares = np.stack([self[name] for name in PATTERNS])
        top = shares.max(axis=0) > share
        found[top] = np.array(PATTERNS, dtype=object)[shares.argmax(axis=0)][top]
        return found


def sentiment_lexicon() -> frozenset[str]:
    """Words that VADER's lexicon (Hutto and Gilbert 2014) gives a valence, in lower case."""
    from vaderSentiment.vaderSentiment import SentimentIntensityAnalyzer

    return frozenset(word.lower() for word in SentimentIntensityAnalyzer().lexicon)


def head_statistics(
    texts: Sequence[str],
    classifier: Classifier,
    *,
    lexicon: Collection[str] | None = None,
    per_text: bool = False,
) -> HeadStatistics:
    """Statistics of every head over texts, in batches, with memory that does not grow with their number.

    Parameters
    ----------
    texts : sequence of str
    classifier : Classifier
        Its precision is not used: attention is computed in float32.
    lexicon : collection of str, optional
        The sentiment-bearing words, in lower case; default: :func:`sentiment_lexicon`.
    per_text : bool
        Keep the statistics of every text, too (about 3 kB each for 6 layers of 12 heads).

    Returns
    -------
    HeadStatistics

    Raises
    ------
    ArgumentError
        Without texts.

    References
    ----------
    Clark et al., What Does BERT Look At?, 2019, sections 3.1 to 3.3.
    """
    import torch

    if not len(texts):
        raise ArgumentError("texts is empty; statistics need at least one text.")
    lexicon = sentiment_lexicon() if lexicon is None else lexicon
    config, tokenizer = classifier.model.config, classifier.tokenizer
    shape = (len(STATISTICS), config.num_hidden_layers, config.num_attention_heads)
    total, squares, uniform = np.zeros(shape), np.zeros(shape), np.zeros(len(STATISTICS))
    kept = np.empty((len(texts), *shape), dtype=np.float32) if per_text else None
    kept_uniform = np.empty((len(texts), len(STATISTICS))) if per_text else None
    for rows, attentions, mask, words, ids in attention_batches(texts, classifier):
        keys = _key_groups(ids, words, mask, tokenizer, lexicon)
        values = torch.stack([_statistics(layer, mask, keys) for layer in attentions], dim=2)  # texts, S, L, heads
        values = values.cpu().double().numpy()
        total += values.sum(axis=0)
        squares += (values**2).sum(axis=0)
        flat = mask[:, None, None, :] / mask.sum(dim=1)[:, None, None, None]
        flat = flat.expand(-1, 1, mask.shape[1], -1)
        expected = _statistics(flat, mask, keys)[..., 0].cpu().double().numpy()
        uniform += expected.sum(axis=0)
        if per_text:
            kept[rows], kept_uniform[rows] = values, expected
    n = len(texts)
    spread = np.sqrt(np.maximum(squares - total**2 / n, 0) / max(n - 1, 1))
    return HeadStatistics(n, total / n, spread, uniform / n, kept, kept_uniform)


def attention_batches(
    texts: Sequence[str], classifier: Classifier
) -> Iterator[tuple[list[int], tuple[torch.Tensor, ...], torch.Tensor, list[tuple[int, ...]], list[list[int]]]]:
    """Attention weights of many texts, a batch at a time, in float32 and evaluation mode.

    Batches hold texts of similar length, as many as fit into 64 MB of weights.

    Yields
    ------
    list of int
        Which texts are in the batch.
    tuple of torch.Tensor
        For each layer weights of shape ``(texts, heads, tokens, tokens)``.
    torch.Tensor
        1 for tokens and 0 for padding, float32, shape ``(texts, tokens)``.
    list of tuple of int
        Each text's word numbers, as in :attr:`sentiment_lib.attention.AttentionMaps.words`.
    list of list of int
        Each text's token ids.
    """
    import torch

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
            with eager(model), torch.inference_mode():  # never around a yield: the caller would compute in it, too
                attentions = tuple(layer.float() for layer in model(**batch, output_attentions=True).attentions)
            yield [start + i for i in rows], attentions, batch["attention_mask"].float(), words, ids


def _key_groups(ids, words, mask, tokenizer, lexicon) -> torch.Tensor:
    """Which tokens are [CLS], [SEP] and pieces of sentiment-bearing words, shape ``(texts, tokens, 3)``."""
    import torch

    groups = torch.zeros(*mask.shape, 3)
    for row, (token_ids, numbers) in enumerate(zip(ids, words, strict=True)):
        special = [i for i, word in enumerate(numbers) if word < 0]
        groups[row, special[0], 0] = groups[row, special[-1], 1] = 1
        places: dict[int, list[int]] = {}
        for i, word in enumerate(numbers):
            if word >= 0:
                places.setdefault(word, []).append(i)
        for at in places.values():
            if tokenizer.decode([token_ids[i] for i in at]).strip().lower() in lexicon:
                groups[row, at, 2] = 1
    return groups.to(mask.device)


def _statistics(weights: torch.Tensor, mask: torch.Tensor, keys: torch.Tensor) -> torch.Tensor:
    """All statistics of one layer, shape ``(texts, len(STATISTICS), heads)``; padding counts nowhere."""
    import torch

    n, length = mask.sum(dim=1), mask.shape[1]
    at = torch.arange(length, device=mask.device, dtype=torch.float32)

    def mean(values, queries=mask):  # over a text's tokens
        return (values * queries[:, None]).sum(dim=-1) / queries.sum(dim=1).clamp(min=1)[:, None]

    entropy = mean(torch.special.entr(weights).sum(dim=-1))
    distance = mean((weights * (at[:, None] - at).abs()).sum(dim=-1))
    shares = [mean(share) for share in (weights @ keys[:, None]).unbind(dim=-1)]
    itself = mean(weights.diagonal(dim1=2, dim2=3))
    later = mask.clone()
    later[:, 0] = 0  # the first token has no previous one
    earlier = torch.nn.functional.pad(mask[:, 1:], (0, 1))  # the last has no next one
    previous = mean(torch.nn.functional.pad(weights.diagonal(-1, 2, 3), (1, 0)), later)
    following = mean(torch.nn.functional.pad(weights.diagonal(1, 2, 3), (0, 1)), earlier)
    parts = [
        entropy,
        entropy / n.log()[:, None],
        distance,
        shares[0],
        shares[1],
        itself,
        previous,
        following,
        shares[2],
    ]
    return torch.stack(parts, dim=1)


def peculiar_texts(statistics: HeadStatistics, layer: int, head: int, n: int = 5) -> pd.DataFrame:
    """The texts on which a head does least what it usually does.

    What a head does depends on the length of a text: in a short one, every token's share is larger. So each text
    is compared with the :data:`NEIGHBOURS` texts nearest to it in length: how far its relative entropy and shares
    are from their means, in units of their spread, root mean square, is its score.

    Parameters
    ----------
    statistics : HeadStatistics
        Made with ``per_text=True``.
    layer, head : int
    n : int

    Returns
    -------
    pandas.DataFrame
        The `n` most peculiar: ``place`` (number of the text), ``score``, ``what`` (the statistic that is
        farthest off), its ``value`` here and its mean among the texts compared with, ``usual``.
    """
    import pandas as pd

    if statistics.per_text is None:
        raise ArgumentError("The statistics were made without per_text=True, so no single text is known.")
    names = [name for name in STATISTICS if name not in ("entropy", "distance")]
    rows = [STATISTICS.index(name) for name in names]
    values = statistics.per_text[:, rows, layer, head].astype(float)
    by_length = np.argsort(statistics.uniform_per_text[:, STATISTICS.index("entropy")], kind="stable")
    usual, off = np.zeros_like(values), np.zeros_like(values)
    for i, text in enumerate(by_length):
        near = values[by_length[max(0, i - NEIGHBOURS // 2) : i + NEIGHBOURS // 2 + 1]]
        usual[text], spread = near.mean(axis=0), near.std(axis=0)
        np.divide(values[text] - usual[text], spread, out=off[text], where=spread > 1e-6)
    score = np.sqrt((off**2).mean(axis=1))
    first = np.argsort(-score, kind="stable")[:n]
    most = np.abs(off[first]).argmax(axis=1)
    columns = {"place": first, "score": score[first], "what": [names[i] for i in most]}
    return pd.DataFrame(columns | {"value": values[first, most], "usual": usual[first, most]})


def head_distances(texts: Sequence[str], classifier: Classifier) -> np.ndarray:
    """How differently any two heads look: the mean Jensen-Shannon divergence of their weights, in nats.

    Parameters
    ----------
    texts, classifier
        As in :func:`head_statistics`.

    Returns
    -------
    numpy.ndarray
        Shape ``(layers * heads, layers * heads)``, symmetric, 0 on the diagonal, at most ln 2 = 0.693. Each text
        counts the same, and so does each token in it.

    References
    ----------
    Clark et al., What Does BERT Look At?, 2019, section 6.
    """
    import torch

    total = 0
    for _, attentions, mask, _, _ in attention_batches(texts, classifier):
        stacked = torch.stack(attentions, dim=1).flatten(1, 2)  # texts, all heads, tokens, tokens
        for heads, there in zip(stacked, mask, strict=True):
            n = int(there.sum())
            rows = heads[:, :n, :n]
            entropy = torch.special.entr(rows).sum(dim=(1, 2))
            found = torch.zeros(len(rows), len(rows), dtype=torch.float64)
            for i, one in enumerate(rows):
                between = torch.special.entr((rows[i:] + one) / 2).sum(dim=(1, 2))
                found[i, i:] = ((between - (entropy[i:] + entropy[i]) / 2) / n).clamp(min=0)
            total = total + found
    total = total.triu(1).numpy() / len(texts)
    return total + total.T


def attention_change(texts: Sequence[str], before: Classifier, after: Classifier) -> np.ndarray:
    """How far each head's attention moved between two models: mean Jensen-Shannon divergence, in nats.

    Parameters
    ----------
    texts : sequence of str
    before, after : Classifier
        Two models of the same shape with the same tokenizer and encoding.

    Returns
    -------
    numpy.ndarray
        Shape ``(layers, heads)``, between 0 and ln 2 = 0.693.
    """
    import torch

    total = np.zeros((before.model.config.num_hidden_layers, before.model.config.num_attention_heads))
    pairs = zip(attention_batches(texts, before), attention_batches(texts, after), strict=True)
    for (_, first, mask, _, _), (_, second, *_) in pairs:
        for layer, (one, other) in enumerate(zip(first, second, strict=True)):
            ends = (torch.special.entr(one) + torch.special.entr(other)) / 2
            divergence = (torch.special.entr((one + other) / 2) - ends).sum(dim=-1).clamp(min=0) * mask[:, None]
            mean = divergence.sum(dim=-1) / mask.sum(dim=1)[:, None]  # over a text's tokens
            total[layer] += mean.sum(dim=0).cpu().double().numpy()
    return total / len(texts)
