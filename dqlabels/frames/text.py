"""Text that no library but Python's own can hold, found before one of them fails on it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import chain
from typing import Any

from dqlabels.errors import FeatureError
from dqlabels.frames.columns import Frame


def check_texts(table: Frame) -> None:
    r"""Raise if a column of Python objects holds a lone surrogate, half of a character as broken files leave it.

    Raises:
        FeatureError: Naming the column, the row and the way out.

    >>> import narwhals as nw, pandas as pd
    >>> table = nw.from_native(pd.DataFrame({"note": pd.Series(["ok", "\ud83d"], dtype=object)}))
    >>> check_texts(table)
    Traceback (most recent call last):
        ...
    dqlabels.errors.FeatureError: Column 'note', row 1: '\ud83d' holds half of a character ...
    """
    if not table.implementation.is_pandas_like():
        return
    for name in table.columns:
        native = table[name].to_native()
        categories = getattr(native.dtype, "categories", None)
        if native.dtype == object:
            _check(name, native.tolist(), "row")
        elif categories is not None and categories.dtype == object:
            _check(name, categories.tolist(), "category")


def _check(name: str, values: Sequence[Any], what: str) -> None:
    if _is_text(values):
        return
    at, value = next((at, value) for at, value in enumerate(values) if not _is_text([value]))
    raise FeatureError(
        f"Column {name!r}, {what} {at:,}: {value!r:.60} holds half of a character (a lone surrogate), which neither "
        "files nor other libraries can hold. Replace it: df[name].map(lambda text: "
        "text.encode('utf-8', 'replace').decode() if isinstance(text, str) else text)."
    )


def _is_text(values: Sequence[Any]) -> bool:
    try:
        joined = "".join(values)
    except TypeError:  # not strings alone
        joined = "".join(_strings(values))
    try:
        return joined.isascii() or bool(joined.encode("utf-8"))
    except UnicodeEncodeError:
        return False


def _strings(values: Iterable[Any]) -> Iterator[str]:
    """Yield the strings among the values, and those in lists of them."""
    nested = chain.from_iterable(value for value in values if isinstance(value, (list, tuple, set, frozenset)))
    return (value for value in chain(values, nested) if isinstance(value, str))
