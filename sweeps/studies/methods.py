"""What takes part in a comparison: names and estimators to trials, and trials to methods."""

from __future__ import annotations

import copy
import os
import pickle
import re
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from sklearn.base import clone

from grad_ext.adapters.registry import BASELINES, baseline
from grad_ext.adapters.sklearn import Estimators, seed_32, takes
from grad_ext.errors import InputError, MissingToolkit, unknown
from grad_ext.method import GRAD, Method
from grad_ext.sweeps.run.packs import WIDTH
from grad_ext.training.settings import LAMBDA
from grad_ext.trial import Trial

# The values of λ in a comparison.
LAMBDAS = (1.0, 10.0, 100.0, 1000.0)
# GRAD and the plain network by the names that a user gives: the variant, and the values of λ.
OURS: dict[str, tuple[str, tuple[float, ...]]] = {
    "grad-pred": ("pred", LAMBDAS),
    "grad-auto": ("auto", LAMBDAS),
    "nn-pred": ("pred", (0.0,)),
    "nn-auto": ("auto", (0.0,)),
}
METHODS = (*OURS, *BASELINES)
PREDICTS = ("predict_proba", "decision_function", "predict")
# Registered names, and a user's own estimators by the names that the user gives them.
Methods = Sequence[str | Mapping[str, Any]] | Mapping[str, Any] | None
# Models of GRAD's or of the plain network's, about, in seconds a fit on Adult.
COST = 3.0


@dataclass(frozen=True)
class MethodSpec:
    """One method of a comparison.

    Attributes
    ----------
    name : str
        What the user calls it.
    values : tuple of float
        The values of its hyperparameter.
    variant : str
        GRAD's variant, or the plain network's; 'pred' for all others.
    baseline, options
        As in `Trial`.
    seeded : bool
        Whether another seed gives another model.
    missing : MissingToolkit or None
        What keeps it from being run.
    own : bytes or None
        The function that makes a user's own estimator of a trial, pickled.
    """

    name: str
    values: tuple[float, ...]
    variant: str = "pred"
    baseline: str = ""
    options: Mapping[str, Any] = field(default_factory=dict)
    seeded: bool = True
    missing: MissingToolkit | None = None
    own: bytes | None = None


def method_specs(methods: Methods, hyperparameters: bool, example: Trial) -> list[MethodSpec]:
    """Return what takes part.

    Parameters
    ----------
    methods : sequence of str and mappings, a mapping, or None
        Names of `METHODS`, all of them if None; and mappings of names of the user's own to an
        estimator, its class, or a function that gets a trial and returns an estimator.
    hyperparameters : bool
        Take every value of a method's hyperparameter, and not its default alone.
    example : Trial
        Any trial of the comparison, for which a user's function is tried.

    Raises
    ------
    InputError
        If a name is unknown or given twice, or an estimator is none or cannot be described or sent
        to another process.
    """
    found: dict[str, MethodSpec] = {}
    for name, value in _named(METHODS if methods is None else methods):
        if name in found:
            raise InputError(f"methods: {name!r} is there twice")
        found[name] = _known(name, hyperparameters) if value is None else _own(name, value, example)
    if not found:
        raise InputError("expected at least one method, got none")
    return list(found.values())


def _named(methods: Sequence[str | Mapping[str, Any]] | Mapping[str, Any]) -> Iterator[Any]:
    if isinstance(methods, str):
        raise InputError(f"methods: expected a list of names, got {methods!r}")
    for item in [methods] if isinstance(methods, Mapping) else methods:
        if isinstance(item, Mapping):
            yield from item.items()
        elif item in METHODS:
            yield item, None
        else:
            raise unknown("method", item, METHODS)


def _known(name: str, hyperparameters: bool) -> MethodSpec:
    if name in OURS:
        variant, values = OURS[name]
        return MethodSpec(
            name, values if hyperparameters or LAMBDA not in values else (LAMBDA,), variant
        )
    listed = BASELINES[name]
    values = listed.values if hyperparameters and listed.values else (listed.default,)
    return MethodSpec(
        name,
        values,
        baseline=name,
        options=listed.options,
        seeded=listed.seeded,
        missing=listed.missing,
    )


def _own(name: str, value: Any, example: Trial) -> MethodSpec:
    if not isinstance(name, str) or not name.strip() or name in METHODS:
        raise InputError(f"methods: expected a name of your own for {value!r}, got {name!r}")
    value = value() if isinstance(value, type) else value
    if hasattr(value, "fit"):
        make, model, seeded = partial(_seeded, value), value, bool(_random_states(value))
    elif callable(value):
        make, model, seeded = value, value(example), True
    else:
        model = value
    if not hasattr(model, "fit") or not any(hasattr(model, call) for call in PREDICTS):
        raise InputError(
            f"methods: {name!r} must be an estimator with fit and predict, its class, or a function "
            f"that gets a trial and returns one, got {model!r}"
        )
    said = next(getattr(model, call) for call in PREDICTS if hasattr(model, call))
    options = {
        "estimator": described(model),
        "seeded": seeded,
        "needs_attributes": takes(said, "sensitive_features"),
    }
    return MethodSpec(
        name, (0.0,), baseline=name, options=options, seeded=seeded, own=_pickled(name, make)
    )


