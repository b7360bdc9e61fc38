"""VFAE: its parts by hand and against torch.distributions, and what β does to a toy."""

import math
from dataclasses import replace

import numpy as np
import pytest
import torch
from neural_toys import normal, toy_flags, trials
from sklearn.linear_model import LogisticRegression
from torch.distributions import Bernoulli, Normal, kl_divergence

from grad_ext.adapters.neural.packs import Minibatch, fit
from grad_ext.adapters.neural.vfae import (
    LEAST_STD,
    VFAE,
    Autoencoders,
    Gaussian,
    Inputs,
    Noise,
    divergence,
)
from grad_ext.errors import InputError
from grad_ext.metrics.group import discrimination
from grad_ext.outputs import Binary, Task

SMALL = {"hidden": 16, "hidden_top": 12, "latent": 6, "batch_size": 64}


def test_divergence_by_hand_and_its_direction():
    one, two = (Gaussian(torch.zeros(1, 1, 1), torch.full((1, 1, 1), s)) for s in (1.0, 2.0))
    assert divergence(one, one).item() == 0
    assert divergence(one, two).item() == pytest.approx(math.log(2) + 1 / 8 - 1 / 2)
    assert divergence(two, one).item() == pytest.approx(-math.log(2) + 2 - 1 / 2)
    q, p = (Gaussian(normal(3, 4, 5, seed=i), normal(3, 4, 5, seed=i + 2).exp()) for i in (0, 1))
    expected = kl_divergence(Normal(*q), Normal(*p)).sum(1)
    torch.testing.assert_close(divergence(q, p), expected)


@pytest.fixture
def small():
    """Two members, a minibatch and its noise, in float64."""
    data = toy_flags(32)
    pack = Autoencoders(
        Inputs.of(data),
        data.task.attributes,
        hidden=7,
        hidden_top=5,
        latent=3,
        seeds=[4, 9],
        alpha=torch.tensor([2.0, 3.0], dtype=torch.float64),
        beta=torch.tensor([[5.0], [7.0]], dtype=torch.float64),
    )
    groups = torch.tensor(np.equal.outer(data.a[:, 0], [0, 1]), dtype=torch.float64)
    w = torch.tensor(np.random.default_rng(0).random((2, 32)))
    batch = Minibatch(
        x=torch.tensor(data.X, dtype=torch.float64).T.expand(2, -1, -1),
        y=torch.tensor(data.y).expand(2, 1, -1),
        groups=[groups.T.expand(2, -1, -1)],
        w=w,
        target_w=w.flip(1),
    )
    rng = [torch.Generator().manual_seed(i) for i in (0, 1)]
    return pack, batch, Noise.draw(rng, 3, 32, torch.float64)


def plain_terms(state, member, batch, noise):
    """The objective's parts for one member, as the paper writes them, with torch.distributions."""

    def layer(name, h):
        return h @ state[f"{name}.weight"][member].T + state[f"{name}.bias"][member, :, 0]

    def through(name, *parts):
        return layer(f"{name}.out", layer(f"{name}.hidden", torch.cat(parts, 1)).relu())

    def gaussian(name, *parts):
        mean, raw = through(name, *parts).split(3, dim=1)
        return Normal(mean, torch.nn.functional.softplus(raw) + LEAST_STD)

    x, s, y = batch.x[member].T, batch.groups[0][member].T, batch.y[member, 0]
    both = torch.stack([1 - y, y], dim=1)
    q_z1 = gaussian("encoder_z1", x)
    z1 = q_z1.mean + q_z1.stddev * noise.z1[member].T
    q_z2 = gaussian("encoder_z2", z1, both)
    z2 = q_z2.mean + q_z2.stddev * noise.z2[member].T
    p_z1 = gaussian("decoder_z1", z2, both)
    standard = Normal(torch.zeros(3).double(), torch.ones(3).double())
    return {
        "reconstruction": -Bernoulli(logits=through("decoder_x", z1, s)).log_prob(x).sum(1),
        "divergence_z1": kl_divergence(q_z1, p_z1).sum(1),
        "divergence_z2": kl_divergence(q_z2, standard).sum(1),
        "label": -Bernoulli(logits=layer("label", z1)[:, 0]).log_prob(y),
    }


