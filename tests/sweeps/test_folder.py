"""Grids, packs and study folders; the studies that run are in test_study_runs.py."""

import json
import subprocess
import sys
from contextlib import contextmanager

import pytest

from grad_ext import load_dataset, load_table
from grad_ext.errors import InputError
from grad_ext.sweeps.folder import (
    StudyDirectory,
    default_folder,
    delete_partial_files,
    is_locked,
    lock,
    write_records,
)
from grad_ext.sweeps.run.executors import run
from grad_ext.training.settings import Settings
from grad_ext.trial import Record, Trial

ABOUT = {"kind": "lambda", "settings": {"epochs": 50}}


def grid(lams=(1.0, 100.0), seeds=(0, 1, 2), **changes):
    settings = Settings(**changes)
    return [Trial("german", ("age",), lam, s, settings=settings) for lam in lams for s in seeds]


def record(trial, seconds=0.1):
    return Record(trial, {"accuracy": trial.lam / 7}, 1, False, False, seconds)


def test_a_study_knows_what_is_missing_and_can_be_extended(tmp_path):
    folder = tmp_path / "a" / "study"
    study = StudyDirectory.open(folder, grid(), ABOUT)
    assert study.missing() == grid()
    write_records(study.folder, [record(t) for t in grid()[:4]])
    assert StudyDirectory.open(folder, grid(), ABOUT).missing() == grid()[4:]
    assert [r.trial for r in study.records()] == grid()[:4]
    # More seeds and more λ belong to the same study; what was there stays.
    wider = StudyDirectory.open(folder, grid(lams=(1.0, 5.0), seeds=(0, 1, 2, 3)), ABOUT)
    assert len(wider.trials) == 3 * 4 - 1
    assert len(wider.missing()) == 11 - 4
    narrower = StudyDirectory.open(folder, grid()[:1], ABOUT)
    assert narrower.trials == wider.trials
    plan = json.loads((folder / "study.json").read_text())
    assert (5.0, 3) in [(trial["lam"], trial["seed"]) for trial in plan["trials"]]
    assert "torch" in plan["versions"]


def test_a_pack_that_ran_twice_counts_once(tmp_path):
    study = StudyDirectory.open(tmp_path, grid(), ABOUT)
    for seconds in (0.1, 0.2):
        write_records(study.folder, [record(t, seconds) for t in grid()])
    write_records(study.folder, [record(t, 0.3) for t in grid()[:2]])
    assert [r.trial for r in study.records()] == grid()


def test_what_a_study_forgets_is_missing_again(tmp_path):
    study = StudyDirectory.open(tmp_path, grid(), ABOUT)
    write_records(study.folder, [record(t) for t in grid()[:3]])
    write_records(study.folder, [record(grid()[3])])
    study.drop_records([*grid()[1:2], *grid()[3:5]])
    assert study.missing() == [grid()[1], *grid()[3:]]
    assert [r.trial for r in study.records()] == [grid()[0], grid()[2]]
    assert len(list((tmp_path / "records").iterdir())) == 1


@pytest.mark.parametrize(
    ("other", "message"),
    [
        ({"settings": {"epochs": 3}}, "another study: its settings.epochs is 50, this one has 3"),
        ({"kind": "seed"}, "its kind is 'lambda', this one has 'seed'"),
        ({"data": "abc"}, "its data is None, this one has 'abc'"),
    ],
)
def test_another_study_is_left_alone(tmp_path, other, message):
    study = StudyDirectory.open(tmp_path, grid(), ABOUT)
    write_records(study.folder, [record(grid()[0])])
    before = {p: p.read_bytes() for p in tmp_path.rglob("*") if p.is_file()}
    with pytest.raises(InputError, match=message):
        StudyDirectory.open(tmp_path, grid(seeds=range(9)), ABOUT | other)
    assert {p: p.read_bytes() for p in tmp_path.rglob("*") if p.is_file()} == before


