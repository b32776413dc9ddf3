"""The native kernels against float64, and what they promise beside: bits, threads, shapes, what is no number."""

from __future__ import annotations

import itertools
import os
import platform
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from native_kernels import compiler, needs_compiler
from torch import Tensor

from rnncli.model.cells import ACTIVATIONS, CELLS
from rnncli.model.native import kernels as native_library
from rnncli.model.native.arguments import Layer
from rnncli.model.native.kernels import Library
from rnncli.model.native.layer import run
from rnncli.model.scan import NAMES, Weights, scan_layer

KINDS = [("rnn", "tanh"), ("rnn", "relu"), ("lstm", "tanh"), ("gru", "tanh"), ("carry_lstm", "tanh"),
         ("carry_lstm", "relu")]  # fmt: skip
OUTPUT, GRADIENT = 1e-6, 1e-5  # largest errors, relative to the largest element of a tensor where that is above one


@dataclass(frozen=True)
class Case:
    """A layer with its inputs drawn."""

    cell: str
    nonlinearity: str
    batch: int
    time: int
    inputs: int
    hidden: int
    directions: int = 1
    bias: bool = True
    given: bool = False
    ragged: bool = False
    masked: bool = False
    seed: int = 0

    def tensors(self) -> tuple[Tensor, Tensor | None, tuple[Tensor, ...] | None, list[Weights]]:
        """Input, lengths, initial state and weights, in float32."""
        generator = torch.Generator().manual_seed(self.seed)
        kind, bound = CELLS[self.cell], self.hidden**-0.5

        def uniform(*shape: int) -> Tensor:
            return (torch.rand(shape, generator=generator) * 2 - 1) * bound

        rows = len(kind.gates) * self.hidden
        shapes = {"weight_ih": (rows, self.inputs), "weight_hh": (rows, self.hidden)}
        if kind.carry_weight:
            shapes["weight_ch"] = (self.hidden, self.hidden)
        if self.bias:
            shapes |= dict.fromkeys(kind.biases, (rows,))
        weights: list[Weights] = [
            tuple(uniform(*shapes[name]) if name in shapes else None for name in NAMES) for _ in range(self.directions)
        ]
        x = torch.randn(self.batch, self.time, self.inputs, generator=generator)
        size = (self.directions, self.batch, self.hidden)
        state = tuple(torch.randn(size, generator=generator) for _ in kind.states) if self.given else None
        lengths = torch.randint(1, self.time + 1, (self.batch,), generator=generator) if self.ragged else None
        return x, lengths, state, weights

    def masks(self) -> Tensor | None:
        """What recurrent dropout leaves of the states, a third taken away."""
        generator = torch.Generator().manual_seed(self.seed + 2)
        kept = torch.rand(self.directions, self.batch, self.hidden, generator=generator) >= 1 / 3
        return kept * 1.5 if self.masked else None


def leaves_of(x: Tensor, state: tuple[Tensor, ...] | None, weights: list[Weights]) -> list[Tensor]:
    return [x, *(state or ()), *(tensor for own in weights for tensor in own if tensor is not None)]


def answers(
    case: Case, library: Library | None, *, threads: int = 1, double: bool = False, backward: bool = True
) -> list[Tensor]:
    """Output, final state and every gradient: by the kernels, or where there is no library by torch's steps."""
    x, lengths, state, weights = case.tensors()
    dtype = torch.float64 if double else torch.float32
    x = x.to(dtype).requires_grad_(backward)
    state = None if state is None else tuple(part.to(dtype).requires_grad_(backward) for part in state)
    weights = [tuple(None if t is None else t.to(dtype).requires_grad_(backward) for t in own) for own in weights]
    before = torch.get_num_threads()
    torch.set_num_threads(threads)
    try:
        if library is not None:
            output, final = by_kernels(case, library, x, lengths, state, weights)
        else:
            output, final = by_steps(case, x, lengths, state, weights)
        if not backward:
            return [output, *final]
        generator = torch.Generator().manual_seed(case.seed + 1)
        given = [torch.randn(part.shape, generator=generator).to(dtype) for part in (output, *final)]
        return [output, *final, *torch.autograd.grad((output, *final), leaves_of(x, state, weights), given)]
    finally:
        torch.set_num_threads(before)


