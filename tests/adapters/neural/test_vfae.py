"""VFAE: its parts by hand and against torch.distributions, and what β does to a toy."""

import math
from dataclasses import replace

import numpy as np
import pytest
import torch
from sklearn.linear_model import LogisticRegression
from torch.distributions import Bernoulli, Normal, kl_divergence

from grad_ext.adapters.neural.packs import Minibatch, fit
from grad_ext.adapters.neural.vfae import (
    LEAST_STD,
    ROOT,
    VFAE,
    Autoencoders,
    Gaussian,
    Inputs,
    Noise,
    comparisons,
    discrepancy,
    divergence,
)
from grad_ext.data.encoding import Arrays
from grad_ext.errors import InputError
from grad_ext.evaluation import evaluate
from grad_ext.metrics.group import discrimination
from grad_ext.outputs import Binary, Branch, Task
from grad_ext.training.settings import Settings
from grad_ext.trial import Trial

LAST = Settings(checkpoint="last")
SMALL = {"hidden": 16, "hidden_top": 12, "latent": 6, "batch_size": 64}


def toy(rows=640, seed=0, groups=2):
    """Return rows of 0 and 1: four columns tell the group, four the label, which both have a say in."""
    rng = np.random.default_rng(seed)
    s = rng.integers(0, groups, rows)
    merit = rng.integers(0, 2, rows)
    y = np.where(rng.random(rows) < 0.5, merit, s > 0)
    told = [np.where(rng.random(rows) < 0.85, s > 0, rng.integers(0, 2, rows)) for _ in range(4)]
    earned = [np.where(rng.random(rows) < 0.8, merit, rng.integers(0, 2, rows)) for _ in range(4)]
    task = Task(Binary("target"), (Branch.of_groups("s", groups),))
    X = np.stack(told + earned, axis=1).astype(np.float32)
    return Arrays(X, y.astype(float), s[:, None].astype(float), np.ones(rows), task)


def trials(*betas, seeds=None, protected=("s",), settings=LAST):
    seeds = seeds or range(len(betas))
    return [
        Trial("toy", protected, lam=b, seed=s, settings=settings)
        for b, s in zip(betas, seeds, strict=True)
    ]


def random_features(members, dimensions, count=500, seed=0):
    rng = torch.Generator().manual_seed(seed)
    frequencies = torch.randn(members, count, dimensions, generator=rng, dtype=torch.float64)
    phases = torch.rand(members, count, 1, generator=rng, dtype=torch.float64) * 2 * math.pi
    return frequencies, phases


