"""A user's own file as a table: roles, groups, refusals, and the options of the command line."""

import gzip
import hashlib
import subprocess
import sys

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from grad_ext.data import load_dataset, load_table
from grad_ext.data.encoding import Encoder, arrays
from grad_ext.data.options import table_from_options
from grad_ext.data.sensitive import SensitiveAttribute
from grad_ext.data.table import Table
from grad_ext.errors import InputError

LOANS = """\
id,amount,purpose,sex,race,age,w,who,paid
1,5.5,car,f,a,30,1,p,no
2,7,house,m,b,20,2,q,yes
3,9,car,m,c,60,1,p,yes
4,4,boat,f,a,25,1,r,yes
5,1,car,f,b,26,3,q,no
6,2,boat,m,c,40,1,s,no
"""


@pytest.fixture
def loans(tmp_path):
    path = tmp_path / "loans.csv"
    path.write_text(LOANS)
    return path


def load(path, **changes):
    values = {"label": "paid", "favorable": "yes", "protected": ["sex"], "drop": ["id"]}
    return load_table(path, **{**values, **changes})


def changed(path, old, new):
    path.write_text(LOANS.replace(old, new))
    return path


def test_roles_by_hand(loans):
    table = load(loans, weights="w", groups="who", continuous=["age"], protected=["sex", "age"])
    assert table.name == "loans"
    assert table.features == ("amount", "purpose", "sex", "race", "age")
    assert list(table.inputs().columns) == ["amount", "purpose", "race"]
    assert table.y().tolist() == [False, True, True, True, False, False]
    # Of three women one paid, of three men two: men are the privileged.
    assert table.protected[0] == SensitiveAttribute("sex", "sex", values=("m",))
    np.testing.assert_array_equal(table.a().T, [[0, 1, 1, 0, 0, 1], [30, 20, 60, 25, 26, 40]])
    assert table.w().tolist() == [1, 2, 1, 1, 3, 1]
    assert table.g().tolist() == [0, 1, 0, 2, 1, 3]
    assert table.take(np.array([5, 2])).g().tolist() == [0, 1]
    checksum = hashlib.sha256(LOANS.encode()).hexdigest()
    assert table.checksums == {"loans.csv": checksum}
    coded = arrays(table, Encoder().fit(table.inputs()))
    assert coded.X.shape == (6, 1 + 3 + 3)


@pytest.mark.parametrize("form", ["csv.gz", "parquet", "pq", "CSV"])
def test_every_form_of_file_gives_the_same_table(loans, form):
    plain = load(loans)
    other = loans.with_name(f"other.{form}")
    if form == "csv.gz":
        other.write_bytes(gzip.compress(LOANS.encode()))
    elif form == "CSV":
        # With a byte-order mark, Windows' line ends and blanks after the commas.
        text = "\ufeff" + LOANS.replace(",", ", ").replace("\n", "\r\n")
        other.write_bytes(text.encode())
    else:
        pd.read_csv(loans).to_parquet(other)
    table = load(other)
    assert table.digest() == plain.digest()
    assert table.checksums[other.name] == hashlib.sha256(other.read_bytes()).hexdigest()


def test_a_named_index_of_a_parquet_file_is_a_column(loans):
    path = loans.with_name("indexed.parquet")
    pd.read_csv(loans).set_index("sex").to_parquet(path)
    assert load(path).a()[:, 0].tolist() == [0, 1, 1, 0, 0, 1]


GROUPS = {
    "two, by rate": ("sex", [0, 1, 1, 0, 0, 1]),
    "more, a group each": ("race", [0, 1, 2, 0, 1, 2]),
    "named": ("sex=f", [1, 0, 0, 1, 1, 0]),
    "several named": ("race=a|c", [1, 0, 1, 1, 0, 1]),
    "a cut": ("age>25", [1, 0, 1, 0, 1, 1]),
    "a number named": ("age=20|60", [0, 1, 1, 0, 0, 0]),
    "a rule of one's own": (SensitiveAttribute("old", "age", above=50), [0, 0, 1, 0, 0, 0]),
}


@pytest.mark.parametrize("case", GROUPS)
def test_protected_groups(loans, case):
    spec, groups = GROUPS[case]
    assert load(loans, protected=[spec]).a()[:, 0].tolist() == groups


def test_protected_groups_as_a_mapping(loans):
    table = load(loans, protected={"sex": "f", "race": ["a", "b"], "age": None})
    assert [p.values for p in table.protected[:2]] == [("f",), ("a", "b")]
    assert table.protected[2].levels == (20, 25, 26, 30, 40, 60)


