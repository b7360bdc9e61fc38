"""One model on one set of rows: a pack of one, with the encoding that belongs to it.

What AIF360's users and scikit-learn's both need: rows in, a model that scores frames out.
"""

from __future__ import annotations

import warnings
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray

from grad_ext import checks
from grad_ext.data.encoding import Arrays, Encoder
from grad_ext.data.split import cells, check_groups, hold_out
from grad_ext.data.table import Table
from grad_ext.engine.batches import one_thread
from grad_ext.engine.module_trunk import Factory
from grad_ext.engine.network import Network
from grad_ext.errors import ConstantPredictionWarning, InputError
from grad_ext.method import GRAD, FittedGRAD
from grad_ext.outputs import Binary, Task
from grad_ext.seeds import numpy_generator
from grad_ext.training.checkpoint import Rule, last, rule_named
from grad_ext.training.loop import history_of, shape_of
from grad_ext.training.settings import Settings
from grad_ext.training.targets import targets_of
from grad_ext.training.trainer import Trainer
from grad_ext.training.validation import last_readout, validation_metrics
from grad_ext.trial import Trial

Floats = NDArray[np.float64]

# Share of the training rows held out to choose the epoch by, where no validation rows are given.
VALIDATION = 0.2


@dataclass(frozen=True)
class Samples:
    """Rows as a user gives them, with what is to be predicted and protected as numbers.

    Attributes
    ----------
    frame : pandas.DataFrame
        Columns that the network may see.
    y, a, w : arrays of shape (N,), (N, K), (N,)
        As in `Arrays`.
    task : Task
        What `y` and `a` are.
    hidden : tuple
        Columns of the frame that hold a protected attribute, not to be reconstructed.
    target_w : array of shape (N,), optional
        As in `Arrays`.
    """

    frame: pd.DataFrame
    y: NDArray[np.float64]
    a: NDArray[np.float64]
    w: NDArray[np.float64]
    task: Task
    hidden: tuple[Hashable, ...] = ()
    target_w: NDArray[np.float64] | None = None

    def __len__(self) -> int:
        return len(self.y)

    def merged(self) -> tuple[Samples, NDArray[np.intp]]:
        """Return these rows with weights summed over equal ones, and the positions to train on.

        Rows that are alike in all columns, label and attributes are trained on once, with the sum
        of their weights, in an order that depends on their content alone; rows without weight are
        left out. So a weight of two and a row given twice are the same thing, and the order in
        which the rows came does not matter.
        """
        try:
            content = pd.util.hash_pandas_object(self.frame, index=False).to_numpy()
        except UnicodeEncodeError as error:
            raise InputError(
                f"features: expected text that is valid Unicode, got {error}"
            ) from None
        for column in (self.y, *self.a.T):
            content = content * np.uint64(3) + pd.util.hash_array(column)
        counted = np.flatnonzero(self.w > 0)
        _, first, which = np.unique(content[counted], return_index=True, return_inverse=True)
        positions = counted[first]
        w = self.w.copy()
        w[positions] = np.bincount(which, weights=self.w[counted])
        target_w = self.target_w
        if self.target_w is not None:
            target_w = self.target_w.copy()
            target_w[positions] = np.bincount(which, weights=self.target_w[counted])
        return replace(self, w=w, target_w=target_w), positions

    def arrays(self, encoder: Encoder, positions: NDArray[np.intp] | None = None) -> Arrays:
        """Return all rows, or those at the given positions, encoded."""
        rows = slice(None) if positions is None else positions
        hidden = encoder.positions(self.hidden)
        return Arrays(
            X=encoder.transform(self.frame, positions),
            y=self.y[rows],
            a=self.a[rows],
            w=self.w[rows],
            task=self.task,
            visible=np.setdiff1d(np.arange(len(encoder.names)), hidden) if len(hidden) else None,
            target_w=None if self.target_w is None else self.target_w[rows],
        )