def test_the_objective_is_the_papers(small):
    pack, batch, noise = small
    terms = pack.terms(batch, noise)
    objective = pack.objective(terms, batch)
    for member, (alpha, beta) in enumerate([(2.0, 5.0), (3.0, 7.0)]):
        plain = plain_terms(pack.net.parameters, member, batch, noise)
        for name, expected in plain.items():
            torch.testing.assert_close(getattr(terms, name)[member], expected)
        *bound, label = plain.values()
        w, target_w = batch.w[member], batch.target_w[member]
        total = (sum(bound) * w).mean() + alpha * (label * target_w).mean()
        total += beta * terms.mmd[member, 0]
        torch.testing.assert_close(objective[member], total)


def test_x_is_decoded_from_the_sample_of_the_encoder(small):
    pack, batch, noise = small
    pack.net.backward(pack.terms(batch, noise).reconstruction.sum(1))
    moved = {n.split(".")[0]: p.grad.abs().max() > 0 for n, p in pack.net.parameters.items()}
    assert moved["encoder_z1"]
    assert moved["decoder_x"]
    assert not moved["encoder_z2"]
    assert not moved["decoder_z1"]


def test_columns_are_binarised_by_the_training_rows():
    data = toy_flags(5)
    X = np.array([[0, 3.0, 1], [1, 5, 2], [1, 4, 9], [0, 4, 7], [1, 9, 3]], dtype=np.float32)
    inputs = Inputs.of(replace(data, X=X))  # 0 and 1; median 4; median 3
    rows = torch.tensor(X).T[None]
    expected = [[0, 1, 1, 0, 1], [0, 1, 0, 0, 1], [0, 0, 1, 1, 0]]
    assert inputs.binarised(rows)[0].tolist() == expected
    assert inputs.attributes(rows).shape == (1, 0, 5)
    # A column that holds the attribute is seen by the encoder and is no part of x.
    inputs = Inputs.of(replace(data, X=X, visible=np.array([0, 2])))
    assert inputs.binarised(rows)[0].tolist() == [expected[0], expected[2]]
    assert inputs.attributes(rows)[0].tolist() == [[3, 5, 4, 4, 9]]


def test_a_column_that_holds_the_attribute_is_seen_and_not_restored():
    data = replace(toy_flags(224), visible=np.arange(1, 8))
    fitted = VFAE(epochs=1, **SMALL).fit(trials(1.0), data, data)
    assert fitted.pack.net.parameters["encoder_z1.hidden.weight"].shape == (1, 16, 8)
    assert fitted.pack.net.parameters["decoder_x.out.weight"].shape == (1, 7, 16)
    moved = data.X.copy()
    moved[:, 0] = 1 - moved[:, 0]
    assert (fitted.means(moved) != fitted.means(data.X)).any()


def test_the_mean_and_the_sample():
    data = toy_flags(4200)  # more than a block of rows
    kept = {}
    for sample in (True, False):
        fitted = VFAE(epochs=1, sample=sample, **SMALL).fit(trials(1.0), data, toy_flags(64))
        kept[sample] = fitted.representations(data.X)
        np.testing.assert_array_equal(kept[sample], fitted.representations(data.X))
    np.testing.assert_array_equal(kept[False], fitted.means(data.X))
    # The noise is independent from row to row, and centred on the mean.
    posterior = fitted.pack.posterior(torch.tensor(data.X).T[None])
    noise = (kept[True] - kept[False]) / posterior.std.detach().numpy()
    assert abs(noise.mean()) < 0.03
    assert noise.std() == pytest.approx(1.0, abs=0.03)
    assert abs(np.corrcoef(noise[0, :, :-1].ravel(), noise[0, :, 1:].ravel())[0, 1]) < 0.03


