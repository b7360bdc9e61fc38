"""Data sets by name: their descriptions, and what `load_dataset` refuses."""

import numpy as np
import pytest

from grad_ext import load_dataset
from grad_ext.cli import main
from grad_ext.data import DATA_SETS, embedded
from grad_ext.data.catalog import FAMILIES, data_set, known_data_set
from grad_ext.errors import InputError


def test_the_first_attribute_is_protected_by_default():
    assert load_dataset("german").attribute_names == ("age",)
    assert load_dataset("german", ["sex", "age"]).attribute_names == ("sex", "age")


@pytest.mark.parametrize("name", ["german", "adult"])
def test_the_catalog_describes_the_tables(name):
    described = DATA_SETS[name]
    table = described.load(None)
    assert (len(table), len(table.features)) == (described.rows, described.features)
    assert table.attribute_names == described.protected
    assert described.licence in table.source
    assert set(table.checksums.items()) <= set(embedded.SHA256.items())
    assert described.state() == "comes with the package"
    # All rows have a group of each attribute, whose columns are not inputs.
    assert not np.isnan(table.a()).any()
    for attribute in table.protected:
        assert set(attribute.carriers).isdisjoint(table.protecting([attribute.name]).inputs())


def test_the_command_line_lists_and_describes(capsys):
    assert main(["data", "list"]) == 0
    out = capsys.readouterr().out
    for known in DATA_SETS.values():
        assert known.name in out
        assert all(attribute in out for attribute in known.protected)
    assert all(family.form in out for family in FAMILIES.values())
    assert "45,222" in out
    assert main(["data", "info", "adult"]) == 0
    out = capsys.readouterr().out
    assert "Rows: 45,222, the last 15,060 " in out
    assert "favorable '>50K' (24.8%)" in out
    assert "Asian-Pac-Islander" in out
    assert all(caveat in out for caveat in DATA_SETS["adult"].caveats)
    assert embedded.SHA256["adult.test"] in out
    assert load_dataset("adult", DATA_SETS["adult"].protected).digest() in out
    assert main(["data", "fetch", "german"]) == 0
    assert "nothing to fetch" in capsys.readouterr().out
    for command in ("info", "fetch"):
        assert main(["data", command, "germna"]) == 2
        assert "did you mean 'german'" in capsys.readouterr().err


ARGUMENTS = {"openml": "31:good"}
EVERY = {
    **DATA_SETS,
    **{name: data_set(f"{name}:{ARGUMENTS.get(name, 'CA:2018')}") for name in FAMILIES},
}


@pytest.mark.parametrize("name", EVERY)
def test_every_data_set_says_where_it_is_from_and_what_is_wrong_with_it(name):
    known = EVERY[name]
    assert known.page.startswith("https://")
    assert all((known.title, known.label, known.licence, known.citation))
    assert len(known.caveats) >= 2
    # Of OpenML's, any column can be protected.
    assert name == "openml" or len(known.protected) == len(set(known.protected)) >= 2
    for file in known.files:
        assert file.sha256 is None or len(file.sha256) == 64
    assert known_data_set(known.name).title == known.title


def test_tables_of_the_users_own_are_no_known_data_sets():
    assert known_data_set("loans") is None
    assert known_data_set("acs_income:XX:2018") is None


BAD = {
    "unknown data set": (lambda: load_dataset("germna"), "did you mean 'german'"),
    "a file": (lambda: load_dataset("./people.csv"), "'./people.csv' is none of grad-ext's data sets"),
    "unknown attribute": (lambda: load_dataset("german", ["agee"]), "did you mean 'age'"),
    "attribute twice": (lambda: load_dataset("german", ["age", "age"]), "each name once"),
    "no attribute": (lambda: load_dataset("german", []), "protected: expected at least one name"),
    "a string": (lambda: load_dataset("german", "age"), "list of names, got 'age'"),
}  # fmt: skip


@pytest.mark.parametrize("case", BAD)
def test_bad_input(case):
    call, message = BAD[case]
    with pytest.raises(InputError, match=message):
        call()
