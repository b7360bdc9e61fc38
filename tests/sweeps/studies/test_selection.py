"""Rows of a comparison, and the hyperparameter chosen on validation rows."""

import numpy as np
import pandas as pd
import pytest

from grad_ext.sweeps.studies.selection import chosen, models
from grad_ext.trial import Record, Trial


def row(method, lam, seed=0, figures=(0.8, 0.7, 0.1), default=False, error=""):
    accuracy, balanced, gap = figures
    names = ("accuracy", "balanced_accuracy", "discrimination", "delta", "balanced_delta")
    values = (accuracy, balanced, gap, accuracy - gap, balanced - gap)
    judged = {f"validation_{n}": v for n, v in zip(names, values, strict=True)}
    return {
        "method": method,
        "lam": lam,
        "seed": seed,
        "default": default,
        "error": error,
        **judged,
    }


def picked(rows, rule="balanced_delta"):
    frame = chosen(pd.DataFrame(rows), rule)
    return {m: sorted(set(g.loc[g["chosen"], "lam"])) for m, g in frame.groupby("method")}


NAN = (np.nan, np.nan, np.nan)


@pytest.mark.parametrize(
    ("rule", "lam"),
    [("balanced_delta", 2.0), ("delta", 1.0), ("accuracy@0.05", 3.0), ("accuracy@0.01", 4.0)],
)
def test_the_hyperparameter_is_chosen_by_the_mean_on_validation_rows(rule, lam):
    rows = [
        row("a", 1.0, 0, (0.9, 0.6, 0.1)), row("a", 1.0, 1, (0.9, 0.6, 0.2)),  # Delta 0.75, 0.45
        row("a", 2.0, 0, (0.8, 0.8, 0.0)), row("a", 2.0, 1, (0.8, 0.7, 0.2)),  # 0.70, 0.65
        row("a", 3.0, 0, (0.7, 0.6, 0.0)), row("a", 3.0, 1, (0.7, 0.6, 0.08)),  # gap 0.04
        row("a", 4.0, 0, (0.6, 0.5, 0.02)), row("a", 4.0, 1, (0.6, 0.5, 0.02)),
        row("b", 5.0),
    ]  # fmt: skip
    assert picked(rows, rule) == {"a": [lam], "b": [5.0]}


def test_a_value_of_the_hyperparameter_that_fails_is_chosen_only_where_all_do():
    best, good = (0.9, 0.9, 0.0), (0.8, 0.7, 0.1)
    rows = [
        row("some", 1.0, 0, best), row("some", 1.0, 1, NAN, error="ValueError: x"),
        row("some", 2.0, 0, good), row("some", 2.0, 1, good),
        row("each", 1.0, 0, best), row("each", 1.0, 1, NAN, error="ValueError: x"),
        row("each", 2.0, 0, good), row("each", 2.0, 1, NAN, error="ValueError: x"),
        row("none", 1.0, 0, NAN, error="E: x"), row("none", 2.0, 0, NAN, True, error="E: x"),
        row("even", 1.0, 0, good), row("even", 2.0, 0, good, True), row("even", 3.0, 0, good),
    ]  # fmt: skip
    assert picked(rows) == {"some": [2.0], "each": [1.0], "none": [2.0], "even": [2.0]}


def test_a_row_of_a_failure_has_all_columns():
    trial = Trial("german", ("sex",), baseline="lfr", lam=5.0)
    failed = Record.failed(trial, "TimeLimit: took more than 1 s", 1.0)
    sound = Record(trial, {"accuracy": 0.5}, 1, False, False, 0.1, 0.2, 3.0)
    frame = models([failed, sound])
    assert frame["error"].tolist() == ["TimeLimit: took more than 1 s", ""]
    assert frame["hyperparameter"].tolist() == ["fairness_weight"] * 2
    assert frame["default"].all()
    assert np.isnan(frame["accuracy"][0])
    assert frame["accuracy"][1] == 0.5
