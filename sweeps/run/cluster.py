"""Start Ray or join a Ray cluster, and check that a study can run on it."""

from __future__ import annotations

import hashlib
import logging
import os
import platform
import socket
import sys
import time
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
from grad_ext.sweeps.run.resources import (
    SHARED_PACKAGES,
    GpuProbe,
    Resources,
    checked_cpus,
    free_memory,
)

# Ray reads these when it or Tune starts: no usage reports, no output beside our progress bar, no
# loggers but the one that Tune needs; and no idle processes, since Tune starts its own.
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
# Seconds that Ray is waited for when it is started once more, beside its own 30, and between two looks.
LONGER_WAIT, NODE_POLL = 120.0, 0.5
# Seconds to wait for the answer of a node.
NODE_TIMEOUT = 120.0
# Seconds to wait for a connection to an address.
CONNECT_TIMEOUT = 5.0


@contextmanager
def environment() -> Iterator[None]:
    """Set the variables that keep Ray quiet, and restore them."""
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
    """The part of a running Ray that a study uses.

    Attributes
    ----------
    workers : int
        Packs that run side by side.
    per_pack : mapping of str to float
        Ray resources of each pack.
    free : float or None
        The least free GPU memory (bytes) of a pack; None without GPUs.
    """

    workers: int
    per_pack: Mapping[str, float] = field(default_factory=lambda: {"cpu": 1})
    free: float | None = None


@dataclass(frozen=True)
class Node:
    """A node of a cluster, as a process on it reports.

    Attributes
    ----------
    name : str
        Name or address of the node.
    versions : dict of str to str
        Versions that all nodes must share, and a hash of grad-ext's source.
    reaches_folder : bool
        Whether it reaches the study's folder.
    memory : tuple of float
        Free memory (bytes) of each GPU that torch can use on the node.
    """

    name: str
    versions: dict[str, str]
    reaches_folder: bool
    memory: tuple[float, ...]


def source() -> str:
    """Return a hash of grad-ext's own source, since development versions share one number."""
    digest = hashlib.sha256()
    for package in (grad_ext, grad_ext.adapters, grad_ext.sweeps):
        (folder,) = package.__path__
        for path in sorted(Path(folder).rglob("*.py")):
            digest.update(path.relative_to(folder).as_posix().encode())
            digest.update(path.read_bytes())
    return digest.hexdigest()[:12]


def shared_versions() -> dict[str, str]:
    """Return the versions that all nodes must share."""
    versions = {
        "python": ".".join(platform.python_version_tuple()[:2]),
        "grad-ext's source": source(),
    }
    for package in SHARED_PACKAGES:
        try:
            versions[package] = version(package)
        except PackageNotFoundError:
            versions[package] = "none"
    return versions


def inspect_node(name: str, token: str | None, gpus: bool) -> Node:
    """Return the node that this process runs on; `token` is a file in the study's folder."""
    memory = free_memory() if gpus else ()
    return Node(name, shared_versions(), token is None or Path(token).exists(), memory)


