"""The base of the scikit-learn estimators: parameters, columns, sensitive features, fitting.

It follows scikit-learn's and Fairlearn's conventions: `__init__` only stores its parameters, fitted
attributes end in an underscore, `sensitive_features` is keyword-only.
"""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, Self

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray
from sklearn.base import BaseEstimator
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import (
    _check_feature_names,
    _check_n_features,
    _check_sample_weight,
    _check_y,
    column_or_1d,
    validate_data,
)

from grad_ext import checks
from grad_ext.data.alignment import aligned, index_of
from grad_ext.data.sensitive import (
    SensitiveAttribute,
    attributes_of,
    crossed,
    index_frame,
    numbers,
    sensitive_frame,
    with_groups,
)
from grad_ext.data.split import check_groups
from grad_ext.data.values import read_frame
from grad_ext.engine.module_trunk import Factory
from grad_ext.errors import InputError
from grad_ext.models.bound import Choice, fit_within
from grad_ext.models.fit import VALIDATION, Model, Samples, fit_rows, lam_by_attribute
from grad_ext.models.inputs import by_name, dense
from grad_ext.models.online import Online
from grad_ext.models.persistence import save
from grad_ext.outputs import Branch, Task
from grad_ext.seeds import seed_from
from grad_ext.training.checkpoint import CheckpointRule
from grad_ext.training.settings import LAMBDA, Settings

Floats = NDArray[np.float64]
# What becomes of missing values of features.
MISSING = ("use", "drop", "error")


