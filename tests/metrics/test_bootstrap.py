"""Intervals and tests: against metrics taken resample by resample, and coverage by simulation."""

import itertools

import numpy as np
import pandas as pd
import pytest

from grad_ext.errors import InputError
from grad_ext.metrics import resampling
from grad_ext.metrics.bootstrap import (
    _predictions,
    intervals,
    paired_test,
)
from grad_ext.metrics.group import (
    accuracy,
    balanced_accuracy,
    balanced_delta,
    consistency,
    delta,
    discrimination,
    discrimination_by_attribute,
    positive_rate,
    toolkit_metrics,
)
from grad_ext.metrics.neighbors import neighbor_graph
from grad_ext.metrics.resampling import Units, resampled, swapped

TOOLKIT = (
    "statistical_parity_difference",
    "disparate_impact",
    "equal_opportunity_difference",
    "average_odds_difference",
)


def draw_rows(n, models=2, seed=0):
    """Draw rows with attributes of all kinds, some missing, and predictions for them."""
    rng = np.random.default_rng(seed)
    sex = rng.integers(0, 2, n).astype(float)
    race = rng.choice(np.array(["a", "b", "c"], dtype=object), n, p=[0.5, 0.3, 0.2])
    age = rng.normal(40, 10, n)
    sex[::11], race[::7], age[::13] = np.nan, None, np.nan
    y = rng.integers(0, 2, n)
    rate = 0.3 + 0.2 * (sex == 1) + 0.2 * (race == "a")
    predicted = (rng.random((models, n)) < rate).astype(float)
    frame = pd.DataFrame({"sex": sex, "race": race, "age": age})
    return y, predicted, frame, rng.uniform(0.5, 2, n), neighbor_graph(rng.normal(size=(n, 2)))


def fifths_apart(age, labels, weight):
    edges = np.quantile(age[~np.isnan(age)], np.linspace(0, 1, 6)[1:-1])
    fifth = np.where(np.isnan(age), -1, np.searchsorted(edges, age, side="right"))
    rates = [
        np.average(labels[fifth == k], weights=weight[fifth == k])
        for k in range(5)
        if weight[fifth == k].sum() > 0
    ]
    return max(rates) - min(rates)


def metrics_of(y, labels, frame, weight, graph):
    """Return every metric of one prediction by grad_ext.metrics.group, one call each."""
    codes = pd.factorize(frame["race"])[0].astype(float)
    codes[codes < 0] = np.nan
    columns = np.column_stack([frame["sex"], codes, frame["age"]])
    given = {"sensitive_features": columns, "continuous": [2], "sample_weight": weight}
    by_attribute = discrimination_by_attribute(y, labels, **given)
    known = frame["sex"].notna().to_numpy()
    signed = toolkit_metrics(
        y[known],
        labels[known],
        sensitive_features=frame["sex"][known],
        sample_weight=weight[known],
    )
    return {
        "accuracy": accuracy(y, labels, sample_weight=weight),
        "balanced_accuracy": balanced_accuracy(y, labels, sample_weight=weight),
        "discrimination": discrimination(y, labels, **given),
        **{f"discrimination_{n}": by_attribute[k] for k, n in enumerate(("sex", "race", "age"))},
        "quintile_difference_age": fifths_apart(frame["age"].to_numpy(), labels, weight),
        "delta": delta(y, labels, **given),
        "balanced_delta": balanced_delta(y, labels, **given),
        "consistency": consistency(y, labels, graph=graph, sample_weight=weight),
        "positive_rate": positive_rate(y, labels, sample_weight=weight),
        **{f"{name}_sex": signed[name][0] for name in TOOLKIT},
    }


def all_rows(y, predicted, frame, weight, graph):
    return _predictions(y, predicted, None, frame, None, graph, weight, ["age"])


