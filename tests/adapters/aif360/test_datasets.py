"""Tables to AIF360's data sets and frames and back: nothing lost, by AIF360's own equality."""

import numpy as np
import pandas as pd
import pytest
from aif360.datasets import BinaryLabelDataset, StandardDataset
from aif360_tables import same, tables
from hypothesis import given, settings
from hypothesis import strategies as st

from grad_ext import GRADInProcessing, load_dataset
from grad_ext.adapters.aif360.datasets import (
    from_aif360,
    to_aif360,
)
from grad_ext.data.sensitive import SensitiveAttribute
from grad_ext.data.table import Table, Target
from grad_ext.errors import InputError

FIELDS = ("features", "labels", "scores", "protected_attributes", "instance_weights")
NAMES = ("feature_names", "label_names", "protected_attribute_names", "instance_names")


def equal(first, second):
    """AIF360's own equality, and more strictly: shapes too, each field by itself."""
    assert first == second
    for name in FIELDS:
        np.testing.assert_array_equal(getattr(first, name), getattr(second, name), name)
    for name in NAMES:
        assert getattr(first, name) == getattr(second, name), name
    return True


@st.composite
def data_sets(draw):
    """Whatever AIF360 takes: any label and group values, weights, scores, names, privileged groups."""
    n = draw(st.integers(1, 25))
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    columns = {f"x{i}": rng.normal(size=n).round(2) for i in range(draw(st.integers(0, 3)))}
    names = ["sex", "race", "age=old"][: draw(st.integers(1, 3))]
    known = {
        name: rng.choice(np.arange(-2.0, 6.0), draw(st.integers(1, 4)), False) for name in names
    }
    columns |= {name: rng.choice(known[name], n) for name in names}
    favorable, unfavorable = rng.choice([-3.5, 0.0, 1.0, 2.0], 2, replace=False)
    columns["label"] = rng.choice([favorable, unfavorable], n)
    options = {}
    if draw(st.booleans()):
        cuts = {name: rng.integers(0, len(known[name]) + 1) for name in names}
        options["privileged_protected_attributes"] = [known[v][: cuts[v]] for v in names]
        options["unprivileged_protected_attributes"] = [known[v][cuts[v] :] for v in names]
    if draw(st.booleans()):
        columns["weight"] = rng.uniform(0, 3, n)
        options["instance_weights_name"] = "weight"
    if draw(st.booleans()):
        columns["score"] = rng.uniform(size=n)
        options["scores_names"] = ["score"]
    order = [list(columns)[i] for i in rng.permutation(len(columns))]
    frame = pd.DataFrame(columns)[order]
    frame.index = rng.integers(0, 20 if draw(st.booleans()) else 10**6, n)
    data = BinaryLabelDataset(
        favorable_label=favorable,
        unfavorable_label=unfavorable,
        df=frame,
        label_names=["label"],
        protected_attribute_names=names,
        **options,
    )
    if draw(st.booleans()):
        # As a preprocessing algorithm may leave it: the features no longer show the group.
        data.features[:, data.feature_names.index("sex")] = rng.normal(size=n)
    return data


@settings(max_examples=60, deadline=None)
@given(data=data_sets())
def test_a_data_set_through_a_table_is_the_same_data_set(data):
    before = data.copy(deepcopy=True)
    table = from_aif360(data)
    assert equal(to_aif360(table), data)
    assert equal(data, before)
    np.testing.assert_array_equal(table.y(), data.labels.ravel() == data.favorable_label)
    np.testing.assert_array_equal(table.w(), data.instance_weights)
    for k, attribute in enumerate(table.protected):
        if attribute.values is not None:
            column = data.protected_attributes[:, k]
            high = np.isin(column, data.privileged_protected_attributes[k])
            np.testing.assert_array_equal(table.a()[:, k], high)
    # Also of some of its rows, in another order.
    rows = np.arange(len(table))[::-2]
    assert equal(to_aif360(table.take(rows)), data.subset(rows))


