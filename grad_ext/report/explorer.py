"""The interactive part of a page: every model as columns of numbers, and the script that shows them.

The script is ours, 69 kB, and not a library's: plotly.js would add 4.8 MB to every report of
every study and takes seconds to load, and a screen reader cannot read pictures on a canvas, so
the table, the keyboard and the descriptions would have to be written all the same.
"""

from __future__ import annotations

import json
import math
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any

import pandas as pd

from grad_ext.data.catalog import known_data_set
from grad_ext.metrics.registry import METRICS
from grad_ext.report.assets import asset
from grad_ext.report.html import page_script
from grad_ext.report.tables import (
    CASE,
    LABELS,
    MAIN,
    MAJORITY_LABEL,
    REPEATS,
    determines,
    independently_varying,
    majority_row,
    value_text,
    varying,
    with_metrics,
)
from grad_ext.training.settings import Settings
from grad_ext.trial import Record

FACTS = ("epoch", "seconds", "predict_seconds", "peak_bytes", "error")
FLAGS = ("constant", "diverged", "chosen")
# Columns of results.csv that are neither settings nor metrics nor facts.
NEITHER = (
    "title",
    "hyperparameter",
    "algorithm",
    "attributes",
    "needs_attributes",
    "seeded",
    "default",
)
DIGITS = 6
# Of a key, by which a command names a model: enough for any study.
KEY_DIGITS = 8
HISTORY_SCALE = 1000
# What ends a script or begins a tag, and what ends a line of JavaScript.
ESCAPES = {ord(c): f"\\u{ord(c):04x}" for c in "<>&\u2028\u2029"}


@dataclass(frozen=True)
class Source:
    """Where a page's models come from.

    Attributes
    ----------
    name : str
        The study's name.
    folder : str
        Its folder's name, for commands.
    about : mapping
        What the study is about, as study.json has it.
    versions : mapping of str to str
        The versions that made it.
    known_only : bool
        Whether rows with unknown protected attributes are left out.
    own_data : bool
        Whether the models are of a file or frame of the user's, whatever its name.
    file : mapping, optional
        The file and its roles, by the names of the parameters of `grad_ext.load_table`.
    """

    name: str
    folder: str
    about: Mapping[str, Any]
    versions: Mapping[str, str]
    known_only: bool = False
    own_data: bool = False
    file: Mapping[str, Any] | None = None


def script_json(values: object) -> str:
    """Return values as JSON that can stand within a script element, whatever text is in them."""
    text = json.dumps(values, separators=(",", ":"), ensure_ascii=False, allow_nan=False)
    return text.translate(ESCAPES)


def explorer(frame: pd.DataFrame, records: Sequence[Record], sources: Sequence[Source]) -> str:
    """Return the interactive part of a page.

    Parameters
    ----------
    frame : pandas.DataFrame
        The rows of results.csv, in the order of the records; with several sources a column
        ``study``, the name of each row's.
    records : sequence of Record
        The models.
    sources : sequence of Source
        The studies that the models are of.
    """
    data = payload(frame, records, sources)
    parts = [asset("explorer.html"), _data("models-data", data)]
    histories = _histories(records)
    if histories:
        parts.append(_data("histories-data", histories))
    return "\n".join([*parts, f"<script>{page_script()}</script>"])


def _data(name: str, values: object) -> str:
    return f'<script type="application/json" id="{name}">{script_json(values)}</script>'


def payload(
    frame: pd.DataFrame, records: Sequence[Record], sources: Sequence[Source]
) -> dict[str, Any]:
    """Return what the script is to show; parameters as those of `explorer`."""
    frame, differing = with_metrics(frame), varying(records)
    if "error" not in frame:
        frame = frame.assign(error=[record.error for record in records])
    columns = [*_settings(frame, records, differing), *_metrics(frame), *_facts(frame)]
    tops = frame.groupby(_about(frame), sort=False, dropna=False)
    majority = []
    for key, rows in tops:
        which = "" if tops.ngroups == 1 else f", {' '.join(map(str, key))}"
        top = {n: _number(v) for n, v in majority_row(rows).items() if math.isfinite(v)}
        majority.append({"label": f"{MAJORITY_LABEL}{which}", **top})
    studies = frame["study"] if "study" in frame else pd.Series("", index=frame.index)
    place = {source.name: k for k, source in enumerate(sources)}
    of = [place.get(name, 0) for name in studies]
    return {
        "rows": len(frame),
        "columns": columns,
        "majority": majority,
        "of": tops.ngroup().tolist() if len(majority) > 1 else None,
        "studies": of if len(sources) > 1 else None,
        "keys": _keys(records),
        "commands": [
            _commands(source, [r for r, k in zip(records, of, strict=True) if k == j])
            for j, source in enumerate(sources)
        ],
    }


