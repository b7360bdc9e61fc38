"""The data sets with a name: descriptions that need no file."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from grad_ext.data import acs, bank, compas, credit, diabetes, embedded, health, law_school, meps
from grad_ext.data.fetch import RawFile, find
from grad_ext.data.openml import FORM, OpenML
from grad_ext.data.table import Table
from grad_ext.errors import InputError, unknown


@dataclass(frozen=True)
class DataSet:
    """A data set with a name.

    Attributes
    ----------
    name, title : str
        Its short name, and what it is.
    label : str
        The favorable label, in words.
    load : callable
        Takes the user's folder or None and returns the `Table`.
    rows, features : int or None
        Number of rows and features; None if it depends on the user's files.
    protected : tuple of str
        Names of its protected attributes.
    licence, citation : str
        Terms of use, and how to cite it.
    page : str
        Address of its source.
    caveats : tuple of str
        What is known to be wrong with it, or easily misread.
    files : tuple of RawFile
        Files that are not in the package.
    terms : str, optional
        Address of the terms that who downloads it agrees to; it is then not downloaded on first use.
    openml : OpenML, optional
        What fetches it from OpenML; its protected attributes are then columns of the user's choice.
    """

    name: str
    title: str
    label: str
    load: Callable[[str | Path | None], Table]
    rows: int | None
    features: int | None
    protected: tuple[str, ...]
    licence: str
    citation: str
    page: str
    caveats: tuple[str, ...]
    files: tuple[RawFile, ...] = ()
    terms: str | None = None
    openml: OpenML | None = None

    def missing(self, data_dir: str | Path | None = None) -> list[RawFile]:
        """Return the files that are missing from the user's folder and the cache."""
        return [file for file in self.files if find(file, data_dir) is None]

    def state(self, data_dir: str | Path | None = None) -> str:
        """Return where its files are, in a few words."""
        if self.openml is not None:
            here = self.openml.place(data_dir) is not None
            return "on this machine" if here else "downloaded on first use"
        if not self.files:
            return "comes with the package"
        missing = self.missing(data_dir)
        if not missing:
            return "on this machine"
        if not all(file.url for file in missing):
            return "needs your own files"
        return "downloaded by data fetch" if self.terms else "downloaded on first use"


CC_BY = "CC BY 4.0"

