"""A user's own file or frame, with a label and protected columns, as a table."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

import pandas as pd

from grad_ext import checks
from grad_ext.data.formats import known_path, read_file
from grad_ext.data.reading import Request, build_table
from grad_ext.data.roles import MISSING, Roles, bare_name, roles_beside, roles_path
from grad_ext.data.sensitive import SensitiveAttribute
from grad_ext.data.table import Table
from grad_ext.errors import InputError

Missing = Literal["use", "drop", "error"]
Protected = Sequence[str | SensitiveAttribute] | Mapping[str, Any]
# The parameters that name columns or values, as lists.
LISTS = ("continuous", "features", "drop", "missing_values")


def load_table(
    path: str | Path,
    label: str | None = None,
    protected: Protected | None = None,
    favorable: Any = None,
    *,
    continuous: Sequence[str] | None = None,
    features: Sequence[str] | None = None,
    drop: Sequence[str] | None = None,
    weights: str | None = None,
    groups: str | None = None,
    missing: Missing | None = None,
    missing_values: Sequence[str] | None = None,
    sep: str | None = None,
    encoding: str | None = None,
    name: str | None = None,
) -> Table:
    """Read your own data set from a file.

    Columns are read by their values: see `grad_ext.data.values`. What was read and left out is in
    the `report` of the table. A file ``loans.csv`` may bring these parameters along in
    ``loans.roles.toml`` (`grad_ext.data.roles.Roles`); those that are given here take their place.

    Parameters
    ----------
    path : path
        A text file with a line of names (.csv, .tsv, .txt, .data, also as .gz or in a .zip), or a
        Parquet or Feather file.
    label : str
        The column to predict, or a condition: ``'income>50000'``, whose rows are favorable.
    protected : sequence, or mapping of str to the privileged value or values
        The columns to protect. For a column's name: each value is a group; of two values, the one
        with the higher rate of favorable labels in the file is privileged. A condition names the
        privileged rows: ``'sex=Male'``, ``'race=White|Asian'``, ``'age>=25'``, ``'25<=age<60'``. A
        `SensitiveAttribute` is used unchanged.
    favorable : object, optional
        The label's favorable value, or several of them (a list, or a text with ``|``), or a bound
        (``'>=10'``); all others are unfavorable. The default for a label of 0 and 1 is 1.
    continuous : sequence of str
        Protected columns that are numbers instead of groups.
    features : sequence of str, optional
        Columns that may be inputs of a network; by default all columns without another role that are
        not the same in all rows and do not differ in nearly all of them. Protected columns are
        excluded unless the model's settings include them.
    drop : sequence of str
        Columns to exclude from the features.
    weights : str, optional
        Column of instance weights.
    groups : str, optional
        Column with the unit of each row, if rows of one unit are not independent.
    missing : {'use', 'drop', 'error'}, default 'use'
        Whether missing features are encoded, rows with missing values are dropped, or they raise an
        error. Rows without a label are left out; those without a protected value have no group.
    missing_values : sequence of str
        Texts that stand for a missing value, besides blanks, '?', 'NA', '-' and the like.
    sep, encoding : str, optional
        Separator and encoding of a text file; see `grad_ext.data.formats.read_file`.
    name : str, optional
        Name of the data set; by default the file's name.

    Returns
    -------
    Table
        The rows in the file's order, with the SHA-256 of the file.

    Raises
    ------
    InputError
        If the file cannot be read, a column is missing, or its values do not fit its role. All
        problems are named at once.
    MissingToolkit
        If it needs pyarrow, which is not installed.

    Examples
    --------
    >>> import tempfile
    >>> from pathlib import Path
    >>> from grad_ext.data import load_table
    >>> file = Path(tempfile.mkdtemp(), "loans.csv")
    >>> _ = file.write_text("amount,sex,paid\\n5,f,no\\n7,m,yes\\n9,m,yes\\n4,f,yes\\n")
    >>> table = load_table(file, label="paid", favorable="yes", protected=["sex"])
    >>> table.y().tolist(), table.protected[0].values
    ([False, True, True, True], ('m',))
    """
    given = {
        "label": label,
        "protected": protected,
        "favorable": favorable,
        "continuous": continuous,
        "features": features,
        "drop": drop,
        "weights": weights,
        "groups": groups,
        "missing": missing,
        "missing_values": missing_values,
        "sep": sep,
        "encoding": encoding,
    }
    path = known_path(path)
    beside = roles_beside(path)
    options = (beside or Roles()).merged(given)
    _check_options(options, f"{path.name} needs")
    raw = read_file(path, options.pop("sep", None), options.pop("encoding", None))
    notes = raw.notes
    if beside is not None:
        notes = (*notes, f"roles that are not given are those in {roles_path(path).name}")
    request = Request(
        **options,
        name=name or bare_name(path),
        source=path.name,
        checksum=raw.checksum,
        notes=notes,
    )
    return build_table(raw.frame, request)


def table_from_frame(
    frame: pd.DataFrame,
    label: str,
    protected: Protected,
    favorable: Any = None,
    *,
    name: str = "data",
    **options: Any,
) -> Table:
    """Return a table of a frame; see `grad_ext.data.table.Table.from_frame`."""
    # polars' frames and Arrow's tables.
    to_pandas: Callable[[], Any] | None = getattr(frame, "to_pandas", None)
    if to_pandas is not None:
        frame = to_pandas()
    if not isinstance(frame, pd.DataFrame):
        raise InputError(f"expected a pandas.DataFrame, got {type(frame).__name__}")
    label, protected = _as_texts(label, frame.columns), _as_texts(protected, frame.columns)
    roles = {
        name: _as_texts(value, frame.columns)
        for name, value in options.items()
        if value is not None
    }
    _check_options({**roles, "label": label, "protected": protected}, "a frame needs")
    names = [str(column) for column in frame.columns]
    repeated = sorted({each for each in names if names.count(each) > 1})
    if repeated:
        raise InputError(f"column names must differ, got {', '.join(repeated)} more than once")
    index = [] if frame.index.names == [None] else [str(n) for n in frame.index.names]
    if set(index) & set(names):
        raise InputError(f"the index and a column have the same name, {index}")
    frame = frame.set_axis(names, axis=1)
    request = Request(label=label, protected=protected, favorable=favorable, name=name, **roles)
    return build_table(frame.reset_index(drop=not index), request)


def _as_texts(names: Any, columns: pd.Index) -> Any:
    """Return names with the columns' names among them as texts, which a table's columns have."""
    if isinstance(names, Mapping):
        return {_as_texts(name, columns): value for name, value in names.items()}
    if not isinstance(names, (str, SensitiveAttribute)) and names in [*columns]:
        return str(names)
    return [_as_texts(name, columns) for name in names] if isinstance(names, list) else names


def _check_options(options: Mapping[str, Any], needs: str) -> None:
    """Check what does not depend on the rows."""
    lacking = [each for each in ("label", "protected") if options.get(each) is None]
    if lacking:
        raise InputError(
            f"{needs} {' and '.join(lacking)} "
            f"({' and '.join(f'--{each}' for each in lacking)} on the command line)"
        )
    for name in LISTS:
        value = options.get(name)
        if isinstance(value, str):
            raise InputError(f"{name} must be a list, got the text {value!r}")
        if value is not None and not isinstance(value, Iterable):
            raise InputError(f"{name} must be a list, got {value!r}")
    checks.choice("missing", options.get("missing", "use"), MISSING)
