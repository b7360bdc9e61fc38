"""`grad-ext reproduce`: the paper's tables and its figure, beside what the same models do here."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from grad_ext.cli import complete
from grad_ext.cli.output import AsJson, Quiet, output
from grad_ext.cli.sweep import Address, GpusPerPack, NumCpus, PackSize, StorageUri
from grad_ext.errors import InputError


def _split(text: str | None) -> tuple[str, ...]:
    from grad_ext.data.options import listed

    return tuple(listed(text or ""))


def _attributes(options: list[str] | None) -> dict[str, tuple[str, ...]]:
    chosen = {}
    for option in options or []:
        dataset, _, names = option.partition("=")
        if not _split(names):
            raise InputError(f"--protected: expected something like german=sex, got {option!r}")
        chosen[dataset.strip()] = _split(names)
    return chosen


def reproduce(
    table: Annotated[
        str, typer.Argument(autocompletion=complete.tables, help="table1, table2 or figure2.")
    ],
    datasets: Annotated[
        str | None,
        typer.Option(
            autocompletion=complete.datasets,
            help="Only these data sets, separated by commas; by default all that are there.",
        ),
    ] = None,
    seeds: Annotated[int, typer.Option(help="Models for each line, with seeds 0, 1, 2 ...")] = 10,
    recipes: Annotated[
        str | None,
        typer.Option(
            autocompletion=complete.recipes,
            help="Training recipes, separated by commas; by default all.",
        ),
    ] = None,
    epochs: Annotated[
        int | None, typer.Option(help="Passes over the training rows; the recipe's by default.")
    ] = None,
    protected: Annotated[
        list[str] | None,
        typer.Option(help="Protect other attributes, such as german=sex; may be given repeatedly."),
    ] = None,
    prediction: Annotated[
        str, typer.Option(help="What ŷ is in the metrics: label or score.")
    ] = "label",
    k: Annotated[int, typer.Option(help="Neighbours in Consistency.")] = 5,
    data_dir: Annotated[
        Path | None,
        typer.Option(
            help="Folder with the files of Diabetes or Health; by default that of GRAD_EXT_DATA_DIR."
        ),
    ] = None,
    out: Annotated[
        Path | None, typer.Option(help="Folder of the study; by default one below studies/.")
    ] = None,
    num_cpus: NumCpus = None,
    pack_size: PackSize = None,
    gpus_per_pack: GpusPerPack = 0.0,
    address: Address = None,
    storage: StorageUri = None,
    format: Annotated[
        str,
        typer.Option(
            autocompletion=complete.formats,
            help="Formats of figure2's pictures, separated by commas: png, svg, pdf.",
        ),
    ] = "png,svg",
    as_json: AsJson = False,
    quiet: Quiet = False,
) -> int:
    """Run the models of the paper's tables that are ours, and set them beside the published figures.

    The same command run again does only what is missing; more seeds, data sets or recipes extend
    the study.

    Example: grad-ext reproduce table1 --datasets german --seeds 3
    """
    given = locals()
    from grad_ext.cli.studies import carry_out, counts, formats_of, resources_of
    from grad_ext.evaluation import EvaluationConfig
    from grad_ext.report.published import TABLES
    from grad_ext.report.reproduction import (
        claims,
        disguised,
        insensitivity,
        lines,
        shared_rows,
        tally,
    )
    from grad_ext.report.reproduction_page import text_lines
    from grad_ext.report.settings import by_settings, majorities
    from grad_ext.report.tables import and_joined
    from grad_ext.sweeps.studies.reproduction import (
        Reproduction,
        attributes_of,
        open_reproduction,
        results_by_line,
    )
    from grad_ext.training.settings import RECIPES

    formats = formats_of(format)
    asked = Reproduction(
        table=table,
        seeds=seeds,
        recipes=_split(recipes) or RECIPES,
        evaluation=EvaluationConfig(prediction=prediction, k=k),
        protected=_attributes(protected),
        epochs=epochs,
    )
    resources, shown = resources_of(given), output().progress
    opened = open_reproduction(asked, _split(datasets), data_dir, out)
    study = opened.directory
    if stopped := carry_out(study, lambda: opened.run(resources, shown)):
        return stopped
    made = opened.result(formats)
    frame, missing = results_by_line(study), study.notes()["missing"]
    result = output()
    if table == "figure2":
        body = by_settings(frame, ("recipe", "lam"))
        said = [*missing, *insensitivity(frame)]
    else:
        lines_of = attributes_of(study)
        body = lines(frame, TABLES[table], lines_of)
        for (dataset, attributes), group in body.groupby(["dataset", "attributes"], sort=False):
            judges = and_joined(attributes)
            result.table(f"{dataset}, judged by {judges}", *text_lines(group))
        said = [*missing, *tally(frame), *claims(frame)]
        said += [*disguised(frame, TABLES[table], lines_of), *shared_rows(frame)]
    result.sentences(said)
    result.line("")
    result.paths({"Study folder": study.folder, "Report": made.page})
    result.document(
        {
            "study": study.folder,
            "report": made.page,
            **counts(study),
            "rows": body,
            "majority": majorities(frame),
            "sentences": said,
        }
    )
    return 0
