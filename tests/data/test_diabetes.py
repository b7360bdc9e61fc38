"""Diabetes: synthetic files in the real format, and the real file if it is on this machine."""

import gzip
import hashlib
import os
import zipfile
from dataclasses import replace
from io import BytesIO
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from grad_ext import load_dataset
from grad_ext.cli import main
from grad_ext.data import DATA_SETS, diabetes
from grad_ext.data.diabetes import icd9_group, parse
from grad_ext.data.encoding import Encoder
from grad_ext.data.fetch import find, obtain
from grad_ext.errors import InputError

# The columns in the order of UCI's file.
HEADER = [
    *("encounter_id", "patient_nbr", "race", "gender", "age", "weight"),
    *diabetes.FEATURES[3:36],
    *("examide", "citoglipton"),
    *diabetes.FEATURES[36:],
    "readmitted",
]
ROW = {
    **dict.fromkeys(HEADER, "No"),
    **dict.fromkeys(diabetes.NUMERIC, "1"),
    "race": "Caucasian", "gender": "Female", "age": "[70-80)", "weight": "?", "payer_code": "?",
    "medical_specialty": "?", "max_glu_serum": "None", "A1Cresult": "None", "diag_1": "250.83",
    "diag_2": "?", "diag_3": "V57", "admission_type_id": "1", "discharge_disposition_id": "1",
    "admission_source_id": "7", "readmitted": "NO",
}  # fmt: skip


def csv_of(*rows):
    """The content of a file: each row says how it differs from ROW."""
    cells = [
        {**ROW, "encounter_id": str(i), "patient_nbr": str(9 - i), **row}
        for i, row in enumerate(rows)
    ]
    lines = [HEADER, *([row[c] for c in HEADER] for row in cells)]
    return "\n".join(map(",".join, lines)).encode()


ROWS = (
    {},
    {"race": "?"},
    {"race": "AfricanAmerican", "gender": "Male", "readmitted": ">30", "time_in_hospital": "12"},
    {"gender": "Unknown/Invalid"},
    {"race": "Other", "age": "[0-10)", "readmitted": "<30", "patient_nbr": "9", "diag_1": "428"},
    {"race": "Hispanic", "A1Cresult": ">8", "discharge_disposition_id": "11"},
)


def test_rows_and_roles_by_hand():
    table = parse(csv_of(*ROWS))
    # The rows of unknown race or gender are left out, the others stay in order.
    assert table.frame["encounter_id"].tolist() == ["0", "2", "4", "5"]
    assert table.y().tolist() == [False, True, True, False]
    assert table.attribute_names == DATA_SETS["diabetes"].protected
    groups = table.protecting(["race", "gender", "race_groups", "age_groups"]).a()
    np.testing.assert_array_equal(groups, [[1, 0, 0, 7], [0, 1, 1, 7], [0, 0, 4, 0], [0, 0, 3, 7]])
    assert table.groups == "patient_nbr"
    assert table.g().tolist() == [0, 1, 0, 2]
    assert len(table.features) == len(set(table.features)) == DATA_SETS["diabetes"].features == 44
    left_out = {"encounter_id", "patient_nbr", "weight", "examide", "citoglipton", "readmitted"}
    assert set(HEADER) - set(table.features) == left_out
    assert table.frame["diag_1"].tolist() == ["diabetes", "diabetes", "circulatory", "diabetes"]
    assert table.frame["diag_2"].tolist() == ["?"] * 4
    # "None" is a level, and so is what looks like a number but is a code.
    assert table.frame["A1Cresult"].tolist() == ["None", "None", "None", ">8"]
    assert table.frame["discharge_disposition_id"].tolist() == ["1", "1", "1", "11"]
    assert table.frame["time_in_hospital"].tolist() == [1, 12, 1, 1]
    assert table.checksums == {
        "diabetic_data.csv": hashlib.sha256(csv_of(*ROWS)).hexdigest(),
    }
    inputs = table.protecting(["race_groups", "gender"]).inputs()
    assert {"race", "gender"}.isdisjoint(inputs.columns)
    assert "age" in inputs.columns


ICD9 = {
    "circulatory": ["390", "428", "459.9", "785"],
    "respiratory": ["460", "519", "786.2"],
    "digestive": ["520", "579", "787"],
    "diabetes": ["250", "250.01", "250.9"],
    "injury": ["800", "999"],
    "musculoskeletal": ["710", "739"],
    "genitourinary": ["580", "629", "788"],
    "neoplasms": ["140", "239"],
    "other": ["1", "139", "240", "249", "251", "280", "389", "630", "709", "740", "784", "789", "V57", "E909"],
    "?": ["?"],
}  # fmt: skip


def test_diagnoses_fall_into_the_nine_groups():
    for group, codes in ICD9.items():
        assert {icd9_group(code) for code in codes} == {group}
    assert len(ICD9) == 9 + 1


@pytest.fixture
def alone(monkeypatch, tmp_path):
    """No file but those of the test, and a checksum for synthetic files."""
    monkeypatch.delenv("GRAD_EXT_DATA_DIR", raising=False)
    monkeypatch.setenv("GRAD_EXT_CACHE", str(tmp_path / "cache"))
    content = csv_of(*ROWS)
    own = replace(
        diabetes.FILE, size=len(content), sha256=hashlib.sha256(content).hexdigest(), url=None
    )
    monkeypatch.setattr(diabetes, "FILE", own)
    monkeypatch.setitem(DATA_SETS, "diabetes", replace(DATA_SETS["diabetes"], files=(own,)))
    return tmp_path


