"""What was read: the rows, columns and groups of a table, and what was left out of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

# A group of fewer rows has fewer than six in a test set of a fifth, too few to be judged.
FEW_ROWS = 30
# Names that a sentence lists, and values of the label.
SHOWN, SHOWN_LABELS = 8, 50
# From this share on, rows that occur more than once are mentioned.
MANY_DUPLICATES = 0.01


@dataclass(frozen=True)
class ColumnReport:
    """A column as it was read.

    Attributes
    ----------
    name : str
        Its name.
    role : {'feature', 'protected', 'label', 'weights', 'unit', 'left out'}
        What it is for. A protected column is a feature too if the settings say so.
    kind : str
        'number', 'boolean' or 'category'; empty if it was not read.
    missing : int
        Number of missing values.
    notes : tuple of str
        What was read otherwise than written, or why the column was left out.
    """

    name: str
    role: str
    kind: str = ""
    missing: int = 0
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class LabelValue:
    """A value of the label.

    Attributes
    ----------
    value : str
        The value, or a condition.
    rows : int
        Number of rows with it.
    favorable : bool
        Whether it counts as favorable.
    """

    value: str
    rows: int
    favorable: bool


@dataclass(frozen=True)
class GroupReport:
    """A group of a protected attribute.

    Attributes
    ----------
    attribute, group : str
        Their names; of a continuous attribute the range of the numbers.
    rows : int
        Number of rows in the table.
    favorable : float or None
        Share of them with the favorable label; None for a continuous attribute.
    rows_read : int
        Number of rows in the file, before rows were left out.
    favorable_read : float or None
        Share of those, of known label, with the favorable one.
    privileged : bool
        Whether it is the privileged one of two.
    known : bool
        Whether it is a group, and not the rows whose group is unknown.
    """

    attribute: str
    group: str
    rows: int
    favorable: float | None
    rows_read: int
    favorable_read: float | None = None
    privileged: bool = False
    known: bool = True

    @property
    def small(self) -> bool:
        """Whether it has too few rows to be judged."""
        return self.known and self.rows < FEW_ROWS


@dataclass(frozen=True)
class RowsLeftOut:
    """Rows that are not in the table.

    Attributes
    ----------
    reason : str
        Why, in words.
    rows : int
        Their number.
    """

    reason: str
    rows: int


@dataclass(frozen=True)
class TableReport:
    """What was read from a file or a frame.

    Attributes
    ----------
    name : str
        Name of the table.
    source : str
        Name of the file; empty for a frame.
    rows_read, rows : int
        Number of rows in the source, and in the table.
    label : str
        The label, as it was named.
    values : tuple of LabelValue
        Its values.
    columns : tuple of ColumnReport
        All columns of the source.
    groups : tuple of GroupReport
        The groups of each attribute, those of unknown group last.
    left_out : tuple of RowsLeftOut
        Rows that are not in the table.
    duplicates : int
        Number of rows that equal an earlier one in all columns with a role.
    units : int or None
        Number of units that rows belong to; None if rows are independent.
    notes : tuple of str
        How the file was read.
    """

    name: str
    source: str
    rows_read: int
    rows: int
    label: str
    values: tuple[LabelValue, ...]
    columns: tuple[ColumnReport, ...]
    groups: tuple[GroupReport, ...]
    left_out: tuple[RowsLeftOut, ...] = ()
    duplicates: int = 0
    units: int | None = None
    notes: tuple[str, ...] = ()

    def of_role(self, role: str) -> tuple[ColumnReport, ...]:
        """Return the columns with a role."""
        return tuple(column for column in self.columns if column.role == role)

    @property
    def small_groups(self) -> tuple[GroupReport, ...]:
        """The groups with too few rows to be judged."""
        return tuple(group for group in self.groups if group.small)

    def sentences(self) -> list[str]:
        """Return the report as sentences, but for the table of groups."""
        sentences = [self._rows(), self._label(), self._features()]
        if self.units is not None:
            sentences.append(f"Units: {self.units:,}; a split keeps the rows of a unit together.")
        for left in self.left_out:
            sentences.append(f"Left out: {_rows(left.rows)} {left.reason}.")
        for column in self.of_role("left out"):
            if column.notes:
                sentences.append(f"Left out: column {column.name!r}, {', '.join(column.notes)}.")
        sentences += [f"{note[:1].upper()}{note[1:]}." for note in self.notes]
        for column in self.columns:
            if column.role != "left out" and column.notes:
                sentences.append(f"Column {column.name!r}: {'; '.join(column.notes)}.")
        if self.duplicates >= max(MANY_DUPLICATES * self.rows, 2):
            sentences.append(
                f"Duplicates: {self.duplicates:,} rows equal an earlier row in all columns; the same "
                "row can be in the training and the test set."
            )
        if self.small_groups:
            names = _listed([f"{g.attribute}: {g.group} ({g.rows:,})" for g in self.small_groups])
            sentences.append(
                f"Too small to be judged (fewer than {FEW_ROWS} rows, and fewer than "
                f"{FEW_ROWS // 5} of a test set of a fifth): {names}."
            )
        return sentences

    def _rows(self) -> str:
        what = f"{self.source or self.name}: {_rows(self.rows)}"
        if self.rows < self.rows_read:
            what += f" of {self.rows_read:,}"
        return f"{what}, {len(self.columns):,} columns."

    def _label(self) -> str:
        favorable = [v for v in self.values if v.favorable]
        others = [v for v in self.values if not v.favorable]
        share = sum(v.rows for v in favorable) / max(self.rows, 1)
        return (
            f"Label {self.label!r}: favorable {_values(favorable)}, {share:.1%} of the rows; "
            f"unfavorable {_values(others)}."
        )

    def _features(self) -> str:
        features = self.of_role("feature")
        kinds = {
            kind: sum(column.kind == kind for column in features)
            for kind in ("number", "category", "boolean")
        }
        plural = {"number": "numbers", "category": "categories", "boolean": "booleans"}
        counts = [f"{n} {plural[kind] if n > 1 else kind}" for kind, n in kinds.items() if n]
        missing = [c for c in features if c.missing]
        gaps = _listed([f"{c.name!r} ({c.missing:,})" for c in missing])
        return (
            f"Features: {len(features)} ({', '.join(counts)}): "
            f"{_listed([repr(c.name) for c in features])}."
            + (f" Missing values: {gaps}." if missing else "")
        )

    def group_lines(self) -> tuple[list[str], list[list[str]]]:
        """Return heading and rows of the table of groups."""
        heading = ["attribute", "group", "rows", "favorable"]
        fewer = self.rows < self.rows_read
        if fewer:
            heading += ["rows left out", "favorable before"]
        body = []
        for g in self.groups:
            name = f"{g.group} (privileged)" if g.privileged else g.group
            row = [g.attribute, name, f"{g.rows:,}", _share(g.favorable)]
            if fewer:
                row += [f"{g.rows_read - g.rows:,}", _share(g.favorable_read)]
            body.append(row)
        return heading, body


def _rows(n: int) -> str:
    return f"{n:,} row{'' if n == 1 else 's'}"


def _share(value: float | None) -> str:
    return "" if value is None else f"{value:.1%}"


def _values(values: Sequence[LabelValue]) -> str:
    return _listed([f"{v.value!r} ({v.rows:,})" for v in values], SHOWN_LABELS)


def _listed(names: Sequence[str], most: int = SHOWN) -> str:
    more = f" and {len(names) - most:,} more" if len(names) > most else ""
    return ", ".join(names[:most]) + more
