"""The data sets with a name: descriptions that need no file."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from grad_ext.data import diabetes, embedded, health
from grad_ext.data.fetch import RawFile, find
from grad_ext.data.table import Table


@dataclass(frozen=True)
class DataSet:
    """A data set with a name.

    Attributes
    ----------
    name, title : str
        Its short name, and what it is.
    load : callable
        Takes the user's folder or None and returns the `Table`.
    rows, features : int or None
        Number of rows and features; None if it depends on the user's files.
    protected : tuple of str
        Names of its protected attributes.
    licence, citation : str
        Terms of use, and how to cite it.
    files : tuple of RawFile
        Files that are not in the package.
    """

    name: str
    title: str
    load: Callable[[str | Path | None], Table]
    rows: int | None
    features: int | None
    protected: tuple[str, ...]
    licence: str
    citation: str
    files: tuple[RawFile, ...] = ()

    def missing(self, data_dir: str | Path | None = None) -> list[RawFile]:
        """Return the files that are missing from the user's folder and the cache."""
        return [file for file in self.files if find(file, data_dir) is None]

    def state(self, data_dir: str | Path | None = None) -> str:
        """Return where its files are, in a few words."""
        if not self.files:
            return "comes with the package"
        missing = self.missing(data_dir)
        if not missing:
            return "on this machine"
        if all(file.url for file in missing):
            return "downloaded on first use"
        return "needs your own files"


CC_BY = "CC BY 4.0"

DATA_SETS = {
    data_set.name: data_set
    for data_set in (
        DataSet(
            name="german",
            title="German credit: good or bad credit risk",
            load=embedded.german,
            rows=1_000,
            features=20,
            protected=("age", "sex", "age_years"),
            licence=CC_BY,
            citation="Hofmann, H. (1994). Statlog (German Credit Data). UCI Machine Learning "
            "Repository. https://doi.org/10.24432/C5NC77",
        ),
        DataSet(
            name="adult",
            title="Adult income: above 50,000 dollars or not",
            load=embedded.adult,
            rows=45_222,
            features=13,
            protected=("sex", "race", "race_groups", "age_years"),
            licence=CC_BY,
            citation="Becker, B. and Kohavi, R. (1996). Adult. UCI Machine Learning Repository. "
            "https://doi.org/10.24432/C5XW20",
        ),
        DataSet(
            name="diabetes",
            title="Diabetes in 130 US hospitals: readmitted or not",
            load=diabetes.diabetes,
            rows=99_492,
            features=len(diabetes.FEATURES),
            protected=("race", "gender", "race_groups", "age_groups"),
            licence=CC_BY,
            citation="Clore, J., Cios, K., DeShazo, J. and Strack, B. (2014). Diabetes 130-US "
            "Hospitals for Years 1999-2008. UCI Machine Learning Repository. "
            "https://doi.org/10.24432/C5230J",
            files=(diabetes.FILE,),
        ),
        DataSet(
            name="health",
            title="Heritage Health Prize: in hospital next year or not",
            load=health.health,
            rows=None,
            features=None,
            protected=("age", "age_70", "sex", "age_groups"),
            licence="the competition's rules: no sharing, no use outside of it",
            citation=f"Heritage Provider Network (2011). Heritage Health Prize. {health.PAGE}",
            files=health.FILES,
        ),
    )
}
