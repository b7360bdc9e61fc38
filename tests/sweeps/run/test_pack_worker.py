"""What is sent to the processes that fit packs, and what they answer."""

import json
import os

import numpy as np
import pytest

from grad_ext.constraints import CONSTRAINTS
from grad_ext.sweeps.run.pack_worker import ALIGNMENT, ROWS, Task, fit, pack_task, unpack_task
from grad_ext.trial import Record, Trial

TRIALS = [[Trial("german", ("age",), 1.0, seed)] for seed in range(3)]
ROW_KEY = TRIALS[0][0].rows


class Store:
    """Keeps records, and names their file as the first one's seed."""

    def __init__(self):
        self.kept = []

    def write(self, records):
        self.kept += records
        return f"{records[0].trial.seed}.jsonl"


def fit_pack(trials, rows, on_records, on_progress):
    on_progress(0.5)
    if trials[0].seed == 1:
        raise OSError("no space left\nand more of it")
    on_records(
        [Record(trial, {"sum": float(rows.sum())}, 1, False, False, 0.1) for trial in trials]
    )


def task(rows):
    return Task(fit_pack, TRIALS, {ROW_KEY: rows}, Store(), dict(CONSTRAINTS))


@pytest.mark.parametrize(
    "rows",
    [
        np.arange(35, dtype=np.float32).reshape(5, 7),
        # Not contiguous; columns one after another; nothing; no arrays at all.
        np.arange(40.0)[::2],
        np.asfortranarray(np.arange(6).reshape(2, 3)),
        np.empty((0, 3)),
        ("no", "arrays"),
    ],
)
def test_arrays_come_through_a_file_and_cannot_be_written_to(rows, tmp_path):
    opening, head = pack_task(task([rows, np.ones(3)]), tmp_path)
    sent = unpack_task(json.loads(opening), head)
    got, ones = sent.encoded_splits[ROW_KEY]
    assert sent.plan == TRIALS
    np.testing.assert_array_equal(got, rows)
    np.testing.assert_array_equal(ones, [1.0, 1.0, 1.0])
    assert not ones.flags.writeable
    assert ones.ctypes.data % ALIGNMENT == 0
    assert (tmp_path / ROWS).stat().st_size % ALIGNMENT == 0
    # Folders to import from come last, as absolute paths.
    assert all(os.path.isabs(path) for path in json.loads(opening)["path"])


def test_a_pack_says_what_it_does_by_hand():
    sent, said = task(np.ones(4)), []
    for number in range(2):
        fit(sent, number, lambda **message: said.append(message))
    assert said == [
        {"share": 0.5},
        {"records": "0.jsonl"},
        {"error": ""},
        {"share": 0.5},
        {"error": "OSError: no space left"},
    ]
    assert [record.metrics for record in sent.store.kept] == [{"sum": 4.0}]
