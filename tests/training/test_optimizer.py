"""Optimizer and learning-rate schedules against torch.optim."""

from __future__ import annotations

import copy
import math
from collections.abc import Callable
from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from native_kernels import needs_compiler
from torch import nn

from rnncli.config import schema
from rnncli.training.optimizer import Optimizer, learning_rate

STEPS = 50
RATE = 0.03
TOLERANCE = {torch.float64: 1e-10, torch.float32: 1e-6}

Parameters = list[nn.Parameter]
Peer = Callable[[Parameters, float], torch.optim.Optimizer]

PEERS: dict[str, tuple[dict[str, Any], Peer]] = {
    "adam": ({"optimizer": "adam"}, lambda p, decay: torch.optim.Adam(p, lr=RATE, weight_decay=decay)),
    "adamw": ({"optimizer": "adamw"}, lambda p, decay: torch.optim.AdamW(p, lr=RATE, weight_decay=decay)),
    "sgd": (
        {"optimizer": "sgd", "momentum": 0.9},
        lambda p, decay: torch.optim.SGD(p, lr=RATE, momentum=0.9, weight_decay=decay),
    ),
    "sgd_without_momentum": (
        {"optimizer": "sgd", "momentum": 0.0},
        lambda p, decay: torch.optim.SGD(p, lr=RATE, weight_decay=decay),
    ),
}


def training(**values: Any) -> schema.Training:
    return schema.Training.model_validate({"clip_norm": None, "weight_decay": 0.0, **values})


def drawn(dtype: torch.dtype = torch.float64) -> Parameters:
    torch.manual_seed(81)
    return [nn.Parameter(torch.randn(shape, dtype=dtype)) for shape in ((3, 4), (5,), (2, 1, 3), (1,))]


def set_gradients(parameters: Parameters, step: int) -> None:
    """Noisy gradients towards zero weights, of very different sizes from step to step."""
    noise = torch.Generator().manual_seed(step)
    for parameter in parameters:
        drawn_noise = torch.randn(parameter.shape, generator=noise, dtype=torch.float64).to(parameter.dtype)
        parameter.grad = 0.1 ** (step % 3) * (parameter.detach() + drawn_noise)


@pytest.mark.parametrize("engine", ["auto", "torch"])
@pytest.mark.parametrize("dtype", TOLERANCE, ids=["float64", "float32"])
@pytest.mark.parametrize("clip", [None, 0.5])
@pytest.mark.parametrize("decay", [0.0, 0.1])
@pytest.mark.parametrize("name", PEERS)
def test_fifty_steps_are_torch_optims(
    name: str, decay: float, clip: float | None, dtype: torch.dtype, engine: str
) -> None:
    options, peer = PEERS[name]
    ours, theirs = drawn(dtype), drawn(dtype)
    optimizer = Optimizer(ours, training(**options, weight_decay=decay, clip_norm=clip, engine=engine))
    expected = peer(theirs, decay)
    clipped = 0
    for step in range(STEPS):
        rate = RATE * (1 + step % 4)
        expected.param_groups[0]["lr"] = rate
        set_gradients(ours, step)
        set_gradients(theirs, step)
        expected_norm = torch.nn.utils.clip_grad_norm_(theirs, math.inf if clip is None else clip)
        expected.step()
        norm = optimizer.step(rate)
        assert norm == pytest.approx(float(expected_norm), rel=10 * TOLERANCE[dtype])
        clipped += clip is not None and norm > clip
    assert clip is None or 0 < clipped < STEPS
    for parameter, expected_parameter, start in zip(ours, theirs, drawn(dtype), strict=True):
        torch.testing.assert_close(parameter, expected_parameter, rtol=0, atol=TOLERANCE[dtype])
        assert (parameter != start).all()
    assert optimizer.updates == STEPS


@pytest.mark.parametrize("engine", ["auto", "torch"])
def test_a_gradient_may_be_written_where_the_last_one_was_or_lie_elsewhere_or_anyhow(engine: str) -> None:
    ours, theirs = drawn(torch.float32), drawn(torch.float32)
    optimizer = Optimizer(ours, training(optimizer="adam", engine=engine))
    expected = torch.optim.Adam(theirs, lr=RATE)
    places = [torch.zeros_like(parameter) for parameter in ours]
    for step in range(8):
        set_gradients(theirs, step)
        for parameter, place, peer in zip(ours, places, theirs, strict=True):
            parameter.grad = place.copy_(peer.grad) if step % 4 < 2 else peer.grad.clone()
            if step % 4 == 3 and parameter.dim() == 2:
                parameter.grad = parameter.grad.t().contiguous().t()
        expected.step()
        optimizer.step(RATE)
    for parameter, expected_parameter in zip(ours, theirs, strict=True):
        torch.testing.assert_close(parameter, expected_parameter, rtol=0, atol=1e-6)


