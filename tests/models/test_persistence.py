"""A loaded model equals the saved one, and every other file is refused, whatever its content."""

import copy
import hashlib
import json
import pickle
import re
import stat
import sys
import tracemalloc
from collections import OrderedDict
from dataclasses import replace
from decimal import Decimal
from pathlib import Path

import joblib
import numpy as np
import pandas as pd
import pytest
from aif360.datasets import BinaryLabelDataset
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from safetensors import safe_open
from safetensors.numpy import load as from_bytes
from safetensors.numpy import save as to_bytes
from sklearn.base import clone

from grad_ext import GRADClassifier, GRADEncoder, GRADInProcessing, GRADRegressor, codec
from grad_ext.errors import ConstantPredictionWarning, InputError
from grad_ext.models import persistence
from grad_ext.models.persistence import load, save
from grad_ext.training.checkpoint import balanced_delta
from grad_ext.training.settings import Settings

pytestmark = pytest.mark.filterwarnings(
    f"ignore::{ConstantPredictionWarning.__module__}.{ConstantPredictionWarning.__name__}"
)
SMALL = {"epochs": 2, "trunk": (6, 5), "branch": (4,), "lam": 1.0, "random_state": 0}


def columns(n=120, seed=0):
    """Numbers and categories, a label they give away, and a protected attribute."""
    rng = np.random.default_rng(seed)
    a = rng.integers(0, 3, n)
    x = rng.normal(size=(n, 3)) * [1.0, 1e-3, 1e5] + a[:, None]
    frame = pd.DataFrame(x, columns=["x0", "x1", "höhe"])
    frame["job"] = rng.choice(["clerk", "nurse", "Ärztin"], n)
    frame["size"] = pd.Series(rng.choice([1, 2, 2**40], n), dtype=object)
    frame["flag"] = pd.Series(rng.choice([True, False], n), dtype=object)
    return frame, x[:, 0] + a + 0.3 * rng.normal(size=n), a


FRAME, NUMBER, GROUPS = columns()
BINARY = np.digitize(NUMBER, [np.median(NUMBER)])
ARRAY = FRAME[["x0", "x1", "höhe"]].to_numpy()
THREE = np.digitize(NUMBER, np.quantile(NUMBER, [0.3, 0.6]))


def dataset(seed=0):
    rng = np.random.default_rng(seed)
    a = rng.integers(0, 2, 120)
    frame = pd.DataFrame({"x0": rng.normal(size=120) + a, "x1": rng.normal(size=120), "a": a})
    frame["y"] = (frame["x0"] + 0.3 * rng.normal(size=120) > 0.5).astype(float)
    return BinaryLabelDataset(df=frame, label_names=["y"], protected_attribute_names=["a"])


MODELS = {
    "numbers": lambda: GRADClassifier(**SMALL).fit(ARRAY, BINARY, sensitive_features=GROUPS),
    "categories": lambda: GRADClassifier(**SMALL).fit(
        FRAME, np.array(["no", "yes"])[BINARY], sensitive_features=pd.Series(GROUPS, name="γ group")
    ),
    "three classes": lambda: GRADClassifier(**SMALL).fit(
        FRAME, np.array(["a", "b", "c"], dtype=object)[THREE], sensitive_features=GROUPS
    ),
    "by attribute": lambda: GRADClassifier(
        **{**SMALL, "lam": {"g": 0.5, "z": 2.0}, "trunk": [5], "branch": np.array([3, 3])},
        class_weight={0: 1.0, 1: np.float32(2.5)}, continuous=["z"],
    ).fit(ARRAY, BINARY, sensitive_features={"g": GROUPS, "z": NUMBER}),
    "no branch layers": lambda: GRADClassifier(**{**SMALL, "branch": ()}).fit(
        ARRAY, BINARY.astype(bool), sensitive_features=GROUPS
    ),
    "plain network": lambda: GRADClassifier(**{**SMALL, "lam": 0}).fit(
        ARRAY, BINARY.astype(np.float32), sensitive_features=GROUPS
    ),
    "regressor": lambda: GRADRegressor(**SMALL).fit(FRAME, NUMBER, sensitive_features=GROUPS),
    "encoder": lambda: GRADEncoder(**SMALL).fit(FRAME, sensitive_features=GROUPS),
    "encoder with labels": lambda: GRADEncoder(**SMALL).fit(
        FRAME, BINARY, sensitive_features=GROUPS
    ),
    "encoder with three labels": lambda: GRADEncoder(**SMALL).fit(
        FRAME, THREE, sensitive_features=GROUPS
    ),
    "steady": lambda: GRADClassifier(**SMALL, recipe="steady", saturation=(30, 5.0)).fit(
        FRAME, BINARY, sensitive_features=GROUPS
    ),
    "equalized odds": lambda: GRADClassifier(
        **SMALL, recipe="steady", constraint="equalized_odds"
    ).fit(FRAME, THREE, sensitive_features=GROUPS),
    "equalized odds, encoder": lambda: GRADEncoder(**SMALL, constraint="equalized_odds").fit(
        FRAME, BINARY, sensitive_features=GROUPS
    ),
    "aif360 equal opportunity": lambda: GRADInProcessing(
        constraint="equal_opportunity", **SMALL
    ).fit(dataset()),
    "steady encoder": lambda: GRADEncoder(**SMALL, recipe="steady").fit(
        ARRAY, sensitive_features=GROUPS
    ),
    "quantile encoding": lambda: GRADRegressor(**SMALL, encoding="quantile").fit(
        ARRAY.round(), NUMBER, sensitive_features=GROUPS
    ),
    "aif360 steady": lambda: GRADInProcessing(recipe="steady", **SMALL).fit(dataset()),
    "aif360": lambda: GRADInProcessing(protected=["a"], **SMALL).fit(dataset()),
    "aif360 auto": lambda: GRADInProcessing(variant="auto", **SMALL).fit(dataset()),
}  # fmt: skip


