"""OpenML through scikit-learn, without a network: files in the form of scikit-learn's cache."""

import gzip
import hashlib
import json

import pytest

from grad_ext import load_dataset
from grad_ext.cli import main
from grad_ext.data.catalog import data_set, known_data_set
from grad_ext.data.openml import OpenML
from grad_ext.errors import InputError

ARFF = b"""\
@relation loans
@attribute id numeric
@attribute amount numeric
@attribute sex {f,m}
@attribute age numeric
@attribute class {bad,good}
@data
1,5.5,f,20,bad
2,?,m,30,good
3,9,m,40,good
4,4,f,50,bad
"""
COLUMNS = {"id": None, "amount": None, "sex": ["f", "m"], "age": None, "class": ["bad", "good"]}


def cache(folder, number=99_999, content=ARFF):
    """Write what scikit-learn's `fetch_openml` keeps of a data set."""
    feature = [
        {
            "index": str(i),
            "name": name,
            "data_type": "numeric" if levels is None else "nominal",
            **({} if levels is None else {"nominal_value": levels}),
            "is_target": str(name == "class").lower(),
            "is_ignore": "false",
            "is_row_identifier": str(name == "id").lower(),
            "number_of_missing_values": "0",
        }
        for i, (name, levels) in enumerate(COLUMNS.items())
    ]
    description = {
        "id": str(number), "name": "loans", "version": "3", "description": "Made up.",
        "format": "ARFF", "licence": "CC0", "status": "active", "default_target_attribute": "class",
        "url": "https://www.openml.org/data/v1/download/7/loans.arff",
        "md5_checksum": hashlib.md5(content, usedforsecurity=False).hexdigest(),
    }  # fmt: skip
    quality = [{"name": "NumberOfInstances", "value": "4"}]
    files = {
        f"api/v1/json/data/{number}": {"data_set_description": description},
        f"api/v1/json/data/features/{number}": {"data_features": {"feature": feature}},
        f"api/v1/json/data/qualities/{number}": {"data_qualities": {"quality": quality}},
        "data/v1/download/7/loans.arff": content,
    }
    for name, value in files.items():
        path = folder / "openml" / "openml.org" / f"{name}.gz"
        path.parent.mkdir(parents=True, exist_ok=True)
        packed = value if isinstance(value, bytes) else json.dumps(value).encode()
        path.write_bytes(gzip.compress(packed))


def test_rows_and_roles_by_hand(tmp_path):
    cache(tmp_path)
    table = load_dataset("openml:99999:good", ["sex=m", "age>=40"], tmp_path)
    assert table.name == "openml:99999:good"
    assert table.y().tolist() == [False, True, True, False]
    assert table.attribute_names == ("sex=m", "age>=40")
    assert table.a().tolist() == [[0, 0], [1, 0], [1, 1], [0, 1]]
    # The row's number is no feature.
    assert table.features == ("amount", "sex", "age")
    assert table.frame["amount"].isna().tolist() == [False, True, False, False]
    assert "licence: CC0" in table.source
    assert table.checksums == {"loans.arff": hashlib.sha256(ARFF).hexdigest()}


def test_the_cache_and_scikit_learns_own_folder_are_searched(tmp_path, monkeypatch):
    monkeypatch.setenv("GRAD_EXT_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("SCIKIT_LEARN_DATA", str(tmp_path / "sklearn"))
    source = OpenML(99_999, "good")
    assert source.place() is None
    cache(tmp_path / "sklearn")
    assert source.place() == tmp_path / "sklearn"
    cache(tmp_path / "cache")
    assert source.place() == tmp_path / "cache"
    assert len(source.table(["sex"])) == 4


def test_the_command_line_describes_and_fetches(tmp_path, capsys):
    cache(tmp_path)
    arguments = ["openml:99999:good", "--data-dir", str(tmp_path)]
    assert main(["data", "info", *arguments]) == 0
    out = capsys.readouterr().out
    assert "https://www.openml.org/d/99999" in out
    assert all(caveat in out for caveat in data_set("openml:99999").caveats)
    assert main(["data", "fetch", *arguments]) == 0
    assert str(tmp_path) in capsys.readouterr().out


def test_names():
    assert OpenML.named("31", "a", "b").favorable == "a:b"
    assert data_set("openml:31:good").name == "openml:31:good"
    assert known_data_set("openml:31") is not None


BAD = {
    "no protected column": (("openml:99999:good", None), "columns to protect; there are 'amount', 's"),
    "no favorable value": (("openml:99999", ["sex"]), r"bad \(2 rows\), good \(2 rows\): name the fav"),
    "another favorable value": (("openml:99999:best", ["sex"]), "best"),
    "an unknown column": (("openml:99999:good", ["sx"]), "'sx'"),
    "no number": (("openml", ["sex"]), r"form openml:ID"),
    "a word": (("openml:adult", ["sex"]), r"form openml:ID.*got 'openml:adult'"),
}  # fmt: skip


@pytest.mark.parametrize("case", BAD)
def test_bad_input(case, tmp_path):
    cache(tmp_path)
    arguments, message = BAD[case]
    with pytest.raises(InputError, match=message):
        load_dataset(*arguments, tmp_path)
