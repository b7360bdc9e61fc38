"""Columns of texts: numbers, dates and times as people write them, and categories with their spellings."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from grad_ext.data.scalars import (
    DATES,
    DURATIONS,
    ISO_DATE,
    LONG_NUMBERS,
    MISSING_WORDS,
    MONTH_OR_QUARTER,
    NEARLY_ALL,
    NUMBER,
    SHOWN,
    Column,
    _short,
    boolean_column,
    duration_in_days,
    factorized,
    iso_days,
    not_exact,
    number_values,
    plain_number,
    rows_text,
    shown,
    spelling,
    stripped,
    text_of,
)
from grad_ext.errors import InputError

# From so many different numbers on, a column with a few words among them is a column of numbers.
MANY_NUMBERS = 10
CODE = re.compile(r"0\d+")
CURRENCY = re.compile(
    r"^(?P<sign>[+-]?)\s*(?P<before>[$€£¥₹]|US\$|USD|EUR|GBP|CHF)\s*"
    r"|\s*(?P<after>[$€£¥₹]|USD|EUR|GBP|CHF|kr|%)$"
)
SIGNS = {"USD": "$", "US$": "$", "EUR": "€", "GBP": "£"}
# A number and a word after it, such as '60 kg'.
WITH_UNIT = re.compile(r"(?P<number>[+-]?(?:\d+\.?\d*|\.\d+))\s*(?P<unit>[^\W\d_]+\.?|°[CF]?)")
# Texts that hold a number, which is written in a way that is not read.
LIKE_NUMBER = re.compile(
    r"[(<>~≤≥=]?\s*[+\u2212-]?\s*(?:[$€£¥₹])?\s*\d[\d.,'’_ \u00a0\u2009\u202f]*\s*"
    r"(?:[eE][+-]?\d+)?\s*(?:[)+%$€£¥₹]|[kKmMbB]|[mb]n|mio|USD|EUR|GBP|CHF)?"
)
# Thousands separators, of which every group but the first has three digits.
GROUPED = {
    ",": re.compile(r"[+-]?\d{1,3}(?:,\d{3})+(?:\.\d*)?"),
    "'": re.compile(r"[+-]?\d{1,3}(?:['’]\d{3})+(?:\.\d*)?"),
    " ": re.compile(r"[+-]?\d{1,3}(?:[ \u00a0\u2009\u202f]\d{3})+(?:[.,]\d*)?"),
    ".": re.compile(r"[+-]?\d{1,3}(?:\.\d{3})+,\d*|[+-]?\d{1,3}(?:\.\d{3}){2,}"),
}
# Beside numbers with points between thousands, a single point is one too.
POINT_GROUPED = re.compile(r"[+-]?\d{1,3}(?:\.\d{3})+(?:,\d*)?|[+-]?\d+(?:,\d+)?")
# Numbers that have a decimal point in English and a point between thousands elsewhere.
THREE_DECIMALS = re.compile(r"[+-]?[1-9]\d{0,2}\.\d{3}")
DECIMAL_COMMA = re.compile(r"[+-]?\d+,\d+|[+-]?\d+")
MONTH = r"(?:jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec)[a-z]*"
OTHER_DATE = re.compile(
    r"\d{1,2}[./-]\d{1,2}[./-](?:\d{4}|\d{2})(?:[ T].*)?|\d{4}[./]\d{1,2}[./]\d{1,2}(?:[ T].*)?"
    rf"|(?:[a-z]+,? )?(?:\d{{1,2}}[. -]*)?{MONTH}[., -]*(?:\d{{4}}|[ '-]\d{{2}})(?:[ T:].*)?"
    rf"|(?:[a-z]+,? )?{MONTH}[. ]+\d{{1,2}}(?:st|nd|rd|th)?,? \d{{4}}(?:[ T].*)?",
    re.IGNORECASE,
)
TIME = re.compile(r"(\d{1,3}):([0-5]\d)(?::([0-5]\d(?:\.\d+)?))?")
# As pandas writes durations, and as ISO 8601 does.
DURATION = re.compile(
    r"-?\d+ days?(?: [+-]?\d{1,2}:\d{2}:\d{2}(?:\.\d+)?)?"
    r"|-?P(?=\d|T\d)(?:\d+D)?(?:T(?:\d+H)?(?:\d+M)?(?:\d+(?:\.\d+)?S)?)?"
)
BOOLEAN = {"true": True, "false": False}


def categories_of(values: pd.Series, missing_values: Collection[str]) -> Column:
    """Read a column as categories, without looking for numbers."""
    texts = values.astype(object).map(text_of, na_action="ignore")
    codes, distinct = factorized(texts)
    return _Texts(codes, distinct, values, missing_values).categories()


def column_of(
    codes: NDArray[np.intp], texts: list[str], values: pd.Series, missing_values: Collection[str]
) -> Column:
    """Read a column of texts, which may be numbers, dates or truth values."""
    return _Texts(codes, texts, values, missing_values).read()


class _Texts:
    """The different texts of a column, without those that stand for a missing value."""

    def __init__(
        self,
        codes: NDArray[np.intp],
        texts: list[str],
        values: pd.Series,
        missing_values: Collection[str],
    ) -> None:
        self.name, self.index = values.name, values.index
        counts = np.bincount(codes[codes >= 0], minlength=len(texts))
        bare = [stripped(text) for text in texts]
        given = {plain_number(text) for text in missing_values} - {None}
        words = {
            text
            for text in bare
            if text in MISSING_WORDS
            or text in missing_values
            or (given and plain_number(text) in given)
        }
        if "+" in bare and "-" not in missing_values:
            words.discard("-")
        self.notes: list[str] = []
        rows: dict[str, int] = {}
        for text, count in zip(bare, counts.tolist(), strict=True):
            if text in words:
                rows[text] = rows.get(text, 0) + count
        if rows:
            words_read = ", ".join(f"{text!r} ({rows_text(n)})" for text, n in sorted(rows.items()))
            self.notes.append(f"{words_read} read as missing")
        self.texts = [text for text in dict.fromkeys(bare) if text not in words]
        position = {text: k for k, text in enumerate(self.texts)}
        places = np.array([*(position.get(text, -1) for text in bare), -1], dtype=np.intp)
        self.codes = places[codes]
        self.counts = np.bincount(self.codes[self.codes >= 0], minlength=len(self.texts))

    def read(self) -> Column:
        """Return the column."""
        if not self.texts:
            return self.categories()
        lowered = {text.lower() for text in self.texts}
        if lowered <= set(BOOLEAN):
            flags = [BOOLEAN[text.lower()] for text in self.texts]
            column = np.array([*flags, None], dtype=object)[self.codes]
            return boolean_column(
                pd.Series(column, index=self.index, name=self.name), tuple(self.notes)
            )
        numeric = [NUMBER.fullmatch(text) is not None for text in self.texts]
        if any(CODE.fullmatch(text) for text in self.texts) and all(numeric):
            # Postal codes and the like: as numbers they would lose their zeros.
            self.notes.append(
                f"numbers with leading zeros, such as "
                f"{next(t for t in self.texts if CODE.fullmatch(t))!r}, read as categories"
            )
            return self.categories()
        if all(numeric):
            return self._plain_numbers()
        for read in (self._dates, self._times, self._durations, self._formatted):
            column_read = read()
            if column_read is not None:
                return column_read
        self._check_words(numeric)
        return self.categories()

    def categories(self) -> Column:
        """Return the column as texts, each value in its most frequent spelling."""
        spellings: dict[str, list[int]] = {}
        for k, text in enumerate(self.texts):
            spellings.setdefault(spelling(text), []).append(k)
        levels = np.array([*self.texts, None], dtype=object)
        for places in spellings.values():
            if len(places) > 1:
                best = max(places, key=lambda k: (self.counts[k], self.texts[k]))
                others = [self.texts[k] for k in places if k != best]
                self.notes.append(f"{shown(others)} read as {self.texts[best]!r}")
                levels[places] = self.texts[best]
        values = pd.Series(levels[self.codes], index=self.index, name=self.name, dtype=object)
        return Column(values, "category", tuple(self.notes))

    def _plain_numbers(self) -> Column:
        floats = [float(text) for text in self.texts]
        whole = {int(text) for text in self.texts if text.lstrip("+-").isdecimal()}
        if not_exact(np.array(floats)) and len({float(number) for number in whole}) < len(whole):
            self.notes.append(LONG_NUMBERS)
            return self.categories()
        pointed = [text for text in self.texts if "." in text]
        notes = []
        if pointed and all(
            THREE_DECIMALS.fullmatch(t) or t.lstrip("+-").isdecimal() for t in self.texts
        ):
            notes.append(f"a point is read as the decimal point, such as in {pointed[0]!r}")
        return self._as_numbers(float, *notes)

    def _as_numbers(self, number: Callable[[str], float], *notes: str) -> Column:
        numbers = np.array([*map(number, self.texts), np.nan])[self.codes]
        like = pd.Series(index=self.index, name=self.name, dtype=np.float64)
        return Column(number_values(numbers, like), "number", (*self.notes, *notes))

    def _dates(self) -> Column | None:
        """Return dates as numbers, None if the texts are no dates."""
        iso = [
            bool(ISO_DATE.fullmatch(text) or MONTH_OR_QUARTER.fullmatch(text))
            for text in self.texts
        ]
        if all(iso):
            read = {text: iso_days(text) for text in self.texts}
            days = {text: day for text, day in read.items() if day is not None}
            wrong = [text for text in self.texts if text not in days]
            if wrong:
                raise InputError(
                    f"column {self.name!r}: expected dates, but there is no {shown(wrong)}; name it "
                    f"as missing (--missing-values {wrong[0]}), correct it, or exclude the column "
                    f"(--drop {self.name})"
                )
            return self._as_numbers(days.__getitem__, DATES)
        dates = [k for k, text in enumerate(self.texts) if iso[k] or OTHER_DATE.fullmatch(text)]
        other = [k for k in dates if not iso[k]]
        words = sorted({*range(len(self.texts))} - {*dates}, key=lambda k: -int(self.counts[k]))
        if other and len(dates) > max(1, NEARLY_ALL * len(self.texts)):
            raise InputError(
                f"column {self.name!r}: dates such as {self.texts[other[0]]!r} cannot be read with "
                "certainty; write them as 2026-01-31, or exclude the column "
                f"(--drop {self.name})"
            )
        if len(dates) >= MANY_NUMBERS and 2 * len(dates) >= len(self.texts):
            raise self._words_among("dates", len(dates), words)
        return None

    def _times(self) -> Column | None:
        """Return times of the day as hours, None if the texts are no times."""
        if not all(TIME.fullmatch(text) for text in self.texts):
            return None

        def hours(text: str) -> float:
            parts = [*map(float, text.split(":")), 0.0]
            return parts[0] + parts[1] / 60 + parts[2] / 3600

        return self._as_numbers(hours, f"times such as {self.texts[0]!r}, as hours")

    def _durations(self) -> Column | None:
        """Return durations as days, None if the texts are no durations."""
        if not all(DURATION.fullmatch(text) for text in self.texts):
            return None
        try:
            return self._as_numbers(lambda text: duration_in_days(pd.Timedelta(text)), DURATIONS)
        except ValueError as error:
            raise InputError(f"column {self.name!r}: expected durations, but {error}") from None

    def _formatted(self) -> Column | None:
        """Return numbers with currency signs and separators, None if the texts are not all such."""
        bare = [CURRENCY.sub(lambda m: m["sign"] or "", text) for text in self.texts]
        units = [text for text, plain in zip(self.texts, bare, strict=True) if plain != text]
        signs = {
            SIGNS.get(sign, sign)
            for text in units
            for match in CURRENCY.finditer(text)
            for sign in (match["before"] or match["after"],)
        }
        if len(signs) > 1:
            return None
        if not units:
            bare = self._without_unit()
            units = self.texts if bare is not self.texts else []
        notes = [f"numbers with a unit, such as {units[0]!r}"] if units else []
        if units and any("%" in text for text in units) and len(units) < len(self.texts):
            return None
        if units and all(NUMBER.fullmatch(text) for text in bare):
            plain = dict(zip(self.texts, bare, strict=True))
            return self._as_numbers(lambda text: float(plain[text]), *notes)
        for separator, form in GROUPED.items():
            grouped = [text for text in bare if form.fullmatch(text)]
            decimal = "," if separator == "." else "."
            rest = POINT_GROUPED if separator == "." else NUMBER
            if grouped and all(form.fullmatch(text) or rest.fullmatch(text) for text in bare):
                name = "' '" if separator == " " else repr(separator)
                notes.append(f"numbers with {name} between thousands, such as {grouped[0]!r}")
                return self._separated(bare, separator, decimal, notes)
        if all(DECIMAL_COMMA.fullmatch(text) for text in bare):
            example = next(text for text in bare if "," in text)
            notes.append(f"numbers with a decimal comma, such as {example!r}")
            return self._separated(bare, "", ",", notes)
        return None

    def _without_unit(self) -> list[str]:
        """Return the texts without the word that many numbers have in common, such as 'kg'."""
        matches = [WITH_UNIT.fullmatch(text) for text in self.texts]
        units = {match["unit"].rstrip(".").casefold() for match in matches if match is not None}
        if len(self.texts) < MANY_NUMBERS or None in matches or len(units) != 1:
            return self.texts
        numbers = [match["number"] for match in matches if match is not None]
        return self.texts if any(CODE.fullmatch(text) for text in numbers) else numbers

    def _separated(self, bare: list[str], separator: str, decimal: str, notes: list[str]) -> Column:
        thousands = {"'": "'’", " ": " \u00a0\u2009\u202f"}.get(separator, separator)
        table = str.maketrans({**{sign: "" for sign in thousands}, decimal: "."})
        if separator == " ":
            table[ord(",")] = "."
        plain = {
            text: float(one.translate(table)) for text, one in zip(self.texts, bare, strict=True)
        }
        return self._as_numbers(plain.__getitem__, *notes)

    def _check_words(self, numeric: list[bool]) -> None:
        """Raise if a column of many numbers has some words or units among them."""
        like = [
            is_number or LIKE_NUMBER.fullmatch(text) is not None
            for text, is_number in zip(self.texts, numeric, strict=True)
        ]
        matches = [WITH_UNIT.fullmatch(text) for text in self.texts]
        units = {match["unit"].casefold() for match in matches if match is not None}
        if len(units) <= SHOWN:
            like = [
                number or (match is not None and len(match["unit"]) > 1)
                for number, match in zip(like, matches, strict=True)
            ]
        count = sum(like)
        if count < MANY_NUMBERS or 2 * count < len(self.texts):
            return
        plain = sum(numeric)
        if not plain:
            examples = shown(
                [text for text, is_like in zip(self.texts, like, strict=True) if is_like]
            )
            raise InputError(
                f"column {self.name!r}: values such as {examples} look like numbers that cannot be "
                f"read with certainty; write them without signs and units, or exclude the column "
                f"(--drop {self.name})"
            )
        # What differs from most of the column is the problem.
        odd = numeric if 0 < plain < count - plain else [not is_number for is_number in numeric]
        words = [k for k, is_odd in enumerate(odd) if is_odd]
        raise self._words_among("numbers", len(self.texts) - len(words), words)

    def _words_among(self, what: str, count: int, words: list[int]) -> InputError:
        """Return the error for words among numbers or dates."""
        words = sorted(words, key=lambda k: -int(self.counts[k]))[: SHOWN + 1]
        texts = [self.texts[k] for k in words[:SHOWN]]
        named = ", ".join(
            f"{_short(text)} ({rows_text(int(self.counts[k]))})"
            for text, k in zip(texts, words, strict=False)
        )
        others = len(self.texts) - count - len(texts)
        more = f" and {others:,} others" if others > 0 else ""
        quoted = ",".join(text if "," not in text else f'"{text}"' for text in texts)
        return InputError(
            f"column {self.name!r}: {count:,} of its {len(self.texts):,} different values are "
            f"{what}, but not {named}{more}; name these as missing "
            f"(--missing-values {quoted}), correct them, or "
            f"exclude the column (--drop {self.name})"
        )
