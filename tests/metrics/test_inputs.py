"""What metrics take: labels of all kinds, sensitive features in all forms, rows with an index."""

from decimal import Decimal
from functools import partial

import numpy as np
import pandas as pd
import polars as pl
import pytest
import torch

from grad_ext import intervals, paired_test, zemel_metrics
from grad_ext.errors import InputError
from grad_ext.metrics.group import (
    accuracy,
    balanced_accuracy,
    balanced_delta,
    chance_level,
    consistency,
    delta,
    discrimination,
    discrimination_by_attribute,
    equalized_odds_by_attribute,
    positive_rate,
    toolkit_metrics,
)
from grad_ext.metrics.inputs import as_predictions, as_rows

Y, LABELS, SEX = [1, 0, 1, 0, 1, 1], [1, 1, 1, 0, 0, 1], [1, 1, 1, 0, 0, 0]
X = [[0.0], [1.0], [1.8], [5.0], [6.0], [6.1]]
SEXES = {"sensitive_features": SEX}
METRICS = {
    "accuracy": (accuracy, {}),
    "balanced_accuracy": (balanced_accuracy, {}),
    "positive_rate": (positive_rate, {}),
    "discrimination": (discrimination, SEXES),
    "discrimination_by_attribute": (discrimination_by_attribute, SEXES),
    "delta": (delta, SEXES),
    "balanced_delta": (balanced_delta, SEXES),
    "equalized_odds_by_attribute": (equalized_odds_by_attribute, SEXES),
    "toolkit_metrics": (lambda *a, **k: [*toolkit_metrics(*a, **k).values()], SEXES),
    "consistency": (consistency, {"X": X, "k": 1}),
    "intervals": (lambda *a, **k: intervals(*a, **k)["estimate"], SEXES),
    "paired_test": (lambda y, z, **k: paired_test(y, z, z, **k)["first"], SEXES),
    "zemel_metrics": (zemel_metrics["delta"], SEXES),
}
MARK = {1: "yes", 0: "no"}
# Each form: what a label of 0 or 1 is in it, the favorable label if it has to be given.
FORMS = {
    "bool": (lambda v: np.array(v, dtype=bool), {}),
    "boolean": (lambda v: pd.Series(v).astype("boolean"), {}),
    "float32": (lambda v: np.array(v, dtype=np.float32), {}),
    "object": (lambda v: np.array(v, dtype=object), {}),
    "decimal": (lambda v: [Decimal(x) for x in v], {}),
    "tensor": (torch.tensor, {}),
    "polars": (lambda v: pl.Series(v), {}),
    "frame": (lambda v: pd.DataFrame({"y": v}), {}),
    "signs": (lambda v: [2 * x - 1 for x in v], {}),
    "signs and their label": (lambda v: np.array([2 * x - 1 for x in v]), {"pos_label": 1}),
    "one and two": (lambda v: [x + 1 for x in v], {"pos_label": np.int64(2)}),
    "two is first": (lambda v: [2 - x for x in v], {"pos_label": 1}),
    "zero is favorable": (lambda v: [1 - x for x in v], {"pos_label": 0}),
    "text": (lambda v: [MARK[x] for x in v], {"pos_label": "yes"}),
    "numpy text": (lambda v: np.array([MARK[x] for x in v]), {"pos_label": np.str_("yes")}),
    "category": (lambda v: pd.Series([MARK[x] for x in v], dtype="category"), {"pos_label": "yes"}),
    "string": (lambda v: pd.Series([MARK[x] for x in v], dtype="string"), {"pos_label": "yes"}),
}


@pytest.mark.parametrize("metric", METRICS)
def test_every_metric_takes_labels_of_every_form(metric):
    function, given = METRICS[metric]
    expected = np.asarray(function(Y, LABELS, **given))
    for name, (form, favorable) in FORMS.items():
        value = function(form(Y), form(LABELS), **given, **favorable)
        np.testing.assert_array_equal(np.asarray(value), expected, err_msg=name)


def test_values_by_hand():
    assert accuracy(["a", "b", "b"], ["b", "b", "b"], pos_label="b") == pytest.approx(2 / 3)
    # Favorable predictions: both of sex 1, one of two of sex 0.
    yes = ["yes", "yes", "no", "yes"]
    assert discrimination(None, yes, sensitive_features=[1, 1, 0, 0], pos_label="yes") == 0.5
    assert positive_rate([-1, 1], [-1, -1]) == 0.0
    assert positive_rate(["no", "yes"], [0.5, 0.75], pos_label="yes") == 0.625
    assert accuracy([-1, 1], [0.25, 0.5]) == 0.625


