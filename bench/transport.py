"""How fast the transport is by itself: no store, no database, loopback. Prints ratios, medians of several rounds.

    python -m bench.transport [--rounds 5] [--size-mib 512] [--nginx PATH]

Each ratio compares two things measured one after the other in the same round, so that a noisy machine hurts both.
"""

import argparse
import hashlib
import os
import queue
import shutil
import socket
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from appliance.server.server import Listener, Server
from appliance.values import KIB, MIB, FileRange, Piece
from bench.nginx import start_nginx

_CHUNK = 1 * MIB
_SLOW_CLIENTS = 200
_SLOW_RATE = 100_000
_UPLOADS = 50
_LATENCIES = 200
_SETTLED = 20


# -- the server side, in its own process -------------------------------------------------------------------------


class FileContent:
    """A file as one run, or as pieces in memory."""

    def __init__(self, path: str, in_memory: bool) -> None:
        self._fd = os.open(path, os.O_RDONLY)
        self._in_memory = in_memory
        self.length = os.fstat(self._fd).st_size

    def read(self, size: int = -1, /) -> bytes:
        raise NotImplementedError

    def pieces(self) -> Iterator[Piece]:
        if not self._in_memory:
            yield FileRange(self._fd, 0, self.length)
            return
        for at in range(0, self.length, 128 * KIB):
            yield os.pread(self._fd, 128 * KIB, at)

    def close(self) -> None:
        if self._fd >= 0:
            os.close(self._fd)
        self._fd = -1


def _hash_in_line(body: Any) -> str:
    digest, buffer = hashlib.md5(), bytearray(_CHUNK)
    while count := body.readinto(buffer):
        digest.update(memoryview(buffer)[:count])
    return digest.hexdigest()


def _hash_beside(body: Any) -> str:
    """Receive in this thread, md5 and sha512 in two others, over a few reused buffers: what a store would do."""
    digests = [hashlib.md5(), hashlib.sha512()]
    lanes: list[queue.Queue[tuple[bytearray, int] | None]] = [queue.Queue() for _ in digests]
    free: queue.Queue[bytearray] = queue.Queue()
    users: dict[int, int] = {}
    lock = threading.Lock()

    def work(digest: Any, lane: queue.Queue[tuple[bytearray, int] | None]) -> None:
        while (job := lane.get()) is not None:
            digest.update(memoryview(job[0])[: job[1]])
            with lock:
                users[id(job[0])] -= 1
                if not users[id(job[0])]:
                    free.put(job[0])

    threads = [threading.Thread(target=work, args=pair) for pair in zip(digests, lanes, strict=True)]
    for thread in threads:
        thread.start()
    for _ in range(4):
        free.put(bytearray(_CHUNK))
    while count := body.readinto(buffer := free.get()):
        users[id(buffer)] = len(lanes)
        for lane in lanes:
            lane.put((buffer, count))
    for lane, thread in zip(lanes, threads, strict=True):
        lane.put(None)
        thread.join()
    return digests[0].hexdigest()


def _count(body: Any) -> str:
    size, buffer = 0, bytearray(256 * KIB)
    while count := body.readinto(buffer):
        size += count
    return str(size)


def serve(path: str) -> None:
    """Serve the bench's routes; the port goes to standard output."""
    uploads: dict[str, Callable[[Any], str]] = {"/md5": _hash_in_line, "/hashes": _hash_beside, "/count": _count}

    def app(environ: dict[str, Any], start_response: Any) -> Any:
        route = environ["PATH_INFO"]
        if route in ("/file", "/memory"):
            content = FileContent(path, in_memory=route == "/memory")
            start_response("200 OK", [("Content-Length", str(content.length))])
            return environ["wsgi.file_wrapper"](content)
        text = uploads[route](environ["wsgi.input"]) if route in uploads else "ok"
        start_response("200 OK", [("Content-Length", str(len(text)))])
        return [text.encode()]

    server = Server([Listener(app, "127.0.0.1", 0)])
    server.start()
    print(server.addresses[0][1], flush=True)
    server.run()


# -- the clients -------------------------------------------------------------------------------------------------


