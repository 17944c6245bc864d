"""Connections of the review server, which do not stay open without asking for anything."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from uvicorn.protocols.http.h11_impl import H11Protocol

# Seconds within which a request must have arrived whole; our own page sends one at once.
MAX_WAIT = 20.0


def impatient_protocol(max_wait: float = MAX_WAIT) -> type[H11Protocol]:
    """Return uvicorn's protocol, which closes a connection whose next request is not there whole after ``max_wait`` s.

    Uvicorn itself closes connections that stay idle after an answer, and waits for a first request for ever.
    """
    from uvicorn.protocols.http.h11_impl import H11Protocol

    class Impatient(H11Protocol):
        deadline: asyncio.TimerHandle | None = None

        def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
            super().connection_made(transport)
            self._watch()

        def on_response_complete(self) -> None:
            self._watch()
            super().on_response_complete()

        def connection_lost(self, exc: Exception | None) -> None:
            self._unwatch()
            super().connection_lost(exc)

        def _watch(self) -> None:
            self._unwatch()
            self.deadline = self.loop.call_later(max_wait, self._close_waiting)

        def _unwatch(self) -> None:
            if self.deadline is not None:
                self.deadline.cancel()

        def _close_waiting(self) -> None:
            cycle = self.cycle
            if cycle is None or cycle.response_complete or cycle.more_body:
                self.transport.abort()

    return Impatient
