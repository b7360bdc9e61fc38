"""What the branches are to predict of the training rows, and the weight of each row in each loss."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from grad_ext.data.encoding import Arrays
from grad_ext.data.split import check_groups
from grad_ext.errors import InputError
from grad_ext.outputs import Branch, check_constraint

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Targets:
    """What the branches are to say of the training rows.

    Attributes
    ----------
    values : list of M Tensors
        Of shape (N,), floats or, for groups, int64; None for the features themselves.
    weights : Tensor of shape (M, N)
        Of each row in each branch's loss: 0 where the attribute is missing or the constraint does
        not look, 1 on average over the others.
    labels : int64 Tensor of shape (N,), optional
        What the attribute branches are told, for the constraint of equalized odds.
    """

    values: list[Tensor | None]
    weights: Tensor
    labels: Tensor | None = None

    def on(self, device: torch.device) -> Targets:
        """Return the same on a device."""
        return Targets(
            [None if goal is None else goal.to(device) for goal in self.values],
            self.weights.to(device),
            None if self.labels is None else self.labels.to(device),
        )


def targets_of(
    arrays: Arrays,
    branches: Sequence[Branch],
    dtype: torch.dtype,
    balance_groups: bool = False,
    constraint: str = "demographic_parity",
) -> Targets:
    """Return what the branches are to say, the target's first.

    With `balance_groups` the weights of an attribute's groups have equal sums: among all rows,
    those of the favorable label, or those of each label, as the constraint has it.
    """
    told = constraint == "equalized_odds"
    values: list[Tensor | None] = []
    weights = []
    columns = [arrays.y, *arrays.a.T[: len(branches) - 1]]
    for m, (branch, column) in enumerate(zip(branches, columns, strict=True)):
        present = np.ones(len(column), bool) if branch.kind == "features" else ~np.isnan(column)
        w = arrays.w if m or arrays.target_w is None else arrays.target_w
        if m and constraint == "equal_opportunity":
            present = present & (arrays.y == 1.0)
        w = w * present
        if balance_groups and m and branch.kind in ("binary", "categorical"):
            w = balanced(w, column, arrays.y if told else None)
        weights.append(w / (w[present].mean() if w.any() else 1.0))
        filled = np.where(present, column, 0.0)
        if branch.kind == "features":
            values.append(None)
        elif branch.kind == "categorical":
            values.append(torch.tensor(filled, dtype=torch.int64))
        else:
            if branch.kind == "continuous":
                filled = standardised(filled, w)
            values.append(torch.tensor(filled, dtype=dtype))
    labels = torch.tensor(arrays.y, dtype=torch.int64) if told and len(branches) > 1 else None
    return Targets(values, torch.tensor(np.stack(weights), dtype=dtype), labels)


def balanced(weight: Floats, groups: Floats, labels: Floats | None = None) -> Floats:
    """Return weights of the same sum for every group; nan is no group, and gets none.

    With `labels`, of the same sum for every group among the rows of each label.
    """
    codes = np.nan_to_num(groups).astype(np.intp)
    if labels is not None:
        codes += labels.astype(np.intp) * (codes.max() + 1)
    sums = np.bincount(codes, weights=weight)
    return weight / np.where(sums > 0.0, sums, 1.0)[codes]


def standardised(values: Floats, weight: Floats) -> Floats:
    """Return numbers less their weighted mean, divided by their weighted standard deviation."""
    mean, scale = location_and_scale(values, weight)
    return (values - mean) / scale


def location_and_scale(values: Floats, weight: Floats) -> tuple[float, float]:
    """Return the weighted mean and standard deviation, 1 for a constant."""
    if not weight.any():
        return 0.0, 1.0
    mean = float(np.average(values, weights=weight))
    variance = float(np.average((values - mean) ** 2, weights=weight))
    return mean, variance**0.5 or 1.0


def check_cells(constraint: str, arrays: Arrays) -> None:
    """Refuse rows that show nothing of what a constraint compares.

    Raises
    ------
    InputError
        If a label that the constraint looks at has rows of one group only, or the task does not
        allow the constraint: see `grad_ext.outputs.check_constraint`.
    """
    check_constraint(constraint, arrays.task)
    looked_at = {"demographic_parity": [], "equal_opportunity": [1.0]}
    for label in looked_at.get(constraint, np.unique(arrays.y)):
        rows = (arrays.y == label) & (arrays.w > 0.0)
        for branch, column in zip(arrays.task.attributes, arrays.a.T, strict=True):
            try:
                check_groups(branch.name, column[rows], branch.kind == "continuous")
            except InputError as error:
                raise InputError(f"constraint {constraint!r}, label {label:g}: {error}") from None
