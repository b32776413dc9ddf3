"""The NumPy reference: against hand computation, against torch.nn and against Backbone."""

from __future__ import annotations

import math
import subprocess
import sys
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import nn

from rnncli.model import reference
from rnncli.model.backbone import Backbone

pytestmark = pytest.mark.usefixtures("engine")

Floats = NDArray[np.float64]

INPUTS, HIDDEN, TIME = 3, 4, 7
TORCH: dict[str, type[nn.RNNBase]] = {"rnn": nn.RNN, "lstm": nn.LSTM, "gru": nn.GRU}


def arrays(module: nn.Module) -> dict[str, Floats]:
    return {name: tensor.detach().double().numpy() for name, tensor in module.state_dict().items()}


def logistic(x: Floats) -> Floats:
    return 1 / (1 + np.exp(-x))


def engines() -> Iterator[Any]:
    for cell in reference.STEPS:
        for nonlinearity in ("tanh", "relu") if cell in ("rnn", "carry_lstm") else (None,):
            for fused in (True, False):
                name = "-".join(filter(None, (cell, nonlinearity, "fused" if fused else "scanned")))
                yield pytest.param(cell, nonlinearity, fused, id=name)


@pytest.mark.parametrize("given", [False, True], ids=["zero_state", "given_state"])
@pytest.mark.parametrize("bias", [False, True], ids=["bare", "bias"])
@pytest.mark.parametrize("bidirectional", [False, True], ids=["one_way", "two_ways"])
@pytest.mark.parametrize("layers", [1, 2, 3])
@pytest.mark.parametrize(("cell", "nonlinearity", "fused"), list(engines()))
def test_backbone_is_the_reference(
    cell: str,
    nonlinearity: str | None,
    fused: bool,
    layers: int,
    bidirectional: bool,
    bias: bool,
    given: bool,
) -> None:
    torch.manual_seed(11)
    backbone = Backbone(
        cell,
        INPUTS,
        HIDDEN,
        layers,
        nonlinearity=nonlinearity,
        bias=bias,
        bidirectional=bidirectional,
        fused=fused,
    )
    x = torch.randn(1, TIME, INPUTS)
    state = tuple(torch.randn_like(part) for part in backbone.zero_state(1, x)) if given else None
    expected, expected_final = reference.run(
        cell,
        arrays(backbone),
        x[0].double().numpy(),
        None if state is None else tuple(part[:, 0].double().numpy() for part in state),
        nonlinearity or "tanh",
    )
    for dtype, tolerance in ((torch.float32, 1e-5), (torch.float64, 1e-12)):
        start = None if state is None else tuple(part.to(dtype) for part in state)
        output, final = backbone.to(dtype)(x.to(dtype), state=start)
        np.testing.assert_allclose(output[0].detach().numpy(), expected, rtol=0, atol=tolerance)
        assert len(final) == len(expected_final)
        for part, expected_part in zip(final, expected_final, strict=True):
            np.testing.assert_allclose(part[:, 0].detach().numpy(), expected_part, rtol=0, atol=tolerance)


@pytest.mark.parametrize("bias", [False, True], ids=["bare", "bias"])
@pytest.mark.parametrize("bidirectional", [False, True], ids=["one_way", "two_ways"])
@pytest.mark.parametrize("layers", [1, 2])
@pytest.mark.parametrize("cell", TORCH)
def test_reference_is_torch_nn(cell: str, layers: int, bidirectional: bool, bias: bool) -> None:
    torch.manual_seed(12)
    options = {"bias": bias, "bidirectional": bidirectional, "batch_first": True, "dtype": torch.float64}
    module = TORCH[cell](INPUTS, HIDDEN, layers, **options)
    x = torch.randn(1, TIME, INPUTS, dtype=torch.float64)
    shape = (layers * (1 + bidirectional), 1, HIDDEN)
    state = tuple(torch.randn(shape, dtype=torch.float64) for _ in range(1 + (cell == "lstm")))
    expected, last = module(x, state if cell == "lstm" else state[0])
    start = tuple(part[:, 0].numpy() for part in state)
    output, final = reference.run(cell, arrays(module), x[0].numpy(), start)
    np.testing.assert_allclose(output, expected[0].detach().numpy(), rtol=0, atol=1e-12)
    for part, expected_part in zip(final, last if cell == "lstm" else (last,), strict=True):
        np.testing.assert_allclose(part, expected_part[:, 0].detach().numpy(), rtol=0, atol=1e-12)