def test_a_folder_of_other_things_is_left_alone(tmp_path):
    (tmp_path / "thesis.txt").write_text("mine")
    with pytest.raises(InputError, match="not empty and holds no study"):
        StudyDirectory.open(tmp_path, grid(), ABOUT)
    assert [p.name for p in tmp_path.iterdir()] == ["thesis.txt"]


def test_a_folder_that_cannot_be_made_is_refused(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError, match="cannot write to the folder"):
        StudyDirectory.open(tmp_path / "file" / "study", grid(), ABOUT)


@pytest.mark.parametrize(
    "content", ["{", "[]", '{"format": 3}', '{"format": 9, "about": {}, "trials": []}']
)
def test_a_damaged_or_newer_plan_is_refused(tmp_path, content):
    (tmp_path / "study.json").write_text(content)
    with pytest.raises(InputError, match=r"damaged|has format 9"):
        StudyDirectory.open(tmp_path, grid(), ABOUT)
    assert (tmp_path / "study.json").read_text() == content


def test_a_damaged_record_is_named(tmp_path):
    study = StudyDirectory.open(tmp_path, grid(), ABOUT)
    (tmp_path / "records" / "x.jsonl").write_text('{"trial": 1}\n')
    with pytest.raises(InputError, match=r"x\.jsonl is damaged.*delete it and run"):
        study.records()


def test_the_default_folder_tells_settings_apart():
    folder = default_folder(ABOUT, "german", "age")
    assert folder == default_folder(dict(reversed(ABOUT.items())), "german", "age")
    assert folder != default_folder(ABOUT | {"settings": {"epochs": 3}}, "german", "age")
    assert folder.name.startswith("lambda-german-age-")


@contextmanager
def held(folder):
    """Hold a study's lock in another process, which is then killed."""
    code = "import sys, time; from pathlib import Path; from grad_ext.sweeps.folder import lock\n"
    code += "with lock(Path(sys.argv[1])): print('held', flush=True); time.sleep(600)"
    process = subprocess.Popen(
        [sys.executable, "-c", code, folder], stdout=subprocess.PIPE, text=True
    )
    try:
        assert process.stdout.readline() == "held\n"
        yield
    finally:
        process.kill()
        process.communicate()


def test_a_study_belongs_to_one_process_until_that_is_killed(tmp_path):
    study = StudyDirectory.open(tmp_path, grid(), ABOUT)
    assert not is_locked(tmp_path)
    with held(tmp_path):
        assert is_locked(tmp_path)
        # Nothing is to be written: more trials are not to be had, those that are there are.
        assert StudyDirectory.open(tmp_path, grid(), ABOUT) == study
        for write in (
            lambda: StudyDirectory.open(tmp_path, grid(seeds=range(9)), ABOUT),
            lambda: study.drop_records(grid()),
            lambda: run(study, lambda trials: {}),
        ):
            with pytest.raises(InputError, match=r"another process works on .*; wait for it"):
                write()
    assert not is_locked(tmp_path)
    assert len(StudyDirectory.open(tmp_path, grid(seeds=range(9)), ABOUT).trials) == 18


def test_what_a_killed_writer_left_is_no_study_and_swept_up(tmp_path):
    (tmp_path / ".study.json.abcdefg1.grad-ext-tmp").write_text('{"form')
    study = StudyDirectory.open(tmp_path, grid(), ABOUT)
    (tmp_path / "records" / ".abc.jsonl.abcdefg2.grad-ext-tmp").write_text("{")
    write_records(tmp_path, [record(grid()[0])])
    with lock(tmp_path):
        delete_partial_files(tmp_path)
    names = {p.relative_to(tmp_path).parts[0] for p in tmp_path.rglob("*")}
    assert names == {".lock", "study.json", "records"}
    assert [r.trial for r in study.records()] == [grid()[0]]
    assert StudyDirectory.read(tmp_path) == study
    with pytest.raises(InputError, match=r"has no study\.json"):
        StudyDirectory.read(tmp_path / "records")


