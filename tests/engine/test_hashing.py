"""Random bits from positions and keys."""

import torch

from grad_ext.engine.hashing import keyed, mixed


def test_the_hash_is_a_permutation():
    numbers = torch.arange(2**16, dtype=torch.int32)
    assert len(mixed(numbers).unique()) == 2**16


def test_bits_depend_on_both_keys_and_on_nothing_else():
    numbers = torch.arange(4096, dtype=torch.int32)
    keys = torch.tensor([[1, 2], [1, 3], [4, 2], [1, 2]], dtype=torch.int32)
    bits = keyed(numbers, keys)
    assert bits.shape == (4, 4096)
    assert torch.equal(bits[0], bits[3])
    assert torch.equal(bits[1], keyed(numbers, keys[1:2])[0])
    for other in (1, 2):
        assert (bits[0] == bits[other]).sum() <= 1
    # Half of the signs are negative, within five standard deviations.
    assert abs((bits < 0).float().mean().item() - 0.5) < 5 * 0.5 / (4 * 4096) ** 0.5
