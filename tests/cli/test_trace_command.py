"""``rnncli trace`` on the command line: formats, pipes, lists of numbers and names."""

from __future__ import annotations

import csv
import io
import json

import pytest
from command_line import STRANGE_IDS, shell
from hypothesis import given
from hypothesis import strategies as st

from rnncli.cli.trace import names, numbers
from rnncli.errors import UsageError


def rows(text: str) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(text)))


def test_a_row_for_every_number(trained, invoke):
    found = rows(invoke("trace", "run", cwd=trained).out)
    assert list(found[0]) == ["id", "day", "step", "layer", "direction", "quantity", "unit", "value"]
    assert len(found) == len(STRANGE_IDS) * 6 * 2 * 12  # series, steps, states, units
    assert {row["quantity"] for row in found} == {"h", "c"}
    assert {row["day"] for row in found} == {f"2020-02-0{day}" for day in range(4, 10)}


def test_wide_is_a_row_a_step(trained, invoke):
    result = invoke("trace", "run", "--wide", "--what", "f,h", "--unit", "0,3-4", "--last", "2", cwd=trained)
    found = rows(result.out)
    assert list(found[0])[3:] == [f"l0.{name}.{unit}" for name in "fh" for unit in (0, 3, 4)]
    assert [(row["id"], row["step"]) for row in found] == [(name, step) for name in STRANGE_IDS for step in "56"]


def test_every_format_says_the_same(trained, invoke):
    arguments = ["trace", "run", "--what", "all", "--series", "plain", "--unit", "2", "--last", "1"]
    lines = invoke(*arguments, "--format", "jsonl", cwd=trained).out.splitlines()
    document = json.loads(invoke(*arguments, "--json", cwd=trained).out)
    assert [json.loads(line) for line in lines] == document
    assert [row["quantity"] for row in document] == ["h", "c", "i", "f", "g", "o"]
    assert all(isinstance(row["value"], float) and row["unit"] == 2 for row in document)
    plain = rows(invoke(*arguments, cwd=trained).out)
    assert [float(row["value"]) for row in plain] == pytest.approx([row["value"] for row in document], rel=1e-8)
    shown = invoke(*arguments, "--format", "table", cwd=trained).out
    assert shown.split()[: len(document[0])] == list(document[0])


def test_new_data_from_stdin(trained, invoke):
    done = shell("head -9 waves.csv | rnncli trace run --data -", trained)
    assert done.returncode == 0, done.stderr
    found = rows(done.stdout.decode())
    assert {row["day"] for row in found} == {f"2020-01-0{day}" for day in range(3, 9)}


def test_head_takes_one_line_of_a_long_trace(trained):
    done = shell('rnncli trace run --what all | head -1; echo "${PIPESTATUS[0]}"', trained)
    header, code = done.stdout.decode().splitlines()
    assert header == "id,day,step,layer,direction,quantity,unit,value"
    assert (code, done.stderr) == ("141", b"")


def test_lists_of_numbers_and_names():
    assert numbers("--unit", "5, 0,3-4,4") == (0, 3, 4, 5)
    assert names("--series", 'b,"a,1",b') == ("b", "a,1")
    for text in ("", ",", "1-", "3-1", "-1", "1.5", "x", "0,,1", "9999999"):
        with pytest.raises(UsageError, match="such as 0,3-5"):
            numbers("--unit", text)
    for text in ("", ",", "a,,b"):
        with pytest.raises(UsageError, match="not a list of names"):
            names("--what", text)


def test_a_series_is_named_as_errors_name_it(trained, invoke):
    result = invoke(
        "trace", "run", "--series", "[x][/],plain", "--last", "1", "--unit", "0", "--what", "h", cwd=trained
    )
    assert [row["id"] for row in rows(result.out)] == ["plain", "[x][/]"]


@given(st.sets(st.integers(0, 300), min_size=1))
def test_any_set_of_numbers_can_be_said(wanted):
    singly = ",".join(map(str, sorted(wanted, reverse=True)))
    assert numbers("--unit", singly) == tuple(sorted(wanted))
    runs = [f"{number}-{number + 2}" for number in wanted]
    assert set(numbers("--unit", ",".join(runs))) == {number + more for number in wanted for more in range(3)}
