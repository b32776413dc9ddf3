"""The page of ``rnncli report``: whole, true, harmless, and the same every time."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path

import numpy as np
import pytest
from command_line import process
from page_reader import read_page
from report_runs import HOSTILE, RUNS, make_run

from rnncli.report.markup import number

SECTIONS = ["Verdict", "What was trained on what", "Training", "Weights", "Inside one sequence"]
SHOWN = {  # what the page of each run must have, beside the sections of every page
    "forecasting": ["split-conformal", "The newest", "the worst", "By step of the horizon", "All 2 series", "spectral"],
    "one series": ["came at epoch 1 of 1", "1 layer of 4 units"],
    "quantiles": ["quantiles that the model was trained to give", "95%", "reset gate"],
    "two targets": ["It forecasts", "b&"],
    "classification": ["Confusion on the test part", "precision", "Reliability", "backward"],
    "regression": ["Residuals: mean", "The first of 2 networks", "through the first network", "weights from the carry"],
    "tagging words": ["Confusion on the test part", "rows of the series"],
    "tagging odds": ["Each 0/1 column", "Reliability", "70 × 70, means of blocks"],
    "tagging numbers": ["Residuals: mean", "truth and model"],
}


def metrics(folder: Path) -> dict:
    """What the run scored."""
    return json.loads((folder / "run" / "metrics.json").read_text())


@pytest.mark.parametrize("name", RUNS)
def test_a_run_of_every_task_has_a_whole_page(run_of, page_of, name):
    page = page_of(run_of(name))
    assert set(SECTIONS) <= set(page.headings)
    for words in SHOWN[name]:
        assert words in page.text, words
    assert page.count("svg") >= 8
    assert len(page.rows) > 8


@pytest.mark.parametrize("name", RUNS)
def test_the_scores_are_those_of_metrics_json(run_of, page_of, name):
    found, page = metrics(run_of(name)), page_of(run_of(name))
    rows = {row[0]: [cell.removesuffix(" ★") for cell in row[1:]] for row in reversed(page.rows)}
    for label, scores in {
        "model, test": found["test"],
        "model, validation": found["validation"],
        **found["baselines"],
    }.items():
        assert rows[label] == [number(scores[metric]) for metric in found["test"]]
    assert f"{found['parameters']:,} parameters" in page.text
    best = [row for row in page.rows if any("★" in cell for cell in row)]
    assert best, "the best of each metric is marked"


def test_the_best_of_each_metric_has_the_star(run_of, page_of):
    found = metrics(run_of("forecasting"))
    rows = [
        row for row in page_of(run_of("forecasting")).rows if row[0] == "model, test" or row[0] in found["baselines"]
    ]
    everyone = {"model, test": found["test"], **found["baselines"]}
    for position, metric in enumerate(found["test"], 1):
        starred = [row[0] for row in rows if row[position].endswith("★")]
        assert starred == [min(everyone, key=lambda label: everyone[label][metric])]


@pytest.mark.parametrize("name", ["forecasting", "two targets", "classification"])
def test_names_that_are_markup_are_inert(run_of, invoke, name):
    result = invoke("report", "run", cwd=run_of(name))
    assert "<script" not in result.out.lower()
    assert HOSTILE.replace("<", "&lt;").replace(">", "&gt;") in result.out
    assert HOSTILE in read_page(result.out).text
    assert not re.search("[\u202a-\u202e\u2066-\u2069\x00-\x08\x0b-\x1f\x7f-\x9f]", result.out)


def test_hidden_characters_are_written_out(trained, invoke):
    result = invoke("report", "run", cwd=trained)
    page = read_page(result.out)
    assert "\\u202e" in page.text
    assert "\\x1b[31m" in page.text
    assert "\x1b" not in result.out


def test_a_folder_whose_name_is_markup_is_inert(run_of, tmp_path, invoke):
    shutil.copytree(run_of("forecasting"), tmp_path, dirs_exist_ok=True)
    (tmp_path / "run").rename(tmp_path / '"><img src=x onerror=alert(1)>')
    result = invoke("report", '"><img src=x onerror=alert(1)>')
    assert result.code == 0
    assert "img" not in {tag for tag, _ in read_page(result.out).elements}


@pytest.mark.parametrize("name", ["forecasting", "classification"])
def test_the_same_run_gives_the_same_bytes(run_of, tmp_path, name):
    folder = run_of(name)
    pages = [process(["report", "run"], folder, env={"PYTHONHASHSEED": seed}).stdout for seed in ("1", "2")]
    assert pages[0] == pages[1]
    assert 20_000 < len(pages[0]) < 1_000_000


def test_a_page_goes_to_a_file_once(ready_run, invoke):
    done = invoke("report", "run", "--out", "page.html")
    assert (done.code, done.err) == (0, "")
    written = (ready_run / "page.html").read_bytes()
    assert json.loads(done.out) == {"run": "run", "report": "page.html", "bytes": len(written)}
    assert invoke("report", "run").out.encode() == written
    assert invoke("report", "run", "--out", "-").out.encode() == written
    again = invoke("report", "run", "--out", "page.html")
    assert (again.code, again.out) == (5, "")
    assert "--overwrite" in again.err
    assert invoke("report", "run", "--out", "page.html", "--overwrite").code == 0


@pytest.fixture
def ready_run(run_of, tmp_path):
    """A copy of a run that may be changed, in the working folder."""
    shutil.copytree(run_of("forecasting"), tmp_path, dirs_exist_ok=True)
    return tmp_path


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (["nowhere"], 4),
        (["run", "--out", "no/such/folder/page.html"], 5),
        (["run", "--out", "run", "--overwrite"], 5),
        (["run", "--overwrite"], 2),
        (["run", "--device", "tpu"], 2),
        (["run", "--data", "gone.csv"], 2),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else str(value),
)
def test_what_cannot_be_is_refused_and_writes_nothing(ready_run, invoke, arguments, code):
    before = sorted(ready_run.rglob("*"))
    result = invoke("report", *arguments)
    assert (result.code, result.out) == (code, "")
    assert sorted(ready_run.rglob("*")) == before


def test_other_data_is_scored_and_said_to_be_other(ready_run, page_of, invoke):
    text = (ready_run / "d.csv").read_text().replace("2021-", "2023-")
    (ready_run / "new.csv").write_text(text)
    page = page_of(ready_run, "--data", "new.csv")
    assert "other data than the run was trained on" in page.text
    assert "windows were forecast on this data" in page.text
    scored = json.loads(invoke("evaluate", "run", "--data", "new.csv").out)
    rows = {row[0]: [cell.removesuffix(" ★") for cell in row[1:]] for row in reversed(page.rows)}
    assert rows["model, test"] == [number(value) for value in scored["test"].values()]


def test_data_that_has_changed_is_warned_of(ready_run, invoke):
    (ready_run / "d.csv").write_text((ready_run / "d.csv").read_text().replace("5.", "6.", 1))
    result = invoke("report", "run")
    assert result.code == 0
    assert "has changed since training" in result.err
    assert "not what the run was trained on" in read_page(result.out).text


def test_a_model_without_its_folder_has_a_page(ready_run, invoke):
    shutil.copy(ready_run / "run" / "model.safetensors", ready_run / "alone.bin")
    whole, alone = (read_page(invoke("report", name).out) for name in ("run", "alone.bin"))
    assert "There is no history.csv" in alone.text
    scores = [[row for row in page.rows if row[0] in ("model, test", "model, validation")] for page in (whole, alone)]
    assert scores[0] == scores[1]


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        (["split.test=0"], ["no test part (split.test: 0)", "the scores are those of validation"]),
        (["split.validation=0"], ["no validation part (split.validation: 0)", "no epoch is known to be best",
                                  "There are no intervals"]),
        (["split.validation=0", "split.test=0"], ["No part was held out", "nothing to judge"]),
        (["evaluation.baselines=[]"], ["No baselines were asked for"]),
    ],
    ids=["no test", "no validation", "neither", "no baselines"],
)  # fmt: skip
def test_what_is_missing_is_said(tmp_path, page_of, changes, words):
    page = page_of(make_run(tmp_path, "forecasting", *changes))
    for each in words:
        assert each in page.text
    assert set(SECTIONS) <= set(page.headings)


def test_a_history_with_holes_is_drawn_as_far_as_it_goes(ready_run, page_of):
    path = ready_run / "run" / "history.csv"
    path.write_text("epoch,train_loss,validation_loss\n1,0.5\n2,,0.4,7\nx,x,inf\n\n4,0.2,0.3\n")
    page = page_of(ready_run)
    assert "The smallest validation loss, 0.3, came at epoch 4 of 4." in page.text


@pytest.mark.parametrize(
    "spoil",
    [
        lambda found: {**found, "test": {"mae": "<b>"}},
        lambda found: {**found, "task": "tagging"},
        lambda found: {**found, "baselines": {"naive": {}}},
        lambda found: {**found, "skill": None},
        lambda found: {**found, "baselines": {}},
        lambda found: {**found, "skill": {"gone": 0.5}},
        lambda found: {**found, "intervals": {"interval_80_coverage": 0.5}},
        lambda found: {**found, "parameters": "many"},
        lambda found: {**found, "answers": 7},
    ],
)
def test_metrics_that_are_not_the_runs_are_refused(ready_run, invoke, spoil):
    path = ready_run / "run" / "metrics.json"
    path.write_text(json.dumps(spoil(metrics(ready_run))))
    result = invoke("report", "run")
    assert (result.code, result.out) == (4, "")
    assert "metrics.json" in result.err


def test_a_manifest_is_text_whatever_it_says(ready_run, page_of):
    path = ready_run / "run" / "manifest.json"
    found = json.loads(path.read_text())
    path.write_text(
        json.dumps({**found, "platform": HOSTILE, "versions": {HOSTILE: [1]}, "epochs": HOSTILE, "seconds": None})
    )
    assert HOSTILE in page_of(ready_run).text


def test_the_styles_colours_can_be_read():
    style = (Path(__file__).parents[2] / "rnncli" / "report" / "style.css").read_text()
    light, dark = style.split("prefers-color-scheme: dark")
    for part in (light, dark.split("* {")[0]):
        colours = dict(re.findall(r"--(\w+): (#[0-9a-f]{3,6});", part))
        for text in ("ink", "soft", "link", "good", "bad"):
            for ground in ("paper", "card"):
                assert _contrast(colours[text], colours[ground]) >= 4.5, (text, ground)
        for line in ("model", "baseline", "third"):  # as graphics need (WCAG 2.2, 1.4.11)
            assert _contrast(colours[line], colours["card"]) >= 3


def _contrast(one: str, other: str) -> float:
    """WCAG 2.2: (L1 + 0.05) / (L2 + 0.05)."""
    high, low = sorted((_luminance(one), _luminance(other)), reverse=True)
    return (high + 0.05) / (low + 0.05)


def _luminance(colour: str) -> float:
    whole = colour if len(colour) == 7 else "#" + "".join(2 * letter for letter in colour[1:])
    parts = np.array([int(whole[at : at + 2], 16) / 255 for at in (1, 3, 5)])
    linear = np.where(parts <= 0.04045, parts / 12.92, ((parts + 0.055) / 1.055) ** 2.4)
    return float(linear @ [0.2126, 0.7152, 0.0722])
