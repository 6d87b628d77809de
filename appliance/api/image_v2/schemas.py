"""`GET /v2/schemas/…`: the documents are rendered once, when the routes are made."""

import json
from typing import Any

from appliance.api.exchange import Reply, Request
from appliance.api.service import ANY_TOKEN, Handler, Route
from appliance.image.schemas import documents
from appliance.settings import Settings
from appliance.values import Caller


def routes(settings: Settings) -> list[Route]:
    """One route for each document."""
    return [
        Route("GET", f"/v2/schemas/{path}", _serve(json.dumps(schema).encode()), ANY_TOKEN, bodiless=True)
        for path, schema in documents(settings).items()
    ]


def _serve(document: bytes) -> Handler:
    def show(request: Request[Caller], **_: Any) -> Reply:
        return Reply(200, document, [("Content-Type", "application/json")])

    return show
