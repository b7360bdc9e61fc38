"""Parameters of P members as views of one buffer, and the initial weights drawn into them."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import torch
from torch import Tensor

from grad_ext.seeds import torch_generator

# float32 lanes of the widest vector register (512 bits).
ALIGN = 16


def padded(size: Sequence[int]) -> int:
    """Return the number of elements of a tensor, rounded up to a multiple of `ALIGN`."""
    return -(-math.prod(size) // ALIGN) * ALIGN


def carve(flat: Tensor, sizes: Mapping[str, tuple[int, ...]]) -> dict[str, Tensor]:
    """Return non-overlapping views of a flat buffer, each beginning on a multiple of `ALIGN`."""
    views: dict[str, Tensor] = {}
    start = 0
    for name, size in sizes.items():
        views[name] = flat.detach()[start : start + math.prod(size)].view(size)
        start += padded(size)
    return views


def carve_parameters(flat: Tensor, sizes: Mapping[str, tuple[int, ...]]) -> dict[str, Tensor]:
    """Return views that require a gradient, whose gradients are views of ``flat.grad``.

    One optimiser step over `flat` updates all of them.

    Parameters
    ----------
    flat : Tensor
        A buffer of as many elements as all padded sizes have together; gets a gradient of zeros.
    sizes : mapping of str to tuple of int
        The shape of each parameter.
    """
    flat.grad = torch.zeros_like(flat)
    parameters = carve(flat, sizes)
    gradients = carve(flat.grad, sizes)
    for name, parameter in parameters.items():
        parameter.requires_grad_().grad = gradients[name]
    return parameters


@torch.no_grad()
def draw_weight(weight: Tensor, seed: int, name: str) -> None:
    """Fill a layer's weight of shape (..., fan_in) from N(0, 1/fan_in).

    The generator is derived from the seed and the layer's name, so that adding a layer or a member
    does not change the weights of the others.
    """
    generator = torch_generator(seed, "weights", name)
    weight.normal_(0.0, weight.shape[-1] ** -0.5, generator=generator)
