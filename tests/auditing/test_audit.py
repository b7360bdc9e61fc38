"""The audit where the answer is known, its figures against slow ones, and on real models."""

import contextlib
import os
import re
import signal
import subprocess
import time
import warnings

import numpy as np
import pandas as pd
import pytest
import torch
from command import BIN, PATIENCE, grad_ext, wait_until
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import norm
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
    load_dataset,
    save,
)
from grad_ext.auditing.probes import (
    PROBES,
    auc,
    balanced_accuracy,
    dealt,
    interval,
    labels_of_units,
    read,
)
from grad_ext.cli import main
from grad_ext.cli.studies import interruptible
from grad_ext.data.split import split
from grad_ext.errors import ConstantPredictionWarning, InputError


def noise(n=200, d=3, seed=0):
    return np.random.default_rng(seed).normal(size=(n, d))


def cell(found, source, probe=PROBES[0], attribute=None):
    """Return one row of the table."""
    table = found.table
    rows = table[(table["source"] == source) & (table["probe"] == probe)]
    if attribute is not None:
        rows = rows[rows["attribute"] == attribute]
    assert len(rows) == 1
    return rows.iloc[0]


# --- figures -----------------------------------------------------------------------------------


def test_eight_rows_by_hand():
    codes = np.array([1, 0, 1, 0, 1, 0, 0, 1])
    fold = np.array([0, 0, 0, 0, 1, 1, 1, 1])
    score = np.array([0.9, 0.1, 0.3, 0.3, 5.0, 6.0, 4.0, 7.0])
    # Fold 0: 0.9 beats both, 0.3 beats 0.1 and ties with 0.3: 3.5 of 4 pairs. Fold 1: 5 beats 4, 7
    # beats both: 3 of 4. No row of fold 0 is compared with one of fold 1.
    value, influence = auc(np.column_stack([-score, score]), codes, fold)
    assert value == 6.5 / 8
    ordered = np.array([2, 2, 1.5, 1.5, 1, 1, 2, 2])
    np.testing.assert_allclose(influence, (ordered - 2 * 6.5 / 8) / 8)
    # Guesses 1 0 0 0 1 1 0 1: three of four right in either group but for row 5 and row 2.
    ratio = np.array([[0, 1], [1, 0], [1, 0], [1, 0], [0, 1], [0, 1], [1, 0], [0, 1.0]])
    value, influence = balanced_accuracy(ratio, codes)
    assert value == 0.75
    right = np.array([1, 1, 0, 1, 1, 0, 1, 1])
    np.testing.assert_allclose(influence, (right - 0.75) / 8)


@settings(max_examples=60, deadline=None)
@given(data=st.data(), groups=st.integers(2, 4), folds=st.integers(2, 4))
def test_auc_is_the_share_of_pairs_in_order(data, groups, folds):
    rng = np.random.default_rng(data.draw(st.integers(0, 2**32 - 1)))
    codes = np.repeat(np.arange(groups), folds * 2)
    fold = dealt(codes, folds, rng)
    ratio = rng.integers(0, 5, (len(codes), groups)).astype(float)
    if groups == 2:
        ratio[:, 0] = -ratio[:, 1]
    value, influence = auc(ratio, codes, fold)
    areas = []
    for g in range(groups):
        won = [
            np.sign(ratio[i, g] - ratio[j, g]) / 2 + 0.5
            for i in np.flatnonzero(codes == g)
            for j in np.flatnonzero(codes != g)
            if fold[i] == fold[j]
        ]
        areas.append(np.mean(won))
    assert value == pytest.approx(np.mean(areas))
    assert influence.sum() == pytest.approx(0, abs=1e-12)


@settings(max_examples=60, deadline=None)
@given(
    sizes=st.lists(st.integers(1, 30), min_size=1, max_size=5),
    folds=st.integers(2, 6),
    seed=st.integers(0, 2**32 - 1),
)
def test_every_group_is_dealt_evenly(sizes, folds, seed):
    labels = np.repeat(np.arange(len(sizes)), sizes)
    fold = dealt(labels, folds, np.random.default_rng(seed))
    for group in range(len(sizes)):
        assert np.ptp(np.bincount(fold[labels == group], minlength=folds)) <= 1
    assert np.ptp(np.bincount(fold, minlength=folds)) <= 1


