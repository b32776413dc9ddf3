"""What ``rnncli train`` is to do: its config and its folder, before torch is loaded."""

import glob
import json
import os
from collections.abc import Sequence
from pathlib import Path

from rnncli.config import schema
from rnncli.config.load import as_settled, differences, load
from rnncli.errors import CheckpointError, ConfigError, Place, Problem, UsageError
from rnncli.training import folder as run_folder


def quoted(text: str) -> str:
    """A file name as an override's value, whatever is in it."""
    return json.dumps(text, ensure_ascii=False)


def settle(
    config: str | None, keys: Sequence[str], out: Path | None, resume: Path | None, overwrite: bool, free: Sequence[str]
) -> tuple[schema.Config, Path]:
    """The config of the run and its folder.

    Raises:
        UsageError: if there is no config, or --out beside --resume, or the run would be written over its own input.
        CheckpointError: if there is no run to resume.
        ConfigError: if a resumed run's config was changed in a key that is not in `free`.
    """
    if resume is None:
        if config is None:
            raise UsageError("no CONFIG", "rnncli train CONFIG, or --resume DIR")
        folder = out or Path("runs") / ("stdin" if config == "-" else Path(config).stem)
        return _apart(load(config, keys), config, folder), folder
    if overwrite:
        raise UsageError("--overwrite beside --resume", "a resumed run goes on with what is there")
    if out is not None:
        raise UsageError("--out beside --resume", "a resumed run stays in its folder")
    if resume.exists() and not resume.is_dir():
        raise CheckpointError("no run to resume: it is a file", "--resume takes a run folder", Place(str(resume)))
    begun_with = resume / run_folder.CONFIG
    if not begun_with.exists():
        if config is None:
            raise CheckpointError("no run to resume", "name the CONFIG to start it", Place(str(begun_with)))
        return _apart(load(config, keys), config, resume), resume
    old = _saved(begun_with)
    new = as_settled(load(config, keys) if config else load(str(begun_with), keys), old)
    changed = {key: pair for key, pair in differences(old, new).items() if key not in free}
    if changed:
        raise ConfigError(
            [
                Problem(f"was {before}, is {after}: a resumed run keeps it", "take another --out", Place(key=key))
                for key, (before, after) in changed.items()
            ]
        )
    return new, resume


def _saved(path: Path) -> schema.Config:
    """The config that a run was begun with.

    Raises:
        CheckpointError: if it is not what was written.
    """
    try:
        return load(str(path))
    except ConfigError as error:
        problem = error.problems[0]
        hint = "restore it from a copy, or train again"
        raise CheckpointError(f"damaged: {problem.message}", hint, problem.place) from None


def _apart(config: schema.Config, file: str, folder: Path) -> schema.Config:
    """`config`, if none of the files that it is made of and reads is one that its run writes.

    Raises:
        UsageError: if one is.
    """
    names = [config.data.path] if isinstance(config.data.path, str) else config.data.path
    if file == "-" and "-" in names:
        raise UsageError("CONFIG and data.path are both stdin", "read one of them from a file")
    written = [folder, *(folder / name for name in run_folder.FILES)]
    read = [file, *(match for name in names for match in ([name] if os.path.exists(name) else glob.glob(name)))]
    for name in read:
        if any(path.exists() and os.path.exists(name) and path.samefile(name) for path in written):
            raise UsageError(f"{name}: is read, and the run would be written over it", "name another folder: --out DIR")
    return config
