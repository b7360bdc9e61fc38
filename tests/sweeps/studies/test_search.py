"""Searches, what they log, and how far they say they are."""

# Attributes of what is looked up at run time.
# mypy: disable-error-code="attr-defined"

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from ray import tune
from ray.tune.search.optuna import OptunaSearch

from grad_ext import StudyPlan
from grad_ext.errors import InputError
from grad_ext.evaluation import evaluate
from grad_ext.method import GRAD
from grad_ext.sweeps.folder import StudyDirectory, lock
from grad_ext.sweeps.run.memory import Widths
from grad_ext.sweeps.run.storage import LocalStore
from grad_ext.sweeps.studies.choice import choice, only_table, try_choice, without_nan
from grad_ext.sweeps.studies.kinds import kind_of
from grad_ext.sweeps.studies.search import Rounds, space

NAN = float("nan")
SPACE = {"lam": tune.loguniform(1.0, 1000.0), "hidden": tune.choice([10, 20])}


def searched(workers, finish, models=20):
    """Return the choices of a search with some workers, `finish` choosing who is done first."""
    inner = OptunaSearch(metric=["a", "b"], mode=["max", "min"], seed=3)
    rounds = Rounds(inner)
    assert rounds.set_search_properties(None, None, SPACE)
    asked, at_work = [], []
    while True:
        while len(at_work) < workers and len(asked) < models:
            found = rounds.suggest(f"trial-{len(asked)}")
            if found is None:
                break
            at_work.append(len(asked))
            asked.append(found)
        if not at_work:
            return asked
        number = at_work.pop(finish(len(at_work)))
        lam, hidden = asked[number]["lam"], asked[number]["hidden"]
        rounds.on_trial_complete(f"trial-{number}", {"a": -abs(lam - 30), "b": hidden})


@settings(max_examples=10, deadline=None)
@given(workers=st.integers(1, 9), data=st.data())
def test_choices_do_not_depend_on_who_is_done_first(workers, data):
    random = searched(workers, lambda n: data.draw(st.integers(0, n - 1)))
    assert random == searched(1, lambda n: 0)


def test_a_longer_search_begins_with_the_shorter_one_and_learns():
    choices = searched(2, lambda n: 0, models=60)
    assert choices[:20] == searched(3, lambda n: n - 1)
    near = [abs(found["lam"] - 30) for found in choices]
    assert sum(near[40:]) < sum(near[:20])


def test_the_space_is_rays():
    study = StudyPlan("search", set={"lam": "1:9:log", "epochs": "4:6", "trunk": [[8], [8, 4]]})
    found = space(study.set)
    assert (found["lam"].lower, found["lam"].upper) == (1.0, 9.0)
    assert {found["epochs"].sample() for _ in range(100)} == {4, 5, 6}
    assert found["trunk"].categories == ["8", "8x4"]
    assert choice({"trunk": "8x4", "lam": 2}) == {"trunk": (8, 4), "lam": 2.0}


def test_what_diverged_is_the_worst_there_is():
    assert without_nan({"validation_accuracy": NAN, "validation_discrimination": NAN}) == {
        "validation_accuracy": -1.0,
        "validation_discrimination": 1.0,
    }
    assert without_nan({"validation_accuracy": 0.5}) == {"validation_accuracy": 0.5}


def sought(folder, **changes):
    plan = {"protected": ["age"], "set": {"lam": [1, 9]}, "seeds": 2, "out": folder}
    return StudyPlan("search", **plan | {"settings": {"epochs": 4, "recipe": "paper"}} | changes)


def test_a_choice_is_trained_once_and_then_remembered(tmp_path):
    opened = sought(tmp_path).open()
    trials = opened.plan.choice_trials(only_table(opened.tables), {"lam": 9.0})
    (encoded,) = opened.encoded_choices().values()
    # A search's plan is written as it goes.
    (tmp_path / "records").mkdir(exist_ok=True)
    reports = []
    try_choice(trials, encoded, reports.append, True, LocalStore(tmp_path))
    steps = [(report["epoch"], report["share"]) for report in reports]
    assert steps == [(1, 0.25), (2, 0.5), (3, 0.75), (4, 1.0)]
    alone = evaluate(GRAD(), trials, encoded, validation=True)
    for name in ("validation_accuracy", "accuracy", "discrimination"):
        mean = sum(record.metrics[name] for record in alone) / 2
        assert reports[-1][name] == pytest.approx(mean)
    # The rule keeps the epoch of the lowest Discrimination, so what is told on the way only falls.
    told = [report["validation_discrimination"] for report in reports]
    assert told == sorted(told, reverse=True)
    path = next((tmp_path / "records").glob("*.jsonl"))
    stamp = path.stat().st_mtime_ns
    again = []
    try_choice(trials, encoded, again.append, True, LocalStore(tmp_path))
    assert again == reports[-1:]
    assert path.stat().st_mtime_ns == stamp
    # Made anew from the records, once the plan has them.
    with lock(tmp_path):
        opened.directory.extended(trials)
    directory = StudyDirectory.read(tmp_path)
    outcome = kind_of(directory).write(directory)
    assert (outcome.kind, outcome.varied) == ("search", ("lam",))
    assert outcome.frontier["lam"].tolist() == [9.0]


