"""A minibatch forward through a pack's network, and its gradients back: GRAD in a page.

    x -> trunk -> branches -> heads -> what is said
                                         | losses' gradients
    trunk <- times -strength <- attribute branches
          <- times 1         <- target branch

Written out and not left to autograd, see `grad_ext.engine.dense`; a trunk that is a module of the user's is
autograd's, which takes over the gradient of its output.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from grad_ext.engine.dense import StackedDense, move
from grad_ext.engine.losses import sigmoid, softmax
from grad_ext.engine.workspace import Workspace
from grad_ext.outputs import Kind

if TYPE_CHECKING:
    from grad_ext.engine.kernels import Drawn
    from grad_ext.engine.network import Network

# What the logits are multiplied by before attribute branches see their probabilities.
SHARPNESS = (1.0, 5.0)
LARGEST_LOGIT = 80.0


@dataclass(frozen=True)
class _Product:
    """Heads, multiplied at once: one above the other on one input, or each on a branch of its own.

    Attributes
    ----------
    names : sequence of str
        The heads', among the parameters.
    x : Tensor of shape (Q, I, B)
        What they read.
    weight : Tensor of shape (Q, R, I)
        Their weights.
    through : Tensor of shape (Q, R, I)
        The weights through which the gradient of x comes.
    axis : {1, 2}
        Of members, heads, numbers and rows, the axis along which heads were put together: 1 where
        each is on a branch of its own.
    """

    names: Sequence[str]
    x: Tensor
    weight: Tensor
    through: Tensor
    axis: int


class ForwardBackward:
    """Forward and backward passes of a network in training mode.

    Parameters
    ----------
    network : Network
        Whose parameters' gradients are written and whose running statistics are moved.
    """

    def __init__(self, network: Network) -> None:
        self._network, self.room = network, Workspace()
        shape, members = network.shape, network.members
        self._names = shape.names[: len(shape.stacked)]

        def made(name: str, pack: int) -> StackedDense:
            return StackedDense(
                network.parameters[f"{name}.weight"],
                network.parameters[f"{name}.gain"],
                network.parameters[f"{name}.shift"],
                network.statistics[f"{name}.mean"],
                network.statistics[f"{name}.variance"],
                pack,
                self.room,
                name,
            )

        self._trunk = [made(f"trunk.{i}", members) for i in range(len(shape.layers))]
        # Branches' first layers lie one above the other on the trunk; later ones have inputs of their
        # own.
        self._branch = [
            made(f"branch.{i}", members * (len(self._names) if i else 1))
            for i in range(len(shape.branch))
        ]
        self._products: list[_Product] = []

    @torch.no_grad()
    def forward(
        self,
        x: Tensor,
        reversal: Tensor,
        masks: Iterable[Tensor | Drawn] = (),
        labels: Tensor | None = None,
        ahead: Tensor | None = None,
    ) -> list[Tensor]:
        """Return what every branch says: see `grad_ext.engine.network.Network.outputs`."""
        network, shape = self._network, self._network.shape
        left = iter(masks)
        self._products, self._labels = [], labels
        if network.trunk is not None:
            with torch.enable_grad():
                self._above = network.of_trunk(x)
            h = self._above.detach()
        else:
            h = x.transpose(1, 2)
            for layer in self._trunk:
                h = layer.forward(h, next(left, None))
        if shape.reads == "prediction":
            said = self._on_trunk(h, None, left)
            said += self._on_score(said[0], reversal, ahead)
        else:
            said = self._on_trunk(h, reversal, left)
        move([*self._trunk, *self._branch], x.shape[1])
        if labels is None:
            return said
        return [said[0], *(spoken(one, labels, shape.heads) for one in said[1:])]

    def _on_trunk(
        self, h: Tensor, reversal: Tensor | None, masks: Iterator[Tensor | Drawn]
    ) -> list[Tensor]:
        """Return what the branches on the trunk say; without a reversal there is but the target's."""
        shape, heads, rows = self._network.shape, self._weights(self._names), h.shape[2]
        if not shape.branch:
            return self._said(self._names, h, torch.cat(heads, 1), reversal)
        for i, layer in enumerate(self._branch):
            h = layer.forward(h, next(masks, None), None if i else reversal)
            h = h.view(self._network.members * len(heads), -1, rows)
        if len({*shape.ends[: len(heads)]}) == 1:
            return self._said(self._names, h, torch.stack(heads, 1).flatten(0, 1), axis=1)
        hidden = h.view(self._network.members, len(heads), -1, rows).unbind(1)
        each = zip(self._names, hidden, heads, strict=True)
        return [self._said([name], own, head)[0] for name, own, head in each]

    def _on_score(self, said: Tensor, reversal: Tensor, ahead: Tensor | None) -> list[Tensor]:
        """Return what the attribute branches read off what the target branch says, (P, R, B)."""
        names = self._network.shape.names[1:]
        kind = self._network.shape.target.kind
        self._score, self._shares = said, shares(kind, said)
        weight = torch.cat(self._weights(names), 1)
        return self._said(names, stretched(self._shares, said), weight, reversal, ahead)

    def _weights(self, names: Iterable[str]) -> list[Tensor]:
        return [self._network.parameters[f"{name}.head.weight"] for name in names]

    def _said(
        self,
        names: Sequence[str],
        x: Tensor,
        weight: Tensor,
        multiplier: Tensor | None = None,
        through: Tensor | None = None,
        axis: int = 2,
    ) -> list[Tensor]:
        """Return what heads say of x, and keep what takes their gradients back."""
        back = weight if through is None else through
        back = back if multiplier is None else back * multiplier
        self._products.append(_Product(names, x, weight, back, axis))
        members, rows = self._network.members, x.shape[2]
        biases = [self._network.parameters[f"{name}.head.bias"].unsqueeze(2) for name in names]
        together = torch.bmm(weight, x).view(members, -1, weight.shape[1], rows)
        pieces = _pieces(together, [bias.shape[1] for bias in biases], axis)
        return [piece + bias for piece, bias in zip(pieces, biases, strict=True)]

    @torch.no_grad()
    def backward(self, gradients: Sequence[Tensor]) -> None:
        """Write the gradients of all parameters, from those of what the last forward pass returned.

        Parameters
        ----------
        gradients : sequence of M Tensors of shape (P, R, B)
            As `forward` returned what they are of.
        """
        network, shape = self._network, self._network.shape
        left = list(gradients)
        if self._labels is not None:
            left[1:] = [unspoken(one, self._labels, shape.heads) for one in left[1:]]
        products = list(self._products)
        if shape.reads == "prediction" and shape.attributes:
            to_seen = self._back(products.pop(), left[1:])
            left = [left[0] + unseen(shape.target.kind, self._score, self._shares, to_seen)]
        if len(products) > 1:
            back = [self._back(product, [one]) for product, one in zip(products, left, strict=True)]
            to_h = torch.stack(back, 1)
        else:
            to_h = self._back(products[0], left)
        for layer in reversed(self._branch):
            found = layer.backward(to_h)
            assert found is not None
            to_h = found
        if network.trunk is not None:
            for name in network.trunk.parameters:
                gradient = network.parameters[f"trunk.{name}"].grad
                assert gradient is not None
                gradient.zero_()
            torch.autograd.backward(self._above, to_h.view(self._above.shape))
            return
        for layer in reversed(self._trunk):
            back_to = layer.backward(to_h, wanted=layer is not self._trunk[0])
            if back_to is not None:
                to_h = back_to

    def _back(self, product: _Product, gradients: Sequence[Tensor]) -> Tensor:
        """Write the heads' gradients, and return that of what they read, (Q, I, B)."""
        parameters, axis = self._network.parameters, product.axis
        # One after another along the axis of heads, or of the numbers that they say.
        together = torch.stack(list(gradients), 1) if axis == 1 else torch.cat(list(gradients), 1)
        above = together.view(len(product.x), -1, together.shape[-1])
        members = self._network.members
        to_weight = torch.bmm(above, product.x.transpose(1, 2))
        to_weight = to_weight.view(members, -1, *to_weight.shape[1:])
        to_bias = above.sum(2).view(members, -1, above.shape[1], 1)
        ends = [gradient.shape[1] for gradient in gradients]
        each = zip(
            product.names, _pieces(to_weight, ends, axis), _pieces(to_bias, ends, axis), strict=True
        )
        for name, weight, bias in each:
            for what, value in (("weight", weight), ("bias", bias.squeeze(2))):
                gradient = parameters[f"{name}.head.{what}"].grad
                assert gradient is not None
                gradient.copy_(value)
        to_x = self.room.take(f"{product.names[0]} heads back", product.x.shape, product.x)
        return torch.bmm(product.through.transpose(1, 2), above, out=to_x)


