"""Random numbers on a device by a hash of a key and each number's position.

A thousand generators, one for every member of a pack, are too slow for a GPU. A hash has no state: any
number of draws are made at once, each from its key and its position alone.
"""

from __future__ import annotations

from torch import Tensor

# The hash "lowbias32" of C. Wellons ("Prospecting for hash functions", 2018): shifts and factors, the
# second as a signed integer of torch.
FACTORS = (0x7FEB352D, 0x846CA68B - 2**32)
SHIFTS = (16, 15, 16)


def mixed(bits: Tensor) -> Tensor:
    """Return the hash of int32 numbers, a permutation of all of them."""
    for shift, factor in zip(SHIFTS, (*FACTORS, 1), strict=True):
        # torch's shift copies the sign, so the upper bits are masked.
        bits = (bits ^ ((bits >> shift) & (2 ** (32 - shift) - 1))) * factor
    return bits


def keyed(numbers: Tensor, keys: Tensor) -> Tensor:
    """Return 32 random bits for every number and member, int32 of shape (P, N).

    Parameters
    ----------
    numbers : int32 Tensor of shape (N,)
        Positions, each only once.
    keys : int32 Tensor of shape (P, 2)
        Two keys of each member, for two rounds, so that the bits of equal numbers under different
        keys are independent.
    """
    return mixed(mixed(numbers ^ keys[:, :1]) ^ keys[:, 1:])
