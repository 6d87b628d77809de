"""Addresses on the web as clients write them: made fit for a request, shown without what opens them, and judged.

Judged means: an address of this host, of its link or of a cloud's metadata service is nobody's to fetch from, in
whatever notation it comes and inside whatever IPv6 address it is wrapped.
"""

import ipaddress
import socket
from collections.abc import Iterator
from urllib.parse import quote, urlsplit

Address = ipaddress.IPv4Address | ipaddress.IPv6Address

# Where clouds answer questions about the machine that asks, its credentials among the answers. Those that are
# link-local are out of bounds anyway.
METADATA_SERVICES = frozenset(
    ipaddress.ip_address(text)
    for text in (
        "100.100.100.200",  # Alibaba Cloud
        "168.63.129.16",  # Azure
        "192.0.0.192",  # Oracle Cloud
        "fd00:ec2::23",  # Amazon EKS
        "fd00:ec2::254",  # Amazon EC2
        "fd00:42::42",  # Scaleway
        "fd20:ce::254",  # Google Cloud
    )
)

_THIS_NETWORK = ipaddress.IPv4Network("0.0.0.0/8")
_NAT64 = ipaddress.IPv6Network("64:ff9b::/96")
_LOCAL_NAT64 = ipaddress.IPv6Network("64:ff9b:1::/48")
_COMPATIBLE = ipaddress.IPv6Network("::/96")
_TRANSLATED = ipaddress.IPv6Network("::ffff:0:0:0/96")
_ISATAP = (0x00005EFE, 0x02005EFE)


def tidy(uri: str) -> str:
    """The address as it can be asked for: what is not ASCII in its path and query is percent-encoded."""
    parts = urlsplit(uri)
    return parts._replace(path=_in_ascii(parts.path), query=_in_ascii(parts.query), fragment="").geturl()


def _in_ascii(text: str) -> str:
    return "".join(character if character.isascii() else quote(character) for character in text)


def without_secrets(uri: str) -> str:
    """The address without user, password, query and fragment: in these are the keys to what it leads to."""
    try:
        parts = urlsplit(uri)
    except ValueError:
        return uri.partition("://")[0] + "://…"
    host = parts.netloc.rpartition("@")[2]
    return parts._replace(netloc=host, query="", fragment="").geturl()


def is_out_of_bounds(address: Address) -> bool:
    """Whether only this host, or its link or its cloud, can be reached there, or nobody at all."""
    return any(_leads_here(one) or _is_own(one) for one in (address, *_wrapped(address)))


def _leads_here(address: Address) -> bool:
    return (
        address in METADATA_SERVICES
        or address.is_loopback
        or address.is_link_local
        or address.is_unspecified
        or address.is_multicast
        or (isinstance(address, ipaddress.IPv4Address) and (address.is_reserved or address in _THIS_NETWORK))
    )


def _wrapped(address: Address) -> Iterator[ipaddress.IPv4Address]:
    """The IPv4 addresses that an IPv6 address may stand for."""
    if isinstance(address, ipaddress.IPv4Address):
        return
    bits = int(address)
    if address.ipv4_mapped is not None:
        yield address.ipv4_mapped
    if address.sixtofour is not None:
        yield address.sixtofour
    if address.teredo is not None:
        yield from address.teredo
    if any(address in network for network in (_NAT64, _COMPATIBLE, _TRANSLATED)):
        yield ipaddress.IPv4Address(bits & 0xFFFFFFFF)
    if (bits >> 32) & 0xFFFFFFFF in _ISATAP:
        yield ipaddress.IPv4Address(bits & 0xFFFFFFFF)
    if address in _LOCAL_NAT64:
        # How much of the prefix a site uses decides where the address is; bits 64 to 71 are always left out.
        joined = (bits >> 64 << 56) | (bits & (1 << 56) - 1)
        guesses = [(joined >> (120 - prefix - 32)) & 0xFFFFFFFF for prefix in (48, 56, 64)]
        found = (ipaddress.IPv4Address(guess) for guess in (*guesses, bits & 0xFFFFFFFF))
        # With a longer prefix in use, the shorter ones' places are full of zeros.
        yield from (guess for guess in found if guess not in _THIS_NETWORK)


def _is_own(address: Address) -> bool:
    """Whether an interface of this host has the address: only then would a packet to it bear it as its source."""
    family = socket.AF_INET if address.version == 4 else socket.AF_INET6
    try:
        with socket.socket(family, socket.SOCK_DGRAM) as probe:
            probe.connect((str(address), 9))
            return ipaddress.ip_address(str(probe.getsockname()[0]).partition("%")[0]) == address
    except OSError:
        return False