def _keys(records: Sequence[Record]) -> list[str]:
    """Return as much of each model's key as no other begins with."""
    whole = [record.trial.key for record in records]
    digits = KEY_DIGITS
    while len({key[:digits] for key in whole}) < len({*whole}):
        digits += 1
    return [key[:digits] for key in whole]


def _about(frame: pd.DataFrame) -> list[str]:
    """Return the columns that decide what the majority class is."""
    return [c for c in CASE if frame[c].nunique() > 1] or ["dataset"]


def _settings(
    frame: pd.DataFrame, records: Sequence[Record], differing: Mapping[str, list[Any]]
) -> list[dict[str, Any]]:
    """Return the columns of settings: those that vary are shown, those that others imply are not."""
    shown: dict[str, tuple[list[Any], str | None]] = {}
    if "study" in frame and frame["study"].nunique() > 1:
        shown["study"] = (frame["study"].tolist(), None)
    named = frame[
        "title" if "title" in frame else "algorithm" if "algorithm" in frame else "method"
    ]
    # λ already shows whether there is a branch to reverse.
    if not determines(frame["lam"].tolist(), named.tolist()) and named.nunique() > 1:
        shown["method"] = (named.tolist(), None)
    first = ["dataset", "protected", "lam", "settings.recipe", "settings.variant"]
    order = [*first, *(n for n in differing if n not in (*first, *REPEATS)), *REPEATS]
    for name in order:
        if name in differing:
            shown[name.removeprefix("settings.")] = (differing[name], name)
    if "seed" not in shown:
        shown["seed"] = ([record.trial.seed for record in records], "seed")
    independent = independently_varying(records)
    columns: list[dict[str, Any]] = []
    for name, (values, path) in shown.items():
        column = _column(name, values, "setting")
        if path is not None:
            column["path"] = path
        if name == "lam" and "hyperparameter" in frame:
            column["label"] = "hyperparameter"
        if name in REPEATS:
            column["chance"] = True
        column["hidden"] = path is not None and path not in independent and path != "seed"
        columns.append(column)
    return columns


def _metrics(frame: pd.DataFrame) -> list[dict[str, Any]]:
    own = {each.name for each in fields(Settings)}
    known = {*FACTS, *FLAGS, *NEITHER, "lam", "hidden", *own, *REPEATS}
    names = [
        str(c)
        for c in frame.select_dtypes("number")
        # Metrics of other evaluations, such as delta@k=10, are in results.csv.
        if c not in known
        and not ("@" in str(c) and str(c).partition("@")[0] in METRICS)
        and not str(c).startswith("majority")
    ]
    ordered = [*(n for n in MAIN if n in names), *(n for n in names if n not in MAIN)]
    return [
        _column(name, frame[name].tolist(), "metric") | {"main": name in MAIN} for name in ordered
    ]


def _facts(frame: pd.DataFrame) -> list[dict[str, Any]]:
    columns = []
    for name in FLAGS:
        if name in frame and (name == "constant" or frame[name].any()):
            flags = [int(value is True or value == 1) for value in frame[name].tolist()]
            columns.append(
                {"name": name, "label": name, "kind": "flag", "role": "flag", "values": flags}
            )
    for name in FACTS:
        if name in frame and (frame[name].notna() & (frame[name] != "")).any():
            columns.append(_column(name, frame[name].tolist(), "fact"))
    return columns


def _column(name: str, values: Sequence[Any], role: str) -> dict[str, Any]:
    column = {"name": name, "label": LABELS.get(name, name.replace("_", " ")), "role": role}
    if all(map(_is_number, values)):
        # Settings keep all digits, since models are trained again from them.
        exact = role == "setting"
        return column | {
            "kind": "number",
            "values": list(values) if exact else [*map(_number, values)],
        }
    levels: dict[str, int] = {}
    texts = []
    for value in values:
        text = json.dumps(value)
        if text not in levels:
            levels[text] = len(levels)
            texts.append(value_text(value))
    codes = [levels[json.dumps(value)] for value in values]
    values_json = [json.loads(text) for text in levels]
    return column | {"kind": "text", "levels": texts, "json": values_json, "values": codes}


def _is_number(value: Any) -> bool:
    """Whether a value is a number that JavaScript has too."""
    plain = isinstance(value, (int, float)) and not isinstance(value, bool)
    return plain and (isinstance(value, float) or abs(value) < 2**53)


