"""The options of the command line: each is written once, in a group that commands share.

A group turns its options into an object of the library: a table, settings, an evaluation, resources.
"""

from __future__ import annotations

from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from grad_ext.cli import complete
from grad_ext.cli.groups import Options
from grad_ext.constraints import CONSTRAINTS, DEFAULT_CONSTRAINT
from grad_ext.errors import InputError
from grad_ext.training.settings import Settings

if TYPE_CHECKING:
    from grad_ext.data.table import Table
    from grad_ext.evaluation import EvaluationConfig
    from grad_ext.sweeps.run.resources import Resources

DEFAULT_DATASET = "german"


DataDir = Annotated[
    Path | None,
    typer.Option(
        help="Folder with the files of data sets that are not in the package; by default the one "
        "that the variable GRAD_EXT_DATA_DIR names.",
        show_default=False,
    ),
]
Protocol = Annotated[
    str,
    typer.Option(
        help="How rows are split: auto, random, source (Adult's own test set) or grouped."
    ),
]
NumCpus = Annotated[
    int | None, typer.Option(help="Number of CPUs, with one process each; all by default.")
]
Engine = Annotated[
    str,
    typer.Option(
        autocompletion=complete.engine,
        help="What runs the models: local (processes of this machine) or ray; auto is ray with GPUs, "
        "a cluster, a storage or a search, and local otherwise. The results are the same.",
    ),
]
Format = Annotated[
    str,
    typer.Option(
        autocompletion=complete.formats,
        help="Formats of the figures, comma-separated: png, svg, pdf.",
    ),
]
FORMATS = "png,svg"
ModelFile = Annotated[
    Path,
    typer.Argument(help="File of a saved model (fit, train, or `save`).", show_default=False),
]
RowsFile = Annotated[
    Path | None,
    typer.Argument(
        metavar="[DATA]",
        help="File with the rows, as --data; by default the data set that the model was trained on.",
        show_default=False,
    ),
]
RowsOption = Annotated[
    str,
    typer.Option(
        help="Rows to evaluate on: test (the test set of the data that the model was trained on; all "
        "rows of another file), or all, training rows included."
    ),
]


def figure_formats(text: str) -> tuple[str, ...]:
    """Return the formats that `--format` lists.

    Raises
    ------
    InputError
        If there is no such format.
    """
    from grad_ext.data.lists import listed
    from grad_ext.report.figures.style import checked_formats

    return tuple(checked_formats(listed(text)))


@dataclass(frozen=True, kw_only=True)
class FileOptions(Options):
    """A file of the user's in place of a named data set."""

    panel = "Your own file"

    data: Annotated[
        Path | None,
        typer.Option(help="A file to use instead of a data set: CSV, TSV, Parquet, also packed."),
    ] = None
    label: Annotated[
        str | None, typer.Option(help="Label column of the file, or a condition: income>50000.")
    ] = None
    favorable: Annotated[
        str | None,
        typer.Option(
            help="Favorable value of the label, several as a|b, or a bound: >=10; 1 if the labels are "
            "0 and 1."
        ),
    ] = None
    continuous: Annotated[
        str | None,
        typer.Option(help="Protected columns that hold numbers, not groups; comma-separated."),
    ] = None
    features: Annotated[
        str | None,
        typer.Option(help="Feature columns, comma-separated; all other columns by default."),
    ] = None
    drop: Annotated[str | None, typer.Option(help="Columns to ignore, comma-separated.")] = None
    weights: Annotated[str | None, typer.Option(help="Column with sample weights.")] = None
    groups: Annotated[
        str | None,
        typer.Option(help="Column with the unit, such as the patient, that each row belongs to."),
    ] = None
    missing: Annotated[
        str | None,
        typer.Option(
            help="Missing features: use (encode them), drop (the rows) or error; use by default."
        ),
    ] = None
    missing_values: Annotated[
        str | None,
        typer.Option(
            help="Texts that stand for a missing value, comma-separated, besides blanks, ?, NA and -."
        ),
    ] = None
    sep: Annotated[
        str | None,
        typer.Option(
            help="Separator of the fields: a character, tab or space; by default the one of comma, "
            "semicolon, tab and pipe that the file uses."
        ),
    ] = None
    encoding: Annotated[
        str | None, typer.Option(help="Encoding of the file, such as cp1252; UTF-8 by default.")
    ] = None

    def columns(self) -> dict[str, Any]:
        """Return the options that are given, with lists of columns as lists."""
        from grad_ext.data.lists import listed
        from grad_ext.data.options import LIST_OPTIONS

        return {
            name: listed(value) if name in LIST_OPTIONS else value
            for name, value in asdict(self).items()
            if value is not None
        }

    def described(self, dataset: str | None = None) -> dict[str, Any] | None:
        """Return the file as `StudyPlan` takes it in `data`; None if no file is named.

        Raises
        ------
        InputError
            If a data set is named too, or the file is described but not named.
        """
        columns = self.columns()
        if self.data is None:
            if columns:
                raise InputError(
                    f"--{next(iter(columns)).replace('_', '-')} belongs to a file of your own: name it "
                    "with --data"
                )
            return None
        if dataset is not None:
            raise InputError(f"expected --dataset or --data, got both: {dataset} and {self.data}")
        del columns["data"]
        return columns | {"path": str(self.data)}


