"""Methods of a comparison: names and estimators to specifications, and trials to methods."""

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

import cloudpickle
from sklearn.base import clone

from grad_ext.adapters.registry import BASELINES, baseline
from grad_ext.adapters.sklearn import Estimators, seed_32, takes
from grad_ext.errors import InputError, MissingToolkit, unknown
from grad_ext.method import GRAD, Method
from grad_ext.sweeps.run.packs import WIDTH
from grad_ext.training.settings import LAMBDA
from grad_ext.trial import Trial

# The values of λ in a comparison; with the recipe 'smooth', whose λ is a handle, more of them over less.
LAMBDAS: tuple[float, ...] = (1.0, 10.0, 100.0, 1000.0)
SMOOTH_LAMBDAS: tuple[float, ...] = (10.0, 20.0, 50.0, 100.0, 200.0, 400.0)
# GRAD and the plain network by name: the variant, and whether gradients are reversed.
OURS: dict[str, tuple[str, bool]] = {
    "grad-pred": ("pred", True),
    "grad-auto": ("auto", True),
    "nn-pred": ("pred", False),
    "nn-auto": ("auto", False),
}
METHODS = (*OURS, *BASELINES)
PREDICTS = ("predict_proba", "decision_function", "predict")
# Registered names, and a user's own estimators by name.
Methods = Sequence[str | Mapping[str, Any]] | Mapping[str, Any] | None
# Approximate seconds of a fit of GRAD or the plain network on Adult.
COST = 3.0


@dataclass(frozen=True)
class MethodSpec:
    """One method of a comparison.

    Attributes
    ----------
    name : str
        Name that the user gives.
    values : tuple of float
        The values of its hyperparameter.
    variant : str
        Variant of GRAD or the plain network; 'pred' for all others.
    baseline, options
        As in `Trial`.
    seeded : bool
        Whether another seed gives another model.
    missing : MissingToolkit or None
        The error of a method whose toolkit is not installed.
    own : bytes or None
        Pickle of the function from a trial to a user's own estimator.
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
    """Return the methods of a comparison.

    Parameters
    ----------
    methods : sequence of str and mappings, a mapping, or None
        Names of `METHODS`, all of them if None; and mappings of a user's own names to an estimator,
        its class, or a function that gets a trial and returns an estimator.
    hyperparameters : bool
        Use every value of a method's hyperparameter, not only its default.
    example : Trial
        Any trial of the comparison, with which a user's function is tested.

    Raises
    ------
    InputError
        If a name is unknown or given twice, or an object is not an estimator, or cannot be described
        or sent to another process.
    """
    specs: dict[str, MethodSpec] = {}
    for name, value in _named(METHODS if methods is None else methods):
        if name in specs:
            raise InputError(f"methods: {name!r} is given twice")
        specs[name] = (
            _registered(name, hyperparameters, example.settings.recipe)
            if value is None
            else _own(name, value, example)
        )
    if not specs:
        raise InputError("expected at least one method, got none")
    return list(specs.values())


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


def _registered(name: str, hyperparameters: bool, recipe: str) -> MethodSpec:
    if name in OURS:
        variant, reverses = OURS[name]
        smooth = recipe == "smooth" and variant == "pred"
        values = (SMOOTH_LAMBDAS if smooth else LAMBDAS) if hyperparameters else (LAMBDA,)
        return MethodSpec(name, values if reverses else (0.0,), variant)
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
    predict = next(getattr(model, call) for call in PREDICTS if hasattr(model, call))
    options = {
        "estimator": described(model),
        "seeded": seeded,
        "needs_attributes": takes(predict, "sensitive_features"),
    }
    return MethodSpec(
        name, (0.0,), baseline=name, options=options, seeded=seeded, own=_pickled(name, make)
    )


def _pickled(name: str, make: Callable[[Trial], Any]) -> bytes:
    try:
        pickled: bytes = cloudpickle.dumps(make)
    # An object of the user's may raise anything when it is pickled.
    except Exception as error:  # noqa: BLE001
        raise InputError(f"methods: {name!r} cannot be sent to another process: {error}") from None
    return pickled


def _seeded(model: Any, trial: Trial) -> Any:
    """Return an unfitted copy of an estimator, with every random state set from the trial."""
    copied = clone(model) if hasattr(model, "get_params") else copy.deepcopy(model)
    seeds = {name: seed_32(trial, name) for name in _random_states(model)}
    if hasattr(copied, "set_params"):
        return copied.set_params(**seeds)
    for name, seed in seeds.items():
        setattr(copied, name, seed)
    return copied


def _random_states(model: Any) -> list[str]:
    """Return the names of an estimator's random states, including nested ones."""
    names = model.get_params(deep=True) if hasattr(model, "get_params") else vars(model)
    return sorted(name for name in names if re.fullmatch(r"(.*__)?random_state", name))


