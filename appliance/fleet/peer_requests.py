"""How one site proves to another that a request is its own: a signature over all of it, made for that site, once.

The clocks of two sites may differ by more than an hour; within that time no request is taken twice.
"""

import hashlib
import os
import re

from appliance.db.identity.revocations import claim
from appliance.errors import Unauthenticated
from appliance.fleet.context import FleetContext
from appliance.fleet.keys import SiteKey, canonical, verify
from appliance.values import Micros

KIND = "request"
SCHEME = "Glance-Fleet"
APART: Micros = 90 * 60 * 1_000_000
"""How far a request's time may be from ours."""
_HEADER = re.compile(
    rf"{SCHEME} key=([0-9a-f]{{64}}), at=(\d{{1,18}}), nonce=([0-9a-f]{{32}}), signature=([0-9a-f]{{128}})"
)


def sign_request(key: SiteKey, to: str, method: str, target: str, body: bytes, at: Micros) -> str:
    """The header `Authorization` of a request to the site with the key `to`."""
    nonce = os.urandom(16).hex()
    signature = key.sign(KIND, _signed(to, method, target, body, at, nonce))
    return f"{SCHEME} key={key.public}, at={at}, nonce={nonce}, signature={signature}"


def _signed(to: str, method: str, target: str, body: bytes, at: Micros, nonce: str) -> str:
    digest = hashlib.sha256(body).hexdigest()
    return canonical({"to": to, "method": method, "target": target, "body": digest, "at": at, "nonce": nonce})


class RequestCheck:
    """Finds out which peer has sent a request."""

    def __init__(self, context: FleetContext) -> None:
        self._context = context

    def check_form(self, header: str | None) -> None:
        """Raise `Unauthenticated` before the body is read, if nothing in it could help."""
        match = _HEADER.fullmatch(header or "")
        if match is None:
            raise Unauthenticated("A site signs its requests; this one has no signature.")
        self._name_of(match[1])

    def _name_of(self, key: str) -> str:
        for peer in self._context.rows.peers():
            if peer.key == key:
                return peer.name
        raise Unauthenticated("This site is not known here: `peer pair` makes it known.")

    def peer(self, header: str | None, method: str, target: str, body: bytes) -> str:
        """The name of the peer. Raises `Unauthenticated` for a request that is not, or no longer, one of a peer's."""
        match = _HEADER.fullmatch(header or "")
        if match is None:
            raise Unauthenticated("A site signs its requests; this one has no signature.")
        key, at, nonce, signature = match[1], int(match[2]), match[3], match[4]
        name = self._name_of(key)
        now = self._context.clock()
        if abs(now - at) > APART:
            raise Unauthenticated("The clocks of the two sites differ by more than an hour and a half.")
        try:
            verify(key, KIND, _signed(self._context.key.public, method, target, body, at, nonce), signature)
        except Exception as error:
            raise Unauthenticated("The signature of the request is wrong, or it was made for another site.") from error
        self._once(nonce)
        return name

    def _once(self, nonce: str) -> None:
        """In the database, so that a restart forgets nothing, and no other node takes it either."""
        proof = hashlib.sha256(f"{KIND} {nonce}".encode()).hexdigest()
        # A site whose disk is full serves its feeds on.
        if not self._context.db.transact(lambda tx: claim(tx, proof), frees=True):
            raise Unauthenticated("This request was made before.")
