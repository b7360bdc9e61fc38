"""Zemel's metrics as AIF360's users meet them, against AIF360's own."""

from collections import OrderedDict
from inspect import signature

import numpy as np
import pandas as pd
import pytest
from aif360.datasets import BinaryLabelDataset
from aif360.datasets.multiclass_label_dataset import MulticlassLabelDataset
from aif360.metrics import BinaryLabelDatasetMetric, ClassificationMetric
from hypothesis import given, settings
from hypothesis import strategies as st

from grad_ext import GRADInProcessing, ZemelMetric, consistency, load_dataset
from grad_ext.data.encoding import metric_space
from grad_ext.errors import InputError
from grad_ext.metrics import graph_cache
from grad_ext.metrics.group import chance_level

BOTH = {
    "unprivileged_groups": [{"race": 0}, {"sex": 0}],
    "privileged_groups": [{"race": 1}, {"sex": 1}],
}


def dataset(y, race, sex, w=None, X=None, favorable=1.0, unfavorable=0.0):
    """AIF360's data set of two attributes that are features too."""
    y = np.asarray(y)
    frame = pd.DataFrame(np.zeros((len(y), 0)) if X is None else X).add_prefix("x")
    frame["race"], frame["sex"] = np.asarray(race, float), np.asarray(sex, float)
    frame["y"] = np.where(y, favorable, unfavorable)
    frame["w"] = 1.0 if w is None else w
    return BinaryLabelDataset(
        favorable_label=favorable,
        unfavorable_label=unfavorable,
        df=frame,
        label_names=["y"],
        protected_attribute_names=["race", "sex"],
        instance_weights_name="w",
    )


def with_predictions(data, labels, scores=None):
    """Return the same rows with predictions."""
    predicted = data.copy()
    predicted.labels = np.where(labels, data.favorable_label, data.unfavorable_label)[:, None]
    if scores is not None:
        predicted.scores = np.asarray(scores, float)[:, None]
    return predicted


def drawn(n=200, seed=0, **labels):
    """A data set of distinct rows and predictions that lean on race."""
    rng = np.random.default_rng(seed)
    race, sex = rng.integers(0, 2, n), rng.integers(0, 2, n)
    X, w = rng.normal(size=(n, 3)) * [1, 10, 0.1], rng.uniform(0.1, 2, n)
    data = dataset(rng.integers(0, 2, n), race, sex, w, X, **labels)
    scores = np.clip(rng.random(n) + 0.2 * race, 0, 1)
    return data, with_predictions(data, scores >= 0.5, scores)


@pytest.mark.parametrize("labels", [(1.0, 0.0), (1.0, 2.0)])
def test_four_rows_by_hand(labels):
    favorable, unfavorable = labels
    data = dataset(
        [1, 0, 1, 1], race=[1, 1, 0, 0], sex=[1, 0, 0, 0], w=[1, 3, 2, 2],
        favorable=favorable, unfavorable=unfavorable,
    )  # fmt: skip
    predicted = with_predictions(data, [1, 1, 0, 1], [0.9, 0.6, 0.2, 0.7])
    metric = ZemelMetric(data, predicted, **BOTH)
    # Race: (1·1 + 3·1)/4 - (2·0 + 2·1)/4; sex: 1 - (3·1 + 2·0 + 2·1)/7.
    gaps = {"race": 1 / 2, "sex": 2 / 7}
    assert metric.attributes == ("race", "sex")
    assert metric.discrimination_by_attribute() == pytest.approx(gaps)
    assert metric.discrimination() == pytest.approx((1 / 2 + 2 / 7) / 2)
    # Right: rows 0 and 3, 3 of 8; of the favorable 3 of 5, of the others 0 of 3.
    assert metric.delta() == pytest.approx(3 / 8 - (1 / 2 + 2 / 7) / 2)
    assert metric.delta_by_attribute() == pytest.approx({n: 3 / 8 - g for n, g in gaps.items()})
    assert metric.balanced_accuracy() == pytest.approx((3 / 5 + 0) / 2)
    assert metric.balanced_delta_by_attribute()["race"] == pytest.approx(3 / 10 - 1 / 2)
    assert metric.balanced_delta() == pytest.approx(3 / 10 - (1 / 2 + 2 / 7) / 2)
    assert metric.majority_accuracy() == pytest.approx(5 / 8)
    assert not metric.constant()
    scored = ZemelMetric(data, predicted, **BOTH, prediction="score")
    # Race: (0.9 + 3·0.6)/4 - (2·0.2 + 2·0.7)/4; right: 0.9 + 3·0.4 + 2·0.2 + 2·0.7 of 8.
    assert scored.discrimination_by_attribute()["race"] == pytest.approx(2.7 / 4 - 1.8 / 4)
    assert scored.delta_by_attribute()["race"] == pytest.approx(3.9 / 8 - 0.9 / 4)
    assert scored.of("race").discrimination() == pytest.approx(0.9 / 4)
    # Race: shares at most .2, .6, .7 are 0, 3/4, 3/4 and 1/2, 1/2, 1.
    assert metric.ks_distance_by_attribute() == pytest.approx({"race": 1 / 2, "sex": 1.0})
    areas = {"race": 0.4 / 2 + 0.1 / 4 + 0.2 / 4, "sex": 0.9 - 3.6 / 7}
    assert metric.wasserstein_distance_by_attribute() == pytest.approx(areas)
    assert scored.ks_distance() == pytest.approx(3 / 4)
    assert scored.wasserstein_distance() == pytest.approx(sum(areas.values()) / 2)
    assert scored.accuracy() == metric.accuracy() == 3 / 8


