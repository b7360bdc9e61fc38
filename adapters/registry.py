"""All baselines of GRAD by name, each with its title, its hyperparameter and what it needs.

Reading the registry imports no toolkit; `Baseline.method` imports the one file that holds the method.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from importlib import import_module
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

from grad_ext.errors import MissingToolkit, unknown

if TYPE_CHECKING:
    from grad_ext.method import Method


@dataclass(frozen=True)
class Baseline:
    """A method that GRAD is compared with.

    Attributes
    ----------
    title : str
        Its name in tables and figures.
    factory : str
        Module, and function or class of it that returns the method, joined by a colon.
    hyperparameter : str
        Its own name of a trial's λ; empty if it has no hyperparameter.
    values : tuple of float
        The hyperparameter's values in a sweep, from the least fair to the fairest.
    default : float
        The hyperparameter's value otherwise: the toolkit's default, if that works.
    needs_attributes : bool
        Whether it needs the protected attributes for prediction.
    seeded : bool
        Whether its models depend on the seed; deterministic methods are run once.
    several : {'separate', 'crossed', 'intersection', ''}
        How it treats several protected attributes: as they are; every combination of their groups
        as a group; the rows that are privileged in all of them as one group and all others as the
        other. Empty if it uses none.
    packages : mapping of str to str
        The packages that it needs, with the extra of grad-ext that installs each.
    options : mapping of str to object
        Keyword arguments of the factory.
    cost : float
        About how many seconds a fit on Adult takes on one thread of a busy server. Comparisons begin
        with the longest fits.
    width : int
        How many of its models are fitted together at most: in a pack, or in one child process, since
        that takes seconds to start.
    """

    title: str
    factory: str
    hyperparameter: str = ""
    values: tuple[float, ...] = ()
    default: float = 0.0
    needs_attributes: bool = False
    seeded: bool = False
    several: str = ""
    packages: Mapping[str, str] = field(default_factory=dict)
    options: Mapping[str, Any] = field(default_factory=dict)
    cost: float = 1.0
    width: int = 1

    @property
    def missing(self) -> MissingToolkit | None:
        """The error that names the extra to install, if a package is missing, else None."""
        for package, extra in self.packages.items():
            if find_spec(package) is None:
                return MissingToolkit(package, extra)
        return None

    def method(self, **options: Any) -> Method:
        """Return the method.

        Parameters
        ----------
        **options : object
            Keyword arguments of the factory, beside those in `options` or instead of them.

        Raises
        ------
        MissingToolkit
            If a package is missing.
        """
        if self.missing is not None:
            raise self.missing
        module, _, name = self.factory.partition(":")
        method: Method = getattr(import_module(module), name)(**{**self.options, **options})
        return method


_PLAIN = "grad_ext.adapters.plain"
_FAIRLEARN = "grad_ext.adapters.fairlearn"
_AIF360 = "grad_ext.adapters.aif360.baselines"
_PENALTIES = "grad_ext.adapters.neural.penalties"
_NEEDS_LIGHTGBM = {"lightgbm": "lightgbm"}
_NEEDS_FAIRLEARN = {"fairlearn": "fairlearn"}
_NEEDS_AIF360 = {"aif360": "aif360"}
_NEEDS_BOTH = {**_NEEDS_AIF360, **_NEEDS_FAIRLEARN}
_NEEDS_TENSORFLOW = {**_NEEDS_AIF360, "tensorflow": "tensorflow"}
_BOUNDS = (0.1, 0.05, 0.02, 0.01, 0.005, 0.002)
_WEIGHTS = (0.0, 0.25, 0.5, 0.75, 1.0)
# Models in one child process of AIF360's.
_WIDTH = 5

BASELINES: dict[str, Baseline] = {
    "majority": Baseline("Majority class", f"{_PLAIN}:majority_class"),
    "logistic": Baseline("Logistic regression", f"{_PLAIN}:logistic_regression"),
    "boosting": Baseline("Gradient boosting", f"{_PLAIN}:gradient_boosting", seeded=True, cost=3.0),
    "lightgbm": Baseline("LightGBM", f"{_PLAIN}:light_gradient_boosting", packages=_NEEDS_LIGHTGBM),
    "plug-in": Baseline(
        "Plug-in rule without the attribute",
        f"{_PLAIN}:plug_in",
        hyperparameter="strength",
        values=(0.0, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5),
        default=0.05,
        seeded=True,
        several="crossed",
        cost=15.0,
    ),
    "mmd": Baseline(
        "Network with MMD penalty",
        f"{_PENALTIES}:mmd",
        hyperparameter="strength",
        values=(0.0, 0.25, 0.5, 1.0, 2.0, 4.0),
        default=1.0,
        seeded=True,
        several="separate",
        cost=30.0,
        width=16,
    ),
    "hsic": Baseline(
        "Network with HSIC penalty",
        f"{_PENALTIES}:hsic",
        hyperparameter="strength",
        values=(0.0, 0.25, 0.5, 1.0, 2.0, 4.0),
        default=1.0,
        seeded=True,
        several="separate",
        cost=30.0,
        width=16,
    ),
    "fairret": Baseline(
        "fairret (network with its norm loss)",
        f"{_PENALTIES}:fairret",
        hyperparameter="strength",
        values=(0.0, 0.03, 0.1, 0.3, 1.0, 3.0),
        default=0.3,
        seeded=True,
        several="separate",
        packages={"fairret": "fairret"},
        cost=25.0,
        width=16,
    ),
    "lfr": Baseline(
        "LFR (AIF360)",
        f"{_AIF360}:lfr",
        hyperparameter="fairness_weight",
        values=(0.0, 0.5, 1.0, 2.0, 5.0, 10.0),
        default=5.0,
        seeded=True,
        several="intersection",
        packages=_NEEDS_AIF360,
        cost=80.0,
    ),
    "vfae": Baseline(
        "VFAE",
        "grad_ext.adapters.neural.vfae:VFAE",
        hyperparameter="beta",
        # Predictions are constant on German at 1000, and on Adult at 3000: the grid goes no further.
        values=(0.0, 30.0, 100.0, 300.0, 1000.0),
        default=100.0,
        seeded=True,
        several="separate",
        cost=50.0,
        width=16,
    ),
    "alfr": Baseline(
        "ALFR",
        "grad_ext.adapters.neural.alfr:ALFR",
        hyperparameter="beta",
        values=(0.0, 0.1, 1.0, 5.0, 50.0),
        default=5.0,
        seeded=True,
        several="separate",
        cost=5.0,
        width=16,
    ),
    "aif360-adversarial": Baseline(
        "AdversarialDebiasing (AIF360)",
        "grad_ext.adapters.aif360.adversarial:adversarial_debiasing",
        hyperparameter="adversary_loss_weight",
        values=(0.0, 0.1, 0.3, 1.0, 3.0, 10.0),
        default=0.1,
        seeded=True,
        several="intersection",
        packages=_NEEDS_TENSORFLOW,
        cost=9.0,
        width=_WIDTH,
    ),
    "aif360-reweighing": Baseline(
        "Reweighing (AIF360)",
        f"{_AIF360}:reweighing",
        several="crossed",
        packages=_NEEDS_AIF360,
    ),
    "aif360-exponentiated-gradient": Baseline(
        "ExponentiatedGradientReduction (AIF360)",
        f"{_AIF360}:exponentiated_gradient_reduction",
        hyperparameter="difference_bound",
        values=_BOUNDS,
        default=0.01,
        several="crossed",
        packages=_NEEDS_BOTH,
        cost=25.0,
        width=_WIDTH,
    ),
    "aif360-grid-search": Baseline(
        "GridSearchReduction (AIF360)",
        f"{_AIF360}:grid_search_reduction",
        hyperparameter="constraint_weight",
        values=_WEIGHTS,
        default=0.5,
        several="crossed",
        packages=_NEEDS_BOTH,
        cost=22.0,
        width=_WIDTH,
    ),
    "aif360-gerry-fair": Baseline(
        "GerryFairClassifier (AIF360)",
        f"{_AIF360}:gerry_fair",
        hyperparameter="gamma",
        values=(0.03, 0.01, 0.003, 0.001),
        default=0.01,
        several="separate",
        packages=_NEEDS_AIF360,
        cost=6.0,
        width=_WIDTH,
    ),
    "aif360-reject-option": Baseline(
        "RejectOptionClassification (AIF360)",
        f"{_AIF360}:reject_option",
        hyperparameter="metric_ub",
        values=_BOUNDS,
        default=0.05,
        needs_attributes=True,
        several="intersection",
        packages=_NEEDS_AIF360,
        cost=45.0,
        # Four fits in one process held 4.7 GiB on Adult.
    ),
    "aif360-equalized-odds": Baseline(
        "EqOddsPostprocessing (AIF360)",
        f"{_AIF360}:equalized_odds",
        needs_attributes=True,
        seeded=True,
        several="intersection",
        packages=_NEEDS_AIF360,
        cost=4.0,
        width=_WIDTH,
    ),
    "aif360-calibrated-equalized-odds": Baseline(
        "CalibratedEqOddsPostprocessing (AIF360)",
        f"{_AIF360}:calibrated_equalized_odds",
        needs_attributes=True,
        seeded=True,
        several="intersection",
        packages=_NEEDS_AIF360,
        cost=4.0,
        width=_WIDTH,
    ),
    "fairlearn-adversarial": Baseline(
        "AdversarialFairnessClassifier (Fairlearn)",
        f"{_FAIRLEARN}:adversarial",
        hyperparameter="alpha",
        values=(0.0, 0.1, 0.3, 1.0, 3.0, 10.0, 30.0),
        default=1.0,
        seeded=True,
        several="crossed",
        packages=_NEEDS_FAIRLEARN,
        cost=17.0,
    ),
    "fairlearn-exponentiated-gradient": Baseline(
        "ExponentiatedGradient (Fairlearn)",
        f"{_FAIRLEARN}:exponentiated_gradient",
        hyperparameter="difference_bound",
        values=_BOUNDS,
        default=0.01,
        several="crossed",
        packages=_NEEDS_FAIRLEARN,
        cost=25.0,
    ),
    "fairlearn-exponentiated-gradient-boosting": Baseline(
        "ExponentiatedGradient, boosting (Fairlearn)",
        f"{_FAIRLEARN}:exponentiated_gradient",
        hyperparameter="difference_bound",
        values=(0.1, 0.03, 0.01, 0.003),
        default=0.01,
        seeded=True,
        several="crossed",
        packages=_NEEDS_FAIRLEARN,
        # Fairlearn's default of 50 rounds, of a hundred trees each, takes minutes.
        options={"base": "boosting", "max_iter": 10},
        cost=110.0,
    ),
    "fairlearn-grid-search": Baseline(
        "GridSearch (Fairlearn)",
        f"{_FAIRLEARN}:grid_search",
        hyperparameter="constraint_weight",
        values=_WEIGHTS,
        default=0.5,
        several="crossed",
        packages=_NEEDS_FAIRLEARN,
        cost=22.0,
    ),
    "fairlearn-exponentiated-gradient-lightgbm": Baseline(
        "ExponentiatedGradient, LightGBM (Fairlearn)",
        f"{_FAIRLEARN}:exponentiated_gradient",
        hyperparameter="difference_bound",
        values=(0.2, *_BOUNDS),
        default=0.01,
        several="crossed",
        packages={**_NEEDS_FAIRLEARN, **_NEEDS_LIGHTGBM},
        options={"base": "lightgbm"},
        cost=60.0,
    ),
    "fairlearn-grid-search-lightgbm": Baseline(
        "GridSearch, LightGBM (Fairlearn)",
        f"{_FAIRLEARN}:grid_search",
        hyperparameter="constraint_weight",
        values=_WEIGHTS,
        default=0.5,
        several="crossed",
        packages={**_NEEDS_FAIRLEARN, **_NEEDS_LIGHTGBM},
        options={"base": "lightgbm"},
        cost=30.0,
    ),
    "fairlearn-threshold-lightgbm": Baseline(
        "ThresholdOptimizer, LightGBM (Fairlearn)",
        f"{_FAIRLEARN}:threshold_optimizer",
        hyperparameter="tol",
        values=(0.1, 0.05, 0.02, 0.01, 0.0),
        needs_attributes=True,
        several="crossed",
        packages={**_NEEDS_FAIRLEARN, **_NEEDS_LIGHTGBM},
        options={"base": "lightgbm"},
        cost=2.0,
    ),
    "fairlearn-threshold": Baseline(
        "ThresholdOptimizer (Fairlearn)",
        f"{_FAIRLEARN}:threshold_optimizer",
        hyperparameter="tol",
        values=(0.1, 0.05, 0.02, 0.01, 0.0),
        needs_attributes=True,
        several="crossed",
        packages=_NEEDS_FAIRLEARN,
    ),
}


def baseline(name: str) -> Baseline:
    """Return the baseline of the given name.

    Raises
    ------
    InputError
        If there is none; the nearest names are listed.
    """
    if name not in BASELINES:
        raise unknown("method", name, BASELINES)
    return BASELINES[name]
