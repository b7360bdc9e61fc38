"""
What λ changes, and what it does not
====================================

The paper says that any λ from 50 to 2000 is as good as another. A few seeds for each of some values show how far
that holds with the :doc:`paper's recipe </recipe>`, in the manner of the paper's figure.
"""

from grad_ext import load_dataset
from grad_ext.data.split import split
from grad_ext.evaluation import evaluate, prepare
from grad_ext.method import GRAD
from grad_ext.report.figures.study import lambda_figure
from grad_ext.report.findings import lambdas
from grad_ext.report.sentences import sentences
from grad_ext.report.tables import results
from grad_ext.training.settings import Settings
from grad_ext.trial import Trial

settings = Settings(recipe="paper")
encoded = prepare(split(load_dataset("german", protected=["age"])), settings)
trials = [
    Trial("german", ("age",), lam, seed, settings=settings)
    for lam in (0.1, 1.0, 10.0, 50.0, 100.0, 500.0, 2000.0)
    for seed in range(8)
]
frame = results(evaluate(GRAD(), trials, encoded))
figure = lambda_figure(frame, "GRAD-Pred on German credit, protecting age")

# %%
# Bands are the 10th to the 90th percentile over seeds. In words, with what to distrust:

for sentence in sentences([*lambdas.findings(frame), *lambdas.caveats(frame)]):
    print("-", sentence)

# %%
# ``grad-ext sweep lambda --dataset german --recipe paper`` does this for eleven values and ten seeds, keeps every
# model's record, and goes on where it was interrupted: :doc:`/studies`.
