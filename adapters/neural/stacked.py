"""P networks of linear layers as one, and the loop that trains them: what VFAE and ALFR share.

Alphabet and layout are those of `grad_ext.engine.network`: P members, B rows of a minibatch, activations
(P, H, B). Members never couple: losses are summed over them, every matrix product is a batched one
over a multiple of `STEP` rows, and initial weights, order of rows and noise have a generator for
each member.
"""

from __future__ import annotations

import math
import numbers
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Protocol

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor
from torch.optim.adam import adam

from grad_ext.data.encoding import Arrays
from grad_ext.engine.batches import ROW_STEP, one_thread
from grad_ext.engine.network import SCORE_ROWS
from grad_ext.errors import InputError
from grad_ext.outputs import Branch
from grad_ext.seeds import torch_generator
from grad_ext.training.checkpoint import History, best_epoch, rule_named
from grad_ext.training.validation import score_metrics
from grad_ext.trial import Trial

Floats = NDArray[np.float64]
# Rows of a minibatch, and elements of a parameter's piece of the buffer, come in multiples of this:
# the loops of softplus and sigmoid take two full registers at a time and round their tail otherwise,
# which would let a member's place in the pack show.
STEP = 2 * ROW_STEP


class Layers:
    """Fully connected layers of P members, and the Adam that moves them.

    Weights are drawn from N(0, 1/fan_in) as GRAD's are, a generator for each layer; biases start at
    zero.

    Parameters
    ----------
    sizes : mapping of str to (int, int)
        Inputs and outputs of each layer, by name.
    seeds : sequence of int
        One seed a member; their number is P.
    dtype : torch.dtype, default torch.float32
        Of all tensors; float64 shows what rounding does.
    """

    def __init__(
        self,
        sizes: Mapping[str, tuple[int, int]],
        seeds: Sequence[int],
        dtype: torch.dtype = torch.float32,
    ) -> None:
        members, self._count = len(seeds), torch.tensor(0.0)
        shapes: dict[str, tuple[int, ...]] = {}
        for name, (inputs, outputs) in sizes.items():
            shapes[f"{name}.weight"] = (members, outputs, inputs)
            shapes[f"{name}.bias"] = (members, outputs, 1)
        # One buffer, so that one step of Adam moves all.
        lengths = [math.prod(shape) for shape in shapes.values()]
        padded = [length + -length % STEP for length in lengths]
        self._flat = torch.zeros(sum(padded), dtype=dtype)
        self._gradient, self._mean, self._square = (torch.zeros_like(self._flat) for _ in range(3))
        self.parameters: dict[str, Tensor] = {}
        start = 0
        for (name, shape), length, room in zip(shapes.items(), lengths, padded, strict=True):
            piece, start = slice(start, start + length), start + room
            parameter = self._flat[piece].view(shape)
            if name.endswith(".weight"):
                for weight, seed in zip(parameter, seeds, strict=True):
                    layer = torch_generator(seed, "weights", name.removesuffix(".weight"))
                    weight.normal_(0.0, shape[-1] ** -0.5, generator=layer)
            parameter.requires_grad_().grad = self._gradient[piece].view(shape)
            self.parameters[name] = parameter

    def __call__(self, name: str, h: Tensor) -> Tensor:
        """Return what a layer makes of activations (P, H, B)."""
        weight, bias = self.parameters[f"{name}.weight"], self.parameters[f"{name}.bias"]
        return torch.bmm(weight, h) + bias

    def backward(self, loss: Tensor) -> None:
        """Replace the gradients by those of the summed losses (P,); other layers' stay untouched."""
        self._gradient.zero_()
        torch.autograd.backward(loss.sum(), inputs=list(self.parameters.values()))

    def step(self, rate: float) -> None:
        """Move the parameters by their gradients: Adam with its usual decays."""
        adam(
            [self._flat],
            [self._gradient],
            [self._mean],
            [self._square],
            [],
            [self._count],
            fused=True,
            amsgrad=False,
            beta1=0.9,
            beta2=0.999,
            lr=rate,
            weight_decay=0.0,
            eps=1e-8,
            maximize=False,
        )

    def state(self) -> dict[str, Tensor]:
        """Return a copy of the parameters."""
        return {name: value.detach().clone() for name, value in self.parameters.items()}

    @torch.no_grad()
    def load(self, state: Mapping[str, Tensor]) -> None:
        """Take the parameters that `state` gave."""
        for name, value in self.parameters.items():
            value.copy_(state[name])


