"""A corpus of odd and bad tables: each is refused with its place and the next step, or accepted with what must be said.

Every row goes through the command line of this process; some go through one of their own, and through every command.
"""

from __future__ import annotations

import gzip
import io
import os
import subprocess
import unicodedata
from pathlib import Path
from typing import Any, NamedTuple

import pandas as pd
import pytest
from bad_input import check_document, check_text, contents
from command_line import Invoke, process, shell
from small_tables import ROWS, cell, column, config, series, table, timed

from rnncli.data.reading import sources


class Case(NamedTuple):
    """A table, words of what is said about it (a bar between them), and its line."""

    content: str | bytes
    words: str = ""
    line: int | None = None
    keys: dict[str, Any] = {}  # noqa: RUF012 - never changed
    path: str = "d.csv"


IDS = {"data__series": "id"}
X = {"data__past": "x"}
SEMICOLONS = table(comma=";")
LOCAL = "%Y-%m-%d %H:%M:%S"
ENCODED = {
    "UTF-16 little": Case(table().encode("utf-16"), "UTF-16|data.encoding: utf-16", 1),
    "UTF-16 big": Case(b"\xfe\xff" + table().encode("utf-16-be"), "UTF-16|data.encoding: utf-16", 1),
    "UTF-16 little, no mark": Case(table().encode("utf-16-le"), "UTF-16|data.encoding: utf-16-le", 1),
    "UTF-16 big, no mark": Case(table().encode("utf-16-be"), "UTF-16|data.encoding: utf-16-be", 1),
    "UTF-16 little, no mark, beyond ASCII": Case(
        cell("é", column=2).encode("utf-16-le"), "UTF-16|data.encoding: utf-16-le", 1
    ),
    "UTF-32": Case(table().encode("utf-32"), "UTF-32|data.encoding: utf-32", 1),
    "UTF-32 big": Case(b"\x00\x00\xfe\xff" + table().encode("utf-32-be"), "UTF-32|data.encoding: utf-32", 1),
    "UTF-32 little, no mark": Case(table().encode("utf-32-le"), "UTF-32|data.encoding: utf-32-le", 1),
    "UTF-7 with its mark": Case(b"+/v8-" + table().encode(), "UTF-7|data.encoding: utf-7", 1),
    "Latin-1": Case(cell("é", column=2).encode("latin-1"), "byte 195|data.encoding: latin-1", 11),
    "Latin-1 header": Case(table(header="ds,y,é").encode("latin-1"), "byte 5|latin-1", 1),
    "Windows quotes": Case(cell("\u2018a\u2019", column=2).encode("cp1252"), "data.encoding: cp1252", 11),
    "Shift-JIS": Case(cell("データ", column=2).encode("shift_jis"), "data.encoding: shift_jis", 11),
    "EUC-JP": Case(cell("データ", column=2).encode("euc_jp"), "data.encoding: euc_jp", 11),
    "GB 18030": Case(cell("北京大学", column=2).encode("gb18030"), "data.encoding: gb18030", 11),
    "Cyrillic": Case(cell("Москва", column=2).encode("cp1251"), "data.encoding: cp1251", 11),
    "overlong": Case(cell("#").encode().replace(b"#", b"\xc0\xaf"), "not UTF-8 at byte", 11),
    "a surrogate": Case(cell("#").encode().replace(b"#", b"\xed\xa0\x80"), "not UTF-8 at byte", 11),
    "half a character at the end": Case(table().encode() + b"\xc3", "not UTF-8 at byte", 42),
    "NUL in a cell": Case(cell("1\0"), "NUL", 11),
    "a line of NUL": Case(table() + "\0\0\0\n", "NUL", 42),
    "another encoding than it says": Case(cell("é"), "not ascii|data.encoding", 11, {"data__encoding": "ascii"}),
}
NO_TABLE = {
    "0 bytes": Case("", "is empty"),
    "a newline": Case("\n", "is empty"),
    "blanks": Case(" \r\n\t\n", "is empty"),
    "a mark alone": Case("\ufeff", "is empty"),
    "a header alone": Case("ds,y,x\n", "0 rows"),
    "a header without newline": Case("ds,y,x", "0 rows"),
    "a header and blank lines": Case("ds,y,x\n\n\n\n", "0 rows"),
    "gzip": Case(gzip.compress(table().encode()), "gzip|.csv.gz", 1),
    "no gzip": Case(table(), "not gzip|without .gz", path="d.csv.gz"),
    "half a gzip": Case(gzip.compress(table().encode())[:-9], "not gzip|whole", path="d.csv.gz"),
    "bzip2": Case(b"BZh91AY&SY" + bytes(99), "bzip2|unpack", 1),
    "xz": Case(b"\xfd7zXZ\x00" + bytes(99), "xz|unpack", 1),
    "zstd": Case(b"\x28\xb5\x2f\xfd" + bytes(99), "zstd|unpack", 1),
    "xlsx": Case(b"PK\x03\x04" + bytes(99), "spreadsheet|CSV", 1),
    "xls": Case(b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(99), "spreadsheet|CSV", 1),
    "Parquet": Case(b"PAR1" + bytes(99), "Parquet|.parquet", 1),
    "Arrow": Case(b"ARROW1" + bytes(99), "Arrow", 1),
    "HDF5": Case(b"\x89HDF\r\n" + bytes(99), "HDF5", 1),
    "SQLite": Case(b"SQLite format 3\0" + bytes(99), "database", 1),
    "PDF": Case(b"%PDF-1.7\n" + bytes(99), "PDF", 1),
    "HTML": Case("<!DOCTYPE html>\n<html><body>404</body></html>\n", "HTML|CSV", 1),
    "an HTML table": Case("\n<table><tr><td>1</td></tr></table>\n", "HTML", 1),
    "XML": Case("<?xml version='1.0'?>\n<a/>\n", "XML", 1),
    "JSON": Case('{"y": [1, 2]}\n', "JSON|CSV", 1),
    "JSON rows": Case('[{"y": 1}]\n', "JSON", 1),
}
SHAPE = {
    "first row long": Case(table([[*ROWS[0], "9"], *ROWS[1:]]), "4 fields", 2),
    "every row with a comma more": Case(table([*row, ""] for row in ROWS), "4 fields|end the header", 2),
    "a header with a comma more": Case(table(header="ds,y,x,"), "3 fields|header ends", 2),
    "a later row long": Case(cell("1,2"), "4 fields", 11),
    "a short row": Case(table([*ROWS[:9], ROWS[9][:2], *ROWS[10:]]), "2 fields", 11),
    "spaces for a line": Case(table() + "   \n", "1 fields|remove", 42),
    "an end-of-file sign": Case(table() + "\x1a\n", "1 fields|remove", 42),
    "a comment": Case(table([*ROWS[:9], ["# later"], *ROWS[10:]]), "comment|remove", 11),
    "comments above": Case("# made by hand\n" + table(), "remove the lines above", 2),
    "a title": Case("Sales\n\n" + table(), "remove the lines above", 3),
    "Excel's sep": Case("sep=;\n" + SEMICOLONS, "sep=|data.delimiter: ';'", 1),
    "Excel's sep, comma": Case("sep=,\n" + table(), "sep=|remove", 1),
    "unterminated quote": Case(cell('"1'), "unterminated quote", 11),
    "text after a quote": Case(cell('"1"2'), "quotes", 11),
    "one huge cell": Case(cell("9" * 2_000_000), "million characters", 11),
    "one huge quoted cell": Case(cell('"' + "9" * 2_000_000 + '"'), "million characters", 11),
    "a huge unterminated quote": Case(cell('"9') + table() * 2000, "unterminated quote", 11),
    "a huge header": Case("y" * 2_000_000 + "\n1\n", "header", 1),
    "a quote in the header that does not end": Case('ds,"y,x\n' + table(), "header", 1),
    "semicolons": Case(SEMICOLONS, "semicolons|data.delimiter: ';'", 1),
    "semicolons and decimal commas": Case(
        SEMICOLONS.replace(".", ","), "semicolons|data.delimiter: ';'|data.decimal: ','", 1
    ),
    "tabs": Case(table(comma="\t"), "tabs|data.delimiter: tab", 1),
    "bars": Case(table(comma="|"), "bars|data.delimiter: '|'", 1),
    "commas named tsv": Case(table(), "commas|data.delimiter: ','", 1, path="d.tsv"),
    "commas where semicolons are asked for": Case(table(), "commas|data.delimiter", 1, {"data__delimiter": ";"}),
    "decimal commas among commas": Case(table().replace(".", ","), "4 fields|decimal", 2),
    "a name twice": Case(table(header="ds,y,y"), "two columns are named y|rename", 1),
    "a name twice but for spaces": Case(table(header="ds,y, y"), "two columns are named y", 1),
    "pandas' names": Case(table(header="y,y,y.1"), "two columns are named y", 1),
    "the target without a name": Case(table(header="ds,,x"), "no column y", 1),
    "the target in another case": Case(table(header="ds,Y,x"), "did you mean Y?", 1),
    "the target misspelt": Case(table(header="ds,units,x"), "did you mean units?", 1, {"data__target": "unit"}),
    "the target in NFD": Case(
        table(header=unicodedata.normalize("NFD", "ds,café,x")), "did you mean", 1, {"data__target": "café"}
    ),
    "numbers for a header": Case("1,2\n" * 30, "no header|name the columns", 1, {"data__time": None}),
    "a date and numbers for a header": Case(table(ROWS[1:], ",".join(ROWS[0])), "no header|name the columns", 1),
    "a header of two lines": Case(table([["(day)", "(usd)", "(1)"], *ROWS]), "second header|remove", 2,
        {"data__time": None}),
    "units below the header": Case(table([["", "usd", ""], *ROWS]), "second header|remove", 2, {"data__time": None}),
    "the header again": Case(table([*ROWS[:9], ["ds", "y", "x"], *ROWS[9:]]), "repeats the header|remove", 11,
        {"data__time": None}),
    "two files glued": Case(table(ROWS[:20]) + "\ufeff" + table(ROWS[20:]), "y", 22, {"data__time": None}),
}  # fmt: skip
# what stands in a cell, and the next step
NUMBERS = {
    '"1,234"': "data.thousands: ','", '"1,234,567.5"': "data.thousands: ','", "1 234": "data.thousands: ' '",
    "1\u00a0234": "data.thousands: ' '", "1'234": "data.thousands: \"'\"", "1_000": "data.thousands: '_'",
    '"1,5"': "data.decimal: ','", '"1.234,5"': "data.thousands: '.'",
    "5%": "percent", "5 %": "percent", "$5": "currency", "€5": "currency", "5 €": "currency", "USD 5": "currency",
    "-$5": "currency", "(5)": "negative", "($5)": "negative", "5-": "negative", "−5": "minus", "–5": "minus",
    "٣": "digits 0 to 9", "５": "digits 0 to 9", "0x10": "decimal numbers", "0b1": "decimal numbers",
    "=2+3": "not the formulas", "#DIV/0!": "formula", "#REF!": "formula", "yes": "1 and 0", "Y": "1 and 0",
    "on": "1 and 0", "true": "1 and 0", "True": "1 and 0", "wahr": "1 and 0", "∞": "finite", "1.#INF": "finite",
    "1.#QNAN": "finite", "1d5": "e for the exponent", "5kg": "unit", "5 °C": "unit", "5 km/h": "unit",
    "<5": "number alone", "~5": "number alone", "\u00a05": "invisible", "5\u200b": "invisible", "\ufeff5": "invisible",
    "-": "data.missing", "--": "data.missing", "?": "data.missing", ".": "data.missing", "*": "data.missing",
    "n.a.": "data.missing", "#N/A": "data.missing", "missing": "data.missing", "<NA>": "data.missing",
    "\\N": "data.missing", "NaT": "data.missing", "abc": "data.missing", "1e": "data.missing", "1.2.3": "",
    "--5": "data.missing", "1e5e5": "data.missing", "5j": "", "+": "data.missing", "2020-01-01": "data.time",
    "1/2": "", "½": "", "1:30": "", "Total": "remove the line", "   ": "only spaces",
}  # fmt: skip
TOO_LARGE = {
    "inf": "finite", "-Infinity": "finite", "+INF": "finite", "infinity": "finite", "1e309": "overflows",
    "-1e309": "overflows", "1e39": "overflows", "9" * 30: "digits", "18446744073709551616": "digits",
}  # fmt: skip
EMPTY = ["", "NA", "NaN", "nan", "null", "NULL", "None", "N/A"]
CELLS = {
    "abc in many rows": Case(
        table([*([day, "1", "0"] for day, _, _ in ROWS[:9]), [ROWS[9][0], "abc", "1"], *ROWS[10:]]),
        "'abc' in line 11", 11
    ),
    "many bad cells": Case(column(["1", "abc"]), "line 3, 'abc' in line 5, 'abc' in line 7 and 17 more", 3),
    "truth in an input": Case(cell("True", column=2), "1 and 0", 11, X),
    "truth and blanks": Case(column(["True", "False", ""], 2), "empty cell|data.missing", 4, X),
    "truth and numbers": Case(column(["True", "1"], 2), "'True' in line 2", 2, X),
    "truth for every input": Case(
        table((["s1", *row[:2], "True"] for row in ROWS), "id,ds,y,b"), "no numeric input", 1,
        {"task__kind": "regression", "task__horizon": None, "split__by": "time"},
    ),
    "an empty input": Case(column([""], 2), "no row has a value", 2, {**X, "data__missing": "mask"}),
    "an empty target": Case(column([""]), "no row has a value", 2, {"data__missing": "ffill"}),
    "an empty series": Case(
        series("ab") + "".join(f"c,{row[0]},,1\n" for row in ROWS), "series c", None, {**IDS, "data__missing": "ffill"}
    ),
    "a blank id": Case(series(["a", ""]), "empty series id", 42, IDS),
    "too few rows": Case(
        series("ab") + "c,2020-01-01,1,2\nc,2020-01-02,1,2\n", "1 of 3 series too short: c", None, IDS
    ),
    "a total in the last line": Case(table([*ROWS, ["Total", "200", "9"]]), "'Total'", 42),
    "a total without a time": Case(
        table([*ROWS, ["Total", "200 in all", "9"]]), "200 in all", 42, {"data__time": None}
    ),
    "wrong decimal": Case(SEMICOLONS, "data.decimal: '.'", 2, {"data__delimiter": ";", "data__decimal": ","}),
    "wrong thousands": Case(
        SEMICOLONS, "data.decimal: '.'", 2, {"data__delimiter": ";", "data__decimal": ",", "data__thousands": "'"}
    ),
}  # fmt: skip


