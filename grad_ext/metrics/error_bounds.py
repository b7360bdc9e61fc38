"""Errors of Discrimination in resamples, and the ends of the intervals that they give.

Discrimination is a magnitude: resampled magnitudes lie above the sample's, and their percentiles
never reach 0. But it is a seminorm ‖·‖ of the groups' means: their range; of a continuous attribute
the sum of the bins' magnitudes; of several attributes the mean. So |‖m‖ - ‖μ‖| <= ‖m - μ‖ for the
means m of the sample and any true μ, and the bootstrap estimates the distribution of the right side,
which bounds the error. For two groups this is the interval of the signed difference, folded at 0.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from grad_ext.metrics.registry import spread
from grad_ext.metrics.sums import Cells, Groups

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Errors:
    """Errors of an attribute's Discrimination in each resample: estimate less truth.

    If two groups differ for sure (`clear`, shape (P,)), that is the error of their difference,
    `signed` (B, P), which errors of other metrics can cancel; `others` are further versions of it
    that are as likely. Otherwise the error is only known to be at most `bound` (B, P).
    """

    signed: Floats
    others: tuple[Floats, ...]
    bound: Floats
    clear: NDArray[np.bool_]


def _norm(groups: Groups, vectors: Floats) -> Floats:
    """Return the seminorm of vectors of shape (B, P, G), of shape (B, P)."""
    if groups.continuous:
        return np.asarray(np.abs(vectors).sum(axis=-1))
    return spread(Cells(~np.isnan(vectors) * 1.0, vectors))


def discrimination_errors(groups: Groups, sample: Floats, drawn: Floats, tail: float) -> Errors:
    """Return the errors of the seminorm, from the vectors of the sample and the resamples."""
    bound = _norm(groups, drawn - sample)
    gap, off = _gaps(groups, sample, drawn)
    clear = np.abs(gap) > upper_quantile(bound, 2 * tail)
    return Errors(np.where(gap < 0, -off, off), (), bound, clear)


def paired_errors(groups: Groups, sample: Floats, drawn: Floats, tail: float) -> Errors:
    """Return the errors of the difference of two models' seminorms, of shapes (B, 1) and (1,).

    Where one model's groups clearly differ but the other's may not, the sign of the other's
    difference is unknown. A further version takes the errors from the sample to where the truth may
    then be, on either side of 0.
    """
    each = discrimination_errors(groups, sample, drawn, tail)
    gap, off = _gaps(groups, sample, drawn)
    mirrored = np.abs(gap) - np.abs(gap - off)
    return Errors(
        second_less_first(each.signed),
        (second_less_first(mirrored),),
        each.bound.sum(axis=1, keepdims=True),
        np.asarray(each.clear.any(keepdims=True)),
    )


def _gaps(groups: Groups, sample: Floats, drawn: Floats) -> tuple[Floats, Floats]:
    """Return the signed difference of two groups, (P,), and its errors, (B, P); otherwise 0."""
    if not groups.has_sign:
        return np.zeros(sample.shape[1]), np.zeros(drawn.shape[:2])
    gap = sample[0, :, 1] - sample[0, :, 0]
    return gap, drawn[..., 1] - drawn[..., 0] - gap


def reach(
    right: Floats | float, sign: int, errors: Sequence[Errors], tail: float
) -> tuple[Floats, Floats]:
    """Return the distances of an interval's ends below and above the value, each of shape (P,).

    The error of the value is `right` plus, with a sign, the mean of the attributes' errors. The
    interval is symmetric by the first version of these, and longer on one side if another version
    requires it.
    """
    bound = np.mean([np.where(e.clear, 0.0, e.bound) for e in errors], axis=0)
    first, *others = (
        right
        + sign
        * np.mean([np.where(e.clear, s, 0.0) for e, s in zip(errors, reading, strict=True)], axis=0)
        for reading in zip(*((e.signed, *e.others) for e in errors), strict=True)
    )
    down = up = upper_quantile(np.abs(first) + bound, 2 * tail)
    for off in others:
        down = np.maximum(down, upper_quantile(bound + off, tail))
        up = np.maximum(up, upper_quantile(bound - off, tail))
    return down, up


def largest_difference(sample: Floats, drawn: Floats, tail: float) -> tuple[Floats, Floats]:
    """Return the ends of the largest difference among groups, shape (P,), from their means.

    The means are of shapes (P, G) and (B, P, G). All pairs' differences lie within so many of their
    standard errors at once; groups without rows are left out.
    """
    known = ~np.isnan(sample[0])
    one, other = np.triu_indices(int(known.sum()), 1)
    ends = []
    for means, again in zip(sample[:, known], np.moveaxis(drawn[..., known], 1, 0), strict=True):
        gaps = means[one] - means[other]
        errors = np.abs(again[:, one] - again[:, other] - gaps)
        defined = ~np.isnan(errors)
        squares = np.where(defined, errors, 0.0) ** 2
        deviation = np.sqrt(squares.sum(axis=0) / defined.sum(axis=0))
        # A pair of groups without any error is always within.
        studentised = errors / np.where(deviation > 0, deviation, 1.0)
        width = (
            upper_quantile(np.where(defined, studentised, 0.0).max(axis=1), 2 * tail) * deviation
        )
        ends.append([(np.abs(gaps) - width).max(), (np.abs(gaps) + width).max()])
    low, high = np.transpose(ends)
    return low, high


def upper_quantile(values: Floats, tail: float) -> Floats:
    """Return the quantile with a share `tail` of the resamples above it, from shape (B, ...).

    Resamples where the value is nan are ignored; nan if they are more than half.
    """
    known = (~np.isnan(values)).sum(axis=0)
    above = np.floor(np.round(tail * (known + 1), 9)).astype(np.intp)
    at = np.clip(known - above, 0, len(values) - 1)
    picked = np.take_along_axis(np.sort(values, axis=0), at[None], axis=0)[0]
    return np.where(2 * known < len(values), np.nan, picked)


def second_less_first(values: Floats) -> Floats:
    """Return the second of two models' values less the first's, shape (B, 1)."""
    with np.errstate(invalid="ignore"):
        return values[:, 1:] - values[:, :1]
