"""How many threads to use; no answer ever depends on it."""

from __future__ import annotations

import contextlib
import os
import threading


def thread_count(requested: int | None) -> int:
    """Return the number of threads requested, or one per core where no positive number was.

    >>> thread_count(3)
    3
    >>> thread_count(None) == thread_count(-1) >= 1
    True
    """
    return requested if requested and requested > 0 else os.cpu_count() or 1


class _OneBlasThread:
    """Holds the linear algebra library to one thread while anybody is inside; the last to leave sets it free again.

    Two of its threads on small matrices wait for each other, and for our own: on two busy cores a logistic regression
    took 10 to 40 times as long with two as with one.
    """

    def __init__(self) -> None:
        self._lock, self._inside, self._limit = threading.Lock(), 0, contextlib.ExitStack()

    def __enter__(self) -> None:
        from threadpoolctl import ThreadpoolController  # type: ignore[import-untyped]  # comes with scikit-learn

        with self._lock:
            if not self._inside:
                self._limit.enter_context(ThreadpoolController().limit(limits=1, user_api="blas"))
            self._inside += 1

    def __exit__(self, *_: object) -> None:
        with self._lock:
            self._inside -= 1
            if not self._inside:
                self._limit.close()


one_blas_thread = _OneBlasThread()
