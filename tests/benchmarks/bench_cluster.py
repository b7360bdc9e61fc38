"""How a study's time falls with the nodes of a cluster, for packs of known length.

Nodes are Ray's own on this machine, with one CPU each by their own count; a pack sleeps, so that the
nodes do not share what the machine has. What is left is the study's own work: Ray's, records, the log.
"""

import tempfile
import time
from pathlib import Path

import ray
from ray.cluster_utils import Cluster

from grad_ext.data import load_dataset
from grad_ext.data.split import split
from grad_ext.evaluation import prepare
from grad_ext.sweeps.folder import StudyDirectory
from grad_ext.sweeps.run.executors import run
from grad_ext.sweeps.run.resources import Resources
from grad_ext.training.settings import Settings
from grad_ext.trial import Record, Trial

PACKS, SECONDS = 16, 4.0
NODES = (1, 2, 4)


def slept(trials, encoded, keep, say):
    time.sleep(SECONDS)
    keep([Record(trial, {"accuracy": 0.5}, 1, False, False, SECONDS) for trial in trials])


def main():
    settings = Settings()
    encoded = prepare(split(load_dataset("german")), settings)
    trials = [Trial("german", ("age",), 1.0, seed, settings=settings) for seed in range(PACKS)]
    print(f"{PACKS} packs of {SECONDS:g} s; nodes, seconds in all, seconds of packs alone, ratio")
    for count in NODES:
        cluster = Cluster(initialize_head=True, head_node_args={"num_cpus": 1})
        for _ in range(count - 1):
            cluster.add_node(num_cpus=1)
        cluster.wait_for_nodes()
        with tempfile.TemporaryDirectory() as folder:
            study = StudyDirectory.open(Path(folder), trials, {"kind": "test"})
            # Joining is timed with the rest, starting the nodes is not.
            begun = time.perf_counter()
            resources = Resources(address=cluster.address, pack_size=1)
            run(study, lambda missing: {trials[0].rows: encoded}, resources, fit_pack=slept)
            took = time.perf_counter() - begun
            assert not study.missing()
        ideal = PACKS * SECONDS / count
        print(f"{count:3d} {took:8.1f} {ideal:8.1f} {took / ideal:8.2f}", flush=True)
        ray.shutdown()
        cluster.shutdown()


if __name__ == "__main__":
    main()