# A dataclass, so that each parameter is written once: it has the explicit keyword-only `__init__`
# that scikit-learn reads. Estimators are compared by identity and printed by scikit-learn.
@dataclass(kw_only=True, eq=False, repr=False)
class GRADEstimator(BaseEstimator):  # type: ignore[misc]
    """Base class of the estimators; see `grad_ext.GRADClassifier` for parameters and attributes."""

    lam: float | Mapping[str, float] = LAMBDA
    trunk: Sequence[int] | Factory = Settings.trunk
    branch: Sequence[int] = Settings.branch
    recipe: str = Settings.recipe
    constraint: str = Settings.constraint
    encoding: str | None = None
    epochs: int | None = None
    batch_size: int | None = None
    learning_rate: float | None = None
    attribute_learning_rate: float | None = None
    beta1: float | None = None
    final_lr_fraction: float | None = None
    dropout: float | None = None
    adversary_input: str | None = None
    lam_scales: str | None = None
    saturation: Sequence[float] | None = None
    warmup: float | None = None
    extrapolation: float | None = None
    balance_groups: bool | None = None
    score_penalty: float | None = None
    checkpoint: str | CheckpointRule | None = None
    lr_schedule: str = Settings.lr_schedule
    warmup_schedule: str = Settings.warmup_schedule
    missing: str = "use"
    validation: float = VALIDATION
    ensemble: int = 1
    intersections: bool = False
    continuous: Sequence[str] = ()
    prot_attr: str | Sequence[str] | bool | None = None
    random_state: Any = None

    # No annotation: not a parameter.
    _variant = "pred"

    def save(self, path: str | Path) -> None:
        """Write the fitted estimator to a file that `grad_ext.load` reads.

        See `grad_ext.models.persistence.save`: a safetensors file, never a pickle.
        """
        save(self, path)

    def _settings(self) -> Settings:
        for value in self.lam.values() if isinstance(self.lam, Mapping) else [self.lam]:
            checks.lam(value)
        own = vars(self)
        given = {field.name: own[field.name] for field in fields(Settings) if field.name in own}
        trunk = Settings.trunk if callable(self.trunk) else tuple(self.trunk)
        checkpoint = None if callable(self.checkpoint) else self.checkpoint
        given |= {"trunk": trunk, "branch": tuple(self.branch), "checkpoint": checkpoint}
        return Settings(variant=self._variant, **given)

    def _frame(self, X: Any, reset: bool) -> pd.DataFrame:
        """Return X as a frame, after scikit-learn's checks of arrays."""
        if hasattr(X, "to_pandas"):
            X = X.to_pandas()
        X = dense(X)
        if not reset:
            given, X = X, by_name(X, getattr(self, "feature_names_in_", None))
            if X is not given and not isinstance(given, pd.DataFrame):
                # Warns that columns without names are matched by position, as for any array.
                _check_feature_names(self, given, reset=False)
        if isinstance(X, pd.DataFrame) and not all(map(pd.api.types.is_numeric_dtype, X.dtypes)):
            # Categories: scikit-learn checks names and number of columns, the encoder their values.
            _check_feature_names(self, X, reset=reset)
            _check_n_features(self, X, reset=reset)
            if not len(X):
                raise InputError(f"Found array with 0 sample(s) (shape={X.shape}), expected rows")
            return X.reset_index(drop=True)
        array = validate_data(
            self,
            X,
            reset=reset,
            ensure_min_samples=1,
            dtype="numeric",
            ensure_all_finite="allow-nan",
        )
        names = getattr(self, "feature_names_in_", range(array.shape[1]))
        return pd.DataFrame(array, columns=names, copy=False)

    def _sensitive(self, X: Any, y: Any, sensitive_features: Any, n: int) -> pd.DataFrame:
        """Return the sensitive features as a frame of n rows; one without columns if there are none."""
        if sensitive_features is not None:
            frame = sensitive_frame(sensitive_features, n, index_of(X, y))
        elif self.prot_attr is not None:
            if not isinstance(X, pd.DataFrame):
                raise InputError(
                    f"prot_attr needs a frame with the attributes in its index, got {type(X)}"
                )
            frame = index_frame(X.index, self.prot_attr)
        else:
            return pd.DataFrame(index=range(n))
        return crossed(frame) if self.intersections and len(frame.columns) > 1 else frame

    def _samples(
        self,
        frame: pd.DataFrame,
        y: Floats,
        target: Branch,
        sensitive: pd.DataFrame,
        w: Floats,
        target_w: Floats | None,
    ) -> Samples:
        task = Task(target, tuple(attribute.branch for attribute in self.attributes_))
        frame, w = self._without_missing(read_frame(frame), w)
        return Samples(frame, y, numbers(sensitive, self.attributes_), w, task, target_w=target_w)

    def _without_missing(self, frame: pd.DataFrame, w: Floats) -> tuple[pd.DataFrame, Floats]:
        """Return rows and weights as the parameter `missing` wants them."""
        if self.missing == "use":
            return frame, w
        gaps = frame.isna()
        counts = [f"{c!r} ({n:,} of {len(frame):,} rows)" for c, n in gaps.sum().items() if n]
        if counts and self.missing == "error":
            raise InputError(
                f"features: expected no missing values, got some in {', '.join(counts)}"
            )
        # A row without weight is not used.
        return frame, np.where(gaps.any(axis=1), 0.0, w)

    def _learn_attributes(self, sensitive: pd.DataFrame) -> None:
        self.attributes_: tuple[SensitiveAttribute, ...] = attributes_of(sensitive, self.continuous)
        if not self.attributes_:
            warnings.warn(
                f"{type(self).__name__} was given no sensitive_features: no attribute is protected, "
                "it is the plain network",
                UserWarning,
                stacklevel=4,
            )

    def _fit(
        self,
        frame: pd.DataFrame,
        y: Floats,
        target: Branch,
        sensitive: pd.DataFrame,
        w: Floats,
        validation: tuple[Any, ...] | None,
        target_w: Floats | None = None,
    ) -> Self:
        settings = self._settings()
        checks.choice("missing", self.missing, MISSING)
        ensemble = checks.whole("ensemble", self.ensemble, 1)
        self._learn_attributes(sensitive)
        rows = self._samples(frame, y, target, sensitive, w, target_w)
        bound, objective = getattr(self, "bound", None), getattr(self, "objective", "accuracy")
        held_out: Samples | float
        if validation is None:
            held_out = checks.between_0_and_1("validation", self.validation)
        else:
            held_out = self._validation_samples(validation, target)
        self.seed_ = seed_from(self.random_state)
        rule = self.checkpoint if callable(self.checkpoint) else None
        trunk = self.trunk if callable(self.trunk) else None
        self.__dict__.pop("online_", None)
        if bound is None:
            model = fit_rows(
                rows, settings, self._lam(), self.seed_, held_out, rule, trunk, ensemble
            )
            return self._set_model(model, self.lam)
        if rule is not None:
            raise InputError("bound: expected the checkpoint 'last', got a function")
        model, choice = fit_within(rows, settings, bound, objective, self.seed_, ensemble, trunk)
        return self._set_model(model, choice.lam, choice)

    def _partial_fit(
        self,
        frame: pd.DataFrame,
        y: Floats,
        target: Branch,
        sensitive: pd.DataFrame,
        w: Floats,
        target_w: Floats | None = None,
        groups: Any = None,
    ) -> Self:
        """Train for one pass over rows; the first call determines encoding, attributes and groups."""
        settings = self._settings()
        checks.choice("missing", self.missing, MISSING)
        if getattr(self, "bound", None) is not None or self.ensemble != 1:
            raise InputError(
                "partial_fit trains one model for a given lam: expected no bound and ensemble=1, got "
                f"bound={getattr(self, 'bound', None)!r} and ensemble={self.ensemble!r}"
            )
        if callable(self.trunk):
            raise InputError("partial_fit needs a trunk of layer sizes, got a function")
        first = not hasattr(self, "online_")
        if first:
            self._learn_attributes(sensitive)
            seen = self.attributes_
            if groups is not None:
                self.attributes_ = with_groups(seen, groups)
        checks.sample_weights(w, "sample_weight")
        rows = self._samples(frame, y, target, sensitive, w, target_w)
        if first:
            for own, attribute, column in zip(seen, self.attributes_, rows.a.T, strict=True):
                # Later calls bring no further group, unless they are named.
                if own is attribute:
                    _check_first_groups(attribute, column[rows.w > 0])
            self.seed_ = seed_from(self.random_state)
            self.online_ = Online(rows, settings, self._lam(), self.seed_)
        return self._set_model(self.online_.learn(rows), self.lam)

    def _lam(self) -> float | tuple[float, ...]:
        names = [attribute.name for attribute in self.attributes_]
        return lam_by_attribute(self.lam, names) if names else 0.0

    def _set_model(
        self,
        model: Model,
        lam: float | Mapping[str, float] | tuple[float, ...],
        choice: Choice | None = None,
    ) -> Self:
        # They belong to the model before.
        for name in ("training_data_", "held_out_", "path_", "bound_met_"):
            self.__dict__.pop(name, None)
        self.model_ = model
        self.lam_ = lam
        if choice is not None:
            self.path_, self.bound_met_ = choice.path, choice.met and choice.useful
        self.history_ = model.fitted.history
        self.best_epoch_ = int(model.fitted.epochs[0])
        self.constant_ = model.constant
        return self

    def _validation_samples(self, validation: Any, target: Branch) -> Samples:
        if not isinstance(validation, tuple) or len(validation) not in (2, 3):
            raise InputError(
                f"validation: expected (X, y, sensitive_features), got {type(validation).__name__}"
            )
        X, y, *rest = validation
        frame = self._frame(X, reset=False)
        sensitive = self._sensitive(X, y, rest[0] if rest else None, len(frame))
        if not hasattr(rest[0] if rest else X, "columns") and len(sensitive.columns) == len(
            self.attributes_
        ):
            # An array has no names: its columns are those of fitting, in order.
            sensitive.columns = [attribute.name for attribute in self.attributes_]
        labels = self._encoded_target(y, len(frame))
        return self._samples(frame, labels, target, sensitive, np.ones(len(frame)), None)

    def _encoded_target(self, y: Any, n: int) -> Floats:
        """Return the targets of n rows as numbers, after fitting has learned the classes."""
        raise NotImplementedError

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.sparse = True
        tags.input_tags.allow_nan = self.missing != "error"
        return tags


