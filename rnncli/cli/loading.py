"""Libraries are loaded when a command needs them; this makes it quicker."""

from __future__ import annotations

import contextlib
import gc
from collections.abc import Iterator


@contextlib.contextmanager
def loading() -> Iterator[None]:
    """Imports make hundreds of thousands of objects that stay: nobody looks for garbage among them, then or later."""
    gc.disable()
    try:
        yield
        gc.freeze()
    finally:
        gc.enable()
