"""The command line refusing what it is given, and a folder with a finished run to spoil."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
from bad_input import check_document, check_text, contents
from command_line import Invoke

Refuse = Callable[..., dict[str, Any]]


@pytest.fixture
def refuse(invoke: Invoke, tmp_path: Path) -> Refuse:
    """Call ``rnncli`` with arguments that it must refuse; the answer is the error as a document."""

    def call(*arguments: str | Path, code: int, words: str | Sequence[str] = ()) -> dict[str, Any]:
        before = contents(tmp_path)
        shown = invoke(*arguments)
        assert (shown.code, shown.out) == (code, ""), shown.err
        check_text(shown.err)
        document = invoke("--format", "json", *arguments)
        assert (document.code, document.out) == (code, "")
        assert contents(tmp_path) == before
        for word in [words] if isinstance(words, str) else words:
            assert word in shown.err
        return check_document(document.err, code)

    return call


@pytest.fixture
def ready(trained: Path, tmp_path: Path) -> Path:
    """An empty folder but for ``waves.csv``, ``waves.yaml`` and a finished run ``run``; it may be changed."""
    shutil.copytree(trained, tmp_path, dirs_exist_ok=True)
    return tmp_path
