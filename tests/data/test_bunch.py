"""Bunches of scikit-learn and Fairlearn, with frames or arrays, as tables."""

import numpy as np
import pandas as pd
import pytest
from sklearn.datasets import load_breast_cancer
from sklearn.utils import Bunch

from grad_ext.data import Table
from grad_ext.errors import InputError

X = pd.DataFrame(
    {"x": [5.5, 7.0, 9.0, 4.0], "sex": pd.Categorical(["f", "m", "m", "f"]), "age": [20, 30, 40, 50]}
)  # fmt: skip
Y = pd.Series(["no", "yes", "yes", "no"], name="paid", dtype="category")


def same(table):
    assert table.y().tolist() == [False, True, True, False]
    assert [rule.column for rule in table.protected] == ["sex", "age"]
    assert table.a().tolist() == [[0, 0], [1, 0], [1, 1], [0, 1]]
    assert table.features[0] == "x"
    return True


@pytest.mark.parametrize(
    "bunch",
    [
        # As Fairlearn's fetch_adult(as_frame=True) and fetch_openml give it.
        Bunch(data=X, target=Y, frame=pd.concat([X, Y], axis=1), feature_names=list(X)),
        Bunch(data=X, target=Y.to_frame()),
        (X, Y),
        (X, Y.tolist()),
    ],
    ids=["frames", "a frame of one target", "a pair", "a list"],
)
def test_data_and_target_become_a_table(bunch):
    assert same(Table.from_bunch(bunch, ["sex=m", "age>=40"], favorable="yes", name="loans"))
    # The user's own frame stays as it is.
    assert list(X) == ["x", "sex", "age"]


def test_options_are_those_of_a_frame():
    table = Table.from_bunch((X, Y), ["sex"], favorable="yes", drop=["age"])
    assert table.features == ("x", "sex")


def test_arrays_take_the_feature_names():
    values = X.assign(sex=[0, 1, 1, 0]).to_numpy(dtype=float)
    names = ["x", "sex", "age"]
    target = np.array([0, 1, 1, 0])
    bunch = Bunch(data=values, target=target, feature_names=names, target_names=["paid"])
    table = Table.from_bunch(bunch, ["sex=1", "age>=40"])
    assert same(table)
    assert table.target.column == "paid"
    unnamed = Table.from_bunch((values, target), ["x1"])
    assert unnamed.features == ("x0", "x1", "x2")
    assert unnamed.target.column == "target"


def test_a_bunch_of_scikit_learn():
    table = Table.from_bunch(load_breast_cancer(), ["mean radius>=15"])
    assert (len(table), len(table.features)) == (569, 30)
    assert table.target.column == "target"
    assert table.y().sum() == 357


def test_a_number_is_cut_into_a_label():
    """Fairlearn's fetch_acs_income has the income as its target."""
    income = pd.Series([40_000, 60_000, 70_000, 50_000], name="PINCP")
    assert same(Table.from_bunch((X, income), ["sex=m", "age>=40"], favorable=">50000"))


BAD = {
    "neither": ("adult", "expected a Bunch with data and target.*got str"),
    "no target": (Bunch(data=X), "expected a Bunch with data and target"),
    "lengths": ((X, Y[:3].tolist()), "same rows, got 4 and 3"),
    "index": ((X, Y[::-1]), "same index"),
    "two targets": ((X, pd.DataFrame({"a": [0, 1, 1, 0], "b": 1})), "one target, got 'a', 'b'"),
    "target of two axes": ((X, np.zeros((4, 2))), r"one target, got an array of shape \(4, 2\)"),
    "a vector": ((np.zeros(4), [0, 1, 1, 0]), "an array of two axes"),
    "a feature's name": ((X, Y.rename("x")), "'x', is that of a feature too"),
}


@pytest.mark.parametrize("case", BAD)
def test_bad_input(case):
    bunch, message = BAD[case]
    with pytest.raises(InputError, match=message):
        Table.from_bunch(bunch, ["sex"], favorable="yes")