@dataclass(frozen=True)
class Model:
    """A fitted GRAD network that scores frames like the one it was fitted on.

    Attributes
    ----------
    encoder : Encoder
        Fitted on the training rows.
    fitted : FittedGRAD
        A pack of one. It scores in float64, so that a row's score does not depend on which other
        rows are scored with it.
    constant : bool
        Whether all rows seen in fitting, training and validation, get one label.
    """

    encoder: Encoder
    fitted: FittedGRAD
    constant: bool

    def scores(self, frame: pd.DataFrame) -> NDArray[np.float64]:
        """Return the probability of the favorable label or the number, (N,), or of each class, (N, R)."""
        said = self.fitted.scores(self.encoder.transform(frame))[0]
        return np.asarray(said[0] if len(said) == 1 else said.T, dtype=np.float64)

    def representation(self, frame: pd.DataFrame) -> NDArray[np.float64]:
        """Return the trunk's output, shape (N, H)."""
        trunk = self.fitted.representations(self.encoder.transform(frame))[0]
        return np.asarray(trunk.T, dtype=np.float64)


def fit_rows(
    rows: Samples,
    settings: Settings,
    lam: float | tuple[float, ...],
    seed: int,
    validation: Samples | float = VALIDATION,
    rule: Rule | None = None,
    trunk: Factory | None = None,
) -> Model:
    """Fit one model.

    Parameters
    ----------
    rows : Samples
        Training rows.
    settings : Settings
        How to train.
    lam : float or tuple of float
        λ, or one for each attribute.
    seed : int
        Of the validation rows, the initial weights, the order of the rows and the dropped units.
    validation : Samples or float
        Rows to choose the epoch by, or the share of the training rows to hold out for that,
        stratified by label and protected groups. Where the last epoch is kept in any case none are
        held out, and the history is about the training rows.
    rule : callable, optional
        Which epoch to keep, instead of the one that the settings name.
    trunk : callable, optional
        Gets the number of features and returns a module that is the trunk.

    Raises
    ------
    InputError
        If the rows cannot be learned from, or training diverged.

    Warns
    -----
    ConstantPredictionWarning
        If the model gives every row the same label.
    """
    checks.sample_weights(rows.w, "sample_weight")
    rows, positions = rows.merged()
    check_rows(rows, positions)
    encoder = Encoder(settings.encoding)
    if isinstance(validation, Samples):
        if not len(validation):
            raise InputError("expected validation rows, got none")
        encoder.fit(rows.frame, positions)
        training, held = rows.arrays(encoder, positions), validation.arrays(encoder)
    elif rule is None and rule_named(settings.checkpoint) is last:
        encoder.fit(rows.frame, positions)
        training = held = rows.arrays(encoder, positions)
    else:
        kept, out = _divided(rows, positions, validation, seed)
        check_rows(rows, kept)
        encoder.fit(rows.frame, kept)
        training, held = rows.arrays(encoder, kept), rows.arrays(encoder, out)
    names = tuple(branch.name for branch in rows.task.attributes)
    trial = Trial("data", names, lam=lam, seed=seed, settings=settings)
    fitted = exact(GRAD(rule, trunk).fit([trial], training, held))
    seen = [training] if held is training else [training, held]
    return Model(encoder, fitted, constant(fitted, seen, lam))


def exact(fitted: FittedGRAD) -> FittedGRAD:
    """Return a pack of one as models keep it: in float64, the history in the target's units."""
    network = fitted.network
    wide = Network.from_state(network.shape, network.state(), torch.float64, network.trunk)
    history = fitted.history.in_units(fitted.location, fitted.scale)
    return replace(fitted, network=wide, history=history)


