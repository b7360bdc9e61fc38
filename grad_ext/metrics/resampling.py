"""Bootstrap resamples, and swaps of two models, of the means that metrics are functions of."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray
from scipy import sparse

from grad_ext.errors import InputError
from grad_ext.metrics.distributions import Distances
from grad_ext.metrics.registry import METRICS, deviations, evaluate_means
from grad_ext.metrics.sums import Cells, Groups, Means, Predictions
from grad_ext.seeds import numpy_generator

Floats = NDArray[np.float64]

# Bytes of the draws held at once.
CHUNK_BYTES = 16 * 2**20


@dataclass(frozen=True)
class Units:
    """The units of a resample: rows, or groups of rows.

    Attributes
    ----------
    of_row : int array of shape (N,)
        Number of each row's unit.
    count : int
        U, how many units there are.
    """

    of_row: NDArray[np.intp]
    count: int

    @classmethod
    def of(cls, groups: ArrayLike | None, n: int) -> Units:
        """Return the units of N rows: each row if no groups are given.

        Raises
        ------
        InputError
            If there is another number of groups than rows, or one is missing.
        """
        if groups is None:
            return cls(np.arange(n), n)
        given = np.asarray(groups)
        if given.shape != (n,):
            raise InputError(f"groups: expected shape ({n},), got {given.shape}")
        codes, values = pd.factorize(given)
        if (codes < 0).any():
            raise InputError(f"groups: expected one for every row, {(codes < 0).sum()} are missing")
        return cls(codes, len(values))

    def sums(self, values: Floats) -> Floats:
        """Return the sums within units, shape (..., U), of values of shape (..., N)."""
        n = len(self.of_row)
        if self.count == n:
            return values
        at = sparse.csr_array((np.ones(n), (np.arange(n), self.of_row)), shape=(n, self.count))
        return np.asarray(values.reshape(-1, n) @ at).reshape(*values.shape[:-1], self.count)

    def draws(self, resamples: int, seed: int) -> Iterator[Floats]:
        """Yield the number of times each unit is in each resample, in chunks of shape (B, U)."""
        generator = numpy_generator(seed, "bootstrap")
        for size in self._chunks(resamples):
            counts = np.empty((size, self.count))
            for row in counts:
                drawn = generator.integers(self.count, size=self.count)
                row[:] = np.bincount(drawn, minlength=self.count)
            yield counts

    def swaps(self, resamples: int, seed: int) -> Iterator[Floats]:
        """Yield 1 for each unit whose predictions change places, in chunks of shape (B, U)."""
        generator = numpy_generator(seed, "swaps")
        for size in self._chunks(resamples):
            swaps = np.empty((size, self.count))
            for row in swaps:
                bits = np.frombuffer(generator.bytes(self.count // 8 + 1), dtype=np.uint8)
                row[:] = np.unpackbits(bits, count=self.count)
            yield swaps

    def _chunks(self, resamples: int) -> Iterator[int]:
        step = max(1, CHUNK_BYTES // (8 * len(self.of_row)))
        for start in range(0, resamples, step):
            yield min(step, resamples - start)


@dataclass(frozen=True)
class Resamples(Means):
    """Means of B resamples; metrics have shape (B, P).

    Attributes
    ----------
    sums : mapping of str to array
        Sums over rows, of shape (B, ...) if of weights and (B, ..., P) if of predictions; empty if
        only distances are resampled.
    groups : tuple of Groups
        The protected attributes.
    distances : tuple of pairs of Distances, optional
        Those between the groups' scores for each attribute: of all rows, (B, P), and of the rows of
        either class, (B, P, 2).
    """

    sums: Mapping[str, Floats]
    groups: tuple[Groups, ...]
    distances: tuple[tuple[Distances, Distances], ...] | None = None

    @cached_property
    def error(self) -> Floats:
        """Mean |y - ŷ|, shape (B, P)."""
        return _ratio(self.sums["class error"].sum(axis=1), self._total)

    @cached_property
    def recall(self) -> Floats:
        """Mean 1 - |y - ŷ| among the rows of either class, shape (B, P, 2)."""
        error = _ratio(self.sums["class error"], self.sums["class"][..., None])
        return 1.0 - np.moveaxis(error, 1, -1)

    @cached_property
    def positive(self) -> Floats:
        """Mean ŷ, shape (B, P)."""
        return _ratio(self.sums["class score"].sum(axis=1), self._total)

    @cached_property
    def base_rate(self) -> Floats:
        """Mean y, shape (B, 1)."""
        return _ratio(self.sums["class"][:, 1:], self._total)

    @cached_property
    def by_group(self) -> tuple[Cells, ...]:
        """Mean ŷ in the groups of each attribute, shape (B, P, G)."""
        return tuple(self._cells(f"group {k}") for k in range(len(self.groups)))

    @cached_property
    def by_class_and_group(self) -> tuple[Cells, ...]:
        """Mean ŷ in classes and groups, shape (B, P, 2, G); no cells if no metric needs them."""
        none = Cells(np.zeros((0, 2, 0)), np.zeros((0, 0, 2, 0)))
        names = (f"class and group {k}" for k in range(len(self.groups)))
        return tuple(self._cells(name) if name in self.sums else none for name in names)

    @cached_property
    def by_fifth(self) -> tuple[Cells, ...]:
        """Mean ŷ in the fifths of each continuous attribute, shape (B, P, 5); no cells of others."""
        none = Cells(np.zeros((0, 0)), np.zeros((0, 0, 0)))
        names = (f"fifth {k}" for k in range(len(self.groups)))
        return tuple(self._cells(name) if name in self.sums else none for name in names)

    @property
    def has_neighbors(self) -> bool:
        """Whether the gaps to the neighbours were summed."""
        return "gap" in self.sums

    @cached_property
    def neighbor_gap(self) -> Floats:
        """Mean |ŷ - mean ŷ of the neighbours|, shape (B, P)."""
        return _ratio(self.sums["gap"], self._total)

    @property
    def has_scores(self) -> bool:
        """Whether there are distances between the groups' scores."""
        return self.distances is not None

    @property
    def score_distances(self) -> tuple[Distances, ...]:
        """Distances between the groups' scores for each attribute, shape (B, P)."""
        return tuple(every for every, _ in self.distances or ())

    @property
    def score_distances_by_class(self) -> tuple[Distances, ...]:
        """The same among the rows of class 0 and of class 1, shape (B, P, 2)."""
        return tuple(by_class for _, by_class in self.distances or ())

    @property
    def _total(self) -> Floats:
        """Weight of all rows, shape (B, 1)."""
        return np.asarray(self.sums["class"].sum(axis=1)[:, None])

    def _cells(self, name: str) -> Cells:
        weight = self.sums[name]
        mean = _ratio(self.sums[f"{name} score"], weight[..., None])
        return Cells(np.expand_dims(weight, 1), np.moveaxis(mean, -1, 1))

    @cached_property
    def metrics(self) -> dict[str, Floats]:
        """Every metric that has an interval, of shape (B, P)."""
        return evaluate_means(self, lambda m: bool(m.cells) and (m.scores or bool(self.sums)))

    @cached_property
    def vectors(self) -> list[Floats]:
        """For each attribute the vectors (B, P, G) that Discrimination is the seminorm of."""
        return [_vectors(g, cells) for g, cells in zip(self.groups, self.by_group, strict=True)]