def by_kernels(
    case: Case,
    library: Library,
    x: Tensor,
    lengths: Tensor | None,
    state: tuple[Tensor, ...] | None,
    weights: Sequence[Weights],
) -> tuple[Tensor, tuple[Tensor, ...]]:
    return run(Layer(library, case.cell, case.nonlinearity), x, lengths, state, weights, case.masks())


def by_steps(
    case: Case, x: Tensor, lengths: Tensor | None, state: tuple[Tensor, ...] | None, weights: Sequence[Weights]
) -> tuple[Tensor, tuple[Tensor, ...]]:
    zero = x.new_zeros(case.directions, case.batch, case.hidden)
    start = tuple(zero for _ in CELLS[case.cell].states) if state is None else state
    masks = case.masks()
    masks = None if masks is None else masks.to(x.dtype)
    return scan_layer(CELLS[case.cell], ACTIVATIONS[case.nonlinearity], x, lengths, start, weights, masks)


def assert_exact(case: Case, library: Library, threads: int = 1) -> None:
    """Outputs and gradients are those of float64 up to the rounding of float32."""
    ours, truth = answers(case, library, threads=threads), answers(case, None, double=True)
    count = 1 + len(CELLS[case.cell].states)
    least = 1.0
    if case.nonlinearity == "relu":  # its states may grow step by step, and the errors of rounding as gradients say
        least = max(1.0, *(float(tensor.detach().abs().max()) for tensor in truth))
        if not torch.equal(ours[0] > 0, truth[0] > 0):  # rounding went over the kink: either gradient is right
            del ours[count:], truth[count:]
    for index, (actual, expected) in enumerate(zip(ours, truth, strict=True)):
        assert actual.dtype == torch.float32
        assert actual.shape == expected.shape
        tolerance = (OUTPUT if index < count else GRADIENT) * max(least, float(expected.detach().abs().max()))
        assert float((actual - expected).detach().abs().max()) <= tolerance, (case, index)


def assert_same_bits(one: Sequence[Tensor], other: Sequence[Tensor]) -> None:
    for first, second in zip(one, other, strict=True):
        assert torch.equal(
            first.detach().contiguous().view(torch.int32), second.detach().contiguous().view(torch.int32)
        )


@pytest.fixture(params=KINDS, ids=lambda kind: "-".join(kind))
def kind(request: pytest.FixtureRequest) -> tuple[str, str]:
    return request.param


@pytest.fixture(params=[False, True], ids=["whole", "masked"])
def masked(request: pytest.FixtureRequest) -> bool:
    """Whether recurrent dropout takes a part of the state."""
    return request.param


SEVERAL_WINDOWS = (96, 40, 7, 64)  # of the backward pass, with any cell
SHAPES = [(1, 1, 1, 1), (1, 7, 3, 5), (3, 1, 2, 8), (4, 9, 8, 17), (5, 12, 1, 32), (33, 5, 16, 24), (2, 6, 40, 65),
          (7, 20, 5, 64), (100, 4, 3, 16), (16, 3, 70, 130)]  # fmt: skip


@pytest.mark.parametrize("shape", [*SHAPES, SEVERAL_WINDOWS], ids=lambda shape: "x".join(map(str, shape)))
@pytest.mark.parametrize("ragged", [False, True], ids=["full", "ragged"])
@pytest.mark.parametrize("directions", [1, 2], ids=["one_way", "two_ways"])
def test_outputs_and_gradients_are_those_of_float64(
    kind: tuple[str, str], shape: tuple[int, ...], ragged: bool, directions: int, masked: bool, library: Library
) -> None:
    for bias, given_state in itertools.product((True, False), repeat=2):
        case = Case(*kind, *shape, directions=directions, bias=bias, given=given_state, ragged=ragged, masked=masked)
        assert_exact(case, library)


