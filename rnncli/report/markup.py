"""HTML from values: whatever comes from a file or from data is escaped here."""

from __future__ import annotations

import html
import math
from collections.abc import Iterable, Sequence
from typing import Any

from rnncli.console import visible

LONGEST = 120  # characters shown of a name


def text(value: object) -> str:
    """A value as text that no browser takes for markup, and that shows what is hidden in it."""
    return html.escape(visible(str(value)), quote=True)


def name(value: object) -> str:
    """A name from the data, without its middle if it is very long; in an element of its own, whatever its direction."""
    whole = str(value)
    shown = whole if len(whole) <= LONGEST else f"{whole[: LONGEST // 2]}…{whole[-LONGEST // 2 :]}"
    return f"<bdi>{text(shown)}</bdi>"


def plain_name(value: object, most: int = 40) -> str:
    """A name inside of SVG, where there is less room."""
    whole = str(value)
    return text(whole if len(whole) <= most else f"{whole[: most - 1]}…")


def number(value: Any, digits: int = 4) -> str:
    """A number with so many significant digits; a dash for what is not known."""
    if value is None or (isinstance(value, float) and not math.isfinite(value)):
        return "–"
    if isinstance(value, int):
        return f"{value:,}"
    size = abs(value)
    if 1000 <= size < 1e9:
        return f"{value:,.0f}".replace("-", "−")
    return f"{value:.{digits}g}".replace("-", "−")


def paragraph(content: str, kind: str = "") -> str:
    """A paragraph of markup."""
    return f"<p{_class(kind)}>{content}</p>"


def bullets(items: Iterable[str]) -> str:
    """A list of markup."""
    return f"<ul>{''.join(f'<li>{item}</li>' for item in items)}</ul>"


def facts(pairs: Iterable[tuple[str, str]]) -> str:
    """Terms, and markup of what is said of each."""
    rows = "".join(f"<div><dt>{text(term)}</dt><dd>{said}</dd></div>" for term, said in pairs)
    return f'<dl class="facts">{rows}</dl>'


def table(caption: str, columns: Sequence[str], rows: Iterable[Sequence[str]], kind: str = "") -> str:
    """A table of markup, whose first column names the rows; it scrolls by itself where it is too wide."""
    head = "".join(f'<th scope="col">{column}</th>' for column in columns)
    body = "".join(_row(row) for row in rows)
    return (
        f'<div class="scroll" tabindex="0" role="region" aria-label="{_label(caption)}"><table{_class(kind)}>'
        f"<caption><span>{caption}</span></caption><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table></div>"
    )


def _row(cells: Sequence[str]) -> str:
    first, *others = cells
    return f'<tr><th scope="row">{first}</th>{"".join(map(_cell, others))}</tr>'


def _cell(content: str) -> str:
    """A cell; those that bring their own element have a style of their own."""
    return content if content.startswith("<td") else f"<td>{content}</td>"


def _label(caption: str) -> str:
    """A caption without its markup, for an attribute."""
    kept, inside = [], False
    for letter in caption:
        inside = letter == "<" or (inside and letter != ">")
        if not inside and letter != ">":
            kept.append(letter)
    return "".join(kept).replace('"', "&quot;")


def section(identifier: str, title: str, *content: str) -> str:
    """A section with its heading."""
    head = f'<h2 id="{identifier}-h">{title}</h2>'
    return f'<section id="{identifier}" aria-labelledby="{identifier}-h">{head}{"".join(content)}</section>'


def figure(drawing: str, caption: str) -> str:
    """A drawing with what it shows."""
    return f"<figure>{drawing}<figcaption>{caption}</figcaption></figure>"


def grid(figures: Iterable[str]) -> str:
    """Figures beside each other, as many as there is room for."""
    return f'<div class="grid">{"".join(figures)}</div>'


def details(summary: str, content: str) -> str:
    """What is shown when it is asked for."""
    return f"<details><summary>{summary}</summary>{content}</details>"


def _class(kind: str) -> str:
    return f' class="{kind}"' if kind else ""
