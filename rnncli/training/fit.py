"""The training loop, as a generator of events: arithmetic only, it neither saves nor prints.

All that it keeps from step to step is in `FitState`, and what is random in a step follows from (seed, epoch, step);
so a state that was saved anywhere goes on to the same bits.
"""

from __future__ import annotations

import math
from collections.abc import Generator, Iterator
from dataclasses import dataclass

import numpy as np
import torch

from rnncli.config import schema
from rnncli.data.batches import count_batches, epoch_batches, gathered
from rnncli.data.panel import SeriesId, show_ids
from rnncli.data.windows import Batch, Windows
from rnncli.errors import DivergedError
from rnncli.model.ensemble import AnyNetwork, members_of
from rnncli.tasks.answers import batch_losses, run_alone
from rnncli.tasks.task import Task
from rnncli.training.average import averaged, copy_weights, follow
from rnncli.training.gradient import Gradients, with_noise
from rnncli.training.optimizer import learning_rate
from rnncli.training.skip import SHARES, Blend, find_blend, pick_share
from rnncli.training.state import EpochDone, Event, FitState, StepDone, Validating

MAX_SKIPPED = 5  # updates left out in a row because the gradient was not finite


@dataclass(frozen=True)
class Fit:
    """What is fitted to what, and who computes the gradients."""

    task: Task
    gradients: Gradients
    train: Windows
    validation: Windows | None
    settings: schema.Training
    seed: int
    ids: tuple[SeriesId, ...]


def steps_an_epoch(train: Windows, settings: schema.Training) -> int:
    """Batches in an epoch."""
    return settings.steps_per_epoch or count_batches(train, settings.batch_size)


def finished(state: FitState, settings: schema.Training) -> bool:
    """Whether all epochs are done or patience is at its end."""
    worn_out = settings.patience is not None and state.stale >= settings.patience
    return state.epoch >= settings.epochs or worn_out


def fit_network(fit: Fit, state: FitState) -> Iterator[Event]:
    """Train from `state` on until it is finished, changing `state` in place.

    Raises:
        DivergedError: if a loss is not finite, or too many gradients in a row; `state` is as before that step.
    """
    settings = fit.settings
    if finished(state, settings):
        return
    blend = find_blend(state.network, fit.task, fit.train, fit.validation)
    if blend is not None and not state.best:  # a map is a model before the first step
        state.best, state.share = copy_weights(blend.network(state.network, 0.0)), 0.0
    generator = torch.Generator(fit.train.data.inputs.device)
    while not finished(state, settings):
        batches = epoch_batches(fit.train, settings.batch_size, settings.steps_per_epoch, fit.seed, state.epoch)
        for batch in gathered(fit.train, batches, state.step):
            generator.manual_seed(_mix(fit.seed, state.epoch, state.step))
            loss = _update(fit, state, batch, generator, _rate(fit, state, state.step, len(batches)))
            state.step += 1
            state.loss_sum += loss * len(batch.past)
            state.loss_count += len(batch.past)
            yield StepDone(state.epoch + 1, state.step, len(batches), loss)
        chosen, losses = averaged(state.mean, state.network), None
        if fit.validation is not None:
            losses = yield from _validate(fit, state, chosen, fit.validation, blend)
        kept, share = chosen, None
        if blend is not None:
            share = pick_share(losses)
            kept = blend.network(chosen, share)
        yield _close_epoch(fit, state, kept, share, losses, _rate(fit, state, len(batches) - 1, len(batches)))


def _rate(fit: Fit, state: FitState, step: int, steps: int) -> float:
    return learning_rate(fit.settings, state.epoch * steps + step, fit.settings.epochs * steps, state.cuts)


