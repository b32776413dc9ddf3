"""``rnncli``, and ``python -m rnncli``."""

import atexit
import contextlib
import os
import sys

from rnncli.cli.app import main


def run() -> None:
    """Run a command, and leave at once: to take apart what torch has loaded would take a tenth of a second."""
    code: int | None = None

    def leave() -> None:
        if code is None:  # an error that nobody foresaw ends as Python has it
            return
        for stream in (sys.stdout, sys.stderr):
            with contextlib.suppress(AttributeError, OSError, ValueError):
                stream.flush()
        os._exit(code)

    atexit.register(leave)  # the first to come is the last to be called
    try:
        main()
    except SystemExit as end:
        code = end.code if isinstance(end.code, int) else None
        raise


if __name__ == "__main__":
    run()
