"""Attention for a CPU, with as few passes as possible over the model's largest tensors. Taught in lesson 03."""

from __future__ import annotations

import math
from typing import Any

import torch
from torch.nn import functional
from transformers import AttentionInterface, AttentionMaskInterface

from ._transformers import eager_mask, sees_all_tokens

_CACHED = 2**21  # number of scores that are computed at a time
_SAFE = 2.0**100  # heads with sums of exponentials above it, or below its inverse, are computed by softmax


def register_lean_attention() -> str:
    """Register :func:`lean_attention` with transformers, and return its name for ``attn_implementation``: "lean"."""
    AttentionInterface.register("lean", lean_attention)
    AttentionMaskInterface.register("lean", padding_mask)
    return "lean"


def padding_mask(*, attention_mask: torch.Tensor | None = None, use_vmap: bool = False, **options: Any):
    """The mask that is added to the scores: shape ``(texts, 1, 1, tokens)``, or None without padding.

    transformers' own mask repeats this row for each token of the query. Other kinds of masks (for decoders or packed
    texts) are left to transformers.
    """
    plain = sees_all_tokens(options["mask_function"]) and not use_vmap
    shape = (options["batch_size"], options["kv_length"])
    if not plain or (attention_mask is not None and attention_mask.shape != shape):
        return eager_mask(attention_mask=attention_mask, use_vmap=use_vmap, **options)
    if attention_mask is None or attention_mask.all():
        return None
    padding = ~attention_mask[:, None, None, :].bool()
    return torch.zeros(padding.shape, device=padding.device).masked_fill(padding, torch.finfo(torch.float32).min)


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

    The scores, one per pair of tokens, are the model's largest tensors. The eager attention of transformers passes over
    them to scale, to add the mask, to copy them to float32, to find each row's maximum, to subtract it, to take the
    exponential, to divide and to copy back. Here the queries are scaled instead, the matrix product adds the mask, and
    the smaller result is divided (as in FlashAttention, Dao et al. 2022); only the exponential and its sum are left.
    Because the maximum is not subtracted, exponentials may overflow. Their sums show this, and such heads are computed
    with PyTorch's softmax. Dropout also uses the softmax.

    Parameters
    ----------
    module
        The attention layer; only its ``training`` is used.
    query, key, value : torch.Tensor
        Shapes ``(texts, heads, tokens, size of a head)``; the query may have fewer tokens.
    attention_mask : torch.Tensor or None
        Added to the scores, shape ``(texts, 1, 1 or tokens of the query, tokens)``.
    scaling : float
        Usually 1 / sqrt(size of a head).
    dropout : float
        Share of the attention weights that are dropped in training.

    Returns
    -------
    torch.Tensor
        Shape ``(texts, tokens of the query, heads, size of a head)``.
    None
        In place of the weights, which are never stored; use ``attn_implementation="eager"`` to get them.
    """
    with torch.autocast(query.device.type, enabled=False):
        if not dropout or not module.training:
            return _Attention.apply(query, key, value, attention_mask, scaling), None
        weights = functional.dropout(_softmax(query, key, attention_mask, scaling), p=dropout)
        return (weights @ value).transpose(1, 2).contiguous(), None


def _softmax(query, key, mask, scaling):
    scores = (query * scaling) @ key.transpose(2, 3)
    if mask is not None:
        scores += _mask_in(scores.dtype, mask)  # a float32 mask would make a float32 copy of the scores
    return scores.softmax(dim=-1)


def _mask_in(dtype, mask):
    """The mask in another precision; its lowest number stays finite, as a row that is all masked would give NaN."""
    return mask.to(dtype).clamp_(min=torch.finfo(dtype).min) if mask.dtype != dtype else mask


class _Attention(torch.autograd.Function):
    """powers @ value / total, where a row's powers are a multiple of exp(scores), and total is their sum.

    It is computed for a few heads at a time, so that each step finds the results of the previous step in the cache.
    """

    @staticmethod
    def forward(ctx, query, key, value, mask, scaling):
        shape = query.shape[:2]  # texts, heads
        scaled = _filled(torch.mul, query, scaling / math.log(2)).flatten(0, 1)  # exp(x) is 2 ** (x / log 2)
        # subtracting the mean key shifts all scores of a row equally, and keeps the row's sum from being small
        centred = _filled(torch.sub, key, key.mean(dim=2, keepdim=True)).flatten(0, 1)
        flat = value.flatten(0, 1)
        parts = _parts(len(flat), scaled.shape[1] * centred.shape[1])
        keep = any(ctx.needs_input_grad)
        powers = scaled.new_empty(len(flat) if keep else parts[0].stop, scaled.shape[1], centred.shape[1])
        total, mixed = scaled.new_empty(*scaled.shape[:2], 1), torch.empty_like(scaled)
        head_mask = None if mask is None else _mask_in(scaled.dtype, mask).expand(-1, shape[1], -1, -1)
        multiply = _product(scaled, centred, head_mask)
        for part in parts:
            current = powers[part] if keep else powers[: part.stop - part.start]
            torch.sum(multiply(part, current).exp2_(), dim=-1, keepdim=True, out=total[part])
            torch.bmm(current, flat[part], out=mixed[part])
        largest, smallest = (find(total.unflatten(0, shape), dim=(0, 2, 3)) for find in (torch.amax, torch.amin))
        extreme = (~((smallest > 1 / _SAFE) & (largest < _SAFE))).nonzero().flatten()  # NaN counts as extreme
        if len(extreme):
            weights = _softmax(query[:, extreme], key[:, extreme], mask, scaling)
            mixed.unflatten(0, shape)[:, extreme] = weights @ value[:, extreme]
            total.unflatten(0, shape)[:, extreme] = 1
            if keep:
                powers.unflatten(0, shape)[:, extreme] = weights
        mixed = _filled(torch.div, *(tensor.unflatten(0, shape).transpose(1, 2) for tensor in (mixed, total)))
        ctx.save_for_backward(scaled, centred, flat, powers, total, mixed)
        ctx.scaling = scaling
        return mixed

    @staticmethod
    def backward(ctx, gradient):
        scaled, centred, value, powers, total, mixed = ctx.saved_tensors
        texts, _, heads, _ = gradient.shape
        gradient, mixed = (tensor.transpose(1, 2).flatten(0, 1) for tensor in (gradient, mixed))
        to_mixed = gradient / total
        mean = (to_mixed * mixed).sum(dim=-1, keepdim=True)
        left, right = _extended(to_mixed, -mean), _extended(value, 1).transpose(1, 2)
        gradients = to_query, to_key, to_value = [torch.empty_like(tensor) for tensor in (scaled, centred, value)]
        parts = _parts(len(value), powers.shape[1] * powers.shape[2])
        to_scores = torch.empty_like(powers[parts[0]])
        for part in parts:
            current = to_scores[: part.stop - part.start]
            torch.bmm(left[part], right[part], out=current).mul_(powers[part])
            torch.bmm(current, centred[part], out=to_query[part])
            torch.bmm(current.transpose(1, 2), scaled[part], out=to_key[part])
            torch.bmm(powers[part].transpose(1, 2), to_mixed[part], out=to_value[part])
        to_query.mul_(ctx.scaling)
        to_key.mul_(math.log(2))
        return *(tensor.unflatten(0, (texts, heads)) for tensor in gradients), None, None


def _parts(rows: int, scores: int) -> list[slice]:
    """Slices of `rows` heads with `scores` each, so small that a slice's scores stay in the CPU's cache."""
    size = max(1, min(rows, _CACHED // scores))
    return [slice(start, min(start + size, rows)) for start in range(0, rows, size)]


def _product(query, key, mask):
    """A function that computes part of the scores; the mask is an extra number per key, multiplied by 1 in queries."""
    if mask is not None:
        mask = mask.flatten(0, 1)
        if mask.shape[1] > 1:
            return lambda part, out: torch.baddbmm(mask[part], query[part], key[part].transpose(1, 2), out=out)
        query, key = _extended(query, 1), _extended(key, mask.transpose(1, 2))
    return lambda part, out: torch.bmm(query[part], key[part].transpose(1, 2), out=out)


def _extended(states, number):
    """Append a number to each vector: ``(rows, tokens, size)`` to ``(rows, tokens, size + 1)``."""
    number = states.new_full((1, 1, 1), number) if isinstance(number, int) else number
    return torch.cat([states, number.expand(*states.shape[:2], 1)], dim=-1)


def _filled(operation, left, right):
    """The operation's result in contiguous memory, without a copy afterwards."""
    return operation(left, right, out=torch.empty(left.shape, dtype=left.dtype, device=left.device))