class Online:
    """A classifying network that goes on learning, one pass over the rows of each call.

    The encoding is that of the first call's rows; groups and classes are those of the task. There
    are no validation rows: the history judges each call by its own rows, and the last state is the
    model.

    Parameters
    ----------
    rows : Samples
        The first call's rows, from which the encoding is learned.
    settings : Settings
        How to train; epochs, the decay of the rates and the rule for the epoch do not apply.
    lam : float or tuple of float
        λ, or one for each attribute.
    seed : int
        Of the initial weights, the order of the rows and the dropped units.
    """

    def __init__(
        self, rows: Samples, settings: Settings, lam: float | tuple[float, ...], seed: int
    ) -> None:
        names = tuple(branch.name for branch in rows.task.attributes)
        self._trial = Trial("data", names, lam=lam, seed=seed, settings=settings)
        self._encoder = Encoder(settings.encoding).fit(rows.frame)
        shape = shape_of(settings, rows.arrays(self._encoder), self._trial.reversing)
        self._network = Network(shape, [seed])
        self._trainer = Trainer(self._network, [self._trial.lams], [seed], settings)
        self._losses: list[Floats] = []
        self._judged: list[dict[str, Floats]] = []

    def learn(self, rows: Samples) -> Model:
        """Pass over rows once, and return the model as it is then.

        Raises
        ------
        InputError
            If there are fewer than two rows, they lack a feature or hold missing values, or
            training diverged.
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
            self._judged.append(validation_metrics(self._network, readout, X, arrays))
        history = history_of(self._losses, self._judged)
        exact = Network.from_state(self._network.shape, self._network.state(), torch.float64)
        calls = np.array([len(self._losses)])
        fitted = FittedGRAD(exact, None, history, calls)
        return Model(self._encoder, fitted, constant(fitted, [arrays], self._trial.lam))


def check_rows(rows: Samples, positions: NDArray[np.intp]) -> None:
    """Refuse rows from which nothing can be learned or protected.

    Raises
    ------
    InputError
        If there are fewer than two rows, one class, or one group of a protected attribute.
    """
    if len(positions) < 2:
        raise InputError(
            f"expected at least 2 samples that differ and have weight, got {len(positions)} sample"
        )
    if rows.task.target.classes:
        present = np.unique(rows.y[positions])
        if len(present) < 2:
            raise InputError(
                f"expected at least two classes among the {len(positions)} training rows, "
                f"got {len(present)}"
            )
    for branch, column in zip(rows.task.attributes, rows.a.T, strict=True):
        check_groups(branch.name, column[positions], not branch.classes)


def _divided(
    rows: Samples, positions: NDArray[np.intp], share: float, seed: int
) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    y, a = rows.y[positions], rows.a[positions]
    labels = y if rows.task.target.classes else np.zeros(len(y))
    plain = [not branch.classes for branch in rows.task.attributes]
    strata = cells(labels, a, plain)
    # The only row of its label and groups is for training: held out, it could not be learned. The
    # others are held out a little more often instead.
    shared = np.flatnonzero((np.bincount(strata) > 1)[strata])
    if 0 < len(shared) < len(strata):
        share = min(max(share, 0.5), share * len(strata) / len(shared))
    out = shared[hold_out(strata[shared], share, numpy_generator(seed, "validation"))[1]]
    kept = np.setdiff1d(np.arange(len(strata)), out)
    if not len(out) or not len(kept):
        raise InputError(
            f"a share of {share} of {len(y)} rows leaves {len(kept)} to train on and "
            f"{len(out)} to choose the epoch by; expected at least one of each"
        )
    return positions[kept], positions[out]


def constant(fitted: FittedGRAD, seen: list[Arrays], lam: float | tuple[float, ...]) -> bool:
    """Return whether a pack of one gives all rows one label, and warn if so.

    Raises
    ------
    InputError
        If its scores are not numbers.
    """
    if fitted.readout is None and fitted.network.shape.target.reconstructs:
        return False
    said = np.concatenate([fitted.scores(arrays.X)[0] for arrays in seen], axis=1)
    if not np.isfinite(said).all():
        raise InputError(
            "training diverged: the scores are not numbers; a smaller learning_rate or lam may help"
        )
    if not seen[0].task.target.classes:
        return False
    labels = said[0] >= 0.5 if len(said) == 1 else said.argmax(axis=0)
    if len(np.unique(labels)) > 1:
        return False
    warnings.warn(
        f"the model gives all {len(labels)} rows the same label: its Discrimination of 0 means "
        f"nothing; try a smaller lam (now {lam}), more epochs or another random_state",
        ConstantPredictionWarning,
        stacklevel=4,
    )
    return True


def table_rows(table: Table, use_protected: bool) -> Samples:
    """Return a table's rows as they are fitted."""
    carriers = tuple(c for p in table.protected for c in p.carriers)
    return Samples(
        frame=table.inputs(use_protected),
        y=table.y().astype(np.float64),
        a=table.a(),
        w=table.w(),
        task=Task(Binary("target"), tuple(p.branch for p in table.protected)),
        hidden=carriers,
    )


def lam_by_attribute(
    lam: float | Mapping[str, float], names: Sequence[str]
) -> float | tuple[float, ...]:
    """Return λ as a trial holds it: one number, or one for each attribute in order.

    Raises
    ------
    InputError
        If a mapping names other attributes than there are.
    """
    if not isinstance(lam, Mapping):
        return lam
    if set(lam) != set(names):
        raise InputError(f"lam: expected a number for each of {list(names)}, got {dict(lam)}")
    return tuple(lam[name] for name in names)
