import numpy as np
import pytest
import torch
from sklearn.linear_model import LogisticRegression

from grad_ext.engine.batches import one_thread
from grad_ext.engine.logistic import Readout, fit_readout


def drawn(members=5, units=7, rows=203, classes=2):
    generator = torch.Generator().manual_seed(0)
    Z = torch.randn(members, units, rows, generator=generator) * 2
    noise = torch.randn(rows, generator=generator)
    y = (Z[0, 0] + noise).mul(0.7).clamp(-0.99, classes - 1.01).add(1).floor().clamp(0, classes - 1)
    return Z, y, torch.rand(rows, generator=generator)


@pytest.mark.parametrize("units", [1, 7, 40])
def test_against_scikit_learn(units):
    """In float64, where a gradient of 1e-8 lies far above the rounding of any processor.

    Both stop where no part of the summed loss's gradient exceeds about 1e-6, and the penalty bends
    the loss by at least 1, so that the coefficients can differ by about 1e-6 √units.
    """
    Z, y, w = drawn(units=units)
    readout = fit_readout(Z, y, w, 2)
    scores = readout.scores(Z).numpy()
    for p in range(len(Z)):
        X = Z[p].T.double().numpy()
        theirs = LogisticRegression(solver="newton-cholesky", tol=1e-8)
        theirs.fit(X, y.numpy(), sample_weight=w.double().numpy())
        expected = np.append(theirs.coef_[0], theirs.intercept_)
        np.testing.assert_allclose(readout.weight[p, 0, : units + 1].numpy(), expected, atol=1e-5)
        np.testing.assert_allclose(scores[p, 0], theirs.predict_proba(X)[:, 1], atol=1e-5)


def test_several_classes_are_each_against_the_rest():
    Z, y, w = drawn(classes=3)
    said = fit_readout(Z, y, w, 3).scores(Z)
    assert said.shape == (5, 3, 203)
    torch.testing.assert_close(said.sum(1), torch.ones(5, 203, dtype=torch.float64))
    single = torch.stack([fit_readout(Z, y == c, w, 2).scores(Z)[:, 0] for c in range(3)], dim=1)
    torch.testing.assert_close(said, single / single.sum(1, keepdim=True))


@pytest.mark.parametrize("units", [7, 40])
def test_a_member_is_the_same_in_any_company(units):
    Z, y, w = drawn(units=units)
    Z[2] *= 50  # a member that takes other steps than its neighbours
    with one_thread():
        together = fit_readout(Z, y, w, 2).weight
        for p in range(len(Z)):
            assert torch.equal(fit_readout(Z[p : p + 1], y, w, 2).weight[0], together[p])


def test_a_member_that_diverged_harms_nobody():
    Z, y, w = drawn()
    with one_thread():
        healthy = fit_readout(Z, y, w, 2).weight
        Z[1, 3, 5] = float("nan")
        hurt = fit_readout(Z, y, w, 2)
    others = [0, 2, 3, 4]
    assert torch.equal(hurt.weight[others], healthy[others])
    assert torch.isnan(hurt.scores(Z)[1]).any()


def test_separable_rows_have_a_finite_answer():
    Z = torch.tensor([[[-1.0, -2.0, 1.0, 2.0]]])
    weight = fit_readout(Z, torch.tensor([0.0, 0.0, 1.0, 1.0]), torch.ones(4), 2).weight
    assert torch.isfinite(weight).all()
    assert weight[0, 0, 0] > 0.5


def test_where_it_starts_does_not_matter():
    Z, y, w = drawn(classes=3)
    cold = fit_readout(Z, y, w, 3)
    elsewhere = fit_readout(Z + 0.3, y, w, 3)
    warm = fit_readout(Z, y, w, 3, elsewhere)
    torch.testing.assert_close(warm.weight, cold.weight, atol=1e-7, rtol=0)
    lost = Readout(torch.full_like(cold.weight, float("nan")))
    assert torch.equal(fit_readout(Z, y, w, 3, lost).weight, cold.weight)
