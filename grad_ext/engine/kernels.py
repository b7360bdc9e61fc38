"""Batch normalisation, ReLU and dropout of a layer in one pass on an NVIDIA GPU.

cuDNN's batch normalisation uses a block of threads for each unit of each member, whose minibatch is far
too short for it; and ReLU, drawing masks and multiplying by them each read and write all activations
again. In these kernels each program computes several units, reads their rows once, and draws the dropout
by the hash of `grad_ext.engine.hashing`, again in the backward pass. Triton comes with torch's CUDA
builds for Linux; without it, and on the CPU, `grad_ext.engine.dense` uses torch's operators.

Not imported unless tensors are on a GPU.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import triton  # pyright: ignore[reportMissingImports]
import triton.language as tl  # pyright: ignore[reportMissingImports]
from torch import Tensor

# Elements that fit in a program's registers.
ELEMENTS = 4096
# The longest minibatch that fits.
MOST_ROWS = 4096


@dataclass(frozen=True)
class Drawn:
    """How a kernel draws the dropout of a layer, by the hash of `grad_ext.engine.hashing`.

    Attributes
    ----------
    keys : int32 Tensor of shape (P, 2)
        The step's keys of each member.
    first : int
        The number of the layer's first unit and row.
    units : int
        Units of a member that may be dropped, the first ones of the layer.
    least : int
        A unit is dropped if its sixteen bits are less than this.
    scale : float
        Factor of the other units.
    """

    keys: Tensor
    first: int
    units: int
    least: int
    scale: float


@triton.jit
def _keeps(number, key_0, key_1, least):
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
    """Return a program's channels and rows, which of them exist, and their addresses."""
    channel = tl.program_id(0) * CHANNELS + tl.arange(0, CHANNELS)
    row = tl.arange(0, ROWS)
    valid = channel < channels
    inside = valid[:, None] & (row < rows)[None, :]
    return channel, row, valid, inside, channel.to(tl.int64)[:, None] * rows + row[None, :]


@triton.jit
def _dropped(values, keys_at, channel, row, channels, rows, width, first, units, least, scale):
    """Return a layer's values, or their gradients, where units are dropped and others scaled."""
    valid = channel < channels
    member, unit = channel // width, channel % width
    key_0 = tl.load(keys_at + 2 * member, mask=valid, other=0).to(tl.uint32, bitcast=True)
    key_1 = tl.load(keys_at + 2 * member + 1, mask=valid, other=0).to(tl.uint32, bitcast=True)
    number = (first + unit[:, None] * rows + row[None, :]).to(tl.uint32)
    keeps = _keeps(number, key_0[:, None], key_1[:, None], least)
    return tl.where((unit < units)[:, None], tl.where(keeps, values * scale, 0.0), values)


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
    channel, row, valid, inside, at = _place(channels, rows, CHANNELS, ROWS)
    h = tl.load(h_at + at, mask=inside, other=0.0)
    mean = tl.sum(h, axis=1) / rows
    centred = tl.where(inside, h - mean[:, None], 0.0)
    variance = tl.sum(centred * centred, axis=1) / rows
    rate = 1.0 / tl.sqrt(variance + eps)
    tl.store(saved_at + channel, mean, mask=valid)
    tl.store(saved_at + channels + channel, rate, mask=valid)
    before = tl.load(mean_at + channel, mask=valid, other=0.0)
    tl.store(mean_at + channel, before + momentum * (mean - before), mask=valid)
    before = tl.load(variance_at + channel, mask=valid, other=0.0)
    unbiased = variance * (rows / (rows - 1.0))
    tl.store(variance_at + channel, before + momentum * (unbiased - before), mask=valid)
    gain = tl.load(gain_at + channel, mask=valid, other=0.0)
    shift = tl.load(shift_at + channel, mask=valid, other=0.0)
    out = centred * rate[:, None] * gain[:, None] + shift[:, None]
    # nan stays nan, so that a model that diverged does not look like one that did not.
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
    grad_h_at,
    grad_gain_at,
    grad_shift_at,
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
    channel, row, valid, inside, at = _place(channels, rows, CHANNELS, ROWS)
    h = tl.load(h_at + at, mask=inside, other=0.0)
    gradient = tl.load(gradient_at + at, mask=inside, other=0.0)
    mean = tl.load(saved_at + channel, mask=valid, other=0.0)
    rate = tl.load(saved_at + channels + channel, mask=valid, other=0.0)
    gain = tl.load(gain_at + channel, mask=valid, other=0.0)
    shift = tl.load(shift_at + channel, mask=valid, other=0.0)
    normal = tl.where(inside, (h - mean[:, None]) * rate[:, None], 0.0)
    if DROPS:
        gradient = _dropped(
            gradient, keys_at, channel, row, channels, rows, width, first, units, least, scale
        )
    gradient = tl.where(normal * gain[:, None] + shift[:, None] <= 0.0, 0.0, gradient)
    grad_shift = tl.sum(gradient, axis=1)
    grad_gain = tl.sum(gradient * normal, axis=1)
    tl.store(grad_shift_at + channel, grad_shift, mask=valid)
    tl.store(grad_gain_at + channel, grad_gain, mask=valid)
    centred = gradient - (grad_shift / rows)[:, None] - normal * (grad_gain / rows)[:, None]
    tl.store(grad_h_at + at, centred * (gain * rate)[:, None], mask=inside)


def _sizes(h: Tensor, drawn: Drawn | None) -> tuple[tuple[int], list[Any], dict[str, int]]:
    """Return the grid, the numbers that both kernels get, and the constants they are compiled for."""
    channels, rows = h.shape[0] * h.shape[1], h.shape[2]
    # Branches that are stacked as members share the keys of their member.
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
    """Write a layer's output in training mode: batch normalisation, ReLU, dropout.

    Parameters
    ----------
    h : float32 Tensor of shape (P, H, B)
        The layer's product; B from 2 to `MOST_ROWS`.
    gain, shift : float32 Tensor of P * H elements
        Parameters of the batch normalisation.
    mean, variance : float32 Tensor of P * H elements
        Running statistics, which are updated.
    momentum, eps : float
        As in torch's batch normalisation.
    drawn : Drawn or None
        How dropout is drawn; none if None.
    out : float32 Tensor of shape (P, H, B)
        The output is written to it.
    saved : float32 Tensor of shape (2, P * H)
        The means and inverse standard deviations of the minibatch are written to it.
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
    grad_h: Tensor,
    grad_gain: Tensor,
    grad_shift: Tensor,
) -> None:
    """Write the gradients of a layer's product, gain and shift, from that of its output.

    Parameters
    ----------
    gradient : float32 Tensor of shape (P, H, B)
        Gradient of the output.
    h, gain, shift, saved, drawn
        As `forward` got or wrote them.
    grad_h, grad_gain, grad_shift : float32 Tensor
        The gradients are written to them, of the sizes of h, gain and shift.
    """
    grid, values, shapes = _sizes(h, drawn)
    keys = saved if drawn is None else drawn.keys
    read = (gradient, h, gain, shift, keys, saved)
    _backward[grid](*read, grad_h, grad_gain, grad_shift, *values, **shapes)
