"""Encodings, delimiters, signs in numbers: the same table however it is written, or refused with the key to set."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tables_as_text import as_csv, make_rows, with_cell, with_ids

from rnncli.data.reading.dialect import Dialect
from rnncli.data.reading.frames import open_tables
from rnncli.errors import DataError

PLAIN = as_csv()


def _numbers(text: str, name: str = "y", **dialect: str) -> list[float]:
    Path("n.csv").write_text(text)
    return open_tables("n.csv", Dialect(**dialect)).numbers([name])[:, 0].tolist()


@pytest.mark.parametrize(
    "encoding",
    ["latin-1", "cp1252", "utf-16", "utf-16-be", "utf-32", "utf-8-sig", "utf-7", "cp500", "UTF8", "mac-roman"],
)
def test_a_table_in_another_encoding_is_the_plain_one(read, encoding):
    plain = read(with_ids(["é", "ü"]), data__series="id").panel
    other = read(with_ids(["é", "ü"]).encode(encoding), data__series="id", data__encoding=encoding).panel
    assert other.ids == plain.ids == (("é",), ("ü",))
    np.testing.assert_array_equal(other.values, plain.values)


@pytest.mark.parametrize(
    ("text", "encoding", "likely"),
    [
        ("é", "latin-1", "latin-1"), ("\u201ccafé\u201d", "cp1252", "cp1252"), ("カナ", "shift_jis", "shift_jis"),
        ("カナ", "euc_jp", "euc_jp"), ("Москва", "cp1251", "cp1251"), ("北京大学", "gb18030", "gb18030"),
    ],
)  # fmt: skip
def test_the_likely_encoding_is_named(read, text, encoding, likely):
    with pytest.raises(DataError) as caught:
        read(with_cell(4, 2, text).encode(encoding))
    (problem,) = caught.value.problems
    assert problem.place.line == 6
    assert str(problem.hint).endswith(f"data.encoding: {likely}")


def test_an_encoding_that_is_wrong_is_refused_with_its_place(read):
    with pytest.raises(DataError, match="not ascii at byte") as caught:
        read(with_cell(4, 2, "é"), data__encoding="ascii")
    assert caught.value.problems[0].place.line == 6


@pytest.mark.parametrize(
    ("delimiter", "sign"), [(";", ";"), ("|", "|"), ("tab", "\t"), ("\\t", "\t"), ("\t", "\t"), (" ", " ")]
)
def test_a_table_with_another_delimiter_is_the_plain_one(read, delimiter, sign):
    other = read(PLAIN.replace(",", sign), data__delimiter=delimiter, data__past="x").panel
    np.testing.assert_array_equal(other.values, read(PLAIN, data__past="x").panel.values)


def test_a_delimiter_that_is_named_counts_more_than_the_name_of_the_file(read):
    np.testing.assert_array_equal(read(PLAIN, "d.tsv", data__delimiter=",").panel.values, read(PLAIN).panel.values)


FINITE = st.floats(-1e30, 1e30)


@settings(max_examples=100, deadline=None, derandomize=True, database=None)
@given(st.lists(FINITE, min_size=1, max_size=12))
def test_decimal_commas_are_read_to_the_last_bit(values):
    text = "y;z\n" + "".join(f"{value!r};0\n".replace(".", ",") for value in values)
    assert _numbers(text, delimiter=";", decimal=",") == values


@settings(max_examples=100, deadline=None, derandomize=True, database=None)
@given(
    st.lists(st.integers(-(10**12), 10**12) | st.decimals(-(10**6), 10**6, places=3), min_size=1, max_size=12),
    st.sampled_from([(".", ",", ","), (",", ".", "."), (".", " ", "\u00a0"), (",", " ", " "), (".", "'", "\u2019"),
        (".", "_", "_"), (",", " ", "\u202f")]),
)  # fmt: skip
def test_signs_between_thousands_are_read_to_the_last_bit(values, signs):
    decimal, thousands, written = signs
    cells = [f"{value:,}".replace(",", "#").replace(".", decimal).replace("#", written) for value in values]
    text = "y;z\n" + "".join(f"{cell};0\n" for cell in cells)
    assert _numbers(text, delimiter=";", decimal=decimal, thousands=thousands) == [float(value) for value in values]


@pytest.mark.parametrize(
    ("text", "keys"),
    [
        ("1,5", {"thousands": ","}), ("12,34", {"thousands": ","}), ("1,2345", {"thousands": ","}),
        (",123", {"thousands": ","}), ("1,,234", {"thousands": ","}), ("1234,567", {"thousands": ","}),
        ("1.234,5", {"thousands": ","}),
        ("1.5", {"decimal": ","}), ("1.234", {"decimal": ","}), ("1.5", {"decimal": ",", "thousands": "."}),
        ("1 5", {"thousands": " "}), ("1e1,000", {"thousands": ","}), ("0x1,000", {"thousands": ","}),
    ],
    ids=str,
)  # fmt: skip
def test_a_sign_in_another_place_is_no_number(text, keys):
    with pytest.raises(DataError, match="not a number"):
        _numbers(f"y;z\n1;0\n{text};0\n", delimiter=";", **keys)
    with pytest.raises(DataError, match="not a number"):  # nor where all cells are of this kind
        _numbers(f"y;z\n{text};0\n{text};0\n", delimiter=";", **keys)


@pytest.mark.parametrize(
    ("text", "value"), [("12,34,567", 1234567), ("-1,234.5", -1234.5), ("+1,000", 1000), ("1,000e3", None)]
)
def test_groups_of_two_are_written_too(text, value):
    if value is None:
        with pytest.raises(DataError):
            _numbers(f"y;z\n{text};0\n", delimiter=";", thousands=",")
    else:
        assert _numbers(f"y;z\n{text};0\n", delimiter=";", thousands=",") == [value]


def test_numbers_are_empty_or_numbers_in_any_dialect():
    text = 'y\n"1,5"\n\nNA\n"2,5"\n'
    found = _numbers(text, decimal=",")
    assert found[0] == 1.5
    assert np.isnan(found[1:3]).all()
    assert found[3] == 2.5


def test_other_columns_are_judged_in_the_dialect():
    Path("n.csv").write_text("a;b;c\n1,5;1.5;x\n2,5;2.5;y\n")
    tables = open_tables("n.csv", Dialect(delimiter=";", decimal=","))
    assert tables.numeric(["a", "b", "c"]) == ["a"]


def test_number_times_are_read_in_the_dialect():
    rows = [f"{row / 2:g}".replace(".", ",") + f";{value}\n" for row, (_, value, _) in enumerate(make_rows())]
    Path("n.csv").write_text("t;y\n" + "".join(rows).replace(".", ","))
    times, form = open_tables("n.csv", Dialect(delimiter=";", decimal=",")).times("t", None)
    assert form == "number"
    assert times.tolist() == [row / 2 for row in range(30)]


def test_truth_and_numbers_do_not_mix_from_one_piece_to_the_next(monkeypatch):
    monkeypatch.setattr("rnncli.data.reading.sources.PIECE", 8)
    assert _numbers("y\n" + "True\nFalse\n" * 9) == [1, 0] * 9
    with pytest.raises(DataError, match="'True' in line 20, 'False' in line 21"):
        _numbers("y\n" + "1\n0\n" * 9 + "True\nFalse\n")


def test_whole_numbers_beyond_the_exact_ones_are_told_of_once():
    told: list[str] = []
    Path("n.csv").write_text(f"y,z\n1,2\n{2**53},3\n{2**53 + 1},{2**63}\n-{2**60},5\n,6.5\n")
    tables = open_tables("n.csv", tell=told.append)
    for _ in range(2):
        tables.numbers(["y", "z"])
    assert len(told) == 2
    assert told[0].startswith("n.csv:4 y: ")
    assert told[1].startswith("n.csv:4 z: ")


@pytest.mark.parametrize("text", [str(2**64), "9" * 30, f"-{2**64}"])
@pytest.mark.parametrize("beside", ["1", "1.5", ""])
def test_whole_numbers_beyond_64_bits_are_refused(text, beside):
    with pytest.raises(DataError, match="digits"):
        _numbers(f"y,z\n{beside},0\n{text},0\n")
