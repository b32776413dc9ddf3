"""The settings of the data section."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from rnncli.config.section import Count, Name, Section

Names = Annotated[list[Name], Field(min_length=1)]
Delimiter = Annotated[str, Field(pattern=r"^([\t !#$%&'()*,/:;<=>?@\[\]^`{|}~\\]|\\t|tab)$")]
CalendarName = Literal["minute", "hour", "weekday", "monthday", "yearday", "month", "quarter"]


class Data(Section):
    """Which columns of which files hold the series."""

    path: Name | Names = Field(
        description="A CSV or TSV file (.gz too), a .parquet file, a glob, a list of them, or - for stdin."
    )
    layout: Literal["long", "wide"] = Field(
        "long", description="wide: every target column is a series of its own, and all share the weights."
    )
    time: Name | None = Field(
        None, description="Time column; without it rows are taken in file order and steps are counted from 0."
    )
    clock: Name | None = Field(
        None,
        description="Column with the time of day, where it stands apart from the date in time: both are read as one "
        "time, the clock after the date and a space.",
    )
    time_format: Name | None = Field(
        None, description="strptime format of the time column, such as %d/%m/%Y or %YQ%q; recognised if left out."
    )
    series: Name | Names | None = Field(None, description="Id column or columns; windows never cross series.")
    target: Name | Names = Field(description="Column or columns to predict; x* takes all that match.")
    past: Name | Names | None = Field(
        None,
        description="Further input columns known up to the present; x* takes all that match. Left out: none for "
        "forecasting, every other numeric column for the other tasks.",
    )
    future: Name | Names | None = Field(
        None,
        description="Input columns known ahead, over the horizon too, such as prices or holidays. To predict, rows "
        "with these columns and an empty target follow the last known target.",
    )
    static: Name | Names | None = Field(
        None, description="Input columns that hold one value for a whole series, such as its region."
    )
    categorical: Name | Names | None = Field(
        None,
        description="Which of the past, future and static columns hold categories: each gets a learned vector. One "
        "that was not seen in training counts as unknown.",
    )
    calendar: CalendarName | Annotated[list[CalendarName], Field(min_length=1)] | None = Field(
        None, description="Parts of the date to add to the inputs, each as a sine and a cosine; known ahead."
    )
    weight: Name | None = Field(
        None, description="Column with the weight of a row in the loss and in the statistics of scale, 0 or more."
    )
    frequency: Name | None = Field(
        None, description="Step of the time column, such as 15min, D or MS; left out, it is found in the data."
    )
    irregular: Literal["error", "resample", "delta"] | None = Field(
        None,
        description="Uneven time steps: refuse them, bring them to the frequency (means of what falls into a step, "
        "empty where nothing does), or feed the elapsed time as a further input. Default: error for forecasting; "
        "other tasks take the rows as they come.",
    )
    short_series: Literal["error", "skip"] = Field(
        "error", description="Series with too few rows for a single training target: refuse them, or leave them out."
    )
    encoding: Name = Field(
        "utf-8", description="Of the files: any text codec of Python, such as latin-1, cp1252 or utf-16."
    )
    delimiter: Delimiter | None = Field(
        None, description="Character between cells, or tab. Default: tab for .tsv, else a comma."
    )
    decimal: Literal[".", ","] = Field(".", description="Sign before the fraction of a number.")
    thousands: Literal[",", ".", " ", "'", "_"] | None = Field(
        None, description="Sign between thousands; left out, there is none."
    )
    time_unit: Literal["s", "ms", "us", "ns", "min", "h", "D"] | None = Field(
        None, description="The time column holds numbers that count these since 1970 (UTC)."
    )
    time_zone: Name | None = Field(
        None,
        description="Zone of local times, such as Europe/Berlin or UTC: hours are equal steps across summer time, "
        "times with different offsets are brought together, and answers are in this zone.",
    )
    season: Count | None = Field(
        None,
        description="Rows in one season, for seasonal naive and MASE; left out, from the frequency of time.",
    )
    missing: Literal["error", "mask", "ffill"] = Field(
        "error",
        description="Empty cells: refuse them, add an observed flag to the inputs (mask), or repeat the last "
        "value (ffill). A missing target is never scored and never trained on.",
    )
