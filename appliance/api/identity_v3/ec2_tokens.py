"""/v3/ec2tokens and /v3/s3tokens: a service shows the signed request that it got, and learns who sent it."""

from appliance.api.exchange import Reply, Request
from appliance.api.identity_v3.answers import Answers
from appliance.api.identity_v3.bodies import json_object
from appliance.api.identity_v3.tokens import token_body
from appliance.identity.ec2_authentication import Check
from appliance.identity.ec2_signatures import check_ec2, check_s3
from appliance.identity.service import Identity
from appliance.identity.token import Token


class Ec2Tokens:
    def __init__(self, identity: Identity, answers: Answers) -> None:
        self._identity = identity
        self._answers = answers

    def ec2(self, request: Request[Token]) -> Reply:
        """POST /v3/ec2tokens"""
        token = self._authenticated(request, check_ec2)
        return Reply(200, self._body(request, token), [("X-Subject-Token", token.text)])

    def s3(self, request: Request[Token]) -> Reply:
        """POST /v3/s3tokens — without the token itself: a presigned address must not become one."""
        return Reply(200, self._body(request, self._authenticated(request, check_s3)))

    def _authenticated(self, request: Request[Token], check: Check) -> Token:
        return self._identity.ec2_authentication.authenticate(json_object(request), check)

    def _body(self, request: Request[Token], token: Token) -> dict[str, object]:
        addresses = self._answers.addresses(request)
        catalog = self._identity.catalog.rendered(addresses, token.project_id, token.user.id)
        return {"token": {**token_body(token), "catalog": catalog}}
