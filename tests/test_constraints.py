"""The constraints: weights by hand, their effect on made data, and what is refused.

The plain model of tests/training/test_loop.py checks their training; what holds for every class is in
tests/properties/test_constraints.py.
"""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import torch
from aif360.datasets import BinaryLabelDataset
from fairlearn.metrics import equalized_odds_difference

from grad_ext import GRADClassifier, GRADEncoder, GRADInProcessing, GRADRegressor
from grad_ext.constraints import CONSTRAINTS, Constraint, register
from grad_ext.data.encoding import Arrays
from grad_ext.engine.backprop import ForwardBackward
from grad_ext.engine.network import Network
from grad_ext.engine.shape import Shape
from grad_ext.errors import InputError
from grad_ext.metrics.group import balanced_accuracy, discrimination
from grad_ext.outputs import Binary, Categorical, Task
from grad_ext.training.loop import shape_of
from grad_ext.training.settings import Settings
from grad_ext.training.targets import Targets, targets_of
from grad_ext.training.trainer import Trainer

pytestmark = pytest.mark.filterwarnings("ignore::grad_ext.errors.ConstantPredictionWarning")
STEADY = Settings(recipe="steady")
CONDITIONAL = ("equalized_odds", "equal_opportunity")


# --- what counts in which loss ---------------------------------------------------------------


TASK = Task(Binary("target"), (Binary("a"), Categorical("b", 3)))
ROWS = Arrays(
    np.zeros((8, 1), np.float32),
    np.array([1, 1, 1, 1, 0, 0, 0, 0.0]),
    np.array([[0, 1, 1, np.nan, 0, 0, 0, 1], [0, 1, 2, 2, 0, 0, 1, 1.0]]).T,
    np.array([1, 1, 3, 1, 1, 1, 2, 4.0]),
    TASK,
)
# Of a and b: as they are, and with groups that count alike. Of a, 1 is the mean of 7 rows, of b of
# 8; of the favorable ones, of 3 and of 4.
WEIGHTS = {
    ("equalized_odds", False): (
        np.array([1, 1, 3, 0, 1, 1, 2, 4]) * 7 / 13,
        np.array([1, 1, 3, 1, 1, 1, 2, 4]) * 8 / 14,
    ),
    # Four cells of a; five of b, nobody being of group 2 with the label 0.
    ("equalized_odds", True): (
        np.array([1, 1 / 4, 3 / 4, 0, 1 / 4, 1 / 4, 1 / 2, 1]) * 7 / 4,
        np.array([1, 1, 3 / 4, 1 / 4, 1 / 2, 1 / 2, 1 / 3, 2 / 3]) * 8 / 5,
    ),
    ("equal_opportunity", False): (
        np.array([1, 1, 3, 0, 0, 0, 0, 0]) * 3 / 5,
        np.array([1, 1, 3, 1, 0, 0, 0, 0]) * 4 / 6,
    ),
    ("equal_opportunity", True): (
        np.array([1, 1 / 4, 3 / 4, 0, 0, 0, 0, 0]) * 3 / 2,
        np.array([1, 1, 3 / 4, 1 / 4, 0, 0, 0, 0]) * 4 / 3,
    ),
}


@pytest.mark.parametrize(("constraint", "balance"), WEIGHTS)
def test_weights_by_hand(constraint, balance):
    branches = (TASK.target, *TASK.attributes)
    targets = targets_of(ROWS, branches, torch.float64, balance, constraint)
    plain = targets_of(ROWS, branches, torch.float64, balance)
    assert targets.weights[0].equal(plain.weights[0])
    for got, expected in zip(targets.weights[1:], WEIGHTS[constraint, balance], strict=True):
        np.testing.assert_allclose(got, expected)
    strata = None if targets.strata is None else targets.strata.tolist()
    assert strata == (ROWS.y.tolist() if constraint == "equalized_odds" else None)
    assert targets_of(ROWS, branches[:1], torch.float64, balance, constraint).strata is None


