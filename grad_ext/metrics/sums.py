"""Weighted means of predictions by class and group: every metric is a function of them.

`Means` lists the means that the formulas in `grad_ext.metrics.registry` take. `Predictions` computes
them from rows, in numpy or, for predictions that lie on a device, in torch; the bootstrap has its
own, from resampled sums. P models are computed in one call, shape (..., N) with N rows, and each of
them gets the same bits as alone: a matrix product would choose its order of additions by the shape.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from numpy.typing import NDArray

from grad_ext.errors import InputError
from grad_ext.metrics.distributions import (
    Distances,
    Thresholds,
    chance_draws,
    distances,
    stacked,
)

if TYPE_CHECKING:
    from torch import Tensor

    from grad_ext.metrics.neighbors import NeighborGraph

Floats = NDArray[np.float64]

# Bins of a continuous attribute, and the fewer ones that are compared in pairs.
BINS = 10
FIFTHS = 5
# Rows of predictions on a device that are converted to float64 at once.
BLOCK_ROWS = 4096


@dataclass(frozen=True)
class Cells:
    """Means of a quantity over cells of rows, such as the groups of an attribute.

    Attributes
    ----------
    weight : array of shape (..., G)
        Total weight of the rows in each cell.
    mean : array of shape (..., G)
        Weighted mean in each cell, with the models on the axes before it; nan without weight.
    """

    weight: Floats
    mean: Floats


@dataclass(frozen=True)
class Groups:
    """The groups of one protected attribute; of a continuous attribute, its bins.

    Attributes
    ----------
    name : str
        The attribute's.
    kind : {'binary', 'categorical', 'continuous'}
        Two groups, 1 being the privileged; groups without an order; or a number.
    codes : array of shape (N,)
        Group of each row, nan where it is missing.
    values : array of shape (G,)
        Codes of the groups.
    fifths : Groups, optional
        Of a continuous attribute, five groups of equally many rows by size.
    numbers : array of shape (N,), optional
        The values of a continuous attribute, nan where they are missing.
    """

    name: str
    kind: Literal["binary", "categorical", "continuous"]
    codes: Floats
    values: Floats
    fifths: Groups | None = None
    numbers: Floats | None = None

    @classmethod
    def of(cls, name: str, kind: str, column: Floats) -> Groups:
        """Return the groups of a column of group codes, or of numbers, of shape (N,)."""
        if kind == "binary":
            return cls(name, "binary", column, np.array([0.0, 1.0]))
        if kind == "continuous":
            codes, fifths = bins(column), cls.of(name, "categorical", bins(column, FIFTHS))
            return cls(name, "continuous", codes, _values(codes), fifths, column)
        return cls(name, "categorical", column, _values(column))

    @property
    def continuous(self) -> bool:
        """Whether the groups are bins of a number."""
        return self.kind == "continuous"

    @property
    def compared(self) -> Groups:
        """The groups that are compared in pairs: of a continuous attribute its fifths."""
        return self.fifths or self

    @property
    def has_sign(self) -> bool:
        """Whether there are two groups, so that their difference has a sign."""
        return not self.continuous and len(self.values) == 2

    @property
    def member(self) -> Floats:
        """1 where a row belongs to a group, else 0: shape (G, N)."""
        return np.equal.outer(self.values, self.codes).astype(np.float64)

    def effective_sizes(self, weight: Floats | None) -> tuple[Floats, Floats]:
        """Return the effective number of rows of each group that has any, and its share of the weight.

        (Σ w)² / Σ w² of the weights (N,) of its rows (Kish, 1965); without weights the number of rows.
        """
        known = ~np.isnan(self.codes)
        if weight is not None:
            known &= weight > 0
        which = np.unique(self.codes[known], return_inverse=True)[1]
        w = None if weight is None else weight[known]
        total = np.bincount(which, weights=w).astype(np.float64)
        squares = total if w is None else np.bincount(which, weights=w**2)
        return total**2 / squares, total / total.sum()


def _values(codes: Floats) -> Floats:
    return np.unique(codes[~np.isnan(codes)])


def bins(column: Floats, count: int = BINS) -> Floats:
    """Return the number of each row's bin, `count` of equally many rows; nan stays nan."""
    present = ~np.isnan(column)
    if not present.any():
        return column
    edges = np.unique(np.quantile(column[present], np.linspace(0, 1, count + 1)[1:-1]))
    return np.where(present, np.searchsorted(edges, column, side="right"), np.nan)


