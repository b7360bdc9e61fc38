"""Evaluation of scores: the configurations, and attributes that are evaluated without being protected."""

import re

import numpy as np
import pytest

from grad_ext.data.encoding import metric_space
from grad_ext.data.split import split
from grad_ext.errors import InputError
from grad_ext.evaluation import VALIDATED, EvaluationConfig, evaluate, evaluate_predictions, prepare
from grad_ext.method import GRAD
from grad_ext.metrics.group import accuracy, balanced_accuracy, consistency, discrimination
from grad_ext.training.settings import Settings
from grad_ext.trial import Record, Trial

SETTINGS = Settings(epochs=2)


@pytest.fixture(scope="module")
def parts(german):
    return split(german)


@pytest.fixture(scope="module")
def scores():
    return np.random.default_rng(0).random((3, 200))


def test_a_label_or_a_score(parts, scores):
    encoded = prepare(parts, SETTINGS)
    y, a = encoded.test.y, encoded.test.a
    by_label = evaluate_predictions(scores, encoded.test, encoded.graph)
    by_score = evaluate_predictions(
        scores, encoded.test, encoded.graph, EvaluationConfig(prediction="score")
    )
    for metrics, predicted in ((by_label, scores >= 0.5), (by_score, scores)):
        np.testing.assert_allclose(metrics["accuracy"], accuracy(y, predicted))
        gap = discrimination(y, predicted, sensitive_features=a)
        np.testing.assert_allclose(metrics["discrimination"], gap)
        np.testing.assert_allclose(metrics["delta"], accuracy(y, predicted) - gap)
        expected = consistency(y, predicted, X=metric_space(parts.test, like=parts.train))
        np.testing.assert_allclose(metrics["consistency"], expected)
    for name in ("balanced_accuracy", "positive_rate", "statistical_parity_difference_age"):
        np.testing.assert_array_equal(by_label[name], by_score[name])


@pytest.mark.parametrize(
    ("evaluation", "arguments", "protected"),
    [
        (EvaluationConfig(k=10), {"k": 10}, False),
        (EvaluationConfig(include_self=True), {"include_self": True}, False),
        (EvaluationConfig(ties="first"), {"ties": "first"}, False),
        (EvaluationConfig(use_protected=True), {}, True),
    ],
)
def test_the_configurations_are_the_arguments_of_consistency(
    parts, scores, evaluation, arguments, protected
):
    encoded = prepare(parts, SETTINGS, evaluation)
    space = metric_space(parts.test, protected, like=parts.train)
    expected = consistency(None, scores >= 0.5, X=space, **arguments)
    metrics = evaluate_predictions(scores, encoded.test, encoded.graph, encoded.evaluation)
    np.testing.assert_allclose(metrics["consistency"], expected)
    if evaluation.ties == "first":  # no two of these rows are tied: see test_neighbors.py
        return
    plain = prepare(parts, SETTINGS)
    other = evaluate_predictions(scores, plain.test, plain.graph, plain.evaluation)["consistency"]
    assert (np.abs(metrics["consistency"] - other) > 1e-9).any()


def test_several_configurations_are_evaluated_at_once(parts):
    others = {"score": EvaluationConfig(prediction="score"), "k=10": EvaluationConfig(k=10)}
    encoded = prepare(parts, SETTINGS, others=others)
    trial = Trial("german", ("age", "sex"), settings=SETTINGS)
    (record,) = evaluate(GRAD(), [trial], encoded)
    assert record.metrics["accuracy@k=10"] == record.metrics["accuracy"]
    assert record.metrics["consistency@k=10"] != record.metrics["consistency"]
    assert record.metrics["discrimination@score"] != record.metrics["discrimination"]


def test_validation_metrics_are_optional(parts):
    encoded = prepare(parts, SETTINGS)
    trial = Trial("german", ("sex",), settings=SETTINGS, also_evaluated=("age",))
    (plain,) = evaluate(GRAD(), [trial], encoded)
    (record,) = evaluate(GRAD(), [trial], encoded, validation=True)
    assert {n: v for n, v in record.metrics.items() if n not in VALIDATED} == plain.metrics
    rows = encoded.validation.only(["sex"])
    fitted = GRAD().fit([trial], encoded.training.only(["sex"]), rows)
    labels = fitted.scores(rows.X)[0, 0] >= 0.5
    acc, balanced = accuracy(rows.y, labels), balanced_accuracy(rows.y, labels)
    gap = discrimination(rows.y, labels, sensitive_features=rows.a)
    expected = (acc, balanced, gap, acc - gap, balanced - gap)
    assert [record.metrics[name] for name in VALIDATED] == pytest.approx(list(expected))
    assert record.seconds > 0
    assert record.predict_seconds > 0
    assert record.error == ""


