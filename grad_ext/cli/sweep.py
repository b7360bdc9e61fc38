"""`grad-ext sweep`: run a study, and show its progress."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from grad_ext.cli import complete
from grad_ext.cli.groups import Options, help_without_command, with_options
from grad_ext.cli.options import (
    FileOptions,
    PackOptions,
    ResourceOptions,
    SplitOptions,
    StudyDatasetOptions,
    StudyOutputOptions,
    TrainingOptions,
)
from grad_ext.cli.output import output
from grad_ext.errors import InputError

if TYPE_CHECKING:
    from grad_ext.sweeps.studies.plan import StudyPlan
    from grad_ext.sweeps.studies.study import SettingsOutcome

MEANS = "Mean ± standard deviation over seeds, on the test set."

app = typer.Typer(
    help="""Study how the settings and the seed affect the metrics.

    Example: grad-ext sweep lambda --dataset german --protected age
    """,
    invoke_without_command=True,
)
app.callback()(with_options(help_without_command))

FixedSettings = Annotated[
    list[str] | None,
    typer.Option("--set", help="Another setting, such as dropout=0.1. Repeatable."),
]
CurveSettings = Annotated[
    list[str] | None,
    typer.Option(
        "--set",
        help="Another setting, such as dropout=0.1. Several values, such as dropout=0,0.1, give a "
        "curve each. Repeatable.",
    ),
]
VariedSettings = Annotated[
    list[str] | None,
    typer.Option(
        "--set",
        help="Values of a setting, such as lam=1,10,100, hidden=20,40 or trunk=40x40,80. Repeatable. "
        "An unknown name lists all settings.",
    ),
]
SearchedSettings = Annotated[
    list[str] | None,
    typer.Option(
        "--set",
        help="Search space of a setting, such as lam=1:1000:log, dropout=0:0.5, hidden=10:80 or "
        "recipe=paper,steady. Repeatable. An unknown name lists all settings.",
    ),
]


@dataclass(frozen=True, kw_only=True)
class StudyOptions(Options):
    """A study of any kind: its data, training, split and seeds."""

    data: StudyDatasetOptions
    file: FileOptions
    training: TrainingOptions
    split: SplitOptions
    seeds: Annotated[
        int | None,
        typer.Option(
            help="Number of models for each choice of settings, with seeds 0, 1, 2 ...; by default 10 "
            "(lambda), 30 (seed), 5 (grid) or 3 (search)."
        ),
    ] = None

    def plan(
        self,
        kind: str,
        varied: Mapping[str, Any],
        settings: Mapping[str, Any],
        out: Path | None,
        search: Mapping[str, Any] | None = None,
    ) -> StudyPlan:
        """Return the study as an object; parameters are those of `StudyPlan`."""
        from grad_ext.sweeps.studies.plan import StudyPlan

        return StudyPlan(
            kind,
            self.data.names(),
            self.data.protected_sets(self.file.data is not None),
            varied,
            settings,
            self.seeds,
            self.split.split_seed,
            self.split.protocol,
            data=self.file.described(self.data.dataset),
            data_dir=self.data.data_dir,
            search=search,
            out=out,
        )


@dataclass(frozen=True, kw_only=True)
class RunOptions(StudyOutputOptions):
    """Where a study is written, and to what it is logged."""

    log: Annotated[
        str | None,
        typer.Option(help="Log every model to tensorboard, mlflow, or both, comma-separated."),
    ] = None


@app.command("lambda")
@with_options
def sweep_lambda(
    study: StudyOptions,
    resources: PackOptions,
    run: RunOptions,
    values: Annotated[
        str | None,
        typer.Option(
            help="Values of λ, comma-separated; 0 is the plain network. By default 0 to 400 in 10 "
            "steps; 1 to 2000 in 11 with the recipes steady and paper, and for the variant auto."
        ),
    ] = None,
    curves: CurveSettings = None,
) -> int:
    """Train a model for each λ and seed, and show how the metrics depend on λ.

    Running the command again trains only what is missing; more values or seeds extend the study.
    Several recipes, constraints or variants, comma-separated, give a curve each.

    Examples: grad-ext sweep lambda --dataset german --protected age,sex --values 1,100 --seeds 5;
    grad-ext sweep lambda --data people.csv --label income --favorable '>50K' --protected race,sex
    """
    from grad_ext.sweeps.studies.values import parse_lambdas

    varied, fixed = _curves(study.training.given(), curves)
    if values is not None:
        varied["lam"] = parse_lambdas(values)
    return run_plan(study.plan("lambda", varied, fixed, run.out), resources, run)


@app.command("seed")
@with_options
def sweep_seed(
    study: StudyOptions,
    resources: PackOptions,
    run: RunOptions,
    lam: Annotated[float | None, typer.Option(help="λ; by default 100.")] = None,
    fixed: FixedSettings = None,
) -> int:
    """Train the same model with many seeds, and show how much the metrics vary.

    More seeds extend the study.

    Example: grad-ext sweep seed --dataset adult --protected sex --seeds 30
    """
    varied = {} if lam is None else {"lam": lam}
    settings = study.training.given() | fixed_settings(fixed)
    return run_plan(study.plan("seed", varied, settings, run.out), resources, run)


@app.command("grid")
@with_options
def sweep_grid(
    study: StudyOptions, resources: PackOptions, run: RunOptions, varied: VariedSettings = None
) -> int:
    """Train a model for each combination of settings (the full grid) and each seed.

    More values or seeds extend the study.

    Example: grad-ext sweep grid --dataset german --set lam=1,10,100 --set hidden=20,40 --seeds 3
    """
    from grad_ext.sweeps.studies.values import assignments

    grid = assignments(varied or [])
    return run_plan(study.plan("grid", grid, study.training.given(), run.out), resources, run)


@app.command("search")
@with_options
def sweep_search(
    study: StudyOptions,
    resources: ResourceOptions,
    run: RunOptions,
    varied: SearchedSettings = None,
    models: Annotated[
        int,
        typer.Option(
            help="Maximum number of models to train; each choice of settings takes one per seed."
        ),
    ] = 60,
    objectives: Annotated[
        str,
        typer.Option(
            help="Objectives on the validation set, comma-separated: accuracy, balanced_accuracy, "
            "discrimination (minimised), delta, balanced_delta."
        ),
    ] = "accuracy,discrimination",
    scheduler: Annotated[
        str, typer.Option(help="Early-stopping scheduler: none or asha.")
    ] = "none",
    search_seed: Annotated[int, typer.Option(help="Seed of the search algorithm.")] = 0,
) -> int:
    """Search for Pareto-optimal settings on the validation set, with Optuna.

    Running the command again with more models continues the search.

    Example: grad-ext sweep search --dataset german --set lam=1:1000:log --set dropout=0:0.5
    --set hidden=10:80 --models 60
    """
    from grad_ext.data.lists import listed
    from grad_ext.sweeps.studies.values import assignments

    search = {
        "models": models,
        "objectives": listed(objectives),
        "seed": search_seed,
        "scheduler": scheduler,
    }
    space = assignments(varied or [])
    plan = study.plan("search", space, study.training.given(), run.out, search)
    return run_plan(plan, resources, run)


@app.command("plan")
@with_options
def sweep_plan(
    file: Annotated[
        Path,
        typer.Argument(help="Plan in a .toml, .yaml or .yml file, see docs/studies.md."),
    ],
    resources: PackOptions,
    run: RunOptions,
) -> int:
    """Run the study that a file describes: kind, data sets, settings and seeds.

    Example: grad-ext sweep plan study.toml
    """
    from dataclasses import replace

    from grad_ext.sweeps.studies.plan import StudyPlan

    plan = StudyPlan.from_file(file)
    return run_plan(plan if run.out is None else replace(plan, out=run.out), resources, run)


@app.command("status")
@with_options
def sweep_status(
    folder: Annotated[
        Path, typer.Argument(autocompletion=complete.studies, help="Folder of a study of any kind.")
    ],
) -> int:
    """Show the progress of a study, while it runs or afterwards.

    Example: grad-ext sweep status studies/lambda-german-age-0a1b2c
    """
    from grad_ext.sweeps.run.progress import status

    progress = status(folder)
    first, *rest = progress.lines()
    output().line(first, always=True)
    for line in rest:
        output().line(line)
    output().document({"study": folder.absolute(), **progress.to_json()})
    return 0


def _curves(
    training: Mapping[str, Any], texts: Sequence[str] | None
) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return the settings with several values in a study of λ, and those with one."""
    from grad_ext.data.lists import listed
    from grad_ext.sweeps.studies.values import assignments

    varied: dict[str, Any] = {}
    fixed: dict[str, Any] = {}
    for name, value in training.items():
        names = listed(value) if name in ("recipe", "constraint", "variant") else None
        if names is not None and len(names) > 1:
            varied[name] = names
        else:
            fixed[name] = value
    for name, values in assignments(texts or []).items():
        if name in training:
            raise InputError(f"{name} is given twice, as --{name} and as --set {name}")
        if isinstance(values, list) and len(values) == 1:
            fixed[name] = values[0]
        else:
            varied[name] = values
    return varied, fixed


