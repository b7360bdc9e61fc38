"""The pack against the plain model, and each member against every other company it could keep."""

import os
import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from oracle import PlainGRAD, copy_weights, train_steps

from grad_ext.engine.backprop import ForwardBackward
from grad_ext.engine.batches import minibatches
from grad_ext.engine.network import Network
from grad_ext.engine.shape import Shape
from grad_ext.errors import InputError
from grad_ext.method import GRAD
from grad_ext.outputs import Binary
from grad_ext.seeds import torch_generator
from grad_ext.training.checkpoint import paper
from grad_ext.training.loop import shape_of, train
from grad_ext.training.settings import Settings
from grad_ext.trial import Trial

pytestmark = pytest.mark.long

PROTECTED = ("age", "sex")
PAPER, STEADY = Settings(recipe="paper", epochs=8), Settings(recipe="steady", epochs=8)
SHAPES = {
    "paper": PAPER,
    "odd": replace(PAPER, trunk=(13,), branch=(7, 3), batch_size=48),
    "heads only": replace(PAPER, trunk=(5, 3, 11), branch=(), batch_size=50),
    "narrow": replace(PAPER, epochs=4, trunk=(40,), branch=(1,), batch_size=16),
    "steady": STEADY,
    "steady, odd": replace(STEADY, trunk=(13, 7), branch=(3,), batch_size=48),
    "equalized odds": replace(STEADY, epochs=4, constraint="equalized_odds"),
    "equalized odds, trunk": replace(
        PAPER, epochs=4, branch=(7, 3), constraint="equalized_odds", batch_size=48
    ),
}


def oracle_batches(seed, rows, epochs, batch_size):
    generator = torch_generator(seed, "rows")
    for _ in range(epochs):
        order = torch.randperm(rows, generator=generator)
        yield from (order[s] for s in minibatches(rows, batch_size))


@pytest.mark.parametrize("lam", [1.0, 100.0])
@pytest.mark.parametrize("name", ["paper", "odd", "heads only"])
def test_a_pack_agrees_with_the_plain_model(german_problem, name, lam):
    """Same initial weights and row order, 100 steps: equal to rounding.

    Both in float64, since an adversarial game amplifies rounding step by step.
    """
    chosen = replace(SHAPES[name], epochs=10)
    training = german_problem.training
    weights = np.random.default_rng(0).uniform(0.5, 2.0, len(training))
    training = replace(training, w=weights)
    seeds, member = [3, 4, 5], 1
    shape = shape_of(chosen, training, reversing=True)
    network = Network(shape, seeds, dtype=torch.float64)
    plain = PlainGRAD(training.X.shape[1], chosen.trunk, chosen.branch, attributes=2).double()
    copy_weights(plain, network, member)
    lams = [(7.0, 7.0), (lam, lam), (0.5, 0.5)]
    _, _, history, _ = train(
        network, lams, seeds, training, german_problem.validation, chosen, paper
    )

    X, y, a = (torch.from_numpy(v).double() for v in (training.X, training.y, training.a))
    w = torch.from_numpy(training.w / training.w.mean())
    batches = oracle_batches(seeds[member], len(X), chosen.epochs, chosen.batch_size)
    optimiser = torch.optim.Adam(plain.parameters(), lr=chosen.learning_rate)
    train_steps(plain, lam, X, y, a, w, batches, optimiser)
    plain.eval()
    test = torch.from_numpy(german_problem.test.X).double()
    with torch.no_grad():
        expected = torch.sigmoid(plain(test)[0])
    got = network.scores(test)[member, 0]
    torch.testing.assert_close(got, expected, rtol=0.0, atol=1e-9)
    assert history.loss.shape == (chosen.epochs, 3)
    assert history.attribute_loss.shape == (chosen.epochs, 2, 3)


def test_the_first_step_agrees_to_float32_rounding(german_problem):
    training = german_problem.training
    network = Network(shape_of(PAPER, training, reversing=True), [0, 1])
    plain = PlainGRAD(training.X.shape[1], attributes=2).double()
    copy_weights(plain, network, 1)
    x = torch.from_numpy(training.X[:64].copy())
    passes = ForwardBackward(network)
    outputs = passes.forward(x.expand(2, *x.shape), network.reversal(torch.ones(2, 2)))
    gradients = [torch.zeros_like(output) for output in outputs]
    for gradient in gradients:
        gradient[1] = 1.0
    passes.backward(gradients)
    target, attributes = plain.train()(x.double())
    (target.sum() + sum(a.sum() for a in attributes)).backward()
    torch.testing.assert_close(outputs[0][1, 0].double(), target, rtol=1e-4, atol=1e-5)
    torch.testing.assert_close(outputs[2][1, 0].double(), attributes[1], rtol=1e-4, atol=1e-5)
    for i, linear in ((0, plain.trunk[0]), (1, plain.trunk[3])):
        ours = network.parameters[f"trunk.{i}.weight"].grad[1].double()
        # Sums of a batch-normalised layer cancel to nothing, so compare to the gradient's size.
        assert float((ours - linear.weight.grad).abs().max()) < 1e-3
    running = network.statistics["trunk.0.mean"][1].double()
    torch.testing.assert_close(running, plain.trunk[1].running_mean, rtol=1e-4, atol=1e-6)
    variance = network.statistics["trunk.0.variance"][1].double()
    torch.testing.assert_close(variance, plain.trunk[1].running_var, rtol=1e-4, atol=1e-6)


