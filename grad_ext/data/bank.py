"""Bank marketing: calls of a Portuguese bank, 2008 to 2010. Downloaded from UCI, in two versions.

Published under CC BY 4.0 (https://creativecommons.org/licenses/by/4.0/):

- Moro, S., Rita, P. and Cortez, P. (2014). Bank Marketing. UCI Machine Learning Repository.
  https://doi.org/10.24432/C5K306
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path

from grad_ext.data.fetch import RawFile, obtain
from grad_ext.data.raw_csv import named, numbers, text_frame
from grad_ext.data.sensitive import SensitiveAttribute
from grad_ext.data.table import Table, Target

PAGE = "https://archive.ics.uci.edu/dataset/222"
URL = "https://archive.ics.uci.edu/static/public/222/bank+marketing.zip"
CLIENT = ("age", "job", "marital", "education", "default", "housing", "loan")


@dataclass(frozen=True)
class Version:
    """One of the two files.

    Attributes
    ----------
    name : str
        Name of the data set.
    file : RawFile
        The file.
    numeric, categorical : tuple of str
        Its features; `duration`, the length of the call, is none.
    never : str
        The code of `pdays` for clients who were not contacted before.
    """

    name: str
    file: RawFile
    numeric: tuple[str, ...]
    categorical: tuple[str, ...]
    never: str

    @property
    def features(self) -> tuple[str, ...]:
        """All features, numeric ones first."""
        return (*self.numeric, *self.categorical)


BANK = Version(
    name="bank",
    file=RawFile(
        name="bank-full.csv",
        page=PAGE,
        archives=("bank+marketing.zip", "bank.zip"),
        sha256="d1513ec63b385506f7cfce9f2c5caa9fe99e7ba4e8c3fa264b3aaf0f849ed32d",
        url=URL,
    ),
    numeric=("age", "balance", "day", "campaign", "pdays", "previous"),
    categorical=(*CLIENT[1:], "contact", "month", "poutcome"),
    never="-1",
)
BANK_ADDITIONAL = Version(
    name="bank_additional",
    file=RawFile(
        name="bank-additional-full.csv",
        page=PAGE,
        archives=("bank+marketing.zip", "bank-additional.zip"),
        size=5_834_924,
        sha256="74adfc578bf77a7ff4bb1ba4a9f8709d9e3c6907342959c2c8416847e0afb4d8",
        url=URL,
    ),
    numeric=(
        *("age", "campaign", "pdays", "previous", "emp.var.rate", "cons.price.idx"),
        *("cons.conf.idx", "euribor3m", "nr.employed"),
    ),
    categorical=(*CLIENT[1:], "contact", "month", "day_of_week", "poutcome"),
    never="999",
)


def bank(data_dir: str | Path | None = None) -> Table:
    """Return Bank marketing, the 45,211 rows of bank-full.csv.

    The favorable label is that the client subscribes. Protected attributes: ``age`` (privileged: 25
    or more and below 60), ``marital`` (privileged: married) and ``age_years``. The length of the
    call (``duration``) is no feature, since it is known only after it.

    Parameters
    ----------
    data_dir : path, optional
        Folder with ``bank-full.csv``, plain, gzipped or in UCI's archive; see
        `grad_ext.data.fetch`.

    Raises
    ------
    InputError
        If the file is not UCI's, or is missing and cannot be downloaded.
    """
    return parse(obtain(BANK.file, data_dir)[0], BANK)


def bank_additional(data_dir: str | Path | None = None) -> Table:
    """Return Bank marketing, the 41,188 rows of bank-additional-full.csv, which AIF360 uses.

    Label, attributes and `data_dir` are those of `bank`; the economy's indicators are five
    further features.
    """
    return parse(obtain(BANK_ADDITIONAL.file, data_dir)[0], BANK_ADDITIONAL)


def parse(content: bytes, version: Version) -> Table:
    """Return the table of a file's content.

    Raises
    ------
    InputError
        If a column is missing or has an unexpected value.
    """
    name = version.file.name
    frame = text_frame(name, content, (*version.features, "y"), sep=";")
    for column in version.numeric:
        # The code for never is no number of days.
        blank = (version.never,) if column == "pdays" else ()
        frame[column] = numbers(name, frame[column], blank=blank)
    frame["subscribed"] = named(name, frame.pop("y"), {"no": "no", "yes": "yes"})
    return Table(
        name=version.name,
        frame=frame,
        features=version.features,
        target=Target("subscribed", favorable="yes", unfavorable="no"),
        protected=(
            SensitiveAttribute("age", column="age", at_least=25, below=60),
            SensitiveAttribute("marital", column="marital", values=("married",)),
            SensitiveAttribute("age_years", column="age", continuous=True),
        ),
        source="UCI Bank Marketing, doi:10.24432/C5K306, CC BY 4.0",
        checksums={name: hashlib.sha256(content).hexdigest()},
    )