def test_a_mask_of_ones_changes_no_bit(kind: tuple[str, str], library: Library) -> None:
    case = Case(*kind, 9, 8, 3, 20, directions=2, given=True, ragged=True)
    plain, masked = (run(Layer(library, *kind), *case.tensors(), masks) for masks in (None, torch.ones(2, 9, 20)))
    assert_same_bits([plain[0], *plain[1]], [masked[0], *masked[1]])


def cases(most: int) -> st.SearchStrategy[Case]:
    return st.builds(
        lambda kind, **rest: Case(*kind, **rest),
        st.sampled_from(KINDS),
        batch=st.integers(1, most),
        time=st.integers(1, most),
        inputs=st.integers(1, most),
        hidden=st.integers(1, 2 * most),
        directions=st.integers(1, 2),
        bias=st.booleans(),
        given=st.booleans(),
        ragged=st.booleans(),
        masked=st.booleans(),
        seed=st.integers(0, 2**31),
    )


@settings(max_examples=200, deadline=None)
@given(case=cases(20), threads=st.integers(1, 4))
def test_any_shape_is_served(library: Library, case: Case, threads: int) -> None:
    assert_exact(case, library, threads)


@pytest.mark.parametrize("shape", [(32, 20, 7, 64), (37, 11, 5, 96), (5, 40, 3, 20), (130, 6, 9, 33), SEVERAL_WINDOWS])
@pytest.mark.parametrize("ragged", [False, True], ids=["full", "ragged"])
def test_threads_change_no_bit(
    kind: tuple[str, str], shape: tuple[int, ...], ragged: bool, masked: bool, library: Library
) -> None:
    case = Case(*kind, *shape, directions=2, given=True, ragged=ragged, masked=masked)
    first = answers(case, library, threads=1)
    for threads in (1, 2, 3, 4, 7):
        assert_same_bits(answers(case, library, threads=threads), first)


@pytest.mark.parametrize("hidden", [5, 16, 40])
def test_a_rows_bits_do_not_depend_on_its_company(
    kind: tuple[str, str], hidden: int, masked: bool, library: Library
) -> None:
    case = Case(*kind, 23, 9, 4, hidden, directions=2, given=True, ragged=True, masked=masked)
    x, lengths, state, weights = case.tensors()
    assert lengths is not None
    assert state is not None
    layer, masks = Layer(library, *kind), case.masks()
    whole = run(layer, x, lengths, state, weights, masks)
    for rows in ([4], [22, 4, 0], list(range(22, -1, -1)), [3] * 11):
        own = None if masks is None else masks[:, rows]
        some = run(layer, x[rows], lengths[rows], tuple(part[:, rows] for part in state), weights, own)
        assert_same_bits([some[0]], [whole[0][rows]])
        assert_same_bits(some[1], [part[:, rows] for part in whole[1]])
    own = None if masks is None else masks[:, :1]
    alone = run(layer, x[:1, : int(lengths[0])], None, tuple(part[:, :1] for part in state), weights, own)
    assert_same_bits([alone[0]], [whole[0][:1, : int(lengths[0])]])


def test_without_gradients_the_bits_are_the_same(kind: tuple[str, str], masked: bool, library: Library) -> None:
    case = Case(*kind, 9, 8, 3, 20, directions=2, given=True, ragged=True, masked=masked)
    for lean, full in zip(answers(case, library, backward=False), answers(case, library), strict=False):
        assert not lean.requires_grad
        assert_same_bits([lean], [full])


def test_inputs_may_lie_in_memory_as_they_like(kind: tuple[str, str], library: Library) -> None:
    case = Case(*kind, 6, 7, 4, 12, given=True, ragged=True, masked=True)
    x, lengths, state, weights = case.tensors()
    masks = case.masks()
    assert lengths is not None
    assert state is not None
    assert masks is not None
    layer = Layer(library, *kind)
    expected = run(layer, x, lengths, state, weights, masks)
    strided = torch.stack([x, x], dim=-1)[..., 0]
    loose = [tuple(None if t is None else t.t().contiguous().t() for t in own) for own in weights]
    spread = tuple(torch.stack([part, part], dim=-1)[..., 0] for part in state)
    for form in (strided, x.transpose(0, 1).contiguous().transpose(0, 1), torch.cat([x, x], dim=2)[..., :4]):
        output, final = run(layer, form, lengths.to(torch.int32), spread, loose, torch.stack([masks, masks], 3)[..., 0])
        assert_same_bits([output, *final], [expected[0], *expected[1]])


