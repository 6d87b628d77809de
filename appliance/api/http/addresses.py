"""The addresses of a service: as a client wrote them, as it is told them."""

import re
from collections.abc import Callable
from typing import Any
from urllib.parse import urlsplit

from appliance.api.http.messages import Request
from appliance.errors import Invalid
from appliance.identity.catalog.catalog import Addresses
from appliance.settings import Settings

_SLASHES = re.compile("//+")


def merged(path: str) -> str:
    """The path with one slash for each run of them."""
    return _SLASHES.sub("/", path) if "//" in path else path


Ports = Callable[[], tuple[int, int]]
"""The image and identity ports: asked at each request, since port 0 is only known once it is bound."""


class AddressBook:
    """Addresses as the settings fix them, else made from the one that the client itself wrote."""

    def __init__(
        self,
        settings: Settings,
        ports: Ports | None = None,
        *,
        admin_port: Callable[[], int] | None = None,
        at_admin_port: bool = False,
    ) -> None:
        """`admin_port` is where the admin's half of Identity API v2.0 is; `at_admin_port` says that this is there."""
        self._identity = settings.public_identity_url.rstrip("/").removesuffix("/v3")
        # Whose tokens we take is whom a client without one is sent to.
        self._tokens = settings.keystone_url if settings.identity_mode != "own" else self._identity
        self._image = settings.public_image_url.rstrip("/")
        self._single_port = settings.single_port
        self._ports: Ports = ports or (lambda: (settings.image_port, settings.identity_port))
        self._admin_port = admin_port
        self._at_admin_port = at_admin_port

    def identity(self, request: Request[Any]) -> str:
        """The identity service's address, without a version, for a request that came to it."""
        if self._at_admin_port:
            return request.base_url
        return self._identity or request.base_url

    def both(self, request: Request[Any]) -> Addresses:
        """Both services' addresses, for a request that came to the identity service."""
        base = request.base_url
        if self._at_admin_port:
            image_port, identity_port = self._ports()
            mounts = ("/identity", "/image") if self._single_port else ("", "")
            identity = self._identity or self._at(base, identity_port) + mounts[0]
            return Addresses(identity, self._image or self._at(base, image_port) + mounts[1], base)
        image = self._image or self._beside(base, "/identity", "/image", self._ports()[0])
        identity = self._identity or base
        admin = self._at(identity, self._admin_port()) if self._admin_port is not None else ""
        return Addresses(identity, image, admin)

    def identity_from_image(self, request: Request[Any]) -> str:
        """The address of the identity service that issues the tokens, for a request that came to the image service."""
        return self._tokens or self._beside(request.base_url, "/image", "/identity", self._ports()[1])

    def _beside(self, base_url: str, ours: str, other: str, port: int) -> str:
        """The other service's address: its mount beside ours, or its port on the same host."""
        if self._single_port:
            return base_url.removesuffix(ours) + other
        return self._at(base_url, port)

    def _at(self, base_url: str, port: int) -> str:
        """Another port of the same host."""
        try:
            parts = urlsplit(base_url)
            host = parts.hostname or ""
        except ValueError as error:
            raise Invalid("The Host header is malformed.") from error
        host = f"[{host}]" if ":" in host else host
        return f"{parts.scheme}://{host}:{port}"
