"""`grad-ext benchmark`: compare methods over several data sets at bounds on the gap."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from grad_ext.cli import complete
from grad_ext.cli.groups import with_options
from grad_ext.cli.options import Engine, NumCpus
from grad_ext.cli.output import output
from grad_ext.errors import InputError
from grad_ext.training.settings import Settings


@with_options
def benchmark(
    datasets: Annotated[
        str, typer.Option(help="Names of data sets, comma-separated; empty for files alone.")
    ] = "german",
    data: Annotated[
        list[Path] | None,
        typer.Option(help="A file with its roles beside it (FILE.roles.toml); may be repeated."),
    ] = None,
    methods: Annotated[
        str | None,
        typer.Option(
            autocompletion=complete.methods,
            help="Methods, comma-separated, or all; a few fast ones by default.",
        ),
    ] = None,
    bounds: Annotated[
        str, typer.Option(help="Largest Discriminations allowed, comma-separated.")
    ] = "0.02,0.05,0.1",
    splits: Annotated[int, typer.Option(help="Train/test splits of each data set.")] = 3,
    recipe: Annotated[
        str,
        typer.Option(
            autocompletion=complete.recipe,
            help="Training recipe of GRAD; all methods use its encoding.",
        ),
    ] = Settings.recipe,
    retry: Annotated[
        bool, typer.Option("--retry", help="Run the models again that failed before.")
    ] = False,
    out: Annotated[Path, typer.Option(help="Folder of the benchmark.")] = Path("studies/benchmark"),
    num_cpus: NumCpus = None,
    engine: Engine = "auto",
) -> int:
    """Compare methods over several data sets at bounds on the gap, with ranks over the data sets.

    Running the command again trains only what is missing.

    Example: grad-ext benchmark --datasets german --methods grad-pred,logistic --splits 2
    """
    settings = Settings(recipe=recipe)

    from grad_ext.cli.studies import interruptible
    from grad_ext.data.lists import listed
    from grad_ext.report.text_tables.benchmark import mean_lines, rank_lines, tally_lines
    from grad_ext.sweeps.run.executors import StudyIncomplete
    from grad_ext.sweeps.studies import benchmark as studies

    chosen = None if methods == "all" else studies.FAST if methods is None else listed(methods)
    printer = output()
    try:
        with interruptible():
            done = studies.benchmark(
                [*listed(datasets), *(data or ())],
                chosen,
                bounds=_bounds(listed(bounds)),
                splits=splits,
                settings=settings,
                retry=retry,
                out=out,
                num_cpus=num_cpus,
                progress=printer.progress,
                engine=engine,
            )
    except StudyIncomplete as error:
        typer.echo(f"Error: {error}", err=True)
        return 1
    except KeyboardInterrupt:
        typer.echo(
            "Interrupted: finished models are saved; run the same command to continue", err=True
        )
        return 130
    printer.table("Every data set and bound", *mean_lines(done.means))
    printer.table("Mean ranks over the data sets", *rank_lines(done.ranks))
    if done.tallies is not None:
        printer.table(f"Data sets, {studies.OURS} against the others", *tally_lines(done.tallies))
    printer.sentences([studies.HOW])
    printer.paths({"Folder": done.folder, "Report": done.page})
    document = {"folder": done.folder, "report": done.page, "means": done.means}
    document |= {"choices": done.choices, "ranks": [vars(each) for each in done.ranks]}
    printer.document(document | {"tallies": done.tallies})
    return 0


def _bounds(texts: list[str]) -> list[float]:
    """Return bounds as numbers; `benchmark` checks their range."""
    try:
        return [float(text) for text in texts]
    except ValueError as error:
        raise InputError(
            f"bounds: expected numbers, comma-separated, got {','.join(texts)}"
        ) from error