def test_the_privileged_of_two_has_the_higher_rate_whatever_the_values(tmp_path):
    path = tmp_path / "t.csv"
    path.write_text("g,y\n0,1\n0,1\n1,0\n1,1\n")
    assert load_table(path, "y", ["g"]).protected[0].values == (0,)


LABELS = {
    "0 and 1 need no favorable one": ("0", "1", None, 1, 0),
    "by value": ("0", "1", 0, 0, 1),
    "by text": ("1", "2", "1", 1, 2),
    "text of a number of another type": ("1.0", "2.5", "1", 1.0, 2.5),
    "booleans": ("True", "False", None, True, False),
    "booleans by text": ("True", "False", "False", False, True),
    "booleans in lower case": ("True", "False", "true", True, False),
    "numbers with a sign": ("5%", "10%", "5%", 5, 10),
    "a sign": ("<=50K", ">50K", ">50K", ">50K", "<=50K"),
}


@pytest.mark.parametrize("case", LABELS)
def test_labels_of_two_values(loans, case):
    no, yes, favorable, high, low = LABELS[case]
    text = LOANS.replace(",no\n", f",{no}\n").replace(",yes\n", f",{yes}\n")
    loans.write_text(text)
    table = load(loans, favorable=favorable)
    assert (table.target.favorable, table.target.unfavorable) == (high, low)
    assert table.frame["paid"].eq(high).tolist() == table.y().tolist()


@pytest.mark.parametrize("favorable", ["late|yes", ["late", "yes"]])
def test_labels_of_more_values(loans, favorable):
    path = changed(loans, "6,2,boat,m,c,40,1,s,no", "6,2,boat,m,c,40,1,s,late")
    table = load(path, favorable=favorable)
    assert table.y().tolist() == [False, True, True, True, False, True]
    assert "paid" not in table.features
    assert table.target.column not in table.features
    assert load(path, favorable="yes").y().tolist() == [False, True, True, True, False, False]
    dataset = table.to_aif360()
    assert dataset.labels.ravel().tolist() == [0, 1, 1, 1, 0, 1]


def test_incomplete_rows_are_used_dropped_or_refused(loans):
    path = changed(loans, "2,7,house,m", "2,,house,?")
    path.write_text(path.read_text().replace("6,2,boat", "6,2,NA").replace("1,5.5", ",5.5"))
    table = load(path)
    assert table.frame["amount"].isna().tolist() == [False, True, False, False, False, False]
    assert table.frame["purpose"].tolist() == ["car", "house", "car", "boat", "car", None]
    np.testing.assert_array_equal(table.a()[:, 0], [0, np.nan, 1, 0, 0, 1])
    with pytest.raises(InputError, match=r"2 of 6 rows .*'amount' \(1\).*missing='use'"):
        load(path, missing="error")
    table = load(path, missing="drop")
    assert table.frame["amount"].tolist() == [5.5, 9, 4, 1]
    assert table.frame.index.tolist() == [0, 1, 2, 3]
    # Missing values in unused columns are ignored.
    assert len(load(path, features=["age"], protected=["race"], missing="error")) == 6


def test_rows_without_a_label_are_left_out_and_counted(loans):
    path = changed(loans, "f,b,26,3,q,no", "f,b,26,3,q,?")
    table = load(path)
    assert table.y().tolist() == [False, True, True, True, False]
    assert [(left.reason, left.rows) for left in table.report.left_out] == [("without a label", 1)]
    with pytest.raises(InputError, match=r"1 of 6 rows .*'paid' \(1\)"):
        load(path, missing="error")


