"""The corpus of bad tables: each is refused with an exit code, its place in the file, and the next step."""

from __future__ import annotations

import gzip
import math
import os
import unicodedata
from pathlib import Path
from typing import Any, NamedTuple

import pandas as pd
import pytest
from tables_as_text import as_csv, make_config, make_rows, with_cell, with_ids, with_times

from rnncli.data.reading import sources
from rnncli.data.reading.frames import open_tables
from rnncli.errors import DataError, ResourceError, RnncliError, UsageError


class Bad(NamedTuple):
    """A table and what must be said of it: words of message and hint, line, and column name."""

    content: str | bytes
    words: str
    line: int | None = None
    key: str | None = None
    keys: dict[str, Any] = {}  # noqa: RUF012 - never changed
    path: str = "d.csv"


IDS = {"data__series": "id"}
WIDE = {"data__layout": "wide", "data__target": ["a", "b"]}
CLASSES = {
    "data__time": "t", "data__series": "id", "data__target": "y", "task__kind": "classification", "task__horizon": None,
    "window__context": None,
}  # fmt: skip


def _hours(zone: str, first: str, last: str, form: str) -> list[str]:
    return [time.strftime(form) for time in pd.date_range(first, last, freq="h", tz=zone)]


def _dates(form: str, **options: Any) -> str:
    return with_times(pd.date_range("2020-01-05", **{"periods": 30, **options}).strftime(form))


def _wide(rows: int = 30, repeat: bool = False) -> str:
    days = [row[0] for row in make_rows(rows)]
    return as_csv(
        [[days[max(1, row)] if repeat else days[row], str(row % 5), str(row % 7)] for row in range(rows)], "ds,a,b"
    )


def _labels(of: Any) -> str:
    rows = [
        [f"s{number}", str(step), of(number, step), f"{math.sin(number + step):.3f}"]
        for number in range(12)
        for step in range(5)
    ]
    return as_csv(rows, "id,t,y,x")


UTF_16 = as_csv().encode("utf-16")
LOCAL = "%Y-%m-%d %H:%M:%S"
ROWS = make_rows()

WHOLE = {
    "nothing": Bad("", "is empty"),
    "a byte order mark": Bad("\ufeff", "is empty"),
    "a newline": Bad("\n", "is empty"),
    "blank lines": Bad("\n\r\n \n", "is empty"),
    "a header": Bad("ds,y,x\n", "0 rows"),
    "a header without newline": Bad("ds,y,x", "0 rows"),
    "UTF-16": Bad(UTF_16, "UTF-16 UTF-8", 1),
    "UTF-16 big": Bad(b"\xfe\xff" + as_csv().encode("utf-16-be"), "UTF-16", 1),
    "UTF-16 without mark": Bad(as_csv().encode("utf-16-le"), "UTF-16 UTF-8", 1),
    "UTF-16 big without mark": Bad(as_csv().encode("utf-16-be"), "UTF-16", 1),
    "UTF-32": Bad(as_csv().encode("utf-32"), "UTF-", 1),
    "UTF-32 big": Bad(b"\x00\x00\xfe\xff" + as_csv().encode("utf-32-be"), "UTF-32", 1),
    "Latin-1 header": Bad(as_csv(header="ds,y,é").encode("latin-1"), "UTF-8 byte 5", 1),
    "Latin-1 cell": Bad(with_cell(4, 2, "é").encode("latin-1"), "UTF-8 byte", 6),
    "overlong UTF-8": Bad(with_cell(4, 2, "#").encode().replace(b"#", b"\xc0\xaf"), "UTF-8 byte", 6),
    "a surrogate": Bad(with_cell(4, 2, "\ud800"), "UTF-8 byte", 6),
    "NUL in a cell": Bad(with_cell(4, 2, "a\0b"), "NUL", 6),
    "a line of NUL": Bad(as_csv() + "\0\0\n", "NUL", 32),
    "gzip": Bad(gzip.compress(as_csv().encode()), "gzip .csv.gz", 1),
    "no gzip": Bad(as_csv(), "not gzip", path="d.csv.gz"),
    "half a gzip": Bad(gzip.compress(as_csv().encode())[:-20], "ended", path="d.csv.gz"),
    "a broken gzip": Bad(gzip.compress(as_csv().encode())[:-6] + bytes(6), "CRC", path="d.csv.gz"),
    "gzip of nothing": Bad(gzip.compress(b""), "is empty", path="d.csv.gz"),
    "a spreadsheet": Bad(b"PK\x03\x04" + bytes(99), "spreadsheet CSV", 1),
    "Parquet": Bad(b"PAR1" + bytes(99), "Parquet CSV", 1),
    "HTML": Bad("<!DOCTYPE html>\n<html><body>404</body></html>\n", "HTML CSV", 1),
    "JSON": Bad('{"y": [1, 2]}\n', "JSON CSV", 1),
    "JSON rows": Bad('[{"y": 1}, {"y": 2}]\n', "JSON", 1),
    "JSON lines": Bad('{"y": 1}\n{"y": 2}\n', "JSON", 1),
    "a picture": Bad(b"\x89PNG\r\n\x1a\n" + bytes(99), "NUL"),
}

