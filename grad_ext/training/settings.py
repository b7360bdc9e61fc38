"""The static settings of a model, and the recipes that decide them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

from grad_ext import checks
from grad_ext.constraints import CONSTRAINTS, DEFAULT_CONSTRAINT
from grad_ext.engine.schedules import LR_SCHEDULES, WARMUP_SCHEDULES
from grad_ext.errors import InputError, unknown
from grad_ext.outputs import ADVERSARY_INPUTS
from grad_ext.training.checkpoint import rule_named

VARIANTS = ("pred", "auto")
ENCODINGS = ("standard", "quantile")
LAM_SCALES = ("loss", "reversal")
LAMBDA = 100.0
# The values of each recipe; docs/recipe.md has the reasons. An attribute_learning_rate of None is
# that of the other branches.
BY_RECIPE: Mapping[str, Mapping[str, Any]] = {
    "paper": {
        "encoding": "standard",
        "epochs": 50,
        "batch_size": 64,  # open in the paper; docs/recipe.md has what was measured
        "learning_rate": 1e-3,  # open in the paper; the default of Chainer's Adam
        "attribute_learning_rate": None,
        "beta1": 0.9,
        "final_lr_fraction": 1.0,
        "dropout": 0.0,
        "adversary_input": "representation",
        "lam_scales": "loss",
        "saturation": (),
        "warmup": 0.0,
        "extrapolation": 0.0,
        "balance_groups": False,
        "score_penalty": 0.0,
        "checkpoint": "paper",
    },
    "steady": {
        "encoding": "quantile",
        "epochs": 30,
        "batch_size": 256,
        "learning_rate": 3e-3,
        "attribute_learning_rate": 1e-2,
        "beta1": 0.0,
        "final_lr_fraction": 0.02,
        "dropout": 0.2,
        "adversary_input": "prediction",
        "lam_scales": "reversal",
        "saturation": (35.0, 1.0),
        "warmup": 10.0,
        "extrapolation": 0.6,
        "balance_groups": True,
        "score_penalty": 0.0,
        "checkpoint": "last",
    },
    "smooth": {
        "encoding": "quantile",
        "epochs": 30,
        "batch_size": 256,
        "learning_rate": 3e-3,
        "attribute_learning_rate": 1e-2,
        "beta1": 0.0,
        "final_lr_fraction": 0.02,
        "dropout": 0.2,
        "adversary_input": "representation",
        "lam_scales": "reversal",
        "saturation": (3.0, 100.0),
        "warmup": 10.0,
        "extrapolation": 0.0,
        "balance_groups": True,
        "score_penalty": 0.01,
        "checkpoint": "last",
    },
}
# Other values for GRAD-Auto, whose target is all of the features: the trunk has 40 units for them,
# which dropout and the many columns of a quantile encoding would use up.
FOR_AUTO: Mapping[str, Mapping[str, Any]] = {
    "paper": {},
    "steady": {"encoding": "standard", "dropout": 0.0},
    "smooth": {
        "encoding": "standard",
        "dropout": 0.0,
        "saturation": (35.0, 1.0),
        "score_penalty": 0.0,  # there is no score
    },
}
RECIPES = tuple(BY_RECIPE)
# Settings that each recipe has a value for.
DECIDED = tuple(BY_RECIPE["paper"])
# Default of a setting that the recipe decides; `Settings.__post_init__` replaces it.
_RECIPES: Any = None


@dataclass(frozen=True)
class Settings:
    """The static settings: trials with equal settings can be trained in one pack.

    Settings that the recipe decides may be left out or None; a value that is given overrides the
    recipe's. The attributes are always the resolved values, so for another recipe or variant make
    new settings: `dataclasses.replace` would keep the values of the old recipe.

    Attributes
    ----------
    variant : {'pred', 'auto'}
        What the target branch predicts: the label, or the features without the protected ones.
    recipe : {'paper', 'steady', 'smooth'}, default 'smooth'
        The training recipe: exactly the paper's (GRAD, section 2); one whose last epoch can be kept,
        for every λ; or one whose λ moves the gap between the groups smoothly, from the plain
        network's at 0 to about chance at 100 or more. The following defaults are given as
        paper | steady | smooth, or as paper | both others.
    constraint : str, default 'demographic_parity'
        The rows among which predictions must be independent of the attributes, a name in
        `grad_ext.constraints.CONSTRAINTS`: all rows (demographic_parity), the rows of each label
        (equalized_odds), or those of the favorable label (equal_opportunity; Zhang et al. 2018).
    trunk, branch : tuple of int
        Hidden units of the trunk's and of each branch's layers.
    use_protected : bool
        Whether the columns of protected attributes are features of the network.
    encoding : {'standard', 'quantile'}, standard | quantile, for Auto standard
        How columns of numbers are encoded: standardised, or also piecewise linearly between their
        quantiles and with a column for each value that many rows share, since networks predict
        poorly from standardised numbers alone (Gorishniy et al. 2022, "On Embeddings for Numerical
        Features in Tabular Deep Learning").
    epochs : int, 50 | 30
        Passes over the training rows.
    batch_size : int, 64 | 256
        About the number of rows of a minibatch: an epoch's rows are divided into minibatches of
        nearly equal size, of at most an eighth of the rows.
    learning_rate : float, 0.001 | 0.003
        Learning rate of Adam.
    attribute_learning_rate : float, that of the others | 0.01
        Learning rate of the attribute branches, which have to follow the changing trunk (Heusel et
        al. 2017, "GANs Trained by a Two Time-Scale Update Rule").
    beta1 : float, 0.9 | 0
        Adam's decay of the mean gradient. Momentum makes a game between branches oscillate (Gidel et
        al. 2019, "Negative Momentum for Improved Game Dynamics").
    final_lr_fraction : float, 1 | 0.02
        Share of the learning rates at the end of the schedule; 1 keeps them constant. At a constant
        rate the game does not converge, and the last epoch is one of many that differ.
    dropout : float, 0 | 0.2, for Auto 0
        Share of the units dropped after each layer of the trunk and the target branch (Srivastava
        et al. 2014, "Dropout"). The attribute branches have no dropout.
    adversary_input : {'representation', 'prediction'}, representation | prediction | representation
        What the attribute branches get: the trunk's output, or the prediction, as a probability and
        as nearly the label (`grad_ext.engine.score_view`). With the prediction each is one linear
        layer, and its gradient is reversed into the target branch and through it into the trunk
        (Zhang et al. 2018, "Mitigating Unwanted Biases with Adversarial Learning"): only the
        prediction must be independent of the groups, and hiding them from the whole representation
        costs accuracy. For Auto it is always the representation.
    lam_scales : {'loss', 'reversal'}, loss | reversal
        What the strength s(λ) multiplies: the attribute losses, and so the attribute branches' own
        steps too, or only the gradient that is reversed into the trunk (Ganin et al. 2016,
        "Domain-Adversarial Training of Neural Networks").
    saturation : tuple of float, none | (35, 1) | (3, 100)
        A limit and a midpoint: s(λ) = limit · λ / (λ + midpoint); without them s(λ) = λ. The noise of
        the reversed gradient grows with λ and beyond some strength exceeds the target's gradient. With (35,
        1), results by construction hardly change beyond λ = 10; with (3, 100), half of the limit is
        reached at λ = 100, and the score penalty grows on.
    warmup : float, 0 | 10
        How fast the reversal grows to its strength, by default by 2 / (1 + exp(-warmup · p)) - 1 at a
        share p of all steps (Ganin et al. 2016), so that the target is learned first; 0 is the full
        strength from the first step on.
    extrapolation : float, 0 | 0.6 | 0
        For attribute branches that get the prediction: the reversed gradient is computed with their
        weights plus this many times their difference from the average over about the last ten
        steps. This damps the oscillation of the game, above all if groups and labels are correlated
        (Daskalakis et al. 2018, "Training GANs with Optimism").
    balance_groups : bool, False | True
        Weight the attribute losses so that each group has the same weight, also a rare one.
    score_penalty : float, 0 | 0 | 0.01, for Auto 0
        The strength, for each unit of λ, of a penalty on the Wasserstein-1 distance between the
        groups' distributions of predictions (`grad_ext.training.score_penalty`; Jiang et al. 2020,
        "Wasserstein Fair Classification"), so that they agree at every threshold.
    checkpoint : str, paper | last
        The rule for the epoch to keep: paper, delta, balanced_delta, last, or accuracy@0.05 for the
        highest accuracy at a Discrimination of at most 0.05.
    lr_schedule : str, default 'cosine'
        How the learning rates fall to their final fraction, a name in
        `grad_ext.engine.schedules.LR_SCHEDULES` (Loshchilov and Hutter 2017, "SGDR").
    warmup_schedule : str, default 'logistic'
        How the reversal grows, a name in `grad_ext.engine.schedules.WARMUP_SCHEDULES`.

    Raises
    ------
    InputError
        If a value cannot be used.

    Examples
    --------
    >>> from grad_ext.trial import Settings
    >>> Settings(recipe="steady", dropout=0.1).dropout
    0.1
    >>> Settings(recipe="steady").batch_size, Settings(recipe="paper").batch_size
    (256, 64)
    """

    variant: str = "pred"
    recipe: str = "smooth"
    trunk: tuple[int, ...] = (40, 40)
    branch: tuple[int, ...] = (40, 40)
    use_protected: bool = False  # open in the paper
    constraint: str = DEFAULT_CONSTRAINT
    encoding: str = _RECIPES
    epochs: int = _RECIPES
    batch_size: int = _RECIPES
    learning_rate: float = _RECIPES
    attribute_learning_rate: float = _RECIPES
    beta1: float = _RECIPES
    final_lr_fraction: float = _RECIPES
    dropout: float = _RECIPES
    adversary_input: str = _RECIPES
    lam_scales: str = _RECIPES
    saturation: tuple[float, ...] = _RECIPES
    warmup: float = _RECIPES
    extrapolation: float = _RECIPES
    balance_groups: bool = _RECIPES
    score_penalty: float = _RECIPES
    checkpoint: str = _RECIPES
    lr_schedule: str = "cosine"
    warmup_schedule: str = "logistic"

    def __post_init__(self) -> None:
        if self.recipe not in RECIPES:
            raise unknown("recipe", self.recipe, RECIPES)
        decided = BY_RECIPE[self.recipe]
        if self.variant == "auto":
            decided = {**decided, **FOR_AUTO[self.recipe]}
        for name in DECIDED:
            if getattr(self, name) is None:
                object.__setattr__(self, name, decided[name])
        if self.attribute_learning_rate is None:
            object.__setattr__(self, "attribute_learning_rate", self.learning_rate)
        if not isinstance(self.checkpoint, str):
            raise InputError(f"checkpoint must be the name of a rule, got {self.checkpoint!r}")
        rule_named(self.checkpoint)
        for name, known in _CHOICES.items():
            if getattr(self, name) not in tuple(known):
                raise unknown(name, getattr(self, name), known)
        for name in ("epochs", "batch_size"):
            object.__setattr__(self, name, checks.whole(name, getattr(self, name), 1))
        for name, check in _NUMBERS.items():
            object.__setattr__(self, name, check(name, getattr(self, name)))
        for name in ("trunk", "branch"):
            object.__setattr__(self, name, checks.whole_numbers(name, getattr(self, name)))
        for name in ("balance_groups", "use_protected"):
            object.__setattr__(self, name, checks.flag(name, getattr(self, name)))
        object.__setattr__(self, "saturation", _saturation(self.saturation))

    def with_variant(self, variant: str) -> Settings:
        """Return these settings for another variant, with the recipe's values for that variant."""
        own, other = Settings(self.variant, self.recipe), Settings(variant, self.recipe)
        changed = {
            name: getattr(other, name)
            for name in DECIDED
            if getattr(self, name) == getattr(own, name)
        }
        return replace(self, variant=variant, **changed)

    def strength(self, lam: float) -> float:
        """Return s(λ), the factor of an attribute's loss or reversed gradient."""
        if not self.saturation:
            return lam
        limit, midpoint = self.saturation
        return limit * lam / (lam + midpoint)


