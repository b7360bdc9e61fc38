"""The one training loop.

The loss is the paper's (GRAD, section 2): the target's loss plus λ times the sum of the attributes',
whose gradient is reversed on its way into the trunk; Adam. Where `Settings.lam_scales` is
'reversal', λ acts on that way alone. Members never couple: the
losses are summed over the pack, nothing is clipped or stopped across it, and every member has its
own order of rows and dropped units. A member that diverges to nan harms nobody else.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import torch
from numpy.typing import NDArray

from grad_ext.constraints import constraint_named
from grad_ext.data.encoding import Arrays
from grad_ext.engine.batches import minibatches, one_thread, shared_tensor
from grad_ext.engine.logistic import Readout
from grad_ext.engine.network import Network
from grad_ext.engine.shape import Shape
from grad_ext.outputs import Branch, Features, Task
from grad_ext.training.checkpoint import History, Rule, best_epoch
from grad_ext.training.settings import Settings
from grad_ext.training.targets import targets_of
from grad_ext.training.trainer import Trainer
from grad_ext.training.validation import figures, last_readout

Floats = NDArray[np.float64]


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
    targets = targets_of(
        training, network.shape.branches, dtype, settings.balance_groups, settings.constraint
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
            losses.append(trainer.epoch(X, targets, visible))
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
    target: Branch = task.target
    if settings.variant == "auto":
        seen = arrays.X.shape[1] if arrays.visible is None else len(arrays.visible)
        target = Features("target", seen)
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
