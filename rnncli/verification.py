"""A trained model computed again with the NumPy reference, beside everything else that computes it.

The truth is ``model.portable`` in float64. Errors are of the network's outputs, which are scaled; where those are
larger than 1 the tolerance grows with the largest, since so does the rounding of float32.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch

from rnncli.data.origins import scoring_origins
from rnncli.data.panel import Panel, Rows, show_id
from rnncli.data.reading.frames import Tables
from rnncli.data.resident import resident
from rnncli.data.scale import adapt, check_transform
from rnncli.data.split import everything
from rnncli.data.windows import cut
from rnncli.errors import DataError, MissingExtraError, clipped
from rnncli.export.formats import check_installed
from rnncli.given import Array, Compute, Given, by_length, call, given_of, masked
from rnncli.model.engine import native
from rnncli.model.native.kernels import UnavailableError
from rnncli.model.portable import Portable, PortableMean, build, exact
from rnncli.proof import spread
from rnncli.stream.model import StreamModel, hindrance
from rnncli.stream.trial import in_steps
from rnncli.tasks.task import shape_of
from rnncli.trained import TrainedModel
from rnncli.training.device import pick_device
from rnncli.training.prepare import read_data

_LONGEST_ID = 16  # characters of a series id in a line


@dataclass(frozen=True)
class Comparison:
    """One way to compute the model beside the reference.

    Attributes:
        name: what was compared.
        error: the largest absolute difference of an output; not finite if an output is not; None if not compared.
        limit: what it may be.
        where: the output in which it is.
        reason: why it was not compared.
    """

    name: str
    error: float | None = None
    limit: float = 0.0
    where: str | None = None
    reason: str | None = None

    @property
    def ok(self) -> bool:
        """Whether nothing speaks against the model; what was not compared does not."""
        return self.error is None or self.error <= self.limit


@dataclass(frozen=True)
class Question:
    """What every comparison starts from.

    Attributes:
        model: on the CPU.
        panel: the data.
        origins: (windows,) the panel row after the newest row of each window.
        given: the windows.
        truth: what the reference makes of them, (windows, [time,] outputs).
        tolerance: as it was asked for.
    """

    model: TrainedModel
    panel: Panel
    origins: Rows
    given: Given
    truth: Array
    tolerance: float


def verify(model: TrainedModel, tables: Tables, count: int, tolerance: float) -> tuple[list[Comparison], int]:
    """Compare everything that computes the model with the reference, on `count` windows of the data, evenly chosen.

    Args:
        model: on the CPU.

    Returns:
        the comparisons, and the number of windows.

    Raises:
        DataError: for anything in the tables that the model cannot read, or if there is no window.
    """
    question = ask(model, tables, count, tolerance)
    return [compare(question) for compare in COMPARISONS], len(question.origins)


def ask(model: TrainedModel, tables: Tables, count: int, tolerance: float) -> Question:
    """The windows, and what the reference makes of them."""
    config, task = model.config, model.task
    panel, columns = read_data(config, model.columns, tables)
    check_transform(panel, config.window.transform, model.scaler.targets)
    scaler = adapt(model.scaler, panel, columns, everything(panel))
    data = resident(panel, columns, scaler, config.data.missing, torch.device("cpu"))
    shape = shape_of(config, task, panel)
    origins = scoring_origins(panel, everything(panel), shape)
    if not len(origins):
        raise DataError(f"no window: no series has {task.horizon + 1} rows", "give longer series with --data")
    origins = origins[spread(len(origins), count)]
    given = given_of(cut(panel, data, origins, shape).batch(np.arange(len(origins))), task.sizes())
    return Question(model, panel, origins, given, by_length(_reference(model, precise=True), given), tolerance)


def saved_prediction(question: Question) -> Comparison:
    """What the file says that the network answered when training ended."""
    name, proof = "saved prediction", question.model.proof
    if proof is None:
        return Comparison(name, reason="the model's file holds none")
    truth = by_length(_reference(question.model, precise=True), proof.given)
    found = masked(proof.outputs, proof.given)
    error, limit, place = _difference(truth, found, question.tolerance)
    return Comparison(name, error, limit, f"window {place[0] + 1}, {_output(place)}")


def numpy_float32(question: Question) -> Comparison:
    """The reference in the weights' own precision."""
    return compared("numpy float32", question, _reference(question.model, precise=False))