SHAPE = {
    "first row long": Bad(as_csv([[*ROWS[0], "9"], *ROWS[1:]]), "4 fields 3", 2),
    "later row long": Bad(with_cell(9, 2, "1,2"), "4 fields 3", 11),
    "a short row": Bad(as_csv([*ROWS[:9], ROWS[9][:2], *ROWS[10:]]), "2 fields 3", 11),
    "trailing commas": Bad(as_csv([[*row, ""] for row in ROWS]), "4 fields 3", 2),
    "a blank cell as a line": Bad(as_csv() + "   \n", "1 fields 3", 32),
    "a long row with quotes": Bad(as_csv([*ROWS[:9], ['"2020-01-10"', "1", "2", "3"], *ROWS[10:]]), "4 fields 3", 11),
    "a short row with quotes": Bad(as_csv([*ROWS[:9], ['"2020-01-10"', "1"], *ROWS[10:]]), "2 fields 3", 11),
    "unterminated quote": Bad(with_cell(9, 2, '"1'), "unterminated quote", 11),
    "text after a quote": Bad(with_cell(9, 2, '"1"2'), "expected quotes", 11),
    "a title": Bad("My data\n" + as_csv(), "3 fields 1", 2),
    "semicolons": Bad(as_csv(comma=";"), "semicolons", 1),
    "tabs": Bad(as_csv(comma="\t"), "tabs", 1),
    "bars": Bad(as_csv(comma="|"), "bars", 1),
    "commas in a .tsv": Bad(as_csv(), "commas", 1, path="d.tsv"),
    "semicolons and decimal commas": Bad(as_csv(comma=";").replace(".", ","), "semicolons", 1),
    "decimal commas": Bad(as_csv().replace(".", ","), "4 fields 3", 2),
    "a name twice": Bad(as_csv(header="ds,y,y"), "two columns are named y", 1),
    "a blank name for the target": Bad(as_csv(header="ds,,x"), "no column y", 1),
    "another case": Bad(as_csv(header="ds,Y,x"), "no column y did you mean Y?", 1),
    "a misspelt name": Bad(
        as_csv(header="ds,units_sold,x"), "did you mean units_sold?", 1, keys={"data__target": "unit_sold"}
    ),
    "a decomposed name": Bad(
        as_csv(header=unicodedata.normalize("NFD", "ds,café,x")), "no column", 1, keys={"data__target": "café"}
    ),
    "no such time": Bad(as_csv(header="day,y,x"), "no column ds", 1),
    "no such series": Bad(as_csv(), "no column id", 1, keys=IDS),
    "no such input": Bad(as_csv(), "no column z", 1, keys={"data__past": "z"}),
    "a pattern for nothing": Bad(as_csv(), "no column matches z*", 1, keys={"data__past": "z*"}),
    "numbers for a header": Bad(as_csv([["3", "4"]] * 9, header="1,2"), "no header", 1, keys={"data__time": None}),
    "no header": Bad(as_csv(ROWS[1:], header=",".join(ROWS[0])), "no column ds", 1),
}

