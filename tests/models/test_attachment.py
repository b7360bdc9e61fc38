"""Reversed branches on any module: gradients by hand, and a module that is left as it was."""

import copy
import gc
import math
import pickle
import subprocess
import sys
import weakref

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from command import PATIENCE
from torch import nn
from torch.nn.parameter import is_lazy
from torch.utils.checkpoint import checkpoint

from grad_ext.engine.reversal import reverse
from grad_ext.errors import InputError
from grad_ext.models.attachment import attach

SEX = {"sex": torch.tensor([0, 1, 1, 0, 1, 0])}
ALL = {"race": 3, "sex": 2, "age": "continuous"}
VALUES = {
    "race": torch.tensor([0, 1, 2, -1, 2, 0]),
    **SEX,
    "age": torch.tensor([0.5, math.nan, -1.0, 2.0, 0.0, 1.0]),
}


def rows(n=6, features=3, seed=0, **kwargs):
    return torch.randn(n, features, generator=torch.Generator().manual_seed(seed), **kwargs)


def network(dtype=torch.float32):
    """Three inputs, four hidden units, two outputs, always the same weights."""
    net = nn.Sequential(nn.Linear(3, 4), nn.ReLU(), nn.Linear(4, 2)).to(dtype)
    generator = torch.Generator().manual_seed(7)
    with torch.no_grad():
        for parameter in net.parameters():
            parameter.normal_(generator=generator)
    return net


def branch(attachment, name):
    return attachment.branches[f"attribute_{name}"]


def gradients(*modules):
    return [parameter.grad for module in modules for parameter in module.parameters()]


# The reversal itself.


def test_reverse_is_the_identity_whose_gradient_is_negated():
    x = rows(dtype=torch.float64).requires_grad_()
    upstream = rows(seed=1, dtype=torch.float64)
    out = reverse(x, 2.5)
    assert torch.equal(out, x)
    (gradient,) = torch.autograd.grad(out, x, upstream)
    assert torch.equal(gradient, -2.5 * upstream)
    assert torch.equal(torch.autograd.grad(reverse(x), x, upstream)[0], -upstream)


def test_reverse_has_the_gradients_of_all_orders_of_two_h_detached_minus_h():
    x = rows(dtype=torch.float64).requires_grad_()
    for flipped in (reverse(x), 2 * x.detach() - x):
        (first,) = torch.autograd.grad(flipped.pow(3).sum(), x, create_graph=True)
        torch.testing.assert_close(first, -3 * x**2)
        # d/dx of -3 f(x)^2, where f'(x) is -1 as autograd sees it.
        (second,) = torch.autograd.grad(first.sum(), x)
        torch.testing.assert_close(second, 6 * x.detach())


# Losses and gradients.


def test_gradients_worked_by_hand():
    # One weight each: h = 2x, logit = w h + b with w = 0.5 and b = 0, two rows, x = 1 and x = -1.
    net = nn.Sequential(nn.Linear(1, 1, bias=False), nn.Linear(1, 1))
    attachment = attach(net, "0", {"sex": 2}, lam=10.0, hidden=())
    x = torch.tensor([[1.0], [-1.0]])
    attachment.initialise(x)
    with torch.no_grad():
        net[0].weight.fill_(2.0)
        branch(attachment, "sex")[0].weight.fill_(0.5)
    net(x)
    loss = attachment.loss({"sex": torch.tensor([1, 0])})
    # Logits 1 and -1 for labels 1 and 0: each row's loss is log(1 + e^-1).
    assert loss.item() == pytest.approx(10 * math.log1p(math.exp(-1)))
    loss.backward()
    # dl/dlogit is -q and q over two rows, q = 1 / (1 + e). To w: times h, to the bias: the sum.
    q = 1 / (1 + math.e)
    head = branch(attachment, "sex")[0]
    assert head.weight.grad.item() == pytest.approx(10 * (-q * 2 + q * -2) / 2)
    assert head.bias.grad.item() == pytest.approx(0.0, abs=1e-6)
    # To the trunk's weight: times w x, and reversed.
    assert net[0].weight.grad.item() == pytest.approx(-10 * (-q * 0.5 * 1 + q * 0.5 * -1) / 2)
    assert net[1].weight.grad is None