@dataclass(frozen=True, kw_only=True)
class DatasetOptions(Options):
    """One data set, and the attributes to protect."""

    panel = "Data set"

    dataset: Annotated[
        str | None,
        typer.Option(
            autocompletion=complete.dataset,
            help=f"Data set, see `grad-ext data list`; {DEFAULT_DATASET} if no file is named.",
        ),
    ] = None
    protected: Annotated[
        str | None,
        typer.Option(
            help="Protected attributes, comma-separated; the data set's first one by default."
        ),
    ] = None
    data_dir: DataDir = None

    def table(self, file: FileOptions) -> Table:
        """Return the table of the data set or of the user's file.

        Raises
        ------
        InputError
            If the options contradict each other, or the table cannot be loaded.
        """
        from grad_ext.data.lists import listed
        from grad_ext.data.options import table_from_options

        named = self.dataset is not None or file.data is not None
        return table_from_options(
            self.dataset if named else DEFAULT_DATASET,
            listed(self.protected),
            data_dir=self.data_dir,
            **file.columns(),
        )


def model_rows(
    model: Any,
    path: Path | None,
    data: DatasetOptions,
    file: FileOptions,
    split: SplitOptions,
    rows: str,
) -> dict[str, Any]:
    """Return the rows to evaluate a model on, as `grad_ext.models.workflow.rows_for_model` takes them.

    Parameters
    ----------
    model : estimator
        A fitted model; one that does not record its training data is evaluated on the default data
        set if no other is named.
    path : path, optional
        A file, or the name of a data set.
    data, file, split
        The options.
    rows : str
        Which rows: test or all.

    Raises
    ------
    InputError
        If the options name no data, several, or describe a file that they do not name.
    """
    from grad_ext.data.catalog import known_data_set
    from grad_ext.data.lists import listed

    roles = file.columns()
    given = [one for one in (path, roles.pop("data", None), data.dataset) if one is not None]
    if len(given) > 1:
        raise InputError(f"expected one file or data set, got {' and '.join(map(str, given))}")
    trained = getattr(model, "training_data_", None)
    if not given and trained is None:
        given = [DEFAULT_DATASET]
    named: Any = given[0] if given else None
    if isinstance(named, Path) and not named.exists() and known_data_set(str(named)) is not None:
        named = str(named)
    own = trained is not None and not trained.catalogued
    catalogued = isinstance(named, str) or (named is None and not own)
    if roles and catalogued:
        option = next(iter(roles)).replace("_", "-")
        raise InputError(f"--{option} belongs to a file of your own: name it with --data")
    return {
        "data": named,
        "rows": rows,
        "split_seed": split.split_seed,
        "protocol": split.protocol,
        "data_dir": data.data_dir,
        "protected": listed(data.protected),
        **roles,
    }


