"""Files of rows as frames of text: CSV by its usual forms, Parquet and Feather.

A text file is read as texts, without conversion, in blocks of whole rows; `grad_ext.data.values` reads
the columns. Its encoding, separator and names come from its beginning. A file that cannot be read with
certainty is refused with the line and the option that helps.
"""

from __future__ import annotations

import codecs
import csv
import gzip
import hashlib
import io
import itertools
import zipfile
import zlib
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO, cast

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from grad_ext.data.scalars import MISSING_WORDS, NUMBER, stripped
from grad_ext.errors import InputError, MissingToolkit

TEXT = (".csv", ".tsv", ".txt", ".data")
PACKED = (".gz", ".zip")
PARQUET, FEATHER = (".parquet", ".pq"), (".feather",)
# Separators that are found by themselves, and the names of those that are awkward to type.
SEPARATORS = (",", ";", "\t", "|")
SEPARATOR_NAMES = {
    "comma": ",",
    "semicolon": ";",
    "tab": "\t",
    "pipe": "|",
    "space": " ",
    # As typed where no tab can be.
    "\\t": "\t",
}
# What a file's beginning is judged by.
SAMPLE_BYTES, SAMPLE_ROWS = 2**18, 200
BLOCK_BYTES = 2**23
# A packed file may unpack to this size, and a row may have this many bytes.
MOST_BYTES, MOST_ROW_BYTES = 2**36, 2**28
# Rows of a block.
ROWS = 100_000
# A byte order mark, and the encoding that it stands for.
MARKS = {
    codecs.BOM_UTF8: "utf-8-sig",
    # Before UTF-16, whose marks these begin with.
    codecs.BOM_UTF32_LE: "utf-32",
    codecs.BOM_UTF32_BE: "utf-32",
    codecs.BOM_UTF16_LE: "utf-16",
    codecs.BOM_UTF16_BE: "utf-16",
}
# First bytes of files that are no text, and first characters of text that has no rows.
GZIP_MARK = b"\x1f\x8b"
OTHER_FILES = {
    GZIP_MARK: "a gzip file: give it a name that ends with .csv.gz",
    b"PK\x03\x04": "a zip file or a workbook: name it .zip, or save the sheet as CSV",
    b"PAR1": "a Parquet file: give it a name that ends with .parquet",
    b"ARROW1": "a Feather file: give it a name that ends with .feather",
    b"\xd0\xcf\x11\xe0": "a workbook of Excel: save the sheet as CSV",
    b"\x89HDF": "an HDF5 file: save the table as Parquet or CSV",
    b"%PDF": "a PDF",
    b"SQLite format 3": "a database: save the table as CSV",
}
OTHER_TEXTS = {
    "<": "a page of HTML or XML",
    "{": "JSON: save the rows as CSV",
    "[{": "JSON: save the rows as CSV",
    "@relation": "an ARFF file: save the rows as CSV",
    "version https://git-lfs": "a pointer of Git LFS: fetch the file itself (git lfs pull)",
}
# The code page of Excel's CSV files in Western Europe and America.
OFFICE = "cp1252"
# What a blank line may hold, the end of a file of DOS included.
BLANK = " \t\x1a"
NEWLINE, RETURN, QUOTE = b'\n\r"'
UNNAMED = "Unnamed: "


@dataclass(frozen=True)
class RawFile:
    """A file's rows as they are written.

    Attributes
    ----------
    frame : pandas.DataFrame
        The rows: texts for a text file.
    checksum : str
        SHA-256 of the file.
    notes : tuple of str
        How the file was read, if not as UTF-8 text with commas.
    """

    frame: pd.DataFrame
    checksum: str
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class TextForm:
    """How the rows of a text file are written.

    Attributes
    ----------
    encoding, separator : str
        The encoding and the separator of fields.
    names : tuple of str
        The columns' names.
    header_bytes : int
        Length of what comes before the first row, in UTF-8.
    header_lines : int
        Number of lines before the first row.
    old_newlines : bool
        Whether lines end with a carriage return alone.
    """

    encoding: str
    separator: str
    names: tuple[str, ...]
    header_bytes: int
    header_lines: int
    old_newlines: bool = False

    @property
    def notes(self) -> tuple[str, ...]:
        """What is unusual about it, in words."""
        notes = []
        if self.separator != ",":
            names = (f"{n}s" for n, sign in SEPARATOR_NAMES.items() if sign == self.separator)
            notes.append(f"fields separated by {next(names, repr(self.separator))}")
        if self.encoding not in ("utf-8", "utf-8-sig"):
            notes.append(f"read as {self.encoding}")
        return tuple(notes)