def test_rnn_by_hand_in_whole_numbers() -> None:
    tensors = {
        "weight_ih_l0": np.array([[2.0]]),
        "weight_hh_l0": np.array([[-0.5]]),
        "bias_ih_l0": np.array([1.0]),
    }
    x = np.array([[1.0], [-3.0], [2.0]])
    output, (h,) = reference.run("rnn", tensors, x, nonlinearity="relu")
    # 2 * 1 - 0.5 * 0 + 1, then the positive part of 2 * -3 - 0.5 * 3 + 1, then 2 * 2 - 0.5 * 0 + 1
    assert output.tolist() == [[3.0], [0.0], [5.0]]
    assert h.tolist() == [[5.0]]


def test_rnn_by_hand_over_three_steps() -> None:
    W = np.array([[0.5, -1.0], [0.25, 0.75]])  # noqa: N806 - the textbook's names
    U = np.array([[0.1, 0.9], [-0.6, 0.2]])  # noqa: N806
    b = np.array([0.3, -0.2])
    x = [(1.0, 2.0), (-0.5, 0.4), (0.0, 1.5)]
    p = q = 0.0
    expected = []
    for left, right in x:
        p, q = (
            math.tanh(0.5 * left - 1.0 * right + 0.1 * p + 0.9 * q + 0.3),
            math.tanh(0.25 * left + 0.75 * right - 0.6 * p + 0.2 * q - 0.2),
        )
        expected.append((p, q))

    tensors = {"weight_ih_l0": W, "weight_hh_l0": U, "bias_ih_l0": b}
    output, (h,) = reference.run("rnn", tensors, np.array(x))
    np.testing.assert_allclose(output, expected, rtol=0, atol=1e-15)
    np.testing.assert_allclose(h, [expected[-1]], rtol=0, atol=1e-15)

    backbone = Backbone("rnn", 2, 2).double()
    both = {**tensors, "bias_hh_l0": np.zeros(2)}
    backbone.load_state_dict({name: torch.from_numpy(tensor) for name, tensor in both.items()})
    answer, _ = backbone(torch.tensor([x], dtype=torch.float64))
    np.testing.assert_allclose(answer[0].detach().numpy(), expected, rtol=0, atol=1e-15)


@pytest.mark.parametrize("activation", [np.tanh, lambda x: np.maximum(x, 0), np.sin], ids=["tanh", "relu", "sin"])
def test_carry_lstm_by_hand_gate_by_gate(activation: Callable[[Floats], Floats]) -> None:
    random = np.random.default_rng(13)
    Wi, Wf, Wk, Wo = random.normal(size=(4, HIDDEN, INPUTS))  # noqa: N806 - the textbook's names
    Ui, Uf, Uk, Uo = random.normal(size=(4, HIDDEN, HIDDEN))  # noqa: N806
    Vo = random.normal(size=(HIDDEN, HIDDEN))  # noqa: N806
    bi, bf, bk, bo = random.normal(size=(4, HIDDEN))
    x = random.normal(size=(TIME, INPUTS))
    h, c = random.normal(size=(2, HIDDEN))
    start = (h[None], c[None])
    expected = []
    for x_t in x:
        i = logistic(Ui @ h + Wi @ x_t + bi)
        f = logistic(Uf @ h + Wf @ x_t + bf)
        k = np.tanh(Uk @ h + Wk @ x_t + bk)
        h = activation(Uo @ h + Wo @ x_t + Vo @ c + bo)
        c = i * k + c * f
        expected.append(h)

    tensors = {
        "weight_ih_l0": np.concatenate([Wi, Wf, Wk, Wo]),
        "weight_hh_l0": np.concatenate([Ui, Uf, Uk, Uo]),
        "weight_ch_l0": Vo,
        "bias_ih_l0": np.concatenate([bi, bf, bk, bo]),
    }
    output, (last_h, last_c) = reference.run("carry_lstm", tensors, x, start, activation)
    np.testing.assert_allclose(output, expected, rtol=0, atol=1e-12)
    np.testing.assert_allclose(last_h[0], h, rtol=0, atol=1e-12)
    np.testing.assert_allclose(last_c[0], c, rtol=0, atol=1e-12)


