"""The reversed gradient: identity forward, times -1 or minus a strength backward.

Ganin et al. (2016), "Domain-Adversarial Training of Neural Networks", section 4; Raff and
Sylvester, GRAD, section 2. Here torch begins.
"""

from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable


class _Fork(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any, trunk: Tensor, weight: Tensor, multiplier: Tensor, ahead: Tensor
    ) -> Tensor:
        ctx.save_for_backward(trunk, ahead, multiplier)
        return torch.bmm(weight, trunk)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, Tensor, None, None]:
        trunk, ahead, multiplier = ctx.saved_tensors
        to_trunk = torch.bmm((ahead * multiplier).transpose(1, 2), gradient)
        to_weight = torch.bmm(gradient, trunk.transpose(1, 2))
        return to_trunk, to_weight, None, None


def fork(trunk: Tensor, weight: Tensor, multiplier: Tensor, ahead: Tensor | None = None) -> Tensor:
    """Feed the trunk to the first layer of every branch, some of whose gradients are reversed.

    Forward it is the matrix product ``weight @ trunk``. Backward the weights get their ordinary
    gradient, and the trunk gets that of each output row times the row's multiplier: 1 for rows of
    the target branch, less than 0 for rows of an attribute branch. Reversing inside the product spares a
    copy of the trunk's output for every branch.

    Parameters
    ----------
    trunk : Tensor of shape (P, H, B)
        Output of the trunk.
    weight : Tensor of shape (P, R, H)
        First layers of all branches, one above the other.
    multiplier : Tensor of shape (R, 1) or (P, R, 1)
        What the gradient of each row, or of each member's, is multiplied by on its way into the
        trunk.
    ahead : Tensor of shape (P, R, H), optional
        The weights that the trunk's gradient comes through, where they are not the layers' own.

    Returns
    -------
    Tensor of shape (P, R, B)
    """
    through = weight if ahead is None else ahead
    result: Tensor = _Fork.apply(trunk, weight, multiplier, through)  # type: ignore[no-untyped-call]
    return result


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
