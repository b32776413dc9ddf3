"""Tables that look odd and are read all the same, to the last bit."""

from __future__ import annotations

import gzip
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tables_as_text import as_csv, make_config, make_rows, with_cell, with_ids

from rnncli.data.files import read_panel
from rnncli.data.panel import Columns
from rnncli.data.reading.frames import open_tables

IDS = {"data__series": "id"}
PLAIN = as_csv()
ODD = {
    "byte order mark": "\ufeff" + PLAIN,
    "byte order mark and quotes": '\ufeff"ds","y","x"\n' + PLAIN.split("\n", 1)[1],
    "CR LF": PLAIN.replace("\n", "\r\n"),
    "CR": PLAIN.replace("\n", "\r"),
    "mixed line ends": PLAIN.replace("\n", "\r\n", 7).replace("\r\n", "\r", 3),
    "no final newline": PLAIN.rstrip("\n"),
    "blank lines": PLAIN.replace("\n", "\n\n"),
    "blank lines above": "\n\r\n" + PLAIN,
    "blank lines below": PLAIN + "\n\n\n",
    "blank lines and quotes": PLAIN.replace("\n", "\n\n").replace("ds,", '"ds",').replace("2020-01-03", '"2020-01-03"'),
    "quotes everywhere": '"' + PLAIN.rstrip("\n").replace(",", '","').replace("\n", '"\n"') + '"\n',
    "spaces in the header": PLAIN.replace("ds,y,x", " ds , y,x "),
    "spaces around numbers": as_csv([[row[0], f" {row[1]} ", row[2]] for row in make_rows()]),
    "spaces around times": as_csv([[f" {row[0]} ", row[1], row[2]] for row in make_rows()]),
    "plus signs": as_csv([[row[0], f"+{row[1]}", row[2]] for row in make_rows()]),
    "leading zeros": as_csv([[row[0], f"00{row[1]}", row[2]] for row in make_rows()]),
    "other columns": "note,ds,y,z,x\n" + "\n".join(f'"a, ""b""\nc",{line},'.replace(f",{line},",
        f",{','.join([*line.split(',')[:2], 'é', line.split(',')[2]])}") for line in PLAIN.split("\n")[1:-1]) + "\n",
    "a column without a name": "ds,y,x,\n" + "".join(f"{line},9\n" for line in PLAIN.split("\n")[1:-1]),
    "rows in another order": "\n".join([PLAIN.split("\n")[0], *reversed(PLAIN.split("\n")[1:-1])]) + "\n",
    "columns in another order": as_csv([row[::-1] for row in make_rows()], "x,y,ds"),
}  # fmt: skip


@pytest.mark.parametrize("name", ODD)
def test_an_odd_table_is_the_plain_one(read, name):
    plain = read(PLAIN, data__past="x").panel
    odd = read(ODD[name], data__past="x").panel
    np.testing.assert_array_equal(odd.times, plain.times)
    np.testing.assert_array_equal(odd.values, plain.values)
    assert odd.observed.all()


@pytest.mark.parametrize(
    ("path", "content"),
    [
        ("d.csv.gz", gzip.compress(PLAIN.encode(), mtime=0)),
        ("d.tsv", PLAIN.replace(",", "\t").encode()),
        ("d.tsv.gz", gzip.compress(PLAIN.replace(",", "\t").encode(), mtime=0)),
        ("d.txt", PLAIN.encode()),
        (
            "two members.csv.gz",
            gzip.compress(PLAIN[:100].encode(), 9, mtime=0) + gzip.compress(PLAIN[100:].encode(), 9, mtime=0),
        ),
        ("[1] x*.csv", PLAIN.encode()),
        ("é\U0001f600.csv", PLAIN.encode()),
    ],
    ids=lambda value: ascii(value) if isinstance(value, str) else "",
)
def test_a_file_of_another_kind_or_name(read, path, content):
    np.testing.assert_array_equal(read(content, path).panel.values, read(PLAIN).panel.values)


