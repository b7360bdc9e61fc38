"""From the user's own data to a model, one call each: fit, evaluate, predict.

import grad_ext
model = grad_ext.fit("loans.csv", "repaid", ["ethnicity", "age>=25"], "yes")
print(model.held_out_)
model.save("model.safetensors")
grad_ext.predict_file(model, "new.csv", "scores.csv")
"""

from __future__ import annotations

import os
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import IO, Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from grad_ext.data.catalog import known_data_set
from grad_ext.data.formats import iterate_frames, known_path
from grad_ext.data.options import as_table
from grad_ext.data.scalars import Column
from grad_ext.data.split import split
from grad_ext.data.table import Table
from grad_ext.data.values import read_column
from grad_ext.errors import InputError, UnseenValuesWarning, unknown
from grad_ext.files import writing_atomically
from grad_ext.models.held_out import HeldOut, held_out
from grad_ext.models.persistence import load
from grad_ext.models.sklearn import GRADClassifier, GRADRegressor
from grad_ext.models.tables import group_frame
from grad_ext.models.training_data import TrainingData
from grad_ext.sinks import to_csv

# Rows that are read, predicted and written at once.
BLOCK = 50_000
ROWS = ("test", "all")
# Parameters of the estimator that the roles of the columns decide.
OF_ROLES = ("missing", "continuous", "prot_attr", "validation")


def fit(
    data: Any,
    label: str | None = None,
    protected: Any = None,
    favorable: Any = None,
    *,
    continuous: Sequence[str] | None = None,
    features: Sequence[str] | None = None,
    drop: Sequence[str] | None = None,
    weights: str | None = None,
    groups: str | None = None,
    missing: str | None = None,
    missing_values: Sequence[str] | None = None,
    sep: str | None = None,
    file_encoding: str | None = None,
    data_dir: str | Path | None = None,
    split_seed: int = 0,
    protocol: str = "auto",
    random_state: int = 0,
    **parameters: Any,
) -> GRADClassifier:
    """Train one model on your own data, and evaluate it on rows that were held out.

    The rows are split as in studies: a fifth is the test set, a fifth of the rest the validation set.
    The model is trained on what remains, and its metrics on the test set are in `held_out_`: it is
    the very model that they are about, and not trained again on all rows.

    Parameters
    ----------
    data : path, DataFrame, Table or str
        A file, a frame, a table, or the name of a data set.
    label, protected, favorable, continuous, features, drop, weights, groups, missing, missing_values, sep
        The roles of the columns: see `grad_ext.load_table`.
    file_encoding : str, optional
        The file's encoding, as `encoding` of `grad_ext.load_table`.
    data_dir : path, optional
        As for `grad_ext.load_dataset`.
    split_seed, protocol
        As for `grad_ext.data.split.split`.
    random_state : int, default 0
        Seed of the training.
    **parameters
        Parameters of `grad_ext.GRADClassifier`, such as `lam` and `recipe`.

    Returns
    -------
    GRADClassifier
        The fitted model. It predicts the labels in the words of the data: `classes_` has the
        unfavorable and the favorable one, in this order. ``training_data_`` is what it was trained on
        (`grad_ext.models.training_data.TrainingData`), ``held_out_`` its metrics
        (`grad_ext.models.held_out.HeldOut`).

    Raises
    ------
    InputError
        If the data cannot be read, a parameter is unknown or not usable, or training diverged.

    Warns
    -----
    ConstantPredictionWarning
        If the model predicts the same label for all rows; `NearlyConstantWarning`, a subclass, if its
        labels are as good as constant.

    Examples
    --------
    >>> import grad_ext
    >>> model = grad_ext.fit("german", protected=["age"], epochs=2, lam=1)
    >>> model.training_data_.training, float(model.held_out_.metrics.loc["accuracy", "majority"])
    (640, 0.7)
    """
    known = {field.name for field in fields(GRADClassifier)} - {*OF_ROLES, "random_state"}
    for name in parameters:
        if name not in known:
            raise InputError(
                f"unknown parameter {name!r}: expected one of {', '.join(sorted(known))}"
            )
    table = as_table(
        data,
        label,
        protected,
        favorable,
        continuous=continuous,
        features=features,
        drop=drop,
        weights=weights,
        groups=groups,
        missing=missing,
        missing_values=missing_values,
        sep=sep,
        encoding=file_encoding,
        data_dir=data_dir,
    )
    return fit_table(table, split_seed, protocol, random_state=random_state, **parameters)


