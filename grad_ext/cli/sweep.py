"""`grad-ext sweep`: studies."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from grad_ext.cli import complete
from grad_ext.cli.output import AsJson, Format, Quiet, output
from grad_ext.errors import InputError
from grad_ext.training.settings import Settings

if TYPE_CHECKING:
    from grad_ext.sweeps.studies.outcome import Outcome
    from grad_ext.sweeps.studies.plan import StudyPlan

app = typer.Typer(
    help="""Study how settings change the outcome.

    Example: grad-ext sweep lambda --dataset german --protected age
    """,
    invoke_without_command=True,
)


def help_without_command(context: typer.Context) -> None:
    """Show the help of a group of commands that was called without one of them."""
    if context.invoked_subcommand is None:
        typer.echo(context.get_help())
        raise typer.Exit(2)


@app.callback()
def _sweep(context: typer.Context, as_json: AsJson = False, quiet: Quiet = False) -> None:
    help_without_command(context)


Dataset = Annotated[
    str | None,
    typer.Option(
        autocompletion=complete.datasets,
        help="Data sets, separated by commas, see `grad-ext data list`; german if no file is named.",
    ),
]
Protected = Annotated[
    list[str] | None,
    typer.Option(
        help="Attributes to protect, separated by commas; by default the data set's first one. "
        "Given repeatedly: several sets, each with models of its own. german=age is for one data "
        "set of several."
    ),
]
Data = Annotated[
    Path | None, typer.Option(help="A CSV or Parquet file of your own instead of a data set.")
]
Label = Annotated[str | None, typer.Option(help="Its label column.")]
Favorable = Annotated[
    str | None, typer.Option(help="The favorable value of the label; 1 of 0 and 1.")
]
Continuous = Annotated[
    str | None, typer.Option(help="Protected columns of the file that are numbers, not groups.")
]
Features = Annotated[
    str | None, typer.Option(help="Feature columns of the file; all others by default.")
]
Drop = Annotated[str | None, typer.Option(help="Columns of the file to leave out.")]
Weights = Annotated[str | None, typer.Option(help="Column of the file with instance weights.")]
Groups = Annotated[
    str | None, typer.Option(help="Column of the file that names the unit of each row.")
]
Missing = Annotated[str, typer.Option(help="Rows of the file with missing values: error or drop.")]
DataDir = Annotated[
    Path | None,
    typer.Option(
        help="Folder with the files of Diabetes or Health; by default that of GRAD_EXT_DATA_DIR."
    ),
]
Seeds = Annotated[
    int | None,
    typer.Option(
        help="Models for each choice, with seeds 0, 1, 2 ...; by default 10 (lambda), 30 (seed), 5 (grid) "
        "or 3 (search)."
    ),
]
Recipe = Annotated[
    str | None,
    typer.Option(
        autocompletion=complete.recipes,
        help=f"Training recipe: paper (to the letter) or steady; by default {Settings.recipe}.",
    ),
]
Constraint = Annotated[
    str | None,
    typer.Option(
        autocompletion=complete.constraints,
        help="What predictions are not to tell the groups apart by: demographic_parity (all rows, by "
        "default), equalized_odds (rows of each label), equal_opportunity (favorable rows).",
    ),
]
Epochs = Annotated[
    int | None, typer.Option(help="Passes over the training rows; by default the recipe's.")
]
Checkpoint = Annotated[
    str | None,
    typer.Option(
        autocompletion=complete.rules,
        help="Epoch to keep, by default the recipe's: paper, delta, balanced_delta, last, or "
        "accuracy@0.05 (the highest accuracy at a Discrimination of at most 0.05).",
    ),
]
Variant = Annotated[
    str | None,
    typer.Option(
        autocompletion=complete.variants,
        help="Target branch: pred (labels, by default) or auto (features).",
    ),
]
Protocol = Annotated[
    str,
    typer.Option(help="How rows are divided: auto, random, source (Adult's own) or grouped."),
]
SplitSeed = Annotated[int, typer.Option(help="Seed of the division of the rows.")]
Fixed = Annotated[
    list[str] | None,
    typer.Option("--set", help="Another setting, such as dropout=0.1; may be given repeatedly."),
]
Curved = Annotated[
    list[str] | None,
    typer.Option(
        "--set",
        help="Another setting, such as dropout=0.1; with several values, such as dropout=0,0.1, a "
        "curve for each; may be given repeatedly.",
    ),
]
Varied = Annotated[
    list[str] | None,
    typer.Option(
        "--set",
        help="What varies, such as lam=1,10,100, hidden=20,40 or trunk=40x40,80; may be given "
        "repeatedly. A wrong name lists them.",
    ),
]
Sought = Annotated[
    list[str] | None,
    typer.Option(
        "--set",
        help="What to search, such as lam=1:1000:log, dropout=0:0.5, hidden=10:80 or "
        "recipe=paper,steady; may be given repeatedly. A wrong name lists them.",
    ),
]
Out = Annotated[
    Path | None, typer.Option(help="Folder of the study; by default one below studies/.")
]
NumCpus = Annotated[int | None, typer.Option(help="CPUs to use, a pack on each; by default all.")]
PackSize = Annotated[
    str | None,
    typer.Option(
        help="Most models trained as one pack, or auto: as many as a GPU's memory holds. By default 16, "
        "with GPUs auto."
    ),
]
GpusPerPack = Annotated[
    float,
    typer.Option(help="GPUs for each pack, at most 1: 0.25 trains four packs on one GPU."),
]
Address = Annotated[
    str | None,
    typer.Option(
        help="A Ray cluster to train on: auto for the one that runs here, or its address."
    ),
]
StorageUri = Annotated[
    str | None,
    typer.Option(
        help="URI of a folder that all nodes of the cluster reach, such as s3://bucket/study, where "
        "they do not see the study's own."
    ),
]


Log = Annotated[
    str | None,
    typer.Option(help="Log every model to tensorboard, mlflow, or both separated by a comma."),
]


@app.command("lambda")
def sweep_lambda(
    dataset: Dataset = None,
    protected: Protected = None,
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
    values: Annotated[
        str | None,
        typer.Option(
            help="Values of λ, separated by commas; 0 is the plain network. By default 1 to 2000 in "
            "11 steps."
        ),
    ] = None,
    seeds: Seeds = None,
    recipe: Recipe = None,
    constraint: Constraint = None,
    epochs: Epochs = None,
    checkpoint: Checkpoint = None,
    variant: Variant = None,
    curved: Curved = None,
    protocol: Protocol = "auto",
    split_seed: SplitSeed = 0,
    out: Out = None,
    num_cpus: NumCpus = None,
    pack_size: PackSize = None,
    gpus_per_pack: GpusPerPack = 0.0,
    address: Address = None,
    storage: StorageUri = None,
    log: Log = None,
    format: Format = "png,svg",
    as_json: AsJson = False,
    quiet: Quiet = False,
) -> int:
    """Train a model for every λ and seed, and show how the outcome changes with λ.

    The same command run again does only what is missing; more values or seeds extend the study.
    Several recipes, constraints or variants, separated by commas, have a curve each.

    Examples: grad-ext sweep lambda --dataset german --protected age,sex --values 1,100 --seeds 5;
    grad-ext sweep lambda --data people.csv --label income --favorable '>50K' --protected race,sex
    """
    from grad_ext.sweeps.studies.values import parse_lambdas

    lams = {} if values is None else {"lam": parse_lambdas(values)}
    one, several = _curves(curved, {"recipe": recipe, "constraint": constraint, "variant": variant})
    return _run("lambda", lams | several, one, locals() | dict.fromkeys(several))


@app.command("seed")
def sweep_seed(
    dataset: Dataset = None,
    protected: Protected = None,
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
    lam: Annotated[float | None, typer.Option(help="λ; by default 100.")] = None,
    seeds: Seeds = None,
    recipe: Recipe = None,
    constraint: Constraint = None,
    epochs: Epochs = None,
    checkpoint: Checkpoint = None,
    variant: Variant = None,
    fixed: Fixed = None,
    protocol: Protocol = "auto",
    split_seed: SplitSeed = 0,
    out: Out = None,
    num_cpus: NumCpus = None,
    pack_size: PackSize = None,
    gpus_per_pack: GpusPerPack = 0.0,
    address: Address = None,
    storage: StorageUri = None,
    log: Log = None,
    format: Format = "png,svg",
    as_json: AsJson = False,
    quiet: Quiet = False,
) -> int:
    """Train the same model with many seeds, and show how far they lie apart.

    More seeds extend the study.

    Example: grad-ext sweep seed --dataset adult --protected sex --seeds 30
    """
    return _run("seed", {} if lam is None else {"lam": lam}, _fixed(fixed), locals())


@app.command("grid")
def sweep_grid(
    dataset: Dataset = None,
    protected: Protected = None,
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
    varied: Varied = None,
    seeds: Seeds = None,
    recipe: Recipe = None,
    constraint: Constraint = None,
    epochs: Epochs = None,
    checkpoint: Checkpoint = None,
    variant: Variant = None,
    protocol: Protocol = "auto",
    split_seed: SplitSeed = 0,
    out: Out = None,
    num_cpus: NumCpus = None,
    pack_size: PackSize = None,
    gpus_per_pack: GpusPerPack = 0.0,
    address: Address = None,
    storage: StorageUri = None,
    log: Log = None,
    format: Format = "png,svg",
    as_json: AsJson = False,
    quiet: Quiet = False,
) -> int:
    """Train a model for every choice of settings and every seed, all values crossed.

    More values or seeds extend the study.

    Example: grad-ext sweep grid --dataset german --set lam=1,10,100 --set hidden=20,40 --seeds 3
    """
    from grad_ext.sweeps.studies.values import assignments

    return _run("grid", assignments(varied or []), {}, locals())


@app.command("search")
def sweep_search(
    dataset: Dataset = None,
    protected: Protected = None,
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
    varied: Sought = None,
    models: Annotated[
        int, typer.Option(help="Most models to train; a choice takes as many as there are seeds.")
    ] = 60,
    objectives: Annotated[
        str,
        typer.Option(
            help="What is sought on the validation rows, separated by commas: accuracy, "
            "balanced_accuracy, discrimination (the less the better), delta, balanced_delta."
        ),
    ] = "accuracy,discrimination",
    scheduler: Annotated[
        str, typer.Option(help="What ends poor choices early: none, or asha.")
    ] = "none",
    search_seed: Annotated[int, typer.Option(help="Seed of the search algorithm.")] = 0,
    seeds: Seeds = None,
    recipe: Recipe = None,
    constraint: Constraint = None,
    epochs: Epochs = None,
    checkpoint: Checkpoint = None,
    variant: Variant = None,
    protocol: Protocol = "auto",
    split_seed: SplitSeed = 0,
    out: Out = None,
    num_cpus: NumCpus = None,
    gpus_per_pack: GpusPerPack = 0.0,
    address: Address = None,
    log: Log = None,
    format: Format = "png,svg",
    as_json: AsJson = False,
    quiet: Quiet = False,
) -> int:
    """Search for settings that no others beat, on the validation rows, with Optuna.

    The same command with more models goes on from there.

    Example: grad-ext sweep search --dataset german --set lam=1:1000:log --set dropout=0:0.5
    --set hidden=10:80 --models 60
    """
    from grad_ext.sweeps.studies.values import assignments

    search = {
        "models": models,
        "objectives": _parts(objectives),
        "seed": search_seed,
        "scheduler": scheduler,
    }
    return _run("search", assignments(varied or []), {}, locals())


@app.command("plan")
def sweep_plan(
    file: Annotated[
        Path, typer.Argument(help="A plan in a .toml, .yaml or .yml file: docs/studies.md has one.")
    ],
    out: Out = None,
    num_cpus: NumCpus = None,
    pack_size: PackSize = None,
    gpus_per_pack: GpusPerPack = 0.0,
    address: Address = None,
    storage: StorageUri = None,
    log: Log = None,
    format: Format = "png,svg",
    as_json: AsJson = False,
    quiet: Quiet = False,
) -> int:
    """Run the study that a file describes: its kind, data sets, settings and seeds, by name.

    Example: grad-ext sweep plan study.toml
    """
    given = locals()
    from dataclasses import replace

    from grad_ext.sweeps.studies.plan import StudyPlan

    plan = StudyPlan.from_file(file)
    return _carry(plan if out is None else replace(plan, out=out), given)


@app.command("status")
def sweep_status(
    folder: Annotated[
        Path,
        typer.Argument(
            autocompletion=complete.studies, help="Folder of a study, of whatever kind."
        ),
    ],
    as_json: AsJson = False,
    quiet: Quiet = False,
) -> int:
    """Say how far a study is, while it runs or afterwards.

    Example: grad-ext sweep status studies/lambda-german-age-0a1b2c
    """
    from grad_ext.sweeps.run.status import status

    found = status(folder)
    first, *rest = found.lines()
    output().line(first, always=True)
    for line in rest:
        output().line(line)
    output().document({"study": folder.absolute(), **found.to_json()})
    return 0


def _curves(
    texts: Sequence[str] | None, options: dict[str, str | None]
) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return the settings that have one value in a study of λ, and those that have several."""
    from grad_ext.sweeps.studies.values import assignments

    one: dict[str, Any] = {}
    several: dict[str, Any] = {
        n: _parts(text) for n, text in options.items() if text and "," in text
    }
    for name, values in assignments(texts or []).items():
        if options.get(name):
            raise InputError(f"{name} is given twice, as --{name} and as --set {name}")
        if isinstance(values, list) and len(values) == 1:
            one[name] = values[0]
        else:
            several[name] = values
    return one, several


