"""Measure attribute leakage: train every probe on every source to predict every attribute."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from grad_ext import checks
from grad_ext.auditing.plain import plain_representation, protects
from grad_ext.auditing.probes import PROBES, labels_of_units, probe_metrics
from grad_ext.auditing.sources import Subject, subject
from grad_ext.data.sensitive import MOST_GROUPS, attributes_of, crossed
from grad_ext.data.table import Table
from grad_ext.errors import InputError, unknown
from grad_ext.files import write_atomically
from grad_ext.metrics.bootstrap import LEVEL
from grad_ext.models.tables import audit_arguments
from grad_ext.models.workflow import split_for_model
from grad_ext.report.figures.audit import audit_figure
from grad_ext.report.figures.style import render
from grad_ext.report.findings.audit import PLAIN, leakage
from grad_ext.report.sentences import sentences
from grad_ext.report.text_tables.audit import audit_lines
from grad_ext.seeds import derive
from grad_ext.sinks import to_csv

if TYPE_CHECKING:
    from matplotlib.figure import Figure

Ints = NDArray[np.intp]

FOLDS = 5


@dataclass(frozen=True)
class Audit:
    """Attribute leakage of a model or representation.

    Attributes
    ----------
    table : pandas.DataFrame
        A row for each attribute, source and probe: ``attribute``, ``source``, ``probe``,
        ``balanced_accuracy`` and ``auc`` with the limits of their confidence intervals (``_low``,
        ``_high``); ``majority``, the share of the largest group, and
        ``majority_balanced_accuracy``, the balanced accuracy of always predicting that group (its
        AUC is 0.5); ``groups`` and ``rows``, the numbers of groups and rows.
    notes : tuple of str
        Sentences on groups that were left out, constant sources, and the accuracy of the labels.
    """

    table: pd.DataFrame
    notes: tuple[str, ...]

    def words(self) -> list[str]:
        """Return the findings as sentences, one for each attribute, and the notes.

        For each source the probe with the higher AUC is reported. A source leaks an attribute if the
        whole confidence interval of that AUC is above 0.5.
        """
        return [*sentences(leakage(self.table)), *self.notes]

    def lines(self) -> tuple[list[str], list[list[str]]]:
        """Return the heading and the lines of the table as text, a line per attribute and source."""
        return audit_lines(self.table)

    def figure(self, title: str = "Attribute leakage") -> Figure:
        """Return a figure of the AUCs and balanced accuracies with their confidence intervals."""
        return audit_figure(self.table, title)

    def write(self, folder: str | Path, title: str = "Attribute leakage") -> tuple[Path, Path]:
        """Write audit.csv, audit.png and audit.svg, and return the paths of the first two.

        Parameters
        ----------
        folder : path
            An existing folder.
        title : str
            Heading of the figure.
        """
        csv, picture = Path(folder) / "audit.csv", Path(folder) / "audit.png"
        drawn = self.figure(title)
        write_atomically(csv, to_csv(self.table))
        write_atomically(picture, render(drawn, "png"))
        write_atomically(picture.with_suffix(".svg"), render(drawn, "svg"))
        return csv, picture

    def __str__(self) -> str:
        heading, body = self.lines()
        return "\n".join(
            [pd.DataFrame(body, columns=heading).to_string(index=False), *self.words()]
        )


def audit(
    model_or_representation: Any,
    X: Any,
    sensitive_features: Any = None,
    *,
    y: ArrayLike | None = None,
    continuous: Sequence[str] = (),
    intersections: bool = True,
    folds: int = FOLDS,
    groups: ArrayLike | None = None,
    level: float = LEVEL,
    seed: int = 0,
    sources: Sequence[str] | None = None,
    plain: Any = None,
) -> Audit:
    """Measure how well protected attributes can be predicted from a model (attribute leakage).

    New classifiers, called probes, predict the attributes from the features and the plain network's
    representation (for reference) and from the model's representation, scores and labels: a logistic
    regression and gradient boosting, evaluated by cross-validation. An attribute that these probes do
    not find may still be found by a stronger one. A representation that leaks less than the features
    need not hide anything: the plain network's often leaks as little.

    Parameters
    ----------
    model_or_representation : estimator, array or mapping
        A fitted model: an estimator of grad-ext, scikit-learn or Fairlearn, or, if `X` is a
        BinaryLabelDataset, an algorithm of AIF360. The representation is the trunk's output of a GRAD
        network, else the result of ``transform``; the scores are those of ``predict_proba`` or
        ``decision_function``; the labels those of ``predict`` (of a regressor: scores). Or a
        representation, shape (N, H). Or scores, shape (N,): if all are in [0, 1], scores of at least
        0.5 are the labels. Or arrays by name; names of labels begin with "labels".
    X : array or frame of shape (N, D), BinaryLabelDataset, Table, path or None
        The rows, best ones that the model was not trained on. All columns are features, so leave the
        protected ones out; those of a BinaryLabelDataset are removed. None, with arrays only, gives
        no reference. Without `sensitive_features` also a Table, or a frame or file with the roles that
        the model was trained with (`grad_ext.fit`), whose test set is used if it is the training data.
    sensitive_features : array, Series, frame, list or mapping, of N rows
        A column for each attribute; rows without a value do not count for it. By default those of
        the BinaryLabelDataset.
    y : array of shape (N,), optional
        True labels, for a note on the accuracy of the predicted ones. By default those of the
        BinaryLabelDataset.
    continuous : sequence of str, optional
        Attributes that hold numbers; they are split at their median. So are float columns with
        fractions and more than two values.
    intersections : bool, default True
        Also predict the combination of all attributes, if there are two or more.
    folds : int, default 5
        Number of folds. Groups with fewer units are left out.
    groups : array of shape (N,), optional
        The unit of each row, such as a patient, if rows are not independent: all rows of a unit are
        in one fold, and confidence intervals are those for units.
    level : float, default 0.95
        Confidence level of the intervals.
    seed : int, default 0
        Seed of the folds and of gradient boosting.
    sources : sequence of str, optional
        Sources to predict from, such as "representation"; all by default.
    plain : estimator or array of shape (N, H), optional
        The plain network: fitted with ``lam=0`` on the training rows of the model, or its
        representation of the rows. If the roles of the columns are known and the rows are a test set,
        it is trained on the training set of their split, with the settings of the model.

    Returns
    -------
    Audit
        Table, figure and sentences.

    Raises
    ------
    InputError
        Before any probe is trained: if lengths differ, a source has missing values, an attribute
        has fewer than two groups that are large enough, or an option is not valid.

    Examples
    --------
    >>> import numpy as np
    >>> from grad_ext import audit
    >>> sex = np.arange(200) % 2
    >>> representation = np.random.default_rng(0).normal(size=(200, 3))
    >>> representation[:, 0] += 2 * sex
    >>> result = audit(representation, None, {"sex": sex})
    >>> result.table[["probe", "auc"]].round(2).values.tolist()
    [['logistic regression', 0.9], ['gradient boosting', 0.89]]
    """
    check_options(folds, seed, level)
    model = model_or_representation
    if sensitive_features is None and _has_roles(model, X):
        if y is not None or groups is not None:
            raise InputError("y and groups are columns of the rows, by their roles; leave them out")
        recorded = getattr(model, "training_data_", None) is not None
        rows_of = split_for_model(model, X, rows="test" if recorded else "all")
        table = rows_of.table
        if plain is None and rows_of.rest is not None:
            plain = plain_representation(model, rows_of.rest, table, seed)
        arguments = audit_arguments(model, table)
        return audit(
            model,
            **arguments,
            intersections=intersections,
            folds=folds,
            level=level,
            seed=seed,
            sources=sources,
            plain=plain,
        )
    given = subject(model_or_representation, X, sensitive_features, y, seed, plain)
    names = _source_names(given, sources)
    units = _units(groups, len(given.sensitive))
    columns, notes = _columns(given.sensitive, continuous, intersections, units, folds)
    if protects(model) and "representation" in names and PLAIN not in names:
        notes.append(
            "Compare the representation with that of the plain network, which is not among the sources: "
            "`plain` takes a network trained with lam=0 on the same rows."
        )
    notes += [*_constant_notes(given, names), *_accuracy_notes(given, names)]
    rows = []
    for attribute, codes in columns.items():
        known = codes >= 0
        group, unit = codes[known], np.unique(units[known], return_inverse=True)[1]
        sizes = np.bincount(group)
        for source in names:
            metrics = probe_metrics(
                given.sources[source][known],
                group,
                unit,
                folds,
                level,
                derive(seed, "audit", attribute),
            )
            for probe in PROBES:
                balanced, area = metrics[probe]
                rows.append(
                    {
                        "attribute": attribute,
                        "source": source,
                        "probe": probe,
                        "balanced_accuracy": balanced.value,
                        "balanced_accuracy_low": balanced.low,
                        "balanced_accuracy_high": balanced.high,
                        "auc": area.value,
                        "auc_low": area.low,
                        "auc_high": area.high,
                        "majority": sizes.max() / len(group),
                        "majority_balanced_accuracy": 1.0 / len(sizes),
                        "groups": len(sizes),
                        "rows": len(group),
                    }
                )
    return Audit(pd.DataFrame(rows), tuple(notes))


def _has_roles(model: Any, X: Any) -> bool:
    """Return whether rows are a table, or the model knows the roles of their columns."""
    if isinstance(X, (Table, str, Path)):
        return True
    return isinstance(X, pd.DataFrame) and getattr(model, "training_data_", None) is not None


def check_options(folds: int, seed: int, level: float = LEVEL) -> None:
    """Check the options of an audit, before data are loaded or models trained.

    Raises
    ------
    InputError
        If `folds` is not a whole number of at least 2, `seed` not a whole number, or `level` not in
        (0, 1).
    """
    checks.whole("folds", folds, 2)
    checks.whole("seed", seed)
    checks.between_0_and_1("level", level)


def _source_names(given: Subject, sources: Sequence[str] | None) -> list[str]:
    if isinstance(sources, str):
        raise InputError(f"sources must be a list of names, got the string {sources!r}")
    names = list(given.sources) if sources is None else list(sources)
    for name in names:
        if name not in given.sources:
            raise unknown("source", name, given.sources)
    if not names:
        raise InputError("sources: expected at least one, got none")
    return names


def _units(groups: ArrayLike | None, n: int) -> Ints:
    if groups is None:
        return np.arange(n)
    given = np.asarray(groups)
    if given.shape != (n,):
        raise InputError(f"groups: expected shape ({n},), got {given.shape}")
    codes = np.asarray(pd.factorize(given)[0], dtype=np.intp)
    if (codes < 0).any():
        raise InputError(f"groups: expected one for every row, {(codes < 0).sum()} are missing")
    return codes


def _columns(
    sensitive: pd.DataFrame,
    continuous: Sequence[str],
    intersections: bool,
    units: Ints,
    folds: int,
) -> tuple[dict[str, Ints], list[str]]:
    """Return the code of each row's group by attribute (-1: none), and notes on omitted groups."""
    if isinstance(continuous, str):
        raise InputError(f"continuous must be a list of names, got the string {continuous!r}")
    frame = pd.DataFrame(index=sensitive.index)
    for attribute in attributes_of(sensitive, continuous):
        column = sensitive[attribute.name]
        if attribute.levels is None:
            column = _above_median(pd.Series(attribute.numbers(column), name=attribute.name))
        frame[column.name] = column
    columns, notes = {}, []
    for name in frame:
        columns[str(name)], omitted = _codes(frame[name], units, folds)
        notes += omitted
        if columns[str(name)].max() < 1:
            raise InputError(
                f"sensitive feature {str(name)!r}: expected at least two groups with at least "
                f"{folds} {_noun(units)} each, one for each fold, got "
                f"{frame[name].value_counts().to_dict()}"
            )
    if intersections and len(frame.columns) > 1:
        joint = crossed(frame)
        name = str(joint.columns[0])
        codes, omitted = _codes(joint[name], units, folds)
        count = codes.max() + 1
        if 2 <= count <= MOST_GROUPS:
            columns[name] = codes
            notes += omitted
        else:
            notes.append(
                f"{name} was not audited: it has {count} groups of at least {folds} "
                f"{_noun(units)}, expected 2 to {MOST_GROUPS}."
            )
    return columns, notes