@pytest.mark.parametrize("adversary_input", ["representation", "prediction"])
@pytest.mark.parametrize("branch", [(3,), ()])
def test_the_head_of_a_rows_stratum_predicts_it(adversary_input, branch):
    attributes = (Binary("a"), Categorical("b", 3))
    shape = Shape(4, (5,), branch, Categorical("target", 4), attributes, False, adversary_input, 4)
    network = Network(shape, [0, 1], torch.float64)
    generator = torch.Generator().manual_seed(0)
    for name, value in network.parameters.items():
        if name.startswith("attribute"):
            value.detach().normal_(generator=generator)
    x = torch.randn(2, 16, 4, dtype=torch.float64, generator=generator)
    strata = torch.randint(0, 4, (2, 1, 16), generator=generator)
    passes, reversal = ForwardBackward(network), network.reversal(torch.ones(2, 2).double())
    every, own = passes.forward(x, reversal), passes.forward(x, reversal, (), strata)
    assert [o.shape[1] for o in every] == [4, 4, 12]
    assert own[0].equal(every[0])
    for p, i in np.ndindex(2, 16):
        head = int(strata[p, 0, i])
        assert own[1][p, :, i].equal(every[1][p, head : head + 1, i])
        assert own[2][p, :, i].equal(every[2][p, 3 * head : 3 * head + 3, i])


@pytest.mark.parametrize("adversary_input", ["representation", "prediction"])
def test_a_minibatch_without_a_label_does_not_change_that_labels_head(adversary_input):
    """And one without a favorable row, no parameter of the attribute branches."""
    shape = Shape(4, (5,), (), attributes=(Binary("a"),), adversary_input=adversary_input, heads=2)
    rng = np.random.default_rng(0)
    X, a = torch.tensor(rng.normal(size=(32, 4))), torch.tensor(rng.integers(0, 2, 32) * 1.0)
    y = torch.zeros(32, dtype=torch.float64)
    network = Network(shape, [0], torch.float64)
    before = {name: value.clone() for name, value in network.parameters.items()}
    targets = Targets([y, a], torch.ones(2, 32, dtype=torch.float64), y.long())
    Trainer(network, [(9.0,)], [0], STEADY, steps=4).epoch(X, targets)
    for name in ("attribute.a.head.weight", "attribute.a.head.bias"):
        moved = (network.parameters[name] != before[name])[0]
        assert moved[0].any()
        assert not moved[1].any()
    one = Network(replace(shape, heads=1), [0], torch.float64)
    before = {name: value.clone() for name, value in one.parameters.items()}
    arrays = Arrays(X.numpy(), y.numpy(), a.numpy()[:, None], np.ones(32), TASK)
    targets = targets_of(arrays, shape.branches, torch.float64, True, "equal_opportunity")
    Trainer(one, [(9.0,)], [0], STEADY, steps=4).epoch(X, targets)
    for name, value in one.parameters.items():
        assert value.isfinite().all()
        assert value.equal(before[name]) == name.startswith("attribute"), name


# --- what comes of it ------------------------------------------------------------------------


def disagreeing(n=4000, seed=0):
    """Groups whose labels differ, one feature of the label's and one that leans on the group.

    Of group 1 eight in ten have the favorable label, of group 0 two. `skill` tells labels apart
    alike in both groups; `club` tells groups apart whatever the label. Who looks at `skill` alone
    has equal odds and unequal rates.
    """
    rng = np.random.default_rng(seed)
    a = rng.integers(0, 2, n)
    y = rng.random(n) < np.where(a == 1, 0.8, 0.2)
    X = pd.DataFrame({"skill": rng.normal(size=n) + 1.5 * y, "club": rng.normal(size=n) + 3.0 * a})
    return X, y.astype(int), a


def figures(**changes):
    X, y, a = disagreeing()
    held, truth, groups = disagreeing(seed=1)
    chosen = {"recipe": "steady", "branch": (), "trunk": (10,), "random_state": 0, **changes}
    labels = GRADClassifier(**chosen).fit(X, y, sensitive_features=a).predict(held)
    favorable = truth == 1
    return {
        "odds": equalized_odds_difference(truth, labels, sensitive_features=groups),
        "opportunity": discrimination(
            None, labels[favorable], sensitive_features=groups[favorable]
        ),
        "parity": discrimination(None, labels, sensitive_features=groups),
        "balanced": balanced_accuracy(truth, labels),
    }


@pytest.fixture(scope="module")
def plain():
    return figures(lam=0.0)


