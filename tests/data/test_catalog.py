"""Data sets by name: their descriptions, and what `load_dataset` refuses."""

import numpy as np
import pytest

from grad_ext import load_dataset
from grad_ext.cli import main
from grad_ext.data import DATA_SETS, embedded
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
    for data_set in DATA_SETS.values():
        assert data_set.name in out
        assert ", ".join(data_set.protected) in out
    assert "45,222" in out
    assert main(["data", "info", "adult"]) == 0
    out = capsys.readouterr().out
    assert "Rows: 45,222, the last 15,060 " in out
    assert "favorable '>50K' (24.8%)" in out
    assert "Asian-Pac-Islander" in out
    assert embedded.SHA256["adult.test"] in out
    assert load_dataset("adult", DATA_SETS["adult"].protected).digest() in out
    assert main(["data", "fetch", "german"]) == 0
    assert "nothing to fetch" in capsys.readouterr().out
    for command in ("info", "fetch"):
        assert main(["data", command, "germna"]) == 2
        assert "did you mean 'german'" in capsys.readouterr().err


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
