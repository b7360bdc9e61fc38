"""`grad-ext reproduce`: the paper's tables and its figure, beside what the same models do here."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from grad_ext.cli import complete
from grad_ext.cli.output import AsJson, Quiet, output
from grad_ext.cli.sweep import Address, GpusPerPack, NumCpus, PackSize, StorageUri
from grad_ext.errors import InputError, unknown


def _split(text: str | None) -> tuple[str, ...]:
    return tuple(part.strip() for part in (text or "").split(",") if part.strip())


def _attributes(options: list[str] | None) -> dict[str, tuple[str, ...]]:
    chosen = {}
    for option in options or []:
        dataset, _, names = option.partition("=")
        if not _split(names):
            raise InputError(f"--protected: expected something like german=sex, got {option!r}")
        chosen[dataset.strip()] = _split(names)
    return chosen


def reproduce(
    table: Annotated[
        str, typer.Argument(autocompletion=complete.tables, help="table1, table2 or figure2.")
    ],
    datasets: Annotated[
        str | None,
        typer.Option(
            autocompletion=complete.datasets,
            help="Only these data sets, separated by commas; by default all that are there.",
        ),
    ] = None,
    seeds: Annotated[int, typer.Option(help="Models for each line, with seeds 0, 1, 2 ...")] = 10,
    recipes: Annotated[
        str | None,
        typer.Option(
            autocompletion=complete.recipes,
            help="Training recipes, separated by commas; by default all.",
        ),
    ] = None,
    epochs: Annotated[
        int | None, typer.Option(help="Passes over the training rows; the recipe's by default.")
    ] = None,
    protected: Annotated[
        list[str] | None,
        typer.Option(help="Protect other attributes, such as german=sex; may be given repeatedly."),
    ] = None,
    prediction: Annotated[
        str, typer.Option(help="What ŷ is in the metrics: label or score.")
    ] = "label",
    k: Annotated[int, typer.Option(help="Neighbours in Consistency.")] = 5,
    data_dir: Annotated[
        Path | None,
        typer.Option(
            help="Folder with the files of Diabetes or Health; by default that of GRAD_EXT_DATA_DIR."
        ),
    ] = None,
    out: Annotated[
        Path | None, typer.Option(help="Folder of the study; by default one below studies/.")
    ] = None,
    num_cpus: NumCpus = None,
    pack_size: PackSize = None,
    gpus_per_pack: GpusPerPack = 0.0,
    address: Address = None,
    storage: StorageUri = None,
    format: Annotated[
        str,
        typer.Option(
            autocompletion=complete.formats,
            help="Formats of figure2's pictures, separated by commas: png, svg, pdf.",
        ),
    ] = "png,svg",
    as_json: AsJson = False,
    quiet: Quiet = False,
) -> int:
    """Run the models of the paper's tables that are ours, and set them beside the published figures.

    The same command run again does only what is missing; more seeds, data sets or recipes extend
    the study.

    Example: grad-ext reproduce table1 --datasets german --seeds 3
    """
    given = locals()
    from grad_ext.cli.studies import carry_out, counts, formats_of, resources_of
    from grad_ext.data import load_dataset
    from grad_ext.data.split import split
    from grad_ext.evaluation import EvaluationConfig, prepare
    from grad_ext.files import cache_folder
    from grad_ext.report.findings import reproduction
    from grad_ext.report.published import TABLES
    from grad_ext.report.sentences import sentences
    from grad_ext.report.statistics.reproduction import lines
    from grad_ext.report.statistics.settings import by_settings
    from grad_ext.report.tables import majorities, names_text
    from grad_ext.report.text_tables.reproduction import paper_lines
    from grad_ext.sweeps.folder import StudyDirectory, default_folder
    from grad_ext.sweeps.run.tune import run
    from grad_ext.sweeps.studies.reproduction import OTHERS, Reproduction, framed, judged, written
    from grad_ext.training.settings import RECIPES

    formats = formats_of(format)
    asked = Reproduction(
        table=table,
        seeds=seeds,
        recipes=_split(recipes) or RECIPES,
        evaluation=EvaluationConfig(prediction=prediction, k=k),
        protected=_attributes(protected),
        epochs=epochs,
    )
    resources = resources_of(given)
    for name in _split(datasets):
        if name not in asked.datasets:
            raise unknown("data set", name, asked.datasets, table)
    wanted, there, missing = _split(datasets) or asked.datasets, [], []
    for name in wanted:
        try:
            load_dataset(name, asked.attributes(name), data_dir)
            there.append(name)
        except InputError as error:
            if datasets or len(wanted) == 1:
                raise
            missing.append(f"{name} was not run: {error}")
    trials = asked.trials(there)
    encoded_splits = {}
    for trial in trials:
        if trial.rows not in encoded_splits:
            rows = load_dataset(trial.dataset, [*trial.protected, *trial.watched], data_dir).known()
            cut = split(rows, trial.split_seed, folder=cache_folder("splits"))
            encoded_splits[trial.rows] = prepare(cut, trial.settings, asked.evaluation, OTHERS)
    about = asked.about()
    study = StudyDirectory.open(out or default_folder(about), trials, about)
    shown = output().progress
    if stopped := carry_out(study, lambda: run(study, encoded_splits, resources, shown)):
        return stopped
    study.note({"missing": missing, "protected": {k: list(v) for k, v in asked.protected.items()}})
    frame = framed(study)
    result = output()
    if table == "figure2":
        body = by_settings(frame, ("recipe", "lam"))
        said = [*missing, *sentences(reproduction.insensitivity(frame))]
    else:
        lines_of = judged(study)
        body = lines(frame, TABLES[table], lines_of)
        for (dataset, attributes), group in body.groupby(["dataset", "attributes"], sort=False):
            heading = f"{dataset}, judged by {names_text(attributes)}"
            result.table(heading, *paper_lines(group))
        constant = reproduction.constant_lines(frame, TABLES[table], lines_of)
        found = [*reproduction.tally(frame), *reproduction.claims(frame), *constant]
        said = [*missing, *sentences([*found, *reproduction.shared_splits(frame)])]
    result.sentences(said)
    page = written(study, formats)
    result.line("")
    result.paths({"Study folder": study.folder, "Report": page})
    result.document(
        {
            "study": study.folder,
            "report": page,
            **counts(study),
            "rows": body,
            "majority": majorities(frame),
            "sentences": said,
        }
    )
    return 0