NUMBERS = [
    '"1,234"', "5%", "$5", "(5)", "٣", "５", "−5", "0x10", "0b1", "1_000", "1__0", "=2+3", "abc", "yes", "True", "1e",
    "1.2.3", "1d5", "1 000",
    "\u00a05", "5\u200b", "1L", "5j", "+", "-", ".", "#N/A", "#DIV/0!", '"a""b"', "--5", "1e5e5",
]  # fmt: skip
TOO_LARGE = ["inf", "-Infinity", "Infinity", "1e309", "-1e309", "1e39", "3.5e38", "9" * 40]
EMPTY = ["", "NA", "NaN", "nan", "null", "NULL", "None", "N/A"]

TIMES = {
    "30 February": Bad(with_cell(9, 0, "2020-02-30"), "2020-02-30", 11, "ds"),
    "24 o'clock": Bad(with_cell(9, 0, "2020-01-10 24:00"), "24:00", 11, "ds"),
    "24 o'clock first": Bad(with_cell(0, 0, "2020-01-01 24:00"), "24:00", 2, "ds"),
    "a leap second": Bad(
        with_times(f"{'2017-01-01 00:00' if tick > 60 else '2016-12-31 23:59'}:{tick % 61:02d}" for tick in range(90)),
        "23:59:60", 62, "ds",
    ),
    "no time": Bad(with_cell(9, 0, ""), "''", 11, "ds"),
    "no first time": Bad(with_cell(0, 0, ""), "''", 2, "ds"),
    "NA": Bad(with_cell(9, 0, "NA"), "'NA'", 11, "ds"),
    "a total": Bad(as_csv([*ROWS, ["Total", "150", "9"]]), "'Total'", 32, "ds"),
    "day or month first": Bad(_dates("%d/%m/%Y"), "data.time_format", 2, "ds"),
    "the wrong format": Bad(_dates("%d/%m/%Y"), "'13/01/2020' data.time_format", 10, "ds",
        {"data__time_format": "%m/%d/%Y"}),
    "no format at all": Bad(_dates("%Y-%m-%d"), "data.time_format", keys={"data__time_format": "%q"}),
    "half a format": Bad(_dates("%Y-%m-%d"), "data.time_format", keys={"data__time_format": "%"}),
    "a word for a format": Bad(_dates("%Y-%m-%d"), "time", keys={"data__time_format": "ISO8601"}),
    "another word for a format": Bad(_dates("%Y-%m-%d"), "time", keys={"data__time_format": "mixed"}),
    "two formats": Bad(with_cell(9, 0, "10 Jan 2020"), "'10 Jan 2020'", 11, "ds"),
    "seconds since 1970": Bad(with_times(range(1_577_836_800, 1_577_836_800 + 30 * 86400, 86400)),
        "seconds since 1970 dates", 2, "ds"),
    "milliseconds since 1970": Bad(with_times(range(10**12, 10**12 + 30 * 1000, 1000)), "since 1970", 2, "ds"),
    "weeks": Bad(with_times(f"2020-W{week:02d}" for week in range(1, 40)), "data.time_format", 2, "ds"),
    "quarters": Bad(with_times(f"{2000 + row // 4}Q{row % 4 + 1}" for row in range(40)), "data.time_format", 2, "ds"),
    "autumn hour twice": Bad(with_times(_hours("Europe/Berlin", "2020-10-24", "2020-10-26", LOCAL)),
        "2020-10-25 02:00:00 line 28", 29, "ds"),
    "spring hour missing": Bad(
        with_times(_hours("Europe/Berlin", "2020-03-28", "2020-03-30", LOCAL)),
        "2020-03-29 01:00:00 2020-03-29 03:00:00", 28, "ds"
    ),
    "a time twice": Bad(as_csv([*ROWS, ROWS[4]]), "2020-01-05 line 6 data.series", 32, "ds"),
    "a date and its clock apart": Bad(
        as_csv([["2020-01-01", clock, "1"] for clock in ("00.00.00", "01.00.00")], "ds,clock,y"),
        "line 2 data.clock: clock", 3, "ds"),
    "a time twice in a series": Bad(with_ids(["a", "b"]) + "a,2020-01-05,1,2\n", "2020-01-05 line 6", 62, "ds", IDS),
    "a time twice in the wide layout": Bad(_wide(repeat=True), "2020-01-02 line 2", 3, "ds", WIDE),
    "a gap": Bad(as_csv(ROWS[:9] + ROWS[10:]), "2020-01-09 2020-01-11", 11, "ds"),
    "a gap in a series": Bad(with_ids(["a"]) + with_ids(["b"]).split("\n", 1)[1].replace("b,2020-01-07,",
        "b,2020-03-07,"), "series b", keys=IDS),
    "no step": Bad(with_times(["2020-01-01", "2020-01-03", "2020-01-04", "2020-01-08", "2020-01-20", "2020-02-08"]),
        "no regular step", 2, "ds"),
    "one row": Bad(as_csv(ROWS[:1]), "fewer than 3 rows", 2, "ds"),
    "two months": Bad(with_times(["2020-01", "2020-02"]), "fewer than 3 rows", 2, "ds"),
}  # fmt: skip

