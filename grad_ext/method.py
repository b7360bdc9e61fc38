"""Methods: each turns trials and rows into fitted models. GRAD is the first.

A baseline that is compared with GRAD implements the same two calls, `Method.fit` and `Fitted.scores`,
which take and return numpy arrays.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Protocol

import numpy as np
import torch
from numpy.typing import NDArray

from grad_ext import checks
from grad_ext.data.encoding import Arrays
from grad_ext.engine.batches import one_thread, shared_tensor
from grad_ext.engine.logistic import Readout
from grad_ext.engine.module_trunk import Factory, ModuleTrunk
from grad_ext.engine.network import Network
from grad_ext.errors import InputError
from grad_ext.training.checkpoint import CheckpointRule, History, last, rule_named
from grad_ext.training.loop import shape_of, train
from grad_ext.training.score_penalty import PenaltyFactory
from grad_ext.training.targets import check_cells
from grad_ext.training.validation import predictions
from grad_ext.trial import Trial


class Fitted(Protocol):
    """Fitted models, one for each trial."""

    @property
    def epochs(self) -> NDArray[np.intp]:
        """The best epochs, counted from 1, shape (P,)."""

    def scores(self, X: NDArray[np.float32]) -> NDArray[np.floating]:
        """Return the predictions, shape (P, R, N), for X of shape (N, D).

        The probability of the favorable label (R = 1), of each of R classes, or numbers (R = 1).
        """


class Method(Protocol):
    """A way to fit models, one for each trial."""

    def fit(
        self,
        trials: Sequence[Trial],
        training: Arrays,
        validation: Arrays,
        on_epoch: Callable[[int], None] | None = None,
    ) -> Fitted:
        """Fit one model for each trial.

        Parameters
        ----------
        trials : sequence of P trials
            Seeds and trade-off parameters (λ) of the models.
        training, validation : Arrays
            Rows to learn from, and rows by which a method may choose, such as the epoch.
        on_epoch : callable, optional
            Called with the number of epochs done, by methods that train in epochs after each.
        """


def check_pack(
    trials: Sequence[Trial], training: Arrays, shared: Callable[[Trial], object]
) -> None:
    """Check that trials can be fitted together, to rows with their protected attributes.

    Parameters
    ----------
    trials : sequence of Trial
        The trials of a pack.
    training : Arrays
        The training rows.
    shared : callable
        Gets a trial, returns what must be the same for all trials of a pack.

    Raises
    ------
    InputError
        If there is no trial, two differ in what they must share, or the rows have another number of
        protected attributes.
    """
    if not trials:
        raise InputError("expected at least one trial, got none")
    first = trials[0]
    for trial in trials:
        if shared(trial) != shared(first):
            raise InputError(f"trials of one pack must share {shared(first)}, got {shared(trial)}")
    if training.a.shape[1] != len(first.protected):
        raise InputError(
            f"expected {len(first.protected)} protected attributes, got {training.a.shape[1]}"
        )


@dataclass(frozen=True)
class FittedGRAD:
    """A trained pack.

    Attributes
    ----------
    network : Network
        The weights of each member's best epoch.
    readout : Readout or None
        The logistic regressions on its representation; None for Pred, and for a representation that
        was learned without labels.
    history : History
        The losses and metrics of every epoch.
    epochs : array of shape (P,)
        The best epochs, counted from 1.
    location, scale : float
        Mean and standard deviation of a predicted number in training; 0 and 1 for labels.
    device : str
        Where rows are scored; the network itself is on the CPU.
    """

    network: Network
    readout: Readout | None
    history: History
    epochs: NDArray[np.intp]
    location: float = 0.0
    scale: float = 1.0
    device: str = "cpu"

    def member(self, number: int) -> FittedGRAD:
        """Return one member of the pack as a pack of one."""
        one = slice(number, number + 1)
        state = {name: value[one] for name, value in self.network.state().items()}
        network = Network.from_state(
            self.network.shape, state, self.network.flat.dtype, self.network.trunk
        )
        readout = None if self.readout is None else Readout(self.readout.weight[one])
        history = self.history.of_member(number)
        return replace(
            self, network=network, readout=readout, history=history, epochs=self.epochs[one]
        )

    def _rows(self, X: NDArray[np.float32]) -> torch.Tensor:
        checks.columns("X", X, self.network.shape.features)
        return shared_tensor(X, torch.float32)

    def scores(self, X: NDArray[np.float32]) -> NDArray[np.floating]:
        """Return the predictions, shape (P, R, N), for X of shape (N, D): see `Fitted`.

        Raises
        ------
        InputError
            If X has another number of features, or the representation was learned without labels.
        """
        rows = self._rows(X)
        if self.readout is None and self.network.shape.target.reconstructs:
            raise InputError("the representation was learned without labels, so it predicts none")
        with one_thread():
            scores = predictions(self.network.on(self.device), self.readout, rows).numpy()
        if self.scale == 1.0 and not self.location:
            return scores
        return scores * self.scale + self.location

    def representations(self, X: NDArray[np.float32]) -> NDArray[np.floating]:
        """Return the trunks' outputs, shape (P, H, N), for X of shape (N, D)."""
        with one_thread():
            network = self.network.on(self.device)
            trunk: NDArray[np.floating] = network.representations(self._rows(X)).cpu().numpy()
        return trunk


