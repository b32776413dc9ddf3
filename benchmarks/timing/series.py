"""The series that the parts train on: made to a shape, so that the benchmark needs no download."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd

from timing.measure import Options

ETT_ROWS = 17_420
COLUMNS = ("HUFL", "HULL", "MUFL", "MULL", "LUFL", "LULL", "OT")  # the names of ETTh1's; OT is the target


def ett(options: Options, rows: int = ETT_ROWS) -> Path:
    """ETTh1 from the folder of data, or hourly columns of its shape: days, weeks, a drift and noise."""
    if options.data is not None and (options.data / "ETTh1.csv").exists():
        given = pd.read_csv(options.data / "ETTh1.csv", nrows=rows)
        path = options.work / f"ETTh1-{len(given)}.csv"
        given.to_csv(path, index=False)
        return path
    path = options.work / f"made-{rows}.csv"
    if not path.exists():
        made(rows).to_csv(path, index=False)
    return path


def made(rows: int, columns: tuple[str, ...] = COLUMNS) -> pd.DataFrame:
    """Hourly rows of all columns, the same on every call."""
    random, hours = np.random.default_rng(0), np.arange(rows)
    table = {"date": pd.date_range("2016-07-01", periods=rows, freq="h").strftime("%Y-%m-%d %H:%M:%S")}
    for number, name in enumerate(columns):
        days = (1 + 0.3 * number) * np.sin(2 * np.pi * hours / 24 + number)
        weeks = 0.5 * np.sin(2 * np.pi * hours / 168 + 2 * number)
        drift, noise = 0.02 * random.normal(size=rows).cumsum(), 0.3 * random.normal(size=rows)
        table[name] = (days + weeks + drift + noise).round(4)
    return pd.DataFrame(table)


def panel(options: Options, series: int, rows: int) -> Path:
    """A column of `rows` values in all, cut into so many series."""
    path = options.work / f"panel-{series}-{rows}.csv"
    if not path.exists():
        each = rows // series
        one = made(rows, ("OT",)).iloc[: series * each]
        one["date"] = np.tile(one["date"].to_numpy()[:each], series)
        one.insert(0, "series", np.repeat([f"s{number}" for number in range(series)], each))
        one.to_csv(path, index=False)
    return path


def config(options: Options, name: str, data: Path, *lines: str, series: str = "", past: bool = False) -> Path:
    """A config of a forecast of OT by its own past, or by that of all columns."""
    path = options.work / f"{name}.yaml"
    inputs = f", past: [{', '.join(COLUMNS[:-1])}]" if past else ""
    ids = f", series: {series}" if series else ""
    text = f"data: {{path: {data}, time: date, target: OT{ids}{inputs}}}\n"
    path.write_text("\n".join([text + "evaluation: {baselines: []}", *lines, ""]))
    return path
