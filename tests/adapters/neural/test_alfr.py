"""ALFR: its game against plain torch, step by step, and what β does to a toy."""

import math
from dataclasses import replace

import numpy as np
import pytest
import torch
from neural_toys import toy_numbers, trials
from torch import nn

from grad_ext.adapters.neural.alfr import ALFR, Censors
from grad_ext.adapters.neural.packs import STEP, Minibatch, fit
from grad_ext.engine.batches import minibatches
from grad_ext.engine.reversal import reverse
from grad_ext.errors import InputError
from grad_ext.metrics.group import discrimination
from grad_ext.outputs import Binary
from grad_ext.seeds import torch_generator

SMALL = {"hidden": 16, "code": 4}


def censors(data, alpha, beta, gamma, seeds=(4, 9), **options):
    """Return a pack in float64 whose members have the same hyperparameters."""
    hyperparameters = [
        torch.full((len(seeds),), k, dtype=torch.float64) for k in (alpha, beta, gamma)
    ]
    visible = torch.arange(8) if data.visible is None else torch.tensor(data.visible)
    return Censors(
        visible,
        8,
        data.task.attributes,
        hidden=6,
        code=3,
        seeds=seeds,
        alpha=hyperparameters[0],
        beta=hyperparameters[1].unsqueeze(1).expand(-1, len(data.task.attributes)),
        gamma=hyperparameters[2],
        **options,
    )


def minibatch(data, members=2):
    """Return all rows as one minibatch, with weights of their own, in float64."""
    w = torch.tensor(np.random.default_rng(0).random((members, len(data))))
    groups = [
        torch.tensor(np.equal.outer(np.arange(max(2, branch.outputs)), column), dtype=torch.float64)
        for branch, column in zip(data.task.attributes, data.a.T, strict=True)
    ]
    return Minibatch(
        x=torch.tensor(data.X, dtype=torch.float64).T.expand(members, -1, -1),
        y=torch.tensor(data.y).expand(members, 1, -1),
        groups=[g.expand(members, -1, -1) for g in groups],
        w=w,
        target_w=w.flip(1),
    )


def plain(layers, name, member):
    """Return a member's two layers as a torch module of its own."""
    parts = []
    for layer in (f"{name}.hidden", f"{name}.out"):
        weight, bias = (layers.parameters[f"{layer}.{k}"][member] for k in ("weight", "bias"))
        linear = nn.Linear(weight.shape[1], weight.shape[0], dtype=weight.dtype)
        with torch.no_grad():
            linear.weight.copy_(weight)
            linear.bias.copy_(bias[:, 0])
        parts += [linear, nn.ReLU()]
    return nn.Sequential(*parts[:-1])


@pytest.mark.parametrize("task", ["label", "features", "game"])
def test_a_member_is_the_plain_model_trained_with_the_same_draws(task):
    """A classifier, an autoencoder, or the whole of it, of torch.nn in an ordinary loop."""
    data, seed, epochs = toy_numbers(224), 9, 3
    alpha, beta, gamma = {"label": (0, 0, 1), "features": (1, 0, 0), "game": (0.3, 2, 1)}[task]
    pack = censors(data, float(alpha), float(beta), float(gamma))
    names = ("encoder", "decoder", "predictor")
    encoder, decoder, predictor = models = [plain(pack.theta, name, 1) for name in names]
    adversary = plain(pack.phi, "adversary.s", 1)
    theta = torch.optim.Adam([p for model in models for p in model.parameters()], lr=1e-2)
    phi = torch.optim.Adam(adversary.parameters(), lr=1e-2)
    logistic = nn.BCEWithLogitsLoss()
    X, y, s = (torch.tensor(v, dtype=torch.float64) for v in (data.X, data.y, data.a[:, 0]))
    order = torch_generator(seed, "rows")
    for _ in range(epochs):
        permuted = torch.randperm(len(X), generator=order)
        for rows in minibatches(len(X), 64, multiple=STEP, least=1):
            x = X[permuted[rows]]
            code = encoder(x)
            loss = alpha * (decoder(code) - x).square().sum(1).mean()
            loss = loss + gamma * logistic(predictor(code)[:, 0], y[permuted[rows]])
            loss = loss - beta * logistic(adversary(code)[:, 0], s[permuted[rows]])
            theta.zero_grad()
            loss.backward()
            theta.step()
            phi.zero_grad()
            logistic(adversary(encoder(x).detach())[:, 0], s[permuted[rows]]).backward()
            phi.step()
    fit(pack, [4, seed], data, data, epochs, 64, 1e-2, "last")
    for model, name in zip([*models, adversary], [*names, "adversary.s"], strict=True):
        layers = pack.phi if name == "adversary.s" else pack.theta
        trained = plain(layers, name, 1).state_dict()
        for key, expected in model.state_dict().items():
            torch.testing.assert_close(trained[key], expected, rtol=0, atol=1e-9)


