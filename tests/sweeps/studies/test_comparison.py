"""Comparisons: the same rows for everybody, failures as rows, resumed by subtraction."""

import hashlib
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import cloudpickle
import numpy as np
import pandas as pd
import pytest
from command import BIN, grad_ext, wait_until
from people import people
from sklearn.base import BaseEstimator
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, StandardScaler
from sklearn.svm import LinearSVC

from grad_ext import compare, load_dataset
from grad_ext.adapters.registry import BASELINES
from grad_ext.adapters.sklearn import Estimators, seed_32
from grad_ext.cli import main
from grad_ext.data.split import split
from grad_ext.errors import InputError
from grad_ext.evaluation import EvaluationConfig, evaluate, prepare
from grad_ext.method import GRAD
from grad_ext.report.findings.comparison import caveats, findings, studied
from grad_ext.report.sentences import sentences
from grad_ext.sweeps.folder import write_records
from grad_ext.sweeps.retrain import retrain
from grad_ext.sweeps.run.limits import Limits
from grad_ext.sweeps.studies.comparison import gathered, open_comparison
from grad_ext.sweeps.studies.methods import METHODS, cost, described, method_specs, width
from grad_ext.training.settings import Settings
from grad_ext.trial import Record, Trial

pytestmark = pytest.mark.long

# The processes cannot import the tests.
cloudpickle.register_pickle_by_value(sys.modules[__name__])
SETTINGS = Settings(epochs=2)
TIMES = ["seconds", "predict_seconds", "peak_bytes"]


class Digest(BaseEstimator):
    """Fails with a digest of all that it was given."""

    def fit(self, X, y, sensitive_features, sample_weight):
        given = (X, y, sensitive_features.to_numpy(), sample_weight)
        raise ValueError(digest(*given))

    def predict(self, X):
        return X[:, 0]


def digest(*arrays):
    return hashlib.sha256(b"".join(np.ascontiguousarray(a).tobytes() for a in arrays)).hexdigest()


class Fickle(BaseEstimator):
    """Fails until there is a file."""

    def __init__(self, path):
        self.path = path

    def fit(self, X, y):
        if not Path(self.path).exists():
            raise OSError("not yet")

    def predict(self, X):
        return np.ones(len(X))


def forest(trial):
    return RandomForestClassifier(10, random_state=trial.seed)


@pytest.fixture(scope="module")
def german_sex():
    return load_dataset("german", ["sex"])


@pytest.fixture(scope="module")
def encoded(german_sex):
    return prepare(split(german_sex), SETTINGS)


def asked(folder, *more):
    own = {
        "forest": RandomForestClassifier(10),
        "by hand": forest,
        "svc": make_pipeline(StandardScaler(), LinearSVC()),
        "digest": Digest(),
        "fickle": Fickle(str(folder / "there")),
    }
    return ["grad-pred", "majority", "logistic", own, *more]


@pytest.fixture(scope="module")
def compared(german_sex, tmp_path_factory):
    folder = tmp_path_factory.mktemp("compared")
    options = {"hyperparameters": False, "settings": SETTINGS, "num_cpus": 1}
    return folder, compare(asked(folder), german_sex, 2, out=folder / "study", **options)


def of(frame, method):
    return frame[frame["method"] == method].reset_index(drop=True)


def figures(record):
    return pd.Series(record.metrics)


def test_a_comparison_has_a_row_a_model(compared):
    folder, result = compared
    frame = result.frame
    counts = frame.groupby("method").size().to_dict()
    # What draws nothing has one model, whatever the seeds.
    assert counts == {
        "GRAD-Pred": 2, "majority": 1, "logistic": 1, "forest": 2, "by hand": 2, "svc": 2,
        "digest": 1, "fickle": 1,
    }  # fmt: skip
    assert result.folder == folder / "study"
    assert result.page.read_text().startswith("<!")
    kept = pd.read_csv(result.folder / "results.csv")
    assert list(kept) == list(frame)
    np.testing.assert_array_equal(kept["accuracy"], frame["accuracy"])
    assert of(frame, "GRAD-Pred")[
        ["title", "hyperparameter", "lam"]
    ].drop_duplicates().values.tolist() == [["GRAD-Pred", "λ", 100.0]]
    assert of(frame, "logistic")["title"].tolist() == ["Logistic regression"]
    sound = frame[frame["error"] == ""]
    assert (sound[["seconds", "predict_seconds"]] > 0).all(axis=None)
    assert (sound["peak_bytes"] >= 0).all()


