"""Accuracy on public data sets, with the shipped configs, beside published numbers.

    python benchmarks/accuracy.py --data DIR [--only NAME …] [--seeds 3] [--work DIR] [key=value …]

prints a table in Markdown. Every line is trained and answered by the command line, as a user would do it. A config
serves its kind as it is shipped, and only data keys are set: files, columns, horizon, season, what is held out. Scores
follow the protocols of the published numbers, and the mean over the seeds is given. Further key=value arguments go to
every run: that is how an option's worth is measured.
"""

from __future__ import annotations

import argparse
import json
import platform
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import torch

Scores = dict[str, float]


@dataclass(frozen=True)
class Cell:
    """A line of the table.

    Attributes:
        name: for --only.
        config: the shipped config of its kind.
        keys: the data keys, from the folder of the data and one to write into.
        score: from the run's folder and the folder of the data.
        reference: what a simple method scores, or the published numbers, in words.
        must: upper limits (lower ones for accuracy), and
        aim: what is hoped for.
    """

    name: str
    config: str
    keys: Callable[[Path, Path], list[str]]
    score: Callable[[Path, Path], Scores]
    naive: str
    must: dict[str, float]
    aim: str


def rnncli(*arguments: str | Path) -> str:
    """Standard output of a command."""
    command = [sys.executable, "-m", "rnncli", *map(str, arguments)]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=False)
    if done.returncode:
        raise SystemExit(f"{' '.join(command)}: exit {done.returncode}")
    return done.stdout


def predict(run: Path, file: Path, *options: str) -> pd.DataFrame:
    """What the trained model answers to a file, as a table."""
    answers = run / "answers.csv"
    answers.write_text(rnncli("predict", run, "--data", file, "--format", "csv", *options))
    return pd.read_csv(answers)


def test_metrics(*names: str) -> Callable[[Path, Path], Scores]:
    """Scores that the run itself has computed on its test part."""

    def score(run: Path, _: Path) -> Scores:
        found = json.loads((run / "metrics.json").read_text())["test"]
        return {name: found[name] for name in names}

    return score


def head(file: str, rows: int, horizon: int, part: int) -> Callable[[Path, Path], list[str]]:
    """The first rows of a wide file; validation and test are the last `part` rows each."""

    def keys(data: Path, work: Path) -> list[str]:
        table = pd.read_csv(data / file, nrows=rows)
        table.to_csv(work / file, index=False)
        return [
            f"data.path={work / file}",
            "data.time=date",
            f"data.target={json.dumps(list(table.columns[1:]))}",
            f"task.horizon={horizon}",
            f"split.validation={part}",
            f"split.test={part}",
        ]

    return keys


def exchange(data: Path, work: Path) -> list[str]:
    """Eight currencies, 70 / 10 / 20 % of the rows."""
    columns = list(pd.read_csv(data / "exchange_rate.csv", nrows=1).columns[1:])
    return [
        f"data.path={data / 'exchange_rate.csv'}",
        "data.time=date",
        f"data.target={json.dumps(columns)}",
        "task.horizon=96",
        "split.validation=0.1",
        "split.test=0.2",
    ]


def panel(name: str, horizon: int, season: int) -> Callable[[Path, Path], list[str]]:
    """Many series; all rows of the training file are trained on: the test file is what is held out."""

    def keys(data: Path, work: Path) -> list[str]:
        return [
            f"data.path={data / name}_train.csv",
            "data.time=t",
            "data.series=series",
            "data.target=value",
            f"data.season={season}",
            f"task.horizon={horizon}",
            "split.validation=0",
            "split.test=0",
        ]

    return keys


def panel_score(name: str, season: int) -> Callable[[Path, Path], Scores]:
    """sMAPE and MASE from the end of the training file, the mean over the series."""

    def score(run: Path, data: Path) -> Scores:
        train, test = (pd.read_csv(data / f"{name}_{part}.csv") for part in ("train", "test"))
        answers = predict(run, data / f"{name}_train.csv")
        both = test.merge(answers, on=["series", "t"], how="left", validate="one_to_one")
        error = (both["value"] - both["value_pred"]).abs()
        both["smape"] = 200 * error / (both["value"].abs() + both["value_pred"].abs())
        scale = train.groupby("series")["value"].apply(lambda own: own.diff(season).abs().mean())
        both["mase"] = error / both["series"].map(scale)
        found = both.groupby("series")[["smape", "mase"]].mean().mean()
        return {"smape": float(found["smape"]), "mase": float(found["mase"])}

    return score