def _pieces(together: Tensor, ends: Sequence[int], axis: int) -> Sequence[Tensor]:
    """Return the parts of heads' numbers (P, heads, R, ...) that were put together along an axis."""
    if axis == 1:
        return together.unbind(1)
    return torch.split(together.squeeze(1), list(ends), dim=1)


def seen(kind: Kind, said: Tensor) -> Tensor:
    """Return what attribute branches that read the score see of what the target branch says.

    Probabilities, and those of sharper logits, which are nearly the labels: groups with equal mean
    probabilities may still get the label at different rates. Stretched to the range from -2 to 2, so
    that a linear head on them learns as fast as one on a logit. Numbers as they are.

    Parameters
    ----------
    kind : str
        Of the target: see `grad_ext.outputs.Branch`.
    said : Tensor of shape (P, R, B)
        Logits or numbers.
    """
    return stretched(shares(kind, said), said)


def shares(kind: Kind, said: Tensor) -> list[Tensor]:
    """Return the probabilities that are seen, one tensor (P, R, B) for each sharpness; none of numbers."""
    if kind == "continuous":
        return []
    found = []
    for sharpness in SHARPNESS:
        # Beyond these ends exp overflows, and the label is decided.
        logit = (sharpness * said).clamp(-LARGEST_LOGIT, LARGEST_LOGIT)
        found.append(sigmoid(logit) if kind == "binary" else softmax(logit))
    return found


