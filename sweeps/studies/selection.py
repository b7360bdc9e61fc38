"""The rows of a comparison's results.csv, and the choice of each method's hyperparameter."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd

from grad_ext.errors import InputError
from grad_ext.evaluation import VALIDATED
from grad_ext.report.statistics.comparison import ABOUT
from grad_ext.report.tables import results
from grad_ext.sweeps.studies.methods import columns
from grad_ext.training.checkpoint import History, best_epoch, rule_named
from grad_ext.trial import Record

LAST = (
    *("constant", "diverged", "seconds", "predict_seconds", "peak_bytes", "error"),
    *("needs_attributes", "seeded", "default"),
)
SELECT = "balanced_delta"


def models(records: Sequence[Record]) -> pd.DataFrame:
    """Return the rows of a comparison's results.csv, one per model, without the column ``chosen``."""
    frame = results(records)
    facts = pd.DataFrame([columns(record.trial) for record in records])
    measured = pd.DataFrame(
        {
            name: [getattr(record, name) for record in records]
            for name in ("predict_seconds", "peak_bytes", "error")
        }
    )
    frame = frame.drop(columns="method").join(facts).join(measured)
    lead, tail = ([name for name in names if name in frame] for names in (ABOUT, LAST))
    metrics = [name for name in frame if name not in (*lead, *tail)]
    return frame[[*lead, *metrics, *tail]]


def checked_rule(name: str) -> Any:
    """Return the rule that chooses a hyperparameter, by name."""
    if name in ("last", "paper"):
        raise InputError(
            f"select: {name!r} is a rule for epochs; a hyperparameter is chosen by balanced_delta, delta, or "
            "accuracy@0.05 (the highest accuracy at a Discrimination of at most 0.05)"
        )
    return rule_named(name)


def chosen(frame: pd.DataFrame, rule: str = SELECT) -> pd.DataFrame:
    """Choose the value of each method's hyperparameter by mean metrics on the validation rows.

    Parameters
    ----------
    frame : pandas.DataFrame
        A row per model, as `models` returns them.
    rule : {'balanced_delta', 'delta', 'accuracy@0.05'}
        The highest balanced accuracy minus Discrimination; the highest accuracy minus
        Discrimination; or the highest accuracy at a Discrimination of at most 0.05, or else the
        lowest Discrimination. Test rows are not used.

    Returns
    -------
    pandas.DataFrame
        The frame with a column ``chosen``: whether the row has the chosen value of its method. A
        value with a failed model is chosen only if every value has one. The default is chosen among
        equal values, and if no model has metrics.

    Raises
    ------
    InputError
        If the rule is unknown.
    """
    score = checked_rule(rule)
    picked = pd.Series(False, index=frame.index)
    for _, rows in frame.groupby("method", sort=False):
        picked[rows.index] = rows["lam"] == _best(rows, score)
    return frame.assign(chosen=picked)


def _best(rows: pd.DataFrame, score: Any) -> float:
    """Return the chosen value of one method's hyperparameter."""
    default = rows.loc[rows["default"], "lam"]
    fallback = float(default.iloc[0] if len(default) else rows["lam"].iloc[0])
    metrics = rows.reindex(columns=list(VALIDATED)).astype(float)
    sound = (rows["error"] == "") & metrics.notna().all(axis=1)
    whole = sound.groupby(rows["lam"]).transform("all")
    usable = whole if whole.any() else sound
    if not usable.any():
        return fallback
    means = metrics[usable].groupby(rows["lam"][usable]).mean()
    # `best_epoch` keeps the last of equal ones.
    order = [lam for lam in means.index if lam != fallback]
    means = means.loc[[*order, *([fallback] if fallback in means.index else [])]]
    acc, balanced, gap = (
        means[f"validation_{name}"].to_numpy()[:, None]
        for name in ("accuracy", "balanced_accuracy", "discrimination")
    )
    nothing = np.full_like(acc, np.nan)
    history = History(nothing, nothing[:, None], acc, balanced, nothing, gap, gap[:, None])
    return float(means.index[best_epoch(history, score)[0]])
