"""GRAD in scikit-learn's terms: a pack of one that fits arrays, frames and pipelines.

The contract is scikit-learn's and Fairlearn's to the letter: `__init__` only stores, learned things
end in an underscore, `sensitive_features` is keyword-only.
"""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Self

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray
from sklearn.base import BaseEstimator, ClassifierMixin, RegressorMixin, TransformerMixin
from sklearn.utils import compute_sample_weight
from sklearn.utils.multiclass import check_classification_targets, type_of_target
from sklearn.utils.validation import (
    _check_feature_names,
    _check_n_features,
    _check_sample_weight,
    _check_y,
    check_is_fitted,
    column_or_1d,
    validate_data,
)

from grad_ext import checks
from grad_ext.data.sensitive import (
    SensitiveAttribute,
    attributes_of,
    crossed,
    index_frame,
    numbers,
    sensitive_frame,
)
from grad_ext.engine.module_trunk import Factory
from grad_ext.errors import InputError
from grad_ext.models.fit import VALIDATION, Model, Online, Samples, fit_rows, lam_by_attribute
from grad_ext.outputs import Branch, Continuous, Features, Task
from grad_ext.seeds import seed_from
from grad_ext.training.checkpoint import Rule
from grad_ext.training.settings import DECIDED, LAMBDA, Settings

Weights = NDArray[np.float64]


