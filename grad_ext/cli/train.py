"""`grad-ext train`: one model of a study once more, to be compared and kept."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from grad_ext.cli import complete
from grad_ext.cli.output import AsJson, Quiet, output
from grad_ext.cli.sweep import (
    Continuous,
    Data,
    DataDir,
    Drop,
    Favorable,
    Features,
    Groups,
    Label,
    Missing,
    Weights,
    described_file,
)
from grad_ext.errors import InputError


def train(
    study: Annotated[
        Path,
        typer.Argument(
            autocompletion=complete.studies,
            help="Folder of the study, of whatever kind.",
            show_default=False,
        ),
    ],
    key: Annotated[
        str,
        typer.Argument(
            help="Which model: its number on the report page, which is its row in results.csv, or "
            "its key or the beginning of it, as the page shows it.",
            show_default=False,
        ),
    ],
    save: Annotated[
        Path | None,
        typer.Option(
            help="File to save the model in, such as model.safetensors; without it the model is "
            "trained and compared only."
        ),
    ] = None,
    data: Data = None,
    label: Label = None,
    favorable: Favorable = None,
    continuous: Continuous = None,
    features: Features = None,
    drop: Drop = None,
    weights: Weights = None,
    groups: Groups = None,
    missing: Missing = "error",
    data_dir: DataDir = None,
    as_json: AsJson = False,
    quiet: Quiet = False,
) -> int:
    """Train one model of a study again, exactly as the study did, and save it.

    Same rows, division, settings and seed, and so the same predictions; how its figures compare with
    the study's is said. What is saved, `grad_ext.load`, `grad-ext card` and `grad-ext audit` read.

    Example: grad-ext train studies/lambda-german-age-9dbde9 12 --save model.safetensors
    """
    described = described_file(None, locals())
    if save is not None and (save.is_dir() or not save.absolute().parent.is_dir()):
        raise InputError(
            f"--save: expected a file in a folder that is there, got {save}"
            f"{', a folder' if save.is_dir() else ''}"
        )

    from grad_ext.cli.studies import interruptible
    from grad_ext.models.persistence import save as write
    from grad_ext.sweeps.retrain import retrain

    keep = save is not None
    try:
        with interruptible():
            found = retrain(study, key, data=described, data_dir=data_dir, keep=keep)
    except KeyboardInterrupt:
        typer.echo("Interrupted: nothing was written", err=True)
        return 130
    trial = found.trial
    hyperparameter = "" if isinstance(trial.lam, tuple) else f", λ = {trial.lam:g}"
    title = f"{trial.method} on {trial.dataset}{hyperparameter}, seed {trial.seed}: {trial.key}"
    out = output()
    out.table(title, *found.lines())
    out.sentences(found.sentences())
    if save is not None:
        write(found.model, save)
        out.line("")
        out.paths({"Model": save})
    out.document(
        {
            "study": study.absolute(),
            "key": trial.key,
            "trial": trial.to_json(),
            "model": save,
            "rows": found.rows,
            "differing": found.differing,
            "sentences": found.sentences(),
        }
    )
    return 0
