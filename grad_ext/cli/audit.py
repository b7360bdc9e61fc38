"""`grad-ext audit`: measure whether a model leaks protected attributes."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from grad_ext import checks
from grad_ext.cli.groups import with_options
from grad_ext.cli.options import (
    AuditOptions,
    DatasetOptions,
    FileOptions,
    RowsFile,
    SplitOptions,
    TrainingOptions,
    model_rows,
)
from grad_ext.cli.output import output
from grad_ext.errors import InputError
from grad_ext.training.settings import LAMBDA, Settings


@with_options
def audit(
    data: DatasetOptions,
    file: FileOptions,
    training: TrainingOptions,
    split: SplitOptions,
    probes: AuditOptions,
    model: Annotated[
        Path | None,
        typer.Argument(
            help="File of a saved model. Without it GRAD is trained, and the plain network (λ = 0) "
            "for comparison.",
            show_default=False,
        ),
    ] = None,
    path: RowsFile = None,
    lam: Annotated[
        float | None, typer.Option(help=f"λ of the model to train; by default {LAMBDA:g}.")
    ] = None,
    out: Annotated[
        Path | None, typer.Option(help="Folder of the results; by default one below audits/.")
    ] = None,
) -> int:
    """Measure how well the protected attributes can be predicted from a model (attribute leakage).

    New classifiers (probes), logistic regression and gradient boosting, predict the attributes and
    their intersections from the model's representation, scores and labels, and for reference from
    the features and the plain network's representation. They are cross-validated on the test set.

    Examples: grad-ext audit --dataset german --protected age,sex --lam 100;
    grad-ext audit model.safetensors test.csv
    """
    given = training.given()
    if model is not None and (given or lam is not None):
        name = "lam" if lam is not None else next(iter(given))
        raise InputError(f"--{name} is for training, and {model} is fitted already")
    lam = checks.lam(LAMBDA if lam is None else lam)
    settings = Settings(**given)

    from grad_ext.auditing.audit import check_options
    from grad_ext.auditing.tables import audit_table, audit_training, evaluation_rows
    from grad_ext.cli.studies import interruptible
    from grad_ext.data.split import split as split_rows
    from grad_ext.files import plain_name, writable_folder
    from grad_ext.models.persistence import load
    from grad_ext.models.workflow import split_for_model
    from grad_ext.trial import Trial, fingerprint

    check_options(probes.folds, probes.seed)
    fitted = None if model is None else load(model)
    if fitted is None:
        table = data.table(file)
        rows = evaluation_rows(table, probes.rows, split.split_seed, split.protocol)
        where = "the test set" if probes.rows == "test" else "all rows"
        training_rows = None
    else:
        given = model_rows(fitted, path, data, file, split, probes.rows)
        found = split_for_model(fitted, **given)
        table, where, training_rows = found.table, found.which, found.rest
        rows = table
    trial = Trial(table.name, table.attribute_names, lam, probes.seed, split.split_seed, settings)
    method = trial.method if model is None else model.stem
    if out is None:
        parameters = {
            "trial": trial.to_json(),
            "model": str(model),
            "data": table.digest(),
            "protocol": split.protocol,
            "rows": probes.rows,
            "folds": probes.folds,
        }
        names = [table.name, *table.attribute_names, method.lower(), fingerprint(parameters)[:6]]
        out = Path("audits") / plain_name(*names)
    folder = writable_folder(out)
    try:
        with interruptible():
            if model is None:
                parts = split_rows(table, split.split_seed, split.protocol)
                result = audit_training(trial, parts, rows, folds=probes.folds)
            else:
                result = audit_table(
                    fitted, rows, training=training_rows, folds=probes.folds, seed=probes.seed
                )
    except KeyboardInterrupt:
        typer.echo("Interrupted: nothing was written", err=True)
        return 130
    strength = f", λ = {lam:g}" if model is None and lam else ""
    title = f"{method} on {table.name}{strength}: attribute leakage on {where}"
    csv, picture = result.write(folder, title)
    sentences = result.words()
    printer = output()
    printer.table(title, *result.lines())
    printer.sentences(sentences)
    printer.line("")
    printer.paths({"Table": csv, "Picture": picture})
    printer.document(
        {"table": csv, "picture": picture, "rows": result.table, "sentences": sentences}
    )
    return 0
