"""What every option of a shipped config brings: each is changed alone, and the validation and test scores compared.

    python benchmarks/ablation.py --data DIR [--only NAME …] [--jobs 2] [--seeds 3] [--work DIR]

prints a table in Markdown. Data, protocols and scores are those of accuracy.py; a run that is already in the work
folder is not repeated, so an interrupted benchmark goes on where it was. Every run has one thread.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from accuracy import CELLS, Cell, Scores, run_cell

Scored = tuple[float | None, float]  # a validation score, if there is one, and a test score

RECIPE, SINGLE = "the recipe", "`seeds: 1`"
ALONE = "training.seeds=1"  # one network where the recipe has three: an option's worth in a third of the time
ANYWHERE = {
    "`average: ema`": ["training.average=ema"],
    "`input_dropout: 0.1`": ["model.input_dropout=0.1"],
    "`recurrent_dropout: 0.1`": ["model.recurrent_dropout=0.1"],
    "`schedule: constant`": ["training.schedule=constant"],
    "`schedule: cosine`": ["training.schedule=cosine"],
}
CHANGES: dict[str, dict[str, list[str]]] = {
    "etth1_96": ANYWHERE | {
        "`skip: none`": ["model.skip=none"],
        "`decoder: direct`": ["model.decoder=direct"],
        "`segment: 24`": ["model.segment=24"],
        "`normalise: mean_std`": ["window.normalise=mean_std"],
        "`normalise: none`": ["window.normalise=none", "window.level=null"],
        "`output_dropout: 0`": ["model.output_dropout=0"],
        "`cell: lstm`": ["model.cell=lstm"],
        "`cell: rnn`": ["model.cell=rnn"],
        "`seeds: 3`": ["training.seeds=3"],
    },
    "tourism_monthly": {name: [ALONE, *keys] for name, keys in ANYWHERE.items()} | {
        SINGLE: [ALONE],
        "`recurrent_dropout: 0`": [ALONE, "model.recurrent_dropout=0"],
        "`skip: none`": [ALONE, "model.skip=none"],
        "`skip: linear`": [ALONE, "model.skip=linear"],
        "`segment: null`": [ALONE, "model.segment=null"],
        "`normalise: last`": [ALONE, "window.normalise=last"],
        "`level: true`": [ALONE, "window.level=true"],
        "`output_dropout: 0`": [ALONE, "model.output_dropout=0"],
        "`cell: gru`": [ALONE, "model.cell=gru"],
        "`origins: every`, no segment, no skip": [ALONE, "window.origins=every", "model.segment=null",
                                                 "model.skip=none", "window.level=null", "window.normalise=last"],
        "`normalise: last`, no segment, no skip": [ALONE, "model.segment=null", "model.skip=none",
                                                  "window.normalise=last"],
    },
    "cmapss_fd001": ANYWHERE | {
        SINGLE: [ALONE],
        "`segment: null`": ["model.segment=null"],
        "`front_end: conv`, no segment": ["model.segment=null", "model.front_end=conv"],
        "`output_dropout: 0`": ["model.output_dropout=0"],
        "`input_noise: 0`": ["training.input_noise=0"],
        "`readout: attention`": ["model.readout=attention"],
        "`readout: mean_max`": ["model.readout=mean_max"],
        "`bidirectional: true`": ["model.bidirectional=true"],
        "`schedule: plateau`": ["training.schedule=plateau"],
        "`cell: gru`": ["model.cell=gru"],
    },
    "japanese_vowels": ANYWHERE | {
        SINGLE: [ALONE],
        "`front_end: none`": ["model.front_end=none"],
        "`readout: last`": ["model.readout=last"],
        "`readout: mean`": ["model.readout=mean"],
        "`readout: max`": ["model.readout=max"],
        "`readout: attention`": ["model.readout=attention"],
        "`bidirectional: false`": ["model.bidirectional=false"],
        "`output_dropout: 0`": ["model.output_dropout=0"],
        "`label_smoothing: null`": ["training.label_smoothing=null"],
        "`input_noise: 0`": ["training.input_noise=0"],
        "`cell: gru`": ["model.cell=gru"],
    },
    "jsb_chorales": {
        "`average: ema`": ["training.average=ema"],
        "`input_dropout: 0.1`": ["model.input_dropout=0.1"],
        "`output_dropout: 0.5`": ["model.output_dropout=0.5"],
        "`recurrent_dropout: 0.2`": ["model.recurrent_dropout=0.2"],
        "`schedule: constant`": ["training.schedule=constant"],
        "`cell: gru`": ["model.cell=gru"],
    },
}  # fmt: skip


def place(work: Path, cell: Cell, keys: list[str]) -> Path:
    """Where the runs of a change are."""
    return work / "-".join([cell.name, *(key.replace(".", "_") for key in keys)])


def once(cell: Cell, keys: list[str], seed: int, data: Path, folder: Path) -> Scored:
    """The scores of one run, read where it was made before."""
    file = folder / f"scored-{seed}.json"
    if not file.exists():
        scores, _, _ = run_cell(cell, data, folder, seed, [*keys, "training.threads=1"])
        metrics = json.loads((folder / f"{cell.name}-{seed}" / "metrics.json").read_text())
        file.write_text(json.dumps([scores, metrics.get("validation") or {}]))
    found: tuple[Scores, Scores] = json.loads(file.read_text())
    test, validation = found
    name = list(cell.must)[-1]  # of two errors the absolute one, which training lowers
    return validation.get(name), test[name]


def line(change: str, scored: list[Scored], recipe: list[Scored]) -> str:
    """A row of the table: both scores, and how the test score differs from that of what was changed, seed by seed."""
    validation = [first for first, _ in scored if first is not None]
    test = [second for _, second in scored]
    gaps = [own - other for own, (_, other) in zip(test, recipe, strict=False)]
    shown = f"{statistics.fmean(validation):.4f}" if validation else "–"
    spread = statistics.pstdev(test) if len(test) > 1 else 0.0
    gap = "" if change == RECIPE else f"{statistics.fmean(gaps):+.4f} ({min(gaps):+.4f} … {max(gaps):+.4f})"
    return f"| {change} | {shown} | {statistics.fmean(test):.4f} ± {spread:.4f} | {gap} |"


def main() -> None:
    """Run what is missing and print the tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--only", nargs="*", choices=list(CHANGES), default=list(CHANGES))
    parser.add_argument("--jobs", type=int, default=1, help="runs at a time")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--work", type=Path, default=Path("runs/ablation"))
    arguments = parser.parse_args()
    os.environ |= {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
    cells = {cell.name: cell for cell in CELLS if cell.name in arguments.only}
    jobs = [
        (cell, change, keys, seed)
        for cell in cells.values()
        for seed in range(arguments.seeds)
        for change, keys in {RECIPE: [], **CHANGES[cell.name]}.items()
    ]
    with ThreadPoolExecutor(arguments.jobs) as pool:
        futures = {
            (cell.name, change, seed): pool.submit(
                once, cell, keys, seed, arguments.data, place(arguments.work, cell, keys)
            )
            for cell, change, keys, seed in jobs
        }
    for name in cells:
        print(f"\n### {name}: {list(cells[name].must)[-1]}\n")
        print("| change | validation | test | change less recipe, mean (least … most) |\n|---|---|---|---|")
        rows = {
            change: [futures[name, change, seed].result() for seed in range(arguments.seeds)]
            for change in (RECIPE, *CHANGES[name])
        }
        for change, scored in rows.items():
            alone = change not in (RECIPE, SINGLE) and ALONE in CHANGES[name][change]
            print(line(change, scored, rows[SINGLE if alone else RECIPE]))


if __name__ == "__main__":
    main()
