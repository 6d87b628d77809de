"""How an appliance grows from one node process to several on one PostgreSQL, all on this machine.

    python -m bench.nodes [--nodes 1,2] [--rounds 3] [--seconds 3] [--images 1000] [--clients 1,16,64]

Lists of 25, shows and validations, by clients that keep their connections, and images made, a second; the clients are
dealt out among the nodes, each part a process of its own. The database's server and the clients have the same
processors, so that what is gained is less than what nodes on machines of their own would add.
"""

import argparse
import json
import os
import statistics
import sys
import tempfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from pathlib import Path
from urllib.parse import SplitResult

from cryptography.fernet import Fernet

from bench.kept_clients import Load, load
from bench.service import Served
from tests.blobs.backends.seaweed import KEY, SECRET, Seaweed, seaweed
from tests.postgresql import server

_IMAGE = json.dumps({"name": "made", "disk_format": "raw", "container_format": "bare"}).encode()


@contextmanager
def site(root: Path, url: str, store: Seaweed, count: int) -> Iterator[list[Served]]:
    """So many nodes on a database and a bucket."""
    key = root / "site-key"
    if not key.exists():
        key.write_bytes(Fernet.generate_key())
    os.environ |= {"AWS_ACCESS_KEY_ID": KEY, "AWS_SECRET_ACCESS_KEY": SECRET}
    flags = ["--database", url, "--site-key-file", str(key), "--store-url", f"s3://{store.bucket()}"]
    flags += ["--store-options", f"main:endpoint={store.endpoint}", "--no-console"]
    with ExitStack() as running:
        nodes = []
        for number in range(count):
            node = Served(
                root / f"{count}-{number}", [sys.executable, "appliance.py"], *flags, "--node-name", f"n{number}"
            )
            running.callback(node.stop)
            nodes.append(node)
        yield nodes


def request(node: Served, method: str, path: str, body: bytes = b"") -> bytes:
    """A request of a client that keeps its connection."""
    fields = f"X-Auth-Token: {node.token}\r\nX-Subject-Token: {node.token}\r\nContent-Length: {len(body)}\r\n"
    fields += "Content-Type: application/json\r\n" if body else ""
    return f"{method} {path} HTTP/1.1\r\nHost: bench\r\n{fields}\r\n".encode() + body


def together(addresses: list[SplitResult], clients: int, seconds: float, asked: bytes) -> tuple[float, int]:
    """Answers a second of all nodes together, and how many were bad."""
    shares = [clients // len(addresses) + (number < clients % len(addresses)) for number in range(len(addresses))]

    def one(address: SplitResult, share: int) -> Load:
        return load(address.hostname or "", address.port or 0, share, seconds, asked)

    parts = [(address, share) for address, share in zip(addresses, shares, strict=True) if share]
    with ThreadPoolExecutor(len(parts)) as pool:
        loads = list(pool.map(lambda part: one(*part), parts))
    return sum(one.rate for one in loads), sum(one.bad for one in loads)


def measure(nodes: list[Served], images: int, crowds: list[int], seconds: float) -> dict[str, float]:
    """One round of everything."""
    first, found = nodes[0], dict[str, float]()
    shown = first.new_images(images)[0]
    image, identity = [node.image for node in nodes], [node.identity for node in nodes]
    works = (
        ("list of 25", image, request(first, "GET", "/v2/images?limit=25")),
        ("show", image, request(first, "GET", f"/v2/images/{shown}")),
        ("validation", identity, request(first, "GET", "/v3/auth/tokens")),
        ("create", image, request(first, "POST", "/v2/images", _IMAGE)),
    )
    for clients in crowds:
        for name, addresses, asked in works:
            rate, bad = together(addresses, clients, seconds, asked)
            found[f"{name}, {clients} clients, a second"] = rate
            if bad:
                print(f"  {bad} bad answers: {name}, {clients} clients, {len(nodes)} nodes")
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--nodes", default="1,2")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=3.0)
    parser.add_argument("--images", type=int, default=1000)
    parser.add_argument("--clients", default="1,16,64")
    options = parser.parse_args()
    counts = [int(count) for count in options.nodes.split(",")]
    crowds = [int(count) for count in options.clients.split(",")]
    figures: dict[int, dict[str, list[float]]] = {count: {} for count in counts}
    with ExitStack() as held:
        root = Path(held.enter_context(tempfile.TemporaryDirectory(dir=os.environ.get("BENCH_DIR"))))
        store, database = held.enter_context(seaweed(root)), held.enter_context(server(durable=True))
        for _ in range(options.rounds):
            for count in counts:
                with (
                    tempfile.TemporaryDirectory(dir=root) as name,
                    site(Path(name), database.create(), store, count) as nodes,
                ):
                    for what, rate in measure(nodes, options.images, crowds, options.seconds).items():
                        figures[count].setdefault(what, []).append(rate)
    print(f"  load of the machine at the end: {os.getloadavg()[0]:.1f} on {os.cpu_count()} processors")
    for what in figures[counts[0]]:
        middles = [statistics.median(figures[count][what]) for count in counts]
        told = ", ".join(f"{count}: {middle:.0f}" for count, middle in zip(counts, middles, strict=True))
        print(f"  {what:<36} {middles[-1] / middles[0]:5.2f} times  ({told})")


if __name__ == "__main__":
    main()
