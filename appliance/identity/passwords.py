"""Secrets at rest: scrypt, in PHC-like strings, with a bound on how many are computed at once."""

import base64
import hashlib
import hmac
import os
import threading
from dataclasses import dataclass

from appliance.errors import Invalid


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


class Passwords:
    """Hashes secrets and verifies them. Old hashes with other parameters stay valid.

    hashlib's scrypt lets other threads run; the semaphore leaves them a processor to run on.
    """

    def __init__(self, cost: Cost = DEFAULT_COST, max_length: int = 4096) -> None:
        self._cost = cost
        self._max_length = max_length
        self._slots = threading.BoundedSemaphore(max(1, (os.cpu_count() or 1) - 1))
        # Nothing hashes to it, and to find that out takes as long as with any other.
        self._decoy = self._written(os.urandom(16), os.urandom(_LENGTH))

    def hash(self, secret: str) -> str:
        """`$scrypt$n=…,r=…,p=…$salt$digest`. Raises `Invalid` for a secret that is too long."""
        if len(secret.encode()) > self._max_length:
            raise Invalid(f"A password is at most {self._max_length} bytes long.")
        salt = os.urandom(16)
        return self._written(salt, self._derive(secret, salt, self._cost))

    def _written(self, salt: bytes, digest: bytes) -> str:
        cost = self._cost
        return f"$scrypt$n={cost.n},r={cost.r},p={cost.p}${_encode(salt)}${_encode(digest)}"

    def verify(self, secret: str, stored: str | None) -> bool:
        """Whether the secret is the stored one. With nothing stored it takes as long and says no."""
        _, _, parameters, salt, digest = (stored or self._decoy).split("$")
        numbers = dict(part.split("=") for part in parameters.split(","))
        cost = Cost(int(numbers["n"]), int(numbers["r"]), int(numbers["p"]))
        if len(secret.encode()) > self._max_length:
            return False
        same = hmac.compare_digest(self._derive(secret, _decode(salt), cost), _decode(digest))
        return same and stored is not None

    def _derive(self, secret: str, salt: bytes, cost: Cost) -> bytes:
        with self._slots:
            return hashlib.scrypt(
                secret.encode(),
                salt=salt,
                n=cost.n,
                r=cost.r,
                p=cost.p,
                maxmem=256 * cost.n * cost.r * cost.p + 2**20,
                dklen=_LENGTH,
            )


def _encode(data: bytes) -> str:
    return base64.b64encode(data).decode().rstrip("=")


def _decode(text: str) -> bytes:
    return base64.b64decode(text + "=" * (-len(text) % 4))
