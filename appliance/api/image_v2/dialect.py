"""What makes an API sound like Glance v2: authentication, error responses, media types and JSON bodies."""

import re
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from appliance.api.http.addresses import merged
from appliance.api.http.cors import Cors
from appliance.api.http.error_responses import image_error, image_fault
from appliance.api.http.healthcheck import PATH, Healthcheck
from appliance.api.http.messages import Request, Response
from appliance.api.http.service import Route
from appliance.api.image_v2.discovery import Versions
from appliance.errors import Invalid, Unauthenticated
from appliance.image.policies import ImagePolicies
from appliance.settings import Settings
from appliance.values import Caller


def document(request: Request[Caller]) -> Any:
    """The body: a JSON object or array. Raises `Invalid`."""
    body = request.json(utf8_only=True)
    if not isinstance(body, dict | list):
        raise Invalid("Request body must be a JSON array or a JSON object.")
    return body


def json_object(request: Request[Caller], what: str = "Request body must be a JSON object.") -> dict[str, Any]:
    """The body: a JSON object. Raises `Invalid`."""
    body = document(request)
    if not isinstance(body, dict):
        raise Invalid(what)
    return body


def media_type(request: Request[Caller]) -> str:
    """The content type without its parameters; empty if there is none."""
    return (request.header("content-type") or "").split(";")[0].strip().lower()


Authenticate = Callable[[str, str, str], Caller]
"""A token's text, and the method and path that it is used for, in; its caller out. Raises `Unauthenticated`."""

# Paths where Glance has no answer of its own to other methods.
_NO_405 = re.compile(r"/v2/(images/[^/]+/tasks|info/usage)")
_LOCATIONS = re.compile(r"/v2/images/[^/]+/locations")

_CORS_HEADERS = (
    "Content-MD5",
    "X-Image-Meta-Checksum",
    "X-Storage-Token",
    "Accept-Encoding",
    "X-Auth-Token",
    "X-Identity-Status",
    "X-Roles",
    "X-Service-Catalog",
    "X-User-Id",
    "X-Tenant-Id",
    "X-OpenStack-Request-ID",
    "X-OpenStack-Image-Size",
)
_CORS_EXPOSED = (
    "X-Image-Meta-Checksum",
    "X-Auth-Token",
    "X-Subject-Token",
    "X-Service-Token",
    "X-OpenStack-Request-ID",
)


class ImageDialect:
    """Image API v2. Everything but versions and `/healthcheck` needs a token, before the path is even looked at."""

    def __init__(
        self,
        settings: Settings,
        policies: ImagePolicies,
        authenticate: Authenticate,
        healthcheck: Healthcheck,
        identity_url: Callable[[Request[Any]], str],
    ) -> None:
        self._policies = policies
        self._authenticate = authenticate
        self._healthcheck = healthcheck
        self._identity_url = identity_url
        self._versions = Versions(settings)
        self._cors = Cors(
            settings.cors_allowed_origins,
            methods=("GET", "PUT", "POST", "DELETE", "PATCH"),
            allow_headers=_CORS_HEADERS,
            allow_prefixes=("x-image-meta-",),
            expose_headers=_CORS_EXPOSED,
        )

    def before_routing(self, request: Request[Caller]) -> Response | None:
        request.path = merged(request.path)
        if request.path == PATH:
            return self._healthcheck.response(request)
        response = self._cors.preflight(request) or self._versions.negotiate(request)
        if response is not None:
            return response
        request.check_request_id()
        token = request.header("x-auth-token")
        if not token:
            raise Unauthenticated("There is no token in the request.")
        caller = self._authenticate(token, request.method, request.path)
        service_token = request.header("x-service-token")
        if service_token:
            service = self._authenticate(service_token, request.method, request.path)
            caller = replace(caller, service_roles=service.roles)
        request.caller = self._policies.admitted(caller)
        if request.path == "/v2":
            return Response(302, headers=[("Location", f"{request.base_url}/v2/")])
        return None

    def admit(self, request: Request[Caller], route: Route) -> None:
        if route.bodiless and request.has_body and (request.content_length or request.method != "GET"):
            raise Invalid("A body is not expected with this request.")

    def authorize(self, request: Request[Caller], route: Route, parts: Mapping[str, str]) -> None:
        """Nothing: the image service enforces the policies that the routes name, with the image in its hand.

        Whom an image exists for, its status and its properties decide with the policy between 403, 404 and 409, and the
        row that was checked must be the row that is changed.
        """

    def fault(self, request: Request[Caller], error: Exception) -> Response:
        response = image_fault(error, request.header("accept"))
        if response.status == 401:
            response.headers.append(("WWW-Authenticate", f'Keystone uri="{self._identity_url(request)}"'))
        return response

    def unrouted(self, request: Request[Caller]) -> Response:
        return image_error(404, "The resource could not be found.", request.header("accept"))

    def wrong_method(self, request: Request[Caller], allowed: str) -> Response:
        if _NO_405.fullmatch(request.path):
            return self.unrouted(request)
        # The original never answers HEAD, and forgets that locations can be read.
        methods = [method for method in allowed.split(", ") if method != "HEAD"]
        if _LOCATIONS.fullmatch(request.path):
            methods = ["POST"]
        sentence = f"The method {request.method} is not allowed for this resource."
        response = image_error(405, sentence, request.header("accept"))
        response.headers.append(("Allow", ", ".join(methods)))
        return response

    def finish(self, request: Request[Caller], response: Response) -> None:
        response.headers.append(("x-openstack-request-id", request.id))
        self._cors.finish(request, response)
