"""COMPAS: defendants of Broward County, Florida, 2013 and 2014, as published by ProPublica.

- Angwin, J., Larson, J., Mattu, S. and Kirchner, L. (2016). Machine Bias. ProPublica.
- Larson, J., Mattu, S., Kirchner, L. and Angwin, J. (2016). How We Analyzed the COMPAS Recidivism
  Algorithm. ProPublica; it has the rules by which rows are left out.
"""

from __future__ import annotations

import hashlib
from pathlib import Path

from grad_ext.data.fetch import RawFile, obtain
from grad_ext.data.raw_csv import named, numbers, text_frame
from grad_ext.data.sensitive import SensitiveAttribute
from grad_ext.data.table import Table, Target
from grad_ext.errors import InputError

# The address has the commit, so that its content cannot change.
FILE = RawFile(
    name="compas-scores-two-years.csv",
    page="https://github.com/propublica/compas-analysis",
    archives=("compas-analysis-master.zip",),
    size=2_546_489,
    sha256="c451db85908b2f7fef1d83203bedf6b71ecda0d5af468d82ae62178f91d0cc7d",
    url="https://raw.githubusercontent.com/propublica/compas-analysis/"
    "bafff5da3f2e45eca6c2d5055faad269defd135a/compas-scores-two-years.csv",
)
NUMERIC = ("age", "juv_fel_count", "juv_misd_count", "juv_other_count", "priors_count")
FEATURES = ("sex", "race", "age_cat", *NUMERIC, "c_charge_degree", "c_charge_desc")
# Columns that rows are left out by, and the label.
OTHERS = ("days_b_screening_arrest", "is_recid", "score_text", "decile_score", "two_year_recid")
RACES = ("African-American", "Caucasian", "Hispanic", "Asian", "Native American", "Other")
AGES = ("Less than 25", "25 - 45", "Greater than 45")
# A charge is that of the score if the arrest was at most these days before or after.
MOST_DAYS = 30


def compas(data_dir: str | Path | None = None) -> Table:
    """Return COMPAS: the 6,172 of 7,214 defendants that ProPublica's analysis keeps.

    The favorable label is no new offence within two years. Protected attributes: ``race``
    (privileged: Caucasian), ``sex`` (privileged: female), ``race_black_white`` (two groups,
    others belong to none), ``race_groups``, ``age_groups`` and ``age_years``. COMPAS's own score,
    ``decile_score``, is a column of the frame, but no feature.

    Parameters
    ----------
    data_dir : path, optional
        Folder with ``compas-scores-two-years.csv``; see `grad_ext.data.fetch`.

    Raises
    ------
    InputError
        If the file is not ProPublica's, or is missing and cannot be downloaded.
    """
    return parse(obtain(FILE, data_dir)[0])


def parse(content: bytes) -> Table:
    """Return the table of the file's content.

    Raises
    ------
    InputError
        If a column is missing or has an unexpected value.
    """
    frame = text_frame(FILE.name, content, (*FEATURES, *OTHERS))
    days = numbers(FILE.name, frame["days_b_screening_arrest"], blank=("",))
    kept = (
        days.between(-MOST_DAYS, MOST_DAYS)
        & (frame["is_recid"] != "-1")
        & (frame["c_charge_degree"] != "O")
        & (frame["score_text"] != "N/A")
    )
    frame = frame[kept].reset_index(drop=True)
    for column in (*NUMERIC, "decile_score"):
        frame[column] = numbers(FILE.name, frame[column])
    for column, levels in (("race", RACES), ("age_cat", AGES), ("sex", ("Male", "Female"))):
        frame[column] = named(FILE.name, frame[column], {level: level for level in levels})
    frame["c_charge_desc"] = frame["c_charge_desc"].replace("", "unknown")
    frame["recidivism"] = named(FILE.name, frame["two_year_recid"], {"0": "no", "1": "yes"})
    if not len(frame):
        raise InputError(f"{FILE.name}: no row is left; is it the published file?")
    ages = ("age", "age_cat")
    return Table(
        name="compas",
        frame=frame,
        features=FEATURES,
        target=Target("recidivism", favorable="no", unfavorable="yes"),
        protected=(
            SensitiveAttribute("race", column="race", values=("Caucasian",)),
            SensitiveAttribute("sex", column="sex", values=("Female",)),
            SensitiveAttribute("race_black_white", column="race", levels=RACES[:2]),
            SensitiveAttribute("race_groups", column="race", levels=RACES),
            SensitiveAttribute("age_groups", column="age_cat", levels=AGES, carriers=ages),
            SensitiveAttribute("age_years", column="age", continuous=True, carriers=ages),
        ),
        source="ProPublica, compas-analysis, https://github.com/propublica/compas-analysis; no "
        "licence is given",
        checksums={FILE.name: hashlib.sha256(content).hexdigest()},
    )
