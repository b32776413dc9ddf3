"""Training, told from the config to the saved model."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import torch

from rnncli import checkpoint, durable, proof
from rnncli.config import schema
from rnncli.config.load import dump
from rnncli.data.reading.frames import Tables
from rnncli.data.scale import adapt
from rnncli.errors import CheckpointError, DataError, DivergedError, Place
from rnncli.model.ensemble import AnyNetwork
from rnncli.stored import saved_parts
from rnncli.tasks.forecasting import Forecasting
from rnncli.tasks.intervals import residuals
from rnncli.trained import TrainedModel, build_network, model_bytes, network_tensors
from rnncli.training import folder as run_folder
from rnncli.training.average import averaged, copy_weights
from rnncli.training.device import check_precision, keep_memory, pick_device, pick_engine, pick_gradients
from rnncli.training.fit import Fit, fit_network
from rnncli.training.interrupt import caught_signals
from rnncli.training.manifest import manifest
from rnncli.training.optimizer import Optimizer
from rnncli.training.pace import pace_of, paced
from rnncli.training.prepare import Prepared, on_device, prepare, scoring_windows, training_windows
from rnncli.training.request import Request, StopTraining, Watch
from rnncli.training.session import Session
from rnncli.training.state import FitState


@dataclass(frozen=True)
class Outcome:
    """A finished training run."""

    model: TrainedModel
    data: Prepared
    facts: dict[str, Any]
    seconds: float


def train(config: schema.Config, tables: Tables, request: Request, watch: Watch) -> Outcome:
    """Train a model into a run folder, or go on with one that was interrupted.

    Raises:
        Interrupted: after a signal; the state is saved.
        StopTraining: if `watch` raised it; the state is saved.
        DivergedError: if the numbers left the finite ones; the last good state is kept.
        DataError, ResourceError, CheckpointError: as the functions that are called here say.
    """
    if not (request.resume or request.overwrite):
        run_folder.refuse_existing(request.folder)
    device = pick_device(config.training.device)
    check_precision(config.training.precision, device)
    pace = pace_of(config, pick_engine(config.training.engine, device, config.training.precision))
    data = prepare(config, tables)
    config = data.config
    for note in data.panel.notes:
        watch.warn(note)
    digest = tables.digest()
    network = build_network(config, data.columns, config.seed).to(device)  # before any file, if memory does not do
    with run_folder.locked(request.folder):
        stored = _begin_or_find(config, request, watch)
        if stored is not None:
            data = _as_begun(data, stored, digest, request)
        fit = _fit(data, device)
        state = FitState(network, Optimizer(network.parameters(), config.training))
        session = Session(config, data.columns, data.scaler, digest, request, watch.warn)
        if stored is not None:
            session.restore(stored, state)
            durable.write(request.folder / run_folder.CONFIG, dump(config).encode())  # some keys may have changed
        watch.started(fit, state)
        with caught_signals() as caught:
            try:
                for event in paced(fit_network(fit, state), pace):
                    watch.event(event)
                    if not session.between_steps(state, caught):
                        break
            except DivergedError:
                session.save_what_is_good(state)
                raise
            except StopTraining:
                session.save(state)
                raise
            if not state.best:  # the budget ended before the first epoch
                state.best = copy_weights(averaged(state.mean, network))
            session.save(state)
            network.load_state_dict(state.best)
            model = _with_residuals(TrainedModel(config, data.columns, data.scaler, network), fit)
            model = replace(model, proof=_proof(network, fit))
            weights = network_tensors(network)
            raw = model_bytes(config, data.columns, data.scaler, weights, model.residuals, model.proof)
            durable.write(request.folder / run_folder.MODEL, raw)
            session.heed(state, caught)
        made_with = manifest(config, digest, device, session.seconds(), network) | state.facts()
        run_folder.write_json(request.folder / run_folder.MANIFEST, made_with)
    return Outcome(model, data, state.facts(), session.seconds())


def _with_residuals(model: TrainedModel, fit: Fit) -> TrainedModel:
    """The model with the errors from which a forecast's intervals follow."""
    if not isinstance(fit.task, Forecasting) or fit.validation is None:
        return model
    return replace(model, residuals=residuals(model.network, fit.task, fit.validation))


def _proof(network: AnyNetwork, fit: Fit) -> proof.Proof | None:
    """What the network makes of some windows that it was not fitted to, if there are any."""
    return proof.take(network, fit.validation or fit.train, fit.task.sizes())


def train_unsaved(data: Prepared, device: torch.device, watch: Watch) -> TrainedModel:
    """Train on data that is ready, to the same bits as `train`, and write nothing.

    Raises:
        DivergedError: if the numbers left the finite ones.
        ResourceError: if the device cannot compute in the precision that is asked for.
    """
    config = data.config
    check_precision(config.training.precision, device)
    pace = pace_of(config, pick_engine(config.training.engine, device, config.training.precision))
    fit = _fit(data, device)
    network = build_network(config, data.columns, config.seed).to(device)
    state = FitState(network, Optimizer(network.parameters(), config.training))
    watch.started(fit, state)
    for event in paced(fit_network(fit, state), pace):
        watch.event(event)
    network.load_state_dict(state.best)
    return _with_residuals(TrainedModel(config, data.columns, data.scaler, network), fit)


def _begin_or_find(config: schema.Config, request: Request, watch: Watch) -> checkpoint.Stored | None:
    """The saved state to go on with; None for a new run, whose folder then holds its config and nothing else."""
    if request.resume:
        stored, warning = run_folder.newest_state(request.folder)
        if warning:
            watch.warn(warning)
        if stored is not None:
            return stored
        watch.warn(f"{request.folder} holds no saved state yet: training starts from the beginning")
    run_folder.empty(request.folder, keep=[run_folder.CONFIG] if request.resume else [])
    durable.write(request.folder / run_folder.CONFIG, dump(config).encode())
    return None


def _as_begun(data: Prepared, stored: checkpoint.Stored, digest: str, request: Request) -> Prepared:
    """The data with the scaler that the run began with."""
    file = str(request.folder / run_folder.LAST)
    before = stored.content.get("data")
    if not isinstance(before, str):
        raise CheckpointError("damaged: it does not say what data it is of", place=Place(file))
    if before != digest and not request.allow_data_change:
        message = f"the data is not what the run began with (sha256 {digest[:12]}, was {before[:12]})"
        raise DataError(message, "--allow-data-change goes on all the same")
    _, _, begun = saved_parts(stored, file)
    return replace(data, scaler=adapt(begun, data.panel, data.columns, data.split.train))


def _fit(data: Prepared, device: torch.device) -> Fit:
    config = data.config
    keep_memory()
    values = on_device(data, device)
    return Fit(
        task=data.task,
        gradients=pick_gradients(data.task, config.training, device),
        train=training_windows(data, values),
        validation=scoring_windows(data, data.split.validation, values) if config.split.validation != 0 else None,
        settings=config.training,
        seed=config.seed,
        ids=data.panel.ids,
    )
