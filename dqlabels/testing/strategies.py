"""Label columns drawn by hypothesis."""

from __future__ import annotations

import datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from dqlabels.errors import MissingExtraError, OptionError

if TYPE_CHECKING:
    from hypothesis.strategies import SearchStrategy


def label_columns(
    *,
    min_size: int = 2,
    max_size: int = 40,
    missing: bool = True,
) -> SearchStrategy[list[Any]]:
    """A hypothesis strategy for the values of a column of classes, of every type that dqlabels takes as labels.

    Each draw is of one type (text, whole numbers, Booleans, dates, date-times, decimals) and has at least two classes.

    Args:
        min_size: Fewest values, at least 2.
        max_size: Most values.
        missing: Whether some of them may be None.

    Raises:
        MissingExtraError: hypothesis is not installed.
        OptionError: The sizes leave no room for two classes.

    >>> from hypothesis import given
    >>> @given(label_columns(max_size=5))
    ... def test_two_classes(values):
    ...     assert len(set(values) - {None}) >= 2
    >>> test_two_classes()
    """
    if not 2 <= min_size <= max_size:
        raise OptionError(f"min_size={min_size} and max_size={max_size} must be in order, and at least 2.")
    try:
        from hypothesis import strategies as st
    except ImportError as error:
        raise MissingExtraError("dqlabels.testing.label_columns needs hypothesis: pip install hypothesis") from error

    def drawn(classes: list[Any]) -> SearchStrategy[list[Any]]:
        values = st.sampled_from([*classes, None] if missing else classes)
        rest = st.lists(values, min_size=min_size - 2, max_size=max_size - 2)
        return rest.flatmap(lambda some: st.permutations([*classes[:2], *some]))

    types = [
        st.text(st.characters(exclude_categories=("Cs", "Cc")), min_size=1, max_size=12),
        st.integers(-(2**31), 2**31 - 1),
        st.booleans(),
        st.dates(datetime.date(1900, 1, 1), datetime.date(2100, 1, 1)),
        st.datetimes(datetime.datetime(1900, 1, 1), datetime.datetime(2100, 1, 1)),
        st.decimals(-1000, 1000, places=2).map(Decimal),
    ]
    return st.sampled_from(types).flatmap(lambda one: st.lists(one, min_size=2, max_size=6, unique=True).flatmap(drawn))