def known_path(path: str | Path) -> Path:
    """Return the path of a file of rows, with ~ as the home folder.

    Raises
    ------
    InputError
        If its name does not end as that of a file that can be read.
    """
    path = Path(path).expanduser()
    name = path.name.lower()
    inner = name.removesuffix(".gz") if name.endswith(".gz") else name
    if not inner.endswith((*TEXT, ".zip", *PARQUET, *FEATHER)) or (
        inner != name and not inner.endswith(TEXT)
    ):
        raise InputError(
            f"{path}: expected a file named {', '.join(TEXT)} (also with .gz), .zip, "
            f"{', '.join((*PARQUET, *FEATHER))}"
        )
    return path


def separator_of(text: str | None) -> str | None:
    """Return the separator that an option names: a character, or 'tab', 'space', 'semicolon'.

    Raises
    ------
    InputError
        If it is neither.
    """
    if text is None or (len(text) == 1 and text not in '"\r\n'):
        return text
    if text in SEPARATOR_NAMES:
        return SEPARATOR_NAMES[text]
    raise InputError(
        f"sep: expected one character or one of {', '.join(SEPARATOR_NAMES)}, got {text!r}"
    )


def read_file(path: str | Path, sep: str | None = None, encoding: str | None = None) -> RawFile:
    """Read a file of rows.

    Parameters
    ----------
    path : path
        A text file with a line of names (.csv, .tsv, .txt, .data, also as .gz or alone in a .zip),
        or a Parquet or Feather file.
    sep : str, optional
        Separator of the fields of a text file: a character, or 'tab' or 'space'. By default the one
        of comma, semicolon, tab and pipe that the file uses.
    encoding : str, optional
        Encoding of a text file; by default UTF-8, or UTF-16 if its first bytes say so.

    Returns
    -------
    RawFile

    Raises
    ------
    InputError
        If the file cannot be read with certainty.
    MissingToolkit
        If it needs pyarrow, which is not installed.
    """
    path = known_path(path)
    with _reading(path):
        _check_regular(path)
        checksum = _checksum(path)
        if path.suffix.lower() in (*PARQUET, *FEATHER):
            blocks, notes = [_arrow_frame(path)], tuple[str, ...]()
        else:
            form = text_form(path, sep, encoding)
            blocks, notes = list(_text_frames(path, form, ROWS)), form.notes
    frame = _with_names(pd.concat(blocks, ignore_index=True) if blocks else pd.DataFrame(), path)
    repeated = _repeats_names(frame)
    if repeated.any():
        frame = frame[~repeated].reset_index(drop=True)
        lines = f"{int(repeated.sum()):,} more line{'s' if repeated.sum() > 1 else ''}"
        notes = (*notes, f"{lines} of names left out")
    if not len(frame):
        raise InputError(f"{path}: expected rows, got none")
    frame, more = _without_nameless(frame)
    return RawFile(frame, checksum, (*notes, *more))