@pytest.mark.parametrize("hidden", [(), (5,), (5, 4)])
def test_equals_the_identity_two_h_detached_minus_h(hidden):
    net, x = network(torch.float64), rows(dtype=torch.float64)
    lam = {"race": 3.0, "sex": 10.0, "age": 0.5}
    attachment = attach(net, "0", ALL, lam=lam, hidden=hidden, random_state=0).initialise(x)
    assert next(attachment.parameters()).dtype == torch.float64
    (net(x).sum() + attachment.loss(VALUES)).backward()
    got = gradients(net, attachment)
    for parameter in (*net.parameters(), *attachment.parameters()):
        parameter.grad = None

    h = net[0](x)
    flipped = 2 * h.detach() - h
    race, sex, age = (branch(attachment, name)(flipped) for name in ALL)
    known = VALUES["age"].isfinite()
    (
        net[2](net[1](h)).sum()
        + lam["race"] * F.cross_entropy(race, VALUES["race"], ignore_index=-1)
        + lam["sex"] * F.binary_cross_entropy_with_logits(sex[:, 0], VALUES["sex"].double())
        + lam["age"] * F.mse_loss(age[known, 0], VALUES["age"][known].double())
    ).backward()
    torch.testing.assert_close(got, gradients(net, attachment))


def test_losses_are_the_parts_of_the_loss():
    net = network()
    attachment = attach(net, "0", ALL, lam={"race": 1.0, "sex": 2.0, "age": 0.0})
    net(rows())
    parts = attachment.losses(VALUES)
    assert list(parts) == ["race", "sex", "age"]
    expected = parts["race"] + 2 * parts["sex"]
    torch.testing.assert_close(attachment.loss(VALUES), expected)
    torch.testing.assert_close(attachment(VALUES), expected)
    attachment.lam = 3
    assert attachment.lam == {"race": 3.0, "sex": 3.0, "age": 3.0}
    torch.testing.assert_close(attachment.loss(VALUES), 3 * sum(parts.values()))


def test_unknown_values_are_left_out():
    net, x = network(), rows()
    attachment = attach(net, "0", ALL, hidden=(), random_state=0)
    net(x)
    losses = attachment.losses(VALUES)
    # Without normalisation no row sees another: the same rows without the unknown ones.
    for name, gone in (("race", 3), ("age", 1)):
        others = [i for i in range(6) if i != gone]
        net(x[others])
        fewer = attachment.losses({n: value[others] for n, value in VALUES.items()})
        torch.testing.assert_close(losses[name], fewer[name])


LABELS = torch.tensor([1, 0, 0, 1, 1, -1])


def test_equalized_odds_uses_the_head_of_each_rows_label():
    net, x = network(torch.float64), rows(dtype=torch.float64)
    chosen = {"hidden": (), "constraint": "equalized_odds", "random_state": 0}
    attachment = attach(net, "0", ALL, **chosen).initialise(x)
    assert [branch(attachment, name)[0].out_features for name in ALL] == [6, 2, 2]
    net(x)
    losses, h = attachment.losses(VALUES, LABELS), net[0](x)
    outputs = {name: branch(attachment, name)(h) for name in ALL}
    known = LABELS >= 0
    logits = torch.where(LABELS == 1, outputs["sex"][:, 1], outputs["sex"][:, 0])[known]
    sex = F.binary_cross_entropy_with_logits(logits, SEX["sex"][known].double())
    torch.testing.assert_close(losses["sex"], sex)
    logits = torch.where(LABELS[:, None] == 1, outputs["race"][:, 3:], outputs["race"][:, :3])
    both = known & (VALUES["race"] >= 0)
    race = F.cross_entropy(logits[both], VALUES["race"][both])
    torch.testing.assert_close(losses["race"], race)
    attachment.loss(VALUES, LABELS).backward()
    assert net[0].weight.grad.isfinite().all()
    # Of three labels, the one that no row has.
    third = attach(net, "0", {"sex": 2}, classes=3, **chosen).initialise(x)
    net(x)
    third.loss(SEX, LABELS).backward()
    moved = branch(third, "sex")[0].weight.grad.abs().sum(1) > 0
    assert moved.tolist() == [True, True, False]


def test_of_equal_opportunity_only_rows_of_the_label_1_count():
    net, x = network(torch.float64), rows(dtype=torch.float64)
    given = {"hidden": (5,), "random_state": 0}
    plain = attach(net, "0", ALL, **given).initialise(x)
    chosen = attach(net, "0", ALL, constraint="equal_opportunity", **given).initialise(x)
    net(x)
    masked = {
        name: torch.where(LABELS == 1, v, math.nan if name == "age" else -1)
        for name, v in VALUES.items()
    }
    got = chosen.loss(VALUES, LABELS)
    torch.testing.assert_close(got, plain.loss(masked))
    assert got > 0
    assert chosen.loss(VALUES, torch.zeros(6)) == 0