def _fixed(texts: Sequence[str] | None) -> dict[str, Any]:
    """Return the settings that options of a study fix, a value each."""
    from grad_ext.sweeps.studies.values import assignments

    settings = {}
    for name, values in assignments(texts or []).items():
        if not isinstance(values, list) or len(values) > 1:
            raise InputError(f"--set: {name} has several values, which is a grid: sweep grid")
        settings[name] = values[0]
    return settings


MEANS = "Mean ± standard deviation over seeds, on the test rows."
# What the commands have in common.
OF_FILE = ("label", "favorable", "continuous", "features", "drop", "weights", "groups")
OF_RECIPE = ("recipe", "constraint", "epochs", "checkpoint", "variant")


def _run(kind: str, varied: dict[str, Any], fixed: dict[str, Any], given: dict[str, Any]) -> int:
    """Run the study that a command's options describe."""
    from grad_ext.sweeps.studies.plan import StudyPlan

    settings = {name: given[name] for name in OF_RECIPE if given[name] is not None}
    described = described_file(given["dataset"], given)
    datasets = _parts(given["dataset"] or "german")
    plan = StudyPlan(
        kind,
        datasets,
        _protected(given["protected"]),
        varied,
        settings | fixed,
        given["seeds"],
        given["split_seed"],
        given["protocol"],
        data=described,
        data_dir=given["data_dir"],
        search=given.get("search"),
        out=given["out"],
    )
    return _carry(plan, given)


