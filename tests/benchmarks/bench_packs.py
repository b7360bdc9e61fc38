"""What packs and further attributes cost: ratios of medians, measured side by side in one run."""

import statistics
import time

import numpy as np

from grad_ext.data import load_dataset
from grad_ext.data.encoding import Arrays
from grad_ext.data.split import split
from grad_ext.evaluation import prepare
from grad_ext.method import GRAD
from grad_ext.outputs import Binary, Task
from grad_ext.training.settings import Settings
from grad_ext.trial import Trial

ROUNDS, EPOCHS = 5, 20


def with_attributes(arrays, count):
    """Return the arrays with so many copies of their first attribute."""
    task = Task(arrays.task.target, tuple(Binary(f"a{k}") for k in range(count)))
    return Arrays(arrays.X, arrays.y, np.repeat(arrays.a[:, :1], count, axis=1), arrays.w, task)


def seconds(encoded, members, attributes, packed):
    training, validation = (
        with_attributes(x, attributes) for x in (encoded.training, encoded.validation)
    )
    names = tuple(f"a{k}" for k in range(attributes))
    trials = [
        Trial("german", names, seed=s, settings=Settings(recipe="steady", epochs=EPOCHS))
        for s in range(members)
    ]
    start = time.perf_counter()
    for pack in [trials] if packed else [[trial] for trial in trials]:
        GRAD().fit(pack, training, validation)
    return time.perf_counter() - start


def compare(encoded, what, one, other):
    """Print the ratio of one call's median time to another's, rounds taken in turn."""
    times = [(seconds(encoded, *one), seconds(encoded, *other)) for _ in range(ROUNDS)]
    print(f"{what}: {statistics.median(a / b for a, b in times):.2f}", flush=True)


def main():
    encoded = prepare(split(load_dataset("german", ["age"])), Settings(recipe="steady"))
    seconds(encoded, 1, 1, True)
    compare(encoded, "three attributes against one, pack of 16", (16, 3, True), (16, 1, True))
    compare(encoded, "three attributes against one, one model", (1, 3, True), (1, 1, True))
    compare(encoded, "16 fits one by one against a pack of 16, K=2", (16, 2, False), (16, 2, True))


if __name__ == "__main__":
    main()