def test_constraints_that_cannot_be_used():
    net, x = network(), rows()
    with pytest.raises(InputError, match="unknown constraint 'parity'"):
        attach(net, "0", {"sex": 2}, constraint="parity")
    with pytest.raises(InputError, match="2 classes, got 3"):
        attach(net, "0", {"sex": 2}, constraint="equal_opportunity", classes=3)
    with pytest.raises(InputError, match=r"classes must .* at least 2, got 1"):
        attach(net, "0", {"sex": 2}, constraint="equalized_odds", classes=1)
    attachment = attach(net, "0", {"sex": 2}, constraint="equalized_odds")
    net(x)
    with pytest.raises(InputError, match="'equalized_odds' needs the rows' labels"):
        attachment.loss(SEX)
    with pytest.raises(InputError, match="the labels: expected codes from 0 to 1"):
        attachment.loss(SEX, LABELS + 1)


def test_nothing_known_is_zero_and_has_a_graph():
    net = network()
    attachment = attach(net, "0", ALL)
    net(rows())
    unknown = {
        "race": torch.full((6,), -1),
        "sex": torch.full((6,), math.nan),
        "age": torch.full((6,), math.nan),
    }
    loss = attachment.loss(unknown)
    assert loss.item() == 0
    loss.backward()
    for gradient in (*gradients(net[0]), *gradients(attachment)):
        assert torch.equal(gradient, torch.zeros_like(gradient))


@pytest.mark.parametrize(
    "codes",
    [
        [0.0, 1.0, 1.0, 0.0, 1.0, 0.0],
        np.array([0, 1, 1, 0, 1, 0], dtype=np.uint8),
        torch.tensor([False, True, True, False, True, False]),
        torch.tensor([0, 1, 1, 0, 1, 0], dtype=torch.int8),
    ],
    ids=["list", "numpy", "bool", "int8"],
)
def test_codes_of_any_type(codes):
    net = network()
    attachment = attach(net, "0", {"sex": 2})
    net(rows())
    assert torch.equal(attachment.loss({"sex": codes}), attachment.loss(SEX))


# Representations.


@pytest.mark.parametrize(
    ("shape", "over"),
    [((6, 3), ()), ((6, 5, 3), (1,)), ((6, 3, 4, 5), (2, 3)), ((6, 3, 2, 4, 5), (2, 3, 4))],
)
def test_outputs_of_any_rank(shape, over):
    x = torch.randn(shape, generator=torch.Generator().manual_seed(0)).requires_grad_()
    net = nn.Identity()
    attachment = attach(net, None, {"sex": 2}, hidden=(), random_state=0)
    net(x)
    loss = attachment.losses(SEX)["sex"]
    logit = branch(attachment, "sex")(x.mean(over) if over else x)[:, 0]
    torch.testing.assert_close(loss, F.binary_cross_entropy_with_logits(logit, SEX["sex"].float()))
    loss.backward()
    assert x.grad.shape == x.shape
    assert x.grad.abs().sum() > 0


def test_pool_gets_the_raw_output():
    net = nn.LSTM(3, 4, batch_first=True)
    attachment = attach(net, "", {"sex": 2}, pool=lambda output: output[1][0][-1])
    net(torch.randn(6, 5, 3))
    attachment.loss(SEX).backward()
    assert branch(attachment, "sex")[0].in_features == 4
    assert all(gradient.abs().sum() > 0 for gradient in gradients(net))


@pytest.mark.parametrize(
    ("net", "x", "pool", "message"),
    [
        (nn.LSTM(3, 4), rows(), None, "is a tuple.*give pool"),
        (nn.Identity(), torch.arange(6), None, "torch.int64 of shape"),
        (nn.Identity(), torch.zeros(6), None, r"of shape \(6,\)"),
        (nn.Identity(), torch.zeros(6, 1, 1, 1, 1, 1), None, "one to three axes of space"),
        (nn.Identity(), torch.zeros(6, 5, 3), lambda h: h, r"pool must return.*\(6, 5, 3\)"),
        (nn.Identity(), torch.zeros(6, 5), lambda h: h.argmax(1), "pool must return"),
        (nn.Identity(), torch.zeros(6, 5), lambda h: h.tolist(), "pool must return.*list"),
    ],
)
def test_outputs_that_cannot_be_used(net, x, pool, message):
    attach_it = attach(net, "", {"sex": 2}, pool=pool)
    with pytest.raises(InputError, match=message):
        net(x)
    attach_it.detach()
    net(x)


def test_what_follows_may_change_the_output_in_place():
    net, x = network(), rows()
    plain = attach(net, "0", {"sex": 2}, hidden=(), random_state=0)
    net(x)
    expected = plain.loss(SEX)
    net[1] = nn.ReLU(inplace=True)
    net(x)
    assert torch.equal(plain.loss(SEX), expected)


# The user's module is left alone.


