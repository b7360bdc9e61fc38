"""Kinds of studies: what varies, which models there are, and how results are written and rebuilt.

A kind is a subclass of `StudyKind`. Its name stands in study.json, so that `grad-ext report` and
`grad-ext train` find it again. To add a kind, write one class and `register` it: see
docs/contributors/study_kind.md.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from importlib import import_module
from typing import Any

from grad_ext.errors import InputError, unknown
from grad_ext.sweeps.folder import StudyDirectory
from grad_ext.sweeps.studies.study import StudyKind
from grad_ext.sweeps.studies.values import Range, Values, default_lambdas
from grad_ext.training.settings import LAMBDA, Settings


class LambdaStudy(StudyKind):
    """A study of λ, with a curve for each choice of the other settings."""

    name = "lambda"
    varies = "λ, with a curve for each choice of the other settings"
    seeds = 10
    over_lambda = True

    def by_default(
        self, given: Mapping[str, Values], settings: Mapping[str, Any]
    ) -> dict[str, Values]:
        """Return the values of λ over which the recipes of the study are shown, unless λ is given."""
        if "lam" in given:
            return {}
        recipes, variants = (
            given.get(name, (settings.get(name, default),))
            for name, default in (("recipe", Settings.recipe), ("variant", Settings.variant))
        )
        # A range is refused by `varied`.
        if isinstance(recipes, Range) or isinstance(variants, Range):
            return {}
        return {"lam": default_lambdas(recipes, variants)}


class SeedStudy(StudyKind):
    """A study of the seed at one λ."""

    name = "seed"
    varies = "nothing: many seeds at one λ"
    seeds = 30
    over_lambda = True

    def varied(self, given: Mapping[str, Values]) -> dict[str, Values]:
        """Accept one λ; the default λ unless it is given."""
        for name in given:
            if name != "lam":
                raise InputError(
                    f"a seed study fixes {name}: give it one value in the settings, or make it a grid"
                )
        varied = super().varied(given or {"lam": (LAMBDA,)})
        lams = varied["lam"]
        if not (isinstance(lams, tuple) and len(lams) == 1):
            raise InputError(f"a seed study has one λ, got {lams}")
        return varied

    def identity(
        self, varied: Mapping[str, Values], seeds: Sequence[int], search: Any
    ) -> dict[str, Any]:
        """Return λ: another λ is another study."""
        return {"lam": varied["lam"]}


class GridStudy(StudyKind):
    """A study of all combinations of the given values."""

    name = "grid"
    varies = "any settings, all values crossed"
    seeds = 5


_HERE = "grad_ext.sweeps.studies"
# The kinds of a `StudyPlan` by name, with the class or where it is defined: a class is imported when
# it is used, since a search needs Ray.
KINDS: dict[str, str | type[StudyKind]] = {
    "lambda": LambdaStudy,
    "seed": SeedStudy,
    "grid": GridStudy,
    "search": f"{_HERE}.search:SearchStudy",
}
# The kinds of studies that are opened by functions of their own.
OTHER_KINDS: dict[str, str | type[StudyKind]] = {
    "compare": f"{_HERE}.comparison:ComparisonStudy",
    "reproduce-table1": f"{_HERE}.reproduction:ReproductionStudy",
    "reproduce-table2": f"{_HERE}.reproduction:ReproductionStudy",
    "reproduce-figure2": f"{_HERE}.reproduction:ReproductionStudy",
}
BUILT_IN = frozenset([*KINDS, *OTHER_KINDS])


def register(kind: type[StudyKind]) -> type[StudyKind]:
    """Add a kind of study to those of `StudyPlan`, and return it, as a class decorator does.

    Raises
    ------
    InputError
        If it has no name, or that of a kind that comes with grad-ext.
    """
    if not kind.name or kind.name in BUILT_IN:
        raise InputError(
            f"{kind.__qualname__}: expected a name other than {', '.join(sorted(BUILT_IN))}, got "
            f"{kind.name!r}"
        )
    KINDS[kind.name] = kind
    return kind


def study_kind(name: object) -> StudyKind:
    """Return a kind of study that a `StudyPlan` can have, by name.

    Raises
    ------
    InputError
        If there is no such kind.

    Examples
    --------
    >>> from grad_ext.sweeps.studies.kinds import study_kind
    >>> study_kind("seed").seeds
    30
    """
    if not isinstance(name, str) or name not in KINDS:
        raise unknown("kind of study", name, KINDS)
    return _loaded(KINDS[name])


def kind_of(directory: StudyDirectory) -> StudyKind:
    """Return the kind of a study; a plain `StudyKind` if its kind is not registered."""
    home = {**KINDS, **OTHER_KINDS}.get(str(directory.about.get("kind")))
    return StudyKind() if home is None else _loaded(home)


def _loaded(home: str | type[StudyKind]) -> StudyKind:
    if not isinstance(home, str):
        return home()
    module, _, name = home.partition(":")
    kind: StudyKind = getattr(import_module(module), name)()
    return kind
