"""
Accuracy against Discrimination
===============================

Every model is a point: up and to the left is better. Thirty models train as two :doc:`packs </packs>`, the plain
networks (λ = 0) and those with an attribute branch.
"""

from grad_ext import load_dataset
from grad_ext.data.split import split
from grad_ext.evaluation import evaluate, prepare
from grad_ext.method import GRAD
from grad_ext.report.figures.study import plane_figure
from grad_ext.report.tables import results
from grad_ext.training.settings import Settings
from grad_ext.trial import Trial

settings = Settings(recipe="paper")
encoded = prepare(split(load_dataset("german", protected=["age"])), settings)
packs = [
    [Trial("german", ("age",), lam, seed, settings=settings) for lam in lams for seed in range(6)]
    for lams in ([0.0], [1.0, 10.0, 100.0, 1000.0])
]
frame = results([record for pack in packs for record in evaluate(GRAD(), pack, encoded)])

# %%
# The star is the majority class, a constant classifier: its Discrimination of 0 is meaningless.
# The shaded band ends at the chance level, the Discrimination expected on these 200 rows of predictions that
# ignore the protected attribute; a model to the left of that line is not fairer than one at it.

figure = plane_figure(frame, "GRAD-Pred on German credit, protecting age", "lam")

# %%
# Means over the seeds, with balanced accuracy and the share of constant models beside them: a fair model that
# predicts nothing shows there.

shown = ["accuracy", "balanced_accuracy", "majority_accuracy", "discrimination", "constant"]
print(frame.groupby("lam")[shown].mean().round(3).to_string())
