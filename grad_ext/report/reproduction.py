"""The paper's tables beside what the same models do here.

Every line has the published figure, ours as mean and standard deviation over models, the
difference, and what guards against misreading it: balanced accuracy, the share of constant models
and the majority class.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike
from scipy import special

from grad_ext.data.options import listed
from grad_ext.report.published import Published
from grad_ext.report.tables import and_joined
from grad_ext.report.words import count

METRICS = ("accuracy", "delta", "discrimination", "consistency")
# The paper's claim (section 4): "the GRAD approach always increases the Delta and Consistency
# scores, and reduces the Discrimination".
BETTER = {"delta": 1.0, "consistency": 1.0, "discrimination": -1.0}
IMPROVES, WORSENS = "improves", "worsens"
NAMED = {"delta": "Delta", "consistency": "Consistency", "discrimination": "Discrimination"}
LEVEL = 0.95
LINE = ["dataset", "attributes", "recipe", "algorithm"]
GUARDS = ("balanced_accuracy", "majority_accuracy", "chance_level")
AS_PUBLISHED = "as published"
# The paper (section 2): "any value of λ in [50, 2000] would perform equivalently".
EQUIVALENT = (50.0, 2000.0)
# The paper gives four digits.
DIGIT = 1e-4


def lines(
    frame: pd.DataFrame,
    published: Mapping[str, Mapping[str, Published]],
    about: Mapping[str, str],
) -> pd.DataFrame:
    """Return the table's lines, one a data set, attributes, recipe, algorithm and metric.

    Parameters
    ----------
    frame : pandas.DataFrame
        The rows of results.csv with a column ``algorithm`` and a column ``attributes`` (what models
        are judged by, joined by commas).
    published : mapping
        The paper's lines, by data set and algorithm.
    about : mapping of str to str
        The attributes that the paper's lines of a data set are taken to be about; models judged by
        others have no published figure beside them.

    Returns
    -------
    pandas.DataFrame
        Columns dataset, attributes, recipe, algorithm, metric, published, mean, sd, difference
        (ours less the paper's), models, constant, balanced_accuracy, majority_accuracy,
        chance_level. Published lines that are not run have nan for ours and the recipe
        "as published".
    """
    rows: list[dict[str, Any]] = []
    for (dataset, attributes, recipe, algorithm), group in _groups(frame, LINE):
        names = listed(attributes)
        paper = published.get(dataset, {}).get(algorithm) if about[dataset] == attributes else None
        there = _metrics(paper, names)
        for metric in (*METRICS, *(f"discrimination_{n}" for n in names if len(names) > 1)):
            rows.append(
                {
                    "dataset": dataset,
                    "attributes": attributes,
                    "recipe": recipe,
                    "algorithm": algorithm,
                    "metric": metric,
                    "published": there.get(metric, np.nan),
                    "mean": group[metric].mean(),
                    "sd": group[metric].std(),
                    "models": len(group),
                    "constant": group["constant"].mean(),
                    **{name: group[name].mean() for name in GUARDS},
                }
            )
    run = set(zip(frame["dataset"], frame["algorithm"], strict=True))
    for dataset, table in published.items():
        attributes = about[dataset]
        for algorithm, line in table.items():
            if (dataset, algorithm) not in run:
                rows += [
                    {
                        "dataset": dataset,
                        "attributes": attributes,
                        "recipe": AS_PUBLISHED,
                        "algorithm": algorithm,
                        "metric": metric,
                        "published": value,
                        "models": 0,
                    }
                    for metric, value in _metrics(line, listed(attributes)).items()
                ]
    lines = pd.DataFrame(rows)
    lines.insert(8, "difference", lines["mean"] - lines["published"])
    return lines


def _groups(
    frame: pd.DataFrame, keys: Sequence[str]
) -> Iterator[tuple[tuple[str, ...], pd.DataFrame]]:
    for key, group in frame.groupby(list(keys), sort=False):
        yield tuple(str(part) for part in key), group


def _metrics(line: Published | None, names: Sequence[str]) -> dict[str, float]:
    if line is None:
        return {}
    figures = {
        "accuracy": line.accuracy,
        "delta": line.delta,
        "discrimination": float(np.mean(line.discrimination)),
    }
    if line.consistency is not None:
        figures["consistency"] = line.consistency
    if len(line.discrimination) > 1:
        figures |= {
            f"discrimination_{n}": v for n, v in zip(names, line.discrimination, strict=True)
        }
    return figures


def sensitivity(frame: pd.DataFrame) -> pd.DataFrame:
    """Return how far each open choice moves each figure.

    Parameters
    ----------
    frame : pandas.DataFrame
        As for `lines`, with columns ``metric@choice`` for the other ways to judge the same models.

    Returns
    -------
    pandas.DataFrame
        Columns dataset, attributes, recipe, algorithm, choice, and for each metric how much the
        choice adds to the mean.
    """
    choices = dict.fromkeys(c.split("@")[1] for c in frame.columns if "@" in c)
    rows = []
    for key, group in _groups(frame, LINE):
        for choice in choices:
            moved = {m: (group[f"{m}@{choice}"] - group[m]).mean() for m in METRICS}
            rows.append({**dict(zip(LINE, key, strict=True)), "choice": choice, **moved})
    return pd.DataFrame(rows)


def interval(values: ArrayLike) -> tuple[float, float, float]:
    """Return the mean of values and its 95 % interval by Student's t; nan for fewer than two."""
    array = np.asarray(values, dtype=np.float64)
    mean = float(array.mean())
    if len(array) < 2:
        return mean, float("nan"), float("nan")
    half = float(
        special.stdtrit(len(array) - 1, (1.0 + LEVEL) / 2.0) * array.std(ddof=1) / len(array) ** 0.5
    )
    return mean, mean - half, mean + half


def _apart(one: pd.Series, other: pd.Series) -> tuple[float, float, float]:
    """Return the mean difference of paired models, indexed by division and seed, and its interval."""
    difference = one - other
    by_division = difference.groupby(level="split_seed").mean()
    return interval(by_division if len(by_division) > 1 else difference)


def claims(frame: pd.DataFrame) -> list[str]:
    """Return, in words, which of the paper's claims about GRAD against NN hold in these models.

    Each is a mean difference of models of one seed and one division of the rows, with its 95 %
    interval: over divisions where there are several, for models of one division share its rows;
    else over seeds, and then the error of the test rows, which all models share, is not in it.

    Parameters
    ----------
    frame : pandas.DataFrame
        As for `lines`.
    """
    said = []
    for about, attributes, names, by in _comparisons(frame):
        parts = [
            f"{NAMED[metric]} {verdict} ({mean:+.3f}, {low:+.3f} to {high:+.3f})"
            for metric, (verdict, mean, low, high) in _verdicts(by, *names).items()
        ]
        said.append(f"{about}: from {names[0]} to {names[1]} {', '.join(parts)}.")
        said += _other_attribute(by, names[1], listed(attributes), about)
    return said


def tally(frame: pd.DataFrame) -> list[str]:
    """Return, in words, in how many comparisons the paper's claims hold; see `claims`.

    Parameters
    ----------
    frame : pandas.DataFrame
        As for `lines`.
    """
    found = [_verdicts(by, *names) for _, _, names, by in _comparisons(frame)]
    if not found:
        return []
    parts = []
    for metric in BETTER:
        verdicts = [one[metric][0] for one in found]
        better, worse = verdicts.count(IMPROVES), verdicts.count(WORSENS)
        parts.append(
            f"{NAMED[metric]} improves in {better}, worsens in {worse} and is not told apart in "
            f"{len(found) - better - worse}"
        )
    return [
        (
            "The paper claims that GRAD always raises Delta and Consistency and lowers Discrimination. "
            f"Of {count(len(found), 'comparison')} of GRAD with its plain network here: {'; '.join(parts)}."
        )
    ]


def _comparisons(
    frame: pd.DataFrame,
) -> Iterator[tuple[str, str, tuple[str, str], pd.DataFrame]]:
    """Yield what is compared, by which attributes, the names of NN and GRAD, and their models."""
    keys = ["dataset", "attributes", "recipe", "variant"]
    for (dataset, attributes, recipe, variant), group in _groups(frame, keys):
        by = group.set_index(["algorithm", "split_seed", "seed"]).sort_index()
        names = (f"NN-{variant.capitalize()}", f"GRAD-{variant.capitalize()}")
        if set(names) <= set(by.index.get_level_values(0)):
            about = f"{dataset} ({and_joined(attributes)}), {recipe} recipe"
            yield about, attributes, names, by


def _verdicts(
    by: pd.DataFrame, plain: str, grad: str
) -> dict[str, tuple[str, float, float, float]]:
    """Return, for each metric, whether it gets better, the mean difference and its interval."""
    found = {}
    for metric, sign in BETTER.items():
        mean, low, high = _apart(by.loc[grad][metric], by.loc[plain][metric])
        verdict = "is not told apart"
        if low * sign > 0 and high * sign > 0:
            verdict = IMPROVES
        elif low * sign < 0 and high * sign < 0:
            verdict = WORSENS
        found[metric] = (verdict, mean, low, high)
    return found


def _other_attribute(
    by: pd.DataFrame, whole: str, attributes: Sequence[str], about: str
) -> list[str]:
    """Say what protecting one attribute does to the others' Discrimination (paper, section 4.1)."""
    said = []
    for protected in attributes:
        alone = f"{whole}-{protected[0].upper()}"
        if len(attributes) < 2 or alone not in by.index.get_level_values(0):
            continue
        plain = f"NN-{whole.split('-')[1]}"
        for other in attributes:
            if other == protected:
                continue
            column = f"discrimination_{other}"
            mean, low, high = _apart(by.loc[alone][column], by.loc[plain][column])
            verdict = "raises" if low > 0 else "lowers" if high < 0 else "does not move"
            said.append(
                f"{about}: protecting {protected} alone ({alone}) {verdict} the Discrimination by "
                f"{other} against {plain} ({mean:+.3f}, {low:+.3f} to {high:+.3f})."
            )
    return said


def insensitivity(frame: pd.DataFrame) -> list[str]:
    """Return, in words, how far λ from 50 to 2000 moves the figures, which the paper finds equivalent.

    The mean difference of models of one seed and one division at the two ends, with its 95 %
    interval as in `claims`, and the range of the means of all λ between.

    Parameters
    ----------
    frame : pandas.DataFrame
        As for `lines`.
    """
    said = []
    for (dataset, attributes, recipe), group in _groups(frame, LINE[:3]):
        inside = group[group["lam"].between(*EQUIVALENT)]
        by = inside.set_index(["lam", "split_seed", "seed"]).sort_index()
        if not set(EQUIVALENT) <= set(inside["lam"]):
            continue
        parts = []
        for metric in ("accuracy", "balanced_accuracy", "discrimination"):
            low_end, high_end = (by.loc[lam][metric] for lam in EQUIVALENT)
            mean, low, high = _apart(high_end, low_end)
            means = inside.groupby("lam")[metric].mean()
            name = NAMED.get(metric, metric.replace("_", " "))
            parts.append(
                f"{name} by {mean:+.3f} ({low:+.3f} to {high:+.3f}), its means from "
                f"{means.min():.3f} to {means.max():.3f}"
            )
        said.append(
            f"{dataset} ({and_joined(attributes)}), {recipe} recipe: from λ = "
            f"{EQUIVALENT[0]:.0f} to {EQUIVALENT[1]:.0f} moves {'; '.join(parts)}."
        )
    return said


def extent(frame: pd.DataFrame) -> str:
    """Return, in words, which models there are.

    Parameters
    ----------
    frame : pandas.DataFrame
        As for `lines`.
    """
    algorithms = ", ".join(frame["algorithm"].unique())
    cases = ", ".join(
        f"{dataset} (judged by {and_joined(attributes)})"
        for (dataset, attributes), _ in _groups(frame, LINE[:2])
    )
    seeds, divisions = frame["seed"].nunique(), frame["split_seed"].nunique()
    return (
        f"{len(frame):,} models of {algorithms} on {cases}; recipes: "
        f"{', '.join(frame['recipe'].unique())}; {count(seeds, 'seed')}, "
        f"up to {count(divisions, 'division')} of the rows. All figures are those of "
        "test rows."
    )


def shared_rows(frame: pd.DataFrame) -> list[str]:
    """Return which lines have a single division of the rows, so that no spread shows its error.

    Parameters
    ----------
    frame : pandas.DataFrame
        As for `lines`.
    """
    divisions = frame.groupby("dataset", sort=False)["split_seed"].nunique()
    alone = divisions.index[divisions == 1]
    if not len(alone):
        return []
    return [
        (
            f"On {' and '.join(map(str, alone))} all models share one division of the rows, whose own "
            "error no spread over seeds shows."
        )
    ]


def disguised(
    frame: pd.DataFrame,
    published: Mapping[str, Mapping[str, Published]],
    about: Mapping[str, str],
) -> list[str]:
    """Return which lines are the majority class in disguise, ours and the paper's.

    Parameters
    ----------
    frame, published, about
        As for `lines`.
    """
    said = []
    for (dataset, attributes, recipe, algorithm), group in _groups(frame, LINE):
        constant = int(group["constant"].sum())
        if constant:
            said.append(
                f"{dataset} ({and_joined(attributes)}), {recipe} recipe: {constant} of "
                f"{len(group)} models of {algorithm} give everybody the same label."
            )
    said = said or ["No model here gives everybody the same label."]
    for dataset, table in published.items():
        mine = frame[(frame["dataset"] == dataset) & (frame["attributes"] == about[dataset])]
        if not len(mine):
            continue
        shares = mine["majority_accuracy"].unique()
        for algorithm, line in table.items():
            same = np.abs(shares - line.accuracy).min() < DIGIT
            if same and max(line.discrimination) < DIGIT and line.consistency in (None, 1.0):
                said.append(
                    f"The paper's {algorithm} on {dataset} (accuracy {line.accuracy:.4f}, "
                    f"Discrimination {max(line.discrimination):.4f}) is the majority class of these "
                    f"test rows, {shares.max():.4f}."
                )
    return said
