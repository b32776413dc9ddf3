"""What is loaded is not searched for garbage, and what comes after is."""

import gc
from collections.abc import Iterator

import pytest

from rnncli.cli.loading import loading


@pytest.fixture(autouse=True)
def thawed() -> Iterator[None]:
    yield
    gc.unfreeze()


def test_nobody_collects_while_libraries_are_loaded() -> None:
    with loading():
        assert not gc.isenabled()
    assert gc.isenabled()


def test_what_was_loaded_is_not_looked_through_again() -> None:
    kept: list[list[int]] = []
    with loading():
        kept.append([1])
    assert not any(one is kept[0] for one in gc.get_objects())
    kept.append([2])
    assert any(one is kept[1] for one in gc.get_objects())


def test_a_library_that_cannot_be_loaded_leaves_the_collector_on() -> None:
    with pytest.raises(ImportError), loading():
        raise ImportError
    assert gc.isenabled()
