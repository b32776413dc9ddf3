"""The native kernels against float64 on shapes drawn at random: stacks, both directions, any length, any memory layout.

    python tests/model/test_native_fuzz.py SEED COUNT

prints the largest differences, a layer.
"""

from __future__ import annotations

import functools
import random
import sys
from collections import defaultdict
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import pytest
import torch
from torch import Tensor

from rnncli.model.cells import ACTIVATIONS, CELLS, State
from rnncli.model.engine import native
from rnncli.model.native.arguments import Layer
from rnncli.model.native.kernels import Library
from rnncli.model.native.layer import run
from rnncli.model.scan import NAMES, Weights, scan_layer

KINDS = [("rnn", "tanh"), ("rnn", "relu"), ("lstm", "tanh"), ("gru", "tanh"), ("carry_lstm", "tanh"),
         ("carry_lstm", "relu")]  # fmt: skip
# largest errors a layer, relative to the largest element of a tensor (of all gradients) where that is above one
OUTPUT, GRADIENT = 1e-6, 1e-5
EXACT = 3.2e-7  # to what tanh and sigmoid are, relative
SEED = 20_260
RunLayer = Callable[[Tensor, Tensor | None, State | None, list[Weights], Tensor | None], tuple[Tensor, State]]


@dataclass(frozen=True)
class Case:
    """A stack of layers.

    Attributes:
        lengths: of the sequences; None if all are whole.
        given: whether there is an initial state; else it is zero.
        masked: whether recurrent dropout takes a part of the states.
        form: how the kernels' tensors lie in memory, a key of FORMS.
    """

    cell: str
    nonlinearity: str
    batch: int
    time: int
    inputs: int
    hidden: int
    layers: int
    directions: int
    bias: bool
    given: bool
    masked: bool
    lengths: tuple[int, ...] | None
    form: str
    threads: int
    seed: int


def drawn(random: random.Random) -> Case:
    """A case; small numbers and ones are as likely as large ones."""

    def size(most: int) -> int:
        return random.choice([1, random.randint(1, most), random.randint(1, most)])

    kind, batch, time = random.choice(KINDS), size(20), size(20)
    lengths = None
    if random.random() < 0.6:
        least = random.randint(0, 1)
        lengths = tuple(random.choice([least, 1, random.randint(least, time), time]) for _ in range(batch))
    return Case(
        *kind, batch, time, inputs=size(20), hidden=size(50), layers=random.choice([1, 1, 2, 3]),
        directions=random.choice([1, 2]), bias=random.random() < 0.5, given=random.random() < 0.5,
        masked=random.random() < 0.3, lengths=lengths, form=random.choice(list(FORMS)), threads=random.randint(1, 4),
        seed=random.getrandbits(31),
    )  # fmt: skip


def spread(tensor: Tensor) -> Tensor:
    """The same numbers, every other one in memory."""
    return torch.stack([tensor, tensor], dim=-1)[..., 0]


def turned(tensor: Tensor) -> Tensor:
    """The same numbers, the first two dimensions the other way round in memory."""
    return tensor.transpose(0, 1).contiguous().transpose(0, 1) if tensor.dim() > 1 else spread(tensor)


def part(tensor: Tensor) -> Tensor:
    """The same numbers, as a part of a larger tensor that begins at an odd place."""
    return torch.cat([tensor[..., :1], tensor, tensor[..., :1]], dim=-1)[..., 1:-1]


FORMS: dict[str, Callable[[Tensor], Tensor]] = {
    "contiguous": torch.clone,
    "spread": spread,
    "turned": turned,
    "part": part,
}


def tensors(case: Case) -> tuple[Tensor, list[State | None], list[list[Weights]]]:
    """Input, and for every layer initial state and weights, in float32."""
    generator = torch.Generator().manual_seed(case.seed)
    kind, bound, width = CELLS[case.cell], case.hidden**-0.5, case.inputs
    rows, stack, states = len(kind.gates) * case.hidden, [], []
    for _ in range(case.layers):
        shapes: dict[str, tuple[int, ...]] = {"weight_ih": (rows, width), "weight_hh": (rows, case.hidden)}
        shapes |= {"weight_ch": (case.hidden, case.hidden)} if kind.carry_weight else {}
        shapes |= dict.fromkeys(kind.biases, (rows,)) if case.bias else {}

        def uniform(name: str, shapes: dict[str, tuple[int, ...]] = shapes) -> Tensor | None:
            return (torch.rand(shapes[name], generator=generator) * 2 - 1) * bound if name in shapes else None

        stack.append([tuple(uniform(name) for name in NAMES) for _ in range(case.directions)])
        size = (case.directions, case.batch, case.hidden)
        states.append(tuple(torch.randn(size, generator=generator) for _ in kind.states) if case.given else None)
        width = case.directions * case.hidden
    return torch.randn(case.batch, case.time, case.inputs, generator=generator), states, stack


