"""The data that options name: a data set of the catalog or a file of the user's."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

from grad_ext.data import load_dataset, load_table
from grad_ext.data.catalog import known_data_set
from grad_ext.data.source import table_from_frame
from grad_ext.data.table import Table
from grad_ext.errors import InputError, unknown

# One set of protected attributes.
AttributeSet = tuple[str, ...]
# Describes a file of the user's: see `table_from_options`.
FILE_OPTIONS = (
    *("path", "label", "favorable", "continuous", "features", "drop", "weights", "groups"),
    *("missing", "missing_values", "sep", "encoding"),
)
LIST_OPTIONS = ("continuous", "features", "drop", "missing_values")


def table_from_options(
    dataset: str | None = None,
    protected: Sequence[str] | None = None,
    *,
    data: str | Path | None = None,
    label: str | None = None,
    favorable: str | None = None,
    continuous: Sequence[str] | None = None,
    features: Sequence[str] | None = None,
    drop: Sequence[str] | None = None,
    weights: str | None = None,
    groups: str | None = None,
    missing: Literal["use", "drop", "error"] | None = None,
    missing_values: Sequence[str] | None = None,
    sep: str | None = None,
    encoding: str | None = None,
    data_dir: str | Path | None = None,
) -> Table:
    """Return the table that options name.

    Parameters
    ----------
    dataset : str, optional
        Name of a data set, as for `load_dataset`.
    protected : sequence of str, optional
        Attributes to protect, as for `load_dataset` or `load_table`.
    data : path, optional
        The user's own file, instead of `dataset`; `label` and `protected` are then required, unless
        the file brings its roles along.
    label, favorable, continuous, features, drop, weights, groups
        As for `load_table`.
    missing, missing_values, sep, encoding
        As for `load_table`.
    data_dir : path, optional
        As for `load_dataset`.

    Raises
    ------
    InputError
        If the options do not go together, and whatever the two functions raise.

    Examples
    --------
    >>> from grad_ext.data.options import table_from_options
    >>> table_from_options("german", ["age", "sex"]).attribute_names
    ('age', 'sex')
    """
    own = {
        "--label": label,
        "--favorable": favorable,
        "--continuous": continuous,
        "--features": features,
        "--drop": drop,
        "--weights": weights,
        "--groups": groups,
        "--missing": missing,
        "--missing-values": missing_values,
        "--sep": sep,
        "--encoding": encoding,
    }
    if data is None:
        given = [option for option, value in own.items() if value is not None]
        if given:
            raise InputError(f"{given[0]} belongs to a file of your own: name it with --data")
        if dataset is None:
            raise InputError("expected --dataset with a name, or --data with a file, got neither")
        return load_dataset(dataset, protected, data_dir)
    if dataset is not None:
        raise InputError(f"expected --dataset or --data, got both: {dataset} and {data}")
    return load_table(
        data,
        label,
        protected,
        favorable,
        continuous=continuous,
        features=features,
        drop=drop,
        weights=weights,
        groups=groups,
        missing=missing,
        missing_values=missing_values,
        sep=sep,
        encoding=encoding,
    )


def as_table(
    data: Any,
    label: str | None = None,
    protected: Any = None,
    favorable: Any = None,
    *,
    data_dir: str | Path | None = None,
    **options: Any,
) -> Table:
    """Return a table of whatever holds the rows.

    Parameters
    ----------
    data : Table, pandas.DataFrame, str or path
        A table, which is returned unchanged; a frame; the name of a data set; or the path of a file.
    label, protected, favorable
        The roles, as for `grad_ext.load_table`; a data set has roles but for `protected`.
    data_dir : path, optional
        As for `load_dataset`.
    **options
        The further parameters of `grad_ext.load_table`.

    Raises
    ------
    InputError
        If roles are given for a table or a data set, which have their own, and whatever reading
        raises.

    Examples
    --------
    >>> from grad_ext.data.options import as_table
    >>> as_table("german", protected=["sex"]).attribute_names
    ('sex',)
    """
    known = [name for name in FILE_OPTIONS if name != "path"]
    for name in options:
        if name not in (*known, "name"):
            raise unknown("parameter of the rows", name, known)
    roles = {"label": label, "favorable": favorable, **options}
    given = {name: value for name, value in roles.items() if value is not None}
    is_name = isinstance(data, str) and known_data_set(data) is not None
    if (is_name or isinstance(data, Table)) and given:
        what = f"the data set {data!r}" if is_name else "a Table"
        raise InputError(f"{', '.join(given)}: {what} has its roles already")
    if is_name:
        return load_dataset(data, protected, data_dir)
    if isinstance(data, Table):
        return data if protected is None else data.protecting(protected)
    if isinstance(data, (str, Path)):
        return load_table(data, label, protected, favorable, **options)
    lacking = [name for name, role in (("label", label), ("protected", protected)) if role is None]
    if lacking:
        raise InputError(f"a frame needs {' and '.join(lacking)}")
    for name in ("sep", "encoding"):
        if given.pop(name, None) is not None:
            raise InputError(f"{name} is for files, got a {type(data).__name__}")
    return table_from_frame(data, protected=protected, **given)


def checked_file(options: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return the options that describe a file: ``path`` and those of `load_table`, by name.

    Raises
    ------
    InputError
        If an option is unknown, ``path`` is missing, or a list of columns is not a list.
    """
    for name, value in options.items():
        if name not in FILE_OPTIONS:
            raise unknown("entry of data", name, FILE_OPTIONS)
        if name in LIST_OPTIONS and value is not None and not isinstance(value, (list, tuple)):
            raise InputError(f"data: {name}: expected a list of columns, got {value!r}")
    if not isinstance(options.get("path"), (str, Path)):
        raise InputError(f"data: path: expected the path of a file, got {options.get('path')!r}")
    return options


def tables_by_attributes(
    dataset: str | Table,
    sets: Sequence[AttributeSet] | None = None,
    data: Mapping[str, Any] | None = None,
    data_dir: str | Path | None = None,
) -> dict[AttributeSet, Table]:
    """Load a data set once, and return it with each set of attributes protected.

    Parameters
    ----------
    dataset : str or Table
        Name of a data set, or a table; ignored if `data` is given.
    sets : sequence of tuple of str, optional
        The sets of protected attributes; the attributes that are protected by default if not given.
    data : mapping of str to value, optional
        A file instead: see `checked_file`.
    data_dir : path, optional
        As for `load_dataset`.

    Raises
    ------
    InputError
        If the data cannot be loaded, or have no such attribute.

    Examples
    --------
    >>> from grad_ext.data.options import tables_by_attributes
    >>> list(tables_by_attributes("german", [("age",), ("age", "sex")]))
    [('age',), ('age', 'sex')]
    """
    every = None if sets is None else list(dict.fromkeys(name for one in sets for name in one))
    if data is not None:
        options = {n: v for n, v in checked_file(data).items() if n != "path"}
        table = table_from_options(protected=every, data=data["path"], data_dir=data_dir, **options)
    elif isinstance(dataset, Table):
        table = dataset if every is None else dataset.protecting(every)
    else:
        table = load_dataset(dataset, every, data_dir)
    return {one: table.protecting(one) for one in sets or (table.attribute_names,)}
