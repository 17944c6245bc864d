"""Values of a row as the review page shows them: images as images, long texts whole."""

from __future__ import annotations

from typing import Literal, TypedDict

import numpy as np

from dqlabels.frames.values import python_value
from dqlabels.report.explanations import shown_value

# A text of more letters is cut, and the page says so.
MAX_TEXT_LENGTH = 20_000
MAX_IMAGE_BYTES = 20_000_000
# First bytes of the formats that every browser shows. SVG, which can hold scripts, is none of them.
SHOWN_BY_BROWSERS = {
    b"\x89PNG\r\n\x1a\n": "image/png",
    b"\xff\xd8\xff": "image/jpeg",
    b"GIF87a": "image/gif",
    b"GIF89a": "image/gif",
    b"BM": "image/bmp",
}


class Cell(TypedDict):
    """The value of a column in a row: its text or, of an ``image``, what stands in its place."""

    name: str
    text: str
    kind: Literal["text", "image"]


def cell_of(name: str, value: object) -> Cell:
    r"""Return a value as the page shows it.

    >>> cell_of("note", "two\nlines")["text"], cell_of("photo", b"GIF89a...")["kind"]
    ('two\nlines', 'image')
    """
    if image_type(value):
        return {"name": name, "text": shown_value(value), "kind": "image"}
    return {"name": name, "text": whole_text(value), "kind": "text"}


def whole_text(value: object) -> str:
    """Return a value as text, with its line breaks, cut where it is very long."""
    plain = python_value(value)
    if not isinstance(plain, str):
        return shown_value(value)
    text = "".join(letter if letter.isprintable() or letter.isspace() else "�" for letter in plain[:MAX_TEXT_LENGTH])
    more = len(plain) - MAX_TEXT_LENGTH
    return text if more <= 0 else f"{text}… ({more:,} more letters)"


def image_type(value: object) -> str:
    """Return the media type of the bytes of an image that a browser shows, else nothing.

    >>> image_type(b"GIF89a..."), image_type("GIF89a...")
    ('image/gif', '')
    """
    if isinstance(value, np.generic):
        value = value.item()
    if not isinstance(value, (bytes, bytearray, memoryview)) or len(value) > MAX_IMAGE_BYTES:
        return ""
    head = bytes(value[:12])
    if head[:4] == b"RIFF" and head[8:] == b"WEBP":
        return "image/webp"
    return next((kind for first, kind in SHOWN_BY_BROWSERS.items() if head.startswith(first)), "")
