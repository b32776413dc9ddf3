"""docs/trace.md: its commands print what it shows, and what it shows is what the formula gives, in plain Python."""

from __future__ import annotations

import math
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from command_line import console_examples, shell

ROOT = Path(__file__).resolve().parent.parent
FILE = ROOT / "docs" / "trace.md"
PAGE = FILE.read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def printed(tmp_path_factory: pytest.TempPathFactory) -> dict[str, list[str]]:
    """What every command of the page printed, one after the other in one folder."""
    folder = tmp_path_factory.mktemp("page")
    for text in re.findall(r"```yaml\n(.*?)```", PAGE, re.DOTALL):
        (folder / re.match("# (.*)", text)[1]).write_text(text)  # type: ignore[index]
    done: dict[str, list[str]] = {}
    for command, _ in console_examples(FILE):
        result: subprocess.CompletedProcess[bytes] = shell(command, folder)
        assert result.returncode == 0, result.stderr
        done[command] = result.stdout.decode().splitlines()
    return done


def numbers(line: str) -> list[float]:
    return [float(text) for text in re.findall(r"-?\d+(?:\.\d+)?(?:e[-+]?\d+)?", line)]


def test_every_command_prints_what_the_page_shows(printed: dict[str, list[str]]) -> None:
    assert len(printed) == 7
    for command, shown in console_examples(FILE):
        assert len(printed[command]) == len(shown)
        for line, expected in zip(printed[command], shown, strict=True):
            assert re.sub(r"-?\d+\.\d+", "#", line) == re.sub(r"-?\d+\.\d+", "#", expected)
            assert numbers(line) == pytest.approx(numbers(expected), abs=1e-6)


def weights() -> dict[tuple[str, int, str], float]:
    """The weights that the page shows, by name, unit and input."""
    rows = [line.split(",") for line in PAGE.splitlines() if re.match(r"(weight|bias|head)[._a-z0-9]+,\d,", line)]
    assert len(rows) == 13
    return {(name, int(unit), source): float(value) for name, unit, source, value in rows}


def by_hand(inputs: list[float]) -> Iterator[tuple[list[float], list[float]]]:
    """(a_t, h_t) of every step: h_t = tanh(W x_t + U h_(t-1) + b), number by number."""
    w = weights()
    h = [0.0, 0.0]
    for x in inputs:
        a = []
        for unit in (0, 1):
            total = w["weight_ih_l0", unit, "x"] * x
            for source in (0, 1):
                total += w["weight_hh_l0", unit, f"h{source}"] * h[source]
            a.append(total + w["bias_ih_l0", unit, ""] + w["bias_hh_l0", unit, ""])
        h = [math.tanh(value) for value in a]
        yield a, h


def table() -> list[list[float]]:
    """The page's table of t, x_t, a_t and h_t."""
    rows = [numbers(line) for line in PAGE.splitlines() if re.match(r"\| \d+ \|", line)]
    assert [row[0] for row in rows] == list(range(1, 11))
    return rows


def test_the_table_is_computed_by_hand() -> None:
    rows = table()
    for row, (a, h) in zip(rows, by_hand([row[1] for row in rows]), strict=True):
        assert row[2:] == pytest.approx([*a, *h], abs=1e-6)


def test_the_trace_is_the_hand_computation(printed: dict[str, list[str]]) -> None:
    (command,) = [command for command in printed if command.endswith("--wide")]
    lines = printed[command]
    assert lines[0] == "step,l0.h.0,l0.h.1"
    expected = [h for _, h in by_hand([row[1] for row in table()])]
    for step, (line, h) in enumerate(zip(lines[1:], expected, strict=True), 1):
        assert numbers(line) == pytest.approx([step, *h], abs=1e-6)


def test_the_steps_that_are_written_out() -> None:
    """`h_2[0] = tanh(w * x + …) = tanh(a) = h`: every one is right to the digits shown."""
    lines = re.findall(r"^    h_(\d)\[(\d)\] = tanh\((.*?)\) += tanh\(([^)]*)\) += +(\S+)$", PAGE, re.MULTILINE)
    assert len(lines) == 4
    for step, unit, terms, inner, outer in lines:
        row = table()[int(step) - 1]
        total = 0.0
        for sign, term in re.findall(r"(^| [-+] )((?:[^ ]| \* )+)", terms.strip()):
            product = math.prod(float(factor) for factor in term.split(" * "))
            total += -product if sign == " - " else product
        assert total == pytest.approx(float(inner), abs=3e-6)
        assert float(inner) == pytest.approx(row[2 + int(unit)], abs=1e-6)
        assert float(outer) == pytest.approx(row[4 + int(unit)], abs=1e-6)


def test_the_forecast_reads_the_newest_state(printed: dict[str, list[str]]) -> None:
    *_, (_, h) = by_hand([row[1] for row in table()])
    w = weights()
    answer = w["head.weight", 0, "h0"] * h[0] + w["head.weight", 0, "h1"] * h[1] + w["head.bias", 0, ""]
    (command,) = [command for command in printed if " predict " in command]
    assert numbers(printed[command][1]) == pytest.approx([1, answer], abs=1e-6)
    (line,) = re.findall(r"^    (-?\d[^=]*) = (\S+)$", PAGE, re.MULTILINE)
    assert float(line[1]) == pytest.approx(answer, abs=1e-6)
