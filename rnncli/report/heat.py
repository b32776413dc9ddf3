"""Numbers as colours: a small PNG inside of an SVG, a pixel a number, coarser where there are very many."""

from __future__ import annotations

import base64
import struct
import zlib
from collections.abc import Sequence

import numpy as np

from rnncli.data.panel import Floats

# anchors of the scales, chosen to be told apart by the colour-blind and in grey: blue, pale, vermilion of Okabe and
# Ito; and cividis (Nunez et al. 2018)
DIVERGING = ("#004a75", "#0072b2", "#8fc1de", "#f3f1ec", "#f0b189", "#d55e00", "#8a3c00")
SEQUENTIAL = ("#00204d", "#31446b", "#666970", "#958f78", "#cbba69", "#ffea46")


def coarse(values: Floats, most_rows: int, most_columns: int) -> Floats:
    """`values` (rows, columns) with means of blocks where there are more than the most."""
    for axis, most in enumerate((most_rows, most_columns)):
        size = values.shape[axis]
        if size > most:
            starts = np.unique(np.linspace(0, size, most, endpoint=False).astype(np.int64))
            counts = np.diff([*starts, size])
            sums = np.add.reduceat(values, starts, axis=axis)
            values = sums / (counts[:, None] if axis == 0 else counts)
    return values


def image(values: Floats, low: float, high: float, anchors: Sequence[str]) -> str:
    """A data URI of a PNG with a pixel a number; what is beyond the ends has their colour."""
    share = (values - low) / (high - low if high > low else 1.0)
    codes = np.clip(np.rint(np.nan_to_num(share) * 255), 0, 255).astype(np.uint8)
    return f"data:image/png;base64,{base64.b64encode(_png(codes, palette(anchors))).decode()}"


def palette(anchors: Sequence[str]) -> bytes:
    """256 colours, three bytes each, on straight lines between the anchors."""
    points = np.array([[int(colour[at : at + 2], 16) for at in (1, 3, 5)] for colour in anchors], dtype=float)
    places = np.linspace(0, len(points) - 1, 256)
    mixed = np.stack([np.interp(places, np.arange(len(points)), points[:, part]) for part in range(3)], axis=1)
    return bytes(np.rint(mixed).astype(np.uint8))


def _png(codes: np.ndarray, colours: bytes) -> bytes:
    """A PNG with a palette (ISO/IEC 15948): header, colours, rows each after the byte of no filter."""
    height, width = codes.shape
    header = struct.pack(">IIBBBBB", width, height, 8, 3, 0, 0, 0)
    rows = b"".join(b"\0" + row.tobytes() for row in codes)
    parts = ((b"IHDR", header), (b"PLTE", colours), (b"IDAT", zlib.compress(rows, 9)), (b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(_chunk(kind, data) for kind, data in parts)


def _chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def picture(uri: str, x: float, y: float, width: float, height: float) -> str:
    """The image at a place in a drawing, its pixels as squares."""
    return (
        f'<image x="{x:g}" y="{y:g}" width="{width:g}" height="{height:g}" preserveAspectRatio="none" '
        f'class="pixels" href="{uri}"/><rect class="frame" x="{x:g}" y="{y:g}" width="{width:g}" height="{height:g}"/>'
    )