def test_a_choice_that_memory_cannot_hold_is_trained_in_parts(tmp_path):
    opened = sought(tmp_path).open()
    trials = opened.plan.choice_trials(only_table(opened.tables), {"lam": 9.0})
    (encoded,) = opened.encoded_choices().values()
    whole, parts, widths = [], [], Widths(None)
    widths.learn(trials[0], "cpu", 1)
    try_choice(trials, encoded, whole.append, True)
    try_choice(trials, encoded, parts.append, True, widths=widths)
    assert parts[-1] == whole[-1]
    # Epochs are told once.
    assert [report["epoch"] for report in parts] == [1, 2, 3, 4]


def test_a_search_is_about_one_case_and_named_rows(tmp_path):
    several = sought(tmp_path / "a", protected=[["age"], ["sex"]]).open()
    with pytest.raises(InputError, match=r"one data set and one set .* german: age; german: sex"):
        several.run()
    split = sought(tmp_path / "b", set={"split_seed": "0:9"}).open()
    with pytest.raises(InputError, match="split_seed: name the values to search among"):
        split.run()
    with pytest.raises(InputError, match=r"as many models as seeds \(2\), got 1"):
        sought(tmp_path / "c", search={"models": 1}).open().run()
    rows = (
        sought(tmp_path / "d", set={"encoding": ["standard", "quantile"]}).open().encoded_choices()
    )
    assert len(rows) == 2


def test_more_models_extend_a_search_and_another_question_is_another_one(tmp_path):
    sought(tmp_path, search={"models": 4}).open()
    sought(tmp_path, search={"models": 8}).open()
    for other in (
        {"search": {"objectives": ["delta"]}},
        {"search": {"seed": 1}},
        {"set": {"lam": [1, 8]}},
        {"seeds": 3},
    ):
        with pytest.raises(InputError, match="holds another study"):
            sought(tmp_path, **other).open()


SEARCH = {
    "set": {"lam": "1:1000:log", "hidden": [8, 16]},
    "settings": {"epochs": 4, "recipe": "steady"},
    "seeds": 2,
}


@pytest.mark.slow
def test_a_search_in_parts_is_the_search_in_one(tmp_path):
    whole = StudyPlan("search", **SEARCH, search={"models": 40}, out=tmp_path / "whole").run()
    assert len(whole.frame) == 40
    part = StudyPlan("search", **SEARCH, search={"models": 14}, out=tmp_path / "parts").run(
        num_cpus=1
    )
    assert len(part.frame) == 14
    parts = StudyPlan("search", **SEARCH, search={"models": 40}, out=tmp_path / "parts").run()
    pd.testing.assert_frame_equal(
        whole.frame.drop(columns="seconds"), parts.frame.drop(columns="seconds"), check_exact=True
    )
    assert whole.frontier.equals(parts.frontier)


@pytest.mark.slow
def test_a_search_goes_on_from_its_storage(tmp_path):
    place = f"file://{tmp_path}/shared"
    first = StudyPlan("search", **SEARCH, search={"models": 16}, out=tmp_path / "first")
    begun = first.run(storage=place)
    # The folder is lost, and the search goes on elsewhere.
    second = StudyPlan("search", **SEARCH, search={"models": 24}, out=tmp_path / "second")
    ended = second.run(storage=place)
    whole = StudyPlan("search", **SEARCH, search={"models": 24}, out=tmp_path / "whole").run()
    assert (len(begun.frame), len(ended.frame)) == (16, 24)
    # With the seconds of those that were there, since they were not trained again.
    assert len(ended.frame.merge(begun.frame, how="inner")) == 16
    pd.testing.assert_frame_equal(
        ended.frame.drop(columns="seconds"), whole.frame.drop(columns="seconds"), check_exact=True
    )


@pytest.mark.slow
def test_asha_stops_choices_which_say_so(tmp_path):
    how = {"models": 24, "objectives": ["balanced_delta"], "scheduler": "asha"}
    changes = {"settings": {"epochs": 8, "recipe": "steady"}, "seeds": 1}
    study = StudyPlan("search", **SEARCH | changes, search=how, out=tmp_path)
    frame = study.run(log=("tensorboard",)).frame
    stopped = frame[frame["error"].str.startswith("stopped by the scheduler after epoch")]
    assert 0 < len(stopped) < 24
    assert stopped["accuracy"].isna().all()
    assert (stopped["epoch"] < 8).all()
    assert frame.drop(index=stopped.index)["accuracy"].notna().all()
    assert len(list((tmp_path / "tensorboard").iterdir())) == len(frame)
    assert not StudyDirectory.read(tmp_path).missing()
