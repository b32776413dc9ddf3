"""One script out of the modules that compute a network in NumPy, so that it needs no installation."""

from __future__ import annotations

import ast
import inspect
from types import ModuleType

from rnncli.data import dates
from rnncli.export import recipe, recipe_cells, recipe_file
from rnncli.model import portable, portable_pieces, reference, sizes

MODULES: tuple[ModuleType, ...] = (
    sizes,
    reference,
    portable_pieces,
    portable,
    dates,
    recipe_cells,
    recipe,
    recipe_file,
)

_HEAD = """A trained recurrent network, in NumPy alone; its numbers are in the .npz beside this script.

    python model.py rows.csv

answers the newest rows of every series, as `rnncli predict` does; the oldest row of a series stands first, and none is
left out between. Forecasts are numbered and have no times. In a program: Exported(file).answer(table, series).
"""
_TAIL = """

if __name__ == "__main__":
    main(sys.argv[1:], Path(__file__).with_name({file!r}))
"""


def script(file: str) -> str:
    """The text of a script that reads the ``.npz`` called `file`, beside it."""
    imports: dict[str | None, set[str]] = {}
    parts = []
    for module in MODULES:
        tree = ast.parse(inspect.getsource(module))
        lines, first = inspect.getsource(module).splitlines(), 1
        for node in tree.body:
            if isinstance(node, ast.Import | ast.ImportFrom) and node.end_lineno is not None:
                first = node.end_lineno
                where = node.module if isinstance(node, ast.ImportFrom) else None
                named = {ast.unparse(name) for name in node.names}
                imports.setdefault(where, set()).update(named)
        title = str(ast.get_docstring(tree)).partition("\n")[0]
        parts.append(f"# {title}\n\n" + "\n".join(lines[first:]).strip("\n"))
    head = f'"""{_HEAD}"""\n\nfrom __future__ import annotations\n\n{_imports(imports)}'
    return "\n\n\n".join([head, *parts]) + _TAIL.format(file=file)


def _imports(found: dict[str | None, set[str]]) -> str:
    """Lines that import all that is not part of the script itself."""
    lines = [f"import {name}" for name in sorted(found.get(None, ()))]
    for where in sorted(where for where in found if where is not None):
        if not where.startswith(("rnncli", "__future__")):
            lines.append(f"from {where} import {', '.join(sorted(found[where]))}")
    return "\n".join(lines)