MEANING = {
    "a cell in 30 that is no number": Bad(with_cell(9, 1, "abc"), "'abc' line 11", 11, "y"),
    "empty cells": Bad(as_csv([[row[0], "" if number % 5 == 3 else row[1], row[2]] for number, row in enumerate(ROWS)]),
        "6 empty cells", 5, "y"),
    "an empty column": Bad(as_csv([[*row[:2], ""] for row in ROWS]), "no row has a value", 2, "x",
        {"data__past": "x", "data__missing": "mask"}),
    "an empty target": Bad(as_csv([[row[0], "", row[2]] for row in ROWS]), "no row has a value", 2, "y",
        {"data__missing": "ffill"}),
    "an empty series": Bad(with_ids(["a", "b"]) + "".join(f"c,{row[0]},,1\n" for row in ROWS), "c",
        keys={**IDS, "data__missing": "ffill"}),
    "a blank id": Bad(with_ids(["a", ""]), "empty series id", 32, "id", IDS),
    "truth and numbers": Bad(with_cell(9, 1, "True"), "'True'", 11, "y"),
    "truth and blanks": Bad(as_csv([[row[0], "" if row[2] == "3" else "True", row[2]] for row in ROWS]), "", None, "y"),
    "a short series": Bad(with_ids(["a", "b"]) + "c,2020-01-01,1,2\nc,2020-01-02,1,2\n", "1 of 3 series too short: c",
        keys=IDS),
    "short series": Bad(with_ids(list("abcdefgh"), 3), "8 of 8 series too short: a, b, c, d, e and 3 more", keys=IDS),
    "a horizon beyond the data": Bad(as_csv(), "too short task.horizon", keys={"task__horizon": 40}),
    "a test part beyond the data": Bad(as_csv(), "too short split.test", keys={"split__test": 29}),
    "a test part below the horizon": Bad(as_csv(), "test part has 1 rows split.test", keys={"split__test": 1}),
    "a test part after the data": Bad(as_csv(), "test part has 0 rows split.test", keys={"split__test": "2021-01-01"}),
    "a validation part after the test": Bad(as_csv(), "validation",
        keys={"split__validation": "2020-01-25", "split__test": "2020-01-20"}),
    "a part that starts at no time": Bad(as_csv(), "in 3 days", keys={"split__test": "in 3 days"}),
    "a part that starts at a number": Bad(as_csv(), "45", keys={"split__test": "45"}),
    "a part that starts at a date in numbered data": Bad(with_times(range(40)), "2020-01-01",
        keys={"split__test": "2020-01-01"}),
    "a logarithm of zero": Bad(with_cell(9, 1, "0"), "log y none", keys={"window__transform": "log"}),
    "a logarithm of less": Bad(with_cell(9, 1, "-1"), "-1", keys={"window__transform": "log"}),
    "whole series too short": Bad(
        with_ids(list("abcdefghij"), 2), "too short", keys={**IDS, "split__by": "series", "scale__per": "panel"}
    ),
    "half of the series too short": Bad(
        with_ids(list("abcde"), 30) + "".join(f"{name},2020-01-01,1,1\n{name},2020-01-02,1,1\n" for name in "fghij"),
        "too short", keys={**IDS, "split__by": "series", "scale__per": "panel"},
    ),
    "one class": Bad(_labels(lambda number, step: "a"), "one class", keys=CLASSES),
    "no class": Bad(_labels(lambda number, step: ""), "", keys=CLASSES),
    "a class that changes": Bad(_labels(lambda number, step: "ab"[step % 2]), "s0", keys=CLASSES),
    "no numbers beside the class": Bad(_labels(lambda number, step: "ab"[number % 2]).replace(",0.",
        ",v0.").replace(",-0.", ",w0."), "numeric", 1, keys=CLASSES),
    "all series held out": Bad(_labels(lambda number, step: "ab"[number % 2]), "12 series",
        keys={**CLASSES, "split__test": 12}),
    "two files that differ": Bad(as_csv(header="ds,y,z"), "x, z", 1, path="e.csv",
        keys={"data__path": ["d.csv", "e.csv"]}),
    "a bad cell in the second file": Bad(
        as_csv([["2020-01-31", "abc", "1"]]), "'abc' line 2", 2, "y", path="e.csv",
        keys={"data__path": ["d.csv", "e.csv"]}
    ),
}  # fmt: skip


