"""Print what was read of the user's own tables."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from grad_ext.cli.output import output

if TYPE_CHECKING:
    from grad_ext.data.table import Table


def show_tables(tables: Iterable[Table]) -> None:
    """Print what was read of tables: sentences, and the groups of each attribute.

    Tables of the catalog, whose content is known, are left out.
    """
    out = output()
    for table in tables:
        if table.report is not None:
            out.sentences(table.report.sentences())
            out.table("Groups of the protected attributes", *table.report.group_lines())
