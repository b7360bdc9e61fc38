"""Ray, started here or joined, and what a study gets of it."""

from __future__ import annotations

import hashlib
import logging
import os
import platform
import socket
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any
from uuid import uuid4

import grad_ext
import grad_ext.adapters
import grad_ext.sweeps
from grad_ext.errors import InputError, MissingToolkit
from grad_ext.sweeps.run.gpus import Looking, free_memory
from grad_ext.sweeps.run.resources import AGREED, Resources, checked_cpus

# Ray reads these when it is imported and when Tune starts: no reports of use, no output of its own
# beside the progress bar, no loggers but the one that Tune needs; and no processes kept in store,
# since Tune starts its own.
ENVIRONMENT = {
    "RAY_AIR_NEW_OUTPUT": "0",
    "RAY_CHDIR_TO_TRIAL_DIR": "0",
    "RAY_USAGE_STATS_ENABLED": "0",
    "RAY_prestart_worker_first_driver": "0",
    "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "0",
    "TUNE_DISABLE_AUTO_CALLBACK_LOGGERS": "1",
    "TUNE_PRINT_ALL_TRIAL_ERRORS": "0",
}
OBJECT_STORE_BYTES = 512 * 2**20
# Seconds until a node is given up that does not answer.
PATIENCE = 120.0
# Seconds until an address is given up at which nobody answers.
KNOCK = 5.0


@contextmanager
def environment() -> Iterator[None]:
    """Have Ray quiet, from its import on."""
    before = {name: os.environ.get(name) for name in ENVIRONMENT}
    os.environ.update(ENVIRONMENT)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value


@dataclass(frozen=True)
class Cluster:
    """What a study gets of a Ray that runs.

    Attributes
    ----------
    workers : int
        Packs that run side by side.
    per_pack : mapping of str to float
        What each of them is given, as Ray has it.
    free : float or None
        The least free memory (bytes) that a pack may count on on a GPU; None without GPUs.
    """

    workers: int
    per_pack: Mapping[str, float] = field(default_factory=lambda: {"cpu": 1})
    free: float | None = None


@dataclass(frozen=True)
class Node:
    """What a process on a node sees.

    Attributes
    ----------
    name : str
        The node's.
    versions : dict of str to str
        Of what nodes must agree on, and of grad-ext's own source.
    sees : bool
        Whether it sees the study's folder.
    memory : tuple of float
        Free memory (bytes) of each GPU that torch can use there.
    """

    name: str
    versions: dict[str, str]
    sees: bool
    memory: tuple[float, ...]


def source() -> str:
    """Return a hash of grad-ext's own source: development versions all have one number."""
    digest = hashlib.sha256()
    for package in (grad_ext, grad_ext.adapters, grad_ext.sweeps):
        (place,) = package.__path__
        for path in sorted(Path(place).rglob("*.py")):
            digest.update(path.relative_to(place).as_posix().encode())
            digest.update(path.read_bytes())
    return digest.hexdigest()[:12]


def agreed() -> dict[str, str]:
    """Return the versions that nodes must agree on."""
    found = {"python": ".".join(platform.python_version_tuple()[:2]), "grad-ext's source": source()}
    for package in AGREED:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            found[package] = "none"
    return found


def look(name: str, token: str | None, gpus: bool) -> Node:
    """Return what this process sees."""
    memory = free_memory() if gpus else ()
    return Node(name, agreed(), token is None or Path(token).exists(), memory)


@contextmanager
def cluster(resources: Resources, folder: Path) -> Iterator[Cluster]:
    """Start Ray, or join a cluster, and look whether a study can run there.

    A Ray that this process has started or joined already is used, and left running.

    Parameters
    ----------
    resources : Resources
        What the study may use.
    folder : pathlib.Path
        The study's, which nodes must see unless there is a storage.

    Raises
    ------
    InputError
        If there is no such cluster, it has fewer GPUs, a node has other versions or does not see the
        folder.
    MissingToolkit
        If Ray is not installed.
    """
    with environment():
        try:
            import ray
        except ImportError as error:
            raise MissingToolkit("ray", "tune") from error
        owned = not ray.is_initialized()
        alone = owned and resources.address is None
        with ExitStack() as ending:
            looking = Looking() if alone and resources.gpus_per_pack else None
            if looking is not None:
                ending.callback(looking.stop)
            if owned:
                _start(resources)
                ending.callback(ray.shutdown)
            yield _gets(resources, folder, not alone, looking)


def _start(resources: Resources) -> None:
    import ray

    quiet: dict[str, Any] = {"log_to_driver": False, "logging_level": logging.ERROR}
    if resources.address is None:
        ray.init(
            address="local",
            num_cpus=checked_cpus(resources.num_cpus),
            include_dashboard=False,
            object_store_memory=OBJECT_STORE_BYTES,
            **quiet,
        )
        return
    try:
        _knock(resources.address)
        ray.init(address=resources.address, **quiet)
    # Ray's word for other versions of Ray or Python than the cluster's is RuntimeError.
    except (ConnectionError, ValueError, RuntimeError) as error:
        first = str(error).strip().splitlines()[0]
        raise InputError(
            f"address: cannot join a Ray cluster at {resources.address!r}: {first} Start one with "
            "`ray start --head`, or leave the address out to use this machine alone"
        ) from None


