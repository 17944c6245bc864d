"""Audits of tables that hand out an Arrow stream: in memory up to a size, beyond it in passes over a copy on disk."""

from __future__ import annotations

import weakref
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from dqlabels.audits.options import Options
from dqlabels.errors import MissingExtraError
from dqlabels.frames.arrow import GROUP_ROWS, ArrowSource, read_up_to, remove, scratch_file, write

if TYPE_CHECKING:
    import pyarrow as pa

    from dqlabels.audits.base import Audit


def audit_stream(source: ArrowSource, label: str, options: Options, run: Callable[[Any], Audit]) -> Audit:
    """Audit a source, and give its rows back as its own kind, in the order in which it gave them.

    The rows are read once. Where there are more of them than are audited in memory, they are kept in a Parquet file as
    long as the audit is, so that every pass sees the same rows. A second file holds the rows of the answer: of a
    reader it goes with the reader, of a relation or a table, which any query may read, with the process.

    Args:
        source: Where the rows come from.
        label: The label column.
        options: What the caller asks for.
        run: Audits a PyArrow table, or a lazy Polars frame.

    Raises:
        MissingExtraError: PyArrow, or for many rows Polars, is not installed.
        DQLabelsError: As :func:`dqlabels.audit`.
    """
    first, rest = read_up_to(source, options.sizes.large_rows)
    if first.num_rows <= options.sizes.large_rows:
        result = run(first)
        return replace(result, frame=source.of_table(result.frame))
    try:
        import polars as pl
    except ImportError as error:
        raise MissingExtraError(
            f"A stream of more than {options.sizes.large_rows:,} rows is audited by Polars: pip install polars"
        ) from error
    import pyarrow as pa

    rows, audited = scratch_file(), scratch_file()
    with ExitStack() as failed:
        failed.callback(remove, rows, audited)
        write(rows, first.schema, [first], rest)
        schema = first.schema
        del first
        copy = pl.scan_parquet(rows)
        weakref.finalize(copy, remove, rows)
        result = run(copy)
        for name, dtype in zip(options.names, ("double", schema.field(label).type, "bool"), strict=True):
            schema = schema.append(pa.field(name, dtype))
        write(audited, schema, _with_answers(rows, result.frame, schema, options.names))
        answer = replace(result, frame=source.of_file(audited))
        failed.pop_all()
    return answer


def _with_answers(path: str, audited: Any, schema: pa.Schema, names: tuple[str, str, str]) -> Iterator[pa.Table]:
    """The rows of a copy as the source gave them, with the three columns of the audited frame, in parts.

    Args:
        path: The copy.
        audited: A lazy Polars frame of as many rows.
        schema: The columns of the parts.
        names: The three columns.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    from dqlabels.engines.polars import read_blocks

    answers = (block.to_arrow() for block in read_blocks(audited.select(names), GROUP_ROWS))
    held = next(answers)
    for batch in pq.ParquetFile(path).iter_batches(GROUP_ROWS):
        while held.num_rows < batch.num_rows:
            held = pa.concat_tables([held, next(answers)])
        part, held = held.slice(0, batch.num_rows), held.slice(batch.num_rows)
        columns = [*batch.columns, *(part[name].cast(schema.field(name).type) for name in names)]
        yield pa.table(columns, schema=schema)