@settings(max_examples=60, deadline=None)
@given(table=tables())
def test_a_table_through_a_data_set_is_the_same_table(table):
    data = to_aif360(table)
    assert same(from_aif360(data, de_dummy_code=True), table)
    # Without its categories, what models see: labels, groups, weights, numbers.
    plain = from_aif360(data)
    np.testing.assert_array_equal(plain.y(), table.y())
    np.testing.assert_array_equal(plain.w(), table.w())
    for mine, own in zip(table.protected, plain.protected, strict=True):
        assert mine.branch == own.branch
        np.testing.assert_array_equal(own.of(plain.frame), mine.of(table.frame))
    # A fold of AIF360's finds its rows again.
    first, _ = data.split([len(table) // 2 + 1])
    rows = np.arange(len(table) // 2 + 1)
    assert same(
        from_aif360(first, de_dummy_code=True),
        table if len(rows) == len(table) else table.take(rows),
    )


@pytest.mark.parametrize(
    ("name", "protected"),
    [("german", ["age", "sex"]), ("adult", ["race_groups", "sex"]), ("adult", ["age_years"])],
)
def test_the_embedded_data_sets_both_ways(name, protected):
    table = load_dataset(name, protected)
    data = table.to_aif360()
    assert data.instance_names == [str(i) for i in range(len(table))]
    back = from_aif360(data, de_dummy_code=True)
    assert same(back, table)
    assert back.digest() == table.digest()
    assert equal(to_aif360(back), data)
    np.testing.assert_array_equal(from_aif360(data).a(), table.a())
    np.testing.assert_array_equal(from_aif360(data).y(), table.y())


def test_labels_weights_and_scores_are_the_data_sets_even_so(german):
    data = german.to_aif360()
    data.labels[:3] = [[2.0], [1.0], [2.0]]
    data.instance_weights = np.linspace(0, 1, 1000)
    data.scores = np.linspace(0, 1, 1000)[:, None]
    back = from_aif360(data, de_dummy_code=True)
    assert back.y()[:3].tolist() == [False, True, False]
    np.testing.assert_array_equal(back.w(), data.instance_weights)
    np.testing.assert_array_equal(back.frame[back.scores], data.scores.ravel())
    pd.testing.assert_frame_equal(back.inputs(), german.inputs())
    # The table itself is as it was.
    assert german.weights is german.scores is None
    assert german.y()[:3].tolist() == load_dataset("german").y()[:3].tolist()


def test_changed_features_or_groups_are_believed_before_the_table(german):
    data = german.to_aif360()
    data.features[:, data.feature_names.index("duration")] += 1
    back = from_aif360(data, de_dummy_code=True)
    np.testing.assert_array_equal(back.frame["duration"], german.frame["duration"] + 1)
    # Categories are text of their own levels again.
    np.testing.assert_array_equal(back.frame["purpose"], german.frame["purpose"])
    np.testing.assert_array_equal(back.a(), german.a())
    data = german.to_aif360()
    data.protected_attributes = 1 - data.protected_attributes
    np.testing.assert_array_equal(from_aif360(data, de_dummy_code=True).a(), 1 - german.a())


def test_a_prediction_comes_back_with_its_scores(german):
    data = german.protecting(["age"]).to_aif360()
    predicted = GRADInProcessing(epochs=2, random_state=0).fit(data).predict(data)
    table = from_aif360(predicted, de_dummy_code=True)
    np.testing.assert_array_equal(table.frame[table.scores], predicted.scores.ravel())
    np.testing.assert_array_equal(table.y(), predicted.labels.ravel() == 1)
    assert equal(to_aif360(table), predicted)


def test_a_foreign_data_sets_categories_and_labels():
    frame = pd.DataFrame(
        {"c=a": [1.0, 0, 0], "x": [5.0, 6, 7], "c=b": [0.0, 1, 1], "d=p": [1.0, 0, 0], "d=q": [0.0, 0, 1]}
    ).assign(sex=[0.0, 1, 1], y=[2.0, 1, 2])  # fmt: skip
    data = BinaryLabelDataset(
        favorable_label=1,
        unfavorable_label=2,
        df=frame,
        label_names=["y"],
        protected_attribute_names=["sex"],
        metadata={"label_maps": [{1.0: "good", 2.0: "bad"}]},
    )
    table = from_aif360(data, de_dummy_code=True)
    # d is no category: its second row has neither level.
    assert table.features == ("c", "x", "d", "sex") or table.features == (
        "c",
        "x",
        "d=p",
        "d=q",
        "sex",
    )
    assert table.frame["c"].tolist() == ["a", "b", "b"]
    assert table.frame["d=q"].tolist() == [0, 0, 1]
    assert table.frame["y"].tolist() == ["bad", "good", "bad"]
    assert table.y().tolist() == [False, True, False]


def test_many_groups_and_numbers_by_hand():
    frame = pd.DataFrame(
        {"race": ["w", "b", "o", "w"], "age": [30, 40, 50, 60], "code": [7, 9, 8, 7], "y": [0, 1, 1, 0]}
    )  # fmt: skip
    table = Table(
        "made",
        frame,
        ("race", "age", "code"),
        Target("y", 1, 0),
        (
            SensitiveAttribute("race", "race", levels=("w", "b", "o")),
            SensitiveAttribute("age", "age", continuous=True),
            SensitiveAttribute("code", "code", levels=(7, 8, 9)),
        ),
    )
    data = table.to_aif360()
    np.testing.assert_array_equal(
        data.protected_attributes, [[0, 30, 7], [1, 40, 9], [2, 50, 8], [0, 60, 7]]
    )
    high = [v.tolist() for v in data.privileged_protected_attributes]
    low = [v.tolist() for v in data.unprivileged_protected_attributes]
    assert high == [[0], [60], [7]]
    assert low == [[1, 2], [30, 40, 50], [8, 9]]


SMALL = pd.DataFrame({"x": [1.0, 2.0], "c": ["a", "b"], "g": [0, 1], "y": [0, 1]})


def small(**changes):
    values = {
        "name": "small",
        "frame": SMALL,
        "features": ("x", "c", "g"),
        "target": Target("y", 1, 0),
        "protected": (SensitiveAttribute("g", "g", values=(1,)),),
    }
    return Table(**{**values, **changes})


BAD = {
    "missing number": (lambda: small(frame=SMALL.assign(x=[1, np.nan])).to_aif360(), "feature 'x'.*got 1"),
    "missing text": (lambda: small(frame=SMALL.assign(c=["a", None])).to_aif360(), "feature 'c'.*got 1"),
    "no group": (lambda: small(frame=SMALL.assign(g=[np.nan, 1])).to_aif360(), "1 of 2 rows belong to no"),
    "name of a feature": (
        lambda: small(protected=(SensitiveAttribute("x", "g", values=(1,)),)).to_aif360(),
        "'x': a feature of that name",
    ),
    "two names": (
        lambda: small(frame=SMALL.assign(**{"c=a": 1}), features=("x", "c", "c=a")).to_aif360(),
        "two columns would be called 'c=a'",
    ),
    "no data set": (lambda: from_aif360(SMALL), "expected a BinaryLabelDataset, got DataFrame"),
    "no attribute": (lambda: from_aif360(small().to_aif360(), ["h"]), "unknown protected attribute 'h'"),
}  # fmt: skip


@pytest.mark.parametrize("case", BAD)
def test_bad_input(case):
    call, message = BAD[case]
    with pytest.raises(InputError, match=message):
        call()


def test_a_standard_data_set_becomes_a_table():
    """CompasDataset, BankDataset, MEPSDataset19 and so on are StandardDatasets."""
    frame = pd.DataFrame(
        {
            "sex": ["Male", "Female", "Female", "Male"],
            "priors": [3, 0, 1, 2],
            "degree": ["F", "M", "M", "F"],
            "recid": [1, 0, 1, 0],
        }
    )
    dataset = StandardDataset(
        frame,
        label_name="recid",
        favorable_classes=[0],
        protected_attribute_names=["sex"],
        privileged_classes=[["Female"]],
        categorical_features=["degree"],
    )
    table = Table.from_aif360(dataset, de_dummy_code=True)
    assert table.y().tolist() == [False, True, False, True]
    assert table.a()[:, 0].tolist() == [0, 1, 1, 0]
    assert table.frame["degree"].tolist() == ["F", "M", "M", "F"]
    assert list(table.inputs()) == ["priors", "degree"]
    assert Table.from_aif360(table.to_aif360(), de_dummy_code=True).digest() == table.digest()