def test_module_and_output_are_untouched():
    net, x = network(), rows()
    before, out, attributes = copy.deepcopy(net.state_dict()), net(x), set(net[0].__dict__)
    with attach(net, "0", ALL) as attachment:
        assert torch.equal(net(x), out)
        assert attachment.loss(VALUES).requires_grad
        assert list(net.state_dict()) == list(before)
        assert sum(1 for _ in net.modules()) == 4
        assert net not in set(attachment.modules())
        assert len(net[0]._forward_hooks) == 1
    assert not net[0]._forward_hooks
    assert set(net[0].__dict__) == attributes
    assert all(torch.equal(value, before[name]) for name, value in net.state_dict().items())
    with pytest.raises(InputError, match="detached"):
        attachment.loss(VALUES)
    attachment.detach()


def test_an_attachment_that_is_let_go_of_takes_its_hook_away():
    net = network()
    attachment = attach(net, "0", {"sex": 2})
    net(rows())
    del attachment
    gc.collect()
    assert not net[0]._forward_hooks


class Marked(torch.autograd.Function):
    """The identity; its node of the graph holds a mark, so that the mark lives as the graph does."""

    @staticmethod
    def forward(ctx, x, mark):
        ctx.mark = mark
        return x.clone()

    @staticmethod
    def backward(ctx, gradient):
        return gradient, None


class Mark:
    pass


class Watched(nn.Module):
    def __init__(self):
        super().__init__()
        self.body, self.mark = nn.Linear(3, 4), None

    def forward(self, x):
        mark = Mark()
        self.mark = weakref.ref(mark)
        return Marked.apply(self.body(x), mark)


def test_no_graph_outlives_its_pass_or_the_attachment():
    net, x = Watched(), rows()
    attachment = attach(net, "", {"sex": 2})
    net(x)
    mark = net.mark
    gc.collect()
    assert mark() is not None
    net(x)
    gc.collect()
    assert mark() is None
    mark = net.mark
    attachment.detach()
    gc.collect()
    assert mark() is None


def test_passes_of_an_evaluation_leave_nothing():
    net, x = Watched(), rows()
    attachment = attach(net, "", {"sex": 2})
    net.eval()
    net(x)
    gc.collect()
    assert net.mark() is None
    assert attachment.training


# Which pass counts.


@pytest.mark.parametrize("way", ["eval", "no_grad", "inference_mode"])
def test_an_evaluation_between_forward_and_loss_does_not_disturb(way):
    net, x = network(), rows()
    attachment = attach(net, "0", {"sex": 2}, random_state=0)
    net(x)
    expected = attachment.loss(SEX)
    net(x)
    if way == "eval":
        net.eval()
        net(rows(4, seed=1))
        net.train()
    else:
        with getattr(torch, way)():
            net(rows(4, seed=1))
    again = attachment.loss(SEX)
    assert torch.equal(again, expected)
    again.backward()
    assert all(gradient.abs().sum() > 0 for gradient in gradients(net[0]))


def test_in_evaluation_mode_it_speaks_of_the_evaluation():
    net, x = network(), rows()
    attachment = attach(net, "0", {"sex": 2}, random_state=0)
    net(x)
    training = attachment.losses(SEX)["sex"]
    net.eval()
    attachment.eval()
    with pytest.raises(InputError, match=r"since attachment.eval\(\).*got none"):
        attachment.losses(SEX)
    with torch.no_grad():
        net(rows(4, seed=1))
        loss = attachment.losses({"sex": torch.tensor([0, 1, 1, -1])})["sex"]
    assert not loss.requires_grad
    attachment.train()
    torch.testing.assert_close(attachment.losses(SEX)["sex"], training)
    net.train()
    net(x)
    attachment.eval()
    with pytest.raises(InputError, match="since"):
        attachment.losses(SEX)


def test_gradients_accumulate_over_passes():
    net, x = network(), rows()
    attachment = attach(net, "0", {"sex": 2}, hidden=(), random_state=0)
    net(x)
    attachment.loss(SEX).backward()
    expected = gradients(net[0], attachment)
    for module in (net, attachment):
        module.zero_grad()
    for part in ([0, 1, 2], [3, 4, 5]):
        net(x[part])
        (attachment.loss({"sex": SEX["sex"][part]}) / 2).backward()
    torch.testing.assert_close(gradients(net[0], attachment), expected)


def test_a_loss_may_be_asked_for_twice():
    net = network()
    attachment = attach(net, "0", {"sex": 2})
    net(rows())
    assert torch.equal(attachment.loss(SEX), attachment.loss(SEX))


def test_activation_checkpointing():
    class Frugal(nn.Module):
        def __init__(self):
            super().__init__()
            self.body = network()

        def forward(self, x):
            return checkpoint(self.body, x, use_reentrant=False)

    net, plain, x = Frugal(), network(), rows()
    attached = [
        attach(m, at, {"sex": 2}, random_state=0) for m, at in ((net, "body.0"), (plain, "0"))
    ]
    for module, attachment in zip((net, plain), attached, strict=True):
        (module(x).sum() + attachment.loss(SEX)).backward()
    torch.testing.assert_close(gradients(net, attached[0]), gradients(plain, attached[1]))


