"""Packs on other devices than the CPU, as far as a machine without one can tell.

A step is taken on torch's device "meta", whose tensors have shapes and no numbers: an operation
that met a tensor that stayed on the CPU would fail there as on a GPU. The numbers are compared on
"cpu:0", which is another device to torch by name.
"""

from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from grad_ext.data.encoding import Arrays
from grad_ext.engine.batches import BatchSampler, by_hash
from grad_ext.engine.dropout import Dropout
from grad_ext.engine.hashing import FACTORS, SHIFTS, mixed
from grad_ext.engine.network import Network
from grad_ext.engine.shape import Shape
from grad_ext.method import GRAD
from grad_ext.outputs import Binary, Categorical, Continuous, Features, Task
from grad_ext.training.settings import Settings
from grad_ext.training.targets import Targets
from grad_ext.training.trainer import Trainer
from grad_ext.training.validation import score_metrics
from grad_ext.trial import Trial

ROWS, FEATURES, MEMBERS = 64, 7, 3
ATTRIBUTES = (Binary("a"), Categorical("b", 3), Continuous("c"))
TARGETS = {
    "binary": Binary("target"),
    "categorical": Categorical("target", 4),
    "continuous": Continuous("target"),
    "features": Features("target", 5),
}


def targets(target, heads):
    """Return targets of every kind on the CPU."""

    def values(branch):
        if branch.reconstructs:
            return None
        return torch.zeros(ROWS, dtype=torch.int64 if branch.classes > 2 else None)

    branches = (target, *ATTRIBUTES)
    strata = torch.zeros(ROWS, dtype=torch.int64) if heads > 1 else None
    return Targets([values(branch) for branch in branches], torch.ones(len(branches), ROWS), strata)


def stepped(
    target, settings, adversary_input, heads, away=lambda targets: targets.on(torch.device("meta"))
):
    shape = Shape(
        FEATURES, (6, 6), (5,), TARGETS[target], ATTRIBUTES, False, adversary_input, heads
    )
    network = Network(shape, range(MEMBERS)).on("meta")
    trainer = Trainer(network, [(1.0, 2.0, 3.0)] * MEMBERS, range(MEMBERS), settings, steps=10)
    visible = torch.arange(5, device="meta") if target == "features" else None
    total = torch.zeros(MEMBERS, 4, device="meta")
    X = torch.zeros(ROWS, FEATURES, device="meta")
    rows = torch.zeros(MEMBERS, 32, dtype=torch.int64, device="meta")
    for _ in range(2):
        trainer.step(X, away(targets(TARGETS[target], heads)), rows, total, visible)
    return network


@pytest.mark.parametrize("target", TARGETS)
@pytest.mark.parametrize("recipe", ["paper", "steady"])
def test_a_step_stays_on_its_device(target, recipe):
    score = recipe == "steady" and target != "features"
    adversary_input = "prediction" if score else "representation"
    heads = 2 if target == "categorical" else 1
    network = stepped(target, Settings(recipe=recipe), adversary_input, heads)
    assert {value.device.type for value in network.state().values()} == {"meta"}
    assert network.scores(torch.zeros(20, FEATURES)).shape == (MEMBERS, TARGETS[target].outputs, 20)
    assert network.representations(torch.zeros(20, FEATURES)).device.type == "meta"


def test_a_tensor_left_behind_is_found():
    with pytest.raises(RuntimeError, match="device"):
        stepped("binary", Settings(), "prediction", 1, away=lambda targets: targets)


@pytest.mark.parametrize("variant", ["pred", "auto"])
def test_a_pack_on_another_device_is_the_same_pack(variant, german_problem):
    protected = ("age", "sex")
    settings = Settings(recipe="steady", variant=variant, epochs=2)
    trials = [Trial("german", protected, 10.0, seed, settings=settings) for seed in (3, 4)]
    training, validation = german_problem.training, german_problem.validation
    here = GRAD().fit(trials, training, validation)
    there = GRAD(device="cpu:0").fit(trials, training, validation)
    assert there.network.device == torch.device("cpu")
    for name, value in here.network.state().items():
        assert value.equal(there.network.state()[name]), name
    assert (here.scores(validation.X) == there.scores(validation.X)).all()


