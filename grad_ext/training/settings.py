"""The static settings of a model, and the recipes that decide them."""

from __future__ import annotations

import math
import numbers
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from grad_ext.errors import InputError, unknown
from grad_ext.outputs import CONSTRAINTS, READS
from grad_ext.training.checkpoint import rule_named

VARIANTS = ("pred", "auto")
ENCODINGS = ("standard", "quantile")
MULTIPLIED = ("loss", "reversal")
LAMBDA = 100.0
# What each recipe decides; docs/recipe.md has the reasons at length. An attribute_learning_rate of
# None is that of the other branches.
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
        "checkpoint": "last",
    },
}
# Where it decides otherwise for GRAD-Auto, whose target is all of the features: the trunk has 40
# units for them, and what it drops or spends on a number's many columns is missing in them.
FOR_AUTO: Mapping[str, Mapping[str, Any]] = {
    "paper": {},
    "steady": {"encoding": "standard", "dropout": 0.0},
}
RECIPES = tuple(BY_RECIPE)
# Settings that each recipe has a value for.
DECIDED = tuple(BY_RECIPE["paper"])
# Stands in the constructor for the recipe's value, which takes its place at once.
_RECIPES: Any = None


@dataclass(frozen=True)
class Settings:
    """The static settings: trials with equal ones can be trained in one pack.

    Those that a recipe decides may be left out or None, and become the recipe's; what is given
    changes the recipe in this one point. The values are always the resolved ones, so for another
    recipe or variant make new settings: `dataclasses.replace` would keep the old one's.

    Attributes
    ----------
    variant : {'pred', 'auto'}
        What the target branch predicts: the label, or the features without the protected ones.
    recipe : {'paper', 'steady'}
        The training recipe: the paper's (GRAD, section 2) to the letter, or one whose last epoch
        can be kept, for whatever λ. The following settings are given as paper | steady.
    constraint : {'demographic_parity', 'equalized_odds', 'equal_opportunity'}
        What the attribute branches may not tell the groups apart by: all rows; the rows of each
        label, which they are told (Zhang et al. 2018); or the rows of the favorable label alone.
        Then groups whose labels differ may be predicted differently.
    trunk, branch : tuple of int
        Hidden units of the trunk's and of each branch's layers.
    use_protected : bool
        Let the network see the columns that hold a protected attribute.
    encoding : {'standard', 'quantile'}, standard | quantile, for Auto standard
        How columns of numbers are encoded: standardised, or also piecewise linearly between their
        quantiles and with a column for each value that many rows share, since a network sees in
        standardised numbers too little of what tells the labels apart (Gorishniy et al. 2022, "On
        Embeddings for Numerical Features in Tabular Deep Learning").
    epochs : int, 50 | 30
        Passes over the training rows.
    batch_size : int, 64 | 256
        Rows of a minibatch, about: an epoch's rows are dealt into minibatches of nearly equal size,
        of at most an eighth of the rows.
    learning_rate : float, 0.001 | 0.003
        Of Adam.
    attribute_learning_rate : float, that of the others | 0.01
        Of the attribute branches: what they have learned has to follow a trunk that moves (Heusel et
        al. 2017, "GANs Trained by a Two Time-Scale Update Rule").
    beta1 : float, 0.9 | 0
        Adam's decay of the mean gradient. Momentum makes a game between branches oscillate (Gidel et
        al. 2019, "Negative Momentum for Improved Game Dynamics").
    final_lr_fraction : float, 1 | 0.02
        Share of every learning rate that is left at the end of its cosine decay (Loshchilov and
        Hutter 2017, "SGDR"), step by step; 1 keeps it constant. At a constant rate the game never
        comes to rest, and the last epoch is one of many that differ.
    dropout : float, 0 | 0.2, for Auto 0
        Share of the units dropped after each layer of the trunk and the target branch (Srivastava
        et al. 2014, "Dropout"). The attribute branches keep all of theirs, to see what they can.
    adversary_input : {'representation', 'prediction'}, representation | prediction
        What the attribute branches see: the trunk's output, or what the target branch says, as a
        probability and as nearly the label (`grad_ext.engine.backprop.seen`). The latter are one linear
        layer each, and their gradient is reversed into the target branch and through it into the
        trunk (Zhang et al. 2018, "Mitigating Unwanted Biases with Adversarial Learning"): what must
        not tell the groups apart is the prediction, and to hide them from all else as well costs
        what the labels are told by. For a representation (Auto) it is the trunk's output anyway.
    lam_scales : {'loss', 'reversal'}, loss | reversal
        What the strength s(λ) multiplies: the attribute losses, and so the attribute branches' own
        steps too, or only the gradient that is reversed into the trunk (Ganin et al. 2016,
        "Domain-Adversarial Training of Neural Networks").
    saturation : tuple of float, none | (35, 1)
        A limit and a midpoint: s(λ) = limit · λ / (λ + midpoint); without them s(λ) = λ. The reversed
        gradient's noise grows with λ and beyond some strength drowns the target's gradient. Results
        that hardly change between λ = 100 and 1000 are then so by construction.
    warmup : float, 0 | 10
        How fast the reversal grows to its strength: by 2 / (1 + exp(-warmup · p)) - 1 at a share p of
        all steps (Ganin et al. 2016), so that the target is learned before it is contested; 0 is
        the whole strength from the first step on.
    extrapolation : float, 0 | 0.6
        How far ahead the reversed gradient looks, of branches that read the score: it comes through
        the branch's weights and this many times what they lie ahead of their mean over the last ten
        steps or so. A branch that follows late makes the game circle around its end, above all
        where groups and labels go together; going by where it is about to be damps that (Daskalakis
        et al. 2018, "Training GANs with Optimism").
    balance_groups : bool, False | True
        Weight the attribute losses so that each group counts alike, also a rare one.
    checkpoint : str, paper | last
        The rule for the epoch to keep: paper, delta, balanced_delta, last, or accuracy@0.05 for the
        highest accuracy at a Discrimination of at most 0.05.

    Examples
    --------
    >>> from grad_ext.trial import Settings
    >>> Settings(recipe="steady", dropout=0.1).dropout
    0.1
    >>> Settings(recipe="steady").batch_size, Settings(recipe="paper").batch_size
    (256, 64)
    """

    variant: str = "pred"
    recipe: str = "steady"
    trunk: tuple[int, ...] = (40, 40)
    branch: tuple[int, ...] = (40, 40)
    use_protected: bool = False  # open in the paper
    constraint: str = CONSTRAINTS[0]
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
    checkpoint: str = _RECIPES

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
            if getattr(self, name) not in known:
                raise unknown(name, getattr(self, name), known)
        for name in ("epochs", "batch_size"):
            value = getattr(self, name)
            if not isinstance(value, int) or isinstance(value, bool) or value < 1:
                raise InputError(f"{name} must be a whole number of at least 1, got {value!r}")
        for name, (expected, fits) in _NUMBERS.items():
            object.__setattr__(self, name, _number(name, getattr(self, name), expected, fits))
        if not isinstance(self.balance_groups, bool):
            raise InputError(f"balance_groups must be True or False, got {self.balance_groups!r}")
        object.__setattr__(self, "saturation", _saturation(self.saturation))

    def with_variant(self, variant: str) -> Settings:
        """Return these settings for another variant: what the recipe decided, it decides again."""
        here, there = Settings(self.variant, self.recipe), Settings(variant, self.recipe)
        changed = {
            name: getattr(there, name)
            for name in DECIDED
            if getattr(self, name) == getattr(here, name)
        }
        return replace(self, variant=variant, **changed)

    def strength(self, lam: float) -> float:
        """Return s(λ), what an attribute's loss or reversed gradient is multiplied by."""
        if not self.saturation:
            return lam
        limit, midpoint = self.saturation
        return limit * lam / (lam + midpoint)


