"""Cells as numbers, to the last bit and no further: what is no number is told apart, with the likely reason."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import numpy as np

from rnncli.data.reading.dialect import Dialect

if TYPE_CHECKING:  # a stream takes one cell at a time, and does without
    import pandas as pd

MISSING = ("", "NA", "N/A", "NaN", "nan", "null", "NULL", "None")
LARGEST = float(np.finfo(np.float32).max)
EXACT_UP_TO = 2**53  # the whole numbers up to here are float64 numbers, every one

_DIGITS = r"(?:[0-9]+\.?[0-9]*|\.[0-9]+)"
NUMBER = rf"[+-]?{_DIGITS}(?:[eE][+-]?[0-9]+)?"
_INFINITE = r"[+-]?[iI][nN][fF](?:[iI][nN][iI][tT][yY])?"
_WHOLE = re.compile(r"[+-]?0*([0-9]*)")
_SIGNS = {" ": " \u00a0\u202f", "'": "'\u2019"}  # what else is written for a sign between thousands
TRUTH = {"true": 1.0, "false": 0.0}


def as_numbers(texts: pd.Series[str], dialect: Dialect = Dialect()) -> pd.Series[float]:
    """Cells as numbers, NaN where they are empty or no number."""
    import pandas as pd

    return pd.to_numeric(plain_numbers(texts, dialect), errors="coerce").astype(np.float64)


def not_numbers(texts: pd.Series[str], dialect: Dialect = Dialect()) -> pd.Series[bool]:
    """Which cells are neither empty nor a number."""
    return plain_numbers(texts, dialect).isna() & ~texts.isin(MISSING)


def as_truth(texts: pd.Series[str]) -> pd.Series[float] | None:
    """1 and 0 for True and False, NaN for an empty cell; None if there is anything else."""
    values = texts.str.strip(" \t").str.lower().map(TRUTH).astype(np.float64)
    return None if values[~texts.isin(MISSING)].isna().any() else values


def plain_numbers(texts: pd.Series[str], dialect: Dialect) -> pd.Series[str]:
    """Numbers as Python writes them; whatever is no number in this dialect is NaN.

    A sign between thousands must stand between groups of digits: 1.5 is no way to write 15.
    """
    plain = texts.str.strip(" \t")
    if dialect.thousands is not None:
        groups, signs = grouped(dialect)
        plain = plain.where(~plain.str.fullmatch(groups), plain.str.replace(signs, "", regex=True))
    if dialect.decimal != ".":
        plain = plain.where(~plain.str.contains(".", regex=False)).str.replace(dialect.decimal, ".", regex=False)
    return plain.where(plain.str.fullmatch(f"{NUMBER}|{_INFINITE}").fillna(False).astype(bool))


def grouped(dialect: Dialect) -> tuple[str, str]:
    """Patterns of a number with signs between its thousands, and of such a sign."""
    assert dialect.thousands is not None
    point, signs = re.escape(dialect.decimal), f"[{re.escape(_SIGNS.get(dialect.thousands, dialect.thousands))}]"
    return rf"[+-]?[0-9]{{1,3}}(?:{signs}[0-9]{{2,3}})*{signs}[0-9]{{3}}(?:{point}[0-9]*)?", signs


def whole_digits(texts: pd.Series[str], dialect: Dialect) -> list[str]:
    """The digits of cells that are whole numbers, without leading zeros; nothing for the others."""
    found = (_WHOLE.fullmatch(str(text)) for text in plain_numbers(texts, dialect))
    return [match[1] if match else "" for match in found]


def number_hint(texts: list[str], name: str, dialect: Dialect, *, first: bool) -> str:
    """What to do about cells that are no numbers.

    Args:
        texts: some of them.
        name: of their column.
        dialect: as it is set.
        first: whether they stand in the first row alone.
    """
    text = texts[0].strip()
    if text == name:
        return "the line repeats the header: remove it"
    if not text:
        return "only spaces stand in the cell: empty it"
    keys = _separators(texts, dialect)
    if keys is not None:
        return keys
    for pattern, hint in _HINTS:
        if re.fullmatch(pattern, text, re.IGNORECASE):
            return hint
    if first:
        return "is the line a second header? remove it"
    return "leave the cell empty and set data.missing, or leave the column out"


def _separators(texts: list[str], dialect: Dialect) -> str | None:
    """The config keys with which all of the cells would be numbers."""
    import pandas as pd

    cells = pd.Series(texts, dtype=str)
    for keys in _DIALECTS:
        other = Dialect(decimal=keys.get("decimal", "."), thousands=keys.get("thousands"))
        same = (other.decimal, other.thousands) == (dialect.decimal, dialect.thousands)
        if not same and not not_numbers(cells, other).any():
            return "set " + " and ".join(f"data.{key}: {value!r}" for key, value in keys.items())
    return None


_DIALECTS: list[dict[str, str]] = [  # the likelier before the others: 1,234 is more than a thousand
    {"decimal": "."},
    {"thousands": ","}, {"thousands": "'"}, {"thousands": " "}, {"thousands": "_"}, {"decimal": ","},
    {"decimal": ",", "thousands": "."}, {"decimal": ",", "thousands": " "}, {"decimal": ",", "thousands": "'"},
    {"decimal": ",", "thousands": "_"},
]  # fmt: skip
_SOME = r"[+-]?[0-9][0-9.,]*"
_HINTS = [
    (r"[-–—?.*_]+|#n/?a|n\.?/?a\.?|n\.a|missing|unknown|void|nil|nd|n\.d\.|na\(\)|<na>|nat|\\n",
     "if it stands for a missing value, leave the cell empty and set data.missing"),
    (rf"{_SOME}\s*[%‰]|[%‰]\s*{_SOME}", "leave the percent sign out"),
    (rf"[$€£¥₹₽₩₺]\s*{_SOME}|{_SOME}\s*[$€£¥₹₽₩₺]|[+-]?[$€£¥₹₽₩₺]\s*{_SOME}|[a-z]{{2,3}}\s*\$?\s*{_SOME}|{_SOME}\s*(usd|eur|gbp|chf|kr|zł|kč|jpy)",
     "leave the currency out"),
    (rf"\(\s*[$€£]?\s*{_SOME}\s*\)|{_SOME}-", "write negative numbers with - before them"),
    (rf"[−–]\s*{_SOME}", "write - for minus"),
    (r"0[xob][0-9a-f]+", "write decimal numbers"),
    (r"=.*", "save the values, not the formulas"),
    (r"#(div/0!|ref!|value!|num!|name\?|null!|####*)",
     "repair the formula, or leave the cell empty and set data.missing"),
    (r"yes|no|y|n|on|off|t|f|true|false|ja|nein|oui|non|wahr|falsch|vrai|faux",
     "write 1 and 0, or True and False in the whole column"),
    (r"[+-]?∞|[+-]?1\.#(inf|qnan|ind).*", "numbers are finite: leave the cell empty and set data.missing"),
    (rf"{_SOME}d[+-]?[0-9]+", "write e for the exponent"),
    (rf"[\u00a0\u200b\u202f\ufeff\s]*{_SOME}[\u00a0\u200b\u202f\ufeff\s]*",
     "an invisible character stands beside the number: remove it"),
    (r"[^a-z]*[^\x00-\x7f][^a-z]*", "write the digits 0 to 9"),
    (rf"{_SOME}\s*(?!e$)[a-zµ°Ω/]+[²³]?", "leave the unit out"),
    (r"[<>≤≥~≈]\s*.*", "write the number alone"),
    (r"[0-9]{4}-[0-9]{2}-[0-9]{2}.*|[0-9]{1,2}[/.][0-9]{1,2}[/.][0-9]{2,4}.*",
     "a time belongs into data.time; leave the column out"),
    (r"total|sum|mean|average|subtotal|summe|gesamt", "remove the line"),
]  # fmt: skip


def is_number(text: str) -> bool:
    """Whether Python reads it as a number."""
    try:
        float(text)
    except ValueError:
        return False
    return True