# A module of its own.


def test_an_optimiser_may_have_the_parameters_before_the_first_pass():
    net, x = network(), rows()
    attachment = attach(net, "0", ALL, lam=1.0, random_state=0)
    assert all(is_lazy(p) for p in branch(attachment, "sex")[0].parameters())
    optimiser = torch.optim.Adam([*net.parameters(), *attachment.parameters()], lr=0.01)
    losses = []
    for _ in range(30):
        net(x)
        loss = attachment.loss(VALUES)
        optimiser.zero_grad()
        loss.backward()
        # The trunk alone would make the loss worse.
        net.zero_grad()
        optimiser.step()
        losses.append(loss.item())
    assert losses[-1] < 0.8 * losses[0]
    assert len(dict(attachment.named_parameters())) == 3 * (2 * 3 + 2)


def test_initialise_leaves_no_trace():
    net = nn.Sequential(nn.Linear(3, 4), nn.BatchNorm1d(4), nn.Dropout(0.5))
    net[1].eval()
    attachment = attach(net, "1", {"sex": 2})
    before, state = copy.deepcopy(net.state_dict()), torch.get_rng_state()
    assert attachment.initialise(rows(1)) is attachment
    assert torch.equal(torch.get_rng_state(), state)
    assert all(torch.equal(value, before[name]) for name, value in net.state_dict().items())
    assert [part.training for part in net.modules()] == [True, True, False, True]
    assert all(part.training for part in attachment.modules())
    assert not any(is_lazy(parameter) for parameter in attachment.parameters())
    assert all(parameter.grad is None for parameter in attachment.parameters())
    with pytest.raises(InputError, match="got none yet"):
        attachment.loss(SEX)


def test_initialise_keeps_the_last_pass():
    net = network()
    attachment = attach(net, "0", {"sex": 2})
    net(rows())
    attachment.initialise(rows(2))
    assert attachment.loss(SEX).requires_grad


def test_initialise_through_a_submodule_that_the_pass_avoids():
    net = network()
    net.spare = nn.Linear(3, 4)
    net.forward = lambda x: net[0](x)
    with pytest.raises(InputError, match="'spare', got none"):
        attach(net, "spare", {"sex": 2}).initialise(rows())


def test_state_travels_to_another_attachment():
    net, x = network(), rows()
    first = attach(net, "0", ALL, random_state=0).initialise(x)
    second = attach(net, "0", ALL, random_state=1)
    second.load_state_dict(first.state_dict())
    third = attach(net, "0", ALL, random_state=2).initialise(x)
    third.load_state_dict(first.state_dict())
    net(x)
    expected = first.loss(VALUES)
    assert torch.equal(second.loss(VALUES), expected)
    assert torch.equal(third.loss(VALUES), expected)


def test_type_and_device():
    net, x = network(), rows()
    attachment = attach(net, "0", {"sex": 2}).initialise(x)
    attachment.to(torch.float64)
    net(x)
    loss = attachment.loss(SEX)
    assert loss.dtype == torch.float64
    loss.backward()
    assert net[0].weight.grad.dtype == torch.float32
    attachment.to("meta")
    with pytest.raises(InputError, match=r"on meta.*on cpu: call attachment.to\('cpu'\)"):
        attachment.loss(SEX)


def test_branches_follow_the_device_of_the_first_output():
    net = network().to("meta")
    attachment = attach(net, "0", {"sex": 2})
    net(rows().to("meta"))
    assert attachment._reversed().device.type == "meta"
    assert {parameter.device.type for parameter in attachment.parameters()} == {"meta"}


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
def test_on_a_gpu():
    net, twin = network().cuda(), network()
    pair = [attach(m, "0", ALL, random_state=0) for m in (net, twin)]
    net(rows().cuda())
    twin(rows())
    losses = [attachment.loss(VALUES) for attachment in pair]
    assert losses[0].is_cuda
    torch.testing.assert_close(losses[0].cpu(), losses[1], rtol=1e-4, atol=1e-4)


def test_weights_are_those_of_the_paper_s_network_and_the_seed_s():
    net = nn.Linear(50, 400)
    state = torch.get_rng_state()
    draws = [
        attach(net, "", protected, random_state=seed).initialise(rows(2, 50))
        for protected, seed in (({"sex": 2}, 0), ({"race": 3, "sex": 2}, 0), ({"sex": 2}, 1))
    ]
    assert torch.equal(torch.get_rng_state(), state)
    first, joined, other = (branch(attachment, "sex")[0].weight for attachment in draws)
    assert first.std().item() == pytest.approx(400**-0.5, rel=0.03)
    assert torch.equal(first, joined)
    assert not torch.allclose(first, other)
    assert not torch.allclose(first, branch(draws[1], "race")[0].weight)
    assert not branch(draws[0], "sex")[-1].bias.any()


