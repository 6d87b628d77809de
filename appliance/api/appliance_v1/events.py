"""/appliance/v1/events: the audit trail, of one's own project for its members, of everything for admins."""

import json
from typing import Any

from appliance.activity.trail import AuditTrail, shown
from appliance.api.http.messages import Request, Response
from appliance.api.http.service import Route
from appliance.errors import Invalid
from appliance.image.policies import ImagePolicies
from appliance.values import Caller, parse_time, whole_number

_PAGE = 100
_MOST = 1000
_FILTERS = ("user", "project", "action", "subject", "request_id")


class EventRoutes:
    """Handlers of the audit trail."""

    def __init__(self, trail: AuditTrail, policies: ImagePolicies) -> None:
        self._trail = trail
        self._policies = policies

    def routes(self) -> list[Route]:
        return [Route("GET", "/appliance/v1/events", self.list, "get_events", bodiless=True)]

    def list(self, request: Request[Caller]) -> Response:
        """Newest first, unless `after` says from which event on; as JSON lines for `Accept: application/x-ndjson`."""
        self._policies.enforce_service(request.caller, "get_events")
        wanted = _wanted(request)
        most = min(_number(request, "limit") or _PAGE, _MOST)
        after = _number(request, "after")
        before = _number(request, "before")
        if after is None:
            before = before or 2**62
        events = self._trail.page(wanted, after=after or 0, before=before, most=most)
        rows = [shown(event) for event in events]
        if "application/x-ndjson" in (request.header("accept") or ""):
            text = "".join(f"{json.dumps(row)}\n" for row in rows)
            return Response(200, text, [("Content-Type", "application/x-ndjson")])
        return Response(200, {"events": rows})


def _wanted(request: Request[Caller]) -> dict[str, Any]:
    wanted: dict[str, Any] = {name: request.arg(name) for name in _FILTERS if request.arg(name)}
    for name in ("since", "until"):
        text = request.arg(name)
        if text:
            try:
                wanted[name] = parse_time(text)
            except (ValueError, OverflowError) as error:
                raise Invalid(f"{name} is not a time in ISO 8601.") from error
    if request.arg("result"):
        wanted["failed"] = request.arg("result") != "success"
    if not request.caller.is_admin:
        wanted["project_id"] = request.caller.project_id
    return wanted


def _number(request: Request[Caller], name: str) -> int | None:
    text = request.arg(name)
    if text is None:
        return None
    number = whole_number(text)
    if number is None or number > 2**62:
        raise Invalid(f"{name} must be a whole number that is not negative.")
    return number