@pytest.fixture(scope="module")
def fitted():
    """Every model, fitted once."""
    models = {}

    def get(name):
        if name not in models:
            models[name] = MODELS[name]()
        return models[name]

    return get


def predictions(model):
    """All predictions of a model for rows that it was not fitted on, by method."""
    if isinstance(model, GRADInProcessing):
        rows = dataset(seed=1)
        predicted = model.predict(rows)
        out = {"scores": predicted.scores, "labels": predicted.labels}
        if model.settings.variant == "auto":
            out["transform"] = model.transform(rows).features
        return out
    frame, _, _ = columns(seed=1)
    X = frame if model.n_features_in_ == 6 else frame[["x0", "x1", "höhe"]].to_numpy()
    names = ("predict_proba", "predict", "decision_function", "transform")
    return {name: getattr(model, name)(X) for name in names if hasattr(model, name)}


def typed(value):
    """A value with the types of all its parts, so that 1, 1.0, True and np.int64(1) differ."""
    if isinstance(value, dict):
        return dict, [(typed(k), typed(v)) for k, v in value.items()]
    if isinstance(value, (list, tuple)):
        return type(value), [typed(v) for v in value]
    if isinstance(value, np.ndarray):
        return value.dtype.str, value.shape, [typed(v) for v in value.ravel().tolist()]
    return type(value), repr(value)


def same(one, other):
    assert type(one) is type(other)
    mine, theirs = predictions(one), predictions(other)
    assert mine
    for name, values in mine.items():
        assert values.dtype == theirs[name].dtype
        np.testing.assert_array_equal(values, theirs[name], err_msg=name, strict=True)
    for name in set(vars(one)) | set(vars(other)):
        if name not in ("model_", "history_", "settings"):
            assert typed(vars(one)[name]) == typed(vars(other)[name]), name
    a, b = one.model_.fitted, other.model_.fitted
    for field, values in vars(a.history).items():
        np.testing.assert_array_equal(values, getattr(b.history, field), strict=True)
    np.testing.assert_array_equal(a.epochs, b.epochs, strict=True)
    assert (a.location, a.scale, a.network.shape) == (b.location, b.scale, b.network.shape)
    assert typed([vars(p) for p in one.model_.encoder.parts_]) == typed(
        [vars(p) for p in other.model_.encoder.parts_]
    )
    for name, tensor in a.network.state().items():
        assert tensor.equal(b.network.state()[name]), name


@pytest.mark.parametrize("name", MODELS)
def test_a_loaded_model_is_the_saved_one(name, fitted, tmp_path):
    model, path = fitted(name), tmp_path / "model.safetensors"
    save(model, path)
    again = load(str(path))
    same(model, again)
    if hasattr(model, "get_params"):
        assert typed(model.get_params()) == typed(again.get_params())
        assert again.history_ is again.model_.fitted.history
    else:
        assert model.settings == again.settings
        assert model._params == again._params
    assert [p.name for p in tmp_path.iterdir()] == ["model.safetensors"]
    save(again, tmp_path / "again.safetensors")
    assert (tmp_path / "again.safetensors").read_bytes() == path.read_bytes()


