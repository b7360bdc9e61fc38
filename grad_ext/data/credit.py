"""Credit card clients of a bank in Taiwan, 2005: default of the next payment. Downloaded from UCI.

Published under CC BY 4.0 (https://creativecommons.org/licenses/by/4.0/):

- Yeh, I-C. (2009). Default of Credit Card Clients. UCI Machine Learning Repository.
  https://doi.org/10.24432/C55S3H
"""

from __future__ import annotations

import hashlib
from pathlib import Path

from grad_ext.data.fetch import RawFile, obtain
from grad_ext.data.raw_csv import named, numbers, text_frame
from grad_ext.data.sensitive import SensitiveAttribute
from grad_ext.data.table import Table, Target

FILE = RawFile(
    name="default_of_credit_card_clients.csv",
    page="https://archive.ics.uci.edu/dataset/350",
    size=2_897_080,
    sha256="45bcf4df62ff2e237a74eb155cabfb4bbbc171219a0637daef44fdad07503dd0",
    url="https://archive.ics.uci.edu/static/public/350/data.csv",
    places=("data.csv",),
)
# The names of X1 to X23 in the original spreadsheet.
PAYMENTS = ("PAY_0", *(f"PAY_{i}" for i in range(2, 7)))
AMOUNTS = (*(f"BILL_AMT{i}" for i in range(1, 7)), *(f"PAY_AMT{i}" for i in range(1, 7)))
FEATURES = ("LIMIT_BAL", "SEX", "EDUCATION", "MARRIAGE", "AGE", *PAYMENTS, *AMOUNTS)
COLUMNS = {f"X{i}": name for i, name in enumerate(FEATURES, start=1)}
NAMES = {
    "SEX": {"1": "male", "2": "female"},
    "EDUCATION": {
        "1": "graduate school", "2": "university", "3": "high school", "4": "others",
        "0": "undocumented 0", "5": "undocumented 5", "6": "undocumented 6",
    },
    "MARRIAGE": {"1": "married", "2": "single", "3": "others", "0": "undocumented 0"},
}  # fmt: skip


def credit(data_dir: str | Path | None = None) -> Table:
    """Return Credit card clients: 30,000 rows of a bank in Taiwan.

    The favorable label is no default in the next month. Protected attributes: ``sex`` (privileged:
    male), ``marital`` (privileged: married) and ``age_years``.

    Parameters
    ----------
    data_dir : path, optional
        Folder with UCI's ``data.csv``, also as ``default_of_credit_card_clients.csv``; see
        `grad_ext.data.fetch`.

    Raises
    ------
    InputError
        If the file is not UCI's, or is missing and cannot be downloaded.
    """
    return parse(obtain(FILE, data_dir)[0])


def parse(content: bytes) -> Table:
    """Return the table of the file's content.

    Raises
    ------
    InputError
        If a column is missing or has an unexpected value.
    """
    frame = text_frame(FILE.name, content, (*COLUMNS, "Y")).rename(columns=COLUMNS)
    for column in FEATURES:
        if column in NAMES:
            frame[column] = named(FILE.name, frame[column], NAMES[column])
        else:
            frame[column] = numbers(FILE.name, frame[column])
    frame["default"] = named(FILE.name, frame.pop("Y"), {"0": "no", "1": "yes"})
    return Table(
        name="credit",
        frame=frame,
        features=FEATURES,
        target=Target("default", favorable="no", unfavorable="yes"),
        protected=(
            SensitiveAttribute("sex", column="SEX", values=("male",)),
            SensitiveAttribute("marital", column="MARRIAGE", values=("married",)),
            SensitiveAttribute("age_years", column="AGE", continuous=True),
        ),
        source="UCI Default of Credit Card Clients, doi:10.24432/C55S3H, CC BY 4.0",
        checksums={FILE.name: hashlib.sha256(content).hexdigest()},
    )