@dataclass(frozen=True, kw_only=True)
class StudyDatasetOptions(Options):
    """The data sets of a study, and the sets of attributes to protect."""

    panel = "Data set"

    dataset: Annotated[
        str | None,
        typer.Option(
            autocompletion=complete.datasets,
            help="Data sets, comma-separated, see `grad-ext data list`; "
            f"{DEFAULT_DATASET} if no file is named.",
        ),
    ] = None
    protected: Annotated[
        list[str] | None,
        typer.Option(
            help="Protected attributes, comma-separated; the data set's first one by default. "
            "Repeat the option for several sets, each with its own models. With several data sets, "
            "german=age is for one of them."
        ),
    ] = None
    data_dir: DataDir = None

    def names(self) -> list[str]:
        """Return the names of the data sets."""
        from grad_ext.data.lists import listed

        return listed(self.dataset or DEFAULT_DATASET)

    def protected_sets(
        self, of_file: bool = False
    ) -> list[list[str]] | dict[str, list[list[str]]] | None:
        """Return the sets of attributes, by data set where the options name one.

        Parameters
        ----------
        of_file : bool, default False
            Whether they are those of a file, for which sex=Male is a condition.

        Raises
        ------
        InputError
            If only some of the options name a data set.
        """
        from grad_ext.data.lists import listed

        if not self.protected:
            return None
        named = ["=" in option for option in self.protected]
        if of_file or not any(named):
            return [listed(option) for option in self.protected]
        if not all(named):
            raise InputError(
                "--protected: name the data set in all of them, such as german=age, or in none, got "
                f"{' and '.join(self.protected)}"
            )
        sets: dict[str, list[list[str]]] = {}
        for option in self.protected:
            dataset, _, names = option.partition("=")
            sets.setdefault(dataset.strip(), []).append(listed(names))
        return sets


@dataclass(frozen=True, kw_only=True)
class TrainingOptions(Options):
    """How GRAD is trained; what is not given is the recipe's."""

    panel = "Training"

    recipe: Annotated[
        str | None,
        typer.Option(
            autocompletion=complete.recipes,
            help="Training recipe: paper (exactly as published), steady, or smooth; "
            f"{Settings.recipe} by default.",
        ),
    ] = None
    constraint: Annotated[
        str | None,
        typer.Option(
            autocompletion=complete.constraints,
            help="Fairness constraint, by the rows on which predictions must not depend on the group: "
            + ", ".join(f"{name} ({each.summary})" for name, each in CONSTRAINTS.items())
            + f"; {DEFAULT_CONSTRAINT} by default.",
        ),
    ] = None
    epochs: Annotated[
        int | None, typer.Option(help="Number of training epochs; the recipe's by default.")
    ] = None
    checkpoint: Annotated[
        str | None,
        typer.Option(
            autocompletion=complete.rules,
            help="Rule that selects the epoch: paper, delta, balanced_delta, last, or accuracy@0.05 "
            "(highest accuracy with a Discrimination of at most 0.05); the recipe's by default.",
        ),
    ] = None
    variant: Annotated[
        str | None,
        typer.Option(
            autocompletion=complete.variants,
            help="What the target branch predicts: pred (the label, the default) or auto (the "
            "features).",
        ),
    ] = None

    def given(self) -> dict[str, Any]:
        """Return the settings that are given, by name."""
        return {name: value for name, value in asdict(self).items() if value is not None}


@dataclass(frozen=True, kw_only=True)
class BoundOptions(Options):
    """How unequal a model may be, and how many are averaged."""

    panel = "Bound"

    bound: Annotated[
        list[str] | None,
        typer.Option(
            help="The largest gap between the groups, such as 0.02, or sex=0.02 for one attribute: λ "
            "and the threshold are chosen on rows that no model learned from. Repeatable."
        ),
    ] = None
    objective: Annotated[
        str,
        typer.Option(
            help="What is best within the bound: accuracy, balanced_accuracy or roc_auc (the gap is "
            "then the largest over all thresholds)."
        ),
    ] = "accuracy"
    ensemble: Annotated[
        int, typer.Option(help="Number of models whose scores are averaged into one.")
    ] = 1

    def bounds(self) -> float | dict[str, float] | None:
        """Return the bound of all attributes, of each by name, or None.

        Raises
        ------
        InputError
            If one is not a number of at least 0, or some are named and others are not.
        """
        if not self.bound:
            return None
        parts = [text.rpartition("=") for text in self.bound]
        numbers = {
            name.strip(): _bound(value, text)
            for (name, _, value), text in zip(parts, self.bound, strict=True)
        }
        if len(numbers) < len(parts) or ("" in numbers and len(numbers) > 1):
            raise InputError(
                "--bound: expected one number, or one for each attribute such as sex=0.02, got "
                f"{' and '.join(self.bound)}"
            )
        return numbers.get("", numbers)


