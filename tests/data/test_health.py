"""Health: small synthetic files in the format of the competition, whose own files may not be shared."""

import gzip
import hashlib
import zipfile

import numpy as np
import pytest

from grad_ext import load_dataset
from grad_ext.cli import main
from grad_ext.data import DATA_SETS
from grad_ext.data.encoding import Encoder
from grad_ext.data.health import COLUMNS, parse
from grad_ext.data.split import split
from grad_ext.errors import InputError

FILES = {
    "Claims.csv": """\
MemberID,ProviderID,Vendor,PCP,Year,Specialty,PlaceSvc,PayDelay,LengthOfStay,DSFS,PrimaryConditionGroup,CharlsonIndex,ProcedureGroup,SupLOS
11,1,7,3,Y1,Internal,Office,28,,8- 9 months,NEUMENT,0,MED,0
11,1,8,3,Y1,Surgery,Office,162+,1- 2 weeks,7- 8 months,NEUMENT,1-2,SCS,0
11,2,8,3,Y1,Internal,Inpatient Hospital,0,3 days,7- 8 months,,3-4,MED,1
11,1,7,3,Y2,Internal,Office,10,26+ weeks,0- 1 month,MSC2a3,5+,MED,0
22,5,9,4,Y1,Emergency,Urgent Care,40,1 day,0- 1 month,MSC2a3,0,EM,0
22,5,9,4,Y3,Emergency,Urgent Care,50,1 day,0- 1 month,MSC2a3,0,EM,0
""",
    "Members.csv": "MemberID,AgeAtFirstClaim,Sex\n22,60-69,\n11,,M\n33,80+,F\n",
    "DaysInHospital_Y2.csv": "MemberID,ClaimsTruncated,DaysInHospital\n22,0,0\n11,1,15\n",
    "DaysInHospital_Y3.csv": "MemberID,ClaimsTruncated,DaysInHospital\n33,0,2\n11,0,0\n",
    "DrugCount.csv": "MemberID,Year,DSFS,DrugCount\n11,Y1,0- 1 month,7+\n11,Y1,1- 2 months,2\n22,Y3,0- 1 month,1\n",
    "LabCount.csv": "MemberID,Year,DSFS,LabCount\n11,Y2,0- 1 month,10+\n22,Y1,0- 1 month,3\n",
}  # fmt: skip


def contents(**changes):
    """The synthetic files, some with a text replaced: name=(old, new)."""
    files = dict(FILES)
    for name, (old, new) in changes.items():
        assert old in files[f"{name}.csv"]
        files[f"{name}.csv"] = files[f"{name}.csv"].replace(old, new, 1)
    return {name: text.encode() for name, text in files.items()}


def test_rows_labels_and_groups_by_hand():
    table = parse(contents())
    # The rows of DaysInHospital_Y2, then those of _Y3, in the files' order.
    assert table.frame["MemberID"].tolist() == [22, 11, 33, 11]
    assert table.y().tolist() == [False, True, True, False]
    assert table.groups == "MemberID"
    assert table.g().tolist() == [0, 1, 2, 1]
    assert (
        table.attribute_names
        == DATA_SETS["health"].protected
        == ("age", "age_70", "sex", "age_groups")
    )
    nan = np.nan
    expected = [[0, 1, nan, 6], [nan, nan, 1, nan], [0, 0, 0, 8], [nan, nan, 1, nan]]
    np.testing.assert_array_equal(table.a(), expected)
    assert table.frame["age"].tolist() == ["60-69", "unknown", "80+", "unknown"]
    assert table.frame["sex"].tolist() == ["unknown", "M", "F", "M"]
    assert (
        table.checksums["Members.csv"] == hashlib.sha256(FILES["Members.csv"].encode()).hexdigest()
    )
    assert list(table.checksums) == list(COLUMNS)
    assert table.protecting(["age"]).known().frame["MemberID"].tolist() == [22, 33]
    inputs = table.protecting(["age"]).inputs()
    assert {"age", "AgeAtFirstClaim"}.isdisjoint(inputs.columns)
    assert "sex" in inputs.columns


