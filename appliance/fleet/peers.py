"""Other sites: each is known by its key, whose fingerprint two people have compared."""

from collections.abc import Mapping
from dataclasses import replace

from appliance.db.fleet import PeerRecord
from appliance.errors import Conflict, Forbidden, Invalid, NotFound
from appliance.fleet.context import FleetContext, check_name
from appliance.fleet.keys import check_key, fingerprint, read_fingerprint
from appliance.fleet.peer_client import ask_key
from appliance.fleet.web import check_trust


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
        pin = check_trust(pin)
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

    def change(self, name: str, values: Mapping[str, str]) -> PeerRecord:
        """Say anew where a site is (`url`), or by what its certificate is known (`pin`). Raises `NotFound`."""
        known = self.find(name)
        url, pin = values.get("url", known.url).rstrip("/"), check_trust(values.get("pin", known.pin))
        peer = replace(known, url=url, pin=pin)
        self._context.db.transact(lambda tx: self._context.rows.change_peer(tx, peer))
        return peer

    def remove(self, name: str) -> None:
        """Know a site no more. Its feeds and their images stay; nothing more comes of them. Raises `NotFound`."""
        if not self._context.db.transact(lambda tx: self._context.rows.remove_peer(tx, name), frees=True):
            raise NotFound(f"There is no peer {name}.")