_CHOICES = {
    "variant": VARIANTS,
    "constraint": CONSTRAINTS,
    "encoding": ENCODINGS,
    "adversary_input": READS,
    "lam_scales": MULTIPLIED,
}
_ABOVE_0 = "above 0", lambda x: 0 < x < math.inf
_SHARE = "of at least 0 and below 1", lambda x: 0 <= x < 1
_NUMBERS: Mapping[str, tuple[str, Callable[[float], bool]]] = {
    "learning_rate": _ABOVE_0,
    "attribute_learning_rate": _ABOVE_0,
    "beta1": _SHARE,
    "final_lr_fraction": ("above 0 and at most 1", lambda x: 0 < x <= 1),
    "dropout": _SHARE,
    "warmup": ("of at least 0", lambda x: 0 <= x < math.inf),
    "extrapolation": ("of at least 0", lambda x: 0 <= x < math.inf),
}


def _number(name: str, value: object, expected: str, fits: Callable[[float], bool]) -> float:
    if isinstance(value, bool) or not isinstance(value, numbers.Real) or not fits(float(value)):
        raise InputError(f"{name} must be a number {expected}, got {value!r}")
    return float(value)


def _saturation(given: object) -> tuple[float, ...]:
    """Return limit and midpoint as floats, or nothing."""
    if not isinstance(given, Sequence) or isinstance(given, str) or len(given) not in (0, 2):
        raise InputError(f"saturation must be a limit and a midpoint, or empty, got {given!r}")
    return tuple(_number("saturation", value, *_ABOVE_0) for value in given)


def checked_lambda(lam: object) -> float:
    """Return λ as a float.

    Raises
    ------
    InputError
        If it is not a number, not finite, or negative.
    """
    if isinstance(lam, bool) or not isinstance(lam, (int, float, str)):
        raise InputError(f"lambda must be a number of at least 0, got {lam!r}")
    try:
        value = float(lam)
    except ValueError:
        raise InputError(f"lambda must be a number of at least 0, got {lam!r}") from None
    if not math.isfinite(value) or value < 0:
        raise InputError(f"lambda must be a finite number of at least 0, got {lam!r}")
    return value
