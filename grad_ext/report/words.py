"""What models are about and show, in words, whatever varies among them; and what pages say alike."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import pandas as pd

from grad_ext.data.catalog import DATA_SETS
from grad_ext.report.tables import CHANCE, called, telling, words_of
from grad_ext.trial import Record

# Values or names that a sentence has one by one.
NAMED = 5
# Shares of the same rows differ by rounding.
TIE = 1e-9


def count(n: int, what: str) -> str:
    """Return a number of things, such as "1 model" or "2 models"."""
    return f"{n} {what}" if n == 1 else f"{n} {what}s"


def listed(names: Iterable[str], most: int | None = None) -> str:
    """Return names as a list within a sentence, those beyond the most counted."""
    names = list(names)
    if most is not None and len(names) > most:
        names = [*names[:most], f"{len(names) - most} more"]
    return " and ".join([", ".join(names[:-1]), names[-1]]) if len(names) > 1 else "".join(names)


def studied(records: Sequence[Record]) -> str:
    """Return what a study is about, in words: how many models of what, and what varies."""
    differing = telling(records)
    methods = list(dict.fromkeys(record.trial.method for record in records))
    datasets = list(dict.fromkeys(record.trial.dataset for record in records))
    protected = list(dict.fromkeys(" and ".join(r.trial.protected) for r in records))
    models = "1 model" if len(records) == 1 else f"{len(records):,} models"
    about = f"{models} of {listed(methods, NAMED)} on {listed(datasets, NAMED)}, protecting {listed(protected, NAMED)}"
    told = ("dataset", "protected", "watched")
    parts = [
        f"{called(name)} {_range(values)}"
        for name, values in differing.items()
        if name not in (*told, *CHANCE)
    ]
    parts += [
        f"{count(len(set(differing.get(name, [0]))), what)}"
        for name, what in (("seed", "seed"), ("split_seed", "division"))
    ]
    return f"{about}; {'; '.join(parts)} of the rows. All figures are those of test rows."


def described(records: Sequence[Record]) -> list[str]:
    """Return what the data sets are, a sentence an entry; nothing on those without a name."""
    names = dict.fromkeys(record.trial.dataset for record in records)
    said = []
    for known in [DATA_SETS[name] for name in names if name in DATA_SETS]:
        rows = f", {known.rows:,} rows before they are divided" if known.rows else ""
        said.append(
            f"{known.name} is {known.title}{rows}; grad-ext data info {known.name} says what the label "
            "and the groups are."
        )
    return said


def _range(values: Sequence[object]) -> str:
    distinct = list(dict.fromkeys(map(words_of, values)))
    numbers = [v for v in values if isinstance(v, (int, float)) and not isinstance(v, bool)]
    if len(distinct) <= NAMED or len(numbers) < len(values):
        return listed(distinct, NAMED)
    return f"from {min(numbers):g} to {max(numbers):g} ({len(distinct)} values)"


def outline(frame: pd.DataFrame) -> list[str]:
    """Return what any set of models shows, whatever varies in it, a sentence or two an entry.

    Parameters
    ----------
    frame : pandas.DataFrame
        The rows of results.csv.
    """
    judged = frame[frame["accuracy"].notna() & ~frame["diverged"]]
    said = [constants(judged)] if len(judged) else []
    for dataset, group in judged.groupby("dataset", sort=False):
        majority = float(group["majority_accuracy"].mean())
        above = int((group["discrimination"] > group["chance_level"]).sum())
        said.append(
            f"On {dataset} the majority class has accuracy {majority:.3f}: {_better(group)} of "
            f"{len(group)} models are more accurate. Discrimination above the level of chance (in the "
            f"mean {group['chance_level'].mean():.3f}) have {above}."
        )
    return said


def cautions(frame: pd.DataFrame) -> list[str]:
    """Return what to distrust in any set of models, a sentence or two an entry.

    Parameters
    ----------
    frame : pandas.DataFrame
        The rows of results.csv.
    """
    judged = frame[frame["accuracy"].notna() & ~frame["diverged"]]
    said = []
    if len(frame) > len(judged):
        said.append(
            f"{len(frame) - len(judged)} of {len(frame)} models failed or diverged to numbers that are "
            "none."
        )
    if len(judged) > 1:
        said.append(
            "These are test rows, and many models: the best of them is best partly by luck. Choose by "
            "settings, over seeds, and not a single model."
        )
    return said + one_division(judged)


def one_division(frame: pd.DataFrame) -> list[str]:
    """Return the warning that all models share one division of the rows, if they do."""
    if frame["split_seed"].nunique() != 1:
        return []
    said = "All models share one division of the rows, whose own error no spread over seeds shows."
    return [said]


def _better(frame: pd.DataFrame) -> int:
    return int((frame["accuracy"] > frame["majority_accuracy"] + TIE).sum())


def constants(frame: pd.DataFrame) -> str:
    """Return how many models are constant, and how many beat the majority class."""
    constant = int(frame["constant"].sum())
    better = f"the majority class is less accurate than {_better(frame) or 'none'} of them."
    if not constant:
        return f"None of the {len(frame)} models gives everybody the same label; {better}"
    return (
        f"{constant} of {len(frame)} models give everybody the same label, and so a Discrimination "
        f"of 0 and a Consistency of 1 that mean nothing. Of all {len(frame)} {better}"
    )