# Member 22 in Y1, 11 in Y1, 33 in Y2 (nothing claimed), 11 in Y2.
SUMS = {
    "claims": [1, 3, 0, 1],
    "ProviderID different": [1, 2, 0, 1],
    "Vendor different": [1, 2, 0, 1],
    "PCP different": [1, 1, 0, 1],
    "DSFS different": [1, 2, 0, 1],
    "PayDelay total": [40, 28 + 162 + 0, 0, 10],
    "PayDelay largest": [40, 162, 0, 10],
    "LengthOfStay total": [1, 1.5 * 7 + 3, 0, 26 * 7],
    "LengthOfStay largest": [1, 10.5, 0, 182],
    "CharlsonIndex total": [0, 0 + 1.5 + 3.5, 0, 5],
    "CharlsonIndex largest": [0, 3.5, 0, 5],
    "SupLOS total": [0, 1, 0, 0],
    "Specialty Internal": [0, 2, 0, 1],
    "Specialty Emergency": [1, 0, 0, 0],
    "PlaceSvc Inpatient Hospital": [0, 1, 0, 0],
    "PrimaryConditionGroup NEUMENT": [0, 2, 0, 0],
    "PrimaryConditionGroup unknown": [0, 1, 0, 0],
    "ProcedureGroup MED": [0, 2, 0, 1],
    "DrugCount months": [0, 2, 0, 0],
    "DrugCount total": [0, 9, 0, 0],
    "DrugCount largest": [0, 7, 0, 0],
    "LabCount total": [3, 0, 0, 10],
    "ClaimsTruncated": [0, 1, 0, 0],
}


def test_sums_by_hand():
    table = parse(contents())
    for name, values in SUMS.items():
        assert name in table.features
        assert table.frame[name].tolist() == values, name


def test_the_sums_against_a_loop_over_claims():
    """Many claims of many members: each row's sums, one claim after another."""
    rng = np.random.default_rng(0)
    members = rng.permutation(np.arange(100, 160))
    claims = [
        [
            str(rng.choice(members)), str(rng.integers(5)), str(rng.integers(4)), str(rng.integers(3)),
            str(rng.choice(["Y1", "Y2", "Y3"])), str(rng.choice(["Internal", "Surgery", ""])), "Office",
            str(rng.choice(["3", "162+"])), "", "0- 1 month", "ROAMI", "0", "MED", "0",
        ]
        for _ in range(900)
    ]  # fmt: skip
    files = dict(FILES)
    header = FILES["Claims.csv"].splitlines()[0]
    files["Claims.csv"] = "\n".join([header, *map(",".join, claims)])
    files["Members.csv"] = "MemberID,AgeAtFirstClaim,Sex\n" + "".join(
        f"{m},,{'MF'[m % 2]}\n" for m in members
    )
    second, third = members[:40], members[20:]
    for name, chosen in (("Y2", second), ("Y3", third)):
        lines = [f"{m},0,{m % 3}\n" for m in chosen]
        files[f"DaysInHospital_{name}.csv"] = "MemberID,ClaimsTruncated,DaysInHospital\n" + "".join(
            lines
        )
    table = parse({name: text.encode() for name, text in files.items()})
    keys = [(str(m), "Y1") for m in second] + [(str(m), "Y2") for m in third]
    assert table.frame["MemberID"].tolist() == [int(m) for m, _ in keys]
    for row, key in enumerate(keys):
        own = [c for c in claims if (c[0], c[4]) == key]
        features = table.frame.iloc[row]
        assert features["claims"] == len(own)
        assert features["ProviderID different"] == len({c[1] for c in own})
        assert features["PCP different"] == len({c[3] for c in own})
        assert features["Specialty unknown"] == sum(c[5] == "" for c in own)
        assert features["PayDelay total"] == sum(3 if c[7] == "3" else 162 for c in own)
        assert features["PayDelay largest"] == max(
            (3 if c[7] == "3" else 162 for c in own), default=0
        )
    coded = Encoder().fit(table.inputs(True)).transform(table.inputs(True))
    assert np.isfinite(coded).all()
    parts = split(table.protecting(["sex"]))
    members_of = [set(part.frame["MemberID"]) for part in (parts.train, parts.valid, parts.test)]
    assert sum(map(len, members_of)) == len(set.union(*members_of)) == len(members)


