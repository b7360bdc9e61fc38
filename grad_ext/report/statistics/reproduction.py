"""The paper's tables beside the metrics of the same models, trained again.

Every line has the published value, the mean and standard deviation over our models, the
difference, and what guards against misreading it: balanced accuracy, the share of constant models
and the majority class.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from grad_ext.data.lists import listed
from grad_ext.metrics.registry import attribute_column
from grad_ext.report.published import Published

METRICS = ("accuracy", "delta", "discrimination", "consistency")
LINE = ["dataset", "attributes", "recipe", "algorithm"]
GUARDS = ("balanced_accuracy", "majority_accuracy", "chance_level")
AS_PUBLISHED = "as published"


def lines(
    frame: pd.DataFrame,
    published: Mapping[str, Mapping[str, Published]],
    about: Mapping[str, str],
) -> pd.DataFrame:
    """Return the table's lines, one per data set, attributes, recipe, algorithm and metric.

    Parameters
    ----------
    frame : pandas.DataFrame
        The rows of results.csv with a column ``algorithm`` and a column ``attributes`` (those that
        models are evaluated on, as `grad_ext.report.tables.joined` joins them).
    published : mapping
        The paper's lines, by data set and algorithm.
    about : mapping of str to str
        The attributes that the paper's lines of a data set are taken to be about; models evaluated
        on others have no published value beside them.

    Returns
    -------
    pandas.DataFrame
        Columns dataset, attributes, recipe, algorithm, metric, published, mean, sd, difference
        (ours less the paper's), models, constant, balanced_accuracy, majority_accuracy,
        chance_level. Published lines that are not run have nan for ours and the recipe
        "as published".
    """
    rows: list[dict[str, Any]] = []
    for (dataset, attributes, recipe, algorithm), group in groups(frame, LINE):
        names = listed(attributes)
        paper = published.get(dataset, {}).get(algorithm) if about[dataset] == attributes else None
        paper_metrics = _metrics(paper, names)
        for metric in (
            *METRICS,
            *(attribute_column("discrimination", n) for n in names if len(names) > 1),
        ):
            rows.append(
                {
                    "dataset": dataset,
                    "attributes": attributes,
                    "recipe": recipe,
                    "algorithm": algorithm,
                    "metric": metric,
                    "published": paper_metrics.get(metric, np.nan),
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


def groups(
    frame: pd.DataFrame, keys: Sequence[str]
) -> Iterator[tuple[tuple[str, ...], pd.DataFrame]]:
    """Yield the values of some columns as text, and the models that share them."""
    for key, group in frame.groupby(list(keys), sort=False):
        yield tuple(str(part) for part in key), group


def _metrics(line: Published | None, names: Sequence[str]) -> dict[str, float]:
    if line is None:
        return {}
    metrics = {
        "accuracy": line.accuracy,
        "delta": line.delta,
        "discrimination": float(np.mean(line.discrimination)),
    }
    if line.consistency is not None:
        metrics["consistency"] = line.consistency
    if len(line.discrimination) > 1:
        metrics |= {
            attribute_column("discrimination", n): v
            for n, v in zip(names, line.discrimination, strict=True)
        }
    return metrics


def sensitivity(frame: pd.DataFrame) -> pd.DataFrame:
    """Return how much each choice that the paper leaves open moves each metric.

    Parameters
    ----------
    frame : pandas.DataFrame
        As for `lines`, with columns ``metric@choice`` for the other ways to evaluate the same models.

    Returns
    -------
    pandas.DataFrame
        Columns dataset, attributes, recipe, algorithm, choice, and for each metric how much the
        choice adds to the mean.
    """
    choices = dict.fromkeys(c.split("@")[1] for c in frame.columns if "@" in c)
    rows = []
    for key, group in groups(frame, LINE):
        for choice in choices:
            moved = {m: (group[f"{m}@{choice}"] - group[m]).mean() for m in METRICS}
            rows.append({**dict(zip(LINE, key, strict=True)), "choice": choice, **moved})
    return pd.DataFrame(rows)
