"""The native kernels as an optional extension: where there is no compiler, the package installs without them.

Everything else about the package is in pyproject.toml.
"""

import hashlib
import platform
from pathlib import Path

from setuptools import Extension, setup

FOLDER = Path("rnncli/model/native")
digest = hashlib.sha256()
for path in sorted((Path(__file__).parent / FOLDER).glob("*.[ch]")):
    digest.update(path.name.encode() + b"\0" + path.read_bytes())

kernels = Extension(
    "rnncli.model.native._recurrence",
    sources=sorted(str(FOLDER / path.name) for path in (Path(__file__).parent / FOLDER).glob("*.c")),
    depends=sorted(str(FOLDER / path.name) for path in (Path(__file__).parent / FOLDER).glob("*.h")),
    define_macros=[("SOURCE_HASH", f'"{digest.hexdigest()}"')],
    extra_compile_args=["-O3", "-std=c11", "-pthread", "-ffp-contract=off", "-fno-math-errno", "-Wno-psabi"],
    extra_link_args=["-pthread"],
    optional=True,
)
setup(ext_modules=[kernels] if platform.system() in ("Linux", "Darwin") else [])
