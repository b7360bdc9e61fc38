"""What the Tab key offers: names that are cheap to know, without loading the libraries they are of."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path

from grad_ext.constraints import CONSTRAINTS
from grad_ext.training.settings import RECIPES, VARIANTS

# Those of `grad_ext.data.catalog.DATA_SETS` and `grad_ext.sweeps.studies.methods.METHODS`, which take a
# second to import; a test compares them.
DATA_SETS = ("german", "adult", "diabetes", "health")
OURS = ("grad-pred", "grad-auto", "nn-pred", "nn-auto")
RULES = ("paper", "delta", "balanced_delta", "last", "accuracy@0.05")
TABLES = ("table1", "table2", "figure2")
Complete = Callable[[str], list[str]]


def _one_of(names: Iterable[str]) -> Complete:
    known = tuple(names)

    def complete(incomplete: str) -> list[str]:
        """Return the names that begin so."""
        return [name for name in known if name.startswith(incomplete)]

    return complete


def _some_of(names: Callable[[], Iterable[str]]) -> Complete:
    """Return what completes the last of several names separated by commas."""

    def complete(incomplete: str) -> list[str]:
        """Return what was typed with each name that it may go on with."""
        before, comma, last = incomplete.rpartition(",")
        given = set(before.split(","))
        return [
            f"{before}{comma}{name}"
            for name in names()
            if name.startswith(last) and name not in given
        ]

    return complete


def _methods() -> Iterable[str]:
    from grad_ext.adapters.registry import BASELINES

    return (*OURS, *BASELINES)


def studies(incomplete: str) -> list[str]:
    """Return folders of studies, here and below studies/, and folders on the way to others."""
    place = Path(incomplete) if incomplete.endswith("/") else Path(incomplete).parent
    folders = [*place.glob("*"), *(Path("studies").glob("*") if not incomplete else ())]
    found = []
    for folder in sorted(folder for folder in folders if folder.is_dir()):
        if (folder / "study.json").exists():
            found.append(str(folder))
        elif not folder.name.startswith("."):
            found.append(f"{folder}/")
    return [name for name in dict.fromkeys(found) if name.startswith(incomplete)]


dataset = _one_of(DATA_SETS)
datasets = _some_of(lambda: DATA_SETS)
recipe = _one_of(RECIPES)
recipes = _some_of(lambda: RECIPES)
constraints = _some_of(lambda: CONSTRAINTS)
variants = _some_of(lambda: VARIANTS)
methods = _some_of(_methods)
formats = _some_of(lambda: ("png", "svg", "pdf"))
rules = _one_of(RULES)
tables = _one_of(TABLES)