DATA_SETS = {
    data_set.name: data_set
    for data_set in (
        DataSet(
            name="german",
            title="German credit: good or bad credit risk",
            label="good credit",
            load=embedded.german,
            rows=1_000,
            features=20,
            protected=("age", "sex", "age_years"),
            licence=CC_BY,
            citation="Hofmann, H. (1994). Statlog (German Credit Data). UCI Machine Learning "
            "Repository. https://doi.org/10.24432/C5NC77",
            page="https://archive.ics.uci.edu/dataset/144",
            caveats=(
                (
                    "sex is read from a code of sex and marital status, and protecting it takes both along; "
                    "no single women occur"
                ),
                (
                    "UCI's description of several columns is wrong: see Groemping, U. (2019), South German "
                    "Credit Data: Correcting a Widely Used Data Set, Beuth University, report 4/2019"
                ),
                "bad credit was sampled more often than it occurs (300 of 1,000), in 1973 to 1975",
                "a test part of 200 rows has about 40 persons of 25 or younger: intervals are wide",
            ),
        ),
        DataSet(
            name="adult",
            title="Adult income: above 50,000 dollars or not",
            label="income above 50,000 dollars",
            load=embedded.adult,
            rows=45_222,
            features=13,
            protected=("sex", "race", "race_groups", "age_years"),
            licence=CC_BY,
            citation="Becker, B. and Kohavi, R. (1996). Adult. UCI Machine Learning Repository. "
            "https://doi.org/10.24432/C5XW20",
            page="https://archive.ics.uci.edu/dataset/2",
            caveats=(
                (
                    "incomes of 1994; the cut at 50,000 dollars is about the 76th percentile of all and the "
                    "88th of Black people, so differences depend on the cut: see Ding et al. (2021)"
                ),
                "rows with a missing value are left out, 3,620 of 48,842",
                "the file is a weighted sample (fnlwgt), and rows are counted here without weights",
            ),
        ),
        DataSet(
            name="diabetes",
            title="Diabetes in 130 US hospitals: readmitted or not",
            label="readmitted",
            load=diabetes.diabetes,
            rows=99_492,
            features=len(diabetes.FEATURES),
            protected=("race", "gender", "race_groups", "age_groups"),
            licence=CC_BY,
            citation="Clore, J., Cios, K., DeShazo, J. and Strack, B. (2014). Diabetes 130-US "
            "Hospitals for Years 1999-2008. UCI Machine Learning Repository. "
            "https://doi.org/10.24432/C5230J",
            page="https://archive.ics.uci.edu/dataset/296",
            caveats=(
                "to be readmitted counts as favorable because it is predicted; nobody would call it good",
                "stays that ended in death or a hospice are kept: they can hardly be followed by another",
                "a patient's stays are not independent, and 123 patients have more than one race",
            ),
            files=(diabetes.FILE,),
        ),
        DataSet(
            name="health",
            title="Heritage Health Prize: in hospital next year or not",
            label="in hospital next year",
            load=health.health,
            rows=None,
            features=None,
            protected=("age", "age_70", "sex", "age_groups"),
            licence="the competition's rules: no sharing, no use outside of it",
            citation=f"Heritage Provider Network (2011). Heritage Health Prize. {health.PAGE}",
            page=health.PAGE,
            caveats=(
                "days in hospital count as favorable because they are predicted",
                "ages come in bands of ten years and are missing for 9,163 rows",
                "a member has up to two rows, which are not independent",
            ),
            files=health.FILES,
        ),
        DataSet(
            name="compas",
            title="COMPAS: a new offence within two years or not",
            label="no new offence within two years",
            load=compas.compas,
            rows=6_172,
            features=len(compas.FEATURES),
            protected=(
                *("race", "sex", "race_black_white", "race_groups", "age_groups", "age_years"),
            ),
            licence="none given; published by ProPublica",
            citation="Angwin, J., Larson, J., Mattu, S. and Kirchner, L. (2016). Machine Bias. "
            "ProPublica.",
            page=compas.FILE.page,
            caveats=(
                (
                    "offenders were kept with less than two years of observation, others were not, which "
                    "raises the rate of new offences from about 36 % to 45 %: see Barenstein, M. (2019), "
                    "ProPublica's COMPAS Data Revisited"
                ),
                "the label is a new charge, not an offence, and policing differs by race",
                "Hispanic is one of the races here, not an origin beside them",
                "COMPAS does not use race; its score (decile_score) is not a feature here",
            ),
            files=(compas.FILE,),
        ),
        DataSet(
            name="law_school",
            title="Law school: the bar exam passed or not",
            label="bar exam passed",
            load=law_school.law_school,
            rows=20_798,
            features=len(law_school.FEATURES),
            protected=("race", "sex"),
            licence="none given; a study of the LSAC",
            citation="Wightman, L. F. (1998). LSAC National Longitudinal Bar Passage Study. Law School "
            "Admission Council.",
            page=law_school.FILE.page,
            caveats=(
                (
                    "only students who finished and took the exam have a label: a selection that differs by "
                    "group"
                ),
                "about 89 % pass, so accuracy says little",
                "race has two values in this version of the file, White and Non-White",
                "decile1b, decile3, zfygpa and zgpa are grades in law school, unknown at admission",
                "students of 1991; several versions of the data are in use, and results differ",
            ),
            files=(law_school.FILE,),
        ),
        *(
            DataSet(
                name=version.name,
                title=f"Bank marketing: {version.file.name}, a deposit subscribed or not",
                label="subscribes",
                load=load,
                rows=rows,
                features=len(version.features),
                protected=("age", "marital", "age_years"),
                licence=CC_BY,
                citation="Moro, S., Rita, P. and Cortez, P. (2014). Bank Marketing. UCI Machine "
                "Learning Repository. https://doi.org/10.24432/C5K306",
                page=bank.PAGE,
                caveats=(
                    (
                        "duration, the length of the call, is no feature: it is known only afterwards and "
                        "gives the label away; results with it are not comparable"
                    ),
                    (
                        "rows are in the order of time, and a random split mixes years before and after "
                        "the crisis of 2008"
                    ),
                    "few clients are below 25 or from 60 on, and they subscribe far more often",
                    "unknown is a level; who was never contacted before has no pdays",
                ),
                files=(version.file,),
            )
            for version, load, rows in (
                (bank.BANK, bank.bank, 45_211),
                (bank.BANK_ADDITIONAL, bank.bank_additional, 41_188),
            )
        ),
        DataSet(
            name="credit",
            title="Credit card clients in Taiwan: default next month or not",
            label="no default next month",
            load=credit.credit,
            rows=30_000,
            features=len(credit.FEATURES),
            protected=("sex", "marital", "age_years"),
            licence=CC_BY,
            citation="Yeh, I-C. (2009). Default of Credit Card Clients. UCI Machine Learning "
            "Repository. https://doi.org/10.24432/C55S3H",
            page=credit.FILE.page,
            caveats=(
                (
                    "codes 0, 5 and 6 of EDUCATION, 0 of MARRIAGE, and -2 and 0 of PAY_0 to PAY_6 are in no "
                    "description by the publisher; they are levels and numbers as they stand"
                ),
                (
                    "women default less often than men (20.8 % and 24.2 %): male is called privileged by "
                    "convention only"
                ),
                "one bank, six months of 2005, in a crisis of credit card debt",
            ),
            files=(credit.FILE,),
        ),
        *(
            DataSet(
                name=f"meps{panel}",
                title=f"MEPS, panel {panel}: ten or more visits to medical services in a year or not",
                label="ten or more visits",
                load=partial(meps.meps, panel),
                rows=rows,
                features=len(meps.FEATURES),
                protected=("race", "sex", "age_years"),
                licence="public use file, under its terms of use",
                citation=f"Agency for Healthcare Research and Quality. Medical Expenditure Panel "
                f"Survey, full year consolidated data file of 20{year}.",
                page=meps.FILES[year].page,
                caveats=(
                    "use of services stands for need of them: who has worse access seems healthier",
                    (
                        "a survey with weights (PERWT), and rows are counted here without them, unlike in "
                        "AIF360"
                    ),
                    "race has two groups, white without Hispanic and all others",
                    "persons of a household are not independent and stay together in a split",
                ),
                files=(meps.FILES[year],),
                terms=meps.TERMS,
            )
            for panel, year, rows in ((19, "15", 15_830), (20, "15", 17_570), (21, "16", 15_675))
        ),
    )
}


