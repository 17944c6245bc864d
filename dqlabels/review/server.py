"""The local server of the review page. It serves this machine only, behind a token, and refuses other sites."""

from __future__ import annotations

import importlib
import json
import secrets
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import asdict
from importlib import resources
from itertools import islice
from typing import TYPE_CHECKING, TypeGuard
from urllib.parse import parse_qs

from dqlabels.errors import MissingExtraError, OptionError
from dqlabels.review.decisions import UNCLEAR_CODE, ConflictError, Decision, DecisionFile, NewDecision
from dqlabels.review.queue import ReviewQueue
from dqlabels.review.selection import ORDERS, Order, Selection

if TYPE_CHECKING:
    from starlette.requests import Request
    from starlette.responses import Response
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

MAX_BODY_BYTES = 20_000
MAX_ITEMS = 100
MAX_WINDOW_LENGTH = 40
MAX_TEXT_LENGTH = 500
# As many decisions as the page makes at once.
MAX_UNDONE = 100_000
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self' data:; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
HEADERS = {
    "content-security-policy": POLICY,
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
    "referrer-policy": "no-referrer",
    "cache-control": "no-store",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
}
# Not a redirect: a browser that came from elsewhere, such as the file that opens it, would not send the cookie along.
ENTERED = (
    '<!DOCTYPE html><title>dqlabels review</title><link rel="icon" href="data:,">'
    '<meta http-equiv="refresh" content="0;url=/"><a href="/">Review</a>'
)
FILES = {"/review.js": "text/javascript", "/review.css": "text/css"}


# What the page sends, of which nothing is known until it is checked.
PageMessage = Mapping[str, object]
# What it gets, as plain values.
Answer = Mapping[str, object]


def require_server() -> None:
    """Raise if a package that the page needs is missing, before any work is done.

    Raises:
        MissingExtraError: starlette or uvicorn is not installed.
    """
    for name in ("starlette", "uvicorn"):
        try:
            importlib.import_module(name)
        except ImportError as error:
            raise MissingExtraError(f'The review page needs {name}: pip install "dqlabels[review]"') from error


class Guard:
    """Lets only our own page in this machine's browser through, and adds the headers that keep others out.

    A name that another site points at 127.0.0.1 is refused for its Host header. A request that another site makes is
    refused for its Origin header, and for lack of the cookie, which browsers do not send along (SameSite=Strict).
    """

    def __init__(self, app: ASGIApp, *, port: int, token: str) -> None:
        self.app, self.token = app, token
        self.hosts = {f"127.0.0.1:{port}", f"localhost:{port}"}
        # Cookies are shared by all ports, so each review on this machine needs a name of its own.
        self.cookie = f"dqlabels_review_{port}"

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Refuse a request, or hand it on."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return

        async def send_guarded(message: Message) -> None:
            if message["type"] == "http.response.start":
                message["headers"] += [(name.encode(), value.encode()) for name, value in HEADERS.items()]
            await send(message)

        refusal = self.refusal(scope)
        await (refusal or self.app)(scope, receive, send_guarded)

    def refusal(self, scope: Scope) -> Response | None:
        """Return the answer to a request that is refused or that brings the token for the cookie, else None."""
        from starlette.requests import Request
        from starlette.responses import HTMLResponse, PlainTextResponse

        request = Request(scope)
        if request.headers.get("host") not in self.hosts:
            return PlainTextResponse("This server answers to 127.0.0.1 only.", 421)
        own = {f"http://{host}" for host in self.hosts}
        origin, site = request.headers.get("origin"), request.headers.get("sec-fetch-site")
        changes = request.method not in ("GET", "HEAD")
        if (origin is not None or changes) and origin not in own:
            return PlainTextResponse("Requests from other sites are refused.", 403)
        if changes and site not in (None, "same-origin"):
            return PlainTextResponse("Requests from other sites are refused.", 403)
        token = parse_qs(scope["query_string"].decode("latin-1")).get("token", [""])[0]
        if scope["path"] == "/" and secrets.compare_digest(token.encode(), self.token.encode()):
            answer = HTMLResponse(ENTERED)
            answer.set_cookie(self.cookie, self.token, httponly=True, samesite="strict", path="/")
            return answer
        cookie = request.cookies.get(self.cookie, "")
        if not secrets.compare_digest(cookie.encode(), self.token.encode()):
            return PlainTextResponse("Open the address that the program printed, including its token.", 403)
        return None