class Means(ABC):
    """The means that metrics are functions of.

    Attributes
    ----------
    groups : tuple of Groups
        The protected attributes.
    """

    groups: tuple[Groups, ...]

    @property
    def labels(self) -> Means:
        """The means of the predicted labels, where metrics of labels stand beside those of scores."""
        return self

    @property
    @abstractmethod
    def error(self) -> Floats:
        """Mean |y - ŷ|, shape (...), weighted as the target's loss."""

    @property
    @abstractmethod
    def recall(self) -> Floats:
        """Mean 1 - |y - ŷ| among the rows of class 0 and of class 1, shape (..., 2)."""

    @property
    @abstractmethod
    def positive(self) -> Floats:
        """Mean ŷ, shape (...)."""

    @property
    @abstractmethod
    def base_rate(self) -> Floats:
        """Mean y, of a shape that broadcasts with (...)."""

    @property
    @abstractmethod
    def by_group(self) -> tuple[Cells, ...]:
        """Mean ŷ in the groups of each attribute, shape (..., G)."""

    @property
    @abstractmethod
    def by_class_and_group(self) -> tuple[Cells, ...]:
        """Mean ŷ among the rows of a class and a group, for each attribute, shape (..., 2, G)."""

    @property
    @abstractmethod
    def by_fifth(self) -> tuple[Cells, ...]:
        """Mean ŷ in the groups that are compared, for each attribute; see `Groups.compared`."""

    @property
    def correlations(self) -> tuple[Floats, ...]:
        """Correlation of ŷ with each attribute that is continuous, shape (...), if rows are known."""
        raise InputError("expected rows, got sums over them")

    @property
    @abstractmethod
    def has_neighbors(self) -> bool:
        """Whether the neighbours of the rows are known."""

    @property
    @abstractmethod
    def neighbor_gap(self) -> Floats:
        """Mean |ŷ - mean ŷ of the neighbours|, shape (...), if these are known."""

    @property
    @abstractmethod
    def has_scores(self) -> bool:
        """Whether the scores behind the predicted labels are known."""

    @property
    @abstractmethod
    def score_distances(self) -> tuple[Distances, ...]:
        """Distances between the groups' scores for each attribute, shape (...), if these are known."""

    @property
    @abstractmethod
    def score_distances_by_class(self) -> tuple[Distances, ...]:
        """The same among the rows of class 0 and of class 1, shape (..., 2)."""

    @property
    def row_weight(self) -> Floats | None:
        """Weights of the rows, shape (N,), if they are known and not all equal."""
        return None

    @property
    def chance_distances(self) -> tuple[Distances, ...]:
        """Distances expected by chance for each attribute, shape (...), if the rows are known."""
        raise InputError("expected rows, got sums over them")


