"""What a fitted model says of a table's rows."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from grad_ext.cli.audit import _columns
from grad_ext.data.table import Table
from grad_ext.errors import InputError


def favorable(model: Any, table: Table) -> NDArray[np.bool_] | None:
    """Return whether a model predicts the favorable label of each row; None if it predicts none.

    Raises
    ------
    InputError
        If its labels are neither those of the table nor 0 and 1.
    """
    if not hasattr(model, "n_features_in_"):
        rows = table.to_aif360()
        said = model.predict(rows)
        return np.asarray(said.labels.ravel() == said.favorable_label)
    X, classes = _columns(model, table), getattr(model, "classes_", None)
    if classes is None or not hasattr(model, "predict"):
        return None
    known = {table.target.favorable, table.target.unfavorable}
    if set(classes) <= known:
        return np.asarray(model.predict(X) == table.target.favorable)
    if set(classes) <= {0, 1}:
        return np.asarray(model.predict(X) == 1)
    raise InputError(f"expected a model of the labels {known} or 0 and 1, got {list(classes)}")
