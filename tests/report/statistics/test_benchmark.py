"""Choices at bounds, ranks, tests and tallies of a benchmark, by hand."""

import math

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from grad_ext.errors import InputError
from grad_ext.report.statistics.benchmark import choices, means, ranks, tallies


def model(lam, validated, tested, method="a", split=0, dataset="d", error=""):
    """Return a row: accuracy and gap on the validation rows and on the test rows."""
    names = ("validation_accuracy", "validation_discrimination", "accuracy", "discrimination")
    about = {"dataset": dataset, "split_seed": split, "method": method, "title": method.upper()}
    fixed = {"chance_level": 0.01, "majority_accuracy": 0.6, "balanced_accuracy": 0.7}
    measured = dict(zip(names, (*validated, *tested), strict=True))
    return {**about, "lam": lam, "error": error, **fixed, **measured}


GRID = pd.DataFrame(
    [
        model(0.0, (0.90, 0.20), (0.99, 0.00)),
        model(1.0, (0.85, 0.05), (0.80, 0.07)),
        model(2.0, (0.85, 0.04), (0.81, 0.055)),
        model(3.0, (0.70, 0.03), (0.60, 0.02)),
        model(4.0, (0.99, 0.00), (0.99, 0.00), error="failed"),
    ]
)


def test_validation_rows_choose():
    table = choices(GRID, [0.05, 0.01, 0.5]).set_index("bound")
    # Of two equally accurate ones that of the smaller gap; the smallest gap if none is within.
    assert table["lam"].to_dict() == {0.05: 2.0, 0.01: 3.0, 0.5: 0.0}
    assert table["within"].to_dict() == {0.05: True, 0.01: False, 0.5: True}
    # 0.055 is within 0.05 and the chance level, 0.02 within 0.01 and it.
    assert table["kept"].all()
    assert (table["settings"] == 5).all()
    assert table.loc[0.05, "accuracy"] == 0.81


def test_ends_of_grids_and_what_exceeds_the_bound():
    table = choices(GRID[1:4], [0.01, 0.045, 0.5]).set_index("bound")
    assert table["grid_end"].to_dict() == {0.01: "greatest", 0.045: "", 0.5: ""}
    over = choices(pd.DataFrame([model(1.0, (0.8, 0.02), (0.8, 0.0601))]), [0.05])
    assert not over["kept"].any()


def test_a_method_whose_models_all_failed_has_no_choice():
    (row,) = choices(GRID[4:], [0.05]).to_dict("records")
    assert math.isnan(row["lam"])
    assert math.isnan(row["accuracy"])
    assert not row["within"]


ACCURACIES = {"a": (0.9, 0.9, 0.8), "b": (0.8, 0.8, 0.8), "c": (0.7, 0.7, 0.7)}
TABLE = means(
    choices(
        pd.DataFrame(
            [
                model(0.0, (x, 0.01), (x, 0.01), method, dataset=f"d{i}")
                for i in range(3)
                for method, accuracies in ACCURACIES.items()
                for x in [accuracies[i]]
            ]
        ),
        [0.05],
    )
)


def test_ranks_and_the_critical_difference():
    (found,) = ranks(TABLE)
    assert found.ranks == pytest.approx({"a": (1 + 1 + 1.5) / 3, "b": (2 + 2 + 1.5) / 3, "c": 3.0})
    # Demšar's table: q = 2.343 for three methods.
    assert found.critical_difference == pytest.approx(2.343 * math.sqrt(3 * 4 / 18), abs=1e-3)
    expected = stats.friedmanchisquare([1, 1, 1.5], [2, 2, 1.5], [3, 3, 3]).pvalue
    assert found.p_value == pytest.approx(expected)
    assert found.datasets == 3


def test_tallies():
    (b, c) = tallies(TABLE, "a").to_dict("records")
    assert b == {"bound": 0.05, "other": "b", "wins": 2, "ties": 1, "losses": 0}
    assert c == {"bound": 0.05, "other": "c", "wins": 3, "ties": 0, "losses": 0}


def test_means_over_splits_and_ranks_of_those_beyond_the_bound():
    rows = [
        model(0.0, (0.8, 0.01), (0.8, 0.01), "fair", split=0),
        model(0.0, (0.6, 0.01), (0.6, 0.03), "fair", split=1),
        *(model(0.0, (0.9, 0.01), (0.9, 0.20), "far", split=s) for s in (0, 1)),
        *(model(0.0, (0.9, 0.01), (0.9, 0.10), "near", split=s) for s in (0, 1)),
        *(model(0.0, (0.9, 0.01), (0.9, 0.01), "gone", split=s, error="x") for s in (0, 1)),
    ]
    table = means(choices(pd.DataFrame(rows), [0.05])).set_index("method")
    assert table["rank"].to_dict() == {"fair": 1, "near": 2, "far": 3, "gone": 4}
    assert table.loc["fair", "accuracy"] == pytest.approx(0.7)
    assert table.loc["fair", "accuracy_sd"] == pytest.approx(np.std([0.8, 0.6], ddof=1))
    assert table.loc["fair", "splits"] == 2
    assert table.loc["far", "kept"] == 0.0


def test_one_data_set_has_no_test_and_incomplete_ones_are_refused():
    (one,) = ranks(TABLE[TABLE["dataset"] == "d0"])
    assert math.isnan(one.p_value)
    assert math.isnan(one.critical_difference)
    with pytest.raises(InputError, match="every method"):
        ranks(TABLE[1:])
