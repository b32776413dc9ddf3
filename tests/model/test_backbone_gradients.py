"""Analytic gradients of the carry LSTM against finite differences, through the whole Backbone."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor
from torch.func import functional_call

from rnncli.model.backbone import Backbone


@pytest.mark.parametrize("nonlinearity", ["tanh", "relu"])
@pytest.mark.parametrize("bias", [True, False], ids=["bias", "bare"])
@pytest.mark.parametrize("ragged", [False, True], ids=["full", "ragged"])
def test_carry_lstm_gradients_are_those_of_finite_differences(nonlinearity: str, bias: bool, ragged: bool) -> None:
    torch.manual_seed(21)
    backbone = Backbone("carry_lstm", 2, 2, 2, nonlinearity=nonlinearity, bias=bias, bidirectional=True).double()
    names = [name for name, _ in backbone.named_parameters()]
    lengths = torch.tensor([1, 3]) if ragged else None
    x = torch.randn(2, 3, 2, dtype=torch.float64, requires_grad=True)
    h, c = (torch.randn(4, 2, 2, dtype=torch.float64, requires_grad=True) for _ in range(2))

    def run(x: Tensor, h: Tensor, c: Tensor, *parameters: Tensor) -> tuple[Tensor, ...]:
        named = dict(zip(names, parameters, strict=True))
        output, final = functional_call(backbone, named, (x, lengths, (h, c)))
        return output, *final

    assert torch.autograd.gradcheck(run, (x, h, c, *backbone.parameters()))
