"""What ``rnncli train`` is to do: its config and its folder, before torch is loaded."""

import glob
import json
import os
import re
from collections.abc import Sequence
from pathlib import Path

from pydantic_core import to_jsonable_python

from rnncli.config import schema
from rnncli.config.load import as_settled, differences, load, without_search
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
        folder = out or Path("runs") / name_of(config)
        refuse_written(loaded := _load(config, keys), config, folder, run_folder.FILES)
        return loaded, folder
    refuse_beside_resume(resume, out, overwrite)
    begun_with = resume / run_folder.CONFIG
    if not begun_with.exists():
        if config is None:
            raise CheckpointError("no run to resume", "name the CONFIG to start it", Place(str(begun_with)))
        refuse_written(loaded := _load(config, keys), config, resume, run_folder.FILES)
        return loaded, resume
    old = saved_config(begun_with)
    new = as_settled(_load(config or str(begun_with), keys), old)
    refuse_changes(old, new, free)
    return new, resume


def _load(config: str, keys: Sequence[str]) -> schema.Config:
    """The config without its tune section, which may stand in the file, but not among what this run is told.

    Raises:
        UsageError: if a key of it does.
    """
    for key in keys:
        if re.match(r"~?tune\b", key):
            raise UsageError(f"{key}: has no effect on a single run", "rnncli tune reads the tune section")
    return without_search(load(config, keys))


def name_of(config: str) -> str:
    """What a folder is called after a config file."""
    return "stdin" if config == "-" else Path(config).stem


def refuse_beside_resume(resume: Path, out: Path | None, overwrite: bool) -> None:
    """Refuse what contradicts --resume.

    Raises:
        UsageError: if there is another option that does.
        CheckpointError: if it names a file.
    """
    if overwrite:
        raise UsageError("--overwrite beside --resume", "a resumed run goes on with what is there")
    if out is not None:
        raise UsageError("--out beside --resume", "a resumed run stays in its folder")
    if resume.exists() and not resume.is_dir():
        raise CheckpointError("no run to resume: it is a file", "--resume takes a run folder", Place(str(resume)))


def refuse_changes(old: schema.Config, new: schema.Config, free: Sequence[str]) -> None:
    """Refuse to go on with another config.

    Raises:
        ConfigError: with every key that was changed and is not in `free`.
    """
    changed = {key: pair for key, pair in differences(old, new).items() if key not in free}
    if changed:
        raise ConfigError(
            [
                Problem(f"was {before}, is {after}: a resumed run keeps it", "take another --out", Place(key=key))
                for key, (before, after) in to_jsonable_python(changed).items()
            ]
        )


def saved_config(path: Path) -> schema.Config:
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


def refuse_written(config: schema.Config, file: str, folder: Path, names: Sequence[str]) -> None:
    """Refuse a config if one of the files that it is made of and reads is one that its run writes.

    Args:
        config: as read from `file`.
        file: its name.
        folder: the folder of the run.
        names: of the files that are written into it.

    Raises:
        UsageError: if one is.
    """
    paths = [config.data.path] if isinstance(config.data.path, str) else config.data.path
    if file == "-" and "-" in paths:
        raise UsageError("CONFIG and data.path are both stdin", "read one of them from a file")
    written = [folder, *(folder / name for name in names)]
    read = [file, *(match for path in paths for match in ([path] if os.path.exists(path) else glob.glob(path)))]
    for name in read:
        if any(path.exists() and os.path.exists(name) and path.samefile(name) for path in written):
            raise UsageError(f"{name}: is read, and the run would be written over it", "name another folder: --out DIR")
