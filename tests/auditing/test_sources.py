"""Sources: what is extracted from models and arrays of every kind, and invalid input."""

import warnings

import numpy as np
import pandas as pd
import pytest
import torch
from leakage import cell, leaky, noise, sources
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.svm import LinearSVC

from grad_ext import (
    GRADClassifier,
    GRADEncoder,
    GRADInProcessing,
    GRADRegressor,
    audit,
    discrimination,
)
from grad_ext.errors import InputError


def source_names(*given, **more):
    """Return the names of an audit's sources; two folds and one attribute save time."""
    return sources(audit(*given, folds=2, intersections=False, **more))


def test_estimators_of_grad_ext():
    X, y, sex = leaky()
    frame = pd.DataFrame(X, columns=["a", "b", "c"]).assign(job=np.where(sex, "x", "y"))
    model = GRADClassifier(lam=0, epochs=5, random_state=0).fit(frame, y, sensitive_features=sex)
    result = audit(model, frame, {"sex": sex}, y=y)
    assert sources(result) == ["features", "representation", "scores", "labels"]
    assert cell(result, "features")["auc"] == 1
    assert cell(result, "representation")["auc_low"] > 0.9
    labels = model.predict(frame)
    gap = discrimination(None, labels, sensitive_features=sex)
    assert cell(result, "labels")["balanced_accuracy"] == pytest.approx((1 + gap) / 2)
    assert f"{(labels == y).mean():.3f}" in result.notes[-1]
    # The arrays by hand give the same.
    given = {
        "representation": model.model_.representation(frame),
        "scores": model.predict_proba(frame)[:, 1],
        "labels": labels,
    }
    pd.testing.assert_frame_equal(audit(given, frame, {"sex": sex}).table, result.table)
    part = audit(model, frame, {"sex": sex}, sources=["labels", "scores"]).table
    assert part["source"].unique().tolist() == ["labels", "scores"]

    encoder = GRADEncoder(lam=1, epochs=2, random_state=0).fit(X, sensitive_features=sex)
    assert source_names(encoder, X, sex) == ["features", "representation"]
    regressor = GRADRegressor(lam=1, epochs=2, random_state=0)
    regressor.fit(X, np.round(X[:, 0]), sensitive_features=sex)
    assert source_names(regressor, X, sex) == ["features", "representation", "scores"]


def aif360_data(n=300):
    from aif360.datasets import BinaryLabelDataset

    X, y, sex = leaky(n)
    frame = pd.DataFrame(X, columns=["a", "b", "c"])
    frame["sex"], frame["old"], frame["y"] = sex, np.arange(n) % 2, y + 1
    return BinaryLabelDataset(
        favorable_label=2,
        unfavorable_label=1,
        df=frame,
        label_names=["y"],
        protected_attribute_names=["sex", "old"],
    )


@pytest.mark.parametrize("variant", ["pred", "auto"])
def test_grad_in_processing(variant):
    data = aif360_data()
    model = GRADInProcessing(variant=variant, lam=1, epochs=3, random_state=0).fit(data)
    result = audit(model, data, folds=3)
    assert sources(result) == ["features", "representation", "scores", "labels"]
    assert result.table["attribute"].unique().tolist() == ["sex", "old", "sex x old"]
    # The protected columns are not among the features.
    assert cell(result, "features", attribute="sex")["auc_high"] < 1
    right = (model.predict(data).labels == data.labels).mean()
    assert f"{right:.3f}" in result.notes[-1]
    named = audit(
        model, data, {"sex": data.protected_attributes[:, 0]}, sources=["labels"], folds=2
    )
    assert named.table["attribute"].unique().tolist() == ["sex"]


