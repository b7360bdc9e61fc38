"""A method: many trials on the same rows in, fitted models out. GRAD is the first.

A baseline that wants to stand beside GRAD in a study implements the same two calls. Here torch
ends: what leaves is numpy.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Protocol

import numpy as np
import torch
from numpy.typing import NDArray

from grad_ext.data.encoding import Arrays
from grad_ext.engine.batches import one_thread, shared_tensor
from grad_ext.engine.logistic import Readout
from grad_ext.engine.module_trunk import Factory, ModuleTrunk
from grad_ext.engine.network import Network
from grad_ext.errors import InputError
from grad_ext.training.checkpoint import History, Rule, last, rule_named
from grad_ext.training.loop import shape_of, train
from grad_ext.training.targets import check_cells
from grad_ext.training.validation import predictions
from grad_ext.trial import Trial


class Fitted(Protocol):
    """Models that a method fitted, one for each trial."""

    @property
    def epochs(self) -> NDArray[np.intp]:
        """The epochs kept, counted from 1, shape (P,)."""

    def scores(self, X: NDArray[np.float32]) -> NDArray[np.floating]:
        """Return what the models predict, shape (P, R, N), for X of shape (N, D).

        The probability of the favorable label (R = 1), of each of R classes, or numbers (R = 1).
        """


class Method(Protocol):
    """A way to turn trials and rows into fitted models."""

    def fit(
        self,
        trials: Sequence[Trial],
        training: Arrays,
        validation: Arrays,
        on_epoch: Callable[[int], None] | None = None,
    ) -> Fitted:
        """Fit one model a trial."""


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
        Every epoch's figures.
    epochs : array of shape (P,)
        The epochs kept, counted from 1.
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

    def _rows(self, X: NDArray[np.float32]) -> torch.Tensor:
        width = self.network.shape.features
        if X.ndim != 2 or X.shape[1] != width:
            raise InputError(f"X: expected shape (N, {width}), got {X.shape}")
        return shared_tensor(X, torch.float32)

    def scores(self, X: NDArray[np.float32]) -> NDArray[np.floating]:
        """Return what the models predict, shape (P, R, N), for X of shape (N, D): see `Fitted`.

        Raises
        ------
        InputError
            If X has another number of features, or the representation was learned without labels.
        """
        rows = self._rows(X)
        if self.readout is None and self.network.shape.target.reconstructs:
            raise InputError("learned without labels, so there is nothing that it predicts")
        with one_thread():
            said = predictions(self.network.on(self.device), self.readout, rows).numpy()
        return (
            said if self.scale == 1.0 and not self.location else said * self.scale + self.location
        )

    def representations(self, X: NDArray[np.float32]) -> NDArray[np.floating]:
        """Return the trunks' outputs, shape (P, H, N), for X of shape (N, D)."""
        with one_thread():
            network = self.network.on(self.device)
            trunk: NDArray[np.floating] = network.representations(self._rows(X)).cpu().numpy()
        return trunk


class GRAD:
    """Gradient Reversal Against Discrimination (Raff and Sylvester), in packs.

    Trials of one call must share their static settings; λ and seed are each trial's own. λ = 0 is
    the plain network without attribute branches (the paper's NN).

    Parameters
    ----------
    rule : callable, optional
        Which epoch to keep, instead of the one that the settings name.
    trunk : callable, optional
        Gets the number of features and returns a `torch.nn.Module` that is the trunk, instead of
        the layers that the settings name: see `grad_ext.engine.module_trunk.ModuleTrunk`.
    device : str, default 'cpu'
        Where packs are trained and score rows, by torch's name such as 'cuda'; the fitted networks
        are on the CPU.
        Initial weights and orders of rows are those of the CPU, dropped units and rounding are not.
    """

    def __init__(
        self, rule: Rule | None = None, trunk: Factory | None = None, device: str = "cpu"
    ) -> None:
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
        if not trials:
            raise InputError("expected at least one trial, got none")
        first = trials[0]
        for trial in trials:
            if trial.static != first.static:
                raise InputError(
                    f"trials of one pack must share {first.static}, got {trial.static}"
                )
        if training.a.shape[1] != len(first.protected):
            raise InputError(
                f"expected {len(first.protected)} protected attributes, got {training.a.shape[1]}"
            )
        check_cells(first.settings.constraint, training)
        target = training.task.target
        location, scale = target.location_and_scale(training.y, training.w)
        if (location, scale) != (0.0, 1.0):
            training, validation = (
                replace(arrays, y=(arrays.y - location) / scale)
                for arrays in (training, validation)
            )
        seeds = [trial.seed for trial in trials]
        shape, trunk = shape_of(first.settings, training, first.reversing), None
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
        )
        return FittedGRAD(best, readout, history, epochs + 1, location, scale, self.device)

    @staticmethod
    def _rule(trial: Trial, training: Arrays) -> Rule:
        unlabelled = trial.settings.variant == "auto" and training.task.target.reconstructs
        return last if unlabelled else rule_named(trial.settings.checkpoint)
