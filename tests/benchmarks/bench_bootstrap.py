"""Bootstrap intervals of all metrics at the size of Adult's test set, against a loop.

The loop is what one would write without grad_ext.metrics.bootstrap: draw rows, call each metric on them.
It draws fewer resamples than anyone would report, and both sides draw the same number.
"""

import statistics
import time

import numpy as np

from grad_ext.metrics.bootstrap import intervals, paired_test
from grad_ext.metrics.group import (
    accuracy,
    balanced_accuracy,
    consistency,
    discrimination_by_attribute,
    positive_rate,
    toolkit_metrics,
)
from grad_ext.metrics.neighbors import neighbor_graph

ROWS, ROUNDS, FEW, MANY = 15_060, 5, 100, 1000


def loop(y, labels, columns, graph, resamples):
    """Resample Discrimination of two attributes and all other metrics, one call each."""
    rng = np.random.default_rng(0)
    drawn = []
    for _ in range(resamples):
        w = np.bincount(rng.integers(ROWS, size=ROWS), minlength=ROWS).astype(float)
        drawn.append(
            [
                accuracy(y, labels, sample_weight=w),
                balanced_accuracy(y, labels, sample_weight=w),
                positive_rate(y, labels, sample_weight=w),
                consistency(y, labels, graph=graph, sample_weight=w),
                *discrimination_by_attribute(
                    y, labels, sensitive_features=columns, sample_weight=w
                ),
                *toolkit_metrics(
                    y, labels, sensitive_features=columns[:, 0], sample_weight=w
                ).values(),
            ]
        )
    return drawn


def seconds(call, *args, **settings):
    start = time.perf_counter()
    call(*args, **settings)
    return time.perf_counter() - start


def main():
    rng = np.random.default_rng(0)
    sex, race = rng.integers(0, 2, ROWS), rng.choice(5, ROWS, p=[0.85, 0.09, 0.03, 0.02, 0.01])
    y = (rng.random(ROWS) < 0.2 + 0.1 * sex).astype(int)
    labels = np.where(rng.random(ROWS) < 0.8, y, rng.random(ROWS) < 0.2).astype(int)
    other = np.where(rng.random(ROWS) < 0.05, 1 - labels, labels)
    graph = neighbor_graph(np.column_stack([rng.normal(size=(ROWS, 6)), np.eye(5)[race]]))
    columns = np.column_stack([sex, race])
    given = {"sensitive_features": {"sex": sex, "race": race}, "graph": graph}
    times = [
        (
            seconds(loop, y, labels, columns, graph, FEW),
            seconds(intervals, y, labels, resamples=FEW, **given),
        )
        for _ in range(ROUNDS)
    ]
    ratio = statistics.median(a / b for a, b in times)
    print(f"{FEW} resamples of {ROWS} rows, a loop against intervals: {ratio:.0f}", flush=True)
    many = {
        "intervals": (intervals, y, labels),
        "intervals of 16 models": (intervals, y, np.stack([labels] * 16)),
        "paired_test": (paired_test, y, labels, other),
    }
    for name, call in many.items():
        taken = statistics.median(seconds(*call, resamples=MANY, **given) for _ in range(ROUNDS))
        print(f"{name}, {MANY} resamples of {ROWS} rows: {taken:.2f} s", flush=True)


if __name__ == "__main__":
    main()