def described(value: Any) -> str:
    """Return an estimator's class and parameters as a text that is the same in every run.

    The text identifies the estimator when a study is resumed; the code of a class is not part of it.

    Raises
    ------
    InputError
        If the text of a parameter is only its address in memory.
    """
    if isinstance(value, (list, tuple)):
        return f"[{', '.join(map(described, value))}]"
    if isinstance(value, type) or hasattr(value, "__qualname__"):
        return f"{value.__module__}.{value.__qualname__}"
    if hasattr(value, "fit"):
        params = value.get_params(deep=False) if hasattr(value, "get_params") else vars(value)
        shown = [f"{n}={described(v)}" for n, v in sorted(params.items()) if n != "random_state"]
        return f"{described(type(value))}({', '.join(shown)})"
    text = repr(value)
    if re.search(r" at 0x[0-9a-fA-F]+", text):
        raise InputError(
            "methods: an estimator's parameters need a text that is the same in every run, so that a "
            f"study can be resumed; got {text}, whose class needs a __repr__"
        )
    return text


@dataclass(frozen=True)
class Makers:
    """Makes the method of a trial.

    Attributes
    ----------
    own : mapping of str to bytes
        Pickles of the functions that make a user's own estimators.
    path : tuple of str
        Folders to import the user's modules from, after all others.
    """

    own: Mapping[str, bytes] = field(default_factory=dict)
    path: tuple[str, ...] = ()

    @classmethod
    def of(cls, specs: Sequence[MethodSpec]) -> Makers:
        """Return the makers of some methods."""
        own = {spec.name: spec.own for spec in specs if spec.own is not None}
        return cls(own, tuple(os.path.abspath(folder) for folder in sys.path))

    def __call__(self, trial: Trial) -> Method:
        """Return the method that fits a trial."""
        if not trial.baseline:
            return GRAD()
        if trial.baseline not in self.own:
            return baseline(trial.baseline).method(**dict(trial.options))
        # Last, so that a file of the user's cannot shadow a module of Python's.
        sys.path += [folder for folder in self.path if folder not in sys.path]
        # This pickle comes from the user's own process, in this run.
        return Estimators(pickle.loads(self.own[trial.baseline]))


def columns(trial: Trial) -> dict[str, Any]:
    """Return the columns of results.csv that describe a trial's method."""
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
    """Return whether a trial's options are still those of its method."""
    if trial.baseline not in BASELINES:
        return True
    return Trial("", (), options=BASELINES[trial.baseline].options).options == trial.options


def cost(trial: Trial) -> float:
    """Estimate how long a trial takes, in seconds on Adult."""
    if not trial.baseline:
        return COST
    return BASELINES[trial.baseline].cost if trial.baseline in BASELINES else 1.0


def width(trial: Trial) -> int:
    """Return how many trials of a trial's method are fitted together, at most."""
    if not trial.baseline:
        return WIDTH
    return BASELINES[trial.baseline].width if trial.baseline in BASELINES else 1
