"""Where Optuna keeps a search: a file in its folder, or a database that the user names."""

from __future__ import annotations

import contextlib
import logging
import sqlite3
import warnings
from collections.abc import Iterator
from pathlib import Path

from optuna.exceptions import StorageInternalError
from optuna.storages import RDBStorage
from sqlalchemy import create_engine
from sqlalchemy.exc import ArgumentError, DatabaseError, NoSuchModuleError, OperationalError, SQLAlchemyError

from rnncli.errors import CheckpointError, Place, ResourceError, UsageError
from rnncli.tune.folder import STUDY


@contextlib.contextmanager
def quiet() -> Iterator[None]:
    """Keep to themselves what Optuna and its libraries would tell: nothing of it is for the person at the terminal."""
    logging.getLogger("optuna").setLevel(logging.CRITICAL + 1)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


def check_url(url: str) -> None:
    """Refuse a URL before anything is done; nothing is connected to.

    Raises:
        UsageError: if it is of no database that can be had here.
    """
    try:
        create_engine(url.format(SCHEMA_VERSION="")).dispose()  # which Optuna fills in
    except ImportError:
        hint = "pip install it, such as psycopg2-binary for postgresql or PyMySQL for mysql+pymysql"
        raise UsageError("--storage: the driver of this database is not installed", hint) from None
    except (ArgumentError, NoSuchModuleError, ValueError, KeyError, IndexError):
        hint = "such as sqlite:///search.db or postgresql://user@host/name"
        raise UsageError("--storage: not the URL of a database that Optuna knows", hint) from None


@contextlib.contextmanager
def opened(url: str | None, folder: Path) -> Iterator[RDBStorage]:
    """The storage of a search, for as long as it is used.

    Raises:
        CheckpointError: if the file in the folder is damaged.
        ResourceError: if the storage cannot be reached, or written.
    """
    place = Place("--storage" if url is not None else str(folder / STUDY))
    with _failures(place, own=url is None):
        with quiet():
            storage = _open(url, folder / STUDY)
        try:
            yield storage
        finally:
            storage.remove_session()
            storage.engine.dispose()


def _open(url: str | None, file: Path) -> RDBStorage:
    if url is None:  # by a function, since a URL could not hold every name of a folder
        return RDBStorage("sqlite://", engine_kwargs={"creator": lambda: sqlite3.connect(file)})
    try:
        return RDBStorage(url)
    except RuntimeError as error:  # the tables are those of another Optuna
        raise ResourceError(f"--storage: {str(error).splitlines()[0]}", "another --storage begins one anew") from None


@contextlib.contextmanager
def _failures(place: Place, *, own: bool) -> Iterator[None]:
    """Failures of the database in our words; only a file of ours can be damaged."""
    try:
        yield
    except (SQLAlchemyError, StorageInternalError) as error:
        cause = error.__cause__ if isinstance(error, StorageInternalError) else error
        reason = str(getattr(cause, "orig", None) or cause).split("\n")[0]
        if own and isinstance(cause, DatabaseError) and not isinstance(cause, OperationalError):
            raise CheckpointError(f"damaged: {reason}", "--overwrite begins the search anew", place) from None
        raise ResourceError(f"cannot be used: {reason}", "is it there, and may it be written?", place) from None
