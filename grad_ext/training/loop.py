"""The one training loop.

The loss is the paper's (GRAD, section 2): the target's loss plus λ times the sum of the attributes',
whose gradient is reversed on its way into the trunk; Adam. Where `Settings.lam_multiplies` is
'reversal', λ acts on that way alone. Members never couple: the
losses are summed over the pack, nothing is clipped or stopped across it, and every member has its
own order of rows and dropped units. A member that diverges to nan harms nobody else.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from itertools import pairwise

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.optim.adam import adam

from grad_ext.data.encoding import Arrays
from grad_ext.data.split import check_groups
from grad_ext.engine.batches import Orders
from grad_ext.engine.cuda_graph import Replay
from grad_ext.engine.dropout import Dropout
from grad_ext.engine.logistic import Readout
from grad_ext.engine.losses import loss_and_gradient
from grad_ext.engine.network import ROW_STEP, Network, Shape
from grad_ext.errors import InputError
from grad_ext.outputs import Branch, Task, check_criterion
from grad_ext.training.checkpoint import History, Rule, best_epoch
from grad_ext.training.validation import figures, last_readout
from grad_ext.trial import Settings

Floats = NDArray[np.float64]
LEAST_BATCHES = 8
# Share of it that a mean of late keeps at every step: it covers the last ten or so.
LATE = 0.9


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

    Parameters
    ----------
    network : Network
        Whose parameters.
    settings : Settings
        Rates and their decay, and beta1.
    steps : int, optional
        How many there will be; the rates stay as they are if that is not known.
    """

    def __init__(self, network: Network, settings: Settings, steps: int | None = None) -> None:
        self._network, self._settings = network, settings
        self._steps = steps
        self._mean = torch.zeros_like(network.flat)
        self._square = torch.zeros_like(network.flat)
        self._count = torch.tensor(0.0, device=network.device)
        ratio = settings.attribute_learning_rate / settings.learning_rate
        self._ratios = network.by_branch(1.0, ratio) if ratio != 1.0 else None

    def rate(self, done: int) -> float:
        """Return the learning rate after so many steps: cosine decay to the final rate."""
        rate, final = self._settings.learning_rate, self._settings.final_rate
        if self._steps is None or final == 1.0:
            return rate
        left = (1.0 + math.cos(math.pi * done / self._steps)) / 2.0
        return rate * (final + (1.0 - final) * left)

    def step(self, rate: float | Tensor) -> None:
        """Move the parameters by their gradients, at a rate that a GPU has as a number of its own."""
        flat = self._network.flat
        assert flat.grad is not None
        moved = flat if self._ratios is None else torch.zeros_like(flat)
        adam(
            [moved],
            [flat.grad],
            [self._mean],
            [self._square],
            [],
            [self._count],
            fused=True,
            amsgrad=False,
            beta1=self._settings.beta1,
            beta2=0.999,
            lr=rate,
            weight_decay=0.0,
            eps=1e-8,
            maximize=False,
        )
        if self._ratios is not None:
            # Two roundings: a fused multiplication and addition has one in the vectorised loop
            # and may have two in its tail.
            flat += moved.mul_(self._ratios)


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
        Of each row in each branch's loss: 0 where the attribute is missing or the criterion does
        not look, 1 on average over the others.
    labels : int64 Tensor of shape (N,), optional
        What the attribute branches are told, for the criterion of equalized odds.
    """

    values: list[Tensor | None]
    weights: Tensor
    labels: Tensor | None = None

    def on(self, device: torch.device) -> Goals:
        """Return the same on a device."""
        return Goals(
            [None if goal is None else goal.to(device) for goal in self.values],
            self.weights.to(device),
            None if self.labels is None else self.labels.to(device),
        )


def goals_of(
    arrays: Arrays,
    branches: Sequence[Branch],
    dtype: torch.dtype,
    balance_groups: bool = False,
    criterion: str = "demographic_parity",
) -> Goals:
    """Return what the branches are to say, the target's first.

    With `balance_groups` the weights of an attribute's groups have equal sums: among all rows,
    those of the favorable label, or those of each label, as the criterion has it.
    """
    told = criterion == "equalized_odds"
    values: list[Tensor | None] = []
    weights = []
    columns = [arrays.y, *arrays.a.T[: len(branches) - 1]]
    for m, (branch, column) in enumerate(zip(branches, columns, strict=True)):
        present = np.ones(len(column), bool) if branch.kind == "features" else ~np.isnan(column)
        w = arrays.w if m or arrays.target_w is None else arrays.target_w
        if m and criterion == "equal_opportunity":
            present = present & (arrays.y == 1.0)
        w = w * present
        if balance_groups and m and branch.kind in ("binary", "categorical"):
            w = balanced(w, column, arrays.y if told else None)
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
    labels = torch.tensor(arrays.y, dtype=torch.int64) if told and len(branches) > 1 else None
    return Goals(values, torch.tensor(np.stack(weights), dtype=dtype), labels)


def balanced(weight: Floats, groups: Floats, labels: Floats | None = None) -> Floats:
    """Return weights of the same sum for every group; nan is no group, and gets none.

    With `labels`, of the same sum for every group among the rows of each label.
    """
    codes = np.nan_to_num(groups).astype(np.intp)
    if labels is not None:
        codes += labels.astype(np.intp) * (codes.max() + 1)
    sums = np.bincount(codes, weights=weight)
    return weight / np.where(sums > 0.0, sums, 1.0)[codes]


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
        P members with their initial weights; left with the last epoch's. The pack is trained on its
        device.
    lams : sequence of P sequences of K numbers
        λ of each member for each attribute.
    seeds : sequence of int
        The seed of each member's row order and dropped units.
    training, validation : Arrays
        Rows to learn from, and rows by which the epoch is chosen.
    settings : Settings
        Epochs, minibatches and rates, shared by the pack.
    rule : callable
        Which epoch to keep, see `grad_ext.training.checkpoint`.
    on_epoch : callable, optional
        Called with the number of epochs done after each of them.

    Returns
    -------
    best : Network
        The weights of each member's best epoch, on the CPU.
    readout : Readout or None
        The logistic regressions on its representation (Auto only).
    history : History
        Every epoch's figures.
    epochs : array of shape (P,)
        The epochs kept, counted from 0.
    """
    dtype, device = network.flat.dtype, network.device
    X, valid_X = (shared_tensor(a.X, dtype).to(device) for a in (training, validation))
    goals = goals_of(
        training, network.shape.branches, dtype, settings.balance_groups, settings.criterion
    ).on(device)
    visible = None if training.visible is None else torch.from_numpy(training.visible).to(device)
    steps = settings.epochs * len(minibatches(len(X), settings.batch_size))
    trainer = Trainer(network, lams, seeds, settings, steps)

    best = network.copied()
    losses: list[Floats] = []
    judged: list[dict[str, Floats]] = []
    readout: Readout | None = None
    with one_thread():
        for epoch in range(settings.epochs):
            losses.append(trainer.epoch(X, goals, visible))
            readout = last_readout(network, X, training, readout)
            judged.append(figures(network, readout, valid_X, validation))
            history = history_of(losses, judged)
            kept = best_epoch(history, rule)
            best.copy_members(torch.from_numpy(kept == epoch).to(device), network)
            if on_epoch is not None:
                on_epoch(epoch + 1)
        trainer.finish()
        best = best.on("cpu")
        readout = last_readout(best, X.cpu(), training, readout)
    return best, readout, history, kept