@pytest.mark.parametrize("clip", [1e-3, 1.0, 1e6])
def test_clipping_is_torchs_over_the_whole_gradient(clip: float) -> None:
    ours, theirs, start = drawn(), drawn(), drawn()
    for parameters in (ours, theirs):
        set_gradients(parameters, 0)
    norm = Optimizer(ours, training(optimizer="sgd", momentum=0.0, clip_norm=clip)).step(1.0)
    expected = torch.nn.utils.clip_grad_norm_(theirs, clip)
    assert norm == pytest.approx(float(expected), rel=1e-12)
    moved = [before - after for before, after in zip(start, ours, strict=True)]
    for part, peer in zip(moved, theirs, strict=True):
        assert peer.grad is not None
        torch.testing.assert_close(part, peer.grad, rtol=0, atol=1e-12)
    length = float(torch.cat([part.detach().flatten() for part in moved]).norm())
    assert length == pytest.approx(min(clip, norm), rel=1e-5)


@pytest.mark.parametrize("bad", [math.nan, math.inf, -math.inf])
@pytest.mark.parametrize("name", PEERS)
def test_a_gradient_that_is_not_finite_changes_nothing(name: str, bad: float) -> None:
    parameters = drawn()
    optimizer = Optimizer(parameters, training(**PEERS[name][0], weight_decay=0.1, clip_norm=1.0))
    set_gradients(parameters, 0)
    optimizer.step(RATE)
    before = copy.deepcopy((parameters, optimizer.first, optimizer.second))
    set_gradients(parameters, 1)
    assert parameters[2].grad is not None
    parameters[2].grad[1, 0, 2] = bad
    assert not math.isfinite(optimizer.step(RATE))
    assert optimizer.updates == 1
    assert all(parameter.grad is None for parameter in parameters)
    after = (parameters, optimizer.first, optimizer.second)
    assert torch.equal(after[1], before[1])
    assert torch.equal(after[2], before[2])
    for parameter, old in zip(after[0], before[0], strict=True):
        assert torch.equal(parameter, old)


@pytest.mark.parametrize("name", PEERS)
def test_training_goes_on_after_a_gradient_that_is_not_finite(name: str) -> None:
    ours, theirs = drawn(), drawn()
    optimizer, expected = Optimizer(ours, training(**PEERS[name][0])), PEERS[name][1](theirs, 0.0)
    for step in range(6):
        set_gradients(ours, step)
        if step == 2:
            assert ours[0].grad is not None
            ours[0].grad.fill_(math.nan)
        else:
            set_gradients(theirs, step)
            expected.step()
        optimizer.step(RATE)
    for parameter, expected_parameter in zip(ours, theirs, strict=True):
        torch.testing.assert_close(parameter, expected_parameter, rtol=0, atol=1e-12)


@pytest.mark.parametrize("name", PEERS)
def test_a_parameter_without_a_gradient_has_a_gradient_of_zero(name: str) -> None:
    ours, theirs = drawn(), drawn()
    settings = training(**PEERS[name][0], weight_decay=0.1, clip_norm=1.0)
    optimizer, expected = Optimizer(ours, settings), PEERS[name][1](theirs, 0.1)
    for step in range(5):
        set_gradients(ours, step)
        set_gradients(theirs, step)
        ours[1].grad = None
        theirs[1].grad = torch.zeros_like(theirs[1])
        torch.nn.utils.clip_grad_norm_(theirs, 1.0)
        expected.step()
        assert math.isfinite(optimizer.step(RATE))
    for parameter, expected_parameter in zip(ours, theirs, strict=True):
        torch.testing.assert_close(parameter, expected_parameter, rtol=0, atol=1e-12)


@pytest.mark.parametrize("name", PEERS)
def test_without_decay_a_parameter_without_a_gradient_stays(name: str) -> None:
    parameters, start = drawn(), drawn()
    optimizer = Optimizer(parameters, training(**PEERS[name][0]))
    for step in range(3):
        set_gradients(parameters, step)
        parameters[1].grad = None
        optimizer.step(RATE)
    assert torch.equal(parameters[1], start[1])
    assert not torch.equal(parameters[0], start[0])