@pytest.mark.parametrize("value", [float("nan"), float("inf"), float("-inf")])
def test_what_is_no_finite_number_goes_where_torchs_goes(
    kind: tuple[str, str], value: float, masked: bool, library: Library
) -> None:
    case = Case(*kind, 5, 6, 3, 11, directions=2, given=True, ragged=True, masked=masked)
    x, lengths, state, weights = case.tensors()
    x[1, 0, 2] = x[3, :, 0] = value
    assert state is not None
    state[-1][0, 4, 3] = value
    output, final = by_kernels(case, library, x, lengths, state, weights)
    expected, expected_final = by_steps(case, x, lengths, state, weights)
    for actual, wanted in zip((output, *final), (expected, *expected_final), strict=True):
        torch.testing.assert_close(actual, wanted, rtol=0, atol=1e-5, equal_nan=True)


@pytest.mark.parametrize("part", [0, 1])
def test_a_gradient_that_is_no_number_spoils_its_own_row_alone(
    kind: tuple[str, str], part: int, masked: bool, library: Library
) -> None:
    case = Case(*kind, 4, 5, 3, 9, masked=masked)
    x, lengths, state, weights = case.tensors()
    x.requires_grad_()
    output, final = by_kernels(case, library, x, lengths, state, weights)
    answer = (output, final[0])[part]
    upstream = torch.ones_like(answer)
    upstream[(2, 3) if part == 0 else (0, 2)] = float("nan")
    (gradient,) = torch.autograd.grad(answer, x, upstream)
    assert gradient[2].isnan().any()
    assert gradient[[0, 1, 3]].isfinite().all()


@pytest.mark.skipif(platform.machine() not in ("x86_64", "AMD64"), reason="elsewhere tiny numbers cost nothing")
@pytest.mark.parametrize("threads", [1, 3])
def test_a_gradient_that_vanishes_ends_at_zero(kind: tuple[str, str], threads: int, library: Library) -> None:
    case = Case(*kind, 40, 30, 3, 20)
    x, lengths, state, weights = case.tensors()
    x.requires_grad_()
    small = [tuple(None if tensor is None else tensor / 100 for tensor in own) for own in weights]
    before = torch.get_num_threads()
    torch.set_num_threads(threads)
    try:
        output, _ = run(Layer(library, *kind), x, lengths, state, small)
        (gradient,) = torch.autograd.grad(output[:, -1].sum() * 1e-30, x)
    finally:
        torch.set_num_threads(before)
    sizes = gradient.abs()
    assert (sizes[:, -1].amax(dim=1) > 0).all()
    assert (sizes[:, 0] == 0).all()
    assert (sizes[sizes > 0] >= torch.finfo(torch.float32).tiny).all()
    assert torch.full((50,), 1e-40).mul(1).all()  # torch's own arithmetic is as it was


@pytest.mark.parametrize("asked", ["x", "h", "weight_hh"])
def test_a_gradient_may_be_asked_for_alone(kind: tuple[str, str], asked: str, masked: bool, library: Library) -> None:
    case = Case(*kind, 4, 5, 3, 9, directions=2, given=True, masked=masked)
    x, lengths, state, weights = case.tensors()
    assert state is not None
    leaf = {"x": x, "h": state[0], "weight_hh": weights[1][1]}[asked]
    assert leaf is not None
    leaf.requires_grad_()
    expected = torch.autograd.grad(by_steps(case, x, lengths, state, weights)[1][0].sum(), leaf)
    actual = torch.autograd.grad(by_kernels(case, library, x, lengths, state, weights)[1][0].sum(), leaf)
    torch.testing.assert_close(actual, expected, rtol=1e-5, atol=1e-5)


