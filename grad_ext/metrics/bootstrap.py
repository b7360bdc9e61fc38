"""How far metrics are off by the choice of the rows: bootstrap intervals, and a paired test.

Every metric is a function of sums over rows, so a resample needs no second look at them: each row's
quantities are summed within its unit (itself, or all the rows of one patient), and one product of
how often each unit was drawn with those sums serves all metrics, all models and many resamples.

Discrimination is a magnitude: resampled magnitudes lie above the sample's, and their percentiles
never reach 0. But it is a seminorm ‖·‖ of the groups' means: their range; of a continuous attribute
the sum of the bins' magnitudes; of several attributes the mean. So |‖m‖ - ‖μ‖| <= ‖m - μ‖ for the
means m of the sample and any true μ, and how large the right side gets is what the bootstrap knows:
it bounds the error. For two groups this is the interval of the signed difference, folded at 0.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray
from scipy import sparse

from grad_ext.checks import sample_weights
from grad_ext.data.sensitive import attributes_of, numbers, sensitive_frame
from grad_ext.errors import InputError
from grad_ext.metrics.group import _binary, _rows, _weights, bins
from grad_ext.metrics.neighbors import NeighborGraph, neighbor_graph
from grad_ext.seeds import numpy_generator

Floats = NDArray[np.float64]

LEVEL = 0.95
RESAMPLES = 1000
# A mean over fewer units has no interval: drawing again from so few tells nothing of the others.
FEWEST = 10
# Bytes of the draws held at once.
CHUNK_BYTES = 16 * 2**20
# Statistics that differ by less are equal, but for rounding.
ROUNDING = 1e-12


def intervals(
    y_true: ArrayLike,
    y_pred: ArrayLike,
    *,
    sensitive_features: Any,
    X: ArrayLike | None = None,
    graph: NeighborGraph | None = None,
    sample_weight: ArrayLike | None = None,
    continuous: Sequence[str | int] = (),
    groups: ArrayLike | None = None,
    level: float = LEVEL,
    resamples: int = RESAMPLES,
    seed: int = 0,
) -> pd.DataFrame:
    """Return every metric with its bootstrap confidence interval.

    What varies is the choice of the rows. The model is held fixed, and so are the neighbours of a
    row and the bins of a continuous attribute. The intervals are percentile intervals (Efron and
    Tibshirani, 1993, "An Introduction to the Bootstrap", chapter 13), except where Discrimination,
    a magnitude, is involved:

    - Discrimination of two groups: the symmetric interval of the signed difference, folded at 0. Of
      more groups: the largest low and the largest high end of such intervals for all pairs, which
      hold at once (Beran, 1988, "Balanced Simultaneous Confidence Sets", JASA 83).
    - Discrimination of a continuous attribute, and the mean over several attributes: the value,
      give or take the quantile of a bound of its error (see the module).
    - Delta and balanced Delta: likewise. Where two groups clearly differ, the error is that of the
      accuracy less that of the difference; else their magnitudes are added up. The high end is at
      most that of the accuracy.

    The last two, and those of more than two groups, are rather too wide than too narrow.

    A constant prediction has Discrimination 0 whatever the rows, and the interval [0, 0]: read
    balanced accuracy. Likewise no bootstrap doubts a group whose rows all got the same label.

    Parameters
    ----------
    y_true : array of shape (N,)
        Labels, 0 or 1.
    y_pred : array of shape (N,) or (P, N)
        Labels, or scores in [0, 1], of one model or of P.
    sensitive_features : array, Series, frame, list or mapping, of N rows
        A column an attribute; rows where it is missing do not count for it. Floats of many values
        are continuous, as they are to the estimators.
    X : array of shape (N, D), optional
        Where the rows lie, for Consistency, which is left out if there is neither `X` nor `graph`.
    graph : NeighborGraph, optional
        Instead of `X`: `grad_ext.neighbor_graph` of it.
    sample_weight : array of shape (N,), optional
        A row that is drawn twice counts with twice its weight.
    continuous : sequence of str or int, optional
        Continuous attributes, by name or by number of the column.
    groups : array of shape (N,), optional
        The unit of each row (its patient) where rows are not independent: units are drawn, with all
        their rows (Field and Welsh, 2007, "Bootstrapping clustered data", JRSS B 69). If not given,
        every row is a unit.
    level : float, default 0.95
        Confidence level.
    resamples : int, default 1000
        How many, at least 2 / (1 - `level`).
    seed : int, default 0
        The draws depend on it and on the number of units alone, so a model's intervals are the same
        whatever else is asked for.

    Returns
    -------
    pandas.DataFrame
        Columns ``estimate``, ``low`` and ``high``, a row a metric, by the names of results.csv. The
        toolkits' signed metrics are among them for attributes of 0 and 1 (the privileged). For P
        models the index has a level above, their number. The ends are nan where a mean is over
        fewer than 10 units, or is not defined in more than half of the resamples.

    Raises
    ------
    InputError
        If lengths differ, a label is not 0 or 1, a prediction not in [0, 1], a row has no unit, or
        the resamples are too few for the level.

    Examples
    --------
    >>> from grad_ext.metrics.bootstrap import intervals
    >>> y, labels, sex = [1, 0, 1, 1] * 25, [1, 0, 0, 1] * 25, [1, 1, 0, 0] * 25
    >>> table = intervals(y, labels, sensitive_features=sex)
    >>> [round(float(end), 2) for end in table.loc["accuracy"]]
    [0.75, 0.66, 0.83]
    """
    tail = _checked_tail(level, resamples)
    judged = _Judged.of(y_true, y_pred, sensitive_features, X, graph, sample_weight, continuous)
    units = _Units.of(groups, len(judged.y))
    sample, drawn = _resampled(judged, units, resamples, seed)
    errors = [
        column.errors(once, again, tail)
        for column, once, again in zip(judged.columns, sample.apart, drawn.apart, strict=True)
    ]
    low, high = _ends(judged, units, sample.metrics, drawn.metrics, errors, tail)
    for k, column in enumerate(judged.columns):
        name = f"discrimination_{column.name}"
        if len(column.member) > 2 and not column.continuous and not np.isnan(low[name]).any():
            low[name], high[name] = _pairs(sample.apart[k][0], drawn.apart[k], tail)
        if len(judged.columns) == 1:
            low["discrimination"], high["discrimination"] = low[name], high[name]
    for name in sample.metrics:
        if name.startswith("discrimination"):
            low[name], high[name] = np.maximum(low[name], 0.0), np.minimum(high[name], 1.0)
    high["delta"] = np.minimum(high["delta"], high["accuracy"])
    high["balanced_delta"] = np.minimum(high["balanced_delta"], high["balanced_accuracy"])
    tables = [
        pd.DataFrame(
            {
                "estimate": {name: values[0, p] for name, values in sample.metrics.items()},
                "low": {name: values[p] for name, values in low.items()},
                "high": {name: values[p] for name, values in high.items()},
            }
        ).rename_axis("metric")
        for p in range(len(judged.predicted))
    ]
    if np.ndim(y_pred) == 1:
        return tables[0]
    return pd.concat(dict(enumerate(tables)), names=["model"])


def paired_test(
    y_true: ArrayLike,
    first: ArrayLike,
    second: ArrayLike,
    *,
    sensitive_features: Any,
    X: ArrayLike | None = None,
    graph: NeighborGraph | None = None,
    sample_weight: ArrayLike | None = None,
    continuous: Sequence[str | int] = (),
    groups: ArrayLike | None = None,
    level: float = LEVEL,
    resamples: int = RESAMPLES,
    seed: int = 0,
) -> pd.DataFrame:
    """Return how two models differ in every metric on the same rows, and whether by chance.

    The p-value is that of the paired randomisation test (Noreen, 1989, "Computer-Intensive Methods
    for Testing Hypotheses"): the two predictions for a row change places with probability 1/2, and
    p = (1 + the resamples that differ by as much) / (1 + `resamples`). If it does not matter which
    model made which prediction for a row, P(p <= α) <= α for any metric and any number of rows.
    A small p says that it matters; it does not say that the metric would differ on all other rows.
    Two models that lean to opposite sides by as much are such a case: one of them happens to have
    the higher Discrimination on these rows. That is what the interval is for.

    The interval of the difference is that of the paired bootstrap, both models judged on the same
    resamples: percentiles, except where Discrimination is involved. There it is the difference,
    give or take the quantile of its error. Where two groups clearly differ for one of the models,
    that is the error of the difference of their signed differences, further on the side where the
    other model's may have the other sign. Else it is the sum of the bounds for both models, which
    is wide: of more than two groups, only large differences stand out.

    Parameters
    ----------
    first, second : array of shape (N,)
        Labels, or scores in [0, 1], of the two models.
    y_true, sensitive_features, X, graph, sample_weight, continuous, groups, level, resamples, seed
        As for `intervals`; rows of one unit change places together.

    Returns
    -------
    pandas.DataFrame
        Columns ``first``, ``second``, ``difference`` (second - first), ``low``, ``high`` and
        ``p_value``, a row a metric. No p-value is corrected for there being several metrics.

    Raises
    ------
    InputError
        As `intervals`.

    Examples
    --------
    >>> from grad_ext.metrics.bootstrap import paired_test
    >>> y, labels, sex = [1, 0, 1, 1] * 25, [1, 0, 0, 1] * 25, [1, 1, 0, 0] * 25
    >>> table = paired_test(y, labels, [1] * 100, sensitive_features=sex)
    >>> table.loc["balanced_accuracy", ["first", "second"]].round(2).tolist()
    [0.83, 0.5]
    >>> bool(table.loc["balanced_accuracy", "p_value"] < 0.01)
    True
    """
    tail = _checked_tail(level, resamples)
    shapes = np.shape(first), np.shape(second)
    if len(shapes[0]) != 1 or shapes[0] != shapes[1]:
        raise InputError(f"first, second: expected one prediction a row each, got shapes {shapes}")
    both = np.stack([_rows("first", first), _rows("second", second)])
    judged = _Judged.of(y_true, both, sensitive_features, X, graph, sample_weight, continuous)
    units = _Units.of(groups, len(judged.y))
    sample, drawn = _resampled(judged, units, resamples, seed)
    errors = [
        column.paired_errors(once, again, tail)
        for column, once, again in zip(judged.columns, sample.apart, drawn.apart, strict=True)
    ]
    swapped = _swapped(judged, units, resamples, seed)
    differ, again, swaps = (
        {name: _less_first(values) for name, values in figures.metrics.items()}
        for figures in (sample, drawn, swapped)
    )
    low, high = _ends(judged, units, differ, again, errors, tail)
    return pd.DataFrame(
        {
            "first": {name: values[0, 0] for name, values in sample.metrics.items()},
            "second": {name: values[0, 1] for name, values in sample.metrics.items()},
            "difference": {name: values[0, 0] for name, values in differ.items()},
            "low": {name: values[0] for name, values in low.items()},
            "high": {name: values[0] for name, values in high.items()},
            "p_value": {name: _p_value(differ[name][0, 0], swaps[name][:, 0]) for name in differ},
        }
    ).rename_axis("metric")


def _checked_tail(level: float, resamples: int) -> float:
    """Return the share of resamples beyond either end of an interval."""
    if not 0 < level < 1:
        raise InputError(f"level: expected a number between 0 and 1, got {level!r}")
    fewest = int(np.ceil(np.round(2 / (1 - level), 6)))
    if resamples < fewest:
        raise InputError(
            f"resamples: expected at least {fewest} for level {level}, got {resamples}"
        )
    return (1 - level) / 2


@dataclass(frozen=True)
class _Units:
    """What is drawn: rows, or groups of rows."""

    of_row: NDArray[np.intp]
    count: int

    @classmethod
    def of(cls, groups: ArrayLike | None, n: int) -> _Units:
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
        """Yield how often each unit is in each resample, in chunks of shape (B, U)."""
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
            swapped = np.empty((size, self.count))
            for row in swapped:
                bits = np.frombuffer(generator.bytes(self.count // 8 + 1), dtype=np.uint8)
                row[:] = np.unpackbits(bits, count=self.count)
            yield swapped

    def _chunks(self, resamples: int) -> Iterator[int]:
        step = max(1, CHUNK_BYTES // (8 * len(self.of_row)))
        for start in range(0, resamples, step):
            yield min(step, resamples - start)


@dataclass(frozen=True)
class _Errors:
    """What an attribute's Discrimination is off by in each resample: estimate less truth.

    If two groups differ for sure (`clear`, shape (P,)), that is the error of their difference,
    `signed` (B, P), which errors of other metrics may make up for; there can be further readings of
    it, `others`, that are as likely. Else it is only known to be at most `bound` (B, P).
    """

    signed: Floats
    others: tuple[Floats, ...]
    bound: Floats
    clear: NDArray[np.bool_]


@dataclass(frozen=True)
class _Column:
    """One protected attribute: which rows belong to which of its groups or bins, shape (G, N).

    `coded` if the groups are 0 and 1, so that it is known which is the privileged.
    """

    name: str
    member: Floats
    continuous: bool
    coded: bool

    def apart(self, weight: Floats, score: Floats) -> Floats:
        """Return what Discrimination is the norm of, shape (B, G, P).

        From the groups' sums of weights and scores: their means; or the bins' shares times the
        differences of their means from the mean of all.
        """
        means = _ratio(score, weight[..., None])
        if not self.continuous:
            return means
        total = weight.sum(axis=1)[:, None, None]
        mean = _ratio(score.sum(axis=1, keepdims=True), total)
        there = weight[..., None] > 0
        parts = np.where(there, _ratio(weight[..., None], total) * (means - mean), 0.0)
        return np.where(there.sum(axis=1, keepdims=True) < 2, np.nan, parts)

    def norm(self, apart: Floats) -> Floats:
        """Return the seminorm of what `apart` returns, shape (B, P)."""
        return np.abs(apart).sum(axis=1) if self.continuous else _range(apart)

    def errors(self, sample: Floats, drawn: Floats, tail: float) -> _Errors:
        """Return the errors of the norm, from what `apart` returns for sample and resamples."""
        bound = self.norm(drawn - sample)
        gap, off = self._gaps(sample, drawn)
        clear = np.abs(gap) > _upper(bound, 2 * tail)
        return _Errors(np.where(gap < 0, -off, off), (), bound, clear)

    def paired_errors(self, sample: Floats, drawn: Floats, tail: float) -> _Errors:
        """Return those of the difference of two models' norms, of shapes (B, 1) and (1,).

        Where one model's groups clearly differ but the other's may not, nobody knows the sign of
        the other's difference. A further reading takes the errors from the sample to where the
        truth may then be, on either side of 0.
        """
        each = self.errors(sample, drawn, tail)
        gap, off = self._gaps(sample, drawn)
        mirrored = np.abs(gap) - np.abs(gap - off)
        return _Errors(
            _less_first(each.signed),
            (_less_first(mirrored),),
            each.bound.sum(axis=1, keepdims=True),
            np.asarray(each.clear.any(keepdims=True)),
        )

    def _gaps(self, sample: Floats, drawn: Floats) -> tuple[Floats, Floats]:
        """Return the signed difference of two groups, (P,), and its errors, (B, P); else 0."""
        if self.continuous or len(self.member) != 2:
            return np.zeros(sample.shape[-1]), np.zeros((len(drawn), sample.shape[-1]))
        gap = sample[0, 1] - sample[0, 0]
        return gap, drawn[:, 1] - drawn[:, 0] - gap


@dataclass(frozen=True)
class _Figures:
    """Metrics, each of shape (B, P), and for each attribute what Discrimination is the norm of."""

    metrics: dict[str, Floats]
    apart: list[Floats]


@dataclass(frozen=True)
class _Judged:
    """P models' predictions, shape (P, N), and what is known of the rows."""

    y: Floats
    predicted: Floats
    weight: Floats
    columns: tuple[_Column, ...]
    graph: NeighborGraph | None

    @classmethod
    def of(
        cls,
        y_true: ArrayLike,
        y_pred: ArrayLike,
        sensitive_features: Any,
        X: ArrayLike | None,
        graph: NeighborGraph | None,
        sample_weight: ArrayLike | None,
        continuous: Sequence[str | int],
    ) -> _Judged:
        """Check what was given, and sort the rows into groups."""
        predicted = _rows("y_pred", y_pred)
        n = predicted.shape[-1]
        if predicted.ndim > 2:
            raise InputError(f"y_pred: expected shape (N,) or (P, N), got {predicted.shape}")
        within = (predicted >= 0) & (predicted <= 1)
        if not within.all():
            raise InputError(f"y_pred: expected values in [0, 1], got {predicted[~within][0]}")
        y = _binary("y_true", y_true, n)
        weight = sample_weights(_weights(sample_weight, n), "sample_weight")
        for name, values in (("y_true", y), ("sample_weight", weight)):
            if values.ndim != 1:
                raise InputError(f"{name}: expected shape ({n},), got {values.shape}")
        columns = _columns(sensitive_features, continuous, n)
        if X is not None and graph is not None:
            raise InputError("expected at most one of X and graph, got both")
        if X is not None:
            points = np.asarray(X)
            if len(points) != n:
                raise InputError(f"X: expected {n} rows, got {len(points)}")
            graph = neighbor_graph(points)
        if graph is not None and len(graph) != n:
            raise InputError(f"graph: expected {n} rows, got {len(graph)}")
        return cls(y, np.atleast_2d(predicted), weight, columns, graph)

    def weights(self) -> dict[str, Floats]:
        """Return the rows' weights in each class and group, shapes (..., N)."""
        w, classes = self.weight, np.stack([1.0 - self.y, self.y])
        found = {"class": w * classes}
        for k, column in enumerate(self.columns):
            found[f"group {k}"] = w * column.member
            if column.coded:
                found[f"class group {k}"] = w * classes[:, None] * column.member
        return found

    def scores(self) -> dict[str, Floats]:
        """Return the rows' weighted scores and errors, shapes (..., P, N)."""
        error = np.abs(self.y - self.predicted)
        found = {}
        for name, weight in self.weights().items():
            found[f"{name} score"] = weight[..., None, :] * self.predicted
            if name == "class":
                found["class error"] = weight[..., None, :] * error
        if self.graph is not None:
            found["gap"] = self.weight * np.abs(self.predicted - self.graph.mean(self.predicted))
        return found

    def figures(self, sums: Mapping[str, Floats]) -> _Figures:
        """Return the metrics from the sums over rows, shapes (B, ...) and (B, ..., P)."""
        classes = sums["class"][..., None]
        total = classes.sum(axis=1)
        accuracy = 1.0 - _ratio(sums["class error"].sum(axis=1), total)
        balanced = 1.0 - _ratio(sums["class error"], classes).mean(axis=1)
        apart = [
            column.apart(sums[f"group {k}"], sums[f"group {k} score"])
            for k, column in enumerate(self.columns)
        ]
        by_attribute = [c.norm(values) for c, values in zip(self.columns, apart, strict=True)]
        mean = np.mean(by_attribute, axis=0)
        metrics = {"accuracy": accuracy, "balanced_accuracy": balanced, "discrimination": mean}
        for column, values in zip(self.columns, by_attribute, strict=True):
            metrics[f"discrimination_{column.name}"] = values
        metrics |= {"delta": accuracy - mean, "balanced_delta": balanced - mean}
        if "gap" in sums:
            metrics["consistency"] = 1.0 - _ratio(sums["gap"], total)
        metrics["positive_rate"] = _ratio(sums["class score"].sum(axis=1), total)
        for k, column in enumerate(self.columns):
            if column.coded:
                rate = apart[k]
                of_class = _ratio(
                    sums[f"class group {k} score"], sums[f"class group {k}"][..., None]
                )
                differ = of_class[:, :, 0] - of_class[:, :, 1]
                with np.errstate(divide="ignore", invalid="ignore"):
                    impact = rate[:, 0] / rate[:, 1]
                metrics |= {
                    f"statistical_parity_difference_{column.name}": rate[:, 0] - rate[:, 1],
                    f"disparate_impact_{column.name}": impact,
                    f"equal_opportunity_difference_{column.name}": differ[:, 1],
                    f"average_odds_difference_{column.name}": differ.mean(axis=1),
                }
        return _Figures(metrics, apart)

    def fewest(self, units: _Units) -> dict[str, int]:
        """Return over how few units the smallest of each metric's means is."""

        def smallest(weights: Floats) -> int:
            sizes = (units.sums(weights) > 0).sum(axis=-1)
            return int(sizes[sizes > 0].min(initial=len(self.y)))

        weights = self.weights()
        everyone, of_class = smallest(self.weight), smallest(weights["class"])
        # The errors of a continuous attribute's bins are summed, and none of them has to be known.
        by_attribute = [
            smallest(weights[f"group {k}"].sum(axis=0) if c.continuous else weights[f"group {k}"])
            for k, c in enumerate(self.columns)
        ]
        apart = min(by_attribute)
        found = {
            "accuracy": everyone,
            "balanced_accuracy": of_class,
            "discrimination": apart,
            "delta": apart,
            "balanced_delta": min(apart, of_class),
            "consistency": everyone,
            "positive_rate": everyone,
        }
        for k, column in enumerate(self.columns):
            found[f"discrimination_{column.name}"] = by_attribute[k]
            if column.coded:
                for name in ("statistical_parity_difference", "disparate_impact"):
                    found[f"{name}_{column.name}"] = by_attribute[k]
                cells = weights[f"class group {k}"]
                found[f"equal_opportunity_difference_{column.name}"] = smallest(cells[1])
                found[f"average_odds_difference_{column.name}"] = smallest(cells)
        return found


def _columns(
    sensitive_features: Any, continuous: Sequence[str | int], n: int
) -> tuple[_Column, ...]:
    frame = sensitive_frame(sensitive_features, n)
    last = len(frame.columns) - 1
    for column in continuous:
        if not isinstance(column, str) and not 0 <= column <= last:
            raise InputError(f"continuous: expected names or columns 0 to {last}, got {column}")
    names = [c if isinstance(c, str) else frame.columns[c] for c in continuous]
    attributes = attributes_of(frame, names)
    found = []
    for attribute, values in zip(attributes, numbers(frame, attributes).T, strict=True):
        levels = attribute.levels
        if levels is not None:
            codes, there = values, np.arange(len(levels))
        else:
            codes = values if np.isnan(values).all() else bins(values)
            # Without a value there still is a bin, in which nobody is.
            there = np.unique(np.nan_to_num(codes))
        member = np.equal.outer(there, codes).astype(np.float64)
        coded = levels is not None and set(levels) == {0, 1}
        found.append(_Column(attribute.name, member, levels is None, coded))
    return tuple(found)


def _stacked(quantities: Mapping[str, Floats], units: _Units) -> Floats:
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


def _resampled(
    judged: _Judged, units: _Units, resamples: int, seed: int
) -> tuple[_Figures, _Figures]:
    """Return the figures of the sample (as one resample), and of the bootstrap's resamples."""
    quantities = judged.weights() | judged.scores()
    stacked = _stacked(quantities, units)
    drawn = np.concatenate([counts @ stacked for counts in units.draws(resamples, seed)])
    once, again = (_named(t, quantities) for t in (stacked.sum(axis=0, keepdims=True), drawn))
    return judged.figures(once), judged.figures(again)


def _swapped(judged: _Judged, units: _Units, resamples: int, seed: int) -> _Figures:
    """Return the figures of two models that have changed places in some units.

    What a row adds to a sum changes places with its prediction, but for the gap to its neighbours:
    that depends on which of theirs have, so it is found anew.
    """
    graph, (first, second) = judged.graph, judged.predicted
    scores = judged.scores()
    scores.pop("gap", None)
    differ = {name: values[..., 1, :] - values[..., 0, :] for name, values in scores.items()}
    stacked = _stacked(differ, units)
    of_first, of_second = (first, second) if graph is None else graph.mean(judged.predicted)
    totals, gaps = [], []
    for swaps in units.swaps(resamples, seed):
        totals.append(swaps @ stacked)
        if graph is not None:
            moved = swaps[:, units.of_row] * (second - first)
            near = graph.mean(moved)
            one = np.abs(first + moved - of_first - near) @ judged.weight
            other = np.abs(second - moved - of_second + near) @ judged.weight
            gaps.append(np.stack([one, other], axis=-1))
    sums = {name: values.sum(axis=-1)[None] for name, values in judged.weights().items()}
    for name, moved in _named(np.concatenate(totals), differ).items():
        one, other = np.moveaxis(scores[name].sum(axis=-1), -1, 0)
        sums[name] = np.stack([one + moved, other - moved], axis=-1)
    if graph is not None:
        sums["gap"] = np.concatenate(gaps)
    return judged.figures(sums)


def _ends(
    judged: _Judged,
    units: _Units,
    sample: Mapping[str, Floats],
    drawn: Mapping[str, Floats],
    errors: Sequence[_Errors],
    tail: float,
) -> tuple[dict[str, Floats], dict[str, Floats]]:
    """Return the low and the high ends, each of shape (P,).

    Metrics with Discrimination in them lie around the value, as far as a quantile of what they are
    off by; the others between percentiles.
    """
    involved: dict[str, tuple[Floats | float, int, Sequence[_Errors]]]
    involved = {"discrimination": (0.0, 1, errors)}
    for column, e in zip(judged.columns, errors, strict=True):
        involved[f"discrimination_{column.name}"] = 0.0, 1, [e]
    for name, part in (("delta", "accuracy"), ("balanced_delta", "balanced_accuracy")):
        involved[name] = drawn[part] - sample[part], -1, errors
    low, high, fewest = {}, {}, judged.fewest(units)
    for name, (value,) in sample.items():
        if name in involved:
            down, up = _reach(*involved[name], tail)
            low[name], high[name] = value - down, value + up
        else:
            low[name], high[name] = -_upper(-drawn[name], tail), _upper(drawn[name], tail)
        unknown = np.isnan(value) | (fewest[name] < FEWEST)
        low[name] = np.where(unknown, np.nan, low[name])
        high[name] = np.where(unknown, np.nan, high[name])
    return low, high


def _reach(
    right: Floats | float, sign: int, errors: Sequence[_Errors], tail: float
) -> tuple[Floats, Floats]:
    """Return how far an interval reaches down and up from the value, each of shape (P,).

    The value is off by `right` and, with a sign, the mean of the attributes' errors: as far either
    way as the first reading of them, and further on one side if another reading is.
    """
    bound = np.mean([np.where(e.clear, 0.0, e.bound) for e in errors], axis=0)
    first, *others = (
        right
        + sign
        * np.mean([np.where(e.clear, s, 0.0) for e, s in zip(errors, reading, strict=True)], axis=0)
        for reading in zip(*((e.signed, *e.others) for e in errors), strict=True)
    )
    down = up = _upper(np.abs(first) + bound, 2 * tail)
    for off in others:
        down = np.maximum(down, _upper(bound + off, tail))
        up = np.maximum(up, _upper(bound - off, tail))
    return down, up


def _pairs(sample: Floats, drawn: Floats, tail: float) -> tuple[Floats, Floats]:
    """Return the ends of the largest difference among groups, shape (P,), from their means.

    All pairs' differences lie within so many of their standard errors at once; groups without rows
    are left out.
    """
    there = ~np.isnan(sample[:, 0])
    one, other = np.triu_indices(int(there.sum()), 1)
    ends = []
    for means, again in zip(sample[there].T, np.moveaxis(drawn[:, there], -1, 0), strict=True):
        gaps = means[one] - means[other]
        errors = np.abs(again[:, one] - again[:, other] - gaps)
        known = ~np.isnan(errors)
        squares = np.where(known, errors, 0.0) ** 2
        deviation = np.sqrt(squares.sum(axis=0) / known.sum(axis=0))
        # A pair of groups without any error is always within.
        studentised = errors / np.where(deviation > 0, deviation, 1.0)
        width = _upper(np.where(known, studentised, 0.0).max(axis=1), 2 * tail) * deviation
        ends.append([(np.abs(gaps) - width).max(), (np.abs(gaps) + width).max()])
    low, high = np.transpose(ends)
    return low, high


def _ratio(above: Floats, below: Floats) -> Floats:
    """Return a mean from sums; nan over nothing, and a constant's mean is that constant."""
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.round(above / below, 13)


def _range(values: Floats) -> Floats:
    """Return the largest less the smallest along axis 1; nan for fewer than two values."""
    known = ~np.isnan(values)
    top = np.where(known, values, -np.inf).max(axis=1, initial=-np.inf)
    bottom = np.where(known, values, np.inf).min(axis=1, initial=np.inf)
    return np.where(known.sum(axis=1) < 2, np.nan, top - bottom)


def _upper(values: Floats, tail: float) -> Floats:
    """Return the value above which a share of the resamples lie, from shape (B, ...).

    Of those in which it is defined; nan if they are fewer than half.
    """
    known = (~np.isnan(values)).sum(axis=0)
    above = np.floor(np.round(tail * (known + 1), 9)).astype(np.intp)
    at = np.clip(known - above, 0, len(values) - 1)
    picked = np.take_along_axis(np.sort(values, axis=0), at[None], axis=0)[0]
    return np.where(2 * known < len(values), np.nan, picked)


def _less_first(values: Floats) -> Floats:
    """Return the second of two models' values less the first's, shape (B, 1)."""
    with np.errstate(invalid="ignore"):
        return values[:, 1:] - values[:, :1]


def _p_value(difference: float, swapped: Floats) -> float:
    """Return the share of swaps that differ as much, the sample being one of them.

    Swaps that leave the metric undefined count as such.
    """
    if np.isnan(difference):
        return float("nan")
    as_much = np.isnan(swapped) | (np.abs(swapped) >= abs(difference) - ROUNDING)
    return float((1 + as_much.sum()) / (1 + len(swapped)))