class GRAD:
    """Gradient Reversal Against Discrimination (Raff and Sylvester), in packs.

    Trials of one pack have the same static settings and differ in λ and seed. λ = 0 is the plain
    network without attribute branches (the paper's NN).

    Parameters
    ----------
    rule : callable, optional
        The rule for the epoch to keep, instead of the one that the settings name.
    trunk : callable, optional
        Gets the number of features, returns the `torch.nn.Module` that replaces the trunk's layers:
        see `grad_ext.engine.module_trunk.ModuleTrunk`.
    device : str, default 'cpu'
        Where packs are trained and rows scored, by torch's name such as 'cuda'; the fitted networks
        are on the CPU. Initial weights are those of the CPU; row order, dropped units and rounding
        are not.
    penalty : callable, optional
        Makes a penalty on the scores, of strength λ, in the place of attribute branches: see
        `grad_ext.training.score_penalty.Penalty`.
    """

    def __init__(
        self,
        rule: CheckpointRule | None = None,
        trunk: Factory | None = None,
        device: str = "cpu",
        penalty: PenaltyFactory | None = None,
    ) -> None:
        self.penalty = penalty
        self.rule = rule
        self.trunk = trunk
        self.device = device

    def fit(
        self,
        trials: Sequence[Trial],
        training: Arrays,
        validation: Arrays,
        on_epoch: Callable[[int], None] | None = None,
    ) -> FittedGRAD:
        """Train the trials as one pack.

        Raises
        ------
        InputError
            If there is no trial, two differ in their static settings, the rows do not allow the
            constraint, or a module cannot serve as a trunk.
        """
        check_pack(trials, training, lambda trial: trial.static)
        first = trials[0]
        check_cells(first.settings.constraint, training)
        target = training.task.target
        location, scale = target.location_and_scale(training.y, training.w)
        if (location, scale) != (0.0, 1.0):
            training, validation = (
                replace(arrays, y=(arrays.y - location) / scale)
                for arrays in (training, validation)
            )
        seeds = [trial.seed for trial in trials]
        shape, trunk = (
            shape_of(first.settings, training, first.reversing and self.penalty is None),
            None,
        )
        if self.trunk is not None:
            trunk = ModuleTrunk(self.trunk, shape.features, seeds)
            shape = replace(shape, trunk=(trunk.width,), module=True)
        network = Network(shape, seeds, trunk=trunk).on(self.device)
        best, readout, history, epochs = train(
            network,
            [trial.lams for trial in trials],
            seeds,
            training,
            validation,
            first.settings,
            self.rule or self._rule(first, training),
            on_epoch,
            self.penalty,
        )
        return FittedGRAD(best, readout, history, epochs + 1, location, scale, self.device)

    @staticmethod
    def _rule(trial: Trial, training: Arrays) -> CheckpointRule:
        unlabelled = trial.settings.variant == "auto" and training.task.target.reconstructs
        return last if unlabelled else rule_named(trial.settings.checkpoint)
