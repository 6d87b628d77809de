"""The PROXY protocol, versions 1 and 2: what a proxy in front of a connection says of who has connected to it.

https://www.haproxy.org/download/3.0/doc/proxy-protocol.txt. It comes before everything else, TLS included, and is
believed only of proxies that are trusted: `Port` makes no `ProxyHeader` for anybody else's connections.
"""

import ipaddress
import socket
import time
from dataclasses import dataclass

from appliance.server.limits import Limits

OFF, ACCEPT, REQUIRE = "off", "accept", "require"
"""Nobody may send it; trusted proxies may; trusted proxies have to."""

_V1 = b"PROXY "
_V1_LONGEST = 107
_V2 = b"\r\n\r\n\0\r\nQUIT\n"
_V2_HEAD = 16
_V2_LONGEST = 4096
_V2_ADDRESSES = {0x11: (socket.AF_INET, 4), 0x21: (socket.AF_INET6, 16)}
_SSL, _CLIENT_SSL = 0x20, 0x01


class BadProxyHeader(ValueError):
    """It breaks the rules, or there has to be one and is none."""


@dataclass(frozen=True, slots=True)
class Origin:
    """What a proxy says of a connection."""

    address: str = ""
    """The client's; empty if the proxy speaks for itself, or doesn't know."""
    port: int = 0
    encrypted: bool = False
    """The client speaks TLS with the proxy."""


class ProxyHeader:
    """The header of one connection, as it arrives."""

    def __init__(self, limits: Limits, *, required: bool) -> None:
        self.due = time.monotonic() + limits.handshake_seconds
        self._required = required
        self._data = b""
        self.origin: Origin | None = None
        """Known once it is complete."""
        self.before_request = b""
        """There is no header, and these bytes are the beginning of something else."""

    def take(self, coming: bytes) -> int:
        """How many of the bytes that are `coming` belong to it. Raises `BadProxyHeader`.

        It is complete when `origin` is known.
        """
        data = self._data + coming
        for signature, length in ((_V1, _v1_length), (_V2, _v2_length)):
            if data.startswith(signature[: len(data)]):
                end = length(data)
                taken = len(data) if end is None else min(end, len(data))
                self._data = data[:taken]
                if end is not None and taken == end:
                    self.origin = _v1(self._data) if signature is _V1 else _v2(self._data)
                return taken - (len(data) - len(coming))
        if self._required:
            raise BadProxyHeader("it has to begin with a PROXY header, and does not")
        self.origin, self.before_request = Origin(), self._data
        return 0


def _v1_length(data: bytes) -> int | None:
    """Its length; None if that can't be told yet."""
    end = data.find(b"\r\n", 0, _V1_LONGEST)
    if end >= 0:
        return end + 2
    if len(data) >= _V1_LONGEST:
        raise BadProxyHeader("its PROXY header is too long")
    return None


def _v1(data: bytes) -> Origin:
    words = data[:-2].split(b" ")
    if words[1:2] == [b"UNKNOWN"]:
        return Origin()
    try:
        kind, source, _, port = (word.decode("ascii") for word in words[1:5])
        address = ipaddress.ip_address(source)
        if len(words) == 6 and kind == f"TCP{address.version}" and 0 <= int(port) <= 65535:
            return Origin(str(address), int(port))
    except ValueError:
        pass
    raise BadProxyHeader("its PROXY header is malformed")


def _v2_length(data: bytes) -> int | None:
    if len(data) < _V2_HEAD:
        return None
    length = _V2_HEAD + int.from_bytes(data[14:16], "big")
    if length > _V2_LONGEST:
        raise BadProxyHeader("its PROXY header is too long")
    return length


def _v2(data: bytes) -> Origin:
    version, command, kind = data[12] >> 4, data[12] & 15, data[13]
    if version != 2 or command not in (0, 1):
        raise BadProxyHeader("its PROXY header is of an unknown version or command")
    if command == 0 or kind not in _V2_ADDRESSES:
        return Origin()
    family, size = _V2_ADDRESSES[kind]
    body = data[_V2_HEAD:]
    if len(body) < 2 * size + 4:
        raise BadProxyHeader("its PROXY header is malformed")
    port = int.from_bytes(body[2 * size : 2 * size + 2], "big")
    return Origin(socket.inet_ntop(family, body[:size]), port, encrypted=_says_ssl(body[2 * size + 4 :]))


def _says_ssl(more: bytes) -> bool:
    """Whether one of the fields behind the addresses says that the client speaks TLS."""
    while len(more) >= 3:
        kind, length = more[0], int.from_bytes(more[1:3], "big")
        if kind == _SSL and length:
            return bool(more[3:4] and more[3] & _CLIENT_SSL)
        more = more[3 + length :]
    return False