def test_without_protection_neither_holds(plain):
    assert plain["odds"] > 0.3
    assert plain["parity"] > 0.5


@pytest.mark.parametrize("adversary_input", ["prediction", "representation"])
def test_equalized_odds_keep_the_difference_of_base_rates(plain, adversary_input):
    got = figures(constraint="equalized_odds", adversary_input=adversary_input, branch=(10,))
    # The best of skill alone is right of 0.77 of either label, so the groups' rates, whose base
    # rates differ by 0.6, differ by 0.6 times 0.54.
    assert got["odds"] < 0.25 * plain["odds"]
    assert 0.24 < got["parity"] < 0.42
    assert got["balanced"] > 0.72


def test_demographic_parity_does_the_opposite(plain):
    got = figures()
    assert got["parity"] < 0.15 * plain["parity"]
    assert got["odds"] > 0.2


def test_equal_opportunity_looks_at_favorable_rows_alone(plain):
    got = figures(constraint="equal_opportunity")
    assert plain["opportunity"] > 0.3
    assert got["opportunity"] < 0.25 * plain["opportunity"]
    assert got["parity"] > 0.2
    assert got["balanced"] > 0.72


# --- wherever it must work -------------------------------------------------------------------


def rows(n=240, seed=0):
    rng = np.random.default_rng(seed)
    a = rng.integers(0, 3, n)
    X = pd.DataFrame({"x": rng.normal(size=n) + a, "c": rng.choice(["u", "v"], n)})
    return X, (X["x"] + rng.normal(size=n) > 1).to_numpy().astype(int), a


def quick(estimator=GRADClassifier, **changes):
    return estimator(**{"recipe": "steady", "epochs": 2, "lam": 5.0, "random_state": 0, **changes})


def aif360(y, a):
    frame = pd.DataFrame({"x": np.arange(len(y)) % 7 + y, "a": a, "y": y}).astype(float)
    return BinaryLabelDataset(df=frame, label_names=["y"], protected_attribute_names=["a"])


@pytest.mark.parametrize("constraint", CONDITIONAL)
@pytest.mark.parametrize("recipe", ["paper", "steady"])
def test_every_kind_of_attribute(constraint, recipe):
    X, y, a = rows()
    rng = np.random.default_rng(1)
    sensitive = pd.DataFrame(
        {
            "three": a,
            "two": pd.Series(np.where(rng.random(len(a)) < 0.2, None, a > 0)),
            "number": a + rng.normal(size=len(a)),
        }
    )
    model = quick(recipe=recipe, constraint=constraint).fit(X, y, sensitive_features=sensitive)
    assert np.isfinite(model.history_.attribute_loss).all()
    assert (model.history_.attribute_loss > 0).all()
    plain = quick(recipe=recipe).fit(X, y, sensitive_features=sensitive)
    assert not np.array_equal(model.predict_proba(X), plain.predict_proba(X))


def test_equalized_odds_of_several_classes_and_of_a_representation():
    X, y, a = rows()
    three = y + (X["x"] > 2)
    model = quick(constraint="equalized_odds").fit(X, three, sensitive_features=a)
    heads = model.model_.fitted.network.parameters["attribute.sensitive_feature.head.weight"]
    # Three labels of three groups each, which read two probabilities of each of three classes.
    assert heads.shape == (1, 9, 6)
    auto = quick(GRADEncoder, constraint="equalized_odds").fit(X, three, sensitive_features=a)
    assert auto.model_.fitted.network.shape.heads == 3
    assert auto.model_.fitted.network.shape.adversary_input == "representation"
    assert quick(GRADEncoder, constraint="equal_opportunity").fit(X, y, sensitive_features=a)


@pytest.mark.parametrize("constraint", CONDITIONAL)
def test_call_by_call(constraint):
    X, y, a = rows()
    model = quick(constraint=constraint)
    for part in (slice(0, 120), slice(120, 240)):
        model.partial_fit(X[part], y[part], classes=[0, 1], sensitive_features=a[part])
    # A call without any favorable row has nothing to tell apart among them.
    other = y == 0
    model.partial_fit(X[other], y[other], sensitive_features=a[other])
    assert np.isfinite(model.predict_proba(X)).all()
    assert (model.history_.attribute_loss[-1, 0, 0] == 0) == (constraint == "equal_opportunity")


