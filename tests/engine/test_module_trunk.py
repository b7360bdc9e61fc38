"""A user's own module as the trunk: against the plain model, its company, and what cannot serve."""

import copy
import pickle
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from oracle import PlainGRAD, copy_weights, layers, train_steps
from torch import nn

from grad_ext.engine.backprop import ForwardBackward
from grad_ext.engine.batches import minibatches
from grad_ext.engine.module_trunk import ModuleTrunk
from grad_ext.engine.network import Network
from grad_ext.engine.shape import Shape
from grad_ext.errors import InputError
from grad_ext.method import GRAD
from grad_ext.outputs import Binary
from grad_ext.seeds import torch_generator
from grad_ext.training.checkpoint import last, paper
from grad_ext.training.loop import shape_of, train
from grad_ext.training.settings import Settings
from grad_ext.trial import Trial

PROTECTED = ("age", "sex")
SHORT = Settings(epochs=3)


def papers(features):
    return layers(features, (40, 40))[0]


def smooth(features):
    last_layer = nn.Linear(13, 5, bias=False)
    return nn.Sequential(nn.Linear(features, 13), nn.LayerNorm(13), nn.GELU(), last_layer)


def dropped(features):
    return nn.Sequential(nn.Linear(features, 13), nn.ReLU(), nn.Dropout(0.3), nn.Linear(13, 7))


def crooked(features):
    return nn.Sequential(
        nn.Linear(features, 13), nn.BatchNorm1d(13), nn.Dropout(0.3), nn.Linear(13, 7)
    )


class Image(nn.Module):
    """Rows as pictures of 8 x 8, which it keeps as users do."""

    def __init__(self, features):
        super().__init__()
        self.margin = 64 - features
        self.conv = nn.Conv2d(1, 3, 3, stride=2)
        self.seen = None

    def forward(self, x):
        picture = nn.functional.pad(x, (0, self.margin)).view(len(x), 1, 8, 8)
        self.seen = self.conv(picture)
        return torch.relu(self.seen).flatten(1)


class Words(nn.Module):
    """Rows as sentences of two words."""

    def __init__(self, features):
        super().__init__()
        self.table = nn.Embedding(2, 3)
        self.read = nn.GRU(3, 6, batch_first=True)

    def forward(self, x):
        return self.read(self.table((x > 0).long()))[1][0]


class Counting(nn.Module):
    """Puts another tensor in the place of its buffer, and keeps a weight as it is."""

    def __init__(self, features):
        super().__init__()
        self.linear = nn.Linear(features, 4)
        self.linear.bias.requires_grad_(False)
        self.register_buffer("passes", torch.tensor(0))

    def forward(self, x):
        if self.training:
            self.passes = self.passes + 1
        return self.linear(x)


def pack_of(factory, encoded, seeds, settings=SHORT, dtype=torch.float64):
    """Return a network on a user's module, not yet trained."""
    trunk = ModuleTrunk(factory, encoded.training.X.shape[1], seeds)
    shape = shape_of(settings, encoded.training, reversing=True)
    shape = replace(shape, trunk=(trunk.width,), module=True)
    return Network(shape, seeds, dtype, trunk)


def trained(network, encoded, lams, seeds, settings=SHORT):
    """Return what a network scores on the test rows after training, the last epoch's, (P, N)."""
    train(network, lams, seeds, encoded.training, encoded.validation, settings, paper)
    return network.scores(torch.from_numpy(encoded.test.X))[:, 0]


def trials(seeds, settings=SHORT, lam=10.0):
    return [Trial("german", PROTECTED, lam=lam, seed=s, settings=settings) for s in seeds]


def fitted(factory, encoded, seeds):
    return GRAD(last, factory).fit(trials(seeds), encoded.training, encoded.validation)


