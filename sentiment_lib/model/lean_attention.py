"""Attention for training and prediction on a CPU: nothing is done twice to the largest tensors of the model.

Taught in lesson 03.
"""

from __future__ import annotations

import math
from typing import Any

import torch
from torch.nn import functional

from ._transformers import eager_mask, sees_all_tokens

LEAN = "lean"
_CACHED = 2**21  # scores that are computed at a time
_SAFE = 2.0**100  # sums of exponentials beyond it, or below its inverse, are computed the careful way


def register_lean_attention() -> str:
    """Make :func:`lean_attention` known to transformers; the name under which a model asks for it."""
    from transformers import AttentionInterface, AttentionMaskInterface

    AttentionInterface.register(LEAN, lean_attention)
    AttentionMaskInterface.register(LEAN, padding_mask)
    return LEAN


def padding_mask(*, attention_mask: torch.Tensor | None = None, use_vmap: bool = False, **how: Any):
    """What is added to the scores of padding: shape ``(texts, 1, 1, tokens)``, or None where nothing is padded.

    transformers' own has a row for each token of the query, all alike. Masks of another kind (of a decoder, or
    packed texts) are made by transformers.
    """
    plain = sees_all_tokens(how["mask_function"]) and not use_vmap
    if not plain or (attention_mask is not None and attention_mask.shape != (how["batch_size"], how["kv_length"])):
        return eager_mask(attention_mask=attention_mask, use_vmap=use_vmap, **how)
    if attention_mask is None or attention_mask.all():
        return None
    there = attention_mask[:, None, None, :].bool()
    return torch.zeros(there.shape, device=there.device).masked_fill(~there, torch.finfo(torch.float32).min)


def lean_attention(
    module: torch.nn.Module,
    query: torch.Tensor,
    key: torch.Tensor,
    value: torch.Tensor,
    attention_mask: torch.Tensor | None,
    scaling: float,
    dropout: float = 0.0,
    **_: Any,
) -> tuple[torch.Tensor, None]:
    """Scaled dot-product attention with two passes over the scores instead of eight.

    The scores, one for each pair of tokens, are the largest tensors of the model. The eager attention of
    transformers passes over them to scale, to add the mask, to copy them to float32, to find each row's largest,
    to subtract it, to take the exponential, to divide and to copy back. Here the scaling goes to the queries, the
    mask into the matrix product, and the division to the result, which is smaller (as in FlashAttention, Dao et
    al. 2022); the exponential is left, and its sum. Without subtracting the largest, exponentials may overflow:
    their sums tell, and such scores are computed with PyTorch's softmax, as they are with dropout.

    Parameters
    ----------
    module
        The attention layer; only whether it is in training is looked at.
    query, key, value : torch.Tensor
        Shapes ``(texts, heads, tokens, size of a head)``; the query may have fewer tokens.
    attention_mask : torch.Tensor or None
        Added to the scores, shape ``(texts, 1, 1 or tokens of the query, tokens)``.
    scaling : float
        Usually one by the root of the size of a head.
    dropout : float
        Share of the attention weights that is dropped in training.

    Returns
    -------
    torch.Tensor
        Shape ``(texts, tokens of the query, heads, size of a head)``.
    None
        Instead of the weights, which never exist; a model with ``attn_implementation="eager"`` returns them.
    """
    with torch.autocast(query.device.type, enabled=False):
        if not dropout or not module.training:
            return _Attention.apply(query, key, value, attention_mask, scaling), None
        weights = functional.dropout(_softmax(query, key, attention_mask, scaling), p=dropout)
        return (weights @ value).transpose(1, 2).contiguous(), None


def _softmax(query, key, mask, scaling):
    scores = (query * scaling) @ key.transpose(2, 3)
    if mask is not None:
        scores += mask.to(scores.dtype)  # without: a float32 copy of the scores
    return scores.softmax(dim=-1)


