"""Can the protected attribute still be read off? For every attribute, source and probe."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from numbers import Integral
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from grad_ext.auditing.probes import PROBES, labels_of_units, read
from grad_ext.auditing.sources import Subject, subject
from grad_ext.data.sensitive import MOST_GROUPS, attributes_of, crossed
from grad_ext.errors import InputError, unknown
from grad_ext.report.figures.audit import audit_figure
from grad_ext.report.findings.audit import leakage
from grad_ext.report.sentences import sentences
from grad_ext.report.text_tables.audit import audit_lines
from grad_ext.seeds import derive

if TYPE_CHECKING:
    from matplotlib.figure import Figure

Ints = NDArray[np.intp]

LEVEL = 0.95
FOLDS = 5


@dataclass(frozen=True)
class Audit:
    """What can be read off what.

    Attributes
    ----------
    table : pandas.DataFrame
        A row for every attribute, source and probe: ``attribute``, ``source``, ``probe``,
        ``balanced_accuracy`` and ``auc`` with the ends of their intervals (``_low``, ``_high``);
        ``majority``, the largest group's share, and ``majority_balanced_accuracy``, what naming
        that group for everybody gets (its AUC is 0.5); ``groups`` and ``rows``, how many there are.
    notes : tuple of str
        What was left out, what is constant, and how good the labels are.
    """

    table: pd.DataFrame
    notes: tuple[str, ...]

    def words(self) -> list[str]:
        """Return the findings as sentences, one for every attribute, and the notes.

        The probe with the higher AUC counts. A source gives an attribute away if the whole interval
        of that AUC lies above 0.5.
        """
        return [*sentences(leakage(self.table)), *self.notes]

    def lines(self) -> tuple[list[str], list[list[str]]]:
        """Return the heading and the lines of the table as text, a line an attribute and source."""
        return audit_lines(self.table)

    def figure(self, title: str = "What can be read off") -> Figure:
        """Return the one picture: AUC and balanced accuracy with their intervals."""
        return audit_figure(self.table, title)

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
) -> Audit:
    """Try to read protected attributes off a model, with probes that it has never met.

    A logistic regression and a gradient-boosted ensemble are trained to tell the groups apart, from
    the features (the reference), and from the model's representation, scores and labels; and judged
    on rows held out, by cross-validation. That a probe fails does not prove that no other would
    succeed.

    Parameters
    ----------
    model_or_representation : estimator, array or mapping
        A fitted model: an estimator of grad-ext, scikit-learn or Fairlearn, or with a
        BinaryLabelDataset for `X` an algorithm of AIF360. Its ``transform`` or a GRAD network's
        trunk is the representation, ``predict_proba`` or ``decision_function`` the scores,
        ``predict`` the labels (a regressor's numbers are scores). Or the representation itself,
        shape (N, H). Or scores, shape (N,): within [0, 1] the labels are those of at least 0.5.
        Or arrays by names of your own; labels have names that begin with "labels".
    X : array or frame of shape (N, D), BinaryLabelDataset or None
        The rows: best ones that the model was not trained on. The features are these columns as
        they are given, so leave the protected ones out; of a BinaryLabelDataset they are taken out.
        None with arrays: there is no reference then.
    sensitive_features : array, Series, frame, list or mapping, of N rows
        A column an attribute; rows where it is missing do not count for it. A BinaryLabelDataset's
        own attributes if not given.
    y : array of shape (N,), optional
        True labels: the notes then say how good the predicted ones are. A BinaryLabelDataset's own
        if not given.
    continuous : sequence of str, optional
        Attributes that are numbers; as floats with fractions of more than two values, they are cut
        at the median.
    intersections : bool, default True
        Also look for the combination of all attributes, if there are two or more.
    folds : int, default 5
        Parts of the cross-validation. A group of fewer units than that is left out.
    groups : array of shape (N,), optional
        The unit of each row (its patient) where rows are not independent: all of a unit's rows are
        in one fold, and the intervals are those of units.
    level : float, default 0.95
        Confidence level of the intervals.
    seed : int, default 0
        Of the folds and of the ensembles.
    sources : sequence of str, optional
        Which sources to read from, such as "representation"; all of them if not given.

    Returns
    -------
    Audit
        Table, picture and words.

    Raises
    ------
    InputError
        Before any probe is trained: if lengths differ, a source has missing values, an attribute
        has fewer than two groups that are large enough, or an option makes no sense.

    Examples
    --------
    >>> import numpy as np
    >>> from grad_ext import audit
    >>> sex = np.arange(200) % 2
    >>> representation = np.random.default_rng(0).normal(size=(200, 3))
    >>> representation[:, 0] += 2 * sex
    >>> found = audit(representation, None, {"sex": sex})
    >>> found.words()[0].split("; ")[1]
    'it can be read off the representation.'
    """
    _check_options(folds, level, seed)
    given = subject(model_or_representation, X, sensitive_features, y, seed)
    chosen = _chosen(given, sources)
    units = _units(groups, len(given.sensitive))
    columns, notes = _columns(given.sensitive, continuous, intersections, units, folds)
    notes += [*_constants(given, chosen), *_merits(given, chosen)]
    rows = []
    for name, codes in columns.items():
        there = codes >= 0
        known, unit = codes[there], np.unique(units[there], return_inverse=True)[1]
        share = np.bincount(known).max() / len(known)
        count = int(known.max()) + 1
        for source in chosen:
            X_source = given.sources[source][there]
            found = read(X_source, known, unit, folds, level, derive(seed, "audit", name))
            for probe in PROBES:
                balanced, area = found[probe]
                rows.append(
                    {
                        "attribute": name,
                        "source": source,
                        "probe": probe,
                        "balanced_accuracy": balanced.value,
                        "balanced_accuracy_low": balanced.low,
                        "balanced_accuracy_high": balanced.high,
                        "auc": area.value,
                        "auc_low": area.low,
                        "auc_high": area.high,
                        "majority": share,
                        "majority_balanced_accuracy": 1.0 / count,
                        "groups": count,
                        "rows": len(known),
                    }
                )
    return Audit(pd.DataFrame(rows), tuple(notes))


def _check_options(folds: int, level: float, seed: int) -> None:
    if not isinstance(folds, Integral) or isinstance(folds, bool) or folds < 2:
        raise InputError(f"folds: expected a whole number of at least 2, got {folds!r}")
    if not 0 < level < 1:
        raise InputError(f"level: expected a number between 0 and 1, got {level!r}")
    if not isinstance(seed, Integral) or isinstance(seed, bool):
        raise InputError(f"seed: expected a whole number, got {seed!r}")


def _chosen(given: Subject, sources: Sequence[str] | None) -> list[str]:
    if isinstance(sources, str):
        raise InputError(f"sources must be a list of names, got the string {sources!r}")
    chosen = list(given.sources) if sources is None else list(sources)
    for name in chosen:
        if name not in given.sources:
            raise unknown("source", name, given.sources)
    if not chosen:
        raise InputError("sources: expected at least one, got none")
    return chosen


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
    """Return each row's group by attribute, -1 where it has none, and what was left out."""
    if isinstance(continuous, str):
        raise InputError(f"continuous must be a list of names, got the string {continuous!r}")
    frame = pd.DataFrame(index=sensitive.index)
    for attribute in attributes_of(sensitive, continuous):
        column = sensitive[attribute.name]
        if attribute.levels is None:
            column = _cut(pd.Series(attribute.numbers(column), name=attribute.name))
        frame[column.name] = column
    columns, notes = {}, []
    for name in frame:
        columns[str(name)], left = _codes(frame[name], units, folds)
        notes += left
        if columns[str(name)].max() < 1:
            raise InputError(
                f"sensitive feature {str(name)!r}: expected at least two groups with at least "
                f"{folds} {_noun(units)} each, one for each fold, got "
                f"{frame[name].value_counts().to_dict()}"
            )
    if intersections and len(frame.columns) > 1:
        joint = crossed(frame)
        name = str(joint.columns[0])
        codes, left = _codes(joint[name], units, folds)
        count = codes.max() + 1
        if 2 <= count <= MOST_GROUPS:
            columns[name] = codes
            notes += left
        else:
            notes.append(
                f"{name} was not looked for: it has {count} groups of at least {folds} "
                f"{_noun(units)}, expected 2 to {MOST_GROUPS}."
            )
    return columns, notes


def _cut(numbers: pd.Series) -> pd.Series:
    """Return whether numbers are above their median, missing where they are."""
    median = numbers.median()
    above = numbers > median
    name = f"{numbers.name} above its median {median:g}"
    if not above.any():
        above = numbers >= median
        name = f"{numbers.name} at least its median {median:g}"
    return above.astype(object).where(numbers.notna(), None).rename(name)


def _codes(column: pd.Series, units: Ints, folds: int) -> tuple[Ints, list[str]]:
    """Return the number of each row's group, -1 for none, and a note on those too small."""
    values = column.astype(object)
    levels = sorted(values.dropna().unique(), key=lambda v: (str(type(v)), v))
    codes = pd.Index(levels, dtype=object).get_indexer(pd.Index(values, dtype=object))
    there = codes >= 0
    if not there.any():
        return codes, []
    unit = np.unique(units[there], return_inverse=True)[1]
    enough = np.bincount(labels_of_units(codes[there], unit), minlength=len(levels)) >= folds
    renumbered = np.append(np.where(enough, np.cumsum(enough) - 1, -1), -1)
    small = [
        f"{level} ({rows})"
        for level, rows, kept in zip(levels, np.bincount(codes[there]), enough, strict=True)
        if not kept
    ]
    note = (
        f"{column.name}: groups of fewer than {folds} {_noun(units)} were left out: "
        f"{', '.join(small)}."
    )
    return renumbered[codes], [note] if small else []


def _noun(units: Ints) -> str:
    return "rows" if units.max() == len(units) - 1 else "units"


def _constants(given: Subject, chosen: Sequence[str]) -> list[str]:
    return [
        f"The {name} are the same for everybody, so nothing can be read off them; that is no "
        "achievement."
        for name in chosen
        if (given.sources[name] == given.sources[name][0]).all()
    ]


def _merits(given: Subject, chosen: Sequence[str]) -> list[str]:
    """Return how good the labels are, beside the majority class."""
    y = given.y
    if y is None:
        return []
    codes, classes = pd.factorize(y)
    sizes = np.bincount(codes)
    said = []
    for name in [name for name in chosen if name in given.labels]:
        right = given.labels[name] == y
        if not pd.Series(given.labels[name]).isin(classes).any():
            raise InputError(
                f"y: expected labels such as those predicted, {given.labels[name][0]!r}, "
                f"got {y[0]!r}"
            )
        balanced = (np.bincount(codes, right) / sizes).mean()
        said.append(
            f"The {name} are right for {right.mean():.3f} of the rows (balanced accuracy "
            f"{balanced:.3f}); the majority class for everybody is right for "
            f"{sizes.max() / len(y):.3f} (balanced accuracy {1 / len(classes):.3f})."
        )
    return said
