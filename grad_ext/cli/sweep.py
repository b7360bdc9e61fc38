"""`grad-ext sweep`: studies."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from grad_ext.sweeps.grid import LAMBDAS, SEEDS, lambda_grid, parse_lambdas
from grad_ext.trial import Settings

PIPE_WIDTH = 160

app = typer.Typer(help="Study how a setting changes the outcome.", invoke_without_command=True)


def help_without_command(context: typer.Context) -> None:
    """Show the help of a group of commands that was called without one of them."""
    if context.invoked_subcommand is None:
        typer.echo(context.get_help())
        raise typer.Exit(2)


@app.callback()
def _sweep(context: typer.Context) -> None:
    help_without_command(context)


@app.command("lambda")
def sweep_lambda(
    dataset: Annotated[str, typer.Option(help="Data set: german or adult.")] = "german",
    protected: Annotated[
        str | None,
        typer.Option(help="Attributes to protect, separated by commas; the data set's first one."),
    ] = None,
    values: Annotated[
        str, typer.Option(help="Values of λ, separated by commas; 0 is the plain network.")
    ] = ",".join(f"{lam:g}" for lam in LAMBDAS),
    seeds: Annotated[int, typer.Option(help="Models for each λ, with seeds 0, 1, 2 ...")] = SEEDS,
    epochs: Annotated[int, typer.Option(help="Passes over the training rows.")] = Settings.epochs,
    select: Annotated[
        str,
        typer.Option(
            help="Epoch to keep: paper, delta, balanced_delta, last, or accuracy@0.05 (the highest "
            "accuracy at a Discrimination of at most 0.05)."
        ),
    ] = Settings.select,
    variant: Annotated[
        str, typer.Option(help="Target branch: pred (labels) or auto (features).")
    ] = Settings.variant,
    out: Annotated[
        Path | None, typer.Option(help="Folder of the study; by default one below studies/.")
    ] = None,
    num_cpus: Annotated[
        int | None, typer.Option(help="CPUs to use, a pack on each; by default all.")
    ] = None,
    pack_size: Annotated[
        int | None, typer.Option(help="Most models trained as one pack; by default 16.")
    ] = None,
) -> int:
    """Train a model for every λ and seed, and show how the outcome changes with λ.

    The same command run again does only what is missing; more values or seeds extend the study.

    Example: grad-ext sweep lambda --dataset german --protected age,sex --values 1,100 --seeds 5
    """
    lams = parse_lambdas(values)
    names = [n.strip() for n in protected.split(",") if n.strip()] if protected else None
    settings = Settings(variant=variant, epochs=epochs, select=select)

    from grad_ext.data import load_dataset

    table = load_dataset(dataset, names)
    trials = lambda_grid(dataset, table.attribute_names, lams, range(seeds), settings)

    from rich.box import SIMPLE_HEAD
    from rich.console import Console
    from rich.table import Table

    from grad_ext.data.split import split
    from grad_ext.evaluate import prepare
    from grad_ext.report.page import title, write_report
    from grad_ext.report.tables import by_lambda, lines, results
    from grad_ext.report.words import verdict
    from grad_ext.sweeps.pack import checked_size
    from grad_ext.sweeps.study import Study, default_folder, versions
    from grad_ext.sweeps.tune import StudyIncomplete, checked_cpus, run

    cpus, width = checked_cpus(num_cpus), checked_size(pack_size)
    problem = prepare(split(table), settings)
    study = Study.open(out or default_folder(trials), trials)
    try:
        run(study, problem, cpus, width, progress=sys.stderr.isatty())
    except StudyIncomplete as error:
        typer.echo(f"Error: {error}", err=True)
        return 1
    except KeyboardInterrupt:
        done = len(study.records())
        typer.echo(
            f"Interrupted: {done} of {len(study.trials)} models are done and kept; "
            "the same command goes on from there",
            err=True,
        )
        return 130
    records = study.records()
    page = write_report(study.folder, records, versions())
    frame = results(records)
    heading, body = lines(by_lambda(frame))
    grid = Table(*heading, title=title(records[-1]), box=SIMPLE_HEAD, padding=(0, 1))
    for row in body:
        grid.add_row(*row)
    # A file or a pipe has no width to keep to.
    console = Console(width=None if sys.stdout.isatty() else PIPE_WIDTH)
    console.print(grid)
    for sentence in verdict(frame):
        console.print(sentence, highlight=False)
    # Plain echo: a path is for copying, and must not be wrapped to the terminal's width.
    typer.echo(f"\nStudy folder: {study.folder}\nReport: {page}")
    return 0
