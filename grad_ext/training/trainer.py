"""A pack in training: one step after another.

The loss is the paper's (GRAD, section 2): the target's loss plus λ times the sum of the attributes',
whose gradient is reversed on its way into the trunk; Adam. Where `Settings.lam_scales` is
'reversal', λ acts on that way alone. Members never couple: the losses are summed over the pack,
nothing is clipped or stopped across it, and every member has its own order of rows and dropped units.
A member that diverges to nan does not affect the others.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from functools import partial

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from grad_ext.engine.batches import BatchSampler, minibatches
from grad_ext.engine.cuda_graph import Replay
from grad_ext.engine.dropout import Dropout
from grad_ext.engine.losses import loss_and_gradient
from grad_ext.engine.network import Network
from grad_ext.engine.optim import Adam
from grad_ext.training.settings import Settings
from grad_ext.training.targets import Targets

Floats = NDArray[np.float64]
# Share of it that the moving average keeps at every step: it covers the last ten or so.
EMA_DECAY = 0.9


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
        if settings.lam_scales == "loss":
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
        self._orders = BatchSampler(seeds, network.device)
        ratio = settings.attribute_learning_rate / settings.learning_rate
        ratios = network.by_branch(1.0, ratio) if ratio != 1.0 else None
        self._optimiser = Adam(network, settings.beta1, ratios)
        self._dropout = Dropout(network, seeds, settings.dropout) if settings.dropout else None
        # The mean of late of the weights of the branches that read the score.
        reads = network.shape.reads == "prediction" and branches > 1
        self._ema = network.readers().detach().clone() if reads else None

    def epoch(self, X: Tensor, targets: Targets, visible: Tensor | None = None) -> Floats:
        """Take every member through the rows once.

        Parameters
        ----------
        X : Tensor of shape (N, D)
            Encoded features.
        goals : Targets
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
        total = X.new_zeros(self._network.members, len(targets.values))
        take: Callable[[Tensor], None] = partial(
            self._work, X, targets, total=total, visible=visible
        )
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
        self,
        X: Tensor,
        targets: Targets,
        rows: Tensor,
        total: Tensor,
        visible: Tensor | None = None,
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
        self._work(X, targets, rows, total, visible)

    def finish(self) -> None:
        """Let go of what a GPU recorded: its memory would stay until a cycle of references is found."""
        self._recorded = None

    def _begin(self) -> None:
        """Note what is the step's own."""
        rate, share = self._learning_rate(), self._grown()
        self._rate = self._rate.fill_(rate) if isinstance(self._rate, Tensor) else rate
        self._share = self._share.fill_(share) if isinstance(self._share, Tensor) else share
        if self._dropout is not None:
            self._dropout.advance()
        self._done += 1

    def _work(
        self, X: Tensor, targets: Targets, rows: Tensor, total: Tensor, visible: Tensor | None
    ) -> None:
        """Take the step that has begun; all that it reads and writes on a device lies in tensors."""
        network, (members, size) = self._network, rows.shape
        index = rows.flatten()
        x = network.passes.room.take("rows", (len(index), X.shape[1]), X)
        x = torch.index_select(X, 0, index, out=x).view(members, size, -1)
        masks = self._dropout.masks(size) if self._dropout else ()
        labels = None
        if targets.labels is not None:
            labels = targets.labels.index_select(0, index).view(members, 1, size)
        outputs = network.outputs(x, self._ramped(), masks, labels, self._ahead())
        gradients = []
        with torch.no_grad():
            for m, branch in enumerate(network.shape.branches):
                goal = targets.values[m]
                if goal is not None:
                    goal = goal.index_select(0, index).view(members, 1, size)
                else:
                    seen = x if visible is None else x.index_select(2, visible)
                    goal = seen.transpose(1, 2)
                weight = targets.weights[m].index_select(0, index).view(members, size)
                loss, gradient = loss_and_gradient(branch.kind, outputs[m], goal)
                total[:, m] += (loss * weight).sum(1)
                scale = weight * (self._weights[:, m : m + 1] / size)
                gradients.append(gradient * scale.unsqueeze(1))
        network.backward(gradients)
        self._optimiser.step(self._rate)

    def _ahead(self) -> Tensor | None:
        """Return the readers' weights as far ahead as their trend of late goes, (P, R, S)."""
        if not self._settings.extrapolation or self._ema is None:
            return None
        now = self._network.readers().detach()
        ahead = now + self._settings.extrapolation * (now - self._ema)
        # Two roundings each: one for both would depend on the place in the pack.
        self._ema.copy_(self._ema * EMA_DECAY + now * (1.0 - EMA_DECAY))
        return ahead

    def _learning_rate(self) -> float:
        """Return the learning rate of the next step: cosine decay to the final rate."""
        rate, final = self._settings.learning_rate, self._settings.final_lr_fraction
        if self._steps is None or final == 1.0:
            return rate
        left = (1.0 + math.cos(math.pi * self._done / self._steps)) / 2.0
        return rate * (final + (1.0 - final) * left)

    def _grown(self) -> float:
        """Return the share of its strength to which the reversal has grown."""
        if not self._settings.warmup or self._steps is None:
            return 1.0
        return 2.0 / (1.0 + math.exp(-self._settings.warmup * self._done / self._steps)) - 1.0

    def _ramped(self) -> Tensor:
        """Return what the step's gradients are multiplied by on their way into the trunk."""
        if not self._settings.warmup or self._steps is None:
            return self._reversal
        return torch.where(self._reversal < 0.0, self._reversal * self._share, self._reversal)
