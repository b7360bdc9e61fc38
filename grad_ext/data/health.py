"""Health: the Heritage Health Prize's members, from the user's own copy of the competition's files.

The competition's rules forbid sharing the data, so nothing of it comes with the package and nothing
is downloaded: whoever has the files names their folder. What the columns hold is known from public
descriptions alone, so each is checked as it is read.

A row is a member and a year: what was claimed in Y1 predicts days in hospital in Y2, and what was
claimed in Y2 those in Y3. Claims, prescriptions and laboratory tests are summed up by row.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from io import BytesIO
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from grad_ext.data.fetch import RawFile, find, folders, how_to_get, read
from grad_ext.data.sensitive import SensitiveAttribute
from grad_ext.data.table import Table, Target
from grad_ext.errors import InputError

PAGE = "https://www.kaggle.com/c/hhp"
# The columns that are read, by file.
COLUMNS = {
    "Claims.csv": (
        "MemberID", "ProviderID", "Vendor", "PCP", "Year", "Specialty", "PlaceSvc", "PayDelay",
        "LengthOfStay", "DSFS", "PrimaryConditionGroup", "CharlsonIndex", "ProcedureGroup",
        "SupLOS",
    ),
    "Members.csv": ("MemberID", "AgeAtFirstClaim", "Sex"),
    "DaysInHospital_Y2.csv": ("MemberID", "ClaimsTruncated", "DaysInHospital"),
    "DaysInHospital_Y3.csv": ("MemberID", "ClaimsTruncated", "DaysInHospital"),
    "DrugCount.csv": ("MemberID", "Year", "DSFS", "DrugCount"),
    "LabCount.csv": ("MemberID", "Year", "DSFS", "LabCount"),
}  # fmt: skip
FILES = tuple(RawFile(name, PAGE, archives=("HHP_release3.zip",)) for name in COLUMNS)
OUTCOMES = {"Y1": "DaysInHospital_Y2.csv", "Y2": "DaysInHospital_Y3.csv"}

AGES = ("0-9", "10-19", "20-29", "30-39", "40-49", "50-59", "60-69", "70-79", "80+")
SEXES = ("M", "F")
# The level of what is blank in the files, where it is a feature.
UNKNOWN = "unknown"

# Of each claim: how many different ones a row has, how many claims of each kind, amounts.
DISTINCT = ("ProviderID", "Vendor", "PCP", "DSFS")
KINDS = ("Specialty", "PlaceSvc", "PrimaryConditionGroup", "ProcedureGroup")
AMOUNTS = ("PayDelay", "LengthOfStay", "CharlsonIndex", "SupLOS")

QUANTITY = re.compile(r"(\d+)\s*(?:-\s*(\d+)|\+)?\s*(?:(day|week|month)s?)?")
UNITS = {None: 1, "day": 1, "week": 7, "month": 1}


def health(data_dir: str | Path | None = None) -> Table:
    """Return Health: a row for each member and year, in the order of DaysInHospital_Y2, then _Y3.

    The label is whether the member spent a day or more in hospital in the next year, which counts
    as favorable since it is what is predicted. Protected attributes: ``age`` (privileged: below 60
    at the first claim), ``age_70`` (below 70), ``sex`` (male) and ``age_groups`` (bands of ten
    years). A member whose age or sex is blank belongs to no group of it; `Table.known` leaves such
    rows out. Rows of one member are not independent: ``MemberID`` is the table's `groups`.

    Parameters
    ----------
    data_dir : path, optional
        Folder with the competition's files, plain, gzipped or in ``HHP_release3.zip``.

    Raises
    ------
    InputError
        If files are missing (all of them are named), or hold what they should not.
    """
    places = {file: find(file, data_dir) for file in FILES}
    missing = [file for file, place in places.items() if place is None]
    if missing:
        raise InputError(
            f"{', '.join(f.name for f in missing)}: not found in "
            f"{', '.join(map(str, folders(data_dir)))}, and the competition's rules forbid sharing "
            f"its files, so they cannot be downloaded: if you may, {how_to_get(*missing)}"
        )
    return parse({f.name: read(f, place) for f, place in places.items() if place is not None})


def parse(contents: Mapping[str, bytes]) -> Table:
    """Return the table of the files' contents, by name.

    Raises
    ------
    InputError
        If a column is missing or holds what it should not.
    """
    frames = {name: _frame(name, contents[name]) for name in COLUMNS}
    outcomes = pd.concat(
        [_outcome(frames[name], name, year) for year, name in OUTCOMES.items()], ignore_index=True
    )
    keys = pd.Index(outcomes.pop("key"))
    features = pd.concat(
        [
            _claims(frames["Claims.csv"], keys),
            _tests(frames["DrugCount.csv"], "DrugCount", keys),
            _tests(frames["LabCount.csv"], "LabCount", keys),
            outcomes[["ClaimsTruncated"]],
            _members(frames["Members.csv"], outcomes["MemberID"]),
        ],
        axis=1,
    )
    # As features a blank is a level of its own; as protected attributes it is no group.
    own = {
        "AgeAtFirstClaim": features["age"].where(features["age"] != UNKNOWN),
        "Sex": features["sex"].where(features["sex"] != UNKNOWN),
    }
    frame = pd.concat([outcomes[["MemberID", "hospital"]], features, pd.DataFrame(own)], axis=1)
    aged = ("AgeAtFirstClaim", "age")
    return Table(
        name="health",
        frame=frame,
        features=tuple(features.columns),
        target=Target("hospital", favorable="yes", unfavorable="no"),
        protected=(
            SensitiveAttribute("age", column=aged[0], values=AGES[:6], carriers=aged),
            SensitiveAttribute("age_70", column=aged[0], values=AGES[:7], carriers=aged),
            SensitiveAttribute("sex", column="Sex", values=("M",), carriers=("Sex", "sex")),
            SensitiveAttribute("age_groups", column=aged[0], levels=AGES, carriers=aged),
        ),
        groups="MemberID",
        source="Heritage Health Prize, release 3: the user's own copy, under the competition's rules",
        checksums={name: hashlib.sha256(contents[name]).hexdigest() for name in COLUMNS},
    )


def _frame(name: str, content: bytes) -> pd.DataFrame:
    """Return a file's columns as categories: millions of claims have few different values."""
    try:
        frame = pd.read_csv(
            BytesIO(content), dtype="category", keep_default_na=False, low_memory=False
        )
    except ValueError as error:
        raise InputError(f"{name}: cannot be read as CSV ({error})") from None
    missing = [c for c in COLUMNS[name] if c not in frame.columns]
    if missing:
        raise InputError(
            f"{name}: no column {', '.join(map(repr, missing))}; "
            f"there are {', '.join(map(repr, frame.columns))}"
        )
    return frame


