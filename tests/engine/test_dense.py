"""The written-out layer against torch's own operators and their autograd."""

# torch.jit and Triton take arguments that their stubs do not know.
# mypy: disable-error-code="call-arg"

import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st

from grad_ext.engine.dense import EPS, MOMENTUM, StackedDense, move
from grad_ext.engine.workspace import MOST, Workspace


def parts(members, inputs, units, rows, seed=0):
    """Return what a layer has: x, weight, gain, shift, running mean and variance, upper gradient."""
    draw = torch.Generator().manual_seed(seed)

    def normal(*size):
        return torch.randn(*size, generator=draw, dtype=torch.float64)

    x = normal(members, rows, inputs).transpose(1, 2)
    of_units = [normal(members, units) for _ in range(3)]
    variance = normal(members, units).square()
    return [x, normal(members, units, inputs), *of_units, variance, normal(members, units, rows)]


def plain(x, weight, gain, shift, mean, variance, mask, multiplier):
    """Return the layer from torch's operators, x's gradient multiplied row by row."""
    product = torch.bmm(weight, x.detach() if multiplier is not None else x)
    if multiplier is not None:
        # The same number, whose gradient by x goes through the multiplied weights.
        through = torch.bmm(weight.detach() * multiplier, x)
        product = product + through - through.detach()
    out = F.batch_norm(
        product.reshape(1, -1, x.shape[2]),
        *(mean.view(-1), variance.view(-1), gain.view(-1), shift.view(-1)),
        training=True,
        momentum=MOMENTUM,
        eps=EPS,
    )
    out = torch.relu(out).view(product.shape)
    return out if mask is None else out * mask


def ours(leaves, mean, variance, mask=None, multiplier=None):
    """Return the layer, and what it makes of x."""
    x, *parameters = leaves
    for parameter in parameters:
        parameter.grad = torch.full_like(parameter, 9.0)
    made = StackedDense(*parameters, mean, variance, len(x), Workspace(), "a")
    out = made.forward(x, mask, multiplier)
    move([made], x.shape[2])
    return made, out


@settings(max_examples=40, deadline=None)
@given(
    members=st.integers(1, 3),
    inputs=st.integers(1, 4),
    units=st.integers(1, 4),
    rows=st.sampled_from([2, 3, 16, 33]),
    masked=st.booleans(),
    multiplied=st.booleans(),
    seed=st.integers(0, 99),
)
def test_as_torch_does_it(members, inputs, units, rows, masked, multiplied, seed):
    made = parts(members, inputs, units, rows, seed)
    draw = torch.Generator().manual_seed(seed + 1)
    mask = multiplier = None
    if masked:
        mask = 1.5 * torch.randint(0, 2, (members, units, rows), generator=draw).double()
    if multiplied:
        multiplier = torch.randn(members, units, 1, generator=draw, dtype=torch.float64)
    *leaves, mean, variance, above = (value.clone() for value in made)
    step, out = ours(leaves, mean, variance, mask, multiplier)
    mine = [out, mean, variance, step.backward(above), *(leaf.grad for leaf in leaves[1:])]
    *leaves, mean, variance, above = (value.clone() for value in made)
    for leaf in leaves:
        leaf.requires_grad_()
    out = plain(*leaves, mean, variance, mask, multiplier)
    out.backward(above)
    torchs = [out.detach(), mean, variance, *(leaf.grad for leaf in leaves)]
    for one, other in zip(mine, torchs, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-7, atol=1e-9)


def test_stacked_layers_with_inputs_of_their_own_count_as_members():
    """Parameters of shape (P, M, ...), as the branches have them."""
    x, weight, gain, shift, mean, variance, above = parts(6, 3, 4, 16)
    step, out = ours([x, weight, gain, shift], mean.clone(), variance.clone())
    expected = [out.clone(), step.backward(above.clone()).clone(), weight.grad]
    leaves = [x, *(value.view(2, 3, *value.shape[1:]) for value in (weight, gain, shift))]
    step, out = ours(leaves, *(value.view(2, 3, 4).clone() for value in (mean, variance)))
    stacked = [out, step.backward(above.clone()), leaves[1].grad.view(weight.shape)]
    for one, other in zip(stacked, expected, strict=True):
        assert one.equal(other)


def test_a_layer_by_hand():
    """One unit, x = 1, 2, 3, 6 with weight 1: mean 3, variance 3.5."""
    x = torch.tensor([[[1.0, 2.0, 3.0, 6.0]]], dtype=torch.float64)
    one, zero = torch.ones(1, 1, dtype=torch.float64), torch.zeros(1, 1, dtype=torch.float64)
    mean, variance = zero.clone(), one.clone()
    _, out = ours([x, one.view(1, 1, 1).clone(), 2.0 * one, one.clone()], mean, variance)
    deviation = 3.50001**0.5
    expected = [1 - 4 / deviation, 1 - 2 / deviation, 1.0, 1 + 6 / deviation]
    assert out[0, 0].tolist() == pytest.approx([max(0.0, value) for value in expected])
    assert float(mean) == pytest.approx(0.3)
    # The unbiased variance is 14/3.
    assert float(variance) == pytest.approx(0.9 + 14 / 30)


def test_a_member_that_diverged_stays_so_and_harms_nobody():
    x, weight, gain, shift, mean, variance, above = parts(2, 3, 4, 16)
    alone = [value[1:].clone() for value in (x, weight, gain, shift, mean, variance)]
    weight[0, 0, 0] = float("nan")
    step, out = ours([x, weight, gain, shift], mean, variance)
    step.backward(above.clone())
    assert out[0].isnan().any()
    assert weight.grad[0].isnan().any()
    single, own = ours(alone[:4], *alone[4:])
    single.backward(above[1:])
    assert out[1].equal(own[0])
    assert weight.grad[1].equal(alone[1].grad[0])


def test_a_workspace_reuses_tensors_and_is_bounded():
    workspace, like = Workspace(), torch.zeros(1)
    first = workspace.take("a", (2, 3), like)
    assert workspace.take("a", (2, 3), like) is first
    assert workspace.take("b", (2, 3), like) is not first
    assert workspace.take("a", (3, 2), like) is not first
    assert workspace.take("a", (2, 3), like.double()).dtype == torch.float64
    for rows in range(2 * MOST):
        workspace.take("rows", (rows,), like)
        assert len(workspace._tensors) <= MOST
