"""Bytes in any encoding to text with one form: UTF-8, LF at the end of every line, no byte order mark, no NUL.

What is no text, or text in another encoding, is named, with the config key that would read it.
"""

from __future__ import annotations

import codecs
import re
from collections.abc import Iterable, Iterator

from rnncli.errors import DataError, Place

_MARK = "\ufeff".encode()
_FORMATS = {
    b"\x1f\x8b": ("is gzip", "name it .csv.gz"),
    b"BZh": ("is bzip2", "unpack it first"),
    b"\xfd7zXZ\x00": ("is xz", "unpack it first"),
    b"\x28\xb5\x2f\xfd": ("is zstd", "unpack it first"),
    b"PK\x03\x04": ("is a zip or a spreadsheet", "save it as CSV"),
    b"\xd0\xcf\x11\xe0": ("is a spreadsheet", "save it as CSV"),
    b"PAR1": ("is Parquet", "name it .parquet, or save it as CSV"),
    b"ARROW1": ("is Arrow", "save it as CSV"),
    b"\x89HDF": ("is HDF5", "save it as CSV"),
    b"\x93NUMPY": ("is a NumPy array", "save it as CSV"),
    b"SQLite format 3": ("is a database", "save a table of it as CSV"),
    b"%PDF": ("is PDF", "save its table as CSV"),
    b"\x89PNG": ("is a picture: a NUL byte stands in it", "CSV is needed"),
}
_MARKS = {  # a longer one before what it begins with
    b"\xff\xfe\x00\x00": "utf-32", b"\x00\x00\xfe\xff": "utf-32", b"\xff\xfe": "utf-16", b"\xfe\xff": "utf-16",
    b"+/v8": "utf-7", b"+/v9": "utf-7", b"+/v+": "utf-7", b"+/v/": "utf-7",
}  # fmt: skip
_MARKUP = re.compile(rb"\s*<(!doctype|html|head|body|table|\?xml)", re.IGNORECASE)
_JSON = re.compile(rb"\s*(\{\s*[\"}]|\[\s*[\[{\"0-9\-\]])")
_KANA = re.compile("[\u3041-\u30ff]")


def plain_text(raw: Iterable[bytes], name: str, encoding: str) -> Iterator[bytes]:
    """Pieces of the text in its one form; blank lines at its end are left out, and it ends in a LF.

    Raises:
        DataError: with the line of what is no text in this encoding.
    """
    line, held, start = 1, 0, True
    for text in _one_line_end(_decoded(raw, name, encoding)):
        if start and text:
            text, start = text.removeprefix(_MARK), False
        _refuse_nul(text, name, line)
        line += text.count(b"\n")
        body = text.rstrip(b"\n")
        if body:
            yield b"\n" * held + body
            held = 0
        held += len(text) - len(body)
    if not start:
        yield b"\n"


def _one_line_end(texts: Iterable[bytes]) -> Iterator[bytes]:
    """CR LF and CR become LF, also where a piece ends between the two."""
    held = b""
    for text in texts:
        text = held + text
        held = b"\r" if text.endswith(b"\r") else b""
        text = text.removesuffix(b"\r") if held else text
        yield text.replace(b"\r\n", b"\n").replace(b"\r", b"\n") if b"\r" in text else text
    if held:
        yield b"\n"


def _decoded(raw: Iterable[bytes], name: str, encoding: str) -> Iterator[bytes]:
    """UTF-8 pieces of whole characters."""
    decoder = codecs.getincrementaldecoder(encoding)()
    unicode = codecs.lookup(encoding).name in ("utf-8", "utf-8-sig")
    lines, size = 0, 0
    for number, part in enumerate(_and_end(raw)):
        if number == 0:
            refuse_formats(part, name, encoding)
        waiting = decoder.getstate()[0]
        if unicode and part.isascii() and not waiting and part:
            text = part
        else:
            try:
                text = decoder.decode(part, final=not part).encode()
            except UnicodeError as error:
                raise _not_text(error, waiting + part, (size - len(waiting), lines), name, encoding) from None
        size += len(part)
        lines += text.count(b"\n") or text.count(b"\r")
        yield text


def _and_end(raw: Iterable[bytes]) -> Iterator[bytes]:
    """The pieces, and nothing to say that they are all."""
    yield from raw
    yield b""


def refuse_formats(start: bytes, name: str, encoding: str) -> None:
    """Refuse a file whose first bytes say that it is no delimited text, or in another encoding.

    Raises:
        DataError: saying what it is.
    """
    for magic, (what, hint) in _FORMATS.items():
        if start.startswith(magic):
            hint = "unpack it first: zcat FILE | rnncli …" if what == "is gzip" and name == "stdin" else hint
            raise DataError(what, hint, Place(name, 1))
    wide = codecs.lookup(encoding).name.startswith(("utf-16", "utf-32", "utf-7"))
    for mark, said in {} if wide else _MARKS.items():
        if start.startswith(mark):
            raise DataError(f"is {said.upper()}", f"save it as UTF-8, or set data.encoding: {said}", Place(name, 1))
    if _MARKUP.match(start) or _JSON.match(start):
        what = "HTML or XML" if _MARKUP.match(start) else "JSON"
        raise DataError(f"is {what}", "save it as CSV", Place(name, 1))


def _refuse_nul(text: bytes, name: str, line: int) -> None:
    found = text.find(b"\0")
    if found < 0:
        return
    line += text.count(b"\n", 0, found)
    around = text[:400]
    if around.count(b"\0") * 3 < len(around):
        raise DataError("a NUL byte: the file is damaged, or not text", "write it anew", Place(name, line))
    width = "32" if around.count(b"\0") * 3 > len(around) * 2 - 6 else "16"
    order = "be" if around.startswith(b"\0") else "le"
    hint = f"save it as UTF-8, or set data.encoding: utf-{width}-{order}"
    raise DataError(f"NUL bytes: not text, or UTF-{width}", hint, Place(name, line))


def _not_text(error: UnicodeError, data: bytes, before: tuple[int, int], name: str, encoding: str) -> DataError:
    """`before`: the bytes and lines above `data`."""
    size, lines = before
    at = error.start if isinstance(error, UnicodeDecodeError) else 0
    prefix = data[:at]
    line = lines + (prefix.count(b"\n") or prefix.count(b"\r")) + 1
    known = codecs.lookup(encoding).name
    if known == "utf-8":  # UTF-16 is more than bytes that are not UTF-8
        _refuse_nul(prefix, name, lines + 1)
    shown = "UTF-8" if known == "utf-8" else encoding
    hint = "is it data.encoding?"
    if known == "utf-8":
        hint = f"save it as UTF-8, or set data.encoding: {likely_encoding(data)}"
    return DataError(f"not {shown} at byte {size + at}", hint, Place(name, line))


def likely_encoding(data: bytes) -> str:
    """A guess at the encoding of bytes that are not UTF-8, by the company that bytes beyond ASCII keep."""
    data = data[: 1 << 16]
    runs = re.findall(rb"[\x80-\xff]+", data)
    for name in ("shift_jis", "euc_jp"):
        text = codecs.getincrementaldecoder(name)("replace").decode(data)
        if "\ufffd" not in text and len(_KANA.findall(text)) * 4 > len(runs):
            return name
    if sum(map(len, runs)) >= 3 * len(runs):
        return "cp1251" if all(byte >= 0xC0 for byte in b"".join(runs)) else "gb18030"
    return "cp1252" if re.search(rb"[\x80-\x9f]", data) else "latin-1"