@pytest.mark.parametrize("name", PEERS)
def test_moments_and_count_are_all_there_is_to_resume(name: str) -> None:
    settings = training(**PEERS[name][0], weight_decay=0.1, clip_norm=0.5)
    whole = drawn(torch.float32)
    optimizer = Optimizer(whole, settings)
    for step in range(10):
        if step == 4:
            parts = copy.deepcopy(whole)
            resumed = Optimizer(parts, settings)
            resumed.first, resumed.second = optimizer.first.clone(), optimizer.second.clone()
            resumed.updates = optimizer.updates
        set_gradients(whole, step)
        optimizer.step(RATE)
    for step in range(4, 10):
        set_gradients(parts, step)
        resumed.step(RATE)
    for parameter, expected in zip(parts, whole, strict=True):
        assert torch.equal(parameter, expected)


def peers_rates(total: int, schedule: Callable[[torch.optim.Optimizer], Any]) -> list[float]:
    """The rates of `total` updates under a scheduler of torch."""
    optimizer = torch.optim.SGD([nn.Parameter(torch.zeros(1))], lr=RATE)
    scheduler = schedule(optimizer)
    rates = []
    for update in range(total):
        rates.append(float(optimizer.param_groups[0]["lr"]))
        optimizer.step()
        if update < total - 1:
            scheduler.step()
    return rates


def our_rates(schedule: str, total: int, cuts: int = 0) -> list[float]:
    settings = training(schedule=schedule, learning_rate=RATE)
    return [learning_rate(settings, update, total, cuts) for update in range(total)]


@pytest.mark.parametrize("total", [4, 10, 33, 100, 1000])
def test_onecycle_is_torchs(total: int) -> None:
    expected = peers_rates(total, lambda o: torch.optim.lr_scheduler.OneCycleLR(o, max_lr=RATE, total_steps=total))
    assert our_rates("onecycle", total) == pytest.approx(expected, rel=1e-9, abs=1e-12)


@pytest.mark.parametrize("total", [100, 1000])
def test_onecycle_starts_peaks_and_ends_where_torchs_does(total: int) -> None:
    rates = our_rates("onecycle", total)
    top = rates.index(max(rates))
    assert rates[0] == pytest.approx(RATE / 25)
    assert rates[-1] == pytest.approx(RATE / 25e4)
    assert max(rates) == pytest.approx(RATE, rel=1e-2)
    assert top == pytest.approx(0.3 * total, abs=1)
    assert rates[: top + 1] == sorted(rates[: top + 1])
    assert rates[top:] == sorted(rates[top:], reverse=True)


@pytest.mark.parametrize("total", [1, 2, 10, 100])
def test_cosine_is_torchs(total: int) -> None:
    expected = peers_rates(total, lambda o: torch.optim.lr_scheduler.CosineAnnealingLR(o, T_max=total))
    assert our_rates("cosine", total) == pytest.approx(expected, rel=1e-9)


def test_constant_stays_and_plateau_is_halved_with_every_cut() -> None:
    assert our_rates("constant", 5, cuts=3) == [RATE] * 5
    assert our_rates("plateau", 5) == [RATE] * 5
    assert our_rates("plateau", 5, cuts=3) == [RATE / 8] * 5


@given(
    schedule=st.sampled_from(["constant", "onecycle", "cosine", "plateau"]),
    total=st.integers(1, 10**6),
    share=st.floats(0, 1, exclude_max=True),
    cuts=st.integers(0, 20),
)
def test_every_rate_is_above_zero_and_at_most_the_peak(schedule: str, total: int, share: float, cuts: int) -> None:
    settings = training(schedule=schedule, learning_rate=RATE)
    rate = learning_rate(settings, min(total - 1, int(share * total)), total, cuts)
    assert 0 < rate <= RATE * (1 + 1e-12)


@needs_compiler
@pytest.mark.parametrize("name", ["adam", "adamw"])
def test_moments_of_a_weight_that_is_no_longer_used_do_not_become_subnormal(name: str) -> None:
    """Rounding would hold them at the smallest of all numbers, with which processors are slow for ever."""
    weight = nn.Parameter(torch.ones(20))
    optimizer = Optimizer([weight], training(optimizer=name))
    weight.grad = torch.full((20,), 1e-15)
    optimizer.step(RATE)
    weight.grad = torch.zeros(20)
    for _ in range(1000):
        optimizer.step(RATE)
    for moment in (optimizer.first, optimizer.second):
        assert all(value == 0 or value >= torch.finfo().tiny for value in moment.tolist())
    assert float(optimizer.first.max()) < 1e-30
