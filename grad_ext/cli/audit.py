"""`grad-ext audit`: can the protected attribute still be read off a model?"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from grad_ext.cli import complete
from grad_ext.cli.output import AsJson, Quiet, output
from grad_ext.errors import InputError, unknown
from grad_ext.training.settings import LAMBDA, Settings, checked_lambda
from grad_ext.trial import Trial, fingerprint

if TYPE_CHECKING:
    import pandas as pd

    from grad_ext.auditing.audit import Audit
    from grad_ext.data.split import Split
    from grad_ext.data.table import Table

ROWS = ("test", "all")


def audit(
    model: Annotated[
        Path | None,
        typer.Argument(
            help="File of a fitted model, as `save` writes it; without it one is trained, and the "
            "plain network (λ = 0) beside it.",
            show_default=False,
        ),
    ] = None,
    dataset: Annotated[
        str,
        typer.Option(
            autocompletion=complete.dataset, help="Data set: german, adult, diabetes or health."
        ),
    ] = "german",
    protected: Annotated[
        str | None,
        typer.Option(
            help="Attributes to protect and to look for, separated by commas; the data set's first "
            "one."
        ),
    ] = None,
    lam: Annotated[
        float | None, typer.Option(help=f"λ of the model to train; by default {LAMBDA:g}.")
    ] = None,
    seed: Annotated[int, typer.Option(help="Of the model to train and of the probes.")] = 0,
    epochs: Annotated[
        int | None,
        typer.Option(help="Passes over the training rows; by default the recipe's."),
    ] = None,
    recipe: Annotated[
        str | None,
        typer.Option(
            autocompletion=complete.recipe,
            help="Training recipe: paper or steady; by default steady.",
        ),
    ] = None,
    variant: Annotated[
        str | None,
        typer.Option(
            autocompletion=complete.variants,
            help="Target branch: pred (labels) or auto (features); by default pred.",
        ),
    ] = None,
    checkpoint: Annotated[
        str | None,
        typer.Option(
            autocompletion=complete.rules,
            help="Epoch to keep, as for a study; by default the recipe's.",
        ),
    ] = None,
    rows: Annotated[
        str, typer.Option(help="Rows to read from: test, or all, training rows too.")
    ] = "test",
    folds: Annotated[int, typer.Option(help="Parts of the probes' cross-validation.")] = 5,
    data_dir: Annotated[
        Path | None,
        typer.Option(help="Folder with a data set's files; by default that of GRAD_EXT_DATA_DIR."),
    ] = None,
    out: Annotated[
        Path | None, typer.Option(help="Folder for the results; by default one below audits/.")
    ] = None,
    as_json: AsJson = False,
    quiet: Quiet = False,
) -> int:
    """Try to read protected attributes off a model's representation, scores and labels.

    Fresh probes, a logistic regression and gradient boosting, cross-validated on rows that the
    model was not trained on; with the raw features for reference, and for intersections too.

    Example: grad-ext audit --dataset german --protected age,sex --lam 100
    """
    training = {
        "lam": lam,
        "epochs": epochs,
        "recipe": recipe,
        "variant": variant,
        "checkpoint": checkpoint,
    }
    given: dict[str, Any] = {name: value for name, value in training.items() if value is not None}
    if model is not None and given:
        raise InputError(f"--{next(iter(given))} is for training, and {model} is fitted already")
    if rows not in ROWS:
        raise unknown("choice of rows", rows, ROWS)
    if folds < 2:
        raise InputError(f"folds: expected at least 2, got {folds}")
    lam = checked_lambda(given.pop("lam", LAMBDA))
    settings = Settings(**given)
    names = [n.strip() for n in protected.split(",") if n.strip()] if protected else None

    from grad_ext.cli.studies import interruptible
    from grad_ext.data import load_dataset
    from grad_ext.data.split import split
    from grad_ext.files import writable_folder

    table = load_dataset(dataset, names, data_dir)
    trial = Trial(dataset, table.attribute_names, lam, seed, settings=settings)
    parts = split(table)
    audited = parts.test if rows == "test" else table
    fitted = None
    if model is not None:
        from grad_ext.models.persistence import load

        fitted = load(model)
    asked = {"trial": trial.to_json(), "model": str(model), "rows": rows, "folds": folds}
    what = trial.method if model is None else model.stem
    name = "-".join([dataset, *table.attribute_names, what.lower(), fingerprint(asked)[:6]])
    folder = writable_folder(out or Path("audits") / name)
    try:
        with interruptible():
            if fitted is None:
                found = _of_trained(trial, parts, audited, folds)
            else:
                found = _of_fitted(fitted, audited, seed, folds)
    except KeyboardInterrupt:
        typer.echo("Interrupted: nothing was written", err=True)
        return 130
    strength = f", λ = {lam:g}" if model is None and lam else ""
    _show(found, folder, f"{what} on {dataset}{strength}: what can be read off the {rows} rows")
    return 0


def _of_trained(trial: Trial, parts: Split, audited: Table, folds: int) -> Audit:
    """Train GRAD, and the plain network for contrast, and audit both at once."""
    from dataclasses import replace

    from grad_ext.auditing.audit import audit
    from grad_ext.data.encoding import Encoder, arrays
    from grad_ext.method import GRAD

    use = trial.settings.use_protected
    encoder = Encoder(trial.settings.encoding).fit(parts.train.inputs(use))
    training, validation = (arrays(part, encoder, use) for part in (parts.train, parts.valid))
    X = encoder.transform(audited.inputs(use))
    sources: dict[str, Any] = {}
    for lam in dict.fromkeys([0.0, *trial.lams]):
        fitted = GRAD().fit([replace(trial, lam=lam)], training, validation)
        scores = fitted.scores(X)[0, 0]
        which = f" (λ = {lam:g})" if trial.reversing else ""
        sources |= {
            f"representation{which}": fitted.representations(X)[0].T,
            f"scores{which}": scores,
            f"labels{which}": scores >= 0.5,
        }
    kinds = ("representation", "scores", "labels")
    return audit(
        {name: sources[name] for kind in kinds for name in sources if name.startswith(kind)},
        audited.inputs(use),
        _attributes(audited),
        y=audited.y(),
        continuous=_continuous(audited),
        folds=folds,
        groups=audited.g(),
        seed=trial.seed,
    )


def _of_fitted(model: Any, audited: Table, seed: int, folds: int) -> Audit:
    """Audit a loaded model."""
    from grad_ext.auditing.audit import audit

    y, X = None, None
    if hasattr(model, "n_features_in_"):
        X = _columns(model, audited)
        classes = getattr(model, "classes_", None)
        if classes is not None:
            values = audited.frame[audited.target.column]
            y = values if set(classes) <= set(values) else audited.y().astype(int)
    return audit(
        model,
        audited.to_aif360() if X is None else X,
        _attributes(audited),
        y=y,
        continuous=_continuous(audited),
        folds=folds,
        groups=audited.g(),
        seed=seed,
    )


def _columns(model: Any, audited: Table) -> pd.DataFrame:
    """Return the columns that an estimator was fitted on."""
    names = getattr(model, "feature_names_in_", None)
    if names is None:
        raise InputError(
            f"expected a model fitted on named columns of {audited.name}, got one fitted on an "
            f"array of {model.n_features_in_}"
        )
    for name in names:
        if name not in audited.features:
            raise unknown("feature", name, audited.features, audited.name)
    return audited.frame[list(names)]


def _attributes(table: Table) -> pd.DataFrame:
    """Return each row's group by name, or its number, by each protected attribute."""
    import pandas as pd

    frame = pd.DataFrame(index=range(len(table)))
    for attribute, numbers in zip(table.protected, table.a().T, strict=True):
        column = pd.Series(numbers)
        if not attribute.continuous:
            levels = attribute.levels or ("others", "privileged")
            column = column.map({float(i): str(level) for i, level in enumerate(levels)})
        frame[attribute.name] = column
    return frame


def _continuous(table: Table) -> list[str]:
    return [attribute.name for attribute in table.protected if attribute.continuous]


def _show(found: Audit, folder: Path, title: str) -> None:
    """Write the table and the picture, and print what they show."""
    from grad_ext.files import write_atomically
    from grad_ext.report.figures.style import render

    table, picture = folder / "audit.csv", folder / "audit.png"
    figure = found.figure(title)
    write_atomically(table, found.table.to_csv(index=False))
    write_atomically(picture, render(figure, "png"))
    write_atomically(picture.with_suffix(".svg"), render(figure, "svg"))
    out = output()
    out.table(title, *found.lines())
    out.sentences(found.words())
    out.line("")
    out.paths({"Table": table, "Picture": picture})
    out.document(
        {"table": table, "picture": picture, "rows": found.table, "sentences": found.words()}
    )
