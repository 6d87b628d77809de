"""/appliance/v1/nodes: the nodes of an appliance that is several: drained before an upgrade, removed when gone."""

from typing import Any

from appliance.api.http.messages import Request, Response
from appliance.api.http.service import Route
from appliance.db.nodes import NodeRecord
from appliance.image.policies import ImagePolicies
from appliance.nodes.membership import Nodes
from appliance.values import Caller, Micros, seconds_text

_MANAGE = "manage_nodes"


class NodeRoutes:
    """Handlers for administrators. One appliance alone has no nodes."""

    def __init__(self, nodes: Nodes, policies: ImagePolicies) -> None:
        self._nodes = nodes
        self._policies = policies

    def routes(self) -> list[Route]:
        return [
            Route("GET", "/appliance/v1/nodes", self.every, _MANAGE, bodiless=True),
            Route("GET", "/appliance/v1/nodes/<node>", self.one, _MANAGE, bodiless=True),
            Route("DELETE", "/appliance/v1/nodes/<node>", self.remove, _MANAGE, bodiless=True),
            Route("PUT", "/appliance/v1/nodes/<node>/drain", self.drain, _MANAGE, bodiless=True),
            Route("DELETE", "/appliance/v1/nodes/<node>/drain", self.undrain, _MANAGE, bodiless=True),
        ]

    def every(self, request: Request[Caller]) -> Response:
        self._policies.enforce_service(request.caller, _MANAGE)
        return Response(200, {"nodes": self._shown(self._nodes.every())})

    def one(self, request: Request[Caller], node: str) -> Response:
        self._policies.enforce_service(request.caller, _MANAGE)
        return Response(200, self._shown([self._nodes.find(node)])[0])

    def remove(self, request: Request[Caller], node: str) -> Response:
        """Forget a node that runs no more."""
        self._policies.enforce_service(request.caller, _MANAGE)
        self._nodes.remove(node)
        return Response(204)

    def drain(self, request: Request[Caller], node: str) -> Response:
        """Send nobody there any more; what runs there ends."""
        self._policies.enforce_service(request.caller, _MANAGE)
        self._nodes.drain(node)
        return Response(202)

    def undrain(self, request: Request[Caller], node: str) -> Response:
        self._policies.enforce_service(request.caller, _MANAGE)
        self._nodes.undrain(node)
        return Response(202)

    def _shown(self, nodes: Any) -> list[dict[str, Any]]:
        now, jobs = self._nodes.rows.now(), self._nodes.rows.jobs()
        return [_node(node, now, jobs, here=node.id == self._nodes.here) for node in nodes]


def _node(node: NodeRecord, now: Micros, jobs: dict[str, str], *, here: bool) -> dict[str, Any]:
    live = node.is_live(now)
    return {
        "id": node.id,
        "name": node.name,
        "place": node.place,
        "addresses": node.addresses,
        "version": node.version,
        # One whose lease has ended is on its way to be lost: the next node that looks takes over.
        "state": "lost" if not live and node.state in ("serving", "draining") else node.state,
        "started_at": seconds_text(node.started_at),
        "renewed_at": seconds_text(node.renewed_at),
        "lease": max(0, (node.expires_at - now) // 1_000_000),
        "jobs": sorted(job for job, holder in jobs.items() if holder == node.holder),
        "here": here,
    }
