"""Plans of studies: the command line, a file and Python make the same one, or say what is wrong."""

# Attributes of what is looked up at run time.
# mypy: disable-error-code="attr-defined"

import re
from itertools import product

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from people import people

from grad_ext import StudyPlan, load_dataset, load_table
from grad_ext.cli import main, sweep
from grad_ext.errors import InputError
from grad_ext.report.figures.study import frontier_figure, lambda_figure
from grad_ext.report.statistics.settings import by_settings, nondominated
from grad_ext.report.tables import results_by
from grad_ext.report.text_tables.models import settings_lines
from grad_ext.sweeps.folder import StudyDirectory, write_records
from grad_ext.sweeps.studies.kinds import kind_of
from grad_ext.training.settings import Settings
from grad_ext.trial import Record, Trial

FIELDS = {
    "protected": [["age"], ["sex"]],
    "seeds": 2,
    "settings": {"epochs": 3, "recipe": "steady"},
    "set": {"lam": [1, 10.0], "trunk": [[40, 20], [8]], "balance_groups": [True, False]},
}
TOML = """
kind = "grid"
protected = [["age"], ["sex"]]
seeds = 2
[settings]
epochs = 3
recipe = "steady"
[set]
lam = [1, 10.0]
trunk = [[40, 20], [8]]
balance_groups = [true, false]
"""
YAML = """
kind: grid
protected: [[age], [sex]]
seeds: 2
settings: {epochs: 3, recipe: steady}
set:
  lam: [1, 1e1]
  trunk: [[40, 20], [8]]
  balance_groups: [true, false]
"""
COMMAND = (
    "sweep grid --protected age --protected sex --seeds 2 --epochs 3 --recipe steady "
    "--set lam=1,10 --set trunk=40x20,8 --set balance_groups=true,false"
)


def planned_by(command, monkeypatch):
    """Return the plan that a command line stands for, which is not run."""
    plans = []
    monkeypatch.setattr(sweep, "run_plan", lambda plan, *_: plans.append(plan) or 0)
    assert main(command.split()) == 0
    return plans[0]


def test_command_line_file_and_python_make_the_same_study(tmp_path, monkeypatch):
    study = StudyPlan("grid", **FIELDS)
    (tmp_path / "plan.toml").write_text(TOML)
    (tmp_path / "plan.yaml").write_text(YAML)
    same = [
        StudyPlan.from_file(tmp_path / "plan.toml"),
        StudyPlan.from_file(tmp_path / "plan.yaml"),
        planned_by(COMMAND, monkeypatch),
        planned_by(f"sweep plan {tmp_path / 'plan.toml'}", monkeypatch),
    ]
    assert same == [study] * 4
    monkeypatch.chdir(tmp_path)
    folders = {plan.open().directory.folder for plan in same}
    assert len(folders) == 1
    opened = study.open()
    assert opened.directory.folder in folders
    assert re.fullmatch(r"grid-german-[0-9a-f]{6}", opened.directory.folder.name)
    # Every choice, for each protected set and seed.
    assert len(opened.trials) == 2 * (2 * 2 * 2) * 2
    expected = {
        (protected, lam, trunk, balanced, seed)
        for protected, lam, trunk, balanced, seed in product(
            [("age",), ("sex",)], [1.0, 10.0], [(40, 20), (8,)], [True, False], [0, 1]
        )
    }
    assert expected == {
        (t.protected, t.lam, t.settings.trunk, t.settings.balance_groups, t.seed)
        for t in opened.directory.trials
    }
    assert {t.settings.epochs for t in opened.trials} == {3}


def test_lambda_and_seed_studies_are_plans_too(monkeypatch):
    study = StudyPlan("lambda", protected=["age"], settings={"dropout": 0.1})
    assert planned_by("sweep lambda --protected age --set dropout=0.1", monkeypatch) == study
    assert len(study.trials()) == 100
    assert {trial.settings.dropout for trial in study.trials()} == {0.1}
    study = StudyPlan("lambda", set={"recipe": ["steady", "paper"], "dropout": [0, 0.1], "lam": 3})
    options = "--recipe steady,paper --set dropout=0,0.1 --values 3"
    assert planned_by(f"sweep lambda {options}", monkeypatch) == study
    assert len(study.trials()) == 40
    study = StudyPlan("seed", set={"lam": 7}, seeds=4)
    assert planned_by("sweep seed --lam 7 --seeds 4", monkeypatch) == study
    assert [(trial.lam, trial.seed) for trial in study.trials()] == [(7.0, s) for s in range(4)]
    assert len(StudyPlan("seed").trials()) == 30


