"""Metrics of a pack on the validation rows, which the choice of the epoch depends on."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from grad_ext.data.encoding import Arrays
from grad_ext.engine.batches import shared_tensor
from grad_ext.engine.logistic import Readout, fit_readout
from grad_ext.engine.network import Network
from grad_ext.metrics.registry import accuracy, balanced_accuracy, discrimination, positive_rate
from grad_ext.metrics.sums import Groups, Means, Predictions, cell_means
from grad_ext.outputs import Binary

Floats = NDArray[np.float64]


def last_readout(
    network: Network, X: Tensor, training: Arrays, start: Readout | None = None
) -> Readout | None:
    """Fit the logistic regressions of the Auto variant, if it is one and there are labels.

    `start` are those of the epoch before.
    """
    target = training.task.target
    if not network.shape.target.reconstructs or not target.classes:
        return None
    y, w = (shared_tensor(values, torch.float64) for values in (training.y, training.w))
    # On the CPU: Newton's few steps, one member after another, would not use a device.
    Z = network.representations(X).cpu()
    return fit_readout(Z, y, w, target.classes, start)


def predictions(network: Network, readout: Readout | None, X: Tensor) -> Tensor:
    """Return what a pack predicts, shape (P, R, N), on the CPU: see `Network.scores`."""
    if readout is None:
        return network.scores(X).cpu()
    return readout.scores(network.representations(X).cpu())


def validation_metrics(
    network: Network, readout: Readout | None, valid_X: Tensor, validation: Arrays
) -> dict[str, Floats]:
    """Return each member's metrics on the validation rows, by the names of `History`.

    nan for a member that diverged, and all nan for a representation that was learned without
    labels, of which there is nothing to evaluate.
    """
    if readout is None and network.shape.target.reconstructs:
        nothing = np.full(network.members, np.nan)
        by_attribute = np.full((max(1, validation.a.shape[1]), network.members), np.nan)
        names = ("accuracy", "balanced_accuracy", "positive_rate")
        return {**dict.fromkeys(names, nothing), "discrimination_by_attribute": by_attribute}
    on_device = network.device.type != "cpu" and readout is None
    if on_device and isinstance(validation.task.target, Binary):
        return score_metrics(network.scores(valid_X), validation)
    return score_metrics(predictions(network, readout, valid_X).numpy(), validation)


def score_metrics(scores: NDArray[np.floating] | Tensor, rows: Arrays) -> dict[str, Floats]:
    """Return the metrics of P models' predictions, by the names of `History`.

    Parameters
    ----------
    scores : array or Tensor of shape (P, R, N)
        As `Network.scores` returns them. For a binary target they can be on any device: only the
        sums leave it, so that the metrics are those of an array but for their last digits.
    rows : Arrays
        The rows that the scores are for.

    Returns
    -------
    dict of arrays
        ``accuracy``, ``balanced_accuracy`` and ``positive_rate`` of shape (P,) and
        ``discrimination_by_attribute`` of shape (K, P); nan for a model with a score that is not
        finite.
    """
    target = rows.task.target
    if isinstance(target, Binary):
        means = predictions_for(scores[:, 0] >= 0.5, rows)
        metrics = {
            "accuracy": accuracy(means),
            "balanced_accuracy": balanced_accuracy(means),
            "positive_rate": positive_rate(means),
            "discrimination_by_attribute": _by_attribute(means),
        }
    elif target.classes:
        metrics = _class_metrics(np.asarray(scores), rows)
    else:
        metrics = _number_metrics(np.asarray(scores[:, 0], dtype=np.float64), rows)
    if isinstance(scores, Tensor):
        finite = scores.isfinite().all(-1).all(-1).cpu().numpy()
    else:
        finite = np.isfinite(scores).all(axis=(1, 2))
    for values in metrics.values():
        values[..., ~finite] = np.nan
    return metrics


def predictions_for(predicted: NDArray[np.generic] | Tensor, rows: Arrays) -> Predictions:
    """Return predictions of shape (..., N) with what is known of the rows.

    Class weights decide which mistakes count, so they count in the accuracy too.
    """
    array = predicted if isinstance(predicted, Tensor) else predicted.astype(np.float64)
    branches = zip(rows.task.attributes, rows.a.T, strict=True)
    groups = tuple(Groups.of(branch.name, branch.kind, column) for branch, column in branches)
    return Predictions(array, rows.y, rows.w, groups, target_weight=rows.target_w)


def _by_attribute(means: Means) -> Floats:
    """Return Discrimination by attribute, shape (K, ...); a row of 0 if there are none."""
    if not means.groups:
        return np.zeros_like(means.positive)[None]
    return np.stack([discrimination(means, k) for k in range(len(means.groups))])


def _class_metrics(scores: NDArray[np.floating], rows: Arrays) -> dict[str, Floats]:
    labels = scores.argmax(axis=1)
    right = (labels == rows.y).astype(np.float64)
    target_w = rows.w if rows.target_w is None else rows.target_w
    by_class = np.stack([rows.w * (rows.y == c) for c in range(scores.shape[1])])
    recalls = np.moveaxis(cell_means(right, by_class[by_class.any(axis=1)]).mean, -1, 0)
    # Of several classes, Discrimination is the largest one of the shares predicted each class.
    shares = predictions_for(np.stack([labels == c for c in range(scores.shape[1])]), rows)
    return {
        "accuracy": cell_means(right, target_w[None]).mean[..., 0],
        "balanced_accuracy": np.ascontiguousarray(recalls).mean(axis=0),
        "positive_rate": shares.positive[-1],
        "discrimination_by_attribute": _by_attribute(shares).max(axis=1),
    }


def _number_metrics(predicted: Floats, rows: Arrays) -> dict[str, Floats]:
    means, weight = predictions_for(predicted, rows), rows.w[None]
    mean = cell_means(rows.y, weight).mean
    spread = cell_means((rows.y - mean) ** 2, weight).mean[..., 0]
    with np.errstate(divide="ignore", invalid="ignore"):
        explained = 1.0 - cell_means((rows.y - predicted) ** 2, weight).mean[..., 0] / spread
    return {
        "accuracy": explained,
        "balanced_accuracy": explained.copy(),
        "positive_rate": positive_rate(means),
        "discrimination_by_attribute": _by_attribute(means),
    }
