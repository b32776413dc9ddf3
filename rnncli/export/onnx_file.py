"""A model as an ONNX file, and what onnxruntime makes of it."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import onnxruntime
from numpy.typing import NDArray

from rnncli.export.description import describe
from rnncli.export.onnx_network import onnx_model
from rnncli.given import Given
from rnncli.trained import TrainedModel

Array = NDArray[Any]


def onnx_bytes(model: TrainedModel) -> bytes:
    """The network, its inputs named as those of ``Network.forward`` and scaled; the metadata says how."""
    weights = {name: tensor.detach().cpu().numpy() for name, tensor in model.network.state_dict().items()}
    metadata = {"rnncli": json.dumps(describe(model))}
    found: bytes = onnx_model(model.config.model, model.task.sizes(), weights, metadata).SerializeToString()
    return found


def runner(raw: bytes) -> Callable[[Given], Array]:
    """onnxruntime on the CPU with a model that is ready."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    options.log_severity_level = 3
    session = onnxruntime.InferenceSession(raw, options, providers=["CPUExecutionProvider"])
    names = [part.name for part in session.get_inputs()]

    def compute(given: Given) -> Array:
        arrays = given.arrays()
        (found,) = session.run(["outputs"], {name: arrays[name] for name in names})
        return found  # type: ignore[no-any-return]

    return compute