def test_a_pack_on_the_papers_trunk_agrees_with_the_plain_model(german_problem):
    chosen, lam, member = Settings(recipe="paper", epochs=15), 10.0, 1
    training, seeds = german_problem.training, [3, 4, 5]
    network = pack_of(papers, german_problem, seeds, chosen)
    plain = PlainGRAD(training.X.shape[1], attributes=2).double()
    values = network.state()
    values["trunk.1.weight"] = values["trunk.3.weight"]  # the second layer, as the oracle has it
    copy_weights(plain, SimpleNamespace(parameters=values, shape=network.shape), member)
    got = trained(network, german_problem, [(7.0, 7.0), (lam, lam), (0.5, 0.5)], seeds, chosen)

    X, y, a, w = (
        torch.from_numpy(v).double() for v in (training.X, training.y, training.a, training.w)
    )
    optimiser = torch.optim.Adam(plain.parameters(), lr=chosen.learning_rate)
    generator = torch_generator(seeds[member], "rows")
    steps = minibatches(len(X), chosen.batch_size)
    assert chosen.epochs * len(steps) >= 100
    for _ in range(chosen.epochs):
        order = torch.randperm(len(X), generator=generator)
        train_steps(plain, lam, X, y, a, w / w.mean(), [order[s] for s in steps], optimiser)
    plain.eval()
    with torch.no_grad():
        expected = torch.sigmoid(plain(torch.from_numpy(german_problem.test.X).double())[0])
    torch.testing.assert_close(got[member], expected, rtol=0.0, atol=1e-9)
    running = network.statistics["trunk.1.running_var"][member]
    torch.testing.assert_close(running, plain.trunk[1].running_var, rtol=0.0, atol=1e-9)
    assert int(network.statistics["trunk.1.num_batches_tracked"][member]) == 15 * len(steps)


@pytest.mark.parametrize("factory", [smooth, Image])
def test_together_and_one_by_one_agree(german_problem, factory):
    seeds, lams = [0, 1, 2, 3], [(10.0, 10.0)] * 4
    pack, single = (pack_of(factory, german_problem, seeds) for _ in range(2))
    assert pack.trunk.packed
    single.trunk.packed = False
    got = trained(pack, german_problem, lams, seeds)
    expected = trained(single, german_problem, lams, seeds)
    torch.testing.assert_close(got, expected, rtol=0.0, atol=1e-9)


def test_together_a_members_company_shows_in_rounding_only(german_problem):
    pack = pack_of(smooth, german_problem, [0, 1, 2])
    got = trained(pack, german_problem, [(10.0, 10.0)] * 3, [0, 1, 2])
    alone = pack_of(smooth, german_problem, [1])
    expected = trained(alone, german_problem, [(10.0, 10.0)], [1])
    torch.testing.assert_close(got[1], expected[0], rtol=0.0, atol=1e-9)


@pytest.mark.parametrize("factory", [crooked, dropped])
def test_one_by_one_a_members_company_does_not_show_at_all(german_problem, factory):
    together = fitted(factory, german_problem, range(8))
    assert not together.network.trunk.packed
    expected = together.scores(german_problem.test.X)
    assert len(np.unique(expected[:, 0, 0])) == 8
    for company in ([5], [7, 5], [6, 1, 5]):
        got = fitted(factory, german_problem, company).scores(german_problem.test.X)
        np.testing.assert_array_equal(got, expected[company])


@pytest.mark.parametrize("factory", [crooked, smooth])
def test_one_seed_gives_one_result_and_global_generators_are_left_alone(german_problem, factory):
    torch.manual_seed(1)
    before = torch.get_rng_state()
    first = fitted(factory, german_problem, [0, 1])
    scores = first.scores(german_problem.test.X)
    assert torch.equal(before, torch.get_rng_state())
    torch.manual_seed(2)
    again = fitted(factory, german_problem, [0, 1])
    np.testing.assert_array_equal(again.scores(german_problem.test.X), scores)
    np.testing.assert_array_equal(again.history.loss, first.history.loss)


def test_dropout_differs_from_step_to_step_and_seed_to_seed():
    trunk = ModuleTrunk(lambda d: nn.Sequential(nn.Linear(d, 32), nn.Dropout()), 4, [0, 1])
    same = {name: value[:1].expand_as(value) for name, value in trunk.initial.items()}
    x = torch.ones(2, 16, 4)
    first, second = trunk.outputs(x, same, [0, 1]), trunk.outputs(x, same, [0, 1])
    assert not torch.equal(first[0], first[1])
    assert not torch.equal(first[0], second[0])
    scored = trunk.representations(x[0], same)
    assert torch.equal(scored[0], scored[1])


@pytest.mark.parametrize("factory", [Image, Words, Counting, papers])
def test_modules_learn_through_every_weight(german_problem, factory):
    network = pack_of(factory, german_problem, [0, 1])
    before = {name: value.clone() for name, value in network.state().items()}
    scores = trained(network, german_problem, [(10.0, 10.0)] * 2, [0, 1])
    assert scores.isfinite().all()
    for name in network.trunk.parameters:
        moved = network.state()[f"trunk.{name}"] != before[f"trunk.{name}"]
        assert moved.flatten(1).any(1).all(), name


