"""Data and helpers that the tests of audits share."""

import numpy as np

from grad_ext.auditing.probes import PROBES


def noise(n=200, d=3, seed=0):
    """Return columns without information, shape (n, d)."""
    return np.random.default_rng(seed).normal(size=(n, d))


def cell(result, source, probe=PROBES[0], attribute=None):
    """Return the one row of an audit's table for a source, a probe and an attribute."""
    table = result.table
    rows = table[(table["source"] == source) & (table["probe"] == probe)]
    if attribute is not None:
        rows = rows[rows["attribute"] == attribute]
    assert len(rows) == 1
    return rows.iloc[0]


def sources(result):
    """Return the names of an audit's sources, in order."""
    return list(dict.fromkeys(result.table["source"]))


def leaky(n=300, seed=0):
    """Return rows whose first column reveals the sex, labels that depend on it, and the sex."""
    rng = np.random.default_rng(seed)
    sex = rng.integers(0, 2, n)
    X = rng.normal(size=(n, 3)) + 2.5 * np.outer(sex, [1, 0, 0])
    return X, (X[:, 0] + X[:, 1] > 1).astype(int), sex