def test_training_mode_and_running_statistics():
    net, x = network(), rows()
    attachment = attach(net, "0", {"sex": 2}).initialise(x)
    norm = branch(attachment, "sex")[1]
    assert not norm.running_mean.any()
    net(x)
    attachment.loss(SEX)
    moved = norm.running_mean.clone()
    assert moved.any()
    attachment.eval()
    net(x)
    attachment.loss(SEX)
    assert torch.equal(norm.running_mean, moved)


# Company that a module may keep.


def test_mixed_precision():
    net, x = network(), rows()
    attachment = attach(net, "0", ALL, random_state=0)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        out = net(x)
        inside = attachment.loss(VALUES)
    assert out.dtype == torch.bfloat16
    assert inside.dtype == torch.float32
    assert torch.equal(attachment.loss(VALUES), inside)
    (out.float().sum() + inside).backward()
    assert net[0].weight.grad.dtype == torch.float32
    assert net[0].weight.grad.isfinite().all()


def test_a_module_in_half_precision():
    net = network(torch.bfloat16)
    attachment = attach(net, "0", {"sex": 2})
    net(rows().bfloat16())
    loss = attachment.loss(SEX)
    assert loss.dtype == torch.float32
    loss.backward()
    assert net[0].weight.grad.dtype == torch.bfloat16


@pytest.fixture
def compiler():
    torch.compiler.reset()
    yield
    torch.compiler.reset()


@pytest.mark.parametrize("backend", ["eager", "aot_eager"])
@pytest.mark.parametrize("whole", [False, True])
@pytest.mark.usefixtures("compiler")
def test_compiled_equals_plain(backend, whole):
    net, twin, x = network(), network(), rows()
    attachment, plain = (attach(m, "0", ALL, random_state=0) for m in (net, twin))
    compiled = torch.compile(net, backend=backend, fullgraph=whole)
    for module, branches in ((compiled, attachment), (twin, plain)):
        for shift in (0.0, 1.0):
            (module(x + shift).sum() + branches.loss(VALUES)).backward()
        with torch.no_grad():
            module(x[:4])
        branches.loss(VALUES)
    torch.testing.assert_close(gradients(net, attachment), gradients(twin, plain))


@pytest.mark.usefixtures("compiler")
def test_attaching_and_detaching_after_it_was_compiled_and_run():
    net, x = network(), rows()
    compiled = torch.compile(net, backend="eager")
    expected = compiled(x)
    attachment = attach(compiled, "0", {"sex": 2})
    assert torch.equal(compiled(x), expected)
    attachment.loss(SEX).backward()
    assert net[0].weight.grad.abs().sum() > 0
    hook = attachment._hook
    attachment.detach()
    assert torch.equal(compiled(x), expected)
    assert not hook.stored


@pytest.mark.usefixtures("compiler")
def test_a_compiled_part():
    net, x = network(), rows()
    net[0] = torch.compile(net[0], backend="eager")
    attachment = attach(net, "0", {"sex": 2})
    net(x)
    attachment.loss(SEX).backward()
    assert net[0].weight.grad.abs().sum() > 0


class Whole(nn.Module):
    """A network and the branches on it, as one module."""

    def __init__(self):
        super().__init__()
        self.net = network()
        self.branches = attach(self, lambda whole: whole.net[0], {"sex": 2})

    def forward(self, x):
        return self.net(x).relu()


@pytest.mark.usefixtures("compiler")
def test_compiled_in_place():
    whole = Whole()
    whole.compile(backend="eager", fullgraph=True)
    whole(rows())
    whole.branches.loss(SEX).backward()
    assert whole.net[0].weight.grad.abs().sum() > 0


@pytest.mark.parametrize("copied", [copy.deepcopy, lambda m: pickle.loads(pickle.dumps(m))])
def test_a_copy_of_the_module_has_no_hook(copied):
    net, x = network(), rows()
    attachment = attach(net, "0", {"sex": 2}, random_state=0)
    net(x)
    expected = attachment.loss(SEX)
    twin = copied(net)
    assert torch.equal(twin(rows(4, seed=1)), net(rows(4, seed=1)))
    net(x)
    twin(rows(4, seed=1))
    assert torch.equal(attachment.loss(SEX), expected)
    shallow = copy.copy(net[0])
    shallow(rows(4, seed=1))
    assert torch.equal(attachment.loss(SEX), expected)


