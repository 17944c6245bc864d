"""The local server of the review page: this machine alone, a token, and no request from any other site."""

from __future__ import annotations

import importlib
import json
import secrets
from collections.abc import Callable
from importlib import resources
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs

from dqlabels.errors import MissingExtraError, OptionError
from dqlabels.review.decisions import ConflictError, Decision, DecisionFile
from dqlabels.review.queue import ReviewQueue

if TYPE_CHECKING:
    from starlette.requests import Request
    from starlette.responses import Response
    from starlette.types import ASGIApp, Receive, Scope, Send

MAX_BODY_BYTES = 10_000
MAX_ITEMS = 100
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src data:; "
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
FILES = {"/review.js": "text/javascript", "/review.css": "text/css"}


def require_server() -> None:
    """Say which package the page lacks, before any work is done.

    Raises:
        MissingExtraError: starlette or uvicorn is not installed.
    """
    for name in ("starlette", "uvicorn"):
        try:
            importlib.import_module(name)
        except ImportError as error:
            raise MissingExtraError(f'The review page needs {name}: pip install "dqlabels[review]"') from error


class Guard:
    """Lets through what comes from our own page in this machine's browser, and adds the headers that keep it so.

    A name that another site points at 127.0.0.1 fails by its Host, a request that another site makes by its Origin
    and by the cookie that a browser does not send along (SameSite=Strict).
    """

    def __init__(self, app: ASGIApp, *, port: int, token: str) -> None:
        self.app, self.token = app, token
        self.hosts = {f"127.0.0.1:{port}", f"localhost:{port}"}
        # Cookies do not tell ports apart: two reviews on one machine need two names.
        self.cookie = f"dqlabels_review_{port}"

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request that is refused, or hand it on."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return

        async def send_guarded(message: Any) -> None:
            if message["type"] == "http.response.start":
                message["headers"] += [(name.encode(), value.encode()) for name, value in HEADERS.items()]
            await send(message)

        refusal = self.refusal(scope)
        await (refusal or self.app)(scope, receive, send_guarded)

    def refusal(self, scope: Scope) -> Response | None:
        """The answer to a request that may not pass, or the one that hands out the cookie for the token."""
        from starlette.requests import Request
        from starlette.responses import PlainTextResponse, RedirectResponse

        request = Request(scope)
        if request.headers.get("host") not in self.hosts:
            return PlainTextResponse("This server answers to 127.0.0.1 only.", 421)
        own = {f"http://{host}" for host in self.hosts}
        origin, site = request.headers.get("origin"), request.headers.get("sec-fetch-site")
        changes = request.method not in ("GET", "HEAD")
        if (origin is not None or changes) and origin not in own:
            return PlainTextResponse("Requests of other sites are refused.", 403)
        if changes and site not in (None, "same-origin"):
            return PlainTextResponse("Requests of other sites are refused.", 403)
        given = parse_qs(scope["query_string"].decode("latin-1")).get("token", [""])[0]
        if scope["path"] == "/" and secrets.compare_digest(given.encode(), self.token.encode()):
            answer = RedirectResponse("/", 303)
            answer.set_cookie(self.cookie, self.token, httponly=True, samesite="strict", path="/")
            return answer
        held = request.cookies.get(self.cookie, "")
        if not secrets.compare_digest(held.encode(), self.token.encode()):
            return PlainTextResponse("Open the address that the program printed, with its token.", 403)
        return None


