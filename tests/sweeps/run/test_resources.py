"""What a study may use, what runs it, and the process that reads the memory of this machine's GPUs."""

import os

import pytest
import torch

from grad_ext.errors import InputError
from grad_ext.sweeps.run.resources import GpuProbe, Resources, checked_cpus, free_memory


def test_a_process_looks_and_is_done():
    probe = GpuProbe()
    found = probe.result()
    assert len(found) == torch.cuda.device_count() == len(free_memory())
    assert all(memory > 0 for memory in found)
    # However often it is asked, and ended when its work is done.
    assert probe.result() == found
    probe.stop()
    probe.stop()
    assert probe.result() == found
    assert probe._process.returncode == 0


def test_one_that_is_not_needed_any_more_is_ended():
    probe = GpuProbe()
    probe.stop()
    assert probe._process.returncode not in (None, 0)
    assert probe.result() == ()


def test_no_more_cpus_than_there_are():
    there = len(os.sched_getaffinity(0))
    assert checked_cpus(None) == checked_cpus(there) == there
    for bad in (0, -1, there + 1):
        with pytest.raises(InputError, match=f"expected 1 to {there} CPUs .*, got {bad}"):
            checked_cpus(bad)


@pytest.mark.parametrize(
    ("given", "uses_ray"),
    [
        ({}, False),
        ({"num_cpus": 1, "pack_size": "auto"}, False),
        ({"address": "auto"}, True),
        ({"storage": "memory://study"}, True),
        ({"engine": "ray"}, True),
        ({"engine": "local"}, False),
    ],
)
def test_ray_runs_what_nothing_else_can(given, uses_ray):
    assert Resources(**given).uses_ray is uses_ray


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"engine": "rai"}, "unknown engine 'rai': did you mean 'ray'"),
        ({"engine": "local", "address": "auto"}, "'ray' or 'auto' with address, got 'local'"),
    ],
)
def test_an_engine_that_cannot_run_the_study_is_refused(given, message):
    with pytest.raises(InputError, match=message):
        Resources(**given)
