"""A review in the browser, while Python waits or carries on."""

from __future__ import annotations

import os
import secrets
import socket
import tempfile
import threading
import time
import webbrowser
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import narwhals as nw

from dqlabels.errors import OptionError
from dqlabels.frames.outputs import table_of
from dqlabels.noise.reviewed import UNCLEAR
from dqlabels.review.connections import MAX_WAIT, impatient_protocol
from dqlabels.review.decisions import Decision, DecisionFile
from dqlabels.review.queue import ReviewQueue
from dqlabels.review.server import ReviewApp, build_app, require_server

LOOPBACK = "127.0.0.1"
LEADING = (
    '<!DOCTYPE html><title>dqlabels review</title><meta http-equiv="refresh" content="0;url={url}">'
    '<a href="{url}">Review</a>'
)


class ReviewSession:
    """A running review page. ``url`` includes its token; each decision is written to the disk at once.

    Raises:
        MissingExtraError: The extra ``review`` is not installed.
        OptionError: The port is taken.

    >>> import tempfile
    >>> import dqlabels, polars as pl
    >>> probs = {"ham": [0.9, 0.1, 0.2, 0.3], "spam": [0.1, 0.9, 0.8, 0.7]}
    >>> mail = pl.DataFrame({"label": ["ham", "ham", "spam", "spam"], **probs})
    >>> audit = dqlabels.audit(mail, "label", pred_probs=["ham", "spam"])
    >>> folder = tempfile.TemporaryDirectory()
    >>> with audit.review(f"{folder.name}/mail.jsonl", open_browser=False) as session:
    ...     session.url.startswith("http://127.0.0.1:")
    True
    >>> folder.cleanup()
    """

    def __init__(
        self, queue: ReviewQueue, decisions: DecisionFile, label: str, *, port: int = 0, max_wait: float = MAX_WAIT
    ) -> None:
        require_server()
        import uvicorn

        self.queue, self.decisions = queue, decisions
        # The family and type are named so that asyncio recognises TCP and sends each answer at once.
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            self._socket.bind((LOOPBACK, port))
            self._socket.listen(64)  # from now on a browser waits for the server instead of failing
        except OSError as error:
            self._socket.close()
            raise OptionError(f"Port {port} of {LOOPBACK} cannot be used: {error.strerror}. Choose another.") from error
        self.port = int(self._socket.getsockname()[1])
        token = secrets.token_urlsafe(24)
        self.url = f"http://{LOOPBACK}:{self.port}/?token={token}"
        app = build_app(ReviewApp(queue, decisions, label), port=self.port, token=token)
        config = uvicorn.Config(
            app,
            log_level="error",
            access_log=False,
            server_header=False,
            lifespan="off",
            ws="none",
            http=impatient_protocol(max_wait),
        )
        self._server = uvicorn.Server(config)
        self._thread: threading.Thread | None = None
        self._folder: tempfile.TemporaryDirectory[str] | None = None

    def serve(self) -> None:
        """Serve in this thread until interrupted.

        Example::

            session = audit.review("mail.review.jsonl", start=False)
            print(session.url)
            session.serve()  # until Ctrl-C
        """
        self._server.run(sockets=[self._socket])

    def start(self, *, open_browser: bool = True) -> ReviewSession:
        """Serve in another thread, and open the page in a browser if asked to.

        >>> import tempfile
        >>> import dqlabels, polars as pl
        >>> probs = {"ham": [0.9, 0.1, 0.2, 0.3], "spam": [0.1, 0.9, 0.8, 0.7]}
        >>> mail = pl.DataFrame({"label": ["ham", "ham", "spam", "spam"], **probs})
        >>> audit = dqlabels.audit(mail, "label", pred_probs=["ham", "spam"])
        >>> folder = tempfile.TemporaryDirectory()
        >>> session = audit.review(f"{folder.name}/mail.jsonl", start=False).start(open_browser=False)
        >>> session.stop()
        >>> folder.cleanup()
        """
        self._thread = threading.Thread(target=self.serve, name="dqlabels-review", daemon=True)
        self._thread.start()
        until = time.monotonic() + 10
        while not self._server.started and self._thread.is_alive() and time.monotonic() < until:
            time.sleep(0.01)
        if open_browser:
            self.open_browser()
        return self

    def open_browser(self) -> None:
        """Open the page in a browser.

        Other accounts of this machine can read what a program is started with, so the browser is passed no token but a
        file that only this account can read and that leads it to the page.

        Example::

            session = audit.review("mail.review.jsonl", open_browser=False)
            session.open_browser()
        """
        if self._folder is None:
            self._folder = tempfile.TemporaryDirectory(prefix="dqlabels-review-")  # of mode 700
        leading = Path(self._folder.name) / "open.html"
        with os.fdopen(os.open(leading, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w", encoding="utf-8") as file:
            file.write(LEADING.format(url=self.url))
        webbrowser.open(leading.as_uri())

    def stop(self) -> None:
        """Stop serving; the decisions stay in their file.

        >>> import tempfile
        >>> import dqlabels, polars as pl
        >>> probs = {"ham": [0.9, 0.1, 0.2, 0.3], "spam": [0.1, 0.9, 0.8, 0.7]}
        >>> mail = pl.DataFrame({"label": ["ham", "ham", "spam", "spam"], **probs})
        >>> audit = dqlabels.audit(mail, "label", pred_probs=["ham", "spam"])
        >>> folder = tempfile.TemporaryDirectory()
        >>> session = audit.review(f"{folder.name}/mail.jsonl", open_browser=False)
        >>> session.stop()
        >>> folder.cleanup()
        """
        self._server.should_exit = True
        if self._thread is not None:
            self._thread.join(10)
        self._socket.close()
        if self._folder is not None:
            self._folder.cleanup()
            self._folder = None

    def wait(self) -> None:
        """Wait until the server stops or Ctrl-C, which stops it.

        Example::

            session = audit.review("mail.review.jsonl")
            session.wait()  # until Ctrl-C
            dqlabels.apply_decisions(mail, "mail.review.jsonl")
        """
        try:
            while self._thread is not None and self._thread.is_alive():
                self._thread.join(0.5)
        except KeyboardInterrupt:
            self.stop()

    def answers(self) -> Any:
        """Return the sample as ``with_review`` takes it: row and reviewed_label, in order, empty where undecided.

        Raises:
            OptionError: The rows are not a sample but suspicious ones, which say nothing about the others.

        >>> import tempfile
        >>> import dqlabels, polars as pl
        >>> probs = {"ham": [0.9, 0.1, 0.2, 0.3], "spam": [0.1, 0.9, 0.8, 0.7]}
        >>> mail = pl.DataFrame({"label": ["ham", "ham", "spam", "spam"], **probs})
        >>> audit = dqlabels.audit(mail, "label", pred_probs=["ham", "spam"])
        >>> folder = tempfile.TemporaryDirectory()
        >>> with audit.review(f"{folder.name}/mail.jsonl", sample=4, open_browser=False) as session:
        ...     _ = session.decisions.record(1, "choose", 1)  # what a click on "spam" does
        ...     sorted(session.answers().rows())
        [(0, None), (1, 'spam'), (2, None), (3, None)]
        >>> folder.cleanup()
        """
        if not self.queue.blind:
            raise OptionError("Suspicious rows give no noise rate. Review a sample: audit.review(path, sample=100).")
        self.decisions.refresh()
        standing = self.decisions.standing
        return self._table([(row, standing.get(row)) for row in self.queue.rows])

    def decided(self) -> Any:
        """Return all decisions in the file: row, reviewed_label and note; ``"unclear"`` where that was the decision.

        >>> import tempfile
        >>> import dqlabels, polars as pl
        >>> probs = {"ham": [0.9, 0.1, 0.2, 0.3], "spam": [0.1, 0.9, 0.8, 0.7]}
        >>> mail = pl.DataFrame({"label": ["ham", "ham", "spam", "spam"], **probs})
        >>> audit = dqlabels.audit(mail, "label", pred_probs=["ham", "spam"])
        >>> folder = tempfile.TemporaryDirectory()
        >>> with audit.review(f"{folder.name}/mail.jsonl", open_browser=False) as session:
        ...     _ = session.decisions.record(1, "choose", 1, note="an advert")  # what a click on "spam" does
        ...     session.decided().rows()
        [(1, 'spam', 'an advert')]
        >>> folder.cleanup()
        """
        self.decisions.refresh()
        made = sorted(self.decisions.standing.items())
        notes = [one.note for _, one in made]
        table = nw.from_native(self._table(made), eager_only=True)
        return table.with_columns(nw.new_series("note", notes, nw.String, backend=table.implementation)).to_native()

    def conclusion(self) -> str:
        """Return what the sample says so far: the noise rate, and on which side of the limit.

        >>> import tempfile
        >>> import dqlabels, polars as pl
        >>> probs = {"ham": [0.9, 0.1, 0.2, 0.3], "spam": [0.1, 0.9, 0.8, 0.7]}
        >>> mail = pl.DataFrame({"label": ["ham", "ham", "spam", "spam"], **probs})
        >>> audit = dqlabels.audit(mail, "label", pred_probs=["ham", "spam"])
        >>> folder = tempfile.TemporaryDirectory()
        >>> with audit.review(f"{folder.name}/mail.jsonl", sample=4, max_noise_rate=0.5, open_browser=False) as session:
        ...     for row, code in enumerate([0, 1, 1, 1]):
        ...         _ = session.decisions.record(row, "choose", code)  # what clicks on the classes do
        ...     session.conclusion()
        'Noise rate 25.0% (90% interval 25.0% to 25.0%). Enough rows read to say: below the limit of 50.0%.'
        >>> folder.cleanup()
        """
        self.decisions.refresh()
        return self.queue.conclude(self.decisions.standing)

    def _table(self, rows: Sequence[tuple[int, Decision | None]]) -> Any:
        """Rows by number with what was decided on them, in the caller's library."""
        backend = self.queue.table.implementation
        name = "row"
        while name in self.queue.table.columns:  # as in the sample of the audit
            name += "_"
        answers = [None if one is None else one.label if one.code >= 0 else UNCLEAR for _, one in rows]
        numbers = nw.new_series(name, [row for row, _ in rows], nw.Int64, backend=backend)
        labels = nw.new_series("reviewed_label", answers, nw.String, backend=backend)
        return table_of({name: numbers, "reviewed_label": labels}, backend).to_native()

    def __enter__(self) -> ReviewSession:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def __repr__(self) -> str:
        return f"<ReviewSession at {self.url}, decisions in {self.decisions.path}>"
