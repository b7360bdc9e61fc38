"""One model trained by repeated calls: the `partial_fit` of the classifier."""

from __future__ import annotations

import copyreg
import warnings
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from grad_ext.data.encoding import Encoder
from grad_ext.engine.batches import one_thread
from grad_ext.engine.network import Network
from grad_ext.errors import InputError, NearlyConstantWarning
from grad_ext.method import FittedGRAD
from grad_ext.models.fit import Model, Samples, constant
from grad_ext.training.loop import history_of, penalty_of, shape_of
from grad_ext.training.settings import Settings
from grad_ext.training.targets import targets_of
from grad_ext.training.trainer import Trainer
from grad_ext.training.validation import last_readout, validation_metrics
from grad_ext.trial import Trial

Floats = NDArray[np.float64]


class Online:
    """A classifier that trains for one pass over the rows of each call.

    The encoding is learned from the rows of the first call; groups and classes are those of the
    task. There are no validation rows: the history has the metrics of each call on its own rows, and
    the model is the latest state.

    Parameters
    ----------
    rows : Samples
        The rows of the first call, from which the encoding is learned.
    settings : Settings
        Training settings; epochs, the decay of the learning rates and the rule that selects the
        epoch do not apply.
    lam : float or tuple of float
        λ, or one for each attribute.
    seed : int
        Seed of the initial weights, the order of the rows and dropout.
    """

    def __init__(
        self, rows: Samples, settings: Settings, lam: float | tuple[float, ...], seed: int
    ) -> None:
        names = tuple(branch.name for branch in rows.task.attributes)
        self._trial = Trial("data", names, lam=lam, seed=seed, settings=settings)
        self._encoder = Encoder(settings.encoding).fit(rows.frame, constants=True)
        shape = shape_of(settings, rows.arrays(self._encoder), self._trial.reversing)
        self._network = Network(shape, [seed])
        lams = [self._trial.lams]
        penalty = penalty_of(self._network, lams, settings, rows.task)
        self._trainer = Trainer(self._network, lams, [seed], settings, penalty=penalty)
        self._losses: list[Floats] = []
        self._metrics: list[dict[str, Floats]] = []

    def __reduce_ex__(self, protocol: Any) -> Any:
        """Return how copy and pickle make the model again: its class and its attributes."""
        return copyreg.__newobj__, (type(self),), dict(vars(self))  # type: ignore[attr-defined]

    def __reduce__(self) -> Any:
        """Refuse skops, the one caller: it holds neither torch's generators nor its optimisers."""
        raise InputError(
            "skops holds no model that partial_fit goes on with: expected one of fit, or "
            "grad_ext.load of a file of grad_ext.save, which is the latest state"
        )

    def learn(self, rows: Samples) -> Model:
        """Train for one pass over rows and return the model after it.

        Raises
        ------
        InputError
            If there are fewer than two rows, they lack a feature, or training diverged.
        """
        if len(rows) < 2:
            raise InputError(
                f"expected at least 2 samples a call, got {len(rows)} sample: batch normalisation "
                "needs rows to normalise by"
            )
        arrays = rows.arrays(self._encoder)
        X = torch.from_numpy(arrays.X)
        balance, constraint = self._trial.settings.balance_groups, self._trial.settings.constraint
        targets = targets_of(arrays, self._network.shape.branches, X.dtype, balance, constraint)
        with one_thread():
            self._losses.append(self._trainer.epoch(X, targets))
            readout = last_readout(self._network, X, arrays)
            self._metrics.append(validation_metrics(self._network, readout, X, arrays))
        history = history_of(self._losses, self._metrics)
        network = Network.from_state(self._network.shape, self._network.state(), torch.float64)
        calls = np.array([len(self._losses)])
        fitted = FittedGRAD(network, None, history, calls)
        with warnings.catch_warnings():
            # Training goes on, and few steps leave most models so; `constant_` tells.
            warnings.simplefilter("ignore", NearlyConstantWarning)
            is_constant = constant(fitted, [arrays], self._trial.lam)
        return Model(self._encoder, fitted, is_constant)