def test_every_method_gets_the_same_rows_in_the_same_encoding(compared, encoded):
    _, result = compared
    rows = encoded.training
    given = (rows.X.astype(float), rows.y.astype(int), rows.a.astype(int), rows.w)
    assert of(result.frame, "digest")["error"].tolist() == [f"ValueError: {digest(*given)}"]
    trials = [Trial("german", ("sex",), seed=s, settings=SETTINGS) for s in (0, 1)]
    by_hand = LogisticRegression(max_iter=2000).fit(given[0], given[1])
    accuracy = by_hand.score(encoded.test.X.astype(float), encoded.test.y)
    assert of(result.frame, "logistic")["accuracy"].tolist() == [pytest.approx(accuracy)]
    for row, record in zip(
        of(result.frame, "GRAD-Pred").iloc, evaluate(GRAD(), trials, encoded), strict=True
    ):
        assert row[record.metrics.keys()].to_dict() == pytest.approx(record.metrics)


@pytest.mark.parametrize(
    ("name", "make"),
    [
        (
            "forest",
            lambda t: RandomForestClassifier(10, random_state=seed_32(t, "random_state")),
        ),
        ("by hand", forest),
        (
            "svc",
            lambda t: make_pipeline(
                StandardScaler(), LinearSVC(random_state=seed_32(t, "linearsvc__random_state"))
            ),
        ),
    ],
)
def test_ones_own_estimator_is_what_it_is_alone(compared, encoded, name, make):
    trials = [Trial("german", ("sex",), seed=s, settings=SETTINGS) for s in (0, 1)]
    expected = evaluate(Estimators(make), trials, encoded, validation=True)
    rows = of(compared[1].frame, name)
    for row, record in zip(rows.iloc, expected, strict=True):
        assert row[record.metrics.keys()].to_dict() == pytest.approx(record.metrics)
    if name != "svc":
        assert rows["accuracy"].nunique() + rows["consistency"].nunique() > 2
    assert set(rows["error"]) == {""}


def test_more_seeds_and_methods_run_only_what_is_missing_and_retry_what_failed(
    compared, german_sex, tmp_path
):
    folder, before = compared
    files = {p: p.stat().st_mtime_ns for p in (before.folder / "records").iterdir()}
    (folder / "there").write_text("")
    methods = asked(folder, "aif360-reweighing")
    options = {"hyperparameters": False, "settings": SETTINGS, "out": before.folder, "num_cpus": 1}
    same = open_comparison(asked(folder), german_sex, 2, **options)
    # An error is a result until it is tried again.
    assert not same.directory.missing()
    after = compare(methods, german_sex, 3, retry=True, **options)
    now = {p: p.stat().st_mtime_ns for p in (before.folder / "records").iterdir()}
    failed = {"digest", "fickle"}
    again = [p for p in files if now[p] != files[p]]
    assert len(again) == len(failed)
    assert len(now) == len(files) + 4 + 1  # a third seed of four methods, and reweighing
    assert of(after.frame, "fickle")["error"].tolist() == [""]
    assert of(before.frame, "fickle")["error"].tolist() == ["OSError: not yet"]
    keys = ["method", "lam", "seed"]
    old = before.frame[~before.frame["method"].isin(failed)].set_index(keys)
    pd.testing.assert_frame_equal(after.frame.set_index(keys).loc[old.index, old.columns], old)


def test_what_is_not_installed_is_a_row_with_the_command_that_brings_it(
    german_sex, tmp_path, monkeypatch
):
    monkeypatch.setitem(sys.modules, "tensorflow", None)
    methods = ["majority", "aif360-adversarial"]
    plan = open_comparison(methods, german_sex, 2, hyperparameters=False, out=tmp_path / "study")
    assert [trial.baseline for trial in plan.directory.trials] == ["majority"]
    (trial,) = plan.trials
    write_records(plan.directory.folder, [Record(trial, {"accuracy": 0.7}, 1, True, False, 0.1)])
    frame = plan.result().frame
    (error,) = of(frame, "aif360-adversarial")["error"].unique()
    assert error == (
        "MissingToolkit: tensorflow is not installed; pip install 'grad-ext[tensorflow]' brings it"
    )
    assert len(of(frame, "aif360-adversarial")) == 2
    assert not list((tmp_path / "study" / "records").glob("*adversarial*"))
    monkeypatch.delitem(sys.modules, "tensorflow")
    again = open_comparison(methods, german_sex, 2, hyperparameters=False, out=tmp_path / "study")
    assert [trial.baseline for trial in again.directory.missing()] == ["aif360-adversarial"] * 2


