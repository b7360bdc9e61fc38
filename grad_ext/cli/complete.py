"""Shell completion of names, without importing the libraries that define them."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path

from grad_ext.constraints import CONSTRAINTS
from grad_ext.training.settings import RECIPES, VARIANTS

# Copies of the names in `grad_ext.data.catalog`, `grad_ext.sweeps.studies.methods`,
# `grad_ext.sweeps.studies.reproduction` and `grad_ext.sweeps.run.resources`, which take a second to
# import; a test compares them.
DATA_SETS = (
    *("german", "adult", "diabetes", "health", "compas", "law_school", "bank", "bank_additional"),
    *("credit", "meps19", "meps20", "meps21"),
)
# Beginnings of names with arguments, such as a state and a year.
FAMILIES = (
    *("acs_income", "acs_employment", "acs_public_coverage", "acs_mobility", "acs_travel_time"),
    "openml",
)
GRAD_METHODS = ("grad-pred", "grad-auto", "nn-pred", "nn-auto")
RULES = ("paper", "delta", "balanced_delta", "last", "accuracy@0.05")
TABLES = ("table1", "table2", "figure2")
ENGINES = ("auto", "local", "ray")
Complete = Callable[[str], list[str]]


def _one_of(names: Iterable[str]) -> Complete:
    """Return a function that completes a name."""
    choices = tuple(names)

    def complete(incomplete: str) -> list[str]:
        """Return the names that begin with the text."""
        return [name for name in choices if name.startswith(incomplete)]

    return complete


def _some_of(names: Callable[[], Iterable[str]]) -> Complete:
    """Return a function that completes the last name of a comma-separated list."""

    def complete(incomplete: str) -> list[str]:
        """Return the list with each name that it can end with."""
        before, comma, last = incomplete.rpartition(",")
        used = set(before.split(","))
        return [
            f"{before}{comma}{name}"
            for name in names()
            if name.startswith(last) and name not in used
        ]

    return complete


def _methods() -> Iterable[str]:
    from grad_ext.adapters.registry import BASELINES

    return (*GRAD_METHODS, *BASELINES)


def studies(incomplete: str) -> list[str]:
    """Return the folders of studies that complete a path, and other folders with a slash.

    For an empty path these are the folders in the working directory and in studies/.
    """
    parent = Path(incomplete) if incomplete.endswith("/") else Path(incomplete).parent
    folders = [*parent.glob("*"), *(Path("studies").glob("*") if not incomplete else ())]
    names = []
    for folder in sorted(folder for folder in folders if folder.is_dir()):
        if (folder / "study.json").exists():
            names.append(str(folder))
        elif not folder.name.startswith("."):
            names.append(f"{folder}/")
    return [name for name in dict.fromkeys(names) if name.startswith(incomplete)]


_DATA_SETS = (*DATA_SETS, *(f"{family}:" for family in FAMILIES))
dataset = _one_of(_DATA_SETS)
datasets = _some_of(lambda: _DATA_SETS)
recipe = _one_of(RECIPES)
recipes = _some_of(lambda: RECIPES)
constraints = _some_of(lambda: CONSTRAINTS)
variants = _some_of(lambda: VARIANTS)
methods = _some_of(_methods)
formats = _some_of(lambda: ("png", "svg", "pdf"))
rules = _one_of(RULES)
tables = _one_of(TABLES)
engine = _one_of(ENGINES)
