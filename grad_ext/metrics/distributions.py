"""Distances between the groups' distributions of scores, which thresholds do not enter.

At a threshold t the groups' shares of favorable predictions differ as their distribution functions do:
P(s >= t | g) - P(s >= t | h) = F_h(t-) - F_g(t-). The Kolmogorov-Smirnov distance is the largest such
difference over all thresholds, and the Wasserstein-1 distance their integral, which for scores in
[0, 1] is the mean difference over thresholds. Equal scores are counted at once, so both are exact.

Jiang et al. (2020), "Wasserstein Fair Classification", UAI; Han et al. (2023), "Retiring ΔDP: New
Distribution-Level Metrics for Demographic Parity", TMLR, which calls the second one ABCC.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import combinations

import numpy as np
from numpy.typing import NDArray

from grad_ext.seeds import numpy_generator

Floats = NDArray[np.float64]

# Simulated samples of a chance level of two groups (a standard error of about 1 %), of which G groups
# get a G-th, and the points of the distribution functions that they are simulated at.
DRAWS = 1000
POINTS = 128
# How far the maximum of a Brownian path over n points of [0, 1] lies below that over all of them,
# times sqrt(n): -zeta(1/2) / sqrt(2 pi) (Asmussen, Glynn and Pitman, 1995, Ann. Appl. Probab. 5).
DISCRETE_MAXIMUM = 0.5826


@dataclass(frozen=True)
class Distances:
    """Distances between the groups that are furthest apart, by the pair's own measure.

    Attributes
    ----------
    ks : array of shape (...)
        Kolmogorov-Smirnov, in [0, 1].
    wasserstein : array of shape (...)
        Wasserstein-1, in units of the scores.
    """

    ks: Floats
    wasserstein: Floats

    def largest(self) -> Distances:
        """Return the larger ones over the last axis; nan if one is."""
        return Distances(self.ks.max(axis=-1), self.wasserstein.max(axis=-1))


def stacked(parts: Sequence[Distances]) -> Distances:
    """Return distances side by side on a new last axis."""
    return Distances(
        np.stack([part.ks for part in parts], axis=-1),
        np.stack([part.wasserstein for part in parts], axis=-1),
    )


@dataclass(frozen=True)
class Thresholds:
    """One model's scores in order: the thresholds at which groups can differ.

    Attributes
    ----------
    points : array of shape (T,)
        The distinct scores, ascending; none if one is not finite.
    ends : int array of shape (T,)
        The last place of each among the sorted rows.
    order : int array of shape (N,)
        The rows, sorted by score.
    """

    points: Floats
    ends: NDArray[np.intp]
    order: NDArray[np.intp]

    @classmethod
    def of(cls, scores: Floats) -> Thresholds:
        """Return the thresholds of scores of shape (N,)."""
        order = np.argsort(scores, kind="stable")
        ascending = scores[order]
        ends = np.flatnonzero(np.append(ascending[1:] != ascending[:-1], True))
        finite = len(scores) and np.isfinite(ascending[[0, -1]]).all()
        return cls(ascending[ends], ends, order) if finite else cls(scores[:0], ends[:0], order)

    def sums(self, weights: Floats) -> Floats:
        """Return the weight of the rows up to each point, (..., T), from weights (..., N)."""
        return np.cumsum(weights[..., self.order], axis=-1)[..., self.ends]


def distances(
    scores: Floats, weights: Floats, thresholds: Sequence[Thresholds] | None = None
) -> Distances:
    """Return the distances between the groups' weighted distributions of scores.

    Parameters
    ----------
    scores : array of shape (..., N)
        Of one model or several, which get the same bits as alone.
    weights : array of shape (G, N)
        Weight of each row in each group.
    thresholds : sequence of Thresholds, optional
        Those of each model, if they are known.

    Returns
    -------
    Distances
        Of shape (...); nan where fewer than two groups have weight or a score is not finite.
    """
    known = weights[weights.sum(axis=-1) > 0]
    each = thresholds or [Thresholds.of(one) for one in scores.reshape(-1, scores.shape[-1])]
    ks, wasserstein = np.full((2, len(each)), np.nan)
    for p, one in enumerate(each):
        if len(known) > 1 and len(one.points):
            # Divided by their own last values, all of them end at exactly 1.
            sums = one.sums(known)
            ks[p], wasserstein[p] = between(sums / sums[:, -1:], np.diff(one.points))
    shape = scores.shape[:-1]
    return Distances(ks.reshape(shape), wasserstein.reshape(shape))


def between(functions: Floats, widths: Floats) -> tuple[Floats, Floats]:
    """Return the distances between functions of the scores: the seminorms behind both metrics.

    Parameters
    ----------
    functions : array of shape (..., G, T)
        Values at the distinct scores: distribution functions, or their errors.
    widths : array of shape (T - 1,)
        Differences of neighbouring scores.

    Returns
    -------
    ks, wasserstein : arrays of shape (...)
        The largest ones over pairs of groups.
    """
    groups = functions.shape[-2]
    if groups == 2:
        gap = np.abs(functions[..., 0, :] - functions[..., 1, :])
        return np.asarray(gap.max(axis=-1)), np.asarray((gap[..., :-1] * widths).sum(axis=-1))
    ks = (functions.max(axis=-2) - functions.min(axis=-2)).max(axis=-1)
    wasserstein = np.zeros_like(ks)
    for one, other in combinations(range(groups), 2):
        gap = np.abs(functions[..., one, :-1] - functions[..., other, :-1])
        wasserstein = np.maximum(wasserstein, (gap * widths).sum(axis=-1))
    return np.asarray(ks), wasserstein


def thinned(shares: Floats, most: int) -> NDArray[np.intp]:
    """Return the points to keep of a distribution function (T,): all, or so many at equal steps.

    The last point is among them.
    """
    if len(shares) <= most:
        return np.arange(len(shares))
    steps = np.arange(1, most + 1) / most
    # Rounding, or a last point without weight, may reach 1 before the last point.
    return np.unique(np.append(np.searchsorted(shares, steps[:-1]), len(shares) - 1))


def chance_draws(
    scores: Floats, weights: Floats, seed: int = 0, thresholds: Thresholds | None = None
) -> Distances:
    """Return simulated distances between groups to which the rows belong by chance.

    The error of a group's distribution function is close to a Brownian bridge over the common one,
    divided by the square root of the group's effective number of rows, (Σ w)² / Σ w² (Kish, 1965).

    Parameters
    ----------
    scores : array of shape (N,)
        Whose common distribution it is, with its ties.
    weights : array of shape (G, N)
        Weight of each row in each group.
    seed : int, default 0
        Of the bridges.
    thresholds : Thresholds, optional
        Those of the scores, if they are known.

    Returns
    -------
    Distances
        Of shape (B,), `DRAWS` or less; nan where fewer than two groups have weight or a score is not
        finite.
    """
    known = weights[weights.sum(axis=-1) > 0]
    found = thresholds or Thresholds.of(scores)
    if len(known) < 2 or not len(found.points):
        nothing = np.full(DRAWS, np.nan)
        return Distances(nothing, nothing)
    # Sorted, so that the groups' codes do not matter.
    variance = np.sort((known**2).sum(axis=-1) / known.sum(axis=-1) ** 2)
    sums = found.sums(known.sum(axis=0))
    # Rows without weight are no points.
    counted = np.diff(sums, prepend=0.0) > 0
    points, shares = found.points[counted], sums[counted] / sums[-1]
    kept = thinned(shares, POINTS)
    bridges = _bridges(shares[kept], 1 if len(known) == 2 else len(known), seed)
    if len(known) == 2:
        # The difference of two bridges is one, with the sum of their variances.
        errors = np.concatenate([bridges * np.sqrt(variance.sum()), np.zeros_like(bridges)], axis=1)
    else:
        errors = bridges * np.sqrt(variance)[:, None]
    ks, wasserstein = between(errors, np.diff(points[kept]))
    if len(kept) < len(shares):
        ks = ks + DISCRETE_MAXIMUM * np.sqrt(variance[-2:].sum() / len(kept))
    return Distances(np.minimum(ks, 1.0), wasserstein)


def _bridges(shares: Floats, groups: int, seed: int) -> Floats:
    """Return Brownian bridges at points of [0, 1], the last of which is 1: shape (B, G, T)."""
    steps = _normals(groups, len(shares), seed) * np.sqrt(np.diff(shares, prepend=0.0))
    paths = np.cumsum(steps, axis=-1)
    return np.asarray(paths - shares * paths[..., -1:])


@lru_cache(maxsize=4)
def _normals(groups: int, points: int, seed: int) -> Floats:
    """Return standard normals, the same for all models of one size."""
    generator = numpy_generator(seed, "chance distances")
    return np.asarray(generator.standard_normal((DRAWS // groups, groups, points)))
