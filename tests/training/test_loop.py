"""The steady recipe: against the plain model, each of its parts by hand, and wherever it must work."""

import copy
import math
import pickle
from dataclasses import replace
from itertools import product

import numpy as np
import pandas as pd
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from oracle import PlainGRAD, copy_weights, train_steady_steps
from torch import nn

from grad_ext import (
    GRADClassifier,
    GRADEncoder,
    GRADInProcessing,
    GRADRegressor,
    discrimination,
    load_dataset,
)
from grad_ext.data.encoding import Encoder, arrays
from grad_ext.data.split import split
from grad_ext.engine.backprop import ForwardBackward
from grad_ext.engine.batches import minibatches
from grad_ext.engine.dropout import Dropout
from grad_ext.engine.network import Network
from grad_ext.engine.shape import Shape
from grad_ext.errors import InputError
from grad_ext.method import GRAD
from grad_ext.outputs import Binary, Categorical, Continuous
from grad_ext.seeds import numpy_generator, torch_generator
from grad_ext.training.checkpoint import last, paper
from grad_ext.training.loop import load, shape_of, train, train_epochs
from grad_ext.training.settings import Settings
from grad_ext.training.targets import targets_of
from grad_ext.training.trainer import Trainer
from grad_ext.trial import Trial

pytestmark = [
    pytest.mark.long,
    pytest.mark.filterwarnings("ignore::grad_ext.errors.ConstantPredictionWarning"),
]
PAPER, STEADY = Settings(recipe="paper"), Settings(recipe="steady")
PROTECTED = ("age", "sex")


@pytest.fixture(scope="module")
def encoded(german):
    """German credit, split and encoded as the recipe encodes it: training and test rows."""
    parts = split(german)
    encoder = Encoder(STEADY.encoding).fit(parts.train.inputs())
    return arrays(parts.train, encoder), arrays(parts.test, encoder)


# --- against the plain model -----------------------------------------------------------------


