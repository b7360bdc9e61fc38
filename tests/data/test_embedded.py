"""The data sets with names against published counts; roles, splits and encodings."""

import gzip

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from grad_ext import load_dataset
from grad_ext.cli import main
from grad_ext.data import DATA_SETS, embedded
from grad_ext.data.encoding import Encoder, arrays
from grad_ext.data.sensitive import SensitiveAttribute
from grad_ext.data.split import check_trainable, hold_out, split, strata
from grad_ext.data.table import Table, Target
from grad_ext.errors import InputError


def small(**changes):
    frame = pd.DataFrame(
        {
            "x": [1.0, 2.0, 3.0, 6.0],
            "c": ["b", "a", "b", "c"],
            "flag": [0, 1, 1, 0],
            "g": ["m", "f", "f", "m"],
            "y": [1, 2, 1, 2],
        }
    )
    values = {
        "name": "small",
        "frame": frame,
        "features": ("x", "c", "flag", "g"),
        "target": Target("y", 1, 2),
        "protected": (SensitiveAttribute("g", "g", values=("m",)),),
    }
    return Table(**{**values, **changes})


def test_german_has_the_published_counts(german):
    assert len(german) == 1000
    assert german.y().sum() == 700
    assert german.a().sum(axis=0).tolist() == [810, 690]  # older than 25, male
    assert len(german.features) == 20
    assert german.attribute_names == ("age", "sex")
    assert "UCI" in german.source
    numeric = [c for c in german.features if pd.api.types.is_numeric_dtype(german.frame[c])]
    assert tuple(numeric) == embedded.GERMAN_NUMERIC
    plain = Encoder().fit(german.frame[list(german.features)])
    assert len(plain.names) == 61  # 7 numeric and 54 levels


def test_adult_has_the_published_counts():
    adult = load_dataset("adult", protected=["sex", "race"])
    assert len(adult) == 30_162 + 15_060
    assert adult.n_test == 15_060
    y, men = adult.y(), adult.a()[:, 0] == 1
    assert (~y[-15_060:]).sum() == 11_360
    # Counted in adult.data with grep: complete rows of men and women, and those above 50K.
    training = slice(0, 30_162)
    assert (men[training].sum(), (~men[training]).sum()) == (20_380, 9_782)
    assert (y & men)[training].sum() == 6_396
    assert (y & ~men)[training].sum() == 1_112
    assert "fnlwgt" not in adult.features
    parts = split(adult)
    assert len(parts.test) == 15_060
    pd.testing.assert_frame_equal(parts.test.frame, adult.frame.iloc[-15_060:])


def test_the_first_attribute_is_protected_by_default():
    assert load_dataset("german").attribute_names == ("age",)
    assert load_dataset("german", ["sex", "age"]).attribute_names == ("sex", "age")


@pytest.mark.parametrize("name", ["german", "adult"])
def test_the_catalog_says_what_the_tables_hold(name):
    said = DATA_SETS[name]
    table = said.load(None)
    assert (len(table), len(table.features)) == (said.rows, said.features)
    assert table.attribute_names == said.protected
    assert said.licence in table.source
    assert set(table.checksums.items()) <= set(embedded.SHA256.items())
    assert said.state() == "comes with the package"
    # Whatever is protected, all rows have a group, and the columns that tell stay out.
    assert not np.isnan(table.a()).any()
    for attribute in table.protected:
        assert set(attribute.carriers).isdisjoint(table.protecting([attribute.name]).inputs())


def test_groups_of_many_values_and_numbers_of_the_embedded_data_sets():
    adult = load_dataset("adult", protected=["race_groups", "age_years", "race"])
    groups, age, white = adult.a().T
    # Counted in adult.data and adult.test with grep: complete rows of each race.
    assert np.bincount(groups.astype(int)).tolist() == [38_903, 4_228, 1_303, 435, 353]
    np.testing.assert_array_equal(white == 1, groups == 0)
    np.testing.assert_array_equal(age, adult.frame["age"])
    kinds = [(p.branch.kind, p.branch.outputs) for p in adult.protected]
    assert kinds == [("categorical", 5), ("continuous", 1), ("binary", 1)]