class _GRADEstimator(BaseEstimator):  # type: ignore[misc]
    """What the estimators share: columns in, attributes in, a model out."""

    _variant = "pred"

    def __init__(
        self,
        *,
        lam: float | Mapping[str, float] = LAMBDA,
        trunk: Sequence[int] | Factory = Settings.trunk,
        branch: Sequence[int] = Settings.branch,
        recipe: str = Settings.recipe,
        constraint: str = Settings.constraint,
        encoding: str | None = None,
        epochs: int | None = None,
        batch_size: int | None = None,
        learning_rate: float | None = None,
        attribute_learning_rate: float | None = None,
        beta1: float | None = None,
        final_lr_fraction: float | None = None,
        dropout: float | None = None,
        adversary_input: str | None = None,
        lam_scales: str | None = None,
        saturation: Sequence[float] | None = None,
        warmup: float | None = None,
        extrapolation: float | None = None,
        balance_groups: bool | None = None,
        checkpoint: str | Rule | None = None,
        lr_schedule: str = Settings.lr_schedule,
        warmup_schedule: str = Settings.warmup_schedule,
        validation: float = VALIDATION,
        intersections: bool = False,
        continuous: Sequence[str] = (),
        prot_attr: str | Sequence[str] | bool | None = None,
        random_state: Any = None,
    ) -> None:
        self.lam = lam
        self.trunk = trunk
        self.branch = branch
        self.recipe = recipe
        self.constraint = constraint
        self.encoding = encoding
        self.epochs = epochs
        self.batch_size = batch_size
        self.learning_rate = learning_rate
        self.attribute_learning_rate = attribute_learning_rate
        self.beta1 = beta1
        self.final_lr_fraction = final_lr_fraction
        self.dropout = dropout
        self.adversary_input = adversary_input
        self.lam_scales = lam_scales
        self.saturation = saturation
        self.warmup = warmup
        self.extrapolation = extrapolation
        self.balance_groups = balance_groups
        self.checkpoint = checkpoint
        self.lr_schedule = lr_schedule
        self.warmup_schedule = warmup_schedule
        self.validation = validation
        self.intersections = intersections
        self.continuous = continuous
        self.prot_attr = prot_attr
        self.random_state = random_state

    def _settings(self) -> Settings:
        for value in self.lam.values() if isinstance(self.lam, Mapping) else [self.lam]:
            checks.lam(value)
        decided = {name: getattr(self, name) for name in DECIDED}
        return Settings(
            variant=self._variant,
            recipe=self.recipe,
            constraint=self.constraint,
            trunk=Settings.trunk if callable(self.trunk) else tuple(self.trunk),
            branch=tuple(self.branch),
            lr_schedule=self.lr_schedule,
            warmup_schedule=self.warmup_schedule,
            **{**decided, "checkpoint": None if callable(self.checkpoint) else self.checkpoint},
        )

    def _frame(self, X: Any, reset: bool) -> pd.DataFrame:
        """Return X as a frame, checked as scikit-learn checks arrays."""
        if hasattr(X, "to_pandas"):
            X = X.to_pandas()
        if isinstance(X, pd.DataFrame) and not all(map(pd.api.types.is_numeric_dtype, X.dtypes)):
            # Categories: names and number as scikit-learn has them; the values are the encoder's.
            _check_feature_names(self, X, reset=reset)
            _check_n_features(self, X, reset=reset)
            if not len(X):
                raise InputError(f"Found array with 0 sample(s) (shape={X.shape}), expected rows")
            return X.reset_index(drop=True)
        array = validate_data(self, X, reset=reset, ensure_min_samples=1, dtype="numeric")
        names = getattr(self, "feature_names_in_", range(array.shape[1]))
        return pd.DataFrame(array, columns=names, copy=False)

    def _sensitive(self, X: Any, sensitive_features: Any, n: int) -> pd.DataFrame:
        if sensitive_features is not None:
            frame = sensitive_frame(sensitive_features, n)
        elif self.prot_attr is not None:
            if not isinstance(X, pd.DataFrame):
                raise InputError(
                    f"prot_attr needs a frame with the attributes in its index, got {type(X)}"
                )
            frame = index_frame(X.index, self.prot_attr)
        else:
            return pd.DataFrame(index=range(n))
        return crossed(frame) if self.intersections and len(frame.columns) > 1 else frame

    def _fit(
        self,
        X: Any,
        frame: pd.DataFrame,
        y: Weights,
        target: Branch,
        sensitive_features: Any,
        w: Weights,
        validation: Any,
        target_w: Weights | None = None,
    ) -> Self:
        settings = self._settings()
        sensitive = self._sensitive(X, sensitive_features, len(frame))
        self.attributes_: tuple[SensitiveAttribute, ...] = attributes_of(sensitive, self.continuous)
        self._say_if_unprotected()
        task = Task(target, tuple(attribute.branch for attribute in self.attributes_))
        a = numbers(sensitive, self.attributes_)
        rows = Samples(frame, y, a, w, task, target_w=target_w)
        held = self.validation if validation is None else self._held(validation, task)
        if isinstance(held, (int, float)) and not 0 < held < 1:
            raise InputError(f"validation must be a share between 0 and 1, got {held!r}")
        self.seed_ = seed_from(self.random_state)
        lam = self._lam()
        rule = self.checkpoint if callable(self.checkpoint) else None
        trunk = self.trunk if callable(self.trunk) else None
        model = fit_rows(rows, settings, lam, self.seed_, held, rule, trunk)
        self.__dict__.pop("online_", None)
        return self._keep(model)

    def _partial_fit(
        self,
        X: Any,
        frame: pd.DataFrame,
        y: Weights,
        target: Branch,
        sensitive_features: Any,
        w: Weights,
        target_w: Weights | None = None,
    ) -> Self:
        """Pass over rows once; the first call decides on encoding, attributes and groups."""
        settings = self._settings()
        if callable(self.trunk):
            raise InputError("partial_fit needs a trunk of layer sizes, got a function")
        sensitive = self._sensitive(X, sensitive_features, len(frame))
        first = not hasattr(self, "online_")
        if first:
            self.attributes_ = attributes_of(sensitive, self.continuous)
            self._say_if_unprotected()
        checks.sample_weights(w, "sample_weight")
        task = Task(target, tuple(attribute.branch for attribute in self.attributes_))
        a = numbers(sensitive, self.attributes_)
        rows = Samples(frame, y, a, w, task, target_w=target_w)
        if first:
            self.seed_ = seed_from(self.random_state)
            self.online_ = Online(rows, settings, self._lam(), self.seed_)
        return self._keep(self.online_.learn(rows))

    def _lam(self) -> float | tuple[float, ...]:
        names = [attribute.name for attribute in self.attributes_]
        return lam_by_attribute(self.lam, names) if names else 0.0

    def _keep(self, model: Model) -> Self:
        self.model_ = model
        self.history_ = model.fitted.history
        self.best_epoch_ = int(model.fitted.epochs[0])
        self.constant_ = model.constant
        return self

    def _say_if_unprotected(self) -> None:
        if not self.attributes_:
            warnings.warn(
                f"{type(self).__name__} was given no sensitive_features: it protects nothing and "
                "is the plain network",
                UserWarning,
                stacklevel=4,
            )

    def save(self, path: str | Path) -> None:
        """Write the fitted estimator to a file that `grad_ext.load` reads.

        See `grad_ext.models.persistence.save`: a safetensors file, never a pickle.
        """
        from grad_ext.models.persistence import save

        save(self, path)

    def _held(self, validation: Any, task: Task) -> Samples:
        if not isinstance(validation, tuple) or len(validation) not in (2, 3):
            raise InputError(
                f"validation: expected (X, y, sensitive_features), got {type(validation).__name__}"
            )
        X, y, *rest = validation
        frame = self._frame(X, reset=False)
        sensitive = self._sensitive(X, rest[0] if rest else None, len(frame))
        if not hasattr(rest[0] if rest else X, "columns") and len(sensitive.columns) == len(
            self.attributes_
        ):
            # An array has no names of its own: its columns are those of fitting, in order.
            sensitive.columns = [attribute.name for attribute in self.attributes_]
        a = numbers(sensitive, self.attributes_)
        labels = self._numbers(y, len(frame))
        return Samples(frame, labels, a, np.ones(len(frame)), task)

    def _numbers(self, y: Any, n: int) -> Weights:
        """Return targets of validation rows as numbers."""
        raise NotImplementedError

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.sparse = False
        return tags