def fit_table(
    table: Table, split_seed: int = 0, protocol: str = "auto", **parameters: Any
) -> GRADClassifier:
    """Train one model on a table; parameters and errors are those of `fit`."""
    parts = split(table, split_seed, protocol)
    trained = TrainingData.of(table, parts, split_seed, protocol)
    words = {trained.unfavorable: 0, trained.favorable: 1}
    weights = parameters.get("class_weight")
    coded = _coded(weights, words) if isinstance(weights, Mapping) else weights
    continuous = tuple(attribute.name for attribute in table.protected if attribute.continuous)
    model = GRADClassifier(**{**parameters, "continuous": continuous, "class_weight": coded})
    names = trained.names_by_attribute
    # As 0 and 1, so that the favorable label is the second whatever it is called.
    X, y, sensitive, w = _rows(parts.train, names)
    model.fit(
        X,
        y,
        sensitive_features=sensitive,
        sample_weight=w,
        validation=_rows(parts.valid, names)[:3],
    )
    model.class_weight = weights
    model.classes_ = np.array([*words])
    model.training_data_ = trained
    model.held_out_ = held_out(model, parts.test, _test_set(table.name, trained))
    return model


def _rows(part: Table, names: Mapping[str, Sequence[str]]) -> tuple[Any, ...]:
    """Return features, labels of 0 and 1, groups and weights of a part of a table."""
    w = part.w()
    weights = None if (w == 1.0).all() else w
    return part.inputs(), part.y().astype(np.int64), group_frame(part, names), weights


def _coded(weights: Mapping[Any, float], words: Mapping[Any, int]) -> dict[int, float]:
    for word in weights:
        if word not in words:
            raise InputError(f"class_weight: expected labels among {[*words]}, got {word!r}")
    return {words[word]: weight for word, weight in weights.items()}


def _test_set(name: str, trained: TrainingData) -> str:
    return f"the test set of {name} ({trained.test:,} of {trained.rows:,} rows)"


# --- evaluation ------------------------------------------------------------------------------


def evaluate_model(
    model: Any,
    data: Any = None,
    *,
    rows: str = "test",
    split_seed: int = 0,
    protocol: str = "auto",
    seed: int = 0,
    **roles: Any,
) -> HeldOut:
    """Return the metrics of a fitted model, overall and by group.

    Parameters
    ----------
    model : estimator or path
        A fitted model that predicts labels, or the file of a saved one.
    data, rows, split_seed, protocol, **roles
        The rows: see `rows_for_model`.
    seed : int, default 0
        Seed of the intervals.

    Raises
    ------
    InputError
        As `rows_for_model`, and if the model does not predict labels.

    Examples
    --------
    >>> import grad_ext
    >>> model = grad_ext.fit("german", protected=["age"], epochs=2, lam=1)
    >>> print(grad_ext.evaluate_model(model).rows)
    the test set of german (200 of 1,000 rows)
    """
    fitted = loaded(model)
    table, which = rows_for_model(
        fitted, data, rows=rows, split_seed=split_seed, protocol=protocol, **roles
    )
    return held_out(fitted, table, which, seed)


def loaded(model: Any) -> Any:
    """Return a fitted model, of which the file may be given."""
    return load(model) if isinstance(model, (str, os.PathLike)) else model


