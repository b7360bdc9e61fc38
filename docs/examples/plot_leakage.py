"""
Attribute leakage
=================

Labels that treat the groups alike do not mean that the attribute is gone. :func:`~grad_ext.auditing.audit.audit`
trains probes on the features, the representation, the scores and the labels, and on the plain network's representation
for comparison.
"""

import numpy as np

from grad_ext import GRADClassifier, audit, load_dataset

german = load_dataset("german", protected=["age"])
rows = np.random.default_rng(0).permutation(1000)
train, rest = german.take(rows[:500]), german.take(rows[500:])
groups = {"age": rest.a()[:, 0]}

# %%
# The recipe ``steady`` contests the attribute at the score, so that is where it is hidden. An AUC of 0.5 is chance.

model = GRADClassifier(recipe="steady", random_state=0)
model.fit(train.inputs(), train.y(), sensitive_features=train.a())
plain = GRADClassifier(lam=0, random_state=0)
plain.fit(train.inputs(), train.y(), sensitive_features=train.a())
found = audit(model, rest.inputs(), groups, y=rest.y(), folds=3, plain=plain)
at_score = found.figure()
print(*found.words(), sep="\n")

# %%
# The default recipe contests it at the representation, as the paper does, and at the score.

deeper = GRADClassifier(random_state=0)
deeper.fit(train.inputs(), train.y(), sensitive_features=train.a())
found = audit(deeper, rest.inputs(), groups, y=rest.y(), folds=3, plain=plain)
at_trunk = found.figure()
print(*found.words(), sep="\n")