class GRADClassifier(ClassifierMixin, _GRADEstimator):  # type: ignore[misc]
    """A classifier whose network unlearns what tells protected groups apart.

    Gradient Reversal Against Discrimination (Raff and Sylvester), the Pred variant. Frames may mix
    numbers and categories; both are encoded with what the training rows show. Equal rows are trained on once with the sum of their weights, and the order
    of the rows does not matter.

    Parameters
    ----------
    lam : float or mapping of str to float, default 100
        λ, the weight of the attribute branches, or of each by name; 0 gives the plain network.
    trunk, branch : sequence of int, default (40, 40)
        Hidden units of the trunk's and of each branch's layers. `trunk` may also be a function that
        gets the number of features and returns a `torch.nn.Module`, which then is the trunk.
    recipe : {'paper', 'steady'}
        The training recipe. It decides the settings from `encoding` to `checkpoint` that are None;
        `grad_ext.training.settings.Settings` says what each is and what it is in which recipe.
    constraint : str, default 'demographic_parity'
        The rows among which predictions must be independent of the groups, a name in
        `grad_ext.constraints.CONSTRAINTS`: all rows (demographic_parity), the rows of each label
        (equalized_odds), or those of the favorable label, the second of two (equal_opportunity).
    encoding : {'standard', 'quantile'}, optional
        How columns of numbers are encoded.
    epochs : int, optional
        Passes over the training rows.
    batch_size : int, optional
        Rows of a minibatch.
    learning_rate, attribute_learning_rate : float, optional
        Of Adam, and that of the attribute branches.
    beta1 : float, optional
        Adam's decay of the mean gradient.
    final_lr_fraction : float, optional
        Share of the learning rates that is left at the end of their cosine decay; 1 for none.
    dropout : float, optional
        Share of the units dropped in the trunk and the target branch.
    adversary_input : {'representation', 'prediction'}, optional
        What the attribute branches see: the trunk's output, or what the target branch says.
    lam_scales : {'loss', 'reversal'}, optional
        Whether λ acts on the attribute branches' own steps too.
    saturation : (limit, midpoint) or (), optional
        The strength of the reversal is limit · λ / (λ + midpoint), or λ.
    warmup : float, optional
        How fast the reversal grows to its strength; 0 for the whole of it from the first step on.
    extrapolation : float, optional
        How far ahead the reversed gradient looks, which keeps the game from circling.
    balance_groups : bool, optional
        Weight the attribute losses so that each group counts alike.
    checkpoint : str or callable, optional
        Which epoch to keep: ``paper`` (lowest Discrimination on validation rows, ties by accuracy),
        ``delta``, ``balanced_delta``, ``last``, ``accuracy@0.05`` (highest accuracy at a
        Discrimination of at most 0.05), or a function of a `grad_ext.training.checkpoint.History`.
    lr_schedule, warmup_schedule : str, default 'cosine' and 'logistic'
        How the learning rates fall and the reversal grows, names in `grad_ext.engine.schedules`.
    validation : float, default 0.2
        Share of the rows held out to choose the epoch by, if `fit` is given no validation rows; none
        are where the last epoch is kept anyway, as it is by default.
    intersections : bool, default False
        Protect the combinations of all sensitive features, as one attribute, instead of each.
    continuous : sequence of str, optional
        Sensitive features that are numbers and not groups. Floats of more than two values that are
        not whole are taken as such anyway.
    prot_attr : str, sequence of str or True, optional
        AIF360's scikit-learn convention: levels of the index of X that are the sensitive features,
        True for all of them.
    class_weight : mapping, 'balanced' or None
        Weights of the classes in the target's loss, as scikit-learn has them.
    random_state : int, None or numpy generator, optional
        One integer gives one result; None draws a fresh seed, see `seed_`.

    Attributes
    ----------
    classes_ : array
        The labels, in order.
    history_ : grad_ext.training.checkpoint.History
        Every epoch's figures.
    best_epoch_ : int
        The epoch that was kept, counted from 1.
    constant_ : bool
        Whether the model gives every row it was fitted on the same label.
    attributes_ : tuple of grad_ext.data.sensitive.SensitiveAttribute
        The protected attributes and their groups.
    n_features_in_, feature_names_in_
        As in scikit-learn.
    seed_ : int
        The seed that was used.

    Examples
    --------
    >>> from grad_ext import GRADClassifier, load_dataset
    >>> german = load_dataset("german", protected=["age"])
    >>> X, y, older = german.inputs(), german.y(), german.frame["age"] > 25
    >>> model = GRADClassifier(lam=10, random_state=0).fit(X, y, sensitive_features=older)
    >>> model.predict_proba(X).shape
    (1000, 2)
    """

    def __init__(
        self,
        *,
        lam: float | Mapping[str, float] = LAMBDA,
        trunk: Sequence[int] | Factory = Settings.trunk,
        branch: Sequence[int] = Settings.branch,
        recipe: str = Settings.recipe,
        constraint: str = Settings.constraint,
        encoding: str | None = None,
        epochs: int | None = None,
        batch_size: int | None = None,
        learning_rate: float | None = None,
        attribute_learning_rate: float | None = None,
        beta1: float | None = None,
        final_lr_fraction: float | None = None,
        dropout: float | None = None,
        adversary_input: str | None = None,
        lam_scales: str | None = None,
        saturation: Sequence[float] | None = None,
        warmup: float | None = None,
        extrapolation: float | None = None,
        balance_groups: bool | None = None,
        checkpoint: str | Rule | None = None,
        lr_schedule: str = Settings.lr_schedule,
        warmup_schedule: str = Settings.warmup_schedule,
        validation: float = VALIDATION,
        intersections: bool = False,
        continuous: Sequence[str] = (),
        prot_attr: str | Sequence[str] | bool | None = None,
        class_weight: Mapping[Any, float] | str | None = None,
        random_state: Any = None,
    ) -> None:
        super().__init__(
            lam=lam,
            trunk=trunk,
            branch=branch,
            recipe=recipe,
            constraint=constraint,
            encoding=encoding,
            epochs=epochs,
            batch_size=batch_size,
            learning_rate=learning_rate,
            attribute_learning_rate=attribute_learning_rate,
            beta1=beta1,
            final_lr_fraction=final_lr_fraction,
            dropout=dropout,
            adversary_input=adversary_input,
            lam_scales=lam_scales,
            saturation=saturation,
            warmup=warmup,
            extrapolation=extrapolation,
            balance_groups=balance_groups,
            checkpoint=checkpoint,
            lr_schedule=lr_schedule,
            warmup_schedule=warmup_schedule,
            validation=validation,
            intersections=intersections,
            continuous=continuous,
            prot_attr=prot_attr,
            random_state=random_state,
        )
        self.class_weight = class_weight

    def fit(
        self,
        X: Any,
        y: ArrayLike,
        *,
        sensitive_features: Any = None,
        sample_weight: ArrayLike | None = None,
        validation: tuple[Any, ...] | None = None,
    ) -> Self:
        """Train on rows.

        Parameters
        ----------
        X : array or frame of shape (N, D)
            Features; a frame's columns may be categories.
        y : array of shape (N,)
            Labels, two or more.
        sensitive_features : array, Series, frame, list or mapping, optional
            Protected attributes, N rows; missing values are left out of the attribute's loss.
            Without them it is the plain network, and warns.
        sample_weight : array of shape (N,), optional
        validation : (X, y, sensitive_features), optional
            Rows to choose the epoch by; a stratified share of the training rows if not given.

        Raises
        ------
        ValueError
            What was expected and what came.

        Warns
        -----
        ConstantPredictionWarning
            If the model gives every row the same label.
        """
        frame = self._frame(X, reset=True)
        labels = _labels(y, len(frame), self)
        self.classes_, codes = np.unique(labels, return_inverse=True)
        if len(self.classes_) < 2:
            raise InputError(
                f"{type(self).__name__} needs at least two classes, got one class: "
                f"{self.classes_[0]!r}"
            )
        w = _sample_weight(sample_weight, frame)
        target_w = None
        if self.class_weight is not None:
            target_w = w * compute_sample_weight(self.class_weight, labels)
        target = Branch.of_groups("target", len(self.classes_))
        return self._fit(
            X, frame, codes.astype(np.float64), target, sensitive_features, w, validation, target_w
        )

    def partial_fit(
        self,
        X: Any,
        y: ArrayLike,
        classes: ArrayLike | None = None,
        *,
        sensitive_features: Any = None,
        sample_weight: ArrayLike | None = None,
    ) -> Self:
        """Pass over rows once and go on from where the last call left off.

        The first call decides on the classes (all of them in `classes`, or those of `y`), the
        attributes and their groups, and the encoding. A group or level that comes later is left out
        of its branch or all zeros. There is no choice among epochs and no decay of the learning
        rates, since nobody knows how many calls will come: the last state is the model, and
        `history_` judges each call by its own rows. `fit` begins anew.

        Parameters
        ----------
        X, y, sensitive_features, sample_weight
            As for `fit`.
        classes : array, optional
            All labels that will come.
        """
        first = not hasattr(self, "online_")
        frame = self._frame(X, reset=first)
        labels = _labels(y, len(frame), self)
        if first:
            self.classes_ = np.unique(labels if classes is None else np.asarray(classes))
            if len(self.classes_) < 2:
                raise InputError(
                    f"{type(self).__name__} needs at least two classes, got one class: "
                    f"{self.classes_[0]!r}; name all of them in `classes`"
                )
        codes = self._numbers(labels, len(frame))
        w = _sample_weight(sample_weight, frame)
        target_w = None
        if self.class_weight is not None:
            target_w = w * compute_sample_weight(self.class_weight, labels)
        target = Branch.of_groups("target", len(self.classes_))
        return self._partial_fit(X, frame, codes, target, sensitive_features, w, target_w)

    def _numbers(self, y: Any, n: int) -> Weights:
        labels = _labels(y, n, self)
        codes = np.searchsorted(self.classes_, labels).clip(max=len(self.classes_) - 1)
        if (self.classes_[codes] != labels).any():
            raise InputError(f"expected labels among {list(self.classes_)}, got others")
        return codes.astype(np.float64)

    def predict_proba(self, X: Any) -> Weights:
        """Return the probability of every class, shape (N, number of classes)."""
        check_is_fitted(self)
        said = self.model_.scores(self._frame(X, reset=False))
        return np.column_stack([1.0 - said, said]) if said.ndim == 1 else said

    def decision_function(self, X: Any) -> Weights:
        """Return log-odds: of the second of two classes, shape (N,), or of every class, (N, C)."""
        probability = self.predict_proba(X)
        tiny = np.finfo(np.float64).tiny
        odds = np.log(np.maximum(probability, tiny)) - np.log(np.maximum(1.0 - probability, tiny))
        return odds[:, 1] if len(self.classes_) == 2 else odds

    def predict(self, X: Any) -> NDArray[Any]:
        """Return the most probable label, shape (N,)."""
        probability = self.predict_proba(X)
        if len(self.classes_) == 2:
            return np.asarray(self.classes_[(probability[:, 1] >= 0.5).astype(np.intp)])
        return np.asarray(self.classes_[probability.argmax(axis=1)])