def test_rows_of_one_unit_are_numbered_as_they_come():
    frame = small().frame.assign(who=["q", "p", "q", None])
    table = small(frame=frame, groups="who")
    assert table.g().tolist() == [0, 1, 0, 2]
    assert table.take(np.array([3, 2, 0])).g().tolist() == [0, 1, 1]
    assert small().g().tolist() == [0, 1, 2, 3]


def test_rows_of_no_group_are_left_out_on_demand():
    table = small(frame=small().frame.assign(g=["m", None, "f", "x"]), n_test=2)
    known = table.known()
    assert known.frame["x"].tolist() == [1, 3, 6]
    assert known.n_test == 2
    many = small(
        frame=table.frame, protected=(SensitiveAttribute("g", "g", levels=("m", "f")),), n_test=2
    )
    assert many.known().frame["x"].tolist() == [1, 3]
    assert many.known().n_test == 1
    assert len(small().known()) == 4


def test_the_command_line_lists_and_describes(capsys):
    assert main(["data", "list"]) == 0
    out = capsys.readouterr().out
    for data_set in DATA_SETS.values():
        assert data_set.name in out
        assert ", ".join(data_set.protected) in out
    assert "45,222" in out
    assert main(["data", "info", "adult"]) == 0
    out = capsys.readouterr().out
    assert "Rows: 45,222, the last 15,060 the source's own test part" in out
    assert "favorable '>50K' (24.8%)" in out
    assert "Asian-Pac-Islander" in out
    assert embedded.SHA256["adult.test"] in out
    assert load_dataset("adult", DATA_SETS["adult"].protected).digest() in out
    assert main(["data", "fetch", "german"]) == 0
    assert "nothing to fetch" in capsys.readouterr().out
    for command in ("info", "fetch"):
        assert main(["data", command, "germna"]) == 2
        assert "did you mean 'german'" in capsys.readouterr().err


def test_a_damaged_file_is_refused(monkeypatch, tmp_path):
    content = gzip.compress(embedded.raw_text("german.data").replace("A11", "A12", 1).encode())
    (tmp_path / "german.data.gz").write_bytes(content)
    monkeypatch.setattr(embedded, "files", lambda _: tmp_path)
    with pytest.raises(InputError, match="damaged: expected SHA-256 b21f3d81"):
        load_dataset("german")
    (tmp_path / "german.data.gz").write_bytes(b"no gzip")
    with pytest.raises(InputError, match="damaged"):
        load_dataset("german")


def test_the_protected_columns_stay_out_of_the_inputs(german):
    assert {"age", "personal_status"}.isdisjoint(german.inputs().columns)
    assert {"age", "personal_status"} <= set(german.inputs(use_protected=True).columns)
    only_age = german.protecting(["age"])
    assert "personal_status" in only_age.inputs().columns


def test_the_same_seed_cuts_the_same_rows_and_another_others(german):
    first, again, other = split(german, 0), split(german, 0), split(german, 1)
    for part in ("train", "valid", "test"):
        pd.testing.assert_frame_equal(getattr(first, part).frame, getattr(again, part).frame)
    assert set(first.test.frame.index) != set(other.test.frame.index)
    # The rows of a split do not depend on what else is protected... only on the strata.
    sizes = [len(p) for p in (first.train, first.valid, first.test)]
    assert sizes == [640, 160, 200]
    indices = [set(p.frame.index) for p in (first.train, first.valid, first.test)]
    assert set.union(*indices) == set(range(1000))


def test_every_part_has_its_share_of_every_label_and_group(german):
    whole = np.bincount(strata(german)) / 1000
    parts = split(german, 3)
    for part in (parts.train, parts.valid, parts.test):
        cells = np.column_stack([part.y(), part.a()])
        for value, share in zip(
            np.unique(np.column_stack([german.y(), german.a()]), axis=0), whole, strict=True
        ):
            count = (cells == value).all(axis=1).sum()
            assert abs(count - share * len(part)) < 2