def in_torch(question: Question) -> Comparison:
    """torch's own kernels on the CPU."""
    return compared("torch", question, lambda given: call(question.model.network, given, "torch"))


def in_native(question: Question) -> Comparison:
    """The native kernels on the CPU."""
    found = native()
    if isinstance(found, UnavailableError):
        return Comparison("native kernels", reason=str(found))
    return compared("native kernels", question, lambda given: call(question.model.network, given, "auto"))


def in_stream(question: Question) -> Comparison:
    """The windows row by row, as ``predict --follow`` computes them."""
    model = question.model
    reason = hindrance(model.config, model.columns)
    if reason is not None:
        return Comparison("stream", reason=reason)
    network = _portable(model, precise=False)
    members = list(network.members) if isinstance(network, PortableMean) else [network]
    stream = StreamModel(model.config, model.columns, model.scaler, model.residuals, model.task, members, "")
    return compared("stream", question, lambda given: in_steps(stream, **given.arrays()))


def on_cuda(question: Question) -> Comparison:
    """The first CUDA device, without TF32."""
    if not torch.cuda.is_available():
        return Comparison("cuda", reason="no CUDA device here")
    network = question.model.network
    try:
        network.to(pick_device("cuda"))
        return compared("cuda", question, lambda given: call(network, given))
    finally:
        network.to("cpu")


def in_onnx(question: Question) -> Comparison:
    """The exported model in onnxruntime."""
    try:
        check_installed()
    except MissingExtraError as error:
        return Comparison("onnx", reason=str(error))
    from rnncli.export.onnx_file import onnx_bytes, runner

    return compared("onnx", question, runner(onnx_bytes(question.model)))


# further ones take a question and answer with a comparison, or with the reason why there is none
COMPARISONS: tuple[Callable[[Question], Comparison], ...] = (
    saved_prediction,
    numpy_float32,
    in_torch,
    in_native,
    in_stream,
    on_cuda,
    in_onnx,
)


def compared(name: str, question: Question, compute: Compute) -> Comparison:
    """What `compute` makes of the windows, beside the truth."""
    error, limit, place = _difference(question.truth, by_length(compute, question.given), question.tolerance)
    return Comparison(name, error, limit, _where(question, place))


def _portable(model: TrainedModel, *, precise: bool) -> Portable | PortableMean:
    """The network in NumPy, in float64 or in the precision of its weights."""
    weights = {name: tensor.detach().cpu().numpy() for name, tensor in model.network.state_dict().items()}
    return build(model.config.model, model.task.sizes(), exact(weights) if precise else weights)


def _reference(model: TrainedModel, *, precise: bool) -> Compute:
    network = _portable(model, precise=precise)

    def compute(given: Given) -> Array:
        with np.errstate(all="ignore"):  # what is not finite is seen in the comparison
            return network.forward(given.past, given.lengths, given.level, given.static, given.ahead)

    return compute


def _difference(truth: Array, found: Array, tolerance: float) -> tuple[float, float, tuple[int, ...]]:
    """The largest difference, its limit, and the index of the output in which it is."""
    gap = np.abs(found - truth)
    gap = np.where(np.isfinite(gap), gap, np.inf)
    place = np.unravel_index(int(gap.argmax()), gap.shape)
    size = float(np.abs(truth[np.isfinite(truth)]).max(initial=1.0))
    return float(gap[place]), tolerance * size, tuple(int(part) for part in place)


def _where(question: Question, place: tuple[int, ...]) -> str:
    """The newest row of a window, or the row that is answered, and the output, for people."""
    panel, window = question.panel, place[0]
    row = int(question.origins[window]) - 1
    series = int(panel.series_of(np.array([row]))[0])
    if len(place) == 3:
        row += 1 - int(question.given.lengths[window]) + place[1]
    who = f"series {clipped(show_id(panel.ids[series]), _LONGEST_ID)}, " if panel.ids[series] else ""
    return f"{who}row {row - int(panel.offsets[series]) + 1}, {_output(place)}"


def _output(place: tuple[int, ...]) -> str:
    return f"output {place[-1] + 1}"
