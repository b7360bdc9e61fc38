"""What is asked for and what came out: the frozen values that everything else passes around."""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from grad_ext.errors import InputError, unknown
from grad_ext.select import rule_named

VARIANTS = ("pred", "auto")
RECIPES = ("paper",)
LAMBDA = 100.0
# What decides rows and features: see `Trial.rows`.
RowsKey = tuple[object, ...]


@dataclass(frozen=True)
class Settings:
    """The static settings: trials with equal ones can be trained in one pack.

    Defaults are the paper's (GRAD, section 2) where it says; the comment says what it leaves open.

    Attributes
    ----------
    variant : {'pred', 'auto'}
        What the target branch predicts: the label, or the features without the protected ones.
    recipe : {'paper'}
        The training recipe.
    trunk, branch : tuple of int
        Hidden units of the trunk's and of each branch's layers.
    epochs : int
        Passes over the training rows.
    batch_size : int
        Rows of a minibatch, about: an epoch's rows are dealt into minibatches of nearly equal size.
    learning_rate : float
        Of Adam, whose other constants are the usual ones.
    use_protected : bool
        Let the network see the columns that hold a protected attribute.
    select : str
        The rule for the epoch to keep: paper, delta, balanced_delta, last, or accuracy@0.05 for the
        highest accuracy at a Discrimination of at most 0.05.
    """

    variant: str = "pred"
    recipe: str = "paper"
    trunk: tuple[int, ...] = (40, 40)
    branch: tuple[int, ...] = (40, 40)
    epochs: int = 50
    batch_size: int = 64  # open in the paper; docs/recipe.md has what was measured
    learning_rate: float = 1e-3  # open in the paper; the default of Chainer's Adam
    use_protected: bool = False  # open in the paper
    select: str = "paper"

    def __post_init__(self) -> None:
        rule_named(self.select)
        if self.variant not in VARIANTS:
            raise unknown("variant", self.variant, VARIANTS)
        if self.recipe not in RECIPES:
            raise unknown("recipe", self.recipe, RECIPES)
        for name in ("epochs", "batch_size"):
            value = getattr(self, name)
            if not isinstance(value, int) or isinstance(value, bool) or value < 1:
                raise InputError(f"{name} must be a whole number of at least 1, got {value!r}")
        if not (math.isfinite(self.learning_rate) and self.learning_rate > 0):
            raise InputError(f"learning_rate must be a number above 0, got {self.learning_rate!r}")


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
    """

    dataset: str
    protected: tuple[str, ...]
    lam: float | tuple[float, ...] = LAMBDA
    seed: int = 0
    split_seed: int = 0
    settings: Settings = field(default_factory=Settings)
    watched: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        both = set(self.protected) & set(self.watched)
        if both:
            raise InputError(f"watched: {both.pop()!r} is protected already")
        object.__setattr__(self, "lam", self._checked_lam())
        if self.seed < 0:
            raise InputError(f"seed must not be negative, got {self.seed}")

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
        """The paper's name for this model: GRAD-Pred, or NN-Pred for λ = 0."""
        return f"{'GRAD' if self.reversing else 'NN'}-{self.settings.variant.capitalize()}"

    @property
    def static(self) -> tuple[object, ...]:
        """What trials of one pack must share."""
        return (*self.rows, self.protected, self.settings, self.reversing)

    @property
    def rows(self) -> RowsKey:
        """What decides the rows and the columns that are kept from the features."""
        judged = tuple(sorted({*self.protected, *self.watched}))
        return (self.dataset, judged, self.split_seed, self.settings.use_protected)

    def to_json(self) -> dict[str, Any]:
        """Return the trial as plain values that JSON keeps."""
        return json.loads(json.dumps(asdict(self)))  # type: ignore[no-any-return]

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> Trial:
        """Return the trial that `to_json` gave."""
        settings = dict(values["settings"])
        for name in ("trunk", "branch"):
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

    @property
    def key(self) -> str:
        """A hash of everything above: the trial's identity across runs and machines."""
        return fingerprint(self.to_json())


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
        Figures on the test rows, by the names of results.csv; nan where undefined.
    epoch : int
        The epoch that was kept, counted from 1.
    constant : bool
        Whether every test row got the same label.
    diverged : bool
        Whether a score was not a number.
    seconds : float
        Wall time of the model's pack, divided by its members.
    """

    trial: Trial
    metrics: Mapping[str, float]
    epoch: int
    constant: bool
    diverged: bool
    seconds: float

    def to_json(self) -> dict[str, Any]:
        """Return the record as plain values; nan becomes None, which JSON can hold."""
        return {
            "trial": self.trial.to_json(),
            "metrics": {n: None if math.isnan(v) else v for n, v in self.metrics.items()},
            "epoch": self.epoch,
            "constant": self.constant,
            "diverged": self.diverged,
            "seconds": self.seconds,
        }

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> Record:
        """Return the record that `to_json` gave."""
        metrics = {n: math.nan if v is None else v for n, v in values["metrics"].items()}
        return cls(**{**values, "trial": Trial.from_json(values["trial"]), "metrics": metrics})