def test_several_data_sets_and_protected_sets(monkeypatch):
    study = StudyPlan(
        "grid",
        ["german", "adult"],
        {"german": [["sex"], ["age", "sex"]], "adult": ["race"]},
        {"lam": 1},
        seeds=1,
    )
    same = planned_by(
        "sweep grid --dataset german,adult --protected german=age,sex --protected german=sex "
        "--protected adult=race --set lam=1 --seeds 1",
        monkeypatch,
    )
    assert same == study
    cases = [(trial.dataset, trial.protected) for trial in study.trials()]
    assert cases == [("german", ("age", "sex")), ("german", ("sex",)), ("adult", ("race",))]
    about = study.about(study.tables())
    assert set(about["data"]) == {"german", "adult"}
    assert about["data"]["german"]["sex"] == load_dataset("german", ["sex"]).digest()
    assert about["dataset"]["adult"]["protocol"] == "source"
    # Not named: the data set's first.
    other = StudyPlan("grid", ["german", "adult"], {"adult": ["race"]}, {"lam": 1}, seeds=1)
    assert [trial.protected for trial in other.trials()] == [("age",), ("race",)]


def test_tables_of_ones_own():
    table = load_dataset("german", ["sex"])
    study = StudyPlan("seed", table, seeds=1)
    assert [trial.protected for trial in study.trials()] == [("sex",)]
    assert study.about(study.tables()) == StudyPlan("seed", "german", ["sex"], seeds=1).about(
        {"german": {("sex",): table}}
    )


def test_what_varies_and_seeds_extend_a_study_and_nothing_else(tmp_path):
    grid = {"set": {"lam": [1, 2], "hidden": [20]}, "seeds": 2, "out": tmp_path}
    first = StudyPlan("grid", **grid).open()
    wider = StudyPlan(
        "grid", **grid | {"set": {"lam": [1, 5], "hidden": [20, 8]}, "seeds": 3}
    ).open()
    assert len(first.directory.trials) == 4
    assert len(wider.directory.trials) == 4 + 4 * 3 - 2
    assert {trial.settings.branch for trial in wider.trials} == {(20, 20), (8, 8)}
    other = {
        "settings": {"epochs": 3},
        "set": {"lam": [1, 2], "hidden": [20], "dropout": [0.1]},
        "protected": ["sex"],
        "evaluation": {"k": 7},
        "split_seed": 1,
        "dataset": ["german", "adult"],
    }
    before = (tmp_path / "study.json").read_bytes()
    for name, changed in other.items():
        with pytest.raises(InputError, match="holds another study"):
            StudyPlan("grid", **grid | {name: changed}).open()
    assert (tmp_path / "study.json").read_bytes() == before


def test_a_recipe_that_varies_brings_what_it_decides(tmp_path):
    study = StudyPlan("grid", set={"recipe": ["paper", "steady"]}, settings={"epochs": 5}, seeds=1)
    assert [t.settings for t in study.trials()] == [
        Settings(recipe="paper", epochs=5),
        Settings(recipe="steady", epochs=5),
    ]
    about = study.about(study.tables())
    assert about["settings"]["epochs"] == 5
    assert not {"recipe", "batch_size", "dropout"} & set(about["settings"])
    study = StudyPlan("grid", set={"variant": ["pred", "auto"]}, settings={"dropout": 0.1}, seeds=1)
    about = study.about(study.tables())
    assert {"variant", "encoding"}.isdisjoint(about["settings"])
    assert about["settings"]["dropout"] == 0.1


