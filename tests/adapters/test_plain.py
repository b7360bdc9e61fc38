"""The plug-in rule: its formula, what its strength does, and what it refuses."""

import numpy as np
import pandas as pd
import pytest
from sklearn.calibration import CalibratedClassifierCV
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.model_selection import StratifiedKFold

from grad_ext.adapters.plain import FOLDS, PlugIn
from grad_ext.errors import InputError

RNG = np.random.default_rng(0)
GROUP = RNG.random(400) < 0.3
X = np.stack([RNG.normal(size=400) + 2.0 * GROUP, RNG.normal(size=400)], axis=1)
Y = (X.sum(1) + RNG.normal(size=400) > 0.5).astype(np.int64)
NAMES = pd.DataFrame({"sex": np.where(GROUP, "m", "f")})
WEIGHTS = np.ones(400)


@pytest.fixture(scope="module")
def scores():
    """Return the rule's probabilities of the favorable label at a strength."""
    rule = PlugIn(0.2, 3)
    rule.fit(X, Y, NAMES, WEIGHTS)

    def at(strength):
        rule.strength = strength
        return rule.predict_proba(X)[:, 1]

    return at


def calibrated(labels):
    """Return probabilities of boosted trees, calibrated across folds."""
    folds = StratifiedKFold(FOLDS, shuffle=True, random_state=3)
    trees = HistGradientBoostingClassifier(random_state=3)
    return CalibratedClassifierCV(trees, method="sigmoid", cv=folds).fit(X, labels).predict_proba(X)


def test_the_rule_is_the_formula_of_menon_and_williamson(scores):
    label, group = calibrated(Y)[:, 1], calibrated(GROUP)[:, 1]
    share = GROUP.mean()
    penalty = 0.5 * 0.2 * (group / share - (1.0 - group) / (1.0 - share))
    np.testing.assert_allclose(scores(0.2), np.clip(label - penalty, 0.0, 1.0), atol=1e-9)
    np.testing.assert_allclose(scores(0.0), label, atol=1e-9)


def test_more_strength_leaves_less_of_the_gap(scores):
    gaps = []
    for strength in (0.0, 0.1, 0.2):
        favorable = scores(strength) >= 0.5
        gaps.append(favorable[GROUP].mean() - favorable[~GROUP].mean())
    assert gaps[0] > gaps[1] > gaps[2]


def test_rows_of_one_label_are_refused():
    with pytest.raises(InputError, match="two labels"):
        PlugIn(0.1, 0).fit(X, np.ones_like(Y), NAMES, WEIGHTS)