def test_a_constant_prediction_is_shown_for_what_it_is():
    data, _ = drawn()
    metric = ZemelMetric(data, with_predictions(data, np.ones(200)))
    assert metric.constant()
    assert metric.discrimination() == pytest.approx(0.0, abs=1e-12)
    assert metric.zemel_consistency() == 1.0
    assert metric.chance_level() == 0.0
    assert metric.balanced_delta() == pytest.approx(0.5)
    assert metric.delta() <= metric.majority_accuracy()


@settings(max_examples=40, deadline=None)
@given(
    rows=st.lists(st.tuples(*[st.booleans()] * 4, st.floats(0.1, 5)), min_size=1, max_size=25),
    swapped=st.booleans(),
)
def test_it_agrees_with_aif360(rows, swapped):
    # One row of either group of either attribute keeps AIF360 from dividing by zero.
    rows = [*rows, (1, 0, 0, 0, 1.0), (0, 1, 1, 1, 1.0)]
    y, labels, race, sex, w = map(np.array, zip(*rows, strict=True))
    data = dataset(y, race, sex, w)
    groups = list(BOTH.values())[:: -1 if swapped else 1]
    metric = ZemelMetric(data, with_predictions(data, labels), *groups)
    gaps = metric.discrimination_by_attribute()
    for name in ("race", "sex"):
        one = metric.of(name)
        parity = abs(one.statistical_parity_difference())
        assert gaps[name] == pytest.approx(parity, abs=1e-12)
        assert one.discrimination() == pytest.approx(parity, abs=1e-12)
        assert one.delta() == pytest.approx(one.accuracy() - parity, abs=1e-12)
    assert metric.discrimination() == pytest.approx(np.mean(list(gaps.values())))
    assert metric.delta() == pytest.approx(metric.accuracy() - metric.discrimination())
    rates = metric.true_positive_rate() + metric.true_negative_rate()
    assert metric.balanced_accuracy() == pytest.approx(rates / 2)


@pytest.mark.parametrize(("name", "protected"), [("german", ["age", "sex"]), ("adult", ["sex"])])
def test_it_agrees_with_aif360_on_real_data(name, protected):
    data = load_dataset(name, protected=protected).to_aif360()
    predicted = with_predictions(data, np.random.default_rng(0).random(len(data.labels)) < 0.7)
    metric = ZemelMetric(data, predicted)
    assert metric.attributes == tuple(protected)
    for attribute in protected:
        theirs = ClassificationMetric(data, predicted, [{attribute: 0}], [{attribute: 1}])
        gap = metric.discrimination_by_attribute()[attribute]
        assert gap == pytest.approx(abs(theirs.statistical_parity_difference()))
        assert metric.delta_by_attribute()[attribute] == pytest.approx(theirs.accuracy() - gap)
        # Labels that are drawn independently lie near the chance level.
        assert gap < 4 * metric.chance_level_by_attribute()[attribute]


def test_everything_that_it_inherits_is_aif360s():
    data, predicted = drawn()
    theirs = ClassificationMetric(data, predicted, [{"race": 0}], [{"race": 1}])
    ours = ZemelMetric(data, predicted, **BOTH).of("race")
    assert isinstance(ours, ClassificationMetric)
    inherited = [
        name
        for name in dir(ClassificationMetric)
        if not name.startswith("_")
        and all(p.default is not p.empty for p in list(signature(getattr(ClassificationMetric, name)).parameters.values())[1:])
    ]  # fmt: skip
    assert len(inherited) > 60
    for name in inherited:
        np.testing.assert_equal(getattr(ours, name)(), getattr(theirs, name)(), err_msg=name)


