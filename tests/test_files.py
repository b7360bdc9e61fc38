import pytest

from grad_ext.files import plain_name, write_atomically


def test_a_file_is_written_whole_or_not_at_all(tmp_path, monkeypatch):
    path = tmp_path / "a.txt"
    write_atomically(path, "old")
    write_atomically(path, b"new")
    assert path.read_text() == "new"

    def full(_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("grad_ext.files.os.fsync", full)
    with pytest.raises(OSError, match="No space left"):
        write_atomically(path, "half")
    assert path.read_text() == "new"
    assert [p.name for p in tmp_path.iterdir()] == ["a.txt"]


def test_names_of_folders_are_plain_and_short():
    assert plain_name("lambda", "a/b", "age>=25", "1a2b3c") == "lambda-a_b-age_=25-1a2b3c"
    assert len(plain_name("lambda", *["attribute" * 9] * 3, "1a2b3c").encode()) < 255
    assert len(plain_name("ü" * 300, "1a2b3c").encode()) < 255
