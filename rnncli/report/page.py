"""The page: sections in order, in one file that needs nothing else."""

from __future__ import annotations

from importlib.resources import files

import numpy as np

from rnncli import __version__
from rnncli.data.origins import closing_origins
from rnncli.data.split import everything
from rnncli.data.windows import cut
from rnncli.report.about import about
from rnncli.report.forecasts import choose, forecasts
from rnncli.report.gates import gates
from rnncli.report.labels import labels
from rnncli.report.markup import bullets, number, paragraph, section, text
from rnncli.report.numbers import numbers
from rnncli.report.scores import by_series, curves, verdict_section
from rnncli.report.subject import Judged, Subject
from rnncli.report.tags import tags
from rnncli.report.weights import weights
from rnncli.tasks.task import shape_of
from rnncli.training.prepare import on_device

# nothing may be fetched and nothing run, whatever a name in the data says
_POLICY = "default-src 'none'; style-src 'unsafe-inline'; img-src data:; base-uri 'none'; form-action 'none'"
TITLES = {
    "verdict": "Verdict",
    "about": "What was trained on what",
    "curves": "Training",
    "answers": "Answers",
    "weights": "Weights",
    "gates": "Inside one sequence",
}
_ANSWERS = {
    "forecasting": "Forecasts",
    "classification": "Classes",
    "regression": "Predictions",
    "tagging": "Answers to every row",
}


def page(subject: Subject) -> str:
    """The whole document; the same for the same run and data, always."""
    sections = [
        ("verdict", TITLES["verdict"], verdict_section(subject)),
        ("about", TITLES["about"], about(subject)),
        ("curves", TITLES["curves"], curves(subject.history)),
        ("answers", _ANSWERS[subject.kind], _answers(subject)),
        ("weights", TITLES["weights"], weights(subject.stored)),
        ("gates", TITLES["gates"], _inside(subject)),
    ]
    return _document(subject, sections)


def _answers(subject: Subject) -> str:
    judged = subject.judged
    if judged is None:
        return paragraph("No part was held out, so there are no answers to show beside their truth.", "warning")
    if subject.kind == "forecasting":
        return forecasts(subject, judged)
    if subject.kind == "tagging":
        return tags(subject, judged)
    shown = labels(subject, judged) if subject.kind == "classification" else numbers(subject, judged)
    found = by_series(subject, judged) if subject.kind == "regression" else ""
    return shown + (f"<h3>By series</h3>{found}" if found else "")


def _inside(subject: Subject) -> str:
    """The newest window of the part that was judged; without one, that of all the data."""
    judged = subject.judged
    if judged is not None:
        return gates(subject, judged.windows, _newest(judged))
    data = subject.data
    shape = shape_of(subject.model.config, subject.model.task, data.panel)
    origins = closing_origins(everything(data.panel))[:1]
    values = on_device(data, next(subject.model.network.parameters()).device)
    return gates(subject, cut(data.panel, values, origins - shape.horizon, shape), 0)


def _newest(judged: Judged) -> int:
    if judged.errors.size and len(judged.origins) == len(judged.windows):
        return choose(judged)[0].window
    return int(np.argmax(judged.windows.lengths()))


def _document(subject: Subject, sections: list[tuple[str, str, str]]) -> str:
    model = subject.model.config.model
    what = f"{subject.kind}, {model.cell} of {model.hidden_size}, {number(subject.result.get('parameters'))} parameters"
    head = f'<p class="over">rnncli report</p><h1>{text(subject.run)}</h1>{paragraph(text(what), "sub")}'
    contents = bullets(f'<a href="#{identifier}">{heading}</a>' for identifier, heading, _ in sections)
    body = "\n".join(section(identifier, heading, content) for identifier, heading, content in sections)
    style = files("rnncli.report").joinpath("style.css").read_text(encoding="utf-8")
    return (
        '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        f'<meta http-equiv="Content-Security-Policy" content="{_POLICY}">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        '<meta name="color-scheme" content="light dark">\n'
        f"<title>rnncli report: {text(subject.run)}</title>\n<style>\n{style}</style>\n</head>\n<body>\n"
        f'<header>{head}</header>\n<nav aria-label="Contents">{contents}</nav>\n<main>\n{body}\n</main>\n'
        f"<footer>{paragraph(f'Written by rnncli {text(__version__)}.')}</footer>\n</body>\n</html>\n"
    )
