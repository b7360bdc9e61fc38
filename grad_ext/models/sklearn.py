"""GRAD as scikit-learn estimators that fit arrays, frames and pipelines."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.base import ClassifierMixin, RegressorMixin, TransformerMixin
from sklearn.utils import compute_sample_weight
from sklearn.utils.multiclass import type_of_target
from sklearn.utils.validation import check_is_fitted

from grad_ext.data.alignment import index_of
from grad_ext.errors import InputError
from grad_ext.models.estimator import (
    Floats,
    GRADEstimator,
    check_length,
    checked_labels,
    checked_numbers,
    checked_weights,
    validation_rows,
)
from grad_ext.models.frontier_plot import plot_frontier
from grad_ext.outputs import Branch, Continuous, Features


@dataclass(kw_only=True, eq=False, repr=False)
class GRADClassifier(ClassifierMixin, GRADEstimator):  # type: ignore[misc]
    """A neural network classifier whose predictions are independent of protected attributes.

    Gradient Reversal Against Discrimination (Raff and Sylvester), the Pred variant. Frames may have
    columns of numbers and of categories; the encoding is learned from the training rows. A weight of
    two equals a row given twice, and the order of the rows does not matter.

    Parameters
    ----------
    lam : float or mapping of str to float, default 100
        λ, the weight of the attribute losses, or of each by name; 0 gives the plain network.
    trunk, branch : sequence of int, default (40, 40)
        Hidden units of each layer of the trunk and of the branches. `trunk` may also be a function
        that takes the number of features and returns a `torch.nn.Module` to use as the trunk.
    recipe : {'paper', 'steady', 'smooth'}, default 'smooth'
        The training recipe. It determines the settings from `encoding` to `checkpoint` that are
        None; `grad_ext.training.settings.Settings` describes them and lists each recipe's values.
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
        Learning rate of Adam, and that of the attribute branches.
    beta1 : float, optional
        Adam's decay of the mean gradient.
    final_lr_fraction : float, optional
        Fraction of the learning rates at the end of training; 1 keeps them constant.
    dropout : float, optional
        Share of the units dropped in the trunk and the target branch.
    adversary_input : {'representation', 'prediction'}, optional
        Input of the attribute branches: the trunk's output, or the target branch's prediction.
    lam_scales : {'loss', 'reversal'}, optional
        What λ scales: the attribute losses, or only the reversed gradient.
    saturation : (limit, midpoint) or (), optional
        The strength of the reversal is limit · λ / (λ + midpoint), or λ.
    warmup : float, optional
        How fast the reversal grows to its full strength; 0 for full strength from the first step.
    extrapolation : float, optional
        How far the weights behind the reversed gradient are extrapolated, which damps oscillation.
    balance_groups : bool, optional
        Weight the attribute losses so that all groups have the same total weight.
    score_penalty : float, optional
        Strength, for each unit of λ, of the penalty on the distance between the groups'
        distributions of predictions.
    checkpoint : str or callable, optional
        Rule that selects the epoch: ``paper`` (lowest Discrimination on validation rows, then accuracy),
        ``delta``, ``balanced_delta``, ``last``, ``accuracy@0.05`` (highest accuracy at a
        Discrimination of at most 0.05), or a function of a `grad_ext.training.checkpoint.History`.
    lr_schedule, warmup_schedule : str, default 'cosine' and 'logistic'
        How the learning rates fall and the reversal grows, names in `grad_ext.engine.schedules`.
    missing : {'use', 'drop', 'error'}, default 'use'
        What becomes of rows with missing features: numbers become the training rows' median and an
        indicator, categories a level of their own; training excludes the rows; or an error is
        raised.
    ensemble : int, default 1
        Number of models, of different seeds, whose predictions are averaged. `history_` has the
        metrics of each.
    validation : float, default 0.2
        Share of the rows held out to select the epoch, if `fit` gets no validation rows. No rows
        are held out if the rule is ``last``, the default.
    intersections : bool, default False
        Protect the combinations of all sensitive features as one attribute, instead of each feature.
    continuous : sequence of str, optional
        Sensitive features that are numbers instead of groups. Float columns with fractions and more
        than two values always are.
    prot_attr : str, sequence of str or True, optional
        AIF360's scikit-learn convention: the levels of the index of X that are sensitive features;
        True for all levels.
    class_weight : mapping, 'balanced' or None
        Weights of the classes in the target's loss, as in scikit-learn.
    bound : float or mapping of str to float, optional
        The largest gap between the groups that the model may have, for all sensitive features or for
        each: the difference between their favorable rates among the rows that the constraint
        compares. λ and the threshold are then chosen (`lam` is not used): models of several λ are
        judged on rows that they did not learn from, and the best one whose gap is within the bound,
        with its standard error, is fitted to all rows; see `path_`.
    objective : {'accuracy', 'balanced_accuracy', 'roc_auc'}, default 'accuracy'
        What is best within the bound. With 'roc_auc' the gap is the largest over all thresholds.
    random_state : int, None or numpy generator, optional
        Seed; an integer makes the result reproducible, None draws a new seed, see `seed_`.

    Attributes
    ----------
    classes_ : array
        The labels, in order.
    history_ : grad_ext.training.checkpoint.History
        Losses and metrics of every epoch.
    best_epoch_ : int
        The selected epoch, counted from 1.
    constant_ : bool
        Whether the labels that the model predicts for the rows it was fitted on are constant, or as
        good as constant: see `grad_ext.metrics.constant.nearly_constant`.
    attributes_ : tuple of grad_ext.data.sensitive.SensitiveAttribute
        The protected attributes and their groups.
    lam_ : float or mapping
        The λ of the model: `lam`, or what was chosen for `bound`.
    threshold_ : float
        Of two classes, the second is predicted from this probability on: 0.5, or what was chosen for
        `bound`.
    path_ : pandas.DataFrame
        If `bound` is given: for each λ that was tried the best threshold, accuracy, balanced
        accuracy, ROC AUC and gap with a 95 % interval, on rows that the models did not learn from,
        whether it is within the bound, and whether it was chosen.
    bound_met_ : bool
        If `bound` is given: whether the gap is within it, and the model better than a constant.
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

    class_weight: Mapping[Any, float] | str | None = None
    bound: float | Mapping[str, float] | None = None
    objective: str = "accuracy"

    def fit(
        self,
        X: Any,
        y: ArrayLike,
        *,
        sensitive_features: Any = None,
        sample_weight: ArrayLike | None = None,
        validation: tuple[Any, ...] | None = None,
        X_val: Any = None,
        y_val: ArrayLike | None = None,
        sensitive_features_val: Any = None,
    ) -> Self:
        """Train on rows.

        Parameters
        ----------
        X : array, sparse matrix or frame of shape (N, D)
            Features; a frame's columns may be categories. Sparse ones are made dense, up to 1 GiB.
        y : array of shape (N,)
            Labels, two or more.
        sensitive_features : array, Series, frame, list or mapping, optional
            Protected attributes, N rows; the attribute's loss excludes missing values. A Series or
            frame is aligned by the index of X (or y), or refused. Without attributes the model is
            the plain network, and a warning is issued.
        sample_weight : array of shape (N,), optional
            Weights of the rows; 1 if not given.
        validation : (X, y, sensitive_features), optional
            Rows to select the epoch by; a stratified share of the training rows if not given.
        X_val, y_val, sensitive_features_val : optional
            The same rows as three arguments, so that a pipeline can transform their features as it
            does those of the training rows (its parameter ``transform_input=["X_val"]``).

        Returns
        -------
        GRADClassifier
            Itself.

        Raises
        ------
        ValueError
            If parameters or rows cannot be used, or training diverged.

        Warns
        -----
        ConstantPredictionWarning
            If the model predicts the same label for all rows; `NearlyConstantWarning`, a subclass, if
            its labels are as good as constant.
        BoundWarning
            If no model is within the bound, or none of those predicts better than a constant.
        """
        frame = self._frame(X, reset=True)
        labels = checked_labels(y, len(frame), self)
        self.classes_, codes = np.unique(labels, return_inverse=True)
        if len(self.classes_) < 2:
            raise InputError(
                f"{type(self).__name__} needs at least two classes, got one class: "
                f"{self.classes_[0]!r}"
            )
        w = checked_weights(sample_weight, frame, index_of(X, y))
        target_w = None
        if self.class_weight is not None:
            target_w = w * compute_sample_weight(self.class_weight, labels)
        target = Branch.of_groups("target", len(self.classes_))
        sensitive = self._sensitive(X, y, sensitive_features, len(frame))
        held_out = validation_rows(validation, X_val, y_val, sensitive_features_val)
        return self._fit(frame, codes.astype(np.float64), target, sensitive, w, held_out, target_w)

    def plot_frontier(self, ax: Any = None) -> Any:
        """Draw what a smaller gap costs: `path_`, of a model that was fitted with `bound`.

        Parameters
        ----------
        ax : matplotlib.axes.Axes, optional
            Where to draw; a new figure's if not given.

        Returns
        -------
        matplotlib.axes.Axes

        Raises
        ------
        InputError
            If it was fitted without a bound.
        """
        return drawn_path(self, self.objective, ax)

    def partial_fit(
        self,
        X: Any,
        y: ArrayLike,
        classes: ArrayLike | None = None,
        *,
        sensitive_features: Any = None,
        sample_weight: ArrayLike | None = None,
        groups: Any = None,
    ) -> Self:
        """Train for one pass over rows, continuing from the previous call.

        The first call determines the classes (`classes`, or those of `y`), the attributes and their
        groups (`groups`, or those of `sensitive_features`), and the encoding. A new group in a later call is excluded from its branch's loss; a
        new level is encoded as zeros. No epoch is selected and the learning rates stay constant,
        since the number of calls is unknown: the model is the latest state, and `history_` has the
        metrics of each call on its own rows. `fit` starts again.

        Parameters
        ----------
        X, y, sensitive_features, sample_weight
            As for `fit`.
        classes : array, optional
            All labels of this and later calls.
        groups : mapping of str to sequence, or sequence, optional
            All groups of this and later calls, by the attribute's name or of the only attribute;
            needed if the first call shows one group of an attribute.

        Returns
        -------
        GRADClassifier
            Itself.

        Raises
        ------
        ValueError
            If parameters or rows cannot be used, or training diverged.
        """
        first = not hasattr(self, "online_")
        frame = self._frame(X, reset=first)
        labels = checked_labels(y, len(frame), self)
        if first:
            self.classes_ = np.unique(labels if classes is None else np.asarray(classes))
            if len(self.classes_) < 2:
                raise InputError(
                    f"{type(self).__name__} needs at least two classes, got one class: "
                    f"{self.classes_[0]!r}; name all of them in `classes`"
                )
        codes = self._encoded_target(labels, len(frame))
        w = checked_weights(sample_weight, frame, index_of(X, y))
        target_w = None
        if self.class_weight is not None:
            target_w = w * compute_sample_weight(self.class_weight, labels)
        target = Branch.of_groups("target", len(self.classes_))
        sensitive = self._sensitive(X, y, sensitive_features, len(frame))
        return self._partial_fit(frame, codes, target, sensitive, w, target_w, groups)

    def _encoded_target(self, y: Any, n: int) -> Floats:
        labels = checked_labels(y, n, self)
        codes = np.searchsorted(self.classes_, labels).clip(max=len(self.classes_) - 1)
        if (self.classes_[codes] != labels).any():
            raise InputError(f"expected labels among {list(self.classes_)}, got others")
        return codes.astype(np.float64)

    def predict_proba(self, X: Any) -> Floats:
        """Return the probability of every class, shape (N, number of classes)."""
        check_is_fitted(self)
        scores = self.model_.scores(self._frame(X, reset=False))
        return np.column_stack([1.0 - scores, scores]) if scores.ndim == 1 else scores

    @property
    def threshold_(self) -> float:
        """Of two classes, the second is predicted from this probability on."""
        check_is_fitted(self)
        return float(self.model_.threshold)

    def decision_function(self, X: Any) -> Floats:
        """Return log-odds: of the second of two classes, shape (N,), or of every class, (N, C).

        Of two classes it is 0 at `threshold_`, from which on the second one is predicted.
        """
        probability = self.predict_proba(X)
        tiny = np.finfo(np.float64).tiny
        odds = np.log(np.maximum(probability, tiny)) - np.log(np.maximum(1.0 - probability, tiny))
        if len(self.classes_) > 2:
            return odds
        limit = self.threshold_
        return np.asarray(odds[:, 1] - (np.log(limit) - np.log(1.0 - limit)))

    def predict(self, X: Any) -> NDArray[Any]:
        """Return the predicted label, shape (N,).

        The most probable one; of two the second, if its probability is at least `threshold_`.
        """
        probability = self.predict_proba(X)
        if len(self.classes_) == 2:
            favorable = self.model_.favorable(probability[:, 1])
            return np.asarray(self.classes_[favorable.astype(np.intp)])
        return np.asarray(self.classes_[probability.argmax(axis=1)])


