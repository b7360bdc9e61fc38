"""The one training loop.

The loss is the paper's (GRAD, section 2): the target's loss plus λ times the sum of the attributes',
whose gradient is reversed on its way into the trunk; Adam. Members never couple: the
losses are summed over the pack, nothing is clipped or stopped across it, and every member has its
own order of rows. A member that diverges to nan harms nobody else.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.optim.adam import adam

from grad_ext.encode import Arrays
from grad_ext.losses import loss_and_gradient
from grad_ext.network import ROW_STEP, Network, Shape
from grad_ext.readout import Readout
from grad_ext.seeds import torch_generator
from grad_ext.select import History, Rule, best_epoch
from grad_ext.task import Branch, Task
from grad_ext.trial import Settings
from grad_ext.validate import figures, last_readout

Floats = NDArray[np.float64]
LEAST_BATCHES = 8


@contextmanager
def one_thread() -> Iterator[None]:
    """Run torch's operators on one thread inside the block.

    The network's operators are too small to share out, and a loop that is cut in two rounds
    elsewhere: studies use further cores by training packs side by side.
    """
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)


class Adam:
    """torch's fused Adam over the one buffer of a network's parameters.

    Through its functional form: constructing torch.optim.Adam loads torch's compiler, which takes
    longer than a small study's fit. It holds the network and not the buffer, which a copied network
    has anew.
    """

    def __init__(self, network: Network, rate: float) -> None:
        self._network, self._rate = network, rate
        self._mean = torch.zeros_like(network.flat)
        self._square = torch.zeros_like(network.flat)
        self._steps = torch.tensor(0.0)

    def step(self) -> None:
        """Move the parameters by their gradients."""
        flat = self._network.flat
        assert flat.grad is not None
        adam(
            [flat],
            [flat.grad],
            [self._mean],
            [self._square],
            [],
            [self._steps],
            fused=True,
            amsgrad=False,
            beta1=0.9,
            beta2=0.999,
            lr=self._rate,
            weight_decay=0.0,
            eps=1e-8,
            maximize=False,
        )


def minibatches(rows: int, batch_size: int) -> list[slice]:
    """Deal an epoch's rows into minibatches of nearly equal size.

    Every minibatch is a multiple of `ROW_STEP` rows, as `Network.logits` wants it; the at most
    ROW_STEP - 1 rows that are left over sit out one epoch, others the next. Fewer rows than that
    make a single minibatch. On small data minibatches are smaller than asked for, at least
    `LEAST_BATCHES` an epoch, since 50 epochs of one step each teach nothing.
    """
    if rows < ROW_STEP:
        return [slice(0, rows)]
    units = rows // ROW_STEP
    size = min(batch_size, max(ROW_STEP, rows // LEAST_BATCHES))
    count = min(units, max(1, round(units * ROW_STEP / size)))
    edges = [units * i // count * ROW_STEP for i in range(count + 1)]
    return [slice(start, stop) for start, stop in pairwise(edges)]


def shared_tensor(values: NDArray[np.float32], dtype: torch.dtype) -> Tensor:
    """Return an array as a tensor on the same memory where it can be: a copy may cost gigabytes.

    Ray hands out arrays that cannot be written to, which torch would warn of.
    """
    return torch.as_tensor(values if values.flags.writeable else values.copy(), dtype=dtype)


@dataclass(frozen=True)
class Goals:
    """What the branches are to say of the training rows.

    Attributes
    ----------
    values : list of M Tensors
        Of shape (N,), floats or, for groups, int64; None for the features themselves.
    weights : Tensor of shape (M, N)
        Of each row in each branch's loss: 0 where the attribute is missing, 1 on average over the
        others.
    """

    values: list[Tensor | None]
    weights: Tensor


def goals_of(arrays: Arrays, branches: Sequence[Branch], dtype: torch.dtype) -> Goals:
    """Return what the branches are to say, the target's first."""
    values: list[Tensor | None] = []
    weights = []
    columns = [arrays.y, *arrays.a.T[: len(branches) - 1]]
    for m, (branch, column) in enumerate(zip(branches, columns, strict=True)):
        present = np.ones(len(column), bool) if branch.kind == "features" else ~np.isnan(column)
        w = arrays.w if m or arrays.target_w is None else arrays.target_w
        w = w * present
        weights.append(w / (w[present].mean() if w.any() else 1.0))
        filled = np.where(present, column, 0.0)
        if branch.kind == "features":
            values.append(None)
        elif branch.kind == "categorical":
            values.append(torch.tensor(filled, dtype=torch.int64))
        else:
            if branch.kind == "continuous":
                filled = standardised(filled, w)
            values.append(torch.tensor(filled, dtype=dtype))
    return Goals(values, torch.tensor(np.stack(weights), dtype=dtype))


def standardised(values: Floats, weight: Floats) -> Floats:
    """Return numbers less their weighted mean, divided by their weighted standard deviation."""
    mean, scale = location_and_scale(values, weight)
    return (values - mean) / scale


def location_and_scale(values: Floats, weight: Floats) -> tuple[float, float]:
    """Return the weighted mean and standard deviation, 1 for a constant."""
    if not weight.any():
        return 0.0, 1.0
    mean = float(np.average(values, weights=weight))
    variance = float(np.average((values - mean) ** 2, weights=weight))
    return mean, variance**0.5 or 1.0


