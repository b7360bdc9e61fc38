"""Tables to the frames of AIF360's scikit-learn interface and back."""

import numpy as np
import pandas as pd
import pytest
from aif360.sklearn.datasets import standardize_dataset
from aif360.sklearn.metrics import statistical_parity_difference
from aif360_tables import tables
from hypothesis import given, settings

from grad_ext import load_dataset
from grad_ext.adapters.aif360.frames import from_aif360_sklearn, to_aif360_sklearn
from grad_ext.data.table import Table
from grad_ext.errors import InputError
from grad_ext.metrics.group import discrimination


@settings(max_examples=60, deadline=None)
@given(table=tables())
def test_a_table_through_aif360s_frames_is_the_same_rows(table):
    frames = to_aif360_sklearn(table)
    attributes = {p.name: p for p in table.protected}
    carriers = {name: p.carriers for name, p in attributes.items()}
    numbers = [name for name, p in attributes.items() if p.continuous]
    back = from_aif360_sklearn(*frames, carriers=carriers, continuous=numbers)
    np.testing.assert_array_equal(back.y(), table.y())
    np.testing.assert_array_equal(back.w(), table.w())
    assert back.features == table.features
    pd.testing.assert_frame_equal(
        back.inputs(), table.inputs().reset_index(drop=True), check_dtype=True
    )
    for mine, own in zip(table.protected, back.protected, strict=True):
        np.testing.assert_array_equal(own.of(back.frame), mine.of(table.frame))
    again = to_aif360_sklearn(back)
    for first, second in zip(frames, again, strict=True):
        values = (
            pd.testing.assert_frame_equal if first.ndim == 2 else pd.testing.assert_series_equal
        )
        values(first.reset_index(drop=True), second.reset_index(drop=True))


def test_the_frames_are_those_of_aif360s_own_function():
    adult = load_dataset("adult", ["sex", "race_groups"]).take(np.arange(300))
    weighted = Table(**{**vars(adult), "weights": "fnlwgt"})
    X, y, w = to_aif360_sklearn(weighted)
    frame = adult.frame.astype({"sex": pd.CategoricalDtype(["Female", "Male"], ordered=True)})
    frame["race_groups"] = pd.Categorical(frame["race"], adult.protected[1].levels)
    frame["income"] = pd.Categorical(frame["income"], ["<=50K", ">50K"], ordered=True)
    theirs = standardize_dataset(
        frame,
        prot_attr=["sex", "race_groups"],
        target="income",
        sample_weight="fnlwgt",
        usecols=list(adult.features),
    )
    pd.testing.assert_frame_equal(X, theirs.X.astype({"sex": object}))
    pd.testing.assert_series_equal(y, theirs.y)
    pd.testing.assert_series_equal(w, theirs.sample_weight.astype(float))
    assert (X.index.get_level_values("sex") == adult.frame["sex"].to_numpy()).all()


def test_aif360s_metrics_take_the_frames(german):
    X, y = to_aif360_sklearn(german.protecting(["age"]))
    assert X.shape == (1000, 20)
    assert X.index.name == "age"
    assert y.cat.categories.tolist() == [2, 1]
    theirs = statistical_parity_difference(y, prot_attr="age", priv_group=1, pos_label=1)
    ours = discrimination(None, german.y(), sensitive_features=german.a()[:, 0])
    assert abs(theirs) == pytest.approx(float(ours))


SMALL = pd.DataFrame({"x": [1.0, 2.0], "c": ["a", "b"], "g": [0, 1], "y": [0, 1]})
INDEXED = SMALL.set_index("g")[["x"]]


@pytest.mark.parametrize(
    ("y", "options", "message"),
    [
        (SMALL["y"][:1], {}, "as many labels as rows, got 1"),
        (SMALL["y"] * 0, {}, "labels of two values, got 1"),
        (SMALL["c"], {}, "favorable"),
        (SMALL["c"], {"favorable": "z"}, "unknown label 'z'"),
        (SMALL["y"], {"prot_attr": "h"}, "unknown level"),
    ],
)
def test_bad_frames(y, options, message):
    with pytest.raises(InputError, match=message):
        from_aif360_sklearn(INDEXED, y, **options)


def test_a_table_without_protected_attributes(german):
    with pytest.raises(InputError, match="at least one protected attribute"):
        to_aif360_sklearn(german.protecting([]))


def test_an_attribute_of_too_many_values():
    numbers = pd.Index(np.arange(300), name="age")
    X, y = pd.DataFrame({"x": 0.0}, numbers), pd.Series([0, 1] * 150, numbers, name="y")
    with pytest.raises(InputError, match="'age' has 300 values; add it to `continuous`"):
        from_aif360_sklearn(X, y)
    assert from_aif360_sklearn(X, y, continuous=["age"]).protected[0].continuous