@dataclass(frozen=True)
class Family:
    """Data sets whose names have arguments, such as a state and a year.

    Attributes
    ----------
    name, form : str
        The beginning of the names, and the form of a whole name.
    title, label, licence, page : str
        As for `DataSet`.
    state : str
        Where the files are, in a few words.
    protected : tuple of str
        Names of the protected attributes.
    member : callable
        Takes the arguments and returns the data set.
    """

    name: str
    form: str
    title: str
    label: str
    protected: tuple[str, ...]
    licence: str
    page: str
    state: str
    member: Callable[..., DataSet]


ACS_PROTECTED = ("sex", "race", "race_groups", "age_years")
ACS_CAVEATS = {
    "acs_income": "rates depend on the cut of 50,000 dollars, which is high in some states and low in "
    "others",
    "acs_employment": "children are among the rows, as in folktables, and are easy to predict",
    "acs_public_coverage": "to be covered counts as favorable, although low income is what leads to it",
    "acs_mobility": "to stay counts as favorable because it is predicted",
    "acs_travel_time": "a long way counts as favorable because it is predicted; who works at home has "
    "no time and counts as short",
}


def _acs_title(task: acs.Task) -> str:
    return f"American Community Survey: {task.title} or not"


def _acs(task: acs.Task, state: str, year: str) -> DataSet:
    file = acs.census_file(state, year)
    return DataSet(
        name=f"{task.name}:{state}:{year}",
        title=f"{_acs_title(task)}; {state}, {year}",
        label=task.title,
        load=partial(acs.acs, task.name, state, year),
        rows=None,
        features=len(task.features),
        protected=ACS_PROTECTED,
        licence="public domain",
        citation="Ding, F., Hardt, M., Miller, J. and Schmidt, L. (2021). Retiring Adult: New Datasets "
        "for Fair Machine Learning. NeurIPS.",
        page=file.page,
        caveats=(
            ACS_CAVEATS[task.name],
            "a survey with weights (PWGTP), and rows are counted here without them",
            "incomes are top-coded, and some values are imputed by the Census Bureau",
            "persons of a household are not independent and stay together in a split",
        ),
        files=(file,),
    )