def test_several_attributes_have_the_inherited_metrics_of_all_rows_and_say_where_groups_are():
    data, predicted = drawn()
    metric = ZemelMetric(data, predicted, **BOTH)
    assert metric.error_rate() == ClassificationMetric(data, predicted).error_rate()
    with pytest.raises(InputError, match=r"ask metric.of\('race'\)"):
        metric.disparate_impact()
    with pytest.raises(InputError, match=r"ask metric.of\('race'\)"):
        metric.num_instances(privileged=True)
    assert metric.of("sex").disparate_impact() > 0
    assert metric.of("sex").of("sex").attributes == ("sex",)


def test_intersections_are_one_comparison():
    # Two of each combination; the both-privileged are favored wholly, the others by half.
    race, sex = [1, 1, 1, 1, 0, 0, 0, 0], [1, 1, 0, 0, 1, 1, 0, 0]
    data = dataset([1, 0] * 4, race, sex)
    predicted = with_predictions(data, [1, 1, 1, 0, 1, 0, 0, 0])
    metric = ZemelMetric(data, predicted, [{"race": 0, "sex": 0}], [{"race": 1, "sex": 1}])
    assert metric.discrimination_by_attribute() == {"race x sex": 1.0}
    assert metric.statistical_parity_difference() == -1.0
    # As AIF360 has it: everybody who misses one.
    anyone = ZemelMetric(data, predicted, [{"race": 0}, {"sex": 0}], [{"race": 1, "sex": 1}])
    assert anyone.discrimination() == pytest.approx(1 - 2 / 6)
    assert anyone.discrimination() == pytest.approx(abs(anyone.mean_difference()))
    # Rows of neither group count in the accuracy alone.
    assert metric.delta() == pytest.approx(6 / 8 - 1.0)


def test_values_are_joined_by_or_and_those_of_neither_group_left_out():
    race, labels = [0, 1, 2, 3, 3, 2], [0, 1, 1, 0, 1, 0]
    data = dataset([1, 0, 1, 0, 1, 0], race, [1] * 6)
    predicted = with_predictions(data, labels)
    metric = ZemelMetric(data, predicted, [{"race": 0}, {"race": 1}], [{"race": 3}])
    assert metric.attributes == ("race",)
    assert metric.discrimination() == 0.0
    # The data set's own groups: the highest value against all others; of sex there is one group.
    own = ZemelMetric(data, predicted)
    assert own.discrimination_by_attribute()["race"] == pytest.approx(0.0)
    assert np.isnan(own.discrimination_by_attribute()["sex"])
    assert np.isnan(own.discrimination())
    level = chance_level(0.5, [0, 0, 0, 0, 1, 1])[0]
    assert own.chance_level_by_attribute()["race"] == pytest.approx(level)


@pytest.mark.parametrize("k", [1, 3, 5])
@pytest.mark.parametrize("labels", [(1.0, 0.0), (1.0, 2.0)])
def test_counting_oneself_it_is_aif360s_consistency(k, labels):
    data, predicted = drawn(favorable=labels[0], unfavorable=labels[1])
    theirs = BinaryLabelDatasetMetric(predicted).consistency(k)
    assert theirs < 1 or k == 1
    ours = ZemelMetric(data, predicted).zemel_consistency(k, include_self=True, space="features")
    assert ours == pytest.approx(theirs.item(), abs=1e-12)
    # AIF360's own of this class judges the labels that are true.
    true = BinaryLabelDatasetMetric(data).consistency(k)
    assert ZemelMetric(data, predicted).consistency(k) == true


def test_consistency_of_encoded_features():
    data, predicted = drawn()
    labels = predicted.labels.ravel()
    frame = pd.DataFrame(data.features, columns=data.feature_names)
    metric = ZemelMetric(data, predicted)
    without, within = metric_space(frame[["x0", "x1", "x2"]]), metric_space(frame)
    got = {
        "default": metric.zemel_consistency(),
        "protected": metric.zemel_consistency(use_protected=True),
        "k": metric.zemel_consistency(k=2, include_self=True),
        "features": metric.zemel_consistency(space="features"),
        "scores": ZemelMetric(data, predicted, prediction="score").zemel_consistency(),
    }
    assert got == pytest.approx(
        {
            "default": consistency(None, labels, X=without),
            "protected": consistency(None, labels, X=within),
            "k": consistency(None, labels, X=without, k=2, include_self=True),
            "features": consistency(None, labels, X=data.features),
            "scores": consistency(None, predicted.scores.ravel(), X=without),
        }
    )
    assert len(set(got.values())) == len(got)