@pytest.mark.parametrize("initialised", [False, True])
def test_a_copy_of_the_attachment_holds_the_branches_and_no_hook(initialised):
    net = network()
    attachment = attach(net, "0", {"sex": 2}, pool=lambda h: h)
    if initialised:
        net(rows())
        attachment.loss(SEX)
    for twin in (copy.deepcopy(attachment), pickle.loads(pickle.dumps(attachment))):
        with pytest.raises(InputError, match="a copy; attach to the module again"):
            twin.loss(SEX)
        twin.detach()
        if initialised:
            attach(net, "0", {"sex": 2}).load_state_dict(twin.state_dict())
    gc.collect()
    assert len(net[0]._forward_hooks) == 1


def test_two_attachments_do_not_mind_each_other():
    net, x = network(), rows()
    first = attach(net, "0", {"sex": 2}, random_state=0)
    net(x)
    expected = first.loss(SEX)
    second = attach(net, "0", {"race": 3})
    net(x)
    assert torch.equal(first.loss(SEX), expected)
    second.detach()
    net(x)
    assert torch.equal(first.loss(SEX), expected)


def test_it_may_be_a_part_of_a_larger_module():
    whole = Whole()
    whole(rows())
    whole.branches.loss(SEX).backward()
    assert all(gradient is not None for gradient in gradients(whole.branches))
    assert any(name.startswith("branches.") for name in whole.state_dict())
    twin = copy.deepcopy(whole)
    assert torch.equal(twin(rows()), whole(rows()))


# Several processes. Each rank has half of the rows; hidden=() lets no row see another.

RANK = """
import sys, warnings
warnings.simplefilter("error")
import torch
import torch.distributed as dist
from torch import nn
from torch.nn.parallel import DistributedDataParallel as DDP
from grad_ext.models.attachment import attach

rank, out = int(sys.argv[1]), sys.argv[2]
dist.init_process_group("gloo", init_method=f"file://{out}/meeting", rank=rank, world_size=2)
data = torch.load(out + "/data.pt", weights_only=True)
net = nn.Sequential(nn.Linear(3, 4), nn.ReLU(), nn.Linear(4, 2)).double()
net.load_state_dict(data["net"])
half = slice(3 * rank, 3 * rank + 3)
attachment = attach(net, "0", {"race": 3, "sex": 2}, hidden=(), random_state=rank)
attachment.initialise(data["x"])
wrapped, branches = DDP(net), DDP(attachment)
for _ in range(2):
    loss = wrapped(data["x"][half]).sum(1).mean()
    loss = loss + branches({name: value[half] for name, value in data["a"].items()})
    wrapped.zero_grad(), branches.zero_grad()
    loss.backward()
torch.save([p.grad for m in (net, attachment) for p in m.parameters()], f"{out}/{rank}.pt")
dist.destroy_process_group()
"""


def test_distributed_gradients_are_those_of_the_joined_batch(tmp_path):
    net, x = network(torch.float64), rows(dtype=torch.float64)
    a = {"race": torch.tensor([0, 1, 2, 1, 2, 0]), **SEX}
    torch.save({"net": net.state_dict(), "x": x, "a": a}, tmp_path / "data.pt")
    ranks = [
        subprocess.Popen(
            [sys.executable, "-c", RANK, str(rank), str(tmp_path)],
            stderr=subprocess.PIPE,
            text=True,
        )
        for rank in (0, 1)
    ]
    for process in ranks:
        _, errors = process.communicate(timeout=PATIENCE)
        assert process.returncode == 0, errors
    first, second = (torch.load(tmp_path / f"{rank}.pt", weights_only=True) for rank in (0, 1))
    assert all(torch.equal(p, q) for p, q in zip(first, second, strict=True))

    attachment = attach(net, "0", {"race": 3, "sex": 2}, hidden=(), random_state=0)
    (net(x).sum(1).mean() + attachment.loss(a)).backward()
    torch.testing.assert_close(first, gradients(net, attachment))


