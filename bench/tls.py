"""What TLS costs: the same transfers and requests in plain HTTP and in HTTPS, on loopback. Prints ratios.

    python -m bench.tls [--rounds 7] [--size-mib 256]

Client and server share the processors, so the client's half of the arithmetic is in the figures, too.
"""

import argparse
import datetime
import os
import socket
import ssl
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from appliance.certificates import Authority
from appliance.server.server import Listener, Server
from appliance.server.tls import ServerCertificate
from appliance.values import KIB, MIB
from bench.transport import FileContent, report

_REQUESTS = 100
_CHUNK = 1 * MIB


def serve(path: str, directory: str) -> None:
    """Serve a file and count bodies, plain and encrypted; the ports go to standard output."""

    def app(environ: dict[str, Any], start_response: Any) -> Any:
        if environ["PATH_INFO"] == "/file":
            content = FileContent(path, in_memory=False)
            start_response("200 OK", [("Content-Length", str(content.length))])
            return environ["wsgi.file_wrapper"](content)
        buffer = bytearray(256 * KIB)
        while environ["appliance.streamed_body"] and environ["wsgi.input"].readinto(buffer):
            pass
        start_response("200 OK", [("Content-Length", "2")])
        return [b"ok"]

    authority = Authority(Path(directory))
    authority.make_missing(["127.0.0.1"], datetime.datetime.now(datetime.UTC))
    certificate = ServerCertificate(authority.server_certificate, authority.server_key)
    server = Server([Listener(app, "127.0.0.1", 0), Listener(app, "127.0.0.1", 0, certificate=certificate)])
    server.start()
    print(*(port for _, port in server.addresses), flush=True)
    server.run()


class Client:
    """Connections to one of the two ports."""

    def __init__(self, port: int, context: ssl.SSLContext | None) -> None:
        self._port = port
        self._context = context

    def _connect(self) -> socket.socket:
        sock = socket.create_connection(("127.0.0.1", self._port))
        return sock if self._context is None else self._context.wrap_socket(sock, server_hostname="127.0.0.1")

    def download(self, size: int) -> float:
        """Seconds for the file."""
        began, buffer = time.perf_counter(), bytearray(_CHUNK)
        with self._connect() as sock:
            sock.sendall(b"GET /file HTTP/1.1\r\nHost: bench\r\n\r\n")
            left = size - len(_behind_head(sock))
            while left:
                left -= sock.recv_into(buffer)
        return time.perf_counter() - began

    def upload(self, path: str, size: int) -> float:
        """Seconds for the file the other way."""
        began = time.perf_counter()
        with self._connect() as sock, open(path, "rb") as file:
            sock.sendall(b"PUT / HTTP/1.1\r\nHost: bench\r\nContent-Length: %d\r\n\r\n" % size)
            while part := file.read(_CHUNK):
                sock.sendall(part)
            _behind_head(sock)
        return time.perf_counter() - began

    def requests(self, *, kept: bool) -> float:
        """Median seconds of a small request, on one connection or each on its own."""
        seconds, sock = [], None
        for _ in range(_REQUESTS):
            began = time.perf_counter()
            if sock is None or not kept:
                sock = self._connect()
            sock.sendall(b"GET / HTTP/1.1\r\nHost: bench\r\n\r\n")
            _behind_head(sock)
            if not kept:
                sock.close()
            seconds.append(time.perf_counter() - began)
        if kept and sock is not None:
            sock.close()
        return statistics.median(seconds)


def _behind_head(sock: socket.socket) -> bytes:
    """What came with the head of an answer."""
    data = b""
    while b"\r\n\r\n" not in data:
        data += sock.recv(4096)
    return data.partition(b"\r\n\r\n")[2]


def measure(plain: Client, encrypted: Client, path: str, rounds: int) -> None:
    """Each thing both ways in each round."""
    size = os.path.getsize(path)
    named: dict[str, Callable[[Client], float]] = {
        "download of a file, HTTPS / HTTP": lambda client: client.download(size),
        "upload, HTTPS / HTTP": lambda client: client.upload(path, size),
        "small request on a connection that is kept, HTTPS / HTTP": lambda client: client.requests(kept=True),
        "small request on a new connection, HTTPS / HTTP": lambda client: client.requests(kept=False),
    }
    for name, run in named.items():
        pairs = [(run(encrypted), run(plain)) for _ in range(rounds)]
        report(name, [mine for mine, _ in pairs], [other for _, other in pairs], size if "load" in name else None)


def main() -> int:
    """Measure, or be the server."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--size-mib", type=int, default=256)
    parser.add_argument("--child", nargs=2, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.child:
        serve(*given.child)
        return 0
    with tempfile.TemporaryDirectory() as place:
        path = str(Path(place) / "file")
        Path(path).write_bytes(os.urandom(given.size_mib * MIB))
        command = [sys.executable, "-m", "bench.tls", "--child", path, f"{place}/tls"]
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as server:
            assert server.stdout is not None
            ports = [int(word) for word in server.stdout.readline().split()]
            context = ssl.create_default_context(cafile=f"{place}/tls/ca.pem")
            try:
                measure(Client(ports[0], None), Client(ports[1], context), path, given.rounds)
            finally:
                server.kill()
    return 0


if __name__ == "__main__":
    sys.exit(main())