@pytest.fixture(scope="module", params=SHAPES)
def company(request, german_problem):
    """Many trials of one shape, and their scores from one large pack."""
    chosen = SHAPES[request.param]
    trials = [
        Trial("german", PROTECTED, lam=lam, seed=seed, settings=chosen)
        for seed in range(7)
        for lam in (1.0, 100.0, 2000.0)
    ]
    return trials, scores_of(trials, german_problem)


def scores_of(trials, encoded):
    return GRAD().fit(trials, encoded.training, encoded.validation).scores(encoded.test.X)


@pytest.mark.parametrize("members", [1, 2, 3, 4, 8, 16])
def test_a_member_is_the_same_bit_for_bit_in_any_company(company, german_problem, members):
    trials, expected = company
    chosen = np.random.default_rng(members).permutation(len(trials))[:members]
    got = scores_of([trials[i] for i in chosen], german_problem)
    np.testing.assert_array_equal(got, expected[chosen])


def test_threads_do_not_show_and_are_given_back(company, german_problem):
    trials, expected = company
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    try:
        got = scores_of(trials[:2], german_problem)
        assert torch.get_num_threads() == 2
    finally:
        torch.set_num_threads(before)
    np.testing.assert_array_equal(got, expected[:2])


def test_a_diverging_member_leaves_its_neighbours_untouched(german_problem):
    trials = [
        Trial("german", PROTECTED, seed=s, settings=Settings(recipe="paper", epochs=5))
        for s in range(4)
    ]
    healthy = scores_of(trials, german_problem)
    training = german_problem.training
    network = Network(shape_of(PAPER, training, reversing=True), [*range(4)])
    with torch.no_grad():
        network.parameters["trunk.0.weight"][2] = float("nan")
    best, _, history, _ = train(
        network, [(100.0, 100.0)] * 4, [*range(4)], training, german_problem.validation,
        Settings(recipe="paper", epochs=5), paper,
    )  # fmt: skip
    got = best.scores(torch.from_numpy(german_problem.test.X)).numpy()
    assert np.isnan(got[2]).all()
    assert np.isnan(history.accuracy[:, 2]).all()
    others = [0, 1, 3]
    np.testing.assert_array_equal(got[others], healthy[others])


def test_the_plain_network_starts_where_grad_does():
    with_branch = Network(Shape(6, (4,), (3,), attributes=(Binary("age"),)), [5])
    without = Network(Shape(6, (4,), (3,)), [5])
    for name, value in without.parameters.items():
        theirs = with_branch.parameters[name]
        theirs = theirs[:, :1] if name.startswith("branch") else theirs
        assert torch.equal(value, theirs), name


def test_initial_weights_have_the_stated_spread():
    weight = Network(Shape(400, (200,), ()), [0]).parameters["trunk.0.weight"]
    weight = weight.detach()
    assert float(weight.std()) == pytest.approx(400**-0.5, rel=0.02)
    assert float(weight.mean()) == pytest.approx(0.0, abs=0.001)


def test_global_generators_are_left_alone(german_problem):
    import random

    torch.manual_seed(1)
    states = torch.get_rng_state(), np.random.get_state()[1].copy(), random.getstate()  # noqa: NPY002
    scores_of([Trial("german", PROTECTED, settings=replace(PAPER, epochs=1))], german_problem)
    assert torch.equal(states[0], torch.get_rng_state())
    assert (states[1] == np.random.get_state()[1]).all()  # noqa: NPY002
    assert states[2] == random.getstate()


@settings(max_examples=200, deadline=None)
@given(rows=st.integers(1, 3000), batch_size=st.integers(1, 5000))
def test_minibatches_are_whole_vectors_and_leave_out_few_rows(rows, batch_size):
    slices = minibatches(rows, batch_size)
    sizes = [s.stop - s.start for s in slices]
    assert slices[0].start == 0
    assert [s.start for s in slices[1:]] == [s.stop for s in slices[:-1]]
    assert 0 <= rows - slices[-1].stop < 16
    if rows >= 16:
        assert all(size % 16 == 0 and size > 0 for size in sizes)
        assert max(sizes) - min(sizes) <= 16


def test_a_trunk_needs_a_layer_and_layers_need_units():
    with pytest.raises(InputError, match="trunk needs at least one layer"):
        Shape(3, (), (2,))
    with pytest.raises(InputError, match="at least one unit"):
        Shape(3, (4, 0), (2,))


def test_trials_of_one_pack_share_their_settings(german_problem):
    trials = [Trial("german", PROTECTED), Trial("german", PROTECTED, lam=0.0)]
    with pytest.raises(InputError, match="must share"):
        GRAD().fit(trials, german_problem.training, german_problem.validation)
    with pytest.raises(InputError, match="at least one trial"):
        GRAD().fit([], german_problem.training, german_problem.validation)


@pytest.mark.slow
@pytest.mark.parametrize("instructions", [("avx2", "AVX2", "AVX2"), ("default", "SSE4_2", "SSE41")])
def test_company_does_not_show_with_narrower_vectors_either(instructions):
    """The bit-for-bit tests again, with torch, MKL and oneDNN confined to other instructions."""
    torch_level, mkl_level, onednn_level = instructions
    environment = {
        **os.environ,
        "ATEN_CPU_CAPABILITY": torch_level,
        "MKL_ENABLE_INSTRUCTIONS": mkl_level,
        "ONEDNN_MAX_CPU_ISA": onednn_level,
    }
    chosen = ["-k", "bit_for_bit or threads", "-p", "no:cacheprovider", __file__]
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", *chosen],
        env=environment, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout[-3000:]
    assert "56 passed" in done.stdout