BAD = {
    "no file": (lambda p: load(p.with_name("none.csv")), "cannot read .*none.csv: No such file"),
    "no such form": (lambda p: load(p.with_name("t.xlsx")), r"expected a file named \.csv"),
    "empty": (lambda p: load(changed(p, LOANS, "")), "cannot read .*empty"),
    "no rows": (lambda p: load(changed(p, LOANS, LOANS.splitlines()[0])), "expected rows, got none"),
    "ragged": (lambda p: load(changed(p, "4,4,boat", "4,4,boat,1,2,3")), "cannot read .*fields"),
    "fields without a name": (
        lambda p: load(changed(p, "id,amount", "amount"), drop=[]),
        "line 2 has 9 fields, expected 8",
    ),
    "not text": (lambda p: load(p.write_bytes(b"\xff\xfe\x00") and p), "cannot read"),
    "no gzip": (lambda p: load(p.rename(p.with_name("a.csv.gz"))), "cannot read .*gzip"),
    "no parquet": (lambda p: load(p.rename(p.with_name("a.parquet"))), "cannot read .*[Pp]arquet"),
    "one name twice": (lambda p: load(changed(p, "id,", "paid,")), "got 'paid' more than once"),
    "no label": (lambda p: load(p, label="payed"), "unknown column 'payed': did you mean 'paid'"),
    "no protected": (lambda p: load(p, protected=["sexe"]), "did you mean 'sex'"),
    "no feature": (lambda p: load(p, features=["amout"]), "did you mean 'amount'"),
    "no column to drop": (lambda p: load(p, drop=["ids"]), "unknown column 'ids'"),
    "no weights": (lambda p: load(p, weights="ww"), "unknown column 'ww'"),
    "nothing protected": (lambda p: load(p, protected=[]), "protected is empty"),
    "a string": (lambda p: load(p, protected="sex"), "list of names, got the string 'sex'"),
    "protected twice": (lambda p: load(p, protected=["sex", "sex"]), "must differ"),
    "the label protected": (lambda p: load(p, protected=["paid"]), "'paid' cannot be protected"),
    "no such value": (lambda p: load(p, protected=["sex=x"]), "'sex' has no value 'x'.*'f', 'm'"),
    "signs in the wrong order": (
        lambda p: load(p, label="amount=>4", favorable=None),
        "'amount=>4'.*'=>'.*'>='",
    ),
    "no number": (lambda p: load(p, protected=["age>old"]), "'age>old': .*number.*'old'"),
    "a cut of text": (lambda p: load(p, protected=["sex>1"]), "'sex': expected numbers"),
    "a number of text": (lambda p: load(p, continuous=["sex"]), "'sex': expected numbers"),
    "not protected": (lambda p: load(p, continuous=["age"]), "continuous names 'age'"),
    "one group": (lambda p: load(changed(p, ",f,", ",m,")), "at least two groups, got only 'm'"),
    "which label": (lambda p: load(p, favorable=None), "2 values .*'no' 3 rows, 'yes' 3 rows.*--favorable"),
    "no such label": (lambda p: load(p, favorable="maybe"), "'paid' has no value 'maybe'.*'no', 'yes'"),
    "one class": (lambda p: load(changed(p, ",no\n", ",yes\n")), "or more, got only the value"),
    "all favorable": (lambda p: load(p, favorable="yes|no"), "all values are favorable"),
    "label as feature": (lambda p: load(p, features=["paid"]), "'paid' has another role"),
    "unit as feature": (lambda p: load(p, features=["who"], groups="who"), "'who' has another"),
    "a saved index": (lambda p: load(changed(p, "id,", ","), drop=[]), "column 1 has no name.*--drop 'Unnamed: 0'"),
    "infinite": (lambda p: load(changed(p, "5.5", "inf")), "feature 'amount': expected finite"),
    "text weights": (lambda p: load(p, weights="race"), "weights 'race': expected numbers"),
    "negative weights": (
        lambda p: load(changed(p, ",1,s,", ",-1,s,"), weights="w"),
        "weights must be finite and >= 0, got -1",
    ),
    "no complete row": (
        lambda p: load(
            p.write_text("a,b,sex,paid\n,1,f,no\n,2,m,yes\n1,,f,no\n2,,m,yes\n") and p,
            drop=[],
            missing="drop",
        ),
        "every row has missing values, in .*'a' .2.*'b' .2",
    ),
    "what to do": (lambda p: load(p, missing="guess"), "unknown missing 'guess'.*'drop'"),
}  # fmt: skip


@pytest.mark.parametrize("case", BAD)
def test_bad_input(loans, case):
    call, message = BAD[case]
    with pytest.raises(InputError, match=message):
        call(loans)


def test_columns_that_cannot_be_features(tmp_path):
    n = 1200
    frame = pd.DataFrame({"x": np.arange(n) % 7, "g": np.arange(n) % 2, "y": np.arange(n) % 3 == 0})
    path = tmp_path / "t.parquet"
    refused = {
        "code": [f"c{i % 1100}" for i in range(n)],
        "parts": [[i] for i in range(n)],
        "empty": [None] * n,
        "rate": [np.inf, *np.arange(n - 1) / 7],
    }
    for name, values in refused.items():
        frame.assign(**{name: values}).to_parquet(path)
        with pytest.raises(InputError, match=rf"{name}.*--drop {name}"):
            load_table(path, "y", ["g"])
        assert len(load_table(path, "y", ["g"], drop=[name])) == n
    left_out = {"person": [f"person {i}" for i in range(n)], "same": 3}
    for name, values in left_out.items():
        frame.assign(**{name: values}).to_parquet(path)
        table = load_table(path, "y", ["g"])
        assert table.features == ("x", "g")
        assert [column.name for column in table.report.of_role("left out")] == [name]
    frame.assign(day=pd.date_range("2020-01-01", periods=n, freq="h")).to_parquet(path)
    assert load_table(path, "y", ["g"]).frame["day"].tolist()[:2] == [18262.0, 18262 + 1 / 24]
    frame.assign(code=np.arange(n) * 2).to_parquet(path)
    with pytest.raises(InputError, match=r"'code' has 1,200 values.*--continuous code"):
        load_table(path, "y", ["code"])