@pytest.mark.parametrize("name", [name for name in MODELS if "aif360" not in name])
def test_pickle_joblib_deepcopy_and_clone(name, fitted, tmp_path):
    model = fitted(name)
    joblib.dump(model, tmp_path / "model.joblib")
    same(model, joblib.load(tmp_path / "model.joblib"))
    same(model, joblib.load(tmp_path / "model.joblib", mmap_mode="r"))
    same(model, copy.deepcopy(model))
    pickled = pickle.dumps(model)
    again = pickle.loads(pickled)
    same(model, again)
    # One buffer behind all parameters, in the pickle and after it.
    network = again.model_.fitted.network
    assert len(pickled) < 8 * network.flat.numel() + 50_000
    flat = network.flat.untyped_storage().data_ptr()
    assert {p.untyped_storage().data_ptr() for p in network.parameters.values()} == {flat}
    fresh = clone(model)
    assert not hasattr(fresh, "model_")
    assert typed(fresh.get_params()) == typed(model.get_params())


def test_a_loaded_model_is_fitted_again_as_the_saved_one(fitted, tmp_path):
    model = fitted("numbers")
    save(model, tmp_path / "model")
    again = clone(load(tmp_path / "model")).fit(ARRAY, BINARY, sensitive_features=GROUPS)
    same(model, again)


def test_the_file_is_an_ordinary_safetensors_file(fitted, tmp_path):
    model, path = fitted("encoder with labels"), tmp_path / "model.safetensors"
    save(model, path)
    with safe_open(path, framework="np") as file:
        signed = json.loads(file.metadata()["grad-ext"])
        assert signed["model"]["estimator"] == "GRADEncoder"
        weight = file.get_tensor("network.trunk.0.weight")
    state = model.model_.fitted.network.state()
    np.testing.assert_array_equal(weight, state["trunk.0.weight"].numpy(), strict=True)
    assert stat.S_IMODE(path.stat().st_mode) & 0o111 == 0


# --- types that JSON lacks -------------------------------------------------------------------

SCALARS = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-(2**70), 2**70),
    st.floats(),
    st.text(),
    st.text().map(np.str_),
    st.booleans().map(np.bool_),
    st.integers(-128, 127).map(np.int8),
    st.integers(0, 2**64 - 1).map(np.uint64),
    st.floats(width=16).map(np.float16),
    st.floats(width=32).map(np.float32),
    st.floats().map(np.float64),
)
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.one_of(
        st.lists(inner, max_size=3),
        st.lists(inner, max_size=3).map(tuple),
        st.dictionaries(st.one_of(st.text(max_size=3), st.integers()), inner, max_size=3),
    ),
    max_leaves=6,
)


@given(VALUES)
@settings(max_examples=200, deadline=None)
def test_values_keep_their_types_through_json(value):
    text = json.dumps(codec.value_to_json(value, "x"), allow_nan=False)
    assert typed(codec.value_from_json(persistence._parsed(f'{{"x":{text}}}')["x"], "x")) == typed(
        value
    )


@pytest.mark.parametrize(
    "values",
    [
        np.array([0, 1], dtype=np.uint8),
        np.array([-1, 2**40]),
        np.array([0.0, np.pi, np.inf]),
        np.array([0.5, 2.5], dtype=">f4"),
        np.array([False, True]),
        np.array(["a", "β"], dtype="<U7"),
        np.array(["a", 1, 2.5, None, True, np.int8(3)], dtype=object),
    ],
    ids=lambda values: values.dtype.str,
)
def test_arrays_keep_their_dtype(values):
    text = json.dumps(codec.value_to_json(values, "classes_"), allow_nan=False)
    again = codec.value_from_json(json.loads(text), "classes_")
    np.testing.assert_array_equal(again, values, strict=True)
    assert [type(v) for v in again] == [type(v) for v in values]
    assert again.dtype.str == values.dtype.str


@pytest.mark.parametrize(
    ("value", "message"),
    [
        (("a", 1), "got tuple"),
        (pd.Timestamp("2020-01-01"), "got Timestamp"),
        (np.datetime64("2020-01-01"), "got datetime64"),
        (np.longdouble(1), "got longdouble"),
        (b"a", "got bytes"),
        (2**2000, "got int"),
    ],
)
def test_a_level_of_another_type_is_refused_by_name(value, message):
    with pytest.raises(InputError, match=f"the level cannot be saved: expected str.*{message}"):
        codec.scalar_to_json(value, "the level")