class Trainer:
    """A pack in training: the network, and what else changes from step to step.

    Parameters
    ----------
    network : Network
        P members, which the epochs move.
    lams : sequence of P sequences of K numbers
        λ of each member for each attribute.
    seeds : sequence of int
        The seed of each member's row order and dropped units.
    settings : Settings
        Minibatches and rates, shared by the pack.
    steps : int, optional
        How many there will be, by which the rates decay and the reversal grows; both are constant
        if not given.
    """

    def __init__(
        self,
        network: Network,
        lams: Sequence[Sequence[float]],
        seeds: Sequence[int],
        settings: Settings,
        steps: int | None = None,
    ) -> None:
        self._network, self._settings = network, settings
        branches = len(network.shape.branches)
        strength = torch.tensor(
            [[settings.strength(lam) for lam in member[: branches - 1]] for member in lams],
            dtype=network.flat.dtype,
        )
        # What multiplies the branches' losses, (P, M), and what the reversed gradients.
        weights = torch.ones(network.members, branches, dtype=network.flat.dtype)
        if settings.lam_multiplies == "loss":
            weights[:, 1:] = strength
            strength = torch.ones_like(strength)
        self._weights = weights.to(network.device)
        self._reversal = network.reversal(strength).to(network.device)
        self._steps, self._done = steps, 0
        # What is the step's own: learning rate, and share of the reversal's strength. On a GPU they
        # stay the same two tensors, so that a recorded step finds them.
        self._rate: Tensor | float = 0.0
        self._share: Tensor | float = 1.0
        if network.device.type == "cuda":
            self._rate = network.flat.new_zeros((), dtype=torch.float32)
            self._share = network.flat.new_ones(())
        # The rows that a GPU has recorded a step on, what sums the losses then, and the record.
        self._recorded: tuple[Tensor, Tensor, Callable[[Tensor], None]] | None = None
        self._orders = Orders(seeds, network.device)
        self._optimiser = Adam(network, settings, steps)
        self._dropout = Dropout(network, seeds, settings.dropout) if settings.dropout else None
        # The mean of late of the weights of the branches that read the score.
        reads = network.shape.reads == "score" and branches > 1
        self._late = network.readers().detach().clone() if reads else None

    def epoch(self, X: Tensor, goals: Goals, visible: Tensor | None = None) -> Floats:
        """Take every member through the rows once.

        Parameters
        ----------
        X : Tensor of shape (N, D)
            Encoded features.
        goals : Goals
            What the branches are to say of them.
        visible : Tensor of int, optional
            Columns that are reconstructed (Auto); all of them if not given.

        Returns
        -------
        array of shape (P, M)
            The branches' mean losses.
        """
        order = self._orders.next(len(X))
        slices = minibatches(len(X), self._settings.batch_size)
        total = X.new_zeros(self._network.members, len(goals.values))
        take: Callable[[Tensor], None] = partial(self._work, X, goals, total=total, visible=visible)
        # What a module of the user's does may not be such that it can be recorded.
        if X.device.type == "cuda" and self._network.trunk is None:
            if self._recorded is None or self._recorded[0] is not X:
                self._recorded = X, total, Replay(take)
            _, total, take = self._recorded
            total.zero_()
        for rows in slices:
            self._begin()
            take(order[:, rows])
        return np.asarray((total / slices[-1].stop).numpy(force=True), dtype=np.float64)

    def step(
        self, X: Tensor, goals: Goals, rows: Tensor, total: Tensor, visible: Tensor | None = None
    ) -> None:
        """Take every member through one minibatch.

        Parameters
        ----------
        X, goals, visible
            As `epoch` has them.
        rows : int64 Tensor of shape (P, B)
            Each member's minibatch.
        total : Tensor of shape (P, M)
            To which each branch's summed losses are added.
        """
        self._begin()
        self._work(X, goals, rows, total, visible)

    def finish(self) -> None:
        """Let go of what a GPU recorded: its memory would stay until a cycle of references is found."""
        self._recorded = None

    def _begin(self) -> None:
        """Note what is the step's own."""
        rate, share = self._optimiser.rate(self._done), self._grown()
        self._rate = self._rate.fill_(rate) if isinstance(self._rate, Tensor) else rate
        self._share = self._share.fill_(share) if isinstance(self._share, Tensor) else share
        if self._dropout is not None:
            self._dropout.advance()
        self._done += 1

    def _work(
        self, X: Tensor, goals: Goals, rows: Tensor, total: Tensor, visible: Tensor | None
    ) -> None:
        """Take the step that has begun; all that it reads and writes on a device lies in tensors."""
        network, (members, size) = self._network, rows.shape
        index = rows.flatten()
        x = network.passes.room.take("rows", (len(index), X.shape[1]), X)
        x = torch.index_select(X, 0, index, out=x).view(members, size, -1)
        masks = self._dropout.masks(size) if self._dropout else ()
        labels = None
        if goals.labels is not None:
            labels = goals.labels.index_select(0, index).view(members, 1, size)
        outputs = network.outputs(x, self._ramped(), masks, labels, self._ahead())
        gradients = []
        with torch.no_grad():
            for m, branch in enumerate(network.shape.branches):
                goal = goals.values[m]
                if goal is not None:
                    goal = goal.index_select(0, index).view(members, 1, size)
                else:
                    seen = x if visible is None else x.index_select(2, visible)
                    goal = seen.transpose(1, 2)
                weight = goals.weights[m].index_select(0, index).view(members, size)
                loss, gradient = loss_and_gradient(branch.kind, outputs[m], goal)
                total[:, m] += (loss * weight).sum(1)
                scale = weight * (self._weights[:, m : m + 1] / size)
                gradients.append(gradient * scale.unsqueeze(1))
        network.backward(gradients)
        self._optimiser.step(self._rate)

    def _ahead(self) -> Tensor | None:
        """Return the readers' weights as far ahead as their trend of late goes, (P, R, S)."""
        if not self._settings.optimism or self._late is None:
            return None
        now = self._network.readers().detach()
        ahead = now + self._settings.optimism * (now - self._late)
        # Two roundings each: one for both would depend on the place in the pack.
        self._late.copy_(self._late * LATE + now * (1.0 - LATE))
        return ahead

    def _grown(self) -> float:
        """Return the share of its strength to which the reversal has grown."""
        if not self._settings.ramp or self._steps is None:
            return 1.0
        return 2.0 / (1.0 + math.exp(-self._settings.ramp * self._done / self._steps)) - 1.0

    def _ramped(self) -> Tensor:
        """Return what the step's gradients are multiplied by on their way into the trunk."""
        if not self._settings.ramp or self._steps is None:
            return self._reversal
        return torch.where(self._reversal < 0.0, self._reversal * self._share, self._reversal)


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