@settings(max_examples=200, deadline=None)
@given(
    sizes=st.lists(st.integers(1, 40), min_size=1, max_size=6),
    fraction=st.floats(0.05, 0.95),
    seed=st.integers(0, 1000),
)
def test_hold_out_divides_every_stratum_alike(sizes, fraction, seed):
    groups = np.repeat(np.arange(len(sizes)), sizes)
    kept, held = hold_out(groups, fraction, np.random.default_rng(seed))
    assert sorted([*kept, *held]) == list(range(len(groups)))
    assert abs(len(held) - fraction * len(groups)) <= 0.5 + 1e-3
    for g, size in enumerate(sizes):
        assert abs((groups[held] == g).sum() - fraction * size) <= 1 + 1e-3


def test_encoding_by_hand():
    table = small()
    encoder = Encoder().fit(table.inputs())
    coded = arrays(table, encoder)
    # x standardised: mean 3, variance (4 + 1 + 0 + 9) / 4; c in sorted levels; flag as it is.
    x = (np.array([1, 2, 3, 6]) - 3) / np.sqrt(3.5)
    one_hot = [[0, 1, 0], [1, 0, 0], [0, 1, 0], [0, 0, 1]]
    np.testing.assert_allclose(coded.X, np.column_stack([x, one_hot, [0, 1, 1, 0]]), rtol=1e-6)
    assert coded.X.dtype == np.float32
    assert coded.y.tolist() == [True, False, True, False]
    assert coded.a.tolist() == [[True], [False], [False], [True]]
    new = table.frame.assign(c=["z", "a", "a", "a"])
    np.testing.assert_array_equal(encoder.transform(new)[0, 1:4], 0)
    assert encoder.names == ["x", "c=a", "c=b", "c=c", "flag"]
    assert encoder.positions(["c", "flag"]).tolist() == [1, 2, 3, 4]
    rows = np.array([3, 1])
    np.testing.assert_array_equal(encoder.transform(table.frame, rows), coded.X[rows])


def test_encodings_are_fitted_on_the_training_rows_alone(german):
    parts = split(german)
    encoder = Encoder().fit(parts.train.inputs())
    at = encoder.names.index("duration")
    duration = encoder.transform(parts.train.inputs())[:, at]
    assert duration.mean() == pytest.approx(0, abs=1e-6)
    assert duration.std() == pytest.approx(1, abs=1e-5)
    assert abs(encoder.transform(parts.test.inputs())[:, at].mean()) > 1e-4


def test_a_table_and_its_one_hot_form_are_encoded_alike(german):
    """So GRAD sees the same numbers through AIF360 as through a table."""
    from grad_ext.adapters.aif360.datasets import from_aif360

    plain = Encoder().fit(german.inputs()).transform(german.inputs())
    through = from_aif360(german.to_aif360()).inputs()
    other = Encoder().fit(through).transform(through)
    assert plain.shape == other.shape
    key = lambda X: X[:, np.lexsort(X)]
    np.testing.assert_allclose(key(plain), key(other), rtol=1e-6)


def test_huge_numbers_are_encoded_and_absurd_ones_refused():
    frame = small().inputs()
    big = frame.assign(x=[1e300, 2e300, 3e300, 6e300])
    first = Encoder().fit(frame).transform(frame)
    np.testing.assert_allclose(Encoder().fit(big).transform(big), first, rtol=1e-6)
    with pytest.raises(InputError, match="within 1e\\+30 training standard deviations"):
        Encoder().fit(frame).transform(big)
    flat = frame.assign(x=7.0)
    assert not Encoder().fit(flat).transform(flat)[:, 0].any()


def coded(**columns):
    """The small table with other columns, through the encoder of the small table."""
    return Encoder().fit(small().inputs()).transform(FRAME.assign(**columns))


def weighted(w):
    table = small(frame=FRAME.assign(w=w), weights="w")
    return arrays(table, Encoder().fit(table.inputs()))


