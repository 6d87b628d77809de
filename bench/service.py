"""How fast the whole appliance is: a real process, loopback, durable commits. Prints ratios, medians of several rounds.

    python -m bench.service [--rounds 5] [--size-mib 1024] [--images 1000,20000] [--nginx PATH] [--binary PATH]
        [--only start,metadata,clients,crowd,transfers]

What is compared runs in the same round, one after the other, so that a noisy machine hurts both.
"""

import argparse
import hashlib
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit

from appliance.values import KIB, MIB
from bench.cloud import CROWDS, PASSWORD, Cloud, fetch, seconds
from bench.nginx import start_nginx

_CROWD = 50
# Seconds that one load of kept clients lasts.
_SPAN = 2.0


class Served(Cloud):
    """One appliance in a process of its own."""

    def __init__(self, directory: Path, program: list[str], *flags: str) -> None:
        begin = time.monotonic()
        self.process = subprocess.Popen(
            [*program, "serve", "--data-dir", directory, "--image-port", "0", "--identity-port", "0", *flags],
            env={**os.environ, "APPLIANCE_ADMIN_PASSWORD": PASSWORD},
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )
        assert self.process.stdout is not None
        image = urlsplit(self.process.stdout.readline().split()[1])
        identity = urlsplit(self.process.stdout.readline().split()[1])
        self.ready = time.monotonic() - begin
        super().__init__(image, identity)

    def _processes(self) -> list[Path]:
        """The server's own: the single executable is a process that unpacks, and its child that serves."""
        pid = self.process.pid
        children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
        return [Path(f"/proc/{each}") for each in (pid, *children)]

    def processor(self) -> float:
        """Seconds of processor time that the server has used."""
        stats = [(each / "stat").read_text().rpartition(")")[2].split() for each in self._processes()]
        return sum(int(fields[11]) + int(fields[12]) for fields in stats) / float(os.sysconf("SC_CLK_TCK"))

    def memory(self) -> int:
        """Resident bytes of the server."""
        lines = [line for each in self._processes() for line in (each / "status").read_text().splitlines()]
        return sum(int(line.split()[1]) for line in lines if line.startswith("VmRSS")) * KIB

    def stop(self) -> None:
        self.process.terminate()
        self.process.wait()
        assert self.process.stdout is not None
        self.process.stdout.close()


@contextmanager
def served(program: list[str]) -> Iterator[Served]:
    with tempfile.TemporaryDirectory(dir=os.environ.get("BENCH_DIR")) as directory:
        it = Served(Path(directory) / "data", program)
        try:
            yield it
        finally:
            it.stop()


@contextmanager
def nginx_serving(nginx: str | None, size: int) -> Iterator[Callable[[], float] | None]:
    """Seconds that a client takes to fetch a file of this size from nginx; None without nginx."""
    if nginx is None:
        yield None
        return
    with tempfile.TemporaryDirectory() as name:
        root = Path(name)
        root.chmod(0o755)
        (root / "data").write_bytes(os.urandom(size))
        port, process = start_nginx(nginx, root)
        try:
            yield lambda: fetch("127.0.0.1", port, "/data", size)
        finally:
            process.kill()
            process.wait()


