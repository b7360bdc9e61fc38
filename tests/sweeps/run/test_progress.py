"""The status of a study, and its best model so far."""

import json

import pytest

from grad_ext import StudyPlan
from grad_ext.errors import InputError
from grad_ext.sweeps.folder import lock, write_records
from grad_ext.sweeps.run.progress import RunProgress, best_of, status
from grad_ext.trial import Record, Trial

NAN = float("nan")


def record(seed=0, **changes):
    figures = {"accuracy": 0.7, "delta": NAN, "validation_balanced_delta": 0.1 * seed}
    figures |= {"validation_accuracy": 0.6, "validation_discrimination": 0.05}
    return Record(Trial("german", ("age",), 10.0, seed), figures, 3, False, False, 0.5, **changes)


def test_the_best_so_far_in_words():
    value, words = best_of([record(1), record(3), record(2)], ["hidden"])
    assert value == pytest.approx(0.3)
    assert words == (
        "GRAD-Pred on german, λ 10, hidden 40, seed 3: accuracy 0.600, Discrimination 0.050 on the "
        "validation rows"
    )
    assert best_of([Record(record().trial, {}, 1, False, False, 0.1)], [])[1] == ""


def test_how_a_study_stands_by_hand(tmp_path):
    opened = StudyPlan("seed", seeds=4, out=tmp_path).open()
    assert status(tmp_path).lines() == ["seed study: 0 of 4 models", "not running"]
    write_records(tmp_path, [record(0), record(1, error="diverged")])
    run = RunProgress(4, 2, done=1, failed=1, share=2.0, seconds=8.0, process=7, host="here")
    assert (run.rate, run.left) == (0.25, 8.0)
    (tmp_path / "progress.json").write_text(json.dumps(vars(run) | {"started": "now"}))
    # Trials of other settings are no part of it.
    assert status(tmp_path).lines() == [
        "seed study: 0 of 4 models",
        "not running; last run, which was killed: process 7 on here, started now",
        "1 of 2 packs, 1 failed",
    ]
    write_records(tmp_path, [Record(t, {}, 1, False, False, 0.1) for t in opened.trials[:3]])
    with lock(tmp_path):
        # The lock of this process is another's to whoever looks.
        said = status(tmp_path).lines()
    assert said[0] == "seed study: 3 of 4 models"
    assert said[1:3] == [
        "running: process 7 on here, started now",
        "this run: 2 of 4 models, 0.2 per second, about 8 s left",
    ]
    (tmp_path / "progress.json").write_text("{")
    assert status(tmp_path).run is None
    with pytest.raises(InputError, match="has no study"):
        status(tmp_path / "records")
