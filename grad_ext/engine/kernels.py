"""A layer's output in one pass on an NVIDIA GPU: normalised, rectified, and some of its units dropped.

cuDNN's batch normalisation takes a block of threads for each unit of each member, whose minibatch
is far too short for it; and rectifying, drawing masks and multiplying by them each read and write
everything again. Here each program takes several units, whose rows it reads once, and draws what is
dropped by the hash of `grad_ext.engine.dropout` where it needs it, in the backward pass once more. The
kernels are Triton's, which comes with torch's builds for CUDA on Linux; without it, and on the CPU,
`grad_ext.engine.network` goes by torch's own operators.

Not imported unless tensors are on a GPU.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import triton
import triton.language as tl
from torch import Tensor

# Elements that a program has in its registers.
ELEMENTS = 4096
# The longest minibatch that fits there.
MOST_ROWS = 4096


@dataclass(frozen=True)
class Drawn:
    """Which units of a layer are dropped: `grad_ext.engine.dropout`'s hash, drawn where it is needed.

    Attributes
    ----------
    keys : int32 Tensor of shape (P, 2)
        Of the step, for each member.
    first : int
        The number of the layer's first unit and row.
    units : int
        Units of a member that may be dropped, the first ones of the layer.
    least : int
        Sixteen bits less than this drop a unit.
    scale : float
        What the others are multiplied by.
    """

    keys: Tensor
    first: int
    units: int
    least: int
    scale: float


@triton.jit
def _kept(number, key_0, key_1, least):
    """Return which units are kept: `grad_ext.engine.hashing.keyed` on unsigned numbers."""
    bits = number ^ key_0
    bits = (bits ^ (bits >> 16)) * 0x7FEB352D
    bits = (bits ^ (bits >> 15)) * 0x846CA68B
    bits = (bits ^ (bits >> 16)) ^ key_1
    bits = (bits ^ (bits >> 16)) * 0x7FEB352D
    bits = (bits ^ (bits >> 15)) * 0x846CA68B
    bits = bits ^ (bits >> 16)
    return (bits & 0xFFFF) >= least


@triton.jit
def _place(channels, rows, CHANNELS: tl.constexpr, ROWS: tl.constexpr):
    """Return a program's channels and rows, which of them there are, and where they lie."""
    channel = tl.program_id(0) * CHANNELS + tl.arange(0, CHANNELS)
    row = tl.arange(0, ROWS)
    here = channel < channels
    inside = here[:, None] & (row < rows)[None, :]
    return channel, row, here, inside, channel.to(tl.int64)[:, None] * rows + row[None, :]


@triton.jit
def _dropped(values, keys_at, channel, row, channels, rows, width, first, units, least, scale):
    """Return a layer's values, or their gradients, where units are dropped and others scaled."""
    here = channel < channels
    member, unit = channel // width, channel % width
    key_0 = tl.load(keys_at + 2 * member, mask=here, other=0).to(tl.uint32, bitcast=True)
    key_1 = tl.load(keys_at + 2 * member + 1, mask=here, other=0).to(tl.uint32, bitcast=True)
    number = (first + unit[:, None] * rows + row[None, :]).to(tl.uint32)
    kept = _kept(number, key_0[:, None], key_1[:, None], least)
    return tl.where((unit < units)[:, None], tl.where(kept, values * scale, 0.0), values)


@triton.jit(do_not_specialize=["channels", "width", "first", "units", "least"])
def _forward(
    h_at,
    gain_at,
    shift_at,
    mean_at,
    variance_at,
    keys_at,
    out_at,
    saved_at,
    channels,
    rows,
    width,
    first,
    units,
    least,
    scale,
    momentum,
    eps,
    DROPS: tl.constexpr,
    CHANNELS: tl.constexpr,
    ROWS: tl.constexpr,
):
    channel, row, here, inside, at = _place(channels, rows, CHANNELS, ROWS)
    h = tl.load(h_at + at, mask=inside, other=0.0)
    mean = tl.sum(h, axis=1) / rows
    apart = tl.where(inside, h - mean[:, None], 0.0)
    variance = tl.sum(apart * apart, axis=1) / rows
    rate = 1.0 / tl.sqrt(variance + eps)
    tl.store(saved_at + channel, mean, mask=here)
    tl.store(saved_at + channels + channel, rate, mask=here)
    before = tl.load(mean_at + channel, mask=here, other=0.0)
    tl.store(mean_at + channel, before + momentum * (mean - before), mask=here)
    before = tl.load(variance_at + channel, mask=here, other=0.0)
    unbiased = variance * (rows / (rows - 1.0))
    tl.store(variance_at + channel, before + momentum * (unbiased - before), mask=here)
    gain = tl.load(gain_at + channel, mask=here, other=0.0)
    shift = tl.load(shift_at + channel, mask=here, other=0.0)
    out = apart * rate[:, None] * gain[:, None] + shift[:, None]
    # What is no number stays so, lest a model that diverged looked like one that did not.
    out = tl.where(out < 0.0, 0.0, out)
    if DROPS:
        out = _dropped(
            out, keys_at, channel, row, channels, rows, width, first, units, least, scale
        )
    tl.store(out_at + at, out, mask=inside)


