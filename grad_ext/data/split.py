"""Train/test splits of tables, with a validation set.

Every split is stratified by label and protected groups, and depends only on the rows and its own
seed, so that models with different seeds are compared on the same rows. A split in a file, named by
the content of the table, is the same under later versions too.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from fractions import Fraction
from io import BytesIO
from pathlib import Path
from zipfile import BadZipFile

import numpy as np
from numpy.typing import NDArray

from grad_ext import checks
from grad_ext.data.table import Table
from grad_ext.errors import InputError
from grad_ext.files import write_atomically
from grad_ext.seeds import numpy_generator

# The paper's German accuracies are multiples of 1/200, so its test set was a fifth of the 1,000 rows.
# The validation set is not in the paper; here it is a fifth of the rest.
HELD_OUT = Fraction(1, 5)
# Units of this many rows and more are one stratum.
LARGE_UNIT = 4


# See `split`.
PROTOCOLS = ("auto", "random", "source", "grouped")
Ints = NDArray[np.intp]


@dataclass(frozen=True)
class Split:
    """The training, validation and test set of a table, without common rows."""

    train: Table
    valid: Table
    test: Table


def strata(table: Table) -> NDArray[np.intp]:
    """Return each row's number of its combination of label and protected groups, shape (N,).

    It does not depend on the order of the attributes.
    """
    order = np.argsort(table.attribute_names)
    attributes = [table.protected[k] for k in order]
    return cells(table.y(), table.a()[:, order], [p.continuous for p in attributes])


def cells(
    y: NDArray[np.generic], a: NDArray[np.float64], continuous: Sequence[bool]
) -> NDArray[np.intp]:
    """Return each row's number of its combination of label and groups, shape (N,).

    Missing values are one group; continuous attributes are ignored.
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
    """Return a stratified split of rows in two.

    The rows are shuffled and sorted by stratum, and every 1/fraction-th of them is held out: each
    stratum's share is right to one row and the total to rounding, also for strata of a single row,
    which scikit-learn's stratified splitters refuse.

    Parameters
    ----------
    strata : array of shape (N,)
        Number of each row's stratum.
    fraction : float
        Share to hold out, strictly between 0 and 1.
    generator : numpy.random.Generator
        Generator of the shuffle.

    Returns
    -------
    rest, held_out : arrays of row positions, each in ascending order

    Raises
    ------
    InputError
        If the share is not between 0 and 1.
    """
    checks.between_0_and_1("the share to hold out", fraction)
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


def split(table: Table, seed: int = 0, protocol: str = "auto", folder: Path | None = None) -> Split:
    """Return the training, validation and test set of a table.

    Parameters
    ----------
    table : Table
        The rows to split.
    seed : int, default 0
        Seed of the split.
    protocol : {'auto', 'random', 'source', 'grouped'}
        'random': a fifth of the rows is the test set, a fifth of the rest the validation set.
        'source': the source's own test set (Adult), and a fifth of the rest for validation.
        'grouped': as random, but all rows of one unit (a patient of Diabetes) are in the same set.
        'auto' is 'source' for a table with its own test set, 'grouped' for one with units, else
        'random'.
    folder : pathlib.Path, optional
        Folder of stored splits, named by the content of the table, the protocol and the seed. An
        existing one is read, so that every method and every later version has the same rows.

    Returns
    -------
    Split

    Raises
    ------
    InputError
        If the table lacks the test set or the units that the protocol needs, or the training set
        lacks a label or a protected group.
    """
    chosen = checked_protocol(table, protocol)
    path = None
    if folder is not None:
        key = f"{table.digest()}|{chosen}|{seed}"
        path = folder / f"{hashlib.sha256(key.encode()).hexdigest()}.npz"
    parts = None if path is None else _read(path, len(table))
    if parts is None:
        parts = _split_rows(table, seed, chosen)
        if path is not None:
            # Without the file the split is computed again, with the same result.
            with suppress(OSError):
                path.parent.mkdir(parents=True, exist_ok=True)
                file = BytesIO()
                np.savez(file, train=parts[0], valid=parts[1], test=parts[2])
                write_atomically(path, file.getvalue())
    cut = Split(*(table.take(rows) for rows in parts))
    check_trainable(cut.train)
    return cut


PARTS = ("train", "valid", "test")


def checked_protocol(table: Table, protocol: str) -> str:
    """Return the protocol, with 'auto' replaced by the one of the table.

    Raises
    ------
    InputError
        If the protocol is unknown, or the table lacks the test set or the units that it needs.
    """
    checks.choice("protocol", protocol, PROTOCOLS)
    if protocol == "auto":
        if table.n_test:
            return "source"
        return "random" if table.groups is None else "grouped"
    if protocol == "source" and not table.n_test:
        raise InputError(f"{table.name}: expected a test set of the source's own, got none")
    if protocol == "grouped" and table.groups is None:
        raise InputError(f"{table.name}: expected a column that names the rows' units, got none")
    return protocol


def _split_rows(table: Table, seed: int, protocol: str) -> tuple[Ints, Ints, Ints]:
    # A user's rows have a name only by chance, such as a file's: the same rows are split the same.
    name = table.name if table.report is None else ""
    generator = numpy_generator(seed, "split", name)
    groups, everything = strata(table), np.arange(len(table))
    if protocol == "grouped":
        unit = table.g()
        rest, test = _hold_out_units(everything, unit, groups, generator)
        train, valid = _hold_out_units(rest, unit, groups, generator)
        return train, valid, test
    if protocol == "source":
        rest, test = np.split(everything, [len(table) - table.n_test])
    else:
        rest, test = hold_out(groups, HELD_OUT, generator)
    train, valid = hold_out(groups[rest], HELD_OUT, generator)
    return rest[train], rest[valid], test


def _hold_out_units(
    rows: Ints, unit: Ints, groups: Ints, generator: np.random.Generator
) -> tuple[Ints, Ints]:
    """Return a split of rows that holds out a fifth of the units, stratified by size and stratum."""
    present, first, unit_of, sizes = np.unique(
        unit[rows], return_index=True, return_inverse=True, return_counts=True
    )
    # A unit's stratum is its size, with one for all large ones, which are rare, and its first row's.
    alike = np.column_stack([groups[rows][first], np.minimum(sizes, LARGE_UNIT)])
    cells = np.unique(alike, axis=0, return_inverse=True)[1].reshape(-1)
    held_out = np.zeros(len(present), dtype=bool)
    held_out[hold_out(cells, HELD_OUT, generator)[1]] = True
    return rows[~held_out[unit_of]], rows[held_out[unit_of]]


def _read(path: Path, n: int) -> tuple[Ints, Ints, Ints] | None:
    """Return the row positions in a file, or None if it is missing or damaged."""
    try:
        with np.load(BytesIO(path.read_bytes()), allow_pickle=False) as file:
            train, valid, test = (np.asarray(file[name], dtype=np.intp) for name in PARTS)
    except (OSError, ValueError, KeyError, EOFError, BadZipFile):
        return None
    complete = np.array_equal(np.sort(np.concatenate([train, valid, test])), np.arange(n))
    return (train, valid, test) if complete else None


def check_trainable(table: Table) -> None:
    """Check that training rows have two labels and two groups of each protected attribute.

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
    """Check that training rows have two groups, or numbers, of a protected attribute.

    Raises
    ------
    InputError
        If they have fewer.
    """
    present = np.unique(a[~np.isnan(a)])
    if len(present) < 2:
        what = "values" if continuous else "groups"
        raise InputError(
            f"expected at least two {what} of protected attribute {name!r} among the {len(a)} "
            f"training rows, got {len(present)}"
        )
