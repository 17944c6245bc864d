"""How many threads to use; no answer ever depends on it."""

from __future__ import annotations

import os


def thread_count(requested: int | None) -> int:
    """Return the number of threads requested, or one per core where no positive number was.

    >>> thread_count(3)
    3
    >>> thread_count(None) == thread_count(-1) >= 1
    True
    """
    return requested if requested and requested > 0 else os.cpu_count() or 1