def _hours(first: str, last: str, form: str) -> str:
    return timed(time.strftime(form) for time in pd.date_range(first, last, freq="h", tz="Europe/Berlin"))


def _dates(form: str, **options: Any) -> str:
    return timed(pd.date_range("2020-01-05", **{"periods": 40, **options}).strftime(form))


TIMES = {
    "30 February": Case(cell("2020-02-30", column=0), "2020-02-30", 11),
    "24 o'clock": Case(cell("2020-01-10 24:00", column=0), "24:00", 11),
    "24 o'clock first": Case(timed(f"2020-01-{day:02d} 24:00" for day in range(1, 31)), "00:00 of the next day", 2),
    "a leap second": Case(
        timed([*(f"2016-12-31 23:59:{second}" for second in range(30, 61)), "2017-01-01 00:00:00"]), "leap second", 32
    ),
    "day first": Case(_dates("%d/%m/%Y"), "data.time_format: '%d/%m/%Y'", 2),
    "13/01/2020": Case(timed(f"{day}/01/2020" for day in range(13, 31)), "data.time_format: '%d/%m/%Y'", 2),
    "month first": Case(_dates("%m/%d/%Y"), "'%m/%d/%Y'", 2),
    "two-digit years": Case(_dates("%m/%d/%y"), "data.time_format|%m/%d/%y", 2),
    "points": Case(_dates("%d.%m.%Y %H:%M"), "data.time_format: '%d.%m.%Y %H:%M'", 2),
    "am and pm": Case(_dates("%m/%d/%Y %I:%M %p", freq="h"), "%m/%d/%Y %I:%M %p", 2),
    "the wrong format": Case(_dates("%d/%m/%Y"), "data.time_format", 10, {"data__time_format": "%m/%d/%Y"}),
    "two formats": Case(cell("10 Jan 2020", column=0), "'10 Jan 2020'", 11),
    "a date with a time among dates": Case(cell("2020-01-10 00:00", column=0), "2020-01-10 00:00", 11),
    "no time": Case(cell("", column=0), "''", 11),
    "no first time": Case(cell("", row=0, column=0), "every row needs a time", 2),
    "seconds since 1970": Case(timed(range(1577836800, 1577836800 + 86400 * 40, 86400)), "data.time_unit: s", 2),
    "milliseconds since 1970": Case(timed(range(1577836800000, 1577836840000, 1000)), "data.time_unit: ms", 2),
    "microseconds since 1970": Case(timed(range(1577836800 * 10**6, 1577836840 * 10**6, 10**6)), "time_unit: us", 2),
    "nanoseconds since 1970": Case(timed(range(1577836800 * 10**9, 1577836840 * 10**9, 10**9)), "time_unit: ns", 2),
    "fractions since 1970": Case(timed(1577836800.5 + row for row in range(40)), "data.time_unit: s", 2),
    "the wrong unit": Case(
        timed(range(1577836800000, 1577836840000, 1000)), "data.time_unit", 2, {"data__time_unit": "s"}
    ),
    "a unit for dates": Case(table(), "data.time_unit", 2, {"data__time_unit": "s"}),
    "weeks": Case(timed(f"2020-W{week:02d}" for week in range(1, 40)), "data.time_format: '%G-W%V'", 2),
    "a week 60": Case(timed(["2020-W60"]), "first days of weeks", 2),
    "quarters": Case(timed(f"{2000 + row // 4}Q{row % 4 + 1}" for row in range(40)), "data.time_format: '%YQ%q'", 2),
    "a quarter 5": Case(timed(["2020Q5"]), "first days of quarters", 2),
    "a quarter 5 among quarters": Case(
        timed(f"Q{row} 2020" for row in range(1, 6)), "'Q5 2020' is not a time like Q1 2020", 6,
        {"data__time_format": "Q%q %Y"}
    ),
    "mixed offsets": Case(_hours("2020-10-24", "2020-10-26", f"{LOCAL}%z"), "data.time_zone: UTC", 29),
    "an hour twice": Case(_hours("2020-10-24", "2020-10-26", LOCAL), "clocks|data.time_zone|line 28", 29),
    "an hour skipped": Case(_hours("2020-03-28", "2020-03-30", LOCAL), "clocks|data.time_zone", 28),
    "an hour that a zone does not have": Case(
        timed(pd.date_range("2020-03-28", periods=60, freq="h").strftime(LOCAL)),
        "02:00:00 is not a time in Europe/Berlin", 28, {"data__time_zone": "Europe/Berlin"}
    ),
    "a zone for days": Case(table(), "no effect", 2, {"data__time_zone": "UTC"}),
    "a time twice": Case(table([*ROWS, ROWS[4]]), "2020-01-05|line 6|data.series", 42),
    "a time twice in a series": Case(series("ab") + "a,2020-01-05,1,2\n", "2020-01-05|line 6", 82, IDS),
    "a gap": Case(table(ROWS[:9] + ROWS[10:]), "2020-01-09 to 2020-01-11", 11),
    "two rows": Case(timed(["2020-01", "2020-02"]), "frequency", 2),
}  # fmt: skip
REFUSED = {
    **ENCODED, **NO_TABLE, **SHAPE, **CELLS, **TIMES,
    **{f"{text!r} for a number": Case(cell(text), f"line 11|{words}", 11) for text, words in NUMBERS.items()},
    **{f"{text!r} for an input": Case(cell(text, column=2), f"line 11|{words}", 11, X)
        for text, words in list(NUMBERS.items())[::7]},
    **{f"{text!r} is too large": Case(cell(text), words, 11) for text, words in TOO_LARGE.items()},
    **{f"{text!r} is empty": Case(cell(text), "1 empty cell|data.missing", 11) for text in EMPTY},
}  # fmt: skip

