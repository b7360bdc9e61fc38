"""What holds for every constraint: each class goes through each test."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import torch

from grad_ext import GRADClassifier
from grad_ext.constraints import CONSTRAINTS
from grad_ext.data.encoding import Arrays
from grad_ext.engine.backprop import ForwardBackward
from grad_ext.engine.network import Network
from grad_ext.errors import InputError
from grad_ext.outputs import Binary, Categorical, Continuous, Features, Task
from grad_ext.training.loop import shape_of
from grad_ext.training.settings import Settings
from grad_ext.training.targets import check_cells, targets_of
from grad_ext.training.trainer import Trainer

ROWS = 64
ATTRIBUTES = (Binary("two"), Categorical("three", 3), Continuous("number"))
INPUTS = ("representation", "prediction")


@pytest.fixture(params=sorted(CONSTRAINTS))
def constraint(request):
    return CONSTRAINTS[request.param]


@pytest.fixture(params=[False, True], ids=["as they are", "balanced"])
def balance(request):
    return request.param


def arrays(rows=ROWS, seed=0):
    """Return rows with attributes of every kind, one of them missing in places, and odd weights."""
    rng = np.random.default_rng(seed)
    two = np.where(rng.random(rows) < 0.2, np.nan, rng.integers(0, 2, rows))
    a = np.stack([two, rng.integers(0, 3, rows), rng.normal(size=rows)], axis=1)
    return Arrays(
        X=rng.normal(size=(rows, 4)).astype(np.float32),
        y=rng.integers(0, 2, rows).astype(float),
        a=a,
        w=rng.uniform(0.5, 2.0, rows),
        task=Task(Binary("target"), ATTRIBUTES),
    )


def taken(given, rows):
    return replace(given, X=given.X[rows], y=given.y[rows], a=given.a[rows], w=given.w[rows])


def shares(given, constraint, balance):
    """Return each row's share of the weight in each branch's loss, shape (M, N)."""
    branches = (given.task.target, *given.task.attributes)
    weights = targets_of(given, branches, torch.float64, balance, constraint.name).weights
    return (weights / weights.sum(1, keepdim=True)).numpy()


def settings_of(constraint, **changes):
    return Settings(constraint=constraint.name, trunk=(8,), branch=(4,), **changes)


def test_every_label_is_in_at_most_one_stratum(constraint):
    for classes in (2,) if constraint.binary_only else (2, 3, 5):
        table = constraint.table(classes)
        assert len(table) == (classes if constraint.uses_labels else 1)
        strata = set(table.tolist()) - {-1}
        assert strata == set(range(constraint.heads(classes)))


def test_a_name_and_a_summary_for_the_command_line(constraint):
    assert constraint.name.isidentifier()
    assert constraint.summary
    assert Settings(constraint=constraint.name).constraint == constraint.name


def test_weights_equal_repetition(constraint, balance):
    given = arrays()
    twice = np.arange(ROWS) % 5 == 0
    weighted = shares(replace(given, w=given.w * (1.0 + twice)), constraint, balance)
    repeated = shares(taken(given, np.r_[:ROWS, np.flatnonzero(twice)]), constraint, balance)
    both = repeated[:, :ROWS].copy()
    both[:, twice] += repeated[:, ROWS:]
    np.testing.assert_allclose(both, weighted, rtol=1e-12)


def test_a_weight_of_0_equals_leaving_the_row_out(constraint, balance):
    given = arrays()
    out = np.arange(ROWS) % 5 == 0
    zero = shares(replace(given, w=given.w * ~out), constraint, balance)
    assert not zero[:, out].any()
    left = shares(taken(given, np.flatnonzero(~out)), constraint, balance)
    np.testing.assert_allclose(zero[:, ~out], left, rtol=1e-12)


def test_row_order_does_not_matter(constraint, balance):
    given = arrays()
    order = np.random.default_rng(1).permutation(ROWS)
    got = shares(taken(given, order), constraint, balance)
    np.testing.assert_allclose(got, shares(given, constraint, balance)[:, order], rtol=1e-12)


def test_balanced_groups_have_equal_sums_in_each_stratum(constraint):
    given = arrays()
    strata = constraint.strata_of(given.y, given.task.target)
    for m in (1, 2):
        column, share = given.a[:, m - 1], shares(given, constraint, True)[m]
        cells = [
            share[(strata == stratum) & (column == group)].sum()
            for stratum in range(constraint.heads(2))
            for group in np.unique(column[~np.isnan(column)])
        ]
        np.testing.assert_allclose(cells, 1.0 / len(cells))
        assert not share[(strata < 0) | np.isnan(column)].any()


@pytest.mark.parametrize("adversary_input", INPUTS)
def test_a_member_of_a_pack_equals_one_alone_bit_for_bit(constraint, adversary_input):
    given = arrays()
    chosen = settings_of(constraint, adversary_input=adversary_input, batch_size=32, epochs=3)
    shape = shape_of(chosen, given, reversing=True)
    targets = targets_of(given, shape.branches, torch.float32, True, constraint.name)

    def trained(seeds):
        network = Network(shape, seeds)
        trainer = Trainer(network, [(5.0, 9.0, 2.0)] * len(seeds), seeds, chosen, steps=12)
        for _ in range(3):
            losses = trainer.epoch(torch.from_numpy(given.X), targets)
        return losses, network.state()

    packed, states = trained([0, 1, 2])
    for p, seed in enumerate((0, 1, 2)):
        losses, state = trained([seed])
        assert (losses[0] == packed[p]).all()
        for name, value in state.items():
            assert value[0].equal(states[name][p]), name


@pytest.mark.parametrize("adversary_input", INPUTS)
@pytest.mark.parametrize(
    "target", [Binary("target"), Continuous("target"), Categorical("target", 2)]
)
def test_row_order_of_a_minibatch_does_not_matter(constraint, adversary_input, target):
    given = replace(arrays(), task=Task(target, ATTRIBUTES))
    if constraint.uses_labels and not target.classes:
        pytest.skip("refused")
    shape = shape_of(
        settings_of(constraint, adversary_input=adversary_input), given, reversing=True
    )
    targets = targets_of(given, shape.branches, torch.float64, True, constraint.name)
    network = Network(shape, [0, 1], torch.float64)
    for name, value in network.parameters.items():
        if name.startswith("attribute"):
            value.detach().normal_(generator=torch.Generator().manual_seed(0))
    reversal = network.reversal(torch.ones(2, 3, dtype=torch.float64))
    passes = ForwardBackward(network)

    def gradients(rows):
        x = torch.from_numpy(given.X[rows]).double().expand(2, -1, -1)
        strata = None if targets.strata is None else targets.strata[rows].expand(2, 1, -1)
        logits = passes.forward(x, reversal, (), strata)
        of_logits = []
        for m, branch in enumerate(shape.branches):
            _, gradient = branch.loss_and_gradient(
                logits[m], targets.values[m][rows].expand(2, 1, -1)
            )
            of_logits.append(gradient * targets.weights[m][rows])
        passes.backward(of_logits)
        return network.flat.grad.clone()

    one = gradients(np.arange(ROWS))
    assert one.abs().max() > 1e-3
    other = gradients(np.random.default_rng(1).permutation(ROWS))
    torch.testing.assert_close(one, other, rtol=0.0, atol=1e-9)


def test_targets_that_it_does_not_allow_are_refused(constraint):
    wants = {
        Continuous("target"): constraint.uses_labels,
        Features("target", 3): constraint.uses_labels,
        Categorical("target", 3): constraint.binary_only,
        Binary("target"): False,
    }
    for target, refused in wants.items():
        if refused:
            with pytest.raises(InputError, match=f"{constraint.name!r}"):
                constraint.check(target)
        else:
            constraint.check(target)


def test_a_stratum_of_one_group_is_refused(constraint):
    given = arrays()
    check_cells(constraint.name, given)
    strata = constraint.strata_of(given.y, given.task.target)
    for stratum in range(constraint.heads(2)) if constraint.uses_labels else ():
        a = given.a.copy()
        a[strata == stratum, 1] = 2.0
        label = int(given.y[strata == stratum][0])
        with pytest.raises(
            InputError, match=rf"{constraint.name!r}, label {label}: .*'three'.*got 1"
        ):
            check_cells(constraint.name, replace(given, a=a))


@pytest.mark.filterwarnings("ignore::grad_ext.errors.ConstantPredictionWarning")
def test_a_fit_with_weights_equals_one_with_repeated_and_missing_rows(constraint):
    """To the bit: a row of weight 2 is a row given twice, one of weight 0 is left out."""
    rng = np.random.default_rng(0)
    a = rng.integers(0, 3, 240)
    X = pd.DataFrame({"x": rng.normal(size=240) + a, "c": rng.choice(["u", "v"], 240)})
    y = (X["x"] + rng.normal(size=240) > 1).to_numpy().astype(int)
    weight = np.where(np.arange(240) % 5 == 0, 2, np.where(np.arange(240) % 7 == 0, 0, 1))
    rows = np.r_[np.flatnonzero(weight > 0), np.flatnonzero(weight > 1)]

    def scores(rows, **weights):
        model = GRADClassifier(
            constraint=constraint.name, epochs=2, lam=5.0, random_state=0, recipe="steady"
        )
        model.fit(X.iloc[rows], y[rows], sensitive_features=a[rows], **weights)
        return model.predict_proba(X)

    weighted = scores(np.arange(240), sample_weight=weight.astype(float))
    np.testing.assert_array_equal(weighted, scores(rows))
