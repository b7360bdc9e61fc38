"""Predictions of fitted models on the rows of a `Table`."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from grad_ext.data.table import Table
from grad_ext.errors import InputError, unknown


def model_inputs(model: Any, table: Table) -> pd.DataFrame:
    """Return the columns of a table that an estimator was fitted on.

    Parameters
    ----------
    model : estimator
        Fitted on a data frame, whose columns `feature_names_in_` lists.
    table : Table
        The rows.

    Raises
    ------
    InputError
        If the estimator was fitted on an array, or the table lacks a column.
    """
    names = getattr(model, "feature_names_in_", None)
    if names is None:
        raise InputError(
            f"expected a model fitted on named columns of {table.name}, got one fitted on an "
            f"array of {model.n_features_in_}"
        )
    for name in names:
        if name not in table.features:
            raise unknown("feature", name, table.features, table.name)
    return table.frame[list(names)]


def favorable_predictions(model: Any, table: Table) -> NDArray[np.bool_] | None:
    """Return whether a model predicts the favorable label, shape (N,).

    Parameters
    ----------
    model : estimator or GRADInProcessing
        A fitted model, as `grad_ext.load` returns it. The labels of an estimator are those of the
        table, or 1 for the favorable one and 0.
    table : Table
        The N rows.

    Returns
    -------
    bool array of shape (N,) or None
        None if the model does not predict labels.

    Raises
    ------
    InputError
        If the model has other labels, or the table lacks a column that it was fitted on.

    Examples
    --------
    >>> from grad_ext import GRADClassifier, load_dataset
    >>> from grad_ext.models.tables import favorable_predictions
    >>> german = load_dataset("german", ["age"])
    >>> model = GRADClassifier(lam=1, epochs=1, random_state=0)
    >>> model = model.fit(german.inputs(), german.y(), sensitive_features=german.a())
    >>> favorable_predictions(model, german).shape
    (1000,)
    """
    if not hasattr(model, "n_features_in_"):
        predictions = model.predict(table.to_aif360())
        return np.asarray(predictions.labels.ravel() == predictions.favorable_label)
    X, classes = model_inputs(model, table), getattr(model, "classes_", None)
    if classes is None or not hasattr(model, "predict"):
        return None
    labels = {table.target.favorable, table.target.unfavorable}
    if set(classes) <= labels:
        return np.asarray(model.predict(X) == table.target.favorable)
    if set(classes) <= {0, 1}:
        return np.asarray(model.predict(X) == 1)
    raise InputError(f"expected a model of the labels {labels} or 0 and 1, got {list(classes)}")