def _vectors(groups: Groups, cells: Cells) -> Floats:
    """Return the vectors (B, P, G) that Discrimination is the seminorm of.

    The groups' means; or the bins' shares times the differences of their means from the mean of all.
    """
    if not groups.continuous:
        return cells.mean
    parts = _ratio(cells.weight, cells.weight.sum(axis=-1, keepdims=True)) * deviations(cells)
    return np.where((cells.weight > 0).sum(axis=-1, keepdims=True) < 2, np.nan, parts)


def cell_weights(rows: Predictions) -> dict[str, Floats]:
    """Return the rows' weights in each class and group, shapes (..., N).

    In each class and group at once only if a metric of that kind of attribute needs them.
    """
    crossed = [
        metric
        for metric in METRICS.values()
        if any(cell.endswith("class and group") for cell in metric.cells)
    ]
    classes = np.stack([1.0 - rows.true, rows.true])
    weights = {"class": rows.weight * classes}
    for k, groups in enumerate(rows.groups):
        weights[f"group {k}"] = rows.weight * groups.member
        if groups.fifths is not None:
            weights[f"fifth {k}"] = rows.weight * groups.fifths.member
        if any(metric.applies_to(groups) for metric in crossed):
            weights[f"class and group {k}"] = rows.weight * classes[:, None] * groups.member
    return weights


