"""Distances between distributions of scores: by hand, against scipy, and by chance."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from grad_ext.metrics.distributions import chance_draws, distances, stacked, thinned

# Of both oracles, which add in another order.
CLOSE = {"rtol": 1e-10, "atol": 1e-12}


def members(group, weight=1.0):
    return (np.arange(group.max() + 1)[:, None] == group) * weight


def test_two_groups_by_hand():
    # Shares at or above .2, .5, .7: group 0 has 1, 1/2, 1/2; group 1 has 2/3, 2/3, 0.
    scores = np.array([0.2, 0.7, 0.1, 0.5, 0.5])
    weights = members(np.array([0, 0, 1, 1, 1]))
    found = distances(scores, weights)
    assert found.ks == pytest.approx(1 / 2)
    # .1 to .2: 1/3; .2 to .5: 1/6; .5 to .7: 1/2.
    assert found.wasserstein == pytest.approx(0.1 / 3 + 0.3 / 6 + 0.2 / 2)
    # By weight 3 the row of .7 makes it 3/4 above .5.
    weights[0, 1] = 3.0
    assert distances(scores, weights).ks == pytest.approx(3 / 4)


def test_of_three_groups_the_pair_furthest_apart_by_hand():
    scores, group = np.array([0.0, 0.2, 0.3, 0.9, 0.1, 1.0]), np.array([0, 0, 1, 1, 2, 2])
    found = distances(scores, members(group))
    # Groups 0 and 1 do not overlap; their means are .1 and .6.
    assert found.ks == 1.0
    assert found.wasserstein == pytest.approx(0.5)


@st.composite
def samples(draw):
    """Draw scores with and without ties, groups and weights."""
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    n, groups = draw(st.integers(6, 200)), draw(st.integers(2, 5))
    scores = rng.random(n) ** draw(st.sampled_from([1, 3]))
    if digits := draw(st.sampled_from([0, 1, 2])):
        scores = scores.round(digits)
    group = rng.integers(0, groups, n)
    group[:groups] = np.arange(groups)
    return scores, group, rng.uniform(0.1, 3.0, n)


@settings(deadline=None)
@given(samples())
def test_both_distances_equal_scipys(sample):
    scores, group, weight = sample
    pairs = [(i, j) for i in range(group.max() + 1) for j in range(i)]
    one = [scores[group == g] for g in range(group.max() + 1)]
    w = [weight[group == g] for g in range(group.max() + 1)]
    found = distances(scores, members(group))
    ks = max(stats.ks_2samp(one[i], one[j], method="exact").statistic for i, j in pairs)
    np.testing.assert_allclose(found.ks, ks, **CLOSE)
    area = max(stats.wasserstein_distance(one[i], one[j]) for i, j in pairs)
    np.testing.assert_allclose(found.wasserstein, area, **CLOSE)
    weighted = distances(scores, members(group, weight))
    area = max(stats.wasserstein_distance(one[i], one[j], w[i], w[j]) for i, j in pairs)
    np.testing.assert_allclose(weighted.wasserstein, area, **CLOSE)
    shares = [
        [np.average(one[g] >= t, weights=w[g]) for t in np.unique(scores)] for g in range(len(one))
    ]
    np.testing.assert_allclose(weighted.ks, np.ptp(shares, axis=0).max(), **CLOSE)


@settings(deadline=None)
@given(samples())
def test_of_labels_both_are_the_difference_of_the_rates(sample):
    scores, group, weight = sample
    labels = (scores > 0.3) * 1.0
    rates = [np.average(labels[group == g], weights=weight[group == g]) for g in set(group)]
    found = distances(labels, members(group, weight))
    np.testing.assert_allclose(found.ks, np.ptp(rates), **CLOSE)
    np.testing.assert_allclose(found.wasserstein, np.ptp(rates), **CLOSE)


def test_what_is_not_defined_is_nan():
    weights = members(np.array([0, 0, 1, 1]))
    for scores, known in (
        (np.array([0.1, np.nan, 0.2, 0.3]), weights),
        (np.array([0.1, np.inf, 0.2, 0.3]), weights),
        (np.arange(4.0), weights * [[1.0], [0.0]]),
    ):
        assert np.isnan([distances(scores, known).ks, distances(scores, known).wasserstein]).all()
        assert np.isnan(chance_draws(scores, known).ks).all()
    # Of three groups one without rows is left out.
    assert distances(np.arange(4.0), np.append(weights, np.zeros((1, 4)), axis=0)).ks == 1.0


def test_the_larger_ones_of_several():
    scores, weights = np.array([[0.0, 0.0, 1.0, 1.0], [0.0] * 4]), members(np.array([0, 0, 1, 1]))
    both = stacked([distances(scores, weights), distances(0.5 * scores[::-1], weights)])
    assert both.ks.tolist() == [[1.0, 0.0], [0.0, 1.0]]
    assert both.largest().wasserstein.tolist() == [1.0, 0.5]


@pytest.mark.parametrize(
    ("sizes", "digits", "spread"),
    [((300, 700), 8, 0.0), ((80, 160), 1, 0.0), ((90, 60, 350), 8, 0.0), ((300, 400), 8, 0.5)],
)
def test_the_chance_level_is_the_mean_over_permutations(sizes, digits, spread):
    rng = np.random.default_rng(0)
    group = np.repeat(np.arange(len(sizes)), sizes)
    scores = (rng.random(len(group)) ** 2).round(digits)
    weights = members(group, np.exp(spread * rng.normal(size=len(group))))
    permuted = stacked([distances(rng.permutation(scores), weights) for _ in range(200)])
    chance = chance_draws(scores, weights)
    assert chance.ks.mean() == pytest.approx(permuted.ks.mean(), rel=0.1)
    assert chance.wasserstein.mean() == pytest.approx(permuted.wasserstein.mean(), rel=0.12)


def test_the_chance_level_of_large_samples_is_kolmogorovs():
    rng = np.random.default_rng(0)
    group = np.arange(9000) % 3 // 2
    chance = chance_draws(rng.random(9000), members(group))
    # Mean sqrt(pi / 2) ln 2 of Kolmogorov's distribution, for 6,000 and 3,000 rows.
    expected = np.sqrt(np.pi / 2) * np.log(2) * np.sqrt(1 / 6000 + 1 / 3000)
    assert chance.ks.mean() == pytest.approx(expected, rel=0.04)
    # Equal scores have no distance.
    assert chance_draws(np.full(9000, 0.3), members(group)).ks.max() == 0.0


def test_points_at_equal_steps():
    shares = np.arange(1, 101) / 100
    assert thinned(shares, 100).tolist() == list(range(100))
    assert thinned(shares, 4).tolist() == [24, 49, 74, 99]
    # Half of the rows share a score.
    assert thinned(np.append(0.5, shares[50:]), 4).tolist() == [0, 25, 50]
