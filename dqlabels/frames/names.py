"""What a pandas frame is beside its values, given back as it was: names that are no strings, class, attrs and flags."""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import numpy as np
from narwhals.dependencies import is_into_series, is_numpy_array, is_pandas_dataframe, is_pandas_like_dataframe

from dqlabels.errors import FeatureError, LabelColumnError
from dqlabels.frames.storage import Stored, differing, in_storage_of

if TYPE_CHECKING:
    from dqlabels.frames.columns import Column


@dataclass(frozen=True, slots=True)
class Form:
    """What the caller's frame was beside its values.

    Whether it was ``lazy``, ``names`` that are no strings by their text, and ``like``: a pandas frame without rows that
    has the class, the ``attrs`` and the flags, None where it had none of its own. ``stored`` are the columns that were
    not in plain storage, as they were.
    """

    lazy: bool = False
    names: Mapping[str, Hashable] = field(default_factory=dict)
    like: Any = field(default=None, compare=False)
    stored: Stored = field(default_factory=dict, compare=False)

    @classmethod
    def between(cls, table: Any, frame: Any) -> Form:
        """The form of a frame that holds the columns of a table under the caller's names, or is its lazy frame."""
        if type(frame).__name__ == "LazyFrame":
            return cls(lazy=True)
        like, stored = dress_of(frame), differing(table.to_native(), frame)
        if not is_pandas_like_dataframe(frame) or len(table.columns) != len(frame.columns):
            return cls(like=like, stored=stored)
        pairs = zip(table.columns, frame.columns.tolist(), strict=True)
        return cls(names={text: name for text, name in pairs if not isinstance(name, str)}, like=like, stored=stored)

    def rewritten(self, name: str, like: str, before: Column, after: Column) -> Form:
        """The form where a column is to be stored like another of the caller's, some of whose values it changes.

        Args:
            name: The column.
            like: The other one.
            before: (n,) the values of that, as they were read.
            after: (n,) its own.
        """
        if like not in self.stored:
            return self
        changed = ((before != after) | before.is_null()).to_numpy().astype(bool)
        return replace(self, stored={**self.stored, name: in_storage_of(self.stored[like], after.to_native(), changed)})


EAGER = Form()


def dress_of(frame: Any) -> Any:
    """Return a pandas frame without its rows where its class, ``attrs`` or flags are its own, else None.

    >>> import pandas as pd
    >>> frame = pd.DataFrame({"y": [1, 2]})
    >>> frame.attrs["source"] = "survey"
    >>> dress_of(frame).attrs, dress_of(pd.DataFrame({"y": [1, 2]}))
    ({'source': 'survey'}, None)
    """
    if not is_pandas_dataframe(frame):
        return None
    own = type(frame) is not _plain_class(frame) or frame.attrs or not frame.flags.allows_duplicate_labels
    return frame.iloc[:0] if own else None


def undressed(frame: Any) -> tuple[Any, Any]:
    """Return a pandas frame as a plain one, without a copy of its values, and what :func:`dressed` gives it back by.

    Any other frame comes back as it is. Steps of an audit repeat labels of the index, and would copy ``attrs`` each
    time.
    """
    like = dress_of(frame)
    if like is None:
        return frame, None
    plain = _plain_class(frame)(frame)
    plain.attrs = {}
    return plain.set_flags(allows_duplicate_labels=True), like


def dressed(frame: Any, like: Any) -> Any:
    """Return a plain frame with the class, the ``attrs`` and the flags of another, None for a plain one."""
    if like is None:
        return frame
    # pandas asks subclasses to define the first; its own methods end with the second.
    return like._constructor(frame).__finalize__(like)


def _plain_class(frame: Any) -> Any:
    return next(base for base in type(frame).__mro__ if base.__module__.split(".")[0] == "pandas")


def with_text_names(frame: Any) -> tuple[Any, dict[str, Hashable]]:
    """Return a pandas frame whose column names are strings, without a copy of its values, and what they were by text.

    Any other frame comes back as it is.

    Raises:
        FeatureError: Two names would be the same text.

    >>> import pandas as pd
    >>> with_text_names(pd.DataFrame([[1, 2]]))[1]
    {'0': 0, '1': 1}
    """
    if not is_pandas_like_dataframe(frame) or getattr(frame.columns, "nlevels", 1) > 1:
        return frame, {}
    names = frame.columns.tolist()
    originals = {str(name): name for name in names if not isinstance(name, str)}
    if not originals:
        return frame, {}
    if twice := [name for name in names if isinstance(name, str) and name in originals]:
        raise FeatureError(
            f"Columns {originals[twice[0]]!r} and {twice[0]!r} have the same name as text, by which options and "
            "results refer to columns. Rename one of them."
        )
    renamed = frame.copy(deep=False)
    renamed.columns = [str(name) for name in names]
    return renamed, originals


def with_original_names(frame: Any, originals: Mapping[str, Hashable]) -> Any:
    """Return a frame with the names that :func:`with_text_names` read as text.

    >>> import pandas as pd
    >>> with_original_names(*with_text_names(pd.DataFrame([[1, 2]]))).columns.tolist()
    [0, 1]
    """
    if not originals:
        return frame
    renamed = frame.copy(deep=False)
    renamed.columns = [originals.get(name, name) for name in frame.columns.tolist()]
    return renamed


def label_names(label: object) -> str | Sequence[str]:
    """Return the name of the label column, or the names, as text.

    Raises:
        LabelColumnError: The labels themselves were passed, or something else that names no column.

    >>> label_names(4), label_names(("a", "b"))
    ('4', ['a', 'b'])
    """
    if isinstance(label, str):
        return label
    if isinstance(label, (int, np.integer)) and not isinstance(label, bool):
        return str(label)
    if is_into_series(label) or is_pandas_like_dataframe(label) or is_numpy_array(label) or not _is_listed(label):
        raise LabelColumnError(
            f"label= is the name of a column, and a {type(label).__name__} was passed. Put the labels into the frame "
            "and name their column, as in dqlabels.audit(frame.assign(label=labels), 'label')."
        )
    names = list(label)  # type: ignore[call-overload]
    if not names:
        raise LabelColumnError("label=[] names no column.")
    return [name if isinstance(name, str) else label_name(name) for name in names]


def label_name(label: object) -> str:
    """Return the name of one label column as text.

    Raises:
        LabelColumnError: It is none.
    """
    name = label if isinstance(label, (list, tuple, dict)) else label_names(label)
    if not isinstance(name, str):
        raise LabelColumnError(
            f"label= is the name of a column, and a {type(label).__name__} was passed: {str(label)[:60]!r}."
        )
    return name


def _is_listed(label: object) -> bool:
    """Whether names may be listed so: a list, a tuple, or the columns of a frame."""
    return isinstance(label, (list, tuple)) or (hasattr(label, "get_indexer") and getattr(label, "nlevels", 1) == 1)
