"""Data sets by name.

Read table.py first: it says what a data set is here. embedded.py holds the files that come with the
package, split.py cuts a table into training, validation and test rows.
"""

from collections.abc import Callable, Sequence

from grad_ext.data.embedded import adult, german
from grad_ext.data.table import Table
from grad_ext.errors import InputError, unknown

LOADERS: dict[str, Callable[[], Table]] = {"german": german, "adult": adult}


def load_dataset(name: str, protected: Sequence[str] | None = None) -> Table:
    """Load a data set by name.

    Parameters
    ----------
    name : {'german', 'adult'}
        The data set; see docs/data.md.
    protected : sequence of str, optional
        The attributes to protect, in order; the data set's first one if not given.

    Returns
    -------
    Table
        The rows in the order of the source's files.

    Raises
    ------
    InputError
        If there is no such data set, or it has no such protected attribute.

    Examples
    --------
    >>> from grad_ext import load_dataset
    >>> table = load_dataset("german", protected=["age"])
    >>> len(table), table.attribute_names
    (1000, ('age',))
    """
    if name not in LOADERS:
        raise unknown("data set", name, LOADERS)
    if isinstance(protected, str):
        raise InputError(f"protected must be a list of names, got the string {protected!r}")
    table = LOADERS[name]()
    if protected is None:
        return table.protecting(table.attribute_names[:1])
    if not protected:
        raise InputError(
            f"protected is empty; name at least one of {', '.join(table.attribute_names)}"
        )
    return table.protecting(protected)
