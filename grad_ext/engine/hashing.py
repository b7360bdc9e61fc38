"""Random numbers on a device by a hash of a key and each number's place.

A generator for every member of a pack, which makes a member's draws its own, is too slow where a
thousand of them have to keep up with a GPU. A hash has no state: any number of draws are made at
once, each by its key and its place alone.
"""

from __future__ import annotations

from torch import Tensor

# The hash "lowbias32" of C. Wellons ("Prospecting for hash functions", 2018): shifts and factors, of
# which the second is written as torch's signed integers have it.
FACTORS = (0x7FEB352D, 0x846CA68B - 2**32)
SHIFTS = (16, 15, 16)


def mixed(bits: Tensor) -> Tensor:
    """Return int32 bits, well mixed: a permutation of all of them."""
    for shift, factor in zip(SHIFTS, (*FACTORS, 1), strict=True):
        # torch shifts the sign in, which does not belong to the bits.
        bits = (bits ^ ((bits >> shift) & (2 ** (32 - shift) - 1))) * factor
    return bits


def keyed(numbers: Tensor, keys: Tensor) -> Tensor:
    """Return 32 random bits for every number and member, int32 of shape (P, N).

    Parameters
    ----------
    numbers : int32 Tensor of shape (N,)
        Places, each but once.
    keys : int32 Tensor of shape (P, 2)
        Of each member; two in two rounds, so that equal numbers under two keys have nothing in
        common.
    """
    return mixed(mixed(numbers ^ keys[:, :1]) ^ keys[:, 1:])
