"""A file is read in pieces: wherever they end, the rows, their lines and what is refused are the same."""

from __future__ import annotations

import csv
import gzip
import io
import os
import threading
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tables_as_text import as_csv, make_rows, with_ids

from rnncli.data.reading import marks, rows, sources
from rnncli.data.reading.dialect import Dialect
from rnncli.data.reading.frames import open_tables
from rnncli.errors import DataError

CELLS = st.text(st.sampled_from('ab"\n\r, ;é\U0001f600\u0085\u2028\x0b'), max_size=6)
PIECES = [1, 2, 3, 7, 64]


@pytest.fixture(params=PIECES)
def small_pieces(request, monkeypatch):
    """Files are read this many bytes at a time."""
    monkeypatch.setattr(sources, "PIECE", request.param)


def _written(table: list[list[str]], end: str, quoted: bool) -> str:
    def cell(text: str) -> str:
        return '"' + text.replace('"', '""') + '"' if quoted or set(text) & set('",\r\n') else text

    return "".join(",".join(cell(text) for text in row) + end for row in [["p", "q"], *table])


@settings(max_examples=150, deadline=None, derandomize=True, database=None)
@given(
    st.lists(st.tuples(CELLS, CELLS).map(list), min_size=1, max_size=8),
    st.sampled_from(["\n", "\r\n", "\r"]),
    st.booleans(),
    st.sampled_from([1, 2, 3, 5, 11, 1 << 20]),
)
def test_any_cells_are_read_as_they_were_written(table, end, quoted, piece):
    Path("d.csv").write_text(_written(table, end, quoted), encoding="utf-8", newline="")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sources, "PIECE", piece)
        tables = open_tables("d.csv")
        found = tables.frame(["p", "q"], str).to_numpy().tolist()
    one_end = [[text.replace("\r\n", "\n").replace("\r", "\n") for text in row] for row in table]
    assert found == one_end
    line = 2
    for number, row in enumerate(one_end):
        assert tables.place(number).line == line
        line += 1 + sum(text.count("\n") for text in row)


@settings(max_examples=300, deadline=None, derandomize=True, database=None)
@given(st.text(st.sampled_from('a"\n,'), max_size=24), st.sampled_from([1, 2, 5, 1 << 20]))
def test_quotes_in_any_places_are_understood_as_the_stdlib_does_or_refused(text, piece):
    Path("d.csv").write_text(f"p,q\n{text}\n")
    reader = csv.reader(io.StringIO(f"{text}\n", newline=""), strict=True)
    try:
        wanted = [row for row in reader if row]
    except csv.Error:
        wanted = []
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sources, "PIECE", piece)
        if not wanted or any(len(row) != 2 for row in wanted):
            with pytest.raises(DataError):
                open_tables("d.csv")
        else:
            assert open_tables("d.csv").frame(["p", "q"], str).to_numpy().tolist() == wanted


def test_pieces_change_neither_rows_nor_lines_nor_digest(small_pieces, monkeypatch):
    text = "\n" + with_ids(["a", '"b\nc"', '"d""e"']).replace("\n", "\r\n").replace("2020-01-05", "\r\n2020-01-05", 0)
    text = text.replace("\r\na,2020-01-09", "\r\n\r\n\r\na,2020-01-09") + "\n\n"
    Path("d.csv").write_bytes(text.encode())
    small = open_tables("d.csv")
    monkeypatch.setattr(sources, "PIECE", 1 << 22)
    whole = open_tables("d.csv")
    assert small.digest() == whole.digest()
    assert [small.place(row) for row in range(90)] == [whole.place(row) for row in range(90)]
    assert small.place(0).line == 3
    assert small.place(8).line == 13  # two blank lines above it
    names = list(whole.header)
    assert small.frame(names, str).equals(whole.frame(names, str))
    np.testing.assert_array_equal(small.numbers(["y", "x"]), whole.numbers(["y", "x"]))
    assert small.codes(["id"])[1] == [("a",), ("b\nc",), ('d"e',)]
    np.testing.assert_array_equal(small.codes(["id", "x"])[0], whole.codes(["id", "x"])[0])


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "utf-16-be", "utf-32", "utf-8-sig", "shift_jis", "utf-7"])
def test_pieces_may_end_within_a_character(small_pieces, encoding):
    text = with_ids(["日本", "カナ"])
    Path("d.csv").write_bytes(text.encode(encoding))
    assert open_tables("d.csv", Dialect(encoding=encoding)).codes(["id"])[1] == [("日本",), ("カナ",)]


