"""Bank marketing: synthetic files with the columns of UCI's two, in archives within an archive."""

import hashlib
import io
import zipfile
from dataclasses import replace

import numpy as np
import pytest

from grad_ext.data import DATA_SETS
from grad_ext.data.bank import BANK, BANK_ADDITIONAL, parse
from grad_ext.data.fetch import obtain
from grad_ext.errors import InputError

FULL = b"""\
"age";"job";"marital";"education";"default";"balance";"housing";"loan";"contact";"day";"month";"duration";"campaign";"pdays";"previous";"poutcome";"y"
58;"management";"married";"tertiary";"no";2143;"yes";"no";"unknown";5;"may";261;1;-1;0;"unknown";"no"
24;"student";"single";"unknown";"no";29;"yes";"no";"cellular";5;"may";151;1;90;2;"success";"yes"
60;"retired";"divorced";"primary";"no";-2;"no";"yes";"cellular";5;"may";76;1;-1;0;"unknown";"no"
25;"services";"married";"secondary";"no";0;"no";"no";"cellular";5;"may";76;1;-1;0;"unknown";"yes"
"""  # fmt: skip
ADDITIONAL = b"""\
"age";"job";"marital";"education";"default";"housing";"loan";"contact";"month";"day_of_week";"duration";"campaign";"pdays";"previous";"poutcome";"emp.var.rate";"cons.price.idx";"cons.conf.idx";"euribor3m";"nr.employed";"y"
56;"housemaid";"married";"basic.4y";"no";"no";"no";"telephone";"may";"mon";261;1;999;0;"nonexistent";1.1;93.994;-36.4;4.857;5191;"no"
20;"student";"single";"unknown";"unknown";"no";"no";"cellular";"may";"mon";100;1;6;1;"success";-1.8;92.893;-46.2;1.299;5099.1;"yes"
"""  # fmt: skip


def test_rows_and_roles_by_hand():
    table = parse(FULL, BANK)
    assert table.y().tolist() == [False, True, False, True]
    assert table.attribute_names == DATA_SETS["bank"].protected
    # 25 belongs to the privileged group, 60 does not.
    assert table.a().tolist() == [[1, 1, 58], [0, 0, 24], [0, 0, 60], [1, 1, 25]]
    assert len(table.features) == DATA_SETS["bank"].features
    assert "duration" not in table.features
    np.testing.assert_array_equal(table.frame["pdays"], [np.nan, 90, np.nan, np.nan])
    assert table.frame["education"].tolist()[1] == "unknown"


def test_the_file_with_the_economy_by_hand():
    table = parse(ADDITIONAL, BANK_ADDITIONAL)
    assert table.y().tolist() == [False, True]
    assert table.a().tolist() == [[1, 1, 56], [0, 0, 20]]
    assert len(table.features) == DATA_SETS["bank_additional"].features
    assert "duration" not in table.features
    np.testing.assert_array_equal(table.frame["pdays"], [np.nan, 6])
    assert table.frame["nr.employed"].tolist() == [5191, 5099.1]


def test_a_file_is_found_in_an_archive_within_the_archive(tmp_path):
    def zipped(name, content):
        packed = io.BytesIO()
        with zipfile.ZipFile(packed, "w") as archive:
            archive.writestr("readme.txt", "?")
            archive.writestr(name, content)
        return packed.getvalue()

    inner = zipped("bank-additional/bank-additional-full.csv", ADDITIONAL)
    (tmp_path / "bank+marketing.zip").write_bytes(zipped("bank-additional.zip", inner))
    own = replace(
        BANK_ADDITIONAL.file,
        size=len(ADDITIONAL),
        sha256=hashlib.sha256(ADDITIONAL).hexdigest(),
        url=None,
    )
    assert obtain(own, tmp_path)[0] == ADDITIONAL
    with pytest.raises(InputError, match=r"the archive holds no bank-full\.csv"):
        obtain(replace(BANK.file, url=None), tmp_path)


def test_other_contents_are_refused():
    with pytest.raises(InputError, match="'balance', 'day'"):
        parse(ADDITIONAL, BANK)
    with pytest.raises(InputError, match=r"'y'.*got 'perhaps'"):
        parse(FULL.replace(b'"no"\n', b'"perhaps"\n'), BANK)
