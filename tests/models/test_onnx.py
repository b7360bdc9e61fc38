"""The exported graph, run by onnxruntime, says what the model says."""

import json
import subprocess
import sys

import numpy as np
import onnx
import onnxruntime
import pandas as pd
import pytest
from aif360.datasets import BinaryLabelDataset
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from grad_ext import GRADClassifier, GRADEncoder, GRADInProcessing, GRADRegressor
from grad_ext.errors import ConstantPredictionWarning, InputError, UnseenValuesWarning
from grad_ext.models.onnx import export_onnx

pytestmark = pytest.mark.filterwarnings(
    f"ignore::{ConstantPredictionWarning.__module__}.{ConstantPredictionWarning.__name__}"
)
SMALL = {"epochs": 3, "trunk": (8, 6), "branch": (5, 4), "lam": 1.0, "random_state": 0}
CLOSE = {"rtol": 1e-12, "atol": 1e-12}


def columns(n=150, seed=0):
    rng = np.random.default_rng(seed)
    a = rng.integers(0, 3, n)
    x = rng.normal(size=(n, 3)) * [1.0, 1e-3, 1e5] + a[:, None]
    frame = pd.DataFrame(x, columns=["x0", "x1", "höhe"])
    frame["yes"] = rng.integers(0, 2, n)
    frame["job"] = rng.choice(["clerk", "nurse", "Ärztin"], n)
    frame["size"] = pd.Series(rng.choice([1, 2, 2**40], n), dtype=object)
    frame["flag"] = pd.Series(rng.choice([True, False], n), dtype=object)
    frame["step"] = pd.Series(rng.choice([0.1, 0.2], n), dtype=object)
    return frame, x[:, 0] + a + 0.3 * rng.normal(size=n), a


FRAME, NUMBER, GROUPS = columns()
FRESH = columns(seed=1)[0]
NUMERIC = ["x0", "x1", "höhe", "yes"]
BINARY = np.digitize(NUMBER, [np.median(NUMBER)])
THREE = np.digitize(NUMBER, np.quantile(NUMBER, [0.3, 0.6]))


def fit(cls, X, y, **changes):
    return cls(**{**SMALL, **changes}).fit(X, y, sensitive_features=GROUPS)


def session(model, path):
    export_onnx(model, path)
    return onnxruntime.InferenceSession(path.read_bytes(), providers=["CPUExecutionProvider"])


def fed(frame):
    """The inputs of a model with categories: a column each."""
    kinds = {"job": object}
    return {
        name: frame[name].to_numpy(dtype=kinds.get(name, np.float64))[:, None] for name in frame
    }


def run(running, inputs):
    names = [output.name for output in running.get_outputs()]
    return dict(zip(names, running.run(names, inputs), strict=True))


LABELS = {
    "int": np.array([3, 7]),
    "uint8": np.array([0, 1], dtype=np.uint8),
    "text": np.array(["nein", "jä"]),
    "object": np.array(["nein", "jä"], dtype=object),
    "bool": np.array([False, True]),
    "float": np.array([1.0, 2.0]),
}


@pytest.mark.parametrize("kind", LABELS)
def test_labels_are_those_of_the_classifier(kind, tmp_path):
    X = FRAME[NUMERIC].to_numpy()
    model = fit(GRADClassifier, X, LABELS[kind][BINARY])
    rows = FRESH[NUMERIC].to_numpy()
    out = run(session(model, tmp_path / "model.onnx"), {"X": rows})
    assert set(out) == {"probabilities", "label"}
    np.testing.assert_allclose(out["probabilities"], model.predict_proba(rows), **CLOSE)
    np.testing.assert_array_equal(out["label"], model.predict(rows))
    assert len(np.unique(out["label"])) == 2
    assert out["label"].dtype.kind == {"uint8": "i", "text": "O"}.get(
        kind, model.predict(rows).dtype.kind
    )


@pytest.mark.parametrize("y", [BINARY, THREE], ids=["binary", "three"])
@pytest.mark.parametrize("changes", [{}, {"branch": ()}, {"lam": 0}], ids=str)
def test_categories_are_encoded_in_the_graph(y, changes, tmp_path):
    model = fit(GRADClassifier, FRAME, y, **changes)
    out = run(session(model, tmp_path / "model.onnx"), fed(FRESH))
    expected = model.predict_proba(FRESH)
    assert expected.std(axis=0).min() > 1e-3
    np.testing.assert_allclose(out["probabilities"], expected, **CLOSE)
    np.testing.assert_array_equal(out["label"], model.predict(FRESH))