@pytest.fixture
def own(tmp_path, monkeypatch):
    """A folder of the user's, and nothing anywhere else."""
    monkeypatch.delenv("GRAD_EXT_DATA_DIR", raising=False)
    monkeypatch.setenv("GRAD_EXT_CACHE", str(tmp_path / "cache"))
    folder = tmp_path / "hhp"
    folder.mkdir()
    return folder


def test_the_files_of_the_users_folder_are_read(own, monkeypatch):
    for name, content in contents().items():
        packed = name == "Claims.csv"
        path = own / (f"{name}.gz" if packed else name)
        path.write_bytes(gzip.compress(content) if packed else content)
    table = load_dataset("health", ["age_70", "sex"], data_dir=own)
    assert (len(table), table.attribute_names) == (4, ("age_70", "sex"))
    monkeypatch.setenv("GRAD_EXT_DATA_DIR", str(own))
    assert load_dataset("health").attribute_names == ("age",)


def test_the_files_may_lie_in_the_competitions_archive(own):
    with zipfile.ZipFile(own / "HHP_release3.zip", "w") as archive:
        for name, content in contents().items():
            archive.writestr(name, content)
    assert (
        load_dataset("health", data_dir=own).digest()
        == parse(contents()).protecting(["age"]).digest()
    )


def test_every_missing_file_is_named_and_nothing_is_downloaded(own, capsys):
    for name in ("Claims.csv", "Members.csv"):
        (own / name).write_bytes(contents()[name])
    with pytest.raises(InputError, match="forbid sharing") as caught:
        load_dataset("health", data_dir=own)
    message = str(caught.value)
    first = message.split(": ")[0]
    assert first == "DaysInHospital_Y2.csv, DaysInHospital_Y3.csv, DrugCount.csv, LabCount.csv"
    for part in (str(own), "kaggle.com/c/hhp", "data_dir", "GRAD_EXT_DATA_DIR", "HHP_release3.zip"):
        assert part in message
    assert main(["data", "fetch", "health"]) == 2
    assert "Claims.csv, Members.csv, DaysInHospital_Y2.csv" in capsys.readouterr().err
    assert main(["data", "info", "health"]) == 0
    assert "no sharing" in capsys.readouterr().out


BAD = {
    "no column": (
        {"Claims": ("PayDelay,LengthOfStay", "Delay,Stay")},
        r"Claims\.csv: no column 'PayDelay', 'LengthOfStay'; there are 'MemberID'",
    ),
    "no quantity": ({"Claims": ("162+", "long")}, r"Claims\.csv: column 'PayDelay'.*got 'long'"),
    "another age": ({"Members": ("80+", "85")}, r"Members\.csv: column 'AgeAtFirstClaim'.*got '85'"),
    "another sex": ({"Members": (",M", ",X")}, r"'Sex': expected M, F or nothing, got 'X'"),
    "another year": ({"DrugCount": ("Y1", "1")}, r"DrugCount\.csv: column 'Year': expected Y1, Y2 or Y3"),
    "a member twice": ({"DaysInHospital_Y2": ("22,", "11,")}, r"_Y2\.csv: expected one row a member"),
    "an unknown member": ({"Members": ("33,", "34,")}, r"Members\.csv: no member 33"),
    "a text for a member": ({"LabCount": ("22,", "x,")}, r"LabCount\.csv: column 'MemberID'.*got 'x'"),
    "no CSV": ({"Members": ("22,60-69,", '22,"60-69,')}, r"Members\.csv: cannot be read as CSV"),
}  # fmt: skip


@pytest.mark.parametrize("case", BAD)
def test_bad_content(case):
    changes, message = BAD[case]
    with pytest.raises(InputError, match=message):
        parse(contents(**changes))


def test_rows_of_no_group_are_refused_by_aif360_and_left_out_on_demand():
    table = parse(contents()).protecting(["sex"])
    with pytest.raises(InputError, match=r"1 of 4 rows belong to no group of 'sex'.*known\(\)"):
        table.to_aif360()
    assert table.known().to_aif360().labels.ravel().tolist() == [1, 1, 0]
