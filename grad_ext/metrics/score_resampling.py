"""Resamples of distances between the groups' distributions of scores.

Both distances are seminorms of the groups' distribution functions, so that the distance of the sample
misses the true one by at most the distance between the errors of these functions
(`grad_ext.metrics.error_bounds`): that is what is resampled. Functions are compared at up to `POINTS`
scores, which is exact for so many distinct ones.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from grad_ext.metrics.distributions import (
    Distances,
    Thresholds,
    between,
    stacked,
    thinned,
)
from grad_ext.metrics.resampling import Resamples, Units
from grad_ext.metrics.sums import Predictions

Floats = NDArray[np.float64]
# Kolmogorov-Smirnov and Wasserstein distances of some resamples.
Pair = tuple[Floats, Floats]

# The maximum over so many points of a smooth function is close to that over all.
POINTS = 1024


@dataclass(frozen=True)
class Functions:
    """The groups' distribution functions of scores, as a function of the units that are drawn.

    Attributes
    ----------
    sums : sparse array of shape (U, G · T)
        Weight of each unit in each group and step of the functions.
    groups : int
        G, the groups that have weight.
    widths : array of shape (T - 1,)
        Differences of neighbouring scores.
    """

    sums: sparse.csr_array
    groups: int
    widths: Floats

    @classmethod
    def of(cls, scores: Floats, weights: Floats, units: Units, points: Floats) -> Functions:
        """Return the functions of one model's scores, (N,), of groups (G, N), at some points."""
        known = weights[weights.sum(axis=-1) > 0]
        # The first point at which a row is counted.
        place = np.searchsorted(points, scores)
        columns = np.arange(len(known))[:, None] * len(points) + place
        at = np.broadcast_to(units.of_row, columns.shape)
        shape = units.count, len(known) * len(points)
        sums = sparse.coo_array((known.ravel(), (at.ravel(), columns.ravel())), shape=shape)
        return cls(sums.tocsr(), len(known), np.diff(points))

    def of_counts(self, counts: Floats) -> Floats:
        """Return the functions (B, G, T) in resamples of so many of each unit, (B, U)."""
        return self.of_sums(np.asarray(counts @ self.sums))

    def of_sums(self, sums: Floats) -> Floats:
        """Return the functions (B, G, T) of sums (B, G · T); nan for a group without weight."""
        totals = np.cumsum(sums.reshape(len(sums), self.groups, -1), axis=-1)
        with np.errstate(divide="ignore", invalid="ignore"):
            return np.asarray(totals / totals[..., -1:])


def points_of(thresholds: Thresholds, weights: Floats) -> Floats:
    """Return the scores at which the functions of rows of weights (N,) are compared."""
    sums = thresholds.sums(weights)
    return thresholds.points[thinned(sums / sums[-1], POINTS)]


def _strata(rows: Predictions) -> Iterator[list[Floats]]:
    """Yield for each attribute the weights of all rows, and of those of class 0 and 1, (G, N)."""
    strata = [np.ones(len(rows.weight)), 1.0 - rows.true, rows.true]
    for groups in rows.groups:
        yield [rows.in_groups(groups, stratum) for stratum in strata]


def resampled_errors(rows: Predictions, units: Units, resamples: int, seed: int) -> Resamples:
    """Return the distances between the errors of the functions in each resample, (B, P)."""
    models = np.atleast_2d(np.asarray(rows.scores))
    sorted_models = [Thresholds.of(scores) for scores in models]
    # Functions of each attribute, stratum and model, with those of the sample.
    parts = [
        [
            [_sample(s, at, w, units) for s, at in zip(models, sorted_models, strict=True)]
            for w in strata
        ]
        for strata in _strata(rows)
    ]
    errors: list[list[list[list[Pair]]]]
    errors = [[[[] for _ in of_models] for of_models in strata] for strata in parts]
    for counts in units.draws(resamples, seed):
        for of_attribute, strata in zip(errors, parts, strict=True):
            for of_stratum, of_models in zip(of_attribute, strata, strict=True):
                for found, part in zip(of_stratum, of_models, strict=True):
                    found.append(_errors(part, counts))
    by_attribute = [
        _joined([[_chunks(found) for found in of_models] for of_models in strata])
        for strata in errors
    ]
    return Resamples({}, rows.groups, tuple(by_attribute))


def _sample(
    scores: Floats, thresholds: Thresholds, weights: Floats, units: Units
) -> tuple[Functions, Floats] | None:
    """Return the functions, and their values in the sample; None if there is nothing to compare."""
    if (weights.sum(axis=-1) > 0).sum() < 2:
        return None
    points = points_of(thresholds, weights.sum(axis=0))
    functions = Functions.of(scores, weights, units, points)
    return functions, functions.of_counts(np.ones((1, units.count)))


def _errors(part: tuple[Functions, Floats] | None, counts: Floats) -> Pair:
    if part is None:
        return np.full(len(counts), np.nan), np.full(len(counts), np.nan)
    functions, sample = part
    return between(functions.of_counts(counts) - sample, functions.widths)


def _chunks(pairs: list[Pair]) -> Pair:
    """Return the distances of all chunks of resamples, (B,)."""
    ks, wasserstein = (np.concatenate(part) for part in zip(*pairs, strict=True))
    return ks, wasserstein


def swapped_distances(rows: Predictions, units: Units, resamples: int, seed: int) -> Resamples:
    """Return the distances of two models that have changed places in some units, (1 + B, 2).

    In the first resample none have.
    """
    models = np.asarray(rows.scores)
    by_attribute = [
        _joined([_swapped(models, w, units, resamples, seed) for w in strata])
        for strata in _strata(rows)
    ]
    return Resamples({}, rows.groups, tuple(by_attribute))


def _swapped(
    models: Floats, weights: Floats, units: Units, resamples: int, seed: int
) -> list[Pair]:
    if (weights.sum(axis=-1) > 0).sum() < 2:
        nothing = np.full(1 + resamples, np.nan)
        return [(nothing, nothing)] * 2
    # Both models' rows move along the same points.
    points = points_of(Thresholds.of(models.ravel()), np.tile(weights.sum(axis=0), 2))
    first, second = (Functions.of(scores, weights, units, points) for scores in models)
    moving = second.sums - first.sums
    one, other = (f.sums.sum(axis=0)[None] for f in (first, second))
    found: list[list[Pair]] = [[], []]
    for swaps in (np.zeros((1, units.count)), *units.swaps(resamples, seed)):
        moved = np.asarray(swaps @ moving)
        for values, sums in zip(found, (one + moved, other - moved), strict=True):
            values.append(between(first.of_sums(sums), first.widths))
    return [_chunks(values) for values in found]


def _joined(parts: list[list[Pair]]) -> tuple[Distances, Distances]:
    """Return distances (B, P) of all rows, and (B, P, 2) of either class, from (3, P) parts."""
    every, *classes = (
        Distances(*(np.stack(values, axis=-1) for values in zip(*models, strict=True)))
        for models in parts
    )
    return every, stacked(classes)