def test_a_copy_on_another_device_is_a_copy():
    network = Network(Shape(FEATURES, (6,), (5,)), [1, 2])
    assert network.on("cpu") is network
    moved = network.on("cpu:0")
    before = {name: value.clone() for name, value in network.state().items()}
    with torch.no_grad():
        moved.flat += 1.0
    for value in moved.statistics.values():
        value += 1.0
    for name, value in moved.state().items():
        assert network.state()[name].equal(before[name]), name
        assert value.equal(before[name] + 1.0), name
    # One buffer still: what the optimiser moves is what the layers use, gradients alike.
    assert moved.parameters["trunk.0.weight"].data_ptr() == moved.flat.data_ptr()
    assert moved.parameters["trunk.0.weight"].grad.data_ptr() == moved.flat.grad.data_ptr()


# --- dropped units -----------------------------------------------------------------------------


def hashed(seeds, share, rows=32, steps=1, units=(40, 40)):
    """Return the trunk's masks of steps as another device draws them."""
    dropout = Dropout(Network(Shape(FEATURES, units, ()), seeds), seeds, share)
    drawn = []
    for _ in range(steps):
        # As `masks` does, but with the hash on the CPU too.
        dropout._masks[rows] = [torch.ones(len(seeds), n, rows) for n in units]
        dropout._next_key()
        dropout._hash(rows)
        drawn.append(torch.cat(dropout._masks[rows], dim=1))
    return torch.stack(drawn)


def test_the_hash_drops_its_share_and_keeps_the_mean():
    masks = hashed([0, 1, 2], 0.25, rows=64, steps=20)
    values = masks.unique().tolist()
    assert values == pytest.approx([0.0, 4 / 3])
    # 307,200 units: four standard deviations of the share.
    assert float((masks == 0).float().mean()) == pytest.approx(0.25, abs=0.0032)
    assert float(masks.mean()) == pytest.approx(1.0, abs=0.0042)
    by_unit = (masks == 0).float().mean(dim=(0, 1, 3))
    assert float((by_unit - 0.25).abs().max()) < 0.04


def test_steps_members_and_layers_have_nothing_in_common():
    masks = hashed([0, 1], 0.5, rows=64, steps=1030).flatten(2)
    kept = (masks > 0).float()
    agreement = {
        "steps": float((kept[1:] == kept[:-1]).float().mean()),
        # Keys come in batches of 1024.
        "batches of keys": float((kept[1024:] == kept[:6]).float().mean()),
        "members": float((kept[:, 0] == kept[:, 1]).float().mean()),
        "layers": float((kept[..., :2560] == kept[..., 2560:]).float().mean()),
        "neighbours": float((kept[..., 1:] == kept[..., :-1]).float().mean()),
    }
    assert agreement == pytest.approx(dict.fromkeys(agreement, 0.5), abs=0.006)


def test_masks_do_not_depend_on_their_company():
    together, alone = hashed([5, 6, 7], 0.3, steps=3), hashed([6], 0.3, steps=3)
    assert together[:, 1].equal(alone[:, 0])
    assert not together[:, 0].equal(alone[:, 0])


def in_numpy(bits):
    """The same hash as it was published, on unsigned numbers."""
    for shift, factor in zip(SHIFTS, (*FACTORS, 1), strict=True):
        bits = (bits ^ (bits >> np.uint32(shift))) * np.uint32(factor % 2**32)
    return bits


@given(st.lists(st.integers(0, 2**32 - 1), min_size=1, max_size=50))
def test_the_hash_is_the_published_one(numbers):
    bits = np.array(numbers, dtype=np.uint32)
    found = mixed(torch.from_numpy(bits.view(np.int32))).numpy().view(np.uint32)
    np.testing.assert_array_equal(found, in_numpy(bits))


