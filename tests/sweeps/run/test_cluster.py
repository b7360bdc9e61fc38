"""Studies on clusters: Ray's own nodes on this machine, what they must agree on, where records go."""

import subprocess
import sys
from dataclasses import replace

import pandas as pd
import pytest
from command import grad_ext

from grad_ext.cli import main
from grad_ext.errors import InputError
from grad_ext.sweeps.run.cluster import (
    Node,
    _check,
    _check_gpus,
    inspect_node,
    shared_versions,
)

STUDY = ["--values", "1,100", "--seeds", "2", "--epochs", "2", "--recipe", "paper"]


# Two nodes of one CPU, of which the second says that it has two GPUs.
NODES = """
import json, sys
from ray.cluster_utils import Cluster
cluster = Cluster(initialize_head=True, head_node_args={"num_cpus": 1})
cluster.add_node(num_cpus=1, num_gpus=2)
cluster.wait_for_nodes()
print(cluster.address, flush=True)
sys.stdin.read()
cluster.shutdown()
"""


@pytest.fixture(scope="module")
def address():
    """Of a cluster of two nodes, which lives as long as this file's tests."""
    nodes = subprocess.Popen(
        [sys.executable, "-c", NODES],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    yield nodes.stdout.readline().strip()
    nodes.communicate()


@pytest.fixture(scope="module")
def alone(tmp_path_factory):
    """The results of the study without a cluster."""
    folder = tmp_path_factory.mktemp("alone")
    assert grad_ext("sweep", "lambda", *STUDY, "--out", "study", cwd=folder).returncode == 0
    return pd.read_csv(folder / "study" / "results.csv").drop(columns="seconds")


@pytest.mark.slow
def test_two_nodes_give_what_one_machine_gives(address, alone, tmp_path):
    place = f"file://{tmp_path}/shared"
    options = (*STUDY, "--pack-size", "1", "--address", address, "--storage", place)
    done = grad_ext("sweep", "lambda", *options, "--out", "study", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    found = pd.read_csv(tmp_path / "study" / "results.csv").drop(columns="seconds")
    pd.testing.assert_frame_equal(found, alone, check_exact=True)
    there = sorted(path.name for path in (tmp_path / "shared" / "records").iterdir())
    assert there == sorted(path.name for path in (tmp_path / "study" / "records").iterdir())
    assert len(there) == 4
    # The folder is lost, or another machine goes on: what is in the storage is not trained again.
    again = grad_ext("sweep", "lambda", *options, "--out", "other", cwd=tmp_path)
    assert again.returncode == 0, again.stderr
    assert not (tmp_path / "other" / "study.log").exists()
    assert (tmp_path / "other" / "results.csv").read_bytes() == (
        tmp_path / "study" / "results.csv"
    ).read_bytes()


@pytest.mark.slow
def test_nodes_that_see_the_folder_write_into_it(address, alone, tmp_path):
    done = grad_ext(
        "sweep",
        "lambda",
        *STUDY,
        "--pack-size",
        "1",
        "--address",
        address,
        "--out",
        "study",
        cwd=tmp_path,
    )
    assert done.returncode == 0, done.stderr
    found = pd.read_csv(tmp_path / "study" / "results.csv").drop(columns="seconds")
    pd.testing.assert_frame_equal(found, alone, check_exact=True)
    assert not list((tmp_path / "study").glob(".nodes*"))


@pytest.mark.slow
def test_gpus_that_torch_cannot_use_are_refused(address, tmp_path):
    options = (*STUDY, "--address", address, "--out", "study")
    done = grad_ext("sweep", "lambda", *options, "--gpus-per-pack", "0.5", cwd=tmp_path)
    assert done.returncode == 2
    assert "2 GPUs by Ray's count, and its torch" in done.stderr
    assert "can use 0 of them" in done.stderr
    assert "Traceback" not in done.stderr
    assert not list((tmp_path / "study" / "records").iterdir())


def test_what_a_cluster_lacks_is_said_before_any_work(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    for options, message in {
        "--gpus-per-pack 0.5": "this machine has no GPU for packs: torch",
        "--gpus-per-pack 2": "expected at most 1, since a pack trains on one GPU",
        "--pack-size wide": "expected a whole number or 'auto', got 'wide'",
        "--pack-size 0": "a pack needs at least one model, got 0",
        "--address auto --num-cpus 1": "the cluster at 'auto' has CPUs of its own",
        "--storage bucket/study": "expected a URI such as s3://bucket/study",
        "--storage nowhere://x": "cannot use nowhere://x: Protocol not known: nowhere",
        "--address 127.0.0.1:1": "cannot join a Ray cluster at '127.0.0.1:1'",
    }.items():
        assert main(["sweep", "lambda", *STUDY, *options.split(), "--out", "study"]) == 2, options
        assert message in capsys.readouterr().err


def test_nodes_must_agree_and_see_the_folder(tmp_path):
    good = inspect_node("node", str(tmp_path), gpus=False)
    assert good == Node("node", shared_versions(), True, ())
    _check([good], tmp_path)
    other = replace(good, versions=good.versions | {"torch": "1.0", "grad-ext's source": "0ld"})
    with pytest.raises(InputError, match=r"grad-ext's source 0ld \(.*, torch 1\.0 \("):
        _check([good, other], tmp_path)
    blind = inspect_node("node", str(tmp_path / "not there"), gpus=False)
    with pytest.raises(InputError, match="does not reach the study's folder"):
        _check([blind], tmp_path)
    assert inspect_node("node", None, gpus=False).reaches_folder
    counted = {"Resources": {"GPU": 2.0}}
    _check_gpus([counted], [replace(good, memory=(1e9, 2e9))])
    with pytest.raises(InputError, match="can use 1 of them"):
        _check_gpus([counted], [replace(good, memory=(1e9,))])
