"""Which kernels the tests of the model run on."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from native_kernels import kernels_or_skip

from rnncli.model.backbone import Backbone
from rnncli.model.native.kernels import Library


@pytest.fixture(scope="session")
def library() -> Library:
    """The native kernels; where there is a C compiler, there is no excuse for none."""
    return kernels_or_skip()


@pytest.fixture(scope="module", params=["native", "torch"])
def engine(request: pytest.FixtureRequest) -> Iterator[str]:
    """Every Backbone computes with the native kernels, and then with torch's."""
    if request.param == "native":
        request.getfixturevalue("library")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Backbone, "engine", request.param)
        yield request.param