def rows_for_model(
    model: Any,
    data: Any = None,
    *,
    rows: str = "test",
    split_seed: int = 0,
    protocol: str = "auto",
    data_dir: str | Path | None = None,
    **roles: Any,
) -> tuple[Table, str]:
    """Return the rows that a model is evaluated on, and which these are in words.

    Parameters
    ----------
    model : estimator
        A fitted model. If it has ``training_data_``, the roles of the columns and the groups are those
        of its training.
    data : path, DataFrame, Table or str, optional
        A file, a frame, a table or the name of a data set; by default the data set that the model was
        trained on.
    rows : {'test', 'all'}
        'all': all rows. 'test': of the data that the model was trained on their test set, by the split
        of the training; of another file all rows; of a data set the test set of grad-ext's split.
    split_seed, protocol
        The split, if the model does not record it: see `grad_ext.data.split.split`.
    data_dir : path, optional
        As for `grad_ext.load_dataset`.
    **roles
        Parameters of `grad_ext.load_table`, which take the place of those of the training.

    Raises
    ------
    InputError
        If there is no such choice of rows, the data cannot be read, or the test set of the training
        cannot be told among them.
    """
    found = split_for_model(
        model,
        data,
        rows=rows,
        split_seed=split_seed,
        protocol=protocol,
        data_dir=data_dir,
        **roles,
    )
    return found.table, found.which


@dataclass(frozen=True)
class ModelRows:
    """The rows that a model is evaluated on.

    Attributes
    ----------
    table : Table
        The rows.
    which : str
        Which these are, in words.
    rest : Table or None
        Other rows of the split, if they are a test set: those that models are trained on.
    """

    table: Table
    which: str
    rest: Table | None = None

    @classmethod
    def of(cls, table: Table, test: NDArray[np.intp], which: str) -> ModelRows:
        """Return the test rows of a table by their positions."""
        rest = np.setdiff1d(np.arange(len(table)), test)
        return cls(table.take(test), which, table.take(rest))


def split_for_model(
    model: Any,
    data: Any = None,
    *,
    rows: str = "test",
    split_seed: int = 0,
    protocol: str = "auto",
    data_dir: str | Path | None = None,
    **roles: Any,
) -> ModelRows:
    """Return the rows that a model is evaluated on, and those that models are trained on.

    Parameters and errors as `rows_for_model`.
    """
    if rows not in ROWS:
        raise unknown("choice of rows", rows, ROWS)
    trained: TrainingData | None = getattr(model, "training_data_", None)
    given = {name: value for name, value in roles.items() if value is not None}
    if data is None and trained is not None and trained.catalogued:
        data = trained.name
    if data is None:
        what = "" if trained is None or not trained.source else f", such as {trained.source}"
        raise InputError(f"expected the rows to evaluate the model on: a file or a data set{what}")
    table = _evaluation_table(trained, data, given, data_dir)
    if rows == "all":
        return ModelRows(table, f"all rows of {table.source or table.name}")
    test = None if trained is None else _trained_test(trained, table, data, given, data_dir)
    if trained is not None and test is not None:
        return ModelRows.of(table, test, _test_set(trained.name, trained))
    if trained is not None and table.report is not None:
        return ModelRows(table, f"all rows of {table.source or table.name}")
    parts = split(table, split_seed, protocol)
    return ModelRows(
        parts.test,
        f"grad-ext's test set of {table.name} (split seed {split_seed})",
        parts.train,
    )


def _evaluation_table(
    trained: TrainingData | None,
    data: Any,
    given: Mapping[str, Any],
    data_dir: str | Path | None,
) -> Table:
    """Return the table of rows, with the roles of a training where no others are given."""
    if isinstance(data, Table):
        return as_table(data, **given)
    if isinstance(data, str) and known_data_set(data) is not None:
        given = dict(given)
        if trained is not None and trained.catalogued and trained.name == data:
            given.setdefault("protected", trained.attribute_names)
        return as_table(data, data_dir=data_dir, **given)
    if trained is None or trained.roles is None:
        return as_table(data, **given)
    options = trained.roles.merged(given)
    if "protected" not in given:
        # The groups of the training, and not those that this file's values would make.
        options["protected"] = trained.protected
        options["continuous"] = None
    for name in ("weights", "groups"):
        # An empty name: without them.
        if not options.get(name):
            options.pop(name, None)
    return as_table(data, **options)


