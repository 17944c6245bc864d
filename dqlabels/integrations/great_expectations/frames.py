"""Frames of other libraries, turned into what Great Expectations takes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import narwhals as nw

from dqlabels.audits.base import NativeFrame
from dqlabels.errors import MissingExtraError, OptionError
from dqlabels.frames.columns import require

if TYPE_CHECKING:
    import pandas as pd


def as_gx_dataframe(frame: NativeFrame, *, columns: Sequence[str] | None = None) -> pd.DataFrame:
    """Return a frame as the pandas frame that a dataframe asset wants; Great Expectations takes no other in memory.

    Args:
        frame: pandas or Polars DataFrame, Polars LazyFrame (collected here), or PyArrow table; n rows.
        columns: The columns to keep; by default all. A LazyFrame reads no others.

    Returns:
        The same rows in the same order; a pandas frame keeps its index, and is itself where nothing is left out.

    Raises:
        FeatureError: A column is not in the frame.
        OptionError: Not a frame that can be converted here.
        MissingExtraError: PyArrow, which the conversion needs, is not installed.

    >>> import polars as pl
    >>> as_gx_dataframe(pl.LazyFrame({"x": [1, 2], "y": ["a", "b"]}), columns=["y"])["y"].tolist()
    ['a', 'b']
    """
    try:
        known = nw.from_native(frame)
    except TypeError as error:
        raise OptionError(
            f"frame is a {type(frame).__module__}.{type(frame).__qualname__}; pass a pandas or Polars frame or a "
            "PyArrow table. A Spark frame goes into a Spark dataframe asset as it is."
        ) from error
    if isinstance(known, nw.LazyFrame):
        if not known.implementation.is_polars():
            raise OptionError(f"A lazy {known.implementation} frame is not read here; collect it into pandas first.")
        if columns is not None:
            require(known.head(0).collect(), columns, "columns")
            known = known.select(list(columns))
        known = known.collect()
    elif columns is not None:
        require(known, columns, "columns")
        known = known.select(list(columns))
    converted: pd.DataFrame
    if known.implementation.is_pandas():
        converted = known.to_native()
        return converted
    try:
        converted = known.to_pandas()
    except ModuleNotFoundError as error:
        raise MissingExtraError(
            f"{error.name} is not installed, which the conversion needs: pip install {error.name}."
        ) from error
    return converted