BAD = {
    "kind = 'lambada'": "unknown kind of study 'lambada': did you mean 'lambda'",
    "kind = 'grid'": "a grid needs something to vary, such as lam=1,10,100",
    "sedes = 3": "unknown entry of plan.toml 'sedes': did you mean 'seeds'",
    "seeds = 0": "seeds must be a whole number of at least 1, got 0",
    "seeds = []": "expected at least one seed, got none",
    "seeds = 'many'": "seeds: expected how many, or a list of them, got 'many'",
    "seeds = [1, -1]": "seed must be a whole number of at least 0, got -1",
    "dataset = 3": "dataset: expected a name or a Table, got 3",
    "dataset = 'germna'": "unknown data set 'germna': did you mean 'german'",
    "dataset = ['german', 'german']": "expected one or more, each once",
    "protected = 'age'": "protected: expected a list of names, got 'age'",
    "protected = [[]]": "protected: expected a list of names, got []",
    "protected = ['age', 'age']": "protected attributes must differ",
    "protected = {adult = ['sex']}": "unknown data set of this study 'adult'",
    "split_seed = 1.5": "split_seed must be a whole number of at least 0, got 1.5",
    "protocol = 'rondom'": "unknown protocol 'rondom': did you mean 'random'",
    "settings = 3": "settings: expected names and values, got 3",
    "settings = {epochs = 0}": "epochs must be a whole number of at least 1, got 0",
    "settings = {hidden = 8, trunk = [8]}": "hidden is the units of trunk and branch: leave out trunk",
    "settings = {lam = 1}": "lam is not a setting of the network",
    "set = {lam = []}": "lam: expected at least one value, got none",
    "set = {lam = '1:10'}": "lam: a range such as 1:10 is for a search",
    "kind = 'seed'\nset = {epochs = [1, 2]}": "a seed study fixes epochs",
    "kind = 'seed'\nset = {lam = [1, 2]}": "a seed study has one λ",
    "kind = 'grid'\nset = {trunk = [40, 40]}": "trunk: expected a list of lists",
    "kind = 'grid'\nset = {dropout = 2}": "dropout must be a number of at least 0 and below 1, got 2",
    "kind = 'grid'\nset = {epochs = 2}\nsettings = {epochs = 3}": "both fixed (settings) and varied",
    "evaluation = {k = 0}": "k: expected at least 1 neighbour, got 0",
    "evaluation = {kk = 1}": "unknown entry of evaluation 'kk': did you mean 'k'",
    "evaluation = {k = 'a'}": "evaluation: a value is of the wrong type",
    "data = {label = 'y'}": "expected the path of a file, got None",
    "data = {label = 'y', path = 5}": "expected the path of a file, got 5",
    "seeds = 400000000": "seeds: expected at most 1,000,000, got 400,000,000",
    "a = " + "[" * 3000 + "]" * 3000: "nested too deeply",
    "data = {path = 'x.csv', lable = 'y'}": "unknown entry of data 'lable': did you mean 'label'",
    "search = {models = 3}": "search: belongs to a search, this is a lambda study",
    "kind = 'search'\nset = {lam = '1:9'}\nsearch = {models = 0}": "search: models must be a whole",
    "kind = 'search'\nset = {lam = '1:9'}\nsearch = {objectives = ['acuracy']}": "unknown objective",
    "kind = 'search'\nset = {lam = '1:9'}\nsearch = {scheduler = 'sha'}": "did you mean 'asha'",
    "kind = 'search'\nset = {lam = '9:1'}": "expected a range from low to high, got '9:1'",
    "kind = 'search'\nset = {lam = '0:1:log'}": "expected a range from low to high and above 0",
    "seeds = = 3": "is not TOML",
}  # fmt: skip


@pytest.mark.parametrize("content", BAD)
def test_a_bad_plan_is_refused_with_the_files_name(content, tmp_path):
    plan = tmp_path / "plan.toml"
    plan.write_text(content)
    with pytest.raises(InputError) as caught:
        StudyPlan.from_file(plan)
    assert BAD[content] in str(caught.value)
    assert "plan.toml" in str(caught.value)


def test_yaml_that_is_nested_too_deeply_is_refused(tmp_path):
    plan = tmp_path / "plan.yaml"
    plan.write_text("[" * 3000 + "]" * 3000)
    with pytest.raises(InputError, match=r"plan.yaml.*nested too deeply"):
        StudyPlan.from_file(plan)


def test_files_that_are_no_plan(tmp_path):
    for name, content, message in (
        ("plan.yaml", "a: [", "is not YAML"),
        ("plan.yaml", "- 1", "expected names and values, got \\[1\\]"),
        ("plan.yaml", "a: !!python/object:os.system {}", "is not YAML"),
        ("plan.json", "{}", "expected a plan in a .toml, .yaml or .yml file"),
    ):
        (tmp_path / name).write_text(content)
        with pytest.raises(InputError, match=message):
            StudyPlan.from_file(tmp_path / name)
    with pytest.raises(InputError, match="cannot read the plan"):
        StudyPlan.from_file(tmp_path / "nothing.toml")