class GRADRegressor(RegressorMixin, _GRADEstimator):  # type: ignore[misc]
    """A regressor whose network unlearns what tells protected groups apart.

    As `GRADClassifier`, with the squared error for the target; Discrimination is the largest
    difference of the groups' mean predictions, in the target's units, as in Fairlearn's group
    metrics of ``mean_prediction``.

    Parameters and attributes as `GRADClassifier`, without those of classes; the epoch is chosen
    by R² where the rules speak of accuracy.

    Examples
    --------
    >>> from grad_ext import GRADRegressor, load_dataset
    >>> german = load_dataset("german", protected=["age"])
    >>> X, y = german.inputs()[["duration", "purpose"]], german.frame["credit_amount"]
    >>> older = german.frame["age"] > 25
    >>> GRADRegressor(random_state=0).fit(X, y, sensitive_features=older).predict(X).shape
    (1000,)
    """

    def fit(
        self,
        X: Any,
        y: ArrayLike,
        *,
        sensitive_features: Any = None,
        sample_weight: ArrayLike | None = None,
        validation: tuple[Any, ...] | None = None,
    ) -> Self:
        """Train on rows; parameters as `GRADClassifier.fit`, with numbers for `y`."""
        frame = self._frame(X, reset=True)
        w = _sample_weight(sample_weight, frame)
        target = Continuous("target")
        values = self._numbers(y, len(frame))
        return self._fit(X, frame, values, target, sensitive_features, w, validation)

    def _numbers(self, y: Any, n: int) -> Weights:
        values = _check_y(y, y_numeric=True, estimator=self)
        _same_length(values, n)
        return np.asarray(values, dtype=np.float64)

    def predict(self, X: Any) -> Weights:
        """Return the predicted numbers, shape (N,)."""
        check_is_fitted(self)
        return self.model_.scores(self._frame(X, reset=False))