def test_untrained_parameters_stay_and_buffers_that_are_replaced_are_kept(german_problem):
    network = pack_of(Counting, german_problem, [0, 1])
    bias = network.statistics["trunk.linear.bias"].clone()
    trained(network, german_problem, [(10.0, 10.0)] * 2, [0, 1])
    steps = SHORT.epochs * len(minibatches(len(german_problem.training), SHORT.batch_size))
    assert torch.equal(network.statistics["trunk.linear.bias"], bias)
    assert network.statistics["trunk.passes"].tolist() == [steps, steps]


@pytest.mark.parametrize("packed", [False, True])
def test_gradients_of_attribute_branches_arrive_reversed(packed):
    trunk = ModuleTrunk(smooth, 6, [0, 1])
    trunk.packed = packed
    shape = Shape(6, (5,), (), attributes=(Binary("age"),), module=True)
    network = Network(shape, [0, 1], torch.float64, trunk)
    x = torch.rand(2, 16, 6, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    for branch, sign in ((0, 1.0), (1, -1.0)):
        passes = ForwardBackward(network)
        logits = passes.forward(x, network.reversal(torch.ones(2, 1, dtype=torch.float64)))
        passes.backward([torch.full_like(one, m == branch) for m, one in enumerate(logits)])
        head = network.parameters[f"{shape.names[branch]}.head.weight"][1].detach()
        module = smooth(6).double()
        module.load_state_dict({n: network.state()[f"trunk.{n}"][1] for n in trunk.parameters})
        (module(x[1]) @ head.T).sum().backward()
        for name, parameter in module.named_parameters():
            got = network.parameters[f"trunk.{name}"].grad[1, : parameter.numel()]
            expected = sign * parameter.grad.flatten()
            torch.testing.assert_close(got, expected, rtol=0.0, atol=1e-12)


@pytest.mark.parametrize("factory", [Image, papers])
def test_fitted_networks_can_be_copied_and_brought_to_another_precision(german_problem, factory):
    done = fitted(factory, german_problem, [0, 1])
    X = torch.from_numpy(german_problem.test.X)
    expected = done.network.scores(X)
    assert torch.equal(copy.deepcopy(done).network.scores(X), expected)
    assert not done.network.trunk.initial
    network = done.network
    exact = Network.from_state(network.shape, network.state(), torch.float64, network.trunk)
    assert exact.scores(X).dtype == torch.float64
    torch.testing.assert_close(exact.scores(X).float(), expected, rtol=0.0, atol=1e-5)
    one = {name: value[1:] for name, value in network.state().items()}
    alone = Network.from_state(network.shape, one, trunk=network.trunk)
    assert torch.equal(alone.scores(X)[0], expected[1])


def test_a_copy_is_trained_on_as_the_original(german_problem):
    network = pack_of(crooked, german_problem, [3, 4], dtype=torch.float32)
    lams = [(10.0, 10.0)] * 2
    trained(network, german_problem, lams, [3, 4])
    again = copy.deepcopy(network)
    expected = trained(network, german_problem, lams, [3, 4])
    assert torch.equal(trained(again, german_problem, lams, [3, 4]), expected)


def test_a_fitted_network_on_torchs_own_layers_can_be_pickled(german_problem):
    done = fitted(crooked, german_problem, [0])
    again = pickle.loads(pickle.dumps(done))
    X = german_problem.test.X
    np.testing.assert_array_equal(again.scores(X), done.scores(X))


def test_a_representation_can_be_learned_on_a_module(german_problem):
    auto = replace(SHORT, variant="auto")
    done = GRAD(trunk=smooth).fit(
        trials([0, 1], auto), german_problem.training, german_problem.validation
    )
    X = german_problem.test.X
    assert done.representations(X).shape == (2, 5, len(X))
    assert done.scores(X).shape == (2, 1, len(X))


def test_rows_are_scored_the_same_in_any_company(german_problem):
    network = pack_of(crooked, german_problem, [0, 1])
    X = torch.from_numpy(german_problem.test.X)
    whole = network.representations(X)
    part = network.representations(X[7:10])
    torch.testing.assert_close(part, whole[:, :, 7:10], rtol=0.0, atol=1e-12)


@pytest.mark.filterwarnings("ignore:Lazy modules")
def test_lazy_layers_draw_by_the_members_seed():
    def lazy(features):
        return nn.Sequential(nn.LazyLinear(5), nn.LazyBatchNorm1d())

    first, again = (ModuleTrunk(lazy, 6, [0, 1]).initial for _ in range(2))
    assert torch.equal(first["0.weight"], again["0.weight"])
    assert first["0.weight"].shape == (2, 5, 6)
    assert not torch.equal(first["0.weight"][0], first["0.weight"][1])


def test_a_module_of_the_users_own_is_left_as_it_is(german_problem):
    own = papers(german_problem.training.X.shape[1])
    before = copy.deepcopy(own.state_dict())
    done = fitted(lambda _: own, german_problem, [0, 1])
    assert own.training
    for name, value in own.state_dict().items():
        assert torch.equal(value, before[name]), name
    assert not torch.equal(done.network.state()["trunk.0.weight"][0], own[0].weight)


class Returns(nn.Module):
    """A linear layer and what is made of its output."""

    def __init__(self, features, make):
        super().__init__()
        self.linear, self.make = nn.Linear(features, 4), make

    def forward(self, x):
        return self.make(self.linear(x))


class Aside(nn.Module):
    """Computes with weights of its own, whatever it is handed."""

    def __init__(self, features):
        super().__init__()
        self.linear = nn.Linear(features, 4)
        self.aside = [self.linear.weight]

    def forward(self, x):
        return nn.functional.linear(x, self.aside[0])


class Training(nn.Module):
    """Returns more in training than in evaluation."""

    def __init__(self, features):
        super().__init__()
        self.linear = nn.Linear(features, 4)

    def forward(self, x):
        h = self.linear(x)
        return (h, h) if self.training else h


REFUSED = {
    "a module": (nn.Linear(6, 2), "a function that gets the number of features"),
    "no function": (40, "a function that gets the number of features"),
    "no module": (lambda d: torch.relu, "returns a torch.nn.Module"),
    "no parameters": (lambda d: nn.ReLU(), "parameters to train"),
    "frozen": (lambda d: nn.Linear(d, 2).requires_grad_(False), "parameters to train"),
    "another width": (lambda d: nn.Linear(d + 1, 2), r"takes rows of shape \(16, 6\)"),
    "a tuple": (lambda d: Returns(d, lambda h: (h, h)), "returns a tensor, got tuple"),
    "three axes": (lambda d: Returns(d, lambda h: h[:, None]), r"shape \(16, H\)"),
    "fewer rows": (lambda d: Returns(d, lambda h: h[1:]), r"shape \(16, H\)"),
    "no units": (lambda d: Returns(d, lambda h: h[:, :0]), r"shape \(16, H\)"),
    "integers": (lambda d: Returns(d, lambda h: h.long()), "returns floats"),
    "one precision": (lambda d: Returns(d, lambda h: h.float()), "its input's precision"),
    "its own precision": (
        lambda d: Returns(d, lambda h: h @ torch.ones(4, 2)),
        "its input's precision",
    ),
    "no gradient": (lambda d: Returns(d, torch.Tensor.detach), "carries no gradient"),
    "a tuple in training": (Training, "returns a tensor, got tuple"),
    "weights aside": (Aside, "does not compute with the weights"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_cannot_serve_is_refused_before_training(name):
    factory, message = REFUSED[name]
    with pytest.raises(InputError, match=message):
        ModuleTrunk(factory, 6, [0, 1])


def test_modules_of_different_shapes_make_no_pack():
    widths = iter([3, 4])
    with pytest.raises(InputError, match="modules of one shape"):
        ModuleTrunk(lambda d: nn.Linear(d, next(widths)), 6, [0, 1])


def test_a_network_and_its_trunk_belong_together():
    trunk = ModuleTrunk(smooth, 6, [0, 1])
    with pytest.raises(InputError, match="got a module of width 5"):
        Network(Shape(6, (4,), (), module=True), [0, 1], trunk=trunk)
    with pytest.raises(InputError, match="got a module of width 5"):
        Network(Shape(6, (5,), ()), [0, 1], trunk=trunk)
    with pytest.raises(InputError, match="got no module"):
        Network(Shape(6, (5,), (), module=True), [0, 1])
    with pytest.raises(InputError, match=r"expected shape \(3, 13, 6\), got \(2, 13, 6\)"):
        Network(Shape(6, (5,), (), module=True), [0, 1, 2], trunk=trunk)
