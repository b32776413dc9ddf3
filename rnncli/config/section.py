"""What a section of the config is, and the types that its keys share."""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

Count = Annotated[int, Field(ge=1, le=10**9)]
Name = Annotated[str, Field(min_length=1)]


class Section(BaseModel):
    """A part of the config: immutable, typed without coercion, closed to unknown keys."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, allow_inf_nan=False)