def test_parquet_without_pyarrow_names_the_extra(loans):
    code = (
        "import sys; sys.modules['pyarrow'] = None\n"
        "from grad_ext.data import load_table\n"
        "load_table('t.parquet', 'y', ['g'])"
    )
    (loans.parent / "t.parquet").write_bytes(b"PAR1")
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, cwd=loans.parent, check=False
    )
    assert "pyarrow is not installed; pip install 'grad-ext[parquet]'" in done.stderr


@settings(max_examples=60, deadline=None)
@given(data=st.data(), n=st.integers(4, 30))
def test_a_file_gives_back_what_was_written(tmp_path_factory, data, n):
    """Any text, commas and quotes among it, and any numbers, in the order of the rows."""
    rng = np.random.default_rng(data.draw(st.integers(0, 2**32 - 1)))
    # Not blank, and none of the words that pandas reads as a missing value or a number.
    text = st.text(st.characters(codec="utf-8", categories=("L", "P")), max_size=6).map(
        "x{}".format
    )
    frame = pd.DataFrame(
        {
            "number": rng.normal(size=n) * 10.0 ** rng.integers(-5, 5),
            "text": data.draw(st.lists(text, min_size=n, max_size=n)),
            "group": rng.permutation(np.arange(n) % 2),
            "label": np.where(rng.permutation(np.arange(n) % 2) == 1, ">50K", "<=50K"),
        }
    )
    path = tmp_path_factory.mktemp("files") / "t.csv"
    frame.to_csv(path, index=False)
    table = load_table(path, "label", {"group": 1}, ">50K")
    pd.testing.assert_frame_equal(table.frame[list(frame)], frame, rtol=1e-15)
    assert table.y().tolist() == (frame["label"] == ">50K").tolist()
    assert table.a()[:, 0].tolist() == frame["group"].tolist()


def test_options_name_a_data_set_or_a_file(loans):
    assert table_from_options("german").attribute_names == ("age",)
    assert table_from_options("german", ["sex", "age"]).attribute_names == ("sex", "age")
    table = table_from_options(
        data=loans,
        label="paid",
        favorable="yes",
        protected=["race", "age>25"],
        drop=["id", "w"],
        groups="who",
    )
    own = load(loans, protected=["race", "age>25"], drop=["id", "w"], groups="who")
    assert table.digest() == own.digest()
    chosen = table_from_options(
        data=loans, label="paid", favorable="yes", protected=["sex", "age"], continuous=["age"], features=["amount", "sex"],
        weights="w",
    )  # fmt: skip
    assert chosen.features == ("amount", "sex")
    assert chosen.protected[1].continuous


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({}, "expected --dataset with a name, or --data with a file, got neither"),
        ({"dataset": "german", "label": "credit"}, "--label belongs to a file of your own"),
        ({"dataset": "german", "data": "t.csv"}, "--dataset or --data, got both"),
        ({"data": "t.csv", "protected": ["sex"]}, "needs label .*--label"),
        ({"data": "t.csv", "label": "paid"}, "needs protected .*--protected"),
        ({"dataset": "germany"}, "did you mean 'german'"),
    ],
)
def test_options_that_do_not_go_together(options, message):
    with pytest.raises(InputError, match=message):
        table_from_options(**options)


