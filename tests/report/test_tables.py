"""Records as frames."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from report_data import record

from grad_ext.data.lists import listed
from grad_ext.errors import InputError
from grad_ext.report.statistics.settings import by_settings
from grad_ext.report.tables import PARITY, majority_row, names_text, results
from grad_ext.training.settings import Settings
from grad_ext.trial import Trial

COLUMNS = [
    "dataset",
    "variant",
    "recipe",
    "constraint",
    "protected",
    "lam",
    "seed",
    "epoch",
    "accuracy",
    "balanced_accuracy",
    "discrimination",
    "discrimination_age",
    "delta",
    "consistency",
    "positive_rate",
    "majority_accuracy",
    "constant",
    "chance_level",
    "statistical_parity_difference_age",
    "disparate_impact_age",
    "equal_opportunity_difference_age",
    "average_odds_difference_age",
    "equalized_odds_difference_age",
]


def test_results_have_the_promised_columns(german_problem, german):
    from grad_ext.evaluation import evaluate
    from grad_ext.method import GRAD

    trials = [Trial("german", ("age", "sex"), seed=s, settings=Settings(epochs=3)) for s in (0, 1)]
    records = evaluate(GRAD(), trials, german_problem)
    frame = results(records)
    assert set(COLUMNS) <= set(frame.columns)
    assert frame["protected"].tolist() == ["age,sex"] * 2
    means = frame[["discrimination_age", "discrimination_sex"]].mean(axis=1)
    np.testing.assert_allclose(frame["discrimination"], means)
    np.testing.assert_allclose(frame["delta"], frame["accuracy"] - frame["discrimination"])
    assert (frame["majority_accuracy"] == 0.7).all()


def test_no_record_is_refused():
    with pytest.raises(InputError, match="at least one record"):
        results([])


def test_names_with_commas_are_quoted_in_a_cell():
    assert names_text("age,sex") == "age and sex"
    row = record(1, 0)
    trial = replace(row.trial, protected=("age, in years", "sex"))
    (cell,) = results([replace(row, trial=trial)])["protected"]
    assert listed(cell) == ["age, in years", "sex"]


def test_rows_name_the_constraint():
    plain = record(1, 0)
    odds = replace(
        plain, trial=replace(plain.trial, settings=Settings(constraint="equalized_odds"))
    )
    frame = results([plain, odds])
    assert frame["constraint"].tolist() == ["demographic_parity", "equalized_odds"]


def test_the_majority_class_by_hand():
    metrics = {**record(1, 0).metrics, "disparate_impact_age": 0.9, "discrimination_age": 0.1}
    frame = results([replace(record(1, 0), metrics=metrics)])
    top = majority_row(frame)
    assert (top["accuracy"], top["delta"], top["balanced_accuracy"]) == (0.7, 0.7, 0.5)
    assert (top["discrimination_age"], top["consistency"], top["disparate_impact_age"]) == (0, 1, 1)
    nobody = majority_row(frame.assign(majority_favorable=0.0))
    assert nobody["positive_rate"] == 0.0
    assert np.isnan(nobody["disparate_impact_age"])
    assert pd.Series(majority_row(frame.assign(majority_accuracy=np.nan))).isna().all()


def test_lambda_has_one_type_where_models_mix_numbers_and_tuples():
    def made(lam):
        return replace(record(1, 0), trial=Trial("german", ("age", "sex"), lam))

    assert results([made(1.0), made(100.0)])["lam"].tolist() == [1.0, 100.0]
    mixed = results([made(1.0), made((1.0, 100.0))])
    assert mixed["lam"].tolist() == [(1.0, 1.0), (1.0, 100.0)]
    points = by_settings(mixed, ("lam",))
    assert points["lam"].tolist() == [(1.0, 1.0), (1.0, 100.0)]
    assert points["models"].tolist() == [1, 1]


def test_the_majority_class_has_the_value_of_a_constant_in_every_column():
    columns = {
        "discrimination_age": 0.0,
        "equalized_odds_difference_age": 0.0,
        "statistical_parity_difference_age": 0.0,
        "disparate_impact_age": 1.0,
    }
    frame = pd.DataFrame([{"majority_accuracy": 0.7, "majority_favorable": 1.0} | columns])
    row = majority_row(frame)
    assert {name: row[name] for name in columns} == columns
    assert (row["accuracy"], row["delta"], row["positive_rate"]) == (0.7, 0.7, 1.0)
    assert (row["balanced_accuracy"], row["discrimination"], row["consistency"]) == (0.5, 0.0, 1.0)
    # If nobody is predicted favorable, the ratio of rates is 0 / 0.
    row = majority_row(frame.assign(majority_favorable=0.0))
    assert np.isnan(row["disparate_impact_age"])
    assert row["statistical_parity_difference_age"] == 0.0


def test_the_toolkits_metrics_are_those_with_a_sign():
    assert PARITY == {
        "statistical_parity_difference": 0.0,
        "disparate_impact": 1.0,
        "equal_opportunity_difference": 0.0,
        "average_odds_difference": 0.0,
    }
