"""`grad-ext train`: train one model of a study again, and save it."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from grad_ext.cli import complete
from grad_ext.cli.groups import with_options
from grad_ext.cli.options import DataDir, FileOptions
from grad_ext.cli.output import output


@with_options
def train(
    study: Annotated[
        Path,
        typer.Argument(
            autocompletion=complete.studies,
            help="Folder of a study of any kind.",
            show_default=False,
        ),
    ],
    key: Annotated[
        str,
        typer.Argument(
            help="The model: its row number in results.csv (counted from 1), which is its number on "
            "the report page, or its key or the first characters of it.",
            show_default=False,
        ),
    ],
    file: FileOptions,
    save: Annotated[
        Path | None,
        typer.Option(
            help="File to save the model in, such as model.safetensors; without it the model is only "
            "trained and compared."
        ),
    ] = None,
    data_dir: DataDir = None,
) -> int:
    """Train one model of a study again with the same data, split, settings and seed, and save it.

    The metrics are compared with those in the study. `grad_ext.load`, `grad-ext card` and
    `grad-ext audit` read the saved file.

    Example: grad-ext train studies/lambda-german-age-9dbde9 12 --save model.safetensors
    """
    described = file.described()

    from grad_ext.cli.models import checked_file
    from grad_ext.cli.studies import interruptible
    from grad_ext.models.persistence import save as save_model
    from grad_ext.sweeps.retrain import retrain

    checked_file("--save", save)
    try:
        with interruptible():
            result = retrain(study, key, data=described, data_dir=data_dir, keep=save is not None)
    except KeyboardInterrupt:
        typer.echo("Interrupted: nothing was written", err=True)
        return 130
    trial, sentences = result.trial, result.sentences()
    hyperparameter = "" if isinstance(trial.lam, tuple) else f", λ = {trial.lam:g}"
    title = f"{trial.method} on {trial.dataset}{hyperparameter}, seed {trial.seed}: {trial.key}"
    out = output()
    out.table(title, *result.lines())
    out.sentences(sentences)
    if save is not None:
        save_model(result.model, save)
        out.line("")
        out.paths({"Model": save})
    out.document(
        {
            "study": study.absolute(),
            "key": trial.key,
            "trial": trial.to_json(),
            "model": save,
            "rows": result.rows,
            "differing": result.differing,
            "sentences": sentences,
        }
    )
    return 0