def test_levels_and_columns_of_other_types_are_refused_before_writing(tmp_path):
    exact = pd.Series([Decimal("0.1"), Decimal("0.2")] * 60)
    model = GRADRegressor(**SMALL).fit(ARRAY, NUMBER, sensitive_features={"price": exact})
    with pytest.raises(InputError, match=r"attribute 'price': levels cannot .*Decimal"):
        save(model, tmp_path / "model")
    two = pd.DataFrame({("x", 0): FRAME["x0"], ("x", 1): FRAME["job"]})
    two.columns = two.columns.to_flat_index()
    model = GRADRegressor(**SMALL).fit(two, NUMBER, sensitive_features=GROUPS)
    with pytest.raises(InputError, match=r"column \('x', 0\): column cannot be saved.*tuple"):
        save(model, tmp_path / "model")
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"checkpoint": balanced_delta}, r"^checkpoint cannot be saved.*function.*'accuracy@0.05'"),
        ({"random_state": np.random.default_rng(0)}, r"^random_state .*Generator.*an integer"),
        ({"continuous": {"a"}}, r"^continuous cannot be saved: expected str.*set"),
        ({"trunk": np.array([[5]])}, r"^trunk cannot be saved: expected one axis.*\(1, 1\)"),
    ],
)
def test_parameters_that_cannot_be_saved_are_named_before_writing(
    changed, message, fitted, tmp_path
):
    model = copy.deepcopy(fitted("numbers")).set_params(**changed)
    with pytest.raises(InputError, match=message):
        save(model, tmp_path / "model")
    assert not list(tmp_path.iterdir())


def test_callables_of_the_aif360_transformer_are_refused(tmp_path):
    model = GRADInProcessing(**SMALL, checkpoint=balanced_delta).fit(dataset())
    with pytest.raises(InputError, match=r"^checkpoint cannot be saved"):
        save(model, tmp_path / "model")


def test_a_file_without_the_newer_parameters_has_its_recipes(saved):
    content, path = saved
    newer = (
        "constraint",
        "encoding",
        "dropout",
        "saturation",
        "beta1",
        "final_lr_fraction",
        "balance_groups",
        "score_penalty",
    )

    def older(document):
        for name in newer:
            document["parameters"].pop(name)
        document["network"].pop("heads")

    path.write_bytes(resigned(content, older))
    model = load(path)
    assert model.constraint == "demographic_parity"
    assert all(getattr(model, name) is None for name in newer[1:])
    assert model._settings() == Settings(recipe=model.recipe, epochs=2, trunk=(6, 5), branch=(4,))


# --- what save refuses -----------------------------------------------------------------------


class Derived(GRADClassifier):
    """A class of the user's, of which a file could not tell the methods."""


class Namesake(GRADClassifier):
    """Another, of the same name."""


Namesake.__name__ = Namesake.__qualname__ = "GRADClassifier"


def test_only_fitted_models_of_known_classes_are_saved(tmp_path):
    for model in (GRADClassifier(), GRADEncoder(), GRADRegressor(), GRADInProcessing()):
        with pytest.raises(InputError, match=f"fitted {type(model).__name__}.*not fitted"):
            save(model, tmp_path / "model")
    derived = [cls(**SMALL) for cls in (Derived, Namesake)]
    for thing in (3, *(m.fit(ARRAY, BINARY, sensitive_features=GROUPS) for m in derived)):
        with pytest.raises(InputError, match=r"expected one of GRADClassifier.*, got \S+$"):
            save(thing, tmp_path / "model")
    assert not list(tmp_path.iterdir())


def test_a_trunk_of_the_users_code_is_refused(fitted, tmp_path):
    model = copy.deepcopy(fitted("numbers"))
    network = model.model_.fitted.network
    network.shape = replace(network.shape, module=True)
    with pytest.raises(InputError, match="expected a trunk of layers, got a module"):
        save(model, tmp_path / "model")


def test_paths_that_cannot_be_written(fitted, tmp_path):
    with pytest.raises(InputError, match="expected a file to write, got the folder"):
        save(fitted("numbers"), tmp_path)
    with pytest.raises(InputError, match=r"cannot write .*No such file or directory"):
        save(fitted("numbers"), tmp_path / "nowhere" / "model")


