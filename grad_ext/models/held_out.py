"""The metrics of one model on rows that it was not trained on, overall and by group."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from grad_ext.data.table import Table
from grad_ext.errors import InputError
from grad_ext.metrics.bootstrap import LEVEL, intervals
from grad_ext.metrics.constant import nearly_constant
from grad_ext.metrics.group import chance_level
from grad_ext.metrics.permutation import permutation_test
from grad_ext.metrics.registry import METRICS, attribute_column, attribute_metric
from grad_ext.metrics.score_distances import distance_chance_levels
from grad_ext.models.tables import (
    continuous_names,
    favorable_predictions,
    favorable_scores,
    group_frame,
)

SHOWN = (
    *("accuracy", "balanced_accuracy", "discrimination", "ks_distance", "wasserstein_distance"),
    *("balanced_delta", "positive_rate"),
)
# Expected of random labels, and of scores that do not depend on the group.
CHANCE = ("chance_level", "ks_chance_level", "wasserstein_chance_level")
# Of attributes of numbers.
OF_NUMBERS = ("quintile_difference", "quintile_chance_level", "permutation_p_value", "correlation")
# Permutations of the test of an attribute of numbers, of which p-values are multiples of 0.005.
PERMUTATIONS = 199
# Fewer rows of a group do not tell its rates.
FEW_ROWS = 30


@dataclass(frozen=True)
class HeldOut:
    """The metrics of a model on rows.

    Attributes
    ----------
    rows : str
        Which rows these are, in words.
    metrics : pandas.DataFrame
        A row for each metric, by the names of results.csv: ``estimate``, the ends ``low`` and ``high``
        of its 95 % interval, and ``majority``, its value if the most frequent label is predicted for
        every row. ``chance_level`` is the Discrimination of random labels with this positive rate,
        ``ks_chance_level`` and ``wasserstein_chance_level`` are the distances between the groups'
        scores if these do not depend on the group. For an attribute of numbers ``correlation_...``,
        ``quintile_difference_...``, its level by chance ``quintile_chance_level_...``, and
        ``permutation_p_value_...`` of `grad_ext.permutation_test` for that difference.
    groups : pandas.DataFrame
        A row for each group: ``attribute``, ``group``, ``rows``, ``favorable`` (the share of favorable
        labels), ``selected`` (the share of favorable predictions), ``true_positive_rate``,
        ``false_positive_rate`` and ``accuracy``, weighted by the instance weights.
    constant : bool
        Whether the predicted labels are constant, or as good as constant: see
        `grad_ext.metrics.constant.nearly_constant`.
    """

    rows: str
    metrics: pd.DataFrame
    groups: pd.DataFrame
    constant: bool

    def __str__(self) -> str:
        tables = [
            pd.DataFrame(body, columns=heading).to_string(index=False)
            for heading, body in (self.lines(), self.group_lines())
        ]
        return "\n\n".join([*tables, "\n".join(self.sentences())])

    def lines(self) -> tuple[list[str], list[list[str]]]:
        """Return heading and rows of the table of metrics, as text."""
        heading = ["metric", "this model", "95 % interval", "majority class"]
        chosen = [name for name in self.metrics.index if name in (*SHOWN, *CHANCE)]
        beginnings = tuple(f"{name}_" for name in ("discrimination", *OF_NUMBERS))
        chosen += [n for n in self.metrics.index if n.startswith(beginnings)]
        body = []
        for name in chosen:
            row = self.metrics.loc[name]
            ends = f"{row['low']:.3f} to {row['high']:.3f}" if row.notna()["low"] else ""
            majority = f"{row['majority']:.3f}" if row.notna()["majority"] else ""
            body.append([_label(name), _text(row["estimate"]), ends, majority])
        return heading, body

    def group_lines(self) -> tuple[list[str], list[list[str]]]:
        """Return heading and rows of the table of groups, as text."""
        heading = ["attribute", "group", "rows", "favorable", "selected"]
        heading += ["true positive rate", "false positive rate", "accuracy"]
        body = [
            [row["attribute"], row["group"], f"{row['rows']:,}"]
            + [_text(row[name.replace(" ", "_")]) for name in heading[3:]]
            for row in self.groups.to_dict("records")
        ]
        return heading, body

    def sentences(self) -> list[str]:
        """Return what has to be known to read the tables, in sentences."""
        metrics, sentences = self.metrics["estimate"], []
        if self.constant:
            sentences.append(
                f"{self._constant()}: its low Discrimination means nothing. Do not use it; try a "
                "smaller λ or more epochs."
            )
        elif metrics["accuracy"] <= self.metrics["majority"]["accuracy"]:
            sentences.append(
                f"Its accuracy, {metrics['accuracy']:.3f}, is not above that of the majority class, "
                f"{self.metrics['majority']['accuracy']:.3f}."
            )
        if not self.constant and metrics["discrimination"] <= metrics["chance_level"]:
            sentences.append(
                f"Its Discrimination, {metrics['discrimination']:.3f}, is not above the chance level, "
                f"{metrics['chance_level']:.3f}: random labels differ as much between the groups."
            )
        sentences += [self._number(name) for name in self._numbers()]
        small = self.groups[self.groups["rows"] < FEW_ROWS]
        if len(small):
            names = [f"{r['attribute']}: {r['group']} ({r['rows']})" for _, r in small.iterrows()]
            sentences.append(
                f"Fewer than {FEW_ROWS} rows, too few for the rates of a group: {', '.join(names)}."
            )
        return sentences

    def _numbers(self) -> list[str]:
        """Return the attributes of numbers that there is a test of, as the ends of columns."""
        beginning = "permutation_p_value_"
        known = self.metrics.index[self.metrics["estimate"].notna()]
        return [n.removeprefix(beginning) for n in known if n.startswith(beginning)]

    def _number(self, name: str) -> str:
        """Return how predictions depend on an attribute of numbers."""
        metrics = self.metrics["estimate"]
        p_value = metrics[f"permutation_p_value_{name}"]
        verdict = "depend on it" if p_value < 1.0 - LEVEL else "show no dependence on it"
        return (
            f"Of the fifths of {name}, the shares of favorable predictions differ by up to "
            f"{metrics[f'quintile_difference_{name}']:.3f} (by chance "
            f"{metrics[f'quintile_chance_level_{name}']:.3f}); predictions {verdict} (permutation test, "
            f"p = {p_value:.3f})."
        )

    def _constant(self) -> str:
        """Return in what way the model is constant."""
        rate, balanced = self.metrics.loc[["positive_rate", "balanced_accuracy"], "estimate"]
        if rate in (0.0, 1.0):
            return "The model predicts the same label for every row"
        return (
            f"The model is nearly constant, favorable for {rate:.2%} of the rows with a balanced "
            f"accuracy of {balanced:.3f}"
        )


def held_out(model: Any, table: Table, rows: str = "", seed: int = 0) -> HeldOut:
    """Return the metrics of a model on a table.

    Parameters
    ----------
    model : estimator or GRADInProcessing
        A fitted model that predicts labels, as `grad_ext.load` returns it.
    table : Table
        The rows, which the model was not trained on.
    rows : str
        Which rows these are, in words.
    seed : int, default 0
        Seed of the intervals.

    Raises
    ------
    InputError
        If the model does not predict labels, has other labels, or the table lacks a column that it
        was fitted on.
    """
    predicted = favorable_predictions(model, table)
    if predicted is None:
        raise InputError(f"expected a model that predicts labels, got {type(model).__name__}")
    scores = favorable_scores(model, table)
    y, w = table.y(), table.w()
    trained = getattr(model, "training_data_", None)
    groups = group_frame(table, None if trained is None else trained.names_by_attribute)
    continuous = continuous_names(table)
    metrics = intervals(
        y,
        predicted,
        sensitive_features=groups,
        y_score=scores,
        continuous=continuous,
        sample_weight=w,
        groups=None if table.groups is None else table.g(),
        seed=seed,
    )
    levels = chance_level(
        float(np.average(predicted, weights=w)), groups, sample_weight=w, continuous=continuous
    )
    metrics.loc["chance_level", "estimate"] = float(np.mean(levels))
    if scores is not None:
        by_chance = distance_chance_levels(
            y, scores, sensitive_features=groups, sample_weight=w, continuous=continuous
        )
        for name, of_attributes in by_chance.items():
            level = name.replace("distance", "chance_level")
            metrics.loc[level, "estimate"] = float(of_attributes.mean())
    for name in continuous:
        for metric, value in _of_number(predicted, groups[[name]], w, seed).items():
            metrics.loc[attribute_column(metric, name), "estimate"] = value
    share = float(np.average(y, weights=w))
    right = max(share, 1.0 - share)
    metrics["majority"] = pd.Series(
        {
            "accuracy": right,
            "balanced_accuracy": 0.5,
            "discrimination": 0.0,
            "ks_distance": 0.0,
            "wasserstein_distance": 0.0,
            "balanced_delta": 0.5,
            "delta": right,
            "positive_rate": float(share >= 0.5),
        }
    )
    return HeldOut(
        rows or f"all rows of {table.name}",
        metrics,
        rates_by_group(table, groups, y, predicted, w),
        bool(nearly_constant(predicted, y, w)),
    )


def _of_number(
    predicted: NDArray[np.bool_], column: pd.DataFrame, w: NDArray[np.float64], seed: int
) -> dict[str, float]:
    """Return how predictions depend on an attribute of numbers: the metrics `OF_NUMBERS`."""
    tests = {
        metric: permutation_test(
            None,
            predicted,
            sensitive_features=column,
            continuous=[0],
            metric=metric,
            sample_weight=w,
            permutations=permutations,
            seed=seed,
        ).iloc[0]
        for metric, permutations in (("quintile_difference", PERMUTATIONS), ("correlation", 1))
    }
    fifths = tests["quintile_difference"]
    values = (
        fifths["value"],
        fifths["by_chance"],
        fifths["p_value"],
        tests["correlation"]["value"],
    )
    return dict(zip(OF_NUMBERS, map(float, values), strict=True))


def rates_by_group(
    table: Table,
    groups: pd.DataFrame,
    y: NDArray[np.bool_],
    predicted: NDArray[np.bool_],
    w: NDArray[np.float64],
) -> pd.DataFrame:
    """Return the rows and rates of every group: see `HeldOut`.

    Parameters
    ----------
    table : Table
        N rows.
    groups : pandas.DataFrame
        The name of each row's group, by attribute.
    y, predicted : bool arrays of shape (N,)
        Whether the label is the favorable one, and is predicted to be.
    w : array of shape (N,)
        Instance weights.
    """
    lines = []
    for attribute in table.protected:
        if attribute.continuous:
            continue
        column = groups[attribute.name].to_numpy(dtype=object)
        for name in sorted(pd.unique(column[~pd.isna(column)])):
            inside = column == name
            lines.append(
                {
                    "attribute": attribute.name,
                    "group": name,
                    "rows": int(inside.sum()),
                    "favorable": _share(y, w, inside),
                    "selected": _share(predicted, w, inside),
                    "true_positive_rate": _share(predicted, w, inside & y),
                    "false_positive_rate": _share(predicted, w, inside & ~y),
                    "accuracy": _share(predicted == y, w, inside),
                }
            )
    names = ["attribute", "group", "rows", "favorable", "selected", "true_positive_rate"]
    return pd.DataFrame(lines, columns=[*names, "false_positive_rate", "accuracy"])


def _share(hits: NDArray[np.bool_], w: NDArray[np.float64], rows: NDArray[np.bool_]) -> float:
    total = float(w[rows].sum())
    return float(w[rows & hits].sum() / total) if total > 0 else float("nan")


def _text(value: float) -> str:
    return "–" if np.isnan(value) else f"{value:.3f}"


def _label(name: str) -> str:
    if name.startswith("permutation_p_value_"):
        return f"p-value of the difference ({name.removeprefix('permutation_p_value_')})"
    of = attribute_metric(name)
    if of is not None:
        return f"{of.label} ({name.removeprefix(f'{of.name}_')})"
    return METRICS[name].label if name in METRICS else name.replace("_", " ")