def test_other_algorithms_of_aif360():
    from aif360.algorithms.preprocessing import LFR, Reweighing

    data = aif360_data(100)
    groups = {"unprivileged_groups": [{"sex": 0}], "privileged_groups": [{"sex": 1}]}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        lfr = LFR(**groups, k=2, seed=0).fit(data, maxiter=20, maxfun=20)
    assert source_names(lfr, data) == ["features", "representation"]
    # It changes the weights only, so there is no source.
    with pytest.raises(InputError, match="Reweighing has none"):
        audit(Reweighing(**groups).fit(data), data)


def test_estimators_of_others():
    from fairlearn.postprocessing import ThresholdOptimizer
    from fairlearn.preprocessing import CorrelationRemover
    from fairlearn.reductions import DemographicParity, ExponentiatedGradient

    X, y, sex = leaky()
    plain = LogisticRegression().fit(X, y)
    reduced = ExponentiatedGradient(plain, DemographicParity(), max_iter=2)
    reduced.fit(X, y, sensitive_features=sex)
    first = audit(reduced, X, sex, folds=2)
    assert sources(first) == ["features", "labels"]
    pd.testing.assert_frame_equal(first.table, audit(reduced, X, sex, folds=2).table)
    cut = ThresholdOptimizer(estimator=plain, predict_method="predict_proba", prefit=True)
    cut.fit(X, y, sensitive_features=sex)
    assert source_names(cut, X, sex) == ["features", "labels"]
    with_sex = np.column_stack([X, sex])
    removed = CorrelationRemover(sensitive_feature_ids=[3]).fit(with_sex)
    result = audit(removed, with_sex, sex)
    assert cell(result, "features")["auc"] > 0.99
    assert cell(result, "representation")["auc_high"] < 0.65

    assert source_names(plain, X, sex) == ["features", "scores", "labels"]
    assert source_names(LinearSVC().fit(X, y), X, sex) == ["features", "scores", "labels"]
    assert source_names(LinearRegression().fit(X, y), X, sex) == ["features", "scores"]
    names = np.array(["no", "maybe", "yes"])[y + (X[:, 2] > 0)]
    many = audit(LinearDiscriminantAnalysis().fit(X, names), X, sex, y=names)
    assert sources(many) == ["features", "representation", "scores", "labels"]
    # The balanced accuracy of the majority class among three labels.
    assert "0.333" in many.notes[-1]


def test_arrays_of_every_kind():
    X, _, sex = leaky()
    assert source_names(X, None, sex) == ["representation"]
    tensor = torch.tensor(X, requires_grad=True)
    frame = pd.DataFrame(X, index=range(7, 307)).assign(job=np.where(sex, "x", "y"))
    plain = audit(X, None, sex).table
    pd.testing.assert_frame_equal(audit(tensor, None, sex).table, plain)
    pd.testing.assert_frame_equal(audit(X.tolist(), None, sex).table, plain)
    assert cell(audit(frame, None, sex), "representation")["auc"] == 1
    assert source_names(X[:, 0], None, sex) == ["scores"]
    assert source_names(np.where(sex, "x", "y"), None, sex) == ["labels"]
    # Within [0, 1]: the labels are those of at least a half.
    share = 1 / (1 + np.exp(-X[:, 0]))
    result, by_hand = audit(share, None, sex), audit({"labels": share >= 0.5}, None, sex)
    assert sources(result) == ["scores", "labels"]
    assert cell(result, "labels").equals(
        cell(by_hand, "labels").rename(cell(result, "labels").name)
    )


def test_scores_near_one_are_distinguished():
    sex = np.arange(100) % 2
    result = audit(1 - np.where(sex, 1e-12, 1e-10), None, sex)
    assert cell(result, "scores")["auc"] == 1