def described_file(dataset: str | None, given: dict[str, Any]) -> dict[str, Any] | None:
    """Return what options say of a file of the user's, None where they name none.

    Raises
    ------
    InputError
        If they name a data set too, or describe a file without naming it.
    """
    described = {name: given[name] for name in OF_FILE if given[name] is not None}
    if given["data"] is None:
        if described:
            raise InputError(
                f"--{next(iter(described))} belongs to a file of your own: name it with --data"
            )
        return None
    if dataset is not None:
        raise InputError(f"expected --dataset or --data, got both: {dataset} and {given['data']}")
    return described | {"path": str(given["data"]), "missing": given["missing"]}


def _parts(text: str) -> list[str]:
    return [part.strip() for part in text.split(",") if part.strip()]


def _protected(options: Sequence[str] | None) -> Any:
    """Return the sets of attributes that options name, by data set where they name one."""
    if not options:
        return None
    named = ["=" in option for option in options]
    if not any(named):
        return [_parts(option) for option in options]
    if not all(named):
        raise InputError(
            "--protected: name the data set in all of them, such as german=age, or in none, got "
            f"{' and '.join(options)}"
        )
    found: dict[str, list[list[str]]] = {}
    for option in options:
        dataset, _, names = option.partition("=")
        found.setdefault(dataset.strip(), []).append(_parts(names))
    return found


