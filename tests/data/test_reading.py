"""What becomes of a user's rows: columns by their values, roles by one grammar, problems at once."""

import decimal

import numpy as np
import pandas as pd
import pytest

from grad_ext.data import Table, load_table
from grad_ext.data.sensitive import SensitiveAttribute
from grad_ext.data.table_report import GroupReport, LabelValue
from grad_ext.errors import InputError

N = 120


def people(**changes):
    """Return rows whose labels and groups are known without counting."""
    rows = np.arange(N)
    frame = pd.DataFrame(
        {
            "age": 18 + rows % 60,
            "income": 20.0 + rows % 40,
            "job": np.array(["clerk", "cook", "guard"])[rows % 3],
            "sex": np.where(rows % 4 < 3, "Female", "Male"),
            "approved": np.where(rows % 2 == 0, "Yes", "No"),
        }
    )
    return frame.assign(**changes)


def read(frame=None, **changes):
    given = {"label": "approved", "favorable": "Yes", "protected": ["sex"], **changes}
    return Table.from_frame(people() if frame is None else frame, **given)


SAME = {
    "texts": lambda frame: frame.astype(str).astype(object),
    "objects": lambda frame: frame.astype(object),
    "nullable types": lambda frame: frame.convert_dtypes(),
    "arrow": lambda frame: frame.convert_dtypes(dtype_backend="pyarrow"),
    "decimals": lambda frame: frame.assign(income=frame["income"].map(decimal.Decimal)),
    "smaller types": lambda frame: frame.astype({"age": "int8", "income": "float32"}),
    "big-endian": lambda frame: frame.assign(age=frame["age"].astype(">i4")),
    "categories of text": lambda frame: frame.astype({"job": "category", "sex": "category"}),
    "blanks and capitals": lambda frame: frame.assign(
        job=[" COOK" if i == 1 else job for i, job in enumerate(frame["job"])]
    ),
    "another index": lambda frame: frame.set_index(np.arange(N)[::-1]),
    "columns of objects as names": lambda frame: frame.set_axis(
        pd.Index(frame.columns, dtype=object), axis=1
    ),
}


@pytest.mark.parametrize("form", SAME)
def test_the_same_content_is_the_same_table(form):
    table = read(SAME[form](people()), protected=["sex", "age>=25"])
    assert table.digest() == read(protected=["sex", "age>=25"]).digest()


@pytest.mark.parametrize("ending", ["csv", "parquet", "feather"])
def test_a_file_and_a_frame_are_the_same_table(tmp_path, ending):
    frame = people(income=[None if i % 9 == 0 else float(i % 40) for i in range(N)])
    path = tmp_path / f"people.{ending}"
    if ending == "csv":
        frame.to_csv(path, index=False)
    else:
        getattr(frame, f"to_{ending}")(path)
    table = load_table(path, "approved", ["sex"], "Yes")
    assert table.digest() == read(frame).digest()
    assert table.report.groups == read(frame).report.groups


def test_numbers_written_otherwise_are_numbers_and_noted():
    frame = people(income=[f"$1,{i:03d}" if i % 7 else "?" for i in range(N)])
    table = read(frame)
    assert table.frame["income"].tolist()[1:3] == [1001.0, 1002.0]
    assert np.isnan(table.frame["income"][0])
    (column,) = [c for c in table.report.columns if c.name == "income"]
    assert (column.kind, column.missing) == ("number", 18)
    assert any("'?' (18 rows)" in note for note in column.notes)


def test_spellings_of_a_group_are_one_group():
    frame = people()
    frame.loc[[0, 4], "sex"] = [" female", "FEMALE."]
    table = read(frame)
    assert table.a().tolist() == read().a().tolist()
    assert any("' female'" in n or "'female'" in n for c in table.report.columns for n in c.notes)


LABELS = {
    "a bound": ({"favorable": ">=40"}, "income", lambda f: f["income"] >= 40),
    "a bound from above": ({"favorable": "<30"}, "income", lambda f: f["income"] < 30),
    "a condition": ({"label": "income>40", "favorable": None}, None, lambda f: f["income"] > 40),
    "two bounds": (
        {"label": "25<=income<35", "favorable": None},
        None,
        lambda f: (f["income"] >= 25) & (f["income"] < 35),
    ),
    "a value as a condition": (
        {"label": "job=cook|guard", "favorable": None},
        None,
        lambda f: f["job"] != "clerk",
    ),
    "values": ({"favorable": ["cook", "guard"]}, "job", lambda f: f["job"] != "clerk"),
    "another spelling": ({"favorable": "yes"}, "approved", lambda f: f["approved"] == "Yes"),
    "two values as a condition": (
        {"label": "approved=No", "favorable": None},
        None,
        lambda f: f["approved"] == "No",
    ),
}


@pytest.mark.parametrize("case", LABELS)
def test_labels(case):
    options, label, favorable = LABELS[case]
    table = read(**({"label": label} if label else {}), **options)
    assert table.y().tolist() == favorable(people()).tolist()
    named = {"a condition": "income", "two bounds": "income"}.get(case, label)
    assert named not in table.features
    assert sum(value.rows for value in table.report.values) == N


