"""The weights drawn: in a file by matplotlib, in a terminal by characters."""

from __future__ import annotations

import builtins
import re
from pathlib import Path

import numpy as np
import pytest
from test_weights import stored

from rnncli import checkpoint
from rnncli.cli.drawing import drawing
from rnncli.inspection.panels import Panel, Row, rows_of
from rnncli.inspection.picture import draw

SMALL = [
    Row(
        0,
        "forward",
        (
            Panel("weight_ih", np.array([[1.0], [-1.0], [0.0], [0.5]]), ("r", "z"), ("x",)),
            Panel(
                "weight_hh", np.array([[0.3, -0.3], [0.3, -0.3], [0.6, -0.6], [0.9, -0.9]]), ("r", "z"), ("h0", "h1")
            ),
            Panel("bias", np.array([[0.0], [0.1], [0.2], [-0.9]]), ("r", "z"), ("ih",)),
        ),
    )
]
GOLDEN = """\
run: gru

layer 0, forward
   W inputs  U states  b
r  ▓         ░-        ·
z  ▒         ▓#        #

# -0.75  = -0.5  - -0.25  · near 0  ░ 0.25  ▒ 0.5  ▓ 0.75, of 1
"""


def test_a_drawing_without_colours() -> None:
    lines = [line.plain for line in drawing(SMALL, "run: gru", width=80, colours=False)]
    assert "\n".join(lines) + "\n" == GOLDEN


def test_a_drawing_in_colours_has_two_rows_in_a_line() -> None:
    lines = drawing(SMALL, "run: gru", width=80, colours=True)
    assert lines[4].plain == "r  ▀         ▀▀        ▀"
    over, under = lines[4].spans[0].style.color, lines[4].spans[0].style.bgcolor  # type: ignore[union-attr]
    assert over is not None
    assert under is not None
    assert over.triplet is not None
    assert under.triplet is not None
    assert over.triplet.red > over.triplet.blue  # above zero
    assert under.triplet.red < under.triplet.blue  # below
    assert lines[-1].plain == f"-1 {'▀' * 17} 1"


@pytest.mark.parametrize("colours", [False, True], ids=["plain", "colours"])
@pytest.mark.parametrize("width", [40, 80])
@pytest.mark.parametrize("cell", ["rnn", "lstm", "gru", "carry_lstm"])
def test_no_line_is_wider_than_the_screen(cell: str, width: int, colours: bool) -> None:
    wide = [
        Row(
            row.layer, row.direction,
            tuple(
                Panel(panel.kind, np.repeat(np.repeat(panel.values, 16, 0), 1 if panel.kind == "bias" else 16, 1),
                      panel.gates, tuple(f"h{number}" for number in range(16 * len(panel.columns))))
                for panel in row.panels
            ),
        )
        for row in rows_of(stored(cell))
    ]  # fmt: skip
    lines = drawing(wide, "x" * 200, width=width, colours=colours)
    assert max(len(line) for line in lines[:-2]) <= width
    assert max(len(line) for line in lines) <= 80
    assert len(lines) == 4 * (3 + 4 * len(wide[0].panels[0].gates)) + 4  # eight rows of a gate in four lines


def test_what_is_farthest_from_zero_is_shown() -> None:
    values = np.full((64, 300), 0.01)
    values[37, 211] = -2.0
    rows = [Row(0, "forward", (Panel("weight_hh", values, ("h",), tuple(map(str, range(300)))),))]
    text = "\n".join(line.plain for line in drawing(rows, "", width=80, colours=False))
    assert text.count("#") == 2  # one in the legend


@pytest.mark.parametrize("form", ["png", "svg", "pdf"])
def test_a_picture_is_of_its_format_and_the_same_every_time(form: str) -> None:
    rows = rows_of(stored("carry_lstm"))
    starts = {"png": b"\x89PNG", "svg": b"<?xml", "pdf": b"%PDF"}
    first = draw(rows, "run", form)
    assert first.startswith(starts[form])
    if form == "png":
        assert draw(rows, "run", form) == first


def test_a_picture_names_inputs_gates_and_layers() -> None:
    text = draw(rows_of(stored("lstm")), "my run $x$", "svg").decode()
    said = " ".join(re.findall(r"<!-- (.*?) -->", text))
    for words in ("layer 0, forward", "layer 1, backward", "W  inputs", "U  states", "states of layer 0", "weight"):
        assert words in said
    assert set("ifgo") <= set(said.split())
    assert {"y", "x", "h0", "h7"} <= set(said.split())


def test_names_that_no_font_has_are_drawn_all_the_same(invoke, tmp_path: Path, monkeypatch) -> None:
    model = stored("gru", layers=1, bidirectional=False)
    model.content["columns"] |= {"targets": ["温度$_\n"], "past": ["\x1b[2J" * 9]}
    (tmp_path / "m.safetensors").write_bytes(checkpoint.encode(checkpoint.MODEL, model.content, model.tensors))
    monkeypatch.setenv("HOME", "/nowhere")
    result = invoke("inspect-weights", "m.safetensors", "--heatmap", "w.svg")
    assert (result.code, result.err) == (0, "wrote w.svg\n")
    assert "\x1b" not in (tmp_path / "w.svg").read_text()


def write(folder: Path, name: str, cell: str) -> None:
    model = stored(cell)
    (folder / name).write_bytes(checkpoint.encode(checkpoint.MODEL, model.content, model.tensors))


def test_a_picture_is_written_beside_the_summary(tmp_path: Path, invoke) -> None:
    write(tmp_path, "m.safetensors", "lstm")
    plain = invoke("inspect-weights", "m.safetensors")
    result = invoke("inspect-weights", "m.safetensors", "--heatmap", "w.png")
    assert (result.code, result.out) == (0, plain.out)
    assert result.err == "wrote w.png\n"
    assert (tmp_path / "w.png").read_bytes().startswith(b"\x89PNG")


def test_the_difference_of_two_is_drawn(tmp_path: Path, invoke) -> None:
    write(tmp_path, "a.safetensors", "gru")
    write(tmp_path, "b.safetensors", "gru")
    drawn = invoke("inspect-weights", "a.safetensors", "--diff", "b.safetensors", "--heatmap", "-").out
    assert drawn.startswith("b.safetensors less a.safetensors: gru\n")
    body = "".join(line[3:] for line in drawn.splitlines() if re.match(r"[rzn ]  [^\sW]", line))
    assert set(body) == {"·", " "}  # they are the same


def test_without_matplotlib_the_line_that_installs_it(tmp_path: Path, invoke, monkeypatch) -> None:
    write(tmp_path, "m.safetensors", "lstm")
    whole = builtins.__import__

    def without(name, *arguments, **more):
        if name.startswith("matplotlib"):
            raise ImportError(name)
        return whole(name, *arguments, **more)

    monkeypatch.setattr(builtins, "__import__", without)
    result = invoke("inspect-weights", "m.safetensors", "--heatmap", "w.png")
    assert (result.code, result.out) == (2, "")
    assert "pip install 'rnncli[report]'" in result.err
    assert not (tmp_path / "w.png").exists()
