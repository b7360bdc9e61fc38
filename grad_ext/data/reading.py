"""Turn a frame and the roles of its columns into a table, and report what was read."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from grad_ext import checks
from grad_ext.data.columns import MOST_LEVELS
from grad_ext.data.conditions import (
    Condition,
    Interval,
    distinct_values,
    matching_values,
    parse_condition,
    parse_interval,
    several,
    value_text,
)
from grad_ext.data.formats import UNNAMED
from grad_ext.data.problems import Problems
from grad_ext.data.roles import Roles
from grad_ext.data.scalars import Column, shown
from grad_ext.data.sensitive import MOST_GROUPS, SensitiveAttribute, group_names
from grad_ext.data.table import Table, Target
from grad_ext.data.table_report import (
    ColumnReport,
    GroupReport,
    LabelValue,
    RowsLeftOut,
    TableReport,
)
from grad_ext.data.values import read_column, unused_reason
from grad_ext.errors import InputError, unknown

# Fewer rows cannot be split into a training, a validation and a test set.
LEAST_ROWS = 4
# Different values of a label that a message or a report lists.
MOST_LABELS = 50


@dataclass(frozen=True, kw_only=True)
class Request:
    """The roles of the columns of a frame, as they were given, and what the table is called.

    `label` to `missing_values` are the parameters of `load_table`.
    """

    label: str
    protected: Sequence[str | SensitiveAttribute] | Mapping[str, Any]
    favorable: Any = None
    continuous: Sequence[str] = ()
    features: Sequence[str] | None = None
    drop: Sequence[str] = ()
    weights: str | None = None
    groups: str | None = None
    missing: str = "use"
    missing_values: Sequence[str] = ()
    name: str
    source: str = ""
    checksum: str = ""
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class _Wanted:
    """An attribute as it was given: a condition, values or a rule over a column."""

    name: str
    column: str
    interval: Interval | None = None
    values: Any = None
    continuous: bool = False
    rule: SensitiveAttribute | None = None


@dataclass
class _Label:
    """The label: its column, which rows are favorable, and what its values become."""

    column: str
    favorable: NDArray[np.bool_]
    known: NDArray[np.bool_]
    target: Target
    values: list[tuple[str, NDArray[np.bool_], bool]] = field(default_factory=list)
    derived: bool = False


def build_table(frame: pd.DataFrame, request: Request) -> Table:
    """Return the table of a frame.

    Parameters
    ----------
    frame : pandas.DataFrame
        N rows whose columns have different names, which are texts.
    request : Request
        The roles.

    Raises
    ------
    InputError
        With all problems of the frame at once.
    """
    return _Reader(frame.reset_index(drop=True), request).table()


class _Reader:
    def __init__(self, frame: pd.DataFrame, request: Request) -> None:
        self.frame, self.request = frame, request
        given = {"drop": request.drop, "continuous": request.continuous}
        self.problems = Problems(
            request.source or request.name, given | {"missing_values": request.missing_values}
        )
        self.notes: dict[str, list[str]] = {}
        self.left_out: dict[str, str] = {}

    def table(self) -> Table:
        request, problems = self.request, self.problems
        if len(self.frame) < LEAST_ROWS:
            problems.add(
                f"expected at least {LEAST_ROWS} rows to train, validate and test with, got "
                f"{len(self.frame)}"
            )
        condition, wanted = self._condition(), self._wanted()
        self._check_names()
        label_column = None if condition is None else condition.column
        self._check_roles(label_column, wanted)
        columns = self._columns(self._candidates(label_column), label_column, wanted)
        label = None
        if condition is not None and condition.column in columns:
            label = self._label(condition, columns[condition.column])
        kept = self._kept(columns, label)
        if label is None or not kept.any():
            problems.check()
        assert label is not None
        columns = {name: _kept_column(column, kept) for name, column in columns.items()}
        y = label.favorable[kept]
        self._check_classes(y)
        attributes = [self._attribute(one, columns, y) for one in wanted]
        if request.weights is not None:
            self._check_weights(kept)
        problems.check()
        return self._made(
            columns, label, kept, tuple(each for each in attributes if each is not None)
        )

    # --- names -------------------------------------------------------------------------------

    def _condition(self) -> Condition | None:
        try:
            return parse_condition(self.request.label, self.frame.columns)
        except InputError as error:
            self.problems.add(f"label: {error}")
            return None

    def _wanted(self) -> list[_Wanted]:
        given, continuous = self.request.protected, self.request.continuous
        if isinstance(given, str):
            raise InputError(f"protected must be a list of names, got the string {given!r}")
        items = given.items() if isinstance(given, Mapping) else ((item, None) for item in given)
        wanted = []
        for item, values in items:
            try:
                wanted.append(self._wanted_one(item, values))
            except InputError as error:
                self.problems.add(f"protected: {error}")
        names = [one.name for one in wanted]
        if not names and not self.problems:
            self.problems.add("protected is empty; name at least one column")
        if len({*names}) < len(names):
            self.problems.add(f"protected attributes must differ, got {names}")
        for name in continuous:
            if name not in names:
                self.problems.add(
                    f"continuous names {name!r}, which is not among the protected ones"
                )
        return wanted

    def _wanted_one(self, item: str | SensitiveAttribute, values: Any) -> _Wanted:
        if isinstance(item, SensitiveAttribute):
            if item.column not in self.frame.columns:
                raise unknown("column", item.column, self.frame.columns)
            return _Wanted(item.name, item.column, rule=item)
        condition = parse_condition(item, self.frame.columns)
        interval = condition.interval or parse_interval(values)
        return _Wanted(
            item,
            condition.column,
            interval,
            condition.values if values is None else values,
            item in self.request.continuous,
        )

    def _check_names(self) -> None:
        request = self.request
        single = {"weights": request.weights, "groups": request.groups}
        lists = {"features": request.features or (), "drop": request.drop}
        named = [(option, name) for option, name in single.items() if name is not None]
        named += [(option, name) for option, names in lists.items() for name in names]
        for option, name in named:
            if name not in self.frame.columns:
                self.problems.add(f"{option}: {unknown('column', name, self.frame.columns)}")

    def _check_roles(self, label: str | None, wanted: Sequence[_Wanted]) -> None:
        """Check that no column has two roles that exclude each other."""
        others = {self.request.weights: "holds the weights", self.request.groups: "names the units"}
        for one in wanted:
            if one.column == label:
                self.problems.add(
                    f"the label {label!r} cannot be protected from its own prediction"
                )
            elif one.column in others:
                self.problems.add(
                    f"column {one.column!r} {others[one.column]} and cannot be protected too"
                )
        for name in self.request.features or ():
            if name in {label, *others} and name in self.frame.columns:
                self.problems.add(f"column {name!r} has another role and cannot be a feature too")

    def _candidates(self, label: str | None) -> list[str]:
        """Return the columns that may be features."""
        request = self.request
        roles = {label, request.weights, request.groups}
        asked = self.frame.columns if request.features is None else request.features
        names = [
            name
            for name in dict.fromkeys(asked)
            if name in self.frame.columns and name not in roles and name not in request.drop
        ]
        for name in names:
            # A column without a name is usually the saved index of a frame.
            if name.startswith(UNNAMED):
                number = [*self.frame.columns].index(name) + 1
                self.problems.add(
                    f"column {number} has no name; name it in the file, or exclude it", drop=name
                )
        return [name for name in names if not name.startswith(UNNAMED)]

    # --- columns -----------------------------------------------------------------------------

    def _columns(
        self, candidates: Sequence[str], label: str | None, wanted: Sequence[_Wanted]
    ) -> dict[str, Column]:
        """Return the columns with a role that can be read, the features among them."""
        protected = [one.column for one in wanted]
        columns: dict[str, Column] = {}
        for name in dict.fromkeys([*candidates, *protected, *([label] if label else [])]):
            feature = name in candidates and name not in protected
            try:
                column = read_column(self.frame[name], self.request.missing_values)
            except InputError as error:
                self.problems.add(str(error), **({"drop": name} if feature else {}))
                continue
            self.notes[name] = [*column.notes]
            if not feature or self._usable(name, column):
                columns[name] = column
        return columns

    def _usable(self, name: str, column: Column) -> bool:
        """Return whether a column can be a feature; say why not."""
        explicit = self.request.features is not None
        reason = unused_reason(column)
        if column.missing == len(column.values):
            self.problems.add(f"column {name!r} has no value; exclude it", drop=name)
            return False
        if reason is not None and not explicit:
            self.left_out[name] = reason
            return False
        if column.kind == "category":
            levels = column.values.nunique()
            if levels > MOST_LEVELS:
                self.problems.add(
                    f"feature {name!r} is text with {levels:,} different values; exclude it, or "
                    f"group it into at most {MOST_LEVELS:,}",
                    drop=name,
                )
                return False
        elif _infinite(column):
            self.problems.add(
                f"feature {name!r}: expected finite numbers, got an infinite one; correct it, or "
                "exclude the column",
                drop=name,
            )
            return False
        return True

    # --- label -------------------------------------------------------------------------------

    def _label(self, condition: Condition, column: Column) -> _Label | None:
        name, levels = condition.column, distinct_values(column.values)
        if len(levels) < 2:
            found = f"only the value {levels[0]!r}" if levels else "none"
            notes = "".join(f"; {note}" for note in column.notes)
            self.problems.add(f"label {name!r}: expected two values or more, got {found}{notes}")
            return None
        known = column.values.notna().to_numpy()
        favorable, chosen = self._favorable(condition, column, levels)
        if favorable is None:
            return None
        favorable &= known
        if not favorable.any() or favorable[known].all():
            which = "all" if favorable.any() else "none"
            self.problems.add(
                f"label {condition.text!r}: expected favorable and unfavorable values, but {which} "
                f"values are favorable; the values are {shown(levels)}"
            )
            return None
        if len(levels) == 2 and condition.interval is None:
            high = [level for level in levels if level in chosen]
            low = [level for level in levels if level not in chosen]
            target = Target(name, favorable=high[0], unfavorable=low[0])
            return _Label(name, favorable, known, target, self._values(column, favorable, known))
        text = self._derived_name(condition, chosen)
        values = self._values(column, favorable, known, text)
        return _Label(name, favorable, known, Target(text, 1, 0), values, derived=True)

    def _favorable(
        self, condition: Condition, column: Column, levels: list[Any]
    ) -> tuple[NDArray[np.bool_] | None, tuple[Any, ...]]:
        """Return which rows are favorable, and the favorable values or bounds."""
        name, favorable = condition.column, self.request.favorable
        plain = condition.interval is None and condition.values is None
        if not plain and favorable is not None:
            self.problems.add(
                f"the label {condition.text!r} is a condition, which needs no favorable value, got "
                f"{favorable!r}"
            )
            return None, ()
        if plain and favorable is None:
            if {*levels} not in ({0, 1}, {"0", "1"}):
                self.problems.add(
                    f"label {name!r} has {len(levels):,} values ({_counts(column)}); name the "
                    "favorable one with favorable (--favorable on the command line)"
                )
                return None, ()
            favorable = levels[1]
        try:
            chosen, intervals = self._chosen(condition, favorable, levels)
        except InputError as error:
            self.problems.add(f"label: {error}")
            return None, ()
        if intervals and column.kind == "category":
            self.problems.add(
                f"label {name!r}: expected numbers for {intervals[0].text(name)!r}, got "
                f"{shown(levels)}"
            )
            return None, ()
        rows = column.values.isin(chosen).to_numpy(dtype=bool)
        for interval in intervals:
            rows |= interval.contains(column.values)
        return rows, (*chosen, *intervals)

    def _chosen(
        self, condition: Condition, favorable: Any, levels: list[Any]
    ) -> tuple[list[Any], list[Interval]]:
        if condition.interval is not None:
            return [], [condition.interval]
        wanted = condition.values if condition.values is not None else favorable
        chosen: list[Any] = []
        intervals: list[Interval] = []
        for value in several(wanted):
            interval = parse_interval(value)
            if interval is not None and value not in levels:
                if condition.values is not None:
                    sign = str(value).strip()[0]
                    raise InputError(
                        f"{condition.text!r}: expected a condition such as age>=25, got "
                        f"'={sign}'; write '{sign}=' or '{sign}'"
                    )
                intervals.append(interval)
            else:
                chosen += matching_values(value, levels, condition.column)
        return chosen, intervals

    def _derived_name(self, condition: Condition, chosen: tuple[Any, ...]) -> str:
        """Return the name of the column of 0 and 1 that the label becomes."""
        name = condition.column
        if condition.text != name:
            text = condition.text.strip()
        else:
            values = [value_text(one) for one in chosen if not isinstance(one, Interval)]
            bounds = [one.text(name) for one in chosen if isinstance(one, Interval)]
            text = " or ".join([*([f"{name} is {' or '.join(values)}"] if values else []), *bounds])
        while text in self.frame.columns:
            text += "'"
        return text

    def _values(
        self,
        column: Column,
        favorable: NDArray[np.bool_],
        known: NDArray[np.bool_],
        text: str | None = None,
    ) -> list[tuple[str, NDArray[np.bool_], bool]]:
        """Return the values of the label, the rows with each, and whether it is favorable."""
        levels = distinct_values(column.values)
        if text is not None and len(levels) > MOST_LABELS:
            return [(text, favorable, True), (f"not {text}", known & ~favorable, False)]
        found = []
        for level in levels:
            rows = (column.values == level).to_numpy(dtype=bool)
            name = str(bool(level)) if column.kind == "boolean" else value_text(level)
            found.append((name, rows, bool(favorable[rows].any())))
        return found

    def _check_classes(self, y: NDArray[np.bool_]) -> None:
        if y.all() or not y.any():
            self.problems.add(
                f"label {self.request.label!r}: expected favorable and unfavorable rows, got only "
                f"{'favorable' if y.all() else 'unfavorable'} ones in {len(y):,} rows"
            )

    # --- rows --------------------------------------------------------------------------------

    def _kept(self, columns: Mapping[str, Column], label: _Label | None) -> NDArray[np.bool_]:
        """Return which rows are in the table, and note which are not and why."""
        request, n = self.request, len(self.frame)
        for what, name in (("weights", request.weights), ("units", request.groups)):
            if name in self.frame.columns:
                lacking = _missing(self.frame[name], request.missing_values)
                if lacking:
                    self.problems.add(
                        f"{what} {name!r}: expected a value in every row, got none in {lacking:,} of "
                        f"{n:,}"
                    )
        kept = np.ones(n, dtype=bool) if label is None else label.known.copy()
        self.rows_left_out: list[RowsLeftOut] = []
        used = [name for name in columns if label is None or name != label.column]
        gaps = {
            name: columns[name].values.isna().to_numpy() for name in used if columns[name].missing
        }
        incomplete = np.any(list(gaps.values()), axis=0) if gaps else np.zeros(n, dtype=bool)
        if request.missing == "error" and (gaps or not kept.all()):
            counts = {name: int(rows.sum()) for name, rows in gaps.items()}
            if label is not None and not kept.all():
                counts[label.column] = int((~kept).sum())
            self.problems.add(
                f"{int((incomplete | ~kept).sum()):,} of {n:,} rows have missing values, in "
                f"{_most(counts)}; use or drop them, or fill them in",
                missing="use",
            )
        if not kept.all():
            self.rows_left_out.append(RowsLeftOut("without a label", int((~kept).sum())))
        if request.missing == "drop" and (kept & incomplete).any():
            counts = {name: int((kept & rows).sum()) for name, rows in gaps.items()}
            reason = f"with missing values, in {_most(counts)}"
            self.rows_left_out.append(RowsLeftOut(reason, int((kept & incomplete).sum())))
            if (incomplete | ~kept).all():
                self.problems.add(
                    f"every row has missing values, in {_most(counts)}", missing="use"
                )
            kept &= ~incomplete
        return kept

    # --- attributes --------------------------------------------------------------------------

    def _attribute(
        self, wanted: _Wanted, columns: Mapping[str, Column], y: NDArray[np.bool_]
    ) -> SensitiveAttribute | None:
        """Return an attribute with its groups, which are the values of its column by default."""
        column = columns.get(wanted.column)
        if column is None:
            return None
        try:
            attribute = self._with_groups(wanted, column, y)
        except InputError as error:
            self.problems.add(f"protected {wanted.name!r}: {error}")
            return None
        if attribute is not None:
            self._check_groups(attribute, column)
        return attribute

    def _with_groups(
        self, wanted: _Wanted, column: Column, y: NDArray[np.bool_]
    ) -> SensitiveAttribute | None:
        name, values, rule = wanted.name, column.values, wanted.rule
        levels = distinct_values(values)
        interval = wanted.interval if rule is None else rule.interval
        if interval is not None or wanted.continuous or (rule is not None and rule.continuous):
            if column.kind == "category":
                raise InputError(
                    f"protected column {wanted.column!r}: expected numbers, got {shown(levels)}"
                )
            if _infinite(column):
                raise InputError(
                    f"expected finite numbers in {wanted.column!r}, got an infinite one"
                )
        if rule is not None:
            return rule
        if wanted.continuous:
            return SensitiveAttribute(name, wanted.column, continuous=True)
        if interval is not None:
            return SensitiveAttribute(name, wanted.column, **vars(interval))
        if wanted.values is not None:
            chosen = matching_values(wanted.values, levels, wanted.column)
            return SensitiveAttribute(name, wanted.column, values=chosen)
        if len(levels) > MOST_GROUPS:
            self._too_many_groups(wanted, column, len(levels))
            return None
        if len(levels) != 2:
            return SensitiveAttribute(name, wanted.column, levels=tuple(levels))
        rates = [y[(values == level).to_numpy(dtype=bool)].mean() for level in levels]
        return SensitiveAttribute(name, wanted.column, values=(levels[int(rates[1] > rates[0])],))

    def _too_many_groups(self, wanted: _Wanted, column: Column, n: int) -> None:
        name = wanted.column
        if column.kind == "category":
            self.problems.add(
                f"protected column {name!r} has {n:,} values; name the privileged ones "
                f"('{name}=...|...'), or group it into at most {MOST_GROUPS}"
            )
            return
        middle = value_text(float(column.values.median()))
        self.problems.add(
            f"protected column {name!r} has {n:,} values; name it among continuous, split it in two "
            f"('{name}>={middle}'), or group it into at most {MOST_GROUPS}",
            continuous=wanted.name,
        )

    def _check_groups(self, attribute: SensitiveAttribute, column: Column) -> None:
        numbers = attribute.numbers(column.values)
        present = np.unique(numbers[~np.isnan(numbers)])
        if len(present) > 1:
            return
        levels = distinct_values(column.values)
        what = "values" if attribute.continuous else "groups"
        got = f"only {shown(levels)}" if levels else "no value"
        if len(levels) > 1 and len(present):
            names = group_names(attribute, column.values)
            got = f"only {names[int(present[0])]!r}" if names else f"only {present[0]:g}"
        self.problems.add(f"protected {attribute.name!r}: expected at least two {what}, got {got}")

    def _check_weights(self, kept: NDArray[np.bool_]) -> None:
        name = self.request.weights
        if name not in self.frame.columns or self.problems:
            return
        try:
            column = read_column(self.frame[name], self.request.missing_values)
            if column.kind == "category":
                levels = shown(distinct_values(column.values))
                raise InputError(f"weights {name!r}: expected numbers, got {levels}")
            weights = column.values.to_numpy(dtype=np.float64, na_value=np.nan)[kept]
            checks.sample_weights(weights, f"weights {name!r}")
        except InputError as error:
            self.problems.add(str(error))

    # --- the table ---------------------------------------------------------------------------

    def _made(
        self,
        columns: Mapping[str, Column],
        label: _Label,
        kept: NDArray[np.bool_],
        protected: tuple[SensitiveAttribute, ...],
    ) -> Table:
        request = self.request
        frame = self.frame[kept].reset_index(drop=True)
        read = {name: column.values.reset_index(drop=True) for name, column in columns.items()}
        if request.weights is not None:
            weights = read_column(frame[request.weights], request.missing_values)
            read[request.weights] = weights.values
        if request.groups is not None:
            read[request.groups] = frame[request.groups].astype(str).str.strip()
        if label.derived:
            favorable = label.favorable[kept].astype(np.int64)
            read[label.target.column] = pd.Series(favorable, index=frame.index)
        frame = frame.assign(**read)
        target = label.target
        if not label.derived:
            # Whole numbers and truth values are such again where no value is missing any more.
            values = distinct_values(frame[label.column])
            target = Target(label.column, *_as_in(values, target))
        features = [
            name
            for name in self._asked()
            if name in columns and name != label.column and name not in self.left_out
        ]
        if not features:
            self.problems.add("no column is left that can be a feature")
            self.problems.check()
        table = Table(
            name=request.name,
            frame=frame,
            features=tuple(features),
            target=target,
            protected=protected,
            weights=request.weights,
            groups=request.groups,
            source=request.source,
            checksums={request.source: request.checksum} if request.checksum else {},
        )
        report = self._report(table, columns, label, kept)
        return replace(table, report=report, roles=self._roles(table))

    def _roles(self, table: Table) -> Roles:
        request = self.request
        favorable = tuple(map(value_text, several(request.favorable)))
        return Roles(
            label=request.label,
            favorable=favorable or None,
            protected=table.attribute_names,
            continuous=tuple(a.name for a in table.protected if a.continuous) or None,
            features=table.features,
            weights=request.weights,
            groups=request.groups,
            missing=request.missing,
            missing_values=tuple(request.missing_values) or None,
        )

    def _asked(self) -> list[str]:
        request = self.request
        asked = self.frame.columns if request.features is None else request.features
        return [name for name in dict.fromkeys(asked) if name not in request.drop]

    def _report(
        self,
        table: Table,
        columns: Mapping[str, Column],
        label: _Label,
        kept: NDArray[np.bool_],
    ) -> TableReport:
        request = self.request
        used = frame_of_roles(table)
        return TableReport(
            name=table.name,
            source=request.source,
            rows_read=len(self.frame),
            rows=len(table),
            label=request.label,
            values=tuple(LabelValue(v, int((r & kept).sum()), good) for v, r, good in label.values),
            columns=tuple(
                self._column_report(str(name), table, columns, label) for name in self.frame
            ),
            groups=tuple(self._group_reports(table, label, kept)),
            left_out=tuple(self.rows_left_out),
            duplicates=int(used.duplicated().sum()),
            units=None if table.groups is None else int(table.frame[table.groups].nunique()),
            notes=request.notes,
        )

    def _column_report(
        self, name: str, table: Table, columns: Mapping[str, Column], label: _Label
    ) -> ColumnReport:
        notes = tuple(self.notes.get(name, ()))
        if name in self.left_out:
            return ColumnReport(name, "left out", notes=(self.left_out[name],))
        roles = {label.column: "label", table.weights: "weights", table.groups: "unit"}
        if name in {attribute.column for attribute in table.protected}:
            role = "protected"
        else:
            role = roles.get(name) or ("feature" if name in table.features else "left out")
        if role == "left out" or name not in columns:
            return ColumnReport(name, role)
        return ColumnReport(name, role, columns[name].kind, columns[name].missing, notes)

    def _group_reports(
        self, table: Table, label: _Label, kept: NDArray[np.bool_]
    ) -> list[GroupReport]:
        reports: list[GroupReport] = []
        for attribute in table.protected:
            # Of rows that are not in the table too.
            read = read_column(self.frame[attribute.column], self.request.missing_values).values
            numbers = attribute.numbers(read)
            names = group_names(attribute, read)
            reports += group_reports(attribute, names, numbers, label.favorable, label.known, kept)
        return reports


def group_reports(
    attribute: SensitiveAttribute,
    names: Sequence[str],
    numbers: NDArray[np.float64],
    favorable: NDArray[np.bool_],
    known: NDArray[np.bool_],
    kept: NDArray[np.bool_],
) -> list[GroupReport]:
    """Return the groups of an attribute that have rows, those of unknown group last.

    Parameters
    ----------
    attribute : SensitiveAttribute
        The attribute.
    names : sequence of str
        The groups' names.
    numbers : array of shape (N,)
        The number of each row's group, or the number itself.
    favorable, known, kept : bool arrays of shape (N,)
        Whether rows have the favorable label, a known label, and are in the table.
    """
    unknown_group = np.isnan(numbers)
    if attribute.continuous:
        inside = numbers[kept & ~unknown_group]
        span = f"{value_text(float(inside.min()))} to {value_text(float(inside.max()))}"
        rows = int((kept & ~unknown_group).sum())
        reports = [GroupReport(attribute.name, span, rows, None, int((~unknown_group).sum()))]
        members = [("unknown", unknown_group, False)]
    else:
        reports = []
        two = attribute.levels is None
        members = [(name, numbers == k, two and k == 1) for k, name in enumerate(names)]
        members.append(("unknown", unknown_group, False))
    for name, rows_of, privileged in members:
        if rows_of.any():
            reports.append(
                GroupReport(
                    attribute.name,
                    name,
                    int((rows_of & kept).sum()),
                    _rate(favorable, rows_of & kept),
                    int(rows_of.sum()),
                    _rate(favorable, rows_of & known),
                    privileged,
                    known=rows_of is not unknown_group,
                )
            )
    return reports


def frame_of_roles(table: Table) -> pd.DataFrame:
    """Return the columns of a table that have a role, but for the units."""
    return table.frame[[name for name in table.columns if name != table.groups]]


def _rate(favorable: NDArray[np.bool_], rows: NDArray[np.bool_]) -> float | None:
    return float(favorable[rows].mean()) if rows.any() else None


def _infinite(column: Column) -> bool:
    if column.kind == "category":
        return False
    return bool(np.isinf(column.values.to_numpy(dtype=np.float64, na_value=np.nan)).any())


def _missing(values: pd.Series, words: Sequence[str]) -> int:
    """Return the number of missing values of a column that is not read as numbers."""
    return read_column(values.astype(object).astype("category"), words).missing


def _kept_column(column: Column, kept: NDArray[np.bool_]) -> Column:
    """Return the kept rows of a column, as whole numbers or truth values if none is missing."""
    values = column.values[kept]
    if column.missing and not values.isna().any():
        if column.kind == "boolean":
            values = values.astype(bool)
        elif column.kind == "number":
            values = read_column(values).values
    return Column(values, column.kind, column.notes)


def _as_in(values: Sequence[Any], target: Target) -> tuple[Any, Any]:
    """Return a target's values with the types that the column's values have."""
    high = next((value for value in values if value == target.favorable), target.favorable)
    low = next((value for value in values if value == target.unfavorable), target.unfavorable)
    return high, low


def _counts(column: Column) -> str:
    """Return the values of a label with their rows, the most frequent first."""
    counts = column.values.value_counts()
    named = [f"{value_text(v)!r} {n:,} rows" for v, n in counts.head(10).items()]
    return ", ".join([*named, *(["..."] if len(counts) > 10 else [])])


def _most(counts: Mapping[str, int]) -> str:
    """Return the columns with the most missing values."""
    ordered = sorted(counts.items(), key=lambda item: -item[1])
    named = [f"{name!r} ({n:,})" for name, n in ordered if n]
    return ", ".join([*named[:3], *(["..."] if len(named) > 3 else [])])
