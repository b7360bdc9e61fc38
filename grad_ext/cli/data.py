"""`grad-ext data`: which data sets there are, what is in them, and where their files come from."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from grad_ext.cli.studies import PIPE_WIDTH
from grad_ext.cli.sweep import help_without_command

if TYPE_CHECKING:
    from rich.console import Console

    from grad_ext.data.catalog import DataSet
    from grad_ext.data.table import Protected
    from grad_ext.data.table import Table as DataTable

app = typer.Typer(help="List, describe and fetch data sets.", invoke_without_command=True)

Name = Annotated[str, typer.Argument(help="Data set: german, adult, diabetes or health.")]
DataDir = Annotated[
    Path | None,
    typer.Option(help="Folder with files of your own; also GRAD_EXT_DATA_DIR.", show_default=False),
]


@app.callback()
def _data(context: typer.Context) -> None:
    help_without_command(context)


@app.command("list")
def data_list(data_dir: DataDir = None) -> None:
    """Show every data set that has a name.

    Example: grad-ext data list
    """
    from rich.box import SIMPLE_HEAD
    from rich.table import Table

    from grad_ext.data.catalog import DATA_SETS

    headings = ("name", "what", "rows", "features", "protected attributes", "files")
    grid = Table(*headings, title="Data sets", box=SIMPLE_HEAD, padding=(0, 1))
    for data_set in DATA_SETS.values():
        grid.add_row(
            data_set.name,
            data_set.title,
            "–" if data_set.rows is None else f"{data_set.rows:,}",
            "–" if data_set.features is None else str(data_set.features),
            ", ".join(data_set.protected),
            data_set.state(data_dir),
        )
    _console().print(grid)


@app.command("info")
def data_info(name: Name, data_dir: DataDir = None) -> None:
    """Show a data set's roles, classes, groups, files and licence; nothing is downloaded.

    Example: grad-ext data info german
    """
    from grad_ext.data.catalog import DATA_SETS
    from grad_ext.errors import unknown

    if name not in DATA_SETS:
        raise unknown("data set", name, DATA_SETS)
    data_set = DATA_SETS[name]
    console = _console()
    typer.echo(f"{data_set.name}: {data_set.title}\n")
    if not data_set.missing(data_dir):
        _describe(data_set.load(data_dir), console)
    else:
        typer.echo(f"Protected attributes: {', '.join(data_set.protected)}")
    _origin(data_set, data_dir)


@app.command("fetch")
def data_fetch(name: Name, data_dir: DataDir = None) -> None:
    """Download a data set's files into the cache, unless they are on this machine already.

    Example: grad-ext data fetch diabetes
    """
    from grad_ext.data.catalog import DATA_SETS
    from grad_ext.data.fetch import obtain
    from grad_ext.errors import unknown

    if name not in DATA_SETS:
        raise unknown("data set", name, DATA_SETS)
    data_set = DATA_SETS[name]
    if not data_set.files:
        typer.echo(f"{name} comes with the package: nothing to fetch")
        return
    if not data_set.missing(data_dir) or all(file.url for file in data_set.files):
        for file in data_set.files:
            typer.echo(f"{file.name}: {obtain(file, data_dir)[1]}")
        return
    # Its loader says which files are missing, where they come from and where they go.
    data_set.load(data_dir)


def _console() -> Console:
    from rich.console import Console

    # A file or a pipe has no width to keep to.
    return Console(width=None if sys.stdout.isatty() else PIPE_WIDTH)


def _describe(table: DataTable, console: Console) -> None:
    """Print what the rows are: classes, groups and the favorable rate of each."""
    import numpy as np
    from rich.box import SIMPLE_HEAD
    from rich.table import Table

    y, target = table.y(), table.target
    own = f", the last {table.n_test:,} the source's own test part" if table.n_test else ""
    typer.echo(f"Rows: {len(table):,}{own}")
    if table.groups is not None:
        typer.echo(
            f"Units: {len(np.unique(table.g())):,} by {table.groups}; rows of one belong together"
        )
    numeric = table.frame[list(table.features)].select_dtypes("number").shape[1]
    typer.echo(f"Features: {len(table.features)}, {numeric} of them numeric")
    typer.echo(
        f"Label: {target.column}, favorable {target.favorable!r} ({y.mean():.1%}), "
        f"unfavorable {target.unfavorable!r}; majority class {max(y.mean(), 1 - y.mean()):.4f}"
    )
    grid = Table(
        "attribute",
        "group",
        "rows",
        "favorable",
        title="Protected",
        box=SIMPLE_HEAD,
        padding=(0, 1),
    )
    for attribute, a in zip(table.protected, table.a().T, strict=True):
        if attribute.continuous:
            span = f"{np.nanmin(a):g} to {np.nanmax(a):g}"
            grid.add_row(attribute.name, span, f"{int((~np.isnan(a)).sum()):,}", "")
            continue
        named = attribute.levels or ("others", f"privileged: {_rule(attribute)}")
        groups = [(str(level), a == number) for number, level in enumerate(named)]
        for group, rows in [*groups, ("unknown", np.isnan(a))]:
            if rows.any():
                grid.add_row(attribute.name, group, f"{int(rows.sum()):,}", f"{y[rows].mean():.3f}")
    console.print(grid)
    for name, checksum in table.checksums.items():
        typer.echo(f"SHA-256 {checksum} {name}")
    typer.echo(f"Content: {table.digest()}")


def _rule(attribute: Protected) -> str:
    """Say in a few words who is privileged."""
    if attribute.above is not None:
        return f"above {attribute.above:g}"
    return ", ".join(map(str, attribute.values or ()))


def _origin(data_set: DataSet, data_dir: Path | None) -> None:
    """Print where the data come from and under which terms."""
    from grad_ext.data.fetch import find, how_to_get

    typer.echo(f"Licence: {data_set.licence}\nCite: {data_set.citation}")
    if not data_set.files:
        typer.echo("Files: come with the package")
    for file in data_set.files:
        place = find(file, data_dir)
        if place is not None:
            typer.echo(f"File: {place}")
    missing = data_set.missing(data_dir)
    if missing:
        first = "Downloaded on first use; if that fails, " if missing[0].url else "Missing: "
        typer.echo(f"{first}{how_to_get(*missing)}")