def _number(value: float) -> float | int | None:
    """Return a number as JSON keeps it, to `DIGITS` digits; None where it is not finite."""
    if not math.isfinite(value):
        return None
    short = float(f"{value:.{DIGITS}g}")
    return int(short) if short.is_integer() and abs(short) < 2**53 else short


def _histories(records: Sequence[Record]) -> dict[str, Any] | None:
    """Return every model's epochs as whole thousandths, or None where no record keeps any."""
    names = next((list(record.history) for record in records if record.history), None)
    if names is None:
        return None
    models = [
        [_thousandths(record.history[name]) for name in names] if record.history else None
        for record in records
    ]
    return {"names": names, "scale": HISTORY_SCALE, "models": models}


def _thousandths(values: Sequence[float]) -> list[int | None]:
    return [round(v * HISTORY_SCALE) if math.isfinite(v) else None for v in values]


def _commands(source: Source, records: Sequence[Record]) -> dict[str, Any]:
    """Return what trains a study's models again; {trial} and {key} stand for the chosen one's.

    Both are trained again to be looked at; only GRAD's can be saved.
    """
    about, trial = source.about, records[0].trial
    evaluation = {n: v for n, v in about.get("evaluation", {}).items() if v != _EVALUATION.get(n)}
    named = not source.own_data and all(
        known_data_set(record.trial.dataset) is not None for record in records
    )
    fill = {
        "{table}": _LOAD if named else _OWN if source.file is None else _own(source.file),
        "{load}": "load_dataset" if named else "load_table",
        # GRAD takes rows without their group too; what others are compared on has none of them.
        "{known}": "table.known()" if source.known_only else "table",
        "{protocol}": repr(_protocol(about)),
        "{evaluation}": f", EvaluationConfig(**{evaluation!r})" if evaluation else "",
        "{import}": "EvaluationConfig, evaluate, prepare" if evaluation else "evaluate, prepare",
    }
    texts = {}
    for name, code in {"python": _GRAD, "baseline": _BASELINE}.items():
        for placeholder, text in fill.items():
            code = code.replace(placeholder, text)
        texts[name] = code
    return {"trial": trial.to_json(), **texts, "shell": _shell(source, named)}


def _shell(source: Source, named: bool) -> str:
    """Return the command that trains a model again; {key} stands for its key.

    Empty where the page is of no study's folder.
    """
    if not source.about:
        return ""
    # A folder that begins with a dash would be an option.
    folder = f"./{source.folder}" if source.folder.startswith("-") else source.folder
    own = "" if named or source.file is not None else " --data FILE --label COLUMN"
    return f"grad-ext train {shlex.quote(folder)} {{key}}{own}"


def _own(file: Mapping[str, Any]) -> str:
    """Return the line that reads the user's own file again."""
    roles = "".join(f", {name}={value!r}" for name, value in file.items() if name != "path")
    attributes = "[*trial.protected, *trial.also_evaluated]"
    return f"table = load_table({file['path']!r}, protected={attributes}{roles})"


def _protocol(about: Mapping[str, Any]) -> str:
    """Return the protocol of a study's train/test split; 'auto' if its data sets have several."""
    if "protocol" in about:
        return str(about["protocol"])
    of = about.get("dataset", {})
    protocols = {each["protocol"] for each in of.values()} if isinstance(of, Mapping) else set()
    return str(protocols.pop()) if len(protocols) == 1 else "auto"


_EVALUATION = {
    "prediction": "label",
    "k": 5,
    "use_protected": False,
    "include_self": False,
    "ties": "share",
}
_LOAD = "table = load_dataset(trial.dataset, [*trial.protected, *trial.also_evaluated])"
_OWN = 'table = load_table("FILE", label="COLUMN", protected=trial.protected)  # as for the study'
_SHARED = """\
trial = Trial.from_json({trial})
{table}
parts = split({known}, trial.split_seed, {protocol})
problem = prepare(parts, trial.settings{evaluation})
"""
_GRAD = f"""\
from grad_ext import {{load}}
from grad_ext.data.split import split
from grad_ext.evaluation import {{import}}
from grad_ext.method import GRAD
from grad_ext.trial import Trial

{_SHARED}[record] = evaluate(GRAD(), [trial], problem)
print(record.metrics)
"""
_BASELINE = f"""\
from grad_ext import {{load}}
from grad_ext.adapters.registry import baseline
from grad_ext.data.split import split
from grad_ext.evaluation import {{import}}
from grad_ext.trial import Trial

{_SHARED}method = baseline(trial.baseline).method(**dict(trial.options))
[record] = evaluate(method, [trial], problem)
print(record.metrics)
"""
