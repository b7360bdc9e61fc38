"""Forward and backward passes of a pack in training: GRAD on one page.

    x -> trunk -> branches -> heads -> logits
                                         | gradients of the losses
    trunk <- times -strength <- attribute branches
          <- times 1         <- target branch

Written out instead of by autograd, see `grad_ext.engine.dense`. Only a trunk that is a user's module is
autograd's: it gets the gradient of its output.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from grad_ext.engine.dense import StackedDense, move
from grad_ext.engine.network import Network
from grad_ext.engine.score_view import ScoreView
from grad_ext.engine.workspace import Workspace

if TYPE_CHECKING:
    from grad_ext.engine.kernels import Drawn


@dataclass(frozen=True)
class _HeadProduct:
    """Heads that are multiplied at once: stacked on one input, or each on its own branch.

    Attributes
    ----------
    names : sequence of str
        Names of the heads among the parameters.
    x : Tensor of shape (Q, I, B)
        Their input.
    weight_back : Tensor of shape (Q, R, I)
        The weights that multiply the gradient of x on its way back.
    axis : {1, 2}
        The axis of (members, heads, outputs, rows) along which heads are joined: 1 if each is on its
        own branch.
    """

    names: Sequence[str]
    x: Tensor
    weight_back: Tensor
    axis: int


class ForwardBackward:
    """Forward and backward passes of a network in training mode.

    Parameters
    ----------
    network : Network
        The gradients of its parameters are written and its running statistics are updated.

    Attributes
    ----------
    workspace : Workspace
        Memory of the activations and gradients.
    """

    def __init__(self, network: Network) -> None:
        self._network, self.workspace = network, Workspace()
        shape, members = network.shape, network.members
        self._names = shape.names[: len(shape.stacked)]

        def dense(name: str, pack: int) -> StackedDense:
            return StackedDense(
                network.parameters[f"{name}.weight"],
                network.parameters[f"{name}.gain"],
                network.parameters[f"{name}.shift"],
                network.statistics[f"{name}.mean"],
                network.statistics[f"{name}.variance"],
                pack,
                self.workspace,
                name,
            )

        self._trunk = [dense(f"trunk.{i}", members) for i in range(len(shape.layers))]
        # First layers of the branches have the trunk as their common input; later ones have inputs
        # of their own.
        self._branch = [
            dense(f"branch.{i}", members * (len(self._names) if i else 1))
            for i in range(len(shape.branch))
        ]
        self._products: list[_HeadProduct] = []

    def __reduce__(self) -> tuple[type[ForwardBackward], tuple[Network]]:
        # The layers are views of the network's buffer, which a copied network has anew.
        return ForwardBackward, (self._network,)

    @torch.no_grad()
    def forward(
        self,
        x: Tensor,
        reversal: Tensor,
        masks: Iterable[Tensor | Drawn] = (),
        strata: Tensor | None = None,
        adversary_weights: Tensor | None = None,
    ) -> list[Tensor]:
        """Return the logits of every branch for each member's own minibatch.

        Normalises by the minibatch and updates the running statistics.

        Parameters
        ----------
        x : Tensor of shape (P, B, D)
            A minibatch for each member, B a multiple of `grad_ext.engine.batches.ROW_STEP`.
        reversal : Tensor of shape (P, R, 1)
            See `grad_ext.engine.network.Network.reversal`.
        masks : iterable of Tensors of shape (P, H, B) or of Drawn, optional
            Dropout factors of the output of each of the network's own layers.
        strata : int64 Tensor of shape (P, 1, B), optional
            The head of the attribute branches that predicts each row, if there are several.
        adversary_weights : Tensor of shape (P, R, S), optional
            Weights that multiply the reversed gradient of branches that get the prediction, instead
            of the current ones.

        Returns
        -------
        list of M Tensors of shape (P, R, B)
            The target's first.
        """
        network, shape = self._network, self._network.shape
        remaining = iter(masks)
        self._products, self._strata = [], strata
        if network.trunk is not None:
            with torch.enable_grad():
                self._module_output = network.trunk_outputs(x)
            h = self._module_output.detach()
        else:
            h = x.transpose(1, 2)
            for layer in self._trunk:
                h = layer.forward(h, next(remaining, None))
        if shape.reads_prediction:
            logits = self._on_trunk(h, None, remaining)
            logits += self._on_prediction(logits[0], reversal, adversary_weights)
        else:
            logits = self._on_trunk(h, reversal, remaining)
        move([*self._trunk, *self._branch], x.shape[1])
        if strata is None:
            return logits
        return [logits[0], *(select_heads(one, strata, shape.heads) for one in logits[1:])]

    def _on_trunk(
        self, h: Tensor, reversal: Tensor | None, masks: Iterator[Tensor | Drawn]
    ) -> list[Tensor]:
        """Return the logits of the branches on the trunk: the target's alone without a reversal."""
        shape, heads, rows = self._network.shape, self._weights(self._names), h.shape[2]
        if not shape.branch:
            return self._logits(self._names, h, torch.cat(heads, 1), reversal)
        for i, layer in enumerate(self._branch):
            h = layer.forward(h, next(masks, None), None if i else reversal)
            h = h.view(self._network.members * len(heads), -1, rows)
        if len({*shape.head_sizes[: len(heads)]}) == 1:
            return self._logits(self._names, h, torch.stack(heads, 1).flatten(0, 1), axis=1)
        hidden = h.view(self._network.members, len(heads), -1, rows).unbind(1)
        branches = zip(self._names, hidden, heads, strict=True)
        return [self._logits([name], own, head)[0] for name, own, head in branches]

    def _on_prediction(
        self, logits: Tensor, reversal: Tensor, adversary_weights: Tensor | None
    ) -> list[Tensor]:
        """Return the logits of attribute branches that get the target's logits (P, R, B)."""
        names = self._network.shape.names[1:]
        self._view = ScoreView(self._network.shape.target, logits)
        weight = torch.cat(self._weights(names), 1)
        return self._logits(names, self._view.values(), weight, reversal, adversary_weights)

    def _weights(self, names: Iterable[str]) -> list[Tensor]:
        return [self._network.parameters[f"{name}.head.weight"] for name in names]

    def _logits(
        self,
        names: Sequence[str],
        x: Tensor,
        weight: Tensor,
        multiplier: Tensor | None = None,
        weight_back: Tensor | None = None,
        axis: int = 2,
    ) -> list[Tensor]:
        """Return the logits of heads for x, and store what their backward pass needs."""
        back = weight if weight_back is None else weight_back
        back = back if multiplier is None else back * multiplier
        self._products.append(_HeadProduct(names, x, back, axis))
        members, rows = self._network.members, x.shape[2]
        biases = [self._network.parameters[f"{name}.head.bias"].unsqueeze(2) for name in names]
        joined = torch.bmm(weight, x).view(members, -1, weight.shape[1], rows)
        pieces = _pieces(joined, [bias.shape[1] for bias in biases], axis)
        return [piece + bias for piece, bias in zip(pieces, biases, strict=True)]

    @torch.no_grad()
    def backward(self, gradients: Sequence[Tensor]) -> None:
        """Write the gradients of all parameters into ``flat.grad``.

        Parameters
        ----------
        gradients : sequence of M Tensors of shape (P, R, B)
            Gradients of the loss, summed over the pack, by the logits that `forward` returned last.
        """
        network, shape = self._network, self._network.shape
        grad_logits = list(gradients)
        if self._strata is not None:
            grad_logits[1:] = [
                scatter_heads(one, self._strata, shape.heads) for one in grad_logits[1:]
            ]
        products = list(self._products)
        if shape.reads_prediction and shape.attributes:
            grad_view = self._heads_back(products.pop(), grad_logits[1:])
            grad_logits = [grad_logits[0] + self._view.gradient(grad_view)]
        if len(products) > 1:
            pairs = zip(products, grad_logits, strict=True)
            grad_h = torch.stack([self._heads_back(product, [one]) for product, one in pairs], 1)
        else:
            grad_h = self._heads_back(products[0], grad_logits)
        for layer in reversed(self._branch):
            grad_h = layer.backward(grad_h)
        if network.trunk is not None:
            for name in network.trunk.parameters:
                gradient = network.parameters[f"trunk.{name}"].grad
                assert gradient is not None
                gradient.zero_()
            torch.autograd.backward(self._module_output, grad_h.view(self._module_output.shape))
            return
        first, *later = self._trunk
        for layer in reversed(later):
            grad_h = layer.backward(grad_h)
        first.write_gradients(grad_h)

    def _heads_back(self, product: _HeadProduct, gradients: Sequence[Tensor]) -> Tensor:
        """Write the gradients of the heads, and return that of their input, (Q, I, B)."""
        parameters, axis = self._network.parameters, product.axis
        joined = torch.stack(list(gradients), 1) if axis == 1 else torch.cat(list(gradients), 1)
        joined = joined.view(len(product.x), -1, joined.shape[-1])
        members = self._network.members
        grad_weight = torch.bmm(joined, product.x.transpose(1, 2))
        grad_weight = grad_weight.view(members, -1, *grad_weight.shape[1:])
        grad_bias = joined.sum(2).view(members, -1, joined.shape[1], 1)
        sizes = [gradient.shape[1] for gradient in gradients]
        heads = zip(
            product.names,
            _pieces(grad_weight, sizes, axis),
            _pieces(grad_bias, sizes, axis),
            strict=True,
        )
        for name, weight, bias in heads:
            for parameter, value in (("weight", weight), ("bias", bias.squeeze(2))):
                gradient = parameters[f"{name}.head.{parameter}"].grad
                assert gradient is not None
                gradient.copy_(value)
        grad_x = self.workspace.take(f"{product.names[0]} heads back", product.x.shape, product.x)
        return torch.bmm(product.weight_back.transpose(1, 2), joined, out=grad_x)


