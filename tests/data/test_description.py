"""Descriptions of tables, counted by hand."""

import numpy as np
import pandas as pd

from grad_ext import load_dataset, load_table
from grad_ext.data.description import GroupDescription, TableDescription, describe


def test_a_table_by_hand(tmp_path):
    frame = pd.DataFrame(
        {
            "y": [1, 1, 1, 0, 0],
            "race": ["a", "b", "a", "b", "a"],
            "age": [20.0, 30.5, 41.0, 22.0, 70.0],
            "patient": [7, 7, 8, 8, 9],
            "x": [1, 2, 3, 4, 5],
            "job": list("uvwuv"),
        }
    )
    frame.to_csv(tmp_path / "rows.csv", index=False)
    table = load_table(
        tmp_path / "rows.csv", "y", ["race", "age"], continuous=["age"], groups="patient"
    )
    assert describe(table) == TableDescription(
        rows=5,
        test_rows=0,
        units=3,
        # Protected columns are features of a table; the network's inputs leave them out.
        features=4,
        numeric_features=2,
        favorable_share=0.6,
        majority=0.6,
        groups=(
            GroupDescription("race", "b", 2, 0.5),
            GroupDescription("race", "a", 3, 2 / 3, privileged=True),
            GroupDescription("age", "20 to 70", 5, None),
        ),
    )


def test_test_rows_privileged_values_and_unknown_groups(german):
    sex = [group for group in describe(german).groups if group.attribute == "sex"]
    # The codes of men in the file.
    assert [group.group for group in sex] == ["A92", "A91|A93|A94"]
    assert [group.rows for group in sex] == [310, 690]
    adult = load_dataset("adult", ["sex"])
    assert describe(adult).test_rows == 15_060
    assert describe(adult).units is None
    a, y = german.a(), german.y()
    for group, rows in zip(describe(german).groups[:2], (a[:, 0] == 0, a[:, 0] == 1), strict=True):
        assert group.favorable == np.mean(y[rows])
