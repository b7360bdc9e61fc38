"""Consistency beside AIF360's: one run, side by side, on Adult's test rows; and on all of its rows.

Times and ratio are medians of rounds taken in turn, each with the rows in another order. Peak memory
is that of a process of its own, which loads the data, encodes it and finds the graph.
"""

import statistics
import subprocess
import sys
import time
import warnings
from functools import partial

import numpy as np

from grad_ext import load_dataset
from grad_ext.data.encoding import metric_space
from grad_ext.metrics.group import consistency
from grad_ext.metrics.neighbors import neighbor_graph

TEST_ROWS, ROUNDS = 15_060, 5
ALONE = """
import resource, time
from grad_ext import load_dataset, neighbor_graph
from grad_ext.data.encoding import metric_space
X = metric_space(load_dataset("adult", protected=["sex"]))
start = time.perf_counter()
graph = neighbor_graph(X)
seconds = time.perf_counter() - start
peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
print(f"all {len(graph):,} rows, k=5: {seconds:.1f} s, peak of the process {peak:.2f} GiB")
"""


def timed(call):
    start = time.perf_counter()
    value = call()
    return value, time.perf_counter() - start


def main():
    warnings.simplefilter("ignore")
    from aif360.metrics import BinaryLabelDatasetMetric

    table = load_dataset("adult", protected=["sex"])
    rows = np.arange(len(table) - TEST_ROWS, len(table))
    dataset = table.take(rows).to_aif360()
    rng = np.random.default_rng(0)
    labels = rng.integers(0, 2, TEST_ROWS).astype(float)
    dataset.labels = labels[:, None]
    neighbor_graph(metric_space(table.take(rows[:3000])))  # what is imported on first use

    times = []
    for _ in range(ROUNDS):
        order = rng.permutation(TEST_ROWS)
        dataset.features, dataset.labels = dataset.features[order], dataset.labels[order]
        settings = {"X": dataset.features, "k": 5, "include_self": True, "ties": "first"}
        ours, mine = timed(partial(consistency, None, dataset.labels[:, 0], **settings))
        theirs, other = timed(lambda: BinaryLabelDatasetMetric(dataset).consistency(5)[0])
        times.append((mine, other, other / mine))
    mine, other, ratio = (statistics.median(column) for column in zip(*times, strict=True))
    print(
        f"consistency, k=5, {TEST_ROWS:,} rows, AIF360's features: {mine:.2f} s against AIF360's "
        f"{other:.1f} s, {ratio:.0f} times faster ({min(t[2] for t in times):.0f} to "
        f"{max(t[2] for t in times):.0f}); the last {ours:.4f} and {theirs:.4f} (ties apart)",
        flush=True,
    )
    graph, found = timed(lambda: neighbor_graph(metric_space(table.take(rows))))
    models = rng.integers(0, 2, (50, TEST_ROWS)).astype(float)
    _, further = timed(lambda: [consistency(None, said, graph=graph) for said in models])
    print(
        f"encoded without the protected: {found:.2f} s; a further model {further / 50 * 1e3:.1f} ms",
        flush=True,
    )
    subprocess.run([sys.executable, "-W", "ignore", "-c", ALONE], check=True)


if __name__ == "__main__":
    main()
