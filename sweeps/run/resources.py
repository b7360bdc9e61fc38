"""What a study may use: processors, GPUs, a cluster, and where its nodes leave what they made."""

from __future__ import annotations

import os
from dataclasses import dataclass

from grad_ext.errors import InputError

# Width of a pack that is chosen from the memory that is free.
AUTO = "auto"
# Versions of one another's packages that nodes must agree on, since records depend on them or cannot
# be handed over otherwise.
AGREED = ("grad-ext", "torch", "numpy", "scikit-learn", "ray")


def available_cpus() -> int:
    """Return how many CPUs this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def checked_cpus(num_cpus: int | None) -> int:
    """Return the number of CPUs to use, all of them if not given.

    Raises
    ------
    InputError
        If it is less than 1 or more than there are.
    """
    there = available_cpus()
    if num_cpus is None:
        return there
    if not 1 <= num_cpus <= there:
        raise InputError(f"expected 1 to {there} CPUs (this machine has {there}), got {num_cpus}")
    return num_cpus


@dataclass(frozen=True)
class Resources:
    """What a study may use.

    Parameters
    ----------
    num_cpus : int, optional
        How many packs run side by side on this machine, one CPU each; all CPUs if not given.
    pack_size : int or 'auto', optional
        Widest pack. 'auto', the default with GPUs, is as many models as their memory holds, and 16
        without.
    gpus_per_pack : float
        GPUs that a pack is given: 0.25 puts four packs on one. At most 1, since a pack is one program.
    address : str, optional
        Of a Ray cluster that runs: 'auto' for the one that this machine, or the job, belongs to.
    storage : str, optional
        URI of a folder that all nodes of the cluster reach, where the study's own is none: records go
        there, and come from there into the study's folder.

    Raises
    ------
    InputError
        If something makes no sense, or this machine has no such thing.

    Examples
    --------
    >>> from grad_ext.sweeps.run.resources import Resources
    >>> Resources(num_cpus=1, pack_size=8).gpus_per_pack
    0.0
    """

    num_cpus: int | None = None
    pack_size: int | str | None = None
    gpus_per_pack: float = 0.0
    address: str | None = None
    storage: str | None = None

    def __post_init__(self) -> None:
        size = self.pack_size
        if isinstance(size, str) and size != AUTO:
            raise InputError(f"pack_size: expected a whole number or {AUTO!r}, got {size!r}")
        if isinstance(size, int) and size < 1:
            raise InputError(f"a pack needs at least one model, got {size}")
        if not 0.0 <= self.gpus_per_pack <= 1.0:
            raise InputError(
                "gpus_per_pack: expected at most 1, since a pack trains on one GPU, and at least 0, "
                f"got {self.gpus_per_pack:g}"
            )
        if self.address is not None:
            if self.num_cpus is not None:
                raise InputError(
                    "num_cpus is of a Ray that is started here, and the cluster at "
                    f"{self.address!r} has CPUs of its own: leave it out"
                )
        else:
            checked_cpus(self.num_cpus)
            if self.gpus_per_pack:
                check_gpus()
        if self.storage is not None:
            from grad_ext.sweeps.run.storage import Storage

            Storage(self.storage)


def check_gpus() -> None:
    """Refuse to use GPUs where torch sees none.

    Raises
    ------
    InputError
        If this machine has none, or torch is built without them.
    """
    import torch

    if not torch.cuda.is_available():
        why = (
            f"torch {torch.__version__} is built without CUDA: install a build with it, see pytorch.org"
            if torch.version.cuda is None
            else f"torch {torch.__version__} (CUDA {torch.version.cuda}) finds none that it can use"
        )
        raise InputError(f"gpus_per_pack: this machine has no GPU for packs: {why}")
