"""Temporary folders of runs: private, deleted in the end, and by the next run if this one is killed."""

import os
import stat
import subprocess
import sys
import tempfile

import pytest

from grad_ext.sweeps.run.temporary import delete_stale_folders, temporary_folder


def test_what_killed_drivers_left_is_deleted(tmp_path, monkeypatch):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    ended = subprocess.Popen([sys.executable, "-c", ""])
    ended.wait()
    own, others = f"grad-ext-run-{os.getpid()}-abcdefg1", f"grad-ext-run-{ended.pid}-notes"
    kept = [tmp_path / name for name in (own, others, "grad-ext-run-others")]
    stale, link = (tmp_path / f"grad-ext-run-{ended.pid}-{end}" for end in ("abcdefg1", "abcdefg2"))
    for path in (*kept, stale):
        path.mkdir()
        (path / "file").touch()
    (stale / "inner").symlink_to(kept[0])
    link.symlink_to(kept[0])
    delete_stale_folders()
    assert sorted(tmp_path.iterdir()) == sorted([*kept, link])
    assert all((path / "file").exists() for path in kept)


def test_a_folder_is_private_and_deleted_whatever_happens(tmp_path, monkeypatch):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))

    def fail():
        with temporary_folder() as folder:
            assert folder.parent == tmp_path
            assert not stat.S_IMODE(folder.stat().st_mode) & 0o077
            (folder / "rows").write_bytes(b"1")
            raise ArithmeticError

    with pytest.raises(ArithmeticError):
        fail()
    assert not list(tmp_path.iterdir())
