"""Diabetes: 130 US hospitals, 1999 to 2008. Downloaded from UCI, or read from the user's folder.

Published under CC BY 4.0 (https://creativecommons.org/licenses/by/4.0/):

- Clore, J., Cios, K., DeShazo, J. and Strack, B. (2014). Diabetes 130-US Hospitals for Years
  1999-2008. UCI Machine Learning Repository. https://doi.org/10.24432/C5230J
- Strack, B. et al. (2014). Impact of HbA1c Measurement on Hospital Readmission Rates: Analysis of
  70,000 Clinical Database Patient Records. BioMed Research International, 781670; its Table 2 has
  the nine groups of diagnoses.
"""

from __future__ import annotations

import hashlib
from io import BytesIO
from pathlib import Path

import pandas as pd

from grad_ext.data.fetch import RawFile, obtain
from grad_ext.data.sensitive import SensitiveAttribute
from grad_ext.data.table import Table, Target
from grad_ext.errors import InputError

FILE = RawFile(
    name="diabetic_data.csv",
    page="https://archive.ics.uci.edu/dataset/296",
    archives=("diabetes+130-us+hospitals+for+years+1999-2008.zip", "dataset_diabetes.zip"),
    size=19_159_383,
    sha256="0689e7ec031237dc63031b938805c48377748761a3b26acab621567afa24df97",
    url="https://archive.ics.uci.edu/static/public/296/"
    "diabetes+130-us+hospitals+for+years+1999-2008.zip",
)

NUMERIC = (
    "time_in_hospital", "num_lab_procedures", "num_procedures", "num_medications",
    "number_outpatient", "number_emergency", "number_inpatient", "number_diagnoses",
)  # fmt: skip
DIAGNOSES = ("diag_1", "diag_2", "diag_3")
# Numbers of a row and of a patient; 97 % of the weights are missing; nobody was given the last two.
NOT_FEATURES = ("encounter_id", "patient_nbr", "weight", "examide", "citoglipton")
FEATURES = (
    "race", "gender", "age", "admission_type_id", "discharge_disposition_id",
    "admission_source_id", "time_in_hospital", "payer_code", "medical_specialty",
    "num_lab_procedures", "num_procedures", "num_medications", "number_outpatient",
    "number_emergency", "number_inpatient", "diag_1", "diag_2", "diag_3", "number_diagnoses",
    "max_glu_serum", "A1Cresult", "metformin", "repaglinide", "nateglinide", "chlorpropamide",
    "glimepiride", "acetohexamide", "glipizide", "glyburide", "tolbutamide", "pioglitazone",
    "rosiglitazone", "acarbose", "miglitol", "troglitazone", "tolazamide", "insulin",
    "glyburide-metformin", "glipizide-metformin", "glimepiride-pioglitazone",
    "metformin-rosiglitazone", "metformin-pioglitazone", "change", "diabetesMed",
)  # fmt: skip
RACES = ("Caucasian", "AfricanAmerican", "Asian", "Hispanic", "Other")
AGES = tuple(f"[{low}-{low + 10})" for low in range(0, 100, 10))

# First and last three-digit code of each group, and the symptom codes that belong to it.
ICD9_GROUPS = {
    "circulatory": (390, 459, 785),
    "respiratory": (460, 519, 786),
    "digestive": (520, 579, 787),
    "diabetes": (250, 250, 250),
    "injury": (800, 999, 999),
    "musculoskeletal": (710, 739, 739),
    "genitourinary": (580, 629, 788),
    "neoplasms": (140, 239, 239),
}


def icd9_group(code: str) -> str:
    """Return the group of a diagnosis, of Strack et al.'s nine; a missing one ("?") stays itself.

    Examples
    --------
    >>> [icd9_group(code) for code in ("250.83", "428", "V57", "?")]
    ['diabetes', 'circulatory', 'other', '?']
    """
    if code == "?":
        return code
    whole = code.split(".")[0]
    if whole.isdecimal():
        for group, (first, last, symptom) in ICD9_GROUPS.items():
            if first <= int(whole) <= last or int(whole) == symptom:
                return group
    return "other"


def diabetes(data_dir: str | Path | None = None) -> Table:
    """Return Diabetes: the 99,492 of 101,766 hospital stays whose patient's race and gender are known.

    The label is whether the patient was readmitted at any time, which counts as favorable since it
    is what is predicted. Protected attributes: ``race`` (privileged: Caucasian), ``gender``
    (privileged: male), ``race_groups`` (five groups) and ``age_groups`` (bands of ten years). Rows
    of one patient (``patient_nbr``) are not independent: that column is the table's `groups`.

    Parameters
    ----------
    data_dir : path, optional
        Folder with ``diabetic_data.csv``, plain, gzipped or in UCI's archive; see
        `grad_ext.data.fetch`.

    Raises
    ------
    InputError
        If the file is another one than UCI's, or it is not there and cannot be downloaded.
    """
    return parse(obtain(FILE, data_dir)[0])


def parse(content: bytes) -> Table:
    """Return the table of the file's content.

    Raises
    ------
    InputError
        If a column is missing or holds what it should not.
    """
    try:
        # "None" is a level ("not measured"), and "?" stays one.
        frame = pd.read_csv(BytesIO(content), dtype=str, keep_default_na=False)
    except ValueError as error:
        raise InputError(f"{FILE.name}: cannot be read as CSV ({error})") from None
    missing = [c for c in (*FEATURES, *NOT_FEATURES, "readmitted") if c not in frame.columns]
    if missing:
        raise InputError(f"{FILE.name}: no column {missing[0]!r}; is it UCI's file?")
    known = frame["race"].isin(RACES) & frame["gender"].isin(("Male", "Female"))
    frame = frame[known].reset_index(drop=True)
    for column in NUMERIC:
        try:
            frame[column] = frame[column].astype("int64")
        except ValueError as error:
            raise InputError(f"{FILE.name}: column {column!r} must hold numbers: {error}") from None
    for column in DIAGNOSES:
        frame[column] = frame[column].map({c: icd9_group(c) for c in frame[column].unique()})
    frame["readmission"] = frame["readmitted"].map({"NO": "no", ">30": "yes", "<30": "yes"})
    return Table(
        name="diabetes",
        frame=frame,
        features=FEATURES,
        target=Target("readmission", favorable="yes", unfavorable="no"),
        protected=(
            SensitiveAttribute("race", column="race", values=("Caucasian",)),
            SensitiveAttribute("gender", column="gender", values=("Male",)),
            SensitiveAttribute("race_groups", column="race", levels=RACES),
            SensitiveAttribute("age_groups", column="age", levels=AGES),
        ),
        groups="patient_nbr",
        source="UCI Diabetes 130-US Hospitals for Years 1999-2008, doi:10.24432/C5230J, CC BY 4.0",
        checksums={FILE.name: hashlib.sha256(content).hexdigest()},
    )
