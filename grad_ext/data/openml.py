"""Data sets of OpenML by number, through scikit-learn's `fetch_openml`, which checks their MD5."""

from __future__ import annotations

import gzip
import hashlib
import os
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any
from urllib.parse import urlparse

from grad_ext.data.bunch import frame_of
from grad_ext.data.fetch import folders
from grad_ext.data.source import table_from_frame
from grad_ext.data.table import Table
from grad_ext.errors import InputError
from grad_ext.files import cache_folder

# Where scikit-learn keeps what it downloads, in its data folder.
CACHED = Path("openml", "openml.org")
FORM = "openml:ID[:FAVORABLE]"
# A label with more values is shown in part.
SHOWN = 10


@dataclass(frozen=True)
class OpenML:
    """A data set of OpenML.

    Attributes
    ----------
    number : int
        Its number.
    favorable : str, optional
        The label's favorable value or condition; not needed for a label of 0 and 1.
    """

    number: int
    favorable: str | None = None

    @classmethod
    def named(cls, number: str, *favorable: str) -> OpenML:
        """Return the data set of the parts of a name.

        Raises
        ------
        InputError
            If the number is none.

        Examples
        --------
        >>> from grad_ext.data.openml import OpenML
        >>> OpenML.named("31", "good")
        OpenML(number=31, favorable='good')
        """
        if not (number.isascii() and number.isdecimal() and int(number) > 0):
            raise InputError(f"expected the form {FORM} with a number, got 'openml:{number}'")
        # A value may have colons.
        return cls(int(number), ":".join(favorable) if favorable else None)

    @property
    def name(self) -> str:
        """The name that loads it."""
        favorable = "" if self.favorable is None else f":{self.favorable}"
        return f"openml:{self.number}{favorable}"

    @property
    def page(self) -> str:
        """Address of its page."""
        return f"https://www.openml.org/d/{self.number}"

    def place(self, data_dir: str | Path | None = None) -> Path | None:
        """Return the data folder of scikit-learn's form that holds it; None if there is none."""
        own = Path(os.environ.get("SCIKIT_LEARN_DATA", "~/scikit_learn_data")).expanduser()
        description = CACHED / "api" / "v1" / "json" / "data" / f"{self.number}.gz"
        places = (*folders(data_dir), own)
        return next((place for place in places if (place / description).is_file()), None)

    def fetch(self, data_dir: str | Path | None = None) -> Any:
        """Return scikit-learn's Bunch of it, after a download into the cache if necessary.

        Raises
        ------
        InputError
            If there is no such data set, or it cannot be downloaded or read.
        """
        from sklearn.datasets import fetch_openml

        home = self.place(data_dir) or cache_folder()
        try:
            return fetch_openml(
                data_id=self.number, data_home=str(home), as_frame=True, parser="auto"
            )
        # What it raises of a damaged or missing file or a number without data: ValueErrors, among
        # them OpenML's own, and OSErrors of the network and of files.
        except (ValueError, OSError, KeyError) as error:
            raise InputError(
                f"cannot get {self.name} through scikit-learn ({error}): see {self.page}; what "
                f"fetch_openml downloads elsewhere can be copied, with its folder {CACHED}, into "
                f"{cache_folder()}"
            ) from None

    def table(
        self, protected: Sequence[str] | None = None, data_dir: str | Path | None = None
    ) -> Table:
        """Return it as a table; its target on OpenML is the label.

        Parameters
        ----------
        protected : sequence of str
            Columns or conditions, as for `grad_ext.data.table.Table.from_frame`.
        data_dir : path, optional
            A data folder of scikit-learn's form.

        Raises
        ------
        InputError
            If no columns are named, the label needs a favorable value, or the columns cannot be used.
        """
        bunch = self.fetch(data_dir)
        frame, label = frame_of(bunch)
        if not protected:
            columns = ", ".join(repr(column) for column in frame if column != label)
            raise InputError(f"{self.name}: name the columns to protect; there are {columns}")
        counts = frame[label].value_counts()
        if self.favorable is None and not set(counts.index.astype(str)) <= {"0", "1"}:
            values = ", ".join(f"{value} ({n:,} rows)" for value, n in counts[:SHOWN].items())
            raise InputError(
                f"{self.name}: label {label!r} has the values {values}: name the favorable one, "
                f"as in '{self.name}:{counts.index[0]}'"
            )
        table = table_from_frame(frame, label, protected, self.favorable, name=self.name)
        details = bunch.get("details", {})
        return replace(
            table,
            source=f"OpenML {self.number}, {details.get('name')}, version {details.get('version')}; "
            f"licence: {details.get('licence', 'none given')}",
            checksums=self._checksums(details, data_dir),
        )

    def _checksums(self, details: Any, data_dir: str | Path | None) -> dict[str, str]:
        """Return the SHA-256 of the unpacked file that was read."""
        home = self.place(data_dir)
        path = urlparse(str(details.get("url", ""))).path.lstrip("/")
        file = None if home is None else home / CACHED / f"{path}.gz"
        if file is None or not file.is_file():
            return {}
        with gzip.open(file) as content:
            return {Path(path).name: hashlib.file_digest(content, "sha256").hexdigest()}