@pytest.mark.parametrize("nonlinearity", ["tanh", "relu"])
def test_carry_lstm_backbone_by_hand_gate_by_gate(nonlinearity: str) -> None:
    torch.manual_seed(14)
    backbone = Backbone("carry_lstm", INPUTS, HIDDEN, nonlinearity=nonlinearity).double()
    activation = {"tanh": torch.tanh, "relu": torch.relu}[nonlinearity]
    Wi, Wf, Wk, Wo = backbone.weight_ih_l0.split(HIDDEN)  # noqa: N806 - the textbook's names
    Ui, Uf, Uk, Uo = backbone.weight_hh_l0.split(HIDDEN)  # noqa: N806
    bi, bf, bk, bo = backbone.bias_ih_l0.split(HIDDEN)
    Vo = backbone.weight_ch_l0  # noqa: N806
    x = torch.randn(1, TIME, INPUTS, dtype=torch.float64)
    h = c = torch.zeros(HIDDEN, dtype=torch.float64)
    expected = []
    for x_t in x[0]:
        i = torch.sigmoid(Ui @ h + Wi @ x_t + bi)
        f = torch.sigmoid(Uf @ h + Wf @ x_t + bf)
        k = torch.tanh(Uk @ h + Wk @ x_t + bk)
        h = activation(Uo @ h + Wo @ x_t + Vo @ c + bo)
        c = i * k + c * f
        expected.append(h)

    output, (last_h, last_c) = backbone(x)
    torch.testing.assert_close(output[0], torch.stack(expected), rtol=0, atol=1e-12)
    torch.testing.assert_close(last_h[0, 0], h, rtol=0, atol=1e-12)
    torch.testing.assert_close(last_c[0, 0], c, rtol=0, atol=1e-12)


def test_carry_lstm_output_reads_the_carry_before_it_is_updated() -> None:
    torch.manual_seed(15)
    backbone = Backbone("carry_lstm", INPUTS, HIDDEN)
    output, (_, c) = backbone(torch.randn(1, 1, INPUTS))
    (of_output,) = torch.autograd.grad(output.sum(), backbone.weight_ih_l0, retain_graph=True)
    (of_carry,) = torch.autograd.grad(c.sum(), backbone.weight_ih_l0)
    assert (of_output[: 3 * HIDDEN] == 0).all()
    assert (of_output[3 * HIDDEN :] != 0).all()
    assert (of_carry[: 3 * HIDDEN : HIDDEN] != 0).any()
    assert (of_carry[3 * HIDDEN :] == 0).all()


@pytest.mark.parametrize("cell", ["rnn", "carry_lstm"])
def test_nonlinearity_is_any_callable(cell: str) -> None:
    tensors = arrays(Backbone(cell, INPUTS, HIDDEN, 2, bidirectional=True))
    x = np.random.default_rng(16).normal(size=(TIME, INPUTS))

    def named(name: str | Callable[[Floats], Floats]) -> Floats:
        return reference.run(cell, tensors, x, nonlinearity=name)[0]

    np.testing.assert_array_equal(named(lambda z: np.tanh(z)), named("tanh"))
    np.testing.assert_array_equal(named(lambda z: z * (z > 0)), named("relu"))
    assert (named(lambda z: z * 0 + 2.5) == 2.5).all()