def weights(layers):
    return {name: p.detach().clone() for name, p in layers.parameters.items()}


def gradients(layers):
    return {name: p.grad.clone() for name, p in layers.parameters.items()}


def test_the_encoder_is_moved_against_the_adversary():
    """By -β times the gradient of its cross-entropy, which is what a reversal layer gives too."""
    data = toy_numbers(32)
    batch, beta = minibatch(data), 3.0
    pack = censors(data, 0.0, beta, 0.0)
    pack.theta.backward(pack.objective(pack.costs(batch)))
    explicit = gradients(pack.theta)
    pack.theta.backward(pack.adversary_losses(pack.encode(batch.x), batch).sum(1))
    forward = gradients(pack.theta)
    pack.theta.backward(
        pack.adversary_losses(reverse(pack.encode(batch.x), strength=beta), batch).sum(1)
    )
    reversal = gradients(pack.theta)
    assert any(g.abs().max() > 1e-3 for g in forward.values())
    for name, found in explicit.items():
        torch.testing.assert_close(found, -beta * forward[name])
        torch.testing.assert_close(found, reversal[name])


def test_costs_by_torch():
    data = toy_numbers(32, groups=3)
    data.a[:5] = np.nan
    data = replace(
        data,
        a=np.column_stack([data.a[:, 0], data.X[:, 4] > 1]),
        task=replace(data.task, attributes=(data.task.attributes[0], Binary("t"))),
        visible=np.array([0, 2, 3, 7]),
    )
    batch = minibatch(data)
    pack = censors(data, 2.0, 3.0, 5.0, decoder_sees_attributes=True)
    costs = pack.costs(batch)
    for member in (0, 1):
        x, w, target_w = batch.x[member].T, batch.w[member], batch.target_w[member]
        code = plain(pack.theta, "encoder", member)(x)
        told = torch.cat([code, *(g[member].T for g in batch.groups)], dim=1)
        error = plain(pack.theta, "decoder", member)(told) - x[:, [0, 2, 3, 7]]
        rebuilt = (error.square().sum(1) * w).sum() / 32
        torch.testing.assert_close(costs.reconstruction[member], rebuilt)
        label = nn.functional.binary_cross_entropy_with_logits(
            plain(pack.theta, "predictor", member)(code)[:, 0],
            batch.y[member, 0],
            target_w,
            reduction="sum",
        )
        torch.testing.assert_close(costs.label[member], label / 32)
        three = plain(pack.phi, "adversary.s", member)(code[5:])
        of_s = nn.functional.cross_entropy(
            three, torch.tensor(data.a[5:, 0]).long(), reduction="none"
        )
        of_t = nn.functional.binary_cross_entropy_with_logits(
            plain(pack.phi, "adversary.t", member)(code)[:, 0],
            torch.tensor(data.a[:, 1]),
            w,
            reduction="sum",
        )
        expected = torch.stack([(of_s * w[5:]).sum() / 32, of_t / 32])
        torch.testing.assert_close(costs.adversary[member], expected)
        total = 2 * rebuilt - 3 * expected.sum() + 5 * label / 32
        torch.testing.assert_close(pack.objective(costs)[member], total)


