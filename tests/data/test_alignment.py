"""Rows that carry an index: in order, in another order, of other rows."""

import numpy as np
import pandas as pd
import pytest

from grad_ext.data.alignment import aligned, index_of
from grad_ext.errors import InputError

SEX = pd.Series(["f", "m", "x"], index=[5, 9, 2])


def test_the_same_rows_in_another_order_are_put_in_order():
    assert aligned("sex", SEX, pd.Index([2, 5, 9])).tolist() == ["x", "f", "m"]
    frame = pd.DataFrame({"sex": SEX, "n": [1, 2, 3]})
    assert aligned("sex", frame, pd.Index([9, 2, 5]))["n"].tolist() == [2, 3, 1]
    # pandas numbers rows from 0: a shuffled frame still knows which row is which.
    fresh = pd.Series(["f", "m", "x"])
    assert aligned("sex", fresh, pd.Index([2, 0, 1])).tolist() == ["x", "f", "m"]


@pytest.mark.parametrize("values", [SEX, SEX.to_frame(), SEX.to_numpy(), ["f", "m", "x"]])
def test_equal_indexes_and_values_without_one_stay_as_they_are(values):
    assert aligned("sex", values, SEX.index) is values
    assert aligned("sex", values, None) is values


def test_repeated_labels_are_fine_in_the_same_order_alone():
    repeated = pd.Series(["f", "m", "x"], index=[1, 1, 2])
    assert aligned("sex", repeated, pd.Index([1, 1, 2])) is repeated
    with pytest.raises(InputError, match="sex"):
        aligned("sex", repeated, pd.Index([1, 2, 1]))


def test_a_level_of_the_index_may_number_the_rows():
    index = pd.MultiIndex.from_tuples([(5, "f"), (9, "m"), (2, "x")], names=[None, "sex"])
    assert aligned("sex", SEX, index) is SEX
    with pytest.raises(InputError, match="sex"):
        aligned("sex", SEX.reset_index(drop=True), index)


@pytest.mark.parametrize("other", [pd.RangeIndex(3), pd.Index([5, 9, 3]), pd.Index(list("abc"))])
def test_other_rows_are_refused_with_the_remedy(other):
    with pytest.raises(InputError, match=r"sex: .*of y, .*got \[5, 9, 2\].*\.loc\[y.*reset_index"):
        aligned("sex", SEX, other, "y")
    with pytest.raises(InputError, match="sex"):
        aligned("sex", SEX.set_axis(other), SEX.index)


def test_the_index_of_the_first_pandas_object():
    assert index_of(None, np.zeros(3), SEX, pd.Series([1])) is SEX.index
    assert index_of([1, 2], "text") is None
