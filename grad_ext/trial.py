"""One model to train and its result: the frozen values that everything else passes around."""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from grad_ext import checks, codec
from grad_ext.errors import InputError
from grad_ext.training.settings import LAMBDA, Settings

# What decides rows and features: see `Trial.rows`.
RowsKey = tuple[object, ...]


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
    baseline : str
        The name of the method where it is not GRAD, whose λ is then that method's hyperparameter; empty for
        GRAD, and for the plain network.
    options : mapping of str to object
        What a baseline is made with beside hyperparameter and seed: numbers, texts, truth values, None, and
        sequences of them. Kept as sorted pairs.
    """

    dataset: str
    protected: tuple[str, ...]
    lam: float | tuple[float, ...] = LAMBDA
    seed: int = 0
    split_seed: int = 0
    settings: Settings = field(default_factory=Settings)
    watched: tuple[str, ...] = ()
    baseline: str = ""
    options: Mapping[str, Any] | tuple[tuple[str, Any], ...] = ()

    def __post_init__(self) -> None:
        both = set(self.protected) & set(self.watched)
        if both:
            raise InputError(f"watched: {both.pop()!r} is protected already")
        object.__setattr__(self, "lam", self._checked_lam())
        object.__setattr__(self, "seed", checks.whole("seed", self.seed, 0))
        pairs = sorted(dict(self.options).items())
        object.__setattr__(self, "options", tuple((n, _plain(n, v)) for n, v in pairs))

    def _checked_lam(self) -> float | tuple[float, ...]:
        if not isinstance(self.lam, tuple):
            return checks.lam(self.lam)
        if len(self.lam) != len(self.protected):
            raise InputError(
                f"expected a lambda for each of {len(self.protected)} protected attributes, "
                f"got {len(self.lam)}"
            )
        return tuple(checks.lam(lam) for lam in self.lam)

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
        """The paper's name for this model: GRAD-Pred, or NN-Pred for λ = 0; or the baseline's."""
        return (
            self.baseline
            or f"{'GRAD' if self.reversing else 'NN'}-{self.settings.variant.capitalize()}"
        )

    @property
    def static(self) -> tuple[object, ...]:
        """What trials of one pack must share."""
        # Whether there is a branch to reverse is a question of GRAD's only.
        kind = (self.baseline, self.options) if self.baseline else (self.reversing,)
        return (*self.rows, self.protected, self.settings, *kind)

    @property
    def rows(self) -> RowsKey:
        """What decides the rows and the columns that are kept from the features."""
        judged = tuple(sorted({*self.protected, *self.watched}))
        use, encoding = self.settings.use_protected, self.settings.encoding
        return (self.dataset, judged, self.split_seed, use, encoding)

    def to_json(self) -> dict[str, Any]:
        """Return the trial as plain values that JSON holds."""
        return {**codec.to_json(self), "options": codec.to_json(dict(self.options))}

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> Trial:
        """Return the trial that `to_json` wrote.

        Raises
        ------
        InputError
            If an entry is unknown, missing or of another type, or a value does not fit.
        """
        return codec.from_json(cls, values)

    @cached_property
    def key(self) -> str:
        """A hash of everything above: the trial's identity across runs and machines."""
        return fingerprint(self.to_json())


def _plain(name: str, value: object) -> object:
    """Return an option of a baseline as JSON keeps it and a hash can be taken of it."""
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
        An epoch's figure after another, by name, rounded: what `grad_ext.evaluation.recorded_history` keeps of a
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
        return {**codec.to_json(self), "trial": self.trial.to_json()}

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> Record:
        """Return the record that `to_json` wrote; raises as `Trial.from_json`."""
        return codec.from_json(cls, values)