@pytest.mark.parametrize("paths", [["a.csv", "b.csv"], "[ab].csv", ["b.csv", "a.csv"], ["a.csv", "[b].csv"]], ids=str)
def test_several_files_are_one_table(read, paths):
    Path("a.csv").write_text(with_ids(["one", "two"]))
    Path("b.csv").write_text(
        "x,y,ds,id\n"
        + "".join(",".join(reversed(line.split(","))) + "\n" for line in with_ids(["three"]).split("\n")[1:-1])
    )
    panel = read(None, data__path=paths, data__past="x", **IDS).panel
    whole = read(with_ids(["one", "two", "three"]), data__past="x", **IDS).panel
    assert sorted(panel.ids) == [("one",), ("three",), ("two",)]
    for number, name in enumerate(panel.ids):
        same = whole[["one", "two", "three"].index(name[0])].values.copy()
        same[:, 0] -= 2.0 if name == ("three",) else 0.0  # it is the first of its own file
        np.testing.assert_allclose(panel[number].values, same)


@pytest.mark.parametrize(
    ("header", "target"),
    [("[/]", "[/]"), ("[x*]", "[x*]"), ("\x1b[2J", "\x1b[2J"), ("\u202e", "\u202e"), ("../../x", "../../x"),
        ('"a,b"', "a,b"), ('"a""b"', 'a"b'), ('"a\nb"', "a\nb"), ("é\U0001f600", "é\U0001f600"), ("=y", "=y"),
        ("None", "None"), ("1", "1"), ("true", "true")],
    ids=ascii,
)  # fmt: skip
@pytest.mark.parametrize("position", [0, 1, 2])
def test_a_name_is_only_a_name(read, header, target, position):
    names = ["x", "ds"]
    names.insert(position, header)
    rows = [[row[2], row[0]] for row in make_rows()]
    for row, (_, value, _) in zip(rows, make_rows(), strict=True):
        row.insert(position, value)
    prepared = read(as_csv(rows, "#").replace("#", ",".join(names), 1), data__target=target)
    assert prepared.columns.targets == (target,)
    np.testing.assert_array_equal(prepared.panel.values, read(PLAIN).panel.values)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("+5", 5.0), (" 5 ", 5.0), ("5.", 5.0), (".5", 0.5), ("-0", 0.0), ("1e5", 1e5), ("1E-3", 1e-3), ("00012", 12.0),
        ("5e-324", 5e-324),
        ("0.30000000000000004", 0.1 + 0.2), ("123456789.12345678", 123456789.12345678),
        ("1.7976931348623157e30", 1.7976931348623157e30),
        ("9007199254740993", 9007199254740992.0), ("9223372036854775808", 2.0**63), ('"5"', 5.0),
        ("3.4028234e38", 3.4028234e38),
        ("2.2250738585072014e-308", 2.2250738585072014e-308), ("-123456.7890123", -123456.7890123),
    ],
)  # fmt: skip
def test_a_number_is_read_to_the_last_bit(read, text, value):
    panel = read(with_cell(9, 1, text)).panel
    assert panel.values[9, 0] == value


@settings(max_examples=200, deadline=None, derandomize=True, database=None)
@given(st.lists(st.floats(-1e30, 1e30), min_size=1, max_size=20))
def test_any_number_is_read_to_the_last_bit(values):
    Path("d.csv").write_text("y\n" + "".join(f"{value!r}\n" for value in values))
    panel, _ = read_panel(open_tables("d.csv"), Columns(("y",)), "error")
    assert panel.values[:, 0].tolist() == values


@pytest.mark.parametrize(
    "name",
    ["NA", "null", "nan", "None", "NaN", "001", "1.0", "1 ", " 1", " ", "True", "1e5", "b\nc", 'b"c', "b,c", "\x1b[2J",
        "\u202e", "é", "\U0001f600", "=1+1", "-", "[x]", "../../x", "a" * 5000],
    ids=ascii,
)  # fmt: skip
def test_an_id_stays_as_it_is(read, name):
    quoted = '"' + name.replace('"', '""') + '"'
    panel = read(with_ids(["1", quoted, "other"]), **IDS).panel
    assert panel.ids == (("1",), (name,), ("other",))
    assert panel.lengths().tolist() == [30, 30, 30]


