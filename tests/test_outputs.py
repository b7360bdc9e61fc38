"""Each kind of output against torch's own losses, and what it prepares, by hand."""

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from grad_ext.errors import InputError
from grad_ext.outputs import (
    OUTPUTS,
    Binary,
    Branch,
    Categorical,
    Continuous,
    Features,
    branch_of,
    register,
    sigmoid,
    softmax,
)


def draw(*size, seed=0):
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(*size, generator=generator, dtype=torch.float64)


def test_losses_are_torchs():
    logits = draw(3, 4, 5)
    labels = torch.tensor([0, 1, 3, 2, 0]).expand(3, 1, 5)
    binary = (labels % 2).double()
    numbers = draw(3, 4, 5, seed=1)
    cases = [
        (
            Binary("a"), logits[:, :1], binary,
            F.binary_cross_entropy_with_logits(logits[:, :1], binary, reduction="none")[:, 0],
        ),
        (
            Categorical("a", 4), logits, labels,
            F.cross_entropy(logits, labels[:, 0], reduction="none"),
        ),
        (Continuous("a"), logits[:, :1], numbers[:, :1], (logits - numbers)[:, 0] ** 2),
        (Features("a", 4), logits, numbers, ((logits - numbers) ** 2).sum(1)),
    ]  # fmt: skip
    for branch, given, truth, expected in cases:
        torch.testing.assert_close(branch.loss_and_gradient(given, truth)[0], expected)


def test_links_are_torchs():
    logits = draw(3, 4, 5)
    torch.testing.assert_close(Binary("a").link(logits), torch.sigmoid(logits))
    torch.testing.assert_close(Categorical("a", 4).link(logits), torch.softmax(logits, 1))
    assert Continuous("a").link(logits) is logits
    assert Features("a", 4).link(logits) is logits


def test_extreme_logits_stay_finite():
    far = torch.tensor([-1e4, -100.0, 0.0, 100.0, 1e4])
    assert sigmoid(far)[[0, 2, 4]].tolist() == [0.0, 0.5, 1.0]
    logits = torch.stack([far, -far])[None]
    assert torch.isfinite(softmax(logits)).all()
    truth = torch.zeros(1, 1, 5, dtype=torch.int64)
    for values in Categorical("a", 2).loss_and_gradient(logits, truth):
        assert torch.isfinite(values).all()


def test_classes_and_outputs():
    made = [Binary("a"), Categorical("a", 3), Continuous("a"), Features("a", 5)]
    assert [branch.classes for branch in made] == [2, 3, 0, 0]
    assert [branch.outputs for branch in made] == [1, 3, 1, 5]
    assert [branch.reconstructs for branch in made] == [False, False, False, True]
    assert [Branch.of_groups("a", n) for n in (2, 3)] == [Binary("a"), Categorical("a", 3)]
    assert Binary("a") != Categorical("a", 1)
    assert [branch_of(b.kind, b.name, b.outputs) for b in made] == made


def test_what_training_predicts_by_hand():
    column, weight = np.array([1.0, 3.0, 9.0]), np.array([3.0, 1.0, 0.0])
    # Mean (3 + 3) / 4, variance (3 * 0.25 + 2.25) / 4.
    assert Continuous("a").location_and_scale(column, weight) == (1.5, 0.75**0.5)
    np.testing.assert_allclose(Continuous("a").truth(column, weight), (column - 1.5) / 0.75**0.5)
    assert Continuous("a").location_and_scale(column, np.zeros(3)) == (0.0, 1.0)
    assert Continuous("a").location_and_scale(np.full(3, 7.0), weight) == (7.0, 1.0)
    assert Binary("a").truth(column, weight).tolist() == column.tolist()
    classes = Categorical("a", 10).truth(column, weight)
    assert (classes.tolist(), classes.dtype) == ([1, 3, 9], np.int64)
    assert Features("a").truth(column, weight) is None
    missing = np.array([0.0, np.nan])
    assert Binary("a").present(missing).tolist() == [True, False]
    assert Features("a").present(missing).tolist() == [True, True]


def test_numbers_of_outputs_that_cannot_be():
    for make in (lambda: Binary("a", 2), lambda: Continuous("a", 3), lambda: Categorical("a", 0)):
        with pytest.raises(InputError, match=r"cannot have [023] outputs"):
            make()
    with pytest.raises(InputError, match="unknown kind of branch 'binry': did you mean 'binary'"):
        branch_of("binry", "a", 1)


def test_a_class_of_ones_own_is_found_by_its_kind(monkeypatch):
    monkeypatch.setattr("grad_ext.outputs.OUTPUTS", dict(OUTPUTS))

    @register
    class Absolute(Continuous):
        kind = "absolute"

        def loss_and_gradient(self, logits, truth):
            error = logits - truth
            return error.abs().sum(1), error.sign()

    assert branch_of("absolute", "a", 1) == Absolute("a")