def _refuse(read: Any, case: Bad) -> RnncliError:
    Path("d.csv").write_text(as_csv())
    with pytest.raises(DataError) as caught:
        read(case.content, case.path, **case.keys)
    return caught.value


def _assert_told(error: RnncliError, case: Bad) -> None:
    (problem,) = error.problems
    said = f"{problem.message} {problem.hint or ''}"
    for word in case.words.split():
        assert word in said
    assert problem.place.file in (None, case.path)
    if case.line is not None:
        assert (problem.place.file, problem.place.line) == (case.path, case.line)
    if case.key is not None:
        assert problem.place.key == case.key
    assert "\n" not in said
    assert len(said) < 400


@pytest.mark.parametrize("name", WHOLE)
def test_what_is_no_table(read, name):
    _assert_told(_refuse(read, WHOLE[name]), WHOLE[name])


@pytest.mark.parametrize("name", SHAPE)
def test_what_is_no_rectangle_under_a_header(read, name):
    _assert_told(_refuse(read, SHAPE[name]), SHAPE[name])


@pytest.mark.parametrize("name", TIMES)
def test_what_is_no_regular_time(read, name):
    _assert_told(_refuse(read, TIMES[name]), TIMES[name])


@pytest.mark.parametrize("name", MEANING)
def test_what_cannot_be_learned_from(read, name):
    _assert_told(_refuse(read, MEANING[name]), MEANING[name])


@pytest.mark.parametrize("text", NUMBERS, ids=ascii)
@pytest.mark.parametrize("column", ["y", "x"])
def test_what_is_no_number(read, text, column):
    case = Bad(with_cell(9, 1 if column == "y" else 2, text), "line 11", 11, column, {"data__past": "x"})
    _assert_told(_refuse(read, case), case)


@pytest.mark.parametrize("text", TOO_LARGE)
def test_what_is_no_number_to_train_with(read, text):
    case = Bad(with_cell(9, 1, text), "finite", 11, "y")
    _assert_told(_refuse(read, case), case)


@pytest.mark.parametrize("text", EMPTY, ids=lambda text: text or "blank")
def test_an_empty_cell_needs_a_decision(read, text):
    case = Bad(with_cell(9, 1, text), "1 empty cell data.missing", 11, "y")
    _assert_told(_refuse(read, case), case)
    for missing in ("mask", "ffill"):
        assert read(case.content, data__missing=missing).panel.observed.sum() == 29


def test_many_bad_cells_are_counted_and_three_are_shown(read):
    rows = make_rows(2000)
    for row in range(100, 200):
        rows[row][1] = "abc"
    case = Bad(as_csv(rows), "line 102 line 103 line 104 97 more", 102, "y")
    _assert_told(_refuse(read, case), case)


