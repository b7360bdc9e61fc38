"""What VFAE and ALFR share as methods: the parameters of training, `fit`, and the fitted pack."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from grad_ext import checks
from grad_ext.adapters.neural.packs import Pack, fit
from grad_ext.adapters.sklearn import check_binary_target, check_groups
from grad_ext.data.encoding import Arrays
from grad_ext.engine.batches import one_thread, shared_tensor
from grad_ext.errors import InputError
from grad_ext.method import check_pack
from grad_ext.training.checkpoint import History
from grad_ext.trial import Trial

PackT = TypeVar("PackT", bound=Pack)


@dataclass(frozen=True)
class FittedPack(Generic[PackT]):
    """A trained pack.

    Attributes
    ----------
    pack : Pack
        The weights of each member's best epoch.
    width : int
        D, the number of features.
    history : History
        The losses and metrics of every epoch.
    epochs : array of shape (P,)
        The best epochs, counted from 1.
    """

    pack: PackT
    width: int
    history: History
    epochs: NDArray[np.intp]

    def _of(
        self, X: NDArray[np.float32], compute: Callable[[Tensor], Tensor]
    ) -> NDArray[np.floating]:
        """Return what the pack computes for rows of the features that it was trained on."""
        checks.columns("X", X, self.width)
        with one_thread():
            result: NDArray[np.floating] = compute(
                shared_tensor(X, self.pack.layers[0].flat.dtype)
            ).numpy()
        return result

    def scores(self, X: NDArray[np.float32]) -> NDArray[np.floating]:
        """Return the probability of the favorable label, shape (P, 1, N), for X of shape (N, D)."""
        return self._of(X, self.pack.scores)


FittedT = TypeVar("FittedT", bound=FittedPack[Any])


class PackMethod(ABC, Generic[PackT, FittedT]):
    """A method that trains packs of networks in epochs.

    A trial's λ is β, the weight of the term that makes the representation fair, one number or one
    for each protected attribute.

    Parameters
    ----------
    epochs, batch_size : int
        Passes over the training rows, and about how many of them a minibatch has.
    learning_rate : float
        Of Adam.

    Raises
    ------
    InputError
        If a parameter is out of range.
    """

    fitted: type[FittedT]

    def __init__(self, epochs: int, batch_size: int, learning_rate: float) -> None:
        self.epochs = checks.whole("epochs", epochs, 1)
        self.batch_size = checks.whole("batch_size", batch_size, 1)
        self.learning_rate = checks.above_0("learning_rate", learning_rate)

    @abstractmethod
    def build(self, seeds: Sequence[int], beta: Tensor, training: Arrays) -> PackT:
        """Return an untrained pack, of a model for each seed and row of β, shape (P, K)."""

    def fit(
        self,
        trials: Sequence[Trial],
        training: Arrays,
        validation: Arrays,
        on_epoch: Callable[[int], None] | None = None,
    ) -> FittedT:
        """Train the trials as one pack; the rule that their settings name chooses the epoch.

        Raises
        ------
        InputError
            If there is no trial, two differ in their protected attributes or settings, there are
            not as many as values of a hyperparameter, the target is not binary, or an attribute is
            continuous.
        """
        check_pack(trials, training, lambda trial: (trial.protected, trial.settings))
        check_binary_target(training.task)
        check_groups(training.task)
        seeds = [trial.seed for trial in trials]
        beta = torch.tensor([trial.lams for trial in trials], dtype=torch.float32)
        pack = self.build(seeds, beta, training)
        history, epochs = fit(
            pack,
            seeds,
            training,
            validation,
            self.epochs,
            self.batch_size,
            self.learning_rate,
            trials[0].settings.checkpoint,
            on_epoch,
        )
        return self.fitted(pack, training.X.shape[1], history, epochs)


def checked_hyperparameter(name: str, value: float | Sequence[float]) -> float | Sequence[float]:
    """Return a hyperparameter: a number of at least 0, or a sequence of such numbers.

    Raises
    ------
    InputError
        If a number is negative or not finite.
    """
    for number in value if checks.is_sequence(value) else [value]:  # type: ignore[union-attr]
        checks.at_least_0(name, number)
    return value


def by_trial(name: str, value: float | Sequence[float], members: int) -> Tensor:
    """Return a hyperparameter of each trial, shape (P,), from one number or one for each.

    Raises
    ------
    InputError
        If there are not as many numbers as trials.
    """
    values = torch.as_tensor(value, dtype=torch.float32)
    if values.dim() and values.shape != (members,):
        raise InputError(f"{name}: expected a number for each of {members} trials, got {value!r}")
    return values.expand(members)