class ReviewApp:
    """Answers what the page asks for, from one queue and one file of decisions."""

    def __init__(self, queue: ReviewQueue, decisions: DecisionFile, label: str) -> None:
        self.queue, self.decisions, self.label = queue, decisions, label

    def about(self, request: Request) -> Answer:
        """Return what does not change: the label, its classes, and how many rows there are."""
        free = self.queue.free is not None
        classes = list(self.queue.evidence.classes) if free else self.decisions.head["classes"]
        about = {"label": self.label, "classes": classes, "blind": self.queue.blind, "rows": self.queue.rows}
        return {**about, "free": free, **self.queue.facets()}

    def rows(self, request: Request) -> Answer:
        """Return the rows at some places of the queue, or a part of it."""
        start, count = _number(request, "start", 0), _number(request, "count", 20)
        places = request.query_params.get("places")
        wanted = range(start, start + count) if places is None else map(int, filter(str.isdecimal, places.split(",")))
        return {"items": self.queue.items(list(islice(wanted, MAX_ITEMS)))}

    def places(self, request: Request) -> Answer:
        """Return the places in the queue of the rows that a reviewer wants to see, in order."""
        asked = request.query_params
        text = {name: asked.get(name, "")[:MAX_TEXT_LENGTH] for name in ("column", "value", "text")}
        order: Order = next((order for order in ORDERS if order == asked.get("order")), "queue")
        codes = {name: _number(request, name, -1) for name in ("given", "suggested")}
        given, suggested = (None if code < 0 else code for code in codes.values())
        if self.queue.blind:
            raise OptionError("Rows of a sample come in the order in which they were drawn.")
        return {"places": self.queue.queued.places(Selection(given, suggested, **text, order=order))}

    def image(self, request: Request) -> Response:
        """Return an image that a row holds."""
        from starlette.responses import Response

        found = self.queue.image(_number(request, "place", -1), request.query_params.get("column", ""))
        return Response(status_code=404) if found is None else Response(found[0], media_type=found[1])

    def state(self, request: Request) -> Answer:
        """Return what was decided after the line ``since``, by any window or server."""
        self.decisions.refresh()
        return self._state(_number(request, "since", 0))

    def decide(self, message: PageMessage) -> Answer:
        """Save one decision; it is on the disk when this returns."""
        row, seen, window = message.get("row"), message.get("seen"), _window(message)
        if not _is_int(row) or row not in self.queue.places:
            raise OptionError(f"Row {row!r} is not under review here.")
        code, verdict = message.get("code"), message.get("verdict")
        if not _is_int(code) or not _is_int(seen) or not isinstance(verdict, str):
            raise OptionError("A decision needs row, verdict, code and seen.")
        answer = ""
        if self.queue.free is not None:
            code, answer = self.queue.answer_for(row, verdict, code, _text(message, "answer"))
        made = self.decisions.record(row, verdict, code, window=window, seen=seen, note=_note(message), answer=answer)
        return {"decision": _plain(made), **self._state(_since(message))}

    def decide_all(self, message: PageMessage) -> Answer:
        """Save one verdict on several rows; all of them are on the disk when this returns."""
        rows, verdict, code = message.get("rows"), message.get("verdict"), message.get("code", UNCLEAR_CODE)
        if not isinstance(rows, list) or not isinstance(verdict, str) or not _is_int(code):
            raise OptionError("A decision on several rows has rows, a verdict and a class.")
        wanted = []
        for one in rows:
            if not isinstance(one, list) or len(one) != 2 or not all(map(_is_int, one)):
                raise OptionError("Each of several rows has its number and the decision that was seen.")
            row, seen = one
            meant, answer = self.queue.answer_for(row, verdict, code)
            wanted.append(NewDecision(row, verdict, meant, seen, _note(message), answer))
        made, passed_over = self.decisions.record_all(wanted, window=_window(message))
        return {"made": len(made), "passed_over": passed_over, **self._state(_since(message))}

    def undo(self, message: PageMessage) -> Answer:
        """Take back the last decision of this window, or as many as were made at once."""
        count = message.get("count", 1)
        taken = self.decisions.undo_last(_window(message), min(count, MAX_UNDONE) if _is_int(count) else 1)
        undone = taken[-1] if taken else None  # the first of those that were made
        return {"undone": _plain(undone), **self._state(_since(message))}

    def _state(self, since: int) -> Answer:
        last, changed = self.decisions.changes(since)
        return {
            "last": last,
            "changed": [(row, _plain(one)) for row, one in changed.items()],
            "progress": self.queue.progress(self.decisions.standing),
        }


