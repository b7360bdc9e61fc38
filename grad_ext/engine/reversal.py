"""The reversed gradient: identity forward, times -1 or minus a strength backward.

Ganin et al. (2016), "Domain-Adversarial Training of Neural Networks", section 4; Raff and
Sylvester, GRAD, section 2.
"""

from typing import Any

import torch
from torch import Tensor


class _Reverse(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, strength: float) -> Tensor:
        ctx.strength = strength
        return x.view_as(x)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None]:
        return gradient * -ctx.strength, None


def reverse(x: Tensor, strength: float = 1.0) -> Tensor:
    """Return the input, whose gradient is reversed in the backward pass.

    The derivative is minus `strength` times the identity: layers above it are trained to minimise a
    loss, layers below it to maximise it. Second derivatives are those of ``-strength * x``.

    Parameters
    ----------
    x : Tensor of any shape
        A hidden layer's output.
    strength : float, default 1.0
        Factor of the reversed gradient.

    Returns
    -------
    Tensor of the same shape
    """
    result: Tensor = _Reverse.apply(x, strength)  # type: ignore[no-untyped-call]
    return result
