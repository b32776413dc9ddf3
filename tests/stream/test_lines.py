"""Bytes as they come from a pipe, and what ends reading."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from rnncli.stream import lines
from rnncli.stream.lines import Stopped, arriving


@pytest.mark.parametrize("signalled", [False, True])
def test_a_signal_that_comes_with_the_end_of_the_input_ends_reading(
    signalled: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What stops a pipeline ends its writer too: the half of a row that it leaves behind is no row."""
    (tmp_path / "rows").write_bytes(b"a\n1\n2")
    wake, writes = os.pipe()
    read = os.read

    def reads(descriptor: int, size: int) -> bytes:
        raw = read(descriptor, size)
        if not raw and signalled:
            os.write(writes, b"s")
        return raw

    monkeypatch.setattr(lines.os, "read", reads)
    descriptor = os.open(tmp_path / "rows", os.O_RDONLY)
    chunks = arriving(descriptor, wake, lambda: None, grows=False)
    assert next(chunks) == b"a\n1\n2"
    with pytest.raises(Stopped if signalled else StopIteration):
        next(chunks)
    for one in (descriptor, wake, writes):
        os.close(one)
