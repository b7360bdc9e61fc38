"""Grids, packs and study folders; the studies that run are in test_study_runs.py."""

import json
import os

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from grad_ext.errors import InputError
from grad_ext.sweeps.grid import LAMBDAS, lambda_grid, parse_lambdas
from grad_ext.sweeps.pack import WIDTH, packs
from grad_ext.sweeps.study import Study, default_folder, lambda_study, write_records
from grad_ext.sweeps.tune import checked_cpus
from grad_ext.trial import Record, Settings, Trial


def grid(lams=(1.0, 100.0), seeds=(0, 1, 2), **changes):
    return lambda_grid("german", ("age",), lams, seeds, Settings(**changes))


def record(trial, seconds=0.1):
    return Record(trial, {"accuracy": trial.lam / 7}, 1, False, False, seconds)


def test_the_grid_is_every_lambda_with_every_seed_in_order():
    points = [(t.lam, t.seed) for t in grid(lams=(100.0, 1.0, 1.0))]
    assert points == [(1.0, 0), (1.0, 1), (1.0, 2), (100.0, 0), (100.0, 1), (100.0, 2)]
    assert len(lambda_grid("german", ("age",))) == 110
    assert (min(LAMBDAS), max(LAMBDAS), len(LAMBDAS)) == (1.0, 2000.0, 11)


def test_lambdas_from_text():
    assert parse_lambdas("1, 2.5,1e3,") == (1.0, 2.5, 1000.0)
    for bad, message in {
        "": "expected numbers separated by commas",
        "1,x": "lambda must be a number of at least 0, got 'x'",
        "1,-2": "lambda must be a finite number of at least 0, got '-2'",
        "nan": "finite",
    }.items():
        with pytest.raises(InputError, match=message):
            parse_lambdas(bad)
    with pytest.raises(InputError, match="at least one seed"):
        grid(seeds=())
    with pytest.raises(InputError, match="at least one lambda"):
        grid(lams=())


@settings(max_examples=100, deadline=None)
@given(
    lams=st.lists(st.sampled_from([0.0, 1.0, 5.0, 100.0]), min_size=1, unique=True),
    seeds=st.integers(1, 30),
    workers=st.integers(1, 9),
    size=st.none() | st.integers(1, 40),
)
def test_packs_hold_every_trial_once_and_mix_no_settings(lams, seeds, workers, size):
    trials = grid(lams, range(seeds)) + grid(lams, range(seeds), epochs=3)
    plan = packs(trials, workers, size)
    held = [trial for pack in plan for trial in pack]
    assert sorted(t.key for t in held) == sorted(t.key for t in trials)
    for pack in plan:
        assert 1 <= len(pack) <= (size or WIDTH)
        assert len({trial.static for trial in pack}) == 1


def test_packs_keep_all_workers_busy():
    sizes = [len(pack) for pack in packs(lambda_grid("german", ("age",)), workers=2)]
    assert len(sizes) == 8  # seven would do, and leave one of two workers idle at the end
    assert max(sizes) - min(sizes) <= 1
    assert [len(pack) for pack in packs(grid(), workers=16)] == [1] * 6
    # Several settings: as many packs as there are settings keep both workers busy.
    four = [t for epochs in (1, 2, 3, 4) for t in grid(epochs=epochs)]
    assert [len(pack) for pack in packs(four, workers=2)] == [6] * 4
    assert sorted(len(pack) for pack in packs(four[6:], workers=2)) == [3, 3, 6, 6]
    with pytest.raises(InputError, match="at least one model, got 0"):
        packs(grid(), 2, 0)


def test_a_study_knows_what_is_missing_and_can_be_extended(tmp_path):
    folder = tmp_path / "a" / "study"
    study = Study.open(folder, grid())
    assert study.missing() == grid()
    write_records(study.folder, [record(t) for t in grid()[:4]])
    assert Study.open(folder, grid()).missing() == grid()[4:]
    assert [r.trial for r in study.records()] == grid()[:4]
    # More seeds and more λ belong to the same study; what was there stays.
    wider = Study.open(folder, grid(lams=(1.0, 5.0), seeds=(0, 1, 2, 3)))
    assert len(wider.trials) == 3 * 4 - 1
    assert len(wider.missing()) == 11 - 4
    narrower = Study.open(folder, grid()[:1])
    assert narrower.trials == wider.trials
    plan = json.loads((folder / "study.json").read_text())
    assert (5.0, 3) in [(trial["lam"], trial["seed"]) for trial in plan["trials"]]
    assert "torch" in plan["versions"]


