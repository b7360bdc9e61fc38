"""Any CSV or Parquet file with a label and protected columns, as a table."""

from __future__ import annotations

import csv
import gzip
import hashlib
import zlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from io import BytesIO
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pandas as pd

from grad_ext.data.sensitive import MOST_GROUPS, SensitiveAttribute
from grad_ext.data.table import Table, Target
from grad_ext.errors import InputError, MissingToolkit, unknown

# A column of text with more values than this is rather a name or a number of the row.
MOST_LEVELS = 1000
CSV, PARQUET = (".csv", ".csv.gz"), (".parquet", ".pq")
# What pandas may find in a column of objects that can be one-hot encoded.
TEXT = ("string", "boolean", "integer", "mixed-integer")


def load_table(
    path: str | Path,
    label: str,
    protected: Sequence[str | SensitiveAttribute] | Mapping[str, Any],
    favorable: Any = None,
    *,
    continuous: Sequence[str] = (),
    features: Sequence[str] | None = None,
    drop: Sequence[str] = (),
    weights: str | None = None,
    groups: str | None = None,
    missing: Literal["error", "drop"] = "error",
    name: str | None = None,
) -> Table:
    """Read a data set of your own from a file.

    Parameters
    ----------
    path : path
        A CSV file (commas, a line of names first; may be gzipped: ``.csv.gz``) or a Parquet file.
    label : str
        The column to predict.
    protected : sequence, or mapping of str to the privileged value or values
        The columns to protect. A name alone: of two values, the one with the higher rate of
        favorable labels in the file is the privileged one; of more, each is a group. ``'sex=Male'``
        or ``'race=White|Asian'`` says which values are privileged, all others not; ``'age>25'``
        which numbers are. A `SensitiveAttribute` is taken as it is.
    favorable : object, optional
        The label's favorable value, or several of them (a list, or a text with ``|``); all others
        are unfavorable. A label of 0 and 1 needs none.
    continuous : sequence of str
        Those of the protected columns that are numbers and not groups.
    features : sequence of str, optional
        The columns that a network may see; if not given, all that play no other part. Protected
        ones stay out of its sight unless it is told otherwise.
    drop : sequence of str
        Columns to leave out of the features.
    weights : str, optional
        Column of instance weights.
    groups : str, optional
        Column that names the unit a row belongs to, where rows of one unit are not independent.
    missing : {'error', 'drop'}
        What to do about rows that lack a value in a column that plays a part: refuse the file, or
        leave them out.
    name : str, optional
        What to call the data set; the file's name if not given.

    Returns
    -------
    Table
        The rows in the file's order, with the SHA-256 of the file.

    Raises
    ------
    InputError
        If the file cannot be read, a column is not there, or a column cannot play its part.
    MissingToolkit
        If it is a Parquet file and pyarrow is not installed.

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
    path = Path(path)
    if missing not in ("error", "drop"):
        raise unknown("way with missing values", missing, ("error", "drop"))
    frame, checksum = _read(path)
    roles = [c for c in (label, weights, groups) if c is not None]
    _check_columns([*roles, *(features or ()), *drop, *continuous], frame)
    rules = _rules(protected, continuous, frame)
    kept = _kept(frame, features, roles, drop)
    if label in [rule.column for rule in rules]:
        raise InputError(f"the label {label!r} cannot be protected from its own prediction")
    parts = list(dict.fromkeys([*kept, *roles, *(rule.column for rule in rules)]))
    frame = _complete(frame, parts, missing, path.name)
    frame, target = _target(frame, label, favorable)
    for column in kept:
        _check_feature(frame[column])
    if weights is not None:
        _check_weights(frame[weights])
    bare = Table(
        name=name or path.name.split(".")[0],
        frame=frame,
        features=tuple(kept),
        target=target,
        weights=weights,
        groups=groups,
        source=path.name,
        checksums={path.name: checksum},
    )
    return replace(bare, protected=tuple(_settled(rule, bare) for rule in rules))


def _read(path: Path) -> tuple[pd.DataFrame, str]:
    """Return a file's columns, and its SHA-256."""
    if not path.name.lower().endswith((*CSV, *PARQUET)):
        raise InputError(f"{path}: expected a file named {', '.join((*CSV, *PARQUET))}")
    try:
        content = path.read_bytes()
    except OSError as error:
        raise InputError(f"cannot read {path}: {error.strerror}") from None
    checksum = hashlib.sha256(content).hexdigest()
    try:
        if path.name.lower().endswith(PARQUET):
            frame = pd.read_parquet(BytesIO(content), engine="pyarrow")
            if frame.index.names != [None]:
                frame = frame.reset_index()
            names = [str(c) for c in frame.columns]
        else:
            content = gzip.decompress(content) if path.name.lower().endswith(".gz") else content
            # Not in pieces, whose columns could be of different types.
            frame = pd.read_csv(BytesIO(content), skipinitialspace=True, low_memory=False)
            first = content.partition(b"\n")[0].decode("utf-8-sig")
            names = next(csv.reader([first], skipinitialspace=True))
            if not isinstance(frame.index, pd.RangeIndex):
                # pandas would take the first fields for names of the rows.
                raise ValueError(f"rows have more fields than the {len(names)} column names")
    except ImportError:
        raise MissingToolkit("pyarrow", "parquet") from None
    except (ValueError, OSError, EOFError, zlib.error, csv.Error) as error:
        raise InputError(f"cannot read {path}: {error}") from None
    # pandas would call a second column of one name "name.1", and a copy of the label be a feature.
    repeated = [n for n in names if names.count(n) > 1]
    if repeated:
        raise InputError(f"{path}: column names must differ, got {repeated[0]!r} more than once")
    if not len(frame):
        raise InputError(f"{path}: expected rows, got none")
    return frame.reset_index(drop=True).rename(columns=str).infer_objects(), checksum


