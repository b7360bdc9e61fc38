"""Properties that every metric of the registry has."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from grad_ext.metrics.neighbors import neighbor_graph
from grad_ext.metrics.registry import METRICS, evaluate_means
from grad_ext.metrics.sums import BLOCK_ROWS, Groups, Predictions

KINDS = ("binary", "categorical", "continuous")
# Rounding of a mean of some hundred weighted rows.
CLOSE = {"rtol": 1e-12, "atol": 1e-12}


def columns(rng, n, missing):
    """Draw a column for each kind of attribute, with rows in both groups of each class."""
    a = [
        rng.integers(0, 2, n).astype(float),
        rng.integers(0, 4, n).astype(float),
        rng.normal(size=n),
    ]
    if missing:
        a = [np.where(rng.random(n) < 0.15, np.nan, column) for column in a]
    for column, values in zip(a, ([0, 0, 1, 1], [0, 0, 1, 1], [-3, -3, 3, 3]), strict=True):
        column[:4] = values
    return a


def build(predicted, y, w, a, graph=None, w_graph=None):
    groups = tuple(Groups.of(kind, kind, column) for kind, column in zip(KINDS, a, strict=True))
    scores = np.asarray(predicted)
    return Predictions(predicted, y, w, groups, graph=graph, neighbor_weight=w_graph, scores=scores)


def taken(rows, at, w):
    """Take some rows with other weights; the bins of a number stay those of all rows."""

    def groups(one):
        fifths = one.fifths and groups(one.fifths)
        numbers = None if one.numbers is None else one.numbers[at]
        return replace(one, codes=one.codes[at], fifths=fifths, numbers=numbers)

    return replace(
        rows,
        predicted=rows.predicted[:, at],
        scores=rows.scores[:, at],
        y=rows.y[at],
        weight=w,
        groups=tuple(map(groups, rows.groups)),
    )


@st.composite
def drawn(draw, kinds=("label", "score")):
    """Draw predictions (P, N), labels, weights and columns."""
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    n, models = draw(st.integers(8, 300)), draw(st.integers(1, 4))
    predicted = rng.random((models, n))
    if draw(st.sampled_from(kinds)) == "label":
        predicted = (predicted < draw(st.floats(0.1, 0.9))) * 1.0
    y, w = rng.integers(0, 2, n).astype(float), rng.uniform(0.5, 2.0, n)
    y[:4] = 0, 1, 0, 1
    return predicted, y, w, columns(rng, n, draw(st.booleans())), rng


def assert_equal(found, expected, **rounding):
    assert list(found) == list(expected)
    for name, values in expected.items():
        np.testing.assert_allclose(found[name], values, err_msg=name, **(rounding or {"rtol": 0}))


def test_there_is_a_column_for_every_metric():
    predicted, y, w, a = np.zeros((1, 4)), np.array([0.0, 1, 0, 1]), np.ones(4), np.eye(4)[:3]
    found = evaluate_means(build(predicted, y, w, a, neighbor_graph(np.eye(4), k=1)))
    for metric in METRICS.values():
        expected = {f"{metric.name}_{kind}" for kind in metric.attributes}
        if metric.averaged or not expected:
            expected.add(metric.name)
        assert expected <= set(found)
    assert len(found) == sum(
        len(m.attributes) + (m.averaged or not m.attributes) for m in METRICS.values()
    )


@settings(deadline=None)
@given(drawn(), st.sampled_from([0.0, 0.3, 0.7, 1.0]))
def test_a_constant_prediction_gets_what_the_registry_lists(rows, value):
    predicted, y, w, a, rng = rows
    graph = neighbor_graph(rng.normal(size=(len(y), 2)), k=3)
    constant = build(np.full_like(predicted, value), y, w, a, graph)
    found = evaluate_means(constant)
    assert (found["positive_rate"] == value).all()
    for metric in METRICS.values():
        for name in (metric.name, *(f"{metric.name}_{kind}" for kind in KINDS)):
            if name not in found or metric.constant is None:
                continue
            if metric.name == "disparate_impact" and value == 0.0:
                assert np.isnan(found[name]).all()
            elif metric.name in ("chance_level", "quintile_chance_level") and 0.0 < value < 1.0:
                assert (found[name] > 0.0).all()
            elif metric.name.startswith("balanced"):
                np.testing.assert_allclose(found[name], metric.constant, err_msg=name, **CLOSE)
            else:
                np.testing.assert_array_equal(found[name], metric.constant, err_msg=name)


@settings(deadline=None)
@given(drawn())
def test_integer_weights_equal_repetition(rows):
    predicted, y, _, a, rng = rows
    w = rng.integers(0, 4, len(y)).astype(float)
    w[:4] = 1
    at = np.repeat(np.arange(len(y)), w.astype(int))
    rows = build(predicted, y, w, a)
    once, again = evaluate_means(rows), evaluate_means(taken(rows, at, np.ones(len(at))))
    # These look at the number of rows.
    for name in [name for name in once if "chance_level" in name]:
        del once[name], again[name]
    assert_equal(again, once, **CLOSE)


@settings(deadline=None)
@given(drawn())
def test_a_row_of_weight_0_equals_no_row(rows):
    predicted, y, w, a, rng = rows
    w[4:] *= rng.random(len(y) - 4) < 0.7
    known, rows = w > 0, build(predicted, y, w, a)
    zero, without = evaluate_means(rows), evaluate_means(taken(rows, known, w[known]))
    for name in ("chance_level", "quintile_chance_level_continuous"):
        del zero[name], without[name]
    assert_equal(without, zero, **CLOSE)


@settings(deadline=None)
@given(drawn(), st.sampled_from([0.5, 3.0, 1e-6, 1e6]))
def test_the_scale_of_weights_does_not_matter(rows, scale):
    predicted, y, w, a, rng = rows
    graph = neighbor_graph(rng.normal(size=(len(y), 2)), k=3)
    one, other = (evaluate_means(build(predicted, y, v, a, graph, v)) for v in (w, scale * w))
    assert_equal(other, one, **({} if scale == 0.5 else CLOSE))


@settings(deadline=None)
@given(drawn())
def test_the_order_of_rows_does_not_matter(rows):
    predicted, y, w, a, rng = rows
    points, at = rng.normal(size=(len(y), 2)), rng.permutation(len(y))
    one = evaluate_means(build(predicted, y, w, a, neighbor_graph(points, k=3), w))
    moved = build(
        predicted[:, at], y[at], w[at], [column[at] for column in a],
        neighbor_graph(points[at], k=3), w[at],
    )  # fmt: skip
    assert_equal(evaluate_means(moved), one, **CLOSE)


@settings(deadline=None)
@given(drawn(kinds=["label"]))
def test_labels_without_weights_are_counted_to_the_bit_in_any_order(rows):
    predicted, y, _, a, rng = rows
    at, w = rng.permutation(len(y)), np.ones(len(y))
    one = evaluate_means(build(predicted, y, w, a))
    moved = evaluate_means(build(predicted[:, at], y[at], w, [column[at] for column in a]))
    # A sum of numbers, and not of counts.
    del one["correlation_continuous"], moved["correlation_continuous"]
    assert_equal(moved, one)


@settings(deadline=None)
@given(drawn())
def test_the_codes_of_groups_do_not_matter(rows):
    predicted, y, w, a, rng = rows
    codes = rng.permutation(7)[:4].astype(float)
    renamed = np.where(np.isnan(a[1]), np.nan, codes[np.nan_to_num(a[1]).astype(int)])
    one = evaluate_means(build(predicted, y, w, a))
    other = evaluate_means(build(predicted, y, w, [a[0], renamed, a[2]]))
    assert_equal(other, one, **CLOSE)


@settings(deadline=None)
@given(drawn())
def test_many_models_at_once_equal_each_alone_to_the_bit(rows):
    predicted, y, w, a, rng = rows
    graph = neighbor_graph(rng.normal(size=(len(y), 2)), k=3)
    many = build(predicted, y, w, a, graph, w)
    alone = [
        evaluate_means(replace(many, predicted=one[None], scores=one[None])) for one in predicted
    ]
    for name, values in evaluate_means(many).items():
        expected = np.concatenate([np.atleast_1d(one[name]) for one in alone])
        np.testing.assert_array_equal(np.broadcast_to(values, len(alone)), expected, err_msg=name)


@settings(deadline=None, max_examples=40)
@given(drawn(), st.booleans())
def test_tensors_equal_arrays(rows, halves):
    predicted, y, w, a, _ = rows
    predicted[0] = 0.25
    if halves:  # as networks in single precision predict
        predicted = predicted.astype(np.float32).astype(np.float64)
    tensor = torch.from_numpy(predicted)
    array = build(predicted, y, w, a)
    device = replace(array, predicted=tensor.float() if halves else tensor)
    assert_equal(evaluate_means(device), evaluate_means(array), **CLOSE)


def test_tensors_of_labels_in_several_blocks_equal_arrays():
    rng = np.random.default_rng(0)
    n = 2 * BLOCK_ROWS + 5
    labels = rng.random((3, n)) < 0.4
    labels[1] = True
    labels[2] = False
    labels[2, -1] = True
    array = build(labels * 1.0, rng.integers(0, 2, n) * 1.0, rng.random(n), columns(rng, n, True))
    device = replace(array, predicted=torch.from_numpy(labels))
    assert_equal(evaluate_means(device), evaluate_means(array), **CLOSE)
    assert evaluate_means(device)["discrimination"][1] == 0.0
    assert evaluate_means(device)["discrimination"][2] > 0.0


@pytest.mark.parametrize("name", METRICS)
def test_what_is_not_defined_is_nan(name):
    """One class, and one group of each attribute."""
    metric, w = METRICS[name], np.ones(6)
    a = [np.ones(6), np.full(6, 2.0), np.full(6, np.nan)]
    graph = neighbor_graph(np.arange(6.0)[:, None], k=2)
    found = evaluate_means(build(np.array([[1.0, 0, 1, 0, 1, 1]]), w, w, a, graph))
    undefined = {*(n for n in METRICS if METRICS[n].attributes), "balanced_accuracy"}
    undefined |= {"delta", "balanced_delta"}
    undefined |= {"chance_level", "ks_chance_level", "wasserstein_chance_level"}
    names = [f"{name}_{kind}" for kind in metric.attributes] or [name]
    for column in names:
        assert np.isnan(found[column]).all() == (name in undefined), column
