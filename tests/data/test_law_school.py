"""Law school: synthetic files with the columns of the published one."""

import pytest

from grad_ext import load_dataset
from grad_ext.cli import main
from grad_ext.data import DATA_SETS
from grad_ext.data.law_school import parse
from grad_ext.errors import InputError

FILE = b"""\
decile1b,decile3,lsat,ugpa,zfygpa,zgpa,fulltime,fam_inc,male,tier,race,pass_bar
10.0,10.0,44.0,3.5,1.33,1.88,1.0,5.0,0.0,4.0,White,1.0
5.0,4.0,29.0,3.5,-0.11,-0.57,1.0,4.0,1.0,2.0,Non-White,0.0
8.0,7.0,37.0,3.4,0.63,0.37,2.0,3.0,1.0,4.0,White,1.0
"""


def test_rows_and_roles_by_hand():
    table = parse(FILE)
    assert table.y().tolist() == [True, False, True]
    assert table.attribute_names == DATA_SETS["law_school"].protected == ("race", "sex")
    assert table.a().tolist() == [[1, 0], [0, 1], [1, 1]]
    assert len(table.features) == DATA_SETS["law_school"].features
    # Codes are categories, however they are written.
    assert table.frame["tier"].tolist() == ["4", "2", "4"]
    assert parse(FILE.replace(b".0,", b",")).frame["tier"].tolist() == ["4", "2", "4"]
    assert table.frame["lsat"].tolist() == [44, 29, 37]


def test_a_file_in_a_folder_is_read_and_its_digest_shown(tmp_path, capsys):
    """No checksum of the published file is known, so that of the file is shown."""
    (tmp_path / "law_school_clean.csv").write_bytes(FILE)
    table = load_dataset("law_school", ["sex"], tmp_path)
    assert table.attribute_names == ("sex",)
    assert main(["data", "info", "law_school", "--data-dir", str(tmp_path)]) == 0
    out = capsys.readouterr().out
    assert table.checksums["law_school_clean.csv"] in out
    assert "No checksum of law_school_clean.csv is known" in out
    for caveat in DATA_SETS["law_school"].caveats:
        assert caveat in out


def test_a_web_page_in_its_place_is_refused(tmp_path):
    (tmp_path / "law_school_clean.csv").write_text("\n<!DOCTYPE html><html>404</html>")
    with pytest.raises(InputError, match="expected a data file, got a web page"):
        load_dataset("law_school", data_dir=tmp_path)


@pytest.mark.parametrize(("old", "new"), [(b"Non-White", b"Black"), (b"pass_bar", b"passed")])
def test_other_contents_are_refused(old, new):
    with pytest.raises(InputError, match=f"{new.decode()}|{old.decode()}"):
        parse(FILE.replace(old, new))