def test_every_value_that_counts_as_unfavorable_is_reported():
    table = read(label="job", favorable="cook")
    values = [("clerk", 40, False), ("cook", 40, True), ("guard", 40, False)]
    assert table.report.values == tuple(LabelValue(*value) for value in values)


GROUPS = {
    "age>=25": ("not age>=25", "age>=25"),
    "age<40": ("not age<40", "age<40"),
    "25<=age<60": ("not 25<=age<60", "25<=age<60"),
    "sex=Male": ("Female", "Male"),
    # No man is approved: women are the privileged.
    "sex": ("Male", "Female"),
    "job=cook|guard": ("clerk", "cook|guard"),
    "job": ("clerk", "cook", "guard"),
}


@pytest.mark.parametrize("text", GROUPS)
def test_protected_conditions_name_attributes_and_groups(text):
    table = read(protected=[text])
    assert table.attribute_names == (text,)
    assert tuple(group.group for group in table.report.groups) == GROUPS[text]
    assert text.strip("<>=0123456789").split("=")[0].rstrip("<>") not in table.inputs().columns


def test_several_conditions_on_one_column():
    table = read(protected=["age>=25", "age>=60"])
    assert table.attribute_names == ("age>=25", "age>=60")
    assert table.a().sum(axis=0).tolist() == [2 * 53, 2 * 18]


def test_conditions_in_a_mapping():
    table = read(protected={"age": ">=25", "sex": "Female", "job": None})
    assert table.protected[0] == SensitiveAttribute("age", "age", at_least=25.0)
    assert table.protected[1].values == ("Female",)
    assert table.protected[2].levels == ("clerk", "cook", "guard")


ODD = ["income, monthly", "a=b", "age>group", "x (y) [z]", 'a "quoted" one', "größe"]


@pytest.mark.parametrize("name", ODD)
def test_names_with_signs_work_in_every_role(tmp_path, name):
    path = tmp_path / "t.csv"
    frame = people().rename(columns={"sex": name, "approved": f"{name}?"})
    frame.assign(**{f"{name} id": np.arange(N) % 50}).to_csv(path, index=False)
    table = load_table(path, f"{name}?", [name], "Yes", drop=[f"{name} id"])
    assert table.attribute_names == (name,)
    assert table.features == ("age", "income", "job", name)
    assert load_table(path, f"{name}?", [f"{name}=Male"], "Yes").a().sum() == 30


def test_groups_before_and_after_rows_are_left_out():
    """Every fourth row is a man; half of the women, those with an even number, lack an income."""
    frame = people()
    women = np.flatnonzero(frame["sex"] == "Female")
    frame.loc[women[::2], "income"] = np.nan
    table = read(frame, missing="drop")
    left = frame["income"].notna()
    assert len(table) == left.sum() == 75
    assert [(r.rows, "'income' (45)" in r.reason) for r in table.report.left_out] == [(45, True)]
    yes = frame["approved"] == "Yes"
    female = frame["sex"] == "Female"
    rates = [float(yes[female & left].mean()), float(yes[female].mean())]
    # No man is approved, so that women are the privileged.
    assert table.report.groups == (
        GroupReport("sex", "Male", 30, 0.0, 30, 0.0),
        GroupReport("sex", "Female", 45, rates[0], 90, rates[1], privileged=True),
    )
    text = " ".join(table.report.sentences())
    assert "75 rows of 120" in text
    assert "45 rows" in text


def test_rows_of_unknown_group_stay_and_are_reported():
    frame = people()
    frame.loc[:9, "sex"] = None
    table = read(frame)
    assert np.isnan(table.a()[:10]).all()
    unknown = table.report.groups[-1]
    assert (unknown.group, unknown.rows, unknown.known, unknown.small) == (
        "unknown",
        10,
        False,
        False,
    )


def test_small_groups_and_duplicates_are_reported():
    frame = people()
    frame.loc[:4, "job"] = "pilot"
    report = read(frame, protected=["job", "age"], continuous=["age"]).report
    assert [(group.group, group.rows) for group in report.small_groups] == [("pilot", 5)]
    assert report.groups[-1] == GroupReport("age", "18 to 77", N, None, N)
    twice = pd.concat([people(), people()], ignore_index=True)
    assert read(twice).report.duplicates == N
    assert any("120 rows equal an earlier row" in text for text in read(twice).report.sentences())


def test_identifiers_and_constants_are_left_out_with_the_reason():
    table = read(people(id=np.arange(N), code=[f"k{i}" for i in range(N)], country="AT"))
    assert table.features == ("age", "income", "job", "sex")
    left_out = {column.name: column.notes for column in table.report.of_role("left out")}
    assert set(left_out) == {"id", "code", "country"}
    assert "'AT'" in left_out["country"][0]
    # Who names the features means them.
    assert read(people(country="AT"), features=["age", "country"]).features == ("age", "country")


