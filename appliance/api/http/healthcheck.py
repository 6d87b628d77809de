"""`/healthcheck`: a word for load balancers, with `?detailed` the reasons for people, with `?write` for who uploads."""

from collections.abc import Callable
from html import escape
from pathlib import Path
from typing import Any

from appliance.api.http.error_responses import preferred
from appliance.api.http.messages import RESERVE, Request, Response
from appliance.blobs.reserve import Reserve

PATH = "/healthcheck"

Trouble = Callable[[], dict[str, str | None]]
"""What to look at: the name of each part, and what is wrong with it or None."""


class Healthcheck:
    """Says OK as long as requests can be served. A store that can't be written still serves reads.

    It shows in the details, and whoever asks with `?write` is told 503 then.
    """

    def __init__(self, disable_file: str, trouble: Trouble, out_of_service: Callable[[], str] = str) -> None:
        """`out_of_service` says why nobody is to be sent here; nothing if there is no reason."""
        self._disable_file = Path(disable_file) if disable_file else None
        self._trouble = trouble
        self._out_of_service = out_of_service

    def response(self, request: Request[Any]) -> Response:
        by_file = self._disable_file is not None and self._disable_file.exists()
        disabled = "DISABLED BY FILE" if by_file else self._out_of_service()
        status = 503 if disabled else 200
        reason = disabled or "OK"
        if not disabled and request.arg("write") is not None:
            reserve: Reserve | None = request.environ.get(RESERVE)
            parts = {"disk": reserve.trouble() if reserve else None, **self._trouble()}
            troubles = [f"{name}: {trouble}" for name, trouble in parts.items() if trouble]
            if troubles:
                status, reason = 503, f"NO WRITES: {'; '.join(troubles)}"
        if request.method == "HEAD":
            return Response(204 if status == 200 else status)
        kind = preferred(request.header("accept"), ("text/plain", "text/html", "application/json"))
        detailed = request.arg("detailed") is not None
        parts = self._trouble() if detailed else {}
        if kind == "application/json":
            body: dict[str, Any] = {"detailed": detailed, "reasons": [reason]}
            if detailed:
                body["parts"] = {name: trouble or "OK" for name, trouble in parts.items()}
            return Response(status, body)
        if kind == "text/html":
            rows = "".join(f"<li>{escape(line)}</li>" for line in _lines(reason, parts))
            page = f"<!doctype html><html><head><title>Healthcheck</title></head><body><ul>{rows}</ul></body></html>"
            return Response(status, page, [("Content-Type", "text/html; charset=UTF-8")])
        return Response(status, "\n".join(_lines(reason, parts)))


def _lines(reason: str, parts: dict[str, str | None]) -> list[str]:
    return [reason, *(f"{name}: {trouble or 'OK'}" for name, trouble in parts.items())]