FAMILIES = {
    task.name: Family(
        name=task.name,
        form=f"{task.name}:STATE:YEAR",
        title=_acs_title(task),
        label=task.title,
        protected=ACS_PROTECTED,
        licence="public domain",
        page=acs.BASE,
        state="downloaded on first use",
        member=partial(_acs, task),
    )
    for task in acs.TASKS.values()
}


def _openml(number: str, *favorable: str) -> DataSet:
    source = OpenML.named(number, *favorable)
    return DataSet(
        name=source.name,
        title=f"OpenML's data set {source.number}",
        label="OpenML's target" if source.favorable is None else source.favorable,
        load=lambda data_dir: source.table(None, data_dir),
        rows=None,
        features=None,
        protected=(),
        licence="see its page",
        citation="Vanschoren, J., van Rijn, J. N., Bischl, B. and Torgo, L. (2013). OpenML: Networked "
        "Science in Machine Learning. SIGKDD Explorations 15(2).",
        page=source.page,
        caveats=(
            "uploaded by users: versions of one data set differ in rows, columns and labels",
            "columns are read as OpenML has them; nothing is known here about their meaning",
        ),
        openml=source,
    )


FAMILIES["openml"] = Family(
    name="openml",
    form=FORM,
    title="A data set of OpenML by its number, through scikit-learn",
    label="OpenML's target",
    protected=(),
    licence="see its page",
    page="https://www.openml.org",
    state="downloaded on first use",
    member=_openml,
)


def data_set(name: str) -> DataSet:
    """Return the data set of a name, which may have arguments.

    Parameters
    ----------
    name : str
        A name of `DATA_SETS`, or one in the form of a family, such as ``'acs_income:CA:2018'``.

    Raises
    ------
    InputError
        If there is no such data set.

    Examples
    --------
    >>> from grad_ext.data.catalog import data_set
    >>> data_set("acs_income:CA:2018").label
    'income above 50,000 dollars'
    """
    if name in DATA_SETS:
        return DATA_SETS[name]
    first, *arguments = name.split(":")
    if first not in FAMILIES:
        raise unknown("data set", name, [*DATA_SETS, *(each.form for each in FAMILIES.values())])
    family = FAMILIES[first]
    if len(arguments) < family.form.partition("[")[0].count(":") or (
        "[" not in family.form and len(arguments) > family.form.count(":")
    ):
        raise InputError(f"data set {name!r}: expected the form {family.form}")
    return family.member(*arguments)


def known_data_set(name: str) -> DataSet | None:
    """Return the data set of a name; None if it is the name of a table of the user's own."""
    try:
        return data_set(name)
    except InputError:
        return None
