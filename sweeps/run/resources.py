"""What a study may use: CPUs, GPUs, a Ray cluster, and a storage for records.

Run as a program, print the free memory of this machine's GPUs: see `GpuProbe`.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import dataclass

from grad_ext.errors import InputError, unknown
from grad_ext.sweeps.run.storage import Storage

# Pack size that is chosen from the free memory.
AUTO = "auto"
# What runs packs; 'auto' is Ray where only Ray can, and this machine's processes everywhere else.
ENGINES = (AUTO, "local", "ray")
# Packages whose versions all nodes must share, since records depend on them or cannot be exchanged
# otherwise.
SHARED_PACKAGES = ("grad-ext", "torch", "numpy", "scikit-learn", "ray")


def available_cpus() -> int:
    """Return how many CPUs this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def checked_cpus(num_cpus: int | None) -> int:
    """Return the number of CPUs to use, all of them if not given.

    Raises
    ------
    InputError
        If it is less than 1 or more than the machine has.
    """
    available = available_cpus()
    if num_cpus is None:
        return available
    if not 1 <= num_cpus <= available:
        raise InputError(
            f"expected 1 to {available} CPUs (this machine has {available}), got {num_cpus}"
        )
    return num_cpus


@dataclass(frozen=True)
class Resources:
    """What a study may use.

    Parameters
    ----------
    num_cpus : int, optional
        How many packs run side by side on this machine, one CPU each; all CPUs if not given.
    pack_size : int or 'auto', optional
        Most models in a pack. 'auto', the default with GPUs, is as many models as their memory
        holds; without GPUs the default is 16.
    gpus_per_pack : float
        GPUs for each pack: 0.25 puts four packs on one. At most 1, since a pack is one program.
    address : str, optional
        Address of a running Ray cluster: 'auto' for the one that this machine, or the job, belongs
        to.
    storage : str, optional
        URI of a folder that all nodes of the cluster reach, where they do not reach the study's
        own: nodes write records there, and they are copied from there into the study's folder.
    engine : {'auto', 'local', 'ray'}
        What runs packs: processes of this machine, or Ray. 'auto' is Ray with GPUs, an address, a
        storage, or a Ray that this process has started or joined. Results do not depend on it.

    Raises
    ------
    InputError
        If a value is out of range, or this machine lacks what it asks for.

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
    engine: str = AUTO

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
                    "num_cpus applies to a Ray that is started here, and the cluster at "
                    f"{self.address!r} has CPUs of its own: leave it out"
                )
        else:
            checked_cpus(self.num_cpus)
            if self.gpus_per_pack:
                check_gpus()
        if self.storage is not None:
            Storage(self.storage)
        if self.engine not in ENGINES:
            raise unknown("engine", self.engine, ENGINES)
        needs = [name for name in ("gpus_per_pack", "address", "storage") if getattr(self, name)]
        if self.engine == "local" and needs:
            raise InputError(
                f"engine: expected 'ray' or 'auto' with {' and '.join(needs)}, got 'local', which is "
                "for this machine's CPUs"
            )

    @property
    def uses_ray(self) -> bool:
        """Whether Ray runs the packs."""
        if self.engine != AUTO:
            return self.engine == "ray"
        if self.gpus_per_pack or self.address is not None or self.storage is not None:
            return True
        # Imported by the user, if at all.
        ray = sys.modules.get("ray")
        return ray is not None and bool(ray.is_initialized())


def check_gpus() -> None:
    """Check that torch can use a GPU of this machine.

    Raises
    ------
    InputError
        If there is none, or torch is built without CUDA.
    """
    import torch

    if not torch.cuda.is_available():
        why = (
            f"torch {torch.__version__} is built without CUDA: install a build with it, see pytorch.org"
            if torch.version.cuda is None
            else f"torch {torch.__version__} (CUDA {torch.version.cuda}) finds none that it can use"
        )
        raise InputError(f"gpus_per_pack: this machine has no GPU for packs: {why}")


def free_memory() -> tuple[float, ...]:
    """Return the free memory (bytes) of each GPU that torch can use on this machine."""
    import torch

    if not torch.cuda.is_available():
        return ()
    every = range(torch.cuda.device_count())
    return tuple(float(torch.cuda.mem_get_info(device)[0]) for device in every)


class GpuProbe:
    """A process that reads the free memory of this machine's GPUs.

    A process that has used a GPU holds some of its memory until it ends, so the driver does not read
    it itself. Reading takes seconds, during which Ray starts.
    """

    def __init__(self) -> None:
        self._memory: tuple[float, ...] | None = None
        self._process = subprocess.Popen(
            [sys.executable, "-P", "-m", __name__],
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )

    def result(self) -> tuple[float, ...]:
        """Wait for the process and return the free memory (bytes) of each GPU; () if it failed."""
        if self._memory is None:
            output, _ = self._process.communicate()
            self._memory = tuple(json.loads(output)) if self._process.returncode == 0 else ()
        return self._memory

    def stop(self) -> None:
        """End the process if it still runs."""
        if self._memory is None:
            self._process.kill()
            self._process.communicate()
            self._memory = ()


if __name__ == "__main__":
    print(json.dumps(free_memory()))
