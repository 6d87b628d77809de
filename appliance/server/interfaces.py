"""The addresses of this machine: what others can call a server by that listens on all of them."""

import array
import fcntl
import ipaddress
import socket
import struct
from pathlib import Path

WILDCARDS = ("", "0.0.0.0", "::")
_SIOCGIFADDR = 0x8915
_ELSEWHERE = {socket.AF_INET: "192.0.2.1", socket.AF_INET6: "2001:db8::1"}
"""Addresses for documentation: asking for the way there sends nothing."""


def is_wildcard(host: str) -> bool:
    """Whether a server on `host` listens on every address of the machine."""
    return host in WILDCARDS


def is_loopback(host: str) -> bool:
    """Whether a server on `host` can be reached from this machine alone."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def reachable_host(host: str) -> str:
    """An address by which others reach a server that listens on `host`: the one on the way to everywhere else."""
    if not is_wildcard(host):
        return host
    families = (socket.AF_INET6, socket.AF_INET) if host == "::" else (socket.AF_INET,)
    for family in reversed(families):
        with socket.socket(family, socket.SOCK_DGRAM) as sock:
            try:
                sock.connect((_ELSEWHERE[family], 9))
                return str(sock.getsockname()[0])
            except OSError:
                continue
    known = addresses()
    return known[0] if known else "127.0.0.1"


def addresses() -> list[str]:
    """Every address of the machine that others may reach, IPv4 first; not those of a link alone."""
    found = [*_ipv4(), *_ipv6()]
    return [one for one in found if not is_loopback(one) and not ipaddress.ip_address(one).is_link_local]


def _ipv4() -> list[str]:
    found = []
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        for _, name in socket.if_nameindex():
            request = array.array("B", struct.pack("256s", name.encode()[:15]))
            try:
                fcntl.ioctl(sock.fileno(), _SIOCGIFADDR, request, True)
            except OSError:
                continue  # it has none
            found.append(socket.inet_ntoa(request[20:24].tobytes()))
    return found


def _ipv6() -> list[str]:
    try:
        lines = Path("/proc/net/if_inet6").read_text().splitlines()
    except OSError:
        return []
    return [str(ipaddress.IPv6Address(int(line.split()[0], 16))) for line in lines]