def test_all_methods_are_there_and_their_work_is_dealt_out(german_sex, tmp_path):
    example = Trial("german", ("sex",))
    every = method_specs(None, True, example)
    assert [each.name for each in every] == list(METHODS)
    assert set(BASELINES) < set(METHODS)
    for each in every:
        default = method_specs([each.name], False, example)[0].values
        assert set(default) <= set(each.values)
    plan = open_comparison(None, german_sex, 3, splits=2, out=tmp_path)
    pieces = gathered(plan.trials, 2)
    dealt = [trial.key for piece in pieces for trial in piece]
    assert sorted(dealt) == sorted(trial.key for trial in plan.trials)
    costs = [sum(map(cost, piece)) for piece in pieces]
    assert costs == sorted(costs, reverse=True)
    for piece in pieces:
        assert len({trial.rows for trial in piece}) == 1
    packed = [t for t in plan.trials if t.baseline == "alfr"]
    together = [p for p in pieces if any(t.baseline == "alfr" for t in p)]
    assert len(together) <= 2 * len(packed) / width(packed[0])


def test_fits_that_are_quick_share_a_process_and_leave_no_worker_idle(german_sex, tmp_path):
    names = ["majority", "logistic", "boosting", "fairlearn-threshold"]
    plan = open_comparison([*names, "grad-pred"], german_sex, 2, out=tmp_path / "more")
    quick = [trial for trial in plan.trials if trial.baseline]
    for workers in (1, 2, 3):
        assert len(gathered(quick, workers)) <= workers + 1
        assert len(gathered(plan.trials, workers)) >= workers
    # What takes longer than starting a process is divided further.
    long = open_comparison(["lfr"], german_sex, 2, out=tmp_path / "long").trials
    assert len(long) == 12
    assert len(gathered(long, 8)) > 4


def test_the_plan_is_methods_by_hyperparameters_by_divisions_by_seeds(german_sex, tmp_path):
    methods = ["grad-auto", "nn-pred", "fairlearn-threshold"]
    plan = open_comparison(methods, german_sex, 2, splits=3, out=tmp_path)
    count = {}
    for trial in plan.trials:
        count[trial.method] = count.get(trial.method, 0) + 1
    assert count == {"GRAD-Auto": 4 * 2 * 3, "NN-Pred": 2 * 3, "fairlearn-threshold": 5 * 3}
    assert len({id(plan.encode(trial)) for trial in plan.trials}) == 3
    assert len({trial.key for trial in plan.trials}) == len(plan.trials)


class Opaque:
    pass


def test_an_estimator_is_told_apart_by_its_class_and_parameters():
    text = described(make_pipeline(FunctionTransformer(np.log1p), LogisticRegression(C=0.5)))
    assert "sklearn.linear_model._logistic.LogisticRegression(C=0.5, " in text
    assert "func=numpy.log1p" in text or "log1p" in text
    assert described(RandomForestClassifier(random_state=1)) == described(RandomForestClassifier())
    assert described(Fickle("x")) != described(Fickle("y"))
    with pytest.raises(InputError, match="the same in every run"):
        described(Fickle(Opaque()))


def test_another_estimator_of_the_same_name_is_refused(german_sex, tmp_path):
    options = {"out": tmp_path / "study"}
    open_comparison({"mine": LogisticRegression()}, german_sex, 1, **options)
    open_comparison({"mine": LogisticRegression()}, german_sex, 1, **options)
    with pytest.raises(InputError, match=r"has another 'mine': .*C=1\.0.*C=2\.0.*another name"):
        open_comparison({"mine": LogisticRegression(C=2.0)}, german_sex, 1, **options)


@pytest.mark.parametrize(
    ("methods", "options", "message"),
    [
        (["majorty"], {}, "unknown method 'majorty': did you mean 'majority'"),
        ("majority", {}, "expected a list of names, got 'majority'"),
        ([], {}, "at least one method"),
        (["majority", "majority"], {}, "'majority' is given twice"),
        ({"logistic": LogisticRegression()}, {}, "expected a name of your own"),
        ({"mine": 3}, {}, "'mine' must be an estimator with fit and predict"),
        ({"mine": lambda trial: None}, {}, "'mine' must be an estimator"),
        ({"mine": StandardScaler()}, {}, "'mine' must be an estimator"),
        (["majority"], {"seeds": 0}, "seeds must be .* of at least 1"),
        (["majority"], {"splits": 0}, "splits must be .* of at least 1"),
        (["majority"], {"select": "last"}, "'last' is a rule for epochs"),
        (["majority"], {"select": "best"}, "unknown rule"),
        (["majority"], {"num_cpus": 999}, "expected 1 to"),
        (["majority"], {"protocol": "source"}, "test set"),
    ],
)
def test_bad_input_is_refused_before_any_work(german_sex, tmp_path, methods, options, message):
    with pytest.raises(InputError, match=message):
        open_comparison(methods, german_sex, **{"out": tmp_path / "study", **options})
    assert not list(tmp_path.iterdir())


