"""AIF360: its data sets to and from tables, and GRAD as one of its in-processing algorithms.

A leaf: nothing but the user, the command line and the package's front door imports this file, and
only this file imports AIF360.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from sklearn.exceptions import NotFittedError

from grad_ext.data.table import Protected, Table, Target
from grad_ext.errors import InputError, MissingToolkit, unknown
from grad_ext.seeds import seed_from
from grad_ext.select import Rule
from grad_ext.sensitive import MOST_GROUPS
from grad_ext.single import VALIDATION, Model, Rows, fit_rows, lam_by_attribute, table_rows
from grad_ext.store import save
from grad_ext.trial import LAMBDA, Settings, checked_lambda

try:
    from aif360.algorithms import Transformer
    from aif360.datasets import BinaryLabelDataset
except ImportError as error:
    raise MissingToolkit("aif360", "aif360") from error

# AIF360's own separator of a categorical column's name and level.
SEPARATOR = "="


def to_aif360(table: Table) -> BinaryLabelDataset:
    """Return a table as AIF360's data set.

    Categorical features become 0/1 columns named ``column=level``. The columns that hold a
    protected attribute are replaced by one column with the attribute's name, 1 for the privileged,
    as in AIF360's own data sets. Labels keep their values if these are numbers, else the favorable
    one becomes 1 and the other 0.

    Parameters
    ----------
    table : Table
        N rows.

    Returns
    -------
    aif360.datasets.BinaryLabelDataset
        The rows in order; privileged values, label values and instance weights set.
    """
    features = table.inputs(use_protected=False)
    categorical = [c for c in features if not pd.api.types.is_numeric_dtype(features[c])]
    frame = pd.get_dummies(features, columns=categorical, prefix_sep=SEPARATOR, dtype=float)
    for attribute, privileged in zip(table.protected, table.a().T, strict=True):
        frame[attribute.name] = privileged.astype(float)
    favorable, unfavorable = table.target.favorable, table.target.unfavorable
    if not all(isinstance(v, (int, float)) for v in (favorable, unfavorable)):
        favorable, unfavorable = 1.0, 0.0
    frame[table.target.column] = np.where(table.y(), favorable, unfavorable).astype(float)
    if table.weights is not None:
        frame[table.weights] = table.w()
    k = len(table.protected)
    return BinaryLabelDataset(
        favorable_label=favorable,
        unfavorable_label=unfavorable,
        df=frame,
        label_names=[table.target.column],
        protected_attribute_names=list(table.attribute_names),
        instance_weights_name=table.weights,
        privileged_protected_attributes=[np.array([1.0])] * k,
        unprivileged_protected_attributes=[np.array([0.0])] * k,
        metadata={
            "label_maps": [
                {
                    float(favorable): str(table.target.favorable),
                    float(unfavorable): str(table.target.unfavorable),
                }
            ]
        },
    )


def from_aif360(
    dataset: BinaryLabelDataset,
    protected: Sequence[str] | None = None,
    continuous: Sequence[str] = (),
) -> Table:
    """Return AIF360's data set as a table.

    Parameters
    ----------
    dataset : aif360.datasets.BinaryLabelDataset
        N rows.
    protected : sequence of str, optional
        The attributes to protect; all of the data set's if not given.
    continuous : sequence of str, optional
        Those of them that are numbers and not groups.

    Returns
    -------
    Table
        The rows in order; a row is privileged where the data set says so. An attribute of more than
        two values has a group for each.

    Raises
    ------
    InputError
        If it is no BinaryLabelDataset, lacks one of the attributes, or one of them has too many
        values for groups.
    """
    if not isinstance(dataset, BinaryLabelDataset):
        raise InputError(f"expected a BinaryLabelDataset, got {type(dataset).__name__}")
    names = list(dataset.protected_attribute_names)
    chosen = names if protected is None else list(protected)
    if not chosen:
        raise InputError("expected at least one protected attribute, got none")
    if len(set(dataset.feature_names)) != len(dataset.feature_names):
        repeated = [n for n in dataset.feature_names if dataset.feature_names.count(n) > 1]
        raise InputError(f"feature names must differ, got {repeated[0]!r} more than once")
    label = dataset.label_names[0]
    frame = pd.DataFrame(dataset.features, columns=dataset.feature_names)
    frame[label] = dataset.labels.ravel()
    weights = _column(frame, "instance_weights", dataset.instance_weights)
    return Table(
        name=type(dataset).__name__,
        frame=frame,
        features=tuple(dataset.feature_names),
        target=Target(label, dataset.favorable_label, dataset.unfavorable_label),
        protected=tuple(_attribute(dataset, name, frame, name in continuous) for name in chosen),
        weights=weights,
    )


def _column(frame: pd.DataFrame, name: str, values: Any) -> str:
    """Add a column under a name that is free, and return that."""
    while name in frame.columns:
        name += "_"
    frame[name] = values
    return name


def _attribute(
    dataset: BinaryLabelDataset, name: str, frame: pd.DataFrame, continuous: bool
) -> Protected:
    names = list(dataset.protected_attribute_names)
    if name not in names:
        raise unknown("protected attribute", name, names)
    column = dataset.protected_attributes[:, names.index(name)]
    # The data set's `protected_attributes` say who is who, whatever the feature column holds.
    own = _column(frame, f"protected_{name}", column)
    carriers = (name, own)
    if continuous:
        return Protected(name, own, continuous=True, carriers=carriers)
    values = np.unique(column[~np.isnan(column)])
    if len(values) > MOST_GROUPS:
        raise InputError(
            f"protected attribute {name!r} has {len(values)} values; name it among `continuous`, "
            f"or group it into at most {MOST_GROUPS}"
        )
    if len(values) > 2:
        levels = tuple(float(v) for v in values)
        return Protected(name, own, levels=levels, carriers=carriers)
    privileged = dataset.privileged_protected_attributes[names.index(name)]
    return Protected(
        name, own, values=tuple(float(v) for v in np.ravel(privileged)), carriers=carriers
    )


class GRADInProcessing(Transformer):  # type: ignore[misc]
    """GRAD as an in-processing algorithm of AIF360.

    A network's trunk feeds a target branch and one attribute branch for each protected attribute,
    whose gradients are reversed into the trunk (Raff and Sylvester, "Gradient Reversal Against
    Discrimination"). The columns of the protected attributes stay out of its features unless
    `use_protected`; instance weights count in training and in the choice of the epoch.

    Parameters
    ----------
    protected : sequence of str, optional
        Names of the attributes to protect, each with a branch of its own; all of the data set's if
        not given. One of more than two values has a group for each.
    continuous : sequence of str, optional
        Those of them that are numbers and not groups, regressed by their branch.
    lam : float or mapping of str to float, default 100
        λ, the weight of the attribute branches, or of each by name; 0 gives the plain network.
    variant : {'pred', 'auto'}
        What the target branch predicts: the label, or the features without the protected ones; then
        a logistic regression on the trunk's output classifies, and `transform` gives that output.
    recipe : {'paper'}
        The training recipe.
    trunk, branch : sequence of int, default (40, 40)
        Hidden units of the trunk's and of each branch's layers.
    epochs : int, default 50
        Passes over the training rows.
    batch_size : int, default 64
        Rows of a minibatch.
    learning_rate : float, default 0.001
        Of Adam.
    use_protected : bool, default False
        Let the network see the protected columns.
    select : str or callable, default 'paper'
        Which epoch to keep; see `grad_ext.select`. The paper's rule: the lowest Discrimination on
        validation rows, ties by accuracy.
    validation : float, default 0.2
        Share of the rows held out to choose the epoch by, if `fit` is given no validation set.
    random_state : int, None or numpy generator, optional
        One integer gives one result; None draws a fresh seed, see `seed_`.

    Attributes
    ----------
    model_ : Model
        Encoder, network and history.
    constant_ : bool
        Whether the model gives every row it was fitted on the same label.
    seed_ : int
        The seed that was used.

    Raises
    ------
    InputError
        A ValueError, for settings that make no sense.

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
        trunk: Sequence[int] = Settings.trunk,
        branch: Sequence[int] = Settings.branch,
        epochs: int = Settings.epochs,
        batch_size: int = Settings.batch_size,
        learning_rate: float = Settings.learning_rate,
        use_protected: bool = Settings.use_protected,
        select: str | Rule = Settings.select,
        validation: float = VALIDATION,
        random_state: Any = None,
    ) -> None:
        if isinstance(protected, str):
            raise InputError(f"protected must be a list of names, got the string {protected!r}")
        self.settings = Settings(
            variant=variant,
            recipe=recipe,
            trunk=tuple(trunk),
            branch=tuple(branch),
            epochs=epochs,
            batch_size=batch_size,
            learning_rate=learning_rate,
            use_protected=use_protected,
            select=select if isinstance(select, str) else Settings.select,
        )
        self.rule = None if isinstance(select, str) else select
        values = lam.values() if isinstance(lam, Mapping) else [lam]
        for value in values:
            checked_lambda(value)
        self.lam = lam
        self.continuous = list(continuous)
        if not 0 < validation < 1:
            raise InputError(f"validation must be a share between 0 and 1, got {validation!r}")
        self.validation = validation
        self.protected = None if protected is None else list(protected)
        self.random_state = random_state
        super().__init__(
            protected=self.protected,
            continuous=self.continuous,
            lam=lam,
            variant=variant,
            recipe=recipe,
            trunk=tuple(trunk),
            branch=tuple(branch),
            epochs=epochs,
            batch_size=batch_size,
            learning_rate=learning_rate,
            use_protected=use_protected,
            select=select,
            validation=validation,
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
            Rows to choose the epoch by; a stratified share of the training rows if not given.

        Raises
        ------
        InputError
            A ValueError: unknown protected attribute, one with more than two values, one class or
            one group only, NaN in the features.

        Warns
        -----
        ConstantPredictionWarning
            If the model gives every row the same label.
        """
        rows = self._rows(dataset)
        held = self.validation if validation is None else self._rows(validation)
        names = [branch.name for branch in rows.task.attributes]
        self.seed_ = seed_from(self.random_state)
        self.model_: Model = fit_rows(
            rows, self.settings, lam_by_attribute(self.lam, names), self.seed_, held, self.rule
        )
        self.constant_ = self.model_.constant
        return self

    def save(self, path: str | Path) -> None:
        """Write the fitted model to a file that `grad_ext.load` reads.

        See `grad_ext.store.save`: a safetensors file, never a pickle.
        """
        save(self, path)

    def _rows(self, dataset: BinaryLabelDataset) -> Rows:
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
            Rows with the features that the model was fitted on; their labels are not looked at.

        Returns
        -------
        BinaryLabelDataset
            ``scores`` of shape (N, 1) is the probability of the favorable label; ``labels`` is the
            favorable one where that is at least 0.5.

        Raises
        ------
        ValueError
            If not fitted yet (as scikit-learn's NotFittedError), or a feature is missing or NaN.
        """
        inputs = self._inputs(dataset)
        scores = self.model_.scores(inputs)
        predicted = dataset.copy(deepcopy=True)
        predicted.scores = scores[:, None]
        favorable = scores[:, None] >= 0.5
        predicted.labels = np.where(
            favorable, dataset.favorable_label, dataset.unfavorable_label
        ).astype(np.float64)
        return predicted

    def transform(self, dataset: BinaryLabelDataset) -> BinaryLabelDataset:
        """Return a copy of the data set with the trunk's output for features (Auto only).

        Parameters
        ----------
        dataset : BinaryLabelDataset
            Rows with the features that the model was fitted on.

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