def test_a_unit_counts_as_one_of_its_rarest_group():
    # Rows of groups 0 1 2: four, two, one. Unit 0 has 0 0 1, unit 1 has 0 2, unit 2 has 0 1.
    codes, units = np.array([0, 0, 1, 0, 2, 0, 1]), np.array([0, 0, 0, 1, 1, 2, 2])
    assert labels_of_units(codes, units).tolist() == [1, 2, 1]


@settings(max_examples=60, deadline=None)
@given(
    groups=st.integers(2, 4),
    size=st.integers(1, 4),
    folds=st.integers(2, 5),
    seed=st.integers(0, 2**32 - 1),
)
def test_every_fold_has_rows_of_every_group_that_is_kept(groups, size, folds, seed):
    """Also where the rows of one unit are of several groups."""
    rng = np.random.default_rng(seed)
    units, race = rng.integers(0, 60 // size, 60), rng.integers(0, groups, 60) ** 2
    parts = []

    def kept(X, codes, unit, folds, *_):
        parts.append((codes, dealt(labels_of_units(codes, unit), folds, rng)[unit], unit))
        raise StopIteration

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("grad_ext.auditing.audit.read", kept)
        with contextlib.suppress(StopIteration, InputError):
            audit(np.zeros((60, 1)), None, {"race": race}, groups=units, folds=folds)
    for codes, fold, unit in parts:
        for f in range(folds):
            assert set(codes[fold == f]) == set(range(codes.max() + 1))
        assert (pd.Series(fold).groupby(unit).nunique() == 1).all()


def test_an_interval_by_hand():
    influence = np.array([0.1, -0.1, 0.2, -0.2])
    reach = norm.ppf(0.975) * np.sqrt(2 * (2 * 0.1**2 + 2 * 0.2**2))
    found = interval(0.5, influence, np.arange(4), 0.95)
    np.testing.assert_allclose([found.low, found.high], [max(0.5 - reach, 0), min(0.5 + reach, 1)])
    # Rows 0 and 1 are of one unit, and so are 2 and 3: what they add cancels.
    one = interval(0.5, influence, np.array([0, 0, 1, 1]), 0.95)
    assert one.low == pytest.approx(0.5)
    # Two alike in a unit count as one with twice the influence.
    both = interval(0.5, np.array([0.1, 0.1]), np.array([0, 0]), 0.6)
    assert both.high == pytest.approx(0.5 + norm.ppf(0.8) * np.sqrt(2) * 0.2)


@pytest.mark.parametrize("probe", PROBES)
def test_intervals_of_what_knows_nothing_are_as_wide_as_they_need_to_be(probe, monkeypatch):
    """By simulation: they hold chance in about 95 %, and tell the figures' spread over samples."""
    monkeypatch.setattr("grad_ext.auditing.probes.PROBES", (probe,))
    count = 150 if probe == PROBES[0] else 60
    found = []
    for seed in range(count):
        X = np.random.default_rng([5, seed]).normal(size=(120, 4))
        found.append(read(X, np.arange(120) % 2, np.arange(120), 5, 0.95, seed)[probe])
    for k in range(2):
        values = np.array([(f[k].value, f[k].low, f[k].high) for f in found])
        held = np.mean((values[:, 1] <= 0.5) & (values[:, 2] >= 0.5))
        # 95 % less two and a half binomial standard errors, or simply all.
        assert held >= 0.95 - 2.5 * np.sqrt(0.95 * 0.05 / count)
        errors = (values[:, 2] - values[:, 1]) / 2 / norm.ppf(0.975)
        # Were folds independent this would be 1.4.
        assert 0.75 < values[:, 0].std() / errors.mean() < 1.25
        assert values[:, 0].mean() == pytest.approx(0.5, abs=0.025)


# --- known answers -----------------------------------------------------------------------------


def test_what_holds_the_attribute_gives_it_away_and_noise_does_not():
    sex = np.arange(200) % 2
    found = audit({"open": np.column_stack([noise(), sex]), "closed": noise(seed=1)}, None, sex)
    for probe in PROBES:
        open_, closed = cell(found, "open", probe), cell(found, "closed", probe)
        for figure in ("auc", "balanced_accuracy"):
            assert open_[figure] == open_[f"{figure}_high"] == 1
            assert closed[f"{figure}_low"] < 0.5 < closed[f"{figure}_high"]
    sentence = found.words()[0]
    assert sentence.startswith(
        "sensitive_feature (2 groups, the largest 50% of 200 rows): AUC 1.00"
    )
    assert sentence.endswith(
        "it can be read off the open, but off the closed these probes read it no better than chance."
    )


def test_only_the_ensemble_sees_what_is_not_linear():
    X = noise(600, 2)
    found = audit(X, None, {"xor": (X[:, 0] > 0) ^ (X[:, 1] > 0)})
    assert cell(found, "representation", PROBES[0])["auc_high"] < 0.7
    assert cell(found, "representation", PROBES[1])["auc_low"] > 0.8
    assert found.words()[0].endswith("it can be read off the representation.")


def test_labels_are_as_readable_as_they_discriminate():
    """For two groups and two labels balanced accuracy is (1 + Discrimination) / 2."""
    rng = np.random.default_rng(0)
    sex = np.arange(1000) % 2
    labels = rng.random(1000) < 0.3 + 0.4 * sex
    found = audit(labels.astype(float), None, sex)
    assert set(found.table["source"]) == {"labels"}
    gap = discrimination(None, labels, sensitive_features=sex)
    for probe in PROBES:
        row = cell(found, "labels", probe)
        assert row["balanced_accuracy"] == pytest.approx((1 + gap) / 2)
        assert row["auc"] == pytest.approx((1 + gap) / 2, abs=0.005)
    assert cell(audit(sex, None, sex), "labels")["auc"] == 1


def test_constant_labels_are_no_achievement():
    groups = np.arange(90) % 3
    found = audit({"labels": np.ones(90)}, None, groups, y=np.arange(90) < 60)
    for probe in PROBES:
        row = cell(found, "labels", probe)
        assert row["auc"] == row["auc_low"] == row["auc_high"] == 0.5
        assert row["balanced_accuracy"] == row["majority_balanced_accuracy"] == pytest.approx(1 / 3)
    assert found.words()[1:] == [
        (
            "The labels are the same for everybody, so nothing can be read off them; that is no "
            "achievement."
        ),
        (
            "The labels are right for 0.667 of the rows (balanced accuracy 0.500); the majority "
            "class for everybody is right for 0.667 (balanced accuracy 0.500)."
        ),
    ]


def test_an_intersection_that_neither_attribute_shows():
    rng = np.random.default_rng(0)
    a, b = rng.integers(0, 2, (2, 800))
    both = (a ^ b) + 0.1 * noise(800, 1)[:, 0]
    found = audit(both[:, None], None, {"a": a, "b": b})
    assert found.table["attribute"].unique().tolist() == ["a", "b", "a x b"]
    for name in ("a", "b"):
        assert cell(found, "scores", attribute=name)["auc_high"] < 0.6
    # One of four groups against the rest: right of two thirds of the pairs, a draw in the others.
    row = cell(found, "scores", attribute="a x b")
    assert row["auc"] == pytest.approx(2 / 3 + 1 / 6, abs=0.03)
    assert row["groups"] == 4
    assert row["majority_balanced_accuracy"] == 0.25
    assert "a x b" not in set(
        audit(both, None, {"a": a, "b": b}, intersections=False).table["attribute"]
    )


def test_rows_of_one_unit_are_never_in_two_folds():
    """Fifty people with ten rows each: who it is can be read, and nothing of the group."""
    people = np.repeat(np.arange(50), 10)
    sex = np.random.default_rng(0).permutation(np.arange(50) % 2)[people]
    X = noise(50, 4)[people] + 0.05 * noise(500, 4, seed=1)
    naive, right = audit(X, None, sex), audit(X, None, sex, groups=[f"p{p}" for p in people])
    assert cell(naive, "representation", PROBES[1])["auc_low"] > 0.9
    row = cell(right, "representation", PROBES[1])
    assert row["auc_low"] < 0.5 < row["auc_high"]


# --- attributes --------------------------------------------------------------------------------


def test_missing_groups_and_small_ones_do_not_count():
    groups = np.array(["a", "b", "c", "d"], dtype=object)[np.arange(120) % 3]
    groups[:20] = None
    groups[20:24] = "d"
    found = audit(noise(120), None, {"race": groups})
    row = cell(found, "representation")
    counts = pd.Series(groups).value_counts()
    assert (row["rows"], row["groups"]) == (96, 3)
    assert row["majority"] == pytest.approx(counts.iloc[0] / 96)
    assert found.notes == ("race: groups of fewer than 5 rows were left out: d (4).",)
    assert cell(audit(noise(120), None, {"race": groups}, folds=4), "representation")["groups"] == 4


def test_a_small_group_of_an_intersection_is_left_out():
    a, b = np.arange(200) % 2, np.arange(200) // 100
    a[:98] = 0
    found = audit(noise(), None, {"a": a, "b": b})
    assert found.notes == ("a x b: groups of fewer than 5 rows were left out: 1 x 0 (1).",)
    alone = audit(noise(), None, {"a": a, "b": a})
    assert cell(alone, "representation", attribute="a x b")["groups"] == 2


def test_too_many_combinations_are_not_looked_for():
    a, b = np.arange(600) % 8, np.arange(600) // 8 % 7
    found = audit({"labels": a > 3}, None, {"a": a, "b": b})
    assert found.table["attribute"].unique().tolist() == ["a", "b"]
    assert found.notes[0].startswith(
        "a x b was not looked for: it has 56 groups of at least 5 rows"
    )


def test_numbers_are_cut_at_their_median():
    age = np.arange(200) % 50 + 20.0
    age[:10] = np.nan
    found = audit(age[10:, None].repeat(2, axis=1), None, {"age": age[10:]}, continuous=["age"])
    name = f"age above its median {np.nanmedian(age):g}"
    assert cell(found, "representation", attribute=name)["auc"] > 0.99
    missing = audit(noise(), None, {"age": age}, continuous=["age"])
    assert missing.table["rows"].iloc[0] == 190
    mostly = audit(noise(), None, {"share": np.where(np.arange(200) < 120, 1.0, 0.5)})
    assert mostly.table["majority"].iloc[0] == 0.6
    most = audit(noise(), None, {"n": np.where(np.arange(200) < 120, 7, 3)}, continuous=["n"])
    assert most.table["attribute"].iloc[0] == "n at least its median 7"
    pair = audit(noise(), None, {"age": age, "sex": np.arange(200) % 2}, continuous=["age"])
    assert pair.table["attribute"].iloc[-1].endswith(" x sex")


# --- presentation ------------------------------------------------------------------------------


def test_the_table():
    X, sex = noise(), np.arange(200) % 2
    table = audit(X[:, 0] / 10 + 0.5, X, sex).table
    assert list(table.columns) == [
        "attribute", "source", "probe", "balanced_accuracy", "balanced_accuracy_low",
        "balanced_accuracy_high", "auc", "auc_low", "auc_high", "majority",
        "majority_balanced_accuracy", "groups", "rows",
    ]  # fmt: skip
    assert table["source"].tolist() == [s for s in ("features", "scores", "labels") for _ in "12"]
    assert table["probe"].tolist() == list(PROBES) * 3
    assert (table["auc_low"] <= table["auc"]).all()
    assert (table["balanced_accuracy"] <= table["balanced_accuracy_high"]).all()
    wide = audit(X, None, sex, level=0.99).table
    assert (wide["auc_low"] < audit(X, None, sex).table["auc_low"]).all()


def test_one_seed_gives_one_result_and_no_global_generator_is_touched():
    X, sex = noise(), np.arange(200) % 2
    state = np.random.get_state()[1].copy()  # noqa: NPY002
    first = audit(X, None, sex).table
    pd.testing.assert_frame_equal(first, audit(X, None, sex).table)
    assert not first.equals(audit(X, None, sex, seed=1).table)
    np.testing.assert_array_equal(np.random.get_state()[1], state)  # noqa: NPY002
    # What else is looked for changes nothing.
    more = audit(X, X, {"sensitive_feature": sex, "other": np.arange(200) // 100}).table
    same = more[(more["attribute"] == "sensitive_feature") & (more["source"] == "representation")]
    pd.testing.assert_frame_equal(same.reset_index(drop=True), first)


def test_words_compare_with_the_features():
    sex = np.arange(300) % 2
    X = noise(300) + 2 * sex[:, None]
    said = audit({"representation": X, "scores": noise(300, 1, 1)}, X, {"sex": sex}).words()[0]
    assert said.endswith(
        "it can still be read off the representation, but off the scores these probes read it no "
        "better than chance."
    )
    only = audit(X, X, {"sex": sex}, sources=["features"]).words()[0]
    assert only.endswith("it can be read off the features.")
    hidden = audit(noise(300, 1, 1), X, {"sex": sex}).words()[0]
    assert hidden.endswith(
        "it can be read off the features, but off the scores these probes read it no better than "
        "chance."
    )
    never = audit(noise(300, 1, 1), noise(300, seed=3), {"sex": sex}).words()[0]
    assert never.endswith("even off the features these probes read it no better than chance.")


def test_text_and_picture():
    sex = np.arange(300) % 2
    found = audit(noise(300), noise(300) + sex[:, None], {"sex": sex, "b": np.arange(300) // 150})
    text = str(found)
    assert "majority class (50%)" in text
    assert all(sentence in text for sentence in found.words())
    heading, body = found.lines()
    assert len(body) == 3 * 3
    assert all(len(line) == len(heading) == 6 for line in body)
    row = cell(found, "features", attribute="sex")
    assert body[1][2] == f"{row['auc']:.3f} ({row['auc_low']:.3f} to {row['auc_high']:.3f})"
    figure = found.figure("Two attributes")
    assert figure.get_suptitle() == "Two attributes"
    assert len(figure.axes) == 2 * 3
    top = figure.axes[0]
    assert top.get_title() == "sex"
    assert [t.get_text() for t in figure.axes[3].get_xticklabels()] == [
        "features",
        "representation",
    ]
    assert top.lines[0].get_ydata()[0] == 0.5
    assert figure.axes[-1].lines[0].get_ydata()[0] == 0.25
    for container, probe in zip(top.containers, PROBES, strict=True):
        drawn = container.lines[0].get_ydata()
        expected = [cell(found, s, probe, "sex")["auc"] for s in ("features", "representation")]
        np.testing.assert_array_equal(drawn, expected)


# --- models ------------------------------------------------------------------------------------


def made(n=300, seed=0):
    """Rows whose first column tells the sex, and a label that leans on it."""
    rng = np.random.default_rng(seed)
    sex = rng.integers(0, 2, n)
    X = rng.normal(size=(n, 3)) + 2.5 * np.outer(sex, [1, 0, 0])
    return X, (X[:, 0] + X[:, 1] > 1).astype(int), sex


def sources(found):
    return list(dict.fromkeys(found.table["source"]))


def read_from(*given, **more):
    """Return what an audit reads from, with probes in a hurry."""
    return sources(audit(*given, folds=2, intersections=False, **more))


def test_estimators_of_grad_ext():
    X, y, sex = made()
    frame = pd.DataFrame(X, columns=["a", "b", "c"]).assign(job=np.where(sex, "x", "y"))
    model = GRADClassifier(lam=0, epochs=5, random_state=0).fit(frame, y, sensitive_features=sex)
    found = audit(model, frame, {"sex": sex}, y=y)
    assert sources(found) == ["features", "representation", "scores", "labels"]
    assert cell(found, "features")["auc"] == 1
    assert cell(found, "representation")["auc_low"] > 0.9
    labels = model.predict(frame)
    gap = discrimination(None, labels, sensitive_features=sex)
    assert cell(found, "labels")["balanced_accuracy"] == pytest.approx((1 + gap) / 2)
    assert f"are right for {(labels == y).mean():.3f} of the rows" in found.words()[-1]
    # The arrays by hand give the same.
    given = {
        "representation": model.model_.representation(frame),
        "scores": model.predict_proba(frame)[:, 1],
        "labels": labels,
    }
    pd.testing.assert_frame_equal(audit(given, frame, {"sex": sex}).table, found.table)
    part = audit(model, frame, {"sex": sex}, sources=["labels", "scores"]).table
    assert part["source"].unique().tolist() == ["labels", "scores"]

    encoder = GRADEncoder(lam=1, epochs=2, random_state=0).fit(X, sensitive_features=sex)
    assert read_from(encoder, X, sex) == ["features", "representation"]
    regressor = GRADRegressor(lam=1, epochs=2, random_state=0)
    regressor.fit(X, np.round(X[:, 0]), sensitive_features=sex)
    assert read_from(regressor, X, sex) == ["features", "representation", "scores"]


def aif360_data(n=300):
    from aif360.datasets import BinaryLabelDataset

    X, y, sex = made(n)
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
    found = audit(model, data, folds=3)
    assert sources(found) == ["features", "representation", "scores", "labels"]
    assert found.table["attribute"].unique().tolist() == ["sex", "old", "sex x old"]
    # The protected columns are not among the features.
    assert cell(found, "features", attribute="sex")["auc_high"] < 1
    right = (model.predict(data).labels == data.labels).mean()
    assert f"The labels are right for {right:.3f}" in found.words()[-1]
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
    assert read_from(lfr, data) == ["features", "representation"]
    # It changes weights only, so there is nothing to read from.
    with pytest.raises(InputError, match="but Reweighing gives none"):
        audit(Reweighing(**groups).fit(data), data)


def test_estimators_of_others():
    from fairlearn.postprocessing import ThresholdOptimizer
    from fairlearn.preprocessing import CorrelationRemover
    from fairlearn.reductions import DemographicParity, ExponentiatedGradient

    X, y, sex = made()
    plain = LogisticRegression().fit(X, y)
    reduced = ExponentiatedGradient(plain, DemographicParity(), max_iter=2)
    reduced.fit(X, y, sensitive_features=sex)
    first = audit(reduced, X, sex, folds=2)
    assert sources(first) == ["features", "labels"]
    pd.testing.assert_frame_equal(first.table, audit(reduced, X, sex, folds=2).table)
    cut = ThresholdOptimizer(estimator=plain, predict_method="predict_proba", prefit=True)
    cut.fit(X, y, sensitive_features=sex)
    assert read_from(cut, X, sex) == ["features", "labels"]
    with_sex = np.column_stack([X, sex])
    removed = CorrelationRemover(sensitive_feature_ids=[3]).fit(with_sex)
    found = audit(removed, with_sex, sex)
    assert cell(found, "features")["auc"] > 0.99
    assert cell(found, "representation")["auc_high"] < 0.65

    assert read_from(plain, X, sex) == ["features", "scores", "labels"]
    assert read_from(LinearSVC().fit(X, y), X, sex) == ["features", "scores", "labels"]
    assert read_from(LinearRegression().fit(X, y), X, sex) == ["features", "scores"]
    names = np.array(["no", "maybe", "yes"])[y + (X[:, 2] > 0)]
    many = audit(LinearDiscriminantAnalysis().fit(X, names), X, sex, y=names)
    assert sources(many) == ["features", "representation", "scores", "labels"]
    assert "balanced accuracy 0.333" in many.words()[-1]


def test_arrays_of_every_kind():
    X, _, sex = made()
    assert read_from(X, None, sex) == ["representation"]
    tensor = torch.tensor(X, requires_grad=True)
    frame = pd.DataFrame(X, index=range(7, 307)).assign(job=np.where(sex, "x", "y"))
    plain = audit(X, None, sex).table
    pd.testing.assert_frame_equal(audit(tensor, None, sex).table, plain)
    pd.testing.assert_frame_equal(audit(X.tolist(), None, sex).table, plain)
    assert cell(audit(frame, None, sex), "representation")["auc"] == 1
    assert read_from(X[:, 0], None, sex) == ["scores"]
    assert read_from(np.where(sex, "x", "y"), None, sex) == ["labels"]
    # Within [0, 1]: the labels are those of at least a half.
    share = 1 / (1 + np.exp(-X[:, 0]))
    found, by_hand = audit(share, None, sex), audit({"labels": share >= 0.5}, None, sex)
    assert sources(found) == ["scores", "labels"]
    assert cell(found, "labels").equals(cell(by_hand, "labels").rename(cell(found, "labels").name))


def test_scores_near_one_are_told_apart():
    sex = np.arange(100) % 2
    found = audit(1 - np.where(sex, 1e-12, 1e-10), None, sex)
    assert cell(found, "scores")["auc"] == 1


# --- bad input ---------------------------------------------------------------------------------

R, SEX = noise(), np.arange(200) % 2
FEW = np.arange(200) < 3
BAD = {
    "no attribute": (lambda: audit(R, R), "sensitive_features: expected the attributes to look"),
    "a name": (lambda: audit("model.pt", R, SEX), "a fitted model, an array or arrays by name, got str"),
    "a class": (lambda: audit(GRADClassifier, R, SEX), "got GRADClassifier"),
    "not fitted": (lambda: audit(GRADClassifier(), R, SEX), "not fitted"),
    "no rows": (lambda: audit(LogisticRegression(), None, SEX), "X: expected rows to ask the Logistic"),
    "no arrays": (lambda: audit({}, R, SEX), "expected something to read from"),
    "a number": (lambda: audit({"scores": 3}, None, SEX), "expected rows, got int"),
    "taken name": (lambda: audit({"features": R}, R, SEX), "'features' is the name of the columns"),
    "other length": (lambda: audit(R[:9], R, SEX), "representation: expected 200 rows, got 9"),
    "other attributes": (lambda: audit(R, None, SEX[:9]), "expected 200 rows, got 9"),
    "too deep": (lambda: audit(R[..., None, None], R, SEX), "expected shape .200,. or .200, D., got"),
    "NaN": (lambda: audit(np.where(R > 2, np.nan, R), R, SEX), "representation . expected finite|finite numbers, got nan"),
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
    "one fold": (lambda: audit(R, None, SEX, folds=1), "folds: expected a whole number of at least 2, got 1"),
    "half a fold": (lambda: audit(R, None, SEX, folds=2.5), "got 2.5"),
    "level": (lambda: audit(R, None, SEX, level=95), "level: expected a number between 0 and 1, got 95"),
    "seed": (lambda: audit(R, None, SEX, seed="x"), "seed: expected a whole number, got 'x'"),
    "units": (lambda: audit(R, None, SEX, groups=[1, 2]), r"groups: expected shape \(200,\), got \(2,\)"),
    "missing units": (lambda: audit(R, None, SEX, groups=[None] * 200), "200 are missing"),
    "other labels": (lambda: audit({"labels": SEX}, None, SEX, y=["a", "b"] * 100), "such as those predicted"),
    "missing labels": (lambda: audit({"labels": SEX}, None, SEX, y=[None, 1] * 100), "y: expected no missing values, got 100"),
    "nothing": (lambda: audit(R[:0], None, SEX[:0]), "at least one row, got none"),
    "fewer labels": (lambda: audit({"labels": SEX}, None, SEX, y=[0, 1]), "y: expected 200 rows, got 2"),
}  # fmt: skip


@pytest.mark.parametrize("case", BAD)
def test_bad_input(case, monkeypatch):
    def trained(*_):
        raise AssertionError("a probe was trained")

    monkeypatch.setattr("grad_ext.auditing.audit.read", trained)
    call, message = BAD[case]
    with pytest.raises(ValueError, match=message):
        call()


# --- the command -------------------------------------------------------------------------------


def test_the_command_trains_and_writes_a_table_and_a_picture(tmp_path):
    done = grad_ext("audit", "--protected", "age,sex", "--epochs", 3, "--folds", 2, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    folder = next((tmp_path / "audits").iterdir())
    assert folder.name.startswith("german-age-sex-grad-pred-")
    assert {p.name for p in folder.iterdir()} == {"audit.csv", "audit.png", "audit.svg"}
    table = pd.read_csv(folder / "audit.csv")
    assert table["attribute"].unique().tolist() == ["age", "sex", "age x sex"]
    assert table["source"].unique().tolist() == [
        "features",
        *(f"{s} (λ = {n})" for s in ("representation", "scores", "labels") for n in (0, 100)),
    ]
    assert set(table["rows"]) == {200}
    assert done.stdout.endswith(
        f"\nTable: {folder / 'audit.csv'}\nPicture: {folder / 'audit.png'}\n"
    )
    said = " ".join(done.stdout.split())
    assert "GRAD-Pred on german, λ = 100: what can be read off the test rows" in said
    assert "age (2 groups, the largest 81% of 200 rows): AUC" in said
    assert "the majority class for everybody is right for 0.700" in said


def test_the_command_audits_saved_models(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    table = load_dataset("german", ["age"])
    train = split(table).train
    model = GRADClassifier(epochs=2, random_state=0)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConstantPredictionWarning)
        model.fit(train.inputs(), train.frame["credit"], sensitive_features=train.a()[:, 0])
        algorithm = GRADInProcessing(epochs=2, random_state=0).fit(train.to_aif360())
    save(model, "mine.safetensors")
    save(algorithm, "theirs.safetensors")
    for name in ("mine", "theirs"):
        size = ("--folds", "2", "--seed", "3", "--out", name)
        assert main(["audit", f"{name}.safetensors", *size]) == 0
        printed = capsys.readouterr()
        assert printed.err == ""
        assert f"{name} on german: what can be read off the test rows" in printed.out
        assert "The labels are right for" in printed.out
    mine = pd.read_csv(tmp_path / "mine" / "audit.csv")
    test = split(table).test
    older = {"age": np.where(test.a()[:, 0] == 1, "privileged", "others")}
    own = audit(model, test.inputs(), older, folds=2, seed=3).table
    pd.testing.assert_frame_equal(mine, own, check_dtype=False)


BAD_COMMANDS = {
    "--dataset germna": "unknown data set 'germna': did you mean 'german'?",
    "--protected agee": "unknown protected attribute 'agee' of 'german': did you mean 'age'",
    "--lam=-1": "lambda must be a finite number of at least 0, got -1",
    "--epochs 0": "epochs must be",
    "--variant prod": "unknown variant 'prod'",
    "--checkpoint best": "unknown rule for the epoch to keep 'best'",
    "--rows train": "unknown choice of rows 'train'",
    "--folds 1": "folds: expected at least 2, got 1",
    "--seed=-1": "seed must not be negative",
    "none.safetensors": "none.safetensors does not exist",
    "none.safetensors --lam 3": "--lam is for training, and none.safetensors is fitted already",
    "--out file/audit": "cannot write to the folder",
    "--nothing": "No such option",
}


@pytest.mark.parametrize("arguments", BAD_COMMANDS)
def test_a_bad_command_is_one_line_and_exit_code_2(arguments, tmp_path, monkeypatch, capsys):
    (tmp_path / "file").write_text("mine")
    monkeypatch.chdir(tmp_path)
    assert main(["audit", *arguments.split()]) == 2
    printed = capsys.readouterr()
    assert printed.out == ""
    assert re.fullmatch(r"Error: [^\n]+\n", printed.err), printed.err
    assert BAD_COMMANDS[arguments] in printed.err
    assert [p.name for p in tmp_path.iterdir()] == ["file"]


def test_a_model_of_other_columns_is_refused(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    X, y, sex = made(60)
    frame = pd.DataFrame(X, columns=["duration", "b", "c"])
    refused = {
        "array": (X, "expected a model fitted on named columns of german, got one fitted on an"),
        "frame": (frame, "unknown feature 'b' of 'german'"),
    }
    for name, (rows, message) in refused.items():
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ConstantPredictionWarning)
            model = GRADClassifier(epochs=1, random_state=0).fit(rows, y, sensitive_features=sex)
        save(model, f"{name}.safetensors")
        assert main(["audit", f"{name}.safetensors"]) == 2
        assert message in capsys.readouterr().err


def test_ctrl_c_leaves_nothing_behind(tmp_path):
    command = [BIN, "audit", "--dataset", "adult", "--epochs", "500", "--out", "here"]
    process = subprocess.Popen(command, cwd=tmp_path, stderr=subprocess.PIPE, text=True)
    wait_until(lambda: (tmp_path / "here").exists() or process.poll() is not None)
    time.sleep(0.5)
    process.send_signal(signal.SIGINT)
    try:
        _, errors = process.communicate(timeout=PATIENCE)
    finally:
        process.kill()
        process.wait()
    assert process.returncode == 130
    assert errors == "Interrupted: nothing was written\n"
    assert not list((tmp_path / "here").iterdir())


class Deaf:
    """Gets an interrupt where Python drops what is raised."""

    def __del__(self):
        os.kill(os.getpid(), signal.SIGINT)
        time.sleep(0.1)


def lose_one(lost):
    with interruptible():
        Deaf()
        lost.append(True)
        time.sleep(60)


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_an_interrupt_that_was_lost_comes_again():
    lost, before = [], signal.getsignal(signal.SIGINT)
    with pytest.raises(KeyboardInterrupt):
        lose_one(lost)
    assert lost == [True]
    assert signal.getitimer(signal.ITIMER_REAL) == (0.0, 0.0)
    assert signal.getsignal(signal.SIGINT) is before
