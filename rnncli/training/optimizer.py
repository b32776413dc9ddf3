"""Adam, AdamW and SGD over one flat vector, and the learning-rate schedules.

The same arithmetic as torch.optim, whose first optimizer costs a second of imports. State is two vectors, so saving
and resuming it exactly is saving two tensors. On the CPU a step is one call of the native kernels.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence

import torch
from torch import Tensor, nn

from rnncli.config import schema
from rnncli.model.engine import native_for
from rnncli.model.native.update import Rates, Update

_BETAS = (0.9, 0.999)
_EPSILON = 1e-8
_WARMUP = 0.3  # onecycle, as torch.optim.lr_scheduler.OneCycleLR: share of steps going up,
_START, _END = 1 / 25, 1 / 25e4  # and the first and last rate as shares of the peak


class Optimizer:
    """Updates parameters in place from their gradients.

    Attributes:
        first, second: flat moments (Adam) or velocity and nothing (SGD).
        updates: steps taken.
    """

    def __init__(self, parameters: Iterable[nn.Parameter], settings: schema.Training) -> None:
        self._parameters = list(parameters)
        self._sizes = [parameter.numel() for parameter in self._parameters]
        self._settings = settings
        like = self._parameters[0]
        self.first = like.new_zeros(sum(self._sizes)).detach()
        self.second = torch.zeros_like(self.first)
        self.updates = 0
        contiguous = all(parameter.is_contiguous() for parameter in self._parameters)
        library = native_for(settings.engine, *self._parameters) if contiguous else None
        self._update: Update | None = None
        if library is not None:
            self._update = Update(library, settings.optimizer, settings.seeds, self._parameters)

    def step(self, rate: float) -> float:
        """Take one step at the given learning rate, the gradient clipped, and forget the gradient.

        Returns:
            the gradient's norm before clipping; if it is not finite, nothing was changed.
        """
        gradients = [parameter.grad for parameter in self._parameters]
        for parameter in self._parameters:
            parameter.grad = None
        norm = self._on_torch(gradients, rate) if self._update is None else self._native(self._update, gradients, rate)
        self.updates += math.isfinite(norm)
        return norm

    def _native(self, update: Update, gradients: Sequence[Tensor | None], rate: float) -> float:
        settings, updates = self._settings, self.updates + 1
        slow, slower = (settings.momentum or 0.0, 0.0) if settings.optimizer == "sgd" else _BETAS
        clip = math.inf if settings.clip_norm is None else settings.clip_norm
        corrections = (1 - slow**updates, 1 - slower**updates)
        rates = Rates(rate, settings.weight_decay, clip, slow, slower, _EPSILON, *corrections)
        return update(gradients, (self.first, self.second), rates)

    @torch.no_grad()
    def _on_torch(self, gradients: Sequence[Tensor | None], rate: float) -> float:
        parts = zip(self._parameters, gradients, strict=True)
        gradient = self._flat([torch.zeros_like(parameter) if own is None else own for parameter, own in parts])
        members = gradient.view(self._settings.seeds, -1)  # each network of an ensemble is clipped by itself
        norms = members.norm(dim=1, keepdim=True)
        norm = float(norms.max())
        if not math.isfinite(norm):
            return norm
        if self._settings.clip_norm is not None:
            members *= (self._settings.clip_norm / (norms + 1e-6)).clamp(max=1.0)
        change = self._change(gradient, self._flat(self._parameters), self.updates + 1)
        for parameter, part in zip(self._parameters, torch.split(change, self._sizes), strict=True):
            parameter.add_(part.view_as(parameter), alpha=-rate)
        return norm

    def _flat(self, tensors: Iterable[Tensor]) -> Tensor:
        return torch.cat([tensor.reshape(-1) for tensor in tensors])

    def _change(self, gradient: Tensor, weights: Tensor, updates: int) -> Tensor:
        """What to subtract, at learning rate one."""
        decay = self._settings.weight_decay
        if self._settings.optimizer == "adamw":  # Loshchilov and Hutter 2019: decay apart from the gradient
            return self._adam(gradient, updates).add_(weights, alpha=decay)
        gradient = gradient.add(weights, alpha=decay)
        return self._adam(gradient, updates) if self._settings.optimizer == "adam" else self._momentum(gradient)

    def _adam(self, gradient: Tensor, updates: int) -> Tensor:
        """Kingma and Ba 2015: mean over root mean square of the gradients, both corrected for their start."""
        slow, slower = _BETAS
        self.first.lerp_(gradient, 1 - slow)
        self.second.mul_(slower).addcmul_(gradient, gradient, value=1 - slower)
        root = (self.second / (1 - slower**updates)).sqrt_().add_(_EPSILON)
        return self.first / (1 - slow**updates) / root

    def _momentum(self, gradient: Tensor) -> Tensor:
        """Heavy-ball momentum, as in torch.optim.SGD."""
        assert self._settings.momentum is not None
        self.first.mul_(self._settings.momentum).add_(gradient)
        return self.first.clone()


def learning_rate(settings: schema.Training, update: int, total: int, cuts: int) -> float:
    """The rate of one update.

    Args:
        update: how many came before.
        total: updates of the whole training.
        cuts: how often ``plateau`` has halved the rate.
    """
    peak = settings.learning_rate
    if settings.schedule == "onecycle":
        top, last = _WARMUP * total - 1, max(1, total - 1)
        if update < top:
            return _cosine(peak * _START, peak, update / top)
        return _cosine(peak, peak * _END, (update - top) / (last - top))
    if settings.schedule == "cosine":
        return _cosine(peak, 0.0, update / max(1, total))
    return peak * 0.5**cuts if settings.schedule == "plateau" else peak


def _cosine(start: float, end: float, share: float) -> float:
    """From start to end along half a cosine."""
    return end + (start - end) * (1 + math.cos(math.pi * min(1.0, share))) / 2
