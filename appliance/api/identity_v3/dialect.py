"""What makes an API sound like Keystone v3: the authenticator, error responses, receipts."""

from collections.abc import Mapping
from html import escape
from urllib.parse import quote

from appliance.api.http.addresses import AddressBook, merged
from appliance.api.http.cors import Cors
from appliance.api.http.error_responses import identity_fault
from appliance.api.http.healthcheck import PATH, Healthcheck
from appliance.api.http.messages import Request, Response
from appliance.api.http.service import Route
from appliance.api.identity_v3.targets import Chosen
from appliance.errors import Unauthenticated
from appliance.identity.auth.authentication import MethodsMissing
from appliance.identity.policy.checks import NOTHING
from appliance.identity.service import Identity
from appliance.identity.tokens.token import Token
from appliance.values import micros_text

HEADER = "Openstack-Auth-Receipt"


def receipt_response(identity: Identity, missing: MethodsMissing) -> Response:
    """401 with the receipt."""
    receipt = missing.receipt
    user = identity.users.get(receipt.user_id)
    domain = identity.domains.get(user.domain_id)
    body = {
        "receipt": {
            "methods": list(receipt.methods),
            "user": {
                "id": user.id,
                "name": user.name,
                "domain": {"id": domain.id, "name": domain.name},
            },
            "expires_at": micros_text(receipt.expires_at),
            "issued_at": micros_text(receipt.issued_at),
        },
        "required_auth_methods": missing.required,
    }
    return Response(401, body, [(HEADER, receipt.text)])


_NOT_FOUND = (
    "<!doctype html>\n<html lang=en>\n<title>404 Not Found</title>\n<h1>Not Found</h1>\n"
    "<p>Nothing answers at this address.</p>\n"
)


class IdentityDialect:
    """Identity API v3. The caller of a request is the validated token of `X-Auth-Token`."""

    def __init__(self, identity: Identity, addresses: AddressBook, healthcheck: Healthcheck, cors: Cors) -> None:
        self._identity = identity
        self._addresses = addresses
        self._healthcheck = healthcheck
        self._cors = cors

    def before_routing(self, request: Request[Token]) -> Response | None:
        request.path = request.path.rstrip("/") or "/"
        if request.path == PATH and request.method in ("GET", "HEAD"):
            return self._healthcheck.response(request)
        return self._cors.preflight(request)

    def admit(self, request: Request[Token], route: Route) -> None:
        if route.public:
            return
        text = request.header("x-auth-token")
        if not text:
            raise Unauthenticated("There is no token in the request.")
        token = self._identity.tokens.validate(text)
        if token.application_credential is not None:
            self._identity.check_access(token, "identity", request.method, request.path)
        request.caller = token

    def authorize(self, request: Request[Token], route: Route, parts: Mapping[str, str]) -> None:
        found = NOTHING if route.target is None else route.target(self._identity, request, **parts)
        policy, target = found if isinstance(found, Chosen) else (route.policies[0], found)
        self._identity.enforce(request.caller, policy, {"request_body": request.parsed, **parts, **target})

    def fault(self, request: Request[Token], error: Exception) -> Response:
        if isinstance(error, MethodsMissing):
            return receipt_response(self._identity, error)
        return identity_fault(error, self._addresses.identity(request))

    def unrouted(self, request: Request[Token]) -> Response:
        if "//" in request.path:
            return _moved(request)
        return Response(404, _NOT_FOUND, [("Content-Type", "text/html; charset=utf-8")])

    def wrong_method(self, request: Request[Token], allowed: str) -> Response:
        if request.method == "OPTIONS":
            # What load balancers ask to see whether somebody is there.
            methods = dict.fromkeys([*allowed.split(", "), *(["HEAD"] if "GET" in allowed else []), "OPTIONS"])
            return Response(200, "", [("Allow", ", ".join(methods)), ("Content-Type", "text/html; charset=utf-8")])
        return Response(405, {"message": "The method is not allowed for the requested URL."}, [("Allow", allowed)])

    def finish(self, request: Request[Token], response: Response) -> None:
        response.headers.append(("Vary", "X-Auth-Token"))
        response.headers.append(("x-openstack-request-id", request.id))
        self._cors.finish(request, response)


def _moved(request: Request[Token]) -> Response:
    """To the same path without doubled slashes. 308: a POST stays one, with its body."""
    query = request.environ.get("QUERY_STRING", "")
    url = request.base_url + quote(merged(request.path), safe="/:@!$&'()*+,;=~") + (f"?{query}" if query else "")
    link = f'<a href="{escape(url)}">{escape(url)}</a>'
    page = f"<!doctype html>\n<html lang=en>\n<title>Moved</title>\n<h1>Moved</h1>\n<p>This is at {link}.</p>\n"
    return Response(308, page, [("Location", url), ("Content-Type", "text/html; charset=utf-8")])