_CHOICES: Mapping[str, Iterable[str]] = {
    "variant": VARIANTS,
    "constraint": CONSTRAINTS,
    "encoding": ENCODINGS,
    "adversary_input": ADVERSARY_INPUTS,
    "lam_scales": LAM_SCALES,
    "lr_schedule": LR_SCHEDULES,
    "warmup_schedule": WARMUP_SCHEDULES,
}
_NUMBERS: Mapping[str, Callable[[str, object], float]] = {
    "learning_rate": checks.above_0,
    "attribute_learning_rate": checks.above_0,
    "beta1": checks.share,
    "final_lr_fraction": partial(
        checks.number, expected="above 0 and at most 1", fits=lambda x: 0 < x <= 1
    ),
    "dropout": checks.share,
    "warmup": checks.at_least_0,
    "score_penalty": checks.at_least_0,
    "extrapolation": checks.at_least_0,
}


def _saturation(given: object) -> tuple[float, ...]:
    """Return limit and midpoint as floats, or nothing."""
    if not checks.is_sequence(given) or len(given) not in (0, 2):  # type: ignore[arg-type]
        raise InputError(f"saturation must be a limit and a midpoint, or empty, got {given!r}")
    return tuple(checks.above_0("saturation", value) for value in given)  # type: ignore[attr-defined]
