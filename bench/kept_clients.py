"""Many clients that keep their connections, each asking again as soon as it is answered: one process, one epoll.

    python -m bench.kept_clients HOST PORT CLIENTS SECONDS < request

The request is sent as it is. Prints answers a second, the median and the 99th percentile of their times in
milliseconds, and how many answers were not 2xx or broke off, as one line of JSON.
"""

import json
import re
import select
import socket
import subprocess
import sys
import time
from dataclasses import asdict, dataclass

_LENGTH = re.compile(rb"\r\ncontent-length: *([0-9]+)", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Load:
    """What came of it."""

    rate: float
    p50: float
    p99: float
    bad: int


class _Client:
    def __init__(self, host: str, port: int) -> None:
        self.sock = socket.create_connection((host, port))
        self.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.sent_at = 0.0
        self.missing = -1
        self.got = b""

    def ask(self, request: bytes) -> None:
        self.got, self.missing = b"", -1
        self.sent_at = time.perf_counter()
        self.sock.sendall(request)

    def take(self) -> bool | None:
        """True for a good answer, False for a bad one, None while it isn't complete."""
        part = self.sock.recv(1 << 18)
        if not part:
            return False
        self.got += part
        if self.missing < 0:
            end = self.got.find(b"\r\n\r\n")
            if end < 0:
                return None
            length = _LENGTH.search(self.got, 0, end)
            self.missing = end + 4 + (int(length[1]) if length else 0)
        return self.got.startswith(b"HTTP/1.1 2") if len(self.got) >= self.missing else None


def drive(host: str, port: int, clients: int, seconds: float, request: bytes) -> Load:
    """Load the server for so long, and count what was answered."""
    epoll = select.epoll()
    each = {}
    for _ in range(clients):
        client = _Client(host, port)
        each[client.sock.fileno()] = client
        epoll.register(client.sock, select.EPOLLIN)
        client.ask(request)
    times: list[float] = []
    bad = 0
    begin = time.perf_counter()
    while each and time.perf_counter() < begin + seconds:
        for fd, _ in epoll.poll(1):
            client = each[fd]
            good = client.take()
            if good is None:
                continue
            times.append(time.perf_counter() - client.sent_at)
            if good:
                client.ask(request)
                continue
            bad += 1
            epoll.unregister(fd)
            del each[fd]
    took = time.perf_counter() - begin
    for client in each.values():
        client.sock.close()
    times.sort()
    at = [times[min(len(times) - 1, int(len(times) * share))] * 1000 if times else 0.0 for share in (0.5, 0.99)]
    return Load(len(times) / took, at[0], at[1], bad)


def load(host: str, port: int, clients: int, seconds: float, request: bytes) -> Load:
    """The same from a process of its own, so that it doesn't share an interpreter with anything."""
    words = [sys.executable, "-m", "bench.kept_clients", host, str(port), str(clients), str(seconds)]
    done = subprocess.run(words, input=request, stdout=subprocess.PIPE, check=True)
    return Load(**json.loads(done.stdout))


def main() -> None:
    host, port, clients, seconds = sys.argv[1:]
    outcome = drive(host, int(port), int(clients), float(seconds), sys.stdin.buffer.read())
    print(json.dumps(asdict(outcome)))


if __name__ == "__main__":
    main()
