"""`grad-ext report`: write the report of a study again, or one report on several studies."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from grad_ext.cli import complete
from grad_ext.cli.groups import with_options
from grad_ext.cli.options import FORMATS, Format, figure_formats
from grad_ext.cli.output import output


@with_options
def report(
    folders: Annotated[
        list[Path],
        typer.Argument(
            autocompletion=complete.studies,
            help="Folders of one or several studies.",
            show_default=False,
        ),
    ],
    format: Format = FORMATS,
    out: Annotated[
        Path | None,
        typer.Option(help="Folder of the report on several studies; by default comparison/."),
    ] = None,
) -> int:
    """Write a study's results.csv, figures and report.html again from its records.

    Given several studies, write one report that compares them. Nothing is trained.

    Examples: grad-ext report studies/lambda-german-age-9dbde9 --format pdf;
    grad-ext report my-study another --out both
    """
    from grad_ext.errors import InputError
    from grad_ext.sweeps.rebuild import remake, together

    formats = figure_formats(format)
    if len(folders) > 1:
        page = together(folders, out or Path("comparison"), formats)
    elif out is not None:
        raise InputError(
            "--out is for several studies; the report of one study is written into its folder"
        )
    else:
        page = remake(folders[0], formats)
    output().paths({"Report": page})
    output().document({"report": page, "studies": [folder.absolute() for folder in folders]})
    return 0
