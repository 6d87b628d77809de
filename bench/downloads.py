"""What downloads cost the server: processor time a GiB and bytes a second, of one client and of four at once.

    python -m bench.downloads [--rounds 5] [--size-mib 512] [--beside CHECKOUT]

With `--beside`, another checkout serves the same in the same rounds, and the ratios of both are printed.
"""

import argparse
import os
import statistics
import sys
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path

from appliance.values import GIB, KIB, MIB
from bench.cloud import seconds
from bench.service import Served, served

_CLIENTS = 4


def packable(size: int) -> bytes:
    """Bytes of which no two blocks are the same and lz4 saves about half, as it does of an installed system."""
    parts = []
    for _ in range(0, size, 4 * KIB):
        noise = os.urandom(1280)
        parts.append(noise + b"".join(noise[n : n + 64] * 2 for n in range(0, 1280, 64)) + bytes(4 * KIB - 3 * 1280))
    return b"".join(parts)[:size]


def row(it: Served, images: list[str], size: int) -> tuple[float, float]:
    """Processor seconds of the server a GiB, and MiB a second, of images that are downloaded at the same time."""
    total = size * len(images)
    with ThreadPoolExecutor(len(images)) as pool:
        used = it.processor()
        took = seconds(lambda: list(pool.map(lambda image: it.download(image, size), images)))
        used = it.processor() - used
    return used * GIB / total, total / MIB / took


def measure(it: Served, size: int) -> dict[str, tuple[float, float]]:
    """One round: new images of raw and of lz4 blocks, read once and again."""
    raw = [it.upload(os.urandom(size))[0] for _ in range(_CLIENTS + 1)]
    packed = [it.upload(packable(size))[0] for _ in range(_CLIENTS + 1)]
    found = {
        "raw, first": row(it, raw[:1], size),
        "raw, again": row(it, raw[:1], size),
        "lz4": row(it, packed[:1], size),
        f"raw, first, {_CLIENTS} at once": row(it, raw[1:], size),
        f"raw, again, {_CLIENTS} at once": row(it, raw[1:], size),
        f"lz4, {_CLIENTS} at once": row(it, packed[1:], size),
        f"lz4, {_CLIENTS} of the same": row(it, packed[:1] * _CLIENTS, size),
    }
    it.delete(*raw, *packed)
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--size-mib", type=int, default=512)
    parser.add_argument("--beside", type=Path, help="another checkout")
    options = parser.parse_args()
    checkouts = [Path.cwd(), *([options.beside] if options.beside else [])]
    rounds: list[list[dict[str, tuple[float, float]]]] = [[] for _ in checkouts]
    with ExitStack() as stack:
        servers = [stack.enter_context(served([sys.executable, str(each / "appliance.py")])) for each in checkouts]
        for _ in range(options.rounds):
            for it, found in zip(servers, rounds, strict=True):
                found.append(measure(it, options.size_mib * MIB))
    for name in rounds[0][0]:
        middle = [[statistics.median(each[name][n] for each in found) for n in (0, 1)] for found in rounds]
        line = "; beside it ".join(f"{cost:.2f} s a GiB, {rate:.0f} MiB/s" for cost, rate in middle)
        if len(middle) > 1:
            line += f"; ratios {middle[0][0] / middle[1][0]:.2f}, {middle[0][1] / middle[1][1]:.2f}"
        print(f"  {name}: {line}")


if __name__ == "__main__":
    main()