YEARS = {
    f"the year {first[:4]}": Case(table([str(pd.Timestamp(first) + pd.Timedelta(days=day)).split()[0], *ROWS[day][1:]]
        for day in range(40)))
    for first in ("0001-01-01", "9999-11-01")
}  # fmt: skip
ACCEPTED = {
    "plain": Case(table()),
    "a byte order mark": Case("\ufeff" + table()),
    "CR": Case(table().replace("\n", "\r")),
    "CR LF": Case(table().replace("\n", "\r\n")),
    "mixed line ends": Case(table().replace("\n", "\r\n", 9).replace("\r\n", "\r", 4)),
    "no final newline": Case(table().rstrip("\n")),
    "blank lines above": Case("\n\n" + table()),
    "blank lines": Case(table().replace("\n", "\n\n")),
    "a newline in an id": Case(series(["a", '"b\nc"']), keys=IDS),
    "a CR in an id": Case(series(["a", '"b\rc"']), keys=IDS),
    "doubled quotes": Case(series(["a", '"b""c"']), keys=IDS),
    "a quote within a word": Case(series(["a", 'b"c']), keys=IDS),
    "markup for a name": Case(table(header="ds,[/],x"), keys={"data__target": "[/]"}),
    "an escape sequence for a name": Case(table(header="ds,\x1b[2J,x"), keys={"data__target": "\x1b[2J"}),
    "a bidirectional override for a name": Case(table(header="ds,\u202ey,x"), keys={"data__target": "\u202ey"}),
    "a path for a name": Case(table(header="ds,../../x,x"), keys={"data__target": "../../x"}),
    "a header of two lines in quotes": Case(table(header='ds,"y\nusd",x'), keys={"data__target": "y\nusd"}),
    "plus and spaces": Case(column(["+5", " 6 ", "7.", ".5", "1e0"])),
    "a denormal": Case(cell("5e-324")),
    "17 digits": Case(cell("0.30000000000000004")),
    "truth for an input": Case(column(["True", "False", "True", "TRUE", "false"], 2), keys=X),
    "Namibia": Case(series(["NA", "null", "nan"]), keys=IDS),
    "month ends": Case(timed(pd.date_range("2015-01-31", periods=60, freq="ME").strftime("%Y-%m-%d"))),
    "milliseconds": Case(timed(f"2020-01-01T00:00:{second:02d}.500" for second in range(40))),
    "am and pm in a format": Case(
        _dates("%m/%d/%Y %I:%M %p", freq="h"), keys={"data__time_format": "%m/%d/%Y %I:%M %p"}
    ),
    "gzip": Case(gzip.compress(table().encode()), path="d.csv.gz"),
    "UTF-16": Case(table().encode("utf-16"), keys={"data__encoding": "utf-16"}),
    "UTF-7": Case(table(header="ds,é,x").encode("utf-7"), keys={"data__encoding": "utf-7", "data__target": "é"}),
    "Shift-JIS": Case(series(["カナ", "b"]).encode("shift_jis"), keys={"data__encoding": "shift_jis", **IDS}),
    "semicolons": Case(SEMICOLONS, keys={"data__delimiter": ";"}),
    "semicolons and decimal commas": Case(
        SEMICOLONS.replace(".", ","), keys={"data__delimiter": ";", "data__decimal": ","}
    ),
    "decimal commas in quotes": Case(
        table([day, f'"{y.replace(".", ",")}"', x] for day, y, x in ROWS), keys={"data__decimal": ","}
    ),
    "thousands": Case(column(['"1,234.5"', '"12,345"', "7"]), keys={"data__thousands": ","}),
    "hours of a zone, one of them twice": Case(
        _hours("2020-10-24", "2020-10-26", LOCAL), keys={"data__time_zone": "Europe/Berlin"}
    ),
    "hours of a zone, one of them skipped": Case(
        _hours("2020-03-28", "2020-03-30", LOCAL), keys={"data__time_zone": "Europe/Berlin"}
    ),
    "mixed offsets in a zone": Case(_hours("2020-10-24", "2020-10-26", f"{LOCAL}%z"), keys={"data__time_zone": "UTC"}),
    "milliseconds since 1970": Case(
        timed(range(1577836800000, 1577836840000, 1000)), keys={"data__time_unit": "ms"}
    ),
    **YEARS,
}  # fmt: skip
WARNED = {
    "a column without a name": Case(
        table((*row, "9") for row in ROWS).replace("x\n", "x,\n", 1), "column 4 has no name"
    ),
    "ids that differ by a space": Case(series(["1", "1 "]), "differ by spaces", keys=IDS),
    "2^63": Case(column(["9223372036854775808", "1", "2"]), "y: whole numbers beyond 2^53", 2),
    "2^53 + 1 and a blank": Case(
        column(["1", "2", "9007199254740993", ""], 2),
        "x: whole numbers beyond 2^53",
        4,
        {**X, "data__missing": "ffill"},
    ),
    "a constant target": Case(column(["5"]), "y is 5"),
}


