"""A method: many trials on the same rows in, fitted models out. GRAD is the first.

A baseline that wants to stand beside GRAD in a study implements the same two calls. Here torch
ends: what leaves is numpy.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import torch
from numpy.typing import NDArray

from grad_ext.encode import Arrays
from grad_ext.errors import InputError
from grad_ext.network import Network
from grad_ext.select import History, paper
from grad_ext.train import one_thread, shape_of, train
from grad_ext.trial import Trial


class Fitted(Protocol):
    """Models that a method fitted, one for each trial."""

    @property
    def epochs(self) -> NDArray[np.intp]:
        """The epochs kept, counted from 1, shape (P,)."""

    def scores(self, X: NDArray[np.float32]) -> NDArray[np.float32]:
        """Return the probability of the favorable label, shape (P, N), for X of shape (N, D)."""


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
    history : History
        Every epoch's figures.
    epochs : array of shape (P,)
        The epochs kept, counted from 1.
    """

    network: Network
    history: History
    epochs: NDArray[np.intp]

    def scores(self, X: NDArray[np.float32]) -> NDArray[np.float32]:
        """Return the probability of the favorable label, shape (P, N), for X of shape (N, D)."""
        width = self.network.shape.features
        if X.ndim != 2 or X.shape[1] != width:
            raise InputError(f"X: expected shape (N, {width}), got {X.shape}")
        with one_thread():
            scores: NDArray[np.float32] = self.network.scores(torch.tensor(X)).numpy()
        return scores


class GRAD:
    """Gradient Reversal Against Discrimination (Raff and Sylvester), in packs.

    Trials of one call must share their static settings; λ and seed are each trial's own. λ = 0 is
    the plain network without attribute branches (the paper's NN-Pred).
    """

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
            If there is no trial, or two differ in their static settings.
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
        lams = [trial.lam for trial in trials]
        seeds = [trial.seed for trial in trials]
        shape = shape_of(
            first.settings, training.X.shape[1], first.protected, reversing=first.lam > 0
        )
        network = Network(shape, seeds)
        best, history, epochs = train(
            network, lams, seeds, training, validation, first.settings, paper, on_epoch
        )
        return FittedGRAD(best, history, epochs + 1)