class Diverging:
    """Returns NaN or infinity for its first rows: the second and the third of three members."""

    epochs = np.ones(3, dtype=int)

    def fit(self, trials, training, validation, on_epoch=None):
        return self

    def scores(self, X):
        scores = np.tile(np.linspace(0, 1, len(X)), (3, 1, 1))
        scores[1, 0, :4], scores[2, 0, 0] = np.nan, np.inf
        return scores


def test_scores_that_are_not_finite_are_recorded(parts):
    encoded = prepare(parts, SETTINGS)
    trials = [Trial("german", ("age", "sex"), seed=s, settings=SETTINGS) for s in range(3)]
    records = evaluate(Diverging(), trials, encoded, validation=True)
    assert records[0].error == ""
    assert re.search(r"\b4 of 200 rows", records[1].error)
    assert re.search(r"\b1 of 200 rows", records[2].error)
    assert [record.diverged for record in records] == [False, True, True]
    for name in ("accuracy", *VALIDATED):
        assert [bool(np.isnan(r.metrics[name])) for r in records] == [False, True, True]


class OneSided:
    """Predicts the favorable label for rows of the unprivileged group alone."""

    epochs = np.array([1])

    def __init__(self, groups):
        self.groups = groups

    def fit(self, trials, training, validation, on_epoch=None):
        return self

    def scores(self, X):
        return 1.0 - self.groups[None, None]


def test_a_ratio_to_a_rate_of_zero_is_recorded_as_undefined(parts):
    encoded = prepare(parts, SETTINGS)
    trial = Trial("german", ("age",), 1.0, 0, settings=SETTINGS)
    (record,) = evaluate(OneSided(encoded.test.a[:, 0]), [trial], encoded)
    assert record.metrics["statistical_parity_difference_age"] == 1.0
    assert np.isnan(record.metrics["disparate_impact_age"])
    assert Record.from_json(record.to_json()).metrics.keys() == record.metrics.keys()


def test_an_attribute_that_is_not_protected_is_evaluated_and_not_trained_on(german, parts):
    """The model is the one that is trained with the protected attribute alone."""
    encoded = prepare(parts, SETTINGS)
    trial = Trial("german", ("sex",), settings=SETTINGS, also_evaluated=("age",))
    (record,) = evaluate(GRAD(), [trial], encoded)
    both = record.metrics["discrimination_sex"], record.metrics["discrimination_age"]
    assert record.metrics["discrimination"] == pytest.approx(np.mean(both))
    fitted = GRAD().fit([trial], encoded.training.only(["sex"]), encoded.validation.only(["sex"]))
    assert [b.name for b in fitted.network.shape.attributes] == ["sex"]
    labels = fitted.scores(encoded.test.X)[0, 0] >= 0.5
    for column, gap in zip(encoded.test.a.T, both[::-1], strict=True):
        assert discrimination(None, labels, sensitive_features=column) == pytest.approx(gap)


def test_trials_of_the_same_attributes_share_their_rows():
    trials = [
        Trial("german", ("age", "sex")),
        Trial("german", ("sex", "age"), lam=3.0),
        Trial("german", ("sex",), also_evaluated=("age",)),
    ]
    assert len({trial.rows for trial in trials}) == 1
    assert len({trial.static for trial in trials}) == 3
    assert Trial.from_json(trials[2].to_json()) == trials[2]
    with pytest.raises(InputError, match="'age' is protected already"):
        Trial("german", ("age",), also_evaluated=("age",))


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: EvaluationConfig(prediction="labels"), "did you mean 'label'"),
        (lambda: EvaluationConfig(k=0), "at least 1 neighbour, got 0"),
        (lambda: EvaluationConfig(ties="all"), "unknown ties"),
    ],
)
def test_bad_input(call, message):
    with pytest.raises(InputError, match=message):
        call()


def test_an_attribute_that_is_not_there_is_refused(parts):
    encoded = prepare(parts, SETTINGS)
    with pytest.raises(InputError, match="unknown protected attribute 'race'"):
        encoded.test.only(["race"])
    with pytest.raises(InputError, match="expected 1 to 199 neighbours for 200 rows, got 500"):
        prepare(parts, SETTINGS, EvaluationConfig(k=500))