@pytest.mark.parametrize("size", [1, 4])
@pytest.mark.parametrize("scores", [False, True])
def test_resampled_metrics_are_those_of_the_weighted_rows(size, scores):
    y, predicted, frame, weight, graph = draw_rows(120)
    if scores:
        predicted = np.random.default_rng(1).random(predicted.shape)
    units = Units.of(np.arange(120) // size if size > 1 else None, 120)
    sample, drawn = resampled(all_rows(y, predicted, frame, weight, graph), units, 50, seed=3)
    counts = np.concatenate(list(units.draws(50, 3)))
    assert counts.shape == (50, 120 // size)
    assert (counts.sum(axis=1) == 120 // size).all()
    for p, labels in enumerate(predicted):
        for name, value in metrics_of(y, labels, frame, weight, graph).items():
            assert sample.metrics[name][0, p] == pytest.approx(value, abs=1e-12), name
        for b, times in enumerate(counts):
            expected = metrics_of(y, labels, frame, weight * times[units.of_row], graph)
            assert list(drawn.metrics) == list(expected)
            for name, value in expected.items():
                got = drawn.metrics[name][b, p]
                assert got == pytest.approx(value, abs=1e-12, nan_ok=True), name


def test_a_resample_is_its_rows_again_and_again():
    y, predicted, frame, _, _ = draw_rows(60, models=1)
    race = pd.factorize(frame["race"].fillna("d"))[0]
    rows_given = _predictions(y, predicted, None, {"race": race}, None, None, None, ())
    units = Units.of(None, 60)
    _, drawn = resampled(rows_given, units, 40, seed=0)
    for b, times in enumerate(np.concatenate(list(units.draws(40, 0)))):
        rows = np.repeat(np.arange(60), times.astype(int))
        value = discrimination(None, predicted[0, rows], sensitive_features=race[rows])
        assert drawn.metrics["discrimination_race"][b, 0] == pytest.approx(value, abs=1e-12)
        value = balanced_accuracy(y[rows], predicted[0, rows])
        assert drawn.metrics["balanced_accuracy"][b, 0] == pytest.approx(value, abs=1e-12)


@pytest.mark.parametrize("size", [1, 4])
def test_swapped_metrics_are_those_of_the_swapped_predictions(size):
    y, predicted, frame, weight, graph = draw_rows(120)
    units = Units.of(np.arange(120) // size if size > 1 else None, 120)
    moved = swapped(all_rows(y, predicted, frame, weight, graph), units, 50, seed=5)
    swaps = np.concatenate(list(units.swaps(50, 5)))
    assert set(np.unique(swaps)) == {0.0, 1.0}
    assert swaps.mean() == pytest.approx(0.5, abs=0.1)
    for b, swap in enumerate(swaps[:, units.of_row] == 1):
        for p in range(2):
            labels = np.where(swap, predicted[1 - p], predicted[p])
            for name, value in metrics_of(y, labels, frame, weight, graph).items():
                assert moved.metrics[name][b, p] == pytest.approx(value, abs=1e-12), name


def test_the_p_value_counts_the_swaps_that_differ_as_much():
    y, predicted, frame, weight, graph = draw_rows(40)
    table = paired_test(
        y, *predicted, sensitive_features=frame, graph=graph, sample_weight=weight,
        continuous=["age"], resamples=60, seed=5,
    )  # fmt: skip
    swaps = np.concatenate(list(Units.of(None, 40).swaps(60, 5))) == 1
    one, other = (metrics_of(y, labels, frame, weight, graph) for labels in predicted)
    as_much = dict.fromkeys(one, 1)
    for swap in swaps:
        first = metrics_of(y, np.where(swap, *predicted[::-1]), frame, weight, graph)
        second = metrics_of(y, np.where(swap, *predicted), frame, weight, graph)
        for name in one:
            observed = abs(other[name] - one[name])
            as_much[name] += abs(second[name] - first[name]) >= observed - 1e-12
    for name in one:
        assert table.loc[name, "first"] == pytest.approx(one[name])
        assert table.loc[name, "second"] == pytest.approx(other[name])
        assert table.loc[name, "difference"] == pytest.approx(other[name] - one[name])
        assert table.loc[name, "p_value"] == as_much[name] / 61, name


def quantile(values, share):
    """Return the value that is followed by a share of the others, counting itself as above."""
    ordered = sorted(values)
    return ordered[min(len(ordered), int(np.ceil(round(share * (len(ordered) + 1), 9)))) - 1]


def test_the_ends_by_loops():
    y, predicted, frame, _, _ = draw_rows(400, models=1)
    race = frame["race"].fillna("a")
    attributes = {"sex": np.nan_to_num(frame["sex"]), "race": race, "age": frame["age"]}
    table = intervals(
        y, predicted[0], sensitive_features=attributes, continuous=["age"], resamples=199, seed=2
    )
    rows_given = _predictions(y, predicted, None, attributes, None, None, None, ["age"])
    sample, drawn = resampled(rows_given, Units.of(None, 400), 199, seed=2)

    for name in ("accuracy", "positive_rate", "disparate_impact_sex"):
        values = drawn.metrics[name][:, 0]
        assert table.loc[name, "high"] == quantile(values, 0.975)
        assert table.loc[name, "low"] == -quantile(-values, 0.975)

    gap = sample.metrics["statistical_parity_difference_sex"][0, 0]
    off = drawn.metrics["statistical_parity_difference_sex"][:, 0] - gap
    width = quantile(np.abs(off), 0.95)
    assert abs(gap) > width, "a gap that is clearly not 0"
    of_sex = [abs(gap) - width, abs(gap) + width]
    np.testing.assert_allclose(table.loc["discrimination_sex", ["low", "high"]].to_list(), of_sex)

    means, again = sample.vectors[1][0, 0], drawn.vectors[1][:, 0]
    pairs = list(itertools.combinations(range(3), 2))
    gaps = np.array([means[i] - means[j] for i, j in pairs])
    errors = np.array([[m[i] - m[j] for i, j in pairs] for m in again]) - gaps
    deviation = np.sqrt((errors**2).mean(axis=0))
    most = quantile(np.max(np.abs(errors) / deviation, axis=1), 0.95)
    of_race = [max(np.abs(gaps) - most * deviation), max(np.abs(gaps) + most * deviation)]
    np.testing.assert_allclose(table.loc["discrimination_race", ["low", "high"]].to_list(), of_race)

    bins = np.abs(drawn.vectors[2] - sample.vectors[2]).sum(axis=-1)[:, 0]
    of_age = sample.metrics["discrimination_age"][0, 0] + quantile(bins, 0.95)
    assert table.loc["discrimination_age", "high"] == pytest.approx(of_age)

    spread = np.array([m.max() - m.min() for m in again - means])
    signed = np.sign(gap) * off / 3
    mean = sample.metrics["discrimination"][0, 0]
    width = quantile(np.abs(signed) + (spread + bins) / 3, 0.95)
    assert table.loc["discrimination", "high"] == pytest.approx(mean + width)
    right = drawn.metrics["accuracy"][:, 0] - sample.metrics["accuracy"][0, 0]
    width = quantile(np.abs(right - signed) + (spread + bins) / 3, 0.95)
    value = sample.metrics["delta"][0, 0]
    assert table.loc["delta", "low"] == pytest.approx(value - width)
    assert table.loc["delta", "high"] == min(value + width, table.loc["accuracy", "high"])


@pytest.mark.parametrize("leaning", ["both", "one", "neither"])
def test_the_ends_of_a_difference_by_loops(leaning):
    rng = np.random.default_rng(0)
    group, y = np.repeat([0, 1], 200), rng.integers(0, 2, 400)
    first = np.where(rng.random(400) < 0.3, 1 - group, group)
    second = {
        "both": np.where(rng.random(400) < 0.3, group, 1 - group),
        "one": np.arange(400) % 20 < 11 - group,
        "neither": np.arange(400) % 2,
    }[leaning]
    if leaning == "neither":
        first = np.arange(400) // 2 % 2
    table = paired_test(y, first, second, sensitive_features=group, resamples=199)

    def gap(labels, times):
        rates = [np.average(labels[group == g], weights=times[group == g]) for g in (0, 1)]
        return rates[1] - rates[0]

    models = first, second
    counts = np.concatenate(list(Units.of(None, 400).draws(199, 0)))
    once = np.array([gap(labels, np.ones(400)) for labels in models])
    off = np.array([[gap(labels, times) for labels in models] for times in counts]) - once
    clear = [abs(o) > quantile(np.abs(e), 0.95) for o, e in zip(once, off.T, strict=True)]
    assert clear == {"both": [1, 1], "one": [1, 0], "neither": [0, 0]}[leaning]
    if leaning == "neither":
        signed = mirrored = np.zeros(199)
        bound = np.abs(off).sum(axis=1)
    else:
        # The first leans to one side; the second to the other, if it leans.
        assert once[0] > 0.2
        assert once[1] < -0.04
        signed, bound = -off[:, 1] - off[:, 0], np.zeros(199)
        truth = once - off
        mirrored = (abs(once[1]) - abs(once[0])) - (np.abs(truth[:, 1]) - np.abs(truth[:, 0]))
        assert (np.abs(signed - mirrored) > 1e-9).any() == (leaning == "one")
    right = np.array([[accuracy(y, v, sample_weight=t) for v in models] for t in counts])
    right = right @ [-1, 1]
    assert table.loc["accuracy", "high"] == pytest.approx(quantile(right, 0.975))
    right -= table.loc["accuracy", "difference"]
    for name, sides in (
        ("discrimination", [signed, mirrored]),
        ("delta", [right - signed, right - mirrored]),
    ):
        width = quantile(np.abs(sides[0]) + bound, 0.95)
        down = max(width, quantile(sides[1] + bound, 0.975))
        up = max(width, quantile(bound - sides[1], 0.975))
        value, low, high = table.loc[name, ["difference", "low", "high"]]
        assert [low, high] == pytest.approx([value - down, value + up]), name


def test_a_model_is_judged_alike_alone_and_beside_others():
    y, predicted, frame, weight, graph = draw_rows(150, models=4)
    given = {"sensitive_features": frame, "continuous": ["age"], "sample_weight": weight}
    many = intervals(y, predicted, graph=graph, resamples=100, **given)
    assert many.index.names == ["model", "metric"]
    for p in range(4):
        one = intervals(y, predicted[p], resamples=100, **given)
        assert "consistency" not in one.index
        pd.testing.assert_frame_equal(many.loc[p].drop("consistency"), one, rtol=0, atol=1e-12)
    again = intervals(y, predicted, graph=graph, resamples=100, **given)
    pd.testing.assert_frame_equal(many, again)
    other = intervals(y, predicted, graph=graph, resamples=100, seed=1, **given)
    assert (many["low"] != other["low"]).any()


def test_the_size_of_the_chunks_does_not_matter(monkeypatch):
    y, predicted, frame, _, graph = draw_rows(100)
    given = {"sensitive_features": frame["sex"], "graph": graph, "resamples": 100}
    whole = paired_test(y, *predicted, **given)
    monkeypatch.setattr(resampling, "CHUNK_BYTES", 8 * 100 * 7)
    pd.testing.assert_frame_equal(paired_test(y, *predicted, **given), whole, rtol=0, atol=1e-12)


def test_rows_that_are_copies_of_each_other_tell_nothing_new():
    y, predicted, frame, _, _ = draw_rows(100)
    race = frame["race"].fillna("d")
    given = {"sensitive_features": {"race": race, "sex": frame["sex"]}, "resamples": 200}
    once = paired_test(y, *predicted, **given)
    rows = np.repeat(np.arange(100), 5)
    given["sensitive_features"] = {"race": race[rows], "sex": frame["sex"][rows]}
    copied = (y[rows], *predicted[:, rows])
    grouped = paired_test(*copied, groups=[f"patient {i}" for i in rows], **given)
    pd.testing.assert_frame_equal(grouped, once, rtol=0, atol=1e-12)
    ungrouped = paired_test(*copied, **given)
    width = (once["high"] - once["low"]) / (ungrouped["high"] - ungrouped["low"])
    assert width["accuracy"] == pytest.approx(np.sqrt(5), rel=0.2)


def test_a_constant_looks_certain_but_for_accuracy():
    y, _, frame, weight, graph = draw_rows(200, models=1)
    constant = np.full(200, 0.3)
    table = intervals(
        y, constant, sensitive_features=frame, continuous=[2], sample_weight=weight, graph=graph
    )
    for name in (
        "discrimination",
        "discrimination_sex",
        "discrimination_race",
        "discrimination_age",
    ):
        assert table.loc[name].to_list() == [0.0, 0.0, 0.0]
    assert table.loc["consistency"].to_list() == [1.0, 1.0, 1.0]
    assert table.loc["balanced_accuracy"].to_list() == [0.5, 0.5, 0.5]
    assert table.loc["accuracy", "low"] < table.loc["accuracy", "high"]
    table = paired_test(y, constant, constant, sensitive_features=frame["sex"])
    assert (table["p_value"] == 1.0).all()
    assert (table[["difference", "low", "high"]].drop("disparate_impact_sex") == 0.0).all().all()


def test_what_so_few_units_cannot_tell_is_nan():
    y, predicted, _, _, _ = draw_rows(100, models=1)
    group = np.array(["a"] * 50 + ["b"] * 41 + ["c"] * 9)
    table = intervals(y, predicted[0], sensitive_features=group)
    assert table["estimate"].notna().all()
    unknown = ["discrimination", "discrimination_sensitive_feature", "delta", "balanced_delta"]
    assert list(table.index[table["low"].isna()]) == unknown
    assert list(table.index[table["high"].isna()]) == unknown
    # Ten units of ten rows are enough, nine are not.
    ten = intervals(y, predicted[0], sensitive_features=y, groups=np.arange(100) // 10)
    assert ten.loc["accuracy"].notna().all()
    nine = intervals(y, predicted[0], sensitive_features=y, groups=np.arange(100) // 12)
    assert nine[["low", "high"]].isna().all().all()


def test_what_has_no_rows_is_nan():
    y, predicted, _, _, _ = draw_rows(100, models=1)
    table = intervals(np.ones(100), predicted[0], sensitive_features=np.zeros(100))
    for name in ("balanced_accuracy", "discrimination", "delta"):
        assert table.loc[name].isna().all()
    assert table.loc["accuracy"].notna().all()
    missing = intervals(y, predicted[0], sensitive_features=np.full(100, np.nan))
    assert missing.loc["discrimination"].isna().all()
    missing = intervals(y, predicted[0], sensitive_features=np.full(100, np.nan), continuous=[0])
    assert missing.loc["discrimination"].isna().all()
    # Of the privileged one is favored, and he is missing in a third of the resamples.
    sex = np.repeat([0, 1], 50)
    labels = np.where(sex == 1, np.arange(100) == 99, y)
    table = intervals(y, labels, sensitive_features=sex)
    assert table.loc["disparate_impact_sensitive_feature", "high"] == np.inf
    assert np.isfinite(table.loc["disparate_impact_sensitive_feature", "low"])


# Coverage. The labels y are balanced within groups, so that errors are independent of them, and the
# models of one call are so many data sets: their predictions are drawn independently.


def covered(table, name, truth):
    ends = table.xs(name, level="metric")
    return float(((ends["low"] <= truth + 1e-9) & (truth - 1e-9 <= ends["high"])).mean())


def datasets(rates, sizes, models, rows=1, seed=0):
    """Draw predictions for groups of `sizes` units, each of so many rows that share a prediction."""
    rng = np.random.default_rng(seed)
    group = np.repeat(np.arange(len(sizes)), sizes)
    predicted = (rng.random((models, len(group))) < np.take(rates, group)) * 1.0
    y = np.concatenate([np.arange(size) % 2 for size in sizes])
    return tuple(np.repeat(v, rows, axis=-1) for v in (y, predicted, group))


# Of 400 data sets, 95 % +- 3 standard deviations; wide intervals cover more.
EXACT, WIDE = (0.917, 0.983), (0.93, 1.0)


@pytest.mark.parametrize(
    ("rates", "sizes", "truth", "band"),
    [
        ([0.5, 0.5], [160, 240], 0.0, EXACT),
        ([0.48, 0.52], [160, 240], 0.04, (0.93, 0.99)),
        ([0.45, 0.55], [160, 240], 0.1, EXACT),
        ([0.35, 0.65], [160, 240], 0.3, EXACT),
        ([0.5] * 5, [160, 120, 80, 60, 40], 0.0, EXACT),
        ([0.45, 0.55, 0.5, 0.5, 0.5], [160, 120, 80, 60, 40], 0.1, WIDE),
    ],
)
def test_intervals_cover_the_truth(rates, sizes, truth, band):
    y, predicted, group = datasets(rates, sizes, models=400)
    table = intervals(y, predicted, sensitive_features=group, resamples=400)
    assert EXACT[0] <= covered(table, "accuracy", 0.5) <= EXACT[1]
    assert band[0] <= covered(table, "discrimination", truth) <= band[1]
    assert EXACT[0] <= covered(table, "delta", 0.5 - truth)
    assert EXACT[0] <= covered(table, "balanced_delta", 0.5 - truth)


def test_intervals_of_several_attributes_and_of_numbers_cover_the_truth():
    rng = np.random.default_rng(0)
    frame = pd.DataFrame(
        {"a": np.arange(400) % 2, "b": np.arange(400) // 2 % 2, "c": rng.random(400)}
    )
    y = np.arange(400) // 4 % 2
    predicted = (rng.random((400, 400)) < 0.5) * 1.0
    table = intervals(y, predicted, sensitive_features=frame, resamples=400)
    for name in ("discrimination", "discrimination_a", "discrimination_c"):
        assert EXACT[0] <= covered(table, name, 0.0) <= EXACT[1], name
    predicted = (rng.random((400, 400)) < 0.4 + 0.2 * frame["a"].to_numpy()) * 1.0
    table = intervals(y, predicted, sensitive_features=frame[["a", "b"]], resamples=400)
    assert WIDE[0] <= covered(table, "discrimination", 0.1)
    assert WIDE[0] <= covered(table, "delta", 0.4)


@pytest.mark.parametrize(("rates", "truth"), [([0.5, 0.5], 0.0), ([0.45, 0.55], 0.1)])
def test_only_the_grouped_bootstrap_covers_where_rows_are_not_independent(rates, truth):
    y, predicted, group = datasets(rates, [100, 140], models=400, rows=4)
    unit = np.arange(len(y)) // 4
    grouped = intervals(y, predicted, sensitive_features=group, groups=unit, resamples=400)
    ungrouped = intervals(y, predicted, sensitive_features=group, resamples=400)
    for name, value in (("accuracy", 0.5), ("discrimination", truth)):
        assert EXACT[0] <= covered(grouped, name, value) <= 0.99
        assert covered(ungrouped, name, value) < 0.85
    assert EXACT[0] <= covered(grouped, "delta", 0.5 - truth)


def compare(rates, share, sizes, repeats, truth, resamples=100):
    """Return the p-values, and how often the interval covers, of two models that share draws."""
    rng = np.random.default_rng(0)
    group = np.repeat(np.arange(len(sizes)), sizes)
    y = np.concatenate([np.arange(size) % 2 for size in sizes])
    p, hits = [], 0
    for _ in range(repeats):
        draws = rng.random((2, len(group)))
        draws[1] = np.where(rng.random(len(group)) < share, *draws)
        first, second = draws < np.take(rates, group, axis=1)
        table = paired_test(y, first, second, sensitive_features=group, resamples=resamples)
        low, high, p_value = table.loc["discrimination", ["low", "high", "p_value"]]
        hits += low - 1e-9 <= truth <= high + 1e-9
        p.append([table.loc["accuracy", "p_value"], p_value])
    return np.array(p), hits / repeats


def test_p_values_of_equal_models_are_uniform_at_most():
    p, _ = compare([[0.4, 0.6], [0.4, 0.6]], 0.5, [30, 50], 300, 0.0)
    for level in (0.05, 0.2, 0.5):
        most = level + 3 * np.sqrt(level * (1 - level) / 300)
        assert ((p <= level).mean(axis=0) <= most).all()
    # Not so because they were never small.
    assert ((p <= 0.5).mean(axis=0) > 0.3).all()


def test_there_is_power_where_models_differ():
    p, hits = compare([[0.3, 0.7], [0.5, 0.5]], 0.5, [100, 150], 100, -0.4)
    assert (p[:, 1] <= 0.05).mean() > 0.9
    assert hits >= 0.89


@pytest.mark.slow
@pytest.mark.parametrize("share", [0.0, 0.97])
@pytest.mark.parametrize(
    ("rates", "truth"),
    [
        ([[0.5, 0.5], [0.5, 0.5]], 0.0),
        ([[0.45, 0.55], [0.5, 0.5]], -0.1),
        ([[0.4, 0.6], [0.45, 0.55]], -0.1),
        ([[0.45, 0.55], [0.55, 0.45]], 0.0),
        ([[0.48, 0.52], [0.52, 0.48]], 0.0),
    ],
)
def test_intervals_of_a_difference_cover_the_truth(rates, share, truth):
    _, hits = compare(rates, share, [160, 240], 500, truth, resamples=400)
    assert hits >= 0.95 - 3 * np.sqrt(0.95 * 0.05 / 500)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"y_true": [1, 0]}, "y_true: expected 20 rows, got 2"),
        ({"y_true": [2] * 20}, r"pos_label: .*\[1, 2\]"),
        ({"y_true": [[1] * 20]}, r"y_true: expected shape \(20,\), got \(1, 20\)"),
        ({"y_pred": [1.5] * 20}, r"y_pred: .*\[0, 1\], got 1.5"),
        ({"y_pred": [np.nan] * 20}, r"y_pred: expected values in \[0, 1\], got nan"),
        ({"y_pred": np.zeros((1, 1, 20))}, r"y_pred: expected shape \(N,\) or \(P, N\)"),
        ({"sensitive_features": [1] * 19}, "expected 20 rows, got 19"),
        ({"sample_weight": [1] * 19}, "sample_weight: expected 20 rows, got 19"),
        ({"sample_weight": [-1] * 20}, "finite and >= 0, got -1"),
        ({"groups": [1] * 19}, r"groups: expected shape \(20,\), got \(19,\)"),
        ({"groups": [None] * 3 + ["a"] * 17}, "one for every row, 3 are missing"),
        ({"level": 95}, "level must be a number between 0 and 1, got 95"),
        ({"resamples": 39}, "resamples: expected at least 40 for level 0.95, got 39"),
        ({"continuous": ["age"]}, "unknown sensitive feature 'age'"),
        ({"continuous": [1]}, "names or columns 0 to 0, got 1"),
        ({"X": np.zeros((19, 2))}, "X: expected 20 rows, got 19"),
        ({"graph": neighbor_graph([[0], [1]], k=1)}, "graph: expected 20 rows, got 2"),
    ],
)
def test_bad_input(change, message):
    given = {"y_true": [1, 0] * 10, "y_pred": [1] * 20, "sensitive_features": [0, 1] * 10}
    with pytest.raises(InputError, match=message):
        intervals(**given | change)


def test_bad_input_of_a_test():
    with pytest.raises(InputError, match="expected 3 rows, got 2"):
        paired_test([1, 0], [1, 0], [1, 0, 1], sensitive_features=[0, 1])
    with pytest.raises(InputError, match="at most one of X and graph"):
        paired_test(
            [1, 0], [1, 0], [1, 1], sensitive_features=[0, 1], X=[[0.0], [1.0]],
            graph=neighbor_graph([[0], [1]], k=1),
        )  # fmt: skip
