"""One model to train, and its result, as frozen values."""

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

# What determines rows and features: see `Trial.rows`.
RowsKey = tuple[object, ...]


@dataclass(frozen=True)
class Trial:
    """One model to train: everything that its result depends on.

    Attributes
    ----------
    dataset : str
        Name of the data set.
    protected : tuple of str
        Protected attributes, in order.
    lam : float or tuple of float
        λ, the weight of the attribute losses, or one for each attribute; 0 is the plain network
        without attribute branches.
    seed : int
        Seed of the initial weights and the order of the rows.
    split_seed : int
        Seed of the split into training, validation and test set.
    settings : Settings
        All other settings.
    also_evaluated : tuple of str
        Attributes by which the model is evaluated without being protected, in order. Their columns
        are excluded from the features like those of protected attributes, so that models which
        protect different attributes have the same inputs.
    baseline : str
        Name of a method other than GRAD, whose trade-off parameter is then `lam`; empty for GRAD and
        for the plain network.
    options : mapping of str to object
        Other parameters of a baseline: numbers, texts, bools, None, and sequences of them. Stored as
        sorted pairs.
    """

    dataset: str
    protected: tuple[str, ...]
    lam: float | tuple[float, ...] = LAMBDA
    seed: int = 0
    split_seed: int = 0
    settings: Settings = field(default_factory=Settings)
    also_evaluated: tuple[str, ...] = ()
    baseline: str = ""
    options: Mapping[str, Any] | tuple[tuple[str, Any], ...] = ()

    def __post_init__(self) -> None:
        both = set(self.protected) & set(self.also_evaluated)
        if both:
            raise InputError(f"also_evaluated: {both.pop()!r} is protected already")
        object.__setattr__(self, "lam", self._checked_lam())
        object.__setattr__(self, "seed", checks.whole("seed", self.seed, 0))
        object.__setattr__(self, "split_seed", checks.whole("split_seed", self.split_seed))
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
        """Whether the network has an attribute branch."""
        return any(lam > 0 for lam in self.lams)

    @property
    def method(self) -> str:
        """The paper's name of this model: GRAD-Pred, or NN-Pred for λ = 0; or the baseline's name."""
        return (
            self.baseline
            or f"{'GRAD' if self.reversing else 'NN'}-{self.settings.variant.capitalize()}"
        )

    @property
    def static(self) -> tuple[object, ...]:
        """What is equal for all trials of a pack."""
        # Baselines have no attribute branches.
        kind = (self.baseline, self.options) if self.baseline else (self.reversing,)
        return (*self.rows, self.protected, self.settings, *kind)

    @property
    def rows(self) -> RowsKey:
        """What determines the rows of the split and their features."""
        evaluated = tuple(sorted({*self.protected, *self.also_evaluated}))
        use, encoding = self.settings.use_protected, self.settings.encoding
        return (self.dataset, evaluated, self.split_seed, use, encoding)

    def to_json(self) -> dict[str, Any]:
        """Return the trial as plain values for JSON."""
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
        """A hash of all fields: the trial's identity across runs and machines."""
        return fingerprint(self.to_json())


def _plain(name: str, value: object) -> object:
    """Return an option of a baseline as a hashable value that JSON can hold."""
    if isinstance(value, (list, tuple)):
        return tuple(_plain(name, item) for item in value)
    finite = not isinstance(value, float) or math.isfinite(value)
    if value is None or (isinstance(value, (str, bool, int, float)) and finite):
        return value
    raise InputError(f"options: {name!r} must be a value that JSON can hold, got {value!r}")


def fingerprint(values: object) -> str:
    """Return a short hash of a value that JSON can hold, independent of the order of keys."""
    text = json.dumps(values, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()[:16]


@dataclass(frozen=True)
class Record:
    """One model's result: the complete trial, its metrics on the test set, and its run.

    Attributes
    ----------
    trial : Trial
        The trial.
    metrics : mapping of str to float
        Metrics on the test set, by the names of results.csv; nan where undefined. Empty if the fit
        failed.
    epoch : int
        The selected epoch, counted from 1; 0 if the fit failed.
    constant : bool
        Whether the predicted labels are constant on the test rows, or as good as constant: see
        `grad_ext.metrics.constant.nearly_constant`.
    diverged : bool
        Whether a score was not a number.
    seconds : float
        Wall time of the fit of the model's pack, divided by the number of its members.
    predict_seconds : float
        Wall time of the predictions for the test set, divided likewise; nan if not measured.
    peak_bytes : float
        Peak resident memory during the fit of the model's pack, minus that of the process before;
        nan if not measured.
    error : str
        The error of a failed fit, such as "ValueError: ..."; else empty.
    device : str
        Name of the torch device of the fit; rounding and dropout depend on it.
    history : mapping of str to tuple of float
        Rounded values of each epoch, by name, from `grad_ext.training.checkpoint.History`; empty for
        methods without a history.
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
        """Return the record that `to_json` wrote; raises like `Trial.from_json`."""
        return codec.from_json(cls, values)
