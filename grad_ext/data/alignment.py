"""Rows that carry an index: matched by it, or refused where it contradicts their order.

Arrays and lists have no index, and their rows match by position. Of two pandas objects the index
decides, as everywhere in pandas.
"""

from __future__ import annotations

from typing import Any

import pandas as pd

from grad_ext.errors import InputError

# Labels that an error shows.
SHOWN = 3


def index_of(*values: Any) -> pd.Index | None:
    """Return the index of the first pandas object among values, or None if there is none."""
    for one in values:
        if isinstance(one, (pd.Series, pd.DataFrame)):
            return one.index
    return None


def aligned(name: str, values: Any, index: pd.Index | None, reference: str = "X") -> Any:
    """Return values in the order of an index.

    Parameters
    ----------
    name : str
        Name of the values in errors.
    values : object
        A Series or frame is aligned; anything else has no index and is returned as it is.
    index : pandas.Index or None
        The index of the rows that the values belong to; None if they have none.
    reference : str, default 'X'
        Name of those rows in errors.

    Returns
    -------
    object
        The values themselves if the indexes are equal, or if their lengths differ, which the caller
        refuses; the rows in the other order if the indexes hold the same labels, each once.

    Raises
    ------
    InputError
        If the indexes hold other labels, or the same ones in another order and some repeatedly.

    Examples
    --------
    >>> import pandas as pd
    >>> from grad_ext.data.alignment import aligned
    >>> aligned("sex", pd.Series(["m", "f"], index=[7, 3]), pd.Index([3, 7])).tolist()
    ['f', 'm']
    """
    own = index_of(values)
    if own is None or index is None or len(own) != len(index) or own.equals(index):
        return values
    if own.nlevels < index.nlevels:
        # AIF360's frames: a level numbers the rows, the others hold the protected attributes.
        index = next((level for level in _levels(index) if level.equals(own)), index)
        if own.equals(index):
            return values
    if own.is_unique and index.is_unique:
        positions = own.get_indexer(index)
        if (positions >= 0).all():
            return values.iloc[positions]
    raise InputError(
        f"{name}: expected the index of {reference}, {_shown(index)}, got {_shown(own)}, so index "
        f"and position disagree about which rows belong together; select the rows by "
        f".loc[{reference}.index] before the index of either is reset, or call "
        ".reset_index(drop=True) on both if they are in the same order"
    )


def _levels(index: pd.Index) -> list[pd.Index]:
    return [index.get_level_values(k) for k in range(index.nlevels)]


def _shown(index: pd.Index) -> str:
    labels = ", ".join(repr(label) for label in index[:SHOWN].tolist())
    return f"[{labels}{', ...' if len(index) > SHOWN else ''}]"
