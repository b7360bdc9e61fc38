"""The reversed gradient: identity forward, times -1 or minus a strength backward.

Ganin et al. (2016), "Domain-Adversarial Training of Neural Networks", section 4; Raff and
Sylvester, GRAD, section 2. Here torch begins.
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
    """Return the input itself, whose gradient is reversed on its way back.

    Its derivative is minus `strength` times the identity, so what is trained above it to do
    something well trains what lies below it to make that hard. Second derivatives are those of the
    map that the gradient describes, ``-strength * x``.

    Parameters
    ----------
    x : Tensor of any shape
        A hidden layer's output.
    strength : float, default 1.0
        What the reversed gradient is multiplied by.

    Returns
    -------
    Tensor of the same shape
    """
    result: Tensor = _Reverse.apply(x, strength)  # type: ignore[no-untyped-call]
    return result
