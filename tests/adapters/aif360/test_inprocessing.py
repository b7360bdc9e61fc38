"""GRAD as AIF360's users meet it, with AIF360's real classes."""

import shutil
import warnings

import numpy as np
import pandas as pd
import pytest
from aif360.algorithms import Transformer
from aif360.datasets import (
    AdultDataset,
    BinaryLabelDataset,
    GermanDataset,
    adult_dataset,
    german_dataset,
)
from aif360.metrics import BinaryLabelDatasetMetric, ClassificationMetric

from grad_ext import GRADInProcessing, load_dataset
from grad_ext.adapters.aif360.datasets import from_aif360
from grad_ext.data import embedded
from grad_ext.errors import ConstantPredictionWarning, InputError
from grad_ext.metrics.group import balanced_accuracy


def made(n=300, favorable=1.0, unfavorable=0.0, seed=0, weights=False):
    """A learnable data set with two attributes that the features give away."""
    rng = np.random.default_rng(seed)
    a, b = rng.integers(0, 2, n), rng.integers(0, 2, n)
    x = rng.normal(size=(n, 3)) + np.column_stack([2 * a, b, np.zeros(n)])
    y = 2 * x[:, 2] + 1.5 * a + 0.3 * rng.normal(size=n) > 0.7
    frame = pd.DataFrame(x, columns=["x0", "x1", "x2"])
    frame["a"], frame["b"] = a, b
    frame["y"] = np.where(y, favorable, unfavorable)
    frame["w"] = rng.uniform(0.5, 2.0, n)
    return BinaryLabelDataset(
        favorable_label=favorable,
        unfavorable_label=unfavorable,
        df=frame if weights else frame.drop(columns="w"),
        label_names=["y"],
        protected_attribute_names=["a", "b"],
        instance_weights_name="w" if weights else None,
    )


@pytest.fixture
def raw(monkeypatch, tmp_path):
    """AIF360's data sets look for raw files beside their own module; put ours there."""
    for module, folder, names in (
        (german_dataset, "german", ["german.data"]),
        (adult_dataset, "adult", ["adult.data", "adult.test"]),
    ):
        place = tmp_path / "data" / "raw" / folder
        place.mkdir(parents=True)
        (tmp_path / "datasets").mkdir(exist_ok=True)
        for name in names:
            (place / name).write_text(embedded.raw_text(name))
        monkeypatch.setattr(module, "__file__", str(tmp_path / "datasets" / "module.py"))
    yield
    shutil.rmtree(tmp_path)


def quick(**changes):
    return GRADInProcessing(**{"protected": ["a"], "epochs": 5, "random_state": 0, **changes})


def test_it_is_a_transformer_with_the_metadata_chain():
    data = made()
    grad = quick(protected=["a", "b"])
    assert isinstance(grad, Transformer)
    assert grad.fit(data) is grad
    predicted = grad.predict(data)
    assert predicted.metadata["transformer"] == "GRADInProcessing.predict"
    assert predicted.metadata["params"]["protected"] == ["a", "b"]
    assert predicted.metadata["params"]["lam"] == 100.0
    assert predicted.metadata["previous"] == [data]
    assert predicted is not data
    assert predicted.features is not data.features
    np.testing.assert_array_equal(grad.fit_predict(data).scores, predicted.scores)


@pytest.mark.parametrize(("favorable", "unfavorable"), [(1, 0), (1, 2), (0, 1), (-3.5, 7)])
def test_labels_of_any_values(favorable, unfavorable):
    data = made(2000, favorable, unfavorable)
    before = data.copy(deepcopy=True)
    predicted = quick(lam=1, epochs=10).fit(data).predict(data)
    assert data == before
    assert predicted.scores.shape == predicted.labels.shape == (2000, 1)
    assert set(np.unique(predicted.labels)) == {favorable, unfavorable}
    positive = predicted.labels == favorable
    np.testing.assert_array_equal(positive, predicted.scores >= 0.5)
    truth = data.labels.ravel() == favorable
    assert balanced_accuracy(truth, positive.ravel()) > 0.75
    # The values make no difference to what is learned.
    plain = quick(lam=1, epochs=10).fit(made(2000)).predict(made(2000))
    np.testing.assert_array_equal(predicted.scores, plain.scores)