@dataclass(frozen=True)
class Predictions(Means):
    """Predictions of one model or several, and what is known of the rows.

    Attributes
    ----------
    predicted : array or Tensor of shape (..., N)
        Labels or scores, float64; a tensor may lie on any device and hold any type.
    y : array of shape (N,) or None
        Labels, 0 or 1, for the metrics that need them.
    weight : array of shape (N,)
        Instance weights.
    groups : tuple of Groups
        The protected attributes.
    target_weight : array of shape (N,), optional
        Weights in the accuracy, `weight` if not given (class weights make them differ).
    graph : NeighborGraph, optional
        Of the rows.
    neighbor_weight : array of shape (N,), optional
        Weights in Consistency, 1 each if not given.
    label_predictions : Predictions, optional
        The labels where `predicted` are scores and some metrics are those of labels.
    scores : array of shape (..., N), optional
        Scores, or predicted numbers, whose distributions are compared.
    """

    predicted: Floats | Tensor
    y: Floats | None
    weight: Floats
    groups: tuple[Groups, ...] = ()
    target_weight: Floats | None = None
    graph: NeighborGraph | None = None
    neighbor_weight: Floats | None = None
    label_predictions: Predictions | None = None
    scores: Floats | None = None

    @property
    def labels(self) -> Means:
        """The means of the predicted labels."""
        return self.label_predictions or self

    @cached_property
    def error(self) -> Floats:
        """Mean |y - ŷ|, shape (...)."""
        weight = self.weight if self.target_weight is None else self.target_weight
        return cell_means(self.predicted, weight[None], self.true, _error).mean[..., 0]

    @cached_property
    def recall(self) -> Floats:
        """Mean 1 - |y - ŷ| among the rows of either class, shape (..., 2)."""
        return cell_means(self.predicted, self.weight * self._classes, self.true, _right).mean

    @cached_property
    def positive(self) -> Floats:
        """Mean ŷ, shape (...)."""
        return cell_means(self.predicted, self.weight[None]).mean[..., 0]

    @cached_property
    def base_rate(self) -> Floats:
        """Mean y, shape ()."""
        return cell_means(self.true, self.weight[None]).mean[..., 0]

    @cached_property
    def by_group(self) -> tuple[Cells, ...]:
        """Mean ŷ in the groups of each attribute, shape (..., G)."""
        return tuple(self._cells(groups, np.ones((1, len(self.weight)))) for groups in self.groups)

    @cached_property
    def by_class_and_group(self) -> tuple[Cells, ...]:
        """Mean ŷ among the rows of a class and a group, for each attribute, shape (..., 2, G)."""
        cells = []
        for groups in self.groups:
            flat, shape = self._cells(groups, self._classes), (2, len(groups.values))
            mean = flat.mean.reshape(*flat.mean.shape[:-1], *shape)
            cells.append(Cells(flat.weight.reshape(shape), mean))
        return tuple(cells)

    @cached_property
    def by_fifth(self) -> tuple[Cells, ...]:
        """Mean ŷ in the groups that are compared, shape (..., G)."""
        ones = np.ones((1, len(self.weight)))
        return tuple(self._cells(groups.compared, ones) for groups in self.groups)

    @cached_property
    def correlations(self) -> tuple[Floats, ...]:
        """Correlation of ŷ with each attribute, shape (...); nan if it is not continuous or constant."""
        return tuple(self._correlation(groups.numbers) for groups in self.groups)

    def _correlation(self, numbers: Floats | None) -> Floats:
        if numbers is None or np.isnan(numbers).all():
            return np.full(self.predicted.shape[:-1], np.nan)
        rows = np.flatnonzero(~np.isnan(numbers))
        predicted, w, x = self.predicted[..., rows], self.weight[None, rows], numbers[rows]
        centred = x - cell_means(x, w).mean[0]
        mean, both, square = (
            cell_means(predicted, w, centred, quantity).mean[..., 0]
            for quantity in (lambda p, t: p, lambda p, t: p * t, lambda p, t: p * p)
        )
        spread = cell_means(centred * centred, w).mean[0]
        with np.errstate(divide="ignore", invalid="ignore"):
            found = both / np.sqrt(np.maximum(square - mean * mean, 0.0) * spread)
        return np.where(np.isfinite(found), np.clip(found, -1.0, 1.0), np.nan)

    @property
    def has_neighbors(self) -> bool:
        """Whether there is a graph."""
        return self.graph is not None

    @cached_property
    def neighbor_gap(self) -> Floats:
        """Mean |ŷ - mean ŷ of the neighbours|, shape (...)."""
        if self.graph is None:
            raise InputError("expected a graph of neighbours, got none")
        weight = np.ones(len(self.weight)) if self.neighbor_weight is None else self.neighbor_weight
        predicted = np.asarray(self.predicted)
        return cell_means(abs(predicted - self.graph.mean(predicted)), weight[None]).mean[..., 0]

    @property
    def has_scores(self) -> bool:
        """Whether there are scores."""
        return self.scores is not None

    @property
    def row_weight(self) -> Floats | None:
        """Weights of the rows, None if they are all equal."""
        return None if (self.weight == self.weight[0]).all() else self.weight

    @cached_property
    def score_distances(self) -> tuple[Distances, ...]:
        """Distances between the groups' scores for each attribute, shape (...)."""
        scores, every = self._known_scores, np.ones(len(self.weight))
        return tuple(
            distances(scores, self.in_groups(g, every), self._thresholds) for g in self.groups
        )

    @cached_property
    def score_distances_by_class(self) -> tuple[Distances, ...]:
        """The same among the rows of class 0 and of class 1, shape (..., 2)."""
        scores = self._known_scores
        return tuple(
            stacked(
                [
                    distances(scores, self.in_groups(g, rows), self._thresholds)
                    for rows in self._classes
                ]
            )
            for g in self.groups
        )

    @cached_property
    def chance_distances(self) -> tuple[Distances, ...]:
        """Distances expected by chance for each attribute, shape (...)."""
        scores, every = self._known_scores, np.ones(len(self.weight))
        models = zip(scores.reshape(-1, scores.shape[-1]), self._thresholds, strict=True)
        each, expected = list(models), []
        for g in self.groups:
            weights = self.in_groups(g, every)
            draws = [chance_draws(one, weights, thresholds=at) for one, at in each]
            means = ([d.ks.mean() for d in draws], [d.wasserstein.mean() for d in draws])
            expected.append(Distances(*(np.array(m).reshape(scores.shape[:-1]) for m in means)))
        return tuple(expected)

    def in_groups(self, groups: Groups, rows: Floats) -> Floats:
        """Return the weight of each row in each group that is compared, 0 outside `rows`: (G, N)."""
        return np.asarray(self.weight * rows * groups.compared.member)

    @cached_property
    def _thresholds(self) -> list[Thresholds]:
        """Each model's scores in order, which all attributes and classes share."""
        scores = self._known_scores
        return [Thresholds.of(one) for one in scores.reshape(-1, scores.shape[-1])]

    @property
    def _known_scores(self) -> Floats:
        if self.scores is None:
            raise InputError("expected scores, got none")
        return self.scores

    @property
    def true(self) -> Floats:
        """The labels.

        Raises
        ------
        InputError
            If there are none.
        """
        if self.y is None:
            raise InputError("y_true: expected labels, got none")
        return self.y

    @property
    def _classes(self) -> Floats:
        """1 where a row is of class 0, and of class 1, else 0: shape (2, N)."""
        return np.stack([1.0 - self.true, self.true])

    def _cells(self, groups: Groups, classes: Floats) -> Cells:
        """Return the means over the cells of some classes (C, N) and all groups, (..., C · G)."""
        # Rows without the attribute are left out, not weighted by 0: the sums round otherwise.
        present = ~np.isnan(groups.codes)
        rows = slice(None) if present.all() else np.flatnonzero(present)
        weights = (self.weight * classes)[:, None, rows] * groups.member[:, rows]
        # Contiguous, since sums over strided rows add in another order.
        c, g, n = weights.shape
        flat = np.ascontiguousarray(weights).reshape(c * g, n)
        return cell_means(self.predicted[..., rows], flat)


