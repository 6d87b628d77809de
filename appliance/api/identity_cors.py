"""Which pages may call the identity service from a browser, whatever version of its API they speak."""

from appliance.api.cors import Cors
from appliance.settings import Settings

_ALLOWED = (
    "X-Auth-Token",
    "X-OpenStack-Request-ID",
    "X-Subject-Token",
    "X-Project-Id",
    "X-Project-Name",
    "X-Project-Domain-Id",
    "X-Project-Domain-Name",
    "X-Domain-Id",
    "X-Domain-Name",
    "OpenStack-Auth-Receipt",
)
_EXPOSED = ("X-Auth-Token", "X-OpenStack-Request-ID", "X-Subject-Token", "OpenStack-Auth-Receipt")


def identity_cors(settings: Settings) -> Cors:
    """Keystone's defaults, for the origins of the settings."""
    return Cors(
        settings.cors_allowed_origins,
        methods=("GET", "PUT", "POST", "DELETE", "PATCH"),
        allow_headers=_ALLOWED,
        expose_headers=_EXPOSED,
    )
