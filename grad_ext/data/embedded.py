"""The data sets that come with the package: German credit and Adult income, byte for byte as UCI's.

Both are published under CC BY 4.0 (https://creativecommons.org/licenses/by/4.0/):

- Hofmann, H. (1994). Statlog (German Credit Data). UCI Machine Learning Repository.
  https://doi.org/10.24432/C5NC77
- Becker, B. and Kohavi, R. (1996). Adult. UCI Machine Learning Repository.
  https://doi.org/10.24432/C5XW20
"""

import gzip
import hashlib
from importlib.resources import files
from io import StringIO
from pathlib import Path

import pandas as pd

from grad_ext.data.sensitive import SensitiveAttribute
from grad_ext.data.table import Table, Target
from grad_ext.errors import InputError

SHA256 = {
    "german.data": "b21f3d81db8071257d5ff1deaeba1fd4303b62712e6fcc9715c7a86202cb5871",
    "adult.data": "5b00264637dbfec36bdeaab5676b0b309ff9eb788d63554ca0a249491c86603d",
    "adult.test": "a2a9044bc167a35b2361efbabec64e89d69ce82d9790d2980119aac5fd7e9c05",
}

GERMAN_NUMERIC = (
    "duration", "credit_amount", "installment_rate", "residence_since", "age",
    "existing_credits", "dependents",
)  # fmt: skip
GERMAN_COLUMNS = (
    "status", "duration", "credit_history", "purpose", "credit_amount", "savings",
    "employment", "installment_rate", "personal_status", "other_debtors", "residence_since",
    "property", "age", "other_plans", "housing", "existing_credits", "job", "dependents",
    "telephone", "foreign_worker", "credit",
)  # fmt: skip
ADULT_COLUMNS = (
    "age", "workclass", "fnlwgt", "education", "education_num", "marital_status", "occupation",
    "relationship", "race", "sex", "capital_gain", "capital_loss", "hours_per_week",
    "native_country", "income",
)  # fmt: skip
ADULT_RACES = ("White", "Black", "Asian-Pac-Islander", "Amer-Indian-Eskimo", "Other")


def raw_text(name: str) -> str:
    """Return an embedded file as text.

    Raises
    ------
    InputError
        If the file's SHA-256 is not the published one: the installation is damaged.
    """
    packed = files("grad_ext.data").joinpath(f"{name}.gz").read_bytes()
    try:
        content = gzip.decompress(packed)
    except (OSError, EOFError) as error:
        raise InputError(f"embedded file {name} is damaged ({error}); reinstall grad-ext") from None
    found = hashlib.sha256(content).hexdigest()
    if found != SHA256[name]:
        raise InputError(
            f"embedded file {name} is damaged: expected SHA-256 {SHA256[name]}, got {found}; "
            "reinstall grad-ext"
        )
    return content.decode("ascii")


def german(data_dir: str | Path | None = None) -> Table:
    """Return German credit: 1,000 rows, 7 numeric and 13 categorical features.

    The favorable label is good credit (1). Protected attributes: ``age`` (privileged: above 25, the
    cut of Kamiran and Calders 2009 that AIF360 uses), ``sex`` (privileged: male), read from
    ``personal_status``, which holds sex and marital status in one code, and ``age_years`` (the
    number). `data_dir` is not looked at: the file comes with the package.
    """
    frame = pd.read_csv(
        StringIO(raw_text("german.data")), sep=" ", header=None, names=list(GERMAN_COLUMNS)
    )
    return Table(
        name="german",
        frame=frame,
        features=GERMAN_COLUMNS[:-1],
        target=Target("credit", favorable=1, unfavorable=2),
        protected=(
            SensitiveAttribute("age", column="age", above=25),
            SensitiveAttribute("sex", column="personal_status", values=("A91", "A93", "A94")),
            SensitiveAttribute("age_years", column="age", continuous=True),
        ),
        source="UCI Statlog (German Credit Data), doi:10.24432/C5NC77, CC BY 4.0",
        checksums={"german.data": SHA256["german.data"]},
    )


def adult(data_dir: str | Path | None = None) -> Table:
    """Return Adult income: 30,162 rows of adult.data, then 15,060 of adult.test.

    Rows with a missing value ("?") are dropped; the survey weight ``fnlwgt`` stays in the frame but
    is no feature. The favorable label is an income above 50,000 dollars. Protected attributes:
    ``sex`` (privileged: male), ``race`` (privileged: white), ``race_groups`` (five groups) and
    ``age_years`` (the number). `data_dir` is not looked at: the files come with the package.
    """
    parts = [
        pd.read_csv(
            StringIO(raw_text(name)),
            header=None,
            names=list(ADULT_COLUMNS),
            skipinitialspace=True,
            na_values="?",
            skiprows=skip,
        ).dropna()
        for name, skip in (("adult.data", 0), ("adult.test", 1))
    ]
    frame = pd.concat(parts, ignore_index=True)
    frame["income"] = frame["income"].str.rstrip(".")
    return Table(
        name="adult",
        frame=frame,
        features=tuple(c for c in ADULT_COLUMNS[:-1] if c != "fnlwgt"),
        target=Target("income", favorable=">50K", unfavorable="<=50K"),
        protected=(
            SensitiveAttribute("sex", column="sex", values=("Male",)),
            SensitiveAttribute("race", column="race", values=("White",)),
            SensitiveAttribute("race_groups", column="race", levels=ADULT_RACES),
            SensitiveAttribute("age_years", column="age", continuous=True),
        ),
        n_test=len(parts[1]),
        source="UCI Adult, doi:10.24432/C5XW20, CC BY 4.0",
        checksums={name: SHA256[name] for name in ("adult.data", "adult.test")},
    )
