"""A pack in training: one step after another.

The loss is the paper's (GRAD, section 2): the target's loss plus λ times the sum of the attributes',
whose gradient is reversed on its way into the trunk; Adam. If `Settings.lam_scales` is 'reversal', λ
multiplies only the reversed gradient. Members never couple: the losses are summed over the pack,
nothing is clipped or stopped across it, and every member has its own row order and dropout. A member
that diverges to nan does not affect the others.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from grad_ext.engine.backprop import ForwardBackward
from grad_ext.engine.batches import BatchSampler, minibatches
from grad_ext.engine.cuda_graph import Replay
from grad_ext.engine.dropout import Dropout
from grad_ext.engine.network import Network
from grad_ext.engine.optim import Adam
from grad_ext.engine.schedules import LR_SCHEDULES, WARMUP_SCHEDULES
from grad_ext.training.score_penalty import Penalty
from grad_ext.training.settings import Settings
from grad_ext.training.targets import Targets

Floats = NDArray[np.float64]
# Decay of the moving average of the adversary's weights: an average of about the last ten steps.
EMA_DECAY = 0.9


class Trainer:
    """A pack in training: the network, and everything that changes from step to step.

    Parameters
    ----------
    network : Network
        P members, which the epochs train.
    lams : sequence of P sequences of K numbers
        λ of each member for each attribute.
    seeds : sequence of int
        The seed of each member's row order and dropout.
    settings : Settings
        Minibatches and learning rates, shared by the pack.
    steps : int, optional
        The number of steps, for the schedules; learning rate and reversal are constant without it.
    penalty : Penalty, optional
        The penalty on the target's scores, whose strength grows as the reversal does.
    """

    def __init__(
        self,
        network: Network,
        lams: Sequence[Sequence[float]],
        seeds: Sequence[int],
        settings: Settings,
        steps: int | None = None,
        penalty: Penalty | None = None,
    ) -> None:
        self._penalty = penalty
        self._network, self._settings = network, settings
        branches = len(network.shape.branches)
        strength = torch.tensor(
            [[settings.strength(lam) for lam in member[: branches - 1]] for member in lams],
            dtype=network.flat.dtype,
        )
        # Factors of the branches' losses, (P, M), and of the reversed gradients.
        weights = torch.ones(network.members, branches, dtype=network.flat.dtype)
        if settings.lam_scales == "loss":
            weights[:, 1:] = strength
            strength = torch.ones_like(strength)
        self._weights = weights.to(network.device)
        self._reversal = network.reversal(strength).to(network.device)
        self._steps, self._done = steps, 0
        # The step's learning rate, and share of the reversal's strength. On a GPU they are always the
        # same two tensors, which a recorded step reads.
        self._rate: Tensor | float = 0.0
        self._share: Tensor | float = 1.0
        if network.device.type == "cuda":
            self._rate = network.flat.new_zeros((), dtype=torch.float32)
            self._share = network.flat.new_ones(())
        # On a GPU: the rows of the recorded step, the tensor of its summed losses, and the record.
        self._recorded: tuple[Tensor, Tensor, Callable[[Tensor], None]] | None = None
        self._sampler = BatchSampler(seeds, network.device)
        self._passes = ForwardBackward(network)
        ratio = settings.attribute_learning_rate / settings.learning_rate
        ratios = network.by_branch(1.0, ratio) if ratio != 1.0 else None
        self._optimiser = Adam(network, settings.beta1, ratios)
        self._dropout = Dropout(network, seeds, settings.dropout) if settings.dropout else None
        # Moving average of the weights of the branches that get the prediction.
        averages = network.shape.reads_prediction and branches > 1
        self._ema = network.adversary_weights().detach().clone() if averages else None

    def epoch(self, X: Tensor, targets: Targets, visible: Tensor | None = None) -> Floats:
        """Train every member on all rows once.

        Parameters
        ----------
        X : Tensor of shape (N, D)
            Encoded features.
        targets : Targets
            What the branches should predict of them.
        visible : Tensor of int, optional
            Columns that are reconstructed (Auto); all of them if not given.

        Returns
        -------
        array of shape (P, M)
            The mean loss of each branch.
        """
        order = self._sampler.next(len(X))
        slices = minibatches(len(X), self._settings.batch_size)
        total = X.new_zeros(self._network.members, len(self._network.shape.branches))
        take: Callable[[Tensor], None] = partial(
            self._work, X, targets, total=total, visible=visible
        )
        # A user's module may do things that cannot be recorded.
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
        """Train every member on one minibatch.

        Parameters
        ----------
        X, targets, visible
            As for `epoch`.
        rows : int64 Tensor of shape (P, B)
            Each member's minibatch.
        total : Tensor of shape (P, M)
            The summed losses of each branch are added to it.
        """
        self._begin()
        self._work(X, targets, rows, total, visible)

    def finish(self) -> None:
        """Release the recorded step: otherwise its GPU memory is only freed by garbage collection."""
        self._recorded = None

    def _begin(self) -> None:
        """Set everything that depends on the number of the step."""
        rate, share = self.learning_rate(), self.reversal_share()
        self._rate = self._rate.fill_(rate) if isinstance(self._rate, Tensor) else rate
        self._share = self._share.fill_(share) if isinstance(self._share, Tensor) else share
        if self._dropout is not None:
            self._dropout.advance()
        self._done += 1

    def _work(
        self, X: Tensor, targets: Targets, rows: Tensor, total: Tensor, visible: Tensor | None
    ) -> None:
        """Compute the step that has begun; a recorded step reads and writes the same tensors."""
        network, (members, size) = self._network, rows.shape
        index = rows.flatten()
        x = self._passes.workspace.take("rows", (len(index), X.shape[1]), X)
        x = torch.index_select(X, 0, index, out=x).view(members, size, -1)
        masks = self._dropout.masks(size) if self._dropout else ()
        strata = None
        if targets.strata is not None:
            strata = targets.strata.index_select(0, index).view(members, 1, size)
        weights = self._extrapolated()
        logits = self._passes.forward(x, self._scaled_reversal(), masks, strata, weights)
        gradients = []
        with torch.no_grad():
            for m, branch in enumerate(network.shape.branches):
                values = targets.values[m]
                if values is not None:
                    truth = values.index_select(0, index).view(members, 1, size)
                else:
                    columns = x if visible is None else x.index_select(2, visible)
                    truth = columns.transpose(1, 2)
                weight = targets.weights[m].index_select(0, index).view(members, size)
                loss, gradient = branch.loss_and_gradient(logits[m], truth)
                total[:, m] += (loss * weight).sum(1)
                scale = weight * (self._weights[:, m : m + 1] / size)
                gradients.append(gradient * scale.unsqueeze(1))
            if self._penalty is not None and targets.cells is not None:
                gradients[0] += self._penalty.gradient(
                    logits[0], index, targets.cells, targets.weights[1:], self._growth()
                )
        self._passes.backward(gradients)
        self._optimiser.step(self._rate)

    def _extrapolated(self) -> Tensor | None:
        """Return the adversary's weights, extrapolated from their moving average, (P, R, S)."""
        if not self._settings.extrapolation or self._ema is None:
            return None
        now = self._network.adversary_weights().detach()
        extrapolated = now + self._settings.extrapolation * (now - self._ema)
        # Two roundings each: a fused one would depend on the place in the pack.
        self._ema.copy_(self._ema * EMA_DECAY + now * (1.0 - EMA_DECAY))
        return extrapolated

    def learning_rate(self) -> float:
        """Return the learning rate of the next step."""
        rate = self._settings.learning_rate
        if self._steps is None:
            return rate
        schedule = LR_SCHEDULES[self._settings.lr_schedule]
        return rate * schedule(self._done, self._steps, self._settings.final_lr_fraction)

    def reversal_share(self) -> float:
        """Return the share of the reversal's strength in the next step."""
        if not self._settings.warmup or self._steps is None:
            return 1.0
        schedule = WARMUP_SCHEDULES[self._settings.warmup_schedule]
        return schedule(self._done, self._steps, self._settings.warmup)

    def _growth(self) -> Tensor | float:
        """Return the share of the strength in this step: 1 without a warm-up."""
        return self._share if self._settings.warmup and self._steps is not None else 1.0

    def _scaled_reversal(self) -> Tensor:
        """Return the factors of the step's gradients on their way into the trunk."""
        if not self._settings.warmup or self._steps is None:
            return self._reversal
        return torch.where(self._reversal < 0.0, self._reversal * self._share, self._reversal)