def test_groups_numbers_and_missing_values_of_protected_attributes():
    column = pd.DataFrame({"g": ["m", None, "f", "x"], "n": [1.5, np.nan, 3.0, 4.0]})
    nan = np.nan
    two = SensitiveAttribute("g", "g", values=("m",))
    np.testing.assert_array_equal(two.of(column), [1, nan, 0, 0])
    np.testing.assert_array_equal(SensitiveAttribute("n", "n", above=2).of(column), [0, nan, 1, 1])
    many = SensitiveAttribute("g", "g", levels=("f", "m", "q"))
    np.testing.assert_array_equal(many.of(column), [1, nan, 0, nan])
    number = SensitiveAttribute("n", "n", continuous=True)
    np.testing.assert_array_equal(number.of(column), [1.5, nan, 3, 4])
    kinds = [(p.branch.kind, p.branch.outputs) for p in (two, many, number)]
    assert kinds == [("binary", 1), ("categorical", 3), ("continuous", 1)]


FRAME = small().frame
BAD_TABLES = {
    "unknown data set": (lambda: load_dataset("germna"), "did you mean 'german'"),
    "a file": (lambda: load_dataset("./people.csv"), "'./people.csv' is none of grad-ext's data sets"),
    "unknown attribute": (lambda: load_dataset("german", ["agee"]), "did you mean 'age'"),
    "attribute twice": (lambda: load_dataset("german", ["age", "age"]), "must differ"),
    "no attribute": (lambda: load_dataset("german", []), "protected is empty"),
    "a string": (lambda: load_dataset("german", "age"), "list of names, got the string 'age'"),
    "no such column": (lambda: small(features=("q",)), "no column 'q'"),
    "no such unit": (lambda: small(groups="who"), "no column 'who'"),
    "no such weights": (lambda: small(weights="w"), "no column 'w'"),
    "label as feature": (lambda: small(features=("x", "y")), "the label, 'y', must not be a feature"),
    "unit as feature": (lambda: small(groups="c"), "the unit of the rows, 'c', must not be"),
    "no rule": (lambda: SensitiveAttribute("g", "g"), "exactly one of `above`, `values`"),
    "NaN": (
        lambda: Encoder().fit(FRAME.assign(x=[1, np.nan, 3, 4])),
        "feature 'x': expected finite numbers, got nan in 1 of 4 rows",
    ),
    "infinity": (
        lambda: Encoder().fit(FRAME.assign(x=[1, np.inf, 3, 4])),
        "expected finite numbers, got inf",
    ),
    "missing level": (
        lambda: coded(c=["a", None, "b", "b"]),
        "feature 'c': expected no missing values, got 1",
    ),
    "text for numbers": (
        lambda: coded(x=list("abcd")),
        "feature 'x': expected numbers, got",
    ),
    "feature gone": (
        lambda: Encoder().fit(small().inputs()).transform(FRAME[["x"]]),
        "feature 'c' is missing",
    ),
    "nothing left": (lambda: Encoder().fit(small(features=("g",)).inputs()), "no feature is left"),
    "third label": (lambda: small(frame=FRAME.assign(y=[1, 2, 3, 1])).y(), "expected 1 or 2, got 3"),
    "one class": (
        lambda: check_trainable(small(frame=FRAME.assign(y=1))),
        "expected two classes of 'y' among the 4 training rows, got only 1",
    ),
    "one group": (
        lambda: check_trainable(small(frame=FRAME.assign(g="m"))),
        "at least two groups of protected attribute 'g' among the 4 training rows, got 1",
    ),
    "no rows": (lambda: check_trainable(small(frame=FRAME.iloc[:0])), "got none"),
    "negative weight": (
        lambda: weighted(-1.0),
        "weights must be finite and >= 0, got -1",
    ),
    "zero weights": (
        lambda: weighted(0.0),
        "weights are all zero",
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", BAD_TABLES)
def test_bad_input(case):
    call, message = BAD_TABLES[case]
    with pytest.raises(InputError, match=message):
        call()
