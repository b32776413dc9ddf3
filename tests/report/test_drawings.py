"""What the drawings say is what the numbers are."""

from __future__ import annotations

import base64
import re
import struct
import zlib
from pathlib import Path

import numpy as np
import pytest
import torch

from rnncli.report.axes import Axis, limits, spread_over, tick_label, ticks, time_labels
from rnncli.report.charts import WIDTH, Line, Look, line_chart, path
from rnncli.report.gates import follow
from rnncli.report.heat import SEQUENTIAL, coarse, image, palette
from rnncli.report.markup import number, text
from rnncli.report.scatter import DOTS, scatter
from rnncli.report.subject import subject_of
from rnncli.tasks.answers import run
from rnncli.trained import load_model


@pytest.mark.parametrize(("low", "high"), [(0, 1), (-3.2, 17.9), (1e-7, 2e-7), (0, 3e9), (99.5, 100.5)])
def test_ticks_are_round_even_and_inside(low, high):
    found = ticks(low, high)
    assert 2 <= len(found) <= 7
    assert all(low - 1e-9 * abs(high) <= tick <= high + 1e-9 * abs(high) for tick in found)
    assert np.allclose(np.diff(found), found[1] - found[0])
    step = f"{found[1] - found[0]:.6e}"
    assert step.startswith(("1.000000", "2.000000", "2.500000", "5.000000"))


def test_limits_of_nothing_of_one_value_and_of_gaps():
    assert limits([np.empty(0)]) == (-1.0, 1.0)
    low, high = limits([np.array([3.0, np.nan, 3.0])])
    assert low < 3 < high
    assert limits([np.array([0.0, 10.0, np.inf])], zero=True)[0] == 0


def test_labels_are_short():
    assert [tick_label(value) for value in (0, -1500.0, 2e6, 15000.0, 0.25)] == ["0", "−1500", "2M", "15k", "0.25"]
    assert [number(value) for value in (None, float("nan"), 7, 12345.6, -0.5)] == ["–", "–", "7", "12,346", "−0.5"]
    days = np.array(["2020-01-01", "2020-06-01"], dtype="datetime64[ns]")
    assert time_labels(days, "%Y-%m-%d") == ["2020-01-01", "2020-06-01"]
    assert time_labels(np.array([3, 4]), "integer") == ["3", "4"]
    assert spread_over(10) == [0, 3, 6, 9]
    assert spread_over(1) == [0]
    assert spread_over(0) == []


def test_an_axis_can_be_logarithmic():
    axis = Axis(1, 100, 0, 10, log=True)
    assert np.allclose(axis.at(np.array([1.0, 10.0, 100.0])), [0, 5, 10])


def test_a_long_line_is_thinned_and_keeps_its_peaks():
    values = np.sin(np.arange(100_000) / 50.0)
    values[77_777] = 40.0
    found = path(np.linspace(0, WIDTH, len(values)), values)
    assert found.count("L") <= 2 * WIDTH
    assert "40.0" in found


def test_a_gap_is_no_line():
    assert path(np.array([1.0, 2.0, 3.0]), np.array([1.0, np.nan, 2.0])) == "M1.0 1.0M3.0 2.0"


def test_a_single_point_can_be_seen():
    drawn = line_chart(Look("one"), [Line("loss", "model", np.array([1.0]), np.array([2.0]))])
    assert drawn.count("<circle") == 1


def test_many_dots_become_a_density():
    many = np.random.default_rng(0).normal(size=DOTS + 1)
    assert 'class="density"' in scatter(Look("many"), many, many, diagonal=True)
    assert 'class="dots"' in scatter(Look("few"), many[:5], many[:5])


def test_coarse_means_are_those_of_blocks():
    values = np.arange(12.0).reshape(3, 4)
    assert coarse(values, 5, 5) is values
    assert np.allclose(coarse(values, 3, 2), values.reshape(3, 2, 2).mean(2))
    assert np.isclose(coarse(np.ones((1000, 3)), 64, 64).min(), 1)
    assert coarse(np.ones((1000, 333)), 64, 64).shape == (64, 64)


def test_an_image_is_a_png_with_these_pixels():
    values = np.array([[0.0, 0.5], [1.0, 9.0]])
    raw = base64.b64decode(image(values, 0, 1, SEQUENTIAL).partition(",")[2])
    assert raw.startswith(b"\x89PNG\r\n\x1a\n")
    width, height, depth, kind = struct.unpack(">IIBB", raw[16:26])
    assert (width, height, depth, kind) == (2, 2, 8, 3)
    data = raw[raw.index(b"IDAT") + 4 : raw.index(b"IEND") - 8]
    assert zlib.decompress(data) == bytes([0, 0, 128, 0, 255, 255])
    colours = palette(SEQUENTIAL)
    assert colours in raw
    assert colours[:3].hex() == SEQUENTIAL[0][1:]


def test_text_is_escaped():
    assert text('<b title="x">&\u202e') == "&lt;b title=&quot;x&quot;&gt;&amp;\\u202e"


@pytest.mark.parametrize("name", ["forecasting", "quantiles", "two targets", "classification", "regression"])
def test_the_gates_lead_to_the_networks_own_states(run_of, monkeypatch, name):
    """Of lstm, gru, rnn with relu, both directions and carry_lstm: the last states are those of the backbone."""
    monkeypatch.chdir(run_of(name))
    model = load_model(Path("run"), torch.device("cpu"))
    subject = subject_of(Path("run"), model, None, print)
    assert subject.judged is not None
    member = getattr(model.network, "members", [model.network])[0]
    caught = []
    member.backbone.register_forward_hook(lambda module, given, found: caught.append(found))
    with torch.inference_mode():
        run(member, subject.judged.windows.batch(np.array([0])))
    _, state = caught[0]
    _, layers = follow(model.network, subject.judged.windows, 0)
    for position, each in enumerate(layers):
        newest = 0 if each.direction == "backward" else -1
        assert np.allclose(each.values["h"][newest], state[0][position, 0].numpy(), atol=1e-5)
    signed = {"h", "c", "g", "k", "n"}
    for each in layers:
        for key in each.values.keys() - signed:
            assert ((each.values[key] > 0) & (each.values[key] < 1)).all()
    _check_arithmetic(model.config.model.cell, layers[0].values)


def _check_arithmetic(cell: str, v: dict[str, np.ndarray]) -> None:
    """The gates that are drawn are those that make the states that are drawn."""
    if cell == "lstm":
        assert np.allclose(v["c"][1:], v["f"][1:] * v["c"][:-1] + v["i"][1:] * v["g"][1:])
        assert np.allclose(v["h"], v["o"] * np.tanh(v["c"]))
    elif cell == "gru":
        assert np.allclose(v["h"][1:], (1 - v["z"][1:]) * v["n"][1:] + v["z"][1:] * v["h"][:-1])
    elif cell == "carry_lstm":
        assert np.allclose(v["c"][1:], v["i"][1:] * v["k"][1:] + v["c"][:-1] * v["f"][1:])
    else:
        assert set(v) == {"h"}


def test_axis_labels_stay_inside_of_the_drawing():
    lines = [Line("y", "model", np.arange(5.0), np.array([1e6, 2e6, -3e6, 1.0, 0.0]))]
    drawn = line_chart(Look("t", "x", "y"), lines)
    places = [float(place) for place in re.findall(r'<text x="([-0-9.]+)"', drawn)]
    assert all(0 <= place <= WIDTH for place in places)