def _trained_test(
    trained: TrainingData,
    table: Table,
    data: Any,
    given: Mapping[str, Any],
    data_dir: str | Path | None,
) -> NDArray[np.intp] | None:
    """Return the positions of the test set of a training; None if a table holds other rows."""
    sums = {*table.checksums.values()}
    if sums != {*trained.checksums.values()}:
        return None
    whole = table
    if given:
        try:
            whole = _evaluation_table(trained, data, {}, data_dir)
        except InputError:
            # The training data can be read with the roles of the training.
            return None
    # Comparisons leave out rows without a known group.
    for used in (whole, whole.known()):
        if used.digest() == trained.digest and len(whole) == len(table):
            # A split depends on the name, and the file may have another one by now.
            named = replace(used, name=trained.name)
            test = split(named, trained.split_seed, trained.protocol).test
            # A table that was read, or is of the catalog, numbers its rows.
            return np.asarray(test.frame.index, dtype=np.intp)
    if sums:
        raise InputError(
            f"{table.source or table.name} is what the model was trained on, but its rows are read "
            "otherwise now, so that the test set cannot be told among them; give no other roles, or "
            "evaluate on all rows, those of the training included"
        )
    return None


# --- prediction ------------------------------------------------------------------------------


def predict_file(
    model: Any,
    path: str | Path,
    out: str | Path | IO[bytes],
    *,
    keep: Sequence[str] = (),
    missing_values: Sequence[str] | None = None,
    sep: str | None = None,
    encoding: str | None = None,
) -> int:
    """Predict for every row of a file, and write the predictions as CSV, in the file's order.

    The file needs the model's features only, and may be larger than the memory: it is read and
    written in blocks.

    Parameters
    ----------
    model : estimator or path
        A fitted GRADClassifier or GRADRegressor, or the file of a saved one.
    path : path
        The rows, in any format that `grad_ext.load_table` reads.
    out : path or binary file
        The file to write, whole or not at all; or an open one.
    keep : sequence of str
        Columns of the file to copy before the predictions, such as an identifier.
    missing_values : sequence of str, optional
        Texts that stand for a missing value; those of the training by default.
    sep, encoding
        As for `grad_ext.load_table`.

    Returns
    -------
    int
        Number of rows. They have ``prediction``, the label in the words of the training, and
        ``score``, the probability of the favorable label (of the second of ``classes_``); of more than
        two labels a score of each, ``score_...``; of a number ``prediction`` alone.

    Raises
    ------
    InputError
        If the file cannot be read, lacks a feature, or a feature cannot be read with certainty.

    Warns
    -----
    UnseenValuesWarning
        If features have values that no training row had.

    Examples
    --------
    >>> import tempfile
    >>> from pathlib import Path
    >>> import grad_ext
    >>> folder = Path(tempfile.mkdtemp())
    >>> german = grad_ext.load_dataset("german", protected=["age"])
    >>> german.frame.to_csv(folder / "new.csv", index=False)
    >>> model = grad_ext.fit(german, epochs=2, lam=1)
    >>> grad_ext.predict_file(model, folder / "new.csv", folder / "scores.csv")
    1000
    """
    fitted = loaded(model)
    if not isinstance(fitted, (GRADClassifier, GRADRegressor)):
        raise InputError(
            f"expected a GRADClassifier or GRADRegressor, got a {type(fitted).__name__}"
        )
    if getattr(fitted, "feature_names_in_", None) is None:
        raise InputError(
            f"expected a model fitted on named columns, got one fitted on an array of "
            f"{fitted.n_features_in_}"
        )
    if isinstance(missing_values, str) or isinstance(keep, str):
        raise InputError("keep and missing_values must be lists, got a text")
    blocks = _predicted(fitted, iterate_frames(path, sep, encoding, BLOCK), keep, missing_values)
    if not isinstance(out, (str, Path)):
        return _written(blocks, out)
    target = Path(out).expanduser()
    if target.is_dir() or not target.absolute().parent.is_dir():
        raise InputError(f"expected a file to write, in a folder that exists, got {target}")
    if target.exists() and target.samefile(known_path(path)):
        raise InputError(f"{target} is the file that is read; write to another one")
    try:
        with writing_atomically(target) as file:
            return _written(blocks, file)
    except OSError as error:
        raise InputError(f"cannot write {target}: {error.strerror}") from None


def _written(blocks: Iterator[pd.DataFrame], file: IO[bytes]) -> int:
    rows = 0
    for block in blocks:
        to_csv(block, file, header=rows == 0)
        rows += len(block)
    return rows