def fixed_settings(texts: Sequence[str] | None) -> dict[str, Any]:
    """Return the value of each setting in a study in which no setting varies."""
    from grad_ext.sweeps.studies.values import assignments

    settings = {}
    for name, values in assignments(texts or []).items():
        if not isinstance(values, list) or len(values) > 1:
            raise InputError(f"--set: {name} has several values, which is a grid: sweep grid")
        settings[name] = values[0]
    return settings


def run_plan(plan: StudyPlan, resources: ResourceOptions, run: RunOptions) -> int:
    """Run a study, print its results and return the exit code."""
    from grad_ext.cli.studies import run_study
    from grad_ext.cli.tables import show_tables
    from grad_ext.data.lists import listed
    from grad_ext.sweeps.run.loggers import checked_log

    limits, loggers, formats = (
        resources.resources(),
        checked_log(listed(run.log or "")),
        run.formats(),
    )
    opened = plan.open()
    show_tables(next(iter(sets.values())) for sets in opened.tables.values())
    progress = output().progress
    train = lambda: opened.run(limits, progress, loggers)
    if code := run_study(opened.directory, train, opened.models):
        return code
    _show(opened.result(formats))
    return 0


def _show(outcome: SettingsOutcome) -> None:
    """Print the tables of a study, and the paths of its folder and report."""
    from grad_ext.cli.studies import counts
    from grad_ext.report.findings import lambdas, models
    from grad_ext.report.sentences import sentences
    from grad_ext.report.statistics.models import by_lambda
    from grad_ext.report.tables import (
        CASE,
        by_curve,
        majorities,
        names_text,
        saturating_strengths,
    )
    from grad_ext.report.text_tables.models import row_lines, settings_lines
    from grad_ext.sweeps.folder import StudyDirectory

    out = output()
    if outcome.curve:
        first = outcome.frame.iloc[-1]
        attributes = names_text(first["protected"])
        title = f"{first['method']} on {first['dataset']}, protected: {attributes}"
        for name, rows in by_curve(outcome.frame, outcome.curves):
            out.table(f"{title}, {name}" if name else title, *row_lines(by_lambda(rows)))
        strengths = saturating_strengths(StudyDirectory.read(outcome.folder).records())
        data = outcome.frame.assign(saturating_strength=strengths), outcome.curves
        texts = sentences([*lambdas.findings(*data), *lambdas.caveats(*data)])
    else:
        # The result of a search is its Pareto front; results.csv has the other points.
        for (dataset, protected), rows in outcome.main_points.groupby(CASE, sort=True):
            title = f"{dataset}, protected: {names_text(protected)}"
            out.table(title, *settings_lines(rows, outcome.varied, outcome.objectives))
        texts = [f"{MEANS} {text}" for text in sentences([models.frontier_size(outcome)])]
    out.sentences(texts)
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
            "sentences": texts,
        }
    )
