"""A web server on loopback for imports: pages by path, with status and headers as the test wants them."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler

from tests.answering import answering


@dataclass
class Page:
    """What one path answers. A `gate` holds the body back until it is set."""

    body: bytes = b""
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    gate: threading.Event | None = None
    cut: bool = False


class Web:
    """Pages, and which requests came for them."""

    def __init__(self, base: str) -> None:
        self.pages: dict[str, Page] = {}
        self.requests: list[tuple[str, dict[str, str]]] = []
        self.base = base
        self.port = int(base.rpartition(":")[2])


@contextmanager
def web_server() -> Iterator[Web]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            web.requests.append((self.path, {name.lower(): value for name, value in self.headers.items()}))
            page = web.pages.get(self.path, Page(status=404))
            self.send_response(page.status)
            headers = {"Content-Length": str(len(page.body))} | page.headers
            for name, value in headers.items():
                if value:
                    self.send_header(name, value)
            self.end_headers()
            half = len(page.body) // 2
            try:
                self.wfile.write(page.body[:half])
                if page.gate is not None:
                    page.gate.wait(20)
                if not page.cut:
                    self.wfile.write(page.body[half:])
            except OSError:
                pass

        def log_message(self, format: str, *args: object) -> None:
            pass

    with answering(Handler) as base:
        web = Web(base)
        yield web
