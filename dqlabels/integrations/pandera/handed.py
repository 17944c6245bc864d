"""The frame that was handed to pandera, for columns that a schema takes out of it before its checks see it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar

from dqlabels.audits.base import NativeFrame
from dqlabels.frames.reading import read_frame

_handed: ContextVar[NativeFrame | None] = ContextVar("handed", default=None)


@contextmanager
def handed(frame: NativeFrame | None) -> Iterator[None]:
    """Remember the frame that a schema validates; None where its checks may see other rows than it has."""
    token = _handed.set(frame)
    try:
        yield
    finally:
        _handed.reset(token)


def with_handed_columns(frame: NativeFrame, names: Iterable[str]) -> NativeFrame:
    """Return the frame that a check sees, with those of these columns that the schema took out of it.

    ``strict="filter"`` drops columns that the schema does not name, and no rows. Where the rows may not be those that
    were handed in, nothing is added.

    Args:
        frame: What the check sees.
        names: Columns to have.
    """
    whole, wanted = _handed.get(), list(names)
    if whole is None or not wanted:
        return frame
    table = read_frame(frame)[1]
    gone = [name for name in wanted if name not in table.columns]
    if not gone:
        return frame
    source = read_frame(whole)[1]
    there = [name for name in gone if name in source.columns]
    if not there or len(source) != len(table):
        return frame
    if table.implementation.is_pandas_like() and not source.to_native().index.equals(table.to_native().index):
        return frame
    return table.with_columns(*[source[name] for name in there]).to_native()