def _numbers(name: str, column: pd.Series) -> NDArray[np.float64]:
    """Return a file's column of quantities as numbers.

    A range ("1- 2 weeks") counts as its middle, an open one ("162+") as its lower end, weeks as
    seven days, and a blank as zero.

    Raises
    ------
    InputError
        If a value is none of these.
    """
    values = []
    for text in column.cat.categories:
        match = QUANTITY.fullmatch(text.strip())
        if match is None and text.strip():
            raise InputError(
                f"{name}: column {column.name!r}: expected a number, a range or one like '7+', "
                f"got {text!r}"
            )
        low, high, unit = match.groups() if match else ("0", None, None)
        values.append((int(low) + int(high or low)) / 2 * UNITS[unit])
    return np.array(values, dtype=np.float64)[column.cat.codes]


def _ids(name: str, frame: pd.DataFrame) -> NDArray[np.int64]:
    return _numbers(name, frame["MemberID"]).astype(np.int64)


def _keys(name: str, frame: pd.DataFrame) -> NDArray[np.int64]:
    """Return one number for the member and the year of each row."""
    years = frame["Year"].cat.categories
    if not years.isin(["Y1", "Y2", "Y3"]).all():
        raise InputError(f"{name}: column 'Year': expected Y1, Y2 or Y3, got {list(years)}")
    year = np.array([int(y[1]) for y in years], dtype=np.int64)
    return 10 * _ids(name, frame) + year[frame["Year"].cat.codes]