def _pieces(joined: Tensor, sizes: Sequence[int], axis: int) -> Sequence[Tensor]:
    """Return the parts of heads' outputs (P, heads, R, ...) that were joined along an axis."""
    if axis == 1:
        return joined.unbind(1)
    return torch.split(joined.squeeze(1), list(sizes), dim=1)


def select_heads(logits: Tensor, strata: Tensor, heads: int) -> Tensor:
    """Return the logits of the head of each row's stratum.

    Parameters
    ----------
    logits : Tensor of shape (P, heads * R, B)
        Logits of all heads of a branch, one head after the other.
    strata : int64 Tensor of shape (P, 1, B)
        The head of each row.
    heads : int
        Number of heads.

    Returns
    -------
    Tensor of shape (P, R, B)
    """
    members, outputs, rows = logits.shape
    by_head = logits.view(members, heads, outputs // heads, rows)
    return by_head.gather(1, _indices(strata, outputs // heads)).squeeze(1)


def scatter_heads(gradient: Tensor, strata: Tensor, heads: int) -> Tensor:
    """Return the gradient by all heads, (P, heads * R, B), from that of `select_heads`."""
    members, outputs, rows = gradient.shape
    by_head = gradient.new_zeros(members, heads, outputs, rows)
    by_head.scatter_(1, _indices(strata, outputs), gradient.unsqueeze(1))
    return by_head.flatten(1, 2)


def _indices(strata: Tensor, outputs: int) -> Tensor:
    return strata.unsqueeze(2).expand(-1, 1, outputs, -1)