def test_the_hash_loses_nothing():
    bits = torch.arange(2**20, dtype=torch.int32)
    assert len(mixed(bits).unique()) == len(bits)


# --- orders of rows ----------------------------------------------------------------------------


def test_orders_by_hash_are_orders_of_their_own():
    keys = torch.tensor([[1, 2], [3, 4], [1, 2], [1, 5]], dtype=torch.int32)
    orders = by_hash(5000, keys)
    assert orders.dtype == torch.int64
    assert orders.sort(dim=1).values.equal(torch.arange(5000).expand(4, -1))
    assert orders[0].equal(orders[2])
    assert by_hash(5000, keys[1:2])[0].equal(orders[1])
    for one, other in ((0, 1), (0, 3), (1, 3)):
        # The mean of places where two orders agree is 1.
        assert int((orders[one] == orders[other]).sum()) < 10
    # Every place gets early and late rows alike: ten blocks of 500, standard deviation of each 64.
    means = orders[0].double().view(10, 500).mean(1)
    assert float((means - 2499.5).abs().max()) < 4 * 64


def test_orders_of_a_device_are_made_there_and_those_of_a_cpu_by_generators():
    there = BatchSampler([3, 4], torch.device("meta")).next(40)
    assert there.shape == (2, 40)
    assert there.device.type == "meta"
    here = BatchSampler([3, 4], torch.device("cpu"))
    first, second = here.next(40), here.next(40)
    assert first.sort(dim=1).values.equal(torch.arange(40).expand(2, -1))
    assert not first.equal(second)
    assert BatchSampler([4], torch.device("cpu")).next(40)[0].equal(first[1])


# --- figures on validation rows ----------------------------------------------------------------


def validated(rows, seed, weighted):
    """Return rows with attributes of every kind, some of them missing."""
    rng = np.random.default_rng(seed)
    a = np.column_stack([rng.integers(0, 2, rows), rng.integers(0, 3, rows), rng.normal(size=rows)])
    a[rng.random(a.shape) < 0.1] = np.nan
    w = rng.random(rows) if weighted else np.ones(rows)
    y = rng.integers(0, 2, rows).astype(float)
    task = Task(TARGETS["binary"], ATTRIBUTES)
    return Arrays(np.zeros((rows, 1), np.float32), y, a, w, task, target_w=w * (1.0 + y))


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("rows", [40, 5000])
def test_figures_counted_on_a_device_are_the_figures(rows, weighted):
    arrays = validated(rows, rows, weighted)
    said = torch.rand(6, 1, rows, generator=torch.Generator().manual_seed(1))
    # Two constant models, and one that diverged.
    said[3], said[4], said[5, 0, 7] = 0.9, 0.1, float("nan")
    found, expected = score_metrics(said, arrays), score_metrics(said.numpy(), arrays)
    assert found.keys() == expected.keys()
    for name, values in expected.items():
        np.testing.assert_allclose(found[name][..., :5], values[..., :5], rtol=0, atol=1e-12)
        assert np.isnan(found[name][..., 5]).all()
    assert (found["discrimination_by_attribute"][:, 3:5] == 0.0).all()


def test_without_attributes_or_a_class_as_on_the_cpu():
    arrays = validated(30, 0, False)
    said = torch.rand(2, 1, 30, generator=torch.Generator().manual_seed(1))
    bare = replace(arrays, a=arrays.a[:, :0], task=Task(TARGETS["binary"], ()))
    one_class = replace(arrays, y=np.ones(30))
    one_group = replace(arrays, a=np.ones((30, 1)), task=Task(TARGETS["binary"], ATTRIBUTES[:1]))
    for rows in (bare, one_class, one_group):
        found, expected = score_metrics(said, rows), score_metrics(said.numpy(), rows)
        for name, values in expected.items():
            np.testing.assert_allclose(found[name], values, rtol=0, atol=1e-12)
