"""Whose tokens the image package accepts: our own, another Keystone's, or a central one's by a copy of its state."""

from typing import Protocol

from appliance.db.notes import Notes
from appliance.errors import Fatal
from appliance.identity.edge import Edge
from appliance.identity.external import ExternalIdentity
from appliance.identity.keystone_client import KeystoneClient
from appliance.identity.service import Identity
from appliance.settings import Settings
from appliance.values import Caller, Clock


class Verification(Protocol):
    """Says who a token stands for, given what it is used for."""

    def validate(self, text: str, method: str = "", path: str = "") -> Caller:
        """Raises `Unauthenticated`, or `Unavailable` if that can't be known now."""
        ...


def verification(identity: Identity, notes: Notes, settings: Settings, clock: Clock) -> Verification:
    """What `identity_mode` asks for. An `Edge` wants its `copy` called every `edge_sync_seconds`. Raises `Fatal`."""
    if settings.identity_mode == "own":
        return identity
    if settings.use_keystone_limits:
        raise Fatal("use_keystone_limits needs the limits of our own identity service; set user_storage_quota instead")
    if settings.identity_mode == "external":
        return ExternalIdentity(KeystoneClient(settings), settings, clock)
    if settings.identity_mode == "edge":
        return Edge(identity, KeystoneClient(settings), notes, settings)
    raise Fatal(f"identity_mode is own, external or edge, not {settings.identity_mode}")
