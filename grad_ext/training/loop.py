"""The one training loop: whatever can pass over its rows is trained by it (GRAD, VFAE, ALFR).

Members of a pack never couple: the losses are summed over the pack, nothing is clipped or stopped
for all of it, and each member has its own best epoch. A member that diverges to nan does not affect
the others.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from grad_ext.constraints import constraint_named
from grad_ext.data.encoding import Arrays
from grad_ext.engine.batches import minibatches, one_thread, shared_tensor
from grad_ext.engine.logistic import Readout
from grad_ext.engine.network import Network
from grad_ext.engine.shape import Shape
from grad_ext.outputs import Branch, Features, Task
from grad_ext.training.checkpoint import CheckpointRule, History, best_epoch
from grad_ext.training.score_penalty import Penalty, PenaltyFactory, ScorePenalty
from grad_ext.training.settings import Settings
from grad_ext.training.targets import groups_of, targets_of
from grad_ext.training.trainer import Trainer
from grad_ext.training.validation import last_readout, validation_metrics

Floats = NDArray[np.float64]


class Trainee(Protocol):
    """P models that the loop can train."""

    def epoch(self) -> Floats:
        """Pass over the training rows once.

        Returns
        -------
        array of shape (P, M)
            The mean losses, the target's first.
        """

    def metrics(self) -> dict[str, Floats]:
        """Return the metrics on the validation rows, by the names of `History`."""

    def state(self) -> Mapping[str, Tensor]:
        """Return all parameters and statistics by name, each of shape (P, ...), not copied."""


def train_epochs(
    pack: Trainee, epochs: int, rule: CheckpointRule, on_epoch: Callable[[int], None] | None = None
) -> tuple[dict[str, Tensor], History, NDArray[np.intp]]:
    """Train every member of a pack, and copy the state of each one's best epoch.

    Parameters
    ----------
    pack : Trainee
        P members with their initial weights; they end with those of the last epoch.
    epochs : int
        Passes over the training rows.
    rule : callable
        Which epoch is the best, see `grad_ext.training.checkpoint`.
    on_epoch : callable, optional
        Called with the number of epochs done after each of them.

    Returns
    -------
    best : dict of str to Tensor
        The state of each member's best epoch.
    history : History
        The losses and metrics of every epoch.
    epochs : array of shape (P,)
        The best epochs, counted from 0.
    """
    best = {name: value.clone() for name, value in pack.state().items()}
    losses: list[Floats] = []
    metrics: list[dict[str, Floats]] = []
    with one_thread():
        for epoch in range(epochs):
            losses.append(pack.epoch())
            metrics.append(pack.metrics())
            history = history_of(losses, metrics)
            chosen = best_epoch(history, rule)
            improved = torch.from_numpy(chosen == epoch)
            for name, value in pack.state().items():
                members = improved.to(value.device)
                best[name][members] = value[members]
            if on_epoch is not None:
                on_epoch(epoch + 1)
    return best, history, chosen


@torch.no_grad()
def load(state: Mapping[str, Tensor], best: Mapping[str, Tensor]) -> None:
    """Copy the tensors of `best` into those of the same names, on whatever device."""
    for name, value in state.items():
        value.copy_(best[name])


def history_of(losses: Sequence[Floats], metrics: Sequence[Mapping[str, Floats]]) -> History:
    """Return the history of epochs, from the losses (P, M) and the validation metrics of each."""
    loss = np.stack(losses)
    stacked = {name: np.stack([values[name] for values in metrics]) for name in metrics[0]}
    return History(
        loss=loss[:, :, 0],
        attribute_loss=loss[:, :, 1:].transpose(0, 2, 1),
        discrimination=stacked["discrimination_by_attribute"].mean(axis=1),
        **stacked,
    )


class _Pack:
    """A pack of GRAD with its training and validation rows."""

    def __init__(
        self,
        network: Network,
        lams: Sequence[Sequence[float]],
        seeds: Sequence[int],
        training: Arrays,
        validation: Arrays,
        settings: Settings,
        penalty: PenaltyFactory | None = None,
    ) -> None:
        dtype, device = network.flat.dtype, network.device
        compared = network.shape.branches
        if penalty is not None:
            compared = (network.shape.target, *training.task.attributes)
        self._network, self._training, self._validation = network, training, validation
        self.X, self._valid_X = (
            shared_tensor(a.X, dtype).to(device) for a in (training, validation)
        )
        self._targets = targets_of(
            training, compared, dtype, settings.balance_groups, settings.constraint
        ).on(device)
        visible = training.visible
        self._visible = None if visible is None else torch.from_numpy(visible).to(device)
        steps = settings.epochs * len(minibatches(len(self.X), settings.batch_size))
        own = penalty_of(network, lams, settings, training.task, penalty)
        self.trainer = Trainer(network, lams, seeds, settings, steps, own)
        self.readout: Readout | None = None

    def epoch(self) -> Floats:
        losses = self.trainer.epoch(self.X, self._targets, self._visible)
        self.readout = last_readout(self._network, self.X, self._training, self.readout)
        return losses

    def metrics(self) -> dict[str, Floats]:
        return validation_metrics(self._network, self.readout, self._valid_X, self._validation)

    def state(self) -> Mapping[str, Tensor]:
        return self._network.state()


def train(
    network: Network,
    lams: Sequence[Sequence[float]],
    seeds: Sequence[int],
    training: Arrays,
    validation: Arrays,
    settings: Settings,
    rule: CheckpointRule,
    on_epoch: Callable[[int], None] | None = None,
    penalty: PenaltyFactory | None = None,
) -> tuple[Network, Readout | None, History, NDArray[np.intp]]:
    """Train every member of a pack of GRAD and return each one's best epoch.

    Parameters
    ----------
    network : Network
        P members with their initial weights; they end with those of the last epoch. The pack is
        trained on the network's device.
    lams : sequence of P sequences of K numbers
        λ of each member for each attribute.
    seeds : sequence of int
        The seed of each member's row order and dropped units.
    training, validation : Arrays
        Rows to learn from, and rows by which the epoch is chosen.
    settings : Settings
        Epochs, minibatches and rates, shared by the pack.
    rule : callable
        Which epoch is the best, see `grad_ext.training.checkpoint`.
    on_epoch : callable, optional
        Called with the number of epochs done after each of them.
    penalty : callable, optional
        Makes the penalty on the scores, of strength λ, instead of the settings' own.

    Returns
    -------
    best : Network
        The weights of each member's best epoch, on the CPU.
    readout : Readout or None
        The logistic regressions on its representation (Auto only).
    history : History
        The losses and metrics of every epoch.
    epochs : array of shape (P,)
        The best epochs, counted from 0.
    """
    pack = _Pack(network, lams, seeds, training, validation, settings, penalty)
    state, history, epochs = train_epochs(pack, settings.epochs, rule, on_epoch)
    pack.trainer.finish()
    best = network.copied("cpu")
    load(best.state(), state)
    with one_thread():
        readout = last_readout(best, pack.X.cpu(), training, pack.readout)
    return best, readout, history, epochs


def penalty_of(
    network: Network,
    lams: Sequence[Sequence[float]],
    settings: Settings,
    task: Task,
    factory: PenaltyFactory | None = None,
) -> Penalty | None:
    """Return the penalty of a pack on its scores; None if the settings have none, or it has no λ."""
    target, *attributes = network.shape.branches
    each = 1.0 if factory is not None else settings.score_penalty
    if factory is not None:
        attributes = list(task.attributes)
    if not each or not attributes or target.reconstructs:
        return None
    heads = constraint_named(settings.constraint).heads(task.target.classes)
    strength = torch.tensor(
        [[each * lam for lam in member[: len(attributes)]] for member in lams],
        dtype=network.flat.dtype,
        device=network.device,
    )
    sizes = [(heads, groups_of(branch)) for branch in attributes]
    return (factory or ScorePenalty)(target, sizes, strength)


def shape_of(settings: Settings, arrays: Arrays, reversing: bool) -> Shape:
    """Return the network's sizes; without `reversing` there are no attribute branches (NN)."""
    task: Task = arrays.task
    target: Branch = task.target
    if settings.variant == "auto":
        visible = arrays.X.shape[1] if arrays.visible is None else len(arrays.visible)
        target = Features("target", visible)
    constraint = constraint_named(settings.constraint)
    constraint.check(task.target)
    # A representation is to hide the attributes itself, and a network without branches has no choice.
    hides = settings.variant == "auto" or not reversing
    return Shape(
        features=arrays.X.shape[1],
        trunk=settings.trunk,
        branch=settings.branch,
        target=target,
        attributes=task.attributes if reversing else (),
        adversary_input="representation" if hides else settings.adversary_input,
        heads=constraint.heads(task.target.classes) if reversing else 1,
    )