def halves(rows):
    first = (torch.arange(rows) < rows // 2).double()
    return comparisons(
        torch.stack([first, 1 - first])[None], torch.ones(1, rows, dtype=torch.float64)
    )


def normal(*shape, seed=0):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def exact_mmd(points, others):
    """The squared MMD by the kernel itself, pair by pair."""

    def mean(a, b):
        pairs = [math.exp(-((u - v) ** 2).sum() / (2 * len(u))) for u in a for v in b]
        return sum(pairs) / len(pairs)

    return mean(points, points) - 2 * mean(points, others) + mean(others, others)


def test_comparisons_by_hand():
    groups = torch.tensor([[[1.0, 1, 0, 0], [0, 0, 1, 0]]])  # the last row's group is missing
    w = torch.tensor([[1.0, 3, 2, 5]])
    assert comparisons(groups, w).tolist() == [[[0.25, 0.75, -1, 0]]]
    # Of three groups each against all rows that have one; the third group has none.
    three = torch.cat([groups, torch.zeros(1, 1, 4)], dim=1)
    expected = [[0.25 - 1 / 6, 0.75 - 0.5, -1 / 3, 0], [-1 / 6, -0.5, 1 - 1 / 3, 0], [0] * 4]
    torch.testing.assert_close(comparisons(three, w), torch.tensor([expected]))


def test_mmd_is_that_of_the_kernel():
    z = normal(1, 5, 40)
    z[:, :, 20:] += 0.7
    found = discrepancy(z, halves(40), *random_features(1, 5, count=100_000))
    points = z[0].T.numpy()
    expected = math.sqrt(exact_mmd(points[:20], points[20:]))
    assert found.item() == pytest.approx(expected, abs=3 / math.sqrt(100_000))


def test_mmd_of_equal_groups():
    z = normal(1, 50, 4000)
    frequencies, phases = random_features(1, 50)
    twice = torch.cat([z, z], dim=2)
    assert abs(discrepancy(twice, halves(8000), frequencies, phases).item()) < 1e-9
    # Two samples of one law: (1/n0 + 1/n1) (1 - E k), with E k = (1 + 2/L)^(-L/2).
    squared = (discrepancy(z, halves(4000), frequencies, phases).item() + ROOT**0.5) ** 2 - ROOT
    expected = (2 / 2000) * (1 - (1 + 2 / 50) ** -25)
    assert squared == pytest.approx(expected, rel=0.2)
    shifted = z + 0.5 * (torch.arange(4000) < 2000)
    assert discrepancy(shifted, halves(4000), frequencies, phases).item() ** 2 > 50 * squared


def test_mmd_does_not_depend_on_the_order_of_the_rows():
    z, coefficients = normal(2, 4, 30), halves(30).expand(2, -1, -1)
    order = torch.randperm(30, generator=torch.Generator().manual_seed(3))
    features = random_features(2, 4)
    torch.testing.assert_close(
        discrepancy(z, coefficients, *features),
        discrepancy(z[:, :, order], coefficients[:, :, order], *features),
    )


def test_mmd_of_a_single_group_is_0_and_has_no_slope():
    z = normal(1, 4, 8).requires_grad_()
    groups = torch.stack([torch.ones(8), torch.zeros(8)]).double()[None]
    alone = comparisons(groups, torch.ones(1, 8, dtype=torch.float64))
    found = discrepancy(z, alone, *random_features(1, 4))
    found.sum().backward()
    assert found.item() == 0
    assert not z.grad.any()
    # Equal groups: the root's slope at 0 is finite.
    z = normal(1, 4, 8)[:, :, :4].repeat(1, 1, 2).requires_grad_()
    discrepancy(z, halves(8), *random_features(1, 4)).sum().backward()
    assert z.grad.isfinite().all()


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
    data = toy(32)
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
    data = toy(5)
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
    data = replace(toy(224), visible=np.arange(1, 8))
    fitted = VFAE(epochs=1, **SMALL).fit(trials(1.0), data, data)
    assert fitted.pack.net.parameters["encoder_z1.hidden.weight"].shape == (1, 16, 8)
    assert fitted.pack.net.parameters["decoder_x.out.weight"].shape == (1, 7, 16)
    moved = data.X.copy()
    moved[:, 0] = 1 - moved[:, 0]
    assert (fitted.means(moved) != fitted.means(data.X)).any()


def test_the_mean_and_the_sample():
    data = toy(4200)  # more than a block of rows
    kept = {}
    for sample in (True, False):
        fitted = VFAE(epochs=1, sample=sample, **SMALL).fit(trials(1.0), data, toy(64))
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
    training, test = toy(1280), toy(1280, seed=1)
    betas = [0.0, 30.0, 100.0]
    fitted = VFAE(epochs=15, learning_rate=3e-3, **SMALL).fit(
        trials(*betas * 2, seeds=[0, 0, 0, 1, 1, 1]), training, toy(64, seed=2)
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


def fitted_scores(betas, seeds, **settings):
    data = toy(224)
    fitted = VFAE(epochs=6, **SMALL, **settings).fit(
        trials(*betas, seeds=seeds), data, toy(64, seed=1)
    )
    return fitted.scores(data.X), fitted.representations(data.X)


def test_a_member_does_not_depend_on_its_company():
    (alone, code), others = fitted_scores([3.0], [5]), [(0.0, 1), (30.0, 2), (4.0, 5), (1.0, 8)]
    for size in (3, 8):
        company = (others * 2)[: size - 1]
        for slot in (0, size - 1):
            members = [*company[:slot], (3.0, 5), *company[slot:]]
            scores, codes = fitted_scores(*zip(*members, strict=True))
            np.testing.assert_array_equal(scores[slot], alone[0])
            np.testing.assert_array_equal(codes[slot], code[0])


def test_alpha_of_each_trial():
    together, _ = fitted_scores([3.0, 3.0], [5, 5], alpha=[1.0, 30.0])
    for alpha, scores in zip((1.0, 30.0), together, strict=True):
        np.testing.assert_array_equal(scores, fitted_scores([3.0], [5], alpha=alpha)[0][0])
    assert (together[0] != together[1]).any()


def test_a_member_that_diverges_harms_nobody_else():
    data, histories = toy(224), []
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
    data = toy(96)
    data = replace(data, a=column[:, None])
    fitted = VFAE(epochs=2, **SMALL).fit(trials(5.0), data, data)
    assert np.isfinite(fitted.scores(data.X)).all()
    assert np.isfinite(fitted.history.loss).all()
    np.testing.assert_allclose(fitted.history.attribute_loss, 0.0, atol=1e-7)


def test_three_groups_and_missing_ones():
    training, test = toy(1280, groups=3), toy(1280, seed=1, groups=3)
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
    data = toy(640)
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


def test_german_is_judged_like_any_method(german_problem):
    settings = Settings(checkpoint="balanced_delta")
    asked = trials(0.0, 1.0, protected=("age", "sex"), settings=settings)
    done = []
    records = evaluate(VFAE(epochs=3), asked, german_problem, done.append)
    assert done == [1, 2, 3]
    for trial, record in zip(asked, records, strict=True):
        assert record.trial is trial
        assert 1 <= record.epoch <= 3
        assert not record.diverged
        assert 0.4 < record.metrics["accuracy"] < 0.9
    history = VFAE(epochs=3).fit(asked, german_problem.training, german_problem.validation)
    best = (history.history.balanced_accuracy - history.history.discrimination).argmax(0) + 1
    assert [record.epoch for record in records] == list(best)


def test_the_weights_are_those_of_the_kept_epoch():
    data, valid = toy(224), toy(96, seed=1)
    asked = trials(0.0, 1.0, 5.0, 0.0, settings=Settings(checkpoint="paper"))
    fitted = VFAE(epochs=8, **SMALL).fit(asked, data, valid)
    assert len(set(fitted.epochs)) > 1
    labels = fitted.scores(valid.X)[:, 0] >= 0.5
    kept = fitted.history.accuracy[fitted.epochs - 1, range(4)]
    np.testing.assert_allclose((labels == valid.y).mean(1), kept)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: VFAE(alpha=-1.0), "alpha must be a number of at least 0, got -1.0"),
        (lambda: VFAE(alpha=[1.0, math.nan]), "alpha must be a number of at least 0, got nan"),
        (lambda: VFAE(latent=0), "latent must be a whole number of at least 1, got 0"),
        (lambda: VFAE(epochs=2.5), "epochs must be a whole number"),
        (lambda: VFAE(learning_rate=0.0), "learning_rate must be a number above 0, got 0.0"),
        (lambda: VFAE(sample="yes"), "sample must be True or False, got 'yes'"),
        (lambda: VFAE(alpha=[1.0]).fit(trials(1.0, 2.0), toy(64), toy(64)), "each of 2 trials"),
        (
            lambda: VFAE().fit(trials(1.0, protected=("s", "t")), toy(64), toy(64)),
            "expected 2 protected attributes, got 1",
        ),
        (
            lambda: VFAE().fit([*trials(1.0), Trial("toy", ("t",))], toy(64), toy(64)),
            "trials of one pack must share",
        ),
    ],
)
def test_bad_input(call, message):
    with pytest.raises(InputError, match=message):
        call()
