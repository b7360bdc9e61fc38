"""`grad-ext data`: which data sets there are, what is in them, and where their files come from."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from grad_ext.cli import complete
from grad_ext.cli.output import AsJson, Quiet, output
from grad_ext.cli.sweep import help_without_command

if TYPE_CHECKING:
    from grad_ext.data.catalog import DataSet
    from grad_ext.data.sensitive import SensitiveAttribute
    from grad_ext.data.table import Table as DataTable

app = typer.Typer(
    help="""List, describe and fetch data sets.

    Example: grad-ext data info german
    """,
    invoke_without_command=True,
)

Name = Annotated[
    str,
    typer.Argument(
        autocompletion=complete.dataset, help="Data set: german, adult, diabetes or health."
    ),
]
DataDir = Annotated[
    Path | None,
    typer.Option(
        help="Folder with a data set's files; by default that of GRAD_EXT_DATA_DIR.",
        show_default=False,
    ),
]


@app.callback()
def _data(context: typer.Context, as_json: AsJson = False, quiet: Quiet = False) -> None:
    help_without_command(context)


@app.command("list")
def data_list(
    data_dir: DataDir = None,
    as_json: AsJson = False,
    quiet: Quiet = False,
) -> None:
    """Show every data set that has a name.

    Example: grad-ext data list
    """
    from grad_ext.data.catalog import DATA_SETS

    out = output()
    headings = ("name", "what", "rows", "features", "protected attributes", "files")
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
    out.table("Data sets", headings, body)
    if out.quiet:
        out.line("\n".join(DATA_SETS), always=True)
    rows = [
        _known(data_set) | {"files": data_set.state(data_dir)} for data_set in DATA_SETS.values()
    ]
    out.document({"rows": rows})


@app.command("info")
def data_info(
    name: Name,
    data_dir: DataDir = None,
    as_json: AsJson = False,
    quiet: Quiet = False,
) -> None:
    """Show a data set's roles, classes, groups, files and licence; nothing is downloaded.

    Example: grad-ext data info german
    """
    from grad_ext.data.catalog import DATA_SETS
    from grad_ext.errors import unknown

    if name not in DATA_SETS:
        raise unknown("data set", name, DATA_SETS)
    data_set, out = DATA_SETS[name], output()
    out.line(f"{data_set.name}: {data_set.title}", always=True)
    out.line("")
    content: dict[str, Any] = {}
    if not data_set.missing(data_dir):
        content = _describe(data_set.load(data_dir))
    else:
        out.line(f"Protected attributes: {', '.join(data_set.protected)}")
    out.document(_known(data_set) | content | _origin(data_set, data_dir))


@app.command("fetch")
def data_fetch(
    name: Name,
    data_dir: DataDir = None,
    as_json: AsJson = False,
    quiet: Quiet = False,
) -> None:
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
        output().line(f"{name} comes with the package: nothing to fetch")
        output().document({"name": name, "files": {}})
        return
    if not data_set.missing(data_dir) or all(file.url for file in data_set.files):
        places = {file.name: obtain(file, data_dir)[1] for file in data_set.files}
        output().paths(places)
        output().document({"name": name, "files": places})
        return
    # Its loader says which files are missing, where they come from and where they go.
    data_set.load(data_dir)


def _known(data_set: DataSet) -> dict[str, Any]:
    """Return what is known of a data set before any file of it is read."""
    names = ("name", "title", "rows", "features", "protected", "licence", "citation")
    return {name: getattr(data_set, name) for name in names}


def _describe(table: DataTable) -> dict[str, Any]:
    """Print what the rows are, classes, groups and the favorable rate of each, and return it."""
    import numpy as np

    out = output()
    y, target = table.y(), table.target
    own = f", the last {table.n_test:,} the source's own test part" if table.n_test else ""
    out.line(f"Rows: {len(table):,}{own}")
    units = None if table.groups is None else len(np.unique(table.g()))
    if units is not None:
        out.line(f"Units: {units:,} by {table.groups}; rows of one belong together")
    numeric = table.frame[list(table.features)].select_dtypes("number").shape[1]
    majority = max(y.mean(), 1 - y.mean())
    out.line(f"Features: {len(table.features)}, {numeric} of them numeric")
    out.line(
        f"Label: {target.column}, favorable {target.favorable!r} ({y.mean():.1%}), "
        f"unfavorable {target.unfavorable!r}; majority class {majority:.4f}"
    )
    body, groups = [], []
    for attribute, a in zip(table.protected, table.a().T, strict=True):
        if attribute.continuous:
            span = f"{np.nanmin(a):g} to {np.nanmax(a):g}"
            parts = [(span, ~np.isnan(a), False)]
        else:
            named = attribute.levels or ("others", f"privileged: {_rule(attribute)}")
            parts = [(str(level), a == number, True) for number, level in enumerate(named)]
            parts.append(("unknown", np.isnan(a), True))
        for group, rows, rated in parts:
            if rows.any():
                share = float(y[rows].mean()) if rated else None
                count = int(rows.sum())
                words = "" if share is None else f"{share:.3f}"
                body.append([attribute.name, group, f"{count:,}", words])
                groups.append(
                    {
                        "attribute": attribute.name,
                        "group": group,
                        "rows": count,
                        "favorable": share,
                    }
                )
    out.table("Protected", ("attribute", "group", "rows", "favorable"), body)
    for name, checksum in table.checksums.items():
        out.line(f"SHA-256 {checksum} {name}")
    out.line(f"Content: {table.digest()}")
    return {
        "rows": len(table),
        "test_rows": table.n_test,
        "units": units,
        "features": len(table.features),
        "numeric_features": numeric,
        "label": {
            "column": target.column,
            "favorable": target.favorable,
            "unfavorable": target.unfavorable,
            "favorable_share": y.mean(),
        },
        "majority": majority,
        "groups": groups,
        "checksums": table.checksums,
        "content": table.digest(),
    }


def _rule(attribute: SensitiveAttribute) -> str:
    """Say in a few words who is privileged."""
    if attribute.above is not None:
        return f"above {attribute.above:g}"
    return ", ".join(map(str, attribute.values or ()))


def _origin(data_set: DataSet, data_dir: Path | None) -> dict[str, Any]:
    """Print where the data come from and under which terms, and return where the files are."""
    from grad_ext.data.fetch import find, how_to_get

    out = output()
    out.line(f"Licence: {data_set.licence}\nCite: {data_set.citation}")
    if not data_set.files:
        out.line("Files: come with the package")
    places = {file.name: find(file, data_dir) for file in data_set.files}
    for place in filter(None, places.values()):
        out.paths({"File": place})
    missing = data_set.missing(data_dir)
    if missing:
        first = "Downloaded on first use; if that fails, " if missing[0].url else "Missing: "
        out.line(f"{first}{how_to_get(*missing)}")
    return {"files": places}