def train(
    network: Network,
    lams: Sequence[Sequence[float]],
    seeds: Sequence[int],
    training: Arrays,
    validation: Arrays,
    settings: Settings,
    rule: Rule,
    on_epoch: Callable[[int], None] | None = None,
) -> tuple[Network, Readout | None, History, NDArray[np.intp]]:
    """Train every member of a pack and keep each one's best epoch.

    Parameters
    ----------
    network : Network
        P members with their initial weights; left with the last epoch's.
    lams : sequence of P sequences of K numbers
        λ of each member for each attribute.
    seeds : sequence of int
        The seed of each member's row order.
    training, validation : Arrays
        Rows to learn from, and rows by which the epoch is chosen.
    settings : Settings
        Epochs, minibatches and rates, shared by the pack.
    rule : callable
        Which epoch to keep, see `grad_ext.select`.
    on_epoch : callable, optional
        Called with the number of epochs done after each of them.

    Returns
    -------
    best : Network
        The weights of each member's best epoch.
    readout : Readout or None
        The logistic regressions on its representation (Auto only).
    history : History
        Every epoch's figures.
    epochs : array of shape (P,)
        The epochs kept, counted from 0.
    """
    dtype = network.flat.dtype
    X, valid_X = (shared_tensor(a.X, dtype) for a in (training, validation))
    goals = goals_of(training, network.shape.branches, dtype)
    visible = None if training.visible is None else torch.from_numpy(training.visible)
    # λ multiplies the attribute branches' losses, so their own updates too: (P, M).
    strength = torch.ones(network.members, len(goals.values), dtype=dtype)
    strength[:, 1:] = torch.tensor(lams, dtype=dtype)[:, : len(goals.values) - 1]
    orders = [torch_generator(seed, "rows") for seed in seeds]
    optimiser = Adam(network, settings.learning_rate)
    slices = minibatches(len(X), settings.batch_size)

    best = Network(network.shape, seeds, dtype, network.trunk)
    losses: list[Floats] = []
    judged: list[dict[str, Floats]] = []
    with one_thread():
        for epoch in range(settings.epochs):
            order = torch.stack([torch.randperm(len(X), generator=g) for g in orders])
            losses.append(run_epoch(network, optimiser, X, goals, visible, strength, order, slices))
            judged.append(figures(network, X, training, valid_X, validation))
            history = history_of(losses, judged)
            kept = best_epoch(history, rule)
            best.copy_members(torch.from_numpy(kept == epoch), network)
            if on_epoch is not None:
                on_epoch(epoch + 1)
        readout = last_readout(best, X, training)
    return best, readout, history, kept


def run_epoch(
    network: Network,
    optimiser: Adam,
    X: Tensor,
    goals: Goals,
    visible: Tensor | None,
    strength: Tensor,
    order: Tensor,
    slices: list[slice],
) -> Floats:
    """Take every member through its rows once; return the mean losses, shape (P, M)."""
    assert network.flat.grad is not None
    total = torch.zeros(network.members, len(goals.values), dtype=X.dtype)
    for rows in slices:
        index = order[:, rows].flatten()
        members, size = network.members, rows.stop - rows.start
        x = X.index_select(0, index).view(members, size, -1)
        outputs = network.outputs(x)
        gradients = []
        with torch.no_grad():
            for m, (branch, output) in enumerate(zip(network.shape.branches, outputs, strict=True)):
                goal = goals.values[m]
                if goal is not None:
                    goal = goal.index_select(0, index).view(members, 1, size)
                else:
                    seen = x if visible is None else x.index_select(2, visible)
                    goal = seen.transpose(1, 2)
                weight = goals.weights[m].index_select(0, index).view(members, size)
                loss, gradient = loss_and_gradient(branch.kind, output, goal)
                total[:, m] += (loss * weight).sum(1)
                scale = weight * (strength[:, m : m + 1] / size)
                gradients.append(gradient * scale.unsqueeze(1))
        network.flat.grad.zero_()
        torch.autograd.backward(outputs, gradients)
        optimiser.step()
    return np.asarray((total / slices[-1].stop).numpy(), dtype=np.float64)


def history_of(losses: list[Floats], judged: list[dict[str, Floats]]) -> History:
    """Return the history of epochs whose losses (P, M) and figures are given."""
    loss = np.stack(losses)
    stacked = {name: np.stack([f[name] for f in judged]) for name in judged[0]}
    return History(
        loss=loss[:, :, 0],
        attribute_loss=loss[:, :, 1:].transpose(0, 2, 1),
        discrimination=stacked["discrimination_by_attribute"].mean(axis=1),
        **stacked,
    )


def shape_of(settings: Settings, arrays: Arrays, reversing: bool) -> Shape:
    """Return the network's sizes; without `reversing` there are no attribute branches (NN)."""
    task: Task = arrays.task
    target = task.target
    if settings.variant == "auto":
        seen = arrays.X.shape[1] if arrays.visible is None else len(arrays.visible)
        target = Branch("target", "features", seen)
    return Shape(
        features=arrays.X.shape[1],
        trunk=settings.trunk,
        branch=settings.branch,
        target=target,
        attributes=task.attributes if reversing else (),
    )
