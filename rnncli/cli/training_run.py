"""What ``rnncli train`` does: train with progress on stderr, print the metrics."""

import math
import sys
import time
from typing import Any

from rnncli import console
from rnncli.cli.results import metrics_sheets
from rnncli.config import schema
from rnncli.data.reading.dialect import dialect_of
from rnncli.data.reading.frames import open_tables
from rnncli.evaluation.trained_run import train_and_score
from rnncli.evaluation.verdict import verdict
from rnncli.training.fit import Fit, finished, steps_an_epoch
from rnncli.training.manifest import parameters
from rnncli.training.request import Request, Watch
from rnncli.training.state import EpochDone, Event, FitState, StepDone

__all__ = ["Request", "run"]


def run(config: schema.Config, request: Request) -> None:
    """Train, score, write ``metrics.json`` and print it."""
    tables = open_tables(config.data.path, dialect_of(config.data), console.warn)
    with Progress(config) as progress:
        result = train_and_score(config, tables, request, progress.watch())
    console.emit_document(result, metrics_sheets(result), verdict(result))


class Progress:
    """Progress on stderr: a bar on a terminal, else a line an epoch."""

    def __init__(self, config: schema.Config) -> None:
        self._config = config
        self._bar: Any = None
        self._task: Any = None
        self._steps = 0
        self._shown = 0.0
        self._since = time.monotonic()

    def __enter__(self) -> "Progress":
        return self

    def __exit__(self, *unused: object) -> None:
        if self._bar is not None:
            self._bar.stop()

    def watch(self) -> Watch:
        """The callbacks for `train`."""
        return Watch(self._started, self._event, self._warn)

    def _warn(self, text: str) -> None:
        console.warn(text)

    def _started(self, fit: Fit, state: FitState) -> None:
        model = self._config.model
        layers = f"{model.num_layers} layer{'s' if model.num_layers > 1 else ''} of {model.hidden_size}"
        both = ", both directions" if model.bidirectional else ""
        held_out = f", {len(fit.validation):,} for validation" if fit.validation is not None else ""
        console.say(
            f"{model.cell}, {layers}{both}, {parameters(state.network):,} parameters; "
            f"{len(fit.train):,} windows to train on{held_out}"
        )
        self._steps = steps_an_epoch(fit.train, fit.settings)
        done = state.epoch * self._steps + state.step
        if finished(state, self._config.training):
            console.say("training was finished already: scoring what it came to")
        elif done:
            console.say(f"going on at epoch {state.epoch + 1}, step {state.step} of {self._steps}")
        if console.shows_progress():
            self._draw(done)

    def _draw(self, done: int) -> None:
        from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

        self._bar = Progress(
            TextColumn("epoch {task.fields[epoch]:>3}/{task.fields[epochs]}"),
            BarColumn(bar_width=16),
            TextColumn("loss {task.fields[loss]:.4g} valid {task.fields[valid]}  {task.fields[rate]:.0f} steps/s"),
            TimeRemainingColumn(compact=True),
            console=console.console(sys.stderr),
            transient=True,
        )
        epochs = self._config.training.epochs
        fields = {"epoch": 1, "epochs": epochs, "loss": math.nan, "valid": "-", "rate": 0.0}
        self._task = self._bar.add_task("", total=epochs * self._steps, completed=done, **fields)
        self._done = done
        self._begun = time.monotonic()
        self._bar.start()

    def _event(self, event: Event) -> None:
        if isinstance(event, StepDone) and self._bar is not None:
            self._step(event)
        if isinstance(event, EpochDone):
            self._epoch(event)

    def _step(self, event: StepDone) -> None:
        now = time.monotonic()
        if now - self._shown < 0.1:
            return
        self._shown = now
        done = (event.epoch - 1) * self._steps + event.step
        rate = (done - self._done) / max(now - self._begun, 1e-9)
        self._bar.update(self._task, completed=done, epoch=event.epoch, loss=event.loss, rate=rate)

    def _epoch(self, event: EpochDone) -> None:
        row, now = event.row, time.monotonic()
        valid = "" if row["validation_loss"] is None else f"{row['validation_loss']:.5g}"
        if self._bar is not None:
            self._bar.update(self._task, valid=valid or "-")
        else:
            mark = " best" if event.best and valid else ""
            shown = f"  validation {valid}{mark}" if valid else ""
            shown += "" if event.share is None else f"  network {event.share:.0%}"
            console.say(
                f"epoch {row['epoch']}/{self._config.training.epochs}  train {row['train_loss']:.5g}{shown}"
                f"  {now - self._since:.1f} s"
            )
        self._since = now
