"""`grad-ext compare`: compare methods on the same train/test split."""

from __future__ import annotations

from typing import Annotated

import typer

from grad_ext.cli import complete
from grad_ext.cli.groups import with_options
from grad_ext.cli.options import (
    DatasetOptions,
    Engine,
    EvaluationOptions,
    FileOptions,
    NumCpus,
    Protocol,
    StudyOutputOptions,
)
from grad_ext.cli.output import output
from grad_ext.training.settings import Settings


@with_options
def compare(
    data: DatasetOptions,
    file: FileOptions,
    evaluation: EvaluationOptions,
    study: StudyOutputOptions,
    methods: Annotated[
        str | None,
        typer.Option(
            autocompletion=complete.methods,
            help="Methods, comma-separated; all by default. An unknown name lists them.",
        ),
    ] = None,
    seeds: Annotated[
        int,
        typer.Option(
            help="Number of models for each method and hyperparameter value, with seeds 0, 1, 2 ..."
        ),
    ] = 5,
    splits: Annotated[
        int, typer.Option(help="Number of train/test splits; every model is trained on each.")
    ] = 1,
    hyperparameters: Annotated[
        bool,
        typer.Option(help="Try all values of each method's hyperparameter, or only the default."),
    ] = True,
    select: Annotated[
        str,
        typer.Option(
            help="Rule that selects the hyperparameter on the validation set: balanced_delta, delta, "
            "or accuracy@0.05 (highest accuracy with a Discrimination of at most 0.05)."
        ),
    ] = "balanced_delta",
    recipe: Annotated[
        str,
        typer.Option(
            autocompletion=complete.recipe,
            help="Training recipe of GRAD, paper, steady or smooth; all methods use its encoding.",
        ),
    ] = Settings.recipe,
    protocol: Protocol = "auto",
    time_limit: Annotated[float, typer.Option(help="Time limit of a fit in seconds.")] = 900.0,
    memory_limit: Annotated[
        str | None,
        typer.Option(help="Memory limit of a fit, such as 4GiB; by default half of the memory."),
    ] = None,
    retry: Annotated[
        bool, typer.Option("--retry", help="Run the models again that failed before.")
    ] = False,
    num_cpus: NumCpus = None,
    engine: Engine = "auto",
) -> int:
    """Train and evaluate all methods on the same train/test split, and compare them.

    A method that fails is listed with its error. Running the command again trains only what is
    missing; more methods, seeds or splits extend the study.

    Example: grad-ext compare --dataset adult --protected sex --seeds 5
    """
    settings = Settings(recipe=recipe)

    from grad_ext.cli.studies import counts, run_study
    from grad_ext.cli.tables import show_tables
    from grad_ext.data.lists import listed
    from grad_ext.report.findings.comparison import caveats, findings, studied
    from grad_ext.report.sentences import sentences
    from grad_ext.report.statistics.comparison import at_chosen, majority
    from grad_ext.report.text_tables.comparison import summary_lines
    from grad_ext.sweeps.run.limits import Limits, memory_from_text
    from grad_ext.sweeps.run.resources import Resources
    from grad_ext.sweeps.studies.comparison import open_comparison

    formats = study.formats()
    resources = Resources(num_cpus, engine=engine)
    memory = None if memory_limit is None else memory_from_text(memory_limit)
    table = data.table(file)
    show_tables([table])
    opened = open_comparison(
        listed(methods),
        table,
        seeds,
        splits,
        hyperparameters,
        select,
        settings,
        evaluation.config(),
        protocol,
        Limits(time_limit, memory),
        retry,
        study.out,
        num_cpus,
        file.described(data.dataset),
    )
    progress = output().progress
    if code := run_study(opened.directory, lambda: opened.run(resources, progress)):
        return code
    comparison = opened.result(formats)
    frame = comparison.frame
    rows = at_chosen(frame)
    texts = sentences([*studied(frame), *findings(frame), *caveats(frame)])
    about = opened.directory.about
    out = output()
    title = f"{about['dataset']}, protected: {', '.join(about['protected'])}"
    out.table(title, *summary_lines(frame))
    out.sentences(texts)
    out.line("")
    out.paths({"Study folder": comparison.folder, "Report": comparison.page})
    out.document(
        {
            "study": comparison.folder,
            "report": comparison.page,
            **counts(opened.directory),
            "rows": rows,
            "majority": majority(rows),
            "sentences": texts,
        }
    )
    return 0
