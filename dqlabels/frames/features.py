"""Turn feature columns into a float32 matrix by rules that are fitted once and then apply to each row alone."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dqlabels.errors import FeatureError
from dqlabels.frames.arrays import FloatMatrix, IntArray
from dqlabels.frames.columns import ColumnKind, Frame, missing_rows
from dqlabels.frames.encoders import ColumnEncoder, encoder_from_dict, fit_encode

MAX_NAMED = 20
# With this many rows per value on average, it is no coincidence if no value occurs with two classes.
REPEATS = 5
# Features of a row that a saved encoder may ask for: 64 MiB.
MAX_FEATURES = 1 << 24


@dataclass(frozen=True, slots=True, eq=False)
class Encoded:
    """Feature matrix (n, d) float32, NaN where missing.

    ``infinite`` counts by column the rows whose infinite value became missing, ``unseen`` those whose category did not
    occur when the encoder was fitted; ``blocks`` are the columns of the matrix that belong to each feature column.
    """

    matrix: FloatMatrix
    infinite: Mapping[str, int]
    unseen: Mapping[str, int]
    blocks: Mapping[str, slice]


@dataclass(frozen=True, slots=True, eq=False)
class FeatureEncoder:
    """Fitted encoders of the feature columns.

    The features of a row depend only on that row and on the fitted encoders, so a table can be encoded in any blocks,
    in any order, on any machine. Columns of a later frame are looked up by name: their order plays no part, further
    columns are ignored, and a column with another dtype is converted if nothing is lost, otherwise an error is raised.

    >>> import narwhals as nw, polars as pl
    >>> trusted = nw.from_native(pl.DataFrame({"x": [1, None], "c": ["a", "b"]}))
    >>> encoder = FeatureEncoder.fit(trusted, {"x": "number", "c": "category"})
    >>> encoder.transform(nw.from_native(pl.DataFrame({"c": ["b", "z"], "x": ["5", "6"]}))).tolist()
    [[1.0, 5.0], [nan, 6.0]]
    """

    kinds: Mapping[str, ColumnKind]
    encoders: Mapping[str, ColumnEncoder]

    @classmethod
    def fit(cls, table: Frame, kinds: Mapping[str, ColumnKind]) -> FeatureEncoder:
        """Fit on the columns of a table that ``kinds`` names, as ``choose_features`` returns them.

        Raises:
            FeatureError: The vectors of a column differ in length.
        """
        return cls.fit_encode(table, kinds)[0]

    @classmethod
    def fit_encode(cls, table: Frame, kinds: Mapping[str, ColumnKind]) -> tuple[FeatureEncoder, Encoded]:
        """Fit on a table and encode it; columns are taken by name, so that their order in the table plays no part.

        Raises:
            FeatureError: The vectors of a column differ in length.
        """
        kinds = {name: kinds[name] for name in sorted(kinds)}
        fitted = {name: fit_encode(table[name], kind) for name, kind in kinds.items()}
        encoder = cls(kinds, {name: rule for name, (rule, _) in fitted.items()})
        parts = {name: part for name, (_, part) in fitted.items()}
        return encoder, _side_by_side(len(table), parts, {}, encoder.blocks)

    @property
    def names(self) -> tuple[str, ...]:
        """The feature columns, in the order of their features."""
        return tuple(self.encoders)

    @property
    def width(self) -> int:
        """Number of features of a row, d."""
        return sum(encoder.width for encoder in self.encoders.values())

    @property
    def blocks(self) -> dict[str, slice]:
        """Columns of the matrix that belong to each feature column."""
        blocks, start = {}, 0
        for name, encoder in self.encoders.items():
            blocks[name] = slice(start, start + encoder.width)
            start += encoder.width
        return blocks

    def without(self, names: Iterable[str]) -> FeatureEncoder:
        """Return an encoder without these columns."""
        others = [name for name in self.encoders if name not in set(names)]
        return FeatureEncoder({n: self.kinds[n] for n in others}, {n: self.encoders[n] for n in others})

    def transform(self, frame: Frame) -> FloatMatrix:
        """Features (n, d) float32 of a frame's n rows, NaN where missing.

        Raises:
            FeatureError: A column does not exist, or changed and cannot be converted.
        """
        return self.encode(frame).matrix

    def encode(self, frame: Frame) -> Encoded:
        """Features of a frame, with counts of infinite and unseen values.

        Raises:
            FeatureError: A column does not exist, or changed and cannot be converted.
        """
        self.check(frame.columns)
        parts: dict[str, FloatMatrix] = {}
        unseen: dict[str, int] = {}
        for name, encoder in self.encoders.items():
            column = frame[name]
            if str(column.dtype) != encoder.dtype and missing_rows(column).all():
                # A column without values has whatever dtype its reader falls back on.
                parts[name] = np.tile(encoder.blank, (len(column), 1))
                continue
            parts[name], n_unseen = encoder.encode(column)
            if n_unseen:
                unseen[name] = n_unseen
        return _side_by_side(len(frame), parts, unseen, self.blocks)

    def check(self, columns: Iterable[str]) -> None:
        """Raise if a frame lacks feature columns.

        Raises:
            FeatureError: The message names the missing columns.
        """
        existing = set(columns)
        absent = [name for name in self.encoders if name not in existing]
        if absent:
            listed = ", ".join(map(repr, absent[:MAX_NAMED])) + (", …" if len(absent) > MAX_NAMED else "")
            raise FeatureError(
                f"The frame lacks {len(absent):,} of the {len(self.encoders):,} columns that its labels are judged by: "
                f"{listed}. Add them (null where unknown), or fit again without them."
            )

    def to_dict(self) -> dict[str, object]:
        """Plain values, ready for JSON; ``from_dict`` reads them back."""
        columns = [{"name": n, "kind": self.kinds[n], **encoder.to_dict()} for n, encoder in self.encoders.items()]
        return {"columns": columns}

    @classmethod
    def from_dict(cls, saved: Mapping[str, Any]) -> FeatureEncoder:
        """Restore an encoder from ``to_dict``; every value is checked, since it may come from a file.

        Raises:
            FeatureError: ``saved`` is not a saved encoder.
        """
        kinds: dict[str, ColumnKind] = {}
        encoders: dict[str, ColumnEncoder] = {}
        columns = saved.get("columns")
        if not isinstance(columns, list) or not columns:
            raise FeatureError("The saved encoder names no columns.")
        for column in columns:
            name = column.get("name") if isinstance(column, Mapping) else None
            if not isinstance(name, str) or name in encoders:
                raise FeatureError(f"The saved encoder has a column {name!r}, which is repeated or not a string.")
            encoders[name] = encoder_from_dict(column.get("kind"), column)
            kinds[name] = column["kind"]
        if (width := sum(encoder.width for encoder in encoders.values())) > MAX_FEATURES:
            raise FeatureError(f"The saved encoder makes {width:,} features of a row, more than {MAX_FEATURES:,}.")
        return cls(kinds, encoders)


def _side_by_side(
    n_rows: int, parts: Mapping[str, FloatMatrix], unseen: Mapping[str, int], blocks: Mapping[str, slice]
) -> Encoded:
    """Join the features of the columns into one matrix, in which infinite values become missing."""
    width = sum(part.shape[1] for part in parts.values())
    matrix: FloatMatrix = np.empty((n_rows, width), dtype=np.float32)
    infinite: dict[str, int] = {}
    for name, part in parts.items():
        matrix[:, blocks[name]] = part
        is_infinite = np.isinf(part)
        if is_infinite.any():
            infinite[name] = int(is_infinite.any(axis=1).sum())
            matrix[:, blocks[name]][is_infinite] = np.nan
    return Encoded(matrix, infinite, unseen, blocks)


def without_leaks(
    encoder: FeatureEncoder,
    encoded: Encoded,
    kinds: Mapping[str, ColumnKind],
    codes: IntArray,
    label: str,
    *,
    rows: str = "rows",
) -> tuple[FeatureEncoder, Encoded, list[str]]:
    """Leave out copies of the label, and return the remaining features with notes for the reader.

    Args:
        encoder: The fitted encoder.
        encoded: Its features of n rows.
        kinds: Kinds of the columns, as passed to :meth:`FeatureEncoder.fit`.
        codes: (n,) class positions, -1 where missing, or (n, L) for several labels.
        label: How messages name the label, such as ``the label 'income'``.
        rows: How messages name the rows.

    Raises:
        FeatureError: Every feature is a copy of the label.
    """
    by_label = [leaks(encoded, kinds, column) for column in codes.reshape(len(codes), -1).T]
    copies = [name for name in kinds if any(name in copied for copied, _ in by_label)]
    determining = [name for name in kinds if name not in copies and any(name in alone for _, alone in by_label)]
    notes = []
    if copies:
        encoder = encoder.without(copies)
        if not encoder.names:
            raise FeatureError(
                f"Every feature is a copy of {label} ({', '.join(map(repr, copies))}), so it cannot be judged. Add "
                "columns that were not derived from the label."
            )
        matrix = np.hstack([encoded.matrix[:, encoded.blocks[name]] for name in encoder.names])
        encoded = Encoded(matrix, encoded.infinite, encoded.unseen, encoder.blocks)
        notes.append(f"Columns {', '.join(map(repr, copies))} copy {label} (one value per class) and were left out.")
    if determining:
        notes.append(
            f"Columns {', '.join(map(repr, determining))} alone determine {label} (leakage), so no label can look "
            "wrong. Leave them out with exclude= unless they are known independently of the label."
        )
    for name, infinite in encoded.infinite.items():
        notes.append(f"Column {name!r}: infinite in {infinite:,} {rows}, treated as missing.")
    return encoder, encoded, notes


def leaks(encoded: Encoded, kinds: Mapping[str, ColumnKind], codes: IntArray) -> tuple[list[str], list[str]]:
    """Find columns that give the label away: copies of it, and other columns that determine it alone.

    A copy has one value per class. A column determines the label if none of its values occurs with two classes, and the
    values repeat so often (``REPEATS`` rows each) that this is no coincidence.

    Args:
        encoded: The feature matrix (n, d).
        kinds: Kinds of the columns, as passed to :meth:`FeatureEncoder.fit`.
        codes: (n,) class positions, -1 where missing.
    """
    known = codes >= 0
    labels = codes[known]
    copies: list[str] = []
    determining: list[str] = []
    for name, kind in kinds.items():
        if kind in ("text", "vector"):
            continue
        values = _value_codes(encoded.matrix[:, encoded.blocks[name]][known], labels)
        if values is None:
            continue
        distinct = int(values.max()) + 1
        (copies if distinct == len(np.unique(labels)) else determining).append(name)
    return copies, determining


def _value_codes(part: FloatMatrix, labels: IntArray) -> IntArray | None:
    """Number the distinct rows of ``part``; None as soon as some rows show that it does not determine the labels."""
    n_classes, rows = int(labels.max()) + 1, len(labels)
    for first in (min(2_000, rows), rows // 4, rows):
        inverse: IntArray = np.unique(_row_keys(part[:first]), return_inverse=True)[1].astype(np.int64)
        distinct = int(inverse.max(initial=-1)) + 1
        pairs = len(np.unique(inverse * n_classes + labels[:first]))
        if pairs > distinct or distinct * REPEATS > rows:
            return None
    return inverse


def _row_keys(part: FloatMatrix) -> NDArray[np.generic]:
    """Keys (n,) of rows that are equal only for equal rows, with all missing values alike."""
    rows = np.ascontiguousarray(np.where(np.isnan(part), np.float32(np.inf), part) + np.float32(0.0))
    single = rows.shape[1] == 1
    return rows.view(np.uint32 if single else np.dtype((np.void, rows.shape[1] * rows.itemsize))).ravel()
