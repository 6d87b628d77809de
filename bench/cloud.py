"""An image and an identity service seen from outside: what every bench of whole services asks of them, and times."""

import http.client
import json
import socket
import statistics
import time
from collections.abc import Callable
from typing import Any
from urllib.parse import SplitResult

from appliance.values import MIB
from bench.kept_clients import Load, load

_CHUNK = MIB
_CALLS = 300
CROWDS = (1, 4, 16, 64)
"""Numbers of clients that keep their connections."""

PASSWORD = "bench"


class Cloud:
    """Both services' addresses, and a token of their admin."""

    def __init__(self, image: SplitResult, identity: SplitResult) -> None:
        self.image = image
        self.identity = identity
        self.token = self.issue()

    def issue(self) -> str:
        """A new token."""
        user = {"name": "admin", "domain": {"id": "default"}, "password": PASSWORD}
        scope = {"project": {"name": "admin", "domain": {"id": "default"}}}
        auth = {"identity": {"methods": ["password"], "password": {"user": user}}, "scope": scope}
        connection = http.client.HTTPConnection(self.identity.netloc)
        connection.request("POST", "/v3/auth/tokens", json.dumps({"auth": auth}), {"Content-Type": "application/json"})
        token = connection.getresponse().headers["X-Subject-Token"]
        connection.close()
        assert token
        return token

    def call(self, connection: http.client.HTTPConnection, method: str, path: str, document: Any = None) -> Any:
        """The document that a request is answered with."""
        headers = {"X-Auth-Token": self.token, "X-Subject-Token": self.token, "Content-Type": "application/json"}
        connection.request(method, path, json.dumps(document) if document is not None else None, headers)
        answer = connection.getresponse()
        body = answer.read()
        assert answer.status < 300, (answer.status, body)
        return json.loads(body) if body else None

    def new_images(self, count: int) -> list[str]:
        """Ids of new images without data."""
        connection = http.client.HTTPConnection(self.image.netloc)
        form = {"disk_format": "raw", "container_format": "bare"}
        made = [self.call(connection, "POST", "/v2/images", {"name": f"n{n}", **form})["id"] for n in range(count)]
        connection.close()
        return made

    def delete(self, *images: str) -> None:
        """Delete images."""
        connection = http.client.HTTPConnection(self.image.netloc)
        for image in images:
            self.call(connection, "DELETE", f"/v2/images/{image}")
        connection.close()

    def upload(self, data: bytes) -> tuple[str, float]:
        """A new image with this data, and the seconds from its first byte to the answer."""
        image = self.new_images(1)[0]
        with socket.create_connection((self.image.hostname, self.image.port)) as connection:
            head = (
                f"PUT /v2/images/{image}/file HTTP/1.1\r\nHost: bench\r\nX-Auth-Token: {self.token}\r\n"
                f"Content-Type: application/octet-stream\r\nContent-Length: {len(data)}\r\n\r\n"
            )
            begin = time.monotonic()
            connection.sendall(head.encode())
            connection.sendall(data)
            answer = connection.recv(4096)
            assert answer.startswith(b"HTTP/1.1 204"), answer
            return image, time.monotonic() - begin

    def download(self, image: str, size: int) -> float:
        """Seconds to take all bytes of an image and throw them away."""
        path = f"/v2/images/{image}/file"
        return fetch(self.image.hostname or "", self.image.port or 0, path, size, f"X-Auth-Token: {self.token}\r\n")

    def rate(self, address: SplitResult, method: str, path: str, calls: int = _CALLS) -> float:
        """Answers a second to one client that keeps its connection."""
        connection = http.client.HTTPConnection(address.netloc)
        self.call(connection, method, path)
        took = seconds(lambda: [self.call(connection, method, path) for _ in range(calls)])
        connection.close()
        return calls / took

    def load(self, address: SplitResult, path: str, clients: int, span: float) -> Load:
        """What so many clients get who keep their connections and ask again as soon as they are answered."""
        tokens = f"X-Auth-Token: {self.token}\r\nX-Subject-Token: {self.token}\r\n"
        request = f"GET {path} HTTP/1.1\r\nHost: bench\r\n{tokens}\r\n"
        return load(address.hostname or "", address.port or 0, clients, span, request.encode())


def fetch(host: str, port: int, path: str, size: int, fields: str = "") -> float:
    """Seconds to take all bytes of an answer and throw them away."""
    buffer = bytearray(_CHUNK)
    with socket.create_connection((host, port)) as connection:
        begin = time.monotonic()
        connection.sendall(f"GET {path} HTTP/1.0\r\nHost: bench\r\n{fields}\r\n".encode())
        got = 0
        while count := connection.recv_into(buffer):
            got += count
        assert got > size, (got, size)
        return time.monotonic() - begin


def free_port() -> int:
    """A port of loopback that nobody uses."""
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        return int(sock.getsockname()[1])


def seconds(work: Callable[[], object]) -> float:
    """How long something takes."""
    begin = time.monotonic()
    work()
    return time.monotonic() - begin


def ratio(ours: list[float], theirs: list[float]) -> float:
    """The median of how many times ours is theirs, round by round."""
    return statistics.median(mine / other for mine, other in zip(ours, theirs, strict=True))