def answers(
    case: Case, run_layer: RunLayer, dtype: torch.dtype, form: Callable[[Tensor], Tensor]
) -> list[list[Tensor]]:
    """Outputs of all layers, final states, and the gradients of everything that went in."""
    x, states, stack = tensors(case)
    leaves: list[Tensor] = []

    def leaf(tensor: Tensor | None) -> Tensor | None:
        if tensor is None:
            return None
        leaves.append(form(tensor.to(dtype)).detach().requires_grad_())
        return leaves[-1]

    flow, outputs, finals = leaf(x), [], []
    lengths = None if case.lengths is None else torch.tensor(case.lengths)
    generator = torch.Generator().manual_seed(case.seed + 2)
    for state, weights in zip(states, stack, strict=True):
        own = None if state is None else tuple(leaf(tensor) for tensor in state)
        held = [tuple(leaf(tensor) for tensor in one) for one in weights]
        kept = torch.rand(case.directions, case.batch, case.hidden, generator=generator) >= 1 / 3
        flow, final = run_layer(flow, lengths, own, held, form((kept * 1.5).to(dtype)) if case.masked else None)
        outputs.append(flow)
        finals.extend(final)
    generator = torch.Generator().manual_seed(case.seed + 1)
    ends = [outputs[-1], *finals]
    given = [torch.randn(end.shape, generator=generator).to(dtype) for end in ends]
    return [outputs, finals, list(torch.autograd.grad(ends, leaves, given))]


def differences(case: Case, library: Library) -> dict[str, float]:
    """The largest differences of outputs, states and gradients, in shares of what is allowed to so many layers."""
    layer, activation = Layer(library, case.cell, case.nonlinearity), ACTIVATIONS[case.nonlinearity]

    def steps(
        x: Tensor, lengths: Tensor | None, state: State | None, weights: list[Weights], masks: Tensor | None
    ) -> tuple[Tensor, State]:
        zero = tuple(x.new_zeros(case.directions, case.batch, case.hidden) for _ in CELLS[case.cell].states)
        return scan_layer(CELLS[case.cell], activation, x, lengths, state or zero, weights, masks)

    before = torch.get_num_threads()
    torch.set_num_threads(case.threads)
    try:
        ours = answers(case, functools.partial(run, layer), torch.float32, FORMS[case.form])
    finally:
        torch.set_num_threads(before)
    assert all(tensor.dtype == torch.float32 for part in ours for tensor in part)
    truth = answers(case, steps, torch.float64, torch.clone)
    same_side = all(torch.equal(one > 0, other > 0) for one, other in zip(ours[0], truth[0], strict=True))
    if case.nonlinearity == "relu" and not same_side:
        ours[2] = truth[2] = []  # rounding went over the kink: either gradient is right
    found = _shares(case, ours, truth)
    if max(found.values()) > 1:  # a state that feeds on itself for long: it would go as far from other inputs
        far = dict.fromkeys(found, 1.0)
        for seed in range(5):
            moved = answers(case, steps, torch.float64, nudged(seed))
            moved[2] = moved[2] if truth[2] else []
            near = _shares(case, moved, truth)
            far = {name: max(far[name], share) for name, share in near.items()}
        found = {name: share / far[name] for name, share in found.items()}
    return found


def nudged(seed: int) -> Callable[[Tensor], Tensor]:
    """Other numbers, as near as the kernels tell one from another."""
    generator = torch.Generator().manual_seed(seed)
    return lambda tensor: tensor * (1 + EXACT * torch.randn(tensor.shape, generator=generator))


def _shares(case: Case, ours: list[list[Tensor]], truth: list[list[Tensor]]) -> dict[str, float]:
    # a gradient's terms may cancel each other: what is left is as exact as they were
    scales = [None, None, max(_largest(tensor) for tensor in truth[2] or truth[0])]
    return {
        name: max((_difference(*pair, scale) for pair in zip(mine, theirs, strict=True)), default=0.0)
        / (allowed * case.layers)
        for name, allowed, mine, theirs, scale in zip(
            ("outputs", "states", "gradients"), (OUTPUT, OUTPUT, GRADIENT), ours, truth, scales, strict=True
        )
    }


def _difference(actual: Tensor, expected: Tensor, scale: float | None) -> float:
    assert actual.shape == expected.shape
    assert not actual.isnan().any()
    return float((actual - expected).detach().abs().max()) / max(1.0, scale or _largest(expected))


def _largest(tensor: Tensor) -> float:
    return float(tensor.detach().abs().max())


def cases(seed: int, count: int) -> Iterator[Case]:
    source = random.Random(seed)
    return (drawn(source) for _ in range(count))


def test_any_stack_is_served(library: Library) -> None:
    for case in cases(SEED, 50):
        assert max(differences(case, library).values()) <= 1, case


@pytest.mark.slow
@pytest.mark.timeout(3600)
def test_any_stack_is_served_ten_thousand_times(library: Library) -> None:
    for case in cases(SEED + 1, 10_000):
        assert max(differences(case, library).values()) <= 1, case


def test_the_cases_are_of_every_kind() -> None:
    found = list(cases(SEED, 1_000))
    assert {(case.cell, case.nonlinearity) for case in found} == set(KINDS)
    assert {case.form for case in found} == set(FORMS)
    assert {0, 1} <= {length for case in found for length in case.lengths or ()}
    assert any(case.batch == 1 for case in found)
    assert any(case.hidden % 2 for case in found)
    assert {case.layers for case in found} == {1, 2, 3}
    assert {case.masked for case in found} == {True, False}


if __name__ == "__main__":
    kernels = native()
    assert isinstance(kernels, Library), kernels
    worst: dict[tuple[str, str], float] = defaultdict(float)
    for number, case in enumerate(cases(int(sys.argv[1]), int(sys.argv[2]))):
        for name, share in differences(case, kernels).items():
            if share > 1:
                sys.stdout.write(f"{number}: {name} {share:.2f} of what is allowed: {case}\n")
            worst[case.cell, name] = max(worst[case.cell, name], share)
    for (cell, name), share in sorted(worst.items()):
        sys.stdout.write(f"{cell} {name}: {share * (GRADIENT if name == 'gradients' else OUTPUT):.2e}\n")
