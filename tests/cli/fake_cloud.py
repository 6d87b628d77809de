"""A cloud in a few lines, for what a healthy appliance never does: break off, lie, refuse early, answer nonsense."""

import hashlib
import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

IMAGE = "6f0a3b7e-0000-4000-8000-000000000001"


class FakeCloud:
    """Answers as Keystone and Glance would, with one image, and faults that a test switches on."""

    def __init__(self, data: bytes) -> None:
        self.data = data
        self.digest = hashlib.sha512(data).hexdigest()
        self.breaks: list[int] = []
        """For each download in turn, after how many bytes the connection is cut."""
        self.ranges: list[str | None] = []
        self.tasks: list[dict[str, Any]] = []
        self.refuse_upload: tuple[int, str, str] | None = None
        self.requests: list[str] = []
        self.received = b""
        self.expires = ""
        cloud = self

        class Handler(_Handler):
            pass

        Handler.cloud = cloud
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        self.shell: dict[str, Any] = {
            "OS_AUTH_URL": self.url,
            "OS_USERNAME": "u",
            "OS_PASSWORD": "p",
            "OS_PROJECT_NAME": "p",
        }
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.01})
        self._thread.start()

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def image(self) -> dict[str, Any]:
        return {
            "id": IMAGE,
            "name": "fake",
            "status": "active",
            "size": len(self.data),
            "os_hash_algo": "sha512",
            "os_hash_value": self.digest,
        }


class _Handler(BaseHTTPRequestHandler):
    cloud: FakeCloud
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        self.cloud.requests.append(f"GET {self.path}")
        if self.path == f"/v2/images/{IMAGE}/file":
            self._file()
        elif self.path == f"/v2/images/{IMAGE}/tasks":
            self._json(200, {"tasks": self.cloud.tasks})
        elif self.path in (f"/v2/images/{IMAGE}", "/v2/images/fake"):
            self._json(200, self.cloud.image())
        else:
            self._text(404, "text/html", "<html><body><h1>404 Not Found</h1>No &amp; nothing.<br /></body></html>")

    def do_POST(self) -> None:
        self.cloud.requests.append(f"POST {self.path}")
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        if self.path == "/v3/auth/tokens":
            endpoint = {"interface": "public", "region_id": "R", "url": f"{self.cloud.url}/v2"}
            token = {
                "catalog": [{"type": "image", "endpoints": [endpoint]}],
                "expires_at": self.cloud.expires,
                "user": {"id": "u"},
            }
            self._json(201, {"token": token}, {"X-Subject-Token": "t"})
        elif self.path == "/v2/images":
            self._json(201, {**self.cloud.image(), **json.loads(body), "id": IMAGE})
        elif self.path == f"/v2/images/{IMAGE}/import":
            self.cloud.tasks.append({"id": "1", "status": "failure", "message": "the address is on the moon"})
            self._json(202, None)
        else:
            self._text(500, "text/plain", "")

    def do_DELETE(self) -> None:
        self.cloud.requests.append(f"DELETE {self.path}")
        self._json(204, None)

    def handle_expect_100(self) -> bool:
        return True

    def do_PUT(self) -> None:
        self.cloud.requests.append(f"PUT {self.path}")
        if self.cloud.refuse_upload:
            self.close_connection = True
            self._text(*self.cloud.refuse_upload)
            return
        self.wfile.write(b"HTTP/1.1 100 Continue\r\n\r\n")
        length = self.headers.get("Content-Length")
        if length is not None:
            self.cloud.received = self.rfile.read(int(length))
        else:
            while size := int(self.rfile.readline(), 16):
                self.cloud.received += self.rfile.read(size)
                self.rfile.readline()
            self.rfile.readline()
        self._json(204, None)

    def _file(self) -> None:
        self.cloud.ranges.append(self.headers.get("Range"))
        start = int((self.headers.get("Range") or "bytes=0-")[6:-1])
        rest = self.cloud.data[start:]
        self.send_response(206 if start else 200)
        self.send_header("Content-Length", str(len(rest)))
        self.end_headers()
        if self.cloud.breaks:
            rest = rest[: self.cloud.breaks.pop(0)]
            self.close_connection = True
        self.wfile.write(rest)

    def _json(self, status: int, document: Any, headers: dict[str, str] | None = None) -> None:
        self._text(status, "application/json", json.dumps(document) if document is not None else "", headers)

    def _text(self, status: int, kind: str, text: str, headers: dict[str, str] | None = None) -> None:
        self.send_response(status)
        for name, value in {"Content-Type": kind, **(headers or {})}.items():
            self.send_header(name, value)
        if status != 204:
            self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        if status != 204:
            self.wfile.write(text.encode())

    def log_message(self, *_: Any) -> None:
        """Say nothing."""