def test_aif360s_own_metrics_take_the_prediction():
    train, test = made().split([200], shuffle=True, seed=1)
    predicted = quick().fit(train).predict(test)
    metric = ClassificationMetric(
        test, predicted, unprivileged_groups=[{"a": 0}], privileged_groups=[{"a": 1}]
    )
    assert 0 <= metric.accuracy() <= 1


def test_one_seed_gives_one_result_and_none_a_fresh_one():
    data = made()
    first, again = (quick().fit(data).predict(data).scores for _ in range(2))
    np.testing.assert_array_equal(first, again)
    other = quick(random_state=1).fit(data).predict(data).scores
    assert not np.array_equal(first, other)
    fresh = quick(random_state=None).fit(data)
    repeated = quick(random_state=fresh.seed_).fit(data)
    np.testing.assert_array_equal(fresh.predict(data).scores, repeated.predict(data).scores)


def test_protected_columns_never_enter_unless_asked_for():
    data = made()
    grad = quick(protected=["a", "b"]).fit(data)
    changed = data.copy(deepcopy=True)
    for name in ("a", "b"):
        column = changed.feature_names.index(name)
        changed.features[:, column] = 1 - changed.features[:, column]
    changed.protected_attributes = 1 - changed.protected_attributes
    np.testing.assert_array_equal(grad.predict(data).scores, grad.predict(changed).scores)
    aware = quick(protected=["a", "b"], use_protected=True).fit(data)
    assert not np.array_equal(aware.predict(data).scores, aware.predict(changed).scores)
    # Protecting one leaves the other among the features.
    one = quick(protected=["a"]).fit(data)
    assert not np.array_equal(one.predict(data).scores, one.predict(changed).scores)


def test_every_attribute_has_a_branch_and_all_are_protected_by_default():
    assert quick(protected=None).fit(made()).model_.fitted.network.shape.names[1:] == (
        "attribute.a",
        "attribute.b",
    )
    assert quick(lam=0).fit(made()).model_.fitted.network.shape.attributes == ()


def test_the_privileged_values_are_the_data_sets():
    data = made()
    data.privileged_protected_attributes = [np.array([0.0]), np.array([1.0])]
    data.unprivileged_protected_attributes = [np.array([1.0]), np.array([0.0])]
    table = from_aif360(data)
    np.testing.assert_array_equal(table.a()[:, 0], data.protected_attributes[:, 0] == 0)
    np.testing.assert_array_equal(table.a()[:, 1], data.protected_attributes[:, 1] == 1)


def test_instance_weights_count():
    """A weight of zero is as good as absence from the loss: its labels do not matter."""
    data = made(weights=True)
    plain = quick().fit(made()).predict(made())
    assert not np.array_equal(quick().fit(data).predict(data).scores, plain.scores)
    some, other = made(weights=True), made(weights=True)
    some.instance_weights = np.where(np.arange(300) < 200, 1.0, 0.0)
    other.instance_weights = some.instance_weights.copy()
    other.labels[200:] = 1 - other.labels[200:]
    held = made(seed=5)
    first = quick().fit(some, held).predict(data).scores
    second = quick().fit(other, held).predict(data).scores
    np.testing.assert_array_equal(first, second)


def test_reversal_lowers_discrimination_that_the_plain_network_shows():
    """What the algorithm is for: on rows whose label leans on the attribute."""
    train, test = made(n=2000, seed=3), made(n=2000, seed=4)
    gaps, right = {}, {}
    for lam in (0.0, 100.0):
        seeds = range(4)
        predictions = [
            quick(lam=lam, epochs=20, random_state=s).fit(train).predict(test) for s in seeds
        ]
        metrics = [ClassificationMetric(test, p, [{"a": 0}], [{"a": 1}]) for p in predictions]
        gaps[lam] = np.mean([abs(m.statistical_parity_difference()) for m in metrics])
        right[lam] = np.mean([m.accuracy() for m in metrics])
    assert gaps[0.0] > 0.1
    assert gaps[100.0] < 0.5 * gaps[0.0]
    assert right[100.0] > 0.7