def masks_of(seed, shape, sizes, share):
    """Yield every step's masks of the trunk's and the target's layers, drawn as documented."""
    generator = numpy_generator(seed, "dropout")
    least = round(share * 2**16)
    for size in sizes:
        units = [*shape.trunk, *shape.branch]
        bits = generator.bit_generator.random_raw(sum(units) * size // 4).view(np.uint16)
        edges = np.cumsum([0, *units]) * size
        kept = [
            (bits[i:j].reshape(n, size) >= least).T
            for i, j, n in zip(edges[:-1], edges[1:], units, strict=True)
        ]
        yield [torch.from_numpy(k / (1 - least / 2**16)) for k in kept]


def counting_alike(column, y, w, constraint):
    """Weights of the same sum for both groups of all rows, the favorable or each label's, 1 on average."""
    everybody, favorable = np.full(len(y), True), y == 1
    among = {
        "demographic_parity": [everybody],
        "equalized_odds": [favorable, ~favorable],
        "equal_opportunity": [favorable],
    }[constraint]
    alike = np.zeros(len(y))
    for rows in among:
        for group in (0, 1):
            cell = rows & (column == group)
            alike[cell] = w[cell] / w[cell].sum()
    return alike / alike[alike > 0].mean()


CASES = [
    *product(["demographic_parity"], ["representation", "prediction"], [0.0, 0.2], [(40, 40), ()]),
    *product(["equalized_odds"], ["representation"], [0.2], [(40, 40), ()]),
    *product(["equalized_odds", "equal_opportunity"], ["prediction"], [0.2], [(40, 40)]),
]


@pytest.mark.parametrize(("constraint", "adversary_input", "dropout", "branch"), CASES)
def test_a_pack_agrees_with_the_plain_model(encoded, constraint, adversary_input, dropout, branch):
    """Same initial weights, row order and masks, 100 steps in float64: equal to rounding."""
    training, test = encoded
    # At the recipe's own rate a game without dropout multiplies a rounding too soon.
    changes = {"learning_rate": 1e-3, "epochs": 13, "branch": branch}
    changes |= {"constraint": constraint, "adversary_input": adversary_input, "dropout": dropout}
    chosen = replace(STEADY, **changes)
    heads = 2 if constraint == "equalized_odds" else 1
    w = np.random.default_rng(0).uniform(0.5, 2.0, len(training))
    training = replace(training, w=w)
    seeds, lams, member = [3, 4, 5], [(7.0, 7.0), (9.0, 99.0), (0.5, 0.5)], 1
    strengths = [31.5, 34.65]
    shape = shape_of(chosen, training, reversing=True)
    network = Network(shape, seeds, dtype=torch.float64)
    plain = PlainGRAD(
        training.X.shape[1],
        branch=branch,
        attributes=2,
        adversary_input=adversary_input,
        heads=heads,
    ).double()
    copy_weights(plain, network, member)
    train(network, lams, seeds, training, training, chosen, last)

    slices = minibatches(len(training), chosen.batch_size)
    generator = torch_generator(seeds[member], "rows")
    orders = [torch.randperm(len(training), generator=generator) for _ in range(chosen.epochs)]
    batches = [order[rows] for order in orders for rows in slices]
    assert len(batches) >= 100
    masks = (
        masks_of(seeds[member], shape, [len(rows) for rows in batches], dropout)
        if dropout
        else [()] * len(batches)
    )
    X, y, a = (torch.from_numpy(v).double() for v in (training.X, training.y, training.a))
    columns = [counting_alike(column, training.y, w, constraint) for column in training.a.T]
    a_w = np.stack(columns, axis=1)
    train_steady_steps(
        plain, chosen, strengths, X, y, a, torch.from_numpy(w / w.mean()),
        torch.from_numpy(a_w), batches, masks, heads,
    )  # fmt: skip
    plain.eval()
    rows = torch.from_numpy(test.X).double()
    with torch.no_grad():
        expected = torch.sigmoid(plain(rows)[0])
    assert float(expected.std()) > 0.01
    torch.testing.assert_close(network.scores(rows)[member, 0], expected, rtol=0.0, atol=1e-9)


def test_a_dependence_that_runs_deep_is_unlearned_too():
    """Eight in ten of one group have the label, two in ten of the other: no circling around."""
    rng = np.random.default_rng(0)
    gaps = {}
    for seed in range(2):
        a = rng.integers(0, 2, 4000)
        y = rng.random(4000) < np.where(a == 1, 0.8, 0.2)
        X = pd.DataFrame({"skill": rng.normal(size=4000) + 1.5 * y, "club": rng.normal(size=4000)})
        X["club"] += 3.0 * a
        for extrapolation in (0.0, None):
            model = GRADClassifier(recipe="steady", extrapolation=extrapolation, random_state=seed)
            labels = model.fit(X, y, sensitive_features=a).predict(X)
            gaps[seed, extrapolation] = discrimination(y, labels, sensitive_features=a)
    assert max(gaps[seed, None] for seed in range(2)) < 0.1
    assert max(gaps[seed, 0.0] for seed in range(2)) > 0.12


# --- its parts -------------------------------------------------------------------------------


@pytest.mark.parametrize("branch", [(3,), ()])
def test_only_the_trunk_gets_the_reversed_gradient_times_the_strength(branch):
    """Members of one weight: the trunk's gradient is the target's less s times the attribute's."""
    shape = Shape(6, (5,), branch, attributes=(Binary("age"), Categorical("job", 3)))
    network = Network(shape, [0, 0, 0], torch.float64)
    x = torch.rand(1, 16, 6, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    strengths = torch.tensor([[0.0, 0.0], [1.0, 0.0], [2.5, 4.0]], dtype=torch.float64)

    passes = ForwardBackward(network)

    def gradients(of):
        logits = passes.forward(x.expand(3, -1, -1), network.reversal(strengths))
        passes.backward([2.0 * one * (m in of) for m, one in enumerate(logits)])
        return {name: value.grad.clone() for name, value in network.parameters.items()}

    every, alone = gradients([0, 1, 2]), [gradients([m])["trunk.0.weight"] for m in range(3)]
    trunk = every["trunk.0.weight"]
    unit = alone[1][1]  # the age branch's, reversed by 1
    assert float(unit.abs().max()) > 1e-3
    torch.testing.assert_close(alone[1], strengths[:, :1, None] * unit, rtol=0, atol=1e-12)
    torch.testing.assert_close(alone[2][2] * strengths[1, 1], alone[2][1])
    torch.testing.assert_close(trunk, sum(alone), rtol=0, atol=1e-12)
    assert not trunk[0].equal(trunk[2])
    for name, value in every.items():
        if not name.startswith("trunk"):
            torch.testing.assert_close(value[0], value[2], rtol=0, atol=0)


def test_the_strength_saturates():
    assert [STEADY.strength(lam) for lam in (0.0, 1.0, 4.0, 34.0)] == [0.0, 17.5, 28.0, 34.0]
    assert PAPER.strength(390.0) == 390.0
    assert replace(STEADY, saturation=()).strength(390.0) == 390.0
    assert replace(STEADY, saturation=(4, 90)).strength(30.0) == 1.0


def test_the_reversal_grows_to_its_strength():
    network = Network(Shape(4, (3,), (), attributes=(Binary("age"),)), [0, 1])
    trainer = Trainer(network, [(9.0,), (99.0,)], [0, 1], STEADY, steps=100)
    expected = torch.tensor([[1.0, -31.5], [1.0, -34.65]])
    for done, share in (
        (0, 0.0),
        (10, math.tanh(0.5)),
        (50, math.tanh(2.5)),
        (99, math.tanh(4.95)),
    ):
        trainer._done = done
        trainer._begin()
        grown = torch.tensor([1.0, share]) * expected
        torch.testing.assert_close(trainer._scaled_reversal()[..., 0], grown, msg=str(done))
    for chosen, steps in ((replace(STEADY, warmup=0.0), 100), (STEADY, None)):
        full = Trainer(network, [(9.0,), (99.0,)], [0, 1], chosen, steps)
        assert full._scaled_reversal()[..., 0].equal(expected)
    paper = Trainer(network, [(9.0,), (99.0,)], [0, 1], PAPER, steps=100)
    assert paper._scaled_reversal()[..., 0].tolist() == [[1.0, -1.0], [1.0, -1.0]]
    assert paper._weights.tolist() == [[1.0, 9.0], [1.0, 99.0]]


def test_rates_decay_by_a_cosine_and_differ_by_branch():
    """With beta1 = 0 a first step is the rate times the gradient's sign, whatever its size."""
    shape = Shape(4, (3,), (2,), attributes=(Binary("age"),))
    network = Network(shape, [0, 1], torch.float64)
    chosen = replace(
        STEADY, learning_rate=0.01, attribute_learning_rate=0.05, final_lr_fraction=0.1
    )
    trainer = Trainer(network, [(1.0,), (1.0,)], [0, 1], chosen, steps=4)
    moved = {}
    for done in range(5):
        trainer = Trainer(network, [(9.0,), (99.0,)], [0, 1], chosen, steps=4)
        trainer._done = done
        trainer._begin()
        before = {name: value.detach().clone() for name, value in network.parameters.items()}
        network.flat.grad.fill_(2.0)
        trainer._optimiser.step(trainer._rate)
        moved[done] = {n: before[n] - v.detach() for n, v in network.parameters.items()}
    # (1 + cos(pi t / 4)) / 2 of 0.9, and 0.1.
    shares = [
        1.0,
        0.1 + 0.9 * (2 + math.sqrt(2)) / 4,
        0.55,
        0.1 + 0.9 * (2 - math.sqrt(2)) / 4,
        0.1,
    ]
    for done, share in enumerate(shares):
        for name, difference in moved[done].items():
            rate = torch.full_like(difference, 0.01 * share)
            if name.startswith("branch"):
                rate[:, 1:] *= 5
            elif name.startswith("attribute"):
                rate *= 5
            torch.testing.assert_close(difference, rate, rtol=1e-6, atol=0, msg=f"{name} {done}")


def test_rates_are_constant_where_the_end_is_not_known():
    network = Network(Shape(4, (3,), ()), [0], torch.float64)
    trainer = Trainer(network, [()], [0], replace(STEADY, learning_rate=0.01))
    for _ in range(3):
        trainer._begin()
        assert trainer._rate == 0.01


def test_masks_drop_a_share_of_the_trunks_and_the_targets_units():
    shape = Shape(4, (30, 20), (10,), attributes=(Binary("age"), Binary("sex")))
    network = Network(shape, [0, 1], torch.float64)
    dropout = Dropout(network, [0, 1], 0.25)
    first, second, branch = (mask.clone() for mask in dropout.masks(1600))
    assert [m.shape for m in (first, second, branch)] == [
        (2, 30, 1600),
        (2, 20, 1600),
        (2, 30, 1600),
    ]
    assert branch[:, 10:].eq(1.0).all()
    for mask in (first, second, branch[:, :10]):
        assert mask.unique().tolist() == [0.0, 4 / 3]
        # Of 16,000 and more independent draws: within five standard deviations.
        assert float(mask.eq(0).double().mean()) == pytest.approx(0.25, abs=0.02)
        assert not mask[0].equal(mask[1])
        dropped = mask.eq(0).double()
        assert float(dropped.mean(2).std()) < 0.02
        assert float(dropped.mean(1).std()) < 0.2
    again = dropout.masks(1600)[0]
    assert not again.equal(first)
    alone = Dropout(Network(shape, [1], torch.float64), [1], 0.25)
    assert alone.masks(1600)[1][0].equal(second[1])
    assert alone.masks(1600)[0][0].equal(again[1])


def test_nearly_all_units_dropped_leave_numbers():
    network = Network(Shape(4, (30,), ()), [0])
    mask = Dropout(network, [0], 0.9999999).masks(1600)[0]
    assert mask.isfinite().all()
    assert set(mask.unique().tolist()) <= {0.0, 2.0**16}


def test_groups_count_alike():
    frame = pd.DataFrame({"x": np.arange(8.0)})
    task_y = np.array([0, 1] * 4, dtype=float)
    a = np.array([[1, 1, 1, 1, 1, 0, 0, np.nan], [0, 0, 0, 0, 1, 2, np.nan, 2]], dtype=float).T
    from grad_ext.data.encoding import Arrays
    from grad_ext.outputs import Task

    branches = (Binary("target"), Binary("a"), Categorical("b", 4))
    rows = Arrays(
        frame.to_numpy(np.float32), task_y, a, np.array([1, 1, 1, 1, 2, 1, 1, 5.0]),
        Task(branches[0], branches[1:]),
    )  # fmt: skip
    weights = targets_of(rows, branches, torch.float64, balance_groups=True).weights
    plain = targets_of(rows, branches, torch.float64).weights
    assert weights[0].equal(plain[0])
    # Of a: group 1 weighs 6, group 0 weighs 2; the seven present rows weigh 1 on average.
    expected = [7 / 12, 7 / 12, 7 / 12, 7 / 12, 7 / 6, 7 / 4, 7 / 4, 0]
    torch.testing.assert_close(weights[1], torch.tensor(expected, dtype=torch.float64))
    assert plain[1].tolist() == [7 / 8] * 4 + [7 / 4, 7 / 8, 7 / 8, 0]
    # Of b: three groups of weight 4, 2 and 6 share seven present rows; nobody is of group 3.
    expected = [7 / 12] * 4 + [7 / 3, 7 / 18, 0, 35 / 18]
    torch.testing.assert_close(weights[2], torch.tensor(expected, dtype=torch.float64))
    numbers = (branches[0], Continuous("a"), branches[2])
    both = [targets_of(rows, numbers, torch.float64, balance_groups=on).weights for on in (0, 1)]
    assert both[0][1].equal(both[1][1])


# --- the quantile encoding -------------------------------------------------------------------


def test_the_quantile_encoding_by_hand():
    frame = pd.DataFrame(
        {"x": [0.0, 2.0, 4.0, 6.0, 8.0], "flag": [0, 1, 0, 1, 1], "c": list("abbab")}
    )
    encoder = Encoder("quantile").fit(frame)
    numeric = encoder.parts_[0]
    # Mean 4, standard deviation sqrt(8). Sixteenths of 0 to 8 are the edges, eighths among them.
    scale = math.sqrt(8)
    assert (numeric.mean, numeric.scale) == (4.0, pytest.approx(scale))
    assert [b.start * scale + 4 for b in numeric.bins] == pytest.approx(np.arange(16) / 2)
    assert [b.stop * scale + 4 for b in numeric.bins] == pytest.approx(np.arange(1, 17) / 2)
    # Below the third bin, 1 to 1.5, lies one value of five, above it four: 0.8 and 0.4.
    third = numeric.bins[2]
    assert (third.mean, third.scale) == pytest.approx((0.8, 0.4))
    rows = pd.DataFrame({"x": [1.25, -50.0, 50.0], "flag": [1, 0, 1], "c": list("bza")})
    X = encoder.transform(rows)
    assert X.shape == (3, 1 + 16 + 1 + 2)
    np.testing.assert_allclose(X[:, 0], [-2.75 / scale, -54 / scale, 46 / scale], rtol=1e-6)
    np.testing.assert_allclose(X[:, 3], [(0.5 - 0.8) / 0.4, -2.0, 0.5], rtol=1e-6)
    np.testing.assert_array_equal(X[:, 17:], [[1, 0, 1], [0, 0, 0], [1, 1, 0]])
    assert encoder.names[:3] == ["x", "x bin 0", "x bin 1"]
    assert encoder.names[16:] == ["x bin 15", "flag", "c=a", "c=b"]
    assert encoder.positions(["x"]).tolist() == list(range(17))
    assert encoder.positions(["flag", "c"]).tolist() == [17, 18, 19]


def test_a_value_that_most_rows_share_leaves_edges_among_the_others():
    x = np.concatenate([np.zeros(980), np.arange(1.0, 21.0)])
    bins = Encoder("quantile").fit(pd.DataFrame({"x": x})).parts_[0].bins
    edges = [b.start * x.std() + x.mean() for b in bins]
    # Twenty-one distinct values, 0 to 20: every two and a half of them.
    assert edges == pytest.approx(np.arange(8) * 2.5, abs=1e-9)
    # Below the last bin lie all but two or three of a thousand values: too few to scale by.
    assert bins[0].scale > 0.1
    assert bins[-1].scale == 0.1


@pytest.mark.parametrize(
    ("columns", "bins", "common"), [(4, 23, 30), (16, 7, 7), (64, 2, 1), (90, 0, 0)]
)
def test_many_columns_of_numbers_share_what_they_become(columns, bins, common):
    rng = np.random.default_rng(0)
    # Half of the rows share 40 values, the others have one each.
    values = np.where(rng.random((4000, columns)) < 0.5, rng.integers(0, 40, (4000, columns)), 0)
    values = values + rng.random((4000, columns)) * (values == 0) * 40
    frame = pd.DataFrame(values).assign(flag=rng.integers(0, 2, 4000))
    encoder = Encoder("quantile").fit(frame)
    # Of 256 / 64 columns one is the standardised one, one a value's, and two are bins.
    assert {(len(part.bins), len(part.common)) for part in encoder.parts_[:-1]} == {(bins, common)}
    assert sum(part.width for part in encoder.parts_[:-1]) <= 256
    assert encoder.transform(frame).shape[1] == len(encoder.names)


@pytest.mark.parametrize("values", [[3.0, 3.0, 3.0], [0.0, 1.0, 1.0], [1e300, 1.0, 1.0]])
def test_columns_without_a_middle_have_no_bins(values):
    frame = pd.DataFrame({"x": values})
    fits = [Encoder(name).fit(frame, constants=True) for name in ("standard", "quantile")]
    assert [len(part.bins) for part in fits[1].parts_] == [0] or values[0] > 3
    plain, with_bins = (fitted.transform(frame) for fitted in fits)
    np.testing.assert_array_equal(with_bins[:, :1], plain)


@given(
    values=st.lists(st.one_of(st.integers(-5, 5).map(float), st.floats(-1e12, 1e12)), min_size=1),
    fresh=st.lists(st.floats(-1e13, 1e13), min_size=1, max_size=5),
)
@settings(deadline=None, max_examples=200)
def test_bins_are_fitted_on_the_given_rows_and_say_where_a_value_lies(values, fresh):
    rows = np.arange(len(values))
    frame = pd.DataFrame({"x": values + fresh})
    part = Encoder("quantile").fit(frame, rows, constants=True).parts_[0]
    assert part == Encoder("quantile").fit(frame.iloc[rows], constants=True).parts_[0]
    assert all(b.stop > b.start and b.scale >= 0.1 for b in part.bins)
    assert all(b.stop == c.start for b, c in zip(part.bins, part.bins[1:], strict=False))
    assert len(part.bins) <= 25
    standard = (np.sort(np.array(values)) - part.mean) / part.scale
    encoded = np.array([b.share(standard) for b in part.bins])
    if part.bins:
        # Within the training range the shares, each times its bin's width, add up to the value.
        widths = np.array([b.stop - b.start for b in part.bins])
        np.testing.assert_allclose(part.bins[0].start + widths @ encoded, standard, atol=1e-5)
        assert (np.diff(encoded, axis=1) >= 0).all()
        np.testing.assert_allclose(encoded.mean(axis=1), [b.mean for b in part.bins], atol=1e-9)


def test_values_that_many_rows_share_have_a_column_each():
    x = np.concatenate(
        [np.full(30, 40.0), np.full(31, -1.5), np.full(29, 7.0), np.arange(60) + 0.5]
    )
    encoder = Encoder("quantile").fit(pd.DataFrame({"x": x}))
    (part,) = encoder.parts_
    assert part.common == (-1.5, 40.0)
    assert encoder.names[-2:] == ["x=-1.5", "x=40.0"]
    assert encoder.positions(["x"]).tolist() == list(range(part.width))
    X = encoder.transform(pd.DataFrame({"x": [40.0, -1.5, 7.0]}))
    np.testing.assert_array_equal(X[:, -2:], [[0, 1], [1, 0], [0, 0]])
    # Of more than thirty such values the most frequent, and of those as frequent the smallest.
    many = np.repeat(np.arange(40.0), [30] * 39 + [31])
    (part,) = Encoder("quantile").fit(pd.DataFrame({"x": many})).parts_
    assert part.common == (*range(29), 39.0)
    two = pd.DataFrame({"x": np.repeat([1.0, 2.0], 50)})
    assert Encoder("quantile").fit(two).parts_[0].common == ()
    assert Encoder().fit(pd.DataFrame({"x": many})).parts_[0].width == 1


def test_an_unknown_encoding_is_refused():
    with pytest.raises(InputError, match="unknown encoding 'quantil': did you mean 'quantile'"):
        Encoder("quantil")


def test_a_table_and_its_one_hot_form_are_encoded_alike(german):
    ours = Encoder("quantile").fit(german.inputs())
    theirs = german.to_aif360().convert_to_dataframe()[0]
    theirs = theirs[[c for c in theirs if str(c).split("=")[0] in german.inputs().columns]]
    other = Encoder("quantile").fit(theirs)
    first, second = ours.transform(german.inputs()), other.transform(theirs)
    order = [other.names.index(name) for name in ours.names]
    np.testing.assert_allclose(second[:, order], first, rtol=1e-6, atol=1e-6)


# --- wherever it must work -------------------------------------------------------------------


def rows(n=400, seed=0):
    rng = np.random.default_rng(seed)
    a = rng.integers(0, 2, n)
    X = pd.DataFrame({"x": rng.normal(size=n), "lean": rng.normal(size=n) + 2 * a})
    X["c"] = rng.choice(["u", "v", "w"], n)
    y = 2 * X["x"] + 1.5 * a + 0.3 * rng.normal(size=n) > 0.7
    return X, y.to_numpy(), a


def quick(estimator=GRADClassifier, **changes):
    return estimator(**{"recipe": "steady", "epochs": 4, "random_state": 0, **changes})


def test_it_unlearns_and_still_tells_the_labels_apart():
    from grad_ext.metrics.group import balanced_accuracy

    X, y, a = rows(2000)
    held, truth, b = rows(2000, seed=1)
    gaps, right = {}, {}
    for lam in (0.0, 10.0):
        labels = quick(lam=lam, epochs=30).fit(X, y, sensitive_features=a).predict(held)
        gaps[lam] = discrimination(None, labels, sensitive_features=b)
        right[lam] = balanced_accuracy(truth, labels)
    assert gaps[0.0] > 0.1
    assert gaps[10.0] < 0.4 * gaps[0.0]
    assert min(right.values()) > 0.7


ATTRIBUTES = {
    "groups": lambda a, rng: a,
    "three": lambda a, rng: a + rng.integers(0, 2, len(a)),
    "numbers": lambda a, rng: a + rng.normal(size=len(a)),
    "missing": lambda a, rng: np.where(rng.random(len(a)) < 0.2, np.nan, a),
}


@pytest.mark.parametrize("kind", ATTRIBUTES)
@pytest.mark.parametrize("estimator", [GRADClassifier, GRADRegressor, GRADEncoder])
def test_every_kind_of_target_and_attribute(estimator, kind):
    X, y, a = rows()
    a = ATTRIBUTES[kind](a, np.random.default_rng(1))
    target = X["x"] + a if estimator is GRADRegressor else y + (X["lean"] > 2)
    model = quick(estimator, lam=0.1).fit(X, np.nan_to_num(target), sensitive_features=a)
    said = (model.transform if estimator is GRADEncoder else model.predict)(X)
    assert len(np.unique(said)) > 1
    assert model.best_epoch_ == 4
    encoding = "standard" if estimator is GRADEncoder else "quantile"
    assert model.model_.encoder.encoding == encoding
    loss = model.history_.loss
    assert loss[-1] < loss[0]


def test_auto_reconstructs_the_encoded_columns_without_the_protected_ones():
    data = load_dataset("german", ["age"])
    model = quick(GRADInProcessing, variant="auto", use_protected=True).fit(data.to_aif360())
    encoder = model.model_.encoder
    hidden = encoder.positions(["age"])
    assert len(hidden) == 1  # AIF360's protected column is 0 or 1
    outputs = model.model_.fitted.network.shape.target.outputs
    assert outputs == len(encoder.names) - 1
    table = split(data)
    whole = Encoder("quantile").fit(table.train.inputs(use_protected=True))
    seen = arrays(table.train, whole, use_protected=True)
    assert len(whole.positions(["age"])) > 10
    assert len(seen.visible) == len(whole.names) - len(whole.positions(["age"]))
    assert not set(seen.visible) & set(whole.positions(["age"]))


def test_call_by_call_it_goes_on_at_a_constant_rate():
    X, y, a = rows()

    def learn(model, part):
        return model.partial_fit(X[part], y[part], sensitive_features=a[part])

    model = learn(quick(), slice(0, 200))
    twins = [copy.deepcopy(model), pickle.loads(pickle.dumps(model))]
    expected = learn(model, slice(200, 400)).predict_proba(X)
    for twin in twins:
        np.testing.assert_array_equal(learn(twin, slice(200, 400)).predict_proba(X), expected)
    assert model.online_._trainer.learning_rate() == STEADY.learning_rate
    once = learn(quick(), slice(0, 200)).predict_proba(X)
    assert not np.array_equal(once, expected)


def test_a_trunk_of_the_users_brings_its_own_dropout(encoded):
    training, test = encoded
    trials = [
        Trial("german", PROTECTED, seed=s, settings=replace(STEADY, epochs=3)) for s in range(3)
    ]

    def scores(company):
        factory = lambda d: nn.Sequential(nn.Linear(d, 9), nn.BatchNorm1d(9), nn.ReLU())
        done = GRAD(trunk=factory).fit([trials[i] for i in company], training, training)
        return done.scores(test.X)

    expected = scores([0, 1, 2])
    assert len(np.unique(expected[:, 0, 0])) == 3
    np.testing.assert_array_equal(scores([2, 0]), expected[[2, 0]])
    shape = Shape(4, (9,), (5, 3), attributes=(Binary("age"),), module=True)
    trunk_less = Dropout(network_like(shape), [0], 0.2)
    assert [m.shape for m in trunk_less.masks(16)] == [(1, 10, 16), (1, 6, 16)]


def network_like(shape):
    """A network of another shape's branches, for what looks at those alone."""
    network = Network(replace(shape, module=False), [0])
    network.shape = shape
    return network


def test_dropout_shows_and_depends_on_the_members_seed(encoded):
    training, test = encoded

    def scores(seeds, **changes):
        chosen = replace(STEADY, epochs=2, **changes)
        trials = [Trial("german", PROTECTED, seed=s, settings=chosen) for s in seeds]
        return GRAD().fit(trials, training, training).scores(test.X)

    expected = scores([0, 1])
    assert not np.array_equal(expected, scores([0, 1], dropout=0.0))
    np.testing.assert_array_equal(scores([1]), expected[1:])


def test_what_the_recipe_decides_may_be_changed_or_left_to_it():
    X, y, a = rows(100)
    model = GRADClassifier(
        recipe="steady", dropout=0.0, saturation=[4, 2], epochs=1, random_state=0
    )
    settings = model._settings()
    assert settings == Settings(recipe="steady", dropout=0.0, saturation=(4.0, 2.0), epochs=1)
    assert model.fit(X, y, sensitive_features=a).get_params()["batch_size"] is None
    first = quick(
        GRADClassifier,
        checkpoint=lambda history: [-np.arange(len(history.loss))[:, None] + history.loss * 0],
    )
    assert first.fit(X, y, sensitive_features=a).best_epoch_ == 1
    assert GRADInProcessing(recipe="steady").settings == STEADY
    assert GRADInProcessing(recipe="paper").settings == PAPER
    with pytest.raises(
        InputError, match="dropout must be a number of at least 0 and below 1, got 1"
    ):
        GRADClassifier(dropout=1).fit(X, y, sensitive_features=a)
    with pytest.raises(InputError, match="unknown encoding"):
        GRADInProcessing(encoding="ordinal")


def test_rows_are_held_out_only_where_an_epoch_is_chosen():
    X, y, a = rows()
    held = (X[:9], y[:9], a[:9])
    fitted = {
        (checkpoint, given): quick(checkpoint=checkpoint).fit(
            X, y, sensitive_features=a, validation=held if given else None
        )
        for checkpoint in ("last", "paper")
        for given in (False, True)
    }
    said = {key: model.predict_proba(X) for key, model in fitted.items()}
    # With rows of its own to choose by, a model learns from all of X.
    np.testing.assert_array_equal(said["last", False], said["last", True])
    assert (said["paper", False] != said["paper", True]).any()
    model = fitted["last", False]
    assert model.history_.accuracy[-1] == pytest.approx(model.score(X, y))


# By epoch and member.
DISCRIMINATION = np.array([[0.3, 0.1, np.nan], [0.1, 0.2, np.nan], [0.2, 0.1, np.nan]])
ACCURACY = np.array([[0.5, 0.6, 0.5], [0.5, 0.7, 0.5], [0.5, 0.5, 0.5]])


class Scripted:
    """Three members of one weight, which counts the epochs."""

    def __init__(self):
        self.weight, self.done = torch.zeros(3, 1), 0

    def epoch(self):
        self.done += 1
        self.weight += 1.0
        return np.array([[0.5, 0.75]] * 3) * self.done

    def metrics(self):
        now = self.done - 1
        return {
            "accuracy": ACCURACY[now],
            "balanced_accuracy": ACCURACY[now],
            "positive_rate": ACCURACY[now],
            "discrimination_by_attribute": DISCRIMINATION[now][None],
        }

    def state(self):
        return {"weight": self.weight}


def test_each_member_has_its_own_best_epoch():
    """The lowest Discrimination, ties by accuracy; a member that diverged has the last."""
    pack, done = Scripted(), []
    best, history, epochs = train_epochs(pack, 3, paper, done.append)
    assert epochs.tolist() == [1, 0, 2]
    assert best["weight"].tolist() == [[2.0], [1.0], [3.0]]
    assert pack.weight.tolist() == [[3.0]] * 3
    assert done == [1, 2, 3]
    np.testing.assert_array_equal(history.loss, np.outer([0.5, 1.0, 1.5], np.ones(3)))
    np.testing.assert_array_equal(
        history.attribute_loss[:, 0], np.outer([0.75, 1.5, 2.25], np.ones(3))
    )
    np.testing.assert_array_equal(history.discrimination, DISCRIMINATION)
    load(pack.state(), best)
    assert pack.weight.tolist() == [[2.0], [1.0], [3.0]]


def test_the_last_epoch():
    best, _, epochs = train_epochs(Scripted(), 2, last)
    assert epochs.tolist() == [1, 1, 1]
    assert best["weight"].tolist() == [[2.0]] * 3
