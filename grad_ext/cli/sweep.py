"""`grad-ext sweep`: studies."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from grad_ext.errors import unknown
from grad_ext.sweeps.grid import LAMBDAS, SEEDS, lambda_grid, parse_lambdas
from grad_ext.trial import Settings

MISSING = ("error", "drop")

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
    dataset: Annotated[
        str | None,
        typer.Option(help="Data set, see `grad-ext data list`; german if no file is named."),
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
    continuous: Annotated[
        str | None, typer.Option(help="Protected columns of the file that are numbers, not groups.")
    ] = None,
    features: Annotated[
        str | None, typer.Option(help="Feature columns of the file; all others by default.")
    ] = None,
    drop: Annotated[str | None, typer.Option(help="Columns of the file to leave out.")] = None,
    weights: Annotated[
        str | None, typer.Option(help="Column of the file with instance weights.")
    ] = None,
    groups: Annotated[
        str | None, typer.Option(help="Column of the file that names the unit of each row.")
    ] = None,
    missing: Annotated[
        str, typer.Option(help="Rows of the file with missing values: error or drop.")
    ] = "error",
    data_dir: Annotated[
        Path | None, typer.Option(help="Folder with the files of Diabetes or Health.")
    ] = None,
    values: Annotated[
        str, typer.Option(help="Values of λ, separated by commas; 0 is the plain network.")
    ] = ",".join(f"{lam:g}" for lam in LAMBDAS),
    seeds: Annotated[int, typer.Option(help="Models for each λ, with seeds 0, 1, 2 ...")] = SEEDS,
    recipe: Annotated[
        str, typer.Option(help="Training recipe: paper (to the letter) or steady.")
    ] = Settings.recipe,
    criterion: Annotated[
        str,
        typer.Option(
            help="What predictions are not to tell the groups apart by: demographic_parity (all "
            "rows), equalized_odds (rows of each label), equal_opportunity (favorable rows)."
        ),
    ] = Settings.criterion,
    epochs: Annotated[
        int | None, typer.Option(help="Passes over the training rows; by default the recipe's.")
    ] = None,
    select: Annotated[
        str | None,
        typer.Option(
            help="Epoch to keep, by default the recipe's: paper, delta, balanced_delta, last, or "
            "accuracy@0.05 (the highest accuracy at a Discrimination of at most 0.05)."
        ),
    ] = None,
    variant: Annotated[
        str, typer.Option(help="Target branch: pred (labels) or auto (features).")
    ] = Settings.variant,
    protocol: Annotated[
        str,
        typer.Option(help="How rows are divided: auto, random, source (Adult's own) or grouped."),
    ] = "auto",
    split_seed: Annotated[int, typer.Option(help="Seed of the division of the rows.")] = 0,
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

    Examples: grad-ext sweep lambda --dataset german --protected age,sex --values 1,100 --seeds 5;
    grad-ext sweep lambda --data people.csv --label income --favorable '>50K' --protected race,sex
    """
    lams = parse_lambdas(values)
    chosen: dict[str, Any] = {"epochs": epochs, "select": select}
    settings = Settings(variant=variant, recipe=recipe, criterion=criterion, **chosen)
    if missing not in MISSING:
        raise unknown("way with missing values", missing, MISSING)

    from grad_ext.data.options import table_from_options

    table = table_from_options(
        "german" if dataset is None and data is None else dataset,
        protected,
        data=data,
        label=label,
        favorable=favorable,
        continuous=continuous,
        features=features,
        drop=drop,
        weights=weights,
        groups=groups,
        missing="drop" if missing == "drop" else "error",
        data_dir=data_dir,
    )
    trials = lambda_grid(
        table.name, table.attribute_names, lams, range(seeds), settings, split_seed
    )

    from grad_ext.cli.studies import carry_out, show_sentences, show_table
    from grad_ext.data.split import checked_protocol, split
    from grad_ext.evaluate import prepare
    from grad_ext.files import cache_folder
    from grad_ext.report.page import title, write_report
    from grad_ext.report.tables import by_lambda, lines, results
    from grad_ext.report.words import verdict
    from grad_ext.sweeps.pack import checked_size
    from grad_ext.sweeps.study import Study, default_folder, lambda_study
    from grad_ext.sweeps.tune import checked_cpus

    cpus, width = checked_cpus(num_cpus), checked_size(pack_size)
    about = {
        **lambda_study(trials),
        "data": table.digest(),
        "protocol": checked_protocol(table, protocol),
    }
    cut = split(table, split_seed, protocol, cache_folder("splits"))
    problems = {trials[0].rows: prepare(cut, settings)}
    folder = out or default_folder(about, table.name, *table.attribute_names)
    study = Study.open(folder, trials, about)
    if stopped := carry_out(study, problems, cpus, width):
        return stopped
    records = study.records()
    plan = study.plan()
    page = write_report(study.folder, records, plan["versions"], plan["about"])
    frame = results(records)
    show_table(title(records[-1]), *lines(by_lambda(frame)))
    show_sentences(verdict(frame))
    # Plain echo: a path is for copying, and must not be wrapped to the terminal's width.
    typer.echo(f"\nStudy folder: {study.folder}\nReport: {page}")
    return 0