def test_a_validation_set_of_ones_own():
    train, held = made().split([200])
    first = quick(checkpoint="paper").fit(train, held)
    assert first.model_.fitted.history.accuracy.shape == (5, 1)
    second = quick(checkpoint="paper").fit(train)
    assert not np.array_equal(first.predict(held).scores, second.predict(held).scores)


def test_german_through_aif360s_own_class(raw):
    data = GermanDataset()
    train, test = data.split([0.8], shuffle=True, seed=0)
    predicted = GRADInProcessing(protected=["age", "sex"], random_state=0).fit(train).predict(test)
    metric = BinaryLabelDatasetMetric(
        predicted, unprivileged_groups=[{"age": 0}], privileged_groups=[{"age": 1}]
    )
    assert abs(metric.mean_difference()) < 0.3
    assert set(np.unique(predicted.labels)) == {1.0, 2.0}
    # Age and sex agree with ours; the other columns have other names.
    ours = load_dataset("german", ["sex", "age"]).to_aif360()
    np.testing.assert_array_equal(data.protected_attributes, ours.protected_attributes)
    np.testing.assert_array_equal(data.labels, ours.labels)


def test_adult_through_aif360s_own_class(raw):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # AIF360 says how many incomplete rows it drops
        data = AdultDataset()
    test, train = data.split([15_060])
    grad = GRADInProcessing(protected=["race", "sex"], epochs=2, batch_size=256, random_state=0)
    predicted = grad.fit(train).predict(test)
    assert ((predicted.labels == test.labels).mean()) > 0.7
    assert not grad.constant_


def test_a_table_goes_to_aif360_and_back(german):
    data = german.to_aif360()
    assert data.favorable_label == 1
    assert data.unfavorable_label == 2
    assert data.protected_attribute_names == ["age", "sex"]
    assert "status=A11" in data.feature_names
    assert "personal_status=A91" not in data.feature_names
    back = from_aif360(data)
    np.testing.assert_array_equal(back.y(), german.y())
    np.testing.assert_array_equal(back.a(), german.a())
    adult = load_dataset("adult", ["sex"]).take(np.arange(100)).to_aif360()
    assert (adult.favorable_label, adult.unfavorable_label) == (1.0, 0.0)


def test_auto_represents_and_classifies_by_logistic_regression():
    from sklearn.linear_model import LogisticRegression

    data = made(600)
    grad = quick(variant="auto", epochs=10).fit(data)
    represented = grad.transform(data)
    assert represented.features.shape == (600, 40)
    assert represented.feature_names[:2] == ["unit_0", "unit_1"]
    np.testing.assert_array_equal(represented.labels, data.labels)
    np.testing.assert_array_equal(represented.protected_attributes, data.protected_attributes)
    assert represented.metadata["transformer"] == "GRADInProcessing.transform"
    predicted = grad.predict(data)
    assert (predicted.labels == data.labels).mean() > 0.75
    # The scores are a logistic regression's on that representation.
    odds = np.log(predicted.scores / (1 - predicted.scores)).ravel()
    Z = np.column_stack([represented.features, np.ones(600)])
    rest = odds - Z @ np.linalg.lstsq(Z, odds, rcond=None)[0]
    assert np.abs(rest).max() < 1e-6
    own = LogisticRegression(max_iter=1000).fit(represented.features, data.labels.ravel())
    theirs = own.predict_proba(represented.features)[:, 1]
    # Ours saw only the four fifths of the rows that were not held out.
    assert np.abs(theirs - predicted.scores.ravel()).mean() < 0.1


