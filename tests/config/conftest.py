"""A config from YAML text, and all of its problems as text."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from rnncli.config import schema
from rnncli.config.load import load
from rnncli.errors import ConfigError, Problem

BASE = """\
data: {path: d.csv, time: t, target: y}
task: {kind: forecasting, horizon: 2}
"""


@pytest.fixture
def base() -> str:
    """Two lines that make a valid config; a test adds its own below."""
    return BASE


@pytest.fixture
def read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., schema.Config]:
    """Load a config from text or bytes, in a file called ``c.yaml`` in the working directory."""
    monkeypatch.chdir(tmp_path)

    def call(text: str | bytes, overrides: Sequence[str] = ()) -> schema.Config:
        Path("c.yaml").write_bytes(text.encode() if isinstance(text, str) else text)
        return load("c.yaml", overrides)

    return call


@pytest.fixture
def problems(read: Callable[..., schema.Config]) -> Callable[..., list[Problem]]:
    """The problems for which a config is refused."""

    def call(text: str | bytes, overrides: Sequence[str] = ()) -> list[Problem]:
        with pytest.raises(ConfigError) as caught:
            read(text, overrides)
        assert caught.value.exit_code == 2
        return list(caught.value.problems)

    return call
