"""What many log-ins at once cost: how many are answered a second, and what another tenant's `show` feels meanwhile.

    python -m bench.logins [--rounds 3] [--at-once 50] [--seconds 10] [--binary PATH]

In one storm every password is right; in the next they are wrong, each for another account. Who is refused with 429
comes back soon.
"""

import argparse
import http.client
import json
import statistics
import sys
import threading
import time
from collections import Counter
from contextlib import closing

from bench.cloud import PASSWORD
from bench.service import Served, served


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--at-once", type=int, default=50)
    parser.add_argument("--seconds", type=float, default=10.0)
    parser.add_argument("--binary", help="single executable to measure in place of this checkout")
    options = parser.parse_args()
    program = [options.binary] if options.binary else [sys.executable, "appliance.py"]
    with served(program) as it:
        image = it.new_images(1)[0]
        alone = statistics.median(shows(it, image, 2.0))
        print(f"  show, nobody logs in: median {alone * 1000:.1f} ms")
        for name, password in (("right", PASSWORD), ("wrong", "wrong")):
            for _ in range(options.rounds):
                storm(it, image, name, password, options.at_once, options.seconds)


def storm(it: Served, image: str, name: str, password: str, at_once: int, length: float) -> None:
    """So many clients log in over and over, while one asks for an image."""
    statuses: Counter[int] = Counter()
    waits: list[float] = []
    start = time.monotonic()

    def log_in(number: int) -> None:
        with closing(http.client.HTTPConnection(it.identity.netloc)) as connection:
            while time.monotonic() < start + length:
                begin = time.monotonic()
                user = "admin" if password == PASSWORD else f"nobody-{number}-{begin}"
                statuses[_log_in(connection, user, password)] += 1
                waits.append(time.monotonic() - begin)

    threads = [threading.Thread(target=log_in, args=(number,)) for number in range(at_once)]
    for thread in threads:
        thread.start()
    took = sorted(shows(it, image, length))
    for thread in threads:
        thread.join()
    rate = (sum(statuses.values()) - statuses[429]) / (time.monotonic() - start)
    print(
        f"  {at_once} log-ins at once, {name} passwords: {rate:.1f} a second"
        f" (slowest {max(waits):.1f} s, {statuses[429]} times 429);"
        f" show: median {took[len(took) // 2] * 1000:.1f} ms, p99 {took[len(took) * 99 // 100] * 1000:.1f} ms"
    )


def shows(it: Served, image: str, length: float) -> list[float]:
    """Seconds of each of the requests that one client makes one after the other."""
    took: list[float] = []
    end = time.monotonic() + length
    with closing(http.client.HTTPConnection(it.image.netloc)) as connection:
        while time.monotonic() < end:
            begin = time.monotonic()
            it.call(connection, "GET", f"/v2/images/{image}")
            took.append(time.monotonic() - begin)
            time.sleep(0.005)
    return took


def _log_in(connection: http.client.HTTPConnection, name: str, password: str) -> int:
    user = {"name": name, "domain": {"id": "default"}, "password": password}
    document = {"auth": {"identity": {"methods": ["password"], "password": {"user": user}}}}
    connection.request("POST", "/v3/auth/tokens", json.dumps(document), {"Content-Type": "application/json"})
    answer = connection.getresponse()
    answer.read()
    if answer.status == 429:
        time.sleep(0.05)
    return answer.status


if __name__ == "__main__":
    main()