def _check_columns(names: Iterable[str], frame: pd.DataFrame) -> None:
    for name in names:
        if name not in frame.columns:
            raise unknown("column", name, frame.columns)


def _kept(
    frame: pd.DataFrame, features: Sequence[str] | None, roles: list[str], drop: Sequence[str]
) -> list[str]:
    """Return the columns that are features."""
    for column in features or ():
        if column in roles:
            raise InputError(f"column {column!r} plays another part, and cannot be a feature too")
    others = [c for c in frame.columns if c not in roles]
    asked = others if features is None else list(dict.fromkeys(features))
    kept = [c for c in asked if c not in drop]
    for column in kept:
        # What pandas calls a column without a name: a saved index, as a rule.
        if column.startswith("Unnamed: "):
            raise InputError(
                f"a column has no name; leave it out with drop=[{column!r}] "
                f"(--drop '{column}' on the command line), or name it"
            )
    return kept


def _rules(
    protected: Sequence[str | SensitiveAttribute] | Mapping[str, Any],
    continuous: Sequence[str],
    frame: pd.DataFrame,
) -> list[SensitiveAttribute]:
    """Return the attributes as they were asked for; `values` may yet be empty or text."""
    if isinstance(protected, str):
        raise InputError(f"protected must be a list of names, got the string {protected!r}")
    items = protected.items() if isinstance(protected, Mapping) else ((p, None) for p in protected)
    rules = [_rule(item, wanted, continuous, frame) for item, wanted in items]
    names = [rule.name for rule in rules]
    if not names:
        raise InputError("protected is empty; name at least one column")
    if len(set(names)) != len(names):
        raise InputError(f"protected attributes must differ, got {names}")
    for column in continuous:
        if column not in names:
            raise InputError(f"continuous names {column!r}, which is not among the protected ones")
    return rules


def _rule(
    item: str | SensitiveAttribute, wanted: Any, continuous: Sequence[str], frame: pd.DataFrame
) -> SensitiveAttribute:
    if isinstance(item, SensitiveAttribute):
        _check_columns([item.column], frame)
        return item
    if item not in frame.columns and ">" in item:
        column, _, cut = item.partition(">")
        _check_columns([column], frame)
        try:
            return SensitiveAttribute(column, column, above=float(cut))
        except ValueError:
            raise InputError(f"protected {item!r}: expected a number after '>'") from None
    if item not in frame.columns and "=" in item:
        item, _, wanted = item.partition("=")
    _check_columns([item], frame)
    if item in continuous:
        return SensitiveAttribute(item, item, continuous=True)
    return SensitiveAttribute(item, item, values=_several(wanted))


def _several(wanted: Any) -> tuple[Any, ...]:
    """Return one value, or several, as a tuple; nothing as an empty one."""
    if wanted is None:
        return ()
    return tuple(wanted) if isinstance(wanted, (list, tuple, set, frozenset)) else (wanted,)


def _complete(frame: pd.DataFrame, parts: list[str], missing: str, name: str) -> pd.DataFrame:
    """Return the rows without missing values in the columns that play a part."""
    gaps = frame[parts].isna()
    counts = gaps.sum().sort_values(ascending=False, kind="stable")
    bad = [f"{column!r} ({n:,})" for column, n in counts.items() if n]
    if not bad:
        return frame
    rows = int(gaps.any(axis=1).sum())
    shown = ", ".join([*bad[:3], *(["..."] if len(bad) > 3 else [])])
    if missing == "error":
        raise InputError(
            f"{name}: {rows:,} of {len(frame):,} rows have missing values, in {shown}; leave them "
            "out with missing='drop' (--missing drop on the command line), or fill them in"
        )
    if rows == len(frame):
        raise InputError(f"{name}: no row is complete; values are missing in {shown}")
    return frame[~gaps.any(axis=1)].reset_index(drop=True)


