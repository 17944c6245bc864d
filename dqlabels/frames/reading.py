"""Read the caller's frame into narwhals, and tell its form."""

from __future__ import annotations

from collections.abc import Mapping
from os import PathLike
from typing import Any

import narwhals as nw

from dqlabels.errors import OptionError
from dqlabels.frames.columns import Frame, check_columns
from dqlabels.frames.names import Form, undressed, with_text_names
from dqlabels.frames.storage import with_plain_storage
from dqlabels.frames.text import check_texts

COLLECT = "Collect it into a pandas, Polars or PyArrow table first."
# What to type for frames of libraries that are not read as they are, by narwhals' name of the library.
IN_ITS_WORDS = {
    "duckdb": "Pass relation.pl(), which is a Polars frame, or the relation itself to dqlabels.audit.",
    "ibis": "Pass table.to_polars(), or the table itself to dqlabels.audit.",
    "dask": "Pass frame.compute(), which is a pandas frame.",
    "dask_expr": "Pass frame.compute(), which is a pandas frame.",
    "pyspark": "Use dqlabels.spark.audit(frame, label), or pass frame.toArrow().",
    "pyspark[connect]": "Use dqlabels.spark.audit(frame, label), or pass frame.toArrow().",
    "modin": "Pass frame.modin.to_pandas(), and join the columns of the answer.",
    "cudf": "Pass frame.to_pandas() or frame.to_arrow(), and join the columns of the answer.",
}
# Those that are refused before narwhals sees them: it warns of Dask, which needs a package of its own there.
BY_MODULE = ("dask", "dask_expr", "modin", "cudf")


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
    library = type(frame).__module__.partition(".")[0]
    if library in BY_MODULE and hasattr(frame, "columns"):
        raise OptionError(f"A {library} frame is not audited as it is. {IN_ITS_WORDS[library]}")
    check_columns(getattr(frame, "column_names", ()))  # PyArrow: its .columns are not names
    plain, like = undressed(frame)
    frame, names = with_text_names(plain)
    frame, stored = with_plain_storage(frame)
    try:
        known = nw.from_native(frame)
    except TypeError as error:
        kind = f"{type(frame).__module__}.{type(frame).__qualname__}".removeprefix("builtins.")
        raise OptionError(
            f"frame is a {kind}; pass a pandas or Polars frame or a PyArrow table. {_what_to_type(frame)}".rstrip()
        ) from error
    except nw.exceptions.DuplicateError:
        check_columns(getattr(frame, "columns", ()))
        raise
    if isinstance(known, nw.LazyFrame):
        if not known.implementation.is_polars():
            library = str(known.implementation)
            raise OptionError(f"A lazy {library} frame is not audited in memory. {IN_ITS_WORDS.get(library, COLLECT)}")
        return Form(lazy=True), known.collect()
    if (library := str(known.implementation)) in IN_ITS_WORDS:
        raise OptionError(f"A {library} frame is not audited as it is. {IN_ITS_WORDS[library]}")
    check_columns(known.columns)
    check_texts(known)
    return Form(names=names, like=like, stored=stored), known


def _what_to_type(given: Any) -> str:
    """What to type instead, for the things that people pass first; empty where there is no advice."""
    name = type(given).__name__
    if isinstance(given, str | PathLike):
        return f"Read the file, as in polars.read_csv({str(given)!r}), or run: dqlabels audit {given} --label NAME"
    if type(given).__module__.startswith("pyspark.pandas"):
        return "Use dqlabels.spark.audit(frame.to_spark(), label)."
    if "GroupBy" in name:
        return "Audit the whole frame, so that the model learns from all; audit.by(column) has each group's figures."
    if "Series" in name or name == "ChunkedArray":
        return "Labels alone cannot be judged: pass the frame, and the name of the column."
    if name == "Bunch":
        return "Load it with as_frame=True and pass its .frame, with the label 'target'."
    if isinstance(given, Mapping | list | tuple) or name == "ndarray":
        return "Make a frame of it, as in pandas.DataFrame(X).assign(label=y), and pass the label 'label'."
    return "Calls with inplace=True return None." if given is None else ""