def _knock(address: str) -> None:
    """Raise ConnectionError where nobody answers, for which Ray itself would take minutes."""
    host, sign, port = address.rpartition(":")
    if not sign or "://" in address or not port.isdecimal():
        return
    try:
        socket.create_connection((host, int(port)), timeout=KNOCK).close()
    except OSError as error:
        raise ConnectionError(f"nobody answers there ({error}).") from None


def _gets(resources: Resources, folder: Path, joined: bool, looking: Looking | None) -> Cluster:
    """Return what a study gets, if it can run; on a Ray of its own this machine looks at its GPUs."""
    import ray

    every: list[dict[str, Any]] = ray.nodes()  # type: ignore[no-untyped-call]
    nodes = [node for node in every if node["Alive"]]
    share = resources.gpus_per_pack
    cpus = sum(int(node["Resources"].get("CPU", 0)) for node in nodes)
    gpus = sum(node["Resources"].get("GPU", 0.0) for node in nodes)
    if not cpus:
        raise InputError("the Ray cluster has no CPU to train on")
    if share and gpus < share:
        where = "the cluster" if joined else "this machine"
        raise InputError(f"gpus_per_pack: {share:g} were asked for, {where} has {gpus:g}")
    seen: list[Node] = []
    if looking is not None:
        seen = [Node("this machine", agreed(), True, looking.result())]
    elif joined:
        seen = _looks(nodes, folder, resources)
        _check(seen, resources, folder)
    if not share:
        return Cluster(min(cpus, resources.num_cpus or cpus))
    # A share of a GPU lies on one of them.
    fit = [int(node["Resources"].get("GPU", 0.0) / share + 1e-9) for node in nodes]
    free = [memory for node in seen for memory in node.memory]
    _check_gpus(nodes, seen)
    workers = max(1, min(cpus, sum(fit), resources.num_cpus or cpus))
    return Cluster(workers, {"cpu": 1, "gpu": share}, min(free) * share)


def _looks(nodes: Sequence[Mapping[str, Any]], folder: Path, resources: Resources) -> list[Node]:
    """Have every node look at itself."""
    import ray
    from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

    token = None if resources.storage is not None else folder / f".nodes.{uuid4().hex}"
    if token is not None:
        token.touch()
    # A process that has looked at a GPU keeps some of its memory, so it ends.
    remote: Any = ray.remote(num_cpus=0, max_calls=1)(look)
    try:
        asked = [
            remote.options(
                scheduling_strategy=NodeAffinitySchedulingStrategy(node["NodeID"], soft=False)
            ).remote(
                node["NodeManagerAddress"], token and str(token), bool(resources.gpus_per_pack)
            )
            for node in nodes
        ]
        found: list[Node] = []
        for node, each in zip(nodes, asked, strict=True):
            try:
                found.append(ray.get(each, timeout=PATIENCE))
            except ray.exceptions.RayError as error:
                first = str(error).strip().splitlines()[-1]
                raise InputError(
                    f"node {node['NodeManagerAddress']} cannot run grad-ext: {first} Install the same "
                    "versions there as here"
                ) from None
        return found
    finally:
        if token is not None:
            token.unlink(missing_ok=True)


def _check(seen: Sequence[Node], resources: Resources, folder: Path) -> None:
    here = agreed()
    for node in seen:
        other = [
            f"{name} {node.versions.get(name, 'none')} (here {number})"
            for name, number in here.items()
            if node.versions.get(name) != number
        ]
        if other:
            raise InputError(f"node {node.name} has {', '.join(other)}: install the same versions")
        if not node.sees:
            raise InputError(
                f"node {node.name} does not see the study's folder {folder}: put it where all nodes "
                "see it, or name a storage that they reach, such as s3://bucket/study"
            )


def _check_gpus(nodes: Sequence[Mapping[str, Any]], seen: Sequence[Node]) -> None:
    for node, found in zip(nodes, seen, strict=True):
        counted = node["Resources"].get("GPU", 0.0)
        if counted and len(found.memory) < counted:
            raise InputError(
                f"gpus_per_pack: node {found.name} has {counted:g} GPUs by Ray's count, and torch "
                f"({found.versions['torch']}) can use {len(found.memory)} of them there"
            )


def assigned_device() -> str:
    """Return torch's name of the GPU that Ray gave this process; the CPU if it gave none.

    A process that was given none sees them all, so what torch sees decides nothing.
    """
    import ray

    # Ray hides the others, so the one it gave is the first.
    return "cuda" if ray.is_initialized() and ray.get_gpu_ids() else "cpu"