def test_the_line_counts_blank_lines_and_lines_in_quotes(read):
    text = as_csv(make_rows(5)).replace("2020-01-02", '\n"2020-01-02"').replace("\n2020-01-04", "\n\n\n2020-01-04")
    case = Bad(text + '2020-01-06,abc,"a\nb"\n2020-01-07,1,2\n', "line 10", 10, "y")
    _assert_told(_refuse(read, case), case)


@pytest.mark.parametrize("quoted", [False, True])
def test_one_huge_cell_is_refused(read, quoted):
    cell = "9" * 3_000_000
    case = Bad(with_cell(9, 2, f'"{cell}"' if quoted else cell), "", 11)
    _assert_told(_refuse(read, case), case)


def test_a_huge_header_is_refused(read):
    case = Bad("x" * 3_000_000 + "\n1\n", "header", 1)
    _assert_told(_refuse(read, case), case)


def test_a_gzip_bomb_is_refused_before_it_is_unpacked(read):
    bomb = gzip.compress(b"ds,y,x\n") + gzip.compress(b"2020-01-01,1,1\n" * 1_000_000) * 16
    assert len(bomb) < 1_000_000
    case = Bad(bomb, "more than", path="d.csv.gz")
    _assert_told(_refuse(read, case), case)


def test_a_file_that_does_not_end_is_refused(read, monkeypatch):
    monkeypatch.setattr(sources, "MAX_BYTES", 1 << 25)
    with pytest.raises(DataError):
        read(None, "/dev/zero")


@pytest.mark.parametrize(
    "path", ["http://example.org/d.csv", "https://x/d.csv.gz", "s3://bucket/key", "memory://x", "file:///etc/passwd"]
)
def test_nothing_but_a_file_is_opened(read, monkeypatch, path):
    monkeypatch.setattr("socket.socket", None)
    for listed in (path, ["d.csv", path]):
        Path("d.csv").write_text(as_csv())
        with pytest.raises(UsageError, match="only local files") as caught:
            read(None, "d.csv", data__path=listed)
        assert caught.value.exit_code == 2


@pytest.mark.parametrize(
    ("path", "words"),
    [("nowhere.csv", "no such file"), ("nowhere*.csv", "no such file"), (".", "folder"), ("a\0b.csv", "no such file"),
        ("x" * 5000, "no such file")],
    ids=["file", "glob", "folder", "NUL", "long"],
)  # fmt: skip
def test_a_file_that_is_not_there_is_a_matter_of_the_command_line(path, words):
    with pytest.raises(UsageError, match=words) as caught:
        open_tables(make_config(data__path=path).data.path)
    assert caught.value.exit_code == 2


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_a_file_that_may_not_be_read_is_a_matter_of_the_machine(read):
    Path("d.csv").write_text(as_csv())
    Path("d.csv").chmod(0)
    with pytest.raises(ResourceError) as caught:
        read(None, "d.csv")
    assert caught.value.exit_code == 5


@pytest.mark.parametrize(
    "keys", [{"data__target": "ds"}, {"data__target": "id"}, {"data__past": "ds"}, {"data__past": "y"}], ids=str
)
def test_a_column_has_one_part(read, keys):
    with pytest.raises(RnncliError) as caught:
        read(with_ids(["a", "b"]), data__series="id", **keys)
    assert caught.value.exit_code == 2


def test_several_ragged_lines_are_told_together(tmp_path, monkeypatch):
    monkeypatch.setattr(sources, "PIECE", 16)  # they stand in several blocks
    file = tmp_path / "d.csv"
    file.write_text("a,b\n1,2\n3\n4,5\n6,7,8\n9,10\n11\n12\n13,14\n")
    with pytest.raises(DataError) as caught:
        open_tables(str(file))
    problem = caught.value.problems[0]
    assert problem.message == "1 fields where the header has 2, and other widths in lines 5, 7 and 1 more"
    assert problem.place.line == 3


def test_ragged_lines_are_told_before_what_may_follow_from_them(tmp_path):
    file = tmp_path / "d.csv"
    file.write_text('a,b\n1,2\n3\n"4,5\n')
    with pytest.raises(DataError, match="1 fields where the header has 2"):
        open_tables(str(file))
