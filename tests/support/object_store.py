"""A small stand-in for S3 on this machine: it lists and hands out the objects it was given, to one key alone."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, unquote, urlsplit

KEY = "a-key"


def handler_of(objects: Mapping[str, bytes]) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def log_message(self, *_: object) -> None:
            pass

        def do_HEAD(self) -> None:
            self.do_GET()

        def do_GET(self) -> None:
            url = urlsplit(self.path)
            _, bucket, *rest = unquote(url.path).split("/", 2)
            name = f"{bucket}/{''.join(rest)}"
            if f"Credential={KEY}/" not in self.headers.get("Authorization", ""):
                self.answer(403, b"<Error><Code>InvalidAccessKeyId</Code><Message>Not this key</Message></Error>")
            elif "list-type" in parse_qs(url.query):
                prefix = f"{bucket}/{parse_qs(url.query).get('prefix', [''])[0]}"
                found = [(one.removeprefix(f"{bucket}/"), len(objects[one])) for one in sorted(objects)]
                entries = "".join(
                    f"<Contents><Key>{one}</Key><Size>{size}</Size><LastModified>2026-01-01T00:00:00.000Z</LastModified>"
                    f'<ETag>"{one}"</ETag></Contents>'
                    for one, size in found
                    if f"{bucket}/{one}".startswith(prefix)
                )
                listed = f"<ListBucketResult><IsTruncated>false</IsTruncated>{entries}</ListBucketResult>"
                self.answer(200, listed.encode())
            elif name not in objects:
                self.answer(404, b"<Error><Code>NoSuchKey</Code><Message>No such object</Message></Error>")
            else:
                self.answer(200, objects[name])

        def answer(self, status: int, content: bytes) -> None:
            part, whole = content, len(content)
            asked = self.headers.get("Range")
            if status == 200 and asked:
                first, _, last = asked.removeprefix("bytes=").partition("-")
                start = int(first) if first else max(0, whole - int(last))
                part = content[start : int(last) + 1 if first and last else None]
                self.send_response(206)
                self.send_header("Content-Range", f"bytes {start}-{start + len(part) - 1}/{whole}")
            else:
                self.send_response(status)
            self.send_header("Content-Length", str(len(part)))
            self.send_header("ETag", '"1"')
            self.send_header("Last-Modified", "Thu, 01 Jan 2026 00:00:00 GMT")
            self.end_headers()
            if self.command != "HEAD":
                self.wfile.write(part)

    return Handler


@contextmanager
def object_store(objects: Mapping[str, bytes]) -> Iterator[str]:
    """Serve objects, by their bucket and key, until left; gives the address."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler_of(objects))
    thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
