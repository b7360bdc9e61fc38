"""MEPS: use of medical services, from the Medical Expenditure Panel Survey of 2015 and 2016.

The files are published by the US Agency for Healthcare Research and Quality, whose users agree not
to identify anybody: they are downloaded by ``grad-ext data fetch`` only, never on first use. Rows,
columns and label are those of AIF360's ``MEPSDataset19``, ``20`` and ``21``.
"""

from __future__ import annotations

import hashlib
from io import BytesIO
from pathlib import Path

import numpy as np
import pandas as pd

from grad_ext.data.fetch import RawFile, find, folders, how_to_get, read
from grad_ext.data.raw_csv import numbers, text_frame
from grad_ext.data.sensitive import SensitiveAttribute
from grad_ext.data.table import Table, Target
from grad_ext.errors import InputError

TERMS = "https://meps.ahrq.gov/data_stats/data_use.jsp"
PUFS = "https://meps.ahrq.gov/mepsweb/data_files/pufs"
# The year of each panel that AIF360 uses, as in the names of columns, and the year's file.
YEARS = {19: "15", 20: "15", 21: "16"}
FILES = {
    year: RawFile(
        name=f"{name}.ssp",
        page="https://meps.ahrq.gov/mepsweb/data_stats/download_data_files_detail.jsp"
        f"?cboPufNumber=HC-{name[1:]}",
        archives=(f"{name}ssp.zip",),
        url=f"{PUFS}/{name}ssp.zip",
        places=(f"{name}.csv",),
    )
    for year, name in {"15": "h181", "16": "h192"}.items()
}
# Names in the file, which have a round of interviews in them, and here.
RENAMED = {
    "FTSTU53X": "FTSTU", "ACTDTY53": "ACTDTY", "HONRDC53": "HONRDC", "RTHLTH53": "RTHLTH",
    "MNHLTH53": "MNHLTH", "CHBRON53": "CHBRON", "JTPAIN53": "JTPAIN", "PREGNT53": "PREGNT",
    "WLKLIM53": "WLKLIM", "ACTLIM53": "ACTLIM", "SOCLIM53": "SOCLIM", "COGLIM53": "COGLIM",
    "EMPST53": "EMPST", "REGION53": "REGION", "MARRY53X": "MARRY", "AGE53X": "AGE",
}  # fmt: skip
# Scores of health and distress; a negative number is a reason for not having one.
SCORES = ("PCS42", "MCS42", "K6SUM42")
CODES = (
    "REGION", "MARRY", "FTSTU", "ACTDTY", "HONRDC", "RTHLTH", "MNHLTH", "HIBPDX", "CHDDX",
    "ANGIDX", "MIDX", "OHRTDX", "STRKDX", "EMPHDX", "CHBRON", "CHOLDX", "CANCERDX", "DIABDX",
    "JTPAIN", "ARTHDX", "ARTHTYPE", "ASTHDX", "ADHDADDX", "PREGNT", "WLKLIM", "ACTLIM", "SOCLIM",
    "COGLIM", "DFHEAR42", "DFSEE42", "ADSMOK42", "PHQ242", "EMPST", "POVCAT", "INSCOV",
)  # fmt: skip
# Rows with a lower code are left out: -1 is "inapplicable", lower ones are refusals and the like.
LOWEST = {
    **dict.fromkeys((*CODES, "EDUCYR", "HIDEG"), -1),
    **dict.fromkeys(("REGION", "AGE", "MARRY", "ASTHDX"), 0),
}
FEATURES = ("AGE", "SEX", "RACE", *CODES, *SCORES)
# Visits to offices and hospitals, in emergencies, nights in hospital, and visits at home.
VISITS = ("OBTOTV", "OPTOTV", "ERTOT", "IPNGTD", "HHTOTD")
HIGH = 10


