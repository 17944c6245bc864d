"""Drop the rows that a label check names, by their positions: pandera drops by index, which may name several rows."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from dqlabels.audits.base import Mask, NativeFrame
from dqlabels.integrations.pandera.answers import CheckUseError, is_pandas

if TYPE_CHECKING:
    from pandera.errors import SchemaError

MARK = "__dqlabels_kept__"


def with_marks(frame: NativeFrame, failed: Sequence[SchemaError]) -> NativeFrame:
    """Return the frame with a column that is true where no label check fails.

    Args:
        frame: A frame of pandas or Polars, whose rows the checks have judged.
        failed: Errors of label checks.

    Raises:
        SchemaError: The first error that names no row, which dropping rows cannot mend.
        CheckUseError: The frame has other rows than were judged.
    """
    kept = np.logical_and.reduce([_right_rows(one) for one in failed])
    if is_pandas(frame):
        if len(frame) == kept.size:
            return frame.assign(**{MARK: kept})
        rows = len(frame)
    else:
        import polars as pl

        rows = frame.lazy().select(pl.len()).collect().item()
        if rows == kept.size:
            return frame.with_columns(pl.Series(MARK, kept))
    raise CheckUseError(
        f"drop_invalid_rows=True: the label checks judged {kept.size:,} rows, of which {rows:,} are left since pandera "
        "dropped those of a column, so the rows to drop are not known. Set it for the schema only, not for a column."
    )


def refuse_repeated_index(backend: object, frame: NativeFrame, others: Sequence[str]) -> None:
    """Refuse where pandera's pandas back end would drop, with a row that fails another check, all of the same index."""
    if not is_pandas(frame) or frame.index.is_unique:
        return
    from pandera.backends.pandas.base import PandasSchemaBackend

    if isinstance(backend, PandasSchemaBackend):
        raise CheckUseError(
            f"drop_invalid_rows=True: {', '.join(others)} failed too, and pandera drops by index, which names several "
            "rows of this frame. Validate frame.reset_index(drop=True), or frame.reset_index() to keep the index."
        )


def without_marked(frame: NativeFrame) -> NativeFrame:
    """Return the rows whose mark is true, without the mark."""
    if is_pandas(frame):
        return frame[frame[MARK].to_numpy()].drop(columns=MARK)
    import polars as pl

    return frame.filter(pl.col(MARK)).drop(MARK)


def _right_rows(failed: SchemaError) -> Mask:
    output = failed.check_output
    if output is None:
        raise failed
    right = np.asarray(output.collect() if hasattr(output, "collect") else output, dtype=bool).ravel()
    if right.all():
        raise failed
    return right