def test_only_own_temporary_files_are_deleted(tmp_path):
    folder, elsewhere = tmp_path / "study", tmp_path / "elsewhere"
    StudyDirectory.open(folder, grid(), ABOUT)
    elsewhere.mkdir()
    own = ".results.csv.abcdefg1.grad-ext-tmp"
    (elsewhere / own).write_text("another study's")
    foreign = [
        folder / name for name in (".gitlab-ci.yml", ".a.b", ".a.grad-ext-tmp", "x.grad-ext-tmp")
    ]
    for path in foreign:
        path.write_text("mine")
    for parent in (folder, folder / "records"):
        (parent / own).write_text("unfinished")
        (parent / ".link.abcdefg2.grad-ext-tmp").symlink_to(elsewhere / own)
        (parent / ".folder.abcdefg3.grad-ext-tmp").mkdir()
    delete_partial_files(folder)
    for parent in (folder, folder / "records"):
        assert not (parent / own).exists()
        assert (parent / ".link.abcdefg2.grad-ext-tmp").is_symlink()
        assert (parent / ".folder.abcdefg3.grad-ext-tmp").is_dir()
    assert all(path.read_text() == "mine" for path in foreign)
    assert (elsewhere / own).exists()


def test_nothing_is_deleted_through_a_linked_folder_of_records(tmp_path):
    folder, elsewhere = tmp_path / "study", tmp_path / "elsewhere"
    folder.mkdir()
    elsewhere.mkdir()
    (folder / "records").symlink_to(elsewhere)
    own = elsewhere / ".a.jsonl.abcdefg1.grad-ext-tmp"
    own.write_text("{")
    delete_partial_files(folder)
    assert own.exists()


@pytest.mark.parametrize("name", [".gitlab-ci.yml", ".git", "records/mine", ".a.b.grad-ext-tmp"])
def test_a_folder_with_hidden_files_is_not_empty(tmp_path, name):
    path = tmp_path / name
    path.parent.mkdir(exist_ok=True)
    path.write_text("mine")
    with pytest.raises(InputError, match=name.partition("/")[0]):
        StudyDirectory.open(tmp_path, grid(), ABOUT)
    assert path.read_text() == "mine"
    assert not (tmp_path / "study.json").exists()


def test_what_was_read_of_a_file_and_how_to_read_it_again(tmp_path, monkeypatch):
    file = tmp_path / "people.csv"
    file.write_text("x,sex,paid\n1,f,0\n2,m,1\n3,f,1\n4,m,0\n")
    options = {"path": "people.csv", "label": "paid", "drop": ("id",)}
    study = StudyDirectory.open(tmp_path / "study", grid(), ABOUT)
    assert study.file() is None
    # What is known of the catalog's data sets is in the package.
    study.write_data([load_dataset("german")], options)
    assert not (study.folder / "data.json").exists()
    monkeypatch.chdir(tmp_path)
    study.write_data([load_table(file, "paid", ["sex"])], options)
    assert study.file() == {"path": str(file), "label": "paid", "drop": ["id"]}
    roles = 'label = "z"\nprotected = ["sex"]\nmissing = "drop"\n'
    (tmp_path / "people.roles.toml").write_text(roles)
    study.write_data([load_table(file, "paid", ["sex"])], options)
    again = {"path": str(file), "label": "paid", "drop": ["id"], "missing": "drop"}
    assert study.file() == again
    file.rename(tmp_path / "moved.csv")
    assert study.file() is None
    (study.folder / "data.json").write_text("{}")
    with pytest.raises(InputError, match=r"data\.json"):
        study.file()


def test_names_of_attributes_are_made_names_of_folders():
    assert default_folder(ABOUT, "a/b", "25<=age<60").name.startswith("lambda-a_b-25_=age_60-")
