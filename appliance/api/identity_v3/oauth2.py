"""/v3/OS-OAUTH2/token: the client credentials grant of OAuth 2.0, by an application credential."""

import base64
import binascii
from http.client import responses
from urllib.parse import parse_qsl

from appliance.api.http.error_responses import identity_fault
from appliance.api.http.messages import Request, Response
from appliance.api.http.service import Route
from appliance.api.identity_v3.kit import Handlers
from appliance.errors import ApplianceError, Invalid, Unauthenticated
from appliance.identity.tokens.token import SECOND, Token

_FORM = "application/x-www-form-urlencoded"
_NO_CLIENT = "Client authentication failed."
_UNKNOWN = "An unknown error occurred and failed to get an OAuth2.0 access token."


class OAuth2(Handlers):
    def routes(self) -> list[Route]:
        path, others = "/v3/OS-OAUTH2/token", ("GET", "PUT", "PATCH", "DELETE")
        return [
            Route("POST", path, self.token, public=True, frees=True, relation="OS-OAUTH2:token"),
            *(Route(method, path, self.no_method, public=True) for method in others),
        ]

    def token(self, request: Request[Token]) -> Response:
        """POST /v3/OS-OAUTH2/token"""
        form = _form(request)
        grant = form.get("grant_type")
        if grant is None:
            return self._refused(request, 400, "invalid_request", "The parameter grant_type is required.")
        if grant != "client_credentials":
            what = f"The parameter grant_type {grant} is not supported."
            return self._refused(request, 400, "unsupported_grant_type", what)
        client, secret = _basic(request) or (form.get("client_id"), form.get("client_secret"))
        if not client or not secret:
            return self._refused(request, 401, "invalid_client", _NO_CLIENT)
        shown = {"methods": ["application_credential"], "application_credential": {"id": client, "secret": secret}}
        try:
            token = self._identity.authentication.authenticate(shown)
        except ApplianceError as error:
            return self._failed(request, error)
        # For the audit trail: the answer does not say who it is.
        request.caller = token
        body = {
            "access_token": token.text,
            "expires_in": (token.expires_at - token.issued_at) // SECOND,
            "token_type": "Bearer",
        }
        return Response(200, body, [("Cache-Control", "no-store")])

    def no_method(self, request: Request[Token]) -> Response:
        """Any other method, in the words of this path."""
        response = self._refused(request, 405, "other_error", "The method is not allowed for the requested URL.")
        response.headers.append(("Allow", "POST"))
        return response

    def _failed(self, request: Request[Token], error: ApplianceError) -> Response:
        """A log-in that failed. What was wrong is not told, nor whether there is such a credential."""
        plain = identity_fault(error, "")
        if isinstance(error, Unauthenticated):
            return self._refused(request, 401, "invalid_client", plain.body["error"]["message"])
        if isinstance(error, Invalid):
            return self._refused(request, 400, "invalid_request", str(error))
        response = self._refused(request, plain.status, "other_error", _UNKNOWN)
        response.headers += [header for header in plain.headers if header[0] == "Retry-After"]
        return response

    def _refused(self, request: Request[Token], status: int, title: str, description: str) -> Response:
        headers = []
        if status == 401:
            headers.append(("WWW-Authenticate", f'Keystone uri="{self._presenter.url(request)}"'))
        body = {"error": title, "error_description": description}
        return Response(status, body, headers, reason=responses[status])


def _form(request: Request[Token]) -> dict[str, str]:
    """The fields of a form, the first of each name; none of anything that is no form."""
    kind = (request.header("content-type") or "").partition(";")[0].strip().lower()
    if kind != _FORM:
        return {}
    try:
        pairs = parse_qsl(request.body().decode(), keep_blank_values=True, max_num_fields=100)
    except ValueError as error:
        raise Invalid("The form can't be read.") from error
    return dict(reversed(pairs))


def _basic(request: Request[Token]) -> tuple[str, str] | None:
    """Name and secret of a Basic `Authorization` header; None if there is none that makes sense."""
    scheme, _, encoded = (request.header("authorization") or "").partition(" ")
    if scheme.lower() != "basic":
        return None
    try:
        name, _, secret = base64.b64decode(encoded.strip(), validate=True).decode().partition(":")
    except (binascii.Error, UnicodeDecodeError):
        return None
    return name, secret
