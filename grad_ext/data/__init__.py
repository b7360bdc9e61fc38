"""Data sets by name, and tables from files.

Read table.py first: it says what a data set is here. embedded.py holds the files that come with the
package, diabetes.py and health.py those that do not, fetch.py finds or downloads them; files.py
reads any table of the user's; split.py cuts a table into training, validation and test rows.
"""

from collections.abc import Sequence
from pathlib import Path

from grad_ext.data.catalog import DATA_SETS
from grad_ext.data.source import load_table
from grad_ext.data.table import Table
from grad_ext.errors import InputError, unknown

__all__ = ["DATA_SETS", "Table", "load_dataset", "load_table"]


def load_dataset(
    name: str, protected: Sequence[str] | None = None, data_dir: str | Path | None = None
) -> Table:
    """Load a data set by name.

    Parameters
    ----------
    name : {'german', 'adult', 'diabetes', 'health'}
        The data set; see docs/data.md.
    protected : sequence of str, optional
        The attributes to protect, in order; the data set's first one if not given.
    data_dir : path, optional
        Folder with the files of a data set that does not come with the package. Then follow the
        folder that the environment variable GRAD_EXT_DATA_DIR names, the cache, and, for Diabetes,
        a download.

    Returns
    -------
    Table
        The rows in the order of the source's files.

    Raises
    ------
    InputError
        If there is no such data set, it has no such protected attribute, or its files are missing
        and cannot be downloaded: the message says which, where to get them and where to put them.

    Examples
    --------
    >>> from grad_ext import load_dataset
    >>> table = load_dataset("german", protected=["age"])
    >>> len(table), table.attribute_names
    (1000, ('age',))
    """
    if name not in DATA_SETS:
        if Path(name).suffix or "/" in name:
            raise InputError(
                f"{name!r} is none of grad-ext's data sets ({', '.join(DATA_SETS)}): a file of your own is "
                "for load_table, on the command line for --data"
            )
        raise unknown("data set", name, DATA_SETS)
    if isinstance(protected, str):
        raise InputError(f"protected must be a list of names, got the string {protected!r}")
    known = DATA_SETS[name].protected
    if protected is not None and not protected:
        raise InputError(f"protected is empty; name at least one of {', '.join(known)}")
    chosen = known[:1] if protected is None else list(protected)
    for attribute in chosen:
        # Before a file is read or downloaded for nothing.
        if attribute not in known:
            raise unknown("protected attribute", attribute, known, name)
    return DATA_SETS[name].load(data_dir).protecting(chosen)