@contextmanager
def cluster(resources: Resources, folder: Path) -> Iterator[Cluster]:
    """Start Ray or join a cluster, and yield the part of it that a study uses.

    A Ray that this process has already started or joined is used and left running.

    Parameters
    ----------
    resources : Resources
        What the study may use.
    folder : pathlib.Path
        The study's folder, which all nodes must reach unless there is a storage.

    Raises
    ------
    InputError
        If there is no such cluster, it has fewer GPUs, a node has other versions or does not reach
        the folder.
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
        with ExitStack() as cleanup:
            probe = GpuProbe() if alone and resources.gpus_per_pack else None
            if probe is not None:
                cleanup.callback(probe.stop)
            if owned:
                _start(resources)
                cleanup.callback(ray.shutdown)
            yield _checked(resources, folder, not alone, probe)


def _start(resources: Resources) -> None:
    import ray

    quiet: dict[str, Any] = {"log_to_driver": False, "logging_level": logging.ERROR}
    if resources.address is None:
        _start_here(checked_cpus(resources.num_cpus), quiet)
        return
    try:
        _check_reachable(resources.address)
        ray.init(address=resources.address, **quiet)
    # RuntimeError: the cluster has another version of Ray or Python.
    except (ConnectionError, ValueError, RuntimeError) as error:
        first = str(error).strip().splitlines()[0]
        raise InputError(
            f"address: cannot join a Ray cluster at {resources.address!r}: {first} Start one with "
            "`ray start --head`, or leave the address out to use this machine alone"
        ) from None


def _start_here(cpus: int, quiet: Mapping[str, Any]) -> None:
    """Start a Ray on this machine, which listens on the loopback interface only.

    A start that fails, as on a busy machine, is tried once more with a longer wait.
    """
    import ray

    lines: list[str] = []
    with _loopback():
        for wait in (0.0, LONGER_WAIT):
            try:
                with _patient(wait):
                    ray.init(
                        address="local",
                        num_cpus=cpus,
                        include_dashboard=False,
                        object_store_memory=OBJECT_STORE_BYTES,
                        **quiet,
                    )
                return
            # Ray raises whatever its parts do, plain exceptions too.
            except Exception as error:  # noqa: BLE001
                ray.shutdown()
                lines = str(error).strip().splitlines() or [type(error).__name__]
    raise InputError(
        f"engine: Ray does not start on this machine: {lines[0]} Use --engine local, which needs no Ray"
    )


@contextmanager
def _loopback() -> Iterator[None]:
    """Let a Ray that is started here take the loopback address for its own, and no other."""
    from ray._private import ray_constants

    # Ray itself does so on macOS and Windows. Given an address, it would replace the loopback's.
    before = ray_constants.ENABLE_RAY_CLUSTER
    ray_constants.ENABLE_RAY_CLUSTER = False
    try:
        yield
    finally:
        ray_constants.ENABLE_RAY_CLUSTER = before


@contextmanager
def _patient(seconds: float) -> Iterator[None]:
    """Wait longer for a Ray that is started here: what asks for its node answers later."""
    from ray._private import services

    before: Any = services.get_node
    end = time.monotonic() + seconds

    def get_node(*arguments: Any) -> Any:
        while True:
            try:
                return before(*arguments)
            except RuntimeError:
                if time.monotonic() > end:
                    raise
                time.sleep(NODE_POLL)

    services.get_node = get_node
    try:
        yield
    finally:
        services.get_node = before


def _check_reachable(address: str) -> None:
    """Raise ConnectionError if nothing answers at the address; Ray itself would take minutes."""
    host, sign, port = address.rpartition(":")
    if not sign or "://" in address or not port.isdecimal():
        return
    try:
        socket.create_connection((host, int(port)), timeout=CONNECT_TIMEOUT).close()
    except OSError as error:
        raise ConnectionError(f"nothing answers at this address ({error}).") from None


def _checked(resources: Resources, folder: Path, joined: bool, probe: GpuProbe | None) -> Cluster:
    """Return the part of a running Ray that a study uses, if the study can run on it."""
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
        raise InputError(
            f"gpus_per_pack: expected at most {gpus:g}, which {where} has, got {share:g}"
        )
    inspected: list[Node] = []
    if probe is not None:
        inspected = [Node("this machine", shared_versions(), True, probe.result())]
    elif joined:
        inspected = _inspect(nodes, folder, resources)
        _check(inspected, folder)
    if not share:
        return Cluster(min(cpus, resources.num_cpus or cpus))
    # A share of a GPU lies on one of them.
    fit = [int(node["Resources"].get("GPU", 0.0) / share + 1e-9) for node in nodes]
    free = [memory for node in inspected for memory in node.memory]
    _check_gpus(nodes, inspected)
    workers = max(1, min(cpus, sum(fit), resources.num_cpus or cpus))
    return Cluster(workers, {"cpu": 1, "gpu": share}, min(free) * share)


def _inspect(nodes: Sequence[Mapping[str, Any]], folder: Path, resources: Resources) -> list[Node]:
    """Inspect every node, in a process on it."""
    import ray
    from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

    token = None if resources.storage is not None else folder / f".nodes.{uuid4().hex}"
    if token is not None:
        token.touch()
    # A process that has used a GPU holds some of its memory until it ends: one call per process.
    remote: Any = ray.remote(num_cpus=0, max_calls=1)(inspect_node)
    try:
        pending = [
            remote.options(
                scheduling_strategy=NodeAffinitySchedulingStrategy(node["NodeID"], soft=False)
            ).remote(
                node["NodeManagerAddress"], token and str(token), bool(resources.gpus_per_pack)
            )
            for node in nodes
        ]
        inspected: list[Node] = []
        for node, result in zip(nodes, pending, strict=True):
            try:
                inspected.append(ray.get(result, timeout=NODE_TIMEOUT))
            except ray.exceptions.RayError as error:
                first = str(error).strip().splitlines()[-1]
                raise InputError(
                    f"node {node['NodeManagerAddress']} cannot run grad-ext: {first} Install the same "
                    "versions as on this machine"
                ) from None
        return inspected
    finally:
        if token is not None:
            token.unlink(missing_ok=True)


def _check(nodes: Sequence[Node], folder: Path) -> None:
    own = shared_versions()
    for node in nodes:
        other = [
            f"{name} {node.versions.get(name, 'none')} (this machine: {number})"
            for name, number in own.items()
            if node.versions.get(name) != number
        ]
        if other:
            raise InputError(f"node {node.name} has {', '.join(other)}: install the same versions")
        if not node.reaches_folder:
            raise InputError(
                f"node {node.name} does not reach the study's folder {folder}: use a folder that all "
                "nodes reach, or name a storage that they reach, such as s3://bucket/study"
            )


def _check_gpus(nodes: Sequence[Mapping[str, Any]], inspected: Sequence[Node]) -> None:
    for counts, node in zip(nodes, inspected, strict=True):
        counted = counts["Resources"].get("GPU", 0.0)
        if counted and len(node.memory) < counted:
            raise InputError(
                f"gpus_per_pack: node {node.name} has {counted:g} GPUs by Ray's count, and its torch "
                f"({node.versions['torch']}) can use {len(node.memory)} of them"
            )


def assigned_device() -> str:
    """Return torch's name of the GPU that Ray assigned to this process, or of the CPU.

    A process without an assigned GPU sees all of them, so `torch.cuda.is_available` does not tell.
    """
    # A process that Ray started has imported it.
    ray = sys.modules.get("ray")
    if ray is None:
        return "cpu"
    # Ray hides the other GPUs, so the assigned one is the first.
    return "cuda" if ray.is_initialized() and ray.get_gpu_ids() else "cpu"
