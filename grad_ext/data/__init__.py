"""Data sets by name, and tables from files.

Start with table.py, which defines `Table`. catalog.py lists the data sets with a name: those in the
package (embedded.py), and those that need other files, one module a source; fetch.py finds or downloads
these, raw_csv.py reads them; openml.py and bunch.py take what scikit-learn fetches. source.py reads a user's own file or frame: formats.py its rows, values.py
its columns, conditions.py and roles.py what they are for, reading.py makes a table and table_report.py
tells what was read. split.py makes the train/test split.
"""

from collections.abc import Sequence
from pathlib import Path

from grad_ext import checks
from grad_ext.data.catalog import DATA_SETS, FAMILIES, data_set
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
    name : str
        The data set, such as ``'german'``, ``'compas'`` or ``'acs_income:CA:2018'``; see docs/data.md,
        or ``grad-ext data list``.
    protected : sequence of str, optional
        The attributes to protect, in order; the data set's first one if not given. Of a data set of
        OpenML (``'openml:31:good'``) these are columns or conditions, and must be given.
    data_dir : path, optional
        Folder with the files of a data set that is not in the package. The next places are the
        folder in the environment variable GRAD_EXT_DATA_DIR, the cache, and, unless its publisher
        asks for more, a download.

    Returns
    -------
    Table
        The rows in the order of the source's files.

    Raises
    ------
    InputError
        If the data set or a protected attribute is unknown, or files are missing and cannot be
        downloaded; then the message has their names, their source, and the folder for them.

    Examples
    --------
    >>> from grad_ext import load_dataset
    >>> table = load_dataset("german", protected=["age"])
    >>> len(table), table.attribute_names
    (1000, ('age',))
    """
    first = name.partition(":")[0]
    if first not in (*DATA_SETS, *FAMILIES) and (Path(name).suffix or "/" in name):
        raise InputError(
            f"{name!r} is none of grad-ext's data sets ({', '.join(DATA_SETS)}): read your own "
            "file with load_table (--data on the command line)"
        )
    found = data_set(name)
    known = found.protected
    if found.openml is not None:
        return found.openml.table(protected, data_dir)
    # Checked before a file is read or downloaded.
    chosen = known[:1] if protected is None else checks.names("protected", protected)
    for attribute in chosen:
        if attribute not in known:
            raise unknown("protected attribute", attribute, known, name)
    return found.load(data_dir).protecting(chosen)
