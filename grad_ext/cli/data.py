"""`grad-ext data`: list, describe and download data sets."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from grad_ext.cli import complete
from grad_ext.cli.groups import help_without_command, with_options
from grad_ext.cli.options import DataDir
from grad_ext.cli.output import output

if TYPE_CHECKING:
    from grad_ext.data.catalog import DataSet
    from grad_ext.data.table import Table

app = typer.Typer(
    help="""List, describe and download data sets.

    Example: grad-ext data info german
    """,
    invoke_without_command=True,
)
app.callback()(with_options(help_without_command))

Name = Annotated[
    str,
    typer.Argument(
        autocompletion=complete.dataset, help="Data set: german, adult, diabetes or health."
    ),
]


@app.command("list")
@with_options
def data_list(data_dir: DataDir = None) -> None:
    """List all data sets.

    Example: grad-ext data list
    """
    from grad_ext.data.catalog import DATA_SETS

    out = output()
    heading = ("name", "title", "rows", "features", "protected attributes", "files")
    body = [
        [
            data_set.name,
            data_set.title,
            "–" if data_set.rows is None else f"{data_set.rows:,}",
            "–" if data_set.features is None else str(data_set.features),
            ", ".join(data_set.protected),
            data_set.state(data_dir),
        ]
        for data_set in DATA_SETS.values()
    ]
    out.table("Data sets", heading, body)
    if out.quiet:
        out.line("\n".join(DATA_SETS), always=True)
    rows = [
        _catalogued(data_set) | {"files": data_set.state(data_dir)}
        for data_set in DATA_SETS.values()
    ]
    out.document({"rows": rows})


@app.command("info")
@with_options
def data_info(name: Name, data_dir: DataDir = None) -> None:
    """Show a data set's label, groups, files and licence. Nothing is downloaded.

    Example: grad-ext data info german
    """
    data_set, out = _data_set(name), output()
    out.line(f"{data_set.name}: {data_set.title}", always=True)
    out.line("")
    content: dict[str, Any] = {}
    if not data_set.missing(data_dir):
        content = _show_table(data_set.load(data_dir))
    else:
        out.line(f"Protected attributes: {', '.join(data_set.protected)}")
    out.document(_catalogued(data_set) | content | _show_source(data_set, data_dir))


@app.command("fetch")
@with_options
def data_fetch(name: Name, data_dir: DataDir = None) -> None:
    """Download a data set's files into the cache, unless they are on this machine already.

    Example: grad-ext data fetch diabetes
    """
    from grad_ext.data.fetch import obtain

    data_set = _data_set(name)
    if not data_set.files:
        output().line(f"{name} comes with the package: nothing to fetch")
        output().document({"name": name, "files": {}})
        return
    if not data_set.missing(data_dir) or all(file.url for file in data_set.files):
        paths = {file.name: obtain(file, data_dir)[1] for file in data_set.files}
        output().paths(paths)
        output().document({"name": name, "files": paths})
        return
    # Raises an error that lists the missing files, their source and their folder.
    data_set.load(data_dir)


def _data_set(name: str) -> DataSet:
    from grad_ext.data.catalog import DATA_SETS
    from grad_ext.errors import unknown

    if name not in DATA_SETS:
        raise unknown("data set", name, DATA_SETS)
    return DATA_SETS[name]


def _catalogued(data_set: DataSet) -> dict[str, Any]:
    """Return what the catalog holds about a data set."""
    names = ("name", "title", "rows", "features", "protected", "licence", "citation")
    return {name: getattr(data_set, name) for name in names}


def _show_table(table: Table) -> dict[str, Any]:
    """Print the numbers that describe a table, and return them for the JSON document."""
    from grad_ext.data.description import describe

    out, target, about = output(), table.target, describe(table)
    own = f", the last {about.test_rows:,} the source's own test set" if about.test_rows else ""
    out.line(f"Rows: {about.rows:,}{own}")
    if about.units is not None:
        out.line(
            f"Units: {about.units:,} by {table.groups}; a split keeps the rows of a unit together"
        )
    out.line(f"Features: {about.features}, {about.numeric_features} of them numeric")
    out.line(
        f"Label: {target.column}, favorable {target.favorable!r} ({about.favorable_share:.1%}), "
        f"unfavorable {target.unfavorable!r}; majority class {about.majority:.4f}"
    )
    body = [
        [
            group.attribute,
            group.group,
            f"{group.rows:,}",
            "" if group.favorable is None else f"{group.favorable:.3f}",
        ]
        for group in about.groups
    ]
    out.table("Protected", ("attribute", "group", "rows", "favorable"), body)
    for name, checksum in table.checksums.items():
        out.line(f"SHA-256 {checksum} {name}")
    out.line(f"Content: {table.digest()}")
    values = asdict(about)
    favorable_share = values.pop("favorable_share")
    return values | {
        "label": {
            "column": target.column,
            "favorable": target.favorable,
            "unfavorable": target.unfavorable,
            "favorable_share": favorable_share,
        },
        "checksums": table.checksums,
        "content": table.digest(),
    }


def _show_source(data_set: DataSet, data_dir: Path | None) -> dict[str, Any]:
    """Print a data set's licence and files, and return the paths of the files."""
    from grad_ext.data.fetch import find, how_to_get

    out = output()
    out.line(f"Licence: {data_set.licence}\nCite: {data_set.citation}")
    if not data_set.files:
        out.line("Files: come with the package")
    paths = {file.name: find(file, data_dir) for file in data_set.files}
    for path in filter(None, paths.values()):
        out.paths({"File": path})
    missing = data_set.missing(data_dir)
    if missing:
        first = "Downloaded on first use; if that fails, " if missing[0].url else "Missing: "
        out.line(f"{first}{how_to_get(*missing)}")
    return {"files": paths}