@pytest.mark.parametrize(
    ("text", "words", "line"),
    [
        (b"p,q\n1,2\n3,4\r\n\n5,6,7\n", "3 fields", 5),
        (b"p,q\n1,2\n3,4\n5,\xff\n", "UTF-8 at byte 14", 4),
        (b"p,q\n1,2\n3,4\n5,\0\n", "NUL", 4),
        (b'p,q\n1,"2\n3,4\n5,6\n', "unterminated", 2),
        (b'p,q\n"a\nb",2\n3,"x"y\n', "expected after", 4),
        (b"p,q\n1,2\n3\n", "1 fields", 3),
    ],
)
def test_what_is_wrong_has_its_line_wherever_pieces_end(small_pieces, text, words, line):
    Path("d.csv").write_bytes(text)
    with pytest.raises(DataError) as caught:
        open_tables("d.csv")
    assert words in str(caught.value)
    assert caught.value.problems[0].place.line == line


@pytest.mark.parametrize("cell", ["x" * 10**6, '"' + "x\n" * 10**6 + '"'], ids=["plain", "quoted"])
def test_a_huge_cell_is_refused_before_it_is_read_whole(monkeypatch, cell):
    monkeypatch.setattr(marks, "MAX_FIELD", 1000)
    monkeypatch.setattr(rows, "MAX_FIELD", 1000)
    monkeypatch.setattr(sources, "PIECE", 100)
    Path("d.csv").write_text(f"p,q\n1,2\n3,{cell}\n")
    read = 0

    def counted(source, again=False, pieces=sources.pieces):
        nonlocal read
        for piece in pieces(source, again):
            read += len(piece)
            yield piece

    monkeypatch.setattr("rnncli.data.reading.tables.pieces", counted)
    with pytest.raises(DataError, match="million characters") as caught:
        open_tables("d.csv")
    assert caught.value.problems[0].place.line == 3
    assert read < 3000


def test_a_row_may_be_wide(monkeypatch):
    monkeypatch.setattr(rows, "MAX_FIELD", 100)
    monkeypatch.setattr(marks, "MAX_FIELD", 100)
    monkeypatch.setattr(sources, "PIECE", 10)
    names = [f"c{number}" for number in range(100)]
    Path("d.csv").write_text(",".join(names) + "\n" + ",".join(str(number) for number in range(100)) + "\n")
    assert open_tables("d.csv").numbers(names).tolist() == [list(range(100))]


def test_a_file_that_changes_between_two_readings_is_refused():
    Path("d.csv").write_text(as_csv())
    tables = open_tables("d.csv")
    Path("d.csv").write_text(as_csv().replace("5.", "6."))
    with pytest.raises(DataError, match="changed while it was read"):
        tables.numbers(["y"])


def test_a_file_that_grows_is_what_it_was():
    Path("d.csv").write_text(as_csv())
    tables = open_tables("d.csv")
    before = tables.numbers(["y"])
    with Path("d.csv").open("a") as file:
        file.write("2020-01-31,abc,1\n")
    np.testing.assert_array_equal(tables.numbers(["y"]), before)


@pytest.mark.parametrize("packed", [False, True])
def test_a_pipe_is_read_once_and_as_often_as_needed(monkeypatch, packed):
    name = "pipe.csv.gz" if packed else "pipe.csv"
    os.mkfifo(name)
    content = gzip.compress(as_csv().encode()) if packed else as_csv().encode()
    monkeypatch.setattr(sources, "PIECE", 100)
    writer = threading.Thread(target=lambda: Path(name).write_bytes(content))
    writer.start()
    tables = open_tables(name)
    writer.join()
    for _ in range(2):
        assert tables.numbers(["y"])[:, 0].tolist() == [float(row[1]) for row in make_rows()]
    assert sorted(os.listdir()) == [name]


def test_rows_do_not_cost_a_number_each_for_their_lines():
    Path("d.csv").write_text("p,q\n" + "1,2\n" * 1000 + "\n" + "1,2\n" * 1000)
    tables = open_tables("d.csv")
    assert len(tables.parts[0].lines.at) == 2
    assert [tables.place(row).line for row in (0, 999, 1000, 1999)] == [2, 1001, 1003, 2002]


def test_several_files_are_read_one_after_the_other(small_pieces):
    Path("a.csv").write_text("p,q\n1,x\n2,y\n")
    Path("b.csv").write_text("q,p\ny,3\n\nz,4\n")
    tables = open_tables(["a.csv", "b.csv"])
    assert len(tables) == 4
    assert tables.numbers(["p"])[:, 0].tolist() == [1, 2, 3, 4]
    codes, keys = tables.codes(["q"])
    assert (codes.tolist(), keys) == ([0, 1, 1, 2], [("x",), ("y",), ("z",)])
    assert str(tables.place(3, "p")) == "b.csv:4 p"
