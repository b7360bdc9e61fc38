"""`grad-ext fit`: train one model and save it."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from grad_ext import checks
from grad_ext.cli.groups import with_options
from grad_ext.cli.options import (
    BoundOptions,
    DatasetOptions,
    FileOptions,
    SplitOptions,
    TrainingOptions,
)
from grad_ext.cli.output import output, warnings_as_lines
from grad_ext.errors import InputError
from grad_ext.training.settings import LAMBDA


@with_options
def fit(
    data: DatasetOptions,
    file: FileOptions,
    training: TrainingOptions,
    bound: BoundOptions,
    split: SplitOptions,
    save: Annotated[
        Path | None,
        typer.Option(help="File to save the model in, such as model.safetensors."),
    ] = None,
    lam: Annotated[
        float | None,
        typer.Option(
            help=f"λ, how much the groups' predictions are pulled together; 0 is the plain network, "
            f"{LAMBDA:g} the default. Not with --bound, which chooses it."
        ),
    ] = None,
    fixed: Annotated[
        list[str] | None,
        typer.Option("--set", help="Another setting, such as dropout=0.1. Repeatable."),
    ] = None,
    seed: Annotated[int, typer.Option(help="Seed of the training.")] = 0,
) -> int:
    """Train one model on your own file or a data set, evaluate it on held-out rows, and save it.

    A fifth of the rows is the test set, a fifth of the rest the validation set. The saved model is
    the one that the metrics are about: it is not trained again on all rows.

    Example: grad-ext fit --data loans.csv --label repaid --favorable yes --protected sex,age>=25
    --bound 0.05 --save model.safetensors
    """
    settings = training.given()
    if settings.pop("variant", "pred") != "pred":
        raise InputError("--variant: fit trains classifiers, which have the variant pred")
    bounds = bound.bounds()
    if bounds is not None and lam is not None:
        raise InputError(f"expected --bound, which chooses λ, or --lam, got both ({lam:g})")
    settings |= {"bound": bounds, "objective": bound.objective, "ensemble": bound.ensemble}

    from grad_ext.cli.models import checked_file, show_held_out, show_path
    from grad_ext.cli.studies import interruptible
    from grad_ext.cli.sweep import fixed_settings
    from grad_ext.cli.tables import show_tables
    from grad_ext.codec import to_json
    from grad_ext.models.workflow import fit_table
    from grad_ext.sweeps.studies.values import value

    checked_file("--save", save)
    settings |= {name: value(name, text) for name, text in fixed_settings(fixed).items()}
    table = data.table(file)
    show_tables([table])
    try:
        with interruptible(), warnings_as_lines():
            model = fit_table(
                table,
                split.split_seed,
                split.protocol,
                lam=checks.lam(LAMBDA if lam is None else lam),
                random_state=seed,
                **settings,
            )
    except KeyboardInterrupt:
        typer.echo("Interrupted: nothing was written", err=True)
        return 130
    out = output()
    chosen = {} if bounds is None else show_path(model)
    document = {**chosen, **show_held_out(model.held_out_)}
    out.line(
        f"Trained on {model.training_data_.training:,} rows with seed {seed}; these are the metrics "
        "of this model, which is not trained again on all rows."
    )
    if save is not None:
        model.save(save)
        out.line("")
        out.paths({"Model": save})
    out.document({"model": save, "trained_on": to_json(model.training_data_), **document})
    return 0