@pytest.mark.parametrize(
    ("command", "message"),
    [
        ("sweep grid", "a grid needs something to vary"),
        ("sweep grid --set lam", "expected something like lam=1,10,100, got 'lam'"),
        ("sweep grid --set lam=1 --set lam=2", "lam is given twice"),
        ("sweep grid --set epochs=2 --epochs 3", "both fixed (settings) and varied (set)"),
        ("sweep seed --set dropout=0.1,0.2", "dropout has several values, which is a grid"),
        ("sweep lambda --recipe paper --set recipe=paper,steady", "recipe is given twice"),
        ("sweep lambda --recipe steady,papr", "did you mean 'paper'"),
        ("sweep lambda --set dropout=0:0.5", "a range such as 0:0.5 is for a search"),
        ("sweep grid --set lam=1 --protected age --protected german=sex", "in all of them"),
        ("sweep grid --set lam=1 --label y", "--label belongs to a file of your own"),
        ("sweep plan nothing.toml", "cannot read the plan nothing.toml"),
    ],
)
def test_bad_options(command, message, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert main(command.split()) == 2
    assert message in capsys.readouterr().err
    assert not list(tmp_path.iterdir())


@given(
    st.lists(
        st.tuples(*[st.sampled_from([0.0, 0.5, 1.0, float("nan")])] * 2), min_size=1, max_size=12
    )
)
def test_the_frontier_against_its_definition(points):
    found = nondominated(np.array(points))
    for one, on in zip(points, found, strict=True):
        known = not np.isnan(one).any()
        beaten = any(
            all(b >= a for a, b in zip(one, other, strict=True)) and other != one
            for other in points
            if not np.isnan(other).any()
        )
        assert on == (known and not beaten)


def record(trial, accuracy, discrimination, validation=None, **changes):
    """Return a record of which only a few figures matter."""
    figures = {
        "accuracy": accuracy, "balanced_accuracy": 0.5, "discrimination": discrimination,
        "delta": accuracy - discrimination, "consistency": 1.0, "positive_rate": 0.5,
        "majority_accuracy": 0.7, "majority_favorable": 1.0, "chance_level": 0.05,
    }  # fmt: skip
    seen = (accuracy, discrimination) if validation is None else validation
    figures |= {"validation_accuracy": seen[0], "validation_discrimination": seen[1]}
    return Record(trial, figures, 1, False, False, 0.1, **changes)


def some_trial(lam, units, seed=0, protected="age"):
    settings = Settings(trunk=(units, units), branch=(units, units))
    return Trial("german", (protected,), lam, seed, settings=settings)


def test_the_table_by_settings_by_hand():
    records = [
        record(some_trial(1.0, 20), 0.8, 0.2),
        record(some_trial(1.0, 20, 1), 0.6, 0.0),
        record(some_trial(9.0, 20), 0.9, 0.1, validation=(0.6, 0.3)),
        record(some_trial(9.0, 40), 0.7, 0.1),
        record(some_trial(9.0, 40, 1), float("nan"), float("nan"), error="diverged"),
        record(some_trial(9.0, 40, protected="sex"), 0.1, 0.9),
    ]
    frame = results_by(records, ["lam", "hidden", "trunk"])
    assert frame["trunk"].tolist() == ["20x20"] * 3 + ["40x40"] * 3
    points = by_settings(frame, ["lam", "hidden"])
    assert points[["protected", "lam", "hidden"]].values.tolist() == [
        ["age", 1.0, 20], ["age", 9.0, 20], ["age", 9.0, 40], ["sex", 9.0, 40],
    ]  # fmt: skip
    assert points["accuracy"].tolist() == pytest.approx([0.7, 0.9, 0.7, 0.1])
    assert points["accuracy_std"][0] == pytest.approx(0.02**0.5)
    assert points["failed"].tolist() == [0, 0, 1, 0]
    # By the validation rows; one with a model that failed is not on it; each case by itself.
    assert points["frontier"].tolist() == [True, False, False, True]
    heading, body = settings_lines(points[:3], ["lam", "hidden"])
    assert heading[:6] == [
        "λ",
        "hidden",
        "models",
        "constant",
        "val. accuracy",
        "val. discrimination",
    ]
    assert [len(line) for line in body] == [len(heading)] * 4
    assert body[0][:6] == ["majority class", "", "", "100%", "", ""]
    assert body[3][2] == "2, 1 failed"
    assert [line[-1] for line in body] == ["", "*", "", ""]
    assert len(frontier_figure(points, "title").axes) == 2


def test_what_is_made_of_records_can_be_made_again(tmp_path):
    opened = StudyPlan("grid", set={"lam": [1, 9], "hidden": [20]}, seeds=1, out=tmp_path).open()
    with pytest.raises(InputError, match="at least one record"):
        opened.result()
    write_records(tmp_path, [record(trial, 0.8, 0.2) for trial in opened.trials])
    outcome = opened.result()
    assert outcome.varied == ("lam", "hidden")
    assert len(outcome.frontier) == 2
    results = (tmp_path / "results.csv").read_bytes()
    (tmp_path / "results.csv").unlink()
    directory = StudyDirectory.read(tmp_path)
    again = kind_of(directory).write(directory)
    pd.testing.assert_frame_equal(again.frame, outcome.frame)
    assert (tmp_path / "results.csv").read_bytes() == results
    assert StudyDirectory.read(tmp_path).trials == opened.directory.trials


def test_a_study_of_lambda_has_a_curve_for_each_recipe(tmp_path, capsys):
    plan = StudyPlan(
        "lambda", set={"lam": [1, 9], "recipe": ["steady", "paper"]}, seeds=1, out=tmp_path
    )
    opened = plan.open()
    made = [
        record(trial, 0.8 if trial.settings.recipe == "steady" else 0.4 + trial.lam / 100, 0.2)
        for trial in opened.trials
    ]
    write_records(tmp_path, made)
    outcome = opened.result()
    assert outcome.curves == ("recipe",)
    panel = lambda_figure(outcome.frame, "title", outcome.curves).axes[0]
    drawn = {line.get_label().partition(":")[0]: line for line in panel.lines}
    np.testing.assert_allclose(drawn["recipe steady"].get_xydata(), [[1, 0.8], [9, 0.8]])
    np.testing.assert_allclose(drawn["recipe paper"].get_xydata(), [[1, 0.41], [9, 0.49]])
    assert drawn["recipe steady"].get_color() != drawn["recipe paper"].get_color()
    page = outcome.page.read_text()
    assert "With recipe paper: Between all neighbouring λ" in page
    assert "With recipe steady: No difference is resolved for λ from 1 to 9" in page
    # The strength of the reversal is 35 λ / (λ + 1).
    assert "from 17.5 to 31.5" in page
    assert (tmp_path / "lambda.svg").exists()
    options = "--recipe steady,paper --values 1,9 --seeds 1"
    assert main([*f"sweep lambda {options} --out".split(), str(tmp_path)]) == 0
    said = capsys.readouterr().out
    assert "protected: age, recipe paper" in said
    assert "protected: age, recipe steady" in said
    # What the recipe decides does not belong to the study, so a third recipe would extend it.
    assert "dropout" not in StudyDirectory.read(tmp_path).about["settings"]


def test_every_constraint_of_a_study_is_checked_before_any_work(tmp_path):
    # Nobody of group a has the favorable label.
    rows = np.arange(400)
    group = np.where(rows % 2, "a", "b")
    frame = pd.DataFrame({"x": rows % 7, "g": group, "y": ((group == "b") & (rows % 3 > 0)) * 1})
    frame.to_csv(tmp_path / "rows.csv", index=False)
    table = load_table(tmp_path / "rows.csv", label="y", protected=["g"])
    varied = {"lam": 1, "constraint": ["demographic_parity", "equal_opportunity"]}
    opened = StudyPlan("grid", table, set=varied, seeds=1, out=tmp_path / "study").open()
    with pytest.raises(InputError, match="constraint 'equal_opportunity', label 1"):
        opened.run()
    assert not list((tmp_path / "study" / "records").iterdir())


def test_a_frame_is_studied_with_its_roles():
    roles = {"label": "decision", "favorable": "approved"}
    plan = StudyPlan("seed", people(), protected=[["sex"], ["sex", "age>=40"]], data=roles)
    assert plan.names == ("data",)
    assert list(plan.tables()["data"]) == [("sex",), ("sex", "age>=40")]
    named = StudyPlan("seed", people(), protected=["sex"], data=roles | {"name": "loans"})
    assert named.names == ("loans",)
    with pytest.raises(InputError, match="label"):
        StudyPlan("seed", people(), protected=["sex"])
    with pytest.raises(InputError, match="path"):
        StudyPlan("seed", people(), protected=["sex"], data=roles | {"path": "x.csv"})


def test_data_sets_with_arguments_are_studied():
    assert StudyPlan("seed", "acs_income:CA:2018").names == ("acs_income:CA:2018",)
    with pytest.raises(InputError, match="did you mean 'german'"):
        StudyPlan("seed", "germna")