def test_a_failing_write_leaves_the_old_file(fitted, tmp_path, monkeypatch):
    path = tmp_path / "model"
    save(fitted("numbers"), path)
    before = path.read_bytes()

    def full(_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("grad_ext.files.os.fsync", full)
    with pytest.raises(InputError, match="No space left"):
        save(fitted("regressor"), path)
    assert path.read_bytes() == before
    assert [p.name for p in tmp_path.iterdir()] == ["model"]


# --- what load refuses -----------------------------------------------------------------------


@pytest.fixture(scope="module")
def saved(fitted, tmp_path_factory):
    """The bytes of a small file, and a place to write others to."""
    path = tmp_path_factory.mktemp("saved") / "model"
    save(fitted("categories"), path)
    return path.read_bytes(), path.with_name("other")


def test_missing_files_and_folders(tmp_path):
    with pytest.raises(InputError, match="nothing does not exist"):
        load(tmp_path / "nothing")
    with pytest.raises(InputError, match="expected a file"):
        load(tmp_path)


def with_text(text):
    return to_bytes({"a": np.zeros(3)}, {"grad-ext": text})


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "expected a safetensors file"),
        (b"PK\x03\x04 what torch.save writes", "expected a safetensors file"),
        (pickle.dumps({"a": 1}), "expected a safetensors file"),
        ((2).to_bytes(8, "little") + b"{}", "saved by grad-ext, got no 'grad-ext'"),
        (to_bytes({"a": np.zeros(3)}), "saved by grad-ext, got no 'grad-ext'"),
        (with_text("[]"), "expected a JSON object"),
        (with_text("[" * 99_999), "endless nesting"),
        (with_text('{"format":1}'), "unknown entry .*'format'"),
        (with_text('{"sha256":1,"model":{}}'), "sha256: expected str, got 1"),
        (with_text('{"sha256":"","model":{"format":1}}'), "damaged"),
        (with_text('{"sha256":"","model":{"format":true}}'), "format: expected int"),
        (with_text('{"sha256":"","model":{"format":0}}'), "expected 1, got 0"),
    ],
)
def test_other_files(content, message, tmp_path):
    path = tmp_path / "model"
    path.write_bytes(content)
    with pytest.raises(InputError, match=re.escape(str(path)) + ".*" + message):
        load(path)


def refused_or_harmless(content, path):
    """Assert that changed bytes at the path are refused, or are a file of the same model."""
    try:
        model = load(path)
    except InputError:
        return
    save(model, path)
    assert path.read_bytes() == content


