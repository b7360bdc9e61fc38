"""One model fitted on one set of rows: a pack of one with its encoding.

Both the estimators of scikit-learn and AIF360's in-processing use it.
"""

from __future__ import annotations

import warnings
from collections.abc import Hashable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray

from grad_ext import checks
from grad_ext.data.encoding import Arrays, Encoder
from grad_ext.data.split import cells, check_groups, hold_out
from grad_ext.data.table import Table
from grad_ext.data.values import content_hash
from grad_ext.engine.module_trunk import Factory
from grad_ext.engine.network import Network
from grad_ext.errors import (
    ConstantPredictionWarning,
    InputError,
    NearlyConstantWarning,
    UnusedColumnWarning,
)
from grad_ext.method import GRAD, FittedGRAD
from grad_ext.metrics.constant import nearly_constant
from grad_ext.models.tensors import core_state, restored_core
from grad_ext.outputs import Binary, Task
from grad_ext.seeds import derive, numpy_generator
from grad_ext.training.checkpoint import CheckpointRule, last, rule_named
from grad_ext.training.settings import Settings
from grad_ext.trial import Trial

Floats = NDArray[np.float64]

# Share of the training rows held out to select the epoch, if no validation rows are given.
VALIDATION = 0.2
# Whole weights are repetitions if they do not make more rows than so many times those given.
MOST_REPEATED = 10
# The score from which on the favorable one of two labels is predicted, if no other is chosen.
THRESHOLD = 0.5


@dataclass(frozen=True)
class Samples:
    """A user's rows, with the target and the protected attributes as numbers.

    Attributes
    ----------
    frame : pandas.DataFrame
        Columns that are inputs of the network, read by their values.
    y, a, w : arrays of shape (N,), (N, K), (N,)
        As in `Arrays`.
    task : Task
        What `y` and `a` are.
    hidden : tuple
        Columns of the frame with a protected attribute, which are not reconstructed.
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

    def take(self, positions: NDArray[np.intp]) -> Samples:
        """Return the rows at the given positions."""
        return replace(
            self,
            frame=self.frame.iloc[positions].reset_index(drop=True),
            y=self.y[positions],
            a=self.a[positions],
            w=self.w[positions],
            target_w=None if self.target_w is None else self.target_w[positions],
        )

    def canonical(self) -> tuple[Samples, NDArray[np.intp]]:
        """Return these rows as they are trained on, whatever their order and with weights as repetition.

        The weights of rows that are equal in all columns, label and attributes are summed. If all sums
        are whole numbers, and together at most `MOST_REPEATED` times the number of rows, a row with the
        sum W becomes W rows of weight 1: a weight of two equals a repeated row, and minibatches are
        those of the repeated rows. Otherwise each row occurs as often as it is given, with its share of
        the sum. The order depends only on the content; rows with weight 0 are dropped.

        Returns
        -------
        rows : Samples
            The same rows, with other weights.
        positions : array of int
            The positions of the rows to train on; equal rows have one, several times.
        """
        content = content_hash(self.frame)
        for column in (self.y, *self.a.T):
            content = content * np.uint64(3) + pd.util.hash_array(column)
        weighted = np.flatnonzero(self.w > 0)
        _, first, which, given = np.unique(
            content[weighted], return_index=True, return_inverse=True, return_counts=True
        )
        distinct, total = weighted[first], np.bincount(which, weights=self.w[weighted])
        whole = (total == np.round(total)).all() and total.sum() <= MOST_REPEATED * len(weighted)
        times = total.astype(np.intp) if whole else given
        w = self.w.copy()
        w[distinct] = total / times
        target_w = self.target_w
        if self.target_w is not None:
            target_w = self.target_w.copy()
            target_w[distinct] = np.bincount(which, weights=self.target_w[weighted]) / times
        return replace(self, w=w, target_w=target_w), np.repeat(distinct, times)

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
    """A fitted GRAD network, which predicts for frames with the columns of fitting.

    Attributes
    ----------
    encoder : Encoder
        Fitted on the training rows.
    fitted : FittedGRAD
        A pack of one, or of the members of an ensemble, whose scores are averaged. It predicts in
        float64, so that a row's score does not depend on the other rows of the call.
    constant : bool
        Whether the labels it predicts for the training and validation rows are constant, or as good as
        constant: see `grad_ext.metrics.constant.nearly_constant`.
    threshold : float
        Of two labels, the favorable one is predicted from this score on.
    """

    encoder: Encoder
    fitted: FittedGRAD
    constant: bool
    threshold: float = THRESHOLD

    def __getstate__(self) -> dict[str, Any]:
        """Return the model as text and arrays, which skops can read without trusting torch.

        What a model file cannot hold, a user's module or unusual levels, stays an object.
        """
        if not self.fitted.network.shape.module:
            with suppress(InputError):
                return core_state(self.fitted, self.encoder, self.constant, self.threshold)
        return dict(vars(self))

    def __setstate__(self, state: Mapping[str, Any]) -> None:
        """Restore the model that `__getstate__` described, after the checks of a model file."""
        if "core" in state:
            encoder, fitted, constant, threshold = restored_core(state)
            state = {
                "encoder": encoder,
                "fitted": fitted,
                "constant": constant,
                "threshold": threshold,
            }
        vars(self).update(state)

    def scores(self, frame: pd.DataFrame) -> NDArray[np.float64]:
        """Return the probability of the favorable label or the number, (N,), or of each class, (N, R)."""
        scores = average(self.fitted.scores(self.encoder.transform(frame, warn=True)))
        return np.asarray(scores[0] if len(scores) == 1 else scores.T, dtype=np.float64)

    def representation(self, frame: pd.DataFrame) -> NDArray[np.float64]:
        """Return the trunk's output, shape (N, H); of an ensemble those of its members side by side."""
        trunks = self.fitted.representations(self.encoder.transform(frame, warn=True))
        return np.asarray(np.concatenate(trunks).T, dtype=np.float64)

    def favorable(self, scores: NDArray[np.float64]) -> NDArray[np.bool_]:
        """Return which scores (N,) of two labels predict the favorable one."""
        return np.asarray(scores >= self.threshold)


