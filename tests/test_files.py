import pytest

from grad_ext.files import is_temporary, plain_name, write_atomically, writing_atomically


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


@pytest.mark.parametrize("name", ["a.txt", "\n.csv", "ü" * 120])
def test_a_temporary_file_is_known_by_its_name(tmp_path, name):
    with writing_atomically(tmp_path / name):
        (temporary,) = tmp_path.iterdir()
        assert is_temporary(temporary)
        assert not is_temporary(temporary.with_name("missing"))
    assert [path.name for path in tmp_path.iterdir()] == [name]
    assert not is_temporary(tmp_path / name)


def test_names_of_folders_are_plain_and_short():
    assert plain_name("lambda", "a/b", "age>=25", "1a2b3c") == "lambda-a_b-age_=25-1a2b3c"
    assert len(plain_name("lambda", *["attribute" * 9] * 3, "1a2b3c").encode()) < 255
    assert len(plain_name("ü" * 300, "1a2b3c").encode()) < 255
    assert len(plain_name("ü" * 300).encode()) < 255