def build_app(review: ReviewApp, *, port: int, token: str) -> Guard:
    """Return the application to serve on 127.0.0.1."""
    from starlette.applications import Starlette
    from starlette.responses import Response
    from starlette.routing import Route

    def file(name: str, kind: str) -> Callable[[Request], Awaitable[Response]]:
        content = resources.files("dqlabels.review").joinpath("static").joinpath(name).read_bytes()

        async def answer(request: Request) -> Response:  # in no thread, since these may all be waiting for a lock
            return Response(content, media_type=kind)

        return answer

    routes = [Route("/", file("review.html", "text/html"))]
    routes += [Route(path, file(path[1:], kind)) for path, kind in FILES.items()]
    routes += [Route(f"/api/{name}", _reads(getattr(review, name))) for name in ("about", "rows", "places", "state")]
    routes.append(Route("/api/image", review.image))
    written = ("decide", "decide_all", "undo")
    routes += [Route(f"/api/{name}", _writes(getattr(review, name)), methods=["POST"]) for name in written]
    return Guard(Starlette(routes=routes), port=port, token=token)


def _reads(ask: Callable[[Request], Answer]) -> Callable[[Request], Response]:
    def answer(request: Request) -> Response:
        try:
            return _json(200, ask(request))
        except (OptionError, OSError) as error:  # the file of decisions is gone, or another program changed it
            return _json(500, {"error": str(error)})

    return answer


def _writes(act: Callable[[PageMessage], Answer]) -> Callable[[Request], Awaitable[Response]]:
    async def answer(request: Request) -> Response:
        from starlette.concurrency import run_in_threadpool

        if request.headers.get("content-type") != "application/json":
            return _json(415, {"error": "Send application/json."})
        body = b""
        async for part in request.stream():
            body += part
            if len(body) > MAX_BODY_BYTES:
                return _json(413, {"error": "The request is too large for one decision."})
        try:
            message = json.loads(body)
            if not isinstance(message, dict):
                raise OptionError("A decision is a JSON object.")
            return _json(200, await run_in_threadpool(act, message))
        except ConflictError as conflict:
            return _json(409, {"error": str(conflict), "decision": _plain(conflict.decision)})
        except (ValueError, RecursionError) as error:  # it is not JSON, nested without end, or not a decision
            return _json(400, {"error": str(error)})
        except OSError as error:
            return _json(507, {"error": f"Not saved: {error.strerror or error}"})

    return answer


def _json(status: int, answer: Answer) -> Response:
    from starlette.responses import Response

    return Response(json.dumps(answer), status, media_type="application/json")


def _number(request: Request, name: str, default: int) -> int:
    text = request.query_params.get(name, "")
    return int(text) if text.isdecimal() and len(text) < 12 else default


def _is_int(value: object) -> TypeGuard[int]:
    return type(value) is int  # not a bool


def _window(message: PageMessage) -> str:
    return str(message.get("window", ""))[:MAX_WINDOW_LENGTH]


def _note(message: PageMessage) -> str:
    return _text(message, "note")


def _text(message: PageMessage, name: str) -> str:
    text = message.get(name, "")
    return text if isinstance(text, str) else ""


def _since(message: PageMessage) -> int:
    since = message.get("since")
    return since if _is_int(since) else 0


def _plain(decision: Decision | None) -> Answer | None:
    """A decision as the page knows it, which says nothing of the window that made it."""
    if decision is None:
        return None
    return {name: value for name, value in asdict(decision).items() if name != "window"}
