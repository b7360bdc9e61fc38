"""`grad-ext data`: list, describe and download data sets, and show what is read of a file."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from grad_ext.cli import complete
from grad_ext.cli.groups import help_without_command, with_options
from grad_ext.cli.options import DataDir, FileOptions
from grad_ext.cli.output import output
from grad_ext.cli.tables import show_tables
from grad_ext.errors import InputError

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
        autocompletion=complete.dataset, help="Data set, such as german; see grad-ext data list."
    ),
]


Protected = Annotated[
    str | None,
    typer.Option(
        help="Protected attributes of the file, comma-separated: columns, or conditions such as "
        "age>=25, 25<=age<60, sex=Male, band=mid|old."
    ),
]


@app.command("list")
@with_options
def data_list(data_dir: DataDir = None) -> None:
    """List all data sets.

    Example: grad-ext data list
    """
    from grad_ext.data.catalog import DATA_SETS, FAMILIES

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
    body += [
        [family.form, family.title, "–", "–", ", ".join(family.protected), family.state]
        for family in FAMILIES.values()
    ]
    out.table("Data sets", heading, body)
    names = [*DATA_SETS, *(family.form for family in FAMILIES.values())]
    if out.quiet:
        out.line("\n".join(names), always=True)
    rows = [
        _catalogued(data_set) | {"files": data_set.state(data_dir)}
        for data_set in DATA_SETS.values()
    ]
    rows += [
        {"name": family.form, "rows": None, "features": None, "files": family.state}
        | {
            name: getattr(family, name)
            for name in ("title", "label", "protected", "licence", "page")
        }
        for family in FAMILIES.values()
    ]
    out.document({"rows": rows})


@app.command("info")
@with_options
def data_info(
    file: FileOptions,
    name: Annotated[
        str | None,
        typer.Argument(
            autocompletion=complete.dataset,
            help="Data set: german, adult, diabetes or health; or a file of your own.",
            show_default=False,
        ),
    ] = None,
    protected: Protected = None,
    data_dir: DataDir = None,
) -> None:
    """Show a data set's label, groups, files and licence, or what is read of a file.

    Nothing is downloaded.

    Examples: grad-ext data info german; grad-ext data info loans.csv --label repaid --favorable yes
    --protected sex,age>=25
    """
    path = _file(name, file)
    if path is not None:
        _show_report(_own_table(path, protected, file))
        return
    if name is None:
        raise InputError("expected the name of a data set or a file, got neither")
    given = file.columns()
    if given or protected is not None:
        option = next(iter(given), "protected").replace("_", "-")
        raise InputError(f"--{option} belongs to a file of your own, got the data set {name!r}")
    data_set, out = _data_set(name), output()
    out.line(f"{data_set.name}: {data_set.title}", always=True)
    out.line("")
    content: dict[str, Any] = {}
    if data_set.openml is not None:
        out.line("Protected attributes: columns of your choice")
    elif not data_set.missing(data_dir):
        content = _show_table(data_set.load(data_dir))
    else:
        out.line(f"Favorable label: {data_set.label}")
        out.line(f"Protected attributes: {', '.join(data_set.protected)}")
    out.document(_catalogued(data_set) | content | _show_source(data_set, data_dir))


@app.command("describe")
@with_options
def data_describe(
    file: FileOptions,
    path: Annotated[
        Path | None, typer.Argument(help="A file of your own.", show_default=False)
    ] = None,
    protected: Protected = None,
) -> None:
    """Write the roles of a file's columns beside it, so that no command needs them again.

    loans.csv gets loans.roles.toml. Options that a later command gives take the place of those in it.

    Example: grad-ext data describe loans.csv --label repaid --favorable yes --protected sex,age>=25
    """
    from grad_ext.data.lists import listed
    from grad_ext.data.roles import Roles, roles_beside, roles_path

    of = path or file.data
    if of is None:
        raise InputError("expected a file of your own, got none")
    # Raises where the roles and the file do not fit.
    table = _own_table(of, protected, file)
    given = file.columns() | {"protected": listed(protected)}
    given.pop("data", None)
    before = roles_beside(of)
    roles = Roles.of(given if before is None else before.merged(given))
    written = roles.write(roles_path(of))
    _show_report(table, {"roles": written})
    output().paths({"Roles": written})


@app.command("fetch")
@with_options
def data_fetch(name: Name, data_dir: DataDir = None) -> None:
    """Download a data set's files into the cache, unless they are on this machine already.

    Example: grad-ext data fetch diabetes
    """
    from grad_ext.data.fetch import obtain

    data_set = _data_set(name)
    if data_set.terms and data_set.missing(data_dir):
        output().line(f"Who downloads this agrees to the terms of use: {data_set.terms}")
    if data_set.openml is not None:
        data_set.openml.fetch(data_dir)
        place = data_set.openml.place(data_dir)
        if place is not None:
            output().paths({"Folder": place})
        output().document({"name": data_set.name, "files": {data_set.name: place}})
        return
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


def _file(name: str | None, file: FileOptions) -> Path | None:
    """Return the file that a name or the options mean; None for a data set."""
    from grad_ext.data.catalog import DATA_SETS

    if file.data is not None and name is not None:
        raise InputError(f"expected a data set or --data, got both: {name} and {file.data}")
    if file.data is not None or name is None or name in DATA_SETS:
        return file.data
    return Path(name) if Path(name).suffix or Path(name).expanduser().exists() else None


def _own_table(path: Path, protected: str | None, file: FileOptions) -> Table:
    from grad_ext.data.lists import listed
    from grad_ext.data.options import table_from_options

    columns = file.columns() | {"data": path}
    return table_from_options(protected=listed(protected), **columns)


def _show_report(table: Table, also: Mapping[str, Any] | None = None) -> None:
    """Print what was read of a file."""
    from grad_ext.codec import to_json

    show_tables([table])
    out = output()
    for name, checksum in table.checksums.items():
        out.line(f"SHA-256 {checksum} {name}")
    out.line(f"Content: {table.digest()}")
    content = {"checksums": table.checksums, "content": table.digest(), **(also or {})}
    out.document(to_json(table.report) | content)


def _data_set(name: str) -> DataSet:
    from grad_ext.data.catalog import data_set

    return data_set(name)


def _catalogued(data_set: DataSet) -> dict[str, Any]:
    """Return what the catalog holds about a data set."""
    names = (
        *("name", "title", "label", "rows", "features", "protected", "licence", "citation"),
        *("page", "terms", "caveats"),
    )
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
            f"{group.group} (privileged)" if group.privileged else group.group,
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
    out.line(f"Source: {data_set.page}\nLicence: {data_set.licence}\nCite: {data_set.citation}")
    if data_set.terms:
        out.line(f"Terms of use: {data_set.terms}")
    out.line("Known problems:")
    for caveat in data_set.caveats:
        out.line(f"- {caveat}")
    if not data_set.files:
        out.line(f"Files: {data_set.state(data_dir)}")
    paths = {file.name: find(file, data_dir) for file in data_set.files}
    for path in filter(None, paths.values()):
        out.paths({"File": path})
    for file in data_set.files:
        if file.sha256 is None:
            out.line(f"No checksum of {file.name} is known: compare the SHA-256 of what is read")
    missing = data_set.missing(data_dir)
    if missing:
        state = data_set.state(data_dir)
        first = f"{state.capitalize()}; if that fails, " if missing[0].url else "Missing: "
        out.line(f"{first}{how_to_get(*missing)}")
    return {"files": paths}