def _bound(value: str, text: str) -> float:
    number = float("nan")
    with suppress(ValueError):
        number = float(value)
    if 0.0 <= number < float("inf"):
        return number
    raise InputError(f"--bound: expected a number of at least 0, got {text!r}")


@dataclass(frozen=True, kw_only=True)
class SplitOptions(Options):
    """How rows are split into training, validation and test set."""

    panel = "Train/test split"

    protocol: Protocol = "auto"
    split_seed: Annotated[int, typer.Option(help="Seed of the train/test split.")] = 0


@dataclass(frozen=True, kw_only=True)
class EvaluationOptions(Options):
    """How models are evaluated."""

    panel = "Evaluation"

    prediction: Annotated[
        str, typer.Option(help="Prediction that the metrics are computed on: label or score.")
    ] = "label"
    k: Annotated[int, typer.Option(help="Number of neighbours in Consistency.")] = 5

    def config(self) -> EvaluationConfig:
        """Return the evaluation as an object.

        Raises
        ------
        InputError
            If a value makes no sense.
        """
        from grad_ext.evaluation import EvaluationConfig

        return EvaluationConfig(prediction=self.prediction, k=self.k)


@dataclass(frozen=True, kw_only=True)
class AuditOptions(Options):
    """On which rows a model is audited, and by which probes."""

    panel = "Audit"

    rows: RowsOption = "test"
    folds: Annotated[
        int, typer.Option(help="Number of folds in the cross-validation of the probes.")
    ] = 5
    seed: Annotated[int, typer.Option(help="Seed of the probes, intervals and training.")] = 0


@dataclass(frozen=True, kw_only=True)
class ResourceOptions(Options):
    """What a study may use."""

    panel = "Resources"

    num_cpus: NumCpus = None
    gpus_per_pack: Annotated[
        float,
        typer.Option(help="GPUs for each pack, at most 1: 0.25 trains four packs on one GPU."),
    ] = 0.0
    address: Annotated[
        str | None,
        typer.Option(
            help="Address of a Ray cluster to train on, or auto for the one that runs on this "
            "machine."
        ),
    ] = None
    storage: Annotated[
        str | None,
        typer.Option(
            help="URI of a folder that all nodes of the cluster can access, such as "
            "s3://bucket/study; needed if they do not share the study's folder."
        ),
    ] = None
    engine: Engine = "auto"

    def resources(self) -> Resources:
        """Return the resources as an object.

        Raises
        ------
        InputError
            If a value makes no sense, or this machine lacks the resource.
        """
        from grad_ext.sweeps.run.resources import Resources

        return Resources(**asdict(self))


@dataclass(frozen=True, kw_only=True)
class PackOptions(ResourceOptions):
    """What a study may use whose models are trained in packs."""

    pack_size: Annotated[
        str | None,
        typer.Option(
            help="Maximum number of models trained as one pack, or auto: as many as fit into the "
            "GPU's memory. By default 16, with GPUs auto."
        ),
    ] = None

    def resources(self) -> Resources:
        """Return the resources as an object; errors are those of `ResourceOptions.resources`."""
        from grad_ext.sweeps.run.resources import Resources

        size = self.pack_size
        number = int(size) if size is not None and size.isdecimal() else size
        return Resources(**asdict(self) | {"pack_size": number})


@dataclass(frozen=True, kw_only=True)
class StudyOutputOptions(Options):
    """Where a study is written, and its figures' formats."""

    panel = "Output"

    out: Annotated[
        Path | None, typer.Option(help="Folder of the study; by default one below studies/.")
    ] = None
    format: Format = FORMATS

    def formats(self) -> tuple[str, ...]:
        """Return the formats of the figures; errors are those of `figure_formats`."""
        return figure_formats(self.format)
