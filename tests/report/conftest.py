"""Runs of every task, small, and their pages."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from page_reader import Page, read_page
from report_runs import make_run


@pytest.fixture(scope="session")
def run_of(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    """The folder of a finished run of RUNS, trained once; nothing in it may be changed."""
    made: dict[str, Path] = {}

    def folder(name: str) -> Path:
        if name not in made:
            made[name] = make_run(tmp_path_factory.mktemp("report"), name)
        return made[name]

    return folder


@pytest.fixture
def page_of(invoke) -> Callable[..., Page]:
    """The page of a run, read."""

    def page(folder: Path, *arguments: str) -> Page:
        result = invoke("report", "run", *arguments, cwd=folder)
        assert result.code == 0, result.err
        return read_page(result.out)

    return page