def test_a_pack_that_ran_twice_counts_once(tmp_path):
    study = Study.open(tmp_path, grid())
    for seconds in (0.1, 0.2):
        write_records(study.folder, [record(t, seconds) for t in grid()])
    write_records(study.folder, [record(t, 0.3) for t in grid()[:2]])
    assert [r.trial for r in study.records()] == grid()


def test_what_a_study_forgets_is_missing_again(tmp_path):
    study = Study.open(tmp_path, grid())
    write_records(study.folder, [record(t) for t in grid()[:3]])
    write_records(study.folder, [record(grid()[3])])
    study.forget([*grid()[1:2], *grid()[3:5]])
    assert study.missing() == [grid()[1], *grid()[3:]]
    assert [r.trial for r in study.records()] == [grid()[0], grid()[2]]
    assert len(list((tmp_path / "records").iterdir())) == 1


@pytest.mark.parametrize(
    ("other", "message"),
    [
        (grid(epochs=3), "holds another study: its settings.epochs is 50, asked for was 3"),
        ([Trial("adult", ("age",))], "its dataset is 'german', asked for was 'adult'"),
        ([Trial("german", ("sex",))], "its protected is"),
    ],
)
def test_another_study_is_left_alone(tmp_path, other, message):
    study = Study.open(tmp_path, grid())
    write_records(study.folder, [record(grid()[0])])
    before = {p: p.read_bytes() for p in tmp_path.rglob("*") if p.is_file()}
    with pytest.raises(InputError, match=message):
        Study.open(tmp_path, other)
    assert {p: p.read_bytes() for p in tmp_path.rglob("*") if p.is_file()} == before


def test_a_folder_of_other_things_is_left_alone(tmp_path):
    (tmp_path / "thesis.txt").write_text("mine")
    with pytest.raises(InputError, match="not empty and holds no study"):
        Study.open(tmp_path, grid())
    assert [p.name for p in tmp_path.iterdir()] == ["thesis.txt"]


def test_a_folder_that_cannot_be_made_is_refused(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError, match="cannot write to the folder"):
        Study.open(tmp_path / "file" / "study", grid())


@pytest.mark.parametrize(
    "content", ["{", "[]", '{"format": 2}', '{"format": 9, "about": {}, "trials": []}']
)
def test_a_damaged_or_newer_plan_is_refused(tmp_path, content):
    (tmp_path / "study.json").write_text(content)
    with pytest.raises(InputError, match=r"damaged|has format 9"):
        Study.open(tmp_path, grid())
    assert (tmp_path / "study.json").read_text() == content


def test_a_damaged_record_is_named(tmp_path):
    study = Study.open(tmp_path, grid())
    (tmp_path / "records" / "x.jsonl").write_text('{"trial": 1}\n')
    with pytest.raises(InputError, match=r"x\.jsonl is damaged.*delete it and run"):
        study.records()


def test_the_default_folder_tells_settings_apart():
    folder = lambda trials: default_folder(lambda_study(trials), "german", "age")
    assert folder(grid()) == folder(grid(lams=(7.0,)))
    assert folder(grid()) != folder(grid(epochs=3))
    assert folder(grid()).name.startswith("lambda-german-age-")


def test_a_study_of_mixed_settings_is_refused(tmp_path):
    with pytest.raises(InputError, match="may differ in λ and seed only"):
        Study.open(tmp_path, grid() + grid(epochs=3))


def test_no_more_cpus_than_there_are():
    there = len(os.sched_getaffinity(0))
    assert checked_cpus(None) == checked_cpus(there) == there
    for bad in (0, -1, there + 1):
        with pytest.raises(InputError, match=f"expected 1 to {there} CPUs .*, got {bad}"):
            checked_cpus(bad)