def test_each_step_moves_its_own_side_alone():
    data = toy_numbers(64)
    batch = minibatch(data)
    pack = censors(data, 0.0, 1.0, 0.0)

    def adversary_loss():
        return pack.adversary_losses(pack.encode(batch.x), batch)[:, 0].detach()

    for step, still, moving, sign in (
        (pack.theta_step, pack.phi, pack.theta, 1.0),  # the encoder makes it hard
        (pack.phi_step, pack.theta, pack.phi, -1.0),  # the adversary learns
    ):
        stays, moves, loss = weights(still), weights(moving), adversary_loss()
        step(batch, 1e-3)
        assert all(torch.equal(value, stays[name]) for name, value in still.parameters.items())
        assert any(not torch.equal(v, moves[name]) for name, v in moving.parameters.items())
        assert (sign * (adversary_loss() - loss) > 0).all()


@pytest.mark.parametrize("groups", [2, 3])
def test_beta_blinds_its_adversary(groups):
    """To the entropy of the attribute. A fresh probe may still read it, so none is asked here."""
    training, test = toy_numbers(1280, groups=groups), toy_numbers(1280, seed=1, groups=groups)
    fitted = ALFR(epochs=15, learning_rate=5e-3, **SMALL).fit(
        trials(*[0.0, 1.0] * 3, seeds=[0, 0, 1, 1, 2, 2]), training, test
    )
    _, counts = np.unique(training.a, return_counts=True)
    entropy = -(counts / 1280 * np.log(counts / 1280)).sum()
    losses = fitted.history.attribute_loss[-5:, 0].mean(0)
    assert losses[0::2].max() < entropy - 0.2
    np.testing.assert_allclose(losses[1::2], entropy, atol=0.1)
    labels = fitted.scores(test.X)[:, 0] >= 0.5
    free, censored = discrimination(None, labels, sensitive_features=test.a).reshape(3, 2).mean(0)
    assert free > 0.25
    assert censored < 0.6 * free
    assert (labels == test.y).mean(1).min() > 0.65


def test_a_member_that_diverges_harms_nobody_else():
    data, histories = toy_numbers(224), []
    for poisoned in (False, True):
        pack = censors(data, 0.1, 1.0, 1.0)
        if poisoned:
            with torch.no_grad():
                pack.phi.parameters["adversary.s.out.weight"][1, 0, 0] = math.nan
        histories.append(fit(pack, [4, 9], data, data, 3, 64, 1e-3, "paper"))
    (well, epochs), (ill, others) = histories
    assert epochs[0] == others[0]
    for figure in ("loss", "accuracy", "discrimination"):
        np.testing.assert_array_equal(getattr(well, figure)[:, 0], getattr(ill, figure)[:, 0])
    assert np.isnan(ill.accuracy[:, 1]).all()


@pytest.mark.parametrize("column", [np.zeros(96), np.full(96, np.nan)])
def test_an_attribute_that_does_not_vary(column):
    data = toy_numbers(96)
    data = replace(data, a=column[:, None])
    fitted = ALFR(epochs=2, **SMALL).fit(trials(5.0), data, data)
    assert np.isfinite(fitted.scores(data.X)).all()
    assert np.isfinite(fitted.history.attribute_loss).all()


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: ALFR(gamma=[1.0, math.inf]), "gamma must be a number of at least 0, got inf"),
        (lambda: ALFR(code=0), "code must be a whole number of at least 1, got 0"),
        (lambda: ALFR(decoder_sees_attributes=1), "must be True or False, got 1"),
    ],
)
def test_bad_input(call, message):
    with pytest.raises(InputError, match=message):
        call()