def _outcome(frame: pd.DataFrame, name: str, year: str) -> pd.DataFrame:
    members = _ids(name, frame)
    if len(np.unique(members)) != len(members):
        raise InputError(f"{name}: expected one row a member, got some more than once")
    days = _numbers(name, frame["DaysInHospital"])
    return pd.DataFrame(
        {
            "key": 10 * members + int(year[1]),
            "MemberID": members,
            "ClaimsTruncated": _numbers(name, frame["ClaimsTruncated"]),
            "hospital": np.where(days > 0, "yes", "no").astype(object),
        }
    )


def _members(frame: pd.DataFrame, members: pd.Series) -> pd.DataFrame:
    """Return age and sex of each row's member."""
    at = pd.Index(_ids("Members.csv", frame)).get_indexer(pd.Index(members))
    if (at < 0).any():
        raise InputError(f"Members.csv: no member {members[at < 0].iloc[0]}")
    columns = {}
    for name, column, known in (("age", "AgeAtFirstClaim", AGES), ("sex", "Sex", SEXES)):
        levels = frame[column].cat.categories
        other = [v for v in levels if v not in (*known, "")]
        if other:
            raise InputError(
                f"Members.csv: column {column!r}: expected {', '.join(known)} or nothing, got "
                f"{other[0]!r}"
            )
        named = np.array([level or UNKNOWN for level in levels], dtype=object)
        columns[name] = named[frame[column].cat.codes.to_numpy()[at]]
    return pd.DataFrame(columns)


def _claims(frame: pd.DataFrame, keys: pd.Index) -> pd.DataFrame:
    """Return what was claimed in each row's year."""
    name, n = "Claims.csv", len(keys)
    rows = keys.get_indexer(pd.Index(_keys(name, frame)))
    frame, rows = frame[rows >= 0], rows[rows >= 0]
    columns = {"claims": np.bincount(rows, minlength=n).astype(np.float64)}
    for column in DISTINCT:
        codes = frame[column].cat.codes.to_numpy().astype(np.int64)
        width = len(frame[column].cat.categories)
        pairs = pd.unique(rows * width + codes) // width
        columns[f"{column} different"] = np.bincount(pairs, minlength=n).astype(np.float64)
    for column in AMOUNTS:
        columns |= _amounts(_numbers(name, frame[column]), column, rows, n)
    for column in KINDS:
        levels = frame[column].cat.categories
        cells = rows * len(levels) + frame[column].cat.codes.to_numpy()
        counts = np.bincount(cells, minlength=n * len(levels)).reshape(n, -1).astype(np.float64)
        for level, count in zip(levels, counts.T, strict=True):
            columns[f"{column} {level or UNKNOWN}"] = count
    return pd.DataFrame(columns)


def _tests(frame: pd.DataFrame, column: str, keys: pd.Index) -> pd.DataFrame:
    """Return the prescriptions or laboratory tests of each row's year."""
    name, n = f"{column}.csv", len(keys)
    rows = keys.get_indexer(pd.Index(_keys(name, frame)))
    frame, rows = frame[rows >= 0], rows[rows >= 0]
    columns = {f"{column} months": np.bincount(rows, minlength=n).astype(np.float64)}
    return pd.DataFrame(columns | _amounts(_numbers(name, frame[column]), column, rows, n))


def _amounts(
    values: NDArray[np.float64], column: str, rows: NDArray[np.intp], n: int
) -> dict[str, NDArray[np.float64]]:
    """Return the sum and the largest of the values of each row; zero where there are none."""
    largest = np.zeros(n)
    np.maximum.at(largest, rows, values)
    return {
        f"{column} total": np.bincount(rows, values, minlength=n).astype(np.float64),
        f"{column} largest": largest,
    }
