"""Text in a CSV that a spreadsheet would run as a formula: marked where it is written, unmarked where it returns."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dqlabels.frames.spreadsheet import FORMULA, MARKED, NUMBER

if TYPE_CHECKING:
    import polars as pl


def without_formulas(frame: pl.DataFrame | pl.LazyFrame) -> pl.DataFrame | pl.LazyFrame:
    """Return the frame with an apostrophe before each text and column name that a spreadsheet would run.

    >>> import polars as pl
    >>> without_formulas(pl.DataFrame({"note": ["=1+1", "-1.5", "a-b"]})).rows()
    [("'=1+1",), ('-1.5',), ('a-b',)]
    """
    import polars as pl

    schema = frame.lazy().collect_schema()
    texts = [name for name, dtype in schema.items() if isinstance(dtype, (pl.String, pl.Categorical, pl.Enum))]
    marked = frame.with_columns(_marked(pl.col(name).cast(pl.String)).alias(name) for name in texts)
    names = pl.DataFrame({"name": schema.names()}).select(_marked(pl.col("name")))["name"]
    return marked.rename(dict(zip(schema.names(), names, strict=True)))


def _marked(texts: pl.Expr) -> pl.Expr:
    import polars as pl

    runs = texts.str.contains(FORMULA) & ~texts.str.contains(NUMBER)
    return pl.when(runs).then("'" + texts).otherwise(texts).alias("name")


def with_formulas(frame: pl.DataFrame) -> pl.DataFrame:
    """Return the frame as it was before :func:`without_formulas`."""
    import polars as pl

    plain = frame.with_columns(pl.col(pl.String).str.replace(MARKED, "${1}"))
    return plain.rename(dict(zip(frame.columns, pl.Series(frame.columns).str.replace(MARKED, "${1}"), strict=True)))