def average(scores: NDArray[np.floating]) -> NDArray[np.floating]:
    """Return the mean of the members' scores, (R, N) of (P, R, N); those of one as they are."""
    return np.asarray(scores[0] if len(scores) == 1 else scores.mean(axis=0))


def member_seeds(seed: int, members: int) -> list[int]:
    """Return the seed of each member of an ensemble: the first is that of a model alone."""
    return [seed, *(derive(seed, f"member {i}") for i in range(1, members))]


def fit_rows(
    rows: Samples,
    settings: Settings,
    lam: float | tuple[float, ...],
    seed: int,
    validation: Samples | float = VALIDATION,
    rule: CheckpointRule | None = None,
    trunk: Factory | None = None,
    ensemble: int = 1,
    threshold: float = THRESHOLD,
) -> Model:
    """Fit one model.

    Parameters
    ----------
    rows : Samples
        Training rows.
    settings : Settings
        Training settings.
    lam : float or tuple of float
        λ, or one for each attribute.
    seed : int
        Seed of the validation rows, the initial weights, the order of the rows and dropout.
    validation : Samples or float
        Rows to select the epoch by, or the share of the training rows to hold out for that,
        stratified by label and protected groups. If the rule is the last epoch, no rows are held
        out and the history has metrics on the training rows.
    rule : callable, optional
        Rule that selects the epoch, instead of the one in the settings.
    trunk : callable, optional
        Takes the number of features and returns a module to use as the trunk.
    ensemble : int, default 1
        Number of models with other seeds whose scores are averaged.
    threshold : float, default 0.5
        Of two labels, the favorable one is predicted from this score on.

    Returns
    -------
    Model

    Raises
    ------
    InputError
        If the rows have too few labels or groups or cannot be encoded, or training diverged.

    Warns
    -----
    ConstantPredictionWarning
        If the model predicts the same label for all rows; `NearlyConstantWarning`, a subclass, if its
        labels are as good as constant.
    UnusedColumnWarning
        If columns are left out, since they tell nothing about other rows.
    """
    checks.sample_weights(rows.w, "sample_weight")
    rows, positions = rows.canonical()
    check_rows(rows, positions)
    encoder = Encoder(settings.encoding)
    if isinstance(validation, Samples):
        if not len(validation):
            raise InputError("expected validation rows, got none")
        encoder.fit(rows.frame, positions)
        training, held_out = rows.arrays(encoder, positions), validation.arrays(encoder)
    elif rule is None and rule_named(settings.checkpoint) is last:
        encoder.fit(rows.frame, positions)
        training = held_out = rows.arrays(encoder, positions)
    else:
        rest, out = _hold_out_rows(rows, positions, validation, seed)
        check_rows(rows, rest)
        encoder.fit(rows.frame, rest)
        training, held_out = rows.arrays(encoder, rest), rows.arrays(encoder, out)
    warn_of_unused(encoder)
    names = tuple(branch.name for branch in rows.task.attributes)
    trials = [
        Trial("data", names, lam=lam, seed=each, settings=settings)
        for each in member_seeds(seed, ensemble)
    ]
    fitted = exact(GRAD(rule, trunk).fit(trials, training, held_out))
    used = [training] if held_out is training else [training, held_out]
    return Model(encoder, fitted, constant(fitted, used, lam, threshold), threshold)


