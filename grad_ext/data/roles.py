"""The roles of a file's columns, and the small TOML file beside it that holds them.

``loans.csv`` may bring ``loans.roles.toml`` along:

    label = "repaid"
    favorable = ["yes"]
    protected = ["ethnicity", "age>=25"]
"""

from __future__ import annotations

import json
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

from grad_ext import checks
from grad_ext.codec import from_json
from grad_ext.data.formats import FEATHER, PACKED, PARQUET, TEXT
from grad_ext.errors import InputError
from grad_ext.files import write_atomically

MISSING = ("use", "drop", "error")
ENDING = ".roles.toml"


@dataclass(frozen=True, kw_only=True)
class Roles:
    """The roles of the columns of a file, and how it is read; what is None is the default.

    Attributes
    ----------
    label : str, optional
        The column to predict, or a condition on one: ``income>50000``.
    favorable : tuple of str, optional
        The favorable values of the label, or a bound such as ``>=10``.
    protected : tuple of str, optional
        The columns to protect, or conditions on them: ``sex=Male``, ``25<=age<60``.
    continuous : tuple of str, optional
        Protected columns that are numbers instead of groups.
    features, drop : tuple of str, optional
        Columns that may be inputs, and columns to exclude from them.
    weights, groups : str, optional
        Columns of instance weights, and of the unit that each row belongs to.
    missing : {'use', 'drop', 'error'}, optional
        What becomes of rows with missing features.
    missing_values : tuple of str, optional
        Texts that stand for a missing value.
    sep, encoding : str, optional
        Separator and encoding of a text file.

    Raises
    ------
    InputError
        If a value is not of its type.
    """

    label: str | None = None
    favorable: tuple[str, ...] | None = None
    protected: tuple[str, ...] | None = None
    continuous: tuple[str, ...] | None = None
    features: tuple[str, ...] | None = None
    drop: tuple[str, ...] | None = None
    weights: str | None = None
    groups: str | None = None
    missing: str | None = None
    missing_values: tuple[str, ...] | None = None
    sep: str | None = None
    encoding: str | None = None

    def __post_init__(self) -> None:
        if self.missing is not None:
            checks.choice("missing", self.missing, MISSING)

    @classmethod
    def read(cls, path: str | Path) -> Roles:
        """Return the roles in a TOML file.

        Raises
        ------
        InputError
            If it cannot be read, or an entry is unknown or of another type.
        """
        path = Path(path).expanduser()
        try:
            content = tomllib.loads(path.read_text(encoding="utf-8"))
        except OSError as error:
            raise InputError(f"cannot read {path}: {error.strerror}") from None
        except ValueError as error:
            raise InputError(f"{path} is not TOML: {error}") from None
        return cls.of(content, path.name)

    @classmethod
    def of(cls, values: Mapping[str, Any], where: str = "roles") -> Roles:
        """Return the roles that a mapping holds by name; one text may stand for a list of one.

        Raises
        ------
        InputError
            If an entry is unknown, or of another type.
        """
        lists = {each.name for each in fields(cls) if "tuple" in str(each.type)}
        content = {}
        for name, value in values.items():
            single = name in lists and isinstance(value, str)
            content[name] = [value] if single else list(value) if type(value) is tuple else value
        return from_json(cls, content, where)

    def write(self, path: str | Path) -> Path:
        """Write the roles as TOML, which `read` reads, and return the path of the file.

        Raises
        ------
        InputError
            If the file cannot be written.
        """
        path = Path(path).expanduser()
        try:
            write_atomically(path, self.toml())
        except OSError as error:
            raise InputError(f"cannot write {path}: {error.strerror}") from None
        return path

    def toml(self) -> str:
        """Return the roles as TOML.

        Examples
        --------
        >>> from grad_ext.data.roles import Roles
        >>> print(Roles(label="repaid", protected=("age>=25", "sex")).toml(), end="")
        label = "repaid"
        protected = ["age>=25", "sex"]
        """
        return "".join(f"{name} = {_toml(value)}\n" for name, value in self.given().items())

    def given(self) -> dict[str, Any]:
        """Return the roles that are not None, by name."""
        values = {each.name: getattr(self, each.name) for each in fields(self)}
        return {name: value for name, value in values.items() if value is not None}

    def merged(self, given: Mapping[str, Any]) -> dict[str, Any]:
        """Return the roles by name, with given ones in place of these.

        The favorable values of another label do not count.
        """
        mine = self.given()
        changes = {name: value for name, value in given.items() if value is not None}
        if changes.get("label", self.label) != self.label:
            mine.pop("favorable", None)
        return mine | changes


def _toml(value: str | tuple[str, ...]) -> str:
    if isinstance(value, str):
        # JSON's texts are TOML's but for one character.
        return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")
    return f"[{', '.join(map(_toml, value))}]"


def roles_path(path: str | Path) -> Path:
    """Return the path of the file with the roles of a file's columns.

    Examples
    --------
    >>> from grad_ext.data.roles import roles_path
    >>> roles_path("data/loans.csv.gz").name
    'loans.roles.toml'
    """
    path = Path(path).expanduser()
    return path.with_name(f"{bare_name(path)}{ENDING}")


def bare_name(path: str | Path) -> str:
    """Return a file's name without what says its format."""
    name = Path(path).name
    for endings in (PACKED, (*TEXT, *PARQUET, *FEATHER)):
        ending = next((e for e in endings if name.lower().endswith(e)), "")
        name = name[: len(name) - len(ending)]
    return name


def roles_beside(path: str | Path) -> Roles | None:
    """Return the roles that a file brings along; None if there are none.

    Raises
    ------
    InputError
        If they cannot be read.
    """
    beside = roles_path(path)
    return Roles.read(beside) if beside.is_file() else None