def test_attributes_of_many_values_and_numbers():
    data = made(400)
    data.protected_attributes[:, 1] = np.arange(400) % 4
    data.features[:, data.feature_names.index("b")] = data.protected_attributes[:, 1]
    grad = quick(protected=["a", "b"]).fit(data)
    kinds = [(b.kind, b.outputs) for b in grad.model_.fitted.network.shape.attributes]
    assert kinds == [("binary", 1), ("categorical", 4)]
    grad = quick(protected=["a", "b"], continuous=["b"], lam={"a": 1, "b": 50}).fit(data)
    kinds = [(b.kind, b.outputs) for b in grad.model_.fitted.network.shape.attributes]
    assert kinds == [("binary", 1), ("continuous", 1)]


def test_the_rule_for_the_epoch_can_be_chosen():
    data = made()
    assert quick(checkpoint="last").fit(data).model_.fitted.epochs.tolist() == [5]
    first = quick(
        checkpoint=lambda history: [-history.loss * 0 - np.arange(len(history.loss))[:, None]]
    )
    assert first.fit(data).model_.fitted.epochs.tolist() == [1]


def test_a_constant_model_is_flagged():
    rng = np.random.default_rng(0)
    frame = pd.DataFrame({"x": rng.normal(size=200), "a": rng.integers(0, 2, 200), "y": 1.0})
    frame.loc[:9, "y"] = 0.0
    data = BinaryLabelDataset(df=frame, label_names=["y"], protected_attribute_names=["a"])
    with pytest.warns(ConstantPredictionWarning, match="all 200 rows the same label.*smaller lam"):
        grad = quick(epochs=30).fit(data)
    assert grad.constant_


def with_many_values():
    data = made()
    data.protected_attributes[:, 0] = np.arange(300)
    return data


def test_missing_features_are_used():
    data = made()
    data.features[4, 0] = np.nan
    model = quick().fit(data)
    assert "x0 is missing" in model.model_.encoder.names
    assert np.isfinite(model.predict(data).scores).all()


def with_one(column, value):
    data = made()
    if column == "y":
        data.labels[:] = value
    else:
        data.protected_attributes[:, 0] = value
    return data


BAD = {
    "unknown attribute": (lambda: quick(protected=["agge"]).fit(made()), "unknown protected attribute"),
    "nothing to protect": (lambda: quick(protected=[]).fit(made()), "at least one protected"),
    "too many values": (lambda: quick().fit(with_many_values()), "has 300 values"),
    "lambda for others": (lambda: quick(lam={"b": 1}).fit(made()), "a number for each of .'a'."),
    "no such rule": (lambda: quick(checkpoint="best"), "unknown rule for the epoch to keep 'best'"),
    "no representation": (lambda: quick().fit(made()).transform(made()), "needs variant='auto'"),
    "one class": (lambda: quick().fit(with_one("y", 1)), "at least two classes among the"),
    "one group": (lambda: quick().fit(with_one("a", 1)), "at least two groups of protected attribute 'a'"),
    "a frame": (lambda: quick().fit(pd.DataFrame()), "expected a BinaryLabelDataset, got DataFrame"),
    "negative lambda": (lambda: quick(lam=-1), "lambda must be a finite number of at least 0, got -1"),
    "no number": (lambda: quick(lam="much"), "lambda must be a finite number"),
    "no epochs": (lambda: quick(epochs=0), "epochs must be"),
    "a string": (lambda: quick(protected="a"), "list of names, got the string 'a'"),
    "no validation": (lambda: quick(validation=0), "share between 0 and 1"),
    "too few rows": (lambda: quick().fit(made(2)), "leaves|at least (two|2)"),
    "no fit": (lambda: quick().predict(made()), "not fitted yet; call fit first"),
    "random state": (lambda: quick(random_state="x").fit(made()), "random_state must be"),
}  # fmt: skip


@pytest.mark.parametrize("case", BAD)
def test_bad_input(case):
    call, message = BAD[case]
    with pytest.raises(ValueError, match=message):
        call()


def test_other_features_at_prediction_are_refused():
    grad = quick().fit(made())
    data = made()
    data.feature_names = ["x0", "x1", "other", "a", "b"]
    with pytest.raises(InputError, match="feature 'x2' is missing: fitted on 4 features, got 4"):
        grad.predict(data)
