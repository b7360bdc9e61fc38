"""Predictions of fitted models on the rows of a `Table`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from grad_ext.data.sensitive import group_names
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
        A fitted model, as `grad_ext.load` returns it. The labels of an estimator are those of its
        training data, those of the table, or 1 for the favorable one and 0.
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
    label = favorable_label(model, table)
    if label is None or not hasattr(model, "predict"):
        return None
    return np.asarray(model.predict(model_inputs(model, table)) == label)


def favorable_scores(model: Any, table: Table) -> NDArray[np.float64] | None:
    """Return a model's probabilities of the favorable label, shape (N,).

    Parameters, return value and errors as `favorable_predictions`.
    """
    if not hasattr(model, "n_features_in_"):
        return np.asarray(model.predict(table.to_aif360()).scores.ravel(), dtype=np.float64)
    label = favorable_label(model, table)
    if label is None or not hasattr(model, "predict_proba"):
        return None
    column = list(model.classes_).index(label)
    return np.asarray(model.predict_proba(model_inputs(model, table))[:, column], np.float64)


def favorable_label(model: Any, table: Table) -> Any:
    """Return what an estimator calls the favorable label of a table; None if it has no labels.

    Raises
    ------
    InputError
        If the model has other labels.
    """
    classes = getattr(model, "classes_", None)
    if classes is None:
        return None
    if getattr(model, "training_data_", None) is not None:
        # The table may name the same labels otherwise, such as by a condition.
        return model.training_data_.favorable
    labels = {table.target.favorable, table.target.unfavorable}
    if set(classes) <= labels:
        return table.target.favorable
    if set(classes) <= {0, 1}:
        return 1
    raise InputError(f"expected a model of the labels {labels} or 0 and 1, got {list(classes)}")


def group_frame(table: Table, names: Mapping[str, Sequence[str]] | None = None) -> pd.DataFrame:
    """Return the name of each row's group by protected attribute, or the number of a continuous one.

    Parameters
    ----------
    table : Table
        N rows.
    names : mapping of str to sequence of str, optional
        The groups' names, by attribute. If not given they are in the words of a file or frame of the
        user's; of a data set the two groups of a rule are 'others' and 'privileged'.

    Returns
    -------
    pandas.DataFrame
        With the index of the table's frame; missing where a row belongs to no group.
    """
    frame = pd.DataFrame(index=range(len(table)))
    for attribute, codes in zip(table.protected, table.a().T, strict=True):
        column = pd.Series(codes)
        if not attribute.continuous:
            known: Sequence[Any] | None = (names or {}).get(attribute.name)
            if known is None and table.report is not None:
                known = group_names(attribute, table.frame[attribute.column])
            levels = known or attribute.levels or ("others", "privileged")
            column = column.map({float(i): str(level) for i, level in enumerate(levels)})
        frame[attribute.name] = column
    return frame.set_axis(table.frame.index)


def continuous_names(table: Table) -> list[str]:
    """Return the names of the protected attributes that hold numbers."""
    return [attribute.name for attribute in table.protected if attribute.continuous]


def audit_arguments(model: Any, table: Table) -> dict[str, Any]:
    """Return the arguments of `grad_ext.audit` besides the model, for the rows of a table."""
    X: Any = None
    y: Any = None
    trained = getattr(model, "training_data_", None)
    names = {} if trained is None else trained.names_by_attribute
    if hasattr(model, "n_features_in_"):
        X = model_inputs(model, table)
        classes = getattr(model, "classes_", None)
        if trained is not None:
            y = np.where(table.y(), trained.favorable, trained.unfavorable)
        elif classes is not None:
            labels = table.frame[table.target.column]
            y = labels if set(classes) <= set(labels) else table.y().astype(int)
    return {
        "X": table.to_aif360() if X is None else X,
        "sensitive_features": group_frame(table, names),
        "y": y,
        "continuous": continuous_names(table),
        "groups": table.g(),
    }
