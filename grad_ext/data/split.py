"""Cut a table into training, validation and test rows.

Every split is stratified by label and protected groups, and depends on its own seed alone: models
that are compared see the same rows whatever their own seeds are.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction

import numpy as np
from numpy.typing import NDArray

from grad_ext.data.table import Table
from grad_ext.errors import InputError
from grad_ext.seeds import numpy_generator

# The paper's German accuracies are multiples of 1/200, so a fifth of the 1,000 rows was its test
# part; it says nothing of the validation part, for which a fifth of the rest is kept.
HELD_OUT = Fraction(1, 5)


@dataclass(frozen=True)
class Split:
    """Three tables that share no row."""

    train: Table
    valid: Table
    test: Table


def strata(table: Table) -> NDArray[np.intp]:
    """Number the combinations of label and protected groups, shape (N,)."""
    return cells(table.y(), table.a(), [p.continuous for p in table.protected])


def cells(
    y: NDArray[np.generic], a: NDArray[np.float64], continuous: Sequence[bool]
) -> NDArray[np.intp]:
    """Number the combinations of label and groups, shape (N,).

    Missing values are a group of their own; continuous attributes do not divide the rows.
    """
    columns = [np.unique(y, return_inverse=True)[1]]
    for column, plain in zip(a.T, continuous, strict=True):
        if not plain:
            columns.append(np.unique(column, return_inverse=True)[1])
    stacked = np.column_stack(columns)
    return np.unique(stacked, axis=0, return_inverse=True)[1].reshape(-1)


def hold_out(
    strata: NDArray[np.intp], fraction: Fraction | float, generator: np.random.Generator
) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Split rows in two so that every stratum is divided alike.

    The rows are shuffled, laid out stratum by stratum, and every 1/fraction-th of them is held out:
    each stratum's share is right to one row and the total to rounding, also for strata of a single
    row, which scikit-learn's stratified splitters refuse.

    Parameters
    ----------
    strata : array of shape (N,)
        Number of each row's stratum.
    fraction : float
        Share to hold out, strictly between 0 and 1.
    generator : numpy.random.Generator
        Source of the shuffle.

    Returns
    -------
    kept, held : arrays of row positions, each in ascending order
    """
    if not 0 < fraction < 1:
        raise InputError(f"the share to hold out must lie between 0 and 1, got {float(fraction)}")
    n = len(strata)
    order = generator.permutation(n)
    order = order[np.argsort(strata[order], kind="stable")]
    share = Fraction(fraction).limit_denominator(10**6)
    # Exact arithmetic, so that a fifth of 1,000 rows is 200 of them. Rounding half up at each
    # position spreads the held-out rows evenly over the layout.
    steps = (np.arange(n + 1, dtype=np.int64) * 2 * share.numerator + share.denominator) // (
        2 * share.denominator
    )
    held = np.diff(steps).astype(bool)
    return np.sort(order[~held]), np.sort(order[held])


def split(table: Table, seed: int = 0) -> Split:
    """Cut a table into training, validation and test rows.

    The source's own test part is used where it has one (Adult), else a fifth of the rows; a fifth
    of the rest is for validation.

    Parameters
    ----------
    table : Table
        The rows to cut.
    seed : int, default 0
        The same seed gives the same rows.

    Raises
    ------
    InputError
        If the training part lacks a label or a protected group.
    """
    generator = numpy_generator(seed, "split", table.name)
    groups = strata(table)
    if table.n_test:
        rest, test = np.split(np.arange(len(table)), [len(table) - table.n_test])
    else:
        rest, test = hold_out(groups, HELD_OUT, generator)
    train, valid = hold_out(groups[rest], HELD_OUT, generator)
    parts = Split(table.take(rest[train]), table.take(rest[valid]), table.take(test))
    check_trainable(parts.train)
    return parts


def check_trainable(table: Table) -> None:
    """Refuse training rows from which nothing can be learned or protected.

    Raises
    ------
    InputError
        If there are no rows, only one label, or only one group of a protected attribute.
    """
    if not len(table):
        raise InputError(f"{table.name}: expected rows to train on, got none")
    y = table.y()
    if y.all() or not y.any():
        value = table.target.favorable if y.all() else table.target.unfavorable
        raise InputError(
            f"{table.name}: expected two classes of {table.target.column!r} among the "
            f"{len(table)} training rows, got only {value!r}"
        )
    for attribute, a in zip(table.protected, table.a().T, strict=True):
        check_groups(attribute.name, a, attribute.continuous)


def check_groups(name: str, a: NDArray[np.float64], continuous: bool) -> None:
    """Refuse a protected attribute that all training rows share.

    Raises
    ------
    InputError
        If fewer than two groups, or numbers, are among the rows.
    """
    present = np.unique(a[~np.isnan(a)])
    if len(present) < 2:
        what = "values" if continuous else "groups"
        raise InputError(
            f"expected at least two {what} of protected attribute {name!r} among the {len(a)} "
            f"training rows, got {len(present)}"
        )