@triton.jit(do_not_specialize=["channels", "width", "first", "units", "least"])
def _backward(
    gradient_at,
    h_at,
    gain_at,
    shift_at,
    keys_at,
    saved_at,
    to_h_at,
    to_gain_at,
    to_shift_at,
    channels,
    rows,
    width,
    first,
    units,
    least,
    scale,
    DROPS: tl.constexpr,
    CHANNELS: tl.constexpr,
    ROWS: tl.constexpr,
):
    channel, row, here, inside, at = _place(channels, rows, CHANNELS, ROWS)
    h = tl.load(h_at + at, mask=inside, other=0.0)
    gradient = tl.load(gradient_at + at, mask=inside, other=0.0)
    mean = tl.load(saved_at + channel, mask=here, other=0.0)
    rate = tl.load(saved_at + channels + channel, mask=here, other=0.0)
    gain = tl.load(gain_at + channel, mask=here, other=0.0)
    shift = tl.load(shift_at + channel, mask=here, other=0.0)
    normal = tl.where(inside, (h - mean[:, None]) * rate[:, None], 0.0)
    if DROPS:
        gradient = _dropped(
            gradient, keys_at, channel, row, channels, rows, width, first, units, least, scale
        )
    gradient = tl.where(normal * gain[:, None] + shift[:, None] <= 0.0, 0.0, gradient)
    to_shift = tl.sum(gradient, axis=1)
    to_gain = tl.sum(gradient * normal, axis=1)
    tl.store(to_shift_at + channel, to_shift, mask=here)
    tl.store(to_gain_at + channel, to_gain, mask=here)
    centred = gradient - (to_shift / rows)[:, None] - normal * (to_gain / rows)[:, None]
    tl.store(to_h_at + at, centred * (gain * rate)[:, None], mask=inside)


def _sizes(h: Tensor, drawn: Drawn | None) -> tuple[tuple[int], list[Any], dict[str, int]]:
    """Return the grid, the numbers that both kernels take, and what they are compiled for."""
    channels, rows = h.shape[0] * h.shape[1], h.shape[2]
    # Of branches that are stacked as members, units go by the member that the keys are of.
    width = channels if drawn is None else channels // len(drawn.keys)
    block = triton.next_power_of_2(rows)
    each = max(1, ELEMENTS // block)
    values: list[Any] = [channels, rows, width]
    values += (
        [0, 0, 0, 1.0] if drawn is None else [drawn.first, drawn.units, drawn.least, drawn.scale]
    )
    shapes = {"DROPS": drawn is not None, "CHANNELS": each, "ROWS": block}
    return (triton.cdiv(channels, each),), values, shapes


def forward(
    h: Tensor,
    gain: Tensor,
    shift: Tensor,
    mean: Tensor,
    variance: Tensor,
    momentum: float,
    eps: float,
    drawn: Drawn | None,
    out: Tensor,
    saved: Tensor,
) -> None:
    """Write a layer's output in training mode: batch normalisation, ReLU, dropped units.

    Parameters
    ----------
    h : float32 Tensor of shape (P, H, B)
        What the layer's product gave; B from 2 to `MOST_ROWS`.
    gain, shift : float32 Tensor of P * H elements
        The normalisation's parameters.
    mean, variance : float32 Tensor of P * H elements
        Its running statistics, which are moved.
    momentum, eps : float
        As torch's batch normalisation has them.
    drawn : Drawn or None
        Which units are dropped; none if None. Layers that are stacked as members go by their keys.
    out : float32 Tensor of shape (P, H, B)
        Where the output goes.
    saved : float32 Tensor of shape (2, P * H)
        Where the minibatch's means and inverse standard deviations go.
    """
    grid, values, shapes = _sizes(h, drawn)
    keys = saved if drawn is None else drawn.keys
    read = (h, gain, shift, mean, variance, keys, out, saved)
    _forward[grid](*read, *values, momentum, eps, **shapes)


def backward(
    gradient: Tensor,
    h: Tensor,
    gain: Tensor,
    shift: Tensor,
    saved: Tensor,
    drawn: Drawn | None,
    to_h: Tensor,
    to_gain: Tensor,
    to_shift: Tensor,
) -> None:
    """Write the gradients of a layer's product, gain and shift, from that of its output.

    Parameters
    ----------
    gradient : float32 Tensor of shape (P, H, B)
        Of the output.
    h, gain, shift, saved, drawn
        What `forward` got, and what it wrote.
    to_h, to_gain, to_shift : float32 Tensor
        Where the gradients go, of the sizes of h, gain and shift.
    """
    grid, values, shapes = _sizes(h, drawn)
    keys = saved if drawn is None else drawn.keys
    read = (gradient, h, gain, shift, keys, saved)
    _backward[grid](*read, to_h, to_gain, to_shift, *values, **shapes)