@dataclass(kw_only=True, eq=False, repr=False)
class GRADRegressor(RegressorMixin, GRADEstimator):  # type: ignore[misc]
    """A neural network regressor whose predictions are independent of protected attributes.

    As `GRADClassifier`, with the squared error for the target. Discrimination is the largest
    difference between the groups' mean predictions, in the target's units, as in Fairlearn's group
    metrics of ``mean_prediction``.

    Parameters and attributes are those of `GRADClassifier` without the ones of classes; in rules
    that select the epoch R² replaces accuracy. `bound` is the largest difference between the groups'
    mean predictions, in the target's units, and the model of the highest R² within it is chosen.

    Examples
    --------
    >>> from grad_ext import GRADRegressor, load_dataset
    >>> german = load_dataset("german", protected=["age"])
    >>> X, y = german.inputs()[["duration", "purpose"]], german.frame["credit_amount"]
    >>> older = german.frame["age"] > 25
    >>> GRADRegressor(random_state=0).fit(X, y, sensitive_features=older).predict(X).shape
    (1000,)
    """

    bound: float | Mapping[str, float] | None = None

    def fit(
        self,
        X: Any,
        y: ArrayLike,
        *,
        sensitive_features: Any = None,
        sample_weight: ArrayLike | None = None,
        validation: tuple[Any, ...] | None = None,
        X_val: Any = None,
        y_val: ArrayLike | None = None,
        sensitive_features_val: Any = None,
    ) -> Self:
        """Train on rows; as `GRADClassifier.fit`, with numbers for `y`."""
        frame = self._frame(X, reset=True)
        w = checked_weights(sample_weight, frame, index_of(X, y))
        target = Continuous("target")
        values = self._encoded_target(y, len(frame))
        sensitive = self._sensitive(X, y, sensitive_features, len(frame))
        held_out = validation_rows(validation, X_val, y_val, sensitive_features_val)
        return self._fit(frame, values, target, sensitive, w, held_out)

    def _encoded_target(self, y: Any, n: int) -> Floats:
        return checked_numbers(y, n, self)

    def plot_frontier(self, ax: Any = None) -> Any:
        """Draw what a smaller gap costs, as `GRADClassifier.plot_frontier`."""
        return drawn_path(self, "r2", ax)

    def predict(self, X: Any) -> Floats:
        """Return the predicted numbers, shape (N,)."""
        check_is_fitted(self)
        return self.model_.scores(self._frame(X, reset=False))


