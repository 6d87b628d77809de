"""Where the client of one request finds us: what links and the catalog are made of."""

from collections.abc import Callable
from typing import Any
from urllib.parse import urlsplit

from appliance.api.exchange import Request
from appliance.errors import Invalid
from appliance.identity.catalog import Addresses
from appliance.settings import Settings


class AddressBook:
    """Addresses as the settings fix them, else as the client itself wrote them."""

    def __init__(self, settings: Settings, image_port: Callable[[], int]) -> None:
        self._identity = settings.public_identity_url.rstrip("/").removesuffix("/v3")
        self._image = settings.public_image_url.rstrip("/")
        self._single_port = settings.single_port
        self._image_port = image_port

    def identity(self, request: Request[Any]) -> str:
        """The identity service's address, without a version."""
        return self._identity or request.base_url

    def both(self, request: Request[Any]) -> Addresses:
        """Both services' addresses."""
        return Addresses(self.identity(request), self._image or self._beside(request.base_url))

    def _beside(self, base_url: str) -> str:
        """The image service's address, made from the one that the client used for identity."""
        if self._single_port:
            return base_url.removesuffix("/identity") + "/image"
        try:
            parts = urlsplit(base_url)
            host = parts.hostname or ""
        except ValueError as error:
            raise Invalid("The Host header is malformed.") from error
        host = f"[{host}]" if ":" in host else host
        return f"{parts.scheme}://{host}:{self._image_port()}"