@given(st.data())
@settings(
    max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
def test_a_flipped_bit_is_refused_or_harmless(saved, data):
    content, path = saved
    header = 8 + int.from_bytes(content[:8], "little")
    lower, upper = data.draw(st.sampled_from([(0, 8), (8, header), (header, len(content))]))
    at = data.draw(st.integers(lower, upper - 1))
    flipped = bytearray(content)
    flipped[at] ^= data.draw(st.integers(1, 255))
    path.write_bytes(flipped)
    refused_or_harmless(content, path)


@given(st.data())
@settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
def test_a_cut_or_longer_file_is_refused_or_harmless(saved, data):
    content, path = saved
    start = data.draw(st.integers(0, len(content)))
    stop = data.draw(st.integers(start, len(content)))
    more = data.draw(st.binary(max_size=20))
    changed = content[:start] + more + content[stop:]
    if changed == content:
        changed += b"\0"
    path.write_bytes(changed)
    refused_or_harmless(content, path)


def test_every_byte_of_the_tensors_ends_counts(saved):
    content, path = saved
    header = 8 + int.from_bytes(content[:8], "little")
    for at in [*range(16), *range(header, header + 16), *range(len(content) - 16, len(content))]:
        flipped = bytearray(content)
        flipped[at] ^= 1
        path.write_bytes(flipped)
        with pytest.raises(InputError):
            load(path)


# --- hostile files: the digest is right, the content is not ----------------------------------


def signed_of(content):
    size = int.from_bytes(content[:8], "little")
    return json.loads(json.loads(content[8 : 8 + size])["__metadata__"]["grad-ext"])


def resigned(content, change=None, tensors=None):
    """A file with another document or other tensors, signed as an attacker would."""
    document = signed_of(content)["model"]
    if change:
        document = change(document) or document
    arrays = dict(from_bytes(content))
    if tensors:
        tensors(arrays)
    sha256 = persistence.digest(
        document,
        {
            name: {"dtype": DTYPES[array.dtype.name], "shape": array.shape, "data": array.tobytes()}
            for name, array in arrays.items()
        },
    )
    text = json.dumps({"sha256": sha256, "model": document}, separators=(",", ":"))
    return to_bytes(arrays, {"grad-ext": text})


DTYPES = {"float64": "F64", "float32": "F32"}


def test_resigning_alone_changes_nothing(saved):
    content, _ = saved
    assert resigned(content) == content


def test_the_digest_is_what_the_page_says(saved):
    content, _ = saved
    signed, arrays = signed_of(content), from_bytes(content)
    names = sorted(arrays)
    described = [[name, "F64", list(arrays[name].shape)] for name in names]
    text = json.dumps([signed["model"], described], separators=(",", ":"))
    data = b"".join(arrays[name].tobytes() for name in names)
    assert hashlib.sha256(text.encode() + data).hexdigest() == signed["sha256"]


def put(*path, value):
    def change(document):
        place = document
        for key in path[:-1]:
            place = place[key]
        place[path[-1]] = value

    return change


HUGE = 10**12
BIN = {"start": 0.0, "stop": 1.0, "mean": 0.5, "scale": 0.5}
HOSTILE = {
    "newer": (put("format", value=2), "newer grad-ext.*expected format 1, got 2"),
    "class": (put("estimator", value="Popen"), "unknown class 'Popen'"),
    "module": (put("estimator", value="os.system"), "unknown class"),
    "no class": (put("estimator", value=None), "estimator: expected str, got None"),
    "parameter": (put("parameters", "shell", value=True), "parameters are not those of GRADCl"),
    "learned": (put("learned", "predict", value=1), "unknown entry .*'predict'"),
    "names": (
        put("learned", "feature_names_in_", value={"array": "|O", "values": ["x"]}),
        "expected 6 names, got",
    ),
    "list of names": (put("learned", "feature_names_in_", value=["x"]), "names_in_: expected an array"),
    "columns": (put("learned", "n_features_in_", value=7), "expected 7 columns, got 6"),
    "classes": (put("learned", "classes_", value=[1, 2]), "classes_: expected an array"),
    "class count": (
        put("learned", "classes_", value={"array": "<i8", "values": [0, 1, 2]}),
        "is not one of this GRADClassifier",
    ),
    "wide labels": (
        put("learned", "classes_", value={"array": "<U999999999", "values": ["a", "b"]}),
        "classes_: expected a type of numbers, text or objects, got '<U999999999'",
    ),
    "labels": (
        put("learned", "classes_", value={"array": "<i8", "values": [0, 2**99]}),
        "expected values of '<i8'",
    ),
    "dtype": (
        put("learned", "classes_", value={"array": "<i8,O", "values": [0, 1]}),
        "expected a type of numbers",
    ),
    "attributes": (put("learned", "attributes_", value=[]), "are not those of attributes_"),
    "attribute": (put("learned", "attributes_", value=[3]), "attributes_: expected an object, got 3"),
    "group": (put("learned", "attributes_", 0, "levels", value=[[1]]), r"levels: expected.*\[1\]"),
    "units": (put("network", "trunk", value=[HUGE, 5]), r"expected F64 of shape"),
    "features": (put("network", "features", value=HUGE), "takes 1000000000000 features"),
    "deep": (put("network", "trunk", value=[1] * 5000), "missing.*'network.trunk.10"),
    "no trunk": (put("network", "trunk", value=[]), "at least one layer"),
    "negative": (put("network", "branch", value=[-4]), "at least one unit"),
    "bool": (put("network", "branch", value=[True]), "branch: expected int, got True"),
    "outputs": (put("network", "target", "outputs", value=HUGE), "binary branch cannot have 10000"),
    "no outputs": (put("network", "attributes", 0, "outputs", value=0), "cannot have 0 outputs"),
    "heads": (put("network", "heads", value=3), "at most one for each of 2 labels, got 3"),
    "no heads": (put("network", "heads", value=0), "heads: expected at least 1"),
    "more heads": (put("network", "heads", value=2), r"attribute.0.head.*expected F64 of shape \(1, 6"),
    "kind": (put("network", "target", "kind", value="exec"), "unknown kind of branch 'exec'"),
    "target": (put("network", "target", "kind", value="continuous"), "is not one of this"),
    "branches": (
        lambda d: put("network", "attributes", value=d["network"]["attributes"] * 2)(d),
        "expected names that differ",
    ),
    "levels": (put("encoder", 3, "levels", value=list("abcdefgh")), "the columns give 67"),
    "part": (put("encoder", 3, "type", value="eval"), "unknown type of .*'eval'"),
    "mean": (put("encoder", 0, "mean", value="1"), "mean: expected a finite number, got '1'"),
    "no mean": (put("encoder", 0, "mean", value=None), "column 'x0': expected finite numbers"),
    "location": (put("location", value=None), "location must be a number, got nan"),
    "scale": (put("scale", value=0.0), "scale must be a number above 0, got 0.0"),
    "not finite": (put("encoder", 0, "scale", value=float("inf")), "expected JSON"),
    "overflowing": (put("encoder", 0, "column", value={"numpy": "int8", "value": 300}), "of int8"),
    "text for a number": (
        put("encoder", 0, "column", value={"numpy": "int8", "value": "3"}), "column: expected a .*int8"
    ),
    "type": (put("encoder", 0, "column", value={"numpy": "object_", "value": 3}), "numpy type"),
    "bins": (put("encoder", 0, "bins", value={}), "bins: expected a list"),
    "bin": (put("encoder", 0, "bins", value=[[0, 1, 0, 1]]), "bins: expected an object"),
    "too many bins": (put("encoder", 0, "bins", value=[BIN] * 9), "the columns give 55"),
    "no width": (put("encoder", 0, "bins", value=[BIN | {"stop": 0.0}]), "edges that ascend"),
    "no scale": (put("encoder", 0, "bins", value=[BIN | {"scale": 0.0}]), "scales above 0"),
    "common values": (put("encoder", 0, "common", value=[1.0]), "the columns give 63"),
    "no common value": (put("encoder", 0, "common", value=[None]), "column 'x0': expected finite numbers"),
    "endless bin": (put("encoder", 0, "bins", value=[BIN | {"stop": None}]), "expected finite numbers"),
    "column": (put("encoder", 0, "column", value={"float": "0x1"}), "column: expected str"),
    "unhashable": (
        put("parameters", "class_weight", value={"mapping": [[[1], 2]]}), "class_weight: expected"
    ),
    "pairs": (put("parameters", "lam", value={"mapping": [[1, 2, 3]]}), "lam: expected pairs"),
    "epoch": (put("epoch", value=3), "epoch: expected 1 to 2, got 3"),
    "constant": (put("constant", value=1), "constant: expected bool, got 1"),
    "no seed": (lambda d: d["learned"].pop("seed_") and None, "expected 'seed_', got none"),
    "no attributes": (lambda d: d["learned"].pop("attributes_") and None, "expected attributes_"),
}  # fmt: skip


@pytest.mark.parametrize("name", HOSTILE)
def test_a_file_that_contradicts_itself_is_refused_and_costs_no_memory(name, saved):
    content, path = saved
    change, message = HOSTILE[name]
    path.write_bytes(resigned(content, change))
    tracemalloc.start()
    try:
        with pytest.raises(InputError, match=message):
            load(path)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 20e6


def put_data(*path, value):
    """Return a change of what a model was trained on, given one that contradicts nothing."""
    data = {
        "name": "people", "source": "people.csv", "catalogued": False, "roles": {"label": "y"},
        "label": "y", "unfavorable": "no", "favorable": "yes",
        "protected": [{"name": "γ group", "column": "g", "levels": [0, 1, 2]}],
        "group_names": [["a", "b", "c"]],
        "groups": [{"attribute": "γ group", "group": "a", "rows": 3, "favorable": 0.5}],
        "rows": 9, "training": 5, "validation": 2, "test": 2, "split_seed": 0, "protocol": "auto",
        "digest": "", "checksums": {"people.csv": "0"}, "date": "2026-01-31", "versions": {},
    }  # fmt: skip
    return lambda document: document.update(data=put(*path, value=value)(data) or data)


DATA = {
    "no object": (lambda d: d.update(data=[]), "data: expected an object"),
    "labels": (put_data("favorable", value="maybe"), r"expected the labels \['no', 'yes'\]"),
    "attributes": (put_data("protected", 0, "name", value="g"), "data: .*"),
    "rule": (put_data("protected", 0, "levels", value=None), "exactly one of"),
    "groups": (put_data("group_names", value=[["a"]]), "expected 3 names of groups"),
    "group": (put_data("groups", 0, "group", value="z"), "no attribute has the group"),
    "rows": (put_data("rows", value=-1), "data.rows"),
    "text rows": (put_data("rows", value="9"), "rows: expected int"),
    "rate": (put_data("groups", 0, "favorable", value=2.0), "favorable must be a number from 0"),
    "roles": (put_data("roles", "shell", value="x"), "unknown entry .*'shell'"),
    "missing": (put_data("roles", "missing", value="guess"), "missing"),
    "checksum": (
        put_data("checksums", "people.csv", value=1),
        "checksums.people.csv: expected str",
    ),
}


def test_a_file_with_its_training_data_is_read(saved):
    content, path = saved
    path.write_bytes(resigned(content, put_data("rows", value=9)))
    assert load(path).training_data_.group_names == (("a", "b", "c"),)


@pytest.mark.parametrize("name", DATA)
def test_training_data_that_contradict_the_model_are_refused(name, saved):
    content, path = saved
    change, message = DATA[name]
    path.write_bytes(resigned(content, change))
    with pytest.raises(InputError, match=message):
        load(path)


TENSORS = {
    "missing": (lambda t: t.pop("network.trunk.0.gain"), "missing .*'network.trunk.0.gain'"),
    "surplus": (lambda t: t.update(more=np.zeros(2)), "not expected .*'more'"),
    "readout": (lambda t: t.update({"readout.weight": np.zeros((1, 1, 8))}), "not expected"),
    "single": (
        lambda t: t.update({"history.loss": t["history.loss"].astype(np.float32)}), "got F32"
    ),
    "members": (
        lambda t: t.update({"network.trunk.0.gain": np.ones((2, 6))}), r"shape \(1, 6\), got F64"
    ),
    "rank": (lambda t: t.update({"history.loss": np.ones(2)}), "expected epochs and members"),
    "no epoch": (lambda t: t.update({"history.loss": np.ones((0, 1))}), "epochs and members"),
    "epochs": (lambda t: t.update({"history.accuracy": np.ones((3, 1))}), r"of shape \(2, 1\)"),
}  # fmt: skip


@pytest.mark.parametrize("name", TENSORS)
def test_tensors_that_are_not_the_networks_are_refused(name, saved):
    content, path = saved
    change, message = TENSORS[name]
    path.write_bytes(resigned(content, tensors=change))
    with pytest.raises(InputError, match=message):
        load(path)


JSON = st.recursive(
    st.one_of(
        st.none(), st.booleans(), st.integers(), st.floats(allow_nan=False, allow_infinity=False),
        st.text(max_size=3), st.sampled_from([HUGE, -1, "O", "<U9", "float64", "features"]),
    ),
    lambda inner: st.one_of(
        st.lists(inner, max_size=3),
        st.dictionaries(
            st.sampled_from(["tuple", "mapping", "array", "values", "numpy", "value", "float"]),
            inner, max_size=2,
        ),
    ),
    max_leaves=5,
)  # fmt: skip


def places(value, path=()):
    """Yield the path of every entry of a JSON document."""
    pairs = value.items() if isinstance(value, dict) else enumerate(value)
    for key, inner in pairs:
        yield (*path, key)
        if isinstance(inner, (dict, list)):
            yield from places(inner, (*path, key))


@given(st.data())
@settings(
    max_examples=200, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
def test_any_document_is_refused_or_is_a_model(saved, data):
    content, path = saved
    entries = list(places(signed_of(content)["model"]))
    where = data.draw(st.sampled_from(entries))
    path.write_bytes(resigned(content, put(*where, value=data.draw(JSON))))
    try:
        model = load(path)
    except InputError:
        return
    assert type(model) is GRADClassifier
    assert model.model_.fitted.network.shape.trunk == (6, 5)


def test_loading_unpickles_and_imports_nothing_from_the_file(saved, monkeypatch):
    content, path = saved
    path.write_bytes(content)

    def refused(*_):
        raise AssertionError("a file must not be executed")

    for module in (pickle, sys.modules["torch"], np):
        monkeypatch.setattr(module, "load", refused)
    monkeypatch.setattr(pickle, "Unpickler", refused)
    asked = []
    real = persistence.import_module
    monkeypatch.setattr(persistence, "import_module", lambda name: asked.append(name) or real(name))
    assert type(load(path)) is GRADClassifier
    assert asked == ["grad_ext.models.sklearn"]


def test_classes_are_where_the_table_says():
    for name, home in persistence.HOMES.items():
        assert getattr(persistence.import_module(home), name).__module__ == home


def test_a_mapping_comes_back_as_a_dict(fitted, tmp_path):
    model = copy.deepcopy(fitted("numbers")).set_params(lam=OrderedDict(a=1.0))
    save(model, Path(tmp_path, "model"))
    assert typed(load(tmp_path / "model").lam) == typed({"a": 1.0})