def test_beta_takes_the_groups_apart_away():
    training, test = toy_flags(1280), toy_flags(1280, seed=1)
    betas = [0.0, 30.0, 100.0]
    fitted = VFAE(epochs=15, learning_rate=3e-3, **SMALL).fit(
        trials(*betas * 2, seeds=[0, 0, 0, 1, 1, 1]), training, toy_flags(64, seed=2)
    )
    mmd = fitted.history.attribute_loss[-1, 0].reshape(2, 3).mean(0)
    assert mmd[0] > mmd[1] > mmd[2]
    labels = fitted.scores(test.X)[:, 0] >= 0.5
    gaps = discrimination(None, labels, sensitive_features=test.a).reshape(2, 3).mean(0)
    assert gaps[0] > 0.25
    assert gaps[0] > gaps[1] > gaps[2]
    assert gaps[2] < 0.1
    assert (labels == test.y).mean(1)[2::3].min() > 0.6

    def read(represent):
        """The share of rows whose group a fresh logistic regression reads, by β."""
        probes = []
        for known, new in zip(represent(training.X), represent(test.X), strict=True):
            probe = LogisticRegression().fit(known.T, training.a[:, 0])
            probes.append(probe.score(new.T, test.a[:, 0]))
        return np.reshape(probes, (2, 3)).mean(0)

    samples = read(fitted.representations)
    assert samples[0] > 0.65
    assert samples[2] < 0.57  # half of the rows are of either group
    # The penalty acts on samples: their mean still tells.
    assert read(fitted.means)[2] > samples[2] + 0.05


def test_a_member_that_diverges_harms_nobody_else():
    data, histories = toy_flags(224), []
    for poisoned in (False, True):
        pack = Autoencoders(
            Inputs.of(data), data.task.attributes, 7, 5, 3, [4, 9], torch.ones(2), torch.ones(2, 1)
        )
        if poisoned:
            with torch.no_grad():
                pack.net.parameters["encoder_z1.out.weight"][1, 0, 0] = math.nan
        histories.append(fit(pack, [4, 9], data, data, 3, 64, 1e-3, "paper"))
        assert pack.scores(torch.tensor(data.X))[0].isfinite().all()
    (well, epochs), (ill, others) = histories
    assert epochs[0] == others[0]
    for figure in ("loss", "accuracy", "discrimination"):
        np.testing.assert_array_equal(getattr(well, figure)[:, 0], getattr(ill, figure)[:, 0])
        assert np.isnan(getattr(ill, figure)[:, 1]).all()


@pytest.mark.parametrize("column", [np.zeros(96), np.ones(96), np.full(96, np.nan)])
def test_an_attribute_that_does_not_vary(column):
    data = toy_flags(96)
    data = replace(data, a=column[:, None])
    fitted = VFAE(epochs=2, **SMALL).fit(trials(5.0), data, data)
    assert np.isfinite(fitted.scores(data.X)).all()
    assert np.isfinite(fitted.history.loss).all()
    np.testing.assert_allclose(fitted.history.attribute_loss, 0.0, atol=1e-7)


def test_three_groups_and_missing_ones():
    training, test = toy_flags(1280, groups=3), toy_flags(1280, seed=1, groups=3)
    training.a[::7] = np.nan
    fitted = VFAE(epochs=15, learning_rate=3e-3, **SMALL).fit(
        trials(0.0, 100.0, 0.0, 100.0, seeds=[0, 0, 1, 1]), training, test
    )
    labels = fitted.scores(test.X)[:, 0] >= 0.5
    gaps = discrimination(None, labels, sensitive_features=test.a)
    assert gaps[0::2].min() > 0.2
    assert gaps[1::2].max() < 0.1
    assert (labels == test.y).mean(1).min() > 0.6


def test_beta_of_each_attribute():
    data = toy_flags(640)
    both = replace(
        data,
        a=np.column_stack([data.a, data.X[:, 5]]),
        task=Task(data.task.target, (Binary("s"), Binary("t"))),
    )
    fitted = VFAE(epochs=10, **SMALL).fit(
        trials((0.0, 20.0), (20.0, 0.0), seeds=[0, 0], protected=("s", "t")), both, both
    )
    mmd = fitted.history.attribute_loss[-1]
    assert mmd[0, 0] > mmd[0, 1]
    assert mmd[1, 1] > mmd[1, 0]


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: VFAE(alpha=[1.0, math.nan]), "alpha must be a number of at least 0, got nan"),
        (lambda: VFAE(latent=0), "latent must be a whole number of at least 1, got 0"),
        (lambda: VFAE(sample="yes"), "sample must be True or False, got 'yes'"),
    ],
)
def test_bad_input(call, message):
    with pytest.raises(InputError, match=message):
        call()
