"""Roles of columns: inputs, labels, units, and what a table refuses."""

import numpy as np
import pandas as pd
import pytest
from small_table import small

from grad_ext.data.sensitive import SensitiveAttribute
from grad_ext.data.split import split
from grad_ext.data.table import Table
from grad_ext.errors import InputError


def test_rows_of_one_unit_are_numbered_as_they_come():
    frame = small().frame.assign(who=["q", "p", "q", None])
    table = small(frame=frame, groups="who")
    assert table.g().tolist() == [0, 1, 0, 2]
    assert table.take(np.array([3, 2, 0])).g().tolist() == [0, 1, 1]
    assert small().g().tolist() == [0, 1, 2, 3]


def test_rows_of_no_group_are_dropped_on_demand():
    table = small(frame=small().frame.assign(g=["m", None, "f", "x"]), n_test=2)
    known = table.known()
    assert known.frame["x"].tolist() == [1, 3, 6]
    assert known.n_test == 2
    many = small(
        frame=table.frame, protected=(SensitiveAttribute("g", "g", levels=("m", "f")),), n_test=2
    )
    assert many.known().frame["x"].tolist() == [1, 3]
    assert many.known().n_test == 1
    assert len(small().known()) == 4


def test_the_protected_columns_are_not_inputs(german):
    assert {"age", "personal_status"}.isdisjoint(german.inputs().columns)
    assert {"age", "personal_status"} <= set(german.inputs(use_protected=True).columns)
    only_age = german.protecting(["age"])
    assert "personal_status" in only_age.inputs().columns


FRAME = small().frame
BAD = {
    "no such column": (lambda: small(features=("q",)), "no column 'q'"),
    "no such unit": (lambda: small(groups="who"), "no column 'who'"),
    "no such weights": (lambda: small(weights="w"), "no column 'w'"),
    "label as feature": (lambda: small(features=("x", "y")), "the label, 'y', must not be a feature"),
    "unit as feature": (lambda: small(groups="c"), "the unit of the rows, 'c', must not be"),
    "third label": (lambda: small(frame=FRAME.assign(y=[1, 2, 3, 1])).y(), "expected 1 or 2, got 3"),
}  # fmt: skip


@pytest.mark.parametrize("case", BAD)
def test_bad_input(case):
    call, message = BAD[case]
    with pytest.raises(InputError, match=message):
        call()


@pytest.mark.parametrize(
    ("favorable", "words"),
    [
        ("yes", ("not yes", "yes")),
        ("yes|late", ("no", "paid is yes or late")),
        (None, ("no", "yes")),
    ],
)
def test_labels_in_the_datas_words(favorable, words):
    paid = ["yes", "no", "late", "yes", "no", "late"] if favorable else ["yes", "no"] * 3
    frame = pd.DataFrame({"x": [1, 5, 2, 4, 3, 6], "sex": list("mfmfmf"), "paid": paid})
    table = Table.from_frame(frame, label="paid", favorable=favorable or "yes", protected=["sex"])
    assert table.label_words == words


def test_the_same_rows_are_split_the_same_whatever_their_name():
    rng = np.random.default_rng(0)
    frame = pd.DataFrame({"x": rng.normal(size=90), "sex": ["m", "f"] * 45})
    frame["paid"] = rng.integers(0, 2, 90)
    first, second = (
        split(Table.from_frame(frame, label="paid", protected=["sex"], name=name)).test.frame.index
        for name in ("loans", "credit")
    )
    np.testing.assert_array_equal(first, second)