def _above_median(numbers: pd.Series) -> pd.Series:
    """Return whether numbers are above their median; missing numbers stay missing."""
    median = numbers.median()
    above = numbers > median
    name = f"{numbers.name} above its median {median:g}"
    if not above.any():
        above = numbers >= median
        name = f"{numbers.name} at least its median {median:g}"
    return above.astype(object).where(numbers.notna(), None).rename(name)


def _codes(column: pd.Series, units: Ints, folds: int) -> tuple[Ints, list[str]]:
    """Return the code of each row's group (-1: none), and a note on groups that are too small."""
    values = column.astype(object)
    levels = sorted(values.dropna().unique(), key=lambda v: (str(type(v)), v))
    codes = pd.Index(levels, dtype=object).get_indexer(pd.Index(values, dtype=object))
    known = codes >= 0
    if not known.any():
        return codes, []
    unit = np.unique(units[known], return_inverse=True)[1]
    enough = np.bincount(labels_of_units(codes[known], unit), minlength=len(levels)) >= folds
    renumbered = np.append(np.where(enough, np.cumsum(enough) - 1, -1), -1)
    small = [
        f"{level} ({rows})"
        for level, rows, large in zip(levels, np.bincount(codes[known]), enough, strict=True)
        if not large
    ]
    note = (
        f"{column.name}: groups of fewer than {folds} {_noun(units)} were left out: "
        f"{', '.join(small)}."
    )
    return renumbered[codes], [note] if small else []