def check_cells(criterion: str, arrays: Arrays) -> None:
    """Refuse rows that show nothing of what a criterion compares.

    Raises
    ------
    InputError
        If a label that the criterion looks at has rows of one group only, or the task does not
        allow the criterion: see `grad_ext.outputs.check_criterion`.
    """
    check_criterion(criterion, arrays.task)
    looked_at = {"demographic_parity": [], "equal_opportunity": [1.0]}
    for label in looked_at.get(criterion, np.unique(arrays.y)):
        rows = (arrays.y == label) & (arrays.w > 0.0)
        for branch, column in zip(arrays.task.attributes, arrays.a.T, strict=True):
            try:
                check_groups(branch.name, column[rows], branch.kind == "continuous")
            except InputError as error:
                raise InputError(f"criterion {criterion!r}, label {label:g}: {error}") from None


def shape_of(settings: Settings, arrays: Arrays, reversing: bool) -> Shape:
    """Return the network's sizes; without `reversing` there are no attribute branches (NN)."""
    task: Task = arrays.task
    target = task.target
    if settings.variant == "auto":
        seen = arrays.X.shape[1] if arrays.visible is None else len(arrays.visible)
        target = Branch("target", "features", seen)
    check_criterion(settings.criterion, task)
    told = reversing and settings.criterion == "equalized_odds"
    # A representation is to hide the attributes itself, and a network without branches has no choice.
    hides = settings.variant == "auto" or not reversing
    return Shape(
        features=arrays.X.shape[1],
        trunk=settings.trunk,
        branch=settings.branch,
        target=target,
        attributes=task.attributes if reversing else (),
        reads="trunk" if hides else settings.attributes_read,
        heads=max(2, task.target.outputs) if told else 1,
    )
