"""One model on one table: a pack of one, with the encoding that belongs to it."""

from __future__ import annotations

import warnings
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from grad_ext.data.split import check_trainable, hold_out, strata
from grad_ext.data.table import Table
from grad_ext.encode import Arrays, Encoder
from grad_ext.errors import ConstantPredictionWarning, InputError
from grad_ext.method import GRAD, FittedGRAD
from grad_ext.seeds import numpy_generator
from grad_ext.trial import Settings, Trial

# Share of the training rows held out to choose the epoch by, where no validation rows are given.
VALIDATION = 0.2


@dataclass(frozen=True)
class TableModel:
    """A fitted GRAD network that scores tables like the one it was fitted on.

    Attributes
    ----------
    encoder : Encoder
        Fitted on the training rows.
    fitted : FittedGRAD
        A pack of one.
    constant : bool
        Whether all rows seen in fitting, training and validation, get one label.
    """

    encoder: Encoder
    fitted: FittedGRAD
    constant: bool

    def scores(self, table: Table) -> NDArray[np.float64]:
        """Return the probability of the favorable label, shape (N,)."""
        return np.asarray(self.fitted.scores(self.encoder.features(table))[0], dtype=np.float64)


def fit_table(
    table: Table,
    settings: Settings,
    lam: float,
    seed: int,
    validation: Table | float = VALIDATION,
) -> TableModel:
    """Fit one model.

    Parameters
    ----------
    table : Table
        Training rows with the attributes to protect.
    settings : Settings
        How to train.
    lam : float
        λ.
    seed : int
        Of the validation rows, the initial weights and the order of the rows.
    validation : Table or float
        Rows to choose the epoch by, or the share of the training rows to hold out for that,
        stratified by label and protected groups.

    Raises
    ------
    InputError
        If the rows cannot be learned from, or training diverged.

    Warns
    -----
    ConstantPredictionWarning
        If the model gives every row the same label.
    """
    check_trainable(table)
    if isinstance(validation, Table):
        training, held = table, validation
        if not len(held):
            raise InputError("expected validation rows, got none")
    else:
        generator = numpy_generator(seed, "validation")
        kept, out = hold_out(strata(table), validation, generator)
        if not len(out) or not len(kept):
            raise InputError(
                f"a share of {validation} of {len(table)} rows leaves {len(kept)} to train on and "
                f"{len(out)} to choose the epoch by; expected at least one of each"
            )
        training, held = table.take(kept), table.take(out)
        check_trainable(training)
    encoder = Encoder(settings.use_protected).fit(training)
    arrays, held_arrays = encoder.transform(training), encoder.transform(held)
    trial = Trial(table.name, table.attribute_names, lam=lam, seed=seed, settings=settings)
    fitted = GRAD().fit([trial], arrays, held_arrays)
    return TableModel(encoder, fitted, _constant(fitted, [arrays, held_arrays], lam))


def _constant(fitted: FittedGRAD, seen: list[Arrays], lam: float) -> bool:
    scores = np.concatenate([fitted.scores(arrays.X)[0] for arrays in seen])
    if not np.isfinite(scores).all():
        raise InputError(
            "training diverged: the scores are not numbers; a smaller learning_rate or lam may help"
        )
    labels = scores >= 0.5
    constant = bool(labels.all() or not labels.any())
    if constant:
        warnings.warn(
            f"the model gives all {len(labels)} rows the same label: its Discrimination of 0 means "
            f"nothing; try a smaller lam (now {lam:g}), more epochs or another random_state",
            ConstantPredictionWarning,
            stacklevel=4,
        )
    return constant
