"""Gradient Reversal Against Discrimination: train, protect, measure and study fair networks.

Importing this package is cheap: every public name is imported on first use, so torch, AIF360,
Fairlearn, Ray and TensorFlow are loaded only when they are needed.
"""

from importlib import import_module
from importlib.metadata import version
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from grad_ext.adapters.aif360.inprocessing import GRADInProcessing as GRADInProcessing
    from grad_ext.adapters.aif360.metrics import ZemelMetric as ZemelMetric
    from grad_ext.auditing.audit import audit as audit
    from grad_ext.auditing.tables import card as card
    from grad_ext.data import Table as Table
    from grad_ext.data import load_dataset as load_dataset
    from grad_ext.data import load_table as load_table
    from grad_ext.metrics.bootstrap import intervals as intervals
    from grad_ext.metrics.bootstrap import paired_test as paired_test
    from grad_ext.metrics.group import accuracy as accuracy
    from grad_ext.metrics.group import balanced_accuracy as balanced_accuracy
    from grad_ext.metrics.group import balanced_delta as balanced_delta
    from grad_ext.metrics.group import chance_level as chance_level
    from grad_ext.metrics.group import consistency as consistency
    from grad_ext.metrics.group import delta as delta
    from grad_ext.metrics.group import discrimination as discrimination
    from grad_ext.metrics.metric_frame import zemel_metrics as zemel_metrics
    from grad_ext.metrics.metric_frame import zemel_params as zemel_params
    from grad_ext.metrics.neighbors import neighbor_graph as neighbor_graph
    from grad_ext.metrics.permutation import permutation_test as permutation_test
    from grad_ext.metrics.score_distances import ks_distance as ks_distance
    from grad_ext.metrics.score_distances import wasserstein_distance as wasserstein_distance
    from grad_ext.metrics.scorers import zemel_scorer as zemel_scorer
    from grad_ext.models.attachment import attach as attach
    from grad_ext.models.onnx import export_onnx as export_onnx
    from grad_ext.models.persistence import load as load
    from grad_ext.models.persistence import save as save
    from grad_ext.models.sklearn import GRADClassifier as GRADClassifier
    from grad_ext.models.sklearn import GRADEncoder as GRADEncoder
    from grad_ext.models.sklearn import GRADRegressor as GRADRegressor
    from grad_ext.models.workflow import evaluate_model as evaluate_model
    from grad_ext.models.workflow import fit as fit
    from grad_ext.models.workflow import predict_file as predict_file
    from grad_ext.sweeps.studies.choice import trainable as trainable
    from grad_ext.sweeps.studies.comparison import compare as compare
    from grad_ext.sweeps.studies.plan import StudyPlan as StudyPlan

_HOMES = {
    "GRADClassifier": "grad_ext.models.sklearn",
    "GRADEncoder": "grad_ext.models.sklearn",
    "GRADInProcessing": "grad_ext.adapters.aif360.inprocessing",
    "GRADRegressor": "grad_ext.models.sklearn",
    "StudyPlan": "grad_ext.sweeps.studies.plan",
    "ZemelMetric": "grad_ext.adapters.aif360.metrics",
    "attach": "grad_ext.models.attachment",
    "audit": "grad_ext.auditing.audit",
    "card": "grad_ext.auditing.tables",
    "evaluate_model": "grad_ext.models.workflow",
    "export_onnx": "grad_ext.models.onnx",
    "fit": "grad_ext.models.workflow",
    "load": "grad_ext.models.persistence",
    "predict_file": "grad_ext.models.workflow",
    "save": "grad_ext.models.persistence",
    "Table": "grad_ext.data",
    "load_dataset": "grad_ext.data",
    "load_table": "grad_ext.data",
    "accuracy": "grad_ext.metrics.group",
    "balanced_accuracy": "grad_ext.metrics.group",
    "balanced_delta": "grad_ext.metrics.group",
    "consistency": "grad_ext.metrics.group",
    "compare": "grad_ext.sweeps.studies.comparison",
    "delta": "grad_ext.metrics.group",
    "discrimination": "grad_ext.metrics.group",
    "chance_level": "grad_ext.metrics.group",
    "intervals": "grad_ext.metrics.bootstrap",
    "ks_distance": "grad_ext.metrics.score_distances",
    "neighbor_graph": "grad_ext.metrics.neighbors",
    "paired_test": "grad_ext.metrics.bootstrap",
    "permutation_test": "grad_ext.metrics.permutation",
    "trainable": "grad_ext.sweeps.studies.choice",
    "wasserstein_distance": "grad_ext.metrics.score_distances",
    "zemel_metrics": "grad_ext.metrics.metric_frame",
    "zemel_params": "grad_ext.metrics.metric_frame",
    "zemel_scorer": "grad_ext.metrics.scorers",
}

__all__ = sorted(_HOMES)  # noqa: PLE0605
__version__ = version("grad-ext")


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'grad_ext' has no attribute {name!r}")
    return getattr(import_module(_HOMES[name]), name)


def __dir__() -> list[str]:
    return [*globals(), *_HOMES]
