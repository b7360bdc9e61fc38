"""The kernels for GPUs against torch's own operators: on a GPU, or in Triton's interpreter.

Run by test_kernels.py in a process of its own.
"""

# torch.jit and Triton take arguments that their stubs do not know.
# mypy: disable-error-code="call-arg"

import os

import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st

DEVICE = "cuda" if torch.cuda.is_available() else "cpu"
if DEVICE == "cpu":
    # Read when Triton is imported.
    os.environ["TRITON_INTERPRET"] = "1"

from grad_ext.engine.dense import fuses
from grad_ext.engine.dropout import Dropout
from grad_ext.engine.kernels import MOST_ROWS, Drawn, backward, forward
from grad_ext.engine.network import Network
from grad_ext.engine.shape import Shape

MOMENTUM, EPS = 0.1, 1e-5


def layer(members, units, rows, seed=0):
    """Return what a layer has: product, gain, shift, running mean and variance, upper gradient."""
    draw = torch.Generator().manual_seed(seed)
    channels = members * units
    h = torch.randn(members, units, rows, generator=draw) * 3.0 + 1.0
    gain, shift = torch.randn(channels, generator=draw), torch.randn(channels, generator=draw)
    mean, variance = torch.randn(channels, generator=draw), torch.rand(channels, generator=draw)
    above = torch.randn(members, units, rows, generator=draw)
    return [value.to(DEVICE) for value in (h, gain, shift, mean, variance, above)]


def plain(h, gain, shift, mean, variance, mask=None):
    out = F.batch_norm(
        h.reshape(1, -1, h.shape[2]), mean, variance, gain, shift, True, MOMENTUM, EPS
    )
    out = torch.relu(out).view(h.shape)
    return out if mask is None else out * mask


def both(parts, drawn, mask):
    """Return what each way gives: output, running statistics, gradients."""
    h, gain, shift, mean, variance, above = (value.clone() for value in parts)
    out, saved = torch.full_like(h, 9.0), torch.full_like(gain, 9.0).repeat(2, 1)
    forward(h, gain, shift, mean, variance, MOMENTUM, EPS, drawn, out, saved)
    gradients = [torch.full_like(value, 9.0) for value in (h, gain, shift)]
    backward(above, h, gain, shift, saved, drawn, *gradients)
    fused = [out, mean, variance, *gradients]
    *leaves, mean, variance, above = (value.clone() for value in parts)
    for leaf in leaves:
        leaf.requires_grad_()
    out = plain(*leaves, mean, variance, mask)
    out.backward(above)
    return fused, [out.detach(), mean, variance, *(leaf.grad for leaf in leaves)]


@settings(max_examples=12, deadline=None)
@given(
    members=st.integers(1, 3),
    units=st.integers(1, 9),
    rows=st.sampled_from([2, 16, 48, 112, 128, 144, 272]),
    seed=st.integers(0, 99),
)
def test_as_torch_normalises_and_rectifies(members, units, rows, seed):
    fused, separate = both(layer(members, units, rows, seed), None, None)
    for one, other in zip(fused, separate, strict=True):
        torch.testing.assert_close(one, other, rtol=2e-4, atol=2e-5)


def dropout_of(seeds, share, trunk=(6, 5), branch=(4,)):
    attribute = [_attribute()]
    network = Network(Shape(3, trunk, branch, attributes=tuple(attribute)), seeds).on(DEVICE)
    return Dropout(network, seeds, share)


def _attribute():
    from grad_ext.outputs import Binary

    return Binary("a")


@pytest.mark.parametrize("rows", [16, 112])
def test_units_are_dropped_as_the_hash_has_it(rows):
    seeds = [3, 4]
    dropout = dropout_of(seeds, 0.3)
    dropout._key.copy_(torch.tensor([[2**31 - 1, -5], [7, -(2**31)]], dtype=torch.int32))
    drawn = dropout._drawn(rows)
    # Both branches' units are in one layer; the attribute branch keeps all of its own.
    sizes = [6, 5, 8]
    dropout._masks[rows] = [torch.ones(2, units, rows, device=DEVICE) for units in sizes]
    dropout._hash(rows)
    for units, one, mask in zip(sizes, drawn, dropout._masks[rows], strict=True):
        parts = layer(len(seeds), units, rows)
        fused, separate = both(parts, one, mask)
        for mine, torchs in zip(fused, separate, strict=True):
            torch.testing.assert_close(mine, torchs, rtol=2e-4, atol=2e-5)
    assert float((mask[:, 4:] == 1.0).float().mean()) == 1.0
    share = float((torch.cat([m[:, :4] for m in dropout._masks[rows]]) == 0).float().mean())
    assert share == pytest.approx(0.3, abs=0.09)  # four standard deviations at 16 rows


def test_a_member_that_diverged_stays_so_and_harms_nobody():
    parts = layer(2, 3, 32)
    parts[0][1] = float("nan")
    keys = torch.tensor([[1, 2], [3, 4]], dtype=torch.int32, device=DEVICE)
    for drawn in (None, Drawn(keys, 0, 3, 20_000, 1.5)):
        out, saved = torch.empty_like(parts[0]), torch.empty(2, 6, device=DEVICE)
        forward(*parts[:5], MOMENTUM, EPS, drawn, out, saved)
        assert out[1].isnan().any()
        assert out[0].isfinite().all()


def test_a_column_without_variance_is_its_shift():
    h, gain, shift, mean, variance, _ = layer(1, 2, 16)
    h[:] = 5.0
    out, saved = torch.empty_like(h), torch.empty(2, 2, device=DEVICE)
    forward(h, gain, shift, mean, variance, MOMENTUM, EPS, None, out, saved)
    expected = shift.clamp_min(0.0)[:, None].expand(2, 16)
    torch.testing.assert_close(out[0], expected)


def test_where_they_are_used():
    like = torch.zeros(3)
    assert not fuses(like, 64)
    if DEVICE == "cuda":
        assert fuses(like.cuda(), 64)
        assert not fuses(like.cuda(), 1)
        assert not fuses(like.cuda(), MOST_ROWS + 1)
        assert not fuses(like.double().cuda(), 64)


def test_public_callables_say_what_they_are():
    for public in (Drawn, forward, backward):
        assert public.__doc__