@pytest.mark.parametrize("columns", [NUMERIC, list(FRAME)], ids=["numbers", "mixed"])
def test_quantile_bins_are_in_the_graph(columns, tmp_path):
    X, rows = (frame[columns].round({"x1": 0}) for frame in (FRAME, FRESH))
    rows.loc[0, "x0"], rows.loc[1, "x0"] = -1e9, 1e9
    model = fit(GRADClassifier, X, THREE, recipe="steady")
    widths = [part.width for part in model.model_.encoder.parts_[:4]]
    assert min(widths[:3]) > 10
    assert widths[3] == 1  # the column of 0 and 1
    common = model.model_.encoder.parts_[1].common
    assert len(common) > 1
    assert rows["x1"].isin(common).any()
    inputs = {"X": rows.to_numpy()} if columns == NUMERIC else fed(rows)
    out = run(session(model, tmp_path / "model.onnx"), inputs)
    np.testing.assert_allclose(out["probabilities"], model.predict_proba(rows), **CLOSE)
    encoder = fit(GRADEncoder, X, None, recipe="steady")
    out = run(session(encoder, tmp_path / "encoder.onnx"), inputs)
    np.testing.assert_allclose(out["representation"], encoder.transform(rows), **CLOSE)


def test_an_unseen_level_becomes_zeros_as_in_the_model(tmp_path):
    model = fit(GRADClassifier, FRAME, BINARY)
    strange = FRESH.assign(job="pilot")
    out = run(session(model, tmp_path / "model.onnx"), fed(strange))
    with pytest.warns(UnseenValuesWarning, match="'job'.*every row"):
        expected = model.predict_proba(strange)
    np.testing.assert_allclose(out["probabilities"], expected, **CLOSE)
    assert not np.allclose(out["probabilities"], model.predict_proba(FRESH), atol=1e-6)


def test_a_regressor_predicts_in_the_targets_units(tmp_path):
    model = fit(GRADRegressor, FRAME, 1e4 + 300 * NUMBER)
    out = run(session(model, tmp_path / "model.onnx"), fed(FRESH))
    assert list(out) == ["prediction"]
    expected = model.predict(FRESH)
    assert expected.shape == out["prediction"].shape
    assert expected.min() > 5e3
    np.testing.assert_allclose(out["prediction"], expected, rtol=1e-12)


@pytest.mark.parametrize("y", [None, BINARY, THREE], ids=["no labels", "binary", "three"])
def test_an_encoder_gives_the_representation(y, tmp_path):
    model = fit(GRADEncoder, FRAME, y)
    out = run(session(model, tmp_path / "model.onnx"), fed(FRESH))
    assert list(out) == ["representation"]
    expected = model.transform(FRESH)
    assert expected.any()
    np.testing.assert_allclose(out["representation"], expected, **CLOSE)


@pytest.mark.parametrize("variant", ["pred", "auto"])
def test_the_aif360_transformer(variant, tmp_path):
    rng = np.random.default_rng(0)
    a = rng.integers(0, 2, 150)
    frame = pd.DataFrame({"x0": rng.normal(size=150) + a, "x1": rng.normal(size=150), "a": a})
    frame["y"] = np.where(frame["x0"] > 0.5, 1.0, 2.0)
    rows = BinaryLabelDataset(
        df=frame, label_names=["y"], protected_attribute_names=["a"], favorable_label=1.0,
        unfavorable_label=2.0,
    )  # fmt: skip
    model = GRADInProcessing(variant=variant, **SMALL).fit(rows)
    out = run(session(model, tmp_path / "model.onnx"), {"X": frame[["x0", "x1"]].to_numpy()})
    predicted = model.predict(rows)
    np.testing.assert_allclose(out["probabilities"][:, 1:], predicted.scores, **CLOSE)
    np.testing.assert_allclose(out["probabilities"].sum(axis=1), 1.0, **CLOSE)
    np.testing.assert_array_equal(np.where(out["label"] == 1, 1.0, 2.0), predicted.labels[:, 0])
    if variant == "auto":
        np.testing.assert_allclose(out["representation"], model.transform(rows).features, **CLOSE)
    else:
        assert "representation" not in out


@pytest.fixture(scope="module")
def numeric(tmp_path_factory):
    """A model of three classes on three numbers, and its session."""
    model = fit(GRADClassifier, FRAME[["x0", "x1", "höhe"]].to_numpy(), THREE)
    return model, session(model, tmp_path_factory.mktemp("onnx") / "model.onnx")


@given(st.lists(st.tuples(*[st.floats(-1e6, 1e6)] * 3), min_size=1, max_size=20))
@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.differing_executors])
def test_any_rows_agree(numeric, rows):
    model, running = numeric
    X = np.array(rows)
    out = run(running, {"X": X})
    np.testing.assert_allclose(out["probabilities"], model.predict_proba(X), rtol=0, atol=1e-12)


@pytest.mark.parametrize("y", [BINARY, THREE], ids=["binary", "three"])
def test_a_tie_goes_to_the_models_label(y, tmp_path):
    X = FRAME[NUMERIC].to_numpy()
    model = fit(GRADClassifier, X, y)
    state = model.model_.fitted.network.state()
    state["target.head.weight"].zero_()
    state["target.head.bias"].zero_()
    out = run(session(model, tmp_path / "model.onnx"), {"X": X})
    assert np.ptp(out["probabilities"]) == 0
    np.testing.assert_array_equal(out["label"], model.predict(X))


