"""What stands around the recurrence, against torch.nn, NumPy and scikit-learn."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from sklearn.linear_model import Ridge
from torch import Tensor, nn

from rnncli.config import schema
from rnncli.config.document import Document
from rnncli.config.load import check
from rnncli.data.panel import Columns
from rnncli.data.resident import Resident
from rnncli.data.windows import Shape, Windows
from rnncli.model.backbone import Backbone
from rnncli.model.ensemble import Ensemble, members_of
from rnncli.model.network import Attention, Network
from rnncli.model.pieces import Convolutions, ParallelDecoder, Segments, Skip, newest
from rnncli.model.sizes import Sizes
from rnncli.tasks.forecasting import Forecasting
from rnncli.training.skip import PENALTIES, TIE, USUAL, fit_skip

LENGTHS = torch.tensor([4, 7, 1, 6])
TIME, INPUTS, WIDTH = 7, 3, 5


def drawn(*shape: int) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(sum(shape)))


def ragged() -> Tensor:
    return drawn(len(LENGTHS), TIME, INPUTS) * (torch.arange(TIME) < LENGTHS[:, None])[:, :, None]


@pytest.mark.parametrize("causal", [False, True])
def test_convolutions_are_those_of_torch(causal: bool) -> None:
    torch.manual_seed(1)
    ours = Convolutions(INPUTS, WIDTH, causal=causal)
    x = expected = drawn(2, TIME, INPUTS)
    for mix, norm, taps in zip(ours.mix, ours.norm, ours.taps, strict=True):
        before = taps - 1 if causal else taps // 2
        weight = mix.weight.view(WIDTH, -1, taps)
        padded = nn.functional.pad(expected.transpose(1, 2), (before, taps - 1 - before))
        expected = torch.relu(norm(nn.functional.conv1d(padded, weight, mix.bias).transpose(1, 2)))
    torch.testing.assert_close(ours(x, None), expected)


@pytest.mark.parametrize("causal", [False, True])
def test_convolutions_do_not_see_padding(causal: bool) -> None:
    torch.manual_seed(1)
    ours = Convolutions(INPUTS, WIDTH, causal=causal)
    together = ours(ragged(), LENGTHS)
    for row, length in enumerate(LENGTHS.tolist()):
        alone = ours(ragged()[row : row + 1, :length], None)
        torch.testing.assert_close(together[row : row + 1, :length], alone)
        assert (together[row, length:] == 0).all()


def test_a_causal_filter_knows_nothing_of_what_follows() -> None:
    ours, x = Convolutions(INPUTS, WIDTH, causal=True), drawn(1, TIME, INPUTS)
    later = x.clone()
    later[:, 4:] += 1
    assert torch.equal(ours(x, None)[:, :4], ours(later, None)[:, :4])
    assert not torch.equal(ours(x, None)[:, 4:], ours(later, None)[:, 4:])


@pytest.mark.parametrize("size", [1, 2, 3, 7])
def test_the_newest_step_ends_the_last_segment(size: int) -> None:
    torch.manual_seed(1)
    ours = Segments(INPUTS, size, WIDTH)
    together, counts = ours(ragged(), LENGTHS)
    assert counts is not None
    for row, length in enumerate(LENGTHS.tolist()):
        valid = ragged()[row, :length]
        missing = -length % size
        whole = torch.cat([valid[:1].expand(missing, -1), valid]).view(-1, size * INPUTS)
        expected = torch.relu(whole @ ours.embed.weight.T + ours.embed.bias)
        assert counts[row] == len(expected)
        torch.testing.assert_close(together[row, : len(expected)], expected)
        assert (together[row, len(expected) :] == 0).all()
        alone, none = ours(valid[None], None)
        assert none is None
        torch.testing.assert_close(alone[0], expected)


@pytest.mark.parametrize("cell", ["gru", "lstm"])
def test_every_segment_ahead_is_one_step_from_the_same_state(cell: str) -> None:
    torch.manual_seed(1)
    backbone = Backbone(cell, WIDTH, WIDTH, fused=False)
    decoder = ParallelDecoder(steps=7, size=3, width=WIDTH, known=2, outputs=2)
    twin = {"gru": nn.GRU, "lstm": nn.LSTM}[cell](WIDTH, WIDTH, batch_first=True)
    twin.load_state_dict(backbone.state_dict())
    _, final = backbone(drawn(4, 6, WIDTH))
    ahead = drawn(4, 7, 2)
    whole = nn.functional.pad(ahead, (0, 0, 0, 2)).reshape(4, 3, 6)
    steps = []
    for place in range(3):
        assert decoder.known is not None
        x = decoder.places[place] + decoder.known(whole[:, place])
        output, _ = twin(x[:, None], final if len(final) > 1 else final[0])
        steps.append(decoder.out(output[:, 0]).view(4, 3, 2))
    expected = torch.cat(steps, dim=1)[:, :7].flatten(1)
    torch.testing.assert_close(decoder(backbone, final, ahead, 0.0, None), expected)


def test_the_path_around_starts_as_a_season_ago() -> None:
    skip = Skip("seasonal", context=8, steps=6, season=4)
    own = drawn(2, 8, 3)
    found = skip(own, None)
    for step in range(6):
        assert torch.equal(found[:, step], own[:, 4 + step % 4])
    assert [name for name, _ in skip.named_parameters()] == ["weight"]
    assert not list(Skip("linear", 8, 6, 4).parameters())


def test_newest_rows_are_zero_before_the_first() -> None:
    x = ragged()
    for row, length in enumerate(LENGTHS.tolist()):
        expected = torch.cat([torch.zeros(max(0, 5 - length), INPUTS), x[row, max(0, length - 5) : length]])
        assert torch.equal(newest(x, LENGTHS, 5)[row], expected)
        assert torch.equal(newest(x[row : row + 1, :length], None, 5)[0], expected)


def test_attention_is_a_mean_of_the_valid_steps() -> None:
    torch.manual_seed(1)
    attention, x = Attention(INPUTS), ragged()
    together = attention(x, (), LENGTHS, 1)
    for row, length in enumerate(LENGTHS.tolist()):
        valid = x[row, :length].numpy()
        mixed = np.tanh(valid @ attention.mix.weight.detach().numpy().T + attention.mix.bias.detach().numpy())
        scores = np.exp(mixed @ attention.score.weight.detach().numpy()[0])
        expected = (scores[:, None] / scores.sum() * valid).sum(0)
        np.testing.assert_allclose(together[row].detach(), expected, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("cell", ["rnn", "gru", "lstm", "carry_lstm"])
def test_recurrent_dropout_takes_the_same_units_from_every_product(cell: str) -> None:
    torch.manual_seed(1)
    backbone = Backbone(cell, INPUTS, 16, recurrent_dropout=0.5)
    x = drawn(2, TIME, INPUTS)
    plain, _ = backbone(x)
    assert torch.equal(plain, backbone(x)[0])  # without a generator there is none
    one, _ = backbone(x, generator=torch.Generator().manual_seed(3))
    same, _ = backbone(x, generator=torch.Generator().manual_seed(3))
    other, _ = backbone(x, generator=torch.Generator().manual_seed(4))
    assert torch.equal(one, same)
    assert not torch.equal(one, other)
    torch.testing.assert_close(one[:, 0], plain[:, 0])  # the state is zero before the first step
    # a unit's mask holds for the whole sequence: a network without its column gives the same
    keep = torch.rand((1, 2, 16), generator=torch.Generator().manual_seed(3)) >= 0.5
    for row in range(2):
        masked = Backbone(cell, INPUTS, 16, fused=False)
        masked.load_state_dict(backbone.state_dict())
        with torch.no_grad():
            masked.get_parameter("weight_hh_l0").mul_(keep[0, row] / 0.5)
        torch.testing.assert_close(one[row : row + 1], masked(x[row : row + 1])[0])


def network(outputs: int = 6, **settings: Any) -> Network:
    torch.manual_seed(7)
    model = schema.Model.model_validate({"hidden_size": 4, **settings})
    segment = settings.get("segment", 1)
    return Network(model, Sizes(("y",), outputs, steps=outputs, context=8, season=4, segment=segment))


COMBINATIONS: list[dict[str, Any]] = [
    {"front_end": "conv", "readout": "mean_max", "bidirectional": True},
    {"front_end": "conv", "segment": 3, "readout": "attention"},
    {"segment": 2, "decoder": "parallel", "skip": "seasonal"},
    {"segment": 4, "decoder": "parallel", "front_end": "conv", "num_layers": 2},
    {"skip": "linear", "readout": "last", "cell": "carry_lstm"},
]


@pytest.mark.parametrize("settings", COMBINATIONS, ids=str)
def test_a_window_is_answered_as_if_it_were_alone(settings: dict[str, Any]) -> None:
    whole = network(**settings)
    for parameter in whole.parameters():
        nn.init.normal_(parameter, std=0.5)
    x = ragged()[:, :, :1]
    together = whole(x, LENGTHS)
    for row, length in enumerate(LENGTHS.tolist()):
        torch.testing.assert_close(together[row : row + 1], whole(x[row : row + 1, :length]), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("settings", COMBINATIONS, ids=str)
def test_the_newest_value_moves_the_answer(settings: dict[str, Any]) -> None:
    whole = network(**settings)
    for parameter in whole.parameters():
        nn.init.normal_(parameter, std=0.5)
    x = ragged()[:, :, :1].requires_grad_()
    (gradient,) = torch.autograd.grad(whole(x, LENGTHS).sum(), x)
    assert (gradient[torch.arange(len(LENGTHS)), LENGTHS - 1] != 0).all()


def test_beside_a_path_around_the_network_starts_with_nothing() -> None:
    x = drawn(3, 8, 1)
    for settings in ({}, {"segment": 2, "decoder": "parallel"}):
        whole = network(skip="seasonal", **settings)
        assert torch.equal(whole(x), x[:, [4, 5, 6, 7, 4, 5], 0])


def test_an_ensemble_answers_with_the_mean() -> None:
    first, second, x = network(), network(cell="gru"), drawn(3, 8, 1)
    ensemble = Ensemble([first, second])
    torch.testing.assert_close(ensemble(x), (first(x) + second(x)) / 2)
    assert members_of(ensemble) == [first, second]
    assert members_of(first) == [first]


def _last_value_windows(scaled: np.ndarray, origins: np.ndarray) -> Windows:
    values = torch.from_numpy(scaled).float()[:, None]
    data = Resident(values, values, torch.ones_like(values, dtype=torch.bool), (1, 1), torch.empty(1, 0))
    return Windows(data, Shape(context=8, horizon=6, normalise="last"), origins, np.array([0]))


def _rows(scaled: np.ndarray, origins: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    past = np.stack([scaled[row - 8 : row] - scaled[row - 1] for row in origins])
    return past, np.stack([scaled[row : row + 6] - scaled[row - 1] for row in origins])


def _forecasts(loss: str) -> Forecasting:
    values = {"data": {"path": "d.csv", "target": "y"}, "task": {"kind": "forecasting", "horizon": 6},
              "window": {"context": 8}, "training": {"loss": loss}}  # fmt: skip
    return Forecasting(check(Document(values, {})), Columns(("y",)))


@pytest.mark.parametrize("loss", ["mse", "mae"])
@pytest.mark.parametrize("reverting", [True, False])
def test_the_closed_form_is_the_ridge_regression_that_validation_holds_for_best(loss: str, reverting: bool) -> None:
    """The reach first, with the smallest penalty; then the smallest penalty but for a hundredth."""
    noise = np.random.default_rng(7).normal(size=160)
    scaled = noise if reverting else np.cumsum(noise)
    origins, held_out = np.arange(8, 115 if reverting else 30), np.arange(121, 155)
    whole = network(skip="linear")
    fit_skip(whole, _forecasts(loss), _last_value_windows(scaled, origins), _last_value_windows(scaled, held_out))
    past, later = _rows(scaled, origins)
    new_past, new_later = _rows(scaled, held_out)

    def fitted(reach: int, size: float) -> tuple[float, np.ndarray]:
        ridge = Ridge(alpha=size * len(past), fit_intercept=False).fit(past[:, -reach:], later)
        error = new_later - ridge.predict(new_past[:, -reach:])
        return (error**2 if loss == "mse" else np.abs(error)).mean(), ridge.coef_

    reach = min((8, 6, 5, 4, 3, 2), key=lambda reach: fitted(reach, PENALTIES[0])[0])
    losses, coefficients = zip(*(fitted(reach, size) for size in PENALTIES), strict=True)
    best = int(np.flatnonzero(losses <= np.min(losses) * (1 + TIE))[0])
    assert (best, reach) == (4, 3) if not reverting else best < 2 and reach == 6
    found = whole.get_buffer("skip.weight").numpy()
    np.testing.assert_allclose(found[:, -reach:], coefficients[best], rtol=1e-3, atol=1e-4)
    assert not found[:, :-reach].any()


def test_without_a_validation_part_the_closed_form_has_the_usual_penalty() -> None:
    scaled, origins = np.cumsum(np.random.default_rng(0).normal(size=120)), np.arange(8, 115)
    whole = network(skip="linear")
    fit_skip(whole, _forecasts("mae"), _last_value_windows(scaled, origins), None)
    ridge = Ridge(alpha=USUAL * len(origins), fit_intercept=False).fit(*_rows(scaled, origins))
    np.testing.assert_allclose(whole.get_buffer("skip.weight").numpy(), ridge.coef_, rtol=1e-3, atol=1e-4)
