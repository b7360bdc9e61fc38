"""The data set that options of the command line name: one of ours, or a file of the user's."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from grad_ext.data import load_dataset, load_table
from grad_ext.data.table import Table
from grad_ext.errors import InputError


def table_from_options(
    dataset: str | None = None,
    protected: str | None = None,
    *,
    data: str | Path | None = None,
    label: str | None = None,
    favorable: str | None = None,
    continuous: str | None = None,
    features: str | None = None,
    drop: str | None = None,
    weights: str | None = None,
    groups: str | None = None,
    missing: Literal["error", "drop"] = "error",
    data_dir: str | Path | None = None,
) -> Table:
    """Return the table that options name; lists are texts with commas.

    Parameters
    ----------
    dataset : str, optional
        Name of a data set, as for `load_dataset`.
    protected : str, optional
        Attributes to protect, separated by commas, as for `load_dataset` or `load_table`.
    data : path, optional
        The user's own file, instead of `dataset`; then `label` and `protected` are needed.
    label, favorable, continuous, features, drop, weights, groups, missing
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
    >>> table_from_options("german", "age,sex").attribute_names
    ('age', 'sex')
    """
    names = _listed(protected)
    own = {
        "--label": label,
        "--favorable": favorable,
        "--continuous": continuous,
        "--features": features,
        "--drop": drop,
        "--weights": weights,
        "--groups": groups,
    }
    if data is None:
        given = [option for option, value in own.items() if value is not None]
        if given:
            raise InputError(f"{given[0]} belongs to a file of your own: name it with --data")
        if dataset is None:
            raise InputError("expected --dataset with a name, or --data with a file, got neither")
        return load_dataset(dataset, names, data_dir)
    if dataset is not None:
        raise InputError(f"expected --dataset or --data, got both: {dataset} and {data}")
    if label is None or names is None:
        lacking = "--label" if label is None else "--protected"
        raise InputError(f"--data {data} needs {lacking}: the columns' names are only known to you")
    return load_table(
        data,
        label,
        names,
        favorable,
        continuous=_listed(continuous) or (),
        features=_listed(features),
        drop=_listed(drop) or (),
        weights=weights,
        groups=groups,
        missing=missing,
    )


def _listed(text: str | None) -> list[str] | None:
    """Return the parts of a text with commas; None if it was not given."""
    return None if text is None else [part.strip() for part in text.split(",") if part.strip()]