def _error(predicted: Any, true: Any) -> Any:
    return abs(true - predicted)


def _right(predicted: Any, true: Any) -> Any:
    return 1.0 - abs(true - predicted)


def cell_means(
    predicted: Floats | Tensor,
    weights: Floats,
    true: Floats | None = None,
    quantity: Callable[[Any, Any], Any] | None = None,
) -> Cells:
    """Return the weighted means of a quantity over cells of rows.

    Parameters
    ----------
    predicted : array or Tensor of shape (..., N)
        Predictions, float64 if an array.
    weights : array of shape (M, N)
        Weight of each row in each cell.
    true : array of shape (N,), optional
        What `quantity` compares the predictions with.
    quantity : callable, optional
        Function of predictions and `true`, written with operations that numpy and torch share; the
        predictions themselves if not given.

    Returns
    -------
    Cells
        Of shapes (M,) and (..., M). A quantity that is the same for all rows has that value as its
        mean exactly.
    """
    if isinstance(predicted, np.ndarray):
        sums, first, constant = _sums(predicted, weights, true, quantity)
    else:
        sums, first, constant = _device_sums(predicted, weights, true, quantity)
    total = weights.sum(axis=-1)
    with np.errstate(divide="ignore", invalid="ignore"):
        mean = np.where(constant[..., None], first[..., None], sums / total)
    return Cells(total, np.where(total > 0, mean, np.nan))


def _sums(
    predicted: Floats,
    weights: Floats,
    true: Floats | None,
    quantity: Callable[[Any, Any], Any] | None,
) -> tuple[Floats, Floats, NDArray[np.bool_]]:
    """Return sums (..., M), the first row's values (...), and whether all rows have the same."""
    values = np.ascontiguousarray(predicted if quantity is None else quantity(predicted, true))
    sums = np.empty((*values.shape[:-1], len(weights)))
    for m, weight in enumerate(weights):
        sums[..., m] = (values * weight).sum(axis=-1)
    # Without rows (the attribute is always missing) there is no first one.
    first = values[..., 0] if values.shape[-1] else np.full(values.shape[:-1], np.nan)
    return sums, first, (values == first[..., None]).all(axis=-1)


def _device_sums(
    predicted: Tensor,
    weights: Floats,
    true: Floats | None,
    quantity: Callable[[Any, Any], Any] | None,
) -> tuple[Floats, Floats, NDArray[np.bool_]]:
    """Return what `_sums` does, computed on the tensor's device in blocks of rows."""
    import torch

    device, rows = predicted.device, predicted.shape[-1]
    weight = torch.from_numpy(weights).to(device)
    truth = None if true is None else torch.from_numpy(true).to(device)
    sums = predicted.new_zeros((*predicted.shape[:-1], len(weights)), dtype=torch.float64)
    first = torch.full_like(sums[..., :1], torch.nan)
    constant = torch.ones_like(first, dtype=torch.bool)
    for start in range(0, rows, BLOCK_ROWS):
        block = slice(start, start + BLOCK_ROWS)
        values = predicted[..., block].double()
        if quantity is not None and truth is not None:
            values = quantity(values, truth[block])
        if start == 0:
            first = values[..., :1]
        sums += values @ weight[:, block].T
        constant &= (values == first).all(-1, keepdim=True)
    # One transfer: the process waits for the device once.
    joined = torch.cat([sums, first, constant.double()], dim=-1).cpu().numpy()
    return joined[..., :-2], joined[..., -2], joined[..., -1] > 0