@pytest.mark.parametrize("scores", [[0.25, 0.5, 1.0], [[0.25, 0.5, 1.0], [0.0, 0.75, 0.5]]])
def test_scores_are_those_of_the_favorable_label(scores):
    true, predicted = as_predictions(["no", "yes", "no"], scores, "no")
    assert true.tolist() == [1, 0, 1]
    np.testing.assert_array_equal(predicted, scores)


@pytest.mark.parametrize(
    ("y_true", "y_pred", "pos_label", "message"),
    [
        (["no", "yes"], ["no", "yes"], None, r"pos_label: .*\['no', 'yes'\]"),
        (["no", "yes"], ["no", "yes"], "Yes", r"pos_label: .*\['no', 'yes'\], got 'Yes'"),
        (["no", "yes"], ["no", "maybe"], "yes", r"3 values: \['maybe', 'no', 'yes'\]"),
        (["no", "yes"], [0.5, 1.5], "yes", r"y_pred: .*\[0, 1\], got 1.5"),
        (["no", None], ["no", "yes"], "yes", "y_true: .*none in 1 of 2"),
        ([1, np.nan], [1, 0], None, "y_true: .*none in 1 of 2"),
        ([1, 2], [1, 2], None, r"pos_label: .*\[1, 2\]"),
        ([1, 2], [1, 2], "2", r"pos_label: .*\[1, 2\], got '2'"),
        ([1, 2], [0, 1], 2, r"3 values: \[0, 1, 2\]"),
        ([0, 1], [-1, 1], None, r"3 values: \[-1, 0, 1\]"),
        ([0, 1], [0.5, -0.5], None, r"y_pred: .*\[0, 1\], got -0.5"),
        ([0, 1, 2], [0, 1, 1], None, r"3 values: \[0, 1, 2\]"),
        ([1, 1], ["1", "1"], "1", r"2 values: \[1, '1'\]"),
        ([0, 1], [0, 1], [0, 1], "pos_label: expected one label"),
    ],
)
def test_what_could_be_read_wrongly_is_refused(y_true, y_pred, pos_label, message):
    with pytest.raises(InputError, match=message):
        as_predictions(y_true, y_pred, pos_label)


def test_predictions_alone():
    assert as_predictions(None, [-1, 1])[1].tolist() == [0, 1]
    with pytest.raises(InputError, match=r"\[1, 2\]"):
        as_predictions(None, [1, 2], needed=False)
    with pytest.raises(InputError, match=r"\[0, 1, 2\]"):
        discrimination([0, 1, 2], [0, 1, 1], sensitive_features=[0, 1, 1])
    # Predicted numbers, in their own units.
    assert discrimination([3.5, 7.5], [2.5, 7.25], sensitive_features=[0, 1]) == 4.75


FEATURES = {
    "list": ["f", None, "f", "m", "m", "m"],
    "array": np.array(["f", None, "f", "m", "m", "m"], dtype=object),
    "nan in a list": ["f", np.nan, "f", "m", "m", "m"],
    "series": pd.Series(["f", None, "f", "m", "m", "m"]),
    "category": pd.Series(["f", None, "f", "m", "m", "m"], dtype="category"),
    "string": pd.Series(["f", None, "f", "m", "m", "m"], dtype="string"),
    "boolean": pd.Series([True, None, True, False, False, False], dtype="boolean"),
    "frame": pd.DataFrame({"sex": ["f", None, "f", "m", "m", "m"]}),
    "dict of a list": {"sex": ["f", None, "f", "m", "m", "m"]},
    "dict of a series": {"sex": pd.Series(["f", None, "f", "m", "m", "m"])},
    "polars": pl.DataFrame({"sex": ["f", None, "f", "m", "m", "m"]}),
}


@pytest.mark.parametrize("form", FEATURES)
def test_sensitive_features_of_every_form(form):
    groups = FEATURES[form]
    # Favorable predictions: 2 of 2 f, since one row has no group, and 1 of 3 m (0, 0, 1).
    value = discrimination(None, LABELS, sensitive_features=groups)
    assert value == pytest.approx(2 / 3)
    assert delta(Y, LABELS, protected=groups) == pytest.approx(4 / 6 - 2 / 3)
    assert chance_level(0.5, groups).shape == (1,)
    table = intervals(Y, LABELS, sensitive_features=groups, resamples=50)
    assert table.loc["discrimination", "estimate"] == pytest.approx(2 / 3)


