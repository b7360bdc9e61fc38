"""
How sure a difference is
========================

Some hundred test rows leave wide intervals. :func:`~grad_ext.metrics.bootstrap.intervals` gives every metric its own, and
:func:`~grad_ext.metrics.bootstrap.paired_test` compares two models on the same rows.
"""

import matplotlib.pyplot as plt
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import train_test_split

from grad_ext import GRADClassifier, intervals, load_dataset, paired_test
from grad_ext.data.encoding import metric_space

german = load_dataset("german", protected=["age"])
X, y, a = metric_space(german), german.y(), german.a()[:, 0]
X, X_test, y, y_test, a, a_test = train_test_split(X, y, a, test_size=0.4, random_state=0)
plain = LogisticRegression(max_iter=1000).fit(X, y).predict(X_test)
grad = GRADClassifier(random_state=0).fit(X, y, sensitive_features=a).predict(X_test)
groups = {"age": a_test}

# %%
# Bootstrap intervals of 95 %. The interval of a Discrimination may begin at 0: it is a magnitude, and all
# resampled values are positive.

names = ["accuracy", "balanced_accuracy", "discrimination", "delta"]
figure, axes = plt.subplots(figsize=(7, 3.5), layout="constrained")
for shift, (model, labels) in enumerate({"logistic regression": plain, "GRAD": grad}.items()):
    found = intervals(y_test, labels, sensitive_features=groups).loc[names]
    reach = [found["estimate"] - found["low"], found["high"] - found["estimate"]]
    places = [place + 0.15 * shift for place in range(len(names))]
    axes.errorbar(found["estimate"], places, xerr=reach, fmt="o", capsize=4, label=model)
most = max(y_test.mean(), 1 - y_test.mean())
axes.plot([most, 0.5, 0.0, most], range(len(names)), "k*", label="majority class")
axes.set_yticks([place + 0.075 for place in range(len(names))], names)
axes.invert_yaxis()
axes.legend()

# %%
# The difference of two models on the same rows is known better than either figure.

print(paired_test(y_test, grad, plain, sensitive_features=groups).loc[names].round(3).to_string())