def test_units_are_counted():
    report = read(people(who=np.arange(N) // 3), groups="who").report
    assert report.units == 40
    assert [column.name for column in report.of_role("unit")] == ["who"]


def bad(**changes):
    return lambda: read(people(**changes))


PROBLEMS = {
    "no value": (bad(notes=None), ["'notes'", "--drop notes", r"drop=\['notes'\]"]),
    "infinite": (bad(x=[np.inf, *range(N - 1)]), ["'x'", "--drop x"]),
    "words among numbers": (
        bad(x=[*map(str, range(N - 1)), "unknown"]),
        ["'unknown' .1 row", "--missing-values unknown", "--drop x"],
    ),
    "too many levels": (
        lambda: read(pd.concat([people()] * 20).assign(x=[f"c{i % 1200}" for i in range(20 * N)])),
        ["1,200", "--drop x"],
    ),
    "uncertain dates": (
        bad(day=[f"{1 + i % 12}/{1 + i % 9}/20" for i in range(N)]),
        ["--drop day"],
    ),
    "lists": (bad(x=[[1]] * N), ["'x'", "list"]),
    "label values": (
        lambda: read(favorable=None),
        ["'No' 60 rows", "'Yes' 60 rows", "--favorable"],
    ),
    "all favorable": (lambda: read(favorable="Yes|No"), ["favorable", "'Yes'"]),
    "none above": (lambda: read(label="income>500", favorable=None), ["income>500"]),
    "a bound of text": (lambda: read(label="job>5", favorable=None), ["job>5", "'cook'"]),
    "a condition and a value": (lambda: read(label="income>50"), ["income>50", "'Yes'"]),
    "the label protected": (lambda: read(protected=["approved"]), ["label 'approved'"]),
    "a condition on the label": (lambda: read(protected=["approved=Yes"]), ["label 'approved'"]),
    "weights protected": (
        lambda: read(weights="age", protected=["age>=25"]),
        ["'age'", "weights"],
    ),
    "missing weights": (
        lambda: read(people(w=[None, *[1.0] * (N - 1)]), weights="w"),
        ["weights 'w'", "1 of 120"],
    ),
    "negative weights": (lambda: read(people(w=-1.0), weights="w"), ["weights 'w'", "-1"]),
    "words as weights": (lambda: read(weights="job"), ["weights 'job'", "'cook'"]),
    "missing units": (
        lambda: read(people(u=[None, *["a"] * (N - 1)]), groups="u"),
        ["units 'u'", "1 of 120"],
    ),
    "one group": (lambda: read(people(sex="f")), ["'sex'", "'f'"]),
    "one group of a condition": (lambda: read(protected=["age>=10"]), ["age>=10"]),
    "too many groups": (lambda: read(protected=["age"]), ["'age' has 60", "--continuous age"]),
    "too few rows": (lambda: read(people().head(3)), ["at least 4 rows", "got 3"]),
    "no columns": (lambda: read(drop=["age", "income", "job", "sex"]), ["feature"]),
    "a frame of another kind": (lambda: read([1]), ["DataFrame", "list"]),
    "a text for a list": (lambda: read(drop="age"), ["drop", "'age'"]),
    "a column twice": (
        lambda: read(people().set_axis(["a", "a", "job", "sex", "approved"], axis=1)),
        ["a more than once"],
    ),
}


@pytest.mark.parametrize("case", PROBLEMS)
def test_problems_name_the_column_and_the_remedy(case):
    call, facts = PROBLEMS[case]
    for fact in facts:
        with pytest.raises(InputError, match=fact):
            call()


def test_all_problems_are_told_at_once_with_the_options_that_solve_them(tmp_path):
    path = tmp_path / "t.csv"
    people(notes="", x=[*["inf"] * 2, *map(str, range(N - 2))]).to_csv(path)
    with pytest.raises(InputError) as error:
        load_table(path, "aproved", ["sexe", "age"], drop=["job"])
    text = str(error.value)
    for fact in ("'approved'", "'sex'", "'notes'", "'x'", "column 1"):
        assert fact in text
    *_, last = text.splitlines()
    assert "--drop 'job,Unnamed: 0,notes,x'" in last
    table = load_table(path, "approved", ["sex"], "Yes", drop=["job", "Unnamed: 0", "notes", "x"])
    assert table.features == ("age", "income", "sex")


def test_roles_beside_a_file_are_used_and_said(tmp_path):
    path = tmp_path / "people.csv"
    people().to_csv(path, index=False)
    (tmp_path / "people.roles.toml").write_text(
        'label = "approved"\nfavorable = "Yes"\nprotected = ["age>=25"]\ndrop = ["job"]\n'
    )
    table = load_table(path)
    assert table.attribute_names == ("age>=25",)
    assert table.features == ("age", "income", "sex")
    assert any("people.roles.toml" in note for note in table.report.notes)
    other = load_table(path, protected=["sex"], label="job", favorable="cook", drop=[])
    assert (other.attribute_names, other.features) == (
        ("sex",),
        ("age", "income", "sex", "approved"),
    )