def m4_score(run: Path, data: Path) -> Scores:
    """The overall weighted average of the M4 competition, from Naive 2's scores on the hourly series."""
    found = panel_score("m4_hourly", 24)(run, data)
    return {"owa": (found["smape"] / 18.383 + found["mase"] / 2.395) / 2, **found}


SENSORS = [f"sensor_{number}" for number in (2, 3, 4, 7, 8, 9, 11, 12, 13, 14, 15, 17, 20, 21)]


def engines(data: Path, work: Path) -> list[str]:
    """Run-to-failure records of engines; remaining life counts from 125 downwards."""
    return [
        f"data.path={data / 'cmapss_fd001_train.csv'}",
        "data.time=cycle",
        "data.series=engine",
        "data.target=rul_125",
        f"data.past={json.dumps(SENSORS)}",
        "window.context=30",
        "split.test=0",
    ]


def engines_score(run: Path, data: Path) -> Scores:
    """Error at the last cycle of every test engine, against the life that was really left."""
    truth = pd.read_csv(data / "cmapss_fd001_test.csv").groupby("engine")["rul"].last()
    answers = predict(run, data / "cmapss_fd001_test.csv").set_index("engine")["rul_125_pred"]
    return {"rmse": float(np.sqrt(((truth - answers) ** 2).mean()))}


def sequences(name: str) -> Callable[[Path, Path], list[str]]:
    """Labelled sequences with a training file of their own."""

    def keys(data: Path, work: Path) -> list[str]:
        return [
            f"data.path={data / name}_train.csv",
            "data.time=t",
            "data.series=sequence",
            "data.target=label",
            "data.past=x*",
            "split.test=0",
        ]

    return keys


def sequences_score(name: str) -> Callable[[Path, Path], Scores]:
    """Share of the test file's sequences that are named rightly."""

    def score(run: Path, data: Path) -> Scores:
        file = data / f"{name}_test.csv"
        truth = pd.read_csv(file).groupby("sequence")["label"].last().astype(str)
        answers = predict(run, file).set_index("sequence")["prediction"].astype(str)
        return {"accuracy": float((truth == answers.reindex(truth.index)).mean())}

    return score


def chorales(data: Path, work: Path) -> list[str]:
    """Four-part chorales; which of 88 notes sound in the next frame."""
    for part in ("train", "valid"):
        table = pd.read_csv(data / f"jsb_{part}.csv.gz")
        table["seq"] = f"{part} " + table["seq"].astype(str)  # both count from 0
        table.to_csv(work / f"jsb_{part}.csv", index=False)
    count = table["seq"].nunique()
    return [
        f'data.path=["{work}/jsb_train.csv", "{work}/jsb_valid.csv"]',
        "data.time=t",
        "data.series=seq",
        "data.past=x*",
        "data.target=y*",
        "split.by=series",
        f"split.validation={count}",
        "split.test=0",
    ]


def chorales_score(run: Path, data: Path) -> Scores:
    """Negative log likelihood of a frame of the test file."""
    found = json.loads(rnncli("evaluate", run, "--data", data / "jsb_test.csv.gz", "--format", "json"))
    return {"nll": found["test"]["nll"]}


