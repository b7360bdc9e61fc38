"""What is asked for and what came out: the frozen values that everything else passes around."""

from __future__ import annotations

import hashlib
import json
import math
import numbers
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from functools import cached_property
from typing import Any

from grad_ext.errors import InputError, unknown
from grad_ext.outputs import CRITERIA, READS
from grad_ext.training.checkpoint import rule_named

VARIANTS = ("pred", "auto")
ENCODINGS = ("standard", "quantile")
MULTIPLIED = ("loss", "reversal")
LAMBDA = 100.0
# What decides rows and features: see `Trial.rows`.
RowsKey = tuple[object, ...]
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
        "final_rate": 1.0,
        "dropout": 0.0,
        "attributes_read": "trunk",
        "lam_multiplies": "loss",
        "saturation": (),
        "ramp": 0.0,
        "optimism": 0.0,
        "balance_groups": False,
        "select": "paper",
    },
    "steady": {
        "encoding": "quantile",
        "epochs": 30,
        "batch_size": 256,
        "learning_rate": 3e-3,
        "attribute_learning_rate": 1e-2,
        "beta1": 0.0,
        "final_rate": 0.02,
        "dropout": 0.2,
        "attributes_read": "score",
        "lam_multiplies": "reversal",
        "saturation": (35.0, 1.0),
        "ramp": 10.0,
        "optimism": 0.6,
        "balance_groups": True,
        "select": "last",
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
    criterion : {'demographic_parity', 'equalized_odds', 'equal_opportunity'}
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
    final_rate : float, 1 | 0.02
        Share of every learning rate that is left at the end of its cosine decay (Loshchilov and
        Hutter 2017, "SGDR"), step by step; 1 keeps it constant. At a constant rate the game never
        comes to rest, and the last epoch is one of many that differ.
    dropout : float, 0 | 0.2, for Auto 0
        Share of the units dropped after each layer of the trunk and the target branch (Srivastava
        et al. 2014, "Dropout"). The attribute branches keep all of theirs, to see what they can.
    attributes_read : {'trunk', 'score'}, trunk | score
        What the attribute branches see: the trunk's output, or what the target branch says, as a
        probability and as nearly the label (`grad_ext.engine.backprop.seen`). The latter are one linear
        layer each, and their gradient is reversed into the target branch and through it into the
        trunk (Zhang et al. 2018, "Mitigating Unwanted Biases with Adversarial Learning"): what must
        not tell the groups apart is the prediction, and to hide them from all else as well costs
        what the labels are told by. For a representation (Auto) it is the trunk's output anyway.
    lam_multiplies : {'loss', 'reversal'}, loss | reversal
        What the strength s(λ) multiplies: the attribute losses, and so the attribute branches' own
        steps too, or only the gradient that is reversed into the trunk (Ganin et al. 2016,
        "Domain-Adversarial Training of Neural Networks").
    saturation : tuple of float, none | (35, 1)
        A limit and a midpoint: s(λ) = limit · λ / (λ + midpoint); without them s(λ) = λ. The reversed
        gradient's noise grows with λ and beyond some strength drowns the target's gradient. Results
        that hardly change between λ = 100 and 1000 are then so by construction.
    ramp : float, 0 | 10
        How fast the reversal grows to its strength: by 2 / (1 + exp(-ramp · p)) - 1 at a share p of
        all steps (Ganin et al. 2016), so that the target is learned before it is contested; 0 is
        the whole strength from the first step on.
    optimism : float, 0 | 0.6
        How far ahead the reversed gradient looks, of branches that read the score: it comes through
        the branch's weights and this many times what they lie ahead of their mean over the last ten
        steps or so. A branch that follows late makes the game circle around its end, above all
        where groups and labels go together; going by where it is about to be damps that (Daskalakis
        et al. 2018, "Training GANs with Optimism").
    balance_groups : bool, False | True
        Weight the attribute losses so that each group counts alike, also a rare one.
    select : str, paper | last
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
    criterion: str = CRITERIA[0]
    encoding: str = _RECIPES
    epochs: int = _RECIPES
    batch_size: int = _RECIPES
    learning_rate: float = _RECIPES
    attribute_learning_rate: float = _RECIPES
    beta1: float = _RECIPES
    final_rate: float = _RECIPES
    dropout: float = _RECIPES
    attributes_read: str = _RECIPES
    lam_multiplies: str = _RECIPES
    saturation: tuple[float, ...] = _RECIPES
    ramp: float = _RECIPES
    optimism: float = _RECIPES
    balance_groups: bool = _RECIPES
    select: str = _RECIPES

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
        if not isinstance(self.select, str):
            raise InputError(f"select must be the name of a rule, got {self.select!r}")
        rule_named(self.select)
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
    "criterion": CRITERIA,
    "encoding": ENCODINGS,
    "attributes_read": READS,
    "lam_multiplies": MULTIPLIED,
}
_ABOVE_0 = "above 0", lambda x: 0 < x < math.inf
_SHARE = "of at least 0 and below 1", lambda x: 0 <= x < 1
_NUMBERS: Mapping[str, tuple[str, Callable[[float], bool]]] = {
    "learning_rate": _ABOVE_0,
    "attribute_learning_rate": _ABOVE_0,
    "beta1": _SHARE,
    "final_rate": ("above 0 and at most 1", lambda x: 0 < x <= 1),
    "dropout": _SHARE,
    "ramp": ("of at least 0", lambda x: 0 <= x < math.inf),
    "optimism": ("of at least 0", lambda x: 0 <= x < math.inf),
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


@dataclass(frozen=True)
class Trial:
    """One model to train: everything that its numbers depend on.

    Attributes
    ----------
    dataset : str
        Name of the data set.
    protected : tuple of str
        Protected attributes, in order.
    lam : float or tuple of float
        λ, the weight of the attribute losses, or of each one's; 0 is the plain network without
        attribute branches.
    seed : int
        Of the initial weights and the order of the rows.
    split_seed : int
        Of the rows' division into training, validation and test part.
    settings : Settings
        The rest.
    watched : tuple of str
        Attributes that the model is judged by but not protected against, in order. Their columns
        stay out of the features as those of protected ones do, so that models which protect one or
        the other see the same inputs.
    rival : str
        The name of the method where it is not GRAD, whose λ is then that method's knob; empty for
        GRAD, and for the plain network.
    options : mapping of str to object
        What a rival is made with beside knob and seed: numbers, texts, truth values, None, and
        sequences of them. Kept as sorted pairs.
    """

    dataset: str
    protected: tuple[str, ...]
    lam: float | tuple[float, ...] = LAMBDA
    seed: int = 0
    split_seed: int = 0
    settings: Settings = field(default_factory=Settings)
    watched: tuple[str, ...] = ()
    rival: str = ""
    options: Mapping[str, Any] | tuple[tuple[str, Any], ...] = ()

    def __post_init__(self) -> None:
        both = set(self.protected) & set(self.watched)
        if both:
            raise InputError(f"watched: {both.pop()!r} is protected already")
        object.__setattr__(self, "lam", self._checked_lam())
        if self.seed < 0:
            raise InputError(f"seed must not be negative, got {self.seed}")
        pairs = sorted(dict(self.options).items())
        object.__setattr__(self, "options", tuple((n, _plain(n, v)) for n, v in pairs))

    def _checked_lam(self) -> float | tuple[float, ...]:
        if not isinstance(self.lam, tuple):
            return checked_lambda(self.lam)
        if len(self.lam) != len(self.protected):
            raise InputError(
                f"expected a lambda for each of {len(self.protected)} protected attributes, "
                f"got {len(self.lam)}"
            )
        return tuple(checked_lambda(lam) for lam in self.lam)

    @property
    def lams(self) -> tuple[float, ...]:
        """λ of each protected attribute."""
        return self.lam if isinstance(self.lam, tuple) else (self.lam,) * len(self.protected)

    @property
    def reversing(self) -> bool:
        """Whether there is an attribute branch at all."""
        return any(lam > 0 for lam in self.lams)

    @property
    def method(self) -> str:
        """The paper's name for this model: GRAD-Pred, or NN-Pred for λ = 0; or the rival's."""
        return (
            self.rival
            or f"{'GRAD' if self.reversing else 'NN'}-{self.settings.variant.capitalize()}"
        )

    @property
    def static(self) -> tuple[object, ...]:
        """What trials of one pack must share."""
        # Whether there is a branch to reverse is a question of GRAD's only.
        kind = (self.rival, self.options) if self.rival else (self.reversing,)
        return (*self.rows, self.protected, self.settings, *kind)

    @property
    def rows(self) -> RowsKey:
        """What decides the rows and the columns that are kept from the features."""
        judged = tuple(sorted({*self.protected, *self.watched}))
        use, encoding = self.settings.use_protected, self.settings.encoding
        return (self.dataset, judged, self.split_seed, use, encoding)

    def to_json(self) -> dict[str, Any]:
        """Return the trial as plain values that JSON keeps.

        Those of a rival are left out where there is none, as before there were any, and so is the
        criterion where it is the first of them.
        """
        values = asdict(self) | {"options": dict(self.options)}
        if self.settings.criterion == CRITERIA[0]:
            del values["settings"]["criterion"]
        for name in ("rival", "options"):
            if not values[name]:
                del values[name]
        return json.loads(json.dumps(values))  # type: ignore[no-any-return]

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> Trial:
        """Return the trial that `to_json` gave."""
        settings = dict(values["settings"])
        for name in {"trunk", "branch", "saturation"} & set(settings):
            settings[name] = tuple(settings[name])
        return cls(
            **{
                **values,
                "protected": tuple(values["protected"]),
                "watched": tuple(values.get("watched", ())),
                "lam": tuple(lam) if isinstance(lam := values["lam"], list) else lam,
                "settings": Settings(**settings),
            }
        )

    @cached_property
    def key(self) -> str:
        """A hash of everything above: the trial's identity across runs and machines."""
        return fingerprint(self.to_json())


def _plain(name: str, value: object) -> object:
    """Return an option of a rival as JSON keeps it and a hash can be taken of it."""
    if isinstance(value, (list, tuple)):
        return tuple(_plain(name, item) for item in value)
    finite = not isinstance(value, float) or math.isfinite(value)
    if value is None or (isinstance(value, (str, bool, int, float)) and finite):
        return value
    raise InputError(f"options: {name!r} must be a value that JSON can hold, got {value!r}")


def fingerprint(values: object) -> str:
    """Return a short hash of a value that JSON can hold, whatever the order of its keys."""
    text = json.dumps(values, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()[:16]


@dataclass(frozen=True)
class Record:
    """One model's result: the complete trial, its figures on the test rows, and how it went.

    Attributes
    ----------
    trial : Trial
        What was asked for.
    metrics : mapping of str to float
        Figures on the test rows, by the names of results.csv; nan where undefined. None where the
        fit failed.
    epoch : int
        The epoch that was kept, counted from 1; 0 where the fit failed.
    constant : bool
        Whether every test row got the same label.
    diverged : bool
        Whether a score was not a number.
    seconds : float
        Wall time of the fit of the model's pack, divided by its members.
    predict_seconds : float
        The same of predicting the test rows; nan if it was not measured.
    peak_bytes : float
        Most resident memory that the fit of the model's pack took, over what its process held
        before; nan if it was not measured.
    error : str
        What went wrong, such as "ValueError: ..."; empty if nothing did.
    device : str
        Where it was fitted, by torch's name; rounding and dropped units depend on it.
    history : mapping of str to tuple of float
        An epoch's figure after another, by name, rounded: what `grad_ext.evaluation.told` keeps of a
        `grad_ext.training.checkpoint.History`; empty for methods without one, and in old records.
    """

    trial: Trial
    metrics: Mapping[str, float]
    epoch: int
    constant: bool
    diverged: bool
    seconds: float
    predict_seconds: float = math.nan
    peak_bytes: float = math.nan
    error: str = ""
    device: str = "cpu"
    history: Mapping[str, tuple[float, ...]] = field(default_factory=dict)

    @classmethod
    def failed(cls, trial: Trial, error: str, seconds: float) -> Record:
        """Return the record of a fit that failed after some seconds."""
        return cls(trial, {}, 0, False, False, seconds, error=error)

    def to_json(self) -> dict[str, Any]:
        """Return the record as plain values; nan becomes None, which JSON can hold."""
        return {
            "trial": self.trial.to_json(),
            "metrics": {n: None if math.isnan(v) else v for n, v in self.metrics.items()},
            "epoch": self.epoch,
            "constant": self.constant,
            "diverged": self.diverged,
            "seconds": self.seconds,
            **{n: None if math.isnan(v := getattr(self, n)) else v for n in _MEASURED},
            "error": self.error,
            "device": self.device,
            "history": {
                name: [None if math.isnan(v) else v for v in values]
                for name, values in self.history.items()
            },
        }

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> Record:
        """Return the record that `to_json` gave."""
        metrics = {n: math.nan if v is None else v for n, v in values["metrics"].items()}
        history = {
            name: tuple(math.nan if v is None else v for v in told)
            for name, told in values.get("history", {}).items()
        }
        trial = Trial.from_json(values["trial"])
        changed = {"trial": trial, "metrics": metrics, "history": history}
        measured = {n: math.nan for n in _MEASURED if values.get(n) is None}
        return cls(**{**values, **changed, **measured})


_MEASURED = ("predict_seconds", "peak_bytes")
