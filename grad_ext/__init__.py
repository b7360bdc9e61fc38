"""Gradient Reversal Against Discrimination: train, protect, measure and study fair networks.

Importing this package is cheap: every public name is looked up on first use, so neither torch nor
AIF360, Fairlearn, Ray or TensorFlow is loaded before it is needed.
"""

from importlib import import_module
from importlib.metadata import version
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from grad_ext.adapters.aif360.inprocessing import GRADInProcessing as GRADInProcessing
    from grad_ext.adapters.aif360.metrics import ZemelMetric as ZemelMetric
    from grad_ext.attachment import attach as attach
    from grad_ext.auditing.audit import audit as audit
    from grad_ext.data import Table as Table
    from grad_ext.data import load_dataset as load_dataset
    from grad_ext.data import load_table as load_table
    from grad_ext.estimator import GRADClassifier as GRADClassifier
    from grad_ext.estimator import GRADEncoder as GRADEncoder
    from grad_ext.estimator import GRADRegressor as GRADRegressor
    from grad_ext.metrics import accuracy as accuracy
    from grad_ext.metrics import balanced_accuracy as balanced_accuracy
    from grad_ext.metrics import balanced_delta as balanced_delta
    from grad_ext.metrics import consistency as consistency
    from grad_ext.metrics import delta as delta
    from grad_ext.metrics import discrimination as discrimination
    from grad_ext.metrics import discrimination_floor as discrimination_floor
    from grad_ext.neighbors import neighbor_graph as neighbor_graph
    from grad_ext.onnx import export_onnx as export_onnx
    from grad_ext.scoring import zemel_metrics as zemel_metrics
    from grad_ext.scoring import zemel_params as zemel_params
    from grad_ext.scoring import zemel_scorer as zemel_scorer
    from grad_ext.store import load as load
    from grad_ext.store import save as save
    from grad_ext.sweeps.compare import compare as compare
    from grad_ext.sweeps.plan import Study as Study
    from grad_ext.sweeps.search import trainable as trainable
    from grad_ext.uncertainty import intervals as intervals
    from grad_ext.uncertainty import paired_test as paired_test

_HOMES = {
    "GRADClassifier": "grad_ext.estimator",
    "GRADEncoder": "grad_ext.estimator",
    "GRADInProcessing": "grad_ext.adapters.aif360.inprocessing",
    "GRADRegressor": "grad_ext.estimator",
    "Study": "grad_ext.sweeps.plan",
    "ZemelMetric": "grad_ext.adapters.aif360.metrics",
    "attach": "grad_ext.attachment",
    "audit": "grad_ext.auditing.audit",
    "export_onnx": "grad_ext.onnx",
    "load": "grad_ext.store",
    "save": "grad_ext.store",
    "Table": "grad_ext.data",
    "load_dataset": "grad_ext.data",
    "load_table": "grad_ext.data",
    "accuracy": "grad_ext.metrics",
    "balanced_accuracy": "grad_ext.metrics",
    "balanced_delta": "grad_ext.metrics",
    "consistency": "grad_ext.metrics",
    "compare": "grad_ext.sweeps.compare",
    "delta": "grad_ext.metrics",
    "discrimination": "grad_ext.metrics",
    "discrimination_floor": "grad_ext.metrics",
    "intervals": "grad_ext.uncertainty",
    "neighbor_graph": "grad_ext.neighbors",
    "paired_test": "grad_ext.uncertainty",
    "trainable": "grad_ext.sweeps.search",
    "zemel_metrics": "grad_ext.scoring",
    "zemel_params": "grad_ext.scoring",
    "zemel_scorer": "grad_ext.scoring",
}

__all__ = sorted(_HOMES)  # noqa: PLE0605
__version__ = version("grad-ext")


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'grad_ext' has no attribute {name!r}")
    return getattr(import_module(_HOMES[name]), name)


def __dir__() -> list[str]:
    return [*globals(), *_HOMES]
