"""The dialect of a file is found from its text alone."""

from __future__ import annotations

import csv
import io

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rnncli.data.guessing.sniff import Sniffed, sniff, sniff_delimiter, sniff_numbers
from rnncli.data.reading.dialect import Dialect


def plain(text: str, file: str = "d.csv") -> tuple[str, str, str | None]:
    found = sniff([text.encode()], file).dialect
    return found.between(file), found.decimal, found.thousands


@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
def test_the_delimiter_is_the_one_at_which_rows_are_even(delimiter):
    rows = [["day", "note; text", "y"], ["2020-01-01", "a, b", "1.5"], ["2020-01-02", "c | d", "2"]]
    stream = io.StringIO()
    csv.writer(stream, delimiter=delimiter, lineterminator="\n").writerows(rows)
    assert sniff_delimiter(stream.getvalue(), ",") == delimiter


@pytest.mark.parametrize(("file", "delimiter"), [("d.csv", ","), ("d.tsv", "\t"), ("d.tsv.gz", "\t"), ("-", ",")])
def test_a_single_column_has_the_delimiter_of_its_name(file, delimiter):
    assert plain("y\n1\n2\n", file) == (delimiter, ".", None)


def test_an_extra_comma_in_one_row_does_not_change_the_delimiter():
    assert sniff_delimiter("ds,y\n" + "2020-01-01,1\n" * 30 + "2020-01-02,1,5\n", ",") == ","


@pytest.mark.parametrize(
    ("cells", "delimiter", "found"),
    [
        (["1.5", "2", "-3.25e-2"], ",", (".", None)),
        (["1,5", "2", "-3,25"], ";", (",", None)),
        (["0,125", "0,250"], ";", (",", None)),
        (["1,234.5", "999.5"], ",", (".", ",")),
        (["1.234,5", "999,5"], ";", (",", ".")),
        (["1 234,5", "999,5"], ";", (",", " ")),
        (["1\u00a0234,5", "12"], ";", (",", " ")),
        (["1\u202f234,5", "1 234,5"], ";", (",", " ")),
        (["12'345.5", "12"], ",", (".", "'")),
        (["1,234,567", "12"], ";", (".", ",")),
        (["1.234.567", "12"], ";", (",", ".")),
        (["31.12.2020", "1.1.2021"], ";", (".", None)),
        (["a, b", "c"], ",", (".", None)),
        ([], ",", (".", None)),
    ],
)
def test_decimal_mark_and_thousands(cells, delimiter, found):
    assert sniff_numbers([cells], delimiter) == (*found, ())


@pytest.mark.parametrize(
    ("cells", "delimiter", "found", "word"),
    [
        (["1,234", "5,678"], ",", (".", ","), "a thousand"),
        (["1,234", "5,678"], ";", (",", None), "a fraction"),
        (["1,234", "5,678", "950"], ";", (".", ","), "a thousand"),
        (["1.234", "5.678", "950"], ";", (",", "."), "a thousand"),
    ],
)
def test_what_could_be_a_thousand_or_a_fraction_is_said(cells, delimiter, found, word):
    decimal, thousands, doubts = sniff_numbers([cells], delimiter)
    assert (decimal, thousands) == found
    assert len(doubts) == 1
    assert doubts[0].endswith(word)


def test_one_column_with_a_sure_mark_settles_the_others():
    assert sniff_numbers([["1,234", "5,678"], ["0,5", "12,25"]], ";") == (",", None, ())


def test_thousands_that_come_late_in_a_large_file_are_found():
    small = "".join(f"{row},{row % 900}.5\n" for row in range(60_000))
    large = "".join(f'{row},"{1 + row % 9},{row % 900 + 100}.5"\n' for row in range(60_000))
    assert plain(f"t,y\n{large}{small}")[2] == ","
    assert plain("t,y\n" + small + large)[2] == ","


@pytest.mark.parametrize(
    ("encoding", "found"),
    [
        ("utf-8", "utf-8"),
        ("utf-8-sig", "utf-8"),
        ("utf-16", "utf-16"),
        ("utf-16-le", "utf-16-le"),
        ("utf-16-be", "utf-16-be"),
        ("latin-1", "latin-1"),
        ("cp1252", "cp1252"),
    ],
)
def test_encoding(encoding, found):
    euro = "€" if encoding != "latin-1" else "ß"
    raw = f"Straße;wert\nKöln {euro};1,5\nDüren;2,5\n".encode(encoding)
    for size in (7, 10_000) if found.startswith("utf") else (10_000,):
        sniffed = sniff([raw[start : start + size] for start in range(0, len(raw), size)], "d.csv")
        assert sniffed.dialect == Dialect(found, ";", ",")
        assert bool(sniffed.doubts) == (found in ("latin-1", "cp1252"))


def test_a_letter_that_comes_late_settles_the_encoding():
    rows = b"ort;wert\n" + b"Bonn;1,5\n" * 50_000
    assert sniff([rows, "Köln;2,5\n".encode("latin-1")], "d.csv").dialect.encoding == "latin-1"
    assert sniff([rows, "Köln;2,5\n".encode()], "d.csv").dialect.encoding == "utf-8"


@given(st.lists(st.binary(max_size=300), max_size=3))
def test_no_bytes_are_too_strange(pieces):
    assert isinstance(sniff(pieces, "d.csv"), Sniffed)


@given(
    st.lists(st.floats(-1e6, 1e6).map(lambda number: f"{number:.2f}"), min_size=3, max_size=30),
    st.sampled_from([(",", "."), (";", "."), (";", ","), ("\t", ","), ("|", ".")]),
)
def test_numbers_with_two_decimals_are_read_as_they_were_written(numbers, dialect):
    delimiter, decimal = dialect
    rows = [f"2020-01-{day + 1:02}{delimiter}{number.replace('.', decimal)}" for day, number in enumerate(numbers)]
    assert plain("\n".join([f"ds{delimiter}y", *rows]) + "\n") == (delimiter, decimal, None)
