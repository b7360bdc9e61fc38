"""
Group by group with Fairlearn
=============================

One number hides who is treated how. Fairlearn's ``MetricFrame`` shows every metric for every group; a
:class:`~grad_ext.models.sklearn.GRADClassifier` is one of its estimators.
"""

import matplotlib.pyplot as plt
from fairlearn.metrics import MetricFrame, count, selection_rate
from sklearn.compose import make_column_transformer
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import accuracy_score, balanced_accuracy_score
from sklearn.model_selection import train_test_split
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

from grad_ext import GRADClassifier, load_dataset

german = load_dataset("german", protected=["age"])
age = german.frame["age"].gt(25).map({True: "above 25", False: "25 or less"})
X, X_test, y, y_test, a, a_test = train_test_split(
    german.inputs(), german.y(), age, test_size=0.4, random_state=0, stratify=german.y()
)

words = X.select_dtypes(exclude="number").columns
encode = make_column_transformer(
    (OneHotEncoder(handle_unknown="ignore"), words), remainder=StandardScaler()
)
models = {
    "logistic regression": make_pipeline(encode, LogisticRegression(max_iter=1000)).fit(X, y),
    "GRAD": GRADClassifier(random_state=0).fit(X, y, sensitive_features=a),
}

# %%
# The majority class would have accuracy as dashed, balanced accuracy 0.5, and a selection rate of 1 in both groups.

metrics = {
    "accuracy": accuracy_score,
    "balanced accuracy": balanced_accuracy_score,
    "selection rate": selection_rate,
    "count": count,
}
frames = {
    name: MetricFrame(
        metrics=metrics, y_true=y_test, y_pred=model.predict(X_test), sensitive_features=a_test
    )
    for name, model in models.items()
}
figure, panels = plt.subplots(1, 3, figsize=(9, 3.6), sharey=True, layout="constrained")
for axes, metric in zip(panels, list(metrics)[:3], strict=True):
    for i, (name, frame) in enumerate(frames.items()):
        by_group = frame.by_group[metric]
        places = [place + 0.36 * i for place in range(len(by_group))]
        axes.bar(places, by_group, 0.34, label=name)
    axes.set_xticks([0.18, 1.18], by_group.index)
    axes.set_title(metric.capitalize())
panels[0].axhline(max(y_test.mean(), 1 - y_test.mean()), color="grey", linestyle="--")
panels[0].legend(loc="lower left")

# %%

for name, frame in frames.items():
    print(name)
    print(frame.by_group.round(3).to_string())
