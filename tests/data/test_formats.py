"""Files of rows in their usual forms, and the files that are refused."""

import gzip
import hashlib
import io
import os
import zipfile

import pandas as pd
import pytest

from grad_ext.data.formats import iterate_frames, read_file
from grad_ext.errors import InputError

ROWS = "age,income,job,sex\n30,1.5,cook,f\n40,2.5,clerk,m\n50,3,cook,f\n"
FIELDS = [["30", "1.5", "cook", "f"], ["40", "2.5", "clerk", "m"], ["50", "3", "cook", "f"]]
SEMICOLONS = ROWS.replace(",", ";")


def zipped(**members):
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        for name, content in members.items():
            archive.writestr(name.replace("_", "."), content)
    return packed.getvalue()


def written(folder, name, content):
    path = folder / name
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return path


FORMS = {
    "commas": ("t.csv", ROWS, {}),
    "semicolons": ("t.csv", SEMICOLONS, {}),
    "tabs": ("t.tsv", ROWS.replace(",", "\t"), {}),
    "pipes": ("t.txt", ROWS.replace(",", "|"), {}),
    "blanks, named": ("t.data", ROWS.replace(",", "  "), {"sep": "space"}),
    "a separator of one's own": ("t.csv", ROWS.replace(",", ":"), {"sep": ":"}),
    "blanks after commas": ("t.csv", ROWS.replace(",", ", "), {}),
    "Excel's hint": ("t.csv", "sep=;\r\n" + SEMICOLONS, {}),
    "a byte order mark": ("t.csv", b"\xef\xbb\xbf" + ROWS.encode(), {}),
    "UTF-16": ("t.csv", ROWS.encode("utf-16"), {}),
    "UTF-16 without a mark": ("t.csv", ROWS.encode("utf-16-be"), {}),
    "UTF-32": ("t.csv", ROWS.encode("utf-32"), {}),
    "blanks in the last line": ("t.csv", ROWS + "  \t\n", {}),
    "the end of a file of DOS": ("t.csv", ROWS + "\x1a", {}),
    "marks within the line of names": ("t.csv", ROWS.replace("income", "\ufeffincome\u200b"), {}),
    "other files in a zip": ("t.zip", zipped(t_csv=ROWS, README_md="x", _hidden_csv="y"), {}),
    "Windows' lines, and blank ones": ("t.csv", ROWS.replace("\n", "\r\n\r\n"), {}),
    "old Macintosh lines": ("t.csv", ROWS.replace("\n", "\r"), {}),
    "no end of the last line": ("t.csv", ROWS.rstrip(), {}),
    "gzip": ("t.csv.gz", gzip.compress(ROWS.encode()), {}),
    "zip": ("t.zip", zipped(t_csv=SEMICOLONS), {}),
    "capitals": ("T.CSV", ROWS, {}),
    "names between quotes": ("t.csv", ROWS.replace("age", '"age"'), {}),
    "a separator at the end of all lines": ("t.csv", ROWS.replace("\n", ",\n"), {}),
}


@pytest.mark.parametrize("form", FORMS)
def test_every_form_gives_the_same_rows(tmp_path, form):
    name, content, options = FORMS[form]
    path = written(tmp_path, name, content)
    raw = read_file(path, **options)
    assert list(raw.frame.columns) == ["age", "income", "job", "sex"]
    assert raw.frame.to_numpy().tolist() == FIELDS
    assert raw.checksum == hashlib.sha256(path.read_bytes()).hexdigest()
    blocks = [frame[raw.frame.columns] for frame in iterate_frames(path, rows=2, **options)]
    assert [len(block) for block in blocks] == [2, 1]
    assert pd.concat(blocks).equals(raw.frame)


@pytest.mark.parametrize("ending", ["parquet", "pq", "feather"])
def test_binary_files_keep_their_types_and_named_indexes(tmp_path, ending):
    frame = pd.DataFrame({"age": [30, 40, 50], "sex": ["f", "m", None]})
    path = tmp_path / f"t.{ending}"
    if ending == "feather":
        frame.to_feather(path)
    else:
        frame.set_index("age").to_parquet(path)
    assert read_file(path).frame["age"].tolist() == [30, 40, 50]
    assert [len(block) for block in iterate_frames(path, rows=2)] == [2, 1]