def _prepare(folder: Path, case: Case) -> None:
    content = case.content.encode("utf-8", "surrogatepass") if isinstance(case.content, str) else case.content
    (folder / case.path).write_bytes(content)
    (folder / "c.yaml").write_text(config(**{"data__path": case.path, **case.keys}))


def _check_refusal(case: Case, code: int, out: str, err: str) -> None:
    assert (code, out) == (3, ""), err
    check_text(err)
    for word in case.words.split("|"):
        assert word in err
    place = case.path if case.line is None else f"{case.path}:{case.line}"
    assert f"error: {place}" in err or case.line is None


@pytest.mark.parametrize("name", REFUSED)
def test_a_bad_table_is_refused(name, invoke: Invoke, tmp_path: Path):
    _prepare(tmp_path, REFUSED[name])
    before = contents(tmp_path)
    result = invoke("train", "c.yaml", "--out", "run")
    _check_refusal(REFUSED[name], result.code, result.out, result.err)
    document = invoke("--format", "json", "train", "c.yaml", "--out", "run")
    assert document.out == ""
    check_document(document.err, 3)
    assert contents(tmp_path) == before


@pytest.mark.parametrize("name", ACCEPTED)
def test_an_odd_table_is_accepted_without_a_word(name, invoke: Invoke, tmp_path: Path):
    _prepare(tmp_path, ACCEPTED[name])
    result = invoke("train", "c.yaml", "--out", "run", "--quiet")
    assert (result.code, result.err) == (0, "")
    assert not {"\x1b", "\u202e"} & set(result.out)


