"""ACS: persons of the American Community Survey, by state and year, for the five tasks of folktables.

The files are the US Census Bureau's public use microdata samples (PUMS), the same that folktables
reads; they are in the public domain.

- Ding, F., Hardt, M., Miller, J. and Schmidt, L. (2021). Retiring Adult: New Datasets for Fair
  Machine Learning. NeurIPS; it defines the tasks.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from grad_ext.data.fetch import RawFile, obtain
from grad_ext.data.raw_csv import named, numbers, text_frame
from grad_ext.data.sensitive import SensitiveAttribute
from grad_ext.data.table import Table, Target
from grad_ext.errors import InputError, unknown

BASE = "https://www2.census.gov/programs-surveys/acs/data/pums"
# Those with the columns that the tasks need: RELP was replaced in 2019.
YEARS = tuple(str(year) for year in range(2014, 2019))
# Postal abbreviations, and the codes in the files.
_STATES = (
    "AL=01 AK=02 AZ=04 AR=05 CA=06 CO=08 CT=09 DE=10 FL=12 GA=13 HI=15 ID=16 IL=17 IN=18 IA=19 "
    "KS=20 KY=21 LA=22 ME=23 MD=24 MA=25 MI=26 MN=27 MS=28 MO=29 MT=30 NE=31 NV=32 NH=33 NJ=34 "
    "NM=35 NY=36 NC=37 ND=38 OH=39 OK=40 OR=41 PA=42 RI=44 SC=45 SD=46 TN=47 TX=48 UT=49 VT=50 "
    "VA=51 WA=53 WV=54 WI=55 WY=56 PR=72"
)
STATES = dict(pair.split("=") for pair in _STATES.split())
# All other columns hold codes. A blank means that the question does not apply.
NUMERIC = frozenset({"AGEP", "WKHP", "PINCP", "JWMNP", "POVPIP", "PWGTP"})
NOT_APPLICABLE = "not applicable"
SEXES = {"1": "male", "2": "female"}
RACES = {
    "1": "White",
    "2": "Black",
    "3": "American Indian",
    "4": "Alaska Native",
    "5": "American Indian or Alaska Native, not specified",
    "6": "Asian",
    "7": "Pacific Islander",
    "8": "Other",
    "9": "Two or more",
}
# Columns of all tasks: household, weight, and the protected attributes.
COMMON = ("SERIALNO", "PWGTP", "AGEP", "SEX", "RAC1P")


@dataclass(frozen=True)
class Task:
    """What is predicted of whom.

    Attributes
    ----------
    name, title : str
        Name of the data set, and the label in words.
    features : tuple of str
        Names of the columns; ST is none, since a file has one state.
    used : tuple of str
        Further columns that `rows` and `label` need.
    rows : callable
        Takes the frame and returns which rows are kept.
    label : callable
        Takes the frame and returns which rows have the favorable label.
    """

    name: str
    title: str
    features: tuple[str, ...]
    used: tuple[str, ...]
    rows: Callable[[pd.DataFrame], pd.Series]
    label: Callable[[pd.DataFrame], pd.Series]


def _everybody(frame: pd.DataFrame) -> pd.Series:
    return pd.Series(True, index=frame.index)


HEALTH = ("DEAR", "DEYE", "DREM")
ORIGIN = ("CIT", "MIG", "MIL", "ANC", "NATIVITY")
TASKS = {
    task.name: task
    for task in (
        Task(
            name="acs_income",
            title="income above 50,000 dollars",
            features=(
                *("AGEP", "COW", "SCHL", "MAR", "OCCP", "POBP", "RELP", "WKHP", "SEX", "RAC1P"),
            ),
            used=("PINCP",),
            rows=lambda f: (
                (f["AGEP"] > 16) & (f["PINCP"] > 100) & (f["WKHP"] > 0) & (f["PWGTP"] >= 1)
            ),
            label=lambda f: f["PINCP"] > 50_000,
        ),
        Task(
            name="acs_employment",
            title="employed",
            features=(
                *("AGEP", "SCHL", "MAR", "RELP", "DIS", "ESP", *ORIGIN, *HEALTH, "SEX", "RAC1P"),
            ),
            used=("ESR",),
            rows=_everybody,
            label=lambda f: f["ESR"] == "1",
        ),
        Task(
            name="acs_public_coverage",
            title="covered by public health insurance",
            features=(
                *("AGEP", "SCHL", "MAR", "SEX", "DIS", "ESP", *ORIGIN, *HEALTH, "PINCP", "ESR"),
                *("FER", "RAC1P"),
            ),
            used=("PUBCOV",),
            rows=lambda f: (f["AGEP"] < 65) & (f["PINCP"] <= 30_000),
            label=lambda f: f["PUBCOV"] == "1",
        ),
        Task(
            name="acs_mobility",
            title="same address as a year before",
            features=(
                *("AGEP", "SCHL", "MAR", "SEX", "DIS", "ESP", "CIT", "MIL", "ANC", "NATIVITY"),
                *("RELP", *HEALTH, "RAC1P", "GCL", "COW", "ESR", "WKHP", "JWMNP", "PINCP"),
            ),
            used=("MIG",),
            rows=lambda f: (f["AGEP"] > 18) & (f["AGEP"] < 35),
            label=lambda f: f["MIG"] == "1",
        ),
        Task(
            name="acs_travel_time",
            title="more than 20 minutes to work",
            features=(
                *("AGEP", "SCHL", "MAR", "SEX", "DIS", "ESP", "MIG", "RELP", "RAC1P", "PUMA"),
                *("CIT", "OCCP", "JWTR", "POWPUMA", "POVPIP"),
            ),
            used=("JWMNP", "ESR"),
            rows=lambda f: (f["AGEP"] > 16) & (f["PWGTP"] >= 1) & (f["ESR"] == "1"),
            label=lambda f: f["JWMNP"] > 20,
        ),
    )
}


def census_file(state: str, year: str) -> RawFile:
    """Return the file of persons of a state and year, one-year estimates.

    Raises
    ------
    InputError
        If there is no such state or year.

    Examples
    --------
    >>> from grad_ext.data.acs import census_file
    >>> census_file("CA", "2018").url
    'https://www2.census.gov/programs-surveys/acs/data/pums/2018/1-Year/csv_pca.zip'
    """
    if state not in STATES:
        raise unknown("state", state, STATES)
    if year not in YEARS:
        raise unknown("year", year, YEARS)
    small = state.lower()
    # The names in the archives changed in 2017.
    member = f"psam_p{STATES[state]}.csv" if int(year) >= 2017 else f"ss{year[2:]}p{small}.csv"
    folder = f"{year}/1-Year"
    return RawFile(
        name=f"acs_{year}_{small}.csv",
        page=f"{BASE}/{folder}/",
        archives=(f"acs_{year}_{small}.zip", f"{folder}/csv_p{small}.zip"),
        url=f"{BASE}/{folder}/csv_p{small}.zip",
        member=member,
        places=(f"{folder}/{member}",),
    )


def acs(task: str, state: str, year: str, data_dir: str | Path | None = None) -> Table:
    """Return a task of folktables for a state and year.

    The favorable label is what the task predicts. Protected attributes: ``sex`` (privileged: male),
    ``race`` (privileged: White), ``race_groups`` (the census' nine) and ``age_years``. Persons of one
    household (``SERIALNO``) are not independent: that column is the table's `groups`. The survey's
    weights (``PWGTP``) are a column of the frame, but no feature.

    Parameters
    ----------
    task : {'acs_income', 'acs_employment', 'acs_public_coverage', 'acs_mobility', 'acs_travel_time'}
        The task.
    state : str
        Two letters, such as ``'CA'``.
    year : str
        From ``'2014'`` to ``'2018'``.
    data_dir : path, optional
        Folder with the census' file or archive, also in the folders that folktables makes.

    Raises
    ------
    InputError
        If there is no such state or year, the file is missing and cannot be downloaded, or it has
        other columns or values.
    """
    file = census_file(state, year)
    return parse(obtain(file, data_dir)[0], TASKS[task], state, year)


def parse(content: bytes, task: Task, state: str, year: str) -> Table:
    """Return the table of a file's content.

    Raises
    ------
    InputError
        If a column is missing or has an unexpected value.
    """
    file = census_file(state, year)
    columns = tuple(dict.fromkeys([*COMMON, *task.features, *task.used, "ST"]))
    frame = text_frame(file.name, content, columns)
    _check_state(file.name, frame.pop("ST"), state)
    for column in frame.columns:
        if column in NUMERIC:
            frame[column] = numbers(file.name, frame[column], blank=("",))
    frame = frame[task.rows(frame)].reset_index(drop=True)
    if not len(frame):
        raise InputError(f"{file.name}: no row is left; is it the published file?")
    frame["label"] = np.where(task.label(frame), "yes", "no").astype(object)
    frame["SEX"] = named(file.name, frame["SEX"], SEXES)
    frame["RAC1P"] = named(file.name, frame["RAC1P"], RACES)
    for column in task.features:
        if column not in NUMERIC and column not in ("SEX", "RAC1P"):
            frame[column] = frame[column].str.strip().replace("", NOT_APPLICABLE).astype(object)
    return Table(
        name=f"{task.name}:{state}:{year}",
        frame=frame,
        features=task.features,
        target=Target("label", favorable="yes", unfavorable="no"),
        protected=(
            SensitiveAttribute("sex", column="SEX", values=("male",)),
            SensitiveAttribute("race", column="RAC1P", values=("White",)),
            SensitiveAttribute("race_groups", column="RAC1P", levels=tuple(RACES.values())),
            SensitiveAttribute("age_years", column="AGEP", continuous=True),
        ),
        groups="SERIALNO",
        source=f"US Census Bureau, ACS PUMS {year}, 1-year, {state}; public domain",
        checksums={file.name: hashlib.sha256(content).hexdigest()},
    )


def _check_state(name: str, column: pd.Series, state: str) -> None:
    """Check that all rows are of the state, since files of all states have the same columns."""
    codes = set(column.str.strip().str.zfill(2))
    if codes - {STATES[state]}:
        raise InputError(
            f"{name}: expected rows of {state} (ST {STATES[state]}), got ST {', '.join(sorted(codes))}"
        )
