"""Credit card clients: synthetic files with the columns of UCI's."""

import pytest

from grad_ext import load_dataset
from grad_ext.data import DATA_SETS
from grad_ext.data.credit import COLUMNS, parse
from grad_ext.errors import InputError


def csv_of(*rows):
    """The content of a file: sex, education, marriage, age and label of each row."""
    lines = [["ID", *COLUMNS, "Y"]]
    for i, (sex, education, marriage, age, label) in enumerate(rows, start=1):
        rest = ["-2", "0", *["1"] * 4, *["100"] * 12]
        lines.append([str(i), "20000", sex, education, marriage, age, *rest, label])
    return "\n".join(map(",".join, lines)).encode()


ROWS = (("2", "2", "1", "24", "1"), ("1", "5", "0", "40", "0"), ("2", "0", "2", "30", "0"))


def test_rows_and_roles_by_hand():
    table = parse(csv_of(*ROWS))
    assert table.target.favorable == "no"
    assert table.y().tolist() == [False, True, True]
    assert table.attribute_names == DATA_SETS["credit"].protected
    assert table.a().tolist() == [[0, 1, 24], [1, 0, 40], [0, 0, 30]]
    assert len(table.features) == DATA_SETS["credit"].features == 23
    # Codes that the publisher does not explain stay levels of their own.
    assert table.frame["EDUCATION"].tolist() == ["university", "undocumented 5", "undocumented 0"]
    assert table.frame["MARRIAGE"].tolist() == ["married", "undocumented 0", "single"]
    assert table.frame["PAY_0"].tolist() == [-2, -2, -2]
    assert table.frame["PAY_AMT6"].tolist() == [100, 100, 100]


@pytest.mark.parametrize("row", [("3", "1", "1", "24", "1"), ("1", "1", "1", "24", "")])
def test_other_contents_are_refused(row):
    with pytest.raises(InputError, match=r"'SEX'.*got '3'|'Y'.*got ''"):
        parse(csv_of(row))


def test_another_file_of_that_name_is_refused(tmp_path):
    (tmp_path / "data.csv").write_bytes(csv_of(*ROWS))
    with pytest.raises(InputError, match="expected SHA-256 45bcf4df"):
        load_dataset("credit", data_dir=tmp_path)
