"""COMPAS: synthetic files with the columns of ProPublica's."""

import numpy as np
import pytest

from grad_ext import load_dataset
from grad_ext.data import DATA_SETS
from grad_ext.data.compas import FEATURES, OTHERS, parse
from grad_ext.errors import InputError

ROW = {
    "sex": "Male", "race": "African-American", "age_cat": "25 - 45", "age": "30",
    "juv_fel_count": "0", "juv_misd_count": "0", "juv_other_count": "0", "priors_count": "2",
    "c_charge_degree": "F", "c_charge_desc": "Battery", "days_b_screening_arrest": "-1",
    "is_recid": "1", "score_text": "Low", "decile_score": "3", "two_year_recid": "1",
}  # fmt: skip
ROWS = (
    {},
    {"race": "Caucasian", "sex": "Female", "two_year_recid": "0", "age": "24", "age_cat": "Less than 25"},
    # Left out by ProPublica: see `parse`.
    {"days_b_screening_arrest": "31"},
    {"days_b_screening_arrest": "-31"},
    {"days_b_screening_arrest": ""},
    {"is_recid": "-1"},
    {"c_charge_degree": "O"},
    {"score_text": "N/A"},
    {"race": "Hispanic", "days_b_screening_arrest": "30", "c_charge_desc": "", "is_recid": "0"},
    {"race": "Other", "days_b_screening_arrest": "-30", "c_charge_degree": "M"},
)  # fmt: skip


def csv_of(*rows):
    """The content of a file: each row says how it differs from ROW."""
    cells = [{**ROW, **row} for row in rows]
    # ProPublica's file has some columns twice; the second ones are not read.
    lines = [[*ROW, "decile_score"], *([*row.values(), "9"] for row in cells)]
    return "\n".join(map(",".join, lines)).encode()


def test_rows_and_roles_by_hand():
    table = parse(csv_of(*ROWS))
    assert set(ROW) == {*FEATURES, *OTHERS}
    assert table.y().tolist() == [False, True, False, False]
    assert table.target.favorable == "no"
    assert table.attribute_names == DATA_SETS["compas"].protected
    nan = np.nan
    expected = [
        [0, 0, 0, 0, 1, 30],
        [1, 1, 1, 1, 0, 24],
        [0, 0, nan, 2, 1, 30],
        [0, 0, nan, 5, 1, 30],
    ]
    np.testing.assert_array_equal(table.a(), expected)
    assert len(table.features) == DATA_SETS["compas"].features
    assert table.frame["c_charge_desc"].tolist() == ["Battery", "Battery", "unknown", "Battery"]
    assert table.frame["decile_score"].tolist() == [3, 3, 3, 3]
    assert "decile_score" not in table.features
    # Age is in two columns.
    assert {"age", "age_cat"}.isdisjoint(table.protecting(["age_years"]).inputs())
    assert len(table.protecting(["race_black_white"]).known()) == 2


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ({"race": "Klingon"}, "'race'.*got 'Klingon'"),
        ({"two_year_recid": "2"}, "'two_year_recid'.*got '2'"),
        ({"age": "old"}, "'age'.*got 'old'"),
        ({"score_text": "N/A"}, "no row is left"),
    ],
)
def test_other_contents_are_refused(row, message):
    with pytest.raises(InputError, match=message):
        parse(csv_of(row))


def test_another_file_of_that_name_is_refused(tmp_path):
    (tmp_path / "compas-scores-two-years.csv").write_bytes(csv_of(*ROWS))
    with pytest.raises(InputError, match="expected SHA-256 c451db85"):
        load_dataset("compas", data_dir=tmp_path)