@dataclass(frozen=True)
class Minibatch:
    """Rows of every member's own choice.

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
    """P models that the loop can train."""

    @property
    def layers(self) -> Sequence[Layers]:
        """What is trained."""

    def step(self, batch: Minibatch, rate: float) -> Tensor:
        """Move every member by one minibatch; return losses of label and attributes, (P, 1 + K)."""

    def scores(self, X: Tensor) -> Tensor:
        """Return probabilities of the favorable label, shape (P, 1, N), for X of shape (N, D)."""


def groups_of(branch: Branch) -> int:
    """Return how many groups an attribute has."""
    return max(2, branch.outputs)


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
    """Train a pack and leave each member with the weights of its best epoch.

    Parameters
    ----------
    pack : Pack
        P models with their initial weights.
    seeds : sequence of int
        The seed of each member's order of rows.
    training, validation : Arrays
        Rows to learn from, and rows by which the epoch is chosen.
    epochs, batch_size : int
        Passes over the rows, and about how many of them a minibatch has.
    learning_rate : float
        Of Adam.
    rule : str
        The name of the rule for the epoch to keep, see `grad_ext.training.checkpoint`.
    on_epoch : callable, optional
        Called with the number of epochs done after each of them.

    Returns
    -------
    history : History
        Every epoch's figures; the losses are those that `Pack.step` returns.
    epochs : array of shape (P,)
        The epochs kept, counted from 1.
    """
    dtype = next(iter(pack.layers[0].parameters.values())).dtype
    X, valid_X = tensor(training.X, dtype), tensor(validation.X, dtype)
    y, w = tensor(training.y, dtype), _weights(training.w, dtype)
    target_w = w if training.target_w is None else _weights(training.target_w, dtype)
    groups = [
        tensor(np.equal.outer(column, np.arange(groups_of(branch))), dtype)
        for column, branch in zip(training.a.T, training.task.attributes, strict=True)
    ]
    chosen = rule_named(rule)
    orders = [torch_generator(seed, "rows") for seed in seeds]
    best = [layers.state() for layers in pack.layers]
    losses: list[Floats] = []
    judged: list[dict[str, Floats]] = []
    with one_thread():
        for epoch in range(epochs):
            order = torch.stack([torch.randperm(len(X), generator=g) for g in orders])
            deals = minibatches(len(X), batch_size)
            total: Tensor | float = 0.0
            for rows in deals:
                index = order[:, rows]
                batch = Minibatch(
                    x=X[index].transpose(1, 2).contiguous(),
                    y=y[index].unsqueeze(1),
                    groups=[column[index].transpose(1, 2).contiguous() for column in groups],
                    w=w[index],
                    target_w=target_w[index],
                )
                total = total + pack.step(batch, learning_rate) * index.shape[1]
            assert isinstance(total, Tensor)
            losses.append(np.asarray(total.numpy() / deals[-1].stop, dtype=np.float64))
            judged.append(score_metrics(pack.scores(valid_X).numpy(), validation))
            history = _history(losses, judged)
            kept = best_epoch(history, chosen)
            here = torch.from_numpy(kept == epoch)
            for layers, state in zip(pack.layers, best, strict=True):
                for name, value in layers.parameters.items():
                    state[name][here] = value.detach()[here]
            if on_epoch is not None:
                on_epoch(epoch + 1)
    for layers, state in zip(pack.layers, best, strict=True):
        layers.load(state)
    return history, kept + 1


def minibatches(rows: int, batch_size: int) -> list[slice]:
    """Deal an epoch's rows into minibatches of nearly equal size, each a multiple of `STEP`.

    The at most STEP - 1 rows left over sit out one epoch, others the next; fewer rows than that make
    a single minibatch.
    """
    units = rows // STEP
    if not units:
        return [slice(0, rows)]
    count = min(units, max(1, round(units * STEP / batch_size)))
    edges = [units * i // count * STEP for i in range(count + 1)]
    return [slice(start, stop) for start, stop in pairwise(edges)]


def blocks(X: Tensor, members: int) -> Iterator[tuple[slice, Tensor]]:
    """Yield X of shape (N, D) block by block, (P, D, rows), padded to whole vectors."""
    for start in range(0, len(X), SCORE_ROWS):
        rows = X[start : start + SCORE_ROWS]
        padded = F.pad(rows, (0, 0, 0, -len(rows) % STEP))
        yield slice(start, start + len(rows)), padded.T.contiguous().expand(members, -1, -1)


def tensor(values: NDArray[np.generic], dtype: torch.dtype) -> Tensor:
    """Return a copy as a tensor, also of arrays that cannot be written to."""
    return torch.tensor(values, dtype=dtype)


def _weights(values: Floats, dtype: torch.dtype) -> Tensor:
    return tensor(values / (values.mean() or 1.0), dtype)


def _history(losses: list[Floats], judged: list[dict[str, Floats]]) -> History:
    loss = np.stack(losses)
    stacked = {name: np.stack([figures[name] for figures in judged]) for name in judged[0]}
    return History(
        loss=loss[:, :, 0],
        attribute_loss=loss[:, :, 1:].transpose(0, 2, 1),
        discrimination=stacked["discrimination_by_attribute"].mean(axis=1),
        **stacked,
    )


def checked_trials(trials: Sequence[Trial], training: Arrays) -> None:
    """Refuse trials and rows that these methods cannot fit.

    Raises
    ------
    InputError
        If there is no trial, two differ in their protected attributes or settings, the target is
        not binary, or an attribute is a number.
    """
    if not trials:
        raise InputError("expected at least one trial, got none")
    first = trials[0]
    for trial in trials:
        if (trial.protected, trial.settings) != (first.protected, first.settings):
            raise InputError(
                f"trials of one pack must share {(first.protected, first.settings)}, "
                f"got {(trial.protected, trial.settings)}"
            )
    if training.a.shape[1] != len(first.protected):
        raise InputError(
            f"expected {len(first.protected)} protected attributes, got {training.a.shape[1]}"
        )
    if training.task.target.kind != "binary":
        raise InputError(f"expected a binary target, got a {training.task.target.kind} one")
    for branch in training.task.attributes:
        if branch.kind not in ("binary", "categorical"):
            raise InputError(
                f"protected attribute {branch.name!r}: expected groups, got a {branch.kind} one"
            )


def checked_rows(X: NDArray[np.float32], width: int, dtype: torch.dtype) -> Tensor:
    """Return rows to score as a tensor.

    Raises
    ------
    InputError
        If X is not of shape (N, `width`).
    """
    if X.ndim != 2 or X.shape[1] != width:
        raise InputError(f"X: expected shape (N, {width}), got {X.shape}")
    return tensor(X, dtype)


def checked_sizes(**sizes: object) -> None:
    """Refuse sizes that are not whole numbers of at least 1."""
    for name, value in sizes.items():
        whole = isinstance(value, numbers.Integral) and not isinstance(value, bool)
        if not whole or int(value) < 1:  # type: ignore[call-overload]
            raise InputError(f"{name} must be a whole number of at least 1, got {value!r}")


def checked_hyperparameter(name: str, value: float | Sequence[float]) -> None:
    """Refuse a hyperparameter that is not a number of at least 0, or a sequence of such."""
    for number in value if isinstance(value, (Sequence, np.ndarray)) else [value]:
        if not _is_number(number) or number < 0:
            raise InputError(f"{name} must be a number of at least 0, got {number!r}")


def checked_rate(value: float) -> None:
    """Refuse a learning rate that is not a number above 0."""
    if not _is_number(value) or value <= 0:
        raise InputError(f"learning_rate must be a number above 0, got {value!r}")


def _is_number(value: object) -> bool:
    real = isinstance(value, numbers.Real) and not isinstance(value, bool)
    return real and math.isfinite(value)  # type: ignore[arg-type]


def hyperparameter(
    name: str, value: float | Sequence[float], members: int, dtype: torch.dtype = torch.float32
) -> Tensor:
    """Return a hyperparameter of each member, shape (P,), from one number or one for each.

    Raises
    ------
    InputError
        If there are not as many numbers as members.
    """
    values = torch.as_tensor(value, dtype=dtype)
    if values.dim() and values.shape != (members,):
        raise InputError(f"{name}: expected a number for each of {members} trials, got {value!r}")
    return values.expand(members)