class _Attention(torch.autograd.Function):
    """powers @ value / total, where a row's powers are exp(scores), or a multiple of it, and total is their sum.

    A few texts at a time, so that one step finds in the cache what the step before left there.
    """

    @staticmethod
    def forward(ctx, query, key, value, mask, scaling):
        shape = query.shape[:2]  # texts, heads
        scaled = _filled(torch.mul, query, scaling / math.log(2)).flatten(0, 1)  # exp(x) is 2 ** (x / log 2)
        # less the mean key: that takes the same off all scores of a row, and none of a row's sums is small
        moved = _filled(torch.sub, key, key.mean(dim=2, keepdim=True)).flatten(0, 1)
        flat = value.flatten(0, 1)
        parts = _parts(len(flat), scaled.shape[1] * moved.shape[1])
        kept = any(ctx.needs_input_grad)
        powers = scaled.new_empty(len(flat) if kept else parts[0].stop, scaled.shape[1], moved.shape[1])
        total, mixed = scaled.new_empty(*scaled.shape[:2], 1), torch.empty_like(scaled)
        multiply = _product(scaled, moved, None if mask is None else mask.to(scaled.dtype).expand(-1, shape[1], -1, -1))
        for part in parts:
            now = powers[part] if kept else powers[: part.stop - part.start]
            torch.sum(multiply(part, now).exp2_(), dim=-1, keepdim=True, out=total[part])
            torch.bmm(now, flat[part], out=mixed[part])
        largest, smallest = (find(total.unflatten(0, shape), dim=(0, 2, 3)) for find in (torch.amax, torch.amin))
        extreme = (~((smallest > 1 / _SAFE) & (largest < _SAFE))).nonzero().flatten()  # nan counts as extreme
        if len(extreme):
            weights = _softmax(query[:, extreme], key[:, extreme], mask, scaling)
            mixed.unflatten(0, shape)[:, extreme] = weights @ value[:, extreme]
            total.unflatten(0, shape)[:, extreme] = 1
            if kept:
                powers.unflatten(0, shape)[:, extreme] = weights
        mixed, total_of = mixed.unflatten(0, shape).transpose(1, 2), total.unflatten(0, shape).transpose(1, 2)
        mixed = _filled(torch.div, mixed, total_of)
        ctx.save_for_backward(scaled, moved, flat, powers, total, mixed)
        ctx.scaling = scaling
        return mixed

    @staticmethod
    def backward(ctx, gradient):
        scaled, moved, value, powers, total, mixed = ctx.saved_tensors
        texts, _, heads, _ = gradient.shape
        gradient, mixed = (one.transpose(1, 2).flatten(0, 1) for one in (gradient, mixed))
        to_mixed = gradient / total
        mean = (to_mixed * mixed).sum(dim=-1, keepdim=True)
        left, right = _extended(to_mixed, -mean), _extended(value, 1).transpose(1, 2)
        found = to_query, to_key, to_value = [torch.empty_like(one) for one in (scaled, moved, value)]
        parts = _parts(len(value), powers.shape[1] * powers.shape[2])
        to_scores = torch.empty_like(powers[parts[0]])
        for part in parts:
            now = to_scores[: part.stop - part.start]
            torch.bmm(left[part], right[part], out=now).mul_(powers[part])
            torch.bmm(now, moved[part], out=to_query[part])
            torch.bmm(now.transpose(1, 2), scaled[part], out=to_key[part])
            torch.bmm(powers[part].transpose(1, 2), to_mixed[part], out=to_value[part])
        to_query.mul_(ctx.scaling)
        to_key.mul_(math.log(2))
        return *(one.unflatten(0, (texts, heads)) for one in found), None, None


def _parts(rows: int, scores: int) -> list[slice]:
    """Slices of `rows` heads with so many scores each that a slice's scores stay in the processor's cache."""
    size = max(1, min(rows, _CACHED // scores))
    return [slice(at, min(at + size, rows)) for at in range(0, rows, size)]


def _product(query, key, mask):
    """What computes a part of the scores. The mask is part of the product: one more number a key, 1 in queries."""
    if mask is not None:
        mask = mask.flatten(0, 1)
        if mask.shape[1] > 1:
            return lambda part, out: torch.baddbmm(mask[part], query[part], key[part].transpose(1, 2), out=out)
        query, key = _extended(query, 1), _extended(key, mask.transpose(1, 2))
    return lambda part, out: torch.bmm(query[part], key[part].transpose(1, 2), out=out)


def _extended(states, number):
    """With one more number at the end of each vector: ``(rows, tokens, size)`` to ``(rows, tokens, size + 1)``."""
    number = states.new_full((1, 1, 1), number) if isinstance(number, int) else number
    return torch.cat([states, number.expand(*states.shape[:2], 1)], dim=-1)


def _filled(operation, left, right):
    """What the operation gives, in the order of its dimensions in memory too: the copy is part of the operation."""
    return operation(left, right, out=torch.empty(left.shape, dtype=left.dtype, device=left.device))