def _carry(plan: StudyPlan, given: dict[str, Any]) -> int:
    """Run a study with what a command's options allow it, and show what came out."""
    from grad_ext.cli.studies import carry_out, formats_of, resources_of
    from grad_ext.sweeps.run.loggers import checked_log

    resources = resources_of(given)
    logs, formats = checked_log(_parts(given["log"] or "")), formats_of(given["format"])
    opened = plan.open()
    shown = output().progress
    work = lambda: opened.run(resources, shown, logs)
    if stopped := carry_out(opened.study, work, opened.models):
        return stopped
    _show(opened.result(formats))
    return 0


def _show(outcome: Outcome) -> None:
    """Print the tables of a study, and where it lies."""
    from grad_ext.cli.studies import counts
    from grad_ext.report.findings import lambdas, models
    from grad_ext.report.sentences import sentences
    from grad_ext.report.statistics.models import by_lambda
    from grad_ext.report.tables import CASE, by_curve, majorities, names_text
    from grad_ext.report.text_tables.models import row_lines, settings_lines
    from grad_ext.sweeps.folder import StudyDirectory

    out = output()
    if outcome.curve:
        first = outcome.frame.iloc[-1]
        attributes = names_text(first["protected"])
        title = f"{first['method']} on {first['dataset']}, protecting {attributes}"
        for name, rows in by_curve(outcome.frame, outcome.curves):
            out.table(f"{title}, {name}" if name else title, *row_lines(by_lambda(rows)))
        data = outcome.frame, outcome.curves
        said = sentences([*lambdas.findings(*data), *lambdas.caveats(*data)])
    else:
        # Of a search, what nothing beats is the result; results.csv has the rest.
        shown = outcome.frontier if outcome.kind == "search" else outcome.points
        for (dataset, protected), points in shown.groupby(CASE, sort=True):
            title = f"{dataset}, protecting {names_text(protected)}"
            out.table(title, *settings_lines(points, outcome.varied, outcome.objectives))
        said = [f"{MEANS} {text}" for text in sentences([models.frontier_size(outcome)])]
    out.sentences(said)
    out.line("")
    out.paths({"Study folder": outcome.folder, "Report": outcome.page})
    out.document(
        {
            "study": outcome.folder,
            "report": outcome.page,
            "kind": outcome.kind,
            **counts(StudyDirectory.read(outcome.folder)),
            "varied": outcome.varied,
            "rows": outcome.points,
            "majority": majorities(outcome.frame),
            "sentences": said,
        }
    )