def _scores(rows: Predictions) -> dict[str, Floats]:
    """Return the rows' weighted predictions and errors, shapes (..., P, N)."""
    predicted = np.asarray(rows.predicted)
    error = np.abs(rows.true - predicted)
    scores = {}
    for name, weight in cell_weights(rows).items():
        scores[f"{name} score"] = weight[..., None, :] * predicted
        if name == "class":
            scores["class error"] = weight[..., None, :] * error
    if rows.graph is not None:
        scores["gap"] = rows.weight * np.abs(predicted - rows.graph.mean(predicted))
    return scores


def _stacked(quantities: Mapping[str, Floats], units: Units) -> Floats:
    """Return quantities of shapes (..., N), summed within units, side by side: shape (U, M)."""
    flat = np.concatenate([v.reshape(-1, v.shape[-1]) for v in quantities.values()])
    return np.ascontiguousarray(units.sums(flat).T)


def _named(totals: Floats, quantities: Mapping[str, Floats]) -> dict[str, Floats]:
    """Return the sums that are side by side in `totals`, shape (B, M), by name: (B, ...)."""
    shapes = {name: values.shape[:-1] for name, values in quantities.items()}
    ends = np.cumsum([int(np.prod(shape)) for shape in shapes.values()])[:-1]
    parts = np.split(totals, ends, axis=1)
    return {
        name: part.reshape(len(totals), *shape)
        for (name, shape), part in zip(shapes.items(), parts, strict=True)
    }


def resampled(
    rows: Predictions, units: Units, resamples: int, seed: int
) -> tuple[Resamples, Resamples]:
    """Return the means of the sample (as one resample), and of the bootstrap's resamples."""
    quantities = cell_weights(rows) | _scores(rows)
    stacked = _stacked(quantities, units)
    drawn = np.concatenate([counts @ stacked for counts in units.draws(resamples, seed)])
    once, again = (_named(t, quantities) for t in (stacked.sum(axis=0, keepdims=True), drawn))
    return Resamples(once, rows.groups, _distances(rows)), Resamples(again, rows.groups)


def _distances(rows: Predictions) -> tuple[tuple[Distances, Distances], ...] | None:
    """Return the distances of the sample as one resample."""
    if not rows.has_scores:
        return None
    both = zip(rows.score_distances, rows.score_distances_by_class, strict=True)
    return tuple(
        (
            Distances(every.ks[None], every.wasserstein[None]),
            Distances(by_class.ks[None], by_class.wasserstein[None]),
        )
        for every, by_class in both
    )


def swapped(rows: Predictions, units: Units, resamples: int, seed: int) -> Resamples:
    """Return the means of two models that have changed places in some units.

    A row's contribution to a sum changes places with its prediction, except for the gap to its
    neighbours: that depends on which of theirs have, so it is computed again.
    """
    graph, (first, second) = rows.graph, np.asarray(rows.predicted)
    scores = _scores(rows)
    scores.pop("gap", None)
    differ = {name: values[..., 1, :] - values[..., 0, :] for name, values in scores.items()}
    stacked = _stacked(differ, units)
    of_first, of_second = (first, second) if graph is None else graph.mean(rows.predicted)
    totals, gaps = [], []
    for swaps in units.swaps(resamples, seed):
        totals.append(swaps @ stacked)
        if graph is not None:
            moved = swaps[:, units.of_row] * (second - first)
            near = graph.mean(moved)
            one = np.abs(first + moved - of_first - near) @ rows.weight
            other = np.abs(second - moved - of_second + near) @ rows.weight
            gaps.append(np.stack([one, other], axis=-1))
    sums = {name: values.sum(axis=-1)[None] for name, values in cell_weights(rows).items()}
    for name, moved in _named(np.concatenate(totals), differ).items():
        one, other = np.moveaxis(scores[name].sum(axis=-1), -1, 0)
        sums[name] = np.stack([one + moved, other - moved], axis=-1)
    if graph is not None:
        sums["gap"] = np.concatenate(gaps)
    return Resamples(sums, rows.groups)


def _ratio(above: Floats, below: Floats) -> Floats:
    """Return means from sums: nan without weight; rounded, so that a constant's is that constant."""
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.round(above / below, 13)
