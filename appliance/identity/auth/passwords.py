"""Secrets at rest: scrypt, in PHC-like strings, computed one by one where log-ins wait their turn."""

import base64
import hashlib
import hmac
import os
from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

from appliance.errors import Invalid, TooManyRequests
from appliance.identity.auth.hash_queue import HashQueue


@dataclass(frozen=True, slots=True)
class Cost:
    """scrypt's parameters: the memory is `128 * n * r` bytes, the work grows with `n * r * p`."""

    n: int
    r: int
    p: int


DEFAULT_COST = Cost(n=2**16, r=8, p=1)
"""64 MiB and about a fifth of a second: no weaker than Keystone's default, bcrypt with 12 rounds in 4 KiB.

What it costs an attacker is memory times the time that it is held, and that grows with the square of `n`: this is more
than n=2^15 with p=3 would cost, in less time for us.
"""

_LENGTH = 32
_VERSION = 2
"""2: scrypt is given the SHA-512 of the secret. 1, which is not written down: the secret itself, which HMAC first pads
with zeros or, above 64 bytes, replaces by its SHA-256, so that different secrets have the same hash."""


class _Stored(NamedTuple):
    version: int
    cost: Cost
    salt: bytes
    digest: bytes


class Passwords:
    """Hashes secrets and verifies them. Old hashes, and those with other parameters, stay valid."""

    def __init__(self, cost: Cost = DEFAULT_COST, max_length: int = 4096, queue: HashQueue | None = None) -> None:
        self._cost = cost
        self._max_length = max_length
        self.queue = queue or HashQueue()
        # Nothing hashes to it, and to find that out takes as long as with any other.
        self._decoy = self._written(os.urandom(16), os.urandom(_LENGTH))

    def hash(self, secret: str) -> str:
        """`$scrypt$v=2,n=…,r=…,p=…$salt$digest`. Raises `Invalid` for a secret that is too long."""
        if len(_bytes(secret)) > self._max_length:
            raise Invalid(f"A password is at most {self._max_length} bytes long.")
        salt = os.urandom(16)
        return self._written(salt, self._derive(secret, _VERSION, self._cost, salt, _pass))

    def verify(self, secret: str, stored: str | None, check: Callable[[], None] | None = None) -> bool:
        """Whether the secret is the stored one. With nothing stored it takes as long and says no.

        `check` is called when this secret's turn has come: what it raises, this raises.
        """
        version, cost, salt, digest = _read(stored or self._decoy)
        if len(_bytes(secret)) > self._max_length:
            return False
        same = hmac.compare_digest(self._derive(secret, version, cost, salt, check or _pass), digest)
        # To version 1, zeros at the end are padding. Without knowing the real secret, the one without them is it.
        padded = version == 1 and secret.endswith("\0")
        return same and stored is not None and not padded

    def renewed(self, secret: str, stored: str) -> str | None:
        """A hash of the same secret as it is made today; None if the stored one is such, or if there is no time."""
        version, cost, _, _ = _read(stored)
        if (version, cost) == (_VERSION, self._cost):
            return None
        try:
            return self.hash(secret)
        except TooManyRequests:
            return None

    def _written(self, salt: bytes, digest: bytes) -> str:
        cost = self._cost
        return f"$scrypt$v={_VERSION},n={cost.n},r={cost.r},p={cost.p}${_encode(salt)}${_encode(digest)}"

    def _derive(self, secret: str, version: int, cost: Cost, salt: bytes, check: Callable[[], None]) -> bytes:
        key = _bytes(secret)
        if version > 1:
            # As long as HMAC's block, so that it is neither padded nor replaced.
            key = hashlib.sha512(key).digest()

        def work() -> bytes:
            check()
            memory = 256 * cost.n * cost.r * cost.p + 2**20
            return hashlib.scrypt(key, salt=salt, n=cost.n, r=cost.r, p=cost.p, maxmem=memory, dklen=_LENGTH)

        return self.queue.run(work)


def _pass() -> None:
    pass


def _bytes(secret: str) -> bytes:
    """JSON can hold half a character; it gets bytes of its own."""
    return secret.encode("utf-8", "surrogatepass")


def _read(stored: str) -> _Stored:
    _, _, parameters, salt, digest = stored.split("$")
    numbers = {name: int(number) for name, number in (part.split("=") for part in parameters.split(","))}
    cost = Cost(numbers["n"], numbers["r"], numbers["p"])
    return _Stored(numbers.get("v", 1), cost, _decode(salt), _decode(digest))


def _encode(data: bytes) -> str:
    return base64.b64encode(data).decode().rstrip("=")


def _decode(text: str) -> bytes:
    return base64.b64decode(text + "=" * (-len(text) % 4))
