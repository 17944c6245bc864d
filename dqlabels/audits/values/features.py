"""The features that an audit of numbers judges by; what copies the label is left out."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from dqlabels.errors import FeatureError
from dqlabels.frames.columns import ColumnKind, Frame, choose_features
from dqlabels.frames.features import Encoded, FeatureEncoder

# A column whose correlation with the label is within this of 1 is the label in another unit; float32 leaves 1e-14.
COPY = 1e-12


def value_features(
    table: Frame,
    label: str,
    values: NDArray[np.float64],
    features: Sequence[str] | None,
    exclude: Iterable[str],
) -> tuple[FeatureEncoder, NDArray[np.float32], list[str]]:
    """The fitted encoder, what it makes of the rows (n, d), and what the reader should know.

    Args:
        table: n rows.
        label: The column that is audited.
        values: (n,) its amounts, NaN where missing.
        features: As given by the caller.
        exclude: As given by the caller.

    Raises:
        FeatureError: No feature is left.
    """
    kinds, notes = choose_features(table, label, features, exclude)
    encoder, encoded = FeatureEncoder.fit_encode(table, kinds)
    copies = _copies(encoded, kinds, values)
    names = [name for name in kinds if name not in copies]
    if not names:
        raise FeatureError(
            f"Every feature is a copy of the label {label!r} ({', '.join(map(repr, copies))}), so nothing can "
            "judge it. Add columns that were not derived from the label."
        )
    if copies:
        encoder = encoder.without(copies)
        notes.append(f"Columns {', '.join(map(repr, copies))} copy the label {label!r} and were left out.")
    for name, rows in encoded.infinite.items():
        notes.append(f"Column {name!r}: infinite in {rows:,} of {len(table):,} rows, treated as missing.")
    return encoder, np.hstack([encoded.matrix[:, encoded.blocks[name]] for name in encoder.names]), notes


def _copies(encoded: Encoded, kinds: Mapping[str, ColumnKind], values: NDArray[np.float64]) -> list[str]:
    """Columns that are the label, in its own or in another unit."""
    copies = []
    for name, kind in kinds.items():
        if kind not in ("number", "date"):
            continue
        feature = encoded.matrix[:, encoded.blocks[name].start].astype(np.float64)
        both = ~np.isnan(values) & ~np.isnan(feature)
        x, y = feature[both], values[both]
        if x.size > 2 and np.ptp(x) > 0 and np.ptp(y) > 0 and abs(np.corrcoef(x, y)[0, 1]) > 1 - COPY:
            copies.append(name)
    return copies