def test_an_estimator_that_cannot_be_sent_is_refused(german_sex, tmp_path):
    class Locked(LogisticRegression):
        def __reduce__(self):
            raise TypeError("not to be pickled")

    with pytest.raises(InputError, match="'mine' cannot be sent to another process: not to be"):
        open_comparison({"mine": Locked()}, german_sex, out=tmp_path / "study")


def test_other_judging_is_another_study(german_sex, tmp_path):
    open_comparison(["majority"], german_sex, out=tmp_path)
    with pytest.raises(InputError, match=r"holds another study: its evaluation\.k is 5"):
        open_comparison(["majority"], german_sex, evaluation=EvaluationConfig(k=7), out=tmp_path)


SMALL = ("--protected", "sex", "--seeds", "2", "--out", "study", "--methods")
CHEAP = "majority,fairlearn-threshold,boosting"


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    folder = tmp_path_factory.mktemp("finished")
    return folder, grad_ext("compare", *SMALL, CHEAP, cwd=folder)


def rows(folder):
    return pd.read_csv(folder / "study" / "results.csv").drop(columns=TIMES)


def test_the_command_line_shows_who_is_where(finished):
    folder, done = finished
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    study = folder / "study"
    assert f"Study folder: {study}\nReport: {study / 'report.html'}\n" in done.stdout
    lines = done.stdout.splitlines()
    first = next(i for i, line in enumerate(lines) if "majority class" in line)
    named = [BASELINES[name].title for name in CHEAP.split(",")[1:]]
    found = [next(i for i, line in enumerate(lines) if name[:12] in line) for name in named]
    assert first < min(found)
    frame = rows(folder)
    words = " ".join(done.stdout.split())
    assert all(
        " ".join(sentence.split()) in words
        for sentence in sentences([*studied(frame), *findings(frame), *caveats(frame)])
    )
    assert len(frame) == 1 + 5 + 2
    assert frame["error"].isna().all()


@pytest.mark.slow
def test_a_killed_comparison_is_finished_by_the_same_command(finished, tmp_path):
    folder, _ = finished
    command = [BIN, "compare", *SMALL, CHEAP, "--num-cpus", "1"]
    driver = subprocess.Popen(
        command, cwd=tmp_path, start_new_session=True, stdout=subprocess.DEVNULL
    )
    records = tmp_path / "study" / "records"
    wait_until(lambda: len(list(records.glob("*.jsonl"))) >= 2)
    os.killpg(driver.pid, signal.SIGKILL)
    driver.wait()
    time.sleep(3.0)
    done = len(list(records.glob("*.jsonl")))
    assert 2 <= done < len(rows(folder))
    again = grad_ext("compare", *SMALL, CHEAP, cwd=tmp_path)
    assert again.returncode == 0, again.stderr
    pd.testing.assert_frame_equal(rows(tmp_path), rows(folder), check_exact=True)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ("--methods majority,mjority", "unknown method 'mjority': did you mean 'majority'"),
        ("--memory-limit much", "such as 4GiB or 500MB, got 'much'"),
        ("--time-limit 0", "time limit: expected seconds above 0"),
        ("--select paper", "'paper' is a rule for epochs"),
        ("--recipe mine", "unknown recipe 'mine'"),
    ],
)
def test_bad_options_are_one_line_and_exit_code_2(
    arguments, message, tmp_path, monkeypatch, capsys
):
    monkeypatch.chdir(tmp_path)
    assert main(["compare", *arguments.split()]) == 2
    said = capsys.readouterr()
    assert message in said.err
    assert said.err.count("\n") == 1
    assert said.out == ""
    assert not list(tmp_path.iterdir())


@pytest.mark.slow
def test_every_method_runs_on_german(german_sex, tmp_path):
    result = compare(
        None, german_sex, 1, hyperparameters=False, out=tmp_path / "study", limits=Limits(600)
    )
    assert set(result.frame["error"]) == {""}
    assert len(result.frame) == len(METHODS)
    assert result.frame["chosen"].all()


def test_a_frame_and_a_file_are_compared_with_their_roles(tmp_path):
    people().to_csv(tmp_path / "people.csv", index=False)
    roles = {"label": "decision", "favorable": "approved", "protected": ["sex"]}
    options = {"hyperparameters": False, "seeds": 1, "num_cpus": 1}
    methods, path = ["logistic"], str(tmp_path / "people.csv")
    file = compare(methods, path, **options, **roles, out=tmp_path / "file")
    assert file.frame["dataset"].tolist() == ["people"]
    # The study knows the file and the roles in it.
    assert retrain(tmp_path / "file", "1", keep=False).differing == []
    frame = compare(methods, people(), **options, **roles, name="people", out=tmp_path / "frame")
    assert frame.frame["accuracy"].tolist() == file.frame["accuracy"].tolist()