def stretched(probabilities: Sequence[Tensor], said: Tensor) -> Tensor:
    """Return probabilities in the range from -2 to 2; where there are none, what was said."""
    return 4.0 * torch.cat(list(probabilities), dim=1) - 2.0 if probabilities else said


def unseen(kind: Kind, said: Tensor, probabilities: Sequence[Tensor], gradient: Tensor) -> Tensor:
    """Return the gradient of what the target branch says, from that of what is seen of it.

    Parameters
    ----------
    kind, said
        What `shares` got.
    probabilities : sequence of Tensors of shape (P, R, B)
        What it returned.
    gradient : Tensor
        Of what `seen` returns.
    """
    if not probabilities:
        return gradient
    total = torch.zeros_like(said)
    above = gradient.chunk(len(SHARPNESS), 1)
    for sharpness, p, one in zip(SHARPNESS, probabilities, above, strict=True):
        weighted = p * one
        # The derivatives of the logistic function and of the softmax.
        slope = weighted * (1.0 - p)
        if kind == "categorical":
            slope = weighted - p * weighted.sum(1, keepdim=True)
        # Nothing where the logit was cut off.
        cut = (sharpness * said).abs() > LARGEST_LOGIT
        total += (4.0 * sharpness * slope).masked_fill(cut, 0.0)
    return total


def spoken(said: Tensor, labels: Tensor, heads: int) -> Tensor:
    """Return what the head of each row's label says of it, shape (P, R, B).

    Parameters
    ----------
    said : Tensor of shape (P, heads * R, B)
        What all heads of a branch say, one head after the other.
    labels : int64 Tensor of shape (P, 1, B)
        The number of each row's head.
    heads : int
    """
    members, numbers, rows = said.shape
    by_head = said.view(members, heads, numbers // heads, rows)
    return by_head.gather(1, _own(labels, numbers // heads)).squeeze(1)


def unspoken(gradient: Tensor, labels: Tensor, heads: int) -> Tensor:
    """Return the gradient of all heads, (P, heads * R, B), from that of the ones that spoke."""
    members, numbers, rows = gradient.shape
    by_head = gradient.new_zeros(members, heads, numbers, rows)
    by_head.scatter_(1, _own(labels, numbers), gradient.unsqueeze(1))
    return by_head.flatten(1, 2)


def _own(labels: Tensor, numbers: int) -> Tensor:
    return labels.unsqueeze(2).expand(-1, 1, numbers, -1)