@pytest.mark.parametrize("name", WARNED)
def test_a_doubtful_table_is_accepted_with_one_warning(name, invoke: Invoke, tmp_path: Path):
    case = WARNED[name]
    _prepare(tmp_path, case)
    result = invoke("train", "c.yaml", "--out", "run", "--quiet")
    assert result.code == 0, result.err
    (line,) = result.err.splitlines()
    assert line.startswith("warning: ")
    assert case.words in line
    if case.line is not None:
        assert f"d.csv:{case.line}" in line
    for command in ("predict", "evaluate"):  # of the data, not of training it
        again = invoke(command, "run")
        assert again.code == 0
        assert len(again.err.splitlines()) <= 1


def test_of_three_constant_targets_there_is_one_warning(invoke: Invoke, tmp_path: Path):
    text = table(((day, "5", "5", "5") for day, _, _ in ROWS), "ds,y,z,x")
    _prepare(tmp_path, Case(text, keys={"data__target": ["y", "z", "x"]}))
    result = invoke("train", "c.yaml", "--out", "run", "--quiet")
    assert result.code == 0
    assert len(result.err.splitlines()) == 1


@pytest.fixture
def run(invoke: Invoke, tmp_path: Path) -> Path:
    """A folder with a finished run ``run`` of ``d.csv``."""
    _prepare(tmp_path, Case(table()))
    assert invoke("train", "c.yaml", "--out", "run", "--quiet").code == 0
    return tmp_path


