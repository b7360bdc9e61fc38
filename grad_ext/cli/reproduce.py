"""`grad-ext reproduce`: compare the paper's tables and figure with models trained here."""

from __future__ import annotations

from typing import Annotated

import typer

from grad_ext.cli import complete
from grad_ext.cli.groups import with_options
from grad_ext.cli.options import (
    DataDir,
    EvaluationOptions,
    PackOptions,
    StudyOutputOptions,
)
from grad_ext.cli.output import output
from grad_ext.errors import InputError


@with_options
def reproduce(
    table: Annotated[
        str, typer.Argument(autocompletion=complete.tables, help="table1, table2 or figure2.")
    ],
    evaluation: EvaluationOptions,
    resources: PackOptions,
    study: StudyOutputOptions,
    datasets: Annotated[
        str | None,
        typer.Option(
            autocompletion=complete.datasets,
            help="Data sets, comma-separated; by default all whose files are on this machine or can "
            "be downloaded.",
        ),
    ] = None,
    seeds: Annotated[
        int,
        typer.Option(help="Number of models for each row of the table, with seeds 0, 1, 2 ..."),
    ] = 10,
    recipes: Annotated[
        str | None,
        typer.Option(
            autocompletion=complete.recipes,
            help="Training recipes, comma-separated; paper and steady by default.",
        ),
    ] = None,
    epochs: Annotated[
        int | None, typer.Option(help="Number of training epochs; the recipe's by default.")
    ] = None,
    protected: Annotated[
        list[str] | None,
        typer.Option(
            help="Protect other attributes than the paper, such as german=sex. Repeatable."
        ),
    ] = None,
    data_dir: DataDir = None,
) -> int:
    """Train GRAD's models of a table or figure of the paper, and compare with the published values.

    Running the command again trains only what is missing; more seeds, data sets or recipes extend
    the study.

    Example: grad-ext reproduce table1 --datasets german --seeds 3
    """
    from grad_ext.cli.studies import counts, run_study
    from grad_ext.data.lists import listed
    from grad_ext.sweeps.studies.reproduction import (
        REPRODUCED,
        Reproduction,
        ReproductionResult,
        open_reproduction,
    )

    formats = study.formats()
    asked = Reproduction(
        table=table,
        seeds=seeds,
        recipes=tuple(listed(recipes) or REPRODUCED),
        evaluation=evaluation.config(),
        protected=_attributes(protected or []),
        epochs=epochs,
    )
    limits = resources.resources()
    opened = open_reproduction(asked, listed(datasets), data_dir, study.out)
    progress = output().progress
    if code := run_study(opened.directory, lambda: opened.run(limits, progress)):
        return code
    page = opened.result(formats).page
    result = ReproductionResult.read(opened.directory)
    out = output()
    for title, heading, body in result.tables():
        out.table(title, heading, body)
    out.sentences(result.sentences)
    out.line("")
    out.paths({"Study folder": opened.directory.folder, "Report": page})
    out.document(
        {
            "study": opened.directory.folder,
            "report": page,
            **counts(opened.directory),
            "rows": result.rows,
            "majority": result.majority,
            "sentences": result.sentences,
        }
    )
    return 0


def _attributes(options: list[str]) -> dict[str, tuple[str, ...]]:
    """Return the attributes that options such as german=sex name, by data set."""
    from grad_ext.data.lists import listed

    attributes = {}
    for option in options:
        dataset, _, names = option.partition("=")
        if not listed(names):
            raise InputError(f"--protected: expected something like german=sex, got {option!r}")
        attributes[dataset.strip()] = tuple(listed(names))
    return attributes