R, SEX = noise(), np.arange(200) % 2
FEW = np.arange(200) < 3
BAD = {
    "no attribute": (lambda: audit(R, R), "sensitive_features: expected .* got None"),
    "a name": (lambda: audit("model.pt", R, SEX), "a fitted model, an array or arrays by name, got str"),
    "a class": (lambda: audit(GRADClassifier, R, SEX), "got GRADClassifier"),
    "not fitted": (lambda: audit(GRADClassifier(), R, SEX), "not fitted"),
    "no rows": (lambda: audit(LogisticRegression(), None, SEX), "X: expected rows .* LogisticRegression .* got None"),
    "no arrays": (lambda: audit({}, R, SEX), "dict has none"),
    "a number": (lambda: audit({"scores": 3}, None, SEX), "expected rows, got int"),
    "taken name": (lambda: audit({"features": R}, R, SEX), "'features' is the name of the columns"),
    "other length": (lambda: audit(R[:9], R, SEX), "representation: expected 200 rows, got 9"),
    "other attributes": (lambda: audit(R, None, SEX[:9]), "expected 200 rows, got 9"),
    "too deep": (lambda: audit(R[..., None, None], R, SEX), "expected shape .200,. or .200, D., got"),
    "NaN": (lambda: audit(np.where(R > 2, np.nan, R), R, SEX), "representation: expected no missing values"),
    "NaN among labels": (lambda: audit({"labels": np.array([None, *"a" * 199])}, None, SEX), "no missing values"),
    "one name twice": (lambda: audit(pd.DataFrame(R, columns=list("aab")), None, SEX), "names of columns must differ"),
    "one group": (lambda: audit(R, None, np.zeros(200)), "at least two groups with at least 5 rows each"),
    "a tiny group": (lambda: audit(R, None, {"sex": FEW}), "'sex'.*for each fold, got {False: 197, True: 3}"),
    "a group in few units": (lambda: audit(R, None, SEX, groups=SEX), "at least 5 units each"),
    "nobody's group": (lambda: audit(R, None, {"sex": [None] * 200}), "at least two groups"),
    "too many groups": (lambda: audit(R, None, np.arange(200)), "has 200 values; name it in `continuous`"),
    "unknown number": (lambda: audit(R, None, SEX, continuous=["agge"]), "unknown sensitive feature 'agge'"),
    "a string": (lambda: audit(R, None, SEX, continuous="age"), "list of names, got the string 'age'"),
    "unknown source": (lambda: audit(R, None, SEX, sources=["scores"]), "unknown source 'scores'"),
    "no source": (lambda: audit(R, None, SEX, sources=[]), "at least one, got none"),
    "source string": (lambda: audit(R, None, SEX, sources="scores"), "got the string 'scores'"),
    "one fold": (lambda: audit(R, None, SEX, folds=1), "folds must be a whole number of at least 2, got 1"),
    "half a fold": (lambda: audit(R, None, SEX, folds=2.5), "got 2.5"),
    "level": (lambda: audit(R, None, SEX, level=95), "level must be a number between 0 and 1, got 95"),
    "seed": (lambda: audit(R, None, SEX, seed="x"), "seed must be a whole number, got 'x'"),
    "units": (lambda: audit(R, None, SEX, groups=[1, 2]), r"groups: expected shape \(200,\), got \(2,\)"),
    "missing units": (lambda: audit(R, None, SEX, groups=[None] * 200), "200 are missing"),
    "other labels": (lambda: audit({"labels": SEX}, None, SEX, y=["a", "b"] * 100), "such as those predicted"),
    "missing labels": (lambda: audit({"labels": SEX}, None, SEX, y=[None, 1] * 100), "y: expected no missing values, got 100"),
    "nothing": (lambda: audit(R[:0], None, SEX[:0]), "at least one row, got none"),
    "fewer labels": (lambda: audit({"labels": SEX}, None, SEX, y=[0, 1]), "y: expected 200 rows, got 2"),
}  # fmt: skip


@pytest.mark.parametrize("case", BAD)
def test_bad_input(case, monkeypatch):
    def fail(*_):
        raise AssertionError("a probe was trained")

    monkeypatch.setattr("grad_ext.auditing.audit.probe_metrics", fail)
    call, message = BAD[case]
    with pytest.raises(ValueError, match=message):
        call()