# a dozen that stand for the others: they go through every command that reads a table, and through real processes
FEW = [
    "0 bytes", "UTF-16 little", "Latin-1", "NUL in a cell", "gzip", "first row long", "unterminated quote",
    "semicolons", "a name twice", "'\"1,234\"' for a number", "'1e39' is too large", "'NA' is empty", "30 February",
    "half a gzip",
]  # fmt: skip


@pytest.mark.parametrize("name", FEW)
def test_every_command_refuses_a_bad_table(name, invoke: Invoke, run: Path):
    case = REFUSED[name]
    bad = "bad" + case.path.removeprefix("d")
    _prepare(run, case._replace(path=bad))
    before = contents(run)
    for command in ("predict", "evaluate"):
        result = invoke(command, "run", "--data", bad)
        _check_refusal(case._replace(path=bad), result.code, result.out, result.err)
    assert contents(run) == before


@pytest.mark.parametrize("name", FEW[::4])
def test_a_process_of_its_own_refuses_a_bad_table(name, tmp_path: Path):
    _prepare(tmp_path, REFUSED[name])
    before = contents(tmp_path)
    done = process(["train", "c.yaml", "--out", "run"], tmp_path)
    _check_refusal(REFUSED[name], done.returncode, done.stdout.decode(), done.stderr.decode())
    assert contents(tmp_path) == before