class GRADEncoder(TransformerMixin, _GRADEstimator):  # type: ignore[misc]
    """A representation from which protected groups are hard to tell apart.

    The Auto variant: the target branch reconstructs the features, and `transform` gives the trunk's
    output, for any classifier that comes after it in a pipeline.

    Parameters and attributes as `GRADClassifier`, without those of classes. With labels the epoch
    is chosen by a logistic regression on the representation, as in the paper; without them the
    last one is kept.

    Examples
    --------
    >>> from grad_ext import GRADEncoder, load_dataset
    >>> german = load_dataset("german", protected=["age"])
    >>> X, older = german.inputs(), german.frame["age"] > 25
    >>> GRADEncoder(random_state=0).fit(X, sensitive_features=older).transform(X).shape
    (1000, 40)
    """

    _variant = "auto"

    def fit(
        self,
        X: Any,
        y: ArrayLike | None = None,
        *,
        sensitive_features: Any = None,
        sample_weight: ArrayLike | None = None,
        validation: tuple[Any, ...] | None = None,
    ) -> Self:
        """Train on rows; parameters as `GRADClassifier.fit`, and `y` may be left out."""
        frame = self._frame(X, reset=True)
        w = _sample_weight(sample_weight, frame)
        self.classes_: NDArray[Any] | None = None
        target: Branch = Features("target")
        codes = np.zeros(len(frame), dtype=np.intp)
        if y is not None and type_of_target(y) in ("binary", "multiclass"):
            labels = _labels(y, len(frame), self)
            self.classes_, codes = np.unique(labels, return_inverse=True)
            if len(self.classes_) > 1:
                target = Branch.of_groups("target", len(self.classes_))
        elif y is not None:
            _same_length(y, len(frame))
        return self._fit(
            X, frame, codes.astype(np.float64), target, sensitive_features, w, validation
        )

    def _numbers(self, y: Any, n: int) -> Weights:
        if y is None or self.classes_ is None:
            return np.zeros(n)
        return np.searchsorted(self.classes_, _labels(y, n, self)).astype(np.float64)

    def transform(self, X: Any) -> Weights:
        """Return the trunk's output, shape (N, H)."""
        check_is_fitted(self)
        return self.model_.representation(self._frame(X, reset=False))

    def get_feature_names_out(self, input_features: Any = None) -> NDArray[np.object_]:
        """Return the names of the representation's columns: ``gradencoder0`` and on."""
        check_is_fitted(self)
        units = self.model_.fitted.network.shape.trunk[-1]
        return np.array([f"gradencoder{i}" for i in range(units)], dtype=object)


def _labels(y: Any, n: int, estimator: BaseEstimator) -> NDArray[Any]:
    if y is None:
        raise InputError(
            f"{type(estimator).__name__} requires y to be passed, but the target y is None"
        )
    labels = column_or_1d(y, warn=True)
    labels = _check_y(labels, estimator=estimator)
    check_classification_targets(labels)
    _same_length(labels, n)
    return np.asarray(labels)


def _same_length(values: Any, n: int) -> None:
    if len(values) != n:
        raise InputError(f"expected as many targets as rows: {n}, got {len(values)}")


def _sample_weight(sample_weight: ArrayLike | None, frame: pd.DataFrame) -> Weights:
    if sample_weight is None:
        return np.ones(len(frame))
    checked = _check_sample_weight(sample_weight, frame, dtype=np.float64)
    return np.asarray(checked, dtype=np.float64)