def test_continuous_columns_by_name():
    ages = {"sex": SEX, "age": [20.5, 30, 40, 50, 60, 70]}
    by_name = discrimination_by_attribute(None, LABELS, sensitive_features=ages, continuous=["age"])
    by_number = discrimination_by_attribute(None, LABELS, sensitive_features=ages, continuous=[1])
    np.testing.assert_array_equal(by_name, by_number)
    with pytest.raises(InputError, match=r"'aeg'.*'age'"):
        discrimination(None, LABELS, sensitive_features=ages, continuous=["aeg"])
    with pytest.raises(InputError, match="0 to 1, got 2"):
        discrimination(None, LABELS, sensitive_features=ages, continuous=[2])


def test_which_group_is_privileged_is_not_guessed():
    with pytest.raises(InputError, match=r"\['f', 'm'\]"):
        toolkit_metrics([1, 0], [1, 0], sensitive_features=["m", "f"])


@pytest.mark.parametrize("metric", [m for m in METRICS if METRICS[m][1] is SEXES])
def test_rows_are_matched_by_their_index(metric):
    function = METRICS[metric][0]
    index = pd.Index([7, 3, 9, 1, 4, 2])
    y, labels, sex = (pd.Series(v, index=index) for v in (Y, LABELS, SEX))
    weight = pd.Series([1.0, 2, 1, 1, 2, 3], index=index)
    run = partial(function, y)
    expected = np.asarray(run(labels, sensitive_features=SEX, sample_weight=weight.to_numpy()))
    turned = {"sensitive_features": sex.sort_index(), "sample_weight": weight[::-1]}
    np.testing.assert_array_equal(np.asarray(run(labels.sort_index(), **turned)), expected)
    np.testing.assert_array_equal(np.asarray(run(LABELS, **turned)), expected)
    in_dict = {**turned, "sensitive_features": {"sex": sex.sort_index()}}
    np.testing.assert_array_equal(np.asarray(run(LABELS, **in_dict)), expected)
    for wrong in (sex.reset_index(drop=True), {"sex": sex.reset_index(drop=True)}):
        with pytest.raises(InputError, match=r"sensitive_features.*reset_index"):
            run(LABELS, sensitive_features=wrong)
    with pytest.raises(InputError, match=r"sample_weight.*reset_index"):
        run(LABELS, sensitive_features=SEX, sample_weight=weight.reset_index(drop=True))


def test_the_series_of_a_dict_belong_together():
    sex, old = pd.Series(SEX, index=range(6)), pd.Series([1, 0, 0, 0, 0, 0], index=range(5, -1, -1))
    both = discrimination_by_attribute(None, LABELS, sensitive_features={"sex": sex, "old": old})
    # The last row, of index 5, is the old one: 1 against 3 of 5.
    assert both[1] == pytest.approx(1 - 3 / 5)


def test_rows_of_numbers():
    assert as_rows("w", [True, np.float32(0.5)]).tolist() == [1.0, 0.5]
    with pytest.raises(InputError, match=r"w: expected numbers, got \['a', 'b'\]"):
        as_rows("w", ["b", "a"])


def test_numpys_scalars_are_arguments_like_pythons():
    plain = {"level": 0.5, "resamples": 50, "seed": 1}
    numpys = {"level": np.float32(0.5), "resamples": np.int64(50), "seed": np.int8(1)}
    pd.testing.assert_frame_equal(
        intervals(Y, LABELS, sensitive_features=SEX, **numpys),
        intervals(Y, LABELS, sensitive_features=SEX, **plain),
    )
    pd.testing.assert_frame_equal(
        paired_test(Y, LABELS, Y, sensitive_features=SEX, **numpys),
        paired_test(Y, LABELS, Y, sensitive_features=SEX, **plain),
    )
    settings = {"k": np.int64(2), "include_self": np.bool_(True), "ties": np.str_("share")}
    expected = consistency(Y, LABELS, X=X, k=2, include_self=True)
    assert consistency(Y, LABELS, X=X, **settings) == expected
    ages = [20.5, 30, 40, 50, 60, 70]
    assert discrimination(
        None, LABELS, sensitive_features=ages, continuous=[np.int64(0)]
    ) == discrimination(None, LABELS, sensitive_features=ages, continuous=[0])