def test_one_seed_gives_one_result_and_aif360s_users_get_the_same():
    _, y, a = rows()
    data = aif360(y, (a > 0) * 1)
    scores = [
        quick(GRADInProcessing, constraint=constraint).fit(data).predict(data).scores
        for constraint in ("equalized_odds", "equalized_odds", "equal_opportunity")
    ]
    np.testing.assert_array_equal(scores[0], scores[1])
    assert not np.array_equal(scores[0], scores[2])


# --- what is refused -------------------------------------------------------------------------


@pytest.mark.parametrize("constraint", CONDITIONAL)
def test_targets_without_labels_are_refused(constraint):
    X, _, a = rows()
    with pytest.raises(InputError, match=f"'{constraint}'.*with labels, got 'continuous'"):
        quick(GRADRegressor, constraint=constraint).fit(X, X["x"], sensitive_features=a)
    with pytest.raises(InputError, match=f"'{constraint}'.*with labels, got 'features'"):
        quick(GRADEncoder, constraint=constraint).fit(X, sensitive_features=a)


def test_equal_opportunity_of_three_classes_is_refused():
    X, y, a = rows()
    three = y + (X["x"] > 2)
    model = quick(constraint="equal_opportunity")
    for learn in (model.fit, model.partial_fit):
        with pytest.raises(InputError, match=r"2 classes, got 3.*'equalized_odds'"):
            learn(X, three, sensitive_features=a)


def test_a_label_of_one_group_is_refused():
    X, y, a = rows()
    only = np.where(y == 1, 0, a > 0)
    for constraint in CONDITIONAL:
        message = f"'{constraint}', label 1: expected at least two groups.*got 1"
        with pytest.raises(InputError, match=message):
            quick(constraint=constraint).fit(X, y, sensitive_features=only)
        with pytest.raises(InputError, match=message):
            quick(GRADInProcessing, constraint=constraint).fit(aif360(y, only))
    other = np.where(y == 0, 0, a > 0)
    with pytest.raises(InputError, match="'equalized_odds', label 0: expected at least two"):
        quick(constraint="equalized_odds").fit(X, y, sensitive_features=other)
    quick(constraint="equal_opportunity").fit(X, y, sensitive_features=other)
    # Where two other groups are left to compare, a group without favorable rows is no obstacle.
    y = np.where(a == 2, 0, y)
    quick(constraint="equal_opportunity").fit(X, y, sensitive_features=a)


def test_unknown_constraints_are_refused():
    X, y, a = rows()
    with pytest.raises(InputError, match="unknown constraint 'equalised_odds': did you mean"):
        Settings(constraint="equalised_odds")
    with pytest.raises(InputError, match="unknown constraint"):
        quick(constraint="parity").fit(X, y, sensitive_features=a)
    with pytest.raises(InputError, match="unknown constraint"):
        quick(GRADInProcessing, constraint="parity")


def test_the_plain_network_has_one_head():
    arrays = replace(ROWS, task=TASK)
    chosen = Settings(constraint="equalized_odds")
    assert shape_of(chosen, arrays, reversing=False).heads == 1
    assert shape_of(chosen, arrays, reversing=True).heads == 2


def test_a_class_of_ones_own_trains_by_its_name(monkeypatch):
    monkeypatch.setattr("grad_ext.constraints.CONSTRAINTS", dict(CONSTRAINTS))

    @register
    class Unfavorable(Constraint):
        name = "unfavorable"
        summary = "unfavorable rows"
        binary_only = True

        def strata(self, classes):
            return 0, None

    branches = (TASK.target, *TASK.attributes)
    weights = targets_of(ROWS, branches, torch.float64, constraint="unfavorable").weights
    # The four rows of label 0 weigh 1, 1, 2, 4.
    np.testing.assert_allclose(weights[1], np.array([0, 0, 0, 0, 1, 1, 2, 4]) / 2)


def test_a_name_of_several_words_is_refused():
    class Two(Constraint):
        name = "two,words"

        def strata(self, classes):
            return (0,)

    with pytest.raises(InputError, match="one word, got 'two,words'"):
        register(Two)
