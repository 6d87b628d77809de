"""Between QEMU and the appliance: adds the token that QEMU can't send, and passes ranges on as they are asked for.

QEMU's HTTP driver sends no header of one's choice, and begins with HEAD, to which Glance answers 405.
"""

import http.client
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import urlsplit

PASSED_ON = ("Content-Length", "Content-Range", "Content-Type")


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: "Bridge"

    def do_HEAD(self) -> None:
        self.send_response(200)
        self.send_header("Accept-Ranges", "bytes")
        self.send_header("Content-Length", str(self.server.size))
        self.end_headers()

    def do_GET(self) -> None:
        where = urlsplit(self.server.url)
        connection = http.client.HTTPConnection(where.netloc, timeout=60)
        try:
            asked = {"X-Auth-Token": self.server.token}
            if wanted := self.headers.get("Range"):
                asked["Range"] = wanted
            connection.request("GET", where.path, headers=asked)
            answer = connection.getresponse()
            body = answer.read()
        finally:
            connection.close()
        self.server.answers.append((answer.status, len(body)))
        self.send_response(answer.status)
        for name in PASSED_ON:
            if value := answer.getheader(name):
                self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        """The appliance has a log."""


class Bridge(ThreadingHTTPServer):
    """Serves one image's data on loopback."""

    daemon_threads = True

    def __init__(self, url: str, token: str, size: int) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.url, self.token, self.size = url, token, size
        self.answers: list[tuple[int, int]] = []
        """Status and length of each answer of the appliance."""

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}/disk"

    def handle_error(self, request: object, client_address: object) -> None:
        """QEMU drops requests that it no longer needs."""


@contextmanager
def bridge(url: str, token: str, size: int) -> Iterator[Bridge]:
    server = Bridge(url, token, size)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield server
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