def meps(panel: int, data_dir: str | Path | None = None) -> Table:
    """Return a panel of MEPS: a row for each person, with the use of services in the year.

    The favorable label is ten or more visits. Protected attributes: ``race`` (privileged: white and
    not Hispanic), ``sex`` (privileged: male) and ``age_years``. Persons of one household
    (``DUID``) are not independent: that column is the table's `groups`. The survey's weights
    (``PERWT``) are a column of the frame, but no feature.

    Parameters
    ----------
    panel : {19, 20, 21}
        The panel.
    data_dir : path, optional
        Folder with ``h181.ssp`` (panel 21: ``h192.ssp``), plain, gzipped or in the archive, or as
        the CSV file that AIF360's script makes.

    Raises
    ------
    InputError
        If the file is missing, or has other columns or values.
    """
    file = FILES[YEARS[panel]]
    place = find(file, data_dir)
    if place is None:
        raise InputError(
            f"{file.name}: not found in {', '.join(map(str, folders(data_dir)))}. Its users agree "
            f"to the terms at {TERMS}: if you do, `grad-ext data fetch meps{panel}` downloads it, "
            f"or {how_to_get(file)}"
        )
    return parse(read(file, place), panel)


def parse(content: bytes, panel: int) -> Table:
    """Return the table of a file's content.

    Raises
    ------
    InputError
        If a column is missing or has an unexpected value.
    """
    year = YEARS[panel]
    file = FILES[year]
    renamed = {
        **RENAMED,
        f"POVCAT{year}": "POVCAT",
        f"INSCOV{year}": "INSCOV",
        f"PERWT{year}F": "PERWT",
        **{f"{column}{year}": column for column in VISITS},
    }
    final = [
        *("PANEL", "DUID", "SEX", "RACEV2X", "HISPANX", "AGE", "PERWT", "EDUCYR", "HIDEG"),
        *(*CODES, *SCORES, *VISITS),
    ]
    original = {name: column for column, name in renamed.items()}
    frame = _numbers(file.name, content, [original.get(name, name) for name in final])
    frame.columns = pd.Index(final)
    kept = frame["PANEL"] == panel
    for column, lowest in LOWEST.items():
        kept &= frame[column] >= lowest
    frame = frame[kept].reset_index(drop=True)
    if not len(frame):
        raise InputError(
            f"{file.name}: no complete row of panel {panel}; is it the published file?"
        )
    white = (frame.pop("HISPANX") == 2) & (frame.pop("RACEV2X") == 1)
    frame["RACE"] = np.where(white, "White", "Non-White").astype(object)
    frame["SEX"] = np.where(frame["SEX"] == 1, "male", "female").astype(object)
    frame["DUID"] = frame["DUID"].astype("int64")
    for column in CODES:
        frame[column] = frame[column].astype("int64").astype(str).astype(object)
    for column in SCORES:
        frame[column] = frame[column].where(frame[column] >= 0)
    high = frame[list(VISITS)].sum(axis=1) >= HIGH
    frame["utilization"] = np.where(high, "high", "low").astype(object)
    return Table(
        name=f"meps{panel}",
        frame=frame,
        features=FEATURES,
        target=Target("utilization", favorable="high", unfavorable="low"),
        protected=(
            SensitiveAttribute("race", column="RACE", values=("White",)),
            SensitiveAttribute("sex", column="SEX", values=("male",)),
            SensitiveAttribute("age_years", column="AGE", continuous=True),
        ),
        groups="DUID",
        source=f"AHRQ, MEPS {file.name[:4].upper()}, 20{year}, under its terms of use ({TERMS})",
        checksums={file.name: hashlib.sha256(content).hexdigest()},
    )


def _numbers(name: str, content: bytes, columns: list[str]) -> pd.DataFrame:
    """Return columns of a SAS transport file or a CSV file as numbers, `nan` where blank."""
    if not content.startswith(b"HEADER RECORD"):
        text = text_frame(name, content, columns)
        return pd.DataFrame({c: numbers(name, text[c], blank=("", "NA")) for c in columns})
    try:
        frame = pd.read_sas(BytesIO(content), format="xport")
    except ValueError as error:
        raise InputError(f"{name}: cannot be read as SAS transport file ({error})") from None
    missing = [column for column in columns if column not in frame.columns]
    if missing:
        raise InputError(
            f"{name}: no column {', '.join(map(repr, missing))}; is it the published file?"
        )
    # The format has no zero of its own: pandas reads the smallest number there is.
    return frame[columns].astype("float64").round(6)