def _head(sock: socket.socket) -> tuple[int, bytes]:
    """Content-Length of an answer, and what came with its head."""
    data = b""
    while b"\r\n\r\n" not in data:
        data += sock.recv(4096)
    head, _, rest = data.partition(b"\r\n\r\n")
    fields = dict(line.lower().split(b": ", 1) for line in head.split(b"\r\n")[1:])
    return int(fields[b"content-length"]), rest


def download(port: int, route: str) -> float:
    """Seconds for one download."""
    began = time.perf_counter()
    buffer = bytearray(_CHUNK)
    with socket.create_connection(("127.0.0.1", port)) as sock:
        sock.sendall(f"GET {route} HTTP/1.1\r\nHost: bench\r\n\r\n".encode())
        length, rest = _head(sock)
        length -= len(rest)
        while length:
            length -= sock.recv_into(buffer)
    return time.perf_counter() - began


def upload(port: int, route: str, path: str) -> float:
    """Seconds for one upload."""
    began = time.perf_counter()
    with socket.create_connection(("127.0.0.1", port)) as sock, open(path, "rb") as file:
        size = os.fstat(file.fileno()).st_size
        sock.sendall(f"PUT {route} HTTP/1.1\r\nHost: bench\r\nContent-Length: {size}\r\n\r\n".encode())
        sock.sendfile(file)
        _head(sock)
    return time.perf_counter() - began


def plain_md5(path: str) -> float:
    """Seconds to md5 the same bytes, read from the page cache into one buffer."""
    began = time.perf_counter()
    digest, buffer = hashlib.md5(), bytearray(_CHUNK)
    with open(path, "rb", buffering=0) as file:
        while count := file.readinto(buffer):
            digest.update(memoryview(buffer)[:count])
    return time.perf_counter() - began


def latency(port: int) -> float:
    """Median seconds of a small request on its own connection."""
    seconds = []
    for _ in range(_LATENCIES):
        began = time.perf_counter()
        with socket.create_connection(("127.0.0.1", port)) as sock:
            sock.sendall(b"GET / HTTP/1.1\r\nHost: bench\r\nConnection: close\r\n\r\n")
            _head(sock)
        seconds.append(time.perf_counter() - began)
    return statistics.median(seconds)