def test_ids_of_two_columns_are_pairs(read):
    text = with_ids(["a", "b"]).replace("id,", "id,sub,").replace("\na,", "\na,1,").replace("\nb,", "\nb,1,")
    more = with_ids(["a"]).split("\n", 1)[1].replace("a,", "a,2,")
    assert read(text + more, data__series=["id", "sub"]).panel.ids == (("a", "1"), ("b", "1"), ("a", "2"))


def test_series_stand_in_the_order_of_their_first_rows(read):
    lines = with_ids(["z", "a", "m"]).split("\n")
    mixed = [lines[0], *sorted(lines[1:-1], key=lambda line: line.split(",")[1])]
    one, other = read("\n".join(lines), **IDS).panel, read("\n".join(mixed) + "\n", **IDS).panel
    assert one.ids == other.ids == (("z",), ("a",), ("m",))
    np.testing.assert_array_equal(one.values, other.values)
    np.testing.assert_array_equal(one.times, other.times)


@settings(max_examples=25, deadline=None, derandomize=True, database=None)
@given(st.permutations(range(24)), st.integers(1, 4))
def test_the_order_of_rows_does_not_matter(order, series):
    rows = [(f"s{row % series}", row, row * 1.5) for row in range(24)]
    panels = []
    for arranged in (rows, [rows[position] for position in order]):
        Path("d.csv").write_text("id,t,y\n" + "".join(f"{name},{time},{value}\n" for name, time, value in arranged))
        panels.append(read_panel(open_tables("d.csv"), Columns(("y",), series=("id",), time="t"), "error")[0])
    first, second = panels
    assert sorted(first.ids) == sorted(second.ids)
    for number, name in enumerate(first.ids):
        other = second.ids.index(name)
        np.testing.assert_array_equal(first[number].values, second[other].values)
        np.testing.assert_array_equal(first[number].times, second[other].times)
    for panel, arranged in zip(panels, (rows, [rows[position] for position in order]), strict=True):
        assert [arranged[row][2] for row in panel.source] == panel.values[:, 0].tolist()


def test_without_a_time_rows_count_in_the_order_of_the_file(read):
    panel = read(with_ids(["a", "b"]), data__time=None, **IDS).panel
    assert [panel[number].values[0, 0] for number in range(2)] == [5.0, 6.0]
    assert panel.source.tolist() == list(range(60))


def test_wide_is_melted_long(read):
    rows = make_rows()
    wide = as_csv([[day, value, str(float(value) * 2), more] for day, value, more in rows], "ds,a,b,x")
    melted = [["a", day, value, more] for day, value, more in rows] + [
        ["b", day, str(float(value) * 2), more] for day, value, more in rows
    ]
    keys = {"data__layout": "wide", "data__target": ["a", "b"]}
    for past in (None, "x"):
        one = read(wide, **keys, data__past=past)
        other = read(as_csv(melted, "id,ds,y,x"), data__past=past, **IDS)
        assert one.panel.ids == other.panel.ids == (("a",), ("b",))
        np.testing.assert_array_equal(one.panel.values, other.panel.values)
        np.testing.assert_array_equal(one.panel.times, other.panel.times)
        np.testing.assert_array_equal(one.panel.offsets, other.panel.offsets)
        np.testing.assert_array_equal(one.scaler.centre, other.scaler.centre)
        assert (one.columns.frequency, one.columns.season) == (other.columns.frequency, other.columns.season)


def test_patterns_name_columns_once_and_never_the_time_or_the_series(read):
    text = as_csv([["a", *row, row[2]] for row in make_rows()], "id,ds,y,x1,x2")
    assert read(text, data__target="*", **IDS).columns.targets == ("y", "x1", "x2")
    assert read(text, data__past=["x2", "x*"], **IDS).columns.past == ("x2", "x1")
    assert read(text, data__past="x?", **IDS).columns.past == ("x1", "x2")
    assert read(text, data__layout="wide", data__target="x*").panel.ids == (("x1",), ("x2",))
    assert read(text, data__past="*", **IDS).columns.past == ("x1", "x2")