def _predicted(
    model: Any,
    frames: Iterator[pd.DataFrame],
    keep: Sequence[str],
    missing_values: Sequence[str] | None,
) -> Iterator[pd.DataFrame]:
    """Yield the kept columns and the predictions of each block."""
    trained: TrainingData | None = getattr(model, "training_data_", None)
    if missing_values is None:
        roles = None if trained is None else trained.roles
        missing_values = (None if roles is None else roles.missing_values) or ()
    reader = _Features([str(name) for name in model.feature_names_in_], keep, missing_values)
    with _warned_once():
        for frame in frames:
            features = reader.read(frame).set_axis(model.feature_names_in_, axis=1)
            predictions = _predictions(model, features, frame.index)
            _check_distinct(keep, predictions)
            yield pd.concat([frame[[*keep]], predictions], axis=1)


def _check_distinct(keep: Sequence[str], predictions: pd.DataFrame) -> None:
    names = [*keep, *predictions]
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise InputError(
            f"keep: expected each column once, and other names than those of the predictions "
            f"({', '.join(map(repr, predictions))}), got {', '.join(map(repr, twice))} twice"
        )


def _predictions(model: Any, features: pd.DataFrame, index: pd.Index) -> pd.DataFrame:
    scores = model.model_.scores(features)
    if isinstance(model, GRADRegressor):
        return pd.DataFrame({"prediction": scores}, index=index)
    classes = model.classes_
    if scores.ndim == 1:
        labels = classes[model.model_.favorable(scores).astype(np.intp)]
        return pd.DataFrame({"prediction": labels, "score": scores}, index=index)
    of_classes = {f"score_{label}": scores[:, k] for k, label in enumerate(classes)}
    return pd.DataFrame({"prediction": classes[scores.argmax(axis=1)], **of_classes}, index=index)


class _Features:
    """Reads the features of blocks of a file, which must all be written in the same way."""

    def __init__(
        self, names: Sequence[str], keep: Sequence[str], missing_values: Sequence[str]
    ) -> None:
        self.names, self.keep, self.missing_values = names, keep, missing_values
        self.forms: dict[str, str] = {}

    def read(self, frame: pd.DataFrame) -> pd.DataFrame:
        absent = [name for name in self.names if name not in frame.columns]
        if absent:
            raise InputError(
                f"the file lacks {len(absent)} of the model's {len(self.names)} features: "
                f"{', '.join(map(repr, absent))}; it has {', '.join(map(repr, frame.columns))}"
            )
        for name in self.keep:
            if name not in frame.columns:
                raise InputError(f"keep: {unknown('column', name, frame.columns)}")
        columns, problems = {}, []
        for name in self.names:
            try:
                column = read_column(frame[name], self.missing_values)
                self._check_form(name, column)
                columns[name] = column.values
            except InputError as error:
                first, last = frame.index[0] + 1, frame.index[-1] + 1
                problems.append(f"rows {first:,} to {last:,}: {error}")
        if problems:
            raise InputError("\n".join(problems))
        return pd.DataFrame(columns, columns=[*self.names])

    def _check_form(self, name: str, column: Column) -> None:
        """Refuse a column of numbers that two blocks would read in two ways."""
        for note in column.notes if column.kind == "number" else ():
            if note.endswith("read as missing"):
                continue
            form = note.partition(", such as")[0]
            before = self.forms.setdefault(name, form)
            if form != before:
                raise InputError(
                    f"column {name!r}: expected {before} as in the rows before, got {note}; write all "
                    "numbers in the same way"
                )


@contextmanager
def _warned_once() -> Iterator[None]:
    """Warn of unseen values once, and not in each block."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always", UnseenValuesWarning)
        yield
    unseen = [one for one in caught if issubclass(one.category, UnseenValuesWarning)]
    for one in caught:
        if one not in unseen:
            warnings.warn_explicit(one.message, one.category, one.filename, one.lineno)
    if unseen:
        more = (
            f" (in one block of rows; {len(unseen) - 1} further have such too)"
            if unseen[1:]
            else ""
        )
        warnings.warn(f"{unseen[0].message}{more}", UnseenValuesWarning, stacklevel=2)
