"""Read the caller's frame into narwhals, and tell its form."""

from __future__ import annotations

from typing import Any

import narwhals as nw

from dqlabels.errors import OptionError
from dqlabels.frames.columns import Frame, check_columns
from dqlabels.frames.names import Form, undressed, with_text_names
from dqlabels.frames.text import check_texts


def read_frame(frame: Any) -> tuple[Form, Frame]:
    """Return the form of the frame, in which results go back, and the frame itself, collected.

    Raises:
        OptionError: This is not a frame that can be audited in memory.
        FeatureError: Its column names repeat, as text, or have several levels, or text in it is none that others can
            hold.

    >>> import polars as pl
    >>> form, table = read_frame(pl.LazyFrame({"y": [1, 2]}))
    >>> form.lazy, len(table)
    (True, 2)
    """
    check_columns(getattr(frame, "column_names", ()))  # PyArrow: its .columns are not names
    plain, like = undressed(frame)
    frame, names = with_text_names(plain)
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
        return Form(lazy=True), known.collect()
    check_columns(known.columns)
    check_texts(known)
    return Form(names=names, like=like), known
