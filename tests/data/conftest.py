"""A file in a folder of its own, and what training would make of it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from tables_as_text import make_config

from rnncli.data.reading.dialect import dialect_of
from rnncli.data.reading.frames import open_tables
from rnncli.training.prepare import Prepared, prepare


@pytest.fixture(autouse=True)
def in_a_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every test of this package has a working directory of its own."""
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def read() -> Callable[..., Prepared]:
    """Write a file, ``d.csv`` unless `path` names another, and prepare it as training would."""

    def call(content: str | bytes | None, path: str = "d.csv", **keys: Any) -> Prepared:
        if content is not None:
            Path(path).write_bytes(content.encode("utf-8", "surrogatepass") if isinstance(content, str) else content)
        settings = make_config(**{"data__path": path, **keys})
        return prepare(settings, open_tables(settings.data.path, dialect_of(settings.data)))

    return call
