"""What every task answers; TASKS holds them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Protocol

from rnncli.config import schema
from rnncli.data.panel import Columns, Floats, Panel, Rows
from rnncli.data.scale import Scaler
from rnncli.model.sizes import Sizes
from rnncli.tasks.classification import Classification
from rnncli.tasks.forecasting import Forecasting
from rnncli.tasks.metrics import Metric
from rnncli.tasks.regression import Regression
from rnncli.tasks.tagging import Tagging

if TYPE_CHECKING:
    import pandas as pd
    from torch import Tensor

    from rnncli.data.windows import Batch, Shape


class Task(Protocol):
    """A task over windows of a panel, for a config and the columns that the data settled.

    The network gives every window, or every step of it, a vector of outputs; `answer` turns it into what is scored,
    still scaled, and `original` into original units.
    """

    @property
    def horizon(self) -> int:
        """Rows of target from the origin on; 0 if the target stands among the input rows."""

    @property
    def every(self) -> bool:
        """Whether every input row has a target, and not the newest alone."""

    @property
    def metrics(self) -> Mapping[str, Metric]:
        """How answers in original units are scored."""

    def sizes(self) -> Sizes:
        """What goes into the network and comes out."""

    def answer(self, output: Tensor, batch: Batch) -> Tensor:
        """The network's outputs as scaled numbers (batch, steps, targets) or as logits."""

    def loss(self, answer: Tensor, batch: Batch) -> Tensor:
        """(batch,) what training makes small."""

    def original(self, answer: Floats, scaler: Scaler, series: Rows) -> Floats:
        """Answers in original units: numbers, or probabilities."""

    def table(
        self, answer: Floats, panel: Panel, origins: Rows, bands: Mapping[str, Floats] | None = None
    ) -> pd.DataFrame:
        """The rows that `predict` prints, for windows that end at the panel rows `origins`.

        Args:
            answer: in original units, a window each.
            bands: further numbers for each point of `answer`, by the ending of their column's name.
        """


TASKS: dict[str, Callable[[schema.Config, Columns], Task]] = {
    "forecasting": Forecasting,
    "classification": Classification,
    "regression": Regression,
    "tagging": Tagging,
}


def task_of(config: schema.Config, columns: Columns) -> Task:
    """The task of a config, for the columns of its data."""
    return TASKS[config.task.kind](config, columns)


def shape_of(config: schema.Config, task: Task, panel: Panel) -> Shape:
    """How the windows of a panel are cut."""
    from rnncli.data.origins import context_rows
    from rnncli.data.windows import Shape

    context = context_rows(config.window.context or "full", panel)
    full = config.window.context == "full"
    return Shape(
        context=context,
        horizon=task.horizon,
        every=task.every,
        turn=1 if not task.every else context if full else max(1, context // 2),
        normalise=str(config.window.normalise),
        forks=config.window.origins == "every",
    )


def training_stride(config: schema.Config, shape: Shape) -> int:
    """Rows between training windows; a whole series is one window where every row of it is trained."""
    whole = (shape.every or shape.forks) and config.window.context == "full"
    return shape.context if whole else config.window.stride or 1
