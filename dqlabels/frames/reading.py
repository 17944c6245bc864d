"""The caller's frame as narwhals knows it: which frames are read, and which come lazily."""

from __future__ import annotations

import sys
from typing import Any

import narwhals as nw

from dqlabels.errors import OptionError
from dqlabels.frames.columns import Frame, check_columns


def read_frame(frame: Any) -> tuple[bool, Frame]:
    """The frame as narwhals knows it, and whether it came lazily.

    Raises:
        OptionError: Not a frame that can be audited in memory.
    """
    check_columns(getattr(frame, "column_names", ()))  # of a PyArrow table, whose columns are its values
    try:
        known = nw.from_native(frame)
    except TypeError as error:
        raise OptionError(
            f"frame is a {type(frame).__module__}.{type(frame).__qualname__}; pass a pandas or Polars frame or a "
            "PyArrow table."
        ) from error
    except nw.exceptions.DuplicateError:
        check_columns(getattr(frame, "columns", ()))
        raise
    if isinstance(known, nw.LazyFrame):
        if not known.implementation.is_polars():
            raise OptionError(
                f"A lazy {known.implementation} frame is not audited in memory. Collect it into a pandas, Polars or "
                "PyArrow table first."
            )
        return True, known.collect()
    check_columns(known.columns)
    return False, known


def is_lazy_polars(frame: Any) -> bool:
    """Whether a frame is a Polars LazyFrame; Polars is not imported to ask."""
    polars = sys.modules.get("polars")
    return polars is not None and isinstance(frame, polars.LazyFrame)