def _noun(units: Ints) -> str:
    return "rows" if units.max() == len(units) - 1 else "units"


def _constant_notes(given: Subject, names: Sequence[str]) -> list[str]:
    """Return a note on each source that is constant."""
    return [
        f"The {name} are the same for all rows, so there is no leakage; do not use a constant model."
        for name in names
        if (given.sources[name] == given.sources[name][0]).all()
    ]


def _accuracy_notes(given: Subject, names: Sequence[str]) -> list[str]:
    """Return a note on the accuracy of each source of labels, compared with the majority class."""
    y = given.y
    if y is None:
        return []
    codes, classes = pd.factorize(y)
    sizes = np.bincount(codes)
    notes = []
    for name in [name for name in names if name in given.labels]:
        correct = given.labels[name] == y
        if not pd.Series(given.labels[name]).isin(classes).any():
            raise InputError(
                f"y: expected labels such as those predicted, {given.labels[name][0]!r}, "
                f"got {y[0]!r}"
            )
        balanced = (np.bincount(codes, correct) / sizes).mean()
        notes.append(
            f"The {name} have an accuracy of {correct.mean():.3f} (balanced accuracy "
            f"{balanced:.3f}); the majority class has {sizes.max() / len(y):.3f} "
            f"({1 / len(classes):.3f})."
        )
    return notes