def drawn_path(fitted: Any, objective: str, ax: Any) -> Any:
    """Draw the path of an estimator that was fitted with a bound.

    Raises
    ------
    InputError
        If it has none.
    """
    check_is_fitted(fitted)
    if not hasattr(fitted, "path_"):
        raise InputError(
            "plot_frontier: expected a model that was fitted with bound=, got no path_"
        )
    bounds = {*(fitted.bound.values() if isinstance(fitted.bound, Mapping) else [fitted.bound])}
    return plot_frontier(fitted.path_, bounds.pop() if len(bounds) == 1 else None, objective, ax)


class GRADEncoder(TransformerMixin, GRADEstimator):  # type: ignore[misc]
    """A transformer that learns a representation, trained against protected attributes.

    The Auto variant: the target branch reconstructs the features, and `transform` returns the
    trunk's output, for any later step of a pipeline. Its attribute branches find little in it, but
    stronger classifiers may find more: see `grad_ext.audit`.

    Parameters and attributes are those of `GRADClassifier` without the ones of classes. With labels
    the epoch is selected by a logistic regression on the representation, as in the paper; without
    labels it is the last one.

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
        X_val: Any = None,
        y_val: ArrayLike | None = None,
        sensitive_features_val: Any = None,
    ) -> Self:
        """Train on rows; as `GRADClassifier.fit`, where `y` is optional."""
        if self.ensemble != 1:
            raise InputError(
                f"ensemble: a GRADEncoder has one representation, expected 1, got {self.ensemble!r}"
            )
        frame = self._frame(X, reset=True)
        w = checked_weights(sample_weight, frame, index_of(X, y))
        self.classes_: NDArray[Any] | None = None
        target: Branch = Features("target")
        codes = np.zeros(len(frame), dtype=np.intp)
        if y is not None and type_of_target(y) in ("binary", "multiclass"):
            labels = checked_labels(y, len(frame), self)
            self.classes_, codes = np.unique(labels, return_inverse=True)
            if len(self.classes_) > 1:
                target = Branch.of_groups("target", len(self.classes_))
        elif y is not None:
            check_length(y, len(frame))
        sensitive = self._sensitive(X, y, sensitive_features, len(frame))
        held_out = validation_rows(validation, X_val, y_val, sensitive_features_val)
        return self._fit(frame, codes.astype(np.float64), target, sensitive, w, held_out)

    def _encoded_target(self, y: Any, n: int) -> Floats:
        if y is None or self.classes_ is None:
            return np.zeros(n)
        return np.searchsorted(self.classes_, checked_labels(y, n, self)).astype(np.float64)

    def transform(self, X: Any) -> Floats:
        """Return the trunk's output, shape (N, H)."""
        check_is_fitted(self)
        return self.model_.representation(self._frame(X, reset=False))

    def get_feature_names_out(self, input_features: Any = None) -> NDArray[np.object_]:
        """Return the names of the representation's columns: ``gradencoder0``, ``gradencoder1``, ..."""
        check_is_fitted(self)
        units = self.model_.fitted.network.shape.trunk[-1]
        return np.array([f"gradencoder{i}" for i in range(units)], dtype=object)