@pytest.mark.parametrize(("redirection", "words"), [
    ("< /dev/null", "is empty"), ("<&-", "is closed"), ("< d.gz", "gzip"), ("< bad.csv", "stdin:11 y: not a number"),
])  # fmt: skip
def test_stdin_is_refused_as_a_file_is(redirection, words, tmp_path: Path):
    (tmp_path / "d.gz").write_bytes(gzip.compress(table().encode()))
    (tmp_path / "bad.csv").write_text(cell("abc"))
    (tmp_path / "c.yaml").write_text(config(data__path="-"))
    done = shell(f"rnncli train c.yaml --out run {redirection}", tmp_path)
    assert (done.returncode, done.stdout) == (3, b"")
    check_text(done.stderr.decode())
    assert words in done.stderr.decode()
    assert not (tmp_path / "run").exists()


def test_stdin_and_substituted_processes_are_files(tmp_path: Path):
    (tmp_path / "d.csv").write_text(table())
    (tmp_path / "c.yaml").write_text(config(data__path="-"))
    lines = {
        "one": "rnncli train c.yaml --out one < d.csv",
        "two": "rnncli train c.yaml --out two --data <(cat d.csv)",
        "three": "rnncli train c.yaml --out three --data d.csv",
        "four": "cat d.csv | rnncli train c.yaml --out four --data /dev/stdin",
    }
    models = []
    for out, line in lines.items():
        done = shell(line, tmp_path)
        assert done.returncode == 0, done.stderr
        models.append((tmp_path / out / "history.csv").read_bytes())
    assert len(set(models)) == 1