def test_a_row_alone_and_no_row(numeric):
    model, running = numeric
    one = FRESH[["x0", "x1", "höhe"]].to_numpy()[:1]
    np.testing.assert_allclose(
        run(running, {"X": one})["probabilities"], model.predict_proba(one), **CLOSE
    )
    assert run(running, {"X": one[:0]})["label"].shape == (0,)


def test_the_file_says_what_it_takes(tmp_path):
    model = fit(GRADClassifier, FRAME[NUMERIC], BINARY)
    running = session(model, tmp_path / "model.onnx")
    assert [(i.name, i.type, i.shape) for i in running.get_inputs()] == [
        ("X", "tensor(double)", ["N", 4])
    ]
    graph = onnx.load(tmp_path / "model.onnx")
    onnx.checker.check_model(graph, full_check=True)
    assert json.loads(running.get_modelmeta().custom_metadata_map["columns"]) == NUMERIC
    assert graph.producer_name == "grad-ext"
    assert {(o.domain, o.version) for o in graph.opset_import} == {("", 19)}
    running = session(fit(GRADClassifier, FRAME, BINARY), tmp_path / "model.onnx")
    kinds = {i.name: (i.type, i.shape) for i in running.get_inputs()}
    assert list(kinds) == list(FRAME)
    assert kinds["höhe"] == ("tensor(double)", ["N", 1])
    assert [kinds[name][0] for name in ("job", "size", "flag", "step")] == [
        "tensor(string)", "tensor(double)", "tensor(double)", "tensor(double)",
    ]  # fmt: skip
    assert [p.name for p in tmp_path.iterdir()] == ["model.onnx"]


@pytest.mark.parametrize(
    ("columns", "message"),
    [
        ({"job": FRAME["job"], "label": NUMBER}, "columns name the inputs.*got 'label'"),
        ({"job": FRAME["job"], "": NUMBER}, "are not empty.*got ''"),
        ({"job": FRAME["job"], "\ud800": NUMBER}, "a column's name: .*UTF-8"),
    ],
)
def test_columns_that_onnx_cannot_hold_are_refused(columns, message, tmp_path):
    model = fit(GRADRegressor, pd.DataFrame({"x0": NUMBER, **columns}), NUMBER)
    with pytest.raises(InputError, match=message):
        export_onnx(model, tmp_path / "model.onnx")
    assert not list(tmp_path.iterdir())


def test_names_of_inputs_and_inner_values_never_meet(tmp_path):
    frame = FRAME.rename(columns={"x0": "constant_12", "x1": "gemm_20", "yes": "relu_21"})
    first = session(fit(GRADRegressor, frame, NUMBER), tmp_path / "model.onnx")
    inner = [node.name for node in onnx.load(tmp_path / "model.onnx").graph.node[:2]]
    frame = FRAME.rename(columns=dict(zip(["x0", "x1"], inner, strict=True)))
    second = session(fit(GRADRegressor, frame, NUMBER), tmp_path / "model.onnx")
    fresh = fed(FRESH)
    inputs = dict(zip(frame, fresh.values(), strict=True))
    renamed = dict(zip([i.name for i in first.get_inputs()], fresh.values(), strict=True))
    np.testing.assert_allclose(
        run(second, inputs)["prediction"], run(first, renamed)["prediction"], rtol=1e-12
    )


def test_labels_that_onnx_cannot_hold_are_refused(tmp_path):
    X = FRAME[NUMERIC].to_numpy()
    large = np.array([1, 2**64 - 1], dtype=np.uint64)
    with pytest.raises(InputError, match="the labels: expected whole numbers of 64 bits"):
        export_onnx(fit(GRADClassifier, X, large[BINARY]), tmp_path / "model.onnx")
    names = np.array(["\ud800", "b"])
    with pytest.raises(InputError, match="the labels: expected text that UTF-8 can write"):
        export_onnx(fit(GRADClassifier, X, names[BINARY]), tmp_path / "model.onnx")
    mixed = np.array([1, "b"], dtype=object)
    model = fit(GRADClassifier, X, BINARY)
    model.classes_ = mixed
    with pytest.raises(InputError, match=r"the labels: ONNX holds text.*got int and str"):
        export_onnx(model, tmp_path / "model.onnx")
    assert not list(tmp_path.iterdir())


def test_what_is_not_a_fitted_model_is_refused(tmp_path):
    with pytest.raises(InputError, match="not fitted"):
        export_onnx(GRADClassifier(), tmp_path / "model.onnx")
    with pytest.raises(InputError, match="got dict"):
        export_onnx({}, tmp_path / "model.onnx")
    model = fit(GRADRegressor, FRAME, NUMBER)
    with pytest.raises(InputError, match="got the folder"):
        export_onnx(model, tmp_path)
    with pytest.raises(InputError, match="cannot write"):
        export_onnx(model, tmp_path / "nowhere" / "model.onnx")


def test_without_onnx_the_extra_is_named():
    code = "import sys; sys.modules['onnx'] = None; import grad_ext.models.onnx"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert "MissingToolkit: onnx is not installed; pip install 'grad-ext[onnx]'" in done.stderr