def iterate_frames(
    path: str | Path, sep: str | None = None, encoding: str | None = None, rows: int = ROWS
) -> Iterator[pd.DataFrame]:
    """Yield a file's rows in blocks, for files that are larger than the memory.

    Parameters
    ----------
    path, sep, encoding
        As for `read_file`.
    rows : int
        Most rows of a block.

    Raises
    ------
    InputError
        If the file cannot be read with certainty.
    MissingToolkit
        If it needs pyarrow, which is not installed.

    Examples
    --------
    >>> import tempfile
    >>> from pathlib import Path
    >>> from grad_ext.data.formats import iterate_frames
    >>> file = Path(tempfile.mkdtemp(), "people.csv")
    >>> _ = file.write_text("age;sex\\n30;f\\n40;m\\n50;f\\n")
    >>> [frame["age"].tolist() for frame in iterate_frames(file, rows=2)]
    [['30', '40'], ['50']]
    """
    path = known_path(path)
    with _reading(path):
        _check_regular(path)
        if path.suffix.lower() in (*PARQUET, *FEATHER):
            frames = _arrow_frames(path, rows)
        else:
            frames = _text_frames(path, text_form(path, sep, encoding), rows)
        first = 0
        for frame in frames:
            frame = _with_names(frame, path)
            frame = frame[~_repeats_names(frame)]
            frame.index = pd.RangeIndex(first, first + len(frame))
            first += len(frame)
            yield frame


@contextmanager
def _reading(path: Path) -> Iterator[None]:
    """Turn what goes wrong while a file is read into an `InputError`."""
    try:
        yield
    except InputError:
        raise
    except ImportError:
        raise MissingToolkit("pyarrow", "parquet") from None
    except OSError as error:
        raise InputError(f"cannot read {path}: {error.strerror or error}") from None
    except (ValueError, EOFError, zlib.error, zipfile.BadZipFile, RuntimeError) as error:
        # Arrow's errors go on with the schema of the file.
        raise InputError(f"cannot read {path}: {str(error).partition(chr(10))[0]}") from None


def _check_regular(path: Path) -> None:
    """Raise if a path is that of a pipe or a device, which might never end."""
    if path.exists() and not path.is_file() and not path.is_dir():
        raise InputError(f"cannot read {path}: expected a file, got a pipe or a device")


