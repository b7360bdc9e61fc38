"""`grad-ext report`: a study's files made again, or several studies on one page."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def report(
    folders: Annotated[list[Path], typer.Argument(help="Folders of studies.", show_default=False)],
    format: Annotated[
        str, typer.Option(help="Formats of the figures, separated by commas: png, svg, pdf.")
    ] = "png,svg",
    out: Annotated[
        Path | None,
        typer.Option(help="Folder for the page of several studies; by default comparison/."),
    ] = None,
) -> int:
    """Make a study's results.csv, figures and report.html again from its records.

    Of several studies, write one page that sets them side by side. Nothing is trained.

    Examples: grad-ext report studies/lambda-german-age-9dbde9 --format pdf;
    grad-ext report my-study another --out both
    """
    from grad_ext.errors import InputError
    from grad_ext.report.figures import checked_formats
    from grad_ext.sweeps.remake import remake, together

    formats = checked_formats([f.strip() for f in format.split(",") if f.strip()])
    if len(folders) > 1:
        typer.echo(f"Report: {together(folders, out or Path('comparison'), formats)}")
        return 0
    if out is not None:
        raise InputError(
            "--out is for several studies; one study's page is written into its folder"
        )
    typer.echo(f"Report: {remake(folders[0], formats)}")
    return 0
