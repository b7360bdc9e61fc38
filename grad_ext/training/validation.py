"""A pack's figures on validation rows: what the choice of the epoch looks at."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from grad_ext.data.encoding import Arrays
from grad_ext.engine.batches import shared_tensor
from grad_ext.engine.logistic import Readout, fit_readout
from grad_ext.engine.network import SCORE_ROWS, Network
from grad_ext.metrics.group import (
    accuracy,
    balanced_accuracy,
    bins,
    discrimination_by_attribute,
    positive_rate,
)
from grad_ext.outputs import Task

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
    y, w = (shared_tensor(values, torch.float64) for values in (training.y, training.w))
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
    on_device = network.device.type != "cpu" and readout is None
    if on_device and validation.task.target.kind == "binary":
        return judge_there(network.scores(valid_X), validation)
    return finite_figures(predictions(network, readout, valid_X).numpy(), validation)


def finite_figures(scores: NDArray[np.floating], rows: Arrays) -> dict[str, Floats]:
    """Return the figures of `judge`, nan for members (P,) with a score that is not finite."""
    judged = judge(scores, rows)
    diverged = ~np.isfinite(scores).all(axis=(1, 2))
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


def judge_there(said: Tensor, rows: Arrays) -> dict[str, Floats]:
    """Return the figures of `judge` for scores (P, 1, N) of a binary target that lie on a device.

    What leaves the device is how often each member gives the favorable label among some rows: all
    of either label, and those of each group. The sums are float64's, so the figures are those of
    `judge` but for its last digits; nan for a member that diverged.
    """
    w, y = rows.w, rows.y
    target_w = w if rows.target_w is None else rows.target_w
    groups = [
        [w * (column == value) for value in np.unique(column[~np.isnan(column)])]
        for column in _binned(rows).T
    ]
    cells = [target_w * y, target_w * (1.0 - y), w * y, w * (1.0 - y)]
    weights = np.stack([*cells, *(cell for column in groups for cell in column)], axis=1)
    there = torch.from_numpy(weights).to(said.device)
    labels = said[:, 0] >= 0.5
    sums = said.new_zeros(len(said), weights.shape[1], dtype=torch.float64)
    for first in range(0, len(weights), SCORE_ROWS):
        block = slice(first, first + SCORE_ROWS)
        sums += labels[:, block].double() @ there[block]
    wrong = ~torch.isfinite(said).all(2).all(1)
    counts, share, diverged = (
        value.cpu().numpy() for value in (sums, labels.double().mean(1), wrong)
    )
    totals = weights.sum(axis=0)
    # The means of what is the same for all rows shall be just that.
    constant = (share == 0.0) | (share == 1.0)
    counts = np.where(constant[:, None], np.round(share)[:, None] * totals, counts)
    with np.errstate(invalid="ignore", divide="ignore"):
        rates = counts / totals
    found = {
        "accuracy": (counts[:, 0] + totals[1] - counts[:, 1]) / (totals[0] + totals[1]),
        "balanced_accuracy": (rates[:, 2] + 1.0 - rates[:, 3]) / 2.0,
        "positive_rate": (counts[:, 2] + counts[:, 3]) / (totals[2] + totals[3]),
    }
    apart, start = [], len(cells)
    for k, column in enumerate(groups):
        stop = start + len(column)
        kept = totals[start:stop] > 0
        apart.append(
            _apart(
                rates[:, start:stop][:, kept], totals[start:stop][kept], k in continuous(rows.task)
            )
        )
        start = stop
    none = np.zeros((1, len(said)))
    found["discrimination_by_attribute"] = np.stack(apart) if apart else none
    for values in found.values():
        values[..., diverged] = np.nan
    return found


def _apart(rates: Floats, sizes: Floats, continuous: bool) -> Floats:
    """Return how far the groups' rates (P, G) lie apart, as `discrimination_by_attribute` has it."""
    if rates.shape[1] < 2:
        return np.full(len(rates), np.nan)
    if continuous:
        mean = np.average(rates, axis=1, weights=sizes)
        spread = np.average(np.abs(rates - mean[:, None]), axis=1, weights=sizes)
        # A mean of equal rates may differ from them by rounding.
        return np.where(rates.max(axis=1) > rates.min(axis=1), spread, 0.0)
    return np.asarray(rates.max(axis=1) - rates.min(axis=1))


def _binned(rows: Arrays) -> Floats:
    """Return the attributes (N, K), continuous ones as the numbers of their bins."""
    columns = [bins(c) if k in continuous(rows.task) else c for k, c in enumerate(rows.a.T)]
    return np.stack(columns, axis=1) if columns else rows.a


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
