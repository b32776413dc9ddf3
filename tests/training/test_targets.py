"""Seasons in a config become rows, once the data has said how long one is."""

from __future__ import annotations

from typing import Any

import pytest

from rnncli.config.document import Document
from rnncli.config.load import check
from rnncli.config.schema import Config
from rnncli.errors import DataError
from rnncli.training.targets import settle_seasons

KEYS = ("window.context", "model.segment", "model.skip")


def config(season: int | None, **named: Any) -> Config:
    """A forecaster's config with the given `context`, `segment` and `skip`."""
    found: dict[str, Any] = {"data": {"path": "x.csv", "target": "y"}, "task": {"kind": "forecasting", "horizon": 4}}
    if season is not None:
        found["data"]["season"] = season
    found["window"] = {"context": named.get("context", 10)}
    found["model"] = {"segment": named.get("segment"), "skip": named.get("skip", "none")}
    return check(Document(found, {}))


@pytest.mark.parametrize(
    ("named", "key"),
    [({"context": "3 seasons"}, KEYS[0]), ({"segment": "season"}, KEYS[1]), ({"skip": "seasonal"}, KEYS[2])],
)
def test_a_season_that_is_not_known_is_asked_for(named: dict[str, Any], key: str) -> None:
    with pytest.raises(DataError) as refused:
        settle_seasons(config(None, **named), 1)
    assert str(refused.value).startswith(key)
    assert "to 1 where there is none" in str(refused.value)
    settle_seasons(config(1, **named), 1)


@pytest.mark.parametrize(("season", "context", "segment"), [(12, 36, 12), (1, 3, 1)])
def test_seasons_are_rows(season: int, context: int, segment: int) -> None:
    given = config(season, context="3 seasons", segment="season", skip="seasonal")
    found = settle_seasons(given, season)
    assert (found.window.context, found.model.segment) == (context, segment)


def test_a_window_holds_the_season_that_it_goes_around() -> None:
    with pytest.raises(DataError, match="does not hold a season of 12"):
        settle_seasons(config(12, context=10, skip="seasonal"), 12)
