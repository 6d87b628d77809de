"""The version documents and JSON Home, which need no token."""

from collections.abc import Callable
from typing import Any

from appliance.api.exchange import Reply, Request
from appliance.api.identity_v3.answers import Answers
from appliance.api.identity_v3.json_home import JsonHome, wanted
from appliance.identity.token import Token

VERSION = "v3.14"


class Versions:
    def __init__(self, answers: Answers, home: JsonHome, older: Callable[[str], dict[str, Any]] | None = None) -> None:
        """`older` makes the document of a version that is served beside v3, of the service's address."""
        self._answers = answers
        self._home = home
        self._older = older

    def every(self, request: Request[Token]) -> Reply:
        """GET / — Multiple Choices, although there is one."""
        if wanted(request):
            return self._home.reply("/v3")
        url = self._answers.url(request)
        values = [self._document(url)]
        if self._older is not None:
            values.append(self._older(url.removesuffix("/v3")))
        return Reply(300, {"versions": {"values": values}}, [("Location", f"{url}/")])

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