@pytest.mark.parametrize(
    "name", ["diabetic_data.csv", "diabetic_data.csv.gz", *diabetes.FILE.archives]
)
def test_a_file_in_the_users_folder_is_found(alone, name, monkeypatch):
    path, content = alone / name, csv_of(*ROWS)
    if name.endswith(".zip"):
        with zipfile.ZipFile(path, "w") as archive:
            archive.writestr("dataset_diabetes/diabetic_data.csv", content)
    else:
        path.write_bytes(gzip.compress(content) if name.endswith(".gz") else content)
    table = load_dataset("diabetes", ["gender"], data_dir=alone)
    assert (len(table), table.attribute_names) == (4, ("gender",))
    monkeypatch.setenv("GRAD_EXT_DATA_DIR", str(alone))
    assert load_dataset("diabetes").digest() == parse(content).protecting(["race"]).digest()


def test_another_file_than_ucis_is_refused(alone):
    (alone / "diabetic_data.csv").write_bytes(csv_of(*ROWS, {}))
    with pytest.raises(InputError, match="wrong checksum: expected SHA-256"):
        load_dataset("diabetes", data_dir=alone)


def test_what_is_needed_is_said(alone):
    with pytest.raises(InputError, match=r"cannot be downloaded: get diabetic_data\.csv") as caught:
        load_dataset("diabetes")
    message = str(caught.value)
    for part in (diabetes.FILE.sha256, str(alone / "cache"), "archive.ics.uci.edu", "data_dir"):
        assert part in message


def test_an_unknown_attribute_is_refused_before_any_file_is_looked_for(alone):
    with pytest.raises(InputError, match=r"'sex' of 'diabetes': .*'gender'"):
        load_dataset("diabetes", ["sex"])


BAD = {
    "no column": (csv_of({}).replace(b"gender", b"sex", 1), "no column 'gender'; is it UCI's file"),
    "text for a number": (csv_of({"num_procedures": "few"}), "'num_procedures' must hold numbers"),
    "no CSV": (b'a,b\n1,2,3\n"', "cannot be read as CSV"),
}


@pytest.mark.parametrize("case", BAD)
def test_bad_content(case):
    content, message = BAD[case]
    with pytest.raises(InputError, match=message):
        parse(content)


def test_info_shows_what_is_there_and_what_is_needed(alone, capsys):
    assert main(["data", "info", "diabetes"]) == 0
    out = capsys.readouterr().out
    assert "race, gender, race_groups, age_groups" in out
    assert "CC BY 4.0" in out
    assert main(["data", "fetch", "diabetes"]) == 2
    assert "get diabetic_data.csv" in capsys.readouterr().err
    (alone / "diabetic_data.csv").write_bytes(csv_of(*ROWS))
    assert main(["data", "info", "diabetes", "--data-dir", str(alone)]) == 0
    out = capsys.readouterr().out
    assert "Rows: 4\n" in out
    assert "Units: 3 by patient_nbr" in out
    assert "AfricanAmerican" in out
    assert str(alone / "diabetic_data.csv") in out
    assert main(["data", "fetch", "diabetes", "--data-dir", str(alone)]) == 0
    assert str(alone / "diabetic_data.csv") in capsys.readouterr().out
    assert main(["data", "list", "--data-dir", str(alone)]) == 0


@pytest.fixture(scope="module")
def folder():
    """The folder beside the checkout that may have the real file, unless the user names one."""
    beside = Path(__file__).parents[3] / "shared" / "data"
    folder = None if os.environ.get("GRAD_EXT_DATA_DIR") or not beside.is_dir() else beside
    if find(diabetes.FILE, folder) is None:
        pytest.skip("GRAD_EXT_DATA_DIR names no folder with diabetic_data.csv")
    return folder


@pytest.fixture(scope="module")
def real(folder):
    return diabetes.diabetes(folder)


def test_the_real_file_has_the_published_counts(real):
    assert len(real) == DATA_SETS["diabetes"].rows == 99_492
    assert len(np.unique(real.g())) == 69_667
    assert real.y().sum() == 46_176
    privileged = real.protecting(["race", "gender"]).a()
    assert privileged.sum(axis=0).tolist() == [76_099, 45_917]
    assert not np.isnan(real.a()).any()
    # The first stay of each patient: the shares of Strack et al.'s Table 2, to a percent.
    first = real.frame.drop_duplicates("patient_nbr")["diag_1"].value_counts(normalize=True)
    published = {"circulatory": 0.306, "respiratory": 0.136, "digestive": 0.093, "diabetes": 0.082}
    for group, share in published.items():
        assert first[group] == pytest.approx(share, abs=0.01)
    inputs = real.protecting(["race", "gender"]).inputs()
    # Among the rows of known race and gender metformin-rosiglitazone is constant, so left out.
    assert len(Encoder().fit(inputs).names) == 268
    assert not inputs.isna().any().any()


def test_the_real_rows_keep_the_order_of_the_file(real, folder):
    content = obtain(diabetes.FILE, folder)[0]
    assert content.splitlines()[0].decode().split(",") == HEADER
    raw = pd.read_csv(BytesIO(content), dtype=str, keep_default_na=False)
    assert len(raw) == 101_766
    known = raw[(raw["race"] != "?") & (raw["gender"] != "Unknown/Invalid")]
    np.testing.assert_array_equal(real.frame["encounter_id"], known["encounter_id"])
    np.testing.assert_array_equal(real.y(), known["readmitted"] != "NO")
    np.testing.assert_array_equal(real.frame["insulin"], known["insulin"])