def test_classification_takes_every_other_numeric_column():
    rows = [
        [f"s{number}", str(step), "ab"[number % 2], f"{step}.5", "word", "1" if step else "", "4"]
        for number in range(9)
        for step in range(5)
    ]
    Path("d.csv").write_text(as_csv(rows, "id,t,y,x,word,gap,"))
    from rnncli.training.prepare import prepare

    keys = {
        "data__time": "t",
        "data__series": "id",
        "task__kind": "classification",
        "task__horizon": None,
        "window__context": None,
    }
    prepared = prepare(make_config(**keys, data__missing="mask"), open_tables("d.csv"))
    assert prepared.columns.past == ("x", "gap")
    assert prepared.columns.labels == ("a", "b")


def test_truth_values_are_one_and_zero_where_a_column_is_declared(read):
    text = as_csv([[*row[:2], str(number % 2 == 0)] for number, row in enumerate(make_rows())])
    assert read(text, data__past="x").panel.values[:3, 1].tolist() == [1.0, 0.0, 1.0]


@pytest.mark.parametrize("labels", [("1", "2", "10"), ("a", "b", "10"), ("-1", "0.5", "2")])
def test_labels_are_sorted_as_numbers_before_words(labels):
    Path("d.csv").write_text("id,y,x\n" + "".join(f"{number},{labels[number % 3]},1\n" for number in range(9)))
    columns = Columns(("y",), past=("x",), series=("id",), labels=())
    panel, found = read_panel(open_tables("d.csv"), columns, "error")
    numbers = sorted((label for label in labels if label not in ("a", "b")), key=float)
    assert found.labels == (*numbers, *(label for label in ("a", "b") if label in labels))
    assert [found.labels[int(code)] for code in panel.values[:3, 0]] == list(labels)


@pytest.mark.parametrize("quotes", ["", '"'])
def test_a_blank_line_of_a_single_column_is_an_empty_cell(read, quotes):
    """There a line is a row: if it were passed over, every row below would move up a step."""
    text = "y\n" + "".join("\n" if row == 5 else f"{quotes}{row}{quotes}\n" for row in range(30))
    panel = read(text, data__time=None, data__missing="ffill").panel
    assert np.flatnonzero(~panel.observed[:, 0]).tolist() == [5]
    assert panel.values[6, 0] == 6


@pytest.mark.parametrize("day", ["0001-01-01", "9999-11-01", "1677-09-21", "2262-04-12"])
def test_far_years(read, day):
    days = np.datetime64(day) + np.arange(30)
    panel = read(as_csv([[str(one), *row[1:]] for one, row in zip(days, make_rows(), strict=True)])).panel
    np.testing.assert_array_equal(panel.times.astype("datetime64[D]"), days)


def test_the_digest_is_of_what_is_read(read):
    def digest(text: str) -> str:
        Path("d.csv").write_text(text)
        return open_tables("d.csv").digest()

    assert digest(PLAIN) == digest("\ufeff" + PLAIN.replace("\n", "\r\n"))
    assert digest(PLAIN) != digest(with_cell(9, 1, "5"))
    assert digest(PLAIN) != digest(PLAIN.replace("ds,y,x", "ds,y,z"))


def test_a_sequence_has_its_label_wherever_the_newest_stands(read):
    rows = [[str(t), name, f"{t % 4}", label] for name, label in zip("pqrs", "uvuv", strict=True) for t in range(6)]
    rows[5][3] = rows[11][3] = rows[10][3] = ""
    columns = {"data__time": "t", "data__series": "id", "data__target": "y", "data__missing": "ffill"}
    kind = {"task__kind": "classification", "task__horizon": None, "window__context": None, "split__validation": 0}
    panel = read(as_csv(rows, "t,id,x,y"), **columns, **kind, split__test=1).panel
    assert panel.values[:, 0].tolist() == np.repeat([0.0, 1.0, 0.0, 1.0], 6).tolist()
