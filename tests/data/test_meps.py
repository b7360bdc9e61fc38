"""MEPS: synthetic files with the columns of AHRQ's, as CSV and in SAS' transport format."""

import math
import struct

import numpy as np
import pytest

from grad_ext import load_dataset
from grad_ext.cli import main
from grad_ext.data import DATA_SETS
from grad_ext.data.meps import CODES, RENAMED, SCORES, VISITS, parse
from grad_ext.errors import InputError

ORIGINAL = {name: column for column, name in RENAMED.items()}


def row_of(year, **changes):
    """A complete row of a file; `changes` are by the file's names."""
    names = [
        ORIGINAL.get(c, f"{c}{year}" if c in ("POVCAT", "INSCOV") else c)
        for c in ("AGE", *CODES, *SCORES)
    ]
    row = {
        "DUID": 10001, "PANEL": 19, "SEX": 1, "RACEV2X": 1, "HISPANX": 2, "EDUCYR": 12, "HIDEG": 3,
        f"PERWT{year}F": 5000.25,
        **dict.fromkeys(names, 1),
        **dict.fromkeys((f"{visits}{year}" for visits in VISITS), 2),
        "PCS42": 55.25,
    }  # fmt: skip
    assert set(changes) <= set(row)
    return {**row, **changes}


ROWS = (
    {},
    # Nine visits; Hispanic, a score that is a reason for having none, a code for inapplicable.
    {"OBTOTV15": 1, "HISPANX": 1, "SEX": 2, "PCS42": -1, "FTSTU53X": -1},
    {"DUID": 10002, "RACEV2X": 2, "AGE53X": 0, "ERTOT15": 0, "HHTOTD15": 30},
    # Left out: another panel, a refusal, no region, no marital status.
    {"PANEL": 20},
    {"FTSTU53X": -7},
    {"REGION53": -1},
    {"MARRY53X": -1},
)


def csv_of(*rows):
    rows = [row_of("15", **row) for row in rows]
    return "\n".join([",".join(rows[0]), *(",".join(map(str, r.values())) for r in rows)]).encode()


def ibm(value):
    """A number as IBM's floating point, which SAS' transport format has."""
    if value == 0:
        return bytes(8)
    sign, value = (0x80, -value) if value < 0 else (0, value)
    power = math.floor(math.log(value, 16)) + 1
    return bytes([sign | (64 + power)]) + int(value / 16.0**power * 2**56).to_bytes(7, "big")


def xport_of(*rows):
    """The rows as a SAS transport file of version 5."""
    rows = [row_of("15", **row) for row in rows]

    def padded(content):
        return content + b" " * (-len(content) % 80)

    def header(kind, numbers="0" * 30):
        return padded(f"HEADER RECORD*******{kind:<8}HEADER RECORD!!!!!!!{numbers}".encode())

    def field(at, name):
        start = struct.pack(">hhhh8s40s8shhh2s8shhl", 1, 0, 8, at + 1, name.ljust(8).encode(),
                            b" " * 40, b" " * 8, 0, 0, 0, b"  ", b" " * 8, 0, 0, at * 8)  # fmt: skip
        return start + bytes(52)

    stamp = b"01JAN20:00:00:00"
    names = list(rows[0])
    fields = b"".join(field(i, name) for i, name in enumerate(names))
    values = b"".join(ibm(value) for row in rows for value in row.values())
    return b"".join([
        header("LIBRARY"),
        padded(b"SAS     SAS     SASLIB  9.1     X       ".ljust(64) + stamp),
        padded(stamp),
        header("MEMBER", "0" * 17 + "160000000014" + "0"),
        header("DSCRPTR"),
        padded(b"SAS     DATA    SASDATA 9.1     X       ".ljust(64) + stamp),
        padded(stamp),
        header("NAMESTR", f"000000{len(names):04d}" + "0" * 20),
        padded(fields),
        header("OBS"),
        padded(values),
    ])  # fmt: skip


@pytest.mark.parametrize("content", [csv_of(*ROWS), xport_of(*ROWS)], ids=["csv", "xport"])
def test_rows_and_roles_by_hand(content):
    table = parse(content, 19)
    assert table.y().tolist() == [True, False, True]
    assert table.attribute_names == DATA_SETS["meps19"].protected
    assert table.a().tolist() == [[1, 1, 1], [0, 0, 1], [0, 1, 0]]
    assert table.g().tolist() == [0, 0, 1]
    assert len(table.features) == DATA_SETS["meps19"].features
    assert set(VISITS).isdisjoint(table.features)
    assert table.frame["FTSTU"].tolist() == ["1", "-1", "1"]
    np.testing.assert_array_equal(table.frame["PCS42"], [55.25, np.nan, 55.25])
    assert table.frame["PERWT"].tolist() == [5000.25] * 3


def test_the_file_is_downloaded_on_demand_only(tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("GRAD_EXT_CACHE", str(tmp_path))
    with pytest.raises(InputError, match="grad-ext data fetch meps21"):
        load_dataset("meps21")
    (tmp_path / "h181.csv").write_bytes(csv_of(*ROWS))
    table = load_dataset("meps19")
    assert len(table) == 3
    assert main(["data", "info", "meps19"]) == 0
    out = capsys.readouterr().out
    assert str(tmp_path / "h181.csv") in out
    assert DATA_SETS["meps19"].terms in out


def test_other_contents_are_refused():
    with pytest.raises(InputError, match="no complete row of panel 20"):
        parse(csv_of({}), 20)
    # The file of 2015 has other names than that of 2016.
    with pytest.raises(InputError, match="POVCAT16"):
        parse(csv_of({}), 21)
    with pytest.raises(InputError, match="POVCAT16"):
        parse(xport_of({}), 21)
    with pytest.raises(InputError, match="cannot be read as SAS"):
        parse(b"HEADER RECORD of something else", 19)
