"""What a model was trained on: the roles of the columns, the groups, and where the rows are from.

`grad_ext.fit` and `grad-ext train` set it on a model as `training_data_`, and a saved model has it.
"""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import numpy as np

from grad_ext import checks
from grad_ext.codec import short
from grad_ext.data.catalog import known_data_set
from grad_ext.data.roles import Roles
from grad_ext.data.sensitive import SensitiveAttribute, group_names
from grad_ext.data.split import Split
from grad_ext.data.table import Table
from grad_ext.errors import InputError
from grad_ext.versions import versions


@dataclass(frozen=True)
class TrainingGroup:
    """A group among the training rows.

    Attributes
    ----------
    attribute, group : str
        Their names.
    rows : int
        Number of training rows.
    favorable : float
        Share of them with the favorable label.
    """

    attribute: str
    group: str
    rows: int
    favorable: float


@dataclass(frozen=True, kw_only=True)
class TrainingData:
    """What a model was trained on.

    Attributes
    ----------
    name : str
        Name of the table.
    source : str
        Name of the file, or where a data set is from; empty for a frame.
    catalogued : bool
        Whether it is the data set of that name in the catalog.
    roles : Roles or None
        The roles of the columns of a file or frame.
    label : str
        Name of the label.
    unfavorable, favorable : hashable
        Its values, which the model predicts.
    protected : tuple of SensitiveAttribute
        The rules of the protected attributes.
    group_names : tuple of tuple of str
        The names of their groups; none for an attribute of numbers.
    groups : tuple of TrainingGroup
        The groups among the training rows.
    rows, training, validation, test : int
        Number of rows in the table, and in the three sets of the split.
    split_seed, protocol
        How the table was split: see `grad_ext.data.split.split`.
    digest : str
        SHA-256 of the table's roles and values.
    checksums : mapping of str to str
        SHA-256 of the files.
    date : str
        When the model was trained: date and time in UTC.
    versions : mapping of str to str
        The versions that trained it.
    """

    name: str
    source: str
    catalogued: bool
    roles: Roles | None
    label: str
    unfavorable: Hashable
    favorable: Hashable
    protected: tuple[SensitiveAttribute, ...]
    group_names: tuple[tuple[str, ...], ...]
    groups: tuple[TrainingGroup, ...]
    rows: int
    training: int
    validation: int
    test: int
    split_seed: int
    protocol: str
    digest: str
    checksums: Mapping[str, str]
    date: str
    versions: Mapping[str, str]

    @classmethod
    def of(cls, table: Table, parts: Split, split_seed: int, protocol: str) -> TrainingData:
        """Return the description of a table that was split.

        Parameters
        ----------
        table : Table
            All rows.
        parts : Split
            Their split.
        split_seed, protocol
            By which `grad_ext.data.split.split` made it.
        """
        names = tuple(group_names(one, table.frame[one.column]) for one in table.protected)
        unfavorable, favorable = (_plain(word) for word in table.label_words)
        return cls(
            name=table.name,
            source=table.source,
            catalogued=table.report is None and known_data_set(table.name) is not None,
            roles=table.roles,
            label=table.target.column,
            unfavorable=unfavorable,
            favorable=favorable,
            protected=table.protected,
            group_names=names,
            groups=tuple(_groups(parts.train, names)),
            rows=len(table),
            training=len(parts.train),
            validation=len(parts.valid),
            test=len(parts.test),
            split_seed=split_seed,
            protocol=protocol,
            digest=table.digest(),
            checksums=table.checksums,
            date=datetime.now(UTC).isoformat(timespec="seconds"),
            versions=versions(),
        )

    @property
    def attribute_names(self) -> tuple[str, ...]:
        """Names of the protected attributes, in order."""
        return tuple(attribute.name for attribute in self.protected)

    @property
    def names_by_attribute(self) -> dict[str, tuple[str, ...]]:
        """The names of the groups, by attribute."""
        return dict(zip(self.attribute_names, self.group_names, strict=True))

    def check(self) -> None:
        """Compare the entries with each other.

        Raises
        ------
        InputError
            If two of them disagree, or a number makes no sense.
        """
        sizes = (self.rows, self.training, self.validation, self.test)
        for name, size in zip(("rows", "training", "validation", "test"), sizes, strict=True):
            checks.whole(f"data.{name}", size, 0)
        if self.unfavorable == self.favorable:
            raise InputError(f"data: expected two labels that differ, got {short(self.favorable)}")
        if len(self.group_names) != len(self.protected):
            raise InputError(
                f"data: expected names of groups for {len(self.protected)} attributes, got "
                f"{len(self.group_names)}"
            )
        known = set()
        for attribute, names in zip(self.protected, self.group_names, strict=True):
            groups = 0 if attribute.continuous else len(attribute.levels or (0, 1))
            if len(names) != groups or len({*names}) != groups:
                raise InputError(
                    f"data: expected {groups} names of groups of {attribute.name!r}, got "
                    f"{short(names)}"
                )
            known |= {(attribute.name, name) for name in names}
        for group in self.groups:
            if (group.attribute, group.group) not in known:
                raise InputError(f"data: no attribute has the group {short(group)}")
            checks.whole("data.groups.rows", group.rows, 0)
            checks.number(
                "data.groups.favorable", group.favorable, "from 0 to 1", lambda x: 0.0 <= x <= 1.0
            )

    def sentences(self) -> list[str]:
        """Return the description in sentences."""
        source = f", from {self.source}" if self.source and not self.catalogued else ""
        rows = (
            f"{self.name}{source}: {self.training:,} of {self.rows:,} rows; {self.validation:,} for "
            f"validation and {self.test:,} for testing were held out (split {self.protocol}, seed "
            f"{self.split_seed}). Trained on {self.date[:10]}."
        )
        labels = (
            f"Label {self.label!r}: favorable {self.favorable!r}, unfavorable {self.unfavorable!r}."
        )
        sentences = [rows, labels]
        sentences += [f"SHA-256 of {name}: {one}." for name, one in self.checksums.items()]
        for attribute in self.attribute_names:
            groups = [
                f"{g.group} {g.rows:,} rows ({g.favorable:.1%} favorable)"
                for g in self.groups
                if g.attribute == attribute
            ]
            sentences.append(f"{attribute}: {'; '.join(groups) or 'a number'}.")
        return sentences


def _groups(table: Table, names: Sequence[Sequence[str]]) -> list[TrainingGroup]:
    y, found = table.y(), []
    for attribute, numbers, groups in zip(table.protected, table.a().T, names, strict=True):
        for k, name in enumerate(groups):
            rows = numbers == k
            if rows.any():
                share = float(y[rows].mean())
                found.append(TrainingGroup(attribute.name, name, int(rows.sum()), share))
    return found


def _plain(value: Any) -> Any:
    return value.item() if isinstance(value, np.generic) else value
