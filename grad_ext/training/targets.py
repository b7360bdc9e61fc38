"""What the branches should predict of the training rows, and the weight of each row in each loss."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from grad_ext.constraints import DEFAULT_CONSTRAINT, constraint_named
from grad_ext.data.encoding import Arrays
from grad_ext.data.split import check_groups
from grad_ext.errors import InputError
from grad_ext.outputs import Branch

Floats = NDArray[np.float64]
# The groups that a protected number is divided into where groups are compared, by its quantiles.
FIFTHS = 5


@dataclass(frozen=True)
class Targets:
    """What the branches should predict of the training rows.

    Attributes
    ----------
    values : list of M Tensors
        Of shape (N,), floats or int64 class numbers; None for the features themselves.
    weights : Tensor of shape (M, N)
        Weight of each row in the loss of each branch: 0 if the attribute is missing or the
        constraint does not compare the row, 1 on average over the others.
    strata : int64 Tensor of shape (N,), optional
        The stratum of each row, whose head of the attribute branches predicts it, if the constraint
        has several.
    cells : int64 Tensor of shape (K, N), optional
        The stratum and group of each row for each of the K attributes, ``stratum * groups + group``,
        which `grad_ext.training.score_penalty` compares; -1 if it is not compared. A number is
        divided into `FIFTHS` groups.
    """

    values: list[Tensor | None]
    weights: Tensor
    strata: Tensor | None = None
    cells: Tensor | None = None

    def on(self, device: torch.device) -> Targets:
        """Return a copy on a device."""
        return Targets(
            [None if values is None else values.to(device) for values in self.values],
            self.weights.to(device),
            None if self.strata is None else self.strata.to(device),
            None if self.cells is None else self.cells.to(device),
        )


def targets_of(
    arrays: Arrays,
    branches: Sequence[Branch],
    dtype: torch.dtype,
    balance_groups: bool = False,
    constraint: str = DEFAULT_CONSTRAINT,
) -> Targets:
    """Return what the branches should predict, the target's first.

    With `balance_groups` the weights of an attribute's groups have equal sums within each stratum of
    the constraint.
    """
    rule = constraint_named(constraint)
    strata = rule.strata_of(arrays.y, arrays.task.target)
    values: list[Tensor | None] = []
    weights = []
    columns = [arrays.y, *arrays.a.T[: len(branches) - 1]]
    for m, (branch, column) in enumerate(zip(branches, columns, strict=True)):
        counted = branch.present(column)
        if m:
            counted = counted & (strata >= 0)
        w = arrays.w if m or arrays.target_w is None else arrays.target_w
        w = w * counted
        if balance_groups and m and branch.classes:
            w = balanced(w, column, strata)
        weights.append(w / (w[counted].mean() if w.any() else 1.0))
        truth = branch.truth(np.where(counted, column, 0.0), w)
        if truth is not None:
            kind = torch.int64 if truth.dtype == np.int64 else dtype
            values.append(torch.tensor(truth, dtype=kind))
        else:
            values.append(None)
    several = len(branches) > 1 and rule.heads(arrays.task.target.classes) > 1
    heads = torch.from_numpy(np.maximum(strata, 0)) if several else None
    cells = [
        cells_of(branch, column, strata, arrays.w)
        for branch, column in zip(branches[1:], columns[1:], strict=True)
    ]
    return Targets(
        values,
        torch.tensor(np.stack(weights), dtype=dtype),
        heads,
        torch.from_numpy(np.stack(cells)) if cells else None,
    )


def groups_of(branch: Branch) -> int:
    """Return how many groups of an attribute are compared."""
    return branch.classes or FIFTHS


def cells_of(
    branch: Branch, column: Floats, strata: NDArray[np.int64], weight: Floats
) -> NDArray[np.int64]:
    """Return each row's ``stratum * groups + group``, -1 if it is not compared.

    Parameters
    ----------
    branch : Branch
        What the attribute is.
    column : array of shape (N,)
        Its values; nan if missing.
    strata : int64 array of shape (N,)
        Stratum of each row, -1 for none.
    weight : array of shape (N,)
        Rows of weight 0 are not compared.
    """
    known = branch.present(column) & (strata >= 0) & (weight > 0.0)
    group = np.zeros(len(column), np.int64)
    if branch.classes:
        group[known] = column[known].astype(np.int64)
    elif known.any():
        edges = np.quantile(column[known], np.arange(1, FIFTHS) / FIFTHS)
        group[known] = np.searchsorted(edges, column[known], side="left")
    return np.where(known, strata * groups_of(branch) + group, -1)


def balanced(weight: Floats, groups: Floats, strata: NDArray[np.int64]) -> Floats:
    """Return weights with the same sum for every group of a stratum.

    Parameters
    ----------
    weight : array of shape (N,)
        0 where there is no group or no stratum.
    groups : array of shape (N,)
        Group numbers; nan if missing.
    strata : int64 array of shape (N,)
        Stratum of each row.
    """
    codes = np.nan_to_num(groups).astype(np.intp)
    codes += np.maximum(strata, 0) * (codes.max() + 1)
    sums = np.bincount(codes, weights=weight)
    return weight / np.where(sums > 0.0, sums, 1.0)[codes]


def check_cells(constraint: str, arrays: Arrays) -> None:
    """Check that a constraint has groups to compare.

    Raises
    ------
    InputError
        If the rows of a stratum are of one group only, or the task does not allow the constraint:
        see `grad_ext.constraints.Constraint.check`.
    """
    rule, target = constraint_named(constraint), arrays.task.target
    rule.check(target)
    if not rule.uses_labels:
        return
    strata, table = rule.strata_of(arrays.y, target), rule.table(target.classes)
    # A stratum without rows is left out, but there must be one with rows.
    present = np.unique(strata[strata >= 0])
    for stratum in present if len(present) else [0]:
        rows = (strata == stratum) & (arrays.w > 0.0)
        labels = ", ".join(map(str, np.flatnonzero(table == stratum)))
        for branch, column in zip(arrays.task.attributes, arrays.a.T, strict=True):
            try:
                check_groups(branch.name, column[rows], not branch.classes)
            except InputError as error:
                raise InputError(f"constraint {constraint!r}, label {labels}: {error}") from None