# What cannot be used.


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"module": "network"}, "must be a torch.nn.Module, got str"),
        ({"at": "encodr"}, "unknown submodule 'encodr': did you mean 'encoder'"),
        ({"at": "encoder.7"}, "unknown submodule 'encoder.7'"),
        ({"at": 3}, "name or a callable, got 3"),
        ({"at": lambda m: "encoder"}, "return a submodule of the module, got str"),
        ({"at": lambda m: nn.Linear(1, 1)}, "no part of the module"),
        ({"protected": {}}, "at least one attribute"),
        ({"protected": ["sex"]}, "must map"),
        ({"protected": {"sex": 1}}, "sex: expected the number of groups, at least 2.*got 1"),
        ({"protected": {"sex": True}}, "got True"),
        ({"protected": {"sex": "binary"}}, "or 'continuous', got 'binary'"),
        ({"protected": {3: 2}}, "names must be strings, got 3"),
        ({"protected": {"a.b": 2, "a_b": 2}}, "differ in dots only"),
        ({"lam": -1}, "at least 0, got -1"),
        ({"lam": math.nan}, "finite"),
        ({"lam": {"sx": 1.0}}, "unknown protected attribute 'sx': did you mean 'sex'"),
        ({"lam": {}}, "lam: expected 'sex', got no 'sex'"),
        ({"lam": {"sex": -2.0}}, "at least 0, got -2.0"),
        ({"hidden": (0,)}, "whole numbers of at least 1"),
        ({"hidden": 40}, "whole numbers of at least 1, got 40"),
        ({"hidden": (2.5,)}, "whole numbers"),
        ({"pool": "mean"}, "pool must be a callable or None, got 'mean'"),
        ({"random_state": -1}, "random_state must not be negative"),
    ],
)
def test_bad_arguments(change, message):
    net = nn.Module()
    net.encoder = nn.Sequential(nn.Linear(3, 4))
    module, at, protected, options = net, "encoder", {"sex": 2}, dict(change)
    module = options.pop("module", module)
    at = options.pop("at", at)
    protected = options.pop("protected", protected)
    with pytest.raises(InputError, match=message):
        attach(module, at, protected, **options)
    assert not net.encoder._forward_hooks


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"sex": None}, "sex: expected a tensor, got NoneType"),
        ({"sex": torch.zeros(5)}, r"sex: expected shape \(6,\).*got \(5,\)"),
        ({"sex": torch.zeros(6, 1)}, r"got \(6, 1\)"),
        ({"sex": torch.tensor([0, 1, 2, 5, 1, -2])}, "from 0 to 1, or -1.*got -2, 2, 5"),
        ({"sex": torch.tensor([0, 1, 0.5, 0, 1, 0])}, "sex: expected codes.*got 0.5"),
        ({"sex": torch.zeros(6, dtype=torch.complex64)}, "expected real numbers"),
        ({"race": torch.tensor([0, 1, 2, 3, 0, 0])}, "race: expected codes from 0 to 2.*got 3"),
        ({"age": torch.tensor([0, math.inf, 0, 0, 0, 0])}, "age: expected finite numbers.*inf"),
        ({"gender": torch.zeros(6)}, "unknown protected attribute 'gender'"),
    ],
)
def test_bad_values(change, message):
    net = network()
    attachment = attach(net, "0", ALL)
    net(rows())
    for call in (attachment.loss, attachment.losses):
        with pytest.raises(InputError, match=message):
            call({**VALUES, **change})


def test_values_that_are_absent():
    net = network()
    attachment = attach(net, "0", ALL)
    with pytest.raises(InputError, match=r"in training mode with gradients enabled.*got none yet"):
        attachment.loss(VALUES)
    net(rows())
    with pytest.raises(InputError, match="expected 'race', 'sex', 'age', got no 'race', 'age'"):
        attachment.loss(SEX)
    with pytest.raises(InputError, match=r"expected a mapping by attribute name, got torch\.int64"):
        attachment.loss(SEX["sex"])


def test_one_row_cannot_be_normalised():
    net = network()
    attachment = attach(net, "0", {"sex": 2})
    net(rows(1))
    with pytest.raises(InputError, match="at least 2 rows, got 1"):
        attachment.loss({"sex": torch.tensor([1])})


def test_names_that_torch_would_not_take():
    net = network()
    attachment = attach(net, "0", {"marital.status": 2, "type": 2, "": 2})
    net(rows())
    assert attachment.loss(dict.fromkeys(attachment.protected, SEX["sex"])).requires_grad


def test_numpys_scalars_are_arguments_like_pythons():
    network = nn.Sequential(nn.Linear(2, 4), nn.ReLU(), nn.Linear(4, 1))
    numpys = attach(
        network, np.str_("1"), {"sex": np.int64(2), "age": np.str_("continuous")},
        lam={np.str_("sex"): np.float32(3), "age": np.int64(1)}, hidden=np.array([4]),
        constraint=np.str_("equalized_odds"), classes=np.int64(2), random_state=np.int64(0),
    )  # fmt: skip
    plain = attach(
        network, "1", {"sex": 2, "age": "continuous"}, lam={"sex": 3.0, "age": 1.0}, hidden=[4],
        constraint="equalized_odds", classes=2, random_state=0,
    )  # fmt: skip
    network(torch.arange(16.0).reshape(8, 2))
    given = {"sex": torch.tensor([0, 1] * 4), "age": torch.arange(8.0)}, torch.arange(8) % 4 // 2
    assert numpys.loss(*given).item() == plain.loss(*given).item()
