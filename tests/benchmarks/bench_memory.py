"""Peak memory of fitting a million rows of 100 features, against the size of the array."""

import resource
import time

import numpy as np

from grad_ext import GRADClassifier

ROWS, FEATURES = 1_000_000, 100


def peak():
    """Return the most memory this process has held, in bytes."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def main():
    rng = np.random.default_rng(0)
    small = rng.normal(size=(100, 3))
    # Loads torch, whose own memory has nothing to do with the rows.
    GRADClassifier(epochs=1).fit(small, small[:, 0] > 0, sensitive_features=small[:, 1] > 0)
    before = peak()
    X = np.empty((ROWS, FEATURES))
    for column in X.T:
        column[:] = rng.normal(size=ROWS)
    y, a = X[:, 0] + X[:, 1] > 0, X[:, 1] > 0
    start = time.perf_counter()
    GRADClassifier(epochs=1, batch_size=4096).fit(X, y, sensitive_features=a)
    seconds = time.perf_counter() - start
    print(f"{ROWS} rows of {FEATURES} float64 features, {X.nbytes / 2**20:.0f} MiB: one epoch in "
          f"{seconds:.0f} s, peak memory {(peak() - before) / X.nbytes:.2f} times the array's size "
          "(the array itself included)")  # fmt: skip


if __name__ == "__main__":
    main()
