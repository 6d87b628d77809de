"""The version documents and JSON Home, which need no token."""

from typing import Any

from appliance.api.exchange import Reply, Request
from appliance.api.identity_v3.answers import Answers
from appliance.api.identity_v3.json_home import JsonHome, wanted
from appliance.identity.token import Token

VERSION = "v3.14"


class Versions:
    def __init__(self, answers: Answers, home: JsonHome) -> None:
        self._answers = answers
        self._home = home

    def every(self, request: Request[Token]) -> Reply:
        """GET / — Multiple Choices, although there is one."""
        if wanted(request):
            return self._home.reply("/v3")
        url = self._answers.url(request)
        return Reply(300, {"versions": {"values": [self._document(url)]}}, [("Location", f"{url}/")])

    def v3(self, request: Request[Token]) -> Reply:
        """GET /v3"""
        if wanted(request):
            return self._home.reply()
        return Reply(200, {"version": self._document(self._answers.url(request))})

    def _document(self, url: str) -> dict[str, Any]:
        return {
            "id": VERSION,
            "status": "stable",
            "updated": "2020-04-07T00:00:00Z",
            "links": [{"rel": "self", "href": f"{url}/"}],
            "media-types": [
                {"base": "application/json", "type": "application/vnd.openstack.identity-v3+json"},
            ],
        }
