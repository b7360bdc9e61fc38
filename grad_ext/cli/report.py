"""`grad-ext report`: a study's files made again, or several studies on one page."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from grad_ext.cli import complete
from grad_ext.cli.output import AsJson, Format, Quiet, output


def report(
    folders: Annotated[
        list[Path],
        typer.Argument(
            autocompletion=complete.studies,
            help="Folders of studies, one or several.",
            show_default=False,
        ),
    ],
    format: Format = "png,svg",
    out: Annotated[
        Path | None,
        typer.Option(help="Folder for the page of several studies; by default comparison/."),
    ] = None,
    as_json: AsJson = False,
    quiet: Quiet = False,
) -> int:
    """Make a study's results.csv, figures and report.html again from its records.

    Of several studies, write one page that sets them side by side. Nothing is trained.

    Examples: grad-ext report studies/lambda-german-age-9dbde9 --format pdf;
    grad-ext report my-study another --out both
    """
    from grad_ext.cli.studies import formats_of
    from grad_ext.errors import InputError
    from grad_ext.sweeps.rebuild import remake, together

    formats = formats_of(format)
    if len(folders) > 1:
        page = together(folders, out or Path("comparison"), formats)
    elif out is not None:
        raise InputError(
            "--out is for several studies; one study's page is written into its folder"
        )
    else:
        page = remake(folders[0], formats)
    output().paths({"Report": page})
    output().document({"report": page, "studies": [folder.absolute() for folder in folders]})
    return 0