def warn_of_unused(encoder: Encoder) -> None:
    """Warn of columns that are left out; all of them in one warning."""
    if encoder.unused:
        reasons = "; ".join(f"{column!r} {reason}" for column, reason in encoder.unused.items())
        warnings.warn(f"columns are left out: {reasons}", UnusedColumnWarning, stacklevel=4)


def exact(fitted: FittedGRAD) -> FittedGRAD:
    """Return a pack in float64, with the history in the target's units."""
    network = fitted.network
    wide = Network.from_state(network.shape, network.state(), torch.float64, network.trunk)
    history = fitted.history.in_units(fitted.location, fitted.scale)
    return replace(fitted, network=wide, history=history)


def check_rows(rows: Samples, positions: NDArray[np.intp]) -> None:
    """Check that rows have two labels, and two groups of each protected attribute.

    Raises
    ------
    InputError
        If there are fewer than two rows, one class, or one group of a protected attribute.
    """
    distinct = len(np.unique(positions))
    if distinct < 2:
        raise InputError(
            f"expected at least 2 samples that differ and have weight, got {distinct} sample"
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


def _hold_out_rows(
    rows: Samples, positions: NDArray[np.intp], share: float, seed: int
) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Return the positions of the training and of the validation rows."""
    y, a = rows.y[positions], rows.a[positions]
    labels = y if rows.task.target.classes else np.zeros(len(y))
    plain = [not branch.classes for branch in rows.task.attributes]
    strata = cells(labels, a, plain)
    # The only row of its label and groups is for training. The share of the others is larger instead.
    shared = np.flatnonzero((np.bincount(strata) > 1)[strata])
    if 0 < len(shared) < len(strata):
        share = min(max(share, 0.5), share * len(strata) / len(shared))
    out = shared[hold_out(strata[shared], share, numpy_generator(seed, "validation"))[1]]
    rest = np.setdiff1d(np.arange(len(strata)), out)
    if not len(out) or not len(rest):
        raise InputError(
            f"a share of {share} of {len(y)} rows gives {len(rest)} training rows and {len(out)} "
            "validation rows; expected at least one of each"
        )
    return positions[rest], positions[out]


def constant(
    fitted: FittedGRAD,
    used: list[Arrays],
    lam: float | tuple[float, ...],
    threshold: float = THRESHOLD,
) -> bool:
    """Return whether a pack of one, or an ensemble, predicts a constant, or nearly, and warn if so.

    Raises
    ------
    InputError
        If its scores are not numbers.
    """
    if fitted.readout is None and fitted.network.shape.target.reconstructs:
        return False
    scores = np.concatenate([average(fitted.scores(arrays.X)) for arrays in used], axis=1)
    if not np.isfinite(scores).all():
        raise InputError(
            "training diverged: the scores are not numbers; a smaller learning_rate or lam may help"
        )
    if not used[0].task.target.classes:
        return False
    labels = scores[0] >= threshold if len(scores) == 1 else scores.argmax(axis=0)
    advice = f"try a smaller lam (now {lam}), more epochs or another random_state"
    if len(np.unique(labels)) == 1:
        warnings.warn(
            f"the model gives all {len(labels)} rows the same label: its Discrimination of 0 means "
            f"nothing; {advice}",
            ConstantPredictionWarning,
            stacklevel=4,
        )
        return True
    y, w = (np.concatenate([getattr(arrays, name) for arrays in used]) for name in "yw")
    if not nearly_constant(labels, y, w):
        return False
    balanced = np.mean([np.average(labels[y == c] == c, weights=w[y == c]) for c in np.unique(y)])
    most = np.bincount(labels.astype(np.intp)).argmax()
    warnings.warn(
        f"the model is as good as constant: its balanced accuracy is {balanced:.3f}, and it gives "
        f"{np.average(labels == most, weights=w):.2%} of {len(labels)} rows the same label, which "
        f"{np.average(y == most, weights=w):.2%} have; a low Discrimination means nothing; {advice}",
        NearlyConstantWarning,
        stacklevel=4,
    )
    return True


def table_rows(table: Table, use_protected: bool) -> Samples:
    """Return a table's rows for fitting."""
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
    """Return λ as one number, or as one for each attribute in order.

    Raises
    ------
    InputError
        If the names of a mapping are not those of the attributes.
    """
    if not isinstance(lam, Mapping):
        return lam
    if set(lam) != set(names):
        raise InputError(f"lam: expected a number for each of {list(names)}, got {dict(lam)}")
    return tuple(lam[name] for name in names)