def _checksum(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _with_names(frame: pd.DataFrame, path: Path) -> pd.DataFrame:
    """Return a frame with names as texts, which must differ."""
    names = [stripped(str(name)) for name in frame.columns]
    repeated = sorted({name for name in names if names.count(name) > 1})
    if repeated:
        raise InputError(
            f"{path}: column names must differ, got "
            f"{', '.join(map(repr, repeated))} more than once; rename or remove the copies"
        )
    return frame.set_axis(names, axis=1)


def _repeats_names(frame: pd.DataFrame) -> NDArray[np.bool_]:
    """Return which rows repeat the names, as where files were joined, shape (N,)."""
    rows = np.zeros(len(frame), dtype=bool)
    if len(frame.columns) < 2 or not len(frame):
        return rows
    candidates = np.flatnonzero((frame.iloc[:, 0] == frame.columns[0]).to_numpy(dtype=bool))
    rows[[k for k in candidates.tolist() if [*frame.iloc[k]] == [*frame.columns]]] = True
    return rows


def _without_nameless(frame: pd.DataFrame) -> tuple[pd.DataFrame, tuple[str, ...]]:
    """Return the frame without columns that have neither a name nor a value.

    They come from separators at the end of every line, the names included.
    """
    empty = [
        name
        for name in frame.columns
        if name.startswith(UNNAMED) and frame[name].isin(["", None]).all()
    ]
    if not empty:
        return frame, ()
    plural = "s" if len(empty) > 1 else ""
    return frame.drop(columns=empty), (
        f"{len(empty)} column{plural} without name and values left out",
    )


# --- Parquet and Feather ---------------------------------------------------------------------


def _arrow_frame(path: Path) -> pd.DataFrame:
    read: Callable[..., pd.DataFrame] = (
        pd.read_feather if path.suffix.lower() in FEATHER else pd.read_parquet
    )
    return _with_index(read(path))


def _with_index(frame: pd.DataFrame) -> pd.DataFrame:
    """Return a frame whose index is a column if it has a name."""
    return frame.reset_index() if frame.index.names != [None] else frame.reset_index(drop=True)


def _arrow_frames(path: Path, rows: int) -> Iterator[pd.DataFrame]:
    if path.suffix.lower() in FEATHER:
        frame = _arrow_frame(path)
        yield from (frame.iloc[i : i + rows] for i in range(0, len(frame), rows))
        return
    from pyarrow.parquet import ParquetFile  # type: ignore[import-untyped]

    with ParquetFile(path) as file:
        for batch in file.iter_batches(batch_size=rows):
            yield _with_index(batch.to_pandas())


# --- the form of a text file -----------------------------------------------------------------


def text_form(path: Path, sep: str | None = None, encoding: str | None = None) -> TextForm:
    """Return how the rows of a text file are written, judged by its beginning.

    Raises
    ------
    InputError
        If the encoding or separator is not certain, or the first line does not hold names.
    """
    with _unpacked(path) as file:
        sample = file.read(SAMPLE_BYTES)
    whole = len(sample) < SAMPLE_BYTES
    if not sample.strip():
        raise InputError(f"cannot read {path}: the file is empty")
    other = next((what for mark, what in OTHER_FILES.items() if sample.startswith(mark)), None)
    if other is not None:
        raise InputError(f"cannot read {path}: expected text, got {other}")
    chosen = _encoding(path, sample, encoding)
    decoder = codecs.getincrementaldecoder(chosen)()
    text = _decoded(path, decoder, sample, chosen, whole)
    start = text[:200].lstrip("\ufeff \r\n\t").lower()
    other = next((what for mark, what in OTHER_TEXTS.items() if start.startswith(mark)), None)
    if other is not None:
        raise InputError(f"cannot read {path}: expected a line of names and rows, got {other}")
    old_newlines = "\r" in text and "\n" not in text
    if old_newlines:
        text = text.replace("\r", "\n")
    if not whole:
        text = text[: text.rfind("\n") + 1] or text
    # Excel's own hint at the separator, in a line before the names.
    hint = text.split("\n", 1)[0].rstrip("\r")
    first = text
    hinted = hint[4] if hint.lower().startswith("sep=") and len(hint) == 5 else None
    if hinted:
        first = text.split("\n", 1)[1] if "\n" in text else ""
    separator = separator_of(sep) or hinted or _separator(path, first)
    rows, lines, position = _sample_rows(path, first, separator)
    if not rows:
        raise InputError(f"cannot read {path}: the file has no line of names")
    names = tuple(stripped(name) or f"{UNNAMED}{k}" for k, name in enumerate(rows[0]))
    _check_names(path, rows)
    before = len(text) - len(first)
    return TextForm(
        chosen,
        separator,
        names,
        len(text[: before + position].encode()),
        lines + bool(hinted),
        old_newlines,
    )


def _encoding(path: Path, sample: bytes, given: str | None) -> str:
    marked = next((name for mark, name in MARKS.items() if sample.startswith(mark)), None)
    if given is not None:
        try:
            name = codecs.lookup(given).name
            "".encode(name)
        except LookupError:
            raise InputError(
                f"unknown encoding {given!r}: expected a name such as utf-8, utf-16 or {OFFICE}"
            ) from None
        return "utf-8-sig" if name == "utf-8" else name
    if marked is None and b"\0" in sample:
        # Every second byte of Western text in UTF-16 is zero.
        for offset, name in ((1, "utf-16-le"), (0, "utf-16-be")):
            if sample[offset::2].count(0) > 0.9 * len(sample[offset::2]):
                return name
        raise InputError(
            f"cannot read {path}: expected text, got zero bytes; name the encoding of the file "
            "with encoding (--encoding on the command line)"
        )
    return marked or "utf-8"


def _decoded(
    path: Path,
    decoder: codecs.IncrementalDecoder,
    block: bytes,
    encoding: str,
    final: bool,
    line: int = 1,
) -> str:
    """Return decoded bytes, the first of which are in the given line of the file."""
    try:
        return decoder.decode(block, final)
    except UnicodeDecodeError as error:
        line += error.object[: error.start].count(b"\n")
        around = error.object[max(error.start - 12, 0) : error.start + 12]
        word = next((part for part in around.split(b"\n") if not part.isascii()), around)
        raise InputError(
            f"cannot read {path}: line {line} is not {encoding.removesuffix('-sig')} text: {word!r} "
            f"(in {OFFICE}, as Excel writes it: {word.decode(OFFICE, errors='replace')!r}); name the "
            f"file's encoding with encoding (--encoding {OFFICE} on the command line)"
        ) from None


def _separator(path: Path, text: str) -> str:
    """Return the separator with which the most fields come out in the same number in all lines."""
    best, fields, agreement = ",", 1, 0.0
    for separator in SEPARATORS:
        try:
            rows, _, _ = _sample_rows(path, text, separator)
        except InputError:
            continue
        width = len(rows[0]) if rows else 0
        same = sum(len(row) == width for row in rows[1:]) / max(len(rows) - 1, 1)
        if width > 1 and (round(same, 1), width) > (round(agreement, 1), fields):
            best, fields, agreement = separator, width, same
    if fields == 1:
        lines = text.split("\n", SAMPLE_ROWS)
        line = lines[0].strip()
        if len(line.split()) > 2 or line.startswith("#"):
            for separator in SEPARATORS:
                counts = [other.count(separator) for other in lines[1:-1]]
                if counts and min(counts[-5:]) == max(counts[-5:]) > 0:
                    raise InputError(
                        f"cannot read {path}: the first line must hold the columns' names, got "
                        f"{line[:60]!r}; remove the lines before the names"
                    )
            raise InputError(
                f"cannot read {path}: its first line has no comma, semicolon, tab or pipe; if "
                "blanks separate its fields, say so with sep (--sep space on the command line)"
            )
    return best


def _sample_rows(path: Path, text: str, separator: str) -> tuple[list[list[str]], int, int]:
    """Return the first rows, and the number of lines and characters that the names take."""
    lines = io.StringIO(text, newline="")
    reader = _csv_reader(lines, separator)
    rows: list[list[str]] = []
    header_lines, position = 0, 0
    try:
        for row in reader:
            if row:
                rows.append(row)
            if len(rows) == 1 and not header_lines:
                header_lines = reader.line_num
                position = sum(
                    len(line)
                    for line in itertools.islice(io.StringIO(text, newline=""), header_lines)
                )
            if len(rows) > SAMPLE_ROWS:
                break
    except csv.Error as error:
        # The sample may end within quotes.
        if not rows:
            raise InputError(f"{path}: line {reader.line_num}: {error}") from None
    return rows, header_lines, position


def _csv_reader(lines: Iterator[str], separator: str) -> Any:
    return csv.reader(
        (line.rstrip() + "\n" for line in lines) if separator == " " else lines,
        delimiter=separator,
        skipinitialspace=True,
        strict=True,
    )


def _check_names(path: Path, rows: Sequence[Sequence[str]]) -> None:
    """Raise if the first line looks like a row or a title, not like names."""
    first = [stripped(name) for name in rows[0]]
    if len(first) > 2 and sum(map(bool, first)) == 1 and any(all(row) for row in rows[1:]):
        raise InputError(
            f"{path}: the first line must hold the columns' names, but has only one: "
            f"{max(first)!r}; remove the lines before the names"
        )
    # A line of names may be repeated within the file, where files were joined.
    others = [[v.strip() for v in row] for row in rows[1:] if len(row) == len(first)]
    columns = list(zip(*(row for row in others if row != first), strict=True))
    if not columns:
        return
    numbers, repeated, names = [], [], 0
    for name, column in zip(first, columns, strict=True):
        values = [v for v in column if v not in MISSING_WORDS]
        numeric = bool(values) and all(NUMBER.fullmatch(v.replace(",", ".")) for v in values)
        if numeric and name and NUMBER.fullmatch(name.replace(",", ".")):
            numbers.append(name)
        elif numeric and name:
            names += 1
        elif not numeric and name in values:
            repeated.append(name)
    # Years and positions are names of columns too.
    steps = {b - a for a, b in itertools.pairwise([float(n.replace(",", ".")) for n in numbers])}
    counted = len(numbers) > 1 and len(steps) == 1
    if not names and (repeated or (numbers and not counted)):
        raise InputError(
            f"{path}: the first line must hold the columns' names, but looks like a row: "
            f"{', '.join(map(repr, first[:6]))}; add a line of names (a header) to the file"
        )


# --- the rows of a text file -----------------------------------------------------------------


@contextmanager
def _unpacked(path: Path) -> Iterator[BinaryIO]:
    """Open a text file, or what is packed in it, as bytes."""
    suffix = path.suffix.lower()
    if suffix == ".gz":
        with path.open("rb") as file:
            mark = file.read(2)
        if mark and mark != GZIP_MARK:
            raise InputError(
                f"cannot read {path}: it is not a gzip file; if it is text, name it "
                f"{path.name[: -len(suffix)]}"
            )
        with gzip.open(path, "rb") as packed:
            yield cast(BinaryIO, _Bounded(cast(BinaryIO, packed), path))
    elif suffix == ".zip":
        with zipfile.ZipFile(path) as archive, archive.open(_member(path, archive)) as packed:
            yield cast(BinaryIO, _Bounded(cast(BinaryIO, packed), path))
    else:
        with path.open("rb") as file:
            yield file


def _member(path: Path, archive: zipfile.ZipFile) -> str:
    names = [
        entry.filename
        for entry in archive.infolist()
        if not entry.is_dir() and not entry.filename.startswith("__MACOSX/")
    ]
    texts = [
        name
        for name in names
        if name.lower().endswith(TEXT) and not name.rpartition("/")[2].startswith(".")
    ]
    if len(texts) != 1:
        raise InputError(
            f"{path}: expected one file named {', '.join(TEXT)} in it, got "
            f"{', '.join(map(repr, names[:5])) or 'none'}; unpack the one to read"
        )
    return texts[0]


class _Bounded:
    """A packed file, whose content may have up to `MOST_BYTES`."""

    def __init__(self, file: BinaryIO, path: Path) -> None:
        self._file, self._path, self._read = file, path, 0

    def read(self, size: int) -> bytes:
        block = self._file.read(size)
        self._read += len(block)
        if self._read > MOST_BYTES:
            raise InputError(f"{self._path}: unpacks to more than {MOST_BYTES:,} bytes")
        return block


def _utf8_blocks(path: Path, form: TextForm) -> Iterator[bytes]:
    """Yield a text file's bytes in UTF-8, without the line of names."""
    decoder = codecs.getincrementaldecoder(form.encoding)()
    skipped, line = form.header_bytes, 1
    with _unpacked(path) as file:
        while True:
            block = file.read(BLOCK_BYTES)
            text = _decoded(path, decoder, block, form.encoding, not block, line)
            line += text.count("\n")
            if form.old_newlines:
                text = text.replace("\r", "\n")
            encoded = text.encode()
            if skipped:
                skipped, encoded = max(skipped - len(encoded), 0), encoded[skipped:]
            yield encoded
            if not block:
                return


def _text_frames(path: Path, form: TextForm, rows: int) -> Iterator[pd.DataFrame]:
    """Yield a text file's rows as texts, in blocks of as many rows."""
    waiting: list[pd.DataFrame] = []
    count = 0
    for frame in _parsed(path, form):
        start = 0
        while count + len(frame) - start >= rows:
            stop = start + rows - count
            yield pd.concat([*waiting, frame.iloc[start:stop]], ignore_index=True)
            waiting, count, start = [], 0, stop
        waiting.append(frame.iloc[start:])
        count += len(frame) - start
    if count:
        yield pd.concat(waiting, ignore_index=True)


def _parsed(path: Path, form: TextForm) -> Iterator[pd.DataFrame]:
    """Yield the rows of a text file, in blocks of any length.

    pandas is quick, but fills short rows up in silence: a block is for it only if all its rows have
    the right number of fields. All others are read row by row, which tells the line of an error.
    """
    blocks = _utf8_blocks(path, form)
    buffer, line = b"", form.header_lines
    for block in blocks:
        buffer += block
        if not block and buffer and not buffer.endswith(b"\n"):
            buffer += b"\n"
        stop, count = _regular_rows(buffer, form)
        frame = None if count is None else _quick_frame(buffer[:stop], form)
        rest_at_end = not block and stop < len(buffer)
        if frame is None or len(frame) != count or rest_at_end or len(buffer) > MOST_ROW_BYTES:
            yield from _exact_frames(path, form, itertools.chain([buffer], blocks), line)
            return
        if len(frame):
            yield frame
        line += buffer.count(b"\n", 0, stop)
        buffer = buffer[stop:]


def _regular_rows(buffer: bytes, form: TextForm) -> tuple[int, int | None]:
    """Return where the last whole row ends, and the number of rows; None if they are irregular."""
    array = np.frombuffer(buffer, dtype=np.uint8)
    ends, separators = array == NEWLINE, array == ord(form.separator.encode()[:1])
    if QUOTE in buffer:
        quotes = array == QUOTE
        outside = (np.cumsum(quotes, dtype=np.int64) & 1) == 0
        around = ends | separators | quotes
        opened, closed = np.flatnonzero(quotes & ~outside), np.flatnonzero(quotes & outside)
        # The buffer starts with a row and, but for an open quote, ends with its last byte.
        plain = around[opened[opened > 0] - 1].all() and (
            (around | (array == RETURN))[closed[closed < len(array) - 1] + 1].all()
        )
        if not plain:
            return 0, None
        ends, separators = ends & outside, separators & outside
    stops = np.flatnonzero(ends)
    if not len(stops):
        return 0, 0
    fields = np.diff(np.cumsum(separators)[stops], prepend=0) + 1
    # Blank lines are no rows, unless there is but one column.
    lengths = np.diff(stops, prepend=-1) - 1
    blank = (lengths == 0) | ((lengths == 1) & (array[stops - 1] == RETURN))
    if len(form.names) == 1:
        blank &= False
    single = len(form.separator.encode()) == 1 and form.separator != " "
    regular = single and bool((fields[~blank] == len(form.names)).all())
    return int(stops[-1]) + 1, int((~blank).sum()) if regular else None


def _quick_frame(content: bytes, form: TextForm) -> pd.DataFrame | None:
    """Return rows as pandas reads them, None if it cannot."""
    columns = range(len(form.names))
    if not content.strip(b"\r\n") and len(columns) > 1:
        return pd.DataFrame(columns=form.names, dtype=object)
    try:
        frame = pd.read_csv(
            io.BytesIO(content),
            sep=form.separator,
            header=None,
            names=columns,
            index_col=False,
            dtype=str,
            keep_default_na=False,
            skipinitialspace=True,
            skip_blank_lines=len(columns) > 1,
            encoding="utf-8",
        )
    except ValueError:
        return None
    return frame.set_axis(form.names, axis=1)


def _exact_frames(
    path: Path, form: TextForm, blocks: Iterator[bytes], line: int
) -> Iterator[pd.DataFrame]:
    """Yield rows that are read one by one, or raise an error that names the line."""
    reader = _csv_reader(_text_lines(blocks), form.separator)
    width = len(form.names)
    rows: list[list[str]] = []
    start = line + 1
    try:
        for row in reader:
            if not row and width == 1:
                row = [""]
            if len(row) == 1 < width and not row[0].strip(BLANK):
                row = []
            if row and len(row) != width:
                raise InputError(f"cannot read {path}: {_ragged(row, form, start)}")
            if row:
                rows.append(row)
            if len(rows) == ROWS:
                yield pd.DataFrame(rows, columns=form.names, dtype=object)
                rows = []
            start = line + reader.line_num + 1
    except csv.Error as error:
        problem = f"{error}; see the quotes in this line"
        if "new-line" in str(error):
            problem = "it ends with a carriage return alone; end all lines alike"
        raise InputError(f"cannot read {path}: line {start}: {problem}") from None
    if rows:
        yield pd.DataFrame(rows, columns=form.names, dtype=object)


def _ragged(row: list[str], form: TextForm, line: int) -> str:
    width = len(form.names)
    said = f"line {line} has {len(row)} fields, expected {width} as there are column names"
    if len(row) == width + 1 and not row[-1].strip():
        return f"{said}; it ends with a separator: remove it there, or give the column a name"
    return f"{said}; correct the line, or name the separator of the fields (--sep)"


def _text_lines(blocks: Iterator[bytes]) -> Iterator[str]:
    """Yield lines with their ends."""
    rest = b""
    for block in blocks:
        *lines, rest = (rest + block).split(b"\n")
        for line in lines:
            yield line.decode() + "\n"
    if rest:
        yield rest.decode()
