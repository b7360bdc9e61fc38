"""The plain network (λ = 0) beside an audited one: what its trunk tells of an attribute that nothing hides.

A trunk is trained to predict the label, and what it drops for that can hide an attribute as well as the
attribute branches do. So the leakage of a trunk means nothing without that of the plain network's.
"""

from __future__ import annotations

import warnings
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from grad_ext.data.table import Table
from grad_ext.errors import ConstantPredictionWarning, UnseenValuesWarning, UnusedColumnWarning
from grad_ext.models.fit import fit_rows, table_rows
from grad_ext.models.tables import model_inputs


def protects(model: Any) -> bool:
    """Return whether a model is a GRAD network with attribute branches."""
    network = getattr(getattr(getattr(model, "model_", None), "fitted", None), "network", None)
    return network is not None and bool(network.shape.attributes)


def plain_representation(
    model: Any, training: Table, rows: Table, seed: int = 0
) -> NDArray[np.float64] | None:
    """Return the trunk's output of the plain network with a model's settings, shape (N, H).

    Parameters
    ----------
    model : GRADClassifier, GRADEncoder or GRADInProcessing
        A fitted model, whose settings and features the plain network has.
    training : Table
        The rows to train it on.
    rows : Table
        N rows to represent.
    seed : int, default 0
        Its seed, if the model does not record one.

    Returns
    -------
    array or None
        None if the model is no GRAD network, is a plain one itself, or predicts no labels.
    """
    if not protects(model):
        return None
    target = model.model_.fitted.network.shape.target
    if not target.reconstructs and target.classes != 2:
        return None
    settings = model.settings if hasattr(model, "settings") else model._settings()
    trunk = getattr(model, "trunk", None)
    samples = table_rows(training, settings.use_protected)
    samples = replace(samples, frame=_inputs(model, training))
    with warnings.catch_warnings():
        for category in (ConstantPredictionWarning, UnusedColumnWarning, UnseenValuesWarning):
            warnings.simplefilter("ignore", category)
        plain = fit_rows(
            samples,
            settings,
            0.0,
            getattr(model, "seed_", seed),
            trunk=trunk if callable(trunk) else None,
        )
        return plain.representation(_inputs(model, rows))


def _inputs(model: Any, table: Table) -> pd.DataFrame:
    if hasattr(model, "n_features_in_"):
        return model_inputs(model, table)
    return table.inputs(model.settings.use_protected)
