"""`grad-ext compare`: every method on the same rows."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from grad_ext.cli import complete
from grad_ext.cli.output import AsJson, Format, Quiet, output
from grad_ext.training.settings import Settings


def compare(
    dataset: Annotated[
        str | None,
        typer.Option(
            autocompletion=complete.dataset,
            help="Data set, see `grad-ext data list`; german if no file is named.",
        ),
    ] = None,
    protected: Annotated[
        str | None,
        typer.Option(help="Attributes to protect, separated by commas; the data set's first one."),
    ] = None,
    data: Annotated[
        Path | None, typer.Option(help="A CSV or Parquet file of your own instead of a data set.")
    ] = None,
    label: Annotated[str | None, typer.Option(help="Its label column.")] = None,
    favorable: Annotated[
        str | None, typer.Option(help="The favorable value of the label; 1 of 0 and 1.")
    ] = None,
    data_dir: Annotated[
        Path | None,
        typer.Option(
            help="Folder with the files of Diabetes or Health; by default that of GRAD_EXT_DATA_DIR."
        ),
    ] = None,
    methods: Annotated[
        str | None,
        typer.Option(
            autocompletion=complete.methods,
            help="Methods, separated by commas; by default all. A wrong name lists them.",
        ),
    ] = None,
    seeds: Annotated[
        int, typer.Option(help="Models for each method and hyperparameter, with seeds 0, 1, 2 ...")
    ] = 5,
    splits: Annotated[
        int, typer.Option(help="Divisions of the rows, for each of which everything is repeated.")
    ] = 1,
    hyperparameters: Annotated[
        bool,
        typer.Option(help="Try every value of a method's hyperparameter, or its default alone."),
    ] = True,
    select: Annotated[
        str,
        typer.Option(
            help="What chooses the hyperparameter on the validation rows: balanced_delta, delta, or "
            "accuracy@0.05 (the highest accuracy at a Discrimination of at most 0.05)."
        ),
    ] = "balanced_delta",
    recipe: Annotated[
        str,
        typer.Option(
            autocompletion=complete.recipe,
            help="GRAD's recipe, paper or steady, whose encoding all methods get.",
        ),
    ] = Settings.recipe,
    protocol: Annotated[
        str,
        typer.Option(help="How rows are divided: auto, random, source (Adult's own) or grouped."),
    ] = "auto",
    prediction: Annotated[
        str, typer.Option(help="What ŷ is in the metrics: label or score.")
    ] = "label",
    k: Annotated[int, typer.Option(help="Neighbours in Consistency.")] = 5,
    time_limit: Annotated[float, typer.Option(help="Seconds that a fit may take.")] = 900.0,
    memory_limit: Annotated[
        str | None,
        typer.Option(help="Memory that a fit may hold, such as 4GiB; half of the machine's."),
    ] = None,
    retry: Annotated[bool, typer.Option("--retry", help="Run anew what failed before.")] = False,
    out: Annotated[
        Path | None, typer.Option(help="Folder of the study; by default one below studies/.")
    ] = None,
    num_cpus: Annotated[
        int | None, typer.Option(help="CPUs to use, a process on each; by default all.")
    ] = None,
    format: Format = "png,svg",
    as_json: AsJson = False,
    quiet: Quiet = False,
) -> int:
    """Train and judge every method on the same rows, and show who is where.

    A method that fails is a row with its error. The same command run again does only what is
    missing; more methods, seeds or splits extend the study.

    Example: grad-ext compare --dataset adult --protected sex --seeds 5
    """
    settings = Settings(recipe=recipe)

    from grad_ext.cli.studies import counts, formats_of
    from grad_ext.data.options import table_from_options
    from grad_ext.evaluation import EvaluationConfig
    from grad_ext.report.findings import comparison
    from grad_ext.report.sentences import sentences
    from grad_ext.report.statistics.comparison import at_chosen, majority
    from grad_ext.report.text_tables.comparison import summary_lines
    from grad_ext.sweeps.run.limits import Limits, memory_from_text
    from grad_ext.sweeps.run.tune import StudyIncomplete
    from grad_ext.sweeps.studies.comparison import planned

    formats = formats_of(format)
    evaluation = EvaluationConfig(prediction=prediction, k=k)
    memory = None if memory_limit is None else memory_from_text(memory_limit)
    limits = Limits(time_limit, memory)
    table = table_from_options(
        "german" if dataset is None and data is None else dataset,
        protected,
        data=data,
        label=label,
        favorable=favorable,
        data_dir=data_dir,
    )
    names = None
    if methods is not None:
        names = [name.strip() for name in methods.split(",") if name.strip()]
    plan = planned(
        names, table, seeds, splits, hyperparameters, select, settings, evaluation, protocol, limits, retry, out,
        num_cpus,
    )  # fmt: skip
    try:
        plan.run(num_cpus, progress=output().progress)
    except StudyIncomplete as error:
        typer.echo(f"Error: {error}", err=True)
        return 1
    except KeyboardInterrupt:
        typer.echo(
            f"Interrupted: {len(plan.study.records())} of {len(plan.study.trials)} models are done "
            "and kept; the same command goes on from there",
            err=True,
        )
        return 130
    result = plan.result(select, formats)
    title = f"{table.name}, protected: {', '.join(table.attribute_names)}"
    shown = output()
    shown.table(title, *summary_lines(result.frame))
    frame = result.frame
    found = [*comparison.studied(frame), *comparison.findings(frame), *comparison.caveats(frame)]
    shown.sentences(sentences(found))
    shown.line("")
    shown.paths({"Study folder": result.folder, "Report": result.page})
    lines = at_chosen(result.frame)
    shown.document(
        {
            "study": result.folder,
            "report": result.page,
            **counts(plan.study),
            "rows": lines,
            "majority": majority(lines),
            "sentences": sentences(found),
        }
    )
    return 0