def _update(fit: Fit, state: FitState, batch: Batch, generator: torch.Generator, rate: float) -> float:
    """One step of the optimizer; the loss before it."""
    if fit.settings.input_noise:
        batch = with_noise(batch, fit.task, fit.settings.input_noise, generator)
    forks = fit.train.forks(batch) if fit.train.shape.forks else None
    losses = fit.gradients(members_of(state.network), batch, forks, generator)
    loss: float = sum(losses.flatten().tolist()) / losses.numel()  # for a small batch less than a call of torch
    if not math.isfinite(loss):
        raise _diverged(fit, state, batch, losses.sum(0), rate)
    norm = state.optimizer.step(rate)
    skipped = 0 if math.isfinite(norm) else state.skipped + 1
    if skipped > MAX_SKIPPED:
        what = f"the gradient was not finite {skipped} times in a row up to"
        raise DivergedError(f"{what} epoch {state.epoch + 1}, step {state.step + 1}", _ADVICE)
    state.skipped, state.skipped_total = skipped, state.skipped_total + bool(skipped)
    if fit.settings.average == "ema":
        follow(state.mean, state.network, state.optimizer.updates)
    return loss


_ADVICE = "lower training.learning_rate or training.clip_norm; the last good checkpoint is kept"


def _diverged(fit: Fit, state: FitState, batch: Batch, losses: torch.Tensor, rate: float) -> DivergedError:
    bad = (~torch.isfinite(losses)).nonzero()[:, 0].cpu().numpy()
    series = np.unique(fit.train.pick(batch.index[bad]).series)
    who = show_ids([fit.ids[number] for number in series])
    where = f"epoch {state.epoch + 1}, step {state.step + 1}, learning rate {rate:.3g}, series {who}"
    return DivergedError(f"the loss is not finite at {where}", _ADVICE)


def _mix(seed: int, epoch: int, step: int) -> int:
    """One number below 2^63 for a step, unlike its neighbours' (splitmix64 of Steele et al. 2014)."""
    value = (seed * 0x9E3779B97F4A7C15 + epoch * 0xBF58476D1CE4E5B9 + step) % 2**64
    value = (value ^ (value >> 30)) * 0xBF58476D1CE4E5B9 % 2**64
    value = (value ^ (value >> 27)) * 0x94D049BB133111EB % 2**64
    return (value ^ (value >> 31)) >> 1


def _validate(
    fit: Fit, state: FitState, network: AnyNetwork, windows: Windows, blend: Blend | None
) -> Generator[Event, None, torch.Tensor]:
    """Mean loss over the validation windows, without dropout; events in between let a caller stop.

    Returns:
        (shares,) of the blend with each share of the network, the last of which is all; or (1,) if there is no blend.
    """
    total = torch.zeros(1, dtype=torch.float64)
    for losses in batch_losses(network, fit.task, windows, run_alone if blend is None else blend.outputs):
        total = total + losses
        yield Validating(state.epoch + 1)
    if not total.isfinite().all():
        raise DivergedError(f"the validation loss is not finite after epoch {state.epoch + 1}", _ADVICE)
    return total / len(windows)


def _close_epoch(
    fit: Fit, state: FitState, network: AnyNetwork, share: float | None, losses: torch.Tensor | None, rate: float
) -> EpochDone:
    """Keep the best weights, count patience, and begin the next epoch.

    The best epoch is that of the best blend; patience is with the network, which may need some epochs to be of use.
    """
    train_loss = state.loss_sum / state.loss_count
    valid_loss = None if losses is None else float(losses[0 if share is None else SHARES.index(share)])
    alone = None if losses is None else float(losses[-1])
    # without validation there is nothing to choose by: the newest weights are the best
    better = valid_loss is None or state.best_loss is None or valid_loss < state.best_loss
    lower = alone is None or state.lowest is None or alone < state.lowest
    state.epoch, state.step = state.epoch + 1, 0
    state.loss_sum, state.loss_count = 0.0, 0
    state.stale = 0 if lower else state.stale + 1
    state.lowest = alone if lower else state.lowest
    if better:
        state.best_loss, state.best_epoch = train_loss if valid_loss is None else valid_loss, state.epoch
        state.best, state.share = copy_weights(network), share
    if not lower and fit.settings.schedule == "plateau" and state.stale % _plateau(fit.settings) == 0:
        state.cuts += 1
    row: dict[str, float | int | None] = {
        "epoch": state.epoch,
        "train_loss": train_loss,
        "validation_loss": valid_loss,
        "learning_rate": rate,
        "skipped_updates": state.skipped_total,
    }
    state.history.append(row)
    return EpochDone(row, better, share)


def _plateau(settings: schema.Training) -> int:
    """Stale epochs after which ``plateau`` halves the rate."""
    assert settings.patience is not None
    return max(1, settings.patience // 2)
