"""`grad-ext card`: the model card of a saved model."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from grad_ext.cli import complete
from grad_ext.cli.output import AsJson, Quiet, output
from grad_ext.errors import InputError, unknown

ROWS = ("test", "all")


def card(
    model: Annotated[
        Path,
        typer.Argument(help="File of a fitted model, as `save` writes it.", show_default=False),
    ],
    dataset: Annotated[
        str,
        typer.Option(
            autocompletion=complete.dataset,
            help="Data set to judge it on: german, adult, diabetes or health.",
        ),
    ] = "german",
    protected: Annotated[
        str | None,
        typer.Option(help="Attributes, separated by commas; the data set's first one."),
    ] = None,
    rows: Annotated[
        str, typer.Option(help="Rows to judge it on: grad-ext's test rows, or all.")
    ] = "test",
    split_seed: Annotated[int, typer.Option(help="Seed of the division of the rows.")] = 0,
    trained_on: Annotated[
        str,
        typer.Option(help="Which rows it was trained on, in your words; the file does not say."),
    ] = "",
    folds: Annotated[int, typer.Option(help="Parts of the audit's cross-validation.")] = 5,
    seed: Annotated[int, typer.Option(help="Of the audit's probes and the intervals.")] = 0,
    data_dir: Annotated[
        Path | None,
        typer.Option(help="Folder with a data set's files; by default that of GRAD_EXT_DATA_DIR."),
    ] = None,
    out: Annotated[
        Path | None, typer.Option(help="File to write; by default beside the model.")
    ] = None,
    as_json: AsJson = False,
    quiet: Quiet = False,
) -> int:
    """Write a model card: what it is, its figures for each group, what leaks, and its limits.

    A model's file knows no rows: those it is judged on are named here, and the card says so.

    Example: grad-ext card model.safetensors --dataset german --protected age,sex
    """
    if rows not in ROWS:
        raise unknown("choice of rows", rows, ROWS)
    if folds < 2:
        raise InputError(f"folds: expected at least 2, got {folds}")

    from grad_ext.cli.audit import _attributes, _continuous, _of_fitted
    from grad_ext.cli.predicted import favorable
    from grad_ext.data import load_dataset
    from grad_ext.data.split import split
    from grad_ext.files import write_atomically
    from grad_ext.models.persistence import load
    from grad_ext.report.card import Predictions, model_card

    names = [n.strip() for n in protected.split(",") if n.strip()] if protected else None
    fitted = load(model)
    table = load_dataset(dataset, names, data_dir).known()
    table = split(table, split_seed).test if rows == "test" else table
    which = f"the rows that grad-ext keeps for testing of {dataset} (split seed {split_seed})."
    said = favorable(fitted, table)
    judged = None
    if said is not None:
        judged = Predictions(
            f"Judged on {which if rows == 'test' else f'all rows of {dataset}.'}",
            table.y(),
            said,
            _attributes(table),
            _continuous(table),
            None if (table.w() == 1.0).all() else table.w(),
            None if table.groups is None else table.g(),
        )
    found = _of_fitted(fitted, table, seed, folds)
    path = out or model.with_name(f"{model.stem}.card.md")
    text = model_card(fitted, model.name, judged, found, trained_on, seed)
    write_atomically(path, text)
    output().paths({"Card": path})
    output().document({"card": path, "model": model, "sentences": found.words()})
    return 0