def test_fields_with_quotes_separators_and_lines(tmp_path):
    path = written(tmp_path, "t.csv", 'a,b\n1,"x, ""y"""\n2,"two\nlines"\n3,24" wide\n4,\n')
    values = [["1", 'x, "y"'], ["2", "two\nlines"], ["3", '24" wide'], ["4", ""]]
    assert read_file(path).frame.to_numpy().tolist() == values


def test_decimal_commas_and_texts_with_commas_do_not_hide_semicolons(tmp_path):
    path = written(tmp_path, "t.csv", "x;y;z\n1,5;a, b;1\n2,5;c, d;2\n")
    assert read_file(path).frame.to_numpy().tolist() == [["1,5", "a, b", "1"], ["2,5", "c, d", "2"]]


def test_code_pages_are_refused_with_the_option_or_read_by_it(tmp_path):
    path = written(tmp_path, "t.csv", ROWS.replace("clerk", "café").encode("cp1252"))
    with pytest.raises(InputError, match=r"line 3 .*café.*--encoding cp1252"):
        read_file(path)
    raw = read_file(path, encoding="cp1252")
    assert raw.frame["job"].tolist() == ["cook", "café", "cook"]
    assert any("cp1252" in note for note in raw.notes)


def test_the_home_folder(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    written(tmp_path, "t.csv", ROWS)
    assert len(read_file("~/t.csv").frame) == 3


def test_numbers_can_be_names_of_columns(tmp_path):
    path = written(tmp_path, "t.csv", "region,2019,2020\na,1,2\nb,3,4\n")
    assert list(read_file(path).frame.columns) == ["region", "2019", "2020"]


def test_an_index_without_a_name_is_a_column(tmp_path):
    path = written(tmp_path, "t.csv", ",a,b\n0,1,2\n1,3,4\n")
    assert list(read_file(path).frame.columns) == ["Unnamed: 0", "a", "b"]


def test_blank_lines_of_a_single_column_are_missing_values(tmp_path):
    path = written(tmp_path, "t.csv", "a\n1\n\n3\n")
    assert read_file(path).frame["a"].tolist() == ["1", "", "3"]


REFUSED = {
    "no file": ("none.csv", None, {}, "No such file"),
    "another kind of file": ("t.xlsx", "", {}, r"\.csv"),
    "packed Parquet": ("t.parquet.gz", "", {}, r"\.parquet"),
    "empty": ("t.csv", "\n", {}, "empty"),
    "names alone": ("t.csv", "a,b\n", {}, "expected rows"),
    "a row longer than the names": ("t.csv", ROWS + "1,2,3,4,5\n", {}, "line 5 has 5 .*expected 4"),
    "a row shorter than the names": ("t.csv", ROWS + "1,2,3\n", {}, "line 5 has 3 .*expected 4"),
    "a separator at the end of rows": (
        "t.csv",
        ROWS.replace("f\n", "f,\n"),
        {},
        "line 2 has 5 .*separator",
    ),
    "a separator at the end of one row": ("t.csv", ROWS + "1,2,3,4,\n", {}, "line 5 .*separator"),
    "an open quote": ("t.csv", 'a,b\n1,2\n3,"x\n4,y\n', {}, "line 3"),
    "text after a quote": ("t.csv", 'a,b\n1,2\n3,"x"z\n4,y\n', {}, "line 3"),
    "no names": ("t.csv", ROWS.split("\n", 1)[1], {}, "first line .*'30', '1.5'.*header"),
    "no names, words alone": ("t.csv", "f,cook\nm,cook\nf,clerk\n", {}, "first line .*'f', 'cook'"),
    "a name twice": ("t.csv", "a,a,b\n1,2,3\n", {}, "'a' more than once"),
    "blanks between fields": ("t.data", ROWS.replace(",", " "), {}, "--sep space"),
    "zero bytes": ("t.csv", b"a,b\n\0,1\n", {}, "zero bytes.*--encoding"),
    "not gzip": ("t.csv.gz", b"a,b\n", {}, "gzip"),
    "cut gzip": ("t.csv.gz", gzip.compress(ROWS.encode())[:30], {}, "ended"),
    "not zip": ("t.zip", b"a,b\n", {}, "zip"),
    "two files in a zip": ("t.zip", zipped(a_csv=ROWS, b_csv=ROWS), {}, "'a.csv', 'b.csv'"),
    "gzip by another name": ("t.csv", gzip.compress(ROWS.encode()), {}, r"\.csv\.gz"),
    "gzip twice": ("t.csv.gz", gzip.compress(gzip.compress(b"a,b\n1,2\n")), {}, "gzip"),
    "a workbook": ("t.csv", zipped(sheet_xml="x"), {}, "as CSV"),
    "Parquet by another name": ("t.csv", b"PAR1" + b"\0" * 99, {}, r"\.parquet"),
    "JSON": ("t.csv", '[{"a": 1, "b": 2}]', {}, "JSON"),
    "a page": ("t.csv", "<!DOCTYPE html>\n<p>Not found, sorry</p>\n", {}, "HTML"),
    "ARFF": ("t.csv", "@RELATION x\n@DATA\n1,2\n", {}, "ARFF"),
    "a pointer": ("t.csv", "version https://git-lfs.github.com/spec/v1\n", {}, "git lfs pull"),
    "a title": ("t.csv", "Loans of 2020\n" + ROWS, {}, "'Loans of 2020'.*before the names"),
    "a title in a sheet": ("t.csv", "Loans,,,\n" + ROWS, {}, "'Loans'.*before the names"),
    "a comment": ("t.csv", "# loans\n" + ROWS, {}, "'# loans'.*before the names"),
    "a carriage return alone": (
        "t.csv",
        ROWS.replace("f\n", "f\r", 1),
        {},
        "line 2.*carriage return",
    ),
    "not Parquet": ("t.parquet", b"PAR1", {}, "[Pp]arquet"),
    "an unknown separator": ("t.csv", ROWS, {"sep": "ab"}, "'ab'"),
    "an unknown encoding": ("t.csv", ROWS, {"encoding": "utf-9"}, "'utf-9'"),
    "another encoding": ("t.csv", ROWS.replace("f", "é"), {"encoding": "ascii"}, "line 2 .*ascii"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_is_not_certain_is_refused(tmp_path, case):
    name, content, options, facts = REFUSED[case]
    path = tmp_path / name if content is None else written(tmp_path, name, content)
    with pytest.raises(InputError, match=facts):
        read_file(path, **options)


def test_an_error_far_into_a_file_names_its_line(tmp_path, monkeypatch):
    monkeypatch.setattr("grad_ext.data.formats.BLOCK_BYTES", 64)
    lines = [f"{i},x{i}" for i in range(100)]
    good = written(tmp_path, "good.csv", "\n".join(["a,b", *lines]))
    assert read_file(good).frame["a"].tolist() == [str(i) for i in range(100)]
    quoted = written(
        tmp_path, "quoted.csv", "\n".join(["a,b", *lines[:70], '70,6" x', *lines[71:]])
    )
    assert read_file(quoted).frame["b"].tolist()[69:72] == ["x69", '6" x', "x71"]
    bad = written(tmp_path, "bad.csv", "\n".join(["a,b", *lines[:70], "1", *lines[71:]]))
    with pytest.raises(InputError, match="line 72 has 1 field"):
        read_file(bad)
    latin = written(tmp_path, "latin.csv", "\n".join(["a,b", *lines[:80], "1,é"]).encode("cp1252"))
    with pytest.raises(InputError, match="line 82"):
        read_file(latin)
    packed = written(tmp_path, "packed.csv.gz", gzip.compress(good.read_bytes()))
    monkeypatch.setattr("grad_ext.data.formats.MOST_BYTES", 300)
    with pytest.raises(InputError, match="300"):
        read_file(packed)


def test_lines_of_names_within_a_file_are_left_out(tmp_path):
    path = written(tmp_path, "t.csv", ROWS + ROWS)
    raw = read_file(path)
    assert raw.frame.to_numpy().tolist() == FIELDS * 2
    assert "1 more line" in raw.notes[0]
    assert sum(len(frame) for frame in iterate_frames(path, rows=4)) == 6
    # One column may have its own name as a value.
    assert len(read_file(written(tmp_path, "t.csv", "a\nb\na\n")).frame) == 2


def test_pipes_are_refused(tmp_path):
    os.mkfifo(tmp_path / "t.csv")
    for read in (read_file, lambda path: next(iterate_frames(path))):
        with pytest.raises(InputError, match="pipe"):
            read(tmp_path / "t.csv")


def test_an_error_is_one_line(tmp_path):
    pa = pytest.importorskip("pyarrow")
    import pyarrow.parquet

    table = pa.Table.from_arrays([pa.array([1, 2])] * 2, names=["a", "a"])
    pyarrow.parquet.write_table(table, tmp_path / "t.parquet")
    with pytest.raises(InputError) as raised:
        read_file(tmp_path / "t.parquet")
    assert "\n" not in str(raised.value)