def _check_first_groups(attribute: SensitiveAttribute, column: Floats) -> None:
    try:
        check_groups(attribute.name, column, attribute.continuous)
    except InputError as error:
        raise InputError(f"{error}; name all groups of later calls in `groups`") from None


def checked_labels(y: Any, n: int, estimator: BaseEstimator) -> NDArray[Any]:
    """Return the labels of n rows as an array, after scikit-learn's checks of classification targets."""
    if y is None:
        raise InputError(
            f"{type(estimator).__name__} requires y to be passed, but the target y is None"
        )
    labels = column_or_1d(y, warn=True)
    labels = _check_y(labels, estimator=estimator)
    check_classification_targets(labels)
    check_length(labels, n)
    return np.asarray(labels)


def checked_numbers(y: Any, n: int, estimator: BaseEstimator) -> Floats:
    """Return the targets of n rows as numbers, after scikit-learn's checks of regression targets."""
    values = _check_y(y, y_numeric=True, estimator=estimator)
    check_length(values, n)
    return np.asarray(values, dtype=np.float64)


def validation_rows(
    validation: tuple[Any, ...] | None, X_val: Any, y_val: Any, sensitive_features_val: Any
) -> tuple[Any, ...] | None:
    """Return the validation rows, given as one tuple or as three arguments.

    Raises
    ------
    InputError
        If they are given in both ways, or without X.
    """
    apart = {
        "X_val": X_val,
        "y_val": y_val,
        "sensitive_features_val": sensitive_features_val,
    }
    given = [name for name, value in apart.items() if value is not None]
    if not given:
        return validation
    if validation is not None:
        raise InputError(f"validation: expected it or {', '.join(given)}, got both")
    if X_val is None:
        raise InputError(f"X_val: expected the features of the validation rows, got {given} alone")
    return X_val, y_val, sensitive_features_val


def check_length(values: Any, n: int) -> None:
    """Raise InputError if there are not n values."""
    if len(values) != n:
        raise InputError(f"expected as many targets as rows: {n}, got {len(values)}")


def checked_weights(
    sample_weight: ArrayLike | None, frame: pd.DataFrame, index: pd.Index | None
) -> Floats:
    """Return the weight of each row of a frame, 1 if none are given, after scikit-learn's checks.

    A Series is aligned by the index of the rows as users passed them.
    """
    if sample_weight is None:
        return np.ones(len(frame))
    given = aligned("sample_weight", sample_weight, index)
    checked = _check_sample_weight(given, frame, dtype=np.float64)
    return np.asarray(checked, dtype=np.float64)