@pytest.mark.parametrize("cell", reference.STEPS)
def test_no_steps_leave_the_state_as_it_is(cell: str) -> None:
    tensors = arrays(Backbone(cell, INPUTS, HIDDEN, bidirectional=True))
    state = tuple(np.random.default_rng(17).normal(size=(2, HIDDEN)) for _ in range(reference.STEPS[cell][1]))
    output, final = reference.run(cell, tensors, np.zeros((0, INPUTS)), state)
    assert output.shape == (0, 2 * HIDDEN)
    for part, start in zip(final, state, strict=True):
        np.testing.assert_array_equal(part, start)


def test_sigmoid_neither_overflows_nor_strays() -> None:
    x = np.array([-1e9, -800.0, -2.0, 0.0, 2.0, 800.0, 1e9])
    expected = [0.0, 0.0, 1 / (1 + math.exp(2)), 0.5, 1 / (1 + math.exp(-2)), 1.0, 1.0]
    np.testing.assert_allclose(reference.sigmoid(x), expected, rtol=0, atol=1e-15)


def test_reference_needs_no_torch() -> None:
    code = (
        "import sys, numpy as np, rnncli.model.reference as reference\n"
        "w = {'weight_ih_l0': np.ones((1, 1)), 'weight_hh_l0': np.ones((1, 1))}\n"
        "print(reference.run('rnn', w, np.ones((2, 1)), nonlinearity='relu')[0].tolist(), 'torch' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60)
    assert done.stdout.strip() == "[[1.0], [2.0]] False"


@pytest.mark.parametrize("bidirectional", [False, True], ids=["one_way", "two_ways"])
@pytest.mark.parametrize("cell", list(reference.STEPS))
def test_many_sequences_side_by_side_are_each_by_itself(cell: str, bidirectional: bool) -> None:
    torch.manual_seed(3)
    tensors = arrays(Backbone(cell, INPUTS, HIDDEN, 2, bidirectional=bidirectional))
    x = np.random.default_rng(0).normal(size=(TIME, INPUTS, 5))
    together = list(reference.passes(cell, tensors, x))
    for number in range(5):
        alone = list(reference.passes(cell, tensors, x[:, :, number]))
        for one, many in zip(alone, together, strict=True):
            assert (one.layer, one.direction) == (many.layer, many.direction)
            expected, found = (reference.quantities(cell, done) for done in (one, many))
            assert list(expected) == list(found)
            for name, values in expected.items():
                np.testing.assert_allclose(found[name][:, :, number], values, atol=1e-14)


@pytest.mark.parametrize("cell", list(reference.STEPS))
def test_a_step_follows_from_its_gates(cell: str) -> None:
    torch.manual_seed(4)
    tensors = arrays(Backbone(cell, INPUTS, HIDDEN))
    (done,) = reference.passes(cell, tensors, np.random.default_rng(1).normal(size=(TIME, INPUTS)))
    found = reference.quantities(cell, done)
    before = {name: np.concatenate([np.zeros((1, HIDDEN)), found[name][:-1]]) for name in found if name in "hc"}
    written = {
        "rnn": lambda: {"h": found["h"]},
        "lstm": lambda: {
            "c": found["f"] * before["c"] + found["i"] * found["g"],
            "h": found["o"] * np.tanh(found["c"]),
        },
        "gru": lambda: {"h": (1 - found["z"]) * found["n"] + found["z"] * before["h"]},
        "carry_lstm": lambda: {"c": found["i"] * found["k"] + found["f"] * before["c"], "h": found["o"]},
    }[cell]()
    for name, values in written.items():
        np.testing.assert_allclose(found[name], values, atol=1e-15)