def test_the_neighbours_of_the_same_rows_are_looked_for_once(monkeypatch):
    found = OrderedDict()
    monkeypatch.setattr(graph_cache, "_remembered", found)
    data, predicted = drawn()
    first = ZemelMetric(data, predicted).zemel_consistency()
    [graph] = found.values()
    second = ZemelMetric(
        data.copy(), with_predictions(data, np.arange(200) % 3 == 0)
    ).zemel_consistency()
    assert first != second
    assert next(iter(found.values())) is graph
    assert len(found) == 1


def test_what_is_returned_is_the_callers_own():
    metric = ZemelMetric(*drawn())
    gaps = metric.discrimination_by_attribute()
    kept = dict(gaps)
    gaps.clear()
    assert metric.discrimination_by_attribute() == kept


def test_it_judges_what_grad_predicts():
    german = load_dataset("german", protected=["age"]).to_aif360()
    grad = GRADInProcessing(protected=["age"], epochs=3, lam=1, random_state=0).fit(german)
    predicted = grad.predict(german)
    metric = ZemelMetric(german, predicted, prediction="score")
    older = german.protected_attributes.ravel() == 1
    gap = abs(predicted.scores[older].mean() - predicted.scores[~older].mean())
    assert metric.discrimination() == pytest.approx(gap)
    assert 0.5 < metric.zemel_consistency() <= 1


def test_labels_of_several_classes_of_which_some_are_favorable():
    frame = pd.DataFrame({"x": np.arange(6.0), "sex": [0, 0, 0, 1, 1, 1.0], "y": [0, 1, 2, 0, 1, 2.0]})  # fmt: skip
    data = MulticlassLabelDataset(
        favorable_label=[1.0, 2.0], unfavorable_label=[0.0], df=frame, label_names=["y"], protected_attribute_names=["sex"]
    )  # fmt: skip
    predicted = data.copy()
    predicted.labels = np.array([[0.0], [0.0], [1.0], [2.0], [1.0], [1.0]])
    metric = ZemelMetric(data, predicted, [{"sex": 0}], [{"sex": 1}])
    assert metric.discrimination() == pytest.approx(1 - 1 / 3)
    assert metric.discrimination() == pytest.approx(abs(metric.mean_difference()))


DATA, PREDICTED = drawn(20)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: ZemelMetric(DATA, PREDICTED, [{"gender": 0}], [{"gender": 1}]), "unknown protected attribute 'gender'"),
        (lambda: ZemelMetric(DATA, PREDICTED, [{"sex": 0}], None), "privileged_groups: expected a list of dicts"),
        (lambda: ZemelMetric(DATA, PREDICTED, {"sex": 0}, [{"sex": 1}]), "unprivileged_groups: expected a list of dicts"),
        (lambda: ZemelMetric(DATA, PREDICTED, [{"sex": 0}], [{}]), "privileged_groups: expected a list of dicts"),
        (lambda: ZemelMetric(DATA, PREDICTED, [{"sex": 0}], [{"race": 1}]), "privileged_groups: expected a group of 'sex' too"),
        (lambda: ZemelMetric(DATA, PREDICTED, [{"sex": 0}], [{"sex": 0}]), "'sex': expected groups that do not overlap"),
        (lambda: ZemelMetric(DATA, PREDICTED, prediction="labels"), "unknown prediction 'labels': did you mean 'label'"),
        (lambda: ZemelMetric(DATA, with_predictions(DATA, np.ones(20)), prediction="score"), "scores of the classifier's own"),
        (lambda: ZemelMetric(DATA, with_predictions(DATA, np.ones(20), np.full(20, 1.5)), prediction="score"), r"scores in \[0, 1\], got 1.5"),
        (lambda: ZemelMetric(DATA, PREDICTED).of("age"), "unknown attribute 'age'"),
        (lambda: ZemelMetric(DATA, PREDICTED).zemel_consistency(space="raw"), "unknown space 'raw'"),
        (lambda: ZemelMetric(DATA, PREDICTED).zemel_consistency(k=20), "expected 1 to 19 neighbours"),
    ],
)  # fmt: skip
def test_bad_input(call, message):
    with pytest.raises(InputError, match=message):
        call()


def test_it_refuses_what_aif360_refuses():
    other = DATA.copy()
    other.features = other.features + 1
    with pytest.raises(ValueError, match="differ only"):
        ZemelMetric(DATA, other)
    with pytest.raises(TypeError, match="BinaryLabelDataset"):
        ZemelMetric(pd.DataFrame(), PREDICTED)
