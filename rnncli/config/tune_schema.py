"""The settings of a search."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Discriminator, Field, Tag

from rnncli.config.section import Count, Name, Section

MetricName = Literal[
    "mae", "mse", "rmse", "mase", "smape", "scaled_mse", "scaled_mae", "pinball",
    "accuracy", "f1", "cross_entropy", "nll",
]  # fmt: skip
Number = Annotated[int, Field(ge=-(10**15), le=10**15)] | float


class Range(Section):
    """Numbers to search; whole ones if both ends are."""

    low: Number = Field(description="The smallest.")
    high: Number = Field(description="The largest.")
    log: bool = Field(False, description="Whether they are drawn by their order of magnitude.")
    step: Number | None = Field(None, description="Distance between neighbours, from low on.")


def _form(space: Any) -> str | None:
    return "choices" if isinstance(space, list) else "range" if isinstance(space, dict | Range) else None


Space = Annotated[
    Annotated[list[Any], Field(min_length=1), Tag("choices")] | Annotated[Range, Tag("range")],
    Discriminator(_form, "no_space", "must be a list of choices, or a range {low: …, high: …}"),
]


class Tune(Section):
    """What `rnncli tune` searches and how; `rnncli train` reads none of it."""

    parameters: Annotated[dict[Name, Space], Field(min_length=1)] | None = Field(
        None,
        description="Keys to search, such as model.hidden_size, each with a list of choices or with {low, high} and, "
        "at will, log and step. Default: learning rate, size of the network, dropout.",
    )
    metric: MetricName | None = Field(
        None,
        description="Score of the validation part to search by. Default: mae for forecasting (pinball with quantiles), "
        "rmse for numbers, cross_entropy for labels, nll for 0/1 columns.",
    )
    trials: Count = Field(20, description="Trials in all.")
    pruner: Literal["median", "none"] | None = Field(
        None,
        description="median: a trial whose validation loss is worse than the median of the others at the same epoch "
        "ends. Default: median, unless a searched key changes what the loss is measured in.",
    )
