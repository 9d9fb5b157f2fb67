"""Activation patching: what of one text, put into the computation of another, brings the answer along (lesson 07).

Two texts of a minimal pair have the same number of tokens. Both are computed; then the second is computed again with
some of its activations replaced by those of the first. How far the logit goes from the second text's to the first's
says how much of the difference passes through these activations.

References
----------
Vig et al., Investigating gender bias in language models using causal mediation analysis, NeurIPS 2020; Zhang and Nanda,
Towards best practices of activation patching in language models: metrics and methods, ICLR 2024.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

import numpy as np
import torch

from ..errors import ArgumentError
from ..evaluation.uncertainty import RESAMPLES
from ..model.compute import device_of
from ..model.encoder import activations_kept, evaluating, head_outputs_changed, layer_inputs_changed
from ..model.inference import logit_difference
from .silencing import all_heads

if TYPE_CHECKING:
    from contextlib import AbstractContextManager

    from transformers import PreTrainedModel, PreTrainedTokenizerBase

    Change = Callable[[torch.Tensor], torch.Tensor]
    Changed = Callable[[PreTrainedModel, dict[int, Change]], AbstractContextManager[None]]


@dataclass(frozen=True)
class PairedTexts:
    """Pairs of texts as ids: the two texts of a pair have the same number of tokens.

    Attributes
    ----------
    first, second : torch.Tensor
        Ids, shape ``(pairs, tokens)``, filled up with padding to the longest pair.
    mask : torch.Tensor
        1 where both texts have a token, shape ``(pairs, tokens)``.
    """

    first: torch.Tensor
    second: torch.Tensor
    mask: torch.Tensor


@dataclass(frozen=True)
class Patched:
    """Logits of positive minus negative, for pairs of texts.

    Attributes
    ----------
    first, second : numpy.ndarray
        Of the texts as they are, shape ``(pairs,)``.
    patched : numpy.ndarray
        Of the second text with activations of the first, shape ``(pairs, ...)``: one logit per place that was patched.
    """

    first: np.ndarray
    second: np.ndarray
    patched: np.ndarray

    @property
    def recovered(self) -> np.ndarray:
        """The share of the difference between the two texts that comes back, over all pairs, one number per place.

        It is the mean change of the logit divided by the mean difference of the two texts: 0 if patching changes
        nothing, 1 if it gives the first text's logit. Single pairs may have a difference near 0, so the ratio is one of
        means.
        """
        moved = self.patched - self.second.reshape(-1, *[1] * (self.patched.ndim - 1))
        return moved.mean(axis=0) / (self.first - self.second).mean()

    def intervals(
        self, groups: Sequence[str], *, also: Sequence[Patched] = (), resamples: int = RESAMPLES, seed: int = 0
    ) -> np.ndarray:
        """95 % bootstrap intervals of :attr:`recovered` that cover other groups of pairs, such as templates.

        Pairs made from one template resemble each other, so whole groups are drawn.

        Parameters
        ----------
        groups : sequence of str, length pairs
            The group of each pair.
        also : sequence of Patched
            Other patchings of the same pairs, such as the other direction: the intervals are those of the mean of all.

        Returns
        -------
        numpy.ndarray
            Ends of the intervals, shape ``(2, ...)``.
        """
        names, group = np.unique(np.asarray(groups), return_inverse=True)
        if len(group) != len(self.first):
            raise ArgumentError(f"There are {len(group)} groups for {len(self.first)} pairs; give one for each pair.")
        member = np.eye(len(names))[group].T  # (groups, pairs)
        draws = np.random.default_rng(seed).multinomial(len(names), np.full(len(names), 1 / len(names)), resamples)
        found = []
        for one in (self, *also):
            moved = one.patched - one.second.reshape(-1, *[1] * (one.patched.ndim - 1))
            sums = member @ moved.reshape(len(moved), -1), member @ (one.first - one.second)
            found.append((draws @ sums[0]) / (draws @ sums[1])[:, None])
        shares = np.mean(found, axis=0)
        return np.quantile(shares, [0.025, 0.975], axis=0).reshape(2, *self.patched.shape[1:])


def pair_texts(tokenizer: PreTrainedTokenizerBase, first: Sequence[str], second: Sequence[str]) -> PairedTexts:
    """Tokenise pairs of texts.

    Raises
    ------
    ArgumentError
        When the texts of a pair differ in their number of tokens; the message names the first such pair.
    """
    if not first or len(first) != len(second):
        raise ArgumentError(
            f"{len(first)} first and {len(second)} second texts; give the same number of each, and at least one."
        )
    ids = [tokenizer(list(texts))["input_ids"] for texts in (first, second)]
    for a, b, one, other in zip(first, second, *ids, strict=True):
        if len(one) != len(other):
            raise ArgumentError(
                f"{a!r} has {len(one)} tokens and {b!r} has {len(other)}. Patching needs pairs of the same length: "
                "replace a word by another one, and do not add any."
            )
    padded = [tokenizer.pad({"input_ids": some}, return_tensors="pt") for some in ids]
    return PairedTexts(padded[0]["input_ids"], padded[1]["input_ids"], padded[0]["attention_mask"])


def patch_positions(model: PreTrainedModel, pairs: PairedTexts) -> Patched:
    """Patch the hidden states that each layer reads, one position at a time.

    Returns
    -------
    Patched
        ``patched`` has the shape ``(pairs, layers, tokens)``. At a position beyond the end of a pair, it is the second
        text's logit.
    """
    states, first = _first(model, pairs, layer_inputs_changed)
    tokens = pairs.first.shape[1]

    def at(layer: int, position: int) -> dict[int, Change]:
        def change(seen: torch.Tensor) -> torch.Tensor:
            seen = seen.clone()
            seen[:, position] = states[layer][:, position]
            return seen

        return {layer: change}

    places = [at(layer, position) for layer in range(len(states)) for position in range(tokens)]
    return _patched(model, pairs, first, places, (len(states), tokens), layer_inputs_changed)


def patch_heads(model: PreTrainedModel, pairs: PairedTexts) -> Patched:
    """Patch the output of each head, at all positions.

    Returns
    -------
    Patched
        ``patched`` has the shape ``(pairs, layers, heads)``.
    """
    layers, heads = model.config.num_hidden_layers, model.config.num_attention_heads
    outputs, first = _first(model, pairs, head_outputs_changed)
    places = [_heads_from(outputs, heads, [head]) for head in all_heads(model)]
    return _patched(model, pairs, first, places, (layers, heads), head_outputs_changed)


def patch_sets(model: PreTrainedModel, pairs: PairedTexts, sets: Sequence[Iterable[tuple[int, int]]]) -> Patched:
    """Patch the outputs of several heads together, for each of some sets of heads ``(layer, head)``.

    Returns
    -------
    Patched
        ``patched`` has the shape ``(pairs, sets)``.
    """
    known = set(all_heads(model))
    chosen = [list(heads) for heads in sets]
    for heads in chosen:
        if unknown := [head for head in heads if head not in known]:
            raise ArgumentError(f"There is no head {unknown[0]}; this model's heads are {min(known)} to {max(known)}.")
    outputs, first = _first(model, pairs, head_outputs_changed)
    places = [_heads_from(outputs, model.config.num_attention_heads, heads) for heads in chosen]
    return _patched(model, pairs, first, places, (len(chosen),), head_outputs_changed)


@contextmanager
def heads_taken(
    model: PreTrainedModel, ids: Sequence[int], heads: Iterable[tuple[int, int]], *, one_per_text: bool = False
) -> Iterator[None]:
    """The model with the outputs of some heads taken from another text, until the block ends.

    Parameters
    ----------
    ids : sequence of int
        The other text's tokens; as many as those of the texts that are computed in the block.
    heads : iterable of (int, int)
        Layers and heads, counted from 0.
    one_per_text : bool
        Not all heads in each text of a batch, but the first one in the first text, and so on; all of one layer.
    """
    chosen = list(heads)
    with activations_kept(model, head_outputs_changed) as kept, evaluating(model), torch.inference_mode():
        model(torch.tensor([list(ids)], device=device_of(model)))
    width = model.config.num_attention_heads
    changes = _heads_from(kept, width, chosen)
    if one_per_text:

        def change(seen: torch.Tensor) -> torch.Tensor:
            mixed, other = seen.clone().unflatten(-1, (width, -1)), kept[chosen[0][0]].unflatten(-1, (width, -1))
            for row, (_, head) in enumerate(chosen):
                mixed[row, :, head] = other[0, :, head]
            return mixed.flatten(-2)

        changes = {chosen[0][0]: change}
    with head_outputs_changed(model, changes):
        yield


def _heads_from(outputs: dict[int, torch.Tensor], width: int, heads: Iterable[tuple[int, int]]) -> dict[int, Change]:
    """Changes that take the outputs of some heads from another text."""
    by_layer: dict[int, list[int]] = {}
    for layer, head in heads:
        by_layer.setdefault(layer, []).append(head)

    def change(layer: int, some: list[int], seen: torch.Tensor) -> torch.Tensor:  # (texts, tokens, heads * size)
        mixed = seen.clone().unflatten(-1, (width, -1))
        mixed[:, :, some] = outputs[layer].unflatten(-1, (width, -1))[:, :, some]
        return mixed.flatten(-2)

    return {layer: partial(change, layer, some) for layer, some in by_layer.items()}


def _first(model: PreTrainedModel, pairs: PairedTexts, changed: Changed) -> tuple[dict[int, torch.Tensor], np.ndarray]:
    """What each layer reads, or what its heads put out, when the first texts are computed; and their logits."""
    with activations_kept(model, changed) as kept:
        logits = _logits(model, pairs.first, pairs.mask)
    return kept, logits


def _patched(
    model: PreTrainedModel,
    pairs: PairedTexts,
    first: np.ndarray,
    places: Sequence[dict[int, Change]],
    shape: tuple[int, ...],
    changed: Changed,
) -> Patched:
    second, found = _logits(model, pairs.second, pairs.mask), []
    for changes in places:
        with changed(model, changes):
            found.append(_logits(model, pairs.second, pairs.mask))
    return Patched(first, second, np.stack(found, axis=1).reshape(len(first), *shape))


@torch.inference_mode()
def _logits(model: PreTrainedModel, ids: torch.Tensor, mask: torch.Tensor) -> np.ndarray:
    """Logit of positive minus logit of negative, shape ``(texts,)``."""
    device = device_of(model)
    with evaluating(model):
        logits = logit_difference(model, {"input_ids": ids.to(device), "attention_mask": mask.to(device)})
    return logits.cpu().numpy()
