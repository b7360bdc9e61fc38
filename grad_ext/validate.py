"""A pack's figures on validation rows: what the choice of the epoch looks at."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from grad_ext.encode import Arrays
from grad_ext.metrics import accuracy, balanced_accuracy, discrimination_by_attribute, positive_rate
from grad_ext.network import Network
from grad_ext.readout import Readout, fit_readout
from grad_ext.task import Task

Floats = NDArray[np.float64]


def last_readout(
    network: Network, X: Tensor, training: Arrays, start: Readout | None = None
) -> Readout | None:
    """Fit the logistic regressions of the Auto variant, if it is one and there are labels.

    `start` are those of the epoch before.
    """
    target = training.task.target
    if network.shape.target.kind != "features" or target.kind not in ("binary", "categorical"):
        return None
    y, w = torch.from_numpy(training.y), torch.from_numpy(training.w)
    # Newton's few steps, a member after another, are nothing for a device.
    Z = network.representations(X).cpu()
    return fit_readout(Z, y, w, max(2, target.outputs), start)


def predictions(network: Network, readout: Readout | None, X: Tensor) -> Tensor:
    """Return what a pack predicts, shape (P, R, N), on the CPU: see `Network.scores`."""
    if readout is None:
        return network.scores(X).cpu()
    return readout.scores(network.representations(X).cpu())


def figures(
    network: Network, readout: Readout | None, valid_X: Tensor, validation: Arrays
) -> dict[str, Floats]:
    """Return each member's figures on the validation rows, by the names of `History`.

    nan for a member that diverged, and all nan for a representation that was learned without
    labels, of which nothing can be judged.
    """
    if readout is None and network.shape.target.kind == "features":
        nothing = np.full(network.members, np.nan)
        by_attribute = np.full((max(1, validation.a.shape[1]), network.members), np.nan)
        names = ("accuracy", "balanced_accuracy", "positive_rate")
        return {**dict.fromkeys(names, nothing), "discrimination_by_attribute": by_attribute}
    said = predictions(network, readout, valid_X).numpy()
    judged = judge(said, validation)
    diverged = ~np.isfinite(said).all(axis=(1, 2))
    for values in judged.values():
        values[..., diverged] = np.nan
    return judged


def judge(said: NDArray[np.floating], rows: Arrays) -> dict[str, Floats]:
    """Return the figures of predictions of shape (P, R, N), by the names of `History`."""
    kind, w = rows.task.target.kind, rows.w
    # Class weights say which mistakes count, so they count in the accuracy too.
    target_w = w if rows.target_w is None else rows.target_w
    if kind == "binary":
        labels = said[:, 0] >= 0.5
        return {
            "accuracy": accuracy(rows.y, labels, sample_weight=target_w),
            "balanced_accuracy": balanced_accuracy(rows.y, labels, sample_weight=w),
            "positive_rate": positive_rate(rows.y, labels, sample_weight=w),
            "discrimination_by_attribute": gaps(labels, rows),
        }
    if kind == "categorical":
        return _judge_classes(said, rows, target_w)
    predicted = said[:, 0].astype(np.float64)
    mean = np.average(rows.y, weights=w)
    spread = np.average((rows.y - mean) ** 2, weights=w)
    with np.errstate(divide="ignore", invalid="ignore"):
        explained = 1.0 - np.average((rows.y - predicted) ** 2, axis=1, weights=w) / spread
    return {
        "accuracy": explained,
        "balanced_accuracy": explained.copy(),
        "positive_rate": np.average(predicted, axis=1, weights=w),
        "discrimination_by_attribute": gaps(predicted, rows),
    }


def _judge_classes(said: NDArray[np.floating], rows: Arrays, target_w: Floats) -> dict[str, Floats]:
    labels = said.argmax(axis=1)
    right = (labels == rows.y).astype(np.float64)
    classes = [rows.w * (rows.y == c) for c in range(said.shape[1])]
    recalls = [np.average(right, axis=1, weights=w) for w in classes if w.any()]
    # A label is a choice among several: how far the groups lie apart is the largest difference in
    # how often any one class is predicted.
    by_class = [gaps(labels == c, rows) for c in range(said.shape[1])]
    return {
        "accuracy": np.average(right, axis=1, weights=target_w),
        "balanced_accuracy": np.mean(recalls, axis=0),
        "positive_rate": np.average(labels == said.shape[1] - 1, axis=1, weights=rows.w),
        "discrimination_by_attribute": np.max(by_class, axis=0),
    }


def gaps(predicted: NDArray[np.generic], rows: Arrays) -> Floats:
    """Return Discrimination by attribute, shape (K, P)."""
    if not rows.a.shape[1]:
        return np.zeros((1, len(predicted)))
    return discrimination_by_attribute(
        rows.y,
        predicted,
        sensitive_features=rows.a,
        sample_weight=rows.w,
        continuous=continuous(rows.task),
    )


def continuous(task: Task) -> tuple[int, ...]:
    """Return which columns of the attributes are continuous."""
    return tuple(k for k, branch in enumerate(task.attributes) if branch.kind == "continuous")