def read_slowly(target: str) -> None:
    """Many downloads of `port/route`, each read at a steady low rate; in its own process, not to slow the bench."""
    port, _, route = target.partition("/")
    socks = []
    for _ in range(_SLOW_CLIENTS):
        sock = socket.socket()
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 64 * KIB)
        sock.connect(("127.0.0.1", int(port)))
        sock.sendall(f"GET /{route} HTTP/1.1\r\nHost: bench\r\n\r\n".encode())
        socks.append(sock)
    began = time.monotonic()
    told = False
    for lap in range(1, 1_000_000):
        # Spread over the tenth of a second, as two hundred strangers would be.
        for number, sock in enumerate(socks, 1):
            sock.recv(_SLOW_RATE // 10)
            if number % 10 == 0:
                time.sleep(max(0.0, began + (lap - 1 + number / _SLOW_CLIENTS) / 10 - time.monotonic()))
        if not told and lap >= _SETTLED:
            told = True
            print(lap, flush=True)


# -- the rival without nginx -------------------------------------------------------------------------------------


def bare_sendfile(path: str) -> None:
    """The least that can be done in Python: accept, sendfile, close."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        print(listener.getsockname()[1], flush=True)
        while True:
            sock, _ = listener.accept()
            with sock, open(path, "rb") as file:
                if sock.recv(4096):
                    sock.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % os.fstat(file.fileno()).st_size)
                    sock.sendfile(file)


def _spawn(verb: str, path: str) -> tuple[int, subprocess.Popen[Any]]:
    command = [sys.executable, "-m", "bench.transport", "--child", verb, "--file", path]
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    return int(process.stdout.readline()), process


def _end(process: subprocess.Popen[Any]) -> None:
    process.kill()
    process.wait()
    for pipe in (process.stdin, process.stdout):
        if pipe is not None:
            pipe.close()


# -- measurements ------------------------------------------------------------------------------------------------


def report(name: str, mine: list[float], other: list[float], size: int | None = None) -> None:
    """Print other/mine: above 1 means that we are faster."""
    ratio = statistics.median(theirs / ours for ours, theirs in zip(mine, other, strict=True))
    absolute = ""
    if size is not None:
        speeds = [size / MIB / statistics.median(seconds) for seconds in (mine, other)]
        absolute = f"  ({speeds[0]:.0f} MiB/s against {speeds[1]:.0f})"
    print(f"{name:<62} {ratio:5.2f}{absolute}", flush=True)


def measure_transfers(port: int, rival: tuple[str, int, str], path: str, rounds: int) -> None:
    size = os.path.getsize(path)
    rival_name, rival_port, rival_route = rival
    names = ("md5", "in line", "beside", "rival", "file", "memory")
    seconds: dict[str, list[float]] = {name: [] for name in names}
    for _ in range(rounds):
        seconds["md5"].append(plain_md5(path))
        seconds["in line"].append(upload(port, "/md5", path))
        seconds["beside"].append(upload(port, "/hashes", path))
        seconds["rival"].append(download(rival_port, rival_route))
        seconds["file"].append(download(port, "/file"))
        seconds["memory"].append(download(port, "/memory"))
    report("upload, md5 in the same thread / plain md5", seconds["in line"], seconds["md5"], size)
    report("upload, md5 and sha512 in two threads / plain md5", seconds["beside"], seconds["md5"], size)
    report(f"download by sendfile / {rival_name}", seconds["file"], seconds["rival"], size)
    report(f"download from memory / {rival_name}", seconds["memory"], seconds["rival"], size)


def measure_latency(port: int, rounds: int) -> None:
    for route in ("/file", "/memory"):
        calm, busy = [], []
        for _ in range(rounds):
            calm.append(latency(port))
            _, clients = _spawn("slow", f"{port}{route}")
            busy.append(latency(port))
            _end(clients)
        ratio = statistics.median(b / c for b, c in zip(busy, calm, strict=True))
        milliseconds = f"({statistics.median(busy) * 1000:.2f} ms against {statistics.median(calm) * 1000:.2f})"
        print(
            f"{f'small request with {_SLOW_CLIENTS} slow clients of {route} / alone':<62} {ratio:5.2f}  {milliseconds}"
        )


def _memory(pid: int, field: str) -> int:
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith(field):
            return int(line.split()[1]) * KIB
    raise KeyError(field)


def measure_memory(port: int, pid: int, directory: Path) -> None:
    part = directory / "part"
    part.write_bytes(os.urandom(8 * MIB))
    before = _memory(pid, "VmRSS")
    Path(f"/proc/{pid}/clear_refs").write_text("5")
    threads = [threading.Thread(target=upload, args=(port, "/count", str(part))) for _ in range(_UPLOADS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    peak = _memory(pid, "VmHWM")
    print(f"{f'memory with {_UPLOADS} uploads at once':<62} {peak // MIB} MiB in all, {before // MIB} MiB before")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--size-mib", type=int, default=512)
    parser.add_argument("--nginx", default=shutil.which("nginx"))
    parser.add_argument("--child", choices=["serve", "bare", "slow"], help=argparse.SUPPRESS)
    parser.add_argument("--file", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.child:
        {"serve": serve, "bare": bare_sendfile, "slow": read_slowly}[options.child](options.file)
        return
    with tempfile.TemporaryDirectory() as name:
        directory = Path(name)
        directory.chmod(0o755)
        path = directory / "data"
        with path.open("wb") as file:
            for _ in range(options.size_mib):
                file.write(os.urandom(MIB))
        port, server = _spawn("serve", str(path))
        if options.nginx:
            rival_port, rival = start_nginx(options.nginx, directory)
        else:
            rival_port, rival = _spawn("bare", str(path))
        try:
            rival_name = "nginx with sendfile" if options.nginx else "a bare sendfile loop"
            measure_memory(port, server.pid, directory)
            measure_transfers(port, (rival_name, rival_port, "/data"), str(path), options.rounds)
            measure_latency(port, options.rounds)
        finally:
            _end(server)
            _end(rival)


if __name__ == "__main__":
    main()
