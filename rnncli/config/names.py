"""Names of keys: all of them, those of other libraries, and which one was meant."""

from __future__ import annotations

import difflib
from collections.abc import Iterator

from pydantic import BaseModel

from rnncli.config.document import Path
from rnncli.config.schema import Config
from rnncli.config.tune_schema import Range

# what other libraries call our keys
FOREIGN_NAMES = {
    "model.hidden_size": ("units", "hidden_dim", "state_size", "hidden", "encoder_hidden_size", "d_model"),
    "model.num_layers": ("n_rnn_layers", "encoder_n_layers", "n_layers", "layers"),
    "model.nonlinearity": ("activation",),
    "model.cell": ("cell_type", "rnn_type", "model"),
    "model.bidirectional": ("bidir",),
    "window.context": ("input_chunk_length", "seq_len", "context_length", "input_size", "lookback"),
    "task.horizon": ("h", "pred_len", "prediction_length", "output_chunk_length", "forecast_horizon"),
    "data.series": ("unique_id", "item_id", "group_ids", "id", "series_id"),
    "data.time": ("ds", "time_idx", "timestamp", "date"),
    "data.target": ("y", "target_column"),
    "training.learning_rate": ("lr",),
    "training.epochs": ("max_epochs", "n_epochs", "num_epochs", "max_steps"),
    "training.steps_per_epoch": ("limit_train_batches", "num_batches_per_epoch"),
    "training.batch_size": ("bs",),
    "training.clip_norm": ("gradient_clip_val", "grad_clip", "clip"),
    "seed": ("random_state", "random_seed"),
}
_OUR_NAME = {foreign: ours for ours, names in FOREIGN_NAMES.items() for foreign in names}

SCHEMA_HINT = "rnncli schema lists every key"


def leaves(model: type[BaseModel] = Config, prefix: str = "") -> Iterator[str]:
    """Dotted names of all keys, such as ``model.hidden_size``."""
    for name, info in model.model_fields.items():
        annotation = info.annotation
        if isinstance(annotation, type) and issubclass(annotation, BaseModel):
            yield from leaves(annotation, f"{prefix}{name}.")
        else:
            yield f"{prefix}{name}"


ALL_KEYS = set(leaves()) | set(Config.model_fields)


def suggest(path: Path) -> str | None:
    """The key that was meant, if one can be guessed."""
    name = str(path[-1]).strip().lower()
    if len(path) > 2:  # in a range
        close = difflib.get_close_matches(name, Range.model_fields, 1, 0.5)
        return f"did you mean {close[0]}?" if close else f"a range has {', '.join(Range.model_fields)}"
    if len(path) == 1 and name in ALL_KEYS:
        return f"did you mean {name}?"
    if name in _OUR_NAME:
        return f"did you mean {_OUR_NAME[name]}?"
    elsewhere = [key for key in leaves() if key.split(".")[-1] == name]
    if elsewhere:
        return f"did you mean {elsewhere[0]}?"
    section = ".".join(str(part) for part in path[:-1])
    siblings = [key.split(".")[-1] for key in ALL_KEYS if key.rpartition(".")[0] == section]
    everywhere = {key.split(".")[-1]: key for key in leaves()}
    close = difflib.get_close_matches(name, siblings, 1, 0.6)
    if close:
        return f"did you mean {close[0]}?"
    close = difflib.get_close_matches(name, everywhere, 1, 0.75)
    return f"did you mean {everywhere[close[0]]}?" if close else None
