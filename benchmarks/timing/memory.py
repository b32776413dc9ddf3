"""Memory: the peak of training and predicting as data grows, and as windows do."""

from __future__ import annotations

from timing.measure import RNNCLI, Options, spend, table, train, verdict
from timing.series import COLUMNS, config, made

COMMAND = "python benchmarks/speed.py --only memory"
TASK = "task: {kind: forecasting, horizon: 24}"
SHORT = "training: {epochs: 1, steps_per_epoch: 5, threads: 1}"
CONTEXT_LIMIT = 1.1  # times the peak at the shortest context, for the data that it takes


def run(options: Options) -> str:
    """The section of this part."""
    counts = (20_000, 200_000) if options.quick else (20_000, 200_000, 1_000_000)
    rows, peaks = [], []
    for count in counts:
        data = options.work / f"memory-{count}.csv"
        made(count).to_csv(data, index=False)
        path = config(options, "memory", data, TASK, SHORT, "window: {context: 96}", past=True)
        trained = train(path, options.work / "memory").peak
        predicted = spend([*RNNCLI, "predict", options.work / "memory", "--format", "csv"]).peak
        rows.append([f"{count:,} x {len(COLUMNS)}", f"{data.stat().st_size / 2**20:.0f}", f"{trained:.0f}",
                     f"{predicted:.0f}"])  # fmt: skip
        peaks.append((data.stat().st_size / 2**20, trained, predicted))
        data.unlink()
    growth = [(peaks[-1][part] - peaks[0][part]) / (peaks[-1][0] - peaks[0][0]) for part in (1, 2)]
    head = ("rows x columns", "MB of CSV", "peak MB of `train`", "of `predict`")
    return (
        f"{table(head, rows)}\n\nMB of memory a further MB of CSV: {growth[0]:.2f} in training, {growth[1]:.2f} in "
        f"predicting.\n\n{_contexts(options)}\n"
    )


def _contexts(options: Options) -> str:
    """Windows are cut when they are needed: a longer context takes a larger batch, not copies of the data."""
    data = options.work / "memory-windows.csv"
    made(50_000, ("OT",)).to_csv(data, index=False)
    rows, first = [], 0.0
    for context in (96, 5000) if options.quick else (96, 720, 5000):
        path = config(options, "memory-windows", data, TASK, SHORT, f"window: {{context: {context}}}",
                      "split: {validation: 0, test: 0}")  # fmt: skip
        peak = train(path, options.work / "memory", "training.batch_size=1").peak
        first = first or peak
        copies = (50_000 - context) * context * 4 / 2**20
        rows.append([f"{context:,}", f"{peak:.0f}", f"{copies:,.0f}", verdict(peak <= CONTEXT_LIMIT * first)])
    head = ("context, 50,000 rows, batch 1", "peak MB of `train`", "MB that all windows would be", "within a tenth")
    return table(head, rows)