class ReviewApp:
    """What the page asks for, over one queue and one file of decisions."""

    def __init__(self, queue: ReviewQueue, decisions: DecisionFile, label: str) -> None:
        self.queue, self.decisions, self.label = queue, decisions, label

    def about(self, request: Request) -> dict[str, Any]:
        """What does not change: label, classes, how many rows."""
        classes = self.decisions.head["classes"]
        return {"label": self.label, "classes": classes, "blind": self.queue.blind, "total": len(self.queue)}

    def rows(self, request: Request) -> dict[str, Any]:
        """A part of the queue, with what is decided."""
        start, count = _number(request, "start", 0), _number(request, "count", 20)
        return {"items": self.queue.items(start, min(count, MAX_ITEMS))}

    def state(self, request: Request) -> dict[str, Any]:
        """What was decided after ``since``, by any window or server."""
        self.decisions.refresh()
        return self._state(_number(request, "since", 0))

    def decide(self, said: dict[str, Any]) -> dict[str, Any]:
        """Save one decision; it is on the disk when this returns."""
        row, seen, window = said.get("row"), said.get("seen"), str(said.get("window", ""))[:40]
        rows = self.queue.evidence.positions[self.queue.order]
        if type(row) is not int or row not in rows:
            raise OptionError(f"Row {row!r} is not under review here.")
        code, verdict = said.get("code"), said.get("verdict")
        if type(code) is not int or type(seen) is not int or not isinstance(verdict, str):
            raise OptionError("A decision needs row, verdict, code and seen.")
        made = self.decisions.record(row, verdict, code, window=window, seen=seen)
        return {"decision": _plain(made), **self._state(_since(said))}

    def undo(self, said: dict[str, Any]) -> dict[str, Any]:
        """Take back this window's last decision."""
        undone = self.decisions.undo(str(said.get("window", ""))[:40])
        return {"undone": _plain(undone), **self._state(_since(said))}

    def _state(self, since: int) -> dict[str, Any]:
        last, changed = self.decisions.changes(since)
        return {
            "last": last,
            "changed": [[row, _plain(one)] for row, one in changed.items()],
            "progress": self.queue.progress(self.decisions.standing),
        }


def build_app(review: ReviewApp, *, port: int, token: str) -> Guard:
    """The application to serve on 127.0.0.1."""
    from starlette.applications import Starlette
    from starlette.responses import Response
    from starlette.routing import Route

    def file(name: str, kind: str) -> Callable[[Request], Response]:
        content = resources.files("dqlabels.review").joinpath("static").joinpath(name).read_bytes()
        return lambda request: Response(content, media_type=kind)

    routes = [Route("/", file("review.html", "text/html"))]
    routes += [Route(path, file(path[1:], kind)) for path, kind in FILES.items()]
    routes += [Route(f"/api/{name}", _reads(getattr(review, name))) for name in ("about", "rows", "state")]
    routes += [Route(f"/api/{name}", _writes(getattr(review, name)), methods=["POST"]) for name in ("decide", "undo")]
    return Guard(Starlette(routes=routes), port=port, token=token)


def _reads(ask: Callable[[Request], dict[str, Any]]) -> Callable[[Request], Response]:
    def answer(request: Request) -> Response:
        try:
            return _json(200, ask(request))
        except (OptionError, OSError) as error:  # the file of decisions is gone, or was changed
            return _json(500, {"error": str(error)})

    return answer


def _writes(act: Callable[[dict[str, Any]], dict[str, Any]]) -> Any:
    async def answer(request: Request) -> Response:
        from starlette.concurrency import run_in_threadpool

        if request.headers.get("content-type") != "application/json":
            return _json(415, {"error": "Send application/json."})
        body = b""
        async for part in request.stream():
            body += part
            if len(body) > MAX_BODY_BYTES:
                return _json(413, {"error": "Too much for one decision."})
        try:
            said = json.loads(body)
            if not isinstance(said, dict):
                raise OptionError("A decision is a JSON object.")
            return _json(200, await run_in_threadpool(act, said))
        except ConflictError as conflict:
            return _json(409, {"error": str(conflict), "decision": _plain(conflict.decision)})
        except ValueError as error:  # what was sent, or what it means
            return _json(400, {"error": str(error)})
        except OSError as error:
            return _json(507, {"error": f"Not saved: {error.strerror or error}"})

    return answer


def _json(status: int, facts: dict[str, Any]) -> Response:
    from starlette.responses import Response

    return Response(json.dumps(facts), status, media_type="application/json")


def _number(request: Request, name: str, default: int) -> int:
    given = request.query_params.get(name, "")
    return int(given) if given.isdecimal() and len(given) < 12 else default


def _since(said: dict[str, Any]) -> int:
    since = said.get("since")
    return since if type(since) is int else 0


def _plain(decision: Decision | None) -> dict[str, Any] | None:
    if decision is None:
        return None
    return {key: getattr(decision, key) for key in ("id", "row", "verdict", "code", "label", "at")}
