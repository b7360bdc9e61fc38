"""GRAD as one of AIF360's in-processing algorithms."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from sklearn.exceptions import NotFittedError

from grad_ext import checks
from grad_ext.adapters.aif360.datasets import from_aif360
from grad_ext.errors import InputError, MissingToolkit
from grad_ext.models.bound import OBJECTIVES, fit_within
from grad_ext.models.fit import VALIDATION, Model, Samples, fit_rows, lam_by_attribute, table_rows
from grad_ext.models.persistence import save
from grad_ext.seeds import seed_from
from grad_ext.training.checkpoint import CheckpointRule
from grad_ext.training.settings import LAMBDA, Settings

try:
    from aif360.algorithms import Transformer
    from aif360.datasets import BinaryLabelDataset
except ImportError as error:
    raise MissingToolkit("aif360", "aif360") from error


class GRADInProcessing(Transformer):  # type: ignore[misc]
    """GRAD as an in-processing algorithm of AIF360.

    A network's trunk feeds a target branch and one attribute branch for each protected attribute,
    whose gradients are reversed into the trunk (Raff and Sylvester, "Gradient Reversal Against
    Discrimination"). The columns of the protected attributes stay out of its features unless
    `use_protected`; instance weights count in training and in the choice of the epoch.

    Parameters
    ----------
    protected : sequence of str, optional
        Names of the protected attributes, each with its own branch; all of the data set's if not
        given. An attribute of more than two values has a group for each.
    continuous : sequence of str, optional
        Those of them that are numbers instead of groups, which their branch predicts by regression.
    lam : float or mapping of str to float, default 100
        λ, the weight of the attribute branches, or of each by name; 0 gives the plain network.
    variant : {'pred', 'auto'}
        The target branch predicts the label, or the features without the protected ones. With
        'auto', a logistic regression on the trunk's output classifies, and `transform` returns that
        output.
    recipe : {'paper', 'steady', 'smooth'}, default 'smooth'
        The training recipe. It decides the settings from `encoding` to `checkpoint` that are None.
    constraint : str, default 'demographic_parity'
        The rows among which predictions must be independent of the groups, a name in
        `grad_ext.constraints.CONSTRAINTS`: all rows (demographic_parity), the rows of each label
        (equalized_odds), or those of the favorable label (equal_opportunity).
    trunk, branch : sequence of int, default (40, 40)
        Hidden units of the trunk's and of each branch's layers.
    use_protected : bool, default False
        Whether the protected columns are features of the network.
    encoding, epochs, batch_size, learning_rate, attribute_learning_rate, beta1, final_lr_fraction, \
dropout, adversary_input, lam_scales, saturation, warmup, extrapolation, balance_groups, score_penalty : optional
        See `grad_ext.training.settings.Settings`; the recipe's if None.
    checkpoint : str or callable, optional
        The rule for the epoch to keep; see `grad_ext.training.checkpoint`. The recipe's if None: the
        last epoch, or the paper's rule, the lowest Discrimination on validation rows, ties by
        accuracy.
    validation : float, default 0.2
        Share of the rows that is held out to choose the epoch, if `fit` gets no validation set. No
        rows are held out if the last epoch is kept, as it is by default.
    ensemble : int, default 1
        Number of models, of different seeds, whose scores are averaged.
    bound : float or mapping of str to float, optional
        The largest gap between the groups, for all attributes or for each: λ and the threshold are
        then chosen, see `grad_ext.GRADClassifier`, and `lam` is not used.
    objective : {'accuracy', 'balanced_accuracy', 'roc_auc'}, default 'accuracy'
        What is best within the bound.
    random_state : int, None or numpy generator, optional
        An integer makes the results reproducible; None draws a fresh seed, see `seed_`.

    Attributes
    ----------
    model_ : Model
        Encoder, network and history.
    constant_ : bool
        Whether the labels predicted for the training rows are constant, or as good as constant: see
        `grad_ext.metrics.constant.nearly_constant`.
    seed_ : int
        The seed that was used.
    lam_, path_, bound_met_
        As those of `grad_ext.GRADClassifier`.

    Raises
    ------
    InputError
        A ValueError, if a setting is out of range or unknown.

    Examples
    --------
    >>> from grad_ext import GRADInProcessing, load_dataset
    >>> german = load_dataset("german", protected=["age"]).to_aif360()
    >>> train, test = german.split([0.8], shuffle=True, seed=0)
    >>> grad = GRADInProcessing(protected=["age"], random_state=0).fit(train)
    >>> grad.predict(test).labels.shape
    (200, 1)
    """

    def __init__(
        self,
        *,
        protected: Sequence[str] | None = None,
        continuous: Sequence[str] = (),
        lam: float | Mapping[str, float] = LAMBDA,
        variant: str = Settings.variant,
        recipe: str = Settings.recipe,
        constraint: str = Settings.constraint,
        trunk: Sequence[int] = Settings.trunk,
        branch: Sequence[int] = Settings.branch,
        use_protected: bool = Settings.use_protected,
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
        score_penalty: float | None = None,
        checkpoint: str | CheckpointRule | None = None,
        lr_schedule: str = Settings.lr_schedule,
        warmup_schedule: str = Settings.warmup_schedule,
        validation: float = VALIDATION,
        ensemble: int = 1,
        bound: float | Mapping[str, float] | None = None,
        objective: str = "accuracy",
        random_state: Any = None,
    ) -> None:
        if isinstance(protected, str):
            raise InputError(f"protected must be a list of names, got the string {protected!r}")
        given: dict[str, Any] = {
            "variant": variant,
            "recipe": recipe,
            "constraint": constraint,
            "trunk": tuple(trunk),
            "branch": tuple(branch),
            "use_protected": use_protected,
            "encoding": encoding,
            "epochs": epochs,
            "batch_size": batch_size,
            "learning_rate": learning_rate,
            "attribute_learning_rate": attribute_learning_rate,
            "beta1": beta1,
            "final_lr_fraction": final_lr_fraction,
            "dropout": dropout,
            "adversary_input": adversary_input,
            "lam_scales": lam_scales,
            "saturation": saturation,
            "warmup": warmup,
            "extrapolation": extrapolation,
            "balance_groups": balance_groups,
            "score_penalty": score_penalty,
            "checkpoint": checkpoint,
            "lr_schedule": lr_schedule,
            "warmup_schedule": warmup_schedule,
        }
        self.settings = Settings(
            **{**given, "checkpoint": None if callable(checkpoint) else checkpoint}
        )
        self.rule = checkpoint if callable(checkpoint) else None
        values = lam.values() if isinstance(lam, Mapping) else [lam]
        for value in values:
            checks.lam(value)
        self.lam = lam
        self.continuous = list(continuous)
        if not 0 < validation < 1:
            raise InputError(f"validation must be a share between 0 and 1, got {validation!r}")
        self.validation = validation
        self.ensemble = checks.whole("ensemble", ensemble, 1)
        if variant == "auto" and (self.ensemble > 1 or bound is not None):
            raise InputError("variant 'auto': expected ensemble=1 and no bound")
        self.bound, self.objective = bound, checks.choice("objective", objective, OBJECTIVES)
        self.protected = None if protected is None else list(protected)
        self.random_state = random_state
        super().__init__(
            protected=self.protected,
            continuous=self.continuous,
            lam=lam,
            **given,
            validation=validation,
            ensemble=self.ensemble,
            bound=bound,
            objective=objective,
            random_state=random_state,
        )

    def fit(
        self, dataset: BinaryLabelDataset, validation: BinaryLabelDataset | None = None
    ) -> GRADInProcessing:
        """Train on a data set.

        Parameters
        ----------
        dataset : BinaryLabelDataset
            Training rows.
        validation : BinaryLabelDataset, optional
            Rows by which the epoch is chosen; a stratified share of the training rows if not given.

        Raises
        ------
        InputError
            A ValueError: unknown protected attribute, one with more than two values, one class or
            one group only, NaN in the features.

        Warns
        -----
        ConstantPredictionWarning
            If the predicted label is the same for all rows; `NearlyConstantWarning`, a subclass, if the
            labels are as good as constant.
        """
        rows = self._rows(dataset)
        held_out = self.validation if validation is None else self._rows(validation)
        names = [branch.name for branch in rows.task.attributes]
        self.seed_ = seed_from(self.random_state)
        self.model_: Model
        if self.bound is None:
            lam = lam_by_attribute(self.lam, names)
            self.model_ = fit_rows(
                rows, self.settings, lam, self.seed_, held_out, self.rule, ensemble=self.ensemble
            )
            self.lam_ = self.lam
        elif self.rule is not None:
            raise InputError("bound: expected the checkpoint 'last', got a function")
        else:
            self.model_, choice = fit_within(
                rows, self.settings, self.bound, self.objective, self.seed_, self.ensemble
            )
            self.lam_, self.path_ = choice.lam, choice.path
            self.bound_met_ = choice.met and choice.useful
        self.constant_ = self.model_.constant
        return self

    def save(self, path: str | Path) -> None:
        """Write the fitted model to a file that `grad_ext.load` reads.

        See `grad_ext.models.persistence.save`: a safetensors file, never a pickle.
        """
        save(self, path)

    def _rows(self, dataset: BinaryLabelDataset) -> Samples:
        table = from_aif360(dataset, self.protected, self.continuous)
        return table_rows(table, self.settings.use_protected)

    def _inputs(self, dataset: BinaryLabelDataset) -> pd.DataFrame:
        if not hasattr(self, "model_"):
            raise NotFittedError("this GRADInProcessing is not fitted yet; call fit first")
        table = from_aif360(dataset, self.protected, self.continuous)
        return table.inputs(self.settings.use_protected)

    def predict(self, dataset: BinaryLabelDataset) -> BinaryLabelDataset:
        """Return a copy of the data set with predicted labels and scores.

        Parameters
        ----------
        dataset : BinaryLabelDataset
            Rows with the features that the model was fitted to; their labels are not used.

        Returns
        -------
        BinaryLabelDataset
            ``scores`` of shape (N, 1) is the probability of the favorable label; ``labels`` is the
            favorable one where that is at least ``model_.threshold``, 0.5 unless `bound` chose another.

        Raises
        ------
        ValueError
            If not fitted yet (as scikit-learn's NotFittedError), or a feature is missing or NaN.
        """
        inputs = self._inputs(dataset)
        scores = self.model_.scores(inputs)
        predicted = dataset.copy(deepcopy=True)
        predicted.scores = scores[:, None]
        favorable = self.model_.favorable(scores)[:, None]
        predicted.labels = np.where(
            favorable, dataset.favorable_label, dataset.unfavorable_label
        ).astype(np.float64)
        return predicted

    def transform(self, dataset: BinaryLabelDataset) -> BinaryLabelDataset:
        """Return a copy of the data set with the trunk's output as features (Auto only).

        Parameters
        ----------
        dataset : BinaryLabelDataset
            Rows with the features that the model was fitted to.

        Returns
        -------
        BinaryLabelDataset
            ``features`` of shape (N, H), named ``unit_0`` and on; labels, protected attributes and
            weights as they were.

        Raises
        ------
        ValueError
            If not fitted yet, not the Auto variant, or a feature is missing or NaN.
        """
        if self.settings.variant != "auto":
            raise InputError(
                f"transform needs variant='auto', got variant={self.settings.variant!r}"
            )
        inputs = self._inputs(dataset)
        representation = self.model_.representation(inputs)
        transformed = dataset.copy(deepcopy=True)
        transformed.features = representation
        transformed.feature_names = [f"unit_{i}" for i in range(representation.shape[1])]
        return transformed
