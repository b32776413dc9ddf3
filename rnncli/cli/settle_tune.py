"""What ``rnncli tune`` is to do: its config and its folder, before torch is loaded."""

from collections.abc import Sequence
from pathlib import Path

from rnncli.cli.settle import name_of, refuse_beside_resume, refuse_changes, refuse_written, saved_config
from rnncli.config.document import Document
from rnncli.config.load import check, read
from rnncli.errors import CheckpointError, MissingExtraError, Place, UsageError

FREE_ON_RESUME = ("tune.trials", "training.device", "training.threads", "data.path")


def require_optuna() -> None:
    """Refuse to go on without the extra.

    Raises:
        MissingExtraError: if it is not installed.
    """
    try:
        import optuna  # noqa: F401 - to see whether it is there
    except ImportError:
        raise MissingExtraError("a search needs Optuna", "pip install 'rnncli[tune]'") from None


def settle_search(
    config: str | None, keys: Sequence[str], out: Path | None, resume: Path | None, overwrite: bool
) -> tuple[Document, Path]:
    """The config of the search, checked, and its folder.

    Raises:
        UsageError: if there is no config, or --out beside --resume, or the search would be written over its own input.
        CheckpointError: if there is no search to resume.
        ConfigError: if the config is wrong, or a resumed search's was changed.
    """
    from rnncli.tune.folder import CONFIG, written

    if resume is None and config is None:
        raise UsageError("no CONFIG", "rnncli tune CONFIG, or --resume DIR")
    if resume is not None:
        refuse_beside_resume(resume, out, overwrite)
        begun_with = resume / CONFIG
        if begun_with.exists():
            document = read(config or str(begun_with), keys)
            refuse_changes(saved_config(begun_with), check(document), FREE_ON_RESUME)
            return document, resume
        if config is None:
            raise CheckpointError("no search to resume", "name the CONFIG to start it", Place(str(begun_with)))
    assert config is not None
    folder = resume or out or Path("runs") / f"{name_of(config)}-tune"
    document = read(config, keys)
    refuse_written(check(document), config, folder, written(folder))
    return document, folder
