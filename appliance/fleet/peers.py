"""Other sites: each is known by its key, whose fingerprint two people have compared."""

from appliance.db.fleet import PeerRecord
from appliance.errors import Conflict, Forbidden, Invalid, NotFound
from appliance.fleet.context import FleetContext, check_name
from appliance.fleet.keys import check_key, fingerprint, read_fingerprint
from appliance.fleet.peer_client import ask_key


class Peers:
    """Pairs with other sites, and parts from them."""

    def __init__(self, context: FleetContext) -> None:
        self._context = context

    def every(self) -> list[PeerRecord]:
        return self._context.rows.peers()

    def find(self, name: str) -> PeerRecord:
        """Raises `NotFound`."""
        for peer in self.every():
            if peer.name == name:
                return peer
        raise NotFound(f"There is no peer {name}.")

    def pair(self, name: str, accepted: str, *, key: str = "", url: str = "", pin: str = "") -> PeerRecord:
        """Know a site by its key from now on, whose fingerprint somebody has accepted; ask its address for the key.

        Raises `Forbidden` if it is the fingerprint of another key, `Conflict` if the site is known already.
        """
        check_name(name)
        pin = _pin(pin)
        wanted = read_fingerprint(accepted)
        if not (key or url):
            raise Invalid("A site is known by its key, or asked for it at its address.")
        key = check_key(key or ask_key(url, pin))
        if key == self._context.key.public:
            raise Conflict("This is the key of this very site.")
        if fingerprint(key) != wanted:
            raise Forbidden(f"The site's key has the fingerprint {fingerprint(key)}, and not {wanted}.")
        peer = PeerRecord(name, key, url.rstrip("/"), pin, self._context.clock())
        self._context.db.transact(lambda tx: self._context.rows.add_peer(tx, peer))
        return peer

    def remove(self, name: str) -> None:
        """Know a site no more. Its feeds and their images stay; nothing more comes of them. Raises `NotFound`."""
        if not self._context.db.transact(lambda tx: self._context.rows.remove_peer(tx, name), frees=True):
            raise NotFound(f"There is no peer {name}.")


def _pin(text: str) -> str:
    """The SHA-256 of a certificate, as openssl or a browser shows it."""
    digits = text.replace(":", "").lower()
    if digits and not (len(digits) == 64 and all(digit in "0123456789abcdef" for digit in digits)):
        raise Invalid("A certificate is pinned by its SHA-256: 64 hexadecimal digits.")
    return digits
