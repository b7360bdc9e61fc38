"""A layer of a pack in training, forward and backward: product, batch normalisation, ReLU, dropout.

Written out, since autograd and torch's batch normalisation took longer than the products of layers of
40 units: on a CPU torch computes the statistics one number at a time, and the pages of every tensor
that is not reused have to be mapped again. Every pass over the activations is vectorised, most of them
in place; gradients are written to where the optimiser reads them; and a factor that is the same for all
rows of a unit (its gain over its standard deviation) is multiplied into the small weights. On a GPU a
kernel replaces these passes: see `grad_ext.engine.kernels`.

Ioffe and Szegedy (2015), "Batch Normalization", algorithm 1 and section 3.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from functools import cache
from importlib.util import find_spec
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from grad_ext.engine.workspace import Workspace

if TYPE_CHECKING:
    from grad_ext.engine.kernels import Drawn

MOMENTUM = 0.1
EPS = 1e-5
# The gradient where the output is above 0, else 0. Looked up once, since looking it up is slow.
RELU_BACKWARD = torch.ops.aten.threshold_backward.grad_input


class StackedDense:
    """One layer of P members, or the layers of their branches that are stacked.

    Layers with a common input are stacked one below the other, as units of one layer; layers with
    inputs of their own count as members.

    Parameters
    ----------
    weight, gain, shift : Tensor
        Parameters of P * O * I, P * O and P * O elements; `backward` writes their gradients to
        ``.grad``.
    mean, variance : Tensor of P * O elements
        Running statistics, as torch's batch normalisation has them.
    pack : int
        P, including stacked layers that count as members.
    workspace : Workspace
        Memory of activations and gradients until the next step.
    name : str
        A name of its own among the layers of that workspace.

    Attributes
    ----------
    running : list of 2 Tensors
        The running statistics.
    batch : list of 2 Tensors
        The last minibatch's statistics, for `move`; empty if a kernel has updated the running ones.
    """

    def __init__(
        self,
        weight: Tensor,
        gain: Tensor,
        shift: Tensor,
        mean: Tensor,
        variance: Tensor,
        pack: int,
        workspace: Workspace,
        name: str,
    ) -> None:
        inputs, units = weight.shape[-1], (pack, -1, 1)
        self._weight = weight.detach().view(pack, -1, inputs)
        self._gain, self._shift = gain.detach().view(units), shift.detach().view(units)
        self._grad_weight = _gradient(weight).view(pack, -1, inputs)
        self._grad_gain, self._grad_shift = (
            _gradient(gain).view(units),
            _gradient(shift).view(units),
        )
        self.running = [mean.view(units), variance.view(units)]
        self.batch: list[Tensor] = []
        self._workspace, self._name = workspace, name

    def _take(self, purpose: str, rows: int) -> Tensor:
        size = (*self._gain.shape[:2], rows)
        return self._workspace.take(f"{self._name} {purpose}", size, self._gain)

    def forward(
        self, x: Tensor, mask: Tensor | Drawn | None = None, multiplier: Tensor | None = None
    ) -> Tensor:
        """Return the output, which is in the workspace; call `move` afterwards.

        Parameters
        ----------
        x : Tensor of shape (P, I, B)
            The input; at least two rows, whose mean and variance normalise each unit.
        mask : Tensor of P * O * B elements, or Drawn, optional
            Dropout factors of the output, or how a kernel draws them: see `fuses`.
        multiplier : Tensor of shape (O, 1) or (P, O, 1), optional
            Factor of each unit's gradient on its way to x.

        Returns
        -------
        Tensor of shape (P, O, B)
        """
        rows = x.shape[2]
        # Overwritten by its deviations from the mean.
        product = torch.bmm(self._weight, x, out=self._take("product", rows))
        out = self._take("out", rows)
        self._x, self._out, self._product, self._mask = x, out, product, mask
        self._multiplier = multiplier
        if fuses(x, rows):
            from grad_ext.engine.kernels import forward

            assert not isinstance(mask, Tensor)
            size = (2, self._gain.numel())
            self._saved = self._workspace.take(f"{self._name} saved", size, x)
            mean, variance = self.running
            forward(
                *(product, self._gain, self._shift, mean, variance),
                momentum=MOMENTUM,
                eps=EPS,
                drawn=mask,
                out=out,
                saved=self._saved,
            )
            return out
        assert mask is None or isinstance(mask, Tensor)
        mean = torch.mean(product, 2, keepdim=True, out=self._take("mean", 1))
        product.sub_(mean)
        variance = self._take("variance", 1)
        norm = torch.linalg.vector_norm(product, dim=2, keepdim=True, out=variance)
        norm.square_().div_(rows)
        inverse = torch.add(variance, EPS, out=self._take("inverse", 1)).rsqrt_()
        scale = torch.mul(inverse, self._gain, out=self._take("scale", 1))
        torch.mul(product, scale, out=out).add_(self._shift).relu_()
        if mask is not None:
            out *= mask.view(out.shape)
        self.batch = [mean, variance]
        self._inverse, self._scale = inverse, scale
        return out

    def backward(self, gradient: Tensor) -> Tensor:
        """Write the gradients of the parameters, and return that of x, which is in the workspace.

        Parameters
        ----------
        gradient : Tensor of P * O * B elements
            By the last output; overwritten, as is what the forward pass stored.

        Returns
        -------
        Tensor of shape (P, I, B)
        """
        gradient = gradient.view(self._product.shape)
        weight = self.write_gradients(gradient)
        if self._multiplier is not None:
            weight = weight * self._multiplier
        grad_x = self._workspace.take(f"{self._name} back", self._x.shape, self._x)
        return torch.bmm(weight.transpose(1, 2), gradient, out=grad_x)

    def write_gradients(self, gradient: Tensor) -> Tensor:
        """Write the gradients of the parameters, and turn that of the output into the product's.

        A factor that is the same for all rows of a unit is in the weights that are returned instead.

        Parameters
        ----------
        gradient : Tensor of P * O * B elements
            By the last output; overwritten, as is what the forward pass stored.

        Returns
        -------
        Tensor of shape (P, O, I)
        """
        out, product, mask = self._out, self._product, self._mask
        gradient = gradient.view(product.shape)
        rows = gradient.shape[2]
        if fuses(self._x, rows):
            from grad_ext.engine.kernels import backward

            assert not isinstance(mask, Tensor)
            gradients = (gradient, self._grad_gain, self._grad_shift)
            backward(gradient, product, self._gain, self._shift, self._saved, mask, *gradients)
            torch.bmm(gradient, self._x.transpose(1, 2), out=self._grad_weight)
            return self._weight
        if mask is not None:
            assert isinstance(mask, Tensor)
            gradient.mul_(mask.view(out.shape))
        # Units that are not above 0 were rectified, or dropped.
        RELU_BACKWARD(gradient, out, 0.0, grad_input=gradient)
        weighted = torch.mul(
            gradient, product, out=self._workspace.take("weighted", out.shape, out)
        )
        grad_gain = torch.sum(weighted, 2, keepdim=True, out=self._grad_gain).mul_(self._inverse)
        grad_shift = torch.sum(gradient, 2, keepdim=True, out=self._grad_shift)
        gradient.sub_(grad_shift / rows)
        gradient.sub_(product.mul_(grad_gain * (self._inverse / rows)))
        torch.bmm(gradient, self._x.transpose(1, 2), out=self._grad_weight).mul_(self._scale)
        return self._weight * self._scale


def move(layers: Sequence[StackedDense], rows: int) -> None:
    """Update the running statistics of layers by those of the last minibatch.

    All at once, since each is a handful of numbers. Each product is rounded by itself: a fused
    multiplication and addition has one rounding in a vectorised loop and may have two in its tail.
    """
    running = [value for layer in layers if layer.batch for value in layer.running]
    batch = [value for layer in layers for value in layer.batch]
    if not batch:
        return
    torch._foreach_mul_(running, 1.0 - MOMENTUM)
    factors = [MOMENTUM, MOMENTUM * rows / (rows - 1)]
    torch._foreach_mul_(batch, factors * (len(batch) // 2))
    torch._foreach_add_(running, batch)


def _gradient(parameter: Tensor) -> Tensor:
    assert parameter.grad is not None
    return parameter.grad


def fuses(like: Tensor, rows: int) -> bool:
    """Return whether our GPU kernels normalise the layers: see `grad_ext.engine.kernels`."""
    if like.device.type != "cuda" or like.dtype != torch.float32 or not _triton_loads():
        return False
    from grad_ext.engine.kernels import MOST_ROWS

    return 1 < rows <= MOST_ROWS


@cache
def _triton_loads() -> bool:
    # Loading Triton after TensorFlow crashes the process; loading it before does not.
    return find_spec("triton") is not None and "tensorflow" not in sys.modules
