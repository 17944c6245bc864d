"""Turn columns of images, or of anything that the caller can embed, into columns of vectors."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

import narwhals as nw
import numpy as np
from numpy.typing import NDArray

from dqlabels.errors import FeatureError, MissingExtraError
from dqlabels.frames.arrays import FloatMatrix
from dqlabels.frames.columns import Column, Frame, require

Embedding = Callable[[list[Any]], Any] | str

# First bytes of the image formats that every Pillow reads; WebP files have their name at byte 8.
SIGNATURES = (b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff", b"GIF87a", b"GIF89a", b"BM", b"II*\x00", b"MM\x00*")
# An image is described by a small copy, the directions of its edges, and its colours.
SIDE = 16
CELLS = 4
DIRECTIONS = 8
# Far below the limit from which Pillow refuses images; no cell of a frame should come near it.
MAX_PIXELS = 50_000_000


def embed_columns(table: Frame, embed: Mapping[str, Embedding] | None, left_out: Iterable[str]) -> Frame:
    """Replace columns of images, and the columns that ``embed`` names, with columns of vectors.

    Args:
        table: n rows.
        embed: Column name to ``"image"``, or to a callable that takes the m values present and returns (m, d)
            numbers. A column of bytes that are all images needs no entry; image files are read only if named here.
        left_out: Columns to leave as they are.

    Raises:
        FeatureError: A column does not exist, an image cannot be read, or a callable does not return (m, d) numbers.
        MissingExtraError: ``embed`` names images, and Pillow is not installed.
    """
    named = dict(embed or {})
    require(table, named, "embed")
    if not named and not any(_may_hold_bytes(table[name]) for name in table.columns):
        return table
    skipped = set(left_out)
    for name in table.columns:
        if name not in named and name not in skipped and _holds_images(table[name]) and _pillow(required=False):
            named[name] = "image"
    vectors = [_vectors(table, name, how) for name, how in named.items() if name not in skipped]
    return table.with_columns(*vectors) if vectors else table


def _may_hold_bytes(column: Column) -> bool:
    return column.dtype in (nw.Binary, nw.Object)


def _holds_images(column: Column) -> bool:
    if not _may_hold_bytes(column):
        return False
    values = [value for value in column.to_list() if value is not None]
    return bool(values) and all(_looks_like_an_image(value) for value in values)


def _looks_like_an_image(value: object) -> bool:
    if not isinstance(value, (bytes, bytearray, memoryview)):
        return False
    head = bytes(value[:12])
    return head.startswith(SIGNATURES) or (head[:4] == b"RIFF" and head[8:] == b"WEBP")


def _vectors(table: Frame, name: str, how: Embedding) -> Column:
    column = table[name]
    missing = column.is_null().to_numpy().astype(bool)
    values = [value for value, absent in zip(column.to_list(), missing, strict=True) if not absent]
    if not values:
        return column
    if callable(how):
        matrix = _called(name, how, values)
    elif how == "image":
        present = np.flatnonzero(~missing)
        matrix = np.stack([_image(name, int(row), value) for row, value in zip(present, values, strict=True)])
    else:
        raise FeatureError(
            f"embed={{{name!r}: {how!r}}}: pass 'image', or a callable that turns the column's values into vectors."
        )
    rows = np.full(len(table), None, dtype=object)
    for row, vector in zip(np.flatnonzero(~missing), matrix, strict=True):
        rows[row] = vector
    return _as_column(name, rows, table)


def _as_column(name: str, rows: NDArray[np.object_], table: Frame) -> Column:
    if table.implementation.is_pandas_like():
        native = table.implementation.to_native_namespace().Series(rows, name=name, index=table.to_native().index)
        return nw.from_native(native, series_only=True)
    listed = [None if row is None else row.tolist() for row in rows]
    return nw.new_series(name, listed, nw.List(nw.Float32), backend=table.implementation)


def _called(name: str, how: Callable[[list[Any]], Any], values: list[Any]) -> FloatMatrix:
    matrix = np.asarray(how(values))
    if matrix.ndim != 2 or len(matrix) != len(values) or matrix.dtype.kind not in "biuf":
        raise FeatureError(
            f"The callable that embeds column {name!r} returned {matrix.dtype} of shape {matrix.shape} for "
            f"{len(values):,} values. It must return one row of numbers for each."
        )
    return matrix.astype(np.float32)


def _pillow(*, required: bool = True) -> Any:
    try:
        from PIL import Image
    except ImportError as error:
        if not required:
            return None
        raise MissingExtraError(
            'Pillow, which reads images, is not installed: pip install "dqlabels[images]"'
        ) from error
    return Image


def _image(name: str, row: int, value: Any) -> FloatMatrix:
    """Features (d,) of one image: bytes, the path of a file, or a mapping with either, as in Hugging Face."""
    Image = _pillow()
    if isinstance(value, Mapping):
        value = value.get("bytes") or value.get("path")
    try:
        if isinstance(value, (bytes, bytearray, memoryview)):
            source: io.BytesIO | Path = io.BytesIO(bytes(value))
        elif isinstance(value, (str, Path)):
            source = Path(value)
        else:
            raise FeatureError(
                f"Column {name!r}, row {row}: {type(value).__name__} is not an image; pass bytes or a path."
            )
        with Image.open(source) as image:
            if image.width * image.height > MAX_PIXELS:
                raise FeatureError(
                    f"Column {name!r}, row {row}: an image of {image.width} × {image.height} pixels, more than "
                    f"{MAX_PIXELS:,}. Make it smaller, or drop the row."
                )
            return image_features(np.asarray(image.convert("RGB").resize((2 * SIDE, 2 * SIDE), Image.Resampling.BOX)))
    except (OSError, SyntaxError, Image.DecompressionBombError) as error:
        shown = str(value)[:80] if isinstance(value, (str, Path)) else f"{len(value):,} bytes"
        raise FeatureError(
            f"Column {name!r}, row {row}: {shown} cannot be read as an image ({error}). Set the cell to null, or leave "
            "the column out with exclude=."
        ) from error


def image_features(pixels: NDArray[np.uint8]) -> FloatMatrix:
    """Features (390,) of an image (32, 32, 3): grey pixels, directions of the edges, colours.

    These are a grey copy of 16 × 16 pixels; the strength of the edges in 4 × 4 cells by 8 directions, scaled to sum to
    1 over the image (after Dalal & Triggs 2005, without their overlapping blocks); and mean and standard deviation of
    each colour.

    >>> image_features(np.zeros((32, 32, 3), dtype=np.uint8)).shape
    (390,)
    """
    colours = pixels.astype(np.float32) / 255
    grey = colours @ np.array([0.299, 0.587, 0.114], dtype=np.float32)
    small = grey.reshape(SIDE, 2, SIDE, 2).mean(axis=(1, 3))
    down, across = np.gradient(grey)
    strength = np.hypot(down, across)
    direction = np.floor((np.arctan2(down, across) / np.pi % 1.0) * DIRECTIONS).astype(np.int64) % DIRECTIONS
    cell = np.arange(2 * SIDE) * CELLS // (2 * SIDE)
    bins = (cell[:, None] * CELLS + cell[None, :]) * DIRECTIONS + direction
    edges = np.bincount(bins.ravel(), weights=strength.ravel(), minlength=CELLS * CELLS * DIRECTIONS)
    edges = edges / max(edges.sum(), 1e-6)
    tint = np.concatenate([colours.mean(axis=(0, 1)), colours.std(axis=(0, 1))])
    return np.concatenate([small.ravel(), edges, tint]).astype(np.float32)