WIDE, PANEL = "configs/long_horizon.yaml", "configs/panel.yaml"
CELLS = [
    Cell("etth1_96", WIDE, head("ETTh1.csv", 14400, 96, 2880), test_metrics("scaled_mse", "scaled_mae"),
         "1.294 / .713", {"scaled_mse": 0.375, "scaled_mae": 0.399}, ".351 / .392 (SegRNN)"),
    Cell("etth1_720", WIDE, head("ETTh1.csv", 14400, 720, 2880), test_metrics("scaled_mse", "scaled_mae"),
         "1.335 / .755", {"scaled_mse": 0.440, "scaled_mae": 0.453}, ".421 / .443"),
    Cell("ettm1_96", WIDE, head("ETTm1.csv", 57600, 96, 11520), test_metrics("scaled_mse", "scaled_mae"),
         "1.214 / .665", {"scaled_mse": 0.302, "scaled_mae": 0.346}, ".290 / .342 (PatchTST)"),
    Cell("exchange_96", WIDE, exchange, test_metrics("scaled_mse", "scaled_mae"),
         ".081 / .196", {"scaled_mse": 0.085, "scaled_mae": 0.205}, "naive"),
    Cell("m4_hourly", PANEL, panel("m4_hourly", 48, 24), m4_score,
         ".627 (seasonal)", {"owa": 0.52}, ".440 (ES-RNN, winner of M4)"),
    Cell("tourism_monthly", PANEL, panel("tourism_monthly", 24, 12), panel_score("tourism_monthly", 12),
         "1.631 (seasonal)", {"mase": 1.48}, "1.409 (DeepAR)"),
    Cell("cmapss_fd001", "configs/regression.yaml", engines, engines_score,
         "43.1 (mean)", {"rmse": 14.9}, "16.14 (LSTM), 13.65 (BiLSTM)"),
    Cell("japanese_vowels", "configs/classification.yaml", sequences("japanese_vowels"),
         sequences_score("japanese_vowels"), ".24 (majority)", {"accuracy": 0.98}, ".993 (FCN)"),
    Cell("basic_motions", "configs/classification.yaml", sequences("basic_motions"), sequences_score("basic_motions"),
         ".25 (majority)", {"accuracy": 0.975}, "1.00"),
    Cell("jsb_chorales", "configs/tagging.yaml", chorales, chorales_score,
         "11.09 (mean)", {"nll": 8.45}, "8.43 (GRU), 8.10 (TCN)"),
]  # fmt: skip


def run_cell(cell: Cell, data: Path, work: Path, seed: int, extra: list[str]) -> tuple[Scores, float, int]:
    """Train and score once: scores, seconds of the training command, parameters."""
    folder = work / f"{cell.name}-{seed}"
    inputs = work / "inputs"
    inputs.mkdir(parents=True, exist_ok=True)
    keys = [*cell.keys(data, inputs), f"seed={seed}", *extra]
    begun = time.perf_counter()
    rnncli("train", cell.config, *keys, "--out", folder, "--overwrite", "--quiet", "--format", "json")
    seconds = time.perf_counter() - begun
    parameters = json.loads((folder / "metrics.json").read_text())["parameters"]
    return cell.score(folder, data), seconds, parameters


def line(cell: Cell, results: list[tuple[Scores, float, int]]) -> str:
    """A row of the table: means over the seeds, with the spread of the first score."""
    shown, reached = [], []
    for name, limit in cell.must.items():
        values = [scores[name] for scores, _, _ in results]
        mean = statistics.fmean(values)
        spread = f" ± {statistics.pstdev(values):.3f}" if len(values) > 1 else ""
        shown.append(f"{name} {mean:.3f}{spread}")
        reached.append(mean >= limit if name == "accuracy" else mean <= limit)
    limits = " / ".join(f"{limit:g}" for limit in cell.must.values())
    seconds = statistics.fmean(seconds for _, seconds, _ in results)
    parts = [cell.name, Path(cell.config).stem, " / ".join(shown), cell.naive, limits, cell.aim]
    parts += ["yes" if all(reached) else "no", f"{seconds:.0f}", f"{results[0][2]:,}"]
    return f"| {' | '.join(parts)} |"


COLUMNS = ("data", "config", "mean of the seeds", "naive", "must reach", "published", "reached", "seconds", "weights")
HEADER = f"| {' | '.join(COLUMNS)} |\n|{'---|' * len(COLUMNS)}"


def main() -> None:
    """Run the cells and print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--only", nargs="*", choices=[cell.name for cell in CELLS], default=None)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--work", type=Path, default=Path("runs/accuracy"))
    parser.add_argument("keys", nargs="*", help="key=value, for every run")
    arguments = parser.parse_args()
    print(f"# Accuracy\n\n`python benchmarks/accuracy.py --data DIR --seeds {arguments.seeds}`", end="")
    print(f" on {platform.machine()}, Python {platform.python_version()}, torch {torch.__version__}\n\n{HEADER}")
    for cell in CELLS:
        if arguments.only is None or cell.name in arguments.only:
            seeds = range(arguments.seeds)
            found = [run_cell(cell, arguments.data, arguments.work, seed, arguments.keys) for seed in seeds]
            print(line(cell, found), flush=True)


if __name__ == "__main__":
    main()
