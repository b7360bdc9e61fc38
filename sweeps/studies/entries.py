"""Entries of a plan as they are given, checked; and the file that they may stand in."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import fields
from pathlib import Path
from typing import Any

from grad_ext.data.options import AttributeSet
from grad_ext.errors import InputError, MissingToolkit, unknown

# All sets of protected attributes of a data set.
Sets = tuple[AttributeSet, ...]


def built(kind: type[Any], what: str, given: Any) -> Any:
    """Return an object of a dataclass, of which an object or the values by name are given.

    Raises
    ------
    InputError
        If a name is unknown, or a value is of the wrong type.
    """
    if isinstance(given, kind):
        return given
    if given is not None and not isinstance(given, Mapping):
        raise InputError(f"{what}: expected names and values, got {given!r}")
    known = [each.name for each in fields(kind)]
    for name in given or {}:
        if name not in known:
            raise unknown(f"entry of {what}", name, known)
    try:
        return kind(**(given or {}))
    except TypeError as error:
        raise InputError(f"{what}: a value is of the wrong type: {error}") from None


def _names(what: str, given: object) -> AttributeSet:
    if not isinstance(given, (list, tuple)) or not given:
        raise InputError(f"{what}: expected a list of names, got {given!r}")
    if any(not isinstance(name, str) for name in given):
        raise InputError(f"{what}: expected names of attributes, got {given!r}")
    if len({*given}) < len(given):
        raise InputError(f"protected attributes must differ, got {list(given)!r}")
    return tuple(given)


def _sets(what: str, given: object) -> Sets:
    if isinstance(given, (list, tuple)) and given and not isinstance(given[0], str):
        sets = [_names(what, one) for one in given]
    else:
        sets = [_names(what, given)]
    # Models do not depend on the order of the sets.
    return tuple(sorted({*sets}))


def sets_by_name(given: object, names: Sequence[str]) -> dict[str, Sets]:
    """Return the sets of protected attributes of each data set; none for those with the default.

    Parameters
    ----------
    given : None, sequence of str, sequence of sequences, or mapping
        One set, several, or either of these by the name of the data set.
    names : sequence of str
        The data sets.

    Raises
    ------
    InputError
        If something else is given, or a data set is unknown.
    """
    if given is None:
        return {}
    if not isinstance(given, Mapping):
        return {name: _sets("protected", given) for name in names}
    for name in given:
        if name not in names:
            raise unknown("data set of this study", name, names)
    return {name: _sets(f"protected of {name}", one) for name, one in given.items()}


# What a file holds that no parser can follow.
NESTED = "lists or tables that are nested too deeply"


def read_file(path: Path) -> Any:
    """Return the content of a TOML or YAML file.

    Raises
    ------
    InputError
        If it cannot be read, or is neither.
    MissingToolkit
        If it is YAML and PyYAML is not installed.
    """
    try:
        text = path.read_text()
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"cannot read the plan {path}: {error}") from None
    if path.suffix == ".toml":
        try:
            return tomllib.loads(text)
        except tomllib.TOMLDecodeError as error:
            raise InputError(f"{path} is not TOML: {error}") from None
        except RecursionError:
            raise InputError(f"{path}: expected a plan, got {NESTED}") from None
    if path.suffix not in (".yaml", ".yml"):
        raise InputError(f"{path}: expected a plan in a .toml, .yaml or .yml file")
    try:
        import yaml
    except ImportError as error:
        raise MissingToolkit("PyYAML", "tune") from error
    try:
        return yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise InputError(f"{path} is not YAML: {' '.join(str(error).split())}") from None
    except RecursionError:
        raise InputError(f"{path}: expected a plan, got {NESTED}") from None
