"""Fit, judge on the test rows, record: only here do scores meet metrics."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from grad_ext.data.split import Split
from grad_ext.encode import Arrays, Encoder, arrays, metric_space
from grad_ext.files import cache_folder
from grad_ext.method import Method
from grad_ext.metrics import (
    accuracy,
    balanced_accuracy,
    consistency,
    discrimination_floor,
    positive_rate,
    toolkit_metrics,
)
from grad_ext.neighbors import NeighborGraph, cached_graph
from grad_ext.trial import Record, Settings, Trial
from grad_ext.validate import continuous, gaps


@dataclass(frozen=True)
class Problem:
    """A split data set as arrays, with the neighbour graph of its test rows.

    Everything that the models of a study share: found once, sent once.
    """

    training: Arrays
    validation: Arrays
    test: Arrays
    graph: NeighborGraph


def prepare(split: Split, settings: Settings) -> Problem:
    """Encode a split, everything fitted on its training rows alone.

    Consistency has an encoding of its own, the same for every method: standardised numeric and
    one-hot columns without the protected ones, since it asks whether people who are alike but for
    those are treated alike.
    """
    use = settings.use_protected
    encoder = Encoder().fit(split.train.inputs(use))
    return Problem(
        training=arrays(split.train, encoder, use),
        validation=arrays(split.valid, encoder, use),
        test=arrays(split.test, encoder, use),
        graph=cached_graph(
            metric_space(split.test, like=split.train), folder=cache_folder("neighbors")
        ),
    )


def evaluate(
    method: Method,
    trials: Sequence[Trial],
    problem: Problem,
    on_epoch: Callable[[int], None] | None = None,
) -> list[Record]:
    """Fit the trials as one pack and judge each model on the test rows.

    Parameters
    ----------
    method : Method
        What to fit.
    trials : sequence of Trial
        P trials with equal static settings.
    problem : Problem
        The rows.
    on_epoch : callable, optional
        Called with the number of epochs done after each of them.

    Returns
    -------
    list of Record
        One a trial, in order.
    """
    start = time.perf_counter()
    fitted = method.fit(trials, problem.training, problem.validation, on_epoch)
    scores = fitted.scores(problem.test.X)[:, 0]
    seconds = (time.perf_counter() - start) / len(trials)
    figures = judge(scores, problem.test, problem.graph, trials[0].protected)
    diverged = np.isnan(scores.mean(axis=1))
    share = np.asarray(scores >= 0.5).mean(axis=1)
    constant = (share == 0.0) | (share == 1.0)
    records = []
    for p, trial in enumerate(trials):
        metrics = {
            name: float("nan")
            if diverged[p] and not name.startswith("majority")
            else float(values[p])
            for name, values in figures.items()
        }
        records.append(
            Record(
                trial=trial,
                metrics=metrics,
                epoch=int(fitted.epochs[p]),
                constant=bool(constant[p]) and not bool(diverged[p]),
                diverged=bool(diverged[p]),
                seconds=seconds,
            )
        )
    return records


def judge(
    scores: NDArray[np.floating],
    test: Arrays,
    graph: NeighborGraph,
    protected: Sequence[str],
) -> dict[str, NDArray[np.float64]]:
    """Return every figure of P models' predicted labels, each of shape (P,), by name.

    The names are those of results.csv. All are taken with the rows' instance weights but
    Consistency, which has none in its definition.
    """
    labels = scores >= 0.5
    y, a, w = test.y, test.a, test.w
    acc = accuracy(y, labels, sample_weight=w)
    apart = gaps(labels, test)
    rate = positive_rate(y, labels, sample_weight=w)
    share = positive_rate(y, y, sample_weight=w)
    figures = {
        "accuracy": acc,
        "balanced_accuracy": balanced_accuracy(y, labels, sample_weight=w),
        "discrimination": apart.mean(axis=0),
        **{f"discrimination_{name}": gap for name, gap in zip(protected, apart, strict=True)},
        "delta": acc - apart.mean(axis=0),
        "consistency": consistency(y, labels, graph=graph),
        "positive_rate": rate,
        "majority_accuracy": np.full(len(scores), max(share, 1.0 - share)),
        "majority_favorable": np.full(len(scores), float(share >= 0.5)),
        "discrimination_floor": discrimination_floor(
            rate, a, continuous=continuous(test.task)
        ).mean(axis=0),
    }
    for k, (attribute, branch) in enumerate(zip(protected, test.task.attributes, strict=True)):
        if branch.kind == "binary":
            known = ~np.isnan(a[:, k])
            judged = toolkit_metrics(
                y[known], labels[:, known], sensitive_features=a[known, k], sample_weight=w[known]
            )
            figures |= {f"{name}_{attribute}": values[0] for name, values in judged.items()}
    return figures