def test_a_retained_graph_gives_the_same_gradients_again(kind: tuple[str, str], masked: bool, library: Library) -> None:
    case = Case(*kind, 4, 5, 3, 9, directions=2, given=True, ragged=True, masked=masked)
    x, lengths, state, weights = case.tensors()
    leaves = [leaf.requires_grad_() for leaf in leaves_of(x, state, weights)]
    total = by_kernels(case, library, x, lengths, state, weights)[0].square().sum()
    first = torch.autograd.grad(total, leaves, retain_graph=True)
    by_kernels(case, library, x + 1, lengths, state, weights)  # memory is used for something else in between
    assert_same_bits(torch.autograd.grad(total, leaves, retain_graph=True), first)


def test_gradients_have_gradients(kind: tuple[str, str], masked: bool, library: Library) -> None:
    case = Case(*kind, 3, 4, 2, 6, directions=2, given=True, ragged=True, masked=masked)
    x, lengths, state, weights = case.tensors()
    leaves = [leaf.requires_grad_() for leaf in leaves_of(x, state, weights)]
    seconds = []
    for output, _ in (
        by_kernels(case, library, x, lengths, state, weights),
        by_steps(case, x, lengths, state, weights),
    ):
        firsts = torch.autograd.grad(output.square().sum(), leaves, create_graph=True, allow_unused=True)
        penalty = sum(first.square().sum() for first in firsts if first is not None)
        seconds.append(torch.autograd.grad(penalty, leaves, allow_unused=True))
    for actual, expected in zip(*seconds, strict=True):
        torch.testing.assert_close(actual, expected, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("what", ["weight", "masks"])
def test_what_changes_between_the_passes_is_noticed(what: str, library: Library) -> None:
    case = Case("lstm", "tanh", 2, 3, 2, 4, masked=True)
    x, lengths, state, weights = case.tensors()
    weight, masks = weights[0][1], case.masks()
    assert weight is not None
    assert masks is not None
    weight.requires_grad_()
    output, _ = run(Layer(library, "lstm", "tanh"), x, lengths, state, weights, masks)
    with torch.no_grad():
        {"weight": weight, "masks": masks}[what].mul_(2)
    with pytest.raises(RuntimeError, match="modified by an inplace operation"):
        output.sum().backward()


@pytest.mark.parametrize("length", [-1, 6])
def test_a_length_that_is_none_is_refused(length: int, library: Library) -> None:
    x, _, state, weights = Case("gru", "tanh", 2, 5, 2, 4).tensors()
    with pytest.raises(ValueError, match="length"):
        run(Layer(library, "gru", "tanh"), x, torch.tensor([5, length]), state, weights)


@pytest.mark.parametrize("change", ["inputs", "lengths", "state", "type", "nothing", "flat", "masks", "type of masks"])
def test_sizes_that_do_not_fit_are_refused(change: str, library: Library) -> None:
    case = Case("lstm", "tanh", 3, 5, 2, 4, given=True, ragged=True, masked=True)
    x, lengths, state, weights = case.tensors()
    masks = case.masks()
    assert state is not None
    assert lengths is not None
    assert masks is not None
    x = {"inputs": x[:, :, :1], "type": x.double(), "nothing": x[:, :0], "flat": x[0]}.get(change, x)
    lengths = lengths[:2] if change == "lengths" else lengths
    state = (state[0], state[1][:, :2]) if change == "state" else state
    masks = {"masks": masks[:, :2], "type of masks": masks > 0}.get(change, masks)
    with pytest.raises(ValueError, match=r"not float32|lengths"):
        run(Layer(library, "lstm", "tanh"), x, lengths, state, weights, masks)


def test_other_defaults_change_nothing(kind: tuple[str, str], library: Library) -> None:
    case = Case(*kind, 3, 5, 2, 9)
    expected = answers(case, library, backward=False)
    x, lengths, state, weights = case.tensors()
    torch.set_default_dtype(torch.float64)
    try:
        with torch.device("meta"):
            output, final = run(Layer(library, *kind), x, lengths, state, weights)
    finally:
        torch.set_default_dtype(torch.float32)
    assert_same_bits([output, *final], expected)


def test_a_sequence_without_steps_keeps_its_state(kind: tuple[str, str], masked: bool, library: Library) -> None:
    case = Case(*kind, 4, 5, 3, 9, directions=2, given=True, masked=masked)
    x, _, state, weights = case.tensors()
    lengths = torch.tensor([0, 5, 0, 2])
    assert state is not None
    for part in (x, *state):
        part.requires_grad_()
    results = []
    for output, final in (
        by_kernels(case, library, x, lengths, state, weights),
        by_steps(case, x, lengths, state, weights),
    ):
        total = output.sum() + sum(part.square().sum() for part in final)
        results.append([output, *final, *torch.autograd.grad(total, [x, *state])])
    for actual, expected in zip(*results, strict=True):
        torch.testing.assert_close(actual, expected, rtol=1e-5, atol=1e-5)


def test_a_forked_child_computes_the_same_bits(library: Library) -> None:
    case = Case("gru", "tanh", 40, 6, 3, 32, directions=2)
    expected = answers(case, library, threads=3, backward=False)
    child = os.fork()
    if child == 0:
        try:
            assert_same_bits(answers(case, library, threads=3, backward=False), expected)
            os._exit(0)
        except BaseException:
            os._exit(1)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0


def other_sets() -> Iterator[str]:
    yield from ("portable", "avx2", "avx512")


@pytest.fixture(scope="module")
def every_set(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A library with the portable kernels beside those of this machine."""
    path = tmp_path_factory.mktemp("kernels") / "all.so"
    native_library.compile_into(path, compiler(), ("-DWITH_PORTABLE",))
    return path


@needs_compiler
@pytest.mark.parametrize("name", list(other_sets()))
def test_every_instruction_set_of_this_machine_is_exact(
    kind: tuple[str, str], name: str, masked: bool, every_set: Path
) -> None:
    try:
        library = native_library.load(every_set, name)
    except native_library.UnavailableError:
        assert name in "avx2 avx512"  # another machine's
        return
    assert library.name == name
    for shape in SHAPES:
        assert_exact(Case(*kind, *shape, directions=2, given=True, ragged=True, masked=masked), library)
    case = Case(*kind, 37, 7, 5, 40, directions=2, ragged=True, masked=masked)
    assert_same_bits(answers(case, library, threads=3), answers(case, library, threads=1))


def numbers() -> Any:
    magnitudes = torch.logspace(-30, 2.3, 20_001, dtype=torch.float64)
    return torch.cat([-magnitudes.flip(0), torch.zeros(1, dtype=torch.float64), magnitudes]).float()


def test_tanh_is_exact_to_a_few_units_in_the_last_place(library: Library) -> None:
    """An rnn of one unit without memory is tanh itself."""
    x = numbers()
    weights = [(torch.ones(1, 1), torch.zeros(1, 1), None, None, None)]
    output, _ = run(Layer(library, "rnn", "tanh"), x[:, None, None], None, None, weights)
    truth = torch.tanh(x.double())
    relative = (output[:, 0, 0].double() / truth - 1)[truth != 0].abs().max()
    assert float(relative) <= 3.5e-7
    assert float(output.abs().max()) == 1.0
    assert float(output[len(x) // 2, 0, 0]) == 0.0


def test_sigmoid_is_exact_to_a_few_units_in_the_last_place(library: Library) -> None:
    """A gru of one unit whose n is zero multiplies its state by z = sigmoid(x)."""
    x = numbers()
    x = x[x > -86]
    weights = [(torch.tensor([[0.0], [1.0], [0.0]]), torch.zeros(3, 1), None, None, None)]
    start = torch.ones(1, len(x), 1)
    output, _ = run(Layer(library, "gru", "tanh"), x[:, None, None], None, (start,), weights)
    relative = (output[:, 0, 0].double() / torch.sigmoid(x.double()) - 1).abs().max()
    assert float(relative) <= 3.5e-7
    assert float(output.max()) == 1.0
