"""What VFAE and ALFR share: layers that autograd differentiates, minibatches, and their training.

The notation and the layout of activations are those of `grad_ext.engine.network`: P members, B rows
of a minibatch, activations of shape (P, H, B). Members never couple: losses are summed over them,
every matrix product is a batched one, and each member has its own initial weights, row order and
noise.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor

from grad_ext.data.encoding import Arrays
from grad_ext.engine.batches import ROW_STEP, BatchSampler, minibatches, shared_tensor
from grad_ext.engine.network import SCORE_ROWS
from grad_ext.engine.optim import Adam
from grad_ext.engine.parameters import carve_parameters, draw_weight, padded
from grad_ext.training.checkpoint import History, rule_named
from grad_ext.training.loop import load, train_epochs
from grad_ext.training.validation import score_metrics

Floats = NDArray[np.float64]
# Minibatches have multiples of this many rows: the loops of softplus and sigmoid process two vector
# registers at a time and round the rest differently, which would make a member's results depend on
# its place in the pack.
STEP = 2 * ROW_STEP


class Layers:
    """Fully connected layers of P members, and the Adam that trains them.

    Weights are drawn from N(0, 1/fan_in) as GRAD's are, with a generator for each layer; biases
    start at zero.

    Parameters
    ----------
    sizes : mapping of str to (int, int)
        Inputs and outputs of each layer, by name.
    seeds : sequence of int
        One seed for each of the P members.
    dtype : torch.dtype, default torch.float32
        Of all tensors; float64 shows what rounding does.
    """

    def __init__(
        self,
        sizes: Mapping[str, tuple[int, int]],
        seeds: Sequence[int],
        dtype: torch.dtype = torch.float32,
    ) -> None:
        shapes: dict[str, tuple[int, ...]] = {}
        for name, (inputs, outputs) in sizes.items():
            shapes[f"{name}.weight"] = (len(seeds), outputs, inputs)
            shapes[f"{name}.bias"] = (len(seeds), outputs, 1)
        self.flat = torch.zeros(sum(padded(shape) for shape in shapes.values()), dtype=dtype)
        self.parameters = carve_parameters(self.flat, shapes)
        for name in sizes:
            for weight, seed in zip(self.parameters[f"{name}.weight"], seeds, strict=True):
                draw_weight(weight, seed, name)
        self._optimiser = Adam(self)

    def __call__(self, name: str, h: Tensor) -> Tensor:
        """Return the output of a layer for activations (P, H, B)."""
        weight, bias = self.parameters[f"{name}.weight"], self.parameters[f"{name}.bias"]
        return torch.bmm(weight, h) + bias

    def backward(self, loss: Tensor) -> None:
        """Replace the gradients of these layers, and no others, by those of the losses (P,)."""
        assert self.flat.grad is not None
        self.flat.grad.zero_()
        torch.autograd.backward(loss.sum(), inputs=list(self.parameters.values()))

    def step(self, rate: float) -> None:
        """Update the parameters by their gradients."""
        self._optimiser.step(rate)


@dataclass(frozen=True)
class Minibatch:
    """Rows of a minibatch, each member's own.

    Attributes
    ----------
    x : Tensor of shape (P, D, B)
        Features.
    y : Tensor of shape (P, 1, B)
        Labels, 0 or 1.
    groups : list of K Tensors of shape (P, G, B)
        For each attribute 1 for the row's group and 0 for the others; all 0 where it is missing.
    w, target_w : Tensor of shape (P, B)
        Instance weights, and those of the label's loss; 1 on average over the training rows.
    """

    x: Tensor
    y: Tensor
    groups: list[Tensor]
    w: Tensor
    target_w: Tensor


class Pack(Protocol):
    """P models that `fit` can train."""

    @property
    def layers(self) -> Sequence[Layers]:
        """The layers that are trained; the names of their parameters differ."""

    def step(self, batch: Minibatch, rate: float) -> Tensor:
        """Train every member on a minibatch; return losses of label and attributes, (P, 1 + K)."""

    def scores(self, X: Tensor) -> Tensor:
        """Return probabilities of the favorable label, shape (P, 1, N), for X of shape (N, D)."""


class _Training:
    """A pack with its training and validation rows, for the training loop."""

    def __init__(
        self,
        pack: Pack,
        seeds: Sequence[int],
        training: Arrays,
        validation: Arrays,
        batch_size: int,
        learning_rate: float,
    ) -> None:
        dtype = pack.layers[0].flat.dtype
        self._pack, self._validation, self._rate = pack, validation, learning_rate
        self._X, self._valid_X = (shared_tensor(rows.X, dtype) for rows in (training, validation))
        self._y = torch.tensor(training.y, dtype=dtype)
        self._w = self._target_w = _mean_1(training.w, dtype)
        if training.target_w is not None:
            self._target_w = _mean_1(training.target_w, dtype)
        self._groups = [
            torch.tensor(np.equal.outer(column, np.arange(branch.classes)), dtype=dtype)
            for column, branch in zip(training.a.T, training.task.attributes, strict=True)
        ]
        self._slices = minibatches(len(self._X), batch_size, multiple=STEP, least=1)
        self._orders = BatchSampler(seeds, torch.device("cpu"))

    def epoch(self) -> Floats:
        order = self._orders.next(len(self._X))
        losses = torch.zeros(())
        for rows in self._slices:
            index = order[:, rows]
            batch = Minibatch(
                x=self._X[index].transpose(1, 2).contiguous(),
                y=self._y[index].unsqueeze(1),
                groups=[column[index].transpose(1, 2).contiguous() for column in self._groups],
                w=self._w[index],
                target_w=self._target_w[index],
            )
            losses = losses + self._pack.step(batch, self._rate) * index.shape[1]
        return np.asarray(losses.numpy() / self._slices[-1].stop, dtype=np.float64)

    def metrics(self) -> dict[str, Floats]:
        return score_metrics(self._pack.scores(self._valid_X).numpy(), self._validation)

    def state(self) -> dict[str, Tensor]:
        return {
            name: value.detach()
            for layers in self._pack.layers
            for name, value in layers.parameters.items()
        }


def _mean_1(weights: Floats, dtype: torch.dtype) -> Tensor:
    return torch.tensor(weights / (weights.mean() or 1.0), dtype=dtype)


def fit(
    pack: Pack,
    seeds: Sequence[int],
    training: Arrays,
    validation: Arrays,
    epochs: int,
    batch_size: int,
    learning_rate: float,
    rule: str,
    on_epoch: Callable[[int], None] | None = None,
) -> tuple[History, NDArray[np.intp]]:
    """Train a pack, and load the weights of each member's best epoch.

    Parameters
    ----------
    pack : Pack
        P models with their initial weights.
    seeds : sequence of int
        The seed of each member's row order.
    training, validation : Arrays
        Rows to learn from, and rows by which the epoch is chosen.
    epochs, batch_size : int
        Passes over the rows, and about how many of them a minibatch has.
    learning_rate : float
        Of Adam.
    rule : str
        Name of the rule for the epoch to keep, see `grad_ext.training.checkpoint`.
    on_epoch : callable, optional
        Called with the number of epochs done after each of them.

    Returns
    -------
    history : History
        Losses, as `Pack.step` returns them, and metrics of every epoch.
    epochs : array of shape (P,)
        The best epochs, counted from 1.
    """
    trainee = _Training(pack, seeds, training, validation, batch_size, learning_rate)
    best, history, best_epochs = train_epochs(trainee, epochs, rule_named(rule), on_epoch)
    load(trainee.state(), best)
    return history, best_epochs + 1


def blocks(X: Tensor, members: int) -> Iterator[tuple[slice, Tensor]]:
    """Yield X of shape (N, D) block by block as (P, D, rows), padded to whole vectors."""
    for start in range(0, len(X), SCORE_ROWS):
        rows = X[start : start + SCORE_ROWS]
        block = F.pad(rows, (0, 0, 0, -len(rows) % STEP))
        yield slice(start, start + len(rows)), block.T.contiguous().expand(members, -1, -1)
