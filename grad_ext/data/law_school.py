"""Law school: bar passage of students who began in 1991, from the LSAC's longitudinal study.

- Wightman, L. F. (1998). LSAC National Longitudinal Bar Passage Study. Law School Admission Council.
- Le Quy, T., Roy, A., Iosifidis, V., Zhang, W. and Ntoutsi, E. (2022). A survey on datasets for
  fairness-aware machine learning. WIREs Data Mining and Knowledge Discovery 12(3), e1452; the file
  is theirs.
"""

from __future__ import annotations

import hashlib
from pathlib import Path

from grad_ext.data.fetch import RawFile, obtain
from grad_ext.data.raw_csv import named, numbers, text_frame
from grad_ext.data.sensitive import SensitiveAttribute
from grad_ext.data.table import Table, Target

FILE = RawFile(
    name="law_school_clean.csv",
    page="https://github.com/tailequy/fairness_dataset",
    archives=("fairness_dataset-main.zip",),
    url="https://raw.githubusercontent.com/tailequy/fairness_dataset/main/experiments/data/"
    "law_school_clean.csv",
)
NUMERIC = ("decile1b", "decile3", "lsat", "ugpa", "zfygpa", "zgpa")
CODES = ("fulltime", "fam_inc", "tier")
FEATURES = (*NUMERIC, *CODES, "sex", "race")


def law_school(data_dir: str | Path | None = None) -> Table:
    """Return Law school: a row for each student, of whom it is predicted who passes the bar exam.

    The favorable label is to pass. Protected attributes: ``race`` (privileged: White) and ``sex``
    (privileged: male).

    Parameters
    ----------
    data_dir : path, optional
        Folder with ``law_school_clean.csv``; see `grad_ext.data.fetch`.

    Raises
    ------
    InputError
        If the file has other columns or values, or is missing and cannot be downloaded.
    """
    return parse(obtain(FILE, data_dir)[0])


def parse(content: bytes) -> Table:
    """Return the table of the file's content.

    Raises
    ------
    InputError
        If a column is missing or has an unexpected value.
    """
    frame = text_frame(FILE.name, content, (*NUMERIC, *CODES, "male", "race", "pass_bar"))
    for column in NUMERIC:
        frame[column] = numbers(FILE.name, frame[column])
    for column in CODES:
        # The codes are written as 1 or 1.0, but name categories.
        frame[column] = numbers(FILE.name, frame[column]).astype("int64").astype(str).astype(object)
    yes_no = {"0": "no", "0.0": "no", "1": "yes", "1.0": "yes"}
    sexes = {"0": "female", "0.0": "female", "1": "male", "1.0": "male"}
    races = {race: race for race in ("White", "Non-White")}
    frame["sex"] = named(FILE.name, frame.pop("male"), sexes)
    frame["race"] = named(FILE.name, frame["race"], races)
    frame["passed"] = named(FILE.name, frame.pop("pass_bar"), yes_no)
    return Table(
        name="law_school",
        frame=frame,
        features=FEATURES,
        target=Target("passed", favorable="yes", unfavorable="no"),
        protected=(
            SensitiveAttribute("race", column="race", values=("White",)),
            SensitiveAttribute("sex", column="sex", values=("male",)),
        ),
        source="LSAC National Longitudinal Bar Passage Study, as in "
        "https://github.com/tailequy/fairness_dataset; no licence is given",
        checksums={FILE.name: hashlib.sha256(content).hexdigest()},
    )