def test_the_digest_is_of_roles_and_values(loans):
    table = load(loans)
    frame = table.frame
    same = load(loans, name="other")
    assert table.digest() == same.digest() == table.take(np.arange(6)).digest()
    code = (
        "from grad_ext.data import load_table\n"
        f"print(load_table({str(loans)!r}, 'paid', ['sex'], 'yes', drop=['id']).digest())"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == table.digest()
    others = [
        load(loans, favorable="no"),
        load(loans, protected=["sex=f"]),
        load(loans, protected=["race"]),
        load(loans, weights="w"),
        load(loans, groups="who"),
        load(loans, drop=[]),
        table.take(np.array([1, 0, 2, 3, 4, 5])),
        table.take(np.arange(5)),
        load(changed(loans, "5.5", "5.6")),
        load(changed(loans, "car", "Car")),
    ]
    digests = {table.digest(), *(t.digest() for t in others)}
    assert len(digests) == 1 + len(others)
    # Nothing else counts: other columns, their order, the index, the types that hold the values.
    moved = frame[frame.columns[::-1]].set_index(np.arange(6) + 7).astype({"purpose": "category"})
    moved["id"] = 0
    assert type(table)(**{**vars(table), "frame": moved}).digest() == table.digest()


def test_german_and_adult_through_a_file_are_the_same_rows(german, tmp_path):
    path = tmp_path / "german.csv"
    german.frame.to_csv(path, index=False)
    table = load_table(path, "credit", ["age>25", "personal_status=A91|A93|A94"], 1)
    np.testing.assert_array_equal(table.a(), german.a())
    np.testing.assert_array_equal(table.y(), german.y())
    pd.testing.assert_frame_equal(table.inputs(), german.inputs())
    adult = load_dataset("adult", ["sex", "race_groups"])
    adult.frame.to_csv(path, index=False)
    table = load_table(path, "income", ["sex", "race"], ">50K", drop=["fnlwgt"])
    assert table.protected[0].values == ("Male",)
    assert set(table.protected[1].levels) == set(adult.protected[1].levels)
    pd.testing.assert_frame_equal(table.inputs(), adult.inputs())


PEOPLE = pd.DataFrame(
    {
        "x": [3, 1, 2, 5, 4, 6],
        "sex": ["f", "m", "f", "m", "m", "f"],
        "paid": [True, False, None, True, False, True],
    }
)


def test_truth_values_keep_their_names_where_some_are_missing():
    table = Table.from_frame(PEOPLE, "paid", ["sex"], "true")
    values = [(value.value, value.rows, value.favorable) for value in table.report.values]
    assert values == [("False", 2, False), ("True", 3, True)]
    assert table.y().tolist() == [True, False, True, False, True]


def test_categories_of_0_and_1_need_no_favorable_value():
    frame = PEOPLE.assign(paid=pd.Categorical([0, 1, 1, 0, 1, 0]))
    assert Table.from_frame(frame, "paid", ["sex"]).y().tolist() == [0, 1, 1, 0, 1, 0]


def test_a_label_that_is_read_as_missing_is_named():
    frame = PEOPLE.assign(paid=["None", "late"] * 3)
    with pytest.raises(InputError, match=r"only the value 'late'.*'None' \(3 rows\)"):
        Table.from_frame(frame, "paid", ["sex"], "None")


def test_columns_that_have_numbers_or_tuples_as_names():
    numbered = PEOPLE.set_axis([0, 1, 2], axis=1)
    table = Table.from_frame(numbered, 2, [1], True, features=[0])
    assert (table.features, table.protected[0].name, table.target.column) == (("0",), "1", "2")
    nested = PEOPLE.set_axis(pd.MultiIndex.from_product([["a"], PEOPLE.columns]), axis=1)
    table = Table.from_frame(nested, ("a", "paid"), {("a", "sex"): "m"}, True)
    assert table.protected[0].values == ("m",)


@pytest.mark.parametrize(
    "changes", [{"label": 7}, {"protected": [7]}, {"drop": 7}], ids=lambda c: next(iter(c))
)
def test_names_of_no_column(changes):
    with pytest.raises(InputError, match="7"):
        Table.from_frame(
            PEOPLE, **{"label": "paid", "protected": ["sex"], "favorable": True, **changes}
        )


def test_other_frames():
    pa = pytest.importorskip("pyarrow")
    given = Table.from_frame(pa.Table.from_pandas(PEOPLE), "paid", ["sex"], True)
    assert given.digest() == Table.from_frame(PEOPLE, "paid", ["sex"], True).digest()


def test_numbers_that_stand_for_a_missing_value(tmp_path):
    frame = PEOPLE.assign(x=[3, -999, 2, 5, -999, 6])
    frame.to_csv(tmp_path / "t.csv", index=False)
    for table in (
        Table.from_frame(frame, "paid", ["sex"], True, missing_values=[-999]),
        load_table(tmp_path / "t.csv", "paid", ["sex"], True, missing_values=["-999"]),
    ):
        column = next(each for each in table.report.columns if each.name == "x")
        assert (column.kind, column.missing) == ("number", 2)
