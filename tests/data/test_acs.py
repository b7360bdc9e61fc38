"""ACS: synthetic files with the columns of the census', for the tasks of folktables."""

import zipfile

import numpy as np
import pytest

from grad_ext import load_dataset
from grad_ext.cli import main
from grad_ext.data.acs import TASKS, census_file, parse
from grad_ext.data.catalog import data_set
from grad_ext.errors import InputError

ROW = {
    "SERIALNO": "2018HU01", "ST": "06", "PWGTP": "10", "AGEP": "30", "SEX": "1", "RAC1P": "1",
    "COW": "1", "SCHL": "21", "MAR": "5", "OCCP": "0020", "POBP": "006", "RELP": "0",
    "WKHP": "40", "PINCP": "60000", "DIS": "2", "ESP": "", "CIT": "1", "MIG": "1", "MIL": "4",
    "ANC": "1", "NATIVITY": "1", "DEAR": "2", "DEYE": "2", "DREM": "2", "ESR": "1", "FER": "",
    "GCL": "", "JWMNP": "30", "PUMA": "00101", "JWTR": "01", "POWPUMA": "00100", "POVPIP": "501",
    "PUBCOV": "2",
}  # fmt: skip
# One row a line, by how it differs from ROW.
ROWS = (
    {},
    {"SEX": "2", "RAC1P": "6", "PINCP": "50000", "JWMNP": "20", "MIG": "3"},
    {"SERIALNO": "2018HU02", "AGEP": "10", "WKHP": "", "PINCP": "", "ESR": "", "JWMNP": ""},
    {"SERIALNO": "2018HU02", "AGEP": "64", "PINCP": "30000", "PUBCOV": "1", "JWMNP": ""},
    {"SERIALNO": "2018GQ03", "AGEP": "18", "PINCP": "100", "ESR": "6", "RAC1P": "9"},
)


def csv_of(*rows):
    lines = [[*ROW, "OTHER"], *([*{**ROW, **row}.values(), "1"] for row in rows)]
    return "\n".join(map(",".join, lines)).encode()


# Which of ROWS are kept, and their labels.
EXPECTED = {
    "acs_income": ([0, 1, 3], [True, False, False]),
    "acs_employment": ([0, 1, 2, 3, 4], [True, True, False, True, False]),
    "acs_public_coverage": ([3, 4], [True, False]),
    "acs_mobility": ([0, 1], [True, False]),
    "acs_travel_time": ([0, 1, 3], [True, False, False]),
}


@pytest.mark.parametrize("task", TASKS)
def test_rows_and_labels_by_hand(task):
    table = parse(csv_of(*ROWS), TASKS[task], "CA", "2018")
    kept, labels = EXPECTED[task]
    ages = [30, 30, 10, 64, 18]
    assert table.frame["AGEP"].tolist() == [ages[i] for i in kept]
    assert table.y().tolist() == labels
    known = data_set(f"{task}:CA:2018")
    assert (table.name, table.attribute_names) == (known.name, known.protected)
    assert len(table.features) == known.features
    # The label and what it is made of are no inputs.
    assert {*TASKS[task].used, "label", "PWGTP", "ST"}.isdisjoint(table.features)
    assert table.groups == "SERIALNO"


def test_groups_and_columns_by_hand():
    table = parse(csv_of(*ROWS), TASKS["acs_employment"], "CA", "2018")
    expected = [[1, 1, 0, 30], [0, 0, 5, 30], [1, 1, 0, 10], [1, 1, 0, 64], [1, 0, 8, 18]]
    np.testing.assert_array_equal(table.a(), expected)
    # Two persons of a household, twice.
    assert table.g().tolist() == [0, 0, 1, 1, 2]
    # Codes are categories, and a blank is a level: the question does not apply.
    assert table.frame["SCHL"].tolist() == ["21"] * 5
    assert table.frame["ESP"].tolist() == ["not applicable"] * 5
    hours = parse(csv_of({"WKHP": ""}), TASKS["acs_mobility"], "CA", "2018").frame["WKHP"]
    assert np.isnan(hours).all()


@pytest.mark.parametrize(("year", "member"), [("2018", "psam_p06.csv"), ("2016", "ss16pca.csv")])
def test_files_of_folktables_and_of_the_census_are_found(tmp_path, year, member, capsys):
    folder = tmp_path / year / "1-Year"
    folder.mkdir(parents=True)
    (folder / member).write_bytes(csv_of(*ROWS))
    name = f"acs_income:CA:{year}"
    table = load_dataset(name, ["race"], tmp_path)
    assert (len(table), table.name, table.attribute_names) == (3, name, ("race",))
    assert main(["data", "info", name, "--data-dir", str(tmp_path)]) == 0
    out = capsys.readouterr().out
    assert str(folder / member) in out
    assert all(checksum in out for checksum in table.checksums.values())
    (folder / member).unlink()
    with zipfile.ZipFile(folder / "csv_pca.zip", "w") as archive:
        archive.writestr(member, csv_of(*ROWS))
    assert load_dataset(name, ["race"], tmp_path).digest() == table.digest()


def test_a_downloaded_file_has_a_name_of_its_own():
    names = {census_file(state, year).name for state in ("CA", "NY") for year in ("2017", "2018")}
    assert len(names) == 4


BAD = {
    "acs_income": "form acs_income:STATE:YEAR",
    "acs_income:CA": "form acs_income:STATE:YEAR",
    "acs_income:ca:2018": "unknown state 'ca'",
    "acs_income:CA:2019": "unknown year '2019'",
    "acs_incom:CA:2018": "unknown data set 'acs_incom:CA:2018'",
}


@pytest.mark.parametrize("name", BAD)
def test_bad_names(name):
    with pytest.raises(InputError, match=BAD[name]):
        load_dataset(name)


def test_other_contents_are_refused():
    with pytest.raises(InputError, match=r"expected rows of NY .* got ST 06"):
        parse(csv_of({}), TASKS["acs_income"], "NY", "2018")
    with pytest.raises(InputError, match=r"'RAC1P'.*got '0'"):
        parse(csv_of({"RAC1P": "0"}), TASKS["acs_income"], "CA", "2018")
    with pytest.raises(InputError, match="no row is left"):
        parse(csv_of({"AGEP": "9"}), TASKS["acs_income"], "CA", "2018")
    with pytest.raises(InputError, match="no column 'RELP'"):
        parse(csv_of({}).replace(b"RELP", b"RELSHIPP"), TASKS["acs_income"], "CA", "2018")