@pytest.mark.parametrize(
    ("path", "code", "words"),
    [("nowhere.csv", 2, "no such file"), (".", 2, "folder"), ("http://example.org/d.csv", 2, "local files"),
        ("s3://bucket/key", 2, "local files"), ("memory://x", 2, "local files"),
        ("file:///etc/passwd", 2, "local files"), ("/dev/zero", 3, "NUL"), ("*.nothing", 2, "no such file")],
)  # fmt: skip
def test_a_name_that_is_no_file(path, code, words, invoke: Invoke, tmp_path: Path):
    (tmp_path / "c.yaml").write_text(config(data__path=path))
    result = invoke("train", "c.yaml", "--out", "run")
    assert (result.code, result.out) == (code, "")
    check_text(result.err)
    assert words in result.err
    assert not (tmp_path / "run").exists()


def test_a_file_that_may_not_be_read(invoke: Invoke, tmp_path: Path, monkeypatch):
    _prepare(tmp_path, Case(table()))

    def refuse(name: Any, *arguments: Any) -> io.IOBase:
        raise PermissionError(13, "Permission denied", name)

    monkeypatch.setattr(sources, "open", refuse, raising=False)
    result = invoke("train", "c.yaml", "--out", "run")
    assert (result.code, result.out) == (5, "")
    assert result.err.startswith("error: d.csv: cannot read: Permission denied")


def test_a_file_of_too_many_bytes(invoke: Invoke, tmp_path: Path, monkeypatch):
    _prepare(tmp_path, Case(table()))
    monkeypatch.setattr(sources, "MAX_BYTES", 100)
    result = invoke("train", "c.yaml", "--out", "run")
    assert result.code == 3
    assert "more than 100 bytes" in result.err


def test_a_gzip_bomb_is_refused_within_little_memory(tmp_path: Path):
    """39 kB that become 20 million rows."""
    (tmp_path / "d.csv.gz").write_bytes(
        gzip.compress(b"ds,y,x\n") + gzip.compress(b"2020-01-01,1,1\n" * 1_000_000) * 20
    )
    (tmp_path / "c.yaml").write_text(config(data__path="d.csv.gz"))
    program = (
        "import resource, sys; resource.setrlimit(resource.RLIMIT_DATA, (2 << 30, 2 << 30));"
        "from rnncli.cli.app import main; main(['train', 'c.yaml', '--out', 'run'])"
    )
    done = subprocess.run([os.sys.executable, "-c", program], cwd=tmp_path, capture_output=True, timeout=120)  # type: ignore[attr-defined]
    assert (done.returncode, done.stdout) == (3, b""), done.stderr
    assert b"more than" in done.stderr
