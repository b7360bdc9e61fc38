"""Cut a table into training, validation and test rows.

Every split is stratified by label and protected groups, and depends on the rows and on its own seed
alone: models that are compared see the same rows whatever their own seeds are. A split that is kept
in a file, named by the content of the table, stays the same under later versions too.
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

from grad_ext.data.table import Table
from grad_ext.errors import InputError, unknown
from grad_ext.files import write_atomically
from grad_ext.seeds import numpy_generator

# The paper's German accuracies are multiples of 1/200, so a fifth of the 1,000 rows was its test
# part; it says nothing of the validation part, for which a fifth of the rest is kept.
HELD_OUT = Fraction(1, 5)
# Units of this many rows and more are divided together.
LARGE_UNIT = 4


# How rows are divided; 'auto' is what the table calls for.
PROTOCOLS = ("auto", "random", "source", "grouped")
Ints = NDArray[np.intp]


@dataclass(frozen=True)
class Split:
    """Three tables that share no row."""

    train: Table
    valid: Table
    test: Table


def strata(table: Table) -> NDArray[np.intp]:
    """Number the combinations of label and protected groups, shape (N,).

    In whatever order the attributes are named.
    """
    order = np.argsort(table.attribute_names)
    attributes = [table.protected[k] for k in order]
    return cells(table.y(), table.a()[:, order], [p.continuous for p in attributes])


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


def split(table: Table, seed: int = 0, protocol: str = "auto", folder: Path | None = None) -> Split:
    """Cut a table into training, validation and test rows.

    Parameters
    ----------
    table : Table
        The rows to cut.
    seed : int, default 0
        The same seed gives the same rows.
    protocol : {'auto', 'random', 'source', 'grouped'}
        'random': a fifth of the rows is the test part, a fifth of the rest for validation.
        'source': the source's own test part (Adult), and a fifth of the rest for validation.
        'grouped': as random, but the rows of one unit (a patient of Diabetes) stay together.
        'auto' is 'source' for a table with a test part of its own, 'grouped' for one that names
        units, else 'random'.
    folder : pathlib.Path, optional
        Where divisions are kept, named by the content of the table, the protocol and the seed; one
        that is there is read, so that every method and every later version sees the same rows.

    Raises
    ------
    InputError
        If the table has no test part of its own or names no units where the protocol needs them, or
        the training part lacks a label or a protected group.
    """
    chosen = checked_protocol(table, protocol)
    path = None
    if folder is not None:
        key = f"{table.digest()}|{chosen}|{seed}"
        path = folder / f"{hashlib.sha256(key.encode()).hexdigest()}.npz"
    parts = None if path is None else _read(path, len(table))
    if parts is None:
        parts = _divide(table, seed, chosen)
        if path is not None:
            # Without the file the division is still right, and comes out the same the next time.
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
    """Return the protocol, what 'auto' stands for in its place.

    Raises
    ------
    InputError
        If there is no such protocol, or the table lacks what it needs.
    """
    if protocol not in PROTOCOLS:
        raise unknown("protocol", protocol, PROTOCOLS)
    if protocol == "auto":
        if table.n_test:
            return "source"
        return "random" if table.groups is None else "grouped"
    if protocol == "source" and not table.n_test:
        raise InputError(f"{table.name}: expected a test part of the source's own, it has none")
    if protocol == "grouped" and table.groups is None:
        raise InputError(f"{table.name}: expected a column that names the rows' units, got none")
    return protocol


def _divide(table: Table, seed: int, protocol: str) -> tuple[Ints, Ints, Ints]:
    generator = numpy_generator(seed, "split", table.name)
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
    """Hold out a fifth of the units among some rows, alike in size and in their rows' strata."""
    present, first, own, sizes = np.unique(
        unit[rows], return_index=True, return_inverse=True, return_counts=True
    )
    # Units of a size and of a first row's stratum are alike; large ones are rare, and count as one.
    alike = np.column_stack([groups[rows][first], np.minimum(sizes, LARGE_UNIT)])
    cells = np.unique(alike, axis=0, return_inverse=True)[1].reshape(-1)
    held = np.zeros(len(present), dtype=bool)
    held[hold_out(cells, HELD_OUT, generator)[1]] = True
    return rows[~held[own]], rows[held[own]]


def _read(path: Path, n: int) -> tuple[Ints, Ints, Ints] | None:
    """Return the division in a file, or None if there is none that is whole."""
    try:
        with np.load(BytesIO(path.read_bytes()), allow_pickle=False) as file:
            train, valid, test = (np.asarray(file[name], dtype=np.intp) for name in PARTS)
    except (OSError, ValueError, KeyError, EOFError, BadZipFile):
        return None
    whole = np.array_equal(np.sort(np.concatenate([train, valid, test])), np.arange(n))
    return (train, valid, test) if whole else None


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
