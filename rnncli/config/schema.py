"""Every setting: its name, default, limits and meaning.

A default of None means that the value follows from other settings; ``defaults.resolve`` fills it in, and the
run's ``config.yaml`` shows what it became.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field, SerializerFunctionWrapHandler, model_serializer

from rnncli.config.data_schema import Data as Data
from rnncli.config.section import Count, Name, Section
from rnncli.config.tune_schema import Tune

Share = Annotated[float, Field(ge=0, lt=1)]
# a fraction below 1, a count, or the time at which the part starts
PartSize = Annotated[int, Field(ge=0, le=10**9)] | Share | Name

CellName = Literal["rnn", "lstm", "gru", "carry_lstm"]
TaskName = Literal["forecasting", "classification", "regression", "tagging"]
BaselineName = Literal["naive", "seasonal_naive", "drift", "mean", "ridge", "majority", "previous"]
Level = Annotated[float, Field(gt=0, lt=1)]


class Split(Section):
    """What is held out."""

    by: Literal["time", "series"] | None = Field(
        None,
        description="Hold out the end of every series, or whole series. Default: time for forecasting and tagging.",
    )
    validation: PartSize = Field(
        0.1, description="A fraction, a count of rows (of series), or the time at which the part starts."
    )
    test: PartSize = Field(0.1, description="Likewise; 0 holds nothing out.")


class Scale(Section):
    """How values are brought to a common size; statistics come from the training part alone."""

    kind: Literal["standard", "robust", "minmax", "none"] = Field(
        "standard", description="Mean and deviation, median and quartiles, minimum and range, or nothing."
    )
    per: Literal["series", "panel"] | None = Field(
        None, description="Statistics for each series or for all together. Default: series, if split by time."
    )


class Window(Section):
    """What the network sees of a series."""

    context: Count | Literal["full"] | Annotated[str, Field(pattern=r"^[1-9][0-9]{0,3} seasons?$")] | None = Field(
        None, description="Rows of past in a window, or '3 seasons'. Default: full for classification, else 96."
    )
    newest: Count | None = Field(None, description="Training windows of each series at most, the newest.")
    origins: Literal["last", "every"] = Field(
        "last",
        description="Where the forecasts that are trained begin: at the newest row of a window, or at every row of it "
        "(forking sequences), so that one pass over a window trains as many forecasts as it has rows. Windows are "
        "fewer then: small batches give enough steps.",
    )
    stride: Count | None = Field(
        None,
        description="Rows between training windows; evaluation scores every window. Default: 1, and half the context "
        "where every row of a window is a target or an origin.",
    )
    normalise: Literal["none", "last", "mean_std"] | None = Field(
        None,
        description="Level taken off each window and put back onto the forecast: its last value, or its mean "
        "and spread. Default: last for forecasting.",
    )
    level: bool | None = Field(
        None,
        description="Whether the network reads the level that was taken off. One series tends back to its usual level; "
        "of many series, and of one that grows, levels to come were never seen. Default: true, if there is one.",
    )
    transform: Literal["none", "log"] = Field(
        "none", description="log: targets above zero whose swings grow with their level."
    )


class Task(Section):
    """What is asked of the network."""

    kind: TaskName = Field(
        description="forecasting: future values. classification: a label for a sequence. regression: a number for it. "
        "tagging: a label, a number or several 0/1 values for every row."
    )
    horizon: Count | None = Field(None, description="Rows to forecast, all at once from the newest state.")
    quantiles: Annotated[list[Level], Field(min_length=1, max_length=99)] | None = Field(
        None,
        description="Quantiles that loss: quantile trains, rising, 0.5 among them. Default: those of the 80 and 95 % "
        "intervals and the median.",
    )


class Model(Section):
    """The recurrent network; the names of its first keys are those of torch.nn.RNN."""

    cell: CellName = Field("lstm", description="rnn and carry_lstm are the textbook's; lstm and gru are torch's.")
    hidden_size: Annotated[int, Field(ge=1, le=65536)] = Field(64, description="Features of the state.")
    num_layers: Annotated[int, Field(ge=1, le=64)] = Field(1, description="Recurrent layers on top of each other.")
    nonlinearity: Literal["tanh", "relu"] | None = Field(
        None, description="Of rnn, and of the output of carry_lstm. Default: tanh."
    )
    bias: bool = Field(True, description="Whether the recurrent layers add biases.")
    bidirectional: bool = Field(False, description="Read every window in both directions.")
    dropout: Share = Field(0.0, description="Share of a layer's outputs dropped on the way to the next layer.")
    recurrent_dropout: Share = Field(
        0.0, description="Share of the state dropped on its way to the next step, the same units all along a sequence."
    )
    readout: Literal["last", "mean", "max", "mean_max", "attention"] = Field(
        "last",
        description="What the head reads: the newest state (of the backward direction, the state at the first "
        "step), a mean, a maximum or both over all steps, or a mean with learned weights.",
    )
    front_end: Literal["none", "conv"] = Field(
        "none", description="conv: two convolutions over time before the recurrence, read by the head too."
    )
    segment: Count | Literal["season"] | None = Field(
        None, description="Steps that the recurrence reads at a time; left out, one."
    )
    decoder: Literal["direct", "parallel"] = Field(
        "direct",
        description="direct: one linear map from the newest state to the horizon. parallel: one more step of the "
        "recurrence for each segment of the horizon, all from the newest state.",
    )
    skip: Literal["none", "linear", "seasonal"] = Field(
        "none",
        description="A path around the recurrence. linear: a linear map in closed form; its share of the answer, and "
        "the network's, follow from the validation part. seasonal: the season before and a learned linear map; the "
        "network learns what is left.",
    )
    input_dropout: Share = Field(0.0, description="Share of the recurrence's inputs dropped.")
    output_dropout: Share = Field(0.0, description="Share of what the head reads that is dropped.")


class Training(Section):
    """How the weights are found."""

    epochs: Count = Field(50, description="Epochs at most; after each the validation part is scored.")
    steps_per_epoch: Annotated[int, Field(ge=1, le=10**6)] | None = Field(
        None,
        description="Steps in an epoch, whatever the amount of data: the next epoch goes on where the last one ended. "
        "Left out, an epoch is one pass over the training windows.",
    )
    batch_size: Annotated[int, Field(ge=1, le=10**6)] = Field(32, description="Windows in a step.")
    learning_rate: Annotated[float, Field(gt=0, le=1e6)] = Field(2e-3, description="Peak learning rate.")
    optimizer: Literal["adamw", "adam", "sgd"] = Field("adamw", description="As in torch.optim.")
    weight_decay: Annotated[float, Field(ge=0, le=1e3)] = Field(
        0.01, description="Decoupled for adamw, added to the gradient for adam and sgd."
    )
    momentum: Share | None = Field(None, description="Of sgd. Default: 0.9.")
    schedule: Literal["constant", "onecycle", "cosine", "plateau"] = Field(
        "onecycle",
        description="onecycle: up for three tenths of the steps, then down; cosine: down; plateau: halved when "
        "validation has not improved for half of patience.",
    )
    seeds: Annotated[int, Field(ge=1, le=100)] = Field(
        1, description="Networks that are trained side by side from different weights; their mean answers."
    )
    average: Literal["none", "ema"] = Field(
        "none",
        description="Weights that are scored and saved: the newest, or a mean that moves with every update (ema).",
    )
    label_smoothing: Share | None = Field(
        None, description="Share of a label's weight that cross_entropy gives to all labels alike. Default: 0."
    )
    input_noise: Annotated[float, Field(ge=0, le=10)] = Field(
        0.0, description="Deviation of the noise added to the scaled inputs in training."
    )
    clip_norm: Annotated[float, Field(gt=0, le=1e9)] | None = Field(
        1.0, description="Largest norm of the whole gradient; null for none."
    )
    loss: Literal["mae", "mse", "huber", "quantile", "cross_entropy", "binary_cross_entropy"] | None = Field(
        None,
        description="Default: mae for forecasting, cross_entropy for classification, mse for regression; for tagging "
        "binary_cross_entropy if all targets are 0 or 1, mse for other numbers, cross_entropy for words.",
    )
    patience: Count | None = Field(
        15, description="Epochs without a better validation loss before training stops; null for never."
    )
    precision: Literal["fp32", "bf16"] = Field("fp32", description="bf16: mixed precision in training.")
    device: Annotated[str, Field(pattern=r"^(auto|cpu|cuda(:\d{1,4})?)$")] = Field(
        "auto", description="auto takes CUDA if there is one."
    )
    threads: Annotated[int, Field(ge=1, le=1024)] | Literal["auto"] = Field(
        "auto",
        description="CPU threads; auto tries out what is fastest while it trains. Results do not depend on it, except "
        "by rounding where torch computes the recurrence (see engine); there auto takes few for small networks.",
    )
    engine: Literal["auto", "native", "torch"] = Field(
        "auto",
        description="Who computes the recurrence on a CPU: the native kernels, or torch. auto takes the native ones "
        "if they can be had. Results differ by rounding. On CUDA auto replays captured graphs, torch launches every "
        "kernel by itself; results are the same.",
    )


class Evaluation(Section):
    """What a score is put beside."""

    baselines: list[BaselineName] | None = Field(
        None, description="Default: every one that fits the task; [] for none."
    )


class Config(Section):
    """A whole run."""

    seed: Annotated[int, Field(ge=0, lt=2**63)] = Field(0, description="Of everything random.")
    data: Data
    split: Split = Split()
    scale: Scale = Scale()
    window: Window = Window()
    task: Task
    model: Model = Model()
    training: Training = Training()
    evaluation: Evaluation = Evaluation()
    tune: Tune = Tune()

    @model_serializer(mode="wrap")
    def _without_tune(self, write: SerializerFunctionWrapHandler) -> dict[str, Any]:
        """A run keeps no search, which is none of its own."""
        values: dict[str, Any] = write(self)
        if self.tune == Tune():
            del values["tune"]
        return values