def transfers(program: list[str], rounds: int, size: int, nginx: str | None) -> None:
    """Uploads and downloads, next to plain md5 of the same bytes and to nginx."""
    ratios: dict[str, list[float]] = {}

    def note(name: str, value: float) -> None:
        ratios.setdefault(name, []).append(value)

    text = b"".join(b"line %d of something that compresses\n" % n for n in range(size // 40 // 64)) * 64
    with served(program) as it, nginx_serving(nginx, size) as rival:
        for _ in range(rounds):
            data = os.urandom(size)
            used = time.process_time()
            md5 = seconds(lambda data=data: hashlib.md5(data).digest())  # type: ignore[misc]
            work = time.process_time() - used
            used = it.processor()
            image, first = it.upload(data)
            note("upload, durable / md5", md5 / first)
            note("processor time of the server for it, in md5s", (it.processor() - used) / work)
            _, again = it.upload(data)
            note("the same image again / md5", md5 / again)
            down = it.download(image, size)
            note("first download of raw blocks, MiB/s", size / MIB / down)
            down = it.download(image, size)
            note("download of raw blocks checked a moment ago, MiB/s", size / MIB / down)
            if rival is not None:
                # Once to have its file in the kernel's cache, as ours is.
                rival()
                note("the same / nginx with sendfile", rival() / down)
            packed, _ = it.upload(text)
            note("download of lz4 blocks, MiB/s", len(text) / MIB / it.download(packed, len(text)))
            quarter = [os.urandom(size // 4) for _ in range(4)]
            alone = it.upload(os.urandom(size // 4))[1]
            threads = [threading.Thread(target=it.upload, args=(part,)) for part in quarter]

            def four(threads: list[threading.Thread] = threads) -> None:
                for thread in threads:
                    thread.start()
                for thread in threads:
                    thread.join()

            note("four uploads at once / one alone, bytes a second", 4 * alone / seconds(four))
        print(f"  resident after it all: {it.memory() / MIB:.0f} MiB")
    for name, values in ratios.items():
        print(f"  {name}: {statistics.median(values):.2f}")


def crowd(program: list[str], size: int) -> None:
    """The most memory that the server takes for many uploads at once."""
    parts = [os.urandom(size) for _ in range(_CROWD)]
    with served(program) as it:
        threads = [threading.Thread(target=it.upload, args=(part,)) for part in parts]
        for thread in threads:
            thread.start()
        most = 0
        while any(thread.is_alive() for thread in threads):
            most = max(most, it.memory())
            time.sleep(0.02)
    print(f"  resident with {_CROWD} uploads of {size // MIB} MiB at once: {most / MIB:.0f} MiB at the most")


def metadata(program: list[str], rounds: int, counts: list[int]) -> None:
    """Requests a second for lists, images and tokens, with few and with many images."""
    lists: list[float] = []
    with served(program) as it:
        made: list[str] = []
        for count in counts:
            made += it.new_images(count - len(made))
            lists.append(statistics.median(it.rate(it.image, "GET", "/v2/images?limit=25") for _ in range(rounds)))
            print(f"  list of 25 among {count} images: {lists[-1]:.0f} a second")
        shows = statistics.median(it.rate(it.image, "GET", f"/v2/images/{made[0]}") for _ in range(rounds))
        checks = statistics.median(it.rate(it.identity, "GET", "/v3/auth/tokens") for _ in range(rounds))
        issues = statistics.median(1 / seconds(it.issue) for _ in range(rounds))
        print(f"  list among many / among few: {lists[-1] / lists[0]:.2f}")
        print(f"  show: {shows:.0f} a second")
        print(f"  token validation: {checks:.0f} a second; token issue: {issues:.1f} a second")


def clients(program: list[str], rounds: int) -> None:
    """Small requests of few and of many clients that keep their connections."""
    with served(program) as it:
        made = it.new_images(100)
        rows = {
            "show": (it.image, f"/v2/images/{made[0]}"),
            "list of 25": (it.image, "/v2/images?limit=25"),
            "token validation": (it.identity, "/v3/auth/tokens"),
        }
        for name, (address, path) in rows.items():
            for crowd in CROWDS:
                used = it.processor()
                loads = [it.load(address, path, crowd, _SPAN) for _ in range(rounds)]
                used = (it.processor() - used) / sum(each.rate * _SPAN for each in loads)
                middle = [statistics.median(getattr(each, field) for each in loads) for field in ("rate", "p50", "p99")]
                print(
                    f"  {name}, {crowd} clients: {middle[0]:.0f} a second, p50 {middle[1]:.2f} ms, p99 {middle[2]:.1f} "
                    f"ms, {used * 1e6:.0f} µs of processor each, {sum(each.bad for each in loads)} bad"
                )


def start(program: list[str], rounds: int) -> None:
    """Start to ready, of a directory that is there; resident memory when idle."""
    with tempfile.TemporaryDirectory() as directory:
        Served(Path(directory) / "data", program).stop()
        ready, memory = [], []
        for _ in range(rounds):
            it = Served(Path(directory) / "data", program)
            ready.append(it.ready)
            memory.append(it.memory() / MIB)
            it.stop()
    print(f"  start to ready: {statistics.median(ready):.2f} s; resident then: {statistics.median(memory):.0f} MiB")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--size-mib", type=int, default=1024)
    parser.add_argument("--images", default="1000,20000")
    parser.add_argument("--only", default="start,metadata,clients,crowd,transfers")
    parser.add_argument("--nginx", default=shutil.which("nginx"))
    parser.add_argument("--binary", help="single executable to measure in place of this checkout")
    options = parser.parse_args()
    program = [options.binary] if options.binary else [sys.executable, "appliance.py"]
    counts = [int(count) for count in options.images.split(",")]
    parts: dict[str, Callable[[], None]] = {
        "start": lambda: start(program, options.rounds),
        "metadata": lambda: metadata(program, options.rounds, counts),
        "clients": lambda: clients(program, options.rounds),
        "crowd": lambda: crowd(program, 32 * MIB),
        "transfers": lambda: transfers(program, options.rounds, options.size_mib * MIB, options.nginx),
    }
    for name in options.only.split(","):
        parts[name]()


if __name__ == "__main__":
    main()
