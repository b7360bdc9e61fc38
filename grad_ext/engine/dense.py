"""A layer of a pack in training: product, batch normalisation, ReLU, dropped units; and its backward.

Written out, since what autograd and torch's batch normalisation add took longer than the products of
layers of 40 units: on a CPU the latter takes its statistics a number at a time, and every tensor that
is not used again is memory whose pages have to be mapped anew. Here every pass over the activations is
a vectorised one, most of them in place, gradients are written to where the optimiser finds them, and
what is the same for all rows of a unit (its gain over its standard deviation) is multiplied into the
small weights. On a GPU one kernel takes the place of the passes: see `grad_ext.engine.kernels`.

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
# The gradient where the output is above 0, else 0. Looked up once: by its name it is slow to call.
RELU_BACKWARD = torch.ops.aten.threshold_backward.grad_input


class StackedDense:
    """One layer of P members, or the layers of their branches that are stacked.

    Layers that lie on the same input are stacked one above the other, their units being the units of
    one layer; those with inputs of their own count as members.

    Parameters
    ----------
    weight, gain, shift : Tensor
        Parameters of P * O * I, P * O and P * O elements; their gradients, the tensors ``.grad``, are
        written by `backward`.
    mean, variance : Tensor of P * O elements
        Running statistics, as torch's batch normalisation keeps them.
    pack : int
        P, with stacked layers that count as members.
    room : Workspace
        Where activations and gradients lie until the next step.
    name : str
        Its own among the layers of that room.

    Attributes
    ----------
    running : list of 2 Tensors
        The running statistics.
    fresh : list of 2 Tensors
        The last minibatch's, until `move` takes them; empty where a kernel has moved the running ones.
    """

    def __init__(
        self,
        weight: Tensor,
        gain: Tensor,
        shift: Tensor,
        mean: Tensor,
        variance: Tensor,
        pack: int,
        room: Workspace,
        name: str,
    ) -> None:
        inputs, each = weight.shape[-1], (pack, -1, 1)
        self._weight = weight.detach().view(pack, -1, inputs)
        self._gain, self._shift = gain.detach().view(each), shift.detach().view(each)
        self._to_weight = _gradient(weight).view(pack, -1, inputs)
        self._to_gain, self._to_shift = _gradient(gain).view(each), _gradient(shift).view(each)
        self.running = [mean.view(each), variance.view(each)]
        self.fresh: list[Tensor] = []
        self._room, self._name = room, name

    def _take(self, what: str, rows: int) -> Tensor:
        return self._room.take(f"{self._name} {what}", (*self._gain.shape[:2], rows), self._gain)

    def forward(
        self, x: Tensor, mask: Tensor | Drawn | None = None, multiplier: Tensor | None = None
    ) -> Tensor:
        """Return the output, which lies in the room; `move` is called after it.

        Parameters
        ----------
        x : Tensor of shape (P, I, B)
            What comes in; at least two rows, by whose mean and variance each unit is normalised.
        mask : Tensor of P * O * B elements, or Drawn, optional
            What the output is multiplied by, or what drops its units: see `fuses`.
        multiplier : Tensor of shape (O, 1) or (P, O, 1), optional
            What the gradient of each unit is multiplied by on its way to x.

        Returns
        -------
        Tensor of shape (P, O, B)
        """
        rows = x.shape[2]
        apart = torch.bmm(self._weight, x, out=self._take("apart", rows))
        out = self._take("out", rows)
        self._x, self._out, self._apart, self._mask = x, out, apart, mask
        self._multiplier = multiplier
        if fuses(x, rows):
            from grad_ext.engine.kernels import forward

            assert not isinstance(mask, Tensor)
            self._saved = self._room.take(f"{self._name} saved", (2, self._gain.numel()), x)
            mean, variance = self.running
            forward(
                *(apart, self._gain, self._shift, mean, variance),
                momentum=MOMENTUM,
                eps=EPS,
                drawn=mask,
                out=out,
                saved=self._saved,
            )
            return out
        assert mask is None or isinstance(mask, Tensor)
        mean = torch.mean(apart, 2, keepdim=True, out=self._take("mean", 1))
        apart.sub_(mean)
        spread = self._take("variance", 1)
        torch.linalg.vector_norm(apart, dim=2, keepdim=True, out=spread).square_().div_(rows)
        rate = torch.add(spread, EPS, out=self._take("rate", 1)).rsqrt_()
        scale = torch.mul(rate, self._gain, out=self._take("scale", 1))
        torch.mul(apart, scale, out=out).add_(self._shift).relu_()
        if mask is not None:
            out *= mask.view(out.shape)
        self.fresh = [mean, spread]
        self._rate, self._scale = rate, scale
        return out

    def backward(self, gradient: Tensor, wanted: bool = True) -> Tensor | None:
        """Write the parameters' gradients, and return that of x, which lies in the room.

        Parameters
        ----------
        gradient : Tensor of P * O * B elements
            Of the last output; overwritten, as is what the forward pass left.
        wanted : bool, default True
            Whether the gradient of x is.

        Returns
        -------
        Tensor of shape (P, I, B), or None
        """
        x, apart, mask = self._x, self._apart, self._mask
        gradient = gradient.view(apart.shape)
        if fuses(x, apart.shape[2]):
            from grad_ext.engine.kernels import backward

            assert not isinstance(mask, Tensor)
            found = (gradient, self._to_gain, self._to_shift)
            backward(gradient, apart, self._gain, self._shift, self._saved, mask, *found)
            torch.bmm(gradient, x.transpose(1, 2), out=self._to_weight)
            back = self._weight
        else:
            back = self._through(gradient)
        if not wanted:
            return None
        if self._multiplier is not None:
            back = back * self._multiplier
        to_x = self._room.take(f"{self._name} back", x.shape, x)
        return torch.bmm(back.transpose(1, 2), gradient, out=to_x)

    def _through(self, gradient: Tensor) -> Tensor:
        """Write the parameters' gradients, and leave of the output's what comes through to the product.

        But for what is the same for all rows of a unit, which is in the weights that are returned.
        """
        out, apart, mask, rows = self._out, self._apart, self._mask, gradient.shape[2]
        if mask is not None:
            assert isinstance(mask, Tensor)
            gradient.mul_(mask.view(out.shape))
        # What was not above 0 was rectified, or dropped.
        RELU_BACKWARD(gradient, out, 0.0, grad_input=gradient)
        product = torch.mul(gradient, apart, out=self._room.take("product", out.shape, out))
        to_gain = torch.sum(product, 2, keepdim=True, out=self._to_gain).mul_(self._rate)
        to_shift = torch.sum(gradient, 2, keepdim=True, out=self._to_shift)
        gradient.sub_(to_shift / rows)
        gradient.sub_(apart.mul_(to_gain * (self._rate / rows)))
        torch.bmm(gradient, self._x.transpose(1, 2), out=self._to_weight).mul_(self._scale)
        return self._weight * self._scale


def move(layers: Sequence[StackedDense], rows: int) -> None:
    """Move the running statistics of layers by those of the minibatch that went through them.

    All at once, since each is a handful of numbers. Each factor is rounded by itself: a fused
    multiplication and addition has one rounding in a vectorised loop and may have two in its tail.
    """
    running = [value for layer in layers if layer.fresh for value in layer.running]
    fresh = [value for layer in layers for value in layer.fresh]
    if not fresh:
        return
    torch._foreach_mul_(running, 1.0 - MOMENTUM)
    factors = [MOMENTUM, MOMENTUM * rows / (rows - 1)]
    torch._foreach_mul_(fresh, factors * (len(fresh) // 2))
    torch._foreach_add_(running, fresh)


def _gradient(parameter: Tensor) -> Tensor:
    assert parameter.grad is not None
    return parameter.grad


def fuses(like: Tensor, rows: int) -> bool:
    """Return whether layers are normalised by our kernels for GPUs: see `grad_ext.engine.kernels`."""
    if like.device.type != "cuda" or like.dtype != torch.float32 or not _triton_loads():
        return False
    from grad_ext.engine.kernels import MOST_ROWS

    return 1 < rows <= MOST_ROWS


@cache
def _triton_loads() -> bool:
    # After TensorFlow it brings the process down, before it does not.
    return find_spec("triton") is not None and "tensorflow" not in sys.modules
