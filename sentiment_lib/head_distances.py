"""How differently heads look: from each other, and from themselves before fine-tuning.

Taught in lesson 06.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from .head_statistics import attention_batches

if TYPE_CHECKING:
    from transformers import PreTrainedModel, PreTrainedTokenizerBase


def head_distances(
    texts: Sequence[str], model: PreTrainedModel, tokenizer: PreTrainedTokenizerBase, encoding: Mapping[str, Any]
) -> np.ndarray:
    """How differently any two heads look: the mean Jensen-Shannon divergence of their weights, in nats.

    Parameters
    ----------
    texts, model, tokenizer, encoding
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
    for _, attentions, mask, _, _ in attention_batches(texts, model, tokenizer, encoding):
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


def attention_change(
    texts: Sequence[str],
    before: PreTrainedModel,
    after: PreTrainedModel,
    tokenizer: PreTrainedTokenizerBase,
    encoding: Mapping[str, Any],
) -> np.ndarray:
    """How far each head's attention moved between two models: mean Jensen-Shannon divergence, in nats.

    Parameters
    ----------
    texts, tokenizer, encoding
        As in :func:`head_statistics`.
    before, after
        Two models of the same shape that share the tokenizer.

    Returns
    -------
    numpy.ndarray
        Shape ``(layers, heads)``, between 0 and ln 2 = 0.693.
    """
    import torch

    total = np.zeros((before.config.num_hidden_layers, before.config.num_attention_heads))
    pairs = zip(*(attention_batches(texts, model, tokenizer, encoding) for model in (before, after)), strict=True)
    for (_, first, mask, _, _), (_, second, *_) in pairs:
        for layer, (one, other) in enumerate(zip(first, second, strict=True)):
            ends = (torch.special.entr(one) + torch.special.entr(other)) / 2
            divergence = (torch.special.entr((one + other) / 2) - ends).sum(dim=-1).clamp(min=0) * mask[:, None]
            mean = divergence.sum(dim=-1) / mask.sum(dim=1)[:, None]  # over a text's tokens
            total[layer] += mean.sum(dim=0).cpu().double().numpy()
    return total / len(texts)