def _levels(column: pd.Series) -> list[Any]:
    """Return a column's different values as Python's own, sorted."""
    values = pd.unique(column.dropna().astype(object)).tolist()
    return sorted(values, key=lambda v: (str(type(v)), v))


def _among(wanted: Any, levels: list[Any], column: str) -> tuple[Any, ...]:
    """Return which levels are meant by values, by their text, or by several texts joined by |."""
    meant: list[Any] = []
    for value in _several(wanted):
        texts = [value] if _same(value, levels) or not isinstance(value, str) else value.split("|")
        for text in texts:
            same = _same(text, levels)
            if not same:
                raise unknown("value", text, [str(v) for v in levels[:20]], column)
            meant += same
    return tuple(dict.fromkeys(meant))


def _same(value: Any, levels: list[Any]) -> list[Any]:
    exact = [level for level in levels if level == value or str(level) == str(value)]
    if exact:
        return exact
    try:
        return [v for v in levels if not isinstance(v, str) and float(v) == float(value)]
    except (TypeError, ValueError):
        return []


def _target(frame: pd.DataFrame, label: str, favorable: Any) -> tuple[pd.DataFrame, Target]:
    """Return the label's two values; of more, a column that says whether it is a favorable one."""
    levels = _levels(frame[label])
    if len(levels) < 2:
        raise InputError(
            f"label {label!r}: expected two values or more, got only the value {levels[0]!r}"
        )
    if favorable is None:
        if set(levels) != {0, 1}:
            shown = ", ".join([*map(repr, levels[:10]), *(["..."] if len(levels) > 10 else [])])
            raise InputError(
                f"label {label!r} has {len(levels):,} values ({shown}); say which is favorable "
                "(--favorable on the command line)"
            )
        return frame, Target(label, favorable=levels[1], unfavorable=levels[0])
    chosen = _among(favorable, levels, label)
    others = [level for level in levels if level not in chosen]
    if not others:
        raise InputError(f"label {label!r}: all values are favorable, none is left for the other")
    if len(levels) == 2:
        return frame, Target(label, favorable=chosen[0], unfavorable=others[0])
    named = f"{label} is {' or '.join(map(str, chosen))}"
    derived = frame[label].isin(chosen).astype("int64").rename(named)
    return pd.concat([frame, derived], axis=1), Target(named, favorable=1, unfavorable=0)


def _check_feature(column: pd.Series) -> None:
    if pd.api.types.is_numeric_dtype(column):
        if not np.isfinite(column.to_numpy(dtype=np.float64)).all():
            raise InputError(
                f"feature {column.name!r}: expected finite numbers, got an infinite one"
            )
        return
    kind = pd.api.types.infer_dtype(column.astype(object))
    if kind not in TEXT:
        raise InputError(f"feature {column.name!r}: expected numbers or text, got {kind}")
    n = column.nunique()
    if n > MOST_LEVELS:
        raise InputError(
            f"feature {column.name!r} is text with {n:,} different values; leave it out with drop "
            f"(--drop on the command line), or group it into at most {MOST_LEVELS:,}"
        )


def _check_weights(column: pd.Series) -> None:
    if not pd.api.types.is_numeric_dtype(column):
        raise InputError(f"weights {column.name!r}: expected numbers, got {column.dtype}")
    w = column.to_numpy(dtype=np.float64)
    if not np.isfinite(w).all() or (w < 0).any() or not w.any():
        raise InputError(f"weights {column.name!r}: expected finite numbers >= 0, not all zero")


def _settled(rule: SensitiveAttribute, table: Table) -> SensitiveAttribute:
    """Return the attribute with its groups, found among the table's rows where none were named."""
    column = table.frame[rule.column]
    if rule.continuous or rule.above is not None:
        if not pd.api.types.is_numeric_dtype(column):
            raise InputError(
                f"protected column {rule.column!r}: expected numbers, got {column.dtype}"
            )
        return rule
    if rule.levels is not None:
        return rule
    levels = _levels(column)
    if len(levels) < 2:
        raise InputError(
            f"protected column {rule.column!r}: expected at least two groups, got only {levels[0]!r}"
        )
    if rule.values:
        return replace(rule, values=_among(rule.values, levels, rule.column))
    if len(levels) > MOST_GROUPS:
        raise InputError(
            f"protected column {rule.column!r} has {len(levels):,} values; name it among "
            f"continuous, cut it in two ('{rule.column}>25'), say which values are privileged "
            f"('{rule.column}=...'), or group it into at most {MOST_GROUPS}"
        )
    if len(levels) > 2:
        return replace(rule, values=None, levels=tuple(levels))
    rates = [table.y()[(column == level).to_numpy(dtype=bool)].mean() for level in levels]
    return replace(rule, values=(levels[int(rates[1] > rates[0])],))
