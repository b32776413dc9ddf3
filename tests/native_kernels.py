"""The native kernels, for tests that are about them."""

from __future__ import annotations

import os
import shlex
import shutil

import pytest

from rnncli.model.engine import native
from rnncli.model.native.kernels import Library


def kernels_or_skip() -> Library:
    """The kernels; only a machine without a C compiler may have none."""
    found = native()
    if not isinstance(found, Library) and not has_compiler():
        pytest.skip(f"torch serves here: {found}")
    assert isinstance(found, Library), found
    return found


def compiler() -> list[str]:
    """The command that the kernels are compiled with."""
    return shlex.split(os.environ.get("CC") or "cc")


def has_compiler() -> bool:
    """Whether there is one."""
    return shutil.which(compiler()[0]) is not None


needs_compiler = pytest.mark.skipif(not has_compiler(), reason="no C compiler here: torch serves")
