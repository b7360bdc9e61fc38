"""A study of 10,000 models: what the driver holds, and how long its results and report take.

Packs of 16 that do not train but write records as training does, with thirty epochs of history; so
what is left is the study's own: the plan, Ray Tune, the log, progress and the records. Then the
study is finished in another process: records read, results.csv and the page written.
"""

import json
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

MODELS, EPOCHS = 10_000, 30
NAMES = ("loss", "accuracy", "balanced_accuracy", "discrimination")


def written(trials, encoded, keep, say):
    from grad_ext.evaluation import evaluate_predictions
    from grad_ext.trial import Record

    rng = np.random.default_rng(trials[0].seed)
    scores = rng.random((len(trials), len(encoded.test.y)))
    figures = evaluate_predictions(scores, encoded.test.only(trials[0].protected), encoded.graph)
    records = []
    for p, trial in enumerate(trials):
        metrics = {name: float(values[p]) for name, values in figures.items()}
        history = {name: tuple(rng.random(EPOCHS).round(4).tolist()) for name in NAMES}
        records.append(Record(trial, metrics, EPOCHS, False, False, 0.2, history=history))
    keep(records)


def peak():
    """Return the most memory (MiB) that this process has held."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def drive(folder):
    from grad_ext import StudyPlan
    from grad_ext.sweeps.run.executors import run

    start = time.perf_counter()
    opened = StudyPlan(
        "lambda", set={"lam": [1.0, 10.0, 100.0, 1000.0]}, seeds=MODELS // 4, out=folder
    ).open()
    encoded = opened.encode(opened.trials[0])
    planned = time.perf_counter() - start
    run(opened.directory, lambda missing: {opened.trials[0].rows: encoded}, fit_pack=written)
    return {"planned": planned, "run": time.perf_counter() - start - planned, "peak": peak()}


def finish(folder):
    from grad_ext.report.statistics.settings import choices
    from grad_ext.sweeps.folder import StudyDirectory
    from grad_ext.sweeps.rebuild import remake

    start = time.perf_counter()
    study = StudyDirectory.read(Path(folder))
    records = study.records()
    choices(records, study.plan()["about"]).frame.to_csv(Path(folder) / "again.csv", index=False)
    rows = time.perf_counter() - start
    start = time.perf_counter()
    page = remake(Path(folder))
    took = time.perf_counter() - start
    assert len(records) == MODELS
    return {"rows": rows, "page": took, "peak": peak(), "size": page.stat().st_size / 1e6}


def apart(what, folder):
    """Return what a function of this file returns in a process of its own."""
    command = [sys.executable, "-W", "ignore", __file__, what, folder]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    return json.loads(done.stdout.splitlines()[-1])


def main():
    with tempfile.TemporaryDirectory() as folder:
        driven = apart("drive", folder)
        print(
            f"{MODELS} models planned in {driven['planned']:.1f} s and run in {driven['run']:.0f} s; the "
            f"driver held {driven['peak']:.0f} MiB at most",
            flush=True,
        )
        finished = apart("finish", folder)
        print(
            f"results.csv from the records: {finished['rows']:.1f} s; everything with the page: "
            f"{finished['page']:.1f} s, {finished['size']:.1f} MB, {finished['peak']:.0f} MiB"
        )
        counted = len(json.loads((Path(folder) / "study.json").read_text())["trials"])
        assert counted == MODELS


if __name__ == "__main__":
    if len(sys.argv) > 1:
        print(json.dumps({"drive": drive, "finish": finish}[sys.argv[1]](sys.argv[2])))
    else:
        main()