def _pickled(name: str, make: Callable[[Trial], Any]) -> bytes:
    try:
        from ray import cloudpickle
    except ImportError as error:
        raise MissingToolkit("ray", "tune") from error
    try:
        sent: bytes = cloudpickle.dumps(make)  # type: ignore[no-untyped-call]
    # Whatever an object of the user's raises when it is pickled.
    except Exception as error:  # noqa: BLE001
        raise InputError(f"methods: {name!r} cannot be sent to another process: {error}") from None
    return sent


def _seeded(model: Any, trial: Trial) -> Any:
    """Return a copy of an estimator, not fitted, with every random state of its own."""
    made = clone(model) if hasattr(model, "get_params") else copy.deepcopy(model)
    seeds = {name: seed_32(trial, name) for name in _random_states(model)}
    if hasattr(made, "set_params"):
        return made.set_params(**seeds)
    for name, seed in seeds.items():
        setattr(made, name, seed)
    return made


def _random_states(model: Any) -> list[str]:
    """Return the names of an estimator's random states, also of those inside it."""
    names = model.get_params(deep=True) if hasattr(model, "get_params") else vars(model)
    return sorted(name for name in names if re.fullmatch(r"(.*__)?random_state", name))


def described(value: Any) -> str:
    """Return an estimator's class and parameters as a text that is the same in every run.

    What it does not show, such as the code of a class, does not count when a study is resumed.

    Raises
    ------
    InputError
        If a parameter says no more than its address in memory.
    """
    if isinstance(value, (list, tuple)):
        return f"[{', '.join(map(described, value))}]"
    if isinstance(value, type) or hasattr(value, "__qualname__"):
        return f"{value.__module__}.{value.__qualname__}"
    if hasattr(value, "fit"):
        known = value.get_params(deep=False) if hasattr(value, "get_params") else vars(value)
        shown = [f"{n}={described(v)}" for n, v in sorted(known.items()) if n != "random_state"]
        return f"{described(type(value))}({', '.join(shown)})"
    text = repr(value)
    if re.search(r" at 0x[0-9a-fA-F]+", text):
        raise InputError(
            "methods: an estimator's parameters must say what they are, so that a study can be "
            f"resumed; got {text}, whose class needs a __repr__"
        )
    return text


@dataclass(frozen=True)
class Makers:
    """Gets a trial, returns the method that fits it.

    Attributes
    ----------
    own : mapping of str to bytes
        The functions that make a user's own estimators, pickled.
    path : tuple of str
        Folders in which the user's modules are looked for, after all others.
    """

    own: Mapping[str, bytes] = field(default_factory=dict)
    path: tuple[str, ...] = ()

    @classmethod
    def of(cls, every: Sequence[MethodSpec]) -> Makers:
        """Return what makes the methods of some contenders."""
        own = {each.name: each.own for each in every if each.own is not None}
        return cls(own, tuple(os.path.abspath(folder) for folder in sys.path))

    def __call__(self, trial: Trial) -> Method:
        """Return the method that fits a trial."""
        if not trial.baseline:
            return GRAD()
        if trial.baseline not in self.own:
            return baseline(trial.baseline).method(**dict(trial.options))
        # Last, lest a file of the user's hide one of Python's.
        sys.path += [folder for folder in self.path if folder not in sys.path]
        # Pickled in this run, by the user's own process.
        return Estimators(pickle.loads(self.own[trial.baseline]))


def about(trial: Trial) -> dict[str, Any]:
    """Return what a row of results.csv says of a trial's method."""
    if not trial.baseline:
        default = not trial.reversing or trial.lam == LAMBDA
        facts = (trial.method, "λ", default, False, True)
    elif trial.baseline in BASELINES:
        listed = BASELINES[trial.baseline]
        default = trial.lam == listed.default
        facts = (
            listed.title,
            listed.hyperparameter,
            default,
            listed.needs_attributes,
            listed.seeded,
        )
    else:
        own = dict(trial.options)
        facts = (trial.baseline, "", True, own["needs_attributes"], own["seeded"])
    names = ("title", "hyperparameter", "default", "needs_attributes", "seeded")
    return {"method": trial.method, **dict(zip(names, facts, strict=True))}


def current(trial: Trial) -> bool:
    """Return whether a trial's method is still made in that way."""
    if trial.baseline not in BASELINES:
        return True
    return Trial("", (), options=BASELINES[trial.baseline].options).options == trial.options


def cost(trial: Trial) -> float:
    """Return about how long a trial takes, in seconds on Adult."""
    if not trial.baseline:
        return COST
    return BASELINES[trial.baseline].cost if trial.baseline in BASELINES else 1.0


def width(trial: Trial) -> int:
    """Return how many trials of its method are fitted together, at most."""
    if not trial.baseline:
        return WIDTH
    return BASELINES[trial.baseline].width if trial.baseline in BASELINES else 1
