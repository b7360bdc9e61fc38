"""
AIF360's algorithms side by side
================================

:class:`~grad_ext.adapters.aif360.inprocessing.GRADInProcessing` takes and gives AIF360's data sets, so it stands
beside its other algorithms in the same loop: here Reweighing, and a logistic regression that does nothing about
fairness, on five divisions of German credit's rows.
"""

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from aif360.algorithms.preprocessing import Reweighing
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from grad_ext import GRADInProcessing, ZemelMetric, load_dataset

groups = {"privileged_groups": [{"age": 1}], "unprivileged_groups": [{"age": 0}]}
rows = load_dataset("german", protected=["age"]).to_aif360()


def logistic(train, test):
    """Return AIF360's test set with the labels of a logistic regression."""
    model = make_pipeline(StandardScaler(), LogisticRegression(max_iter=2000))
    weights = {"logisticregression__sample_weight": train.instance_weights}
    made = test.copy()
    model.fit(train.features, train.labels.ravel(), **weights)
    made.labels = model.predict(test.features).reshape(-1, 1)
    return made


def majority(train, test):
    """Return AIF360's test set with the most frequent label for everybody."""
    made = test.copy()
    labels, counts = np.unique(train.labels, return_counts=True)
    made.labels = np.full_like(test.labels, labels[counts.argmax()])
    return made


methods = {
    "majority class": majority,
    "logistic regression": logistic,
    "Reweighing": lambda train, test: logistic(Reweighing(**groups).fit_transform(train), test),
    "GRAD": lambda train, test: (
        GRADInProcessing(protected=["age"], random_state=0).fit(train).predict(test)
    ),
}

# %%
# ``ZemelMetric`` is AIF360's ``ClassificationMetric`` with the figures of the GRAD paper beside its own.

lines = []
for division in range(5):
    train, test = rows.split([0.7], shuffle=True, seed=division)
    for name, method in methods.items():
        metric = ZemelMetric(test, method(train, test), **groups)
        lines.append(
            {
                "method": name,
                "accuracy": metric.accuracy(),
                "balanced accuracy": (metric.true_positive_rate() + metric.true_negative_rate())
                / 2,
                "parity difference": metric.statistical_parity_difference(),
                "Discrimination": metric.discrimination(),
            }
        )
frame = pd.DataFrame(lines)
print(frame.groupby("method", sort=False).agg(["mean", "std"]).round(3).to_string())

# %%

figure, axes = plt.subplots(figsize=(7, 4), layout="constrained")
for name, group in frame.groupby("method", sort=False):
    axes.scatter(group["Discrimination"], group["balanced accuracy"], label=name)
axes.set_xlabel("Discrimination")
axes.set_ylabel("Balanced accuracy (0.5: a constant)")
axes.legend()
